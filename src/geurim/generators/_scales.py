"""Scales of columns settled from noisy counts: levels, and the coarser bins of the model.

What a count does not tell from none has no weight and is never drawn; neighbours of which that is
so are taken together until it is not. The bins are as many as the noise of a pair's table bears.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from geurim.contract import Json
from geurim.generators._domain import SURE, Plan
from geurim.levels import Levels

_HELD = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class Scale:
    """A column's levels and the coarser bins that the model is made of.

    `weight` (size,): noisy rows of each level, 0 where there is no telling them from none.
    `other`: the bin of a value that no level has.
    """

    levels: Levels
    weight: np.ndarray
    other: int

    @property
    def size(self) -> int:
        """Bins."""
        return int(max(self.levels.bins.max(initial=0), self.other)) + 1

    def encode(self, column: pa.Array) -> np.ndarray:
        """Bins (N,) of a column; those of values that no level has are `other`."""
        codes = self.levels.encode(column)
        table = np.append(self.levels.bins, self.other).astype(np.int64)
        return np.asarray(table[codes])

    def decode(self, bins: np.ndarray, rng: np.random.Generator) -> pa.Array:
        """Values (N,) drawn inside bins: a level by its weight, a place inside the level."""
        order = np.argsort(self.levels.bins, kind="stable")
        ends = np.cumsum(self.weight[order])
        start = np.searchsorted(self.levels.bins[order], np.arange(self.size + 1))
        low = np.append(0.0, ends)[start]
        mass = np.diff(low)
        u = rng.random(len(bins))
        # A bin none of whose levels is sure of rows draws from all of them.
        at = np.where(mass[bins] > 0, low[bins] + u * mass[bins], u * ends[-1])
        found = order[np.minimum(np.searchsorted(ends, at, side="right"), len(order) - 1)]
        if self.levels.ordered:
            return self.levels.written(self.levels.place(found, rng))
        return self.levels.category(found)

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        entry, arrays = self.levels.state()
        return {"levels": entry, "other": self.other}, arrays | {"weight": self.weight}

    @classmethod
    def from_state(
        cls, kind: pa.DataType, state: dict[str, Json], arrays: dict[str, np.ndarray]
    ) -> Scale:
        arrays = dict(arrays)
        weight = arrays.pop("weight")
        levels = Levels.from_state(kind, state["levels"], arrays)
        return cls(levels=levels, weight=weight, other=state["other"])


def settle(plan: Plan, counts: np.ndarray, noise: float, most: int) -> tuple[Scale, np.ndarray]:
    """The scale of a column from noisy counts of its kinds, and each kind's bin (plan.size,).

    `noise`: the standard deviation of each count. `most`: the most bins. However little noise there
    is, a level rests on about `_HELD` rows.
    """
    if plan.edges is not None:
        return _settle_ordered(plan, counts, noise, most)
    return _settle_categories(plan, counts, noise, most)


def _settle_categories(
    plan: Plan, counts: np.ndarray, noise: float, most: int
) -> tuple[Scale, np.ndarray]:
    assert plan.values is not None
    size = len(plan.values)
    missing = plan.nullable and counts[size] > _least(SURE, noise, 1)
    kept = np.flatnonzero(counts[:size] > 0) if size else np.zeros(0, np.int64)
    if not len(kept) and not missing and size:
        kept = np.array([int(np.argmax(counts[:size]))])
    missing = missing or not len(kept)
    kept = kept[np.argsort(-counts[kept], kind="stable")]
    weight = np.maximum(counts[kept], 0.0)
    rank = np.arange(len(kept))
    # The rare ones, and what has no level, share the last bin.
    own = min(int((weight > 4 * noise).sum()), most - 1 - int(missing))
    bins = np.minimum(rank, max(own, 0))
    rest = int(bins.max(initial=-1)) if own < len(kept) else len(kept)
    other = rest if size and not pa.types.is_boolean(plan.values.type) else max(rest - 1, 0)
    other = min(other, int(bins.max(initial=0))) if counts[-1] < 4 * noise else other
    if missing:
        bins = np.append(bins, max(int(bins.max(initial=-1)), other if len(kept) else -1) + 1)
        weight = np.append(weight, max(counts[size], 1.0))
        other = other if len(kept) else 0
    levels = Levels(
        kind=plan.kind,
        size=len(bins),
        missing=bool(missing),
        bins=bins.astype(np.uint8),
        values=plan.values.take(pa.array(kept)).cast(plan.kind),
    )
    if not weight.sum() > 0:
        weight = np.ones_like(weight)
    scale = Scale(levels=levels, weight=weight, other=int(other))
    place = np.full(plan.size, scale.other)
    place[kept] = bins[: len(kept)]
    place[size] = bins[-1] if missing else scale.other
    return scale, place


def _settle_ordered(
    plan: Plan, counts: np.ndarray, noise: float, most: int
) -> tuple[Scale, np.ndarray]:
    assert plan.edges is not None
    cells = len(plan.edges) - 1
    missing = plan.nullable and counts[cells] > _least(SURE, noise, 1)
    group = _merged(counts[:cells], noise)
    mass = np.bincount(group, counts[:cells])
    members = np.bincount(group)
    sure = mass > _least(SURE, noise, members)
    mass = np.where(mass > noise * np.sqrt(members), mass, 0.0)
    if not mass.sum() > 0:
        mass = np.ones_like(mass) if not missing else mass
    first = np.searchsorted(group, np.arange(len(mass)))
    last = np.append(first[1:], cells) - 1
    # The ends of the axis are where rows are sure to be.
    used = np.flatnonzero(sure if sure.any() else mass > 0)
    bottom, top = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 0)
    if plan.bounded:
        bottom, top = 0, len(mass)
    elif top > bottom:
        first[bottom], last[top - 1] = _ends(counts, first, last, bottom, top - 1, noise)
    low = plan.edges[first][bottom:top]
    high = plan.edges[last + 1][bottom:top]
    if plan.step:
        high = np.round(high - plan.step, plan.decimals)
    weight = mass[bottom:top]
    bins = _binned(weight, low == high, most - int(missing), noise)
    other = int(bins[-1]) if len(bins) else 0
    if missing:
        bins = np.append(bins, bins.max(initial=-1) + 1)
        weight = np.append(weight, max(counts[cells], 1.0))
    levels = Levels(
        kind=plan.kind,
        size=len(bins),
        missing=bool(missing),
        bins=bins.astype(np.uint8),
        low=low,
        high=high,
        step=plan.step,
        origin=float(low[0]) if len(low) else 0.0,
        decimals=plan.decimals,
    )
    scale = Scale(levels=levels, weight=weight, other=other)
    place = np.full(plan.size, other)
    if top > bottom:
        place[:cells] = bins[np.clip(group, bottom, top - 1) - bottom]
    place[cells] = bins[-1] if missing else other
    return scale, place


def _least(sure: float, noise: float, cells: Any) -> Any:
    """The sum of some cells' counts above which there are rows in them, `sure` deviations so."""
    return np.maximum(sure * noise * np.sqrt(cells), sure / (SURE + 1) * _HELD)


