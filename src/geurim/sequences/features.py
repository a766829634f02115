"""What a column of an event may be told from: a list of features, each a few codes an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from geurim.contract import Json
from geurim.levels import Levels
from geurim.links import Base
from geurim.sequences.clock import calendar
from geurim.sequences.views import View

_CUTS = 62  # at most so many cuts of a number
_CODED = ("lag", "now", "first", "favorite", "static")
_CALENDAR = {"hour": 24, "weekday": 7, "day": 31, "month": 12}


@dataclass(frozen=True, kw_only=True, eq=False)
class Feature:
    """One feature. `kind` and `column` say of what; `k` how long ago, or over how many events.

    Numbers are cut at `cuts`, and missing is the last bin. Codes have the bins of their column's
    scale, and one more for what lies before the first event. `base`: what a "base" says, which
    stands in the scale of its column.
    """

    kind: str
    column: str = ""
    k: int = 0
    cuts: np.ndarray | None = None
    size: int = 0
    ordered: bool = True
    base: Base | None = None

    def bins(self, view: View) -> np.ndarray:
        """Bins (N,) uint8 at the place where `view` stands."""
        if self.kind == "static":
            return np.asarray(view.static[self.column])
        if self.kind in _CODED:
            codes = self._codes(view)
            scale = view.own[self.column].bins
            coded = np.where(codes < 0, self.size - 1, scale[np.maximum(codes, 0)])
            return np.asarray(coded, np.uint8)
        value = self.value(view)
        if self.cuts is None:
            return np.asarray(np.clip(value, 0, self.size - 1), np.uint8)
        found = np.searchsorted(self.cuts, value, side="right")
        return np.asarray(np.where(np.isnan(value), self.size - 1, found), np.uint8)

    def _codes(self, view: View) -> np.ndarray:
        if self.kind == "lag":
            return view.lag_codes(self.column, self.k)
        if self.kind == "now":
            return view.codes_now[self.column]
        return view.first(self.column) if self.kind == "first" else view.favorite(self.column)

    def value(self, view: View) -> np.ndarray:
        """The number (N,) of a feature that is one."""
        if self.kind in ("position", "left"):
            return np.asarray(getattr(view, self.kind), np.float64)
        if self.kind == "phase":
            return np.asarray(view.position % self.k, np.float64)
        if self.kind == "mean":
            return view.mean(self.column, self.k)
        if self.base is not None:
            return base_of(self.base, view)
        if self.kind == "pace":
            return np.asarray((view.end - view.before) / np.maximum(view.left + 1, 1))
        if self.kind == "ahead":
            return np.asarray(view.end - view.before)
        time = view.before if self.column == "before" else view.time
        return time if self.kind == "trend" else calendar(time)[self.kind]

    def learned(self, view: View, most: int = _CUTS) -> Feature:
        """The feature with its cuts and size, from the real series."""
        if self.kind == "static":
            size = int(view.static[self.column].max(initial=0)) + 1
            return replace(self, size=size)
        if self.kind in _CODED:
            own = view.own[self.column]
            size = int(own.bins.max(initial=0)) + 2
            return replace(self, size=size, ordered=own.ordered)
        if self.kind in _CALENDAR or self.kind == "phase":
            return replace(self, size=_CALENDAR.get(self.kind, self.k))
        value = self.value(view)
        value = value[~np.isnan(value)]
        places = np.linspace(0, 1, most + 1)[1:]
        cuts = np.unique(np.quantile(value, places)) if len(value) else np.empty(0)
        return replace(self, cuts=cuts, size=len(cuts) + 2)

    def tells(self, name: str, timed: bool) -> bool:
        """Whether the feature is known when the column `name` is drawn, `timed` of the clock."""
        if self.kind in ("pace", "ahead"):
            return timed
        if self.kind in _CALENDAR or self.kind == "trend":
            return self.column == ("before" if timed else "now")
        return self.kind != "base" or self.column == name

    @property
    def early(self) -> bool:
        """Whether the feature is known before anything of the event is."""
        if self.kind in _CALENDAR or self.kind == "trend":
            return self.column == "before"
        return self.kind not in ("now", "base")

    @property
    def past(self) -> bool:
        """Whether the feature looks at events before this one."""
        return self.kind in ("lag", "mean", "first", "favorite", "base", "position", "left")

    def state(self) -> dict[str, Json]:
        return {k: getattr(self, k) for k in ("kind", "column", "k", "size", "ordered")}


def base_of(base: Base, view: View) -> np.ndarray:
    """What a base says (N,) at the place where `view` stands."""
    return base.of({c: view.axis(c) for c in base.columns}, frozenset())


def before(
    own: Mapping[str, Levels],
    static: list[str],
    time: tuple[str, ...],
    lags: tuple[int, ...],
    period: int,
) -> list[Feature]:
    """The features that do not depend on the event itself. `time`: the clock's own columns."""
    found = [Feature(kind="position"), Feature(kind="left")]
    found += [Feature(kind="static", column=n) for n in static]
    if 1 < period <= _CUTS:
        found.append(Feature(kind="phase", k=period))
    for name, scale in own.items():
        ago = (*lags, period) if period and name not in time else lags
        found += [Feature(kind="lag", column=name, k=k) for k in ago]
        if scale.ordered:
            found += [Feature(kind="mean", column=name, k=k) for k in (8, 0)]
        else:
            found += [Feature(kind=k, column=name) for k in ("first", "favorite")]
    return found


def of_time(calendar_: bool, when: str) -> list[Feature]:
    """The features of a moment: "before" (the last event) or "now"."""
    kinds = list(_CALENDAR) if calendar_ else []
    found = [Feature(kind=k, column=when) for k in (*kinds, "trend")]
    if when == "before":
        found += [Feature(kind=k) for k in ("pace", "ahead")]
    return found
