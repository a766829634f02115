"""What a numeric column owes to others: a linear base, and a residual that is learned instead.

Arrival delay is departure delay and a bit; a total is the sum of its parts exactly; an end is a
start and a duration; a scheduled departure written 1345 is hour 13 and minute 45. Learning
y - (b1 x1 + b2 x2) keeps such a relation to the last digit, into the tails, where learning y from
bins of x would blur it. An exact relation is the case in which the residual is always 0. Clock
times written as whole numbers (hhmm, 0 to 2400) are put on a scale of minutes, modulo a day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from geurim.contract import Json

EXPLAINED = 0.8  # the share of the variance from which on a base is used
_ROWS = 4_000
_MOST = 40  # candidates a column
_DAY = 1_440.0  # minutes


@dataclass(frozen=True, kw_only=True)
class Base:
    """y is about sum of `slopes` times `columns`; both on a clock's scale where `clock` says so."""

    columns: tuple[str, ...]
    slopes: tuple[float, ...]
    clock: bool = False  # y is a clock time: the sum is taken modulo a day
    center: float = 0.0  # clock: residuals lie within half a day of it

    def of(self, axes: Mapping[str, np.ndarray], clocks: frozenset[str]) -> np.ndarray:
        """The base (N,) of each row, NaN where a column of it is missing."""
        total = np.zeros(len(axes[self.columns[0]]))
        for name, slope in zip(self.columns, self.slopes, strict=True):
            x = axes[name]
            total += slope * (minutes(x) if self.clock and name in clocks else x)
        return total

    def residual(
        self, y: np.ndarray, axes: Mapping[str, np.ndarray], clocks: frozenset[str]
    ) -> np.ndarray:
        """y less its base (N,)."""
        base = self.of(axes, clocks)
        if not self.clock:
            return _clean(y - base, y)
        away = (minutes(y) - base - self.center + _DAY / 2) % _DAY - _DAY / 2
        return np.asarray(away + self.center)

    def value(
        self,
        residual: np.ndarray,
        axes: Mapping[str, np.ndarray],
        clocks: frozenset[str],
        midnight: float,
    ) -> np.ndarray:
        """y (N,) from its residual. `midnight`: how the column writes it, 0 or 2400."""
        y = self.of(axes, clocks) + residual
        return hhmm(y, midnight) if self.clock else y

    def to_json(self) -> dict[str, Json]:
        return {
            "columns": list(self.columns),
            "slopes": list(self.slopes),
            "clock": self.clock,
            "center": self.center,
        }

    @classmethod
    def from_json(cls, state: dict[str, Json]) -> Base:
        return cls(
            columns=tuple(state["columns"]),
            slopes=tuple(state["slopes"]),
            clock=state["clock"],
            center=state["center"],
        )


