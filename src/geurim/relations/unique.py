"""Columns that must tell rows apart: line numbers, hours, words."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.columns import from_axis, is_number, to_axis
from geurim.relations.assign import repeated, settle_pairs
from geurim.relations.made import Made
from geurim.relations.model import Series
from geurim.relations.rows import tuples


def series_values(made: Made, series: Series, rng: np.random.Generator) -> pa.Array:
    """Values (rows,) of which no group has one twice."""
    others = [c for c in series.key if c != series.column]
    group = tuples([made.value(c) for c in others]) if others else np.zeros(made.rows, np.int64)
    kind = made.model.schema.field(series.column).type
    if len(series.steps):
        return from_axis(_stepped(group, series, rng), kind)
    axis = to_axis(made.part(series.column, 0, made.rows))
    return from_axis(_moved(np.nan_to_num(axis), group, series.grid), kind)


def _stepped(group: np.ndarray, series: Series, rng: np.random.Generator) -> np.ndarray:
    """A first value and steps from there, group by group, in the order of the rows."""
    order = np.argsort(group, kind="stable")
    new = np.diff(group[order], prepend=group[order[:1]] - 1) != 0
    steps = rng.choice(series.steps, len(order), p=series.shares)
    codes = rng.choice(len(series.often), int(new.sum()), p=series.often)
    first = series.first.place(codes, rng)
    steps[new] = 0.0
    total = np.cumsum(steps)
    begin = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
    value = np.empty(len(order))
    value[order] = total - total[begin] + first[np.cumsum(new) - 1]
    return value


def _moved(axis: np.ndarray, group: np.ndarray, grid: float) -> np.ndarray:
    """Values moved up to the next free place on their grid."""
    grid = grid or 1.0
    low = axis.min(initial=0.0)
    step = np.rint((axis - low) / grid).astype(np.int64)
    order = np.lexsort((step, group))
    rank = np.arange(len(order))
    start = np.maximum.accumulate(
        np.where(np.diff(group[order], prepend=group[order[:1]] - 1) != 0, rank, 0)
    )
    rank = rank - start
    # step - rank must not fall within a group; groups lie apart on one axis.
    apart = (np.cumsum(rank == 0) - 1) * (int(step.max(initial=0)) + len(order) + 1)
    level = np.maximum.accumulate(step[order] - rank + apart)
    found = np.empty(len(order))
    found[order] = low + (level - apart + rank) * grid
    return found


def distinct_levels(
    made: Made, key: tuple[str, ...], free: list[str], rng: np.random.Generator
) -> np.ndarray:
    """Set one drawn column of a unique set so that it tells rows apart; a mask of the lost."""
    codes = tuples([made.value(c) for c in key])
    again = repeated(codes)
    drop = np.zeros(made.rows, bool)
    if not len(again):
        return drop
    name = free[-1]
    column = made.value(name)
    coded = column.dictionary_encode()
    group = tuples([made.value(c) for c in key if c != name])
    chosen = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    levels = len(coded.dictionary)
    weight = np.bincount(chosen[chosen >= 0], minlength=levels).astype(float)
    everyone = np.zeros(len(chosen), np.int64)
    found, drop = settle_pairs(group, chosen, everyone, np.zeros(levels, np.int64), weight, rng)
    mask = found < 0
    made.fixed[name] = coded.dictionary.take(
        pa.array(np.maximum(found, 0), mask=mask if mask.any() else None)
    )
    made.forget()
    return drop


def distinct_texts(made: Made, name: str) -> None:
    """A column of which no value stands twice: words get a number, numbers go on."""
    column = made.value(name)
    again = repeated(tuples([column]))
    if not len(again):
        return
    if is_number(column.type):
        axis = to_axis(column)
        top = np.nanmax(axis)
        axis[again] = top + 1 + np.arange(len(again))
        made.fixed[name] = from_axis(axis, column.type)
    elif pa.types.is_string(column.type):
        values = column.to_pylist()
        there = set(values)
        for row in again:
            made_, number = values[row], 2
            head, at, tail = made_.partition("@")
            while made_ in there:
                made_ = f"{head}{'' if at else ' '}{number}{at}{tail}"
                number += 1
            values[row] = made_
            there.add(made_)
        made.fixed[name] = pa.array(values, column.type)
    made.forget()
