"""Fair? Are groups of people treated in the synthetic rows as in the real ones, or worse?

Groups are the values of sensitive columns, and of two of them together. Synthetic rows can be
unfairer than real ones in three ways: they drop people (`group_share`), they widen the gap between
groups in an outcome (`outcome_gap`: bias amplification, Zhao et al. 2017), or a model that learns
from them errs on one group more than a model that learned from real rows (`odds_gap`, in odds.py:
equalized odds, Hardt, Price & Srebro 2016). Whether the real rows are
fair is another question: these compare with them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from geurim.contract import Finding, Json
from geurim.html import percent
from geurim.verify import stats
from geurim.verify.compare import Comparison
from geurim.verify.groups import Groups, Outcome, all_groups, kept_groups, outcomes, too_few
from geurim.verify.verdict import judge, not_judged


def group_shares(c: Comparison) -> list[Finding]:
    """The group that shrank most: its share of the synthetic rows against the real ones."""
    return [_group_share(c, groups) for groups in all_groups(c)]


def _group_share(c: Comparison, groups: Groups) -> Finding:
    kept = kept_groups(groups, c.training)
    if len(kept) < 2:
        return too_few("group_share", groups)
    tables = (c.training, c.holdout, c.synthetic)
    hits = [groups.counts(t)[kept] for t in tables]
    shares = [h / t.count for h, t in zip(hits, tables, strict=True)]
    loss, error = _losses(hits[0], c.training.count, hits[2], c.synthetic.count)
    reference, other = _losses(hits[0], c.training.count, hits[1], c.holdout.count)
    drift = np.maximum(0.0, reference - other)
    at = int(np.argmax(loss - drift - 2 * error))
    value = float(loss[at])
    over = value - float(drift[at])
    low = over - float(error[at])
    return Finding(
        question="fair",
        name="group_share",
        value=value,
        low=value - float(error[at]),
        high=value + float(error[at]),
        reference=float(reference[at]),
        count=int(hits[0][at] + hits[2][at]),
        verdict=judge("group_share", over, low, over + float(error[at]), tests=len(kept)),
        text=f"{groups.called(int(kept[at]))} makes up {percent(shares[2][at])} of the synthetic "
        f"rows and {percent(shares[0][at])} of the real ones ({percent(shares[1][at])} in the "
        f"holdout); of {len(kept)} groups this one shrank most.",
        columns=groups.columns,
        details={"groups": _listed(groups, kept, shares, hits)},
    )


def _losses(
    own: np.ndarray, own_rows: int, made: np.ndarray, made_rows: int
) -> tuple[np.ndarray, np.ndarray]:
    """What each group lost of its share (G,), and half of its interval: from the shares' own."""
    loss, half = np.empty(len(own)), np.empty(len(own))
    for i, (a, b) in enumerate(zip(own, made, strict=True)):
        p, q = a / own_rows, b / made_rows
        floor, high = stats.wilson(a, own_rows)[0], stats.wilson(b, made_rows)[1]
        loss[i] = 1 - q / p
        half[i] = math.hypot((high - q) / p, q / p * (p - floor) / max(floor, 1e-12))
    return loss, half


def _listed(
    groups: Groups, kept: np.ndarray, values: Sequence[np.ndarray], rows: Sequence[np.ndarray]
) -> list[Json]:
    """What a plot shows: a row a group, with the values of the three tables."""
    names = ("training", "holdout", "synthetic")
    return [
        {
            "group": groups.names[g],
            **{n: _number(v[i]) for n, v in zip(names, values, strict=True)},
            "rows": {n: int(r[i]) for n, r in zip(names, rows, strict=True)},
        }
        for i, g in enumerate(kept)
    ]


def _number(value: float) -> float | None:
    return None if not np.isfinite(value) else round(float(value), 5)


def outcome_gap(c: Comparison) -> list[Finding]:
    """How much wider the gap between a group and all others is than among the real rows."""
    if not c.sensitive:
        return []
    if c.target is None:
        return [not_judged("fair", "outcome_gap", "Not judged: name a target, the outcome.")]
    wanted = outcomes(next(x for x in c.columns if x.name == c.target), c.training)
    return [_outcome_gap(c, groups, wanted) for groups in all_groups(c)]


