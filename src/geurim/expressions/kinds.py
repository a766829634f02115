"""The types of an expression's values: in which one they are read, compared and written."""

from __future__ import annotations

import datetime as dt
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

Value: TypeAlias = pa.Array | pa.Scalar

NUMBER, TEXT, TRUTH, MISSING = "a number", "text", "a truth value", "missing"
DATE, STAMP, TIME = "a date", "a time stamp", "a time"
MOMENTS = (DATE, STAMP, TIME)
_UNITS = ("s", "ms", "us", "ns")


def normal(kind: pa.DataType) -> pa.DataType:
    """The type that a column of type `kind` is read in."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_integer(kind) and not pa.types.is_uint64(kind):
        return pa.int64()
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    return pa.date32() if pa.types.is_date64(kind) else kind


def kind_of(kind: pa.DataType) -> str:
    """What a value of this type is, in words; what may be compared has the same words."""
    tests = {
        NUMBER: lambda t: pa.types.is_integer(t) or pa.types.is_floating(t),
        TEXT: pa.types.is_string,
        TRUTH: pa.types.is_boolean,
        DATE: pa.types.is_date,
        STAMP: pa.types.is_timestamp,
        TIME: pa.types.is_time,
        MISSING: pa.types.is_null,
    }
    return next((words for words, test in tests.items() if test(kind)), "other")


def is_moment(kind: pa.DataType) -> bool:
    """Whether values of this type are dates, time stamps or times of day."""
    return kind_of(kind) in MOMENTS


def common(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """The type in which values of two types of one kind are compared."""
    if one == other:
        return one
    if kind_of(one) == NUMBER:
        return pa.float64()
    if kind_of(one) == TIME:
        return pa.time64("ns")
    stamps = [t for t in (one, other) if pa.types.is_timestamp(t)]
    return max(stamps, key=lambda t: _UNITS.index(t.unit))


def cast(value: Value, kind: pa.DataType) -> Value:
    """The value in type `kind`; a date becomes the moment at which the day begins."""
    if value.type == kind:
        return value
    if pa.types.is_date(value.type) and pa.types.is_timestamp(kind) and kind.tz:
        # A day begins where the time stamps' own zone says so.
        naive = value.cast(pa.timestamp(kind.unit))
        return pc.assume_timezone(naive, kind.tz, ambiguous="earliest", nonexistent="earliest")
    return value.cast(kind, safe=not pa.types.is_floating(kind))


def scalar(value: int | float | str | bool | None, kind: pa.DataType) -> pa.Scalar:
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


def floats(value: Value) -> Value:
    """A number in float64; a whole number beyond 2^53 is rounded."""
    return value.cast(pa.float64(), safe=False)
