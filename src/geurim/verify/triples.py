"""Faithful in threes: what three columns do together beyond what each pair of them does.

Of three coarsely cut columns the third-order cumulant of every cell is taken, p(abc) - p(a)p(bc) -
p(b)p(ac) - p(c)p(ab) + 2p(a)p(b)p(c) (McCullagh 1987, section 2.6). It is zero everywhere where one
of the columns has nothing to do with the others; two samples with the same pairs differ in it by as
much as in p(abc). One half of the training rows says which triples count and where their cells are
above and below zero; the other half and the synthetic rows are measured by that, so that no luck
of the choice is taken for dependence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from geurim.contract import Finding
from geurim.verify import stats
from geurim.verify.compare import Comparison, Rows
from geurim.verify.tables import Cut, cut
from geurim.verify.verdict import judge, not_judged

COLUMNS = 40
LEVELS = 3  # intervals of a number, or categories that stand alone
CHOSEN = 50  # triples that are compared
TOLD = 5
ROWS = 10_000  # of a half of the training rows, to choose by
_LEAST = 200


def triples(c: Comparison) -> list[Finding]:
    """The strongest threefold dependences of the training rows, and how much of each is left."""
    used = [x for x in c.of("axis", "codes") if x.role not in ("constant", "empty")]
    if len(used) > COLUMNS:
        used = [used[i] for i in np.sort(c.rng.choice(len(used), COLUMNS, replace=False))]
    half = c.training.count // 2
    if len(used) < 3 or half < _LEAST or min(c.synthetic.count, c.holdout.count) < _LEAST:
        return [_none("Fewer than three columns, or too few rows, to look at three at a time.")]
    cuts = [cut(x, c.training, LEVELS) for x in used]
    first, second = c.training.take(slice(0, half)), c.training.take(slice(half, None))
    chosen = _choose(_levels(first.first(ROWS), cuts), cuts)
    if not chosen:
        return [_none("No three columns depend on each other beyond what their pairs do.")]
    tables = [_levels(r, cuts) for r in (c.synthetic, second, c.holdout)]
    measured = [_measured(t, cuts, tables) for t in chosen]
    worst = sorted(measured, key=lambda m: -m.gap)[:TOLD]
    return [_finding(c, m, [x.column.name for x in cuts], len(chosen)) for m in worst]


@dataclass(frozen=True, kw_only=True)
class _Triple:
    """Three columns by place, and the sign of each cell's cumulant."""

    places: tuple[int, int, int]
    sign: np.ndarray


@dataclass(frozen=True, kw_only=True)
class _Measured:
    places: tuple[int, int, int]
    strength: tuple[float, ...]  # of the synthetic, training and holdout rows
    error: tuple[float, ...]

    @property
    def gap(self) -> float:
        return abs(self.strength[0] - self.strength[1])


def _levels(rows: Rows, cuts: Sequence[Cut]) -> np.ndarray:
    return np.stack([x(rows) for x in cuts]).astype(np.int32)


def _table(levels: np.ndarray, places: Sequence[int], cuts: Sequence[Cut]) -> np.ndarray:
    """Shares of the cells of three columns, (A, B, C)."""
    shape = [cuts[i].levels for i in places]
    a, b, c = (levels[i] for i in places)
    counts = np.bincount((a * shape[1] + b) * shape[2] + c, minlength=int(np.prod(shape)))
    shares: np.ndarray = counts.reshape(shape) / levels.shape[1]
    return shares


def _margins(p: np.ndarray) -> tuple[np.ndarray, ...]:
    return (
        p.sum((1, 2))[:, None, None],
        p.sum((0, 2))[None, :, None],
        p.sum((0, 1))[None, None, :],
        p.sum(0, keepdims=True),
        p.sum(1, keepdims=True),
        p.sum(2, keepdims=True),
    )


def cumulants(p: np.ndarray) -> np.ndarray:
    """The third-order cumulant of each cell of a table of shares (A, B, C)."""
    a, b, c, bc, ac, ab = _margins(p)
    third: np.ndarray = p - a * bc - b * ac - c * ab + 2 * a * b * c
    return third


def strength(p: np.ndarray, sign: np.ndarray, count: int) -> tuple[float, float]:
    """Half the sum of the cumulants, each with its sign, and its standard error (delta method)."""
    a, b, c, bc, ac, ab = _margins(p)
    pull = sign - (sign * bc).sum((1, 2), keepdims=True) - (sign * a).sum(0, keepdims=True)
    pull = pull - (sign * ac).sum((0, 2), keepdims=True) - (sign * b).sum(1, keepdims=True)
    pull = pull - (sign * ab).sum((0, 1), keepdims=True) - (sign * c).sum(2, keepdims=True)
    for other, axes in ((b * c, (1, 2)), (a * c, (0, 2)), (a * b, (0, 1))):
        pull = pull + 2 * (sign * other).sum(axes, keepdims=True)
    variance = (p * pull**2).sum() - (p * pull).sum() ** 2
    value = float((sign * cumulants(p)).sum() / 2)
    return value, max(float(np.sqrt(max(variance, 0.0) / count)) / 2, 0.5 / count)


def _choose(levels: np.ndarray, cuts: Sequence[Cut]) -> list[_Triple]:
    """The triples whose cumulants exceed most what chance would give."""
    found: list[tuple[float, _Triple]] = []
    rows = levels.shape[1]
    for places in combinations(range(len(cuts)), 3):
        p = _table(levels, places, cuts)
        third = cumulants(p)
        chance = np.sqrt(p * (1 - p) * 2 / np.pi / rows).sum()
        over = float(np.abs(third).sum() - chance) / 2
        if over > 0:
            found.append((over, _Triple(places=places, sign=np.sign(third))))
    found.sort(key=lambda f: -f[0])
    return [triple for _, triple in found[:CHOSEN]]


def _measured(triple: _Triple, cuts: Sequence[Cut], tables: Sequence[np.ndarray]) -> _Measured:
    got = [strength(_table(t, triple.places, cuts), triple.sign, t.shape[1]) for t in tables]
    return _Measured(
        places=triple.places, strength=tuple(v for v, _ in got), error=tuple(e for _, e in got)
    )


def _finding(c: Comparison, m: _Measured, names: list[str], tests: int) -> Finding:
    half = stats.Z * float(np.hypot(m.error[0], m.error[1]))
    reference = abs(m.strength[2] - m.strength[1])
    drift = max(0.0, reference - stats.Z * float(np.hypot(m.error[2], m.error[1])))
    over = m.gap - drift
    made, real, held = m.strength
    return Finding(
        question="faithful",
        name="triple_dependence",
        value=m.gap,
        low=max(0.0, m.gap - half),
        high=m.gap + half,
        reference=reference,
        count=c.synthetic.count,
        verdict=judge("triple_dependence", over, over - half, over + half, tests=tests),
        text="What the three columns do together beyond their pairs (in shares of rows) is "
        f"{made:.3f} in the synthetic rows, {real:.3f} in the real ones and {held:.3f} in the "
        "holdout.",
        columns=tuple(names[i] for i in m.places),
        details={"synthetic": made, "training": real, "holdout": held, "compared": tests},
    )


def _none(why: str) -> Finding:
    return not_judged("faithful", "triple_dependence", why)
