"""From raw Arrow batches to a Source: plain types, declared types, guessed types."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from geurim.contract import Lineage, Source
from geurim.errors import DataError, SchemaError
from geurim.infer import ALL, Column
from geurim.schema import Declared, Schema, field_of, type_name

BATCH = 65_536
"""Rows of a batch, at most."""
KEPT = 256 << 20
"""Bytes that may stay in memory instead of being read, or converted, again."""

Read = Callable[[], Iterator[pa.RecordBatch]]
_Convert = Callable[[pa.Array], pa.Array]


@dataclass(frozen=True, kw_only=True)
class Raw:
    """A table as it was found: any Arrow types, any names."""

    what: str  # for messages: "'users.csv'"
    schema: pa.Schema
    read: Read
    lineage: Lineage
    rows: int | None = None
    inspect: Mapping[str, Column] = field(default_factory=dict)  # text whose type is to be guessed
    notes: Mapping[str, str] = field(default_factory=dict)  # column: what to know about it


def finish(raw: Raw, declared: Schema) -> Source:
    """The Source: every column checked, converted and described."""
    names = raw.schema.names
    check_names(names, raw.what)
    declared.check(names)
    kept = [n for n in names if not declared.of(n).drop]
    if not kept:
        raise DataError(f"{raw.what} has no columns left. Drop fewer in the schema.")
    looks = {n: _look(raw, raw.schema.field(n), declared.of(n)) for n in kept}
    columns = {n: look for n, look in looks.items() if isinstance(look, Column)}
    texts = {n: _as_text(raw.schema.field(n)) for n in columns}
    rows, held = raw.rows, None
    if columns:
        rows, held = _inspect(raw, columns, texts, kept)
    if rows == 0:
        raise DataError(f"{raw.what} has no rows. Give a table with at least one row.")
    plans = {n: _plan(raw, n, look, texts) for n, look in looks.items()}
    schema = pa.schema([plans[n][0] for n in kept])
    if held is not None:
        ready = [_convert(batch, schema, plans) for batch in held]
        held.clear()
        return Source(schema=schema, lineage=raw.lineage, read=lambda: _cut(iter(ready)), rows=rows)

    def read() -> Iterator[pa.RecordBatch]:
        return _cut(_convert(batch, schema, plans) for batch in raw.read())

    return Source(schema=schema, lineage=raw.lineage, read=read, rows=rows)


def check_names(names: list[str], what: str) -> None:
    """DataError where a name stands twice, or there is none at all."""
    if not names:
        raise DataError(f"{what} has no columns. Give a table with at least one column.")
    twice = sorted({n for n in names if names.count(n) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise DataError(
            f"{what} has duplicate column names: {', '.join(map(repr, twice[:10]))}. Rename them; "
            f"or, if the first line of a text file holds data, say header = false in a schema."
        )


def name_empty(names: list[str]) -> tuple[list[str], dict[str, str]]:
    """Names for the columns that have none ("column_3"), and a note on each."""
    made, notes, taken = [], {}, set(names)
    for place, name in enumerate(names, 1):
        if not name:
            name = f"column_{place}"
            while name in taken:
                name += "_"
            taken.add(name)
            notes[name] = "had no name"
        made.append(name)
    return made, notes


def _look(raw: Raw, found: pa.Field, declared: Declared) -> Column | _Convert:
    """How a column is to be treated: looked at as text, or converted at once."""
    if found.name in raw.inspect:
        return raw.inspect[found.name]
    convert, kind = plain(found, raw.what)
    numeric = _numeric_opaque(found.type)
    forced = declared.type or ("date" if declared.format else None)
    if numeric and forced is None:
        return Column(name=found.name, declared=declared, kinds=frozenset({"number"}), typed=True)
    if forced is not None and (forced != type_name(kind) or declared.format or numeric):
        return Column(name=found.name, declared=declared, kinds=ALL, typed=True)
    if declared.missing:
        return _without(convert, declared.missing, kind)
    return convert


def _inspect(
    raw: Raw, columns: dict[str, Column], texts: dict[str, _Convert], kept: list[str]
) -> tuple[int, list[pa.RecordBatch] | None]:
    """Look at every value once; the rows counted, and the batches where they are few enough."""
    rows, size = 0, 0
    held: list[pa.RecordBatch] | None = []
    for batch in raw.read():
        rows += batch.num_rows
        for name, column in columns.items():
            column.add(texts[name](batch.column(name)))
        if held is not None:
            size += batch.get_total_buffer_size()
            held.append(batch.select(kept))
            held = held if size <= KEPT else None
    return rows, held


def _plan(
    raw: Raw, name: str, look: Column | _Convert, texts: dict[str, _Convert]
) -> tuple[pa.Field, _Convert]:
    """The final field of a column and the way there."""
    found = raw.schema.field(name)
    own = {k: v for k, v in (found.metadata or {}).items() if k.startswith(b"geurim.")}
    if isinstance(look, Column):
        guess, to_text = look.guess(), texts[name]
        notes = guess.notes()
        if look.typed:
            notes = own | notes
        if (scale := _scale(found)) is not None and pa.types.is_floating(guess.type):
            notes[b"geurim.decimals"] = str(scale).encode()
        made = field_of(name, guess.type, look.declared, notes)
        return _noted(made, raw.notes.get(name)), lambda a: guess.convert(to_text(a))
    kind = plain(found, raw.what)[1]
    own.setdefault(b"geurim.why", f"{kind} in the data".encode())
    return _noted(pa.field(name, kind, metadata=own), raw.notes.get(name)), look


def _noted(made: pa.Field, note: str | None) -> pa.Field:
    if note is None:
        return made
    notes = dict(made.metadata or {})
    notes[b"geurim.why"] = notes.get(b"geurim.why", b"") + f"; {note}".encode()
    return made.with_metadata(notes)


def _convert(
    batch: pa.RecordBatch, schema: pa.Schema, plans: Mapping[str, tuple[pa.Field, _Convert]]
) -> pa.RecordBatch:
    arrays = [plans[n][1](batch.column(n)) for n in schema.names]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _cut(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for start in range(0, batch.num_rows, BATCH):
            yield batch.slice(start, BATCH)


def plain(found: pa.Field, what: str) -> tuple[_Convert, pa.DataType]:
    """How to get plain values of a column, and their type; SchemaError where it has none."""
    kind = found.type
    if isinstance(kind, pa.BaseExtensionType):
        inner, target = _plain_storage(kind, found, what)
        return lambda a: inner(a.storage), target
    if pa.types.is_dictionary(kind):
        inner, target = plain(found.with_type(kind.value_type), what)
        return lambda a: inner(a.dictionary_decode()), target
    if pa.types.is_run_end_encoded(kind):
        inner, target = plain(found.with_type(kind.value_type), what)
        return lambda a: inner(pc.run_end_decode(a)), target
    if pa.types.is_floating(kind):
        target = pa.float64() if pa.types.is_float16(kind) else kind
        return lambda a: _no_nan(a if a.type == target else a.cast(target)), target
    if any(t(kind) for t in (pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)):
        return lambda a: a.cast(pa.string()), pa.string()
    if pa.types.is_date64(kind):
        return lambda a: a.cast(pa.date32()), pa.date32()
    if pa.types.is_interval(kind):
        return _each(_interval), pa.string()
    simple = (pa.types.is_string, pa.types.is_boolean, pa.types.is_integer, pa.types.is_decimal)
    if any(t(kind) for t in simple) or pa.types.is_temporal(kind):
        return lambda a: a, kind
    holds = "bytes" if "binary" in str(kind) else "nested values"
    raise SchemaError(
        f"Column {found.name!r} of {what} holds {holds}: {str(kind)[:80]}. Make plain columns of "
        f"it, or leave it out: drop = true in a schema."
    )


def _plain_storage(
    kind: pa.BaseExtensionType, found: pa.Field, what: str
) -> tuple[_Convert, pa.DataType]:
    if kind.extension_name == "arrow.uuid":
        return _each(_uuid), pa.string()
    if kind.extension_name == "arrow.opaque" and pa.types.is_binary(kind.storage_type):
        # A type that the driver does not know, such as an enum: the database sends its text.
        return lambda a: a.cast(pa.string()), pa.string()
    return plain(found.with_type(kind.storage_type), what)


def _each(text: Callable[[Any], str]) -> _Convert:
    """Value by value, for types that Arrow cannot cast to text."""
    return lambda a: pa.array([None if v is None else text(v) for v in a.to_pylist()], pa.string())


def _uuid(value: bytes) -> str:
    text = value.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _interval(value: tuple[int, int, int]) -> str:
    months, days, nanoseconds = value
    return f"P{months}M{days}DT{nanoseconds / 1e9:g}S"


def _numeric_opaque(kind: pa.DataType) -> bool:
    """PostgreSQL's numeric, which comes as text."""
    return isinstance(kind, pa.OpaqueType) and kind.type_name == "numeric"


