"""How constraints are kept: what is derived, what is learned as a gap, what is drawn again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from geurim.columns import from_axis, is_time, to_axis
from geurim.constraints.kinds import Rule, floats, linear
from geurim.constraints.lookup import Lookup
from geurim.contract import Json
from geurim.expressions import Expression

COVERED = 0.9  # a found dependence is derived where so many real rows have combinations kept


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A column that is learned as what it lies above others, and never below them.

    `high` is written as `base + gap`, with the base the largest of `lows` present, or `fill` where
    none is. `top`: the largest value it may have.
    """

    high: str
    lows: tuple[str, ...]
    fill: float
    top: float
    decimals: int | None
    strict: bool

    def base(self, axes: Mapping[str, np.ndarray]) -> np.ndarray:
        """The base (N,) of each row on the axis."""
        stacked = np.stack([np.where(np.isnan(axes[n]), -np.inf, axes[n]) for n in self.lows])
        largest = stacked.max(axis=0)
        return np.where(np.isinf(largest), self.fill, largest)

    def away(self, batch: pa.RecordBatch | pa.Table, kind: pa.DataType) -> pa.Array:
        """The gaps of real rows, of type `gap_type(kind)`."""
        axes = {n: to_axis(batch.column(n)) for n in self.lows}
        found = to_axis(batch.column(self.high)) - self.base(axes)
        return from_axis(np.round(found, 9), gap_type(kind))

    def back(
        self, gap: pa.Array, axes: Mapping[str, np.ndarray], kind: pa.DataType
    ) -> tuple[pa.Array, np.ndarray]:
        """The column, and it on the axis, from its gaps."""
        base = self.base(axes)
        known = ~np.isnan(np.stack([axes[n] for n in self.lows])).all(axis=0)
        away = to_axis(gap)
        value = base + np.where(known, np.maximum(away, 0.0), away)
        value = np.minimum(value, self.top)
        if self.decimals is not None:
            value = np.round(value, self.decimals)
        column = from_axis(value, kind)
        return column, to_axis(column)

    def to_json(self) -> dict[str, Json]:
        return {
            "high": self.high,
            "lows": list(self.lows),
            "fill": self.fill,
            "top": self.top,
            "decimals": self.decimals,
            "strict": self.strict,
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Json]) -> Gap:
        return cls(**{**state, "lows": tuple(state["lows"])})


def gap_type(kind: pa.DataType) -> pa.DataType:
    """The type in which the gaps of a column are learned; times in microseconds."""
    return pa.int64() if pa.types.is_integer(kind) or is_time(kind) else pa.float64()


@dataclass(frozen=True, kw_only=True, eq=False)
class Sum:
    """A column of numbers that follows from others in its row: `y = a + b`."""

    rule: Rule

    @property
    def column(self) -> str:
        found = self.rule.sum
        assert found is not None
        return found[0]

    @property
    def expression(self) -> Expression:
        found = self.rule.sum
        assert found is not None
        return found[1]

    def derive(self, batch: pa.RecordBatch, given: frozenset[str]) -> tuple[str, pa.Array] | None:
        """A column that is not given, as it follows from the others; None where all are given.

        Values that are missing stay so, and so do those whose sum is.
        """
        name, value = self.column, floats(self.expression, batch)
        if name in given:
            solved = self._solved(batch, given)
            if solved is None:
                return None
            name, value = solved
        place = batch.schema.get_field_index(name)
        own = to_axis(batch.column(place))
        if name == self.column and self.rule.decimals is not None:
            value = np.round(value, self.rule.decimals)
        value = np.where(np.isnan(own) | np.isnan(value), own, value)
        return name, from_axis(value, batch.schema.field(place).type)

    def _solved(
        self, batch: pa.RecordBatch, given: frozenset[str]
    ) -> tuple[str, np.ndarray] | None:
        form = linear(self.expression)
        if form is None:
            return None
        slopes, constant = form
        free = [n for n, slope in slopes.items() if n not in given and slope]
        if not free:
            return None
        rest = constant + sum(
            slope * to_axis(batch.column(n)) for n, slope in slopes.items() if n != free[0]
        )
        own = to_axis(batch.column(self.column))
        return free[0], np.round((own - rest) / slopes[free[0]], 9)


Derived = Sum | Lookup


def ordered(steps: list[Derived]) -> tuple[list[Derived], list[Derived]]:
    """Steps in an order in which each reads what is settled, and those left out.

    A column is derived once, and never from itself: of what would go round in a circle the later
    ones are left out.
    """
    needs: dict[str, set[str]] = {}
    taken: dict[str, Derived] = {}
    left: list[Derived] = []
    for step in steps:
        target, sources = _ends(step)
        if target in taken or _reaches(needs, sources, target):
            left.append(step)
            continue
        taken[target], needs[target] = step, sources
    done: list[str] = []

    def settle(name: str) -> None:
        for source in sorted(needs.get(name, ())):
            settle(source)
        if name in taken and name not in done:
            done.append(name)

    for name in taken:
        settle(name)
    return [taken[n] for n in done], left


def _ends(step: Derived) -> tuple[str, set[str]]:
    if isinstance(step, Sum):
        return step.column, set(step.expression.columns)
    return step.rule.column, set(step.rule.by)


def _reaches(needs: Mapping[str, set[str]], start: set[str], goal: str) -> bool:
    """Whether `goal` is among `start` or what these are derived from."""
    open_names, met = list(start), set()
    while open_names:
        name = open_names.pop()
        if name == goal:
            return True
        if name not in met:
            met.add(name)
            open_names += needs.get(name, ())
    return False
