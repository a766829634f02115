"""What stands beside the rows of a run: training form, report, data card; and opening sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from geurim.contract import Json, Lineage, Progress, Source
from geurim.errors import DataError
from geurim.generators.text.asked import Asking, Loop
from geurim.generators.text.columns import Column, Fixed

if TYPE_CHECKING:
    from geurim.generators.text.fitted import FittedText
    from geurim.generators.text.recipe import Mix
    from geurim.generators.text.run import Fold
    from geurim.generators.text.session import Usage
    from geurim.verify import Report

DOCUMENTS = (".pdf", ".docx", ".html", ".htm", ".md", ".markdown")
_MIX = 0x6D6978


def open_source(data: Any) -> Source:
    """Rows for a recipe: a table of any kind, or the passages of documents and folders of them."""
    from geurim.rows import read_rows

    if isinstance(data, str | Path) and "://" not in str(data):
        path = Path(data)
        if path.is_dir() or path.suffix.lower() in DOCUMENTS:
            from geurim.generators.text.documents import passages

            return passages([path])
    return read_rows(data)


def finish(
    fitted: FittedText,
    source: Source,
    fold: Fold,
    usage: Usage,
    *,
    seed: int,
    real: Any,
    work: Path,
    progress: Progress,
) -> Report:
    """Write recipe, training form, card and report into `work`."""
    import yaml

    recipe = fitted.recipe
    text = yaml.safe_dump(dict(recipe.spec), allow_unicode=True, sort_keys=False, width=100)
    (work / "recipe.yaml").write_text(text, encoding="utf-8")
    _train(fitted, source, fold, usage, seed, text, work, progress)
    return _report(fitted, source, work, real, progress)


def _train(
    fitted: FittedText,
    source: Source,
    fold: Fold,
    usage: Usage,
    seed: int,
    recipe_text: str,
    work: Path,
    progress: Progress,
) -> None:
    """The training form as JSON lines, and as a folder that `datasets.load_dataset` opens."""
    from geurim.formats import convert, save
    from geurim.write import write

    recipe, output = fitted.recipe, fitted.recipe.output
    form = output.form if output else "text"
    mapping = dict(output.columns) if output else {"text": recipe.text[-1]}
    settings = {n for n, c in fitted.columns.items() if isinstance(c, Fixed)}
    # What was set is the same in all rows, and stands in the recipe and the data: nothing to learn.
    rows, share = _without(source, settings - set(mapping.values())), 1.0
    if recipe.mix and recipe.mix.source in fitted.tables:
        rows, share = _mixed(fitted, source, recipe.mix, mapping, seed)
    write(convert(rows, form, mapping=mapping or None), work / "train.jsonl", progress=progress)
    words = _card(fitted, source.lineage, fold, usage, recipe_text, share, source.rows or 0)
    save(rows, work / "train", form, mapping=mapping or None, card=words, progress=progress)


def _without(source: Source, names: set[str]) -> Source:
    """The rows without these columns."""
    kept = [n for n in source.schema.names if n not in names]

    def read() -> Iterator[pa.RecordBatch]:
        return (batch.select(kept) for batch in source.read())

    return replace(source, schema=pa.schema([source.schema.field(n) for n in kept]), read=read)


def _mixed(
    fitted: FittedText, source: Source, mix: Mix, mapping: Mapping[str, str], seed: int
) -> tuple[Source, float]:
    """Synthetic rows and so many real ones that the share is the one wanted; and that share."""
    from geurim.curate.balance import MixRatio

    made, table = source.rows or 0, fitted.tables[mix.source]
    needed = real_rows(mix, made)
    if needed > table.num_rows:
        raise DataError(
            f"A synthetic share of {mix.synthetic:.2%} takes {needed:,} real rows beside {made:,} "
            f"synthetic ones; {mix.source!r} has {table.num_rows:,}. Give more, or another share."
        )
    names = list(dict.fromkeys(mapping.values())) or list(source.schema.names)
    fields = [source.schema.field(n) for n in names]
    schema = pa.schema([*fields, pa.field("synthetic", pa.bool_())])
    there = _real_columns(mix, table.schema, names)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_MIX,)))
    chosen = table.take(pa.array(np.sort(rng.choice(table.num_rows, needed, replace=False))))

    def read() -> Iterator[pa.RecordBatch]:
        for batch in source.read():
            own = [batch.column(n) for n in names]
            yield pa.RecordBatch.from_arrays(
                [*own, pa.repeat(pa.scalar(True), batch.num_rows)], schema=schema
            )
        for batch in chosen.to_batches():
            own = [
                batch.column(there[f.name]).cast(f.type)
                if f.name in there
                else pa.nulls(batch.num_rows, f.type)
                for f in fields
            ]
            yield pa.RecordBatch.from_arrays(
                [*own, pa.repeat(pa.scalar(False), batch.num_rows)], schema=schema
            )

    lineage = Lineage.made(
        f"mix of {made} synthetic and {needed} real rows",
        seed=seed,
        parents=(source.lineage, *fitted.lineage.parents),
    )
    mixed = Source(schema=schema, lineage=lineage, read=read, rows=made + needed)
    return mixed, MixRatio.share(made, needed)


def _real_columns(mix: Mix, schema: pa.Schema, names: list[str]) -> dict[str, str]:
    """The recipe's column -> that of the real rows; a single text is found by itself."""
    from geurim.formats import text_columns

    wanted = {name: mix.columns.get(name, name) for name in names}
    found = {name: column for name, column in wanted.items() if column in schema.names}
    if found:
        return found
    if len(names) > 1:
        raise DataError(
            f"The real rows in {mix.source!r} have none of the columns "
            f"{', '.join(wanted.values())}, but {', '.join(schema.names)}. Rename theirs, or say "
            "under mix.columns which is which."
        )
    return {names[0]: text_columns(schema)[0]}


