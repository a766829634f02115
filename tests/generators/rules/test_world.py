"""Worlds: what is made is what was said, by closed forms; and the driver's promises."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from scipy import stats

import geurim
from geurim.contract import Json
from geurim.errors import SamplingError, SettingError
from geurim.generators.rules.world import World
from geurim.nodes import parse_yaml

LEVEL = 1e-4


def world(text: str, **parameters: Json) -> World:
    return World.of(parse_yaml(text).value, **parameters)


def made(text: str, rows: int | None = None, seed: int = 1, **more: Any) -> dict[str, pa.Table]:
    database = world(text).sample(rows, seed=seed, **more)
    return {n: s.to_arrow() for n, s in database.tables.items()}


def one(columns: str, rows: int = 20_000, seed: int = 1) -> pa.Table:
    """The rows of a world of one table, with these columns (a line each)."""
    lines = "\n".join(f"      {line}" for line in columns.strip().splitlines())
    return made(f"tables:\n  t:\n    columns:\n{lines}\n", rows, seed)["t"]


def numbers(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(column.to_numpy())


SHOP = """
world: shop
period: [2025-01-01, 2026-01-01]
tables:
  stores:
    table: [{city: Bern, size: 3}, {city: Seoul, size: 8}, {city: Busan, size: 2}]
    columns:
      id: {key: "S{:02}"}
  customers:
    rows: 3000
    columns:
      id: {key: "C{:06}"}
      city: {choose: {Bern: 1, Seoul: 1, Oslo: 1}}
      age: {draw: normal, mean: 45, deviation: 18, low: 18, high: 95, round: 0}
      plan:
        given: city
        choose: {Bern: {basic: 0.2, plus: 0.8}, else: {basic: 0.9, plus: 0.1}}
      store: {reference: stores, weight: size}
      near: {reference: stores, match: {city: city}}
      spent: {over: orders, take: sum, value: amount}
      count: {over: orders, take: count}
      large: {over: orders, take: any, value: amount > 100}
      first: {over: orders, take: first, value: time}
  orders:
    of: customers
    as: customer
    each: {draw: poisson, mean: "if(customer.plan = 'plus', 4, 1)"}
    columns:
      id: {key: 1}
      time: {between: [2025-01-01, 2025-12-31]}
      amount: {draw: gamma, mean: 20 + customer.age, shape: 2}
      total: {running: sum, value: amount}
      last: {before: amount, else: 0}
  lines:
    of: orders
    as: order
    each: 2
    columns:
      of_store: order.customer.store.city
      part: order.amount / 2
      place: nth
