"""Calendars against counting by hand: which hours are open, how much each day weighs."""

import datetime as dt
import sys

import numpy as np
import pytest

from geurim.errors import MissingExtra, SettingError
from geurim.generators.rules.calendars import Intensity, holiday_dates, intensity

START, END = dt.datetime(2026, 1, 1), dt.datetime(2027, 1, 1)  # a Thursday, for 365 days
HOUR, DAY = 3600.0, 86_400.0


def seconds(*when: int) -> float:
    return (dt.datetime(*when) - START).total_seconds()


def mass(rate: Intensity, begin: float, end: float) -> float:
    low, high = rate.until(np.array([begin, end]))
    return float(high - low)


def test_without_any_calendar_the_rate_is_constant() -> None:
    flat = intensity(START, END)
    assert flat.rate.tolist() == [1.0] and flat.edges_s.tolist() == [0.0, 365 * DAY]


def test_every_factor_weighs_its_days_and_hours_and_the_mean_is_one() -> None:
    rate = intensity(
        START,
        END,
        hours=np.arange(1, 25),
        weekdays=[1, 1, 1, 1, 1, 0.5, 0.25],
        months=[1] * 11 + [3],
        monthdays={25: 5.0, -1: 2.0},
        holidays=[dt.date(2026, 3, 2)],
        holiday_factor=0.1,
    )
    assert mass(rate, 0.0, 365 * DAY) == pytest.approx(365 * DAY)

    def weight(*when: int) -> float:
        day = dt.datetime(*when)
        found = (day.hour + 1) * [1, 1, 1, 1, 1, 0.5, 0.25][day.weekday()]
        found *= 3.0 if day.month == 12 else 1.0
        found *= 5.0 if day.day == 25 else 1.0
        found *= 2.0 if (day + dt.timedelta(days=1)).day == 1 else 1.0
        return found * (0.1 if day.date() == dt.date(2026, 3, 2) else 1.0)

    whole = sum(weight(*(START + dt.timedelta(hours=h)).timetuple()[:4]) for h in range(365 * 24))
    for when in [(2026, 1, 1, 5), (2026, 3, 2, 9), (2026, 7, 25, 23), (2026, 12, 31, 0)]:
        expected = weight(*when) / whole * 365 * DAY
        begin = seconds(*when)
        assert mass(rate, begin, begin + HOUR) == pytest.approx(expected)
        assert rate.at(np.array([begin + 1.0]))[0] == pytest.approx(expected / HOUR)


def test_the_inverse_leads_back_and_never_into_closed_hours() -> None:
    shop = intensity(START, END, hours="09:00-12:30, 13:30-18:00", weekdays=[1] * 5 + [0.5, 0])
    times = shop.when(np.random.default_rng(1).random(10_000) * 365 * DAY)
    assert shop.is_open(times).all()
    assert np.allclose(shop.when(shop.until(times)), times, atol=1e-3)
    second = times % DAY
    assert not ((second > 12.5 * HOUR) & (second < 13.5 * HOUR)).any()
    assert not ((times // DAY).astype(int) % 7 == 3).any()  # Sundays


@pytest.mark.parametrize(
    ("at", "opens"),
    [
        ((2026, 1, 1, 8, 59), (2026, 1, 1, 9)),
        ((2026, 1, 1, 9, 0), (2026, 1, 1, 9)),
        ((2026, 1, 1, 12, 0), (2026, 1, 1, 12)),
        ((2026, 1, 1, 18, 0), (2026, 1, 2, 9)),
        ((2026, 1, 2, 20, 0), (2026, 1, 5, 9)),
    ],
)
def test_next_open_is_now_or_when_it_opens(at: tuple[int, ...], opens: tuple[int, ...]) -> None:
    shop = intensity(START, END, hours="09:00-18:00", weekdays=[1] * 5 + [0, 0])
    assert shop.next_open(np.array([seconds(*at)]))[0] == seconds(*opens)


def test_outside_of_the_period_nothing_is_open() -> None:
    shop = intensity(START, END, hours="09:00-18:00")
    assert not shop.is_open(np.array([-10 * HOUR, 365 * DAY, 400 * DAY])).any()
    found = shop.next_open(np.array([-5.0, 365 * DAY - HOUR]))
    assert found.tolist() == [9 * HOUR, np.inf]


def test_a_period_may_begin_within_a_day_and_hours_may_pass_midnight() -> None:
    begin = dt.datetime(2026, 1, 1, 23, 30)
    bar = intensity(begin, dt.datetime(2026, 1, 3, 3), hours="22:00-02:00")
    assert bar.edges_s[-1] == 27.5 * HOUR
    assert bar.is_open(np.array([0.0, 2.4, 2.6, 22.4, 22.6, 26.4, 26.6]) * HOUR).tolist() == [
        *(True, True, False, False),
        *(True, True, False),
    ]


def test_growth_is_by_the_year() -> None:
    rate = intensity(START, dt.datetime(2028, 1, 1), growth=1.5)
    first, second = mass(rate, 0, 365 * DAY), mass(rate, 365 * DAY, 730 * DAY)
    assert second / first == pytest.approx(1.5 ** (365 / 365.25))


def test_rows_of_hours_are_by_weekday_from_monday() -> None:
    hours = np.zeros((7, 24))
    hours[0, 8], hours[5, 10] = 1.0, 1.0
    hours[[1, 2, 3, 4, 6], 0] = 1.0
    rate = intensity(START, END, hours=hours)
    assert rate.is_open(np.array([seconds(2026, 1, 5, 8), seconds(2026, 1, 3, 10)])).all()
    assert not rate.is_open(np.array([seconds(2026, 1, 3, 8), seconds(2026, 1, 5, 10)])).any()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"hours": "9-18"}, "'9-18' are no opening hours"),
        ({"hours": "09:00-25:00"}, "no opening hours"),
        ({"hours": [1, 2]}, "Give 24 weights"),
        ({"weekdays": [1, -1, 1, 1, 1, 1, 1]}, "Give 7 weights"),
        ({"months": [0] * 12}, "not all 0"),
        ({"monthdays": {32: 2.0}}, "32 is no day"),
        ({"growth": -1.0}, "growth: -1.0"),
        ({"weekdays": [0] * 6 + [1], "holidays": [dt.date(2026, 1, 4)]}, "Nothing can happen"),
    ],
)
def test_calendars_that_cannot_be_are_refused(given: dict, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        intensity(START, dt.datetime(2026, 1, 10), **given)
    with pytest.raises(SettingError, match="Not a period"):
        intensity(END, START)


def test_a_country_has_its_holidays_and_the_moon_has_none() -> None:
    pytest.importorskip("holidays")
    found = holiday_dates("KR", START, END)
    assert np.isin(np.array(["2026-02-17", "2026-03-01", "2026-09-25"], "M8[D]"), found).all()
    assert not np.isin(np.datetime64("2026-03-04"), found)
    assert np.datetime64("2026-11-26") in holiday_dates("US-CA", START, END)
    with pytest.raises(SettingError, match="No holidays are known of 'XX'"):
        holiday_dates("XX", START, END)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "holidays", None)
    with pytest.raises(MissingExtra, match=r"geurim\[rules\]"):
        holiday_dates("KR", START, END)
