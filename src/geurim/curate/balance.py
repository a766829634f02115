"""Choosing among good rows: quotas, coverage, the best by a score, how much real text to mix."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.contract import Source
from geurim.curate.contract import Filter, Step, reasons_at
from geurim.errors import DataError, SettingError

Shares = Mapping[Hashable, float] | Literal["uniform"]


def quotas(
    shares: Shares, values: Sequence[Hashable], rows: int, tolerance: float = 0.0
) -> dict[Hashable, int]:
    """Rows of each value among `rows`: shares by largest remainder, plus the tolerance.

    `shares`: value -> share (any positive weights), or "uniform" over `values`. Without tolerance
    the quotas add up to `rows`; with it each is rounded up after adding that share of itself.
    """
    weights: dict[Hashable, float]
    if shares == "uniform":
        weights = dict.fromkeys(values, 1.0)
    else:
        assert not isinstance(shares, str)
        weights = dict(shares)
    total = sum(weights.values())
    exact = {value: rows * weight / total for value, weight in weights.items()}
    counts = {value: math.floor(share + 1e-9) for value, share in exact.items()}
    missing = rows - sum(counts.values())
    for value in sorted(exact, key=lambda v: counts[v] - exact[v])[:missing]:
        counts[value] += 1
    return {v: n + math.ceil(n * tolerance - 1e-9) for v, n in counts.items()}


@dataclass(frozen=True, kw_only=True)
class Balance(Step):
    """Drops rows of a value whose quota is full, and of values that have none.

    `column`: a column, or several, whose values together are the key (a tuple in the order of the
    columns). `shares`: value -> share, or "uniform" over `values`. `rows`: how many rows the set
    shall have; quotas follow from it in advance, so that one pass is enough and the first rows of
    each value stay. `tolerance`: 0.1 lets each value have 10% more than its quota.

    The set comes out smaller than `rows` where a value is too rare: see `Coverage` for what lacks.
    """

    name: ClassVar[str] = "balance"
    column: str | tuple[str, ...]
    shares: Shares
    rows: int
    values: tuple[Hashable, ...] = ()
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        _check_quotas(self.shares, self.values, self.rows, self.tolerance)

    def start(self) -> Filter:
        return _Balance(self)


class _Balance(Filter):
    def __init__(self, step: Balance) -> None:
        self.step = step
        self.quotas = quotas(step.shares, step.values, step.rows, step.tolerance)
        self.have: Counter[Hashable] = Counter()

    def judge(self, texts: pa.StringArray, rows: pa.RecordBatch) -> pa.StringArray:
        at, why = [], []
        for place, key in enumerate(_keys(rows, self.step.column)):
            quota = self.quotas.get(key)
            if quota is not None and self.have[key] < quota:
                self.have[key] += 1
                continue
            at.append(place)
            full = f"The quota of {key!r} is full: {quota} rows."
            why.append(full if quota is not None else f"{key!r} has no quota.")
        return reasons_at(rows.num_rows, np.array(at, np.int64), why)


class Coverage:
    """Counts rows by value against quotas: what is there, and what a run still has to make.

    Feed it with `add`, batch by batch, or count a whole Source with `coverage`.
    """

    def __init__(
        self,
        *,
        column: str | tuple[str, ...],
        shares: Shares,
        rows: int,
        values: Sequence[Hashable] = (),
    ) -> None:
        _check_quotas(shares, values, rows, 0.0)
        self.column, self.wanted = column, quotas(shares, values, rows)
        self.have: Counter[Hashable] = Counter()

    def add(self, rows: pa.RecordBatch) -> None:
        """Count these rows."""
        self.have.update(_keys(rows, self.column))

    @property
    def missing(self) -> dict[Hashable, int]:
        """Value -> rows that lack to its quota, for values that are short."""
        return {v: n - self.have[v] for v, n in self.wanted.items() if n > self.have[v]}

    @property
    def outside(self) -> dict[Hashable, int]:
        """Value -> rows, for values that have no quota."""
        return {v: n for v, n in self.have.items() if v not in self.wanted}

    @property
    def covered(self) -> float:
        """The share of the wanted rows that are there, rows above a quota not counted."""
        wanted = sum(self.wanted.values())
        return sum(min(n, self.have[v]) for v, n in self.wanted.items()) / wanted

    def table(self) -> pa.Table:
        """Columns value (as text), wanted, have, missing: one row a value, in the quotas' order."""
        values = [*self.wanted, *self.outside]
        return pa.table(
            {
                "value": [
                    " / ".join(map(str, v)) if isinstance(v, tuple) else str(v) for v in values
                ],
                "wanted": pa.array([self.wanted.get(v, 0) for v in values], pa.int64()),
                "have": pa.array([self.have[v] for v in values], pa.int64()),
                "missing": pa.array([self.missing.get(v, 0) for v in values], pa.int64()),
            }
        )


