"""What is measured of series: correlations and tables of counts, by whole units."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from geurim.contract import Finding
from geurim.sequences.clock import between, calendar
from geurim.verify import stats
from geurim.verify.verdict import judge, not_judged

_TIMES = 100  # bootstrap resamples
CATEGORIES = 12  # the most frequent ones, apart


@dataclass(frozen=True, kw_only=True, eq=False)
class Observed:
    """Series as the measures see them: flat arrays over events, and whose they are.

    `numbers`: ordered columns on the axis; `classes`: categories as codes of the most frequent
    ones, the others together. `starts` (units + 1,).
    """

    starts: np.ndarray
    time: np.ndarray | None
    numbers: dict[str, np.ndarray]
    classes: dict[str, np.ndarray]

    @property
    def units(self) -> int:
        return len(self.starts) - 1

    @property
    def owner(self) -> np.ndarray:
        return np.repeat(np.arange(self.units), np.diff(self.starts))

    def stretches(self, count: int) -> Observed:
        """A single series cut into `count` pieces of even length."""
        starts = np.unique(np.linspace(0, self.starts[-1], count + 1).astype(np.int64))
        return replace(self, starts=starts)


@dataclass(frozen=True, kw_only=True, eq=False)
class Compared:
    training: Observed
    holdout: Observed | None
    synthetic: Observed
    dated: bool
    single: bool
    rng: np.random.Generator


# ---- statistics of units that are compared by their difference


def autocorrelation(c: Compared) -> list[Finding]:
    """How much a number depends on the one before, on the change of trends apart."""

    def of(o: Observed, name: str) -> tuple[np.ndarray, np.ndarray]:
        x = o.numbers[name]
        return _products(o, ranked(c, name, x), 1)

    return [
        _gap(c, "sequence_autocorrelation", of, n, "correlation with the event before")
        for n in c.training.numbers
    ]


def cross(c: Compared) -> list[Finding]:
    """How much the change of one number goes with the change of another."""
    names = list(c.training.numbers)
    found = []
    for i, one in enumerate(names):
        for other in names[i + 1 :][:6]:

            def of(
                o: Observed, name: str, one: str = one, other: str = other
            ) -> tuple[np.ndarray, np.ndarray]:
                first = between(ranked(c, one, o.numbers[one]), o.starts)
                second = between(ranked(c, other, o.numbers[other]), o.starts)
                return _moments(o, first, second)

            what = "correlation of the changes"
            found.append(_gap(c, "sequence_cross", of, one, what, (one, other)))
    return found


def ranked(c: Compared, name: str, x: np.ndarray) -> np.ndarray:
    """Values as their rank among the training values (N,) in [0, 1]: no outlier decides."""
    known = np.sort(c.training.numbers[name])
    known = known[~np.isnan(known)]
    place = (np.searchsorted(known, x, "left") + np.searchsorted(known, x, "right")) / 2
    return np.where(np.isnan(x), np.nan, place / max(len(known), 1))


def _products(o: Observed, x: np.ndarray, lag: int) -> tuple[np.ndarray, np.ndarray]:
    before = np.full(len(x), np.nan)
    before[lag:] = x[:-lag]
    position = np.arange(len(x)) - np.repeat(o.starts[:-1], np.diff(o.starts))
    before[position < lag] = np.nan
    return _moments(o, before, x)


def _moments(o: Observed, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each unit's sums (units, 5) for a correlation, and its pairs (units,)."""
    both = ~(np.isnan(a) | np.isnan(b))
    a, b = np.where(both, a, 0.0), np.where(both, b, 0.0)
    columns = [a, b, a * b, a * a, b * b]
    sums = np.column_stack([np.bincount(o.owner, v, o.units) for v in columns])
    return sums, np.bincount(o.owner, both, o.units)


