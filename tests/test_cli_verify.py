"""`geurim verify` and `geurim compare` on the command line: gates, cards, marks, sets."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

import geurim
from geurim.cli import main


def rows(seed: int, shift: float = 0.0) -> pa.Table:
    rng = np.random.default_rng(seed)
    age = rng.normal(40 + shift, 10, 400).round(1)
    return pa.table({"age": age, "group": rng.choice(["a", "b", "c"], 400)})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("sets")
    for name, table in (("real", rows(1)), ("good", rows(2)), ("bad", rows(3, shift=30.0))):
        geurim.write(table, place / f"{name}.csv")
    geurim.write(rows(4), place / "holdout.csv")
    (place / "made").mkdir()
    geurim.write(rows(5), place / "made" / "synthetic.parquet")
    return place


def call(folder: Path, *words: str) -> tuple[int, str]:
    kinds = (".csv", ".html", ".json", ".md")
    given = [str(folder / w) if w.endswith(kinds) or w == "made" else w for w in words]
    done = CliRunner().invoke(main, given)
    return done.exit_code, done.output


def test_a_gate_by_name_decides_the_exit_code_and_marks_are_printed(folder: Path) -> None:
    given = ("--real", "real.csv", "--holdout", "holdout.csv", "--github")
    code, said = call(folder, "verify", "good.csv", *given, "--gate", "development")
    assert code == 0 and "Gate: kept" in said and "::error" not in said
    code, said = call(folder, "verify", "bad.csv", *given, "--gate", "development")
    assert code == 1 and "::error title=Geurim gate::column_ks" in said
    code, said = call(folder, "verify", "bad.csv", *given, "--gate", "realease")
    assert code == 2 and "release, internal, development" in said


def test_the_card_and_croissant_stand_beside_the_report(folder: Path) -> None:
    given = ("--real", "real.csv", "--card", "c.md", "--croissant", "c.json", "-o", "r.html")
    code, said = call(folder, "verify", "made", *given)
    assert code == 0, said
    assert (folder / "c.md").read_text("utf-8").startswith("# Synthetic data: made")
    told = json.loads((folder / "c.json").read_text("utf-8"))
    assert told["distribution"][0]["name"] == "synthetic.parquet"
    code, said = call(folder, "verify", "made", *given)
    assert code == 2 and "overwrite" in said


def test_what_croissant_cannot_name_is_refused_before_the_work(folder: Path) -> None:
    code, said = call(
        folder, "verify", "sqlite:///x.db", "--real", "real.csv", "--croissant", "d.json"
    )
    assert code == 2 and "Croissant has no name" in said


def test_sets_are_put_side_by_side(folder: Path) -> None:
    given = ("--real", "real.csv", "--holdout", "holdout.csv")
    code, said = call(folder, "compare", "good.csv", "bad.csv", "made", *given, "-o", "x.html")
    assert code == 0, said
    lines = {line.split()[0]: line.split()[1:] for line in said.splitlines() if line}
    assert lines["question"] == ["good", "bad", "made"]
    assert lines["faithful"][1] == "fail" and lines["faithful"][0] == "pass"
    assert "bad" in (folder / "x.html").read_text("utf-8")


def test_generators_are_compared_on_rows_that_were_held_out(folder: Path) -> None:
    words = ("compare", "--real", "real.csv", "--generator", "independent", "--rows", "300")
    code, said = call(folder, *words, "--json", "g.json")
    assert code == 0, said
    report = json.loads((folder / "g.json").read_text("utf-8"))["reports"]["independent"]
    assert report["rows"] == {"training": 320, "holdout": 80, "synthetic": 300}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("compare", "--real", "real.csv"), "Nothing to compare"),
        (("compare", "good.csv", "--real", "real.csv", "--rows", "9"), "--generator"),
        (("compare", "none.csv", "--real", "real.csv"), "none.csv"),
        (("compare", "--real", "real.csv", "--generator", "tree"), "trees"),
    ],
)
def test_comparisons_that_cannot_be_made_are_refused(
    folder: Path, words: tuple[str, ...], told: str
) -> None:
    code, said = call(folder, *words)
    assert code == 2 and told in said
