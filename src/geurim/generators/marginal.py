"""One column's distribution as a profile tells it, between uniform numbers and values.

A column's values lie on (0, 1) in order: numbers and times by size, categories most frequent
first, pooled ones after them. `draw` goes from there to values; `interval` goes back, to the
stretch of (0, 1) that a value comes from. Missing values are no part of it: see `missing_share`.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim import columns
from geurim.contract import Json, Profile, Source
from geurim.errors import DataError
from geurim.generators.quantiles import quantile_function

OTHER = "other"
"""Stands for pooled categories where a profile shows no category at all to take their place."""

_DAY_US = 86_400e6


class Marginal(abc.ABC):
    """The distribution of one column's values. Immutable; remade from the profile, never saved."""

    @abc.abstractmethod
    def draw(self, u: np.ndarray) -> pa.Array:
        """The values at places `u` (N,) of (0, 1)."""

    @abc.abstractmethod
    def interval(self, column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """Where in (0, 1) each value comes from: the ends (N,), equal where it is one point.

        All of (0, 1) for a missing value, or one that the profile knows nothing of.
        """

    @abc.abstractmethod
    def atoms(self) -> np.ndarray:
        """The stretches of (0, 1) that hold one value each, in order, (K, 2)."""


def learned_schema(source: Source | None, profile: Profile) -> pa.Schema:
    """The columns to learn: those of the source, or without one, those that a profile describes."""
    from geurim.generators import LEARNED

    if source is not None:
        return source.schema
    return pa.schema([f for f in profile.schema if profile.columns[f.name]["role"] in LEARNED])


def missing_share(field: pa.Field, profile: Profile) -> float:
    """The share of rows in which the column has no value; 1 for an empty column."""
    facts = profile.columns[field.name]
    return 1.0 if facts["role"] == "empty" else float(facts.get("missing") or 0.0)


def with_missing(column: pa.Array, missing: np.ndarray) -> pa.Array:
    """The column with nulls where `missing` (N,)."""
    return pc.if_else(pa.array(missing), pa.scalar(None, column.type), column)


def marginal(field: pa.Field, profile: Profile) -> Marginal:
    """The distribution that the profile tells of one column's values.

    Raises DataError where it shows no value to draw: every one was held by fewer than k rows.
    """
    facts = profile.columns[field.name]
    if missing_share(field, profile) >= 1.0:
        return Nothing(kind=field.type)
    if facts["role"] in ("number", "datetime"):
        return Axis.learn(field.type, facts, profile.rows)
    return Categories.learn(field, facts)


@dataclass(frozen=True, kw_only=True, eq=False)
class Nothing(Marginal):
    """A column without any value."""

    kind: pa.DataType

    def draw(self, u: np.ndarray) -> pa.Array:
        return pa.nulls(len(u), self.kind)

    def interval(self, column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(len(column)), np.ones(len(column))

    def atoms(self) -> np.ndarray:
        return np.array([[0.0, 1.0]])


@dataclass(frozen=True, kw_only=True, eq=False)
class Axis(Marginal):
    """Numbers and times: their quantile function, as `quantiles.py` makes it."""

    kind: pa.DataType
    places: np.ndarray  # knots on (0, 1), ascending, (M,)
    values: np.ndarray  # the values there, ascending; equal neighbours are a value that repeats
    repeated: np.ndarray  # the values that repeat, ascending
    step: float  # values are whole multiples of it; 0: any value

    @classmethod
    def learn(cls, kind: pa.DataType, facts: Mapping[str, Json], rows: int) -> Axis:
        quantiles = np.asarray(facts["quantiles"], np.float64)
        pairs = sorted((float(v), float(s)) for v, s in facts.get("repeated") or ())
        repeated = np.array([v for v, _ in pairs])
        places, values = quantile_function(
            quantiles,
            repeated,
            np.array([s for _, s in pairs]),
            mean=float(facts.get("mean") or 0.0),
            std=float(facts.get("std") or 0.0),
            count=rows * (1.0 - float(facts.get("missing") or 0.0)),
        )
        step = _step(kind, facts)
        return cls(kind=kind, places=places, values=values, repeated=repeated, step=step)

    def draw(self, u: np.ndarray) -> pa.Array:
        values = np.interp(u, self.places, self.values)
        if self.step:
            # Dividing by 100 gives the float nearest to a decimal; multiplying by 0.01 does not.
            whole = np.rint(values / self.step)
            inverse = round(1.0 / self.step) if self.step < 1.0 else 0
            values = whole / inverse if inverse else whole * self.step
        return columns.from_axis(values, self.kind)

    def interval(self, column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        values = columns.to_axis(column)
        missing = np.isnan(values)
        half = np.where(np.isin(values, self.repeated), 0.0, self.step / 2)
        # np.interp stops at the last of equal knots; just below the value it stops at the first.
        low = np.interp(np.nextafter(values - half, -np.inf), self.values, self.places)
        high = np.interp(values + half, self.values, self.places)
        return np.where(missing, 0.0, low), np.where(missing, 1.0, np.maximum(low, high))

    def atoms(self) -> np.ndarray:
        first = np.searchsorted(self.values, self.repeated, "left")
        last = np.searchsorted(self.values, self.repeated, "right") - 1
        return np.stack([self.places[first], self.places[last]], axis=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Categories(Marginal):
    """Categories and constants: one stretch each, most frequent first.

    A pooled category's own name is not known and never invented. Rows of pooled categories get a
    shown one, in proportion to their shares; a boolean's the value that is not shown; where nothing
    is shown, text gets "other".
    """

    kind: pa.DataType
    values: pa.Array  # of `kind`, (K,)
    ends: np.ndarray  # where each one's stretch ends, ascending, (K,); after it, pooled ones

    @classmethod
    def learn(cls, field: pa.Field, facts: Mapping[str, Json]) -> Categories:
        shown = [(v, float(s)) for v, s in facts.get("categories") or () if s > 0]
        pooled = float((facts.get("pooled") or {}).get("share") or 0.0)
        if pa.types.is_boolean(field.type) and pooled > 0:
            hidden = [b for b in (True, False) if b not in [v for v, _ in shown]]
            shown += [(b, pooled / len(hidden)) for b in hidden]
            pooled = 0.0
        if not shown:
            if not _is_text(field.type):
                raise DataError(
                    f"Nothing can be drawn for column {field.name!r}: each of its values is held "
                    "by too few rows, so the profile shows none. Analyze with a smaller k, or fit "
                    "a generator that reads the data, such as 'trees'."
                )
            shown, pooled = [(OTHER, 1.0)], 0.0
        shares = np.array([s for _, s in shown])
        ends = np.cumsum(shares) / (shares.sum() + pooled)
        return cls(kind=field.type, values=_typed([v for v, _ in shown], field), ends=ends)

    def draw(self, u: np.ndarray) -> pa.Array:
        shown = self.ends[-1]
        if shown < 1.0:
            u = np.where(u >= shown, (u - shown) * (shown / (1.0 - shown)), u)
        codes = np.minimum(np.searchsorted(self.ends, u, "right"), len(self.values) - 1)
        return self.values.take(pa.array(codes))

    def interval(self, column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        codes = columns.to_codes(column, self.values)
        edges = np.concatenate([[0.0], self.ends])
        missing = column.is_null().to_numpy(zero_copy_only=False)
        # A value that is not shown was pooled. Where none is pooled it is new, and says nothing.
        unknown = np.where(missing | (edges[-1] > 1.0 - 1e-9), 0.0, edges[-1])
        low = np.where(codes < 0, unknown, edges[codes])
        return low, np.where(codes < 0, 1.0, edges[np.minimum(codes + 1, len(self.ends))])

    def atoms(self) -> np.ndarray:
        edges = np.array([0.0, *self.ends, 1.0])
        pairs = np.stack([edges[:-1], edges[1:]], axis=1)
        return pairs[pairs[:, 1] > pairs[:, 0] + 1e-12]


def _step(kind: pa.DataType, facts: Mapping[str, Json]) -> float:
    """The unit that values are whole multiples of; 0 where there is none."""
    if pa.types.is_date(kind):
        return _DAY_US
    if columns.is_time(kind):
        return float(facts.get("step") or 1.0)
    if pa.types.is_integer(kind) or facts.get("integer"):
        return 1.0
    decimals = facts.get("decimals")
    return 0.0 if decimals is None else 1.0 / 10 ** int(decimals)


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _typed(values: list[Json], field: pa.Field) -> pa.Array:
    """Categories, which a profile holds as strings, as values of the column's own type."""
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    try:
        if all(isinstance(v, str) for v in values):
            typed = pa.array(values, pa.string()).cast(kind)
        else:
            typed = pa.array(values, kind)
        return typed.dictionary_encode().cast(field.type) if kind != field.type else typed
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise DataError(
            f"The categories of column {field.name!r} do not fit its type {field.type}: "
            f"{values[0]!r} and others. Correct the profile or its schema."
        ) from error
