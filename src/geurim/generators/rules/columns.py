"""A column of a world: the kind of its values, and what happens to them when they are written.

What is measured is not what is true: `noise`, `missing` and anomalies change what is put out, and
other columns go on reading the true values.
"""

from __future__ import annotations

import datetime as dt
import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from geurim.generators.rules.draws import Draw, read_draw
from geurim.generators.rules.formulas import LINK, Formula, Names, Value, needs, numbers
from geurim.generators.rules.keys import Key, Reference
from geurim.generators.rules.kinds import (
    Between,
    Cases,
    Chance,
    Chosen,
    Computed,
    Constant,
    Drawn,
    Kind,
    Mixed,
    Written,
    decoded,
)
from geurim.generators.rules.linked import Before, InTime, Over, Running, Same, Sibling, Smooth
from geurim.generators.rules.providers import Person, Provided
from geurim.generators.rules.rows import Rows
from geurim.generators.rules.streams import Streams
from geurim.generators.rules.waiting import Begins
from geurim.nodes import Node, shown

if TYPE_CHECKING:
    from geurim.generators.rules.scope import Scope


KINDS: dict[str, type[Kind]] = {
    "key": Key,
    "choose": Chosen,
    "draw": Drawn,
    "mixture": Mixed,
    "chance": Chance,
    "between": Between,
    "formula": Computed,
    "constant": Constant,
    "cases": Cases,
    "text": Written,
    "person": Person,
    "faker": Provided,
    "mimesis": Provided,
    "reference": Reference,
    "sibling": Sibling,
    "during": InTime,
    "last": InTime,
    "next": InTime,
    "over": Over,
    "running": Running,
    "before": Before,
    "smooth": Smooth,
    "queue": Begins,
}
"""Key in a world -> kind of column."""

WRITING = ("about", "hide", "unit", "noise", "missing", "digits")
"""What any column may say beside its kind."""


@dataclass(frozen=True)
class Column:
    """A column as a world states it."""

    kind: Kind
    about: str = ""
    hidden: bool = False
    unit: str = ""
    noise: Draw | None = None
    missing: Value = 0.0
    digits: int | None = None

    @property
    def type(self) -> pa.DataType:
        """The type that is written."""
        return self.kind.type

    @property
    def measured(self) -> frozenset[str]:
        """The names that measuring it needs."""
        return needs((self.noise, self.missing))

    def written(self, column: pa.Array, rows: Rows, streams: Streams) -> pa.Array:
        """The true values (N,) as they are measured: with noise, rounded, some missing."""
        column = decoded(column)
        if self.noise is not None:
            noisy = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
            noisy = noisy + self.noise.values(rows, streams.at("noise"))
            if pa.types.is_integer(self.type):
                noisy = np.round(noisy)
            column = pa.array(noisy, mask=column.is_null().to_numpy(zero_copy_only=False))
            column = column.cast(self.type, safe=False)
        if self.digits is not None:
            values = column.to_numpy(zero_copy_only=False)
            lost = column.is_null().to_numpy(zero_copy_only=False)
            column = pa.array(np.round(values, self.digits), self.type, mask=lost)
        if isinstance(self.missing, Formula) or self.missing > 0:
            share = numbers(self.missing, rows)
            gone = streams.at("missing")().random(rows.count) < share
            column = pa.compute.if_else(pa.array(gone), pa.scalar(None, column.type), column)
        return column


def read_column(node: Node, names: Scope) -> Column:
    """The column at a node: a formula as text, a constant, or a mapping with one kind."""
    if not isinstance(node.value, dict):
        return Column(read_kind(node, names))
    said = node.mapping()
    kind = read_kind(node, names, WRITING)
    about, hide, noise = node.get("about"), node.get("hide"), node.get("noise")
    missing, digits, unit = node.get("missing"), node.get("digits"), node.get("unit")
    numeric = pa.types.is_floating(kind.type) or pa.types.is_integer(kind.type)
    for key in ("noise", "digits"):
        if key in said and (not numeric or (isinstance(kind, Key) or kind.link)):
            raise node.at(key, None).error(f"{key!r} is for numbers, and this is {kind.type}.")
    return Column(
        kind,
        "" if about is None else about.text(),
        hide is not None and hide.flag(),
        "" if unit is None else unit.text(),
        None if noise is None else _noise(noise, names),
        0.0 if missing is None else names.number(missing, 0, 1),
        None if digits is None else int(digits.number(-12, 12)),
    )


def _noise(node: Node, names: Names) -> Draw:
    """Noise as a distribution; a number or formula is the deviation of a normal one."""
    if isinstance(node.value, dict):
        return read_draw(node, names)
    return Draw("normal", (("mean", 0.0), ("deviation", names.number(node, 0))))


def read_kind(node: Node, names: Scope, others: tuple[str, ...] = ()) -> Kind:
    """How the values at a node come about; `others` are keys that are read elsewhere."""
    value = node.value
    if isinstance(value, str):
        computed = Computed(names.value(node))
        return Same.read(node, names) if computed.type == LINK else computed
    if isinstance(value, bool | int | float | dt.date):
        return Constant.of(node)
    if not isinstance(value, dict):
        raise node.error(f"{shown(value)} was given. Give a formula, or one of: {_all()}.")
    kinds = [k for k in node.mapping() if k in KINDS]
    found = [k for k in kinds if not any(k in KINDS[o].options for o in kinds)]
    if len(found) != 1:
        what = "no kind" if not found else f"several kinds ({', '.join(found)})"
        near = _near(node, others) if not found else ""
        raise node.error(f"this column has {what}. {near}Give exactly one of: {_all()}.")
    made = KINDS[found[0]]
    rest = {k: v for k, v in node.mapping().items() if k not in others}
    plain = Node(rest, node.path, node.file, node.places)
    if made is not Drawn:
        plain.mapping([found[0], *made.options])
    return made.read(plain, names)


def _near(node: Node, others: tuple[str, ...]) -> str:
    said = [k for k in node.mapping() if k not in others]
    near = [n for k in said for n in difflib.get_close_matches(k, KINDS, 1)]
    return f"Did you mean {near[0]!r}? " if near else ""


def _all() -> str:
    return ", ".join(KINDS)
