"""Rare values: how far beyond the 98th and below the 2nd percentile values reach.

Values beyond an end that comes from the training rows are compared by Kolmogorov-Smirnov, which
asks for no law of the tail. The shape of a generalized Pareto law (probability-weighted moments;
Hosking & Wallis 1987) says beside it how heavy the tails are: above 0 heavy, below 0 bounded.
"""

from __future__ import annotations

import numpy as np

from geurim.contract import Finding
from geurim.html import percent
from geurim.verify import stats
from geurim.verify.compare import Column, Comparison
from geurim.verify.verdict import judge, not_judged
from geurim.verify.words import axis_text

BEYOND = 0.02
LEAST = 30  # values beyond the end, and distinct ones


def extremes(c: Comparison) -> list[Finding]:
    """The shape of both tails of every column of numbers and times."""
    columns = c.of("axis")
    found = [_tail(c, x, sign, 2 * len(columns)) for x in columns for sign in (-1, 1)]
    out = [f for f in found if f is not None]
    why = f"No column has {LEAST} different values beyond its 2nd or 98th percentile."
    return out or [not_judged("rare", "tail_shape", why)]


def _tail(c: Comparison, column: Column, sign: int, tests: int) -> Finding | None:
    tables = [sign * r.axis[column.name] for r in (c.synthetic, c.training, c.holdout)]
    tables = [t[np.isfinite(t)] for t in tables]
    if min(len(t) for t in tables) < LEAST:
        return None
    end = float(np.quantile(tables[1], 1 - BEYOND))
    made, real, held = (t[t > end] - end for t in tables)
    if min(len(made), len(real), len(held)) < LEAST or len(np.unique(real)) < LEAST:
        return None
    value, error = stats.ks(made, real)
    reference, reference_error = stats.ks(held, real)
    half, own = stats.Z * error, stats.ks_by_chance(len(held), len(real))
    drift = max(0.0, reference - own - stats.Z * reference_error)
    over = value - stats.ks_by_chance(len(made), len(real)) - drift
    shapes = [pareto_shape(v) for v in (made, real, held)]
    side, write = ("above" if sign > 0 else "below"), axis_text(column.type)
    far = [write(sign * (end + float(v.max()))) for v in (made, real)]
    return Finding(
        question="rare",
        name="tail_shape",
        value=value,
        low=max(0.0, value - half),
        high=min(1.0, value + half),
        reference=reference,
        count=len(made),
        verdict=judge("tail_shape", over, over - half, over + half, tests=tests),
        text=f"Of the values {side} {write(sign * end)}, {percent(value)} would have to move for "
        f"the tail to have its real shape ({percent(reference)} of real ones never seen): index "
        f"{shapes[0]:.2f}, really {shapes[1]:.2f} (above 0 heavy), the last at {far[0]}, really "
        f"{far[1]}.",
        columns=(column.name,),
        details={
            "side": side,
            "end": sign * end,
            **dict(zip(("synthetic", "training", "holdout"), shapes, strict=True)),
        },
    )


def pareto_shape(excess: np.ndarray) -> float:
    """The shape of a generalized Pareto law of `excess` (N,) above 0, by its first two weighted
    moments: 0 for an exponential tail. Sound up to about 0.5 (Hosking & Wallis 1987)."""
    x = np.sort(excess)
    first = float(x.mean())
    second = float((x * (len(x) - 1 - np.arange(len(x)))).mean() / max(len(x) - 1, 1))
    room = first - 2 * second
    return 2.0 - first / room if room > 0 else float("nan")
