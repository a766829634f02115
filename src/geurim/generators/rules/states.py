"""A state machine for each owner: how long it stays in a state, and where it goes from there.

    of: patients
    states:
      from: patients.born
      first: healthy                          # or {healthy: 0.9, ill: 0.1}
      healthy: {lasts: {draw: exponential, mean: 40, in: years}, next: ill}
      ill: {lasts: {draw: gamma, mean: 2, shape: 3, in: weeks}, next: {healthy: 0.98, dead: 0.02}}
      dead: {}                                # nothing follows

Each stay is a row with `state`, `entered` and `left`; `left` is missing where the period ends
first. Formulas see the owner, `state` and `entered`. `keep: [ill]` leaves out the other states.
`well: {race: {ill: {draw: …}, dead: {hazard: …}}}` leads where the first of several would.
With a `schedule` time passes only while that is open: a machine wears in the hours of its shifts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from geurim.generators.rules import processes
from geurim.generators.rules.calendars import Intensity
from geurim.generators.rules.clock import Clock
from geurim.generators.rules.draws import SECONDS, Draw, read_draw
from geurim.generators.rules.formulas import Names, Value, column
from geurim.generators.rules.kinds import check_sum, pick
from geurim.generators.rules.options import SCHEDULED, WINDOW, Option, Options
from geurim.generators.rules.rows import Rows
from geurim.generators.rules.streams import Streams
from geurim.generators.rules.ways import TIME, Setting, Way, Window
from geurim.nodes import Node, shown

_MOST = 100_000  # stays of one owner: beyond that a dwell time is next to nothing


STATE: Options = {
    "lasts": Option("lasts", "How long: a distribution and its unit, or a hazard by age."),
    "next": Option("next", "The state that follows, or several with their shares."),
    "race": Option("race", "The states that may follow, each after its own time: the first wins."),
}
HAZARD: Options = {
    "hazard": Option("factors", "Rates per year, from these ages on: {0: 0.001, 50: 0.01}."),
    "age": Option("number", "The age in years at the beginning."),
    "times": Option("number", "What multiplies the rates."),
}


@dataclass(frozen=True)
class Hazard:
    """Time until something that comes at a rate by age, a step function: `{0: 0.001, 50: 0.01}`.

    Rates are per year; `age` is the age in years when the wait begins; `times` multiplies them.
    """

    ages: tuple[float, ...]
    rates: tuple[float, ...]
    age: Value
    times: Value

    def values(self, rows: Rows, streams: Streams) -> np.ndarray:
        """Seconds (N,), infinite where it never comes."""
        age = np.maximum(np.nan_to_num(column(self.age, rows)), self.ages[0])
        times = np.maximum(np.nan_to_num(column(self.times, rows)), 0.0)
        wait = streams().standard_exponential(rows.count)
        ages, rates = np.array(self.ages), np.array(self.rates)
        reached = np.concatenate([[0.0], np.cumsum(rates[:-1] * np.diff(ages))])
        place = np.searchsorted(ages, age, "right") - 1
        start = reached[place] + rates[place] * (age - ages[place])
        with np.errstate(divide="ignore", invalid="ignore"):
            goal = start + wait / times
            last = np.minimum(np.searchsorted(reached, goal, "right") - 1, len(ages) - 1)
            found = ages[last] + (goal - reached[last]) / rates[last]
        found = np.where(np.isfinite(goal), found, np.inf)
        return np.asarray(np.where(np.isnan(found), np.inf, found - age) * SECONDS["years"])


@dataclass(frozen=True)
class State:
    """One state: how long it lasts and where it leads, by weights.

    With as many times in `lasts` as there are states in `next` they race, and the first one wins;
    none at all: it lasts for ever.
    """

    lasts: tuple[Draw | Hazard, ...] = ()
    next: tuple[int, ...] = ()
    weights: tuple[Value, ...] = ()  # none in a race


@dataclass(frozen=True)
class States(Way):
    """A walk through states for each owner; a row a stay."""

    clock: Clock = field(repr=False)
    window: Window
    names: tuple[str, ...]
    first: tuple[int, ...]
    first_weights: tuple[Value, ...]
    states: tuple[State, ...]
    keep: tuple[str, ...]
    schedule: Intensity | None = field(repr=False)
    key = "states"
    shape = "states"
    options: ClassVar[Options] = {
        **WINDOW,
        "first": Option("next", "The state it begins in, or several with their shares."),
        "keep": Option("names", "The states that are put out; else all."),
        "schedule": SCHEDULED,
    }

    @classmethod
    def read(cls, node: Node, names: Names, setting: Setting) -> States:
        known = [k for k in node.mapping() if k not in cls.options]
        if not known:
            raise node.error("there is no state. Write them: healthy: {lasts: …, next: …}.")
        inner = names.also({"state": pa.string(), "entered": TIME})
        first, first_weights = _next(node.need("first"), known, names)
        stays = [
            node.at(s, {} if v is None else v) for s, v in node.mapping().items() if s in known
        ]
        states = tuple(_state(n, known, inner) for n in stays)
        _reached(node, known, first, states)
        keep, schedule = node.get("keep"), node.get("schedule")
        kept = known if keep is None else list(keep.texts())
        for state in kept:
            _place(keep or node, state, known)
        window = Window.read(node, names)
        return cls(
            setting.clock,
            window,
            tuple(known),
            first,
            first_weights,
            states,
            tuple(kept),
            None if schedule is None else setting.schedule(schedule).opening,
        )

    @property
    def columns(self) -> Mapping[str, pa.DataType]:
        return {"state": pa.string(), "entered": TIME, "left": TIME}

    def grow(self, owners: Rows, name: str, up: str, streams: Streams) -> Rows:
        seen = owners.children(name, np.arange(owners.count), up)
        start, end = self.window.seconds(seen, self.clock, inside=False)
        if self.schedule is not None:  # all below counts open seconds
            start, end = self.schedule.until(start), self.schedule.until(end)
        first = np.array(self.first)[pick(self.first_weights, seen, streams.at("first"))]

        winner = np.zeros(owners.count, np.int64)  # of the race that each owner was in last

        def view(state: int, index: np.ndarray, time_s: np.ndarray) -> Rows:
            rows = owners.children(name, index, up)
            rows.columns["state"] = pa.repeat(self.names[state], len(index))
            rows.columns["entered"] = self._moments(time_s)
            return rows

        def dwell(state: int, index: np.ndarray, time_s: np.ndarray, round: int) -> np.ndarray:
            rows, mine = view(state, index, time_s), streams.at("lasts", state, round)
            lasts = self.states[state].lasts
            found = [lasts[0].values(rows, mine)]
            found += [t.values(rows, mine.at(i)) for i, t in enumerate(lasts[1:], 1)]
            winner[index] = np.argmin(found, axis=0)
            return np.asarray(np.maximum(np.min(found, axis=0), self.clock.step_s))

        def move(state: int, index: np.ndarray, time_s: np.ndarray, round: int) -> np.ndarray:
            there = self.states[state]
            if not there.weights:
                return np.asarray(np.array(there.next)[winner[index]])
            rows = view(state, index, time_s)
            codes = pick(there.weights, rows, streams.at("next", state, round))
            found: np.ndarray = np.array(there.next)[codes]
            return found

        ends = [i for i, s in enumerate(self.states) if not s.next]
        owner, state, entered, left, cut = processes.walk(
            first, start, end, dwell, move, ends, _MOST
        )
        kept = np.isin(state, [self.names.index(k) for k in self.keep])
        rows = owners.children(name, owner[kept], up)
        codes = pa.array(state[kept].astype(np.int32))
        rows.columns["state"] = pa.DictionaryArray.from_arrays(codes, pa.array(self.names))
        rows.columns["entered"] = self._moments(entered[kept])
        rows.columns["left"] = self._moments(np.where(cut[kept], np.nan, left[kept]))
        return rows

    def _moments(self, time_s: np.ndarray) -> pa.Array:
        return self.clock.moments(time_s if self.schedule is None else self.schedule.when(time_s))


def _state(node: Node, known: list[str], names: Names) -> State:
    said = node.mapping(STATE)
    if not said:
        return State()
    if "race" in said:
        node.mapping(["race"])
        runners = node.need("race").items()
        if not node.need("race").mapping():
            raise node.error("nobody races. Write the states with their times: {ill: {draw: …}}.")
        found = [(_place(n, s, known), _lasts(n, names)) for s, n in runners]
        return State(tuple(t for _, t in found), tuple(s for s, _ in found))
    node.need("lasts"), node.need("next")
    following, weights = _next(node.need("next"), known, names)
    return State((_lasts(node.need("lasts"), names),), following, weights)


def _lasts(node: Node, names: Names) -> Draw | Hazard:
    if not isinstance(node.value, dict) or "hazard" not in node.value:
        return read_draw(node, names, time=True)
    node.mapping(HAZARD)
    about = node.need("hazard")
    steps: Any = about.value
    if not isinstance(steps, dict) or not steps:
        raise about.error(f"{shown(steps)} was given. Give rates per year by age: {{0: 0.01}}.")
    ages = list(steps)
    if any(isinstance(a, bool) or not isinstance(a, int | float) for a in ages) or any(
        b <= a for a, b in pairwise(ages)
    ):
        raise about.error(f"the ages {ages} do not rise. Give numbers, the lowest first.")
    rates = [about.at(str(a), r).number(0) for a, r in steps.items()]
    times = node.get("times")
    return Hazard(
        tuple(map(float, ages)),
        tuple(map(float, rates)),
        names.number(node.need("age")),
        1.0 if times is None else names.number(times),
    )


def _next(node: Node, known: list[str], names: Names) -> tuple[tuple[int, ...], tuple[Value, ...]]:
    """States that may follow, by their places, and their weights."""
    if isinstance(node.value, str):
        return (_place(node, node.text(), known),), (1,)
    found = [(_place(n, s, known), names.number(n, 0)) for s, n in node.items()]
    check_sum(node, [w for _, w in found])
    return tuple(s for s, _ in found), tuple(w for _, w in found)


def _place(node: Node, state: str, known: list[str]) -> int:
    if state not in known:
        raise node.error(f"there is no state {state!r}. The states are: {', '.join(known)}.")
    return known.index(state)


def _reached(
    node: Node, known: list[str], first: tuple[int, ...], states: tuple[State, ...]
) -> None:
    """Refuse a state that nothing leads to."""
    met, ahead = set(first), list(first)
    while ahead:
        for state in states[ahead.pop()].next:
            if state not in met:
                met.add(state)
                ahead.append(state)
    for i, name in enumerate(known):
        if i not in met:
            raise node.at(name, None).error(
                f"the state {name!r} is never reached from "
                f"{' or '.join(known[f] for f in first)}. Lead to it by 'next', or remove it."
            )
