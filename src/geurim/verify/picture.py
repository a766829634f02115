"""A picture of both tables: where real and synthetic rows lie, in two dimensions.

The dimensions are the two principal components of the real rows (Pearson 1901), as points of
`manifold.Space`. Real rows are only counted by cell, so that a page shows none of them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from geurim.contract import Json

LEARNED_FROM = 1_000  # rows; a page shows no more than the first two directions
CELLS = 32  # a side
DOTS = 600


def picture(real: np.ndarray, made: np.ndarray) -> Mapping[str, Json]:
    """Both tables as points (N, D) and (M, D), in random order: what `overlay` of the page draws.

    "cells" are (column, row, share of the real rows), "dots" places of synthetic rows from 0 to 1,
    "shares" what the two directions hold of the real rows' variance. Empty where real rows are all
    alike.
    """
    middle = real.mean(axis=0)
    axes, shares = components(real[:LEARNED_FROM] - middle)
    if not len(axes):
        return {}
    places = [(x - middle) @ axes.T for x in (real, made[:DOTS])]
    low, high = (end(np.concatenate(places), axis=0) for end in (np.min, np.max))
    real_at, made_at = ((x - low) / np.maximum(high - low, 1e-12) for x in places)
    at, counts = np.unique(
        np.minimum(real_at * CELLS, CELLS - 1).astype(int), axis=0, return_counts=True
    )
    return {
        "cells": [
            [*at_, round(n / len(real), 5)]
            for at_, n in zip(at.tolist(), counts.tolist(), strict=True)
        ],
        "dots": made_at.round(3).tolist(),
        "shares": [round(float(s), 4) for s in shares],
        "side": CELLS,
        "rows": len(real),
    }


def components(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first two principal components of centred points (N, D): axes (2, D), shares (2,).

    By way of the N x N products, so that the cost does not grow with the square of D. Each axis
    points to where its largest weight is positive. Empty where all points are one.
    """
    products = points.astype(float) @ points.T
    values, vectors = np.linalg.eigh(products)
    values, vectors = values[::-1][:2], vectors[:, ::-1][:, :2]
    total = float(np.trace(products))
    if total < 1e-9 or len(values) < 2:
        return np.empty((0, points.shape[1])), np.empty(0)
    axes = vectors.T @ points
    axes /= np.maximum(np.linalg.norm(axes, axis=1, keepdims=True), 1e-12)
    largest = axes[np.arange(2), np.abs(axes).argmax(axis=1)]
    return axes * np.where(largest < 0, -1.0, 1.0)[:, None], np.maximum(values, 0.0) / total
