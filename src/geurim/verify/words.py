"""Values in words: places on an axis, levels of a column."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa

from geurim.html import number
from geurim.verify.tables import Cut


def _time(value: float, unit: str) -> str:
    if not np.isfinite(value) or abs(value) > 9e18:
        return number(value)
    return str(np.datetime64(int(value), "us").astype(f"datetime64[{unit}]"))


AXES: Mapping[str, Callable[[float], str]] = {
    "number": lambda v: number(v, 4),
    "date": lambda v: _time(v, "D"),
    "timestamp": lambda v: _time(v, "m").replace("T", " "),
    "time": lambda v: _time(v, "s")[11:],
    "duration": lambda v: f"{number(v / 1e6)} s",
}
"""How a place on an axis is written, by kind of axis."""


def axis_kind(kind: pa.DataType) -> str:
    """The kind of axis of an Arrow type, a key of AXES."""
    if pa.types.is_date(kind):
        return "date"
    if pa.types.is_timestamp(kind):
        return "timestamp"
    if pa.types.is_time(kind):
        return "time"
    return "duration" if pa.types.is_duration(kind) else "number"


def axis_text(kind: pa.DataType) -> Callable[[float], str]:
    """How a place on the axis of this Arrow type is written."""
    return AXES[axis_kind(kind)]


def value_text(levels: Cut, at: int, write: Callable[[float], str]) -> str:
    """A level of a cut column in words."""
    column = levels.column
    if at == 0:
        return "missing"
    if column.kind == "codes":
        assert column.categories is not None
        if at <= levels.tops:
            return repr(str(column.categories[at - 1].as_py())[:60])
        return "other values"
    edges = levels.edges
    if not len(edges):
        return "all values"
    if at == 1:
        return f"up to {write(edges[0])}"
    if at == len(edges) + 1:
        return f"above {write(edges[-1])}"
    return f"above {write(edges[at - 2])} up to {write(edges[at - 1])}"


def seen_share(values: np.ndarray, among: np.ndarray) -> float:
    """Share of the values present that occur exactly in `among`."""
    present = values[~np.isnan(values)]
    if not len(present):
        return 1.0
    return float(np.isin(present, among).mean())
