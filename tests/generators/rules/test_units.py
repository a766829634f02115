"""Units are those that pint's own quantities have, and what does not match is named."""

from __future__ import annotations

import sys
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geurim.errors import ExpressionError, MissingExtra
from geurim.expressions import Arithmetic, Call, Column, Expression, Literal, parse_value
from geurim.generators.rules import units as units_module
from geurim.generators.rules.units import check_unit, unit_of

pint = pytest.importorskip("pint")

UNITS = {
    "way": "km",
    "step": "m",
    "mass": "kg",
    "force": "N",
    "rise": "m/s^2",
    "lasts": "hour",
    "t_s": "s",
    "years": "year",
    "price": "KRW",
    "cost": "USD",
    "ratio": "1",
    "share": "%",
    "warm": "degC",
    "hot": "kelvin",
    "pulse": "bpm",
}
SCHEMA = pa.schema(
    [*((name, pa.float64()) for name in (*UNITS, "unknown")), ("day", pa.date32())],
)


def unit(text: str) -> str | None:
    return unit_of(parse_value(text, SCHEMA), UNITS)


# Hypothesis: pint reckons with quantities of three dimensions

REGISTRY = pint.UnitRegistry()
BASE = {"way": "km", "mass": "kg", "t_s": "s", "ratio": ""}
reckoned: st.SearchStrategy[Expression] = st.recursive(
    st.sampled_from(sorted(BASE)).map(lambda name: Column(name, pa.float64())),
    lambda inner: (
        st.builds(Arithmetic, st.sampled_from("+-*/"), inner, inner)
        | inner.map(lambda x: Call("abs", (x,)))
        | inner.map(lambda x: Call("exp", (x,)))
        | inner.map(lambda x: Call("sqrt", (Call("abs", (x,)),)))
        | st.tuples(inner, st.sampled_from([-2, -1, 1, 2, 3])).map(
            lambda v: Call("pow", (v[0], Literal(v[1], pa.int64())))
        )
    ),
    max_leaves=6,
)


def quantity(found: Expression) -> Any:
    """What pint makes of a formula, each column being 2 of its unit."""
    if isinstance(found, Column):
        return REGISTRY.Quantity(2.0, BASE[found.name])
    if isinstance(found, Arithmetic):
        left, right = quantity(found.left), quantity(found.right)
        return {"+": left.__add__, "-": left.__sub__, "*": left.__mul__}.get(
            found.operator, lambda x: left * x.units**-1
        )(right)
    assert isinstance(found, Call)
    inner = quantity(found.arguments[0])
    if found.function == "pow":
        assert isinstance(found.arguments[1], Literal)
        return REGISTRY.Quantity(2.0, inner.units ** found.arguments[1].value)
    if found.function == "sqrt":
        return REGISTRY.Quantity(2.0, inner.units**0.5)
    if found.function == "exp":
        return REGISTRY.Quantity(2.0, "") + 0 * inner
    return inner


@settings(max_examples=300, deadline=None)
@given(formula=reckoned)
def test_unit_is_that_of_pints_quantities(formula: Expression) -> None:
    try:
        expected = quantity(formula).units
    except pint.DimensionalityError:
        with pytest.raises(ExpressionError):
            unit_of(formula, BASE)
        return
    found = unit_of(formula, BASE)
    assert found is not None
    assert REGISTRY.Unit("" if found == "1" else found) == expected


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=20) | st.text("kms^*/()12 -·²°%", max_size=12))
def test_any_text_is_a_unit_or_a_clear_error(text: str) -> None:
    try:
        check_unit(parse_value("1", SCHEMA), text, UNITS)
    except ExpressionError as error:
        assert error.advice


