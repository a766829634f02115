"""What each column of an event is told from its features by: a mixture of trees, as in `trees`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from geurim.codec import part
from geurim.contract import Event, Json, Progress
from geurim.generators import _forest
from geurim.generators._forest import Forest
from geurim.generators._grow import Predictors
from geurim.generators.trees import _groups
from geurim.sequences.features import Feature
from geurim.sequences.lessons import Lesson, Lessons
from geurim.sequences.views import Running


@dataclass(frozen=True, kw_only=True, eq=False)
class Forests:
    """A forest for each lesson, and the numbers of the features that it looks at."""

    forests: tuple[Forest, ...]
    sees: tuple[tuple[int, ...], ...]
    kind: ClassVar[str] = "trees"

    def over(
        self, features: Sequence[Feature], view: Running, rng: np.random.Generator
    ) -> _Drawing:
        return _Drawing(self, features, view, rng)

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        arrays = {f"{i}/{k}": v for i, f in enumerate(self.forests) for k, v in f.arrays().items()}
        return {"sees": [list(s) for s in self.sees]}, arrays

    @classmethod
    def from_state(cls, state: dict[str, Json], arrays: dict[str, np.ndarray]) -> Forests:
        sees = tuple(tuple(s) for s in state["sees"])
        forests = tuple(Forest(**part(arrays, f"{i}/")) for i in range(len(sees)))
        return cls(forests=forests, sees=sees)


class _Drawing:
    """Draws at the event where `view` stands; `bins` keeps the features looked at."""

    def __init__(
        self,
        model: Forests,
        features: Sequence[Feature],
        view: Running,
        rng: np.random.Generator,
    ) -> None:
        self.model, self.features, self.view, self.rng = model, features, view, rng
        self.bins: dict[int, np.ndarray] = {}

    def event(self) -> None:
        self.bins = {}

    def codes(self, lesson: int) -> np.ndarray:
        forest, sees = self.model.forests[lesson], self.model.sees[lesson]
        view, rng = self.view, self.rng
        if view.n > 1:
            seen = [self._look(f) for f in sees]
            return forest.draw(np.stack(seen) if seen else np.zeros((0, view.n), np.uint8), rng)
        # One series: only the features on the way down one tree are worth their price.
        node = int(forest.roots[int(rng.integers(len(forest.roots)))])
        while not (held := forest.count.item(node)):
            node = forest.step.item(node, self._look(sees[forest.feature.item(node)]).item(0))
        row = forest.start.item(node) + int(rng.random() * held)
        return np.array([forest.levels.item(row)], np.int64)

    def _look(self, f: int) -> np.ndarray:
        if f not in self.bins:
            self.bins[f] = self.features[f].bins(self.view)
        return self.bins[f]


def learn(known: Lessons, settings: Any, rng: np.random.Generator, progress: Progress) -> Forests:
    """The forests of all lessons."""
    made, total = [], len(known.lessons)
    for done, lesson in enumerate(known.lessons):
        note = lesson.name
        progress(Event(step="fit", done=done, total=total, unit="columns", note=note))
        made.append(_learn_one(lesson, known, settings, rng))
    progress(Event(step="fit", done=total, total=total, unit="columns"))
    return Forests(forests=tuple(f for f, _ in made), sees=tuple(s for _, s in made))


def _learn_one(
    lesson: Lesson, known: Lessons, settings: Any, rng: np.random.Generator
) -> tuple[Forest, tuple[int, ...]]:
    """The forest that tells a lesson's codes on its events, and the features it looks at."""
    rows, usable = lesson.rows, lesson.sees
    seen = [known.coded[i][rows] for i in usable]
    predictors = Predictors.of(
        np.stack(seen) if seen else np.zeros((0, len(rows)), np.uint8),
        [known.features[i].size for i in usable],
        [known.features[i].ordered for i in usable],
    )
    group = _groups(lesson.levels, np.minimum(lesson.codes, max(lesson.levels.size - 1, 0)))
    if lesson.copies:
        group = np.append(group, group.max(initial=-1) + 1 + np.arange(lesson.copies))
    sees = np.arange(len(usable))
    if len(usable) > settings.predictors:
        classes = int(group.max(initial=0)) + 1
        sees = predictors.telling(group[lesson.codes], classes, settings.predictors)
        predictors = predictors.of_columns(sees)
    forest = _forest.learn(
        predictors,
        lesson.codes,
        group,
        rng,
        trees=settings.trees,
        leaf=settings.leaf,
        charge=settings.charge,
        grow_rows=100_000,
    )
    return forest, tuple(usable[i] for i in sees)
