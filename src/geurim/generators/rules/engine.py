"""A plan carried out, block by block: rows of a root with all that belongs to them.

Every column has its own random stream in every block, so the same block is the same whoever makes
it, and a table of which others need all rows can be made beforehand, in the columns they need.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.errors import SamplingError, SettingError
from geurim.generators.rules.anomalies import spoilt
from geurim.generators.rules.keys import Key
from geurim.generators.rules.plan import KEPT, WRITTEN, Plan, Step, Table
from geurim.generators.rules.rows import Around, Rows
from geurim.generators.rules.streams import Streams

BLOCK, SMALL_BLOCK = 32_768, 2_048
"""Rows of a root in a block: alone, and with tables within it."""

_TRIES = 1_000
_PATIENCE = 2_000_000


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A plan, a seed and the number of rows of each root: all that decides what is made."""

    plan: Plan
    entropy: int
    counts: Mapping[str, int]
    whole: Mapping[str, Rows] = field(default_factory=dict)
    size: int | None = None  # rows of a root in a block, where not the usual ones

    @classmethod
    def prepare(cls, plan: Plan, entropy: int, counts: Mapping[str, int]) -> Engine:
        """With the tables made of which all rows are needed."""
        engine = cls(plan=plan, entropy=entropy, counts=counts)
        whole: dict[str, Rows] = {}
        for table, columns in plan.references().items():
            engine = cls(plan=plan, entropy=entropy, counts=counts, whole=dict(whole))
            whole[table] = engine.all_rows(table, columns)
        return cls(plan=plan, entropy=entropy, counts=counts, whole=whole)

    def block_rows(self, root: str) -> int:
        """Rows of a root in one block."""
        said = self.size or self.plan.tables[root].block
        return said or (BLOCK if len(self.plan.tree(root)) == 1 else SMALL_BLOCK)

    def blocks(self, root: str) -> int:
        """How many blocks a root is made in; an empty one in one."""
        return max(-(-self.counts[root] // self.block_rows(root)), 1)

    def all_rows(self, table: str, columns: Iterable[str]) -> Rows:
        """All rows of a table, in some of its columns."""
        root, named = self.plan.root(table), sorted(c for c in columns if c)
        steps = self.plan.wanted((table, c) for c in ["", *named])
        parts: dict[str, list[pa.Array]] = {n: [] for n in named}
        count = 0
        for block in range(self.blocks(root)):
            rows = self.make(root, block, steps)[table]
            count += rows.count
            for name in named:
                parts[name].append(_plain(rows.get(name)))
        whole = {n: pa.concat_arrays(p) for n, p in parts.items()}
        return Rows(table, count, first=0, columns=whole)

    def streams(self, root: str, block: int) -> Streams:
        """The random streams of a block."""
        return Streams(self.entropy).at(root, block)

    def make(self, root: str, block: int, steps: Iterable[Step]) -> dict[str, Rows]:
        """The rows of a root's block and of what belongs to them, in the columns of `steps`."""
        around = Around(whole=dict(self.whole))
        streams = self.streams(root, block)
        tree = set(self.plan.tree(root))
        for step in steps:
            if step.table in tree:
                self._carry_out(step, root, block, around, streams)
        return around.block

    def _carry_out(
        self, step: Step, root: str, block: int, around: Around, streams: Streams
    ) -> None:
        table, mine = self.plan.tables[step.table], streams.at(step.table)
        if step.column == WRITTEN:
            return
        if step.column == "":
            around.block[table.name] = self._rows(table, root, block, around, mine.at(""))
        elif step.column == KEPT:
            self._keep(table, step.columns, around.block[table.name], mine)
        else:
            fill(table, step.column, around.block[table.name], mine)

    def _rows(self, table: Table, root: str, block: int, around: Around, streams: Streams) -> Rows:
        if table.way is not None and table.parent is not None:
            return table.way.grow(around.block[table.parent], table.name, table.up, streams)
        size = self.block_rows(root)
        first = block * size
        count = max(min(size, self.counts[root] - first), 0)
        rows = Rows(table.name, count, first=first, around=around)
        if table.fixed is not None:
            part = table.fixed.slice(first, count)
            rows.columns.update(
                {n: pa.concat_arrays(part[n].chunks) for n in part.column_names if count}
            )
        return rows

    def _keep(self, table: Table, names: tuple[str, ...], rows: Rows, streams: Streams) -> None:
        """Columns drawn until every row meets the constraints; each row only as often as needed."""
        for name in names:
            fill(table, name, rows, streams)
        again = _broken(table, rows)
        drawn = 0
        for round in range(1, _TRIES + 1):
            if not len(again):
                return
            drawn += len(again)
            if drawn > _PATIENCE and round > 100:
                break
            part = rows.part(again)
            for name in names:
                fill(table, name, part, streams.at("again", round))
            better = np.setdiff1d(np.arange(len(again)), _broken(table, part))
            mask = np.zeros(rows.count, bool)
            mask[again[better]] = True
            for name in names:
                new = _plain(part.columns[name]).take(pa.array(better))
                rows.columns[name] = pc.replace_with_mask(
                    _plain(rows.columns[name]), pa.array(mask), new
                )
                _link(table, name, rows)
            again = np.delete(again, better)
        if len(again):
            texts = " and ".join(repr(str(c.expression)) for c in table.constraints)
            raise SamplingError(
                f"{len(again):,} of {rows.count:,} rows of {table.name!r} never met the "
                f"constraints {texts} in {round:,} draws each. Loosen them, or draw nearer to them."
            )


def _broken(table: Table, rows: Rows) -> np.ndarray:
    meets = np.ones(rows.count, bool)
    rows._seen.clear()
    for condition in table.constraints:
        meets &= condition.mask(rows)
    return np.flatnonzero(~meets)


def fill(table: Table, name: str, rows: Rows, streams: Streams) -> None:
    """Make a column of rows, in its own stream."""
    try:
        made = table.columns[name].kind.make(rows, streams.at(name))
    except SettingError as error:
        raise SettingError(f"{table.name}.{name}: {error}") from error
    rows.columns[name] = made.combine_chunks() if isinstance(made, pa.ChunkedArray) else made
    _link(table, name, rows)


def _link(table: Table, name: str, rows: Rows) -> None:
    """Let dotted names follow a column that names rows elsewhere."""
    other = table.links.get(name)
    if other is None:
        return
    kind = table.columns[name].kind
    place = rows.around.whole if kind.everywhere else rows.around.block
    index = rows.columns[name].fill_null(-1).to_numpy(zero_copy_only=False)
    rows.links[name] = (place[other], index)


def _plain(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


# What is put out


def written_schema(plan: Plan, name: str) -> pa.Schema:
    """The columns of a table as they are put out: its key, its owner, and the rest."""
    table = plan.tables[name]
    if table.parts:
        return _joint_schema(plan, table)
    fields: dict[str, pa.DataType] = {}
    key = table.key
    if key is not None:
        fields[key[0]] = key[1].type
    if table.parent is not None and plan.names_owner(table):
        fields[table.up] = key_type(plan, table.parent)
    if table.way is not None:
        fields |= dict(table.way.columns)
    if table.fixed is not None:
        fields |= {f.name: f.type for f in table.fixed.schema}
    for column, about in table.columns.items():
        if not about.hidden:
            other = table.links.get(column)
            fields[column] = about.type if other is None else key_type(plan, other)
    fields |= {a.label: pa.string() for a in table.anomalies}
    return pa.schema(list(fields.items()))


def _joint_schema(plan: Plan, table: Table) -> pa.Schema:
    fields = {n: c.type for n, c in table.columns.items()}
    for part in table.parts:
        for found in written_schema(plan, part):
            fields.setdefault(found.name, found.type)
    return pa.schema(list(fields.items()))


def key_type(plan: Plan, table: str) -> pa.DataType:
    """The type of the values that name a row of a table: its key's, else row numbers from 1."""
    key = plan.tables[table].key
    return pa.int64() if key is None else key[1].type


def _as_key(plan: Plan, table: str, numbers: pa.Array) -> pa.Array:
    key = plan.tables[table].key
    return (Key() if key is None else key[1]).written(numbers)


def written(plan: Plan, rows: Rows, offsets: Mapping[str, int], streams: Streams) -> pa.RecordBatch:
    """A table of a block as it is put out; `offsets`: how many rows of each table came before."""
    table = plan.tables[rows.name]
    streams = streams.at(table.name, "written")
    found: dict[str, pa.Array] = {}
    own = pa.array(np.arange(rows.count) + offsets[table.name])
    for name, about in table.columns.items():
        if name in table.links:
            other = table.links[name]
            shift = 0 if about.kind.everywhere else offsets[other]
            found[name] = _as_key(plan, other, pc.add(rows.columns[name], shift))
        elif isinstance(about.kind, Key):
            found[name] = about.kind.written(own)
        else:
            found[name] = rows.columns[name]
    brought = [*(table.way.columns if table.way else ()), *_names(table.fixed)]
    found |= {n: rows.get(n) for n in brought}
    found = spoilt(found, table.anomalies, rows, streams.at("anomalies"))
    for name, about in table.columns.items():
        if name not in table.links and not isinstance(about.kind, Key):
            found[name] = about.written(found[name], rows, streams.at(name))
    if table.parent is not None and plan.names_owner(table):
        found[table.up] = _as_key(
            plan, table.parent, pa.array(np.asarray(rows.owner) + offsets[table.parent])
        )
    schema = written_schema(plan, table.name)
    arrays = [_plain(found[f.name]).cast(f.type) for f in schema]
    batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
    return batch if table.where is None else batch.filter(pa.array(table.where.mask(rows)))


def _names(fixed: pa.Table | None) -> list[str]:
    return [] if fixed is None else fixed.column_names


def tables_of(engine: Engine, root: str, block: int) -> Iterator[Rows]:
    """The tables of a block that are put out, alone or in a union, with all that they need."""
    plan = engine.plan
    tree = plan.tree(root)
    shown = [n for n in tree if not plan.tables[n].hidden or _in_union(plan, n)]
    parts = [(s.table, s.column) for s in plan.steps if s.table in shown]
    made = engine.make(root, block, plan.wanted(parts))
    for name in tree:
        if name in made:
            yield made[name]


def _in_union(plan: Plan, name: str) -> bool:
    return any(name in t.parts for t in plan.tables.values() if not t.hidden)
