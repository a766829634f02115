"""`geurim generate` and `geurim analyze` where DATA is a whole database."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from geurim.arguments import Run, parse_rows

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from geurim.relations import Database

F = TypeVar("F", bound=Callable[..., Any])


def database_options(command: F) -> F:
    """Options of `generate` that are for whole databases, and --rows, which is not."""
    for option in reversed(
        [
            click.option(
                "--rows", type=parse_rows, metavar="N", help="How many: 1000000, 1e6, 1m."
            ),
            click.option(
                "--scale",
                type=click.FloatRange(min=0, min_open=True),
                default=1.0,
                show_default=True,
                help="Of a whole database: how many times as large.",
            ),
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
    from geurim.relations import check_target, declare, fit_database, read_database, write_database
    from geurim.terminal import printable
    from geurim.verify.related import verify_database

    said = declare.load(schema)
    keep = (*keep, *(t for t, one in said.items() if one.keep and t not in keep))
    with run.bars() as progress:
        database = read_database(data, schema=schema, progress=progress)
        check_target(database, output, overwrite=overwrite)
        seed = run.seed(seed)
        fitted = fit_database(database, keep=keep, dangling=dangling, seed=seed, progress=progress)
        made = fitted.sample(scale, seed=seed, progress=progress)
        where = write_database(made, output, overwrite=overwrite, progress=progress)
        report = verify_database(made, database)
    _show_made(run, database, made, keep)
    for note in made.notes:
        run.say(printable(f"Note: {note}"))
    for line in report.summary():
        run.say(printable(line))
    if fitted.suggested:
        asked = " ".join(f"--keep {t!r}" if " " in t else f"--keep {t}" for t in fitted.suggested)
        run.say(printable(f"Reference tables? They were made anew; to take them over: {asked}"))
    total = sum(s.rows or 0 for s in made.tables.values())
    run.say(f"Wrote {where}: {len(made.tables)} tables, {total:,} rows in {run.took()}")
    return int(not report.passed)


def _show_made(run: Run, real: Database, made: Database, keep: tuple[str, ...]) -> None:
    from geurim.terminal import table

    rows = [
        (
            name,
            f"{real.tables[name].rows or 0:,}",
            f"{source.rows or 0:,}",
            "kept as it is" if name in keep else ", ".join(k.table for k in made.of(name).foreign),
        )
        for name, source in made.tables.items()
    ]
    run.say(table(["table", "real rows", "rows", "refers to"], rows, right="lrrl"))


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
