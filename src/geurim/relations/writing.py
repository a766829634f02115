"""A whole database written: all tables with their keys, or nothing."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from geurim.contract import Event, Progress, Source, quiet
from geurim.databases import (
    Address,
    duckdb_tables,
    fail,
    is_url,
    open_duckdb,
    open_postgresql,
    parse,
    quoted,
    table_names,
)
from geurim.errors import DataError, GeurimError, NotFound, SettingError, TargetExists
from geurim.folders import whole_folder
from geurim.relations import declare
from geurim.relations.keys import Database, ForeignKey, Keys
from geurim.relations.reading import SUFFIXES
from geurim.tables import (
    Feed,
    postgresql_place,
    postgresql_type,
    safely,
    sqlite_arrow,
    sqlite_type,
    sqlite_values,
)

_DATABASES = (".db", ".sqlite", ".sqlite3", ".duckdb")
WORLD = "world.yaml"
"""The world that a folder of tables was made by."""

_Rows = dict[str, tuple[pa.Schema, Iterator[pa.RecordBatch]]]


def write_database(
    database: Database,
    to: str | Path,
    *,
    overwrite: bool = False,
    files: str = ".parquet",
    notes: Mapping[str, str] | None = None,
    progress: Progress = quiet,
) -> str:
    """Write every table to a database URL, or to a folder of files, with its keys.

    In a database all tables come in one transaction, with primary keys, unique sets and foreign
    keys (but for those whose references dangle; DuckDB also cannot hold a key of a table to
    itself, nor a cycle). In a folder each table is a file of kind `files`, and keys.toml holds the
    keys; `notes` are more files of text, by name. After an error or an interrupt all is as before.
    Tables that are there are replaced only
    with `overwrite`; others of the same database stay. Returns where the rows went.

    Raises TargetExists, NotFound, SettingError, DataError, ConnectionFailed.
    """
    if not is_url(to):
        _write_folder(database, Path(to).expanduser(), files, notes or {}, overwrite, progress)
        return str(to)
    address = parse(str(to))
    _check_names(database)
    writer = {"sqlite": _sqlite, "duckdb": _duckdb, "postgresql": _postgresql}[address.engine]
    problem: BaseException
    try:
        writer(database, address, overwrite, _rows(database, progress))
        return address.shown
    except GeurimError:
        raise
    except Exception as error:
        problem = error
    raise fail(address, "be written", problem)


def check_target(tables: Collection[str], to: str | Path, *, overwrite: bool) -> None:
    """Refuse before any long work what could not be written in the end, by the tables' names."""
    if not is_url(to):
        _refuse_folder(Path(to).expanduser(), overwrite)
        return
    address = parse(str(to))
    if address.engine == "postgresql" or overwrite:
        return
    path = Path(address.path)
    if not path.parent.is_dir():
        raise NotFound(f"There is no folder {str(path.parent)!r} to write to. Make it first.")
    if path.exists() and path.stat().st_size:
        _refuse_tables(tables, table_names(address), address, overwrite)


def _check_names(database: Database) -> None:
    for table, source in database.tables.items():
        for name in (table, *source.schema.names):
            quoted(name)
        for found in source.schema:
            if pa.types.is_nested(found.type):
                raise DataError(
                    f"Column {found.name!r} of {table!r} holds nested values. Write a folder of "
                    f"Parquet files instead."
                )


def _rows(database: Database, progress: Progress, *, text: bool = False) -> _Rows:
    """The schema and the batches of each table, columns without content at the end."""
    return {
        table: _with_blank(database, table, source, place, progress, text)
        for place, (table, source) in enumerate(database.tables.items())
    }


