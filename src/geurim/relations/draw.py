"""Making a database: parents before children, block by block, references last."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from geurim.contract import Event, Lineage, Progress, Source, quiet
from geurim.errors import SettingError
from geurim.relations.assign import (
    calibrated,
    distinct,
    hierarchy,
    matched,
    pick,
    settle_pairs,
    share_out,
)
from geurim.relations.keys import Database, ForeignKey, Keys
from geurim.relations.made import Made
from geurim.relations.model import NOWHERE, SMALL, FittedDatabase, TableModel
from geurim.relations.plan import Link
from geurim.relations.rows import DANGLING, NONE, kept, paired, taken, tuples
from geurim.relations.unique import distinct_levels, distinct_texts, series_values

BLOCK = 32_768
_SAMPLE = 0x73616D70


def sample_database(
    fitted: FittedDatabase,
    scale: float = 1.0,
    *,
    seed: int | None = None,
    progress: Progress = quiet,
) -> Database:
    """A synthetic database, `scale` times as large: every reference names a row that is there,
    but for those that dangled in the real data and were kept.

    Memory holds the keys and what children are learned from; other columns of large tables lie
    on disk. Kept tables are as they were, whatever the scale. The same seed gives the same rows.
    """
    if not 0 < scale < float("inf"):
        raise SettingError(f"The scale is {scale!r}. Give a number above 0, such as 0.1 or 2.")
    seed = secrets.randbits(63) if seed is None else seed
    maker = _Maker(fitted=fitted, scale=scale, seed=seed)
    order = fitted.plan.order
    for place, table in enumerate(order):
        progress(Event(step="sample", done=place, total=len(order), unit="tables", note=table))
        maker.make(place, table)
    for table in order:
        for link in fitted.plan.links[table]:
            if link.late and fitted.models[table].kept is None:
                maker.choose(maker.made[table], link, maker.rng(order.index(table), 2**30))
    progress(Event(step="sample", done=len(order), total=len(order), unit="tables"))
    lineage = Lineage.made(
        fitted.lineage.maker,
        seed=seed,
        request=[fitted.lineage.digest, scale],
        parents=fitted.lineage.parents,
    )
    return Database(
        tables={n: _source(maker.made[n], lineage) for n in fitted.models},
        keys={n: _with_dangling(maker.made[n]) for n in fitted.models},
        lineage=lineage,
        notes=(*fitted.notes, *maker.notes),
        blank=fitted.blank,
    )


def _source(made: Made, lineage: Lineage) -> Source:
    return Source(schema=made.model.schema, lineage=lineage, read=made.batches, rows=made.rows)


def _with_dangling(made: Made) -> Keys:
    keys = made.model.keys
    foreign = []
    for key in keys.foreign:
        index = made.index.get(key)
        lost = 0 if index is None else int((index == DANGLING).sum())
        foreign.append(replace(key, dangling=lost))
    return replace(keys, foreign=tuple(foreign))


@dataclass(eq=False)
class _Maker:
    """The tables made so far."""

    fitted: FittedDatabase
    scale: float
    seed: int
    made: dict[str, Made] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def rng(self, *key: int) -> np.random.Generator:
        spawned = np.random.SeedSequence(self.seed, spawn_key=(_SAMPLE, *key))
        return np.random.default_rng(spawned)

    def make(self, place: int, table: str) -> None:
        model = self.fitted.models[table]
        links = self.fitted.plan.links[table]
        made = Made(model=model, links=links, all=self.made)
        self.made[table] = made
        if model.kept is not None:
            made.rows = model.kept.num_rows
            made.index = dict(model.up)
            return
        owner = self.fitted.plan.owner(table)
        rng = self.rng(place, 0)
        if owner is None:
            made.rows = max(1, round(self.scale * model.rows))
        else:
            made.index[owner.key] = self._owned(model, owner, rng)
            made.rows = len(made.index[owner.key])
            if model.lost:
                self._nowhere(made, owner.key, rng)
        made.frame = self._frame(place, made, owner)
        if model.prototypes and made.rows:
            names = list(model.coarse)
            made.prototype = matched(
                [model.coarse[n].codes(made.column(n)) for n in names],
                [model.prototypes[n] for n in names],
                [model.worth[n] for n in names],
                [model.coarse[n].cuts is not None for n in names],
                rng,
            )
        elif model.rows <= SMALL:
            made.prototype = rng.permutation(np.arange(made.rows) % model.rows)
        for link in links:
            if link.how == "inherited" and link.via is not None and owner is not None:
                parent = self.made[owner.key.table]
                made.index[link.key] = _through(parent, link.via, made.index[owner.key])
            elif link.how == "chosen" and not link.late:
                self.choose(made, link, rng)
            elif link.how == "self":
                self._own(made, link, owner, rng)
        self._apart(made, rng)

    def _owned(self, model: TableModel, owner: Link, rng: np.random.Generator) -> np.ndarray:
        """The owner's row of each row: as many rows as each owner's count says."""
        parent = self.made[owner.key.table]
        count = parent.weight(model.name, owner.key)
        total = self.scale * model.rows * (1 - model.orphans)
        if parent.model.kept is not None and not owner.one:
            chance = count / max(count.sum(), 1)
            rows = rng.multinomial(round(total), chance) if count.sum() else count.astype(np.int64)
        else:
            rows = calibrated(count, total, rng, 1 if owner.one else None)
        found = np.repeat(np.arange(parent.rows), rows)
        free = round(self.scale * model.rows * model.orphans)
        lost = round(self.scale * model.rows * model.lost)
        alone = np.full(free, NONE, np.int64)
        alone[:lost] = DANGLING
        if not len(found) + free and parent.rows:
            found = rng.integers(0, parent.rows, 1)
        return np.concatenate([found, alone])

    def _frame(self, place: int, made: Made, owner: Link | None) -> pa.Table:
        """All that is drawn, block by block."""
        blocks = -(-made.rows // BLOCK)
        first = self._block(place, made, owner, 0)

        def batches() -> Iterator[pa.RecordBatch]:
            yield first
            for block in range(1, blocks):
                yield self._block(place, made, owner, block)

        return kept(first.schema, batches())

    def _block(self, place: int, made: Made, owner: Link | None, block: int) -> pa.RecordBatch:
        model, start = made.model, block * BLOCK
        count = min(BLOCK, made.rows - start)
        rng = self.rng(place, 1, block)
        columns: dict[str, pa.Array] = {}
        if model.learned is not None:
            names = [n for n in model.learned.schema.names if n[0] in "12"]
            given = None
            if names and owner is not None:
                rows = made.index[owner.key][start : start + count]
                given = pa.table({n: self._above(owner, n, rows) for n in names})
            batch = model.learned.draw(count, rng, given)
            columns = {
                n: c
                for n, c in zip(batch.schema.names, batch.columns, strict=True)
                if n not in names
            }
        if owner is not None:
            rows = made.index[owner.key][start : start + count]
            parent = self.made[owner.key.table]
            for name, other in model.copied.items():
                columns[f"c:{name}"] = taken(parent.value(other), rows)
        assert model.anew is not None
        plain = {n[2:]: c for n, c in columns.items() if n[:2] == "c:"}
        learned = pa.table(plain) if plain else None
        for name, column in model.anew.make(count, rng, start, learned).items():
            if name not in model.copied:
                columns[f"a:{name}"] = column
        if not columns:
            columns["-"] = pa.nulls(count, pa.int8())
        return pa.RecordBatch.from_pydict(columns)

    def _above(self, owner: Link, name: str, rows: np.ndarray) -> pa.Array:
        """A column of the owner ("1:…"), or of the owner's owner ("2:…"), for rows of it."""
        parent = self.made[owner.key.table]
        if name[0] == "1":
            return taken(parent.column(name[2:]), rows)
        above = self.fitted.plan.owner(owner.key.table)
        assert above is not None
        up = _through(parent, above.key, rows)
        return taken(self.made[above.key.table].column(name[2:]), np.maximum(up, NONE))

    def choose(self, made: Made, link: Link, rng: np.random.Generator) -> None:
        """The parent's row of each row, for a reference whose kind of row was drawn."""
        key, model = link.key, made.model
        parent = self.made[key.table]
        drawn = made.column(f"k:{key.text}").to_numpy(zero_copy_only=False)
        gone = np.array([v is None for v in drawn], bool)
        lost = ~gone & (drawn == NOWHERE)
        live = np.flatnonzero(~gone & ~lost)
        index = np.where(lost, DANGLING, NONE).astype(np.int64)
        names, there = np.unique(parent.kinds(model.kinds[key]), return_inverse=True)
        asked = drawn[live].astype(str)
        wanted = np.searchsorted(names, asked)
        unknown = (wanted >= len(names)) | (names[np.minimum(wanted, len(names) - 1)] != asked)
        wanted = np.where(unknown, len(names), wanted)
        weight = parent.weight(model.name, key)
        pool = self._pool(made, link, parent)
        if pool is not None:
            mine, theirs = pool[0][live], pool[1]
            size = len(names) + 1
            wanted, there = mine * size + wanted, theirs * size + there
            found = pick(wanted, there, rng, weight)
            left = np.flatnonzero(found < 0)
            found[left] = pick(mine[left], theirs, rng, weight)
        elif model.kinds[key].cuts:
            mine, theirs = np.zeros(len(live), np.int64), np.zeros(parent.rows, np.int64)
            found = share_out(wanted, there, weight, rng)
        else:
            mine, theirs = np.zeros(len(live), np.int64), np.zeros(parent.rows, np.int64)
            found = pick(wanted, there, rng)
            left = np.flatnonzero(found < 0)
            found[left] = pick(mine[left], theirs, rng, weight)
        drop = np.zeros(made.rows, bool)
        if link.one:
            found = distinct(found, parent.rows, weight, rng)
        else:
            for group in self._groups(made, key, live):
                found, none = settle_pairs(group, found, wanted, there, weight, rng, (mine, theirs))
                found[none] = NONE
        index[live] = found
        made.index[key] = index
        if lost.any():
            self._nowhere(made, key, rng)
        needed = set(key.columns) & set(model.keys.required)
        if needed and not link.late:
            drop[live] = found == NONE
            if drop.any():
                made.without(drop)
                self.notes.append(
                    f"{model.name}: {int(drop.sum()):,} rows were left out, because no row of "
                    f"{key.table} was free for them."
                )
        made.forget()

    def _groups(self, made: Made, key: ForeignKey, live: np.ndarray) -> list[np.ndarray]:
        """What else tells rows apart, for each unique set that this reference completes."""
        groups = []
        done = {c for k in made.index for c in k.columns}
        for columns in made.model.keys.sets:
            others = [c for c in columns if c not in key.columns]
            if not set(columns) & set(key.columns) or not set(others) <= done or not others:
                continue
            codes = tuples([taken(made.value(c), live) for c in others])
            groups.append(codes)
        return groups

    def _pool(self, made: Made, link: Link, parent: Made) -> tuple[np.ndarray, np.ndarray] | None:
        """Codes that a row and its parent must share, where keys overlap: one tenant's rows."""
        known = {c for k in made.index for c in k.columns}
        pairs = [
            (own, there)
            for own, there in zip(link.key.columns, link.key.references, strict=True)
            if own in known
        ]
        if not pairs:
            return None
        mine = np.zeros(made.rows, np.int64)
        theirs = np.zeros(parent.rows, np.int64)
        for own, there in pairs:
            first, second = paired(made.value(own), parent.value(there))
            size = int(max(first.max(initial=0), second.max(initial=0))) + 2
            both = np.concatenate([mine * size + first + 1, theirs * size + second + 1])
            both = np.unique(both, return_inverse=True)[1]
            mine, theirs = both[: made.rows], both[made.rows :]
        return mine, theirs

    def _own(self, made: Made, link: Link, owner: Link | None, rng: np.random.Generator) -> None:
        """A hierarchy within one table."""
        key = link.key
        drawn = made.column(f"d:{key.text}").to_numpy(zero_copy_only=False)
        depth = np.nan_to_num(drawn.astype(float)).astype(np.int64)
        lost = depth == -2
        depth = np.where(lost, 0, depth)
        # At least one row stands at the top where a real one did, and no level is empty.
        levels = np.unique(depth[depth >= 0])
        depth = np.where(depth >= 0, np.searchsorted(levels, depth), depth)
        same = made.model.same_owner.get(key, False) and owner is not None
        group = made.index[owner.key] + 2 if same and owner else np.zeros(made.rows, np.int64)
        up = hierarchy(depth, group, made.weight(made.model.name, key), rng)
        if made.model.cyclic.get(key):
            up = np.where(up == NONE, np.arange(made.rows), up)
        if link.one:
            up = distinct(up, made.rows, np.ones(made.rows), rng)
        up[lost] = DANGLING
        made.index[key] = up
        if lost.any():
            self._nowhere(made, key, rng)

    def _nowhere(self, made: Made, key: ForeignKey, rng: np.random.Generator) -> None:
        """Values for references to no row: keys that the parent would have got next."""
        parent = self.made[key.table]
        popular = made.model.nowhere[key]
        lost = made.index[key] == DANGLING
        count = max(1, round(self.scale * len(popular)))
        share = rng.choice(popular, count) if len(popular) else np.ones(count)
        place = np.full(made.rows, -1, np.int64)
        place[lost] = rng.choice(count, int(lost.sum()), p=share / share.sum())
        assert parent.model.anew is not None
        fresh = parent.model.anew.make(count, rng, max(parent.rows, parent.model.rows))
        columns = {}
        for name in key.references:
            if name in fresh:
                columns[name] = fresh[name]
            elif parent is not made and parent.rows:
                columns[name] = taken(parent.value(name), rng.integers(0, parent.rows, count))
            else:
                columns[name] = pa.nulls(count, parent.model.schema.field(name).type)
        made.lost[key] = pa.table(columns)
        made.place[key] = place

    def _apart(self, made: Made, rng: np.random.Generator) -> None:
        """Rows told apart by every unique set that references alone do not settle."""
        model = made.model
        for series in model.series:
            if made.rows:
                made.fixed[series.column] = series_values(made, series, rng)
        joined = {c for k in model.keys.foreign for c in k.columns}
        done = {s.key for s in model.series}
        for key in model.keys.sets:
            free = [c for c in key if c not in joined]
            if key in done or not free or not made.rows:
                continue
            if len(key) == 1:
                distinct_texts(made, key[0])
                continue
            drop = distinct_levels(made, key, free, rng)
            if drop.any():
                made.without(drop)
                self.notes.append(
                    f"{model.name}: {int(drop.sum()):,} rows were left out, because the "
                    f"combinations of {', '.join(key)} that were drawn were there already."
                )


def _through(parent: Made, key: ForeignKey, rows: np.ndarray) -> np.ndarray:
    """The row that the parent's own reference names, for rows of the parent."""
    up = parent.index[key]
    return np.asarray(np.where(rows >= 0, up[np.maximum(rows, 0)], rows))
