"""STEP 3: the one driver. Whatever the generator, rows come in blocks, and this file owns the rest:

random streams, exact counts, completion of given rows, rules, balance, edge cases, workers,
progress and lineage. Block i draws from `SeedSequence(seed, spawn_key=(i,))`, so its rows do not
depend on who draws it or on how many blocks there are, and a short run is a prefix of a long one.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from geurim.ahead import Keep, draw_ahead
from geurim.contract import Event, Fitted, Lineage, Progress, Source, quiet
from geurim.edges import Edges
from geurim.errors import DataError, SamplingError, SettingError
from geurim.expressions import Expression, parse

Block = Callable[[int], pa.RecordBatch]
Engine = Callable[[Block, int], Iterator[pa.RecordBatch]]
"""The seam for other machines: given the function that draws block i and the number of blocks,
yield the batches in order. The function can be pickled and needs nothing but i."""

Balance = Mapping[str, str | Mapping[Any, float]]
"""A column, and "uniform" or the shares of some of its values; the others keep proportions."""

TRIES = 2_000
"""A rule is given up when so many times the rows needed were drawn (and 2,000,000 at least)."""

_PATIENCE = 2_000_000
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
    rule that every row meets, such as "age >= 18". `balance`: {"income": "uniform"} or
    {"income": {">50K": 0.5}}; nothing is rejected for it. `edge_cases`: the share of rows that
    are rare on purpose (geurim.edges); they are named in a column `edge_case`, and with the column
    `weight` estimates are those of the population. `workers`: processes. `engine`: who draws the
    blocks, instead of them.

    A generator whose draws are `partial` (text) is drawn from until enough rows are kept; with
    `given` and no `rows`, each given row is tried once. `keep` then says what is kept of each
    block, as the steps of a recipe do.

    Raises SettingError for what cannot be asked, and, while rows are read, SamplingError with the
    counts when a rule is met too seldom.
    """
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
            _plain(balance),
            edge_cases,
            None if table is None else _digest(table),
        ],
        parents=fitted.lineage.parents,
        privacy=fitted.lineage.privacy,
    )
    wanted = _shares(fitted, balance or {}, table)
    known = tuple(wanted) + tuple(table.column_names if table is not None else ())
    if known and not fitted.completes:
        raise SettingError(
            f"This generator ({fitted.lineage.maker}) cannot complete given values, here of "
            f"{', '.join(known)}. Use one that does, such as trees."
        )
    edges = Edges.find(fitted, edge_cases, seed) if edge_cases else None
    plan = _Plan(
        fitted=fitted.condition(known) if known else fitted,
        rows=rows,
        seed=seed,
        rule=None if where is None else parse(where, fitted.schema),
        given=table,
        shares=wanted,
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
                keep=keep,
                progress=progress,
            ),
        )
    draw = engine or (_serial if workers == 1 else _Processes(workers))
    return Source(
        schema=edges.schema(fitted.schema) if edges else fitted.schema,
        lineage=lineage,
        rows=rows,
        read=lambda: _read(plan, draw, progress),
    )


