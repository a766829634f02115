"""A world drafted from a profile: each column as the profile tells it, for an expert to correct.

Columns are drawn one by one. What a profile knows of how they go together is a few figures, not
how it comes about, and that is what an expert knows: the draft says in comments which columns go
together, and which rules held in the data. Only rules that independent columns keep anyway, or that
one column can be computed by, are put in.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import yaml

from geurim import columns
from geurim.contract import Json, Profile
from geurim.generators.marginal import Axis, Categories, marginal
from geurim.generators.rules.options import WORLD
from geurim.generators.rules.providers import Person
from geurim.html import percent

_KEPT = 0.98  # rows of independent columns that keep a rule by themselves: then it bends little
_CLOSE = 0.3  # association from which on a pair of columns is mentioned
_GRID = 512
_NEAR = 0.003  # of the range from the 5% to the 95% quantile: so far may a line miss one
_DAY_US = 86_400e6


@dataclass(frozen=True)
class _Column:
    """A column of the draft: what it says, and what an expert should know of it."""

    name: str
    spec: Json
    notes: Sequence[str] = ()


def draft(profile: Profile, name: str = "draft", table: str = "rows") -> str:
    """The YAML text of a world with one table like the one that was profiled."""
    names = _names(list(profile.columns))
    locales = [c["locale"] for c in profile.columns.values() if c.get("locale")]
    locale = Counter(locales).most_common(1)[0][0] if locales else ""
    head = {"world": name, "about": "A draft from a profile: correct it."}
    head |= {"locale": locale} if locale else {}
    assert set(head) <= set(WORLD)
    lines = [_yaml(head), "tables:", f"  {_yaml(table)}:", f"    rows: {profile.rows}"]
    made = {f: list(_column(profile, f, names[f], locale)) for f in names}
    conditions, notes = _rules(profile, names, made)
    lines.append("    columns:")
    for field in names:
        for column in made[field]:
            lines += [f"      # {note}" for note in column.notes]
            lines.append(_indented(column))
    lines += [f"    # {note}" for note in notes]
    if conditions:
        lines += ["    constraints:", *(f"      - {_yaml(c)}" for c in conditions)]
    return "\n".join(lines) + "\n"


def _names(fields: Sequence[str]) -> dict[str, str]:
    """Each column's name in the world: letters, digits and _ only."""
    found: dict[str, str] = {}
    for field in fields:
        name = re.sub(r"\W", "_", field)
        name = name if name and not name[0].isdigit() and name != "nth" else f"c_{name}"
        while name in found.values():
            name += "_"
        found[field] = name
    return found


def _yaml(value: Json) -> str:
    """A value as YAML in one line, or for mappings, a line a key."""
    text = yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=10**6)
    return str(text).removesuffix("...\n").rstrip("\n")


def _indented(column: _Column) -> str:
    """A column as lines of at most about 100 signs."""
    text = yaml.safe_dump(
        {column.name: column.spec},
        allow_unicode=True,
        sort_keys=False,
        default_flow_style=None if isinstance(column.spec, dict) else False,
        width=92,
    )
    return "\n".join(f"      {line}" for line in text.rstrip("\n").split("\n"))


# Columns


def _column(profile: Profile, field: str, name: str, locale: str) -> Iterator[_Column]:
    """The columns of the draft that make one column of the data, the last of them itself."""
    facts = profile.columns[field]
    role, share = facts["role"], float(facts.get("missing") or 0.0)
    notes = [f"{field}: " * (name != field) + _line(f"{role}: {facts.get('why', '')}")]
    lost = {"missing": round(share, 6)} if share else {}
    if role == "empty" or share >= 1.0:
        yield _Column(name, {"constant": _blank(profile, field), "missing": 1}, notes)
    elif role == "number":
        axis = _axis(profile, field)
        notes.append(_spread(axis.values, axis.places, facts))
        yield _Column(name, _quantiles(axis.values, axis) | lost, notes)
    elif role == "datetime":
        yield from _times(profile, field, name, notes, lost)
    elif role in ("category", "constant"):
        yield _Column(name, _choice(profile, field) | lost, [*notes, *_pooled(facts)])
    elif role == "key":
        yield from _key(facts, name, profile.rows, notes, lost)
    elif role == "personal":
        yield _Column(name, _person(facts, locale) | lost, notes)
    else:
        notes.append("Free text: write templates instead, as in {text: '{a} in {b}'}.")
        yield _Column(name, {"faker": "sentence"} | lost, notes)