"""


@pytest.fixture(scope="module")
def shop() -> dict[str, pa.Table]:
    return made(SHOP)


# What is made is what was said


def test_choices_have_their_probabilities() -> None:
    found = one("a: {choose: {x: 0.2, y: 0.5, z: 0.3}}\nb: {choose: {1: 3, 2: 1}}")
    for column, chances in (("a", {"x": 0.2, "y": 0.5, "z": 0.3}), ("b", {1: 0.75, 2: 0.25})):
        counts = [pc.sum(pc.equal(found[column], v)).as_py() for v in chances]
        expected = np.array(list(chances.values())) * found.num_rows
        assert stats.chisquare(counts, expected).pvalue > LEVEL
        assert stats.chisquare(counts, expected[::-1]).pvalue < LEVEL  # others are told apart


def test_a_conditional_table_is_that_of_its_case() -> None:
    found = one(
        "a: {choose: [x, y]}\n"
        "b: {choose: [u, v]}\n"
        'c: {given: [a, b], choose: {"x, u": {p: 0.9, q: 0.1}, else: {p: 0.2, r: 0.8}}}',
    )
    case = pc.and_(pc.equal(found["a"], "x"), pc.equal(found["b"], "u"))
    inside, outside = found.filter(case), found.filter(pc.invert(case))
    share = pc.sum(pc.equal(inside["c"], "p")).as_py()
    assert stats.binomtest(share, inside.num_rows, 0.9).pvalue > LEVEL
    share = pc.sum(pc.equal(outside["c"], "p")).as_py()
    assert stats.binomtest(share, outside.num_rows, 0.2).pvalue > LEVEL
    assert set(outside["c"].unique().to_pylist()) == {"p", "r"}


def test_a_chance_may_be_a_formula() -> None:
    found = one("a: {draw: uniform, low: 0, high: 1}\nb: {chance: a}")
    a, b = numbers(found["a"]), numbers(found["b"])
    for low in (0.0, 0.25, 0.5, 0.75):
        part = (a >= low) & (a < low + 0.25)
        assert stats.binomtest(int(b[part].sum()), int(part.sum()), a[part].mean()).pvalue > LEVEL


def test_a_mixture_is_of_its_parts() -> None:
    found = one(
        "a: {mixture: [{weight: 0.25, draw: normal, mean: 0, deviation: 1},"
        " {weight: 0.75, draw: normal, mean: 10, deviation: 2}]}"
    )
    a = numbers(found["a"])
    right = lambda x: 0.25 * stats.norm.cdf(x) + 0.75 * stats.norm.cdf(x, 10, 2)  # noqa: E731
    wrong = lambda x: 0.3 * stats.norm.cdf(x) + 0.7 * stats.norm.cdf(x, 10, 2)  # noqa: E731
    assert stats.kstest(a, right).pvalue > LEVEL
    assert stats.kstest(a, wrong).pvalue < LEVEL


def test_the_first_case_that_holds_counts() -> None:
    found = one(
        "a: {draw: uniform, low: 0, high: 10}\n"
        "b: {cases: [{if: a < 2, then: low}, {if: a < 5, then: {constant: mid}}, {else: x}]}\n"
        "low: {constant: first}\nx: {constant: rest}"
    )
    a = numbers(found["a"])
    expected = np.select([a < 2, a < 5], ["first", "mid"], "rest")
    assert found["b"].to_pylist() == expected.tolist()


def test_a_case_waits_for_what_its_kind_looks_at() -> None:
    found = one(
        "name: {cases: [{if: a < 0.5, then: {person: name, sex: sex}}, {else: {choose: [x]}}]}\n"
        "b: {cases: [{if: a < 0.5, then: {given: sex, choose: {F: {u: 1}, M: {v: 1}}}}]}\n"
        "a: {draw: uniform, low: 0, high: 1}\nsex: {choose: [F, M]}",
        200,
    )
    for row in found.to_pylist():
        assert row["b"] == ({"F": "u", "M": "v"}[row["sex"]] if row["a"] < 0.5 else None)


def test_between_is_even_and_ends_belong_to_it() -> None:
    found = one("a: {between: [2025-01-01, 2025-01-05]}\nb: {between: [0, 1]}")
    days = pc.value_counts(found["a"].combine_chunks())
    assert len(days) == 5 and stats.chisquare(days.field("counts").to_numpy()).pvalue > LEVEL


def test_smooth_noise_has_its_deviation_and_memory() -> None:
    text = """
tables:
  o: {rows: 20, columns: {k: {key: 1}}}
  t: {of: o, each: 1000, columns: {a: {smooth: 0.8, deviation: 3}}}
"""
    a = numbers(made(text)["t"]["a"]).reshape(20, 1000)
    lag = np.mean([np.corrcoef(x[:-1], x[1:])[0, 1] for x in a])
    assert abs(lag - 0.8) < 4 * 0.6 / np.sqrt(20_000) + 0.01
    assert abs(a.std() - 3) < 0.2
    starts = a[:, 0]
    assert abs(np.corrcoef(starts[:-1], a[:-1, -1])[0, 1]) < 0.8  # owners know nothing of others


def test_what_is_measured_is_not_what_others_read() -> None:
    found = one(
        "a: {draw: uniform, low: 0, high: 10, noise: 1.0, missing: 0.3}\n"
        "b: a + 0\nc: {formula: a + 0, digits: 1}"
    )
    lost = found["a"].null_count
    assert stats.binomtest(lost, found.num_rows, 0.3).pvalue > LEVEL
    true, seen = numbers(found["b"]), found["a"].to_numpy(zero_copy_only=False)
    error = (seen - true)[~np.isnan(seen)]
    assert stats.kstest(error, "norm").pvalue > LEVEL
    assert numbers(found["c"]).tolist() == np.round(true, 1).tolist()


def test_what_only_noise_needs_is_made_too() -> None:
    text = """
