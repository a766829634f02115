"""Sets and generators side by side: every set's own report, nothing blended."""

import json

import numpy as np
import pytest
from people import people, shuffled

from geurim import read
from geurim.errors import SettingError
from geurim.verify.beside import SideBySide, made_by, side_by_side

TABLES = [people(700, np.random.default_rng(s)) for s in (1, 2, 3)]
EVIL = "<b>a|b</b>"


@pytest.fixture(scope="module")
def both() -> SideBySide:
    sets = {"honest": TABLES[0], EVIL: shuffled(TABLES[0], np.random.default_rng(4))}
    return side_by_side(sets, TABLES[1], holdout=TABLES[2], checks=["columns", "pairs", "dcr"])


def test_each_set_has_the_report_that_it_would_have_alone(both: SideBySide) -> None:
    alone = side_by_side(
        {"x": TABLES[0]}, TABLES[1], holdout=TABLES[2], checks=["columns", "pairs", "dcr"]
    )
    assert both.reports["honest"].findings == alone.reports["x"].findings


def test_the_summary_tells_the_honest_set_from_the_broken_one(both: SideBySide) -> None:
    rows = {question: verdicts for question, *verdicts in both.summary()}
    assert rows["question"] == ["honest", EVIL]
    assert rows["faithful"] == ["pass", "fail"]


def test_a_cell_shows_the_finding_that_is_furthest_off(both: SideBySide) -> None:
    verdict, furthest, own = both.cell(EVIL, "pair_association")
    assert verdict == "fail" and len(own) > 1
    assert furthest is not None and furthest.value == max(f.value for f in own)


def test_the_page_is_whole_and_holds_no_foreign_html(both: SideBySide, tmp_path) -> None:
    both.save_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert EVIL not in page and "&lt;b&gt;" in page
    assert page.count("<h2>") == 2 and "dcr_share" in page
    both.save_json(tmp_path / "page.json")
    state = json.loads((tmp_path / "page.json").read_text("utf-8"))
    assert set(state["reports"]) == {"honest", EVIL}


def test_generators_are_compared_on_what_they_make(tmp_path) -> None:
    sets = made_by(["independent", "resample"], read(TABLES[1]), rows=300, seed=3)
    found = side_by_side(sets, TABLES[1], holdout=TABLES[2], checks=["copies", "pairs"])
    copies = {name: r.find("exact_copies").value for name, r in found.reports.items()}
    assert copies["resample"] > 0.9 > 0.1 > copies["independent"]


def test_no_set_and_too_many_are_refused() -> None:
    for sets in ({}, {str(i): TABLES[0] for i in range(13)}):
        with pytest.raises(SettingError, match="1 to 12"):
            side_by_side(sets, TABLES[1])
