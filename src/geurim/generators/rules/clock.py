"""The world's time: a period, and seconds since its start for those who compute."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

_UTC = dt.UTC
_EPOCH = dt.datetime(1970, 1, 1)


@dataclass(frozen=True)
class Clock:
    """A period, `end` excluded, and the finest step of what happens in it."""

    start: dt.datetime
    end: dt.datetime
    step_s: float = 1.0

    @property
    def length_s(self) -> float:
        return (self.end - self.start).total_seconds()

    def moments(self, seconds: np.ndarray) -> pa.Array:
        """Seconds since the start (N,) as time stamps, cut to the step; NaN is missing."""
        lost = np.isnan(seconds)
        steps = np.floor(np.where(lost, 0.0, seconds) / self.step_s)
        since = np.round(steps * self.step_s * 1e6).astype(np.int64) + micros(self.start)
        return pa.array(since, pa.int64(), mask=lost).cast(pa.timestamp("us"))

    def seconds(self, moments: pa.Array) -> np.ndarray:
        """Dates or time stamps (N,) as seconds since the start; missing is NaN."""
        found = moments.cast(pa.timestamp("us")).cast(pa.int64())
        lost = found.is_null().to_numpy(zero_copy_only=False)
        since = found.fill_null(0).to_numpy(zero_copy_only=False) - micros(self.start)
        return np.where(lost, np.nan, since / 1e6)


def micros(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // dt.timedelta(microseconds=1)


def moment(value: dt.date) -> dt.datetime:
    """A date as its midnight; a time stamp without its zone."""
    if isinstance(value, dt.datetime):
        return value.astimezone(_UTC).replace(tzinfo=None) if value.tzinfo else value
    return dt.datetime(value.year, value.month, value.day)
