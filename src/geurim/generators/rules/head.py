"""The head of a world: its time, its language, its parameters and schedules."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from geurim.contract import Json
from geurim.errors import GeurimError, MissingExtra
from geurim.generators.rules.calendars import Intensity, intensity
from geurim.generators.rules.clock import Clock, moment
from geurim.generators.rules.formulas import Names
from geurim.generators.rules.kinds import pairs
from geurim.generators.rules.options import PARAMETER, SCHEDULE, STEPS
from geurim.generators.rules.problems import Problems
from geurim.generators.rules.rows import Rows
from geurim.generators.rules.ways import Setting
from geurim.nodes import Node, shown

_USUAL = Clock(dt.datetime(2025, 1, 1), dt.datetime(2026, 1, 1))


@dataclass(frozen=True)
class Head:
    """What is said at the top of a world."""

    name: str = "world"
    about: str = ""
    locale: str = "en_US"
    constants: Mapping[str, Json] = field(default_factory=dict)
    setting: Setting = field(default_factory=lambda: Setting(_USUAL, {}))


def read_head(node: Node, given: Mapping[str, Json], problems: Problems) -> Head:
    """The head at the root of a world, with other values for its parameters."""
    constants: dict[str, Json] = {}
    with problems.noting():
        constants = _parameters(node, given, problems)
    found: dict[str, str] = {}
    for key in ("world", "about", "locale", "calendar"):
        with problems.noting():
            about = node.get(key)
            found |= {} if about is None else {key: _put(about, constants).text()}
    clock = _USUAL
    with problems.noting():
        clock = _clock(node, constants)
    country = found.get("calendar", "")
    schedules = {}
    with problems.noting():
        for name, at in node.entries("schedules"):
            with problems.noting():
                schedules[name] = _schedule(at, clock, country)
    return Head(
        name=found.get("world", "world"),
        about=found.get("about", ""),
        locale=found.get("locale", "en_US"),
        constants=constants,
        setting=Setting(clock, schedules, country),
    )


def _put(node: Node, constants: Mapping[str, Json]) -> Node:
    """A node of the head; where it names a parameter, that one's value."""
    known = isinstance(node.value, str) and node.value in constants
    return replace(node, value=constants[node.value]) if known else node


def _clock(node: Node, constants: Mapping[str, Json]) -> Clock:
    period, step = node.get("period"), node.get("step")
    start, end = _USUAL.start, _USUAL.end
    if period is not None:
        ends = [_put(n, constants) for n in period.list()]
        if len(ends) != 2 or not all(isinstance(n.value, dt.date) for n in ends):
            raise period.error(
                f"{shown(period.value)} was given. Give two dates: [2025-01-01, 2026-01-01]."
            )
        start, end = (moment(n.value) for n in ends)
        if end <= start:
            raise period.error(f"it ends ({end}) before it starts ({start}). Turn them round.")
    if step is not None and step.value not in STEPS:
        raise step.error(f"{shown(step.value)} was given. Give one of: {', '.join(STEPS)}.")
    return Clock(start, end, 1.0 if step is None else STEPS[step.value])


def _parameters(node: Node, given: Mapping[str, Json], problems: Problems) -> dict[str, Json]:
    """The values of the parameters: those given, else the world's own."""
    found: dict[str, Json] = {}
    for name, at in node.entries("parameters"):
        with problems.noting():
            found[name] = _parameter(name, at, given, found)
    for name in given:
        known = [k for k, _ in node.entries("parameters")]
        if name not in known:
            near = difflib.get_close_matches(name, known, 2) or known
            advice = f"Did you mean {' or '.join(map(repr, near))}?" if near else "It has none."
            problems.found.append(f"the world has no parameter {name!r}. {advice}")
    return found


def _usual(node: Node, above: Mapping[str, Json]) -> Node:
    """What a parameter is where nothing else is given: a value, or a formula of those above it."""
    formula = node.get("formula")
    if node.get("value") is not None or formula is None:
        return node.need("value")
    found = Names(lambda n: None, above, lambda: list(above), lambda n: None).value(formula)
    return replace(formula, value=found.values(Rows("", 1))[0].as_py())


def _parameter(name: str, node: Node, given: Mapping[str, Json], above: Mapping[str, Json]) -> Json:
    bare = not isinstance(node.value, Mapping)
    if not bare:
        node.mapping(PARAMETER)
    usual = node if bare else _usual(node, above)
    value = given.get(name, usual.value)
    if isinstance(value, list | dict) or value is None:
        raise usual.error(f"{shown(value)} was given. Give a number, a text or a date.")
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(usual.value, int | float) and not numeric:
        raise usual.error(f"{shown(value)} was given for {name!r}. Give a number.")
    if not bare and numeric:
        low, high = node.get("low"), node.get("high")
        Node(value, usual.path, usual.file, usual.places).number(
            None if low is None else low.number(), None if high is None else high.number()
        )
    return value


def _schedule(node: Node, clock: Clock, country: str) -> Intensity:
    node.mapping(SCHEDULE)
    hours, growth, holidays = node.get("hours"), node.get("growth"), node.get("holidays")
    said: dict[str, Any] = {}
    for key in ("weekdays", "months"):
        if node.get(key) is not None:
            said[key] = [n.number(0) for n in node.listed(key)]
    if hours is not None:
        said["hours"] = hours.text() if isinstance(hours.value, str) else _weights(hours)
    if node.get("monthdays") is not None:
        said["monthdays"] = {_day(at, d): at.number(0) for d, at in pairs(node.need("monthdays"))}
    if growth is not None:
        said["growth"] = growth.number(0)
    if holidays is not None:
        said |= {"holidays": country or None, "holiday_factor": holidays.number(0)}
    try:
        return intensity(clock.start, clock.end, **said)
    except MissingExtra:
        raise
    except GeurimError as error:
        raise node.error(str(error)) from error


def _weights(node: Node) -> list[Any]:
    """24 weights, or a row of them for each day of the week."""
    return [_weights(n) if isinstance(n.value, list) else n.number(0) for n in node.list()]


def _day(node: Node, day: Any) -> int:
    if isinstance(day, bool) or not isinstance(day, int):
        raise node.error(f"{day!r} is no day of the month. Give 1 to 31, or -1 for the last.")
    return day
