"""Rare combinations: what comes together among the real rows and never among the synthetic ones,
and what comes together among the synthetic rows only.

Every cell of every pair's two-way table is looked at, and the worst is told. A cell counts where
no luck explains it: a Chernoff bound of the chance, for all cells together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from geurim.contract import Finding
from geurim.html import percent
from geurim.verify import stats
from geurim.verify.compare import Comparison
from geurim.verify.tables import Cut, block_sums, cut, joint_counts
from geurim.verify.verdict import LEVEL, judge, not_judged
from geurim.verify.words import axis_text, value_text

COLUMNS = 60
LEVELS = 12
KEPT = 0.5  # a cell that has at least this part of its real share is not lost
NAMES = ("lost_combinations", "new_combinations")


@dataclass(frozen=True, kw_only=True)
class _Cells:
    """Counts of all cells (K, K) and the rows that they were counted in."""

    counts: np.ndarray
    rows: float

    @property
    def share(self) -> np.ndarray:
        shares: np.ndarray = self.counts / self.rows
        return shares

    @property
    def own(self) -> np.ndarray:
        """The share of each level, (K,)."""
        return np.diag(self.share)


def combinations(c: Comparison) -> list[Finding]:
    """The worst cell that is lost, and the worst that is new."""
    used = [x for x in c.of("axis", "codes") if x.role not in ("constant", "empty")]
    if len(used) > COLUMNS:
        used = [used[i] for i in np.sort(c.rng.choice(len(used), COLUMNS, replace=False))]
    if len(used) < 2:
        return [not_judged("rare", n, "There are fewer than two columns.") for n in NAMES]
    cuts = [cut(x, c.training, LEVELS if len(used) <= 30 else 6) for x in used]
    made, real, held = (_cells(r, cuts) for r in (c.synthetic, c.training, c.holdout))
    above = np.repeat(np.arange(len(cuts)), [x.levels for x in cuts])
    pairs = above[:, None] < above[None, :]
    return [_lost(made, real, held, pairs, cuts), _new(made, real, held, pairs, cuts)]


def _cells(rows: object, cuts: list[Cut]) -> _Cells:
    counts = joint_counts(rows, cuts).sum(axis=0).astype(float)  # type: ignore[arg-type]
    return _Cells(counts=counts, rows=float(block_sums(counts, cuts)[0, 0]))


def _lost(made: _Cells, real: _Cells, held: _Cells, pairs: np.ndarray, cuts: list[Cut]) -> Finding:
    """A cell is lost if its levels are still there by themselves, and the two together are not."""
    kept = made.own > KEPT * real.own
    gone = made.share < KEPT * real.share
    lost = pairs & gone & kept[:, None] & kept[None, :] & (held.share > KEPT * real.share)
    chance = stats.log_chance(made.counts, made.rows, real.counts, real.rows)
    lost &= chance < math.log(LEVEL / max(int(pairs.sum()), 1))
    gap = np.where(lost, real.share - made.share, 0.0)
    i, j = np.unravel_index(int(np.argmax(gap)), gap.shape)
    value = float(gap[i, j])
    what = _words(cuts, int(i), int(j))
    text = (
        f"{what}: {percent(made.share[i, j])} of the synthetic rows, {percent(real.share[i, j])} "
        f"of the real ones. {int(lost.sum()):,} such combinations are lost."
        if value
        else f"Each of the {int(pairs.sum()):,} combinations of two values comes as it should."
    )
    return _finding("lost_combinations", value, made, real, held, (int(i), int(j)), text, cuts)


def _new(made: _Cells, real: _Cells, held: _Cells, pairs: np.ndarray, cuts: list[Cut]) -> Finding:
    """A cell is new if no real row has it, though its levels by themselves are known."""
    known = real.own > 0
    new = pairs & (made.counts > 0) & (real.counts == 0) & known[:, None] & known[None, :]
    both = (real.counts + held.counts, real.rows + held.rows)
    chance = stats.log_chance(made.counts, made.rows, *both)
    new &= (chance < math.log(LEVEL / max(int(pairs.sum()), 1))) & (
        made.share > 2 * both[0] / both[1]
    )
    gap = np.where(new, made.share - held.share, 0.0)
    i, j = np.unravel_index(int(np.argmax(gap)), gap.shape)
    value = float(gap[i, j])
    text = (
        f"{_words(cuts, int(i), int(j))}: {percent(made.share[i, j])} of the synthetic rows, and "
        f"no real one. {int(new.sum()):,} such combinations are new."
        if value
        else "No combination of two known values is new."
    )
    return _finding("new_combinations", value, made, real, held, (int(i), int(j)), text, cuts)


def _words(cuts: list[Cut], *levels: int) -> str:
    ends = np.cumsum([0, *(x.levels for x in cuts)])
    said = []
    for level in levels:
        at = int(np.searchsorted(ends, level, side="right")) - 1
        column = cuts[at].column
        write = axis_text(column.type)
        said.append(f"{column.name!r} {value_text(cuts[at], level - int(ends[at]), write)}")
    return " with ".join(said)


def _finding(
    name: str,
    value: float,
    made: _Cells,
    real: _Cells,
    held: _Cells,
    at: tuple[int, int],
    text: str,
    cuts: list[Cut],
) -> Finding:
    ends = np.cumsum([0, *(x.levels for x in cuts)])
    columns = [cuts[int(np.searchsorted(ends, k, side="right")) - 1].column.name for k in at]
    low, high = stats.difference(made.counts[at], made.rows, real.counts[at], real.rows)
    low, high = sorted((abs(low), abs(high))) if low * high > 0 else (0.0, max(-low, high))
    return Finding(
        question="rare",
        name=name,
        value=value,
        low=float(low) if value else 0.0,
        high=float(high) if value else 0.0,
        reference=float(abs(held.share[at] - real.share[at])) if value else 0.0,
        count=int(made.rows),
        # That it is no luck is known already, so the value itself is judged.
        verdict=judge(name, value, value, value),
        text=text,
        columns=tuple(columns) if value else (),
    )
