"""Canaries show a generator that remembers rows, and no other."""

from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from people import noisy, people
from scipy.stats import mannwhitneyu

import geurim
from geurim.cli_proof import canaries as command
from geurim.errors import DataError, NotFound, SettingError, TargetExists
from geurim.verify import stats
from geurim.verify.canaries import Canaries, plant, rank_test

TABLE = people(2_000, np.random.default_rng(0))


@pytest.fixture(scope="module")
def planted():
    source, canaries = plant(geurim.read(TABLE), 40, seed=1)
    return source.to_arrow(), canaries


def found(canaries: Canaries, rows: pa.Table) -> dict[str, str]:
    return {f.name: f.verdict for f in canaries.check(rows)}


def test_rows_with_canaries_are_the_rows_and_the_canaries(planted):
    rows, canaries = planted
    assert rows.schema == TABLE.schema and len(rows) == 2_040
    marks = canaries.planted["email"].to_pylist()
    is_canary = np.isin(rows["email"].to_pylist(), marks)
    assert rows.filter(pa.array(~is_canary)) == TABLE.combine_chunks()
    assert sorted(rows.filter(pa.array(is_canary))["email"].to_pylist()) == sorted(marks)
    places = np.flatnonzero(is_canary)
    assert places.min() < 300 and places.max() > 1_700  # among the rows, not at an end


def test_canaries_are_rare_real_values_and_no_two_alike(planted):
    _, canaries = planted
    both = pa.concat_tables([canaries.planted, canaries.spared])
    ages = np.array(both["age"].to_pylist())
    real = np.sort(TABLE["age"].to_numpy())
    assert ((ages <= real[40]) | (ages >= real[-40])).all()
    assert np.isin(ages, real).all()
    rare = [str(v).startswith("place") for v in both["place"].to_pylist()]
    assert np.mean(rare) > 0.4  # 4% of the real rows
    assert len({tuple(r.values()) for r in both.drop_columns(["email"]).to_pylist()}) == 80
    assert set(canaries.planted["email"].to_pylist()).isdisjoint(
        canaries.spared["email"].to_pylist()
    )


def test_a_seed_repeats_the_canaries(planted):
    again = plant(geurim.read(TABLE), 40, seed=1)
    assert again[0].to_arrow() == planted[0]
    assert plant(geurim.read(TABLE), 40, seed=2)[1].planted != planted[1].planted


def test_copies_of_training_rows_fail(planted):
    rows, canaries = planted
    rng = np.random.default_rng(2)
    made = rows.take(pa.array(rng.integers(0, len(rows), 2_000)))
    assert found(canaries, made) == {"canaries": "fail", "canary_marks": "fail"}


def test_noisy_copies_of_training_rows_fail(planted):
    rows, canaries = planted
    made = noisy(rows, rows, 1, np.random.default_rng(3)).drop_columns(["email"])
    made = made.append_column("email", pa.array([f"u{i}@mail.example" for i in range(len(made))]))
    assert found(canaries, made) == {"canaries": "fail", "canary_marks": "pass"}


@pytest.mark.parametrize("seed", range(5))
def test_honest_rows_are_not_blamed(planted, seed):
    verdicts = found(planted[1], people(2_000, np.random.default_rng(10 + seed)))
    assert verdicts["canaries"] in ("pass", "info") and verdicts["canary_marks"] == "pass"


def test_generators_that_smooth_are_not_blamed():
    source, canaries = plant(geurim.read(TABLE), 40, seed=5)
    made = geurim.generate(source, 1_000, generator="independent", seed=1)
    assert found(canaries, made.to_arrow())["canaries"] in ("pass", "info")


def test_rank_test_counts_all_ways_to_choose():
    high, low = np.array([3.0, 5.0, 5.0, 9.0]), np.array([1.0, 5.0, 2.0, 2.0, 4.0])
    ranks = stats.midranks(np.concatenate([high, low]))
    sums = [sum(ranks[list(c)]) for c in combinations(range(9), 4)]
    assert rank_test(high, low) == pytest.approx(np.mean(np.array(sums) >= ranks[:4].sum()))


