"""Draws that may give no row, and that cost money: made ahead by threads, never needlessly.

A generator whose draws are `partial` gives what survives its own checks. The driver goes on with
the next block until it has the rows asked for. Blocks are taken in order, so the result does not
depend on which answer came first; and no more blocks are under way than rows are missing, so that
nothing is paid for that cannot be needed.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa

from geurim.contract import Event, Progress, quiet
from geurim.errors import BudgetExceeded, SamplingError

Keep = Callable[[Sequence[pa.RecordBatch]], pa.RecordBatch]
"""What is kept of some blocks' rows; it is given them in order, and may remember them."""

PATIENCE = 500
"""So many draws in a row without a row that is kept are taken as hopeless."""

_BATCH = 1_024  # rows handed on at once


@dataclass(kw_only=True)
class _Count:
    """How far a run has come, and how many draws may have been started."""

    wanted: int | None  # None: as many as the given rows yield
    guess: float  # rows of a draw, before any was seen
    kept: int = 0
    drawn: int = 0
    barren: int = 0  # draws since the last kept row
    allowed: int = 0  # draws

    def allow(self) -> None:
        """Allow what could be needed if the next draws give as much as those so far.

        It follows from the draws before alone, whichever was ready first: a run that is repeated
        makes the same draws.
        """
        if self.wanted is not None:
            each = max(1.0, (self.kept + self.guess) / (self.drawn + 1)) if self.splits else 1.0
            needed = math.ceil((self.wanted - self.kept) / each)
            self.allowed = max(self.allowed, self.drawn + needed)

    @property
    def splits(self) -> bool:
        """Whether a draw may give several rows."""
        return self.guess > 1

    @property
    def done(self) -> bool:
        return self.wanted is not None and self.kept >= self.wanted


def draw_ahead(
    draw: Callable[[int], pa.RecordBatch],
    schema: pa.Schema,
    *,
    rows: int | None,
    blocks: int | None,
    ahead: int,
    guess: float = 1.0,
    keep: Keep | None = None,
    progress: Progress = quiet,
) -> Iterator[pa.RecordBatch]:
    """Exactly `rows` rows (None: what `blocks` blocks give), in batches of `schema`.

    `draw(i)`: the rows of block i, called from up to `ahead` threads. `guess`: about how many rows
    a draw gives; above 1 where it may give several. Raises SamplingError, with
    the counts, when too many draws in a row give nothing.
    """
    count = _Count(wanted=rows, guess=guess)
    count.allow()
    keep = keep or _joined
    held: list[pa.RecordBatch] = []
    pending: deque[Future[pa.RecordBatch]] = deque()
    started, patient = 0, True
    _tell(progress, count, keep)
    pool = ThreadPoolExecutor(max(ahead, 1), thread_name_prefix="geurim-row")
    try:
        while not count.done:
            while (
                len(pending) < 2 * ahead
                and (rows is None or started < count.allowed)
                and (blocks is None or started < blocks)
            ):
                pending.append(pool.submit(draw, started))
                started += 1
            if not pending:
                break
            batches = [pending.popleft().result()]
            while not count.splits and len(batches) < _BATCH and pending and _ready(pending[0]):
                batches.append(pending.popleft().result())
            some = keep(batches)
            if rows is not None:
                some = some.slice(0, rows - count.kept)
            _add(count, len(batches), some.num_rows)
            count.allow()
            held.append(some)
            if sum(b.num_rows for b in held) >= _BATCH:
                yield _joined(held, schema)
                held = []
            _tell(progress, count, keep)
        if held:
            yield _joined(held, schema)
    except BudgetExceeded:
        if held:  # they are paid for
            yield _joined(held, schema)
        raise
    except (KeyboardInterrupt, SystemExit):
        patient = False  # who ends the run closes what the draws wait for
        raise
    finally:
        pool.shutdown(wait=patient, cancel_futures=True)


def _add(count: _Count, drawn: int, kept: int) -> None:
    count.drawn += drawn
    count.kept += kept
    count.barren = 0 if kept else count.barren + drawn
    if count.barren >= PATIENCE and count.wanted is not None:
        raise SamplingError(
            f"The last {count.barren:,} draws gave no row that is kept; {count.kept:,} of "
            f"{count.wanted:,} rows were kept of {count.drawn:,} drawn. Look at the rejects "
            "that a run leaves in its folder for the reasons, loosen the step that gives them, or "
            "ask for fewer rows."
        )


def _ready(draw: Future[pa.RecordBatch]) -> bool:
    return draw.done() and draw.exception() is None


def _tell(progress: Progress, count: _Count, keep: Keep) -> None:
    note = f"kept {count.kept / count.drawn:.0%} of {count.drawn:,}" if count.drawn else ""
    lost: dict[str, int] = getattr(keep, "counts", {})  # by stage, of a run's own steps
    most = sorted(lost.items(), key=lambda item: -item[1])[:3]
    note += "".join(f", {stage} -{number:,}" for stage, number in most)
    progress(Event(step="sample", done=count.kept, total=count.wanted, note=note))


def _joined(batches: Sequence[pa.RecordBatch], schema: pa.Schema | None = None) -> pa.RecordBatch:
    """Batches as one, without what their metadata says."""
    schema = (schema or batches[0].schema).remove_metadata()
    if len(batches) == 1:
        return batches[0].replace_schema_metadata(None)
    plain = [b.replace_schema_metadata(None) for b in batches]
    table = pa.Table.from_batches(plain, schema).combine_chunks()
    found = table.to_batches()
    return found[0] if found else pa.RecordBatch.from_pylist([], schema=schema)
