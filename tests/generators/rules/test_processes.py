"""Processes in time against their closed forms: the right one passes, one a little wrong fails."""

import datetime as dt
from collections.abc import Callable

import numpy as np
import pytest
from scipy import linalg, stats

from geurim.errors import SamplingError, SettingError
from geurim.generators.rules.calendars import intensity
from geurim.generators.rules.distributions import Streams, chosen
from geurim.generators.rules.processes import Events, Stays, hawkes, poisson, renewal, walk
from geurim.generators.rules.queues import queue
from geurim.generators.rules.recurring import recurring

LEVEL = 1e-4
LIMIT = float(stats.norm.isf(LEVEL / 2))  # standard errors
DAY = 86_400.0
EPOCH = dt.datetime(2026, 1, 1)


def streams(seed: int, *key: int) -> Streams:
    return lambda round: np.random.default_rng(
        np.random.SeedSequence(seed, spawn_key=(*key, round))
    )


def off(values: np.ndarray, expected: float) -> float:
    """By how many standard errors the mean of independent values is off."""
    return abs(float(values.mean()) - expected) / float(values.std() / np.sqrt(len(values)))


def in_order(events: Events) -> bool:
    owners, times = events
    step = np.diff(owners)
    return bool(((step > 0) | ((step == 0) & (np.diff(times) >= 0.0))).all())


def first(events: tuple[np.ndarray, ...], owners: int) -> list[np.ndarray]:
    return [column[events[0] < owners] for column in events]


