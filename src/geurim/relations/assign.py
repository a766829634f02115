"""Which parent's row a row gets: by kind of row, by how many rows each parent is to have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from geurim.relations.rows import NONE

MANY = 20
"""Parents of so many rows each are chosen by their weight; others by a place for each row."""


def calibrated(
    count: np.ndarray, total: float, rng: np.random.Generator, most: int | None = None
) -> np.ndarray:
    """Counts (N,) int64 brought near `total` by one factor and a lot; as they are within 2%."""
    now = float(count.sum())
    if now <= 0 or abs(now / max(total, 1e-9) - 1) <= 0.02:
        found = count.astype(np.int64)
    else:
        found = np.floor(count * (total / now) + rng.random(len(count))).astype(np.int64)
    return found if most is None else np.minimum(found, most)


def pick(
    wanted: np.ndarray,
    there: np.ndarray,
    rng: np.random.Generator,
    weight: np.ndarray | None = None,
) -> np.ndarray:
    """For each of `wanted` (N,) a row of `there` (M,) of the same code, by lot; NONE without one.

    `weight` (M,): how likely each row is among its like; a code whose rows all weigh nothing is
    drawn evenly.
    """
    order = np.argsort(there, kind="stable")
    sorted_ = there[order]
    low = np.searchsorted(sorted_, wanted, "left")
    high = np.searchsorted(sorted_, wanted, "right")
    u = rng.random(len(wanted))
    if not len(order):
        return np.full(len(wanted), NONE, np.int64)
    place = low + np.floor(u * (high - low)).astype(np.int64)
    if weight is not None:
        mass = np.append(0.0, np.cumsum(weight[order].astype(float)))
        span = mass[high] - mass[low]
        heavy = np.searchsorted(mass, mass[low] + u * span, "right") - 1
        place = np.where(span > 0, np.clip(heavy, low, np.maximum(high - 1, low)), place)
    found = order[np.minimum(place, len(order) - 1)]
    return np.asarray(np.where(high > low, found, NONE))


def share_out(
    wanted: np.ndarray, there: np.ndarray, count: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """For each of `wanted` (N,) a row of `there` (M,), each used about `count` (M,) times.

    Rows are used by those of the same code first; what is left over goes where there is room,
    unless parents have many rows each: then the code matters more than the exact count.
    """
    room = calibrated(count, len(wanted), rng)
    slots = np.repeat(np.arange(len(there)), room)
    slots = slots[rng.permutation(len(slots))]
    rows = rng.permutation(len(wanted))
    found = np.full(len(wanted), NONE, np.int64)
    rows = rows[np.argsort(wanted[rows], kind="stable")]
    slots = slots[np.argsort(there[slots], kind="stable")]
    # The i-th row of a code takes the i-th place of that code.
    place = np.searchsorted(there[slots], wanted[rows], "left")
    rank = np.arange(len(rows)) - np.searchsorted(wanted[rows], wanted[rows], "left")
    end = np.searchsorted(there[slots], wanted[rows], "right")
    fits = place + rank < end
    found[rows[fits]] = slots[(place + rank)[fits]]
    left = np.flatnonzero(found < 0)
    if not len(left):
        return found
    if len(there) and len(wanted) / len(there) >= MANY:
        found[left] = pick(wanted[left], there, rng, count)
        left = np.flatnonzero(found < 0)
    used = np.zeros(len(slots), bool)
    used[(place + rank)[fits]] = True
    free = slots[~used]
    free = free[rng.permutation(len(free))][: len(left)]
    found[left[: len(free)]] = free
    left = left[len(free) :]
    if len(left):
        everyone = np.zeros(len(there), np.int64)
        found[left] = pick(np.zeros(len(left), np.int64), everyone, rng, count)
    return found


def repeated(codes: np.ndarray) -> np.ndarray:
    """The rows (K,) whose code (N,) stands in a row before them; negative codes never do."""
    first = np.unique(codes, return_index=True)[1]
    again = np.ones(len(codes), bool)
    again[first] = False
    return np.flatnonzero(again & (codes >= 0))


def settle_pairs(
    group: np.ndarray,
    chosen: np.ndarray,
    wanted: np.ndarray,
    there: np.ndarray,
    weight: np.ndarray,
    rng: np.random.Generator,
    pool: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Choices (N,) of which no two of one group are the same, and a mask of rows that got none.

    `group` (N,): what else tells rows apart. Choices are drawn again, first among rows of the
    wanted code, then by weight among all, then among all that the group has not. `pool`: codes
    (N,) and (M,) that a row and its choice must share, whatever is drawn.
    """
    chosen = chosen.copy()
    size = max(len(there), 1)
    mine, theirs = pool or (np.zeros(len(chosen), np.int64), np.zeros(len(there), np.int64))
    for attempt in range(24):
        rows = repeated(np.where(chosen >= 0, group * size + chosen, -1))
        if not len(rows):
            break
        if attempt < 12:
            new = pick(wanted[rows], there, rng, weight if attempt < 6 else None)
        else:
            new = pick(mine[rows], theirs, rng, weight)
        chosen[rows] = np.where(new >= 0, new, chosen[rows])
    lost = np.zeros(len(chosen), bool)
    left = repeated(np.where(chosen >= 0, group * size + chosen, -1))
    if len(left):
        order = np.argsort(group, kind="stable")
        low = np.searchsorted(group[order], group[left], "left")
        high = np.searchsorted(group[order], group[left], "right")
    for i, row in enumerate(left):  # few are left: each is given one that its group has not
        others = order[low[i] : high[i]]
        taken = chosen[others[(others != row) & ~lost[others]]]
        free = np.setdiff1d(np.flatnonzero(theirs == mine[row]), taken)
        if len(free):
            chosen[row] = rng.choice(free)
        else:
            lost[row] = True
    return chosen, lost


