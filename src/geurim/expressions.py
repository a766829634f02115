"""Conditions on rows, such as `age >= 18 and city in ('Seoul', 'Bern')`: parsed, never executed.

    condition = parse("age >= 18 and not (city is null)", schema)
    keep = condition.mask(batch)          # (N,) booleans

The language is that of an SQL WHERE: `= <> != < <= > >=`, `and or not`, `in (…)`, `between`,
`is null`, `is not null`, `+ - * /` and parentheses. Text stands in single or double quotes, dates
and times as text (`since > '2024-03-01'`), names with spaces or quotes in backticks. As in SQL, a
comparison with a missing value is neither true nor false, and a row is kept where the whole is
true. Arithmetic is in floating point; what is divided by zero is missing. Every name and type is
checked against the schema when the text is parsed.
"""

from __future__ import annotations

import abc
import datetime as dt
import difflib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.errors import SettingError

_DEEPEST = 40  # levels of parentheses, signs and chained sums: Python's own stack is not for users
_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
      | (?P<quoted>`(?:[^`]|``)*`)
      | (?P<name>[^\W\d]\w*)
      | (?P<sign><>|!=|<=|>=|==|[-+*/=<>(),])""",
    re.VERBOSE,
)
_WORDS = frozenset(["and", "or", "not", "in", "is", "null", "between", "true", "false"])
_COMPARE: dict[str, Callable[..., Any]] = {
    "=": pc.equal,
    "<>": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_LEVELS = {"or": 1, "and": 2, "not": 3, "compare": 4, "+": 5, "-": 5, "*": 6, "/": 6, "sign": 7}
_ATOM = 8


def parse(text: str, schema: pa.Schema) -> Expression:
    """The condition that `text` states about rows of `schema`.

    Raises SettingError with the place: unknown column, types that do not compare, or bad grammar.
    """
    return _Parser(text, schema).condition()


class Expression(abc.ABC):
    """One part of a condition: an immutable value, equal to another that says the same."""

    type: pa.DataType
    level: int = _ATOM  # how tightly it binds: what decides about parentheses

    @abc.abstractmethod
    def evaluate(self, batch: pa.RecordBatch) -> pa.Array | pa.Scalar:
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
        if re.fullmatch(r"[^\W\d]\w*", self.name) and self.name.lower() not in _WORDS:
            return self.name
        return "`" + self.name.replace("`", "``") + "`"


@dataclass(frozen=True)
class Literal(Expression):
    """A number, text, truth value, or a date or time that was written as text."""

    value: int | float | str | bool
    type: pa.DataType

    def evaluate(self, batch: pa.RecordBatch) -> pa.Scalar:
        return _scalar(self.value, self.type)

    @property
    def columns(self) -> frozenset[str]:
        return frozenset()

    def __str__(self) -> str:
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

    def evaluate(self, batch: pa.RecordBatch) -> pa.Array | pa.Scalar:
        left, right = (x.evaluate(batch).cast(pa.float64()) for x in (self.left, self.right))
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

    def evaluate(self, batch: pa.RecordBatch) -> pa.Array | pa.Scalar:
        return pc.negate(self.operand.evaluate(batch).cast(pa.float64()))

    @property
    def columns(self) -> frozenset[str]:
        return self.operand.columns

    def __str__(self) -> str:
        return "-" + self.operand._within(_ATOM)


@dataclass(frozen=True)
class Comparison(Expression):
    """Two values of one kind compared."""

    operator: str
    left: Expression
    right: Expression
    type: pa.DataType = field(default_factory=pa.bool_)
    level: int = _LEVELS["compare"]

    def evaluate(self, batch: pa.RecordBatch) -> pa.Array | pa.Scalar:
        common = _common(self.left.type, self.right.type)
        left, right = (_cast(x.evaluate(batch), common) for x in (self.left, self.right))
        return _COMPARE[self.operator](left, right)

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

    def evaluate(self, batch: pa.RecordBatch) -> pa.Array | pa.Scalar:
        common = self.operand.type
        for value in self.values:
            common = _common(common, value.type)
        column = _cast(self.operand.evaluate(batch), common)
        listed = [_scalar(v.value, v.type).cast(common).as_py() for v in self.values]
        if pa.types.is_floating(common):  # -0.0 is 0.0 to a comparison, not to a look-up
            column, listed = pc.add(column, 0.0), [v + 0.0 for v in listed]
        found = pc.is_in(column, value_set=pa.array(listed, common))
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

    def evaluate(self, batch: pa.RecordBatch) -> pa.Array | pa.Scalar:
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

    def evaluate(self, batch: pa.RecordBatch) -> pa.Array | pa.Scalar:
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

    def evaluate(self, batch: pa.RecordBatch) -> pa.Array | pa.Scalar:
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


