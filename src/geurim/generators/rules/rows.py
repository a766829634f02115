"""The rows of one table while they are made: columns, whose row each row is, and what it names.

A dotted name is read from the row outwards: `age` is the row's own column, `customers.age` that of
the customer it belongs to, `shop.city` that of the row its reference `shop` names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

NONE = -1
"""In place of a row's number: there is none."""


@dataclass(eq=False)
class Around:
    """What rows may look at: the tables of their block, and other tables whole."""

    block: dict[str, Rows] = field(default_factory=dict)
    whole: dict[str, Rows] = field(default_factory=dict)


@dataclass(eq=False)
class Rows:
    """`count` rows of the table `name`.

    `owner` (count,) numbers the row of `parent` that each belongs to, and `up` is what the rows
    call it. `first` is the number of the first row in its table, where that is known.
    """

    name: str
    count: int
    first: int | None = None
    parent: Rows | None = None
    owner: np.ndarray | None = None
    up: str = ""
    around: Around = field(default_factory=Around)
    columns: dict[str, pa.Array] = field(default_factory=dict)
    links: dict[str, tuple[Rows, np.ndarray]] = field(default_factory=dict)
    base: tuple[Rows, np.ndarray] | None = None  # of a part: the rows it is of, and which
    _seen: dict[str, pa.Array] = field(default_factory=dict)

    def get(self, name: str) -> pa.Array:
        """The values (count,) under a dotted name."""
        if name in self.columns:
            return self.columns[name]
        if name not in self._seen:
            self._seen[name] = self._found(name)
        return self._seen[name]

    def _found(self, name: str) -> pa.Array:
        head, _, rest = name.partition(".")
        if name == "nth":
            return pa.array(self.nth)
        if name == self.up and self.owner is not None:
            return pa.array(self.owner)
        if self.base is not None and head not in self.links:
            whole, index = self.base
            return taken(whole.get(name), index)
        other, where = self.toward(head)
        return taken(other.get(rest), where)

    def toward(self, head: str) -> tuple[Rows, np.ndarray]:
        """The rows that the first part of a dotted name means, and which of them each row's is."""
        if head in self.links:
            return self.links[head]
        at, index = self, np.arange(self.count)
        while at.parent is not None and at.owner is not None:
            index = at.owner[index]
            if at.up == head:
                return at.parent, index
            at = at.parent
        raise KeyError(f"{self.name}.{head}")

    def batch(self, names: Iterable[str]) -> pa.RecordBatch:
        """The values under these names, as an expression reads them."""
        names = sorted(names)
        return pa.RecordBatch.from_arrays([self.get(n) for n in names], names)

    def part(self, index: np.ndarray) -> Rows:
        """Some of the rows, by their numbers; a column that is set in it stands before theirs."""
        owner = None if self.owner is None else self.owner[index]
        return Rows(
            self.name,
            len(index),
            parent=self.parent,
            owner=owner,
            up=self.up,
            around=self.around,
            base=(self, index),
        )

    def children(self, name: str, owner: np.ndarray, up: str) -> Rows:
        """Rows of the table `name`, each of which belongs to a row of these."""
        return Rows(name, len(owner), parent=self, owner=owner, up=up, around=self.around)

    def within(self, table: str) -> np.ndarray:
        """The row of `table`, an owner of theirs or of their owners, that each belongs to."""
        at, index = self, np.arange(self.count)
        while at.name != table:
            if at.parent is None or at.owner is None:
                raise KeyError(f"{self.name} is not within {table}")
            index, at = at.owner[index], at.parent
        return index

    @property
    def starts(self) -> np.ndarray:
        """Where the rows of each row of the parent begin, and the end of the last (P + 1,)."""
        if self.parent is None or self.owner is None:
            return np.array([0, self.count])
        return np.asarray(np.searchsorted(self.owner, np.arange(self.parent.count + 1)))

    @property
    def nth(self) -> np.ndarray:
        """The place (count,) of each row among those of its owner, from 1."""
        if self.base is not None:
            return np.asarray(self.base[0].nth[self.base[1]])
        if self.owner is None:
            return np.asarray(np.arange(1, self.count + 1) + (self.first or 0))
        return np.asarray(np.arange(self.count) - self.starts[self.owner] + 1)


def taken(column: pa.Array, index: np.ndarray) -> pa.Array:
    """Values by row number; missing where the number is NONE."""
    lost = index == NONE
    if lost.any():
        return column.take(pa.array(np.where(lost, 0, index), mask=lost))
    return column.take(pa.array(index))
