"""Planted canaries: rare rows put among the training rows before the fit, and looked for after it.

Canaries are drawn alike; half are planted and half are spared. A generator that learns the
population treats both halves alike. One that memorises brings synthetic rows nearer to those that
it saw: the secret sharer of Carlini, Liu, Erlingsson, Kos & Song, "The Secret Sharer", USENIX
Security 2019, for tables. Which half is planted is decided by lot, so the test is exact whatever
the data are.

    planted, canaries = plant(geurim.read("people.csv"), 50, seed=7)
    synthetic = geurim.generate(planted, 10_000)
    findings = canaries.check(synthetic)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from geurim.columns import is_number, to_axis
from geurim.contract import Finding, Lineage, Profile, Progress, Source, quiet
from geurim.errors import DataError, NotFound, SettingError
from geurim.html import percent
from geurim.verify import stats
from geurim.verify.compare import (
    LEARNED,
    Rows,
    check_columns,
    edge_case_columns,
    encode,
    reservoir,
)
from geurim.verify.neighbours import Scale, nearest
from geurim.verify.verdict import LEVEL, TOLERANCES, judge, not_judged

COUNT = 50
MOST = 1_000
ROWS = 200_000  # rows that canaries are made from, and synthetic rows that they are sought among
TAIL = 0.02  # share of a number's values, at either end, that canaries are made of
EXACT = 200  # canaries up to which the rank test counts all ways to choose
_KEY = b"geurim.canaries"


@dataclass(frozen=True, kw_only=True)
class Canaries:
    """Rare rows of one kind: those that were planted, and as many that were spared."""

    planted: pa.Table
    spared: pa.Table
    roles: Mapping[str, str]  # of each column, as the profile of the real rows has it

    def check(self, synthetic: Any, *, seed: int = 0, progress: Progress = quiet) -> list[Finding]:
        """Do synthetic rows come nearer to the planted canaries than to those spared?

        `synthetic`: a Source, a path or a frame with the columns of the real rows. At most 200,000
        of its rows, drawn by lot with `seed`, are searched. Raises SchemaError, DataError.
        """
        from geurim.read import as_source

        made = as_source(synthetic)
        names = self.planted.schema.names
        extra = edge_case_columns(made.schema, self.planted.schema) or ()
        check_columns("synthetic", [n for n in made.schema.names if n not in extra], names)
        rows, total = reservoir(made, ROWS, np.random.default_rng(seed), "synthetic", progress)
        tables = [(rows.select(names), total), *((t, len(t)) for t in self._halves())]
        columns, (among, planted, spared) = encode(tables, self._profile(made.lineage))
        learned = [x for x in columns if x.kind != "strings" and x.role != "empty"]
        out = [_verbatim(self.roles, planted, spared, among)]
        if not learned:
            return [not_judged("private", "canaries", "No column is learned."), *out]
        scale = Scale(learned, among, planted, spared)
        near = [nearest(scale(half), scale(among))[0][:, 0] for half in (planted, spared)]
        return [_nearer(*near, rows=among.count), *out]

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write them to a Parquet file, to check with later. Raises TargetExists, NotFound."""
        from geurim.write import claim

        state = {"version": 1, "planted": len(self.planted), "roles": dict(self.roles)}
        table = pa.concat_tables(self._halves()).replace_schema_metadata(
            {_KEY: json.dumps(state).encode()}
        )
        with claim(Path(path), overwrite=overwrite) as temporary:
            pq.write_table(table, temporary)

    @classmethod
    def load(cls, path: str | Path) -> Canaries:
        """Read what `save` wrote. Raises NotFound, DataError."""
        try:
            table = pq.read_table(path)
            state = json.loads((table.schema.metadata or {})[_KEY])
        except FileNotFoundError as error:
            raise NotFound(f"There is no file {str(path)!r}. Give another path.") from error
        except (KeyError, pa.ArrowInvalid, ValueError) as error:
            raise DataError(
                f"{str(path)!r} holds no canaries. Give the file that planting wrote."
            ) from error
        table = table.replace_schema_metadata(None)
        count = int(state["planted"])
        return cls(planted=table[:count], spared=table[count:], roles=state["roles"])

    def _halves(self) -> list[pa.Table]:
        return [self.planted, self.spared]

    def _profile(self, lineage: Lineage) -> Profile:
        columns = {n: {"role": role} for n, role in self.roles.items()}
        return Profile(
            schema=self.planted.schema, lineage=lineage, rows=len(self.planted), columns=columns
        )


