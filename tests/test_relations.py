"""Whole databases: keys are read or found, every key holds in what is made, links survive."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geurim.contract import Event
from geurim.errors import DataError, GeurimError, NotFound, SchemaError, SettingError
from geurim.relations import (
    Database,
    FittedDatabase,
    fit_database,
    read_database,
    references,
)
from geurim.relations.rows import DANGLING, NONE, is_unique, settle
from relations_databases import circle, flights, link, shop, tenants


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Database:
    return read_database(shop(tmp_path_factory.mktemp("shop") / "shop.db"))


@pytest.fixture(scope="module")
def fitted(real: Database) -> FittedDatabase:
    return fit_database(real, keep=["country"], seed=1)


def tables(database: Database) -> dict[str, pa.Table]:
    return {n: settle(s) for n, s in database.tables.items()}


def broken(database: Database) -> list[str]:
    """Every key that does not hold."""
    held = tables(database)
    found = [
        f"{t}.{k.text}"
        for (t, k), index in references(database, held).items()
        if (index == DANGLING).sum() > k.dangling
    ]
    for table, keys in database.keys.items():
        for key in keys.sets:
            if held[table].num_rows and not is_unique([held[table][c] for c in key]):
                found.append(f"{table} {key}")
        for column in keys.required:
            if held[table][column].null_count:
                found.append(f"{table}.{column} is missing")
    return found


def index_of(database: Database, table: str, parent: str) -> np.ndarray:
    held = tables(database)
    found = references(database, held)
    return next(i for (t, k), i in found.items() if t == table and k.table == parent)


# Keys


def test_declared_keys_of_every_kind_are_read(real: Database) -> None:
    line, parcel = real.of("line"), real.of("parcel")
    assert line.primary == ("order_id", "no") and real.of("customer").unique == (("email",),)
    assert parcel.foreign[0].columns == ("order_id", "no") == parcel.foreign[0].references
    assert real.of("staff").foreign[0].table == "staff"
    assert "segment" in real.of("customer").required
    assert "agent" not in real.of("customer").required
    assert real.tables["empty"].rows == 0
    assert [f.name for f in real.blank["customer"]] == ["photo"]
    assert any("'photo'" in n for n in real.notes)


def test_keys_that_nobody_declared_are_found_and_the_reason_is_told(real: Database) -> None:
    held = {n: t for n, t in tables(real).items() if t.num_rows and n != "parcel"}
    held["order"] = held["order"].rename_columns(
        ["id", "customer_id", "day", "ship_city", "express"]
    )
    found = read_database(held)
    assert found.of("customer").primary == ("id",) and found.of("product").primary == ("sku",)
    text = {f"{t}: {k.text}" for t, own in found.keys.items() for k in own.foreign}
    assert text >= {
        "order: customer_id -> customer(id)", "line: order_id -> order(id)",
        "line: sku -> product(sku)", "product_tag: sku -> product(sku)",
        "product_tag: tag -> tag(id)", "staff: boss -> staff(id)",
        "customer: country -> country(code)",
    }  # fmt: skip
    assert not any(k.columns in [("no",), ("quantity",)] for k in found.of("line").foreign)
    assert found.of("product_tag").primary == ("sku", "tag")
    assert all(k.why for own in found.keys.values() for k in own.foreign)


def test_a_schema_overrides_what_is_found_and_bad_ones_are_refused() -> None:
    held = {"a": pa.table({"id": [1, 2, 3]}), "b": pa.table({"x": [1, 1, 3], "y": [7, 8, 9]})}
    link = {"columns": ["x"], "table": "a", "references": ["id"]}
    said: dict[str, Any] = {"tables": {"b": {"primary_key": ["y"], "foreign_keys": [link]}}}
    found = read_database(held, schema=said)
    assert found.of("b").primary == ("y",) and found.of("b").foreign[0].table == "a"
    for wrong, match in [
        ({"tables": {"c": {}}}, "'c'"),
        ({"tables": {"b": {"primary_key": ["z"]}}}, "'z'"),
        ({"tables": {"b": {"foreign_key": []}}}, "Did you mean 'foreign_keys'"),
        ({"tables": {"b": {"foreign_keys": [{"columns": ["x"]}]}}}, "references"),
        ({"columns": {}}, r"\[tables.NAME\]"),
    ]:
        with pytest.raises(SchemaError, match=match):
            read_database(held, schema=wrong)


# What is made


@pytest.mark.parametrize("scale", [0.1, 1, 3])
def test_every_key_holds_at_any_scale(fitted: FittedDatabase, scale: float) -> None:
    made = fitted.sample(scale, seed=2)
    assert broken(made) == []
    for table, model in fitted.models.items():
        rows = made.tables[table].rows or 0
        if table == "country":
            assert rows == 4
        elif model.rows and (table, scale) != ("product_tag", 0.1):  # one tag: few pairs
            expected = scale * model.rows
            assert abs(rows - expected) <= max(0.1 * expected, 6), (table, rows, expected)


def test_the_same_seed_gives_the_same_database(fitted: FittedDatabase) -> None:
    first, again, other = (tables(fitted.sample(0.3, seed=s)) for s in (5, 5, 6))
    assert all(first[t].equals(again[t]) for t in first)
    assert not first["order"].equals(other["order"])


def test_no_real_key_or_email_comes_out_but_of_kept_tables(
    real: Database, fitted: FittedDatabase
) -> None:
    before, after = tables(real), tables(fitted.sample(seed=3))
    assert after["country"].equals(before["country"])
    for table, column in [("customer", "email"), ("product", "sku"), ("customer", "id")]:
        there = pc.is_in(
            after[table][column].combine_chunks(), before[table][column].combine_chunks()
        )
        assert not pc.any(there).as_py(), (table, column)


def test_counts_of_children_follow_the_real_ones_and_the_parent(
    real: Database, fitted: FittedDatabase
) -> None:
    made = fitted.sample(seed=4)
    means = {}
    for name, database in (("real", real), ("made", made)):
        held = tables(database)
        index = index_of(database, "order", "customer")
        count = np.bincount(index, minlength=held["customer"].num_rows)
        gold = np.array(held["customer"]["segment"]) == "gold"
        means[name] = count[gold].mean(), count[~gold].mean(), (count == 0).mean()
    assert means["real"][0] > 5 > 2 > means["real"][1]
    for before, after in zip(means["real"], means["made"], strict=True):
        assert abs(before - after) < 0.35 * before + 0.05, means


def test_columns_keep_their_links_across_tables(real: Database, fitted: FittedDatabase) -> None:
    made = fitted.sample(seed=5)
    express, prices = {}, {}
    for name, database in (("real", real), ("made", made)):
        held = tables(database)
        gold = np.array(held["customer"]["segment"])[index_of(database, "order", "customer")]
        flag = np.array(held["order"]["express"])
        express[name] = flag[gold == "gold"].mean() - flag[gold != "gold"].mean()
        kind = np.array(held["product"]["kind"])[index_of(database, "line", "product")]
        paid = np.array(held["line"]["paid"], float)
        prices[name] = paid[kind == "tool"].mean() / paid[kind == "book"].mean()
    assert express["real"] > 0.5 and abs(express["made"] - express["real"]) < 0.15
    assert prices["real"] > 4 and prices["made"] > 0.6 * prices["real"]  # through a second parent


def test_line_numbers_copied_columns_and_one_to_one_links(
    real: Database, fitted: FittedDatabase
) -> None:
    made = fitted.sample(seed=6)
    held = tables(made)
    lines = held["line"]
    order, no = np.array(lines["order_id"]), np.array(lines["no"])
    assert all(set(no[order == o]) == set(range(1, (order == o).sum() + 1)) for o in order[:200])
    index = index_of(made, "order", "customer")
    assert np.array_equal(
        np.array(held["order"]["ship_city"]), np.array(held["customer"]["city"])[index]
    )
    assert np.bincount(index_of(made, "passport", "customer")).max() == 1


def test_a_hierarchy_has_one_top_and_no_circle(fitted: FittedDatabase) -> None:
    made = fitted.sample(2, seed=7)
    up = index_of(made, "staff", "staff")
    assert (up == NONE).any()
    for _ in range(10):
        up = np.where(up >= 0, up[np.maximum(up, 0)], up)
    assert (up == NONE).all()


def test_optional_links_are_missing_as_often_as_really(
    real: Database, fitted: FittedDatabase
) -> None:
    share = [
        (index_of(d, "customer", "staff") == NONE).mean() for d in (real, fitted.sample(seed=8))
    ]
    assert 0.2 < share[0] < 0.4 and abs(share[0] - share[1]) < 0.1


def test_what_a_kept_table_names_is_kept_as_well(real: Database) -> None:
    made = fit_database(real, keep=["product_tag", "customer"], seed=1).sample(0.5, seed=2)
    before, after = tables(real), tables(made)
    assert broken(made) == []
    for table in ("product_tag", "product", "tag", "customer", "country", "staff"):
        assert after[table].equals(before[table])
    assert not after["order"].equals(before["order"])
    assert any(n.startswith("product: kept as it is as well") for n in made.notes)


def test_progress_is_told_and_notes_name_what_is_not_learned(real: Database) -> None:
    met: list[Event] = []
    fitted = fit_database(real, seed=1, progress=met.append)
    made = fitted.sample(0.1, seed=1, progress=met.append)
    assert {"fit", "sample"} <= {e.step for e in met}
    assert any("photo" in n for n in made.notes) and made.lineage.depth == 1
    assert made.lineage.seed == 1
    assert "country" in fitted.suggested and "customer" not in fitted.suggested


def test_wrong_settings_are_refused(real: Database, fitted: FittedDatabase) -> None:
    with pytest.raises(NotFound, match=r"'land'.*country"):
        fit_database(real, keep=["land"])
    with pytest.raises(SettingError, match="keep, drop, refuse"):
        fit_database(real, dangling="hide")
    for scale in (0, -1, float("nan")):
        with pytest.raises(SettingError, match="above 0"):
            fitted.sample(scale)
    with pytest.raises(DataError, match="no tables"):
        read_database({})


# Odd shapes


def made_of(held: Mapping[str, pa.Table], said: Mapping[str, Any], scale: float = 1) -> Database:
    return fit_database(read_database(held, schema={"tables": said}), seed=1).sample(scale, seed=2)


def test_tables_on_a_circle_are_made_and_joined() -> None:
    held, said = circle()
    made = made_of(held, said, 2)
    assert broken(made) == []
    head = index_of(made, "unit", "person")
    assert 0.2 < (head == NONE).mean() < 0.5 and (head >= 0).any()


def test_keys_that_overlap_stay_with_their_tenant() -> None:
    held, said = tenants()
    made = made_of(held, said)
    assert broken(made) == []
    assert abs((made.tables["tasks"].rows or 0) - 600) < 60


def test_references_to_nothing_are_kept_dropped_or_refused_as_told() -> None:
    held, said = flights()
    database = read_database(held, schema={"tables": said})
    lost = int((index_of(database, "flight", "plane") == DANGLING).sum())
    assert lost > 50
    with pytest.raises(DataError, match=rf"flight.plane -> plane\(id\) in {lost} rows"):
        fit_database(database, dangling="refuse")
    kept = fit_database(database, seed=1)
    assert any(f"{lost} of 500" in n for n in kept.notes)
    made = kept.sample(seed=2)
    share = (index_of(made, "flight", "plane") == DANGLING).mean()
    assert abs(share - lost / 500) < 0.08 and broken(made) == []
    assert made.of("flight").foreign[0].dangling > 0
    values = set(made.tables["flight"].to_arrow()["plane"].to_pylist())
    assert not values & set(held["plane"]["id"].to_pylist())
    dropped = fit_database(database, dangling="drop", seed=1)
    made = dropped.sample(seed=2)
    assert (index_of(made, "flight", "plane") >= 0).all() and broken(made) == []
    assert abs((made.tables["flight"].rows or 0) - (500 - lost)) < 40
    assert any("left out" in n for n in made.notes)


def test_a_link_table_that_is_nearly_full_stays_unique() -> None:
    pairs = [(a, b) for a in range(25) for b in range(6) if (a + b) % 7]
    held = {
        "a": pa.table({"id": range(25)}),
        "b": pa.table({"id": range(6)}),
        "ab": pa.table({"a": [p[0] for p in pairs], "b": [p[1] for p in pairs]}),
    }
    said = {
        "a": {"primary_key": ["id"]},
        "b": {"primary_key": ["id"]},
        "ab": {"primary_key": ["a", "b"], "foreign_keys": [link("a", "a"), link("b", "b")]},
    }
    for scale in (0.2, 1, 4):
        assert broken(made_of(held, said, scale)) == []


@given(
    seed=st.integers(0, 10_000),
    parents=st.integers(1, 60),
    children=st.integers(1, 200),
    missing=st.sampled_from([0.0, 0.3, 1.0]),
    scale=st.sampled_from([0.3, 1.0, 2.5]),
    text=st.booleans(),
)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_keys_hold_whatever_the_shape(
    seed: int, parents: int, children: int, missing: float, scale: float, text: bool
) -> None:
    rng = np.random.default_rng(seed)
    key = [f"k'{i}\"" if text else i * 3 for i in range(parents)]
    other = rng.integers(0, parents, children)
    gone = rng.random(children) < missing
    held = {
        "p \"1\"": pa.table({"row": key, "row'": rng.random(parents)}),
        "c": pa.table({
            "": pa.array([None if g else key[i] for i, g in zip(other, gone, strict=True)],
                         pa.string() if text else pa.int64()),
            "c:x": rng.integers(0, 3, children), "1:c:x": rng.random(children),
            "up": pa.array([None if i == 0 else int(rng.integers(i)) for i in range(children)]),
            "id": range(children),
        }),
    }  # fmt: skip
    held["c"] = held["c"].rename_columns(["p", *held["c"].column_names[1:]])
    said = {
        "p \"1\"": {"primary_key": ["row"]},
        "c": {"primary_key": ["id"], "foreign_keys": [link("p", 'p "1"', "row"), link("up", "c")]},
    }  # fmt: skip
    made = made_of(held, said, scale)
    assert broken(made) == []
    assert all(s.rows == settle(s).num_rows and s.rows for s in made.tables.values())


def test_a_database_of_one_row_each_is_made() -> None:
    held = {"a": pa.table({"id": [1], "x": ["y"]}), "b": pa.table({"a": [1]})}
    said = {"a": {"primary_key": ["id"]}, "b": {"foreign_keys": [link("a", "a")]}}
    made = made_of(held, said)
    assert broken(made) == [] and made.tables["b"].rows == 1


def test_errors_of_reading_have_three_parts(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="Check the path"):
        read_database(tmp_path / "nothing")
    with pytest.raises(DataError, match="Put a file for each table"):
        read_database(tmp_path)
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SettingError, match="one file, not a database"):
        read_database(tmp_path / "x.csv")
    (tmp_path / "x.parquet").write_bytes(b"PAR1 broken")
    with pytest.raises(GeurimError, match=r"x\.(csv|parquet)"):
        read_database(tmp_path)


def test_a_view_is_no_table_and_a_key_to_a_lost_table_joins_nothing(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.executescript(
            "CREATE TABLE t (a INTEGER PRIMARY KEY, b INTEGER REFERENCES gone (id));"
            "INSERT INTO t VALUES (1, 2), (2, 3); CREATE VIEW v AS SELECT * FROM t;"
        )
    connection.close()
    found = read_database(tmp_path / "x.db")
    assert list(found.tables) == ["t"] and found.of("t").foreign == ()
    assert found.of("t").primary == ("a",)
