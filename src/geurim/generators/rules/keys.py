"""Keys, and columns that name a row of another table.

While a world is made, both are row numbers; they are written as keys only when a table is put out,
for then the numbers of all rows are known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.errors import SamplingError
from geurim.generators.rules.formulas import Formula
from geurim.generators.rules.kinds import Kind
from geurim.generators.rules.options import Option, Options
from geurim.generators.rules.rows import NONE, Rows
from geurim.generators.rules.streams import Streams
from geurim.nodes import Node, shown

if TYPE_CHECKING:
    from geurim.generators.rules.scope import Scope


_PATTERN = re.compile(r"([^{}]*)\{(?::0?(\d{1,2}))?\}([^{}]*)")
_ROUNDS = 100


@dataclass(frozen=True)
class Key(Kind):
    """A number for each row of the whole table: `key: 1` counts from 1, `key: "C{:06}"` as text."""

    first: int = 1
    before: str = ""
    width: int = 0
    after: str = ""
    type: pa.DataType = pa.int64()
    kind = "key"
    shape = "key"

    @classmethod
    def read(cls, node: Node, names: Scope) -> Key:
        about = node.need("key")
        if isinstance(about.value, int) and not isinstance(about.value, bool):
            return cls(first=about.value)
        match = _PATTERN.fullmatch(about.value) if isinstance(about.value, str) else None
        if match is None:
            raise about.error(
                f"{shown(about.value)} was given. Give the first number, or a text with a place "
                'for it: "C{:06}".'
            )
        before, width, after = match.groups()
        return cls(1, before, int(width or 0), after, pa.string())

    def make(self, rows: Rows, streams: Streams) -> pa.Array:
        return pa.array(np.arange(rows.count))

    def written(self, numbers: pa.Array) -> pa.Array:
        """Row numbers, from 0, as keys; missing stays missing."""
        counted = pc.add(numbers, self.first)
        if pa.types.is_int64(self.type):
            return counted
        digits = counted.cast(pa.string())
        if self.width:
            digits = pc.utf8_lpad(digits, self.width, "0")
        return pc.binary_join_element_wise(self.before, digits, self.after, "")


@dataclass(frozen=True)
class Reference(Kind):
    """A row of another table, by lot: by the column `weight`, among those that `match`.

    `{reference: shops, weight: size, match: {region: customer.region}}`: shops whose region is the
    customer's. Missing where none matches. `distinct`: not twice within the same owner.
    """

    table: str
    weight: str | None = None
    match: tuple[tuple[str, Formula], ...] = ()
    distinct: bool = False
    chance: Formula | float = 1.0
    type: pa.DataType = pa.int64()
    kind = "reference"
    shape = "text"
    options: ClassVar[Options] = {
        "weight": Option("text", "A column of the other table: how often its rows are taken."),
        "match": Option("match", "Columns of the other table, and what they have to equal."),
        "distinct": Option("flag", "Not the same row twice for one owner."),
        "chance": Option("number", "The share of rows that refer to any."),
    }

    @classmethod
    def read(cls, node: Node, names: Scope) -> Reference:
        table = names.table(node.need("reference"))
        weight = node.get("weight")
        if weight is not None:
            names.of(table, weight)
        match = []
        about = node.get("match")
        for column, at in about.items() if about is not None else ():
            names.of(table, Node(column, at.path, at.file, at.places))
            match.append((column, names.value(at)))
        distinct, chance = node.get("distinct"), node.get("chance")
        return cls(
            table,
            None if weight is None else weight.text(),
            tuple(match),
            distinct is not None and distinct.flag(),
            1.0 if chance is None else names.number(chance, 0, 1),
        )

    @property
    def link(self) -> str:
        return self.table

    @property
    def everywhere(self) -> bool:
        return True

    @property
    def whole(self) -> frozenset[tuple[str, str]]:
        """The columns of the other table that must be there, of all its rows."""
        columns = [c for c, _ in self.match] + ([self.weight] if self.weight else [])
        return frozenset((self.table, c) for c in ("", *columns))

    def make(self, rows: Rows, streams: Streams) -> pa.Array:
        found = self._drawn(rows, streams)
        if self.distinct:
            found = self._apart(rows, found, streams)
        chance = self.chance.numbers(rows) if isinstance(self.chance, Formula) else self.chance
        lost = (found == NONE) | (streams.at("chance")().random(rows.count) >= chance)
        return pa.array(found, mask=lost)

    def _drawn(self, rows: Rows, streams: Streams, round: int = 0) -> np.ndarray:
        other = rows.around.whole[self.table]
        if not other.count:
            return np.full(rows.count, NONE)
        weight = np.ones(other.count) if self.weight is None else _numbers(other.get(self.weight))
        u = streams(round).random(rows.count)
        if not self.match:
            ends = np.cumsum(weight)
            place = np.searchsorted(ends, u * ends[-1], "right")
            return np.asarray(np.minimum(place, other.count - 1))
        there, wanted = self._groups(rows, other)
        order = np.argsort(there, kind="stable")
        ends = np.concatenate([[0.0], np.cumsum(weight[order])])
        low = ends[np.searchsorted(there[order], wanted, "left")]
        high = ends[np.searchsorted(there[order], wanted, "right")]
        place = np.searchsorted(ends[1:], low + u * (high - low), "right")
        found = order[np.minimum(place, other.count - 1)]
        return np.asarray(np.where(high > low, found, NONE))

    def _groups(self, rows: Rows, other: Rows) -> tuple[np.ndarray, np.ndarray]:
        """One code for what must be alike, of each row there and of each row here."""
        there, wanted = np.zeros(other.count, np.int64), np.zeros(rows.count, np.int64)
        for column, formula in self.match:
            values, asked = _plain(other.get(column)), _plain(formula.values(rows))
            distinct = pc.unique(values)
            size = len(distinct) + 2
            codes = [
                pc.index_in(v.cast(distinct.type), distinct).fill_null(fill).to_numpy()
                for v, fill in ((values, size - 2), (asked, size - 1))
            ]
            there, wanted = there * size + codes[0], wanted * size + codes[1]
        return there, wanted

    def _apart(self, rows: Rows, found: np.ndarray, streams: Streams) -> np.ndarray:
        """What came twice within an owner drawn again."""
        owner = rows.owner if rows.owner is not None else np.zeros(rows.count, np.int64)
        for round in range(1, _ROUNDS):
            order = np.lexsort((np.arange(len(found)), found, owner))
            same = (np.diff(owner[order]) == 0) & (np.diff(found[order]) == 0)
            again = order[1:][same & (found[order[1:]] != NONE)]
            if not len(again):
                return found
            again = np.sort(again)
            found[again] = self._drawn(rows.part(again), streams, round)
        raise SamplingError(
            f"{len(again):,} rows of {rows.name!r} found no row of {self.table!r} that their owner "
            f"did not have already, in {_ROUNDS} draws. Let owners have fewer, or drop 'distinct'."
        )


def _numbers(column: pa.Array) -> np.ndarray:
    found = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return np.asarray(np.maximum(np.nan_to_num(found), 0.0))


def _plain(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
