"""What does the order of events tell beyond whose they are, and how much of it is kept?

Where units differ from each other, neighbouring events are alike in any order of a unit's events:
correlations and transitions of all units together hardly change when order is lost. Here each unit
is held against its own events in random order, so that only what order tells is left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from geurim.contract import Finding
from geurim.verify import stats
from geurim.verify.series import Compared, Observed, ranked
from geurim.verify.verdict import judge, not_judged

_TIMES = 100  # bootstrap resamples
_GROUPS = 50  # of units, for the interval
_LEAST = 0.05  # a correlation below it is no memory worth keeping
_SURE = 10.0  # times its noise the square of the memory must be
_EXPECTED = 5  # pairs of a kind in random order, for the kind to be looked at

NAME = "sequence_memory"


@dataclass(frozen=True, kw_only=True, eq=False)
class Order:
    """What order adds: `sums` (groups, D) and what they are divided by, `weight` (groups,)."""

    sums: np.ndarray
    weight: np.ndarray

    def whole(self) -> np.ndarray:
        """(D,), in units of a correlation."""
        return np.asarray(self.sums.sum(0) / max(self.weight.sum(), 1e-12))

    def again(self, rng: np.random.Generator) -> np.ndarray:
        """The same of groups drawn again, (B, D)."""
        drawn = stats.bootstrap_weights(len(self.weight), _TIMES, rng)
        return np.asarray(drawn @ self.sums / np.maximum(drawn @ self.weight, 1e-12)[:, None])


def memory(c: Compared) -> list[Finding]:
    """The share of what order tells that synthetic series lost, of each column."""
    sides = [o for o in (c.training, c.holdout, c.synthetic) if o is not None]
    found = []
    for name in c.training.numbers:

        def of(o: Observed, name: str = name) -> Order:
            return of_numbers(o, ranked(c, name, o.numbers[name]))

        found.append(_lost(c, name, of))
    for name, codes in c.training.classes.items():
        size = int(max(o.classes[name].max(initial=0) for o in sides)) + 1
        by_chance = expected(c.training.owner, codes, c.training.units, size).sum(0)
        rate = np.where(by_chance < _EXPECTED, np.inf, by_chance / max(by_chance.sum(), 1.0))

        def pairs(
            o: Observed, name: str = name, size: int = size, rate: np.ndarray = rate
        ) -> Order:
            return of_classes(o, o.classes[name], size, rate)

        found.append(_lost(c, name, pairs))
    return found


def of_numbers(o: Observed, x: np.ndarray) -> Order:
    """The correlation with the event before, within units, less that of random order.

    In random order any two events are neighbours equally often, so that their products, around the
    unit's own mean, sum to minus the sum of squares over the number of events.
    """
    known = ~np.isnan(x)
    owner, x = o.owner[known], x[known]
    size = np.maximum(np.bincount(owner, minlength=o.units), 1)
    x = x - (np.bincount(owner, x, o.units) / size)[owner]
    square = np.bincount(owner, x * x, o.units)
    follows = np.flatnonzero(owner[1:] == owner[:-1]) + 1
    product = np.bincount(owner[follows], x[follows] * x[follows - 1], o.units)
    return _grouped((product + square / size)[:, None], square * (1 - 1 / size))


def of_classes(o: Observed, codes: np.ndarray, size: int, rate: np.ndarray) -> Order:
    """Pairs that follow each other less those of random order, over the root of their `rate`.

    `rate` (size²,) is what random order gives; so the length is Pearson's phi, which of two values
    is their correlation.
    """
    owner = o.owner
    follows = np.flatnonzero(owner[1:] == owner[:-1]) + 1
    group = _group(owner[follows], o.units)
    seen = np.zeros((min(o.units, _GROUPS), size * size))
    np.add.at(seen, (group, codes[follows - 1] * size + codes[follows]), 1)
    pairs = np.bincount(group, minlength=len(seen))
    more = seen - expected(owner, codes, o.units, size)
    return Order(sums=more / np.sqrt(rate), weight=pairs.astype(np.float64))


def expected(owner: np.ndarray, codes: np.ndarray, units: int, size: int) -> np.ndarray:
    """Pairs that would follow each other in random order of each unit's events, (groups, size²)."""
    counts = np.bincount(owner * size + codes, minlength=units * size).reshape(units, size)
    many = np.maximum(counts.sum(1), 1)
    out = np.zeros((min(units, _GROUPS), size, size))
    group = _group(np.arange(units), units)
    for one in range(size):
        pairs = counts[:, [one]] * counts / many[:, None]
        pairs[:, one] -= counts[:, one] / many
        np.add.at(out[:, one], group, pairs)
    return out.reshape(len(out), -1)


def _group(owner: np.ndarray, units: int) -> np.ndarray:
    return owner % min(units, _GROUPS)


def _grouped(sums: np.ndarray, weight: np.ndarray) -> Order:
    group, count = _group(np.arange(len(sums)), len(sums)), min(len(sums), _GROUPS)
    together = np.zeros((count, sums.shape[1]))
    np.add.at(together, group, sums)
    return Order(sums=together, weight=np.bincount(group, weight, count))


def _lost(c: Compared, name: str, of: Callable[[Observed], Order]) -> Finding:
    real, made = of(c.training), of(c.synthetic)
    held = None if c.holdout is None else of(c.holdout)
    told, drawn = real.whole(), real.again(c.rng)
    noise = float(drawn.var(0).sum())
    strength = float(told @ told) - noise
    if strength < max(_LEAST**2, _SURE * noise / np.sqrt(len(told))):
        text = "The order of a series' events tells too little of this column to be judged."
        return replace(not_judged("faithful", NAME, text), columns=(name,))

    def kept(o: Order) -> float:
        return float(o.whole() @ told) / strength

    # A resample has the noise twice. Where the memory is hardly sure, no resample decides alone.
    length = np.maximum((drawn**2).sum(1) - 2 * noise, strength / 4)
    again = (made.again(c.rng) * drawn).sum(1) / length
    value = max(1 - kept(made), 0.0)
    half = float(stats.Z * again.std())
    tests = len(c.training.numbers) + len(c.training.classes)
    return Finding(
        question="faithful",
        name=NAME,
        value=value,
        low=max(value - half, 0.0),
        high=value + half,
        reference=None if held is None else max(1 - kept(held), 0.0),
        count=min(c.training.units, c.synthetic.units),
        verdict=judge(NAME, value, value - half, value + half, tests=tests),
        text=f"{value:.0%} of what the order of a series' events tells of this column is lost "
        f"(it tells as much as a correlation of {np.sqrt(strength):.2f}).",
        columns=(name,),
    )
