"""The part of a session that lives in its event loop: it sends, and records what comes back.

A request is under way until its answer is committed, so that a kill at any moment loses at most
`max_concurrency` answers.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

from geurim.errors import DataError, GeurimError, TeacherFailed
from geurim.generators.text import wire
from geurim.generators.text.budget import Ledger, Worst
from geurim.generators.text.lanes import Job, Lane, again, http_of
from geurim.generators.text.limits import Limiter
from geurim.generators.text.record import Record, row
from geurim.generators.text.teacher import Answer, Teacher

_TEMPLATE_TOKENS = 64  # what a chat template adds at most, beside what stands in the body
_BACKOFF_S = 0.5
_BACKOFF_MAX_S = 30.0
_LOST_IN_A_ROW = 20  # requests given up one after the other: the server is gone, not unlucky


class Sender:
    """Sends jobs as fast as each teacher allows. All but `put` and `wake` runs in its loop.

    `deliver` is called with each job whose answer is recorded, `give_up` with each that has none.
    """

    def __init__(
        self,
        teachers: Mapping[str, Teacher],
        ledger: Ledger,
        deliver: Callable[[Job, Answer], None],
        give_up: Callable[[Job, Exception], None],
    ) -> None:
        self.teachers = teachers
        self.lanes: dict[str, Lane] = {}
        self.lock = threading.Lock()
        self.loop: asyncio.AbstractEventLoop
        self.record: Record | None = None
        self.stopped: GeurimError | None = None  # why nothing more is asked
        self._ledger = ledger
        self._deliver = deliver
        self._give_up = give_up
        self._inbox: deque[tuple[Lane, Job]] = deque()
        self._woken = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._found: list[tuple[Lane, Job, int, float, Answer, str]] = []  # to be committed
        self._jitter = random.Random()

    async def connect(self, urls: Mapping[str, str], keys: Mapping[str, str | None]) -> None:
        """Open a lane for each teacher."""
        for name, teacher in self.teachers.items():
            head = await wire.head(replace(teacher, url=urls[name]), keys[name])
            limiter = Limiter(teacher.max_concurrency)
            self.lanes[name] = Lane(name, teacher, limiter, head, http_of(teacher, head))

    async def disconnect(self, error: GeurimError) -> None:
        """Give up what is under way; what was answered is recorded."""
        self.abort(error)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._found:
            self._commit()
        for lane in self.lanes.values():
            await lane.http.close()

    def put(self, lane: Lane, job: Job) -> bool:
        """Take a job, under the lock; whether the loop has to be woken for it."""
        self._inbox.append((lane, job))
        wake, self._woken = not self._woken, True
        return wake

    def wake(self) -> None:
        """Have the loop look at what was put; from any thread."""
        self.loop.call_soon_threadsafe(self._accept)

    def _accept(self) -> None:
        with self.lock:
            self._woken = False
            arrived = list(self._inbox)
            self._inbox.clear()
        lanes = []
        for lane, job in arrived:
            if self.stopped is not None:
                self._fail(lane, job, again(self.stopped))
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

    def _prepare(self, lane: Lane, job: Job) -> None:
        teacher, request = lane.teacher, job.request
        job.body = wire.body(teacher, request, lane.refused)
        # A token is at least a byte of what was sent, so the body bounds the prompt.
        prompt = len(job.body) + _TEMPLATE_TOKENS
        most = wire.most_tokens(teacher, request)
        job.worst = Worst(tokens=prompt + most, usd=teacher.cost(prompt, most))

    def _pump(self, lane: Lane) -> None:
        """Send what may be sent now."""
        now = self.loop.time()
        while lane.jobs and self.stopped is None:
            wait = lane.limiter.wait(now)
            if wait > 0:
                if wait < math.inf and lane.timer is None:
                    lane.timer = self.loop.call_later(wait, self._pump_later, lane)
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
            task = self.loop.create_task(self._try(lane, job, epoch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _pump_later(self, lane: Lane) -> None:
        lane.timer = None
        self._pump(lane)

    def _pump_all(self) -> None:
        for lane in self.lanes.values():
            self._pump(lane)

    async def _try(self, lane: Lane, job: Job, epoch: int) -> None:
        started = self.loop.time()
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
        now = self.loop.time()
        if found is not None:
            if not self._found:  # after all that arrived in this turn of the loop
                self.loop.call_soon(self._commit)
            self._found.append((lane, job, epoch, now - started, *found))
        elif trouble is not None:
            self._troubled(lane, job, epoch, trouble)
            self._pump_all()

    def _lost(self, lane: Lane, error: Exception) -> wire.Trouble:
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
            if self.record is not None:
                self.record.put([row(j.request, a, t.name, m) for t, j, _, _, a, m in found])
        except Exception as error:
            problem = DataError(
                f"Answers could not be recorded: {error}. Make room where the record is, and "
                f"start again."
            )
            self.abort(problem)
            for lane, job, epoch, took_s, answer, _ in found:
                self._settle(lane, job, epoch, took_s, answer)
                self._fail(lane, job, again(problem))
            return
        for lane, job, epoch, took_s, answer, _ in found:
            self._settle(lane, job, epoch, took_s, answer)
            self._deliver(job, answer)
        self._pump_all()  # a budget may have room again, for any teacher

    def _settle(self, lane: Lane, job: Job, epoch: int, took_s: float, answer: Answer) -> None:
        lane.limiter.answered(self.loop.time(), epoch, took_s)
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

    def _troubled(self, lane: Lane, job: Job, epoch: int, trouble: wire.Trouble) -> None:
        now = self.loop.time()
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
                self.loop.call_later(self._backoff(job.tries), self._again, lane, job)
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
            self.abort(error)
        elif lane.lost >= _LOST_IN_A_ROW:
            self.abort(TeacherFailed(f"{lane.lost} requests in a row were lost. {error}"))
        self._fail(lane, job, error)

    def _put_otherwise(self, lane: Lane, job: Job, trouble: wire.Trouble) -> bool:
        """Whether the request goes out again in a form that this server may take."""
        before = job.body
        wire.adapt(job.request, trouble, lane.refused)
        self._prepare(lane, job)
        if job.body == before:
            return False
        lane.add(job)
        return True

    def _refused(self, lane: Lane, job: Job, epoch: int, trouble: wire.Trouble, now: float) -> None:
        self._ledger.release(job.worst)
        lane.limiter.refused(now, epoch, trouble.retry_after_s)
        lane.count(refused=1)
        lane.add(job)
        since = lane.limiter.refusing_since
        if since is not None and now - since > lane.teacher.patience_s:
            self.abort(
                TeacherFailed(
                    f"The teacher {lane.teacher.model!r} at {lane.teacher.shown} has refused "
                    f"everything for {now - since:,.0f} s: {lane.head.clean(trouble.said)}. Start "
                    f"again later: what was answered is in the record."
                )
            )

    def _backoff(self, tries: int) -> float:
        most: float = min(_BACKOFF_MAX_S, _BACKOFF_S * 2 ** (tries - 1))
        return most * self._jitter.uniform(0.5, 1.0)  # so that they do not come back together

    def _again(self, lane: Lane, job: Job) -> None:
        if self.stopped is not None:
            self._fail(lane, job, again(self.stopped))
            return
        lane.add(job)
        self._pump(lane)

    def _fail(self, lane: Lane, job: Job, error: Exception) -> None:
        lane.count(failed=1)
        self._give_up(job, error)

    def abort(self, error: GeurimError) -> None:
        """Nothing more is asked. What waits fails; what is under way is given up."""
        with self.lock:
            first, self.stopped = self.stopped is None, self.stopped or error
        if not first:
            return
        for lane in self.lanes.values():
            waiting = [job for _, job in lane.jobs]
            lane.jobs.clear()
            for job in waiting:
                self._fail(lane, job, again(error))
        self._accept()
