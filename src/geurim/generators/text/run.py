"""A recipe from start to end: rows, rejects, training form, report and card, in one folder.

Teachers' answers are recorded in the folder while it runs. A run that was stopped, however hard, is
started again with the same call: it asks for nothing that was answered, and gives the same rows.
"""

from __future__ import annotations

import itertools
import json
import math
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.contract import Json, Lineage, Progress, Source, quiet
from geurim.curate import Filter, step
from geurim.curate.contract import judged
from geurim.errors import BudgetExceeded, GeurimError, SamplingError, SettingError, TargetExists
from geurim.generators.text.budget import Budget
from geurim.generators.text.finish import finish, real_rows
from geurim.generators.text.fitted import FittedText, rejected
from geurim.generators.text.marks import Marks
from geurim.generators.text.recipe import Recipe
from geurim.pipeline import rows_where
from geurim.sample import sample
from geurim.texts import joined
from geurim.write import write

if TYPE_CHECKING:
    from geurim.generators.text.session import Usage
    from geurim.verify import Report

FILES = {
    "data": "data.parquet",
    "form": "train.jsonl",
    "folder": "train",
    "rejects": "rejects.jsonl",
    "failed": "rejects-unfinished.jsonl",  # of a run that ended with an error
    "page": "report.html",
    "report": "report.json",
    "recipe": "recipe.yaml",
    "record": "record.sqlite",
    "run": "run.json",
}
"""What a run leaves in its folder."""

_ROUND = 0x726F756E
_ORDER = 0x6F726465
_STALE = 20  # rounds without a kept row before a quota is given up


@dataclass(frozen=True, kw_only=True)
class TextResult:
    """What `run_text` made."""

    folder: Path
    data: Path
    rows: int
    drawn: int  # rows that were looked at, kept or not
    rejects: Mapping[str, int]  # by stage
    usage: Usage
    report: Report
    note: str  # the recipe's own words on this run
    warnings: tuple[str, ...]  # what a reader should know of it, such as a judge that never varies
    seed: int
    complete: bool  # False: the budget ended before the rows asked for


