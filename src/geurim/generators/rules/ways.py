"""How the rows of a table come about: so many for each owner, by a process in time, by states.

    of: customers
    events: {rate: 2 + customers.income / 1e4, per: month, schedule: shopping}

Formulas here see the owner, and the world's parameters; what a way brings (`time`, `state`, …) are
columns of the table like others.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from geurim.errors import SamplingError
from geurim.generators.rules import processes
from geurim.generators.rules.calendars import Intensity
from geurim.generators.rules.clock import Clock
from geurim.generators.rules.draws import SECONDS, Draw, read_draw, seconds_of
from geurim.generators.rules.formulas import Formula, Names, Value, column, needs
from geurim.generators.rules.options import LABEL, SCHEDULED, WINDOW, Option, Options
from geurim.generators.rules.recurring import recurring
from geurim.generators.rules.rows import Rows
from geurim.generators.rules.streams import Streams
from geurim.nodes import Node

TIME = pa.timestamp("us")
_MOST = 200_000_000  # rows made at once: more would not fit into memory
_PER = tuple(unit[:-1] for unit in SECONDS)
_EVERY = ("day", "week", "month", "year")
_SHIFTS = ("next", "previous")


@dataclass(frozen=True)
class Setting:
    """What a way is read with: the clock and the schedules of the world."""

    clock: Clock
    schedules: Mapping[str, Intensity]
    country: str = ""

    def schedule(self, node: Node) -> Intensity:
        name = node.text()
        if name not in self.schedules:
            known = ", ".join(self.schedules) or "none: write them under 'schedules'"
            raise node.error(f"there is no schedule {name!r}. Known are: {known}.")
        return self.schedules[name]


class Way(abc.ABC):
    """How rows come about: an immutable value, read from a world."""

    key: ClassVar[str]
    shape: ClassVar[str] = "options"  # what stands under its key: a mapping of these, or another
    options: ClassVar[Options] = {}

    @property
    def columns(self) -> Mapping[str, pa.DataType]:
        """The columns that it brings."""
        return {}

    @property
    def needs(self) -> frozenset[str]:
        """The dotted names that must be there before."""
        return needs(self)

    @property
    def wants(self) -> frozenset[tuple[str, str]]:
        """Columns of tables in the same block that must be there; "" for the rows themselves."""
        return frozenset()

    @abc.abstractmethod
    def grow(self, owners: Rows, name: str, up: str, streams: Streams) -> Rows:
        """The rows of the table `name` within `owners`, which they call `up`."""


def _seen_from(owners: Rows, name: str, up: str) -> Rows:
    """One row for each owner, to evaluate formulas as the rows to come will see it."""
    return owners.children(name, np.arange(owners.count), up)


@dataclass(frozen=True)
class Each(Way):
    """A number of rows for each owner: `each: 3`, `each: {draw: poisson, mean: 2}`."""

    count: Draw
    key = "each"
    shape = "noise"

    @classmethod
    def read(cls, node: Node, names: Names, setting: Setting) -> Each:
        return cls(read_draw(node, names))

    def grow(self, owners: Rows, name: str, up: str, streams: Streams) -> Rows:
        found = self.count.values(_seen_from(owners, name, up), streams)
        found = np.maximum(np.round(np.nan_to_num(found)), 0)
        if found.sum() > _MOST:
            raise SamplingError(
                f"{found.sum():.3g} rows of {name!r} would belong to {owners.count:,} of "
                f"{owners.name!r}, more than {_MOST:,}. Let 'each' be smaller, or say "
                "'block: 1' of the table at the top."
            )
        count = found.astype(np.int64)
        return owners.children(name, np.repeat(np.arange(owners.count), count), up)


@dataclass(frozen=True)
class Window:
    """From when to when each owner's rows may be."""

    start: Formula | None
    end: Formula | None

    @classmethod
    def read(cls, node: Node, names: Names) -> Window:
        start, end = node.get("from"), node.get("to")
        return cls(
            None if start is None else _moment(start, names),
            None if end is None else _moment(end, names),
        )

    def seconds(self, rows: Rows, clock: Clock, *, inside: bool) -> tuple[np.ndarray, np.ndarray]:
        """Start and end (N,), seconds; empty where one is missing; within the period if asked."""
        start = np.zeros(rows.count)
        end = np.full(rows.count, clock.length_s)
        if self.start is not None:
            start = clock.seconds(self.start.values(rows))
        if self.end is not None:
            found = clock.seconds(self.end.values(rows))
            end = np.where(np.isnan(found), clock.length_s, found)
        if inside:
            start, end = np.maximum(start, 0.0), np.minimum(end, clock.length_s)
        start = np.where(np.isnan(start), end, start)
        return start, np.maximum(end, start)


