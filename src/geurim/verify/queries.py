"""Useful to an analyst? Random counts and means, each under one to three filters.

The answers from synthetic rows are compared with those from the training rows, and so are the
holdout's. The error of an answer is relative to the real one, but to no less than one hundredth of
the rows for a count (the sanity bound of Vitter & Wang 1999), and to the deviation of the column
for a mean.
"""

from __future__ import annotations

import numpy as np

from geurim.contract import Finding
from geurim.verify import stats
from geurim.verify.compare import Comparison, Rows
from geurim.verify.tables import Cut, cut
from geurim.verify.verdict import judge, not_judged

QUERIES = 300
FILTERS = 3
ROWS = 50_000
SANITY = 0.01
GROUPS = 10
LEAST = 20  # training rows that a filter must leave


def queries(c: Comparison) -> list[Finding]:
    """The mean relative error of a random workload, beside the holdout's own."""
    used = [x for x in c.of("axis", "codes") if x.role not in ("constant", "empty")]
    rows = min(c.synthetic.count, c.holdout.count, ROWS)
    if len(used) < 2 or rows < 100:
        return [not_judged("useful", "query_error", "There are too few rows or columns.")]
    cuts = [cut(x, c.training, 6) for x in used]
    asked = _asked(c, cuts)
    if not asked:
        return [not_judged("useful", "query_error", "No filter leaves enough rows.")]
    truth = _answers(c.training.first(ROWS), cuts, asked)
    made, held = (_answers(r.first(rows), cuts, asked) for r in (c.synthetic, c.holdout))
    errors = [_errors(a.sum(axis=0), truth.sum(axis=0)) for a in (made, held)]
    value, reference = (float(e.mean()) for e in errors)
    parts = [
        np.array([_errors(a.sum(axis=0) - g, truth.sum(axis=0)).mean() for g in a])
        for a in (made, held)
    ]
    wide = [float(stats.jackknife_error(p)) for p in parts]
    half, both = stats.Z * wide[0], stats.Z * float(np.hypot(wide[0], wide[1]))
    over = value - reference
    worst = int(np.argmax(errors[0]))
    return [
        Finding(
            question="useful",
            name="query_error",
            value=value,
            low=max(0.0, value - half),
            high=value + half,
            reference=reference,
            count=len(asked),
            verdict=judge("query_error", over, over - both, over + both),
            text=f"Of {len(asked)} random counts and means under filters, the answers from "
            f"synthetic rows are off by {value:.1%} on average; those from as many real rows never "
            f"seen by {reference:.1%}.",
            columns=tuple(cuts[i].column.name for i, _ in asked[worst][1]),
            details={"worst": float(errors[0][worst])},
        )
    ]


Query = tuple[int | None, list[tuple[int, np.ndarray]]]
"""The column whose mean is asked for (None: a count), and filters: a column, the levels let in."""


def _asked(c: Comparison, cuts: list[Cut]) -> list[Query]:
    """Queries that leave enough of the training rows; filters let in about half the levels."""
    levels = [x(c.training) for x in cuts]
    numbers = [i for i, x in enumerate(cuts) if x.column.kind == "axis"]
    out: list[Query] = []
    for _ in range(4 * QUERIES):
        count = int(c.rng.integers(1, min(FILTERS, len(cuts)) + 1))
        chosen = c.rng.choice(len(cuts), count, replace=False)
        filters = [(int(i), c.rng.random(cuts[i].levels) < 0.5) for i in chosen]
        mean = int(c.rng.choice(numbers)) if numbers and c.rng.random() < 0.5 else None
        left = np.ones(c.training.count, bool)
        for i, let in filters:
            left &= let[levels[i]]
        if left.sum() >= LEAST:
            out.append((mean, filters))
        if len(out) == QUERIES:
            break
    return out


def _answers(rows: Rows, cuts: list[Cut], asked: list[Query]) -> np.ndarray:
    """Sums by group of rows, (GROUPS, Q, 4): rows, rows let in, and of their values count, sum.

    A column's values are its ranks among the training rows, so that no outlier decides.
    """
    levels = [x(rows) for x in cuts]
    group = np.arange(rows.count) * GROUPS // rows.count
    out = np.zeros((GROUPS, len(asked), 4))
    out[:, :, 0] = np.bincount(group, minlength=GROUPS)[:, None]
    for q, (mean, filters) in enumerate(asked):
        left = np.ones(rows.count, bool)
        for i, let in filters:
            left &= let[levels[i]]
        out[:, q, 1] = np.bincount(group[left], minlength=GROUPS)
        if mean is not None:
            values = levels[mean][left].astype(float)
            present = values > 0
            out[:, q, 2] = np.bincount(group[left][present], minlength=GROUPS)
            out[:, q, 3] = np.bincount(group[left][present], values[present], GROUPS)
    return out


def _errors(made: np.ndarray, real: np.ndarray) -> np.ndarray:
    """The error of each answer, (Q,); sums as `_answers` gives them, over all groups."""
    share, truth = made[:, 1] / made[:, 0], real[:, 1] / real[:, 0]
    off = np.abs(share - truth) / np.maximum(truth, SANITY)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, true = made[:, 3] / made[:, 2], real[:, 3] / real[:, 2]
    apart = np.abs(mean - true)
    # Levels of equal mass, 1 to 6: their deviation is about 1.7.
    apart = np.where(np.isfinite(apart), np.minimum(apart / 1.7, 1.0), 1.0)
    return np.where(real[:, 2] > 0, apart, np.minimum(off, 1.0))