def real_rows(mix: Mix, synthetic: int) -> int:
    """How many real rows a share takes beside so many synthetic ones."""
    from geurim.curate.balance import MixRatio

    return 0 if mix.synthetic == 1 else MixRatio(synthetic=mix.synthetic).real_for(synthetic)


def _card(
    fitted: FittedText,
    lineage: Lineage,
    fold: Fold,
    usage: Usage,
    recipe_text: str,
    share: float,
    rows: int,
) -> str:
    from geurim.card import card

    recipe = fitted.recipe
    steps = [
        {
            "name": name,
            "settings": {k: str(v) for k, v in settings.items()},
            "dropped": fold.counts.get(name, 0),
        }
        for name, settings in recipe.steps
    ]
    notes = [recipe.about] if recipe.about else []
    if recipe.note:
        notes.append(recipe.note.render(fitted.alike()))
    if any(t.url == "smollm2" for t in recipe.teachers.values()):
        notes.append(
            "The embedded model proves that the recipe runs. It is too small to write data for "
            "use: take a real teacher for that."
        )
    notes += fold.marks.warnings()
    return card(
        lineage,
        title=f"{recipe.name}: {rows:,} rows",
        recipe=recipe_text,
        teachers=[f"{t.model} ({t.kind}, {t.shown})" for t in recipe.teachers.values()],
        prompts=prompts(fitted.columns),
        usage=asdict(usage),
        filters=steps,
        counts={"rows": rows, "drawn": fold.drawn, "rejects": dict(fold.counts)},
        languages=recipe.languages,
        synthetic_share=share,
        notes=notes,
    )


def prompts(columns: Mapping[str, Column], above: str = "") -> dict[str, str]:
    """The templates by the column that they write."""
    found: dict[str, str] = {}
    for name, column in columns.items():
        if isinstance(column, Asking):
            found[above + name] = "\n\n".join(f"[{role}]\n{t.text}" for role, t in column.turns)
        elif isinstance(column, Loop):
            found |= prompts(column.columns, f"{above}{name}.")
    return found


def _report(
    fitted: FittedText, source: Source, work: Path, real: Any, progress: Progress
) -> Report:
    from geurim.rows import read_rows
    from geurim.verify.prose import verify_text

    recipe, path = fitted.recipe, work / "rejects.jsonl"
    quotas: dict[str, Mapping[Json, float]] = {}
    for name, shares in recipe.quota.items():
        values = [v for v, _ in fitted.profile.columns[name]["categories"]]
        quotas[name] = shares or dict.fromkeys(values, 1 / len(values))
    report = verify_text(
        source,
        open_source(real) if real is not None else None,
        column=list(recipe.text),
        quotas=quotas or None,
        rejects=read_rows(path) if path.stat().st_size else None,
        progress=progress,
    )
    report.save_html(work / "report.html")
    report.save_json(work / "report.json")
    return report
