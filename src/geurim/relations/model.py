"""What is learned of a database: a model of each table, and how its references are made.

Columns have inner names, so that no two meet: "c:" a column of the table; "k:" the kind of row
that a chosen reference names; "n:" how many rows of another table name this row; "s:" what those
rows are like together; "d:" how far a row is from the root of its own table; "1:" and "2:" the
same of its owner and of its owner's owner.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pyarrow as pa

from geurim.contract import Json, Lineage, Profile, Progress, quiet
from geurim.generators.anew import Anew
from geurim.generators.trees import FittedTrees
from geurim.levels import Levels
from geurim.relations.context import Coarse
from geurim.relations.keys import Database, ForeignKey, Keys
from geurim.relations.plan import Plan

SMALL = 100
"""Tables of so few rows: a reference to one learns which row it is, not of what kind."""

NOWHERE = "?"
"""The kind of row of a reference to no row at all (kept from the real data)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Kind:
    """Into what kinds the rows of a chosen parent fall.

    `cuts`: the columns that decide it, coarsely. Empty: each real row is a kind of its own, and
    a made row is of the kind of the real row that it is nearest to.
    """

    cuts: Mapping[str, Coarse] = field(default_factory=dict)

    def of(self, frame: Mapping[str, pa.Array], rows: int) -> np.ndarray:
        """The kind (N,) str of each row of the parent, by its columns."""
        if not self.cuts:
            return np.arange(rows).astype(str)
        parts = [coarse.codes(frame[name]).astype(str) for name, coarse in self.cuts.items()]
        made = parts[0]
        for part in parts[1:]:
            made = np.char.add(np.char.add(made, "|"), part)
        return np.asarray(made)


@dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """Values that tell rows of a group apart, such as line numbers or hours.

    `steps`, `shares`: from one row to the next, where one step is usual; empty: values are drawn
    and moved to the next free place. `first`: the scale of the first values, and how often each.
    """

    column: str
    key: tuple[str, ...]
    steps: np.ndarray
    shares: np.ndarray
    first: Levels
    often: np.ndarray
    grid: float


@dataclass(frozen=True, kw_only=True, eq=False)
class TableModel:
    """One table: what draws its columns, and how its rows are joined to others'."""

    name: str
    schema: pa.Schema  # all columns, in their order, without those of bytes
    keys: Keys
    rows: int  # real ones
    kept: pa.Table | None = None  # the real rows, where the table is kept as it is
    up: Mapping[ForeignKey, np.ndarray] = field(default_factory=dict)  # … and their parents' rows
    frame: Mapping[str, pa.Array] = field(default_factory=dict)  # of kept rows, and prototypes
    profile: Profile | None = None
    learned: FittedTrees | None = None
    anew: Anew | None = None
    copied: Mapping[str, str] = field(default_factory=dict)  # column: the owner's column
    kinds: Mapping[ForeignKey, Kind] = field(default_factory=dict)
    series: tuple[Series, ...] = ()
    most: int | None = None  # rows of one owner, at most
    orphans: float = 0.0  # rows without an owner, as a share
    lost: float = 0.0  # … whose reference is to no row
    nowhere: Mapping[ForeignKey, np.ndarray] = field(default_factory=dict)  # rows a dangling value
    cyclic: Mapping[ForeignKey, bool] = field(default_factory=dict)  # roots name themselves
    same_owner: Mapping[ForeignKey, bool] = field(default_factory=dict)
    prototypes: Mapping[str, np.ndarray] = field(default_factory=dict)  # coarse codes, by column
    coarse: Mapping[str, Coarse] = field(default_factory=dict)
    worth: Mapping[str, float] = field(default_factory=dict)  # of each of these columns


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedDatabase:
    """A distribution over databases, as `fit_database` learned it; `geurim.save` keeps it."""

    models: Mapping[str, TableModel]
    plan: Plan
    lineage: Lineage
    notes: tuple[str, ...]
    blank: Mapping[str, tuple[pa.Field, ...]]
    suggested: tuple[str, ...]  # tables that look like reference tables and were not kept
    name: ClassVar[str] = "database"  # stands in model files

    def sample(
        self, scale: float = 1.0, *, seed: int | None = None, progress: Progress = quiet
    ) -> Database:
        """A synthetic database, `scale` times as large; kept tables are as they were.

        Every reference names a row that is there, but for those that dangled in the real data and
        were kept. The same seed gives the same rows; None draws one, which the lineage tells.
        """
        from geurim.relations.draw import sample_database

        return sample_database(self, scale, seed=seed, progress=progress)

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        """What a model file holds: JSON and plain arrays, never code."""
        from geurim.relations.store import state

        return state(self)

    @classmethod
    def from_state(
        cls, lineage: Lineage, state: dict[str, Json], arrays: dict[str, np.ndarray]
    ) -> FittedDatabase:
        """The inverse of `state`."""
        from geurim.relations.store import from_state

        return from_state(lineage, state, arrays)
