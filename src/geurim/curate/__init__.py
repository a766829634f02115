"""STEP 3b: curation. Steps over the whole set drop what should not be in it, and say why.

curated = curate(source, default_steps("ko"), column="review")
write(curated.kept, "kept.parquet"); print(curated.counts)
"""

from __future__ import annotations

import difflib
import importlib
from typing import Any

from geurim.curate.contract import Curated, Filter, RowStep, Step, curate
from geurim.curate.duplicates import ExactDuplicates, NearDuplicates
from geurim.curate.novelty import Novelty
from geurim.errors import SettingError

STEPS: dict[str, str] = {
    "exact": "geurim.curate.duplicates:ExactDuplicates",
    "near": "geurim.curate.duplicates:NearDuplicates",
    "novelty": "geurim.curate.novelty:Novelty",
}
"""Name -> "module:class" of every step that can be named."""


def step_class(name: str) -> type[Step]:
    """The class of a step's settings. Raises SettingError, naming near matches."""
    if name not in STEPS:
        near = difflib.get_close_matches(name, STEPS, n=2, cutoff=0.5)
        meant = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise SettingError(
            f"There is no step called {name!r}. {meant}Choose one of: {', '.join(sorted(STEPS))}."
        )
    module, _, attribute = STEPS[name].partition(":")
    found: type[Step] = getattr(importlib.import_module(module), attribute)
    return found


def step(name: str, **settings: Any) -> Step:
    """The step of this name with these settings, such as step("near", threshold=0.7).

    Raises SettingError for an unknown step or setting, naming the ones there are.
    """
    from dataclasses import fields

    found: Any = step_class(name)
    known = [f.name for f in fields(found)]
    for setting in settings:
        if setting not in known:
            near = difflib.get_close_matches(setting, known, n=1, cutoff=0.5)
            meant = f"Did you mean {near[0]!r}? " if near else ""
            raise SettingError(
                f"The step {name!r} has no setting {setting!r}. {meant}"
                f"It has: {', '.join(known) or 'none'}."
            )
    made: Step = found(**settings)
    return made


__all__ = [
    "STEPS",
    "Curated",
    "ExactDuplicates",
    "Filter",
    "NearDuplicates",
    "Novelty",
    "RowStep",
    "Step",
    "curate",
    "step",
    "step_class",
]
