"""`geurim canaries`: rare rows planted before a fit, and looked for among what it makes."""

from __future__ import annotations

from pathlib import Path

import click

import geurim
from geurim.arguments import Run, check_free, common, input_options, overwrite_option, seed_option


@click.group()
def canaries() -> None:
    """Plant rare rows before a fit, and see whether the synthetic rows remember them.

    \b
    Examples:
      geurim canaries plant people.csv -o planted.parquet
      geurim fit planted.parquet -o planted.geurim
      geurim sample planted.geurim --rows 10000 -o made.parquet
      geurim canaries check made.parquet planted-canaries.parquet
    """


@canaries.command()
@click.argument("data")
@input_options
@click.option(
    "--count",
    type=click.IntRange(min=10),
    default=50,
    show_default=True,
    help="How many are planted; as many more are kept to compare with.",
)
@click.option("--canaries", metavar="FILE", help="Where to keep them.  [default: OUT-canaries]")
@seed_option
@click.option("-o", "--output", metavar="OUT", required=True, help="A file, or a database URL.")
@click.option("--to-table", metavar="TABLE", help="The table to write, where OUT is a URL.")
@overwrite_option
@common
@click.pass_obj
def plant(
    run: Run,
    data: str,
    table: str,
    query: str,
    schema: str,
    count: int,
    canaries: str | None,
    seed: int | None,
    output: str,
    to_table: str,
    overwrite: bool,
) -> None:
    """DATA with rare rows among them, to fit on; and a file of canaries, to check with.

    What is fitted on OUT serves the test alone: fit on DATA itself what you use.

    \b
    Examples:
      geurim canaries plant people.csv -o planted.parquet
      geurim canaries plant people.csv --count 100 --seed 7 -o planted.csv --canaries kept.parquet
    """
    from geurim.verify.canaries import plant as plant_canaries

    if canaries is None:
        if "://" in output:
            raise click.UsageError("Missing option '--canaries': OUT is a URL.")
        canaries = str(Path(output).with_name(f"{Path(output).stem}-canaries.parquet"))
    check_free([output, canaries], overwrite)
    seed = run.seed(seed)
    with run.bars() as progress:
        source = geurim.read(data, table=table, query=query, schema=schema)
        planted, kept = plant_canaries(source, count, seed=seed, progress=progress)
        written = geurim.write(
            planted, output, table=to_table, overwrite=overwrite, progress=progress
        )
        kept.save(canaries, overwrite=overwrite)
    run.say(f"Wrote {written}: {planted.rows:,} rows, {count} of them canaries, in {run.took()}")
    run.say(
        f"Wrote {canaries}: fit on {written}, sample, then geurim canaries check MADE {canaries}"
    )


@canaries.command()
@click.argument("synthetic")
@click.argument("kept", metavar="CANARIES")
@click.option("--table", help="The table of SYNTHETIC, where that is a database URL.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@common
@click.pass_context
def check(ctx: click.Context, synthetic: str, kept: str, table: str, seed: int) -> None:
    """Are SYNTHETIC rows nearer to planted CANARIES? Exit code 1 says: the verdict is "fail".

    \b
    Example:
      geurim canaries check made.parquet planted-canaries.parquet
    """
    from geurim.terminal import printable
    from geurim.verify.canaries import Canaries
    from geurim.verify.report import WORDS, sentence
    from geurim.verify.verdict import worst

    run: Run = ctx.obj
    canaries = Canaries.load(kept)
    with run.bars() as progress:
        source = geurim.read(synthetic, table=table)
        findings = canaries.check(source, seed=seed, progress=progress)
    for finding in findings:
        run.say(printable(f"{WORDS[finding.verdict]}: {sentence(finding)}"))
    ctx.exit(int(worst(findings) == "fail"))
