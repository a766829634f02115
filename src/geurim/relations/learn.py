"""One table after the other, each learned given its parents."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.analyze import analyze
from geurim.columns import from_axis, is_ordered, is_time, to_axis
from geurim.contract import Profile, Source
from geurim.generators import LEARNED
from geurim.generators.anew import Anew
from geurim.generators.trees import FittedTrees, Trees
from geurim.levels import learn as learn_levels
from geurim.relations import plan as planning
from geurim.relations.context import CONTEXT, Coarse, common, summaries, telling, told
from geurim.relations.keys import Database, ForeignKey
from geurim.relations.model import NOWHERE, SMALL, Kind, Series, TableModel
from geurim.relations.plan import Link, Plan
from geurim.relations.rows import DANGLING, taken, tuples, whole

NAMED = 1_000
"""Kept tables of which so few rows are named: a reference to one learns which row it is."""
COPIED = 0.8
"""A column that repeats the owner's in so many rows is taken from there: a shipping address."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Learner:
    """All that is known while tables are learned one after the other; `frames` grows."""

    database: Database
    rows: Mapping[str, pa.Table]
    index: Mapping[tuple[str, ForeignKey], np.ndarray]
    plan: Plan
    keep: frozenset[str]
    generator: Trees
    frames: dict[str, dict[str, pa.Array]] = field(default_factory=dict)
    contexts: dict[str, list[str]] = field(default_factory=dict)
    profiles: dict[str, Profile] = field(default_factory=dict)

    def learn(self, table: str, rng: np.random.Generator) -> TableModel:
        """The model of one table; those that it needs were learned before (`plan.order`)."""
        rows, keys = self.rows[table], self.database.of(table)
        model = TableModel(name=table, schema=rows.schema, keys=keys, rows=rows.num_rows)
        if not rows.num_rows:
            self.frames[table] = {}
            return replace(model, kept=rows)
        profile = self._profile(table)
        links = self.plan.links[table]
        owner = self.plan.owner(table)
        owned = self.index[table, owner.key] if owner else None
        copied = self._copied(table, owner.key, profile) if owner else {}
        series = self._series(table)
        learned = [
            n
            for n in profile.schema.names
            if profile.columns[n]["role"] in LEARNED
            and n not in copied
            and not any(s.column == n and len(s.steps) for s in series)
        ]
        own = {f"c:{n}": whole(rows[n]) for n in learned}
        kinds = {k.key: self._kind(k, table, own) for k in links if k.how == "chosen"}
        frame = dict(own)
        for key, kind in kinds.items():
            frame[f"k:{key.text}"] = self._kinds(table, key, kind)
        for link in links:
            if link.how == "self":
                frame[f"d:{link.key.text}"] = self._depth(table, link)
        frame |= self._latent(table)
        self.frames[table] = self._shown(table, frame | {f"c:{n}": whole(rows[n]) for n in copied})
        if table in self.keep:
            return replace(
                model,
                kept=rows,
                up={k.key: self.index[table, k.key] for k in links},
                frame=self.frames[table],
                profile=profile,
                anew=Anew.plan(profile, self._source(table), rng),
            )
        given = self._context(table, owner, [*own.values(), *_counts(frame)])
        held = _without(profile, copied)
        model = replace(
            model,
            profile=held,
            anew=Anew.plan(profile, self._source(table), rng),
            learned=self._trees(table, given, frame, held, rng),
            copied=copied,
            kinds=kinds,
            series=series,
            nowhere={k.key: _popular(rows, k.key, self.index[table, k.key]) for k in links},
            cyclic={k.key: self._named_itself(table, k.key) for k in links if k.how == "self"},
            same_owner={
                k.key: self._same_owner(table, k.key, owned) for k in links if k.how == "self"
            },
        )
        if owned is not None:
            most = np.bincount(owned[owned >= 0]).max(initial=0)
            model = replace(
                model,
                most=1 if owner and owner.one else int(most),
                orphans=float((owned < 0).mean()),
                lost=float((owned == DANGLING).mean()),
            )
        if rows.num_rows <= SMALL:
            coarse = {n: Coarse.of(common(c), SMALL) for n, c in own.items()}
            codes = {n: c.codes(frame[n]) for n, c in coarse.items()}
            worth = self._worth(table, codes) if codes else {}
            model = replace(model, coarse=coarse, prototypes=codes, worth=worth)
        return model

    def _source(self, table: str) -> Source:
        """The rows without what references say, every key of one column declared one."""
        rows, keys = self.rows[table], self.database.of(table)
        joined = {c for k in keys.foreign for c in k.columns}
        alone = {s[0] for s in keys.sets if len(s) == 1}
        fields, columns = [], []
        for found in rows.schema:
            if found.name in joined:
                continue
            code = pa.types.is_integer(found.type) or pa.types.is_string(found.type)
            if found.name in alone and code and rows[found.name].null_count < rows.num_rows:
                entity = (found.metadata or {}).get(b"geurim.role")
                if found.name in keys.primary or entity is None:
                    found = self._as_key(found, rows[found.name], found.name in keys.primary)
            fields.append(found)
            columns.append(rows[found.name])
        part = pa.table(columns, schema=pa.schema(fields)) if fields else None
        source = self.database.tables[table]
        if part is None:
            return Source(
                schema=pa.schema([]), lineage=source.lineage, read=lambda: iter(()), rows=0
            )
        return Source(
            schema=part.schema,
            lineage=source.lineage,
            read=lambda: iter(part.to_batches(max_chunksize=65_536)),
            rows=part.num_rows,
        )

    @staticmethod
    def _as_key(found: pa.Field, column: pa.ChunkedArray, primary: bool) -> pa.Field:
        """A unique column declared a key; personal data and words stay what they are."""
        if not primary and pa.types.is_string(found.type):
            return found
        notes = {**(found.metadata or {}), b"geurim.role": b"key"}
        return found.with_metadata(notes)

    def _profile(self, table: str) -> Profile:
        if table in self.profiles:
            return self.profiles[table]
        source = self._source(table)
        if not len(source.schema):
            profile = Profile(
                schema=source.schema,
                lineage=source.lineage,
                rows=self.rows[table].num_rows,
                columns={},
            )
        else:
            profile = analyze(source)
        self.profiles[table] = profile
        return profile

    def _copied(self, table: str, owner: ForeignKey, profile: Profile) -> dict[str, str]:
        """Columns that repeat a column of the owner: a bill's city, say."""
        rows, index = self.rows[table], self.index[table, owner]
        parent = self.rows[owner.table]
        there = np.flatnonzero(index >= 0)
        theirs = {c for k in self.database.of(owner.table).foreign for c in k.columns}
        found: dict[str, str] = {}
        for name in profile.schema.names:
            kind = rows.schema.field(name).type
            if name in self.database.of(table).primary or len(there) < 20:
                continue
            for other in parent.schema:
                if other.type != kind or other.name in theirs or other.name in owner.references:
                    continue
                if _same(rows[name], there[:200], parent[other.name], index) and _same(
                    rows[name], there, parent[other.name], index
                ):
                    found[name] = other.name
                    break
        return found

    def _kind(self, link: Link, table: str, own: Mapping[str, pa.Array]) -> Kind:
        """Into what kinds the parent's rows fall, judged by what tells most about this table."""
        parent = link.key.table
        count = self.rows[parent].num_rows
        index = self.index[table, link.key]
        used = len(np.unique(index[index >= 0]))
        if count <= SMALL or (parent in self.keep and used <= NAMED):
            return Kind()
        rows = np.flatnonzero(index >= 0)
        base = {n: c for n, c in self._frame(parent).items() if n.startswith(("c:", "k:"))}
        if not base or not len(rows):
            return Kind(cuts={})
        some = rows[np.unique(np.linspace(0, len(rows) - 1, 5_000).astype(np.int64))]
        candidates = {n: taken(c, index[some]) for n, c in base.items()}
        best = telling(candidates, [taken(c, some) for c in own.values()], 3)
        if not best:
            best = list(base)[:1]
        most = (12, 6, 5)[len(best) - 1]
        return Kind(cuts={n: Coarse.of(base[n], most) for n in best})

    def _frame(self, table: str) -> dict[str, pa.Array]:
        """The columns of a parent; of one not learned yet, those of its own that can be."""
        if table in self.frames:
            return self.frames[table]
        profile = self._profile(table)
        names = [n for n in profile.schema.names if profile.columns[n]["role"] in LEARNED]
        return self._shown(table, {f"c:{n}": whole(self.rows[table][n]) for n in names})

    def _shown(self, table: str, frame: dict[str, pa.Array]) -> dict[str, pa.Array]:
        """What other tables learn of this one: of a kept table all, of others what comes out."""
        return frame if table in self.keep else {n: common(c) for n, c in frame.items()}

    def _kinds(self, table: str, key: ForeignKey, kind: Kind) -> pa.Array:
        """The kind of the row that each row names: missing without a reference."""
        index = self.index[table, key]
        names = pa.array(kind.of(self._frame(key.table), self.rows[key.table].num_rows))
        found = taken(names, index)
        lost = index == DANGLING
        if lost.any():
            found = pc.if_else(pa.array(lost), pa.scalar(NOWHERE), found)
        return found

    def _worth(self, table: str, codes: Mapping[str, np.ndarray]) -> dict[str, float]:
        """How much each column of a small table says about the rows that name it.

        Beside the one that says most, a column is worth what it adds to that one: in a small table
        nearly every column tells the rows apart.
        """
        pairs: list[tuple[np.ndarray, np.ndarray]] = []
        for child in self.plan.order:
            for link in self.plan.links[child]:
                if link.key.table == table and link.how == "chosen":
                    rows = np.flatnonzero(self.index[child, link.key] >= 0)[:20_000]
                    up = self.index[child, link.key][rows]
                    learned = self._learnable(child).values() if len(rows) else ()
                    pairs += [(up, Coarse.of(c).codes(taken(c, rows))) for c in learned]

        def says(own: np.ndarray) -> float:
            return sum(max(told(own[up], target), 0.0) for up, target in pairs)

        worth = {n: says(own) for n, own in codes.items()}
        best = max(worth, key=lambda n: worth[n])
        for name, own in codes.items():
            if name != best:
                both = np.unique(np.stack([codes[best], own]), axis=1, return_inverse=True)[1]
                worth[name] = says(both.reshape(-1)) - worth[best]
        worth = {n: max(w, 0.0) + 0.02 for n, w in worth.items()}
        return worth

    def _depth(self, table: str, link: Link) -> pa.Array:
        index = self.index[table, link.key]
        found = planning.depths(index)
        return pa.array(np.where(index == DANGLING, -2, found))

    def _latent(self, table: str) -> dict[str, pa.Array]:
        """How many rows of other tables name each row, and what those that it owns are like."""
        found: dict[str, pa.Array] = {}
        count = self.rows[table].num_rows
        for child in self.plan.order:
            for link in self.plan.links[child]:
                key = link.key
                if key.table != table or link.how == "inherited":
                    continue
                index = self.index[child, key]
                name = f"{child}\x1f{key.text}"
                tally = np.bincount(index[index >= 0], minlength=count)
                found[f"n:{name}"] = pa.array(tally)
                if link.how == "owner":
                    learned = self._learnable(child)
                    made = summaries(learned, index, count)
                    found |= {f"s:{name}\x1f{n}": c for n, c in made.items()}
        return found

    def _learnable(self, table: str) -> dict[str, pa.Array]:
        """The columns of a child that could be summed up: no keys, no names, no texts, and none
        that are the owner's.
        """
        rows, owner = self.rows[table], self.plan.owner(table)
        if not rows.num_rows:
            return {}
        profile = self._profile(table)
        out = {c for s in self.database.of(table).sets for c in s}
        out |= set(self._copied(table, owner.key, profile)) if owner else set()
        found = {}
        for name, item in profile.columns.items():
            text = pa.types.is_string(rows.schema.field(name).type)
            if name in out or item["role"] not in LEARNED or rows[name].null_count == len(rows):
                continue
            if text and pc.count_distinct(rows[name].slice(0, 20_000)).as_py() > 200:
                continue
            found[name] = whole(rows[name])
        return found

    def _context(
        self, table: str, owner: Link | None, targets: Sequence[pa.Array]
    ) -> dict[str, pa.Array]:
        """What a table is learned from: the most telling columns of its owner and the owner's."""
        if owner is None:
            return {}
        index = self.index[table, owner.key]
        mine = f"{table}\x1f{owner.key.text}"
        candidates: dict[str, pa.Array] = {}
        always: list[str] = []
        for name, column in self.frames[owner.key.table].items():
            ours = name[2:].startswith(mine)
            if name[0] in "ns" and not ours:
                continue
            candidates[f"1:{name}"] = column
            if name[0] == "s":
                always.append(f"1:{name}")
        above = self.plan.owner(owner.key.table)
        if above is not None and owner.key.table not in self.keep:
            up = self.index[owner.key.table, above.key]
            for name, column in self.frames[above.key.table].items():
                if name[0] in "ck":
                    candidates[f"2:{name}"] = taken(column, up)
        rows = np.unique(np.linspace(0, len(index) - 1, 5_000).astype(np.int64))
        some = {n: taken(c, index[rows]) for n, c in candidates.items()}
        best = telling(some, [taken(t, rows) for t in targets], CONTEXT)
        chosen = dict.fromkeys([*always, *best])
        return {n: taken(candidates[n], index) for n in chosen}

    def _trees(
        self,
        table: str,
        given: Mapping[str, pa.Array],
        frame: Mapping[str, pa.Array],
        profile: Profile,
        rng: np.random.Generator,
    ) -> FittedTrees | None:
        if not frame:
            return None
        joined = pa.table({**given, **frame})
        if joined.num_rows > self.generator.max_rows:
            some = rng.choice(joined.num_rows, self.generator.max_rows, replace=False)
            joined = joined.take(pa.array(np.sort(some)))
        lineage = self.database.tables[table].lineage
        return self.generator.fit_given(tuple(given), joined, lineage, profile, rng)

    def _series(self, table: str) -> tuple[Series, ...]:
        """The columns that tell rows of one group apart, beside references that make the group."""
        rows, keys = self.rows[table], self.database.of(table)
        joined = {c for k in keys.foreign for c in k.columns}
        found: list[Series] = []
        for key in keys.sets:
            free = [c for c in key if c not in joined]
            if len(free) != 1 or not is_ordered(rows.schema.field(free[0]).type):
                continue
            kind = rows.schema.field(free[0]).type
            if len(key) == 1 and (pa.types.is_integer(kind) or not is_time(kind)):
                continue  # a key of its own, made anew
            if rows[free[0]].null_count or any(s.column == free[0] for s in found):
                continue
            group = tuples([rows[c] for c in key if c in joined]) if len(key) > 1 else None
            group = np.zeros(rows.num_rows, np.int64) if group is None else group
            found.append(_series_of(free[0], key, whole(rows[free[0]]), group))
        return tuple(found)

    def _named_itself(self, table: str, key: ForeignKey) -> bool:
        index = self.index[table, key]
        return bool((index == np.arange(len(index))).any() and not (index == -1).any())

    def _same_owner(self, table: str, key: ForeignKey, owned: np.ndarray | None) -> bool:
        index = self.index[table, key]
        rows = np.flatnonzero(index >= 0)
        if owned is None or not len(rows):
            return False
        return bool((owned[rows] == owned[index[rows]]).mean() > 0.99)


