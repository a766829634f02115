"""One table that was made: its columns in pieces, put together where they are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.relations.keys import ForeignKey
from geurim.relations.model import Kind, TableModel
from geurim.relations.plan import Link
from geurim.relations.rows import DANGLING, taken, whole

BLOCK = 65_536


@dataclass(eq=False)
class Made:
    """A made table: drawn columns by inner name, and the parents' row of each row.

    It is filled step by step while a database is made, and read-only after that.
    """

    model: TableModel
    links: tuple[Link, ...]
    all: Mapping[str, Made]  # every table made so far, by name
    rows: int = 0
    frame: pa.Table | None = None
    index: dict[ForeignKey, np.ndarray] = field(default_factory=dict)
    lost: dict[ForeignKey, pa.Table] = field(default_factory=dict)  # values of dangling rows
    place: dict[ForeignKey, np.ndarray] = field(default_factory=dict)  # … and each row's one
    fixed: dict[str, pa.Array] = field(default_factory=dict)  # columns that were set afterwards
    prototype: np.ndarray | None = None
    _whole: dict[str, pa.Array] = field(default_factory=dict)

    def column(self, name: str) -> pa.Array:
        """A column by its inner name, such as "c:city"."""
        if self.model.kept is not None:
            return self.model.frame[name]
        if name[:2] == "c:" and name[2:] in self.fixed:
            return self.fixed[name[2:]]
        if name not in self._whole:
            assert self.frame is not None
            self._whole[name] = whole(self.frame[name])
        return self._whole[name]

    def kinds(self, kind: Kind) -> np.ndarray:
        """The kind (rows,) str of each row."""
        if self.model.kept is None and not kind.cuts and self.prototype is not None:
            return self.prototype.astype(str)
        return kind.of({n: self.column(n) for n in kind.cuts}, self.rows)

    def weight(self, child: str, key: ForeignKey) -> np.ndarray:
        """How many rows of `child` name each row, as drawn (rows,); ones where nobody knows."""
        name = f"n:{child}\x1f{key.text}"
        try:
            found = self.column(name).to_numpy(zero_copy_only=False)
        except KeyError:
            return np.ones(self.rows)
        return np.asarray(np.maximum(np.nan_to_num(found.astype(float)), 0.0))

    def value(self, name: str) -> pa.Array:
        """A column of the table, whole; kept, because others take their keys from it."""
        key = f"\0{name}"
        if key not in self._whole:
            self._whole[key] = self.part(name, 0, self.rows)
        return self._whole[key]

    def part(self, name: str, start: int, count: int) -> pa.Array:
        """Rows of a column, from `start` on."""
        field_ = self.model.schema.field(name)
        if self.model.kept is not None:
            return whole(self.model.kept[name].slice(start, count))
        if name in self.fixed:
            return self.fixed[name].slice(start, count)
        found: pa.Array | None = None
        for link in self.links:
            if name in link.key.columns and link.key in self.index:
                other = self._joined(link.key, name, start, count, field_.type)
                found = other if found is None else pc.coalesce(found, other)
        if found is not None:
            return found
        assert self.frame is not None
        for inner in (f"c:{name}", f"a:{name}"):
            if inner in self.frame.column_names:
                return whole(self.frame[inner].slice(start, count)).cast(field_.type)
        return pa.nulls(count, field_.type)

    def _joined(
        self, key: ForeignKey, name: str, start: int, count: int, kind: pa.DataType
    ) -> pa.Array:
        """The parent's values that rows take by a reference."""
        rows = self.index[key][start : start + count]
        there = key.references[key.columns.index(name)]
        found = taken(self.all[key.table].value(there), rows).cast(kind)
        gone = rows == DANGLING
        if gone.any() and key in self.lost:
            places = np.where(gone, self.place[key][start : start + count], -1)
            found = pc.if_else(
                pa.array(gone), taken(self.lost[key][there], places).cast(kind), found
            )
        return whole(found)

    def without(self, rows: np.ndarray) -> None:
        """Take rows (mask) out; only while nobody names them."""
        keep = ~rows
        mask = pa.array(keep)
        assert self.frame is not None
        self.frame = self.frame.filter(mask)
        self.index = {k: v[keep] for k, v in self.index.items()}
        self.place = {k: v[keep] for k, v in self.place.items()}
        self.fixed = {k: v.filter(mask) for k, v in self.fixed.items()}
        if self.prototype is not None:
            self.prototype = self.prototype[keep]
        self.rows = int(keep.sum())
        self.forget()

    def forget(self) -> None:
        """Drop what was put together: something of it has changed."""
        self._whole.clear()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All columns in their order."""
        for start in range(0, self.rows, BLOCK):
            count = min(BLOCK, self.rows - start)
            columns = [self.part(f.name, start, count) for f in self.model.schema]
            yield pa.RecordBatch.from_arrays(
                [c.cast(f.type) for c, f in zip(columns, self.model.schema, strict=True)],
                schema=self.model.schema,
            )
