"""All tables of a world, made in one pass over the blocks of its roots."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.contract import Event, Json, Lineage, Progress, Source
from geurim.errors import SettingError
from geurim.generators.rules.engine import Engine, tables_of, written, written_schema
from geurim.generators.rules.keys import Key
from geurim.generators.rules.plan import Plan, Table
from geurim.relations.keys import Database, ForeignKey, Keys
from geurim.relations.rows import Spill

if TYPE_CHECKING:
    from geurim.generators.rules.world import World

_WORLD = 0x776F726C
_BATCH = 65_536


def sample_world(
    world: World,
    plan: Plan,
    asked: Json,
    rows: int | None,
    seed: int | None,
    workers: int,
    progress: Progress,
) -> Database:
    """The tables of a world that are put out, with their keys."""
    if rows is not None and rows < 0:
        raise SettingError(f"{rows} rows were asked for. Give a number from 0.")
    if workers < 1:
        raise SettingError(f"workers is {workers!r}. Give a whole number from 1.")
    seed = secrets.randbits(63) if seed is None else seed
    counts = world.counts(rows)
    state = np.random.SeedSequence(seed, spawn_key=(_WORLD,)).generate_state(2, np.uint64)
    engine = Engine.prepare(plan, int(state[0]) << 64 | int(state[1]), counts)
    spills = {n: Spill(written_schema(plan, n)) for n in _pieces(plan)}
    try:
        for root in plan.roots:
            for batches in _blocks(engine, root, workers, progress):
                for name, batch in batches.items():
                    spills[name].add(batch)
        made = {n: spill.table() for n, spill in spills.items()}
    finally:
        for spill in spills.values():
            spill.drop()
    tables = {n: _finished(plan, plan.tables[n], made) for n in plan.put_out}
    lineage = Lineage.made(repr(world), seed=seed, request=[world.digest, counts, asked])
    return Database(
        tables={n: _source(t, lineage) for n, t in tables.items()},
        keys={n: keys_of(plan, plan.tables[n]) for n in tables},
        lineage=lineage,
    )


def _pieces(plan: Plan) -> list[str]:
    """The tables that are made and written: those put out, unions by their parts."""
    shown = [plan.tables[n] for n in plan.put_out]
    named = [n for t in shown for n in (t.parts or (t.name,))]
    return list(dict.fromkeys(named))


@dataclass(frozen=True, kw_only=True)
class _Job:
    """A root's blocks, to be made by anyone: it can be pickled and needs a number only."""

    engine: Engine
    root: str
    pieces: tuple[str, ...]
    offsets: tuple[Mapping[str, int], ...] = ()
    running: dict[str, int] = field(default_factory=dict)

    def sizes(self, block: int) -> dict[str, int]:
        """How many rows each table has in a block."""
        plan = self.engine.plan
        steps = plan.wanted((n, "") for n in plan.tree(self.root))
        return {n: r.count for n, r in self.engine.make(self.root, block, steps).items()}

    def __call__(self, block: int) -> dict[str, pa.RecordBatch]:
        plan, streams = self.engine.plan, self.engine.streams(self.root, block)
        offsets = self.offsets[block] if self.offsets else dict(self.running)
        found = {}
        for rows in tables_of(self.engine, self.root, block):
            if rows.name in self.pieces:
                found[rows.name] = written(plan, rows, offsets, streams)
            self.running[rows.name] = self.running.get(rows.name, 0) + rows.count
        return found


def _blocks(
    engine: Engine, root: str, workers: int, progress: Progress
) -> Iterator[Mapping[str, pa.RecordBatch]]:
    """What is written of each block of a root, in order."""
    from geurim.sample import Processes

    blocks, size = engine.blocks(root), engine.block_rows(root)
    tree = engine.plan.tree(root)
    nothing = dict.fromkeys(tree, 0)
    job = _Job(engine=engine, root=root, pieces=tuple(_pieces(engine.plan)), running=nothing)
    results: Iterator[dict[str, pa.RecordBatch]] = map(job, range(blocks))
    if workers > 1 and blocks > 1:
        sizes = [job.sizes(block) for block in range(blocks)]
        offsets = [nothing]
        for found in sizes[:-1]:
            offsets.append({n: offsets[-1][n] + found[n] for n in tree})
        job = _Job(engine=engine, root=root, pieces=job.pieces, offsets=tuple(offsets))
        results = Processes(workers)(job, blocks)
    total = engine.counts[root]
    for block, found in enumerate(results):
        yield found
        done = min((block + 1) * size, total)
        progress(Event(step="sample", done=done, total=total, note=root))


def _finished(plan: Plan, table: Table, made: Mapping[str, pa.Table]) -> pa.Table:
    """A table as it is put out: a union joined, in the order that is asked for."""
    schema = written_schema(plan, table.name)
    found = made[table.name] if not table.parts else _joined(schema, table, made)
    if table.sort:
        found = found.take(pc.sort_indices(found, [(c, "ascending") for c in table.sort]))
    for name, column in table.columns.items() if table.parts else ():
        assert isinstance(column.kind, Key)
        keys = column.kind.written(pa.array(np.arange(found.num_rows)))
        found = found.set_column(schema.get_field_index(name), schema.field(name), keys)
    return found


def _joined(schema: pa.Schema, table: Table, made: Mapping[str, pa.Table]) -> pa.Table:
    parts = []
    for name in table.parts:
        part = made[name]
        columns = [
            part[f.name] if f.name in part.column_names else pa.nulls(part.num_rows, f.type)
            for f in schema
        ]
        parts.append(pa.table(columns, schema=schema))
    return pa.concat_tables(parts)


def _source(table: pa.Table, lineage: Lineage) -> Source:
    return Source(
        schema=table.schema,
        lineage=lineage,
        read=lambda: iter(table.to_batches(max_chunksize=_BATCH)),
        rows=table.num_rows,
    )


def keys_of(plan: Plan, table: Table) -> Keys:
    """The key of a table, and what its columns refer to."""
    if table.parts:
        parts = [(written_schema(plan, n), keys_of(plan, plan.tables[n])) for n in table.parts]
        found = dict.fromkeys(f for _, keys in parts for f in keys.foreign)
        foreign = [
            f
            for f in found
            if all(f in k.foreign for s, k in parts if not {*f.columns}.isdisjoint(s.names))
        ]
        own = tuple(table.columns)
        return Keys(primary=own[:1], foreign=tuple(foreign), required=own[:1])
    foreign = []
    links = {n: t for n, t in table.links.items() if not table.columns[n].hidden}
    if table.parent is not None:
        links = {table.up: table.parent, **links}
    for column, other in links.items():
        key = plan.tables[other].key
        if key is not None and not plan.tables[other].hidden:
            foreign.append(ForeignKey(columns=(column,), table=other, references=(key[0],)))
    mine = table.key
    primary = () if mine is None else (mine[0],)
    return Keys(primary=primary, foreign=tuple(foreign), required=primary)
