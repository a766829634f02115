"""The functions that an expression may call: what each takes, what it gives, how it is computed.

    if(condition, a, b)  coalesce(a, b, …)                        a choice; b where it is missing
    abs  round(x[, digits])  floor  ceil  sign                    whole numbers, but for digits
    exp  log  log10  sqrt  sin  cos  pow(a, b)  mod(a, b)         log is to base e
    min(a, b, …)  max(a, b, …)  clip(x, low, high)                within a row, not over rows
    year  month  day  weekday  hour  minute  date(t)              Monday is 1; in the column's zone
    add_days(d, n)  add_hours(t, n)  add_seconds(t, n)            a day is 24 hours
    days_between(a, b)  hours_between  seconds_between            b - a, with fractions
    age(born, at)                                                 whole years, as birthdays count
    concat(a, …)  text(x)  lower  upper  length                   length in characters

Halves are rounded away from zero, and `mod` has the sign of `a`, as in SQL. A date plus a part of
a day is the day that it falls in. What is outside of a domain is missing: the logarithm of 0, the
root of -1, a moment before the year 1 or after 9999, a whole number beyond 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.expressions.kinds import (
    DATE,
    MISSING,
    MOMENTS,
    NUMBER,
    STAMP,
    TEXT,
    TIME,
    TRUTH,
    Value,
    cast,
    common,
    floats,
)

DIGITS = "a whole number from -15 to 15, written out"  # a kind that only a literal can have
_ANY = (NUMBER, TEXT, TRUTH, *MOMENTS)
_DAYS = (DATE, STAMP)
_ORDERED = (NUMBER, TEXT, *MOMENTS)
_FLOAT, _WHOLE = pa.float64(), pa.int64()
_TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # a second
_DAY, _HOUR = 86_400, 3_600
_FIRST, _LAST = -719_162, 2_932_896  # days from 1970 to the first of the year 1, the last of 9999

Types = Sequence[pa.DataType]


@dataclass(frozen=True)
class Function:
    """One function: `takes` has the kinds allowed for each argument, in the words of `kinds`."""

    usage: str
    takes: tuple[tuple[str, ...], ...]
    gives: Callable[[Types], pa.DataType]
    compute: Callable[..., Value]
    optional: int = 0  # how many of the last arguments may be left out
    more: bool = False  # whether the last argument may be repeated
    alike: int | None = None  # from this argument on, all are of one kind, and so is the result

    @property
    def name(self) -> str:
        return self.usage.partition("(")[0]

    @property
    def most(self) -> float:
        return np.inf if self.more else len(self.takes)

    @property
    def least(self) -> int:
        return len(self.takes) - self.optional

    def kinds(self, place: int) -> tuple[str, ...]:
        """What may stand as the argument at `place`."""
        return self.takes[min(place, len(self.takes) - 1)]


# What comes out


def _always(kind: pa.DataType) -> Callable[[Types], pa.DataType]:
    return lambda types: kind


def _common(types: Types) -> pa.DataType:
    found = types[0]
    for kind in types[1:]:
        found = common(found, kind)
    return found


def _same(types: Types) -> pa.DataType:
    return types[0]


def _stamp(types: Types) -> pa.DataType:
    return pa.timestamp("us") if pa.types.is_date(types[0]) else types[0]


# How it is computed


def _where(kept: Value, value: Value) -> Value:
    return pc.if_else(kept, value, pa.scalar(None, value.type))


def _choose(condition: Value, one: Value, other: Value) -> Value:
    return pc.if_else(pc.fill_null(condition, False), one, other)


def _to_whole(function: Callable[[Value], Value]) -> Callable[[Value], Value]:
    return lambda x: x if pa.types.is_integer(x.type) else _whole(function(x))


def _whole(x: Value) -> Value:
    """Floats without a fraction as 64-bit whole numbers; those beyond are missing."""
    if pa.types.is_floating(x.type):
        x = _where(pc.less(pc.abs(x), 2.0**63), x)
    return x.cast(_WHOLE, safe=False)


def _round(x: Value, digits: pa.Scalar | None = None) -> Value:
    if digits is None:
        return _to_whole(partial(pc.round, round_mode="half_towards_infinity"))(x)
    return pc.round(floats(x), digits.as_py(), round_mode="half_towards_infinity")


def _above_zero(function: Callable[[Value], Value]) -> Callable[[Value], Value]:
    return lambda x: _where(pc.greater(x, 0), function(floats(x)))


def _sqrt(x: Value) -> Value:
    return _where(pc.greater_equal(x, 0), pc.sqrt(floats(x)))


def _on_floats(function: Callable[[Value], Value]) -> Callable[[Value], Value]:
    return lambda x: function(floats(x))


def _power(base: Value, exponent: Value) -> Value:
    base, exponent = floats(base), floats(exponent)
    found = pc.power(base, exponent)
    pole = pc.and_(pc.equal(base, 0), pc.less(exponent, 0))
    return _where(pc.invert(pc.or_(pc.is_nan(found), pole)), found)


def _mod(a: Value, b: Value) -> Value:
    if pa.types.is_integer(a.type):
        b = _where(pc.not_equal(b, 0), b)
        return pc.subtract(a, pc.multiply(b, pc.divide(a, b)))
    with np.errstate(invalid="ignore"):
        found = np.fmod(_numpy(a), _numpy(b))
    if found.ndim:
        return pa.array(found, from_pandas=True)
    return pa.scalar(None if np.isnan(found) else float(found), _FLOAT)


def _numpy(x: Value) -> np.ndarray:
    if isinstance(x, pa.Scalar):
        return np.asarray(np.nan if x.as_py() is None else x.as_py(), np.float64)
    return np.asarray(x.to_numpy(zero_copy_only=False))


def _clip(x: Value, low: Value, high: Value) -> Value:
    return _max(low, _min(x, high))


def _min(*values: Value) -> Value:
    return pc.min_element_wise(*values, skip_nulls=False)


def _max(*values: Value) -> Value:
    return pc.max_element_wise(*values, skip_nulls=False)


def _date(x: Value) -> Value:
    return x.cast(pa.date32())


def _later(seconds: int, start: Value, count: Value) -> Value:
    """The moment `count` times `seconds` after `start`; of a date, by whole days only."""
    kind = _same([start.type]) if seconds == _DAY else _stamp([start.type])
    start = cast(start, kind)
    days = pa.types.is_date(kind)
    ticks = 1 if days else _TICKS[kind.unit]
    step = 1 if days else seconds * ticks
    count = _where(_in_time(start, count, step, ticks, days), count)
    if pa.types.is_integer(count.type):
        steps = pc.multiply(count, step)
    else:
        steps = _whole((pc.floor if days else pc.round)(pc.multiply(count, float(step))))
    found = pc.add(_since_1970(start), steps)
    return found.cast(pa.int32(), safe=False).cast(kind) if days else found.cast(kind)


def _in_time(start: Value, count: Value, step: int, ticks: int, days: bool) -> Value:
    """Where the sum stays within the years 1 to 9999, and within 64 bits."""
    reach = pc.add(floats(_since_1970(start)), pc.multiply(floats(count), float(step)))
    day = 1 if days else _DAY * ticks
    first, last = max(float(_FIRST * day), -9.2e18), min(float(_LAST * day), 9.2e18)
    return pc.and_(pc.greater_equal(reach, first), pc.less(reach, last))


def _since_1970(x: Value) -> Value:
    return (x.cast(pa.int32()) if pa.types.is_date(x.type) else x).cast(_WHOLE)


def _between(seconds: int, start: Value, end: Value) -> Value:
    kind = common(start.type, end.type)
    if pa.types.is_date(kind) and seconds == _DAY:
        return pc.subtract(_since_1970(end), _since_1970(start))
    kind = pa.timestamp("s") if pa.types.is_date(kind) else kind
    ticks = pc.subtract(_since_1970(cast(end, kind)), _since_1970(cast(start, kind)))
    return pc.divide(floats(ticks), float(seconds * _TICKS[kind.unit]))


def _age(born: Value, at: Value) -> Value:
    def birthday(x: Value) -> Value:
        return pc.add(pc.multiply(pc.month(x), 100), pc.day(x))

    ahead = pc.less(birthday(at), birthday(born)).cast(_WHOLE)
    return pc.subtract(pc.subtract(pc.year(at), pc.year(born)), ahead)


def _text(x: Value) -> Value:
    if pa.types.is_floating(x.type):
        x = pc.add(x, 0.0)  # -0.0 is 0
    if pa.types.is_timestamp(x.type) and x.type.tz:
        x = pc.local_timestamp(x)
    found = x.cast(pa.string())
    if pa.types.is_timestamp(x.type) or pa.types.is_time(x.type):
        found = pc.replace_substring_regex(found, r"\.0+$", "")
    return found


def _concat(*values: Value) -> Value:
    return pc.binary_join_element_wise(*map(_text, values), "")


# The list


def _numeric(usage: str, compute: Callable[..., Value], kind: pa.DataType = _FLOAT) -> Function:
    arguments = usage.count(",") + 1
    return Function(usage, ((NUMBER,),) * arguments, _always(kind), compute)


def _part(usage: str, compute: Callable[..., Value], *kinds: str) -> Function:
    return Function(usage, (kinds,), _always(_WHOLE), compute)


def _written(usage: str, compute: Callable[..., Value], *kinds: str) -> Function:
    return Function(usage, (kinds,), _always(pa.string()), compute)


def _days_between(types: Types) -> pa.DataType:
    return _WHOLE if all(pa.types.is_date(t) for t in types) else _FLOAT


_LISTED = (
    Function(
        "if(condition, a, b)",
        ((TRUTH,), (*_ANY, MISSING), (*_ANY, MISSING)),
        lambda types: _common(types[1:]),
        _choose,
        alike=1,
    ),
    Function("coalesce(a, b, …)", (_ANY, _ANY), _common, pc.coalesce, more=True, alike=0),
    Function("abs(x)", ((NUMBER,),), _same, pc.abs),
    Function(
        "round(x[, digits])",
        ((NUMBER,), (DIGITS,)),
        lambda types: _WHOLE if len(types) == 1 else _FLOAT,
        _round,
        optional=1,
    ),
    _numeric("floor(x)", _to_whole(pc.floor), _WHOLE),
    _numeric("ceil(x)", _to_whole(pc.ceil), _WHOLE),
    _numeric("sign(x)", lambda x: _whole(pc.sign(x)), _WHOLE),
    _numeric("exp(x)", _on_floats(pc.exp)),
    _numeric("log(x)", _above_zero(pc.ln)),
    _numeric("log10(x)", _above_zero(pc.log10)),
    _numeric("sqrt(x)", _sqrt),
    _numeric("sin(x)", _on_floats(pc.sin)),
    _numeric("cos(x)", _on_floats(pc.cos)),
    _numeric("pow(a, b)", _power),
    Function("mod(a, b)", ((NUMBER,), (NUMBER,)), _common, _mod, alike=0),
    Function("min(a, b, …)", (_ORDERED, _ORDERED), _common, _min, more=True, alike=0),
    Function("max(a, b, …)", (_ORDERED, _ORDERED), _common, _max, more=True, alike=0),
    Function("clip(x, low, high)", ((NUMBER, *MOMENTS),) * 3, _common, _clip, alike=0),
    _part("year(d)", pc.year, *_DAYS),
    _part("month(d)", pc.month, *_DAYS),
    _part("day(d)", pc.day, *_DAYS),
    _part("weekday(d)", partial(pc.day_of_week, count_from_zero=False, week_start=1), *_DAYS),
    _part("hour(t)", pc.hour, STAMP, TIME),
    _part("minute(t)", pc.minute, STAMP, TIME),
    Function("date(t)", (_DAYS,), _always(pa.date32()), _date),
    Function("add_days(d, n)", (_DAYS, (NUMBER,)), _same, partial(_later, _DAY)),
    Function("add_hours(t, n)", (_DAYS, (NUMBER,)), _stamp, partial(_later, _HOUR)),
    Function("add_seconds(t, n)", (_DAYS, (NUMBER,)), _stamp, partial(_later, 1)),
    Function("days_between(a, b)", (_DAYS, _DAYS), _days_between, partial(_between, _DAY)),
    Function("hours_between(a, b)", (_DAYS, _DAYS), _always(_FLOAT), partial(_between, _HOUR)),
    Function("seconds_between(a, b)", (_DAYS, _DAYS), _always(_FLOAT), partial(_between, 1)),
    Function("age(born, at)", (_DAYS, _DAYS), _always(_WHOLE), _age),
    Function("concat(a, …)", (_ANY,), _always(pa.string()), _concat, more=True),
    _written("text(x)", _text, *_ANY),
    _written("lower(x)", pc.utf8_lower, TEXT),
    _written("upper(x)", pc.utf8_upper, TEXT),
    _part("length(x)", pc.utf8_length, TEXT),
)
FUNCTIONS = {function.name: function for function in _LISTED}

# What other languages call them.
ELSEWHERE: dict[str, str] = {
    **dict.fromkeys(["ln", "loge"], "log"),
    **dict.fromkeys(["iff", "iif", "case", "where", "ifelse"], "if"),
    **dict.fromkeys(["ifnull", "nvl", "isnull"], "coalesce"),
    **dict.fromkeys(["power", "sqr"], "pow"),
    **dict.fromkeys(["len", "strlen", "char_length"], "length"),
    **dict.fromkeys(["str", "string", "cast"], "text"),
    **dict.fromkeys(["datediff", "date_diff"], "days_between"),
    **dict.fromkeys(["dateadd", "date_add"], "add_days"),
    **dict.fromkeys(["dayofweek", "dow"], "weekday"),
    "ceiling": "ceil",
    "clamp": "clip",
    "least": "min",
    "greatest": "max",
    "trunc": "floor",
}
