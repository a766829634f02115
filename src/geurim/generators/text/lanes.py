"""What a session keeps of each teacher: its connection, what waits for it, what it was used for."""

from __future__ import annotations

import asyncio
import heapq
import os
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

from geurim.errors import GeurimError, MissingExtra, SettingError
from geurim.generators.text import wire
from geurim.generators.text.budget import Worst
from geurim.generators.text.limits import Limiter
from geurim.generators.text.teacher import Answer, Request, Teacher


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What one run has used. Replayed answers cost nothing and count only as such."""

    requests: int = 0  # answered by a server in this run
    prompt_tokens: int = 0
    completion_tokens: int = 0
    unreported: int = 0  # answers whose server named no tokens: then the cost is unknown
    replayed: int = 0  # answered from the record
    refused: int = 0  # rate limits: tried again, never lost
    retried: int = 0  # tries that failed and were made again
    failed: int = 0  # requests given up
    truncated: int = 0  # answers cut by the token limit
    cost: float | None = 0.0  # USD; None where a price or the tokens are unknown

    def __add__(self, other: Usage) -> Usage:
        costs = (self.cost, other.cost)
        names = [n for n in vars(self) if n != "cost"]
        return Usage(
            **{n: getattr(self, n) + getattr(other, n) for n in names},
            cost=None if costs[0] is None or costs[1] is None else costs[0] + costs[1],
        )


@dataclass(eq=False)
class Job:
    request: Request
    future: Future[Answer]
    place: tuple[int, int]  # the lowest is sent first
    body: bytes = b""
    worst: Worst = field(default_factory=lambda: Worst(tokens=0, usd=None))
    tries: int = 0


@dataclass(eq=False)
class Lane:
    """One teacher: its connection, what waits for it, and its limits."""

    name: str
    teacher: Teacher
    limiter: Limiter
    head: wire.Head
    http: Any
    jobs: list[tuple[tuple[int, int], Job]] = field(default_factory=list)  # a heap
    refused: set[str] = field(default_factory=set)  # what the server does not take
    timer: asyncio.TimerHandle | None = None
    met: bool = False  # the server has said something
    lost: int = 0  # requests given up in a row
    usage: Usage = Usage()

    def add(self, job: Job) -> None:
        heapq.heappush(self.jobs, (job.place, job))

    def count(self, **more: int) -> None:
        self.usage = replace(
            self.usage, **{name: getattr(self.usage, name) + n for name, n in more.items()}
        )


def key_of(teacher: Teacher) -> str | None:
    """The teacher's key from the environment; SettingError where the variable is not set."""
    if teacher.key_env is None:
        return None
    key = os.environ.get(teacher.key_env, "").strip()
    if not key:
        raise SettingError(
            f"The teacher {teacher.model!r} at {teacher.shown} needs a key, but the environment "
            f"variable {teacher.key_env} is not set. Set it to the key."
        )
    return key


def new_loop() -> asyncio.AbstractEventLoop:
    """The fastest event loop that is installed."""
    try:
        import uvloop
    except ModuleNotFoundError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def http_of(teacher: Teacher, head: wire.Head) -> Any:
    """A client whose only limits are ours. MissingExtra where aiohttp is not installed."""
    try:
        import aiohttp
    except ModuleNotFoundError:
        raise MissingExtra("Asking a teacher model", "text") from None
    import urllib.request

    proxied = teacher.kind != "embedded" and bool(urllib.request.getproxies())
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=teacher.timeout_s),
        headers=dict(head.headers),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=proxied,
        requote_redirect_url=False,
    )


def again(error: GeurimError) -> GeurimError:
    """The same error for another waiter: one object raised in two threads mixes its traces."""
    return type(error)(*error.args)