tables:
  people: {rows: 500, hide: true, columns: {blur: {constant: 5.0}}}
  tests:
    of: people
    each: 4
    columns: {a: {constant: 1.0, noise: people.blur}}
"""
    a = numbers(made(text)["tests"]["a"])
    assert stats.kstest(a, "norm", args=(1, 5)).pvalue > LEVEL


def test_anomalies_spoil_their_share_and_are_labelled() -> None:
    text = """
tables:
  t:
    columns:
      a: {draw: uniform, low: 0, high: 10}
      b: a
    anomalies:
      - {name: slip, share: 0.1, where: a > 5, set: {a: a * 100}}
"""
    found = made(text, 20_000)["t"]
    spoilt = found.filter(pc.is_valid(found["anomaly"]))
    fit = pc.sum(pc.greater(found["b"], 5)).as_py()
    assert stats.binomtest(spoilt.num_rows, fit, 0.1).pvalue > LEVEL
    assert np.allclose(numbers(spoilt["a"]), 100 * numbers(spoilt["b"]))
    clean = found.filter(pc.is_null(found["anomaly"]))
    assert clean["a"].equals(clean["b"])


# Tables


def test_children_are_as_many_as_their_owner_says(shop: Mapping[str, pa.Table]) -> None:
    customers = shop["customers"]
    for plan, mean in (("plus", 4), ("basic", 1)):
        count = numbers(customers.filter(pc.equal(customers["plan"], plan))["count"])
        expected = stats.poisson.pmf(np.arange(3), mean) * len(count)
        seen = [int((count == k).sum()) for k in range(3)]
        pair = [*seen, len(count) - sum(seen)], [*expected, len(count) - expected.sum()]
        assert stats.chisquare(*pair).pvalue > LEVEL


def test_every_reference_names_a_row_that_is_there(shop: Mapping[str, pa.Table]) -> None:
    for child, column, parent, key in (
        ("customers", "store", "stores", "id"),
        ("orders", "customer", "customers", "id"),
    ):
        known = set(shop[parent][key].to_pylist())
        assert set(shop[child][column].to_pylist()) <= known
        assert len(known) == shop[parent].num_rows
    assert shop["lines"]["order"].to_pylist() == [
        i for i in shop["orders"]["id"].to_pylist() for _ in range(2)
    ]


def test_references_follow_weights_and_matches(shop: Mapping[str, pa.Table]) -> None:
    customers = shop["customers"]
    counts = [pc.sum(pc.equal(customers["store"], f"S{i:02}")).as_py() for i in (1, 2, 3)]
    expected = np.array([3, 8, 2]) / 13 * customers.num_rows
    assert stats.chisquare(counts, expected).pvalue > LEVEL
    by_city = {"Bern": "S01", "Seoul": "S02", "Oslo": None}
    pairs = zip(customers["city"].to_pylist(), customers["near"].to_pylist(), strict=True)
    assert {(c, n) for c, n in pairs} == set(by_city.items())


def test_what_rows_come_to_is_what_they_come_to(shop: Mapping[str, pa.Table]) -> None:
    customers, orders = shop["customers"], shop["orders"]
    grouped = orders.group_by("customer").aggregate(
        [("amount", "sum"), ("amount", "max"), ("amount", "count")]
    )
    known = {r["customer"]: r for r in grouped.to_pylist()}
    for row in customers.to_pylist():
        theirs = known.get(row["id"], {"amount_sum": 0, "amount_max": 0, "amount_count": 0})
        assert row["spent"] == pytest.approx(theirs["amount_sum"])
        assert row["count"] == theirs["amount_count"]
        assert row["large"] == (theirs["amount_max"] > 100)
        assert (row["first"] is None) == (row["count"] == 0)


def test_running_values_begin_anew_with_each_owner(shop: Mapping[str, pa.Table]) -> None:
    total, last, owner = 0.0, 0.0, None
    for row in shop["orders"].to_pylist():
        if row["customer"] != owner:
            total, last, owner = 0.0, 0.0, row["customer"]
        assert row["last"] == last
        total, last = total + row["amount"], row["amount"]
        assert row["total"] == pytest.approx(total)


def test_dotted_names_lead_through_owners_and_references(shop: Mapping[str, pa.Table]) -> None:
    city = dict(zip(*(shop["stores"][c].to_pylist() for c in ("id", "city")), strict=True))
    store = dict(zip(*(shop["customers"][c].to_pylist() for c in ("id", "store")), strict=True))
    orders = {r["id"]: r for r in shop["orders"].to_pylist()}
    for i, line in enumerate(shop["lines"].to_pylist()):
        order = orders[line["order"]]
        assert line["of_store"] == city[store[order["customer"]]]
        assert line["part"] == order["amount"] / 2
        assert line["place"] == i % 2 + 1


def test_rows_of_a_table_are_found_by_time() -> None:
    text = """
