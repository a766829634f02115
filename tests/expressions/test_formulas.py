"""Formulas mean what they mean in SQL: DuckDB's functions are the judge."""

from __future__ import annotations

import datetime as dt
import math
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_formulas import PEOPLE, SCHEMA, formulas

from geurim.constraints import kinds
from geurim.errors import ExpressionError
from geurim.expressions import FUNCTIONS, Expression, names, parse, parse_value

duckdb = pytest.importorskip("duckdb")


def values(text: str, batch: pa.RecordBatch = PEOPLE) -> list[Any]:
    found = parse_value(text, batch.schema).evaluate(batch)
    return found.to_pylist() if isinstance(found, pa.Array) else [found.as_py()] * len(batch)


@lru_cache
def people() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.register("people", pa.Table.from_batches([PEOPLE]))
    return connection


# Ours, and the same in DuckDB: where a function has no value, ours is missing.
IN_SQL = [
    ("if(member, age, income)", "case when member then age else income end"),
    ("if(age > 17, 'old', null)", "case when age > 17 then 'old' end"),
    ("coalesce(age, income, -1)", "coalesce(age, income, -1)"),
    ("abs(income)", "abs(income)"),
    ("round(income)", "round(income)"),
    ("round(age / 2)", "round(age / 2)"),
    ("round(income / 7, 2)", "round(income / 7, 2)"),
    ("round(income, -1)", "round(income, -1)"),
    ("floor(income / 4)", "floor(income / 4)"),
    ("ceil(income / 4)", "ceil(income / 4)"),
    ("sign(income)", "sign(income)"),
    ("exp(age / 10)", "exp(age / 10)"),
    ("log(income)", "case when income > 0 then ln(income) end"),
    ("log10(income)", "case when income > 0 then log10(income) end"),
    ("sqrt(income)", "case when income >= 0 then sqrt(income) end"),
    ("sin(age)", "sin(age)"),
    ("cos(age)", "cos(age)"),
    ("pow(age, 3)", "pow(age, 3)"),
    ("pow(income, 0.5)", "case when income >= 0 then pow(income, 0.5) end"),
    ("pow(age, -1)", "case when age <> 0 then pow(age, -1) end"),
    ("mod(age, 7)", "age % 7"),
    ("mod(income, 4)", "income % 4::double"),
    ("mod(age, age)", "age % nullif(age, 0)"),
    ("min(age, income, 20)", "case when age + income is not null then least(age, income, 20) end"),
    ("max(age, income)", "case when age + income is not null then greatest(age, income) end"),
    ("max(`home.city`, 'M')", """case when "home.city" is not null
                                 then greatest("home.city", 'M') end"""),
    ("clip(age, 5, 20)", "case when age is not null then greatest(5, least(age, 20)) end"),
    ("year(born)", "year(born)"),
    ("month(seen)", "month(seen)"),
    ("day(born)", "day(born)"),
    ("weekday(born)", "isodow(born)"),
    ("hour(seen)", "hour(seen)"),
    ("minute(seen)", "minute(seen)"),
    ("date(seen)", "seen::date"),
    ("add_days(born, age)", "born + age"),
    ("add_days(seen, 1.5)", "seen + interval 36 hour"),
    ("add_hours(born, 9)", "born + interval 9 hour"),
    ("add_seconds(seen, income)", "seen + to_microseconds(round(income * 1e6)::bigint)"),
    ("days_between(born, '2024-01-01')", "date '2024-01-01' - born"),
    ("days_between(born, seen)", "epoch(seen - born) / 86400"),
    ("hours_between(seen, born)", "epoch(born::timestamp - seen) / 3600"),
    ("seconds_between(born, '2024-01-01')", "(date '2024-01-01' - born) * 86400"),
    ("age(born, seen)", "datesub('year', born, seen::date)"),
    ("concat(`home.city`, '-', age)", """"home.city" || '-' || age"""),
    ("text(age)", "age::varchar"),
    ("lower(home.city)", 'lower("home.city")'),
    ("upper(home.city)", 'upper("home.city")'),
    ("length(home.city)", 'length("home.city")'),
]  # fmt: skip


@pytest.mark.parametrize(("ours", "sql"), IN_SQL)
def test_function_gives_what_duckdb_gives(ours: str, sql: str) -> None:
    judged = [x for (x,) in people().execute(f"select {sql} from people").fetchall()]
    for mine, theirs in zip(values(ours), judged, strict=True):
        if isinstance(mine, float) and theirs is not None:
            assert math.isclose(mine, theirs, rel_tol=1e-12, abs_tol=1e-12), (mine, theirs)
        else:
            assert mine == theirs


def test_every_function_is_judged() -> None:
    called = {word for ours, _ in IN_SQL for word in re.findall(r"(\w+)\(", ours)}
    assert called == set(FUNCTIONS)


# Hypothesis: random formulas

