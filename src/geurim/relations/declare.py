"""What a schema file says of a whole database: the columns and the keys of each table.

[tables.orders]
primary_key = ["id"]
unique = [["number"]]
keep = true
foreign_keys = [{ columns = ["customer"], table = "customers", references = ["id"] }]

[tables.orders.columns.day]
type = "date"
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geurim.errors import NotFound, SchemaError
from geurim.relations.keys import ForeignKey, Keys
from geurim.schema import Schema, load_schema

FILE = "keys.toml"
"""In a folder of tables: its keys, read when the folder is read."""

_KNOWN = ("primary_key", "unique", "foreign_keys", "keep", "columns")


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What is said of one table; None: nothing."""

    columns: Schema = field(default_factory=Schema)
    primary: tuple[str, ...] | None = None
    unique: tuple[tuple[str, ...], ...] | None = None
    foreign: tuple[ForeignKey, ...] | None = None
    keep: bool = False


def load(schema: str | Path | Mapping[str, Any] | None) -> dict[str, Declaration]:
    """The declarations of a schema file, or of a mapping of the same form, by table."""
    if schema is None:
        return {}
    if not isinstance(schema, Mapping):
        path = Path(schema)
        try:
            schema = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            raise NotFound(f"There is no schema file {str(path)!r}. Check the path.") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise SchemaError(
                f"Cannot read the schema file {str(path)!r}: {error}. It must be TOML in UTF-8."
            ) from error
    others = set(schema) - {"tables"}
    if others or not isinstance(schema.get("tables", {}), Mapping):
        raise SchemaError(
            f"The schema of a database holds [tables.NAME] and no more, but here stands "
            f"{', '.join(map(repr, sorted(others))) or 'tables that are no tables'}. Write "
            f"[tables.orders.columns.day] for a column of the table orders."
        )
    return {str(n): _table(str(n), t) for n, t in schema.get("tables", {}).items()}


def _table(name: str, state: Any) -> Declaration:
    if not isinstance(state, Mapping):
        raise SchemaError(
            f"'tables' must hold tables: {name!r} is {state!r}. See docs/databases.md."
        )
    for key in state:
        if key not in _KNOWN:
            near = difflib.get_close_matches(key, _KNOWN, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(_KNOWN)}."
            raise SchemaError(f"Unknown setting of table {name!r}: {key!r}. {hint}")
    foreign = state.get("foreign_keys")
    unique = state.get("unique")
    return Declaration(
        columns=load_schema({"columns": state.get("columns", {})}),
        primary=None if "primary_key" not in state else _names(name, state["primary_key"]),
        unique=None if unique is None else tuple(_names(name, u) for u in unique),
        foreign=None if foreign is None else tuple(_foreign(name, f) for f in foreign),
        keep=bool(state.get("keep", False)),
    )


def _names(table: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Sequence) or not all(isinstance(v, str) for v in value):
        raise SchemaError(f"A key of {table!r} is a list of column names, not {value!r}.")
    return tuple(value)


def _foreign(table: str, value: Any) -> ForeignKey:
    if not isinstance(value, Mapping) or set(value) != {"columns", "table", "references"}:
        raise SchemaError(
            f"A foreign key of {table!r} is {value!r}. Write "
            f'{{ columns = ["customer"], table = "customers", references = ["id"] }}.'
        )
    return ForeignKey(
        columns=_names(table, value["columns"]),
        table=str(value["table"]),
        references=_names(table, value["references"]),
        why="the schema says so",
    )


def check(said: Mapping[str, Declaration], columns: Mapping[str, Sequence[str]]) -> None:
    """SchemaError where a declaration names a table or a column that is not there."""
    for table, one in said.items():
        _there(table, columns, "The schema names a table")
        for key in (one.primary or (), *(one.unique or ())):
            for name in key:
                _there(name, columns[table], f"A key of {table!r} names a column")
        for link in one.foreign or ():
            _there(link.table, columns, f"A foreign key of {table!r} names a table")
            if len(link.columns) != len(link.references) or not link.columns:
                raise SchemaError(
                    f"The foreign key {link.text} of {table!r} has {len(link.columns)} columns for "
                    f"{len(link.references)}. Give as many of each, and at least one."
                )
            for name in link.columns:
                _there(name, columns[table], f"A foreign key of {table!r} names a column")
            for name in link.references:
                _there(name, columns[link.table], f"A foreign key of {table!r} names a column")


def _there(name: str, known: Any, what: str) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, list(known), n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known)}."
        raise SchemaError(f"{what} that is not there: {name!r}. {hint}")


def overridden(keys: Keys, said: Declaration) -> Keys:
    """Keys with what was declared in their place."""
    told = "the schema says so"
    primary = keys.primary if said.primary is None else said.primary
    return Keys(
        primary=primary,
        unique=keys.unique if said.unique is None else said.unique,
        foreign=keys.foreign if said.foreign is None else said.foreign,
        required=tuple(dict.fromkeys([*keys.required, *primary])),
        why=keys.why if said.primary is None else told,
    )


def written(keys: Mapping[str, Keys]) -> str:
    """Keys in the form of a schema file."""
    lines = ["# The keys of these tables, as geurim reads them again.", ""]
    for table, own in keys.items():
        lines.append(f"[tables.{_text(table)}]")
        lines.append(f"primary_key = {_list(own.primary)}")
        if own.unique:
            lines.append(f"unique = [{', '.join(_list(u) for u in own.unique)}]")
        links = [
            f"  {{ columns = {_list(f.columns)}, table = {_text(f.table)}, "
            f"references = {_list(f.references)} }},"
            for f in own.foreign
        ]
        lines += ["foreign_keys = [", *links, "]"] if links else ["foreign_keys = []"]
        lines.append("")
    return "\n".join(lines)


def _list(names: Sequence[str]) -> str:
    return "[" + ", ".join(_text(n) for n in names) + "]"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