tables:
  machines: {rows: 200, columns: {id: {key: 1}}}
  faults:
    of: machines
    each: {draw: poisson, mean: 2}
    columns:
      id: {key: 1}
      start: {draw: uniform, low: 0, high: 100}
      end: start + 5
  readings:
    of: machines
    each: 20
    columns:
      at: {draw: uniform, low: 0, high: 100}
      now: {during: faults, at: at}
      before: {last: faults, at: at, from: start}
      after: {next: faults, at: at, from: start}
      since: at - before.start
"""
    found = made(text)
    faults = found["faults"].to_pylist()
    for row in found["readings"].to_pylist():
        own = [f for f in faults if f["machines"] == row["machines"]]
        past = [f for f in own if f["start"] <= row["at"]]
        last = max(past, key=lambda f: f["start"], default=None)
        ahead = min(
            (f for f in own if f["start"] > row["at"]), key=lambda f: f["start"], default=None
        )
        assert row["before"] == (last["id"] if last else None)
        assert row["after"] == (ahead["id"] if ahead else None)
        assert row["now"] == (last["id"] if last and row["at"] < last["end"] else None)
        assert row["since"] == (pytest.approx(row["at"] - last["start"]) if last else None)


def test_members_of_a_group_are_apart_and_found_by_their_place() -> None:
    text = """
tables:
  accounts: {rows: 500, columns: {id: {key: "A{:04}"}}}
  rings: {rows: accounts / 10, columns: {id: {key: 1}}}
  members:
    of: rings
    each: 5
    hide: true
    columns:
      account: {reference: accounts, distinct: true}
  hops:
    of: rings
    each: 5
    columns:
      from: {sibling: members, nth: nth, hide: true}
      to: {sibling: members, nth: "mod(nth, 5) + 1", hide: true}
      sender: from.account
      receiver: to.account
"""
    found = made(text)
    assert set(found) == {"accounts", "rings", "hops"}
    for ring in found["rings"]["id"].to_pylist():
        hops = found["hops"].filter(pc.equal(found["hops"]["rings"], ring))
        senders, receivers = hops["sender"].to_pylist(), hops["receiver"].to_pylist()
        assert len(set(senders)) == 5 and set(senders) < set(found["accounts"]["id"].to_pylist())
        assert receivers == [*senders[1:], senders[0]]


def test_a_union_holds_the_rows_of_its_parts_in_order() -> None:
    text = """
period: [2025-01-01, 2025-02-01]
tables:
  people: {rows: 50, columns: {id: {key: 1}}}
  ins:
    {of: people, as: who, each: 3, hide: true, columns: {time: DAY, paid: nth}}
  outs:
    {of: people, as: who, each: 2, hide: true, columns: {time: DAY, kind: {choose: [a, b]}}}
  moves: {union: [ins, outs], sort: time, columns: {id: {key: 1}}}
""".replace("DAY", "{between: [2025-01-01, 2025-01-31]}")
    found = made(text)
    assert list(found) == ["people", "moves"]
    moves = found["moves"]
    assert moves.column_names == ["id", "who", "time", "paid", "kind"] and moves.num_rows == 250
    assert moves["id"].to_pylist() == list(range(1, 251))
    times = moves["time"].to_pylist()
    assert times == sorted(times)
    assert moves["paid"].null_count == 100 and moves["kind"].null_count == 150


# Time


def test_events_come_at_their_rate_within_their_window() -> None:
    text = """