def same(one: list[np.ndarray], other: tuple[np.ndarray, ...]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


# Poisson


def test_poisson_counts_have_the_mean_and_variance_of_their_rate_and_window() -> None:
    rng = np.random.default_rng(1)
    rate, start = rng.uniform(0.5, 3.0, 20_000), rng.uniform(0.0, 5.0, 20_000)
    events = poisson(streams(1), rate, start, 10.0)
    owners, times = events
    assert in_order(events) and (times > start[owners]).all() and (times < 10.0).all()
    expected = rate * (10.0 - start)

    def wrong_by(counts: np.ndarray) -> tuple[float, float]:
        centred = (counts - expected) / np.sqrt(expected)
        return off(centred, 0.0), off(centred**2, 1.0)

    counts = np.bincount(owners, minlength=20_000)
    assert max(wrong_by(counts)) < LIMIT
    assert wrong_by(rng.poisson(expected * 1.02))[0] > LIMIT
    assert wrong_by(rng.poisson(expected * rng.gamma(50, 1 / 50, 20_000)))[1] > LIMIT


def test_owners_together_are_again_a_poisson_process() -> None:
    _, times = poisson(streams(2), np.linspace(0.5, 1.5, 1_000), 0.0, 20.0)
    gaps = np.diff(np.sort(times))
    assert stats.kstest(gaps, stats.expon(scale=1 / 1_000).cdf).pvalue > LEVEL
    assert stats.kstest(gaps, stats.expon(scale=1 / 950).cdf).pvalue < LEVEL


def test_given_their_number_times_are_uniform_in_the_rate_summed_up() -> None:
    rate = intensity(
        EPOCH, dt.datetime(2026, 3, 1), hours="08:00-20:00", weekdays=[2, 1, 1, 1, 2, 4, 0]
    )
    start = np.random.default_rng(3).uniform(0.0, 30 * DAY, 500)
    events = poisson(streams(3), 50 / (59 * DAY), start, 59 * DAY, rate)
    owners, times = events
    assert in_order(events) and (times >= start[owners]).all() and rate.is_open(times).all()
    low, high = rate.until(start)[owners], rate.until(np.array([59 * DAY]))
    assert stats.kstest((rate.until(times) - low) / (high - low), "uniform").pvalue > LEVEL
    assert (
        stats.kstest((times - start[owners]) / (59 * DAY - start[owners]), "uniform").pvalue < LEVEL
    )
    counts = np.bincount(owners, minlength=500)
    assert (
        off(
            counts - (rate.until(np.full(500, 59 * DAY)) - rate.until(start)) * 50 / (59 * DAY), 0.0
        )
        < LIMIT
    )


# Hawkes


def test_hawkes_has_the_exact_mean_of_a_short_window() -> None:
    owners = 100_000

    def expected(branching: float, decay: float, window: float) -> float:
        slow = (1.0 - branching) / decay
        return (window - branching * -np.expm1(-slow * window) / slow) / (1.0 - branching)

    events = hawkes(streams(4), np.ones(owners), 0.5, 1.0, 0.0, 2.0)
    assert in_order(events)
    counts = np.bincount(events[0], minlength=owners)
    assert off(counts, expected(0.5, 1.0, 2.0)) < LIMIT
    assert off(counts, expected(0.5, 0.85, 2.0)) > LIMIT
    assert off(counts, expected(0.47, 1.0, 2.0)) > LIMIT


def test_hawkes_counts_in_long_windows_vary_as_the_branching_says() -> None:
    owners, window = 4_000, 4_000.0

    def counts(branching: float) -> np.ndarray:
        found, _ = hawkes(streams(5), np.full(owners, 0.01), branching, 1.0, 0.0, window)
        return np.bincount(found, minlength=owners)

    def wrong_by(found: np.ndarray) -> tuple[float, float]:
        spread = (found - found.mean()) ** 2 / found.mean()
        return off(found, 0.01 * window / 0.5), off(spread, 1.0 / 0.5**2)

    assert max(wrong_by(counts(0.5))) < LIMIT
    assert min(wrong_by(counts(0.42))) > LIMIT


# Renewal


def test_renewals_have_the_mean_of_the_renewal_theorem() -> None:
    def events(owners: int, mean: float) -> Events:
        return renewal(
            lambda rows, r: streams(6)(r).gamma(4.0, mean / 4.0, len(rows)), np.zeros(owners), 20.0
        )

    counts = np.bincount(events(5_000, 1.0)[0], minlength=5_000)
    # T / mean + (variance - mean²) / (2 mean²): gaps of a variance of 1/4
    assert off(counts, 20.0 - 0.375) < LIMIT
    assert off(counts, 20.0) > LIMIT
    assert in_order(events(50, 1.0)) and same(first(events(50, 1.0), 9), events(9, 1.0))


def test_gaps_of_nothing_and_negative_ones_are_refused() -> None:
    with pytest.raises(SamplingError, match="3 of 3 owners have more than 50 events"):
        renewal(lambda rows, r: np.zeros(len(rows)), np.zeros(3), 1.0, max_events=50)
    with pytest.raises(SettingError, match="gap of row 2 is -1 seconds"):
        renewal(lambda rows, r: np.array([1.0, 1.0, -1.0]), np.zeros(3), 5.0)


# Lives in states

RATES = np.array([[-1.0, 0.7, 0.3], [0.2, -0.5, 0.3], [1.5, 0.5, -2.0]])  # from row to column


def stationary(rates: np.ndarray) -> np.ndarray:
    found = linalg.null_space(rates.T)[:, 0]
    return np.asarray(found / found.sum())


def chain(
    rates: np.ndarray, owners: int, ends: tuple[int, ...] = (), window: float = 40.0
) -> Stays:
    def dwell(state: int, rows: np.ndarray, time_s: np.ndarray, step: int) -> np.ndarray:
        return streams(7, state, 0)(step).exponential(-1.0 / rates[state, state], len(rows))

    def move(state: int, rows: np.ndarray, time_s: np.ndarray, step: int) -> np.ndarray:
        away = np.maximum(rates[state], 0.0)
        return chosen(streams(7, state, 1)(step), np.cumsum(away / away.sum()), size=len(rows))

    start = (
        chosen(streams(7)(0), np.cumsum(stationary(rates)), size=owners)
        if not ends
        else np.full(owners, 2)
    )
    return walk(start, np.zeros(owners), window, dwell, move, ends)


def test_time_in_states_is_the_stationary_distribution_of_the_rates() -> None:
    stays = chain(RATES, 2_000)
    wrong = RATES.copy()
    wrong[0, 0], wrong[0, 1] = -1.1, 0.8
    for state in range(3):
        inside = np.where(stays.state == state, stays.left_s - stays.entered_s, 0.0)
        shares = np.bincount(stays.owner, inside, 2_000) / 40.0
        assert off(shares, stationary(RATES)[state]) < LIMIT
        assert state == 2 or off(shares, stationary(wrong)[state]) > LIMIT


def test_stays_follow_each_other_and_the_last_is_cut_by_the_window() -> None:
    stays = chain(RATES, 300)
    last = np.append(np.diff(stays.owner) > 0, True)
    assert (stays.cut == last).all() and (stays.left_s[last] == 40.0).all()
    assert (stays.left_s[:-1][~last[:-1]] == stays.entered_s[1:][~last[:-1]]).all()
    assert (stays.state[:-1][~last[:-1]] != stays.state[1:][~last[:-1]]).all()
    assert same(first(stays, 40), chain(RATES, 40))


def test_absorbing_states_are_reached_with_the_chances_of_the_gamblers_ruin() -> None:
    up, most = 0.6, 5
    rates = np.diag(np.full(most, up), 1) + np.diag(np.full(most, 1 - up), -1) - np.eye(most + 1)
    stays = chain(rates, 10_000, (0, most), 500.0)
    end = stays.state[stays.cut]
    assert set(np.unique(end)) == {0, most}

    def won(p: float) -> float:
        odds = (1 - p) / p
        return (1 - odds**2) / (1 - odds**most)

    assert off(end == most, won(up)) < LIMIT
    assert off(end == most, won(0.58)) > LIMIT


def test_an_endless_walk_is_an_error_with_counts() -> None:
    with pytest.raises(SamplingError, match="4 of 4 owners have more than 20 steps"):
        walk(
            np.zeros(4, int),
            0.0,
            1.0,
            lambda state, rows, time_s, step: np.zeros(len(rows)),
            lambda state, rows, time_s, step: np.full(len(rows), 1 - state),
            max_steps=20,
        )


# Queues


def waits(servers: int, load: float, customers: int) -> np.ndarray:
    arrival = np.cumsum(streams(8)(0).exponential(1.0 / (load * servers), customers))
    service = streams(8)(1).exponential(1.0, customers)
    return queue(arrival, service, servers) - arrival


def erlang_c(servers: int, load: float) -> float:
    """The chance to wait, with services of mean 1."""
    offered = servers * load
    terms = np.cumprod([1.0, *(offered / k for k in range(1, servers + 1))])
    last = terms[-1] / (1.0 - load)
    return float(last / (terms[:-1].sum() + last))


@pytest.mark.parametrize(("servers", "customers"), [(1, 1_000_000), (3, 400_000)])
def test_waits_are_those_of_erlang(servers: int, customers: int) -> None:
    found = waits(servers, 0.7, customers)
    batches = found.reshape(200, -1)  # long against the memory of the queue

    def mean(load: float) -> float:
        return erlang_c(servers, load) / (servers * (1.0 - load))

    assert off(batches.mean(axis=1), mean(0.7)) < LIMIT
    assert off(batches.mean(axis=1), mean(0.75)) > LIMIT
    waited = (batches > 1e-6).mean(axis=1)
    assert off(waited, erlang_c(servers, 0.7)) < LIMIT
    assert off(waited, erlang_c(servers, 0.73)) > LIMIT


def test_one_server_by_running_maximum_and_by_heap_are_the_same() -> None:
    arrival = np.cumsum(streams(9)(0).exponential(1.0, 5_000))
    service = streams(9)(1).exponential(0.9, 5_000)
    always = intensity(EPOCH, dt.datetime(2026, 2, 1))
    assert np.allclose(queue(arrival, service), queue(arrival, service, opening=always), atol=1e-8)


def test_services_begin_only_while_it_is_open_and_in_order() -> None:
    shop = intensity(EPOCH, dt.datetime(2026, 2, 1), hours="09:00-18:00")
    arrival = np.sort(streams(10)(0).uniform(0.0, 30 * DAY, 2_000))
    begin = queue(arrival, np.full(2_000, 600.0), 2, shop)
    assert shop.is_open(begin).all() and (begin >= arrival).all() and (np.diff(begin) >= 0).all()
    running = np.arange(2_000) - np.searchsorted(np.sort(begin + 600.0), begin, "right")
    assert running.max() == 1  # besides the one that begins: both servers busy, never three
    assert queue(np.array([40 * DAY]), np.ones(1), 1, shop).tolist() == [np.inf]
    with pytest.raises(SettingError, match="ascending arrivals"):
        queue(np.array([2.0, 1.0]), np.ones(2))


# Fixed days


def test_salaries_come_on_the_working_day_before_a_weekend_or_holiday() -> None:
    off_days = [dt.date(2026, 12, 25), dt.date(2026, 2, 25)]
    owners, times = recurring(
        EPOCH, np.zeros(3), 365 * DAY, day=25, hour=10.0, shift="previous", holidays=off_days
    )
    expected = []
    for month in range(1, 13):
        day = dt.datetime(2026, month, 25, 10)
        while day.weekday() > 4 or day.date() in off_days:
            day -= dt.timedelta(days=1)
        expected.append((day - EPOCH).total_seconds())
    assert owners.tolist() == [0] * 12 + [1] * 12 + [2] * 12
    assert times.tolist() == expected * 3


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"every": "month", "day": 31}, ["01-31", "02-28", "03-31"]),
        ({"every": "month", "day": -1}, ["01-31", "02-28", "03-31"]),
        ({"every": "month", "day": 1, "shift": "next"}, ["01-01", "02-02", "03-02"]),
        ({"every": "year", "month": 3, "day": 15}, ["03-15"]),
        ({"every": "week", "day": 7}, [f"01-{d:02d}" for d in (4, 11, 18, 25)]),
        ({"every": "day", "shift": "next"}, ["01-01", "01-02", "01-05", "01-06"]),
    ],
)
def test_days_of_weeks_months_and_years_are_those_of_the_calendar(
    given: dict, expected: list[str]
) -> None:
    _, times = recurring(EPOCH, 0.0, 90 * DAY, hour=0.0, **given)
    found = [(EPOCH + dt.timedelta(seconds=s)).strftime("%m-%d") for s in times[: len(expected)]]
    assert found == expected
    assert given["every"] in ("week", "day") or len(times) == len(expected)


