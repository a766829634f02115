"""The chain of an event: its time, then each column given the past and the columns before it.

As in geurim.generators.trees a column is a mixture of trees on bins, here of features of the past
(geurim.sequences.features). Numbers are learned as what a base leaves open, categories may be "as
the one before" or "as the favorite so far", which keeps long runs of rare values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from geurim import levels
from geurim.codec import Scale, part
from geurim.contract import Event, Json, Progress
from geurim.generators import _forest
from geurim.generators._forest import Forest
from geurim.generators._grow import Predictors
from geurim.generators.trees import _groups
from geurim.levels import Levels
from geurim.links import Base
from geurim.sequences import features, regress
from geurim.sequences.clock import Clock
from geurim.sequences.features import Feature
from geurim.sequences.views import Recorded, Running, View

_COPIES = ("before", "favorite")
_LAGS = (1, 2, 3)
_UNITS = 50  # from so many units on, first events are learned from first events alone


@dataclass(frozen=True, kw_only=True, eq=False)
class Link:
    """One column of the chain. `copies`: which codes beyond the scale's repeat the past.

    `sees`: the numbers of the features that its forest looks at. With a base, `opening` and
    `opens` stand for them where the base is not known: at a unit's first event, or after none.
    """

    name: str
    scale: Scale
    copies: tuple[str, ...]
    sees: tuple[int, ...]
    forest: Forest
    opens: tuple[int, ...] = ()
    opening: Forest | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Chain:
    """All columns of an event, in the order in which they are drawn; the clock's come first."""

    clock: Clock
    links: tuple[Link, ...]
    features: tuple[Feature, ...]
    period: int

    @property
    def own(self) -> dict[str, Levels]:
        return {link.name: link.scale.own for link in self.links}

    def draw(
        self,
        lengths: np.ndarray,
        start: np.ndarray,
        end: np.ndarray,
        static: dict[str, np.ndarray],
        rng: np.random.Generator,
    ) -> Running:
        """Units (N,) of `lengths` events from `start` to `end`, longest first."""
        wanted = {f.column for f in self.features if f.kind == "favorite"}
        view = Running(self.own, lengths, start, end, static, frozenset(wanted))
        units = np.searchsorted(-lengths, -np.arange(len(view.times)), side="left")
        for t, n in enumerate(units.tolist()):
            view.go_to(t, n)
            self._draw_event(view, rng)
        return view

    def _draw_event(self, view: Running, rng: np.random.Generator) -> None:
        bins: dict[int, np.ndarray] = {}
        timed = [x for x in self.links if x.name in self.clock.columns]
        if self.clock.mode == "order":
            view.arrived(np.full(view.n, float(view.t)))
        elif view.t == 0:
            for link in timed:
                empty = np.full(view.n, np.nan)
                view.record(link.name, link.scale.own.place_of(empty), empty)
            view.arrived(view.start[: view.n])
        else:
            self._draw_time(view, timed, rng, bins)
        for link in self.links[len(timed) :]:
            self._draw_column(view, link, rng, bins)

    def _draw_time(
        self,
        view: Running,
        timed: list[Link],
        rng: np.random.Generator,
        bins: dict[int, np.ndarray],
    ) -> None:
        for link in timed:
            self._draw_column(view, link, rng, bins)
        time = self.clock.next(view.before, view.now)
        time = np.where(view.left == 0, self.clock.ended(time, view.before, view.end), time)
        over = time > view.end
        if over.any():
            # Too long a gap: a place between, so that the events left have room.
            room = (view.end - view.before)[over] / (view.left[over] + 1)
            between = view.before[over] + 2 * rng.random(int(over.sum())) * room
            time[over] = self.clock.snapped(between, view.before[over], time[over], self._step)
        view.arrived(np.minimum(time, np.maximum(view.end, view.before)))

    @property
    def _step(self) -> float:
        return self.links[0].scale.own.step

    def _draw_column(
        self, view: Running, link: Link, rng: np.random.Generator, bins: dict[int, np.ndarray]
    ) -> None:
        own, base = link.scale.own, link.scale.base
        if base is not None:
            axis = self._draw_linked(view, link, base, rng, bins)
            view.record(link.name, own.place_of(axis), axis)
            return
        codes = self._fallen(link.forest, link.sees, None, view, rng, bins)
        if own.ordered:
            view.record(link.name, codes, own.place(codes, rng))
        else:
            view.record(link.name, _copied(codes, own.size, link, view), None)

    def _draw_linked(
        self,
        view: Running,
        link: Link,
        base: Base,
        rng: np.random.Generator,
        bins: dict[int, np.ndarray],
    ) -> np.ndarray:
        """Values (N,) of a column on a base; on its own scale where the base is not known."""
        expected = features.base_of(base, view)
        there = ~np.isnan(expected)
        axis = np.full(view.n, np.nan)
        if there.any():
            codes = self._fallen(link.forest, link.sees, base, view, rng, bins)
            axis = _on_base(link.scale, codes, expected, rng)
        if not there.all() and link.opening is not None:
            codes = self._fallen(link.opening, link.opens, base, view, rng, bins)
            axis = np.where(there, axis, link.scale.own.place(codes, rng))
        return axis

    def _fallen(
        self,
        forest: Forest,
        sees: tuple[int, ...],
        base: Base | None,
        view: Running,
        rng: np.random.Generator,
        bins: dict[int, np.ndarray],
    ) -> np.ndarray:
        """Codes (N,) drawn from a forest at this event; `bins` keeps the features looked at."""

        def look(f: int) -> np.ndarray:
            if f not in bins:
                bins[f] = self.features[f].bins(view, base)
            return bins[f]

        if view.n > 1:
            seen = [look(f) for f in sees]
            return forest.draw(np.stack(seen) if seen else np.zeros((0, view.n), np.uint8), rng)
        # One series: only the features on the way down one tree are worth their price.
        node = int(forest.roots[int(rng.integers(len(forest.roots)))])
        while not (held := forest.count.item(node)):
            node = forest.step.item(node, look(sees[forest.feature.item(node)]).item(0))
        row = forest.start.item(node) + int(rng.random() * held)
        return np.array([forest.levels.item(row)], np.int64)

    # ---- saving

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        entries: list[Json] = []
        arrays: dict[str, np.ndarray] = {}
        for i, link in enumerate(self.links):
            entry, parts = link.scale.state()
            kind = link.scale.own.kind
            entries.append({"name": link.name, "copies": list(link.copies), **entry})
            entries[-1]["kind"] = str(kind) if link.name in self.clock.columns else None
            parts |= {f"forest/{k}": v for k, v in link.forest.arrays().items()}
            parts["sees"] = np.array(link.sees, np.int64)
            if link.opening is not None:
                parts |= {f"opening/{k}": v for k, v in link.opening.arrays().items()}
                parts["opens"] = np.array(link.opens, np.int64)
            arrays |= {f"{i}/{k}": v for k, v in parts.items()}
        for i, f in enumerate(self.features):
            if f.cuts is not None:
                arrays[f"cuts/{i}"] = f.cuts
        state = {
            "clock": self.clock.__dict__,
            "links": entries,
            "features": [f.state() for f in self.features],
            "period": self.period,
        }
        return state, arrays

    @classmethod
    def from_state(
        cls, kinds: Mapping[str, pa.DataType], state: dict[str, Json], arrays: dict[str, np.ndarray]
    ) -> Chain:
        links = []
        for i, entry in enumerate(state["links"]):
            parts = part(arrays, f"{i}/")
            links.append(
                Link(
                    name=entry["name"],
                    scale=Scale.from_state(kinds.get(entry["name"], pa.float64()), entry, parts),
                    copies=tuple(entry["copies"]),
                    sees=tuple(parts["sees"].tolist()),
                    forest=Forest(**part(parts, "forest/")),
                    opens=tuple(parts["opens"].tolist()) if "opens" in parts else (),
                    opening=Forest(**part(parts, "opening/")) if "opens" in parts else None,
                )
            )
        cuts = part(arrays, "cuts/")
        made = [Feature(**f, cuts=cuts.get(str(i))) for i, f in enumerate(state["features"])]
        return cls(
            clock=Clock(**state["clock"]),
            links=tuple(links),
            features=tuple(made),
            period=state["period"],
        )


