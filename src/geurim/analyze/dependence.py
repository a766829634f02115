"""How strongly each pair of columns hangs together, whatever their types.

`association` measures any dependence, from 0 to 1. `normal` is the correlation of normal scores,
which only sees what rises or falls together; the copula draws from it.
"""

from __future__ import annotations

import numpy as np

from geurim.analyze.collect import Column
from geurim.contract import Json

ROWS = 20_000
WIDE = 100  # with more columns than this, fewer rows are looked at
BINS = 20
NOISE = 3.0  # standard deviations of chance below which an association is shown as 0


def dependence(columns: dict[str, Column], roles: dict[str, str], rng: np.random.Generator) -> Json:
    """The `dependence` part of a profile, over number, datetime and category columns."""
    names = [n for n, role in roles.items() if role in ("number", "datetime", "category")]
    if not names:
        return {"columns": [], "association": [], "normal": []}
    size = len(columns[names[0]].sample)
    most = ROWS if len(names) <= WIDE else ROWS // 4
    rows = np.arange(size) if size <= most else np.sort(rng.choice(size, most, replace=False))
    levels = [_levels(columns[n], rows) for n in names]
    bins = int(np.clip(round(len(rows) ** (1 / 3)), 2, BINS))
    binned = [
        _bin(codes, counts, columns[n].ordered, bins)
        for n, (codes, counts) in zip(names, levels, strict=True)
    ]
    scores = np.stack([_scores(codes, counts) for codes, counts in levels])
    found: Json = {
        "columns": names,
        "association": _shown(association(binned)),
        "normal": _shown(correlation(scores)),
    }
    absent = np.stack([_absent(columns[n], rows) for n in names])
    if absent.any():
        found["missing"] = [n for n, holes in zip(names, absent, strict=True) if holes.any()]
        found["present"] = _shown(present_correlation([c for c, _ in levels], absent))
    return found


def _absent(column: Column, rows: np.ndarray) -> np.ndarray:
    """Which of `rows` have no value, (N,)."""
    if column.ordered:
        return np.asarray(np.isnan(column.axis[rows]))
    return np.asarray(column.encoded[0][rows] < 0)


def present_correlation(codes: list[np.ndarray], absent: np.ndarray) -> np.ndarray:
    """Correlations of values apart from their missingness, (D + M, D + M).

    First the normal scores of D columns, ranked among the values present, each pair over the rows
    where both have one; then whether each of the M columns that miss values misses one. `codes`
    (D, N) ascend with the values; `absent` (D, N). Where no row has both, or one is constant: 0.
    """
    holes = absent[absent.any(axis=1)]
    there = np.concatenate([~absent, np.ones_like(holes)]).astype(np.float64)
    scores = np.concatenate([np.zeros(absent.shape), holes])
    for place, column in enumerate(codes):
        _, packed, counts = np.unique(
            column[~absent[place]], return_inverse=True, return_counts=True
        )
        if len(counts):
            scores[place, ~absent[place]] = _scores(packed, counts)
    both = np.maximum(there @ there.T, 1.0)
    sums = scores @ there.T  # of each row's scores, over the rows it shares with each other row
    squares = np.maximum(scores**2 @ there.T - sums**2 / both, 0.0)
    across = scores @ scores.T - sums * sums.T / both
    size = np.sqrt(squares * squares.T)
    found = np.clip(across / np.where(size > 1e-9, size, np.inf), -1.0, 1.0)
    np.fill_diagonal(found, 1.0)
    return np.asarray(found)


def _shown(matrix: np.ndarray) -> Json:
    return [[round(float(v), 4) for v in row] for row in matrix]