def test_owners_have_their_own_days_and_delays_stay_in_their_windows() -> None:
    rng = np.random.default_rng(11)
    days, start = rng.integers(1, 32, 500), rng.uniform(0.0, 300 * DAY, 500)

    def events(owners: int) -> Events:
        return recurring(
            EPOCH,
            start[:owners],
            start[:owners] + 60 * DAY,
            day=days[:owners],
            jitter_s=DAY / 2,
            rng=np.random.default_rng(12),
        )

    owners, times = events(500)
    assert in_order((owners, times)) and (times >= start[owners]).all()
    assert (times < start[owners] + 60 * DAY).all()
    dates = np.datetime64(EPOCH) + times.astype("m8[s]")
    month_end = (dates.astype("M8[M]") + 1).astype("M8[D]") - 1
    due = np.minimum(dates.astype("M8[M]").astype("M8[D]") + (days[owners] - 1), month_end)
    late = (dates - due) / np.timedelta64(1, "h")
    assert late.min() >= 9.0 and late.max() <= 21.0
    assert stats.kstest((late - 9.0) / 12.0, "uniform").pvalue > LEVEL
    assert same(first((owners, times), 60), events(60))
    with pytest.raises(SettingError, match="day 40"):
        recurring(EPOCH, 0.0, DAY, day=40)


