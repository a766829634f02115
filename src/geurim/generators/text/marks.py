"""The marks that judges gave in a run: a judge whose marks do not vary is no judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from geurim.contract import Json
from geurim.generators.text.asked import Judge, Loop
from geurim.generators.text.columns import Column

FEWEST = 10  # marks from which on it is worth a word that all are the same


class Marks:
    """The marks by judge, of kept and dropped rows alike.

    Several attributes count as one mark: of a judge that varies in any of them nothing is said.
    Comparisons are left out, since they are asked in both orders.
    """

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self.columns = [n for n, c in columns.items() if _judges(n, c)]
        self._judges = {n: _judges(n, columns[n]) for n in self.columns}
        self._given: dict[str, Counter[str]] = {}

    def add(self, row: Mapping[str, Any]) -> None:
        """The marks in one row; what was never asked for, or stays without an answer, is none."""
        for column, judges in self._judges.items():
            value = row.get(column)
            for name in judges:
                inner = [r.get(name) for r in value or ()] if name != column else [value]
                marks = self._given.setdefault(name, Counter())
                marks.update(_shown(mark) for mark in inner if mark is not None)

    def warnings(self) -> list[str]:
        """A sentence for each judge that gave the same mark to everything."""
        flat = {n: m for n, m in self._given.items() if len(m) == 1 and m.total() >= FEWEST}
        return [
            f"The judge gave the same {name!r}, {next(iter(marks))}, all {marks.total():,} times: "
            "marks that do not vary tell nothing and choose nothing. Take another judge "
            "(--teacher judge=URL --model judge=NAME), or sharpen what it is asked."
            for name, marks in flat.items()
        ]


def _judges(name: str, column: Column) -> list[str]:
    """The judges in a column: itself, or those within a loop."""
    if isinstance(column, Loop):
        return [n for n, c in column.columns.items() if _judges(n, c)]
    return [name] if isinstance(column, Judge) and not column.compare else []


def _shown(mark: Json) -> str:
    if isinstance(mark, Mapping):
        return ", ".join(f"{name} {_shown(value)}" for name, value in mark.items())
    return f"{mark:g}" if isinstance(mark, float) else str(mark)
