"""Faithful? Do the synthetic rows have the distribution of the real ones?

Missing values first, then each column. What columns have to do with each other stands in `joint`,
`patterns` and `rules`, times in `dates`, and everything at once in `c2st`.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from geurim.contract import Finding, Json
from geurim.html import percent
from geurim.verify import stats
from geurim.verify.compare import Column, Comparison, Rows
from geurim.verify.verdict import judge
from geurim.verify.words import axis_kind

SHOWN = 10  # rows behind a category that is named: the profile's own rule
BINS = 24


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
        shares[name] = rounded(np.histogram(inside, edges)[0] / len(values))
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


def rounded(shares: np.ndarray) -> list[float]:
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
        out[name] = rounded(np.array([*shares[1 : 1 + tops], *others, shares[0]]))
    count = column.known - tops
    return {"labels": labels, "pooled": count, **out}
