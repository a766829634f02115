"""`geurim verify` and `geurim compare`: what synthetic rows are worth, and several sets of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

import geurim
from geurim.arguments import (
    Run,
    check_free,
    common,
    lang_option,
    overwrite_option,
    parse_rows,
    refuse,
    target_option,
)

if TYPE_CHECKING:
    from geurim.contract import Progress, Source
    from geurim.verify import Report
    from geurim.verify.gate import Gate

_MADE = "synthetic.parquet"  # in a folder of `geurim generate`

sensitive_option = click.option(
    "--sensitive",
    multiple=True,
    metavar="COLUMN",
    help="A column such as sex: its groups must not fare worse. May be given more than once.",
)
verify_seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True
)


@click.command()
@click.argument("synthetic")
@click.option(
    "--real", metavar="DATA", help="The rows that were learned from; for text, real text."
)
@click.option("--holdout", metavar="DATA", help="Real rows that were not learned from.")
@target_option
@sensitive_option
@click.option("--table", help="The table of SYNTHETIC, where that is a database URL.")
@click.option("--real-table", metavar="TABLE", help="The table of --real, likewise.")
@click.option("--holdout-table", metavar="TABLE", help="The table of --holdout, likewise.")
@click.option("--schema", metavar="FILE", help="A schema file that overrides guesses.")
@click.option(
    "--text",
    "columns",
    multiple=True,
    metavar="COLUMN",
    help="Judge the text in this column; not needed for a folder of `geurim text run`.",
)
@click.option("--against", metavar="DATA", help="For text: a benchmark that must not be in it.")
@click.option("-o", "--output", metavar="HTML", help="Save the report as a page to read.")
@lang_option
@click.option("--json", "json_output", metavar="JSON", help="Save the findings for a program.")
@click.option("--card", metavar="MD", help="Save a data card: the README beside the rows.")
@click.option("--croissant", metavar="JSON", help="Save Croissant metadata of SYNTHETIC, a file.")
@click.option(
    "--gate",
    metavar="NAME|TOML",
    help="What decides the exit code: release, internal, development, or a file of limits.",
)
@click.option("--github", is_flag=True, help="Print marks that GitHub shows on a workflow's run.")
@verify_seed_option
@overwrite_option
@common
@click.pass_context
def verify(
    ctx: click.Context,
    synthetic: str,
    real: str,
    holdout: str,
    target: str,
    sensitive: tuple[str, ...],
    table: str,
    real_table: str,
    holdout_table: str,
    schema: str,
    columns: tuple[str, ...],
    against: str,
    output: str,
    lang: str,
    json_output: str,
    card: str,
    croissant: str,
    gate: str,
    github: bool,
    seed: int,
    overwrite: bool,
) -> None:
    """Compare SYNTHETIC rows with the real ones. Exit code 1 says: the verdict is "fail".

    A folder of `geurim text run`, or a file with --text, is judged as text; real text beside it
    is welcome, and not needed.

    \b
    Examples:
      geurim verify out.parquet --real people.csv -o report.html
      geurim verify out.parquet --real train.csv --holdout test.csv --target income -o report.html
      geurim verify out.parquet --real people.csv --target income --sensitive sex --sensitive race
      geurim verify out.parquet --real people.csv --gate gate.toml --json report.json
      geurim verify out.parquet --real train.csv --holdout test.csv --gate release --github
      geurim verify out.parquet --real people.csv -o report.html --lang ko
      geurim verify out --real reviews.csv -o report.html
      geurim verify rows.jsonl --text question --text answer --against gsm8k.jsonl -o report.html
    """
    from geurim.croissant import encoding
    from geurim.verify.gate import load_gate

    run: Run = ctx.obj
    files = {"html": output, "json": json_output, "card": card, "croissant": croissant}
    check_free(list(files.values()), overwrite)
    limits = load_gate(gate) if gate else None
    if croissant:
        encoding(_file(synthetic))  # refused now, and not after the work
    with run.bars() as progress:
        if columns or Path(_file(synthetic)).is_dir():
            others = ["table", "real_table", "holdout_table", "schema", "sensitive"]
            refuse(ctx, others, "for text")
            report = _verify_text(
                synthetic, real, holdout, target, columns, against, seed, progress
            )
        else:
            refuse(ctx, ["against"], "but for text: name its column with --text")
            if real is None:
                raise click.UsageError("Missing option '--real': the rows that were learned from.")
            report = geurim.verify(
                _rows_of(synthetic, table, schema),
                geurim.read(real, table=real_table, schema=schema),
                holdout=geurim.read(holdout, table=holdout_table, schema=schema)
                if holdout
                else None,
                target=target,
                sensitive=sensitive,
                seed=seed,
                progress=progress,
            )
        _save(report, synthetic, files, lang)
    show_report(run, report)
    for path in filter(None, files.values()):
        run.say(f"Wrote {path}")
    _end(ctx, report, limits, github)


def _save(report: Report, synthetic: str, files: dict[str, str], lang: str) -> None:
    from geurim.croissant import croissant, save_croissant

    if files["html"]:
        report.save_html(files["html"], lang)
    if files["json"]:
        report.save_json(files["json"])
    if files["card"]:
        report.save_markdown(files["card"], f"Synthetic data: {Path(synthetic).stem}")
    if files["croissant"]:
        about = f"Synthetic rows, verified by Geurim. {report.summary()[0]}."
        metadata = croissant([_file(synthetic)], name=Path(synthetic).stem, description=about)
        save_croissant(metadata, files["croissant"])


def _end(ctx: click.Context, report: Report, limits: Gate | None, github: bool) -> NoReturn:
    from geurim.verify.gate import gate
    from geurim.verify.gate import github as marks

    code = judged(ctx.obj, report, limits)
    if github:
        for line in marks(report, gate(report, limits)):
            click.echo(line)
    ctx.exit(code)


def show_report(run: Run, report: Report) -> None:
    """The verdict, each question's, and what is behind them."""
    from geurim.terminal import printable

    for line in report.summary():
        run.say(printable(line))


