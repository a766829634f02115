"""A column given the columns before it: a mixture of trees, ready to be drawn from.

Each tree is grown on its own half of the rows (two trees share a split of the rows: one half
each), so that they err apart, and its leaves are filled with all rows. A draw picks one tree at
random, falls to a leaf, and takes the level of one of the leaf's rows: that is a draw from the
average of the trees' distributions, at the price of one tree.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from geurim.generators._grow import WIDTH, Predictors, Tree, grow


@dataclass(frozen=True, kw_only=True, eq=False)
class Forest:
    """The trees of one column, their nodes numbered through.

    `roots` (trees,); `feature` (nodes,); `step` (nodes, WIDTH): the next node by the feature's
    code, a leaf's row points to itself; `start`, `count` (nodes,): where a leaf's rows stand in
    `levels` (trees * rows,), sorted within a leaf; count is 0 at inner nodes.
    """

    roots: np.ndarray
    feature: np.ndarray
    step: np.ndarray
    start: np.ndarray
    count: np.ndarray
    levels: np.ndarray

    def draw(self, codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Levels (N,) int64 drawn for rows whose earlier columns have `codes` (P, N) uint8."""
        bits = rng.integers(0, 2**64, codes.shape[1], dtype=np.uint64)
        # 16 bits pick the tree, 32 others the row in its leaf.
        pick = ((bits & np.uint64(0xFFFF)) * np.uint64(len(self.roots))) >> np.uint64(16)
        leaf = self._roots.take(pick.astype(np.intp))
        if len(self.feature) > len(self.roots):
            leaf = _fall(leaf, codes, self._offset, self._step, self._is_leaf)
        row = ((bits >> np.uint64(32)) * self._count.take(leaf)) >> np.uint64(32)
        drawn = self.levels.take(self._start.take(leaf) + row.astype(np.intp))
        return np.asarray(drawn, np.int64)

    # What follows is the same as the fields, in the types that make gathering fast.

    @cached_property
    def _roots(self) -> np.ndarray:
        return self.roots.astype(np.intp)

    @cached_property
    def _offset(self) -> np.ndarray:
        return self.feature.astype(np.intp)

    @cached_property
    def _step(self) -> np.ndarray:
        return self.step.astype(np.int32).ravel()

    @cached_property
    def _is_leaf(self) -> np.ndarray:
        return self.count > 0

    @cached_property
    def _start(self) -> np.ndarray:
        return self.start.astype(np.intp)

    @cached_property
    def _count(self) -> np.ndarray:
        return self.count.astype(np.uint64)

    def arrays(self) -> dict[str, np.ndarray]:
        """The fields, for a model file."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def _fall(
    node: np.ndarray, codes: np.ndarray, offset: np.ndarray, step: np.ndarray, is_leaf: np.ndarray
) -> np.ndarray:
    """The leaf (N,) intp that each row reaches from its `node`; `codes` (P, N) uint8."""
    rows = codes.shape[1]
    flat = np.ascontiguousarray(codes).ravel()
    offset = offset * rows
    reached, active, here = node.copy(), np.arange(rows), node
    while len(active):
        code = flat.take(offset.take(here) + active)
        here = step.take(here * WIDTH + code).astype(np.intp)
        done = is_leaf.take(here)
        # Rows that have arrived stay where they are; thinning them out costs, so not every time.
        if np.count_nonzero(done) > 0.25 * len(done):
            reached[active] = here
            going = np.flatnonzero(~done)
            active, here = active.take(going), here.take(going)
    return reached


def learn(
    predictors: Predictors,
    levels: np.ndarray,
    group: np.ndarray,
    rng: np.random.Generator,
    *,
    trees: int,
    leaf: int,
    charge: float,
    grow_rows: int,
) -> Forest:
    """Learn `levels` (N,) given the predictors.

    `group` (levels,): the coarse class of each level, by which splits are chosen. A tree is grown
    on half of the rows, and on at most `grow_rows`.
    """
    target = group[levels].astype(np.int32)
    classes = int(group.max(initial=0)) + 1
    columns, rows = len(predictors.bins), len(levels)
    grown = []
    shuffled = np.arange(rows)
    for i in range(trees if columns else 1):
        if i % 2 == 0:
            shuffled = rng.permutation(rows)
        half = np.sort(shuffled[i % 2 :: 2][:grow_rows]) if rows > 1 else shuffled
        some = predictors.of_rows(half)
        grown.append(grow(some, target[half], classes, leaf=leaf, charge=charge))
    return _fill(grown, predictors.codes, levels, len(group))


def _fill(trees: list[Tree], codes: np.ndarray, levels: np.ndarray, scale: int) -> Forest:
    """The trees as one forest, with the rows' levels in their leaves."""
    small = np.uint16 if scale <= 2**16 else np.uint32
    first = np.cumsum([0] + [len(t.feature) for t in trees])
    counts, starts, filled = [], [], []
    for i, tree in enumerate(trees):
        nodes = len(tree.feature)
        is_leaf = tree.step[:, 0] == np.arange(nodes)
        at = np.zeros(len(levels), np.intp)
        if nodes > 1:
            at = _fall(at, codes, tree.feature.astype(np.intp), tree.step.ravel(), is_leaf)
        count = np.bincount(at, minlength=nodes)
        counts.append(count)
        starts.append(np.cumsum(count) - count + i * len(levels))
        # One number a row sorts faster than an order of rows.
        filled.append((np.sort(at * scale + levels) % scale).astype(small))
    total = int(first[-1])
    return Forest(
        roots=first[:-1].astype(np.uint32),
        feature=np.concatenate([t.feature for t in trees]),
        step=np.concatenate([t.step + n for t, n in zip(trees, first, strict=False)]).astype(
            np.uint16 if total < 2**16 else np.uint32
        ),
        start=np.concatenate(starts).astype(np.int64),
        count=np.concatenate(counts).astype(np.uint32),
        levels=np.concatenate(filled),
    )
