"""Rare regions: do synthetic rows lie where real ones do, and reach all of where those lie?

Rows are points of a Euclidean space (`Space`), since means and spheres are asked for; a real row's
ball reaches to its K-th nearest other real row. Every figure stands beside that of the holdout.

- precision: share of synthetic rows inside some real ball; recall: share of real rows inside some
  synthetic ball (Kynkäänniemi et al. 2019).
- alpha-precision and beta-recall: how well the synthetic rows keep to, and cover, each inner share
  of the real rows; authenticity: share of synthetic rows that are not nearer to a training row
  than that row's nearest other (Alaa et al. 2022).
- clusters: k-means of the training rows (Lloyd 1982); how many small clusters come back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from geurim.contract import Finding
from geurim.html import percent
from geurim.verify import stats
from geurim.verify.compare import Column, Comparison, Rows
from geurim.verify.picture import picture
from geurim.verify.verdict import judge, not_judged

ROWS = 4_000
K = 5
CLUSTERS = 50
ROUNDS = 12
_LEAST = 200
BLOCK = 1_000
TOP_CATEGORIES = 100  # with a place of their own in the distance; rarer ones share BUCKETS
BUCKETS = 28
NEAR = 1e-6  # squared distances in float32 are no more exact than this
LEVELS = np.linspace(0.05, 0.95, 19)
NAMES = ("precision", "recall", "alpha_precision", "beta_recall", "authenticity", "small_clusters")


class Space:
    """Rows as points. A number is its rank among the training rows, 0 to 1; two categories that
    differ are 1 apart, as are a missing and a present value. Squared distances add up."""

    def __init__(self, columns: list[Column], training: Rows) -> None:
        self.columns = columns
        self._sorted = {
            x.name: np.sort(training.axis[x.name][~np.isnan(training.axis[x.name])])
            for x in columns
            if x.kind == "axis"
        }

    def __call__(self, rows: Rows) -> np.ndarray:
        """Points (N, D), float32."""
        parts: list[np.ndarray] = []
        for column in self.columns:
            if column.kind == "axis":
                parts += self._ranks(column.name, rows.axis[column.name])
            else:
                parts.append(self._hot(column, rows.codes[column.name]))
        return np.hstack(parts)

    def _ranks(self, name: str, values: np.ndarray) -> list[np.ndarray]:
        known = self._sorted[name]
        lost = np.isnan(values)
        at = sum(np.searchsorted(known, values, side=s) for s in ("left", "right"))
        rank = np.where(lost, 0.5, at / (2 * max(len(known), 1)))
        return [rank[:, None].astype(np.float32), lost[:, None].astype(np.float32)]

    @staticmethod
    def _hot(column: Column, codes: np.ndarray) -> np.ndarray:
        tops = min(column.known, TOP_CATEGORIES)
        rest = tops + (codes - tops) % BUCKETS
        place = np.where(codes < 0, 0, 1 + np.where(codes < tops, codes, rest))
        hot = np.zeros((len(codes), tops + BUCKETS + 1), np.float32)
        hot[np.arange(len(codes)), place] = np.sqrt(0.5)
        kept: np.ndarray = hot[:, : int(place.max(initial=0)) + 1] if len(codes) else hot
        return np.pad(kept, ((0, 0), (0, hot.shape[1] - kept.shape[1])))


@dataclass(frozen=True, kw_only=True)
class _Cloud:
    """Points (N, D) float32, and the squared distance of each to its first and K-th other (N,)."""

    points: np.ndarray
    first: np.ndarray
    radius: np.ndarray


@dataclass(frozen=True, kw_only=True)
class _Meeting:
    """How some points lie among the training points."""

    within: np.ndarray  # which of them lie in a training point's ball, (N,) bool
    reached: np.ndarray  # which training points lie in a ball of theirs, (M,) bool
    nearest: np.ndarray  # of each: the training point, (N,)
    apart: np.ndarray  # ... and the squared distance to it
    covering: np.ndarray  # of each training point: the nearest of them, (M,)
    gap: np.ndarray  # ... and the squared distance to it


def regions(c: Comparison) -> list[Finding]:
    """All of it, from one embedding."""
    used = [x for x in c.of("axis", "codes") if x.role not in ("constant", "empty")]
    rows = min(ROWS, c.synthetic.count, c.training.count, c.holdout.count)
    if not used or rows < _LEAST:
        why = f"Fewer than {_LEAST} rows of each table, or no column, to look for regions in."
        return [not_judged("rare", n, why) for n in NAMES]
    space = Space(used, c.training)
    real, made, held = (_cloud(space(r.first(rows))) for r in (c.training, c.synthetic, c.holdout))
    met = [_meet(x, real) for x in (made, held)]
    precision = _gap(
        "precision",
        [m.within for m in met],
        "{} of the synthetic rows lie where real ones do; {} of real rows never seen.",
    )
    return [
        replace(precision, details=picture(real.points, made.points)),
        _gap(
            "recall",
            [m.reached for m in met],
            "{} of the real rows lie where synthetic ones do; {} lie where as many real ones do.",
        ),
        _curve("alpha_precision", [_kept_to(real, x) for x in (made, held)], rows, "keep to"),
        _curve(
            "beta_recall",
            [_covered(x, m) for x, m in zip((made, held), met, strict=True)],
            rows,
            "cover",
        ),
        _gap(
            "authenticity",
            [m.apart > real.first[m.nearest] + NEAR for m in met],
            "{} of the synthetic rows are farther from the nearest training row than that row's "
            "nearest other; {} of real rows never seen.",
        ),
        _clusters(made.points, real.points, held.points, c.rng),
    ]


def squared(points: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Squared distances (N, M), float32."""
    out: np.ndarray = (
        (points**2).sum(1)[:, None] - 2 * points @ among.T + (among**2).sum(1)[None, :]
    )
    np.maximum(out, 0.0, out=out)
    return out


