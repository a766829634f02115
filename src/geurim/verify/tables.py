"""Two-way tables of all pairs of columns at once, by one matrix product of one-hot rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geurim.verify.compare import Column, Rows
from geurim.verify.stats import variation_by_chance

GROUPS = 10  # groups of rows, left out in turn for the jackknife
WORK = 3e10  # multiplications a table, at most; fewer rows are used where there are many levels
_BLOCK = 8_192


@dataclass(frozen=True)
class Cut:
    """How a column is cut into levels; level 0 is missing."""

    column: Column
    edges: np.ndarray  # of an axis: the inner ends of its intervals, each closed above
    tops: int  # of codes: how many of the first categories stand alone

    @property
    def levels(self) -> int:
        return len(self.edges) + 2 if self.column.kind == "axis" else self.tops + 2

    def __call__(self, rows: Rows) -> np.ndarray:
        """The level of each row, (N,) int64."""
        if self.column.kind == "axis":
            values = rows.axis[self.column.name]
            place = np.searchsorted(self.edges, values, side="left") + 1
            return np.where(np.isnan(values), 0, place)
        codes: np.ndarray = np.minimum(rows.codes[self.column.name], self.tops) + 1
        return codes


def cut(column: Column, training: Rows, bins: int) -> Cut:
    """At most `bins` intervals of equal mass among the training rows, or as many categories."""
    edges = np.empty(0)
    if column.kind == "axis":
        values = training.axis[column.name]
        values = values[np.isfinite(values)]
        if len(values):
            inner = np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1], method="lower")
            edges = np.unique(inner)
            edges = edges[edges < values.max()]
    return Cut(column, edges, min(column.known, bins))


def joint_counts(rows: Rows, cuts: Sequence[Cut]) -> np.ndarray:
    """Counts of every pair of levels of every pair of columns, by group of rows: (G, K, K).

    K is the number of levels of all columns. Rows are in random order, so groups are slices.
    """
    starts = np.cumsum([0, *(c.levels for c in cuts)])
    size = int(starts[-1])
    count = min(rows.count, max(GROUPS, int(WORK / size**2)))
    places = np.stack([c(rows)[:count] + s for c, s in zip(cuts, starts[:-1], strict=True)], 1)
    counts = np.zeros((GROUPS, size, size), np.float32)
    for g, group in enumerate(np.array_split(places, GROUPS)):
        for first in range(0, len(group), _BLOCK):
            block = group[first : first + _BLOCK]
            hot = np.zeros((len(block), size), np.float32)
            hot[np.arange(len(block))[:, None], block] = 1
            counts[g] += hot.T @ hot
    return counts


def block_sums(matrix: np.ndarray, cuts: Sequence[Cut]) -> np.ndarray:
    """Sums (C, C) of a (K, K) matrix over the levels of each pair of columns."""
    starts = np.cumsum([0, *(c.levels for c in cuts)])[:-1]
    sums: np.ndarray = np.add.reduceat(np.add.reduceat(matrix, starts, axis=0), starts, axis=1)
    return sums


def distances(a: np.ndarray, b: np.ndarray, cuts: Sequence[Cut]) -> tuple[np.ndarray, np.ndarray]:
    """Total variation of each pair's table between counts a and b (K, K), and that by chance."""
    n, m = _rows(a, cuts), _rows(b, cuts)
    p, q = a / n, b / m
    return block_sums(np.abs(p - q), cuts) / 2, block_sums(variation_by_chance(p, q, n, m), cuts)


def association(counts: np.ndarray, cuts: Sequence[Cut]) -> np.ndarray:
    """Cramér's V of each pair (C, C) with the bias taken out (Bergsma 2013); NaN beside constants.

    0: independent; 1: one determines the other. Symmetric, and the same for any types.
    """
    n = _rows(counts, cuts)
    p = counts / n
    own = np.diag(p)
    expected = np.outer(own, own)
    with np.errstate(divide="ignore", invalid="ignore"):
        phi = block_sums(np.where(expected > 0, p * p / expected, 0.0), cuts) - 1
        starts = np.cumsum([0, *(c.levels for c in cuts)])[:-1]
        used = np.add.reduceat((own > 0).astype(float), starts)
        free = used - 1
        phi = np.maximum(0.0, phi - np.outer(free, free) / max(n - 1, 1))
        shrunk = used - free**2 / max(n - 1, 1)
        room = np.minimum(shrunk[:, None], shrunk[None, :]) - 1
        v = np.sqrt(phi / room)
    v[:, used < 2] = np.nan
    v[used < 2, :] = np.nan
    strength: np.ndarray = np.clip(v, 0, 1)
    return strength


def _rows(counts: np.ndarray, cuts: Sequence[Cut]) -> float:
    first = cuts[0].levels
    return max(float(counts[:first, :first].sum()), 1.0)
