"""The base of a number in a series: a linear form of its own past and of what is known already.

A trend, a season and an autocorrelation are long memory, which bins of the value before would
blur: from y - (b1 x1 + b2 x2 + …) a forest learns what is left. Where the step from the last value
says as much (counters, random walks, sensors that repeat themselves), that step is learned, so
that exact repeats stay exact.
"""

from __future__ import annotations

import numpy as np

from geurim import links
from geurim.links import Base
from geurim.sequences.clock import DAY
from geurim.sequences.views import View

EXPLAINED = 0.2  # the share of the variance from which on a base is used
_ROWS = 20_000
_TERMS = 10
_YEAR = 365.2425 * DAY
_GAIN = 0.01  # of what is left open, at least, for one more term


def waves(view: View, dated: bool, period: int) -> list[str]:
    """Sines and cosines of the day, week and year, where series are longer, and of the period."""
    found = [float(period)] if period > 1 and not dated else []
    if dated and len(view.time):
        longest = float((view.end - view.before).max())
        step = float(np.median(view.time - view.before))
        found = [p for p in (DAY, 7 * DAY, _YEAR) if longest > 1.5 * p and step < p / 3]
    return [f"{wave}{k}\0{p!r}" for p in found for k in (1, 2, 3) for wave in ("sin", "cos")]


def keys(
    name: str, ordered: list[str], drawn: list[str], lags: tuple[int, ...], period: int
) -> list[str]:
    """The numbers that may stand in a base of `name`: its past, and the others' present and past.

    `drawn`: the ordered columns of the event that are drawn before it, the time as "time".
    """
    ago = (*lags, period) if period else lags
    found = [f"lag{k}\0{name}" for k in ago] + [f"mean{k}\0{name}" for k in (8, 0)]
    for other in ordered:
        if other in drawn:
            found.append(f"now\0{other}")
        if other != name:
            found.append(f"lag1\0{other}")
    return found + (["time\0"] if "time" in drawn else [])


def find(y: np.ndarray, name: str, candidates: list[str], view: View) -> Base | None:
    """The base of y (N,) on `candidates`; None where none says enough."""
    places = np.flatnonzero(np.isfinite(y) & (view.position > 0))
    places = places[:: max(1, len(places) // _ROWS)]
    if len(places) < 50 or np.ptp(y[places]) == 0:
        return None
    axes = {k: view.axis(k)[places] for k in candidates}
    y = y[places]
    present = {k: a for k, a in axes.items() if k.startswith(("now", "time"))}
    linked = links.find(y, name, present, frozenset())
    if linked is not None and _top(y - linked.of(present, frozenset())) > 0.9:
        return linked
    step = y - axes[f"lag1\0{name}"]
    if _top(step) > 0.9:
        return Base(columns=(f"lag1\0{name}",), slopes=(1.0,))
    found = _forward(y, axes)
    if found is None:
        return linked
    columns, slopes, left = found
    if linked is not None and np.nanvar(y - linked.of(present, frozenset())) <= 1.1 * left:
        return linked
    total = float(np.var(y))
    stays, spread = float(np.mean(step == 0)), float(np.nanvar(step))
    repeated = _top(y) > 0.05
    if spread < (1 - EXPLAINED) * total and (
        spread <= 1.02 * left or (stays > 0.05 and not repeated and spread <= 1.5 * left)
    ):
        return Base(columns=(f"lag1\0{name}",), slopes=(1.0,))
    if left > (1 - EXPLAINED) * total or repeated:
        return None
    return Base(columns=columns, slopes=slopes)


def _top(values: np.ndarray) -> float:
    """The share of the most frequent value."""
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0
    return float(np.unique(np.round(values, 9), return_counts=True)[1].max() / len(values))


def _forward(
    y: np.ndarray, axes: dict[str, np.ndarray]
) -> tuple[tuple[str, ...], tuple[float, ...], float] | None:
    """Terms taken one by one while each explains enough of what is left: names, slopes, variance.

    Least squares by Gram-Schmidt; half of the rows say when another term is no gain.
    """
    names = [k for k, a in axes.items() if np.isfinite(a).mean() > 0.7]
    if not names:
        return None
    table = np.column_stack([axes[k] for k in names])
    whole = np.isfinite(table).all(1)
    table, y = table[whole], y[whole]
    if len(y) < 50:
        return None
    spread = table.std(0)
    names = [n for n, s in zip(names, spread, strict=True) if s > 0]
    table = table[:, spread > 0]
    center, scale = table.mean(0), table.std(0)
    x = (table - center) / scale
    open_y, rest = y - y.mean(), x.copy()
    chosen: list[int] = []
    for _ in range(min(_TERMS, len(names))):
        power = (rest**2).sum(0)
        with np.errstate(divide="ignore", invalid="ignore"):
            gain = np.where(power > 1e-6 * len(y), (rest.T @ open_y) ** 2 / power, 0.0)
        best = int(np.argmax(gain))
        if gain[best] < _GAIN * (open_y @ open_y) or gain[best] < 10 * (open_y @ open_y) / len(y):
            break
        chosen.append(best)
        unit = rest[:, best] / np.sqrt(power[best])
        open_y = open_y - unit * (unit @ open_y)
        rest = rest - np.outer(unit, unit @ rest)
    if not chosen:
        return None
    slopes = np.linalg.lstsq(x[:, chosen], y - y.mean(), rcond=None)[0] / scale[chosen]
    left = y - table[:, chosen] @ slopes
    return tuple(names[c] for c in chosen), tuple(slopes.tolist()), float(left.var())
