# ruff: noqa: E501
"""Every text measure fails on texts broken on purpose, and passes on honest ones.

Real text: sentences of the docstrings of the standard library, drawn by lot into three lots.
"""

import ast
import random
import sys
import sysconfig
from pathlib import Path

import pyarrow as pa
import pytest

from geurim.verify.prose import TEXT_MEASURES, verify_text
from geurim.verify.verdict import TOLERANCES


def docstrings() -> list[str]:
    """The docstrings of the standard library's modules, classes and functions, each once."""
    found = set()
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")) + sorted(
        Path(sysconfig.get_paths()["stdlib"]).glob("[a-z]*/*.py")
    ):
        if "site-packages" in path.parts or "test" in str(path):
            continue
        try:
            tree = ast.parse(path.read_text("utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                text = " ".join((ast.get_docstring(node) or "").split())
                if 40 <= len(text) <= 600 and ">>>" not in text:
                    found.add(text)
    return sorted(found)


LABELLED = "return"  # a label that the text tells: whether it speaks of returning


def table(texts: list[str], wrong: bool = False) -> pa.Table:
    said = ["yes" if (LABELLED in t.lower()) != wrong else "no" for t in texts]
    place = [("a", "b")[i % 2] for i in range(len(texts))]
    return pa.table({"text": texts, "label": said, "place": place})


ALL = docstrings()
random.Random(1).shuffle(ALL)
SIZE = len(ALL) // 3
HONEST, REAL = ALL[:SIZE], ALL[SIZE:]
BENCH = (
    "which of the following planets of the solar system has the largest number of known moons today"
)
HALF = SIZE // 2


def scrambled(text: str) -> str:
    words = text.split()
    random.Random(len(text)).shuffle(words)
    return " ".join(words)


def first_words(texts: list[str]) -> list[str]:
    return [f"In this short text {t}" if i % 2 else t for i, t in enumerate(texts)]


SHUFFLED = [scrambled(t) for t in HONEST]
ONE = [HONEST[0]] * SIZE
FEW = [f"{HONEST[i % 5]} Case {i % 9}." for i in range(SIZE)]
KIND = [t for t in ALL if "return" in t.lower() and len(t) < 120][:40]
SAME_KIND = [KIND[i % len(KIND)] for i in range(SIZE)]
FIXES = {"contamination": pa.table({"text": [BENCH]}), "quotas": {"place": {"a": 1, "b": 1}}}

MUTANTS = [
    ("text_c2st_auc", "constant", table(ONE)),
    ("text_c2st_auc", "words shuffled", table(SHUFFLED)),
    ("text_length", "cut to 60 characters", table([t[:60] for t in HONEST])),
    ("text_word_divergence", "five texts", table(FEW)),
    ("text_character_divergence", "constant", table(ONE)),
    ("text_style", "all lower case", table([t.lower() for t in HONEST])),
    ("text_label_gap", "labels turned round", table(HONEST, wrong=True)),
    ("text_exact_copies", "a tenth real", table(REAL[: SIZE // 10] + HONEST[SIZE // 10 :])),
    ("text_near_copies", "half real with a mark", table([f"{t}!" for t in REAL[:HALF]] + HONEST[HALF:])),
    ("text_copied_spans", "half start with a real span", table([f"{t[:200]} {i} and so on, more or less, as one says of {i}" for i, t in enumerate(REAL[:HALF])] + HONEST[HALF:])),
    ("text_personal", "5% with a mail address", table([f"{t} Ask kim{i}@a-mail.example" if i % 20 == 0 else t for i, t in enumerate(HONEST)])),
    ("text_clusters", "one kind only", table([HONEST[0]] * SIZE)),
    ("text_quota", "one value only", table(HONEST).set_column(2, "place", pa.array(["a"] * SIZE))),
    ("text_distinct_1", "five texts", table(FEW)),
    ("text_distinct_2", "five texts", table(FEW)),
    ("text_distinct_3", "five texts", table(FEW)),
    ("text_self_bleu", "five texts", table(FEW)),
    ("text_vendi", "forty texts", table(SAME_KIND)),
    ("text_compression", "five texts", table(FEW)),
    ("text_openings", "half open alike", table(first_words(HONEST))),
    ("text_exact_duplicates", "each text twice", table(HONEST[:HALF] * 2)),
    ("text_near_duplicates", "each text twice, one with a mark", table(HONEST[:HALF] + [f"{t}!" for t in HONEST[:HALF]])),
    ("text_contamination", "a tenth hold the question", table([f"{t} {BENCH}" if i % 10 == 0 else t for i, t in enumerate(HONEST)])),
    ("text_personal_survives", "real mail addresses", table([f"{t} Ask lee{i}@a-mail.example" if i < 30 else t for i, t in enumerate(HONEST)])),
]  # fmt: skip

HOME = {
    "text_c2st_auc": "text_c2st", "text_length": "text_lengths", "text_style": "text_style",
    "text_word_divergence": "text_divergence", "text_character_divergence": "text_divergence",
    "text_label_gap": "text_labels", "text_exact_copies": "text_copies",
    "text_near_copies": "text_copies", "text_copied_spans": "text_spans",
    "text_personal": "text_personal", "text_personal_survives": "text_personal",
    "text_contamination": "text_contamination", "text_clusters": "text_clusters",
    "text_quota": "text_quotas", "text_distinct_1": "text_distinct",
    "text_distinct_2": "text_distinct", "text_distinct_3": "text_distinct",
    "text_self_bleu": "text_bleu", "text_vendi": "text_vendi",
    "text_compression": "text_compression", "text_openings": "text_openings",
    "text_exact_duplicates": "text_duplicates", "text_near_duplicates": "text_duplicates",
}  # fmt: skip


def verified(made: pa.Table, real: list[str] = REAL, checks=None):
    return verify_text(made, table(real), column="text", label="label", checks=checks, **FIXES)


@pytest.fixture(scope="module")
def honest():
    return verified(table(HONEST))


def test_there_is_enough_real_text():
    assert SIZE > 800, sys.version


@pytest.mark.parametrize("name", sorted(HOME))
def test_no_measure_blames_honest_texts(honest, name):
    found = [f for f in honest.findings if f.name == name]
    assert found
    assert [(f.columns, f.text) for f in found if f.verdict in ("warn", "fail")] == []


@pytest.mark.parametrize(("name", "how", "made"), MUTANTS, ids=[f"{m[0]}-{m[1]}" for m in MUTANTS])
def test_every_measure_fails_on_texts_broken_on_purpose(name, how, made):
    real = REAL
    if name == "text_personal_survives":
        real = [f"{t} Ask lee{i}@a-mail.example" if i < 30 else t for i, t in enumerate(REAL)]
    report = verified(made, real, [HOME[name]])
    assert "fail" in {f.verdict for f in report.findings if f.name == name}


def test_every_measure_has_a_mutant():
    assert {m[0] for m in MUTANTS} == {n for n in TOLERANCES if n.startswith("text_")}
    named = {m.name for m in TEXT_MEASURES}
    assert set(HOME.values()) | {"text_rewards", "text_examples"} == named


def test_one_benchmark_question_and_one_resident_number_are_warnings():
    texts = [*HONEST]
    texts[7] += f" {BENCH}"
    texts[9] += " 주민번호 900101-1234567"
    report = verified(table(texts), checks=["text_contamination", "text_personal"])
    assert report.find("text_contamination").verdict == "warn"
    assert report.find("text_personal", "national id").verdict == "warn"
    assert "900101" not in report.to_html()
