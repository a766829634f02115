"""What a table says follows from what: the values of a column for each combination of others.

Combinations are kept as hashes, and only those of at least 3 rows (as categories are; see
geurim.levels). For a combination never seen, what the nearest one gives is taken: the same first
columns and the nearest last one; so the answer depends on the combination alone, and rows that
agree on it agree on the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.columns import from_axis, is_ordered, to_axis
from geurim.constraints.kinds import Determines, combined
from geurim.contract import Json
from geurim.levels import HELD


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """Answers by the first columns of `by`: `keys` (K,) uint64 ascending, `codes` (K,).

    `near`: the answer for keys without their last column, and the nearest value of that: `heads`
    (K,) uint64 ascending and, within one head, `last` (K,) ascending, with `answers` (K,).
    """

    keys: np.ndarray
    codes: np.ndarray
    heads: np.ndarray
    last: np.ndarray
    answers: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class Lookup:
    """The answers of a functional dependence. `values`: what the codes stand for, missing last."""

    rule: Determines
    values: pa.Array
    steps: tuple[Step, ...]  # by all columns of `by`, by all but the last, …
    covered: float  # the share of the real rows whose combination is kept
    broken: int  # real rows that say otherwise than most of their combination

    @classmethod
    def learn(cls, rule: Determines, table: pa.Table) -> Lookup:
        """From the rows of a table; of several answers of a combination the commonest is taken."""
        target = table.column(rule.column).combine_chunks()
        if pa.types.is_dictionary(target.type):
            target = target.dictionary_decode()
        coded = target.dictionary_encode()
        codes = pc.fill_null(coded.indices, len(coded.dictionary)).to_numpy(zero_copy_only=False)
        codes = codes.astype(np.int64)
        size = len(coded.dictionary) + 1
        steps, covered, broken = [], 1.0, 0
        for count in range(len(rule.by), 0, -1):
            keys, place, rows = _grouped(combined(table, rule.by[:count]))
            mode, agreeing = _modes(place, codes, len(keys), size)
            if count == len(rule.by):
                covered = float(rows[rows >= HELD].sum() / max(table.num_rows, 1))
                broken = int(table.num_rows - agreeing.sum())
            held = rows >= HELD if (rows >= HELD).any() else rows > 0
            someone = np.zeros(len(keys), np.int64)
            someone[place] = np.arange(len(place))
            steps.append(_step(table, rule.by[:count], keys, mode, held, someone))
        return cls(
            rule=rule,
            values=coded.dictionary,
            steps=tuple(steps),
            covered=covered,
            broken=broken,
        )

    def find(
        self, batch: pa.RecordBatch | pa.Table, only_seen: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Each row's answer as a code (N,), and whether its own combination was seen (N,).

        `only_seen`: what others are answered does not matter, so nothing near is looked for.
        """
        answer = np.full(batch.num_rows, -1, np.int64)
        seen = np.zeros(batch.num_rows, bool)
        for place, step in enumerate(self.steps):
            by = self.rule.by[: len(self.rule.by) - place]
            open_rows = np.flatnonzero(answer < 0)
            if not len(open_rows):
                break
            some = batch if len(open_rows) == batch.num_rows else batch.take(pa.array(open_rows))
            found = _exact(step, combined(some, by))
            if place == 0:
                seen[open_rows] = found >= 0
                if only_seen:
                    return np.maximum(found, 0), seen
            lost = np.flatnonzero(found < 0)
            if len(lost) and len(step.last):
                found[lost] = _nearest(step, some.take(pa.array(lost)), by)
            answer[open_rows] = found
        answer[answer < 0] = self.steps[-1].codes[0] if len(self.steps[-1].codes) else 0
        return answer, seen

    def answers(
        self, batch: pa.RecordBatch | pa.Table, kind: pa.DataType, only_seen: bool = False
    ) -> pa.Array:
        """The column (N,) that follows from the rest of each row.

        `only_seen`: a combination that was not seen keeps what its row has.
        """
        codes, seen = self.find(batch, only_seen)
        absent = codes == len(self.values)
        taken = self.values.take(pa.array(codes, mask=absent if absent.any() else None))
        taken = taken if taken.type == kind else taken.cast(kind)
        if not only_seen or seen.all():
            return taken
        own = batch.column(batch.schema.get_field_index(self.rule.column))
        both = pa.table({"x": pa.concat_arrays([taken, own.cast(kind)])})
        order = np.arange(len(taken)) + np.where(seen, 0, len(taken))
        return both["x"].combine_chunks().take(pa.array(order))

    def mask(self, batch: pa.RecordBatch) -> np.ndarray:
        """Which rows (N,) have the value that follows."""
        column = batch.column(batch.schema.get_field_index(self.rule.column))
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        wanted = self.answers(batch, column.type)
        both = pc.and_(pc.is_null(column), pc.is_null(wanted))
        same = pc.or_(pc.fill_null(pc.equal(column, wanted), False), both)
        found: np.ndarray = same.to_numpy(zero_copy_only=False)
        return found

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        """JSON and arrays for a model file."""
        arrays: dict[str, np.ndarray] = {}
        values: list[Any] | None = None
        if is_ordered(self.values.type):
            arrays["values"] = to_axis(self.values)
        else:
            values = self.values.to_pylist()
        for i, step in enumerate(self.steps):
            for part in ("keys", "codes", "heads", "last", "answers"):
                arrays[f"{i}/{part}"] = getattr(step, part)
        return {"values": values, "covered": self.covered, "broken": self.broken}, arrays

    @classmethod
    def from_state(
        cls,
        rule: Determines,
        kind: pa.DataType,
        state: dict[str, Json],
        arrays: dict[str, np.ndarray],
    ) -> Lookup:
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        listed = state["values"]
        values = from_axis(arrays["values"], kind) if listed is None else pa.array(listed, kind)
        parts = ("keys", "codes", "heads", "last", "answers")
        steps = tuple(
            Step(**{part: arrays[f"{i}/{part}"] for part in parts}) for i in range(len(rule.by))
        )
        return cls(
            rule=rule,
            values=values,
            steps=steps,
            covered=state["covered"],
            broken=state["broken"],
        )


