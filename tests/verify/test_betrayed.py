"""The rows that betray are synthetic, are the broken ones, and never equal a real row."""

import numpy as np
import pyarrow as pa
import pytest
from people import RARE, people, put

from geurim.verify import betrayed, verify

TABLES = [people(1_500, np.random.default_rng(s)) for s in (1, 2, 3)]
BROKEN = 0.3


def shown(synthetic):
    report = verify(synthetic, TABLES[1], holdout=TABLES[2], checks=["c2st"])
    return report, report.find("c2st_auc").details["rows"]


def with_old_people(table: pa.Table) -> pa.Table:
    """Some rows with an age that the real rows do not have."""
    age = np.array(table["age"].to_pylist())
    age[: int(BROKEN * len(age))] = 130
    return put(table, "age", age)


def test_the_rows_shown_are_broken_ones_with_the_column_that_breaks_them_first():
    report, rows = shown(with_old_people(TABLES[0]))
    assert len(rows) == 10
    assert {(r["values"][0]["column"], r["values"][0]["value"]) for r in rows} == {("age", "130")}
    page = report.to_html()
    assert "<details>" in page and "<b>age</b> = 130" in page


def test_honest_rows_betray_nothing():
    report, rows = shown(TABLES[0])
    assert rows == [] and "<details>" not in report.to_html()


def test_a_row_that_equals_a_real_one_is_never_shown(monkeypatch):
    copied = put(TABLES[1].slice(0, 30), "age", [131] * 30)
    real = pa.concat_tables([copied, TABLES[1].slice(30)])
    made = pa.concat_tables([copied] * 15 + [with_old_people(TABLES[0]).slice(400)])

    def ages():
        report = verify(made, real, holdout=TABLES[2], checks=["c2st"])
        rows = report.find("c2st_auc").details["rows"]
        return {v["value"] for r in rows for v in r["values"] if v["column"] == "age"}

    assert ages() == {"130"}
    monkeypatch.setattr(betrayed, "row_keys", lambda rows, _: np.random.rand(rows.count))
    assert "131" in ages()  # they are left out because they are copies


@pytest.mark.parametrize("times", [30, 3])
def test_a_category_that_few_real_rows_have_is_not_told(times):
    values = TABLES[1]["place"].to_pylist()
    values = ["A" if v in RARE else v for v in values]
    real = put(TABLES[1], "place", [*["secret"] * times, *values[times:]])
    made = put(TABLES[0], "place", ["secret"] * 500 + ["A"] * 1_000)
    report = verify(made, real, holdout=real, checks=["c2st"])
    rows = report.find("c2st_auc").details["rows"]
    told = {v["value"] for r in rows for v in r["values"] if v["column"] == "place"}
    assert told == ({"secret"} if times == 30 else {"a rare value"})
