"""A whole table: a learned distribution, joined with the columns that are made anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pyarrow as pa

from geurim.codec import part
from geurim.contract import Fitted, Json, Lineage, Profile
from geurim.generators.anew import Anew


@dataclass(frozen=True, kw_only=True, eq=False)
class Table(Fitted):
    """What `geurim.fit` returns: every column of the real table, in its order."""

    schema: pa.Schema
    lineage: Lineage
    profile: Profile
    learned: Fitted
    anew: Anew
    name: ClassVar[str] = "table"

    @property
    def completes(self) -> bool:  # type: ignore[override]
        return self.learned.completes

    @property
    def block(self) -> int:  # type: ignore[override]
        return self.learned.block

    def draw(
        self, rows: int, rng: np.random.Generator, given: pa.Table | None = None
    ) -> pa.RecordBatch:
        inner = None
        if given is not None:
            known = [n for n in given.column_names if n in self.learned.schema.names]
            inner = given.select(known) if known else None
        batch = self.learned.draw(rows, rng, inner)
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        columns |= self.anew.make(rows, rng, 0, pa.Table.from_batches([batch]))
        if given is not None:
            columns |= {n: given[n].combine_chunks() for n in given.column_names}
        return pa.RecordBatch.from_arrays(
            [columns[f.name].cast(f.type) for f in self.schema], schema=self.schema
        )

    @property
    def unique(self) -> tuple[tuple[str, ...], ...]:
        return self.learned.unique

    def breaks(
        self, batch: pa.RecordBatch, given: frozenset[str] = frozenset()
    ) -> Mapping[str, np.ndarray]:
        return self.learned.breaks(batch.select(self.learned.schema.names), given)

    def number(self, batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        """Fill in what depends on a row's place in the whole run: keys go on from `first_row`."""
        part = batch.select(self.learned.schema.names)
        numbered = self.learned.number(part, first_row)
        for name in part.schema.names if numbered is not part else ():
            place = batch.schema.get_field_index(name)
            batch = batch.set_column(place, batch.schema.field(place), numbered[name])
        for name, keys in self.anew.keys(batch.num_rows, first_row).items():
            place = batch.schema.get_field_index(name)
            field = batch.schema.field(place)
            batch = batch.set_column(place, field, keys.cast(field.type))
        return batch

    def condition(self, columns: tuple[str, ...]) -> Table:
        known = tuple(n for n in columns if n in self.learned.schema.names)
        return replace(self, learned=self.learned.condition(known))

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        learned, learned_arrays = self.learned.state()
        anew, anew_arrays = self.anew.to_state()
        arrays = {f"learned/{k}": v for k, v in learned_arrays.items()}
        arrays |= {f"anew/{k}": v for k, v in anew_arrays.items()}
        inner = {
            "name": self.learned.name,
            "columns": self.learned.schema.names,
            "lineage": self.learned.lineage.to_json(),
            "state": learned,
        }
        return {"learned": inner, "anew": anew}, arrays

    @classmethod
    def from_state(
        cls,
        profile: Profile,
        schema: pa.Schema,
        lineage: Lineage,
        state: dict[str, Json],
        arrays: dict[str, np.ndarray],
    ) -> Table:
        from geurim.generators import fitted_class

        inner = state["learned"]
        learned = fitted_class(inner["name"]).from_state(
            profile,
            pa.schema([schema.field(n) for n in inner["columns"]]),
            Lineage.from_json(inner["lineage"]),
            inner["state"],
            part(arrays, "learned/"),
        )
        anew = Anew.from_state(state["anew"], part(arrays, "anew/"))
        return cls(schema=schema, lineage=lineage, profile=profile, learned=learned, anew=anew)
