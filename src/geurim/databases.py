"""Tables and queries of SQLite, DuckDB and PostgreSQL.

Everything is read once, in one snapshot, and kept (see `frames.spooled`): reading again gives the
same rows in the same order, and costs the server nothing. A password appears in nothing that
leaves this module: whatever a driver says is looked through first.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote, unquote

import pyarrow as pa

from geurim.contract import Lineage
from geurim.convert import BATCH, Raw
from geurim.errors import (
    ConnectionFailed,
    DataError,
    GeurimError,
    MissingExtra,
    NotFound,
    SettingError,
)
from geurim.frames import spooled
from geurim.infer import ALL, TIMES, Column
from geurim.schema import Schema

_SCHEMES = {
    "sqlite": "sqlite",
    "sqlite3": "sqlite",
    "duckdb": "duckdb",
    "postgresql": "postgresql",
    "postgres": "postgresql",
}
_SECRET = re.compile(r"(?i)([\w.-]*(?:pass|pwd|secret|token|key)[\w.-]*=)[^&]*")


@dataclass(frozen=True, kw_only=True, repr=False)
class Address:
    """A database URL taken apart. It has no repr, because it holds the password."""

    engine: str  # "sqlite", "duckdb", "postgresql"
    path: str = ""  # of a file
    uri: str = ""  # for the driver, percent-encoded
    shown: str = ""  # without secrets
    secrets: tuple[str, ...] = ()

    def clean(self, text: object) -> str:
        """What a driver said, unless it holds a secret."""
        said = str(text).strip().partition("\n\nQuery was:")[0]
        if any(s in said for s in self.secrets):
            return "(what the driver said is withheld: it contains the password)"
        return said[:500]


def is_url(data: object) -> bool:
    """Whether `data` is a database URL rather than a path."""
    return isinstance(data, str) and re.match(r"[A-Za-z][\w+.-]*://", data) is not None


def redact(url: str) -> str:
    """A database URL without its password: "postgresql://kim:***@host/shop"."""
    scheme, _, rest = url.partition("://")
    parts = _split_user(rest)
    if parts is None:
        return f"{scheme}://***"  # nobody can say where the password ends
    userinfo, place = parts
    user, colon, _ = userinfo.partition(":")
    shown = f"{user}{':***' if colon else ''}@" if userinfo else ""
    return f"{scheme}://{shown}" + _SECRET.sub(r"\1***", place)


def parse(url: str) -> Address:
    """Take a URL apart; SettingError where it is of no database that Geurim knows."""
    scheme, _, rest = url.partition("://")
    engine = _SCHEMES.get(scheme.lower().partition("+")[0])
    if engine is None:
        raise SettingError(
            f"Unknown kind of database: {scheme!r} in {redact(url)!r}. Use sqlite:///file.db, "
            f"duckdb:///file.duckdb or postgresql://user:password@host/database."
        )
    if engine != "postgresql":
        path = unquote(rest.partition("?")[0])
        if not path.startswith("/") or path == "/":
            raise SettingError(
                f"Not a path of a {engine} file: {redact(url)!r}. Write {engine}:///file (three "
                f"slashes), or {engine}:////folder/file (four) from the root."
            )
        return Address(engine=engine, path=path[1:], shown=f"{engine}://{path}")
    parts = _split_user(rest)
    if parts is None:
        raise SettingError(
            f"The URL {redact(url)!r} has an '@' among its options or in its password, so that "
            f"they cannot be told apart. Write it as %40."
        )
    userinfo, place = parts
    user, colon, password = userinfo.partition(":")
    who = _escaped(user) + (":" + _escaped(password) if colon else "") + "@" if userinfo else ""
    hidden = {password, unquote(password), _escaped(password)}
    for found in re.finditer(_SECRET, place):
        value = found.group(0).partition("=")[2]
        hidden |= {value, unquote(value)}
    return Address(
        engine=engine,
        uri=f"postgresql://{who}{place}",
        shown=redact(url),
        secrets=tuple(s for s in hidden if s),
    )


def _split_user(rest: str) -> tuple[str, str] | None:
    """User with password, and the rest; None where an "@" can be meant in two ways.

    An unescaped "@", "/" or "?" in a password is forgiven as long as there is one reading only.
    """
    before, mark, options = rest.partition("?")
    if "@" in options:
        if re.match(r"[\w.]+=", options):
            return None
        user, _, place = rest.rpartition("@")
        return user, place
    user, _, place = before.rpartition("@")
    return user, place + mark + options


def _escaped(text: str) -> str:
    return quote(unquote(text), safe="")


def fail(address: Address, doing: str, error: BaseException) -> GeurimError:
    """The error to raise for what a driver raised; it holds nothing of the original.

    Raise it after the `except` block, so that the driver's own exception is not its context.
    """
    said = address.clean(error)
    state = getattr(error, "sqlstate", None)
    if "password authentication failed" in str(error) or state in ("28P01", "28000"):
        return ConnectionFailed(
            f"{address.shown} refused the user or the password. Check both; write characters such "
            f"as @ : / in a password percent-encoded (%40 %3A %2F)."
        )
    if "Failed to connect" in str(error) or "unable to open database" in str(error):
        return ConnectionFailed(
            f"Cannot reach {address.shown}: {said}. Check host, port and database, and that the "
            f"server runs."
        )
    if "Could not set lock" in str(error) or "database is locked" in str(error):
        return ConnectionFailed(f"{address.shown} is in use by another program. {said}")
    what = "Check the table or the query." if doing == "be read" else "All is as it was before."
    return DataError(f"{address.shown} could not {doing}: {said.rstrip('.')}. {what}")


def read_database(url: str, table: str | None, query: str | None, declared: Schema) -> Raw:
    """A table, or the rows of a query. With neither, the only table there is."""
    if table is not None and query is not None:
        raise SettingError("Both a table and a query were given. Give one of them.")
    address = parse(url)
    reader: dict[str, Callable[..., Raw]] = {
        "sqlite": _read_sqlite,
        "duckdb": _read_duckdb,
        "postgresql": _read_postgresql,
    }
    return reader[address.engine](address, table, query, declared)


def _lineage(address: Address, name: str | None, query: str | None) -> Callable[[str], Lineage]:
    # A query may hold values of the data: only its digest is named.
    what = f"table {name}" if query is None else f"query {_short(query)}"
    return lambda digest: Lineage(maker=f"{address.shown} {what}", digest=digest, real=True)


def _short(query: str) -> str:
    return hashlib.sha256(query.encode()).hexdigest()[:12]


def choose_table(tables: list[str], wanted: str | None, where: str) -> str:
    """The table asked for, or the only one; an error that says which there are."""
    shown = ", ".join(map(repr, tables[:30])) + (", …" if len(tables) > 30 else "")
    if wanted is not None:
        if wanted in tables:
            return wanted
        alike = [t for t in tables if t.lower() == wanted.lower()]
        if len(alike) == 1:
            return alike[0]
        near = difflib.get_close_matches(wanted, tables, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise NotFound(
            f"There is no table {wanted!r} in {where}.{hint} It has: {shown or 'no tables'}."
        )
    if len(tables) != 1:
        raise SettingError(
            f"Which table of {where}? It has: {shown or 'none'}. Give a table or a query."
        )
    return tables[0]


def quoted(name: str) -> str:
    """An identifier for SQL."""
    if "\0" in name:
        raise SettingError(f"A name with a NUL character cannot stand in SQL: {name!r}. Rename it.")
    return '"' + name.replace('"', '""') + '"'


def existing_file(address: Address) -> Path:
    """The database file of a URL; NotFound where there is none."""
    path = Path(address.path)
    if not path.is_file():
        near = difflib.get_close_matches(
            path.name, [p.name for p in path.parent.glob("*")] if path.parent.is_dir() else [], n=1
        )
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise NotFound(f"There is no database file {str(path)!r}.{hint} Check the path.")
    return path


# SQLite


def _read_sqlite(address: Address, table: str | None, query: str | None, declared: Schema) -> Raw:
    import sqlite3

    path = existing_file(address)
    problem: BaseException
    try:
        uri = f"file:{quote(str(path.resolve()))}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            connection.execute("BEGIN")  # one snapshot for every statement below
            if query is None:
                table = choose_table(sqlite_tables(connection), table, address.shown)
            source = f"SELECT * FROM {quoted(table)}" if table else str(query).rstrip("; \n")
            return _sqlite_rows(connection, source, declared, _lineage(address, table, query))
    except (sqlite3.Error, UnicodeDecodeError) as error:
        problem = error
    raise fail(address, "be read", problem)


def sqlite_tables(connection: Any) -> list[str]:
    """Tables and views."""
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') "
        "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
    )
    return [name for (name,) in rows]


def _sqlite_rows(
    connection: Any, source: str, declared: Schema, lineage: Callable[[str], Lineage]
) -> Raw:
    types = _declared_types(connection, source)
    places = range(len(types))
    # Which storage classes each column really holds: SQLite's declared types bind nobody.
    given = ", ".join(f"c{i}" for i in places)
    code = " || ".join(f"substr(typeof(c{i}), 1, 1)" for i in places)
    rows = f"geurim_{secrets.token_hex(4)}"  # a name that no table has
    found = connection.execute(
        f"WITH {rows}({given}) AS ({source}) SELECT {code}, count(*) FROM {rows} GROUP BY 1"
    ).fetchall()
    cursor = connection.execute(source)
    columns = []
    for i, name in enumerate(d[0] for d in cursor.description):
        counts = tuple(sum(n for c, n in found if c[i] == kind) for kind in "irtb")
        columns.append(_sqlite_column(name, types[i], counts, declared))
    schema = pa.schema([f for f, _ in columns])

    def batches() -> Iterator[pa.RecordBatch]:
        while rows := cursor.fetchmany(BATCH):
            yield pa.RecordBatch.from_arrays(
                [_sqlite_array(v, f) for v, f in zip(zip(*rows, strict=True), schema, strict=True)],
                schema=schema,
            )

    raw = spooled("SQLite table", schema, batches(), lineage)
    inspect = {
        name: column
        for name, (_, column) in zip(raw.schema.names, columns, strict=True)
        if column is not None
    }
    return Raw(**{**vars(raw), "inspect": inspect})


def read_tables(
    address: Address, *, declared: Callable[[str], Schema], report: Callable[[int, int], None]
) -> tuple[dict[str, Raw], Any]:
    """Every table (no views) and what the database declares of their keys, in one snapshot.

    The second value is what `catalog.keys` makes of the open connection.
    """
    from geurim.relations import catalog

    problem: BaseException
    try:
        with _snapshot(address) as (connection, tables, one):
            raws = {}
            for place, table in enumerate(tables):
                report(place, len(tables))
                raws[table] = one(table, declared(table))
            return raws, catalog.keys(address.engine, connection, tables)
    except GeurimError:
        raise
    except Exception as error:
        problem = error
    raise fail(address, "be read", problem)


def table_names(address: Address) -> list[str]:
    """The tables (no views) of a database; nothing of them is read."""
    problem: BaseException
    try:
        with _snapshot(address) as (_, tables, _one):
            return tables
    except GeurimError:
        raise
    except Exception as error:
        problem = error
    raise fail(address, "be read", problem)


@contextmanager
def _snapshot(
    address: Address,
) -> Iterator[tuple[Any, list[str], Callable[[str, Schema], Raw]]]:
    """An open connection or cursor, the names of the tables, and what reads one of them."""
    if address.engine == "sqlite":
        import sqlite3

        uri = f"file:{quote(str(existing_file(address).resolve()))}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as file:
            file.execute("BEGIN")
            names = [
                name
                for (name,) in file.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'table' "
                    "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
                )
            ]
            yield (
                file,
                names,
                lambda table, declared: _sqlite_rows(
                    file,
                    f"SELECT * FROM {quoted(table)}",
                    declared,
                    _lineage(address, table, None),
                ),
            )
    elif address.engine == "duckdb":
        with closing(open_duckdb(str(existing_file(address)), read_only=True)) as duck:
            duck.execute("BEGIN")
            rows = duck.execute(
                "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main' "
                "AND database_name = current_database() AND NOT internal ORDER BY 1"
            ).fetchall()

            def one(table: str, declared: Schema) -> Raw:
                result = duck.sql(f"SELECT * FROM {quoted(table)}")
                make = getattr(result, "to_arrow_reader", None) or result.fetch_arrow_reader
                reader = make(BATCH)
                lineage = _lineage(address, table, None)
                return spooled("DuckDB table", reader.schema, reader, lineage)

            yield duck, [name for (name,) in rows], one
    else:
        connection = open_postgresql(address)
        with closing(connection), closing(connection.cursor()) as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute(
                "SELECT CASE WHEN n.nspname = current_schema() THEN c.relname::text "
                "ELSE n.nspname || '.' || c.relname END "
                "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition "
                "AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1"
            )
            names = [name for (name,) in cursor.fetchall()]

            def one_of(table: str, declared: Schema) -> Raw:
                cursor.execute(f"SELECT * FROM {postgresql_name(cursor, table)}")
                reader = cursor.fetch_record_batch()
                lineage = _lineage(address, table, None)
                return spooled("PostgreSQL table", reader.schema, reader, lineage)

            yield cursor, names, one_of


def _declared_types(connection: Any, source: str) -> list[str]:
    """The types that the columns were declared with, in capitals; "" for expressions."""
    connection.execute("PRAGMA temp_store = MEMORY")
    try:
        connection.execute(f"CREATE TEMP VIEW geurim_types AS {source}")
        rows = connection.execute("PRAGMA temp.table_info(geurim_types)").fetchall()
        return [str(r[2] or "").upper() for r in rows]
    finally:
        connection.execute("DROP VIEW IF EXISTS temp.geurim_types")


def _sqlite_column(
    name: str, kind: str, counts: tuple[int, ...], declared: Schema
) -> tuple[pa.Field, Column | None]:
    """The Arrow field of a SQLite column, and a look at its text where types are to be found."""
    integers, reals, texts, blobs = counts
    if blobs and not declared.of(name).drop:
        return pa.field(name, pa.binary()), None
    numeric = bool(re.search("INT|REAL|FLOA|DOUB|NUM|DEC|BOOL", kind))
    if texts:
        mixed = bool(integers or reals)
        column = Column(
            name=name,
            declared=declared.of(name),
            kinds=ALL if numeric or mixed else TIMES,
            typed=not (numeric or mixed),
            hint=f"text and {integers + reals:,} numbers mixed: read as text" if mixed else "",
        )
        return pa.field(name, pa.string()), column
    if not (integers or reals):
        if "INT" in kind:
            return pa.field(name, pa.int64()), None
        number = re.search("REAL|FLOA|DOUB|NUMERIC|DECIMAL", kind)
        return pa.field(name, pa.float64() if number else pa.string()), None
    if re.search("BOOL", kind) and not reals:
        return pa.field(name, pa.bool_()), None
    scale = re.search(r"(?:NUMERIC|DECIMAL)\s*\(\s*\d+\s*,\s*(\d+)\s*\)", kind)
    if reals or (scale and scale[1] != "0") or re.search("REAL|FLOA|DOUB", kind):
        fixed = {b"geurim.decimals": scale[1].encode()} if scale and scale[1] != "0" else None
        return pa.field(name, pa.float64(), metadata=fixed), None
    return pa.field(name, pa.int64()), None


def _sqlite_array(values: tuple[Any, ...], found: pa.Field) -> pa.Array:
    if pa.types.is_string(found.type):
        values = tuple(v if v is None or isinstance(v, str) else str(v) for v in values)
    elif pa.types.is_boolean(found.type):
        values = tuple(None if v is None else bool(v) for v in values)
    elif pa.types.is_floating(found.type):
        values = tuple(None if v is None else float(v) for v in values)
    return pa.array(values, found.type)


# DuckDB


def open_duckdb(path: str, *, read_only: bool) -> Any:
    """A connection to a DuckDB file."""
    try:
        import duckdb
    except ModuleNotFoundError:
        raise MissingExtra("A DuckDB database", "duckdb") from None
    return duckdb.connect(path, read_only=read_only)


def _read_duckdb(address: Address, table: str | None, query: str | None, declared: Schema) -> Raw:
    path = existing_file(address)
    problem: BaseException
    try:
        with closing(open_duckdb(str(path), read_only=True)) as connection:
            if query is None:
                table = choose_table(duckdb_tables(connection), table, address.shown)
            source = f"SELECT * FROM {quoted(table)}" if table else str(query)
            result = connection.sql(source)
            if result is None:
                raise SettingError("The query gives no rows. Give a SELECT.")
            # DuckDB before 1.4 has the older name only.
            make = getattr(result, "to_arrow_reader", None) or result.fetch_arrow_reader
            reader = make(BATCH)
            return spooled("DuckDB table", reader.schema, reader, _lineage(address, table, query))
    except GeurimError:
        raise
    except Exception as error:
        problem = error
    raise fail(address, "be read", problem)


def duckdb_tables(connection: Any) -> list[str]:
    """Tables and views of the file's main schema."""
    rows = connection.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main' "
        "AND table_catalog = current_database() ORDER BY 1"
    )
    return [name for (name,) in rows.fetchall()]


