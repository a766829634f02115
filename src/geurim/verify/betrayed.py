"""The rows that betray: synthetic rows that the classifier is surest of, and by which columns.

A page shows synthetic rows only, of each no more than three values, none that equals a real row,
and no category that few real rows have.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from geurim.contract import Json
from geurim.verify.classifier import Separation, probabilities
from geurim.verify.compare import Column, Comparison, Rows
from geurim.verify.faithful import SHOWN
from geurim.verify.private import row_keys
from geurim.verify.words import axis_text

MOST = 10
VALUES = 3  # of each row
TRIED = 20  # columns that are changed in turn, those that the trees use most
REPLACED = 40  # real values that stand in for a row's own
SURE = 0.99  # rows that score above so many of the real rows


def betrayed(c: Comparison, found: Separation, rows: Rows) -> list[dict[str, Json]]:
    """Up to MOST of the synthetic `rows` scored in `found`, the surest first.

    A row's columns are ordered by how far its score falls, on average, when the column's value is
    replaced by those of real rows (what interactions alone give away is shared among them).
    """
    columns = found.design.columns
    real = np.concatenate([row_keys(r, columns) for r in (c.training, c.holdout)])
    sure = found.scores_b > np.quantile(found.scores_a, SURE)
    places = np.flatnonzero(sure & ~np.isin(row_keys(rows, columns), real))
    first = places[np.argsort(-found.scores_b[places], kind="stable")][:MOST]
    by_name = {x.name: x for x in columns}
    tried = [by_name[name] for name in list(found.importance)[:TRIED]]
    return [
        {"score": round(float(found.scores_b[at]), 3), "values": _values(c, found, rows, at, tried)}
        for at in first.tolist()
    ]


def _values(
    c: Comparison, found: Separation, rows: Rows, at: int, tried: Sequence[Column]
) -> list[dict[str, Json]]:
    """The values of a row that give it away most, in words."""
    fall = found.scores_b[at] - _replaced(found, rows, at, tried, c.training.first(REPLACED))
    worst = np.argsort(-fall, kind="stable")[:VALUES]
    return [{"column": tried[i].name, "value": _told(c, rows, at, tried[i])} for i in worst]


def _replaced(
    found: Separation, rows: Rows, at: int, tried: Sequence[Column], real: Rows
) -> np.ndarray:
    """The mean score (C,) of a row with each of the columns in turn as in some real rows."""
    changed = rows.take(np.full(len(tried) * real.count, at))
    for i, column in enumerate(tried):
        part = slice(i * real.count, (i + 1) * real.count)
        name = column.name
        if column.kind == "axis":
            changed.axis[name][part] = real.axis[name]
        else:
            changed.codes[name][part] = real.codes[name]
    scores = probabilities(found.models[found.folds_b[at]], found.design(changed), 2)[:, 1]
    return np.asarray(scores.reshape(len(tried), real.count).mean(axis=1))


def _told(c: Comparison, rows: Rows, at: int, column: Column) -> str:
    """A value in words, unless it is a category that only few real rows have, or may have."""
    if rows.missing(column.name)[at]:
        return "missing"
    if column.kind == "axis":
        return axis_text(column.type)(float(rows.axis[column.name][at]))
    code = rows.codes[column.name][at]
    tables = c.training, c.holdout
    real = sum(int((r.codes[column.name] == code).sum()) for r in tables)
    unknown = any(r.count < r.total for r in tables)
    if real < SHOWN and (real or unknown):
        return "a rare value"
    assert column.categories is not None
    return str(column.categories[code].as_py())[:60]
