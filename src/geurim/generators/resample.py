"""Resample: the training rows drawn again, with replacement.

A baseline: the best that any faithful copy looks, and **no privacy at all**: every row that comes
out is a real one, and the model file holds the real rows. It shows that a measure of privacy works.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.contract import Fitted, Generator, Json, Lineage, Profile, Progress, Source, quiet
from geurim.errors import DataError, SamplingError


@dataclass(frozen=True, kw_only=True, eq=False)
class _Index:
    """Where in the training rows each combination of some columns' values stands."""

    columns: tuple[str, ...]
    values: tuple[pa.Array, ...]  # the distinct values of each column, missing among them
    pairs: tuple[np.ndarray, ...]  # sorted: (code of the columns so far) * size + code of this one
    order: np.ndarray  # row numbers, sorted by combination
    starts: np.ndarray  # where each combination begins in `order`, and the end

    @classmethod
    def of(cls, rows: pa.RecordBatch, columns: tuple[str, ...]) -> _Index:
        values, pairs = [], []
        code = np.zeros(rows.num_rows, np.int64)
        for name in columns:
            distinct = pc.unique(_plain(rows.column(name)))
            values.append(distinct)
            pair = code * len(distinct) + _codes(rows.column(name), distinct)
            seen, code = np.unique(pair, return_inverse=True)
            pairs.append(seen)
        return cls(
            columns=columns,
            values=tuple(values),
            pairs=tuple(pairs),
            order=np.argsort(code, kind="stable"),
            starts=np.concatenate([[0], np.cumsum(np.bincount(code))]),
        )

    def find(self, given: pa.Table) -> np.ndarray:
        """The combination of each given row, (N,). Raises SamplingError where there is none."""
        code = np.zeros(given.num_rows, np.int64)
        absent = np.zeros(given.num_rows, bool)
        for name, distinct, seen in zip(self.columns, self.values, self.pairs, strict=True):
            found = _codes(given.column(name).combine_chunks(), distinct)
            pair = code * len(distinct) + found
            code = np.minimum(np.searchsorted(seen, pair), len(seen) - 1)
            absent |= (found < 0) | (seen[code] != pair)
        if absent.any():
            first = int(np.argmax(absent))
            raise SamplingError(
                f"No training row has the values of given row {first} together: "
                f"{given.select(list(self.columns)).slice(first, 1).to_pylist()[0]!r} "
                f"({int(absent.sum())} of {given.num_rows} given rows). 'resample' only repeats "
                "real rows: give values that occur, or fit 'trees', which completes any row."
            )
        return code


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedResample(Fitted):
    """The training rows themselves."""

    schema: pa.Schema
    lineage: Lineage
    profile: Profile
    rows: pa.RecordBatch = field(repr=False)
    index: _Index | None = field(default=None, repr=False)
    name: ClassVar[str] = "resample"
    completes: ClassVar[bool] = True

    def draw(
        self, rows: int, rng: np.random.Generator, given: pa.Table | None = None
    ) -> pa.RecordBatch:
        """Training rows at random; with `given`, those that hold exactly the given values.

        Raises SamplingError, naming the values, where no training row has them.
        """
        if given is None or not given.num_columns:
            return self.rows.take(pa.array(rng.integers(self.rows.num_rows, size=rows)))
        names = tuple(given.column_names)
        given = given.cast(pa.schema([self.schema.field(n) for n in names]))
        index = self.index
        if index is None or index.columns != names:
            index = _Index.of(self.rows, names)
        code = index.find(given)
        first, count = index.starts[code], index.starts[code + 1] - index.starts[code]
        chosen = index.order[first + rng.integers(count)]
        return self.rows.take(pa.array(chosen))

    def condition(self, columns: tuple[str, ...]) -> FittedResample:
        return replace(self, index=_Index.of(self.rows, columns)) if columns else self

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        return {}, {"rows": to_bytes(self.rows)}

    @classmethod
    def from_state(
        cls,
        profile: Profile,
        schema: pa.Schema,
        lineage: Lineage,
        state: dict[str, Json],
        arrays: dict[str, np.ndarray],
    ) -> FittedResample:
        rows = from_bytes(arrays["rows"], schema)
        return cls(schema=schema, lineage=lineage, profile=profile, rows=rows)


@dataclass(frozen=True, kw_only=True)
class Resample(Generator):
    """The training rows drawn again. No privacy: every row that comes out is a real one.

    Source: Efron (1979), "Bootstrap methods: another look at the jackknife", Ann. Statist. 7:1-26.
    """

    fitted: ClassVar[type[Fitted]] = FittedResample

    def fit(
        self,
        source: Source | None,
        profile: Profile,
        rng: np.random.Generator,
        progress: Progress = quiet,
    ) -> FittedResample:
        if source is None:
            raise DataError(
                "'resample' repeats real rows, and only a profile was given. "
                "Give the data, or fit 'copula'."
            )
        rows = one_batch(source)
        if not rows.num_rows:
            raise DataError("The data have no rows, so there is nothing to draw. Give rows.")
        lineage = Lineage.made(repr(self), parents=(source.lineage,))
        return FittedResample(schema=source.schema, lineage=lineage, profile=profile, rows=rows)


def one_batch(source: Source) -> pa.RecordBatch:
    """All rows of a source as one batch, in memory."""
    return _joined(source.to_arrow())


def to_bytes(rows: pa.RecordBatch | pa.Table) -> np.ndarray:
    """Rows as an array of bytes that a model file can hold: an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write(rows)
    return np.frombuffer(sink.getvalue(), np.uint8)


def table_of(data: np.ndarray) -> pa.Table:
    """The inverse of `to_bytes`; the bytes may come from anyone, so every value is checked."""
    table = pa.ipc.open_stream(pa.py_buffer(data.tobytes())).read_all()
    table.validate(full=True)
    return table


def from_bytes(data: np.ndarray, schema: pa.Schema) -> pa.RecordBatch:
    """The rows of `to_bytes` as one batch of `schema`."""
    return _joined(table_of(data).cast(schema))


def _joined(table: pa.Table) -> pa.RecordBatch:
    batches = table.combine_chunks().to_batches()
    if len(batches) == 1:
        return batches[0]
    return pa.RecordBatch.from_arrays(
        [pa.concat_arrays([b.column(i) for b in batches]) for i in range(table.num_columns)]
        if batches
        else [pa.array([], f.type) for f in table.schema],
        schema=table.schema,
    )


def _plain(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _codes(column: pa.Array, distinct: pa.Array) -> np.ndarray:
    places = pc.index_in(_plain(column).cast(distinct.type), value_set=distinct)
    codes: np.ndarray = pc.fill_null(places, -1).to_numpy(zero_copy_only=False)
    return codes.astype(np.int64, copy=False)
