"""Models of databases as files: what is saved comes back whole, and nothing else is believed."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import sqlite3
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

import geurim
from geurim.cli import main
from geurim.contract import Fitted
from geurim.errors import ModelFileError, SettingError
from geurim.relations import (
    Database,
    FittedDatabase,
    fit_database,
    read_database,
    write_database,
)
from geurim.relations.rows import settle
from relations_databases import circle, flights, link, shop, tenants


def fitted_shop(folder: Path) -> FittedDatabase:
    """Grandchildren, a hierarchy, link tables, composite keys, an empty and a kept table."""
    return fit_database(read_database(shop(folder / "shop.db", customers=150)), keep=["country"],
                        seed=1)  # fmt: skip


def fitted_on(held: Mapping[str, pa.Table], said: Mapping[str, Any]) -> FittedDatabase:
    return fit_database(read_database(held, schema={"tables": said}), seed=1)


MODELS: dict[str, Callable[[Path], FittedDatabase]] = {
    "shop": fitted_shop,
    "references to nothing": lambda _: fitted_on(*flights()),
    "a circle": lambda _: fitted_on(*circle()),
    "keys that overlap": lambda _: fitted_on(*tenants()),
}


@pytest.fixture(scope="module", params=MODELS)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[FittedDatabase, FittedDatabase]:
    """A model, and the same one from its file."""
    folder = tmp_path_factory.mktemp("saved")
    fitted = MODELS[request.param](folder)
    return fitted, geurim.load(geurim.save(fitted, folder / "m.geurim"))


def as_tables(database: Database) -> dict[str, pa.Table]:
    return {n: settle(s) for n, s in database.tables.items()}


def differences(first: Any, second: Any, where: str = "") -> list[str]:
    """Where two objects differ, field by field and value by value."""
    if type(first) is not type(second):
        return [f"{where}: {type(first).__name__}, {type(second).__name__}"]
    if dataclasses.is_dataclass(first):
        pairs = [(f.name, getattr(first, f.name), getattr(second, f.name))
                 for f in dataclasses.fields(first)]  # fmt: skip
    elif isinstance(first, Mapping) and list(first) == list(second):
        pairs = [(k, first[k], second[k]) for k in first]
    elif isinstance(first, tuple | list) and len(first) == len(second):
        pairs = [(i, a, b) for i, (a, b) in enumerate(zip(first, second, strict=True))]
    elif isinstance(first, np.ndarray):
        same = first.dtype == second.dtype and np.array_equal(first, second)
        return [] if same else [where]
    elif isinstance(first, pa.Schema | pa.Table):
        return [] if first.equals(second, check_metadata=True) else [where]
    else:
        return [] if first == second else [where]
    return [d for name, a, b in pairs for d in differences(a, b, f"{where}.{name}")]


def test_a_loaded_model_is_the_saved_one_to_the_last_field(
    pair: tuple[FittedDatabase, FittedDatabase],
) -> None:
    assert differences(*pair) == []


@pytest.mark.parametrize("scale", [0.5, 2])
def test_a_loaded_model_makes_the_same_database(
    pair: tuple[FittedDatabase, FittedDatabase], scale: float
) -> None:
    made, again = (f.sample(scale, seed=4) for f in pair)
    first, second = as_tables(made), as_tables(again)
    assert list(first) == list(second)
    assert all(first[t].equals(second[t], check_metadata=True) for t in first)
    assert (made.keys, made.notes, made.blank) == (again.keys, again.notes, again.blank)
    assert made.lineage == again.lineage


def test_a_field_that_is_not_saved_is_noticed(pair: tuple[FittedDatabase, FittedDatabase]) -> None:
    fitted, found = pair
    name = next(iter(found.models))
    for change in ({"orphans": 0.5}, {"rows": 7}, {"copied": {"a": "b"}}, {"anew": None}):
        changed = replace(found.models[name], **change)
        other = replace(found, models={**found.models, name: changed})
        assert differences(fitted, other)


# The file


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("file") / "m.geurim"
    geurim.save(fitted_on(*flights()), path)
    return path.read_bytes()


def test_the_same_model_gives_the_same_bytes(saved: bytes, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(saved)
    geurim.save(geurim.load(tmp_path / "m"), tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == saved


def test_only_kept_tables_have_their_rows_in_the_file(tmp_path: Path) -> None:
    fitted = fitted_shop(tmp_path)
    geurim.save(fitted, tmp_path / "m.geurim")
    with zipfile.ZipFile(tmp_path / "m.geurim") as archive:
        content = b"".join(archive.read(n) for n in archive.namelist())
    assert b"Land KR" in content
    assert not any(b"user%d@mail" % i in content for i in range(1, 150))
    assert not any(b"Person %d" % i in content for i in range(1, 41))


def test_what_children_repeat_of_their_parent_is_not_in_the_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tier = [f"tier {i:03d}" if i < 50 else "plain" for i in range(150)]
    whose = np.sort(np.append(np.arange(150).repeat(15), rng.integers(0, 150, 400)))
    held = {
        "customer": pa.table({"id": range(150), "lot": [f"lot-{i:03d}-x" for i in range(150)],
                              "tier": tier}),
        "order": pa.table({"id": range(len(whose)), "customer": whose,
                           "ship": [f"lot-{i:03d}-x" for i in whose],
                           "paid": (rng.random(len(whose)) + (whose < 50)).round(2)}),
    }  # fmt: skip
    said = {
        "customer": {"primary_key": ["id"]},
        "order": {"primary_key": ["id"], "foreign_keys": [link("customer", "customer")]},
    }
    fitted = fitted_on(held, said)
    assert fitted.models["order"].copied == {"ship": "lot"}
    geurim.save(fitted, tmp_path / "m.geurim")
    with zipfile.ZipFile(tmp_path / "m.geurim") as archive:
        content = b"".join(archive.read(n) for n in archive.namelist())
    assert b"plain" in content
    assert not [i for i in range(150) if f"lot-{i:03d}-x".encode() in content]
    assert not [i for i in range(50) if f"tier {i:03d}".encode() in content]


def refusal(content: bytes, tmp_path: Path) -> str:
    (tmp_path / "bad.geurim").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"bad\.geurim") as caught:
        geurim.load(tmp_path / "bad.geurim")
    return str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_cut_file_is_refused(saved: bytes, share: float, tmp_path: Path) -> None:
    refusal(saved[: int(share * len(saved))], tmp_path)


def test_a_changed_byte_is_refused_or_changes_nothing(saved: bytes, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "m").write_bytes(saved)
    before, refused = geurim.load(tmp_path / "m"), 0
    for place in rng.integers(0, len(saved), 60):
        changed = bytearray(saved)
        changed[place] ^= 0x55
        (tmp_path / "changed").write_bytes(changed)
        try:
            assert differences(before, geurim.load(tmp_path / "changed")) == []
        except ModelFileError:
            refused += 1
    assert refused > 40


def rewritten(content: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """A file whose manifest was changed on purpose, with a digest that fits."""
    sink = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        manifest = json.loads(old.read("manifest.json"))
        change(manifest)
        head = json.dumps(manifest).encode()
        new.writestr("manifest.json", head)
        for name in old.namelist():
            if name != "manifest.json":
                new.writestr(name, old.read(name))
        new.comment = hashlib.sha256(head).hexdigest().encode()
    return sink.getvalue()


@pytest.mark.parametrize("part", ["lineage", "state", "arrays", "generator"])
@pytest.mark.parametrize("value", [None, 7, "x", [], {}])
def test_a_foreign_part_is_refused(part: str, value: Any, saved: bytes, tmp_path: Path) -> None:
    refusal(rewritten(saved, lambda m: m.update({part: value})), tmp_path)


@pytest.mark.parametrize("part", ["schema", "keys", "links", "profile", "anew", "learned"])
def test_a_foreign_table_is_refused(part: str, saved: bytes, tmp_path: Path) -> None:
    def lie(manifest: dict[str, Any]) -> None:
        manifest["state"]["tables"][0][part] = "x"

    refusal(rewritten(saved, lie), tmp_path)


# Where a model of rows is needed


def test_the_model_of_a_table_is_loaded_as_ever(tmp_path: Path) -> None:
    fitted = geurim.fit(pa.table({"a": range(50)}), seed=1)
    assert isinstance(geurim.load(geurim.save(fitted, tmp_path / "t")), Fitted)


def test_steps_for_one_table_refuse_the_model_of_a_database() -> None:
    fitted: Any = fitted_on(*circle())
    with pytest.raises(SettingError, match=r"FittedDatabase.*own sample\(scale\)"):
        geurim.sample(fitted, 10)
    with pytest.raises(SettingError, match="FittedDatabase was given"):
        geurim.impute(pa.table({"a": [1, None]}), fitted)


# The command line


def run(*words: str | Path, code: int = 0) -> str:
    """What a command says, on both channels, in one line."""
    done = CliRunner().invoke(main, [str(w) for w in words])
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with shop.db, shop.geurim and, of one of its tables, line.geurim."""
    folder = tmp_path_factory.mktemp("models")
    shop(folder / "shop.db", customers=80)
    fit = ("fit", folder / "shop.db", "--seed", "7", "-o")
    said = run(*fit, folder / "shop.geurim", "--keep", "country")
    assert "kept as it is" in said and "real rows of the kept tables: country." in said
    assert "photo" in said and "--keep tag" in said and "learned from 11 tables" in said
    run(*fit, folder / "line.geurim", "--table", "line")
    return folder


