"""The networks of the generator `gan`: one that makes rows, one that opposes it, one that judges.

A row is one class of each of C columns, classes numbered through all columns: (C,) numbers below
G. Networks see it as ones and zeros (G,). Needs torch; imported by geurim.generators.gan alone.
"""

from __future__ import annotations

import copy
import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from geurim.generators._training import Training

WAVES = 4  # smooth functions of an ordered column's classes
_JUDGE = (0, 64, 2)  # its size, when it is to be quick
_CAP = 12.0  # of a logit: softmaxes need no maximum taken off, and no class becomes impossible


@dataclass(frozen=True, kw_only=True, eq=False)
class Classes:
    """Where the classes of each column stand: `first` (C + 1,), and `column` (G,) of each class.

    `rank` (G,): where a class of an ordered column lies by its mass, in (0, 1); NaN of others, and
    of missing. `share` (G,): of the rows.
    """

    first: Tensor
    column: Tensor
    rank: Tensor
    share: Tensor

    @classmethod
    def of(cls, sizes: list[int], rank: np.ndarray, share: np.ndarray) -> Classes:
        return cls(
            first=torch.tensor([0, *itertools.accumulate(sizes)]),
            column=torch.repeat_interleave(torch.tensor(sizes, dtype=torch.long)),
            rank=torch.as_tensor(rank, dtype=torch.float32),
            share=torch.as_tensor(share, dtype=torch.float32),
        )

    def waves(self) -> tuple[Tensor, Tensor]:
        """Smooth functions of the classes of each ordered column (G, W), and their columns (W,).

        By mass they are orthonormal, and 0 outside of their column.
        """
        known = torch.nan_to_num(self.rank, 2.0)
        ordered = torch.unique(self.column[known < 1])
        turns = torch.arange(1, WAVES + 1, device=self.rank.device) * torch.pi
        wave = 2**0.5 * torch.cos(known[:, None] * turns) * (known < 1)[:, None]
        inside = (self.column[:, None] == ordered).float()
        waves = (inside[:, :, None] * wave[:, None]).flatten(1)
        return waves, ordered.repeat_interleave(WAVES)

    def views(self) -> tuple[Tensor, Tensor]:
        """What is compared of rows: (G, V) the classes as V numbers, and (V,) their columns.

        The waves of ordered columns, and every other class by itself, rare ones weighing less.
        """
        waves, column = self.waves()
        alone = torch.nonzero(self.rank.isnan()).flatten()
        single = torch.diag((self.share + 0.01).rsqrt())[:, alone]
        return torch.cat([waves, single], 1), torch.cat([column, self.column[alone]])

    @property
    def count(self) -> int:
        return len(self.column)

    @property
    def columns(self) -> int:
        return len(self.first) - 1

    def softmax(self, logits: Tensor) -> Tensor:
        """Probabilities (B, G) within each column of capped logits (B, G)."""
        parts = torch.tensor_split(logits, self.first[1:-1], dim=1)
        return torch.cat([p.softmax(1) for p in parts], 1)

    def draw(self, probability: Tensor, random: torch.Generator | None = None) -> Tensor:
        """One class a column (B, C), drawn from probabilities (B, G)."""
        reach = probability.cumsum(1)
        start = torch.arange(len(self.first) - 1, device=reach.device)
        u = torch.rand(len(reach), len(start), generator=random, device=reach.device)
        found = torch.searchsorted(reach, u * 0.99999 + start)
        return torch.minimum(torch.maximum(found, self.first[:-1]), self.first[1:] - 1)

    def ones(self, rows: Tensor) -> Tensor:
        """Rows (B, C) as ones and zeros (B, G)."""
        return torch.zeros(len(rows), self.count, device=rows.device).scatter_(1, rows, 1.0)

    def to(self, device: Any) -> Classes:
        return Classes(**{k: v.to(device) for k, v in vars(self).items()})


class Vectors(nn.Module):
    """A vector (G, width) for each class; neighbours on an axis start alike and learn together."""

    waves: Tensor

    def __init__(self, classes: Classes, width: int, scale: float) -> None:
        super().__init__()
        waves = classes.waves()[0]
        self.register_buffer("waves", waves, persistent=False)
        own = torch.where(classes.rank.isnan(), scale, 0.1 * scale)
        self.own = nn.Parameter(torch.randn(classes.count, width) * own[:, None])
        self.shared = nn.Parameter(torch.randn(waves.shape[1], width) * scale / WAVES**0.5)

    def forward(self) -> Tensor:
        return self.own + self.waves @ self.shared


