"""The schema file: what the user says about a table, in one small TOML file.

docs/schema-file.md lists what it may hold. It overrides what reading would guess, column by column.
`write_schema` writes the guesses in the same form, ready to be edited.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from geurim.contract import Json, Profile, Source
from geurim.errors import NotFound, SchemaError

TYPES = ("integer", "number", "decimal", "boolean", "date", "datetime", "time", "string")
ROLES = ("number", "datetime", "category", "constant", "empty", "key", "personal", "text")
ENTITIES = (
    *("name", "first_name", "last_name", "email", "phone", "address", "city", "postcode"),
    *("company", "card_number", "iban", "ip", "url", "user_name", "national_id"),
)
_NO_COLUMNS: Mapping[str, Declared] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What the schema file says about one column; None or empty: nothing."""

    type: str | None = None
    role: str | None = None
    missing: tuple[str, ...] | None = None  # these tokens and no others (an empty field always is)
    format: str | None = None  # of dates and times, as in strptime
    decimals: int | None = None  # always show so many, in CSV
    entity: str | None = None
    locale: str | None = None
    drop: bool = False  # leave the column out

    def __post_init__(self) -> None:
        _one_of("type", self.type, TYPES)
        _one_of("role", self.role, ROLES)
        _one_of("entity", self.entity, ENTITIES)
        if self.locale is not None and not re.fullmatch(r"[a-z]{2,3}_[A-Z]{2}", self.locale):
            raise SchemaError(f"Not a locale: {self.locale!r}. Write it as 'ko_KR' or 'en_US'.")
        if self.decimals is not None and not 0 <= self.decimals <= 18:
            raise SchemaError(f"decimals out of range: {self.decimals}. Give 0 to 18.")
        if self.format is not None:
            from geurim import dates

            dates.pattern(self.format)
            if self.type not in (None, dates.kind(self.format)):
                raise SchemaError(
                    f"The format {self.format!r} is that of a {dates.kind(self.format)}, "
                    f"but the type says {self.type!r}. Change one of them."
                )


@dataclass(frozen=True, kw_only=True)
class Schema:
    """A schema file: settings of the whole file, and of its columns."""

    separator: str | None = None
    encoding: str | None = None
    header: bool | None = None
    columns: Mapping[str, Declared] = field(default_factory=lambda: _NO_COLUMNS)

    def of(self, column: str) -> Declared:
        """What is declared for a column; an empty declaration where nothing is."""
        return self.columns.get(column, _NOTHING)

    def check(self, names: Iterable[str]) -> None:
        """SchemaError where a declared column is not in the data."""
        known = list(names)
        for name in self.columns:
            if name not in known:
                raise SchemaError(
                    f"The schema names a column that the data do not have: {name!r}. "
                    f"{_nearest(name, known)}"
                )


