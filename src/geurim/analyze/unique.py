"""Columns whose values come together once only, and columns that rise from row to row."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from math import lgamma

import numpy as np

from geurim.analyze.collect import Column
from geurim.contract import Json

EXPECTED = 25  # pairs of rows that chance alone would have made alike: see `rules`
MOST = 30  # columns looked at
LEAST = 30  # rows


def unique(columns: Mapping[str, Column], names: list[str]) -> list[dict[str, Json]]:
    """Pairs of columns of which no two rows have the same values, though each column repeats.

    Were the two independent, E pairs of rows would agree, and none with a chance of about
    exp(-E): only E of 25 or more counts. A thinned table is not judged: what was left out could
    have repeated.
    """
    able = [n for n in names if not columns[n].thinned and columns[n].missing_rows == 0]
    able = [n for n in able if 1 < columns[n].distinct < columns[n].rows][:MOST]
    found: list[dict[str, Json]] = []
    if not able or columns[able[0]].rows < LEAST:
        return found
    rows = columns[able[0]].rows
    codes = {n: columns[n].encoded[0].astype(np.int64) for n in able}
    size = {n: int(codes[n].max()) + 1 for n in able}
    alike = {n: float(((np.bincount(codes[n]) / rows) ** 2).sum()) for n in able}
    glance = np.arange(0, rows, max(1, rows // 2_000))
    for one, other in combinations(able, 2):
        if size[one] * size[other] < rows:
            continue
        expected = rows * (rows - 1) / 2 * alike[one] * alike[other]
        if expected < EXPECTED:
            continue
        keys = codes[one] * size[other] + codes[other]
        if len(np.unique(keys[glance])) == len(glance) and len(np.unique(keys)) == rows:
            found.append({"kind": "unique", "columns": [one, other], "breaks": int(expected)})
    return found


def rising(columns: Mapping[str, Column], roles: Mapping[str, str]) -> list[dict[str, Json]]:
    """Columns that never fall, or never rise, from one row to the next.

    Of all orders of the values so few are sorted that chance gives one with at most exp(-25).
    """
    found: list[dict[str, Json]] = []
    for name, column in columns.items():
        if roles[name] not in ("number", "datetime") or not column.ordered:
            continue
        values = column.axis
        values = values[~np.isnan(values)]
        if len(values) < LEAST:
            continue
        for kind, steps in (("rising", np.diff(values)), ("falling", -np.diff(values))):
            if not (steps < 0).any():
                ties = column.points[1]
                rare = lgamma(len(values) + 1) - sum(lgamma(t + 1) for t in ties.tolist())
                if rare >= EXPECTED:
                    found.append({"kind": kind, "column": name, "breaks": len(ties) - 1})
    return found
