"""Every defect of the list, at its strong level, is found, and by the measure meant for it.

The rows are those of `people`; what a defect needs is planted. Honest rows with everything planted
pass all measures.
"""

import numpy as np
import pyarrow as pa
import pytest
from breaking import DEFECTS, STRONG, spoiled
from people import people

from geurim.verify import MEASURES, verify

ROWS = 6_000
TABLES = {
    name: people(ROWS, np.random.default_rng(seed))
    for name, seed in (("training", 11), ("holdout", 12), ("honest", 13))
}

FOUND_BY = {
    "copied rows": ("copies", "exact_copies"),
    "a few copied rows": None,
    "memorised outliers": None,
    "duplicated rows": ("duplicates", "duplicate_rows"),
    "shifted mean": ("columns", "column_ks"),
    "changed variance": ("columns", "column_ks"),
    "missing tail": ("tails", "tail_high"),
    "tail too short": ("extremes", "tail_shape"),
    "dropped category": ("lost", "lost_categories"),
    "invented category": ("invented", "invented_categories"),
    "category written otherwise": ("invented", "invented_categories"),
    "wrong null rate": ("missing", "missing_gap"),
    "wrong null pattern": ("missing_dependence", "missing_dependence"),
    "placeholder values": ("range", "out_of_range"),
    "rounding lost": ("digits", "number_digits"),
    "fractions in whole numbers": ("digits", "number_digits"),
    "leaked e-mails": ("survivors", "personal_survives"),
    "e-mails among categories": ("personal", "personal_found"),
    "truncated strings": ("lengths", "string_length"),
    "lost correlation": ("pairs", "pair_association"),
    "independent columns": ("pairs", "pair_distance"),
    "third order lost": ("triples", "triple_dependence"),
    "amplified bias": ("pairs", "pair_association"),
    "swapped labels": ("pairs", "pair_association"),
    "minority class lost": ("minority", "minority_share"),
    "minority cluster lost": ("combinations", "lost_combinations"),
    "impossible combination": ("combinations", "new_combinations"),
    "end before start": ("rules", "broken_rules"),
    "weekdays lost": ("dates", "date_weekday"),
    "hours lost": ("dates", "date_hour"),
    "broken formula": ("rules", "broken_rules"),
    "broken relation": ("rules", "broken_rules"),
}
"""Defect -> the check and the finding that must blame it; None: by copies among the private."""


def test_every_defect_has_a_finding_that_must_blame_it():
    assert {d.name for d in DEFECTS} == set(FOUND_BY)
    assert len(DEFECTS) >= 20
    for defect in DEFECTS:
        assert list(defect.amounts) == sorted(defect.amounts), defect.name


@pytest.mark.parametrize(
    "defect", [d for d in DEFECTS if FOUND_BY[d.name]], ids=lambda d: d.name.replace(" ", "-")
)
def test_each_strong_defect_is_found_by_the_measure_meant_for_it(defect):
    check, name = FOUND_BY[defect.name]
    given = spoiled(defect, STRONG, TABLES, "member", np.random.default_rng(14))
    report = verify(
        given["synthetic"],
        given["training"],
        holdout=given["holdout"],
        target="member",
        checks=[check],
    )
    blamed = {f.name for f in report.findings if f.verdict in ("warn", "fail")}
    assert name in blamed, [(f.name, f.value, f.text) for f in report.findings][:4]


def planted(table: pa.Table, seed: int) -> pa.Table:
    """The table with what all defects need."""
    rng = np.random.default_rng(seed)
    for plant in dict.fromkeys(d.plant for d in DEFECTS if d.plant):
        table = plant(
            table.drop_columns(["email"]) if "email" in table.schema.names else table, rng
        )
    return table


def blamed(seed: int, rows: int, checks: list[str]) -> list[tuple[str, tuple[str, ...], str]]:
    """What is said against honest rows with everything planted."""
    tables = [planted(people(rows, np.random.default_rng(20 + 3 * seed + i)), i) for i in range(3)]
    report = verify(tables[0], tables[1], holdout=tables[2], target="member", checks=checks)
    for name in ("triple_dependence", "missing_dependence", "broken_rules", "date_weekday"):
        assert any(f.name == name and f.verdict in ("pass", "info") for f in report.findings), name
    return [(f.name, f.columns, f.text) for f in report.findings if f.verdict in ("warn", "fail")]


QUICK = [
    *("triples", "missing_patterns", "missing_dependence", "dates", "rules", "duplicates"),
    *("digits", "lengths", "lost", "minority", "combinations", "extremes", "queries"),
]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_honest_rows_with_everything_planted_are_not_blamed(seed):
    assert blamed(seed, 2_000, QUICK) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3, 9))
def test_honest_rows_are_not_blamed_by_any_measure(seed):
    assert blamed(seed, 6_000, [m.name for m in MEASURES]) == []