def test_fit_then_sample_makes_the_database_that_generate_makes(models: Path) -> None:
    twin, seeds = models / "twin.db", ("--seed", "7", "--scale", "2")
    said = run("sample", models / "shop.geurim", *seeds, "-o", f"sqlite:///{twin}")
    assert "product 150 300" in said and "11 tables" in said and "kept as it is" in said
    once = f"sqlite:///{models}/once.db"
    CliRunner().invoke(main, ["generate", str(models / "shop.db"), "-o", once, "--keep", "country",
                              *seeds])  # fmt: skip
    first, second = (as_tables(read_database(models / f"{n}.db")) for n in ("twin", "once"))
    assert len(first) == 11 and all(first[t].equals(second[t]) for t in first)
    with sqlite3.connect(twin) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


@pytest.mark.parametrize("form", ["folder", "duckdb"])
def test_a_sampled_database_goes_where_generated_ones_go(
    form: str, models: Path, tmp_path: Path
) -> None:
    to = str(tmp_path / "twin")
    if form == "duckdb":
        pytest.importorskip("duckdb")
        to = f"duckdb:///{tmp_path}/twin.duckdb"
    sample = ("sample", models / "shop.geurim", "--seed", "7", "-o", to)
    run(*sample)
    back = read_database(to)
    assert back.tables["product"].rows == 150
    assert back.of("parcel").foreign[0].columns == ("order_id", "no")
    assert "verwrite" in run(*sample, code=2)
    run(*sample, "--overwrite")


