"""Faithful? Do the synthetic rows have the distribution of the real ones?

Missing values first, then each column, each pair, and at last everything at once: a classifier that
tries to tell real rows from synthetic ones.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from geurim.contract import Finding, Json
from geurim.html import percent
from geurim.verify import stats
from geurim.verify.classifier import FOLDS, Separation, separate
from geurim.verify.compare import Column, Comparison, Rows
from geurim.verify.tables import Cut, association, cut, distances, joint_counts
from geurim.verify.verdict import TOLERANCES, judge
from geurim.verify.words import axis_kind, axis_text, seen_share, value_text

SHOWN = 10  # rows behind a category that is named: the profile's own rule
BINS = 24
PAIR_COLUMNS = 60
C2ST_ROWS = 20_000


def missing(c: Comparison) -> list[Finding]:
    """The gap of each column's missing share."""
    columns = c.of("axis", "codes", "strings")
    return [_missing(c, column, len(columns)) for column in columns]


def _missing(c: Comparison, column: Column, tests: int) -> Finding:
    lost = [int(r.missing(column.name).sum()) for r in (c.synthetic, c.training, c.holdout)]
    rows = [c.synthetic.count, c.training.count, c.holdout.count]
    share = [a / b for a, b in zip(lost, rows, strict=True)]
    low, high = _gap(lost[0], rows[0], lost[1], rows[1])
    reference = abs(share[2] - share[1])
    drift = max(0.0, _gap(lost[2], rows[2], lost[1], rows[1])[0])
    value = abs(share[0] - share[1])
    return Finding(
        question="faithful",
        name="missing_gap",
        value=value,
        low=max(0.0, low),
        high=high,
        reference=reference,
        count=rows[0],
        verdict=judge("missing_gap", value - drift, low - drift, high - drift, tests=tests),
        text=f"{percent(share[0])} of the synthetic values are missing, and {percent(share[1])} "
        f"of the real ones ({percent(share[2])} in the holdout).",
        columns=(column.name,),
        details={"synthetic": share[0], "training": share[1], "holdout": share[2]},
    )


def _gap(hits: int, count: int, other_hits: int, other_count: int) -> tuple[float, float]:
    """The interval of |a - b|: that of the difference, turned so that the difference is up."""
    low, high = stats.difference(hits, count, other_hits, other_count)
    return (low, high) if hits * other_count >= other_hits * count else (-high, -low)


def columns(c: Comparison) -> list[Finding]:
    """Each column's distance: KS for numbers and times, total variation for categories."""
    learned = c.of("axis", "codes")
    return [
        (_axis_column if column.kind == "axis" else _codes_column)(c, column, len(learned))
        for column in learned
    ]


def _axis_column(c: Comparison, column: Column, tests: int) -> Finding:
    training, holdout, synthetic = (
        r.axis[column.name] for r in (c.training, c.holdout, c.synthetic)
    )
    value, error = stats.ks(synthetic, training)
    chance = stats.ks_by_chance(len(synthetic), len(training))
    reference, reference_error = stats.ks(holdout, training)
    own = stats.ks_by_chance(len(holdout), len(training))
    drift = max(0.0, reference - own - stats.Z * reference_error)
    half = stats.Z * error
    excess = value - chance - drift
    return Finding(
        question="faithful",
        name="column_ks",
        value=value,
        low=max(0.0, value - half),
        high=min(1.0, value + half),
        reference=reference,
        count=len(synthetic),
        verdict=judge("column_ks", excess, excess - half, excess + half, tests=tests),
        text=f"The largest gap between the synthetic and the real distribution is "
        f"{percent(value)} of the rows; {percent(reference)} for real rows never seen.",
        columns=(column.name,),
        details=_histogram(column, training, holdout, synthetic) | {"chance": chance},
    )


def _histogram(
    column: Column, training: np.ndarray, holdout: np.ndarray, synthetic: np.ndarray
) -> dict[str, Json]:
    """What the plot of a column on an axis shows: shares by bin, ends included, and missing."""
    finite = training[np.isfinite(training)]
    edges = _edges(finite, pa.types.is_integer(column.type)) if len(finite) else np.array([0.0, 1])
    shares = {}
    for name, values in (("training", training), ("synthetic", synthetic), ("holdout", holdout)):
        inside = np.clip(values[~np.isnan(values)], edges[0], edges[-1])
        shares[name] = _rounded(np.histogram(inside, edges)[0] / len(values))
    lost = [float(np.isnan(v).mean()) for v in (training, synthetic, holdout)]
    return {
        "edges": edges.tolist(),
        "axis": axis_kind(column.type),
        "whole": pa.types.is_integer(column.type),
        **shares,
        "missing": lost,
    }


