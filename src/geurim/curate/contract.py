"""The contract of curation: a step judges rows as they come; `curate` drives steps over a Source.

    Source --curate--> kept (a Source) + rejects (a Source with stage and reason) + counts

A row that a step drops is not seen by the steps after it. Put steps that judge a row by itself
before steps that remember (duplicates, novelty): a row that is remembered and then dropped by a
later step would take its near duplicates with it.
"""

from __future__ import annotations

import abc
import hashlib
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.contract import Event, Lineage, Progress, Source, quiet
from geurim.errors import DataError, SettingError
from geurim.texts import joined

STAGE, REASON = "stage", "reason"
_HELD = 2_048  # rejects held in memory before they go to the file


class Step(abc.ABC):
    """Settings of one step only: cheap to build, print and compare. Frozen keyword-only dataclass.

    `name` stands in the rejects as the stage.
    """

    name: ClassVar[str]

    @abc.abstractmethod
    def start(self) -> Filter:
        """A fresh, empty state."""

    def settle(self, source: Source) -> Step:
        """The step after a look at all rows that reach it; most steps need none and are returned.

        A step that overrides it makes `curate` read the rows twice.
        """
        return self


class Filter(abc.ABC):
    """The state of a step over one reading of the rows."""

    @abc.abstractmethod
    def judge(self, texts: pa.StringArray, rows: pa.RecordBatch) -> pa.StringArray:
        """For each row null to keep it, or the reason it is dropped.

        `texts`: the text columns, already joined, null where all are missing. `rows`: all columns.
        Rows come in order, a batch at a time; what is kept may be remembered.
        """


@dataclass(frozen=True, kw_only=True)
class RowStep(Step):
    """A step that judges each text by itself; subclasses write `reasons`."""

    apart: ClassVar[bool] = False  # judges each column by itself: an answer may repeat its question

    def start(self) -> Filter:
        return _Stateless(self)

    @abc.abstractmethod
    def reasons(self, texts: pa.StringArray) -> pa.StringArray:
        """For each text null to keep it, or the reason it is dropped."""


class _Stateless(Filter):
    def __init__(self, step: RowStep) -> None:
        self.step = step

    def judge(self, texts: pa.StringArray, rows: pa.RecordBatch) -> pa.StringArray:
        return self.step.reasons(texts)


def judged(
    judge: Filter, texts: pa.StringArray, rows: pa.RecordBatch, columns: Sequence[str]
) -> pa.StringArray:
    """A filter's reasons for the joined `texts`, or for each of the columns where it wants them."""
    if len(columns) == 1 or not (isinstance(judge, _Stateless) and judge.step.apart):
        return judge.judge(texts, rows)
    return pc.coalesce(*(judge.judge(joined(rows, (c,)), rows) for c in columns))


class Curated:
    """What `curate` gives: `kept`, a Source that drives everything; then `rejects` and `counts`.

    Each reading of `kept` starts the steps anew and replaces the rejects and counts of the reading
    before it. Rejects lie in a temporary Arrow file, which goes away with this object. Asking for
    rejects or counts before `kept` was read reads it first.
    """

    kept: Source
    rejects: Source

    def __init__(self, source: Source, steps: tuple[Step, ...], columns: tuple[str, ...]) -> None:
        self._source, self._steps, self._columns = source, steps, columns
        self._progress: Progress = quiet
        self._counts: dict[str, int] | None = None
        self._aside: _Aside | None = None
        lineage = _lineage(source.lineage, steps)
        self.kept = Source(schema=source.schema, lineage=lineage, read=self._read)
        self.rejects = Source(
            schema=_rejects_schema(source.schema), lineage=lineage, read=self._read_rejects
        )

    @property
    def counts(self) -> Mapping[str, int]:
        """Rows read ("rows"), rows kept ("kept") and rows that each stage dropped, in order.

        Of two steps with one name the second one's stage is "name 2".
        """
        if self._counts is None:
            self._drain()
        assert self._counts is not None
        return dict(self._counts)

    def _drain(self) -> None:
        for _ in self.kept.read():
            pass

    def _read_rejects(self) -> Iterator[pa.RecordBatch]:
        if self._counts is None:
            self._drain()
        assert self._aside is not None
        yield from self._aside.read()

    def _read(self) -> Iterator[pa.RecordBatch]:
        stages = stage_names(self._steps)
        counts = {"rows": 0, "kept": 0, **dict.fromkeys(stages, 0)}
        aside = _Aside(self.rejects.schema)
        filters = [step.start() for step in self._settled()]
        for batch in self._source.read():
            counts["rows"] += batch.num_rows
            kept = self._judge(batch, filters, stages, counts, aside)
            counts["kept"] += kept.num_rows
            self._progress(Event(step="curate", done=counts["rows"], total=self._source.rows))
            if kept.num_rows:
                yield kept
        aside.close()
        self._counts, self._aside = counts, aside

    def _settled(self) -> list[Step]:
        """Steps that need all rows first get those that the steps before them keep."""
        steps: list[Step] = []
        for step in self._steps:
            if type(step).settle is not Step.settle:
                before = Curated(self._source, tuple(steps), self._columns)
                step = step.settle(before.kept)
            steps.append(step)
        return steps

    def _judge(
        self,
        batch: pa.RecordBatch,
        filters: list[Filter],
        stages: list[str],
        counts: dict[str, int],
        aside: _Aside,
    ) -> pa.RecordBatch:
        texts = joined(batch, self._columns)
        for stage, judge in zip(stages, filters, strict=True):
            if not batch.num_rows:
                break
            reasons = judged(judge, texts, batch, self._columns)
            dropped = len(reasons) - reasons.null_count
            if not dropped:
                continue
            counts[stage] += dropped
            out = reasons.is_valid()
            aside.add(batch.filter(out), stage, reasons.drop_null())
            kept = pc.invert(out)
            batch, texts = batch.filter(kept), texts.filter(kept)
        return batch


