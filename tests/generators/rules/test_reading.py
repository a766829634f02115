"""What is wrong with a world is found before anything is made, all at once, each with its place."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geurim.errors import GeurimError, SettingError
from geurim.generators.rules.columns import KINDS
from geurim.generators.rules.distributions import DISTRIBUTIONS
from geurim.generators.rules.growth import WAYS
from geurim.generators.rules.world import World
from geurim.nodes import parse_yaml

GOOD = """
world: shop
period: [2025-01-01, 2026-01-01]
parameters: {rate: {value: 2, low: 0, high: 9}}
schedules: {day: {hours: "09:00-18:00"}}
tables:
  stores:
    table: [{city: Bern, size: 3}, {city: Seoul, size: 8}]
    columns: {id: {key: 1}}
  customers:
    rows: 20
    columns:
      id: {key: "C{:04}"}
      sex: {choose: {F: 0.5, M: 0.5}}
      age: {draw: normal, mean: 40, deviation: 10, low: 18, high: 90}
      plan: {given: sex, choose: {F: {a: 0.5, b: 0.5}, else: [a, b]}}
      store: {reference: stores, weight: size}
      spent: {over: orders, take: sum, value: amount}
    constraints: [age > 20]
  orders:
    of: customers
    as: customer
    events: {rate: rate, per: month, schedule: day}
    columns:
      amount: {draw: gamma, mean: customer.age, shape: 2}
      note: {text: "{amount} in {customer.store.city}"}
  stays:
    of: customers
    states:
      first: well
      well: {lasts: {draw: exponential, mean: 9, in: days}, next: ill}
      ill: {lasts: {draw: exponential, mean: 9, in: days}, next: {well: 0.9, gone: 0.1}}
      gone: {}
"""


def read(text: str, **parameters: Any) -> World:
    node = parse_yaml(text, "w.yaml")
    return World(spec=node.value, parameters=parameters, file=node.file, places=node.places)


def test_a_good_world_is_read() -> None:
    assert read(GOOD).plan.put_out == ("stores", "customers", "orders", "stays")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "period: [2025-01-01, 2026-01-01]",
            "period: [2026-01-01, 2025-01-01]",
            "before it starts",
        ),
        ("world: shop", "wold: shop", r"line 2, column 1: wold: .*'world'"),
        ("{F: 0.5, M: 0.5}", "{F: 0.5, M: 0.6}", "sum to 1.1"),
        ("{F: 0.5, M: 0.5}", "{F: -1, M: 2}", "from 0"),
        ("draw: normal, mean: 40", "draw: norml, mean: 40", "'normal'"),
        ("deviation: 10", "deviaton: 10", r"Did you mean .*'deviation'"),
        ("deviation: 10", "deviation: -10", "deviation"),
        ("mean: customer.age", "mean: customer.agee", r"no 'customer.agee'.*'customer.age'"),
        ("mean: customer.age", "mean: customer.sex", "A number is needed"),
        ("mean: customer.age", 'mean: "customer.age +"', "ends too early"),
        ("mean: customer.age", 'mean: "sqrt(customer.age, 2)"', "sqrt"),
        ("reference: stores", "reference: stors", "Did you mean 'stores'"),
        ("weight: size", "weight: sze", "no column 'sze'"),
        ("over: orders", "over: stores", "do not belong to 'customers'"),
        ("take: sum", "take: total", "Give one of: count"),
        ("of: customers\n    as: customer", "of: orders\n    as: customer", "within itself"),
        ("events: {rate: rate", "each: 2\n    events: {rate: rate", "2 says how many rows"),
        ("    events: {rate: rate, per: month, schedule: day}\n", "", "nothing says how many"),
        ("per: month", "per: fortnight", "Give one of: second"),
        ("schedule: day", "schedule: night", "no schedule 'night'"),
        ("    rows: 20", "    rows: 20\n    each: 3", "has none"),
        ('key: "C{:04}"', 'key: "C"', "a place for it"),
        ("next: ill", "next: il", "no state 'il'"),
        ("gone: 0.1", "well: 0.1", "given twice"),
        ("{well: 0.9, gone: 0.1}", "well", "'gone' is never reached"),
        ("in: days}, next: ill", "in: dayz}, next: ill", "Give one of: seconds"),
        ("constraints: [age > 20]", "constraints: [age > 99]", "no row can meet this"),
        ("constraints: [age > 20]", "constraints: [age + 1]", "not a condition"),
        ('hours: "09:00-18:00"', 'hours: "09:00-27:00"', "hours"),
        ("value: 2, low: 0", "value: -2, low: 0", "0 to 9"),
        ("age: {draw", "age: {drew", "Did you mean 'draw'"),
        (
            "spent: {over: orders, take: sum, value: amount}",
            "spent: {draw: uniform, low: 0, high: spent}",
            "needs itself",
        ),
        ('"{amount} in', '"{amount in', "not closed|cannot be read|not expected"),
        ("{customer.store.city}", "{customer.store}", "names a row"),
        ("F: {a: 0.5, b: 0.5}, else", "'F, x': {a: 0.5, b: 0.5}, else", None),
    ],
)
def test_a_mistake_is_told_with_its_place(old: str, new: str, says: str | None) -> None:
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    if says is None:
        read(text)  # one column: the comma belongs to the value
        return
    with pytest.raises(SettingError, match=says) as caught:
        read(text)
    line = text[: text.index(new) + 1].count("\n") + 1 if new else 0
    places = [int(n) for n in re.findall(r"line (\d+)", str(caught.value))]
    assert places and (not line or min(abs(p - line) for p in places) <= 3)


def test_all_mistakes_are_told_at_once_and_what_follows_from_them_is_not() -> None:
    text = GOOD.replace("{F: 0.5, M: 0.5}", "{F: 0.5, M: 0.6}").replace("take: sum", "take: total")
    text = text.replace("next: ill", "next: il")
    with pytest.raises(SettingError, match="3 things are wrong") as caught:
        read(text)
    told = str(caught.value)
    # `plan` depends on `sex`, and is not blamed for it.
    assert [re.search(r"line (\d+)", p)[1] for p in told.split("\n- ")[1:]] == ["14", "18", "31"]  # type: ignore[index]


def test_a_circle_of_tables_is_named() -> None:
    text = """