@pytest.mark.parametrize(
    "model,option,told",
    [
        ("shop", ("--rows", "10"), "--rows cannot be used with the model of a whole database"),
        ("shop", ("--where", "x > 1"), "--where cannot be used with the model of a whole database"),
        ("shop", ("--given", "x.csv"), "--given cannot be used with the model of a whole"),
        ("shop", ("--balance", "x=uniform"), "--balance cannot be used with the model of a whole"),
        ("shop", ("--workers", "2"), "give --scale"),
        ("shop", ("--to-table", "t"), "give --scale"),
        ("shop", ("--scale", "0"), "--scale"),
        ("line", ("--scale", "2"), "--scale cannot be used with the model of one table: give"),
        ("line", (), "Give --rows"),
    ],
)
def test_what_a_model_cannot_do_is_refused_with_what_to_do(
    model: str, option: tuple[str, ...], told: str, models: Path, tmp_path: Path
) -> None:
    to = f"sqlite:///{tmp_path}/x.db"
    assert told in run("sample", models / f"{model}.geurim", *option, "-o", to, code=2)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "options,told",
    [
        (("--generator", "copula"), "--generator cannot be used for a whole database: name a"),
        (("--time", "day"), "--time cannot be used for a whole database"),
        (("--constraint", "found"), "--constraint cannot be used for a whole database"),
        (("--table", "line", "--keep", "tag"), "--keep cannot be used but for a database of"),
        (("--keep", "nothing"), "There is no table 'nothing' to keep"),
    ],
)
def test_what_fit_cannot_do_is_refused_and_leaves_nothing(
    options: tuple[str, ...], told: str, models: Path, tmp_path: Path
) -> None:
    model = tmp_path / "m.geurim"
    assert told in run("fit", models / "shop.db", *options, "-o", model, code=2)
    assert not list(tmp_path.iterdir())


def test_dangling_references_are_refused_or_kept_as_fit_is_told(tmp_path: Path) -> None:
    held, said = flights()
    data, model = tmp_path / "air", tmp_path / "air.geurim"
    write_database(read_database(held, schema={"tables": said}), data)
    assert "flight.plane" in run("fit", data, "--dangling", "refuse", "-o", model, code=2)
    assert "name no row of plane" in run("fit", data, "--seed", "1", "-o", model)
    run("sample", model, "--seed", "2", "-o", tmp_path / "twin")
    assert read_database(tmp_path / "twin").tables["bag"].rows


def test_the_only_table_of_a_database_is_learned_as_a_table(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "one.db") as connection:
        connection.execute("CREATE TABLE t (a INTEGER)")
        connection.executemany("INSERT INTO t VALUES (?)", [(i % 7,) for i in range(80)])
    connection.close()
    run("fit", tmp_path / "one.db", "-o", tmp_path / "one.geurim")
    assert isinstance(geurim.load(tmp_path / "one.geurim"), Fitted)


def test_a_database_never_goes_into_a_folder_named_like_a_file(
    models: Path, tmp_path: Path
) -> None:
    for name in ("twin.db", "twin.sqlite", "twin.parquet"):
        said = run("sample", models / "shop.geurim", "-o", tmp_path / name, code=2)
        assert "sqlite:///" in said and "folder" in said
    assert not list(tmp_path.iterdir())


def test_a_database_that_cannot_be_opened_is_named(models: Path, tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"SQLite format 3\0 and no more")
    assert "x.db" in run("fit", tmp_path / "x.db", "-o", tmp_path / "m", code=2)
    sample = ("sample", models / "shop.geurim", "-o")
    assert "x.db" in run(*sample, f"sqlite:///{tmp_path}/x.db", code=2)
