"""A blind review: nothing tells what is real, and the statistics of the answers are right."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

import geurim
from geurim.cli import main
from geurim.errors import DataError, NotFound, SchemaError, SettingError, TargetExists
from geurim.review import ANSWER, GIVEAWAYS, ID, Prepared, Review, prepare, score
from geurim.review_scores import cohen, fleiss, pooled


def people(rows: int, seed: int, first: int = 0) -> pa.Table:
    rng = np.random.default_rng([5, seed])
    return pa.table(
        {
            "id": np.arange(first, first + rows),
            "email": [f"user{i}@mail.example" for i in rng.integers(0, 10**9, rows)],
            "age": pa.array(rng.integers(18, 80, rows), mask=rng.random(rows) < 0.1),
            "income": rng.lognormal(8, 1, rows).round(2),
            "note <b>": rng.choice(["=SUM(A1)", "-5", "plain", "<script>alert(1)</script>"], rows),
        }
    )


REAL, MADE = people(400, 1), people(300, 2, 10_000)


@pytest.fixture
def made(tmp_path: Path) -> Prepared:
    return prepare(REAL, MADE, tmp_path / "review", rows=40, reviewers=3, seed=1)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def key_of(made: Prepared) -> dict[str, str]:
    return dict(json.loads(made.key.read_text())["rows"])


def answered(made: Prepared, right: float, name: str, seed: int, tells: str = "age") -> Path:
    """A file of answers of which so many are right; wrong ones are spread by lot."""
    rng = np.random.default_rng(seed)
    path = made.folder.parent / f"{name}.csv"
    lines = [f"{ID},{ANSWER},{GIVEAWAYS}"]
    for row, kind in key_of(made).items():
        other = "real" if kind == "synthetic" else "synthetic"
        said = kind if rng.random() < right else other
        lines.append(f"{row},{said},{tells if said == 'synthetic' else ''}")
    path.write_text("\n".join(lines))
    return path


def test_every_reviewer_gets_the_same_rows_in_an_order_of_their_own(made: Prepared) -> None:
    sheets = [rows_of(made.folder / f"reviewer-{i}.csv") for i in (1, 2, 3)]
    orders = [[r[ID] for r in s] for s in sheets]
    assert all(sorted(o) == sorted(orders[0]) for o in orders)
    assert len({tuple(o) for o in orders}) == 3
    kinds = list(key_of(made).values())
    assert kinds.count("real") == kinds.count("synthetic") == 20
    values = {r[ID]: r["income"] for r in sheets[0]}
    income = {
        k: set(map(float, t["income"].to_pylist()))
        for k, t in (("real", REAL), ("synthetic", MADE))
    }
    assert all(float(values[i]) in income[kind] for i, kind in key_of(made).items())


def test_nothing_handed_out_tells_which_is_which(made: Prepared) -> None:
    assert sorted(p.name for p in made.folder.iterdir()) == sorted(made.files)
    assert made.key.parent == made.folder.parent and made.key.name == "review.key.json"
    key = key_of(made)
    for name in made.files:
        text = (made.folder / name).read_text(encoding="utf-8-sig")
        found = list(dict.fromkeys(re.findall(r"R[0-9a-f]{8}", text)))
        order = np.array([key[i] == "synthetic" for i in found])
        changes = int((order[1:] != order[:-1]).sum())
        assert 8 <= changes <= 31, name  # mean 20, deviation 3.1: four of them
        if name.endswith(".csv"):
            assert "synthetic" not in text and "real" not in text
    # The first row of a file is as often real as synthetic, over many reviews.
    firsts = 0
    for seed in range(60):
        one = prepare(REAL, MADE, made.folder.parent / f"r{seed}", rows=4, seed=seed)
        firsts += key_of(one)[rows_of(one.folder / "reviewer-1.csv")[0][ID]] == "real"
    assert 15 <= firsts <= 45


def test_personal_columns_are_left_out_or_made_anew_for_all(tmp_path: Path, made: Prepared) -> None:
    assert made.left_out == ("id", "email") and made.columns == ("age", "income", "note <b>")
    anew = prepare(REAL, MADE, tmp_path / "anew", rows=40, personal="anew", seed=1)
    assert anew.anew == ("id", "email")
    rows = rows_of(anew.folder / "reviewer-1.csv")
    known = set(REAL["email"].to_pylist()) | set(MADE["email"].to_pylist())
    assert not known & {r["email"] for r in rows}
    ids = {
        kind: [int(r["id"]) for r in rows if key_of(anew)[r[ID]] == kind]
        for kind in ("real", "synthetic")
    }
    assert min(ids["synthetic"]) < max(ids["real"]) and min(ids["real"]) < max(ids["synthetic"])
    kept = prepare(REAL, MADE, tmp_path / "kept", rows=40, personal="keep", seed=1)
    assert {r["email"] for r in rows_of(kept.folder / "reviewer-1.csv")} <= known
    with pytest.raises(DataError, match="nothing is left"):
        prepare(REAL.select(["email"]), MADE.select(["email"]), tmp_path / "none", rows=4, seed=1)


def test_what_a_spreadsheet_or_a_browser_would_run_is_only_text(made: Prepared) -> None:
    cells = [v for r in rows_of(made.folder / "reviewer-1.csv") for v in r.values()]
    assert not any(v.startswith(("=", "@")) for v in cells)
    assert "'=SUM(A1)" in cells and "-5" in cells
    page = (made.folder / "reviewer-1.html").read_text()
    assert page.count("<script>") == 1 and "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page and "note &lt;b&gt;" in page
    assert "default-src 'none'" in page and "http" not in page.replace("http-equiv", "")
    assert page.count("<fieldset") == 40 and page.count('type="radio"') == 80


def test_guessers_and_knowers_are_told_apart(made: Prepared) -> None:
    guessing = score([answered(made, 0.5, f"g{i}", i) for i in range(3)], made.key)
    assert guessing.verdict in ("pass", "info") and guessing.accuracy.low < 0.5
    knowing = score([answered(made, 0.95, f"k{i}", i) for i in range(3)], made.key)
    assert knowing.verdict == "fail" and knowing.accuracy.low > 0.8
    assert knowing.findings[0].reference == 0.5
    assert knowing.agreement is not None and knowing.agreement.low > 0.5
    assert guessing.agreement is not None and abs(guessing.agreement.value) < 0.3
    assert knowing.giveaways[0].column == "age" and knowing.giveaways[0].right > 50
    turned = score(answered(made, 0.02, "turned", 1), made.key)
    assert (
        turned.verdict in ("warn", "fail") and "take one for the other" in turned.findings[0].text
    )
    assert turned.agreement is None
    text = "\n".join(knowing.summary())
    assert "k1: " in text and "kappa" in text and "'age'" in text
    knowing.save_json(made.folder.parent / "found.json")
    assert json.loads((made.folder.parent / "found.json").read_text())["format"] == "geurim-review"


def test_honest_pooled_intervals_hold_the_truth() -> None:
    """Rows of differing ease, three reviewers: rows count; an interval of answers would fail."""
    rng = np.random.default_rng(3)
    held = naive = 0
    for _ in range(1_000):
        ease = rng.choice([0.15, 0.95], 60, p=[0.25, 0.75])  # the mean is 0.75
        right = rng.binomial(3, ease)
        found = pooled(right, np.full(60, 3))
        held += found.low <= 0.75 <= found.high
        p = right.sum() / 180
        naive += abs(p - 0.75) <= 1.96 * (p * (1 - p) / 180) ** 0.5
    assert 925 <= held <= 975  # 950 and four standard deviations: 922 to 978
    assert naive < 900
    assert pooled(np.full(20, 3), np.full(20, 3)).low == pytest.approx(
        20 / (20 + 1.96**2), abs=0.01
    )


def test_kappas_are_those_of_the_literature() -> None:
    pairs = np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], [20, 5, 10, 15], axis=0)
    assert cohen(pairs) == pytest.approx(0.4)  # (0.7 - 0.5) / (1 - 0.5)
    counts = [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]  # fmt: skip
    said = np.array([np.repeat(np.arange(5), row) for row in counts])
    assert fleiss(said) == pytest.approx(0.210, abs=5e-4)
    assert np.isnan(fleiss(np.zeros((9, 3), int))) and np.isnan(cohen(np.zeros((9, 2), int)))
    assert cohen(np.array([[0, 0], [1, 1]])) == fleiss(np.array([[0, 0, 0], [1, 1, 1]])) == 1


def test_answers_come_as_spreadsheets_write_them(made: Prepared) -> None:
    key = key_of(made)
    folder = made.folder.parent
    words = {"real": "실제", "synthetic": "S"}
    lines = [f"{ID};{ANSWER};{GIVEAWAYS}"] + [f"{i};{words[k]};" for i, k in key.items()]
    (folder / "a.csv").write_bytes("\r\n".join(lines).encode("cp949"))
    filled = (made.folder / "reviewer-2.csv").read_text(encoding="utf-8-sig").splitlines()
    out = [filled[0]]
    for line in filled[1:30]:  # ten are left open
        out.append(line.replace(",,,,", f",{key[line.split(',')[0]]},AGE; income,,", 1))
    (folder / "b.csv").write_text("\n".join([*out, *filled[30:]]), encoding="utf-8-sig")
    found = score([folder / "a.csv", folder / "b.csv"], made.key)
    assert [r.accuracy.value for r in found.reviewers] == [1.0, 1.0]
    assert found.reviewers[1].unanswered == 11 and found.accuracy.count == 40 + 29
    assert {g.column for g in found.giveaways} == {"age", "income"}
    assert found.agreement is not None and found.agreement.count == 29


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{ID},{ANSWER}\nR00000000,real\n", "not in the key"),
        (f"{ID},{ANSWER}\nROW,perhaps\n", "'perhaps'"),
        (f"{ID},{ANSWER}\nROW,real\nROW,real\n", "answered before"),
        (f"{ID},{ANSWER}\nROW,\n", "no answer"),
        ("a,b\n1,2\n", "no column review_id and review_answer"),
    ],
    ids=["unknown row", "unknown word", "twice", "none", "other file"],
)
def test_wrong_answers_are_told_with_the_line(made: Prepared, text: str, says: str) -> None:
    path = made.folder.parent / "a.csv"
    path.write_text(text.replace("ROW", next(iter(key_of(made)))))
    with pytest.raises(DataError, match=says):
        score(path, made.key)


def test_what_cannot_be_is_refused(made: Prepared, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there are 300"):
        prepare(REAL, MADE, tmp_path / "x", rows=700, seed=1)
    with pytest.raises(SchemaError, match="income"):
        prepare(REAL, MADE.drop_columns(["income"]), tmp_path / "x", rows=4, seed=1)
    with pytest.raises(TargetExists, match="another review"):
        prepare(REAL, MADE, made.folder, rows=4, seed=1)
    with pytest.raises(SettingError, match="among the files"):
        prepare(REAL, MADE, tmp_path / "x", rows=4, seed=1, key=tmp_path / "x" / "key.json")
    with pytest.raises(SettingError, match="rows is 1"):
        prepare(REAL, MADE, tmp_path / "x", rows=1, seed=1)
    with pytest.raises(NotFound):
        score(tmp_path / "no.csv", made.key)
    (tmp_path / "no.json").write_text("{}")
    with pytest.raises(DataError, match="not the key"):
        score(tmp_path / "no.csv", tmp_path / "no.json")
    assert not (tmp_path / "x").exists()


def test_the_command_line_prepares_and_scores(tmp_path: Path) -> None:
    geurim.write(REAL, tmp_path / "real.csv")
    geurim.write(MADE, tmp_path / "made.csv")
    words = ["review", str(tmp_path / "real.csv"), str(tmp_path / "made.csv"), "--rows", "50"]
    done = CliRunner().invoke(main, [*words, "--seed", "1", "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "Left out: id, email" in done.stdout and "Keep apart: " in done.stdout
    key = json.loads((tmp_path / "out.key.json").read_text())["rows"]
    lines = [f"{ID},{ANSWER}", *(f"{i},{k}" for i, k in key.items())]
    (tmp_path / "kim.csv").write_text("\n".join(lines))
    asked = [
        "review",
        "--answers",
        str(tmp_path / "kim.csv"),
        "--key",
        str(tmp_path / "out.key.json"),
    ]
    told = CliRunner().invoke(main, asked)
    assert told.exit_code == 1 and "kim: 100% right of 50" in told.stdout, told.output
    for wrong, says in (
        (["review", "a.csv", "-o", "x"], "REAL and SYNTHETIC"),
        (["review", "--answers", "a.csv"], "--key"),
        (["review", "--answers", "a.csv", "--key", "k", "-o", "x"], "-o"),
    ):
        refused = CliRunner().invoke(main, wrong)
        assert refused.exit_code == 2 and says in refused.stderr


def test_a_review_is_a_frozen_result(made: Prepared) -> None:
    found = score(answered(made, 0.7, "one", 1), made.key)
    assert isinstance(found, Review)
    with pytest.raises(AttributeError):
        found.accuracy = found.accuracy  # type: ignore[misc]
