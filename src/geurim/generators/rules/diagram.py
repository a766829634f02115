"""A world as a diagram in Mermaid, and what any drawing of it shows: boxes, links, states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from geurim.generators.rules.draws import SECONDS, Draw
from geurim.generators.rules.engine import written_schema
from geurim.generators.rules.formulas import Formula
from geurim.generators.rules.kinds import chances
from geurim.generators.rules.plan import Plan
from geurim.generators.rules.states import Hazard, State, States
from geurim.html import esc, percent


@dataclass(frozen=True)
class Line:
    """A column as it is drawn; `mark` is "key", "link", or nothing."""

    name: str
    type: str
    mark: str
    hidden: bool


@dataclass(frozen=True)
class Link:
    """What a column `name` of a table says about another; `way` is "of", "reference" or "part"."""

    table: str
    other: str
    name: str
    way: str


@dataclass(frozen=True)
class Move:
    """A way from one state to another, with its chance where that is a number."""

    start: str
    end: str
    chance: str


def lines(plan: Plan, name: str) -> list[Line]:
    """The columns of a table: those put out in their order, then the hidden ones."""
    table = plan.tables[name]
    hidden = {n: c.type for n, c in table.columns.items() if c.hidden and n not in table.links}
    hidden |= {n: pa.int64() for n in table.links if table.columns[n].hidden}
    found = {f.name: f.type for f in written_schema(plan, name)} | hidden
    own = table.key[0] if table.key else (next(iter(table.columns), "") if table.parts else "")
    links = {link.name for link in links_of(plan, name)}
    return [
        Line(n, _type(t), "key" if n == own else "link" if n in links else "", n in hidden)
        for n, t in found.items()
    ]


def links_of(plan: Plan, name: str) -> list[Link]:
    """What a table belongs to, is made of, or refers to."""
    table = plan.tables[name]
    found = [] if table.parent is None else [Link(name, table.parent, table.up, "of")]
    found += [Link(name, part, "", "part") for part in table.parts]
    return found + [Link(name, other, column, "reference") for column, other in table.links.items()]


def machines(plan: Plan) -> dict[str, States]:
    """The state machines, by the table whose rows are the stays."""
    return {n: t.way for n, t in plan.tables.items() if isinstance(t.way, States)}


def moves(machine: States) -> Iterator[Move]:
    """All ways between states; "" stands for the beginning, and for the end."""
    names = machine.names
    yield from _moves("", names, machine.first, machine.first_weights)
    for name, state in zip(names, machine.states, strict=True):
        if state.next:
            yield from _moves(name, names, state.next, state.weights)
        else:
            yield Move(name, "", "")


def stay(state: State) -> str:
    """How long a state lasts, in a few words: the first of several times counts."""
    return " or ".join(dict.fromkeys(_time(t) for t in state.lasts))


def _time(lasts: Draw | Hazard) -> str:
    if isinstance(lasts, Hazard):
        return "by a rate of age"
    unit = next((u for u, s in SECONDS.items() if s == lasts.seconds), "seconds")
    said = ", ".join(f"{k} {_said(v)}" for k, v in lasts.parameters)
    return f"{lasts.name}: {said} {unit}"


def mermaid(plan: Plan) -> str:
    """Markdown with a diagram of the tables, and one of each table that walks through states."""
    blocks = [f"# {_line(plan.name)}", *([_line(plan.about)] if plan.about else [])]
    blocks.append(_fenced(["erDiagram", *_entities(plan), *_relations(plan)]))
    for name, machine in machines(plan).items():
        blocks += [f"## The states of {name}", _fenced(_walk(machine))]
    return "\n\n".join(blocks) + "\n"


def _entities(plan: Plan) -> Iterator[str]:
    marks = {"key": " PK", "link": " FK"}
    for name, table in plan.tables.items():
        yield f'  "{_plain(name)}"["{_plain(name)}{" (hidden)" if table.hidden else ""}"] {{'
        for line in lines(plan, name):
            note = ' "hidden"' if line.hidden else ""
            yield f"    {line.type} {line.name}{marks.get(line.mark, '')}{note}"
        yield "  }"


def _relations(plan: Plan) -> Iterator[str]:
    signs = {"of": "||--o{", "reference": "|o..o{", "part": "||..o{"}
    for name in plan.tables:
        for link in links_of(plan, name):
            said = link.name or "part of"
            yield f'  "{link.other}" {signs[link.way]} "{link.table}" : "{_plain(said)}"'


def _walk(machine: States) -> Iterator[str]:
    """A state diagram; states have numbers, so that any name will do."""
    yield "stateDiagram-v2"
    yield "  direction LR"
    place = {"": "[*]"} | {n: f"s{i}" for i, n in enumerate(machine.names)}
    for name, state in zip(machine.names, machine.states, strict=True):
        said = stay(state)
        yield f'  state "{_plain(name)}{f" ({_plain(said)})" if said else ""}" as {place[name]}'
    for move in moves(machine):
        chance = f" : {move.chance}" if move.chance else ""
        yield f"  {place[move.start]} --> {place[move.end]}{chance}"


def _moves(
    start: str,
    names: tuple[str, ...],
    places: tuple[int, ...],
    weights: tuple[float | Formula, ...],
) -> Iterator[Move]:
    free = any(isinstance(w, Formula) for w in weights)
    shares = [_said(w) for w in weights] if free else [percent(c) for c in chances(weights)]
    shares = shares or ["if first"] * len(places)  # a race
    for place, share in zip(places, shares, strict=True):
        yield Move(start, names[place], share if len(places) > 1 else "")


def _said(value: object) -> str:
    if isinstance(value, Formula):
        return str(value.expression)
    if isinstance(value, tuple):
        return f"{_said(value[0])} to {_said(value[-1])}" if value else "none"
    return f"{value:g}" if isinstance(value, int | float | np.number) else str(value)


def _type(kind: pa.DataType) -> str:
    """A type in a word."""
    names = {
        pa.types.is_boolean: "flag",
        pa.types.is_integer: "whole",
        pa.types.is_floating: "number",
        pa.types.is_date: "date",
        pa.types.is_timestamp: "time",
    }
    return next((word for holds, word in names.items() if holds(kind)), "text")


_CODES = str.maketrans({c: f"#{ord(c)};" for c in '#"`<>;'})


def _plain(text: str) -> str:
    """Text that cannot leave its quotes, its line or its fence: Mermaid's own codes for signs."""
    return " ".join(text.translate(_CODES).split())


def _line(text: str) -> str:
    """Text as one line of Markdown, without tags."""
    return esc(" ".join(text.split()))


def _fenced(found: Iterator[str] | list[str]) -> str:
    return "\n".join(["```mermaid", *found, "```"])
