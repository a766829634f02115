"""How many requests a server is given at once: found by trying, halved by a refusal.

A quick start doubles the number in flight each round trip while that brings more answers a second;
after it the number grows slowly and a refusal halves it (additive increase, multiplicative
decrease: Chiu & Jain 1989; the start as in TCP, RFC 5681). After a refusal nothing is sent until
the time the server asked for has passed, then ONE request tries whether it answers again.

Requests are also paced: when many answers come at the same moment, their successors leave a few at
a time, so that a server that starts to refuse has refused a few and not all of them.

Nothing here waits or reads a clock: the time in seconds is an argument.
"""

from __future__ import annotations

import math

START = 32  # requests at once, before anything is known
_BURST = 8.0  # requests that may leave at the same moment
_QUICK_BURST = 32.0  # in the quick start, where each round trip counts
_COOL_S = 1.0  # the first pause where the server names none
_COOL_MAX_S = 60.0
_GAIN = 1.25  # a doubling that brings less than this was the last one
_QUEUEING = 2.0  # an answer that takes this many times the shortest round stood in a queue


class Limiter:
    """The state of one teacher's concurrency. Used by one thread."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = float(min(START, most))
        self.flight = 0
        self.refusals = 0
        self.refusing_since: float | None = None  # None: the last thing heard was an answer
        self.epoch = 0  # counts decreases: what was sent before one is not held against the next
        self._quick = True
        self._resume: float | None = None  # not None: cooling down, and the limit to go on with
        self._until = 0.0
        self._probing = False
        self._streak = 0  # probes refused in a row
        self._allowance = _BURST
        self._paced_at = 0.0
        self._latency: float | None = None  # s, moving average
        self._base: float | None = None  # s, the shortest round's mean
        self._rate = 0.0  # answers/s of the round before the last doubling
        self._round_start: float | None = None
        self._round_answers = 0
        self._round_latency = 0.0
        self._held = False  # whether the limit held something back in this round

    @property
    def cooling(self) -> bool:
        return self._resume is not None

    def wait(self, now: float) -> float:
        """Seconds until one more may be sent: 0 at once, infinity after the next answer."""
        if self.cooling:
            if now < self._until:
                return self._until - now
            return math.inf if self._probing else 0.0
        if self.flight >= int(self.limit):
            self._held = True
            return math.inf
        if self._latency is None:
            return 0.0
        # Twice what the limit can bring; more while it is about to double.
        quicker, burst = (2, _QUICK_BURST) if self._quick else (1, _BURST)
        pace = quicker * 2 * self.limit / max(self._latency, 1e-3)
        self._allowance = min(burst, self._allowance + (now - self._paced_at) * pace)
        self._paced_at = now
        return 0.0 if self._allowance >= 1 else (1 - self._allowance) / pace

    def sent(self, now: float) -> int:
        """One more is under way; the number goes back with its outcome."""
        self.flight += 1
        self._allowance = max(0.0, self._allowance - 1)
        self._probing = self.cooling
        if self._round_start is None:
            self._round_start = now
        return self.epoch

    def answered(self, now: float, epoch: int, took_s: float) -> None:
        self.flight -= 1
        self.refusing_since = None
        self._latency = took_s if self._latency is None else 0.9 * self._latency + 0.1 * took_s
        if self.cooling:
            if epoch == self.epoch and self._probing:  # the probe: go on at half
                self.limit, self._resume, self._probing = self._resume or 1.0, None, False
                self._streak = 0
                self._new_round(now)
            return
        self._round_answers += 1
        self._round_latency += took_s
        if self._round_answers >= self.limit:
            self._end_round(now)

    def refused(self, now: float, epoch: int, retry_after_s: float | None) -> None:
        """The server said: too many. That is no failure of the request."""
        self.flight -= 1
        self.refusals += 1
        self.refusing_since = now if self.refusing_since is None else self.refusing_since
        if epoch != self.epoch:  # sent before the pause began
            if self.cooling and retry_after_s is not None:
                self._until = max(self._until, now + retry_after_s)
            return
        if self.cooling:
            self._streak += 1
        else:
            self._resume = max(1.0, self.limit / 2)
        self._pause(now, retry_after_s)

    def failed(self, now: float, epoch: int, *, slow: bool) -> None:
        """An error, a lost connection or (slow) no answer in time: a server that drowns is slow."""
        self.flight -= 1
        if epoch != self.epoch:
            return
        if self.cooling:
            self._streak += 1
            self._pause(now, None)
        elif slow:
            self.epoch += 1
            self._quick = False
            self.limit = max(1.0, self.limit / 2)
            self._new_round(now)

    def dropped(self) -> None:
        """The request never got an outcome (the session ends)."""
        self.flight -= 1
        self._probing = False

    def _pause(self, now: float, retry_after_s: float | None) -> None:
        self.epoch += 1
        self._quick = False
        self._probing = False
        if retry_after_s is None:
            pause = _COOL_S * 2**self._streak
        else:  # a server that goes on refusing is asked less and less often
            pause = max(retry_after_s, 0.1 * 2**self._streak)
        self._until = now + min(pause, max(_COOL_MAX_S, retry_after_s or 0.0))

    def _end_round(self, now: float) -> None:
        elapsed = now - (self._round_start or now)
        mean = self._round_latency / self._round_answers
        self._base = mean if self._base is None else min(self._base, mean)
        if self._held and elapsed > 0:  # without demand nothing was tried
            rate = self._round_answers / elapsed
            if self._quick:
                self._double(rate)
            elif mean < _QUEUEING * self._base:
                self.limit += max(1.0, 0.05 * self.limit)
            self.limit = min(self.limit, float(self.most))
        self._new_round(now)

    def _double(self, rate: float) -> None:
        if rate < _GAIN * self._rate:
            self._quick = False
            self.limit *= 0.75  # half of the way back
        else:
            self._rate = rate
            self.limit *= 2
            self._quick = self.limit < self.most

    def _new_round(self, now: float) -> None:
        self._round_start = now
        self._round_answers = 0
        self._round_latency = 0.0
        self._held = False
