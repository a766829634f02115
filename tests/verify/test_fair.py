"""Fairness: amplified bias, dropped groups and unequal errors are found; honest rows pass.

Honest rows are drawn from the same population; a verdict blames them once in 10,000 times.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

import geurim
from geurim.cli import main
from geurim.errors import SettingError
from geurim.verify import verify
from geurim.verify.fair import _beyond, _gaps
from geurim.verify.groups import range_edges

ROWS = 4_000
BOTH = ["sex", "race"]


def people(seed: int, gap: float = 0.2, lost: float = 0.0, rows: int = ROWS) -> pa.Table:
    """An outcome in which men are ahead by `gap`; `lost`: the share of race c left out."""
    rng = np.random.default_rng([7, seed])
    sex, race = (
        rng.choice(["f", "m"], rows, p=[0.4, 0.6]),
        rng.choice(list("abc"), rows, p=[0.7, 0.2, 0.1]),
    )
    skill, age = rng.normal(0, 1, rows), rng.integers(18, 80, rows)
    chance = 0.35 + 0.12 * skill + gap * np.where(sex == "m", 0.4, -0.6)
    rich = np.where(rng.random(rows) < np.clip(chance, 0, 1), "yes", "no")
    table = pa.table({"sex": sex, "race": race, "age": age, "skill": skill.round(3), "rich": rich})
    return table.filter(pa.array(~((race == "c") & (rng.random(rows) < lost))))


TRAINING, HOLDOUT = people(1), people(2)


def fair(rows: pa.Table, checks: list[str], **more: object) -> geurim.Report:
    given = {"holdout": HOLDOUT, "target": "rich", "sensitive": BOTH} | more
    return verify(rows, TRAINING, checks=checks, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(3, 9))
def test_honest_rows_are_not_blamed(seed: int) -> None:
    report = fair(people(seed), ["fair"], seed=seed)
    names = [(f.name, f.columns) for f in report.findings]
    assert names == [
        (n, c)
        for n in ("group_share", "outcome_gap", "odds_gap")
        for c in (("sex",), ("race",), ("sex", "race"))
    ]
    assert {f.verdict for f in report.findings} <= {"pass", "info"}
    assert any(f.verdict == "pass" for f in report.findings)
    assert all(f.low <= f.value <= f.high and f.reference is not None for f in report.findings)


@pytest.mark.parametrize("seed", [3, 4, 5])
@pytest.mark.parametrize(
    ("gap", "verdicts"), [(0.35, {"warn", "fail"}), (0.4, {"fail"}), (0.5, {"fail"})]
)
def test_amplified_bias_is_caught(gap: float, verdicts: set[str], seed: int) -> None:
    finding = fair(people(seed, gap), ["outcomes"]).find("outcome_gap", "sex")
    assert finding.verdict in verdicts
    assert finding.low < gap - 0.2 + 0.05 and finding.high > gap - 0.2 - 0.05
    assert "'rich' = yes" in finding.text and "points" in finding.text


def test_a_gap_that_shrinks_is_no_unfairness_and_one_that_turns_round_is() -> None:
    shrunk = fair(people(3, 0.0), ["outcomes"]).find("outcome_gap", "sex")
    assert shrunk.verdict in ("pass", "info") and shrunk.value < 0.05
    turned = fair(people(3, -0.2), ["outcomes"]).find("outcome_gap", "sex")
    assert turned.verdict == "fail" and turned.value == pytest.approx(0.2, abs=0.06)


def test_amplification_within_two_groups_together_is_seen_where_each_alone_hides_it() -> None:
    """Women of b and c gain what women of a lose: sex alone shows nothing."""
    rows = people(3, 0.2).to_pandas()
    rng = np.random.default_rng(1)
    women = rows["sex"] == "f"
    down, up = women & (rows["race"] == "a"), women & (rows["race"] != "a")
    change = rng.random(len(rows))
    rows.loc[down & (change < 0.7), "rich"] = "no"
    rows.loc[up & (change < 0.5), "rich"] = "yes"
    report = fair(pa.Table.from_pandas(rows, preserve_index=False), ["outcomes"])
    assert report.find("outcome_gap", "sex").verdict in ("pass", "info")
    assert report.find("outcome_gap", "sex", "race").verdict == "fail"


@pytest.mark.parametrize(("lost", "verdicts"), [(0.5, {"warn"}), (0.8, {"fail"}), (1.0, {"fail"})])
def test_a_group_that_is_left_out_is_caught(lost: float, verdicts: set[str]) -> None:
    finding = fair(people(3, lost=lost), ["groups"]).find("group_share", "race")
    assert finding.verdict in verdicts and "'race' = c" in finding.text
    assert finding.value == pytest.approx(lost, abs=0.1)


def test_unequal_errors_of_a_model_are_caught() -> None:
    """What women get is a lottery in the synthetic rows, and mostly a yes."""
    rows = people(3, rows=6_000).to_pandas()
    rng = np.random.default_rng(2)
    women = rows["sex"] == "f"
    rows.loc[women, "rich"] = np.where(rng.random(int(women.sum())) < 0.9, "yes", "no")
    finding = fair(pa.Table.from_pandas(rows, preserve_index=False), ["odds"]).find(
        "odds_gap", "sex"
    )
    assert finding.verdict == "fail"
    assert {c["rate"] for c in finding.details["groups"]} == {"true positive", "false positive"}


@pytest.mark.parametrize("target", ["skill", "race", "age"])
def test_any_column_can_be_the_outcome(target: str) -> None:
    report = fair(people(3), ["outcomes", "odds"], target=target, sensitive="sex")
    assert [f.verdict for f in report.findings if f.verdict in ("warn", "fail")] == []
    assert all(np.isfinite(f.value) for f in report.findings)


def test_the_page_draws_each_group_also_of_columns_together() -> None:
    page = fair(people(3), ["groups", "outcomes", "odds"]).to_html()
    for title in ("How large the groups are", "How the outcome differs"):
        assert all(f"{title}: {names}</h3>" in page for names in ("sex", "race", "sex, race"))
    bars = page.partition("How large the groups are: sex, race</h3>")[2].partition("</svg>")[0]
    assert bars.count("<rect") == 2 * 6 and ">f, c</text>" in bars
    assert ">m, true positive</text>" in page and ">f, false positive</text>" in page


def test_numbers_stand_in_ranges_and_missing_is_a_group() -> None:
    ages = [t["age"].to_numpy().astype(float) for t in (TRAINING, people(3), HOLDOUT)]
    masks = [np.arange(len(a)) % 5 == 0 for a in ages]
    tables = [
        t.set_column(2, "age", pa.array(a, mask=m))
        for t, a, m in zip((TRAINING, people(3), HOLDOUT), ages, masks, strict=True)
    ]
    report = verify(tables[1], tables[0], holdout=tables[2], sensitive=["age"], checks=["groups"])
    names = [g["group"] for g in report.findings[0].details["groups"]]
    assert len(names) == 6 and names[-1] == "missing" and names[0].startswith("below")
    assert list(range_edges(np.zeros(9))) == [] and list(range_edges(np.empty(0))) == []


def test_few_rows_are_not_judged_without_a_figure() -> None:
    few = [people(s, rows=40) for s in (1, 2, 3)]
    report = verify(
        few[2], few[0], holdout=few[1], target="rich", sensitive="race", checks=["fair"]
    )
    assert {f.verdict for f in report.findings} == {"info"}
    assert np.isnan(report.find("odds_gap").value)


def test_without_a_holdout_equal_errors_are_no_pass() -> None:
    report = fair(people(3), ["odds"], holdout=None)
    assert "pass" not in {f.verdict for f in report.findings}


def test_without_sensitive_columns_nothing_is_judged_and_some_are_suggested() -> None:
    report = verify(people(3), TRAINING, holdout=HOLDOUT, checks=["fair"])
    assert report.findings == ()
    assert any("'sex', 'race', 'age'" in n for n in report.notes)
    named = verify(people(3), TRAINING, holdout=HOLDOUT, sensitive=["sex"], checks=["groups"])
    assert not any("Fairness" in n for n in named.notes)
    untold = verify(people(3), TRAINING, sensitive=["sex"], checks=["outcomes"])
    assert untold.findings[0].verdict == "info" and "target" in untold.findings[0].text


@pytest.mark.parametrize(("name", "says"), [("sexx", "'sex'"), ("rich", "both sensitive")])
def test_wrong_columns_are_refused(name: str, says: str) -> None:
    with pytest.raises(SettingError, match=says):
        fair(people(3), ["fair"], sensitive=[name])


def test_the_error_of_a_gap_is_that_of_repeated_draws() -> None:
    """200 pairs of honest tables: the 95% interval of each group's excess holds none."""
    rng = np.random.default_rng(5)
    rows, rates = np.array([1500, 400, 100]), np.array([0.3, 0.5, 0.2])
    met = np.zeros(3)
    for _ in range(400):
        real, made = (_gaps(rng.binomial(rows, rates), rows) for _ in range(2))
        value, error = _beyond(real, made)
        met += np.abs(value) <= 1.96 * error
    # Binomial: 380 ± 17 (4 standard deviations).
    assert (np.abs(met - 380) <= 17).all(), met


def test_the_command_line_takes_sensitive_columns(tmp_path: Path) -> None:
    for name, rows in (("real", TRAINING), ("held", HOLDOUT), ("made", people(3, 0.5))):
        geurim.write(rows, tmp_path / f"{name}.csv")
    words = ["verify", str(tmp_path / "made.csv"), "--real", str(tmp_path / "real.csv")]
    words += ["--holdout", str(tmp_path / "held.csv"), "--target", "rich", "--sensitive", "sex"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 1 and "Fair: fail" in done.stdout
