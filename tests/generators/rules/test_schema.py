"""The schema of worlds: what reads well is valid, what is misspelt is not, and editors get help."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from geurim.generators.rules import worlds
from geurim.generators.rules.columns import KINDS, WRITING
from geurim.generators.rules.distributions import DISTRIBUTIONS
from geurim.generators.rules.growth import WAYS
from geurim.generators.rules.schema import json_schema
from geurim.generators.rules.world import World, shipped
from geurim.nodes import parse_yaml

DOCS = Path(__file__).parents[3] / "docs" / "rules.md"
VALIDATOR = Draft202012Validator(json_schema())


class Editor(yaml.SafeLoader):
    """YAML as an editor takes it: dates are texts."""


Editor.yaml_implicit_resolvers = {
    k: [(tag, form) for tag, form in found if tag != "tag:yaml.org,2002:timestamp"]
    for k, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}

EVERYTHING = """
world: everything
period: [2025-01-01, 2026-01-01]
step: minute
parameters: {a: 1, b: {value: 2.5, low: 0, high: 5, about: b}, c: text}
schedules:
  open: {hours: "09:00-17:00", weekdays: [1, 1, 1, 1, 1, 0, 0], monthdays: {25: 3, -1: 2}}
tables:
  places:
    table: [{city: Bern, size: 3}, {city: 서울, size: 8}]
    columns: {id: {key: "S{:02}"}}
  people:
    rows: 20
    constraints: ["x >= 0"]
    anomalies: [{name: odd, share: 0.1, where: x > 1, set: {x: x * 2, sex: {choose: [F, M]}}}]
    edge_cases: [{name: far, about: rare, set: {x: 99}}]
    columns:
      id: {key: 1, about: the key}
      sex: {choose: {F: 0.5, M: 0.5}, missing: 0.1}
      level: {choose: {1: 3, 2: 1}}
      plan: {given: [sex, level], choose: {"F, 1": {a: 0.4, b: 0.6}, else: [a, b]}}
      x: {draw: gamma, mean: 2 + a, shape: 2, low: 0, noise: {draw: normal, mean: 0, deviation: 1}}
      m: {mixture: [{weight: 1, draw: uniform, low: 0, high: 1}, {weight: 2, draw: zipf, n: 3}]}
      q: {draw: quantiles, values: [0, 1, 5], levels: [0, 0.5, 1], unit: kg, digits: 1}
      often: {chance: b / 10, hide: true}
      born: {between: [1950-01-01, 2000-12-31]}
      age: {formula: "age(born, date('2025-01-01'))"}
      one: {constant: 1}
      two: 2
      c: {cases: [{if: often, then: x}, {else: {draw: normal, mean: 0, deviation: 1}}]}
      say: {text: ["{x} in {sex}", "{level}"]}
      name: {person: name, sex: sex}
      job: {faker: job, pool: 10}
      place: {reference: places, weight: size, match: {city: "'Bern'"}, chance: 0.9}
      total: {over: buys, take: sum, value: x, where: x > 0}
  illness:
    of: people
    as: who
    hide: true
    states:
      first: {well: 0.9, ill: 0.1}
      keep: [ill, well]
      well: {lasts: {hazard: {0: 0.1, 50: 0.5}, age: 40}, next: ill}
      ill: {lasts: {draw: exponential, mean: 4, in: weeks}, next: {well: 0.9, dead: 0.1}}
      dead: {}
  buys:
    of: people
    as: who
    events: {rate: 2 + who.age / 50, per: month, schedule: open}
    columns:
      ill: {during: illness, at: time}
      first: {sibling: buys, nth: 1}
      x: {draw: lognormal, median: 3, sigma: 1}
      sum: {running: sum, value: x}
      last: {before: x, else: 0}
      drift: {smooth: 0.9, deviation: 2, over: time, in: hours}
      warm: {settle: drift, over: time, tau: 3, in: hours}
      stuck: {hold: warm, while: drift > 1}
      wave: {signal: [{harmonics: [1], hz: 50}], rate_hz: 1000, seconds: 0.1}
      served: {queue: time, takes: {draw: exponential, mean: 5, in: minutes}, servers: 2}
  pays: {of: people, as: who, recurring: {every: month, day: 25, shift: next, as: paid}}
  ticks: {of: people, as: who, every: {step: 30, in: days, from: who.born, to: 2025-03-01}}
  gaps: {of: people, as: who, events: {gap: {draw: gamma, mean: 9, shape: 2, in: days}}}
  many: {of: people, as: who, each: {draw: poisson, mean: 2}}
  both: {of: people, as: who, gather: {tables: {gaps: time, pays: paid}, to: 2025-03-01}}
