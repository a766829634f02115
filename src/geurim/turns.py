"""Dialogues as arrays: who speaks and what is said, for all rows of a batch at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.errors import DataError

ROLES = ("system", "user", "assistant", "tool")
SYSTEM, USER, ASSISTANT, TOOL = range(4)
_START = 4
_SHAREGPT = ("system", "human", "gpt", "observation")
_OTHERS = {
    "human": USER,
    "gpt": ASSISTANT,
    "bot": ASSISTANT,
    "model": ASSISTANT,
    "chatgpt": ASSISTANT,
    "observation": TOOL,
    "function": TOOL,
    "developer": SYSTEM,
}
_CODES = {name: code for code, name in enumerate(ROLES)} | _OTHERS
KEYS = {"messages": ("role", "content"), "sharegpt": ("from", "value")}
"""What a turn's two fields are called in each form."""
Pair = tuple[str, str]

_NEXT = np.zeros((5, 4), dtype=bool)  # [who spoke before, who speaks]
_NEXT[_START, [SYSTEM, USER]] = True
_NEXT[SYSTEM, USER] = True
_NEXT[USER, ASSISTANT] = True
_NEXT[ASSISTANT, [USER, TOOL]] = True
_NEXT[TOOL, [TOOL, ASSISTANT]] = True


@dataclass(frozen=True, kw_only=True)
class Turns:
    """The turns of every row: row i holds those from offsets[i] to offsets[i + 1]."""

    offsets: np.ndarray  # (rows + 1,) int64
    roles: np.ndarray  # (turns,) int8, a place in ROLES
    contents: pa.StringArray  # (turns,), none missing

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)

    @property
    def rows(self) -> np.ndarray:
        """The row of each turn."""
        return np.repeat(np.arange(len(self.offsets) - 1), self.lengths)

    def previous(self) -> np.ndarray:
        """Who spoke before each turn; _START at the first one of a row."""
        before = np.concatenate([[_START], self.roles])[:-1]
        before[self.offsets[:-1][self.lengths > 0]] = _START
        return before

    def as_lists(self, form: str) -> pa.ListArray:
        """A list of structs, as `form` ("messages" or "sharegpt") writes turns."""
        names = pa.array(ROLES if form == "messages" else _SHAREGPT, pa.string())
        roles = names.take(pa.array(self.roles))
        turns = pa.StructArray.from_arrays([roles, self.contents], list(KEYS[form]))
        return pa.ListArray.from_arrays(pa.array(self.offsets, pa.int32()), turns)

    def texts(self, separator: str) -> pa.StringArray:
        """All that is said in a row, one turn after the other."""
        lists = pa.ListArray.from_arrays(pa.array(self.offsets, pa.int32()), self.contents)
        return pc.binary_join(lists, separator)


def turn_keys(kind: pa.DataType) -> tuple[str, str] | None:
    """The names of the two fields where the type is a list of turns, else None."""
    if not is_list(kind) or not pa.types.is_struct(kind.value_type):
        return None
    names = {f.name for f in kind.value_type}
    return next((keys for keys in KEYS.values() if set(keys) <= names), None)


def is_list(kind: pa.DataType) -> bool:
    """Whether a type is a list of any sort."""
    return isinstance(kind, pa.ListType | pa.LargeListType | pa.FixedSizeListType)


def from_lists(values: pa.Array, column: str, first: int) -> Turns:
    """The turns of a column; `first` is the number of its first row, for messages.

    Raises DataError where a turn has a field that no training form keeps, an unknown speaker, or
    nothing said.
    """
    keys = turn_keys(values.type)
    if keys is None:
        raise DataError(
            f"Column {column!r} holds no dialogues but {str(values.type)[:80]}. Give a list of "
            f"turns, each with role and content (or from and value)."
        )
    more = [f.name for f in values.type.value_type if f.name not in keys]
    lengths = pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    inner = values.flatten()
    parts = dict(zip([f.name for f in inner.type], inner.flatten(), strict=True))
    where = np.repeat(np.arange(len(values)), lengths) + first
    for name in more:
        if parts[name].null_count < len(inner):
            place = int(np.flatnonzero(parts[name].is_valid().to_numpy(zero_copy_only=False))[0])
            raise DataError(
                f"Row {where[place]:,}: a turn of {column!r} has a field {name!r}, which would be "
                f"lost. Take it out, or fold it into the text."
            )
    roles = _codes(parts[keys[0]], where, column)
    contents = _said(parts[keys[1]], where, column)
    return Turns(offsets=offsets, roles=roles, contents=contents)


def _codes(names: pa.Array, where: np.ndarray, column: str) -> np.ndarray:
    coded = pc.fill_null(names.cast(pa.string()), "").dictionary_encode()
    known = [_CODES.get(n.strip().lower(), -1) for n in coded.dictionary.to_pylist()]
    codes = np.array(known, np.int8)[coded.indices.to_numpy()] if len(coded) else np.zeros(0, "i1")
    if (codes < 0).any():
        place = int(np.flatnonzero(codes < 0)[0])
        raise DataError(
            f"Row {where[place]:,}: {names[place].as_py()!r} speaks in {column!r}, and nobody "
            f"knows who that is. Use {', '.join(ROLES)} (or human, gpt)."
        )
    return codes


def _said(values: pa.Array, where: np.ndarray, column: str) -> pa.StringArray:
    if not is_text(values.type):
        raise DataError(
            f"What is said in {column!r} is no text but {str(values.type)[:80]}. Give text only."
        )
    values = values.cast(pa.string())
    empty = blank(values)
    if empty.any():
        row = int(where[np.flatnonzero(empty)[0]])
        raise DataError(f"Row {row:,}: a turn of {column!r} is empty. Drop the row, or mend it.")
    return values


