"""What settles, what is held; states that race, and time that passes in the hours of shifts."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from geurim.errors import SettingError
from geurim.generators.rules.world import World
from geurim.nodes import parse_yaml

LEVEL = 1e-4


def made(text: str, rows: int, seed: int = 1) -> dict[str, pa.Table]:
    database = World.of(parse_yaml(text).value).sample(rows, seed=seed)
    return {n: s.to_arrow() for n, s in database.tables.items()}


STEPS = """
period: [2025-01-01, 2025-01-02]
tables:
  ovens:
    columns:
      id: {key: 1}
  readings:
    of: ovens
    every: {step: 1, in: minutes}
    columns:
      target: {formula: "if(hour(time) >= 6, 100, 0) + ovens_n", hide: true}
      ovens_n: {formula: "0 * nth", hide: true}
      hot: {settle: target, over: time, tau: 30, in: minutes}
      gone: {settle: "if(hour(time) >= 30, 1, null_one)", over: time, tau: 1, in: hours}
      null_one: {cases: [{if: "nth < 0", then: 1.5}], hide: true}
      still: {hold: nth, while: "hour(time) >= 3 and hour(time) < 5"}
"""


def test_settling_follows_the_exponential_law() -> None:
    readings = made(STEPS, 3)["readings"]
    hot = readings["hot"].to_numpy().reshape(3, -1)
    minutes = np.arange(hot.shape[1])
    wanted = np.where(minutes <= 360, 0.0, 100 * (1 - np.exp(-(minutes - 360) / 30)))
    assert np.allclose(hot, wanted)


def test_where_the_target_is_missing_so_is_what_settles() -> None:
    assert made(STEPS, 2)["readings"]["gone"].null_count == 2 * 1440


def test_held_values_stay_and_come_back() -> None:
    still = made(STEPS, 2)["readings"]["still"].to_numpy().reshape(2, -1)
    assert (still[:, 180:300] == 180).all()
    assert (still[:, :180] == np.arange(1, 181)).all() and (still[:, 300] == 301).all()


SHIFTS = """
period: [2025-01-06, 2026-01-05]
schedules:
  shifts: {hours: "06:00-22:00", weekdays: [1, 1, 1, 1, 1, 0, 0]}
tables:
  machines:
    columns:
      id: {key: 1}
  shifts:
    of: machines
    as: machine
    every: {step: 8, in: hours, schedule: shifts}
  lives:
    of: machines
    as: machine
    states:
      SCHEDULE
      first: up
      up:
        race:
          worn: {draw: weibull, scale: 100, shape: 2, in: hours}
          hit: {draw: exponential, mean: 150, in: hours}
      worn: {lasts: {draw: exponential, mean: 9, in: hours}, next: up}
      hit: {lasts: {draw: exponential, mean: 3, in: hours}, next: up}
"""
ALWAYS, OPEN = (
    SHIFTS.replace("SCHEDULE\n", "keep: [up, worn, hit]\n"),
    SHIFTS.replace("SCHEDULE", "schedule: shifts"),
)


def test_steps_of_open_hours_are_the_shifts() -> None:
    times = made(OPEN, 1)["shifts"]["time"].to_pylist()
    assert {t.hour for t in times} == {6, 14} and {t.weekday() for t in times} == set(range(5))
    assert len(times) == 52 * 5 * 2


def test_the_first_of_several_times_wins_as_often_as_it_should() -> None:
    """P(hit first) = 1/150 times the integral of exp(-t/150 - (t/100)^2)."""
    lives = made(ALWAYS, 60)["lives"]
    states = lives["state"].to_pylist()
    hits, worn = states.count("hit"), states.count("worn")
    t = np.linspace(0, 1000, 200_001)
    survival = np.exp(-t / 150 - (t / 100) ** 2)
    share = np.trapezoid(survival, t) / 150
    assert stats.binomtest(hits, hits + worn, share).pvalue > LEVEL
    assert stats.binomtest(hits, hits + worn, share * 1.1).pvalue < LEVEL


def test_the_winning_time_is_the_shortest() -> None:
    lives = made(ALWAYS, 60)["lives"].to_pylist()
    lasted = [
        (r["left"] - r["entered"]).total_seconds() / 3600
        for r in lives
        if r["state"] == "up" and r["left"] and r["entered"] < dt.datetime(2025, 10, 1)
    ]

    def law(hours: np.ndarray) -> np.ndarray:
        return 1 - np.exp(-np.asarray(hours) / 150 - (np.asarray(hours) / 100) ** 2)

    assert stats.kstest(lasted, law).pvalue > LEVEL
    assert stats.kstest(np.array(lasted) * 1.1, law).pvalue < LEVEL


def test_states_change_only_in_the_hours_of_the_schedule() -> None:
    lives = made(OPEN, 20)["lives"].to_pylist()
    left = [r["left"] for r in lives if r["left"]]
    assert len(left) > 500
    assert all(6 <= t.hour < 22 and t.weekday() < 5 for t in left)


def test_a_race_of_nobody_is_refused() -> None:
    text = "  l:\n    of: m\n    states: {first: a, a: {race: {}}, b: {}}\n"
    with pytest.raises(SettingError, match="nobody races"):
        made("tables:\n  m:\n    columns: {id: {key: 1}}\n" + text, 1)
    with pytest.raises(SettingError, match="no state 'c'"):
        made(
            "tables:\n  m:\n    columns: {id: {key: 1}}\n" + text.replace("{}}, b", "{c: 3}}, b"), 1
        )
