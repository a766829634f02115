"""JSON Lines: one object a line, keys become columns; a key that is not there is missing."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from geurim.contract import Lineage
from geurim.convert import Raw, name_empty
from geurim.delimited import opened, scan
from geurim.errors import DataError
from geurim.infer import TIMES, Column
from geurim.schema import Schema

_BLOCK = 4 << 20
_LONG = re.compile(rb"[:\s]-?\d{19}")


def read_lines(path: Path, maker: str, declared: Schema, check: Callable[[], None]) -> Raw:
    """A JSON Lines file: types widened over the whole file, dates looked for in text."""
    found = scan(path, declared.encoding)
    if not found.encoding.startswith("utf-8"):
        raise DataError(
            f"{path.name!r} is not JSON Lines in UTF-8, but looks like {found.encoding}. "
            f"Convert it to UTF-8."
        )
    kinds: dict[str, pa.DataType] = {}
    mixed: set[str] = set()
    first, rows = 1, 0
    for block, count in blocks(path):
        found_kinds, found_rows = _kinds(block, path, first, mixed)
        rows += found_rows
        for name, kind in found_kinds.items():
            kinds[name] = _wider(name, kinds.get(name, pa.null()), kind, mixed)
        first += count
    if not kinds:
        raise DataError(f"{path.name!r} has no rows. Give one JSON object a line.")
    keys = list(kinds)
    names, notes = name_empty(keys)
    notes |= {names[keys.index(k)]: "mixed types, read as text" for k in mixed}
    raw = pa.schema([(k, pa.string() if k in mixed else kinds[k]) for k in keys])

    def read() -> Iterator[pa.RecordBatch]:
        check()
        for block, _ in blocks(path):
            batch = _slow(block, raw) if mixed else _fast(block, raw)
            yield pa.RecordBatch.from_arrays(batch.columns, names)

    return Raw(
        what=repr(path.name),
        schema=pa.schema([(n, f.type) for n, f in zip(names, raw, strict=True)]),
        read=read,
        lineage=Lineage(maker=maker, digest=found.digest, real=True),
        inspect={
            n: Column(name=n, declared=declared.of(n), kinds=TIMES, typed=True)
            for n, f in zip(names, raw, strict=True)
            if pa.types.is_string(f.type)
        },
        notes=notes,
        rows=rows,
    )


def blocks(path: Path) -> Iterator[tuple[bytes, int]]:
    """Whole lines, some megabytes at a time, and how many there are."""
    with opened(path) as file:
        rest = b"" if file.read(3) == b"\xef\xbb\xbf" else None
        if rest is None:
            file.seek(0)
            rest = b""
        while chunk := file.read(_BLOCK):
            block, _, tail = (rest + chunk).rpartition(b"\n")
            rest = tail
            if block.strip():
                yield block + b"\n", block.count(b"\n") + 1
        if rest.strip():
            yield rest + b"\n", 1


def _kinds(
    block: bytes, path: Path, first: int, mixed: set[str]
) -> tuple[dict[str, pa.DataType], int]:
    """The types and rows of a block of lines, the quick way, or else line by line."""
    from pyarrow import json as arrow_json

    # Arrow would make a float of a whole number beyond 64 bits.
    if _LONG.search(block):
        return _slow_kinds(block, path, first, mixed)
    try:
        options = arrow_json.ReadOptions(block_size=len(block) + 1)
        table = arrow_json.read_json(io.BytesIO(block), read_options=options)
        found = {f.name: f.type for f in table.schema}
        kinds = {n: pa.string() if pa.types.is_timestamp(t) else t for n, t in found.items()}
        return kinds, table.num_rows
    except pa.ArrowInvalid:
        return _slow_kinds(block, path, first, mixed)


def _slow_kinds(
    block: bytes, path: Path, first: int, mixed: set[str]
) -> tuple[dict[str, pa.DataType], int]:
    kinds: dict[str, pa.DataType] = {}
    rows = 0
    for number, line in enumerate(block.split(b"\n"), first):
        if not line.strip():
            continue
        rows += 1
        for name, value in _object(line, path, number).items():
            kinds[name] = _wider(name, kinds.get(name, pa.null()), _kind(value), mixed)
            if _beyond(value):
                mixed.add(name)
    return kinds, rows


def _object(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        made = json.loads(line, object_pairs_hook=_unique)
    except ValueError as error:
        raise DataError(
            f"Line {number} of {path.name!r} is not JSON: {line[:60].decode(errors='replace')!r} "
            f"({error}). Write one JSON object a line."
        ) from None
    if not isinstance(made, dict):
        raise DataError(
            f"Line {number} of {path.name!r} is not a JSON object: "
            f"{line[:60].decode(errors='replace')!r}. Write one object a line, such as "
            f'{{"age": 41}}.'
        )
    return made


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return made


def _kind(value: Any) -> pa.DataType:
    if value is None:
        return pa.null()
    if isinstance(value, bool):
        return pa.bool_()
    if isinstance(value, int):
        return pa.string() if _beyond(value) else pa.int64()
    if isinstance(value, float):
        return pa.float64()
    return pa.string() if isinstance(value, str) else pa.struct([])


def _beyond(value: Any) -> bool:
    return isinstance(value, int) and not -(2**63) <= value < 2**63


def _wider(name: str, old: pa.DataType, new: pa.DataType, mixed: set[str]) -> pa.DataType:
    """The type that holds both; text where there is none."""
    if old == new or pa.types.is_null(new):
        return old
    if pa.types.is_null(old):
        return new
    if {old, new} == {pa.int64(), pa.float64()}:
        return pa.float64()
    if pa.types.is_nested(old) or pa.types.is_nested(new):
        return pa.struct([])
    mixed.add(name)
    return pa.string()


def _fast(block: bytes, raw: pa.Schema) -> pa.RecordBatch:
    from pyarrow import json as arrow_json

    table = arrow_json.read_json(
        io.BytesIO(block),
        read_options=arrow_json.ReadOptions(block_size=len(block) + 1),
        parse_options=arrow_json.ParseOptions(
            explicit_schema=_without_nested(raw), unexpected_field_behavior="ignore"
        ),
    )
    return _aligned({n: table[n] for n in table.column_names}, raw, table.num_rows)


def _slow(block: bytes, raw: pa.Schema) -> pa.RecordBatch:
    """Where a column mixes types: every value as JSON shows it."""
    rows = [json.loads(line) for line in block.split(b"\n") if line.strip()]
    columns = {}
    for f in _without_nested(raw):
        values = [row.get(f.name) for row in rows]
        if pa.types.is_string(f.type):
            values = [v if v is None or isinstance(v, str) else json.dumps(v) for v in values]
        columns[f.name] = pa.chunked_array([pa.array(values, f.type)])
    return _aligned(columns, raw, len(rows))


def _without_nested(raw: pa.Schema) -> pa.Schema:
    return pa.schema([f for f in raw if not pa.types.is_nested(f.type)])


def _aligned(columns: dict[str, pa.ChunkedArray], raw: pa.Schema, rows: int) -> pa.RecordBatch:
    arrays = [
        columns[f.name].combine_chunks() if f.name in columns else pa.nulls(rows, f.type)
        for f in raw
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=raw)
