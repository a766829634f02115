"""`geurim analyze`, `fit`, `sample` and `generate` where all of a database is meant."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

import geurim
from geurim.arguments import Run, check_free, refuse

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from geurim.relations import Database, FittedDatabase

F = TypeVar("F", bound=Callable[..., Any])


scale_option = click.option(
    "--scale",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Of a whole database: how many times as large.",
)


def database_options(command: F) -> F:
    """Options that say how a whole database is learned."""
    for option in reversed(
        [
            click.option(
                "--keep",
                multiple=True,
                metavar="TABLE",
                help="Of a whole database: a table to take over as it is.",
            ),
            click.option(
                "--dangling",
                type=click.Choice(["keep", "drop", "refuse"]),
                default="keep",
                show_default=True,
                help="Of a whole database: references to rows that are not there.",
            ),
        ]
    ):
        command = option(command)
    return command


def is_whole(data: str | None, table: str | None, query: str | None, rows: int | None) -> bool:
    """Whether a command is asked about a whole database, not about one table."""
    from geurim.relations import is_database

    return bool(data) and not (table or query or rows) and is_database(str(data))


def generate_database(
    run: Run,
    data: str,
    output: str,
    *,
    schema: str | None,
    scale: float,
    keep: tuple[str, ...],
    dangling: str,
    seed: int | None,
    overwrite: bool,
) -> int:
    """All steps for a whole database; the exit code."""
    from geurim.relations import check_target, fit_database, read_database, write_database
    from geurim.terminal import printable
    from geurim.verify.related import verify_database

    keep = _kept(schema, keep)
    with run.bars() as progress:
        database = read_database(data, schema=schema, progress=progress)
        check_target(database.tables, output, overwrite=overwrite)
        seed = run.seed(seed)
        fitted = fit_database(database, keep=keep, dangling=dangling, seed=seed, progress=progress)
        made = fitted.sample(scale, seed=seed, progress=progress)
        where = write_database(made, output, overwrite=overwrite, progress=progress)
        report = verify_database(made, database)
    _show_made(run, made, fitted, {n: s.rows or 0 for n, s in database.tables.items()})
    for line in report.summary():
        run.say(printable(line))
    _suggest(run, fitted)
    run.say(f"Wrote {where}: {_size(made)} in {run.took()}")
    return int(not report.passed)


def fit_whole(
    ctx: click.Context,
    data: str,
    table: str | None,
    query: str | None,
    output: str,
    *,
    schema: str | None,
    keep: tuple[str, ...],
    dangling: str,
    seed: int | None,
    overwrite: bool,
) -> bool:
    """Learn a whole database and save its model; False where DATA is one table."""
    from geurim.relations import fit_database, read_database, tables_of

    if not is_whole(data, table, query, None) or len(tables_of(data)) == 1:
        refuse(ctx, ["keep", "dangling"], "but for a database of several tables")
        return False
    of_rows = ["generator", "entity", "time", "needed", "time_limit", "constraints", "checkpoint"]
    of_rows.append("synthetic_training")
    refuse(ctx, of_rows, "for a whole database: name a --table")
    run: Run = ctx.obj
    check_free([output], overwrite)
    seed = run.seed(seed)
    keep = _kept(schema, keep)
    with run.bars() as progress:
        database = read_database(data, schema=schema, progress=progress)
        fitted = fit_database(database, keep=keep, dangling=dangling, seed=seed, progress=progress)
        geurim.save(fitted, output)
    _show_learned(run, database, fitted)
    _suggest(run, fitted)
    run.say(f"Wrote {output}: learned from {_size(database)} in {run.took()}")
    return True


def sample_whole(
    ctx: click.Context,
    fitted: Any,
    output: str,
    *,
    scale: float,
    seed: int | None,
    overwrite: bool,
) -> bool:
    """Make a whole database by its model; False where `fitted` is a model of rows."""
    from geurim.relations import FittedDatabase, check_target, write_database

    if not isinstance(fitted, FittedDatabase):
        refuse(ctx, ["scale"], "with the model of one table: give --rows")
        return False
    of_rows = ["rows", "given", "where", "balance", "fair", "edge_cases", "workers", "to_table"]
    refuse(ctx, of_rows, "with the model of a whole database: give --scale")
    run: Run = ctx.obj
    check_target(fitted.models, output, overwrite=overwrite)
    seed = run.seed(seed)
    with run.bars() as progress:
        made = fitted.sample(scale, seed=seed, progress=progress)
        where = write_database(made, output, overwrite=overwrite, progress=progress)
    _show_made(run, made, fitted, {n: m.rows for n, m in fitted.models.items()})
    run.say(f"Wrote {where}: {_size(made)} in {run.took()}")
    return True


def _kept(schema: str | None, keep: tuple[str, ...]) -> tuple[str, ...]:
    """The tables to keep: those asked for, and those of the schema file."""
    from geurim.relations import declare

    said = declare.load(schema)
    return (*keep, *(t for t, one in said.items() if one.keep and t not in keep))


def _size(database: Database) -> str:
    total = sum(s.rows or 0 for s in database.tables.values())
    return f"{len(database.tables)} tables, {total:,} rows"


def _suggest(run: Run, fitted: FittedDatabase) -> None:
    from geurim.terminal import printable

    if fitted.suggested:
        asked = " ".join(f"--keep {t!r}" if " " in t else f"--keep {t}" for t in fitted.suggested)
        run.say(printable(f"Reference tables? They are made anew; to take them over: {asked}"))


def _show_learned(run: Run, real: Database, fitted: FittedDatabase) -> None:
    from geurim.terminal import printable

    rows = [(n, f"{s.rows or 0:,}", _refers(fitted, n)) for n, s in real.tables.items()]
    _show(run, ["table", "rows", "refers to"], rows, fitted.notes)
    kept = [n for n, m in fitted.models.items() if m.rows and m.kept is not None]
    if kept:
        run.say(printable(f"The model holds the real rows of the kept tables: {', '.join(kept)}."))


def _show_made(
    run: Run, made: Database, fitted: FittedDatabase, real_rows: Mapping[str, int]
) -> None:
    rows = [
        (n, f"{real_rows[n]:,}", f"{s.rows or 0:,}", _refers(fitted, n))
        for n, s in made.tables.items()
    ]
    _show(run, ["table", "real rows", "rows", "refers to"], rows, made.notes)


def _show(
    run: Run, heads: list[str], rows: Sequence[tuple[str, ...]], notes: Sequence[str]
) -> None:
    from geurim.terminal import printable, table

    run.say(table(heads, rows, right=f"l{'r' * (len(heads) - 2)}l"))
    for note in notes:
        run.say(printable(f"Note: {note}"))


def _refers(fitted: FittedDatabase, table: str) -> str:
    model = fitted.models[table]
    if model.rows and model.kept is not None:
        return "kept as it is"
    return ", ".join(k.table for k in model.keys.foreign)


def analyze_database(
    run: Run, data: str, schema: str | None, write_schema: str | None, overwrite: bool
) -> bool:
    """Show the tables of a database and what joins them; False where there is only one table."""
    from geurim.relations import declare, read_database, references
    from geurim.relations.rows import settle
    from geurim.terminal import printable, table
    from geurim.write import claim

    with run.bars() as progress:
        database = read_database(data, schema=schema, progress=progress)
    if len(database.tables) == 1 and not schema:
        return False
    held = {n: settle(s) for n, s in database.tables.items()}
    rows = [
        (
            name,
            f"{source.rows or 0:,}",
            f"{len(source.schema)}",
            ", ".join(database.of(name).primary) or "none",
            database.of(name).why if database.of(name).primary else "",
        )
        for name, source in database.tables.items()
    ]
    run.say(table(["table", "rows", "columns", "primary key", "why"], rows, right="lrrll"))
    found = references(database, held)
    links = [
        (
            f"{name}.{', '.join(key.columns)}",
            f"{key.table}({', '.join(key.references)})",
            *_counts(index, held[key.table]),
            key.why,
        )
        for (name, key), index in found.items()
    ]
    heads = ["reference", "names", "rows each", "most", "none", "missing", "dangling", "why"]
    run.say()
    run.say(table(heads, links, right="llrrrrrl"))
    for note in database.notes:
        run.say(printable(f"Note: {note}"))
    if write_schema:
        from pathlib import Path

        with claim(Path(write_schema), overwrite=overwrite) as temporary:
            temporary.write_text(declare.written(database.keys), encoding="utf-8")
        run.say(f"Wrote {write_schema}")
    return True


def _counts(index: np.ndarray, parent: pa.Table) -> tuple[str, ...]:
    """Rows a parent on average and at most, parents without any, references missing, dangling."""
    import numpy as np

    tally = np.bincount(index[index >= 0], minlength=parent.num_rows)
    if not len(tally) or not len(index):
        return ("", "", "", "", "")
    return (
        f"{tally.mean():.2f}",
        f"{tally.max():,}",
        f"{(tally == 0).mean():.0%}",
        f"{(index == -1).mean():.1%}",
        f"{(index == -2).sum():,}",
    )