def _blocks(count: int) -> Iterator[slice]:
    return (slice(i, i + BLOCK) for i in range(0, count, BLOCK))


def _cloud(points: np.ndarray) -> _Cloud:
    near = [
        np.partition(squared(points[part], points), (1, K), axis=1)[:, [1, K]]
        for part in _blocks(len(points))
    ]
    first, radius = np.concatenate(near).T
    return _Cloud(points=points, first=first, radius=radius)


def _meet(cloud: _Cloud, real: _Cloud) -> _Meeting:
    """One pass over all distances. A tie of copies is inside."""
    within, nearest, apart = [], [], []
    reached = np.zeros(len(real.points), bool)
    covering, gap = np.zeros(len(reached), np.int64), np.full(len(reached), np.inf, np.float32)
    for part in _blocks(len(cloud.points)):
        near = squared(cloud.points[part], real.points)
        within.append((near <= real.radius + NEAR).any(axis=1))
        reached |= (near <= cloud.radius[part, None] + NEAR).any(axis=0)
        nearest.append(near.argmin(axis=1))
        apart.append(near.min(axis=1))
        at = near.argmin(axis=0)
        low = near[at, np.arange(len(at))]
        covering = np.where(low < gap, at + part.start, covering)
        gap = np.minimum(gap, low)
    return _Meeting(
        within=np.concatenate(within),
        reached=reached,
        nearest=np.concatenate(nearest),
        apart=np.concatenate(apart),
        covering=covering,
        gap=gap,
    )


def _by_groups(flags: np.ndarray) -> float:
    """Standard error of a mean of flags, twice that of independent ones: rows share balls."""
    share = float(np.clip(flags.mean(), 1 / len(flags), 1 - 1 / len(flags)))
    return 2 * float(np.sqrt(share * (1 - share) / len(flags)))


def _gap(name: str, flags: list[np.ndarray], text: str) -> Finding:
    """A share of the synthetic rows against that of the holdout, given as flags (N,) of each."""
    ours, theirs = flags
    value, reference = float(ours.mean()), float(theirs.mean())
    half = stats.Z * _by_groups(ours)
    both = stats.Z * float(np.hypot(_by_groups(ours), _by_groups(theirs)))
    over = reference - value
    return Finding(
        question="rare",
        name=name,
        value=value,
        low=max(0.0, value - half),
        high=min(1.0, value + half),
        reference=reference,
        count=len(ours),
        verdict=judge(name, over, over - both, over + both),
        text=text.format(percent(value), percent(reference)),
    )