def _without(profile: Profile, copied: Collection[str]) -> Profile:
    """A profile that names no value of the columns that are the owner's: a person's address stands
    there as often as they have orders, and so looks frequent.
    """
    if not copied:
        return profile
    rest = {n: c for n, c in profile.columns.items() if n not in copied}
    schema = pa.schema([profile.schema.field(n) for n in rest], profile.schema.metadata)
    return replace(profile, schema=schema, columns=rest, dependence={}, rules=())


def _counts(frame: Mapping[str, pa.Array]) -> list[pa.Array]:
    return [c for n, c in frame.items() if n[0] in "nkd"]


def _same(
    column: pa.ChunkedArray, rows: np.ndarray, other: pa.ChunkedArray, index: np.ndarray
) -> bool:
    """Whether a column is that of the parent in nearly all these rows, and not one value alone."""
    mine, theirs = taken(column, rows), taken(other, index[rows])
    if mine.null_count == len(mine) or pc.count_distinct(mine).as_py() <= 2:
        return False
    alike = pc.fill_null(pc.equal(mine, theirs), False).true_count
    both = pc.and_(pc.is_null(mine), pc.is_null(theirs)).true_count
    return bool(alike + both >= COPIED * len(rows))


def _popular(rows: pa.Table, key: ForeignKey, index: np.ndarray) -> np.ndarray:
    """How many rows share each of the values that dangle, without the values."""
    lost = np.flatnonzero(index == DANGLING)
    if not len(lost):
        return np.zeros(0, np.int64)
    codes = tuples([taken(rows[c], lost) for c in key.columns])
    return np.unique(codes, return_counts=True)[1]


def _series_of(name: str, key: tuple[str, ...], column: pa.Array, group: np.ndarray) -> Series:
    axis = to_axis(column)
    order = np.lexsort((axis, group))
    same = np.diff(group[order]) == 0
    gaps = np.diff(axis[order])[same]
    first = axis[order][np.append(True, ~same)]
    steps, count = np.unique(gaps, return_counts=True)
    usual = len(gaps) > 0 and count.max() >= 0.5 * len(gaps)
    often = count >= max(3, 0.001 * len(gaps))
    whole_gaps = np.rint(gaps[gaps > 0]).astype(np.int64)
    scale, codes = learn_levels(from_axis(first, column.type))
    return Series(
        column=name,
        key=key,
        steps=steps[often] if usual and often.any() else np.empty(0),
        shares=count[often] / count[often].sum() if usual and often.any() else np.empty(0),
        first=scale,
        often=np.bincount(codes, minlength=max(scale.size, 1)) / max(len(codes), 1),
        grid=float(np.gcd.reduce(whole_gaps)) if len(whole_gaps) else 1.0,
    )