class Block(nn.Module):
    """A residual layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.into, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, h: Tensor) -> Tensor:
        more: Tensor = self.out(F.silu(self.into(self.norm(h))))
        return h + more


class Maker(nn.Module):
    """Noise to logits of every class."""

    def __init__(self, classes: Classes, noise: int, width: int, depth: int) -> None:
        super().__init__()
        self.noise = noise
        self.start = nn.Linear(noise, width)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(depth)), nn.LayerNorm(width))
        self.end = Vectors(classes, width, width**-0.5)
        self.bias = nn.Parameter(torch.log(classes.share + 1e-4))

    def forward(self, z: Tensor) -> Tensor:
        """Logits (B, G) from noise (B, noise)."""
        h = self.blocks(self.start(z)) @ self.end().t() + self.bias
        return _CAP * torch.tanh(h / _CAP)


class Critic(nn.Module):
    """One number for a row; without norms, as penalties need."""

    def __init__(self, classes: Classes, width: int, depth: int) -> None:
        super().__init__()
        self.start = Vectors(classes, width, max(classes.columns, 1) ** -0.5)
        self.bias = nn.Parameter(torch.zeros(width))
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.end = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B,) from ones of classes (B, G)."""
        return self._after(x @ self.start())

    def weigh(self, rows: Tensor) -> Tensor:
        """The same (B,) of rows (B, C) of classes, without ones and zeros."""
        return self._after(F.embedding_bag(rows, self.start(), mode="sum"))

    def _after(self, h: Tensor) -> Tensor:
        h = F.silu(h + self.bias)
        for layer in self.layers:
            h = h + F.silu(layer(h))
        found: Tensor = self.end(h)
        return found[:, 0]


Sizes = tuple[int, int, int]  # numbers of noise, width and depth of the networks


class Made(nn.Module):
    """What makes rows in the end: the maker, and the judge by whom the better rows are kept."""

    raked: Tensor

    def __init__(self, classes: Classes, sizes: Sizes) -> None:
        super().__init__()
        self.classes = classes
        self.maker = Maker(classes, *sizes)
        self.judge = Critic(classes, *sizes[1:])
        self.register_buffer("raked", torch.zeros(classes.count))

    @torch.no_grad()
    def choose(self, rows: int, tries: int, random: torch.Generator) -> Tensor:
        """Classes within their columns (B, C), drawn.

        Of `tries` rows made one is taken, in proportion to its odds of being real.
        """
        made, _ = make(self.maker, self.classes, rows * tries, random)
        weight = self.judge.weigh(made) + self.raked[made].sum(1)
        u = torch.rand(weight.shape, generator=random)
        best = (weight - torch.log(-torch.log(u))).reshape(rows, tries).argmax(1)
        return made[torch.arange(rows) * tries + best] - self.classes.first[:-1]

    @torch.no_grad()
    def rake(self, tries: int, rows: int, rounds: int = 8) -> None:
        """Weights of classes by which what is kept has the real shares, column after column.

        (Deming & Stephan 1940, iterative proportional fitting.)
        """
        made, _ = make(self.maker, self.classes, rows * tries)
        weight = self.judge.weigh(made)
        first = self.classes.first.tolist()
        for _, i in itertools.product(range(rounds), range(self.classes.columns)):
            ours = slice(first[i], first[i + 1])
            kept = weight.reshape(rows, tries).softmax(1).flatten() / rows
            share = torch.bincount(made[:, i] - first[i], kept, first[i + 1] - first[i])
            change = torch.log((self.classes.share[ours] + 1e-5) / (share + 1e-5))
            self.raked[ours] += change
            weight += change[made[:, i] - first[i]]


class Pair(nn.Module):
    """The maker, its mean over the last steps, and the critic it learns against."""

    steps: Tensor

    def __init__(self, classes: Classes, sizes: Sizes) -> None:
        super().__init__()
        self.maker = Maker(classes, *sizes)
        self.mean = copy.deepcopy(self.maker).requires_grad_(False)
        self.critic = Critic(classes, *sizes[1:])
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))