@dataclass(frozen=True)
class _Token:
    kind: str  # a group of _TOKEN, "word" for the language's own, or "end"
    text: str
    place: int


class _Parser:
    """Recursive descent, one method a level of binding, loosest first."""

    def __init__(self, text: str, schema: pa.Schema) -> None:
        self.text = text
        self.schema = schema
        self.tokens = self._tokens()
        self.at = 0
        self.depth = 0

    def condition(self) -> Expression:
        found = self._condition(self._either)
        if self.now.kind != "end":
            self._fail(f"{self.now.text!r} was not expected here", "Join conditions by and, or.")
        return found

    # Grammar

    def _either(self) -> Expression:
        return self._junction("or", self._both)

    def _both(self) -> Expression:
        return self._junction("and", self._contrary)

    def _junction(self, word: str, part: Callable[[], Expression]) -> Expression:
        place, first = self.now.place, part()
        if not self._is(word):
            return first
        parts = [self._boolean(first, place)]
        while self._take(word):
            parts.append(self._condition(part))
        return Junction(word, tuple(parts))

    def _contrary(self) -> Expression:
        if not self._take("not"):
            return self._comparison()
        with self._deeper():
            return Not(self._condition(self._contrary))

    def _comparison(self) -> Expression:
        place, left = self.now.place, self._sum()
        if self.now.kind == "sign" and self.now.text in (*_COMPARE, "!=", "=="):
            operator = {"!=": "<>", "==": "="}.get(self.now.text, self.now.text)
            self.at += 1
            right_place = self.now.place
            comparison = self._compare(operator, left, self._sum(), place, right_place)
            if self.now.kind == "sign" and self.now.text in (*_COMPARE, "!=", "=="):
                self._fail("Comparisons do not chain", "Write: a < b and b < c.")
            return comparison
        if self._take("is"):
            negated = self._take("not")
            self._expect("null", "After is comes null or not null.")
            return IsNull(left, negated)
        negated = self._take("not")
        found: Expression
        if self._take("in"):
            found = self._in(left, place)
        elif self._take("between"):
            found = self._between(left, place)
        elif negated:
            self._fail("not stands before in or between here", "Put not before the condition.")
        else:
            return left
        return Not(found) if negated else found

    def _in(self, operand: Expression, place: int) -> Expression:
        self._expect("(", "After in comes a list: in ('a', 'b').")
        values = []
        while True:
            value_place, value = self.now.place, self._sum()
            operand, value = self._alike(operand, value, place, value_place)
            if not isinstance(value, Literal):
                self._fail("A list holds numbers and texts only", "Use or.", value_place)
            values.append(value)
            if not self._take(","):
                break
        self._expect(")", "Close the list with a parenthesis.")
        return In(operand, tuple(values))

    def _between(self, operand: Expression, place: int) -> Expression:
        low_place, low = self.now.place, self._sum()
        self._expect("and", "Write: between 1 and 9.")
        high_place, high = self.now.place, self._sum()
        return Junction(
            "and",
            (
                self._compare(">=", operand, low, place, low_place),
                self._compare("<=", operand, high, place, high_place),
            ),
        )

    def _sum(self) -> Expression:
        return self._chain("+-", lambda: self._chain("*/", self._signed))

    def _chain(self, signs: str, part: Callable[[], Expression]) -> Expression:
        place, found = self.now.place, part()
        length = 0
        while self.now.kind == "sign" and self.now.text in signs:
            operator = self.now.text
            self.at += 1
            length += 1
            if length > _DEEPEST:
                self._fail(f"More than {_DEEPEST} terms in a row", "Use parentheses, or fewer.")
            left = self._number(found, place)
            right_place = self.now.place
            found = Arithmetic(operator, left, self._number(part(), right_place))
        return found

    def _signed(self) -> Expression:
        if self._take("+"):
            place = self.now.place
            with self._deeper():
                return self._number(self._signed(), place)
        if not self._take("-"):
            return self._atom()
        place = self.now.place
        with self._deeper():
            operand = self._number(self._signed(), place)
        if isinstance(operand, Literal) and not isinstance(operand.value, str):
            return _number_literal(-operand.value)
        return Negative(operand)

    def _atom(self) -> Expression:
        token = self.now
        self.at += 1
        if token.kind == "number":
            value = float(token.text) if re.search(r"[.eE]", token.text) else int(token.text)
            if not math.isfinite(value):
                self._fail(f"The number {token.text} is too large", "", token.place)
            return _number_literal(value)
        if token.kind == "text":
            quote = token.text[0]
            return Literal(token.text[1:-1].replace(quote * 2, quote), pa.string())
        if token.kind == "quoted":
            return self._column(token.text[1:-1].replace("``", "`"), token.place)
        if token.kind == "name":
            return self._column(token.text, token.place)
        if token.text.lower() in ("true", "false"):
            return Literal(token.text.lower() == "true", pa.bool_())
        if token.text == "(":
            with self._deeper():
                found = self._either()
            self._expect(")", "Close the parenthesis.")
            return found
        if token.text.lower() == "null":
            self._fail(
                "A comparison with null is never true",
                "Write: is null, or is not null.",
                token.place,
            )
        what = "The condition ends too early" if token.kind == "end" else f"{token.text!r} stands"
        where = "" if token.kind == "end" else " where a column or a value belongs"
        self._fail(what + where, "Write, for instance: age >= 18.", token.place)

    # Names and types

    def _column(self, name: str, place: int) -> Column:
        found = self.schema.get_all_field_indices(name)
        if len(found) != 1:
            known = self.schema.names
            close = difflib.get_close_matches(name, known, 1, 0.5) or [
                n for n in known if n.lower() == name.lower()
            ]
            advice = f"Did you mean {close[0]!r}? " if close else ""
            what = "There are several columns" if found else "There is no column"
            listed = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
            self._fail(f"{what} {name!r}", f"{advice}The columns are: {listed}.", place)
        return Column(name, _normal(self.schema.field(found[0]).type))

    def _compare(
        self, operator: str, left: Expression, right: Expression, at: int, right_at: int
    ) -> Comparison:
        left, right = self._alike(left, right, at, right_at)
        if _kind(left.type) == "a truth value" and operator not in ("=", "<>"):
            self._fail("Truth values have no order", "Compare them by = or <>.", at)
        return Comparison(operator, left, right)

    def _alike(
        self, left: Expression, right: Expression, at: int, right_at: int
    ) -> tuple[Expression, Expression]:
        """Both sides, of kinds that compare; text beside a date or time becomes one."""
        if isinstance(right, Literal) and _is_time(left.type):
            return left, self._moment(right, left.type, right_at)
        if isinstance(left, Literal) and _is_time(right.type):
            return self._moment(left, right.type, at), right
        kinds = [_kind(x.type) for x in (left, right)]
        if kinds == ["a time stamp"] * 2 and bool(left.type.tz) != bool(right.type.tz):
            self._fail("One time has a zone, the other has none", "Compare like with like.", at)
        if kinds[0] == kinds[1] != "other" or set(kinds) == {"a date", "a time stamp"}:
            return left, right
        advice = "Compare values of one kind."
        texts = [x.value for x in (left, right) if isinstance(x, Literal)]
        if set(kinds) == {"text", "a number"}:
            advice = "Put the number in quotes, or take the quotes away."
        if texts and texts[0] in self.schema.names:
            advice = f"If {texts[0]!r} is the column, put it in backticks, not in quotes."
        self._fail(f"{left} is {kinds[0]}, {right} is {kinds[1]}", advice, right_at)

    def _moment(self, literal: Literal, kind: pa.DataType, place: int) -> Literal:
        if isinstance(literal.value, str):
            try:
                _scalar(literal.value, kind)
                return Literal(literal.value, kind)
            except (ValueError, pa.ArrowNotImplementedError):
                pass
        form = {"a date": "'2024-03-01'", "a time": "'13:45:00'"}.get(
            _kind(kind), "'2024-03-01 13:45:00'"
        )
        self._fail(f"{literal} is not {_kind(kind)}", f"Write it like {form}.", place)

    def _number(self, found: Expression, place: int) -> Expression:
        if _kind(found.type) != "a number":
            self._fail(f"{found} is {_kind(found.type)}", "Arithmetic needs numbers.", place)
        return found

    def _boolean(self, found: Expression, place: int) -> Expression:
        if _kind(found.type) != "a truth value":
            self._fail(
                f"{found} is {_kind(found.type)}, not a condition",
                "Compare it with something, such as: age >= 18.",
                place,
            )
        return found

    def _condition(self, part: Callable[[], Expression]) -> Expression:
        place = self.now.place
        return self._boolean(part(), place)

    # Tokens

    @property
    def now(self) -> _Token:
        return self.tokens[min(self.at, len(self.tokens) - 1)]

    def _is(self, text: str) -> bool:
        return self.now.kind in ("word", "sign") and self.now.text.lower() == text

    def _take(self, text: str) -> bool:
        taken = self._is(text)
        self.at += taken
        return taken

    def _expect(self, text: str, advice: str) -> None:
        if not self._take(text):
            self._fail(f"{text!r} is missing", advice)

    def _deeper(self) -> _Deeper:
        return _Deeper(self)

    def _tokens(self) -> list[_Token]:
        found: list[_Token] = []
        place = 0
        while place < len(self.text):
            match = _TOKEN.match(self.text, place)
            if match is None:
                quotes = self.text[place] in "'\"`"
                advice = "Close the quotes." if quotes else "Names like this stand in backticks."
                self._fail(f"{self.text[place]!r} cannot be read", advice, place)
            kind = str(match.lastgroup)
            if kind == "name" and match.group().lower() in _WORDS:
                kind = "word"
            if kind == "name" and found and found[-1].kind == "number":
                before = found[-1]
                if before.place + len(before.text) == place:
                    self._fail("A name cannot begin with a digit", "Use backticks.", before.place)
            if kind != "space":
                found.append(_Token(kind, match.group(), place))
            place = match.end()
        return [*found, _Token("end", "", len(self.text))]

    def _fail(self, what: str, advice: str, place: int | None = None) -> NoReturn:
        at = self.now.place if place is None else place
        shown = self.text.replace("\n", " ").replace("\t", " ")
        raise SettingError(
            f"{what}, at character {at + 1} of the condition. {advice}\n  {shown}\n  {' ' * at}^"
        )


