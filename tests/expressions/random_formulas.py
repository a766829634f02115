"""People for formulas, and random formulas of every type over them."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
from hypothesis import strategies as st

from geurim.expressions import (
    Arithmetic,
    Call,
    Column,
    Comparison,
    Expression,
    In,
    IsNull,
    Junction,
    Literal,
    Negative,
    Not,
)

DAY = dt.date(2024, 2, 29)
PEOPLE = pa.RecordBatch.from_pydict(
    {
        "age": pa.array([17, 18, 40, None, 65, 0, -3, 18], pa.int32()),
        "income": pa.array([1.5, None, 20.25, 18.0, 0.0, -1.5, 1e9, 40.0]),
        "home.city": pa.array(["Seoul", "O'Hara", "", None, "Bern", "18", "bern", "서울"]),
        "member": pa.array([True, False, None, True, False, True, False, None]),
        "born": pa.array([DAY, None, *(DAY + dt.timedelta(i * 3653) for i in range(-3, 3))]),
        "seen": pa.array(
            [dt.datetime(2024, 3, 1, h, 30, 5) if h != 3 else None for h in range(0, 24, 3)]
        ),
    }
)
SCHEMA = PEOPLE.schema

Formulas = st.SearchStrategy[Expression]


def _calls(names: str, *arguments: Formulas) -> Formulas:
    return st.builds(Call, st.sampled_from(names.split()), st.tuples(*arguments))


def _column(name: str, kind: pa.DataType) -> Expression:
    return Column(name, kind)


def _unwritten(found: Expression) -> bool:
    return not isinstance(found, Literal)


_WHOLES = st.integers(-50, 50).map(lambda v: Literal(v, pa.int64()))


def _alike(name: str, values: Formulas, least: int = 2) -> Formulas:
    return st.lists(values, min_size=least, max_size=3).map(lambda v: Call(name, tuple(v)))


def _chosen(values: Formulas, conditions: Formulas) -> Formulas:
    """`if` with two values, or with one and null."""
    null = values.map(lambda v: (v, Literal(None, v.type)))
    branches = st.tuples(values, values) | null | null.map(lambda v: v[::-1])
    return st.builds(lambda c, b: Call("if", (c, *b)), conditions, branches)


def _numbers(inner: Formulas, texts: Formulas, conditions: Formulas) -> Formulas:
    days, moments = st.deferred(lambda: dates), st.deferred(lambda: stamps)
    either = days | moments
    return (
        st.builds(Arithmetic, st.sampled_from("+-*/"), inner, inner)
        | inner.filter(lambda x: not isinstance(x, Literal)).map(Negative)
        | _calls("abs round floor ceil sign exp log log10 sqrt sin cos", inner)
        | _calls("pow mod", inner, inner)
        | _calls("round", inner, st.integers(-3, 3).map(lambda v: Literal(v, pa.int64())))
        | _calls("clip", inner, inner.filter(_unwritten), inner)
        | _alike("min", inner)
        | _alike("max", inner)
        | _alike("coalesce", inner)
        | _chosen(inner, conditions)
        | _calls("year month day weekday", either)
        | _calls("hour minute", moments)
        | _calls("days_between hours_between seconds_between age", either, either)
        | _calls("length", texts)
    )


numbers: Formulas = st.recursive(
    st.sampled_from([_column("age", pa.int64()), _column("income", pa.float64())])
    | _WHOLES
    | st.sampled_from([1.5, 0.25, -20.25, 1e9, 1e-3]).map(lambda v: Literal(v, pa.float64())),
    lambda inner: _numbers(inner, st.deferred(lambda: texts), st.deferred(lambda: conditions)),
    max_leaves=4,
)
texts: Formulas = st.recursive(
    st.just(_column("home.city", pa.string()))
    | st.sampled_from(["Seoul", "", 'a "b"', "서울", "it's"]).map(
        lambda v: Literal(v, pa.string())
    ),
    lambda inner: (
        _calls("lower upper text", inner)
        | _calls("text", st.deferred(lambda: numbers | dates | stamps))
        | _alike("concat", inner | st.deferred(lambda: numbers | conditions), least=1)
        | _alike("coalesce", inner)
        | _alike("max", inner)
        | _chosen(inner, st.deferred(lambda: conditions))
    ),
    max_leaves=3,
)
dates: Formulas = st.recursive(
    st.just(_column("born", pa.date32())),
    lambda inner: (
        _calls("add_days", inner, numbers)
        | _calls("min max", inner, st.just(Literal("2001-12-31", pa.date32())))
        | _calls("date", inner | st.deferred(lambda: stamps))
        | _alike("coalesce", inner)
        | _chosen(inner, st.deferred(lambda: conditions))
    ),
    max_leaves=2,
)
stamps: Formulas = st.recursive(
    st.just(_column("seen", pa.timestamp("us"))),
    lambda inner: (
        _calls("add_days add_hours add_seconds", inner, numbers)
        | _calls("add_hours", dates, numbers)
        | _alike("min", inner)
        | _chosen(inner, st.deferred(lambda: conditions))
    ),
    max_leaves=2,
)
_COMPARISONS = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
conditions: Formulas = st.recursive(
    st.just(_column("member", pa.bool_()))
    | st.builds(Comparison, _COMPARISONS, numbers, numbers)
    | st.builds(Comparison, _COMPARISONS, texts, texts)
    | st.builds(Comparison, _COMPARISONS, dates, dates | stamps)
    | st.builds(In, numbers, st.lists(_WHOLES, min_size=1, max_size=3).map(tuple)),
    lambda inner: (
        st.builds(IsNull, inner | numbers | texts, st.booleans())
        | st.builds(Not, inner)
        | st.builds(
            Junction,
            st.sampled_from(["and", "or"]),
            st.lists(inner, min_size=2, max_size=3).map(tuple),
        )
    ),
    max_leaves=3,
)
formulas: Formulas = numbers | texts | dates | stamps | conditions


def functions_of(found: object) -> set[str]:
    """The functions that a formula calls."""
    parts = found if isinstance(found, tuple) else vars(found).values()
    inner = [functions_of(x) for x in parts if isinstance(x, Expression | tuple)]
    own = {found.function} if isinstance(found, Call) else set()
    return own.union(*inner)
