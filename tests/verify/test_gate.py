"""The gates that come with Geurim, conditions on whole questions, and marks for GitHub."""

from dataclasses import replace

import numpy as np
import pyarrow.compute as pc
import pytest
from people import people, shuffled

from geurim.contract import Finding, Verdict
from geurim.errors import SettingError
from geurim.verify import Report, verify
from geurim.verify.gate import PRESETS, gate, github, load_gate

TABLES = [people(1500, np.random.default_rng(s)) for s in (1, 2, 3)]


@pytest.fixture(scope="module")
def honest() -> Report:
    return verify(TABLES[0], TABLES[1], holdout=TABLES[2], target="member")


def turned(report: Report, name: str, verdict: Verdict) -> Report:
    """The report with every finding of this name given this verdict."""
    changed = (replace(f, verdict=verdict) if f.name == name else f for f in report.findings)
    return replace(report, findings=tuple(changed))


@pytest.mark.parametrize("preset", PRESETS)
def test_honest_rows_pass_every_gate_that_ships(honest: Report, preset: str) -> None:
    assert gate(honest, preset) == []


def test_broken_rows_pass_none() -> None:
    place = TABLES[1].column_names.index("age")
    rows = TABLES[1].set_column(place, "age", pc.add(TABLES[1]["age"], 40))
    report = verify(rows, TABLES[1], holdout=TABLES[2])
    assert all(gate(report, preset) for preset in PRESETS)


@pytest.mark.parametrize(
    ("name", "verdict", "stopped_by"),
    [
        ("exact_copies", "warn", {"release"}),
        ("exact_copies", "fail", {"release", "internal"}),
        ("dcr_share", "info", {"release"}),
        ("pair_distance", "fail", {"release", "internal"}),
        ("pair_distance", "warn", set()),
        ("column_ks", "fail", set(PRESETS)),
    ],
)
def test_what_each_gate_stops(
    honest: Report, name: str, verdict: Verdict, stopped_by: set[str]
) -> None:
    report = turned(honest, name, verdict)
    assert {p for p in PRESETS if gate(report, p)} == stopped_by


def test_a_release_needs_the_distance_to_have_been_judged() -> None:
    alone = verify(TABLES[0], TABLES[1])  # without a holdout it is not
    assert any("dcr_share" in line for line in gate(alone, "release"))


def test_a_question_that_was_not_asked_is_no_pass(honest: Report) -> None:
    few = replace(honest, findings=tuple(f for f in honest.findings if f.question != "private"))
    with pytest.raises(SettingError, match="private"):
        gate(few, "release")
    assert len(load_gate("release")) == 4


def test_marks_for_github_are_one_line_each_with_signs_escaped() -> None:
    rows = shuffled(TABLES[0], np.random.default_rng(4))
    report = verify(rows, TABLES[1], holdout=TABLES[2], checks=["pairs"])
    lines = github(report, gate(report))
    assert lines and all(line.startswith(("::error title=", "::warning title=")) for line in lines)
    assert not any("\n" in line for line in lines)
    odd = Finding(
        question="faithful", name="a,b", value=0.5, low=0.4, high=0.6, reference=None, count=3,
        verdict="warn", text="100%\nof it",
    )  # fmt: skip
    assert github(replace(report, findings=(odd,)), ["x\r\ny"]) == [
        "::error title=Geurim gate::x%0D%0Ay",
        "::warning title=Geurim a%2Cb::100%25%0Aof it",
    ]
