"""Series as a flat table, and as one row a unit: static attributes beside a list of events.

    flat rows --nest--> units: entity, static columns, list<struct> of events --flatten--> rows

The schema of units says in its metadata how to write them flat again, so that `flatten` needs
nothing else. A unit is what is split, drawn, verified and protected as one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim import dates
from geurim.columns import from_axis, is_ordered, to_axis
from geurim.contract import Source
from geurim.errors import DataError, SettingError

NOTE = b"geurim.sequences"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Which column is what. `names`: the flat table's columns in order; `events`: the list's name.

    `entity` None: all rows are one series. `time` None: the order of the rows is the order.
    """

    entity: str | None
    time: str | None
    static: tuple[str, ...]
    names: tuple[str, ...]
    events: str = "events"

    @property
    def inside(self) -> tuple[str, ...]:
        """The columns of an event, the time among them."""
        return tuple(n for n in self.names if n != self.entity and n not in self.static)

    def units(self, flat: pa.Schema) -> pa.Schema:
        """The schema of units, one row each."""
        outside = [flat.field(n) for n in self.names if n not in self.inside]
        event = pa.struct([flat.field(n) for n in self.inside])
        note = {NOTE: json.dumps(self.__dict__).encode()}
        return pa.schema([*outside, pa.field(self.events, pa.list_(event))], note)

    @classmethod
    def of(cls, schema: pa.Schema) -> Layout | None:
        """The layout that a schema of units carries; None where it carries none."""
        note = (schema.metadata or {}).get(NOTE)
        if note is None:
            return None
        state = json.loads(note)
        return cls(**{**state, "static": tuple(state["static"]), "names": tuple(state["names"])})


@dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """Units in memory.

    `units`: entity and static columns, a row each. `events`: the columns of all events, unit after
    unit, in time. `starts` (units + 1,): where each unit's events begin. `time` (events,): their
    times on the axis; None without a time column.
    """

    layout: Layout
    flat: pa.Schema
    units: pa.Table
    events: pa.Table
    starts: np.ndarray
    time: np.ndarray | None

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.starts)

    @property
    def owner(self) -> np.ndarray:
        """The unit (events,) of each event."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    def of_units(self, chosen: np.ndarray) -> Series:
        """Only some units, by their numbers."""
        lengths = self.lengths[chosen]
        starts = np.append(0, np.cumsum(lengths))
        first = np.repeat(self.starts[:-1][chosen] - starts[:-1], lengths)
        rows = pa.array(np.arange(starts[-1]) + first)
        return replace(
            self,
            units=self.units.take(pa.array(chosen)),
            events=self.events.take(rows),
            starts=starts,
            time=None if self.time is None else self.time[rows.to_numpy()],
        )

    def nested(self) -> pa.Table:
        """One row a unit."""
        schema = self.layout.units(self.flat)
        struct = schema.field(self.layout.events).type.value_type
        fields = [self.events[f.name].combine_chunks() for f in struct]
        events = pa.StructArray.from_arrays(fields, fields=list(struct))
        lists = pa.ListArray.from_arrays(pa.array(self.starts, pa.int32()), events)
        columns = [self.units[n].combine_chunks() for n in schema.names[:-1]]
        return pa.Table.from_arrays([*columns, lists.cast(schema.types[-1])], schema=schema)

    def rows(self) -> pa.Table:
        """The flat rows, unit after unit, in time."""
        owner = pa.array(self.owner)
        made = {n: self.units[n].take(owner) for n in self.units.column_names}
        made |= {n: self.events[n] for n in self.events.column_names}
        return pa.Table.from_arrays([made[n] for n in self.flat.names], schema=self.flat)


def read_series(
    source: Source, entity: str | None, time: str | None, static: tuple[str, ...] | None = None
) -> Series:
    """The series of flat rows, or of units that `nest` made.

    `static`: columns that belong to the entity; None: those that never change within one.
    Raises SettingError for a column that is not there, DataError for missing entities or times.
    """
    if Layout.of(source.schema) is not None:
        return _from_units(source.to_arrow())
    for what, name in [("entity", entity), ("time", time), *(("static", n) for n in static or ())]:
        if name is not None and name not in source.schema.names:
            raise SettingError(
                f"There is no column {name!r} to be the {what}. Choose one of: "
                f"{', '.join(map(repr, source.schema.names))}."
            )
    if entity is not None and entity == time:
        raise SettingError(f"{entity!r} is named as the entity and as the time. Name two columns.")
    table = source.to_arrow()
    if not table.num_rows:
        raise DataError(f"There are no rows in {source.lineage.maker}. Give at least one.")
    return _from_flat(table, entity, time, static)


def nest(
    source: Source, entity: str | None, time: str | None, static: tuple[str, ...] | None = None
) -> Source:
    """Flat rows as units, one row each: see `read_series` for the arguments and errors."""
    table = read_series(source, entity, time, static).nested()
    return Source(
        schema=table.schema, lineage=source.lineage, rows=table.num_rows, read=table.to_batches
    )


def flatten(source: Source) -> Source:
    """Units as flat rows, in the real table's own columns and order; streamed."""
    layout = Layout.of(source.schema)
    if layout is None:
        raise SettingError(
            "These rows are no units of series, so there is nothing to flatten. Give what a model "
            "of Sequences draws, or what `nest` returns."
        )
    struct = source.schema.field(layout.events).type.value_type
    fields = {f.name: f for f in [*source.schema, *struct]}
    schema = pa.schema([fields[n] for n in layout.names])

    def read() -> Iterator[pa.RecordBatch]:
        for batch in source.read():
            yield _flat_batch(batch, layout, schema)

    return Source(schema=schema, lineage=source.lineage, read=read)


