"""Keys that nobody declared, found in the rows: which columns tell rows apart, which name others.

A column is a primary key when no value stands twice or is missing, and its name or its form says
that it is a key. It is a foreign key when its values stand in another table's key: whole numbers
also need a name that says so, because 1, 2, 3 stand in every table; codes and UUIDs speak for
themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations

import pyarrow as pa
import pyarrow.compute as pc

from geurim.analyze.names import names_key
from geurim.relations.keys import ForeignKey, Keys
from geurim.relations.rows import is_unique, whole

INCLUDED = 0.8  # the least share of a column's distinct values that are keys of the parent
CERTAIN = 0.95  # … where no name says so
_UP = ("parent", "manager", "boss", "supervisor", "reports", "leader", "head", "super", "root")


def discover(tables: Mapping[str, pa.Table], known: Mapping[str, Keys]) -> dict[str, Keys]:
    """The keys of `tables`: those `known`, and for the rest those that the rows show."""
    found = {t: known.get(t, Keys()) for t in tables}
    for table, rows in tables.items():
        if not found[table].primary and (key := _primary(table, rows)):
            required = (*found[table].required, key)
            found[table] = replace(
                found[table], primary=(key,), required=required, why="no value twice, named so"
            )
    for table in tables:
        if not found[table].foreign:
            found[table] = replace(found[table], foreign=_foreign(table, tables, found))
    return {t: _pairs(tables[t], k) for t, k in found.items()}


def words(name: str) -> list[str]:
    """The words of a name, small, without the plural: "users_ID" is ["user", "id"]."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_a-zA-Z]+", name)
    return [_singular(p.lower()) for p in parts]


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 2 else word


def _is_code(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_string(kind))


def _primary(table: str, rows: pa.Table) -> str | None:
    """The column that is the key, if one is: named so before all others, then the first one."""
    candidates = []
    for place, field in enumerate(rows.schema):
        column = rows[field.name]
        if not _is_code(field.type) or column.null_count or rows.num_rows < 2:
            continue
        said = words(field.name)
        own = words(table)
        named = said in (["id"], [*own, "id"], own) or names_key(field.name)
        if not (named or place == 0 or pa.types.is_string(field.type)):
            continue
        if place and not named and not _short(column):
            continue
        if is_unique([column]):
            rank = 0 if said in (["id"], [*own, "id"]) else 1 if named else 2
            if rank < 2 or (place == 0 and _short(column) and rows.num_rows >= 10):
                candidates.append((rank, place, field.name))
    return min(candidates)[2] if candidates else None


def _short(column: pa.ChunkedArray) -> bool:
    """Whether strings are codes rather than words: no spaces, and short."""
    if not pa.types.is_string(column.type):
        return True
    some = column.slice(0, 1000)
    blank = pc.any(pc.match_substring_regex(some, r"\s")).as_py()
    return not blank and (pc.max(pc.utf8_length(some)).as_py() or 0) <= 40


def _foreign(
    table: str, tables: Mapping[str, pa.Table], keys: Mapping[str, Keys]
) -> tuple[ForeignKey, ...]:
    found = []
    for field in tables[table].schema:
        if not _is_code(field.type):
            continue
        best: tuple[float, ForeignKey] | None = None
        values = whole(pc.unique(tables[table][field.name])).drop_null()
        if not len(values):
            continue
        for parent, own in keys.items():
            if len(own.primary) != 1:
                continue
            key = own.primary[0]
            if (parent == table and key == field.name) or (
                keys[table].primary == (field.name,) and not _extends(table, parent, tables)
            ):
                continue
            score = _score(table, field, values, parent, tables[parent].schema.field(key))
            if score is None:
                continue
            there = _included(values, tables[parent][key])
            certain = CERTAIN if score < 1 else INCLUDED
            if there < certain or (score < 1 and len(values) < 3):
                continue
            named = "named so, and " if score >= 1 else ""
            why = f"{named}{there:.0%} of its {len(values):,} values are keys of {parent}"
            rank = score + there
            if best is None or rank > best[0]:
                best = (
                    rank,
                    ForeignKey(columns=(field.name,), table=parent, references=(key,), why=why),
                )
        if best is not None:
            found.append(best[1])
    return tuple(found)


def _extends(table: str, parent: str, tables: Mapping[str, pa.Table]) -> bool:
    """Whether a table's own key may be that of a larger table, of which it holds a part."""
    return (
        parent != table
        and tables[table].num_rows <= tables[parent].num_rows
        and (len(set(words(table)) & set(words(parent))) > 0)
    )


def _score(
    table: str, field: pa.Field, values: pa.Array, parent: str, key: pa.Field
) -> float | None:
    """How well a column's name says that it names rows of `parent`; None where it cannot."""
    if pa.types.is_integer(field.type) != pa.types.is_integer(key.type):
        return None
    said, whose, its = words(field.name), words(parent), words(key.name)
    plain = "".join(w for w in said if w != "id")
    if parent == table:
        up = any(w.startswith(_UP) for w in said)
        return 2.0 if up and said != its else None
    score = 0.0
    if (said == its and its != ["id"]) or "".join(whose) == plain or said == [*whose, *its]:
        score = 2.0
    elif plain.endswith("".join(whose)) or plain.endswith(whose[-1]) or said[-len(its) :] == its:
        score = 1.0 if its != ["id"] or plain.endswith(whose[-1]) else 0.0
    if score < 1 and (pa.types.is_integer(field.type) or _trivial(values)):
        return None
    return score


def _trivial(values: pa.Array) -> bool:
    """Whether strings are so short that they stand in other tables by chance."""
    return (pc.min(pc.utf8_length(values)).as_py() or 0) < 2


def _included(values: pa.Array, key: pa.ChunkedArray) -> float:
    there = whole(key)
    if there.type != values.type:
        try:
            values = values.cast(there.type)
        except pa.ArrowInvalid:
            return 0.0
    return float(pc.mean(pc.is_in(values, value_set=there).cast(pa.int8())).as_py() or 0.0)


def _pairs(rows: pa.Table, keys: Keys) -> Keys:
    """A pair of foreign keys that tells the rows of a link table apart is its primary key."""
    if keys.primary or rows.num_rows < 2:
        return keys
    singles = [f.columns for f in keys.foreign if len(f.columns) == 1]
    for first, second in combinations(singles, 2):
        both = first + second
        if is_unique([rows[n] for n in both]) and not any(is_unique([rows[n]]) for n in both):
            required = tuple(dict.fromkeys([*keys.required, *both]))
            return replace(
                keys, primary=both, required=required, why="no pair of these references twice"
            )
    return keys
