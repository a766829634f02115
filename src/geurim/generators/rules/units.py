"""Units of what a formula computes: kilometres are not added to kilograms, nor to metres.

    unit_of(parse_value("distance / hours", schema), {"distance": "km", "hours": "hour"})
    # "kilometer / hour"

A number written in a formula goes with any unit in a sum or comparison, and has none in a product:
`x + 1` is in x's unit, `2 * x` too. The exception is a factor that converts: `distance * 1000`
goes with metres where distance is in km, and so does `t / 3600 / 24`. A column for which no unit is
given is not checked, nor is what is computed from it; the unit of a plain number is written "1".

Units are those of pint, by name or symbol (`km`, `mg/dL`, `kg * m / s^2`, `year`, `degC`), and
currencies (`KRW`, `USD`, …), each of which is a dimension of its own.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from typing import Any

import pyarrow as pa

from geurim.errors import ExpressionError, MissingExtra
from geurim.expressions.nodes import (
    Arithmetic,
    Call,
    Column,
    Comparison,
    Expression,
    In,
    IsNull,
    Junction,
    Literal,
    Negative,
    Not,
)

_ISO = ("JPY", "CNY", "GBP", "CHF", "INR", "AUD", "CAD")
_DEFINED = (
    *("KRW = [KRW] = _ = won", "USD = [USD] = _ = dollar", "EUR = [EUR] = _ = euro"),
    *(f"{code} = [{code}]" for code in _ISO),
    "bpm = 1 / minute",
)
_POWER = r"(?:\s*(?:\^|\*\*)\s*-?\d{1,2})?"
_PART = re.compile(rf"1(?=\s*/)|[^\W\d]\w*{_POWER}|[°µμΩ]\w*|%|\(|\){_POWER}|[*/·\s]")
_LONGEST = 80  # characters of a unit
_PLAIN = "1"
_NUMBERS = ("exp", "log", "log10", "sin", "cos")  # what they take and give has no unit
_SPANS = {"days": "day", "hours": "hour", "seconds": "second"}
_ALIKE = ("if", "coalesce", "min", "max", "clip", "mod")  # arguments in one unit, the result's too
_KEPT = ("abs", "round", "floor", "ceil")  # the unit of the first argument


def unit_of(expression: Expression, units: Mapping[str, str]) -> str | None:
    """The unit of an expression, given that of each column; None where it follows from none.

    Raises ExpressionError where units do not match, or one is unknown; MissingExtra without pint.
    """
    found = _Reader(units).measure(expression).unit
    return None if found is None else str(found) if str(found) != "dimensionless" else _PLAIN


def check_unit(expression: Expression, unit: str, units: Mapping[str, str]) -> None:
    """Raise ExpressionError where an expression is not in `unit`, that of the column it fills."""
    reader = _Reader({**units, "": unit})
    reader.match(reader.measure(expression), _Measure("the column", reader.unit(unit), fixed=True))


@lru_cache
def _registry() -> Any:
    try:
        import pint
    except ImportError as error:
        raise MissingExtra("checking units", "rules") from error
    registry: Any = pint.UnitRegistry()
    for definition in _DEFINED:
        registry.define(definition)
    return registry


@dataclass(frozen=True)
class _Measure:
    """What is known of a part: its text, its unit (None: not given), the numbers it was scaled by.

    `bare`: nothing but written numbers, which go with any unit.
    """

    text: str
    unit: Any = None
    scaled: tuple[float, ...] = ()
    bare: bool = False
    fixed: bool = False  # what the other one has to be brought to

    def converted(self, factor: float) -> bool:
        """Whether a written number, or all of them together, is the factor."""
        return any(math.isclose(x, factor) for x in (*self.scaled, math.prod(self.scaled)))


class _Reader:
    """The units of one world's columns, by name."""

    def __init__(self, units: Mapping[str, str]) -> None:
        self.units = units

    def unit(self, text: str) -> Any:
        """The unit that a text names."""
        known = _registry()
        if len(text) > _LONGEST or _PART.sub("", text):
            advice = "Write it like km, mg/dL or kg * m / s^2, and 1 for a plain number."
            if text.strip() == _PLAIN:
                return known.Unit("")
            raise ExpressionError(f"{text[:_LONGEST]!r} is no unit", advice)
        found, name = _parsed(text.replace("·", "*"))
        if found is None:
            raise ExpressionError(f"There is no unit {name!r}", _near(name))
        return found

    def measure(self, found: Expression) -> _Measure:
        """The unit of an expression, after those of its parts have been checked."""
        return replace(self._measure(found), text=str(found))

    def _measure(self, found: Expression) -> _Measure:
        if isinstance(found, Column):
            text = self.units.get(found.name)
            return _Measure("", None if text is None else self.unit(text))
        if isinstance(found, Literal):
            return _Measure("", bare=True)
        if isinstance(found, Negative):
            return self.measure(found.operand)
        if isinstance(found, Arithmetic):
            sides = self.measure(found.left), self.measure(found.right)
            return self.match(*sides) if found.operator in "+-" else self._scale(found, *sides)
        if isinstance(found, Call):
            return self._call(found, [self.measure(x) for x in found.arguments])
        if isinstance(found, Comparison):
            self.match(self.measure(found.left), self.measure(found.right))
        elif isinstance(found, Junction):
            for part in found.parts:
                self.measure(part)
        elif isinstance(found, Not | IsNull | In):
            self.measure(found.operand)
        return _Measure("")

    def _scale(self, found: Arithmetic, left: _Measure, right: _Measure) -> _Measure:
        """A product or a quotient."""
        if left.bare and right.bare:
            return left
        power = 1 if found.operator == "*" else -1
        numbers = (_constant(found.left), *left.scaled), (_constant(found.right), *right.scaled)
        scaled = (*numbers[0], *(x if power > 0 or not x else 1 / x for x in numbers[1]))
        units = [x.unit for x in (left, right) if not x.bare]
        if None in units:
            return _Measure("")
        own = _registry().Unit("") if left.bare else left.unit
        unit = own if right.bare else own * right.unit**power
        return _Measure("", unit, tuple(x for x in scaled if x is not None))

    def _call(self, found: Call, arguments: list[_Measure]) -> _Measure:
        name, known = found.function, _registry()
        verb, _, noun = name.partition("_")
        if verb in _SPANS:
            return _Measure("", known.Unit(_SPANS[verb]))
        if name == "age":
            return _Measure("", known.Unit("year"))
        if verb == "add":
            span = known.Unit(_SPANS[noun])
            self.match(arguments[1], _Measure(f"what {name} adds", span, fixed=True))
            return _Measure("")
        if all(x.bare for x in arguments):
            return arguments[0]
        if name in _ALIKE:
            return reduce(self.match, arguments[name == "if" :])
        if name in _KEPT:
            return arguments[0]
        if name in ("pow", "sqrt"):
            return self._power(found, arguments)
        if name in _NUMBERS:
            return self._plain(arguments[0], name)
        return _Measure("", known.Unit("") if name == "sign" else None)

    def _power(self, found: Call, arguments: list[_Measure]) -> _Measure:
        base = arguments[0]
        exponent = 0.5 if found.function == "sqrt" else _constant(found.arguments[1])
        if exponent is None:
            self._plain(arguments[1], "the exponent of pow")
            return self._plain(base, "pow with an exponent that is computed")
        if base.unit is None or not exponent:  # pint would write "meter ** 0"
            return _Measure("", None if base.unit is None else _registry().Unit(""))
        return _Measure("", base.unit**exponent)

    def _plain(self, found: _Measure, taker: str) -> _Measure:
        plain = _registry().Unit("")
        if found.unit is not None:
            factor = _factor(found.unit, plain)
            if factor is None or not (math.isclose(factor, 1) or found.converted(factor)):
                raise ExpressionError(
                    f"{found.text} is {self._said(found.unit)}, {taker} takes a plain number",
                    _conversion(found.text, factor)
                    if factor
                    else f"Divide {found.text} by something in the same unit.",
                )
        return _Measure("", plain)

    def match(self, left: _Measure, right: _Measure) -> _Measure:
        """What two values in one unit have in common; that of the other where one is not given."""
        if left.bare or (left.unit is None and not right.bare):
            return replace(right, scaled=())
        if right.bare or right.unit is None:
            return replace(left, scaled=())
        factor = _factor(left.unit, right.unit)
        if factor is not None:
            if math.isclose(factor, 1) or left.converted(factor):
                return replace(right, scaled=())
            if right.converted(1 / factor):
                return replace(left, scaled=())
        raise ExpressionError(
            f"{left.text} is {self._said(left.unit)}, {right.text} {self._said(right.unit)}",
            _advice(left, right, factor),
        )

    def _said(self, unit: Any) -> str:
        """A unit as the world writes it, where it does."""
        if unit == _registry().Unit(""):
            return "a plain number"
        written = (text for text in self.units.values() if self.unit(text) == unit)
        return f"in {next(written, str(unit))}"


