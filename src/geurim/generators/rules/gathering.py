"""The way that puts rows of several tables together, in order of time.

    of: patients
    gather:
      tables: {visits: time, admissions: entered}    # each with the column that is its time
      take: [reason]                                 # columns that all of them have
      to: patients.died

A row for each of theirs, with `time`, `source` (the table it is of) and what is taken. Unlike a
`union`, which is put together when all is made, other tables and columns can stand on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pyarrow as pa

from geurim.generators.rules.clock import Clock
from geurim.generators.rules.formulas import LINK
from geurim.generators.rules.kinds import decoded
from geurim.generators.rules.options import LABEL, WINDOW, Option, Options
from geurim.generators.rules.rows import Rows
from geurim.generators.rules.streams import Streams
from geurim.generators.rules.ways import TIME, Setting, Way, Window
from geurim.nodes import Node

if TYPE_CHECKING:
    from geurim.generators.rules.scope import Scope


@dataclass(frozen=True)
class Gathered(Way):
    """The rows of several tables within the same owner, from one time on and before another.

    Rows whose time is missing are left out. Times outside the world's period are kept unless
    `from` and `to` say otherwise.
    """

    clock: Clock = field(repr=False)
    window: Window
    times: tuple[tuple[str, str], ...]  # table, and the column that is its time
    taken: tuple[tuple[str, pa.DataType], ...]
    time: str
    key = "gather"
    options: ClassVar[Options] = {
        "tables": Option("match", "Tables within the same owner, each with its column of times."),
        "take": Option("names", "Columns that all of these tables have."),
        **WINDOW,
        "as": LABEL,
    }

    @classmethod
    def read(cls, node: Node, names: Scope, setting: Setting) -> Gathered:
        node.mapping(cls.options)
        times, take, said = [], node.get("take"), node.get("as")
        for table, at in node.need("tables").items():
            names.beside(Node(table, at.path, at.file, at.places))
            if names.of(table, at) != TIME:
                raise at.error(f"{at.value!r} of {table!r} is no time. Name a column of times.")
            times.append((table, at.text()))
        taken = [(n.text(), _shared(n, times, names)) for n in (take.list() if take else ())]
        window = Window.read(node, names)
        return cls(
            setting.clock,
            window,
            tuple(times),
            tuple(taken),
            "time" if said is None else said.text(),
        )

    @property
    def columns(self) -> Mapping[str, pa.DataType]:
        return {self.time: TIME, "source": pa.string(), **dict(self.taken)}

    @property
    def wants(self) -> frozenset[tuple[str, str]]:
        named = [(table, c) for table, time in self.times for c in ("", time)]
        return frozenset(named + [(t, c) for t, _ in self.times for c, _ in self.taken])

    def grow(self, owners: Rows, name: str, up: str, streams: Streams) -> Rows:
        parts = [owners.around.block[table] for table, _ in self.times]
        time_s = np.concatenate(
            [self.clock.seconds(p.get(c)) for p, (_, c) in zip(parts, self.times, strict=True)]
        )
        owner = np.concatenate([p.within(owners.name) for p in parts])
        start, end = self._ends(owners, name, up)
        there = np.flatnonzero((time_s >= start[owner]) & (time_s < end[owner]))
        there = there[np.lexsort((time_s[there], owner[there]))]
        index = pa.array(there)
        rows = owners.children(name, owner[there], up)
        rows.columns[self.time] = self.clock.moments(time_s[there])
        source = np.repeat(np.arange(len(parts), dtype=np.int32), [p.count for p in parts])
        tables = pa.array([table for table, _ in self.times])
        rows.columns["source"] = pa.DictionaryArray.from_arrays(source[there], tables)
        for column, kind in self.taken:
            whole = pa.concat_arrays([decoded(p.get(column)).cast(kind) for p in parts])
            rows.columns[column] = whole.take(index)
        return rows

    def _ends(self, owners: Rows, name: str, up: str) -> tuple[np.ndarray, np.ndarray]:
        """From when, and before when, each owner's rows may be (N,), seconds."""
        seen = owners.children(name, np.arange(owners.count), up)
        start, end = self.window.seconds(seen, self.clock, inside=False)
        if self.window.start is None:
            start = np.full(owners.count, -np.inf)
        return start, end if self.window.end is not None else np.full(owners.count, np.inf)


def _shared(node: Node, times: list[tuple[str, str]], names: Scope) -> pa.DataType:
    """The type of a column that all of the tables have."""
    found = {table: names.of(table, node) for table, _ in times}
    kinds = set(found.values())
    if len(kinds) > 1 or LINK in kinds:
        told = ", ".join(f"{k} in {t!r}" for t, k in found.items())
        raise node.error(f"{node.value!r} is {told}. Take a column of one type, and no reference.")
    return kinds.pop()
