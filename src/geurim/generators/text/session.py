"""The engine: it asks teachers as fast as they allow, pays once, and records before it answers.

One thread runs an event loop: it sends, and commits what comes back. A request is under way until
its answer is committed, so that a kill at any moment loses at most `max_concurrency` answers.
Another thread hands answers on, so that whatever waits for one never holds up the sending.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import os
import queue
import random
import threading
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from geurim.contract import Event, Progress, quiet
from geurim.errors import DataError, GeurimError, MissingExtra, SettingError, TeacherFailed
from geurim.generators.text import embedded, wire
from geurim.generators.text.budget import Budget, Ledger, Worst
from geurim.generators.text.limits import Limiter
from geurim.generators.text.record import Record, row
from geurim.generators.text.teacher import Answer, Request, Teacher

_TEMPLATE_TOKENS = 64  # what a chat template adds at most, beside what stands in the body
_BACKOFF_S = 0.5
_BACKOFF_MAX_S = 30.0
_LOST_IN_A_ROW = 20  # requests given up one after the other: the server is gone, not unlucky
_EVENTS_PER_S = 5


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
class _Job:
    request: Request
    future: Future[Answer]
    place: tuple[int, int]  # the lowest is sent first
    body: bytes = b""
    worst: Worst = field(default_factory=lambda: Worst(tokens=0, usd=None))
    tries: int = 0


@dataclass(eq=False)
class _Lane:
    """One teacher: its connection, what waits for it, and its limits."""

    name: str
    teacher: Teacher
    limiter: Limiter
    head: wire.Head
    http: Any
    jobs: list[tuple[tuple[int, int], _Job]] = field(default_factory=list)  # a heap
    refused: set[str] = field(default_factory=set)  # what the server does not take
    timer: asyncio.TimerHandle | None = None
    met: bool = False  # the server has said something
    lost: int = 0  # requests given up in a row
    usage: Usage = Usage()

    def add(self, job: _Job) -> None:
        heapq.heappush(self.jobs, (job.place, job))

    def count(self, **more: int) -> None:
        self.usage = replace(
            self.usage, **{name: getattr(self.usage, name) + n for name, n in more.items()}
        )


_TICK = ()  # nobody to hand to: only time to tell of the progress


class Session:
    """Asks teachers, within a budget, with a record of what they answered.

    Use it as a context manager. `ask` may be called from any thread. Without `record` nothing is
    kept and every answer is paid for. `progress` hears of answers at most five times a second.
    """

    def __init__(
        self,
        teachers: Mapping[str, Teacher] | Teacher,
        record: Path | str | None = None,
        budget: Budget = Budget(),  # noqa: B008 -- frozen
        progress: Progress = quiet,
    ) -> None:
        teachers = {"default": teachers} if isinstance(teachers, Teacher) else dict(teachers)
        for name, teacher in teachers.items():
            if budget.usd is not None and not teacher.priced:
                raise SettingError(
                    f"A budget of {budget.usd:g} USD, but the price of {teacher.model!r} "
                    f"(teacher {name!r}) is unknown. Give input_usd and output_usd (USD per "
                    f"million tokens; 0 for a server of your own), or a budget in requests or "
                    f"tokens."
                )
        self.teachers = teachers
        self._path = None if record is None else Path(record)
        self._record: Record | None = None
        self._ledger = Ledger(budget)
        self._progress = progress
        self._lanes: dict[str, _Lane] = {}
        self._servers: list[Any] = []
        self._inbox: deque[tuple[_Lane, _Job]] = deque()
        self._numbers = itertools.count()
        self._woken = False
        self._pending: dict[str, Future[Answer]] = {}
        self._shared = 0  # asked again while it was under way
        self._lock = threading.Lock()
        self._stop: GeurimError | None = None  # why nothing more is asked
        self._tasks: set[asyncio.Task[None]] = set()
        self._found: list[tuple[_Lane, _Job, int, float, Answer, str]] = []  # to be committed
        self._answers: queue.SimpleQueue[tuple[_Job, Answer] | tuple[()] | None] = (
            queue.SimpleQueue()
        )
        self._jitter = random.Random()
        self._rating = asyncio.Semaphore(embedded.SLOTS)
        self._told = 0.0
        self._done = 0
        self._replayed = 0
        self._recent: deque[tuple[float, int]] = deque(maxlen=50)

    # Opening and closing

    def __enter__(self) -> Self:
        keys = {name: _key(t) for name, t in self.teachers.items()}  # before anything is opened
        if self._path is not None:
            self._record = Record(self._path)
        try:
            urls = {name: self._serve(t) for name, t in self.teachers.items()}
            self._loop = _new_loop()
            self._sender = threading.Thread(target=self._loop.run_forever, daemon=True)
            self._hander = threading.Thread(target=self._hand_on, daemon=True)
            self._sender.start()
            opening = asyncio.run_coroutine_threadsafe(self._connect(urls, keys), self._loop)
            try:
                opening.result()
            except BaseException:
                self._end_loop()
                raise
        except BaseException:
            self._servers.clear()
            if self._record is not None:
                self._record.close()
            raise
        self._hander.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop. What is under way is given up; what was answered is in the record."""
        closed = TeacherFailed("The session was closed before this request was answered.")
        asyncio.run_coroutine_threadsafe(self._disconnect(closed), self._loop).result()
        self._answers.put(None)
        self._hander.join()
        self._end_loop()
        with self._lock:
            left = list(self._pending.values())  # under way, or to be tried again later
            self._pending.clear()
        for future in left:
            if not future.done():
                future.set_exception(_again(closed))
        self._servers.clear()  # an embedded server ends with its last reference
        if self._record is not None:
            self._record.close()

    def _serve(self, teacher: Teacher) -> str:
        if teacher.kind != "embedded":
            return teacher.url
        server, url = embedded.start(teacher)
        self._servers.append(server)
        return url

    async def _connect(self, urls: Mapping[str, str], keys: Mapping[str, str | None]) -> None:
        for name, teacher in self.teachers.items():
            head = await wire.head(replace(teacher, url=urls[name]), keys[name])
            limiter = Limiter(teacher.max_concurrency)
            http = _http(teacher, head)
            self._lanes[name] = _Lane(name, teacher, limiter, head, http)
        self._loop.call_later(1.0, self._tick)

    def _tick(self) -> None:
        """So that somebody who watches sees that it lives while nothing is answered."""
        if self._stop is None:
            self._answers.put(_TICK)
            self._loop.call_later(1.0, self._tick)

    async def _disconnect(self, error: GeurimError) -> None:
        self._abort(error)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._found:
            self._commit()
        for lane in self._lanes.values():
            await lane.http.close()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._sender.join()
        self._loop.close()

    # Asking

    def ask(self, request: Request, teacher: str = "default", *, place: int = 0) -> Future[Answer]:
        """The answer, in time. Its future fails with TeacherFailed where there is none, with
        BudgetExceeded where the budget does not allow to ask. A request that is recorded, or under
        way already, is not sent again. Of those that wait, the lowest `place` is sent first: a row
        that was begun is finished before another is."""
        lane = self._lane(teacher)
        key = request.key
        with self._lock:
            if (known := self._pending.get(key)) is not None:
                self._shared += 1
                return known
            future: Future[Answer] = Future()
            future.set_running_or_notify_cancel()  # it is sent, and paid for, whoever waits
            answer = self._record.get(key) if self._record is not None else None
            if answer is not None:
                self._replayed += 1
            elif self._stop is None:
                self._pending[key] = future
                self._inbox.append((lane, _Job(request, future, (place, next(self._numbers)))))
                wake, self._woken = not self._woken, True
        if answer is not None:
            future.set_result(answer)
            self._tell()
        elif self._stop is not None and key not in self._pending:
            future.set_exception(_again(self._stop))
        elif wake:
            self._loop.call_soon_threadsafe(self._accept)
        return future

    def logprob(self, text: str, given: str = "", teacher: str = "default") -> Future[float]:
        """The mean log-probability (nats a token) that an embedded model gives `text` after
        `given`: nearer to 0 is likelier. It is computed here, costs nothing and is not recorded.
        """
        lane = self._lane(teacher)
        if lane.teacher.kind != "embedded":
            raise SettingError(
                f"The teacher {teacher!r} is a server, and most servers do not tell how likely a "
                f"given text is. Use an embedded model: Teacher.embedded()."
            )
        return asyncio.run_coroutine_threadsafe(self._rate(lane, text, given), self._loop)

    async def _rate(self, lane: _Lane, text: str, given: str) -> float:
        base = lane.head.chat.removesuffix("/chat/completions")
        async with self._rating:  # the slots are kept busy, and not their queue
            return await embedded.logprob(lane.http, base, text, given)

    def _lane(self, teacher: str) -> _Lane:
        lane = self._lanes.get(teacher)
        if lane is None:
            raise SettingError(
                f"There is no teacher {teacher!r} in this session. There are: "
                f"{', '.join(sorted(self._lanes)) or 'none before the session is entered'}."
            )
        return lane

    @property
    def stopped(self) -> GeurimError | None:
        """Why nothing more is asked: a refused key, a server that is gone. None while it asks."""
        return None if self._stop is None else _again(self._stop)

    @property
    def usage(self) -> Usage:
        """What this run has used, over all teachers."""
        total = Usage(replayed=self._replayed + self._shared)
        for lane in self._lanes.values():
            total += lane.usage
        return total

    def usage_of(self, teacher: str) -> Usage:
        """What one teacher was used for (replayed answers are counted for the run only)."""
        return self._lanes[teacher].usage

    # In the event loop

    def _accept(self) -> None:
        with self._lock:
            self._woken = False
            arrived = list(self._inbox)
            self._inbox.clear()
        lanes = []
        for lane, job in arrived:
            if self._stop is not None:
                self._fail(lane, job, _again(self._stop))
                continue
            try:
                self._prepare(lane, job)
            except Exception as error:
                self._fail(lane, job, error)
                continue
            lane.add(job)
            if lane not in lanes:
                lanes.append(lane)
        for lane in lanes:
            self._pump(lane)

    def _prepare(self, lane: _Lane, job: _Job) -> None:
        teacher, request = lane.teacher, job.request
        job.body = wire.body(teacher, request, lane.refused)
        # A token is at least a byte of what was sent, so the body bounds the prompt.
        prompt = len(job.body) + _TEMPLATE_TOKENS
        most = wire.most_tokens(teacher, request)
        job.worst = Worst(tokens=prompt + most, usd=teacher.cost(prompt, most))

    def _pump(self, lane: _Lane) -> None:
        """Send what may be sent now."""
        now = self._loop.time()
        while lane.jobs and self._stop is None:
            wait = lane.limiter.wait(now)
            if wait > 0:
                if wait < math.inf and lane.timer is None:
                    lane.timer = self._loop.call_later(wait, self._pump_later, lane)
                return
            job = lane.jobs[0][1]
            if not self._ledger.fits(job.worst):
                if self._ledger.open:
                    return  # what is under way may turn out to need less than its worst case
                heapq.heappop(lane.jobs)
                self._fail(lane, job, self._ledger.exceeded(job.worst))
                continue
            heapq.heappop(lane.jobs)
            self._ledger.reserve(job.worst)
            epoch = lane.limiter.sent(now)
            task = self._loop.create_task(self._try(lane, job, epoch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _pump_later(self, lane: _Lane) -> None:
        lane.timer = None
        self._pump(lane)

    def _pump_all(self) -> None:
        for lane in self._lanes.values():
            self._pump(lane)

    async def _try(self, lane: _Lane, job: _Job, epoch: int) -> None:
        started = self._loop.time()
        trouble: wire.Trouble | None = None
        found: tuple[Answer, str] | None = None
        try:
            url = lane.head.raw if job.request.raw else lane.head.chat
            async with lane.http.post(url, data=job.body) as response:
                data = await response.read()
            lane.met = True
            if response.status == 200:
                found = wire.read(lane.teacher, job.request, data)
            else:
                trouble = wire.judge(response.status, response.headers, data, time.time())
        except asyncio.CancelledError:
            lane.limiter.dropped()
            self._ledger.settle(job.worst, None, None)
            raise
        except wire.Unreadable as error:
            trouble = wire.Trouble(what="retry", said=f"the answer cannot be read: {error}")
        except Exception as error:
            trouble = self._lost(lane, error)
        now = self._loop.time()
        if found is not None:
            if not self._found:  # after all that arrived in this turn of the loop
                self._loop.call_soon(self._commit)
            self._found.append((lane, job, epoch, now - started, *found))
        elif trouble is not None:
            self._troubled(lane, job, epoch, trouble)
            self._pump_all()

    def _lost(self, lane: _Lane, error: Exception) -> wire.Trouble:
        import aiohttp

        if isinstance(error, asyncio.TimeoutError):
            said = f"no answer within {lane.teacher.timeout_s:g} s"
            return wire.Trouble(what="retry", said=said, slow=True)
        said = f"{type(error).__name__}: {error}".rstrip(": ")
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.InvalidURL) and not lane.met:
            return wire.Trouble(what="abort", said=f"it cannot be reached ({said})")
        if isinstance(error, aiohttp.ClientError | OSError):
            return wire.Trouble(what="retry", said=f"the connection was lost ({said})")
        return wire.Trouble(what="abort", said=said)

    def _commit(self) -> None:
        """Record the answers that came since the last time, in one transaction."""
        found, self._found = self._found, []
        if not found:
            return
        try:
            if self._record is not None:
                self._record.put([row(j.request, a, t.name, m) for t, j, _, _, a, m in found])
        except Exception as error:
            problem = DataError(
                f"Answers could not be recorded: {error}. Make room where the record is, and "
                f"start again."
            )
            self._abort(problem)
            for lane, job, epoch, took_s, answer, _ in found:
                self._settle(lane, job, epoch, took_s, answer)
                self._fail(lane, job, _again(problem))
            return
        for lane, job, epoch, took_s, answer, _ in found:
            self._settle(lane, job, epoch, took_s, answer)
            self._answers.put((job, answer))
        self._pump_all()  # a budget may have room again, for any teacher

    def _settle(self, lane: _Lane, job: _Job, epoch: int, took_s: float, answer: Answer) -> None:
        lane.limiter.answered(self._loop.time(), epoch, took_s)
        lane.lost = 0
        prompt, completion = answer.prompt_tokens, answer.completion_tokens
        known = prompt is not None and completion is not None
        tokens = (prompt or 0) + (completion or 0)
        cost = lane.teacher.cost(prompt or 0, completion or 0) if known else None
        self._ledger.settle(job.worst, tokens if known else None, cost)
        u = lane.usage
        lane.usage = replace(
            u,
            requests=u.requests + 1,
            prompt_tokens=u.prompt_tokens + (prompt or 0),
            completion_tokens=u.completion_tokens + (completion or 0),
            unreported=u.unreported + (not known),
            truncated=u.truncated + answer.truncated,
            cost=None if u.cost is None or cost is None else u.cost + cost,
        )

    def _troubled(self, lane: _Lane, job: _Job, epoch: int, trouble: wire.Trouble) -> None:
        now = self._loop.time()
        if trouble.what == "refused":
            self._refused(lane, job, epoch, trouble, now)
            return
        lane.limiter.failed(now, epoch, slow=trouble.slow)
        said = lane.head.clean(trouble.said)
        who = f"The teacher {lane.teacher.model!r} at {lane.teacher.shown}"
        if trouble.what == "retry":
            # Nobody knows whether it was worked on: then it was.
            self._ledger.settle(job.worst, None, None)
            job.tries += 1
            if job.tries < lane.teacher.tries:
                lane.count(retried=1)
                self._loop.call_later(self._backoff(job.tries), self._again, lane, job)
                return
            error = TeacherFailed(
                f"{who} gave no answer in {job.tries} tries; at last: {said}. Start again later: "
                f"what was answered is in the record."
            )
        else:
            self._ledger.release(job.worst)
            if trouble.what == "bad" and self._put_otherwise(lane, job, trouble):
                return
            advice = wire.advice(lane.teacher, trouble)
            error = TeacherFailed(f"{who} refuses the request: {said.rstrip('.')}. {advice}")
        lane.lost += 1
        if trouble.what == "abort":
            self._abort(error)
        elif lane.lost >= _LOST_IN_A_ROW:
            self._abort(TeacherFailed(f"{lane.lost} requests in a row were lost. {error}"))
        self._fail(lane, job, error)

    def _put_otherwise(self, lane: _Lane, job: _Job, trouble: wire.Trouble) -> bool:
        """Whether the request goes out again in a form that this server may take."""
        before = job.body
        wire.adapt(job.request, trouble, lane.refused)
        self._prepare(lane, job)
        if job.body == before:
            return False
        lane.add(job)
        return True

    def _refused(
        self, lane: _Lane, job: _Job, epoch: int, trouble: wire.Trouble, now: float
    ) -> None:
        self._ledger.release(job.worst)
        lane.limiter.refused(now, epoch, trouble.retry_after_s)
        lane.count(refused=1)
        lane.add(job)
        since = lane.limiter.refusing_since
        if since is not None and now - since > lane.teacher.patience_s:
            self._abort(
                TeacherFailed(
                    f"The teacher {lane.teacher.model!r} at {lane.teacher.shown} has refused "
                    f"everything for {now - since:,.0f} s: {lane.head.clean(trouble.said)}. Start "
                    f"again later: what was answered is in the record."
                )
            )

    def _backoff(self, tries: int) -> float:
        most: float = min(_BACKOFF_MAX_S, _BACKOFF_S * 2 ** (tries - 1))
        return most * self._jitter.uniform(0.5, 1.0)  # so that they do not come back together

    def _again(self, lane: _Lane, job: _Job) -> None:
        if self._stop is not None:
            self._fail(lane, job, _again(self._stop))
            return
        lane.add(job)
        self._pump(lane)

    def _fail(self, lane: _Lane, job: _Job, error: Exception) -> None:
        lane.count(failed=1)
        with self._lock:
            future = self._pending.pop(job.request.key, None)
        if future is not None and not future.done():
            future.set_exception(error)

    def _abort(self, error: GeurimError) -> None:
        """Nothing more is asked. What waits fails; what is under way is given up."""
        with self._lock:
            first, self._stop = self._stop is None, self._stop or error
        if not first:
            return
        for lane in self._lanes.values():
            waiting = [job for _, job in lane.jobs]
            lane.jobs.clear()
            for job in waiting:
                self._fail(lane, job, _again(error))
        self._accept()

    # In the thread that hands on

    def _hand_on(self) -> None:
        """Give committed answers to those who wait for them."""
        while True:
            entry = self._answers.get()
            if entry:
                job, answer = entry
                with self._lock:
                    future = self._pending.pop(job.request.key, None)
                if future is not None and not future.done():
                    future.set_result(answer)
                self._done += 1
            self._tell(last=entry is None)
            if entry is None:
                return

    def _tell(self, last: bool = False) -> None:
        """Progress, a few times a second."""
        now = time.monotonic()
        if now - self._told < 1 / _EVENTS_PER_S and not last:
            return
        self._told = now
        try:
            self._progress(self._event(now))
        except Exception as error:  # it may want the run to end, and nobody else would hear of it
            problem = GeurimError(f"The listener of the progress failed: {error!r}. Mend it.")
            self._loop.call_soon_threadsafe(self._abort, problem)

    def _event(self, now: float) -> Event:
        self._recent.append((now, self._done))
        (then, before) = self._recent[0]
        rate = (self._done - before) / (now - then) if now > then else 0.0
        cost = self.usage.cost
        parts = [
            f"{rate:.1f}/s",
            "cost unknown" if cost is None else f"${cost:.2f}",
            f"{sum(lane.limiter.flight for lane in self._lanes.values())} at once",
        ]
        if any(lane.limiter.cooling for lane in self._lanes.values()):
            parts.append("waiting for a rate limit")
        done = self._done + self._replayed
        return Event(step="ask", done=done, unit="answers", note=", ".join(parts))


def _key(teacher: Teacher) -> str | None:
    if teacher.key_env is None:
        return None
    key = os.environ.get(teacher.key_env, "").strip()
    if not key:
        raise SettingError(
            f"The teacher {teacher.model!r} at {teacher.shown} needs a key, but the environment "
            f"variable {teacher.key_env} is not set. Set it to the key."
        )
    return key


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ModuleNotFoundError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _http(teacher: Teacher, head: wire.Head) -> Any:
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


def _again(error: GeurimError) -> GeurimError:
    """The same error for another waiter: one object raised in two threads mixes its traces."""
    return type(error)(*error.args)
