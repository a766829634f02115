"""Arrow batches as lines of text: CSV and JSON, whole columns at a time."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.compute as pc

from geurim import dates
from geurim.errors import DataError

_QUOTE = json.JSONEncoder(ensure_ascii=False).encode  # json.dumps would make one a value
_QUOTED = r'[",\r\n\t;|]|^\s|\s$|^$'


def csv_lines(batch: pa.RecordBatch, separator: str) -> pa.Buffer:
    """The rows of a batch as CSV in UTF-8.

    A missing value is an empty field, or the one token that stood for it in the real file.
    """
    columns = [_csv_column(a, f) for a, f in zip(batch.columns, batch.schema, strict=True)]
    if len(columns) == 1:
        # A line with nothing in it would be no row.
        columns = [pc.fill_null(columns[0], '""')]
    return _joined(columns, separator, "\n")


def csv_header(schema: pa.Schema, separator: str) -> bytes:
    """The line of column names."""
    return separator.join(_quote_names(schema.names)).encode() + b"\n"


def _quote_names(names: list[str]) -> list[str]:
    return list(_quoted(pa.array(names, pa.string())).to_pylist())


def _csv_column(values: pa.Array, found: pa.Field) -> pa.Array:
    text = shown(values, found)
    kind = found.type
    bare = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    text = text if bare else _quoted(text)
    tokens = json.loads((found.metadata or {}).get(b"geurim.missing", b"[]"))
    return pc.fill_null(text, _quoted(pa.array(tokens))[0]) if len(tokens) == 1 else text


def shown(values: pa.Array, found: pa.Field) -> pa.Array:
    """A column as text, as its field's notes want it; missing values (and NaN) stay missing."""
    notes, kind = found.metadata or {}, found.type
    form = notes.get(b"geurim.format")
    if pa.types.is_floating(kind):
        return _numbers(values, notes.get(b"geurim.decimals"))
    if pa.types.is_decimal(kind):
        return _decimals(values)
    if form is not None and (pa.types.is_date(kind) or pa.types.is_time(kind)):
        return dates.render(values, form.decode())
    if form is not None and pa.types.is_timestamp(kind):
        return dates.render(values, form.decode())
    if pa.types.is_dictionary(kind):
        return shown(values.dictionary_decode(), found.with_type(kind.value_type))
    if pa.types.is_nested(kind) or "binary" in str(kind):
        raise DataError(
            f"Column {found.name!r} cannot be written as text: {str(kind)[:60]}. Use Parquet."
        )
    return values.cast(pa.string())


def _numbers(values: pa.Array, decimals: bytes | None) -> pa.Array:
    bad = pc.is_nan(values)
    if bad.true_count:
        values = pc.if_else(bad, pa.scalar(None, values.type), values)
    if decimals is None:
        return values.cast(pa.string())
    finite = pc.and_kleene(pc.is_finite(values), pc.less(pc.abs(values), 1e15))
    fixed = pc.if_else(finite, values, pa.scalar(None, values.type))
    made = _decimals(fixed.cast(pa.decimal128(38, int(decimals)), safe=False))
    if fixed.null_count == values.null_count:
        return made
    return pc.coalesce(made, values.cast(pa.string()))


def _decimals(values: pa.Array) -> pa.Array:
    """Decimals as text, without the exponent that Arrow gives to small ones ("0E-7")."""
    made = values.cast(pa.string())
    odd = pc.fill_null(pc.match_substring(made, "E"), False)
    if not odd.true_count:
        return made
    plain = [format(v, "f") for v in values.filter(odd).to_pylist()]
    return pc.replace_with_mask(made, odd, pa.array(plain, pa.string()))


def _quoted(values: pa.Array) -> pa.Array:
    needed = pc.match_substring_regex(values, _QUOTED)
    if not needed.true_count:
        return values
    inner = pc.replace_substring(values, '"', '""')
    wrapped = pc.binary_join_element_wise('"', inner, '"', "")
    return pc.if_else(needed, wrapped, values)


def _joined(columns: list[pa.Array], separator: str, end: str) -> pa.Buffer:
    """Element by element, one after the other: the bytes of all lines."""
    columns = [*columns[:-1], _with_nulls_as_nothing(columns[-1], end)]
    lines = pc.binary_join_element_wise(
        *columns, separator, null_handling="replace", null_replacement=""
    )
    if not isinstance(lines, pa.Array):
        lines = lines.combine_chunks()
    ends = memoryview(lines.buffers()[1]).cast("i")
    return lines.buffers()[2].slice(0, ends[len(lines)]) if len(lines) else pa.py_buffer(b"")


