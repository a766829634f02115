"""Learning a database: references first, then each table given its parents."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping

import numpy as np
import pyarrow as pa

from geurim.contract import Event, Lineage, Progress, quiet
from geurim.errors import DataError, NotFound, SettingError
from geurim.generators.trees import Trees
from geurim.relations import plan as planning
from geurim.relations.keys import Database, ForeignKey
from geurim.relations.learn import Learner
from geurim.relations.model import FittedDatabase, TableModel
from geurim.relations.rows import DANGLING, match, settle

DANGLINGS = ("keep", "drop", "refuse")
_FIT = 0x64617461


def fit_database(
    database: Database,
    *,
    keep: Collection[str] = (),
    dangling: str = "keep",
    generator: Trees | None = None,
    seed: int | None = None,
    progress: Progress = quiet,
) -> FittedDatabase:
    """Learn how the tables of a database are filled and joined.

    `keep`: tables whose real rows are taken over as they are (currencies, airports). `dangling`:
    what is done about real references to rows that are not there: "keep" makes as many new ones,
    "drop" leaves those rows out (and what hangs on them), "refuse" raises DataError. All are
    counted in `notes`. Raises NotFound (a table to keep), SettingError, DataError.
    """
    if dangling not in DANGLINGS:
        raise SettingError(
            f"Unknown way to treat dangling references: {dangling!r}. "
            f"Use one of: {', '.join(DANGLINGS)}."
        )
    for name in keep:
        if name not in database.tables:
            raise NotFound(
                f"There is no table {name!r} to keep. There are: {', '.join(database.tables)}."
            )
    seed = secrets.randbits(63) if seed is None else seed
    rows = {n: settle(s) for n, s in database.tables.items()}
    rows, index, notes = _joined(database, rows, dangling)
    wanted = set(keep)
    keep = _with_parents(database, wanted)
    notes += [
        f"{t}: kept as it is as well, because a kept table names its rows."
        for t in keep
        if t not in wanted
    ]
    learner = Learner(
        database=database,
        rows=rows,
        index=index,
        plan=planning.make(database, index),
        keep=frozenset(keep),
        generator=generator or Trees(),
    )
    models = {}
    for place, table in enumerate(learner.plan.order):
        progress(Event(step="fit", done=place, total=len(rows), unit="tables", note=table))
        spawned = np.random.SeedSequence(seed, spawn_key=(_FIT, place))
        models[table] = learner.learn(table, np.random.default_rng(spawned))
    progress(Event(step="fit", done=len(rows), total=len(rows), unit="tables"))
    return FittedDatabase(
        models=models,
        plan=learner.plan,
        lineage=Lineage.made(
            f"database of {learner.generator!r}",
            seed=seed,
            request=[sorted(keep), dangling],
            parents=(database.lineage,),
        ),
        notes=(*database.notes, *notes),
        blank=database.blank,
        suggested=tuple(t for t in suggest(database, rows, models) if t not in keep),
    )


def _joined(
    database: Database, rows: dict[str, pa.Table], dangling: str
) -> tuple[dict[str, pa.Table], dict[tuple[str, ForeignKey], np.ndarray], list[str]]:
    """The rows to learn from, which row each reference names, and what dangles."""
    lost: dict[tuple[str, ForeignKey], int] = {}
    while True:
        index = references(database, rows)
        bad = {link: int((found == DANGLING).sum()) for link, found in index.items()}
        bad = {link: count for link, count in bad.items() if count}
        for link, count in bad.items():
            lost[link] = lost.get(link, 0) + count
        if not bad or dangling == "keep":
            break
        if dangling == "refuse":
            said = "; ".join(f"{t}.{k.text} in {n:,} rows" for (t, k), n in bad.items())
            raise DataError(
                f"References name rows that are not there: {said}. Correct the data, or ask to "
                f"keep them (--dangling keep) or to leave those rows out (--dangling drop)."
            )
        for table in {t for t, _ in bad}:
            whole_rows = np.ones(rows[table].num_rows, bool)
            for (t, _), found in index.items():
                if t == table:
                    whole_rows &= found != DANGLING
            rows[table] = rows[table].filter(pa.array(whole_rows))
    done = {"keep": "as many dangle in what is made", "drop": "left out, with what hangs on them"}
    notes = [
        f"{table}: {count:,} of {database.tables[table].rows or 0:,} rows name no row of "
        f"{key.table} by {', '.join(key.columns)}; {done[dangling]}."
        for (table, key), count in lost.items()
    ]
    return rows, index, notes


def _with_parents(database: Database, keep: set[str]) -> list[str]:
    """Kept tables and all that they name: real references need the real rows."""
    found: set[str] = set()
    while keep - found:
        found |= keep
        keep = {k.table for t in found for k in database.of(t).foreign}
    return [t for t in database.tables if t in found]


def references(
    database: Database, rows: Mapping[str, pa.Table]
) -> dict[tuple[str, ForeignKey], np.ndarray]:
    """Which row of the parent each row names, for every foreign key."""
    return {
        (table, key): match(
            [rows[table][c] for c in key.columns], [rows[key.table][c] for c in key.references]
        )
        for table in rows
        for key in database.of(table).foreign
    }


def suggest(
    database: Database, rows: Mapping[str, pa.Table], models: Mapping[str, TableModel]
) -> list[str]:
    """Tables that others name often, that name none and hold no personal data: reference tables."""
    found = []
    for table, own in rows.items():
        named = [
            rows[t].num_rows
            for t in rows
            for k in database.of(t).foreign
            if k.table == table and t != table
        ]
        profile = models[table].profile
        personal = profile is not None and any(
            c["role"] == "personal" for c in profile.columns.values()
        )
        few = 0 < own.num_rows <= 2_000 and len(own.column_names) <= 12
        alone = not database.of(table).foreign
        if few and alone and not personal and max(named, default=0) >= 5 * own.num_rows:
            found.append(table)
    return found
