"""Nearest rows: every row as a point in small integers, and searches over blocks of distances.

The distance of two rows is Gower's (1971): the sum over columns of how far apart the values are.
Two categories that differ are 1 apart. A number lies half at its rank and half at its place on a
logarithmic scale of spreads from the median, so that neither crowds nor outliers fall together; a
missing number lies 1 below the middle. The scale is made of all tables together: it treats
training rows and rows held out alike, which a scale of the training rows does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from geurim.verify.compare import Column, Comparison, Rows

WORK = 6_000_000_000  # values compared in one search, at most: about 2 s
SCALED = 20_000  # rows of each table that the scale is made of
FAR = 8.0  # natural logarithm of twice the spreads beyond which all values are equally far
SPAN = 2  # the farthest that two numbers of a column can be apart
HASHED = 32_749  # a prime below 2^15: categories beyond it share numbers
_CELLS = 400_000  # distances in a block: they fit into a processor's cache


@dataclass(frozen=True, kw_only=True)
class Points:
    """Rows as points: `values` (C, N), in units of 1/`unit`."""

    values: np.ndarray
    unit: int
    same: tuple[bool, ...]  # (C,): values are equal or not, as of categories

    @property
    def count(self) -> int:
        return int(self.values.shape[1])

    def first(self, rows: int) -> Points:
        return self.take(slice(0, rows))

    def take(self, places: np.ndarray | slice) -> Points:
        return Points(values=self.values[:, places], unit=self.unit, same=self.same)

    def of(self, columns: Sequence[int]) -> Points:
        """The same rows in some of the columns, by place."""
        same = tuple(self.same[i] for i in columns)
        return Points(values=self.values[list(columns)], unit=self.unit, same=same)


class Scale:
    """How rows become points; equal rows are at 0 from each other."""

    def __init__(self, columns: Sequence[Column], *tables: Rows) -> None:
        self.columns = tuple(columns)
        self.unit = max(1, min(20_000, 32_000 // (SPAN * max(len(columns), 1))))
        self._type = np.int16 if self.unit >= 200 else np.int32
        if self._type is np.int32:
            self.unit = 1_000
        self._known = {
            x.name: _sorted(np.concatenate([t.axis[x.name][:SCALED] for t in tables]))
            for x in columns
            if x.kind == "axis"
        }

    def __call__(self, rows: Rows) -> Points:
        values = np.empty((len(self.columns), rows.count), self._type)
        for at, column in enumerate(self.columns):
            if column.kind == "axis":
                known = self._known[column.name]
                values[at] = np.rint(_place(rows.axis[column.name], known) * self.unit)
            else:
                values[at] = rows.codes[column.name] % HASHED
        same = tuple(x.kind != "axis" for x in self.columns)
        return Points(values=values, unit=self.unit, same=same)


def _sorted(values: np.ndarray) -> np.ndarray:
    return np.sort(values[~np.isnan(values)])


def _place(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Places (N,) of numbers among `known`, sorted: from -0.5 to 1, missing at -1."""
    if not len(known):
        return np.full(len(values), -1.0)
    at = sum(np.searchsorted(known, values, side=s) for s in ("left", "right"))
    low, middle, high = known[[len(known) // 4, len(known) // 2, 3 * len(known) // 4]]
    with np.errstate(invalid="ignore", over="ignore"):
        spread = high - low
        if spread == 0:  # half of the rows are alike: the spread of the others
            others = known[known != middle]
            spread = np.median(np.abs(others - middle)) if len(others) else 1.0
        spread = spread if np.isfinite(spread) and spread > 0 else 1.0
        away = np.clip(np.arcsinh((values - middle) / spread) / FAR, -1, 1)
    place: np.ndarray = at / (4 * len(known)) + np.nan_to_num(away) / 2
    return np.where(np.isnan(values), -1.0, place)


def learned(c: Comparison) -> list[Column]:
    """The columns that make two rows alike or not."""
    return [x for x in c.of("axis", "codes") if x.role not in ("constant", "empty")]


def points(c: Comparison) -> tuple[Points, Points, Points]:
    """The training rows, those held out and the synthetic ones (as released), on one scale."""
    tables = (c.training, c.holdout, c.released)
    scale = Scale(learned(c), *tables)
    training, holdout, synthetic = (scale(t) for t in tables)
    return training, holdout, synthetic


def affordable(points: Points, among: Points, work: float = WORK) -> int:
    """How many of the points can be looked up among the others for so many comparisons."""
    return min(points.count, int(work / max(1, among.count * len(among.same))))


def gap(
    points: Points, among: Points, column: int, part: slice, out: np.ndarray, equal: np.ndarray
) -> None:
    """How far apart the values of one column are, into `out` (Q, N); `equal` is a buffer."""
    mine = points.values[column, part, None]
    if points.same[column]:
        np.not_equal(mine, among.values[column], out=equal)
        np.multiply(equal, out.dtype.type(points.unit), out=out)
    else:
        np.subtract(mine, among.values[column], out=out)
        np.abs(out, out=out)


def distances(points: Points, among: Points) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of distances (Q, N) in units of 1/`unit`, which the caller may overwrite."""
    size = max(1, _CELLS // max(among.count, 1))
    for first in range(0, points.count, size):
        part = slice(first, min(first + size, points.count))
        shape = (part.stop - first, among.count)
        total = np.zeros(shape, points.values.dtype)
        one, equal = np.empty_like(total), np.empty(shape, bool)
        for column in range(len(points.same)):
            gap(points, among, column, part, one, equal)
            np.add(total, one, out=total)
        yield part, total


def nearest(points: Points, among: Points, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Distances (N, k) to the k nearest of the others, nearest first, and their places (N, k).

    Brute force over a number of rows that the caller bounds (see `affordable`).
    """
    apart = np.full((points.count, k), np.inf)
    place = np.zeros((points.count, k), np.int64)
    top = np.iinfo(points.values.dtype).max
    for part, total in distances(points, among):
        rows = np.arange(len(total))
        for j in range(min(k, among.count)):
            at = total.argmin(axis=1)
            place[part, j], apart[part, j] = at, total[rows, at]
            total[rows, at] = top
    return apart / points.unit, place