def _blank(profile: Profile, field: str) -> Json:
    """A value of the column's type, to be left out."""
    kind = profile.schema.field(field).type
    return 0 if columns.is_number(kind) else False if pa.types.is_boolean(kind) else "none"


def _axis(profile: Profile, field: str) -> Axis:
    found = marginal(profile.schema.field(field), profile)
    assert isinstance(found, Axis)
    return found


def _quantiles(values: np.ndarray, axis: Axis) -> dict[str, Json]:
    """A draw between quantiles, with a flat stretch for every value that repeats."""
    kept = _corners(axis.values, axis.places, np.isin(axis.values, axis.repeated))
    values, levels = values[kept], np.round(axis.places[kept], 6)
    levels[0], levels[-1] = 0.0, 1.0
    digits = {} if not axis.step else {"round": max(0, round(-np.log10(axis.step)))}
    return {
        "draw": "quantiles",
        "values": [_plain(v) for v in values],
        "levels": [_plain(v) for v in levels],
        **digits,
    }


def _corners(values: np.ndarray, places: np.ndarray, fixed: np.ndarray) -> list[int]:
    """The knots that are needed: straight lines between them pass close by the others."""
    low, high = np.interp([0.05, 0.95], places, values)
    near, kept = _NEAR * (high - low), [0]
    for end in range(2, len(values)):
        start = kept[-1]
        inside = slice(start + 1, end)
        line = np.interp(places[inside], places[[start, end]], values[[start, end]])
        if fixed[end - 1] or (np.abs(line - values[inside]) > near).any():
            kept.append(end - 1)
    return [*kept, len(values) - 1]


def _plain(value: float) -> Json:
    """A number with 7 significant digits, whole where it is."""
    found = float(f"{value:.7g}")
    return int(found) if found == int(found) else found


def _spread(values: np.ndarray, places: np.ndarray, facts: Mapping[str, Json]) -> str:
    low, middle, high = (f"{np.interp(p, places, values):.4g}" for p in (0.05, 0.5, 0.95))
    said = f"5%: {low}, median: {middle}, 95%: {high}, mean: {facts.get('mean'):.4g}"
    points = sorted(facts.get("repeated") or (), key=lambda p: -p[1])[:3]
    often = ", ".join(f"{v:.6g} ({percent(s)})" for v, s in points)
    return said + (f"; often {often}" if often else "")


def _times(
    profile: Profile, field: str, name: str, notes: list[str], lost: dict[str, Json]
) -> Iterator[_Column]:
    """Days, or steps of seconds, after the first; and the date or time of it."""
    axis = _axis(profile, field)
    dates = pa.types.is_date(profile.schema.field(field).type)
    origin = np.floor(axis.values[0] / _DAY_US) * _DAY_US
    unit = _DAY_US if dates else max(axis.step, 1.0)
    start = (dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=int(origin))).date().isoformat()
    spec = _quantiles((axis.values - origin) / unit, axis) | {"round": 0, "hide": True}
    said = "Days" if dates else f"Steps of {unit / 1e6:g} seconds"
    yield _Column(f"{name}_after", spec, [*notes, f"{said} after {start}"])
    step = "" if unit == 1e6 or dates else f" * {unit / 1e6:g}"
    after = f"add_days(date('{start}')" if dates else f"add_seconds('{start}'"
    formula = f"{after}, {name}_after{step})"
    yield _Column(name, {"formula": formula} | lost if lost else formula)


def _choice(profile: Profile, field: str) -> dict[str, Json]:
    """Values with probabilities that sum to 1."""
    found = marginal(profile.schema.field(field), profile)
    assert isinstance(found, Categories)
    shares = np.round(np.diff(found.ends, prepend=0.0) / found.ends[-1], 6)
    shares[0] += 1.0 - shares.sum()
    values = found.values.to_pylist()
    if any(not isinstance(v, str | int | bool) for v in values):
        values = [str(v) for v in values]
    return {"choose": {v: _plain(s) for v, s in zip(values, shares, strict=True)}}


def _pooled(facts: Mapping[str, Json]) -> list[str]:
    pooled = facts.get("pooled") or {}
    if not pooled.get("share"):
        return []
    return [
        f"{pooled['count']} rare values ({percent(pooled['share'])}) are not in the profile: "
        "add those that matter."
    ]


