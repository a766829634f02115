"""The default: every column from a mixture of classification trees on those before it.

A chain p(x1) p(x2 | x1) … over the columns, those with few levels first, after Reiter 2005 (CART
synthesis) and Nowok, Raab & Dibben 2016 (synthpop), with three differences: columns that mix a
continuous part with repeated values keep both (geurim.levels); trees are averaged so that
rows do not lie nearer to the training rows than to others (geurim.generators._forest); and
what depends linearly keeps doing so to the last digit (geurim.links). Not to be confused with a
random forest that predicts: nothing is averaged into a mean, values are drawn. No privacy proof
goes with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from geurim.codec import Scale, link, measure, part
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
class Column:
    """One column of the chain.

    `sees`: the places in the chain of the columns that its forest looks at.
    """

    scale: Scale
    forest: Forest
    sees: np.ndarray

    @property
    def own(self) -> Levels:
        return self.scale.own


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedTrees(Fitted):
    """The chain of columns, in the order in which they are drawn."""

    schema: pa.Schema
    lineage: Lineage
    profile: Profile
    settings: Trees
    columns: Mapping[str, Column]
    clocks: frozenset[str]
    rows: int  # that it was fitted to
    name: ClassVar[str] = "trees"
    completes: ClassVar[bool] = True

    def draw(
        self, rows: int, rng: np.random.Generator, given: pa.Table | None = None
    ) -> pa.RecordBatch:
        if given is not None and not self._leads(tuple(given.column_names)):
            return self.condition(tuple(given.column_names)).draw(rows, rng, given)
        known = {} if given is None else {n: given[n].combine_chunks() for n in given.column_names}
        codes, axes = self._draw_levels(rows, rng, known)
        columns = []
        for field in self.schema:
            own = self.columns[field.name].own
            if field.name in known:
                columns.append(known[field.name])
            elif own.ordered:
                columns.append(own.written(axes[field.name]))
            else:
                columns.append(own.category(codes[field.name]))
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _draw_levels(
        self, rows: int, rng: np.random.Generator, known: Mapping[str, pa.Array]
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Each column's codes on its own scale (rows,), and the axis values of ordered ones."""
        binned = np.zeros((len(self.columns), rows), np.uint8)
        codes: dict[str, np.ndarray] = {}
        axes: dict[str, np.ndarray] = {}
        for i, (name, column) in enumerate(self.columns.items()):
            own = column.own
            if name in known:
                found = own.encode(known[name])
                # A value never seen says nothing: a random one stands in for it as a predictor.
                codes[name] = np.where(found < 0, rng.integers(0, own.size, rows), found)
                if own.ordered:
                    axes[name] = own.axis_of(known[name])
            else:
                codes[name] = column.forest.draw(binned[column.sees], rng)
                if own.ordered:
                    axes[name] = column.scale.values(codes[name], axes, self.clocks, rng)
                    if column.scale.base is not None:
                        codes[name] = own.place_of(axes[name])
            binned[i] = own.bins[codes[name]]
        return codes, axes

    def _leads(self, columns: tuple[str, ...]) -> bool:
        return set(list(self.columns)[: len(columns)]) == set(columns)

    def condition(self, columns: tuple[str, ...]) -> FittedTrees:
        """The same distribution with `columns` first in the chain, learned from its own draws.

        Nothing is rejected later, however rare the values that will be given. The draws' number,
        at least as large as the rows it was fitted to, bounds what is lost on the way. What comes
        after the last of `columns` has the same columns before it as ever, and stays as it is. The
        given columns' own trees are never asked, and not grown.
        """
        if self._leads(columns):
            return self
        old = list(self.columns)
        count = 1 + max(old.index(n) for n in columns)
        first = sorted(old[:count], key=lambda n: n not in columns)
        rng = np.random.default_rng([int(self.lineage.digest[:12], 16), len(columns)])
        rows = int(np.clip(2 * self.rows, 50_000, 150_000))
        head = replace(self, columns={n: self.columns[n] for n in old[:count]})
        codes, axes = head._draw_levels(rows, rng, {})
        scales = {n: self.columns[n].own for n in first}
        chain = _learn_chain(
            self.settings, first, scales, codes, axes, self.clocks, rng, quiet, len(columns)
        )
        place = np.array([(first + old[count:]).index(n) for n in old])
        for name in old[count:]:
            column = self.columns[name]
            chain[name] = replace(column, sees=place[column.sees])
        return replace(self, columns=chain)

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        columns: list[Json] = []
        arrays: dict[str, np.ndarray] = {}
        for i, (name, column) in enumerate(self.columns.items()):
            entry, parts = column.scale.state()
            columns.append({"name": name, **entry})
            parts |= {f"forest/{k}": v for k, v in column.forest.arrays().items()}
            arrays |= {f"{i}/{k}": v for k, v in (parts | {"sees": column.sees}).items()}
        settings = asdict(self.settings)
        clocks = sorted(self.clocks)
        return {"settings": settings, "rows": self.rows, "columns": columns, "clocks": clocks}, (
            arrays
        )

    @classmethod
    def from_state(
        cls,
        profile: Profile,
        schema: pa.Schema,
        lineage: Lineage,
        state: dict[str, Json],
        arrays: dict[str, np.ndarray],
    ) -> FittedTrees:
        columns = {}
        for i, entry in enumerate(state["columns"]):
            parts = part(arrays, f"{i}/")
            columns[entry["name"]] = Column(
                scale=Scale.from_state(schema.field(entry["name"]).type, entry, parts),
                forest=Forest(**part(parts, "forest/")),
                sees=parts["sees"],
            )
        return cls(
            schema=schema,
            lineage=lineage,
            profile=profile,
            settings=Trees(**state["settings"]),
            columns=columns,
            clocks=frozenset(state["clocks"]),
            rows=state["rows"],
        )


