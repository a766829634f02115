"""In which order tables are made, and how each of their foreign keys is.

Every table has at most one owner: the parent whose rows its rows are made for, one after the
other, as many as that parent's count says. Its other parents are chosen for rows that are there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from geurim.relations.keys import Database, ForeignKey, Keys
from geurim.relations.rows import DANGLING, NONE

OWNERS = 20
"""Fewer parents than this own nothing: a total would hang on the draws of a few counts."""

Index = Mapping[tuple[str, ForeignKey], np.ndarray]
"""Of each table and foreign key: the parent's row of each row."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """A foreign key, and how it is made: owner, chosen, inherited, self."""

    key: ForeignKey
    how: str
    via: ForeignKey | None = None  # inherited: the owner's own foreign key that gives it
    late: bool = False  # its parent is made after it: one link of a cycle
    one: bool = False  # no parent has two rows


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The tables in the order in which they are made, and the links of each."""

    order: tuple[str, ...]
    links: Mapping[str, tuple[Link, ...]]

    def owner(self, table: str) -> Link | None:
        return next((k for k in self.links[table] if k.how == "owner"), None)


def make(database: Database, index: Index) -> Plan:
    """The plan of a database whose references are known."""
    late = _late(database, index)
    order = _order(database, late)
    links: dict[str, tuple[Link, ...]] = {}
    for table in order:
        links[table] = _links(table, database.of(table), index, links, late)
    return Plan(order=tuple(order), links=links)


def _links(
    table: str,
    keys: Keys,
    index: Index,
    made: Mapping[str, tuple[Link, ...]],
    late: set[tuple[str, ForeignKey]],
) -> tuple[Link, ...]:
    owner = _owner(table, keys, index, late)
    found = []
    for key in keys.foreign:
        one = key.columns in keys.sets or bool(_most(index[table, key]) == 1)
        if key is owner:
            found.append(Link(key=key, how="owner", one=one))
        elif key.table == table:
            found.append(Link(key=key, how="self", one=one))
        elif (table, key) in late:
            found.append(Link(key=key, how="chosen", late=True, one=one))
        else:
            via = None if owner is None else _via(table, key, owner, index, made[owner.table])
            how = "chosen" if via is None else "inherited"
            found.append(Link(key=key, how=how, via=via, one=one))
    return tuple(sorted(found, key=lambda k: ["owner", "inherited", "chosen", "self"].index(k.how)))


def _most(rows: np.ndarray) -> int:
    there = rows[rows >= 0]
    return int(np.bincount(there).max()) if len(there) > 1 else 0


def _owner(
    table: str, keys: Keys, index: Index, late: set[tuple[str, ForeignKey]]
) -> ForeignKey | None:
    """The parent of most rows, among those that nearly all rows name; keys' own parts first."""
    best: tuple[tuple[bool, bool, int], ForeignKey] | None = None
    for key in keys.foreign:
        rows = index[table, key]
        if key.table == table or (table, key) in late or not len(rows):
            continue
        used = len(np.unique(rows[rows >= 0]))
        inside = any(set(key.columns) <= set(s) for s in keys.sets)
        alone = key.columns in keys.sets
        if (used < OWNERS and not alone) or (rows >= 0).mean() < 0.5:
            continue
        rank = (alone, inside, used)
        if best is None or rank > best[0]:
            best = rank, key
    return None if best is None else best[1]


def _via(
    table: str,
    key: ForeignKey,
    owner: ForeignKey,
    index: Index,
    above: Iterable[Link],
) -> ForeignKey | None:
    """The owner's foreign key that always names the same row as `key`: a claim's patient is that
    of its encounter."""
    rows, own = index[table, key], index[table, owner]
    there = own >= 0
    if not there.all():
        return None
    for link in above:
        if link.key.table == key.table and link.key.references == key.references:
            theirs = index[owner.table, link.key]
            if len(theirs) and np.array_equal(theirs[own], rows):
                return link.key
    return None


def _late(database: Database, index: Index) -> set[tuple[str, ForeignKey]]:
    """The links that break every cycle between tables: optional ones where there are any."""
    late: set[tuple[str, ForeignKey]] = set()
    while True:
        stuck = _stuck(database, late)
        if not stuck:
            return late
        ring = [
            (t, k)
            for t in sorted(stuck)
            for k in database.of(t).foreign
            if k.table in stuck
            and k.table != t
            and (t, k) not in late
            and _reaches(database, late, k.table, t)
        ]

        def ease(link: tuple[str, ForeignKey]) -> tuple[bool, float]:
            table, key = link
            free = not set(key.columns) <= set(database.of(table).required)
            rows = index[link]
            return free, float((rows == NONE).mean()) if len(rows) else 0.0

        late.add(max(ring, key=ease))


def _parents(database: Database, late: set[tuple[str, ForeignKey]], table: str) -> set[str]:
    return {k.table for k in database.of(table).foreign if (table, k) not in late} - {table}


def _stuck(database: Database, late: set[tuple[str, ForeignKey]]) -> set[str]:
    """Tables that lie on a cycle, or after one."""
    left = set(database.tables)
    while ready := {t for t in left if not _parents(database, late, t) & left}:
        left -= ready
    return left


def _reaches(database: Database, late: set[tuple[str, ForeignKey]], start: str, goal: str) -> bool:
    seen, front = set(), {start}
    while front:
        seen |= front
        front = {p for t in front for p in _parents(database, late, t)} - seen
    return goal in seen


def _order(database: Database, late: set[tuple[str, ForeignKey]]) -> list[str]:
    order: list[str] = []
    while len(order) < len(database.tables):
        order += [
            t
            for t in database.tables
            if t not in order and _parents(database, late, t) <= set(order)
        ]
    return order


def depths(up: np.ndarray) -> np.ndarray:
    """How far each row (N,) is from one without a parent of the same table; -1 on a cycle."""
    root = (up == NONE) | (up == DANGLING) | (up == np.arange(len(up)))
    found = np.where(root, 0, -1)
    while True:
        above = found[np.maximum(up, 0)]
        new = (found < 0) & (above >= 0)
        if not new.any():
            return found
        found[new] = above[new] + 1