def test_rank_test_is_that_of_scipy_without_ties_and_for_many_values():
    rng = np.random.default_rng(6)
    a, b = rng.normal(0.4, 1, 30), rng.normal(0, 1, 35)
    wanted = mannwhitneyu(a, b, alternative="greater", method="exact").pvalue
    assert rank_test(a, b) == pytest.approx(wanted)
    a, b = (rng.normal(m, 1, 300).round(1) for m in (0.1, 0))
    wanted = mannwhitneyu(a, b, alternative="greater", method="asymptotic").pvalue
    assert rank_test(a, b) == pytest.approx(wanted, rel=0.02)


def test_rank_test_blames_by_luck_as_often_as_it_says():
    rng = np.random.default_rng(7)
    chances = [rank_test(*rng.integers(0, 9, (2, 12)).astype(float)) for _ in range(800)]
    assert abs(np.mean(np.array(chances) <= 0.05) - 0.04) < 0.025


def test_types_of_all_kinds_can_be_planted_in_batches():
    rows = 300
    table = pa.table(
        {
            "key": pa.array(range(rows)),
            "when": pa.array(np.datetime64("2024-01-01T00:00:00") + np.arange(rows) * 3_600),
            "kind": pa.array(["a", "b", None] * 100).dictionary_encode(),
            "flag": pa.array([True, False, None] * 100),
            "price": pa.array(np.arange(rows) / 7).cast(pa.decimal128(12, 4), safe=False),
            "empty": pa.nulls(rows, pa.float64()),
        }
    )
    source = geurim.read(table)
    planted, canaries = plant(source, 10, seed=1)
    rows_made = planted.to_arrow()
    assert rows_made.schema == source.schema and len(rows_made) == planted.rows == 310
    assert len(set(rows_made["key"].to_pylist())) == 310
    assert canaries.check(rows_made)[0].verdict in ("warn", "fail", "info")


@pytest.mark.parametrize(
    ("table", "count", "error", "words"),
    [
        (TABLE, 5, SettingError, "not 5"),
        (TABLE, 5_000, SettingError, "not 5000"),
        (pa.table({"a": ["x", "y"] * 50}), 10, DataError, "only 2 can"),
        (TABLE.slice(0, 0), 10, DataError, "no rows"),
    ],
)
def test_what_cannot_be_planted_is_refused(table, count, error, words):
    with pytest.raises(error, match=words):
        plant(geurim.read(table), count, seed=1)


def test_canaries_are_saved_and_loaded(planted, tmp_path):
    file = tmp_path / "canaries.parquet"
    planted[1].save(file)
    assert Canaries.load(file) == planted[1]
    with pytest.raises(TargetExists):
        planted[1].save(file)
    with pytest.raises(NotFound):
        Canaries.load(tmp_path / "none.parquet")
    geurim.write(geurim.read(TABLE), tmp_path / "rows.parquet")
    with pytest.raises(DataError, match="no canaries"):
        Canaries.load(tmp_path / "rows.parquet")
    with pytest.raises(DataError, match="lacks"):
        planted[1].check(TABLE.drop_columns(["age"]))


def test_command_plants_and_checks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    geurim.write(geurim.read(TABLE), "people.parquet")
    run = CliRunner().invoke
    done = run(command, ["plant", "people.parquet", "--seed", "7", "-o", "planted.parquet"])
    assert done.exit_code == 0, done.output
    assert "2,050 rows, 50 of them canaries" in done.output
    done = run(command, ["check", "planted.parquet", "planted-canaries.parquet"])
    assert done.exit_code == 1 and done.output.startswith("fail: In ")
    done = run(command, ["check", "people.parquet", "planted-canaries.parquet"])
    assert done.exit_code == 0 and "word for word" in done.output
