"""Whole runs against a real local server: the same rows however often killed, exact counts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.misbehaving_server import Misbehaving

import geurim
from geurim.errors import (
    BudgetExceeded,
    SamplingError,
    SettingError,
    TargetExists,
    TeacherFailed,
)
from geurim.generators.text.budget import Budget
from geurim.generators.text.recipe import Recipe
from geurim.generators.text.run import TextResult, run_text
from geurim.generators.text.teacher import Teacher

QUESTIONS: dict[str, Any] = {
    "name": "questions",
    "columns": {
        "topic": {"choose": ["cats", "dogs", "birds"]},
        "number": {"number": [1, 1000000]},
        "question": {"prompt": "Ask about {{ topic }} {{ number }}"},
        "answer": {"prompt": "{{ question }}"},
        "even": {"require": "number % 3 != 0"},
    },
    "text": ["question", "answer"],
    "steps": ["exact"],
    "output": {"form": "alpaca", "columns": {"instruction": "question", "output": "answer"}},
}


def with_server(server: Misbehaving, spec: dict[str, Any], **settings: Any) -> Recipe:
    teacher = Teacher.of(server.url, "fake", **settings)
    return Recipe.of(spec).with_teachers(default=teacher)


def run(recipe: Recipe, rows: int | None, to: Path, **more: Any) -> TextResult:
    return run_text(recipe, rows, to, seed=5, **more)


def rejects(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "rejects.jsonl").read_text().splitlines()]


def test_run_leaves_rows_rejects_form_report_and_card(tmp_path: Path) -> None:
    with Misbehaving() as server:
        result = run(with_server(server, QUESTIONS), 40, tmp_path / "out")
    folder = tmp_path / "out"
    rows = pq.read_table(folder / "data.parquet").to_pylist()
    assert result.rows == len(rows) == 40
    assert all(row["number"] % 3 for row in rows)
    lost = rejects(folder)
    assert Counter(r["stage"] for r in lost) == result.rejects
    assert lost and all(r["number"] % 3 == 0 and "number = " in r["reason"] for r in lost)
    assert result.drawn == 40 + len(lost)
    train = [json.loads(x) for x in (folder / "train.jsonl").read_text().splitlines()]
    assert [t["instruction"] for t in train] == [r["question"] for r in rows]
    assert "questions" in (folder / "train" / "README.md").read_text()
    assert (folder / "report.html").stat().st_size < 3_000_000
    assert Recipe.load(folder / "recipe.yaml").spec == QUESTIONS
    assert sorted(p.name for p in folder.iterdir() if p.name.startswith(".")) == []


def test_training_form_leaves_out_what_was_merely_set(tmp_path: Path) -> None:
    columns = {**QUESTIONS["columns"], "least": {"fixed": 3}, "topic": {"fixed": "cats"}}
    with Misbehaving() as server:
        run(with_server(server, {**QUESTIONS, "columns": columns}), 3, tmp_path / "out")
    rows = [json.loads(x) for x in (tmp_path / "out" / "train.jsonl").read_text().splitlines()]
    assert [set(r) for r in rows] == [{"instruction", "input", "output", "number"}] * 3
    assert set(pq.read_table(tmp_path / "out" / "data.parquet").column_names) >= {"least", "topic"}


def test_row_that_is_dropped_before_its_prompt_costs_nothing(tmp_path: Path) -> None:
    with Misbehaving() as server:
        run(with_server(server, QUESTIONS), 20, tmp_path / "out")
        assert server.stats.requests == 40


def test_rows_depend_on_the_seed_alone_and_a_short_run_begins_a_long_one(tmp_path: Path) -> None:
    with Misbehaving(latency=0.002) as server:
        recipe = with_server(server, QUESTIONS)
        run(recipe, 30, tmp_path / "one")
        run(with_server(server, QUESTIONS, max_concurrency=2), 30, tmp_path / "slow")
        run(recipe, 60, tmp_path / "long")
    one, slow, long = (
        pq.read_table(tmp_path / n / "data.parquet") for n in ("one", "slow", "long")
    )
    assert one.equals(slow)
    assert long.slice(0, 30).equals(one)


def test_second_run_with_the_same_folder_asks_for_nothing(tmp_path: Path) -> None:
    with Misbehaving() as server:
        recipe = with_server(server, QUESTIONS)
        run(recipe, 20, tmp_path / "out")
        asked, first = server.stats.requests, pq.read_table(tmp_path / "out" / "data.parquet")
        with pytest.raises(TargetExists, match="finished run"):
            run(recipe, 20, tmp_path / "out")
        again = run_text(recipe, 20, tmp_path / "out", overwrite=True)  # the seed is remembered
        assert server.stats.requests == asked
        assert again.usage.requests == 0 and again.usage.replayed == asked
        assert pq.read_table(tmp_path / "out" / "data.parquet").equals(first)


_CHILD = """
import sys
from pathlib import Path
from tests.generators.text.test_run import QUESTIONS
from geurim.generators.text.recipe import Recipe
from geurim.generators.text.run import run_text
from geurim.generators.text.teacher import Teacher
teacher = Teacher.of(sys.argv[1], "fake", max_concurrency=16)
recipe = Recipe.of(QUESTIONS).with_teachers(default=teacher)
run_text(recipe, 300, Path(sys.argv[2]), seed=5)
"""


def test_killed_run_pays_for_nothing_twice_and_ends_with_the_same_rows(tmp_path: Path) -> None:
    with Misbehaving(latency=0.02, slots=16) as server:
        recipe = with_server(server, QUESTIONS, max_concurrency=16)
        root = Path(__file__).parents[3]
        env = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'src'}"}
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, server.url, str(tmp_path / "out")], env=env
        )
        deadline = time.monotonic() + 60
        while server.stats.answered < 150 and time.monotonic() < deadline:
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert 150 <= server.stats.answered < 600
        assert not (tmp_path / "out" / "data.parquet").exists()
        time.sleep(0.3)  # what was in flight is answered to nobody
        run(recipe, 300, tmp_path / "out")
        assert server.stats.repeated <= 16  # what was in flight when it died, and no more
        run(recipe, 300, tmp_path / "whole")
    killed, whole = (pq.read_table(tmp_path / n / "data.parquet") for n in ("out", "whole"))
    assert killed.equals(whole)


def test_truncated_answer_is_reported_as_truncated(tmp_path: Path) -> None:
    with Misbehaving(truncate_every=5) as server:
        result = run(with_server(server, QUESTIONS), 30, tmp_path / "out")
    cut = [r for r in rejects(tmp_path / "out") if r["stage"] in ("question", "answer")]
    assert result.rows == 30 and cut
    assert all("truncated" in r["reason"] and "length" in r["reason"] for r in cut)


def test_budget_is_hard_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    with Misbehaving() as server:
        recipe = with_server(server, QUESTIONS)
        with pytest.raises(BudgetExceeded, match="50"):
            run(recipe, 100, tmp_path / "out", budget=Budget(requests=50))
        assert server.stats.requests <= 50
        assert not (tmp_path / "out" / "data.parquet").exists()
        few = run(recipe, 100, tmp_path / "out", budget=Budget(requests=30), fewer=True)
        assert not few.complete and 10 <= few.rows < 100 and server.stats.requests <= 80
        before = server.stats.requests
        rest = run(recipe, 100, tmp_path / "out", overwrite=True)
        assert rest.rows == 100 and server.stats.requests == 200 and server.stats.repeated == 0
        assert before < 200


def test_budget_in_money_needs_a_price(tmp_path: Path) -> None:
    with Misbehaving() as server:
        with pytest.raises(SettingError, match="price"):
            run(with_server(server, QUESTIONS), 5, tmp_path / "out", budget=Budget(usd=1))
        assert server.stats.requests == 0
        result = run(with_server(server, QUESTIONS), 5, tmp_path / "out")
        assert result.usage.cost is None


def test_refusals_lose_no_row(tmp_path: Path) -> None:
    with Misbehaving(burst=(40, 0.5), latency=0.01) as server:
        result = run(with_server(server, QUESTIONS), 60, tmp_path / "out")
        assert server.stats.refused < 64
    assert result.rows == 60 and set(result.rejects) <= {"even"}


QUOTA: dict[str, Any] = {
    "name": "quota",
    "quota": {"language": {"ko": 3, "en": 1}, "style": "uniform"},
    "columns": {
        "language": {"choose": ["en", "ko"]},
        "style": {"choose": ["plain", "polite"]},
        "number": {"number": [1, 1000000]},
        "text": {"prompt": "Write {{ language }} {{ style }} {{ number }}"},
        "kept": {"require": "number % 2 == 0"},
    },
}


def test_quotas_are_exact_though_half_of_the_rows_are_dropped(tmp_path: Path) -> None:
    with Misbehaving(latency=0.002) as server:
        run(with_server(server, QUOTA), 80, tmp_path / "out")
        assert server.stats.requests == 80  # nothing was asked for that was not wanted
    rows = pq.read_table(tmp_path / "out" / "data.parquet").to_pylist()
    counts = Counter((r["language"], r["style"]) for r in rows)
    assert counts == {
        ("ko", "plain"): 30,
        ("ko", "polite"): 30,
        ("en", "plain"): 10,
        ("en", "polite"): 10,
    }


def test_quota_that_cannot_be_had_says_which_part(tmp_path: Path) -> None:
    spec = {**QUOTA, "columns": {**QUOTA["columns"], "kept": {"require": "language == 'en'"}}}
    with Misbehaving(latency=0.001) as server, pytest.raises(SamplingError, match="'ko'"):
        run(with_server(server, spec), 20, tmp_path / "out")


def test_best_share_is_selected_and_the_rest_is_rejected(tmp_path: Path) -> None:
    spec = {
        "name": "best",
        "columns": {
            "number": {"number": [1, 1000000]},
            "text": {"prompt": "Write {{ number }}"},
        },
        "select": {"by": "number", "share": 0.25},
    }
    with Misbehaving(latency=0.001) as server:
        result = run(with_server(server, spec), 10, tmp_path / "out")
    kept = pq.read_table(tmp_path / "out" / "data.parquet")["number"].to_pylist()
    lost = [r["number"] for r in rejects(tmp_path / "out")]
    assert result.rows == 10 and len(lost) == 30
    assert min(kept) > max(lost)
    assert result.drawn == 40 and result.rejects == {"select": 30}


def test_each_walks_through_its_source_once(tmp_path: Path) -> None:
    spec = {
        "name": "each",
        "sources": {"seeds": [{"word": w} for w in ("one", "two", "three", "four")]},
        "each": "seeds",
        "columns": {
            "seed": {"row": "seeds"},
            "text": {"prompt": "Write about {{ seed.word }}"},
            "kept": {"require": "seed.word != 'two'"},
        },
    }
    with Misbehaving() as server:
        result = run(with_server(server, spec), None, tmp_path / "out")
        words = [r["seed"]["word"] for r in pq.read_table(result.data).to_pylist()]
        assert sorted(words) == ["four", "one", "three"]
        more = run(with_server(server, spec), 7, tmp_path / "more")
        words = [r["seed"]["word"] for r in pq.read_table(more.data).to_pylist()]
        assert Counter(words).most_common()[-1][1] >= 2 and len(words) == 7


def test_grown_rounds_show_what_was_kept(tmp_path: Path) -> None:
    spec = {
        "name": "grow",
        "sources": {"seeds": [{"text": "first seed"}]},
        "grow": {"source": "seeds", "columns": {"text": "text"}, "round": 5},
        "columns": {
            "_shown": {"row": "seeds"},
            "number": {"number": [1, 1000000]},
            "shown": {"compute": "_shown.text"},
            "text": {"prompt": "Write {{ number }} like {{ _shown.text }}"},
        },
    }
    with Misbehaving(latency=0.001) as server:
        run(with_server(server, spec), 20, tmp_path / "out")
    rows = pq.read_table(tmp_path / "out" / "data.parquet").to_pylist()
    assert {r["shown"] for r in rows[:5]} == {"first seed"}
    earlier = [r["text"] for r in rows[:15]]
    assert any(r["shown"] in earlier for r in rows[15:])
    for at, row in enumerate(rows):
        assert row["shown"] in ["first seed", *(r["text"] for r in rows[: at // 5 * 5])]


def test_mix_has_the_share_that_was_asked_for(tmp_path: Path) -> None:
    real = pa.table({"review": [f"real text {i}" for i in range(100)]})
    spec = {
        "name": "mix",
        "sources": {"real": None},
        "mix": {"source": "real", "synthetic": 0.6874, "columns": {"text": "review"}},
        "columns": {"n": {"number": [1, 10**6]}, "text": {"prompt": "Write {{ n }}"}},
        "output": {"form": "text", "columns": {"text": "text"}},
    }
    with Misbehaving(latency=0.001) as server:
        recipe = with_server(server, spec).with_sources(real=real)
        run(recipe, 110, tmp_path / "out")
        with pytest.raises(SettingError, match=r"227 real rows.*has 100"):
            run(recipe, 500, tmp_path / "more")
    rows = [json.loads(x) for x in (tmp_path / "out" / "train.jsonl").read_text().splitlines()]
    share = sum(r["synthetic"] for r in rows) / len(rows)
    assert abs(share - 0.6874) < 0.5 / len(rows)
    assert len({r["text"] for r in rows if not r["synthetic"]}) == 50


def test_unfinished_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with Misbehaving() as server, pytest.raises(TargetExists, match=r"notes\.txt"):
        run(with_server(server, QUESTIONS), 5, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["notes.txt"]


def test_no_bytes_of_the_key_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-very-secret-4711")
    with Misbehaving(key="sk-very-secret-4711") as server:
        run(with_server(server, QUESTIONS, key_env="MY_KEY"), 5, tmp_path / "out")
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file():
            assert b"very-secret" not in path.read_bytes(), path


def test_sample_draws_text_like_any_generator() -> None:
    with Misbehaving() as server:
        fitted = geurim.fit(None, with_server(server, QUESTIONS), seed=1)
        with fitted.opened() as opened:  # type: ignore[attr-defined]
            rows = geurim.sample(opened, 12, seed=4, where="number > 500000").to_arrow()
            given = geurim.sample(opened, given=pa.table({"topic": ["cats"] * 9}), seed=4)
            assert set(given.to_arrow()["topic"].to_pylist()) == {"cats"}
            with pytest.raises(SettingError, match="workers"):
                geurim.sample(opened, 5, workers=2)
    assert rows.num_rows == 12 and min(rows["number"].to_pylist()) > 500000


def test_model_file_of_a_recipe_draws_the_same(tmp_path: Path) -> None:
    with Misbehaving() as server:
        fitted = geurim.fit(None, with_server(server, QUESTIONS), seed=1)
        geurim.save(fitted, tmp_path / "model.geurim")
        loaded = geurim.load(tmp_path / "model.geurim")
        drawn = []
        for one in (fitted, loaded):
            with one.opened() as opened:  # type: ignore[attr-defined]
                drawn.append(geurim.sample(opened, 6, seed=2).to_arrow())
    assert drawn[0].equals(drawn[1])
    assert loaded.lineage == fitted.lineage


def test_recipe_without_a_teacher_says_how_to_give_one(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no teacher"):
        run(Recipe.of(QUESTIONS), 5, tmp_path / "out")


@pytest.mark.parametrize(
    ("manners", "says"),
    [
        ({"key": "right"}, r"401: .*does not accept the key in MY_KEY"),
        ({"status": 403, "message": "not yours"}, "403: not yours"),
        ({"status": 404, "message": "no such model"}, "404: no such model.*model's name 'fake'"),
    ],
)
@pytest.mark.parametrize("each", [True, False])
def test_run_stops_at_the_first_answer_that_says_nothing_will_be_answered(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    manners: dict[str, Any],
    says: str,
    each: bool,
) -> None:
    monkeypatch.setenv("MY_KEY", "wrong")
    spec = {
        "sources": {"queries": [f"query {i}" for i in range(300)]},
        "columns": {"query": {"row": "queries"}, "answer": {"prompt": "{{ query.text }}"}},
        **({"each": "queries"} if each else {}),
    }
    with Misbehaving(**manners) as server:
        recipe = with_server(server, spec, key_env="MY_KEY", max_concurrency=4)
        with pytest.raises(TeacherFailed, match=says):
            run(recipe, None if each else 20, tmp_path / "out")
        assert server.stats.requests <= 4
    assert not (tmp_path / "out" / "data.parquet").exists()


def test_run_that_ends_without_a_row_is_an_error_with_the_counts(tmp_path: Path) -> None:
    spec = {
        "sources": {"queries": ["a", "b", "c"]},
        "each": "queries",
        "columns": {
            "query": {"row": "queries"},
            "long": {"require": "query.text | length > 5"},
            "answer": {"prompt": "{{ query.text }}"},
        },
    }
    with Misbehaving() as server:
        with pytest.raises(SamplingError, match=r"No row was kept of 3 drawn.*long: 3"):
            run(with_server(server, spec), None, tmp_path / "out")
        left = (tmp_path / "out" / "rejects-unfinished.jsonl").read_text().splitlines()
        assert len(left) == 3 and server.stats.requests == 0
        with pytest.raises(BudgetExceeded):  # none was paid for, so there is nothing to keep
            recipe = with_server(server, QUESTIONS)
            run(recipe, 5, tmp_path / "poor", budget=Budget(requests=1), fewer=True)


def test_recipe_that_asks_nothing_needs_no_teacher(tmp_path: Path) -> None:
    spec = {
        "columns": {
            "animal": {"choose": ["cat", "dog"]},
            "text": {"compute": "'A ' ~ animal ~ ' sleeps on the sofa.'"},
            "rules": {"score": "rules", "of": "text"},
        },
        "text": ["text"],
    }
    result = run(Recipe.of(spec), 5, tmp_path / "out")
    assert result.rows == 5 and result.usage.requests == 0 and result.usage.cost == 0
    asking = {"loop": {"columns": {"draft": {"prompt": "Go on."}}, "most": 2}}
    for column in (asking, {"score": "logprob", "of": "text"}):
        again = {"columns": {**spec["columns"], "more": column}}  # type: ignore[dict-item]
        with pytest.raises(SettingError, match="no teacher"):
            run(Recipe.of(again), 5, tmp_path / "none")


def test_an_interrupt_ends_a_run_at_once_though_the_signal_comes_twice(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(json.dumps({**QUESTIONS, "name": "mine"}))
    start = "from geurim.cli import main; main()"
    command = ["text", "run", "mine.yaml", "--rows", "5", "-o", "out", "--model", "fake"]
    with Misbehaving(hang_every=1) as server:
        child = subprocess.Popen(
            [sys.executable, "-c", start, *command, "--teacher", server.url],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(600):  # until something is under way
            if server.stats.flight or child.poll() is not None:
                break
            time.sleep(0.05)
        child.send_signal(signal.SIGTERM)
        child.send_signal(signal.SIGTERM)
        _, said = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "What was answered is in out" in said