def _scale(found: pa.Field) -> int | None:
    """Decimals of a numeric(p, s), from the type modifier; None where there is no limit."""
    if not _numeric_opaque(found.type):
        return None
    modifier = int((found.metadata or {}).get(b"POSTGRESQL:typmod", b"-1"))
    scale = (modifier - 4) & 0x7FF if modifier >= 4 else 0
    return scale if 0 < scale <= 18 else None


def _no_nan(values: pa.Array) -> pa.Array:
    """NaN is no number: it becomes missing, as everywhere in Geurim."""
    bad = pc.is_nan(values)
    if not bad.true_count:
        return values
    return pc.if_else(bad, pa.scalar(None, values.type), values)


def _as_text(found: pa.Field) -> _Convert:
    """How to see any column as text."""
    if pa.types.is_string(found.type):
        return lambda a: a
    convert, kind = plain(found, "the data")
    return lambda a: convert(a) if pa.types.is_string(kind) else convert(a).cast(pa.string())


def _without(convert: _Convert, tokens: tuple[str, ...], kind: pa.DataType) -> _Convert:
    """The same column with the values that mean missing taken out."""
    values = []
    for token in tokens:
        try:
            values.append(pa.scalar(token).cast(kind))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue  # such a token cannot stand in this column
    if not values:
        return convert
    found = pa.array([v.as_py() for v in values], kind)

    def without(array: pa.Array) -> pa.Array:
        array = convert(array)
        return pc.if_else(pc.is_in(array, value_set=found), pa.scalar(None, kind), array)

    return without
