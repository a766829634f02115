"""Tables that have types already: Parquet, Arrow files, and frames in memory."""

from __future__ import annotations

import hashlib
import json
import tempfile
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from geurim.contract import Lineage, Source
from geurim.convert import BATCH, KEPT, Raw, Read, name_empty
from geurim.errors import DataError

LINEAGE = b"geurim.lineage"


def lineage_of(schema: pa.Schema, maker: str, digest: str) -> Lineage:
    """The lineage that a file or table written by Geurim carries; else that of real data."""
    state = (schema.metadata or {}).get(LINEAGE)
    if state is None:
        return Lineage(maker=maker, digest=digest, real=True)
    try:
        return Lineage.from_json(json.loads(state))
    except (ValueError, KeyError, TypeError):
        # Something made these rows, even if a newer version wrote it down in another way.
        return Lineage(maker=maker, digest=digest)


def read_parquet(path: Path, maker: str, check: Callable[[], None]) -> Raw:
    """A Parquet file, row group by row group."""
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
    except (pa.ArrowInvalid, OSError) as error:
        raise _broken(path, "Parquet", error) from error

    def read() -> Iterator[pa.RecordBatch]:
        check()
        try:
            with parquet.ParquetFile(path) as file:
                yield from file.iter_batches(BATCH)
        except (pa.ArrowInvalid, OSError) as error:
            raise _broken(path, "Parquet", error) from error

    return _raw(repr(path.name), schema, read, lineage_of(schema, maker, file_digest(path)), rows)


def read_arrow(path: Path, maker: str, check: Callable[[], None]) -> Raw:
    """An Arrow IPC file or stream."""
    with path.open("rb") as file:
        stream = file.read(6) != b"ARROW1"

    def batches() -> Iterator[pa.RecordBatch]:
        with pa.OSFile(str(path)) as file:
            if stream:
                yield from pa.ipc.open_stream(file)
                return
            reader = pa.ipc.open_file(file)
            for i in range(reader.num_record_batches):
                yield reader.get_batch(i)

    def read() -> Iterator[pa.RecordBatch]:
        check()
        try:
            yield from batches()
        except (pa.ArrowInvalid, OSError) as error:
            raise _broken(path, "Arrow", error) from error

    try:
        with pa.OSFile(str(path)) as file:
            opened = pa.ipc.open_stream(file) if stream else pa.ipc.open_file(file)
            schema = opened.schema
        rows = sum(b.num_rows for b in read())
    except (pa.ArrowInvalid, OSError) as error:
        raise _broken(path, "Arrow", error) from error
    return _raw(repr(path.name), schema, read, lineage_of(schema, maker, file_digest(path)), rows)


def _broken(path: Path, form: str, error: Exception) -> DataError:
    return DataError(
        f"{path.name!r} is not a {form} file that can be read: {str(error)[:200]}. "
        f"Is it complete, and is its name right?"
    )


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _raw(what: str, schema: pa.Schema, read: Read, lineage: Lineage, rows: int | None) -> Raw:
    names, notes = name_empty(schema.names)
    if names == schema.names:
        return Raw(what=what, schema=schema, read=read, lineage=lineage, rows=rows)
    renamed = pa.schema([f.with_name(n) for f, n in zip(schema, names, strict=True)])

    def again() -> Iterator[pa.RecordBatch]:
        for batch in read():
            yield pa.RecordBatch.from_arrays(batch.columns, names)

    return Raw(what=what, schema=renamed, read=again, lineage=lineage, rows=rows, notes=notes)


def read_frame(data: Any) -> Raw | None:
    """A frame of pandas, Polars or Arrow, or anything with an Arrow stream; None: no such thing."""
    if isinstance(data, pa.RecordBatch):
        return _table("Arrow batch", pa.Table.from_batches([data]))
    if isinstance(data, pa.Table):
        return _table("Arrow table", data)
    if isinstance(data, pa.RecordBatchReader):
        return spooled("Arrow stream", data.schema, data)
    if _is_dataset(data):
        return _dataset(data)
    library = type(data).__module__.partition(".")[0]
    if library == "pandas" and type(data).__name__ == "DataFrame":
        return _table("pandas frame", _from_pandas(data))
    if library == "polars" and type(data).__name__ == "LazyFrame":
        data = data.collect()
    if hasattr(data, "__arrow_c_stream__"):
        reader = pa.RecordBatchReader.from_stream(data)
        if library == "polars":
            return _table("Polars frame", reader.read_all())
        return spooled(f"{library} table", reader.schema, reader)
    if hasattr(data, "__arrow_c_array__"):
        return _table(f"{library} table", pa.Table.from_batches([pa.record_batch(data)]))
    return None


