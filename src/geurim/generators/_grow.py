"""Growing one classification tree on binned columns, all nodes of a depth at once.

A split is chosen by its gain in log-likelihood less a charge for what chance alone would gain
(after Akaike 1974: half a unit a free parameter, and the log of the number of candidate cuts).
Categories are put in the order of their first correspondence axis with the target before they
are cut (Fisher 1958: for two classes, such an order holds the best of all cuts).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

WIDTH = 128  # codes that a node's row of `step` has room for; above levels.BINS
_COARSE, _FEW_ROWS = 16, 256  # small nodes are cut on a coarser scale
_BUDGET = 1 << 18


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

    def of_columns(self, columns: np.ndarray) -> Predictors:
        """Only some of the columns."""
        return Predictors(
            codes=self.codes[columns],
            bins=[self.bins[p] for p in columns],
            ordered=[self.ordered[p] for p in columns],
            coarse=[self.coarse[p] for p in columns],
        )

    def of_rows(self, rows: np.ndarray) -> Predictors:
        """Only some of the rows."""
        return replace(self, codes=self.codes[:, rows])

    def telling(self, target: np.ndarray, classes: int, most: int) -> np.ndarray:
        """The places, in order, of the `most` columns that say most about `target` (N,)."""
        rows = slice(None, None, max(1, len(target) // 5_000))
        known = []
        for p, coarse in enumerate(self.coarse):
            table = _table(
                coarse[self.codes[p, rows]], target[rows], int(coarse.max()) + 1, classes
            )
            share = table / max(table.sum(), 1)
            chance = share.sum(1, keepdims=True) * share.sum(0, keepdims=True)
            ratio = np.divide(share, chance, out=np.ones_like(share), where=share > 0)
            known.append(float((share * np.log(ratio)).sum()))
        return np.sort(np.argsort(known, kind="stable")[::-1][:most])


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
    features = np.flatnonzero(np.array(predictors.bins) > 1)
    xlogx = np.zeros(rows + 1, np.float32)
    xlogx[1:] = np.arange(1, rows + 1) * np.log(np.arange(1, rows + 1))
    scales = _Scales(predictors, target, classes)
    feature = [np.zeros(1, np.int16)]
    step = [np.zeros((1, WIDTH), np.int32)]
    nodes, front = 1, np.array([0])
    active, place = np.arange(rows), np.zeros(rows, np.int32)
    for _ in range(depth):
        if not len(features) or not len(front):
            break
        total = _table(place, target[active], len(front), classes)
        gain = np.zeros(len(front), np.float32)
        chosen = np.full(len(front), -1)
        left = np.zeros((len(front), WIDTH), bool)
        coarse = len(active) < _FEW_ROWS * len(front)
        for some in scales.batches(features, coarse, len(front)):
            pairs, bins, axes = scales.of(some, coarse, active)
            net, below = _best_cuts(place, pairs, total, bins, axes, xlogx, leaf, charge)
            for i, p in enumerate(some):
                better = np.flatnonzero(net[i] - charge * np.log(len(features)) > gain)
                gain[better] = net[i, better] - charge * np.log(len(features))
                chosen[better] = p
                map_ = scales.map(p, coarse)
                left[better, : len(map_)] = below[i][better][:, map_]
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


class _Scales:
    """All columns' codes joined with the target, fine and coarse, for counting both at once."""

    def __init__(self, predictors: Predictors, target: np.ndarray, classes: int) -> None:
        self._classes = classes
        self._fine_bins = np.array(predictors.bins, np.int64)
        self._coarse = predictors.coarse
        self._coarse_bins = np.array([int(c.max(initial=0)) + 1 for c in self._coarse], np.int64)
        codes = predictors.codes
        self._fine = codes.astype(np.int32) * classes + target
        self._rough = self._fine.copy()
        for p in np.flatnonzero(self._coarse_bins < self._fine_bins):
            self._rough[p] = self._coarse[p].astype(np.int32)[codes[p]] * classes + target
        # Two categories need no order.
        self._nominal = ~np.array(predictors.ordered, bool) & (self._fine_bins > 2)
        self._axes = np.zeros((len(codes), classes), np.float32)
        for p in np.flatnonzero(self._nominal):
            self._axes[p] = _correspondence(self._fine[p], predictors.bins[p], classes)

    def batches(self, features: np.ndarray, coarse: bool, nodes: int) -> Iterator[np.ndarray]:
        """Columns that are counted together: of one kind, and no more than fit the budget."""
        bins = self._coarse_bins if coarse else self._fine_bins
        for nominal in (False, True):
            kind = features[self._nominal[features] == nominal]
            kind = kind[np.argsort(-bins[kind], kind="stable")]
            while len(kind):
                # All are counted on as many codes as the first has: alike sizes waste little.
                cells = bins[kind[0]] * nodes * self._classes
                alike = int((bins[kind] >= 0.75 * bins[kind[0]]).sum())
                fit = min(alike, max(1, int(_BUDGET // cells)))
                yield kind[:fit]
                kind = kind[fit:]

    def of(
        self, some: np.ndarray, coarse: bool, active: np.ndarray
    ) -> tuple[np.ndarray, int, np.ndarray | None]:
        """Code and class in one number (F, A), the number of codes, and the classes' scores."""
        pairs = self._rough if coarse else self._fine
        bins = int((self._coarse_bins if coarse else self._fine_bins)[some].max())
        axes = self._axes[some] if self._nominal[some[0]] else None
        return pairs[some[:, None], active], bins, axes

    def map(self, p: int, coarse: bool) -> np.ndarray:
        """Each code's place on the scale that was counted."""
        return self._coarse[p] if coarse else np.arange(self._fine_bins[p])


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
    pairs: np.ndarray,
    total: np.ndarray,
    bins: int,
    axes: np.ndarray | None,
    xlogx: np.ndarray,
    leaf: int,
    charge: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Each node's best cut on each column: net gain (F, nodes), codes to the left (F, nodes, bins).

    `place` (A,): the rows' nodes; `pairs` (F, A): their code and class on each of F columns.
    """
    columns, (nodes, classes) = len(pairs), total.shape
    cells = columns * nodes
    at = place + nodes * np.arange(columns, dtype=np.int64)[:, None]
    counts = _table(at.ravel(), pairs.ravel(), cells, bins * classes).astype(np.int32)
    counts = counts.reshape(cells, bins, classes)
    gains = np.empty(cells, np.float32)
    left = np.zeros((cells, bins), bool)
    chunk = max(1, _BUDGET // (bins * classes))
    for start in range(0, cells, chunk):
        some = slice(start, start + chunk)
        which = np.arange(cells)[some]
        count, all_rows = counts[some], total[which % nodes].astype(np.int32)
        size = count.sum(2)
        order = None
        if axes is not None:
            mean = (count @ axes[which // nodes][:, :, None])[:, :, 0] / np.maximum(size, 1)
            mean[size == 0] = np.inf
            order = np.argsort(mean, 1)
            row = np.arange(len(count))[:, None]
            count, size = count[row, order], size[row, order]
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
    return gains.reshape(columns, nodes), left.reshape(columns, nodes, bins)
