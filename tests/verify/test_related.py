"""The measures of what joins tables: an honest database passes, each mutant fails."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from geurim.errors import DataError
from geurim.relations import Database, read_database
from geurim.verify.related import cramer, verify_database
from geurim.verify.report import Report


def shop(seed: int, *, change: str = "") -> Database:
    """Parents, and children whose number and colour depend on the parent's kind."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, 1_500)
    count = rng.poisson(1 + 2 * kind)
    if change == "counts":
        count = np.full(len(kind), round(count.mean()))
    parent = np.repeat(np.arange(len(kind)), count)
    colour = np.where(rng.random(len(parent)) < 0.8, kind[parent], rng.integers(0, 3, len(parent)))
    if change == "links":
        parent = rng.permutation(parent)
    if change == "dangling":
        parent = np.where(rng.random(len(parent)) < 0.02, -5, parent)
    number = np.arange(len(parent))
    if change == "repeated":
        number[7] = 6
    held = {
        "parent": pa.table({"id": np.arange(len(kind)), "kind": [f"k{k}" for k in kind]}),
        "child": pa.table({"no": number, "parent": parent, "colour": [f"c{c}" for c in colour]}),
    }
    link = {"columns": ["parent"], "table": "parent", "references": ["id"]}
    said = {
        "parent": {"primary_key": ["id"]},
        "child": {"primary_key": ["no"], "foreign_keys": [link]},
    }
    return read_database(held, schema={"tables": said})


def judged(change: str = "") -> Report:
    return verify_database(shop(2, change=change), shop(1))


def test_another_sample_of_the_same_shop_passes() -> None:
    report = judged()
    assert {f.verdict for f in report.findings} == {"pass"}
    assert report.passed and report.verdicts == {"faithful": "pass"}


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ("dangling", "dangling_references"),
        ("counts", "children_a_parent"),
        ("links", "related_columns"),
        ("links", "related_siblings"),
        ("repeated", "repeated_keys"),
    ],
)
def test_each_mutant_is_found_by_its_measure(change: str, name: str) -> None:
    report = judged(change)
    worst = {f.name: f.verdict for f in report.findings}
    assert worst[name] in ("warn", "fail"), report.findings
    assert name == "related_columns" or not report.passed


def test_a_lost_table_is_an_error() -> None:
    real = shop(1)
    with pytest.raises(DataError, match="child"):
        verify_database(replace(real, tables={"parent": real.tables["parent"]}), real)


def test_cramers_v_is_none_for_chance_and_all_for_a_copy() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 4, 5_000), rng.integers(0, 4, 5_000)
    assert cramer(first, first) > 0.99 and cramer(first, second) < 0.03
    half = np.where(rng.random(5_000) < 0.5, first, second)
    assert abs(cramer(first, half) - 0.5) < 0.05  # V of a mixture is its share