# What all share


@pytest.mark.parametrize("calendar", [False, True])
def test_events_of_an_owner_do_not_depend_on_how_many_owners_follow(calendar: bool) -> None:
    rate = intensity(EPOCH, dt.datetime(2026, 2, 1), hours="09:00-18:00") if calendar else None
    rates = np.random.default_rng(13).uniform(1.0, 30.0, 10_000) / (31 * DAY)
    makers: list[Callable[[int], Events]] = [
        lambda n: poisson(streams(14), rates[:n], 0.0, 31 * DAY, rate),
        lambda n: hawkes(streams(14), rates[:n], 0.4, DAY, 0.0, 31 * DAY, rate),
    ]
    for make in makers:
        whole = make(10_000)
        assert in_order(whole)
        for owners in (1, 777, 4_096, 5_000):
            assert same(first(whole, owners), make(owners))


def test_no_owners_and_empty_windows_have_no_events() -> None:
    for start in (np.zeros(0), np.full(3, 2.0)):
        assert len(poisson(streams(15), 5.0, start, 1.0)[0]) == 0
        assert len(hawkes(streams(15), 5.0, 0.5, 1.0, start, 1.0)[0]) == 0
        assert len(renewal(lambda rows, r: np.ones(len(rows)), start, 1.0)[0]) == 0
        assert len(recurring(EPOCH, start, 1.0, hour=0.0)[0]) == 0
    assert len(queue(np.zeros(0), np.zeros(0))) == 0


@pytest.mark.parametrize(
    ("branching", "words"),
    [(1.0, "branching is 1 in row 0"), (np.array([0.5, np.nan]), "branching is nan in row 1")],
)
def test_what_cannot_be_is_refused(branching: object, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        hawkes(streams(16), np.ones(2), branching, 1.0, 0.0, 1.0)
    with pytest.raises(SettingError, match="rate_per_s is -1 in row 1"):
        poisson(streams(16), np.array([1.0, -1.0]), 0.0, 1.0)
    with pytest.raises(SettingError, match="Lengths differ"):
        poisson(streams(16), np.ones(3), np.zeros(2), 1.0)
    with pytest.raises(SamplingError, match=r"About 1e\+12 events"):
        poisson(streams(16), 1e12, 0.0, 1.0)