def _with_blank(
    database: Database, table: str, source: Source, place: int, progress: Progress, text: bool
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    blank = database.blank.get(table, ())
    if text:  # a file of text has no bytes
        blank = tuple(f.with_type(pa.string()) for f in blank)
    needed = set(database.of(table).required)
    schema = pa.schema([*source.schema, *blank])

    def batches() -> Iterator[pa.RecordBatch]:
        progress(
            Event(step="write", done=place, total=len(database.tables), unit="tables", note=table)
        )
        for batch in source.read():
            columns = list(batch.columns)
            for found in blank:
                if found.name in needed:
                    nothing = b"" if pa.types.is_binary(found.type) else ""
                    columns.append(pa.array([nothing] * batch.num_rows, found.type))
                else:
                    columns.append(pa.nulls(batch.num_rows, found.type))
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    return schema, batches()


def _refuse_tables(
    tables: Collection[str], there: list[str], address: Address, overwrite: bool
) -> list[str]:
    """The tables to be replaced; TargetExists unless that was asked for."""
    lower = {t.lower() for t in tables}
    same = [t for t in there if t.lower() in lower]
    if same and not overwrite:
        raise TargetExists(
            f"{address.shown} has tables of these names already: {', '.join(same[:5])}"
            f"{' …' if len(same) > 5 else ''}. Give another database, or overwrite=True "
            f"(--overwrite)."
        )
    return same


@contextlib.contextmanager
def _file(address: Address) -> Iterator[Path]:
    """The database file to write: a new one takes its name when it is whole."""
    path = Path(address.path)
    if not path.parent.is_dir():
        raise NotFound(f"There is no folder {str(path.parent)!r} to write to. Make it first.")
    if path.exists():
        yield path
        return
    new = path.with_name(f".{path.name[:80]}.{secrets.token_hex(4)}.part")
    try:
        yield new
        if path.exists():
            raise TargetExists(f"{str(path)!r} was made meanwhile. Give another name.")
        new.replace(path)
    finally:
        for ending in ("", "-journal", "-wal", "-shm", ".wal"):
            new.with_name(new.name + ending).unlink(missing_ok=True)


def _constraints(keys: Keys, links: tuple[ForeignKey, ...]) -> list[str]:
    """The keys of a table, as SQL."""
    parts = [f"PRIMARY KEY ({_list(keys.primary)})"] if keys.primary else []
    parts += [f"UNIQUE ({_list(u)})" for u in keys.unique if u != keys.primary]
    parts += [
        f"FOREIGN KEY ({_list(k.columns)}) REFERENCES {quoted(k.table)} ({_list(k.references)})"
        for k in links
    ]
    return parts


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(quoted(n) for n in names)


def _holding(database: Database, table: str) -> tuple[ForeignKey, ...]:
    """The foreign keys that a database can enforce: of none that dangles, to a key."""
    return tuple(
        k
        for k in database.of(table).foreign
        if not k.dangling and any(set(k.references) == set(s) for s in database.of(k.table).sets)
    )


def _parents_first(database: Database) -> list[str]:
    order: list[str] = []
    left = list(database.tables)
    while left:
        ready = [
            t for t in left if all(k.table in order or k.table == t for k in database.of(t).foreign)
        ]
        order += ready or left[:1]  # a cycle: any one
        left = [t for t in left if t not in order]
    return order


def _sqlite(database: Database, address: Address, overwrite: bool, rows: _Rows) -> None:
    import sqlite3

    with _file(address) as path:
        uri = f"file:{quote(str(path.resolve()))}"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            connection.execute("PRAGMA foreign_keys = OFF")
            connection.execute("BEGIN IMMEDIATE")
            try:
                found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
                there = [name for (name,) in found]
                for table in _refuse_tables(database.tables, there, address, overwrite):
                    connection.execute(f"DROP TABLE {quoted(table)}")
                for table in _parents_first(database):
                    _sqlite_table(connection, database, table, *rows[table])
                bad = connection.execute("PRAGMA foreign_key_check").fetchone()
                if bad is not None and bad[0] in database.tables:
                    raise DataError(
                        f"A reference of {bad[0]!r} names no row of {bad[2]!r}. Nothing was "
                        f"written; please report it."
                    )
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise


def _sqlite_table(
    connection: Any,
    database: Database,
    table: str,
    schema: pa.Schema,
    batches: Iterator[pa.RecordBatch],
) -> None:
    keys = database.of(table)
    columns = [
        f"{quoted(f.name)} {sqlite_type(f)}{' NOT NULL' if f.name in keys.required else ''}"
        for f in schema
    ]
    parts = ", ".join([*columns, *_constraints(keys, _holding(database, table))])
    connection.execute(f"CREATE TABLE {quoted(table)} ({parts})")
    marks = ", ".join("?" * len(schema))
    insert = f"INSERT INTO {quoted(table)} VALUES ({marks})"
    kinds = pa.schema([(f.name, sqlite_arrow(f.type)) for f in schema])
    for batch in batches:
        batch = safely(batch, kinds)
        values = [sqlite_values(a, f) for a, f in zip(batch.columns, schema, strict=True)]
        connection.executemany(insert, zip(*values, strict=True))


def _duckdb(database: Database, address: Address, overwrite: bool, rows: _Rows) -> None:
    with _file(address) as path, closing(open_duckdb(str(path), read_only=False)) as connection:
        order = _parents_first(database)
        connection.execute("BEGIN")
        feed: Feed | None = None
        try:
            there = {t.lower(): t for t in duckdb_tables(connection)}
            same = _refuse_tables(database.tables, list(there.values()), address, overwrite)
            for table in sorted(same, key=lambda t: -_place(order, t)):
                connection.execute(f"DROP TABLE {quoted(table)}")
            for table in order:
                schema, batches = rows[table]
                feed = Feed(batches, {f.name: f.type for f in schema})
                _duckdb_table(connection, database, table, order, feed)
            connection.execute("COMMIT")
        except BaseException as error:
            with contextlib.suppress(Exception):
                connection.execute("ROLLBACK")
            if feed is not None:
                feed.reraise(error)
            raise


def _place(order: list[str], table: str) -> int:
    lower = [t.lower() for t in order]
    return lower.index(table.lower()) if table.lower() in lower else -1


def _duckdb_table(
    connection: Any, database: Database, table: str, order: list[str], feed: Feed
) -> None:
    keys = database.of(table)
    links = tuple(
        k
        for k in _holding(database, table)
        if order.index(k.table) < order.index(table)  # no key to itself, none of a cycle
    )
    connection.register("geurim_rows", feed.reader)
    shape = connection.execute(
        "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM geurim_rows)"
    ).fetchall()
    columns = [
        f"{quoted(name)} {kind}{' NOT NULL' if name in keys.required else ''}"
        for name, kind in shape
    ]
    parts = ", ".join([*columns, *_constraints(keys, links)])
    connection.execute(f"CREATE TABLE {quoted(table)} ({parts})")
    connection.execute(f"INSERT INTO {quoted(table)} SELECT * FROM geurim_rows")
    connection.unregister("geurim_rows")


def _postgresql(database: Database, address: Address, overwrite: bool, rows: _Rows) -> None:
    with closing(open_postgresql(address)) as connection, closing(connection.cursor()) as cursor:
        feed: Feed | None = None
        try:
            places = {t: postgresql_place(cursor, t) for t in database.tables}
            _postgresql_drop(cursor, places, address, overwrite)
            names = {t: f"{quoted(s)}.{quoted(n)}" for t, (s, n, _) in places.items()}
            for table in _parents_first(database):
                schema, batches = rows[table]
                feed = Feed(batches, {f.name: postgresql_type(f.type) for f in schema})
                where, name, _ = places[table]
                cursor.adbc_ingest(name, feed.reader, mode="create", db_schema_name=where)
                _postgresql_keys(cursor, database.of(table), names[table])
            for table in database.tables:
                for key in _holding(database, table):
                    cursor.execute(
                        f"ALTER TABLE {names[table]} ADD FOREIGN KEY ({_list(key.columns)}) "
                        f"REFERENCES {names[key.table]} ({_list(key.references)})"
                    )
            connection.commit()
        except BaseException as error:
            with contextlib.suppress(Exception):
                connection.rollback()
            if feed is not None:
                feed.reraise(error)
            raise


def _postgresql_drop(
    cursor: Any, places: dict[str, tuple[str, str, str | None]], address: Address, overwrite: bool
) -> None:
    there = {t: p for t, p in places.items() if p[2] is not None}
    if not there:
        return
    plain = all(kind in ("r", "p") for _, _, kind in there.values())
    if not overwrite or not plain:
        raise TargetExists(
            f"{address.shown} has tables of these names already: {', '.join(list(there)[:5])}. "
            f"Give another database, or overwrite=True (--overwrite)."
        )
    # In one statement, so that keys between them do not matter.
    names = ", ".join(f"{quoted(s)}.{quoted(n)}" for s, n, _ in there.values())
    cursor.execute(f"DROP TABLE {names}")


def _postgresql_keys(cursor: Any, keys: Keys, table: str) -> None:
    parts = [f"ADD {part}" for part in _constraints(keys, ())]
    parts += [f"ALTER COLUMN {quoted(c)} SET NOT NULL" for c in keys.required]
    if parts:
        cursor.execute(f"ALTER TABLE {table} {', '.join(parts)}")


def _write_folder(
    database: Database,
    to: Path,
    files: str,
    notes: Mapping[str, str],
    overwrite: bool,
    progress: Progress,
) -> None:
    from geurim.write import write

    if files not in SUFFIXES:
        raise SettingError(
            f"Unknown kind of file: {files!r}. Choose one of: {', '.join(SUFFIXES)}."
        )
    for table in database.tables:
        if "/" in table or "\\" in table or table.startswith("."):
            raise SettingError(
                f"The table {table!r} cannot be a file of that name. Write a database instead."
            )
    with whole_folder(to, lambda place: _refuse_folder(place, overwrite)) as folder:
        for table, (schema, batches) in _rows(database, progress, text=_is_text(files)).items():
            source = database.tables[table]
            write(_once(source, schema, batches), folder / f"{table}{files}")
        for name, text in {declare.FILE: declare.written(database.keys), **notes}.items():
            (folder / name).write_text(text, encoding="utf-8")


def _is_text(files: str) -> bool:
    return files in (".csv", ".tsv", ".jsonl", ".ndjson")


def _once(source: Source, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Source:
    return Source(schema=schema, lineage=source.lineage, read=lambda: batches, rows=source.rows)


def _refuse_folder(to: Path, overwrite: bool) -> None:
    """TargetExists unless the folder is free, empty, or holds a database that may be replaced."""
    if to.suffix.lower() in (*SUFFIXES, *_DATABASES) and not to.is_dir():
        raise SettingError(
            f"A whole database goes to a database URL or a folder, and {str(to)!r} is named like "
            f"a file. Write sqlite:///{to} for a database file, or choose the name of a folder."
        )
    if not to.exists():
        return
    if not to.is_dir():
        raise TargetExists(f"{str(to)!r} is a file. Choose the name of a folder.")
    held = {p.name for p in to.iterdir()}
    ours = declare.FILE in held and all(
        n in (declare.FILE, WORLD) or Path(n).suffix in SUFFIXES for n in held
    )
    if held and not (ours and overwrite):
        why = "holds a database already" if ours else "holds other files"
        todo = "Choose another folder, or ask to overwrite." if ours else "Choose another folder."
        raise TargetExists(f"The folder {str(to)!r} {why}: {', '.join(sorted(held)[:3])}. {todo}")
