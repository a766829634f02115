"""Categorical draws for all rows at once, and mixtures, which choose a component for each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from geurim.errors import SettingError

_FEW = 16  # categories: comparing with each of them is faster than any table
_BUCKETS = 1 << 16
_PIECE = 1 << 15  # rows that stay in the processor's cache


def chosen(
    rng: np.random.Generator,
    cumulative: np.ndarray,
    group: np.ndarray | None = None,
    size: int | None = None,
) -> np.ndarray:
    """Codes (N,) from 0 to K - 1, by cumulative shares: (K,) for all, or (G, K) by the row's group.

    `group` (N,) holds codes from 0 to G - 1; without it `size` is N.
    """
    table = np.atleast_2d(np.asarray(cumulative, float))
    _check_shares(table)
    rows = len(group) if group is not None else int(size or 0)
    return codes(rng.random(rows), table / table[:, -1:], group)


def mixed(
    rng: np.random.Generator,
    cumulative: np.ndarray,
    draws: Sequence[Callable[[np.ndarray], np.ndarray]],
    group: np.ndarray | None = None,
    size: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """A mixture: values (N,), and which of the components (N,) each of them came from.

    `draws[k](rows)` gives the values of component k for the rows (R,) that chose it; each should
    have its own stream, so that rows do not depend on what follows them.
    """
    component = chosen(rng, cumulative, group, size)
    values = np.empty(len(component))
    for code, draw in enumerate(draws):
        rows = np.flatnonzero(component == code)
        if len(rows):
            values[rows] = draw(rows)
    return values, component


def codes(shares: np.ndarray, table: np.ndarray, group: np.ndarray | None) -> np.ndarray:
    """How many of the cumulative shares (G, K), its last apart, are not above each share (N,).

    Comparing with each of a few categories is fastest; of many, a table of equal buckets names the
    code at once, except in the few buckets that hold a boundary.
    """
    groups, categories = table.shape
    if group is not None and len(group) and not 0 <= group.min() <= group.max() < groups:
        raise SettingError(
            f"Group codes from {group.min()} to {group.max()} were given for {groups} groups. "
            f"Give codes from 0 to {groups - 1}."
        )
    codes = np.empty(len(shares), np.int32)
    thresholds = np.ascontiguousarray(table[:, :-1].T)  # (K - 1, G)
    buckets = min(_BUCKETS, 1 << (16 * categories).bit_length())
    guided = categories > _FEW and len(shares) > groups * buckets
    guide = _guide(table, buckets) if guided else None
    for start in range(0, len(shares), _PIECE):
        u = shares[start : start + _PIECE]
        g: Any = 0 if group is None else group[start : start + _PIECE].astype(np.intp)
        if categories <= _FEW:
            found: np.ndarray = np.zeros(len(u), np.int8)
            for threshold in thresholds:
                found += u >= (threshold[0] if group is None else threshold.take(g))
        elif guide is not None:
            found = guide.take((u * buckets).astype(np.intp) + g * buckets)
            rest = np.flatnonzero(found < 0)
            found[rest] = _bisected(u[rest], table, g if group is None else g[rest])
        else:
            found = _bisected(u, table, g)
        codes[start : start + _PIECE] = found
    return codes


def _guide(table: np.ndarray, buckets: int) -> np.ndarray:
    """The code of each bucket of shares (G * buckets,), or -1 where a bucket holds a boundary."""
    edges = np.arange(buckets + 1) / buckets
    guide = np.empty((len(table), buckets), np.int32)
    for row, cumulative in zip(guide, table, strict=True):
        row[:] = np.searchsorted(cumulative[:-1], edges[:-1], "right")
        row[row != np.searchsorted(cumulative[:-1], edges[1:], "left")] = -1
    return guide.ravel()


def _bisected(shares: np.ndarray, table: np.ndarray, group: Any) -> np.ndarray:
    if len(table) == 1:
        return np.searchsorted(table[0, :-1], shares, "right")
    low = np.zeros(len(shares), np.intp)
    high = np.full(len(shares), table.shape[1] - 1)
    while (low < high).any():
        middle = (low + high) // 2
        # Where low == high the last threshold, 1, is above every share: high stays.
        up = table[group, middle] <= shares
        low, high = np.where(up, middle + 1, low), np.where(up, high, middle)
    return low


def _check_shares(table: np.ndarray) -> None:
    falling = (np.diff(table, axis=1, prepend=0.0) < 0.0).any(axis=1)
    wrong = falling | ~(np.abs(table[:, -1] - 1.0) < 1e-6)
    if wrong.any():
        row = table[int(wrong.argmax())]
        raise SettingError(
            f"Cumulative shares have to rise to 1: {np.round(row[:12], 6).tolist()}. "
            "Give shares from 0 that sum to one."
        )
