"""Distributions that an expert can state, and how each is drawn for all rows at once.

Parameters have the names of what a domain expert knows: a mean rather than a rate, a median rather
than the mean of logarithms. Each is one number, or an array (N,) with a number for each row.
Every draw takes each row's randomness in row order from one stream, so that the first rows are the
same however many rows follow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from geurim.generators.rules.categories import codes


@dataclass(frozen=True)
class Parameter:
    """One number of a distribution, or, where it is `many`, an increasing list of numbers."""

    about: str
    default: float | tuple[float, ...] | None = None  # None: it has to be given
    low: float = -math.inf
    high: float = math.inf
    strict: bool = False  # the ends themselves are not permitted
    whole: bool = False
    many: bool = False

    @property
    def required(self) -> bool:
        """Whether it has to be given."""
        return self.default is None

    def wrong(self, value: np.ndarray) -> np.ndarray:
        """Which values are not permitted, in the shape of `value`."""
        inside = (value > self.low) & (value < self.high)
        if not self.strict:
            inside |= np.isfinite(value) & ((value == self.low) | (value == self.high))
        return np.asarray(~inside | (self.whole & (value != np.round(value))))

    def range(self) -> str:
        """The permitted values in words, such as "a whole number from 0"."""
        kind = "a whole number" if self.whole else "a number"
        low = f" {'above' if self.strict else 'from'} {self.low:g}" if self.low > -math.inf else ""
        high = f" {'below' if self.strict else 'up to'} {self.high:g}"
        return kind + low + (high if self.high < math.inf else "")


@dataclass(frozen=True)
class Distribution:
    """A family of distributions: its parameters, how it is drawn, and between which ends it lies.

    `draw(rng, size, **params)` gives (size,) values; `support(**params)` two numbers. Where
    `above(x, **params)`, the share of values above x (or what is in proportion to it), and its
    inverse `reach(share, **params)` have closed forms, values between two bounds are drawn exactly.
    """

    name: str
    about: str
    parameters: Mapping[str, Parameter]
    draw: Callable[..., np.ndarray]
    support: Callable[..., tuple[float, float]]
    whole: bool = False
    ascending: tuple[str, ...] = ()  # parameters that may not fall
    fault: Callable[..., str | None] | None = None  # what else may be wrong with them together
    above: Callable[..., Any] | None = None
    reach: Callable[..., Any] | None = None


def _positive(about: str, default: float | None = None) -> Parameter:
    return Parameter(about, default, low=0.0, strict=True)


def _triangular(share: Any, low: Any, mode: Any, high: Any) -> Any:
    rising = low + np.sqrt((1.0 - share) * (high - low) * (mode - low))
    falling = high - np.sqrt(share * (high - low) * (high - mode))
    return np.where((1.0 - share) * (high - low) < mode - low, rising, falling)


def _quantiles(
    rng: np.random.Generator, size: int, values: np.ndarray, levels: np.ndarray
) -> np.ndarray:
    at = levels if len(levels) else np.linspace(0.0, 1.0, len(values))
    return np.asarray(np.interp(rng.random(size), at, values))


def _levels_wrong(values: Any, levels: Any) -> str | None:
    if not len(levels) or (len(levels) == len(values) and levels[0] == 0.0 and levels[-1] == 1.0):
        return None
    return (
        f"quantiles: {len(levels)} levels from {levels[0]:g} to {levels[-1]:g} were given for "
        f"{len(values)} values. Give one level for each value, the first 0 and the last 1."
    )


@lru_cache(maxsize=4)
def _ranks(n: int, exponent: float) -> np.ndarray:
    """Cumulative shares (1, n) of the ranks 1 to n."""
    total = np.cumsum(np.arange(1.0, n + 1.0) ** -exponent)
    return np.asarray(total / total[-1])[None, :]


def _zipf(rng: np.random.Generator, size: int, n: Any, exponent: Any) -> np.ndarray:
    shares = rng.random(size)
    if np.ndim(n) == np.ndim(exponent) == 0:
        return codes(shares, _ranks(int(n), float(exponent)), None) + np.int64(1)
    pairs = np.column_stack([np.broadcast_to(v, (size,)) for v in (n, exponent)])
    kinds, kind = np.unique(pairs, axis=0, return_inverse=True)
    order = np.argsort(kind, kind="stable")
    values = np.empty(size, np.int64)
    for rows in np.split(order, np.flatnonzero(np.diff(kind[order])) + 1) if size else ():
        ranks, power = kinds[kind[rows[0]]]
        values[rows] = codes(shares[rows], _ranks(int(ranks), float(power)), None) + 1
    return values


_EVERYWHERE = (-math.inf, math.inf)
_MEAN = _positive("the mean")
_COUNT = Parameter("the mean", low=0.0, high=1e15)

DISTRIBUTIONS: Mapping[str, Distribution] = {
    d.name: d
    for d in (
        Distribution(
            "constant",
            "always the same value",
            {"value": Parameter("the value")},
            lambda rng, size, value: np.broadcast_to(np.asarray(value, float), (size,)).copy(),
            lambda value: (value, value),
        ),
        Distribution(
            "uniform",
            "every value from low to high as likely as any other",
            {"low": Parameter("the least value"), "high": Parameter("the greatest value")},
            lambda rng, size, low, high: low + (high - low) * rng.random(size),
            lambda low, high: (low, high),
            ascending=("low", "high"),
            above=lambda x, low, high: high - np.clip(x, low, high),
            reach=lambda share, low, high: high - share,
        ),
        Distribution(
            "normal",
            "the bell curve",
            {"mean": Parameter("the mean"), "deviation": Parameter("standard deviation", low=0.0)},
            lambda rng, size, mean, deviation: rng.normal(mean, deviation, size),
            lambda mean, deviation: _EVERYWHERE if deviation else (mean, mean),
        ),
        Distribution(
            "lognormal",
            "a normal distribution of the logarithms: amounts, incomes, durations",
            {
                "median": _positive("half of the values are below (not the mean, which is larger)"),
                "sigma": Parameter("standard deviation of the natural logarithms", low=0.0),
            },
            lambda rng, size, median, sigma: median * np.exp(sigma * rng.standard_normal(size)),
            lambda median, sigma: (0.0, math.inf) if sigma else (median, median),
        ),
        Distribution(
            "exponential",
            "waiting times without memory",
            {"mean": _MEAN},
            lambda rng, size, mean: mean * rng.standard_exponential(size),
            lambda mean: (0.0, math.inf),
            above=lambda x, mean: np.exp(-np.maximum(x, 0.0) / mean),
            reach=lambda share, mean: -mean * np.log(share),
        ),
        Distribution(
            "gamma",
            "sums of waiting times; shape 1 is exponential, a large shape nearly normal",
            {"mean": _MEAN, "shape": _positive("how even: (mean / standard deviation) squared")},
            lambda rng, size, mean, shape: rng.standard_gamma(shape, size) * mean / shape,
            lambda mean, shape: (0.0, math.inf),
        ),
        Distribution(
            "beta",
            "shares between 0 and 1",
            {
                "mean": Parameter("the mean", low=0.0, high=1.0, strict=True),
                "size": _positive("how close to the mean: as after so many observations"),
            },
            lambda rng, size_, mean, size: rng.beta(mean * size, (1.0 - mean) * size, size_),
            lambda mean, size: (0.0, 1.0),
        ),
        Distribution(
            "weibull",
            "times to failure; shape below 1 fails early, above 1 wears out",
            {"scale": _positive("63.2% of the values are below"), "shape": _positive("of wear")},
            lambda rng, size, scale, shape: scale * rng.weibull(shape, size),
            lambda scale, shape: (0.0, math.inf),
            above=lambda x, scale, shape: np.exp(-((np.maximum(x, 0.0) / scale) ** shape)),
            reach=lambda share, scale, shape: scale * (-np.log(share)) ** (1.0 / shape),
        ),
        Distribution(
            "pareto",
            "a power law from low upwards: wealth, losses; alpha up to 1 has no mean",
            {
                "low": _positive("the least value"),
                "alpha": _positive("of the tail: small is heavy"),
            },
            lambda rng, size, low, alpha: low * np.exp(rng.standard_exponential(size) / alpha),
            lambda low, alpha: (low, math.inf),
            above=lambda x, low, alpha: (low / np.maximum(x, low)) ** alpha,
            reach=lambda share, low, alpha: low * share ** (-1.0 / alpha),
        ),
        Distribution(
            "triangular",
            "a guess by least, most likely and greatest value",
            {
                "low": Parameter("the least value"),
                "mode": Parameter("the most likely value"),
                "high": Parameter("the greatest value"),
            },
            lambda rng, size, low, mode, high: _triangular(rng.random(size), low, mode, high),
            lambda low, mode, high: (low, high),
            ascending=("low", "mode", "high"),
        ),
        Distribution(
            "student",
            "a bell curve with heavy tails: returns, errors of measurement",
            {
                "center": Parameter("the median"),
                "scale": _positive("of the spread"),
                "df": _positive("degrees of freedom: small is heavy, 30 is nearly normal"),
            },
            lambda rng, size, center, scale, df: center + scale * rng.standard_t(df, size),
            lambda center, scale, df: _EVERYWHERE,
        ),
        Distribution(
            "von_mises",
            "the bell curve on a circle: directions, hours of the day",
            {
                "center": Parameter("the most likely value"),
                "kappa": Parameter("how close to it: 0 is uniform", low=0.0),
                "period": _positive("once around: 360 degrees, 24 hours", 360.0),
            },
            lambda rng, size, center, kappa, period: (
                (center + rng.vonmises(0.0, kappa, size) * (period / (2.0 * math.pi))) % period
            ),
            lambda center, kappa, period=360.0: (0.0, period),
        ),
        Distribution(
            "quantiles",
            "what is known of the values: straight lines between quantiles",
            {
                "values": Parameter("the quantiles, from the least to the greatest", many=True),
                "levels": Parameter(
                    "the share below each value; without it equally spaced",
                    default=(),
                    low=0.0,
                    high=1.0,
                    many=True,
                ),
            },
            _quantiles,
            lambda values, levels=(): (values[0], values[-1]),
            fault=_levels_wrong,
        ),
        Distribution(
            "poisson",
            "counts of what happens independently",
            {"mean": _COUNT},
            lambda rng, size, mean: rng.poisson(mean, size),
            lambda mean: (0, math.inf),
            whole=True,
        ),
        Distribution(
            "binomial",
            "successes among n tries",
            {
                "n": Parameter("tries", low=0.0, high=1e15, whole=True),
                "p": Parameter("the chance of each", low=0.0, high=1.0),
            },
            lambda rng, size, n, p: rng.binomial(np.asarray(n, np.int64), p, size),
            lambda n, p: (0, n),
            whole=True,
        ),
        Distribution(
            "geometric",
            "how many fail before the first that succeeds, from 0",
            {"mean": _COUNT},
            lambda rng, size, mean: rng.geometric(1.0 / (1.0 + np.asarray(mean)), size) - 1,
            lambda mean: (0, math.inf),
            whole=True,
        ),
        Distribution(
            "negative_binomial",
            "counts that vary more than Poisson's: some rows have far more than others",
            {"mean": _COUNT, "shape": _positive("how even: small is uneven, large is Poisson")},
            lambda rng, size, mean, shape: rng.negative_binomial(
                shape, shape / (shape + np.asarray(mean)), size
            ),
            lambda mean, shape: (0, math.inf),
            whole=True,
        ),
        Distribution(
            "zipf",
            "ranks from 1 to n, the first the most frequent: products, words, cities",
            {
                "n": Parameter("how many ranks", low=1.0, high=1e7, whole=True),
                "exponent": Parameter("how steep: 0 is uniform, 1 is Zipf's law", 1.0, low=0.0),
            },
            _zipf,
            lambda n, exponent=1.0: (1, n),
            whole=True,
        ),
    )
}
"""Every distribution by its name."""
