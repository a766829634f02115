"""A column's distribution: from profile facts to values, and back to where a value comes from."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geurim.analyze import analyze
from geurim.contract import Lineage, Profile
from geurim.errors import DataError
from geurim.generators.marginal import Axis, Categories, Marginal, marginal
from geurim.testing import source_of

GRID = (np.arange(10_000) + 0.5) / 10_000


def facts_of_numbers(quantiles: list[float], **more: Any) -> dict[str, Any]:
    facts = {"role": "number", "missing": 0.0, "integer": False, "decimals": None, "repeated": []}
    return {**facts, "quantiles": quantiles, "min": quantiles[0], "max": quantiles[-1], **more}


def of(kind: pa.DataType, facts: dict[str, Any]) -> Marginal:
    profile = Profile(
        schema=pa.schema([("x", kind)]),
        lineage=Lineage(maker="x", digest="x"),
        rows=1000,
        columns={"x": facts},
    )
    return marginal(profile.schema.field("x"), profile)


def test_quantiles_come_back() -> None:
    quantiles = np.sort(np.random.default_rng(0).gamma(2.0, size=101)).tolist()
    drawn = of(pa.float64(), facts_of_numbers(quantiles)).draw(np.linspace(0, 1, 101))
    assert drawn.to_numpy() == pytest.approx(quantiles)


@pytest.mark.parametrize("share", [0.004, 0.11, 0.5, 0.93])
@pytest.mark.parametrize("value", [0.0, 37.0, 100.0])
def test_repeated_value_has_exactly_its_share(value: float, share: float) -> None:
    rng = np.random.default_rng(1)
    values = np.where(rng.random(200_000) < share, value, rng.random(200_000) * 100)
    share = float(np.mean(values == value))
    quantiles = np.quantile(values, np.linspace(0, 1, 101), method="inverted_cdf")
    found = of(pa.float64(), facts_of_numbers(quantiles.tolist(), repeated=[[value, share]]))
    drawn = found.draw(GRID).to_numpy()
    assert np.mean(drawn == value) == pytest.approx(share, abs=2e-4)
    gap = np.abs(np.sort(drawn) - np.quantile(values, GRID)).max()
    assert gap < 1.6, "the rest is spread as before"


def test_several_repeated_values_and_nothing_between() -> None:
    repeated = [[3.0, 0.2], [1.0, 0.5], [2.0, 0.3]]
    quantiles = np.repeat([1.0, 2.0, 3.0], [51, 30, 20]).tolist()
    found = of(pa.int64(), facts_of_numbers(quantiles, repeated=repeated, integer=True))
    values, counts = np.unique(found.draw(GRID).to_numpy(), return_counts=True)
    assert dict(zip(values.tolist(), (counts / len(GRID)).tolist(), strict=True)) == pytest.approx(
        {1: 0.5, 2: 0.3, 3: 0.2}, abs=2e-4
    )
    assert found.atoms() == pytest.approx(np.array([[0, 0.5], [0.5, 0.8], [0.8, 1.0]]))


@pytest.mark.parametrize("share", [0.0, 0.4])
@pytest.mark.parametrize("law", ["lognormal", "pareto", "normal", "both tails"])
def test_tails_are_those_of_the_data(law: str, share: float) -> None:
    """The outer hundredths, which a profile gives no quantiles of, follow from mean and spread."""
    rng = np.random.default_rng(2)
    n, u = 20_000, (np.arange(200_000) + 0.5) / 200_000
    values = {
        "lognormal": rng.lognormal(0, 1, n),
        "pareto": rng.pareto(3.0, n),
        "normal": rng.normal(size=n),
        "both tails": rng.standard_t(4, n),
    }[law]
    values = np.where(rng.random(n) < share, 0.5, values)  # a mass point must not hide the tail
    profile = analyze(source_of(pa.table({"x": values})))

    def drawn(std: float) -> np.ndarray:
        changed = replace(profile, columns={"x": {**profile.columns["x"], "std": std}})
        return marginal(profile.schema.field("x"), changed).draw(u).to_numpy()

    def fits(found: np.ndarray) -> bool:
        real, made = (np.quantile(x, [0.995, 0.998, 0.999]) for x in (values, found))
        return bool(np.all(np.abs(made / real - 1) < 0.16))

    right = drawn(values.std())
    assert right.mean() == pytest.approx(values.mean(), abs=0.01 * values.std())
    assert right.std() == pytest.approx(values.std(), rel=0.06)
    assert fits(right)
    for factor in (0.8, 1.3):
        assert not fits(drawn(factor * values.std())), "a spread wrong by 20% must be seen"


quantile_lists = st.lists(
    st.integers(-(10**6), 10**6).map(lambda v: v / 8), min_size=101, max_size=101
).map(sorted)


@settings(max_examples=150, deadline=None)
@given(quantiles=quantile_lists, data=st.data())
def test_interval_holds_the_place_that_a_value_was_drawn_at(
    quantiles: list[float], data: st.DataObject
) -> None:
    values = data.draw(st.lists(st.sampled_from(quantiles), max_size=4, unique=True))
    shares = [data.draw(st.floats(0.001, 0.2)) for _ in values]
    repeated = [[v, s] for v, s in zip(values, shares, strict=True)]
    spread = {"mean": float(np.mean(quantiles)), "std": data.draw(st.floats(0, 1e5))}
    found = of(pa.float64(), facts_of_numbers(quantiles, repeated=repeated, **spread))
    assert isinstance(found, Axis)
    assert np.all(np.diff(found.places) >= 0) and np.all(np.diff(found.values) >= 0)
    u = np.random.default_rng(0).random(500)
    drawn = found.draw(u)
    low, high = found.interval(drawn)
    assert np.all(low <= u + 1e-6) and np.all(u <= high + 1e-6)
    assert drawn.to_numpy().min() >= quantiles[0] and drawn.to_numpy().max() <= quantiles[-1]
    # And back: whatever place of the interval is taken, the value is the same again.
    again = found.draw(low + (high - low) / 2).to_numpy()
    assert again == pytest.approx(drawn.to_numpy(), rel=1e-6, abs=1e-4)


@pytest.mark.parametrize(
    ("kind", "more", "unit"),
    [
        (pa.int32(), {"integer": True, "decimals": 0}, 1.0),
        (pa.float64(), {"integer": True, "decimals": 0}, 1.0),
        (pa.float64(), {"decimals": 2}, 0.01),
        (pa.decimal128(9, 2), {"decimals": 2}, 0.01),
        (pa.date32(), {"role": "datetime"}, 86_400e6),
        (pa.timestamp("ms"), {"role": "datetime", "step": 3_600_000_000}, 3_600e6),
        (pa.time32("s"), {"role": "datetime", "step": 60_000_000}, 60e6),
    ],
)
def test_values_keep_their_unit_and_each_has_its_whole_interval(
    kind: pa.DataType, more: dict[str, Any], unit: float
) -> None:
    quantiles = (np.linspace(0, 40, 101) * unit).tolist()
    found = of(kind, facts_of_numbers(quantiles, **more))
    drawn = found.draw(GRID)
    assert drawn.type == kind
    assert len(drawn.unique()) in (41, 4001)
    low, high = found.interval(drawn)
    inside = (drawn.to_numpy(zero_copy_only=False) != drawn[0].as_py()) & (GRID < 0.97)
    assert np.all(low <= GRID + 1e-9) and np.all(high + 1e-9 >= GRID)
    width = 1 / 40 if len(drawn.unique()) == 41 else 1 / 4000
    assert (high - low)[inside & (GRID > 0.03)] == pytest.approx(width, rel=1e-3)


def categories(shown: list[list[Any]], pooled: float = 0.0) -> dict[str, Any]:
    pool = {"count": 3 if pooled else 0, "share": pooled}
    return {"role": "category", "missing": 0.0, "categories": shown, "pooled": pool}


def shares(found: Marginal) -> dict[Any, float]:
    drawn = found.draw(GRID)
    counted = drawn.value_counts().to_pylist()
    return {c["values"]: c["counts"] / len(GRID) for c in counted}


def test_categories_have_their_shares() -> None:
    found = of(pa.string(), categories([["b", 0.6], ["a", 0.3], ["", 0.1]]))
    assert shares(found) == pytest.approx({"b": 0.6, "a": 0.3, "": 0.1}, abs=2e-4)


def test_pooled_categories_go_to_the_shown_ones_in_proportion() -> None:
    found = of(pa.string(), categories([["b", 0.6], ["a", 0.3]], pooled=0.1))
    assert shares(found) == pytest.approx({"b": 2 / 3, "a": 1 / 3}, abs=2e-4)


def test_pooled_truth_value_is_the_other_one() -> None:
    found = of(pa.bool_(), categories([[False, 0.99]], pooled=0.01))
    assert shares(found) == pytest.approx({False: 0.99, True: 0.01}, abs=2e-4)


def test_text_without_a_shown_category_is_other_and_nothing_is_invented() -> None:
    assert shares(of(pa.string(), categories([], pooled=1.0))) == {"other": 1.0}


def test_number_without_a_shown_value_is_refused() -> None:
    with pytest.raises(DataError, match="too few rows"):
        of(pa.int64(), {**categories([], pooled=1.0), "role": "constant"})


@pytest.mark.parametrize(
    ("kind", "shown", "value"),
    [
        (pa.int64(), "7", 7),
        (pa.float64(), "0.1", 0.1),
        (pa.date32(), "2024-03-01", dt.date(2024, 3, 1)),
        (pa.bool_(), True, True),
        (pa.large_string(), "가", "가"),
        (pa.dictionary(pa.int32(), pa.string()), "x", "x"),
    ],
)
def test_category_of_any_type_is_of_its_type(kind: pa.DataType, shown: Any, value: Any) -> None:
    drawn = of(kind, categories([[shown, 1.0]])).draw(np.array([0.1, 0.9]))
    assert drawn.type == kind and drawn.to_pylist() == [value, value]


def test_category_that_does_not_fit_its_type_is_told() -> None:
    with pytest.raises(DataError, match="'seven'"):
        of(pa.int64(), categories([["seven", 1.0]]))


@settings(max_examples=100, deadline=None)
@given(
    names=st.lists(st.text(max_size=5), min_size=1, max_size=6, unique=True),
    pooled=st.sampled_from([0.0, 0.2]),
)
def test_interval_of_a_category_holds_where_it_was_drawn(names: list[str], pooled: float) -> None:
    weight = (1 - pooled) / len(names)
    found = of(pa.string(), categories([[n, weight] for n in names], pooled))
    assert isinstance(found, Categories)
    low, high = found.interval(found.draw(GRID))
    shown = found.ends[-1] > GRID
    assert np.all((low <= GRID + 1e-9)[shown]) and np.all((high >= GRID - 1e-9)[shown])
    assert found.atoms()[-1, 1] == pytest.approx(1.0)


def test_unknown_and_missing_values_may_come_from_anywhere() -> None:
    found = of(pa.string(), categories([["a", 1.0]]))
    low, high = found.interval(pa.array(["b", None, "a"]))
    assert low.tolist() == [0, 0, 0] and high.tolist() == [1, 1, 1]
    pooling = of(pa.string(), categories([["a", 0.7]], 0.3))
    low, high = pooling.interval(pa.array(["b", None, "a"]))
    assert low == pytest.approx([0.7, 0, 0]) and high == pytest.approx([1, 1, 0.7])


def test_column_without_any_value_stays_so() -> None:
    found = of(pa.float64(), {"role": "empty", "missing": 1.0})
    assert found.draw(GRID).null_count == len(GRID)
