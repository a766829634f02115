"""Rows with lists inside, such as dialogues: read as they stand, nothing guessed or flattened."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from geurim.contract import Lineage, Source
from geurim.convert import BATCH, check_names
from geurim.errors import DataError, NotFound
from geurim.frames import file_digest, lineage_of

_LARGEST = 1 << 30  # bytes of a JSON array, which has to be read whole


def read_rows(data: str | Path | Source | pa.Table) -> Source:
    """A file of texts or dialogues as a Source whose columns keep their lists and structs.

    `data`: a path (.parquet, .arrow, .jsonl or .ndjson, also gzipped; .json with one array; a
    folder written by `geurim.formats.save`, of which the training rows are read), an Arrow table,
    or a Source, which is returned as it is. Text stays text: unlike `geurim.read`, nothing is taken
    for a date or a number, and nested columns are welcome. Other files (CSV) go to `geurim.read`.

    Raises DataError where the file cannot be read or a column mixes types, and NotFound.
    """
    from geurim.read import read

    if isinstance(data, Source):
        return data
    if isinstance(data, pa.Table):
        return _frame(data)
    path = Path(data).expanduser()
    if path.is_dir():
        path = _training(path)
    if not path.is_file():
        raise NotFound(f"There is no file {str(path)!r}. Check the path.")
    suffixes = [s.lower() for s in path.suffixes if s.lower() != ".gz"]
    kind = suffixes[-1] if suffixes else ""
    if kind in (".jsonl", ".ndjson"):
        return _lines(path)
    if kind == ".json":
        return _array(path)
    if kind in (".parquet", ".pq"):
        return _parquet(path)
    if kind in (".arrow", ".feather"):
        return _arrow(path)
    return read(path)


def _training(folder: Path) -> Path:
    found = sorted(folder.glob("data/train*.parquet")) or sorted(folder.glob("data/train*.jsonl"))
    if len(found) != 1:
        raise DataError(
            f"The folder {str(folder)!r} holds {len(found)} files of training rows (data/train*). "
            f"Give one file."
        )
    return found[0]


def _frame(table: pa.Table) -> Source:
    digest = hashlib.sha256()
    for batch in table.to_batches():
        digest.update(batch.serialize())
    return Source(
        schema=table.schema,
        lineage=lineage_of(table.schema, "Arrow table", digest.hexdigest()),
        read=lambda: iter(table.to_batches(BATCH)),
        rows=len(table),
    )


def _unchanged(path: Path) -> Callable[[], None]:
    seen = path.stat()

    def check() -> None:
        now = path.stat()
        if (now.st_size, now.st_mtime_ns) != (seen.st_size, seen.st_mtime_ns):
            raise DataError(f"{path.name!r} has changed since it was first read. Read it again.")

    return check


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path.name!r} cannot be read: {str(error)[:200]}. Is it complete, is its name right, and "
        f"is each column of one type?"
    )


def _parquet(path: Path) -> Source:
    from pyarrow import parquet

    check = _unchanged(path)
    try:
        with parquet.ParquetFile(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
    except (pa.ArrowInvalid, OSError) as error:
        raise _unreadable(path, error) from error
    check_names(schema.names, repr(path.name))

    def read() -> Iterator[pa.RecordBatch]:
        check()
        try:
            with parquet.ParquetFile(path) as file:
                yield from file.iter_batches(BATCH)
        except (pa.ArrowInvalid, OSError) as error:
            raise _unreadable(path, error) from error

    lineage = lineage_of(schema, path.name, file_digest(path))
    return Source(schema=schema, lineage=lineage, read=read, rows=rows)


def _arrow(path: Path) -> Source:
    from geurim.frames import read_arrow

    raw = read_arrow(path, path.name, _unchanged(path))
    check_names(raw.schema.names, repr(path.name))
    return Source(schema=raw.schema, lineage=raw.lineage, read=raw.read, rows=raw.rows)


def _lines(path: Path) -> Source:
    from geurim.delimited import scan
    from geurim.lines import blocks

    check, found = _unchanged(path), scan(path, "utf-8")
    rows, first, schema = 0, 1, pa.schema([])
    for block, count in blocks(path):
        table = _block(block, None, path, first)
        rows, first = rows + len(table), first + count
        try:
            schema = pa.unify_schemas([schema, _plain(table.schema)], promote_options="permissive")
        except pa.ArrowInvalid as error:
            raise _unreadable(path, error) from error
    if not rows or not schema.names:
        raise DataError(f"{path.name!r} has no rows. Give one JSON object a line.")
    schema = pa.schema([_text_for_null(f) for f in schema])

    def read() -> Iterator[pa.RecordBatch]:
        check()
        at = 1
        for block, count in blocks(path):
            yield from _block(block, schema, path, at).to_batches(BATCH)
            at += count

    lineage = Lineage(maker=path.name, digest=found.digest, real=True)
    return Source(schema=schema, lineage=lineage, read=read, rows=rows)


def _block(block: bytes, schema: pa.Schema | None, path: Path, first: int) -> pa.Table:
    from pyarrow import json as arrow_json

    parsing = arrow_json.ParseOptions(explicit_schema=schema)
    options = arrow_json.ReadOptions(block_size=len(block) + 1, use_threads=False)
    try:
        table = arrow_json.read_json(io.BytesIO(block), options, parsing)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(
            f"{path.name!r} is not JSON Lines with one type a column, from line {first:,} on: "
            f"{str(error)[:200]}. Write one object a line, and text in quotes."
        ) from error
    return table if schema is None else table.select(schema.names)


def _plain(schema: pa.Schema) -> pa.Schema:
    return pa.schema([f.with_type(_untimed(f.type)) for f in schema])


def _untimed(kind: pa.DataType) -> pa.DataType:
    """Arrow takes text that looks like a time for one; a text that is a date is a text."""
    if pa.types.is_timestamp(kind):
        return pa.string()
    if pa.types.is_struct(kind):
        return pa.struct([f.with_type(_untimed(f.type)) for f in kind])
    if pa.types.is_list(kind):
        return pa.list_(_untimed(kind.value_type))
    return kind


def _text_for_null(found: pa.Field) -> pa.Field:
    """Text, also inside of lists, where nothing but null was found."""
    kind = found.type
    if pa.types.is_null(kind):
        return found.with_type(pa.string())
    if pa.types.is_struct(kind):
        return found.with_type(pa.struct([_text_for_null(f) for f in kind]))
    if pa.types.is_list(kind):
        return found.with_type(pa.list_(_text_for_null(kind.value_field)))
    return found


def _array(path: Path) -> Source:
    """A file that is one JSON array, as the first instruction sets were."""
    if path.stat().st_size > _LARGEST:
        raise DataError(
            f"{path.name!r} is one JSON array of {path.stat().st_size:,} bytes, which has to be "
            f"read whole. Write JSON Lines: one object a line."
        )
    try:
        rows: Any = json.loads(path.read_bytes())
        if not isinstance(rows, list) or not rows or not all(isinstance(r, dict) for r in rows):
            raise ValueError("it is no array of objects")
        values = pa.array(rows)
        table = pa.Table.from_arrays(values.flatten(), names=[f.name for f in values.type])
    except (ValueError, pa.ArrowInvalid, pa.ArrowTypeError, RecursionError) as error:
        raise _unreadable(path, error) from error
    table = table.cast(pa.schema([_text_for_null(f) for f in table.schema]))
    lineage = Lineage(maker=path.name, digest=file_digest(path), real=True)
    return Source(
        schema=table.schema,
        lineage=lineage,
        read=lambda: iter(table.to_batches(BATCH)),
        rows=len(table),
    )