def _ends(
    counts: np.ndarray, first: np.ndarray, last: np.ndarray, bottom: int, top: int, noise: float
) -> tuple[int, int]:
    """The first cell of the lowest level and the last of the highest, without what lies empty."""
    low = counts[first[bottom] : last[bottom] + 1]
    high = counts[first[top] : last[top] + 1]
    start = int(first[bottom]) + _empty(low, noise)
    return start, max(int(last[top]) - _empty(high[::-1], noise), start)


def _empty(counts: np.ndarray, noise: float) -> int:
    """Cells at the start that together are not told from empty ones; all but one at most."""
    sums = np.cumsum(counts)
    sure = np.flatnonzero(sums > _least(2.0, noise, np.arange(1, len(counts) + 1)))
    return int(sure[0]) if len(sure) else len(counts) - 1


def _merged(counts: np.ndarray, noise: float) -> np.ndarray:
    """The level (cells,) of each cell: a sure one by itself, unsure ones together until sure."""
    group = np.empty(len(counts), np.int64)
    level, held, width = 0, 0.0, 0
    for i, count in enumerate(counts.tolist()):
        if count > _least(SURE + 1, noise, 1):
            level += width > 0
            group[i] = level
            level, held, width = level + 1, 0.0, 0
            continue
        group[i] = level
        held, width = held + count, width + 1
        if held > _least(SURE + 1, noise, width):
            level, held, width = level + 1, 0.0, 0
    return group


def _binned(weight: np.ndarray, point: np.ndarray, most: int, noise: float) -> np.ndarray:
    """Bins (levels,): frequent points by themselves, what lies between by its mass.

    A bin of too little mass to be told from noise is joined with the lighter of its neighbours.
    """
    alone = point & (weight > max(weight.sum() / most, 4 * noise))
    rest = np.where(alone, 0.0, weight).sum()
    each = max(rest / max(most - int(alone.sum()), 1), 4 * noise)
    bins = np.zeros(len(weight), np.int64)
    at, held, single = 0, 0.0, False
    for i, (mass, is_alone) in enumerate(zip(weight.tolist(), alone.tolist(), strict=True)):
        if mass > 0 and held > 0 and (single or is_alone or held + mass / 2 > each):
            at, held = at + 1, 0.0
        bins[i] = at
        held += mass
        single = is_alone if mass > 0 else single
    mass_of = np.bincount(bins, weight)
    while len(mass_of) > 1 and (len(mass_of) > most or mass_of.min() < 4 * noise):
        least = int(np.argmin(mass_of))
        sides = [i for i in (least - 1, least + 1) if 0 <= i < len(mass_of)]
        into = min(min(sides, key=lambda i: mass_of[i]), least)
        bins[bins > into] -= 1
        mass_of = np.bincount(bins, weight)
    return bins
