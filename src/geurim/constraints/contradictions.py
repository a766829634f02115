"""Conditions that no row can meet, found before anything is drawn, with the reason.

Bounds are those of the profile, within which every generator stays. What is decided is certain:
where the reasoning here does not reach, a condition counts as possible, and drawing will tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa

from geurim.columns import is_ordered
from geurim.constraints.kinds import Constraint, Determines, Rule, Unique
from geurim.contract import Profile
from geurim.errors import SettingError
from geurim.expressions import (
    Column,
    Comparison,
    Expression,
    In,
    IsNull,
    Junction,
    Literal,
    Not,
)
from geurim.expressions.interval import Interval, Intervals
from geurim.expressions.kinds import kind_of
from geurim.expressions.ranges import on_axis, range_of

_TURNS = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "=": "<>", "<>": "="}
_SWAPS = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "<>": "<>"}
_ROUNDS = 4
_BRANCHES = 64  # alternatives looked at


def domains(profile: Profile, free: Iterable[str] = ()) -> dict[str, Interval]:
    """What the columns of a profile may hold; those of `free` (given from outside) anything."""
    found = {}
    for name, facts in profile.columns.items():
        missing = facts["missing"] > 0
        if name in free:
            continue
        if facts["role"] in ("number", "datetime"):
            found[name] = Interval(float(facts["min"]), float(facts["max"]), missing=missing)
        elif facts["role"] in ("category", "constant") and not facts["pooled"]["count"]:
            values = frozenset(v for v, _ in facts["categories"])
            found[name] = Interval(values=values, missing=missing)
    return found


def impossible(conditions: Iterable[Expression], known: Intervals) -> str | None:
    """Why no row can meet all conditions at once; None where one may. Never a false alarm."""
    parts = tuple(_positive(c) for c in conditions)
    reason = None
    for count, branch in enumerate(_branches(parts)):
        if count >= _BRANCHES:
            return None
        reason = _conflict(branch, known)
        if reason is None:
            return None
    return reason


def check(asked: Iterable[Constraint], profile: Profile) -> None:
    """Raise SettingError where constraints cannot hold together."""
    asked = tuple(asked)
    rules = [c for c in asked if isinstance(c, Rule)]
    reason = impossible([r.condition for r in rules], domains(profile))
    if reason:
        raise SettingError(
            f"The constraints {', '.join(repr(str(r)) for r in rules)} contradict each other or "
            f"the data: {reason}. Correct or leave out one of them."
        )
    for c in asked:
        for name in c.columns:
            role = profile.columns[name]["role"]
            key = role == "key" and isinstance(c, Unique)
            if role in ("key", "personal", "text") and not key:
                raise SettingError(
                    f"The constraint {str(c)!r} names {name!r}, which is of role {role!r} and made "
                    "anew, not learned. Leave it out, or declare the column a category in a schema "
                    "file."
                )
        if isinstance(c, Determines) and profile.columns[c.column]["role"] == "empty":
            raise SettingError(f"The constraint {str(c)!r} gives a column without values.")


def room(columns: Iterable[str], profile: Profile) -> float:
    """How many combinations of these columns there can be, at most."""
    total = 1.0
    for name in columns:
        facts = profile.columns[name]
        if facts["role"] in ("category", "constant"):
            total *= len(facts["categories"]) + facts["pooled"]["count"] + (facts["missing"] > 0)
        elif facts["role"] == "number" and facts["integer"]:
            total *= facts["max"] - facts["min"] + 1 + (facts["missing"] > 0)
        else:
            return np.inf
    return total


def _positive(found: Expression, turned: bool = False) -> Expression:
    """The condition with `not` pushed down to where it ends."""
    if isinstance(found, Not):
        return _positive(found.operand, not turned)
    if isinstance(found, Junction):
        word = found.operator if not turned else {"and": "or", "or": "and"}[found.operator]
        return Junction(word, tuple(_positive(p, turned) for p in found.parts))
    if not turned:
        return found
    if isinstance(found, Comparison):
        return replace(found, operator=_TURNS[found.operator])
    if isinstance(found, IsNull):
        return replace(found, negated=not found.negated)
    return Not(found)


def _branches(parts: tuple[Expression, ...]) -> Iterator[list[Expression]]:
    """The ways to meet all of `parts`: in each, a list of plain conditions."""
    if not parts:
        yield []
        return
    first, rest = parts[0], parts[1:]
    if isinstance(first, Junction) and first.operator == "and":
        yield from _branches((*first.parts, *rest))
    elif isinstance(first, Junction):
        for part in first.parts:
            yield from _branches((part, *rest))
    else:
        for branch in _branches(rest):
            yield [first, *branch]


def _conflict(branch: list[Expression], known: Intervals) -> str | None:
    circle = _circle(branch)
    if circle:
        return circle
    state = dict(known)
    for _ in range(_ROUNDS):
        for part in branch:
            reason = _narrow(part, state, known)
            if reason:
                return reason
    return None


def _circle(branch: list[Expression]) -> str | None:
    """An order that leads back to its own start with a strict step, such as a < b and b < a."""
    edges: dict[str, dict[str, tuple[bool, Comparison]]] = {}
    for part in branch:
        if not isinstance(part, Comparison) or part.operator == "<>":
            continue
        left, right = str(part.left), str(part.right)
        for low, high, sign in ((left, right, part.operator), (right, left, _SWAPS[part.operator])):
            if sign[0] in "<=":
                strict = sign == "<"
                old = edges.setdefault(low, {}).get(high)
                if old is None or (strict and not old[0]):
                    edges[low][high] = (strict, part)
    for start in edges:
        met: dict[tuple[str, bool], tuple[Comparison, ...]] = {}
        open_ends: list[tuple[str, bool, tuple[Comparison, ...]]] = [(start, False, ())]
        while open_ends:
            at, strict, path = open_ends.pop()
            for name, (step, part) in edges.get(at, {}).items():
                key = (name, strict or step)
                if name == start and key[1]:
                    steps = dict.fromkeys(str(p) for p in (*path, part))
                    return f"{' and '.join(steps)} cannot hold at once"
                if key not in met:
                    met[key] = (*path, part)
                    open_ends.append((name, key[1], met[key]))
    return None


def _narrow(part: Expression, state: dict[str, Interval], known: Intervals) -> str | None:
    """Cut the domains to those in which `part` can be true; the reason where one is empty."""
    if isinstance(part, IsNull) and isinstance(part.operand, Column):
        domain = state.get(part.operand.name)
        if domain and not part.negated and not domain.missing:
            return f"{part.operand} never misses a value"
        return None
    if isinstance(part, In) and isinstance(part.operand, Column):
        return _within(part.operand, list(part.values), part, state)
    if isinstance(part, Comparison):
        left, right = part.left, part.right
        if part.operator == "=" and isinstance(left, Column) and isinstance(right, Literal):
            return _within(left, [right], part, state)
        _bound(left, part.operator, right, state)
        _bound(right, _SWAPS[part.operator], left, state)
    possible = range_of(part, state).values
    if possible is not None and True not in possible:
        return f"{part} can never be true, for {_ranges(part, known)}"
    return None


def _within(
    column: Column, values: list[Literal], part: Expression, state: dict[str, Interval]
) -> str | None:
    domain = state.get(column.name, Interval())
    if is_ordered(column.type):
        axis = [on_axis(v.value, column.type) for v in values]
        left = [v for v in axis if v is not None and domain.low <= v <= domain.high]
        if not left:
            return f"{part} is outside {_said(column, domain)}"
        state[column.name] = replace(domain, low=min(left), high=max(left))
        return None
    asked = frozenset(v.value for v in values)
    left_values = asked if domain.values is None else asked & domain.values
    if not left_values:
        return f"{part}, but {_said(column, domain)}"
    state[column.name] = replace(domain, values=left_values)
    return None


def _bound(left: Expression, sign: str, right: Expression, state: dict[str, Interval]) -> None:
    """Cut the interval of a column `left` to where `left sign right` can be true."""
    if sign == "<>" or not isinstance(left, Column):
        return
    if not is_ordered(left.type) or kind_of(left.type) != kind_of(right.type):
        return
    one, other = state.get(left.name, Interval()), range_of(right, state)
    low = max(one.low, other.low) if sign[0] in ">=" else one.low
    high = min(one.high, other.high) if sign[0] in "<=" else one.high
    state[left.name] = replace(one, low=low, high=high)


def _ranges(part: Expression, known: Intervals) -> str:
    said = [_said(Column(n, pa.float64()), known[n]) for n in sorted(part.columns) if n in known]
    return " and ".join(said) or "of what else is asked"


def _said(column: Column, domain: Interval) -> str:
    if domain.values is not None:
        shown = sorted(map(str, domain.values))[:10]
        return f"{column} holds only {', '.join(map(repr, shown))}"
    return f"{column} goes from {domain.low:g} to {domain.high:g}"
