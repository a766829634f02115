"""Useful to whatever model? Trees, a linear model and nearest neighbours learn the target from
synthetic rows and from real ones, and are tested on the rows held out (Esteban et al. 2017).

Beside each family's gap: whether the synthetic rows choose the same family, whether the trees lean
on the same columns (permutation importance; Breiman 2001), and whether real rows and synthetic ones
together teach more than real rows alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from geurim.contract import Finding
from geurim.verify import stats
from geurim.verify.classifier import Design, probabilities, train
from geurim.verify.compare import Column, Comparison, Rows
from geurim.verify.useful import LEAST, TIMES, Task, _labelled, _score, _task
from geurim.verify.verdict import judge, not_judged

ROWS = 10_000  # to train on, of each
TESTED = 3_000
IMPORTANT = 12  # columns whose importance is compared, the trees' own choice
LEVELS = 30  # categories of a column that stand alone
NEIGHBOURS = 15
STEPS = 8  # of Newton's method
NAMES = ("tstr_linear", "tstr_neighbours", "model_choice", "importance_gap", "augmented_gap")

Guess = Callable[[Rows], np.ndarray]
"""Predictions for rows: (N,) of a regression, else (N, classes)."""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """Rows to learn from and their labels; the rows to be tested on, theirs, and weightings."""

    task: Task
    design: Design
    matrix: Matrix
    test: Rows
    truth: np.ndarray  # (N,)
    weights: np.ndarray  # (B, N), the first all ones
    seed: int

    def scores(self, guess: np.ndarray) -> np.ndarray:
        """The score under each weighting, (B,)."""
        return _score(self.task, self.truth, guess, self.weights)


class Matrix:
    """Rows as (N, D) float64: standardised numbers, flags of missing ones, common categories."""

    def __init__(self, columns: Sequence[Column], training: Rows) -> None:
        self.columns = list(columns)
        self._scale = {}
        for x in columns:
            if x.kind == "axis":
                values = training.axis[x.name]
                values = values[np.isfinite(values)]
                ends = np.quantile(values, [0.01, 0.99]) if len(values) else np.array([0.0, 1.0])
                inner = np.clip(values, *ends)
                spread = float(inner.std()) if len(values) else 0.0
                self._scale[x.name] = ends, float(inner.mean()) if len(values) else 0.0, spread

    def __call__(self, rows: Rows) -> np.ndarray:
        parts = [np.ones((rows.count, 1))]
        for x in self.columns:
            if x.kind == "axis":
                ends, middle, spread = self._scale[x.name]
                values = rows.axis[x.name]
                lost = np.isnan(values)
                scaled = (np.clip(values, *ends) - middle) / (spread or 1.0)
                parts += [np.where(lost, 0.0, scaled)[:, None], lost[:, None].astype(float)]
            else:
                size = min(x.known, LEVELS)
                place = np.minimum(rows.codes[x.name], size) + 1
                parts.append(np.eye(size + 2)[place])
        return np.hstack(parts)


def models(c: Comparison) -> list[Finding]:
    """Every family's gap, the choice among them, what the trees lean on, real and synthetic."""
    lesson, learned, why = _lesson(c)
    if lesson is None:
        return [not_judged("useful", n, why) for n in NAMES]
    (real, real_label), (made, made_label), _ = learned
    guessers = {
        name: [family(lesson, rows, label) for rows, label in learned[:2]]
        for name, family in FAMILIES.items()
    }
    scores = {
        name: [lesson.scores(g(lesson.test)) for g in pair] for name, pair in guessers.items()
    }
    both = _trees(lesson, _joined(real, made), np.concatenate([real_label, made_label]))
    again = _trees(lesson, *learned[2])
    return [
        _gap(c, lesson, "tstr_linear", "a linear model", scores["linear"]),
        _gap(c, lesson, "tstr_neighbours", "nearest neighbours", scores["neighbours"]),
        _choice(c, lesson, scores),
        _importance(c, lesson, [*guessers["trees"], again]),
        _augmented(c, lesson, scores["trees"][0], lesson.scores(both(lesson.test))),
    ]


Learned = list[tuple[Rows, np.ndarray]]


