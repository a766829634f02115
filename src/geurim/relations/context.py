"""What one table's columns say about another's: which to learn from, and what sums children up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from geurim.columns import from_axis, is_number, is_ordered, is_time, to_axis, to_codes
from geurim.levels import HELD
from geurim.relations.rows import taken, tuples, whole

LOOKED_AT = 5_000  # rows from which it is judged what tells most
CONTEXT = 8  # the most columns of parents and grandparents that a table is learned from
SUMMED = 3  # the most columns of a child that a parent sums up
ALIKE = 0.15  # from which intraclass correlation on a column is summed up


@dataclass(frozen=True, kw_only=True)
class Coarse:
    """A column as a few codes: cuts on its axis, or its commonest categories."""

    cuts: np.ndarray | None = None
    values: pa.Array | None = None

    @classmethod
    def of(cls, column: pa.Array, most: int = 12) -> Coarse:
        """Learned from a column: about equally many rows a code."""
        if is_ordered(column.type):
            axis = to_axis(column)
            axis = axis[np.isfinite(axis)]
            if not len(axis):
                return cls(cuts=np.empty(0))
            cuts = np.unique(np.quantile(axis, np.arange(1, most) / most, method="lower"))
            return cls(cuts=cuts[cuts < axis.max()])
        counted = column.drop_null().value_counts()
        tally = counted.field("counts").to_numpy(zero_copy_only=False)
        order = np.argsort(-tally, kind="stable")[: most - 1]
        return cls(values=counted.field("values").take(pa.array(order)))

    def codes(self, column: pa.Array) -> np.ndarray:
        """Codes (N,) int64 from 0; missing is the last one."""
        if self.cuts is not None:
            axis = to_axis(column)
            found = np.searchsorted(self.cuts, axis, side="left")
            return np.asarray(np.where(np.isnan(axis), len(self.cuts) + 1, found))
        assert self.values is not None
        found = to_codes(column, self.values)
        found = np.where(found < 0, len(self.values), found)
        return np.asarray(np.where(column.is_null().to_numpy(False), len(self.values) + 1, found))

    @property
    def size(self) -> int:
        return 2 + len(self.cuts if self.cuts is not None else self.values or ())


def common(column: pa.Array) -> pa.Array:
    """A column with its rarest categories missing: those that never come out (geurim.levels).

    Others may learn of a table through its children, of which there are many a row; so a value of
    one row would count as a frequent one. Where all are that rare, they all stay.
    """
    if is_ordered(column.type):
        return column
    codes = tuples([column])
    count = np.bincount(codes[codes >= 0], minlength=1)
    rare = (codes >= 0) & (count[codes] < HELD)
    if not rare.any() or count.max() < HELD:
        return column
    return taken(column, np.where(rare, -1, np.arange(len(column))))


def told(first: np.ndarray, second: np.ndarray) -> float:
    """Mutual information of two codes (N,) in nats, less what chance alone gives (Miller 1955)."""
    rows, columns = int(first.max(initial=0)) + 1, int(second.max(initial=0)) + 1
    table = np.bincount(first * columns + second, minlength=rows * columns)
    table = table.reshape(rows, columns).astype(float)
    total = table.sum()
    if not total:
        return 0.0
    share = table / total
    chance = share.sum(1, keepdims=True) * share.sum(0, keepdims=True)
    ratio = np.divide(share, chance, out=np.ones_like(share), where=share > 0)
    free = ((table.sum(1) > 0).sum() - 1) * ((table.sum(0) > 0).sum() - 1)
    return float((share * np.log(ratio)).sum() - free / total)


def telling(
    candidates: Mapping[str, pa.Array], targets: Sequence[pa.Array], most: int
) -> list[str]:
    """The names of the `most` candidates that say most of the targets, all (N,); best first."""
    count = len(next(iter(candidates.values()))) if candidates else 0
    if not count or not targets:
        return []
    rows = np.unique(np.linspace(0, count - 1, min(count, LOOKED_AT)).astype(np.int64))
    coded = [_coarse(taken(t, rows)) for t in targets]
    score = {}
    for name, column in candidates.items():
        own = _coarse(taken(column, rows))
        score[name] = sum(max(told(own, t) - 1.0 / len(rows), 0.0) for t in coded)
    best = sorted(score, key=lambda n: -score[n])[:most]
    return [n for n in best if score[n] > 0.004]


def _coarse(column: pa.Array) -> np.ndarray:
    return Coarse.of(column).codes(column)


def alike(column: pa.Array, group: np.ndarray) -> float:
    """The intraclass correlation of a column (N,) within groups (N,): 0 for none, 1 for all."""
    size = np.bincount(group)
    pairs = float((size * (size - 1.0)).sum())
    if pairs <= 0:
        return 0.0
    if is_ordered(column.type):
        axis = to_axis(column)
        place = np.argsort(np.argsort(axis, kind="stable"), kind="stable") / max(len(axis), 1)
        x = place - place.mean()
        if np.nanmin(axis, initial=np.inf) == np.nanmax(axis, initial=-np.inf) or not x.var():
            return 0.0
        within = float((np.bincount(group, x) ** 2).sum() - (x**2).sum())
        return within / pairs / float(x.var())
    code = _coarse(column)
    cells = np.unique(group * (code.max() + 1) + code, return_counts=True)[1].astype(float)
    same = float((cells * (cells - 1)).sum()) / pairs
    share = np.bincount(code) / len(code)
    chance = float((share**2).sum())
    return (same - chance) / (1 - chance) if chance < 1 else 0.0


def summaries(
    columns: Mapping[str, pa.Array], owner: np.ndarray, parents: int
) -> dict[str, pa.Array]:
    """What each parent's children are like: mean, ends or mode of the columns that are alike.

    `owner` (N,): the parent's row of each child. Each summary is (parents,), missing where there
    is no child.
    """
    rows = np.flatnonzero(owner >= 0)
    group = owner[rows]
    if not len(rows) or np.bincount(group).max() < 2:
        return {}
    some = rows if len(rows) <= 200_000 else rows[:200_000]
    strength = {n: alike(taken(c, some), owner[some]) for n, c in columns.items()}
    best = [n for n in sorted(strength, key=lambda n: -strength[n]) if strength[n] > ALIKE]
    made: dict[str, pa.Array] = {}
    for name in best[:SUMMED]:
        column = taken(columns[name], rows)
        if is_time(column.type):
            for word, ends in (("first", np.minimum), ("last", np.maximum)):
                made[f"{word}:{name}"] = _end(column, group, parents, ends)
        elif is_number(column.type):
            made[f"mean:{name}"] = _mean(column, group, parents)
        else:
            made[f"mode:{name}"] = _mode(column, group, parents)
    return made


def _mean(column: pa.Array, group: np.ndarray, parents: int) -> pa.Array:
    axis = to_axis(column)
    there = ~np.isnan(axis)
    count = np.bincount(group[there], minlength=parents)
    total = np.bincount(group[there], axis[there], minlength=parents)
    with np.errstate(invalid="ignore"):
        return pa.array(np.round(total / count, 6), from_pandas=True)


def _end(column: pa.Array, group: np.ndarray, parents: int, ends: np.ufunc) -> pa.Array:
    axis = to_axis(column)
    there = ~np.isnan(axis)
    far = np.full(parents, np.inf if ends is np.minimum else -np.inf)
    ends.at(far, group[there], axis[there])
    return from_axis(np.where(np.isinf(far), np.nan, far), column.type)


def _mode(column: pa.Array, group: np.ndarray, parents: int) -> pa.Array:
    coded = column.dictionary_encode() if not pa.types.is_dictionary(column.type) else column
    code = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64) + 1
    size = len(coded.dictionary) + 1
    cell, count = np.unique(group * size + code, return_counts=True)
    order = np.lexsort((count, cell // size))
    last = np.flatnonzero(np.append(np.diff(cell[order] // size) > 0, True))
    rows = np.full(parents, -1, np.int64)
    best = cell[order][last]
    rows[best // size] = best % size - 1
    return taken(whole(coded.dictionary), rows)
