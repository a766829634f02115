"""A column's levels: what is a point, what a cell, and that decoding gives back the scale."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geurim.columns import to_axis
from geurim.levels import BINS, Levels, learn


def decoded(column: pa.Array, seed: int = 0) -> pa.Array:
    levels, codes = learn(column)
    rng = np.random.default_rng(seed)
    if levels.ordered:
        return levels.written(levels.place(codes, rng))
    return levels.category(codes)


def test_few_values_are_points_and_come_back_unchanged() -> None:
    column = pa.array(np.repeat(np.arange(20), 50))
    levels, codes = learn(column)
    assert levels.size == 20
    assert decoded(column).equals(column)
    assert np.array_equal(levels.encode(column), codes)


def test_a_repeated_value_in_a_continuous_column_is_a_point() -> None:
    rng = np.random.default_rng(1)
    values = np.where(rng.random(5000) < 0.3, 0.0, rng.normal(size=5000))
    again = np.asarray(decoded(pa.array(values)))
    assert np.mean(again == 0) == np.mean(values == 0)
    assert len(np.unique(again)) > 3000


def test_a_cell_of_a_continuous_column_holds_at_least_ten_rows() -> None:
    values = np.random.default_rng(2).normal(size=3000)
    codes = learn(pa.array(values))[1]
    assert np.bincount(codes).min() >= 10
    assert not np.isin(np.asarray(decoded(pa.array(values))), values).any()


def test_decoding_keeps_every_row_in_its_own_cell() -> None:
    values = np.random.default_rng(3).lognormal(size=4000)
    levels, codes = learn(pa.array(values))
    assert np.array_equal(levels.place_of(levels.place(codes, np.random.default_rng(0))), codes)


@pytest.mark.parametrize(
    ("values", "step"),
    [
        (np.arange(0, 100_000, 100), 100.0),
        (np.arange(2000) * 0.25, 0.25),
        (np.round(np.random.default_rng(0).normal(size=3000), 2), 0.01),
    ],
)
def test_decoded_values_lie_on_the_grid_of_the_real_ones(values: np.ndarray, step: float) -> None:
    levels, _ = learn(pa.array(values))
    assert levels.step == pytest.approx(step)
    again = to_axis(decoded(pa.array(values)))
    assert np.abs(again / step - np.rint(again / step)).max() < 1e-6


def test_dates_stay_dates_on_whole_days() -> None:
    days = [dt.date(2020, 1, 1) + dt.timedelta(int(d)) for d in np.arange(900) % 731]
    column = pa.array(days)
    again = decoded(column)
    assert again.type == pa.date32()
    assert min(again.to_pylist()) >= min(days)
    assert max(again.to_pylist()) <= max(days)


def test_missing_is_the_last_level_and_comes_back() -> None:
    for column in (pa.array([1.5, None, 2.5] * 40), pa.array(["a", None, "b"] * 40)):
        levels, codes = learn(column)
        assert levels.missing
        assert (codes == levels.size - 1).sum() == 40
        assert decoded(column).null_count == 40


def test_a_category_of_two_rows_is_not_among_the_levels_and_one_of_three_is() -> None:
    column = pa.array(["common"] * 95 + ["two"] * 2 + ["three"] * 3)
    levels, codes = learn(column)
    assert levels.values.to_pylist() == ["common", "three"]
    assert codes.min() >= 0
    assert "two" not in decoded(column).to_pylist()


def test_an_unknown_category_is_encoded_as_minus_one() -> None:
    levels, _ = learn(pa.array(["a", "b"] * 10))
    assert levels.encode(pa.array(["a", "new"])).tolist() == [0, -1]


def test_bins_never_outgrow_their_type() -> None:
    rng = np.random.default_rng(5)
    for column in (pa.array(rng.normal(size=50_000)), pa.array(rng.integers(0, 30_000, 90_000))):
        levels, _ = learn(column)
        assert len(levels.bins) == levels.size
        assert levels.bins.max() < BINS
        assert (np.diff(levels.bins.astype(int)) >= 0).all()
    many = pa.array([f"c{i % 5000}" for i in range(20_000)])
    assert learn(many)[0].bins.max() < BINS


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.none(),
            st.floats(allow_nan=False, width=64),
            st.sampled_from([0.0, 1.0, -1.0, float("inf"), 1e300]),
        ),
        min_size=1,
        max_size=300,
    )
)
def test_any_numbers_can_be_learned_and_decoded_within_their_bounds(values: list[Any]) -> None:
    column = pa.array(values, pa.float64())
    again = decoded(column)
    assert [v is None for v in again.to_pylist()] == [v is None for v in values]
    present = [v for v in values if v is not None]
    if present:
        found = np.array([v for v in again.to_pylist() if v is not None])
        low, high = min(present), max(present)
        assert found.min() >= low or found.min() == pytest.approx(low)
        assert found.max() <= high or found.max() == pytest.approx(high)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(max_size=4)), min_size=1, max_size=100))
def test_any_strings_can_be_learned_and_nothing_is_invented(values: list[Any]) -> None:
    again = decoded(pa.array(values, pa.string())).to_pylist()
    assert set(again) <= set(values)


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M"])
def test_strings_that_are_times_lie_on_an_axis_and_keep_their_form(form: str) -> None:
    start = dt.datetime(2013, 1, 1)
    hours = np.random.default_rng(6).integers(0, 24 * 3650, 5_000).tolist()
    real = [(start + dt.timedelta(hours=h)).strftime(form) for h in hours]
    levels, codes = learn(pa.array([*real, None]))
    assert levels.ordered
    again = decoded(pa.array([*real, None])).to_pylist()
    assert again[-1] is None
    assert all(dt.datetime.strptime(text, form).strftime(form) == text for text in again[:-1])
    assert min(real) <= min(again[:-1]) <= max(again[:-1]) <= max(real)
    assert np.array_equal(levels.encode(pa.array([*real, None])), codes)


def test_strings_that_are_times_but_for_one_stay_categories() -> None:
    days = [str(dt.date(2000, 1, 1) + dt.timedelta(i % 900)) for i in range(3_600)]
    assert learn(pa.array(days))[0].ordered
    assert not learn(pa.array([*days, "later"]))[0].ordered


@pytest.mark.parametrize("rate", [0.5, 3.0, 12.0])
@pytest.mark.parametrize("turned", [False, True])
def test_a_cell_draws_the_exponential_that_its_rows_came_from(rate: float, turned: bool) -> None:
    rng = np.random.default_rng(int(rate * 10) + turned)
    values = -np.log1p(rng.random(4000) * np.expm1(-rate)) / rate  # cut at 0 and 1
    values = 1 - values if turned else values
    levels, _ = learn(pa.array(values), cell_rows=4000)
    assert levels.size == 1 and levels.lean is not None
    told = rate * (values.max() - values.min())  # for the cell's whole width
    assert levels.lean[0] == pytest.approx(-told if turned else told, abs=0.3 + rate / 20)
    drawn = levels.place(np.zeros(100_000, np.int64), rng)
    error = values.std() * (1 / 4000 + 1 / 100_000) ** 0.5
    assert abs(drawn.mean() - values.mean()) < 4 * error
    even = replace(levels, lean=None).place(np.zeros(100_000, np.int64), rng)
    assert rate < 1 or abs(even.mean() - values.mean()) > 10 * error


def test_even_cells_lean_to_no_side_and_a_saved_scale_draws_the_same() -> None:
    rng = np.random.default_rng(3)
    even, _ = learn(pa.array(np.arange(5000.0)), cell_rows=50)
    assert even.lean is None
    skewed, codes = learn(pa.array(rng.lognormal(0, 2, size=200)), cell_rows=20)
    assert skewed.lean is not None and skewed.lean[-1] > 0
    again = Levels.from_state(skewed.kind, *skewed.state())
    draws = [x.place(codes, np.random.default_rng(5)) for x in (skewed, again)]
    assert np.array_equal(*draws)


@pytest.mark.parametrize("values", [[-1.7e308, 0.0, 1.7e308] * 20, [0.0, 5e-324, 1e-323] * 20])
def test_a_scale_as_wide_or_as_narrow_as_floats_go_can_be_learned(values: list[float]) -> None:
    spread = np.array(values) * np.linspace(0.5, 1, len(values))
    levels, codes = learn(pa.array(spread))
    drawn = levels.place(codes, np.random.default_rng(1))
    assert np.isfinite(drawn).all() and drawn.min() >= spread.min() and drawn.max() <= spread.max()