SLOW_TO_DRAW = [HealthCheck.too_slow, HealthCheck.filter_too_much]


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW_TO_DRAW)
@given(formula=formulas)
def test_printed_formula_parses_to_itself_and_keeps_its_type(formula: Expression) -> None:
    assert parse_value(str(formula), SCHEMA) == formula
    found = formula.evaluate(PEOPLE)
    assert found.type == formula.type
    assert isinstance(found, pa.Array) == bool(formula.columns)


@settings(max_examples=300, deadline=None)
@given(
    text=st.text(max_size=30)
    | st.lists(
        st.sampled_from(
            [*SCHEMA.names, *FUNCTIONS, *"()=<+-*/,1`", *("and", "not", "in", "null", "'x'")]
        ),
        max_size=12,
    ).map(" ".join)
)
def test_any_text_is_a_formula_or_an_error_with_its_place(text: str) -> None:
    try:
        parse_value(text, SCHEMA).evaluate(PEOPLE)
    except ExpressionError as error:
        assert 0 <= error.place <= len(text)
        assert error.what and error.text == text


@settings(max_examples=100, deadline=None)
@given(
    name=st.text(max_size=8) | st.sampled_from(["if", "log", "a.b", "a..b", ".a", "a.and", "1.b"])
)
def test_any_name_can_stand_in_a_formula(name: str) -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([1, 20, None])], [name])
    written = "`" + name.replace("`", "``") + "`"
    formula = parse_value(f"{written} * 2", batch.schema)
    assert parse_value(str(formula), batch.schema) == formula
    assert formula.evaluate(batch).to_pylist() == [2, 40, None]
    assert list(names(str(formula))) == [name]


# Examples


@pytest.mark.parametrize(
    ("text", "first", "kind"),
    [
        ("0.3 * age + log(income) - if(member, 5, 0)", 5.1 + math.log(1.5) - 5, pa.float64()),
        ("if(member, 1, 2)", 1, pa.int64()),
        ("if(member, 1, 2.5)", 1.0, pa.float64()),
        ("IF(member AND age > 1, Year(born), 0)", 2024, pa.int64()),
        ("round(-2.5)", -3, pa.int64()),
        ("round(9007199254740993)", 9007199254740993, pa.int64()),
        ("floor(9007199254740993)", 9007199254740993, pa.int64()),
        ("log(0)", None, pa.float64()),
        ("log(-1)", None, pa.float64()),
        ("sqrt(-1)", None, pa.float64()),
        ("pow(0, -1)", None, pa.float64()),
        ("pow(-8, 1 / 3)", None, pa.float64()),
        ("mod(5, 0)", None, pa.int64()),
        ("mod(5.5, 0)", None, pa.float64()),
        ("mod(-7, 3)", -1, pa.int64()),
        ("floor(1e300)", None, pa.int64()),
        ("add_days('2024-02-28', 2)", dt.date(2024, 3, 1), pa.date32()),
        ("add_days('2024-03-01', -0.5)", dt.date(2024, 2, 29), pa.date32()),
        ("add_days('9999-12-31', 1)", None, pa.date32()),
        ("add_days('0001-01-01', -1)", None, pa.date32()),
        ("add_days(born, 1e300 * age)", None, pa.date32()),
        ("add_seconds('1969-12-31 23:59:59', 0.5)", dt.datetime(1969, 12, 31, 23, 59, 59, 500000),
         pa.timestamp("us")),
        ("date('1969-12-31 23:00:00')", dt.date(1969, 12, 31), pa.date32()),
        ("age('2000-02-29', '2023-02-28')", 22, pa.int64()),
        ("age('2000-02-29', '2023-03-01')", 23, pa.int64()),
        ("max(born, '2025-01-01')", dt.date(2025, 1, 1), pa.date32()),
        ("concat(1.0, ' ', true, ' ', -0.0, ' ', born)", "1 true 0 2024-02-29", pa.string()),
        ("text(seen)", "2024-03-01 00:30:05", pa.string()),
        ("year(born) > 1990 and not member", False, pa.bool_()),
    ],
)  # fmt: skip
def test_formula_has_value_and_type(text: str, first: Any, kind: pa.DataType) -> None:
    formula = parse_value(text, SCHEMA)
    assert formula.type == kind
    found = values(text)[0]
    assert found == pytest.approx(first) if isinstance(first, float) else found == first


def test_calendar_is_that_of_the_zone() -> None:
    moments = pa.array([dt.datetime(2024, 12, 31, 20)], pa.timestamp("us", "UTC"))
    batch = pa.RecordBatch.from_arrays([moments.cast(pa.timestamp("us", "Asia/Seoul"))], ["t"])
    assert values("year(t) * 100 + hour(t)", batch) == [202505]
    assert values("date(t)", batch) == [dt.date(2025, 1, 1)]
    assert values("text(t)", batch) == ["2025-01-01 05:00:00"]
    assert values("days_between('2025-01-01', t)", batch) == [5 / 24]


