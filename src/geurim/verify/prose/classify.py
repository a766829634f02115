"""A linear classifier of texts: logistic regression on sparse vectors, and its cross-fitting.

Solved by L-BFGS (Liu & Nocedal 1989), which needs two products with the matrix a step.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from geurim.curate.duplicates import fingerprints
from geurim.curate.hashes import mixed
from geurim.verify.prose.features import Sparse
from geurim.verify.prose.texts import Texts

FOLDS = 3
STEPS = 30
MEMORY = 8
PENALTY = 0.25  # of the squared weights, as a sum over texts: 1 / (2 C) with C = 2


def fit(rows: Sparse, positive: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights (width,) and bias that tell `positive` (N,) bool; classes count alike."""
    share = positive.mean()
    each = np.where(positive, 0.5 / share, 0.5 / (1 - share)) / len(positive)
    target = positive.astype(float)
    weights = np.zeros(rows.width + 1)
    penalty = 2 * PENALTY / len(positive)

    def cost(at: np.ndarray) -> tuple[float, np.ndarray]:
        logits = rows.times(at[:-1]) + at[-1]
        loss = each @ (np.logaddexp(0, logits) - target * logits)
        wrong = (_sigmoid(logits) - target) * each
        slope = np.append(rows.transposed_times(wrong) + penalty * at[:-1], wrong.sum())
        return float(loss + penalty / 2 * (at[:-1] @ at[:-1])), slope

    weights = _descend(cost, weights)
    return weights[:-1], float(weights[-1])


def _descend(cost: Callable[[np.ndarray], tuple[float, np.ndarray]], at: np.ndarray) -> np.ndarray:
    """The least of a smooth convex cost by L-BFGS, each step halved until it goes down."""
    value, slope = cost(at)
    pairs: list[tuple[np.ndarray, np.ndarray, float]] = []
    for _ in range(STEPS):
        step = -_curved(slope, pairs)
        if not pairs:
            step = step * min(1.0, 1.0 / max(float(np.linalg.norm(slope)), 1e-12)) * 8
        for _ in range(20):
            ahead, now = cost(at + step)
            if ahead <= value + 1e-4 * float(step @ slope):
                break
            step = step / 2
        else:
            break
        bend = float(step @ (now - slope))
        if bend > 0:
            pairs = [*pairs[1 - MEMORY :], (step, now - slope, bend)]
        done = value - ahead < 1e-4 * max(ahead, 1e-3)
        at, value, slope = at + step, ahead, now
        if done:
            break
    return at


def _curved(slope: np.ndarray, pairs: list[tuple[np.ndarray, np.ndarray, float]]) -> np.ndarray:
    """The slope times the inverse Hessian as the last steps tell it (Nocedal 1980)."""
    out, shares = slope.copy(), []
    for step, change, bend in reversed(pairs):
        shares.append(float(step @ out) / bend)
        out -= shares[-1] * change
    if pairs:
        out *= pairs[-1][2] / float(pairs[-1][1] @ pairs[-1][1])
    for (step, change, bend), share in zip(pairs, reversed(shares), strict=True):
        out += (share - float(change @ out) / bend) * step
    return out


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    chance: np.ndarray = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
    return chance


def score(rows: Sparse, model: tuple[np.ndarray, float]) -> np.ndarray:
    """The chance that each row is positive, (N,)."""
    return _sigmoid(rows.times(model[0]) + model[1])


def folds_of(texts: Texts, seed: int) -> np.ndarray:
    """The fold of each text, (N,): equal texts fall together, so that none is learned by heart."""
    keys = mixed(fingerprints(texts.heads) + np.uint64(seed))
    parts: np.ndarray = (keys % np.uint64(FOLDS)).astype(np.int64)
    return parts


def cross_scores(rows: Sparse, positive: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Each row's score by a classifier that did not see its fold, (N,)."""
    scores = np.full(len(rows), 0.5)
    for fold in np.unique(folds):
        inside = folds == fold
        known = positive[~inside]
        if 0 < known.sum() < len(known):
            model = fit(rows.take(np.flatnonzero(~inside)), known)
            scores[inside] = score(rows.take(np.flatnonzero(inside)), model)
        elif len(known):
            scores[inside] = known.mean()
    return scores
