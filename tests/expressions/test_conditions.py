"""Conditions mean what they mean in SQL: DuckDB's WHERE is the judge."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import fields
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from geurim.errors import SettingError
from geurim.expressions import (
    Arithmetic,
    Column,
    Comparison,
    Expression,
    In,
    IsNull,
    Junction,
    Literal,
    Negative,
    Not,
    parse,
)

duckdb = pytest.importorskip("duckdb")

DAY = dt.date(2024, 3, 1)
TABLE = pa.RecordBatch.from_pydict(
    {
        "age": pa.array([17, 18, 40, None, 65, 0, -3, 18], pa.int32()),
        "income": pa.array([1.5, None, 20.25, 18.0, 0.0, -1.5, 1e9, 40.0]),
        "city": pa.array(["Seoul", "O'Hara", "", None, "Bern", "18", "bern", "서울"]),
        "member": pa.array([True, False, None, True, False, True, False, None]),
        "since": pa.array([DAY, None, *(DAY + dt.timedelta(i * 200) for i in range(-3, 3))]),
        "seen": pa.array(
            [dt.datetime(2024, 3, 1, h, 30) if h != 3 else None for h in range(0, 24, 3)]
        ),
    }
)
SCHEMA = TABLE.schema


def mask(text: str, batch: pa.RecordBatch = TABLE) -> list[int]:
    return np.flatnonzero(parse(text, batch.schema).mask(batch)).tolist()


@lru_cache
def people() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    table = pa.Table.from_batches([TABLE]).append_column("place", pa.array(range(len(TABLE))))
    connection.register("people", table)
    return connection


class Quotient(Arithmetic):
    """Prints what is missing where the divisor is 0: DuckDB says infinite, others an error."""

    def __str__(self) -> str:
        return f"{self.left._within(6)} / nullif({self.right}, 0)"


def with_null_quotients(found: Any) -> Any:
    if isinstance(found, tuple):
        return tuple(with_null_quotients(x) for x in found)
    if not isinstance(found, Expression):
        return found
    changed = {f.name: with_null_quotients(getattr(found, f.name)) for f in fields(found)}
    quotient = isinstance(found, Arithmetic) and found.operator == "/"
    return (Quotient if quotient else type(found))(**changed)


# Hypothesis: random conditions, judged by DuckDB

numbers: st.SearchStrategy[Expression] = st.recursive(
    st.sampled_from([Column("age", pa.int64()), Column("income", pa.float64())])
    | st.integers(-50, 50).map(lambda v: Literal(v, pa.int64()))
    | st.sampled_from([1.5, 0.25, -20.25, 1e9, 1e-3]).map(lambda v: Literal(v, pa.float64())),
    lambda inner: (
        st.builds(Arithmetic, st.sampled_from("+-*/"), inner, inner)
        | inner.filter(lambda x: not isinstance(x, Literal)).map(Negative)
    ),
    max_leaves=5,
)
texts: st.SearchStrategy[Expression] = st.just(Column("city", pa.string())) | st.sampled_from(
    ["Seoul", "O'Hara", "", "bern", 'a "b"', "서울"]
).map(lambda v: Literal(v, pa.string()))
comparisons = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
days = st.sampled_from(["2024-03-01", "2023-08-14", "1999-12-31"])
dates = days.map(lambda v: Literal(v, pa.date32()))
moments = st.sampled_from(["2024-03-01 09:30:00", "2024-03-01", "2024-03-01T21:30:00"]).map(
    lambda v: Literal(v, pa.timestamp("us"))
)
since, seen = Column("since", pa.date32()), Column("seen", pa.timestamp("us"))


def lists(values: st.SearchStrategy[Expression]) -> st.SearchStrategy[tuple[Expression, ...]]:
    literals = values.filter(lambda x: isinstance(x, Literal))
    return st.lists(literals, min_size=1, max_size=3).map(tuple)


conditions: st.SearchStrategy[Expression] = st.recursive(
    st.just(Column("member", pa.bool_()))
    | st.builds(Comparison, comparisons, numbers, numbers)
    | st.builds(Comparison, comparisons, texts, texts)
    | st.builds(Comparison, comparisons, st.just(since), dates | st.just(since))
    | st.builds(Comparison, comparisons, st.just(seen), moments)
    | st.builds(In, numbers, lists(numbers))
    | st.builds(In, texts, lists(texts))
    | st.builds(In, st.just(since), lists(dates))
    | st.builds(IsNull, numbers | texts | st.sampled_from([since, seen]), st.booleans()),
    lambda inner: (
        st.builds(IsNull, inner, st.booleans())
        | st.builds(Not, inner)
        | st.builds(
            Junction,
            st.sampled_from(["and", "or"]),
            st.lists(inner, min_size=2, max_size=3).map(tuple),
        )
    ),
    max_leaves=5,
)


@settings(max_examples=400, deadline=None)
@given(condition=conditions)
def test_any_condition_selects_what_duckdb_selects(condition: Expression) -> None:
    # Numbers are doubles here; DuckDB would take 1.5 for an exact decimal, which rounds elsewhere.
    text = str(with_null_quotients(condition))
    sql = re.sub(r"\d+(\.\d*)?(e[+-]?\d+)|\d+\.\d*", r"\g<0>::double", text)
    try:
        found = people().execute(f"select place from people where {sql} order by 1").fetchall()
    except duckdb.OutOfRangeException:  # its whole numbers end at 64 bits
        reject()
    assert np.flatnonzero(condition.mask(TABLE)).tolist() == [p for (p,) in found]


@settings(max_examples=400, deadline=None)
@given(condition=conditions)
def test_printed_condition_parses_to_itself(condition: Expression) -> None:
    assert parse(str(condition), SCHEMA) == condition


@settings(max_examples=200, deadline=None)
@given(
    name=st.text(max_size=8)
    | st.sampled_from(["row", "weight", "", "and", "`", '"', "a b", "이름"])
)
def test_any_column_name_can_be_written(name: str) -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([1, 20, None])], [name])
    condition = Comparison(">", Column(name, pa.int64()), Literal(5, pa.int64()))
    assert parse(str(condition), batch.schema).mask(batch).tolist() == [False, True, False]


@settings(max_examples=300, deadline=None)
@given(
    text=st.text(max_size=30)
    | st.lists(
        st.sampled_from(
            [
                *SCHEMA.names,
                *"()=<+-*/,1`",
                "and",
                "or",
                "not",
                "in",
                "is",
                "null",
                "between",
                "'x'",
            ]
        ),
        max_size=12,
    ).map(" ".join)
)
def test_any_text_is_a_condition_or_a_clear_error(text: str) -> None:
    try:
        parse(text, SCHEMA).mask(TABLE)
    except SettingError as error:
        assert "at character" in str(error)


# Examples


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("age >= 18", [1, 2, 4, 7]),
        ("AGE >= 18".replace("AGE", "age") + " AND member", []),
        ("age = 18", [1, 7]),
        ("age == 18", [1, 7]),
        ("age != 18 and age <> 40", [0, 4, 5, 6]),
        ("not age >= 18", [0, 5, 6]),
        ("age is null or city is null", [3]),
        ("age is not null and member is not null", [0, 1, 4, 5, 6]),
        ("age between 17 and 40", [0, 1, 2, 7]),
        ("age not between 17 and 40", [4, 5, 6]),
        ("city in ('Seoul', \"Bern\")", [0, 4]),
        ("city not in ('Seoul', 'Bern')", [1, 2, 5, 6, 7]),
        ("city = 'O''Hara' or city = \"O'Hara\"", [1]),
        ("city = '18'", [5]),
        ("`city` = '서울'", [7]),
        ("member", [0, 3, 5]),
        ("member = false", [1, 4, 6]),
        ("not member", [1, 4, 6]),
        ("since >= '2024-03-01'", [0, 5, 6, 7]),
        ("'2024-03-01' <= since", [0, 5, 6, 7]),
        ("since in ('2024-03-01')", [0, 5]),
        ("seen > '2024-03-01 15:00:00'", [5, 6, 7]),
        ("seen > since", [0, 2, 3, 4, 5]),
        ("income * 2 + 1 > 41", [2, 6, 7]),
        ("income / age > 2", [7]),
        ("income / 0 = 1 or 1 / income > 0.6", [0]),
        ("-age > 2", [6]),
        ("age in (-3, 40.0)", [2, 6]),
        ("2 * (age - 17) = 2", [1, 7]),
        ("1 = 1", list(range(8))),
        ("1 = 2", []),
        ("(age > 17) = member", [6]),
        ("((age)) > ((60))", [4]),
    ],
)
def test_condition_selects(text: str, places: list[int]) -> None:
    assert mask(text) == places


def test_columns_that_are_read_are_known() -> None:
    assert parse("age + 1 > 2 or city in ('a') and not member", SCHEMA).columns == {
        "age",
        "city",
        "member",
    }


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (pa.uint64(), "x >= 2"),
        (pa.float32(), "x >= 2"),
        (pa.decimal128(21, 2), "x >= 2"),
        (pa.decimal128(21, 2), "x in (2, 3)"),
        (pa.int8(), "x >= 1.5"),
    ],
)
def test_numbers_of_every_type_compare(kind: pa.DataType, text: str) -> None:
    batch = pa.RecordBatch.from_pydict({"x": pa.array([1, 2, 3, None]).cast(kind)})
    assert mask(text, batch) == [1, 2]


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int8(), pa.string())])
def test_text_of_every_type_compares(kind: pa.DataType) -> None:
    batch = pa.RecordBatch.from_pydict({"x": pa.array(["a", "b", None]).cast(kind)})
    assert mask("x = 'b' and x in ('b', 'c')", batch) == [1]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (pa.timestamp("s"), "x >= '2024-03-01 12:00:00'"),
        (pa.timestamp("ns"), "x >= '2024-03-01 12:00:00'"),
        (pa.timestamp("us", "Asia/Seoul"), "x >= '2024-03-01 21:00:00'"),
        (pa.timestamp("us", "Asia/Seoul"), "x >= '2024-03-01 12:00:00Z'"),
        (pa.date64(), "x > '2024-02-28'"),
        (pa.time64("us"), "x >= '12:00:00'"),
        (pa.time32("s"), "x >= '12:00:00'"),
    ],
)
def test_times_of_every_type_compare(kind: pa.DataType, text: str) -> None:
    moments = pa.array([dt.datetime(2024, 2, 1, 3), dt.datetime(2024, 3, 1, 12)])
    if pa.types.is_timestamp(kind) and kind.tz:
        moments = moments.cast(pa.timestamp("us", "UTC"))
    batch = pa.RecordBatch.from_arrays([moments.cast(kind)], ["x"])
    assert mask(text, batch) == [1]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("ages >= 18", ["'ages'", "character 1", "Did you mean 'age'", "city"]),
        ("AGE >= 18", ["'AGE'", "Did you mean 'age'"]),
        ("age >= 18 and cty = 'x'", ["'cty'", "character 15", "'city'"]),
        ("age = '18'", ["text", "a number", "quotes"]),
        ("city = 18", ["text", "a number", "quotes"]),
        ('"age" >= 18', ["backticks"]),
        ("since > 'soon'", ["'soon' is not a date", "'2024-03-01'"]),
        ("since > 2024", ["2024 is not a date"]),
        ("seen = 'x'", ["time stamp", "13:45"]),
        ("age", ["age is a number, not a condition"]),
        ("age and member", ["age is a number, not a condition", "character 1"]),
        ("member and age", ["not a condition", "character 12"]),
        ("not age", ["not a condition"]),
        ("member > false", ["no order"]),
        ("age = null", ["is null"]),
        ("city + 1 = 2", ["Arithmetic needs numbers", "character 1"]),
        ("-city = 'x'", ["Arithmetic needs numbers"]),
        ("1 < age < 3", ["do not chain", "a < b and b < c"]),
        ("age >=", ["ends too early", "character 7"]),
        ("", ["ends too early"]),
        ("(age > 1", ["')' is missing"]),
        ("age > 1)", ["')' was not expected"]),
        ("age > 1 city = 'x'", ["'city' was not expected", "and, or"]),
        ("age in 3", ["a list"]),
        ("age in (age)", ["numbers and texts only"]),
        ("age in (1, 'x')", ["a number", "text"]),
        ("age between 1", ["'and' is missing"]),
        ("age is 3", ["null"]),
        ("city = 'x", ["cannot be read", "Close the quotes"]),
        ("age # 3", ["'#' cannot be read"]),
        ("18x > 3", ["cannot begin with a digit"]),
        ("age > 1e999", ["too large"]),
        ("(" * 200 + "age" + ")" * 200 + " > 1", ["levels deep"]),
        ("not " * 200 + "member", ["levels deep"]),
        ("-" * 200 + "age > 1", ["levels deep"]),
        ("age" + " + 1" * 200 + " > 1", ["terms in a row"]),
        ("__import__('os').system('x')", ["__import__"]),
    ],
)
def test_error_says_what_where_and_what_to_do(text: str, parts: list[str]) -> None:
    with pytest.raises(SettingError) as caught:
        parse(text, SCHEMA)
    for part in parts:
        assert part in str(caught.value)


def test_error_points_at_the_place() -> None:
    with pytest.raises(SettingError) as caught:
        parse("age >= 18 and cty = 'x'", SCHEMA)
    shown, pointer = str(caught.value).splitlines()[-2:]
    assert shown[pointer.index("^") :].startswith("cty")


def test_column_named_twice_is_refused() -> None:
    schema = pa.schema([("x", pa.int64()), ("x", pa.int64())])
    with pytest.raises(SettingError, match="several columns 'x'"):
        parse("x > 1", schema)


def test_column_of_lists_is_refused_but_its_missing_values_are_known() -> None:
    batch = pa.RecordBatch.from_pydict({"x": pa.array([[1], None])})
    assert mask("x is null", batch) == [1]
    with pytest.raises(SettingError, match="other"):
        parse("x = 1", batch.schema)


def test_many_conditions_in_a_row_are_no_depth() -> None:
    assert mask(" or ".join(f"age = {i}" for i in range(3000))) == [0, 1, 2, 4, 5, 7]


def test_missing_side_of_a_junction_follows_sql(tmp_path: Any) -> None:
    # Row 3 has no age: `null or true` is true, `null and true` is not met, `not null` is not met.
    assert 3 in mask("age > 0 or member")
    assert 3 not in mask("age > 0 and member")
    assert 3 not in mask("not age > 0")
