"""What rows are for, on the command line: impute, fairness, auto, privacy, trained series."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

import geurim
from geurim.cli import main
from geurim.fairness import findings, independent


def run(*arguments: str | Path, code: int = 0) -> Result:
    done = CliRunner().invoke(main, [str(a) for a in arguments])
    assert done.exit_code == code, f"{done.exit_code}\n{done.output}"
    assert "Traceback" not in done.output
    return done


def people(rows: int = 1_500, few: int | None = None) -> pa.Table:
    """A group that is paid better, and hours that tell of both; `few`: rows of one group."""
    rng = np.random.default_rng(0)
    sex = rng.choice(["f", "m"], rows)
    if few is not None:
        sex = np.where(np.arange(rows) < few, "f", "m")
    rich = rng.random(rows) < np.where(sex == "m", 0.6, 0.2)
    hours = rng.normal(np.where(rich, 45, 35) + 3 * (sex == "m"), 5).round(1)
    return pa.table({"sex": sex, "rich": np.where(rich, "yes", "no"), "hours": hours})


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    pa.csv.write_csv(people(), tmp_path / "people.csv")
    return tmp_path


def test_impute_fills_what_is_missing_and_stacks(here: Path) -> None:
    gone = np.random.default_rng(1).random(1_500) < 0.3
    table = people().set_column(2, "hours", pa.array(people()["hours"].to_numpy(), mask=gone))
    pa.csv.write_csv(table, here / "survey.csv")
    run("impute", "survey.csv", "-o", "whole.csv", "--seed", "1", "-q")
    whole = pa.csv.read_csv(here / "whole.csv")
    assert whole.num_rows == 1_500 and whole["hours"].null_count == 0
    there = pa.array(~gone)
    assert whole["hours"].filter(there).equals(table["hours"].filter(there))
    run("impute", "survey.csv", "--times", "3", "-o", "three.parquet", "--seed", "1", "-q")
    assert set(pq.read_table(here / "three.parquet")["imputation"].to_pylist()) == {1, 2, 3}
    run("fit", "people.csv", "--seed", "1", "-q", "-o", "people.geurim")
    run("impute", "survey.csv", "--model", "people.geurim", "-o", "by.csv", "-q")
    assert pa.csv.read_csv(here / "by.csv")["hours"].null_count == 0
    run("impute", "survey.csv", "-o", "whole.csv", code=2)  # it is there already


def test_fair_shows_the_gap_before_and_after_and_its_cost(here: Path) -> None:
    done = run(
        *("generate", "people.csv", "--rows", "1500", "--target", "rich"),
        *("--fair", "sex:rich", "--seed", "3", "-o", "out"),
    )
    report = json.loads((here / "out" / "report.json").read_text())
    found = {f["name"]: f for f in report["findings"] if f["question"] == "fair"}
    assert {"parity_gap", "predicted_gap", "fair_cost", "pair_cost"} <= set(found)
    assert abs(found["parity_gap"]["reference"] - 0.4) < 0.1
    assert abs(found["parity_gap"]["value"]) < 0.08
    assert "differ in 'rich'" in done.output and "fail" not in done.output
    link = next(f for f in report["findings"] if set(f["columns"]) == {"sex", "rich"})
    assert link["verdict"] == "info" and "asked for" in link["text"]
    wrong = ("generate", "people.csv", "--rows", "9", "--fair", "nose:rich", "-o", "no")
    said = run(*wrong, code=2).output
    assert "'nose:rich' does not name two columns" in said and not (here / "no").exists()


def test_a_group_of_few_rows_is_not_judged() -> None:
    real = people(2_000, few=12)
    fitted = geurim.fit(real, seed=1)
    balance = independent(fitted, "sex", "rich")
    before = geurim.sample(fitted, 2_000, seed=2).to_arrow()
    after = geurim.sample(fitted, 2_000, seed=2, balance=balance).to_arrow()
    told = {f.name: f for f in findings(before, after, real, "sex", "rich")}
    assert np.isnan(told["predicted_gap"].value) and "not judged" in told["predicted_gap"].text


def test_auto_says_what_it_took_and_why(here: Path) -> None:
    done = run("fit", "people.csv", "--generator", "auto", "-o", "a.geurim", "--seed", "1")
    assert "Generator: trees, because" in done.output
    hasty = run(
        *("fit", "people.csv", "--generator", "auto", "--time-limit", "0.001"),
        *("-o", "b.geurim", "--seed", "1"),
    )
    assert "Generator: copula, because" in hasty.output


def test_a_private_folder_says_what_in_it_is_private(here: Path) -> None:
    pytest.importorskip("opendp")
    given = ("--generator", "auto", "--need", "privacy", "--rows", "500", "--seed", "1")
    done = CliRunner().invoke(main, ["generate", "people.csv", *given, "-o", "out"])
    assert "Generator: private, because" in done.output
    assert "the report and the profile were measured on real rows" in done.output


def test_series_by_a_network_keep_a_checkpoint_until_they_are_done(here: Path) -> None:
    pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    steps = pa.table({"who": np.repeat(np.arange(40), 6), "step": rng.integers(0, 3, 240)})
    pq.write_table(steps, here / "steps.parquet")
    series = ("--entity", "who", "--generator", "recurrent", "--seed", "1")
    run("fit", "steps.parquet", *series, "-o", "steps.geurim")
    assert not list(here.glob("*.checkpoint"))
    run("sample", "steps.geurim", "--rows", "5", "-o", "made.csv", "-q")
    assert pa.csv.read_csv(here / "made.csv").num_rows == 30
    run("generate", "steps.parquet", *series, "--rows", "40", "-o", "out", code=0)
    refused = run(
        "fit", "steps.parquet", "--entity", "who", "--generator", "gan", "-o", "x", code=2
    )
    assert "does not make series" in refused.output
