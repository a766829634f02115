"""An OpenAI-compatible server that answers by a script: a function of what it is asked.

    def script(asked: Asked) -> str | Cut | dict: ...

    with Scripted(script) as server:
        Teacher.of(server.url, "scripted"); server.asked  # every request, in the order of arrival

A dictionary is answered as JSON, `Cut(text)` as an answer that the token limit cut short, an `int`
as an error of that status. What the script does not expect it should raise: the test then fails
with the script's own words, not with a row that is missing.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Asked:
    """One request as the script sees it."""

    text: str  # the last message, or the bare prompt
    system: str = ""
    turns: tuple[tuple[str, str], ...] = ()  # all messages: role, content
    schema: dict[str, Any] | None = None
    raw: bool = False
    model: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    number: int = 0  # requests with the same content that came before this one

    def says(self, *words: str) -> bool:
        """Whether the last message holds all these words."""
        return all(w in self.text for w in words)

    def between(self, start: str, end: str) -> str:
        """What stands in the last message after `start` and before `end`."""
        return self.text.partition(start)[2].partition(end)[0].strip()

    @property
    def wants(self) -> tuple[str, ...]:
        """The properties that the answer is to have; none where there is no schema."""
        return tuple((self.schema or {}).get("properties", {}))


@dataclass(frozen=True)
class Cut:
    """An answer that was cut short by the token limit."""

    text: str


Said = str | dict[str, Any] | Cut | int
Script = Callable[[Asked], Said]


class Scripted:
    """The server, in a thread of this process."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self.faults: list[BaseException] = []
        self._seen: dict[str, int] = {}

    def __enter__(self) -> Scripted:
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        if self.faults:
            raise AssertionError(f"the script did not expect it: {self.faults[0]!r}") from (
                self.faults[0]
            )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def forget(self) -> None:
        """Start counting requests anew."""
        self.asked, self._seen = [], {}

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._runner.cleanup())

    async def _start(self) -> None:
        app = web.Application(client_max_size=1 << 24)
        paths = ("/v1/chat/completions", "/v1/completions")
        app.add_routes([web.post(path, self._answer) for path in paths])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]

    async def _answer(self, request: web.Request) -> web.Response:
        asked = self._asked(await request.json())
        self.asked.append(asked)
        try:
            said = self.script(asked)
        except Exception as error:
            self.faults.append(error)
            said = 400
        if isinstance(said, int):
            return web.json_response({"error": {"message": "as scripted"}}, status=said)
        return web.json_response(_completion(asked, said))

    def _asked(self, body: dict[str, Any]) -> Asked:
        raw = "prompt" in body
        turns = [("user", body["prompt"])] if raw else []
        turns += [(m["role"], m["content"]) for m in body.get("messages", ())]
        same = json.dumps([turns, body.get("response_format")])
        number = self._seen.get(same, 0)
        self._seen[same] = number + 1
        wanted = body.get("response_format") or {}
        known = ("messages", "prompt", "response_format", "model")
        return Asked(
            text=turns[-1][1],
            system=next((text for role, text in turns if role == "system"), ""),
            turns=tuple(turns),
            schema=wanted.get("json_schema", {}).get("schema"),
            raw=raw,
            model=body["model"],
            parameters={k: v for k, v in body.items() if k not in known},
            number=number,
        )


def _completion(asked: Asked, said: str | dict[str, Any] | Cut) -> dict[str, Any]:
    cut = isinstance(said, Cut)
    text = said.text if isinstance(said, Cut) else said
    text = json.dumps(text, ensure_ascii=False) if isinstance(text, dict) else text
    choice: dict[str, Any] = {"index": 0, "finish_reason": "length" if cut else "stop"}
    choice |= {"text": text} if asked.raw else {"message": {"role": "assistant", "content": text}}
    read, written = len(asked.text.split()), len(text.split())
    usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    return {"id": "x", "model": asked.model, "choices": [choice], "usage": usage}