def _read(plan: _Plan, engine: Engine, progress: Progress) -> Iterator[pa.RecordBatch]:
    done = 0
    progress(Event(step="sample", done=0, total=plan.rows))
    for batch in engine(plan.draw, plan.blocks):
        done += batch.num_rows
        yield batch
        progress(Event(step="sample", done=done, total=plan.rows))
    if done != plan.rows:
        raise SamplingError(
            f"The engine gave {done:,} rows of {plan.rows:,}. It must yield every block once."
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Plan:
    """A request, ready to be drawn block by block by anyone."""

    fitted: Fitted
    rows: int
    seed: int
    rule: Expression | None
    given: pa.Table | None
    shares: Mapping[str, tuple[pa.Array, np.ndarray]]
    edges: Edges | None

    @property
    def blocks(self) -> int:
        return -(-self.rows // int(self.fitted.block))

    def draw(self, block: int) -> pa.RecordBatch:
        """The rows of one block, each meeting the rule."""
        first = block * self.fitted.block
        need = min(self.fitted.block, self.rows - first)
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(block,)))
        given = self._given(first, need)
        if given is not None:
            batch = self._complete(given, rng)
        elif self.edges is not None:
            batch = self._with_edges(self.edges, first, need, rng)
        else:
            batch = _first_rows(self._meeting(rng), need, self)
        numbered = self.fitted.number(batch.select(self.fitted.schema.names), first)
        keep = set(given.column_names if given is not None else ())
        for i, name in enumerate(self.fitted.schema.names):
            if name not in keep:
                batch = batch.set_column(i, batch.schema.field(i), numbered.column(i))
        return batch

    def draw_some(self, block: int) -> pa.RecordBatch:
        """The rows that one draw of a `partial` generator gives, each meeting the rule."""
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(block,)))
        batch = self.fitted.draw(1, rng, self._given(block, 1))
        return batch if self.rule is None else batch.filter(pa.array(self.rule.mask(batch)))

    def _given(self, first: int, need: int) -> pa.Table | None:
        """The values that rows [first, first + need) start from; None where there are none."""
        if self.given is None and not self.shares:
            return None
        at = np.arange(first, first + need)
        columns = {}
        if self.given is not None:
            part = self.given.take(pa.array(at % self.given.num_rows))
            columns = {n: part[n] for n in part.column_names}
        for i, (name, (values, shares)) in enumerate(self.shares.items()):
            # A low-discrepancy sequence: every stretch of rows has about the shares asked for.
            place = (at * (_GOLDEN + i * _SILVER) + _offset(self.seed, i)) % 1.0
            chosen = np.searchsorted(np.cumsum(shares), place * shares.sum(), side="right")
            columns[name] = values.take(pa.array(np.minimum(chosen, len(values) - 1)))
        return pa.table(columns)

    def _meeting(self, rng: np.random.Generator) -> Iterator[pa.RecordBatch]:
        """Draws without end, less the rows that do not meet the rule."""
        while True:
            batch = self.fitted.draw(self.fitted.block, rng)
            yield batch if self.rule is None else batch.filter(pa.array(self.rule.mask(batch)))

    def _complete(self, given: pa.Table, rng: np.random.Generator) -> pa.RecordBatch:
        """One completion of each given row; a rejected one is drawn again for its own row."""
        batch = self.fitted.draw(given.num_rows, rng, given)
        if self.rule is None:
            return batch
        table = pa.Table.from_batches([batch])
        kept, places = [], []
        pending, tries = np.arange(given.num_rows), 0
        while True:
            meets = self.rule.mask(batch)
            kept.append(table.filter(pa.array(meets)))
            places.append(pending[meets])
            pending = pending[~meets]
            tries += 1
            if not len(pending):
                break
            if tries >= TRIES:
                raise SamplingError(
                    f"{len(pending):,} of {given.num_rows:,} given rows met the rule "
                    f"{str(self.rule)!r} in none of {TRIES:,} completions, the first of them "
                    f"{given.slice(int(pending[0]), 1).to_pylist()[0]!r}. Loosen the rule, or "
                    "give other rows."
                )
            batch = self.fitted.draw(len(pending), rng, given.take(pa.array(pending)))
            table = pa.Table.from_batches([batch])
        order = np.argsort(np.concatenate(places))
        return _one_batch(pa.concat_tables(kept).take(pa.array(order)))

    def _with_edges(
        self, edges: Edges, first: int, need: int, rng: np.random.Generator
    ) -> pa.RecordBatch:
        """Ordinary rows and rare ones, in the places that the share says."""
        place = (np.arange(first, first + need) * _GOLDEN + _offset(self.seed, 0)) % 1.0
        is_edge = place < edges.share
        count = int(is_edge.sum())
        plain = _first_rows(self._meeting(rng), need - count, self)
        rare = _first_rows((edges.thin(b, rng) for b in self._meeting(rng)), count, self)
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
            what = f"the rule {str(plan.rule)!r}" if plan.rule else "what makes an edge case"
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


