"""An interval: what a value may be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

BOTH = frozenset([True, False])
_DAY_US = 86_400e6


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


def bounded(corners: Any, missing: bool) -> Interval:
    """From the least to the largest of some numbers; anything where one of them is unknown."""
    if np.isnan(corners).any():
        return Interval(missing=missing)
    return Interval(float(np.min(corners)), float(np.max(corners)), missing=missing)


def truths(found: Interval) -> frozenset[bool]:
    """Which truth values it may be."""
    return BOTH if found.values is None else found.values


def zoned(kinds: Iterable[pa.DataType]) -> bool:
    """Whether one of the types is of time stamps with a zone."""
    return any(pa.types.is_timestamp(t) and t.tz for t in kinds)


def wider(found: Interval) -> Interval:
    """With a day more at each end: no zone is further from another."""
    return replace(found, low=found.low - _DAY_US, high=found.high + _DAY_US)