def _kept_to(real: _Cloud, cloud: _Cloud) -> np.ndarray:
    """The share of points within each inner share LEVELS of the real ones, round their middle."""
    middle = real.points.mean(axis=0)
    ends = np.quantile(np.linalg.norm(real.points - middle, axis=1), LEVELS)
    away = np.linalg.norm(cloud.points - middle, axis=1)
    return np.asarray((away[:, None] <= ends).mean(axis=0))


def _covered(cloud: _Cloud, met: _Meeting) -> np.ndarray:
    """The share of real points in a ball of an inner share LEVELS of the cloud's points."""
    away = np.linalg.norm(cloud.points - cloud.points.mean(axis=0), axis=1)
    ends = np.quantile(away, LEVELS)
    within = met.gap <= cloud.radius[met.covering] + NEAR
    return np.asarray((within[:, None] & (away[met.covering][:, None] <= ends)).mean(axis=0))


def _curve(name: str, curves: list[np.ndarray], count: int, verb: str) -> Finding:
    """1 less twice the mean distance of a curve from the diagonal (Alaa et al. 2022)."""
    ours, theirs = curves
    value, reference = (1 - 2 * float(np.abs(x - LEVELS).mean()) for x in curves)
    # The mean over levels of a share has at most the error of one share, a half at the most.
    half = stats.Z * 2 * 0.5 / float(np.sqrt(count))
    over = reference - value
    return Finding(
        question="rare",
        name=name,
        value=value,
        low=max(0.0, value - half),
        high=min(1.0, value + half),
        reference=reference,
        count=count,
        verdict=judge(name, over, over - half * 2**0.5, over + half * 2**0.5),
        text=f"Synthetic rows {verb} the inner parts of the real ones to {percent(value)}; as "
        f"many real rows never seen to {percent(reference)}.",
        details={"levels": LEVELS.tolist(), "synthetic": ours.tolist(), "holdout": theirs.tolist()},
    )


def _clusters(
    synthetic: np.ndarray, training: np.ndarray, holdout: np.ndarray, rng: np.random.Generator
) -> Finding:
    """How full the small clusters of one half of the training points are, against the other."""
    half = len(training) // 2
    centres = _means(training[:half], min(CLUSTERS, half // 20), rng)
    made, real, held = (
        np.bincount(squared(x, centres).argmin(1), minlength=len(centres)) / len(x)
        for x in (synthetic, training[half:], holdout)
    )
    small = (real > 0) & (real < np.median(real[real > 0]) + 1e-12)
    if not small.any():
        return not_judged("rare", "small_clusters", "The real rows form no small clusters.")
    ours, theirs = (np.minimum(x[small] / real[small], 1.0) for x in (made, held))
    value, reference = float(ours.mean()), float(theirs.mean())
    error = float(np.sqrt((1 / (real[small] * half)).mean() / small.sum()))
    width = stats.Z * error
    over = reference - value
    return Finding(
        question="rare",
        name="small_clusters",
        value=value,
        low=max(0.0, value - width),
        high=min(1.0, value + width),
        reference=reference,
        count=int(small.sum()),
        verdict=judge("small_clusters", over, over - width * 2**0.5, over + width * 2**0.5),
        text=f"Of {int(small.sum())} small clusters of real rows, the synthetic rows fill "
        f"{percent(value)} on average; as many real rows never seen fill {percent(reference)}.",
        details={"real": real[small].tolist(), "synthetic": made[small].tolist()},
    )


def _means(points: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Centres (count, D) of k-means, begun at points far from each other (k-means++)."""
    centres = points[[int(rng.integers(len(points)))]]
    near = squared(points, centres)[:, 0]
    for _ in range(count - 1):
        share = near.astype(float)
        total = share.sum()
        if total <= 0:
            break
        at = int(rng.choice(len(points), p=share / total))
        centres = np.concatenate([centres, points[[at]]])
        near = np.minimum(near, squared(points, points[[at]])[:, 0])
    for _ in range(ROUNDS):
        own = squared(points, centres).argmin(1)
        counts = np.bincount(own, minlength=len(centres))
        sums = np.zeros((len(centres), points.shape[1]), np.float64)
        np.add.at(sums, own, points)
        filled = counts > 0
        centres[filled] = sums[filled] / counts[filled, None]
    return centres