period: [2025-01-01, 2026-01-01]
schedules: {shop: {hours: "09:00-18:00", weekdays: [1, 1, 1, 1, 1, 2, 0]}}
tables:
  people:
    rows: 2000
    columns:
      id: {key: 1}
      rate: {draw: uniform, low: 1, high: 9}
      start: {between: [2024-06-01, 2025-06-01]}
      end: add_days(start, 200)
  visits:
    of: people
    as: who
    events: {rate: who.rate, per: month, from: who.start, to: who.end, schedule: shop}
    columns: {inside: time >= who.start and time < who.end, hour: hour(time), day: weekday(time)}
"""
    found = made(text)
    people, visits = found["people"], found["visits"]
    assert pc.all(visits["inside"]).as_py()
    assert pc.min(visits["hour"]).as_py() >= 9 and pc.max(visits["hour"]).as_py() <= 17
    days = np.array([pc.sum(pc.equal(visits["day"], d)).as_py() or 0 for d in range(1, 8)])
    assert days[6] == 0 and stats.chisquare(days[:6], np.array([1, 1, 1, 1, 1, 2]) / 7 * days.sum())
    low = np.maximum(people["start"].to_numpy(), np.datetime64("2025-01-01"))
    length = (people["end"].to_numpy() - low).astype("m8[D]").astype(float)
    expected = (people["rate"].to_numpy() * length / (365.25 / 12)).sum()
    # Whole weeks have their mean rate; the edges of windows differ by less than a per cent.
    assert abs(visits.num_rows - expected) < 5 * np.sqrt(expected) + 0.01 * expected


def test_states_are_occupied_as_their_rates_say() -> None:
    text = """
period: [2025-01-01, 2026-01-01]
tables:
  people: {rows: 1000, columns: {id: {key: 1}}}
  stays:
    of: people
    states:
      first: {well: 0.6666666, ill: 0.3333334}
      well: {lasts: {draw: exponential, mean: 20, in: days}, next: ill}
      ill: {lasts: {draw: exponential, mean: 10, in: days}, next: {well: 0.9, worse: 0.1}}
      worse: {lasts: {draw: exponential, mean: 1, in: hours}, next: {well: 1.0}}
    columns:
      days: days_between(entered, left)
"""
    found = made(text)["stays"]
    june = pa.scalar("2025-06-01").cast("timestamp[us]")
    for state, mean in (("well", 20), ("ill", 10)):
        whole = found.filter(pc.and_(pc.equal(found["state"], state), pc.is_valid(found["left"])))
        early = whole.filter(pc.less(whole["entered"], june))
        assert stats.kstest(numbers(early["days"]), "expon", args=(0, mean)).pvalue > LEVEL, state
        assert stats.kstest(numbers(early["days"]), "expon", args=(0, 1.2 * mean)).pvalue < LEVEL
    after = [
        b["state"]
        for a, b in zip(found.to_pylist(), found.to_pylist()[1:], strict=False)
        if a["people"] == b["people"] and a["state"] == "ill"
    ]
    assert stats.binomtest(after.count("worse"), len(after), 0.1).pvalue > LEVEL
    assert found["left"].null_count == 1000


def test_a_hazard_by_age_is_met_at_its_rate() -> None:
    text = """
period: [2000-01-01, 2100-01-01]
tables:
  people: {rows: 20000, columns: {id: {key: 1}, risk: {choose: [1, 2]}, start: 2000-01-01}}
  ills:
    of: people
    as: who
    states:
      first: well
      well:
        lasts: {hazard: {0: 0.0, 40: 0.01, 60: 0.05}, age: 30, times: who.risk}
        next: ill
      ill: {}
      keep: [ill]
    columns: {age: "30 + days_between(who.start, entered) / 365.25", risk: who.risk}
"""
    found = made(text)["ills"]
    ages, risk = numbers(found["age"]), numbers(found["risk"])
    for times in (1, 2):
        mine, people = ages[risk == times], 10_000
        assert mine.min() >= 40
        for age in (50, 60, 70):
            hazard = times * (0.01 * min(age - 40, 20) + 0.05 * max(age - 60, 0))
            share = (mine < age).sum() / people
            assert abs(share - (1 - np.exp(-hazard))) < 0.025, (times, age)


def test_salaries_come_on_working_days() -> None:
    text = """
period: [2025-01-01, 2026-01-01]
calendar: KR
tables:
  people: {rows: 50, columns: {id: {key: 1}}}
  pay:
    of: people
    recurring: {every: month, day: 25, hour: 9, shift: previous}
    columns: {on: weekday(time), day: day(time)}
