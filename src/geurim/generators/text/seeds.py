"""Rows of people's own files as a recipe's source wants them: the question by whatever name.

A recipe's own rows show which columns it reads. A file that has them under other usual names, or
within lists (MT-bench's turns, chat messages, Self-Instruct's instances), is read all the same: of
a dialogue the first user's turn is the question, and the first assistant's the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from geurim.errors import DataError
from geurim.turns import is_text, is_texts, turn_keys

_ASKED = ("text", "question", "instruction", "prompt", "query", "problem", "task", "user")
_ANSWERED = ("output", "answer", "response", "completion", "assistant", "reference")
_GIVEN = ("input", "context")
_ALIKE = (_ASKED, _ANSWERED, _GIVEN)
_LISTS = {_ASKED: ("turns", "questions", "prompts"), _ANSWERED: ("answers", "responses")}
_USER = ("user", "human")
_ASSISTANT = ("assistant", "gpt")


def as_wanted(table: pa.Table, wanted: Sequence[str], source: str) -> pa.Table:
    """The table with the columns that are wanted and that it has under another name.

    Where the first of them is a question, it has to be there: DataError where nothing can be taken
    for it. A file with a single text column has it there.
    """
    for number, name in enumerate(wanted):
        if name in table.column_names:
            continue
        values = _found(table, name)
        texts = [f.name for f in table.schema if is_text(f.type)]
        asked = number == 0 and name in _ASKED
        if values is None and asked and len(texts) == 1:
            values = table[texts[0]]
        if values is None and asked:
            raise DataError(
                f"The source {source!r} needs a column {name!r}; the rows given have "
                f"{', '.join(table.column_names)}. Rename the one that is meant."
            )
        if values is not None:
            table = table.append_column(name, values)
    return table


def _found(table: pa.Table, name: str) -> Any:
    """The column that can be taken for `name`, or None."""
    group = next((g for g in _ALIKE if name in g), ())
    for other in group:
        if other in table.column_names and is_text(table.schema.field(other).type):
            return table[other]
    for other in _LISTS.get(group, ()):
        if other in table.column_names and is_texts(table.schema.field(other).type):
            return _texts([v[0] if v else None for v in table[other].to_pylist()])
    for field in table.schema:
        if (keys := turn_keys(field.type)) is not None and group in (_ASKED, _ANSWERED):
            who = _USER if group is _ASKED else _ASSISTANT
            return _texts([_said(v, keys, who) for v in table[field.name].to_pylist()])
    for field in table.schema:
        if pa.types.is_list(field.type) and pa.types.is_struct(field.type.value_type):
            inner = [f.name for f in field.type.value_type if is_text(f.type)]
            within = [n for n in (name, *group) if n in inner]
            if within:
                rows = table[field.name].to_pylist()
                return _texts([v[0][within[0]] if v and v[0] else None for v in rows])
    return None


def _said(turns: list[dict[str, Any]] | None, keys: tuple[str, str], who: Sequence[str]) -> Any:
    """The first words of one side of a dialogue."""
    speaker, words = keys
    return next((t[words] for t in turns or [] if t and t[speaker] in who), None)


def _texts(values: list[Any]) -> pa.Array:
    return pa.array(values, pa.string())