def _lesson(c: Comparison) -> tuple[Lesson | None, Learned, str]:
    """What is to be learned from the training rows, the synthetic ones, and other training rows
    (the second half of them where they are few); or None, and why not."""
    if c.target is None:
        return None, [], "Not judged: name a target, the column that someone would predict."
    column = next(x for x in c.columns if x.name == c.target)
    others = [x for x in c.of("axis", "codes") if x.name != c.target]
    task = _task(column, c.training)
    sets = [_labelled(r, task) for r in (c.training, c.synthetic, c.holdout)]
    count = min(ROWS, sets[0][0].count, sets[1][0].count)
    learned = [(rows.first(count), label[:count]) for rows, label in sets[:2]]
    start = min(count, sets[0][0].count // 2)
    others_too = slice(start, start + count)
    learned.append((sets[0][0].take(others_too), sets[0][1][others_too]))
    test, truth = sets[2][0].first(TESTED), sets[2][1][:TESTED]
    if not others or count < LEAST or test.count < LEAST:
        why = f"Not judged: fewer than {LEAST} rows with a target, or no other column."
        return None, [], why
    if any(len(np.unique(x)) < 2 for x in (truth, *(label for _, label in learned))):
        return None, [], f"Not judged: {c.target!r} has one value only."
    weights = np.concatenate(
        [np.ones((1, len(truth))), stats.bootstrap_weights(len(truth), TIMES, c.rng)]
    )
    lesson = Lesson(
        task=task,
        design=Design(others, c.training),
        matrix=Matrix(others, c.training),
        test=test,
        truth=truth,
        weights=weights,
        seed=int(c.rng.integers(2**31)),
    )
    return lesson, learned, ""


def _joined(one: Rows, other: Rows) -> Rows:
    return Rows(
        count=one.count + other.count,
        total=one.total + other.total,
        axis={n: np.concatenate([v, other.axis[n]]) for n, v in one.axis.items()},
        codes={n: np.concatenate([v, other.codes[n]]) for n, v in one.codes.items()},
        strings={},
    )


# Families: rows and labels -> guesses


def _trees(lesson: Lesson, rows: Rows, label: np.ndarray) -> Guess:
    task, design = lesson.task, lesson.design
    model = train(design, design(rows), label, lesson.seed, regression=not task.classes)

    def guess(test: Rows) -> np.ndarray:
        if task.classes:
            return probabilities(model, design(test), task.classes)
        return np.asarray(model.predict(design(test)), float)

    return guess


def _linear(lesson: Lesson, rows: Rows, label: np.ndarray) -> Guess:
    """Ridge regression, or one logistic regression a class by Newton's method."""
    x, classes = lesson.matrix(rows), lesson.task.classes
    if not classes:
        slopes = np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ label)[:, None]
    else:
        slopes = np.stack([logistic(x, label == k) for k in range(classes)], axis=1)

    def guess(test: Rows) -> np.ndarray:
        found = lesson.matrix(test) @ slopes
        return np.asarray(found if classes else found[:, 0])

    return guess


def logistic(x: np.ndarray, positive: np.ndarray, penalty: float = 1.0) -> np.ndarray:
    """Slopes (D,) of a logistic regression with a ridge penalty, by Newton's method.

    `x` (N, D), its first column ones; `positive` (N,) bool. Steps that would leave the linear
    score beyond 30 are cut, so that classes that are told apart wholly do no harm.
    """
    slopes = np.zeros(x.shape[1])
    for _ in range(STEPS):
        score = np.clip(x @ slopes, -30, 30)
        chance = 1 / (1 + np.exp(-score))
        weight = np.maximum(chance * (1 - chance), 1e-6)
        pull = x.T @ (positive - chance) - penalty * slopes
        bend = (x * weight[:, None]).T @ x + penalty * np.eye(len(slopes))
        step = np.linalg.solve(bend, pull)
        slopes = slopes + step
        if np.abs(step).max() < 1e-4:
            break
    return slopes


def _neighbours(lesson: Lesson, rows: Rows, label: np.ndarray) -> Guess:
    """The mean label of the NEIGHBOURS nearest rows; two different categories are 1 apart."""
    known, classes = _placed(lesson, rows), lesson.task.classes
    squares = (known**2).sum(1) / 2

    def guess(test: Rows) -> np.ndarray:
        points = _placed(lesson, test)
        k = min(NEIGHBOURS, len(known) - 1)
        out = np.empty((len(points), k), np.int64)
        for first in range(0, len(points), 1_000):
            part = slice(first, first + 1_000)
            out[part] = np.argpartition(squares - points[part] @ known.T, k, axis=1)[:, :k]
        near = label[out]
        if not classes:
            return np.asarray(near.mean(axis=1))
        return np.stack([(near == c).mean(axis=1) for c in range(classes)], axis=1)

    return guess


def _placed(lesson: Lesson, rows: Rows) -> np.ndarray:
    return np.asarray(lesson.matrix(rows) * 0.5**0.5, np.float32)


FAMILIES: Mapping[str, Callable[[Lesson, Rows, np.ndarray], Guess]] = {
    "trees": _trees,
    "linear": _linear,
    "neighbours": _neighbours,
}

# Findings


