"""A table's columns as classes, for neural generators that see whole rows.

A row is one class of each of C columns, classes numbered through all columns: (C,) numbers below
G. Networks see it as ones and zeros (G,). Needs torch; imported only where it is there.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from geurim.codec import Codec, Scale
from geurim.generators._latents import Latents
from geurim.generators._parts import Parts

WAVES = 4  # smooth functions of an ordered column's classes


@dataclass(frozen=True, kw_only=True, eq=False)
class Classes:
    """Where the classes of each column stand: `first` (C + 1,), and `column` (G,) of each class.

    `rank` (G,): where a class of an ordered column lies by its mass, in (0, 1); NaN of others, and
    of missing. `share` (G,): of the rows. `missing` (G,): which stand for no value.
    """

    first: Tensor
    column: Tensor
    rank: Tensor
    share: Tensor
    missing: Tensor

    @classmethod
    def of(
        cls, sizes: list[int], rank: np.ndarray, share: np.ndarray, missing: np.ndarray
    ) -> Classes:
        return cls(
            first=torch.tensor([0, *itertools.accumulate(sizes)]),
            column=torch.repeat_interleave(torch.tensor(sizes, dtype=torch.long)),
            rank=torch.as_tensor(rank, dtype=torch.float32),
            share=torch.as_tensor(share, dtype=torch.float32),
            missing=torch.as_tensor(missing, dtype=torch.bool),
        )

    def latents(self) -> Latents:
        """The latents of a copula of the classes."""
        return Latents.of(self.first.numpy(), self.share.double().numpy(), self.missing.numpy())

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
        device = probability.device
        u = torch.rand(len(probability), self.columns, generator=random, device=device)
        return self._at(probability, u)

    def place(self, probability: Tensor, normals: Tensor, holes: Tensor) -> Tensor:
        """One class a column (B, C), where standard normals (B, L) lie in probabilities (B, G).

        The first C normals say which value; those of `holes` (C,) whether there is one, of columns
        in which it is not -1.
        """
        u = torch.special.ndtr(normals)
        if self.missing.any():
            gone = torch.zeros(len(u), self.columns, device=u.device)
            gone.index_add_(1, self.column[self.missing], probability[:, self.missing])
            absent = u[:, holes] > 1 - gone
            fits = (self.missing == absent[:, self.column]) | (holes < 0)[self.column]
            probability = probability * fits
        return self._at(probability, u[:, : self.columns])

    def _at(self, probability: Tensor, u: Tensor) -> Tensor:
        """The class of each column at `u` (B, C) of the way through its probabilities (B, G)."""
        reach = probability.cumsum(1)
        end = reach[:, self.first[1:] - 1]
        start = F.pad(end[:, :-1], (1, 0))
        found = torch.searchsorted(reach, start + u * 0.99999 * (end - start))
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


def split(parts: tuple[Parts, ...], codes: np.ndarray) -> np.ndarray:
    """Groups (N, C) int64 of codes (N, C); -1 where the code is."""
    groups = np.empty(codes.shape, np.int64)
    for i, one in enumerate(parts):
        groups[:, i] = one.split(codes[:, i])[0]
    return groups


def classes_of(codec: Codec, parts: tuple[Parts, ...]) -> Classes:
    """The groups of all columns as the classes that networks see."""
    ranks = [_ranks(s, p) for s, p in zip(codec.scales.values(), parts, strict=True)]
    return Classes.of(
        [p.groups for p in parts],
        np.concatenate([np.empty(0), *ranks]),
        np.concatenate([np.empty(0), *(p.shares() for p in parts)]),
        np.concatenate([np.empty(0, bool), *map(_missing, codec.scales.values(), parts)]),
    )


def _missing(scale: Scale, one: Parts) -> np.ndarray:
    """Which groups stand for no value (groups,)."""
    ends = [(scale.own, scale.size - 1), (scale.residual, scale.size - scale.own.size - 1)]
    missing = [code for levels, code in ends if levels is not None and levels.missing]
    found = np.zeros(one.groups, bool)
    found[one.split(np.array(missing, np.int64))[0]] = True
    return found


def _ranks(scale: Scale, one: Parts) -> np.ndarray:
    """Where each group lies by its rows (groups,), in (0, 1); NaN where there is no such order."""
    if not scale.own.ordered:
        return np.full(one.groups, np.nan)
    share = one.shares()
    ranks = np.cumsum(share) - share / 2
    ranks[_missing(scale, one)] = np.nan
    return np.asarray(ranks)