tables:
  a: {rows: 5, columns: {x: {reference: b, weight: size}, size: x.size}}
  b: {rows: 5, columns: {y: {reference: a, weight: size}, size: y.size}}
"""
    with pytest.raises(SettingError, match=r"refer to each other|needs itself|can be made first"):
        read(text)


def test_rows_that_depend_on_their_own_rows_are_refused() -> None:
    text = """
tables:
  a: {rows: 5, columns: {n: {over: b, take: count}}}
  b: {of: a, each: a.n, columns: {x: 1}}
"""
    with pytest.raises(SettingError, match="none can be made first"):
        read(text)


def test_words_that_look_like_truth_values_stay_words() -> None:
    text = "tables: {t: {columns: {a: {choose: {no: 0.5, yes: 0.5}}, on: {choose: [off, y]}}}}"
    rows = read(text).sample(50, seed=1).tables["t"].to_arrow()
    assert set(rows["a"].to_pylist()) == {"no", "yes"} and set(rows["on"].to_pylist()) == {
        "off",
        "y",
    }


WORDS = sorted(
    {*KINDS, *WAYS, *DISTRIBUTIONS, "tables", "columns", "of", "rows", "t", "u", "a", "b"}
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 5),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([*WORDS, "t.a", "a + b", "a > 1", "{a}", "'", "C{:03}", "", "if(a, 1, 2)"]),
    st.text(max_size=5),
    st.dates(),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(WORDS), st.text(max_size=3)), inner, max_size=4),
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(columns=st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), TREES, max_size=4), way=TREES)
def test_hostile_worlds_are_made_or_refused_with_a_reason(columns: Any, way: Any) -> None:
    """Whatever stands in the file: rows, or an error that Geurim explains."""
    child = {"of": "t", **(way if isinstance(way, dict) else {"each": way})}
    spec = {"tables": {"t": {"rows": 3, "columns": columns}, "u": child}}
    try:
        world = World.of(spec)
        world.sample(3, seed=1)
    except GeurimError as error:
        assert str(error).strip()


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_good_world_with_one_part_changed_is_made_or_refused(data: st.DataObject) -> None:
    spec = parse_yaml(GOOD).value
    at: Any = spec
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = data.draw(st.sampled_from(keys))
        if isinstance(at[key], dict | list) and at[key] and data.draw(st.booleans()):
            at = at[key]
            continue
        at[key] = data.draw(TREES)
        break
    try:
        World.of(spec).sample(3, seed=1)
    except GeurimError as error:
        assert str(error).strip()
    yaml.safe_dump(spec, allow_unicode=True)
