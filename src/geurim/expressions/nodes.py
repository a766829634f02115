"""What an expression is made of: immutable values, each of which evaluates a batch of rows."""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.expressions.functions import FUNCTIONS
from geurim.expressions.kinds import Value, cast, common, floats, scalar
from geurim.expressions.tokens import written

COMPARE: dict[str, Callable[..., Any]] = {
    "=": pc.equal,
    "<>": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_LEVELS = {"or": 1, "and": 2, "not": 3, "compare": 4, "+": 5, "-": 5, "*": 6, "/": 6, "sign": 7}
_ATOM = 8


class Expression(abc.ABC):
    """One part of a condition or formula, equal to another that says the same."""

    type: pa.DataType
    level: int = _ATOM  # how tightly it binds: what decides about parentheses

    @abc.abstractmethod
    def evaluate(self, batch: pa.RecordBatch) -> Value:
        """The value in each row: an array (N,) of `type`, or a scalar where no column is named."""

    @property
    @abc.abstractmethod
    def columns(self) -> frozenset[str]:
        """The names of the columns it reads."""

    def mask(self, batch: pa.RecordBatch) -> np.ndarray:
        """Which rows meet the condition, (N,) bool; where it is missing, it is not met."""
        found = self.evaluate(batch)
        if isinstance(found, pa.Scalar):
            return np.full(batch.num_rows, found.as_py() is True)
        result: np.ndarray = pc.fill_null(found, False).to_numpy(zero_copy_only=False)
        return result

    def _within(self, level: int) -> str:
        """The text, in parentheses where it binds less tightly than its place asks."""
        return f"({self})" if self.level < level else str(self)


@dataclass(frozen=True)
class Column(Expression):
    """A column's values; numbers as int64 or float64, dictionaries decoded."""

    name: str
    type: pa.DataType

    def evaluate(self, batch: pa.RecordBatch) -> pa.Array:
        column = batch.column(batch.schema.get_field_index(self.name))
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        return column if column.type == self.type else column.cast(self.type, safe=False)

    @property
    def columns(self) -> frozenset[str]:
        return frozenset([self.name])

    def __str__(self) -> str:
        return written(self.name)


@dataclass(frozen=True)
class Literal(Expression):
    """A number, text, truth value, null, or a date or time that was written as text."""

    value: int | float | str | bool | None
    type: pa.DataType

    def evaluate(self, batch: pa.RecordBatch) -> pa.Scalar:
        return scalar(self.value, self.type)

    @property
    def columns(self) -> frozenset[str]:
        return frozenset()

    def __str__(self) -> str:
        if self.value is None:
            return "null"
        if isinstance(self.value, bool):
            return str(self.value).lower()
        if isinstance(self.value, str):
            return "'" + self.value.replace("'", "''") + "'"
        return repr(self.value)


@dataclass(frozen=True)
class Arithmetic(Expression):
    """A sum, difference, product or quotient, in float64."""

    operator: str
    left: Expression
    right: Expression
    type: pa.DataType = field(default_factory=pa.float64)

    @property
    def level(self) -> int:  # type: ignore[override]
        return _LEVELS[self.operator]

    def evaluate(self, batch: pa.RecordBatch) -> Value:
        left, right = (floats(x.evaluate(batch)) for x in (self.left, self.right))
        if self.operator == "/":
            nothing = pa.scalar(None, pa.float64())
            return pc.divide(left, pc.if_else(pc.equal(right, 0.0), nothing, right))
        return {"+": pc.add, "-": pc.subtract, "*": pc.multiply}[self.operator](left, right)

    @property
    def columns(self) -> frozenset[str]:
        return self.left.columns | self.right.columns

    def __str__(self) -> str:
        return (
            f"{self.left._within(self.level)} {self.operator} {self.right._within(self.level + 1)}"
        )


@dataclass(frozen=True)
class Negative(Expression):
    """A number with its sign turned."""

    operand: Expression
    type: pa.DataType = field(default_factory=pa.float64)
    level: int = _LEVELS["sign"]

    def evaluate(self, batch: pa.RecordBatch) -> Value:
        return pc.negate(floats(self.operand.evaluate(batch)))

    @property
    def columns(self) -> frozenset[str]:
        return self.operand.columns

    def __str__(self) -> str:
        return "-" + self.operand._within(_ATOM)


@dataclass(frozen=True)
class Call(Expression):
    """A function of other values; `function` is a name in FUNCTIONS."""

    function: str
    arguments: tuple[Expression, ...]

    @property
    def type(self) -> pa.DataType:
        return FUNCTIONS[self.function].gives([x.type for x in self.arguments])

    def evaluate(self, batch: pa.RecordBatch) -> Value:
        function, kind = FUNCTIONS[self.function], self.type
        values = [x.evaluate(batch) for x in self.arguments]
        if function.alike is not None:
            values[function.alike :] = [cast(x, kind) for x in values[function.alike :]]
        return cast(function.compute(*values), kind)

    @property
    def columns(self) -> frozenset[str]:
        return frozenset().union(*(x.columns for x in self.arguments))

    def __str__(self) -> str:
        return f"{self.function}({', '.join(map(str, self.arguments))})"


@dataclass(frozen=True)
class Comparison(Expression):
    """Two values of one kind compared."""

    operator: str
    left: Expression
    right: Expression
    type: pa.DataType = field(default_factory=pa.bool_)
    level: int = _LEVELS["compare"]

    def evaluate(self, batch: pa.RecordBatch) -> Value:
        kind = common(self.left.type, self.right.type)
        left, right = (cast(x.evaluate(batch), kind) for x in (self.left, self.right))
        return COMPARE[self.operator](left, right)

    @property
    def columns(self) -> frozenset[str]:
        return self.left.columns | self.right.columns

    def __str__(self) -> str:
        return f"{self.left._within(5)} {self.operator} {self.right._within(5)}"


@dataclass(frozen=True)
class In(Expression):
    """Whether a value is one of a list."""

    operand: Expression
    values: tuple[Literal, ...]
    type: pa.DataType = field(default_factory=pa.bool_)
    level: int = _LEVELS["compare"]

    def evaluate(self, batch: pa.RecordBatch) -> Value:
        kind = self.operand.type
        for value in self.values:
            kind = common(kind, value.type)
        column = cast(self.operand.evaluate(batch), kind)
        listed = [scalar(v.value, v.type).cast(kind).as_py() for v in self.values]
        if pa.types.is_floating(kind):  # -0.0 is 0.0 to a comparison, not to a look-up
            column, listed = pc.add(column, 0.0), [v + 0.0 for v in listed]
        found = pc.is_in(column, value_set=pa.array(listed, kind))
        return pc.if_else(pc.is_null(column), pa.scalar(None, pa.bool_()), found)

    @property
    def columns(self) -> frozenset[str]:
        return self.operand.columns

    def __str__(self) -> str:
        return f"{self.operand._within(5)} in ({', '.join(map(str, self.values))})"


@dataclass(frozen=True)
class IsNull(Expression):
    """Whether a value is missing; or with `negated`, whether it is there."""

    operand: Expression
    negated: bool = False
    type: pa.DataType = field(default_factory=pa.bool_)
    level: int = _LEVELS["compare"]

    def evaluate(self, batch: pa.RecordBatch) -> Value:
        value = self.operand.evaluate(batch)
        return pc.is_valid(value) if self.negated else pc.is_null(value)

    @property
    def columns(self) -> frozenset[str]:
        return self.operand.columns

    def __str__(self) -> str:
        return f"{self.operand._within(5)} is {'not ' if self.negated else ''}null"


@dataclass(frozen=True)
class Not(Expression):
    """The contrary; of what is missing, missing."""

    operand: Expression
    type: pa.DataType = field(default_factory=pa.bool_)
    level: int = _LEVELS["not"]

    def evaluate(self, batch: pa.RecordBatch) -> Value:
        return pc.invert(self.operand.evaluate(batch))

    @property
    def columns(self) -> frozenset[str]:
        return self.operand.columns

    def __str__(self) -> str:
        return f"not {self.operand._within(self.level)}"


@dataclass(frozen=True)
class Junction(Expression):
    """Conditions joined by `and`, or by `or`, with SQL's three values (Kleene's logic)."""

    operator: str
    parts: tuple[Expression, ...]
    type: pa.DataType = field(default_factory=pa.bool_)

    @property
    def level(self) -> int:  # type: ignore[override]
        return _LEVELS[self.operator]

    def evaluate(self, batch: pa.RecordBatch) -> Value:
        join = pc.and_kleene if self.operator == "and" else pc.or_kleene
        found = self.parts[0].evaluate(batch)
        for part in self.parts[1:]:
            found = join(found, part.evaluate(batch))
        return found

    @property
    def columns(self) -> frozenset[str]:
        return frozenset().union(*(p.columns for p in self.parts))

    def __str__(self) -> str:
        return f" {self.operator} ".join(p._within(self.level + 1) for p in self.parts)
