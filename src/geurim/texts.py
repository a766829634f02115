"""Where the text is: the forms that rows of text have, and what a person reads in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim import turns as dialogue
from geurim.errors import DataError

_MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
_SHAREGPT = pa.list_(pa.struct([("from", pa.string()), ("value", pa.string())]))
_PAIR = ("prompt", "chosen", "rejected")

FORMS: dict[str, pa.Schema] = {
    "alpaca": pa.schema([(n, pa.string()) for n in ("instruction", "input", "output")]),
    "sharegpt": pa.schema([("conversations", _SHAREGPT)]),
    "messages": pa.schema([("messages", _MESSAGES)]),
    "preference": pa.schema([(n, pa.string()) for n in _PAIR]),
    "preference-messages": pa.schema([(n, _MESSAGES) for n in _PAIR]),
    "text": pa.schema([("text", pa.string())]),
}
"""The forms and their columns."""

SPOKEN = ("messages", "conversations", "conversation", "dialogue", "dialog", "turns")
"""Usual names of columns of dialogues."""


def form_of(schema: pa.Schema) -> str | None:
    """The training form that columns are in (one of FORMS), by their names and types, or None."""
    kinds = {f.name: f.type for f in schema}
    keys = {n: dialogue.turn_keys(kind) for n, kind in kinds.items()}
    if keys.get("messages") == ("role", "content"):
        return "messages"
    if keys.get("conversations") == ("from", "value"):
        return "sharegpt"
    if {"chosen", "rejected"} <= set(kinds):
        both = [keys["chosen"], keys["rejected"]]
        return "preference-messages" if all(both) else None if any(both) else "preference"
    texts = {n for n, kind in kinds.items() if dialogue.is_text(kind)}
    if {"instruction", "output"} <= texts:
        return "alpaca"
    return "text" if "text" in texts else None


_PROSE = ("instruction", "input", "output", "question", "answer", "prompt", "response", "query",
          "completion", "text", "document", "passage", "content", "body", "article", "review",
          "sentence", "comment", "summary", "title")  # fmt: skip


_LABEL = re.compile(
    r"(?:.*_)?(?:id|key|name|type|kind|category|label|url|date|time|language|source)"
)
"""Names of columns that are about a text, not one."""


def text_columns(schema: pa.Schema) -> list[str]:
    """The columns that hold the text a person would read, in reading order.

    Those of the training form where the schema is in one; else columns of dialogues; else columns
    of text with a usual name (question, answer, review, …); else all columns of text but
    those about it (id, label, category).
    Raises DataError where there is none.
    """
    form = form_of(schema)
    if form is not None:
        return [n for n in FORMS[form].names if n in schema.names]
    spoken = [f.name for f in schema if dialogue.turn_keys(f.type)]
    spoken += [n for n in SPOKEN if n in schema.names and dialogue.is_texts(schema.field(n).type)]
    texts = [f.name for f in schema if dialogue.is_text(f.type) or dialogue.is_texts(f.type)]
    usual = [n for n in texts if n.lower() in _PROSE]
    others = [n for n in texts if not _LABEL.fullmatch(n)]
    found = spoken or usual or others or texts
    if not found:
        raise DataError(
            f"No column holds text: {', '.join(schema.names) or 'there are no columns'}. "
            f"Name the column that does."
        )
    return found


def texts_of(batch: pa.RecordBatch, column: str | Sequence[str] | None = None) -> pa.StringArray:
    """One text a row: a column, several, or (None) those that `text_columns` finds.

    Parts and turns are joined by line ends; what is missing or empty is left out, so that a row
    without any text gives "". A dialogue gives what is said, without who says it.
    Raises DataError where a column is not there or holds no text.
    """
    names = [column] if isinstance(column, str) else list(column or text_columns(batch.schema))
    for name in names:
        if name not in batch.schema.names:
            raise DataError(
                f"There is no column {name!r}. Choose one of: {', '.join(batch.schema.names)}."
            )
        kind = batch.schema.field(name).type
        if not (dialogue.is_text(kind) or dialogue.is_texts(kind) or dialogue.turn_keys(kind)):
            raise DataError(f"Column {name!r} holds no text but {str(kind)[:80]}. Choose another.")
    return pc.fill_null(joined(batch, names), "")


def joined(batch: pa.RecordBatch, columns: Sequence[str]) -> pa.StringArray:
    """The same for any type of column, with null where all of a row's texts are missing.

    Of other nested values all strings in them; of a turn only what is said; numbers as written.
    """
    text, *others = [_flat(batch.column(c)) for c in columns]
    for other in others:
        # Not null_handling="skip": where all parts are missing, Arrow then leaves out the row.
        both = pc.binary_join_element_wise(text, other, "\n")
        either = pc.if_else(pc.equal(text, ""), other, pc.if_else(pc.equal(other, ""), text, both))
        text = pc.coalesce(either, text, other)
    return text


def _flat(values: pa.Array) -> pa.StringArray:
    kind = values.type
    if pa.types.is_string(kind):
        return values
    if pa.types.is_dictionary(kind):
        return _flat(values.dictionary_decode())
    if dialogue.turn_keys(kind) or dialogue.is_texts(kind):
        return _lines(values)
    if pa.types.is_nested(kind):
        texts = [None if v is None else "\n".join(leaves(v)) for v in values.to_pylist()]
        return pa.array(texts, pa.string())
    return values.cast(pa.string())


def _lines(values: pa.Array) -> pa.StringArray:
    """What each list holds, a line each: texts, or what is said in turns."""
    lengths = pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False)
    inner = values.flatten()
    keys = dialogue.turn_keys(values.type)
    if keys is not None:
        inner = inner.flatten()[[f.name for f in inner.type].index(keys[1])]
    said = pc.fill_null(_flat(inner), "")
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    texts = pc.binary_join(pa.ListArray.from_arrays(offsets, said), "\n")
    return pc.if_else(values.is_valid(), texts, None)


def leaves(value: Any) -> Iterator[str]:
    """The strings in a nested value, in order. The role of a turn is not its text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        spoken = {"content", "value", "text"} & value.keys()
        for key, part in value.items():
            if key in spoken or not spoken:
                yield from leaves(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from leaves(part)