def plant(
    source: Any, count: int = COUNT, *, seed: int, progress: Progress = quiet
) -> tuple[Source, Canaries]:
    """The rows with `count` canaries among them at places drawn by lot, and the canaries.

    Each number or time of a canary is a real one from the lowest or highest 2%, each category is as
    likely as any other however rare, so that hardly any two of a canary's values belong together.
    Keys, personal data and text get marks of their own. Nothing else of the rows changes; take the
    canaries out again before real use. Raises SettingError, DataError (too few different values).
    """
    from geurim.analyze import analyze
    from geurim.read import as_source

    if not 10 <= count <= MOST:
        raise SettingError(
            f"Between 10 and {MOST:,} canaries can be planted, not {count}: fewer prove nothing."
        )
    rows = as_source(source)
    rng = np.random.default_rng(seed)
    roles = {n: str(d["role"]) for n, d in analyze(rows, progress=progress).columns.items()}
    sample, total = reservoir(rows, ROWS, rng, "real", progress)
    table = _make(sample, roles, 2 * count, rng)
    canaries = Canaries(planted=table[:count], spared=table[count:], roles=roles)
    places = np.sort(rng.integers(0, total, count))
    lineage = Lineage.made(
        f"{count} canaries planted",
        seed=seed,
        request=count,
        parents=(rows.lineage,),
        shares=(total / (total + count),),
    )
    planted = replace(
        rows,
        lineage=lineage,
        read=lambda: _among(rows, canaries.planted, places),
        rows=total + count,
    )
    return planted, canaries


def _make(
    sample: pa.Table, roles: Mapping[str, str], count: int, rng: np.random.Generator
) -> pa.Table:
    """Canaries (count rows), no two alike in the columns that are learned."""
    learned = [n for n, role in roles.items() if role in LEARNED]
    drawn = 4 * count
    parts = {
        f.name: _learned(sample.column(f.name), roles[f.name], drawn, rng)
        if f.name in learned
        else _marks(sample.column(f.name), f.type, drawn, rng)
        for f in sample.schema
    }
    table = pa.table(parts, schema=sample.schema)
    seen: dict[tuple[str, ...], int] = {}
    for at, row in enumerate(zip(*(map(repr, parts[n].to_pylist()) for n in learned), strict=True)):
        seen.setdefault(row, at)
    places = list(seen.values())[:count]
    if len(places) < count:
        raise DataError(
            f"{count} canaries that differ cannot be made of these rows: only {len(places)} can. "
            "Plant fewer, or give more columns."
        )
    return table.take(pa.array(places)).replace_schema_metadata(None)


def _learned(
    column: pa.ChunkedArray, role: str, count: int, rng: np.random.Generator
) -> pa.ChunkedArray:
    """Real values (count,): of numbers and times from the tails, of categories any alike."""
    known = np.flatnonzero(~pc.is_null(column).to_numpy(zero_copy_only=False))
    if not len(known):
        return column.take(pa.array(np.zeros(count, int)))
    if role in ("number", "datetime"):
        order = known[np.argsort(to_axis(column)[known], kind="stable")]
        tail = max(1, int(TAIL * len(order)))
        ends = np.concatenate([order[:tail], order[-tail:]])
        return column.take(pa.array(rng.choice(ends, count)))
    values = column.cast(pa.large_string()) if role == "category" else column
    values = values.combine_chunks()
    if isinstance(values, pa.ChunkedArray):  # older pyarrow gives a chunked array back
        values = pa.concat_arrays(values.chunks)
    codes = values.dictionary_encode().indices.to_numpy(zero_copy_only=False)[known]
    firsts = known[np.unique(codes, return_index=True)[1]]
    return column.take(pa.array(rng.choice(firsts, count)))


def _marks(
    column: pa.ChunkedArray, kind: pa.DataType, count: int, rng: np.random.Generator
) -> pa.Array | pa.ChunkedArray:
    """Values (count,) that no real row has: texts with a mark, or whole numbers beyond the rest."""
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pa.array([f"canary {rng.integers(16**12):012x}" for _ in range(count)], kind)
    if pa.types.is_integer(kind) and is_number(kind):
        top = pc.max(column).as_py() or 0
        if top + count <= np.iinfo(kind.to_pandas_dtype()).max:
            return pa.array(range(top + 1, top + 1 + count), kind)
    return column.take(pa.array(rng.integers(0, len(column), count)))