def coverage(
    source: Source,
    *,
    column: str | tuple[str, ...],
    shares: Shares,
    rows: int,
    values: Sequence[Hashable] = (),
) -> Coverage:
    """The coverage of all rows of `source`; see `Coverage`."""
    counted = Coverage(column=column, shares=shares, rows=rows, values=values)
    for batch in source.read():
        counted.add(batch)
    return counted


@dataclass(frozen=True, kw_only=True)
class Select(Step):
    """Keeps rows by a score: the best `keep` (a share), or all from `threshold` on.

    `score`: a column of numbers, greater is better. One of `keep` and `threshold`. A share needs
    all scores first: `curate` reads the rows twice, through the steps before this one, and holds
    8 bytes a row meanwhile. It keeps exactly round(share * rows), of equal scores the first; rows
    without a score (null, NaN) are dropped, and count among the rows.
    """

    name: ClassVar[str] = "select"
    score: str
    keep: float | None = None
    threshold: float | None = None

    def __post_init__(self) -> None:
        if (self.keep is None) == (self.threshold is None):
            raise SettingError(
                f"keep is {self.keep!r} and threshold {self.threshold!r}. Give one of the two."
            )
        if self.keep is not None and not 0 < self.keep <= 1:
            raise SettingError(f"keep is {self.keep!r}. Give a share above 0, up to 1.")
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise SettingError(f"threshold is {self.threshold!r}. Give a finite number.")

    def settle(self, source: Source) -> Step:
        if self.keep is None:
            return self
        scores = np.concatenate(
            [np.zeros(0), *(_scores(batch, self.score) for batch in source.read())]
        )
        known = np.sort(scores[~np.isnan(scores)])[::-1]
        count = min(round(self.keep * len(scores)), len(known))
        if not count:
            return _Settled(score=self.score, threshold=math.inf, equal=0, share=self.keep)
        limit = float(known[count - 1])
        equal = count - int(np.count_nonzero(known > limit))
        return _Settled(score=self.score, threshold=limit, equal=equal, share=self.keep)

    def start(self) -> Filter:
        if self.threshold is None:
            raise SettingError(
                f"Keeping a share ({self.keep:g}) needs all scores first. "
                "Run the step by curate(), or give a threshold."
            )
        least = f"(at least {self.threshold:g})"
        return _Selected(self.score, self.threshold, None, least)


@dataclass(frozen=True, kw_only=True)
class _Settled(Step):
    """A share turned into the least score kept, and how many rows with just that score."""

    name: ClassVar[str] = Select.name
    score: str
    threshold: float
    equal: int
    share: float

    def start(self) -> Filter:
        least = f"(the best {self.share:.4g} have {self.threshold:g} or more)"
        return _Selected(self.score, self.threshold, self.equal, least)


