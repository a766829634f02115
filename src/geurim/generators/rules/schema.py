"""The JSON Schema of worlds: an editor that knows it completes keys, shows help and marks mistakes.

It is made of what the readers themselves go by (`KINDS`, `WAYS`, `DISTRIBUTIONS`, the options), so
it knows what they know. What a schema cannot say (names, units, sums of probabilities) only
`geurim rules check` finds.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from geurim.generators.rules.columns import KINDS
from geurim.generators.rules.distributions import DISTRIBUTIONS
from geurim.generators.rules.draws import OPTIONS
from geurim.generators.rules.families import Parameter
from geurim.generators.rules.growth import WAYS
from geurim.generators.rules.kinds import Drawn
from geurim.generators.rules.options import (
    ANOMALY,
    EDGE_CASE,
    MORE,
    PARAMETER,
    SCHEDULE,
    TABLE,
    WORLD,
    WRITING,
    Option,
    Options,
)
from geurim.generators.rules.states import HAZARD, STATE, States

Schema = dict[str, Any]


def json_schema() -> Schema:
    """The schema, draft 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A world: rules by which Geurim makes data",
        **_object(WORLD, {"tables": _named("table", "The tables by their names.")}, ["tables"]),
        "$defs": {name.replace(" ", "_"): shape for name, shape in _shapes().items()},
    }


def _shapes() -> dict[str, Schema]:
    """What may stand under a key, by the names that options use."""
    text, number = {"type": "string"}, {"type": "number"}
    scalar = {"type": ["string", "number", "boolean"]}
    return {
        "text": text,
        "flag": {"type": "boolean"},
        "count": {"type": "integer", "minimum": 1},
        "digits": {"type": "integer", "minimum": -12, "maximum": 12},
        "scalar": scalar,
        "constant number": number,
        "number": {"type": ["number", "string"]},  # a text is a formula
        "formula": {"type": ["string", "number"]},
        "moment": text,
        "key": {
            "anyOf": [{"type": "integer"}, {"type": "string", "pattern": r"\{(:0?\d{1,2})?\}"}]
        },
        "names": {"anyOf": [text, _list(text)]},
        "formulas": _list(_ref("formula")),
        "period": {**_list(_ref("moment")), "minItems": 2, "maxItems": 2},
        "ends": {**_list(_ref("formula")), "minItems": 2, "maxItems": 2},
        "weights": _list(number),
        "factors": {"type": "object", "additionalProperties": number},
        "hours": {"anyOf": [text, _list({"anyOf": [number, _list(number)]})]},
        "rows": _list({"type": "object"}),
        "parameters": _named("parameter"),
        "parameter": {"anyOf": [scalar, _object(PARAMETER)]},
        "schedules": _named("schedule"),
        "schedule": _object(SCHEDULE),
        "columns": _named("column"),
        "anomalies": _list(_object(ANOMALY, required=["name", "share", "set"])),
        "edge cases": _list(_object(EDGE_CASE, required=["name", "set"])),
        "kinds": _named("kind"),
        "match": _named("formula"),
        "next": {"anyOf": [text, _named("number")]},
        "choice": {"anyOf": [_list(scalar), _named("number")]},
        "choices": {"anyOf": [_ref("choice"), _named("choice")]},
        "race": _named("duration"),
        "signal": _list({"type": "object"}),
        "mixture": _list(_draw({"weight": Option("number", "How often it is this one.")})),
        "cases": _list({"anyOf": [_case("if", "then"), _case("else")]}),
        "noise": {"anyOf": [_ref("number"), _draw({})]},
        "duration": {"anyOf": [_ref("number"), _draw({}, ["in"])]},
        "lasts": {"anyOf": [_ref("duration"), _object(HAZARD, required=["hazard", "age"])]},
        "state": {"anyOf": [{"type": "null"}, _object(STATE)]},
        "states": {**_object(States.options, required=["first"])}
        | {"additionalProperties": _ref("state")},
        "kind": _column({}),
        "column": _column(WRITING),
        "table": _table(),
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name.replace(' ', '_')}"}


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of, "minItems": 1}


def _named(name: str, about: str = "") -> Schema:
    """Things of one shape by names of the author's own."""
    said = {"description": about} if about else {}
    return {"type": "object", "additionalProperties": _ref(name), **said}


def _option(option: Option) -> Schema:
    shape = option.shape
    found = _ref(shape) if isinstance(shape, str) else {"enum": list(shape)}
    return {**found, "description": option.about}


def _object(
    options: Options, more: Mapping[str, Schema] | None = None, required: list[str] | None = None
) -> Schema:
    """A mapping of these keys and no others."""
    properties = {k: _option(o) for k, o in options.items()} | dict(more or {})
    found: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return found | ({"required": required} if required else {})


def _about(made: type) -> str:
    """What a class makes: the first paragraph of its docstring."""
    return " ".join((inspect.getdoc(made) or "").split("\n\n")[0].split()).replace("`", "")


# Distributions


def _draw(others: Options, required: list[str] | None = None) -> Schema:
    """Any distribution, with what may stand beside it."""
    made = [_distribution(name, others, required or []) for name in DISTRIBUTIONS]
    return {"type": "object", "required": ["draw"], "anyOf": made}


def _distribution(name: str, others: Options, required: list[str]) -> Schema:
    family = DISTRIBUTIONS[name]
    parameters = {k: _parameter(p) for k, p in family.parameters.items()}
    needed = [k for k, p in family.parameters.items() if p.required]
    said = {"draw": {"const": name, "description": f"{family.about[0].upper()}{family.about[1:]}."}}
    found = _object({**OPTIONS, **others}, said | parameters, ["draw", *needed, *required])
    return {**found, "title": name}


def _parameter(parameter: Parameter) -> Schema:
    about = f"{parameter.about[0].upper()}{parameter.about[1:]}: {parameter.range()}."
    if parameter.many:
        return {**_list({"type": "number"}), "description": about}
    low, high = ("exclusiveMinimum", "exclusiveMaximum") if parameter.strict else (
        "minimum",
        "maximum",
    )  # fmt: skip
    ends = {low: parameter.low, high: parameter.high}
    inside = {k: v for k, v in ends.items() if abs(v) != float("inf")}
    kind = "integer" if parameter.whole else "number"
    return {"anyOf": [{"type": kind, **inside}, {"type": "string"}], "description": about}


# Columns and tables


def _column(others: Options) -> Schema:
    """A formula or a constant, or a mapping with just one kind."""
    plain = {"type": ["string", "number", "boolean"], "description": "A formula, or a constant."}
    made = [_kind(key, others) for key, kind in KINDS.items() if kind is not Drawn]
    drawn = {**_draw(others), "description": _about(Drawn)}
    return {"anyOf": [plain, drawn, *made]}


def _kind(key: str, others: Options) -> Schema:
    kind = KINDS[key]
    own = {key: _option(Option(kind.shape, _about(kind)))}
    found = _object({**kind.options, **others}, own, [key])
    return {**found, "title": key, "description": _about(kind)}


def _case(*keys: str) -> Schema:
    shapes = {"if": _ref("formula"), "then": _ref("kind"), "else": _ref("kind")}
    return _object({}, {k: shapes[k] for k in keys}, list(keys))


def _table() -> Schema:
    ways = {key: _way(way) for key, way in WAYS.items()}
    return _object({**TABLE, **MORE}, ways)


def _way(way: Any) -> Schema:
    """What stands under the key of a way."""
    found = _object(way.options) if way.shape == "options" else _ref(way.shape)
    return {**found, "description": _about(way)}
