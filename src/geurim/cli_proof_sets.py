"""`geurim mix`, `geurim collapse`, `geurim review`: sets of rows that prove, or keep, quality."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    seed_option,
)

if TYPE_CHECKING:
    from geurim.contract import Progress
    from geurim.review import Personal


@click.command()
@click.argument("real")
@click.argument("synthetic")
@click.option(
    "--real-share",
    type=click.FloatRange(0, 1),
    required=True,
    metavar="SHARE",
    help="What the real rows are to make up, such as 0.3.",
)
@click.option(
    "--rows", type=parse_rows, metavar="N", help="How many in all.  [default: as many as there are]"
)
@click.option("--table", help="The table of REAL, where that is a database URL.")
@click.option("--synthetic-table", metavar="TABLE", help="The table of SYNTHETIC, likewise.")
@click.option("--schema", metavar="FILE", help="A schema file that overrides guesses.")
@seed_option
@click.option("-o", "--output", metavar="OUT", required=True, help="A file, or a database URL.")
@click.option("--to-table", metavar="TABLE", help="The table to write, where OUT is a URL.")
@overwrite_option
@common
@click.pass_obj
def mix(
    run: Run,
    real: str,
    synthetic: str,
    real_share: float,
    rows: int | None,
    table: str,
    synthetic_table: str,
    schema: str,
    seed: int | None,
    output: str,
    to_table: str,
    overwrite: bool,
) -> None:
    """A training set of REAL and SYNTHETIC rows in exact shares, in random order.

    Parquet and Arrow files keep what it was mixed from (docs/collapse.md).

    \b
    Examples:
      geurim mix train.csv synthetic.parquet --real-share 0.3 -o mixed.parquet
      geurim mix train.csv synthetic.parquet --real-share 0.3 --rows 1e5 --seed 7 -o mixed.csv
    """
    check_free([output], overwrite)
    seed = run.seed(seed)
    with run.bars() as progress:
        made = geurim.mix(
            geurim.read(real, table=table, schema=schema),
            geurim.read(synthetic, table=synthetic_table, schema=schema),
            real_share=real_share,
            rows=rows,
            seed=seed,
            progress=progress,
        )
        written = geurim.write(made, output, table=to_table, overwrite=overwrite, progress=progress)
    share = made.lineage.shares[0]
    run.say(f"Wrote {written}: {made.rows:,} rows, {share:.2%} of them real, in {run.took()}")


@click.command()
@click.argument("data", nargs=-1, required=True)
@click.option("--table", help="The table to read, where DATA is a database URL.")
@click.option("--query", help="A SELECT to read, where DATA is a database URL.")
@click.option("--schema", metavar="FILE", help="A schema file that overrides guesses.")
@click.option(
    "--generations", type=click.IntRange(min=1), default=10, show_default=True, help="How many."
)
@click.option(
    "--mode",
    type=click.Choice(["replace", "accumulate"]),
    default="replace",
    show_default=True,
    help="Learn from the latest rows alone, or from all so far.",
)
@click.option(
    "--real-share",
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="How much of each training set is real.  [default: 0; with accumulate, all real rows]",
)
@click.option("--find-share", is_flag=True, help="Find the smallest share that holds.")
@click.option(
    "--share",
    "grid",
    multiple=True,
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="With --find-share: a share to try, instead of 0, .01, .05, .1, .2 and .5.",
)
@click.option("--generator", default="trees", show_default=True, help="One of `geurim generators`.")
@click.option("--rows", type=parse_rows, metavar="N", help="Rows a generation.  [default: as real]")
@click.option("--text", is_flag=True, help="DATA are texts: the real ones, then each generation.")
@click.option("--column", "columns", multiple=True, metavar="COLUMN", help="With --text: the text.")
@lang_option
@seed_option
@click.option("-o", "--output", metavar="DIR", required=True, help="A folder for the figures.")
@common
@click.pass_context
def collapse(
    ctx: click.Context,
    data: tuple[str, ...],
    table: str | None,
    query: str | None,
    schema: str | None,
    generations: int,
    mode: str,
    real_share: float | None,
    find_share: bool,
    grid: tuple[float, ...],
    generator: str,
    rows: int | None,
    text: bool,
    columns: tuple[str, ...],
    lang: str,
    seed: int | None,
    output: str,
) -> None:
    """Do rows fade when models learn from rows of models? Measured, generation after generation.

    The folder gets collapse.html, collapse.json and the rows of each generation. The same command
    goes on with a run that was stopped. Exit code 1 says: the rows collapse.

    \b
    Examples:
      geurim collapse people.csv --generations 10 --seed 7 -o faded
      geurim collapse people.csv --mode replace --real-share 0.1 --seed 7 -o held
      geurim collapse people.csv --mode accumulate --seed 7 -o kept
      geurim collapse people.csv --find-share --generations 5 --seed 7 -o shares
      geurim collapse real.jsonl gen1.jsonl gen2.jsonl gen3.jsonl --text -o texts
    """
    run: Run = ctx.obj
    if text:
        of_tables = ["table", "query", "schema", "generations", "mode", "real_share", "find_share"]
        refuse(ctx, [*of_tables, "grid", "generator", "rows"], "for text: its sets are given")
    else:
        refuse(ctx, ["columns"], "but with --text")
        if len(data) > 1:
            raise click.UsageError("Give one DATA; several are for --text.")
    refuse(ctx, ["real_share"] if find_share else ["grid"], "so: --find-share takes --share")
    folder = Path(output)
    seed = _study_seed(run, folder, seed)
    settings: dict[str, Any] = {"generations": generations, "mode": mode, "generator": generator}
    settings |= {"rows": rows, "seed": seed}
    with run.bars() as progress:
        found: Any
        if text:
            found = _faded_texts(data, columns, folder, seed, progress)
        else:
            from geurim.collapse import GRID, smallest_share

            source = geurim.read(data[0], table=table, query=query, schema=schema)
            settings |= {"to": folder, "progress": progress}
            if find_share:
                found = smallest_share(source, grid=grid or GRID, **settings)
            else:
                found = geurim.collapse(source, real_share=real_share, **settings)
        found.save(folder, lang)
    _show(run, [*found.summary(), f"Wrote {folder / 'collapse.html'} in {run.took()}"])
    ctx.exit(int(found.verdict == "fail" and not find_share))


def _study_seed(run: Run, folder: Path, seed: int | None) -> int:
    """The seed given, or that of the run in the folder, or a new one."""
    from geurim.generations import seed_in

    kept = seed_in(folder) if seed is None else None
    return run.seed(seed) if kept is None else kept


def _faded_texts(
    data: tuple[str, ...], columns: tuple[str, ...], folder: Path, seed: int, progress: Progress
) -> Any:
    from geurim.collapse import collapse_texts
    from geurim.generations import check_folder

    check_folder(folder)
    found = collapse_texts(data, column=list(columns) or None, seed=seed, progress=progress)
    folder.mkdir(parents=True, exist_ok=True)
    return found


def _show(run: Run, lines: list[str]) -> None:
    from geurim.terminal import printable

    for line in lines:
        run.say(printable(line))


@click.command()
@click.argument("files", nargs=-1, required=True)
@click.option(
    "--rows", type=parse_rows, default=50, show_default=True, metavar="N", help="Half are real."
)
@click.option(
    "--reviewers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Files for so many, each in an order of its own.",
)
@click.option(
    "--personal",
    type=click.Choice(["drop", "anew", "keep"]),
    default="drop",
    show_default=True,
    help="Keys, personal data and free text: left out, made anew, or shown.",
)
@click.option("--schema", metavar="FILE", help="A schema file that overrides guesses.")
@click.option("--answers", is_flag=True, help="FILES are answers that came back.")
@click.option("--key", metavar="JSON", help="The key, kept apart.  [default: DIR.key.json]")
@click.option("--json", "json_output", metavar="JSON", help="With --answers: save the figures.")
@lang_option
@seed_option
@click.option("-o", "--output", metavar="DIR", help="A folder to hand out.")
@overwrite_option
@common
@click.pass_context
def review(
    ctx: click.Context,
    files: tuple[str, ...],
    rows: int,
    reviewers: int,
    personal: Personal,
    schema: str | None,
    answers: bool,
    key: str | None,
    json_output: str | None,
    lang: str,
    seed: int | None,
    output: str | None,
    overwrite: bool,
) -> None:
    """A blind review: can people tell synthetic rows from real ones?

    With REAL and SYNTHETIC it writes a CSV file and an HTML form for each reviewer, and a key to be
    kept from them. With --answers and the files that came back it says how well they told rows
    apart. Exit code 1 says: they told them apart with ease.

    \b
    Examples:
      geurim review people.csv synthetic.parquet --rows 50 --reviewers 3 -o review
      geurim review --answers kim.csv lee.csv park.csv --key review.key.json
    """
    run: Run = ctx.obj
    if answers:
        asked = ["rows", "reviewers", "personal", "schema", "lang", "seed", "output"]
        refuse(ctx, asked, "with --answers")
        if key is None:
            raise click.UsageError("Missing option '--key': the key that was kept.")
        check_free([json_output], overwrite)
        _score(ctx, files, key, json_output)
        return
    refuse(ctx, ["json_output"], "but with --answers")
    if len(files) != 2 or output is None:
        raise click.UsageError("Give REAL and SYNTHETIC and -o DIR, or --answers and files.")
    from geurim.review import prepare

    seed = run.seed(seed)
    with run.bars() as progress:
        made = prepare(
            geurim.read(files[0], schema=schema),
            geurim.read(files[1], schema=schema),
            output,
            rows=rows,
            reviewers=reviewers,
            personal=personal,
            key=key,
            seed=seed,
            lang=lang,
            overwrite=overwrite,
            progress=progress,
        )
    for what, names in (("Left out", made.left_out), ("Made anew", made.anew)):
        if names:
            _show(run, [f"{what}: {', '.join(names)}"])
    _show(run, [f"Wrote {made.folder}: {', '.join(made.files)}", f"Keep apart: {made.key}"])


def _score(ctx: click.Context, files: tuple[str, ...], key: str, json_output: str | None) -> None:
    from geurim.review import score

    run: Run = ctx.obj
    found = score(files, key)
    if json_output:
        found.save_json(json_output)
    _show(run, found.summary())
    ctx.exit(int(found.verdict == "fail"))
