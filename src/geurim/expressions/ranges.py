"""Within which bounds an expression stays, given those of its columns: interval arithmetic.

    range_of(parse_value("log(income) - age", schema), {"income": Interval(1, 1e6), …})

The bounds are certain, not tight: every value that the expression has for values within the
columns' intervals is inside. They hold what is finite; a number that grows beyond float64 in
between (1e308 * 10) is not reckoned with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa

from geurim.columns import from_axis, is_ordered, to_axis
from geurim.expressions.functions import FUNCTIONS
from geurim.expressions.kinds import scalar
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

_EXACT = 2.0**53  # beyond, whole numbers share a float
_LAST = 3e17  # microseconds from 1970 to about the year 11,000
_DAY = 86_400e6
_MOST = 64  # combinations of texts looked at
BOTH = frozenset([True, False])


@dataclass(frozen=True)
class Interval:
    """What a value may be: numbers and times on the axis of `columns`, or some values; and missing.

    `values` holds texts or truth values, None where it may be any.
    """

    low: float = -np.inf
    high: float = np.inf
    values: frozenset[Any] | None = None
    missing: bool = True

    @property
    def empty(self) -> bool:
        """Whether it can only be missing."""
        return self.low > self.high or self.values == frozenset()

    def __or__(self, other: Interval) -> Interval:
        """What is in the one or the other, and between numbers of both."""
        any_value = self.values is None or other.values is None
        return Interval(
            min(self.low, other.low),
            max(self.high, other.high),
            None if any_value else (self.values or frozenset()) | (other.values or frozenset()),
            self.missing or other.missing,
        )


Intervals = Mapping[str, Interval]
NOTHING = Interval(np.inf, -np.inf, frozenset())


def range_of(found: Expression, ranges: Intervals) -> Interval:
    """What an expression can be, where its columns stay in `ranges`; others may be anything."""
    if isinstance(found, Column):
        return _column(found, ranges)
    if isinstance(found, Literal):
        return _literal(found)
    if isinstance(found, Call):
        return _call(found, [range_of(x, ranges) for x in found.arguments])
    if isinstance(found, Negative):
        inner = range_of(found.operand, ranges)
        return replace(inner, low=-inner.high, high=-inner.low)
    if isinstance(found, Arithmetic):
        sides = range_of(found.left, ranges), range_of(found.right, ranges)
        return NOTHING if any(x.empty for x in sides) else _arithmetic(found.operator, *sides)
    return _condition(found, ranges)


def on_axis(value: Any, kind: pa.DataType) -> float | None:
    """A literal of type `kind` as a number; None where that type has no order of numbers."""
    if isinstance(value, bool) or not is_ordered(kind):
        return None
    found = scalar(value, kind if isinstance(value, str) else pa.float64())
    return float(to_axis(pa.repeat(found, 1))[0])


def _column(found: Column, ranges: Intervals) -> Interval:
    known = ranges.get(found.name, Interval())
    if pa.types.is_boolean(found.type) and not (known.values is not None and known.values <= BOTH):
        return replace(known, values=BOTH)
    return known


def _literal(found: Literal) -> Interval:
    if found.value is None:
        return NOTHING
    place = on_axis(found.value, found.type)
    if place is None:
        return Interval(values=frozenset([found.value]), missing=False)
    return Interval(place, place, missing=False)


# Arithmetic


def _arithmetic(operator: str, left: Interval, right: Interval) -> Interval:
    missing = left.missing or right.missing
    if operator == "+":
        return _bounded([left.low + right.low, left.high + right.high], missing)
    if operator == "-":
        return _bounded([left.low - right.high, left.high - right.low], missing)
    a = np.array([left.low, left.high])[:, None]
    b = np.array([right.low, right.high])[None]
    with np.errstate(all="ignore"):
        if operator == "*":
            return _bounded(a * b, missing)
        if right.low < 0 < right.high:
            return Interval()
        b = np.array([right.low + 0.0, -abs(right.high) if right.high == 0 else right.high])[None]
        return _bounded(np.where(a == 0, 0.0, a / b), missing or right.low * right.high == 0)


def _bounded(corners: Any, missing: bool) -> Interval:
    if np.isnan(corners).any():
        return Interval(missing=missing)
    return Interval(float(np.min(corners)), float(np.max(corners)), missing=missing)


# Conditions


def _condition(found: Expression, ranges: Intervals) -> Interval:
    """Which truth values a condition can have."""
    if isinstance(found, Not):
        inner = range_of(found.operand, ranges)
        return replace(inner, values=frozenset(not x for x in _truths(inner)))
    if isinstance(found, Junction):
        parts = [range_of(x, ranges) for x in found.parts]
        decides = found.operator == "or"  # true alone makes `or` true; false alone `and` false
        can = {decides: any, not decides: all}
        values = frozenset(x for x in BOTH if can[x](x in _truths(p) for p in parts))
        return Interval(values=values, missing=any(p.missing for p in parts))
    if isinstance(found, Comparison):
        return _comparison(found, ranges)
    if isinstance(found, IsNull):
        inner = range_of(found.operand, ranges)
        null = {True} if inner.empty else BOTH if inner.missing else {False}
        return Interval(values=frozenset(x != found.negated for x in null), missing=False)
    assert isinstance(found, In)
    inner = range_of(found.operand, ranges)
    listed = [_literal(v) for v in found.values]
    exact = _exact([found.operand.type], [inner, *listed])
    each = [_compared("=", inner, v, exact) for v in listed]
    values = frozenset(x for x, can in ((True, any), (False, all)) if can(x in v for v in each))
    return Interval(values=values, missing=inner.missing)


def _truths(found: Interval) -> frozenset[bool]:
    return BOTH if found.values is None else found.values


def _comparison(found: Comparison, ranges: Intervals) -> Interval:
    left, right = range_of(found.left, ranges), range_of(found.right, ranges)
    kinds = found.left.type, found.right.type
    if _zoned(kinds) and any(pa.types.is_date(t) for t in kinds):  # a day begins in the zone
        left, right = _wider(left), _wider(right)
    values = _compared(found.operator, left, right, _exact(kinds, (left, right)))
    return Interval(values=values, missing=left.missing or right.missing)


def _exact(kinds: Iterable[pa.DataType], sides: Iterable[Interval]) -> bool:
    """Whether different values have different places on the axis."""
    fine = any(getattr(t, "unit", "") == "ns" for t in kinds)
    ends = [end for x in sides for end in (x.low, x.high)]
    return not fine and all(abs(end) < _EXACT or np.isinf(end) for end in ends)


def _compared(operator: str, left: Interval, right: Interval, exact: bool) -> frozenset[bool]:
    """Which truth values a comparison can have."""
    if left.empty or right.empty:
        return frozenset()
    if left.values is not None or right.values is not None:
        if left.values is None or right.values is None:
            return BOTH
        return frozenset(_COMPARED[operator](a, b) for a in left.values for b in right.values)
    below, above = left.low < right.high, left.high > right.low
    meet = left.low <= right.high and left.high >= right.low
    one = left.low == left.high == right.low == right.high
    can = {
        "<": (below, left.high >= right.low),
        ">": (above, left.low <= right.high),
        "=": (meet, not one),
    }
    turned = {">=": "<", "<=": ">", "<>": "="}
    true, false = can[operator] if operator in can else can[turned[operator]][::-1]
    if not exact and meet:
        return BOTH
    return frozenset(x for x, possible in ((True, true), (False, false)) if possible)


_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


# Functions

_RISES, _FALLS = 1, -1
_MONOTONE = {  # how each argument moves the value
    **dict.fromkeys(["exp", "log", "log10", "sqrt", "floor", "ceil", "sign"], (_RISES,)),
    **dict.fromkeys(["year", "date"], (_RISES,)),
    **dict.fromkeys(["add_days", "add_hours", "add_seconds"], (_RISES, _RISES)),
    **dict.fromkeys(["days_between", "hours_between", "seconds_between"], (_FALLS, _RISES)),
    "age": (_FALLS, _RISES),
    "round": (_RISES, _RISES),
}
_FROM = {"log": 0.0, "log10": 0.0, "sqrt": 0.0}  # where the domain begins
_WITHIN = {
    "month": (1, 12),
    "day": (1, 31),
    "weekday": (1, 7),
    "hour": (0, 23),
    "minute": (0, 59),
    "sin": (-1, 1),
    "cos": (-1, 1),
}


def _call(found: Call, given: list[Interval]) -> Interval:
    name = found.function
    if name == "if":
        condition = _truths(given[0])
        other = given[0].missing or False in condition
        branches = [
            x for x, taken in zip(given[1:], (True in condition, other), strict=True) if taken
        ]
        return reduce(Interval.__or__, branches, NOTHING)
    if name == "coalesce":
        present = next((i for i, x in enumerate(given) if not x.missing), len(given) - 1)
        chosen = reduce(Interval.__or__, given[: present + 1])
        return replace(chosen, missing=given[present].missing)
    if any(x.empty for x in given):
        return NOTHING
    missing = any(x.missing for x in given)
    texts = _of_texts(found, given, missing)
    if texts is not None:
        return texts
    if name in _MONOTONE:
        return _monotone(found, given)
    if name in _WITHIN:
        return Interval(*_WITHIN[name], missing=missing)
    if name in _NUMERIC and is_ordered(found.type):
        return _NUMERIC[name](given, missing)
    return Interval(0.0 if name == "length" else -np.inf, missing=missing)


def _of_texts(found: Call, given: list[Interval], missing: bool) -> Interval | None:
    """A function of a few known texts, by trying each."""
    sets = [x.values for x in given]
    if None in sets or np.prod([len(s or ()) for s in sets]) > _MOST:
        return None
    function = FUNCTIONS[found.function]
    results = []
    for values in product(*(s or () for s in sets)):
        scalars = (pa.scalar(v, x.type) for v, x in zip(values, found.arguments, strict=True))
        results.append(function.compute(*scalars).as_py())
    if is_ordered(found.type):
        return _bounded(np.array(results, float), missing)
    return Interval(values=frozenset(results), missing=missing)


def _monotone(found: Call, given: list[Interval]) -> Interval:
    """By the function itself at the corners; unbounded where it has no value there."""
    name = found.function
    kinds = [x.type for x in found.arguments]
    if _zoned(kinds):  # clocks are turned back
        stamps = [pa.types.is_timestamp(t) for t in kinds]
        given = [_wider(x) if wide else x for x, wide in zip(given, stamps, strict=True)]
    missing = any(x.missing for x in given)
    start = _FROM.get(name)
    if start is not None:
        if given[0].high < start:
            return NOTHING
        missing = missing or given[0].low <= start
        given = [replace(given[0], low=max(given[0].low, start))]
    ways = _MONOTONE[name][: len(given)]
    low = _at(found, [x.low if w > 0 else x.high for x, w in zip(given, ways, strict=True)])
    high = _at(found, [x.high if w > 0 else x.low for x, w in zip(given, ways, strict=True)])
    beyond = low is None or high is None
    low, high = (-np.inf if low is None else low), (np.inf if high is None else high)
    return _loose(Interval(low, high, missing=missing or beyond))


def _at(found: Call, places: list[float]) -> float | None:
    """The value for arguments at places on their axes."""
    values = []
    for place, argument in zip(places, found.arguments, strict=True):
        kind = argument.type
        if isinstance(argument, Literal) and pa.types.is_integer(kind):
            values.append(pa.scalar(argument.value, kind))  # digits
        elif pa.types.is_temporal(kind):
            if not abs(place) < _LAST:
                return None
            values.append(from_axis(np.array([place]), kind)[0])
        else:
            values.append(pa.scalar(place, pa.float64()))
    result = FUNCTIONS[found.function].compute(*values)
    reached = float(to_axis(pa.repeat(result, 1))[0])
    return None if np.isnan(reached) else reached


def _zoned(kinds: Any) -> bool:
    return any(pa.types.is_timestamp(t) and t.tz for t in kinds)


def _wider(found: Interval) -> Interval:
    return replace(found, low=found.low - _DAY, high=found.high + _DAY)


def _loose(found: Interval) -> Interval:
    """With room for the last digits, in which libraries of functions differ."""
    room = [1e-14 * abs(x) if np.isfinite(x) else 0.0 for x in (found.low, found.high)]
    return replace(found, low=found.low - room[0], high=found.high + room[1])


def _abs(given: list[Interval], missing: bool) -> Interval:
    x = given[0]
    low = 0.0 if x.low <= 0 <= x.high else min(abs(x.low), abs(x.high))
    return Interval(low, max(abs(x.low), abs(x.high)), missing=missing)


def _least(given: list[Interval], missing: bool) -> Interval:
    return Interval(min(x.low for x in given), min(x.high for x in given), missing=missing)


def _most(given: list[Interval], missing: bool) -> Interval:
    return Interval(max(x.low for x in given), max(x.high for x in given), missing=missing)


def _clip(given: list[Interval], missing: bool) -> Interval:
    x, low, high = given
    return _most([low, _least([x, high], missing)], missing)


def _mod(given: list[Interval], missing: bool) -> Interval:
    a, b = given
    most = max(abs(b.low), abs(b.high))
    low = 0.0 if a.low >= 0 else max(-most, a.low)
    high = 0.0 if a.high <= 0 else min(most, a.high)
    return Interval(low, high, missing=missing or b.low <= 0 <= b.high)


def _power(given: list[Interval], missing: bool) -> Interval:
    base, exponent = given
    fixed = exponent.low == exponent.high and float(exponent.low).is_integer()
    if (base.low < 0 and not (fixed and exponent.low >= 0)) or base.low <= 0 > exponent.low:
        return Interval()
    with np.errstate(all="ignore"):
        corners = [
            np.power(a, b) for a in (base.low, base.high) for b in (exponent.low, exponent.high)
        ]
    if base.low < 0 < base.high:
        corners.append(0.0 if exponent.low else 1.0)
    return _loose(_bounded(np.array(corners), missing))


_NUMERIC: dict[str, Callable[[list[Interval], bool], Interval]] = {
    "abs": _abs,
    "min": _least,
    "max": _most,
    "clip": _clip,
    "mod": _mod,
    "pow": _power,
}
