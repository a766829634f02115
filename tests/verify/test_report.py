"""The report tells what was found, in words, HTML and JSON, and gates let it through or not."""

import importlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from people import people, shuffled

from geurim.contract import Finding, Lineage
from geurim.errors import DataError, NotFound, SettingError
from geurim.verify import MEASURES, Report, verify
from geurim.verify.gate import DEFAULT, gate, load_gate
from geurim.verify.report import load_report
from geurim.verify.verdict import TOLERANCES, judge, worst

TABLES = [people(1500, np.random.default_rng(s)) for s in (1, 2, 3)]
EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def good() -> Report:
    return verify(TABLES[0], TABLES[1], holdout=TABLES[2], target="member")


@pytest.fixture(scope="module")
def bad() -> Report:
    rows = shuffled(TABLES[0], np.random.default_rng(4))
    return verify(rows, TABLES[1], holdout=TABLES[2], target="member")


class Tags(HTMLParser):
    """The tags of a page, and the places its attributes point to."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links = set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links |= {v for k, v in attrs if k in ("src", "href", "xlink:href", "srcset")}


def test_verdict_is_the_worst_of_each_question(good, bad):
    assert good.passed and good.verdict == "pass"
    assert set(good.verdicts) == {"faithful", "useful", "private", "rare"}
    assert not bad.passed and bad.verdicts["faithful"] == "fail"
    assert bad.verdicts["private"] != "fail"


def test_summary_says_it_in_words(good, bad):
    assert good.summary()[0] == "Verdict: pass"
    assert any(line.startswith("  Faithful: fail (") for line in bad.summary())
    assert any("classifier" in line or "dependence" in line for line in bad.summary())


def test_page_asks_for_nothing_from_elsewhere(good):
    page = Tags(good.to_html())
    assert page.links == set()
    assert not page.tags & {"script", "link", "img", "iframe", "object", "form"}


def test_page_holds_every_question_and_plots(good):
    text = good.to_html()
    for heading in ("Faithful?", "Useful?", "Private?", "Rare cases?", "Where the rows come from"):
        assert heading in text
    assert text.count("<svg") > 12
    assert "median" not in text and "p-value" not in text


def test_markup_in_names_and_values_never_reaches_the_page(tmp_path):
    rng = np.random.default_rng(1)

    def table():
        return pa.table(
            {
                EVIL: rng.choice([EVIL, "\"'&<b>", "\x00\u202e"], 300),
                "<img src=x onerror=alert(1)>": rng.normal(size=300),
                "lone": rng.choice(["a", "b"], 300),
            }
        )

    report = verify(table(), table(), holdout=table(), target=EVIL)
    page = Tags(report.to_html())
    assert not page.tags & {"script", "img", "b"} - {"b"}
    assert "<script>alert" not in report.to_html() and "<img src" not in report.to_html()
    report.save_html(tmp_path / "r.html")
    report.save_json(tmp_path / "r.json")
    assert load_report(tmp_path / "r.json")["findings"][0]["columns"] == [EVIL]


def test_page_of_a_very_wide_table_stays_small_and_says_what_it_leaves_out():
    rng = np.random.default_rng(1)
    names = [f"a rather long name of a column, number {i} " + "x" * 300 for i in range(120)]
    tables = [
        pa.table(
            {
                n: rng.normal(size=60) if i % 2 else rng.choice(list("abcdefghijk"), 60)
                for i, n in enumerate(names)
            }
        )
        for _ in range(3)
    ]
    report = verify(
        tables[0], tables[1], holdout=tables[2], checks=["missing", "columns", "pairs", "rare"]
    )
    text = report.to_html()
    assert len(text.encode()) < 3_000_000
    assert "The 40 of 120 columns that differ most are drawn" in text
    assert "The worst 400 of" in text


def test_json_is_strict_and_versioned(good, tmp_path):
    good.save_json(tmp_path / "r.json")
    text = (tmp_path / "r.json").read_text("utf-8")

    def refuse(word):
        raise AssertionError(word)

    state = json.loads(text, parse_constant=refuse)
    assert state["version"] == 1 and state["verdict"] == "pass"
    assert {f["name"] for f in state["findings"]} == {f.name for f in good.findings}
    assert load_report(tmp_path / "r.json") == state


def test_reports_that_cannot_be_read_say_why(tmp_path):
    with pytest.raises(NotFound):
        load_report(tmp_path / "none.json")
    for text, words in (("{", "not JSON"), ("{}", "not a report")):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(DataError, match=words):
            load_report(tmp_path / "x.json")
    (tmp_path / "x.json").write_text('{"format": "geurim-report", "version": 99}')
    with pytest.raises(DataError, match="99"):
        load_report(tmp_path / "x.json")


def test_a_report_that_cannot_be_written_leaves_nothing_behind(good, tmp_path):
    with pytest.raises(NotFound, match="no folder"):
        good.save_html(tmp_path / "none" / "r.html")
    good.save_html(tmp_path / "r.html")
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]


def test_passwords_never_reach_a_report(good):
    maker = "postgresql://kim:s3cret@db.example/shop?password=s3cret"
    parent = Lineage(maker=maker, digest="1", real=True)
    made = Lineage.made("Trees()", seed=7, parents=(parent,))
    report = Report(
        findings=good.findings,
        notes=(),
        rows=good.rows,
        lineage={"synthetic": made, "real": parent, "holdout": None},
        target=None,
        seed=0,
    )
    for text in (report.to_html(), json.dumps(report.to_json()), *report.summary()):
        assert "s3cret" not in text
    assert "db.example/shop" in report.to_html()


def test_the_same_seed_gives_the_same_report(good):
    again = verify(TABLES[0], TABLES[1], holdout=TABLES[2], target="member")
    assert again.to_json() == good.to_json()


def test_a_chosen_check_gives_what_it_gives_among_all(good):
    alone = verify(TABLES[0], TABLES[1], holdout=TABLES[2], target="member", checks=["private"])
    assert alone.findings == tuple(f for f in good.findings if f.question == "private")


def test_progress_names_each_check_and_ends_full():
    events = []
    verify(TABLES[0], TABLES[1], checks=["missing", "copies"], progress=events.append)
    checks = [e for e in events if e.unit == "checks"]
    assert [e.note for e in checks] == ["missing", "copies", ""]
    assert checks[-1].done == checks[-1].total == 2


def test_a_check_that_breaks_is_a_failure_and_keeps_the_others(monkeypatch):
    def broken(comparison):
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(importlib.import_module("geurim.verify.rare"), "tails", broken)
    report = verify(TABLES[0], TABLES[1], checks=["rare"])
    assert report.find("tails").verdict == "fail" and "on purpose" in report.find("tails").text
    assert report.find("invented_categories", "class").verdict == "pass"


def test_measures_are_named_once():
    assert len({m.name for m in MEASURES}) == len(MEASURES)
    assert not {m.name for m in MEASURES} & {m.question for m in MEASURES}


@pytest.mark.parametrize(
    ("excess", "half", "verdict"),
    [(0.0, 0.01, "pass"), (0.08, 0.01, "warn"), (0.4, 0.01, "fail"), (0.04, 0.2, "info"),
     (0.4, 0.4, "info"), (-0.3, 0.01, "pass")],
)  # fmt: skip
def test_a_verdict_needs_the_interval_beyond_the_tolerance(excess, half, verdict):
    assert judge("column_ks", excess, excess - half, excess + half) == verdict


def test_many_tests_together_need_more_to_blame_one():
    assert judge("column_ks", 0.1, 0.08, 0.12) == "warn"
    assert judge("column_ks", 0.1, 0.08, 0.12, tests=10_000) == "info"


def finding(**more) -> Finding:
    return Finding(
        **{
            "question": "faithful", "name": "c2st_auc", "value": 0.55, "low": 0.5, "high": 0.6,
            "reference": 0.5, "count": 9, "verdict": "warn", "text": "t", **more,
        }
    )  # fmt: skip


def reported(*findings: Finding) -> Report:
    return Report(findings=findings, notes=(), rows={}, lineage={}, target=None, seed=0)


def test_the_worst_verdict_is_the_one_that_counts():
    assert worst([]) == "info"
    assert worst([finding(verdict="info"), finding(verdict="pass")]) == "pass"
    assert worst([finding(verdict="fail"), finding(verdict="pass")]) == "fail"


def test_the_default_gate_stops_failures_only():
    assert gate(reported(finding())) == []
    assert len(gate(reported(finding(), finding(verdict="fail")))) == 1
    assert gate(reported()) == []
    assert load_gate(None) == DEFAULT


GATES = [
    ("max = 0.6", 0), ("max = 0.54", 1), ("min = 0.5", 0), ("min = 0.56", 1),
    ("max_high = 0.6", 0), ("max_high = 0.59", 1), ("min_low = 0.5", 0), ("min_low = 0.51", 1),
    ('verdict = "warn"', 0), ('verdict = "pass"', 1), ('max = 0.1\nverdict = "pass"', 2),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "failures"), GATES)
def test_a_gate_limits_values_intervals_and_verdicts(tmp_path, condition, failures):
    path = tmp_path / "gate.toml"
    path.write_text(f'[[require]]\nfinding = "c2st_*"\n{condition}\n')
    assert len(gate(reported(finding()), path)) == failures


def test_a_gate_can_name_columns(tmp_path):
    path = tmp_path / "gate.toml"
    path.write_text('[[require]]\nfinding = "column_*"\ncolumns = "inc*"\nmax = 0.1\n')
    found = [
        finding(name="column_ks", columns=(c,), value=v) for c, v in (("income", 0.3), ("age", 1))
    ]
    failures = gate(reported(*found), path)
    assert len(failures) == 1 and "income" in failures[0]


def test_a_finding_without_a_value_does_not_get_through_a_limit(tmp_path):
    path = tmp_path / "gate.toml"
    path.write_text('[[require]]\nfinding = "c2st_auc"\nmax = 0.6\n')
    assert gate(reported(finding(value=float("nan"))), path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[require]]\nfinding = "c2st_acu"\nmax = 1', "c2st_auc"),
        ('[[require]]\nfinding = "c2st_auc"\ncolumns = "x"\nmax = 1', "columns 'x'"),
        ('[[require]]\nfinding = "c2st_auc"\nmaximum = 1', "max"),
        ('[[require]]\nfinding = "c2st_auc"', "limits nothing"),
        ('[[require]]\nfinding = "c2st_auc"\nmax = "low"', "number"),
        ('[[require]]\nfinding = "c2st_auc"\nverdict = "good"', "pass, info"),
        ("[[require]]\nmax = 1", "names no finding"),
        ("[[requires]]\nmax = 1", "require"),
        ("", "requires nothing"),
        ("a = ", "not TOML"),
    ],
)  # fmt: skip
def test_a_gate_that_says_nothing_clear_is_refused(tmp_path, text, words):
    path = tmp_path / "gate.toml"
    path.write_text(text)
    with pytest.raises(SettingError, match=words):
        gate(reported(finding()), path)


def test_a_gate_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(NotFound, match="gate"):
        load_gate(tmp_path / "none.toml")


def test_documented_tolerances_are_the_ones_used():
    text = (Path(__file__).parents[2] / "docs" / "verify.md").read_text("utf-8")
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| `")]
    table = {r[1].strip(" `"): (float(r[4]), float(r[5])) for r in rows if len(r) == 7}
    assert table == dict(TOLERANCES)
    assert all(f"`{m.name}`" in text for m in MEASURES)


def test_every_check_has_its_place_on_the_page():
    folder = Path(importlib.import_module("geurim.verify.page").__file__).parent
    drawn = "".join((folder / name).read_text("utf-8") for name in ("page.py", "cards.py"))
    elsewhere = ("text_", "related_", "collapse_", "review_", "names_survive", "broken_lookups")
    names = [n for n in TOLERANCES if not n.startswith(elsewhere)]
    assert not [n for n in names if f'"{n}"' not in drawn]


def test_the_page_can_be_had_in_korean(good, tmp_path):
    good.save_html(tmp_path / "page.html", "ko")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert '<html lang="ko">' in page and "판정: " in page and "모든 검사 결과" in page
    text = re.sub(r"<style>.*?</style>|<code>.*?</code>|<[^>]+>", " ", page, flags=re.S)
    words = {w for w in re.findall(r"[A-Za-z]{3,}", text) if w.lower() not in text_of_rows(good)}
    assert not words, sorted(words)
    assert good.to_html() == good.to_html("en") and "Verdict: " in good.to_html()


def text_of_rows(report) -> str:
    """What a Korean page may hold of English: names of columns, makers and measures, notes."""
    names = [*TABLES[0].column_names, "AUC Geurim SHA JSON true false", *report.notes]
    names += [line.maker for line in report.lineage.values() if line is not None]
    values = [
        v for c in TABLES[0].columns if pa.types.is_string(c.type) for v in c.unique().to_pylist()
    ]
    return " ".join(map(str, [*names, *values])).lower()


def test_a_language_that_is_not_there_is_refused(good):
    with pytest.raises(SettingError, match="en, ko"):
        good.to_html("de")
