"""Scales of columns found under noise: which values there are, from where to where, how fine.

Only a column's name and type are taken as public. What may be known beside that is given as its
`domain`; the rest is asked of the rows, and costs a share of the budget:

- a category comes out only when many rows hold it (a stable histogram; Korolova et al. 2009);
- a number's axis is cut at powers of two, and cut again wherever noisy counts say that many rows
  lie (as PrivTree does; Zhang, Xiao & Xie 2016), down to single values of the column's grid;
- the decimals of a number, by how many rows need as many.

`Plan` then holds the cells; `_scales.py` turns them and their noisy counts into a Scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.columns import is_number, is_ordered, to_axis, to_codes
from geurim.errors import DataError
from geurim.generators._noise import Spender

_DECIMALS = 6  # a number with more of them has no grid
_FAN = 16  # parts that a cell is cut into
_LEVELS = 6  # times that the axis is cut
SURE = 3.0  # standard deviations of noise above which a count is taken for real
_DAY = 86_400e6
_COVERED = 0.5  # the share of rows whose values are known, below which a column has no categories

Domain = Sequence[object]


@dataclass(frozen=True, kw_only=True, eq=False)
class Column:
    """One real column as the questions need it: on an axis, or coded. Never kept after the fit."""

    axis: np.ndarray | None = None  # (N,) float64, NaN where missing
    codes: np.ndarray | None = None  # (N,) int32 into values, -1 where missing
    values: tuple[str, ...] = ()

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> Column:
        kind = column.type
        if is_ordered(kind):
            return cls(axis=to_axis(column))
        column = column.combine_chunks()
        if pa.types.is_dictionary(kind):
            column = column.cast(kind.value_type)
        if pa.types.is_boolean(column.type):
            return cls(codes=to_codes(column, pa.array([False, True])), values=("False", "True"))
        coded = column.cast(pa.large_string()).dictionary_encode()
        codes = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
        return cls(codes=codes, values=tuple(coded.dictionary.to_pylist()))


@dataclass(kw_only=True)
class Held:
    """The real rows of one fit: what the spender's questions are asked of."""

    columns: dict[str, Column]
    rows: int
    codes: np.ndarray = field(default_factory=lambda: np.empty((0, 0), np.uint8))  # (C, N) bins

    def settle(self, plans: Mapping[str, Plan], places: Mapping[str, np.ndarray]) -> None:
        """Turn the columns into bins, by each plan's kinds of rows and their bins."""
        self.codes = np.empty((len(plans), self.rows), np.uint8)
        for i, (name, plan) in enumerate(plans.items()):
            self.codes[i] = places[name][plan.place(self.columns.pop(name))]


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """What was found of a column, before its rows are counted: its cells, or its categories.

    Ordered: `edges` (cells + 1,), cell i is [edges[i], edges[i + 1]); `step` is 0 where the values
    lie on no grid. Others: `values`. One more kind of row is missing, and one more, of categories,
    has another value.
    """

    kind: pa.DataType
    nullable: bool
    edges: np.ndarray | None = None
    step: float = 0.0
    decimals: int = 0
    values: pa.Array | None = None
    bounded: bool = False  # the ends of the axis are public: they are kept

    @property
    def size(self) -> int:
        """Kinds of rows: cells or categories, the missing, the others."""
        known = self.values if self.edges is None else self.edges[1:]
        assert known is not None
        return len(known) + 2

    def place(self, column: Column) -> np.ndarray:
        """The kind (N,) of each row."""
        missing, other = self.size - 2, self.size - 1
        if self.edges is not None:
            assert column.axis is not None
            at = _gridded(column.axis, self.step, self.decimals)
            found = np.searchsorted(self.edges, at, side="right") - 1
            found = np.clip(found, 0, missing - 1) if missing else np.full(len(at), other)
            return np.where(np.isnan(at), missing, found)
        assert column.codes is not None and self.values is not None
        known = {str(v): i for i, v in enumerate(self.values.to_pylist())}
        table = np.array([*(known.get(v, other) for v in column.values), missing])
        return np.asarray(table[column.codes])  # a missing value's code is -1: the last

    def counts(self, column: Column) -> np.ndarray:
        """Rows of each kind (size,)."""
        return np.bincount(self.place(column), minlength=self.size)


