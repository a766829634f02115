"""Training forms: from rows to what trainers read, and from a file to the texts in it.

    form                  columns
    alpaca                instruction, input, output               (Taori et al. 2023)
    sharegpt              conversations: [{from, value}]
    messages              messages: [{role, content}]
    preference            prompt, chosen, rejected                 texts
    preference-messages   prompt, chosen, rejected: [{role, content}]
    text                  text

Columns that a form does not use stay beside it: scores, the passage an answer rests on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim import turns as dialogue
from geurim.contract import Progress, Source, quiet
from geurim.errors import DataError, SettingError
from geurim.rows import read_rows
from geurim.texts import FORMS, SPOKEN, form_of, text_columns, texts_of
from geurim.turns import ASSISTANT, SYSTEM, USER, Turns

__all__ = [
    "FORMS",
    "convert",
    "form_of",
    "read_form",
    "read_rows",
    "save",
    "text_columns",
    "texts_of",
]

_PARTS: dict[str, tuple[str, ...]] = {
    "messages": SPOKEN,
    "prompt": ("prompt", "question", "instruction"),
    "chosen": ("chosen",),
    "rejected": ("rejected",),
    "instruction": ("instruction", "question", "prompt", "query", "user"),
    "input": ("input",),
    "output": ("output", "answer", "response", "completion", "assistant"),
    "system": ("system", "system_prompt", "system_message"),
    "text": ("text", "document", "passage", "content", "body", "article"),
}
"""The parts that a mapping names, and the columns that are taken for them without one."""

_LISTS = {"instruction": ("turns",), "output": ("answers",)}
"""Columns of lists of texts that are taken for parts: the questions and answers of a dialogue."""

_SHAPES: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("dialogue", ("messages",), ()),
    ("preference", ("chosen", "rejected"), ("prompt", "system")),
    ("pair", ("instruction", "output"), ("input", "system")),
    ("text", ("text",), ()),
)
"""Kinds of row: name, parts that it must have, parts that it may have."""

_STALE = (b"huggingface", b"pandas")
"""Notes of other libraries on the columns there were: wrong for those there are now."""

_Make = Callable[[pa.RecordBatch, int], list[pa.Array]]


def convert(source: Source, form: str, *, mapping: Mapping[str, str] | None = None) -> Source:
    """The rows in a training form (one of FORMS), streamed; other columns stay after the form's.

    `mapping` says which column holds which part: `messages` (a list of turns, or a transcript
    "Human: …", "Assistant: …" as HH-RLHF has them); or `instruction`, `output` and perhaps `input`
    and `system` (two lists of texts are the questions and the answers of a dialogue); or `prompt`,
    `chosen` and `rejected` (texts or lists of turns; without a prompt lists or transcripts, and
    what both dialogues begin with is the prompt); or `text`. Without a mapping the usual names are
    looked for (question and answer, conversations, …). An input comes after its instruction and a
    blank line; plain text is all parts with blank lines between.

    Every row comes out, or DataError names the first row that cannot: an empty answer, a dialogue
    that starts with the assistant, several turns for Alpaca, a chosen answer that equals the
    rejected one. SettingError: an unknown form, or rows that do not have the parts of one.
    """
    if form not in FORMS:
        raise SettingError(f"There is no form {form!r}. Choose one of: {', '.join(FORMS)}.")
    kind, parts = _shape(source.schema, mapping)
    make = _maker(form, kind, parts)
    fields = list(FORMS[form])
    if form == "alpaca" and "system" in parts:
        fields.append(pa.field("system", pa.string()))
    used = set(parts.values())
    others = [f for f in source.schema if f.name not in used]
    twice = {f.name for f in fields} & {f.name for f in others}
    if twice:
        raise SettingError(
            f"The form {form!r} makes a column {min(twice)!r}, but there is another one of that "
            f"name, which would be lost. Rename it, or give a mapping that uses it."
        )
    notes = {k: v for k, v in (source.schema.metadata or {}).items() if k not in _STALE}
    schema = pa.schema([*fields, *others], metadata=notes)

    def read() -> Iterator[pa.RecordBatch]:
        first = 1
        for batch in source.read():
            rest = [batch.column(f.name) for f in others]
            made = [*make(batch, first), *rest]
            yield pa.RecordBatch.from_arrays(made, schema=schema)
            first += batch.num_rows

    return Source(schema=schema, lineage=source.lineage, read=read, rows=source.rows)


def _shape(schema: pa.Schema, mapping: Mapping[str, str] | None) -> tuple[str, dict[str, str]]:
    """The kind of row, and the column of each of its parts."""
    found = dict(mapping) if mapping is not None else None
    for part, column in (found or {}).items():
        if part not in _PARTS:
            raise SettingError(f"There is no part {part!r}. Use: {', '.join(_PARTS)}.")
        if column not in schema.names:
            raise SettingError(
                f"There is no column {column!r} for {part!r}. Choose one of: "
                f"{', '.join(schema.names)}."
            )
    for kind, needed, possible in _SHAPES:
        parts = found if found is not None else _guess(schema, (*needed, *possible))
        if set(needed) <= set(parts) <= {*needed, *possible}:
            return kind, parts
    given = ", ".join(found if found is not None else schema.names)
    raise SettingError(
        f"The {'mapping' if found is not None else 'rows'} cannot be made a training form: "
        f"{given} given. Name in a mapping the columns of messages; of instruction and output; of "
        f"prompt, chosen and rejected; or of text."
    )


def _guess(schema: pa.Schema, parts: Sequence[str]) -> dict[str, str]:
    found = {}
    for part in parts:
        fits = dialogue.turn_keys if part == "messages" else _is_part
        names = [n for n in _PARTS[part] if n in schema.names and fits(schema.field(n).type)]
        names += [n for n in _LISTS.get(part, ()) if n in schema.names and not names]
        if names:
            found[part] = names[0]
    return found


def _is_part(kind: pa.DataType) -> bool:
    return dialogue.is_text(kind) or dialogue.turn_keys(kind) is not None


def _maker(form: str, kind: str, parts: dict[str, str]) -> _Make:
    if form == "text" and kind != "preference":
        return lambda batch, first: [_texts(batch, first, kind, parts)]
    if form in ("preference", "preference-messages") and kind == "preference":
        from geurim.preferences import preferences

        return lambda batch, first: preferences(batch, first, parts, form)
    if form == "alpaca" and kind == "pair":
        return lambda batch, first: _alpaca(batch, first, parts)
    if form == "alpaca" and kind == "dialogue":
        return lambda batch, first: _exchange(_dialogue(batch, first, kind, parts), first)
    if form in ("sharegpt", "messages") and kind in ("pair", "dialogue"):
        return lambda batch, first: [_dialogue(batch, first, kind, parts).as_lists(form)]
    raise SettingError(
        f"Rows of {kind} ({', '.join(parts.values())}) cannot be written as {form!r} without "
        f"losing or inventing something. Choose another form, or give a mapping."
    )


def _texts(batch: pa.RecordBatch, first: int, kind: str, parts: dict[str, str]) -> pa.Array:
    if kind == "text":
        return required(batch, parts["text"], first)
    return _dialogue(batch, first, kind, parts).texts("\n\n")


def _dialogue(batch: pa.RecordBatch, first: int, kind: str, parts: dict[str, str]) -> Turns:
    """Each row as turns, checked."""
    if kind == "dialogue":
        column = parts["messages"]
        if dialogue.is_text(batch.schema.field(column).type):
            made = dialogue.from_transcripts(required(batch, column, first), column, first)
        else:
            made = dialogue.from_lists(batch.column(column), column, first)
        dialogue.check_order(made, column, first)
        return made
    both = (parts["instruction"], parts["output"])
    if all(dialogue.is_texts(batch.schema.field(n).type) for n in both):
        made = dialogue.alternating(batch.column(both[0]), batch.column(both[1]), both, first)
        dialogue.check_order(made, both[0], first)
        return made
    user = required(batch, parts["instruction"], first)
    if "input" in parts:
        more = optional(batch, parts["input"])
        both = pc.binary_join_element_wise(user, more, "\n\n")
        user = pc.if_else(pa.array(dialogue.blank(more)), user, both)
    turns = [(USER, user), (ASSISTANT, required(batch, parts["output"], first))]
    if "system" in parts:
        turns.insert(0, (SYSTEM, optional(batch, parts["system"])))
    return dialogue.from_columns(turns)


def _alpaca(batch: pa.RecordBatch, first: int, parts: dict[str, str]) -> list[pa.Array]:
    rows = batch.num_rows
    nothing = pa.array([""] * rows, pa.string())
    made = [
        required(batch, parts["instruction"], first),
        optional(batch, parts["input"]) if "input" in parts else nothing,
        required(batch, parts["output"], first),
    ]
    return [*made, optional(batch, parts["system"])] if "system" in parts else made


def _exchange(turns: Turns, first: int) -> list[pa.Array]:
    """Dialogues of one question and one answer."""
    for row in np.flatnonzero(turns.lengths != 2)[:1]:
        roles = turns.roles[turns.offsets[row] : turns.offsets[row + 1]]
        shown = ", ".join(dialogue.ROLES[r] for r in roles[:6])
        raise DataError(
            f"Row {row + first:,} has {len(roles)} turns ({shown}), but Alpaca holds one question "
            f"and one answer. Use the form 'messages' or 'sharegpt'."
        )
    rows = len(turns.lengths)
    user = turns.contents.take(pa.array(np.arange(rows) * 2))
    answer = turns.contents.take(pa.array(np.arange(rows) * 2 + 1))
    return [user, pa.array([""] * rows, pa.string()), answer]


def required(batch: pa.RecordBatch, column: str, first: int) -> pa.StringArray:
    """A column of text, none of it missing or blank; DataError names the row where it is."""
    values = _text(batch, column)
    empty = dialogue.blank(values)
    if empty.any():
        row = int(np.flatnonzero(empty)[0]) + first
        raise DataError(f"Row {row:,}: {column!r} is empty. Drop the row, or fill it in.")
    return values


def optional(batch: pa.RecordBatch, column: str) -> pa.StringArray:
    """A column of text, "" where it is missing."""
    return pc.fill_null(_text(batch, column), "")


def _text(batch: pa.RecordBatch, column: str) -> pa.StringArray:
    values = batch.column(column)
    if not dialogue.is_text(values.type):
        raise DataError(
            f"Column {column!r} holds no text but {str(values.type)[:80]}. Give a column of text."
        )
    return values.cast(pa.string())


def save(
    source: Source,
    to: str | Path,
    form: str,
    *,
    mapping: Mapping[str, str] | None = None,
    holdout: float = 0.0,
    seed: int | None = None,
    files: str = "parquet",
    card: str | None = None,
    overwrite: bool = False,
    progress: Progress = quiet,
) -> Path:
    """Write a folder that `datasets.load_dataset` opens: README.md, data/train… and data/test….

    `form` and `mapping` are those of `convert`. A share `holdout` of the rows, drawn by lot with
    `seed`, becomes the split "test". `files`: "parquet" or "jsonl" (UTF-8, one object a line).
    `card`: the text of `geurim.card.card`; its front matter gets the splits and the columns.
    The folder appears complete or not at all; an earlier data set is replaced with `overwrite`.
    Returns the folder. Raises what `convert` raises, TargetExists, and SettingError for a holdout
    without a seed.
    """
    from geurim.datafolder import save_folder
    from geurim.pipeline import split

    if not 0.0 <= holdout < 1.0:
        raise SettingError(f"The share held out must be from 0 to below 1: {holdout!r} was given.")
    if holdout and seed is None:
        raise SettingError(f"A holdout of {holdout} is drawn by lot. Give a seed for it.")
    made = convert(source, form, mapping=mapping)
    training, held_out = split(made, holdout, seed or 0) if holdout else (made, None)
    splits = {"train": training, **({"test": held_out} if held_out else {})}
    return save_folder(
        splits,
        Path(to).expanduser(),
        files=files,
        card=card,
        overwrite=overwrite,
        progress=progress,
    )


def read_form(path: str | Path) -> str | None:
    """The training form that a file is in, or None where it is in none."""
    return form_of(read_rows(path).schema)
