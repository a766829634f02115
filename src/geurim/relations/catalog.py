"""The keys that a database declares, read from its catalog."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from geurim.databases import quoted
from geurim.relations.keys import ForeignKey, Keys


def keys(engine: str, connection: Any, tables: list[str]) -> dict[str, Keys]:
    """The declared keys of `tables`, by an open connection (PostgreSQL: a cursor)."""
    reader = {"sqlite": _sqlite, "duckdb": _duckdb, "postgresql": _postgresql}[engine]
    return reader(connection, tables)


def _sqlite(connection: Any, tables: list[str]) -> dict[str, Keys]:
    spelled = {t.lower(): t for t in tables}  # SQLite's names are the same in any case
    info = {t: connection.execute(f"PRAGMA table_info({quoted(t)})").fetchall() for t in tables}
    primary = {
        t: tuple(r[1] for r in sorted((r for r in rows if r[5]), key=lambda r: r[5]))
        for t, rows in info.items()
    }
    columns = {t: {r[1].lower(): r[1] for r in rows} for t, rows in info.items()}
    found = {}
    for table in tables:
        unique = []
        for index in connection.execute(f"PRAGMA index_list({quoted(table)})").fetchall():
            whole = len(index) < 5 or not index[4]  # a partial index says nothing of all rows
            if index[2] and index[3] != "pk" and whole:
                rows = connection.execute(f"PRAGMA index_info({quoted(index[1])})").fetchall()
                if all(r[2] is not None for r in rows):
                    unique.append(tuple(r[2] for r in rows))
        parts: dict[int, list[Any]] = {}
        for row in connection.execute(f"PRAGMA foreign_key_list({quoted(table)})").fetchall():
            parts.setdefault(row[0], []).append(row)
        foreign = []
        for rows in parts.values():
            parent = spelled.get(str(rows[0][2]).lower())
            if parent is None:
                continue  # SQLite lets a key name a table that is not there
            rows.sort(key=lambda r: r[1])
            named = [r[4] for r in rows]
            references = primary[parent] if None in named else tuple(named)
            own = tuple(columns[table].get(r[3].lower(), r[3]) for r in rows)
            there = tuple(columns[parent].get(r.lower(), r) for r in references)
            if len(own) == len(there) and set(there) <= set(columns[parent].values()):
                foreign.append(ForeignKey(columns=own, table=parent, references=there))
        found[table] = Keys(
            primary=primary[table],
            unique=tuple(unique),
            foreign=tuple(reversed(foreign)),  # SQLite lists the last one first
            required=tuple(r[1] for r in info[table] if r[3] or r[5]),
        )
    return found


def _duckdb(connection: Any, tables: list[str]) -> dict[str, Keys]:
    rows = connection.execute(
        "SELECT table_name, constraint_type, constraint_column_names, referenced_table, "
        "referenced_column_names FROM duckdb_constraints() WHERE schema_name = 'main' "
        "AND database_name = current_database()"
    ).fetchall()
    return _gathered(
        tables,
        (
            (t, kind, tuple(own), parent, tuple(there or ()))
            for t, kind, own, parent, there in rows
            if kind != "CHECK"
        ),
    )


def _postgresql(cursor: Any, tables: list[str]) -> dict[str, Keys]:
    shown = (
        "CASE WHEN {0}.nspname = current_schema() THEN {1}.relname::text "
        "ELSE {0}.nspname || '.' || {1}.relname END"
    )
    cursor.execute(
        f"SELECT {shown.format('n', 'c')}, k.contype::text, "
        "(SELECT array_agg(a.attname::text ORDER BY u.i) FROM unnest(k.conkey) "
        "WITH ORDINALITY u(n, i) JOIN pg_attribute a ON a.attrelid = k.conrelid "
        "AND a.attnum = u.n), "
        f"CASE WHEN k.confrelid <> 0 THEN {shown.format('m', 'p')} END, "
        "(SELECT array_agg(a.attname::text ORDER BY u.i) FROM unnest(k.confkey) "
        "WITH ORDINALITY u(n, i) JOIN pg_attribute a ON a.attrelid = k.confrelid "
        "AND a.attnum = u.n) "
        "FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid "
        "JOIN pg_namespace n ON n.oid = c.relnamespace "
        "LEFT JOIN pg_class p ON p.oid = k.confrelid "
        "LEFT JOIN pg_namespace m ON m.oid = p.relnamespace "
        "WHERE k.contype IN ('p', 'u', 'f') ORDER BY k.oid"
    )
    names = {"p": "PRIMARY KEY", "u": "UNIQUE", "f": "FOREIGN KEY"}
    rows = [
        (t, names[str(kind)], tuple(own), parent, tuple(there or ()))
        for t, kind, own, parent, there in cursor.fetchall()
    ]
    cursor.execute(
        f"SELECT {shown.format('n', 'c')}, a.attname::text FROM pg_attribute a "
        "JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE a.attnotnull AND a.attnum > 0 AND c.relkind IN ('r', 'p', 'f') "
        "AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
    )
    rows += [(t, "NOT NULL", (column,), None, ()) for t, column in cursor.fetchall()]
    return _gathered(tables, rows)


_Row = tuple[str, str, tuple[str, ...], str | None, tuple[str, ...]]


def _gathered(tables: list[str], rows: Iterable[_Row]) -> dict[str, Keys]:
    """Constraints, one a row, as the keys of each table."""
    primary: dict[str, tuple[str, ...]] = {}
    unique: dict[str, list[tuple[str, ...]]] = {t: [] for t in tables}
    foreign: dict[str, list[ForeignKey]] = {t: [] for t in tables}
    required: dict[str, list[str]] = {t: [] for t in tables}
    for table, kind, own, parent, there in rows:
        if table not in unique:
            continue
        if kind == "PRIMARY KEY":
            primary[table] = own
            required[table] += own
        elif kind == "UNIQUE":
            unique[table].append(own)
        elif kind == "NOT NULL":
            required[table] += own
        elif parent in unique:
            foreign[table].append(ForeignKey(columns=own, table=str(parent), references=there))
    return {
        t: Keys(
            primary=primary.get(t, ()),
            unique=tuple(unique[t]),
            foreign=tuple(foreign[t]),
            required=tuple(dict.fromkeys(required[t])),
        )
        for t in tables
    }