def make(
    maker: Maker, classes: Classes, count: int, random: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """`count` rows (B, C) and the probabilities (B, G) of their classes."""
    z = torch.randn(count, maker.noise, generator=random, device=maker.bias.device)
    probability = classes.softmax(maker(z))
    return classes.draw(probability.detach(), random), probability


class Duel:
    """The task of the maker and its critic, on rows of groups (N, C)."""

    def __init__(
        self,
        groups: np.ndarray,
        classes: Classes,
        sizes: Sizes,
        weights: tuple[float, float],
        training: Training,
        device: Any,
    ) -> None:
        self.classes = classes.to(device)
        self.rows = torch.from_numpy(groups).to(device) + self.classes.first[:-1]
        # The fewer rows there are, the smoother the critic: else it knows them by heart.
        self.penalty = weights[0] * max(1.0, 10_000 / len(groups))
        self.weight = weights[1]
        self.network = Pair(classes, sizes).to(device)
        self.optimizers = [
            torch.optim.AdamW(
                n.parameters(), training.rate, (0.5, 0.99), weight_decay=1e-4, fused=True
            )
            for n in (self.network.maker, self.network.critic)
        ]
        self.view, column = self.classes.views()
        self.expected = self.classes.share @ self.view
        self.apart = column[:, None] != column
        self.pairs = self._moments(self.view[self.rows[:100_000]].sum(1))

    def _moments(self, seen: Tensor) -> Tensor:
        """How the views (B, V) of two columns go together (V, V)."""
        seen = seen - self.expected
        return seen.t() @ seen / len(seen) * self.apart

    def step(self, rows: Tensor) -> Tensor:
        network, real = self.network, self.rows[rows]
        made, probability = make(network.maker, self.classes, len(real))
        # Straight through: the row as it is drawn, with the gradient of its probabilities.
        made_x = self.classes.ones(made) + probability - probability.detach()
        self._oppose(self.classes.ones(real), made_x.detach())
        network.critic.requires_grad_(False)
        gap = network.critic.weigh(real) - network.critic(made_x)
        loss = F.softplus(gap).mean() + self.weight * self._distance(probability)
        self._descend(0, loss)
        network.critic.requires_grad_(True)
        self._follow()
        return loss.detach()

    def _oppose(self, real: Tensor, made: Tensor) -> None:
        """One step of the critic: each real row against one made (R3GAN: Huang et al. 2024)."""
        lazy = 4
        penalized = int(self.network.steps) % lazy == 0
        if penalized:
            real, made = real.requires_grad_(), made.requires_grad_()
        good, bad = (self.network.critic(x) for x in (real, made))
        loss = F.softplus(bad - good).mean()
        if penalized:
            slopes = torch.autograd.grad((good.sum(), bad.sum()), (real, made), create_graph=True)
            # By share, as a column drawn anew would meet them; else many classes count more.
            steep = sum((s.square() @ self.classes.share).mean() for s in slopes)
            loss = loss + lazy * self.penalty / 2 * steep
        self._descend(1, loss)

    def _distance(self, probability: Tensor) -> Tensor:
        """How far pairs of columns are from the real ones; by two halves, so without bias."""
        one, other = ((probability[i::2] @ self.view) for i in range(2))
        pairs = (self._moments(one) - self.pairs) * (self._moments(other) - self.pairs)
        shares = (one.mean(0) - self.expected) * (other.mean(0) - self.expected)
        return pairs.sum() / self.classes.columns + shares.sum()

    def _descend(self, which: int, loss: Tensor) -> None:
        self.optimizers[which].zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizers[which].step()

    def _follow(self) -> None:
        """The mean of the maker's weights goes on by one step."""
        step = int(self.network.steps)
        self.network.steps.add_(1)
        keep = min(0.998, (1 + step) / (10 + step))
        with torch.no_grad():
            mean, maker = self.network.mean.parameters(), self.network.maker.parameters()
            torch._foreach_lerp_(list(mean), list(maker), 1 - keep)

    def score(self, rows: Tensor) -> float:
        """How well a fresh judge tells these rows from made ones (AUC), and how moments differ."""
        learned = torch.ones(len(self.rows), dtype=torch.bool, device=self.rows.device)
        learned[rows] = False
        real = self.rows[learned] if bool(learned.any()) else self.rows
        mean = self.network.mean
        with torch.enable_grad():
            trial = Trial(real, self.classes, mean, _JUDGE)
            for _ in range(min(len(real) // 400, 100)):
                trial.step(torch.randint(len(real), (min(256, len(real)),), device=real.device))
        held = self.rows[rows[:5000]]
        made, probability = make(mean, self.classes, max(len(held), 2000))
        found = auc(trial.network.weigh(held), trial.network.weigh(made))
        # What chance gives is no better than one half.
        chance = 0.5 + math.sqrt(1 / len(held) / 12)
        return max(found, chance) + float(self._distance(probability))


class Trial:
    """The task of a judge: to tell real rows (N, C) of classes from made ones."""

    def __init__(self, rows: Tensor, classes: Classes, maker: Maker, sizes: Sizes):
        self.rows, self.classes, self.maker = rows, classes, maker
        self.network = Critic(classes, *sizes[1:]).to(rows.device)
        self.optimizers = [
            torch.optim.AdamW(self.network.parameters(), 1e-3, weight_decay=1e-2, fused=True)
        ]

    def loss(self, rows: Tensor) -> Tensor:
        real = self.rows[rows]
        with torch.no_grad():
            made, _ = make(self.maker, self.classes, len(real))
        one, other = (self.network.weigh(x) for x in (real, made))
        return F.softplus(-one).mean() + F.softplus(other).mean()

    def step(self, rows: Tensor) -> Tensor:
        loss = self.loss(rows)
        self.optimizers[0].zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizers[0].step()
        return loss.detach()

    def score(self, rows: Tensor) -> float:
        return float(self.loss(rows))


def auc(one: Tensor, other: Tensor) -> float:
    """How often a number of `one` (N,) is above one of `other` (M,); ties count half."""
    ordered = torch.sort(other).values
    below = torch.searchsorted(ordered, one) + torch.searchsorted(ordered, one, right=True)
    return float(below.double().mean() / (2 * len(other)))