def _outcome_gap(c: Comparison, groups: Groups, wanted: list[Outcome]) -> Finding:
    tables = (c.training, c.holdout, c.synthetic)
    kept = kept_groups(groups, c.training, c.holdout, c.synthetic)
    if len(kept) < 2 or not wanted:
        return too_few("outcome_gap", groups)
    best: tuple[float, Finding] | None = None
    tests = 2 * len(kept) * len(wanted)
    for outcome in wanted:
        marks = [outcome.of(t) for t in tables]
        rows = [groups.counts(t, ~np.isnan(m))[kept] for t, m in zip(tables, marks, strict=True)]
        hits = [groups.counts(t, m == 1)[kept] for t, m in zip(tables, marks, strict=True)]
        gaps = [_gaps(h, n) for h, n in zip(hits, rows, strict=True)]
        value, error = _beyond(gaps[0], gaps[2])
        reference, other = _beyond(gaps[0], gaps[1])
        drift = np.maximum(0.0, reference - stats.Z * other)
        surely = value - drift - 4 * error
        at = int(np.argmax(surely))
        if best is None or surely[at] > best[0]:
            v, half, less = float(value[at]), float(stats.Z * error[at]), float(drift[at])
            rates = [h / np.maximum(n, 1) for h, n in zip(hits, rows, strict=True)]
            found = Finding(
                question="fair",
                name="outcome_gap",
                value=v,
                low=v - half,
                high=v + half,
                reference=float(reference[at]),
                count=int(rows[0][at] + rows[2][at]),
                verdict=judge(
                    "outcome_gap", v - less, v - less - half, v - less + half, tests=tests
                ),
                text=_gap_text(c, groups.called(int(kept[at])), outcome.name, hits, rows, at, gaps),
                columns=groups.columns,
                details={
                    "outcome": outcome.name,
                    "groups": _listed(groups, kept, rates, rows),
                },
            )
            best = float(surely[at]), found
    assert best is not None
    return best[1]


def _gaps(hits: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each group: its rate less that of all others, and the variance (Agresti & Caffo 2000)."""
    rest_hits, rest = hits.sum() - hits, rows.sum() - rows
    gap = hits / np.maximum(rows, 1) - rest_hits / np.maximum(rest, 1)
    p, q = (hits + 1) / (rows + 2), (rest_hits + 1) / (rest + 2)
    return gap, p * (1 - p) / (rows + 2) + q * (1 - q) / (rest + 2)


def _beyond(
    real: tuple[np.ndarray, np.ndarray], made: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """How far a gap lies beyond all from none to the real one, and the standard error.

    A gap that shrinks is not unfair: its value is negative. One that turns round is counted from
    none: the group that was behind is then ahead.
    """
    sign = np.where(real[0] < 0, -1.0, 1.0)
    grown, turned = sign * (made[0] - real[0]), -sign * made[0]
    wider = grown >= turned
    error = np.sqrt(np.where(wider, real[1], 0.0) + made[1])
    return np.where(wider, grown, turned), error


def _gap_text(
    c: Comparison,
    group: str,
    outcome: str,
    hits: Sequence[np.ndarray],
    rows: Sequence[np.ndarray],
    at: int,
    gaps: Sequence[tuple[np.ndarray, np.ndarray]],
) -> str:
    def rates(k: int) -> str:
        rest = (hits[k].sum() - hits[k][at]) / max(rows[k].sum() - rows[k][at], 1)
        return f"{percent(hits[k][at] / max(rows[k][at], 1))} and {percent(rest)}"

    return (
        f"{c.target!r} = {outcome} holds for {rates(2)} of the synthetic rows of {group} and of "
        f"all others; for {rates(0)} of the real ones. The gap is {_points(gaps[2][0][at])}, and "
        f"{_points(gaps[0][0][at])} among real rows ({_points(gaps[1][0][at])} in the holdout)."
    )


def _points(gap: float) -> str:
    return f"{100 * gap:+.1f} points"
