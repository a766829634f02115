"""What is made anew in series: the entities' keys and personal data, and the keys of events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.contract import Json, Lineage, Profile, Source
from geurim.errors import DataError
from geurim.generators import LEARNED
from geurim.generators.anew import Anew
from geurim.sequences.layout import Series

_PATTERNS = 20


@dataclass(frozen=True, kw_only=True, eq=False)
class EventKeys:
    """Columns of events that are made anew."""

    anew: Anew

    def make(self, rows: int, rng: np.random.Generator) -> dict[str, pa.Array]:
        return dict(self.anew.make(rows, rng, 0))

    def number(self, lists: pa.Array, first_unit: int, longest: int) -> pa.Array:
        """The lists with keys that follow from the unit's number and the place in it.

        A unit has room for `longest` keys, so that no block need know how long others are.
        """
        keyed = [
            n for n, f in self.anew.facts.items() if f["role"] == "key" and f["form"] != "uuid"
        ]
        if not keyed:
            return lists
        values = lists.flatten()
        owner = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False).astype(np.int64)
        first = lists.offsets.to_numpy()[:-1].astype(np.int64)
        place = np.arange(len(values)) - (first - first[0])[owner] if len(values) else owner
        made = self.anew.numbered((first_unit + owner) * longest + place)
        columns = [
            made.get(f.name, c).cast(f.type)
            for f, c in zip(values.type, values.flatten(), strict=True)
        ]
        struct = pa.StructArray.from_arrays(columns, fields=list(values.type))
        offsets = pa.array(lists.offsets.to_numpy() - first[0] if len(first) else [0], pa.int32())
        return pa.ListArray.from_arrays(offsets, struct)

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        return self.anew.to_state()

    @classmethod
    def from_state(cls, state: dict[str, Json], arrays: dict[str, np.ndarray]) -> EventKeys:
        return cls(anew=Anew.from_state(state, arrays))


@dataclass(frozen=True, kw_only=True, eq=False)
class Profiles:
    """What analysis says of units and of events, and so what is learned of each."""

    units: Profile
    inside: Profile
    learned: list[str]
    events: list[str]
    unit_source: Source
    event_source: Source

    def anew(self, rng: np.random.Generator) -> Anew:
        return Anew.plan(self.units, self.unit_source, rng)

    def event_keys(self, rng: np.random.Generator) -> EventKeys:
        return EventKeys(anew=Anew.plan(self.inside, self.event_source, rng))


def entity_profile(series: Series, lineage: Lineage) -> Profiles:
    """Analyze units and events apart; the entity is a key whatever it looks like."""
    from geurim.analyze import analyze

    layout = series.layout
    inside = series.events.select([n for n in layout.inside if n != layout.time])
    unit_source, event_source = _source(series.units, lineage), _source(inside, lineage)
    units, events = (
        analyze(s)
        if s.schema.names
        else Profile(schema=s.schema, lineage=lineage, rows=0, columns={})
        for s in (unit_source, event_source)
    )
    columns: dict[str, Mapping[str, Json]] = dict(units.columns)
    if layout.entity is not None:
        columns[layout.entity] = _as_key(columns[layout.entity], series.units[layout.entity])
    units = Profile(schema=units.schema, lineage=lineage, rows=len(series.lengths), columns=columns)
    return Profiles(
        units=units,
        inside=events,
        learned=[n for n in layout.static if columns[n]["role"] in LEARNED],
        events=[n for n in inside.column_names if events.columns[n]["role"] in LEARNED],
        unit_source=unit_source,
        event_source=event_source,
    )


def _as_key(found: Mapping[str, Json], column: pa.ChunkedArray) -> Mapping[str, Json]:
    """The facts of an entity's column, as those of a key."""
    if found["role"] in ("key", "personal"):
        return found
    kind = column.type
    key: dict[str, Any] = {**found, "role": "key", "missing": 0.0, "why": "Names the series."}
    if pa.types.is_integer(kind):
        return key | {"form": "integer", "start": pc.min(column).as_py(), "step": 1}
    while pa.types.is_dictionary(kind):
        kind = kind.value_type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise DataError(
            f"The entity's column is of type {column.type}, which makes no keys. "
            "Turn it into whole numbers or text."
        )
    plain = column.cast(pa.string()).to_pylist()
    counted = Counter(_pattern(v) for v in plain).most_common(_PATTERNS)
    return key | {"form": "pattern", "patterns": [[p, float(c)] for p, c in counted], "prefix": ""}


def _pattern(text: str) -> str:
    """Digits as 9, capital letters as A, small ones as a; other characters stay."""
    return "".join(
        "9"
        if c.isdigit()
        else "가"
        if "가" <= c <= "힣"
        else "A"
        if c.isupper()
        else "a"
        if c.isalpha()
        else c
        for c in text
    )


def _source(table: pa.Table, lineage: Lineage) -> Source:
    return Source(schema=table.schema, lineage=lineage, read=table.to_batches, rows=table.num_rows)
