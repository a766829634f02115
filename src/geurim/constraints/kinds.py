"""What may be asked of every row: five kinds of constraints, and how each is written.

    Rule         end >= start        any condition of the where-language; missing values never break
                 total = a + b       it. Between numbers "=" means equal up to rounding.
    Determines   zip -> city         rows with the same zip have the same city
    Unique       unique(a, b)        no two rows have the same a and b
    Seen         seen(a, b)          a and b come only together as they do in the real rows
    Rising       rising(t)           t never falls from one row to the next; falling(t) likewise

All are immutable and equal to others that say the same. `str()` writes them so that `parse` reads
them again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.columns import is_number, is_ordered, to_axis
from geurim.errors import SettingError
from geurim.expressions import Arithmetic, Column, Comparison, Expression, Literal, Negative
from geurim.expressions import parse as parse_condition
from geurim.generators._seen import hashes, mix

_CALL = re.compile(r"\s*(unique|seen|rising|falling)\s*\((.*)\)\s*", re.S | re.I)
_NAME = re.compile(r"\s*(?:`((?:[^`]|``)*)`|([^\s,`][^,`]*?))\s*(?:,|\Z)")


@dataclass(frozen=True)
class Rule:
    """A condition on each row by itself."""

    condition: Expression
    decimals: int | None = None  # of the side that stands alone; None: as exact as floats are

    def __str__(self) -> str:
        return str(self.condition)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(sorted(self.condition.columns))

    def mask(self, batch: pa.RecordBatch) -> np.ndarray:
        """Which rows (N,) keep it: those where it is true or missing."""
        sums = self._sums
        if sums is not None:
            left, right = (np.asarray(floats(s, batch)) for s in sums)
            near = 1e-9 * np.maximum(np.abs(left), np.abs(right))
            near += 0.0 if self.decimals is None else 0.5 * 10.0**-self.decimals
            return np.asarray(~(np.abs(left - right) > near))
        found = self.condition.evaluate(batch)
        if isinstance(found, pa.Scalar):
            return np.full(batch.num_rows, found.as_py() is not False)
        kept: np.ndarray = pc.fill_null(found, True).to_numpy(zero_copy_only=False)
        return kept

    @property
    def _sums(self) -> tuple[Expression, Expression] | None:
        c = self.condition
        if isinstance(c, Comparison) and c.operator == "=" and is_number(c.left.type):
            return c.left, c.right
        return None

    @property
    def order(self) -> tuple[str, str, bool] | None:
        """(low, high, strict) where it says that one column is never above another."""
        c = self.condition
        if not (isinstance(c, Comparison) and c.operator in ("<", "<=", ">", ">=")):
            return None
        if not (isinstance(c.left, Column) and isinstance(c.right, Column)):
            return None
        low, high = (c.left, c.right) if c.operator[0] == "<" else (c.right, c.left)
        return low.name, high.name, "=" not in c.operator

    @property
    def sum(self) -> tuple[str, Expression] | None:
        """(column, expression) where it gives a column of numbers from others."""
        if self._sums is None:
            return None
        for alone, other in (self._sums, self._sums[::-1]):
            if isinstance(alone, Column) and other.columns - {alone.name} == other.columns != set():
                return alone.name, other
        return None


@dataclass(frozen=True)
class Determines:
    """Rows that agree on `by` agree on `column`; missing is a value like others."""

    by: tuple[str, ...]
    column: str

    def __str__(self) -> str:
        return f"{', '.join(map(quoted, self.by))} -> {quoted(self.column)}"

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.by, self.column)


@dataclass(frozen=True)
class Unique:
    """No two rows agree on all of `columns`. A row that misses one of them is left alone."""

    columns: tuple[str, ...]

    def __str__(self) -> str:
        return f"unique({', '.join(map(quoted, self.columns))})"


@dataclass(frozen=True)
class Seen:
    """The values of `columns` come together only as in the real rows."""

    columns: tuple[str, ...]

    def __str__(self) -> str:
        return f"seen({', '.join(map(quoted, self.columns))})"


@dataclass(frozen=True)
class Rising:
    """The values present of `column` never fall from row to row; with `falling`, never rise."""

    column: str
    falling: bool = False

    def __str__(self) -> str:
        return f"{'falling' if self.falling else 'rising'}({quoted(self.column)})"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)


Constraint = Rule | Determines | Unique | Seen | Rising


def parse(
    text: str, schema: pa.Schema, decimals: dict[str, int | None] | None = None
) -> Constraint:
    """The constraint that `text` states about rows of `schema`.

    `decimals`: by column of decimal numbers, the places that its values show; sums hold up to
    their rounding. Raises SettingError: bad grammar, a column that is not there.
    """
    call = _CALL.fullmatch(text)
    if call:
        names = _names(call[2], text, schema)
        word = call[1].lower()
        if word in ("rising", "falling"):
            return _rising(names, word == "falling", text, schema)
        if word == "seen" and len(names) < 2:
            raise SettingError(f"The constraint {text!r} names one column. Name two or more.")
        return Unique(names) if word == "unique" else Seen(names)
    arrow = _split(text)
    if arrow is not None:
        by, column = (_names(part, text, schema) for part in arrow)
        if len(column) != 1 or column[0] in by:
            raise SettingError(
                f"The constraint {text!r} must give one column that is not among those before the "
                "arrow. Write: zip -> city, or: a, b -> c."
            )
        return Determines(by, column[0])
    return _rule(text, schema, decimals or {})


def _rule(text: str, schema: pa.Schema, decimals: dict[str, int | None]) -> Rule:
    condition = parse_condition(text, schema)
    if not condition.columns:
        raise SettingError(f"The constraint {text!r} names no column. Name one: age >= 18.")
    rule = Rule(condition)
    if rule.sum is None:
        return rule
    alone = rule.sum[0]
    whole = pa.types.is_integer(schema.field(alone).type)
    return Rule(condition, 0 if whole else decimals.get(alone))


def _rising(names: tuple[str, ...], falling: bool, text: str, schema: pa.Schema) -> Rising:
    if len(names) != 1 or not is_ordered(schema.field(names[0]).type):
        raise SettingError(
            f"The constraint {text!r} needs one column of numbers or times. Name one: rising(time)."
        )
    return Rising(names[0], falling)


def _split(text: str) -> tuple[str, str] | None:
    """The two sides of an arrow that stands outside of quotes."""
    plain = re.sub(r"`(?:[^`]|``)*`|'(?:[^']|'')*'", lambda m: "x" * len(m[0]), text)
    at = plain.find("->")
    return None if at < 0 else (text[:at], text[at + 2 :])


def _names(part: str, text: str, schema: pa.Schema) -> tuple[str, ...]:
    """Column names between commas, in backticks where they hold commas."""
    names: list[str] = []
    place = 0
    while place < len(part) or not names:
        found = _NAME.match(part, place)
        if not found:
            raise SettingError(
                f"The constraint {text!r}: {part[place:]!r} is no column name. Write names between "
                "commas, odd ones in backticks."
            )
        name = found[2] if found[1] is None else found[1].replace("``", "`")
        if len(schema.get_all_field_indices(name)) != 1:
            raise SettingError(
                f"The constraint {text!r} names {name!r}, which is no column. "
                f"The columns are: {', '.join(schema.names[:20])}."
            )
        names.append(name)
        place = found.end()
    return tuple(dict.fromkeys(names))


def quoted(name: str) -> str:
    """A column's name as a constraint writes it."""
    return str(Column(name, pa.null()))


