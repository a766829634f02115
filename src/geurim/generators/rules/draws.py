"""A distribution as a world states it: parameters that are numbers or formulas, bounds, rounding.

{draw: lognormal, median: 20000 + 300 * age, sigma: 0.5, low: 0, round: -2}
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from geurim.generators.rules.distributions import DISTRIBUTIONS, drawn, problems
from geurim.generators.rules.formulas import Formula, Names, Value, numbers
from geurim.generators.rules.options import Option, Options
from geurim.generators.rules.rows import Rows
from geurim.generators.rules.streams import Streams
from geurim.nodes import Node

SECONDS = {
    "seconds": 1.0,
    "minutes": 60.0,
    "hours": 3600.0,
    "days": 86_400.0,
    "weeks": 7 * 86_400.0,
    "months": 365.25 / 12 * 86_400.0,
    "years": 365.25 * 86_400.0,
}
"""Seconds in a unit of time; months and years are average ones."""

OPTIONS: Options = {
    "low": Option("number", "The least value: what falls below is drawn again."),
    "high": Option("number", "The greatest value: what falls above is drawn again."),
    "round": Option("digits", "Digits after the point; 0 makes whole numbers, -2 hundreds."),
    "in": Option(tuple(SECONDS), "The unit of time, where it is a duration."),
}
"""What may stand beside the parameters of a distribution."""


@dataclass(frozen=True)
class Draw:
    """A distribution over numbers; with `seconds` per unit, over durations in seconds."""

    name: str
    parameters: tuple[tuple[str, Any], ...]
    low: Value | None = None
    high: Value | None = None
    digits: int | None = None
    seconds: float | None = None

    @property
    def whole(self) -> bool:
        """Whether all values are whole numbers."""
        rounded = self.digits is not None and self.digits <= 0
        return self.seconds is None and (rounded or DISTRIBUTIONS[self.name].whole)

    def values(self, rows: Rows, streams: Streams) -> np.ndarray:
        """One value a row (N,): int64 where whole, else float64."""
        given = {k: numbers(v, rows) for k, v in self.parameters}
        low, high = (None if v is None else numbers(v, rows) for v in (self.low, self.high))
        found = drawn(self.name, streams, rows.count, given, low, high)
        if self.digits is not None:
            found = np.round(found, self.digits)
        if self.seconds is not None:
            return np.asarray(found * self.seconds)
        return found.astype(np.int64) if self.whole else np.asarray(found, np.float64)


def read_draw(node: Node, names: Names, others: Sequence[str] = (), *, time: bool = False) -> Draw:
    """The distribution at a node; a plain number is itself, a formula its value.

    `others`: keys that stand beside it and are read elsewhere. `time`: durations, whose unit `in`
    is then needed.
    """
    if not isinstance(node.value, dict):
        return Draw("constant", (("value", names.number(node)),), seconds=1.0 if time else None)
    known = node.mapping()
    if "draw" not in known:
        raise node.error("'draw' is missing: the name of a distribution. Add it.")
    name = node.need("draw").text()
    if name not in DISTRIBUTIONS:
        near = difflib.get_close_matches(name, DISTRIBUTIONS, 2) or list(DISTRIBUTIONS)
        raise node.need("draw").error(
            f"there is no distribution {name!r}. Did you mean {' or '.join(map(repr, near))}?"
        )
    parameters = DISTRIBUTIONS[name].parameters
    node.mapping(list(dict.fromkeys(["draw", *parameters, *OPTIONS, *others])))
    given = {k: _parameter(node.at(k, known[k]), names) for k in parameters if k in known}
    bounds = {
        k: names.number(node.at(k, known[k]))
        for k in ("low", "high")
        if k in known and k not in parameters
    }
    _check(node, name, given)
    seconds = None
    if time or "in" in known:
        seconds = seconds_of(node.need("in"))
    digits = int(node.need("round").number(-12, 12)) if "round" in known else None
    return Draw(name, tuple(given.items()), **bounds, digits=digits, seconds=seconds)


def _parameter(node: Node, names: Names) -> Any:
    if isinstance(node.value, list):
        return tuple(n.number() for n in node.list())
    return names.number(node)


def _check(node: Node, name: str, given: dict[str, Any]) -> None:
    """Refuse what is wrong whatever the rows: a missing parameter, a number out of range."""
    known = {k: None if isinstance(v, Formula) else v for k, v in given.items()}
    for parameter, text in problems(name, known):
        raise (node.at(parameter, None) if parameter in given else node).error(text)


def seconds_of(node: Node) -> float:
    """Seconds in the unit of time at a node."""
    if node.text() not in SECONDS:
        raise node.error(f"{node.text()!r} was given. Give one of: {', '.join(SECONDS)}.")
    return SECONDS[node.text()]
