"""A recipe bound to its sources and teachers: one draw is one row of the data set, or none.

What is drawn depends on the row's random stream and on the teachers' answers alone, which are
recorded: drawn again with the same record, it is the same. A row that is not to be kept is left
out of the batch and stands, with stage and reason, in the batch's metadata (`rejected`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from geurim.contract import Fitted, Json, Lineage, Profile, Progress, quiet
from geurim.errors import SettingError
from geurim.generators.text.asked import Loop, value
from geurim.generators.text.budget import Budget
from geurim.generators.text.columns import (
    Choose,
    Column,
    Compute,
    Dropped,
    Fixed,
    Items,
    Rows,
    Scope,
)
from geurim.generators.text.early import Entry, depths_of, with_early
from geurim.generators.text.keys import Keyed
from geurim.generators.text.live import Live
from geurim.generators.text.recipe import Recipe
from geurim.generators.text.teacher import Teacher

REJECTED = b"geurim.rejected"
_ITEMS = 5  # entries of a list, before one was seen: few are asked for at first
_Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedText(Fitted):
    """Rows written by teachers. A draw may give no row, or several where the recipe splits one."""

    schema: pa.Schema
    lineage: Lineage
    profile: Profile
    recipe: Recipe
    tables: Mapping[str, pa.Table]
    columns: Mapping[str, Column]  # bound to the tables, in order
    late: Sequence[tuple[tuple[str, ...], Entry]]  # steps over the set, by the columns they look at
    run: Mapping[str, Json]  # what templates see as `run`: rows asked for, rows of each source
    live: Live | None = None

    name: ClassVar[str] = "text"
    block: ClassVar[int] = 1
    completes: ClassVar[bool] = True
    repeatable: ClassVar[bool] = False
    partial: ClassVar[bool] = True

    @classmethod
    def bind(
        cls, recipe: Recipe, tables: Mapping[str, pa.Table], parents: tuple[Lineage, ...]
    ) -> FittedText:
        tables = _growing(recipe, tables)
        columns = _bound(recipe.columns, tables)
        kinds: dict[str, pa.DataType] = {}
        for name, column in columns.items():
            if isinstance(column, Keyed):
                columns[name] = column = column.bound(name, kinds)
            kinds[name] = _type(name, column, kinds)
        columns, late = with_early(recipe, columns)
        shown = [n for n in recipe.spec["columns"] if n[0] != "_" and not columns[n].silent]
        schema = pa.schema([(n, kinds[n]) for n in shown])
        lineage = Lineage.made(repr(recipe), request=recipe.digest, parents=parents)
        return cls(
            schema=schema,
            lineage=lineage,
            profile=_profile(schema, lineage, columns),
            recipe=recipe,
            tables=dict(tables),
            columns=columns,
            late=late,
            run={
                "rows": 0,
                **{n: tables[n].num_rows if n in tables else 0 for n in recipe.sources},
            },
        )

    @contextmanager
    def opened(
        self,
        *,
        rows: int | None = None,
        record: Path | None = None,
        budget: Budget | None = None,
        unsafe: bool = False,
        progress: Progress = quiet,
    ) -> Iterator[FittedText]:
        """The same generator with its teachers at hand, for as long as the block lasts."""
        if self.recipe.asks and not self.recipe.teachers:
            raise SettingError(
                f"The recipe {self.recipe.name!r} has no teacher. Give one: "
                "recipe.with_teachers(default=Teacher.of(url, model)), or Teacher.embedded()."
            )
        with Live.open(
            self.recipe, self.tables, record=record, budget=budget, unsafe=unsafe, progress=progress
        ) as live:
            run = {**self.run, "rows": rows or self.run["rows"]}
            yield replace(self, live=live, run=run)

    @property
    def ahead(self) -> int:
        """How many rows may be under way at once."""
        return self.live.ahead if self.live else 1

    def alike(self) -> _Row:
        """`run`, and the values that are the same in every row: fixed, and computed from those."""
        row: _Row = {"run": self.run}
        for name, column in self.columns.items():
            if isinstance(column, Fixed | Compute) and column.refers <= set(row):
                row[name] = value(name, column, Scope(row=row, seed=0))()
        return row

    @property
    def guess(self) -> float:
        splits = sum(isinstance(c, Items) for c in self.columns.values())
        return float(_ITEMS**splits)

    def grown(self, rows: pa.Table) -> FittedText:
        """The same generator whose growing source has these rows as well."""
        grow = self.recipe.grow
        assert grow is not None
        old = self.tables[grow.source]
        parts = {
            new: rows[column].cast(old.schema.field(new).type)
            for new, column in grow.columns.items()
        }
        more = pa.table(
            {f.name: parts.get(f.name, pa.nulls(rows.num_rows, f.type)) for f in old.schema},
            schema=old.schema,
        )
        tables = {**self.tables, grow.source: pa.concat_tables([old, more])}
        return replace(self, tables=tables, columns=_bound(self.columns, tables))

    def draw(
        self, rows: int, rng: np.random.Generator, given: pa.Table | None = None
    ) -> pa.RecordBatch:
        if self.live is None:
            with self.opened() as opened:
                return opened.draw(rows, rng, given)
        starts = [{}] * rows if given is None else given.to_pylist()
        made: list[_Row] = []
        rejects: list[dict[str, Json]] = []
        for start in starts:
            found, lost = self._row(int(rng.integers(2**63)), {**start, "run": self.run})
            made += found
            rejects += lost
        batch = pa.RecordBatch.from_pylist(made, schema=self.schema)
        if not rejects:
            return batch
        text = json.dumps(rejects, ensure_ascii=False, default=str)
        return batch.replace_schema_metadata({REJECTED: text.encode("utf-8", "replace")})

    @cached_property
    def _levels(self) -> list[list[str]]:
        """Columns that can be worked out at the same time, one group after the other."""
        level = depths_of(self.columns)
        # What is free comes first, so that a row it drops costs nothing. A split stands alone, and
        # last: what it does not concern is worked out once, before it.
        levels: list[list[str]] = []
        for depth in range(max(level.values(), default=-1) + 1):
            here = [n for n in self.columns if level[n] == depth]
            split = [n for n in here if isinstance(self.columns[n], Items)]
            calm = [n for n in here if n not in split]
            for costs in (False, True):
                group = [n for n in calm if self.columns[n].costs is costs]
                levels += [group] if group else []
            levels += [[n] for n in split]
        return levels

    def _row(self, seed: int, start: _Row) -> tuple[list[_Row], list[dict[str, Json]]]:
        """What one draw gives: kept rows, and rejects."""
        rows, rejects = [(seed, start)], []
        place = next(self.live.numbers) if self.live else 0
        for names in self._levels:
            column = self.columns[names[0]]
            if isinstance(column, Items):
                rows = [split for row in rows for split in _split(names[0], column, *row)]
                continue
            begun = [(s, row, self._begin(names, s, row, place)) for s, row in rows]
            rows = []
            for s, row, finishes in begun:
                try:
                    found = {n: f() if callable(f) else _raise(f) for n, f in finishes.items()}
                except Dropped as error:
                    rejects.append(self._reject(error, row))
                    continue
                rows.append((s, {**row, **found}))
        return [row for _, row in rows], rejects

    def _begin(self, names: list[str], seed: int, row: _Row, place: int) -> dict[str, Any]:
        """Start columns of a row; a fault at the start is kept until the row's turn."""
        scope = Scope(row=row, seed=seed, live=self.live, place=place)
        begun: dict[str, Any] = {}
        for name in names:
            if name in row:  # given
                continue
            try:
                begun[name] = value(name, self.columns[name], scope)
            except Dropped as error:
                begun[name] = error
        return begun

    def _reject(self, error: Dropped, row: _Row) -> dict[str, Json]:
        known = {**row, **error.values}
        shown = {n: v for n, v in known.items() if n in self.schema.names}
        stage = error.stage.lstrip("_")  # of a column that is not among the data
        return {"stage": stage, "reason": error.reason, "row": shown}

    # Model files

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        teachers = {n: asdict(t) for n, t in self.recipe.teachers.items()}
        tables = {n: t.to_pylist() for n, t in self.tables.items()}
        return {
            "spec": json.loads(json.dumps(dict(self.recipe.spec), default=str)),
            "teachers": teachers,
            "tables": json.loads(json.dumps(tables, default=str)),
            "parents": [p.to_json() for p in self.lineage.parents],
        }, {}

    @classmethod
    def from_state(
        cls,
        profile: Profile,
        schema: pa.Schema,
        lineage: Lineage,
        state: dict[str, Json],
        arrays: dict[str, np.ndarray],
    ) -> FittedText:
        recipe = Recipe(
            spec=state["spec"],
            teachers={n: Teacher(**t) for n, t in state["teachers"].items()},
        )
        tables = {n: pa.Table.from_pylist(rows) for n, rows in state["tables"].items()}
        return cls.bind(recipe, tables, tuple(Lineage.from_json(p) for p in state["parents"]))


