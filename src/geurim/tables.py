"""Rows into a database table, in one transaction."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from geurim import render
from geurim.contract import Progress, Source
from geurim.convert import check_names
from geurim.databases import (
    Address,
    duckdb_tables,
    fail,
    open_duckdb,
    open_postgresql,
    parse,
    quoted,
)
from geurim.errors import DataError, GeurimError, NotFound, SettingError, TargetExists
from geurim.write import counted


def write_table(
    source: Source, url: str, table: str | None, overwrite: bool, progress: Progress
) -> str:
    """Write a Source to a table; an existing one is replaced only with `overwrite`, at commit."""
    address = parse(url)
    if not table:
        raise SettingError(f"Which table of {address.shown} is to be written? Give table='…'.")
    check_names(source.schema.names, "The table to write")
    for name in (table, *source.schema.names):
        quoted(name)
    for found in source.schema:
        if pa.types.is_nested(found.type):
            raise DataError(f"Column {found.name!r} holds nested values. Write Parquet instead.")
    batches = counted(source, progress)
    engine = {"sqlite": _sqlite, "duckdb": _duckdb, "postgresql": _postgresql}[address.engine]
    problem: BaseException
    try:
        engine(address, table, source, batches, overwrite)
        return f"{address.shown} table {table}"
    except GeurimError:
        raise
    except Exception as error:
        problem = error
    raise fail(address, "be written", problem)


def table_exists(table: str, address: Address) -> TargetExists:
    return TargetExists(
        f"{address.shown} has a table {table!r} already. Give another name, or overwrite=True "
        f"(--overwrite)."
    )


@contextlib.contextmanager
def _new_file(address: Address) -> Iterator[Path]:
    """The database file; one that was not there before is removed again on an error."""
    path = Path(address.path)
    if not path.parent.is_dir():
        raise NotFound(f"There is no folder {str(path.parent)!r} to write to. Make it first.")
    new = not path.exists()
    try:
        yield path
    except BaseException:
        if new:
            for name in (path.name, f"{path.name}-journal", f"{path.name}-wal", f"{path.name}.wal"):
                path.with_name(name).unlink(missing_ok=True)
        raise


def _sqlite(
    address: Address,
    table: str,
    source: Source,
    batches: Iterator[pa.RecordBatch],
    overwrite: bool,
) -> None:
    import sqlite3

    with _new_file(address) as path:
        uri = f"file:{quote(str(path.resolve()))}"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                _sqlite_make(connection, address, table, source.schema, overwrite)
                marks = ", ".join("?" * len(source.schema))
                insert = f"INSERT INTO {quoted(table)} VALUES ({marks})"
                kinds = {f.name: sqlite_arrow(f.type) for f in source.schema}
                for batch in batches:
                    batch = safely(batch, pa.schema(list(kinds.items())))
                    columns = [
                        sqlite_values(a, f)
                        for a, f in zip(batch.columns, source.schema, strict=True)
                    ]
                    connection.executemany(insert, zip(*columns, strict=True))
                connection.execute("COMMIT")
            except BaseException:
                # A full disk rolls back by itself.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise


def _sqlite_make(
    connection: Any, address: Address, table: str, schema: pa.Schema, overwrite: bool
) -> None:
    found = connection.execute(
        "SELECT type, name FROM sqlite_master WHERE lower(name) = lower(?)", (table,)
    ).fetchone()
    if found is not None:
        if not overwrite or found[0] != "table":
            raise table_exists(table, address)
        connection.execute(f"DROP TABLE {quoted(found[1])}")
    columns = ", ".join(f"{quoted(f.name)} {sqlite_type(f)}" for f in schema)
    connection.execute(f"CREATE TABLE {quoted(table)} ({columns})")


def sqlite_arrow(kind: pa.DataType) -> pa.DataType:
    return pa.int64() if pa.types.is_uint64(kind) else kind


def sqlite_type(found: pa.Field) -> str:
    kind = found.type
    decimals = (found.metadata or {}).get(b"geurim.decimals")
    if pa.types.is_boolean(kind):
        return "BOOLEAN"
    if pa.types.is_integer(kind):
        return "INTEGER"
    if pa.types.is_floating(kind):
        return f"DECIMAL(18,{decimals.decode()})" if decimals else "REAL"
    if pa.types.is_date(kind):
        return "DATE"
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP"
    if "binary" in str(kind):
        return "BLOB"
    return "TIME" if pa.types.is_time(kind) else "TEXT"


def sqlite_values(values: pa.Array, found: pa.Field) -> list[Any]:
    kind = found.type
    simple = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    if simple or pa.types.is_string(kind) or "binary" in str(kind):
        return list(values.to_pylist())
    # A declared DATE or TIME has numeric affinity, which leaves ISO text as it is.
    plain = found.remove_metadata()
    return list(render.shown(values, plain).to_pylist())


def _duckdb(
    address: Address,
    table: str,
    source: Source,
    batches: Iterator[pa.RecordBatch],
    overwrite: bool,
) -> None:
    with _new_file(address) as path, closing(open_duckdb(str(path), read_only=False)) as connection:
        there = [t for t in duckdb_tables(connection) if t.lower() == table.lower()]
        if there and not overwrite:
            raise table_exists(table, address)
        feed = Feed(batches, {f.name: f.type for f in source.schema})
        connection.execute("BEGIN")
        try:
            if there:
                connection.execute(f"DROP TABLE {quoted(there[0])}")
            connection.register("geurim_rows", feed.reader)
            connection.execute(f"CREATE TABLE {quoted(table)} AS SELECT * FROM geurim_rows")
            connection.execute("COMMIT")
        except BaseException as error:
            with contextlib.suppress(Exception):
                connection.execute("ROLLBACK")
            feed.reraise(error)
            raise


def safely(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch in the types of `schema`; DataError where a value would not stay what it is."""
    arrays = []
    for values, found in zip(batch.columns, schema, strict=True):
        try:
            arrays.append(values if values.type == found.type else values.cast(found.type))
        except pa.ArrowInvalid as error:
            raise DataError(
                f"Column {found.name!r} does not fit into a table: {error}. Write Parquet, or "
                f"make the column coarser."
            ) from error
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


