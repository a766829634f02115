"""Models of databases as files: what is saved comes back whole, and nothing else is believed."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import geurim
from geurim.contract import Fitted
from geurim.errors import ModelFileError
from geurim.relations import Database, FittedDatabase, fit_database, read_database
from geurim.relations.rows import settle
from relations_databases import circle, flights, shop, tenants


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