def _advice(left: _Measure, right: _Measure, factor: float | None) -> str:
    if factor is not None:
        if factor >= 1 or right.fixed:
            return _conversion(left.text, factor)
        return _conversion(right.text, 1 / factor)
    kinds = [str(x.unit.dimensionality) for x in (left, right)]
    if kinds[0] == kinds[1]:
        return "Convert one of them: they differ by more than a factor."
    return f"Sums, comparisons and branches need one unit, not {kinds[0]} and {kinds[1]}."


def _conversion(text: str, factor: float) -> str:
    if factor < 1:
        return f"Divide {text} by {1 / factor:.12g}."
    return f"Multiply {text} by {factor:.12g}."


def _factor(one: Any, other: Any) -> float | None:
    """What turns a value in one unit into the other; None where no factor does."""
    if one == other:
        return 1.0
    known = _registry()
    if one.dimensionality != other.dimensionality:
        return None
    try:
        zero, single = (known.Quantity(x, one).to(other).magnitude for x in (0.0, 1.0))
    except (ValueError, TypeError):  # degrees Celsius in a product
        return None
    return float(single) if zero == 0 else None


def _constant(found: Expression) -> float | None:
    """The number that an expression of written numbers is."""
    if found.columns or not isinstance(found, Literal | Negative | Arithmetic):
        return None
    value = found.evaluate(pa.RecordBatch.from_arrays([], [])).as_py()
    return None if value is None else float(value)


def _parsed(text: str) -> tuple[Any, str]:
    """The unit, or None and the name that is unknown."""
    try:
        return _registry().Unit(text), ""
    except Exception as error:  # pint lets through whatever its own parser stumbles over
        if isinstance(error, MissingExtra):
            raise
        names = getattr(error, "unit_names", text)
        return None, names if isinstance(names, str) else " ".join(names)


def _near(name: str) -> str:
    known = [x for x in dir(_registry()) if not x.startswith("_")]
    other = {name.lower(), name.upper(), name.capitalize(), name.rstrip("s"), name[:-1]} - {name}
    spelled = sorted(x for x in other if x.isidentifier() and _parsed(x)[0] is not None)
    close = list(dict.fromkeys([*spelled, *difflib.get_close_matches(name, known, 3, 0.7)]))[:3]
    meant = f"Did you mean {' or '.join(map(repr, close))}? " if close else ""
    return f"{meant}Units are those of pint, such as km, mg/dL, year, KRW; 1 is a plain number."