def judged(run: Run, report: Report, limits: Gate | None) -> int:
    """The exit code: by the gate's conditions where there is one, else by the verdict."""
    from geurim.terminal import printable
    from geurim.verify.gate import gate

    problems = gate(report, limits)
    if limits is not None:
        run.say(f"Gate: {f'{len(problems)} not kept' if problems else 'kept'}")
        for problem in problems:
            run.say(printable(f"  {problem}"))
    return int(bool(problems))


def _file(place: str) -> str:
    """The file of synthetic rows: in a folder of `geurim generate`, the one that it made."""
    made = Path(place) / _MADE
    return str(made) if made.is_file() else place


def _rows_of(place: str, table: str | None, schema: str | None) -> Source:
    """The synthetic rows of a file, a database, or a folder of `geurim generate`."""
    return geurim.read(_file(place), table=table, schema=schema)


def _verify_text(
    synthetic: str,
    real: str | None,
    holdout: str | None,
    label: str | None,
    columns: tuple[str, ...],
    against: str | None,
    seed: int,
    progress: Progress,
) -> Report:
    """A folder of `geurim text run` with its rejects, or a file of texts."""
    from geurim.generators.text.finish import open_source
    from geurim.rows import read_rows
    from geurim.verify.prose import verify_text

    place, rejects = Path(synthetic), None
    if place.is_dir() and (place / "data.parquet").exists():
        lost = place / "rejects.jsonl"
        rejects = read_rows(lost) if lost.exists() and lost.stat().st_size else None
        if not columns and (place / "recipe.yaml").exists():
            from geurim.generators.text.recipe import Recipe

            columns = Recipe.load(place / "recipe.yaml").text
        place = place / "data.parquet"
    return verify_text(
        read_rows(place),
        open_source(real) if real else None,
        holdout=open_source(holdout) if holdout else None,
        column=list(columns) or None,
        label=label,
        rejects=rejects,
        contamination=open_source(against) if against else None,
        seed=seed,
        progress=progress,
    )


@click.command()
@click.argument("sets", nargs=-1)
@click.option("--real", metavar="DATA", required=True, help="The rows that were learned from.")
@click.option("--holdout", metavar="DATA", help="Real rows that were not learned from.")
@click.option(
    "--generator",
    "generators",
    multiple=True,
    metavar="NAME",
    help="Compare what this one makes of the real rows as well. May be given more than once.",
)
@click.option(
    "--rows",
    type=parse_rows,
    metavar="N",
    help="Rows of each generator.  [default: as learned from]",
)
@target_option
@sensitive_option
@click.option("--schema", metavar="FILE", help="A schema file that overrides guesses.")
@click.option("-o", "--output", metavar="HTML", help="Save the comparison as a page to read.")
@lang_option
@click.option("--json", "json_output", metavar="JSON", help="Save all findings for a program.")
@verify_seed_option
@overwrite_option
@common
@click.pass_context
def compare(
    ctx: click.Context,
    sets: tuple[str, ...],
    real: str,
    holdout: str,
    generators: tuple[str, ...],
    rows: int | None,
    target: str,
    sensitive: tuple[str, ...],
    schema: str,
    output: str,
    lang: str,
    json_output: str,
    seed: int,
    overwrite: bool,
) -> None:
    """Put several SETS of synthetic rows, or several generators, side by side.

    A set is a file, a database URL or a folder of `geurim generate`. With --generator and no
    holdout, a fifth of the real rows is held out before anything is learned.

    \b
    Examples:
      geurim compare ours.parquet theirs.csv --real train.csv --holdout test.csv -o compare.html
      geurim compare --generator trees --generator copula --real people.csv --target income
    """
    from geurim.pipeline import split
    from geurim.terminal import printable, table
    from geurim.verify.beside import made_by, side_by_side

    run: Run = ctx.obj
    if not sets and not generators:
        raise click.UsageError("Nothing to compare: give files of synthetic rows, or --generator.")
    if rows and not generators:
        raise click.UsageError("--rows cannot be used without --generator.")
    check_free([output, json_output], overwrite)
    with run.bars() as progress:
        training = geurim.read(real, schema=schema)
        held = geurim.read(holdout, schema=schema) if holdout else None
        if generators and held is None:
            training, held = split(training, 0.2, seed)
        made = {name: _rows_of(place, None, schema) for name, place in _named(sets).items()}
        made |= made_by(generators, training, rows=rows, seed=seed, progress=progress)
        found = side_by_side(
            made,
            training,
            holdout=held,
            target=target,
            sensitive=sensitive,
            seed=seed,
            progress=progress,
        )
        if output:
            found.save_html(output, lang)
        if json_output:
            found.save_json(json_output)
    head, *lines = found.summary()
    run.say(table([printable(h) for h in head], lines))
    for path in filter(None, [output, json_output]):
        run.say(f"Wrote {path}")


def _named(places: tuple[str, ...]) -> dict[str, str]:
    """Each set by its file's name, or its whole place where two have the same."""
    names = [Path(p).stem or p for p in places]
    return {
        (place if names.count(name) > 1 else name): place
        for name, place in zip(names, places, strict=True)
    }
