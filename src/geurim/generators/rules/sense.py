"""Whether what a world says makes sense: units that match, conditions that can be met."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from geurim.errors import ExpressionError
from geurim.expressions import Literal
from geurim.generators.rules.bounds import bounds
from geurim.generators.rules.columns import Column
from geurim.generators.rules.formulas import Formula, needs
from geurim.generators.rules.kinds import Computed, Drawn
from geurim.generators.rules.plan import Part
from geurim.generators.rules.ranges import Interval, range_of, why_impossible
from geurim.generators.rules.units import check_unit as check_in_unit
from geurim.generators.rules.units import unit_of
from geurim.nodes import Node

if TYPE_CHECKING:
    from geurim.generators.rules.sheet import Sheet

_IN_UNIT = ("mean", "median", "deviation", "low", "high", "mode", "center", "scale", "value")
"""Parameters of distributions that are in the unit of what is drawn."""


def unit(sheet: Sheet, table: str, name: str) -> str | None:
    """The unit of a dotted name; None where it has none."""
    found = sheet.resolved(table, name)
    if found is None or found.at[1] not in sheet.own(found.at[0]):
        return None
    if found.at not in sheet.units:
        sheet.units[found.at] = _unit(sheet, found.at[0], sheet.column(*found.at))
    return sheet.units[found.at]


def _unit(sheet: Sheet, table: str, column: Column) -> str | None:
    """The unit that a column says it has; of a formula, else the one that it comes out in."""
    if column.unit or not isinstance(column.kind, Computed):
        return column.unit or None
    return unit_of(column.kind.formula.expression, _units(sheet, table, column.kind.needs))


def _units(sheet: Sheet, table: str, names: Iterable[str]) -> dict[str, str]:
    return {n: u for n in names if (u := unit(sheet, table, n)) is not None}


def check_unit(sheet: Sheet, node: Node, table: str, column: Column) -> None:
    """Refuse a column whose formulas come out in another unit than it says."""
    if not column.unit:
        return
    kind, found = column.kind, [(node.need("unit"), Formula(Literal(1, pa.int64())))]
    if isinstance(kind, Computed):
        found.append((node.get("formula") or node, kind.formula))
    if isinstance(kind, Drawn):
        given = dict(kind.draw.parameters, low=kind.draw.low, high=kind.draw.high)
        own = [(node.at(k, None), given[k]) for k in _IN_UNIT if k in given]
        found += [(at, v) for at, v in own if isinstance(v, Formula)]
    for at, formula in found:
        try:
            units = _units(sheet, table, formula.needs)
            check_in_unit(formula.expression, column.unit, units)
        except ExpressionError as error:
            raise at.error(f"{error.what}. {error.advice}") from error


@dataclass(eq=False)
class Possible:
    """What the columns of a world can be, as far as it says."""

    sheet: Sheet
    _known: dict[Part, Interval] = field(default_factory=dict)

    def interval(self, table: str, name: str) -> Interval:
        """What the values under a dotted name can be."""
        found = self.sheet.resolved(table, name)
        if found is None:
            return Interval()
        if found.at not in self._known:
            self._known[found.at] = Interval()  # where it leads back to itself, anything
            self._known[found.at] = self._bounds(*found.at)
        inner = self._known[found.at]
        return replace(inner, missing=inner.missing or found.optional)

    def _bounds(self, table: str, name: str) -> Interval:
        if name == "nth":
            return Interval(low=1, missing=False)
        if name not in self.sheet.own(table):
            return Interval()

        def of(formula: Formula) -> Interval:
            return range_of(formula.expression, self._intervals(table, formula.needs))

        return bounds(self.sheet.column(table, name).kind, of)

    def _intervals(self, table: str, names: Iterable[str]) -> dict[str, Interval]:
        return {n: self.interval(table, n) for n in names}

    def check(self, table: str, conditions: list[tuple[Node, Formula]]) -> None:
        """Refuse constraints that no row can meet, by themselves or together."""
        problems, reason = self.sheet.problems, None
        for node, condition in conditions:
            known = self._intervals(table, condition.needs)
            reason = why_impossible([condition.expression], known)
            with problems.noting():
                if reason:
                    raise node.error(f"no row can meet this: {reason}. Correct it, or the columns.")
        together = [c.expression for _, c in conditions]
        known = self._intervals(table, needs(tuple(c for _, c in conditions)))
        reason = None if reason else why_impossible(together, known)
        if reason:
            raise conditions[0][0].error(f"no row can meet all of these: {reason}.")