"""


def texts() -> dict[str, str]:
    """Worlds that are right: those that ship, the docs', and one with everything."""
    found = dict(
        re.findall(r'Path\("(\w+)\.yaml"\)\.write_text\("""\n(.*?)"""', DOCS.read_text(), re.S)
    )
    assert found.pop("wrong") and found
    return found | {name: shipped(name) for name in worlds()} | {"everything": EVERYTHING}


def keyed(value: Any) -> Any:
    """JSON's keys are texts."""
    if isinstance(value, dict):
        names = {True: "true", False: "false"}
        return {names[k] if isinstance(k, bool) else str(k): keyed(v) for k, v in value.items()}
    return [keyed(v) for v in value] if isinstance(value, list) else value


def spec(text: str) -> Any:
    return keyed(yaml.load(text, Loader=Editor))


def places(value: Any) -> Iterator[tuple[Any, str]]:
    """Every mapping of a world with each of its keys."""
    if isinstance(value, dict):
        yield from ((value, k) for k in value)
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from places(inner)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("name", texts())
def test_a_world_that_reads_well_is_valid(name: str) -> None:
    World.of(parse_yaml(texts()[name]).value)
    errors = [
        f"{e.json_path}: {e.message[:200]}" for e in VALIDATOR.iter_errors(spec(texts()[name]))
    ]
    assert errors == []


def test_the_world_with_everything_has_every_kind_and_way() -> None:
    found = {k for _, k in places(spec(EVERYTHING))}
    assert set(KINDS) - found <= {"mimesis", "last", "next"}  # read as others are
    assert set(WAYS) <= found


def test_a_misspelt_key_of_the_language_is_found_wherever_it_stands() -> None:
    own = {*KINDS, *WAYS, *WRITING, "of", "as", "rows", "mean", "shape", "in", "rate", "per", "if"}
    tried = set()
    for name, table in spec(EVERYTHING)["tables"].items():
        for place, (at, key) in enumerate(places(table)):
            if key not in own or at is table.get("columns"):
                continue
            broken = copy.deepcopy(table)
            found = list(places(broken))[place][0]
            found[key + "x"] = found.pop(key)
            assert not VALIDATOR.is_valid({"tables": {name: broken}}), key
            tried.add(key)
    assert len(tried) > 35


@pytest.mark.parametrize(
    "column",
    [
        {"draw": "normal", "mean": 0},  # no deviation
        {"draw": "gamma", "mean": -1, "shape": 2},
        {"draw": "norml", "mean": 0, "deviation": 1},
        {"draw": "poisson", "mean": 1, "deviation": 1},
        {"draw": "normal", "mean": 0, "deviation": 1, "choose": ["a"]},
        {"person": "nmae"},
        {"between": ["a"]},
        {"choose": []},
        {"key": "C{:06"},
        {"cases": [{"if": "a"}]},
        {"over": "t", "take": "summ"},
        {},
        None,
        ["a"],
    ],
    ids=str,
)
def test_a_column_that_is_wrong_is_not_valid(column: Any) -> None:
    world: Any = {"tables": {"t": {"rows": 3, "columns": {"a": {"constant": 1}}}}}
    assert not list(VALIDATOR.iter_errors(world))
    world["tables"]["t"]["columns"]["b"] = column
    assert list(VALIDATOR.iter_errors(world))


def test_every_key_has_help() -> None:
    def bare(schema: Any, path: str = "") -> Iterator[str]:
        if isinstance(schema, dict):
            for name, found in schema.get("properties", {}).items():
                if "description" not in found and name not in ("if", "then", "else"):
                    yield f"{path}.{name}"
            for key, inner in schema.items():
                yield from bare(inner, f"{path}.{key}")
        elif isinstance(schema, list):
            for i, inner in enumerate(schema):
                yield from bare(inner, f"{path}.{i}")

    assert list(bare(json_schema())) == []
    text = str(json_schema())
    assert all(f"'const': '{name}'" in text for name in DISTRIBUTIONS)
