"""Series: what goes in comes out flat, a known process is recovered, promises hold, errors help."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pyarrow as pa
import pytest

import geurim
from geurim.contract import Source
from geurim.errors import DataError, SettingError
from geurim.read import as_source
from geurim.sequences import Recurrent, Sequences, flatten, nest, read_series
from geurim.sequences.clock import between

SCORE = NormalDist().inv_cdf(1 - 1e-4 / 2)
DAY = np.timedelta64(86_400_000_000, "us")


def series(units: int, length: int, seed: int, phi: float = 0.7) -> pa.Table:
    """AR(1) numbers, a two-state Markov chain and Poisson gaps, with a static group."""
    rng = np.random.default_rng(seed)
    x = np.zeros((units, length))
    state = np.zeros((units, length), int)
    x[:, 0] = rng.normal(size=units) / math.sqrt(1 - phi**2)
    state[:, 0] = rng.integers(0, 2, units)
    for t in range(1, length):
        x[:, t] = phi * x[:, t - 1] + rng.normal(size=units)
        leaves = rng.random(units) < np.where(state[:, t - 1] == 0, 0.1, 0.3)
        state[:, t] = np.where(leaves, 1 - state[:, t - 1], state[:, t - 1])
    hours = np.cumsum(rng.exponential(5.0, (units, length)), axis=1)
    time = np.datetime64("2024-01-01", "us") + (hours * 3.6e9).astype("timedelta64[us]")
    group = rng.choice(["a", "b"], units)
    return pa.table(
        {
            "who": np.repeat(np.arange(100, 100 + units), length),
            "when": time.ravel(),
            "group": np.repeat(group, length),
            "x": x.ravel().round(3),
            "state": np.array(["low", "high"])[state.ravel()],
        }
    )


@pytest.fixture(scope="module", params=[Sequences, Recurrent])
def kind(request: pytest.FixtureRequest) -> type[Sequences]:
    """The fast generator and the neural one."""
    if request.param is Recurrent:
        pytest.importorskip("torch")
    found: type[Sequences] = request.param
    return found


@pytest.fixture(scope="module")
def fitted(kind: type[Sequences]) -> geurim.Fitted:
    source = as_source(series(200, 40, seed=1))
    return geurim.fit(source, kind(entity="who", time="when"), seed=3)


@pytest.fixture(scope="module")
def drawn(fitted: geurim.Fitted) -> pa.Table:
    return flatten(geurim.sample(fitted, 200, seed=4)).to_arrow()


def lagged(table: pa.Table, name: str) -> tuple[np.ndarray, np.ndarray]:
    found = read_series(as_source(table), "who", "when")
    x = found.events[name].to_numpy()
    inside = np.diff(found.owner, prepend=-1) == 0
    return x[np.flatnonzero(inside) - 1], x[inside]


def autocorrelation(table: pa.Table) -> tuple[float, int]:
    before, now = lagged(table, "x")
    return float(np.corrcoef(before, now)[0, 1]), len(now)


def slack(one: int, other: int) -> float:
    return SCORE * math.sqrt(1 / one + 1 / other)


# ---- truth


def test_autoregression_is_recovered_and_another_is_told_apart(drawn: pa.Table) -> None:
    real, n = autocorrelation(series(200, 40, seed=1))
    made, m = autocorrelation(drawn)
    wrong, k = autocorrelation(series(200, 40, seed=2, phi=0.5))
    assert abs(math.atanh(made) - math.atanh(real)) < slack(n, m)
    assert abs(math.atanh(wrong) - math.atanh(real)) > slack(n, k)


def test_transition_matrix_is_recovered(drawn: pa.Table) -> None:
    before, now = lagged(drawn, "state")
    for state, leaves in (("low", 0.1), ("high", 0.3)):
        moved = now[before == state] != state
        error = math.sqrt(leaves * (1 - leaves) / len(moved))
        # The real series, too, are a sample: the square root of 2 is for them.
        assert abs(moved.mean() - leaves) < SCORE * math.sqrt(2) * error
        assert abs(moved.mean() - 0.2) > SCORE * math.sqrt(2) * error


def test_gaps_of_a_poisson_process_are_exponential(drawn: pa.Table) -> None:
    found = read_series(as_source(drawn), "who", "when")
    assert found.time is not None
    gaps = between(found.time, found.starts) / 3.6e9
    gaps = gaps[~np.isnan(gaps)]
    assert abs(gaps.mean() - 5.0) < SCORE * math.sqrt(2) * 5.0 / math.sqrt(len(gaps))
    # The spread is the mean, and half of the gaps are below ln 2 of it.
    assert abs(np.std(gaps) / 5.0 - 1) < 0.1
    below = (gaps < 5 * math.log(2)).mean()
    assert abs(below - 0.5) < SCORE * math.sqrt(2) * 0.5 / math.sqrt(len(gaps))


def season(rows: int = 1500) -> pa.Table:
    rng = np.random.default_rng(5)
    hours = np.arange(rows)
    y = 10 + 0.01 * hours + 5 * np.sin(hours * 2 * np.pi / 24) + rng.normal(0, 0.5, rows)
    time = np.datetime64("2024-01-01", "us") + hours * np.timedelta64(3_600_000_000, "us")
    return pa.table({"time": time, "y": y.round(2), "z": (2 * y + rng.normal(0, 1, rows)).round(1)})


def test_one_long_series_keeps_its_grid_season_and_trend(kind: type[Sequences]) -> None:
    real = season()
    fitted = geurim.fit(as_source(real), kind(time="time"), seed=1)
    made = flatten(geurim.sample(fitted, 1, seed=2)).to_arrow()
    assert made.schema == real.schema and made["time"].equals(real["time"])
    hours = np.arange(1500)
    basis = np.column_stack([np.ones(1500), hours, np.sin(hours * 2 * np.pi / 24)])
    y = made["y"].to_numpy()
    level, slope, height = np.linalg.lstsq(basis, y, rcond=None)[0]
    assert abs(slope - 0.01) < 0.002 and abs(height - 5) < 0.5 and abs(level - 10) < 2
    assert 0.3 < np.std(y - basis @ [level, slope, height]) < 1.0
    assert np.corrcoef(y, made["z"].to_numpy())[0, 1] > 0.98
    assert not np.array_equal(y, real["y"].to_numpy())


def test_counters_repeats_and_missing_values_are_kept(kind: type[Sequences]) -> None:
    rng = np.random.default_rng(6)
    meter, price = [], []
    for _ in range(60):
        meter += np.cumsum(rng.integers(1, 4, 30)).tolist()
        steps = np.where(rng.random(30) < 0.2, rng.normal(0, 3, 30), 0)
        price += (100 + np.cumsum(steps)).round(2).tolist()
    empty = rng.random(1800) < 0.1
    table = pa.table(
        {
            "who": np.repeat([f"S-{i:03d}" for i in range(60)], 30),
            "meter": pa.array(meter),
            "price": pa.array(price, mask=empty),
        }
    )
    made = flatten(
        geurim.sample(geurim.fit(as_source(table), kind(entity="who"), seed=1), 60, seed=2)
    ).to_arrow()
    found = read_series(as_source(made), "who", None)
    steps = between(found.events["meter"].to_numpy(), found.starts)
    assert set(np.unique(steps[~np.isnan(steps)])) <= {0.0, 1.0, 2.0, 3.0}
    stays = np.diff(found.events["price"].to_numpy()) == 0
    real = np.diff(table["price"].to_numpy()) == 0
    assert abs(stays.mean() - real.mean()) < 0.08
    assert abs(made["price"].null_count / 1800 - empty.mean()) < 0.04


# ---- promises


def test_units_go_flat_and_come_back() -> None:
    table = series(20, 7, seed=3)
    units = nest(as_source(table), "who", "when")
    assert units.schema.names == ["who", "group", "events"] and units.rows == 20
    assert flatten(units).to_arrow().equals(table)
    again = Sequences().fit(units, geurim.analyze(as_source(table)), np.random.default_rng(0))
    assert again.schema == units.schema


def test_schema_and_keys_are_those_of_the_real_table(drawn: pa.Table) -> None:
    real = series(200, 40, seed=1)
    assert drawn.schema == real.schema
    found = read_series(as_source(drawn), "who", "when")
    assert found.units["who"].to_pylist() == list(range(300, 500))
    assert found.layout.static == ("group",) and set(found.lengths) == {40}


def test_short_run_is_a_prefix_and_workers_change_nothing(fitted: geurim.Fitted) -> None:
    few = geurim.sample(fitted, 30, seed=9).to_arrow()
    many = geurim.sample(fitted, 230, seed=9).to_arrow()
    assert many.slice(0, 30).equals(few)
    assert geurim.sample(fitted, 230, seed=9, workers=2).to_arrow().equals(many)


def test_model_file_draws_the_same(fitted: geurim.Fitted, tmp_path: object) -> None:
    path = f"{tmp_path}/series.geurim"
    geurim.save(fitted, path)
    again = geurim.load(path)
    assert (
        geurim.sample(again, 20, seed=1)
        .to_arrow()
        .equals(geurim.sample(fitted, 20, seed=1).to_arrow())
    )


def test_static_columns_can_be_given_but_events_cannot(fitted: geurim.Fitted) -> None:
    given = pa.table({"group": ["a"] * 10})
    made = geurim.sample(fitted, given=given, seed=1).to_arrow()
    assert made["group"].to_pylist() == ["a"] * 10
    assert (
        geurim.sample(fitted, 5, where="group == 'b'", seed=1).to_arrow()["group"][0].as_py() == "b"
    )


# ---- bad input


def wrong(table: pa.Table, match: str, **settings: object) -> None:
    kind = SettingError if "no column" in match or "two columns" in match else DataError
    with pytest.raises(kind, match=match):
        geurim.fit(as_source(table), Sequences(**settings), seed=1)  # type: ignore[arg-type]


def test_bad_input_is_named() -> None:
    table = series(5, 4, seed=1)
    wrong(table, "no column 'nobody'", entity="nobody")
    wrong(table, "two columns", entity="who", time="who")
    wrong(table.slice(0, 0), "no rows", entity="who")
    wrong(table.take([0, 4, 8]), "one row only", entity="who")
    wrong(table, "holds no times", entity="who", time="state")
    wrong(table, "is said to be static", entity="who", static=("x",))
    holes = table.set_column(1, "when", pa.array([None] * 20, table["when"].type))
    wrong(holes, "have no time", entity="who", time="when")
    nobody = table.set_column(0, "who", pa.array([None, *range(19)], pa.int64()))
    wrong(nobody, "have no 'who'", entity="who")
    with pytest.raises(SettingError, match="whole number"):
        Sequences(leaf=0)
    with pytest.raises(SettingError, match="nothing to flatten"):
        flatten(as_source(table))


def test_odd_series_work(kind: type[Sequences]) -> None:
    table = series(12, 6, seed=1)
    shuffled = table.take(np.random.default_rng(1).permutation(72))
    same = table.set_column(
        1, "when", pa.array([table["when"][0].as_py()] * 72, table["when"].type)
    )
    uneven = table.take([0, *range(6, 72)])
    text = table.set_column(
        1, "when", table["when"].cast(pa.timestamp("s"), safe=False).cast("string")
    )
    one = table.slice(0, 6)
    for odd, who in (
        (shuffled, "who"),
        (same, "who"),
        (uneven, "who"),
        (text, "who"),
        (one, "who"),
    ):
        fitted = geurim.fit(as_source(odd), kind(entity=who, time="when"), seed=1)
        made = flatten(geurim.sample(fitted, 10, seed=2)).to_arrow()
        assert made.schema == odd.schema
        found = read_series(as_source(made), "who", "when")
        assert len(found.lengths) == 10 and found.lengths.max() <= 6
        assert made["when"].null_count == 0


def test_keys_of_events_are_new_and_unique() -> None:
    table = series(30, 10, seed=1).append_column("id", pa.array(np.arange(5000, 5300)))
    fitted = geurim.fit(as_source(table), Sequences(entity="who", time="when"), seed=1)
    made = flatten(geurim.sample(fitted, 70, seed=2)).to_arrow()
    assert len(set(made["id"].to_pylist())) == 700
    assert not set(made["id"].to_pylist()) & set(range(5000, 5300))


def test_source_of_units_is_typed(fitted: geurim.Fitted) -> None:
    assert isinstance(geurim.sample(fitted, 1, seed=1), Source)