def _grouped(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    unique, place, rows = np.unique(keys, return_inverse=True, return_counts=True)
    return unique, place, rows


def _modes(
    place: np.ndarray, codes: np.ndarray, groups: int, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """The commonest code (groups,) of each group, and how many rows have it."""
    pairs, rows = np.unique(place * size + codes, return_counts=True)
    order = np.lexsort((-rows, pairs // size))
    group = pairs[order] // size
    first = np.flatnonzero(np.diff(group, prepend=-1))
    mode, agreeing = np.zeros(groups, np.int64), np.zeros(groups, np.int64)
    mode[group[first]] = pairs[order][first] % size
    agreeing[group[first]] = rows[order][first]
    return mode, agreeing


def _step(
    table: pa.Table,
    by: tuple[str, ...],
    keys: np.ndarray,
    mode: np.ndarray,
    held: np.ndarray,
    someone: np.ndarray,
) -> Step:
    empty = np.empty(0)
    heads, last, answers = empty.astype(np.uint64), empty, empty.astype(np.int64)
    if is_ordered(table.schema.field(by[-1]).type):
        one = table.take(pa.array(someone[held]))
        heads, last, answers = combined(one, by[:-1]), to_axis(one[by[-1]]), mode[held]
        known = ~np.isnan(last)
        heads, last, answers = heads[known], last[known], answers[known]
        order = np.lexsort((last, heads))
        heads, last, answers = heads[order], last[order], answers[order]
    return Step(keys=keys[held], codes=mode[held], heads=heads, last=last, answers=answers)


def _exact(step: Step, keys: np.ndarray) -> np.ndarray:
    if not len(step.keys):
        return np.full(len(keys), -1, np.int64)
    at = np.minimum(np.searchsorted(step.keys, keys), len(step.keys) - 1)
    return np.where(step.keys[at] == keys, step.codes[at], -1)


def _nearest(step: Step, rows: pa.RecordBatch | pa.Table, by: tuple[str, ...]) -> np.ndarray:
    """The answers (N,) of the nearest last value under the same head; -1 where there is none."""
    head, value = combined(rows, by[:-1]), to_axis(rows.column(by[-1]))
    start = np.searchsorted(step.heads, head, side="left")
    end = np.searchsorted(step.heads, head, side="right")
    found = np.full(len(head), -1, np.int64)
    for i in np.flatnonzero((end > start) & ~np.isnan(value)).tolist():
        part = step.last[start[i] : end[i]]
        at = int(np.searchsorted(part, value[i]))
        near = [j for j in (at - 1, at) if 0 <= j < len(part)]
        best = min(near, key=lambda j: abs(part[j] - value[i]))
        found[i] = step.answers[start[i] + best]
    return found
