"""Series: Geurim and SDV's PAR on the same training series, judged against the same holdout.

    python benchmarks/sequences.py --data DIR [--peer PYTHON] [--only NAME ...] [--limit SECONDS]

`DIR` holds the tables of TABLES below; `--peer` is the Python of an environment with `sdv`. Writes
SEQUENCES.md and SEQUENCES.json beside itself; what was measured before stays there unless measured
again. Baselines: the holdout's series (the ceiling) and the training series with their events
shuffled over all of them (the floor of what time tells).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import geurim
from geurim.read import as_source
from geurim.sequences import Recurrent, Sequences, flatten, read_series, split_units
from geurim.sequences.layout import Series, parsed, time_form
from geurim.verify.sequences import verify_sequences

HERE = Path(__file__).parent
PEER = HERE / "_par.py"
MEASURES = {
    "length": ("sequence_length",),
    "gap": ("sequence_gap",),
    "autocorrelation": ("sequence_autocorrelation",),
    "transitions": ("sequence_transitions",),
    "crossings": ("sequence_cross",),
    "trend": ("sequence_trend",),
    "when": ("sequence_hour", "sequence_weekday", "sequence_month"),
    "season": ("sequence_season_hour", "sequence_season_weekday", "sequence_season_month"),
}
TABLES: dict[str, dict[str, Any]] = {
    "cdnow": {
        "file": "relational/cdnow/purchases.parquet",
        "entity": "users_id",
        "time": "date",
        "units": 600,
    },
    "synthea": {
        "file": "medical/synthea/encounters.parquet",
        "entity": "PATIENT",
        "time": "START",
        "columns": ["PATIENT", "START", "PAYER", "ENCOUNTERCLASS", "CODE", "TOTAL_CLAIM_COST"],
    },
    "etth1": {"file": "timeseries/ETTh1.csv.gz", "entity": None, "time": "date", "rows": 6000},
    "bike": {
        "file": "timeseries/bike_sharing_hourly.parquet",
        "entity": None,
        "time": "instant",
        "rows": 6000,
    },
    "beijing": {
        "file": "timeseries/beijing_pm25_hourly.parquet",
        "entity": None,
        "time": "No",
        "rows": 6000,
    },
}


def load(table: dict[str, Any], folder: Path) -> Series:
    """The series of a table: of at most so many units, or the first rows."""
    flat = geurim.read(str(folder / table["file"])).to_arrow()
    flat = flat.select(table.get("columns") or flat.column_names).slice(0, table.get("rows"))
    place, name = flat.column_names.index(table["time"]), table["time"]
    if pa.types.is_string(flat[name].type) or pa.types.is_large_string(flat[name].type):
        flat = flat.set_column(place, name, parsed(flat[name], time_form(flat[name])))
    series = read_series(as_source(flat), table["entity"], table["time"])
    units = table.get("units", len(series.lengths))
    chosen = np.random.default_rng(0).permutation(len(series.lengths))[:units]
    return series.of_units(np.sort(chosen))


def geurim_rows(
    kind: type[Sequences], series: Series, table: dict[str, Any], units: int
) -> tuple[pa.Table, dict[str, float]]:
    source = as_source(series.rows())
    start = time.process_time()
    fitted = geurim.fit(source, kind(entity=table["entity"], time=table["time"]), seed=1)
    middle = time.process_time()
    made = flatten(geurim.sample(fitted, units, seed=1)).to_arrow()
    return made, {"fit": middle - start, "draw": time.process_time() - middle}


def peer_rows(
    python: str, limit: float, series: Series, table: dict[str, Any], units: int
) -> tuple[pa.Table | None, dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        real, made = Path(folder) / "real.parquet", Path(folder) / "made.parquet"
        pq.write_table(series.rows(), real)
        names = [table["entity"] or "-", table["time"]]
        command = [python, str(PEER), str(real), str(made), *names, str(units), "1"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
        except subprocess.TimeoutExpired:
            return None, {"note": f"not done after {limit:.0f} s of wall clock"}
        if done.returncode:
            return None, {"note": done.stderr.strip().splitlines()[-1][:120]}
        return pq.read_table(made), json.loads(done.stdout.strip().splitlines()[-1])


def shuffled(series: Series) -> pa.Table:
    """The times stay; what happens is shuffled over all events."""
    rows = series.rows()
    order = pa.array(np.random.default_rng(0).permutation(rows.num_rows))
    for name in set(series.layout.inside) - {series.layout.time}:
        rows = rows.set_column(rows.column_names.index(name), name, rows[name].take(order))
    return rows


def judged(made: pa.Table, series: Series, table: dict[str, Any]) -> dict[str, float]:
    """The mean of each kind of measure over columns."""
    real = series.rows()
    made = made.select(real.column_names).cast(real.schema)
    report = verify_sequences(
        as_source(made), as_source(real), entity=table["entity"], time=table["time"]
    )
    found = {}
    for name, kinds in MEASURES.items():
        values = [f.value for f in report.findings if f.name in kinds and np.isfinite(f.value)]
        if values:
            found[name] = float(np.mean(values))
    return found


def measure(name: str, args: argparse.Namespace) -> dict[str, Any]:
    table = TABLES[name]
    series = load(table, args.data)
    training, held = split_units(series, 0.5, np.random.default_rng(1))
    units = len(training.lengths)
    result: dict[str, Any] = {"units": units, "events": int(training.starts[-1]), "rows": {}}
    if held is not None:
        result["rows"]["holdout"] = judged(held.rows(), training, table)
    result["rows"]["shuffled"] = judged(shuffled(training), training, table)
    for who, kind in (("geurim", Sequences), ("geurim recurrent", Recurrent)):
        made, seconds = geurim_rows(kind, training, table, units)
        result["rows"][who] = judged(made, training, table) | seconds
    if args.peer:
        found, facts = peer_rows(args.peer, args.limit, training, table, units)
        scores = {} if found is None else judged(found, training, table)
        result["rows"]["sdv PAR"] = scores | facts
    return result


def page(results: dict[str, Any]) -> str:
    lines = [
        "# Series",
        "",
        "Made by `python benchmarks/sequences.py`; 0 is best but in CPU seconds. length, "
        "gap: Kolmogorov-Smirnov distance. transitions, when: total variation. The others: the "
        "difference of a correlation, the mean of all columns. `holdout`: real series never seen; "
        "`shuffled`: real times, events shuffled. Long series are their first 6,000 rows.",
        "",
        "| table | series, events | | " + " | ".join(MEASURES) + " | fit | draw |",
        "| --- | --- | --- |" + " --- |" * (len(MEASURES) + 2),
    ]
    for name, found in results.items():
        for who, values in found["rows"].items():
            cells = [f"{values[m]:.3f}" if m in values else "" for m in MEASURES]
            cells += [f"{values[m]:.1f} s" if m in values else "" for m in ("fit", "draw")]
            cells[-1] = values.get("note", cells[-1])
            size = f"{found['units']:,}, {found['events']:,}"
            lines.append(f"| {name} | {size} | {who} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--peer")
    parser.add_argument("--only", nargs="*", default=list(TABLES))
    parser.add_argument("--limit", type=float, default=1800)
    args = parser.parse_args()
    store = HERE / "SEQUENCES.json"
    results = json.loads(store.read_text()) if store.exists() else {}
    for name in args.only:
        results[name] = measure(name, args)
        store.write_text(json.dumps(results, indent=1))
        (HERE / "SEQUENCES.md").write_text(page(results))
        print(name, json.dumps(results[name]["rows"], indent=1))


if __name__ == "__main__":
    main()
