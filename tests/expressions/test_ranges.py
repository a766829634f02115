"""Bounds hold every value, and what is called impossible never happens."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_formulas import PEOPLE, SCHEMA, conditions, formulas

from geurim.columns import is_ordered, to_axis
from geurim.expressions import Expression, parse, parse_value
from geurim.expressions.interval import Interval
from geurim.expressions.ranges import range_of
from geurim.generators.rules.ranges import impossible, why_impossible

DAY_US = 86_400e6
SLOW_TO_DRAW = [HealthCheck.too_slow, HealthCheck.filter_too_much]
rows = st.sets(st.integers(0, len(PEOPLE) - 1), min_size=1).map(
    lambda places: PEOPLE.take(pa.array(sorted(places)))
)


def known(batch: pa.RecordBatch) -> dict[str, Interval]:
    """What the columns hold."""
    found = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        there, missing = column.drop_null(), column.null_count > 0
        if not is_ordered(column.type):
            found[name] = Interval(values=frozenset(there.to_pylist()), missing=missing)
        elif len(there):
            axis = to_axis(there)
            found[name] = Interval(float(axis.min()), float(axis.max()), missing=missing)
    return found


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW_TO_DRAW)
@given(formula=formulas, batch=rows)
def test_range_holds_every_value(formula: Expression, batch: pa.RecordBatch) -> None:
    bounds = range_of(formula, known(batch))
    found = formula.evaluate(batch)
    if isinstance(found, pa.Scalar):
        found = pa.repeat(found, 1)
    assert bounds.missing or found.null_count == 0
    if is_ordered(found.type):
        axis = to_axis(found.drop_null())
        axis = axis[np.isfinite(axis)]
        assert (axis >= bounds.low).all() and (axis <= bounds.high).all()
    elif bounds.values is not None:
        assert set(found.drop_null().to_pylist()) <= bounds.values


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW_TO_DRAW)
@given(condition=conditions, batch=rows)
def test_impossible_condition_is_met_by_no_row(
    condition: Expression, batch: pa.RecordBatch
) -> None:
    if impossible(condition, known(batch)):
        assert not condition.mask(batch).any()


GIVEN = {
    "age": Interval(18, 90, missing=False),
    "income": Interval(0, 1e6),
    "home.city": Interval(values=frozenset(["Seoul", "Bern"])),
    "born": Interval(0, 365 * DAY_US, missing=False),  # 1970
    "seen": Interval(20_000 * DAY_US, 20_001 * DAY_US),
}


@pytest.mark.parametrize(
    ("text", "low", "high", "missing"),
    [
        ("0.5 * age - 10", -1, 35, False),
        ("-age", -90, -18, False),
        ("90 / age", 1, 5, False),
        ("income / age", 0, 1e6 / 18, True),
        ("age / income", 18e-6, np.inf, True),
        ("1 / (age - 50)", -np.inf, np.inf, True),
        ("if(member, age, 5)", 5, 90, False),
        ("if(age > 10, age, 5)", 18, 90, False),
        ("if(age > 100, age, 5)", 5, 5, False),
        ("if(age > 50, age, null)", 18, 90, True),
        ("coalesce(income, -1)", -1, 1e6, False),
        ("coalesce(age, -1)", 18, 90, False),
        ("min(age, 30, income)", 0, 30, True),
        ("max(age, 30)", 30, 90, False),
        ("clip(income, 10, 20)", 10, 20, True),
        ("abs(age - 40)", 0, 50, False),
        ("sign(age)", 1, 1, False),
        ("floor(age / 4)", 4, 22, False),
        ("round(age / 4)", 5, 23, False),
        ("pow(age - 20, 2)", 0, 4900, False),
        ("mod(age, 7)", 0, 7, False),
        ("sin(income)", -1, 1, True),
        ("year(born)", 1970, 1971, False),
        ("month(born)", 1, 12, False),
        ("age(born, '2000-01-01')", 29, 30, False),
        ("days_between(born, '1971-01-01')", 0, 365, False),
        ("length(home.city)", 4, 5, True),
    ],
)
def test_range_is_as_narrow_as_it_can_be(text: str, low: float, high: float, missing: bool) -> None:
    found = range_of(parse_value(text, SCHEMA), GIVEN)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert found.missing == missing


def test_texts_are_followed_through_functions() -> None:
    found = range_of(parse_value("concat(lower(home.city), '!')", SCHEMA), GIVEN)
    assert found == Interval(values=frozenset(["seoul!", "bern!"]))


@pytest.mark.parametrize(
    "text",
    [
        "age < 18",
        "age + 1 < 19",
        "not age >= 18",
        "age > 90",
        "log(income) > 20",
        "age in (5, 6)",
        "age / 2 in (5, 6)",
        "home.city = 'Rome'",
        "upper(home.city) = 'Seoul'",
        "if(member, 'a', 'b') = 'c'",
        "age is null",
        "year(born) < 1970",
        "born > seen",
        "born > '1980-01-01'",
        "age < 20 and age > 30",
        "age = 20 and age + 1 > 30",
        "income < 0 or age < 3",
        "1 = 2",
        "sqrt(0 - age) > 0",
    ],
)
def test_what_cannot_be_is_found(text: str) -> None:
    assert impossible(parse(text, SCHEMA), GIVEN)
    assert why_impossible([parse(text, SCHEMA)], GIVEN)


@pytest.mark.parametrize(
    "text",
    [
        "age <= 18",
        "age >= 90",
        "not age > 18",
        "home.city < 'C'",
        "income is null",
        "log(income) is null",
        "member",
        "not member",
        "year(born) = 1971",
        "age < 20 or age > 200",
        "exp(age) > 1e38",
        "mod(age, 7) = 6",
    ],
)
def test_what_can_be_is_let_through(text: str) -> None:
    assert not impossible(parse(text, SCHEMA), GIVEN)


def test_neighbours_that_share_a_float_are_told_apart_by_nobody() -> None:
    schema = pa.schema([("id", pa.int64()), ("t", pa.timestamp("ns"))])
    top = Interval(2.0**53, 2.0**53)
    assert not impossible(parse("id > 9007199254740992", schema), {"id": top})
    at = Interval(1.7e15, 1.7e15)
    later = parse("t > '2023-11-14 22:13:20.000000001'", schema)
    assert not impossible(later, {"t": at})


def test_day_begins_elsewhere_in_another_zone() -> None:
    schema = pa.schema([("day", pa.date32()), ("t", pa.timestamp("us", "Asia/Seoul"))])
    bounds = {"day": Interval(DAY_US, DAY_US), "t": Interval(0.75 * DAY_US, 0.75 * DAY_US)}
    ticks = pa.array([int(0.75 * DAY_US)]).cast(schema.field("t").type)
    batch = pa.record_batch([pa.array([1], pa.int32()).cast(pa.date32()), ticks], schema)
    condition = parse("day <= t", schema)
    assert condition.mask(batch).all() and not impossible(condition, bounds)