def _among(source: Source, canaries: pa.Table, places: np.ndarray) -> Iterator[pa.RecordBatch]:
    """The source's batches, each canary before the row at its place (ascending)."""
    first = 0
    for batch in source.read():
        inside = slice(*np.searchsorted(places, [first, first + batch.num_rows]).tolist())
        at = np.arange(inside.start, inside.stop)
        if len(at):
            both = pa.concat_tables(
                [pa.Table.from_batches([batch]), canaries[inside].cast(batch.schema)]
            ).unify_dictionaries()
            order = np.insert(
                np.arange(batch.num_rows),
                places[inside] - first,
                batch.num_rows + at - inside.start,
            )
            yield from both.take(pa.array(order)).combine_chunks().to_batches()
        else:
            yield batch
        first += batch.num_rows


def _nearer(planted: np.ndarray, spared: np.ndarray, *, rows: int) -> Finding:
    """How often a planted canary lies nearer to the synthetic rows than one spared."""
    value, error = stats.auc(-planted, -spared)
    half = stats.Z * error
    chance = rank_test(-planted, -spared)
    sure = judge("canaries", value - 0.5, value - 0.5 - half, value - 0.5 + half)
    if sure in ("warn", "fail") or chance < LEVEL:  # the exact test decides what is sure
        beyond = value - 0.5 > TOLERANCES["canaries"][1]
        sure = ("fail" if beyond else "warn") if chance < LEVEL else "info"
    return Finding(
        question="private",
        name="canaries",
        value=value,
        low=max(0.0, value - half),
        high=min(1.0, value + half),
        reference=0.5,
        count=len(planted) + len(spared),
        verdict=sure,
        text=f"In {value:.1%} of pairs, the synthetic rows come nearer to the canary that was "
        f"planted than to the one that was not (50% is ideal). A generator that remembered "
        f"none of them would do as well by luck {_by_luck(chance)}.",
        details={
            "chance": chance,
            "found": [int((d == 0).sum()) for d in (planted, spared)],
            "distances": {"planted": planted.tolist(), "spared": spared.tolist()},
            "searched": rows,
        },
    )


def _by_luck(chance: float) -> str:
    if chance >= 0.01:
        return f"in {percent(chance)} of cases"
    return "less than once in a million times" if chance < 1e-6 else f"once in {1 / chance:,.0f}"


def rank_test(high: np.ndarray, low: np.ndarray) -> float:
    """The chance of `high` ranking as far above `low` by lot, or farther; exact, ties shared.

    Wilcoxon 1945, Mann & Whitney 1947: all ways to choose len(high) of the ranks are counted. For
    more than 200 values the normal approximation takes its place.
    """
    n, total = len(high), len(high) + len(low)
    ranks = np.rint(2 * stats.midranks(np.concatenate([high, low]))).astype(np.int64)
    seen = int(ranks[:n].sum())
    if total > EXACT:
        spread = np.sqrt(ranks.var() * n * (total - n) / (total - 1))
        return float(1 - _normal((seen - 1 - n * ranks.mean()) / spread)) if spread else 1.0
    top = int(np.sort(ranks)[-n:].sum())
    ways = np.zeros((n + 1, top + 1))  # of choosing so many ranks with such a sum
    ways[0, 0] = 1.0
    for rank in ranks.tolist():
        ways[1:, rank:] += ways[:-1, : top + 1 - rank].copy()
    return float(ways[n, seen:].sum() / ways[n].sum())


def _normal(z: float) -> float:
    from statistics import NormalDist

    return NormalDist().cdf(z)


def _verbatim(roles: Mapping[str, str], planted: Rows, spared: Rows, among: Rows) -> Finding:
    """Whether keys, personal data or texts of the canaries come out word for word."""
    hits, others, count = 0, 0, 0
    columns = []
    for name, marks in planted.strings.items():
        if not pa.types.is_large_string(marks.type) or roles[name] in LEARNED:
            continue
        columns.append(name)
        found = [
            pc.sum(pc.is_in(v, value_set=among.strings[name])).as_py() or 0
            for v in (marks, spared.strings[name])
        ]
        hits, others, count = hits + found[0], others + found[1], count + len(marks)
    if not columns:
        return not_judged(
            "private", "canary_marks", "No column of keys, personal data or text could be marked."
        )
    low, high = stats.wilson(hits, count)
    return Finding(
        question="private",
        name="canary_marks",
        value=hits / count,
        low=low,
        high=high,
        reference=others / count,
        count=count,
        verdict="fail" if hits > others else "pass",
        text=f"{hits:,} of {count:,} marks planted as keys, personal data or texts come out word "
        f"for word; {others:,} of as many never planted do.",
        columns=tuple(columns),
    )