def is_clock(axis: np.ndarray) -> bool:
    """Whether whole numbers are times of day written hhmm: all of them, and many of them."""
    v = axis[~np.isnan(axis)]
    if len(v) < 100 or not np.isfinite(v).all():
        return False
    legal = (v >= 0) & (v <= 2400) & (v % 100 < 60) & (v == np.floor(v))
    hours, parts = np.unique(v // 100), np.unique(v % 100)
    return bool(legal.all() and len(hours) >= 8 and len(parts) >= 8)


def minutes(clock: np.ndarray) -> np.ndarray:
    """hhmm as minutes since midnight."""
    return np.asarray(clock // 100 * 60 + clock % 100)


def hhmm(minute: np.ndarray, midnight: float) -> np.ndarray:
    """Minutes, of any day, as hhmm."""
    m = np.round(minute) % _DAY
    return np.where(m == 0, midnight, m // 60 * 100 + m % 60)


def find(
    y: np.ndarray, name: str, axes: Mapping[str, np.ndarray], clocks: frozenset[str]
) -> Base | None:
    """The base of y (N,) on one or two of `axes` ((N,) each); None where none explains enough."""
    rows = _sample(y)
    y = y[rows]
    if len(y) < 50 or np.ptp(y) == 0 or not axes:
        return None
    x = {n: a[rows] for n, a in axes.items()}
    if name in clocks:
        found = _clock_base(y, x, clocks)
        if found is not None:
            return found
    names, table = _complete(y, x)
    if not names:
        return None
    best = _best_pair(table)
    if best is None:
        return None
    columns, slopes, explained = best
    residual = table[:, 0] - table[:, [c + 1 for c in columns]] @ np.array(slopes)
    if explained < EXPLAINED or not _keeps_points(table[:, 0], residual):
        return None
    return Base(columns=tuple(names[c] for c in columns), slopes=tuple(slopes))


def _sample(y: np.ndarray) -> np.ndarray:
    present = np.flatnonzero(np.isfinite(y))
    # Evenly spaced, so that sorted data give all of their range.
    return present[:: max(1, len(present) // _ROWS)]


def _complete(y: np.ndarray, x: Mapping[str, np.ndarray]) -> tuple[list[str], np.ndarray]:
    """Columns that vary and are mostly there, and the complete rows (N, 1 + columns), y first."""
    usable = {n: a for n, a in x.items() if np.isfinite(a).mean() > 0.5}
    usable = {n: a for n, a in usable.items() if np.nanmax(a) > np.nanmin(a)}
    if len(usable) > _MOST:
        strength = {n: abs(_corr(a, y)) for n, a in usable.items()}
        usable = {n: usable[n] for n in sorted(usable, key=lambda n: -strength[n])[:_MOST]}
    table = np.column_stack([y, *usable.values()])
    table = table[np.isfinite(table).all(1)]
    if len(table) < 50 or (table.std(0) == 0).any():
        return [], table
    return list(usable), table


def _corr(a: np.ndarray, b: np.ndarray) -> float:
    ok = np.isfinite(a) & np.isfinite(b)
    if ok.sum() < 3 or a[ok].std() == 0 or b[ok].std() == 0:
        return 0.0
    return float(np.corrcoef(a[ok], b[ok])[0, 1])


def _best_pair(table: np.ndarray) -> tuple[list[int], list[float], float] | None:
    """The one or two columns that explain y best, their slopes, and the share explained."""
    r = np.corrcoef(table, rowvar=False)
    ry, rx = r[0, 1:], r[1:, 1:]
    one = int(np.argmax(ry**2))
    with np.errstate(divide="ignore", invalid="ignore"):
        two = (ry[:, None] ** 2 + ry**2 - 2 * ry[:, None] * ry * rx) / (1 - rx**2)
    two[~np.isfinite(two) | (np.abs(rx) > 0.9999)] = 0.0
    i, j = np.unravel_index(int(np.argmax(two)), two.shape)
    columns = [one]
    # A second column must explain most of what one leaves open.
    left = 1 - ry[one] ** 2
    if left > 1e-9 and 1 - two[i, j] < 0.25 * left:
        columns = [int(i), int(j)]
    y, x = table[:, 0], table[:, [c + 1 for c in columns]]
    scale = x.std(0)
    design = np.column_stack([(x - x.mean(0)) / scale, np.ones(len(y))])
    slopes = np.linalg.lstsq(design, y - y.mean(), rcond=None)[0][:-1] / scale
    simple = [_simple(s) for s in slopes.tolist()]
    spread = y.std()
    if np.std(y - x @ np.array(simple)) <= 1.02 * np.std(y - x @ slopes) + 1e-9 * spread:
        slopes = np.array(simple)
    explained = 1 - np.var(y - x @ slopes) / np.var(y)
    return columns, slopes.tolist(), float(explained)


def _simple(slope: float) -> float:
    """The nearest whole number, or three digits."""
    whole = float(np.round(slope))
    return whole if whole and abs(slope - whole) < 0.2 * abs(whole) else float(f"{slope:.3g}")


def _keeps_points(y: np.ndarray, residual: np.ndarray) -> bool:
    """Whether the relation is exact, or y has no repeated value that a base would blur."""

    def top(v: np.ndarray) -> float:
        return float(np.unique(np.round(v, 9), return_counts=True)[1].max() / len(v))

    return top(residual) > 0.9 or top(y) < 0.05


def _clock_base(y: np.ndarray, x: Mapping[str, np.ndarray], clocks: frozenset[str]) -> Base | None:
    """A clock time as another one and, it may be, a number of minutes."""
    best: tuple[float, Base] | None = None
    target = minutes(y)
    plain: list[str | None] = [None, *(n for n in x if n not in clocks)]
    for start in (n for n in x if n in clocks):
        for extra in plain:
            gap = target - minutes(x[start]) - (x[extra] if extra else 0.0)
            gap = gap[np.isfinite(gap)]
            if len(gap) < 0.5 * len(y):
                continue
            angle = gap / _DAY * 2 * np.pi
            center = float(np.angle(np.exp(1j * angle).mean()) / (2 * np.pi) * _DAY)
            center = float(np.round(center))
            away = (gap - center + _DAY / 2) % _DAY - _DAY / 2
            spread = float(np.abs(away).mean())
            columns = (start, extra) if extra else (start,)
            base = Base(columns=columns, slopes=(1.0,) * len(columns), clock=True, center=center)
            # A second column must halve what one leaves open.
            least = best[0] if best and len(columns) <= len(best[1].columns) else None
            if best is None or spread < (0.5 * best[0] if least is None else least):
                best = (spread, base)
    own = float(np.abs(target - np.median(target)).mean())
    return best[1] if best and best[0] < 0.4 * own else None


def _clean(residual: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Without the noise of floating point."""
    scale = np.nanmax(np.abs(y)) if np.isfinite(y).any() else 1.0
    digits = int(np.clip(11 - np.ceil(np.log10(max(scale, 1e-12))), 0, 12))
    return np.round(residual, digits)