def is_texts(kind: pa.DataType) -> bool:
    """Whether a type is a list of texts."""
    return is_list(kind) and is_text(kind.value_type)


def is_text(kind: pa.DataType) -> bool:
    """Whether a type holds text."""
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def blank(values: pa.Array) -> np.ndarray:
    """Where a text is missing or has nothing but white space."""
    none = pc.equal(pc.utf8_trim_whitespace(values), "")
    return np.asarray(pc.fill_null(none, True).to_numpy(zero_copy_only=False))


_SPOKEN = re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):")


def from_transcripts(values: pa.Array, column: str, first: int) -> Turns:
    """The turns of texts such as "\\n\\nHuman: …\\n\\nAssistant: …" (HH-RLHF, Bai et al. 2022).

    What one speaker says in two turns running is one turn, with a blank line between. Raises
    DataError where a text does not begin with a speaker, or a turn is empty.
    """
    roles: list[int] = []
    said: list[str] = []
    lengths = np.zeros(len(values), np.int64)
    for row, text in enumerate(values.to_pylist()):
        before, *parts = _SPOKEN.split(text or "")
        if before or not parts:
            raise DataError(
                f"Row {row + first:,}: {column!r} is text, and no transcript that begins with "
                f'"Human:": {(text or "")[:60]!r}. Give lists of turns, or a column for the prompt.'
            )
        start = len(roles)
        for speaker, what in zip(parts[::2], parts[1::2], strict=True):
            role = _CODES[speaker.lower()]
            if len(roles) > start and roles[-1] == role:
                said[-1] = f"{said[-1]}\n\n{what.strip()}"
                continue
            roles.append(role)
            said.append(what.strip())
        lengths[row] = len(roles) - start
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    where = np.repeat(np.arange(len(values)), lengths) + first
    contents = _said(pa.array(said, pa.string()), where, column)
    return Turns(offsets=offsets, roles=np.array(roles, np.int8), contents=contents)


def alternating(questions: pa.Array, answers: pa.Array, names: Pair, first: int) -> Turns:
    """Dialogues of two columns of lists: question i, then answer i (MT-bench's `turns`)."""
    asked, replied = (pc.fill_null(pc.list_value_length(v), 0) for v in (questions, answers))
    for row in np.flatnonzero(pc.not_equal(asked, replied).to_numpy(zero_copy_only=False))[:1]:
        raise DataError(
            f"Row {row + first:,} has {asked[row]} texts in {names[0]!r} and {replied[row]} in "
            f"{names[1]!r}. Give one answer a question."
        )
    lengths = 2 * asked.to_numpy(zero_copy_only=False).astype(np.int64)
    pairs = [part for both in zip(questions.flatten().to_pylist(), answers.flatten().to_pylist(),
                                  strict=True) for part in both]  # fmt: skip
    where = np.repeat(np.arange(len(questions)), lengths) + first
    return Turns(
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        roles=np.tile(np.array([USER, ASSISTANT], np.int8), len(pairs) // 2),
        contents=_said(pa.array(pairs, pa.string()), where, " and ".join(names)),
    )


def check_order(turns: Turns, column: str, first: int, *, ends: int = ASSISTANT) -> None:
    """Raise DataError unless every row is a dialogue that can be learned from.

    It may begin with a system message; then user and assistant take turns (a tool may answer the
    assistant), and the last one to speak is `ends`.
    """
    if not turns.lengths.all():
        row = int(np.flatnonzero(turns.lengths == 0)[0]) + first
        raise DataError(f"Row {row:,}: the dialogue in {column!r} has no turns. Drop the row.")
    before = turns.previous()
    wrong = ~_NEXT[before, turns.roles]
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        raise DataError(_out_of_order(turns, place, int(before[place]), column, first))
    last = turns.roles[turns.offsets[1:] - 1]
    wrong_end = last != ends
    if wrong_end.any():
        row = int(np.flatnonzero(wrong_end)[0])
        raise DataError(
            f"Row {row + first:,}: the dialogue in {column!r} ends with the {ROLES[last[row]]}, "
            f"not with the {ROLES[ends]}. Complete it, or drop the row."
        )


def _out_of_order(turns: Turns, place: int, before: int, column: str, first: int) -> str:
    row = int(turns.rows[place]) + first
    role = ROLES[turns.roles[place]]
    what = f"starts with the {role}" if before == _START else f"has the {role} after the "
    what += "" if before == _START else ROLES[before]
    shown = turns.contents[place].as_py()[:60]
    return (
        f"Row {row:,}: the dialogue in {column!r} {what}: {shown!r}. A system message may come "
        f"first, then user and assistant take turns. Mend the row, or drop it."
    )


def from_columns(columns: list[tuple[int, pa.StringArray]]) -> Turns:
    """One turn of each column: (role, texts); where a text is blank there is no such turn."""
    rows = len(columns[0][1])
    there = np.stack([~blank(texts) for _, texts in columns], axis=1)  # (rows, columns)
    roles = np.array([role for role, _ in columns], np.int8)
    offsets = np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(np.int64)
    stacked: Any = pa.concat_arrays([texts for _, texts in columns])
    places = np.arange(rows)[:, None] + np.arange(len(columns))[None, :] * rows
    return Turns(
        offsets=offsets,
        roles=np.broadcast_to(roles, there.shape)[there],
        contents=stacked.take(pa.array(places[there])),
    )