def _correlation(sums: np.ndarray, count: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The correlation (B,) over units under weights (B, units)."""
    n = np.maximum(weights @ count, 1e-12)
    a, b, ab, aa, bb = (weights @ sums / n[:, None]).T
    spread = np.sqrt(np.maximum(aa - a * a, 0.0) * np.maximum(bb - b * b, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(spread > 1e-9, (ab - a * b) / spread, np.nan))


def _gap(
    c: Compared,
    name: str,
    of: Callable[[Observed, str], tuple[np.ndarray, np.ndarray]],
    column: str,
    what: str,
    columns: tuple[str, ...] = (),
) -> Finding:
    """The difference of a correlation between synthetic and real, with its interval."""
    found: list[tuple[float, np.ndarray, int] | None] = []
    for o in (c.training, c.holdout, c.synthetic):
        if o is None:
            found.append(None)
            continue
        sums, count = of(o, column)
        weights = stats.bootstrap_weights(o.units, _TIMES, c.rng)
        whole = _correlation(sums, count, np.ones((1, o.units)))[0]
        found.append((float(whole), _correlation(sums, count, weights), int(count.sum())))
    real, held, made = found
    assert real is not None and made is not None
    columns = columns or (column,)
    if not np.isfinite(real[0]) or not np.isfinite(made[0]):
        text = "One of the two does not vary within series, so nothing can be compared."
        return replace(not_judged("faithful", name, text), columns=columns)
    error = float(np.hypot(np.nanstd(real[1]), np.nanstd(made[1])))
    value = abs(made[0] - real[0])
    low, high = max(value - stats.Z * error, 0.0), value + stats.Z * error
    return Finding(
        question="faithful",
        name=name,
        value=value,
        low=low,
        high=high,
        reference=None if held is None else abs(held[0] - real[0]),
        count=min(real[2], made[2]),
        verdict=judge(name, value, value - stats.Z * error, high, tests=len(c.training.numbers)),
        text=f"The {what} is {made[0]:.3f} in synthetic series and {real[0]:.3f} in real ones.",
        columns=columns,
        details={"synthetic": made[0], "real": real[0]},
    )


# ---- tables of counts


def transitions(c: Compared) -> list[Finding]:
    """Which category follows which: total variation of the pairs that follow each other."""

    def of(o: Observed, name: str) -> np.ndarray:
        codes, size = o.classes[name], int(c.training.classes[name].max()) + 2
        size = max(size, CATEGORIES + 2)
        follows = np.diff(o.owner, prepend=-1) == 0
        places = np.flatnonzero(follows)
        return _counts(o, codes[places - 1] * size + codes[places], o.owner[places], size * size)

    return [
        _variation(c, "sequence_transitions", of, n, "pairs of categories that follow each other")
        for n in c.training.classes
    ]


def seasons(c: Compared) -> list[Finding]:
    """When events happen: total variation of their hours, weekdays and months."""
    if not c.dated or c.training.time is None:
        return []
    found = []
    for part, size in (("hour", 24), ("weekday", 7), ("month", 12)):

        def of(o: Observed, name: str, part: str = part, size: int = size) -> np.ndarray:
            assert o.time is not None
            codes = calendar(o.time)[part].astype(np.int64)
            return _counts(o, codes, o.owner, size)

        if len(np.unique(calendar(c.training.time)[part])) > 1:
            found.append(_variation(c, f"sequence_{part}", of, "", f"{part}s of events"))
    return found


def trend(c: Compared) -> list[Finding]:
    """How numbers move through a series: the mean in each tenth of it, in ranks."""
    found = []
    for name in c.training.numbers:

        def of(o: Observed, name: str) -> tuple[np.ndarray, np.ndarray]:
            x = ranked(c, name, o.numbers[name])
            return _moments(o, _tenth(c, o), x)

        what = "correlation with the place in time"
        found.append(_gap(c, "sequence_trend", of, name, what))
    return found


def season_of_values(c: Compared) -> list[Finding]:
    """How numbers go with the hour, weekday and month: the share explained."""
    if not c.dated or c.training.time is None:
        return []
    found = []
    for name in c.training.numbers:
        for part in ("hour", "weekday", "month"):
            assert c.training.time is not None
            at = calendar(c.training.time)[part].astype(np.int64)
            if len(np.unique(at)) < 2:
                continue
            x = ranked(c, name, c.training.numbers[name])
            seen = ~np.isnan(x)
            mean = np.bincount(at[seen], x[seen], 31) / np.maximum(
                np.bincount(at[seen], minlength=31), 1
            )

            def of(
                o: Observed, name: str, part: str = part, mean: np.ndarray = mean
            ) -> tuple[np.ndarray, np.ndarray]:
                assert o.time is not None
                expected = mean[calendar(o.time)[part].astype(np.int64)]
                return _moments(o, expected, ranked(c, name, o.numbers[name]))

            what = f"correlation with the real mean of each {part}"
            found.append(_gap(c, f"sequence_season_{part}", of, name, what))
    return found


def _tenth(c: Compared, o: Observed) -> np.ndarray:
    """The place of each event in time, 0 to 9: in all of time, or in its series."""
    if o.time is not None and c.training.time is not None:
        low, high = c.training.time.min(), c.training.time.max()
        at = (o.time - low) / max(high - low, 1e-9)
    else:
        at = np.arange(o.starts[-1]) / max(int(o.starts[-1]), 1)
    return np.asarray(np.clip(np.floor(at * 10), 0, 9))


def _counts(o: Observed, codes: np.ndarray, owner: np.ndarray, size: int) -> np.ndarray:
    """Counts (groups, size) over at most 50 groups of units, for the interval."""
    groups = min(o.units, 50)
    group = owner % groups
    return np.bincount(group * size + codes, minlength=groups * size).reshape(groups, size)


def _variation(
    c: Compared, name: str, of: Callable[[Observed, str], np.ndarray], column: str, what: str
) -> Finding:
    real, made = of(c.training, column), of(c.synthetic, column)
    held = None if c.holdout is None else of(c.holdout, column)
    columns = (column,) if column else ()
    if not real.sum() or not made.sum():
        text = "No series has a second event."
        return replace(not_judged("faithful", name, text), columns=columns)
    p, q = real.sum(0) / real.sum(), made.sum(0) / made.sum()
    value = float(stats.total_variation(p, q))
    replicates = []
    for _ in range(_TIMES):
        one = real[c.rng.integers(len(real), size=len(real))].sum(0)
        two = made[c.rng.integers(len(made), size=len(made))].sum(0)
        replicates.append((one / max(one.sum(), 1), two / max(two.sum(), 1)))
    error = float(np.std([stats.total_variation(a, b) for a, b in replicates]))
    # What chance alone gives: two resamples of the same units.
    apart = [stats.total_variation(a, p) + stats.total_variation(b, q) for a, b in replicates]
    chance = float(np.mean(apart)) / math.sqrt(2)
    reference = None
    if held is not None and held.sum():
        reference = stats.total_variation(p, held.sum(0) / held.sum())
    low = max(value - float(stats.Z) * error, 0.0)
    high = min(value + float(stats.Z) * error, 1.0)
    return Finding(
        question="faithful",
        name=name,
        value=value,
        low=low,
        high=high,
        reference=reference,
        count=int(min(real.sum(), made.sum())),
        verdict=judge(name, value - chance, low - chance, high - chance),
        text=f"{value:.1%} of the {what} would have to change to be as in real series "
        f"(chance alone gives about {chance:.1%}).",
        columns=columns,
    )
