"""What does verify catch? Defects in three strengths, and honest rows. Writes DEFECTS.md.

    python benchmarks/defects.py --data PATH [--tables adult,flights,bank] [--rows 5000]
        [--honest 40] [--without c2st,tstr,models]
        [--sdmetrics PYTHON] [--mostlyai PYTHON] [--anonymeter PYTHON]

Each table is cut by lot into training rows, a holdout and honest rows that stand for the output of
a perfect generator; a defect (tests/verify/breaking.py, the list that the tests use too) spoils the
honest rows. It counts as caught where the default report has a finding of verdict "warn" or "fail".
A false alarm is such a finding on honest rows, drawn anew each time. Results are kept in
DEFECTS.json as they come, so that a run that was cut short goes on where it was; `--again` begins
anew. `--without` leaves out checks, to save time. Series and databases are spoiled and judged
likewise (_joined.py). The peers, each by the Python of its own environment, see Adult's strong
defects (_even.py); `--work` keeps their figures.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "verify"))

from _defects_page import write  # noqa: E402
from _even import Tools, bare, compare, narrowed  # noqa: E402
from _joined import run as joined  # noqa: E402
from breaking import DEFECTS, put, spoiled, telling_group  # noqa: E402

from geurim.columns import to_axis  # noqa: E402
from geurim.contract import Finding  # noqa: E402
from geurim.verify import MEASURES, verify  # noqa: E402

KEPT = HERE / "DEFECTS.json"
PARTS = ("training", "holdout", "honest")
PEERS = ("sdmetrics", "mostlyai", "anonymeter")
PEER_ROWS, PEER_HONEST = 2_000, 5  # they take some 10 CPU s for each set of rows


def adult(data: Path) -> tuple[pa.Table, str]:
    table = pq.read_table(data / "tabular/adult.parquet").replace_schema_metadata(None)
    for field in table.schema:
        if pa.types.is_large_string(field.type):
            known = pc.not_equal(table[field.name], "?")
            lost = pa.scalar(None, pa.large_string())
            table = put(table, field.name, pc.if_else(known, table[field.name], lost))
    return table, "income"


def bank(data: Path) -> tuple[pa.Table, str]:
    table = pq.read_table(data / "tabular/bank_marketing.parquet").replace_schema_metadata(None)
    return table, "y"


def flights(data: Path) -> tuple[pa.Table, str]:
    """With the hour as a time, and whether a flight came late."""
    path = data / "relational/nycflights13/flights.parquet"
    table = pq.read_table(path).replace_schema_metadata(None)
    table = table.drop_columns(["year", "tailnum"])
    hour = pc.strptime(table["time_hour"], "%Y-%m-%dT%H:%M:%SZ", "s")
    late = np.where(to_axis(table["arr_delay"]) > 15, "late", "on time")
    return put(put(table, "time_hour", hour), "late", pa.array(late)), "late"


TABLES: dict[str, Callable[[Path], tuple[pa.Table, str]]] = {
    "adult": adult,
    "flights": flights,
    "bank": bank,
}


def cut(table: pa.Table, rows: int, rng: np.random.Generator) -> dict[str, pa.Table]:
    """Three parts of as many rows, by lot."""
    if len(table) < 3 * rows:
        raise SystemExit(f"The table has {len(table):,} rows; --rows {rows:,} needs three times.")
    order = rng.permutation(len(table))
    return {
        name: table.take(pa.array(order[i * rows : (i + 1) * rows])) for i, name in enumerate(PARTS)
    }


def blamed(given: dict[str, pa.Table], target: str, without: list[str]) -> list[list[str]]:
    """[verdict, finding, columns] of all that verify warns of."""
    checks = [m.name for m in MEASURES if m.name not in without]
    report = verify(
        given["synthetic"],
        given["training"],
        holdout=given["holdout"],
        target=target,
        sensitive=[telling_group(given["training"], target)],
        checks=checks,
    )

    def rank(f: Finding) -> tuple[bool, str]:
        return f.verdict != "fail", f.name

    found = [f for f in sorted(report.findings, key=rank) if f.verdict in ("warn", "fail")]
    return [[f.verdict, f.name, ", ".join(f.columns)] for f in found]


def tasks(names: list[str], honest: int) -> list[tuple[str, str, int]]:
    """(table, defect or "honest", strength or number), what matters most first."""
    out = [(t, d.name, 2) for t in names for d in DEFECTS]
    out += [(t, "honest", i) for i in range(honest) for t in names]
    return out + [(t, d.name, s) for s in (1, 0) for t in names for d in DEFECTS]


def case(
    table: pa.Table, target: str, what: str, strength: int, rows: int, side: int | None = None
) -> dict[str, pa.Table]:
    """The tables of one task, the same in every run; `side`: as narrow as peers get them."""
    place = [d.name for d in DEFECTS].index(what) if what != "honest" else len(DEFECTS)
    rng = np.random.default_rng([29, place, strength])
    parts = cut(table, rows, rng)
    if side is not None:
        parts = narrowed(parts, side, rng)
    if what == "honest":
        return {**parts, "synthetic": parts["honest"]}
    defect = DEFECTS[place] if side is None else bare(DEFECTS[place])
    return spoiled(defect, strength, parts, target, rng)


def run(
    data: Path,
    names: list[str],
    rows: int,
    honest: int,
    without: list[str],
    kept: dict[str, Any],
) -> Iterator[str]:
    """Every task that is not kept; yields each as it is done."""
    loaded = {n: TABLES[n](data) for n in names}
    for name, what, strength in tasks(names, honest):
        key = f"{name}/{what}/{strength}"
        if key in kept:
            continue
        table, target = loaded[name]
        started = time.process_time()
        found = blamed(case(table, target, what, strength, rows), target, without)
        seconds = round(time.process_time() - started, 1)
        kept[key] = {"found": found, "seconds": seconds, "rows": rows, "without": without}
        yield f"{key} {seconds} {found[:3]}"


def peers(data: Path, work: Path, pythons: dict[str, str], without: list[str]) -> dict[str, Any]:
    """Adult's strong defects, by all tools."""
    table, target = adult(data)
    tools = Tools(work=work, pythons=pythons, target=target, without=without)

    def make(what: str, number: int, side: int) -> dict[str, pa.Table]:
        return case(table, target, what, number, PEER_ROWS, side)

    return {"rows": PEER_ROWS, "honest": PEER_HONEST, "tools": compare(make, PEER_HONEST, tools)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tables", default=",".join(TABLES), help="'' for none")
    parser.add_argument("--rows", type=int, default=5_000)
    parser.add_argument("--honest", type=int, default=40)
    parser.add_argument("--without", default="")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "geurim-defects")
    for peer in PEERS:
        parser.add_argument(f"--{peer}", metavar="PYTHON")
    asked = parser.parse_args()
    kept: dict[str, Any] = {"tables": {}, "joined": {}, "peers": {}}
    if KEPT.exists() and not asked.again:
        kept |= json.loads(KEPT.read_text())
    without = [n for n in asked.without.split(",") if n]
    try:
        names = [n for n in asked.tables.split(",") if n]
        for told in run(asked.data, names, asked.rows, asked.honest, without, kept["tables"]):
            keep(kept, told)
        for told in joined(asked.data, asked.honest, kept["joined"]):
            keep(kept, told)
        pythons = {p: getattr(asked, p) for p in PEERS if getattr(asked, p)}
        if pythons:
            kept["peers"] = peers(asked.data, asked.work, pythons, without)
            keep(kept, "peers")
    finally:
        (HERE / "DEFECTS.md").write_text(write(kept))


def keep(kept: dict[str, Any], told: str) -> None:
    KEPT.write_text(json.dumps(kept, indent=0, ensure_ascii=False))
    print(told, flush=True)


if __name__ == "__main__":
    main()
