"""Faithful in what is missing: which values are missing together, and in whose rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geurim.contract import Finding
from geurim.html import percent
from geurim.verify import stats
from geurim.verify.compare import Column, Comparison, Rows
from geurim.verify.tables import Cut, cut
from geurim.verify.verdict import judge, not_judged

COLUMNS = 62  # of one pattern: bits of a whole number
LEAST = 30  # rows that miss a value, and that have one, in each half of the training rows
LEVELS = 6
SHOWN = 10  # rows of a pattern that stands alone
TOLD = 5


def patterns(c: Comparison) -> list[Finding]:
    """The distance between the patterns of missing values of whole rows."""
    lacking = [x.name for x in c.columns if _share(c.training, x) + _share(c.synthetic, x) > 0]
    if len(lacking) < 2:
        return [not_judged("faithful", "missing_pattern", "Fewer than two columns miss a value.")]
    names = lacking[:COLUMNS]
    keys = [_pattern(r, names) for r in (c.synthetic, c.training, c.holdout)]
    known, counts = np.unique(keys[1], return_counts=True)
    known = known[counts >= SHOWN]  # the others are one: patterns of one row each match by luck
    p, q, h = (_shares_of(known, k) for k in keys)
    n, m, o = (len(k) for k in keys)
    value, reference = stats.total_variation(p, q), stats.total_variation(h, q)
    half = stats.Z * stats.variation_error(p, q, n, m)
    chance = float(stats.variation_by_chance(p, q, n, m).sum())
    own = float(stats.variation_by_chance(h, q, o, m).sum())
    drift = max(0.0, reference - own - stats.Z * stats.variation_error(h, q, o, m))
    over = value - chance - drift
    return [
        Finding(
            question="faithful",
            name="missing_pattern",
            value=value,
            low=max(0.0, value - half),
            high=min(1.0, value + half),
            reference=reference,
            count=n,
            verdict=judge("missing_pattern", over, over - half, over + half),
            text=f"{percent(value)} of the synthetic rows would have to miss other values for the "
            f"patterns of what is missing together to match; {percent(reference)} of real rows "
            "never seen.",
            details={"chance": chance, "patterns": len(known), "columns": names},
        )
    ]


def _shares_of(known: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """The share of each known key, and of all others."""
    place = np.searchsorted(known, keys)
    found = np.append(known, -1)[place] == keys
    counts = np.bincount(np.where(found, place, len(known)), minlength=len(known) + 1)
    shares: np.ndarray = counts / len(keys)
    return shares


def _share(rows: Rows, column: Column) -> float:
    return float(rows.missing(column.name).mean())


def _pattern(rows: Rows, names: list[str]) -> np.ndarray:
    """Which of the columns each row misses, one bit a column, (N,) int64."""
    key = np.zeros(rows.count, np.int64)
    for bit, name in enumerate(names):
        key |= rows.missing(name).astype(np.int64) << bit
    return key


@dataclass(frozen=True, kw_only=True)
class _Link:
    """A column that is missing, one that tells in which rows, and the gap as it is measured."""

    lost: Column
    other: Cut
    strength: tuple[float, ...]  # of the synthetic, training and holdout rows
    error: tuple[float, ...]

    @property
    def gap(self) -> float:
        return abs(self.strength[0] - self.strength[1])


def dependence(c: Comparison) -> list[Finding]:
    """By how much rows that miss a value differ from those that have it, in other columns.

    One half of the training rows says which levels of the other column come oftener among rows
    that miss the value; what they have more is measured in the other half and in the others.
    """
    half = c.training.count // 2
    first, second = c.training.take(slice(0, half)), c.training.take(slice(half, None))
    lacking = [x for x in c.columns if _able(x, c.synthetic, first, second)]
    others = [
        cut(x, c.training, LEVELS)
        for x in c.of("axis", "codes")
        if x.role not in ("constant", "empty")
    ]
    links = [
        _link(c, lost, other, first, second)
        for lost in lacking[:COLUMNS]
        for other in others[:COLUMNS]
        if other.column.name != lost.name
    ]
    if not links:
        return [
            not_judged(
                "faithful",
                "missing_dependence",
                f"No column misses {2 * LEAST} values in the real rows and {LEAST} in the "
                "synthetic ones.",
            )
        ]
    worst = sorted(links, key=lambda x: -x.gap)[:TOLD]
    return [_finding(c, x, len(links)) for x in worst]


def _able(column: Column, *tables: Rows) -> bool:
    lost = [int(r.missing(column.name).sum()) for r in tables]
    return all(LEAST <= n <= r.count - LEAST for n, r in zip(lost, tables, strict=True))


def _link(c: Comparison, lost: Column, other: Cut, first: Rows, second: Rows) -> _Link:
    with_, without = _split(first, lost, other)
    sign = np.sign(with_ / max(with_.sum(), 1) - without / max(without.sum(), 1))
    got = [_apart(*_split(r, lost, other), sign) for r in (c.synthetic, second, c.holdout)]
    return _Link(
        lost=lost,
        other=other,
        strength=tuple(v for v, _ in got),
        error=tuple(e for _, e in got),
    )


def _split(rows: Rows, lost: Column, other: Cut) -> tuple[np.ndarray, np.ndarray]:
    """Counts of the other column's levels where the value is missing, and where it is not."""
    missing, level = rows.missing(lost.name), other(rows)
    return (
        np.bincount(level[missing], minlength=other.levels),
        np.bincount(level[~missing], minlength=other.levels),
    )


def _apart(with_: np.ndarray, without: np.ndarray, sign: np.ndarray) -> tuple[float, float]:
    """Half the difference of the mean signs, and its standard error."""
    means, variances = [], []
    for counts in (with_, without):
        n = max(counts.sum(), 1)
        mean = float(sign @ counts / n)
        means.append(mean)
        variances.append(max(float(sign**2 @ counts / n) - mean**2, 1 / n) / n)
    return (means[0] - means[1]) / 2, float(np.sqrt(sum(variances))) / 2


def _finding(c: Comparison, link: _Link, tests: int) -> Finding:
    half = stats.Z * float(np.hypot(link.error[0], link.error[1]))
    made, real, held = link.strength
    reference = abs(held - real)
    drift = max(0.0, reference - stats.Z * float(np.hypot(link.error[2], link.error[1])))
    over = link.gap - drift
    name, other = link.lost.name, link.other.column.name
    return Finding(
        question="faithful",
        name="missing_dependence",
        value=link.gap,
        low=max(0.0, link.gap - half),
        high=min(1.0, link.gap + half),
        reference=reference,
        count=int(c.synthetic.missing(name).sum()),
        verdict=judge("missing_dependence", over, over - half, over + half, tests=tests),
        text=f"Rows that miss {name!r} differ from those that have it in {other!r} by "
        f"{percent(max(real, 0.0))} of the real rows ({percent(max(held, 0.0))} in the holdout), "
        f"by {percent(max(made, 0.0))} of the synthetic ones.",
        columns=(name, other),
        details={"synthetic": made, "training": real, "holdout": held, "compared": tests},
    )
