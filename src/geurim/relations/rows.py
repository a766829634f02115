"""Rows held outside of Python's memory where they are many, and which row a key names."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.contract import Source

HELD = 256 << 20
"""Bytes of one table that stay in memory; more are put in a file that the system maps."""

NONE, DANGLING = -1, -2
"""In place of a parent's row: there is no reference; the reference is to no row."""


class Spill:
    """Batches of one table as they come; beyond 256 MB on disk, mapped, and gone with the table."""

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self.rows = 0
        self._held: list[pa.RecordBatch] = []
        self._size = 0
        self._path = ""
        self._writer: Any = None

    def add(self, batch: pa.RecordBatch) -> None:
        self.rows += batch.num_rows
        if self._writer is None:
            self._held.append(batch)
            self._size += batch.nbytes
            if self._size > HELD:
                self._open()
        else:
            self._writer.write_batch(batch)

    def _open(self) -> None:
        handle, self._path = tempfile.mkstemp(prefix="geurim-", suffix=".arrow")
        os.close(handle)
        self._writer = pa.ipc.new_file(self._path, self.schema)
        while self._held:
            self._writer.write_batch(self._held.pop(0))

    def table(self) -> pa.Table:
        """All that was added, as one table; nothing can be added after."""
        if self._writer is None:
            return pa.Table.from_batches(self._held, self.schema)
        try:
            self._writer.close()
            return pa.ipc.open_file(pa.memory_map(self._path)).read_all()
        finally:
            self.drop()

    def drop(self) -> None:
        """Remove the file's name: what is mapped stays until nobody looks at it."""
        if self._path:
            with contextlib.suppress(OSError):
                Path(self._path).unlink()


def kept(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> pa.Table:
    """Batches as one table; beyond 256 MB on disk, mapped, and gone with the table."""
    spill = Spill(schema)
    try:
        for batch in batches:
            spill.add(batch)
        return spill.table()
    finally:
        spill.drop()


def settle(source: Source) -> pa.Table:
    """All rows of a source, in bounded memory."""
    return kept(source.schema, source.read())


def whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column in one piece."""
    if isinstance(column, pa.ChunkedArray):
        return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return column


def match(
    child: Sequence[pa.Array | pa.ChunkedArray], parent: Sequence[pa.Array | pa.ChunkedArray]
) -> np.ndarray:
    """The parent's row (N,) int64 that each child's row names; NONE or DANGLING.

    Both are lists of as many columns. A reference with a missing part is none at all, as in SQL.
    """
    count = len(parent[0])
    both = count + len(child[0])
    codes, empty = np.zeros(both, np.int64), np.zeros(both, bool)
    for own, there in zip(child, parent, strict=True):
        part = _codes(whole(there), whole(own))
        empty |= part < 0
        codes = np.unique(codes * (part.max(initial=0) + 2) + part + 1, return_inverse=True)[1]
    row = np.full(codes.max(initial=0) + 1, DANGLING, np.int64)
    there = np.flatnonzero(~empty[:count])
    row[codes[there]] = there
    found = row[codes[count:]]
    found[empty[count:]] = NONE
    return np.asarray(found)


def tuples(columns: Sequence[pa.Array | pa.ChunkedArray]) -> np.ndarray:
    """A number (N,) for each row, alike where all columns are; -1 where one is missing."""
    total = np.zeros(len(columns[0]), np.int64)
    empty = np.zeros(len(total), bool)
    for column in columns:
        part = _codes(whole(column))
        empty |= part < 0
        total = np.unique(total * (part.max(initial=0) + 2) + part + 1, return_inverse=True)[1]
    total[empty] = -1
    return total


def _codes(first: pa.Array, second: pa.Array | None = None) -> np.ndarray:
    """Dictionary codes of one column, or of two together; -1 where missing."""
    if second is not None:
        if first.type != second.type:
            try:
                second = second.cast(first.type)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                first, second = first.cast(pa.string()), second.cast(pa.string())
        first = pa.concat_arrays([first, second])
    if pa.types.is_dictionary(first.type):
        first = first.cast(first.type.value_type)
    coded = first.dictionary_encode().indices
    return np.asarray(pc.fill_null(coded, -1).to_numpy(zero_copy_only=False).astype(np.int64))


def paired(
    first: pa.Array | pa.ChunkedArray, second: pa.Array | pa.ChunkedArray
) -> tuple[np.ndarray, np.ndarray]:
    """Codes (N,) and (M,) of two columns on one scale; -1 where missing."""
    both = _codes(whole(first), whole(second))
    return both[: len(first)], both[len(first) :]


def is_unique(columns: Sequence[pa.Array | pa.ChunkedArray]) -> bool:
    """Whether no row is like another, and none has a part missing."""
    codes = tuples(columns)
    return bool(len(codes) and codes.min() >= 0 and len(np.unique(codes)) == len(codes))


def taken(column: pa.Array | pa.ChunkedArray, rows: np.ndarray) -> pa.Array:
    """The column's values at `rows`; missing where a row is negative."""
    gone = rows < 0
    if not len(column):
        return pa.nulls(len(rows), column.type)
    places = pa.array(np.where(gone, 0, rows), mask=gone if gone.any() else None)
    return whole(whole(column).take(places))
