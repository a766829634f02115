"""Rows of several tables put together in order of time."""

from __future__ import annotations

import itertools

import pyarrow as pa
import pytest

from geurim.errors import SettingError
from geurim.generators.rules.world import World
from geurim.nodes import parse_yaml

CLINIC = """
period: [2020-01-01, 2021-01-01]
tables:
  patients:
    rows: 300
    columns: {id: {key: 1}, died: {between: [2020-06-01, 2020-12-01]}}
  visits:
    of: patients
    as: patient
    events: {rate: 3, per: year}
    columns: {id: {key: 1}, why: {constant: control}}
  calls:
    of: visits
    as: visit
    each: 2
    columns:
      why: {choose: [drug, question]}
      at: {cases: [{if: "why = 'drug'", then: "add_days(visit.time, nth)"}]}
  contacts:
    of: patients
    as: patient
    gather: {tables: {visits: time, calls: at}, take: [why], to: patient.died}
    columns: {id: {key: 1}, place: nth}
  bills: {of: contacts, as: contact, each: 1, columns: {why: contact.why}}
"""


def made(text: str, rows: int = 300, seed: int = 1, workers: int = 1) -> dict[str, pa.Table]:
    database = World.of(parse_yaml(text).value).sample(rows, seed=seed, workers=workers)
    return {n: s.to_arrow() for n, s in database.tables.items()}


def test_the_rows_are_those_of_the_tables_within_the_window() -> None:
    found = made(CLINIC)
    died = dict(zip(found["patients"]["id"].to_pylist(), found["patients"]["died"], strict=True))
    owner = dict(zip(*(found["visits"][c].to_pylist() for c in ("id", "patient")), strict=True))
    expected = [
        (r["patient"], r["time"], "visits", r["why"]) for r in found["visits"].to_pylist()
    ] + [
        (owner[r["visit"]], r["at"], "calls", r["why"])
        for r in found["calls"].to_pylist()
        if r["at"] is not None
    ]
    alive = [e for e in expected if e[1].date() < died[e[0]].as_py()]
    assert 0 < len(alive) < len(expected)
    columns = ("patient", "time", "source", "why")
    rows = list(zip(*(found["contacts"][c].to_pylist() for c in columns), strict=True))
    assert sorted(rows) == sorted(alive)
    assert found["bills"]["why"].to_pylist() == found["contacts"]["why"].to_pylist()


def test_the_rows_of_an_owner_are_in_order() -> None:
    rows = made(CLINIC)["contacts"].to_pylist()
    for _, mine in itertools.groupby(rows, lambda r: r["patient"]):
        listed = list(mine)
        assert [r["time"] for r in listed] == sorted(r["time"] for r in listed)
        assert [r["place"] for r in listed] == list(range(1, len(listed) + 1))
    assert len({r["patient"] for r in rows}) > 250


def test_workers_make_the_same_rows() -> None:
    text = CLINIC.replace("rows: 300", "rows: 300\n    block: 100")
    one, two = made(text), made(text, workers=2)
    assert all(one[n].equals(two[n]) for n in one)


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("calls: at", "calls: why", "is no time"),
        ("calls: at", "calls: when", "has no column"),
        ("calls: at", "contacts: time", "does not belong to"),
        ("take: [why]", "take: [id]", "has no column"),
    ],
)
def test_what_cannot_be_gathered_is_refused(right: str, wrong: str, told: str) -> None:
    with pytest.raises(SettingError, match=told):
        made(CLINIC.replace(right, wrong))


def test_what_is_taken_has_one_type() -> None:
    text = CLINIC.replace("why: {choose: [drug, question]}", "why: {choose: [drug, x]}\n      n: 1")
    text = text.replace("{id: {key: 1}, why: {constant: control}}", "{why: {constant: a}, n: 0.5}")
    text = text.replace("take: [why]", "take: [n]").replace("why: contact.why", "n: contact.n")
    with pytest.raises(SettingError, match="one type"):
        made(text)
