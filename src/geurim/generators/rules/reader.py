"""A world read: every name looked up, every mistake found before anything is made.

Columns are read when something names them, so a formula always knows the types of what it uses,
whatever the order in the file. A mistake in one place does not hide those in others: they are
collected, and what only follows from them is left out.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from geurim.contract import Json
from geurim.errors import ExpressionError, GeurimError, MissingExtra, SettingError
from geurim.expressions import Literal
from geurim.generators.rules.anomalies import Anomaly
from geurim.generators.rules.bounds import bounds
from geurim.generators.rules.calendars import Intensity, intensity
from geurim.generators.rules.clock import Clock, moment
from geurim.generators.rules.columns import Column, read_column
from geurim.generators.rules.formulas import LINK, Formula, Names, Value, needs
from geurim.generators.rules.growth import WAYS
from geurim.generators.rules.keys import Key
from geurim.generators.rules.kinds import Computed, Drawn
from geurim.generators.rules.linked import Before, Running, Smooth
from geurim.generators.rules.plan import KEPT, Part, Plan, Step, Table, ordered
from geurim.generators.rules.ranges import Interval, range_of, why_impossible
from geurim.generators.rules.units import check_unit, unit_of
from geurim.generators.rules.ways import Setting
from geurim.nodes import Node, shown

_WORLD = ("world", "about", "period", "step", "locale", "calendar", "parameters", "schedules")
_TABLE = ("about", "of", "as", "hide", "rows", "table", "file", "union", "sort", "block")
_MORE = ("columns", "constraints", "anomalies")
_STEPS = {"millisecond": 1e-3, "second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86_400.0}
_NAME = re.compile(r"[^\W\d]\w*")
_IN_UNIT = ("mean", "median", "deviation", "low", "high", "mode", "center", "scale", "value")
"""Parameters of distributions that are in the unit of what is drawn."""
LINKING = ("reference", "sibling", "during", "last", "next")
"""The kinds of column that name rows of another table."""


class _Follows(SettingError):
    """Wrong only because something else is; that is told, this is not."""


@dataclass(frozen=True)
class Scope(Names):
    """What a column of one table may name, and look at."""

    reader: Reader
    name: str

    @property
    def setting(self) -> Setting:
        """The clock and the schedules of the world."""
        return self.reader.setting

    def table(self, node: Node) -> str:
        """The name of any table, at a node."""
        return self.reader.table(node)

    def of(self, table: str, node: Node) -> pa.DataType:
        """The type of a column of another table, at a node that names it."""
        found = self.reader.find(table, node.text())
        if found is None or "." in node.text():
            known = ", ".join(self.reader.columns_of(table))
            raise node.error(f"{table!r} has no column {node.text()!r}. It has: {known}.")
        return found

    def linked(self, name: str) -> tuple[str, bool]:
        """The table whose rows a name means, and whether by their numbers in all of it."""
        found = self.reader._resolved(self.name, name)
        assert found is not None and found.link is not None
        return found.link, found.everywhere

    def has(self, table: str, column: str) -> bool:
        return column in self.reader.columns_of(table)

    def inside(self, table: str) -> Scope:
        """The names as that table sees them."""
        return self.reader.scope(table)

    def within(self, node: Node) -> str:
        """The name of a table that belongs to this one, at a node."""
        table = self.reader.table(node)
        if self.reader.parent(table) != self.name:
            raise node.error(
                f"the rows of {table!r} do not belong to {self.name!r}. Name a table that says "
                f"'of: {self.name}'."
            )
        return table

    def sibling(self, node: Node) -> tuple[str, str]:
        """A table at a node, and the table that both it and this one are within."""
        table = self.reader.table(node)
        owner = self.reader.parent(table)
        if owner is None or owner not in self.reader.above(self.name):
            raise node.error(
                f"{table!r} belongs to {owner or 'no table'!r}, and a row of {self.name!r} to "
                f"{' and '.join(map(repr, self.reader.above(self.name))) or 'none'}. Both must "
                "belong to the same table."
            )
        return table, owner

    def locale_of(self, node: Node) -> str:
        said = node.get("locale")
        return self.reader.locale if said is None else said.text()


@dataclass
class Reader:
    """One reading of a world; `read` gives its plan."""

    node: Node
    given: Mapping[str, Json] = field(default_factory=dict)
    folder: Path | None = None
    problems: list[str] = field(default_factory=list)
    locale: str = "en_US"
    _columns: dict[Part, Column | None] = field(default_factory=dict)
    _reading: list[Part] = field(default_factory=list)
    _ways: dict[str, Any] = field(default_factory=dict)
    _fixed: dict[str, pa.Table] = field(default_factory=dict)
    _intervals: dict[Part, Interval] = field(default_factory=dict)

    def read(self) -> Plan:
        """The plan of the world. Raises SettingError with all that is wrong."""
        with self._noting():
            self.node.mapping([*_WORLD, "tables"])
        self._head()
        self.tables = self._outlines()
        tables = [self._table(n) for n in self.tables]
        self._raise()
        steps: list[Step] = []
        for table in tables:
            with self._noting():
                steps += self._steps(table)
        self._raise()
        plan = Plan(
            name=self._text("world", "world"),
            about=self._text("about", ""),
            clock=self.setting.clock,
            tables={t.name: t for t in tables},
            steps=ordered(steps),
        )
        plan.references()
        return plan

    # What is wrong

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """Keep what is wrong for later, all at once."""
        try:
            yield
        except _Follows:
            pass
        except MissingExtra:
            raise
        except GeurimError as error:
            self.problems.append(str(error))

    def _raise(self) -> None:
        distinct = list(dict.fromkeys(self.problems))
        if len(distinct) == 1:
            raise SettingError(distinct[0])
        if distinct:
            at = re.compile(r"line (\d+), column (\d+)")
            found = {p: at.search(p) for p in distinct}
            place = {p: tuple(map(int, m.groups())) if m else (0, 0) for p, m in found.items()}
            listed = "\n".join(f"- {p}" for p in sorted(distinct, key=place.__getitem__))
            raise SettingError(f"{len(distinct)} things are wrong:\n{listed}")

    # The head

    def _text(self, key: str, usual: str) -> str:
        found = self.node.get(key) if isinstance(self.node.value, Mapping) else None
        return usual if found is None else found.text()

    def _head(self) -> None:
        self.constants: dict[str, Json] = {}
        clock, country = Clock(dt.datetime(2025, 1, 1), dt.datetime(2026, 1, 1)), ""
        with self._noting():
            clock = self._clock(clock)
        with self._noting():
            self.locale = self._text("locale", "en_US")
            country = self._text("calendar", "")
        with self._noting():
            self._parameters()
        self.setting = Setting(clock, self._schedules(clock, country), country)

    def _clock(self, usual: Clock) -> Clock:
        period, step = self.node.get("period"), self.node.get("step")
        start, end = usual.start, usual.end
        if period is not None:
            ends = period.list()
            if len(ends) != 2 or not all(isinstance(n.value, dt.date) for n in ends):
                raise period.error(
                    f"{shown(period.value)} was given. Give two dates: [2025-01-01, 2026-01-01]."
                )
            start, end = (moment(n.value) for n in ends)
            if end <= start:
                raise period.error(f"it ends ({end}) before it starts ({start}). Turn them round.")
        if step is not None and step.value not in _STEPS:
            raise step.error(f"{shown(step.value)} was given. Give one of: {', '.join(_STEPS)}.")
        return Clock(start, end, 1.0 if step is None else _STEPS[step.value])

    def _parameters(self) -> None:
        for name, node in _items(self.node.get("parameters")):
            with self._noting():
                self.constants[name] = self._parameter(name, node)
        for name in self.given:
            if name not in self.constants:
                near = difflib.get_close_matches(name, self.constants, 2) or list(self.constants)
                advice = f"Did you mean {' or '.join(map(repr, near))}?" if near else "It has none."
                self.problems.append(f"the world has no parameter {name!r}. {advice}")

    def _parameter(self, name: str, node: Node) -> Json:
        """The value of a parameter: the one given, else the world's own."""
        bare = not isinstance(node.value, Mapping)
        if not bare:
            node.mapping(["value", "low", "high", "about", "free"])
        usual = node if bare else node.need("value")
        value = self.given.get(name, usual.value)
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

    def _schedules(self, clock: Clock, country: str) -> dict[str, Intensity]:
        about = self.node.get("schedules") if isinstance(self.node.value, Mapping) else None
        found = {}
        for name, node in about.items() if about is not None else ():
            with self._noting():
                found[name] = _schedule(node, clock, country)
        return found

    # Tables

    def _outlines(self) -> dict[str, Node]:
        found: dict[str, Node] = {}
        with self._noting():
            for name, node in self.node.need("tables").items():
                if not _NAME.fullmatch(name):
                    self.problems.append(str(node.error(f"{name!r} cannot be a name of a table.")))
                with self._noting():
                    node.mapping([*_TABLE, *WAYS, *_MORE])
                    found[name] = node
        if not found and not self.problems:
            self.problems.append(str(self.node.error("there is no table. Add one under 'tables'.")))
        return found

    def table(self, node: Node) -> str:
        """The table that a node names."""
        name = node.text()
        if name not in self.tables:
            near = difflib.get_close_matches(name, self.tables, 2) or list(self.tables)
            raise node.error(
                f"there is no table {name!r}. Did you mean {' or '.join(map(repr, near))}?"
            )
        return name

    def parent(self, table: str) -> str | None:
        about = self.tables[table].get("of")
        if about is None:
            return None
        found = self.table(about)
        if table in self.above(found) or found == table:
            raise about.error(f"{table!r} is within itself. Name another table.")
        return found

    def above(self, table: str) -> list[str]:
        """The tables that this one is within, the nearest first."""
        found: list[str] = []
        node = self.tables[table].get("of")
        while node is not None and node.value in self.tables and node.value not in found:
            found.append(node.value)
            node = self.tables[node.value].get("of")
        return found

    def up(self, table: str) -> str:
        about = self.tables[table]
        said = about.get("as") or about.get("of")
        return "" if said is None else said.text()

    def _table(self, name: str) -> Table:
        node = self.tables[name]
        columns = {}
        for column in self._own(name):
            with self._noting():
                columns[column] = self.column(name, column)
        table = Table(name=name)
        with self._noting():
            rest = self._rest(name, node)
            table = Table(name=name, columns=columns, **rest)
        return table

    def _rest(self, name: str, node: Node) -> dict[str, Any]:
        parent = self.parent(name)
        about, hide, block = node.get("about"), node.get("hide"), node.get("block")
        union, sort = node.get("union"), node.get("sort")
        parts = tuple(self.table(n) for n in union.list()) if union is not None else ()
        self._check_shape(name, node, parent, parts)
        scope = self.scope(name)
        conditions = [(n, scope.condition(n)) for n in _list(node.get("constraints"))]
        self._check_possible(name, conditions)
        anomalies = [Anomaly.read(n, scope) for n in _list(node.get("anomalies"))]
        found = {
            "about": "" if about is None else about.text(),
            "hidden": hide is not None and hide.flag(),
            "parent": parent,
            "up": self.up(name) if parent else "",
            "way": self.way(name),
            "rows": self._rows(name, node),
            "fixed": self._fixed_rows(name),
            "parts": parts,
            "sort": () if sort is None else sort.texts(),
            "block": None if block is None else block.count(1),
            "constraints": tuple(c for _, c in conditions),
            "anomalies": tuple(anomalies),
        }
        if sort is not None and not parts:
            for column in found["sort"]:
                if column not in self.columns_of(name):
                    raise sort.error(f"{name!r} has no column {column!r} to sort by.")
        return found

    def _check_shape(
        self, name: str, node: Node, parent: str | None, parts: tuple[str, ...]
    ) -> None:
        ways = [k for k in WAYS if k in node.mapping()]
        if parts:
            if parent or ways or node.get("rows"):
                raise node.error("a union has the rows of its parts. Leave out what makes rows.")
            for key, at in _items(node.get("columns")):
                if not isinstance(self.column(name, key).kind, Key):
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
        roots = {n: pa.int64() for n, at in self.tables.items() if at.get("of") is None}
        names = Names(
            lambda n: roots.get(n) if n != name else None,
            self.constants,
            lambda: list(roots),
            lambda n: None,
        )
        return names.number(about, 0)

    def _fixed_rows(self, name: str) -> pa.Table | None:
        """The rows that are written down in the world, or in a file beside it."""
        if name in self._fixed:
            return self._fixed[name]
        node = self.tables[name]
        listed, file = node.get("table"), node.get("file")
        if listed is None and file is None:
            return None
        if listed is not None:
            rows = [dict(n.mapping()) for n in listed.list()]
            names = list(dict.fromkeys(k for r in rows for k in r))
            found = pa.table(
                {n: _column_of([r.get(n) for r in rows], listed.at(n, None)) for n in names}
            )
        else:
            from geurim.read import read

            assert file is not None
            path = Path(file.text())
            if self.folder is not None and not path.is_absolute():
                path = self.folder / path
            found = read(path).to_arrow()
        self._fixed[name] = found
        return found

    def way(self, name: str) -> Any:
        """How the rows of a table come about; None for a root."""
        if name not in self._ways:
            node = self.tables[name]
            key = next((k for k in WAYS if k in node.mapping()), None)
            self._ways[name] = None
            if key is not None:
                names = self._from_owner(name)
                self._ways[name] = WAYS[key].read(node.need(key), names, self.setting)
        return self._ways[name]

    # Columns

    def _own(self, table: str) -> list[str]:
        about = self.tables[table].get("columns")
        return [] if about is None else list(about.mapping())

    def columns_of(self, table: str) -> list[str]:
        """All columns of a table, those that its way brings first."""
        way, fixed = self.way(table), self._fixed_rows(table)
        brought = [] if way is None else list(way.columns)
        return [*brought, *(fixed.column_names if fixed is not None else ()), *self._own(table)]

    def column(self, table: str, name: str) -> Column:
        """A column of a table, read when it is first asked for."""
        part = (table, name)
        if part in self._columns:
            found = self._columns[part]
            if found is None:
                raise _Follows(name)
            return found
        node = self.tables[table].need("columns")
        at = node.at(name, node.mapping()[name])
        if part in self._reading:
            circle = [*self._reading[self._reading.index(part) :], part]
            names = " → ".join(f"{t}.{c}" for t, c in circle)
            raise at.error(f"it needs itself: {names}. Break the circle.")
        if not _NAME.fullmatch(name) or name == "nth":
            raise at.error(f"{name!r} cannot be the name of a column: use letters, digits and _.")
        self._reading.append(part)
        try:
            found = read_column(at, self.scope(table))
            self._check_unit(at, table, found)
            self._columns[part] = found
        except _Follows:
            self._columns[part] = None
            raise
        except MissingExtra:
            raise
        except GeurimError as error:
            self._columns[part] = None
            self.problems.append(str(error))
            raise _Follows(name) from error
        finally:
            self._reading.pop()
        return found

    def scope(self, table: str) -> Scope:
        """What columns of a table may name."""
        return Scope(
            lambda name: self.find(table, name),
            self.constants,
            lambda: self._known(table),
            lambda name: self.unit(table, name),
            self,
            table,
        )

    def _from_owner(self, table: str) -> Scope:
        """What a way may name: the owners', for its own rows are not there yet."""

        def find(name: str) -> pa.DataType | None:
            return self.find(table, name) if "." in name else None

        return Scope(
            find,
            self.constants,
            lambda: [n for n in self._known(table) if "." in n or n in self.constants],
            lambda name: self.unit(table, name) if "." in name else None,
            self,
            table,
        )

    def _known(self, table: str) -> list[str]:
        above = [(self.up(t), self.parent(t)) for t in [table, *self.above(table)]]
        outer = [f"{up}.{c}" for up, t in above if t for c in self.columns_of(t)]
        linked = [
            f"{name}.{c}"
            for name in self._own(table)
            if (other := self._target(table, name))
            for c in self.columns_of(other)
        ]
        return [*self.columns_of(table), "nth", *self.constants, *outer, *linked]

    def _target(self, table: str, name: str) -> str | None:
        """The table that a column links to, by what the file says; None where it is no link."""
        about = self.tables[table].get("columns")
        value = None if about is None else about.mapping().get(name)
        if isinstance(value, dict):
            said = [value[k] for k in LINKING if k in value]
            return said[0] if said and said[0] in self.tables else None
        if isinstance(value, str) and re.fullmatch(rf"{_NAME.pattern}(\.{_NAME.pattern})+", value):
            return self.column(table, name).kind.link
        return None

    def find(self, table: str, name: str) -> pa.DataType | None:
        """The type of a dotted name, as seen from a row of a table; None where there is none."""
        found = self._resolved(table, name)
        return None if found is None else found.type

    def _resolved(self, table: str, name: str) -> _Found | None:
        """What a dotted name means, as seen from a row of a table; None where there is no such."""
        head, _, rest = name.partition(".")
        if not rest:
            kind = self._plain(table, name)
            if kind is None:
                return None
            link, everywhere = self._leads(table, name)
            here = [(table, self._place(table, name))]
            return _Found((table, name), kind, here, link=link, everywhere=everywhere)
        target = self._target(table, head)
        if target is not None:
            return self._linked(table, head, target, rest)
        at: str | None = table
        while at is not None:
            parent = self.parent(at)
            if parent is not None and self.up(at) == head:
                found = self._resolved(parent, rest)
                return found and replace(found, here=[(table, ""), *found.here])
            at = parent
        return None

    def _linked(self, table: str, head: str, target: str, rest: str) -> _Found | None:
        """What a name means that goes over a column which names rows of `target`."""
        found = self._resolved(target, rest)
        if found is None:
            return None
        if self.column(table, head).kind.everywhere:
            if "." in rest:
                return None
            whole = [(target, rest), (target, "")]
            return replace(found, here=[(table, head)], whole=whole, optional=True)
        return replace(found, here=[(table, head), *found.here], optional=True)

    def _place(self, table: str, name: str) -> str:
        """The column to wait for: none for what comes with the rows."""
        return name if name in self._own(table) else ""

    def _plain(self, table: str, name: str) -> pa.DataType | None:
        """The type of a table's own column."""
        if name == "nth":
            return pa.int64()
        if self.parent(table) is not None and name == self.up(table):
            return LINK
        way, fixed = self.way(table), self._fixed_rows(table)
        if way is not None and name in way.columns:
            return way.columns[name]
        if name in self._own(table):
            kind = self.column(table, name).kind
            return None if isinstance(kind, Key) else LINK if kind.link else kind.type
        if fixed is not None and name in fixed.column_names:
            return fixed.schema.field(name).type
        return None

    def _leads(self, table: str, name: str) -> tuple[str | None, bool]:
        """The table whose rows a column names, and whether by their numbers in all of it."""
        if name in self._own(table):
            kind = self.column(table, name).kind
            return kind.link, kind.everywhere
        return (self.parent(table) if name == self.up(table) else None), False

    # Steps

    def _steps(self, table: Table) -> list[Step]:
        """What is to be made of a table."""
        if table.parts:
            return []
        own = table.parent
        before = self._parts(table.name, needs(table.way)) if table.way else ([], [])
        above = [(own, "")] if own else []
        rows = Step(
            table=table.name,
            column="",
            needs=frozenset([*above, *before[0]]) - {(table.name, "")},
            whole=frozenset(before[1]),
        )
        steps = {n: self._step(table, n) for n in table.columns}
        kept = self._kept(table, steps)
        if kept:
            together = [steps.pop(n) for n in kept]
            inner = {(table.name, n) for n in kept}
            conditions = self._parts(table.name, needs(table.constraints))
            steps[KEPT] = Step(
                table=table.name,
                column=KEPT,
                columns=kept,
                needs=frozenset().union(*(s.needs for s in together), conditions[0]) - inner,
                whole=frozenset().union(*(s.whole for s in together), conditions[1]),
            )
        return [rows, *steps.values()]

    def _step(self, table: Table, name: str) -> Step:
        kind = table.columns[name].kind
        here, whole = self._parts(table.name, kind.needs)
        for other, dotted in kind.wants:
            if dotted:
                more = self._parts(other, [dotted])
                here, whole = [*here, *more[0]], [*whole, *more[1]]
            else:
                here = [*here, (other, "")]
        whole = [*whole, *kind.whole]
        return Step(
            table=table.name,
            column=name,
            needs=frozenset([*here, (table.name, "")]),
            whole=frozenset(whole),
        )

    def _kept(self, table: Table, steps: Mapping[str, Step]) -> tuple[str, ...]:
        """The columns that constraints are about and those they are made of, in order."""
        if not table.constraints:
            return ()
        ahead = [
            c for t, c in self._parts(table.name, needs(table.constraints))[0] if t == table.name
        ]
        met: set[str] = set()
        while ahead:
            name = ahead.pop()
            if name in steps and name not in met:
                met.add(name)
                ahead += [c for t, c in steps[name].needs if t == table.name]
        for name in met:
            if isinstance(table.columns[name].kind, Running | Before | Smooth):
                node = self.tables[table.name].need("constraints")
                raise node.error(
                    f"the column {name!r} depends on other rows, and cannot be drawn again for one "
                    "row. Leave it out of constraints."
                )
        inside = [steps[n] for n in table.columns if n in met]
        return tuple(s.column for s in ordered(inside))

    def _parts(self, table: str, names: Iterable[str]) -> tuple[list[Part], list[Part]]:
        """What these names need, in the same block and of all rows of other tables."""
        found = [f for n in names if (f := self._resolved(table, n)) is not None]
        return [p for f in found for p in f.here], [p for f in found for p in f.whole]

    # What values can be, and in which unit

    def unit(self, table: str, name: str) -> str | None:
        """The unit of a dotted name; None where it has none."""
        found = self._resolved(table, name)
        if found is None or found.at[1] not in self._own(found.at[0]):
            return None
        return self._unit(found.at[0], self.column(*found.at))

    def _unit(self, table: str, column: Column) -> str | None:
        """The unit that a column says it has; of a formula, else the one that it comes out in."""
        if column.unit or not isinstance(column.kind, Computed):
            return column.unit or None
        return unit_of(column.kind.formula.expression, self._units(table, column.kind.needs))

    def _units(self, table: str, names: Iterable[str]) -> dict[str, str]:
        return {n: u for n in names if (u := self.unit(table, n)) is not None}

    def _check_unit(self, node: Node, table: str, column: Column) -> None:
        """Refuse a column whose formulas come out in another unit than it says."""
        if not column.unit:
            return
        kind, found = column.kind, [(node.need("unit"), Formula(Literal(1, pa.int64())))]
        if isinstance(kind, Computed):
            found.append((node.get("formula") or node, kind.formula))
        if isinstance(kind, Drawn):
            given = dict(kind.draw.parameters, low=kind.draw.low, high=kind.draw.high)
            own = [(node.at(k, None), given[k]) for k in _IN_UNIT if k in given]
            found += [(at, v) for at, v in own if isinstance(v, Formula)]
        for at, formula in found:
            try:
                check_unit(formula.expression, column.unit, self._units(table, formula.needs))
            except ExpressionError as error:
                raise at.error(f"{error.what}. {error.advice}") from error

    def interval(self, table: str, name: str) -> Interval:
        """What the values under a dotted name can be."""
        found = self._resolved(table, name)
        if found is None:
            return Interval()
        at = found.at
        if at not in self._intervals:
            self._intervals[at] = Interval()  # where it leads back to itself, anything
            self._intervals[at] = self._bounds(*at)
        inner = self._intervals[at]
        return replace(inner, missing=inner.missing or found.optional)

    def _bounds(self, table: str, name: str) -> Interval:
        if name == "nth":
            return Interval(low=1, missing=False)
        if name not in self._own(table):
            return Interval()

        def of(formula: Formula) -> Interval:
            return range_of(formula.expression, self.intervals(table, formula.needs))

        return bounds(self.column(table, name).kind, of)

    def intervals(self, table: str, names: Iterable[str]) -> dict[str, Interval]:
        return {n: self.interval(table, n) for n in names}

    def _check_possible(self, table: str, conditions: list[tuple[Node, Formula]]) -> None:
        """Refuse constraints that no row can meet, by themselves or together."""
        for node, condition in conditions:
            known = self.intervals(table, condition.needs)
            reason = why_impossible([condition.expression], known)
            with self._noting():
                if reason:
                    raise node.error(f"no row can meet this: {reason}. Correct it, or the columns.")
        together = [c.expression for _, c in conditions]
        known = self.intervals(table, needs(tuple(c for _, c in conditions)))
        reason = why_impossible(together, known)
        if reason:
            raise conditions[0][0].error(f"no row can meet all of these: {reason}.")


@dataclass(frozen=True)
class _Found:
    """What a dotted name means: the column, its type, and the parts that must be there before."""

    at: Part
    type: pa.DataType
    here: list[Part]
    whole: list[Part] = field(default_factory=list)
    optional: bool = False  # it may lead to no row
    link: str | None = None  # the table whose rows it names
    everywhere: bool = False  # by their numbers in the whole table


def _schedule(node: Node, clock: Clock, country: str) -> Intensity:
    known = ["hours", "weekdays", "months", "monthdays", "holidays", "growth", "about"]
    said = {k: v for k, v in node.mapping(known).items() if k != "about"}
    if "holidays" in said:
        said["holiday_factor"] = node.need("holidays").number(0)
        said["holidays"] = country or None
    try:
        return intensity(clock.start, clock.end, **said)
    except MissingExtra:
        raise
    except GeurimError as error:
        raise node.error(str(error)) from error


def _column_of(values: list[Any], node: Node) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise node.error(f"its values are of several types: {error}. Give one type.") from error


def _list(node: Node | None) -> list[Node]:
    return [] if node is None else node.list()


def _items(node: Node | None) -> list[tuple[str, Node]]:
    return [] if node is None else list(node.items())
