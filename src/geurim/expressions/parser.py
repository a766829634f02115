"""From text to an expression: recursive descent over the tokens."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import pyarrow as pa

from geurim.expressions.checks import Checks
from geurim.expressions.nodes import (
    COMPARE,
    Arithmetic,
    Expression,
    In,
    IsNull,
    Junction,
    Literal,
    Negative,
    Not,
)
from geurim.expressions.tokens import Token, tokens

_DEEPEST = 40  # levels of parentheses, signs and chained sums: Python's own stack is not for users
_COMPARES = (*COMPARE, "!=", "==")


def parse(text: str, schema: pa.Schema) -> Expression:
    """The condition that `text` states about rows of `schema`.

    Raises ExpressionError with the place: unknown name, types that do not compare, bad grammar.
    """
    return _Parser(text, schema).condition()


def parse_value(text: str, schema: pa.Schema) -> Expression:
    """The formula that `text` writes for rows of `schema`: a value of any type, a condition too.

    Raises ExpressionError as `parse` does. Not for what chooses rows: there, a number in place of
    a condition is a mistake that only `parse` finds.
    """
    return _Parser(text, schema).value()


class _Parser:
    """Recursive descent, one method a level of binding, loosest first."""

    def __init__(self, text: str, schema: pa.Schema) -> None:
        self.tokens = tokens(text)
        self.check = Checks(text, schema)
        self.whole = "condition"
        self.at = 0
        self.depth = 0

    def condition(self) -> Expression:
        return self._all(lambda: self._condition(self._either))

    def value(self) -> Expression:
        self.whole = "formula"
        return self._all(self._either)

    def _all(self, part: Callable[[], Expression]) -> Expression:
        found = part()
        if self.now.kind != "end":
            advice = "Join conditions by and, or; values by + - * /."
            self._fail(f"{self.now.text!r} was not expected here", advice)
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
        parts = [self.check.truth(first, place)]
        while self._take(word):
            parts.append(self._condition(part))
        return Junction(word, tuple(parts))

    def _condition(self, part: Callable[[], Expression]) -> Expression:
        place = self.now.place
        return self.check.truth(part(), place)

    def _contrary(self) -> Expression:
        if not self._take("not"):
            return self._comparison()
        with self._deeper():
            return Not(self._condition(self._contrary))

    def _comparison(self) -> Expression:
        place, left = self.now.place, self._sum()
        if self.now.kind == "sign" and self.now.text in _COMPARES:
            operator = {"!=": "<>", "==": "="}.get(self.now.text, self.now.text)
            self.at += 1
            right_place = self.now.place
            comparison = self.check.comparison(operator, left, self._sum(), place, right_place)
            if self.now.kind == "sign" and self.now.text in _COMPARES:
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
            operand, value = self.check.alike(operand, value, place, value_place)
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
                self.check.comparison(">=", operand, low, place, low_place),
                self.check.comparison("<=", operand, high, place, high_place),
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
            left = self.check.number(found, place)
            right_place = self.now.place
            found = Arithmetic(operator, left, self.check.number(part(), right_place))
        return found

    def _signed(self) -> Expression:
        if self._take("+"):
            place = self.now.place
            with self._deeper():
                return self.check.number(self._signed(), place)
        if not self._take("-"):
            return self._atom()
        place = self.now.place
        with self._deeper():
            operand = self.check.number(self._signed(), place)
        if isinstance(operand, Literal) and isinstance(operand.value, int | float):
            return _number_literal(-operand.value)
        return Negative(operand)

    def _atom(self) -> Expression:
        token = self.now
        self.at += 1
        if token.kind == "number":
            return self._written_number(token)
        if token.kind == "text":
            quote = token.text[0]
            return Literal(token.text[1:-1].replace(quote * 2, quote), pa.string())
        if token.kind == "quoted":
            return self.check.column(token.text[1:-1].replace("``", "`"), token.place)
        if token.kind == "name":
            return (
                self._call(token) if self._is("(") else self.check.column(token.text, token.place)
            )
        if token.text.lower() in ("true", "false"):
            return Literal(token.text.lower() == "true", pa.bool_())
        if token.text == "(":
            with self._deeper():
                found = self._either()
            self._expect(")", "Close the parenthesis.")
            return found
        self._misplaced(token)

    def _written_number(self, token: Token) -> Literal:
        value = float(token.text) if re.search(r"[.eE]", token.text) else int(token.text)
        if not math.isfinite(value):
            self._fail(f"The number {token.text} is too large", "", token.place)
        return _number_literal(value)

    def _call(self, name: Token) -> Expression:
        function = self.check.function(name.text, name.place)
        self._expect("(", "")
        arguments: list[Expression] = []
        places: list[int] = []
        with self._deeper():
            while not self._is(")") or arguments:
                places.append(self.now.place)
                null = self._take("null")
                arguments.append(Literal(None, pa.null()) if null else self._either())
                if not self._take(","):
                    break
        self._expect(")", f"Write: {function.usage}.")
        return self.check.call(function, arguments, places, name.place)

    def _misplaced(self, token: Token) -> NoReturn:
        if token.text.lower() == "null":
            self._fail(
                "A comparison with null is never true",
                "Write: is null, or is not null.",
                token.place,
            )
        example = "age >= 18" if self.whole == "condition" else "0.3 * age"
        what = f"{token.text!r} stands where a column or a value belongs"
        if token.kind == "end":
            what = f"The {self.whole} ends too early"
        self._fail(what, f"Write, for instance: {example}.", token.place)

    # Tokens

    @property
    def now(self) -> Token:
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

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        self.depth += 1
        if self.depth > _DEEPEST:
            self._fail(f"More than {_DEEPEST} levels deep", "Write it flatter.")
        yield
        self.depth -= 1

    def _fail(self, what: str, advice: str, place: int | None = None) -> NoReturn:
        self.check.fail(what, advice, self.now.place if place is None else place)


def _number_literal(value: int | float) -> Literal:
    whole = isinstance(value, int) and -(2**63) < value < 2**63
    return Literal(value, pa.int64()) if whole else Literal(float(value), pa.float64())
