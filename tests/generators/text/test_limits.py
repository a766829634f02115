"""The limiter against a simulated server: no clock, so every second is exact."""

import heapq
import math

import pytest

from geurim.generators.text.limits import START, Limiter


class Simulated:
    """A server of `slots` places that takes `latency` s each, and a client that always has more."""

    def __init__(self, limiter: Limiter, slots: int = 64, latency: float = 0.2) -> None:
        self.limiter, self.slots, self.latency = limiter, slots, latency
        self.now = 0.0
        self.free = [0.0] * slots  # when each place is free again
        self.events: list[tuple[float, int, str, float, int]] = []
        self.count = self.answered = self.refused = 0
        self.refuse = (math.inf, math.inf)  # s, s
        self.retry_after: float | None = 1.0
        self.most = 0

    def run(self, until: float) -> None:
        while True:
            wait = self.limiter.wait(self.now)
            if wait == 0:
                self._send()
                continue
            ahead = self.events[0][0] if self.events else math.inf
            ahead = min(ahead, self.now + max(wait, 1e-4))
            if ahead > until:
                self.now = until
                return
            self.now = ahead
            while self.events and self.events[0][0] <= self.now:
                at, _, kind, sent, epoch = heapq.heappop(self.events)
                if kind == "answer":
                    self.answered += 1
                    self.limiter.answered(at, epoch, at - sent)
                else:
                    self.refused += 1
                    self.limiter.refused(at, epoch, self.retry_after)

    def _send(self) -> None:
        epoch = self.limiter.sent(self.now)
        self.count += 1
        self.most = max(self.most, self.limiter.flight)
        kind, at = "refusal", self.now + 0.002
        if not self.refuse[0] <= self.now < self.refuse[1]:
            place = heapq.heappop(self.free)
            at = max(place, self.now) + self.latency
            heapq.heappush(self.free, at)
            kind = "answer"
        heapq.heappush(self.events, (at, self.count, kind, self.now, epoch))


def test_a_server_is_kept_busy_and_not_flooded() -> None:
    limiter = Limiter(256)
    server = Simulated(limiter)
    server.run(5)
    before = server.answered
    server.run(25)
    assert server.answered - before >= 0.99 * 20 * 64 / 0.2
    assert 64 <= limiter.limit <= 150  # twice the places would only wait


def test_quick_start_loses_little() -> None:
    server = Simulated(Limiter(256))
    server.run(2)
    assert server.answered >= 0.75 * 2 * 64 / 0.2


def test_a_small_server_is_not_given_hundreds() -> None:
    limiter = Limiter(256)
    Simulated(limiter, slots=4, latency=1.0).run(60)
    assert limiter.limit <= START * 1.5


def test_a_large_server_is_given_all_that_is_allowed() -> None:
    limiter = Limiter(200)
    server = Simulated(limiter, slots=1000, latency=1.0)
    server.run(10)
    assert limiter.limit == 200
    assert server.most == 200


def test_a_burst_wastes_few_and_goes_on_at_half() -> None:
    limiter = Limiter(256)
    server = Simulated(limiter)
    server.run(5)
    before, sent = limiter.limit, server.count
    server.refuse = (5.0, 7.0)
    server.run(6.9)
    assert server.refused < 32
    assert limiter.cooling
    assert server.count - sent == server.refused  # probes only: nothing else was sent
    while limiter.cooling:
        server.run(server.now + 0.1)
    assert limiter.limit <= before / 2 + 1
    assert server.now < 9.0
    server.run(30)
    answered = server.answered
    server.run(40)
    assert server.answered - answered >= 0.95 * 10 * 64 / 0.2


def test_one_probe_at_a_time_after_a_refusal() -> None:
    limiter = Limiter(64)
    epochs = [limiter.sent(0.0) for _ in range(8)]
    limiter.refused(0.01, epochs[0], 2.0)
    assert limiter.wait(0.51) == pytest.approx(1.5)  # 2 s from the refusal
    limiter.refused(0.02, epochs[1], 2.0)  # sent before the pause: no second halving
    assert limiter.wait(2.02) == 0
    probe = limiter.sent(2.02)
    assert limiter.wait(2.03) == math.inf
    limiter.answered(2.03, epochs[2], 2.0)  # an answer from before does not end the pause
    assert limiter.wait(2.04) == math.inf
    limiter.answered(2.1, probe, 0.1)
    assert not limiter.cooling
    assert limiter.limit == START / 2


def test_pauses_grow_where_the_server_names_no_time() -> None:
    limiter = Limiter(64)
    now, pauses = 0.0, []
    for _ in range(9):
        epoch = limiter.sent(now)
        limiter.refused(now, epoch, None)
        pauses.append(limiter.wait(now))
        now += pauses[-1]
        assert limiter.wait(now) == 0
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert limiter.refusing_since == 0.0


def test_a_time_named_by_the_server_is_kept_even_when_long() -> None:
    limiter = Limiter(64)
    limiter.refused(0.0, limiter.sent(0.0), 600.0)
    assert limiter.wait(599.0) == 1.0


def test_a_lost_probe_is_made_again_later() -> None:
    limiter = Limiter(64)
    limiter.refused(0.0, limiter.sent(0.0), 1.0)
    limiter.failed(1.5, limiter.sent(1.0), slow=False)
    assert limiter.cooling
    assert 0 < limiter.wait(1.5) < math.inf


def test_silence_halves_once_for_all_that_were_under_way() -> None:
    limiter = Limiter(64)
    epochs = [limiter.sent(0.0) for _ in range(16)]
    for epoch in epochs:
        limiter.failed(60.0, epoch, slow=True)
    assert limiter.limit == START / 2
    assert limiter.flight == 0


def test_a_quiet_hour_does_not_slow_what_comes_after() -> None:
    limiter = Limiter(256)
    for second in range(50):  # one request at a time
        epoch = limiter.sent(float(second))
        limiter.answered(second + 0.2, epoch, 0.2)
    server = Simulated(limiter)
    server.now = 3600.0
    server.run(3602.0)
    assert server.answered >= 0.75 * 2 * 64 / 0.2
