"""Membership inference: do the synthetic rows tell who was among the training rows?

Two published attacks give each real row a score; the higher, the likelier it was trained on:

- distance: how near the nearest synthetic row is (Chen, Yu, Zhang & Fritz, "GAN-Leaks", CCS 2020,
  the attack on released rows);
- density: how much denser synthetic rows lie around it than rows of a reference set that nobody
  trained on (van Breugel, Sun, Qian & van der Schaar, "Membership Inference Attacks against
  Synthetic Data through Overfitting Detection" (DOMIAS), AISTATS 2023). The densities are those of
  the nearest 5 rows, where the paper fits kernels or flows: those need numbers only.

Each is tried on training rows against rows held out: the area under the ROC curve, where 0.5 is
guessing, and how many training rows are found at few false alarms (Carlini et al., "Membership
Inference Attacks From First Principles", S&P 2022), which shows a few memorised rows.
"""

from __future__ import annotations

import numpy as np

from geurim.contract import Finding
from geurim.html import percent
from geurim.verify import stats
from geurim.verify.compare import Comparison
from geurim.verify.neighbours import Points, affordable, learned, nearest, points
from geurim.verify.verdict import judge, not_judged

WORK = 8_000_000_000  # values compared in one search
NEAREST = 5
LEAST = 40
FALSE_ALARMS = 0.01
CURVE = (0.0, 0.001, 0.003, 0.01, 0.03, *np.linspace(0.05, 1.0, 20).tolist())
ATTACKS = {
    "membership_distance": "by the distance to the nearest synthetic row",
    "membership_density": "by how much denser synthetic rows lie around a row than real ones",
}


def membership(c: Comparison) -> list[Finding]:
    """AUC, and true positives at few false ones, of two attacks on training and held-out rows."""
    rows = min(c.training.count, c.holdout.count)
    why = "" if c.held_out else "rows that the generator never saw are needed: give a holdout"
    if not learned(c) or min(rows, c.released.count) < LEAST:
        why = why or f"{LEAST} rows of each table and a learned column are needed"
    if why:
        text = f"Membership inference cannot be tried: {why}."
        names = [n + end for n in ATTACKS for end in ("", "_tpr")]
        return [not_judged("private", name, text) for name in names]
    members, others, synthetic = points(c)
    rows = min(affordable(p, synthetic, WORK / 2) for p in (members, others))
    scores = _scores(members.first(rows), others, rows, synthetic)
    return [f for name, (ours, theirs) in scores.items() for f in _findings(name, ours, theirs)]


def _scores(
    members: Points, others: Points, rows: int, synthetic: Points
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Of each attack: the scores of the members (N,), and of rows held out (N,)."""
    near = [nearest(p, synthetic, NEAREST)[0] for p in (members, others.first(rows))]
    # Half of the rows held out are the reference of the other half, and the other way round.
    half = others.count // 2
    halves = others.take(slice(0, half)), others.take(slice(half, None))
    most = max(1, int(WORK / 2 / max(1, rows * len(others.same))))
    far = []
    for targets in (members, others.first(rows)):
        cut = min(half, targets.count // 2) if targets is members else min(half, targets.count)
        parts = targets.take(slice(0, cut)), targets.take(slice(cut, None))
        found = [
            nearest(p, r.first(most), NEAREST)[0]
            for p, r in zip(parts, halves[::-1], strict=True)
            if p.count
        ]
        far.append(np.concatenate(found))
    least = 0.5 / synthetic.unit  # a copy is nearer than anything that the scale can tell apart
    ratio = [
        (np.log(f + least) - np.log(n + least)).mean(axis=1) for n, f in zip(near, far, strict=True)
    ]
    return {
        "membership_distance": (-near[0][:, 0], -near[1][:, 0]),
        "membership_density": (ratio[0], ratio[1]),
    }


def _findings(name: str, members: np.ndarray, others: np.ndarray) -> list[Finding]:
    value, error = stats.auc(members, others)
    half = stats.Z * error
    # The least false alarms of at least 1%, and 10: rows of one score are suspected together.
    edge = np.sort(others)[-max(10, int(FALSE_ALARMS * len(others)))]
    found, wrong = int((members >= edge).sum()), int((others >= edge).sum())
    low, high = stats.wilson(found, len(members))
    tpr, fpr = found / len(members), wrong / len(others)
    under, over = stats.difference(found, len(members), wrong, len(others))
    return [
        Finding(
            question="private",
            name=name,
            value=value,
            low=max(0.0, value - half),
            high=min(1.0, value + half),
            reference=0.5,
            count=len(members),
            verdict=judge(name, value - 0.5, value - 0.5 - half, value - 0.5 + half),
            text=f"Telling training rows from real rows never seen {ATTACKS[name]} is right for "
            f"{value:.1%} of pairs (50% is guessing).",
            details={"roc": _curve(members, others), "false_alarms": list(CURVE)},
        ),
        Finding(
            question="private",
            name=f"{name}_tpr",
            value=tpr,
            low=low,
            high=high,
            reference=fpr,
            count=len(members),
            verdict=judge(f"{name}_tpr", tpr - fpr, under, over),
            text=f"Of the training rows, {percent(tpr)} are found {ATTACKS[name]}, if "
            f"{percent(fpr)} of real rows never seen may be suspected wrongly (as many as that is "
            "guessing).",
        ),
    ]


def _curve(members: np.ndarray, others: np.ndarray) -> list[float]:
    """True positives at the false positives of CURVE."""
    values = np.unique(np.concatenate([members, others]))[::-1]
    hits, alarms = (
        np.concatenate([[0.0], 1 - np.searchsorted(np.sort(s), values, side="left") / len(s)])
        for s in (members, others)
    )
    return [round(float(v), 5) for v in np.interp(CURVE, alarms, hits)]
