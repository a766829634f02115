"""What a function of an expression can give, for what its arguments can be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from itertools import product

import numpy as np
import pyarrow as pa

from geurim.columns import from_axis, is_ordered, to_axis
from geurim.expressions.functions import FUNCTIONS
from geurim.expressions.interval import NOTHING, Interval, bounded, truths, wider, zoned
from geurim.expressions.nodes import Call, Literal

_LAST_US = 3e17  # from 1970 to about the year 11,000
_MOST = 64  # combinations of texts looked at
_RISES, _FALLS = 1, -1
_MONOTONE = {  # how each argument moves the value
    **dict.fromkeys(["exp", "log", "log10", "sqrt", "floor", "ceil", "sign"], (_RISES,)),
    **dict.fromkeys(["year", "date"], (_RISES,)),
    **dict.fromkeys(["add_days", "add_hours", "add_seconds"], (_RISES, _RISES)),
    **dict.fromkeys(["days_between", "hours_between", "seconds_between"], (_FALLS, _RISES)),
    "age": (_FALLS, _RISES),
    "round": (_RISES, _RISES),
}
_EXACT = ("floor", "ceil", "sign", "sqrt", "year", "date", "age", "days_between")
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


def range_of_call(found: Call, given: list[Interval]) -> Interval:
    """What a function can give, for what its arguments can be."""
    name = found.function
    if name == "if":
        condition = truths(given[0])
        other = given[0].missing or condition != {True}
        branches = [
            x for x, taken in zip(given[1:], (True in condition, other), strict=True) if taken
        ]
        return reduce(Interval.__or__, branches)
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
        return bounded(np.array(_WITHIN[name], float), missing)
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
        return bounded(np.array(results, float), missing)
    return Interval(values=frozenset(results), missing=missing)


def _monotone(found: Call, given: list[Interval]) -> Interval:
    """By the function itself at the corners; unbounded where it has no value there."""
    name = found.function
    kinds = [x.type for x in found.arguments]
    if zoned(kinds):  # clocks are turned back
        stamps = [pa.types.is_timestamp(t) for t in kinds]
        given = [wider(x) if wide else x for x, wide in zip(given, stamps, strict=True)]
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
    bounds = Interval(low, high, missing=missing or beyond)
    return bounds if name in _EXACT else _loose(bounds)


def _at(found: Call, places: list[float]) -> float | None:
    """The value for arguments at places on their axes."""
    values = []
    for place, argument in zip(places, found.arguments, strict=True):
        kind = argument.type
        if isinstance(argument, Literal) and pa.types.is_integer(kind):
            values.append(pa.scalar(argument.value, kind))  # digits
        elif pa.types.is_temporal(kind):
            if not abs(place) < _LAST_US:
                return None
            values.append(from_axis(np.array([place]), kind)[0])
        else:
            values.append(pa.scalar(place, pa.float64()))
    result = FUNCTIONS[found.function].compute(*values)
    reached = float(to_axis(pa.repeat(result, 1))[0])
    return None if np.isnan(reached) else reached


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
    return _loose(bounded(np.array(corners), missing))


_NUMERIC: dict[str, Callable[[list[Interval], bool], Interval]] = {
    "abs": _abs,
    "min": _least,
    "max": _most,
    "clip": _clip,
    "mod": _mod,
    "pow": _power,
}
