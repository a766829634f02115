"""A column as a finite scale of levels: what a model of discrete outcomes learns and draws.

A category is a level. On an axis, a value held by many rows is a level of its own (a point), and
what lies between is cut into cells of at least `cell_rows` rows; so a column that mixes a
continuous part with repeated values keeps both. Missing is the last level. Decoding draws inside a
cell, on the grid that the values lie on (whole numbers, cents, days), so no cell gives back its
rows: of those only the mean is kept, where it is surely not the middle, and the draw is the one of
most entropy with that mean (an exponential cut at the cell's ends; Jaynes 1957). Strings that are
all dates or times in one ISO form are learned on their axis and written in that form again. A
category of fewer than 3 rows is not among the levels: its rows count as others (the threshold
rule of statistical disclosure control; Hundepool et al. 2012, section 4.2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.columns import from_axis, is_ordered, to_axis, to_codes
from geurim.contract import Json

BINS = 96  # at most so many bins of a column when it predicts another
FEW = 256  # a scale of so few values is not cut into cells
HELD = 3  # the fewest rows of a category that may come out


@dataclass(frozen=True, kw_only=True, eq=False)
class Levels:
    """The scale of one column. `size` levels, of which the last is missing where `missing`.

    Ordered columns: `low` and `high` (size,), the ends of each cell, equal for a point; `step`,
    the grid's step, 0 where there is none; `origin`, a point of the grid; `lean` (cells,), the rate
    at which a cell thins out upwards, for its whole width (None: even). Others: `values`, the
    categories. `bins` (size,) uint8: the coarser scale for use as a predictor.
    """

    kind: pa.DataType
    size: int
    missing: bool
    bins: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    lean: np.ndarray | None = None
    step: float = 0.0
    origin: float = 0.0
    decimals: int = 0
    values: Any = None  # pa.Array
    form: str = ""  # of strings on an axis of times, as strftime writes them

    @property
    def ordered(self) -> bool:
        return self.low is not None

    def encode(self, column: pa.Array | pa.ChunkedArray) -> np.ndarray:
        """Codes (N,) int64. Between two cells the lower one is taken; a new category is -1."""
        if self.form:
            return self.place_of(to_axis(_parsed(column, self.form)))
        if self.low is None:
            codes = to_codes(column, self.values)
            if self.missing:
                codes[np.asarray(column.is_null())] = self.size - 1
            return codes
        return self.place_of(to_axis(column))

    def place_of(self, axis: np.ndarray) -> np.ndarray:
        """Codes (N,) int64 of axis values; NaN is missing, or -1 where the scale has no such."""
        assert self.low is not None
        top = self.size - 1
        codes = np.searchsorted(self.low, axis, side="right") - 1
        # NaN sorts last, as a value above all.
        codes = np.clip(codes, 0, len(self.low) - 1)
        empty = np.isnan(axis)
        if empty.any():
            codes[empty] = top if self.missing else -1
        return codes

    def category(self, codes: np.ndarray) -> pa.Array:
        """The categories (N,) of codes."""
        if self.missing:
            absent = codes == self.size - 1
            return self.values.take(pa.array(codes, mask=absent if absent.any() else None))
        return self.values.take(pa.array(codes))

    def written(self, axis: np.ndarray) -> pa.Array:
        """Axis values (N,) as a column of the real one's type."""
        if not self.form:
            return from_axis(axis, self.kind)
        return pc.strftime(from_axis(axis, pa.timestamp("s")), format=self.form).cast(self.kind)

    def axis_of(self, column: pa.Array) -> np.ndarray:
        """The column on the axis of the scale (N,)."""
        return to_axis(_parsed(column, self.form) if self.form else column)

    def fit(self, axis: np.ndarray) -> np.ndarray:
        """Axis values (N,) brought onto the grid and within the bounds of the scale."""
        assert self.low is not None and self.high is not None
        if not len(self.low):
            return np.full(len(axis), np.nan)
        if self.step > 0:
            steps = np.rint((axis - self.origin) / self.step)
            axis = np.round(self.origin + steps * self.step, self.decimals)
            room = (self.low[-1] - self.low[0]) / self.step
            if np.array_equal(self.low, self.high) and room > 1.5 * len(self.low):
                # Points far apart on their grid, such as 39.02, 39.92, 41: the nearest one.
                between = (self.low[1:] + self.low[:-1]) / 2
                values = np.append(self.low, np.nan)
                place = np.searchsorted(between, axis)
                axis = values[np.where(np.isnan(axis), len(self.low), place)]
        return np.asarray(np.clip(axis, self.low[0], self.high[-1]))

    def place(self, codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Axis values (N,) float64 drawn inside the cells of `codes`; NaN where missing."""
        assert self.low is not None and self.high is not None
        low, high = _padded(self.low, self.missing), _padded(self.high, self.missing)
        values = low[codes]
        inside = np.flatnonzero((high > low)[codes])
        if not len(inside):
            return np.asarray(values)
        u, top = rng.random(len(inside)), high[codes[inside]]
        if self.lean is not None:
            u = _leaning(u, self.lean[codes[inside]])
        if self.step > 0:
            steps = np.floor(u * ((top - values[inside]) / self.step + 1.0 + 1e-9))
            moved = values[inside] + steps * self.step
            values[inside] = np.round(moved, self.decimals) if self.decimals else moved
        else:
            values[inside] = values[inside] * (1.0 - u) + top * u
        return np.asarray(values)

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        """What a model file holds of it."""
        arrays = {"bins": self.bins}
        if self.low is not None and self.high is not None:
            arrays |= {"low": self.low, "high": self.high}
        if self.lean is not None:
            arrays["lean"] = self.lean
        values = None if self.values is None else self.values.to_pylist()
        keys = ("size", "missing", "step", "origin", "decimals", "form")
        return {k: getattr(self, k) for k in keys} | {"values": values}, arrays

    @classmethod
    def from_state(
        cls, kind: pa.DataType, state: dict[str, Json], arrays: dict[str, np.ndarray]
    ) -> Levels:
        values = state["values"]
        values = None if values is None else pa.array(values, kind)
        fields: dict[str, Any] = {**state, **arrays, "values": values}
        return cls(kind=kind, **fields)


def learn(column: pa.Array, cell_rows: int = 10, most: int = 2000) -> tuple[Levels, np.ndarray]:
    """The scale of a column, and the column's codes on it (N,).

    `cell_rows`: the fewest rows of a cell. `most`: the most cells, about.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if is_ordered(column.type):
        return _learn_ordered(column, cell_rows, most)
    form = _iso_form(column)
    if form:
        levels, codes = _learn_ordered(_parsed(column, form), cell_rows, most)
        return replace(levels, kind=column.type, form=form), codes
    return _learn_categories(column, cell_rows, most)


_FORMS = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")


def _iso_form(column: pa.Array) -> str:
    """The one form in which all strings are dates or times, and many; "" where there is none."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return ""
    values = column.drop_null()
    if len(values) <= FEW or pc.count_distinct(values.slice(0, 5_000)).as_py() <= FEW:
        return ""
    for form in (f + zone for f in _FORMS for zone in ("", "Z")):
        if _parsed(values.slice(0, 10), form).null_count:
            continue
        again = pc.strftime(_parsed(values, form), format=form).cast(values.type)
        if again.null_count == 0 and again.equals(values):
            return form
    return ""


def _parsed(column: pa.Array, form: str) -> pa.Array:
    """Strings as times to the second; missing where they are not of this form."""
    return pc.strptime(column, format=form, unit="s", error_is_null=True)


def _learn_categories(column: pa.Array, cell_rows: int, most: int) -> tuple[Levels, np.ndarray]:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    coded = column.dictionary_encode()
    raw = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    count = np.bincount(raw[raw >= 0], minlength=len(coded.dictionary))
    order = np.argsort(-count, kind="stable")
    kept = int((count >= HELD).sum()) or len(order)
    rank = np.full(len(count) + 1, -1)
    rank[order[:kept]] = np.arange(kept)
    missing = bool(column.null_count)
    rank[-1] = kept  # where raw is -1
    codes = rank[raw]
    order = order[:kept]
    rare = np.flatnonzero(codes < 0)
    if len(rare):
        # In proportion to the categories that are kept, without chance.
        mass = np.cumsum(count[order])
        spread = (np.arange(len(rare)) + 0.5) / len(rare) * mass[-1]
        codes[rare] = np.searchsorted(mass, spread, side="right")
    size = len(order) + missing
    bins = np.minimum(np.arange(size), BINS - 1 - missing).astype(np.uint8)
    if missing and size:
        bins[-1] = bins[-2] + 1 if size > 1 else 0
    levels = Levels(
        kind=kind,
        size=size,
        missing=missing,
        bins=bins,
        values=coded.dictionary.take(pa.array(order)).cast(kind),
    )
    return levels, codes


def _learn_ordered(column: pa.Array, cell_rows: int, most: int) -> tuple[Levels, np.ndarray]:
    axis = to_axis(column)
    present = ~np.isnan(axis)
    unique, place, count = np.unique(axis[present], return_inverse=True, return_counts=True)
    total = int(present.sum())
    missing = total < len(axis)
    step, decimals = _grid(unique, column.type)
    cell = _cells(unique, count, max(cell_rows, total / most)) if total else place
    first = np.flatnonzero(np.diff(cell, prepend=-1))
    last = np.append(first[1:], len(unique)) - 1
    cells = len(first)
    codes = np.full(len(axis), cells, np.int64)
    codes[present] = cell[place]
    weight = np.bincount(codes, minlength=cells + missing)
    low, high = (unique[ends] if cells else np.empty(0) for ends in (first, last))
    levels = Levels(
        kind=column.type,
        size=cells + missing,
        missing=missing,
        bins=_bins(weight, missing),
        low=low,
        high=high,
        lean=_lean(axis[present], codes[present], low, high, step),
        step=step,
        origin=float(unique[0]) if cells and np.isfinite(unique[0]) else 0.0,
        decimals=decimals,
    )
    return levels, codes


def _cells(unique: np.ndarray, count: np.ndarray, rows: float) -> np.ndarray:
    """The cell (U,) of each of the sorted distinct values: points first, the rest by their mass."""
    few = len(unique) <= FEW and count.sum() >= 10 * len(unique)
    point = np.ones(len(unique), bool) if few else (count >= rows) | np.isinf(unique)
    # A run is a point, or all that lies between two points.
    run = np.cumsum(point | np.append(True, point[:-1])) - 1
    start = np.flatnonzero(np.diff(run, prepend=-1))
    before = np.cumsum(count) - count
    within = before - before[start][run]
    parts = np.maximum(1, np.add.reduceat(count, start) // rows).astype(np.int64)
    part = np.minimum((within // rows).astype(np.int64), parts[run] - 1)
    changed = (np.diff(run, prepend=-1) != 0) | (np.diff(part, prepend=-1) != 0)
    cells: np.ndarray = np.cumsum(changed) - 1
    return cells


def _lean(
    axis: np.ndarray, codes: np.ndarray, low: np.ndarray, high: np.ndarray, step: float
) -> np.ndarray | None:
    """The rate (cells,) of each cell by the mean of its rows (N,); None where all are even.

    What chance alone takes a mean away from the middle is taken off it (James & Stein 1961).
    """
    wide = np.flatnonzero(high > low)
    with np.errstate(over="ignore", invalid="ignore"):
        width = high - low + step
        mine = (high > low)[codes] & np.isfinite(width)[codes]
        at = codes[mine]
        share = (axis[mine] - low[at] + step / 2) / width[at]
    if not len(wide) or not len(share):
        return None
    count = np.maximum(np.bincount(at, minlength=len(low)), 1)
    off = np.bincount(at, share - 0.5, minlength=len(low)) / count
    sure = np.maximum(1.0 - 1.0 / (12.0 * count * np.maximum(off**2, 1e-12)), 0.0)
    lean: np.ndarray = np.interp(off * sure, _OFFS, _RATES)
    return lean if lean.any() else None


def _leaning(u: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """Even draws (N,) from 0 to 1 turned into ones that thin out at a rate (N,)."""
    far = np.abs(rate) > 1e-3
    safe = np.where(far, rate, 1.0)
    return np.where(far, -np.log1p(u * np.expm1(-safe)) / safe, u)


_RATES = np.append(np.append(np.linspace(60, 0.05, 600), 0.0), np.linspace(-0.05, -60, 600))
_OFFS = np.array([0.0 if r == 0 else 1 / r - 1 / np.expm1(r) - 0.5 for r in _RATES])
"""How far the mean of draws that thin out at each rate is from the middle, in rising order."""


def _bins(weight: np.ndarray, missing: bool) -> np.ndarray:
    """Bins (size,) of ordered levels: equal mass, finer towards both ends; missing has its own."""
    size = len(weight)
    if size <= BINS:
        return np.arange(size, dtype=np.uint8)
    mass = weight[: size - missing]
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    even = np.arange(1, 64) / 64
    ends = 0.5 ** np.arange(7, 14)
    cuts = np.sort(np.concatenate([even, ends, 1 - ends]))
    bins = np.unique(np.searchsorted(cuts, middle), return_inverse=True)[1]
    if missing:
        bins = np.append(bins, bins[-1] + 1)
    return bins.astype(np.uint8)


def _grid(unique: np.ndarray, kind: pa.DataType) -> tuple[float, int]:
    """The largest step of a grid that holds all values, and its decimals; 0 without a grid."""
    finite = unique[np.isfinite(unique)]
    if len(finite) < 2:
        return (0.0 if pa.types.is_floating(kind) else 1.0), 0
    for decimals in range(7):
        scaled = finite * 10.0**decimals
        whole = np.rint(scaled)
        if np.abs(whole).max() > 2**53:
            break
        # What is all but zero is zero only where floating point says no better.
        tiny = (whole == 0) & (np.abs(finite) > 1e-12)
        if np.abs(scaled - whole).max() < 1e-6 and not tiny.any():
            step = int(np.gcd.reduce(np.diff(whole).astype(np.int64)))
            return step / 10.0**decimals, decimals
    return 0.0, 0


def _padded(values: np.ndarray, missing: bool) -> np.ndarray:
    return np.append(values, np.nan) if missing else values
