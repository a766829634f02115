"""Mixtures of real and synthetic rows, and what is said of rows of which none is real."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from scipy import stats

import geurim
from geurim.cli import main
from geurim.contract import Lineage
from geurim.errors import DataError, SchemaError, SettingError
from geurim.generators.independent import Independent

RNG = np.random.default_rng(0)
REAL = pa.table({"n": np.arange(600), "x": RNG.normal(size=600).round(3)})


@pytest.fixture(scope="module")
def made() -> geurim.Source:
    return geurim.sample(geurim.fit(REAL, "independent", seed=1), 2_000, seed=2)


def real_rows(rows: pa.Table) -> np.ndarray:
    """Which rows (N,) are real, by their pair of values."""
    known = set(zip(*(REAL[c].to_pylist() for c in ("n", "x")), strict=True))
    return np.array([(r["n"], r["x"]) in known for r in rows.to_pylist()])


def test_shares_are_exact_and_no_row_comes_twice(made: geurim.Source) -> None:
    mixed = geurim.mix(REAL, made, real_share=0.3, rows=1_000, seed=1)
    rows = mixed.to_arrow()
    assert rows.num_rows == mixed.rows == 1_000 and rows.schema == REAL.schema
    real = real_rows(rows)
    assert real.sum() == 300
    assert len(set(rows["n"].to_numpy()[real])) == 300
    assert mixed.to_arrow().equals(rows)
    assert geurim.mix(REAL, made, real_share=0.3, rows=1_000, seed=1).to_arrow().equals(rows)
    assert not geurim.mix(REAL, made, real_share=0.3, rows=1_000, seed=2).to_arrow().equals(rows)


def test_the_order_is_random_and_an_unmixed_one_would_show(made: geurim.Source) -> None:
    """Runs of real rows and the order of their numbers; sorted rows fail by far."""
    rows = geurim.mix(REAL, made, real_share=0.5, rows=1_000, seed=3).to_arrow()
    real = real_rows(rows)
    numbers = rows["n"].to_numpy()[real]

    def levels(real: np.ndarray, numbers: np.ndarray) -> tuple[float, float]:
        changes = int((real[1:] != real[:-1]).sum())  # mean 500, variance 250 when shuffled
        z = (changes - 500) / 250**0.5
        return 2 * stats.norm.sf(abs(z)), stats.spearmanr(np.arange(len(numbers)), numbers)[1]

    assert min(levels(real, numbers)) > 1e-4
    assert max(levels(np.sort(real), np.sort(numbers))) < 1e-4


def test_blocks_change_nothing_but_memory(
    made: geurim.Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = geurim.mix(REAL, made, real_share=0.3, rows=1_500, seed=1).to_arrow()
    module = sys.modules["geurim.mix"]  # the name in the package is the function's
    monkeypatch.setattr(module, "_BLOCK_BYTES", 1)
    monkeypatch.setattr(module, "_BATCH", 100)
    parts = geurim.mix(REAL, made, real_share=0.3, rows=1_500, seed=1)
    assert max(b.num_rows for b in parts.read()) <= 100
    assert parts.to_arrow().equals(whole)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.25, 1 / 3, 0.5, 0.999, 1.0])
def test_without_rows_as_many_are_taken_as_both_can_give(made: geurim.Source, share: float) -> None:
    mixed = geurim.mix(REAL, made, real_share=share, seed=1)
    assert mixed.rows is not None
    real = round(mixed.lineage.shares[0] * mixed.rows)
    assert real == int(np.floor(share * mixed.rows + 0.5)) <= 600
    assert mixed.rows - real <= 2_000
    more = int(np.floor(share * (mixed.rows + 2) + 0.5))
    assert more > 600 or mixed.rows + 2 - more > 2_000
    assert mixed.to_arrow().num_rows == mixed.rows


@pytest.mark.parametrize(("share", "rows"), [(0.3, 4_000), (0.9, 1_000), (0.01, 5_000), (0.5, 0)])
def test_too_few_rows_are_told_with_the_counts(
    made: geurim.Source, share: float, rows: int
) -> None:
    with pytest.raises(DataError, match="there are 600 real and 2,000 synthetic"):
        geurim.mix(REAL, made, real_share=share, rows=rows, seed=1)


def test_the_most_that_an_error_names_can_be_had(made: geurim.Source) -> None:
    with pytest.raises(DataError) as told:
        geurim.mix(REAL, made, real_share=0.3, rows=4_000, seed=1)
    most = int(str(told.value).split("Ask for ")[1].split(" rows")[0].replace(",", ""))
    assert geurim.mix(REAL, made, real_share=0.3, rows=most, seed=1).rows == most
    with pytest.raises(DataError):
        geurim.mix(REAL, made, real_share=0.3, rows=most + 2, seed=1)


def test_columns_that_differ_are_named(made: geurim.Source) -> None:
    rows = made.to_arrow()
    with pytest.raises(SchemaError, match=r"lacks \['x'\] and also has \['y'\]"):
        geurim.mix(REAL, rows.rename_columns(["n", "y"]), real_share=0.5, seed=1)
    words = rows.set_column(1, "x", pa.array(["much"] * rows.num_rows))
    with pytest.raises(SchemaError, match="'x' is double in the real table and string"):
        geurim.mix(REAL, words, real_share=0.5, seed=1).to_arrow()
    turned = rows.select(["x", "n"]).set_column(1, "n", rows["n"].cast(pa.float64()))
    assert geurim.mix(REAL, turned, real_share=0.5, seed=1).to_arrow().schema == REAL.schema
    with pytest.raises(SettingError, match=r"1\.5"):
        geurim.mix(REAL, rows, real_share=1.5, seed=1)


def test_synthetic_rows_given_as_real_are_refused(made: geurim.Source) -> None:
    with pytest.raises(DataError, match="given as real were made"):
        geurim.mix(made, REAL, real_share=0.5, seed=1)


def test_the_shares_stay_in_the_lineage_through_a_file(made: geurim.Source, tmp_path: Path) -> None:
    mixed = geurim.mix(REAL, made, real_share=0.25, rows=400, seed=1)
    assert mixed.lineage.shares == (0.25, 0.75)
    assert mixed.lineage.depth == 1 and mixed.lineage.real_share == 0.25
    geurim.write(mixed, tmp_path / "mixed.parquet")
    again = geurim.read(tmp_path / "mixed.parquet")
    assert again.lineage == mixed.lineage
    twice = geurim.mix(REAL, again, real_share=0.5, rows=400, seed=1)
    assert twice.lineage.real_share == pytest.approx(0.5 + 0.5 * 0.25)
    assert Lineage.from_json(twice.lineage.to_json()) == twice.lineage


def test_a_csv_file_tells_no_depth_but_a_mixture_of_it_knows_what_is_synthetic(
    made: geurim.Source, tmp_path: Path
) -> None:
    geurim.write(made, tmp_path / "made.csv")
    read = geurim.read(tmp_path / "made.csv")
    assert read.lineage.depth == 0  # CSV holds values only
    assert geurim.mix(REAL, read, real_share=0.5, seed=1).lineage.real_share == 0.5


def test_a_fit_on_synthetic_rows_alone_warns_and_can_be_refused(made: geurim.Source) -> None:
    with pytest.warns(UserWarning, match="No row to learn from is real"):
        geurim.fit(made, "independent", seed=1)
    with pytest.raises(DataError, match="depth 1"):
        geurim.fit(made, "independent", seed=1, synthetic_training="refuse")
    with pytest.raises(DataError):
        geurim.generate(made, 10, seed=1, synthetic_training="refuse")
    with pytest.raises(SettingError, match="never"):
        geurim.fit(REAL, Independent(), seed=1, synthetic_training="never")  # type: ignore[arg-type]


def test_rows_that_are_real_in_part_do_not_warn(made: geurim.Source) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        geurim.fit(REAL, "independent", seed=1)
        geurim.fit(made, "independent", seed=1, synthetic_training="allow")
        mixed = geurim.mix(REAL, made, real_share=0.01, seed=1)
        geurim.fit(mixed, "independent", seed=1, synthetic_training="refuse")
        holes = pa.table({"n": REAL["n"], "x": pa.array(REAL["x"], mask=np.arange(600) % 9 == 0)})
        geurim.fit(geurim.impute(holes, seed=1), "independent", seed=1)


def test_the_command_line_mixes_warns_and_refuses(tmp_path: Path, made: geurim.Source) -> None:
    geurim.write(REAL, tmp_path / "real.parquet")
    geurim.write(made, tmp_path / "made.parquet")
    paths = [str(tmp_path / n) for n in ("real.parquet", "made.parquet", "mixed.parquet")]
    asked = ["mix", *paths[:2], "--real-share", "0.3", "--rows", "1e3", "--seed", "1"]
    done = CliRunner().invoke(main, [*asked, "-o", paths[2]])
    assert done.exit_code == 0, done.output
    assert "1,000 rows, 30.00% of them real" in done.stdout
    again = CliRunner().invoke(main, [*asked, "-o", paths[2]])
    assert again.exit_code == 2 and "--overwrite" in again.stderr
    few = CliRunner().invoke(main, ["mix", *paths[:2], "--real-share", "0.9", "--rows", "1e3",
                                    "-o", str(tmp_path / "few.csv")])  # fmt: skip
    assert few.exit_code == 2 and "600 real" in few.stderr
    fit = ["fit", paths[1], "--generator", "independent", "--seed", "1", "-o"]
    told = CliRunner().invoke(main, [*fit, str(tmp_path / "a.geurim")])
    assert told.exit_code == 0 and "Warning: No row to learn from is real" in told.stderr
    still = CliRunner().invoke(main, [*fit, str(tmp_path / "b.geurim"), "-q"])
    assert still.exit_code == 0 and still.output == ""
    refused = [*fit, str(tmp_path / "c.geurim"), "--synthetic-training", "refuse"]
    assert CliRunner().invoke(main, refused).exit_code == 2
    assert not (tmp_path / "c.geurim").exists()
