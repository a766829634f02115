"""Formulas of a world: expressions over a row, its owners and what it refers to, with their place.

Wherever a number may stand, a text is a formula: `mean: 20 + 0.3 * customers.age`.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from geurim.contract import Json
from geurim.errors import ExpressionError, SettingError
from geurim.expressions import Column, Expression, Literal, parse, parse_value
from geurim.expressions import names as mentioned
from geurim.expressions.kinds import floats
from geurim.generators.rules.rows import Rows
from geurim.generators.rules.units import unit_of
from geurim.nodes import Node, shown


@dataclass(frozen=True)
class Formula:
    """An expression, evaluated over the rows of a table."""

    expression: Expression

    @property
    def type(self) -> pa.DataType:
        return self.expression.type

    @property
    def needs(self) -> frozenset[str]:
        return self.expression.columns

    def values(self, rows: Rows) -> pa.Array:
        """The value in each row (N,)."""
        found = self._evaluated(rows)
        if isinstance(found, pa.Scalar):
            return pa.repeat(found, rows.count)
        return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found

    def numbers(self, rows: Rows) -> float | np.ndarray:
        """As float64: a number where no column is named, else (N,), missing as NaN."""
        found = self._evaluated(rows)
        if isinstance(found, pa.Scalar):
            return float("nan") if found.as_py() is None else float(found.as_py())
        return np.asarray(floats(found).to_numpy(zero_copy_only=False))

    def mask(self, rows: Rows) -> np.ndarray:
        """Where the condition is true (N,)."""
        found = self._evaluated(rows)
        if isinstance(found, pa.Scalar):
            return np.full(rows.count, found.as_py() is True)
        return np.asarray(found.fill_null(False).to_numpy(zero_copy_only=False))

    def _evaluated(self, rows: Rows) -> pa.Array | pa.Scalar:
        needs = self.needs
        return self.expression.evaluate(rows.batch(needs) if needs else _NOTHING)


_NOTHING = pa.RecordBatch.from_arrays([pa.array([None])], [""])

LINK = pa.duration("us")
"""The type of a column that names rows elsewhere, within formulas: no number, no text."""

Value = float | Formula
"""A number, or the formula of one."""


def numbers(value: Value, rows: Rows) -> float | np.ndarray:
    """A number as it is; of a formula, the values (N,)."""
    return value.numbers(rows) if isinstance(value, Formula) else value


def column(value: Value, rows: Rows) -> np.ndarray:
    """The values (N,) of a number or a formula, as float64; missing as NaN."""
    return np.broadcast_to(np.asarray(numbers(value, rows), float), (rows.count,))


@dataclass(frozen=True)
class Names:
    """What formulas may name: `find` gives the type of a dotted name, or None where it is unknown.

    `constants` are the world's parameters, put in when a formula is read; `known` lists the names
    for messages.
    """

    find: Callable[[str], pa.DataType | None]
    constants: Mapping[str, Json]
    known: Callable[[], list[str]]
    unit: Callable[[str], str | None]

    def also(self, columns: Mapping[str, pa.DataType]) -> Names:
        """The same names, and some columns more."""
        return Names(
            lambda name: columns.get(name) or self.find(name),
            self.constants,
            lambda: [*columns, *self.known()],
            self.unit,
        )

    def value(self, node: Node) -> Formula:
        """The formula at a node."""
        return self._read(node, parse_value)

    def condition(self, node: Node) -> Formula:
        """The condition at a node."""
        return self._read(node, parse)

    def number(self, node: Node, least: float | None = None, most: float | None = None) -> Value:
        """A number, checked, or the formula of one."""
        if not isinstance(node.value, str):
            return node.number(least, most)
        found = self.value(node)
        if not (pa.types.is_integer(found.type) or pa.types.is_floating(found.type)):
            raise node.error(f"{shown(node.value)} is {found.type}. A number is needed here.")
        if isinstance(found.expression, Literal):
            return dataclasses.replace(node, value=found.expression.value).number(least, most)
        return found

    def _read(self, node: Node, read: Callable[[str, pa.Schema], Expression]) -> Formula:
        text = str(node.value) if isinstance(node.value, int | float) else node.text()
        fields = []
        try:
            named = mentioned(text)
        except ExpressionError as error:
            raise _told(node, text, error) from error
        for name, place in named.items():
            if name in self.constants:
                fields.append(pa.field(name, _constant(self.constants[name]).type))
                continue
            kind = self.find(name)
            if kind is None:
                raise node.error(f"{self._unknown(name)}{pointed(text, place)}")
            fields.append(pa.field(name, kind))
        try:
            found = read(text, pa.schema({f.name: f for f in fields}.values()))
            units = {f.name: u for f in fields if (u := self.unit(f.name)) is not None}
            if units:
                unit_of(found, units)
        except ExpressionError as error:
            raise _told(node, text, error) from error
        known = {n: _constant(self.constants[n]) for n in found.columns if n in self.constants}
        return Formula(put(found, known))

    def _unknown(self, name: str) -> str:
        known = self.known()
        near = difflib.get_close_matches(name, known, 2, 0.5)
        advice = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
        listed = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
        return f"there is no {name!r}. {advice}Known here are: {listed}."


def needs(found: Any) -> frozenset[str]:
    """The names that the formulas within a frozen value use, however deep."""
    if isinstance(found, Formula):
        return found.needs
    if isinstance(found, tuple):
        return frozenset().union(*map(needs, found))
    if dataclasses.is_dataclass(found) and not isinstance(found, type):
        return frozenset().union(
            *(needs(getattr(found, f.name)) for f in dataclasses.fields(found))
        )
    return frozenset()


def _told(node: Node, text: str, error: ExpressionError) -> SettingError:
    """An error in a formula as one of the file, with a sign under its place."""
    shown = "" if error.text is None else pointed(text, error.place)
    return node.error(f"{error.what}. {error.advice}{shown}")


def pointed(text: str, place: int) -> str:
    """The formula with a sign under the place, for an error."""
    line = text.replace("\n", " ").replace("\t", " ").rstrip()
    return f"\n  {line}\n  {' ' * place}^"


def put(found: Any, values: Mapping[str, Literal]) -> Any:
    """The expression with columns replaced by literals."""
    if not values or not dataclasses.is_dataclass(found) or isinstance(found, type):
        return found
    if isinstance(found, Column):
        return values.get(found.name, found)
    changed = {}
    for field in dataclasses.fields(found):
        value = getattr(found, field.name)
        if isinstance(value, tuple):
            changed[field.name] = tuple(put(v, values) for v in value)
        elif isinstance(value, Expression):
            changed[field.name] = put(value, values)
    return dataclasses.replace(found, **changed) if changed else found


def _constant(value: Json) -> Literal:
    """A parameter's value as a literal."""
    if isinstance(value, bool):
        return Literal(value, pa.bool_())
    if isinstance(value, int):
        return Literal(value, pa.int64())
    if isinstance(value, float):
        return Literal(value, pa.float64())
    if isinstance(value, dt.datetime):
        return Literal(value.isoformat(sep=" "), pa.timestamp("us"))
    if isinstance(value, dt.date):
        return Literal(value.isoformat(), pa.date32())
    return Literal(str(value), pa.string())