def _with_nulls_as_nothing(values: pa.Array, end: str) -> pa.Array:
    return pc.binary_join_element_wise(
        values, end, "", null_handling="replace", null_replacement=""
    )


def json_lines(batch: pa.RecordBatch) -> pa.Buffer:
    """The rows of a batch as JSON objects, one a line; a missing value is null."""
    columns = []
    for place, (values, found) in enumerate(zip(batch.columns, batch.schema, strict=True)):
        text = pc.fill_null(_json_column(values, found), "null")
        key = ("{" if place == 0 else ",") + json.dumps(found.name, ensure_ascii=False) + ":"
        columns.append(pc.binary_join_element_wise(key, text, ""))
    return _joined(columns, "", "}\n")


def _json_column(values: pa.Array, found: pa.Field) -> pa.Array:
    """A column as JSON text; a missing value stays missing."""
    kind = found.type
    if pa.types.is_dictionary(kind):
        return _json_column(values.dictionary_decode(), found.with_type(kind.value_type))
    if pa.types.is_floating(kind):
        if pc.any(pc.is_inf(values)).as_py():
            raise DataError(
                f"Column {found.name!r} holds infinite numbers, which JSON does not know. Write "
                f"Parquet or CSV."
            )
        return _numbers(values, None)
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_decimal(kind):
        return shown(values, found)
    if pa.types.is_string(kind):
        return _escaped(values)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _escaped(values.cast(pa.string()))
    if pa.types.is_struct(kind):
        return _json_struct(values, found)
    if pa.types.is_map(kind) and pa.types.is_string(kind.key_type):
        return _json_map(values, found)
    if isinstance(kind, _LISTS):
        items = _json_inner(values.flatten(), found, kind.value_field.with_name("[]"))
        return _grouped(values, items, "[", "]")
    return _escaped(shown(values, found))


_LISTS = (pa.ListType, pa.LargeListType, pa.FixedSizeListType)


def _json_inner(values: pa.Array, outer: pa.Field, inner: pa.Field) -> pa.Array:
    """The values inside a nested column, named by the way there: "turns[].score"."""
    dot = "" if inner.name.startswith("[") else "."
    named = inner.with_name(f"{outer.name}{dot}{inner.name}")
    return pc.fill_null(_json_column(values, named), "null")


def _json_struct(values: pa.StructArray, found: pa.Field) -> pa.Array:
    parts: list[pa.Array | str] = []
    for child, inner in zip(values.flatten(), found.type, strict=True):
        key = ("," if parts else "{") + json.dumps(inner.name, ensure_ascii=False) + ":"
        parts += [key, _json_inner(child, found, inner)]
    if not parts:
        parts = ["{", pa.array([""] * len(values), pa.string())]
    made = pc.binary_join_element_wise(*parts, "}", "")
    return pc.if_else(values.is_valid(), made, pa.scalar(None, pa.string()))


def _json_map(values: pa.MapArray, found: pa.Field) -> pa.Array:
    """A map whose keys are text, as one object."""
    rows = values.cast(pa.list_(pa.struct([found.type.key_field, found.type.item_field])))
    keys, items = rows.flatten().flatten()
    items = _json_inner(items, found, found.type.item_field)
    return _grouped(rows, pc.binary_join_element_wise(_escaped(keys), items, ":"), "{", "}")


def _grouped(values: pa.Array, items: pa.Array, start: str, end: str) -> pa.Array:
    """Every row's items with commas between them; `items` are those of the rows that are there."""
    lengths = pc.fill_null(pc.list_value_length(values), 0).cast(pa.int64())
    ends = pc.cumulative_sum(lengths).cast(pa.int32())
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, items), ",")
    made = pc.binary_join_element_wise(start, joined, end, "")
    return pc.if_else(values.is_valid(), made, pa.scalar(None, pa.string()))


def _escaped(values: pa.Array) -> pa.Array:
    """Each distinct value escaped once; letters of every language stay as they are."""
    coded = values.dictionary_encode()
    made = [_QUOTE(v) for v in coded.dictionary.to_pylist()]
    return pa.array(made, pa.string()).take(coded.indices)
