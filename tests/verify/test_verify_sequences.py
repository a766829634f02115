"""Measures of series: real against real passes, and each mutant is found by the measure for it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from geurim.contract import Finding
from geurim.errors import DataError
from geurim.read import as_source
from geurim.verify.report import Report
from geurim.verify.sequences import verify_sequences

HOUR = 3_600_000_000


def visits(seed: int, units: int = 300, phi: float = 0.8) -> pa.Table:
    """Units of 5 to 40 events by day, with an autoregression, a chain of states and a trend."""
    rng = np.random.default_rng(seed)
    columns: dict[str, list[np.ndarray]] = {k: [] for k in ("who", "when", "x", "y", "state", "h")}
    for unit in range(units):
        n = int(rng.integers(5, 41))
        noise = rng.normal(size=(n, 2))
        noise[:, 1] = 0.7 * noise[:, 0] + math.sqrt(1 - 0.49) * noise[:, 1]
        x = np.zeros((n, 2))
        stays = rng.random(n) < 0.85
        state = np.zeros(n, int)
        for t in range(1, n):
            x[t] = phi * x[t - 1] + noise[t]
            state[t] = state[t - 1] if stays[t] else rng.integers(3)
        days = np.cumsum(rng.geometric(0.4, n))
        hours = rng.integers(9, 18, n)
        columns["who"].append(np.full(n, unit))
        columns["when"].append((19_700 + days) * 24 * HOUR + hours * HOUR)
        columns["x"].append(x[:, 0] + days / 20)
        columns["y"].append(x[:, 1])
        columns["state"].append(np.array(["a", "b", "c"])[state])
        columns["h"].append(hours + rng.normal(size=n))
    made = {k: pa.array(np.concatenate(v)) for k, v in columns.items()}
    made["when"] = made["when"].cast(pa.timestamp("us"))
    return pa.table(made)


def check(synthetic: pa.Table, real: pa.Table, holdout: pa.Table | None = None) -> Report:
    return verify_sequences(
        as_source(synthetic),
        as_source(real),
        holdout=None if holdout is None else as_source(holdout),
        entity="who",
        time="when",
    )


@pytest.fixture(scope="module")
def real() -> pa.Table:
    return visits(1)


def test_real_against_real_passes_and_has_references(real: pa.Table) -> None:
    report = check(visits(2), real, visits(3, units=100))
    bad = [f for f in report.findings if f.verdict in ("warn", "fail")]
    assert not bad, bad
    judged = [f for f in report.findings if f.count]
    assert all(f.reference is not None and f.low <= f.value <= f.high for f in judged)
    names = {f.name for f in judged}
    assert names >= {
        "sequence_length",
        "sequence_gap",
        "sequence_autocorrelation",
        "sequence_transitions",
        "sequence_cross",
        "sequence_trend",
        "sequence_hour",
        "sequence_season_hour",
    }


def _column(table: pa.Table, name: str, values: np.ndarray) -> pa.Table:
    column = pa.array(values).cast(table[name].type)
    return table.set_column(table.column_names.index(name), name, column)


def shuffled_order(table: pa.Table) -> pa.Table:
    """Each unit's values in another order: the times stay."""
    rng = np.random.default_rng(0)
    who = table["who"].to_numpy()
    order = np.lexsort((rng.random(len(who)), who))
    for name in ("x", "y", "state", "h"):
        table = _column(table, name, table[name].to_numpy(zero_copy_only=False)[order])
    return table


def shuffled_alone(table: pa.Table) -> pa.Table:
    """y goes its own way: to another unit's place, in its own order."""
    return _column(table, "y", np.roll(table["y"].to_numpy(), 5_000))


def wrong_gaps(table: pa.Table) -> pa.Table:
    """Every gap twice as long."""
    time = table["when"].cast(pa.int64()).to_numpy()
    who = table["who"].to_numpy()
    first = time[np.searchsorted(who, who)]
    return _column(table, "when", first + 2 * (time - first))


def cut_short(table: pa.Table) -> pa.Table:
    """Only the first ten events of each unit."""
    who = table["who"].to_numpy()
    return table.filter(pa.array(np.arange(len(who)) - np.searchsorted(who, who) < 10))


def at_night(table: pa.Table) -> pa.Table:
    """All events six hours later."""
    return _column(table, "when", table["when"].cast(pa.int64()).to_numpy() + 6 * HOUR)


def without_trend(table: pa.Table) -> pa.Table:
    """x without what the days add."""
    time = table["when"].cast(pa.int64()).to_numpy()
    days = (time // (24 * HOUR) - 19_700) / 20
    return _column(table, "x", table["x"].to_numpy() - days + days.mean())


MUTANTS: list[tuple[Callable[[pa.Table], pa.Table], str, tuple[str, ...]]] = [
    (shuffled_order, "sequence_autocorrelation", ("y",)),
    (shuffled_order, "sequence_transitions", ("state",)),
    (shuffled_order, "sequence_season_hour", ("h",)),
    (shuffled_alone, "sequence_cross", ("x", "y")),
    (wrong_gaps, "sequence_gap", ()),
    (cut_short, "sequence_length", ()),
    (at_night, "sequence_hour", ()),
    (without_trend, "sequence_trend", ("x",)),
]


@pytest.mark.parametrize(("mutant", "name", "columns"), MUTANTS)
def test_each_measure_finds_its_mutant(
    real: pa.Table,
    mutant: Callable[[pa.Table], pa.Table],
    name: str,
    columns: tuple[str, ...],
) -> None:
    found: Finding = check(mutant(visits(2)), real).find(name, *columns)
    assert found.verdict in ("warn", "fail"), found


def test_one_series_is_judged_by_stretches() -> None:
    rng = np.random.default_rng(1)
    x = np.zeros(4_000)
    for t in range(1, 4_000):
        x[t] = 0.8 * x[t - 1] + rng.normal()
    table = pa.table({"at": np.arange(4_000), "x": x})
    mixed = pa.table({"at": np.arange(4_000), "x": rng.permutation(x)})
    good = verify_sequences(as_source(table), as_source(table), time="at")
    bad = verify_sequences(as_source(mixed), as_source(table), time="at")
    assert good.find("sequence_autocorrelation").verdict == "pass"
    assert bad.find("sequence_autocorrelation").verdict == "fail"
    assert "stretches" in good.notes[0]
    with pytest.raises(DataError, match="other columns"):
        verify_sequences(as_source(table.rename_columns(["at", "z"])), as_source(table), time="at")


def patients(seed: int, units: int = 30) -> pa.Table:
    """Few units of many events, each with a pace of its own."""
    rng = np.random.default_rng(seed)
    pace = np.repeat(rng.lognormal(2, 1.5, units), 60)
    when = np.cumsum(rng.exponential(pace).reshape(units, 60), 1).ravel()
    return pa.table(
        {"who": np.repeat(np.arange(units), 60), "when": when, "x": rng.random(60 * units)}
    )


@pytest.mark.parametrize("seed", range(10))
def test_few_series_each_of_its_own_pace_are_not_blamed_for_their_gaps(seed: int) -> None:
    found = check(patients(100 + seed), patients(200 + seed)).find("sequence_gap")
    assert found.verdict in ("pass", "info"), found
