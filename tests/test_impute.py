"""Imputation: what is biased without it, what stays, and intervals that hold."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import geurim
from geurim.errors import SettingError
from geurim.impute import impute, pool


def holes(rows: int, seed: int) -> tuple[pa.Table, float]:
    """y is missing more often where x is large: at random given x. Also the true mean of y, 0."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    y = 2 * x + rng.normal(size=rows)
    gone = rng.random(rows) < 1 / (1 + np.exp(-2 * x))
    word = rng.choice(["a", "b"], rows)
    table = pa.table(
        {"x": x, "y": pa.array(y, mask=gone), "w": pa.array(word, mask=rng.random(rows) < 0.2)}
    )
    return table, float(y.mean())


def test_the_mean_is_right_where_that_of_complete_rows_is_biased() -> None:
    table, truth = holes(3_000, 0)
    whole = impute(table, seed=1).to_arrow()
    assert sum(whole[n].null_count for n in whole.column_names) == 0
    assert abs(np.mean(whole["y"].to_numpy()) - truth) < 0.15
    assert abs(np.mean(table["y"].drop_null().to_numpy()) - truth) > 0.8  # the pair: it is not


def test_what_is_there_stays_in_its_place_whatever_the_batches() -> None:
    table, _ = holes(500, 1)
    fitted = geurim.fit(table, seed=1)
    whole = impute(table, fitted, seed=2).to_arrow()
    for name in table.column_names:
        there = table[name].is_valid()
        assert whole[name].filter(there).equals(table[name].filter(there))
    assert impute(table, fitted, seed=2).to_arrow().equals(whole)


def test_several_imputations_are_stacked_and_differ_only_where_values_were_missing() -> None:
    table, _ = holes(300, 2)
    two = impute(table, geurim.fit(table, seed=1), times=2, seed=3).to_arrow()
    assert two["imputation"].to_pylist() == [1] * 300 + [2] * 300
    one, other = (two["y"].slice(i, 300) for i in (0, 300))
    there = table["y"].is_valid()
    assert one.filter(there).equals(other.filter(there))
    assert not one.equals(other)


def test_rubins_rules_give_the_hand_worked_answer() -> None:
    estimate, error, (low, high) = pool([1.0, 2.0, 3.0], [0.5, 0.5, 0.5])
    assert estimate == 2.0
    assert error == pytest.approx((0.5 + 4 / 3) ** 0.5)
    assert low < 2 - 1.96 * error
    assert high > 2 + 1.96 * error


def test_a_generator_that_cannot_complete_is_refused() -> None:
    table, _ = holes(100, 3)
    with pytest.raises(SettingError, match="times"):
        impute(table, times=0)
    with pytest.raises(SettingError, match="not know"):
        impute(table, geurim.fit(table.select(["x"]), seed=1))


@pytest.mark.slow
def test_intervals_of_several_imputations_cover_the_truth() -> None:
    """Of 95% intervals for a mean; those of complete rows alone hardly ever do."""
    sets, covered, bare = 60, 0, 0
    for seed in range(sets):
        table, _ = holes(400, 100 + seed)
        stacked = impute(table.select(["x", "y"]), times=5, seed=seed).to_arrow()
        y = stacked["y"].to_numpy().reshape(5, 400)
        _, _, (low, high) = pool(y.mean(1).tolist(), (y.var(1, ddof=1) / 400).tolist())
        covered += low < 0 < high
        some = table["y"].drop_null().to_numpy()
        bare += abs(some.mean()) < 1.96 * some.std() / len(some) ** 0.5
    # 0.95 less 4 standard errors of a share in 60 sets.
    assert covered / sets > 0.83
    assert bare / sets < 0.2
