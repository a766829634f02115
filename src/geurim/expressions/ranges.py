"""Within which bounds an expression stays, given those of its columns: interval arithmetic.

    range_of(parse_value("log(income) - age", schema), {"income": Interval(1, 1e6), …})

The bounds are certain, not tight: every value that the expression has for values within the
columns' intervals is inside. They hold what is finite; a number that grows beyond float64 in
between (1e308 * 10) is not reckoned with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from geurim.columns import is_ordered, to_axis
from geurim.expressions.call_ranges import range_of_call
from geurim.expressions.interval import (
    BOTH,
    NOTHING,
    Interval,
    Intervals,
    bounded,
    truths,
    wider,
    zoned,
)
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


def range_of(found: Expression, ranges: Intervals) -> Interval:
    """What an expression can be, where its columns stay in `ranges`; others may be anything."""
    if isinstance(found, Column):
        return _column(found, ranges)
    if isinstance(found, Literal):
        return _literal(found)
    if isinstance(found, Call):
        return range_of_call(found, [range_of(x, ranges) for x in found.arguments])
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
        return bounded([left.low + right.low, left.high + right.high], missing)
    if operator == "-":
        return bounded([left.low - right.high, left.high - right.low], missing)
    a = np.array([left.low, left.high])[:, None]
    b = np.array([right.low, right.high])[None]
    with np.errstate(all="ignore"):
        if operator == "*":
            return bounded(a * b, missing)
        if right.low < 0 < right.high:
            return Interval()
        b = np.array([right.low + 0.0, -0.0 if right.high == 0 else right.high])[None]
        return bounded(np.where(a == 0, 0.0, a / b), missing or right.low * right.high == 0)


# Conditions


def _condition(found: Expression, ranges: Intervals) -> Interval:
    """Which truth values a condition can have."""
    if isinstance(found, Not):
        inner = range_of(found.operand, ranges)
        return replace(inner, values=frozenset(not x for x in truths(inner)))
    if isinstance(found, Junction):
        parts = [range_of(x, ranges) for x in found.parts]
        decides = found.operator == "or"  # true alone makes `or` true; false alone `and` false
        can = {decides: any, not decides: all}
        values = frozenset(x for x in BOTH if can[x](x in truths(p) for p in parts))
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


def _comparison(found: Comparison, ranges: Intervals) -> Interval:
    left, right = range_of(found.left, ranges), range_of(found.right, ranges)
    kinds = found.left.type, found.right.type
    if zoned(kinds) and any(pa.types.is_date(t) for t in kinds):  # a day begins in the zone
        left, right = wider(left), wider(right)
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
