"""Constraints: found, kept, counted; and what breaks them is noticed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import geurim
from geurim.constraints import check, found, how_kept, parse, rule_text
from geurim.constraints.kinds import combined, linear
from geurim.contract import Fitted
from geurim.errors import DataError, SamplingError, SettingError

ASKED = [
    "end >= start",
    "total = a + b",
    "zip -> city",
    "since <= until",
    "unique(zip, start)",
    "seen(x, city)",
    "rising(seq)",
]


def make(n: int = 4_000, seed: int = 0) -> pa.Table:
    """A table that keeps all of ASKED; `rising` by its order."""
    rng = np.random.default_rng(seed)
    start, zips = rng.integers(0, 1_000, n), rng.integers(0, 60, n)
    a, b = np.round(rng.lognormal(3, 1, n), 2), np.round(rng.lognormal(2, 1, n), 2)
    since = np.datetime64("2020-01-01") + rng.integers(0, 900, n)
    x = np.where(zips // 7 % 2 == 0, "u", "v")
    table = pa.table(
        {
            "start": start,
            "end": start + rng.exponential(100, n).astype(int),
            "a": a,
            "b": b,
            "total": np.round(a + b, 2),
            "zip": zips,
            "city": [f"c{z // 7}" for z in zips],
            "since": since,
            "until": since + rng.integers(0, 900, n),
            "x": x,
            "seq": np.sort(rng.integers(0, 10**6, n)),
        }
    )
    pairs = set()
    keep = []
    for pair in zip(zips.tolist(), start.tolist(), strict=True):
        keep.append(pair not in pairs)
        pairs.add(pair)
    return table.filter(pa.array(keep))


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return make()


@pytest.fixture(scope="module", params=["trees", "independent", "copula"])
def fitted(request: Any, table: pa.Table) -> Fitted:
    return geurim.fit(table, request.param, seed=1, constraints=ASKED)


def broken(data: Any, real: Any, asked: list[str] = ASKED) -> dict[str, int]:
    return {b.text: b.broken for b in check(data, asked, real=real)}


def test_no_row_breaks_a_constraint_whatever_the_generator(fitted: Fitted, table: pa.Table) -> None:
    rows = geurim.sample(fitted, 8_000, seed=2)
    assert not any(broken(rows, table).values())


def test_the_same_generator_without_constraints_breaks_them(table: pa.Table) -> None:
    rows = geurim.sample(geurim.fit(table, "independent", seed=1), 4_000, seed=2)
    counts = broken(rows, table)
    assert min(counts[str(parse(t, table.schema))] for t in ASKED if "rising" not in t) > 20
    assert counts["rising(seq)"] > 1_000


def test_a_model_file_keeps_the_constraints(fitted: Fitted, tmp_path: Path) -> None:
    geurim.save(fitted, tmp_path / "m.geurim")
    again = geurim.load(tmp_path / "m.geurim")
    assert how_kept(again) == how_kept(fitted)
    one, other = (geurim.sample(f, 500, seed=3).to_arrow() for f in (fitted, again))
    assert one.equals(other)


def test_rows_are_a_prefix_and_do_not_depend_on_workers(table: pa.Table) -> None:
    fitted = geurim.fit(table, "independent", seed=1, constraints=ASKED)
    long = geurim.sample(fitted, fitted.block + 300, seed=4).to_arrow()
    assert geurim.sample(fitted, 200, seed=4).to_arrow().equals(long.slice(0, 200))
    assert geurim.sample(fitted, long.num_rows, seed=4, workers=2).to_arrow().equals(long)


def test_given_values_come_back_and_the_constraints_hold(table: pa.Table) -> None:
    some = table.select(["start", "end", "a", "b", "total", "zip", "city"])
    fitted = geurim.fit(some, "trees", seed=1, constraints=ASKED[:3])
    given = table.select(["total", "city"]).slice(0, 300)
    rows = geurim.sample(fitted, seed=5, given=given).to_arrow()
    assert rows.select(given.column_names).equals(given)
    assert not any(broken(rows, table, ASKED[:3]).values())


def test_marginals_stay_those_of_the_data_up_to_chance(fitted: Fitted, table: pa.Table) -> None:
    """Pair: the ends drawn are distributed as the real ones; shifted by a tenth they are not."""
    rows = geurim.sample(fitted, 20_000, seed=6).to_arrow()
    for name in ("start", "end", "a"):
        real, made = (np.sort(np.asarray(t[name], float)) for t in (table, rows))

        def gap(one: np.ndarray, other: np.ndarray) -> float:
            points = np.union1d(one, other)
            cdf = [np.searchsorted(v, points, "right") / len(v) for v in (one, other)]
            return float(np.abs(cdf[0] - cdf[1]).max())

        assert gap(real, made) < 0.05, name
        assert gap(real, made + 0.3 * real.std()) > 0.05, name


def test_gaps_are_learned_where_an_order_would_be_broken_often(table: pa.Table) -> None:
    fitted = geurim.fit(table, "independent", seed=1, constraints=["end >= start"])
    (kept,) = how_kept(fitted)
    assert kept.how == "by construction"
    rows = geurim.sample(fitted, 4_000, seed=1).to_arrow()
    gaps = [np.subtract(t["end"], t["start"]).mean() for t in (table, rows)]
    assert abs(gaps[0] - gaps[1]) < 10  # about 100, with a standard error of 2


def test_a_gap_cannot_be_given_without_where_it_starts(table: pa.Table) -> None:
    both = pa.table({"n": np.arange(300) % 50, "m": np.arange(300) % 50 + np.arange(300) // 50})
    fitted = geurim.fit(both, "independent", seed=1, constraints=["n <= m"])
    with pytest.raises(SettingError, match="cannot be given without 'n'"):
        fitted.draw(1, np.random.default_rng(0), pa.table({"m": [3]}))


def test_rows_that_break_a_constraint_are_not_learned_from(table: pa.Table) -> None:
    end = np.asarray(table["end"]).copy()
    end[:40] = -1
    dirty = table.set_column(1, "end", pa.array(end))
    fitted = geurim.fit(dirty, "resample", seed=1, constraints=["end >= start"])
    (kept,) = how_kept(fitted)
    assert kept.real == 40
    assert min(geurim.sample(fitted, 5_000, seed=1).to_arrow()["end"].to_pylist()) >= 0
    with pytest.raises(DataError, match="nothing to learn from"):
        geurim.fit(dirty.slice(0, 30), seed=1, constraints=["end > start - 1", "a >= 0"])


def test_missing_values_break_nothing(table: pa.Table) -> None:
    gone = pa.array([None if i % 3 == 0 else v for i, v in enumerate(table["end"].to_pylist())])
    holes = table.set_column(1, "end", gone)
    fitted = geurim.fit(holes, "independent", seed=1, constraints=["end >= start"])
    rows = geurim.sample(fitted, 3_000, seed=1).to_arrow()
    assert 0.28 < rows["end"].null_count / 3_000 < 0.39
    assert broken(rows, table, ["end >= start"]) == {"end >= start": 0}


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (["start > end", "end > start"], "cannot hold at once"),
        (["start > 5000"], "start goes from"),
        (["x = 'q'"], "x holds only 'u', 'v'"),
        (["start -> start"], "not among those before"),
        (["nose -> city"], "'nose'"),
        (["unique(nose)"], "'nose'"),
        (["rising(city)"], "numbers or times"),
        (["seen(zip)"], "two or more"),
        (["3 > 2"], "no column"),
        (["end >="], "ends too early"),
        (["city >= 3"], "city is text"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_the_reason(
    table: pa.Table, asked: list[str], reason: str
) -> None:
    with pytest.raises(SettingError, match=reason):
        geurim.fit(table, "independent", seed=1, constraints=asked)


def test_more_rows_than_combinations_are_refused(table: pa.Table) -> None:
    pairs = pa.table({"x": ["a", "b"] * 50, "y": ["c", "d", "d", "c"] * 25})
    fitted = geurim.fit(pairs, seed=1, constraints=["unique(x, y)"])
    with pytest.raises(SettingError, match="4 combinations at most"):
        geurim.sample(fitted, 5, seed=1)
    made = geurim.sample(fitted, 4, seed=1).to_arrow()
    assert len(set(zip(*made.to_pydict().values(), strict=True))) == 4
    numbers = pa.table({"x": ["a", "b"] * 50, "n": [1.5, 2.5] * 50})
    stuck = geurim.fit(numbers, seed=1, constraints=["unique(x, n)"])
    with pytest.raises(SamplingError, match="repeat an earlier row"):
        geurim.sample(stuck, 10, seed=1).to_arrow()


def test_how_much_was_drawn_again_is_said(table: pa.Table) -> None:
    notes: list[str] = []
    fitted = geurim.fit(table, "independent", seed=1, constraints=["seen(x, city)"])
    geurim.sample(fitted, 2_000, seed=1, progress=lambda e: notes.append(e.note)).to_arrow()
    assert "rows broke seen(x, city)" in notes[-1]
    assert not notes[0]


def test_the_schema_of_rows_does_not_tell_what_was_drawn_again(table: pa.Table) -> None:
    fitted = geurim.fit(table, "independent", seed=1, constraints=["seen(x, city)"])
    for batch in geurim.sample(fitted, 2_000, seed=1).read():
        assert batch.schema.metadata is None or b"geurim.rejected" not in batch.schema.metadata


# ---- found in the profile


def test_rules_are_found_where_they_hold_and_say_how_sure_that_is(table: pa.Table) -> None:
    profile = geurim.analyze(table)
    texts = found(profile)
    for text in ("start <= `end`", "total = a + b", "zip -> city", "rising(seq)"):
        assert any(t.replace("`", "") == text.replace("`", "") for t in texts), (text, texts)
    assert all(r["breaks"] >= 25 for r in profile.rules)


def test_one_exception_and_a_rule_is_not_found(table: pa.Table) -> None:
    for name, rule in (("total", "total = a + b"), ("city", "zip -> city")):
        values = table[name].to_pylist()
        values[17] = values[17] + 1 if name == "total" else "elsewhere"
        place = table.column_names.index(name)
        profile = geurim.analyze(table.set_column(place, name, pa.array(values)))
        assert rule not in found(profile)


def test_nothing_is_found_in_noise() -> None:
    rng = np.random.default_rng(1)
    for rows in (30, 200, 3_000):
        noise = {f"n{i}": rng.integers(0, 40, rows) for i in range(6)}
        noise |= {f"s{i}": rng.choice(list("abcd"), rows) for i in range(4)}
        assert found(geurim.analyze(pa.table(noise))) == []


@pytest.mark.parametrize("rows", [10, 400])
def test_pairs_that_come_once_are_found_where_chance_would_repeat_them(rows: int) -> None:
    grid = pa.table(
        {"day": np.repeat(np.arange(rows // 5), 5), "seat": np.tile(list("abcde"), rows // 5)}
    )
    wanted = ["unique(day, seat)"] if rows == 400 else []
    assert [t for t in found(geurim.analyze(grid)) if "unique" in t] == wanted


def test_a_product_and_a_long_total_are_found() -> None:
    rng = np.random.default_rng(2)
    parts = {f"m{i}": np.round(rng.lognormal(2, 1, 500), 2) for i in range(6)}
    price, count = np.round(rng.lognormal(2, 1, 500), 2), rng.integers(1, 60, 500)
    table = pa.table(
        parts
        | {"year": np.round(sum(parts.values()), 2)}
        | {"price": price, "count": count, "paid": np.round(price * count, 2)}
    )
    sums = [t for t in found(geurim.analyze(table)) if "=" in t and "<" not in t]
    assert "paid = price * count" in sums
    assert "year = m0 + m1 + m2 + m3 + m4 + m5" in sums
    assert len(sums) == 2


def test_found_constraints_are_kept_and_named_as_found(table: pa.Table) -> None:
    fitted = geurim.fit(table, "independent", seed=1, constraints="found")
    kept = {k.text: k for k in how_kept(fitted)}
    assert kept["total = a + b"].how == kept["zip -> city"].how == "by construction"
    assert all(k.found for k in kept.values())
    rows = geurim.sample(fitted, 3_000, seed=1)
    counts = broken(rows, table, [k.text for k in kept.values() if "construction" in k.how])
    assert not any(counts.values())


def test_every_rule_of_a_profile_can_be_written_as_a_constraint_and_read_again() -> None:
    schema = pa.schema([("a b", pa.int64()), ("end", pa.int64()), ("x,y", pa.string())])
    rules: list[dict[str, Any]] = [
        {"kind": "determines", "by": ["a b", "x,y"], "column": "end"},
        {"kind": "order", "low": "a b", "high": "end"},
        {"kind": "sum", "column": "end", "parts": ["a b", "a b"], "sign": "+"},
        {"kind": "unique", "columns": ["x,y", "end"]},
        {"kind": "falling", "column": "a b"},
    ]
    for rule in rules:
        text = rule_text(rule)
        assert str(parse(text, schema)) == text


# ---- the parts


def test_sums_hold_up_to_rounding_and_no_further() -> None:
    table = pa.table({"a": [0.1, 0.2, 1.0], "b": [0.2, 0.1, 2.0], "t": [0.3, 0.3, 3.01]})
    (result,) = check(table, ["t = a + b"])
    assert result.broken == 1


def test_hashes_tell_rows_apart_and_missing_is_a_value() -> None:
    table = pa.table({"a": [1, 1, None, None, 2], "b": ["x", "y", "x", None, "x"]})
    keys = combined(table, ("a", "b"))
    assert len(set(keys.tolist())) == 5
    assert (
        combined(pa.table({"a": [0.0, -0.0]}), ("a",))[0]
        == combined(pa.table({"a": [0.0, -0.0]}), ("a",))[1]
    )


def test_linear_forms() -> None:
    schema = pa.schema([("a", pa.int64()), ("b", pa.float64())])

    def form(text: str) -> Any:
        rule = parse(f"a = {text}", schema)
        return linear(rule.condition.right)  # type: ignore[union-attr]

    assert form("2 * b - (b - 3) / 2") == ({"b": 1.5}, 1.5)
    assert form("-b + 1") == ({"b": -1.0}, 1.0)
    assert form("b * b") is None
    assert form("1 / b") is None
