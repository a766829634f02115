"""Where data go to: files and database tables, written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import gzip
import json
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from geurim.contract import Event, Progress, Source, quiet
from geurim.convert import check_names
from geurim.databases import is_url
from geurim.errors import DataError, GeurimError, NotFound, SettingError, TargetExists
from geurim.frames import LINEAGE

__all__ = ["claim", "write"]

GROUP = 131_072
"""Rows of a Parquet row group."""
_LARGE = 128 << 20  # bytes of a batch, beyond which it becomes text in parts


def write(
    source: Any,
    to: str | Path,
    *,
    table: str | None = None,
    overwrite: bool = False,
    progress: Progress = quiet,
) -> str:
    """Write a Source (or anything `read` takes) to a file or a database table.

    `to` is a path (.parquet, .csv, .tsv, .jsonl, .arrow; text also with .gz) or a database URL
    with a `table`. Rows are streamed. A file appears under its name only when it is complete; a
    table, when its transaction is committed: after an error or an interrupt all is as before.
    What exists already is replaced only with `overwrite`. Parquet and Arrow files carry the
    lineage. Returns where the rows went, without a password.

    Raises TargetExists, NotFound (no such folder), SettingError, DataError (also for a full disk).
    """
    from geurim.read import as_source

    if is_url(to):
        from geurim.tables import write_table

        return write_table(as_source(source), str(to), table, overwrite, progress)
    if table is not None:
        raise SettingError(f"A table is for databases only, but {str(to)!r} is a file. Leave it.")
    path = Path(to).expanduser()
    form = _form(path)
    rows = as_source(source)
    check_names(rows.schema.names, "The table to write")
    with claim(path, overwrite=overwrite) as temporary:
        form(rows, temporary, counted(rows, progress), path.name)
    return str(path)


def counted(source: Source, progress: Progress) -> Iterator[pa.RecordBatch]:
    """The source's batches; each one is reported when the next is asked for."""
    done = 0
    for batch in source.read():
        yield batch
        done += batch.num_rows
        progress(Event(step="write", done=done, total=source.rows))


_Writer = Callable[[Source, Path, Iterator[pa.RecordBatch], str], None]


def _form(path: Path) -> _Writer:
    name = path.name.lower()
    forms: dict[str, _Writer] = {
        ".parquet": _parquet,
        ".pq": _parquet,
        ".arrow": _arrow,
        ".feather": _arrow,
        ".csv": _csv,
        ".tsv": _csv,
        ".jsonl": _json,
        ".ndjson": _json,
    }
    plain = name.removesuffix(".gz")
    form = forms.get(Path(plain).suffix)
    if form is None or (plain != name and form in (_parquet, _arrow)):
        raise SettingError(
            f"Unknown kind of file: {path.name!r}. Use .parquet, .csv, .csv.gz, .tsv, .jsonl or "
            f".arrow; or a database URL."
        )
    return form


@contextlib.contextmanager
def claim(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A temporary sibling to write to; it takes the name at the end, or is removed on any error."""
    if path.is_dir():
        raise SettingError(f"{str(path)!r} is a folder. Give the name of a file in it.")
    if not path.parent.is_dir():
        raise NotFound(f"There is no folder {str(path.parent)!r} to write to. Make it first.")
    _refuse(path, overwrite)
    temporary = path.with_name(f".{path.name[:80]}.{secrets.token_hex(4)}.part")
    try:
        temporary.touch(exist_ok=False)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        _refuse(path, overwrite)
        temporary.replace(path)
    except OSError as error:
        if isinstance(error, GeurimError):
            raise
        raise _no_room(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _refuse(path: Path, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise TargetExists(
            f"{str(path)!r} exists already. Give another name, or overwrite=True (--overwrite)."
        )


def _no_room(path: Path, error: OSError) -> DataError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or "No space" in str(error)
    what = "the disk is full" if full else error.strerror or str(error)
    return DataError(
        f"Cannot write {str(path)!r}: {what}. Nothing was left behind; "
        f"{'free space or ' if full else ''}give another place."
    )


def stamped(source: Source) -> pa.Schema:
    """The schema with the lineage in its metadata."""
    notes = dict(source.schema.metadata or {})
    text = json.dumps(source.lineage.to_json(), ensure_ascii=False)
    return source.schema.with_metadata({**notes, LINEAGE: text.encode()})


def _parquet(source: Source, path: Path, batches: Iterator[pa.RecordBatch], name: str) -> None:
    from pyarrow import parquet

    schema = stamped(source)
    writer: Any = None
    try:
        for group in _groups(batches, schema):
            if writer is None:
                writer = parquet.ParquetWriter(path, schema, **_encodings(group))
            writer.write_table(group, row_group_size=GROUP)
        if writer is None:
            writer = parquet.ParquetWriter(path, schema)
    finally:
        if writer is not None:
            writer.close()


def _groups(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Batches joined to row groups."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        while rows >= GROUP:
            table = pa.Table.from_batches(held)
            yield table.slice(0, GROUP).replace_schema_metadata(schema.metadata)
            held = table.slice(GROUP).to_batches()
            rows -= GROUP
    if rows:
        yield pa.Table.from_batches(held).replace_schema_metadata(schema.metadata)


def _encodings(group: pa.Table) -> dict[str, Any]:
    """A dictionary, but not for floats that hardly repeat: there it costs seven times the time."""
    split = []
    for found in group.schema:
        if pa.types.is_float64(found.type) or pa.types.is_float32(found.type):
            some = group[found.name].slice(0, 8192)
            if pc.count_distinct(some).as_py() * 4 > len(some):
                split.append(found.name)
    return {
        "compression": "zstd",
        "use_dictionary": [n for n in group.schema.names if n not in split],
        "use_byte_stream_split": split,
    }


def _arrow(source: Source, path: Path, batches: Iterator[pa.RecordBatch], name: str) -> None:
    schema = stamped(source)
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema, options=options) as to:
        for batch in batches:
            to.write_batch(batch)


def _csv(source: Source, path: Path, batches: Iterator[pa.RecordBatch], name: str) -> None:
    from geurim import render

    separator = "\t" if ".tsv" in name.lower() else ","
    with _text_file(path, name) as file:
        file.write(render.csv_header(source.schema, separator))
        for batch in batches:
            for part in _parts(batch.cast(source.schema)):
                file.write(render.csv_lines(part, separator))


def _json(source: Source, path: Path, batches: Iterator[pa.RecordBatch], name: str) -> None:
    from geurim import render

    with _text_file(path, name) as file:
        for batch in batches:
            for part in _parts(batch.cast(source.schema)):
                file.write(render.json_lines(part))


def _parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    count = 1 + batch.nbytes // _LARGE
    size = -(-batch.num_rows // count)
    for start in range(0, batch.num_rows, max(size, 1)):
        yield batch.slice(start, size)


@contextlib.contextmanager
def _text_file(path: Path, name: str) -> Iterator[BinaryIO]:
    with path.open("wb") as plain:
        if not name.lower().endswith(".gz"):
            yield plain
            return
        # Without a name and a time inside, the same rows give the same bytes.
        with gzip.GzipFile(filename="", mode="wb", fileobj=plain, compresslevel=4, mtime=0) as file:
            yield file  # type: ignore[misc]