def _moment(node: Node, names: Names) -> Formula:
    from geurim.generators.rules.kinds import end

    found = end(node, names)
    if not (pa.types.is_timestamp(found.type) or pa.types.is_date(found.type)):
        raise node.error(f"this is {found.type}. Give a date or a time.")
    return found


@dataclass(frozen=True)
class Events(Way):
    """Events of a process in time: they come at random, at a rate; in bursts; or after gaps.

    `events: {rate: 3, per: day}` is a Poisson process, with `schedule` at the schedule's hours.
    `bursts: 0.5, fading: {…}` makes it self-exciting (Hawkes): an event brings 0.5 more on
    average, which come within the time `fading`, in `in`. `gap: {draw: gamma, …}` is a renewal
    process. The time of an event is the column `time`, or the one named by `as`.
    """

    clock: Clock = field(repr=False)
    window: Window
    rate_per_s: Value | None
    per_s: float
    schedule: Intensity | None = field(repr=False)
    bursts: Value | None
    fading_s: Draw | None
    gap: Draw | None
    time: str
    key = "events"
    options: ClassVar[Options] = {
        "rate": Option("number", "How many on average."),
        "per": Option(_PER, "The unit of time of the rate; else day."),
        "schedule": SCHEDULED,
        "bursts": Option("number", "How many more each brings on average, below 1."),
        "fading": Option("duration", "How long after."),
        "gap": Option("duration", "The time from one to the next."),
        **WINDOW,
        "as": LABEL,
    }

    @classmethod
    def read(cls, node: Node, names: Names, setting: Setting) -> Events:
        said = node.mapping(cls.options)
        if ("rate" in said) == ("gap" in said):
            raise node.error("give either a 'rate' or a 'gap', one of the two.")
        if ("bursts" in said) != ("fading" in said):
            raise node.error("'bursts' and 'fading' belong together. Give both or none.")
        schedule, gap = node.get("schedule"), node.get("gap")
        rate = names.number(node.need("rate"), 0) if "rate" in said else None
        bursts = names.number(node.need("bursts"), 0, 0.99) if "bursts" in said else None
        fading = node.get("fading")
        return cls(
            setting.clock,
            Window.read(node, names),
            rate,
            _per(node),
            None if schedule is None else setting.schedule(schedule),
            bursts,
            None if fading is None else read_draw(fading, names, time=True),
            None if gap is None else read_draw(gap, names, time=True),
            _named(node, "time"),
        )

    @property
    def columns(self) -> Mapping[str, pa.DataType]:
        return {self.time: TIME}

    def grow(self, owners: Rows, name: str, up: str, streams: Streams) -> Rows:
        seen = _seen_from(owners, name, up)
        start, end = self.window.seconds(seen, self.clock, inside=True)
        owner, time_s = self._events(seen, start, end, streams)
        rows = owners.children(name, owner, up)
        rows.columns[self.time] = self.clock.moments(time_s)
        return rows

    def _events(
        self, seen: Rows, start: np.ndarray, end: np.ndarray, streams: Streams
    ) -> tuple[np.ndarray, np.ndarray]:
        if self.gap is not None:
            gap = self.gap
            return processes.renewal(
                lambda index, round: gap.values(seen.part(index), streams.at(round)), start, end
            )
        assert self.rate_per_s is not None
        rate = np.maximum(np.nan_to_num(column(self.rate_per_s, seen)), 0.0) / self.per_s
        if self.bursts is None or self.fading_s is None:
            return processes.poisson(streams, rate, start, end, self.schedule)
        bursts = column(self.bursts, seen)
        fading = self.fading_s.values(seen, streams.at("fading"))
        return processes.hawkes(streams, rate, bursts, fading, start, end, self.schedule)


def _per(node: Node) -> float:
    per = node.get("per")
    if per is None:
        return SECONDS["days"]
    if per.text() not in _PER:
        raise per.error(f"{per.text()!r} was given. Give one of: {', '.join(_PER)}.")
    return SECONDS[per.text() + "s"]


def _named(node: Node, usual: str) -> str:
    said = node.get("as")
    return usual if said is None else said.text()


