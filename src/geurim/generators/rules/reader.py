"""A world read: its tables and the steps that make them. What is wrong is told all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from geurim.contract import Json
from geurim.generators.rules.anomalies import Anomaly
from geurim.generators.rules.formulas import Names, Value, needs
from geurim.generators.rules.growth import WAYS
from geurim.generators.rules.head import read_head
from geurim.generators.rules.keys import Key
from geurim.generators.rules.lags import Held, Settle
from geurim.generators.rules.linked import Before, Running, Smooth
from geurim.generators.rules.options import MORE, TABLE, WORLD
from geurim.generators.rules.plan import KEPT, WRITTEN, Part, Plan, Step, Table, ordered
from geurim.generators.rules.problems import Problems
from geurim.generators.rules.rare import EdgeCase
from geurim.generators.rules.sense import Possible
from geurim.generators.rules.sheet import NAME, Sheet
from geurim.nodes import Node

Change = Callable[[Mapping[str, Table]], Mapping[str, Table]]


def read_plan(
    node: Node,
    given: Mapping[str, Json],
    folder: Path | None = None,
    change: Change | None = None,
) -> Plan:
    """The plan of the world at a node, with other values for its parameters.

    `change` may put other columns in place of those that were read. Raises SettingError with all
    that is wrong, each with its place.
    """
    problems = Problems()
    with problems.noting():
        node.mapping([*WORLD, "tables"])
    problems.tell()
    head = read_head(node, given, problems)
    sheet = Sheet(head, _outlines(node, problems), folder, problems)
    reader = _Reader(sheet)
    tables = {n: reader.table(n) for n in sheet.tables}
    for table in tables.values():
        with problems.noting():
            _check_left_out(table, list(tables.values()), sheet)
    problems.tell()
    tables = dict(change(tables)) if change is not None else tables
    steps: list[Step] = []
    for table in tables.values():
        with problems.noting():
            steps += reader.steps(table)
    problems.tell()
    plan = Plan(
        name=head.name,
        about=head.about,
        clock=head.setting.clock,
        tables=tables,
        steps=ordered(steps),
    )
    plan.references()
    return plan


def _outlines(node: Node, problems: Problems) -> dict[str, Node]:
    """The tables by name, whose keys are known ones."""
    found: dict[str, Node] = {}
    with problems.noting():
        for name, at in node.need("tables").items():
            with problems.noting():
                if not NAME.fullmatch(name):
                    raise at.error(f"{name!r} cannot be the name of a table: use letters and _.")
                at.mapping([*TABLE, *WAYS, *MORE])
                found[name] = at
        if not found and not problems.found:
            raise node.error("there is no table. Add one under 'tables'.")
    return found


def _check_left_out(table: Table, tables: list[Table], sheet: Sheet) -> None:
    """Refuse `where` for a table that others refer to: what they name might not be there."""
    others = [
        t.name
        for t in tables
        if t.parent == table.name
        or any(other == table.name and not t.columns[n].hidden for n, other in t.links.items())
    ]
    if table.where is not None and others:
        raise (
            sheet.tables[table.name]
            .need("where")
            .error(
                f"{', '.join(map(repr, others))} would name rows of {table.name!r} that are left "
                "out. Give 'where' to a table that no other refers to."
            )
        )


class _Reader:
    """Tables and steps of a sheet."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self.possible = Possible(sheet)

    def table(self, name: str) -> Table:
        node = self.sheet.tables[name]
        columns = {}
        for column in self.sheet.own(name):
            with self.sheet.problems.noting():
                columns[column] = self.sheet.column(name, column)
        table = Table(name=name)
        with self.sheet.problems.noting():
            rest = self._rest(name, node)
            table = Table(name=name, columns=columns, **rest)
        return table

    def _rest(self, name: str, node: Node) -> dict[str, Any]:
        parent = self.sheet.parent(name)
        about, hide, block = node.get("about"), node.get("hide"), node.get("block")
        union, sort, where = node.get("union"), node.get("sort"), node.get("where")
        parts = tuple(self.sheet.table(n) for n in union.list()) if union is not None else ()
        self._check_shape(name, node, parent, parts)
        scope = self.sheet.scope(name)
        conditions = [(n, scope.condition(n)) for n in node.listed("constraints")]
        self.possible.check(name, conditions)
        anomalies = [Anomaly.read(n, scope) for n in node.listed("anomalies")]
        edges = [EdgeCase.read(n, scope) for n in node.listed("edge_cases")]
        found = {
            "about": "" if about is None else about.text(),
            "hidden": hide is not None and hide.flag(),
            "parent": parent,
            "up": self.sheet.up(name) if parent else "",
            "way": self.sheet.way(name),
            "rows": self._rows(name, node),
            "fixed": self.sheet.fixed_rows(name),
            "parts": parts,
            "sort": () if sort is None else sort.texts(),
            "block": None if block is None else block.count(1),
            "constraints": tuple(c for _, c in conditions),
            "where": None if where is None else scope.condition(where),
            "anomalies": tuple(anomalies),
            "edges": tuple(edges),
        }
        if sort is not None and not parts:
            for column in found["sort"]:
                if column not in self.sheet.columns_of(name):
                    raise sort.error(f"{name!r} has no column {column!r} to sort by.")
        return found

    def _check_shape(
        self, name: str, node: Node, parent: str | None, parts: tuple[str, ...]
    ) -> None:
        ways = [k for k in WAYS if k in node.mapping()]
        if parts:
            if parent or ways or node.get("rows"):
                raise node.error("a union has the rows of its parts. Leave out what makes rows.")
            for key, at in node.entries("columns"):
                if not isinstance(self.sheet.column(name, key).kind, Key):
                    raise at.error("only a key can be added to a union. Give its parts the column.")
        elif parent and len(ways) != 1:
            raise node.error(
                f"{len(ways) or 'nothing'} says how many rows an owner has. Give one of: "
                f"{', '.join(WAYS)}."
            )
        elif not parent and ways:
            raise node.at(ways[0], None).error(
                f"{ways[0]!r} makes rows for an owner, and this table has none. Say whose rows "
                "they are ('of: TABLE'), or how many there are ('rows: 100')."
            )

    def _rows(self, name: str, node: Node) -> Value | None:
        about = node.get("rows")
        if about is None:
            return None
        roots = {n: pa.int64() for n, at in self.sheet.tables.items() if at.get("of") is None}
        names = Names(
            lambda n: roots.get(n) if n != name else None,
            self.sheet.head.constants,
            lambda: list(roots),
            lambda n: None,
        )
        return names.number(about, 0)

    def steps(self, table: Table) -> list[Step]:
        """What is to be made of a table."""
        if table.parts:
            return []
        own = table.parent
        before = self.sheet.parts(table.name, needs(table.way)) if table.way else ([], [])
        above = [(own, "")] if own else []
        beside = self._wanted(table.way.wants) if table.way else ([], [])
        rows = Step(
            table=table.name,
            column="",
            needs=frozenset([*above, *before[0], *beside[0]]) - {(table.name, "")},
            whole=frozenset([*before[1], *beside[1]]),
        )
        steps = {n: self._step(table, n) for n in table.columns}
        kept = self._kept(table, steps)
        if kept:
            together = [steps.pop(n) for n in kept]
            inner = {(table.name, n) for n in kept}
            conditions = self.sheet.parts(table.name, needs(table.constraints))
            steps[KEPT] = Step(
                table=table.name,
                column=KEPT,
                columns=kept,
                needs=frozenset().union(*(s.needs for s in together), conditions[0]) - inner,
                whole=frozenset().union(*(s.whole for s in together), conditions[1]),
            )
        return [rows, *steps.values(), self._writing(table)]

    def _writing(self, table: Table) -> Step:
        """What must be there to put a table out: what `where`, noise and anomalies need."""
        named = [c.measured for c in table.columns.values()] + [a.needs for a in table.anomalies]
        here, whole = self.sheet.parts(table.name, needs(table.where).union(*named))
        return Step(
            table=table.name,
            column=WRITTEN,
            needs=frozenset([*here, (table.name, "")]),
            whole=frozenset(whole),
        )

    def _step(self, table: Table, name: str) -> Step:
        kind = table.columns[name].kind
        here, whole = self.sheet.parts(table.name, kind.needs)
        here += [(table.name, n) for n in kind.needs if n in table.columns]
        beside = self._wanted(kind.wants)
        return Step(
            table=table.name,
            column=name,
            needs=frozenset([*here, *beside[0], (table.name, "")]),
            whole=frozenset([*whole, *beside[1], *kind.whole]),
        )

    def _wanted(self, parts: Iterable[Part]) -> tuple[list[Part], list[Part]]:
        """What columns of other tables need, and their rows; as `Sheet.parts`."""
        here: list[Part] = []
        whole: list[Part] = []
        for table, dotted in parts:
            more = self.sheet.parts(table, [dotted]) if dotted else ([(table, "")], [])
            here, whole = [*here, *more[0]], [*whole, *more[1]]
        return here, whole

    def _kept(self, table: Table, steps: Mapping[str, Step]) -> tuple[str, ...]:
        """The columns that constraints are about and those they are made of, in order."""
        if not table.constraints:
            return ()
        about = self.sheet.parts(table.name, needs(table.constraints))[0]
        ahead = [c for t, c in about if t == table.name]
        met: set[str] = set()
        while ahead:
            name = ahead.pop()
            if name in steps and name not in met:
                met.add(name)
                ahead += [c for t, c in steps[name].needs if t == table.name]
        for name in met:
            if isinstance(table.columns[name].kind, Running | Before | Smooth | Settle | Held):
                node = self.sheet.tables[table.name].need("constraints")
                raise node.error(
                    f"the column {name!r} depends on other rows, and cannot be drawn again for one "
                    "row. Leave it out of constraints."
                )
        inside = [steps[n] for n in table.columns if n in met]
        return tuple(s.column for s in ordered(inside))
