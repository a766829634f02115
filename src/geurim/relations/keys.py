"""What a database is here: tables, and the keys that join them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from geurim.contract import Lineage, Source


@dataclass(frozen=True, kw_only=True)
class ForeignKey:
    """Columns of one table that name a row of another (or of the same) by its key."""

    columns: tuple[str, ...]
    table: str  # the parent
    references: tuple[str, ...]  # the parent's columns, in the same order
    why: str = "declared"
    dangling: int = 0  # rows whose values are of no parent; a database cannot enforce such a key

    @property
    def text(self) -> str:
        """ "customer_id -> customers(id)"."""
        return f"{', '.join(self.columns)} -> {self.table}({', '.join(self.references)})"


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The keys of one table."""

    primary: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()  # other sets of columns that tell rows apart
    foreign: tuple[ForeignKey, ...] = ()
    required: tuple[str, ...] = ()  # NOT NULL
    why: str = "declared"  # of the primary key

    @property
    def sets(self) -> tuple[tuple[str, ...], ...]:
        """All sets of columns that tell rows apart, the primary key first."""
        return tuple(dict.fromkeys(s for s in (self.primary, *self.unique) if s))


@dataclass(frozen=True, kw_only=True)
class Database:
    """Tables by name, their keys, and what to know about them.

    `blank`: columns that hold bytes or nested values, by table; they are not learned, are not in
    the table's Source, and are written without content.
    """

    tables: Mapping[str, Source]
    keys: Mapping[str, Keys]
    lineage: Lineage
    notes: tuple[str, ...] = ()
    blank: Mapping[str, tuple[pa.Field, ...]] = field(default_factory=dict)

    def of(self, table: str) -> Keys:
        """The keys of a table."""
        return self.keys.get(table, Keys())
