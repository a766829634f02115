"""Are the rows of one parent still as alike as they were?

A customer's purchases resemble each other even where nothing is told of the customer. Whoever gives
children to any parent keeps every table as it is, and loses that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from geurim.contract import Finding
from geurim.relations.context import Coarse
from geurim.relations.keys import ForeignKey
from geurim.verify import stats
from geurim.verify.verdict import judge, not_judged

NAME = "related_siblings"
_LEVELS = 8  # of a column, to compare by
_FEW = 20  # with fewer parents of several rows nothing is judged
_GROUPS = 50  # of parents, for the interval
_LEAST = 0.05  # a likeness below it is none to keep
_SURE = 5.0  # standard errors that the real likeness must be above 0


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """`value`: 0 where siblings are as alike as any two rows, 1 where they are the same."""

    value: float
    error: float


def siblings(
    table: str,
    key: ForeignKey,
    before: tuple[Mapping[str, pa.Table], np.ndarray],
    after: tuple[Mapping[str, pa.Table], np.ndarray],
    columns: list[str],
    tests: int,
) -> Finding:
    """The share of the likeness of siblings that was lost, of the column that surely lost most.

    `before` and `after`: the tables, and of each row of `table` its parent's row, below 0 for none.
    """
    lost = {}
    for name in columns:
        real, made = (side[0][table][name].combine_chunks() for side in (before, after))
        coarse = Coarse.of(real, _LEVELS)
        one, two = likeness(coarse.codes(real), before[1]), likeness(coarse.codes(made), after[1])
        if one is None or two is None or one.value < max(_LEAST, _SURE * one.error):
            continue
        ratio = two.value / one.value
        lost[name] = (1 - ratio, float(np.hypot(two.error, ratio * one.error)) / one.value)
    if not lost:
        text = f"Rows of {table} of one {key.table} are hardly alike in any column: not compared."
        return not_judged("faithful", NAME, text)
    worst = max(lost, key=lambda n: lost[n][0] - 2 * stats.Z * lost[n][1])
    gone, half = lost[worst][0], stats.Z * lost[worst][1]
    value = max(gone, 0.0)
    return Finding(
        question="faithful",
        name=NAME,
        value=value,
        low=max(value - half, 0.0),
        high=value + half,
        reference=0.0,
        count=len(after[1]),
        verdict=judge(NAME, value, value - half, value + half, tests=tests * len(lost)),
        text=f"Rows of {table} that name the same row of {key.table} have lost {value:.0%} of what "
        f"makes them alike in {worst!r}, the most of {len(lost)} columns.",
        columns=(*key.columns, worst),
        details={"table": table, "parent": key.table},
    )


def likeness(codes: np.ndarray, parent: np.ndarray) -> Likeness | None:
    """How oftener than by chance two rows of one parent have the same code; Cohen's kappa (1960).

    Each row counts once, whatever the number of its siblings. None where too few have siblings.
    """
    codes, parent = codes[parent >= 0], parent[parent >= 0]
    size = np.bincount(parent)
    if (size > 1).sum() < _FEW:
        return None
    with_some = size[parent] > 1
    codes, parent = codes[with_some], parent[with_some]
    levels = int(codes.max()) + 1
    cell, many = np.unique(parent * levels + codes, return_counts=True)
    mates = np.bincount(cell // levels, many * (many - 1), len(size)) / np.maximum(size - 1, 1)
    group = np.arange(len(size)) % _GROUPS
    same = np.bincount(group, mates, _GROUPS)
    rows = np.bincount(parent % _GROUPS, minlength=_GROUPS)
    share = np.bincount(codes, minlength=levels) / len(codes)
    chance = float((share**2).sum())
    if chance > 1 - 1e-9:
        return None
    value = (same.sum() / rows.sum() - chance) / (1 - chance)
    around = same - same.sum() / rows.sum() * rows
    error = np.sqrt((around**2).sum() * _GROUPS / (_GROUPS - 1)) / rows.sum() / (1 - chance)
    return Likeness(value=float(value), error=float(error))
