"""One view of a column for everybody: numbers on a float axis, categories as codes.

Times become microseconds since 1970 (dates and times of day likewise), booleans and strings are
categories. `to_axis` and `from_axis` are each other's inverse up to float64.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_US = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 0.001}


def is_number(kind: pa.DataType) -> bool:
    """Whether values of this Arrow type are numbers."""
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def is_time(kind: pa.DataType) -> bool:
    """Whether values of this Arrow type are dates, timestamps, times of day or durations."""
    return bool(pa.types.is_temporal(kind))


def is_ordered(kind: pa.DataType) -> bool:
    """Whether values of this Arrow type lie on an axis."""
    return is_number(kind) or is_time(kind)


def to_axis(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """The column as float64 (N,): numbers as they are, times in microseconds, missing as NaN."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    kind = column.type
    scale = 1.0
    if pa.types.is_date32(kind):
        column, scale = column.cast(pa.int32()), 86_400e6
    elif pa.types.is_date64(kind):
        column, scale = column.cast(pa.int64()), 1_000.0
    elif pa.types.is_time32(kind):
        column, scale = column.cast(pa.int32()), _US[kind.unit]
    elif is_time(kind):
        column, scale = column.cast(pa.int64()), _US[kind.unit]
    if column.type != pa.float64():
        column = column.cast(pa.float64(), safe=False)
    values: np.ndarray = column.to_numpy(zero_copy_only=False)
    return values if scale == 1.0 else values * scale


def from_axis(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    """Back from the axis to a column of type `kind`; NaN becomes missing. Integers are rounded."""
    missing = np.isnan(values)
    mask = missing if missing.any() else None
    if pa.types.is_floating(kind):
        return pa.array(values, pa.float64(), mask=mask).cast(kind, safe=False)
    if pa.types.is_decimal(kind):
        scaled = np.round(values, kind.scale)
        return pa.array(scaled, pa.float64(), mask=mask).cast(kind, safe=False)
    if mask is not None:
        values = np.where(missing, 0.0, values)
    if pa.types.is_integer(kind):
        bounds = np.iinfo(kind.to_pandas_dtype())
        # The float nearest to the largest 64-bit integer lies beyond it.
        top = np.nextafter(float(bounds.max), 0) if kind.bit_width == 64 else bounds.max
        whole = np.clip(np.rint(values), float(bounds.min), top)
        return pa.array(whole.astype(kind.to_pandas_dtype()), kind, mask=mask)
    if pa.types.is_date32(kind):
        return pa.array(np.floor(values / 86_400e6).astype(np.int32), pa.int32(), mask=mask).cast(
            kind
        )
    if pa.types.is_date64(kind):
        days = np.floor(values / 86_400e6).astype(np.int64) * 86_400_000
        return pa.array(days, pa.int64(), mask=mask).cast(kind)
    whole = np.rint(values / _US[kind.unit])
    if pa.types.is_time32(kind):
        return pa.array(whole.astype(np.int32), pa.int32(), mask=mask).cast(kind)
    return pa.array(whole.astype(np.int64), pa.int64(), mask=mask).cast(kind)


def to_codes(column: pa.Array | pa.ChunkedArray, categories: pa.Array) -> np.ndarray:
    """Each value's place in `categories` as int64 (N,); -1 where missing or not among them."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    places = pc.index_in(column, value_set=categories.cast(column.type))
    codes: np.ndarray = pc.fill_null(places, -1).to_numpy(zero_copy_only=False)
    return codes.astype(np.int64, copy=False)
