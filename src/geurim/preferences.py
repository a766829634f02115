"""Preference pairs: a prompt, the answer that was chosen and the one that was rejected.

As trainers of preferences read them (TRL: texts, or lists of messages with the prompt apart).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim import turns as dialogue
from geurim.errors import DataError
from geurim.formats import optional, required
from geurim.turns import ASSISTANT, SYSTEM, USER, Turns


def preferences(
    batch: pa.RecordBatch, first: int, parts: dict[str, str], form: str
) -> list[pa.Array]:
    """Prompt, chosen and rejected of a batch, as texts or as lists of messages.

    `first` is the number of the batch's first row, for messages. Raises DataError, naming the row.
    """
    prompt, chosen, rejected = _three(batch, first, parts)
    for answers, part in ((chosen, "chosen"), (rejected, "rejected")):
        _check(prompt, answers, parts[part], first)
    _refuse_equal(chosen, rejected, first)
    if form == "preference-messages":
        return [t.as_lists("messages") for t in (prompt, chosen, rejected)]
    for turns in (prompt, chosen, rejected):
        for row in np.flatnonzero(turns.lengths != 1)[:1]:
            raise DataError(
                f"Row {row + first:,} has {turns.lengths[row]} turns where the form 'preference' "
                f"holds one text. Use the form 'preference-messages'."
            )
    return [prompt.contents, chosen.contents, rejected.contents]


def _three(batch: pa.RecordBatch, first: int, parts: dict[str, str]) -> tuple[Turns, Turns, Turns]:
    """The turns of the prompt and of both answers."""
    if "prompt" not in parts:
        return _apart(*(_whole(batch, first, parts[part]) for part in ("chosen", "rejected")))
    chosen = _part(batch, first, parts["chosen"], ASSISTANT)
    rejected = _part(batch, first, parts["rejected"], ASSISTANT)
    prompt = _part(batch, first, parts["prompt"], USER)
    chosen, rejected = _answer(prompt, chosen), _answer(prompt, rejected)
    if "system" in parts:
        said = dialogue.from_columns([(SYSTEM, optional(batch, parts["system"]))])
        prompt = joined(said, prompt)
    return prompt, chosen, rejected


def _whole(batch: pa.RecordBatch, first: int, column: str) -> Turns:
    """A whole dialogue: a list of turns, or a transcript."""
    if dialogue.is_text(batch.schema.field(column).type):
        return dialogue.from_transcripts(required(batch, column, first), column, first)
    return dialogue.from_lists(batch.column(column), column, first)


def _part(batch: pa.RecordBatch, first: int, column: str, role: int) -> Turns:
    if dialogue.is_text(batch.schema.field(column).type):
        return dialogue.from_columns([(role, required(batch, column, first))])
    return dialogue.from_lists(batch.column(column), column, first)


def _check(prompt: Turns, answers: Turns, column: str, first: int) -> None:
    for row in np.flatnonzero(prompt.lengths == 0)[:1]:
        raise DataError(f"Row {row + first:,} has no prompt. Drop the row, or give one.")
    dialogue.check_order(joined(prompt, answers), column, first)
    for row in np.flatnonzero(answers.lengths == 0)[:1]:
        raise DataError(f"Row {row + first:,}: {column!r} is empty. Drop the row.")
    starts = answers.roles[answers.offsets[:-1]]
    for row in np.flatnonzero(starts != ASSISTANT)[:1]:
        raise DataError(
            f"Row {row + first:,}: after the prompt {column!r} goes on with the "
            f"{dialogue.ROLES[starts[row]]}, so the pair is no choice between two answers. Let "
            f"both dialogues differ from an answer on."
        )


def _refuse_equal(chosen: Turns, rejected: Turns, first: int) -> None:
    same = pc.equal(chosen.texts("\0"), rejected.texts("\0"))
    for row in np.flatnonzero(same.to_numpy(zero_copy_only=False))[:1]:
        raise DataError(
            f"Row {row + first:,}: the chosen answer equals the rejected one, so nothing is "
            f"preferred. Drop the row."
        )


def joined(one: Turns, other: Turns) -> Turns:
    """The turns of `one` and then those of `other`, row by row."""
    rows = np.concatenate([one.rows, other.rows])
    order = np.argsort(rows, kind="stable")
    contents = pa.concat_arrays([one.contents, other.contents])
    return Turns(
        offsets=one.offsets + other.offsets,
        roles=np.concatenate([one.roles, other.roles])[order],
        contents=contents.take(pa.array(order)),
    )


def _apart(chosen: Turns, rejected: Turns) -> tuple[Turns, Turns, Turns]:
    """Two whole dialogues as the prompt that both begin with, and the rest of each."""
    shared = np.array([_shared(chosen, rejected, i) for i in range(len(chosen.lengths))], np.int64)
    head = _cut(chosen, np.zeros_like(shared), shared)
    return head, _cut(chosen, shared, chosen.lengths), _cut(rejected, shared, rejected.lengths)


def _answer(prompt: Turns, answers: Turns) -> Turns:
    """The answers without the prompt, where they repeat it (as UltraFeedback does)."""
    rows = range(len(prompt.lengths))
    shared = np.array([_shared(prompt, answers, i, spare=0) for i in rows], np.int64)
    start = np.where((shared == prompt.lengths) & (answers.lengths > shared), shared, 0)
    return answers if not start.any() else _cut(answers, start, answers.lengths)


def _shared(chosen: Turns, rejected: Turns, row: int, *, spare: int = 1) -> int:
    """How many turns both have in common at their start; the last `spare` are left."""
    a, b = int(chosen.offsets[row]), int(rejected.offsets[row])
    most = int(min(chosen.lengths[row], rejected.lengths[row])) - spare
    for i in range(most):
        if chosen.roles[a + i] != rejected.roles[b + i]:
            return i
        if chosen.contents[a + i] != rejected.contents[b + i]:
            return i
    return max(most, 0)


def _cut(turns: Turns, start: np.ndarray, end: np.ndarray) -> Turns:
    """From turn `start` to before turn `end` of each row."""
    inside = np.arange(len(turns.roles)) - turns.offsets[turns.rows]
    kept = (inside >= start[turns.rows]) & (inside < end[turns.rows])
    return Turns(
        offsets=np.concatenate([[0], np.cumsum(end - start)]).astype(np.int64),
        roles=turns.roles[kept],
        contents=turns.contents.filter(pa.array(kept)),
    )