def load_schema(schema: str | Path | Mapping[str, Any] | Schema | None) -> Schema:
    """A schema file, a mapping of the same form, or nothing."""
    if schema is None:
        return Schema()
    if isinstance(schema, Schema):
        return schema
    if isinstance(schema, Mapping):
        return _parse(schema)
    path = Path(schema)
    try:
        return _parse(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except FileNotFoundError:
        raise NotFound(f"There is no schema file {str(path)!r}. Check the path.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SchemaError(
            f"Cannot read the schema file {str(path)!r}: {error}. It must be TOML in UTF-8."
        ) from error
    except SchemaError as error:
        raise SchemaError(f"In the schema file {str(path)!r}: {error}") from None


def _parse(state: Mapping[str, Any]) -> Schema:
    state = dict(state)
    columns = state.pop("columns", {})
    if not isinstance(columns, Mapping):
        raise SchemaError(f"'columns' must be a table of columns, not {columns!r}.")
    _known_keys(state, ("separator", "encoding", "header", "columns"), "the schema")
    for name, kind in (("separator", str), ("encoding", str), ("header", bool)):
        _is_a(f"{name!r} of the schema", state.get(name), kind)
    separator = state.get("separator")
    if separator is not None and (len(separator) != 1 or not separator.isascii()):
        raise SchemaError(f"The separator must be one ASCII character, not {separator!r}.")
    return Schema(**state, columns={str(n): _column(str(n), c) for n, c in columns.items()})


def _column(name: str, state: Any) -> Declared:
    if not isinstance(state, Mapping):
        raise SchemaError(f"Column {name!r} must be a table such as {{ type = 'integer' }}.")
    _known_keys(state, tuple(f.name for f in fields(Declared)), f"column {name!r}")
    state = dict(state)
    kinds = {"missing": list, "decimals": int, "drop": bool}
    for key, value in state.items():
        _is_a(f"{key!r} of column {name!r}", value, kinds.get(key, str))
    if "missing" in state:
        state["missing"] = tuple(str(m) for m in state["missing"])
    try:
        return Declared(**state)
    except SchemaError as error:
        raise SchemaError(f"Column {name!r}: {error}") from None


def _is_a(what: str, value: Any, kind: type) -> None:
    right = isinstance(value, kind | tuple if kind is list else kind)
    if value is not None and (not right or (kind is int and isinstance(value, bool))):
        raise SchemaError(f"{what} must be a {kind.__name__}, not {value!r}. Correct it.")


def _one_of(what: str, value: str | None, known: tuple[str, ...]) -> None:
    if value is not None and value not in known:
        raise SchemaError(f"Unknown {what}: {value!r}. {_nearest(value, known)}")


def _known_keys(state: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in state:
        if key not in known:
            raise SchemaError(f"Unknown setting in {where}: {key!r}. {_nearest(key, known)}")


def _nearest(given: str, known: Iterable[str]) -> str:
    """What to do about a name that is not known."""
    names = list(known)
    lower = {n.lower(): n for n in names}
    near = difflib.get_close_matches(given.lower(), lower, n=1, cutoff=0.5)
    if near:
        return f"Did you mean {lower[near[0]]!r}?"
    shown = ", ".join(repr(n) for n in names[:20])
    return f"There are: {shown}{', …' if len(names) > 20 else ''}."


def field_of(
    name: str, kind: pa.DataType, declared: Declared, notes: Mapping[bytes, bytes]
) -> pa.Field:
    """The Arrow field of a column, with what was declared or guessed in its metadata."""
    made = dict(notes)
    for key in ("role", "entity", "locale"):
        if (value := getattr(declared, key)) is not None:
            made[f"geurim.{key}".encode()] = value.encode()
    if declared.decimals is not None:
        made[b"geurim.decimals"] = str(declared.decimals).encode()
    return pa.field(name, kind, metadata=made or None)


def type_name(kind: pa.DataType) -> str:
    """The schema file's name of an Arrow type."""
    tests = (
        ("boolean", pa.types.is_boolean),
        ("integer", pa.types.is_integer),
        ("decimal", pa.types.is_decimal),
        ("number", pa.types.is_floating),
        ("date", pa.types.is_date),
        ("datetime", pa.types.is_timestamp),
        ("time", pa.types.is_time),
    )
    return next((name for name, test in tests if test(kind)), "string")


def guesses(source: Source) -> list[dict[str, Json]]:
    """What was guessed or declared, a dict a column: column, type, role, missing, format, why."""
    made = []
    for f in source.schema:
        notes = {k.decode(): v.decode() for k, v in (f.metadata or {}).items()}
        get = {k.removeprefix("geurim."): v for k, v in notes.items() if k.startswith("geurim.")}
        made.append(
            {
                "column": f.name,
                "type": type_name(f.type),
                "role": get.get("role"),
                "missing": json.loads(get.get("missing", "[]")),
                "format": get.get("format"),
                "decimals": int(get["decimals"]) if "decimals" in get else None,
                "entity": get.get("entity"),
                "locale": get.get("locale"),
                "why": get.get("why", ""),
            }
        )
    return made


def write_schema(
    source_or_profile: Source | Profile, path: str | Path, *, overwrite: bool = False
) -> str:
    """Write the guesses as a schema file to be edited; returns the path.

    An existing file stays, unless `overwrite`.

    Of a profile, the roles, entities and locales that analysis found are written too.
    """
    from geurim.write import claim

    target = Path(path)
    lines = ["# What Geurim guessed. Edit it and give it back with schema=…; see the docs.", ""]
    found = source_or_profile.columns if isinstance(source_or_profile, Profile) else {}
    for guess in guesses(source_or_profile):  # type: ignore[arg-type]  # only .schema is read
        name = guess["column"]
        lines.append(f"[columns.{_quote(name)}]" + (f"  # {guess['why']}" if guess["why"] else ""))
        profiled = found.get(name, {})
        for key in ("type", "role", "missing", "format", "decimals", "entity", "locale"):
            value = profiled.get(key, guess[key]) if key in _PROFILED else guess[key]
            if value not in (None, []):
                lines.append(f"{key} = {_toml(value)}")
        lines.append("")
    with claim(target, overwrite=overwrite) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")
    return str(target)


_PROFILED = ("role", "entity", "locale")


def _toml(value: Json) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_quote(v) for v in value) + "]"
    return _quote(value) if isinstance(value, str) else str(value)


def _quote(text: str) -> str:
    # A JSON string is a TOML basic string, but for DEL, which TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


_NOTHING = Declared()
