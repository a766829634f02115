"""Names and types of an expression: what is known, what goes with what, and what to write instead.

Every check raises ExpressionError with the place of the part that is wrong.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NoReturn

import pyarrow as pa

from geurim.errors import ExpressionError
from geurim.expressions.functions import DIGITS, ELSEWHERE, FUNCTIONS, Function
from geurim.expressions.kinds import (
    DATE,
    MISSING,
    MOMENTS,
    NUMBER,
    STAMP,
    TEXT,
    TIME,
    TRUTH,
    is_moment,
    kind_of,
    normal,
    scalar,
)
from geurim.expressions.nodes import Call, Column, Comparison, Expression, Literal

_FORMS = {DATE: "'2024-03-01'", TIME: "'13:45:00'", STAMP: "'2024-03-01 13:45:00'"}


class Checks:
    """What the schema and the functions allow in one text."""

    def __init__(self, text: str, schema: pa.Schema) -> None:
        self.text = text
        self.schema = schema

    def fail(self, what: str, advice: str, place: int) -> NoReturn:
        raise ExpressionError(what, advice, place, self.text)

    def column(self, name: str, place: int) -> Column:
        """The column of that name."""
        found = self.schema.get_all_field_indices(name)
        if len(found) != 1:
            what = "There are several columns" if found else "There is no column"
            known = self.schema.names
            listed = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
            advice = f"{_meant(name, known)}The columns are: {listed}."
            if name.lower() in FUNCTIONS:
                advice = f"The function is written {FUNCTIONS[name.lower()].usage}. {advice}"
            self.fail(f"{what} {name!r}", advice, place)
        return Column(name, normal(self.schema.field(found[0]).type))

    def comparison(
        self, operator: str, left: Expression, right: Expression, at: int, right_at: int
    ) -> Comparison:
        """Two values compared."""
        left, right = self.alike(left, right, at, right_at)
        if kind_of(left.type) == TRUTH and operator not in ("=", "<>"):
            self.fail("Truth values have no order", "Compare them by = or <>.", at)
        return Comparison(operator, left, right)

    def alike(
        self, left: Expression, right: Expression, at: int, right_at: int
    ) -> tuple[Expression, Expression]:
        """Both sides, of kinds that compare; text beside a date or time becomes one."""
        if isinstance(right, Literal) and is_moment(left.type):
            return left, self.moment(right, left.type, right_at)
        if isinstance(left, Literal) and is_moment(right.type):
            return self.moment(left, right.type, at), right
        self.same_zone([left, right], at)
        kinds = [kind_of(x.type) for x in (left, right)]
        if kinds[0] == kinds[1] != "other" or set(kinds) == {DATE, STAMP}:
            return left, right
        advice = "Compare values of one kind."
        texts = [x.value for x in (left, right) if isinstance(x, Literal)]
        if set(kinds) == {TEXT, NUMBER}:
            advice = "Put the number in quotes, or take the quotes away."
        if texts and texts[0] in self.schema.names:
            advice = f"If {texts[0]!r} is the column, put it in backticks, not in quotes."
        self.fail(f"{left} is {kinds[0]}, {right} is {kinds[1]}", advice, right_at)

    def same_zone(self, values: Iterable[Expression], place: int) -> None:
        """Time stamps with a zone do not go with those without."""
        zones = {bool(x.type.tz) for x in values if kind_of(x.type) == STAMP}
        if len(zones) > 1:
            what = "One time has a zone, the other has none"
            self.fail(what, "Compare like with like.", place)

    def moment(self, literal: Literal, kind: pa.DataType, place: int) -> Literal:
        """The date or time that is written as text."""
        found = _moment(literal, kind)
        if found is None:
            words = kind_of(kind)
            self.fail(f"{literal} is not {words}", f"Write it like {_FORMS[words]}.", place)
        return found

    def number(self, found: Expression, place: int) -> Expression:
        """What is reckoned with."""
        kind = kind_of(found.type)
        if kind != NUMBER:
            advice = "Arithmetic needs numbers."
            if is_moment(found.type):
                advice += " For dates there are add_days(d, n) and days_between(a, b)."
            elif kind == TEXT:
                advice += " Texts are joined by concat(a, b)."
            self.fail(f"{found} is {kind}", advice, place)
        return found

    def truth(self, found: Expression, place: int) -> Expression:
        """What stands as a condition."""
        if kind_of(found.type) != TRUTH:
            self.fail(
                f"{found} is {kind_of(found.type)}, not a condition",
                "Compare it with something, such as: age >= 18.",
                place,
            )
        return found

    def function(self, name: str, place: int) -> Function:
        """The function of that name."""
        found = FUNCTIONS.get(name.lower())
        if found is None:
            meant = ELSEWHERE.get(name.lower())
            advice = f"Did you mean {meant!r}? " if meant else _meant(name, FUNCTIONS)
            listed = f"{advice}The functions are: {', '.join(sorted(FUNCTIONS))}."
            self.fail(f"There is no function {name!r}", listed, place)
        return found

    def call(
        self, function: Function, arguments: Sequence[Expression], places: Sequence[int], place: int
    ) -> Call:
        """A function of values that it takes."""
        if not function.least <= len(arguments) <= function.most:
            many = "1 argument" if len(arguments) == 1 else f"{len(arguments)} arguments"
            what = f"{function.name} has {many}"
            self.fail(what, f"Write: {function.usage}.", place)
        fitted = self._moments(function, arguments, places)
        for i, (argument, at) in enumerate(zip(fitted, places, strict=True)):
            if not _suits(argument, function.kinds(i)):
                self._unsuited(function, argument, function.kinds(i), at)
        self.same_zone(fitted, places[0])
        if function.alike is not None:
            fitted = self._of_one_kind(function, fitted, places)
        if function.name == "clip":
            self._ends(fitted, places[1])
        return Call(function.name, tuple(fitted))

    def _moments(
        self, function: Function, arguments: Sequence[Expression], places: Sequence[int]
    ) -> list[Expression]:
        """The arguments, texts read as dates and times where such belong."""
        given = [x.type for x in arguments if is_moment(x.type)]
        found = []
        for i, argument in enumerate(arguments):
            kinds = function.kinds(i)
            together = function.alike is not None and i >= function.alike
            if _is_text(argument) and set(MOMENTS) & set(kinds):
                assert isinstance(argument, Literal)
                if given and (together or TEXT not in kinds):
                    argument = self.moment(argument, given[0], places[i])
                elif TEXT not in kinds:
                    tries = (_moment(argument, t) for t in (pa.date32(), pa.timestamp("us")))
                    argument = next((x for x in tries if x), argument)
            found.append(argument)
        return found

    def _of_one_kind(
        self, function: Function, arguments: list[Expression], places: Sequence[int]
    ) -> list[Expression]:
        """The arguments, where those that must be of one kind are; null takes that kind's type."""
        first = function.alike or 0
        known = [x for x in arguments[first:] if kind_of(x.type) != MISSING]
        if not known:
            self.fail(f"{function.name} gives only null", "Write a value in one place.", places[0])
        for argument, place in zip(arguments[first:], places[first:], strict=True):
            kinds = [kind_of(x.type) for x in (known[0], argument)]
            if kinds[1] not in (kinds[0], MISSING):
                what = f"{known[0]} is {kinds[0]}, {argument} is {kinds[1]}"
                advice = f"{function.usage} needs values of one kind."
                if set(kinds) == {DATE, STAMP}:
                    advice += " A time stamp becomes a date by date(t)."
                elif TEXT in kinds:
                    advice += " A value becomes text by text(x)."
                self.fail(what, advice, place)
        return [
            replace(x, type=known[0].type)
            if isinstance(x, Literal) and kind_of(x.type) == MISSING
            else x
            for x in arguments
        ]

    def _unsuited(
        self, function: Function, found: Expression, kinds: tuple[str, ...], place: int
    ) -> NoReturn:
        own = kind_of(found.type)
        needed = " or ".join(k for k in kinds if k != MISSING)
        advice = f"{function.usage} needs {needed} here."
        if own == TEXT and _is_text(found) and STAMP in kinds:
            advice += f" Write it like {_FORMS[DATE]} or {_FORMS[STAMP]}."
        what = "null stands for a value" if own == MISSING else f"{found} is {own}"
        self.fail(what, advice, place)

    def _ends(self, arguments: Sequence[Expression], place: int) -> None:
        low, high = (x.value if isinstance(x, Literal) else None for x in arguments[1:])
        if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
            what = f"The low end {low} is above the high end {high}"
            self.fail(what, "Write: clip(x, low, high).", place)


def _meant(name: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(name, known, 1, 0.5) or [
        n for n in known if n.lower() == name.lower()
    ]
    return f"Did you mean {close[0]!r}? " if close else ""


def _is_text(found: Expression) -> bool:
    return isinstance(found, Literal) and kind_of(found.type) == TEXT


def _moment(literal: Literal, kind: pa.DataType) -> Literal | None:
    if isinstance(literal.value, str):
        try:
            scalar(literal.value, kind)
            return Literal(literal.value, kind)
        except (ValueError, pa.ArrowNotImplementedError):
            pass
    return None


def _suits(found: Expression, kinds: tuple[str, ...]) -> bool:
    if DIGITS in kinds:
        value = found.value if isinstance(found, Literal) else None
        return type(value) is int and -15 <= value <= 15
    return kind_of(found.type) in kinds
