"""STEP 1: what a table looks like. `analyze` reads the rows once and keeps none of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from geurim.analyze.collect import Column, collect
from geurim.analyze.dependence import dependence
from geurim.analyze.determined import rules
from geurim.analyze.distributions import (
    describe_categories,
    describe_numbers,
    describe_text,
    rounded_count,
)
from geurim.analyze.page import profile_page
from geurim.analyze.personal import (
    decide_personal,
    describe_personal,
    find_personal,
    settle_locales,
)
from geurim.analyze.roles import decide
from geurim.analyze.store import load_profile, profile_from_json, profile_to_json, save_profile
from geurim.contract import Event, Json, Profile, Progress, Source, quiet
from geurim.errors import SettingError

__all__ = [
    "analyze",
    "find_personal",
    "load_profile",
    "profile_from_json",
    "profile_page",
    "profile_to_json",
    "save_profile",
]


def analyze(data: Any, *, k: int = 10, progress: Progress = quiet) -> Profile:
    """Learn the distributions, roles, dependence and rules of a table; never a row of it.

    `data`: a Source, a path or URL, or a frame. `k`: the least number of rows behind anything that
    the profile shows: categories seen in fewer are pooled, extremes are rounded outwards. What a
    profile holds is listed in docs/profile.md. The same data give the same profile.
    Raises DataError (no rows, infinite numbers), SchemaError (a type or role that cannot be).
    """
    if not isinstance(k, int) or k < 1:
        raise SettingError(f"k is the least number of rows behind a figure, given {k!r}. Use 1 up.")
    source = data if isinstance(data, Source) else _read(data)
    collected = collect(source, progress)
    columns: dict[str, dict[str, Json]] = {}
    for place, (name, column) in enumerate(collected.columns.items()):
        columns[name] = _describe(column, k)
        progress(
            Event(step="analyze", done=place + 1, total=len(collected.columns), unit="columns")
        )
    settle_locales(columns)
    rng = np.random.default_rng(collected.seed)
    roles = {name: str(found["role"]) for name, found in columns.items()}
    return Profile(
        schema=source.schema.remove_metadata(),
        lineage=source.lineage,
        rows=collected.rows,
        columns=columns,
        dependence=dependence(collected.columns, roles, rng),
        rules=rules(collected.columns, roles, rng),
    )


def _read(data: Any) -> Source:
    from geurim.read import as_source

    source: Source = as_source(data)
    return source


def _describe(column: Column, k: int) -> dict[str, Json]:
    role, why, more = decide_personal(column, k) or decide(column, k)
    found: dict[str, Json] = {
        "role": role,
        "why": why,
        "missing": column.missing,
        "distinct": rounded_count(column.distinct) if column.present else 0,
    }
    found |= more
    if role in ("number", "datetime"):
        found |= describe_numbers(column, k)
    elif role in ("category", "constant"):
        found |= describe_categories(column, k)
    elif role == "text":
        found |= describe_text(column) | describe_personal(column)
    return found
