"""Do the tables of a database still belong together? Keys, counts of children, links of columns.

Four measures for each foreign key: the share of references to nothing, how far the distribution
of children a parent is from the real one, how far what columns of parent and child say about each
other is from what they said, and whether children of one parent are still alike. They judge what
joins tables; each table by itself is judged by `geurim.verify`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from geurim.contract import Finding, Progress, quiet
from geurim.errors import DataError
from geurim.relations.context import Coarse
from geurim.relations.fit import references
from geurim.relations.keys import Database, ForeignKey
from geurim.relations.rows import DANGLING, settle, taken
from geurim.verify.report import Report
from geurim.verify.siblings import siblings
from geurim.verify.verdict import judge, not_judged

PAIRS = 10  # the strongest real links of a key that are compared
_LOOKED_AT = 50_000
_WORDS = 200  # a column of more words than this says nothing by its codes
_FEW = 20  # with fewer parents nothing is judged
_MANY = 1_000  # children of one parent, of which it no longer matters that they are whole


def verify_database(synthetic: Database, real: Database, *, progress: Progress = quiet) -> Report:
    """Compare how the tables of two databases are joined; the keys are those of `real`.

    Raises DataError where a table of the real database is missing in the synthetic one.
    """
    missing = [t for t in real.tables if t not in synthetic.tables]
    if missing:
        raise DataError(
            f"The synthetic database lacks tables of the real one: {', '.join(missing[:5])}. "
            f"Compare databases of the same tables."
        )
    there = {n: settle(s) for n, s in real.tables.items()}
    made = {n: settle(synthetic.tables[n]) for n in there}
    before = references(real, there)
    after = references(_with_keys_of(synthetic, real), made)
    findings: list[Finding] = []
    tests = 3 * max(len(before), 1)
    speaking = {t: _speaking(real, t, there) for t in there}
    for (table, key), index in before.items():
        if not len(index) or not there[key.table].num_rows:
            continue
        new = after[table, key]
        findings += [
            dangling(table, key, index, new),
            children(
                table, key, _tally(index, there[key.table]), _tally(new, made[key.table]), tests
            ),
            links(
                table,
                key,
                (there, index),
                (made, new),
                (speaking[key.table], speaking[table]),
                tests,
            ),
            siblings(table, key, (there, index), (made, new), speaking[table], tests),
        ]
    unique = [
        unique_rows(t, s, made[t]) for t in there for s in real.of(t).sets if made[t].num_rows
    ]
    return Report(
        findings=tuple(findings + unique),
        notes=("Only what joins the tables is judged here; verify each table by itself as well.",),
        rows={
            "training": sum(t.num_rows for t in there.values()),
            "synthetic": sum(t.num_rows for t in made.values()),
        },
        lineage={"real": real.lineage, "holdout": None, "synthetic": synthetic.lineage},
        target=None,
        seed=0,
    )


def _with_keys_of(database: Database, other: Database) -> Database:
    return Database(tables=database.tables, keys=other.keys, lineage=database.lineage)


def _tally(index: np.ndarray, parent: pa.Table) -> np.ndarray:
    return np.bincount(index[index >= 0], minlength=parent.num_rows)


def unique_rows(table: str, key: tuple[str, ...], rows: pa.Table) -> Finding:
    """The share of rows that another one equals in what should tell them apart."""
    from geurim.relations.rows import tuples

    codes = tuples([rows[c] for c in key])
    codes = codes[codes >= 0]
    share = 1 - len(np.unique(codes)) / max(len(codes), 1)
    return Finding(
        question="faithful",
        name="repeated_keys",
        value=share,
        low=share,
        high=share,
        reference=0.0,
        count=len(codes),
        verdict="fail" if share else "pass",
        text=f"{share:.2%} of the rows of {table} repeat a key ({', '.join(key)}).",
        columns=key,
        details={"table": table},
    )


def dangling(table: str, key: ForeignKey, before: np.ndarray, after: np.ndarray) -> Finding:
    """The share of rows whose reference names no row; more than in the real data fails."""
    real, share = float((before == DANGLING).mean()), float((after == DANGLING).mean())
    # Where some dangled and were kept, their share is that of a sample.
    room = 4 * np.sqrt(real * (1 - real) / max(len(after), 1)) + 0.02 * real
    return Finding(
        question="faithful",
        name="dangling_references",
        value=share,
        low=share,
        high=share,
        reference=real,
        count=len(after),
        verdict="fail" if share > real + room else "pass",
        text=f"{share:.2%} of the rows of {table} name no row of {key.table}; {real:.2%} of the "
        f"real ones do.",
        columns=key.columns,
        details={"table": table, "parent": key.table},
    )


def children(
    table: str, key: ForeignKey, before: np.ndarray, after: np.ndarray, tests: int
) -> Finding:
    """The largest gap (Kolmogorov-Smirnov) between the distributions of children a parent."""
    name = "children_a_parent"
    if len(before) < _FEW or len(after) < _FEW:
        return not_judged(
            "faithful", name, f"Too few rows of {key.table} to compare the rows of {table} of each."
        )
    gap = _gap(before, after)
    if len(after) == len(before) and abs(after.mean() / max(before.mean(), 1e-9) - 1) > 0.1:
        # Parents kept as they are have more children in a larger database, or fewer in a smaller:
        # each so many times as many, or each child by lot. Either is honest.
        gap = min(gap, _gap(before / before.mean(), after / max(after.mean(), 1e-9)))
        gap = min(gap, _gap_by_lot(before, after))
    half = float(np.sqrt(1 / len(before) + 1 / len(after)))
    low, high = max(0.0, gap - half), min(1.0, gap + half)
    return Finding(
        question="faithful",
        name=name,
        value=gap,
        low=low,
        high=high,
        reference=0.0,
        count=len(after),
        verdict=judge("column_ks", gap, low, high, tests=tests),
        text=f"How many rows of {table} a row of {key.table} has is off by {gap:.1%} of the "
        f"parents (on average {after.mean():.2f}, really {before.mean():.2f}).",
        columns=key.columns,
        details={"table": table, "parent": key.table},
    )


def _gap(one: np.ndarray, other: np.ndarray) -> float:
    """The largest gap between two distribution functions."""
    points = np.union1d(one, other)
    f, g = (np.searchsorted(np.sort(v), points, "right") / len(v) for v in (one, other))
    return float(np.abs(f - g).max())


def _gap_by_lot(one: np.ndarray, other: np.ndarray) -> float:
    """The same, had each child of the side with more been kept by lot until both had as many."""
    few, many = sorted((one, other), key=lambda v: float(v.mean()))
    if many.max() > _MANY:
        return 1.0
    size = np.bincount(many) / len(many)
    rate = float(few.mean() / many.mean())
    kept = np.arange(len(size))
    fact = np.cumsum(np.log(np.maximum(kept, 1)))  # log n!
    n, k = kept[:, None], kept[None, :]
    below = np.where(k <= n, fact[n] - fact[k] - fact[np.maximum(n - k, 0)], -np.inf)
    chance = np.exp(below + k * np.log(max(rate, 1e-12)) + (n - k) * np.log1p(-rate))
    by_lot = np.cumsum(size @ np.where(k <= n, chance, 0.0))
    seen = np.cumsum(np.bincount(few, minlength=len(size))[: len(size)]) / len(few)
    return float(np.abs(by_lot - seen).max())


Side = tuple[Mapping[str, pa.Table], np.ndarray]


def links(
    table: str,
    key: ForeignKey,
    before: Side,
    after: Side,
    columns: tuple[list[str], list[str]],
    tests: int,
) -> Finding:
    """By how much the links between columns of parent and child moved, the strongest real ones.

    A link is Cramer's V of the two columns, both coarsely coded; the child's number of siblings
    is one of its columns. `columns`: those of parent and child that are compared.
    """
    name = "related_columns"
    real, made = _joined(table, key, before, columns), _joined(table, key, after, columns)
    rows = min(len(next(iter(t.values()), ())) for t in (*real, *made))
    strength: dict[tuple[str, str], tuple[float, float]] = {}
    if rows >= 50:
        codes = [
            {n: Coarse.of(c, 8) for n, c in side.items() if c.null_count < len(c)} for side in real
        ]
        for parent, coarse in codes[0].items():
            for child, fine in codes[1].items():
                found = [
                    cramer(coarse.codes(side[0][parent]), fine.codes(side[1][child]))
                    for side in (real, made)
                ]
                strength[parent, child] = (found[0], found[1])
    best = sorted(strength, key=lambda p: -strength[p][0])[:PAIRS]
    best = [p for p in best if strength[p][0] >= 0.1]
    parents = min(len(np.unique(side[1][side[1] >= 0])) for side in (before, after))
    if not best or parents < _FEW:
        return not_judged(
            "faithful", name, f"No column of {key.table} tells much about {table}: not compared."
        )
    moved = np.array([strength[p][0] - strength[p][1] for p in best])
    value = float(np.abs(moved).mean())
    half = float(2 * np.sqrt(1 / min(rows, parents * 10)))
    low, high = max(0.0, value - half), value + half
    worst = best[int(np.argmax(np.abs(moved)))]
    return Finding(
        question="faithful",
        name=name,
        value=value,
        low=low,
        high=high,
        reference=0.0,
        count=rows,
        verdict=judge("pair_association", value, low, high, tests=tests),
        text=f"What {key.table} and {table} say about each other is off by {value:.2f} on "
        f"average; most for {worst[0]!r} and {worst[1]!r}: {strength[worst][1]:.2f}, really "
        f"{strength[worst][0]:.2f}.",
        columns=key.columns,
        details={
            "table": table,
            "parent": key.table,
            "pairs": [[*p, *strength[p]] for p in best],
        },
    )


def _joined(
    table: str, key: ForeignKey, side: Side, columns: tuple[list[str], list[str]]
) -> tuple[dict[str, pa.Array], dict[str, pa.Array]]:
    """The columns of parent and child, row by row of the child, thinned evenly."""
    tables, index = side
    rows = np.flatnonzero(index >= 0)
    if len(rows) > _LOOKED_AT:
        rows = rows[np.linspace(0, len(rows) - 1, _LOOKED_AT).astype(np.int64)]
    parent, child = tables[key.table], tables[table]
    count = np.bincount(index[index >= 0], minlength=max(parent.num_rows, 1))
    ours = {c: taken(child[c], rows) for c in columns[1]}
    siblings = pa.array(count[index[rows]])
    return (
        {c: taken(parent[c], index[rows]) for c in columns[0]},
        ours | {"number of siblings": siblings},
    )


def _speaking(database: Database, table: str, rows: Mapping[str, pa.Table]) -> list[str]:
    """The columns that can say something: no keys, no words that hardly repeat."""
    keys = database.of(table)
    out = {c for s in keys.sets for c in s} | {c for k in keys.foreign for c in k.columns}
    found = []
    for field in rows[table].schema:
        column = rows[table][field.name]
        words = pa.types.is_string(field.type) or pa.types.is_dictionary(field.type)
        if field.name in out or column.null_count == len(column):
            continue
        if words and len(column.drop_null().unique()) > min(_WORDS, len(column) / 5):
            continue
        found.append(field.name)
    return found


def cramer(first: np.ndarray, second: np.ndarray) -> float:
    """Cramer's V of two codes (N,), corrected for bias (Bergsma 2013); 0 for none, 1 for all."""
    rows, columns = int(first.max(initial=0)) + 1, int(second.max(initial=0)) + 1
    table = np.bincount(first * columns + second, minlength=rows * columns).astype(float)
    table = table.reshape(rows, columns)
    table = table[table.sum(1) > 0][:, table.sum(0) > 0]
    n, (r, c) = table.sum(), table.shape
    if n < 2 or min(r, c) < 2:
        return 0.0
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / n
    phi = float(((table - expected) ** 2 / expected).sum() / n)
    phi = max(0.0, phi - (r - 1) * (c - 1) / (n - 1))
    most = min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1
    return float(np.sqrt(phi / most)) if most > 0 else 0.0
