"""Korean: every sentence of a page has one, findings are told in it, and data stay as they are."""

import ast
import importlib
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from people import people, shuffled

from geurim.analyze.traits import TRAITS
from geurim.collapse import collapse
from geurim.korean import FINDINGS, TEXTS
from geurim.korean_sentences import FRAGMENTS, SENTENCES, sentence
from geurim.language import language, said, say
from geurim.review import prepare
from geurim.verify import Report, verify
from geurim.verify.beside import side_by_side
from geurim.verify.cards import THEMES
from geurim.verify.prose import verify_text
from geurim.verify.prose.page import HEADINGS, MEASURED
from geurim.verify.sequences import verify_sequences
from geurim.verify.verdict import TOLERANCES

PAGES = ("html", "verify.page", "verify.cards", "verify.prose.page", "verify.beside")
PAGES += ("collapse_page", "review_form")
TABLES = [people(1_200, np.random.default_rng(s)) for s in (1, 2, 3)]


@pytest.fixture(scope="module")
def bad() -> Report:
    rows = shuffled(TABLES[0], np.random.default_rng(4))
    return verify(rows, TABLES[1], holdout=TABLES[2], target="member", sensitive="class")


@pytest.mark.parametrize("page", PAGES)
def test_every_sentence_of_a_page_has_its_korean(page):
    tree = ast.parse(Path(importlib.import_module(f"geurim.{page}").__file__).read_text("utf-8"))
    shown = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "say":
            (text,) = node.args
            kinds = [text.body, text.orelse] if isinstance(text, ast.IfExp) else [text]
            shown |= {k.value for k in kinds if isinstance(k, ast.Constant)}
    assert shown
    assert not shown - set(TEXTS)


def test_headings_themes_traits_and_measures_have_their_korean():
    shown = {text for pair in HEADINGS.values() for text in pair} | set(MEASURED.values())
    shown |= {title for themes in THEMES.values() for title, _ in themes} | set(TRAITS)
    assert len(shown) > 50 and not shown - set(TEXTS)
    elsewhere = ("text_", "collapse_", "review_", "names_survive", "broken_lookups")
    assert not {n for n in TOLERANCES if not n.startswith(elsewhere)} - set(FINDINGS)


@pytest.mark.parametrize("catalog", [TEXTS, SENTENCES, FRAGMENTS], ids=["texts", "said", "parts"])
def test_fields_are_the_same_in_both_languages(catalog):
    for english, korean in catalog.items():
        if english != "{a} rows to read: {b}.":  # the kinds are headings of their own
            assert set(re.findall(r"{\w+}", english)) == set(re.findall(r"{\w+}", korean)), english


@pytest.mark.parametrize("english", SENTENCES)
def test_no_pattern_takes_the_sentences_of_another(english):
    fields = {k: f"‹{k}›" for k in re.findall(r"{(\w)}", english)}
    assert sentence(english.format(**fields)) == SENTENCES[english].format(**fields)


def test_sentences_in_a_row_and_parts_of_sentences_are_told_in_korean():
    assert sentence("Risk 3%. The attack does no better than guessing.") == (
        "위험은 3%입니다. 무작위 추측보다 나을 것이 없습니다."
    )
    lost = "'a' 'x' with 'b' above 3: 1% of the synthetic rows, and no real one. 2 such "
    found = sentence(f"{lost}combinations are new.")
    assert found is not None and found.startswith("'a' 'x', 'b' 3 초과: ")
    assert sentence("Risk 3%. Nothing that is known.") is None


def test_every_finding_of_a_table_is_told_in_korean(bad):
    untold = {f.text for f in bad.findings if said(f.text) is None}
    assert not untold
    assert not {n for n in bad.notes if said(n) is None}
    assert not english_of(bad.to_html("ko"), TABLES[0], bad)


def test_every_finding_of_texts_is_told_in_korean():
    rng = np.random.default_rng(1)
    words = ["배송", "포장", "색", "무게", "가격", "소리"]

    def texts(end):
        return [
            f"{rng.choice(words)}이 {rng.choice(words)}보다 {rng.choice(words)} 같{end}" * 2
            for _ in range(400)
        ]

    made = pa.table({"text": texts("습니다. ㅋㅋ"), "stars": rng.choice(["a", "b"], 400)})
    real = pa.table({"text": texts("아요!"), "stars": rng.choice(["a", "b"], 400)})
    for report in (verify_text(made, real, label="stars"), verify_text(made)):
        untold = {f.text for f in report.findings if said(f.text) is None}
        assert not untold | {n for n in report.notes if said(n) is None}
        assert not english_of(
            report.to_html("ko"), made, report, more="self bleu vendi text auc score"
        )


def test_a_page_on_series_is_korean_and_draws_its_checks():
    rng = np.random.default_rng(5)

    def series():
        start, hours = np.datetime64("2024-01-01", "s"), rng.integers(0, 400 * 24, 900)
        return pa.table(
            {
                "who": rng.integers(0, 60, 900),
                "when": np.sort(start + hours * np.timedelta64(3_600, "s")),
                "kind": rng.choice(["a", "b"], 900),
                "dose": rng.normal(size=900),
                "rate": rng.normal(size=900),
            }
        )

    report = verify_sequences(series(), series(), entity="who", time="when")
    page = report.to_html("ko")
    assert not english_of(page, series(), report)
    assert "바로 앞 사건에 기대는 정도" in page and page.count("<svg") > 4


def test_comparisons_studies_and_reviews_have_korean_pages(tmp_path):
    both = side_by_side({"one": TABLES[0], "two": TABLES[1]}, TABLES[1], checks=["copies", "dcr"])
    assert not english_of(both.to_html("ko"), TABLES[0], more="one two")
    found = collapse(TABLES[0].select(["age", "class"]), generations=2, rows=300,
                     generator="independent", seed=1)  # fmt: skip
    assert not english_of(found.to_html("ko"), TABLES[0], more="independent auc")
    prepare(TABLES[0], TABLES[1], tmp_path / "review", rows=4, seed=1, lang="ko")
    form = (tmp_path / "review" / "reviewer-1.html").read_text("utf-8")
    assert not english_of(form, TABLES[0], more="csv tab space")


def test_data_stay_as_they_are():
    with language("ko"):
        assert say("missing") == "결측"
    names = ["missing", "real", "words"]
    rng = np.random.default_rng(3)
    tables = [pa.table({n: rng.choice(["synthetic", "value"], 200) for n in names}) for _ in "abc"]
    page = verify(tables[0], tables[1], holdout=tables[2], checks=["columns"]).to_html("ko")
    for name in names:
        assert f"<h3>{name}</h3>" in page
    assert ">synthetic</text>" in page and ">value</text>" in page


def english_of(page: str, table: pa.Table, report: Report | None = None, more: str = "") -> set:
    """The English words of a page that are no names of its data or of what made them."""
    known = [*table.column_names, "geurim arrow table html json auc html true false", more]
    for column in table.columns:
        if pa.types.is_string(column.type):
            known += column.unique().to_pylist()
    if report is not None:
        known += [line.maker for line in report.lineage.values() if line is not None]
    gone = r"<style>.*?</style>|<script>.*?</script>|<code>.*?</code>|<kbd>.*?</kbd>|<[^>]+>"
    text = re.sub(gone, " ", page, flags=re.S)
    known_words = " ".join(map(str, known)).lower()
    return {w for w in re.findall(r"[A-Za-z]{3,}", text) if w.lower() not in known_words}
