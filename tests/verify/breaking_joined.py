"""Ways in which series and whole databases go wrong, each in three strengths.

As in `breaking`: a defect takes honest rows and spoils them. Series are flat rows of many
entities; of a database, one foreign key is spoiled. The tests and `benchmarks/defects.py` use the
same lists.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from breaking import put

from geurim.columns import from_axis, is_number, to_axis

STRONG = 2
Amounts = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class Flat:
    """Honest series: flat rows, sorted here by entity and time; `amount`, a share of entities."""

    rows: pa.Table
    entity: str
    time: str
    amount: float
    rng: np.random.Generator

    @property
    def owner(self) -> np.ndarray:
        """Whose each event is (N,), 0 … in the order of the rows."""
        codes = self.rows[self.entity].combine_chunks().dictionary_encode().indices
        return np.asarray(codes)

    def chosen(self) -> np.ndarray:
        """The events (N,) bool of a share `amount` of the entities, by lot."""
        owner = self.owner
        return np.asarray((self.rng.random(owner.max() + 1) < self.amount)[owner])

    def names(self, numbers: bool) -> list[str]:
        """The columns of numbers, or of categories, beside entity and time."""
        return [
            f.name
            for f in self.rows.schema
            if f.name not in (self.entity, self.time) and is_number(f.type) == numbers
        ]

    def mixed(self) -> np.ndarray:
        """An order (N,) of the rows that shuffles the events of the chosen entities."""
        order = np.lexsort((self.rng.random(len(self.owner)), self.owner))
        return np.where(self.chosen(), order, np.arange(len(order)))


@dataclass(frozen=True, kw_only=True)
class SeriesDefect:
    """`amounts`: the strengths, weak to strong, in the unit that `what` tells."""

    name: str
    what: str
    amounts: Amounts
    spoil: Callable[[Flat], pa.Table]


def spoiled_series(
    defect: SeriesDefect,
    strength: int,
    rows: pa.Table,
    entity: str,
    time: str,
    rng: np.random.Generator,
) -> pa.Table:
    rows = rows.sort_by([(entity, "ascending"), (time, "ascending")])
    amount = defect.amounts[strength]
    return defect.spoil(Flat(rows=rows, entity=entity, time=time, amount=amount, rng=rng))


def order_broken(flat: Flat) -> pa.Table:
    """All that happens to an entity stays, and happens at the times of its other events."""
    return put(flat.rows, flat.time, flat.rows[flat.time].take(pa.array(flat.mixed())))


def memory_lost(flat: Flat) -> pa.Table:
    """Each column of numbers is shuffled by itself among the events of an entity."""
    return _apart(flat, numbers=True)


def transitions_lost(flat: Flat) -> pa.Table:
    """Each column of categories is shuffled by itself among the events of an entity."""
    return _apart(flat, numbers=False)


def _apart(flat: Flat, numbers: bool) -> pa.Table:
    rows, where = flat.rows, flat.chosen()
    for name in flat.names(numbers):
        order = np.lexsort((flat.rng.random(len(where)), flat.owner))
        order = np.where(where, order, np.arange(len(order)))
        rows = put(rows, name, rows[name].take(pa.array(order)))
    return rows


def gaps_even(flat: Flat) -> pa.Table:
    """First and last event stay; those between come at even steps."""
    time, owner, where = to_axis(flat.rows[flat.time]), flat.owner, flat.chosen()
    size = np.bincount(owner)
    first = np.append(0, np.cumsum(size)[:-1])
    start, end = time[first], time[first + size - 1]
    step = (np.arange(len(owner)) - first[owner]) / np.maximum(size[owner] - 1, 1)
    even = start[owner] + step * (end - start)[owner]
    kind = flat.rows.schema.field(flat.time).type
    return put(flat.rows, flat.time, from_axis(np.where(where, even, time), kind))


def cut_short(flat: Flat) -> pa.Table:
    """The later half of an entity's events is missing."""
    size = np.bincount(flat.owner)
    first = np.append(0, np.cumsum(size)[:-1])
    late = np.arange(len(flat.owner)) - first[flat.owner] >= (size[flat.owner] + 1) // 2
    return flat.rows.filter(pa.array(~(late & flat.chosen())))


