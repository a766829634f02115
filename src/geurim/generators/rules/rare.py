"""Rare on purpose: a value's share raised, with weights that take it back; and edge cases.

Raising is importance sampling: a value of probability p in its row is drawn with q, whose odds are
those of p times one factor, found so that the share comes out as asked; the weight is p / q, or
(1 - p) / (1 - q). Weighted, every mean is that of the world as it was written (Owen 2013, ch. 9).
Edge cases set columns to what hardly ever comes by chance; their weight is 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from geurim.errors import SettingError
from geurim.expressions import Arithmetic, Column, Comparison, Literal
from geurim.generators.rules.anomalies import read_sets
from geurim.generators.rules.columns import Column as Stated
from geurim.generators.rules.formulas import Formula, Value, column
from geurim.generators.rules.kinds import Cases, Chance, Choice, Chosen, Kind, grouped
from geurim.generators.rules.options import EDGE_CASE
from geurim.generators.rules.rows import Rows
from geurim.generators.rules.streams import Streams
from geurim.nodes import Node

if TYPE_CHECKING:
    from geurim.generators.rules.plan import Part, Plan, Table
    from geurim.generators.rules.scope import Scope

WEIGHT, EDGE = "weight", "edge_case"
"""The columns that are put out beside what is raised or set."""

Boosts = Mapping[str, Mapping[Any, float]]
"""Column, such as "patients.fabry" -> the value and the share that it is to have."""

_PILOT = 0x70696C74
_ROWS = 4_096  # of the root, by which the factor of the odds is found


@dataclass(frozen=True)
class Weighted(Kind):
    """How much each row counts: the weights of what was raised in it; 0 for an edge case."""

    raised: tuple[tuple[str, Any, Kind, Kind], ...]  # column, value, as it was, as it is
    edge: bool = False
    type: pa.DataType = pa.float64()
    kind = "weighted"

    @classmethod
    def read(cls, node: Node, names: Any) -> Weighted:
        raise node.error("weights come with --boost and --edge-cases; they are not written.")

    @property
    def needs(self) -> frozenset[str]:
        named = frozenset(c for c, *_ in self.raised) | (frozenset([EDGE]) if self.edge else set())
        return named.union(*(old.needs | new.needs for *_, old, new in self.raised))

    def make(self, rows: Rows, streams: Streams) -> pa.Array:
        found = np.ones(rows.count)
        for name, value, old, new in self.raised:
            p, q = probability(old, value, rows), probability(new, value, rows)
            hit = pa.compute.equal(rows.get(name), value).fill_null(False)
            with np.errstate(divide="ignore", invalid="ignore"):
                weight = np.where(hit.to_numpy(zero_copy_only=False), p / q, (1 - p) / (1 - q))
            found *= weight
        if self.edge:
            found[rows.get(EDGE).is_valid().to_numpy(zero_copy_only=False)] = 0.0
        return pa.array(found)


@dataclass(frozen=True)
class Lots(Kind):
    """Which edge case a row is, missing for most: a share of rows, even among the cases."""

    share: float
    cases: tuple[str, ...]
    type: pa.DataType = pa.string()
    kind = "lots"

    @classmethod
    def read(cls, node: Node, names: Any) -> Lots:
        raise node.error("edge cases come with --edge-cases; they are not drawn otherwise.")

    def make(self, rows: Rows, streams: Streams) -> pa.Array:
        u = streams().random(rows.count)
        code = np.minimum((u / self.share * len(self.cases)).astype(int), len(self.cases) - 1)
        return pa.array(self.cases).take(pa.array(code, mask=u >= self.share))


def probability(kind: Kind, value: Any, rows: Rows) -> np.ndarray:
    """How probable a value is in each row (N,)."""
    if isinstance(kind, Chance):
        p = np.clip(np.nan_to_num(column(kind.chance, rows)), 0.0, 1.0)
        return np.asarray(p if value else 1.0 - p)
    assert isinstance(kind, Chosen)
    if not kind.given:
        return _of(kind.cases[0], value, rows)
    group = grouped(kind.given, kind.keys, rows)
    found = np.zeros(rows.count)
    for i, case in enumerate(kind.cases):
        mine = np.flatnonzero(group == i)
        found[mine] = _of(case, value, rows.part(mine))
    return found


def _of(choice: Choice, value: Any, rows: Rows) -> np.ndarray:
    """The chance of a value among those of a choice."""
    weights = [np.maximum(np.nan_to_num(column(w, rows)), 0.0) for w in choice.weights]
    total = np.sum(weights, axis=0)
    listed = choice.values.to_pylist()
    mine = np.sum(
        [w for w, v in zip(weights, listed, strict=True) if v == value] or [0.0 * total], 0
    )
    return np.asarray(mine / np.where(total > 0, total, 1.0))


def tilted(kind: Kind, value: Any, factor: float) -> Kind:
    """The same kind with the odds of a value times a factor."""
    if isinstance(kind, Chance):
        factor = factor if value else 1.0 / factor
        return Chance(_odds(kind.chance, factor))
    assert isinstance(kind, Chosen)
    cases = []
    for case in kind.cases:
        listed = zip(case.weights, case.values.to_pylist(), strict=True)
        weights = tuple(_times(w, factor) if v == value else w for w, v in listed)
        cases.append(Choice(case.values, weights))
    return replace(kind, cases=tuple(cases))


def _odds(chance: Value, factor: float) -> Value:
    if not isinstance(chance, Formula):
        return factor * chance / (1 - chance + factor * chance)
    p, one = chance.expression, Literal(1, pa.int64())
    up = Arithmetic("*", Literal(factor, pa.float64()), p)
    return Formula(Arithmetic("/", up, Arithmetic("+", Arithmetic("-", one, p), up)))


def _times(weight: Value, factor: float) -> Value:
    if not isinstance(weight, Formula):
        return weight * factor
    return Formula(Arithmetic("*", weight.expression, Literal(factor, pa.float64())))


# Tables


def raised(
    plan: Plan, tables: Mapping[str, Table], boosts: Boosts, counts: Mapping[str, int]
) -> dict[str, Table]:
    """The tables with these values raised, and weights beside them. Raises SettingError.

    `plan` is the world as it was written, by which the factors are found.
    """
    found = dict(tables)
    for path, wanted in boosts.items():
        table, name = _checked(plan, path, wanted)
        ((text, share),) = wanted.items()
        about = plan.tables[table].columns[name]
        value = _known(about.kind, text, path)
        factor = _factor(plan, (table, name), value, share, counts)
        new = replace(about, kind=tilted(about.kind, value, factor))
        before = found[table].columns.get(WEIGHT)
        others = before.kind.raised if before and isinstance(before.kind, Weighted) else ()
        weighted = Weighted((*others, (name, value, about.kind, new.kind)))
        found[table] = _with(found[table], {name: new, WEIGHT: Stated(weighted)})
    return found


def _checked(plan: Plan, path: str, wanted: Mapping[Any, float]) -> Part:
    table, _, name = path.partition(".")
    known = [
        f"{t.name}.{c}"
        for t in plan.tables.values()
        for c, about in t.columns.items()
        if isinstance(about.kind, Chance | Chosen)
    ]
    if path not in known:
        raise SettingError(
            f"{path!r} cannot be raised. Name a column that is chosen or a chance, one of: "
            f"{', '.join(known) or 'none'}."
        )
    if len(wanted) != 1 or not all(0 < s < 1 for s in wanted.values()):
        raise SettingError(
            f"{dict(wanted)!r} was asked of {path!r}. Give one value and a share between 0 and 1, "
            "such as {True: 0.5}."
        )
    _free(plan.tables[table], WEIGHT)
    return table, name


def _free(table: Table, name: str) -> None:
    if name in table.columns:
        raise SettingError(f"The table {table.name!r} has a column {name!r} already. Rename it.")


def _known(kind: Kind, value: Any, path: str) -> Any:
    """The value as the column holds it; a command line gives texts."""
    assert isinstance(kind, Chance | Chosen)
    listed: list[Any] = [True, False]
    if isinstance(kind, Chosen):
        listed = [v for c in kind.cases for v in c.values.to_pylist()]
    found = {_said(v): v for v in listed}
    if _said(value) not in found:
        raise SettingError(f"{path!r} is never {value!r}. It is one of: {', '.join(found)}.")
    return found[_said(value)]


def _said(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _factor(plan: Plan, part: Part, value: Any, share: float, counts: Mapping[str, int]) -> float:
    """The factor of the odds by which a value gets its share, found on some rows by bisection."""
    from geurim.generators.rules.engine import Engine

    table, name = part
    root = plan.root(table)
    engine = Engine.prepare(plan, _PILOT, {**counts, root: _ROWS})
    rows = replace(engine, size=_ROWS).make(root, 0, plan.wanted([part]))[table]
    p = probability(plan.tables[table].columns[name].kind, value, rows)
    if p.max(initial=0.0) <= 0 or p.min(initial=1.0) >= 1:
        raise SettingError(
            f"{table}.{name} is {value!r} with a probability of {p.max(initial=0.0):g} in every "
            "row: its share cannot be changed. Let it be possible, and not certain."
        )
    low, high = -60.0, 60.0
    for _ in range(100):
        middle = (low + high) / 2
        odds = np.exp(middle)
        mean = float(np.mean(odds * p / (1 - p + odds * p)))
        low, high = (middle, high) if mean < share else (low, middle)
    return float(np.exp((low + high) / 2))


def edged(plan: Plan, tables: Mapping[str, Table], share: float) -> dict[str, Table]:
    """The tables with a share of edge cases in each that names some. Raises SettingError."""
    if not 0 < share < 1:
        raise SettingError(f"The share of edge cases is {share!r}. Give one between 0 and 1.")
    if not any(t.edges for t in tables.values()):
        raise SettingError(
            f"The world {plan.name!r} names no edge cases. Add 'edge_cases' to a table, or leave "
            "them out."
        )
    return {n: _edged(t, share) if t.edges else t for n, t in tables.items()}


def _edged(table: Table, share: float) -> Table:
    before = table.columns.get(WEIGHT)
    others = before.kind.raised if before and isinstance(before.kind, Weighted) else ()
    if before and not others:
        _free(table, WEIGHT)
    _free(table, EDGE)
    changed = {}
    for name in dict.fromkeys(c for e in table.edges for c, _ in e.sets):
        about = table.columns[name]
        cases = [(e.name, kind) for e in table.edges for c, kind in e.sets if c == name]
        conditions = tuple(
            Formula(Comparison("=", Column(EDGE, pa.string()), Literal(case, pa.string())))
            for case, _ in cases
        )
        kinds = (*(kind for _, kind in cases), about.kind)
        changed[name] = replace(about, kind=Cases(conditions, kinds, about.kind.type))
    lots = Stated(Lots(share, tuple(e.name for e in table.edges)))
    return _with(table, {**changed, EDGE: lots, WEIGHT: Stated(Weighted(others, edge=True))})


def _with(table: Table, columns: Mapping[str, Stated]) -> Table:
    return replace(table, columns={**table.columns, **columns})


@dataclass(frozen=True)
class EdgeCase:
    """What hardly ever comes by chance: columns of a row and how they then come about."""

    name: str
    sets: tuple[tuple[str, Kind], ...]

    @classmethod
    def read(cls, node: Node, names: Scope) -> EdgeCase:
        node.mapping(EDGE_CASE)
        return cls(node.need("name").text(), read_sets(node, names))
