"""The data card: what it says is what was given, and it gives away nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from geurim.card import card, load_card, with_front_matter
from geurim.contract import Lineage
from geurim.errors import DataError, NotFound, SettingError
from geurim.scrub import scrub

REAL = Lineage(maker="seeds.jsonl", digest="a" * 64, real=True)
LINEAGE = Lineage.made("text: alpaca", seed=7, parents=(REAL,))
ALL: dict[str, Any] = {
    "title": "고객 상담 | 문답",
    "recipe": "name: support\ncolumns:\n  answer:\n    prompt: '{{ question }}'\n",
    "teachers": ["SmolLM2-135M at http://127.0.0.1:8000/v1"],
    "prompts": {"answer": "Answer: {{ question }}\n```\ncode\n```"},
    "usage": {"requests": 1234, "prompt_tokens": 5000, "completion_tokens": 6000, "cost": 0.25},
    "filters": [
        {"name": "novelty", "settings": {"rouge": 0.7}, "kept": 900, "dropped": 100},
        {"name": "length", "settings": None, "kept": 880, "dropped": 20},
    ],
    "counts": {"rows": 880, "rejects": {"novelty": 100, "length": 20}, "holdout": 88},
    "languages": ["ko", "en"],
    "license": "apache-2.0",
    "synthetic_share": 0.6874,
    "notes": ["Prices are invented."],
}


def front(text: str) -> dict[str, Any]:
    match = re.match(r"---\n(.*?)\n---\n", text, re.S)
    assert match
    return dict(yaml.safe_load(match[1]))


def test_the_front_matter_is_what_the_hub_reads() -> None:
    head = front(card(LINEAGE, **ALL))
    assert head["pretty_name"] == "고객 상담 | 문답" and head["license"] == "apache-2.0"
    assert head["language"] == ["ko", "en"] and head["size_categories"] == ["n<1K"]
    assert head["tags"] == ["synthetic", "geurim"]
    assert "synthetic" not in front(card(REAL, title="real"))["tags"]


@pytest.mark.parametrize(
    ("rows", "size"),
    [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (99_999, "10K<n<100K"),
     (10**6, "1M<n<10M"), (10**9, "1B<n<10B"), (10**12, "n>1T")],
)  # fmt: skip
def test_the_size_is_named_as_the_hub_does(rows: int, size: str) -> None:
    assert front(card(REAL, title="t", counts={"rows": rows}))["size_categories"] == [size]


def test_a_person_finds_what_they_want_to_know() -> None:
    text = card(LINEAGE, **ALL)
    heads = re.findall(r"^## (.*)$", text, re.M)
    assert heads == ["What it is", "How it was made", "Models and prompts", "Costs",
                     "Filters and counts", "Known limits", "How to load"]  # fmt: skip
    for said in ("68.74%", "31.26%", "1,234", "| novelty | rouge 0.7 | 900 | 100 |", "SmolLM2-135M",
                 "| length | 20 |", "Prices are invented.", "seeds.jsonl (real", "seed 7",
                 "prompt: '{{ question }}'", "0.25",
                 'load_dataset(".", split="train")'):  # fmt: skip
        assert said in text, said
    assert "````jinja\nAnswer: {{ question }}\n```\ncode\n```\n````" in text


def test_what_is_unknown_says_so_and_is_never_nought() -> None:
    text = card(LINEAGE, title="t", teachers=["m"], usage={"requests": 3, "cost": None})
    assert "| Cost in US dollars | unknown |" in text and "| Tokens read | unknown |" in text
    assert "cost is unknown" in text and "No filter ran" in text
    assert "- Rows: unknown" in text and "License: unknown" in text
    assert "Unknown: nothing was recorded." in card(LINEAGE, title="t")
    free = card(LINEAGE, title="t", usage={"cost": 0.0})
    assert "| Cost in US dollars | 0 |" in free and "cost is unknown" not in free


def test_rows_made_from_made_rows_say_so() -> None:
    again = Lineage.made("trees", parents=(LINEAGE,))
    assert "(depth 2)" in card(again, title="t") and "(depth" not in card(LINEAGE, title="t")


def test_what_is_wrong_is_refused() -> None:
    for wrong in ({"title": " "}, {"languages": ["Korean"]}, {"languages": "ko"},
                  {"synthetic_share": 68.7}):  # fmt: skip
        with pytest.raises(SettingError):
            card(LINEAGE, **{"title": "t", **wrong})


def test_markup_in_what_was_given_does_not_break_the_card() -> None:
    text = card(
        LINEAGE,
        title="a\n---\n# b",
        filters=[{"name": "x|y\n| z |", "settings": "<script>", "kept": 1, "dropped": 0}],
        notes=["line\n## Not a section"],
    )
    assert front(text)["pretty_name"] == "a --- # b"
    assert "<script>" not in text.split("\n---\n", 1)[1]
    assert "## Not a section" not in text.splitlines()
    assert "| x\\|y \\| z \\| | &lt;script> | 1 | 0 |" in text


# What must not be in it

SECRETS = {
    "openai": "sk-proj-Ab12Cd34Ef56Gh78Ij90",
    "anthropic": "sk-ant-api03-Zz99Yy88Xx77",
    "hub": "hf_AbCdEfGhIjKlMnOpQrSt",
    "github": "ghp_0123456789abcdefABCDEF",
    "amazon": "AKIAIOSFODNN7EXAMPLE",
    "google": "AIzaSyA-1234567890abcdefghijklmnopq",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_123",
}
PLANTED = {
    **{f"a bare key of {k}": (f"uses {v}!", v) for k, v in SECRETS.items()},
    "a password of a URL": ("at https://kim:s3cr3t/p@ss@llm.example/v1", "s3cr3t"),
    "a token as the user": ("git+https://tok3n1234@host/repo", "tok3n1234"),
    "a key in a query": ("https://host/v1?model=m&api_key=abc123def&x=1", "abc123def"),
    "a database": ("postgresql://kim:hunter22@db/shop", "hunter22"),
    "a header": ("Authorization: Bearer abcdefgh12345678", "abcdefgh12345678"),
    "a setting": ("api_key: mysecretvalue99", "mysecretvalue99"),
    "a quoted setting": ('{"password": "opensesame1"}', "opensesame1"),
    "an assignment": ("OPENAI_API_KEY=qwertyuiop", "qwertyuiop"),
    "a key file": ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAK\n-----END RSA PRIVATE KEY-----",
                   "MIIEow"),
    "a path": ("seeds: /home/kim/private/seeds.jsonl", "/home/kim"),
    "a path with spaces": ("open('/Users/Kim Young/my data/x.csv')", "Kim Young"),
    "a path of Korean": ("/데이터/비밀/파일.txt 에서", "비밀"),
    "a path below home": ("~/projects/x.jsonl", "projects"),
    "a path of Windows": (r"C:\Users\kim\x.csv", "kim"),
    "a network path": (r"\\server\vault9\x.csv", "vault9"),
    "a file URL": ("file:///srv/data/x.csv and sqlite:////srv/data/x.db", "srv"),
}  # fmt: skip


@pytest.mark.parametrize("case", PLANTED)
@pytest.mark.parametrize(
    "place",
    ["title", "recipe", "teachers", "prompts", "usage", "filters", "counts", "notes", "lineage"],
)
def test_no_key_password_or_path_ever_appears(case: str, place: str) -> None:
    text, secret = PLANTED[case]
    given: dict[str, Any] = {**ALL}
    lineage = LINEAGE
    if place == "lineage":
        lineage = Lineage.made(text, parents=(Lineage.made("x", parents=(Lineage.made(text),)),))
    else:
        given[place] = {
            "title": f"data {text}",
            "recipe": f"a: 1\nb: {text}\n",
            "teachers": [f"model {text}"],
            "prompts": {f"name {text}": f"Write about {text}"},
            "usage": {"requests": 1, "note": text, text: 2},
            "filters": [{"name": text, "settings": {"file": text, "more": [text]}, "kept": 1}],
            "counts": {"rows": 1, "rejects": {text: 3}},
            "notes": [text],
        }[place]
    assert secret not in card(lineage, **given)


def test_values_of_secret_variables_are_hidden_wherever_they_stand(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MY_TEACHER_API_KEY", "correct horse battery")
    monkeypatch.chdir(tmp_path)
    text = card(LINEAGE, title="t", recipe=f"x: correct horse battery\nfolder: {tmp_path}\n")
    assert "correct horse" not in text and str(tmp_path) not in text
    assert tmp_path.parent.name not in text


def test_a_value_under_a_secret_name_is_hidden_even_if_it_looks_plain() -> None:
    text = card(LINEAGE, title="t", filters=[{"name": "x", "settings": {"api_key": "sunflower"}}])
    assert "sunflower" not in text


@pytest.mark.parametrize(
    "text",
    [
        "max_tokens: 2048, temperature: 0.7, stop_token_ids: [1]",
        "api_key_env: OPENAI_API_KEY",
        "password: {{ password }}",
        "api_key: ${OPENAI_API_KEY}",
        "https://host:8000/v1/chat/completions",
        "yes and/or no, 1/2/3, km/h, 2024/01/31",
        "</instruction> <b>x</b> a // comment",
        "POST '/v1' or \"/\"",
        "비밀번호를 잊으셨나요? 토큰은 3/4/5 입니다.",
        "user@example.com wrote to kim@example.kr",
        "meta-llama/Llama-3.1-8B-Instruct and Qwen/Qwen2.5-7B",
        "{% for x in rows %}{{ x }}/{{ y }}{% endfor %}",
        "risk-free task-based scripts",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert scrub(text) == text


PIECES = st.sampled_from([*"ab1/:.\\ \"'=@?&~-\n", "://", "api_key", "sk-", "***", "…", "한"])


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=25).map("".join))
def test_scrubbing_twice_changes_nothing_more(text: str) -> None:
    assert scrub(scrub(text)) == scrub(text)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30), st.text(max_size=30))
def test_a_key_and_a_path_are_found_in_any_text(before: str, after: str) -> None:
    once = scrub(f"{before} {SECRETS['hub']} /home/kim/x {after}")
    assert SECRETS["hub"] not in once and "/home/kim" not in once


# Reading it again


def test_a_card_that_is_read_gives_the_facts_back(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(card(LINEAGE, **ALL), encoding="utf-8")
    got = load_card(tmp_path)
    assert got == load_card(tmp_path / "README.md")
    assert got["lineage"] == LINEAGE
    for key in ("teachers", "usage", "filters", "counts", "synthetic_share"):
        assert got[key] == ALL[key], key
    assert got["language"] == ["ko", "en"] and got["text"].startswith("# 고객 상담")
    json.dumps({k: v for k, v in got.items() if k != "lineage"})


def test_more_front_matter_keeps_what_is_there() -> None:
    text = with_front_matter(card(LINEAGE, **ALL), {"configs": [{"config_name": "default"}]})
    head = front(text)
    assert head["configs"] == [{"config_name": "default"}] and head["language"] == ["ko", "en"]
    assert text.count("\n# 고객") == 1
    assert with_front_matter("plain", {"a": 1}) == "---\na: 1\n---\n\nplain"


@pytest.mark.parametrize(
    "text",
    ["", "# plain", "---\n- a\n---\n", "---\na: [\n---\n", "---\ngeurim: 1\n---\n",
     "---\ngeurim:\n  lineage: {}\n---\n", "---\ngeurim: {lineage: {maker: 1}}\n---\nx"],
)  # fmt: skip
def test_what_is_no_card_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "README.md").write_text(text)
    with pytest.raises(DataError):
        load_card(tmp_path)
    with pytest.raises(NotFound):
        load_card(tmp_path / "nowhere")
