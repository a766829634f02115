"""`geurim mix`, `geurim collapse`, `geurim review`: sets of rows that prove, or keep, quality."""

from __future__ import annotations

import click

import geurim
from geurim.arguments import (
    Run,
    check_free,
    common,
    overwrite_option,
    parse_rows,
    seed_option,
)


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