"""
    pay = made(text)["pay"]
    assert pay.num_rows == 600 and pc.max(pay["on"]).as_py() <= 5
    assert pc.max(pay["day"]).as_py() == 25
    assert pc.count_distinct(pay["time"]).as_py() == 12


def test_rows_in_line_are_served_one_after_the_other() -> None:
    text = """
period: [2025-01-01, 2025-03-01]
tables:
  branches: {rows: 3, columns: {id: {key: 1}}}
  visits:
    of: branches
    events: {rate: 8, per: hour}
    columns:
      takes: {draw: exponential, mean: 360}
      begin: {queue: time, takes: {draw: constant, value: takes, in: seconds}}
      end: add_seconds(begin, takes)
      wait: seconds_between(time, begin)
"""
    found = made(
        text.replace("takes: takes", "takes: {draw: constant, value: takes, in: seconds}")
    )["visits"]
    wait = numbers(found["wait"])
    # M/M/1 at a load of 0.8: half of the time of arrivals are whole seconds, so within 2 per cent.
    assert (wait >= -1).all() and abs(wait.mean() - 0.8 * 360 / 0.2) < 400
    before = None
    for row in found.to_pylist():
        if before and before["branches"] == row["branches"]:
            assert row["begin"] >= before["begin"]
        before = row


# Constraints


def test_constraints_cut_the_distribution_and_nothing_else() -> None:
    text = """
tables:
  t:
    columns:
      a: {draw: normal, mean: 0, deviation: 1}
      b: {draw: normal, mean: 0, deviation: 1}
      c: a + b
      d: {draw: normal, mean: 0, deviation: 1}
    constraints: [b > a]
"""
    found = made(text, 20_000)["t"]
    a, b, c = (numbers(found[n]) for n in "abc")
    assert (b > a).all() and np.allclose(c, a + b)
    # The difference of two normals, given that it is above 0, is a half normal.
    assert stats.kstest((b - a) / np.sqrt(2), "halfnorm").pvalue > LEVEL
    assert stats.kstest((a + b) / np.sqrt(2), "norm").pvalue > LEVEL


def test_a_constraint_that_is_never_met_is_an_error_with_counts() -> None:
    text = """
tables:
  t:
    columns:
      a: {draw: normal, mean: 0, deviation: 1}
    constraints: ["pow(a, 2) < 0 or a > 60"]
"""
    with pytest.raises(SamplingError, match=r"10 of 10 rows of 't' never met"):
        made(text, 10)


# Rare on purpose

RARE = """
tables:
  patients:
    columns:
      id: {key: 1}
      sex: {choose: [F, M]}
      age: {draw: uniform, low: 0, high: 100}
      ill: {chance: "0.001 + 0.0004 * age / 10"}
      kind: {given: sex, choose: {F: {a: 0.99, b: 0.01}, M: {a: 0.95, b: 0.05}}}
      cost: {draw: normal, mean: "if(ill, 1000, 10) + if(kind = 'b', 100, 0)", deviation: 5}
    edge_cases:
      - {name: old, set: {age: 120}}
      - {name: newborn, set: {age: 0, cost: {draw: uniform, low: 1, high: 2}}}
