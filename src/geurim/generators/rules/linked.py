"""The kinds of column that look at other rows of the same owner: by place, by time, added up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.generators.rules.draws import SECONDS, seconds_of
from geurim.generators.rules.formulas import Formula, Value, needs, numbers
from geurim.generators.rules.kinds import Kind, decoded
from geurim.generators.rules.options import WHERE, Option, Options
from geurim.generators.rules.rows import NONE, Rows
from geurim.generators.rules.streams import Streams
from geurim.nodes import Node

if TYPE_CHECKING:
    from geurim.generators.rules.scope import Scope


@dataclass(frozen=True)
class Sibling(Kind):
    """The row of another table, within the same owner, at a place: `{sibling: members, nth: 1}`."""

    table: str
    owner: str  # the table that both belong to
    nth: Value
    type: pa.DataType = pa.int64()
    kind = "sibling"
    shape = "text"
    options: ClassVar[Options] = {"nth": Option("number", "Which of its rows, from 1.")}

    @classmethod
    def read(cls, node: Node, names: Scope) -> Sibling:
        table, owner = names.sibling(node.need("sibling"))
        return cls(table, owner, names.number(node.need("nth")))

    @property
    def link(self) -> str:
        return self.table

    @property
    def wants(self) -> frozenset[tuple[str, str]]:
        return frozenset([(self.table, "")])

    def make(self, rows: Rows, streams: Streams) -> pa.Array:
        other = rows.around.block[self.table]
        owner = rows.within(self.owner)
        place = np.broadcast_to(np.nan_to_num(numbers(self.nth, rows)), rows.count)
        starts = other.starts
        found = starts[owner] + place.astype(np.int64) - 1
        inside = (place >= 1) & (found < starts[owner + 1])
        return pa.array(np.where(inside, found, 0), mask=~inside)


@dataclass(frozen=True)
class Same(Kind):
    """The row that another column names: `who: order.customer`, `sender: first.account`."""

    formula: Formula
    table: str
    whole_table: bool
    type: pa.DataType = pa.int64()
    kind = "same"

    @classmethod
    def read(cls, node: Node, names: Scope) -> Same:
        formula = names.value(node)
        table, everywhere = names.linked(node.text())
        return cls(formula, table, everywhere)

    @property
    def link(self) -> str:
        return self.table

    @property
    def everywhere(self) -> bool:
        return self.whole_table

    def make(self, rows: Rows, streams: Streams) -> pa.Array:
        return self.formula.values(rows).cast(pa.int64())


@dataclass(frozen=True)
class InTime(Kind):
    """The row of a table, within the same owner (or an owner's owner), by its time.

    `{during: faults}`: the one that began before this row's time and is not over;
    `{last: faults}`: the one that began last; `{next: faults}`: the one that will begin next.
    `at` is this row's time, `from` and `to` the others' (their own names where not given).
    """

    which: str
    table: str
    owner: str
    at: Formula
    start: str
    end: str | None
    type: pa.DataType = pa.int64()
    kind = "during"
    shape = "text"
    options: ClassVar[Options] = {
        "at": Option("formula", "This row's time; else time."),
        "from": Option("text", "The other table's column that says when a row begins."),
        "to": Option("text", "The other table's column that says when a row ends."),
    }

    @classmethod
    def read(cls, node: Node, names: Scope) -> InTime:
        which = next(k for k in ("during", "last", "next") if k in node.mapping())
        table, owner = names.shared(node.need(which))
        start = _column(node, "from", names, table, ("entered", "start", "begin", "time"))
        end = None
        if which == "during":
            end = _column(node, "to", names, table, ("left", "end", "until"))
        about = node.get("at") or Node("time", node.path, node.file, node.places)
        return cls(which, table, owner, names.value(about), start, end)

    @property
    def link(self) -> str:
        return self.table

    @property
    def wants(self) -> frozenset[tuple[str, str]]:
        columns = ["", self.start] + ([self.end] if self.end else [])
        return frozenset((self.table, c) for c in columns)

    def make(self, rows: Rows, streams: Streams) -> pa.Array:
        other = rows.around.block[self.table]
        at, at_known = axis(self.at.values(rows))
        start, known = axis(other.get(self.start))
        there = np.flatnonzero(known)
        owner, theirs = rows.within(self.owner), other.within(self.owner)[there]
        times = np.unique(start[there])
        size = len(times) + 1
        keys = theirs * size + np.searchsorted(times, start[there]) + 1
        order = np.argsort(keys, kind="stable")
        place = np.searchsorted(
            keys[order], owner * size + np.searchsorted(times, at, "right"), "right"
        )
        place -= self.which != "next"
        inside = at_known & (place >= 0) & (place < len(order))
        found = there[order[np.where(inside, place, 0)]] if len(order) else np.zeros(len(at), int)
        if len(order):
            inside &= other.within(self.owner)[found] == owner
        if self.end is not None and len(order):
            end, ends = axis(other.get(self.end))
            inside &= ~ends[found] | (at < end[found])
        return pa.array(np.where(inside, found, 0), mask=~inside)


def _column(node: Node, key: str, names: Scope, table: str, usual: tuple[str, ...]) -> str:
    """The column of the other table that is named, or its usual name."""
    said = node.get(key)
    if said is not None:
        names.of(table, said)
        return said.text()
    for name in usual:
        if names.has(table, name):
            return name
    raise node.error(
        f"the table {table!r} has no column {' or '.join(map(repr, usual))}. Name it: {key}."
    )


def axis(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Times or numbers as whole numbers or floats (N,), and where they are known."""
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("us"))
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    known = column.is_valid().to_numpy(zero_copy_only=False)
    return column.fill_null(0).to_numpy(zero_copy_only=False), known