@dataclass(frozen=True, kw_only=True)
class Trees(Generator):
    """Decision trees, column by column: the default, with settings meant for every table.

    trees: trees a column, whose distributions are averaged.
    leaf: the fewest rows of a leaf.
    charge: how many times Akaike's charge a split must gain; more gives smoother, coarser trees.
    predictors: the most columns a tree looks at; of more, those that tell most are taken.
    cell_rows: the fewest rows of a cell of a continuous column.
    max_rows: rows learned from; a larger table is thinned at random.
    """

    trees: int = 10
    leaf: int = 5
    charge: float = 1.15
    predictors: int = 32
    cell_rows: int = 10
    max_rows: int = 400_000
    name: ClassVar[str] = "trees"
    fitted: ClassVar[type[Fitted]] = FittedTrees

    def __post_init__(self) -> None:
        for setting in ("trees", "leaf", "predictors", "cell_rows", "max_rows"):
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
        return self.fit_given((), table, source.lineage, profile, rng, progress)

    def fit_given(
        self,
        given: Sequence[str],
        table: pa.Table,
        lineage: Lineage,
        profile: Profile,
        rng: np.random.Generator,
        progress: Progress = quiet,
    ) -> FittedTrees:
        """Learn the other columns of `table` given some, which every draw must then be given.

        Nothing is learned of the columns `given` themselves: without them a draw takes each by
        itself.
        """
        own, codes, axes, clocks = measure(table, self.cell_rows)
        rest = _order({n: v for n, v in own.items() if n not in given}, codes)
        order = [*given, *rest]
        return FittedTrees(
            schema=table.schema,
            lineage=Lineage.made(repr(self), parents=(lineage,)),
            profile=profile,
            settings=self,
            columns=_learn_chain(
                self, order, own, codes, axes, clocks, rng, progress, given=len(given)
            ),
            clocks=clocks,
            rows=table.num_rows,
        )


def _order(own: Mapping[str, Levels], codes: Mapping[str, np.ndarray]) -> list[str]:
    """The columns as they are drawn: few levels before many.

    Among columns whose every level is a class, the one that varies most comes first: those after
    it have less to learn by heart. The others are ordered by their number of levels.
    """

    def place(name: str) -> tuple[int, float]:
        size = own[name].size
        if _groups(own[name], codes[name]).max(initial=0) + 1 < size:
            return 1, float(size)
        share = np.bincount(codes[name], minlength=1) / max(len(codes[name]), 1)
        share = share[share > 0]
        return 0, float((share * np.log(share)).sum())

    return sorted(own, key=place)


def _learn_chain(
    settings: Trees,
    order: list[str],
    own: Mapping[str, Levels],
    codes: Mapping[str, np.ndarray],
    axes: Mapping[str, np.ndarray],
    clocks: frozenset[str],
    rng: np.random.Generator,
    progress: Progress,
    given: int = 0,
) -> dict[str, Column]:
    """Each column in `order`, learned given those before it; the first `given` each by itself."""
    rows = len(codes[order[0]]) if order else 0
    binned = np.empty((len(order), rows), np.uint8)
    for i, name in enumerate(order):
        binned[i] = own[name].bins[codes[name]]
    predictors = Predictors.of(
        binned,
        [int(own[n].bins.max(initial=0)) + 1 for n in order],
        [own[n].ordered for n in order],
    )
    chain: dict[str, Column] = {}
    for i, name in enumerate(order):
        progress(Event(step="fit", done=i, total=len(order), unit="columns", note=name))
        before = order[:i] if i >= given else []
        scale, level = link(own[name], name, codes[name], axes, before, clocks, settings.cell_rows)
        group = _scale_groups(scale, level)
        sees = np.arange(len(before))
        if len(before) > settings.predictors:
            classes = int(group.max(initial=0)) + 1
            sees = predictors.of_columns(sees).telling(group[level], classes, settings.predictors)
        forest = _forest.learn(
            predictors.of_columns(sees),
            level,
            group,
            rng,
            trees=settings.trees if i >= given else 1,
            leaf=settings.leaf,
            charge=settings.charge,
            grow_rows=100_000,
        )
        chain[name] = Column(scale=scale, forest=forest, sees=sees)
    progress(Event(step="fit", done=len(order), total=len(order), unit="columns"))
    return chain


def _scale_groups(scale: Scale, codes: np.ndarray) -> np.ndarray:
    """The class (size,) of each code of a scale."""
    if scale.residual is None:
        return _groups(scale.own, codes)
    linked = codes < scale.residual.size
    group = _groups(scale.residual, codes[linked])
    if linked.all():
        return group
    direct = _groups(scale.own, codes[~linked] - scale.residual.size)
    return np.append(group, direct + group.max(initial=-1) + 1)


def _groups(level: Levels, codes: np.ndarray) -> np.ndarray:
    """The class (size,) of each level: neighbours together; rare categories hashed into a few."""
    if not level.ordered:
        rank, half = np.arange(max(level.size, 1)), _GROUPS // 2
        return rank if len(rank) <= _GROUPS else np.where(rank < half, rank, half + rank % half)
    if level.size <= 1.5 * _GROUPS:
        return np.arange(level.size)
    mass = np.bincount(codes, minlength=level.size)[: level.size - level.missing]
    middle = (np.cumsum(mass) - mass / 2) / max(mass.sum(), 1)
    # In few rows a cut must pay for its classes: the fewer there are, the more is found.
    classes = int(np.clip(len(codes) ** 0.5 / 4, 4, _GROUPS)) - 1
    group = np.unique((middle * classes).astype(int), return_inverse=True)[1]
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
