"""How long series are, and how long it takes from one event to the next, by whole units."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from geurim.contract import Finding
from geurim.sequences.clock import between
from geurim.verify import stats
from geurim.verify.series import Compared, Observed
from geurim.verify.verdict import judge, not_judged

Owned = tuple[np.ndarray, np.ndarray]
"""Values (N,), and the unit of each."""


def lengths(c: Compared) -> list[Finding]:
    """How many events a unit has: Kolmogorov-Smirnov distance."""
    if c.single:
        return [not_judged("faithful", "sequence_length", "There is one series.")]

    def of(o: Observed) -> Owned:
        return np.diff(o.starts).astype(np.float64), np.arange(o.units)

    return [_distance(c, "sequence_length", of, "number of events in a series")]


def gaps(c: Compared) -> list[Finding]:
    """How long it takes from one event to the next: Kolmogorov-Smirnov distance."""
    if c.training.time is None:
        return []

    def of(o: Observed) -> Owned:
        gap = np.full(len(o.owner), np.nan) if o.time is None else between(o.time, o.starts)
        known = ~np.isnan(gap)
        return gap[known], o.owner[known]

    if not len(of(c.training)[0]) or not len(of(c.synthetic)[0]):
        return [not_judged("faithful", "sequence_gap", "No series has a second event.")]
    return [_distance(c, "sequence_gap", of, "time between events")]


def _distance(c: Compared, name: str, of: Callable[[Observed], Owned], what: str) -> Finding:
    training, synthetic = of(c.training), of(c.synthetic)
    holdout = None if c.holdout is None else of(c.holdout)
    value, place = _largest_gap(training[0], synthetic[0])
    error = math.hypot(_share_error(training, place), _share_error(synthetic, place))
    chance = stats.ks_by_chance(_worth(training), _worth(synthetic))
    reference = None
    if holdout is not None and len(holdout[0]):
        reference = stats.ks(training[0], holdout[0])[0]
    low, high = max(value - stats.Z * error, 0.0), min(value + stats.Z * error, 1.0)
    medians = (float(np.median(synthetic[0])), float(np.median(training[0])))
    return Finding(
        question="faithful",
        name=name,
        value=value,
        low=low,
        high=high,
        reference=reference,
        count=min(len(training[0]), len(synthetic[0])),
        verdict=judge(name, value - chance, low - chance, high - chance),
        text=f"The {what} differs by {value:.3f} at most between the two distributions "
        f"(medians {medians[0]:.4g} synthetic, {medians[1]:.4g} real).",
    )


def _largest_gap(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """The largest gap between two distribution functions, and the value where it is."""
    places = np.concatenate([a, b])
    f, g = (np.searchsorted(np.sort(v), places, "right") / len(v) for v in (a, b))
    at = int(np.argmax(np.abs(f - g)))
    return float(abs(f[at] - g[at])), float(places[at])


def _share_error(owned: Owned, place: float) -> float:
    """The standard error of the share of values up to `place`.

    Values of one unit are alike: it is that of whole units drawn again (Cochran 1977, section 2.11,
    a ratio to the units' sizes).
    """
    values, owner = owned
    units = int(owner.max(initial=0)) + 1
    size = np.bincount(owner, minlength=units)
    around = np.bincount(owner, values <= place, units) - (values <= place).mean() * size
    seen = max(int((size > 0).sum()), 2)
    error = math.sqrt(float((around**2).sum()) * seen / (seen - 1)) / len(values)
    return max(error, 0.5 / len(values))


def _worth(owned: Owned) -> int:
    """How many independent values the values are worth, at their median."""
    values = owned[0]
    middle = float(np.median(values))
    share = float((values <= middle).mean())
    if share in (0.0, 1.0):
        return len(values)
    worth = share * (1 - share) / _share_error(owned, middle) ** 2
    return int(np.clip(worth, 1, len(values)))