_RUNNING = ("sum", "min", "max")
_TAKE = ("count", "sum", "mean", "min", "max", "first", "last", "any", "all")


@dataclass(frozen=True)
class Over(Kind):
    """What the rows of a table within this one come to: `{over: orders, take: sum, value: price}`.

    `take`: count, sum, mean, min, max, first, last, any, all; `where`: only of some of them. The
    formulas are read as in the other table. Of no row at all, count and sum are 0, any is false,
    all is true, the others are missing.
    """

    table: str
    take: str
    value: Formula | None
    where: Formula | None
    type: pa.DataType
    kind = "over"
    shape = "text"
    options: ClassVar[Options] = {
        "take": Option(_TAKE, "What the rows come to."),
        "value": Option("formula", "Of what, as the other table sees it."),
        "where": WHERE,
    }

    @classmethod
    def read(cls, node: Node, names: Scope) -> Over:
        table = names.within(node.need("over"))
        inner = names.inside(table)
        about = node.need("take")
        take = about.text()
        if take not in _TAKE:
            raise about.error(f"{take!r} was given. Give one of: {', '.join(_TAKE)}.")
        where = node.get("where")
        value = None
        if take in ("any", "all"):
            value = inner.condition(node.need("value"))
        elif take != "count":
            value = inner.value(node.need("value"))
        kind = pa.int64() if value is None else value.type
        if take == "mean" or (take == "sum" and not pa.types.is_integer(kind)):
            kind = pa.float64()
        return cls(table, take, value, None if where is None else inner.condition(where), kind)

    @property
    def needs(self) -> frozenset[str]:
        return frozenset()

    @property
    def wants(self) -> frozenset[tuple[str, str]]:
        inner = needs((self.value, self.where))
        return frozenset((self.table, name) for name in ("", *inner))

    def make(self, rows: Rows, streams: Streams) -> pa.Array:
        other = rows.around.block[self.table]
        keep = np.ones(other.count, bool) if self.where is None else self.where.mask(other)
        if self.value is None:
            return pa.array(self._tally(other, keep))
        column = self.value.values(other)
        keep &= column.is_valid().to_numpy(zero_copy_only=False)
        if self.take in ("any", "all"):
            true = self.value.mask(other)
            if self.take == "any":
                return pa.array(self._tally(other, keep & true) > 0)
            return pa.array(self._tally(other, keep & ~true) == 0)
        index = np.flatnonzero(keep)
        assert other.owner is not None
        owner, values = other.owner[index], decoded(column).take(pa.array(index))
        if self.take in ("first", "last"):
            return self._end(owner, values, rows.count)
        grouped = pa.table({"owner": owner, "value": values}).group_by("owner")
        found = grouped.aggregate([("value", self.take)])
        place = np.full(rows.count, NONE)
        place[found["owner"].to_numpy()] = np.arange(found.num_rows)
        result = found[f"value_{self.take}"].combine_chunks()
        result = result.take(pa.array(np.maximum(place, 0), mask=place == NONE)).cast(self.type)
        return result.fill_null(0) if self.take == "sum" else result

    def _tally(self, other: Rows, keep: np.ndarray) -> np.ndarray:
        assert other.owner is not None and other.parent is not None
        return np.bincount(other.owner[keep], minlength=other.parent.count)

    def _end(self, owner: np.ndarray, values: pa.Array, count: int) -> pa.Array:
        """The first or the last value of each owner."""
        place = np.full(count, NONE)
        order = np.arange(len(owner))
        if self.take == "first":
            order = order[::-1]
        place[owner[order]] = order
        return values.take(pa.array(np.maximum(place, 0), mask=place == NONE))


