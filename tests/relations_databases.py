"""Databases made for the tests: a shop with keys of every kind, and links that must survive."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

DDL = """
CREATE TABLE country (code TEXT PRIMARY KEY, name TEXT NOT NULL, vat REAL NOT NULL);
CREATE TABLE staff (id INTEGER PRIMARY KEY, name TEXT, level TEXT NOT NULL,
                    boss INTEGER REFERENCES staff (id));
CREATE TABLE customer (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, segment TEXT NOT NULL,
                       city TEXT, country TEXT NOT NULL REFERENCES country (code),
                       agent INTEGER REFERENCES staff (id), photo BLOB);
CREATE TABLE product (sku TEXT PRIMARY KEY, kind TEXT NOT NULL, price NUMERIC(10,2) NOT NULL);
CREATE TABLE tag (id INTEGER PRIMARY KEY, word TEXT NOT NULL);
CREATE TABLE product_tag (sku TEXT NOT NULL REFERENCES product (sku),
                          tag INTEGER NOT NULL REFERENCES tag (id), PRIMARY KEY (sku, tag));
CREATE TABLE "order" (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customer (id),
                      day DATE NOT NULL, ship_city TEXT, express BOOLEAN NOT NULL);
CREATE TABLE line (order_id INTEGER NOT NULL REFERENCES "order" (id), no INTEGER NOT NULL,
                   sku TEXT NOT NULL REFERENCES product (sku), quantity INTEGER NOT NULL,
                   paid NUMERIC(10,2) NOT NULL, PRIMARY KEY (order_id, no));
CREATE TABLE parcel (order_id INTEGER NOT NULL, no INTEGER NOT NULL, weight REAL NOT NULL,
                     FOREIGN KEY (order_id, no) REFERENCES line (order_id, no));
CREATE TABLE passport (customer INTEGER PRIMARY KEY REFERENCES customer (id),
                       kind TEXT NOT NULL);
CREATE TABLE empty (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customer (id));
"""
TABLES = [
    *("country", "staff", "customer", "product", "tag", "product_tag"),
    *("order", "line", "parcel", "passport", "empty"),
]


def rows(seed: int = 1, customers: int = 300) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of every table. Gold customers order often, and pay a little less."""
    rng = np.random.default_rng(seed)
    made: dict[str, list[tuple[Any, ...]]] = {t: [] for t in TABLES}
    made["country"] = [
        (c, f"Land {c}", v) for c, v in zip(["KR", "US", "DE", "FR"], [10, 0, 19, 20], strict=True)
    ]
    for i in range(1, 41):
        boss = None if i == 1 else 1 if i < 8 else int(rng.integers(2, 8))
        level = "head" if i == 1 else "lead" if i < 8 else "agent"
        made["staff"].append((i, f"Person {i}", level, boss))
    for i in range(150):
        kind = ["book", "film", "tool"][i % 3]
        price = {"book": 12, "film": 20, "tool": 80}[kind] * float(rng.uniform(0.8, 1.2))
        made["product"].append((f"{kind[0].upper()}-{1000 + i}", kind, round(price, 2)))
    made["tag"] = [(i, f"tag {i}") for i in range(1, 13)]
    for sku, _, _ in made["product"]:
        for tag in rng.choice(12, rng.integers(0, 5), replace=False):
            made["product_tag"].append((sku, int(tag) + 1))
    number = 0
    for i in range(1, customers + 1):
        gold = rng.random() < 0.3
        city = str(rng.choice(["Seoul", "Busan", "Berlin", "Paris", "Boston", "Austin"]))
        land = {"S": "KR", "B": "DE", "P": "FR", "A": "US"}[city[0]]
        agent = int(rng.integers(8, 41)) if rng.random() < 0.7 else None
        segment = "gold" if gold else "plain"
        made["customer"].append(
            (i, f"user{i}@mail{i % 7}.test", segment, city, land, agent, b"\x01\x02")
        )
        if rng.random() < 0.5:
            made["passport"].append((i, "diplomatic" if gold else "plain"))
        for _ in range(int(rng.poisson(6 if gold else 1))):
            number += 1
            day = f"2024-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d}"
            made["order"].append(
                (number, i, day, city, bool(rng.random() < (0.8 if gold else 0.1)))
            )
            for no in range(1, int(rng.integers(1, 5)) + 1):
                sku, _, price = made["product"][int(rng.integers(150))]
                amount = int(rng.integers(1, 4))
                paid = round(price * amount * (0.9 if gold else 1.0), 2)
                made["line"].append((number, no, sku, amount, paid))
                if rng.random() < 0.6:
                    made["parcel"].append((number, no, round(float(rng.gamma(2, 1)), 3)))
    return made


