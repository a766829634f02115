"""An OpenAI- and Anthropic-compatible server of known capacity that misbehaves on purpose.

In a test: `with Misbehaving(latency=0.02, burst=(500, 1.0)) as server:`, then its `url`, `stats`.
By itself: `python tests/misbehaving_server.py --port 8900 --latency 0.2 --slots 64`.
What it answers depends on the request's last message alone, so that two runs can be compared.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import hashlib
import json
import threading
import time
from dataclasses import dataclass, field, fields
from typing import Any

from aiohttp import web


@dataclass(kw_only=True)
class Manners:
    """How it behaves; every field may be changed while it runs."""

    latency: float = 0.01  # s that a request holds a slot
    slots: int = 64
    burst: tuple[int, float] | None = None  # after so many requests refuse for so many seconds
    refuse_every: int = 0  # 429 to each Nth request
    retry_after: float | None = 0.3  # s, in a refusal; None names no time
    refusal: int = 429
    error_every: int = 0  # 500 to each Nth
    errors: int = 0  # 500 to the first N
    hang_every: int = 0  # no answer at all to each Nth
    drop_every: int = 0  # closes the connection on each Nth
    garble_every: int = 0  # half of the JSON to each Nth
    truncate_every: int = 0  # finish_reason "length" on each Nth
    usage: bool = True  # names the tokens
    words: int = 20  # of an answer
    key: str = ""  # the key it wants
    status: int = 0  # answer everything with this
    message: str = "as told"
    no_schema: bool = False  # 400 to response_format
    new_names: bool = False  # 400 to max_tokens


@dataclass(kw_only=True)
class Stats:
    """What it saw. `repeated` counts requests answered 200 before; `twice` their content."""

    requests: int = 0
    answered: int = 0
    refused: int = 0
    errors: int = 0
    repeated: int = 0
    flight: int = 0
    most_flight: int = 0
    tokens: int = 0  # of prompts and answers it charged for
    refused_at: list[float] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)  # of the first few
    bodies: list[Any] = field(default_factory=list)  # of the first few
    times: collections.Counter[str] = field(default_factory=collections.Counter)


class Misbehaving:
    """The server, in a thread of this process."""

    def __init__(self, port: int = 0, **manners: Any) -> None:
        self.port = port
        self.manners = Manners(**manners)
        self.stats = Stats()
        self._burst_until: float | None = None

    def __enter__(self) -> Misbehaving:
        self._ready = threading.Event()
        self._loop = _loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def reset(self) -> None:
        self.stats = Stats()
        self._burst_until = None

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self.start())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._runner.cleanup())

    async def start(self) -> None:
        self._free = asyncio.Semaphore(self.manners.slots)
        app = web.Application(client_max_size=1 << 24)
        app.add_routes(
            [
                web.post("/v1/chat/completions", self._answer),
                web.post("/v1/completions", self._answer),
                web.post("/v1/messages", self._answer),
                web.get("/stats", self._stats),
                web.post("/reset", self._reset),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        m, s = self.manners, self.stats
        body = await request.json()
        s.requests += 1
        number = s.requests
        if len(s.bodies) < 100:
            s.bodies.append(body)
            s.headers.append(dict(request.headers))
        if (problem := self._problem(number, body, request)) is not None:
            return problem
        s.flight += 1
        s.most_flight = max(s.most_flight, s.flight)
        try:
            if m.hang_every and number % m.hang_every == 0:
                await asyncio.sleep(3600)
            async with self._free:
                await asyncio.sleep(m.latency)
        finally:
            s.flight -= 1
        if m.drop_every and number % m.drop_every == 0:
            assert request.transport is not None
            request.transport.abort()
            return web.Response(status=500)
        return self._ok(number, body, request)

    def _problem(self, number: int, body: Any, request: web.Request) -> web.Response | None:
        m, s = self.manners, self.stats
        if m.key and m.key not in (request.headers.get("Authorization", "")[7:], _x_key(request)):
            sent = request.headers.get("Authorization", "") or _x_key(request)
            return _error(401, f"Incorrect key provided: {sent}")
        if m.status:
            return _error(m.status, m.message)
        if m.no_schema and "response_format" in body:
            return _error(400, "response_format is not supported by this model")
        if m.new_names and "max_tokens" in body:
            return _error(400, "Unsupported parameter: use 'max_completion_tokens' instead")
        if m.burst is not None and number > m.burst[0] and self._burst_until is None:
            self._burst_until = time.monotonic() + m.burst[1]
        in_burst = self._burst_until is not None and time.monotonic() < self._burst_until
        if in_burst or (m.refuse_every and number % m.refuse_every == 0):
            s.refused += 1
            s.refused_at.append(time.monotonic())
            after = {} if m.retry_after is None else {"Retry-After": str(m.retry_after)}
            return _error(m.refusal, "Rate limit reached", after)
        if number <= m.errors or (m.error_every and number % m.error_every == 0):
            s.errors += 1
            return _error(500, "internal error")
        return None

    def _ok(self, number: int, body: Any, request: web.Request) -> web.Response:
        m, s = self.manners, self.stats
        prompt = body["prompt"] if "prompt" in body else str(body["messages"][-1]["content"])
        s.answered += 1
        s.repeated += s.times[prompt] > 0
        s.times[prompt] += 1
        text, used = answer_to(prompt, m.words), m.words
        finish = "stop"
        if m.truncate_every and s.answered % m.truncate_every == 0:
            text, used, finish = text[: len(text) // 2], m.words // 2, "length"
        used = min(used, body.get("max_tokens") or body.get("max_completion_tokens") or used)
        count = max(1, len(prompt) // 4)
        s.tokens += count + used
        make = _anthropic if request.path.endswith("/messages") else _openai
        said = make(body, text, finish, count, used)
        if not m.usage:
            del said["usage"]
        data = json.dumps(said).encode()
        if m.garble_every and number % m.garble_every == 0:
            data = data[: len(data) // 2]
        return web.Response(body=data, content_type="application/json")

    async def _stats(self, request: web.Request) -> web.Response:
        said = {f.name: getattr(self.stats, f.name) for f in fields(Stats)}
        said["distinct"] = len(self.stats.times)
        for name in ("times", "bodies", "headers", "refused_at"):
            del said[name]
        return web.json_response(said)

    async def _reset(self, request: web.Request) -> web.Response:
        self.reset()
        return web.json_response({})


def answer_to(prompt: str, words: int) -> str:
    """The text that this server answers a prompt with."""
    digest = hashlib.sha256(prompt.encode("utf-8", "replace")).hexdigest()
    return " ".join(digest[i % 60 : i % 60 + 4] for i in range(words))


def _x_key(request: web.Request) -> str:
    return str(request.headers.get("x-api-key", ""))


def _openai(body: Any, text: str, finish: str, prompt: int, used: int) -> dict[str, Any]:
    choice: dict[str, Any] = {"index": 0, "finish_reason": finish, "logprobs": None}
    if "prompt" in body:
        choice["text"] = text
    else:
        choice["message"] = {"role": "assistant", "content": text}
    if body.get("logprobs"):
        tokens = [{"token": word, "logprob": -0.5} for word in text.split()]
        choice["logprobs"] = {"content": tokens}
    usage = {"prompt_tokens": prompt, "completion_tokens": used, "total_tokens": prompt + used}
    return {"id": "x", "model": body["model"], "choices": [choice], "usage": usage}


def _anthropic(body: Any, text: str, finish: str, prompt: int, used: int) -> dict[str, Any]:
    return {
        "id": "x",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [{"type": "text", "text": text}],
        "stop_reason": {"stop": "end_turn", "length": "max_tokens"}[finish],
        "usage": {"input_tokens": prompt, "output_tokens": used},
    }


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    body = {"error": {"message": message, "type": "error", "code": None}}
    return web.json_response(body, status=status, headers=headers)


def _loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ModuleNotFoundError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8900)
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--burst429", metavar="AFTER:SECONDS")
    parser.add_argument("--retry-after", type=float, default=1.0)
    a = parser.parse_args()
    burst = tuple(float(x) for x in a.burst429.split(":")) if a.burst429 else None
    server = Misbehaving(
        a.port, latency=a.latency, slots=a.slots, burst=burst, retry_after=a.retry_after
    )
    loop = _loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(server.start())
    loop.run_forever()


if __name__ == "__main__":
    main()
