"""STEP 3: the one driver. Whatever the generator, rows come in blocks, and this file owns the rest:

random streams, exact counts, completion of given rows, rules, balance, edge cases, workers,
progress and lineage. Block i draws from `SeedSequence(seed, spawn_key=(i,))`, so its rows do not
depend on who draws it or on how many blocks there are, and a short run is a prefix of a long one.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from geurim.ahead import Keep, draw_ahead
from geurim.constraints import Once, how_kept
from geurim.constraints.contradictions import domains, impossible, room
from geurim.contract import Event, Fitted, Lineage, Progress, Source, quiet
from geurim.edges import Edges
from geurim.errors import DataError, SamplingError, SettingError
from geurim.expressions import Expression, parse
from geurim.shares import Balance, Shares, columns_of, plain, shares

Block = Callable[[int], pa.RecordBatch]
Engine = Callable[[Block, int], Iterator[pa.RecordBatch]]
"""The seam for other machines: given the function that draws block i and the number of blocks,
yield the batches in order. The function can be pickled and needs nothing but i."""

TRIES = 2_000
"""A rule is given up when so many times the rows needed were drawn (and 2,000,000 at least)."""

_PATIENCE = 2_000_000
_UNIQUE_TRIES = 500
_REJECTED = b"geurim.rejected"  # of a block's schema: what was drawn again, until it is counted
_GOLDEN = (5**0.5 - 1) / 2
_SILVER = 2**0.5 - 1


def sample(
    fitted: Fitted,
    rows: int | None = None,
    *,
    seed: int | None = None,
    given: Any = None,
    where: str | None = None,
    balance: Balance | None = None,
    edge_cases: float = 0.0,
    workers: int = 1,
    progress: Progress = quiet,
    engine: Engine | None = None,
    keep: Keep | None = None,
) -> Source:
    """Exactly `rows` rows, drawn while they are read; reading again gives the same rows again.

    `given`: some columns of the rows (anything `read` takes); row i completes given row i, from
    the first again when there are fewer than `rows`; `rows` defaults to their number. `where`: a
    rule that every row meets, such as "age >= 18". `balance`: {"income": "uniform"},
    {"income": {">50K": 0.5}}, ranges or combinations of columns (geurim.shares); nothing is
    rejected for it. `edge_cases`: the share of rows that
    are rare on purpose (geurim.edges); they are named in a column `edge_case`, and with the column
    `weight` estimates are those of the population. `workers`: processes. `engine`: who draws the
    blocks, instead of them.

    A generator whose draws are `partial` (text) is drawn from until enough rows are kept; with
    `given` and no `rows`, each given row is tried once. `keep` then says what is kept of each
    block, as the steps of a recipe do.

    Rows that break a constraint of the model are drawn again; how many, the last event says.
    Raises SettingError for what cannot be asked or never be met, and, while rows are read,
    SamplingError with the counts when a rule is met too seldom.
    """
    if not isinstance(fitted, Fitted):
        raise SettingError(
            f"Rows are drawn from a model of rows, and a {type(fitted).__name__} was given. "
            "The model of a whole database makes one by its own sample(scale)."
        )
    seed = secrets.randbits(63) if seed is None else seed
    table = _given_table(fitted, given) if given is not None else None
    once = fitted.partial and rows is None
    rows = _checked_rows(rows, table)
    if not 0 <= edge_cases < 1:
        raise SettingError(f"edge_cases is {edge_cases!r}. Give a share from 0 up to below 1.")
    if workers < 1:
        raise SettingError(f"workers is {workers!r}. Give a whole number from 1.")
    if edge_cases and (table is not None or balance):
        raise SettingError(
            "edge_cases cannot be joined with given rows or balance: both decide what is drawn. "
            "Ask for one of them."
        )
    if fitted.partial and (edge_cases or workers > 1 or engine):
        raise SettingError(
            f"edge_cases, workers and engine cannot be asked of {fitted.lineage.maker}, which "
            "asks teachers and draws many rows at once by itself. Leave them out."
        )
    if keep and not fitted.partial:
        raise SettingError("keep is for generators whose draws are partial. Use where, or curate.")
    lineage = Lineage.made(
        fitted.lineage.maker,
        seed=seed,
        request=[
            fitted.lineage.digest,
            where,
            plain(balance),
            edge_cases,
            None if table is None else _digest(table),
        ],
        parents=fitted.lineage.parents,
        privacy=fitted.lineage.privacy,
    )
    rule = None if where is None else parse(where, fitted.schema)
    balanced = _balanced(fitted, balance or {}, table)
    known = balanced + tuple(table.column_names if table is not None else ())
    if known and not fitted.completes:
        raise SettingError(
            f"This generator ({fitted.lineage.maker}) cannot complete given values, here of "
            f"{', '.join(known)}. Use one that does, such as trees."
        )
    wanted = shares(fitted, balance or {}, seed)
    if rule is not None:
        _refuse_impossible(rule, fitted, wanted, known)
    _refuse_crowded(fitted, rows)
    edges = Edges.find(fitted, edge_cases, seed) if edge_cases else None
    plan = _Plan(
        fitted=fitted.condition(known) if known else fitted,
        rows=rows,
        seed=seed,
        rule=rule,
        given=table,
        shares=tuple(wanted),
        known=frozenset(known),
        edges=edges,
    )
    if fitted.partial:
        return Source(
            schema=fitted.schema,
            lineage=lineage,
            rows=None if once else rows,
            read=lambda: draw_ahead(
                plan.draw_some,
                fitted.schema,
                rows=None if once else rows,
                blocks=rows if once else None,
                ahead=fitted.ahead,
                guess=fitted.guess,
                keep=keep,
                progress=progress,
            ),
        )
    draw = engine or (_serial if workers == 1 else Processes(workers))
    return Source(
        schema=edges.schema(fitted.schema) if edges else fitted.schema,
        lineage=lineage,
        rows=rows,
        read=lambda: _read(plan, draw, progress),
    )


def _read(plan: _Plan, engine: Engine, progress: Progress) -> Iterator[pa.RecordBatch]:
    done = 0
    rejected: Counter[str] = Counter()
    once = [Once(columns) for columns in plan.fitted.unique]
    progress(Event(step="sample", done=0, total=plan.rows))
    for block, batch in enumerate(engine(plan.draw, plan.blocks)):
        told = (batch.schema.metadata or {}).get(_REJECTED)
        if told is not None:
            rejected.update(json.loads(told))
            batch = _untold(batch)
        for each in once:
            batch = plan.made_unique(batch, block, each, rejected)
        done += batch.num_rows
        yield batch
        progress(Event(step="sample", done=done, total=plan.rows, note=_told(rejected)))
    if done != plan.rows:
        raise SamplingError(
            f"The engine gave {done:,} rows of {plan.rows:,}. It must yield every block once."
        )


def _told(rejected: Mapping[str, int]) -> str:
    """What was drawn again, for the last event."""
    said = [f"{count:,} rows broke {text}" for text, count in rejected.items() if count]
    return f"drawn again: {', '.join(said)}" if said else ""


def _untold(batch: pa.RecordBatch) -> pa.RecordBatch:
    kept = {k: v for k, v in batch.schema.metadata.items() if k != _REJECTED}
    return batch.replace_schema_metadata(kept or None)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Plan:
    """A request, ready to be drawn block by block by anyone."""

    fitted: Fitted
    rows: int
    seed: int
    rule: Expression | None
    given: pa.Table | None
    shares: tuple[Shares, ...]
    known: frozenset[str]  # columns whose values are given
    edges: Edges | None

    @property
    def asked(self) -> str:
        """What rows are rejected for, in words."""
        rule = f"the rule {str(self.rule)!r}" if self.rule else ""
        held = [k.text for k in how_kept(self.fitted) if k.how == "by drawing again"]
        limits = f"the constraints {', '.join(map(repr, held))}" if held else ""
        return " and ".join(filter(None, [rule, limits]))

    @property
    def blocks(self) -> int:
        return -(-self.rows // int(self.fitted.block))

    def draw(self, block: int) -> pa.RecordBatch:
        """The rows of one block, each meeting the rule."""
        first = block * self.fitted.block
        need = min(self.fitted.block, self.rows - first)
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(block,)))
        given = self._given(first, need)
        rejected: Counter[str] = Counter()
        if given is not None:
            batch = self._complete(given, rng, rejected)
        elif self.edges is not None:
            batch = self._with_edges(self.edges, first, need, rng, rejected)
        else:
            batch = _first_rows(self._meeting(rng, rejected), need, self)
        batch = self._numbered(batch, first)
        if not rejected:
            return batch
        told = {**(batch.schema.metadata or {}), _REJECTED: json.dumps(rejected).encode()}
        return batch.replace_schema_metadata(told)

    def _numbered(self, batch: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """With what depends on a row's place, but where it is given."""
        numbered = self.fitted.number(batch.select(self.fitted.schema.names), first)
        keep = self.known if self.given is None else self.known | set(self.given.column_names)
        for i, name in enumerate(self.fitted.schema.names):
            if name not in keep:
                batch = batch.set_column(i, batch.schema.field(i), numbered.column(i))
        return batch

    def made_unique(
        self, batch: pa.RecordBatch, block: int, once: Once, rejected: Counter[str]
    ) -> pa.RecordBatch:
        """The block with rows drawn again whose combination came before, in it or an earlier one.

        It depends on the blocks before, and on no later one: a short run stays the start of a long
        one.
        """
        again = np.flatnonzero(~once.mask(batch))
        key = (3, block)
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))
        first, tries = block * self.fitted.block, 0
        text = f"unique({', '.join(once.columns)})"
        while len(again):
            rejected[text] += len(again)
            tries += 1
            if tries > _UNIQUE_TRIES:
                raise SamplingError(
                    f"{len(again):,} of {batch.num_rows:,} rows repeat an earlier row in "
                    f"{', '.join(once.columns)} in each of {_UNIQUE_TRIES:,} draws, after "
                    f"{first:,} rows. Ask for fewer rows, or leave out {text}."
                )
            given = self._given(first, batch.num_rows)
            part = None if given is None else given.take(pa.array(again))
            if part is not None:
                fresh = self._complete(part, rng, rejected)
            else:
                fresh = _first_rows(self._meeting(rng, rejected, len(again)), len(again), self)
            fresh = fresh.cast(batch.schema) if fresh.schema != batch.schema else fresh
            new = once.mask(fresh)
            batch = _put(batch, again[new], fresh.filter(pa.array(new)))
            again = again[~new]
        return self._numbered(batch, first) if tries else batch

    def draw_some(self, block: int) -> pa.RecordBatch:
        """The rows that one draw of a `partial` generator gives, each meeting the rule."""
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(block,)))
        batch = self.fitted.draw(1, rng, self._given(block, 1))
        return batch if self.rule is None else batch.filter(pa.array(self.rule.mask(batch)))

    def _meets(self, batch: pa.RecordBatch, rejected: Counter[str]) -> np.ndarray | None:
        """Which rows (N,) meet the rule and the model's constraints; None where all do."""
        broken = dict(self.fitted.breaks(batch, self.known))
        if self.rule is not None:
            broken[f"where {self.rule}"] = ~self.rule.mask(batch)
        counts = {text: int(mask.sum()) for text, mask in broken.items()}
        rejected.update({text: count for text, count in counts.items() if count})
        if not any(counts.values()):
            return None
        return np.asarray(~np.logical_or.reduce(list(broken.values())))

    def _given(self, first: int, need: int) -> pa.Table | None:
        """The values that rows [first, first + need) start from; None where there are none."""
        if self.given is None and not self.shares:
            return None
        at = np.arange(first, first + need)
        columns = {}
        if self.given is not None:
            part = self.given.take(pa.array(at % self.given.num_rows))
            columns = {n: part[n] for n in part.column_names}
        for i, each in enumerate(self.shares):
            # A low-discrepancy sequence: every stretch of rows has about the shares asked for.
            place = (at * (_GOLDEN + i * _SILVER) + _offset(self.seed, i)) % 1.0
            part = each.take(place)
            columns |= {n: part[n] for n in part.column_names}
        return pa.table(columns)

    def _meeting(
        self, rng: np.random.Generator, rejected: Counter[str], rows: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Draws without end, less the rows that do not meet the rule or a constraint."""
        while True:
            batch = self.fitted.draw(rows or self.fitted.block, rng)
            meets = self._meets(batch, rejected)
            yield batch if meets is None else batch.filter(pa.array(meets))

    def _complete(
        self, given: pa.Table, rng: np.random.Generator, rejected: Counter[str]
    ) -> pa.RecordBatch:
        """One completion of each given row; a rejected one is drawn again for its own row."""
        batch = self.fitted.draw(given.num_rows, rng, given)
        meets = self._meets(batch, rejected)
        if meets is None:
            return batch
        table = pa.Table.from_batches([batch])
        kept, places = [], []
        pending, tries = np.arange(given.num_rows), 0
        while True:
            kept.append(table.filter(pa.array(meets)))
            places.append(pending[meets])
            pending = pending[~meets]
            tries += 1
            if not len(pending):
                break
            if tries >= TRIES:
                raise SamplingError(
                    f"{len(pending):,} of {given.num_rows:,} given rows met {self.asked} "
                    f"in none of {TRIES:,} completions, the first of them "
                    f"{given.slice(int(pending[0]), 1).to_pylist()[0]!r}. Loosen the rule, or "
                    "give other rows."
                )
            batch = self.fitted.draw(len(pending), rng, given.take(pa.array(pending)))
            table = pa.Table.from_batches([batch])
            found = self._meets(batch, rejected)
            meets = np.ones(batch.num_rows, bool) if found is None else found
        order = np.argsort(np.concatenate(places))
        return _one_batch(pa.concat_tables(kept).take(pa.array(order)))

    def _with_edges(
        self,
        edges: Edges,
        first: int,
        need: int,
        rng: np.random.Generator,
        rejected: Counter[str],
    ) -> pa.RecordBatch:
        """Ordinary rows and rare ones, in the places that the share says."""
        place = (np.arange(first, first + need) * _GOLDEN + _offset(self.seed, 0)) % 1.0
        is_edge = place < edges.share
        count = int(is_edge.sum())
        plain = _first_rows(self._meeting(rng, rejected), need - count, self)
        rare = _first_rows((edges.thin(b, rng) for b in self._meeting(rng, rejected)), count, self)
        both = pa.Table.from_batches([plain, rare])
        order = np.empty(need, np.int64)
        order[~is_edge], order[is_edge] = np.arange(need - count), np.arange(need - count, need)
        return edges.mark(_one_batch(both.take(pa.array(order))), is_edge)


def _first_rows(stream: Iterator[pa.RecordBatch], need: int, plan: _Plan) -> pa.RecordBatch:
    """The first `need` rows of a stream of draws, each of which stands for a block drawn."""
    kept: list[pa.RecordBatch] = []
    have = drawn = 0
    while have < need or not kept:
        batch = next(stream)
        kept.append(batch)
        have += batch.num_rows
        drawn += plan.fitted.block
        if have < need and drawn >= max(_PATIENCE, TRIES * need):
            what = plan.asked or "what makes an edge case"
            raise SamplingError(
                f"{have:,} of {drawn:,} rows drawn meet {what}, and {need:,} are needed. "
                "Loosen the rule, ask for fewer rows, or give the values with `given`."
            )
    if len(kept) == 1:
        return kept[0].slice(0, need)
    return _one_batch(pa.Table.from_batches(kept).slice(0, need))


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    columns = [c.combine_chunks() for c in table.columns]
    return pa.RecordBatch.from_arrays(columns, schema=table.schema)


# ---- the request


def _checked_rows(rows: int | None, given: pa.Table | None) -> int:
    if rows is None and given is not None:
        return int(given.num_rows)
    if isinstance(rows, bool) or not isinstance(rows, int | np.integer) or rows < 0:
        raise SettingError(f"rows is {rows!r}. Give a whole number from 0.")
    return int(rows)


def _given_table(fitted: Fitted, given: Any) -> pa.Table:
    """The given rows, in the types of the columns they name."""
    from geurim.read import as_source
    from geurim.rows import read_rows

    # Rows of a recipe's source are structs, which tables do not have.
    table = (read_rows(given) if fitted.partial else as_source(given)).to_arrow()
    unknown = [n for n in table.column_names if n not in fitted.schema.names]
    if unknown or not table.column_names:
        raise SettingError(
            f"The given rows have columns the model does not know: {', '.join(map(repr, unknown))}."
            f" Its columns: {', '.join(map(repr, fitted.schema.names))}."
        )
    if not table.num_rows:
        raise DataError("The given rows are none. Give at least one row, or leave them out.")
    schema = pa.schema([fitted.schema.field(n) for n in table.column_names])
    try:
        return table.cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(
            f"The given rows do not have the model's types: {error}. "
            f"The model has {', '.join(f'{f.name}: {f.type}' for f in schema)}."
        ) from error


def _balanced(fitted: Fitted, balance: Balance, given: pa.Table | None) -> tuple[str, ...]:
    """The columns that shares are asked of; refused where they are given too."""
    found = tuple(n for key in balance for n in columns_of(key, fitted.schema.names))
    for name in found:
        if given is not None and name in given.column_names:
            raise SettingError(f"{name!r} is both given and balanced. Leave it out of one.")
    return found


def _refuse_impossible(
    rule: Expression, fitted: Fitted, wanted: list[Shares], known: tuple[str, ...]
) -> None:
    """Refuse a rule that no row can meet, before any is drawn."""
    reason = impossible([rule], domains(fitted.profile, known))
    for each in wanted if not reason else ():
        if rule.columns <= set(each.values.column_names):
            met = rule.mask(pa.Table.from_batches(each.values.to_batches()).combine_chunks())
            share = float(each.weights[~met].sum() / each.weights.sum())
            if share > 1e-9:
                reason = f"the shares asked for give {share:.1%} of the rows values that break it"
    if reason:
        raise SettingError(
            f"No row can meet the rule {str(rule)!r}: {reason}. Loosen the rule, or change what "
            "else is asked."
        )


def _refuse_crowded(fitted: Fitted, rows: int) -> None:
    """Refuse more rows than there are combinations that must not come twice."""
    for columns in fitted.unique:
        most = room(columns, fitted.profile)
        if rows > most:
            raise SettingError(
                f"{rows:,} rows cannot have different {', '.join(columns)}: there are {most:,.0f} "
                "combinations at most. Ask for fewer rows, or leave the constraint out."
            )


def _put(batch: pa.RecordBatch, places: np.ndarray, rows: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with other rows in some places."""
    both = pa.Table.from_batches([batch, rows])
    order = np.arange(batch.num_rows)
    order[places] = batch.num_rows + np.arange(len(places))
    return _one_batch(both.take(pa.array(order)))


def _offset(seed: int, i: int) -> float:
    """Where a low-discrepancy sequence starts: a stream of its own, away from every block's."""
    return float(np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, i))).random())