# Examples


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("way / lasts", "kilometer / hour"),
        ("way + 1", "kilometer"),
        ("2 * way - way / 3", "kilometer"),
        ("way * 1000 + step", "meter"),
        ("step + 1000 * way", "meter"),
        ("step / 1000 + way", "kilometer"),
        ("t_s / 3600 / 24 + days_between(day, day)", "day"),
        ("3600 / t_s + 1 / lasts", "1 / hour"),
        ("mass * rise + force", "newton"),
        ("sqrt(step * step) + step", "meter"),
        ("pow(step, 3)", "meter ** 3"),
        ("pow(step, 0)", "1"),
        ("pow(2, ratio)", "1"),
        ("log(ratio) + exp(way / way)", "1"),
        ("log(share / 100)", "1"),
        ("sign(way)", "1"),
        ("if(way > 1, step, 5)", "meter"),
        ("clip(round(way, 1), 0, 99)", "kilometer"),
        ("coalesce(unknown, way)", "kilometer"),
        ("hours_between(day, day) + lasts", "hour"),
        ("days_between(day, day) * 24 + lasts", "hour"),
        ("age(day, day) + years", "year"),
        ("price * cost", "KRW * USD"),
        ("pulse * lasts", "bpm * hour"),
        ("warm - 37", "degree_Celsius"),
        ("unknown * way", None),
        ("unknown + 1", None),
        ("way > 5", None),
        ("add_days(day, lasts / 24)", None),
        ("60 * 60", None),
    ],
)
def test_unit_follows_from_those_of_the_columns(text: str, expected: str | None) -> None:
    assert unit(text) == expected


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("way + step", ["way is in km", "step in m", "Multiply way by 1000."]),
        ("step - way", ["step is in m", "way in km", "Multiply way by 1000."]),
        ("1 + 2 * (way + step)", ["Multiply way by 1000."]),
        ("2 * way + step", ["2 * way is in km", "Multiply 2 * way by 1000."]),
        ("way + mass", ["way is in km", "mass in kg", "[length] and [mass]"]),
        ("way < mass or way > 1", ["way is in km"]),
        ("not way between 1 and step", ["step in m"]),
        ("max(way, 3, step)", ["Multiply way by 1000."]),
        ("if(way > 1, step, way)", ["step is in m, way in km"]),
        ("if(way > step, 1, 2)", ["Multiply way by 1000."]),
        ("mod(way, step)", ["Multiply way by 1000."]),
        ("log(way)", ["way is in km, log takes a plain number", "Divide way by something"]),
        ("log(way / step)", ["kilometer / meter", "Multiply way / step by 1000."]),
        ("exp(share)", ["share is in %", "Divide share by 100."]),
        ("pow(way, ratio)", ["computed takes a plain number"]),
        ("pow(2, way)", ["the exponent of pow takes a plain number"]),
        ("days_between(day, day) + lasts", ["in day", "in hour", "by 24."]),
        ("add_days(day, lasts)", ["lasts is in hour", "what add_days adds in day", "Divide lasts"]),
        ("price + cost", ["price is in KRW, cost in USD"]),
        ("warm + hot", ["in degC", "more than a factor"]),
        ("0.3 * years + log(ratio)", ["0.3 * years is in year, log(ratio) a plain number"]),
        ("concat(way + step)", ["Multiply way by 1000."]),
    ],
)
def test_what_does_not_match_is_named(text: str, parts: list[str]) -> None:
    with pytest.raises(ExpressionError) as caught:
        unit(text)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("kmm", ["no unit 'kmm'", "'km'"]),
        ("KG", ["'KG'", "'kg'"]),
        ("Meter", ["'Meter'", "'meter'"]),
        ("m + s", ["'m + s' is no unit", "mg/dL"]),
        ("m^999", ["is no unit"]),
        ("9**9**9**9", ["is no unit"]),
        ("__import__('os')", ["is no unit"]),
        ("m" * 5000, ["is no unit"]),
    ],
)
def test_unknown_unit_is_refused_with_near_ones(name: str, parts: list[str]) -> None:
    with pytest.raises(ExpressionError) as caught:
        unit_of(parse_value("way + 1", SCHEMA), {"way": name})
    for part in parts:
        assert part in str(caught.value)


def test_formula_is_in_the_unit_of_the_column_it_fills() -> None:
    check_unit(parse_value("way * 1000", SCHEMA), "m", UNITS)
    check_unit(parse_value("way / lasts / 3.6", SCHEMA), "m/s", UNITS)
    check_unit(parse_value("5", SCHEMA), "m", UNITS)
    with pytest.raises(
        ExpressionError, match=r"step is in m, the column in km. Divide step by 100"
    ):
        check_unit(parse_value("step", SCHEMA), "km", UNITS)


def test_missing_library_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    units_module._registry.cache_clear()
    monkeypatch.setitem(sys.modules, "pint", None)
    with pytest.raises(MissingExtra, match="rules"):
        unit("way + 1")
    assert unit("1 + 1") is None  # nothing to look up
    units_module._registry.cache_clear()