def _flat_batch(batch: pa.RecordBatch, layout: Layout, schema: pa.Schema) -> pa.RecordBatch:
    lists = batch.column(batch.schema.get_field_index(layout.events))
    owner, events = pc.list_parent_indices(lists), lists.flatten()
    made = dict(zip(layout.inside, events.flatten(), strict=True))
    for name in set(layout.names) - set(layout.inside):
        made[name] = batch.column(batch.schema.get_field_index(name)).take(owner)
    return pa.RecordBatch.from_arrays([made[n] for n in schema.names], schema=schema)


def _from_units(table: pa.Table) -> Series:
    layout = Layout.of(table.schema)
    assert layout is not None
    lists = table[layout.events].combine_chunks()
    if lists.null_count:
        raise DataError(
            f"{lists.null_count} units have no list of events (null). Remove them, or give them "
            "an empty list."
        )
    lengths = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
    full = np.flatnonzero(lengths > 0)  # a unit without events cannot be told from none, flat
    struct = table.schema.field(layout.events).type.value_type
    events = pa.Table.from_arrays(lists.flatten().flatten(), schema=pa.schema(list(struct)))
    fields = {f.name: f for f in [*table.schema, *struct]}
    flat = pa.schema([fields[n] for n in layout.names])
    return Series(
        layout=layout,
        flat=flat,
        units=table.drop_columns([layout.events]).take(pa.array(full)),
        events=events,
        starts=np.append(0, np.cumsum(lengths[full])),
        time=None if layout.time is None else _time_axis(events[layout.time], layout.time),
    )


def _from_flat(
    table: pa.Table, entity: str | None, time: str | None, static: tuple[str, ...] | None
) -> Series:
    axis = None if time is None else _time_axis(table[time], time)
    owner = np.zeros(table.num_rows, np.int64) if entity is None else _owners(table[entity], entity)
    order = np.lexsort((owner,) if axis is None else (axis, owner))
    table, owner = table.take(pa.array(order)), owner[order]
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    if entity is not None and len(first) == len(owner) > 1:
        raise DataError(
            f"Every value of {entity!r} has one row only ({len(first):,} rows): there are no "
            "series to learn. Name the column that repeats, or leave the entity out."
        )
    found = _static(table, owner, {entity, time}) if static is None else static
    if static is not None:
        _check_static(table, owner, static)
    events = "events"
    while events in table.column_names:
        events += "_"
    layout = Layout(
        entity=entity, time=time, static=found, names=tuple(table.column_names), events=events
    )
    outside = [n for n in table.column_names if n not in layout.inside]
    return Series(
        layout=layout,
        flat=table.schema,
        units=table.select(outside).take(pa.array(first)),
        events=table.select(list(layout.inside)),
        starts=np.append(first, len(owner)),
        time=None if axis is None else axis[order],
    )


