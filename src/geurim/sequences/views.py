"""What is known at an event: the past of its series, as arrays over all events or over all units.

`Recorded` looks at real series, all events at once; `Running` at series being drawn, all units at
one step. Both answer the same questions with the same numbers, which is what makes a model learned
on the one draw the other.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from geurim.levels import Levels


class View:
    """Questions about the past. Values on the axis are the last ones seen where one is missing.

    `own`: the scale of each column. `static`: each static column's bins, a unit or event each.
    """

    own: Mapping[str, Levels]
    static: dict[str, np.ndarray]
    position: np.ndarray  # events before this one in its unit
    left: np.ndarray  # events after it
    before: np.ndarray  # the time of the event before; its own at the first
    end: np.ndarray  # the time of the unit's last event
    now: dict[str, np.ndarray]  # axis values of this event's columns drawn so far, NaN if missing
    codes_now: dict[str, np.ndarray]
    time: np.ndarray

    def lag_codes(self, name: str, k: int) -> np.ndarray:
        """The code of k events ago; -1 where there is none."""
        raise NotImplementedError

    def lag_axis(self, name: str, k: int) -> np.ndarray:
        """The value of k events ago, or of the first; NaN at the first event."""
        raise NotImplementedError

    def mean(self, name: str, window: int) -> np.ndarray:
        """The mean of the last `window` events, of all for 0; NaN at the first."""
        raise NotImplementedError

    def first(self, name: str) -> np.ndarray:
        """The code of the unit's first event; -1 at the first."""
        raise NotImplementedError

    def favorite(self, name: str) -> np.ndarray:
        """The code met most often so far, of several the latest; -1 at the first."""
        raise NotImplementedError

    def axis(self, key: str) -> np.ndarray:
        """A number that a base may rest on, by its key: see `keys`."""
        kind, _, name = key.partition("\0")
        if kind == "now":
            return self.now[name]
        if kind == "time":
            return self.time
        if kind[:3] in ("sin", "cos"):
            place = self.time if float(name) > 1e6 else self.position
            angle = 2 * np.pi * int(kind[3:]) * (place / float(name) % 1.0)
            return np.asarray(np.sin(angle) if kind[:3] == "sin" else np.cos(angle))
        if kind.startswith("lag"):
            return self.lag_axis(name, int(kind[3:]))
        return self.mean(name, int(kind[4:]))


class Recorded(View):
    """Real series, all events at once."""

    def __init__(
        self,
        own: Mapping[str, Levels],
        codes: dict[str, np.ndarray],
        axes: dict[str, np.ndarray],
        starts: np.ndarray,
        time: np.ndarray | None,
        static: dict[str, np.ndarray],
    ) -> None:
        lengths = np.diff(starts)
        self.own, self.codes_now, self.now = own, codes, axes
        self.start = np.repeat(starts[:-1], lengths)
        self.place = np.arange(starts[-1])
        self.position = self.place - self.start
        self.left = np.repeat(lengths, lengths) - 1 - self.position
        self.static = {n: np.repeat(b, lengths) for n, b in static.items()}
        self.time = self.position.astype(float) if time is None else time
        self.before = self.time[np.maximum(self.place - 1, self.start)]
        self.end = np.repeat(self.time[starts[1:] - 1], lengths)
        self.filled = {n: _carried(a, self.start) for n, a in axes.items()}
        self.sums = {n: _sums(a) for n, a in self.filled.items()}

    def lag_codes(self, name: str, k: int) -> np.ndarray:
        found = self.codes_now[name][np.maximum(self.place - k, 0)]
        return np.where(self.position >= k, found, -1)

    def lag_axis(self, name: str, k: int) -> np.ndarray:
        found = self.filled[name][np.maximum(self.place - k, self.start)]
        return np.where(self.position > 0, found, np.nan)

    def mean(self, name: str, window: int) -> np.ndarray:
        first = self.start if window == 0 else np.maximum(self.start, self.place - window)
        total, count = self.sums[name]
        return _ratio(total[self.place] - total[first], count[self.place] - count[first])

    def first(self, name: str) -> np.ndarray:
        return np.where(self.position > 0, self.codes_now[name][self.start], -1)

    def favorite(self, name: str) -> np.ndarray:
        codes = self.codes_now[name]
        size = int(codes.max(initial=0)) + 1
        pair = self.start * size + codes
        order = np.argsort(pair, kind="stable")
        runs = np.flatnonzero(np.diff(pair[order], prepend=-1))
        met = np.empty(len(codes), np.int64)
        met[order] = np.arange(len(codes)) - np.repeat(runs, np.diff(np.append(runs, len(codes))))
        # Units stand one after another, so a base by unit makes the running maximum start anew.
        high = np.maximum.accumulate(met + self.start * (len(codes) + 1))
        record = np.where(met + self.start * (len(codes) + 1) >= high, self.place, 0)
        best = codes[np.maximum.accumulate(record)]
        return np.where(self.position > 0, best[np.maximum(self.place - 1, 0)], -1)


