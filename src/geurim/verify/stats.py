"""Distances, intervals and ranks: the arithmetic of the measures, each with its source.

All functions take NumPy arrays and are pure. Intervals are 95% unless told otherwise.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

Z = NormalDist().inv_cdf(0.975)


def wilson(hits: float, count: float, z: float = Z) -> tuple[float, float]:
    """Interval of a share: `hits` of `count`. Wilson 1927; (0, 1) where nothing was counted."""
    if count <= 0:
        return 0.0, 1.0
    p = hits / count
    middle = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    # At the ends the formula gives 0 and 1 up to rounding only.
    return middle - half if hits > 0 else 0.0, middle + half if hits < count else 1.0


def difference(
    hits: float, count: float, other_hits: float, other_count: float
) -> tuple[float, float]:
    """Interval of a difference of two shares. Newcombe 1998, method 10 (from Wilson intervals)."""
    if count <= 0 or other_count <= 0:
        return -1.0, 1.0
    p, q = hits / count, other_hits / other_count
    (p_low, p_high), (q_low, q_high) = wilson(hits, count), wilson(other_hits, other_count)
    low = p - q - math.hypot(p - p_low, q_high - q)
    return low, p - q + math.hypot(p_high - p, q - q_low)


def log_chance(
    hits: np.ndarray, count: float, other_hits: np.ndarray, other_count: float
) -> np.ndarray:
    """A bound of the log of the chance that two equal shares differ as much as these, elementwise.

    Given the hits of both together, those of one are binomial; Chernoff 1952 bounds their tail, so
    the true chance is never larger, however few the hits.
    """
    hits, other_hits = np.asarray(hits, float), np.asarray(other_hits, float)
    total, p = hits + other_hits, count / (count + other_count)
    with np.errstate(divide="ignore", invalid="ignore"):
        one = np.where(hits > 0, hits * np.log(hits / (total * p)), 0.0)
        other = np.where(other_hits > 0, other_hits * np.log(other_hits / (total * (1 - p))), 0.0)
    bound: np.ndarray = -np.maximum(one + other, 0.0)
    return bound


def ks(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Largest gap between two empirical distribution functions, and its standard error.

    Missing values (NaN) lie below all others: they are part of the distribution. The error is
    that of the two shares at the place of the gap.
    """
    a, b = (np.sort(np.where(np.isnan(v), -np.inf, v)) for v in (a, b))
    places = np.concatenate([a, b])
    f = np.searchsorted(a, places, side="right") / len(a)
    g = np.searchsorted(b, places, side="right") / len(b)
    at = int(np.argmax(np.abs(f - g)))
    error = math.sqrt(f[at] * (1 - f[at]) / len(a) + g[at] * (1 - g[at]) / len(b))
    return float(abs(f[at] - g[at])), max(error, 0.5 / min(len(a), len(b)))


def ks_by_chance(n: int, m: int) -> float:
    """The mean of `ks` for two samples of one continuous distribution.

    The mean of Kolmogorov's distribution is sqrt(pi / 2) ln 2; distributions with repeated values
    give less.
    """
    return math.sqrt(math.pi / 2) * math.log(2) * math.sqrt(1 / n + 1 / m)


def total_variation(p: np.ndarray, q: np.ndarray) -> float:
    """Half the sum of the differences of two rows of shares: the mass that would have to move."""
    return float(np.abs(p - q).sum() / 2)


def variation_error(p: np.ndarray, q: np.ndarray, n: int, m: int) -> float:
    """Standard error of the total variation of shares p (of n) and q (of m); delta method."""
    sign = np.sign(p - q)
    by_p = (sign**2 @ p - (sign @ p) ** 2) / n
    by_q = (sign**2 @ q - (sign @ q) ** 2) / m
    return max(math.sqrt(max(by_p + by_q, 0.0)) / 2, 0.5 / min(n, m))


def variation_by_chance(p: np.ndarray, q: np.ndarray, n: float, m: float) -> np.ndarray:
    """Half the mean |difference| in each cell for two samples of one distribution, elementwise.

    Summed over cells it is the total variation that chance alone gives. Normal approximation of
    the cell's difference, bounded by its mean where counts are small.
    """
    pooled = (p * n + q * m) / (n + m)
    spread = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m) * 2 / math.pi)
    half: np.ndarray = np.minimum(spread, 2 * pooled) / 2
    return half


def midranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, ties sharing their mean."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: np.ndarray = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks


def auc(positive: np.ndarray, negative: np.ndarray) -> tuple[float, float]:
    """Chance that a positive scores above a negative (ties half), and its standard error.

    DeLong, DeLong & Clarke-Pearson 1988, by mid-ranks (Sun & Xu 2014). The error is at least
    half a row, since a perfect separation of few rows would otherwise seem certain.
    """
    n, m = len(positive), len(negative)
    ranks = midranks(np.concatenate([positive, negative]))
    above = (ranks[:n] - midranks(positive)) / m
    below = 1 - (ranks[n:] - midranks(negative)) / n
    variance = (above.var(ddof=1) / n if n > 1 else 0.25) + (
        below.var(ddof=1) / m if m > 1 else 0.25
    )
    return float(above.mean()), max(math.sqrt(variance), 0.5 / min(n, m))


def auc_many(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The AUC of one scoring under many weightings of its rows; for the bootstrap.

    `scores` (N,), `positive` (N,) bool, `weights` (B, N) counts. Returns (B,); NaN where a
    weighting leaves only one class.
    """
    values, place = np.unique(scores, return_inverse=True)
    out = np.empty(len(weights))
    for i, w in enumerate(weights):
        up = np.bincount(place[positive], w[positive], len(values))
        down = np.bincount(place[~positive], w[~positive], len(values))
        area = up @ (np.cumsum(down) - down / 2)
        pairs = up.sum() * down.sum()
        out[i] = area / pairs if pairs else np.nan
    return out


def r_squared(truth: np.ndarray, guess: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Share of the variance explained, under each of `weights` (B, N). Returns (B,)."""
    total = weights.sum(axis=1)
    mean = weights @ truth / total
    around = weights @ truth**2 / total - mean**2
    left = weights @ (truth - guess) ** 2 / total
    with np.errstate(divide="ignore", invalid="ignore"):
        explained: np.ndarray = np.where(around > 0, 1 - left / around, np.nan)
    return explained


def bootstrap_weights(rows: int, times: int, rng: np.random.Generator) -> np.ndarray:
    """Multinomial counts (times, rows): how often each row is drawn in each resample."""
    draws = rng.integers(0, rows, (times, rows))
    return np.stack([np.bincount(d, minlength=rows) for d in draws]).astype(np.float64)


def spread_interval(value: float, replicates: np.ndarray) -> tuple[float, float]:
    """value ± 1.96 standard deviations of its bootstrap replicates; NaNs are left out."""
    kept = replicates[np.isfinite(replicates)]
    half = Z * float(kept.std(ddof=1)) if len(kept) > 1 else math.inf
    return value - half, value + half


def jackknife_error(leave_one_out: np.ndarray) -> np.ndarray:
    """Standard error from g leave-one-group-out values, along the first axis. Tukey 1958."""
    g = len(leave_one_out)
    around = leave_one_out - leave_one_out.mean(axis=0)
    error: np.ndarray = np.sqrt((g - 1) / g * (around**2).sum(axis=0))
    return error


def chance_of_seeing(share: np.ndarray, rows: int) -> np.ndarray:
    """The chance that something of this share of the rows is met at least once in `rows` rows."""
    seen: np.ndarray = -np.expm1(rows * np.log1p(-np.minimum(share, 1 - 1e-12)))
    return seen