def curate(
    source: Source,
    steps: Sequence[Step],
    *,
    column: str | Sequence[str],
    progress: Progress = quiet,
) -> Curated:
    """Judge the rows of `source` by `steps`, in order, in memory that grows only by step states.

    `column`: the text column, or several that are joined by line breaks; lists and structs (the
    turns of a dialogue) give all the strings in them. Texts come out as they went in: what a step
    normalises it normalises for comparison only. Nothing runs before `.kept` is read.

    Raises SettingError for a column that is not there and for no column at all.
    """
    columns = (column,) if isinstance(column, str) else tuple(column)
    missing = [c for c in columns if c not in source.schema.names]
    if missing or not columns:
        raise SettingError(
            f"There is no text column {', '.join(map(repr, missing)) or '(none was named)'}. "
            f"Choose from: {', '.join(source.schema.names)}."
        )
    wrong = [s for s in steps if not isinstance(s, Step)]
    if wrong:
        raise SettingError(f"{wrong[0]!r} is not a step. Give steps, such as step('language').")
    taken = {STAGE, REASON} & set(source.schema.names)
    if taken:
        raise DataError(
            f"The rows have a column {sorted(taken)[0]!r}, which the rejects need. Rename it."
        )
    curated = Curated(source, tuple(steps), columns)
    curated._progress = progress
    return curated


def stage_names(steps: Sequence[Step]) -> list[str]:
    """One name a step: its own, and "name 2", "name 3" where a name comes again."""
    seen: dict[str, int] = {}
    names = []
    for step in steps:
        seen[step.name] = seen.get(step.name, 0) + 1
        names.append(step.name if seen[step.name] == 1 else f"{step.name} {seen[step.name]}")
    return names


def reasons_at(count: int, at: np.ndarray, reasons: Sequence[str]) -> pa.StringArray:
    """An array of `count` reasons: null but at the places `at` (n,), which get `reasons` (n,)."""
    if not len(at):
        return pa.nulls(count, pa.string())
    values: list[str | None] = [None] * count
    for place, reason in zip(at.tolist(), reasons, strict=True):
        values[place] = reason
    return pa.array(values, pa.string())


def _rejects_schema(schema: pa.Schema) -> pa.Schema:
    return schema.append(pa.field(STAGE, pa.string())).append(pa.field(REASON, pa.string()))


def _lineage(source: Lineage, steps: tuple[Step, ...]) -> Lineage:
    """Choosing among rows makes no new ones: depth, privacy and parents stay as they are."""
    maker = f"{source.maker}, curated by {', '.join(s.name for s in steps) or 'nothing'}"
    digest = hashlib.sha256(f"{source.digest} {steps!r}".encode()).hexdigest()
    return replace(source, maker=maker, digest=digest)


class _Aside:
    """Rejects, kept aside in a temporary Arrow file: memory does not grow with their number."""

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self.held: list[pa.RecordBatch] = []
        self.rows = 0
        self.writer: pa.ipc.RecordBatchStreamWriter | None = None
        self.path: Path | None = None

    def add(self, batch: pa.RecordBatch, stage: str, reasons: pa.StringArray) -> None:
        stages = pa.repeat(pa.scalar(stage), batch.num_rows)
        self.held.append(
            pa.RecordBatch.from_arrays([*batch.columns, stages, reasons], schema=self.schema)
        )
        self.rows += batch.num_rows
        if self.rows >= _HELD:
            self._spill()

    def close(self) -> None:
        if self.writer is not None:
            self._spill()
            self.writer.close()

    def read(self) -> Iterator[pa.RecordBatch]:
        """The rejects in order, in two ways: from the file, or from memory where they are few."""
        if self.path is None:
            yield from self.held
            return
        with pa.OSFile(str(self.path)) as file, pa.ipc.open_stream(file) as reader:
            yield from reader

    def _spill(self) -> None:
        if self.path is None:
            folder = tempfile.TemporaryDirectory(prefix="geurim-rejects-")
            weakref.finalize(self, folder.cleanup)
            self.path = Path(folder.name) / "rejects.arrow"
            self.writer = pa.ipc.new_stream(str(self.path), self.schema)
        if self.held:
            assert self.writer is not None
            table = pa.Table.from_batches(self.held, self.schema).combine_chunks()
            self.writer.write_table(table)
        self.held, self.rows = [], 0
