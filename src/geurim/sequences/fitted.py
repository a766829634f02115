"""Sequences: many series by entity, or one long series, as a distribution over whole units.

A unit's static columns, its number of events, its start and its span are drawn first, by the
default generator of tables; then event after event, all units of a block at once, by a chain of
trees that looks at the past (geurim.sequences.chain). So a long block costs as many steps as its
longest unit has events. Sources: Reiter 2005 (CART synthesis), carried over to time with lags,
running means and the calendar. Not to be confused with a forecast: nothing is predicted about the
real series, others like them are drawn. No privacy proof goes with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from geurim import levels
from geurim.codec import part
from geurim.contract import Fitted, Generator, Json, Lineage, Profile, Progress, Source, quiet
from geurim.errors import DataError, SettingError
from geurim.generators._settings import saved
from geurim.generators._training import Training
from geurim.generators.anew import Anew
from geurim.generators.trees import FittedTrees, Trees
from geurim.levels import Levels
from geurim.sequences import forests
from geurim.sequences import layout as layouts
from geurim.sequences.chain import Chain, Model
from geurim.sequences.clock import Clock
from geurim.sequences.keys import EventKeys, entity_profile
from geurim.sequences.layout import Layout, Series
from geurim.sequences.lessons import Lessons, prepare
from geurim.sequences.season import find_period
from geurim.sequences.views import Recorded, Running

LENGTH, START, SPAN = "\0length", "\0start", "\0span"
_CELLS = 12_000_000  # values of a block, about


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedSequences(Fitted):
    """A distribution over units: a row is a unit, with its events in a list."""

    schema: pa.Schema
    lineage: Lineage
    profile: Profile
    settings: Sequences
    layout: Layout
    outside: FittedTrees  # static columns, length, start and span
    chain: Chain
    anew: Anew  # of units
    keys: EventKeys  # of events
    form: str  # of times that are text
    units: int  # that it was fitted to
    longest: int
    last: float  # the latest time there is
    name: ClassVar[str] = "sequences"

    @property
    def completes(self) -> bool:  # type: ignore[override]
        return bool(self.layout.static)

    @property
    def block(self) -> int:  # type: ignore[override]
        cells = self.longest * (len(self.layout.inside) + 2)
        return int(np.clip(_CELLS // cells, 1, min(4096, self.units)))

    def condition(self, columns: tuple[str, ...]) -> FittedSequences:
        known = self._known(columns)
        return replace(self, outside=self.outside.condition(known)) if known else self

    def _known(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        if self.layout.events in columns:
            raise SettingError(
                f"The events ({self.layout.events!r}) of a unit cannot be given, only what is "
                f"static: {', '.join(self.layout.static) or 'nothing here'}."
            )
        return tuple(n for n in columns if n in self.outside.schema.names)

    def draw(
        self, rows: int, rng: np.random.Generator, given: pa.Table | None = None
    ) -> pa.RecordBatch:
        known = () if given is None else self._known(tuple(given.column_names))
        inner = given.select(list(known)) if given is not None and known else None
        unit = self.outside.draw(rows, rng, inner)
        columns = dict(zip(unit.schema.names, unit.columns, strict=True))
        lengths, start, end = self._extent(columns)
        order = np.argsort(-lengths, kind="stable")
        static = {n: self._bins(n, columns[n])[order] for n in self._learned_static()}
        view = self.chain.draw(lengths[order], start[order], end[order], static, rng)
        events = self._events(view, order, lengths, rng)
        columns |= self.anew.make(rows, rng, 0, _table(columns, list(static), rows))
        columns[self.layout.events] = events
        if given is not None:
            columns |= {n: given[n].combine_chunks() for n in given.column_names}
        return pa.RecordBatch.from_arrays(
            [columns[f.name].cast(f.type) for f in self.schema], schema=self.schema
        )

    def _learned_static(self) -> list[str]:
        return [n for n in self.outside.schema.names if not n.startswith("\0")]

    def _bins(self, name: str, column: pa.Array) -> np.ndarray:
        own = self.outside.columns[name].own
        return np.asarray(own.bins[np.maximum(own.encode(column), 0)])

    def _extent(self, columns: Mapping[str, pa.Array]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Each unit's number of events, start and end (N,)."""
        lengths = columns[LENGTH].to_numpy(zero_copy_only=False)
        if self.layout.time is None:
            return lengths, np.zeros(len(lengths)), lengths - 1.0
        start = columns[START].to_numpy(zero_copy_only=False)
        span = np.where(lengths > 1, columns[SPAN].to_numpy(zero_copy_only=False), 0.0)
        end = np.minimum(start + np.maximum(span, 0.0), self.last)
        return lengths, start, np.maximum(end, start)

    def _events(
        self, view: Running, order: np.ndarray, lengths: np.ndarray, rng: np.random.Generator
    ) -> pa.Array:
        """The list of events of each unit, in the units' own order."""
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        inside = np.arange(len(view.times)) < lengths[:, None]

        def gather(steps: np.ndarray) -> np.ndarray:
            return np.asarray(steps.T[place][inside])

        struct = self.schema.field(self.layout.events).type.value_type
        starts = np.append(0, np.cumsum(lengths))
        made = self.keys.make(int(starts[-1]), rng)
        own = self.chain.own
        for f in struct:
            if f.name == self.layout.time:
                made[f.name] = layouts.written(gather(view.times), f.type, self.form)
            elif f.name in own and own[f.name].ordered:
                made[f.name] = own[f.name].written(gather(view.raw[f.name]))
            elif f.name in own:
                made[f.name] = own[f.name].category(gather(view.codes[f.name]))
        fields = [made[f.name].cast(f.type) for f in struct]
        values = pa.StructArray.from_arrays(fields, fields=list(struct))
        return pa.ListArray.from_arrays(pa.array(starts, pa.int32()), values)

    def number(self, batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        """Keys of entities go on from `first_row`; those of events likewise, with gaps."""
        made = self.anew.keys(batch.num_rows, first_row)
        events = self.layout.events
        place = batch.schema.get_field_index(events)
        made[events] = self.keys.number(batch.column(place), first_row, self.longest)
        for name, column in made.items():
            place = batch.schema.get_field_index(name)
            batch = batch.set_column(
                place, batch.schema.field(place), column.cast(batch.schema.field(place).type)
            )
        return batch

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        parts = {
            "outside": self.outside.state(),
            "chain": self.chain.state(),
            "anew": self.anew.to_state(),
            "keys": self.keys.state(),
        }
        arrays = {f"{p}/{k}": v for p, (_, found) in parts.items() for k, v in found.items()}
        state: dict[str, Json] = {p: s for p, (s, _) in parts.items()}
        kinds = [[f.name, str(f.type)] for f in self.outside.schema if f.name.startswith("\0")]
        return state | {
            "settings": saved(self.settings),
            "pseudo": kinds,
            "form": self.form,
            "units": self.units,
            "longest": self.longest,
            "last": self.last,
        }, arrays

    @classmethod
    def from_state(
        cls,
        profile: Profile,
        schema: pa.Schema,
        lineage: Lineage,
        state: dict[str, Json],
        arrays: dict[str, np.ndarray],
    ) -> FittedSequences:
        layout = Layout.of(schema)
        assert layout is not None
        struct = schema.field(layout.events).type.value_type
        pseudo = [pa.field(n, pa.type_for_alias(k)) for n, k in state["pseudo"]]
        learned = [c["name"] for c in state["outside"]["columns"]]
        fields = {f.name: f for f in [*schema, *pseudo]}
        outside = FittedTrees.from_state(
            profile,
            pa.schema([fields[n] for n in fields if n in learned]),
            lineage,
            state["outside"],
            part(arrays, "outside/"),
        )
        return cls(
            schema=schema,
            lineage=lineage,
            profile=profile,
            settings=_settings(state["settings"]),
            layout=layout,
            outside=outside,
            chain=Chain.from_state(
                {f.name: f.type for f in struct}, state["chain"], part(arrays, "chain/")
            ),
            anew=Anew.from_state(state["anew"], part(arrays, "anew/")),
            keys=EventKeys.from_state(state["keys"], part(arrays, "keys/")),
            form=state["form"],
            units=state["units"],
            longest=state["longest"],
            last=state["last"],
        )


@dataclass(frozen=True, kw_only=True)
class Sequences(Generator):
    """Series by entity or one long series: static attributes, then event after event, by trees.

    entity: the column that says whose a row is; None: all rows are one series. time: the column of
    dates, times or numbers that orders them; None: their order does. static: columns of the
    entity; None: those that never change within one. trees, leaf, charge, predictors, cell_rows:
    as of `Trees`. max_events: events learned from; of more, whole units are taken by lot.
    """

    entity: str | None = None
    time: str | None = None
    static: tuple[str, ...] | None = None
    trees: int = 10
    leaf: int = 5
    charge: float = 1.15
    predictors: int = 32
    cell_rows: int = 10
    max_events: int = 400_000
    name: ClassVar[str] = "sequences"
    fitted: ClassVar[type[Fitted]] = FittedSequences
    whole: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for setting in ("trees", "leaf", "predictors", "cell_rows", "max_events"):
            value = getattr(self, setting)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise SettingError(
                    f"Sequences: {setting} is {value!r}. Give a whole number from 1."
                )
        if not self.charge >= 0:
            raise SettingError(f"Sequences: charge is {self.charge!r}. Give a number from 0.")

    def fit(
        self,
        source: Source | None,
        profile: Profile,
        rng: np.random.Generator,
        progress: Progress = quiet,
    ) -> FittedSequences:
        if source is None:
            raise DataError(
                "Sequences learn from series and were given a profile alone. Give the data."
            )
        series = layouts.read_series(source, self.entity, self.time, self.static)
        return fit_series(self, series, source.lineage, rng, progress)

    def learn(
        self,
        known: Lessons,
        starts: np.ndarray,
        rng: np.random.Generator,
        progress: Progress,
        key: str,
    ) -> Model:
        """What tells the columns of an event. `starts` (units + 1,): where each series starts;
        `key`: tells this fit from others."""
        return forests.learn(known, self, rng, progress)


def _settings(state: dict[str, Json]) -> Sequences:
    static = state["static"]
    state = {**state, "static": static and tuple(static)}
    if "training" not in state:
        return Sequences(**state)
    from geurim.sequences.recurrent import Recurrent

    return Recurrent(**{**state, "training": Training(**state["training"])})


def fit_series(
    settings: Sequences,
    series: Series,
    parent: Lineage,
    rng: np.random.Generator,
    progress: Progress = quiet,
) -> FittedSequences:
    """The model of series that are in memory."""
    series = _thinned(series, settings.max_events, rng)
    layout = series.layout
    time_field = None if layout.time is None else series.flat.field(layout.time)
    texts = time_field is not None and pa.types.is_large_string(time_field.type)
    texts = texts or (time_field is not None and pa.types.is_string(time_field.type))
    form = layouts.time_form(series.events[layout.time]) if texts else ""
    kind = pa.timestamp("us") if form else time_field and time_field.type
    clock = Clock.learn(series.time, series.starts, kind)
    profiles = entity_profile(series, parent)
    outside = _fit_outside(settings, series, profiles.learned, parent, rng)
    own, codes, axes = _measure(series, clock, profiles.events, settings.cell_rows)
    static = [n for n in outside.schema.names if not n.startswith("\0")]
    bins = {n: outside.columns[n].own for n in static}
    coded = {
        n: own_.bins[np.maximum(own_.encode(series.units[n].combine_chunks()), 0)]
        for n, own_ in bins.items()
    }
    view = Recorded(own, codes, axes, series.starts, series.time, coded)
    period = find_period(series, axes, clock)
    lineage = Lineage.made(repr(settings), parents=(parent,))
    lessons = prepare(own, view, clock, static, period, settings.cell_rows)
    chain = Chain(
        clock=clock,
        links=lessons.links,
        features=lessons.features,
        period=period,
        model=settings.learn(lessons, series.starts, rng, progress, lineage.digest),
    )
    return FittedSequences(
        schema=layout.units(series.flat),
        lineage=lineage,
        profile=profiles.units,
        settings=settings,
        layout=layout,
        outside=outside,
        chain=chain,
        anew=profiles.anew(rng),
        keys=profiles.event_keys(rng),
        form=form,
        units=len(series.lengths),
        longest=int(series.lengths.max()),
        last=0.0 if series.time is None else float(series.time.max()),
    )


def _table(columns: Mapping[str, pa.Array], names: list[str], rows: int) -> pa.Table:
    """Some columns as a table, which may be none."""
    return pa.table({n: columns[n] for n in names}) if names else pa.table({"": pa.nulls(rows)})


def _thinned(series: Series, most: int, rng: np.random.Generator) -> Series:
    """Whole units by lot, as many as have about `most` events; one at least."""
    if int(series.starts[-1]) <= most or len(series.lengths) == 1:
        return series
    order = rng.permutation(len(series.lengths))
    count = int(np.searchsorted(np.cumsum(series.lengths[order]), most)) or 1
    return series.of_units(np.sort(order[:count]))


def _fit_outside(
    settings: Sequences,
    series: Series,
    learned: list[str],
    parent: Lineage,
    rng: np.random.Generator,
) -> FittedTrees:
    """Static columns with each unit's length, start and span, as a table of units."""
    columns: dict[str, Any] = {n: series.units[n] for n in learned}
    columns[LENGTH] = pa.array(series.lengths)
    if series.time is not None:
        first, last = series.time[series.starts[:-1]], series.time[series.starts[1:] - 1]
        columns[START] = pa.array(first)
        columns[SPAN] = pa.array(last - first)
    table = pa.table(columns)
    source = Source(schema=table.schema, lineage=parent, read=table.to_batches, rows=table.num_rows)
    trees = Trees(cell_rows=settings.cell_rows, leaf=settings.leaf, trees=settings.trees)
    blank = Profile(schema=table.schema, lineage=parent, rows=table.num_rows, columns={})
    return trees.fit(source, blank, rng)


def _measure(
    series: Series, clock: Clock, names: list[str], cell_rows: int
) -> tuple[dict[str, Levels], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The scales of all columns of an event, the clock's included, their codes and axis values."""
    own: dict[str, Levels] = {}
    codes: dict[str, np.ndarray] = {}
    axes: dict[str, np.ndarray] = {}
    if series.time is not None:
        for name, axis in clock.parts(series.time, series.starts).items():
            column = pa.array(axis, from_pandas=True)
            own[name], codes[name] = levels.learn(column, cell_rows)
            axes[name] = axis
    for name in names:
        column = series.events[name].combine_chunks()
        own[name], codes[name] = levels.learn(column, cell_rows)
        if own[name].ordered:
            axes[name] = own[name].axis_of(column)
    return own, codes, axes
