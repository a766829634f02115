"""One pass over the rows, in bounded memory: a sample of whole rows, and exact counts beside it.

Tables of up to `ROWS` rows (and `BYTES` bytes) are kept whole, and every figure is exact. Larger
ones are thinned to a uniform sample, halved each time it grows too large, while counts, missing
shares, bounds, means and category counts go on being exact.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.columns import is_number, is_ordered, to_axis
from geurim.contract import Event, Progress, Source
from geurim.errors import DataError, SchemaError

ROWS = 400_000
BYTES = 256 * 2**20
VALUES = 500_000  # distinct strings counted exactly; beyond, the sample's counts stand for all


@dataclass(frozen=True, kw_only=True, eq=False)
class Column:
    """What one pass saw of a column. `sample` holds its rows, or all of them."""

    name: str
    kind: pa.DataType  # the type of the table's column
    metadata: dict[bytes, bytes]
    rows: int
    missing_rows: int
    sample: pa.Array  # plain values, no dictionary; strings, booleans, numbers or times
    thinned: bool
    low: float = np.nan  # exact, over all rows, on the axis
    high: float = np.nan
    mean: float = np.nan
    std: float = np.nan
    whole: bool = True  # all values are whole numbers
    counted: tuple[pa.Array, np.ndarray] | None = None  # exact (values, counts), where thinned

    @property
    def present(self) -> int:
        return self.rows - self.missing_rows

    @property
    def missing(self) -> float:
        return self.missing_rows / self.rows

    @property
    def ordered(self) -> bool:
        return is_ordered(self.sample.type)

    @cached_property
    def axis(self) -> np.ndarray:
        """The sample on the axis of `to_axis` (N,), missing as NaN; ordered columns only."""
        return to_axis(self.sample)

    @cached_property
    def sorted(self) -> np.ndarray:
        """The sample's present values on the axis, ascending (M,)."""
        values = self.axis
        return np.sort(values[~np.isnan(values)])

    @cached_property
    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """The sample's distinct values on the axis, ascending, and how many rows hold each."""
        ordered = self.sorted
        if not len(ordered):
            return ordered, np.zeros(0, np.int64)
        starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
        return ordered[starts], np.diff(np.append(starts, len(ordered)))

    @cached_property
    def encoded(self) -> tuple[np.ndarray, pa.Array]:
        """The sample as codes int32 (N,), -1 where missing, and the values they stand for."""
        if self.ordered:
            values, _ = self.points
            codes = np.searchsorted(values, self.axis).astype(np.int32)
            codes[np.isnan(self.axis)] = -1
            return codes, pa.array(values)
        coded = self.sample.dictionary_encode()
        codes = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
        return codes.astype(np.int32, copy=False), coded.dictionary

    @cached_property
    def counts(self) -> tuple[pa.Array, np.ndarray]:
        """Distinct values and the rows that hold each: exact unless more than VALUES."""
        if self.counted is not None:
            return self.counted
        if self.ordered:
            values, tallies = self.points
            return pa.array(values), tallies
        codes, values = self.encoded
        return values, np.bincount(codes[codes >= 0], minlength=len(values))

    @property
    def distinct(self) -> int:
        """Exact, or where only the sample tells, estimated (GEE of Charikar et al. 2000)."""
        counts = self.points[1] if self.ordered else self.counts[1]
        if not self.thinned or self.counted is not None or not len(counts):
            return len(counts)
        once, size = int((counts == 1).sum()), int(counts.sum())
        share = self.present if once == size else float(np.sqrt(self.present / size)) * once
        return min(self.present, round(len(counts) - once + share))


@dataclass(frozen=True, kw_only=True, eq=False)
class Collected:
    """All columns after one pass over the rows."""

    rows: int
    columns: dict[str, Column]
    seed: int  # of all sampling within analysis: the same data give the same profile


@dataclass(kw_only=True, eq=False)
class _Tally:
    """Exact figures of one column, fed batch by batch: bounds, moments, value counts."""

    kind: pa.DataType
    missing: int = 0
    low: float = np.inf
    high: float = -np.inf
    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    whole: bool = True
    values: pa.Table | None = None
    grown: int = 0
    parts: list[pa.Table] = field(default_factory=list)
    overflow: bool = False

    def add(self, array: pa.Array) -> None:
        if not is_ordered(self.kind):
            self.missing += array.null_count
            self._count(array)
            return
        values = to_axis(array)
        values = values[~np.isnan(values)]
        self.missing += len(array) - len(values)
        if not len(values):
            return
        self.low = min(self.low, float(values.min()))
        self.high = max(self.high, float(values.max()))
        if self.whole and pa.types.is_floating(self.kind):
            self.whole = bool((np.rint(values) == values).all())
        # Chan, Golub & LeVeque 1979: means and squares of two parts joined without cancellation.
        fresh, total = len(values), self.count + len(values)
        with np.errstate(over="ignore", invalid="ignore"):  # infinities are refused at the end
            mean = float(values.mean())
            shift = mean - self.mean
            self.squares += float(((values - mean) ** 2).sum())
            self.squares += shift * shift * self.count * fresh / total
        self.mean += shift * fresh / total
        self.count = total

    def _count(self, array: pa.Array) -> None:
        if self.overflow or pa.types.is_null(self.kind):
            return
        counted = array.drop_null().value_counts()
        self.parts.append(pa.table({"v": counted.field(0), "n": counted.field(1)}))
        self.grown += len(counted)
        if self.grown > VALUES // 2:
            self.merge()

    def merge(self) -> None:
        """Join the counts of several batches into one."""
        if self.parts:
            joined = pa.concat_tables(([self.values] if self.values else []) + self.parts)
            self.values = joined.group_by("v").aggregate([("n", "sum")]).rename_columns(["v", "n"])
            self.parts, self.grown = [], 0
            if self.values.num_rows > VALUES:
                self.values, self.overflow = None, True

    def counted(self) -> tuple[pa.Array, np.ndarray] | None:
        self.merge()
        if self.values is None:
            return None
        return self.values["v"].combine_chunks(), self.values["n"].to_numpy()


