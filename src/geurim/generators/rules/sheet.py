"""The tables of a world as they stand in its file, and what names in it mean.

Columns are read when something names them, so a formula always knows the types of what it uses,
whatever the order in the file.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from geurim.errors import GeurimError, MissingExtra
from geurim.generators.rules import sense
from geurim.generators.rules.columns import Column, read_column
from geurim.generators.rules.formulas import LINK
from geurim.generators.rules.growth import WAYS
from geurim.generators.rules.head import Head
from geurim.generators.rules.keys import Key
from geurim.generators.rules.plan import Part
from geurim.generators.rules.problems import Follows, Problems
from geurim.generators.rules.scope import Scope
from geurim.nodes import Node

LINKING = ("reference", "sibling", "during", "last", "next")
"""The kinds of column that name rows of another table."""

NAME = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True)
class Found:
    """What a dotted name means: the column, its type, and the parts that must be there before."""

    at: Part
    type: pa.DataType
    here: list[Part]
    whole: list[Part] = field(default_factory=list)
    optional: bool = False  # it may lead to no row
    link: str | None = None  # the table whose rows it names
    everywhere: bool = False  # by their numbers in the whole table


@dataclass(eq=False)
class Sheet:
    """The tables of a world, by name, each as its node; read as far as was asked for."""

    head: Head
    tables: Mapping[str, Node]
    folder: Path | None
    problems: Problems
    units: dict[Part, str | None] = field(default_factory=dict)  # of columns, as far as asked for
    _columns: dict[Part, Column | None] = field(default_factory=dict)
    _reading: list[Part] = field(default_factory=list)
    _ways: dict[str, Any] = field(default_factory=dict)
    _fixed: dict[str, pa.Table] = field(default_factory=dict)

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

    def fixed_rows(self, name: str) -> pa.Table | None:
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
                self._ways[name] = WAYS[key].read(node.need(key), names, self.head.setting)
        return self._ways[name]

    # Columns

    def own(self, table: str) -> list[str]:
        about = self.tables[table].get("columns")
        return [] if about is None else list(about.mapping())

    def columns_of(self, table: str) -> list[str]:
        """All columns of a table, those that its way brings first."""
        way, fixed = self.way(table), self.fixed_rows(table)
        brought = [] if way is None else list(way.columns)
        return [*brought, *(fixed.column_names if fixed is not None else ()), *self.own(table)]

    def column(self, table: str, name: str) -> Column:
        """A column of a table, read when it is first asked for."""
        part = (table, name)
        if part in self._columns:
            found = self._columns[part]
            if found is None:
                raise Follows(name)
            return found
        node = self.tables[table].need("columns")
        at = node.at(name, node.mapping()[name])
        if part in self._reading:
            circle = [*self._reading[self._reading.index(part) :], part]
            names = " → ".join(f"{t}.{c}" for t, c in circle)
            raise at.error(f"it needs itself: {names}. Break the circle.")
        if not NAME.fullmatch(name) or name == "nth":
            raise at.error(f"{name!r} cannot be the name of a column: use letters, digits and _.")
        self._reading.append(part)
        try:
            found = read_column(at, self.scope(table))
            sense.check_unit(self, at, table, found)
            self._columns[part] = found
        except Follows:
            self._columns[part] = None
            raise
        except MissingExtra:
            raise
        except GeurimError as error:
            self._columns[part] = None
            self.problems.found.append(str(error))
            raise Follows(name) from error
        finally:
            self._reading.pop()
        return found

    def scope(self, table: str) -> Scope:
        """What columns of a table may name."""
        return Scope(
            lambda name: self.find(table, name),
            self.head.constants,
            lambda: self._known(table),
            lambda name: sense.unit(self, table, name),
            self,
            table,
        )

    def _from_owner(self, table: str) -> Scope:
        """What a way may name: the owners', for its own rows are not there yet."""

        def find(name: str) -> pa.DataType | None:
            return self.find(table, name) if "." in name else None

        return Scope(
            find,
            self.head.constants,
            lambda: [n for n in self._known(table) if "." in n or n in self.head.constants],
            lambda name: sense.unit(self, table, name) if "." in name else None,
            self,
            table,
        )

    def _known(self, table: str) -> list[str]:
        above = [(self.up(t), self.parent(t)) for t in [table, *self.above(table)]]
        outer = [f"{up}.{c}" for up, t in above if t for c in self.columns_of(t)]
        linked = [
            f"{name}.{c}"
            for name in self.own(table)
            if (other := self._target(table, name))
            for c in self.columns_of(other)
        ]
        return [*self.columns_of(table), "nth", *self.head.constants, *outer, *linked]

    def _target(self, table: str, name: str) -> str | None:
        """The table that a column links to, by what the file says; None where it is no link."""
        about = self.tables[table].get("columns")
        value = None if about is None else about.mapping().get(name)
        if isinstance(value, dict):
            said = [value[k] for k in LINKING if k in value]
            return next((t for t in said if isinstance(t, str) and t in self.tables), None)
        if isinstance(value, str) and re.fullmatch(rf"{NAME.pattern}(\.{NAME.pattern})+", value):
            return self.column(table, name).kind.link
        return None

    def find(self, table: str, name: str) -> pa.DataType | None:
        """The type of a dotted name, as seen from a row of a table; None where there is none."""
        found = self.resolved(table, name)
        return None if found is None else found.type

    def resolved(self, table: str, name: str) -> Found | None:
        """What a dotted name means, as seen from a row of a table; None where there is no such."""
        head, _, rest = name.partition(".")
        if not rest:
            kind = self._plain(table, name)
            if kind is None:
                return None
            link, everywhere = self._leads(table, name)
            here = [(table, self._place(table, name))]
            return Found((table, name), kind, here, link=link, everywhere=everywhere)
        target = self._target(table, head)
        if target is not None:
            return self._linked(table, head, target, rest)
        at: str | None = table
        while at is not None:
            parent = self.parent(at)
            if parent is not None and self.up(at) == head:
                found = self.resolved(parent, rest)
                return found and replace(found, here=[(table, ""), *found.here])
            at = parent
        return None

    def _linked(self, table: str, head: str, target: str, rest: str) -> Found | None:
        """What a name means that goes over a column which names rows of `target`."""
        found = self.resolved(target, rest)
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
        return name if name in self.own(table) else ""

    def _plain(self, table: str, name: str) -> pa.DataType | None:
        """The type of a table's own column."""
        if name == "nth":
            return pa.int64()
        if self.parent(table) is not None and name == self.up(table):
            return LINK
        way, fixed = self.way(table), self.fixed_rows(table)
        if way is not None and name in way.columns:
            return way.columns[name]
        if name in self.own(table):
            kind = self.column(table, name).kind
            return None if isinstance(kind, Key) else LINK if kind.link else kind.type
        if fixed is not None and name in fixed.column_names:
            return fixed.schema.field(name).type
        return None

    def _leads(self, table: str, name: str) -> tuple[str | None, bool]:
        """The table whose rows a column names, and whether by their numbers in all of it."""
        if name in self.own(table):
            kind = self.column(table, name).kind
            return kind.link, kind.everywhere
        return (self.parent(table) if name == self.up(table) else None), False

    def parts(self, table: str, names: Iterable[str]) -> tuple[list[Part], list[Part]]:
        """What these names need, in the same block and of all rows of other tables."""
        found = [f for n in names if (f := self.resolved(table, n)) is not None]
        return [p for f in found for p in f.here], [p for f in found for p in f.whole]


def _column_of(values: list[Any], node: Node) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise node.error(f"its values are of several types: {error}. Give one type.") from error
