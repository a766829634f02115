"""The default: every column from a mixture of classification trees on those before it.

A chain p(x1) p(x2 | x1) … over columns ordered by their number of levels, after Reiter 2005 (CART
synthesis) and Nowok, Raab & Dibben 2016 (synthpop), with three differences: columns that mix a
continuous part with repeated values keep both (geurim.levels); trees are averaged so that
rows do not lie nearer to the training rows than to others (geurim.generators._forest); and
what determines what is kept exactly (geurim.relations). Not to be confused with a random forest
that predicts: nothing is averaged into a mean, values are drawn. No privacy proof goes with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from geurim import levels as scales
from geurim.contract import (
    Event,
    Fitted,
    Generator,
    Json,
    Lineage,
    Profile,
    Progress,
    Source,
    quiet,
)
from geurim.errors import DataError, SettingError
from geurim.generators import _forest
from geurim.generators._forest import Forest
from geurim.generators._grow import Predictors
from geurim.levels import Levels

_GROUPS = 16  # classes by which splits are chosen


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedTrees(Fitted):
    """Levels and a forest for each column, in the order in which columns are drawn."""

    schema: pa.Schema
    lineage: Lineage
    profile: Profile
    settings: Trees
    levels: Mapping[str, Levels]
    forests: Mapping[str, Forest]  # in drawing order
    rows: int  # that it was fitted to
    name: ClassVar[str] = "trees"
    completes: ClassVar[bool] = True

    def draw(
        self, rows: int, rng: np.random.Generator, given: pa.Table | None = None
    ) -> pa.RecordBatch:
        if given is not None and not self._leads(tuple(given.column_names)):
            return self.condition(tuple(given.column_names)).draw(rows, rng, given)
        known = {} if given is None else {n: given[n].combine_chunks() for n in given.column_names}
        drawn = self._draw_levels(rows, rng, known)
        columns = {
            n: known[n] if n in known else self.levels[n].decode(drawn[n], rng) for n in drawn
        }
        return pa.RecordBatch.from_arrays(
            [columns[f.name] for f in self.schema], schema=self.schema
        )

    def _draw_levels(
        self, rows: int, rng: np.random.Generator, known: Mapping[str, pa.Array]
    ) -> dict[str, np.ndarray]:
        codes = np.zeros((len(self.forests), rows), np.uint8)
        drawn = {}
        for i, (name, forest) in enumerate(self.forests.items()):
            level = self.levels[name]
            if name in known:
                found = level.encode(known[name])
                # A value never seen says nothing: a random one stands in for it as a predictor.
                drawn[name] = np.where(found < 0, rng.integers(0, level.size, rows), found)
            else:
                drawn[name] = forest.draw(codes[:i], rng)
            codes[i] = level.bins[drawn[name]]
        return drawn

    def _leads(self, columns: tuple[str, ...]) -> bool:
        return set(list(self.forests)[: len(columns)]) == set(columns)

    def condition(self, columns: tuple[str, ...]) -> FittedTrees:
        """The same distribution with `columns` first in the chain, learned from its own draws.

        Nothing is rejected later, however rare the values that will be given. The draws' number,
        at least as large as the rows it was fitted to, bounds what is lost on the way.
        """
        if self._leads(columns):
            return self
        count = int(np.clip(4 * self.rows, 50_000, 200_000))
        rng = np.random.default_rng([int(self.lineage.digest[:12], 16), len(columns)])
        drawn = self._draw_levels(count, rng, {})
        order = [n for n in self.forests if n in columns]
        order += [n for n in self.forests if n not in columns]
        forests = _learn_chain(self.settings, order, self.levels, drawn, rng, quiet)
        return replace(self, forests=forests)

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        columns: list[Json] = []
        arrays: dict[str, np.ndarray] = {}
        for i, (name, forest) in enumerate(self.forests.items()):
            level, parts = self.levels[name].state()
            columns.append({"name": name, "levels": level})
            arrays |= {f"{i}/levels/{k}": v for k, v in parts.items()}
            arrays |= {f"{i}/forest/{k}": v for k, v in forest.arrays().items()}
        settings = asdict(self.settings)
        return {"settings": settings, "rows": self.rows, "columns": columns}, arrays

    @classmethod
    def from_state(
        cls,
        profile: Profile,
        schema: pa.Schema,
        lineage: Lineage,
        state: dict[str, Json],
        arrays: dict[str, np.ndarray],
    ) -> FittedTrees:
        def part(prefix: str) -> dict[str, np.ndarray]:
            return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}

        levels, forests = {}, {}
        for i, column in enumerate(state["columns"]):
            name = column["name"]
            kind = schema.field(name).type
            levels[name] = Levels.from_state(kind, column["levels"], part(f"{i}/levels/"))
            forests[name] = Forest(**part(f"{i}/forest/"))
        return cls(
            schema=schema,
            lineage=lineage,
            profile=profile,
            settings=Trees(**state["settings"]),
            levels=levels,
            forests=forests,
            rows=state["rows"],
        )


@dataclass(frozen=True, kw_only=True)
class Trees(Generator):
    """Settings of the default generator; the defaults are meant for every table.

    trees: trees a column, whose distributions are averaged.
    leaf: the fewest rows of a leaf.
    charge: how many times Akaike's charge a split must gain; more gives smoother, coarser trees.
    cell_rows: the fewest rows of a cell of a continuous column.
    max_rows: rows learned from; a larger table is thinned at random.
    """

    trees: int = 8
    leaf: int = 20
    charge: float = 1.2
    cell_rows: int = 10
    max_rows: int = 400_000
    name: ClassVar[str] = "trees"
    fitted: ClassVar[type[Fitted]] = FittedTrees

    def __post_init__(self) -> None:
        for setting in ("trees", "leaf", "cell_rows", "max_rows"):
            if getattr(self, setting) < 1:
                raise SettingError(
                    f"Trees: {setting} is {getattr(self, setting)!r}. Give a whole number from 1."
                )
        if not self.charge >= 0:
            raise SettingError(f"Trees: charge is {self.charge!r}. Give a number from 0.")

    def fit(
        self,
        source: Source | None,
        profile: Profile,
        rng: np.random.Generator,
        progress: Progress = quiet,
    ) -> FittedTrees:
        if source is None:
            raise DataError(
                "Trees learn from rows and were given a profile alone. "
                "Give the data, or choose generator='copula'."
            )
        table = thin(source, self.max_rows, rng)
        if not table.num_rows:
            raise DataError(f"There are no rows in {source.lineage.maker}. Give at least one.")
        levels, codes = {}, {}
        for name in table.column_names:
            levels[name], codes[name] = scales.learn(table[name], self.cell_rows)
        order = sorted(table.column_names, key=lambda n: levels[n].size)
        forests = _learn_chain(self, order, levels, codes, rng, progress)
        return FittedTrees(
            schema=source.schema,
            lineage=Lineage.made(repr(self), parents=(source.lineage,)),
            profile=profile,
            settings=self,
            levels=levels,
            forests=forests,
            rows=table.num_rows,
        )


def _learn_chain(
    settings: Trees,
    order: list[str],
    levels: Mapping[str, Levels],
    codes: Mapping[str, np.ndarray],
    rng: np.random.Generator,
    progress: Progress,
) -> dict[str, Forest]:
    """A forest for each column in `order`, given those before it."""
    rows = len(codes[order[0]]) if order else 0
    binned = np.empty((len(order), rows), np.uint8)
    for i, name in enumerate(order):
        binned[i] = levels[name].bins[codes[name]]
    predictors = Predictors.of(
        binned,
        [int(levels[n].bins.max(initial=0)) + 1 for n in order],
        [levels[n].ordered for n in order],
    )
    forests = {}
    for i, name in enumerate(order):
        progress(Event(step="fit", done=i, total=len(order), unit="columns", note=name))
        forests[name] = _forest.learn(
            predictors.first(i),
            codes[name],
            _groups(levels[name], codes[name]),
            rng,
            trees=settings.trees,
            leaf=settings.leaf,
            charge=settings.charge,
            grow_rows=100_000,
        )
    progress(Event(step="fit", done=len(order), total=len(order), unit="columns"))
    return forests


def _groups(level: Levels, codes: np.ndarray) -> np.ndarray:
    """The class (size,) of each level: neighbours together, or all but the most frequent ones."""
    if not level.ordered:
        return np.minimum(np.arange(max(level.size, 1)), 15)
    if level.size <= 24:
        return np.arange(level.size)
    mass = np.bincount(codes, minlength=level.size)[: level.size - level.missing]
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    group = np.unique((middle * (_GROUPS - 1)).astype(int), return_inverse=True)[1]
    return np.append(group, group[-1] + 1) if level.missing else group


def thin(source: Source, most: int, rng: np.random.Generator) -> pa.Table:
    """At most `most` rows of a source, each as likely as any other, in their order."""
    kept: list[Any] = []
    rows, rate = 0, 1.0
    for batch in source.read():
        if rate < 1:
            batch = batch.filter(pa.array(rng.random(batch.num_rows) < rate))
        kept.append(batch)
        rows += batch.num_rows
        while rows > 2 * most:
            rate /= 2
            kept = [b.filter(pa.array(rng.random(b.num_rows) < 0.5)) for b in kept]
            rows = sum(b.num_rows for b in kept)
    table = pa.Table.from_batches(kept, source.schema)
    if rows > most:
        table = table.take(pa.array(np.sort(rng.choice(rows, most, replace=False))))
    return table