def ordered_plan(
    name: str, item: pa.Field, domain: Domain | None, spender: Spender, rho: float, total: float
) -> Plan:
    """The cells of a number or a time, at a cost of at most `rho`. `total`: rows, about."""
    step, decimals = _public_grid(item.type)
    if step == 0:
        rho, share = rho * 0.9, rho * 0.1
        step, decimals = _grid(name, spender, share)
    if domain is not None:
        low, high = (axis_of(v, item.type) for v in domain)
        edges = np.array([low, high + step if step else np.nextafter(high, np.inf)])
    else:
        edges = _powers(name, item.type, step, decimals, spender, rho / 3)
        rho *= 2 / 3
    for level in range(_LEVELS):
        cut = _cut(name, edges, step, decimals, spender, rho / _LEVELS, total, level)
        if cut is None:
            break
        edges = cut
    return Plan(
        kind=item.type,
        nullable=item.nullable,
        edges=edges,
        step=step,
        decimals=decimals,
        bounded=domain is not None,
    )


def category_plan(
    name: str,
    item: pa.Field,
    domain: Domain | None,
    spender: Spender,
    rho: float,
    delta: float,
    total: float,
) -> Plan | float:
    """The categories of a column; the share of rows that miss it, where most of the others hold
    values that few rows hold."""
    kind = item.type.value_type if pa.types.is_dictionary(item.type) else item.type
    if pa.types.is_boolean(kind):
        found: list[object] = [False, True]
    elif pa.types.is_null(kind):
        found = []
    elif domain is not None:
        found = list(domain)
    else:
        counts = spender.frequent(lambda held: _valued(held.columns[name]), rho, delta)
        missing = counts.pop(_ABSENT, 0)
        present = total - missing
        if sum(counts.values()) < _COVERED * present and present > 0.05 * total:
            return min(max(missing / total, 0.0), 1.0)
        found = [v[1:] for v in sorted(counts, key=lambda v: (-counts[v], v))]
    return Plan(kind=item.type, nullable=item.nullable, values=pa.array(found, kind))


_ABSENT = "-"


def _valued(column: Column) -> dict[str, int]:
    """Rows by value, each after a "+", and the missing ones."""
    assert column.codes is not None
    counts = np.bincount(column.codes + 1, minlength=len(column.values) + 1)
    found = {f"+{v}": int(n) for v, n in zip(column.values, counts[1:], strict=True)}
    return found | ({_ABSENT: int(counts[0])} if counts[0] else {})


# ---- axes


def axis_of(value: object, kind: pa.DataType) -> float:
    """A bound on the axis of a column's type."""
    return float(to_axis(pa.array([value], kind))[0])


def _public_grid(kind: pa.DataType) -> tuple[float, int]:
    """The grid that a type alone imposes."""
    if pa.types.is_integer(kind):
        return 1.0, 0
    if pa.types.is_decimal(kind):
        return 10.0**-kind.scale, int(kind.scale)
    if pa.types.is_date(kind):
        return _DAY, 0
    return (0.0, 0) if is_number(kind) else (1e6, 0)  # of times and spans, a second


def _grid(name: str, spender: Spender, rho: float) -> tuple[float, int]:
    """The decimals that all but a few rows get by with; no step where there are too many."""

    def needed(held: Held) -> np.ndarray:
        axis = held.columns[name].axis
        assert axis is not None
        axis = axis[np.isfinite(axis)]
        need = np.full(len(axis), _DECIMALS + 1)
        for decimals in range(_DECIMALS, -1, -1):
            scaled = np.clip(axis, -1e9, 1e9) * 10.0**decimals
            need[np.abs(scaled - np.rint(scaled)) < 1e-6 * (1 + (decimals > 0))] = decimals
        return np.bincount(need, minlength=_DECIMALS + 2)

    counts = np.maximum(spender.counts(needed, rho), 0.0)
    beyond = np.cumsum(counts[::-1])[::-1][1:]  # rows that need more than 0, 1, … decimals
    few = np.maximum(0.002 * counts.sum(), SURE * spender.scale(rho))
    enough = np.flatnonzero(beyond <= few)
    if not len(enough):
        return 0.0, 0
    return 10.0 ** -int(enough[0]), int(enough[0])