def _levels(column: Column, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes (N,) in the column's order, missing last, and the rows at each code (K,).

    Numbers and times are in their own order; categories as a profile lists them, by frequency.
    """
    if column.ordered:
        values = column.axis[rows]  # NaN sorts last, and np.unique joins them
        _, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
        return codes, counts
    raw, names = column.encoded
    raw = raw[rows]
    order = np.argsort(-np.bincount(raw[raw >= 0], minlength=len(names)), kind="stable")
    place = np.append(np.empty(len(names), np.int64), len(names))  # -1, missing, is the last
    place[order] = np.arange(len(names))
    codes = place[raw]
    counts = np.bincount(codes, minlength=len(names) + 1)
    return codes, counts


def _bin(codes: np.ndarray, counts: np.ndarray, ordered: bool, bins: int) -> np.ndarray:
    """At most `bins` levels (and one for missing): mass points alone, the rest in equal shares."""
    if len(counts) <= bins:
        return codes
    if not ordered:
        return np.where(codes >= len(counts) - 1, bins, np.minimum(codes, bins - 1))
    total = counts.sum()
    heavy = counts * bins >= total
    light = np.where(heavy, 0, counts)
    free = max(bins - int(heavy.sum()), 1)
    middle = np.cumsum(light) - light / 2
    to = np.minimum((middle * free / max(light.sum(), 1)).astype(np.int64), free - 1)
    to[heavy] = free + np.arange(int(heavy.sum()))
    return np.asarray(to[codes])


def association(binned: list[np.ndarray]) -> np.ndarray:
    """The informational correlation of every pair of level codes (N,), a matrix (D, D) in 0 to 1.

    sqrt(1 - exp(-2 I)) of the mutual information I in nats: between two normal variables it is
    the absolute correlation (Linfoot 1957, "An informational measure of correlation"). It is
    divided by what complete dependence would reach, so that 1 always means: one determines the
    other, up to the bins. I has the bias correction of Miller (1955); where it lies within 3
    standard deviations of what independent columns give by chance, 0 is shown.
    """
    found = np.eye(len(binned))
    packed = [np.unique(codes, return_inverse=True)[1] for codes in binned]
    sizes = [int(codes.max()) + 1 for codes in packed]
    entropies = [_entropy(np.bincount(codes)) for codes in packed]
    for i, a in enumerate(packed):
        for j in range(i):
            joint = np.bincount(a * sizes[j] + packed[j], minlength=sizes[i] * sizes[j])
            value = _information(joint, entropies[i], entropies[j], (sizes[i] - 1) * (sizes[j] - 1))
            most = max(min(entropies[i][0], entropies[j][0]), 1e-12)
            reached = (1 - np.exp(-2 * value)) / (1 - np.exp(-2 * most))
            found[i, j] = found[j, i] = np.sqrt(np.clip(reached, 0, 1))
    return found


def _entropy(counts: np.ndarray) -> tuple[float, float]:
    """Entropy in nats with Miller's correction, and without."""
    counts = counts[counts > 0]
    total = counts.sum()
    plain = float(np.log(total) - (counts * np.log(counts)).sum() / total)
    return plain + (len(counts) - 1) / (2 * total), plain


def _information(
    joint: np.ndarray, one: tuple[float, float], other: tuple[float, float], freedom: int
) -> float:
    both = _entropy(joint)
    total = int(joint.sum())
    chance = 2 * total * (one[1] + other[1] - both[1])  # G, about chi-squared if independent
    if freedom == 0 or chance < freedom + NOISE * np.sqrt(2 * freedom):
        return 0.0
    return max(one[0] + other[0] - both[0], 0.0)


def _scores(codes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Normal scores (N,): each level's mean over its interval of ranks."""
    from geurim.generators.normal import ppf

    total = int(counts.sum())
    sums = np.concatenate(([0.0], np.cumsum(ppf((np.arange(total) + 0.5) / total))))
    ends = np.concatenate(([0], np.cumsum(counts)))
    means = (sums[ends[1:]] - sums[ends[:-1]]) / np.maximum(counts, 1)
    return np.asarray(means[codes])


def correlation(scores: np.ndarray) -> np.ndarray:
    """Correlations (D, D) of the rows of `scores` (D, N), positive definite; 0 for a constant."""
    centred = scores - scores.mean(axis=1, keepdims=True)
    size = np.sqrt((centred**2).sum(axis=1))
    unit = centred / np.where(size > 1e-9, size, np.inf)[:, None]
    found = unit @ unit.T
    # All correlations come from the same rows, so none is negative; a little shrinking, more than
    # the rounding to four digits, keeps columns that repeat each other from making it singular.
    found *= 1 - 2e-4 * max(1, len(scores) / 20)
    np.fill_diagonal(found, 1.0)
    return np.asarray(found)