class _Selected(Filter):
    def __init__(self, score: str, threshold: float, equal: int | None, least: str) -> None:
        self.score, self.threshold, self.equal, self.least = score, threshold, equal, least

    def judge(self, texts: pa.StringArray, rows: pa.RecordBatch) -> pa.StringArray:
        scores = _scores(rows, self.score)
        kept = scores >= self.threshold
        if self.equal is not None:
            just = np.flatnonzero(scores == self.threshold)
            kept[just[self.equal :]] = False
            self.equal = max(self.equal - len(just), 0)
        at = np.flatnonzero(~kept)
        why = [
            f"No {self.score}." if math.isnan(s) else f"{self.score} {s:g} {self.least}."
            for s in scores[at].tolist()
        ]
        return reasons_at(rows.num_rows, at, why)


@dataclass(frozen=True, kw_only=True)
class MixRatio:
    """How much real text to mix with synthetic text for a wanted share of the latter.

    `synthetic`: the share, such as 0.6874 (KORMo, the Korean part). Amounts are counted in whatever
    the share is of: rows, characters or tokens.
    """

    synthetic: float

    def __post_init__(self) -> None:
        if not 0 < self.synthetic < 1:
            raise SettingError(
                f"The synthetic share is {self.synthetic!r}. Give a number between 0 and 1."
            )

    def real_for(self, synthetic: int) -> int:
        """The amount of real text that brings this much synthetic text nearest to the share."""
        return round(synthetic * (1 - self.synthetic) / self.synthetic)

    def synthetic_for(self, real: int) -> int:
        """The amount of synthetic text that brings this much real text nearest to the share."""
        return round(real * self.synthetic / (1 - self.synthetic))

    @staticmethod
    def share(synthetic: int, real: int) -> float:
        """The share of synthetic text in such a mix."""
        if synthetic < 0 or real < 0 or not synthetic + real:
            raise SettingError(f"{synthetic} and {real} are no mix. Give amounts, not both 0.")
        return synthetic / (synthetic + real)


def _keys(rows: pa.RecordBatch, column: str | tuple[str, ...]) -> list[Hashable]:
    names = (column,) if isinstance(column, str) else column
    for name in names:
        _check_column(rows, name)
    values = [rows.column(n).to_pylist() for n in names]
    return values[0] if isinstance(column, str) else list(zip(*values, strict=True))


def _scores(rows: pa.RecordBatch, column: str) -> np.ndarray:
    """(N,) float64, NaN where there is none."""
    _check_column(rows, column)
    values = rows.column(column)
    if not (
        pa.types.is_integer(values.type)
        or pa.types.is_floating(values.type)
        or pa.types.is_decimal(values.type)
    ):
        raise DataError(
            f"Column {column!r} holds {values.type}, not numbers. Name a column of scores."
        )
    scores: np.ndarray = pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False)
    return scores


def _check_column(rows: pa.RecordBatch, name: str) -> None:
    if name not in rows.schema.names:
        raise SettingError(
            f"There is no column {name!r}. Choose from: {', '.join(rows.schema.names)}."
        )


def _check_quotas(shares: Any, values: Sequence[Hashable], rows: int, tolerance: float) -> None:
    if isinstance(shares, str) and shares != "uniform":
        raise SettingError(f"shares is {shares!r}. Give 'uniform', or a share for each value.")
    if shares == "uniform" and not values:
        raise SettingError("Uniform over what? Give the values, such as values=('a', 'b').")
    if isinstance(shares, Mapping):
        if not shares or any(not 0 <= s < math.inf for s in shares.values()):
            raise SettingError(f"shares is {dict(shares)!r}. Give each value a share of 0 or more.")
        if not sum(shares.values()):
            raise SettingError("All shares are 0. Give some value a share above 0.")
    if rows < 1:
        raise SettingError(f"rows is {rows!r}. Give a whole number above 0.")
    if not 0 <= tolerance < math.inf:
        raise SettingError(f"tolerance is {tolerance!r}. Give 0 or more, such as 0.1.")


__all__ = ["Balance", "Coverage", "MixRatio", "Select", "Shares", "coverage", "quotas"]