def _is_dataset(data: Any) -> bool:
    if type(data).__module__ != "pyarrow._dataset":
        return False  # and pyarrow.dataset need not be imported
    return hasattr(data, "to_batches")


def _dataset(data: Any) -> Raw:
    schema = getattr(data, "projected_schema", None) or data.schema
    digest = hashlib.sha256(schema.to_string().encode())
    for name in sorted(getattr(data, "files", [])):
        stat = Path(name).stat() if Path(name).exists() else None
        digest.update(f"{name} {stat and (stat.st_size, stat.st_mtime_ns)}".encode())
    return _raw(
        "The Arrow dataset",
        schema,
        lambda: iter(data.to_batches(batch_size=BATCH)),
        lineage_of(schema, "Arrow dataset", digest.hexdigest()),
        data.count_rows(),
    )


def _from_pandas(data: Any) -> pa.Table:
    names = [str(n) for n in data.columns]
    data = data.set_axis([str(i) for i in range(len(names))], axis=1)
    try:
        table = pa.Table.from_pandas(data, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        said = " ".join(map(str, error.args))
        place = next((i for i in range(len(names)) if f"column {i} " in said), None)
        which = "A column" if place is None else f"Column {names[place]!r}"
        raise DataError(
            f"{which} of the pandas frame mixes types that Arrow cannot hold: {error.args[0]}. "
            f"Convert it, for example with .astype(str)."
        ) from error
    return table.rename_columns(names).replace_schema_metadata()


def _table(what: str, table: pa.Table) -> Raw:
    def read() -> Iterator[pa.RecordBatch]:
        return iter(table.to_batches(BATCH))

    lineage = lineage_of(table.schema, what, _digest(table.schema, read()))
    return _raw(f"The {what}", table.schema, read, lineage, table.num_rows)


class _Hash:
    """A file that is only hashed."""

    closed = False

    def __init__(self) -> None:
        self.hash = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        return len(data)

    def flush(self) -> None: ...

    def close(self) -> None: ...


def _digest(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> str:
    """SHA-256 of the Arrow buffers, as an Arrow stream writes them."""
    sink = _Hash()
    with pa.ipc.new_stream(pa.PythonFile(sink, "w"), schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.hash.hexdigest()


def spooled(
    what: str, schema: pa.Schema, batches: Any, lineage: Callable[[str], Lineage] | None = None
) -> Raw:
    """What can be read only once, kept: in memory, and beyond 256 MB in a temporary Arrow file.

    The file disappears with the Source. `lineage` makes the lineage from the content's digest.
    """
    sink, rows, size = _Hash(), 0, 0
    held: list[pa.RecordBatch] = []
    spool: _Spool | None = None
    with pa.ipc.new_stream(pa.PythonFile(sink, "w"), schema) as hasher:
        for batch in batches:
            rows += batch.num_rows
            hasher.write_batch(batch)
            held.append(batch)
            size += batch.get_total_buffer_size()
            if size > KEPT:
                spool = spool or _Spool(schema)
                spool.write(held)
                held = []
    digest = sink.hash.hexdigest()
    made = lineage(digest) if lineage else lineage_of(schema, what, digest)
    if spool is None:
        return _raw(f"The {what}", schema, lambda: iter(held), made, rows)
    spool.write(held)
    spool.finish()
    return _raw(f"The {what}", schema, spool.read, made, rows)


class _Spool:
    """A temporary Arrow file; removed when nobody holds it any more."""

    def __init__(self, schema: pa.Schema) -> None:
        folder = tempfile.TemporaryDirectory(prefix="geurim-")
        self._path = Path(folder.name) / "spool.arrow"
        self._remove = weakref.finalize(self, folder.cleanup)
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        self._writer = pa.ipc.new_stream(str(self._path), schema, options=options)

    def write(self, batches: list[pa.RecordBatch]) -> None:
        try:
            for batch in batches:
                self._writer.write_batch(batch)
        except OSError as error:
            raise DataError(
                f"No room to keep the rows while they are read: {error}. Free space in "
                f"{tempfile.gettempdir()!r}, or set TMPDIR to another folder."
            ) from error

    def finish(self) -> None:
        self._writer.close()

    def read(self) -> Iterator[pa.RecordBatch]:
        with pa.OSFile(str(self._path)) as file:
            yield from pa.ipc.open_stream(file)


def regrouped(source: Source, rows: int) -> Iterator[pa.Table]:
    """Tables of `rows` rows, the last one fewer, however the source's batches are cut."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in source.read():
        waiting.append(batch)
        count += batch.num_rows
        while count >= rows:
            table = pa.Table.from_batches(waiting, source.schema)
            yield table.slice(0, rows)
            waiting, count = table.slice(rows).to_batches(), count - rows
    if count:
        yield pa.Table.from_batches(waiting, source.schema)