def _digest(table: pa.Table) -> str:
    sink = hashlib.sha256()
    for batch in table.to_batches():
        sink.update(batch.serialize())
    return sink.hexdigest()


# ---- engines


def _serial(draw: Block, blocks: int) -> Iterator[pa.RecordBatch]:
    return map(draw, range(blocks))


@dataclass(frozen=True)
class Processes:
    """Draw blocks in several processes, a few ahead of the reader and no more."""

    workers: int

    def __call__(self, draw: Block, blocks: int) -> Iterator[pa.RecordBatch]:
        from multiprocessing import get_context

        # Forking would copy a process with running threads (Arrow's): start fresh ones.
        pool = ProcessPoolExecutor(
            self.workers, get_context("spawn"), initializer=_adopt, initargs=(draw,)
        )
        try:
            ahead: list[Future[pa.RecordBatch]] = []
            for block in range(blocks):
                ahead.append(pool.submit(_draw_adopted, block))
                if len(ahead) > 2 * self.workers:
                    yield ahead.pop(0).result()
            while ahead:
                yield ahead.pop(0).result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


_adopted: Block | None = None


def _adopt(draw: Block) -> None:
    """In a worker: keep the plan, which is sent once and not with every block."""
    global _adopted
    _adopted = draw


def _draw_adopted(block: int) -> pa.RecordBatch:
    assert _adopted is not None
    return _adopted(block)
