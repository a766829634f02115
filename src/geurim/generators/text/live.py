"""What a run of a recipe has open: the session with the teachers, the sandbox, scorers, noises."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa

from geurim.contract import Json, Progress, quiet
from geurim.generators.text.budget import Budget
from geurim.generators.text.session import Session

if TYPE_CHECKING:
    from geurim.generators.text.checks import Check
    from geurim.generators.text.recipe import Recipe
    from geurim.generators.text.reworked import Noisy, Scored
    from geurim.generators.text.sandbox import Sandbox
    from geurim.generators.text.scorers import Scorer

_T = TypeVar("_T")
_RATES = 0x72617465  # the stream with which rates are fitted, whatever the run's seed

SCORERS = ("rules", "logprob", "difficulty", "reward")
"""Scores that a recipe can name; a judge is a column of its own."""


class Live:
    """Open while a run lasts; safe to use from many threads. What is made is made once."""

    def __init__(
        self, recipe: Recipe, tables: Mapping[str, pa.Table], session: Session, unsafe: bool
    ) -> None:
        self.session = session
        self.parameters: Mapping[str, Json] = recipe.parameters
        self._names = list(recipe.teachers)
        self._tables = tables
        self._unsafe = unsafe
        self._lock = threading.RLock()
        self.numbers = itertools.count()  # of rows, as they are begun
        self._made: dict[Any, Any] = {}

    @classmethod
    @contextmanager
    def open(
        cls,
        recipe: Recipe,
        tables: Mapping[str, pa.Table],
        *,
        record: Path | None = None,
        budget: Budget | None = None,
        unsafe: bool = False,
        progress: Progress = quiet,
    ) -> Iterator[Live]:
        teachers = recipe.teachers if recipe.asks else {}
        with Session(teachers, record, budget or Budget(), progress) as session:
            yield cls(recipe, tables, session, unsafe)

    @property
    def ahead(self) -> int:
        """Rows that may be under way at once: as many as the teachers together may be asked."""
        asked = sum(t.max_concurrency for t in self.session.teachers.values())
        return asked or os.cpu_count() or 1  # without a teacher there may be programs to run

    def teacher_name(self, wanted: str, number: int) -> str:
        """The teacher of that name; "any" is one by lot; a role nobody fills is the default's."""
        if wanted == "any":
            return self._names[number % len(self._names)]
        return wanted if wanted in self._names else self._names[0]

    def check(self, name: str, settings: Mapping[str, Any]) -> Check:
        """The check of this name and these settings."""
        from geurim.generators.text import checks

        key = ("check", name, repr(sorted(settings.items())))
        more = {"sandbox": self.sandbox} if name == "python_runs" else {}
        return self._once(key, lambda: checks.check(name, **more, **settings))

    @property
    def sandbox(self) -> Sandbox:
        """Where code that a model made runs. Raises SettingError where there is none to be had."""
        from geurim.generators.text.sandbox import Sandbox

        return self._once("sandbox", lambda: Sandbox.unsafe() if self._unsafe else Sandbox.find())

    def scorer(self, column: Scored, settings: Mapping[str, Any]) -> Scorer:
        """The scorer that a column names: it scores a column `text`, given a column `given`."""
        key = ("score", id(column), repr(settings))
        return self._once(key, lambda: self._scorer(column, settings))

    def _scorer(self, column: Scored, settings: Mapping[str, Any]) -> Scorer:
        from geurim.generators.text import rules, scorers

        given = "given" if column.given else None
        if column.score == "rules":
            return rules.Rules(text="text", **settings)
        if column.score == "reward":
            return scorers.RewardModel(text="text", prompt=given, **settings)
        teacher = self.teacher_name(column.teacher, 0)

        def logprob(text: str, before: str) -> float | None:
            return self.session.logprob(text, given=before, teacher=teacher).result()

        if column.score == "logprob":
            return scorers.LogProb(logprob=logprob, text="text", given=given)
        return scorers.InstructionFollowingDifficulty(
            logprob=logprob, instruction="given", answer="text", **settings
        )

    def noise(self, column: Noisy) -> Any:
        """The noise that a column names, its rates fitted where it has a source of real texts."""
        return self._once(("noise", id(column)), lambda: self._noise(column))

    def _noise(self, column: Noisy) -> Any:
        from geurim.noise import Noise

        if column.rates is not None:
            return Noise(rates=column.rates, language=column.language, keep=column.keep)
        table = self._tables[str(column.like)]
        text = next(f.name for f in table.schema if pa.types.is_string(f.type))
        fitted = Noise.fit(table[text].combine_chunks(), rng=np.random.default_rng(_RATES))
        return replace(fitted, keep=column.keep)

    def _once(self, key: Any, make: Callable[[], _T]) -> _T:
        with self._lock:
            if key not in self._made:
                self._made[key] = make()
            found: _T = self._made[key]
            return found
