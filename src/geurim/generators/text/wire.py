"""Requests as the providers' HTTP bodies, and their answers and troubles read back.

The head of a request (address, authorization, version and organization headers) is made by the
provider's official client, once a teacher; the bodies then go out under that head on one
connection pool. docs/decisions/0005-teachers.md says why, with figures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from geurim.contract import Json
from geurim.databases import redact
from geurim.errors import MissingExtra, SettingError
from geurim.generators.text.teacher import Answer, Request, Teacher

_NOT_KEPT = ("host", "content-length", "accept-encoding", "connection", "idempotency-key")
_ENDS = {  # Anthropic's words for why an answer ended, in OpenAI's
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
    "tool_use": "tool_calls",
}


@dataclass(frozen=True, kw_only=True, repr=False)
class Head:
    """Where requests go and what stands before them. It has no repr: it holds the key."""

    chat: str
    raw: str | None
    headers: Mapping[str, str]
    secret: str | None

    def clean(self, text: str) -> str:
        """What a server said, without the key, should it have repeated it."""
        if self.secret:
            text = text.replace(self.secret, "***")
        return text[:500]


async def head(teacher: Teacher, key: str | None) -> Head:
    """What the official client puts before a request to this teacher."""
    if teacher.kind == "embedded":  # our own server: it wants no account
        chat, raw = teacher.url + "/chat/completions", teacher.url + "/completions"
        return Head(chat=chat, raw=raw, headers={"Content-Type": "application/json"}, secret=None)
    try:
        if teacher.kind == "anthropic":
            chat, headers = await _anthropic_head(teacher.url, key)
            return Head(chat=chat, raw=None, headers=headers, secret=key)
        chat, headers = await _openai_head(teacher.url, key)
    except ModuleNotFoundError:
        raise MissingExtra("Asking a teacher model", "text") from None
    raw = chat.replace("/chat/completions", "/completions")
    return Head(chat=chat, raw=raw, headers=headers, secret=key)


async def _openai_head(url: str, key: str | None) -> tuple[str, dict[str, str]]:
    import httpx2
    import openai

    seen: list[Any] = []
    client = openai.AsyncOpenAI(
        base_url=url, api_key=key or "none", max_retries=0, http_client=_listening(seen)
    )
    async with client:
        await client.post("/chat/completions", cast_to=httpx2.Response, body={})
    return _kept(seen[0], authorized=key is not None)


async def _anthropic_head(url: str, key: str | None) -> tuple[str, dict[str, str]]:
    import anthropic
    import httpx2

    seen: list[Any] = []
    client = anthropic.AsyncAnthropic(
        base_url=url, api_key=key or "none", max_retries=0, http_client=_listening(seen)
    )
    async with client:
        await client.post("/v1/messages", cast_to=httpx2.Response, body={})
    return _kept(seen[0], authorized=key is not None)


def _listening(seen: list[Any]) -> Any:
    """An HTTP client that sends nothing: it notes the request it was to send."""
    import httpx2

    def handle(request: Any) -> Any:
        seen.append(request)
        return httpx2.Response(200, json={})

    return httpx2.AsyncClient(transport=httpx2.MockTransport(handle))


def _kept(request: Any, *, authorized: bool) -> tuple[str, dict[str, str]]:
    headers = {k: v for k, v in request.headers.items() if k.lower() not in _NOT_KEPT}
    if not authorized:
        headers = {k: v for k, v in headers.items() if k.lower() not in _AUTHORIZING}
    return str(request.url), headers


_AUTHORIZING = ("authorization", "x-api-key")


def body(teacher: Teacher, request: Request, refused: set[str]) -> bytes:
    """The request's body. `refused` holds what this server refused before: schemas by their JSON
    (they then stand in the prompt), and "max_tokens" (where it wants the newer name)."""
    parameters = dict(request.parameters)
    messages = [dict(m) for m in request.messages]
    by_schema = request.schema is not None and shape(request.schema) not in refused
    if request.schema is not None and not by_schema:
        messages[-1]["content"] += _instruction(request.schema)
    make = _anthropic_body if teacher.kind == "anthropic" else _openai_body
    parameters.setdefault(
        "max_tokens", parameters.pop("max_completion_tokens", None) or teacher.max_tokens
    )
    content = make(teacher, request, messages, parameters, by_schema)
    if "max_tokens" in refused and "max_tokens" in content:
        content["max_completion_tokens"] = content.pop("max_tokens")
    try:
        return json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half of a character, cut out of a text
        return json.dumps(content).encode()


def most_tokens(teacher: Teacher, request: Request) -> int:
    """The most tokens an answer may have, which `body` asks for."""
    asked = request.parameters.get("max_tokens", request.parameters.get("max_completion_tokens"))
    return int(asked or teacher.max_tokens)


def shape(schema: Mapping[str, Json]) -> str:
    return json.dumps(schema, sort_keys=True)


def _instruction(schema: Mapping[str, Json]) -> str:
    return (
        "\n\nAnswer with one JSON value that meets this JSON schema, and with nothing else:\n"
        + json.dumps(schema, ensure_ascii=False)
    )


def _openai_body(
    teacher: Teacher,
    request: Request,
    messages: list[dict[str, str]],
    parameters: dict[str, Json],
    by_schema: bool,
) -> dict[str, Json]:
    content: dict[str, Json] = {"model": request.model}
    if request.raw:
        content["prompt"] = messages[0]["content"]
        if parameters.get("logprobs") is True:  # a number here, a switch in chat
            parameters["logprobs"] = 1
    else:
        content["messages"] = messages
    if teacher.kind == "embedded" and parameters.get("logprobs") is True:
        parameters.setdefault("top_logprobs", 1)  # not twenty that nobody reads
    if by_schema:
        form = {"name": "answer", "schema": request.schema, "strict": True}
        content["response_format"] = {"type": "json_schema", "json_schema": form}
    return {**content, **parameters}


def _anthropic_body(
    teacher: Teacher,
    request: Request,
    messages: list[dict[str, str]],
    parameters: dict[str, Json],
    by_schema: bool,
) -> dict[str, Json]:
    if request.raw or parameters.pop("logprobs", None):
        raise SettingError(
            "Anthropic's API has no bare prompts and no log-probabilities. Use another teacher for "
            "this column."
        )
    parameters.pop("seed", None)  # it has none; the record is what makes a run repeatable
    if (stop := parameters.pop("stop", None)) is not None:
        parameters["stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
    system = "\n\n".join(m["content"] for m in messages if m["role"] == "system")
    content: dict[str, Json] = {
        "model": request.model,
        "messages": [m for m in messages if m["role"] != "system"],
    }
    if system:
        content["system"] = system
    if by_schema:
        content["output_config"] = {"format": {"type": "json_schema", "schema": request.schema}}
    return {**content, **parameters}


class Unreadable(Exception):
    """A 200 whose body is no answer."""


def read(teacher: Teacher, request: Request, data: bytes) -> tuple[Answer, str]:
    """The answer in a body, and what the server says its model is."""
    try:
        said = json.loads(data)
        if not (said.get("choices") or said.get("content")) and said.get("error"):
            raise Unreadable(f"an error instead of an answer: {_message(said, data)}")
        make = _read_anthropic if teacher.kind == "anthropic" else _read_openai
        model = None if teacher.kind == "embedded" else said.get("model")  # it names its path
        return make(said, request.raw), str(model or request.model)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise Unreadable(f"{type(error).__name__} in a body of {len(data):,} bytes") from None


def _read_openai(said: Any, raw: bool) -> Answer:
    choice = said["choices"][0]
    usage = said.get("usage") or {}
    finish = choice.get("finish_reason") or "stop"
    if raw:
        text = choice["text"]
    else:
        message = choice["message"]
        text = message.get("content")
        if text is None and message.get("refusal"):
            text, finish = message["refusal"], "content_filter"
        elif isinstance(text, list):
            text = "".join(part.get("text", "") for part in text)
    return Answer(
        text=text or "",
        finish=finish,
        prompt_tokens=usage.get("prompt_tokens"),
        completion_tokens=usage.get("completion_tokens"),
        logprobs=_logprobs(choice.get("logprobs")),
    )


def _logprobs(said: Any) -> tuple[float, ...] | None:
    if not said:
        return None
    if said.get("content") is not None:
        return tuple(t["logprob"] for t in said["content"])
    found = said.get("token_logprobs")
    return None if found is None else tuple(x for x in found if x is not None)


def _read_anthropic(said: Any, raw: bool) -> Answer:
    usage = said.get("usage") or {}
    cached = ("cache_creation_input_tokens", "cache_read_input_tokens")
    prompt = usage.get("input_tokens")
    if prompt is not None:
        prompt += sum(usage.get(name) or 0 for name in cached)
    return Answer(
        text="".join(part["text"] for part in said["content"] if part.get("type") == "text"),
        finish=_ENDS.get(said["stop_reason"], said["stop_reason"] or "stop"),
        prompt_tokens=prompt,
        completion_tokens=usage.get("output_tokens"),
    )


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Why there is no answer, and what to do: wait (refused), try again, drop this one, stop."""

    what: Literal["refused", "retry", "bad", "abort"]
    said: str
    retry_after_s: float | None = None
    slow: bool = False
    status: int = 0


