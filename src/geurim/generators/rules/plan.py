"""A world that was read: its tables, and in which order what of them can be made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

import pyarrow as pa

from geurim.errors import SettingError
from geurim.generators.rules.anomalies import Anomaly
from geurim.generators.rules.clock import Clock
from geurim.generators.rules.columns import Column
from geurim.generators.rules.formulas import Formula, Value
from geurim.generators.rules.keys import Key
from geurim.generators.rules.rare import EdgeCase
from geurim.generators.rules.ways import Way

Part = tuple[str, str]
"""A table and a column of it; "" stands for the rows themselves."""

KEPT = "\0kept"
"""In place of a column: those that constraints are about, made together."""

WRITTEN = "\0written"
"""In place of a column: the table as it is put out."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table as a world states it."""

    name: str
    about: str = ""
    hidden: bool = False
    parent: str | None = None
    up: str = ""  # what its rows call their owner
    way: Way | None = None
    rows: Value | None = None  # of a root
    fixed: pa.Table | None = None  # rows that are written down
    parts: tuple[str, ...] = ()  # of a union
    sort: tuple[str, ...] = ()
    block: int | None = None
    columns: Mapping[str, Column] = field(default_factory=dict)
    constraints: tuple[Formula, ...] = ()
    where: Formula | None = None  # which of its rows are put out
    anomalies: tuple[Anomaly, ...] = ()
    edges: tuple[EdgeCase, ...] = ()

    @property
    def key(self) -> tuple[str, Key] | None:
        """The column that is the key."""
        found = ((n, c.kind) for n, c in self.columns.items() if isinstance(c.kind, Key))
        return next(found, None)

    @property
    def links(self) -> dict[str, str]:
        """Columns that name rows of other tables, and which."""
        return {n: c.kind.link for n, c in self.columns.items() if c.kind.link is not None}


@dataclass(frozen=True, kw_only=True)
class Step:
    """Something to be made, once what it needs is there."""

    table: str
    column: str  # "" for the rows; KEPT; WRITTEN, which makes nothing
    columns: tuple[str, ...] = ()  # of KEPT: in their order
    needs: frozenset[Part] = frozenset()
    whole: frozenset[Part] = frozenset()  # columns of all rows of other tables


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Tables by name, and the steps that make them, in order."""

    name: str
    about: str
    clock: Clock
    tables: Mapping[str, Table]
    steps: tuple[Step, ...]

    def root(self, table: str) -> str:
        """The table at the top of those that a table is within."""
        parent = self.tables[table].parent
        return table if parent is None else self.root(parent)

    @property
    def roots(self) -> tuple[str, ...]:
        """The tables within no other, but for unions."""
        return tuple(n for n, t in self.tables.items() if t.parent is None and not t.parts)

    @property
    def first(self) -> str | None:
        """The root whose rows are asked for: the first that is not written down."""
        return next((r for r in self.roots if self.tables[r].fixed is None), None)

    @property
    def put_out(self) -> tuple[str, ...]:
        """The tables that are written."""
        return tuple(n for n, t in self.tables.items() if not t.hidden)

    def names_owner(self, table: Table) -> bool:
        """Whether its rows are put out with their owner's key: not where nobody can look it up."""
        owner = None if table.parent is None else self.tables[table.parent]
        return owner is not None and not (owner.hidden and owner.key is None)

    def tree(self, root: str) -> tuple[str, ...]:
        """The tables within a root, itself first."""
        return tuple(n for n, t in self.tables.items() if not t.parts and self.root(n) == root)

    def wanted(self, parts: Iterable[Part]) -> tuple[Step, ...]:
        """The steps that lead to these parts, in order."""
        made = {(s.table, c): s for s in self.steps for c in (s.column, *s.columns)}
        ahead = [made[p] for p in parts if p in made]
        met: set[Part] = set()
        while ahead:
            step = ahead.pop()
            if (step.table, step.column) in met:
                continue
            met.add((step.table, step.column))
            ahead += [made[p] for p in step.needs if p in made]
        return tuple(s for s in self.steps if (s.table, s.column) in met)

    def references(self) -> dict[str, set[str]]:
        """Tables of which all rows are needed beforehand, with the columns, in the order to make
        them. Raises SettingError where they need each other."""
        wanted: dict[str, set[str]] = {}
        for step in self.steps:
            for table, column in step.whole:
                wanted.setdefault(table, {""}).add(column)
        before: dict[str, set[str]] = {}
        for table, columns in wanted.items():
            steps = self.wanted((table, c) for c in columns)
            before[table] = {t for s in steps for t, _ in s.whole}
        try:
            order = list(TopologicalSorter(before).static_order())
        except CycleError as error:
            circle = " → ".join(error.args[1])
            raise SettingError(
                f"The tables {circle} refer to each other by columns that need all rows of the "
                "other. Let one of them do without."
            ) from error
        return {t: wanted[t] for t in order}


def ordered(steps: list[Step]) -> tuple[Step, ...]:
    """Steps so that each comes after what it needs. Raises SettingError for a circle."""
    made = {(s.table, c): s for s in steps for c in (s.column, *s.columns)}
    before = {}
    for step in steps:
        others = {made[p] for p in step.needs if p in made} - {step}
        before[(step.table, step.column)] = {(o.table, o.column) for o in others}
    try:
        order = TopologicalSorter(before).static_order()
        return tuple(made[p] for p in order)
    except CycleError as error:
        names = [f"{t}.{c}" if c else f"the rows of {t}" for t, c in error.args[1]]
        raise SettingError(
            f"These need each other, and none can be made first: {' → '.join(names)}. "
            "Break the circle."
        ) from error