@dataclass(frozen=True)
class Running(Kind):
    """What the values of a formula come to up to each row of an owner, this one included.

    `{running: sum, value: amount}`; sum, min, max or count.
    """

    take: str
    value: Formula
    type: pa.DataType
    kind = "running"
    shape = _RUNNING
    options: ClassVar[Options] = {"value": Option("formula", "Of what.")}

    @classmethod
    def read(cls, node: Node, names: Scope) -> Running:
        about = node.need("running")
        take = about.text()
        if take not in _RUNNING:
            raise about.error(f"{take!r} was given. Give sum, min or max; the count is `nth`.")
        value = names.value(node.need("value"))
        kind = value.type if pa.types.is_integer(value.type) else pa.float64()
        return cls(take, value, kind)

    def make(self, rows: Rows, streams: Streams) -> pa.Array:
        values = np.nan_to_num(np.asarray(self.value.values(rows).to_numpy(zero_copy_only=False)))
        starts = rows.starts[:-1]
        if self.take == "sum":
            total = np.cumsum(values)
            before = np.concatenate([[0], total])[starts]
            return pa.array(total - np.repeat(before, np.diff(rows.starts))).cast(self.type)
        step: Any = np.minimum if self.take == "min" else np.maximum
        found = np.empty_like(values)
        for start, stop in zip(starts, rows.starts[1:], strict=True):
            found[start:stop] = step.accumulate(values[start:stop])
        return pa.array(found).cast(self.type)


@dataclass(frozen=True)
class Before(Kind):
    """The value of a formula in the row before, of the same owner; `else` in the first one."""

    value: Formula
    first: Any
    kind = "before"
    shape = "formula"
    options: ClassVar[Options] = {"else": Option("scalar", "The value in the first row.")}

    @property
    def type(self) -> pa.DataType:
        return self.value.type

    @classmethod
    def read(cls, node: Node, names: Scope) -> Before:
        start = node.get("else")
        return cls(names.value(node.need("before")), None if start is None else start.value)

    def make(self, rows: Rows, streams: Streams) -> pa.Array:
        values = decoded(self.value.values(rows))
        index = np.arange(rows.count) - 1
        first = rows.nth == 1
        if rows.count:
            index[first] = 0
        found = values.take(pa.array(np.maximum(index, 0)))
        return pc.if_else(pa.array(first), pa.scalar(self.first, self.type), found)


@dataclass(frozen=True)
class Smooth(Kind):
    """Noise that remembers: each value is `smooth` times the last one of its owner, plus noise.

    An autoregression of order 1 around 0 with this deviation, stationary from the first row on.
    With `over` (a time and its unit) the memory is that of a unit of time: an Ornstein-Uhlenbeck
    process, for rows that are not evenly spaced.
    """

    memory: float
    deviation: Value
    over: Formula | None
    seconds: float
    type: pa.DataType = pa.float64()
    kind = "smooth"
    shape = "constant number"
    options: ClassVar[Options] = {
        "deviation": Option("number", "The standard deviation."),
        "over": Option("formula", "The time over which it fades, for rows at uneven times."),
        "in": Option(tuple(SECONDS), "The unit of time after which so much is left."),
    }

    @classmethod
    def read(cls, node: Node, names: Scope) -> Smooth:
        over, unit = node.get("over"), node.get("in")
        return cls(
            node.need("smooth").number(0, 1),
            names.number(node.need("deviation"), 0),
            None if over is None else names.value(over),
            SECONDS["days"] if unit is None else seconds_of(unit),
        )

    def make(self, rows: Rows, streams: Streams) -> pa.Array:
        noise = streams().standard_normal(rows.count)
        if self.over is None:
            keep = np.full(rows.count, self.memory)
        else:
            at, _ = axis(self.over.values(rows))
            gap = np.diff(at, prepend=at[:1]) / (1e6 * self.seconds)
            keep = self.memory ** np.maximum(gap, 0)
        keep[rows.nth == 1] = 0.0
        noise *= np.sqrt(1 - keep**2)
        return pa.array(remembered(noise, keep) * numbers(self.deviation, rows))


def remembered(noise: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """x[i] = keep[i] x[i - 1] + noise[i], by doubling: log2(N) vector steps."""
    value, factor = noise.copy(), keep.copy()
    step = 1
    while step < len(value) and factor.any():
        value[step:] = value[step:] + factor[step:] * value[:-step]
        factor[step:] = factor[step:] * factor[:-step]
        factor[:step] = 0.0
        step *= 2
    return value
