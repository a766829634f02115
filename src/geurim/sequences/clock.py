"""How time goes on from one event to the next: in gaps, in weeks and weekdays, or in months.

Gaps of hours are learned as they are. Where most events lie days apart, a gap drawn inside a cell
of several days would lose the weekday and the hour; so the weekday comes first, then the number of
weeks, then the time of day, each with its own distribution. Series of months (the first of each)
count months, which have no fixed number of days.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from geurim.columns import is_number

DAY = 86_400e6
GAP, WEEKDAY, WEEKS, TIME_OF_DAY, LATER = "\0gap", "\0weekday", "\0weeks", "\0time", "\0later"


@dataclass(frozen=True, kw_only=True)
class Clock:
    """The way of one time column.

    `mode`: "order" (no time column), "gaps", "days" or "months". `calendar`: times are dates, and
    have hours, weekdays and months. `offset`: months: where in its month every event lies.
    `whole`: days: events have no time of day.
    """

    mode: str
    calendar: bool = False
    offset: float = 0.0
    whole: bool = False

    @classmethod
    def learn(cls, time: np.ndarray | None, starts: np.ndarray, kind: pa.DataType | None) -> Clock:
        if time is None or kind is None:
            return cls(mode="order")
        if is_number(kind):
            return cls(mode="gaps")
        gaps = between(time, starts)
        gaps = gaps[~np.isnan(gaps)]
        inside = time - month_start(month_of(time))
        if len(gaps) and np.ptp(inside) == 0 and gaps.max() > 27 * DAY:
            return cls(mode="months", calendar=True, offset=float(inside[0]))
        steady = len(gaps) and np.unique(gaps).size == 1
        if len(gaps) and np.median(gaps) >= DAY and not steady:
            whole = bool((time % DAY == time[0] % DAY).all())
            return cls(mode="days", calendar=True, whole=whole)
        return cls(mode="gaps", calendar=True)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are drawn before all others of an event."""
        if self.mode == "days":
            return (WEEKDAY, WEEKS) + (() if self.whole else (TIME_OF_DAY, LATER))
        return () if self.mode == "order" else (GAP,)

    def parts(self, time: np.ndarray, starts: np.ndarray) -> dict[str, np.ndarray]:
        """What the columns hold at each event (N,); NaN where a column is not drawn from."""
        gaps = between(time, starts)
        if self.mode == "gaps":
            return {GAP: gaps}
        if self.mode == "months":
            return {GAP: between(month_of(time), starts)}
        days = between(np.floor(time / DAY), starts)
        weekday = np.where(np.isnan(days), np.nan, np.floor(time / DAY) % 7)
        before = np.floor(np.roll(time, 1) / DAY)
        weeks = np.floor((days - ((weekday - before) % 7)) / 7 + 0.5)
        found = {WEEKDAY: weekday, WEEKS: weeks}
        if not self.whole:
            found[TIME_OF_DAY] = np.where(days > 0, time % DAY, np.nan)
            found[LATER] = np.where(days == 0, gaps, np.nan)
        return found

    def next(self, before: np.ndarray, drawn: Mapping[str, np.ndarray]) -> np.ndarray:
        """The time of the next event (N,), from the one before and what was drawn."""
        if self.mode == "gaps":
            return np.asarray(before + np.maximum(drawn[GAP], 0.0))
        if self.mode == "months":
            return np.asarray(
                month_start(month_of(before) + np.maximum(drawn[GAP], 0.0)) + self.offset
            )
        day, inside = np.floor(before / DAY), before % DAY
        days = (drawn[WEEKDAY] - day) % 7 + 7 * np.maximum(drawn[WEEKS], 0.0)
        if not self.whole:
            later = np.minimum(inside + np.maximum(drawn[LATER], 0.0), DAY - 1e6)
            inside = np.where(days > 0, drawn[TIME_OF_DAY], np.maximum(later, inside))
        return np.asarray((day + days) * DAY + inside)

    def snapped(
        self, time: np.ndarray, before: np.ndarray, drawn: np.ndarray, step: float
    ) -> np.ndarray:
        """Any times (N,) after `before` as times of this clock; the time of day is as `drawn`."""
        if self.mode == "days":
            return np.asarray(np.maximum(np.floor(time / DAY) * DAY + drawn % DAY, before))
        if self.mode == "months":
            return np.asarray(np.maximum(month_start(month_of(time)) + self.offset, before))
        return np.asarray(before + np.floor((time - before) / step) * step if step else time)

    def ended(self, time: np.ndarray, before: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Times (N,) moved to the unit's end: where the last event lies."""
        if self.mode != "days":
            return np.asarray(np.maximum(end, before))
        moved = np.floor(end / DAY) * DAY + time % DAY
        return np.asarray(np.maximum(moved, before))


def between(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The difference (N,) to the event before; NaN at each unit's first."""
    found = np.diff(values, prepend=np.nan)
    found[starts[:-1]] = np.nan
    return found


def month_of(time: np.ndarray) -> np.ndarray:
    """Months since 1970 (N,)."""
    days = np.floor(time / DAY).astype("datetime64[D]")
    return np.asarray(days.astype("datetime64[M]").astype(np.int64), np.float64)


def month_start(months: np.ndarray) -> np.ndarray:
    """Times (N,) in microseconds at which months since 1970 begin."""
    found = months.astype(np.int64).astype("datetime64[M]").astype("datetime64[us]")
    return np.asarray(found.astype(np.int64), np.float64)


def calendar(time: np.ndarray) -> dict[str, np.ndarray]:
    """Hour, weekday (0: Thursday), day of the month and month (N,) of times, from 0."""
    days = np.floor(time / DAY)
    month = month_of(time)
    return {
        "hour": np.floor(time % DAY / 3_600e6),
        "weekday": days % 7,
        "day": days - month_start(month) / DAY,
        "month": month % 12,
    }
