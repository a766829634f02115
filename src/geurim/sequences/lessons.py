"""What is to be learned about each column of an event, whatever learns it.

Numbers are learned as what a base leaves open, categories may be "as the one before" or "as the
favorite so far", which keeps long runs of rare values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from geurim import levels
from geurim.codec import Scale
from geurim.levels import Levels
from geurim.links import Base
from geurim.sequences import features, regress
from geurim.sequences.clock import Clock
from geurim.sequences.features import Feature
from geurim.sequences.views import Recorded, View

_COPIES = ("before", "favorite")
_LAGS = (1, 2, 3)
_UNITS = 50  # from so many units on, first events are learned from first events alone


@dataclass(frozen=True, kw_only=True, eq=False)
class Link:
    """One column of the chain. `copies`: which codes beyond the scale's repeat the past."""

    name: str
    scale: Scale
    copies: tuple[str, ...]

    def copied(self, codes: np.ndarray, view: View) -> np.ndarray:
        """Codes beyond the scale as the codes of the past that they stand for."""
        for i, what in enumerate(self.copies):
            past = view.lag_codes(self.name, 1) if what == "before" else view.favorite(self.name)
            codes = np.where(codes == self.scale.own.size + i, np.maximum(past, 0), codes)
        return codes


@dataclass(frozen=True, kw_only=True, eq=False)
class Lesson:
    """Codes to be told at some events.

    `codes` (n,): on `levels`, and `copies` more, at the events `rows` (n,). `sees`: the numbers of
    the features that are known then. Where a column has a base, its codes are of what the base
    leaves open, and `opening` is the lesson that stands in where the base is not known: at a
    unit's first event, or after none.
    """

    name: str
    levels: Levels
    sees: tuple[int, ...]
    codes: np.ndarray
    rows: np.ndarray
    copies: int = 0
    opening: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Lessons:
    """All columns of an event in their order, the clock's first, then those of few levels.

    `coded`: the bins (N,) of each feature at every real event.
    """

    links: tuple[Link, ...]
    lessons: tuple[Lesson, ...]
    features: tuple[Feature, ...]
    coded: tuple[np.ndarray, ...]


def prepare(
    own: dict[str, Levels],
    view: Recorded,
    clock: Clock,
    static: list[str],
    period: int,
    cell_rows: int,
) -> Lessons:
    """What there is to learn of real series."""
    order = list(clock.columns)
    order += sorted((n for n in own if n not in order), key=lambda n: own[n].size)
    listed = _first_features(own, view, clock, static, period)
    coded = [f.bins(view) for f in listed]
    links: list[Link] = []
    lessons: list[Lesson] = []
    for name in order:
        drawn = [x.name for x in links]
        base = None if name in clock.columns else _base(name, own, drawn, view, clock, period)
        if base is not None:
            listed.append(Feature(kind="base", column=name, base=base).learned(view))
            coded.append(listed[-1].bins(view))
        usable = [i for i, f in enumerate(listed) if f.tells(name, name in clock.columns)]
        if base is None:
            link, taught = _plain(name, own[name], view, usable)
        else:
            link, taught = _linked(name, own[name], base, view, usable, listed, cell_rows)
        links.append(link)
        lessons += taught
        listed.append(Feature(kind="now", column=name).learned(view))
        coded.append(listed[-1].bins(view))
    return Lessons(
        links=tuple(links), lessons=tuple(lessons), features=tuple(listed), coded=tuple(coded)
    )


def _first_features(
    own: dict[str, Levels], view: Recorded, clock: Clock, static: list[str], period: int
) -> list[Feature]:
    """The features that stand before the event is begun, and those of its moment."""
    found = [f.learned(view) for f in features.before(own, static, clock.columns, _LAGS, period)]
    # A fine scale of time would learn the one past there is by heart.
    most = int(np.clip(len(view.position) // 200, 8, 62))
    for when in ("before", "now") if clock.mode != "order" else ():
        for f in features.of_time(clock.calendar, when):
            found.append(f.learned(view, most=most if f.kind == "trend" else 62))
    return found


def _base(
    name: str,
    own: dict[str, Levels],
    drawn: list[str],
    view: Recorded,
    clock: Clock,
    period: int,
) -> Base | None:
    """The base of an ordered column; None where it has none."""
    if not own[name].ordered:
        return None
    ordered = [n for n in own if own[n].ordered and n not in clock.columns]
    known = drawn + (["time"] if clock.mode != "order" else [])
    keys = regress.keys(name, ordered, known, _LAGS, period)
    keys += regress.waves(view, clock.calendar, period)
    return regress.find(view.now[name], name, keys, view)


def _plain(name: str, own: Levels, view: Recorded, usable: list[int]) -> tuple[Link, list[Lesson]]:
    """A column without a base, at the events that have it."""
    copies, codes = copies_of(name, own, view)
    rows = np.arange(len(codes))
    if name.startswith("\0"):  # the clock's: missing at the first event, which nobody draws
        rows = np.flatnonzero(~np.isnan(view.now[name]))
    lesson = _lesson(name, own, codes, rows, usable, copies=len(copies))
    return Link(name=name, scale=Scale(own=own), copies=copies), [lesson]


def _linked(
    name: str,
    own: Levels,
    base: Base,
    view: Recorded,
    usable: list[int],
    listed: list[Feature],
    cell_rows: int,
) -> tuple[Link, list[Lesson]]:
    """A column on a base: its first events on its own scale, the others by what is left open."""
    axes = {c: view.axis(c) for c in base.columns} | {name: view.now[name]}
    offset = base.residual(view.now[name], axes, frozenset())
    known = np.flatnonzero(~np.isnan(base.of(axes, frozenset())))
    residual, found = levels.learn(pa.array(offset[known], from_pandas=True), cell_rows)
    codes = np.zeros(len(offset), np.int64)
    codes[known] = found
    first = np.flatnonzero(view.position == 0)
    first = first if len(first) >= _UNITS else np.arange(len(codes))
    plain = [i for i in usable if not listed[i].past]
    opening = _lesson(name, own, view.codes_now[name], first, plain, opening=True)
    lesson = _lesson(name, residual, codes, known, usable)
    link = Link(name=name, scale=Scale(own=own, base=base, residual=residual), copies=())
    return link, [opening, lesson]


def _lesson(
    name: str,
    scale: Levels,
    codes: np.ndarray,
    rows: np.ndarray,
    sees: list[int],
    copies: int = 0,
    opening: bool = False,
) -> Lesson:
    if not len(rows):  # no unit has a second event: nothing is ever drawn
        rows, codes = np.zeros(1, np.int64), np.zeros(1, np.int64)
    return Lesson(
        name=name,
        levels=scale,
        sees=tuple(sees),
        codes=codes[rows],
        rows=rows,
        copies=copies,
        opening=opening,
    )


def copies_of(name: str, own: Levels, view: Recorded) -> tuple[tuple[str, ...], np.ndarray]:
    """Which copies pay for a category, and the codes (N,) with them.

    A scale that fits into the bins needs none: the features have the code before.
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