def _on_base(
    scale: Scale, codes: np.ndarray, expected: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Values (N,) of residual codes; what leaves the real range is thrown back into it."""
    assert scale.residual is not None and scale.own.low is not None and scale.own.high is not None
    y = expected + scale.residual.place(codes, rng)
    if len(scale.own.low):
        low, high = scale.own.low[0], scale.own.high[-1]
        y = np.where(y < low, 2 * low - y, y)  # at a wall, many series would come to rest
        y = np.where(y > high, 2 * high - y, y)
    return scale.own.fit(y)


def _copied(codes: np.ndarray, size: int, link: Link, view: View) -> np.ndarray:
    """Codes beyond the scale as the codes of the past that they stand for."""
    for i, what in enumerate(link.copies):
        past = view.lag_codes(link.name, 1) if what == "before" else view.favorite(link.name)
        codes = np.where(codes == size + i, np.maximum(past, 0), codes)
    return codes


def copies_of(name: str, own: Levels, view: Recorded) -> tuple[tuple[str, ...], np.ndarray]:
    """Which copies pay for a category, and the codes (N,) with them.

    A scale that fits into the bins needs none: the forest sees the code before.
    """
    codes = view.codes_now[name].copy()
    if own.ordered or own.size <= levels.BINS:
        return (), codes
    found: list[str] = []
    rest = np.ones(len(codes), bool)
    for what in _COPIES:
        past = view.lag_codes(name, 1) if what == "before" else view.favorite(name)
        same = (view.codes_now[name] == past) & rest
        if same.mean() > 0.05:
            codes[same] = own.size + len(found)
            found.append(what)
            rest &= ~same
    return tuple(found), codes


def learn(
    own: dict[str, Levels],
    view: Recorded,
    clock: Clock,
    static: list[str],
    period: int,
    settings: Any,
    rng: np.random.Generator,
    progress: Progress,
) -> Chain:
    """The chain over all columns of `own`, the clock's first, then those of few levels."""
    order = list(clock.columns)
    order += sorted((n for n in own if n not in order), key=lambda n: own[n].size)
    listed = _first_features(own, view, clock, static, period)
    coded = [f.bins(view) for f in listed]
    chain: list[Link] = []
    for done, name in enumerate(order):
        progress(Event(step="fit", done=done, total=len(order), unit="columns", note=name))
        base = None if name in clock.columns else _base(name, own, chain, view, clock, period)
        if base is not None:
            listed.append(Feature(kind="base", column=name).learned(view, base))
            coded.append(listed[-1].bins(view, base))
        usable = [i for i, f in enumerate(listed) if f.tells(name, name in clock.columns)]
        chain.append(_learn_link(name, own[name], base, view, listed, coded, usable, settings, rng))
        listed.append(Feature(kind="now", column=name).learned(view))
        coded.append(listed[-1].bins(view))
    progress(Event(step="fit", done=len(order), total=len(order), unit="columns"))
    return Chain(clock=clock, links=tuple(chain), features=tuple(listed), period=period)


def _first_features(
    own: dict[str, Levels], view: Recorded, clock: Clock, static: list[str], period: int
) -> list[Feature]:
    """The features that stand before the event is begun, and those of its moment."""
    found = [f.learned(view) for f in features.before(own, static, clock.columns, _LAGS, period)]
    # A fine scale of time would learn the one past there is by heart.
    most = int(np.clip(len(view.position) // 500, 4, 62))
    for when in ("before", "now") if clock.mode != "order" else ():
        for f in features.of_time(clock.calendar, when):
            found.append(f.learned(view, most=most if f.kind == "trend" else 62))
    return found


def _base(
    name: str,
    own: dict[str, Levels],
    chain: list[Link],
    view: Recorded,
    clock: Clock,
    period: int,
) -> Base | None:
    """The base of an ordered column; None where it has none."""
    if not own[name].ordered:
        return None
    ordered = [n for n in own if own[n].ordered and n not in clock.columns]
    drawn = [x.name for x in chain] + (["time"] if clock.mode != "order" else [])
    keys = regress.keys(name, ordered, drawn, _LAGS, period)
    keys += regress.waves(view, clock.calendar, period)
    return regress.find(view.now[name], name, keys, view)


def _learn_link(
    name: str,
    own: Levels,
    base: Base | None,
    view: Recorded,
    listed: list[Feature],
    coded: list[np.ndarray],
    usable: list[int],
    settings: Any,
    rng: np.random.Generator,
) -> Link:
    """One column, learned on the events that have it."""
    scale = Scale(own=own)
    copies, codes = copies_of(name, own, view)
    rows = np.arange(len(codes))
    if name.startswith("\0"):  # the clock's: missing at the first event, which nobody draws
        rows = np.flatnonzero(~np.isnan(view.now[name]))
    opening: Forest | None = None
    opens: tuple[int, ...] = ()
    if base is not None:
        units = int((view.position == 0).sum())
        first = np.flatnonzero(view.position == 0) if units >= _UNITS else rows
        plain = [i for i in usable if not listed[i].past]
        group = _groups(own, codes[first])
        opening, opens = _forest_of(codes, group, first, listed, coded, plain, settings, rng)
        scale, codes, rows = _linked(own, base, view, name, settings.cell_rows)
        group = _groups(scale.residual or own, codes[rows])
    else:
        group = _groups(own, np.minimum(codes[rows], own.size - 1))
    if copies:
        group = np.append(group, group.max(initial=-1) + 1 + np.arange(len(copies)))
    forest, sees = _forest_of(codes, group, rows, listed, coded, usable, settings, rng)
    return Link(
        name=name,
        scale=scale,
        copies=copies,
        sees=sees,
        forest=forest,
        opens=opens,
        opening=opening,
    )


def _forest_of(
    codes: np.ndarray,
    group: np.ndarray,
    rows: np.ndarray,
    listed: list[Feature],
    coded: list[np.ndarray],
    usable: list[int],
    settings: Any,
    rng: np.random.Generator,
) -> tuple[Forest, tuple[int, ...]]:
    """The forest that tells `codes` on some events, and the features it looks at."""
    if not len(rows):  # no unit has a second event: nothing is ever drawn
        rows, codes = np.zeros(1, np.int64), np.zeros(1, np.int64)
    seen = [coded[i][rows] for i in usable]
    predictors = Predictors.of(
        np.stack(seen) if seen else np.zeros((0, len(rows)), np.uint8),
        [listed[i].size for i in usable],
        [listed[i].ordered for i in usable],
    )
    target, sees = codes[rows], np.arange(len(usable))
    if len(usable) > settings.predictors:
        classes = int(group.max(initial=0)) + 1
        sees = predictors.telling(group[target], classes, settings.predictors)
        predictors = predictors.of_columns(sees)
    forest = _forest.learn(
        predictors,
        target,
        group,
        rng,
        trees=settings.trees,
        leaf=settings.leaf,
        charge=settings.charge,
        grow_rows=100_000,
    )
    return forest, tuple(usable[i] for i in sees)


def _linked(
    own: Levels, base: Base, view: Recorded, name: str, cell_rows: int
) -> tuple[Scale, np.ndarray, np.ndarray]:
    """The scale on a base, the codes (N,) on it, and the events where the base is known."""
    axes = {c: view.axis(c) for c in base.columns} | {name: view.now[name]}
    offset = base.residual(view.now[name], axes, frozenset())
    known = np.flatnonzero(~np.isnan(base.of(axes, frozenset())))
    residual, found = levels.learn(pa.array(offset[known], from_pandas=True), cell_rows)
    codes = np.zeros(len(offset), np.int64)
    codes[known] = found
    return Scale(own=own, base=base, residual=residual), codes, known