def _key(
    facts: Mapping[str, Json], name: str, rows: int, notes: list[str], lost: dict[str, Json]
) -> Iterator[_Column]:
    """A key that counts; one that repeats names the rows of a table that is not there."""
    if facts["form"] == "integer":
        pattern: Json = int(facts.get("start") or 1)
    elif facts["form"] == "uuid":
        pattern = "00000000-0000-4000-8000-{:012}"
    else:
        prefix = re.sub(r"[{}]", "", str(facts.get("prefix") or ""))
        width = max(len(str(facts.get("pattern", ""))) - len(prefix), len(str(rows)))
        pattern = f"{prefix}{{:{width:02}}}"
    repeats = float(facts.get("repeats") or 1.0)
    if repeats <= 1.0 and not lost:
        yield _Column(name, {"key": pattern}, notes)
        return
    notes.append("It names rows of another table: write that table, and let these rows be 'of' it.")
    count = max(round(rows / repeats), 1)
    first = pattern if isinstance(pattern, int) else 1
    spec: dict[str, Json] = {"draw": "uniform", "low": first - 0.5, "high": first + count - 0.5}
    spec |= {"round": 0}
    if isinstance(pattern, int):
        yield _Column(name, spec | lost, notes)
    else:
        yield _Column(f"{name}_number", spec | {"hide": True}, notes)
        said = pattern.replace("'", "''").partition("{")[0]
        yield _Column(name, {"formula": f"concat('{said}', text({name}_number))"} | lost)


def _person(facts: Mapping[str, Json], locale: str) -> dict[str, Json]:
    what = facts["entity"]
    own = {"locale": facts["locale"]} if facts["locale"] != locale else {}
    return ({"person": what} if what in Person.shape else {"faker": what}) | own


# How columns go together


def _rules(
    profile: Profile, names: Mapping[str, str], made: dict[str, list[_Column]]
) -> tuple[list[str], list[str]]:
    """Rules as conditions, where independent columns nearly keep them; the others as comments."""
    conditions, notes = [], []
    sums = [{r["column"], *r["parts"]} for r in profile.rules if r["kind"] == "sum"]
    for rule in profile.rules:
        if rule["kind"] == "order" and any({rule["low"], rule["high"]} <= s for s in sums):
            continue  # it follows from the sum
        if rule["kind"] == "order":
            text = f"{names[rule['high']]} >= {names[rule['low']]}"
            share = _ordered_share(profile, rule["low"], rule["high"])
            if share >= _KEPT:
                conditions.append(text)
            else:
                notes.append(
                    f"In the data: {text}. Independent columns keep it in {percent(share)} of "
                    "rows: let one follow from the other, then add it to 'constraints'."
                )
        elif rule["kind"] == "sum":
            _computed(rule, names, made)
        else:
            notes.append(f"In the data: {_said(rule, names)}.")
    return conditions, notes + list(_together(profile, names))


def _ordered_share(profile: Profile, low: str, high: str) -> float:
    """The share of rows in which one column is not above another, if they are independent."""
    grid = (np.arange(_GRID) + 0.5) / _GRID
    a, b = (
        columns.to_axis(marginal(profile.schema.field(n), profile).draw(grid)) for n in (low, high)
    )
    return float((a[:, None] <= b[None, :]).mean())


def _computed(
    rule: Mapping[str, Json], names: Mapping[str, str], made: dict[str, list[_Column]]
) -> None:
    """A column that is the sum or product of others becomes their formula."""
    was = made[rule["column"]][-1]
    formula = f" {rule['sign']} ".join(names[p] for p in rule["parts"])
    made[rule["column"]] = [_Column(was.name, formula, [*was.notes, "In the data it is this:"])]


def _said(rule: Mapping[str, Json], names: Mapping[str, str]) -> str:
    if rule["kind"] == "determines":
        by = " and ".join(names[b] for b in rule["by"])
        return f"{by} determine{'s' * (len(rule['by']) == 1)} {names[rule['column']]}"
    if rule["kind"] == "unique":
        return f"no combination of {', '.join(names[c] for c in rule['columns'])} comes twice"
    return f"{names[rule['column']]} is {rule['kind']} from row to row"


def _together(profile: Profile, names: Mapping[str, str]) -> Iterator[str]:
    """The pairs of columns that go together most."""
    fields = profile.dependence.get("columns") or []
    if not fields:
        return
    matrix = np.asarray(profile.dependence["association"], float)
    pairs = [
        (float(matrix[i, j]), fields[i], fields[j])
        for i in range(len(fields))
        for j in range(i)
        if matrix[i, j] >= _CLOSE
    ]
    for strength, one, other in sorted(pairs, reverse=True)[:10]:
        yield (
            f"{names[other]} and {names[one]} go together ({strength:.2f} of 1): let one follow "
            "by 'given' or a formula."
        )


def _line(text: str) -> str:
    """Text as one line, which a comment can hold."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", text).split())
