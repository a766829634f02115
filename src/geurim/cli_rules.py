"""`geurim rules …`, and `geurim generate WORLD`: data from rules that an expert wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import geurim
from geurim.arguments import Run, check_free, common, overwrite_option, refuse
from geurim.errors import SettingError

if TYPE_CHECKING:
    from geurim.generators.rules.world import World
    from geurim.relations import Database

_FILES = (".parquet", ".pq", ".csv", ".tsv", ".jsonl", ".ndjson", ".arrow", ".feather", ".gz")

set_option = click.option(
    "--set",
    "values",
    multiple=True,
    metavar="NAME=VALUE",
    help="Of a world: another value for one of its parameters.",
)

boost_option = click.option(
    "--boost",
    "boosts",
    multiple=True,
    metavar="TABLE.COLUMN=VALUE:SHARE",
    help="Of a world: a value to be more frequent, with weights, as in patients.fabry=true:0.5.",
)


@click.group()
def rules() -> None:
    """Worlds: data from rules that an expert writes, where no real data may be touched.

    \b
    Start here:
      geurim rules list
      geurim generate finance --rows 1000 -o out
      geurim rules show finance > mine.yaml; geurim rules check mine.yaml
    """


@rules.command("list")
@common
@click.pass_obj
def list_(run: Run) -> None:
    """List the worlds that ship.

    \b
    Example:
      geurim rules list
    """
    from geurim.generators.rules import worlds
    from geurim.generators.rules.world import World
    from geurim.terminal import table

    rows = []
    for name in worlds():
        plan = World.load(name).plan
        rows.append((name, ", ".join(plan.put_out), plan.about))
    run.say(table(["world", "tables", "what it is"], rows))


@rules.command()
@click.argument("world")
@common
@click.pass_obj
def show(run: Run, world: str) -> None:
    """Print a world: one of your own starts best as a copy of one that ships.

    \b
    Example:
      geurim rules show finance > mine.yaml
    """
    from geurim.generators.rules import worlds
    from geurim.generators.rules.world import World, shipped

    World.load(world)  # says what is wrong with it, if anything is
    known = world in worlds()
    run.say((shipped(world) if known else Path(world).read_text("utf-8")).rstrip("\n"))


@rules.command()
@click.argument("world")
@set_option
@common
@click.pass_obj
def check(run: Run, world: str, values: tuple[str, ...]) -> None:
    """Read a world and say all that is wrong with it, each with line and column.

    Exit code 2 says: something is wrong. A few rows are made too, for what only shows then.

    \b
    Examples:
      geurim rules check mine.yaml
      geurim rules check mine.yaml --set fraud_share=0.01
    """
    from geurim.terminal import table

    loaded = load_world(world, values)
    made = loaded.sample(_FEW, seed=0)
    rows = [
        (name, f"{len(source.schema)}", ", ".join(k.text for k in made.of(name).foreign))
        for name, source in made.tables.items()
    ]
    run.say(table(["table", "columns", "refers to"], rows, right="lrl"))
    run.say(f"{world}: all well.")


_FEW = 20


@rules.command()
@click.argument("world")
@click.option("-o", "--output", metavar="FILE", help="An .svg or .md file.  [default: Mermaid]")
@overwrite_option
@common
@click.pass_obj
def draw(run: Run, world: str, output: str | None, overwrite: bool) -> None:
    """Draw a world: its tables, what belongs to what, and its states.

    \b
    Examples:
      geurim rules draw finance                      # Mermaid, which many editors show
      geurim rules draw mine.yaml -o mine.svg
    """
    from geurim.generators.rules.diagram import mermaid
    from geurim.generators.rules.picture import svg
    from geurim.write import claim

    plan = load_world(world, ()).plan
    if output is None:
        run.say(mermaid(plan).rstrip("\n"))
        return
    forms = {".svg": svg, ".md": mermaid}
    form = forms.get(Path(output).suffix)
    if form is None:
        raise SettingError(f"{output!r} was given. Give a name that ends in .svg or .md.")
    check_free([output], overwrite)
    with claim(Path(output), overwrite=overwrite) as temporary:
        temporary.write_text(form(plan), encoding="utf-8")
    run.say(f"Wrote {output}")


@rules.command()
@click.option("-o", "--output", metavar="JSON", help="Save it here.")
@overwrite_option
@common
@click.pass_obj
def schema(run: Run, output: str | None, overwrite: bool) -> None:
    """Print the JSON Schema of worlds: with it an editor completes and checks.

    \b
    Example:
      geurim rules schema -o world.schema.json
    """
    import json

    from geurim.generators.rules.schema import json_schema
    from geurim.write import claim

    text = json.dumps(json_schema(), indent=2, ensure_ascii=False)
    if output is None:
        run.say(text)
        return
    check_free([output], overwrite)
    with claim(Path(output), overwrite=overwrite) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    run.say(f"Wrote {output}")


@rules.command()
@click.argument("folder")
@click.option(
    "--to", "form", required=True, type=click.Choice(["fhir", "omop"]), help="The form to write."
)
@click.option("-o", "--output", required=True, metavar="OUT", help="A file; of omop, a folder.")
@overwrite_option
@common
@click.pass_obj
def export(run: Run, folder: str, form: str, output: str, overwrite: bool) -> None:
    """Write patients as FHIR R4 bundles (a patient a line), or as tables of OMOP.

    FOLDER is what `geurim generate patients` wrote.

    \b
    Examples:
      geurim rules export out --to fhir -o patients.ndjson
      geurim rules export out --to omop -o cdm
    """
    from geurim.generators.rules.export import export_fhir, export_omop

    if form == "fhir":
        count = export_fhir(folder, output, overwrite=overwrite)
        run.say(f"Wrote {output}: {count:,} bundles")
    else:
        count = export_omop(folder, output, overwrite=overwrite)
        run.say(f"Wrote {output}: {count:,} rows")


@rules.command()
@click.argument("profile")
@click.option("-o", "--output", metavar="YAML", help="Save it here.")
@overwrite_option
@common
@click.pass_obj
def draft(run: Run, profile: str, output: str | None, overwrite: bool) -> None:
    """Draft a world from a saved PROFILE: columns as they were, for you to link.

    \b
    Examples:
      geurim analyze people.csv -o profile.json
      geurim rules draft profile.json -o people.yaml
    """
    from geurim.analyze import load_profile
    from geurim.generators.rules.draft import draft as drafted
    from geurim.write import claim

    text = drafted(load_profile(profile))
    if output is None:
        run.say(text.rstrip("\n"))
        return
    check_free([output], overwrite)
    with claim(Path(output), overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")
    run.say(f"Wrote {output}")


def is_world(data: str | None) -> bool:
    """Whether DATA is a world: a YAML file, or the name of one that ships."""
    if not data:
        return False
    from geurim.generators.rules import worlds

    return data.endswith((".yaml", ".yml")) or (data in worlds() and not Path(data).exists())


def load_world(world: str, values: tuple[str, ...]) -> World:
    """A world with parameters as they are given on a command line."""
    from geurim.generators.rules.world import World

    return World.load(world, **parse_values(values))


def parse_values(values: tuple[str, ...]) -> dict[str, Any]:
    """`name=value` as parameters; a value is what YAML takes it for."""
    import yaml

    found = {}
    for text in values:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise SettingError(f"--set {text!r} was given. Write --set name=value.")
        try:
            found[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise SettingError(f"--set {text!r}: {value!r} cannot be read: {error}.") from error
    return found


def parse_boosts(boosts: tuple[str, ...]) -> dict[str, dict[Any, float]]:
    """`table.column=value:share` as what `World.sample` takes."""
    found = {}
    for text in boosts:
        path, sign, rest = text.partition("=")
        value, colon, share = rest.rpartition(":")
        try:
            found[path] = {value: float(share)}
        except ValueError:
            colon = ""
        if not sign or not colon:
            raise SettingError(
                f"--boost {text!r} was given. Write table.column=value:share, such as "
                "patients.fabry=true:0.5."
            )
    return found


def generate_world(
    ctx: click.Context,
    world: str,
    output: str,
    *,
    rows: int | None,
    values: tuple[str, ...],
    boosts: tuple[str, ...],
    edge_cases: float,
    seed: int | None,
    workers: int,
    overwrite: bool,
) -> int:
    """Make the tables of a world; the exit code."""
    from geurim.databases import is_url
    from geurim.relations import check_target, write_database
    from geurim.relations.writing import WORLD

    given = {"rows", "output", "values", "boosts", "edge_cases", "seed", "workers", "overwrite"}
    others = [p.name for p in ctx.command.params if isinstance(p, click.Option) and p.name]
    refuse(ctx, [n for n in others if n not in given], "with a world")
    run: Run = ctx.obj
    loaded = load_world(world, values)
    shown = loaded.plan.put_out
    one = not is_url(output) and output.lower().endswith(_FILES)
    if one and len(shown) > 1:
        raise SettingError(
            f"The world has the tables {', '.join(shown)}, and {output!r} is one file. "
            "Give a folder, or a database URL."
        )
    if one:
        check_free([output], overwrite)
    else:
        check_target(shown, output, overwrite=overwrite)
    seed = run.seed(seed)
    with run.bars() as progress:
        made = loaded.sample(
            rows,
            seed=seed,
            boost=parse_boosts(boosts),
            edge_cases=edge_cases,
            workers=workers,
            progress=progress,
        )
        if one:
            where = geurim.write(
                made.tables[shown[0]], output, overwrite=overwrite, progress=progress
            )
        else:
            notes = {WORLD: loaded.text}
            where = write_database(
                made, output, overwrite=overwrite, notes=notes, progress=progress
            )
    _show(run, made)
    total = sum(s.rows or 0 for s in made.tables.values())
    run.say(f"Wrote {where}: {total:,} rows in {run.took()}")
    return 0


def _show(run: Run, made: Database) -> None:
    from geurim.terminal import table

    rows = [
        (name, f"{source.rows or 0:,}", ", ".join(k.table for k in made.of(name).foreign))
        for name, source in made.tables.items()
    ]
    run.say(table(["table", "rows", "refers to"], rows, right="lrl"))
