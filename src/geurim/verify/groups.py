"""Groups of people by sensitive columns, and outcomes that they get."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

import numpy as np

from geurim.contract import Finding, Profile
from geurim.verify.compare import Column, Comparison, Rows
from geurim.verify.verdict import not_judged
from geurim.verify.words import axis_text

LEAST = 30  # rows of a group that is compared
PARTS = 5  # ranges of a column of numbers
MOST = 40  # groups of a column, the largest
PAIRS = 10  # pairs of sensitive columns

WORDS = frozenset(
    "sex gender race ethnicity ethnic religion nationality disability disabled age marital "
    "citizenship 성별 인종 종교 국적 장애 나이 연령 연령대".split()
)
VALUES = (
    frozenset(("m", "f")),
    frozenset(("male", "female")),
    frozenset(("man", "woman")),
    frozenset(("남", "여")),
    frozenset(("남성", "여성")),
    frozenset(("남자", "여자")),
)


@dataclass(frozen=True, kw_only=True)
class Groups:
    """Groups of rows by one sensitive column, or by several together."""

    columns: tuple[str, ...]
    names: tuple[str, ...]  # (G,)
    place: Callable[[Rows], np.ndarray]  # rows -> the group of each, (N,) int64; -1: none

    def counts(self, rows: Rows, mark: np.ndarray | None = None) -> np.ndarray:
        """Rows of each group (G,), or only those that `mark` (N,) bool names."""
        at = self.place(rows)
        known = at >= 0 if mark is None else (at >= 0) & mark
        return np.bincount(at[known], minlength=len(self.names))

    def called(self, group: int) -> str:
        """One group in words."""
        return f"{' and '.join(map(repr, self.columns))} = {self.names[group]}"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What is done to people: yes or no for each row, as 1, 0 or NaN (N,)."""

    name: str
    of: Callable[[Rows], np.ndarray]


def groups_of(column: Column, training: Rows) -> Groups:
    """The groups of one column: its categories, or five ranges of equal mass; missing is one."""
    if column.kind == "codes":
        assert column.categories is not None
        names = [str(v) for v in column.categories.slice(0, column.known).to_pylist()]

        def coded(rows: Rows) -> np.ndarray:
            codes: np.ndarray = rows.codes[column.name].astype(np.int64)
            return np.where(codes < 0, len(names), np.where(codes < len(names), codes, -1))

        return Groups(columns=(column.name,), names=(*names, "missing"), place=coded)
    values = training.axis[column.name]
    edges = range_edges(values[np.isfinite(values)])
    write = axis_text(column.type)
    names = [f"from {write(a)} to below {write(b)}" for a, b in pairwise(edges)]
    if len(edges):
        names = [f"below {write(edges[0])}", *names, f"from {write(edges[-1])}"]

    def placed(rows: Rows) -> np.ndarray:
        axis = rows.axis[column.name]
        at = np.searchsorted(edges, axis, side="right").astype(np.int64)
        return np.where(np.isnan(axis), len(edges) + 1, at)

    return Groups(columns=(column.name,), names=(*(names or ["all"]), "missing"), place=placed)


def range_edges(values: np.ndarray) -> np.ndarray:
    """The inner edges of PARTS ranges of equal mass; each belongs to the range above it."""
    if not len(values):
        return np.empty(0)
    edges = np.unique(np.quantile(values, np.arange(1, PARTS) / PARTS, method="higher"))
    inner: np.ndarray = edges[edges > values.min()]
    return inner


def together(one: Groups, other: Groups) -> Groups:
    """The groups of two columns together."""
    names = tuple(f"{a}, {b}" for a in one.names for b in other.names)

    def place(rows: Rows) -> np.ndarray:
        a, b = one.place(rows), other.place(rows)
        return np.where((a >= 0) & (b >= 0), a * len(other.names) + b, -1)

    return Groups(columns=one.columns + other.columns, names=names, place=place)


def suggestion(profile: Profile) -> list[str]:
    """A note that names columns which look sensitive; empty where none does."""
    from geurim.analyze.names import words

    found = []
    for name, facts in profile.columns.items():
        known = {str(v).strip().lower() for v, _ in facts.get("categories", ())}
        if facts["role"] in ("category", "number") and (
            WORDS & set(words(name)) or any(known and known <= v for v in VALUES)
        ):
            found.append(name)
    if not found:
        return []
    return [
        "Fairness was not looked at: no sensitive column was named (--sensitive). These look like "
        f"some: {', '.join(map(repr, found[:6]))}."
    ]


def all_groups(c: Comparison) -> list[Groups]:
    by_name = {x.name: x for x in c.columns}
    single = [groups_of(by_name[name], c.training) for name in c.sensitive]
    return single + [together(a, b) for a, b in list(combinations(single, 2))[:PAIRS]]


def kept_groups(groups: Groups, *tables: Rows) -> np.ndarray:
    """The groups with enough rows in every table, the largest of the first, at most MOST."""
    counts = [groups.counts(t) for t in tables]
    enough = np.flatnonzero(np.min(counts, axis=0) >= LEAST)
    return np.sort(enough[np.argsort(-counts[0][enough], kind="stable")[:MOST]])


def outcomes(column: Column, training: Rows) -> list[Outcome]:
    """The rarer of two classes; each of more; a number above the real rows' median."""
    from geurim.verify.useful import CLASSES, _task

    task = _task(column, training)
    label = task.label(training)
    known = label[~np.isnan(label)]
    if not len(known):
        return []
    write = axis_text(column.type) if column.kind == "axis" else str
    if not task.classes:
        middle = float(np.median(known))
        values = training.axis[column.name]
        where = float(np.median(values[np.isfinite(values)]))
        return [Outcome(name=f"above {write(where)}", of=_indicator(task.label, above=middle))]
    if column.kind == "codes":
        assert column.categories is not None
        names = [str(v) for v in column.categories.slice(0, column.known).to_pylist()]
        names = [*names[:CLASSES], "any other"] if column.known > CLASSES else names
    else:
        names = [write(v) for v in np.unique(values_of(column, training))]
    counts = np.bincount(known.astype(int), minlength=task.classes)
    chosen = [int(np.argmin(counts))] if task.classes == 2 else range(task.classes)
    return [Outcome(name=names[k], of=_indicator(task.label, equal=k)) for k in chosen]


def values_of(column: Column, rows: Rows) -> np.ndarray:
    """The values of a column on an axis that are there."""
    values = rows.axis[column.name]
    present: np.ndarray = values[np.isfinite(values)]
    return present


def _indicator(
    label: Callable[[Rows], np.ndarray], *, above: float | None = None, equal: int | None = None
) -> Callable[[Rows], np.ndarray]:
    def of(rows: Rows) -> np.ndarray:
        value = label(rows)
        with np.errstate(invalid="ignore"):
            yes = value > above if above is not None else value == equal
        return np.where(np.isnan(value), np.nan, yes.astype(float))

    return of


def too_few(name: str, groups: Groups) -> Finding:
    found = not_judged(
        "fair", name, f"Not judged: fewer than two groups have {LEAST} rows in each table."
    )
    return replace(found, columns=groups.columns)
