"""`geurim augment`: a training set in which a rare class is no longer rare."""

from __future__ import annotations

import click

import geurim
from geurim.arguments import Run, check_free, common, input_options, overwrite_option, seed_option


@click.command()
@click.argument("data")
@input_options
@click.option("--target", required=True, metavar="COLUMN", help="The column of the class.")
@click.option("--value", metavar="VALUE", help="The class.  [default: the rarest]")
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.5,
    show_default=True,
    help="What the class is to make up.",
)
@click.option(
    "--others",
    type=click.FloatRange(min=0),
    default=0.5,
    show_default=True,
    help="Synthetic rows of other classes, near the border, for each of the class.",
)
@click.option("--only-synthetic", is_flag=True, help="Leave the real rows out of what is written.")
@seed_option
@click.option("-o", "--output", metavar="OUT", required=True, help="A file, or a database URL.")
@click.option("--to-table", metavar="TABLE", help="The table to write, where OUT is a URL.")
@overwrite_option
@common
@click.pass_obj
def augment(
    run: Run,
    data: str,
    table: str,
    query: str,
    schema: str,
    target: str,
    value: str | None,
    share: float,
    others: float,
    only_synthetic: bool,
    seed: int | None,
    output: str,
    to_table: str,
    overwrite: bool,
) -> None:
    """Training rows with more of a rare class: the real rows, then synthetic ones.

    Give it the rows to train on, never those to test on. docs/rare.md tells what it does, and on
    which data it helped.

    \b
    Examples:
      geurim augment train.csv --target fraud -o train-more.csv
      geurim augment train.csv --target fraud --value yes --share 0.2 -o train-more.csv
      geurim augment train.csv --target fraud --only-synthetic --seed 7 -o made.parquet
    """
    check_free([output], overwrite)
    seed = run.seed(seed)
    with run.bars() as progress:
        source = geurim.read(data, table=table, query=query, schema=schema)
        made = geurim.augment(
            source,
            target,
            value=value,
            share=share,
            others=others,
            real=not only_synthetic,
            seed=seed,
            progress=progress,
        )
        written = geurim.write(made, output, table=to_table, overwrite=overwrite, progress=progress)
    run.say(f"Wrote {written}: {made.rows:,} rows in {run.took()}")
