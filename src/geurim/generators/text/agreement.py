"""How far two judges agree, and which verdicts survive when the order is swapped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from geurim.errors import DataError
from geurim.verify.stats import Z, wilson


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Two judges on the same items."""

    share: float  # of items they agree on; NaN where nothing was judged by both
    share_low: float  # Wilson 1927
    share_high: float
    kappa: float  # beyond chance: 1 always, 0 as by chance; NaN where one verdict is all there is
    kappa_low: float
    kappa_high: float
    count: int  # items judged by both


def agreement(first: Sequence[Any], second: Sequence[Any]) -> Agreement:
    """The share on which two judges agree, and Cohen's kappa (1960), each with its 95% interval.

    Verdicts are labels of any kind, compared for equality; items that one of them could not judge
    (None or NaN) are left out. The interval of kappa is the large-sample one of Fleiss, Cohen and
    Everitt (1969): too narrow below some 50 items.
    """
    if len(first) != len(second):
        raise DataError(f"{len(first)} verdicts cannot be compared with {len(second)}.")
    pairs = [
        (one, other)
        for one, other in zip(first, second, strict=True)
        if not _missing(one) and not _missing(other)
    ]
    count = len(pairs)
    hits = sum(one == other for one, other in pairs)
    low, high = wilson(hits, count)
    kappa, error = _kappa(pairs)
    return Agreement(
        share=hits / count if count else math.nan,
        share_low=low,
        share_high=high,
        kappa=kappa,
        kappa_low=max(-1.0, kappa - Z * error),
        kappa_high=min(1.0, kappa + Z * error),
        count=count,
    )


def _missing(verdict: Any) -> bool:
    return verdict is None or (isinstance(verdict, float | np.floating) and math.isnan(verdict))


def _kappa(pairs: list[tuple[Any, Any]]) -> tuple[float, float]:
    """Cohen's kappa and its standard error."""
    labels = {label: i for i, label in enumerate(dict.fromkeys(v for pair in pairs for v in pair))}
    if len(labels) < 2:
        return math.nan, math.nan
    p = np.zeros((len(labels), len(labels)))
    for one, other in pairs:
        p[labels[one], labels[other]] += 1 / len(pairs)
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    observed, chance = float(np.trace(p)), float(rows @ columns)
    if chance >= 1:
        return math.nan, math.nan
    kappa = (observed - chance) / (1 - chance)
    agree = np.diag(p) @ (1 - (rows + columns) * (1 - kappa)) ** 2
    # A cell (i, j) off the diagonal weighs by how often the others say i and j: column i, row j.
    crossed = (columns[:, None] + rows[None, :]) ** 2
    apart = (1 - kappa) ** 2 * float((p * crossed).sum() - (np.diag(p) * np.diag(crossed)).sum())
    variance = (agree + apart - (kappa - chance * (1 - kappa)) ** 2) / (
        len(pairs) * (1 - chance) ** 2
    )
    return kappa, math.sqrt(max(0.0, float(variance)))


@dataclass(frozen=True, kw_only=True)
class Swapped:
    """Verdicts on pairs that were judged twice, in both orders."""

    kept: np.ndarray  # (N,) bool: both orders give the same winner
    a_wins: np.ndarray  # (N,) bool; means something only where kept
    share: float  # of pairs kept; NaN where there are none
    first_place: float  # of the pairs whose verdict turned: the share won by what was shown first
    turned: int  # pairs with two verdicts that contradict each other


def swapped(a_wins_first: Sequence[Any], a_wins_second: Sequence[Any]) -> Swapped:
    """Keep the pairs on which a judge gives the same winner in both orders.

    `a_wins_first`: whether A wins where A is shown first; `a_wins_second`: whether A wins where B
    is shown first. True or 1, False or 0; a tie (0.5), None or NaN is no verdict. (Zheng et al.
    2023, Judging LLM-as-a-Judge, section 3.4.)
    """
    if len(a_wins_first) != len(a_wins_second):
        raise DataError(f"{len(a_wins_first)} verdicts cannot be paired with {len(a_wins_second)}.")
    first, second = _verdicts(a_wins_first), _verdicts(a_wins_second)
    both = (first != 0) & (second != 0)
    kept, turned = both & (first == second), both & (first != second)
    return Swapped(
        kept=kept,
        a_wins=first > 0,
        share=float(kept.mean()) if len(kept) else math.nan,
        first_place=float((first[turned] > 0).mean()) if turned.any() else math.nan,
        turned=int(turned.sum()),
    )


def _verdicts(given: Sequence[Any]) -> np.ndarray:
    """(N,) 1: A wins, -1: B wins, 0: no verdict."""
    found = np.zeros(len(given), dtype=np.int8)
    for place, verdict in enumerate(given):
        if not _missing(verdict) and float(verdict) in (0.0, 1.0):
            found[place] = 1 if float(verdict) else -1
    return found