def run_text(
    recipe: Recipe,
    rows: int | None,
    to: str | Path,
    *,
    seed: int | None = None,
    budget: Budget | None = None,
    real: Any = None,
    overwrite: bool = False,
    fewer: bool = False,
    unsafe: bool = False,
    progress: Progress = quiet,
) -> TextResult:
    """Make `rows` rows of a recipe in the folder `to`, with rejects, a report and a data card.

    `rows`: None only with `each`: one try for each row of that source. `seed`: None draws one, or
    goes on with that of an unfinished run in the folder. `real`: real texts that verification
    compares with. `fewer`: when the budget ends early, keep what there is instead of an error.
    `unsafe`: let made code run without a sandbox. Raises TargetExists for a finished folder
    (unless `overwrite`, which keeps the record), BudgetExceeded, SettingError, SamplingError (also
    where no row is kept), TeacherFailed where a teacher refuses the key or cannot be reached.
    """
    if rows is None and recipe.each is None:
        raise SettingError("rows is None. Say how many rows to make.")
    folder = Path(to)
    _check_folder(folder, overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    seed = _settled_seed(folder, seed)
    fitted = _fit(recipe, seed, progress)
    _check_mix(fitted, rows)
    with _unfinished(folder) as work:
        record = folder / FILES["record"]
        with fitted.opened(
            rows=rows, record=record, budget=budget, unsafe=unsafe, progress=progress
        ) as live:
            run = _Run(fitted=live, seed=seed, rows=rows, work=work, progress=progress, fewer=fewer)
            source = run.source()
            if not source.rows:
                raise run.nothing()
            usage = live.live.session.usage if live.live else None
        assert usage is not None
        report = finish(
            live,
            source,
            run.fold,
            usage,
            seed=seed,
            real=real,
            work=work,
            progress=progress,
        )
    return TextResult(
        folder=folder,
        data=folder / FILES["data"],
        rows=source.rows or 0,
        drawn=run.fold.drawn,
        rejects=run.fold.counts,
        usage=usage,
        report=report,
        note=recipe.note.render(live.alike()) if recipe.note else "",
        warnings=tuple(run.fold.marks.warnings()),
        seed=seed,
        complete=run.ended is None,
    )


def _fit(recipe: Recipe, seed: int, progress: Progress) -> FittedText:
    from geurim.generators import fit

    fitted = fit(None, recipe, seed=seed, progress=progress)
    assert isinstance(fitted, FittedText)
    return fitted


def _check_mix(fitted: FittedText, rows: int | None) -> None:
    """Refuse now what the mix would refuse after the long work."""
    mix = fitted.recipe.mix
    if mix is None or rows is None or mix.source not in fitted.tables:
        return
    needed, there = real_rows(mix, rows), fitted.tables[mix.source].num_rows
    if needed > there:
        raise SettingError(
            f"{rows:,} rows at a synthetic share of {mix.synthetic:.2%} take {needed:,} real rows, "
            f"and the source {mix.source!r} has {there:,}. Give more, or ask for fewer rows."
        )


class Fold:
    """The steps over the whole set, as rows come: what is kept, and the rejects as JSON lines."""

    def __init__(self, fitted: FittedText, rejects: Path) -> None:
        self._schema = fitted.schema
        self._steps: list[tuple[str, tuple[str, ...], Filter]] = []
        for columns, (name, given) in fitted.late:
            settings = _with_texts(name, given, fitted.tables)
            self._steps.append((name, columns, step(name, **settings).start()))
        self._file = rejects.open("w", encoding="utf-8", newline="\n")
        self.counts: dict[str, int] = {}
        self.marks = Marks({n: c for n, c in fitted.columns.items() if n in fitted.schema.names})
        self.drawn = 0

    def __call__(self, batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
        # Rejects are written by draw, and within one by row: how many draws come at once is chance.
        lost = [(i, -1, r["stage"], r["reason"], r["row"]) for i, b in enumerate(batches)
                for r in rejected(b)]  # fmt: skip
        plain = [b.replace_schema_metadata(None) for b in batches if b.num_rows]
        table = pa.Table.from_batches(plain, self._schema).combine_chunks()
        rows = next(iter(table.to_batches()), pa.RecordBatch.from_pylist([], schema=self._schema))
        for marked in [*rows.select(self.marks.columns).to_pylist(), *(row for *_, row in lost)]:
            self.marks.add(marked)
        draws = np.repeat(np.arange(len(batches)), [b.num_rows for b in batches])
        places = np.arange(rows.num_rows)
        for name, columns, judge in self._steps:
            if not rows.num_rows:
                break
            reasons = judged(judge, joined(rows, columns), rows, columns)
            if reasons.null_count == len(reasons):
                continue
            out = reasons.is_valid()
            dropped = places[out.to_numpy(zero_copy_only=False)].tolist()
            whys, left = reasons.drop_null().to_pylist(), rows.filter(out).to_pylist()
            for place, why, row in zip(dropped, whys, left, strict=True):
                lost.append((int(draws[place]), place, name, why, row))
            places = places[~out.to_numpy(zero_copy_only=False)]
            rows = rows.filter(pc.invert(out))
        for _, _, stage, why, row in sorted(lost, key=lambda entry: entry[:2]):
            self.reject(stage, why, row)
        self.drawn += rows.num_rows
        return rows

    def reject(self, stage: str, reason: str, row: Mapping[str, Json]) -> None:
        """Write one row to the rejects."""
        self.drawn += 1
        self.counts[stage] = self.counts.get(stage, 0) + 1
        line = {"stage": stage, "reason": reason, **row}
        text = json.dumps(line, ensure_ascii=False, default=str)
        self._file.write(text.encode("utf-8", "replace").decode() + "\n")

    def close(self) -> None:
        self._file.close()


def _with_texts(
    name: str, settings: Mapping[str, Json], tables: Mapping[str, pa.Table]
) -> dict[str, Any]:
    """A step's settings, where `{source: seeds, column: instruction}` stands for its texts."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        found[key] = value
        if isinstance(value, Mapping) and set(value) == {"source", "column"}:
            table, column = tables.get(value["source"]), value["column"]
            if table is None or column not in table.column_names:
                raise SettingError(
                    f"steps.{name}.{key}: there is no column {column!r} in a source "
                    f"{value['source']!r}. There are the sources: {', '.join(tables) or 'none'}."
                )
            found[key] = tuple(str(t) for t in table[column].to_pylist() if t is not None)
    return found


@dataclass(kw_only=True)
class _Run:
    """One run under way: its rounds, and what came of them."""

    fitted: FittedText
    seed: int
    rows: int | None
    work: Path
    progress: Progress
    fewer: bool
    ended: BudgetExceeded | None = None  # what ended the run before its time

    @property
    def recipe(self) -> Recipe:
        return self.fitted.recipe

    @cached_property
    def fold(self) -> Fold:
        return Fold(self.fitted, self.work / FILES["rejects"])

    @property
    def wanted(self) -> int | None:
        """Rows to keep before the best are selected."""
        share = self.recipe.select and self.recipe.select.share
        return self.rows if self.rows is None or not share else math.ceil(self.rows / share)

    def source(self) -> Source:
        """All rows, written to the folder's data file."""
        drawn = Source(schema=self.fitted.schema, lineage=self._lineage(), read=self._batches)
        path = self.work / "drawn.parquet"
        try:
            write(drawn, path)
        except BaseException:
            self.fold.close()
            raise
        return self._selected(path)

    def nothing(self) -> GeurimError:
        """The error of a run that ended without a row."""
        if self.ended is not None:
            return self.ended
        lost = sorted(self.fold.counts.items(), key=lambda item: -item[1])
        return SamplingError(
            f"No row was kept of {self.fold.drawn:,} drawn. Dropped by "
            f"{', '.join(f'{stage}: {count:,}' for stage, count in lost) or 'nothing'}. Look at "
            f"{FILES['failed']} in the folder for the reasons, and loosen what drops them."
        )

    def _lineage(self) -> Lineage:
        made = self.fitted.lineage
        return Lineage.made(
            made.maker, seed=self.seed, request=[made.digest, self.rows], parents=made.parents
        )

    def _batches(self) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._rounds()
        except BudgetExceeded as error:
            if not self.fewer:
                raise
            self.ended = error

    def _rounds(self) -> Iterator[pa.RecordBatch]:
        if self.recipe.grow:
            return self._growing()
        if self.recipe.quota:
            return self._quotas()
        given = self._each() if self.recipe.each else None
        return self._drawn(self.fitted, 0, self.wanted, given)

    def _drawn(
        self, fitted: FittedText, number: int, rows: int | None, given: pa.Table | None = None
    ) -> Iterator[pa.RecordBatch]:
        """One round through the driver of all generators."""
        seeds = np.random.SeedSequence(self.seed, spawn_key=(_ROUND, number))
        drawn = sample(
            fitted,
            rows,
            seed=int(seeds.generate_state(1, np.uint64)[0] >> 1),
            given=given,
            keep=self.fold,
            progress=self.progress,
        )
        return drawn.read()

    def _each(self) -> pa.Table:
        """The rows of the source that is walked through, in an order of their own."""
        name, column = next(
            (n, c)
            for n, c in self.fitted.columns.items()
            if getattr(c, "source", None) == self.recipe.each
        )
        table = self.fitted.tables[str(self.recipe.each)]
        order = self._rng().permutation(table.num_rows)
        rows = pa.array(table.take(pa.array(order)).to_pylist(), column.type)
        return pa.table({name: rows})

    def _rng(self, number: int = 0) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(_ORDER, number)))

    def _growing(self) -> Iterator[pa.RecordBatch]:
        """Rounds whose kept rows become seeds of the next."""
        grow, wanted = self.recipe.grow, self.wanted
        assert grow is not None and wanted is not None
        fitted, kept, number = self.fitted, 0, 0
        while kept < wanted:
            batches = []
            for batch in self._drawn(fitted, number, min(grow.round, wanted - kept)):
                batches.append(batch)
                yield batch
            rows = pa.Table.from_batches(batches, fitted.schema)
            kept += rows.num_rows
            number += 1
            fitted = fitted.grown(rows)

    def _quotas(self) -> Iterator[pa.RecordBatch]:
        """Rounds that ask for just the combinations that are still missing."""
        missing, stale, number = self._wanted_of_each(), 0, 0
        names = list(self.recipe.quota)
        while sum(missing.values()) and stale < _STALE:
            asked = [combo for combo, count in missing.items() for _ in range(count)]
            order = self._rng(number).permutation(len(asked))
            columns = {
                n: pa.array([asked[i][at] for i in order], self.fitted.schema.field(n).type)
                for at, n in enumerate(names)
            }
            kept = 0
            for batch in self._drawn(self.fitted, number, None, pa.table(columns)):
                for combo in zip(*(batch[n].to_pylist() for n in names), strict=True):
                    missing[combo] -= 1
                kept += batch.num_rows
                yield batch
            stale = 0 if kept else stale + 1
            number += 1
        if sum(missing.values()):
            left = {c: n for c, n in missing.items() if n}
            raise SamplingError(
                f"{sum(left.values()):,} rows of the quota were not to be had in {_STALE} rounds: "
                f"{dict(list(left.items())[:5])}. Look at the rejects, and loosen what drops them."
            )

    def _wanted_of_each(self) -> dict[tuple[Any, ...], int]:
        """Rows of each combination of the quota's values, adding up to the rows wanted."""
        assert self.wanted is not None
        parts: list[dict[Any, float]] = []
        for name, wish in self.recipe.quota.items():
            known = self.fitted.profile.columns[name]
            if known["role"] != "category":
                raise SettingError(f"quota.{name}: only a column with `choose` can have one.")
            values = [v for v, _ in known["categories"]]
            part = wish or dict.fromkeys(values, 1.0)
            unknown = [v for v in part if v not in values]
            if unknown:
                raise SettingError(f"quota.{name}: {unknown[0]!r} is none of its values: {values}.")
            parts.append({v: w / sum(part.values()) for v, w in part.items()})
        return _apportioned(parts, self.wanted)

    def _selected(self, path: Path) -> Source:
        """The rows that the recipe selects, as the folder's data file."""
        from geurim.rows import read_rows

        drawn, select = read_rows(path), self.recipe.select
        data = self.work / FILES["data"]
        if select is None:
            self.fold.close()
            path.rename(data)
            return read_rows(data)
        scores = np.array([_score(select.by.value(row)) for row in _rows(drawn)], float)
        if select.least is not None:
            best = scores >= select.least
        else:
            most = min(self.rows or round(len(scores) * (select.share or 1)), len(scores))
            best = np.zeros(len(scores), bool)
            best[np.argsort(-scores, kind="stable")[:most]] = True
        for row, score, kept in zip(_rows(drawn), scores, best, strict=True):
            if not kept:
                self.fold.drawn -= 1
                self.fold.reject("select", f"its score {score:.3g} is not among the best", row)
        self.fold.close()
        write(rows_where(drawn, best), data)
        path.unlink()
        return read_rows(data)