def judge(status: int, headers: Mapping[str, str], data: bytes, now: float) -> Trouble:
    """What an HTTP status other than 200 means. `now` in seconds since 1970."""
    try:
        said = json.loads(data)
    except ValueError:
        said = None
    text = f"{status}: {_message(said, data)}"
    kind = str(_error(said).get("type", "")) + " " + str(_error(said).get("code", ""))
    if "insufficient_quota" in kind or "billing" in kind or status == 402:
        return Trouble(what="abort", said=text, status=status)
    if status in (429, 503, 529) or "overloaded" in kind:
        wait = _retry_after(headers, now)
        return Trouble(what="refused", said=text, retry_after_s=wait, status=status)
    if status in (401, 403, 404, 405) or 300 <= status < 400:
        return Trouble(what="abort", said=text, status=status)
    if status in (408, 409, 425) or status >= 500:
        return Trouble(what="retry", said=text, status=status)
    return Trouble(what="bad", said=text, status=status)


def _error(said: Any) -> dict[str, Any]:
    found = said.get("error") if isinstance(said, dict) else None
    return found if isinstance(found, dict) else {}


def _message(said: Any, data: bytes) -> str:
    if message := _error(said).get("message"):
        return str(message)
    return " ".join(data.decode("utf-8", "replace").split())[:300] or "(no message)"