class Running(View):
    """Series being drawn: `units` of them, longest first, up to `steps` events each."""

    def __init__(
        self,
        own: Mapping[str, Levels],
        lengths: np.ndarray,
        start: np.ndarray,
        end: np.ndarray,
        static: dict[str, np.ndarray],
        favorites: frozenset[str],
    ) -> None:
        steps, units = int(lengths.max(initial=0)), len(lengths)
        self.own, self.lengths, self.all_static = own, lengths, static
        self.ends, self.times = end, np.zeros((steps, units))
        self.start = start
        self.codes = {n: np.zeros((steps, units), np.int32) for n in own}
        self.best = {n: np.full(units, -1, np.int64) for n in favorites}
        self.held = {n: np.zeros(units, np.int64) for n in favorites}
        ordered = [n for n in own if own[n].ordered]
        self.raw = {n: np.full((steps, units), np.nan) for n in ordered}
        self.filled = {n: np.full((steps, units), np.nan) for n in ordered}
        self.total = {n: np.zeros((steps + 1, units)) for n in ordered}
        self.count = {n: np.zeros((steps + 1, units), np.int32) for n in ordered}

    def go_to(self, t: int, units: int) -> None:
        """Stand at step t, where the first `units` units still go on."""
        self.t, self.n = t, units
        self.position = np.full(units, t)
        self.left = self.lengths[:units] - 1 - t
        self.before = self.times[t - 1, :units] if t else self.start[:units]
        self.end = self.ends[:units]
        self.time = self.before
        self.static = {n: b[:units] for n, b in self.all_static.items()}
        self.now, self.codes_now = {}, {}

    def arrived(self, time: np.ndarray) -> None:
        """The time of this event is known."""
        self.time = time
        self.times[self.t, : self.n] = time

    def record(self, name: str, codes: np.ndarray, axis: np.ndarray | None) -> None:
        """A column of this event is drawn."""
        t, n = self.t, self.n
        self.codes_now[name] = codes
        self.codes[name][t, :n] = codes
        if name in self.best:
            self._follow(name, codes)
        if axis is None:
            return
        self.now[name] = self.raw[name][t, :n] = axis
        seen = ~np.isnan(axis)
        last = self.filled[name][t - 1, :n] if t else np.full(n, np.nan)
        filled = self.filled[name][t, :n] = np.where(seen, axis, last)
        known = ~np.isnan(filled)
        self.total[name][t + 1, :n] = self.total[name][t, :n] + np.where(known, filled, 0.0)
        self.count[name][t + 1, :n] = self.count[name][t, :n] + known

    def lag_codes(self, name: str, k: int) -> np.ndarray:
        if self.t < k:
            return np.full(self.n, -1)
        return self.codes[name][self.t - k, : self.n]

    def lag_axis(self, name: str, k: int) -> np.ndarray:
        if not self.t:
            return np.full(self.n, np.nan)
        return self.filled[name][max(self.t - k, 0), : self.n]

    def mean(self, name: str, window: int) -> np.ndarray:
        t, n = self.t, self.n
        first = 0 if window == 0 else max(t - window, 0)
        total, count = self.total[name], self.count[name]
        return _ratio(total[t, :n] - total[first, :n], count[t, :n] - count[first, :n])

    def first(self, name: str) -> np.ndarray:
        return self.codes[name][0, : self.n] if self.t else np.full(self.n, -1)

    def favorite(self, name: str) -> np.ndarray:
        return self.best[name][: self.n] if self.t else np.full(self.n, -1)

    def _follow(self, name: str, codes: np.ndarray) -> None:
        """Keep the favorite: only the code just met can have overtaken it."""
        t, n = self.t, self.n
        met = (self.codes[name][: t + 1, :n] == codes).sum(0)
        best, held = self.best[name], self.held[name]
        taken = met >= held[:n]
        best[:n] = np.where(taken, codes, best[:n])
        held[:n] = np.where(taken, met, held[:n])


def _ratio(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.full(len(total), np.nan)
    np.divide(total, count, out=found, where=count > 0)
    return found


def _carried(values: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Missing values (NaN) as the last one seen in the same unit."""
    place = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(len(values))))
    return np.where(place >= start, values[np.maximum(place, 0)], np.nan)


def _sums(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums and counts (N + 1,) of the values before each place."""
    known = ~np.isnan(values)
    total = np.append(0.0, np.cumsum(np.where(known, values, 0.0)))
    return total, np.append(0, np.cumsum(known))
