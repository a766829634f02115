"""The any-order generator recovers a known network of causes in every direction."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("torch")

from geurim import testing
from geurim.analyze import analyze
from geurim.errors import DataError, MissingExtra, SettingError
from geurim.generators import select
from geurim.generators._training import Training
from geurim.generators.autoregressive import Autoregressive, FittedAutoregressive

WEATHER = np.array([0.5, 0.3, 0.2])  # dry, rain, snow
WET = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])  # p(wet | weather)
FALL = np.array([[0.95, 0.05], [0.6, 0.4]])  # p(fall | wet)


def network(rows: int = 6_000) -> pa.Table:
    """weather -> wet -> fall."""
    rng = np.random.default_rng(1)
    weather = rng.choice(3, rows, p=WEATHER)
    wet = (rng.random(rows) < WET[weather, 1]).astype(int)
    fall = (rng.random(rows) < FALL[wet, 1]).astype(int)
    words = pa.array(["dry", "rain", "snow"])
    truth = pa.array(["no", "yes"])
    return pa.table(
        {"weather": words.take(weather), "wet": truth.take(wet), "fall": truth.take(fall)}
    )


def fit(table: pa.Table, settings: Autoregressive | None = None) -> FittedAutoregressive:
    source = testing.source_of(table)
    return (settings or Autoregressive()).fit(source, analyze(source), testing.stream(1))


@pytest.fixture(scope="module")
def fitted() -> FittedAutoregressive:
    return fit(network())


def drawn(fitted: FittedAutoregressive, given: dict[str, str], rows: int = 20_000) -> pa.Table:
    table = pa.table({k: [v] * rows for k, v in given.items()})
    return pa.Table.from_batches([fitted.draw(rows, testing.stream(3), table)])


def share(table: pa.Table, column: str, value: str) -> float:
    return float(np.mean(np.array(table[column].to_pylist()) == value))


def test_conditionals_of_a_known_network_hold_along_and_against_its_arrows(
    fitted: FittedAutoregressive,
) -> None:
    joint = WEATHER[:, None] * WET
    fall = joint @ FALL  # (weather, fall)
    # 0.055 is 4 standard errors of a share among the 1,200 rows of the rarest condition: snow.
    for i, word in enumerate(("dry", "rain", "snow")):
        assert abs(share(drawn(fitted, {"weather": word}), "wet", "yes") - WET[i, 1]) < 0.055
        against = fall[i, 1] / fall[:, 1].sum()
        assert abs(share(drawn(fitted, {"fall": "yes"}), "weather", word) - against) < 0.055
        both = joint[i, 1] / joint[:, 1].sum()  # fall tells no more once wet is known
        given = {"fall": "yes", "wet": "yes"}
        assert abs(share(drawn(fitted, given), "weather", word) - both) < 0.055


def test_the_same_comparison_finds_a_model_that_heeds_no_condition(
    fitted: FittedAutoregressive,
) -> None:
    plain = pa.Table.from_batches([fitted.draw(20_000, testing.stream(3))])
    assert abs(share(plain, "wet", "yes") - WET[0, 1]) > 0.055
    assert abs(share(plain, "weather", "dry") - WEATHER[0]) < 0.055


def conditional_gap(model: FittedAutoregressive, table: pa.Table) -> float:
    """How far the correlation of the first column, drawn, with the last, given, is from its own."""
    first, last = table.column_names[0], table.column_names[-1]
    given = table.select([last])
    batch = model.draw(given.num_rows, testing.stream(7), given)
    found = np.corrcoef(batch.column(first).to_numpy(), given[last].to_numpy())[0, 1]
    return float(abs(found - np.corrcoef(table[first].to_numpy(), table[last].to_numpy())[0, 1]))


def test_given_late_columns_are_heeded_as_the_chain_has_it_even_where_unlearned() -> None:
    rng = np.random.default_rng(7)
    first = rng.integers(0, 12, 3_000)
    last = np.round(first / 4 + rng.standard_normal(3_000), 3)
    table = pa.table({"first": first, "last": last})
    # Nothing was learned of what is given late: weights alone carry the condition.
    model = fit(table, Autoregressive(given=0.0, tries=32))
    assert model.codec.names == ["first", "last"]
    # 4 standard errors of each of two correlations near 0.65 among 3,000 rows: 0.06.
    assert conditional_gap(model, table) < 0.06
    once = replace(model, settings=replace(model.settings, tries=1))
    assert conditional_gap(once, table) > 0.06


def test_weights_do_not_heed_givens_that_were_shuffled() -> None:
    rng = np.random.default_rng(8)
    first = rng.integers(0, 12, 3_000)
    last = np.round(rng.permutation(first) / 4 + rng.standard_normal(3_000), 3)
    model = fit(pa.table({"first": first, "last": last}))
    given = pa.table({"last": last})
    drawn = model.draw(3_000, testing.stream(7), given).column("first").to_numpy()
    # 4 standard errors among the rows learned from, and 4 among those drawn.
    assert abs(np.corrcoef(drawn, last)[0, 1]) < 0.103


def test_chances_of_all_codes_sum_to_one(fitted: FittedAutoregressive) -> None:
    model, rng = fitted.chain.model, testing.stream(9)
    total = rng.standard_normal((20, model.width)).astype(np.float32)
    for i, size in enumerate(fitted.codec.sizes):
        chances = [np.exp(model.chance(total, i, np.full(20, c))) for c in range(size)]
        assert np.allclose(sum(chances), 1, atol=1e-5)
        told = np.empty(20)
        codes = model.draw(total, i, rng, None, told)
        assert np.allclose(np.exp(told), np.stack(chances)[codes, np.arange(20)], atol=1e-6)


def test_table_without_columns_has_rows_and_nothing_else() -> None:
    table = network(100)
    source = testing.source_of(table)
    model = Autoregressive().fit(select(source, []), analyze(source), testing.stream(1))
    batch = model.draw(7, testing.stream(2))
    assert (batch.num_rows, batch.num_columns) == (7, 0)


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"autoregressive.*geurim\[torch\]"):
        fit(network(100))


def test_condition_is_the_model_itself(fitted: FittedAutoregressive) -> None:
    assert fitted.condition(("fall",)) is fitted


def test_value_never_seen_comes_back_and_tells_nothing(fitted: FittedAutoregressive) -> None:
    rows = drawn(fitted, {"weather": "hail"})
    assert set(rows["weather"].to_pylist()) == {"hail"}
    wet = float(WEATHER @ WET[:, 1])
    assert abs(share(rows, "wet", "yes") - wet) < 0.055


def test_total_given_without_its_parts_is_heeded_and_kept() -> None:
    rng = np.random.default_rng(2)
    first = rng.integers(0, 200, 3_000).astype(float)
    last = first + rng.integers(0, 30, 3_000)
    model = fit(pa.table({"first": first, "last": last}))
    for value in (40.0, 160.0):
        given = pa.table({"last": [value] * 2_000})
        batch = model.draw(2_000, testing.stream(4), given)
        assert batch.column("last").to_pylist() == given["last"].to_pylist()
        assert abs(np.median(batch.column("first").to_numpy()) - (value - 14.5)) < 15


def test_rows_do_not_lie_nearer_to_training_rows_than_to_others() -> None:
    rng = np.random.default_rng(3)
    values = rng.standard_normal((4_000, 3)) @ np.array([[1, 0.6, 0], [0, 1, 0.5], [0, 0, 1]])
    model = fit(pa.table({f"x{i}": values[:2_000, i] for i in range(3)}))
    batch = model.draw(1_000, testing.stream(5))
    found = np.stack([c.to_numpy() for c in batch.columns], 1)
    near = [
        np.sqrt(((found[:, None] - part[None]) ** 2).sum(2)).min(1)
        for part in (values[:2_000], values[2_000:])
    ]
    # 4 standard errors of a share of 1/2 among 1,000 rows.
    assert abs((near[0] < near[1]).mean() - 0.5) < 0.064


@pytest.mark.parametrize("wrong", [{"width": 0}, {"tries": 0}, {"given": 1.0}, {"dropout": -0.1}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingError, match=next(iter(wrong))):
        Autoregressive(**wrong)  # type: ignore[arg-type]


def test_profile_alone_is_refused() -> None:
    source = testing.source_of(network(100))
    with pytest.raises(DataError, match="copula"):
        Autoregressive().fit(None, analyze(source), testing.stream(1))


KILLED = """
import sys
sys.path.insert(0, sys.argv[1])
from geurim.generators import _training
from test_autoregressive import checkpointed
_training._SAVE_S = 0.0
checkpointed(sys.argv[2])
"""


def checkpointed(path: str | None) -> FittedAutoregressive:
    return fit(network(1_500), Autoregressive(training=Training(epochs=40, checkpoint=path)))


def test_killed_fit_goes_on_to_the_same_rows(tmp_path: Path) -> None:
    path = tmp_path / "fit.checkpoint"
    folder = str(Path(__file__).parent)
    process = subprocess.Popen([sys.executable, "-c", KILLED, folder, str(path)])
    end = time.monotonic() + 120
    while not path.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    resumed, whole = checkpointed(str(path)), checkpointed(None)
    rows = [m.draw(500, testing.stream(6)) for m in (resumed, whole)]
    assert rows[0].equals(rows[1])
