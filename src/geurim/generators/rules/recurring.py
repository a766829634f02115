"""What comes on fixed days: salaries, rents, subscriptions, inspections."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

import numpy as np

from geurim.errors import SettingError
from geurim.generators.rules.calendars import DAY_S, Holidays, holiday_dates
from geurim.generators.rules.processes import Events, groups, windows

_BEYOND = dt.timedelta(days=32)  # days that begin, or are shifted, into a window from outside


def recurring(
    epoch: dt.datetime,
    start_s: Any,
    end_s: Any,
    *,
    every: Literal["day", "week", "month", "year"] = "month",
    day: Any = 1,
    month: int = 1,
    hour: float = 9.0,
    shift: Literal["next", "previous"] | None = None,
    holidays: Holidays = None,
    jitter_s: float = 0.0,
    rng: np.random.Generator | None = None,
) -> Events:
    """What comes on a fixed day: salaries, rents, subscriptions. `epoch` is the time 0.

    `day` is one number, or (N,) one for each owner, from 1: of the week from Monday, of the month,
    or of the `month` of each year; -1 is the last, and the 31st of a shorter month is its last.
    `shift` moves what falls on a weekend or one of the `holidays` to the working day before or
    after. `jitter_s`, up to a day, is added at random, for which a stream is needed.
    """
    start, end, days = windows(start_s=start_s, end_s=end_s, day=day)
    if not 0.0 <= jitter_s <= DAY_S or (jitter_s and rng is None) or not 0.0 <= hour < 24.0:
        raise SettingError(
            f"jitter_s is {jitter_s} and hour {hour}. Give a jitter from 0 to {DAY_S:.0f} seconds, "
            "with a stream, and an hour from 0 and below 24."
        )
    kinds, kind = np.unique(days, return_inverse=True)
    window = start.min(initial=0.0), end.max(initial=0.0)
    known = [
        _dates(epoch, window, every, int(d), month, shift, holidays) + hour * 3600.0 for d in kinds
    ]
    low, counts = np.zeros((2, len(start)), np.int64)
    offsets = np.cumsum([0, *map(len, known)])
    for code, among in groups(kind):
        first = np.searchsorted(known[code], start[among] - jitter_s)
        counts[among] = np.maximum(np.searchsorted(known[code], end[among]) - first, 0)
        low[among] = offsets[code] + first
    owners = np.repeat(np.arange(len(start)), counts)
    nth = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    times = np.concatenate([*known, []])[low[owners] + nth]
    if rng is not None:
        times = times + jitter_s * rng.random(len(times))
    inside = (times >= start[owners]) & (times < end[owners])
    return owners[inside], times[inside]


def _dates(
    epoch: dt.datetime,
    window: tuple[float, float],
    every: str,
    day: int,
    month: int,
    shift: str | None,
    holidays: Holidays,
) -> np.ndarray:
    """Midnights, in seconds since `epoch`, of the days that come `every` so often; ascending."""
    most = {"day": 1, "week": 7, "month": 31, "year": 31}.get(every, 0)
    if not 1 <= abs(day) <= most or not 1 <= month <= 12 or shift not in (None, "next", "previous"):
        raise SettingError(
            f"every {every!r}, day {day}, month {month}, shift {shift!r} is no day. Give a day of "
            "the week (1 to 7), month or year (1 to 31), or -1 for the last; a month of 1 to 12; "
            "shift next, previous or none."
        )
    first = epoch + dt.timedelta(seconds=window[0]) - _BEYOND
    last = epoch + dt.timedelta(seconds=window[1]) + _BEYOND
    begin, end = _spans(np.datetime64(first, "D"), np.datetime64(last, "D"), every, month)
    dates = np.clip(begin + (day - 1) if day > 0 else end + day, begin, end - 1)
    if shift is not None:
        off = holiday_dates(holidays, first, last)
        roll: Literal["forward", "backward"] = "forward" if shift == "next" else "backward"
        dates = np.unique(np.busday_offset(dates, 0, roll, holidays=off))
    return np.asarray((dates - np.datetime64(epoch)) / np.timedelta64(1, "s"))


def _spans(
    first: np.datetime64, last: np.datetime64, every: str, month: int
) -> tuple[np.ndarray, np.ndarray]:
    """The first day of each day, week, month or `month` of a year, and the day after its last."""
    days = np.arange(first, last)
    if every == "day":
        return days, days + 1
    if every == "week":
        begin = days[(days.astype(np.int64) + 3) % 7 == 0]
        return begin, begin + 7
    months = np.unique(days.astype("M8[M]"))
    if every == "year":
        months = np.unique(days.astype("M8[Y]")).astype("M8[M]") + (month - 1)
    return months.astype("M8[D]"), (months + 1).astype("M8[D]")
