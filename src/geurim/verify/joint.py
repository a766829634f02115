"""Faithful in what columns have to do with each other: all pairs, and three at a time."""

from __future__ import annotations

import numpy as np

from geurim.contract import Finding, Json
from geurim.html import percent
from geurim.verify import stats
from geurim.verify.compare import Comparison
from geurim.verify.tables import Cut, association, cut, distances, joint_counts
from geurim.verify.verdict import judge

PAIR_COLUMNS = 60


def pairs(c: Comparison) -> list[Finding]:
    """The mean distance of all pairs' two-way tables, and the pairs whose association differs."""
    chosen = [x for x in c.of("axis", "codes") if x.role not in ("constant", "empty")]
    if len(chosen) < 2:
        return []
    if len(chosen) > PAIR_COLUMNS:
        places = np.sort(c.rng.choice(len(chosen), PAIR_COLUMNS, replace=False))
        chosen = [chosen[i] for i in places]
    bins = 8 if len(chosen) <= 40 else 6
    cuts = [cut(column, c.training, bins) for column in chosen]
    counts = [joint_counts(r, cuts) for r in (c.synthetic, c.training, c.holdout)]
    return [_pair_distance(c, cuts, counts), *_pair_associations(c, cuts, counts)]


def _upper(matrix: np.ndarray) -> np.ndarray:
    above: np.ndarray = matrix[np.triu_indices(len(matrix), 1)]
    return above


def _pair_distance(c: Comparison, cuts: list[Cut], counts: list[np.ndarray]) -> Finding:
    synthetic, training, holdout = (g.sum(axis=0) for g in counts)

    def excess(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
        distance, chance = (float(_upper(v).mean()) for v in distances(a, b, cuts))
        return distance, chance

    value, chance = excess(synthetic, training)
    reference, own = excess(holdout, training)
    parts = [
        np.array([excess(synthetic - g, training)[0] for g in counts[0]]),
        np.array([excess(synthetic, training - g)[0] for g in counts[1]]),
    ]
    half = stats.Z * float(np.hypot(*(stats.jackknife_error(p) for p in parts)))
    over = value - chance - max(0.0, reference - own - half)
    pairs = len(cuts) * (len(cuts) - 1) // 2
    return Finding(
        question="faithful",
        name="pair_distance",
        value=value,
        low=max(0.0, value - half),
        high=min(1.0, value + half),
        reference=reference,
        count=pairs,
        verdict=judge("pair_distance", over, over - half, over + half),
        text=f"Over {pairs:,} pairs of columns, on average {percent(value)} of the synthetic rows "
        f"would need to change for the two-way table to match; {percent(reference)} of real rows "
        "never seen.",
        details={"chance": chance, "columns": [x.column.name for x in cuts]},
    )


def _pair_associations(c: Comparison, cuts: list[Cut], counts: list[np.ndarray]) -> list[Finding]:
    """A finding for the ten pairs whose strength differs most, the first with all strengths."""
    strength = [association(g.sum(axis=0), cuts) for g in counts]
    errors = [
        stats.jackknife_error(np.stack([association(g.sum(axis=0) - part, cuts) for part in g]))
        for g in counts
    ]
    gap = np.abs(strength[0] - strength[1])
    reference = np.abs(strength[2] - strength[1])
    half = stats.Z * np.hypot(errors[0], errors[1])
    drift = np.maximum(0.0, reference - stats.Z * np.hypot(errors[2], errors[1]))
    i, j = np.triu_indices(len(cuts), 1)
    known = np.isfinite(gap[i, j])
    i, j = i[known], j[known]
    order = np.argsort(-gap[i, j], kind="stable")[:10]
    names = [x.column.name for x in cuts]
    out = []
    for rank, (a, b) in enumerate(zip(i[order], j[order], strict=True)):
        value, width = float(gap[a, b]), max(float(np.nan_to_num(half[a, b])), 1e-3)
        over = value - float(np.nan_to_num(drift[a, b]))
        out.append(
            Finding(
                question="faithful",
                name="pair_association",
                value=value,
                low=max(0.0, value - width),
                high=min(1.0, value + width),
                reference=float(reference[a, b]),
                count=c.synthetic.count,
                verdict=judge("pair_association", over, over - width, over + width, tests=len(i)),
                text="The two columns' dependence (0 none, 1 full) is "
                f"{_two(strength[0][a, b])} in the synthetic rows, "
                f"{_two(strength[1][a, b])} in the real ones and "
                f"{_two(strength[2][a, b])} in the holdout.",
                columns=(names[a], names[b]),
                details={} if rank else _matrices(names, strength),
            )
        )
    return out


def _matrices(names: list[str], strength: list[np.ndarray]) -> dict[str, Json]:
    def rows(matrix: np.ndarray) -> Json:
        return [[None if np.isnan(v) else round(float(v), 3) for v in line] for line in matrix]

    kinds = ("synthetic", "training", "holdout")
    return {
        "columns": names,
        **{k: rows(m) for k, m in zip(kinds, strength, strict=True)},
    }


def _two(value: float) -> str:
    """Two places; a column that does not vary has no dependence to tell."""
    return "unknown" if np.isnan(value) else f"{value:.2f}"
