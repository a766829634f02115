"""Replies are read as values, or refused: never guessed, never made whole where they were cut."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geurim.errors import DataError
from geurim.generators.text.replies import (
    alone,
    extract_code,
    parse_choice,
    parse_list,
    parse_score,
    repair_json,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), inner,
                      max_size=4),
    max_leaves=12,
)  # fmt: skip
WHOLE = st.dictionaries(st.text("abc가나", min_size=1, max_size=5), JSON, min_size=1, max_size=4)


@given(JSON)
def test_valid_json_is_read_as_it_is(value: Any) -> None:
    assert repair_json(json.dumps(value)) == value
    assert repair_json(json.dumps(value, ensure_ascii=False, indent=2)) == value


@given(WHOLE, st.sampled_from(["Sure! Here it is:\n", "답변입니다.\n", "[Note] "]))
def test_words_and_fences_around_it_make_no_difference(value: Any, before: str) -> None:
    text = json.dumps(value, ensure_ascii=False)
    for wrapped in (f"{before}{text}", f"{before}\n```json\n{text}\n```\nDone.", f"{text}\nDone."):
        for truncated in (False, True):
            assert repair_json(wrapped, truncated=truncated) == value, wrapped


@given(WHOLE, st.integers(1, 400))
def test_an_answer_that_was_cut_never_becomes_a_value(value: Any, at: int) -> None:
    text = json.dumps(value, ensure_ascii=False)
    cut = text[: max(1, len(text) - 1 - at % len(text))]
    with pytest.raises(DataError, match="cut short"):
        repair_json(cut, truncated=True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2,], "b": {},}', {"a": [1, 2], "b": {}}),
        ("{'a': 'x', 'b': \"it's\"}", {"a": "x", "b": "it's"}),
        ("{“a”: “한글”}", {"a": "한글"}),
        ("{a: True, b_1: None, $c: False}", {"a": True, "b_1": None, "$c": False}),
        ('{"a": 1, // why\n "b": 2 /* so */, # and\n "c": "http://x#y"}',
         {"a": 1, "b": 2, "c": "http://x#y"}),
        ('{"a": "two\nlines"}', {"a": "two\nlines"}),
        ('{"a": [1, {"b": 2', {"a": [1, {"b": 2}]}),
        ('{"a": "\\ud83d\\ude00 \\u00e9", "b": "it\\\'s"}', {"a": "😀 é", "b": "it's"}),
        ('Scores [1] follow: {"a": 1}', {"a": 1}),
        ('{"a": 1} and once more {"a": 1}', {"a": 1}),
        ("```\n[1, 2]\n```", [1, 2]),
        ("```json\n{\"a\": 1}", {"a": 1}),
        ("12", 12),
    ],
)  # fmt: skip
def test_the_slips_that_models_make_are_mended(text: str, value: Any) -> None:
    assert repair_json(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON here",
        "[Note] nothing",
        '{"a": "open',
        '{"a": 1, ',
        '{"a":',
        "{",
        "[[[",
        '{"a": bad}',
        '{"a": {"b": 1}, "c": bad}',  # the inner object is not the answer
        '{"a": bad, "b": {"c": 1}}',
        '{"a": 1} {"a": 2}',
        '{"a": 1.2.3}',
        '{"a": 01}',
        "{'a': 'it's'}",
        '{"a": NaN}',
        '{"a": 1e999}',
        '{"a": "\\ud83d"}',
        '{"a": "\\x41"}',
        '{"a" "b"}',
        f"[{'9' * 5000}]",
        "[" * 100_000,
        '{"a":' * 5_000,
        "x" * 3_000_000,
    ],
    ids=range(24),
)
def test_what_cannot_be_mended_for_certain_is_refused(text: str) -> None:
    start = time.perf_counter()
    with pytest.raises(DataError) as error:
        repair_json(text)
    assert len(str(error.value)) < 500
    assert time.perf_counter() - start < 2


@given(st.text("{}[]\",:'ab1 \n\\", max_size=80))
def test_no_text_makes_it_crash(text: str) -> None:
    for truncated in (False, True):
        try:
            value = repair_json(text, truncated=truncated)
        except DataError:
            continue
        assert not truncated or isinstance(value, dict | list)
        json.dumps(value)


def test_code_is_the_first_block_of_its_language() -> None:
    text = (
        "Install:\n```bash\npip install x\n```\n```python\na = 1\n```\nUse:\n```python\nb = 2\n```"
    )
    assert extract_code(text) == "a = 1"
    assert extract_code("```\nx\n```") == "x"
    assert extract_code("~~~py\nx = '''```'''\n~~~") == "x = '''```'''"
    assert extract_code("````python\n```\n````") == "```"
    assert extract_code(" x = 1 ") == "x = 1"
    with pytest.raises(DataError, match="only of: bash"):
        extract_code("```bash\nls\n```")
    with pytest.raises(DataError, match="not closed"):
        extract_code("```python\nx = 1")


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("Here you go:\n1. a\n2) b\n(3) c\n4: d", ["a", "b", "c", "d"]),
        ("- a\n* b\n• c", ["a", "b", "c"]),
        ("① 하나\n② 둘", ["하나", "둘"]),
        ("1. a\n   more of a\n\n2. b", ["a\nmore of a", "b"]),
        (
            "1. a\nInput: x\n\nOutput: y\n2. b\n\nI hope this helps!",
            ["a\nInput: x\nOutput: y", "b"],
        ),
        ("- a\n  - a1\n  - a2\n- b", ["a\n- a1\n- a2", "b"]),
        ("1. **Bold**\n**2.** b", ["Bold", "b"]),
        ("3.5 is a number\n2.7 too", []),
        ("", []),
        ("just words", []),
    ],
)
def test_lists_are_read_item_by_item(text: str, items: list[str]) -> None:
    assert parse_list(text) == items
    assert parse_list(text, truncated=True) == items[:-1]


@given(st.lists(st.text("abc 가나다,.", min_size=1).map(str.strip).filter(bool), max_size=8))
def test_a_numbered_list_comes_back_as_it_was(items: list[str]) -> None:
    items = [i for i in items if i[0] not in ".,"]
    text = "\n".join(f"{n}. {item}" for n, item in enumerate(items, 1))
    assert [" ".join(i.split()) for i in parse_list(text)] == [" ".join(i.split()) for i in items]


@pytest.mark.parametrize(
    ("text", "score"),
    [
        *[("4", 4), (" **4** ", 4), ("4.5", 4.5), ('{"score": 4}', 4), ('{"점수": "3"}', 3)],
        *[("Score: 4/5", 4), ("I would say so.\nRating: **3**", 3), ("[[2]]", 2)],
        *[("점수: 4점", 4), ("4점입니다", 4), ("5점 만점에 4점", 4), ("5점 만점 중 3점", 3)],
        *[("Score (1-5): 4", 4), ("It has 3 parts. Score: 2", 2), ("score is 4 out of 5", 4)],
        ('```json\n{"reason": "3 of 4 points", "score": 5}\n```', 5),
        ("Score: 4. Overall score: 4", 4),
    ],
)
def test_a_score_that_is_marked_as_one_is_read(text: str, score: float) -> None:
    assert parse_score(text, 1, 5) == score


@pytest.mark.parametrize(
    "text",
    [
        *["", "good", "4 or 5", "Score: 4 or 5", "Score: 3-4", "Score: 4\nScore: 5", "Score: 6"],
        *["Score: 0", "8/10", "10점 만점에 4점", "Score: 4%", "It has 3 parts.", "Score: 4,000"],
        *["coherence score: 3, correctness score: 4", '{"score": true}', '{"score": [4]}'],
        *[
            "1점부터 5점까지",
            "Rate from 1 to 5",
            "Score: 4 (out of 10)",
            "Score: four",
            "[[4]] [[3]]",
        ],
    ],
)
def test_a_score_that_is_not_certain_is_none(text: str) -> None:
    assert parse_score(text, 1, 5) is None


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        *[("A", "A"), ("**B**.", "B"), ("[[A]]", "A"), ('{"winner": "B"}', "B"), ("승자: A", "A")],
        *[("Both are fine. Better answer: B", "B"), ("The winner is Assistant A.", "A")],
        *[("[[C]]", None), ("A or B", None), ("[[A]] [[B]]", None), ("winner: A and B", None)],
        *[("", None), ("A good answer", None), ('{"winner": "tie"}', None), ("Winner: Ann", None)],
    ],
)
def test_a_choice_is_read_or_none(text: str, choice: str | None) -> None:
    assert parse_choice(text) == choice


@given(st.text("AB[]:. scoreScore점수0123456789/-", max_size=40))
def test_scores_and_choices_stay_inside_their_range(text: str) -> None:
    score = parse_score(text, 1, 5)
    assert score is None or 1 <= score <= 5
    assert parse_choice(text) in (None, "A", "B")


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ('"How do I store potatoes?"', "How do I store potatoes?"),
        ("“감자는 어떻게 보관하나요?”", "감자는 어떻게 보관하나요?"),
        ("**Request:** How do I store potatoes?", "How do I store potatoes?"),
        ("Question: Why?", "Why?"),
        ("질문: 왜 그런가요?", "왜 그런가요?"),
        ('Sure, here is the request:\n\n"Why?"', "Why?"),
        ("**Why do cats purr?**", "Why do cats purr?"),
        # What only looks like it.
        ('"Yes" and "no" mean "maybe"', '"Yes" and "no" mean "maybe"'),
        ('Say "no".', 'Say "no".'),
        ("Questions: are they useful?", "Questions: are they useful?"),
        ("Here is my situation: I rent.", "Here is my situation: I rent."),
        ("Request:", "Request:"),
        ('""', '""'),
        ("", ""),
    ],
)
def test_text_alone_is_without_label_and_quotes(text: str, bare: str) -> None:
    assert alone(text) == bare
    assert alone(bare) == bare
