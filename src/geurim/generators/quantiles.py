"""A quantile function from the figures of a profile: quantiles, repeated values, mean and spread.

Between the 1% and the 99% quantile, straight lines. What a profile tells of the outer hundredths is
only where they end, and a straight line to the most extreme value would spread them far too wide:
there the lines bend as the tails of a generalized Pareto distribution, by as much as it takes to
give the column its mean and its standard deviation.
"""

from __future__ import annotations

import numpy as np

_SHAPES = np.linspace(-1.0, 3.0, 34)  # of a tail: -1 is a straight line, 0 exponential, 3 heavy
_POINTS = 13  # knots a tail


def quantile_function(
    quantiles: np.ndarray,
    repeated: np.ndarray,
    shares: np.ndarray,
    *,
    mean: float,
    std: float,
    count: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Knots (places, values) on (0, 1), with a step for each repeated value, whole.

    `quantiles` (Q,) from 0% to 100%; `repeated` (R,) ascending, with `shares`; `mean`, `std` of all
    values; `count`: how many values the profile saw. A quantile that is not itself a repeated value
    tells how much lies below it without the steps: that is the continuous part, which gets its
    tails, and then the steps are put in again.
    """
    below = np.concatenate([[0.0], np.cumsum(shares)])
    rest = max(0.0, 1.0 - below[-1])
    values, smooth = _continuous(quantiles, repeated, below, rest)
    if rest > 0.0 and len(values) > 2 and 1e-9 * (values[-1] - values[0]) < std < np.inf:
        steps = (repeated - mean) / std
        want = -float(shares @ steps), 1.0 - float(shares @ steps**2)
        lower, upper = _tails((values - mean) / std, smooth, want, count)
        values, smooth = _bent(values, smooth, lower, upper)
    at = np.interp(repeated, values, smooth)
    at[repeated >= quantiles[-1]] = rest
    # An end that is a repeated value was only lent to the continuous part: its step has both ends.
    own = ~np.isin(values, repeated)
    edges = np.concatenate([values[own], repeated, repeated])
    lifted = smooth[own] + below[np.searchsorted(repeated, values[own])]
    places = np.concatenate([lifted, at + below[:-1], at + below[1:]])
    order = np.lexsort((edges, places))
    edges, places = np.maximum.accumulate(edges[order]), places[order]
    if places[0] > 0.0:  # figures that contradict each other leave the beginning open
        places, edges = np.append(0.0, places), np.append(edges[0], edges)
    return places / places[-1], edges


def _continuous(
    quantiles: np.ndarray, repeated: np.ndarray, below: np.ndarray, rest: float
) -> tuple[np.ndarray, np.ndarray]:
    """Values and the mass of the continuous part up to each: ascending, from 0 to `rest`."""
    keep = ~np.isin(quantiles, repeated)
    values = quantiles[keep]
    smooth = np.linspace(0.0, 1.0, len(quantiles))[keep] - below[np.searchsorted(repeated, values)]
    smooth = np.clip(np.maximum.accumulate(smooth), 0.0, rest)
    if not len(values) or values[0] > quantiles[0]:
        values, smooth = np.append(quantiles[0], values), np.append(0.0, smooth)
    if values[-1] < quantiles[-1] or len(values) == 1:
        values, smooth = np.append(values, quantiles[-1]), np.append(smooth, rest)
    return values, smooth


Tail = tuple[np.ndarray, np.ndarray]
"""Places (P,) on a tail's mass, and how far out they are, (P,), or for each shape, (S, P)."""


def _tails(
    values: np.ndarray, smooth: np.ndarray, want: tuple[float, float], count: float
) -> tuple[Tail, Tail]:
    """The two tails that make the first and second moment of the continuous part `want`."""
    mass = np.diff(smooth)
    a, b, m = values[1:-2], values[2:-1], mass[1:-1]
    inner = (m @ (a + b) / 2, m @ (a * a + a * b + b * b) / 3)
    lower, upper = _tail(mass[0] * count), _tail(mass[-1] * count)
    low = _moments(lower, mass[0], values[1], values[0] - values[1])
    high = _moments(upper, mass[-1], values[-2], values[-1] - values[-2])
    off = [inner[k] + low[k][:, None] + high[k][None, :] - want[k] for k in (0, 1)]
    # Among equals the milder shapes: where a tail is too small to matter, any would fit.
    mild = 1e-7 * (_SHAPES[:, None] ** 2 + _SHAPES[None, :] ** 2)
    i, j = np.unravel_index(np.argmin(off[0] ** 2 + off[1] ** 2 / 4 + mild), mild.shape)
    return (lower[0], lower[1][i]), (upper[0], upper[1][j])


def _bent(
    values: np.ndarray, smooth: np.ndarray, lower: Tail, upper: Tail
) -> tuple[np.ndarray, np.ndarray]:
    """The knots with the first and the last line replaced by a tail each; the others as before."""
    first = values[1] + (values[0] - values[1]) * lower[1][:0:-1]
    last = values[-2] + (values[-1] - values[-2]) * upper[1][1:]
    first[0], last[-1] = values[0], values[-1]
    below = smooth[1] - (smooth[1] - smooth[0]) * lower[0][:0:-1]
    above = smooth[-2] + (smooth[-1] - smooth[-2]) * upper[0][1:]
    found = np.concatenate([first, values[1:-1], last])
    return np.maximum.accumulate(found), np.concatenate([below, smooth[1:-1], above])


def _tail(count: float) -> Tail:
    """How far out a tail is at shares of its mass: places (P,), and for each shape values (S, P).

    Both go from 0 to 1. `count`: the values in the tail; the farthest is one of them.
    """
    last = 1.0 / max(count, 2.0)
    beyond = last ** np.linspace(0.0, 1.0, _POINTS)  # the share still farther out
    powers = beyond[None, :] ** -_SHAPES[:, None] - 1.0
    return (1.0 - beyond) / (1.0 - last), powers / powers[:, -1:]


def _moments(tail: Tail, mass: float, start: float, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """First and second moment (S,) of a tail that goes from `start` as far as `reach`."""
    places, shapes = tail
    values = start + reach * shapes
    width = mass * np.diff(places)
    a, b = values[:, :-1], values[:, 1:]
    return (a + b) @ width / 2, (a * a + a * b + b * b) @ width / 3