# PostgreSQL


def open_postgresql(address: Address) -> Any:
    """A connection to a PostgreSQL server, in a transaction."""
    try:
        from adbc_driver_postgresql import dbapi
    except ModuleNotFoundError:
        raise MissingExtra("A PostgreSQL database", "postgres") from None
    problem: BaseException
    try:
        return dbapi.connect(address.uri)
    except Exception as error:
        problem = error
    _raise(fail(address, "be reached", problem))


def _raise(error: GeurimError) -> NoReturn:
    raise error


def _read_postgresql(
    address: Address, table: str | None, query: str | None, declared: Schema
) -> Raw:
    connection = open_postgresql(address)
    problem: BaseException
    try:
        with closing(connection), closing(connection.cursor()) as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
            source = str(query).rstrip("; \n")
            if query is None:
                table = choose_table(postgresql_tables(cursor), table, address.shown)
                source = f"SELECT * FROM {postgresql_name(cursor, table)}"
            cursor.execute(source)
            reader = cursor.fetch_record_batch()
            what = _lineage(address, table, query)
            return spooled("PostgreSQL table", reader.schema, reader, what)
    except GeurimError:
        raise
    except Exception as error:
        problem = error
    raise fail(address, "be read", problem)


def postgresql_tables(cursor: Any) -> list[str]:
    """Tables and views the user may see: by their name, those of other schemas as schema.name."""
    cursor.execute(
        "SELECT CASE WHEN n.nspname = current_schema() THEN c.relname::text "
        "ELSE n.nspname || '.' || c.relname END "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND n.nspname !~ '^pg_' "
        "AND n.nspname <> 'information_schema' ORDER BY 1"
    )
    return [name for (name,) in cursor.fetchall()]


def postgresql_name(cursor: Any, table: str) -> str:
    """A table's name for SQL, from one of `postgresql_tables`."""
    cursor.execute(
        "SELECT n.nspname::text, c.relname::text FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE "
        "(n.nspname = current_schema() AND c.relname = $1) OR n.nspname || '.' || c.relname = $1 "
        "ORDER BY n.nspname = current_schema() DESC",
        (table,),
    )
    schema, name = cursor.fetchone()
    return f"{quoted(schema)}.{quoted(name)}"
