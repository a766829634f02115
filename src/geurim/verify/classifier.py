"""Gradient-boosted trees (YDF) over encoded rows: a classifier or a regression, on its own names.

YDF is imported on first use. Columns are called f0, f1, … inside, so no name can upset it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from geurim.verify.compare import Column, Rows
from geurim.verify.stats import auc

FOLDS = 5
TREES = 100
CATEGORIES = 64  # of a column, that stand alone
FEW = 400  # below this many rows none are spared to stop early: a fixed, short run instead
_LABEL = "label"


class Design:
    """Turns rows into classifier input. Numbers are scaled by the training rows' range.

    A missing number is NaN with a flag of its own beside it, since YDF fills it with the mean. Of
    many categories the commonest stay, the others are told apart by their place in the alphabet:
    splits on thousands of categories take minutes.
    """

    def __init__(self, columns: Sequence[Column], training: Rows, *tables: Rows) -> None:
        """`tables`: where the commonest categories are counted; else among the training rows.

        Two tables to be told apart must both be counted: categories chosen by one of them, or a
        level of its own for what one of them lacks, would give honest rows away.
        """
        self.columns = list(columns)
        counted = tables or (training,)
        self._level = {
            c.name: _levels(c, counted)
            for c in columns
            if c.categories is not None and len(c.categories) > CATEGORIES
        }
        self._scale = {c.name: _range(training.axis[c.name]) for c in columns if c.kind == "axis"}
        self._rank = {c.name: _alphabet(c) for c in columns if c.name in self._level}

    def __call__(self, rows: Rows) -> dict[str, np.ndarray]:
        out: dict[str, np.ndarray] = {}
        for i, column in enumerate(self.columns):
            if column.kind == "axis":
                low, span = self._scale[column.name]
                values = (rows.axis[column.name] - low) / span
                out[f"f{i}"] = np.clip(values, -1e6, 1e6).astype(np.float32)
                out[f"f{i}m"] = np.isnan(values).astype(np.float32)
                continue
            codes = rows.codes[column.name]
            if column.name not in self._level:
                out[f"f{i}"] = codes + 1
                continue
            out[f"f{i}"] = self._level[column.name][codes]  # missing: the last place, -1
            out[f"f{i}m"] = self._rank[column.name][codes]
        return out

    def features(self) -> list[Any]:
        """What YDF is to take each input for."""
        import ydf

        out = []
        for i, column in enumerate(self.columns):
            axis = column.kind == "axis"
            kind = ydf.Semantic.NUMERICAL if axis else ydf.Semantic.CATEGORICAL
            out.append(ydf.Column(f"f{i}", kind))
            if axis or column.name in self._rank:
                out.append(ydf.Column(f"f{i}m", ydf.Semantic.NUMERICAL))
        return out

    def name(self, feature: str) -> str:
        """The column behind a feature."""
        return self.columns[int(feature.strip("fm"))].name


def _levels(column: Column, tables: Sequence[Rows]) -> np.ndarray:
    """The level of each category, and of missing at the end: 0, 1 … for the commonest, rest."""
    assert column.categories is not None
    size = len(column.categories)
    counts = sum(np.bincount(t.codes[column.name] + 1, minlength=size + 1)[1:] for t in tables)
    level = np.full(size + 1, CATEGORIES + 1)
    level[np.argsort(-np.asarray(counts), kind="stable")[:CATEGORIES]] = np.arange(CATEGORIES) + 1
    level[-1] = 0
    return level


def _alphabet(column: Column) -> np.ndarray:
    """The place of each category in the alphabet, 0 to 1, and -1 for missing at the end."""
    places = pc.rank(column.categories).to_numpy(zero_copy_only=False)
    return np.append(places / len(places), -1.0).astype(np.float32)


def _range(values: np.ndarray) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    return low, (high - low) or 1.0


def train(
    design: Design,
    inputs: Mapping[str, np.ndarray],
    label: np.ndarray,
    seed: int,
    *,
    regression: bool = False,
) -> Any:
    """A fitted YDF model of `label` (N,): whole numbers for classes, or floats for a regression."""
    import ydf

    few = len(label) < FEW
    learner = ydf.GradientBoostedTreesLearner(
        label=_LABEL,
        task=ydf.Task.REGRESSION if regression else ydf.Task.CLASSIFICATION,
        features=design.features(),
        num_trees=40 if few else TREES,
        validation_ratio=0.0 if few else 0.1,
        early_stopping="NONE" if few else "LOSS_INCREASE",
        early_stopping_num_trees_look_ahead=15,
        max_depth=3 if few else 6,
        min_examples=5 if few else 10,
        num_threads=min(4, os.cpu_count() or 1),
        random_seed=seed,
    )
    kind = np.float32 if regression else np.int64
    return learner.train({**inputs, _LABEL: label.astype(kind)}, verbose=0)


def probabilities(model: Any, inputs: Mapping[str, np.ndarray], classes: int) -> np.ndarray:
    """The probability of each class 0 … classes - 1, (N, classes); unseen classes get 0."""
    guess = model.predict(dict(inputs))
    names = [int(name) for name in model.label_classes()]
    out = np.zeros((len(guess), classes))
    if guess.ndim == 1:  # two classes: YDF gives the probability of the second
        guess = np.stack([1 - guess, guess], axis=1)
    out[:, names] = guess
    return out


@dataclass(frozen=True, kw_only=True)
class Separation:
    """How well a classifier tells table a (0) from table b (1), on rows it did not learn from."""

    auc: float
    error: float  # standard error
    count: int  # rows of each table
    scores_a: np.ndarray
    scores_b: np.ndarray
    importance: Mapping[str, float]  # column -> share of what the trees gained, largest first
    design: Design
    models: tuple[Any, ...]  # one a fold
    folds_b: np.ndarray  # the model of each row of b, that did not see it


def separate(
    columns: Sequence[Column], training: Rows, a: Rows, b: Rows, rng: np.random.Generator
) -> Separation:
    """Cross-fitted in FOLDS parts: each row is scored by a model that did not see it.

    The AUC is the mean of the folds', its error from theirs (DeLong). Lopez-Paz & Oquab 2017.
    """
    design = Design(columns, training, a, b)
    x_a, x_b = design(a), design(b)
    fold_a, fold_b = (rng.permutation(r.count) % FOLDS for r in (a, b))
    scores_a, scores_b = np.empty(a.count), np.empty(b.count)
    gain: dict[str, float] = {c.name: 0.0 for c in columns}
    aucs, models = [], []
    for fold in range(FOLDS):
        learn = {k: np.concatenate([x_a[k][fold_a != fold], x_b[k][fold_b != fold]]) for k in x_a}
        label = np.repeat([0, 1], [(fold_a != fold).sum(), (fold_b != fold).sum()])
        model = train(design, learn, label, int(rng.integers(2**31)))
        models.append(model)
        for x, folds, scores in ((x_a, fold_a, scores_a), (x_b, fold_b, scores_b)):
            held = folds == fold
            scores[held] = probabilities(model, {k: v[held] for k, v in x.items()}, 2)[:, 1]
        aucs.append(auc(scores_b[fold_b == fold], scores_a[fold_a == fold]))
        for score, feature in model.variable_importances().get("SUM_SCORE", []):
            gain[design.name(feature)] += score
    total = sum(gain.values()) or 1.0
    ranked = sorted(gain.items(), key=lambda item: -item[1])
    return Separation(
        auc=float(np.mean([v for v, _ in aucs])),
        error=float(np.sqrt(sum(e * e for _, e in aucs)) / FOLDS),
        count=min(a.count, b.count),
        scores_a=scores_a,
        scores_b=scores_b,
        importance={name: score / total for name, score in ranked},
        design=design,
        models=tuple(models),
        folds_b=fold_b,
    )