def test_whole_numbers_beyond_floats_are_reckoned_with_not_refused() -> None:
    batch = pa.RecordBatch.from_pydict({"id": [2**60 + 1, None]})
    assert values("id + 1", batch) == [2.0**60, None]
    assert values("mod(id, 2)", batch) == [1, None]
    assert parse("id > 1.5", batch.schema).mask(batch).tolist() == [True, False]


def test_function_is_no_column_and_a_column_no_function() -> None:
    batch = pa.RecordBatch.from_pydict({"min": [3, 4], "if": [True, False]})
    assert values("min(min, 3) + if(if, 1, 0)", batch) == [4, 3]


def test_conditions_and_constraints_call_functions() -> None:
    assert np.flatnonzero(parse("year(born) > 2020", SCHEMA).mask(PEOPLE)).tolist() == [0, 5, 6, 7]
    rule = kinds.parse("income = round(age / 2, 1)", SCHEMA)
    assert isinstance(rule, kinds.Rule) and rule.sum is not None and rule.sum[0] == "income"
    assert str(kinds.parse("unique(age, income)", SCHEMA)) == "unique(age, income)"


def test_names_of_a_text_are_known_without_a_schema() -> None:
    text = "log(owner.age) + `a b` * if(owner.age > x, 'y', null)"
    assert names(text) == {"owner.age": 4, "a b": 17, "x": 40}


@pytest.mark.parametrize(
    ("text", "place", "parts"),
    [
        ("age + logg(income)", 6, ["no function 'logg'", "Did you mean 'log'", "sqrt"]),
        ("ln(income)", 0, ["no function 'ln'", "'log'"]),
        ("ROUNDD(income)", 0, ["'ROUNDD'"]),
        ("log", 0, ["no column 'log'", "log(x)"]),
        ("log()", 0, ["log has 0 arguments", "log(x)"]),
        ("pow(age)", 0, ["pow has 1 argument,", "pow(a, b)"]),
        ("round(age, 1, 2)", 0, ["3 arguments", "round(x[, digits])"]),
        ("1 + log(home.city)", 8, ["home.city is text", "needs a number"]),
        ("if(age, 1, 2)", 3, ["age is a number", "truth value"]),
        ("if(member, 1, 'a')", 14, ["1 is a number, 'a' is text", "one kind", "text(x)"]),
        ("min(born, seen)", 10, ["a date", "a time stamp", "date(t)"]),
        ("coalesce(1, member)", 12, ["truth value"]),
        ("max(member, member)", 4, ["member is a truth value"]),
        ("coalesce(null, 1)", 9, ["null stands for a value"]),
        ("if(member, null, null)", 3, ["only null"]),
        ("round(age, income)", 11, ["a whole number from -15 to 15"]),
        ("round(age, 99)", 11, ["99", "-15 to 15"]),
        ("clip(age, 5, 1)", 10, ["low end 5", "high end 1"]),
        ("year('soon')", 5, ["'soon' is text", "'2024-03-01'"]),
        ("hour('13:45:00')", 5, ["needs a time stamp or a time"]),
        ("year(home.city)", 5, ["home.city is text"]),
        ("max(born, 'soon')", 10, ["'soon' is not a date"]),
        ("born + 1", 0, ["born is a date", "add_days(d, n)"]),
        ("home.city + 1", 0, ["concat(a, b)"]),
        ("home.town", 0, ["'home.town'", "Did you mean 'home.city'"]),
        ("min(age, 2,)", 11, ["')' stands where"]),
        ("min(age, 2", 10, ["')' is missing", "min(a, b, …)"]),
        ("age age", 4, ["'age' was not expected"]),
        ("", 0, ["formula ends too early"]),
        ("abs(" * 200 + "age" + ")" * 200, 164, ["levels deep"]),
    ],
)
def test_error_says_what_where_and_what_to_do(text: str, place: int, parts: list[str]) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_value(text, SCHEMA)
    assert caught.value.place == place
    for part in parts:
        assert part in str(caught.value)


def test_time_stamps_with_and_without_a_zone_do_not_mix() -> None:
    schema = pa.schema([("a", pa.timestamp("us")), ("b", pa.timestamp("us", "UTC"))])
    with pytest.raises(ExpressionError, match="has a zone"):
        parse_value("days_between(a, b)", schema)


def test_as_many_levels_as_are_allowed_can_be_evaluated_and_printed() -> None:
    text = "age"
    for _ in range(39):
        text = f"if(age > 1, {text}, 0)"
    formula = parse_value(text, SCHEMA)
    assert str(formula) == text
    assert formula.evaluate(PEOPLE).to_pylist()[0] == 17


def test_docs_list_every_function() -> None:
    page = Path(__file__).parents[2] / "docs" / "conditions.md"
    text = page.read_text(encoding="utf-8")
    assert [f.usage for f in FUNCTIONS.values() if f"`{f.usage}`" not in text] == []