def _gridded(axis: np.ndarray, step: float, decimals: int) -> np.ndarray:
    if step == 0:
        return axis
    return (
        np.round(np.rint(axis / step) * step, decimals) if step < 1 else np.rint(axis / step) * step
    )


def _powers(
    name: str, kind: pa.DataType, step: float, decimals: int, spender: Spender, rho: float
) -> np.ndarray:
    """Edges at zero and at powers of two times the grid, from the first to the last with rows."""
    unit = step or 2.0**-20
    ends = unit * 2.0 ** np.arange(64 if pa.types.is_integer(kind) else 80)
    edges = np.append(0.0, ends)
    if not pa.types.is_unsigned_integer(kind):
        # -1; -3, -2; -7 to -4; …: as many values of the grid as on the other side.
        edges = np.append((unit if step else 0.0) - 2 * ends[::-1], edges)
    counts = _count(name, edges, step, decimals, spender, rho)
    noise = spender.scale(rho)
    sure = np.flatnonzero(counts > (SURE + 1) * noise)  # of so many cells, few are in error
    first, last = (int(sure[0]), int(sure[-1])) if len(sure) else (int(np.argmax(counts)),) * 2
    while first > 0 and counts[first - 1] > 2 * noise:
        first -= 1
    while last + 1 < len(counts) and counts[last + 1] > 2 * noise:
        last += 1
    return edges[first : last + 2]


def _count(
    name: str, edges: np.ndarray, step: float, decimals: int, spender: Spender, rho: float
) -> np.ndarray:
    """Noisy rows in each cell; what lies beyond the first and the last edge counts in the end
    cells."""

    def counted(held: Held) -> np.ndarray:
        axis = held.columns[name].axis
        assert axis is not None
        at = np.searchsorted(edges, _gridded(axis[~np.isnan(axis)], step, decimals), "right") - 1
        return np.bincount(np.clip(at, 0, len(edges) - 2), minlength=len(edges) - 1)

    return spender.counts(counted, rho)


def _cut(
    name: str,
    edges: np.ndarray,
    step: float,
    decimals: int,
    spender: Spender,
    rho: float,
    total: float,
    level: int,
) -> np.ndarray | None:
    """Edges with every cell that holds many rows cut; None where no cell is to be cut."""
    wide = np.diff(edges) > (1.5 * step if step else 1e-12 * np.abs(edges).max())
    if not wide.any():
        return None
    counts = (
        _count(name, edges, step, decimals, spender, rho)
        if level or len(edges) > 2
        else (np.full(1, total))
    )
    many = counts > max(SURE * spender.scale(rho), total / 2_000)
    chosen = np.flatnonzero(wide & many)
    if not len(chosen):
        return None
    fresh = [_parts(edges[i], edges[i + 1], step, decimals) for i in chosen]
    return np.unique(np.concatenate([edges, *fresh]))


def _parts(low: float, high: float, step: float, decimals: int) -> np.ndarray:
    inner = low + (high - low) * np.arange(1, _FAN) / _FAN
    if step:
        inner = np.unique(_gridded(inner, step, decimals))
        inner = inner[(inner > low) & (inner < high)]
    return inner


def check_type(name: str, kind: pa.DataType) -> None:
    """Refuse what cannot be learned. Raises DataError."""
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    text = pa.types.is_string(inner) or pa.types.is_large_string(inner)
    if not (is_ordered(inner) or text or pa.types.is_boolean(inner) or pa.types.is_null(inner)):
        raise DataError(
            f"Column {name!r} is of type {kind}, which a private fit cannot learn. Leave it out, "
            "or turn it into numbers, times or text."
        )