"""


def test_a_raised_share_comes_out_and_weights_take_it_back() -> None:
    boost = {"patients.ill": {True: 0.5}, "patients.kind": {"b": 0.4}}
    plain = world(RARE).sample(200_000, seed=1).tables["patients"].to_arrow()
    found = world(RARE).sample(20_000, seed=2, boost=boost).tables["patients"].to_arrow()
    ill, weight = numbers(found["ill"]), numbers(found["weight"])
    assert abs(ill.mean() - 0.5) < 0.02
    assert abs(pc.mean(pc.equal(found["kind"], "b")).as_py() - 0.4) < 0.02
    assert abs(weight.mean() - 1) < 0.05
    for name in ("cost", "age"):
        truth, values = numbers(plain[name]), numbers(found[name])
        error = truth.std() / np.sqrt(len(truth))
        spread = (weight * (values - truth.mean())).std() / np.sqrt(len(values))
        mean = (weight * values).sum() / weight.sum()
        assert abs(mean - truth.mean()) < 4 * np.hypot(error, spread), name
    # Unweighted the cost is that of a world where half are ill: the pair that must fail.
    assert numbers(found["cost"]).mean() > 400
    # Those who are ill are so by what made them ill before.
    assert abs(numbers(found.filter(found["ill"])["age"]).mean() - 50) > 4


def test_edge_cases_are_their_share_and_count_for_nothing() -> None:
    found = world(RARE).sample(20_000, seed=2, edge_cases=0.1).tables["patients"].to_arrow()
    edges = found.filter(pc.is_valid(found["edge_case"]))
    assert stats.binomtest(edges.num_rows, 20_000, 0.1).pvalue > LEVEL
    for name, age in (("old", 120), ("newborn", 0)):
        mine = edges.filter(pc.equal(edges["edge_case"], name))
        assert set(mine["age"].to_pylist()) == {age}
        assert stats.binomtest(mine.num_rows, edges.num_rows, 0.5).pvalue > LEVEL
    assert pc.max(edges.filter(pc.equal(edges["edge_case"], "newborn"))["cost"]).as_py() <= 2
    assert set(edges["weight"].to_pylist()) == {0.0}
    assert set(found.filter(pc.is_null(found["edge_case"]))["weight"].to_pylist()) == {1.0}


@pytest.mark.parametrize(
    ("boost", "says"),
    [
        ({"patients.age": {1: 0.5}}, "cannot be raised"),
        ({"patients.kind": {"c": 0.5}}, "never 'c'"),
        ({"patients.kind": {"b": 1.5}}, "between 0 and 1"),
        ({"people.kind": {"b": 0.5}}, "cannot be raised"),
    ],
)
def test_what_cannot_be_raised_is_refused(boost: Any, says: str) -> None:
    with pytest.raises(SettingError, match=says):
        world(RARE).sample(10, seed=1, boost=boost)


# The driver's promises


def test_the_same_seed_gives_the_same_rows_whatever_the_workers() -> None:
    text = SHOP.replace("rows: 3000", "rows: 900\n    block: 200")
    two, again = made(text, seed=3), made(text, seed=3, workers=2)
    other = made(text, seed=4)
    for name, table in two.items():
        assert table.equals(again[name]), name
    assert not two["orders"].equals(other["orders"])


def test_another_column_does_not_change_the_others() -> None:
    more = SHOP.replace("      plan:", "      extra: {draw: uniform, low: 0, high: 1}\n      plan:")
    for name, table in made(SHOP, 500).items():
        assert made(more, 500)[name].select(table.column_names).equals(table), name


def test_a_world_of_one_table_is_a_model_like_any_other(tmp_path: Path) -> None:
    text = """
tables:
  cities: {hide: true, table: [{name: Bern, size: 1}, {name: Seoul, size: 9}]}
  t:
    columns:
      id: {key: "P{:05}"}
      city: {reference: cities, weight: size, hide: true}
      where: city.name
      age: {draw: normal, mean: 40, deviation: 10, low: 0}
"""
    fitted = geurim.fit(None, world(text), seed=1)
    short, long = (geurim.sample(fitted, n, seed=2).to_arrow() for n in (100, 40_000))
    assert short.equals(long.slice(0, 100))
    assert long["id"][39_999].as_py() == "P40000"
    assert geurim.sample(fitted, 40_000, seed=2, workers=2).to_arrow().equals(long)
    old = geurim.sample(fitted, 1_000, seed=2, where="age > 50").to_arrow()
    assert pc.min(old["age"]).as_py() > 50
    geurim.save(fitted, tmp_path / "w.geurim")
    loaded = geurim.load(tmp_path / "w.geurim")
    assert geurim.sample(loaded, 1_000, seed=2).to_arrow().equals(long.slice(0, 1_000))


def test_parameters_change_the_world_and_its_lineage() -> None:
    text = (
        "parameters: {p: {value: 0.1, low: 0, high: 1}}\ntables: {t: {columns: {a: {chance: p}}}}"
    )
    usual, other = world(text), world(text, p=0.9)
    shares = [
        pc.mean(w.sample(5_000, seed=1).tables["t"].to_arrow()["a"]).as_py() for w in (usual, other)
    ]
    assert shares == pytest.approx([0.1, 0.9], abs=0.03)
    assert usual.sample(5, seed=1).lineage.digest != other.sample(5, seed=1).lineage.digest
    assert world(other.text).plan.tables.keys() == other.plan.tables.keys()
    for bad, says in ((1.5, "0 to 1"), ("x", "Give a number")):
        with pytest.raises(SettingError, match=says):
            world(text, p=bad)
    with pytest.raises(SettingError, match="no parameter 'q'"):
        world(text, q=1)


def test_parameters_follow_from_others_and_set_the_head() -> None:
    text = """
