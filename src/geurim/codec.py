"""A table as whole numbers: each column's codes on its scale, and the way back.

    table --learn--> Codec, codes (N, C) --a model of codes--> codes --decode--> table

A column that owes itself to others (geurim.links) is coded by what it leaves open: rows in which
its base is known have codes [0, residual.size), the others the codes of its own scale after those.
A base stands before what rests on it, so columns are decoded in the codec's order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from geurim import levels, links
from geurim.columns import is_number
from geurim.contract import Json
from geurim.levels import Levels
from geurim.links import Base


@dataclass(frozen=True, kw_only=True, eq=False)
class Scale:
    """The codes of one column: on its `own` levels, or on the `residual` of its `base`."""

    own: Levels
    base: Base | None = None
    residual: Levels | None = None

    @property
    def size(self) -> int:
        return self.own.size + (self.residual.size if self.residual is not None else 0)

    def encode(
        self, own: np.ndarray, axes: Mapping[str, np.ndarray], name: str, clocks: frozenset[str]
    ) -> np.ndarray:
        """Codes (N,) from codes on the own scale and all ordered columns' axis values."""
        if self.base is None or self.residual is None:
            return own
        offset = self.base.residual(axes[name], axes, clocks)
        known = ~np.isnan(self.base.of(axes, clocks))
        codes = np.where(own < 0, own, own + self.residual.size)
        codes[known] = self.residual.place_of(offset[known])
        return codes

    def values(
        self,
        codes: np.ndarray,
        axes: Mapping[str, np.ndarray],
        clocks: frozenset[str],
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Axis values (N,) of codes; only for ordered columns."""
        if self.base is None or self.residual is None:
            return self.own.place(codes, rng)
        linked = codes < self.residual.size
        midnight = 2400.0 if self.own.high is not None and self.own.high[-1] == 2400 else 0.0
        offset = self.residual.place(np.where(linked, codes, 0), rng)
        y = self.own.fit(self.base.value(offset, axes, clocks, midnight))
        # A residual without its base, which a model all but rules out, is taken as missing.
        if not linked.all():
            direct = np.flatnonzero(~linked)
            y[direct] = self.own.place(codes[direct] - self.residual.size, rng)
        return y

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        own, parts = self.own.state()
        arrays = {f"own/{k}": v for k, v in parts.items()}
        entry: dict[str, Json] = {"own": own, "base": None, "residual": None}
        if self.base is not None and self.residual is not None:
            entry["base"] = self.base.to_json()
            entry["residual"], parts = self.residual.state()
            arrays |= {f"residual/{k}": v for k, v in parts.items()}
        return entry, arrays

    @classmethod
    def from_state(
        cls, kind: pa.DataType, state: dict[str, Json], arrays: dict[str, np.ndarray]
    ) -> Scale:
        base, residual = state["base"], state["residual"]
        return cls(
            own=Levels.from_state(kind, state["own"], part(arrays, "own/")),
            base=base and Base.from_json(base),
            residual=residual
            and Levels.from_state(pa.float64(), residual, part(arrays, "residual/")),
        )


def link(
    own: Levels,
    name: str,
    codes: np.ndarray,
    axes: Mapping[str, np.ndarray],
    before: list[str],
    clocks: frozenset[str],
    cell_rows: int,
) -> tuple[Scale, np.ndarray]:
    """The scale of a column on the base that `before` may give it, and its codes (N,) on it.

    `codes` are those on its own scale; `axes` the axis values of all ordered columns.
    """
    seen = {n: axes[n] for n in before if n in axes}
    base = links.find(axes[name], name, seen, clocks) if name in axes else None
    if base is None:
        return Scale(own=own), codes
    known = ~np.isnan(base.of(axes, clocks))
    offset = base.residual(axes[name], axes, clocks)
    residual, found = levels.learn(pa.array(offset[known], from_pandas=True), cell_rows)
    linked = codes + residual.size
    linked[known] = found
    return Scale(own=own, base=base, residual=residual), linked


def measure(
    table: pa.Table, cell_rows: int
) -> tuple[dict[str, Levels], dict[str, np.ndarray], dict[str, np.ndarray], frozenset[str]]:
    """Every column on its own scale: levels, codes (N,), axis values of ordered ones, clocks."""
    own, codes, axes = {}, {}, {}
    for name in table.column_names:
        own[name], codes[name] = levels.learn(table[name], cell_rows)
        if own[name].ordered:
            axes[name] = own[name].axis_of(table[name].combine_chunks())
    clocks = frozenset(n for n, a in axes.items() if is_number(table[n].type) and links.is_clock(a))
    return own, codes, axes, clocks


@dataclass(frozen=True, kw_only=True, eq=False)
class Codec:
    """All columns' scales, in the order in which they are decoded: a base before what it bears."""

    scales: Mapping[str, Scale]
    clocks: frozenset[str]

    @property
    def names(self) -> list[str]:
        return list(self.scales)

    @property
    def sizes(self) -> list[int]:
        return [s.size for s in self.scales.values()]

    def encode(self, table: pa.Table) -> np.ndarray:
        """Codes (N, C) int32 of a table that has some or all columns.

        -1: a category never seen, or a column that `table` lacks. A linked column whose base is
        not in `table` has the codes of its own scale, after those of its residual.
        """
        codes = np.full((table.num_rows, len(self.scales)), -1, np.int32)
        axes = {
            n: self.scales[n].own.axis_of(table[n].combine_chunks())
            for n in table.column_names
            if self.scales[n].own.ordered
        }
        absent = np.full(table.num_rows, np.nan)
        known = {n: axes.get(n, absent) for n in self.scales}
        for i, (name, scale) in enumerate(self.scales.items()):
            if name in table.column_names:
                own = scale.own.encode(table[name].combine_chunks())
                codes[:, i] = scale.encode(own, known, name, self.clocks)
        return codes

    def decode(
        self,
        codes: np.ndarray,
        schema: pa.Schema,
        rng: np.random.Generator,
        given: pa.Table | None = None,
    ) -> pa.RecordBatch:
        """A batch of `schema` from codes (N, C); columns that are `given` come back unchanged."""
        known = {} if given is None else {n: given[n].combine_chunks() for n in given.column_names}
        axes: dict[str, np.ndarray] = {}
        made: dict[str, pa.Array] = {}
        for i, (name, scale) in enumerate(self.scales.items()):
            if name in known:
                made[name] = known[name]
                if scale.own.ordered:
                    axes[name] = scale.own.axis_of(known[name])
            elif scale.own.ordered:
                axes[name] = scale.values(codes[:, i], axes, self.clocks, rng)
                made[name] = scale.own.written(axes[name])
            else:
                made[name] = scale.own.category(codes[:, i])
        return pa.RecordBatch.from_arrays([made[n] for n in schema.names], schema=schema)

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        """What a model file holds of it."""
        entries: list[Json] = []
        arrays: dict[str, np.ndarray] = {}
        for i, (name, scale) in enumerate(self.scales.items()):
            entry, parts = scale.state()
            entries.append({"name": name, **entry})
            arrays |= {f"{i}/{k}": v for k, v in parts.items()}
        return {"columns": entries, "clocks": sorted(self.clocks)}, arrays

    @classmethod
    def from_state(
        cls, schema: pa.Schema, state: dict[str, Json], arrays: dict[str, np.ndarray]
    ) -> Codec:
        scales = {
            entry["name"]: Scale.from_state(
                schema.field(entry["name"]).type, entry, part(arrays, f"{i}/")
            )
            for i, entry in enumerate(state["columns"])
        }
        return cls(scales=scales, clocks=frozenset(state["clocks"]))


def learn(table: pa.Table, cell_rows: int = 10) -> tuple[Codec, np.ndarray]:
    """The codec of a table, columns of few levels first, and the table's codes (N, C) int32."""
    own, codes, axes, clocks = measure(table, cell_rows)
    order = sorted(own, key=lambda n: own[n].size)
    scales, coded = {}, np.empty((table.num_rows, len(order)), np.int32)
    for i, name in enumerate(order):
        scales[name], coded[:, i] = link(
            own[name], name, codes[name], axes, order[:i], clocks, cell_rows
        )
    return Codec(scales=scales, clocks=clocks), coded


def part(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """The arrays whose names start with `prefix`, without it."""
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