def collect(source: Source, progress: Progress) -> Collected:
    """Read `source` once. Raises DataError where there are no rows, or an infinite number."""
    schema = source.schema
    _check_schema(schema)
    seed = zlib.crc32(source.lineage.digest.encode())
    rng = np.random.default_rng(seed)
    kept: list[tuple[pa.RecordBatch, np.ndarray]] = []  # rows and their uniform draws
    tallies: dict[str, _Tally] = {}
    rows = held = size = 0
    rate = 1.0
    for batch in source.read():
        if not batch.num_rows:
            continue
        rows += batch.num_rows
        batch = pa.RecordBatch.from_arrays(
            [_plain(c, f) for c, f in zip(batch.columns, schema, strict=True)], names=schema.names
        )
        if tallies:
            _tally(tallies, batch)
        draws = rng.random(batch.num_rows)
        if rate < 1:
            batch, draws = _thin(batch, draws, rate)
        kept.append((batch, draws))
        held, size = held + batch.num_rows, size + batch.nbytes
        while held > ROWS or (size > BYTES and held > ROWS // 20):
            if not tallies:
                tallies = {n: _Tally(kind=c.type) for n, c in zip(schema.names, batch, strict=True)}
                for part, _ in kept:
                    _tally(tallies, part)
            rate /= 2
            kept = [_thin(*part, rate) for part in kept]
            held = sum(part.num_rows for part, _ in kept)
            size = sum(part.nbytes for part, _ in kept)
        progress(Event(step="analyze", done=rows, total=source.rows))
    if not rows:
        raise DataError("The data hold no rows: 0 were read. Give a table with at least one row.")
    sample = pa.Table.from_batches([part for part, _ in kept])
    columns = {
        f.name: _column(f, _whole(sample.column(i)), rows, tallies.get(f.name))
        for i, f in enumerate(schema)
    }
    return Collected(rows=rows, columns=columns, seed=seed)


def _check_schema(schema: pa.Schema) -> None:
    names = schema.names
    twice = sorted({n for n in names if names.count(n) > 1}) if len(set(names)) < len(names) else []
    if not names:
        raise DataError("The data have no columns: 0 were found. Give a table with one at least.")
    if twice:
        raise DataError(f"Column names occur twice: {twice}. Rename one of each.")
    for item in schema:
        kind = item.type.value_type if pa.types.is_dictionary(item.type) else item.type
        fits = is_ordered(kind) or _is_string(kind) or pa.types.is_boolean(kind)
        if not (fits or pa.types.is_null(kind)) or pa.types.is_interval(kind):
            raise SchemaError(
                f"Column {item.name!r} has the type {item.type}, which cannot be analyzed. "
                "Leave it out, or turn it into numbers, times, strings or booleans."
            )


def _is_string(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _plain(array: pa.Array, item: pa.Field) -> pa.Array:
    """No dictionaries; numbers that the schema calls categories become strings."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_string_view(array.type):
        array = array.cast(pa.string())
    declared = (item.metadata or {}).get(b"geurim.role", b"")
    if declared in (b"category", b"text") and is_ordered(array.type):
        array = to_strings(array)
    return array


def to_strings(array: pa.Array) -> pa.Array:
    """Values as strings that Arrow casts back to the same type."""
    if pa.types.is_duration(array.type):
        array = array.cast(pa.int64())
    return array.cast(pa.string())


def _tally(tallies: dict[str, _Tally], batch: pa.RecordBatch) -> None:
    for tally, column in zip(tallies.values(), batch.columns, strict=True):
        tally.add(column)


def _thin(
    batch: pa.RecordBatch, draws: np.ndarray, rate: float
) -> tuple[pa.RecordBatch, np.ndarray]:
    chosen = draws < rate
    return batch.filter(pa.array(chosen)), draws[chosen]


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _column(item: pa.Field, sample: pa.Array, rows: int, tally: _Tally | None) -> Column:
    exact = tally
    if exact is None:
        exact = _Tally(kind=sample.type)
        exact.missing = sample.null_count
        if is_ordered(sample.type):
            exact.missing = 0
            exact.add(sample)
    ordered = is_ordered(sample.type)
    if exact.count and is_number(sample.type) and np.isinf([exact.low, exact.high]).any():
        raise DataError(
            f"Column {item.name!r} holds infinite numbers (from {exact.low} to {exact.high}). "
            "Replace them with missing values, or with a finite bound."
        )
    spread = float(np.sqrt(exact.squares / exact.count)) if exact.count else np.nan
    return Column(
        name=item.name,
        kind=item.type,
        metadata=dict(item.metadata or {}),
        rows=rows,
        missing_rows=exact.missing,
        sample=sample,
        thinned=tally is not None,
        low=exact.low if exact.count else np.nan,
        high=exact.high if exact.count else np.nan,
        mean=exact.mean if exact.count else np.nan,
        std=spread,
        whole=exact.whole,
        counted=None if tally is None or ordered else tally.counted(),
    )
