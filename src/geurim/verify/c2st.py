"""Faithful in everything at once: a classifier tries to tell real rows from synthetic ones."""

from __future__ import annotations

import numpy as np

from geurim.contract import Finding, Json
from geurim.html import percent
from geurim.verify import stats
from geurim.verify.betrayed import betrayed
from geurim.verify.classifier import FOLDS, Separation, separate
from geurim.verify.compare import Column, Comparison
from geurim.verify.faithful import SHOWN, rounded
from geurim.verify.joint import PAIR_COLUMNS
from geurim.verify.tables import association, cut, joint_counts
from geurim.verify.verdict import TOLERANCES, judge
from geurim.verify.words import axis_text, seen_share, value_text

C2ST_ROWS = 20_000


def c2st(c: Comparison) -> list[Finding]:
    """A classifier two-sample test: can gradient-boosted trees tell real from synthetic?"""
    used = c.of("axis", "codes")
    rows = min(c.training.count, c.synthetic.count, C2ST_ROWS)
    if not used or rows < 4 * FOLDS:
        return [_too_few(rows)]
    found = separate(used, c.training, c.training.first(rows), c.synthetic.first(rows), c.rng)
    low, high = _interval(found)
    reference, drift = None, 0.0
    held = min(c.training.count, c.holdout.count, C2ST_ROWS)
    if held >= 4 * FOLDS:
        other = separate(used, c.training, c.training.first(held), c.holdout.first(held), c.rng)
        reference = other.auc
        drift = max(0.0, _interval(other)[0] - 0.5)
    ideal = 0.5 + drift
    verdict = judge("c2st_auc", found.auc - ideal, low - ideal, high - ideal)
    told = low - ideal > TOLERANCES["c2st_auc"][0] / 2
    telltales = [_telltale(c, name) for name in list(found.importance)[:3]] if told else []
    return [
        Finding(
            question="faithful",
            name="c2st_auc",
            value=found.auc,
            low=low,
            high=high,
            reference=reference,
            count=2 * rows,
            verdict=verdict,
            text=_c2st_text(found.auc, list(found.importance) if told else []),
            columns=tuple(list(found.importance)[:3]) if told else (),
            details={
                "importance": {k: round(v, 4) for k, v in list(found.importance.items())[:10]},
                "telltales": telltales,
                "rows": betrayed(c, found, c.synthetic.first(rows)) if told else [],
                **_curves(found),
            },
        )
    ]


def _interval(found: Separation) -> tuple[float, float]:
    half = stats.Z * found.error
    return max(0.0, found.auc - half), min(1.0, found.auc + half)


def _too_few(rows: int) -> Finding:
    return Finding(
        question="faithful",
        name="c2st_auc",
        value=float("nan"),
        low=0.0,
        high=1.0,
        reference=None,
        count=rows,
        verdict="info",
        text="Too few rows or columns to train a classifier that tells real from synthetic.",
    )


def _c2st_text(value: float, telltales: list[str]) -> str:
    text = (
        f"Shown one real and one synthetic row, a classifier picks the right one {value:.0%} of "
        "the time; 50% is guessing."
    )
    named = ", ".join(telltales[:3])
    return text + (f" What gives them away most: {named}." if named else "")


def _curves(found: Separation) -> dict[str, Json]:
    """Histograms of the classifier's scores, and its ROC curve at 41 places."""
    edges = np.linspace(0, 1, 21)
    scores = {
        name: rounded(np.histogram(np.clip(values, 0, 1), edges)[0] / len(values))
        for name, values in (("training", found.scores_a), ("synthetic", found.scores_b))
    }
    cuts = np.quantile(found.scores_a, 1 - np.linspace(0, 1, 41))
    ordered = np.sort(found.scores_b)
    caught = 1 - np.searchsorted(ordered, cuts, side="left") / len(ordered)
    caught[0] = 1 - np.searchsorted(ordered, cuts[0], side="right") / len(ordered)
    return {"scores": {"edges": edges.tolist(), **scores}, "roc": rounded(caught)}


def _telltale(c: Comparison, name: str) -> dict[str, Json]:
    """The values of a column whose share differs most, in words, if any differs for sure."""
    column = next(x for x in c.columns if x.name == name)
    levels = cut(column, c.training, 20)
    synthetic, training = (
        np.bincount(levels(r), minlength=levels.levels) / r.count for r in (c.synthetic, c.training)
    )
    pooled = (synthetic + training) / 2
    spread = np.sqrt(pooled * (1 - pooled) * (1 / c.synthetic.count + 1 / c.training.count))
    gap = np.where(np.abs(synthetic - training) > 4 * spread, np.abs(synthetic - training), 0)
    gap[training * c.training.count < SHOWN - 0.5] *= levels.column.kind == "axis"
    if column.kind == "axis":
        seen = [seen_share(r.axis[name], c.training.axis[name]) for r in (c.synthetic, c.holdout)]
        if seen[1] - seen[0] > max(0.1, gap.max()):
            return {
                "column": name,
                "text": f"{percent(seen[0])} of its synthetic values occur among the real ones "
                f"exactly; {percent(seen[1])} of the holdout's do.",
            }
    if gap.max() == 0:
        return {"column": name, "text": "By itself it looks right. " + _partner(c, column)}
    at = int(np.argmax(gap))
    return {
        "column": name,
        "text": f"{value_text(levels, at, axis_text(column.type))}: {percent(synthetic[at])} of "
        f"the synthetic rows, {percent(training[at])} of the real ones.",
    }


def _partner(c: Comparison, column: Column) -> str:
    """The column with which this one goes least as it should, in words."""
    others = [x for x in c.of("axis", "codes") if x.name != column.name][:PAIR_COLUMNS]
    cuts = [cut(x, c.training, 8) for x in (column, *others)]
    made, real = (
        association(joint_counts(r, cuts).sum(axis=0), cuts)[0, 1:]
        for r in (c.synthetic, c.training)
    )
    gap = np.nan_to_num(np.abs(made - real))
    if not len(gap) or gap.max() < 0.02:
        return "It is how it goes with several other columns together."
    at = int(np.argmax(gap))
    return (
        f"It is how it goes with {others[at].name!r}: their dependence (0 none, 1 full) is "
        f"{made[at]:.2f}, and {real[at]:.2f} in the real rows."
    )
