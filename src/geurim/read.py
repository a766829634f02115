"""Where data come from: files, databases and frames, all made a Source."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from geurim.contract import Source
from geurim.convert import Raw, finish
from geurim.databases import is_url, read_database, redact
from geurim.errors import DataError, NotFound, SettingError
from geurim.frames import read_arrow, read_frame, read_parquet
from geurim.schema import Schema, guesses, load_schema, write_schema

__all__ = ["as_source", "guesses", "read", "redact", "write_schema"]

_FORMS = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".tab": "delimited",
    ".txt": "delimited",
    ".data": "delimited",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}


def read(
    data: Any,
    *,
    table: str | None = None,
    query: str | None = None,
    schema: str | Path | Mapping[str, Any] | Schema | None = None,
) -> Source:
    """Read a table: its types are found out with care, and it can be read again.

    `data` is a path (CSV or TSV, Parquet, JSON Lines, Arrow; text also gzipped), a database URL
    (`sqlite:///file.db`, `duckdb:///file.duckdb`, `postgresql://user:password@host/database`) with
    a `table` or a `query`, a frame of pandas, Polars or Arrow, anything with an Arrow stream, or a
    Source, which is returned as it is. `schema` is a schema file (docs/schema-file.md) or a mapping
    of the same form; it overrides what would be guessed. `guesses(source)` lists every guess.

    A CSV file is looked through to its end, so that no value can contradict its column's type.
    Files are streamed each time; what can be read only once (a database, a stream) is kept, in
    memory up to 256 MB and beyond that in a temporary file. The lineage's digest is the SHA-256
    of a file's content (unpacked, if text), or of the Arrow buffers of a frame or a database
    table; rows written by Geurim to Parquet or Arrow keep the lineage that stands in the file.

    Raises DataError (and SchemaError) for unusable data, NotFound, SettingError,
    ConnectionFailed, and MissingExtra where a library is not installed.
    """
    if isinstance(data, Source):
        if schema is not None:
            raise SettingError("A schema was given for a Source, which has one. Give it to read().")
        return data
    declared = load_schema(schema)
    path = None if is_url(data) else _as_path(data)
    if path is not None and (database := _database_of(path)):
        data = f"{database}:///{quote(str(path))}"
    if is_url(data):
        return finish(read_database(str(data), table, query, declared), declared)
    if table is not None or query is not None:
        raise SettingError(
            "A table or a query is for databases only, but the data are no database URL. "
            "Leave it out."
        )
    raw = _read_file(path, declared) if path is not None else read_frame(data)
    if raw is None:
        raise SettingError(
            f"Cannot read a {type(data).__module__}.{type(data).__qualname__}. Give a path, a "
            f"database URL, a frame of pandas, Polars or Arrow, or a Source."
        )
    return finish(raw, declared)


def as_source(data: Any) -> Source:
    """Whatever a step was given, as a Source."""
    return read(data)


def _as_path(data: Any) -> Path | None:
    if not isinstance(data, str | Path):
        return None
    if not str(data):
        raise NotFound("The path is empty. Give the path of a file.")
    path = Path(data).expanduser()
    if path.is_dir():
        raise DataError(f"{str(path)!r} is a folder, not a file. Give one of the files in it.")
    if not path.exists():
        folder = path.parent
        names = [p.name for p in folder.iterdir()] if folder.is_dir() else []
        near = difflib.get_close_matches(path.name, names, n=3)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        if not folder.is_dir():
            hint = f" The folder {str(folder)!r} is not there either."
        raise NotFound(f"There is no file {str(path)!r}.{hint} Check the path.")
    return path


def _database_of(path: Path) -> str | None:
    head = _head(path)
    if head.startswith(b"SQLite format 3\0"):
        return "sqlite"
    return "duckdb" if head[8:12] == b"DUCK" else None


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(16)
    except OSError as error:
        raise DataError(f"Cannot open {str(path)!r}: {error.strerror}. Check its rights.") from None


def _read_file(path: Path, declared: Schema) -> Raw:
    head = _head(path)
    if not head:
        raise DataError(f"{path.name!r} is empty. Give a file with a header and rows.")
    form = _form(path, head)
    check = _unchanged(path)
    if form == "parquet":
        return read_parquet(path, path.name, check)
    if form == "arrow":
        return read_arrow(path, path.name, check)
    if form == "lines":
        from geurim.lines import read_lines

        return read_lines(path, path.name, declared, check)
    from geurim.delimited import read_delimited

    return read_delimited(path, path.name, declared, check)


def _form(path: Path, head: bytes) -> str:
    """The form of a file: what its first bytes say, else its name, else a look inside."""
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return "arrow"
    if head.startswith(b"PK\x03\x04"):
        raise DataError(
            f"{path.name!r} is a ZIP archive or a spreadsheet. Unpack it, or save it as CSV."
        )
    suffixes = [s.lower() for s in path.suffixes if s.lower() != ".gz"]
    form = _FORMS.get(suffixes[-1]) if suffixes else None
    if form is not None:
        return form
    from geurim.delimited import opened

    with opened(path) as file:
        start = file.read(4096).lstrip()
    if start.startswith(b"["):
        raise DataError(
            f"{path.name!r} looks like one JSON array. Write JSON Lines: one object a line."
        )
    return "lines" if start.startswith(b"{") else "delimited"


def _unchanged(path: Path) -> Callable[[], None]:
    """A check that the file is still the one that was looked at."""
    seen = path.stat()

    def check() -> None:
        try:
            now = path.stat()
        except FileNotFoundError:
            raise NotFound(f"{str(path)!r} is gone since it was first read. Put it back.") from None
        if (now.st_size, now.st_mtime_ns) != (seen.st_size, seen.st_mtime_ns):
            raise DataError(f"{str(path)!r} has changed since it was first read. Read it again.")

    return check