_ENTITIES = "share of entities"
SERIES = (
    SeriesDefect(
        name="order of events broken", what=_ENTITIES, amounts=(0.1, 0.3, 1.0), spoil=order_broken
    ),
    SeriesDefect(
        name="autocorrelation lost", what=_ENTITIES, amounts=(0.1, 0.3, 1.0), spoil=memory_lost
    ),
    SeriesDefect(
        name="transitions shuffled",
        what=_ENTITIES,
        amounts=(0.1, 0.3, 1.0),
        spoil=transitions_lost,
    ),
    SeriesDefect(name="gaps evened out", what=_ENTITIES, amounts=(0.1, 0.3, 1.0), spoil=gaps_even),
    SeriesDefect(name="series cut short", what=_ENTITIES, amounts=(0.1, 0.3, 1.0), spoil=cut_short),
)


# Databases


@dataclass(frozen=True, kw_only=True, eq=False)
class Linked:
    """Honest tables, and the foreign key to spoil: `child.column` names `parent.key`."""

    tables: dict[str, pa.Table]
    child: str
    column: str
    parent: str
    key: str
    amount: float
    rng: np.random.Generator

    @property
    def names(self) -> pa.ChunkedArray:
        return self.tables[self.child][self.column]

    def chosen(self, rows: int) -> np.ndarray:
        return self.rng.random(rows) < self.amount

    def put(self, values: object) -> dict[str, pa.Table]:
        child = put(self.tables[self.child], self.column, values)
        return {**self.tables, self.child: child}


@dataclass(frozen=True, kw_only=True)
class LinkDefect:
    """As SeriesDefect; `spoil` gives all tables."""

    name: str
    what: str
    amounts: Amounts
    spoil: Callable[[Linked], dict[str, pa.Table]]


def spoiled_links(
    defect: LinkDefect,
    strength: int,
    tables: dict[str, pa.Table],
    link: tuple[str, str, str, str],
    rng: np.random.Generator,
) -> dict[str, pa.Table]:
    """`link`: child, its column, parent, its key."""
    child, column, parent, key = link
    amount = defect.amounts[strength]
    return defect.spoil(
        Linked(
            tables=tables,
            child=child,
            column=column,
            parent=parent,
            key=key,
            amount=amount,
            rng=rng,
        )
    )


def dangling(link: Linked) -> dict[str, pa.Table]:
    """A reference to no row: a number above all keys, or a word that is none."""
    where = link.chosen(len(link.names))
    kind = link.names.type
    known = link.tables[link.parent][link.key]
    odd = pc.max(known).as_py() + 1 if is_number(kind) else "nobody"
    return link.put(pc.if_else(pa.array(where), pa.scalar(odd, kind), link.names))


def one_child(link: Linked) -> dict[str, pa.Table]:
    """Of a share of the parents' children only the first is left."""
    codes = np.asarray(pc.fill_null(link.names.combine_chunks().dictionary_encode().indices, -1))
    first = np.zeros(len(codes), bool)
    first[np.unique(codes, return_index=True)[1]] = True
    parents = link.chosen(codes.max() + 1)
    kept = first | (codes < 0) | ~parents[codes]
    return {**link.tables, link.child: link.tables[link.child].filter(pa.array(kept))}


def unlinked(link: Linked) -> dict[str, pa.Table]:
    """A share of the children get the parent of another one: as many children, but others'."""
    order = np.arange(len(link.names))
    at = np.flatnonzero(link.chosen(len(order)))
    order[at] = link.rng.permutation(at)
    return link.put(link.names.take(pa.array(order)))


def repeated_keys(link: Linked) -> dict[str, pa.Table]:
    """A share of the parents take the key of the parent before them."""
    parent = link.tables[link.parent]
    order = np.arange(parent.num_rows)
    where = link.chosen(len(order))
    where[1] = True  # one at least
    order = np.where(where, np.maximum(order - 1, 0), order)
    spoiled = put(parent, link.key, parent[link.key].take(pa.array(order)))
    return {**link.tables, link.parent: spoiled}


LINKS = (
    LinkDefect(
        name="dangling keys", what="share of children", amounts=(0.001, 0.01, 0.05), spoil=dangling
    ),
    LinkDefect(
        name="one child each", what="share of parents", amounts=(0.1, 0.3, 1.0), spoil=one_child
    ),
    LinkDefect(
        name="parents and children unlinked",
        what="share of children",
        amounts=(0.1, 0.3, 1.0),
        spoil=unlinked,
    ),
    LinkDefect(
        name="repeated keys",
        what="share of parents",
        amounts=(0.001, 0.01, 0.05),
        spoil=repeated_keys,
    ),
)
