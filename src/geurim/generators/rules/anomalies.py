"""Rows that are spoilt on purpose, and labelled.

    anomalies:
      - {name: typo, share: 0.01, where: amount > 100, set: {amount: amount * 100}}

They change what is written, not what other columns were made of. The label is the name in the
column `anomaly` (or the one that `label` names), missing in all other rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.generators.rules.columns import read_kind
from geurim.generators.rules.formulas import Formula, Value, needs, numbers
from geurim.generators.rules.kinds import Kind, decoded
from geurim.generators.rules.options import ANOMALY
from geurim.generators.rules.rows import Rows
from geurim.generators.rules.streams import Streams
from geurim.nodes import Node

if TYPE_CHECKING:
    from geurim.generators.rules.scope import Scope


@dataclass(frozen=True)
class Anomaly:
    """One kind of spoilt row."""

    name: str
    share: Value
    where: Formula | None
    sets: tuple[tuple[str, Kind], ...]
    label: str

    @property
    def needs(self) -> frozenset[str]:
        return needs((self.share, self.where)).union(*(k.needs for _, k in self.sets))

    @classmethod
    def read(cls, node: Node, names: Scope) -> Anomaly:
        node.mapping(ANOMALY)
        where, label = node.get("where"), node.get("label")
        return cls(
            node.need("name").text(),
            names.number(node.need("share"), 0, 1),
            None if where is None else names.condition(where),
            read_sets(node, names),
            "anomaly" if label is None else label.text(),
        )

    def which(self, rows: Rows, streams: Streams) -> np.ndarray:
        """The numbers of the rows that are spoilt."""
        hit = streams().random(rows.count) < numbers(self.share, rows)
        if self.where is not None:
            hit &= self.where.mask(rows)
        return np.flatnonzero(hit)


def read_sets(node: Node, names: Scope) -> tuple[tuple[str, Kind], ...]:
    """Columns of the table and how they are to come about instead: `set: {amount: amount * 10}`."""
    found = []
    for column, at in node.need("set").items():
        if column not in names.sheet.own(names.name):
            known = ", ".join(names.sheet.own(names.name))
            raise at.error(f"{column!r} is not a column of this table. Set one of: {known}.")
        found.append((column, read_kind(at, names)))
    return tuple(found)


def spoilt(
    written: dict[str, pa.Array], anomalies: tuple[Anomaly, ...], rows: Rows, streams: Streams
) -> dict[str, pa.Array]:
    """The columns with anomalies put in, and their labels; where two meet, the later one stays."""
    for label in dict.fromkeys(a.label for a in anomalies):
        written[label] = pa.nulls(rows.count, pa.string())
    for i, anomaly in enumerate(anomalies):
        index = anomaly.which(rows, streams.at(i))
        hit = np.zeros(rows.count, bool)
        hit[index] = True
        mask, part = pa.array(hit), rows.part(index)
        for column, kind in anomaly.sets:
            made = decoded(kind.make(part, streams.at(i, column)))
            now = decoded(written[column])
            written[column] = pc.replace_with_mask(now, mask, made.cast(now.type, safe=False))
        written[anomaly.label] = pc.replace_with_mask(
            written[anomaly.label], mask, pa.repeat(anomaly.name, len(index))
        )
    return written