def _shares(
    fitted: Fitted, balance: Balance, given: pa.Table | None
) -> dict[str, tuple[pa.Array, np.ndarray]]:
    """For each balanced column its values and the shares to draw them with."""
    shares = {}
    for name, wish in balance.items():
        if name not in fitted.schema.names:
            raise SettingError(
                f"balance names {name!r}, which is no column. "
                f"Choose one of: {', '.join(map(repr, fitted.schema.names))}."
            )
        if given is not None and name in given.column_names:
            raise SettingError(f"{name!r} is both given and balanced. Leave it out of one.")
        natural = _natural(fitted, name)
        if wish == "uniform":
            wanted = dict.fromkeys(natural, 1.0)
        elif isinstance(wish, Mapping):
            wanted = _fill_up(name, natural, wish)
        else:
            raise SettingError(
                f"balance of {name!r} is {wish!r}. Give 'uniform', or shares such as "
                f"{{{next(iter(natural))!r}: 0.5}}."
            )
        values = pa.array(list(wanted), fitted.schema.field(name).type)
        shares[name] = (values, np.array(list(wanted.values())))
    return shares


def _natural(fitted: Fitted, name: str) -> dict[Any, float]:
    """The shares of a column's values as they are, for columns that have few."""
    known = fitted.profile.columns[name]
    if known["role"] in ("category", "constant"):
        return dict(known["categories"])
    repeated = known.get("repeated") or []
    if known["role"] == "number" and sum(share for _, share in repeated) > 0.99:
        return {int(v) if known["integer"] else v: share for v, share in repeated}
    raise SettingError(
        f"balance needs a column of few values, and {name!r} ({known['role']}) has "
        f"{known['distinct']:,}. Balance another, or use `given` or `where`."
    )


def _fill_up(name: str, natural: dict[Any, float], wish: Mapping[Any, float]) -> dict[Any, float]:
    """The shares asked for, the rest in their natural proportions."""
    by_text = {str(v): v for v in natural}
    wanted = {}
    for value, share in wish.items():
        found = value if value in natural else by_text.get(str(value))
        if found is None:
            raise SettingError(
                f"balance asks for {name} = {value!r}, which is not among its values: "
                f"{', '.join(repr(v) for v in list(natural)[:20])}. Name one of them."
            )
        if not 0 <= share <= 1:
            raise SettingError(f"balance of {name} = {value!r} is {share!r}. Give 0 to 1.")
        wanted[found] = float(share)
    left = 1.0 - sum(wanted.values())
    rest = {v: s for v, s in natural.items() if v not in wanted}
    if left < -1e-9 or (not rest and abs(left) > 1e-9):
        raise SettingError(
            f"The shares asked for in {name} add up to {1 - left:g}. They must add up to 1"
            + (" or less." if rest else ", for they name every value.")
        )
    total = sum(rest.values())
    return wanted | {v: max(left, 0.0) * s / total for v, s in rest.items()}


def _offset(seed: int, i: int) -> float:
    """Where a low-discrepancy sequence starts: a stream of its own, away from every block's."""
    return float(np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, i))).random())


def _plain(balance: Balance | None) -> Any:
    if balance is None:
        return None
    return {
        n: w if isinstance(w, str) else {str(v): s for v, s in w.items()}
        for n, w in balance.items()
    }


def _digest(table: pa.Table) -> str:
    sink = hashlib.sha256()
    for batch in table.to_batches():
        sink.update(batch.serialize())
    return sink.hexdigest()


# ---- engines


def _serial(draw: Block, blocks: int) -> Iterator[pa.RecordBatch]:
    return map(draw, range(blocks))


@dataclass(frozen=True)
class _Processes:
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
