"""The command line: the four steps, and `generate` for all of them at once.

Exit codes: 0 all well; 1 the verdict (or the gate) is "fail"; 2 wrong usage, or an error that
Geurim explains; 3 an error it does not expect; 130 interrupted. Heavy imports stand inside the
commands, so that `geurim --help` answers at once.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import geurim
from geurim.arguments import (
    Main,
    Run,
    balance_option,
    check_free,
    common,
    constraint_option,
    edge_option,
    fair_option,
    generator_option,
    input_options,
    lang_option,
    limit_option,
    need_option,
    overwrite_option,
    parse_balance,
    parse_fair,
    parse_rows,
    refuse,
    seed_option,
    synthetic_option,
    target_option,
    where_option,
    workers_option,
)
from geurim.cli_augment import augment
from geurim.cli_database import (
    analyze_database,
    database_options,
    fit_whole,
    generate_database,
    is_whole,
    sample_whole,
    scale_option,
)
from geurim.cli_proof import canaries
from geurim.cli_proof_sets import collapse, mix, review
from geurim.cli_rules import boost_option, generate_world, is_world, rules, set_option
from geurim.cli_sequences import (
    flat_rows,
    generate_sequences,
    series_options,
    series_settings,
    things,
)
from geurim.cli_text import text
from geurim.cli_verify import compare, judged, show_report, verify

if TYPE_CHECKING:
    from geurim.contract import Fitted, Generator, Profile, Source
    from geurim.generators import Policy
    from geurim.verify import Report


_RULES = 12  # shown on a screen


@click.group(
    cls=Main, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(geurim.__version__, prog_name="geurim")
def main() -> None:
    """Synthetic data with proof: analyze, fit, sample, verify.

    DATA is a file (CSV, also gzipped; Parquet; JSON Lines; Arrow) or a database URL with --table
    or --query (SQLite, DuckDB, PostgreSQL).

    \b
    Start here:
      geurim generate people.csv --rows 1e6 --target income -o out
      geurim text run alpaca --rows 20 -o out
    """


main.add_command(text)
main.add_command(rules)
main.add_command(augment)
main.add_command(verify)
main.add_command(compare)
main.add_command(mix)
main.add_command(collapse)
main.add_command(review)
main.add_command(canaries)


@main.command()
@click.argument("data")
@input_options
@click.option("-o", "--output", metavar="JSON", help="Save the profile.")
@click.option("--html", metavar="HTML", help="Save the profile as a page to read.")
@click.option("--write-schema", metavar="TOML", help="Save the guesses, to be corrected by hand.")
@click.option(
    "--k",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Fewest rows behind anything shown.",
)
@overwrite_option
@common
@click.pass_context
def analyze(
    ctx: click.Context,
    data: str,
    table: str,
    query: str,
    schema: str,
    output: str,
    html: str,
    write_schema: str,
    k: int,
    overwrite: bool,
) -> None:
    """Look at DATA: the role, distribution and missing share of each column.

    \b
    Examples:
      geurim analyze people.csv
      geurim analyze people.csv --write-schema people.toml   # correct it, then:
      geurim analyze people.csv --schema people.toml -o profile.json --html profile.html
      geurim analyze sqlite:///shop.db --table orders -o profile.json
      geurim analyze sqlite:///shop.db                       # tables, keys, rows of each parent
    """
    run: Run = ctx.obj
    check_free([output, html, write_schema], overwrite)
    if is_whole(data, table, query, None) and analyze_database(
        run, data, schema, write_schema, overwrite
    ):
        refuse(ctx, ["output", "html", "k"], "for a whole database: name a --table")
        return
    with run.bars() as progress:
        source = geurim.read(data, table=table, query=query, schema=schema)
        profile = geurim.analyze(source, k=k, progress=progress)
        _save_analysis(profile, source, output, html, write_schema, overwrite)
    _show_profile(run, profile)
    for path in filter(None, [output, html, write_schema]):
        run.say(f"Wrote {path}")


@main.command()
@click.argument("data")
@input_options
@generator_option
@series_options
@database_options
@need_option
@limit_option
@constraint_option
@synthetic_option
@seed_option
@click.option("-o", "--output", metavar="MODEL", required=True, help="Save the model here.")
@click.option(
    "--checkpoint",
    metavar="FILE",
    help="Where a killed fit goes on from.  [default: MODEL.checkpoint, for networks]",
)
@overwrite_option
@common
@click.pass_obj
def fit(
    run: Run,
    data: str,
    table: str,
    query: str,
    schema: str,
    generator: str,
    entity: str | None,
    time: str | None,
    keep: tuple[str, ...],
    dangling: str,
    needed: tuple[str, ...],
    time_limit: float | None,
    constraints: tuple[str, ...],
    synthetic_training: Policy,
    seed: int | None,
    output: str,
    checkpoint: str | None,
    overwrite: bool,
) -> None:
    """Learn a distribution over the rows of DATA; over series with --entity or --time.

    A folder of tables, or a database without --table, means the whole database.

    \b
    Examples:
      geurim fit people.csv -o people.geurim
      geurim fit people.csv --generator copula --seed 7 -o people.geurim
      geurim fit visits.csv --entity patient --time date -o visits.geurim
      geurim fit people.csv --generator auto --need conditions --time-limit 600 -o people.geurim
      geurim fit trips.csv --constraint "end >= start" --constraint "total = a + b" -o trips.geurim
      geurim fit trips.csv --constraint found -o trips.geurim   # what `analyze` found
      geurim fit sqlite:///shop.db --keep currencies -o shop.geurim   # all tables, every key
    """
    from geurim.constraints import how_kept
    from geurim.generators import keeps_checkpoints

    ctx = click.get_current_context()
    options: dict[str, Any] = {"schema": schema, "seed": seed, "overwrite": overwrite}
    if fit_whole(ctx, data, table, query, output, keep=keep, dangling=dangling, **options):
        return
    if entity or time:
        refuse(ctx, ["needed", "time_limit", "constraints"], "with series")
    check_free([output], overwrite)
    seed = run.seed(seed)
    source = geurim.read(data, table=table, query=query, schema=schema)
    needs = _needs(needed, time_limit)
    settings: str | Generator = generator
    profile = None
    if entity or time:
        settings = series_settings(entity, time, generator)
    else:
        settings, profile = _chosen(run, generator, source, needs)
    if checkpoint is None and keeps_checkpoints(settings):
        checkpoint = f"{output}.checkpoint"
    with run.bars() as progress:
        fitted = geurim.fit(
            source,
            settings,
            profile=profile,
            seed=seed,
            constraints=list(constraints),
            needs=needs,
            checkpoint=checkpoint,
            synthetic_training=synthetic_training,
            progress=progress,
        )
        geurim.save(fitted, output)
    if checkpoint is not None:
        Path(checkpoint).unlink(missing_ok=True)
    _show_kept(run, how_kept(fitted), "")
    name = settings if isinstance(settings, str) else generator
    run.say(
        f"Wrote {output}: {name}, learned from {fitted.profile.rows:,} rows of "
        f"{len(fitted.schema)} columns in {run.took()}"
    )


@main.command()
@click.argument("model")
@click.option(
    "--rows", type=parse_rows, metavar="N", help="How many: 1000000, 1e6, 1m.  [default: as given]"
)
@scale_option
@seed_option
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    required=True,
    help="A file, or a database URL; of a whole database, a URL or a folder.",
)
@click.option(
    "--to-table", metavar="TABLE", help="The table to write, where OUT is a database URL."
)
@click.option("--given", metavar="DATA", help="Rows to complete: some of the columns.")
@where_option
@balance_option
@fair_option
@edge_option
@workers_option
@overwrite_option
@common
@click.pass_obj
def sample(
    run: Run,
    model: str,
    rows: int | None,
    scale: float,
    seed: int | None,
    output: str,
    to_table: str,
    given: str,
    where: str,
    balance: tuple[str, ...],
    fair: str | None,
    edge_cases: float,
    workers: int,
    overwrite: bool,
) -> None:
    """Draw rows, or a whole database, from a MODEL that `geurim fit` made.

    \b
    Examples:
      geurim sample people.geurim --rows 1e6 --seed 7 -o out.parquet
      geurim sample people.geurim --rows 1000 --where "age >= 18" -o adults.csv
      geurim sample people.geurim --rows 1000 --balance sex=uniform -o even.csv
      geurim sample people.geurim --rows 1000 --balance 'income=>50K:0.5' -o rich.csv
      geurim sample people.geurim --rows 1000 --balance 'age=18..30:0.5,65..:0.1' -o ages.csv
      geurim sample people.geurim --rows 1000 --balance sex,income=uniform -o even.csv
      geurim sample people.geurim --rows 1000 --balance 'status=unemployed:+10%' -o crisis.csv
      geurim sample people.geurim --rows 1000 --fair sex:income -o fair.csv
      geurim sample people.geurim --given some.csv -o completed.csv
      geurim sample people.geurim --rows 1000 --edge-cases 0.05 -o rare.csv
      geurim sample people.geurim --rows 1000 -o sqlite:///test.db --to-table people
      geurim sample shop.geurim --scale 2 -o sqlite:///twin.db   # of a whole database
    """
    fitted = geurim.load(model)
    ctx = click.get_current_context()
    if sample_whole(ctx, fitted, output, scale=scale, seed=seed, overwrite=overwrite):
        return
    if rows is None and given is None:
        raise click.UsageError("Give --rows, or --given with the rows to complete.")
    check_free([output], overwrite)
    from geurim.fairness import independent
    from geurim.pipeline import Redrawn

    seed = run.seed(seed)
    shares = _balances(balance, fitted) or {}
    if fair is not None:
        whom = parse_fair(fair, fitted.schema.names)
        shares |= independent(fitted, *whom, seed=seed)
    with run.bars() as bars:
        progress = Redrawn(bars)
        drawn = geurim.sample(
            fitted,
            rows,
            seed=seed,
            given=given,
            where=where,
            balance=shares or None,
            edge_cases=edge_cases,
            workers=workers,
            progress=progress,
        )
        written = geurim.write(
            flat_rows(drawn), output, table=to_table, overwrite=overwrite, progress=progress
        )
    _show_kept(run, (), progress.note)
    run.say(f"Wrote {written}: {drawn.rows:,} {things(drawn)} in {run.took()}")


@main.command()
@click.argument("data")
@input_options
@click.option("--generator", default="trees", show_default=True, help="One that completes rows.")
@click.option("--model", metavar="MODEL", help="A model that `geurim fit` made, instead.")
@click.option(
    "--times",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Imputations: two or more are stacked, numbered in a column `imputation`.",
)
@seed_option
@click.option("-o", "--output", metavar="OUT", required=True, help="A file, or a database URL.")
@click.option("--to-table", metavar="TABLE", help="The table to write, where OUT is a URL.")
@overwrite_option
@common
@click.pass_context
def impute(
    ctx: click.Context,
    data: str,
    table: str,
    query: str,
    schema: str,
    generator: str,
    model: str | None,
    times: int,
    seed: int | None,
    output: str,
    to_table: str,
    overwrite: bool,
) -> None:
    """Fill in what is missing in DATA: each value drawn given what its row has.

    Rows keep their order, and values that are there stay as they are.

    \b
    Examples:
      geurim impute survey.csv -o whole.csv
      geurim impute survey.csv --times 5 --seed 7 -o five.parquet   # for Rubin's rules
      geurim impute fresh.csv --model people.geurim -o whole.csv
    """
    from geurim.impute import impute as fill_in

    run: Run = ctx.obj
    if model is not None:
        refuse(ctx, ["generator"], "with --model, which is fitted already")
    check_free([output], overwrite)
    seed = run.seed(seed)
    with run.bars() as progress:
        source = geurim.read(data, table=table, query=query, schema=schema)
        fitted = generator if model is None else geurim.load(model)
        whole = fill_in(source, fitted, times=times, seed=seed, progress=progress)
        written = geurim.write(
            whole, output, table=to_table, overwrite=overwrite, progress=progress
        )
    run.say(f"Wrote {written} in {run.took()}")


@main.command()
@click.argument("data", required=False)
@input_options
@click.option("--profile", metavar="JSON", help="Generate from a saved profile, without the data.")
@click.option("--rows", type=parse_rows, metavar="N", help="How many: 1000000, 1e6, 1m.")
@set_option
@boost_option
@scale_option
@database_options
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    required=True,
    help="A folder; with --profile, a file; of a whole database, also a URL.",
)
@target_option
@series_options
@click.option(
    "--generator",
    help="One of `geurim generators`, or auto.  [default: trees; copula with --profile]",
)
@need_option
@limit_option
@constraint_option
@fair_option
@lang_option
@synthetic_option
@seed_option
@edge_option
@workers_option
@overwrite_option
@common
@click.pass_context
def generate(
    ctx: click.Context,
    data: str,
    table: str,
    query: str,
    schema: str,
    profile: str,
    rows: int | None,
    values: tuple[str, ...],
    boosts: tuple[str, ...],
    scale: float,
    keep: tuple[str, ...],
    dangling: str,
    output: str,
    target: str,
    entity: str | None,
    time: str | None,
    generator: str,
    needed: tuple[str, ...],
    time_limit: float | None,
    constraints: tuple[str, ...],
    fair: str | None,
    synthetic_training: Policy,
    lang: str,
    seed: int | None,
    edge_cases: float,
    workers: int,
    overwrite: bool,
) -> None:
    """All four steps: synthetic rows of DATA and their proof, in one folder.

    A fifth of the real rows is held out by lot, and used only to verify. Exit code 1 says: the
    verdict is "fail". With --profile no real row is read, so nothing can be verified.

    A folder of tables, or a database URL without --table, means the whole database: related
    tables, with every key. OUT is then a database URL, or a folder for a file a table.

    A world, one that ships (`geurim rules list`) or a YAML file of your own, needs no data at all:
    N are rows of its first table.

    \b
    Examples:
      geurim generate people.csv --rows 1e6 --target income -o out
      geurim generate finance --rows 10000 --set fraud_share=0.01 -o out
      geurim generate visits.csv --entity patient --time date --rows 10000 -o out  # patients
      geurim generate trips.csv --rows 1e6 --constraint "end >= start" -o out
      geurim generate people.csv --rows 1e6 --target income --fair sex:income -o out
      geurim generate --profile profile.json --rows 1e6 --edge-cases 0.05 -o out.parquet
      geurim generate postgresql://kim@host/shop -o sqlite:///twin.db --scale 2 --keep currencies
    """
    if (data is None) == (profile is None):
        raise click.UsageError("Give DATA or --profile, one of the two.")
    if is_world(data):
        ctx.exit(
            generate_world(
                ctx,
                data,
                output,
                rows=rows,
                values=values,
                boosts=boosts,
                edge_cases=edge_cases,
                seed=seed,
                workers=workers,
                overwrite=overwrite,
            )
        )
    refuse(ctx, ["values", "boosts"], "but with a world")
    if is_whole(data, table, query, rows):
        unknown = ["target", "generator", "edge_cases", "workers", "entity", "time"]
        unknown += ["constraints", "fair", "needed", "time_limit", "synthetic_training", "lang"]
        refuse(ctx, unknown, "for a whole database")
        ctx.exit(
            generate_database(
                ctx.obj,
                data,
                output,
                schema=schema,
                scale=scale,
                keep=keep,
                dangling=dangling,
                seed=seed,
                overwrite=overwrite,
            )
        )
    refuse(ctx, ["scale", "keep", "dangling"], "but for a whole database")
    if rows is None:
        raise click.UsageError("Missing option '--rows': how many rows of the table.")
    if profile is not None:
        unread = ["table", "query", "schema", "target", "entity", "time"]
        unread += ["constraints", "fair", "needed", "synthetic_training", "lang"]
        refuse(ctx, unread, "with --profile, which reads no data")
        _generate_from_profile(
            ctx.obj,
            profile,
            rows,
            output,
            generator or "copula",
            seed,
            edge_cases,
            workers,
            overwrite,
        )
        return
    refuse(ctx, ["edge_cases"], "with DATA: use geurim fit, then geurim sample")
    if entity or time:
        unknown = ["target", "constraints", "fair", "needed", "time_limit", "synthetic_training"]
        refuse(ctx, unknown, "with series: leave it out")
        source = geurim.read(data, table=table, query=query, schema=schema)
        ctx.exit(
            generate_sequences(
                ctx.obj,
                source,
                rows,
                output,
                overwrite,
                entity,
                time,
                generator,
                seed,
                workers,
                lang,
            )
        )
    ctx.exit(
        _generate_from_data(
            ctx.obj,
            (data, table, query, schema),
            rows,
            output,
            generator or "trees",
            seed,
            target,
            workers,
            overwrite,
            _needs(needed, time_limit),
            list(constraints),
            fair,
            synthetic_training,
            lang,
        )
    )


@main.command()
@common
@click.pass_obj
def generators(run: Run) -> None:
    """List the generators that `geurim fit` can use.

    \b
    Example:
      geurim generators
    """
    from geurim.generators import generator_class
    from geurim.generators import generators as known
    from geurim.terminal import table

    rows = []
    for name in sorted(known()):
        text = (generator_class(name).__doc__ or "").strip().partition("\n")[0]
        rows.append((name, text))
    run.say(table(["name", "what it does"], rows))


def _generate_from_profile(
    run: Run,
    profile: str,
    rows: int,
    output: str,
    generator: str,
    seed: int | None,
    edge_cases: float,
    workers: int,
    overwrite: bool,
) -> None:
    check_free([output], overwrite)
    seed = run.seed(seed)
    with run.bars() as progress:
        drawn = geurim.generate(
            count=rows,
            distribution=profile,
            generator=generator,
            seed=seed,
            edge_cases=edge_cases,
            workers=workers,
            progress=progress,
        )
        written = geurim.write(drawn, output, overwrite=overwrite, progress=progress)
    run.say(f"Wrote {written}: {rows:,} rows in {run.took()}")


def _generate_from_data(
    run: Run,
    data: tuple[str, str, str, str],
    rows: int,
    output: str,
    generator: str,
    seed: int | None,
    target: str,
    workers: int,
    overwrite: bool,
    needs: Any,
    constraints: list[str],
    fair: str | None,
    synthetic_training: Policy,
    lang: str,
) -> int:
    from geurim.pipeline import check_folder

    check_folder(Path(output), overwrite)
    seed = run.seed(seed)
    place, table, query, schema = data
    source = geurim.read(place, table=table, query=query, schema=schema)
    generator, _ = _chosen(run, generator, source, needs)
    whom = None if fair is None else parse_fair(fair, source.schema.names)
    with run.bars() as progress:
        result = geurim.run(
            source,
            rows,
            output,
            target=target,
            generator=generator,
            constraints=constraints,
            needs=needs,
            fair=whom,
            seed=seed,
            workers=workers,
            synthetic_training=synthetic_training,
            lang=lang,
            overwrite=overwrite,
            progress=progress,
        )
    _show_kept(run, result.kept, result.redrawn)
    _show_fair(run, result.report)
    show_report(run, result.report)
    seconds = ", ".join(f"{step} {s:.1f} s" for step, s in result.seconds.items())
    few = " So few rows tell little." if result.training + result.holdout < 20 else ""
    run.say(f"Learned from {result.training:,} real rows, held out {result.holdout:,}.{few}")
    run.say(f"Rows:   {result.data} ({rows:,} rows)")
    run.say(f"Report: {result.page}")
    if generator == "private":
        run.say(
            "Only the rows and the model are private: the report and the profile were measured on "
            "real rows. Do not pass them on."
        )
    run.say(f"Took {run.took()}: {seconds}")
    return judged(run, result.report, None)


def _balances(asked: tuple[str, ...], fitted: Fitted) -> dict[str, Any] | None:
    return dict(parse_balance(text, list(fitted.schema.names)) for text in asked) or None


def _show_profile(run: Run, profile: Profile) -> None:
    from geurim.terminal import table

    rows = [
        (
            field.name,
            str(field.type),
            profile.columns[field.name]["role"],
            f"{profile.columns[field.name]['missing']:.1%}",
            profile.columns[field.name]["why"],
        )
        for field in profile.schema
    ]
    run.say(f"{profile.rows:,} rows, {len(rows)} columns")
    run.say(table(["column", "type", "role", "missing", "why"], rows, right="lllr"))
    _show_rules(run, profile)


def _show_rules(run: Run, profile: Profile) -> None:
    from geurim.constraints import found
    from geurim.terminal import printable

    rules = found(profile)
    if rules:
        run.say("What always holds (keep it with --constraint found, or name it):")
    for rule in rules[:_RULES]:
        run.say(printable(f"  {rule}"))
    if len(rules) > _RULES:
        run.say(f"  and {len(rules) - _RULES:,} more; --html shows them")


def _show_kept(run: Run, kept: tuple[Any, ...], redrawn: str) -> None:
    """How each constraint is kept, and what was drawn again for it."""
    from geurim.terminal import printable

    if kept:
        run.say("Constraints:")
    for each in kept[:_RULES]:
        told = f"; {each.real:,} real rows broke it and were left out" if each.real else ""
        run.say(printable(f"  {each.text}: kept {each.how}{told}"))
    if len(kept) > _RULES:
        run.say(f"  and {len(kept) - _RULES:,} more")
    if redrawn:
        run.say(printable(f"{redrawn[:1].upper()}{redrawn[1:]}"))


def _chosen(run: Run, generator: str, source: Source, needs: Any) -> tuple[str, Profile | None]:
    """The generator's name; for `auto` the one chosen, with the profile that decided."""
    if generator != "auto":
        return generator, None
    from geurim.generators.auto import choose

    with run.bars() as progress:
        profile = geurim.analyze(source, progress=progress)
    name, why = choose(profile, needs)
    run.say(f"Generator: {name}, because {why}")
    return name, profile


def _needs(needed: tuple[str, ...], limit: float | None) -> Any:
    from geurim.generators.auto import Needs

    return Needs(privacy="privacy" in needed, conditions="conditions" in needed, seconds=limit)


def _save_analysis(
    profile: Profile,
    source: Source,
    output: str | None,
    html: str | None,
    schema: str | None,
    overwrite: bool,
) -> None:
    from geurim.analyze import save_profile

    if output:
        save_profile(profile, output)
    if html:
        from geurim.analyze.page import save_page

        save_page(profile, html)
    if schema:
        from geurim.schema import write_schema

        # The source's schema holds what reading guessed (formats, decimals), the profile the roles.
        write_schema(replace(profile, schema=source.schema), schema, overwrite=overwrite)


def _show_fair(run: Run, report: Report) -> None:
    from geurim.terminal import paragraph, printable

    for finding in report.findings:
        if finding.question == "fair":
            run.say(paragraph(printable(f"Fair: {finding.text}")))
