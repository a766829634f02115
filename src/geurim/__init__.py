"""Geurim: synthetic data with proof. Four steps: analyze, fit, sample, verify.

    profile = geurim.analyze("users.parquet")      # what is in the table; never a row
    fitted = geurim.fit("users.parquet", seed=7)   # a distribution over rows
    rows = geurim.sample(fitted, 1_000_000, seed=7)
    report = geurim.verify(rows, "users.parquet")  # findings with intervals and verdicts

Everything below is loaded when it is first used, so that `import geurim` stays quick.
"""

from __future__ import annotations

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "read": "geurim.read",
    "write": "geurim.write",
    "analyze": "geurim.analyze",
    "augment": "geurim.augment",
    "impute": "geurim.impute",
    "mix": "geurim.mix",
    "collapse": "geurim.collapse",
    "fit": "geurim.generators",
    "sample": "geurim.sample",
    "verify": "geurim.verify",
    "save": "geurim.model",
    "load": "geurim.model",
    "generate": "geurim.pipeline",
    "run": "geurim.pipeline",
    "Result": "geurim.pipeline",
    "World": "geurim.generators.rules.world",
    "Report": "geurim.verify",
    "Collapse": "geurim.collapse",
    "Event": "geurim.contract",
    "Finding": "geurim.contract",
    "Fitted": "geurim.contract",
    "Generator": "geurim.contract",
    "Lineage": "geurim.contract",
    "Privacy": "geurim.contract",
    "Profile": "geurim.contract",
    "Source": "geurim.contract",
    "GeurimError": "geurim.errors",
    "DataError": "geurim.errors",
    "SchemaError": "geurim.errors",
    "SettingError": "geurim.errors",
    "ExpressionError": "geurim.errors",
    "NotFound": "geurim.errors",
    "TargetExists": "geurim.errors",
    "ConnectionFailed": "geurim.errors",
    "ModelFileError": "geurim.errors",
    "FitError": "geurim.errors",
    "SamplingError": "geurim.errors",
    "TeacherFailed": "geurim.errors",
    "BudgetExceeded": "geurim.errors",
    "MissingExtra": "geurim.errors",
}
"""The public list: name -> the module it lives in."""

__all__ = [
    "BudgetExceeded",
    "Collapse",
    "ConnectionFailed",
    "DataError",
    "Event",
    "ExpressionError",
    "Finding",
    "FitError",
    "Fitted",
    "Generator",
    "GeurimError",
    "Lineage",
    "MissingExtra",
    "ModelFileError",
    "NotFound",
    "Privacy",
    "Profile",
    "Report",
    "Result",
    "SamplingError",
    "SchemaError",
    "SettingError",
    "Source",
    "TargetExists",
    "TeacherFailed",
    "World",
    "__version__",
    "analyze",
    "augment",
    "collapse",
    "fit",
    "generate",
    "impute",
    "load",
    "mix",
    "read",
    "run",
    "sample",
    "save",
    "verify",
    "write",
]

if TYPE_CHECKING:
    from geurim.analyze import analyze
    from geurim.augment import augment
    from geurim.collapse import Collapse, collapse
    from geurim.contract import Event, Finding, Fitted, Generator, Lineage, Privacy, Profile, Source
    from geurim.errors import (
        BudgetExceeded,
        ConnectionFailed,
        DataError,
        ExpressionError,
        FitError,
        GeurimError,
        MissingExtra,
        ModelFileError,
        NotFound,
        SamplingError,
        SchemaError,
        SettingError,
        TargetExists,
        TeacherFailed,
    )
    from geurim.generators import fit
    from geurim.generators.rules.world import World
    from geurim.impute import impute
    from geurim.mix import mix
    from geurim.model import load, save
    from geurim.pipeline import Result, generate, run
    from geurim.read import read
    from geurim.sample import sample
    from geurim.verify import Report, verify
    from geurim.write import write


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'geurim' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(types.ModuleType):
    """Keeps the verbs callable: `geurim.read` is the function, though a module has that name too.

    Python sets a package's attribute to the submodule when it first loads `geurim/read.py`; that
    would hide the function. `from geurim.read import …` finds the module all the same.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOMES and isinstance(value, types.ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
