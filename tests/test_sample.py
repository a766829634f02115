"""The driver: counts, streams, rules, completion, balance, edge cases, workers, lineage."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import geurim
from geurim.contract import Event, Fitted
from geurim.errors import DataError, SamplingError, SettingError


@pytest.fixture(scope="module")
def table() -> pa.Table:
    rng = np.random.default_rng(0)
    age = rng.integers(18, 80, 4000)
    rich = rng.random(4000) < (age - 10) / 100
    city = rng.choice(["Seoul", "Busan", "Jeju"], 4000, p=[0.7, 0.295, 0.005])
    income = rng.lognormal(10 + rich, 0.5)
    return pa.table(
        {"id": np.arange(1, 4001), "age": age, "rich": np.where(rich, "yes", "no"),
         "city": city, "income": np.round(income, 2)}
    )  # fmt: skip


@pytest.fixture(scope="module")
def fitted(table: pa.Table) -> Fitted:
    return geurim.fit(table, seed=1)


@pytest.fixture(scope="module")
def resample(table: pa.Table) -> Fitted:
    return geurim.fit(table.select(["age", "rich", "city", "income"]), "resample", seed=1)


def draw(fitted: Fitted, rows: int | None = None, seed: int = 1, **request: Any) -> pa.Table:
    return geurim.sample(fitted, rows, seed=seed, **request).to_arrow()


@settings(max_examples=15, deadline=None)
@given(rows=st.integers(0, 70_000), seed=st.integers(0, 2**63 - 1))
def test_exactly_the_rows_asked_for(resample: Fitted, rows: int, seed: int) -> None:
    assert draw(resample, rows, seed).num_rows == rows


def test_short_run_is_prefix_of_long_run(fitted: Fitted) -> None:
    block = fitted.block
    long = draw(fitted, 2 * block + 100)
    for rows in (1, block - 1, block, block + 1):
        assert draw(fitted, rows).equals(long.slice(0, rows))


def test_rows_do_not_depend_on_the_number_of_workers(fitted: Fitted) -> None:
    rows = fitted.block + 500
    assert draw(fitted, rows, workers=2).equals(draw(fitted, rows))


def test_reading_again_gives_the_same_rows(fitted: Fitted) -> None:
    source = geurim.sample(fitted, 1000, seed=3)
    assert source.to_arrow().equals(source.to_arrow())


def test_blocks_can_be_drawn_in_any_order_by_another_engine(fitted: Fitted) -> None:
    def backwards(block: Any, count: int) -> Any:
        drawn = {i: block(i) for i in reversed(range(count))}
        return (drawn[i] for i in range(count))

    rows = 2 * fitted.block
    assert draw(fitted, rows, engine=backwards).equals(draw(fitted, rows))


def test_an_engine_that_loses_a_block_is_caught(fitted: Fitted) -> None:
    with pytest.raises(SamplingError, match="of"):
        draw(fitted, 2 * fitted.block, engine=lambda block, count: iter([block(0)]))


def test_a_stream_of_its_own_for_every_block(fitted: Fitted) -> None:
    block = fitted.block
    made = draw(fitted, 2 * block).select(["age", "income"])
    assert not made.slice(0, block).equals(made.slice(block))


def test_every_row_meets_the_rule_and_no_row_is_missing(fitted: Fitted) -> None:
    made = draw(fitted, 5_000, where="age >= 70 and rich = 'no'")
    assert made.num_rows == 5_000
    assert min(made["age"].to_pylist()) >= 70
    assert set(made["rich"].to_pylist()) == {"no"}


def test_a_rule_keeps_the_conditional_distribution(resample: Fitted, table: pa.Table) -> None:
    made = draw(resample, 20_000, where="age >= 60").to_pandas()
    real = table.to_pandas()
    truth = float((real[real.age >= 60].rich == "yes").mean())
    z = (float((made.rich == "yes").mean()) - truth) / np.sqrt(truth * (1 - truth) / len(made))
    assert abs(z) < 3.9  # level 1e-4, two-sided
    assert abs(z + 0.03 / np.sqrt(truth * (1 - truth) / len(made))) > 3.9


def test_an_impossible_rule_is_an_error_with_the_counts(resample: Fitted) -> None:
    with pytest.raises(SamplingError, match=r"0 of 2,\d{3},\d{3} rows drawn meet the rule"):
        draw(resample, 10, where="income = 3.14 and age > 20")


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("age > 200", "age goes from 18 to 79"),
        ("age < 30 and (age > 40 or income < -1)", "can never be true"),
        ("age < income and income < age", "cannot hold at once"),
        ("not (age >= 18)", "age goes from 18 to 79"),
        ("age + 1 > 100", "can never be true"),
        ("rich = 'perhaps'", "rich holds only 'no', 'yes'"),
        ("rich = 'yes' and rich in ('no')", "rich"),
        ("age is null", "age never misses a value"),
    ],
)
def test_a_rule_that_no_row_can_meet_is_refused_at_once(
    resample: Fitted, where: str, reason: str
) -> None:
    with pytest.raises(SettingError, match=re.escape(reason)):
        geurim.sample(resample, 10, seed=1, where=where)


@pytest.mark.parametrize(
    "where", ["age > 79 or age < 20", "age <= income and income >= age", "not (age > 70)"]
)
def test_a_rule_that_some_row_can_meet_is_not_refused(resample: Fitted, where: str) -> None:
    assert draw(resample, 10, where=where).num_rows == 10


def test_given_values_come_back_in_order_and_the_rest_is_filled_in(fitted: Fitted) -> None:
    ages = np.array([20, 75, 40] * 10)
    made = draw(fitted, given=pa.table({"age": ages}))
    assert made.num_rows == 30
    assert made["age"].to_pylist() == ages.tolist()
    assert made.schema.names == ["id", "age", "rich", "city", "income"]


def test_fewer_given_rows_than_asked_for_are_gone_through_again(fitted: Fitted) -> None:
    made = draw(fitted, 7, given=pa.table({"age": [20, 70]}))
    assert made["age"].to_pylist() == [20, 70, 20, 70, 20, 70, 20]


def test_a_rejected_completion_is_drawn_again_for_its_own_row(fitted: Fitted) -> None:
    ages = np.tile([20, 75], 500)
    made = draw(fitted, given=pa.table({"age": ages}), where="rich = 'yes'")
    assert made["age"].to_pylist() == ages.tolist()
    assert set(made["rich"].to_pylist()) == {"yes"}


def test_given_rows_that_cannot_meet_the_rule_are_an_error_with_the_row(fitted: Fitted) -> None:
    with pytest.raises(SamplingError, match="'age': 30"):
        draw(fitted, given=pa.table({"age": [30]}), where="age > 40")


def test_a_given_key_is_kept_and_others_are_numbered_through(fitted: Fitted) -> None:
    made = draw(fitted, given=pa.table({"id": [7, 9]}))
    assert made["id"].to_pylist() == [7, 9]
    keys = draw(fitted, fitted.block + 10)["id"].to_pylist()
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"nose": [1]}, SettingError, "'nose'"),
        ({"age": ["old"]}, DataError, "age"),
    ],
)
def test_given_rows_that_do_not_fit_are_refused(
    fitted: Fitted, given: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        draw(fitted, given=pa.table(given))


def test_balance_is_kept_in_every_stretch_of_rows(fitted: Fitted) -> None:
    made = draw(fitted, 3_000, balance={"city": "uniform"})["city"].to_pylist()
    for start in range(0, 3_000, 300):
        for city in ("Seoul", "Busan", "Jeju"):
            assert made[start : start + 300].count(city) == pytest.approx(100, abs=4)


def test_balance_leaves_the_others_in_their_proportions(fitted: Fitted) -> None:
    made = draw(fitted, 10_000, balance={"city": {"Jeju": 0.5}})["city"].to_pylist()
    assert made.count("Jeju") == pytest.approx(5_000, abs=3)
    assert made.count("Seoul") / made.count("Busan") == pytest.approx(0.7 / 0.295, rel=0.08)


def test_two_balanced_columns_do_not_move_together(fitted: Fitted) -> None:
    made = draw(fitted, 6_000, balance={"city": "uniform", "rich": "uniform"}).to_pandas()
    cells = made.groupby(["city", "rich"]).size()
    assert cells.min() > 900
    assert cells.max() < 1100


@pytest.mark.parametrize(
    ("balance", "text"),
    [
        ({"nose": "uniform"}, "'nose'"),
        ({"city": "evenly"}, "'evenly'"),
        ({"city": {"Oslo": 0.5}}, "'Oslo'"),
        ({"city": {"Jeju": 1.5}}, "1.5"),
        ({"city": {"Jeju": 0.7, "Seoul": 0.7}}, "1.4"),
        ({"id": "uniform"}, "'id'"),
        ({"income": {"lots": 0.5}}, "'lots'"),
        ({"income": {"9..3": 0.5}}, "ends before"),
        ({"income": {"1..9000": 0.1, "8000..": 0.1}}, "overlap"),
        ({"age": {"18..40": 0.6, "41..": 0.6}}, "1.2"),
        ({"city,nose": "uniform"}, "'nose'"),
        ({"city,rich": {"Oslo,yes": 0.5}}, "'Oslo,yes'"),
        ({"city": "uniform", "city,rich": "uniform"}, "twice"),
        ({"city": {"Jeju": "a lot"}}, "a lot"),
    ],
)
def test_a_balance_that_cannot_be_had_is_refused(fitted: Fitted, balance: Any, text: str) -> None:
    with pytest.raises(SettingError, match=text):
        draw(fitted, 10, balance=balance)


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({"rows": -1}, "-1"),
        ({"rows": 1.5}, "1.5"),
        ({"rows": None}, "None"),
        ({"edge_cases": 1.0}, "1.0"),
        ({"workers": 0}, "0"),
        ({"edge_cases": 0.1, "balance": {"city": "uniform"}}, "balance"),
    ],
)
def test_a_request_out_of_range_is_refused(
    fitted: Fitted, request_: dict[str, Any], text: str
) -> None:
    with pytest.raises(SettingError, match=text):
        draw(fitted, **({"rows": 10} | request_))


def test_edge_cases_have_their_share_their_reason_and_their_weight(fitted: Fitted) -> None:
    made = draw(fitted, 40_000, edge_cases=0.1).to_pandas()
    assert made.edge_case.notna().sum() == pytest.approx(4_000, abs=2)
    assert (made.city == "Jeju").mean() > 0.012
    # Self-normalized importance weights; the population's values from an ordinary run.
    plain = draw(fitted, 200_000, seed=9).to_pandas()
    weight = made.weight / made.weight.sum()
    for column, error in (("age", 0.5), ("income", 0.03 * plain.income.mean())):
        assert (made[column] * weight).sum() == pytest.approx(plain[column].mean(), abs=error)
    assert (weight * (made.city == "Jeju")).sum() == pytest.approx(
        (plain.city == "Jeju").mean(), abs=0.0015
    )
    # Without the weights they would be off: the test can fail.
    assert made.income.mean() > 1.03 * plain.income.mean()


def test_edge_columns_step_aside_for_columns_of_their_name() -> None:
    rng = np.random.default_rng(3)
    table = pa.table({"weight": rng.normal(70, 9, 500), "row": rng.choice(["a", "b"], 500)})
    made = draw(geurim.fit(table, seed=1), 200, edge_cases=0.1)
    assert made.schema.names == ["weight", "row", "edge_case", "weight_"]


def test_a_table_without_edges_says_so() -> None:
    table = pa.table({"a": ["x", "y"] * 100})
    with pytest.raises(SettingError, match="no edge cases"):
        draw(geurim.fit(table, seed=1), 10, edge_cases=0.1)


def test_lineage_names_seed_request_and_parents(fitted: Fitted) -> None:
    one = geurim.sample(fitted, 10, seed=1)
    longer = geurim.sample(fitted, 20, seed=1)
    other = geurim.sample(fitted, 10, seed=2)
    ruled = geurim.sample(fitted, 10, seed=1, where="age > 20")
    assert one.lineage.depth == 1
    assert one.lineage == longer.lineage
    assert len({s.lineage.digest for s in (one, other, ruled)}) == 3
    again = geurim.fit(one, seed=1)
    assert geurim.sample(again, 5, seed=1).lineage.depth == 2


def test_progress_counts_up_to_the_rows(fitted: Fitted) -> None:
    seen: list[Event] = []
    draw(fitted, fitted.block + 5, progress=seen.append)
    assert [e.done for e in seen] == [0, fitted.block, fitted.block + 5]
    assert {e.total for e in seen} == {fitted.block + 5}


def test_no_seed_draws_one_and_writes_it_down(fitted: Fitted) -> None:
    one, two = geurim.sample(fitted, 5), geurim.sample(fitted, 5)
    assert one.lineage.seed != two.lineage.seed
    assert geurim.sample(fitted, 5, seed=one.lineage.seed).to_arrow().equals(one.to_arrow())
