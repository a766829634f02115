"""Draws made ahead: the rows do not depend on which draw is ready first."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

import pyarrow as pa
import pytest

from geurim.ahead import draw_ahead
from geurim.contract import Event
from geurim.errors import SamplingError

SCHEMA = pa.schema([("block", pa.int64())])
EMPTY = pa.RecordBatch.from_pydict({"block": []}, schema=SCHEMA)


def drawn(
    give: Callable[[int], int], delay: Callable[[int], float], **more: int
) -> tuple[list[int], set[int]]:
    """The rows, and the blocks that were drawn; block i gives `give(i)` rows after `delay(i)` s."""
    started: set[int] = set()
    lock = threading.Lock()

    def draw(i: int) -> pa.RecordBatch:
        with lock:
            started.add(i)
        time.sleep(delay(i))
        return pa.RecordBatch.from_pydict({"block": [i] * give(i)}, schema=SCHEMA)

    settings = {"rows": 30, "blocks": None, "ahead": 8, **more}
    batches = list(draw_ahead(draw, SCHEMA, **settings))  # type: ignore[arg-type]
    return [v for b in batches for v in b["block"].to_pylist()], started


def fails(i: int) -> int:
    return 0 if i % 3 == 1 else 1


def several(i: int) -> int:
    return (i * 7) % 4


@pytest.mark.parametrize(("give", "guess"), [(fails, 1.0), (several, 1.5)])
def test_rows_are_the_same_whichever_answer_comes_first(
    give: Callable[[int], int], guess: float
) -> None:
    lot = random.Random(3)
    times = [lot.random() * 0.01 for _ in range(400)]
    delays: list[Callable[[int], float]] = [
        lambda i: 0.0,
        lambda i: times[i],
        lambda i: 0.02 if i % 8 == 0 else 0.0,  # the first of those under way is the last to answer
        lambda i: times[399 - i],
    ]
    runs = [drawn(give, delay, guess=guess) for delay in delays]  # type: ignore[arg-type]
    rows, blocks = runs[0]
    assert len(rows) == 30
    assert rows == [i for i in range(400) for _ in range(give(i))][:30]
    for other_rows, other_blocks in runs[1:]:
        assert other_rows == rows
        # Where a draw may give several rows a last few are called off, or already under way.
        assert other_blocks == blocks or (guess > 1 and len(other_blocks ^ blocks) <= 16)


def test_no_more_draws_are_made_than_rows_are_missing() -> None:
    _, blocks = drawn(lambda i: 1, lambda i: 0.001)
    assert blocks == set(range(30))


def test_a_draw_that_fails_is_the_error_of_the_run_in_its_turn() -> None:
    def draw(i: int) -> pa.RecordBatch:
        if i == 2:
            raise ValueError("block 2")
        return pa.RecordBatch.from_pydict({"block": [i]}, schema=SCHEMA)

    with pytest.raises(ValueError, match="block 2"):
        list(draw_ahead(draw, SCHEMA, rows=5, blocks=None, ahead=4))


def test_draws_that_never_give_a_row_end_with_their_count() -> None:
    with pytest.raises(SamplingError, match=r"50\d draws gave no row"):
        list(draw_ahead(lambda i: EMPTY, SCHEMA, rows=5, blocks=None, ahead=4))


def test_an_interrupt_does_not_wait_for_draws_that_are_under_way() -> None:
    answered = threading.Event()

    def draw(i: int) -> pa.RecordBatch:
        answered.wait(20)
        return EMPTY

    def interrupt(event: Event) -> None:
        raise KeyboardInterrupt

    def first(i: int) -> pa.RecordBatch:
        return EMPTY if i == 0 else draw(i)

    began = time.monotonic()
    told = iter([lambda event: None])
    with pytest.raises(KeyboardInterrupt):
        list(
            draw_ahead(
                first,
                SCHEMA,
                rows=10,
                blocks=None,
                ahead=4,
                progress=lambda event: next(told, interrupt)(event),
            )
        )
    assert time.monotonic() - began < 10
    answered.set()
