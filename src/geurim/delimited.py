"""Text files with separators: encoding, separator and header found out, types guessed."""

from __future__ import annotations

import codecs
import contextlib
import csv
import gzip
import hashlib
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from geurim import dates
from geurim.contract import Lineage
from geurim.convert import Raw, check_names, name_empty
from geurim.errors import DataError, SchemaError
from geurim.infer import Column
from geurim.schema import Schema

SEPARATORS = ",;\t|"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHUNK = 1 << 20
_BLOCK = 4 << 20


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a text file is written."""

    encoding: str
    separator: str
    names: list[str] | None  # None: no header
    lines: int  # lines before the first row
    quotes: int  # how many there are; where there are any, a value may hold a line end


@dataclass(frozen=True)
class Scan:
    """What one pass over a file's bytes tells."""

    digest: str
    encoding: str
    quotes: int


def opened(path: Path) -> BinaryIO:
    """A file's bytes, unpacked where it is gzipped."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else path.open("rb")  # type: ignore[return-value]


def scan(path: Path, encoding: str | None) -> Scan:
    """Hash the content, find the encoding, look for quotes and bytes that are no text."""
    digest, quotes, nuls, size = hashlib.sha256(), 0, 0, 0
    utf8: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()
    head = b""
    try:
        with opened(path) as file:
            while chunk := file.read(_CHUNK):
                head = head or chunk[:4]
                digest.update(chunk)
                quotes += chunk.count(b'"')
                nuls += chunk.count(0)
                size += len(chunk)
                utf8 = _still(utf8, chunk)
    except (EOFError, gzip.BadGzipFile, OSError) as error:
        raise DataError(f"Cannot read {path.name!r}: {error}. Is the file complete?") from error
    if not size:
        raise DataError(f"{path.name!r} is empty. Give a file with a header and rows.")
    found = next((name for bom, name in _BOMS if head.startswith(bom)), None)
    utf8 = _still(utf8, b"", final=True)
    if encoding is None and found is None:
        if nuls and (utf8 is None or nuls * 3 > size):
            raise DataError(
                f"{path.name!r} is not a text file: it holds {nuls:,} NUL bytes. If it is text in "
                f"UTF-16, say encoding = 'utf-16-le' in a schema."
            )
        found = "utf-8" if utf8 else _legacy(path)
    return Scan(digest.hexdigest(), _codec(encoding) or found or "utf-8", quotes)


def _still(
    decoder: codecs.IncrementalDecoder | None, chunk: bytes, final: bool = False
) -> codecs.IncrementalDecoder | None:
    """The decoder, or None once the bytes are not in its encoding."""
    if decoder is None or (chunk.isascii() and not decoder.getstate()[0]):
        return decoder
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return None
    return decoder


def _codec(name: str | None) -> str | None:
    if name is None:
        return None
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise SchemaError(
            f"Unknown encoding: {name!r}. Use one that Python knows: utf-8, cp949, latin-1, …"
        ) from None


def _legacy(path: Path) -> str:
    """The encoding of text that is not UTF-8: Korean, or Western European."""
    korean = codecs.getincrementaldecoder("cp949")()
    common = total = 0
    with opened(path) as file:
        try:
            while chunk := file.read(_CHUNK):
                wide = "".join(c for c in korean.decode(chunk) if c > "\x7f")
                total += len(wide)
                common += len(wide.encode("euc_kr", "ignore")) // 2
            korean.decode(b"", True)
        except UnicodeDecodeError:
            total = 0
    # Western text that happens to decode gives syllables that Korean hardly uses.
    if total and common >= 0.9 * total:
        return "cp949"
    with opened(path) as file:
        western: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("cp1252")()
        while western and (chunk := file.read(_CHUNK)):
            western = _still(western, chunk)
    return "cp1252" if western else "latin-1"


def find_dialect(path: Path, found: Scan, declared: Schema) -> Dialect:
    """Separator and header, from the first lines."""
    with opened(path) as file:
        text = io.TextIOWrapper(file, encoding=found.encoding, newline="")
        try:
            head = text.read(1 << 18)
        except UnicodeError as error:
            raise DataError(
                f"{path.name!r} is not in {found.encoding}: {error}. Give the right encoding."
            ) from error
    separator = declared.separator or _separator(head, path)
    rows = csv.reader(io.StringIO(head, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        first = next((row for row in rows if row), None)
    except csv.Error as error:
        raise DataError(f"Cannot read the header of {path.name!r}: {error}. Correct it.") from error
    lines, second = rows.line_num, None
    with contextlib.suppress(csv.Error):  # a value too long for Python's csv is not for Arrow's
        second = next((row for row in rows if row), None)
    if first is None:
        raise DataError(f"{path.name!r} is empty. Give a file with a header and rows.")
    if declared.header is False:
        return Dialect(
            encoding=found.encoding, separator=separator, names=None, lines=0, quotes=found.quotes
        )
    names = [n.strip().removeprefix("\ufeff") for n in first]
    check_names([n for n in names if n] or ["column_1"], repr(path.name))
    if declared.header is None:
        _check_header(names, second, path)
    return Dialect(
        encoding=found.encoding, separator=separator, names=names, lines=lines, quotes=found.quotes
    )


def _separator(head: str, path: Path) -> str:
    """The separator that splits the first lines alike, into the most columns."""
    best, score = ("\t" if path.name.lower().endswith((".tsv", ".tsv.gz")) else ","), (0.0, 0)
    for separator in SEPARATORS:
        reader = csv.reader(io.StringIO(head, newline=""), delimiter=separator)
        counts: list[int] = []
        with contextlib.suppress(csv.Error):
            counts.extend(len(row) for row, _ in zip(reader, range(100), strict=False) if row)
        # The last line may be cut off by the end of the sample.
        counts = counts[:-1] if len(counts) > 2 else counts
        if not counts or counts[0] < 2:
            continue
        alike = Counter(counts)[counts[0]] / len(counts)
        if (round(alike, 1), counts[0]) > score:
            best, score = separator, (round(alike, 1), counts[0])
    return best


_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def _check_header(names: list[str], second: list[str] | None, path: Path) -> None:
    """DataError where the first line clearly holds data: numbers or dates, as the second does."""
    if second is None or len(second) != len(names):
        return
    pairs = zip(names, second, strict=True)
    alike = [n for n, s in pairs if _is_value(n) and _is_value(s.strip())]
    whole = [int(n) for n in alike if n.isdigit() and not (len(n) > 1 and n[0] == "0")]
    # Names such as 0, 1, 2 or 2019, 2020, 2021 are numbers, but names.
    counted = len(whole) == len(alike) and whole == sorted(set(whole))
    if len(alike) * 3 >= len(names) and alike and not counted:
        raise DataError(
            f"The first line of {path.name!r} looks like data, not like column names: "
            f"{', '.join(map(repr, alike[:4]))}. Add a line with names; or say header = false in "
            f"a schema, and the columns become column_1, column_2, …; or header = true."
        )


def _is_value(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text) or dates.candidates(text, frozenset({"date", "datetime"})))


def read_delimited(path: Path, maker: str, declared: Schema, check: Callable[[], None]) -> Raw:
    """A text file with separators. `check` raises once the file is not the one first seen."""
    found = scan(path, declared.encoding)
    dialect = find_dialect(path, found, declared)
    width = _width(path, dialect) if dialect.names is None else len(dialect.names)
    names, notes = name_empty(dialect.names or [""] * width)
    if dialect.names is None:
        notes = {}
    check_names(names, repr(path.name))
    if dialect.encoding not in ("utf-8", "utf-8-sig"):
        notes = {n: f"{notes.get(n, '')} read as {dialect.encoding}".strip() for n in names}

    def read() -> Iterator[pa.RecordBatch]:
        check()
        yield from _batches(path, dialect, names)

    return Raw(
        what=repr(path.name),
        schema=pa.schema([(n, pa.string()) for n in names]),
        read=read,
        lineage=Lineage(maker=maker, digest=found.digest, real=True),
        inspect={n: Column(name=n, declared=declared.of(n)) for n in names},
        notes=notes,
    )


def _width(path: Path, dialect: Dialect) -> int:
    with opened(path) as file:
        text = io.TextIOWrapper(file, encoding=dialect.encoding, newline="")
        return len(next(row for row in csv.reader(text, delimiter=dialect.separator) if row))


def _batches(path: Path, dialect: Dialect, names: list[str]) -> Iterator[pa.RecordBatch]:
    try:
        with _stream(path) as stream:
            try:
                reader = _reader(stream, dialect, names)
            except StopIteration:
                return
            last: str | None = ""
            for batch in reader:
                if batch.num_rows:
                    last = batch.column(batch.num_columns - 1)[batch.num_rows - 1].as_py()
                    yield batch
            if dialect.quotes % 2 and "\n" in (last or ""):
                raise DataError(
                    f"{path.name!r} has a quote that is never closed: the last value runs on over "
                    f"line ends to the end of the file: {(last or '')[:60]!r}. Close the quote."
                )
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error) or "Could not skip initial" in str(error):
            return  # a header alone
        raise _explain(path, dialect, names, error) from error


def _stream(path: Path) -> pa.NativeFile:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return pa.input_stream(str(path), compression="gzip" if packed else None)


def _reader(
    stream: pa.NativeFile,
    dialect: Dialect,
    names: list[str],
    handler: Callable[[Any], str] | None = None,
) -> pa.RecordBatchReader:
    from pyarrow import csv as arrow_csv

    return arrow_csv.open_csv(
        stream,
        read_options=arrow_csv.ReadOptions(
            column_names=names,
            skip_rows=dialect.lines,
            encoding="utf8" if dialect.encoding.startswith("utf-8") else dialect.encoding,
            # Wide tables in blocks of enough rows, or each block costs more than its values.
            block_size=min(max(_BLOCK, len(names) << 16), 16 * _BLOCK),
            use_threads=handler is None,
        ),
        parse_options=arrow_csv.ParseOptions(
            delimiter=dialect.separator,
            newlines_in_values=dialect.quotes > 0,
            invalid_row_handler=handler,
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types={n: pa.string() for n in names}, strings_can_be_null=False
        ),
    )


def _explain(path: Path, dialect: Dialect, names: list[str], error: Exception) -> DataError:
    """Which row is at fault: read again in one thread, where rows are counted."""
    bad: list[str] = []

    def note(row: Any) -> str:
        bad.append(
            f"row {row.number or '?'} has {row.actual_columns} fields instead of "
            f"{row.expected_columns}: {row.text[:80]!r}"
        )
        return "error"

    try:
        with _stream(path) as stream:
            for _ in _reader(stream, dialect, names, note):
                pass
    except pa.ArrowInvalid:
        pass
    text = bad[0] if bad else str(error)
    return DataError(
        f"{path.name!r} cannot be read: {text}. Correct it, or give the right separator (now "
        f"{dialect.separator!r}) in a schema."
    )
