"""The kinds of column that follow another with a lag: what warms up slowly, what got stuck."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pyarrow as pa

from geurim.generators.rules.draws import SECONDS, seconds_of
from geurim.generators.rules.formulas import Formula, Value, column
from geurim.generators.rules.kinds import Kind, decoded
from geurim.generators.rules.linked import axis, remembered
from geurim.generators.rules.options import Option, Options
from geurim.generators.rules.rows import Rows
from geurim.generators.rules.streams import Streams
from geurim.nodes import Node

if TYPE_CHECKING:
    from geurim.generators.rules.scope import Scope


@dataclass(frozen=True)
class Settle(Kind):
    """What settles towards a formula's value: `{settle: target, over: time, tau: 40, in: minutes}`.

    A first-order lag: after a time `tau` 63% of a step is made up. The formula's value holds from
    its row to the next; an owner's first row is settled. Where the formula is missing, so is this.
    """

    target: Formula
    over: Formula
    tau: Value
    seconds: float
    type: pa.DataType = pa.float64()
    kind = "settle"
    shape = "formula"
    options: ClassVar[Options] = {
        "over": Option("formula", "The time of the row."),
        "tau": Option("number", "The time after which 63% of a step is made up."),
        "in": Option(tuple(SECONDS), "Its unit."),
    }

    @classmethod
    def read(cls, node: Node, names: Scope) -> Settle:
        return cls(
            names.value(node.need("settle")),
            names.value(node.need("over")),
            names.number(node.need("tau"), 1e-9),
            seconds_of(node.need("in")),
        )

    def make(self, rows: Rows, streams: Streams) -> pa.Array:
        at, _ = axis(self.over.values(rows))
        gap_s = np.maximum(np.diff(at, prepend=at[:1]) / 1e6, 0.0)
        keep = np.exp(-gap_s / (column(self.tau, rows) * self.seconds))
        first = rows.nth == 1
        keep[first] = 0.0
        target = column(self.target, rows)
        toward = np.where(first, target, np.roll(target, 1))
        found = remembered((1 - keep) * np.nan_to_num(toward), keep)
        return pa.array(found, mask=np.isnan(target))


@dataclass(frozen=True)
class Held(Kind):
    """A value that stays what it was last as long as a condition holds: `{hold: x, while: stuck}`.

    Where the condition holds from an owner's first row on, it is that row's value.
    """

    value: Formula
    stuck: Formula
    kind = "hold"
    shape = "formula"
    options: ClassVar[Options] = {"while": Option("formula", "The condition under which it stays.")}

    @property
    def type(self) -> pa.DataType:
        return self.value.type

    @classmethod
    def read(cls, node: Node, names: Scope) -> Held:
        return cls(names.value(node.need("hold")), names.condition(node.need("while")))

    def make(self, rows: Rows, streams: Streams) -> pa.Array:
        free = ~self.stuck.mask(rows) | (rows.nth == 1)
        last = np.maximum.accumulate(np.where(free, np.arange(rows.count), 0))
        return decoded(self.value.values(rows)).take(pa.array(last))