@dataclass(frozen=True)
class Regular(Way):
    """Rows at even steps of time: `every: {step: 10, in: minutes}`; `jitter` in the same unit.

    With a `schedule` the steps are of its open hours: `{step: 8, in: hours, schedule: shifts}`.
    """

    clock: Clock = field(repr=False)
    window: Window
    step: Draw
    jitter: Draw | None
    schedule: Intensity | None = field(repr=False)
    time: str
    key = "every"
    options: ClassVar[Options] = {
        "step": Option("number", "The time from one to the next."),
        "in": Option(tuple(SECONDS), "Its unit."),
        "jitter": Option("noise", "How much later each is, in the same unit."),
        "schedule": SCHEDULED,
        **WINDOW,
        "as": LABEL,
    }

    @classmethod
    def read(cls, node: Node, names: Names, setting: Setting) -> Regular:
        node.mapping(cls.options)
        unit_s = seconds_of(node.need("in"))
        step = Draw("constant", (("value", names.number(node.need("step"), 1e-9)),))
        step = replace(step, seconds=unit_s)
        jitter, schedule = node.get("jitter"), node.get("schedule")
        drawn = None if jitter is None else read_draw(jitter, names)
        if drawn is not None:
            drawn = replace(drawn, seconds=unit_s)
        return cls(
            setting.clock,
            Window.read(node, names),
            step,
            drawn,
            None if schedule is None else setting.schedule(schedule).opening,
            _named(node, "time"),
        )

    @property
    def columns(self) -> Mapping[str, pa.DataType]:
        return {self.time: TIME}

    def grow(self, owners: Rows, name: str, up: str, streams: Streams) -> Rows:
        seen = _seen_from(owners, name, up)
        start, end = self.window.seconds(seen, self.clock, inside=True)
        if self.schedule is not None:
            start, end = self.schedule.until(start), self.schedule.until(end)
        step = self.step.values(seen, streams)
        count = np.ceil(np.maximum(end - start, 0) / step - 1e-9).astype(np.int64)
        owner = np.repeat(np.arange(owners.count), count)
        rows = owners.children(name, owner, up)
        time_s = start[owner] + (rows.nth - 1) * step[owner]
        if self.schedule is not None:
            time_s = self.schedule.when(time_s)
        if self.jitter is not None:
            time_s = time_s + self.jitter.values(rows, streams.at("jitter"))
        rows.columns[self.time] = self.clock.moments(time_s)
        return rows


@dataclass(frozen=True)
class Recurring(Way):
    """What comes back by the calendar: salaries, rents, subscriptions.

    `recurring: {every: month, day: 25, hour: 9, shift: next, chance: 0.98}`: `shift` moves what
    falls on a weekend or holiday to the `next` or `previous` working day; `chance` lets some be
    left out; `jitter_hours` spreads the hour.
    """

    clock: Clock = field(repr=False)
    window: Window
    every: Any
    day: Value
    month: int
    hour: float
    jitter_hours: float
    shift: Any
    country: str
    chance: Value
    time: str
    key = "recurring"
    options: ClassVar[Options] = {
        "every": Option(_EVERY, "How often."),
        "day": Option("number", "On which day of it; -1 is the last of a month."),
        "month": Option("constant number", "In which month of a year."),
        "hour": Option("constant number", "At which hour."),
        "jitter_hours": Option("constant number", "Over how many hours after it spreads."),
        "shift": Option(_SHIFTS, "To which working day what falls on another is moved."),
        "chance": Option("number", "The share that is not left out."),
        **WINDOW,
        "as": LABEL,
    }

    @classmethod
    def read(cls, node: Node, names: Names, setting: Setting) -> Recurring:
        node.mapping(cls.options)
        every, shift = node.need("every"), node.get("shift")
        for about, known in ((every, _EVERY), (shift, _SHIFTS)):
            if about is not None and about.text() not in known:
                raise about.error(f"{about.text()!r} was given. Give one of: {', '.join(known)}.")
        day, month, chance = node.get("day"), node.get("month"), node.get("chance")
        hour, jitter = node.get("hour"), node.get("jitter_hours")
        return cls(
            setting.clock,
            Window.read(node, names),
            every.text(),
            1 if day is None else names.number(day, -1, 366),
            1 if month is None else int(month.number(1, 12)),
            0.0 if hour is None else hour.number(0, 23.99),
            0.0 if jitter is None else jitter.number(0, 24),
            None if shift is None else shift.text(),
            setting.country,
            1.0 if chance is None else names.number(chance, 0, 1),
            _named(node, "time"),
        )

    @property
    def columns(self) -> Mapping[str, pa.DataType]:
        return {self.time: TIME}

    def grow(self, owners: Rows, name: str, up: str, streams: Streams) -> Rows:
        seen = _seen_from(owners, name, up)
        start, end = self.window.seconds(seen, self.clock, inside=True)
        owner, time_s = recurring(
            self.clock.start,
            start,
            end,
            every=self.every,
            day=column(self.day, seen),
            month=self.month,
            hour=self.hour,
            shift=self.shift,
            holidays=self.country or None,
            jitter_s=3600.0 * self.jitter_hours,
            rng=streams(),
        )
        keep = streams.at("chance")().random(len(owner)) < column(self.chance, seen)[owner]
        rows = owners.children(name, owner[keep], up)
        rows.columns[self.time] = self.clock.moments(time_s[keep])
        return rows
