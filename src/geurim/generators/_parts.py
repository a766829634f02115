"""A column's codes as two small ones, for neural generators: a group, and a place in it.

    code (up to 50,000 of them)  <->  group (at most `most`) and place within the group

Nothing here grows with the number of levels: a network sees the group as a class and the place as
a class again (`within`), or as a number between 0 and 1 (`position`), which for an ordered column
is the mode-specific normalization of CTGAN (Xu et al. 2019, section 4.2) with quantiles for modes.
Missing is a group of its own, and so is every value held by many rows. Categories have no order of
their own; those that go with the same values of the column that tells most about them are put side
by side, so that a group of them means something.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geurim.codec import Codec, Scale


@dataclass(frozen=True, kw_only=True, eq=False)
class Parts:
    """The groups of one column.

    `order` (size,): the codes, group after group. `first` (groups + 1,):
    where each group starts in `order`. `mass` (size + 1,): cumulative counts along `order`.
    """

    order: np.ndarray
    first: np.ndarray
    mass: np.ndarray

    @property
    def groups(self) -> int:
        return len(self.first) - 1

    @property
    def most_within(self) -> int:
        """The largest number of places in a group."""
        return int(np.diff(self.first).max(initial=1))

    def split(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Group (N,) and place within it (N,) of codes (N,); both -1 where the code is."""
        rank = np.empty(len(self.order), np.int64)
        rank[self.order] = np.arange(len(self.order))
        place = rank[np.maximum(codes, 0)]
        group = np.searchsorted(self.first, place, side="right") - 1
        absent = codes < 0
        return np.where(absent, -1, group), np.where(absent, -1, place - self.first[group])

    def join(self, group: np.ndarray, within: np.ndarray) -> np.ndarray:
        """Codes (N,); a place beyond its group is taken as the last one."""
        last = self.first[group + 1] - 1
        return np.asarray(self.order[np.minimum(self.first[group] + within, last)])

    def position(self, codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Where in its group a code lies by its mass, (N,) in (0, 1); drawn within its own mass."""
        group, within = self.split(codes)
        place = self.first[group] + within
        low, high = self.mass[place], self.mass[place + 1]
        start, end = self.mass[self.first[group]], self.mass[self.first[group + 1]]
        drawn = low + rng.random(len(codes)) * (high - low)
        return np.asarray((drawn - start) / np.maximum(end - start, 1e-12))

    def from_position(self, group: np.ndarray, position: np.ndarray) -> np.ndarray:
        """Codes (N,) from groups (N,) and positions (N,) in [0, 1]."""
        start, end = self.mass[self.first[group]], self.mass[self.first[group + 1]]
        wanted = start + np.clip(position, 0.0, 1.0 - 1e-9) * (end - start)
        place = np.searchsorted(self.mass, wanted, side="right") - 1
        return np.asarray(self.order[np.clip(place, self.first[group], self.first[group + 1] - 1)])

    def shares(self) -> np.ndarray:
        """The share of rows of each group (groups,)."""
        held = np.diff(self.mass[self.first])
        return np.asarray(held / max(held.sum(), 1e-12))

    def arrays(self) -> dict[str, np.ndarray]:
        return {k: getattr(self, k) for k in ("order", "first", "mass")}


def learn(codec: Codec, codes: np.ndarray, most: int = 64) -> tuple[Parts, ...]:
    """The parts of every column of `codes` (N, C), in the codec's order; `most` groups, about."""
    coarse = [_coarse(s, codes[:, i]) for i, s in enumerate(codec.scales.values())]
    return tuple(
        _learn_one(scale, codes[:, i], most, [c for j, c in enumerate(coarse) if j != i])
        for i, scale in enumerate(codec.scales.values())
    )


def state(parts: tuple[Parts, ...]) -> dict[str, np.ndarray]:
    """The arrays of all columns' parts."""
    return {f"{i}/{k}": v for i, p in enumerate(parts) for k, v in p.arrays().items()}


def from_state(columns: int, arrays: dict[str, np.ndarray]) -> tuple[Parts, ...]:
    """The inverse of `state`."""
    keys = ("order", "first", "mass")
    return tuple(Parts(**{k: arrays[f"{i}/{k}"] for k in keys}) for i in range(columns))


def _learn_one(scale: Scale, codes: np.ndarray, most: int, others: list[np.ndarray]) -> Parts:
    size = max(scale.size, 1)
    count = np.bincount(codes, minlength=size).astype(float)
    runs = _runs(scale)
    order = np.arange(size)
    if not scale.own.ordered and size > most:
        body = size - scale.own.missing
        order[:body] = _side_by_side(codes, body, others)
        # So many categories that a group, too, would be large: as many groups as places.
        most = max(most, int(np.sqrt(size)))
    group = _cut(count[order], runs, min(most, size))
    first = np.append(np.flatnonzero(np.diff(group, prepend=-1)), size)
    # A level without rows (none in the thinned rows) still can be reached.
    mass = np.concatenate([[0.0], np.cumsum(np.maximum(count[order], 1e-3))])
    return Parts(order=order, first=first, mass=mass)


def _runs(scale: Scale) -> np.ndarray:
    """The stretch (size,) that each code belongs to: residual, own scale, and missing of each."""
    runs, start = [], 0
    for levels in (scale.residual, scale.own):
        if levels is not None and levels.size:
            run = np.full(levels.size, start)
            run[levels.size - levels.missing :] += 1
            runs.append(run)
            start += 2
    return np.concatenate(runs) if runs else np.zeros(1, int)


def _cut(count: np.ndarray, runs: np.ndarray, most: int) -> np.ndarray:
    """The group (size,) of each level along the order: heavy ones alone, the rest by mass."""
    if len(count) <= most:
        return np.arange(len(count))
    total = max(count.sum(), 1.0)
    heavy = count >= total / most
    left, room = count[~heavy].sum(), max(most - int(heavy.sum()), 1)
    rows = max(left / room, 1e-9)
    change = np.diff(runs, prepend=-1) != 0
    start = np.flatnonzero(change | heavy | np.append(False, heavy[:-1]))
    run = np.cumsum(change | heavy | np.append(False, heavy[:-1])) - 1
    before = np.cumsum(count) - count
    within = before - before[start][run]
    parts = np.maximum(1, np.rint(np.add.reduceat(count, start) / rows)).astype(np.int64)[run]
    mass = np.add.reduceat(count, start)[run]
    place = np.minimum((within / np.maximum(mass, 1e-12) * parts).astype(np.int64), parts - 1)
    changed = (np.diff(run, prepend=-1) != 0) | (np.diff(place, prepend=-1) != 0)
    return np.asarray(np.cumsum(changed) - 1)


def _coarse(scale: Scale, codes: np.ndarray, most: int = 64) -> np.ndarray:
    """A column as at most about `most` classes (N,), to compare categories by."""
    count = np.bincount(codes, minlength=max(scale.size, 1)).astype(float)
    if not scale.own.ordered:
        return np.asarray(np.minimum(codes, most))  # categories stand by their number of rows
    return np.asarray(_cut(count, _runs(scale), min(most, len(count)))[codes])


def _side_by_side(codes: np.ndarray, size: int, others: list[np.ndarray]) -> np.ndarray:
    """Categories (size,) in an order in which those that go with the same values are neighbours.

    The column that tells most about them (by what its classes explain of the rows, above chance)
    gives each category the class it goes with most; the next such column breaks ties.
    """
    here = (codes >= 0) & (codes < size)
    tops = []
    for other in others:
        width = int(other.max(initial=0)) + 1
        if width < 2:
            continue
        table = np.bincount(codes[here] * width + other[here], minlength=size * width)
        table = table.reshape(size, width)
        expected = np.bincount(other[here], minlength=width) / max(here.sum(), 1)
        lift = table / np.maximum(table.sum(1, keepdims=True), 1) - expected
        told = float(table.max(1).sum() / max(here.sum(), 1)) - float(expected.max())
        tops.append((told, np.argmax(lift, axis=1)))
    tops.sort(key=lambda t: -t[0])
    keys = [np.arange(size)] + [top for _, top in reversed(tops[:3])]
    return np.lexsort(keys)