def linear(found: Expression) -> tuple[dict[str, float], float] | None:
    """The slopes by column and the constant of an expression; None where it is not linear."""
    if isinstance(found, Column):
        return {found.name: 1.0}, 0.0
    if isinstance(found, Literal):
        return ({}, float(found.value)) if isinstance(found.value, int | float) else None
    if isinstance(found, Negative):
        form = linear(found.operand)
        return form and _scaled(form, -1.0)
    if not isinstance(found, Arithmetic):
        return None
    left, right = linear(found.left), linear(found.right)
    if left is None or right is None:
        return None
    if found.operator in "+-":
        other = _scaled(right, 1.0 if found.operator == "+" else -1.0)
        slopes = {n: left[0].get(n, 0.0) + other[0].get(n, 0.0) for n in {**left[0], **other[0]}}
        return slopes, left[1] + other[1]
    if found.operator == "*" and not (left[0] and right[0]):
        return _scaled(left, right[1]) if left[0] else _scaled(right, left[1])
    if found.operator == "/" and not right[0] and right[1]:
        return _scaled(left, 1 / right[1])
    return None


def _scaled(form: tuple[dict[str, float], float], by: float) -> tuple[dict[str, float], float]:
    return {n: s * by for n, s in form[0].items()}, form[1] * by


def floats(found: Expression, batch: pa.RecordBatch) -> np.ndarray:
    """The value of an expression of numbers in each row (N,), missing as NaN."""
    value = found.evaluate(batch)
    if isinstance(value, pa.Scalar):
        return np.full(batch.num_rows, np.nan if value.as_py() is None else float(value.as_py()))
    return to_axis(value)


def combined(batch: pa.RecordBatch | pa.Table, columns: tuple[str, ...]) -> np.ndarray:
    """A 64-bit hash of each row's values in `columns` (N,), the same on every machine.

    Two rows that differ share one with a chance of 2^-64; missing is a value of its own.
    """
    total = np.zeros(batch.num_rows, np.uint64)
    for place, name in enumerate(columns):
        own = _hashed(batch.column(name))
        with np.errstate(over="ignore"):
            total = mix(total * np.uint64(0x9E3779B97F4A7C15) + own + np.uint64(place + 1))
    return total


def _hashed(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
    if is_ordered(column.type):
        axis = to_axis(column) + 0.0  # -0.0 is 0.0
        return mix(np.where(np.isnan(axis), np.nan, axis).view(np.uint64))
    coded = column.dictionary_encode()
    words = coded.dictionary.cast(pa.large_string())
    known = np.append(hashes(words, 7), np.uint64(1))
    codes = pc.fill_null(coded.indices, len(words)).to_numpy(zero_copy_only=False)
    return np.asarray(known[codes.astype(np.intp)])
