"""The network that `vae` and `diffusion` share: all columns given those that are seen.

What is seen of a row is a sum of one vector a column; what is hidden adds nothing. Neighbouring
groups of an ordered column share a part of their vectors, so that few rows are enough to know one.
Imported only where torch is there.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from geurim.generators._reveal import Grid

_DECAY = 0.02
_CLASS_DECAY = 0.5
_MEAN = 0.99  # how slowly the mean of the weights, by which rows are drawn, follows them


class Revealer(nn.Module):
    """Logits of every column's classes (B, T) from the classes seen and a latent, if any."""

    features: Any  # (T, waves)

    def __init__(self, grid: Grid, width: int, depth: int, latent: int = 0) -> None:
        super().__init__()
        self.first = grid.first.tolist()
        features = torch.from_numpy(grid.features())
        self.register_buffer("features", features, persistent=False)
        total = self.first[-1]
        self.seen = nn.Parameter(own_vectors(features, width))
        self.seen_near = nn.Linear(features.shape[1], width, bias=False)
        self.start = nn.Parameter(0.1 * torch.randn(width))
        self.latent = nn.Linear(latent, width, bias=False) if latent else None
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.told = nn.Parameter(0.02 * torch.randn(total, width))
        self.told_near = nn.Linear(features.shape[1], width, bias=False)
        nn.init.normal_(self.told_near.weight, std=0.02)
        self.share = nn.Parameter(torch.from_numpy(grid.log_shares()))

    def tables(self) -> tuple[Any, Any]:
        """The vectors by which classes are seen, and those by which they are told (T, width)."""
        return self.seen + self.seen_near(self.features), self.told + self.told_near(self.features)

    def numbers(self, groups: Any) -> Any:
        """Classes (B, C) numbered through all columns."""
        return groups + torch.as_tensor(self.first[:-1], device=groups.device)

    def begin(self, rows: int, z: Any = None) -> Any:
        """What a row starts from (B, width) before any column is seen."""
        start = self.start.expand(rows, -1)
        return start if z is None or self.latent is None else start + self.latent(z)

    def trunk(self, x: Any) -> Any:
        x = F.silu(x)
        for layer in self.layers:
            x = x + F.relu(layer(x))
        return x

    def losses(self, groups: Any, shown: Any, visible: Any, z: Any = None) -> Any:
        """-log p of each column's class (B, C), given the `shown` classes where `visible`."""
        seen, told = self.tables()
        weights = visible.to(seen.dtype)
        x = F.embedding_bag(
            self.numbers(shown), seen, mode="sum", per_sample_weights=weights
        ) + self.begin(len(groups), z)
        logits = self.trunk(x) @ told.T + self.share
        bounds = zip(self.first[:-1], self.first[1:], strict=True)
        return torch.stack(
            [
                F.cross_entropy(logits[:, a:b], groups[:, i], reduction="none")
                for i, (a, b) in enumerate(bounds)
            ],
            dim=1,
        )

    def draw(
        self,
        tables: tuple[Any, Any],
        steps: list[list[int]],
        rows: int,
        random: Any,
        known: Any = None,
        z: Any = None,
    ) -> Any:
        """Classes (rows, C), step by step; those `known` (rows, C) are seen from the start."""
        seen, told = tables
        x = self.begin(rows, z).clone()
        made = torch.full((rows, len(self.first) - 1), -1) if known is None else known.clone()
        for i in range(made.shape[1]) if known is not None else ():
            found = made[:, i] >= 0
            x += seen[self.first[i] + made[:, i].clamp_min(0)] * found[:, None]
        for columns in steps:
            h = self.trunk(x)
            for i in columns:
                a, b = self.first[i], self.first[i + 1]
                odds = torch.addmm(self.share[a:b], h, told[a:b].T)
                made[:, i] = choose(odds, random)
                x += seen[a + made[:, i]]
        return made


def own_vectors(features: Any, width: int) -> Any:
    """What a class is seen as apart from its place (T, width): at first nothing if it has one."""
    placed = (features != 0).any(1, keepdim=True)
    return torch.randn(len(features), width) * torch.where(placed, 0.01, 0.3)


def choose(odds: Any, random: Any) -> Any:
    """One class a row (B,) drawn by logits (B, K)."""
    mass = torch.softmax(odds, dim=1).cumsum(dim=1)
    point = torch.rand(len(odds), 1, generator=random) * mass[:, -1:]
    return (mass < point).sum(dim=1).clamp_max(odds.shape[1] - 1)


class Pair(nn.Module):
    """A network and the mean of its weights over the last steps, by which it is judged."""

    steps: Any  # made so far

    def __init__(self, build: Any) -> None:
        super().__init__()
        self.now, self.mean = build(), build()
        self.mean.load_state_dict(self.now.state_dict())
        self.mean.requires_grad_(False)
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))  # a checkpoint holds it

    @torch.no_grad()
    def follow(self) -> None:
        """Move the mean towards the weights; at first at once, for they start anywhere."""
        self.steps += 1
        share = max(1 - _MEAN, 1 / (1 + int(self.steps)))
        means, nows = list(self.mean.parameters()), list(self.now.parameters())
        torch._foreach_lerp_(means, nows, share)


def optimizer(network: Any, rate: float) -> Any:
    """AdamW; vectors of single classes must earn their length, offsets need not."""
    groups: Any = [{"params": [], "weight_decay": decay} for decay in (_DECAY, _CLASS_DECAY, 0.0)]
    for name, weights in network.named_parameters():
        single = name.rpartition(".")[2] in ("seen", "told")
        groups[1 if single else 0 if weights.dim() > 1 else 2]["params"].append(weights)
    return torch.optim.AdamW(groups, lr=rate, fused=True)