def _score(value: Any) -> float:
    return float("-inf") if value is None else float(value)


def _rows(source: Source) -> Iterator[dict[str, Any]]:
    for batch in source.read():
        yield from batch.to_pylist()


def _apportioned(parts: Sequence[Mapping[Any, float]], rows: int) -> dict[tuple[Any, ...], int]:
    """Rows of each combination of values; `parts` are the shares of the values of each column.

    They add up to `rows`, and each column's own rows are those of its shares by largest remainders:
    rounding combinations by themselves would give one value of a column all that is left over. A
    combination lies within one row of its share but where the columns' own counts forbid it.
    """
    owed = [_largest_remainders(np.array(list(p.values())) * rows) for p in parts]
    exact = np.array(float(rows))
    for part in parts:
        exact = np.multiply.outer(exact, np.array(list(part.values())))
    counts = np.floor(exact + 1e-9).astype(int)
    for axis, wanted in enumerate(owed):
        others = tuple(i for i in range(len(parts)) if i != axis)
        wanted -= counts.sum(axis=others)
    for _ in range(rows - int(counts.sum())):
        # The combination that lacks most; of those alike the one whose values are owed most.
        lacks = np.where(exact > 0, np.round(exact - counts, 9), -np.inf)
        debt = np.zeros_like(exact)
        for axis, wanted in enumerate(owed):
            shape = [-1 if i == axis else 1 for i in range(len(parts))]
            debt = debt + np.where(wanted > 0, wanted, -np.inf).reshape(shape)
        lacks = np.where(debt > 0, lacks, -np.inf)
        best = np.flatnonzero(lacks == lacks.max())
        at = np.unravel_index(best[np.argmax(debt.ravel()[best])], exact.shape)
        counts[at] += 1
        for axis, wanted in enumerate(owed):
            wanted[at[axis]] -= 1
    combos = itertools.product(*parts)
    return dict(zip(combos, counts.ravel().tolist(), strict=True))


