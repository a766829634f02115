"""Series on the command line: `--entity` and `--time` of `geurim generate` and `geurim fit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from geurim.arguments import F, Run
from geurim.errors import SettingError

if TYPE_CHECKING:
    from geurim.contract import Generator, Source

_NAMES = ("trees", "recurrent")


def series_options(command: F) -> F:
    """Options that say that rows are series in time."""
    command = click.option(
        "--time", metavar="COLUMN", help="Rows are series: the column that orders them."
    )(command)
    return click.option(
        "--entity", metavar="COLUMN", help="Rows are many series: the column that says whose."
    )(command)


def series_settings(entity: str | None, time: str | None, generator: str | None) -> Generator:
    """The settings of a generator of series. Raises SettingError where it is none."""
    from geurim.sequences import Recurrent, Sequences

    if generator not in (None, *_NAMES):
        raise SettingError(
            f"{generator!r} does not make series (--entity, --time). Choose one of: "
            f"{', '.join(_NAMES)}; or leave --generator out."
        )
    kind = Recurrent if generator == "recurrent" else Sequences
    return kind(entity=entity, time=time)


def generate_sequences(
    run: Run,
    source: Source,
    units: int,
    output: str,
    overwrite: bool,
    entity: str | None,
    time: str | None,
    generator: str | None,
    seed: int | None,
    workers: int,
    lang: str,
) -> int:
    """All steps into a folder; gives the exit code."""
    from geurim.pipeline import check_folder
    from geurim.sequences.run import run_sequences
    from geurim.terminal import printable

    settings = series_settings(entity, time, generator)
    check_folder(Path(output), overwrite)
    seed = run.seed(seed)
    with run.bars() as progress:
        result = run_sequences(
            source,
            units,
            output,
            entity=entity,
            time=time,
            generator=settings,
            seed=seed,
            workers=workers,
            lang=lang,
            overwrite=overwrite,
            progress=progress,
        )
    for line in result.report.summary():
        run.say(printable(line))
    seconds = ", ".join(f"{step} {s:.1f} s" for step, s in result.seconds.items())
    run.say(f"Learned from {result.training:,} series, held out {result.holdout:,}.")
    run.say(f"Rows:   {result.data} (the events of {units:,} series)")
    run.say(f"Report: {result.page}")
    run.say(f"Took {run.took()}: {seconds}")
    return int(not result.report.passed)


def flat_rows(source: Source) -> Source:
    """Units as the real table's rows; other rows as they are."""
    from geurim.sequences.layout import Layout, flatten

    return source if Layout.of(source.schema) is None else flatten(source)


def things(source: Source) -> str:
    """What the rows of a source are called."""
    from geurim.sequences.layout import Layout

    return "rows" if Layout.of(source.schema) is None else "series"