class _Deeper:
    """Counts the levels that the parser is in."""

    def __init__(self, parser: _Parser) -> None:
        self.parser = parser

    def __enter__(self) -> None:
        self.parser.depth += 1
        if self.parser.depth > _DEEPEST:
            self.parser._fail(f"More than {_DEEPEST} levels deep", "Write it flatter.")

    def __exit__(self, *error: object) -> None:
        self.parser.depth -= 1


def _normal(kind: pa.DataType) -> pa.DataType:
    """The type that a column of type `kind` is compared in."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_integer(kind) and not pa.types.is_uint64(kind):
        return pa.int64()
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    return pa.date32() if pa.types.is_date64(kind) else kind


def _kind(kind: pa.DataType) -> str:
    """What a value of this type is, in words; what may be compared has the same words."""
    tests = {
        "a number": lambda t: pa.types.is_integer(t) or pa.types.is_floating(t),
        "text": pa.types.is_string,
        "a truth value": pa.types.is_boolean,
        "a date": pa.types.is_date,
        "a time stamp": pa.types.is_timestamp,
        "a time": pa.types.is_time,
    }
    return next((words for words, test in tests.items() if test(kind)), "other")


def _is_time(kind: pa.DataType) -> bool:
    return _kind(kind) in ("a date", "a time stamp", "a time")


def _common(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """The type in which values of two types of one kind are compared."""
    if one == other:
        return one
    if _kind(one) == "a number":
        return pa.float64()
    if _kind(one) == "a time":
        return pa.time64("ns")
    stamps = [t for t in (one, other) if pa.types.is_timestamp(t)]
    return max(stamps, key=lambda t: ["s", "ms", "us", "ns"].index(t.unit))


def _cast(value: pa.Array | pa.Scalar, kind: pa.DataType) -> pa.Array | pa.Scalar:
    if value.type == kind:
        return value
    if pa.types.is_date(value.type) and pa.types.is_timestamp(kind) and kind.tz:
        # A day begins where the time stamps' own zone says so.
        naive = value.cast(pa.timestamp(kind.unit))
        return pc.assume_timezone(naive, kind.tz, ambiguous="earliest", nonexistent="earliest")
    return value.cast(kind)


def _scalar(value: int | float | str | bool, kind: pa.DataType) -> pa.Scalar:
    """A literal of type `kind`. Text without a zone means the time in the column's own zone."""
    if not isinstance(value, str) or pa.types.is_string(kind):
        return pa.scalar(value, kind)
    if pa.types.is_time(kind):
        return pa.scalar(dt.time.fromisoformat(value), kind)
    if pa.types.is_timestamp(kind) and kind.tz:
        try:
            return pa.scalar(value).cast(kind)
        except pa.ArrowInvalid:
            naive = pa.scalar(value).cast(pa.timestamp(kind.unit))
            return pc.assume_timezone(naive, kind.tz, ambiguous="earliest", nonexistent="earliest")
    return pa.scalar(value).cast(kind)


def _number_literal(value: int | float) -> Literal:
    whole = isinstance(value, int) and -(2**63) < value < 2**63
    return Literal(value, pa.int64()) if whole else Literal(float(value), pa.float64())
