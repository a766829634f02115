"""The chain of an event: its time, then each column given the past and the columns before it.

What each column is told by is a model of its own: forests (geurim.sequences.forests) or a network
with a memory (geurim.sequences.recurrent). What they are taught, and how their codes become
values, is the same for both (geurim.sequences.lessons).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Protocol

import numpy as np
import pyarrow as pa

from geurim.codec import Scale, part
from geurim.contract import Json
from geurim.levels import Levels
from geurim.links import Base
from geurim.sequences import features
from geurim.sequences.clock import Clock
from geurim.sequences.features import Feature
from geurim.sequences.lessons import Link
from geurim.sequences.views import Running


class Drawing(Protocol):
    """A model at work on the series of one view."""

    def event(self) -> None:
        """The view stands at its next event."""

    def codes(self, lesson: int) -> np.ndarray:
        """Codes (n,) drawn for the units that the view stands at."""


class Model(Protocol):
    """What tells the codes of every lesson."""

    kind: ClassVar[str]

    def over(
        self, features: Sequence[Feature], view: Running, rng: np.random.Generator
    ) -> Drawing: ...

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Chain:
    """All columns of an event, in the order in which they are drawn; the clock's come first."""

    clock: Clock
    links: tuple[Link, ...]
    features: tuple[Feature, ...]
    period: int
    model: Model

    @cached_property
    def own(self) -> dict[str, Levels]:
        return {link.name: link.scale.own for link in self.links}

    @cached_property
    def _lessons(self) -> list[int]:
        """The last lesson of each link; where the link has a base, the one before it opens."""
        held = [1 + (x.scale.base is not None) for x in self.links]
        return [int(n) - 1 for n in np.cumsum(held)]

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
        drawing = self.model.over(self.features, view, rng)
        units = np.searchsorted(-lengths, -np.arange(len(view.times)), side="left")
        for t, n in enumerate(units.tolist()):
            view.go_to(t, n)
            drawing.event()
            self._draw_event(view, drawing, rng)
        return view

    def _draw_event(self, view: Running, drawing: Drawing, rng: np.random.Generator) -> None:
        timed = len(self.clock.columns)
        if self.clock.mode == "order":
            view.arrived(np.full(view.n, float(view.t)))
        elif view.t == 0:
            for link in self.links[:timed]:
                empty = np.full(view.n, np.nan)
                view.record(link.name, link.scale.own.place_of(empty), empty)
            view.arrived(view.start[: view.n])
        else:
            self._draw_time(view, timed, drawing, rng)
        for i in range(timed, len(self.links)):
            self._draw_column(view, i, drawing, rng)

    def _draw_time(
        self, view: Running, timed: int, drawing: Drawing, rng: np.random.Generator
    ) -> None:
        for i in range(timed):
            self._draw_column(view, i, drawing, rng)
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
        self, view: Running, i: int, drawing: Drawing, rng: np.random.Generator
    ) -> None:
        link, lesson = self.links[i], self._lessons[i]
        own, base = link.scale.own, link.scale.base
        if base is not None:
            axis = self._draw_linked(view, link.scale, base, lesson, drawing, rng)
            view.record(link.name, own.place_of(axis), axis)
            return
        codes = drawing.codes(lesson)
        if own.ordered:
            view.record(link.name, codes, own.place(codes, rng))
        else:
            view.record(link.name, link.copied(codes, view), None)

    def _draw_linked(
        self,
        view: Running,
        scale: Scale,
        base: Base,
        lesson: int,
        drawing: Drawing,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Values (N,) of a column on a base; on its own scale where the base is not known."""
        expected = features.base_of(base, view)
        there = ~np.isnan(expected)
        axis = np.full(view.n, np.nan)
        if there.any():
            axis = _on_base(scale, drawing.codes(lesson), expected, rng)
        if not there.all():
            axis = np.where(there, axis, scale.own.place(drawing.codes(lesson - 1), rng))
        return axis

    # ---- saving

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        entries: list[Json] = []
        told, arrays = self.model.state()
        arrays = {f"model/{k}": v for k, v in arrays.items()}
        for i, link in enumerate(self.links):
            entry, parts = link.scale.state()
            kind = str(link.scale.own.kind) if link.name in self.clock.columns else None
            entries.append({"name": link.name, "copies": list(link.copies), **entry, "kind": kind})
            arrays |= {f"{i}/{k}": v for k, v in parts.items()}
        for i, f in enumerate(self.features):
            if f.cuts is not None:
                arrays[f"cuts/{i}"] = f.cuts
        state = {
            "clock": self.clock.__dict__,
            "links": entries,
            "features": [f.state() for f in self.features],
            "period": self.period,
            "model": {"kind": self.model.kind, **told},
        }
        return state, arrays

    @classmethod
    def from_state(
        cls, kinds: Mapping[str, pa.DataType], state: dict[str, Json], arrays: dict[str, np.ndarray]
    ) -> Chain:
        links = {}
        for i, entry in enumerate(state["links"]):
            name = entry["name"]
            scale = Scale.from_state(kinds.get(name, pa.float64()), entry, part(arrays, f"{i}/"))
            links[name] = Link(name=name, scale=scale, copies=tuple(entry["copies"]))
        cuts = part(arrays, "cuts/")
        made = [Feature(**f, cuts=cuts.get(str(i))) for i, f in enumerate(state["features"])]
        return cls(
            clock=Clock(**state["clock"]),
            links=tuple(links.values()),
            features=tuple(
                replace(f, base=links[f.column].scale.base) if f.kind == "base" else f for f in made
            ),
            period=state["period"],
            model=_model_from_state(state["model"], part(arrays, "model/")),
        )


def _model_from_state(state: dict[str, Json], arrays: dict[str, np.ndarray]) -> Model:
    if state["kind"] == "trees":
        from geurim.sequences.forests import Forests

        return Forests.from_state(state, arrays)
    from geurim.sequences._memory import Memory

    return Memory.from_state(state, arrays)


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
