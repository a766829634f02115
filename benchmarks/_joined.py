"""Defects of series and of databases: what `verify_sequences` and `verify_database` catch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from breaking import put
from breaking_joined import LINKS, SERIES, spoiled_links, spoiled_series

from geurim.contract import Finding
from geurim.read import as_source
from geurim.relations import Database, read_database
from geurim.relations.rows import settle
from geurim.verify.related import verify_database
from geurim.verify.report import Report
from geurim.verify.sequences import verify_sequences

Entry = dict[str, object]
Flat = tuple[pa.Table, str, str, int]  # rows, entity, time, entities in each part
Linked = tuple[Database, dict[str, pa.Table], tuple[str, str, str, str]]


def flights(data: Path) -> Flat:
    """The flights of a plane."""
    rows = pq.read_table(data / "relational/nycflights13/flights.parquet")
    rows = rows.replace_schema_metadata(None).filter(pc.is_valid(rows["tailnum"]))
    rows = put(rows, "hour", pc.strptime(rows["time_hour"], "%Y-%m-%dT%H:%M:%SZ", "s"))
    names = ["tailnum", "hour", "dep_delay", "air_time", "origin", "dest", "carrier"]
    return rows.select(names), "tailnum", "hour", 1_000


def purchases(data: Path) -> Flat:
    """What a customer bought."""
    rows = pq.read_table(data / "relational/cdnow/purchases.parquet").replace_schema_metadata(None)
    rows = put(rows, "day", pc.strptime(rows["date"], "%Y-%m-%d", "s"))
    return rows.select(["users_id", "day", "cds", "amt"]), "users_id", "day", 2_000


def air(data: Path) -> Flat:
    """Beijing's air by the hour; a week is a series."""
    rows = pq.read_table(data / "timeseries/beijing_pm25_hourly.parquet")
    rows = rows.replace_schema_metadata(None).append_column(
        "week", pa.array(np.arange(rows.num_rows) // 168)
    )
    return rows.select(["week", "No", "pm2.5", "TEMP", "PRES", "cbwd", "Iws"]), "week", "No", 87


SERIES_SETS: dict[str, Callable[[Path], Flat]] = {
    "flights of a plane": flights,
    "purchases of a customer": purchases,
    "air by the week": air,
}


def database(place: Path, tables: tuple[str, ...], link: tuple[str, str, str, str]) -> Linked:
    found = read_database(place)
    return found, {n: settle(found.tables[n]) for n in tables or found.tables}, link


def planes(data: Path) -> Linked:
    """Every fourth flight whose plane is known."""
    link = ("flights", "tailnum", "planes", "tailnum")
    place = data / "relational/nycflights13"
    found, tables, _ = database(place, ("planes", "flights", "airlines"), link)
    flown = tables["flights"].take(pa.array(np.arange(0, tables["flights"].num_rows, 4)))
    known = pc.is_in(flown["tailnum"], value_set=tables["planes"]["tailnum"])
    return found, {**tables, "flights": flown.filter(known)}, link


LINK_SETS: dict[str, Callable[[Path], Linked]] = {
    "planes, flights": planes,
    "customers, purchases": lambda data: database(
        data / "relational/cdnow", (), ("purchases", "users_id", "users", "id")
    ),
    "Chinook's invoices, lines": lambda data: database(
        data / "relational/chinook.sqlite", (), ("InvoiceLine", "InvoiceId", "Invoice", "InvoiceId")
    ),
}


def thirds(flat: Flat, rng: np.random.Generator) -> list[pa.Table]:
    """Training, holdout and honest rows, of different entities."""
    rows, entity, _, units = flat
    names = pc.unique(rows[entity])
    order = rng.permutation(len(names))[: 3 * units].reshape(3, units)
    return [rows.filter(pc.is_in(rows[entity], value_set=names.take(pa.array(o)))) for o in order]


def halves(linked: Linked, rng: np.random.Generator) -> list[dict[str, pa.Table]]:
    """Training and honest tables: half of the parents with their children; other tables whole."""
    _, tables, (child, column, parent, key) = linked
    order, half = rng.permutation(tables[parent].num_rows), tables[parent].num_rows // 2
    out = []
    for part in (order[:half], order[half : 2 * half]):
        own = tables[parent].take(pa.array(np.sort(part)))
        theirs = tables[child].filter(pc.is_in(tables[child][column], value_set=own[key]))
        out.append({**tables, parent: own, child: theirs})
    return out


def joined(found: Database, tables: dict[str, pa.Table]) -> Database:
    """Tables in memory with the keys of the database between them."""
    keys = {
        n: replace(found.of(n), foreign=tuple(f for f in found.of(n).foreign if f.table in tables))
        for n in tables
    }
    return Database(
        tables={n: as_source(t) for n, t in tables.items()}, keys=keys, lineage=found.lineage
    )


def of_series(flat: Flat, place: int, strength: int) -> Report | None:
    """The report on honest series (`place` -1) or on a defect; None where none can be spoiled."""
    _, entity, time, _ = flat
    rng = np.random.default_rng([31, place + 1, strength])
    training, holdout, rows = thirds(flat, rng)
    if place >= 0:
        honest = rows.sort_by([(entity, "ascending"), (time, "ascending")])
        rows = spoiled_series(SERIES[place], strength, rows, entity, time, rng)
        if rows.equals(honest):
            return None
    return verify_sequences(rows, training, holdout=holdout, entity=entity, time=time)


def of_links(linked: Linked, place: int, strength: int) -> Report:
    rng = np.random.default_rng([37, place + 1, strength])
    training, honest = halves(linked, rng)
    if place >= 0:
        honest = spoiled_links(LINKS[place], strength, honest, linked[2], rng)
    return verify_database(joined(linked[0], honest), joined(linked[0], training))


def blamed(findings: tuple[Finding, ...]) -> list[list[str]]:
    """[verdict, finding, columns] of what is warned of; failures first."""
    bad = [f for f in findings if f.verdict in ("warn", "fail")]
    bad.sort(key=lambda f: (f.verdict != "fail", f.name))
    return [[f.verdict, f.name, ", ".join(f.columns)] for f in bad]


def run(data: Path, honest: int, kept: dict[str, Entry]) -> Iterator[str]:
    """Every defect at every strength and `honest` honest draws; yields each key that is new."""
    for sets, defects, report in (
        (SERIES_SETS, SERIES, of_series),
        (LINK_SETS, LINKS, of_links),
    ):
        for name, load in sets.items():
            wanted = [(d.name, i, s) for i, d in enumerate(defects) for s in range(3)]
            wanted += [("honest", -1, i) for i in range(honest)]
            missing = [w for w in wanted if f"{name}/{w[0]}/{w[2]}" not in kept]
            rows = load(data) if missing else None
            for what, place, strength in missing:
                found = report(rows, place, strength)  # type: ignore[operator]
                told = None if found is None else blamed(found.findings)
                kept[f"{name}/{what}/{strength}"] = {"found": told}
                yield f"{name}/{what}/{strength} {told}"
