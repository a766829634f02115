"""Distributions say what a column looks like, and never what one row holds."""

from __future__ import annotations

import importlib
import itertools
import json
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from analyze_tables import source_of
from hypothesis import given, settings
from hypothesis import strategies as st

from geurim.analyze import analyze, profile_to_json

collecting = importlib.import_module("geurim.analyze.collect")


def described(values: Any, k: int = 10) -> dict[str, Any]:
    return dict(analyze(source_of(pa.table({"a": values})), k=k).columns["a"])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([f"secret-{i} x" for i in range(30)]), min_size=1, max_size=300),
    st.integers(1, 20),
)
def test_no_string_held_by_fewer_than_k_rows_is_in_the_profile(values: list[str], k: int) -> None:
    profile = analyze(source_of(pa.table({"a": values})), k=k)
    text = json.dumps(profile_to_json(profile), ensure_ascii=False)
    for value in set(values):
        if values.count(value) < k:
            assert json.dumps(value) not in text


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.floats(-1e12, 1e12, allow_subnormal=False) | st.integers(-50, 50).map(float),
        min_size=2,
        max_size=200,
        unique=True,
    ),
    st.integers(2, 12),
)
def test_bounds_lie_beyond_the_extremes_that_few_hold(values: list[float], k: int) -> None:
    found = described(values, k)
    shown = found["quantiles"]
    assert len(shown) == 101 and shown[0] == found["min"] and shown[-1] == found["max"]
    assert all(a <= b for a, b in itertools.pairwise(shown))
    assert found["min"] <= min(values) and max(values) <= found["max"]
    assert found["min"] < min(values) or found["min"] == 0 == min(values)
    assert found["max"] > max(values) or found["max"] == 0 == max(values)
    assert found["repeated"] == []


def test_no_quantile_is_a_value_that_one_row_holds() -> None:
    values = np.random.default_rng(9).normal(size=250)
    assert not set(described(values)["quantiles"]) & set(values)
    assert set(described(values, k=1)["quantiles"][1:-1]) & set(values)
    few = described(values[:9])
    assert not {*few["quantiles"], few["mean"], few["std"]} & {values[:9].mean(), *values[:9]}


def test_a_bound_that_many_hold_stays_and_amounts_stay_amounts() -> None:
    rng = np.random.default_rng(0)
    found = described(np.append(np.zeros(50), rng.exponential(1000, 300)))
    assert found["min"] == 0.0
    assert described(rng.exponential(1000, 300))["min"] == 0.0
    assert described([18] * 20 + list(range(18, 70)))["min"] == 18.0


def test_categories_below_k_are_pooled_with_their_count() -> None:
    found = described(["a"] * 60 + ["b"] * 30 + ["c"] * 9 + ["d"])
    assert found["categories"] == [["a", 0.6], ["b", 0.3]]
    assert found["pooled"] == {"count": 10, "share": 0.1}


def test_missing_values_are_counted_and_shares_are_of_the_values_present() -> None:
    found = described(["a"] * 30 + ["b"] * 10 + [None] * 60)
    assert found["missing"] == 0.6
    assert found["categories"] == [["a", 0.75], ["b", 0.25]]
    assert described([1.0, float("nan"), None, 3.0] * 20)["missing"] == 0.5


def test_quantiles_and_moments_are_those_of_the_data() -> None:
    values = np.random.default_rng(1).normal(50, 10, 20_000)
    found = described(values)
    np.testing.assert_allclose(
        found["quantiles"][1:-1], np.quantile(values, np.linspace(0.01, 0.99, 99)), atol=0.2
    )
    np.testing.assert_allclose((found["mean"], found["std"]), (values.mean(), values.std()))


def test_values_that_repeat_within_a_continuous_column_are_found() -> None:
    rng = np.random.default_rng(2)
    values = np.concatenate([np.zeros(800), np.full(100, 40.5), rng.normal(0, 100, 1_000)])
    found = dict(map(tuple, described(rng.permutation(values))["repeated"]))
    assert set(found) == {0.0, 40.5}
    np.testing.assert_allclose(found[0.0], 800 / 1900)
    assert described(rng.normal(size=1000))["repeated"] == []
    assert described(rng.integers(0, 100, 20_000))["repeated"] == []
    assert len(described(rng.integers(0, 5, 1_000))["repeated"]) == 5


def test_decimals_are_the_most_that_any_value_shows() -> None:
    assert described([0.5, 1.25, 3.0] * 9)["decimals"] == 2
    assert described([0.1 + 0.2, 1.0] * 9)["decimals"] is None
    assert described([3.0, 4.0] * 9) | {"integer": True, "decimals": 0} == described([3.0, 4.0] * 9)
    assert described(pa.array([0.1, 0.33] * 9, pa.float32()))["decimals"] == 2
    assert described([1.001] + [1.5] * 5_000)["decimals"] == 3


def test_times_show_the_step_that_they_keep() -> None:
    start = datetime(2024, 3, 1)
    assert described([start + timedelta(minutes=15 * i) for i in range(50)])["step"] == 60_000_000
    days = pa.array([(start + timedelta(days=i)).date() for i in range(50)])
    assert described(days)["step"] == 86_400_000_000


def test_a_large_table_is_thinned_but_its_counts_stay_exact(monkeypatch: Any) -> None:
    rng = np.random.default_rng(4)
    table = pa.table(
        {
            "number": rng.normal(10, 2, 30_000),
            "kind": rng.choice(["a", "b", "c", None], 30_000, p=[0.6, 0.3, 0.05, 0.05]).tolist(),
            "id": np.arange(30_000),
            "code": [f"C{i:06d}" for i in rng.permutation(30_000)],
        }
    )
    whole = analyze(source_of(table))
    monkeypatch.setattr(collecting, "ROWS", 4_000)
    monkeypatch.setattr(collecting, "VALUES", 10_000)  # codes are too many to count, kinds are not
    thinned = analyze(source_of(table, batch=1_000))
    assert thinned.columns["code"]["distinct"] == 30_000
    for name in table.column_names:
        assert thinned.columns[name]["role"] == whole.columns[name]["role"]
        assert thinned.columns[name]["missing"] == whole.columns[name]["missing"]
    assert thinned.rows == 30_000
    assert thinned.columns["kind"] == whole.columns["kind"]
    assert thinned.columns["id"] == whole.columns["id"]
    a, b = thinned.columns["number"], whole.columns["number"]
    np.testing.assert_allclose([a["mean"], a["std"]], [b["mean"], b["std"]], rtol=1e-9)
    assert (a["min"], a["max"]) == (b["min"], b["max"])
    # 4,000 of 30,000 rows at most: quantiles between the tails agree within 5 standard errors.
    np.testing.assert_allclose(a["quantiles"][10:91], b["quantiles"][10:91], atol=0.4)


def test_thinned_rows_are_a_fair_sample() -> None:
    """Rows kept come from all over the table, not from its first batches."""
    rows = 1_000_000
    table = pa.table({"place": np.arange(rows) // 1000})
    kept = collecting.collect(source_of(table), lambda event: None).columns["place"].sample
    assert rows / 8 < len(kept) <= collecting.ROWS
    share = (kept.to_numpy() < 500).mean()
    assert abs(share - 0.5) < 4 * 0.5 / np.sqrt(len(kept))
