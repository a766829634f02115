"""Growing one classification tree on binned columns, all nodes of a depth at once.

A split is chosen by its gain in log-likelihood less a charge for what chance alone would gain
(after Akaike 1974: half a unit a free parameter, and the log of the number of candidate cuts).
Categories are put in the order of their first correspondence axis with the target before they
are cut (Fisher 1958: for two classes, such an order holds the best of all cuts).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WIDTH = 128  # codes that a node's row of `step` has room for; above levels.BINS
_COARSE, _FEW_ROWS = 16, 256  # small nodes are cut on a coarser scale
_BUDGET = 1 << 19  # cells of a histogram held at once


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictors:
    """The columns that a tree may look at.

    `codes` (P, N) uint8; `bins[p]`: the number of codes of column p; `ordered[p]`: whether they lie
    on an axis; `coarse[p]` (bins[p],): the same column on a scale of at most 16 codes.
    """

    codes: np.ndarray
    bins: list[int]
    ordered: list[bool]
    coarse: list[np.ndarray]

    @classmethod
    def of(cls, codes: np.ndarray, bins: list[int], ordered: list[bool]) -> Predictors:
        coarse = []
        for p in range(len(bins)):
            if ordered[p]:
                mass = np.bincount(codes[p], minlength=bins[p]).astype(float)
                middle = (np.cumsum(mass) - mass / 2) / max(mass.sum(), 1.0)
                map_ = np.unique((middle * _COARSE).astype(int), return_inverse=True)[1]
            else:
                map_ = np.minimum(np.arange(bins[p]), _COARSE - 1)
            coarse.append(map_ if bins[p] > 1.5 * _COARSE else np.arange(bins[p]))
        return cls(codes=codes, bins=bins, ordered=ordered, coarse=coarse)

    def first(self, columns: int, rows: np.ndarray | None = None) -> Predictors:
        """Only the first columns, and only some rows."""
        codes = self.codes[:columns] if rows is None else self.codes[:columns, rows]
        return Predictors(
            codes=codes,
            bins=self.bins[:columns],
            ordered=self.ordered[:columns],
            coarse=self.coarse[:columns],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Tree:
    """Nodes in order of depth, the root first.

    `feature` (nodes,) int16; `step` (nodes, WIDTH) int32: the next node by the feature's code; a
    leaf's row points to itself.
    """

    feature: np.ndarray
    step: np.ndarray


def grow(
    predictors: Predictors,
    target: np.ndarray,
    classes: int,
    *,
    leaf: int,
    charge: float,
    depth: int = 16,
) -> Tree:
    """Grow a tree that tells `target` (N,) int32 in [0, classes) from the predictors.

    `leaf`: the fewest rows of a leaf. `charge`: how many times Akaike's charge a split must gain.
    """
    codes, rows = predictors.codes, len(target)
    features = [p for p in range(len(predictors.bins)) if predictors.bins[p] > 1]
    xlogx = np.zeros(rows + 1, np.float32)
    xlogx[1:] = np.arange(1, rows + 1) * np.log(np.arange(1, rows + 1))
    scales = {p: _Scale(predictors, p, target, classes) for p in features}
    feature = [np.zeros(1, np.int16)]
    step = [np.zeros((1, WIDTH), np.int32)]
    nodes, front = 1, np.array([0])
    active, place = np.arange(rows), np.zeros(rows, np.int32)
    for _ in range(depth):
        if not features or not len(front):
            break
        total = _table(place, target[active], len(front), classes)
        gain = np.zeros(len(front), np.float32)
        chosen = np.full(len(front), -1)
        left = np.zeros((len(front), WIDTH), bool)
        is_coarse = len(active) < _FEW_ROWS * len(front)
        for p in features:
            pair, map_ = scales[p].pair(active, is_coarse)
            net, below = _best_cuts(
                place, pair, total, scales[p].size(is_coarse), scales[p].axis, xlogx, leaf, charge
            )
            net -= charge * np.log(len(features))
            better = np.flatnonzero(net > gain)
            gain[better], chosen[better] = net[better], p
            left[better, : len(map_)] = below[better][:, map_]
        free = np.maximum((total > 0).sum(1) - 1, 1)
        split = np.flatnonzero((chosen >= 0) & (gain > 0.5 * charge * free))
        if not len(split):
            break
        child = nodes + 2 * np.arange(len(split))
        _place(feature, front[split], chosen[split])
        _place(step, front[split], np.where(left[split], child[:, None], child[:, None] + 1))
        feature.append(np.zeros(2 * len(split), np.int16))
        own = np.arange(nodes, nodes + 2 * len(split), dtype=np.int32)
        step.append(np.repeat(own, WIDTH).reshape(-1, WIDTH))
        nodes += 2 * len(split)
        local = np.full(len(front), -1)
        local[split] = np.arange(len(split))
        stays = local[place] >= 0
        active, old = active[stays], place[stays]
        side = ~left[old, codes[chosen[old], active]]
        active, place, front = _open(
            active, 2 * local[old] + side, nodes - 2 * len(split), target, classes, 2 * leaf
        )
    return Tree(feature=np.concatenate(feature), step=np.concatenate(step))


class _Scale:
    """One column's codes joined with the target, fine and coarse, for counting both at once."""

    def __init__(self, predictors: Predictors, p: int, target: np.ndarray, classes: int) -> None:
        codes, self._coarse = predictors.codes[p], predictors.coarse[p]
        self._bins = predictors.bins[p]
        self._small = int(self._coarse.max()) + 1
        self._fine_pair = codes.astype(np.int32) * classes + target
        self._coarse_pair = self._fine_pair
        if self._small < self._bins:
            self._coarse_pair = self._coarse.astype(np.int32)[codes] * classes + target
        self.axis = None
        if not predictors.ordered[p] and self._bins > 2:
            self.axis = _correspondence(self._fine_pair, self._bins, classes)

    def size(self, coarse: bool) -> int:
        return self._small if coarse else self._bins

    def pair(self, active: np.ndarray, coarse: bool) -> tuple[np.ndarray, np.ndarray]:
        """Code and class in one number for the active rows, and each code's place on this scale."""
        if coarse:
            return self._coarse_pair[active], self._coarse
        return self._fine_pair[active], np.arange(self._bins)