def shop(path: Path, seed: int = 1, customers: int = 300) -> Path:
    """A SQLite file with the shop in it."""
    connection = sqlite3.connect(path)
    connection.executescript(DDL)
    for table, found in rows(seed, customers).items():
        if found:
            marks = ", ".join("?" * len(found[0]))
            connection.executemany(f'INSERT INTO "{table}" VALUES ({marks})', found)
    connection.commit()
    connection.close()
    return path


Held = dict[str, pa.Table]
Said = dict[str, Any]


def link(column: str, parent: str, key: str = "id") -> dict[str, Any]:
    return {"columns": [column], "table": parent, "references": [key]}


def circle() -> tuple[Held, Said]:
    """Units with a head, who is a person of some unit."""
    n = 60
    rng = np.random.default_rng(0)
    heads = [int(rng.integers(200)) if i % 3 else None for i in range(n)]
    held = {
        "unit": pa.table({"id": range(n), "head": pa.array(heads)}),
        "person": pa.table({"id": range(200), "unit": rng.integers(0, n, 200)}),
    }  # fmt: skip
    said = {
        "unit": {"primary_key": ["id"], "foreign_keys": [link("head", "person")]},
        "person": {"primary_key": ["id"], "foreign_keys": [link("unit", "unit")]},
    }
    return held, said


def tenants() -> tuple[Held, Said]:
    """Keys of two columns that overlap in the tenant."""
    rng = np.random.default_rng(0)
    users = [(t, u) for t in range(30) for u in range(8)]
    projects = [(t, p) for t in range(30) for p in range(5)]
    tasks = [(t, int(rng.integers(8)), int(rng.integers(5))) for t in rng.integers(0, 30, 600)]
    names = [("tenant", "user"), ("tenant", "project"), ("tenant", "user", "project")]
    held = {
        n: pa.table([list(map(int, c)) for c in zip(*r, strict=True)], names=list(k))
        for n, r, k in zip(
            ("users", "projects", "tasks"), (users, projects, tasks), names, strict=True
        )
    }
    held["tenants"] = pa.table({"tenant": range(30)})
    to = {"table": "tenants", "columns": ["tenant"], "references": ["tenant"]}
    both = [["tenant", "user"], ["tenant", "project"]]
    said = {
        "tenants": {"primary_key": ["tenant"]},
        "users": {"primary_key": both[0], "foreign_keys": [to]},
        "projects": {"primary_key": both[1], "foreign_keys": [to]},
        "tasks": {"foreign_keys": [
            {"columns": both[0], "table": "users", "references": both[0]},
            {"columns": both[1], "table": "projects", "references": both[1]},
        ]},
    }  # fmt: skip
    return held, said


def flights() -> tuple[Held, Said]:
    """Flights, a fifth of them by planes that are not there."""
    rng = np.random.default_rng(0)
    names = [f"N{i:03d}" for i in range(50)]
    held = {
        "plane": pa.table({"id": names[:40], "seats": rng.integers(2, 9, 40)}),
        "flight": pa.table({"id": range(500), "plane": rng.choice(names, 500)}),
        "bag": pa.table({"flight": rng.integers(0, 500, 900), "kg": rng.random(900)}),
    }  # fmt: skip
    said = {
        "plane": {"primary_key": ["id"]},
        "flight": {"primary_key": ["id"], "foreign_keys": [link("plane", "plane")]},
        "bag": {"foreign_keys": [link("flight", "flight")]},
    }
    return held, said