def _retry_after(headers: Mapping[str, str], now: float) -> float | None:
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        text = headers.get("retry-after", "")
        if not text:
            return None
        if text.replace(".", "", 1).isdigit():
            return float(text)
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, TypeError):
        return None


_ABOUT_SCHEMA = ("response_format", "json_schema", "schema", "output_config", "grammar", "strict")


def adapt(request: Request, trouble: Trouble, refused: set[str]) -> None:
    """Note what this server does not take, by what it said of a request. A body that is then made
    anew may differ, and be worth another try."""
    said = trouble.said.lower()
    if "max_completion_tokens" in said:
        refused.add("max_tokens")
    elif request.schema is not None and any(word in said for word in _ABOUT_SCHEMA):
        refused.add(shape(request.schema))


def advice(teacher: Teacher, trouble: Trouble) -> str:
    """What to do about a trouble that stops the run."""
    where = redact(teacher.url)
    if trouble.status in (401, 403):
        if teacher.key_env is None:
            return (
                f"{where} wants a key. Put it in an environment variable and give the variable's "
                f"name as key_env."
            )
        return f"{where} does not accept the key in {teacher.key_env}. Check it and its rights."
    if trouble.status in (404, 405):
        return f"Check the URL {where} (most end in /v1) and the model's name {teacher.model!r}."
    if 300 <= trouble.status < 400:
        return f"{where} sends requests elsewhere. Give the final URL."
    return "Check the account." if trouble.what == "abort" else "Change the request."