def _found(
    c: Comparison,
    lesson: Lesson,
    name: str,
    value: tuple[float, float, float],
    text: str,
    details: dict[str, object],
    *,
    tests: int = 1,
    column: str | None = None,
    reference: float = 0.0,
) -> Finding:
    verdict = judge(name, *(v - reference for v in value), tests=tests)
    if not c.held_out and verdict == "pass":
        verdict = "info"
        text += " The generator may have seen the rows tested on, so this cannot be a pass."
    assert c.target is not None
    return Finding(
        question="useful",
        name=name,
        value=value[0],
        low=value[1],
        high=value[2],
        reference=reference,
        count=len(lesson.truth),
        verdict=verdict,
        text=text,
        columns=(c.target,) if column is None else (column, c.target),
        details={"metric": lesson.task.metric, **details},
    )


def _interval(gap: np.ndarray) -> tuple[float, float, float]:
    value = float(gap[0])
    return value, *stats.spread_interval(value, gap[1:])


def _gap(
    c: Comparison, lesson: Lesson, name: str, family: str, scores: list[np.ndarray]
) -> Finding:
    real, made = (float(s[0]) for s in scores)
    return _found(
        c,
        lesson,
        name,
        _interval(scores[0] - scores[1]),
        f"Predicting {c.target!r} of real rows held out by {family}: {lesson.task.metric} "
        f"{made:.3f} when trained on synthetic rows, {real:.3f} when trained on real ones.",
        {"real": real, "synthetic": made},
    )


def _choice(c: Comparison, lesson: Lesson, scores: Mapping[str, list[np.ndarray]]) -> Finding:
    """What is lost on real rows by taking the family that looks best on synthetic ones."""
    best, chosen = (max((float(s[i][0]), n) for n, s in scores.items())[1] for i in (0, 1))
    return _found(
        c,
        lesson,
        "model_choice",
        _interval(scores[best][0] - scores[chosen][0]),
        f"Of {len(scores)} families of models, {chosen} look best when trained on synthetic rows, "
        f"and {best} on real ones: on real rows the choice costs "
        f"{float(scores[best][0][0] - scores[chosen][0][0]):.3f} of {lesson.task.metric}.",
        {n: {"real": float(s[0][0]), "synthetic": float(s[1][0])} for n, s in scores.items()},
    )


def _importance(c: Comparison, lesson: Lesson, trees: list[Guess]) -> Finding:
    """The column whose permutation costs the two models most unlike amounts of score.

    `trees`: trained on real rows, on synthetic ones, and on real rows again, whose own largest
    difference from the first is what luck gives: columns that tell the same stand in for each
    other.
    """
    names = [x.name for x in lesson.design.columns]
    order = np.random.default_rng(lesson.seed).permutation(lesson.test.count)
    whole = [lesson.scores(g(lesson.test)) for g in trees]
    drops = {}
    for name in names:
        mixed = _mixed(lesson.test, name, order)
        drops[name] = [s - lesson.scores(g(mixed)) for g, s in zip(trees, whole, strict=True)]
    kept = sorted(names, key=lambda n: -max(float(d[0]) for d in drops[n]))[:IMPORTANT]
    worst = max(kept, key=lambda n: abs(float(drops[n][0][0] - drops[n][1][0])))
    gap = drops[worst][0] - drops[worst][1]
    value, low, high = _interval(gap * np.sign(gap[0] or 1.0))
    reference = max(abs(float(drops[n][0][0] - drops[n][2][0])) for n in kept)
    real, made = (float(d[0]) for d in drops[worst][:2])
    return _found(
        c,
        lesson,
        "importance_gap",
        (value, low, high),
        f"Without {worst!r} a model of {c.target!r} loses {real:.3f} of {lesson.task.metric} when "
        f"trained on real rows, {made:.3f} when trained on synthetic ones: of "
        f"{len(kept)} columns the one that differs most. Two models of real rows differ by "
        f"{reference:.3f}.",
        {n: {"real": float(drops[n][0][0]), "synthetic": float(drops[n][1][0])} for n in kept},
        tests=len(kept),
        column=worst,
        reference=reference,
    )


def _mixed(rows: Rows, name: str, order: np.ndarray) -> Rows:
    axis = {n: v[order] if n == name else v for n, v in rows.axis.items()}
    codes = {n: v[order] if n == name else v for n, v in rows.codes.items()}
    return Rows(count=rows.count, total=rows.total, axis=axis, codes=codes, strings={})


def _augmented(c: Comparison, lesson: Lesson, alone: np.ndarray, together: np.ndarray) -> Finding:
    one, both = float(alone[0]), float(together[0])
    return _found(
        c,
        lesson,
        "augmented_gap",
        _interval(alone - together),
        f"Trained on real and synthetic rows together, trees reach {lesson.task.metric} "
        f"{both:.3f}; on the real rows alone {one:.3f}.",
        {"alone": one, "together": both},
    )
