"""STEP 3b: curation. Steps over the whole set drop what should not be in it, and say why.

curated = curate(source, default_steps("ko"), column="review")
write(curated.kept, "kept.parquet"); print(curated.counts)
"""

from __future__ import annotations

import difflib
import importlib
from typing import Any

from geurim.curate.balance import Balance, Coverage, MixRatio, Select, coverage, quotas
from geurim.curate.contamination import Contamination
from geurim.curate.contract import Curated, Filter, RowStep, Step, curate
from geurim.curate.duplicates import ExactDuplicates, NearDuplicates
from geurim.curate.language import Language
from geurim.curate.novelty import Novelty
from geurim.curate.personal import Personal
from geurim.curate.quality import Length, Repetition
from geurim.curate.refusals import AlpacaRules, Hollow, Leaks, Refusals
from geurim.curate.semantic import SemanticDuplicates
from geurim.curate.toxic import Toxic
from geurim.errors import SettingError

STEPS: dict[str, str] = {
    "alpaca": "geurim.curate.refusals:AlpacaRules",
    "balance": "geurim.curate.balance:Balance",
    "contamination": "geurim.curate.contamination:Contamination",
    "exact": "geurim.curate.duplicates:ExactDuplicates",
    "hollow": "geurim.curate.refusals:Hollow",
    "language": "geurim.curate.language:Language",
    "leaks": "geurim.curate.refusals:Leaks",
    "length": "geurim.curate.quality:Length",
    "near": "geurim.curate.duplicates:NearDuplicates",
    "novelty": "geurim.curate.novelty:Novelty",
    "personal": "geurim.curate.personal:Personal",
    "refusals": "geurim.curate.refusals:Refusals",
    "repetition": "geurim.curate.quality:Repetition",
    "select": "geurim.curate.balance:Select",
    "semantic": "geurim.curate.semantic:SemanticDuplicates",
    "toxic": "geurim.curate.toxic:Toxic",
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


def default_steps(language: str | tuple[str, ...] | None = None) -> list[Step]:
    """The steps of `geurim text curate FILE`, in an order in which none undoes another.

    Rows are judged by themselves first (length, language if one is named, leaked prompts, refusals,
    repetition, personal data, toxicity), then against each other (exact and near duplicates).
    Semantic duplicates are left out, since embedding takes a second for some 20 rows, as are
    novelty, contamination, balance and selection, which need to be told more.
    """
    wanted = (language,) if isinstance(language, str) else language
    return [
        Length(),
        *([Language(wanted=wanted)] if wanted else []),
        Leaks(),
        Refusals(),
        Repetition(),
        Personal(),
        Toxic(),
        ExactDuplicates(),
        NearDuplicates(),
    ]


__all__ = [
    "STEPS",
    "AlpacaRules",
    "Balance",
    "Contamination",
    "Coverage",
    "Curated",
    "ExactDuplicates",
    "Filter",
    "Hollow",
    "Language",
    "Leaks",
    "Length",
    "MixRatio",
    "NearDuplicates",
    "Novelty",
    "Personal",
    "Refusals",
    "Repetition",
    "RowStep",
    "Select",
    "SemanticDuplicates",
    "Step",
    "Toxic",
    "coverage",
    "curate",
    "default_steps",
    "quotas",
    "step",
    "step_class",
]