def distinct(
    chosen: np.ndarray, rows: int, weight: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Choices (N,) among `rows` of which no two are the same; NONE where there are too few."""
    chosen = chosen.copy()
    bad = repeated(chosen)
    free = np.setdiff1d(np.arange(rows), np.delete(chosen, bad))
    order = np.argsort(-(weight[free] > 0).astype(float) - rng.random(len(free)) / 2)
    new = np.full(len(bad), NONE, np.int64)
    new[: min(len(bad), len(free))] = free[order][: len(bad)]
    chosen[bad] = new
    return chosen


def hierarchy(
    depth: np.ndarray,
    owner: np.ndarray,
    weight: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """A parent of the same table for each row (N,): one step nearer to the root, of its owner.

    `depth` (N,): as drawn; -1 for rows on a cycle, which get any other row. `owner` (N,): zeros
    where parents may be of anyone. A row that finds no parent is a root.
    """
    up = np.full(len(depth), NONE, np.int64)
    tall = int(depth.max(initial=0)) + 2
    key = owner * tall + np.maximum(depth, 0)
    for level in range(1, tall - 1):
        # A level that nobody is on is skipped, so that no branch hangs in the air.
        mine = np.flatnonzero(depth == level)
        for above in range(level - 1, -1, -1):
            if not len(mine):
                break
            some = np.flatnonzero(depth == above)
            got = pick(owner[mine] * tall + above, key[some], rng, weight[some])
            up[mine[got >= 0]] = some[got[got >= 0]]
            mine = mine[got < 0]
    loose = np.flatnonzero(depth < 0)
    if len(loose) and len(depth) > 1:
        other = rng.integers(1, len(depth), len(loose))
        up[loose] = (loose + other) % len(depth)
    return up


def matched(
    wanted: Sequence[np.ndarray],
    offered: Sequence[np.ndarray],
    worth: Sequence[float],
    ordered: Sequence[bool],
    rng: np.random.Generator,
) -> np.ndarray:
    """A prototype for each made row: the nearest one, each used about as often as another.

    `wanted`: each column's codes (N,) of the rows made; `offered`: those (M,) of the prototypes;
    `worth`: each column's weight. Both are few; the best pair is taken, then the next best, and
    rows trade their prototypes while two of them gain by it.
    """
    rows, many = len(wanted[0]), len(offered[0])
    if rows * many > 1_000_000:
        return rng.permutation(np.arange(rows) % many)
    apart = rng.random((rows, many)) * 1e-6
    for mine, theirs, weight, axis in zip(wanted, offered, worth, ordered, strict=True):
        gap = np.abs(mine[:, None] - theirs[None, :])
        size = max(int(mine.max()), int(theirs.max()), 1)
        apart += weight * (gap / size if axis else gap > 0)
    room = np.full(many, -(-rows // many))
    found = np.full(rows, NONE, np.int64)
    for pair in np.argsort(apart, axis=None, kind="stable"):
        row, prototype = divmod(int(pair), many)
        if found[row] < 0 and room[prototype]:
            found[row] = prototype
            room[prototype] -= 1
    return _traded(apart, found)


def _traded(apart: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Prototypes (N,) after all trades between two rows that bring both together nearer."""
    rows = np.arange(len(found))
    for _ in rows:
        other = apart[:, found]  # (N, N): each row with the prototype of each other
        own = other[rows, rows]
        gain = own[:, None] + own[None, :] - other - other.T
        best = gain.argmax(1)
        mutual = rows[(best[best] == rows) & (rows < best) & (gain[rows, best] > 1e-9)]
        if not len(mutual):
            break
        found[mutual], found[best[mutual]] = found[best[mutual]], found[mutual]
    return found