def _edges(values: np.ndarray, whole: bool) -> np.ndarray:
    """Bins of equal width over the middle 99%; each whole number its own where they are few."""
    low, high = (float(v) for v in np.quantile(values, [0.005, 0.995]))
    count = BINS
    if whole:
        step = 1 if high - low <= 2 * BINS else int((high - low) // BINS) + 1
        count = int((high - low) // step) + 1
        low, high = low - 0.5, low - 0.5 + step * count
    elif low == high:
        low, high, count = low - 0.5, low + 0.5, 1
    edges: np.ndarray = np.linspace(low, high, count + 1)
    return edges


def _rounded(shares: np.ndarray) -> list[float]:
    return [float(f"{v:.4g}") for v in shares]


def _shares(rows: Rows, column: Column) -> np.ndarray:
    """Shares of missing, then of each category."""
    assert column.categories is not None
    counts = np.bincount(rows.codes[column.name] + 1, minlength=len(column.categories) + 1)
    shares: np.ndarray = counts / rows.count
    return shares


def _codes_column(c: Comparison, column: Column, tests: int) -> Finding:
    synthetic, training, holdout = (
        _shares(r, column) for r in (c.synthetic, c.training, c.holdout)
    )
    n, m, h = c.synthetic.count, c.training.count, c.holdout.count
    value = stats.total_variation(synthetic, training)
    error = stats.variation_error(synthetic, training, n, m)
    chance = float(stats.variation_by_chance(synthetic, training, n, m).sum())
    reference = stats.total_variation(holdout, training)
    own = float(stats.variation_by_chance(holdout, training, h, m).sum())
    drift = max(0.0, reference - own - stats.Z * stats.variation_error(holdout, training, h, m))
    half, excess = stats.Z * error, value - chance - drift
    return Finding(
        question="faithful",
        name="column_tv",
        value=value,
        low=max(0.0, value - half),
        high=min(1.0, value + half),
        reference=reference,
        count=n,
        verdict=judge("column_tv", excess, excess - half, excess + half, tests=tests),
        text=f"{percent(value)} of the synthetic rows would need another category to match the "
        f"real shares; {percent(reference)} of real rows never seen.",
        columns=(column.name,),
        details=_bars(column, c.training.count, training, synthetic, holdout) | {"chance": chance},
    )


def _bars(
    column: Column, rows: int, training: np.ndarray, synthetic: np.ndarray, holdout: np.ndarray
) -> dict[str, Json]:
    """What the plot of categories shows: the ten commonest with enough rows, and the others."""
    assert column.categories is not None
    tops = int((training[1 : column.known + 1] * rows >= SHOWN - 0.5)[:10].sum())
    labels = [str(v) for v in column.categories.slice(0, tops).to_pylist()]
    out: dict[str, Json] = {}
    for name, shares in (
        ("training", training),
        ("synthetic", synthetic),
        ("holdout", holdout),
    ):
        others = shares[1 + tops : column.known + 1].sum(), shares[column.known + 1 :].sum()
        out[name] = _rounded(np.array([*shares[1 : 1 + tops], *others, shares[0]]))
    count = column.known - tops
    return {"labels": labels, "pooled": count, **out}


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
        name: _rounded(np.histogram(np.clip(values, 0, 1), edges)[0] / len(values))
        for name, values in (("training", found.scores_a), ("synthetic", found.scores_b))
    }
    cuts = np.quantile(found.scores_a, 1 - np.linspace(0, 1, 41))
    ordered = np.sort(found.scores_b)
    caught = 1 - np.searchsorted(ordered, cuts, side="left") / len(ordered)
    caught[0] = 1 - np.searchsorted(ordered, cuts[0], side="right") / len(ordered)
    return {"scores": {"edges": edges.tolist(), **scores}, "roc": _rounded(caught)}


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


def _two(value: float) -> str:
    """Two places; a column that does not vary has no dependence to tell."""
    return "unknown" if np.isnan(value) else f"{value:.2f}"
