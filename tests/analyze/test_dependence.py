"""Association sees any dependence between any types; rules hold without exception."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from analyze_tables import source_of

from geurim.analyze import analyze
from geurim.contract import Profile


def profile_of(**columns: Any) -> Profile:
    return analyze(source_of(pa.table(columns)))


def between(profile: Profile, one: str, other: str, kind: str = "association") -> float:
    names = profile.dependence["columns"]
    return float(profile.dependence[kind][names.index(one)][names.index(other)])


def rules_of(profile: Profile, kind: str = "determines") -> set[tuple[Any, ...]]:
    if kind == "order":
        return {(r["low"], r["high"]) for r in profile.rules if r["kind"] == kind}
    return {(tuple(r["by"]), r["column"]) for r in profile.rules if r["kind"] == kind}


@pytest.mark.parametrize("rho", [-0.8, 0.3, 0.95])
def test_association_of_normal_variables_is_their_absolute_correlation(rho: float) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], 20_000).T
    profile = profile_of(a=a, b=b)
    assert between(profile, "a", "b") == pytest.approx(abs(rho), abs=0.03)
    assert between(profile, "a", "b", "normal") == pytest.approx(rho, abs=0.02)


def test_association_is_one_where_one_determines_the_other_whatever_the_types() -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(size=5_000)
    word = np.where(a < 0, "low", "high")
    profile = profile_of(a=a, b=-3 * a, word=word, flag=a < 0, squared=a**2)
    assert between(profile, "a", "b") > 0.99
    assert between(profile, "word", "flag") > 0.99
    assert between(profile, "a", "word") > 0.98  # one bin holds both words
    assert between(profile, "a", "squared") > 0.95
    assert abs(between(profile, "a", "squared", "normal")) < 0.06


def test_independent_columns_of_all_types_have_none() -> None:
    rng = np.random.default_rng(2)
    profile = profile_of(
        a=rng.normal(size=3_000),
        b=rng.integers(0, 9, 3_000),
        c=rng.choice(list("abcdefgh"), 3_000),
        d=rng.random(3_000) < 0.3,
    )
    assert np.max(np.abs(np.array(profile.dependence["association"]) - np.eye(4))) == 0
    assert np.max(np.abs(np.array(profile.dependence["normal"]) - np.eye(4))) < 0.08
    assert profile.rules == ()


def test_what_is_missing_counts_as_a_level() -> None:
    rng = np.random.default_rng(3)
    kind = rng.choice(["a", "b"], 4_000)
    value = np.where(kind == "a", np.nan, rng.normal(size=4_000))
    assert between(profile_of(kind=kind, value=value), "kind", "value") > 0.99


def test_correlations_stay_positive_definite_where_columns_repeat_each_other() -> None:
    rng = np.random.default_rng(4)
    a = rng.normal(size=500)
    profile = profile_of(**{f"c{i}": a * (i + 1) for i in range(30)}, kind=(a > 0).astype(str))
    assert np.linalg.eigvalsh(np.array(profile.dependence["normal"]))[0] > 0


def table_of_rules(rows: int = 6_000) -> dict[str, Any]:
    rng = np.random.default_rng(5)
    names = np.array(["Masters", "Bachelors", "School", "None", "Doctorate"])
    level = rng.integers(0, 5, rows)
    origin, dest = rng.integers(0, 3, rows), rng.integers(0, 40, rows)
    month, day, hour = (rng.integers(1, n, rows) for n in (7, 16, 9))
    distances = rng.permutation(120) * 37
    return {
        "education": names[level],
        "education_num": level,
        "origin": np.array(["EWR", "JFK", "LGA"])[origin],
        "dest": np.char.add("D", dest.astype(str)),
        "distance": distances[origin * 40 + dest],
        "month": month,
        "day": day,
        "hour": hour,
        "stamp": month * 10_000 + day * 100 + hour,
        "noise": rng.normal(size=rows),
        "key": np.arange(rows),
        "constant": np.full(rows, 2013),
    }


def test_columns_that_determine_others_are_found_and_no_more() -> None:
    found = rules_of(profile_of(**table_of_rules()))
    assert found == {
        (("education",), "education_num"),
        (("education_num",), "education"),
        (("origin", "dest"), "distance"),
        (("distance",), "origin"),
        (("distance",), "dest"),
        (("month", "day", "hour"), "stamp"),
        (("stamp",), "month"),
        (("stamp",), "day"),
        (("stamp",), "hour"),
    }


def test_one_exception_among_all_rows_ends_a_rule() -> None:
    columns = table_of_rules()
    columns["education_num"] = columns["education_num"].copy()
    columns["education_num"][4_321] += 1
    found = rules_of(profile_of(**columns))
    assert (("education",), "education_num") not in found
    assert (("origin", "dest"), "distance") in found


def test_sparse_random_columns_give_no_rule_by_chance() -> None:
    rng = np.random.default_rng(6)
    found = profile_of(
        **{f"c{i}": rng.integers(0, 2 + 7 * i, 800) for i in range(10)},
        rare=rng.random(800) < 0.005,
        words=rng.choice(["x", "y", None], 800),
    )
    assert found.rules == ()


def test_a_column_that_only_excuses_a_few_exceptions_makes_no_rule() -> None:
    rng = np.random.default_rng(10)
    kind = rng.integers(0, 6, 3_000)
    price = kind * 10
    flag = np.zeros(3_000, int)
    odd = rng.choice(3_000, 4, replace=False)
    flag[odd], price[odd] = 1, 999
    found = rules_of(profile_of(kind=kind, price=price, flag=flag))
    assert (("kind", "flag"), "price") not in found
    flag, price = rng.integers(0, 2, 3_000), kind * 10
    found = rules_of(profile_of(kind=kind, price=price + 7 * flag, flag=flag))
    assert (("kind", "flag"), "price") in found


def test_combinations_of_few_rows_each_make_no_rule() -> None:
    rng = np.random.default_rng(11)
    for rows_each, count in ((2, 0), (8, 1)):
        branch = np.repeat(np.arange(150), rows_each)
        size = rng.integers(0, 40, 150)[branch]
        assert len(rules_of(profile_of(branch=branch, size=size))) == count
    price = rng.permutation(600) % 90
    for rows, held in ((1_200, False), (6_000, True)):
        a, b = rng.integers(0, 30, rows), rng.integers(0, 20, rows)
        found = rules_of(profile_of(a=a, b=b, price=price[a * 20 + b]))
        assert ((("a", "b"), "price") in found) == held


def test_missing_values_take_part_in_rules() -> None:
    rng = np.random.default_rng(7)
    plan = rng.choice(["none", "basic", "full"], 2_000)
    price = np.where(plan == "none", np.nan, np.where(plan == "basic", 10.0, 25.0))
    assert (("plan",), "price") in rules_of(profile_of(plan=plan, price=price))


def test_an_order_that_always_holds_is_a_rule_and_one_that_cannot_break_is_not() -> None:
    rng = np.random.default_rng(8)
    rows = 5_000
    start = rng.normal(0, 10, rows)
    end = start + rng.exponential(3, rows)
    end[::7] = np.nan
    day = np.datetime64("2024-01-01", "us") + rng.integers(0, 900, rows) * np.timedelta64(1, "D")
    later = day + rng.integers(0, 30, rows) * np.timedelta64(1, "D")
    far = start + 1e6
    profile = profile_of(start=start, end=end, day=day, later=later, far=far)
    assert rules_of(profile, "order") == {("start", "end"), ("day", "later")}
    end[-1] = start[-1] - 1
    assert rules_of(profile_of(start=start, end=end), "order") == set()