def _largest_remainders(exact: np.ndarray) -> np.ndarray:
    """Whole numbers near `exact` that add up to the same."""
    counts: np.ndarray = np.floor(exact + 1e-9).astype(int)
    left = round(float(exact.sum())) - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:left]] += 1
    return counts


# The folder


def _check_folder(folder: Path, overwrite: bool) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise TargetExists(f"{str(folder)!r} is a file, not a folder. Choose another name.")
    if (folder / FILES["data"]).exists() and not overwrite:
        raise TargetExists(
            f"The folder {str(folder)!r} holds a finished run. Choose another, or overwrite: the "
            "recorded answers are used again."
        )
    others = {p.name for p in folder.iterdir()} - _own_names()
    if others:
        raise TargetExists(
            f"The folder {str(folder)!r} holds files that Geurim did not make: "
            f"{', '.join(sorted(others)[:3])}. Choose another folder."
        )


def _own_names() -> set[str]:
    record = FILES["record"]
    return {*FILES.values(), ".unfinished", *(record + s for s in ("-wal", "-shm", ".lock"))}


def _settled_seed(folder: Path, seed: int | None) -> int:
    """The seed given, or that of the run this folder holds, or a new one; noted in the folder."""
    note = folder / FILES["run"]
    if seed is None and note.exists():
        seed = json.loads(note.read_text("utf-8")).get("seed")
    seed = secrets.randbits(32) if seed is None else seed
    note.write_text(json.dumps({"seed": seed}) + "\n", "utf-8")
    return seed


@contextmanager
def _unfinished(folder: Path) -> Iterator[Path]:
    """A folder to work in; its files take their places when all went well.

    The rejects of a run that failed stay, under a name of their own: they tell why.
    """
    work = folder / ".unfinished"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        yield work
        for path in sorted(work.iterdir(), key=lambda p: p.name == FILES["data"]):
            target = folder / path.name
            if target.is_dir():
                shutil.rmtree(target)
            path.replace(target)
        (folder / FILES["failed"]).unlink(missing_ok=True)
    except BaseException:
        if (work / FILES["rejects"]).exists():
            (work / FILES["rejects"]).replace(folder / FILES["failed"])
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
