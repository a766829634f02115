"""When things happen: hours, weekdays, months, pay days, holidays and growth as one rate over time.

Times are seconds since a world's start, on the clock of the place: there is no zone and no change
to summer time.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from geurim.errors import MissingExtra, SettingError

DAY_S = 86_400.0
Holidays = str | Sequence[dt.date] | None
"""A country as in "KR" or "US-CA", or the dates themselves."""


@dataclass(frozen=True, eq=False)
class Intensity:
    """How often things happen at a time relative to their mean over the period: piecewise constant.

    `rate` (K,) holds between `edges_s` (K + 1,), which ascend from 0; its mean over time is 1 (but
    for `opening`), and nothing happens outside.
    """

    edges_s: np.ndarray
    rate: np.ndarray

    @cached_property
    def _mass(self) -> np.ndarray:
        return np.concatenate([[0.0], np.cumsum(self.rate * np.diff(self.edges_s))])

    @cached_property
    def opens_s(self) -> np.ndarray:
        """When the first open cell from each (K + 1,) on begins, the time after all included."""
        opens = np.append(np.where(self.rate > 0.0, self.edges_s[:-1], np.inf), np.inf)
        return np.asarray(np.minimum.accumulate(opens[::-1])[::-1])

    @cached_property
    def opening(self) -> Intensity:
        """1 while it is open, else 0: its `until` is the open seconds up to a time."""
        return Intensity(self.edges_s, (self.rate > 0.0).astype(float))

    def until(self, time_s: np.ndarray) -> np.ndarray:
        """The rate summed up to each time, in seconds at the mean rate."""
        return np.asarray(np.interp(time_s, self.edges_s, self._mass))

    def when(self, mass_s: np.ndarray) -> np.ndarray:
        """The time at which the rate sums up to each `mass_s`: the inverse of `until`."""
        return np.asarray(np.interp(mass_s, self._mass, self.edges_s))

    def at(self, time_s: np.ndarray) -> np.ndarray:
        """The relative rate at each time; 0 outside of the period."""
        cell = np.searchsorted(self.edges_s, time_s, "right")
        return np.concatenate([[0.0], self.rate, [0.0]])[cell]

    def is_open(self, time_s: np.ndarray) -> np.ndarray:
        """Whether anything can happen at each time."""
        return self.at(time_s) > 0.0

    def next_open(self, time_s: np.ndarray) -> np.ndarray:
        """The first time from each on at which anything can happen; infinite where none is left."""
        cell = np.maximum(np.searchsorted(self.edges_s, time_s, "right") - 1, 0)
        return np.asarray(np.maximum(self.opens_s[cell], time_s))


def intensity(
    start: dt.datetime,
    end: dt.datetime,
    *,
    hours: str | Sequence[float] | Sequence[Sequence[float]] | None = None,
    weekdays: Sequence[float] | None = None,
    months: Sequence[float] | None = None,
    monthdays: Mapping[int, float] | None = None,
    holidays: Holidays = None,
    holiday_factor: float = 0.0,
    growth: float | None = None,
) -> Intensity:
    """The relative rate over a period, as the product of what each calendar says.

    `hours`: 24 weights, or 7 rows of them from Monday, or opening hours such as
    "09:00-12:30, 13:30-18:00"; past midnight, as in "22:00-02:00", counts for the day it falls on.
    `weekdays`: 7 weights from Monday; `months`: 12 weights; `monthdays`: factors of days of the
    month, such as {25: 5.0}, where -1 is the last; `holiday_factor` applies on `holidays`;
    `growth`: the factor by which the rate rises in a year.
    """
    if not start < end or start.tzinfo or end.tzinfo:
        raise SettingError(
            f"Not a period: {start} to {end}. Give a start before the end, no zones."
        )
    days = np.arange(np.datetime64(start, "D"), np.datetime64(end, "D") + 1)
    weekday = (days.astype(np.int64) + 3) % 7
    month = days.astype("M8[M]").astype(np.int64) % 12
    factor = _weights("weekdays", weekdays, 7)[weekday] * _weights("months", months, 12)[month]
    for day, share in (monthdays or {}).items():
        factor[_is_monthday(days, day)] *= _factor(f"monthdays: {day}", share)
    off = np.isin(days, holiday_dates(holidays, start, end))
    factor[off] *= _factor("holiday_factor", holiday_factor)
    years = (days - days[0]).astype(float) / 365.25
    factor *= _factor("growth", 1.0 if growth is None else growth) ** years
    edges, by_weekday = _hours(hours)
    first = (np.datetime64(start) - days[0]) / np.timedelta64(1, "s")
    starts = (np.arange(len(days))[:, None] * DAY_S + edges[:-1] - first).ravel()
    rate = (factor[:, None] * by_weekday[weekday]).ravel()
    return _relative(starts, rate, (end - start).total_seconds())


def holiday_dates(holidays: Holidays, start: dt.date, end: dt.date) -> np.ndarray:
    """The holidays (H,) as dates: those that are given, or a country's from `start` to `end`.

    The calendars are those of the `holidays` package. MissingExtra where it is not installed.
    """
    if holidays is None or not isinstance(holidays, str):
        return np.array(sorted(holidays or ()), "M8[D]")
    try:
        from holidays import country_holidays
    except ImportError as error:
        raise MissingExtra("A country's holidays", "rules") from error
    country, _, part = holidays.partition("-")
    try:
        found = country_holidays(country, part or None, years=range(start.year, end.year + 1))
    except (NotImplementedError, AttributeError) as error:
        raise SettingError(
            f"No holidays are known of {holidays!r}. Give a country such as KR or US, one of its "
            "parts such as US-CA, or a list of dates."
        ) from error
    return np.array(sorted(found), "M8[D]")


def _relative(starts_s: np.ndarray, rate: np.ndarray, period_s: float) -> Intensity:
    """Cells that begin at `starts_s`, cut to the period, equal neighbours as one, with mean 1."""
    ends_s = np.append(starts_s[1:], np.inf)
    inside = (ends_s > 0.0) & (starts_s < period_s)
    starts_s, rate = np.maximum(starts_s[inside], 0.0), rate[inside]
    new = np.append(True, np.diff(rate) != 0.0)
    edges, rate = np.append(starts_s[new], period_s), rate[new]
    mean = float(rate @ np.diff(edges)) / period_s
    if not mean > 0.0:
        raise SettingError(
            "Nothing can happen in the whole period: every hour of it has the weight 0. "
            "Open it at some hour of a weekday and month that it holds."
        )
    return Intensity(edges, rate / mean)


def _is_monthday(days: np.ndarray, day: int) -> np.ndarray:
    month = days.astype("M8[M]")
    if not 1 <= abs(day) <= 31:
        raise SettingError(
            f"monthdays: {day} is no day of a month. Give 1 to 31, or -1 for the last."
        )
    origin = month.astype("M8[D]") - 1 if day > 0 else (month + 1).astype("M8[D]")
    return np.asarray(days == origin + day)


def _factor(name: str, value: float) -> float:
    if not 0.0 <= value < np.inf or (name == "growth" and not value):
        raise SettingError(f"{name}: {value} was given. Give a factor above 0, or 0 for never.")
    return float(value)


def _weights(name: str, weights: Sequence[float] | None, count: int) -> np.ndarray:
    """Weights (count,); one each where there are none."""
    found = np.ones(count) if weights is None else np.asarray(weights, float)
    if found.shape != (count,) or not (found >= 0.0).all() or not 0.0 < found.sum() < np.inf:
        raise SettingError(f"{name}: {weights} was given. Give {count} weights from 0, not all 0.")
    return found


def _hours(
    hours: str | Sequence[float] | Sequence[Sequence[float]] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Edges (T + 1,) in seconds of the day, and the rate between them by weekday (7, T)."""
    if hours is None:
        return np.array([0.0, DAY_S]), np.ones((7, 1))
    if isinstance(hours, str):
        return _opening(hours)
    table = np.asarray(hours, float)
    rows = [_weights("hours", row, 24) for row in np.atleast_2d(table)]
    if table.ndim > 2 or len(rows) not in (1, 7):
        raise SettingError(
            f"hours: {len(rows)} rows were given. Give 24 weights, or 7 rows of them."
        )
    return np.arange(25) * 3600.0, np.broadcast_to(rows, (7, 24))


_SPAN = re.compile(r"\s*(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})\s*")


def _opening(text: str) -> tuple[np.ndarray, np.ndarray]:
    """The same of opening hours such as "09:00-12:30, 13:30-18:00"."""
    spans = []
    for part in text.split(","):
        found = _SPAN.fullmatch(part)
        h, m, to_h, to_m = map(int, found.groups()) if found else (99, 0, 0, 0)
        begin, finish = (h * 60 + m) * 60.0, (to_h * 60 + to_m) * 60.0
        if max(m, to_m) > 59 or max(begin, finish) > DAY_S or begin == finish:
            raise SettingError(
                f"hours: {part.strip()!r} are no opening hours. Write them as in 09:00-18:00."
            )
        spans += [(begin, finish)] if begin < finish else [(begin, DAY_S), (0.0, finish)]
    edges = np.unique([0.0, DAY_S, *(edge for span in spans for edge in span)])
    middle = (edges[:-1] + edges[1:]) / 2.0
    rate = np.array([float(any(a < m < b for a, b in spans)) for m in middle])
    return edges, np.broadcast_to(rate, (7, len(rate)))
