"""Faithful in time: hours, weekdays and months of each time column, and the time between two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations

import numpy as np
import pyarrow as pa

from geurim.contract import Finding
from geurim.html import percent
from geurim.verify import stats
from geurim.verify.compare import Column, Comparison, Rows
from geurim.verify.faithful import rounded
from geurim.verify.verdict import judge

_HOUR, _DAY = 3_600e6, 86_400e6  # microseconds
_SPANS = 12  # pairs of time columns whose distance is compared
_LEAST = 50


def _hour(axis: np.ndarray) -> np.ndarray:
    return (axis // _HOUR % 24).astype(np.int64)


def _weekday(axis: np.ndarray) -> np.ndarray:
    return ((axis // _DAY + 3) % 7).astype(np.int64)  # 1970 began on a Thursday; Monday is 0


def _month(axis: np.ndarray) -> np.ndarray:
    days = (axis // _DAY).astype(np.int64).astype("datetime64[D]")
    return days.astype("datetime64[M]").astype(np.int64) % 12


PROFILES: Mapping[str, tuple[Callable[[np.ndarray], np.ndarray], list[str]]] = {
    "date_hour": (_hour, [f"{h:02d}" for h in range(24)]),
    "date_weekday": (
        _weekday,
        ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
    ),
    "date_month": (
        _month,
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
    ),
}
"""Finding -> the part of a time that it compares, and what its values are called."""

_WORDS = {"date_hour": "hour", "date_weekday": "weekday", "date_month": "month"}


def dates(c: Comparison) -> list[Finding]:
    """The profile of each time column over the hours, weekdays and months that it varies in."""
    columns = [x for x in c.of("axis") if pa.types.is_date(x.type) or pa.types.is_timestamp(x.type)]
    asked = [(x, name) for x in columns for name in PROFILES if _varies(c.training, x, name)]
    found = [_profile(c, x, name, len(asked)) for x, name in asked]
    pairs = list(combinations(columns, 2))[:_SPANS]
    return [f for f in found if f] + [f for f in (_span(c, *p, len(pairs)) for p in pairs) if f]


def _present(rows: Rows, column: Column) -> np.ndarray:
    values = rows.axis[column.name]
    kept: np.ndarray = values[np.isfinite(values)]
    return kept


def _varies(rows: Rows, column: Column, name: str) -> bool:
    parts = PROFILES[name][0](_present(rows, column))
    return len(parts) >= _LEAST and len(np.unique(parts)) > 1


def _profile(c: Comparison, column: Column, name: str, tests: int) -> Finding | None:
    part, labels = PROFILES[name]
    values = [_present(r, column) for r in (c.synthetic, c.training, c.holdout)]
    n, m, h = (len(v) for v in values)
    if min(n, m, h) < _LEAST:
        return None
    made, real, held = (np.bincount(part(v), minlength=len(labels)) / len(v) for v in values)
    value, reference = stats.total_variation(made, real), stats.total_variation(held, real)
    half = stats.Z * stats.variation_error(made, real, n, m)
    chance = float(stats.variation_by_chance(made, real, n, m).sum())
    own = float(stats.variation_by_chance(held, real, h, m).sum())
    drift = max(0.0, reference - own - stats.Z * stats.variation_error(held, real, h, m))
    over = value - chance - drift
    at = int(np.argmax(np.abs(made - real)))
    return Finding(
        question="faithful",
        name=name,
        value=value,
        low=max(0.0, value - half),
        high=min(1.0, value + half),
        reference=reference,
        count=n,
        verdict=judge(name, over, over - half, over + half, tests=tests),
        text=f"{percent(value)} of the synthetic rows would need another {_WORDS[name]} "
        f"({percent(reference)} of real rows never seen); most so {labels[at]}: "
        f"{percent(made[at])}, and {percent(real[at])} of the real rows.",
        columns=(column.name,),
        details={
            "labels": labels,
            "synthetic": rounded(made),
            "training": rounded(real),
            "holdout": rounded(held),
        },
    )


def _span(c: Comparison, one: Column, other: Column, tests: int) -> Finding | None:
    """The largest gap of the distributions of the time from one column to the other."""
    spans = [r.axis[other.name] - r.axis[one.name] for r in (c.synthetic, c.training, c.holdout)]
    spans = [s[np.isfinite(s)] for s in spans]
    made, real, held = spans
    if min(len(s) for s in spans) < _LEAST:
        return None
    value, error = stats.ks(made, real)
    reference, reference_error = stats.ks(held, real)
    half, own = stats.Z * error, stats.ks_by_chance(len(held), len(real))
    drift = max(0.0, reference - own - stats.Z * reference_error)
    over = value - stats.ks_by_chance(len(made), len(real)) - drift
    middle = [f"{np.median(s) / _DAY:.2f}" for s in spans]
    return Finding(
        question="faithful",
        name="date_gap",
        value=value,
        low=max(0.0, value - half),
        high=min(1.0, value + half),
        reference=reference,
        count=len(made),
        verdict=judge("date_gap", over, over - half, over + half, tests=tests),
        text=f"The days from {one.name!r} to {other.name!r} differ by {percent(value)} of the "
        f"rows ({percent(reference)} of real rows never seen): at the median {middle[0]}, and "
        f"{middle[1]} in the real rows.",
        columns=(one.name, other.name),
        details={"median_days": [float(v) for v in middle]},
    )