class Feed:
    """Batches for a driver that pulls them, which would hide what went wrong in making them."""

    def __init__(self, batches: Iterator[pa.RecordBatch], kinds: dict[str, pa.DataType]) -> None:
        self._failure: BaseException | None = None
        plain = pa.schema(list(kinds.items()))
        self.reader = pa.RecordBatchReader.from_batches(plain, self._pull(batches, plain))

    def _pull(
        self, batches: Iterator[pa.RecordBatch], plain: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        try:
            for batch in batches:
                yield safely(batch, plain)
        except BaseException as error:
            self._failure = error
            raise

    def reraise(self, error: BaseException) -> None:
        """Raise what went wrong in making the rows, if anything did."""
        if self._failure is not None and self._failure is not error:
            raise self._failure


def _postgresql(
    address: Address,
    table: str,
    source: Source,
    batches: Iterator[pa.RecordBatch],
    overwrite: bool,
) -> None:
    feed = Feed(batches, {f.name: postgresql_type(f.type) for f in source.schema})
    with closing(open_postgresql(address)) as connection, closing(connection.cursor()) as cursor:
        try:
            schema, name, there = postgresql_place(cursor, table)
            if there is not None:
                if not overwrite or there not in ("r", "p"):
                    raise table_exists(table, address)
                cursor.execute(f"DROP TABLE {quoted(schema)}.{quoted(name)}")
            cursor.adbc_ingest(name, feed.reader, mode="create", db_schema_name=schema)
            connection.commit()
        except BaseException as error:
            with contextlib.suppress(Exception):
                connection.rollback()
            feed.reraise(error)
            raise


def postgresql_type(kind: pa.DataType) -> pa.DataType:
    """The type that the driver writes without changing a value in silence."""
    if pa.types.is_uint64(kind):
        return pa.decimal128(20, 0)
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return pa.timestamp("us", kind.tz)
    return kind


def postgresql_place(cursor: Any, table: str) -> tuple[str, str, str | None]:
    """Schema and name of a table, and the kind of relation that stands there already."""
    cursor.execute("SELECT current_schema()::text, array_to_string(current_schemas(false), ',')")
    schema, name = str(cursor.fetchone()[0]), table
    if re.search(r"[^.]\.[^.]", table):
        first, _, rest = table.partition(".")
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = $1", (first,))
        if cursor.fetchone() is not None:
            schema, name = first, rest
    cursor.execute(
        "SELECT c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = $1 AND c.relname = $2",
        (schema, name),
    )
    row = cursor.fetchone()
    return schema, name, None if row is None else str(row[0])
