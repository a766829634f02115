"""The engine: it asks teachers as fast as they allow, pays once, and records before it answers.

One thread runs an event loop: it sends, and commits what comes back (`sending.py`). Another thread
hands answers on, so that whatever waits for one never holds up the sending.
"""

from __future__ import annotations

import asyncio
import itertools
import queue
import threading
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Self

from geurim.contract import Event, Progress, quiet
from geurim.errors import GeurimError, SettingError, TeacherFailed
from geurim.generators.text import embedded
from geurim.generators.text.budget import Budget, Ledger
from geurim.generators.text.lanes import Job, Lane, Usage, again, key_of, new_loop
from geurim.generators.text.record import Record
from geurim.generators.text.sending import Sender
from geurim.generators.text.teacher import Answer, Request, Teacher

__all__ = ["Session", "Usage"]

_EVENTS_PER_S = 5
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
        self._sender = Sender(teachers, Ledger(budget), self._deliver, self._give_up)
        self._lock = self._sender.lock
        self._progress = progress
        self._servers: list[Any] = []
        self._numbers = itertools.count()
        self._pending: dict[str, Future[Answer]] = {}
        self._shared = 0  # asked again while it was under way
        self._answers: queue.SimpleQueue[tuple[Job, Answer] | tuple[()] | None] = (
            queue.SimpleQueue()
        )
        self._rating = asyncio.Semaphore(embedded.SLOTS)
        self._told = 0.0
        self._done = 0
        self._replayed = 0
        self._recent: deque[tuple[float, int]] = deque(maxlen=50)

    # Opening and closing

    def __enter__(self) -> Self:
        keys = {name: key_of(t) for name, t in self.teachers.items()}  # before anything is opened
        if self._path is not None:
            self._record = self._sender.record = Record(self._path)
        try:
            urls = {name: self._serve(t) for name, t in self.teachers.items()}
            self._loop = self._sender.loop = new_loop()
            self._looping = threading.Thread(target=self._loop.run_forever, daemon=True)
            self._hander = threading.Thread(target=self._hand_on, daemon=True)
            self._looping.start()
            opening = asyncio.run_coroutine_threadsafe(self._sender.connect(urls, keys), self._loop)
            try:
                opening.result()
                self._loop.call_soon_threadsafe(self._loop.call_later, 1.0, self._tick)
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
        asyncio.run_coroutine_threadsafe(self._sender.disconnect(closed), self._loop).result()
        self._answers.put(None)
        self._hander.join()
        self._end_loop()
        with self._lock:
            left = list(self._pending.values())  # under way, or to be tried again later
            self._pending.clear()
        for future in left:
            if not future.done():
                future.set_exception(again(closed))
        self._servers.clear()  # an embedded server ends with its last reference
        if self._record is not None:
            self._record.close()

    def _serve(self, teacher: Teacher) -> str:
        if teacher.kind != "embedded":
            return teacher.url
        server, url = embedded.start(teacher)
        self._servers.append(server)
        return url

    def _tick(self) -> None:
        """So that somebody who watches sees that it lives while nothing is answered."""
        if self._sender.stopped is None:
            self._answers.put(_TICK)
            self._loop.call_later(1.0, self._tick)

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._looping.join()
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
            elif self._sender.stopped is None:
                self._pending[key] = future
                job = Job(request, future, (place, next(self._numbers)))
                wake = self._sender.put(lane, job)
        if answer is not None:
            future.set_result(answer)
            self._tell()
        elif self._sender.stopped is not None and key not in self._pending:
            future.set_exception(again(self._sender.stopped))
        elif wake:
            self._sender.wake()
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

    async def _rate(self, lane: Lane, text: str, given: str) -> float:
        base = lane.head.chat.removesuffix("/chat/completions")
        async with self._rating:  # the slots are kept busy, and not their queue
            return await embedded.logprob(lane.http, base, text, given)

    def _lane(self, teacher: str) -> Lane:
        lane = self._sender.lanes.get(teacher)
        if lane is None:
            raise SettingError(
                f"There is no teacher {teacher!r} in this session. There are: "
                f"{', '.join(sorted(self._sender.lanes)) or 'none before the session is entered'}."
            )
        return lane

    @property
    def stopped(self) -> GeurimError | None:
        """Why nothing more is asked: a refused key, a server that is gone. None while it asks."""
        return None if self._sender.stopped is None else again(self._sender.stopped)

    @property
    def usage(self) -> Usage:
        """What this run has used, over all teachers."""
        total = Usage(replayed=self._replayed + self._shared)
        for lane in self._sender.lanes.values():
            total += lane.usage
        return total

    def usage_of(self, teacher: str) -> Usage:
        """What one teacher was used for (replayed answers are counted for the run only)."""
        return self._sender.lanes[teacher].usage

    # What becomes of a job

    def _deliver(self, job: Job, answer: Answer) -> None:
        self._answers.put((job, answer))

    def _give_up(self, job: Job, error: Exception) -> None:
        with self._lock:
            future = self._pending.pop(job.request.key, None)
        if future is not None and not future.done():
            future.set_exception(error)

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
            self._loop.call_soon_threadsafe(self._sender.abort, problem)

    def _event(self, now: float) -> Event:
        self._recent.append((now, self._done))
        (then, before) = self._recent[0]
        rate = (self._done - before) / (now - then) if now > then else 0.0
        cost = self.usage.cost
        parts = [
            f"{rate:.1f}/s",
            "cost unknown" if cost is None else f"${cost:.2f}",
            f"{sum(lane.limiter.flight for lane in self._sender.lanes.values())} at once",
        ]
        if any(lane.limiter.cooling for lane in self._sender.lanes.values()):
            parts.append("waiting for a rate limit")
        done = self._done + self._replayed
        return Event(step="ask", done=done, unit="answers", note=", ".join(parts))