def rejected(batch: pa.RecordBatch) -> list[dict[str, Json]]:
    """The rows that a draw left out: stage, reason and what there was of the row."""
    text = (batch.schema.metadata or {}).get(REJECTED)
    found: list[dict[str, Json]] = json.loads(text) if text else []
    return found


def _raise(error: Dropped) -> Any:
    raise error


def _split(name: str, column: Items, seed: int, row: _Row) -> list[tuple[int, _Row]]:
    """One row for each entry of the list, with a random stream of its own."""
    scope = Scope(row=row, seed=seed)
    entries = row[column.of] or []
    return [(scope.number(name, i), {**row, name: entry}) for i, entry in enumerate(entries)]


def _growing(recipe: Recipe, tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """The tables, where the source that grows has every column that it is to be given."""
    found, grow = dict(tables), recipe.grow
    for new, column in grow.columns.items() if grow else ():
        assert grow is not None
        table = found[grow.source]
        if new not in table.column_names or pa.types.is_null(table.schema.field(new).type):
            made = pa.nulls(table.num_rows, recipe.columns[column].type)
            rest = table.drop_columns([new]) if new in table.column_names else table
            found[grow.source] = rest.append_column(new, made)
    return found


def _bound(columns: Mapping[str, Column], tables: Mapping[str, pa.Table]) -> dict[str, Column]:
    """The columns with the rows of their sources, those in loops too."""
    bound: dict[str, Column] = {}
    for name, column in columns.items():
        if isinstance(column, Rows):
            column = replace(column, table=tables[column.source])
        elif isinstance(column, Loop):
            column = replace(column, columns=_bound(column.columns, tables))
        bound[name] = column
    return bound


def _type(name: str, column: Column, kinds: Mapping[str, pa.DataType]) -> pa.DataType:
    if not isinstance(column, Items):
        return column.type
    of = kinds[column.of]
    if not pa.types.is_list(of):
        raise SettingError(f"columns.{name}: {column.of!r} is no list, but {of}. Name a list.")
    return of.value_type


def _profile(schema: pa.Schema, lineage: Lineage, columns: Mapping[str, Column]) -> Profile:
    """What is known beforehand of the rows: the shares of chosen values."""
    found: dict[str, dict[str, Json]] = {}
    for field in schema:
        column = columns[field.name]
        known: dict[str, Json] = {"role": "text", "length_quantiles": [], "words_quantiles": []}
        if isinstance(column, Choose) and column.by is None and column.count is None:
            values, weights = column.options[None]
            shares = [[v, w / sum(weights)] for v, w in zip(values, weights, strict=True)]
            known = {"role": "category", "categories": shares, "pooled": {"count": 0, "share": 0.0}}
            known["distinct"] = len(values)
        elif isinstance(column, Fixed) and not pa.types.is_nested(field.type):
            known = {
                "role": "category",
                "categories": [[column.value, 1.0]],
                "pooled": {"count": 0, "share": 0.0},
            }
            known["distinct"] = 1
        found[field.name] = {**known, "missing": 0.0}
    return Profile(schema=schema, lineage=lineage, rows=0, columns=found)
