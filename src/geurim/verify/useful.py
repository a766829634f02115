"""Useful? Does a model trained on synthetic rows predict real ones as well as one trained on real?

TSTR (train on synthetic, test on real) beside TRTR (train on real), both tested on the holdout.
Esteban, Hyland & Rätsch 2017.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from geurim.contract import Finding
from geurim.verify import stats
from geurim.verify.classifier import Design, probabilities, train
from geurim.verify.compare import Column, Comparison, Rows
from geurim.verify.verdict import judge

ROWS = 50_000
TESTED = 20_000
CLASSES = 10  # commonest classes of the target; the others are one more
FEW_VALUES = 20  # numbers with no more distinct values than this are classes
TIMES = 200  # bootstrap resamples of the holdout
LEAST = 20  # rows to train on, or to test on


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is predicted: `label` gives each row's class or number (N,), NaN where missing."""

    metric: str  # "AUC", "macro AUC" or "R²"
    classes: int  # 0: a regression
    label: Callable[[Rows], np.ndarray]


def tstr(c: Comparison) -> list[Finding]:
    """The gap between the scores of training on real and on synthetic rows."""
    if c.target is None:
        return [
            _info("Not judged: name a target, the column that someone would predict (--target).")
        ]
    column = next(x for x in c.columns if x.name == c.target)
    others = [x for x in c.of("axis", "codes") if x.name != c.target]
    task = _task(column, c.training)
    sets = [_labelled(r, task) for r in (c.training, c.synthetic, c.holdout)]
    count = min(ROWS, sets[0][0].count, sets[1][0].count)
    if not others or count < LEAST or sets[2][0].count < LEAST:
        return [_info(f"Not judged: fewer than {LEAST} rows with a target, or no other column.")]
    test, truth = sets[2][0].first(TESTED), sets[2][1][:TESTED]
    if len(np.unique(truth)) < 2:
        return [_info(f"Not judged: {c.target!r} has one value only in the rows held out.")]
    design = Design(others, c.training)
    guesses = [
        _guess(design, rows.first(count), label[:count], test, task, c.rng)
        for rows, label in sets[:2]
    ]
    weights = np.concatenate(
        [np.ones((1, len(truth))), stats.bootstrap_weights(len(truth), TIMES, c.rng)]
    )
    real, synthetic = (_score(task, truth, g, weights) for g in guesses)
    return _findings(c, task, real, synthetic, len(truth))


def _task(column: Column, training: Rows) -> Task:
    if column.kind == "codes":
        tops = min(column.known, CLASSES)
        pooled = column.known > CLASSES

        def classes(rows: Rows) -> np.ndarray:
            codes = rows.codes[column.name]
            label = np.where(codes < tops, codes, tops if pooled else -1).astype(float)
            return np.where(label < 0, np.nan, label)

        count = tops + pooled
        return Task(metric="AUC" if count == 2 else "macro AUC", classes=count, label=classes)
    values = training.axis[column.name]
    distinct = np.unique(values[np.isfinite(values)])
    if len(distinct) > FEW_VALUES:
        low, span = (distinct[0], distinct[-1] - distinct[0]) if len(distinct) else (0.0, 1.0)

        def scaled(rows: Rows) -> np.ndarray:
            label = (rows.axis[column.name] - low) / span
            return np.where(np.isfinite(label), label, np.nan)

        return Task(metric="R²", classes=0, label=scaled)

    def places(rows: Rows) -> np.ndarray:
        at = np.searchsorted(distinct, rows.axis[column.name])
        near = distinct[np.minimum(at, len(distinct) - 1)]
        return np.where(near == rows.axis[column.name], at, np.nan)

    count = len(distinct)
    return Task(metric="AUC" if count == 2 else "macro AUC", classes=count, label=places)


def _labelled(rows: Rows, task: Task) -> tuple[Rows, np.ndarray]:
    """The rows whose target is known, and it."""
    label = task.label(rows)
    known = np.flatnonzero(~np.isnan(label))
    return rows.take(known), label[known]


def _guess(
    design: Design,
    rows: Rows,
    label: np.ndarray,
    test: Rows,
    task: Task,
    rng: np.random.Generator,
) -> np.ndarray:
    """Predictions for the test rows: (N,) of a regression, else (N, classes)."""
    seed = int(rng.integers(2**31))
    if len(np.unique(label)) < 2:
        guess: np.ndarray = np.full(test.count, label[0])
        return guess if not task.classes else np.zeros((test.count, task.classes))
    model = train(design, design(rows), label, seed, regression=not task.classes)
    if not task.classes:
        return np.asarray(model.predict(design(test)), float)
    return probabilities(model, design(test), task.classes)


def _score(task: Task, truth: np.ndarray, guess: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The score under each weighting of the test rows, (B,); the first is the score itself."""
    if not task.classes:
        return stats.r_squared(truth, guess, weights)
    if task.classes == 2:
        return stats.auc_many(guess[:, 1], truth == 1, weights)
    met = [k for k in range(task.classes) if 5 <= (truth == k).sum() < len(truth)]
    met = met or [int(v) for v in np.unique(truth)]
    scores: np.ndarray = np.mean(
        [stats.auc_many(guess[:, k], truth == k, weights) for k in met], axis=0
    )
    return scores


def _findings(
    c: Comparison, task: Task, real: np.ndarray, synthetic: np.ndarray, count: int
) -> list[Finding]:
    gap = real - synthetic
    low, high = stats.spread_interval(float(gap[0]), gap[1:])
    verdict = judge("tstr_gap", float(gap[0]), low, high)
    note = ""
    if not c.held_out and verdict == "pass":
        verdict = "info"
        note = " The generator may have seen the rows tested on, so this cannot be a pass."
    own = stats.spread_interval(float(synthetic[0]), synthetic[1:])
    details = {
        "metric": task.metric,
        "real": float(real[0]),
        "synthetic": float(synthetic[0]),
        "interval": list(own),
    }
    assert c.target is not None
    return [
        Finding(
            question="useful",
            name="tstr_gap",
            value=float(gap[0]),
            low=low,
            high=high,
            reference=0.0,
            count=count,
            verdict=verdict,
            text=f"Predicting {c.target!r} of real rows held out: {task.metric} "
            f"{synthetic[0]:.3f} when trained on synthetic rows, {real[0]:.3f} when trained on "
            f"real ones.{note}",
            columns=(c.target,),
            details=details,
        ),
    ]


def _info(text: str) -> Finding:
    return Finding(
        question="useful",
        name="tstr_gap",
        value=float("nan"),
        low=float("nan"),
        high=float("nan"),
        reference=None,
        count=0,
        verdict="info",
        text=text,
    )
