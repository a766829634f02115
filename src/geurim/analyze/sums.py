"""Columns of numbers that are the sum, difference or product of others, to the last digit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np

from geurim.analyze.collect import Column
from geurim.contract import Json

MOST = 40  # columns looked at for sums of two; half as many for sums of three
GLANCE = 64  # rows looked at first
LEAST = 100  # rows in which all columns have values
EXPECTED = 25  # rows that shuffling must break: see `rules`
VALUES = 10  # fewer distinct values are codes, whose sums are accidents
LONG = 3  # terms of a sum found by trying; longer ones by solving for the slopes


def sums(
    columns: Mapping[str, Column], roles: Mapping[str, str], rng: np.random.Generator
) -> list[dict[str, Json]]:
    """Rules such as total = a + b, share * amount = part: exact in each row that has all values.

    Sums of two or three columns and products of two are tried; a total of more is found where all
    its parts have the slope 1. A difference is written as the sum that it turns into.
    """
    names = [
        n
        for n, c in columns.items()
        if roles[n] == "number" and c.ordered and c.distinct > VALUES and c.low < c.high
    ][:MOST]
    if len(names) < 3:
        return []
    axes = {n: columns[n].axis for n in names}
    decimals = {n: _places(columns[n]) for n in names}
    found: list[dict[str, Json]] = []
    for parts, sign, target in _candidates(names, axes, decimals):
        if any(r["column"] == target and set(r["parts"]) <= set(parts) for r in found):
            continue
        breaks = _holds(axes, parts, sign, target, decimals[target], rng)
        if breaks:
            rule = {"kind": "sum", "column": target, "parts": list(parts), "sign": sign}
            found.append(rule | {"breaks": breaks})
    return found


def _candidates(
    names: list[str], axes: Mapping[str, np.ndarray], decimals: Mapping[str, int | None]
) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """What holds in a few rows: (parts, "+" or "*", target)."""
    glance = _glance(names, axes)
    if glance is None:
        return
    values = np.stack([axes[n][glance] for n in names])
    slack = np.array([_slack(decimals[n], values[i]) for i, n in enumerate(names)])[:, None]
    for size in range(2, LONG + 1):
        some = names if size == 2 else names[: MOST // 2]
        for parts in combinations(range(len(some)), size):
            rows = values[list(parts)]
            yield from _meeting(names, parts, "+", rows.sum(axis=0), values, slack)
            if size == 2 and not (rows == rows[:, :1]).all(axis=1).any():
                yield from _meeting(names, parts, "*", rows.prod(axis=0), values, slack)
    yield from _totals(names, values, slack)


def _meeting(
    names: list[str],
    parts: tuple[int, ...],
    sign: str,
    result: np.ndarray,
    values: np.ndarray,
    slack: np.ndarray,
) -> Iterator[tuple[tuple[str, ...], str, str]]:
    if (np.abs(values[:, 0] - result[0]) > slack[:, 0] + 1e-9 * np.abs(result[0])).all():
        return
    near = (np.abs(values - result) <= slack + 1e-9 * np.abs(result)).all(axis=1)
    for target in np.flatnonzero(near).tolist():
        if target not in parts:
            yield tuple(names[i] for i in parts), sign, names[target]


def _totals(
    names: list[str], values: np.ndarray, slack: np.ndarray
) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Sums of four and more: least squares over the others give slopes of 0 and 1."""
    if values.shape[1] <= values.shape[0]:
        return
    scale = np.maximum(np.abs(values).max(axis=1, keepdims=True), 1e-12)
    for target in range(len(names)):
        others = [i for i in range(len(names)) if i != target]
        slopes = np.linalg.lstsq((values[others] / scale[others]).T, values[target], rcond=None)[0]
        slopes = slopes / scale[others][:, 0]
        parts = tuple(others[j] for j in np.flatnonzero(np.abs(slopes - 1) < 0.01).tolist())
        small = np.abs(slopes) * scale[others][:, 0] < 1e-6 * scale[target]
        if len(parts) > LONG and len(parts) + int(small.sum()) == len(others):
            total = values[list(parts)].sum(axis=0)
            yield from _meeting(names, parts, "+", total, values, slack)


def _glance(names: list[str], axes: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """Some rows in which all columns have values, spread over the table."""
    whole = np.flatnonzero(np.isfinite(np.stack([axes[n] for n in names])).all(axis=0))
    if len(whole) < LEAST:
        return None
    return np.asarray(whole[np.linspace(0, len(whole) - 1, GLANCE).astype(int)])


def _holds(
    axes: Mapping[str, np.ndarray],
    parts: tuple[str, ...],
    sign: str,
    target: str,
    decimals: int | None,
    rng: np.random.Generator,
) -> int:
    """How many rows break the rule once the target is shuffled; 0 where it does not hold."""
    rows = np.stack([axes[n] for n in parts])
    result = rows.sum(axis=0) if sign == "+" else rows.prod(axis=0)
    y = axes[target]
    whole = np.isfinite(result) & np.isfinite(y)
    result, y, rows = result[whole], y[whole], rows[:, whole]
    slack = _slack(decimals, y)
    if len(y) < LEAST or (np.abs(result - y) > slack + 1e-9 * np.abs(result)).any():
        return 0
    breaks = len(y)
    for part in rows:  # each part must matter: a column of zeros adds to anything
        mixed = rng.permutation(part)
        other = result - part + mixed if sign == "+" else _ratio(result, part) * mixed
        breaks = min(breaks, int((np.abs(other - y) > slack + 1e-9 * np.abs(y)).sum()))
    return breaks if breaks >= EXPECTED else 0


def _ratio(result: np.ndarray, part: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(part != 0, result / part, 0.0)


def _slack(decimals: int | None, values: np.ndarray) -> float:
    """Half a unit of the last place shown, and what floating point loses."""
    own = 0.0 if not decimals else 0.5 * 10.0**-decimals
    return float(own + 1e-9 * np.abs(values[np.isfinite(values)]).max(initial=0.0))


def _places(column: Column) -> int | None:
    """The decimal places that all values show; 0 for whole numbers, None for no such limit."""
    if column.whole:
        return 0
    values = column.sorted
    return next((d for d in range(1, 9) if np.array_equal(np.round(values, d), values)), None)
