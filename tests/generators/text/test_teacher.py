"""Requests, answers, teachers, and how they look on the wire."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geurim.errors import SettingError
from geurim.generators.text import wire
from geurim.generators.text.teacher import Answer, Request, Teacher

TEACHER = Teacher(url="http://localhost:8000/v1", model="m")


def ask(text: str = "hello", **more: object) -> Request:
    settings: dict[str, object] = {"messages": ({"role": "user", "content": text},), "model": "m"}
    return Request(**{**settings, **more})  # type: ignore[arg-type]


def test_key_does_not_depend_on_the_order_of_parameters() -> None:
    one = ask(parameters={"temperature": 1, "max_tokens": 5})
    other = ask(parameters={"max_tokens": 5, "temperature": 1})
    assert one.key == other.key


@pytest.mark.parametrize(
    "change",
    [
        {"messages": ({"role": "user", "content": "hello "},)},
        {"messages": ({"role": "system", "content": "hello"},)},
        {"model": "n"},
        {"parameters": {"temperature": 0.5}},
        {"schema": {"type": "object"}},
        {"sample": 1},
        {"raw": True},
    ],
)
def test_key_depends_on_everything_an_answer_depends_on(change: dict[str, object]) -> None:
    assert ask().key != ask(**change).key


@given(st.lists(st.tuples(st.sampled_from(["user", "system"]), st.text()), min_size=1))
def test_any_text_has_a_key_and_a_body(turns: list[tuple[str, str]]) -> None:
    messages = tuple({"role": role, "content": content} for role, content in turns)
    request = ask(messages=messages)
    assert len(bytes.fromhex(request.key)) == 32
    assert json.loads(request.text)["messages"] == list(messages)
    body = wire.body(TEACHER, request, set())
    assert json.loads(body)["messages"] == list(messages)
    # The budget rests on it: no token is shorter than a byte, and the body holds all the text.
    assert len(body) >= sum(len(content.encode("utf-8", "replace")) for _, content in turns)


def test_half_a_character_can_be_asked() -> None:
    request = ask("cut \ud83d")
    assert json.loads(wire.body(TEACHER, request, set()))["messages"][0]["content"] == "cut \ud83d"
    assert request.key != ask("cut ").key


@pytest.mark.parametrize("name", ["n", "stream", "messages", "response_format"])
def test_parameters_that_the_engine_sets_are_refused(name: str) -> None:
    with pytest.raises(SettingError, match=name):
        ask(parameters={name: 2})


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(SettingError, match="JSON"):
        _ = ask(parameters={"temperature": float("nan")}).key


def test_of_guesses_kind_and_variable_from_the_host() -> None:
    assert Teacher.of("https://api.anthropic.com", "claude").kind == "anthropic"
    assert Teacher.of("https://api.anthropic.com", "claude").key_env == "ANTHROPIC_API_KEY"
    assert Teacher.of("https://api.openai.com/v1", "gpt").key_env == "OPENAI_API_KEY"
    local = Teacher.of("http://localhost:11434", "qwen")
    assert (local.kind, local.key_env, local.url) == ("openai", None, "http://localhost:11434/v1")
    assert Teacher.of("http://h/api/v3", "m").url == "http://h/api/v3"
    assert Teacher.of("https://notopenai.com/v1", "m").key_env is None
    assert Teacher.of("embedded").kind == "embedded"
    assert Teacher.of("models/a.gguf").model == "a"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"url": "localhost:8000"}, "http://"),
        ({"kind": "other"}, "openai, anthropic or embedded"),
        ({"model": ""}, "model"),
        ({"input_usd": -1.0}, "input_usd"),
        ({"tries": 0}, "tries"),
        ({"timeout_s": 0}, "timeout_s"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        Teacher(**{"url": "http://h/v1", "model": "m", **settings})  # type: ignore[arg-type]


def test_a_key_given_as_the_variables_name_is_not_repeated() -> None:
    with pytest.raises(SettingError) as error:
        Teacher(url="http://h/v1", model="m", key_env="sk-verysecret-1")
    assert "verysecret" not in str(error.value)


def test_a_password_in_the_url_is_never_shown() -> None:
    teacher = Teacher(url="http://kim:hunter2@h/v1?api_key=hunter2", model="m")
    for shown in (repr(teacher), str(teacher), str(teacher.to_json()), teacher.shown):
        assert "hunter2" not in shown
    with pytest.raises(SettingError) as error:
        Teacher(url="ftp://kim:hunter2@h/v1", model="m")
    assert "hunter2" not in str(error.value)


def test_an_embedded_teacher_shows_no_path_of_this_machine() -> None:
    teacher = Teacher.embedded("/home/kim/models/big.gguf")
    assert "/home" not in repr(teacher) + str(teacher.to_json())
    assert (teacher.model, teacher.cost(10, 10)) == ("big", 0.0)


def test_cost_is_by_the_million_and_unknown_stays_unknown() -> None:
    priced = Teacher(url="http://h/v1", model="m", input_usd=2.0, output_usd=10.0)
    assert priced.cost(1_000_000, 100_000) == 3.0
    assert Teacher(url="http://h/v1", model="m", input_usd=2.0).cost(1, 1) is None


def test_only_an_answer_cut_by_its_length_is_truncated() -> None:
    assert Answer(text="", finish="length").truncated
    assert not Answer(text="", finish="stop").truncated


def test_anthropic_body_has_its_own_names() -> None:
    teacher = Teacher.of("https://api.anthropic.com", "claude")
    request = ask(
        messages=({"role": "system", "content": "s"}, {"role": "user", "content": "u"}),
        parameters={"stop": "END", "seed": 3, "temperature": 1, "max_tokens": 7},
        schema={"type": "object"},
    )
    assert json.loads(wire.body(teacher, request, set())) == {
        "model": "m",
        "system": "s",
        "messages": [{"role": "user", "content": "u"}],
        "stop_sequences": ["END"],
        "temperature": 1,
        "max_tokens": 7,
        "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
    }
    with pytest.raises(SettingError, match="no bare prompts"):
        wire.body(teacher, ask(raw=True), set())


def test_a_refused_schema_moves_into_the_prompt() -> None:
    schema = {"type": "object", "title": "Person"}
    request = ask(schema=schema)
    first = json.loads(wire.body(TEACHER, request, set()))
    assert first["response_format"]["json_schema"]["schema"] == schema
    second = json.loads(wire.body(TEACHER, request, {wire.shape(schema)}))
    assert "response_format" not in second
    assert "Person" in second["messages"][0]["content"]
    assert request.messages[0]["content"] == "hello"  # the request, and so its key, stays


@pytest.mark.parametrize(
    ("said", "finish"),
    [("end_turn", "stop"), ("max_tokens", "length"), ("refusal", "content_filter")],
)
def test_anthropic_answers_are_read_in_openais_words(said: str, finish: str) -> None:
    teacher = Teacher.of("https://api.anthropic.com", "claude")
    body = {
        "content": [{"type": "thinking", "thinking": "?"}, {"type": "text", "text": "hi"}],
        "stop_reason": said,
        "model": "claude-x",
        "usage": {"input_tokens": 3, "cache_read_input_tokens": 4, "output_tokens": 5},
    }
    answer, model = wire.read(teacher, ask(), json.dumps(body).encode())
    assert answer == Answer(text="hi", finish=finish, prompt_tokens=7, completion_tokens=5)
    assert model == "claude-x"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'{"choices": []}', b"<html>"])
def test_a_body_that_is_no_answer_is_unreadable(data: bytes) -> None:
    with pytest.raises(wire.Unreadable):
        wire.read(TEACHER, ask(), data)


@given(st.binary(max_size=60))
def test_hostile_bytes_are_unreadable_and_nothing_else(data: bytes) -> None:
    with pytest.raises(wire.Unreadable):
        wire.read(TEACHER, ask(), data)
    assert wire.judge(500, {}, data, 0.0).what == "retry"


def test_what_a_status_means() -> None:
    quota = b'{"error": {"message": "m", "type": "insufficient_quota"}}'
    date = {"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}
    assert wire.judge(429, {"retry-after": "7"}, b"", 0.0).retry_after_s == 7
    assert wire.judge(429, date, b"", 40.0).retry_after_s == 60
    assert wire.judge(429, {"retry-after": "soon"}, b"", 0.0).retry_after_s is None
    assert wire.judge(429, {}, quota, 0.0).what == "abort"  # waiting does not fill an account
    overloaded = b'{"error": {"type": "overloaded_error"}}'
    assert [wire.judge(s, {}, overloaded, 0.0).what for s in (503, 529, 500)] == ["refused"] * 3
    what = {s: wire.judge(s, {}, b"", 0.0).what for s in (400, 401, 403, 404, 422, 302, 408, 502)}
    assert [s for s, w in what.items() if w == "abort"] == [401, 403, 404, 302]
    assert [s for s, w in what.items() if w == "bad"] == [400, 422]
    assert [s for s, w in what.items() if w == "retry"] == [408, 502]