def _correspondence(pair: np.ndarray, bins: int, classes: int) -> np.ndarray:
    """The classes' scores (classes,) on the first correspondence axis with a column's codes."""
    table = np.bincount(pair, minlength=bins * classes).reshape(bins, classes).astype(float)
    row, column = table.sum(1, keepdims=True), table.sum(0, keepdims=True)
    expected = row * column / table.sum()
    residual = (table - expected) / np.sqrt(np.maximum(expected, 1e-9))
    axis = np.linalg.svd(residual, full_matrices=False)[2][0]
    scores: np.ndarray = axis / np.sqrt(np.maximum(column[0], 1.0))
    return scores.astype(np.float32)


def _table(row: np.ndarray, column: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Counts (rows, columns) of pairs."""
    table = np.bincount(row * columns + column, minlength=rows * columns)
    return table.reshape(rows, columns)


def _place(levels: list[np.ndarray], nodes: np.ndarray, values: np.ndarray) -> None:
    """Write values of nodes, all in the last depth's array, whose first node is counted here."""
    first = sum(len(level) for level in levels[:-1])
    levels[-1][nodes - first] = values


def _open(
    active: np.ndarray,
    child: np.ndarray,
    first: int,
    target: np.ndarray,
    classes: int,
    least: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows, their places and the nodes of those children that could be split again."""
    count = _table(child, target[active], int(child.max()) + 1, classes)
    size = count.sum(1)
    opened = (size >= least) & (count.max(1) < size)
    local = np.full(len(opened), -1, np.int32)
    local[opened] = np.arange(opened.sum())
    place = local[child]
    stays = place >= 0
    return active[stays], place[stays], first + np.flatnonzero(opened)


def _best_cuts(
    place: np.ndarray,
    pair: np.ndarray,
    total: np.ndarray,
    bins: int,
    axis: np.ndarray | None,
    xlogx: np.ndarray,
    leaf: int,
    charge: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Each node's best cut on one column: net gain (nodes,), codes that go left (nodes, bins)."""
    nodes, classes = total.shape
    counts = _table(place, pair, nodes, bins * classes).astype(np.int32)
    counts = counts.reshape(nodes, bins, classes)
    gains = np.empty(nodes, np.float32)
    left = np.zeros((nodes, bins), bool)
    chunk = max(1, _BUDGET // (bins * classes))
    for start in range(0, nodes, chunk):
        some = slice(start, start + chunk)
        count, all_rows = counts[some], total[some].astype(np.int32)
        size = count.sum(2)
        order = None
        if axis is not None:
            mean = (count @ axis) / np.maximum(size, 1)
            mean[size == 0] = np.inf
            order = np.argsort(mean, 1)
            count = count[np.arange(len(count))[:, None], order]
            size = np.take_along_axis(size, order, 1)
        below = np.cumsum(count[:, :-1], 1)
        n_below = np.cumsum(size[:, :-1], 1)
        n_all = all_rows.sum(1)
        n_above = n_all[:, None] - n_below
        gain = xlogx[below].sum(2)
        gain += xlogx[all_rows[:, None] - below].sum(2)
        gain -= xlogx[n_below] + xlogx[n_above]
        gain -= (xlogx[all_rows].sum(1) - xlogx[n_all])[:, None]
        gain[(n_below < leaf) | (n_above < leaf)] = -1.0
        cut = gain.argmax(1)
        cuts = np.maximum((size > 0).sum(1) - 1, 1)
        gains[some] = gain[np.arange(len(cut)), cut] - charge * np.log(cuts)
        low = np.arange(bins) <= cut[:, None]
        if order is None:
            left[some] = low
        else:
            np.put_along_axis(left[some], order, low, 1)
    return gains, left
