"""Rows held outside of Python's memory where they are many, and which row a key names."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.contract import Source

HELD = 256 << 20
"""Bytes of one table that stay in memory; more are put in a file that the system maps."""

NONE, DANGLING = -1, -2
"""In place of a parent's row: there is no reference; the reference is to no row."""


def kept(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> pa.Table:
    """Batches as one table; beyond 256 MB on disk, mapped, and gone with the table."""
    held: list[pa.RecordBatch] = []
    size = 0
    rest = iter(batches)
    for batch in rest:
        held.append(batch)
        size += batch.nbytes
        if size > HELD:
            return _mapped(schema, held, rest)
    return pa.Table.from_batches(held, schema)


def _mapped(
    schema: pa.Schema, held: list[pa.RecordBatch], rest: Iterable[pa.RecordBatch]
) -> pa.Table:
    handle, path = tempfile.mkstemp(prefix="geurim-", suffix=".arrow")
    os.close(handle)
    try:
        with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, schema) as writer:
            while held:
                writer.write_batch(held.pop(0))
            for batch in rest:
                writer.write_batch(batch)
        return pa.ipc.open_file(pa.memory_map(path)).read_all()
    finally:
        # What is mapped stays until nobody looks at it, though its name is gone.
        with contextlib.suppress(OSError):
            Path(path).unlink()


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