locale: tongue
period: [first, last]
parameters:
  tongue: en_US
  first: 2025-01-01
  last: {formula: "add_days(first, if(tongue = 'ko_KR', 10, 20))"}
  won: {formula: "if(tongue = 'ko_KR', 1300, 1)"}
tables: {t: {columns: {who: {person: name}, cost: 2 * won}}}
"""
    usual, korean = world(text), world(text, tongue="ko_KR")
    assert (usual.plan.clock.length_s, korean.plan.clock.length_s) == (20 * 86_400, 10 * 86_400)
    rows = korean.sample(3, seed=1).tables["t"].to_arrow().to_pylist()
    assert all(r["cost"] == 2600 and r["who"][0] > "가" for r in rows)
    assert world(text, tongue="ko_KR", won=5).sample(1, seed=1).tables["t"].to_arrow()[
        "cost"
    ].to_pylist() == [10]
    with pytest.raises(SettingError, match=r"(?s)last.formula: there is no 'fist'.*tongue, first"):
        world(text.replace("add_days(first", "add_days(fist"))


def test_where_leaves_rows_out_when_they_are_written() -> None:
    text = """
tables:
  people: {rows: 100, columns: {id: {key: 1}, seen: {over: visits, take: count}}}
  visits:
    of: people
    as: who
    each: 5
    where: long and nth < who.seen
    columns: {long: {chance: 0.5}}
"""
    found = made(text)
    assert set(found["people"]["seen"].to_pylist()) == {5}  # counted before they are left out
    assert found["visits"]["long"].to_pylist() == [True] * found["visits"].num_rows
    assert stats.binomtest(found["visits"].num_rows, 400, 0.5).pvalue > LEVEL
    with pytest.raises(SettingError, match=r"(?s)'visits' would name rows of 'people'"):
        world(text.replace("rows: 100,", "rows: 100, where: seen > 1,"))


def test_a_union_refers_to_what_its_parts_refer_to() -> None:
    text = """
tables:
  shops: {rows: 5, columns: {id: {key: 1}}}
  people: {rows: 50, columns: {id: {key: 1}}}
  cards: {of: people, as: who, each: 3, hide: true, columns: {shop: {reference: shops}}}
  cash: {of: people, as: who, each: 2, hide: true, columns: {shop: nth, own: {constant: a}}}
  gifts: {of: people, as: who, each: 1, hide: true, columns: {own: {constant: b}}}
  moves: {union: [UNION], columns: {id: {key: 1}}}
"""
    for parts, expected in (("cards, gifts", {"who", "shop"}), ("cards, cash, gifts", {"who"})):
        keys = world(text.replace("UNION", parts)).sample(seed=1).keys["moves"]
        assert {f.columns[0] for f in keys.foreign} == expected


def test_an_owner_that_nobody_can_look_up_is_not_named() -> None:
    text = """
tables:
  people: {rows: 3, columns: {id: {key: 1}}}
  habits: {of: people, as: who, each: 2, hide: true, columns: {HABIT}}
  visits: {of: habits, as: habit, each: 2, columns: {who: habit.who, place: nth}}
"""
    assert made(text.replace("HABIT", "rate: 2"))["visits"].column_names == ["who", "place"]
    named = made(text.replace("HABIT", "id: {key: 1}"))["visits"]
    assert named.column_names == ["habit", "who", "place"]


def test_what_goes_wrong_in_a_row_names_the_column() -> None:
    text = "tables: {t: {columns: {a: {choose: [0, 1]}, b: {draw: exponential, mean: a}}}}"
    with pytest.raises(SettingError, match=r"t\.b: exponential: mean is 0 in row"):
        made(text, 100)