def _owners(column: pa.ChunkedArray, name: str) -> np.ndarray:
    """The number of each row's entity (N,), in the order in which entities appear."""
    if column.null_count:
        raise DataError(
            f"{column.null_count:,} of {len(column):,} rows have no {name!r}, so nobody knows "
            "whose they are. Remove them, or give them an entity of their own."
        )
    coded = column.combine_chunks()
    if not pa.types.is_dictionary(coded.type):
        coded = coded.dictionary_encode()
    return np.asarray(coded.indices.to_numpy(zero_copy_only=False), np.int64)


def _static(table: pa.Table, owner: np.ndarray, besides: set[str | None]) -> tuple[str, ...]:
    """The columns that never change within an entity, where one of the entities has two rows."""
    names = [n for n in table.column_names if n not in besides]
    return tuple(n for n in names if not _changes(table[n], owner).any())


def _check_static(table: pa.Table, owner: np.ndarray, static: tuple[str, ...]) -> None:
    for name in static:
        changed = _changes(table[name], owner)
        if changed.any():
            raise DataError(
                f"{name!r} is said to be static, but changes within {int(changed.sum()):,} of "
                f"{int(owner[-1]) + 1:,} entities. Leave it out of `static`, or make it constant."
            )


def _changes(column: pa.ChunkedArray, owner: np.ndarray) -> np.ndarray:
    """Whether each entity's values differ (entities,); missing is a value."""
    coded = column.combine_chunks()
    if not pa.types.is_dictionary(coded.type):
        coded = coded.dictionary_encode()
    codes = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
    other = (codes[1:] != codes[:-1]) & (owner[1:] == owner[:-1])
    return np.bincount(owner[1:][other], minlength=int(owner[-1]) + 1) > 0


# ---- times


def time_form(column: pa.ChunkedArray | pa.Array) -> str:
    """The form in which strings are times, as `strptime` writes it; "" where there is none."""
    values = (column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column).cast(
        pa.string()
    )
    values = values.drop_null()
    for form in dates.FORMATS if len(values) else ():
        few = values.slice(0, 50)
        if dates.fits(few, form) and dates.fits(values, form):
            return form
    return ""


def _time_axis(column: pa.ChunkedArray, name: str) -> np.ndarray:
    """Times on the axis (N,). Raises DataError where some are missing, or are no times."""
    if column.null_count:
        raise DataError(
            f"{column.null_count:,} of {len(column):,} rows have no time in {name!r}. Fill them "
            "in or remove them; or leave the time out: then the rows' order counts."
        )
    if is_ordered(column.type):
        return to_axis(column)
    form = time_form(column) if pa.types.is_string(column.type) else ""
    if pa.types.is_large_string(column.type):
        form = time_form(column)
    if not form:
        raise DataError(
            f"The time column {name!r} ({column.type}) holds no times, such as "
            f"{column[0].as_py()!r}. Name a column of dates, times or numbers; or leave the time "
            "out: then the rows' order counts."
        )
    return to_axis(parsed(column, form))


def parsed(column: pa.ChunkedArray | pa.Array, form: str) -> pa.Array:
    """Strings of a form as times in microseconds; a zone is brought to UTC."""
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    kind = pa.timestamp("us", "UTC" if dates.zoned(form) else None)
    return dates.parse(values.cast(pa.string()), form, kind).cast(pa.timestamp("us"))


def written(axis: np.ndarray, kind: pa.DataType, form: str) -> pa.Array:
    """Times on the axis as a column of type `kind`, strings in their form."""
    if not form:
        return from_axis(axis, kind)
    unit = "us" if (axis % 1e6 != 0).any() else "s"
    return dates.render(from_axis(axis, pa.timestamp(unit)), form).cast(kind)


def split_units(series: Series, share: float, rng: np.random.Generator) -> tuple[Series, Any]:
    """Units to learn from and units held out by lot; None where there are fewer than 2 units."""
    count = len(series.lengths)
    wanted = min(max(round(share * count), 1), count - 1) if share else 0
    if wanted < 1:
        return series, None
    out = np.zeros(count, bool)
    out[rng.choice(count, wanted, replace=False)] = True
    return series.of_units(np.flatnonzero(~out)), series.of_units(np.flatnonzero(out))
