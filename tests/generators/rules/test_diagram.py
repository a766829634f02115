"""Diagrams: all tables, columns, links and states are there; boxes stand apart; text stays text."""

from __future__ import annotations

import re
from itertools import combinations
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geurim.generators.rules.diagram import Link, links_of, mermaid
from geurim.generators.rules.layers import layered
from geurim.generators.rules.picture import svg
from geurim.generators.rules.plan import Plan
from geurim.generators.rules.world import World
from geurim.nodes import parse_yaml

HOSTILE = '<script>"a"</script> & `b`; -- }'


@pytest.fixture(scope="module")
def plan() -> Plan:
    text = f"""
world: '{HOSTILE}'
about: '{HOSTILE}'
tables:
  cities:
    table: [{{name: 서울, size: 9}}, {{name: Bern, size: 3}}]
    columns: {{id: {{key: 1}}}}
  people:
    rows: 5
    columns:
      id: {{key: "P{{:03}}"}}
      risk: {{draw: gamma, mean: 1, shape: 2, hide: true}}
      city: {{reference: cities}}
  illness:
    of: people
    as: person
    hide: true
    states:
      first: {{well: 0.9, '{HOSTILE}': 0.1}}
      well: {{lasts: {{draw: exponential, mean: 4 / person.risk, in: years}}, next: '{HOSTILE}'}}
      '{HOSTILE}': {{lasts: {{draw: exponential, mean: 6, in: weeks}}, next: {{well: 3, dead: 1}}}}
      dead: {{}}
  visits:
    of: people
    as: person
    each: 2
    columns:
      cost: {{draw: normal, mean: 10, deviation: 1}}
  all:
    union: [people, cities]
"""
    return World.of(parse_yaml(text).value).plan


def test_a_table_belongs_refers_and_is_made_of_others(plan: Plan) -> None:
    assert links_of(plan, "people") == [Link("people", "cities", "city", "reference")]
    assert links_of(plan, "visits") == [Link("visits", "people", "person", "of")]
    assert [link.way for link in links_of(plan, "all")] == ["part", "part"]


def test_mermaid_has_tables_columns_links_and_states(plan: Plan) -> None:
    text = mermaid(plan)
    assert text.count("```mermaid\n") == 2 and text.count("```") == 4
    for line in (
        '"illness"["illness (hidden)"] {',
        "text id PK",
        "whole city FK",
        'number risk "hidden"',
        '"people" ||--o{ "visits" : "person"',
        '"cities" |o..o{ "people" : "city"',
        '"people" ||..o{ "all" : "part of"',
        'state "well (exponential: mean 4 / person.risk years)" as s0',
        "[*] --> s1 : 10%",
        "s1 --> s2 : 25%",
        "s2 --> [*]",
    ):
        assert f"  {line}\n" in text, line
    assert "<script" not in text and '"a"' not in text


def test_the_picture_is_xml_in_which_text_stays_text(plan: Plan) -> None:
    found = ElementTree.fromstring(svg(plan))
    tags = {e.tag.split("}")[1] for e in found.iter()}
    assert "script" not in tags and not any("href" in k for e in found.iter() for k in e.attrib)
    words = [e.text for e in found.iter("{http://www.w3.org/2000/svg}text")]
    assert HOSTILE in words
    assert {"cities", "people", "illness", "visits", "all", "risk", "well", "dead", "75%"} <= {
        *words
    }
    assert re.search(r"prefers-color-scheme:\s*dark", svg(plan))
    arrows = [e for e in found.iter() if e.get("marker-end")]
    links = sum(len(links_of(plan, n)) for n in plan.tables)
    assert len(arrows) == links + 3 + 5  # the legend's, and the moves that lead somewhere


@given(st.integers(1, 7).flatmap(lambda n: st.tuples(
    st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=12)
)))  # fmt: skip
def test_boxes_stand_apart_and_arrows_lead_right(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    count, pairs = drawn
    sizes = {str(i): (20.0 + 10 * i, 10.0 + 5 * i) for i in range(count)}
    edges = [(str(a), str(b)) for a, b in pairs]
    layout = layered(sizes, edges)
    for one, other in combinations(sizes, 2):
        (x, y), (w, h) = layout.places[one], sizes[one]
        (a, b), (u, v) = layout.places[other], sizes[other]
        assert x + w < a or a + u < x or y + h < b or b + v < y
    for start, end in edges:
        if (start, end) not in layout.back:
            xs = [p[0] for p in layout.routes[(start, end)]]
            ends = [layout.places[start][0] + sizes[start][0], *xs, layout.places[end][0]]
            assert ends == sorted(ends)
    for (x, y), (w, h) in ((layout.places[n], sizes[n]) for n in sizes):
        assert x >= 0 and y >= 0 and x + w <= layout.size[0] and y + h <= layout.size[1]


def test_without_circles_no_arrow_is_set_aside() -> None:
    edges = [("a", "b"), ("b", "c"), ("a", "c"), ("d", "c")]
    assert layered(dict.fromkeys("abcd", (10.0, 10.0)), edges).back == frozenset()
    back = layered(dict.fromkeys("abcd", (10.0, 10.0)), [*edges, ("c", "a")]).back
    assert back == {("c", "a")}
