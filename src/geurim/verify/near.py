"""Near copies? Do synthetic rows lie closer to single training rows than rows never seen do?

The ratio of the distances to the nearest and to the second nearest training row is small only for
a row that belongs to one training row and to no other, wherever it lies: in a crowd or alone. It
sees copies with a little noise, which are no exact copies, and a few of them, which the share of
nearer rows (`dcr`) does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geurim.contract import Finding
from geurim.html import percent
from geurim.verify import stats
from geurim.verify.compare import Comparison
from geurim.verify.neighbours import Points, affordable, learned, nearest, points
from geurim.verify.verdict import ORDER, judge, not_judged

WORK = 10_000_000_000  # values compared with the training rows, for each of two tables
CUTS = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5)  # ratios below which a row may count as a near copy
LEAST = 20
COMMON = 0.001  # the largest share of rows never seen that a cut may call near copies
BINS = 25


@dataclass(frozen=True, kw_only=True)
class Ratios:
    """Of rows against the training rows: d1/d2 (N,), and the place of the nearest (N,)."""

    values: np.ndarray
    nearest: np.ndarray


def near(c: Comparison) -> list[Finding]:
    """The ratio of nearest-neighbour distances (NNDR), and near copies, against the holdout."""
    if not learned(c) or min(c.training.count, c.holdout.count, c.released.count) < LEAST:
        why = "there are too few rows or columns"
        return [
            not_judged("private", name, f"Near copies cannot be looked for: {why}.")
            for name in ("nndr", "near_copies")
        ]
    training, holdout, synthetic = points(c)
    rows = affordable(synthetic, training, WORK)
    made, held = (_ratios(p.first(rows), training) for p in (synthetic, holdout))
    return [_nndr(made, held), _copies(c, made, held)]


def _ratios(rows: Points, training: Points) -> Ratios:
    apart, place = nearest(rows, training, 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(apart[:, 1] > 0, apart[:, 0] / apart[:, 1], 1.0)
    return Ratios(values=ratio, nearest=place[:, 0])


def _nndr(made: Ratios, held: Ratios) -> Finding:
    """How often a synthetic row's ratio is below that of a row never seen; 0.5 is ideal."""
    n, m = len(made.values), len(held.values)
    ranks = stats.midranks(np.concatenate([made.values, held.values]))
    below = (m - ranks[:n] + stats.midranks(made.values)) / m - 0.0
    above = (ranks[n:] - stats.midranks(held.values)) / n
    value = float(below.mean())
    # Synthetic rows next to the same training row are not independent; those at ratio 1 are next
    # to none.
    own = np.where(made.values < 1, made.nearest, -1 - np.arange(n))
    _, cluster = np.unique(own, return_inverse=True)
    error = np.sqrt((np.bincount(cluster, below - value) ** 2).sum() / n**2 + above.var(ddof=1) / m)
    half = stats.Z * max(float(error), 0.5 / min(n, m))
    edges = np.linspace(0, 1, BINS + 1)
    bins = {
        name: (np.histogram(r.values, edges)[0] / len(r.values)).round(5).tolist()
        for name, r in (("holdout", held), ("synthetic", made))
    }
    return Finding(
        question="private",
        name="nndr",
        value=value,
        low=max(0.0, value - half),
        high=min(1.0, value + half),
        reference=0.5,
        count=n,
        verdict=judge("nndr", value - 0.5, value - 0.5 - half, value - 0.5 + half),
        text=f"In {value:.1%} of pairs of a synthetic row and a real row never seen, the synthetic "
        "one lies closer to one training row, against the next (50% is ideal; more would point "
        "at single people).",
        details={
            "edges": edges.tolist(),
            **bins,
            "medians": [float(np.median(r.values)) for r in (held, made)],
        },
    )


def _copies(c: Comparison, made: Ratios, held: Ratios) -> Finding:
    """The share of near copies at the cut where it exceeds the holdout's most surely."""
    found = [_at(c, cut, made, held) for cut in CUTS]
    worst = max(found, key=lambda f: (ORDER.index(f.verdict), f.value - (f.reference or 0.0)))
    if worst.verdict in ("warn", "fail"):
        return worst
    rare = [f for f in found if (f.reference or 0.0) <= COMMON]
    return rare[-1] if rare else found[0]


def _at(c: Comparison, cut: float, made: Ratios, held: Ratios) -> Finding:
    n, m = len(made.values), len(held.values)
    hit = made.values <= cut
    hits, others = int(hit.sum()), int((held.values <= cut).sum())
    # Many copies of one training row are one event: the mean size of a hit's cluster.
    sizes = np.unique(made.nearest[hit], return_counts=True)[1].astype(float)
    crowd = float((sizes**2).sum()) / hits if hits else 1.0
    low, high = stats.wilson(hits / crowd, n / crowd)
    under, over = stats.difference(hits / crowd, n / crowd, others, m)
    # Copies of training rows that were not drawn do not show: what shows stands for more.
    more = c.training.total / c.training.count
    excess = hits / n - others / m
    return Finding(
        question="private",
        name="near_copies",
        value=hits / n,
        low=low,
        high=high,
        reference=others / m,
        count=n,
        verdict=judge("near_copies", excess * more, under * more, over * more, tests=len(CUTS)),
        text=f"{percent(hits / n)} of the synthetic rows are near copies, at most {cut:g} times as "
        f"far from one training row as from the next; {percent(others / m)} of real rows never "
        "seen are.",
        details={"cut": cut, "training_rows_copied": len(sizes)},
    )
