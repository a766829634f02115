"""Whole databases: Geurim against SDV's HMA, by SDMetrics' multi-table quality, in one run.

    python benchmarks/databases.py --data PATH --peer PYTHON_WITH_SDV

PATH holds chinook.sqlite and the folder nycflights13. The peer's Python has `sdv` installed. Both
get the same tables, the same keys and one process; times are CPU seconds of fit and sample. Rows
with references to nothing are left out for both, because HMA refuses them, and so are references
of a table to itself, which it does not model. Of nycflights13 every tenth flight is taken: HMA
fits one copula for each airport, plane and airline. SDV from 2.0 on refuses more than five tables
or two steps; give --hma a Python with an older one (1.17.4). "without words" leaves out strings
that hardly repeat (half are different, or more than 30, each in fewer than ten rows: names, titles,
phones): SDV takes them for categories and draws real ones, Geurim makes them anew. "geurim-keep"
takes over the reference tables that Geurim suggests. Writes DATABASES.md.
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).parent
SEED = 7
SETS: dict[str, tuple[str, ...] | None] = {
    "chinook": None,
    "chinook-sales": ("Customer", "Invoice", "InvoiceLine"),
    "chinook-music": ("Artist", "Album", "Genre", "MediaType", "Track"),
    "nycflights13": None,
    "nycflights13-planes": None,
}
"""Each data set, and the tables that are taken; None: all."""
ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
PLANES = 8  # of nycflights13-planes: every eighth plane, and half of its flights


def prepare(name: str, data: Path, folder: Path) -> None:
    """The real tables as Parquet files, and their keys as JSON."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from geurim.relations import Database, read_database, references
    from geurim.relations.rows import DANGLING, settle

    base = name.split("-")[0]
    database = read_database(data / ("chinook.sqlite" if base == "chinook" else base))
    some = SETS[name] or tuple(database.tables)
    database = Database(
        tables={n: database.tables[n] for n in some},
        keys={
            n: replace(k, foreign=tuple(f for f in k.foreign if f.table in some))
            for n, k in database.keys.items()
            if n in some
        },
        lineage=database.lineage,
    )
    rows = {n: settle(s) for n, s in database.tables.items()}
    if name == "nycflights13-planes":
        rows["planes"] = rows["planes"].take(list(range(0, rows["planes"].num_rows, PLANES)))
        known = pc.is_in(rows["flights"]["tailnum"], value_set=rows["planes"]["tailnum"])
        rows["flights"] = rows["flights"].filter(known)
    if base == "nycflights13":
        step = 2 if name == "nycflights13-planes" else 10
        rows["flights"] = rows["flights"].take(list(range(0, rows["flights"].num_rows, step)))
    while True:
        bad = {link: f == DANGLING for link, f in references(database, rows).items()}
        bad = {link: mask for link, mask in bad.items() if mask.any()}
        if not bad:
            break
        (table, _), mask = next(iter(bad.items()))
        rows[table] = rows[table].filter(pa.array(~mask))
    folder.mkdir(parents=True, exist_ok=True)
    keys = {}
    for table, own in rows.items():
        plain = own.replace_schema_metadata(None)
        pq.write_table(plain, folder / f"{table}.parquet")
        known = database.of(table)
        keys[table] = {
            "primary": known.primary,
            "foreign": [(k.columns, k.table, k.references) for k in known.foreign],
        }
    (folder / "keys.json").write_text(json.dumps(keys))


def geurim(real: Path, out: Path, keep: bool = False) -> dict[str, float]:
    """Fit and sample with Geurim; the CPU seconds."""
    import pyarrow.parquet as pq

    from geurim.relations import fit_database, read_database

    keys = json.loads((real / "keys.json").read_text())
    said = {
        table: {
            "primary_key": own["primary"],
            "foreign_keys": [
                {"columns": c, "table": t, "references": r} for c, t, r in own["foreign"]
            ],
        }
        for table, own in keys.items()
    }
    start = time.process_time()
    tables = {p.stem: pq.read_table(p) for p in sorted(real.glob("*.parquet"))}
    database = read_database(tables, schema={"tables": said})
    fitted = fit_database(database, seed=SEED)
    if keep:
        fitted = fit_database(database, keep=fitted.suggested, seed=SEED)
    middle = time.process_time()
    made = fitted.sample(seed=SEED)
    for table, source in made.tables.items():
        pq.write_table(source.to_arrow(), out / f"{table}.parquet")
    return {"fit": middle - start, "sample": time.process_time() - middle}


def metadata(real: Path, tables):
    """SDV's metadata: types as it finds them, keys as given, but for what it cannot hold."""
    from sdv.metadata import Metadata

    keys = json.loads((real / "keys.json").read_text())
    found = Metadata.detect_from_dataframes(tables).to_dict()
    found["relationships"] = []
    for own in found["tables"].values():
        own.pop("primary_key", None)
    made = Metadata.load_from_dict(found)
    for table, own in keys.items():
        if len(own["primary"]) == 1:
            made.update_column(own["primary"][0], table_name=table, sdtype="id")
            made.set_primary_key(own["primary"][0], table_name=table)
    for table, own in keys.items():
        for columns, parent, references in own["foreign"]:
            if len(columns) == 1 and parent != table and len(keys[parent]["primary"]) == 1:
                made.update_column(columns[0], table_name=table, sdtype="id")
                made.add_relationship(parent, table, references[0], columns[0])
    return made


def frames(folder: Path, real: Path):
    import pandas as pd

    tables = {p.stem: pd.read_parquet(p) for p in sorted(folder.glob("*.parquet"))}
    for table in tables.values():  # HMA loses the form of times written as text
        for column in table.select_dtypes("object"):
            if table[column].dropna().astype(str).str.fullmatch(ISO).all():
                table[column] = pd.to_datetime(table[column]).dt.tz_localize(None)
    for table, own in json.loads((real / "keys.json").read_text()).items():
        for columns, parent, _ in own["foreign"]:
            if parent == table:
                tables[table] = tables[table].drop(columns=columns)
    return tables


def hma(real: Path, out: Path) -> dict[str, float]:
    """Fit and sample with SDV's HMA; the CPU seconds."""
    import numpy as np
    from sdv.multi_table import HMASynthesizer

    np.random.seed(SEED)
    start = time.process_time()
    tables = frames(real, real)
    synthesizer = HMASynthesizer(metadata(real, tables), verbose=False)
    synthesizer.fit(tables)
    middle = time.process_time()
    made = synthesizer.sample(scale=1.0)
    for table, frame in made.items():
        frame.to_parquet(out / f"{table}.parquet")
    return {"fit": middle - start, "sample": time.process_time() - middle}


def score(real: Path, out: Path) -> dict[str, float]:
    """SDMetrics' multi-table quality, and its parts."""
    from sdmetrics.reports.multi_table import QualityReport

    tables, made = frames(real, real), frames(out, real)
    for table, frame in made.items():
        for column in frame.columns:
            if frame[column].dtype != tables[table][column].dtype:
                frame[column] = frame[column].astype(tables[table][column].dtype, errors="ignore")
    found = metadata(real, tables).to_dict()
    report = QualityReport()
    report.generate(tables, made, found, verbose=False)
    for table, own in found["tables"].items():
        for column, kind in own["columns"].items():
            values = tables[table][column].dropna()
            words = kind["sdtype"] == "categorical" and values.map(type).eq(str).all()
            count = values.nunique()
            if words and (count > 0.5 * len(values) or (count > 30 and count * 10 > len(values))):
                kind.clear()
                kind.update(sdtype="unknown", pii=True)
    plain = QualityReport()
    plain.generate(tables, made, found, verbose=False)
    parts = report.get_properties().set_index("Property")["Score"].to_dict()
    keys = json.loads((real / "keys.json").read_text())
    dangling = 0
    for table, own in keys.items():
        for columns, parent, references in own["foreign"]:
            if len(columns) == 1 and columns[0] in made[table] and parent != table:
                found = made[table][columns[0]].dropna()
                dangling += int((~found.isin(made[parent][references[0]])).sum())
    return {
        "quality": report.get_score(),
        "without words": plain.get_score(),
        **parts,
        "dangling": dangling,
    }


def resample(real: Path, out: Path) -> dict[str, float]:
    """The real tables themselves: the most that the measure can give."""
    for path in real.glob("*.parquet"):
        (out / path.name).write_bytes(path.read_bytes())
    return {"fit": 0.0, "sample": 0.0}


def independent(real: Path, out: Path) -> dict[str, float]:
    """Each column shuffled by itself: references hold, nothing depends on anything."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(SEED)
    start = time.process_time()
    keys = json.loads((real / "keys.json").read_text())
    for path in sorted(real.glob("*.parquet")):
        table = pq.read_table(path)
        columns = {
            n: table[n]
            if n in keys[path.stem]["primary"]
            else table[n].take(pa.array(rng.permutation(table.num_rows)))
            for n in table.column_names
        }
        pq.write_table(pa.table(columns), out / path.name)
    return {"fit": 0.0, "sample": time.process_time() - start}


def geurim_keep(real: Path, out: Path) -> dict[str, float]:
    """Geurim, with the reference tables that it suggests kept as they are."""
    return geurim(real, out, keep=True)


MAKERS = {
    "geurim": geurim,
    "geurim-keep": geurim_keep,
    "hma": hma,
    "real": resample,
    "shuffled": independent,
}


def step(python: str, *words: str, limit: float) -> dict[str, float]:
    """One step in a process of its own; what it prints last is its result."""
    done = subprocess.run(
        [python, str(HERE / "databases.py"), "--step", *words],
        capture_output=True,
        text=True,
        timeout=limit,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--peer", default=sys.executable, help="a Python that has sdv")
    parser.add_argument("--hma", help="a Python with the SDV whose HMA runs (default: --peer)")
    parser.add_argument("--work", type=Path, default=Path("benchmark-databases"))
    parser.add_argument("--only", default=",".join(MAKERS))
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--limit", type=float, default=3_600, help="wall seconds a step")
    parser.add_argument("--step", nargs="+")
    asked = parser.parse_args()
    if asked.step:
        what, *places = asked.step
        paths = [Path(p) for p in places]
        found = score(*paths) if what == "score" else MAKERS[what](*paths)
        print(json.dumps(found))
        return
    results_file = asked.work / "results.json"
    results = json.loads(results_file.read_text()) if results_file.exists() else {}
    for name in asked.sets.split(","):
        real = asked.work / name / "real-tables"
        if not real.exists():
            prepare(name, asked.data, real)
        for maker in asked.only.split(","):
            out = asked.work / name / maker
            out.mkdir(parents=True, exist_ok=True)
            python = (asked.hma or asked.peer) if maker == "hma" else sys.executable
            try:
                took = step(python, maker, str(real), str(out), limit=asked.limit)
                scored = step(asked.peer, "score", str(real), str(out), limit=asked.limit)
                results[f"{name} {maker}"] = {**took, **scored}
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                results[f"{name} {maker}"] = {"error": str(error)[-300:]}
            print(name, maker, results[f"{name} {maker}"], flush=True)
            results_file.write_text(json.dumps(results, indent=1))
    (HERE / "DATABASES.md").write_text(page(results))


PARTS = ("Column Shapes", "Column Pair Trends", "Cardinality", "Intertable Trends")


def page(results: dict[str, dict]) -> str:
    lines = ["# Databases", "", (__doc__ or "").strip(), ""]
    lines.append(
        "| data | maker | quality | without words | " + " | ".join(p.lower() for p in PARTS) + " | "
    )
    lines[-1] += "dangling references | fit, CPU s | sample, CPU s |"
    lines.append("| --- | --- | " + " | ".join(["---:"] * (len(PARTS) + 5)) + " |")
    for key, row in results.items():
        name, maker = key.split()
        if "error" in row:
            lines.append(f"| {name} | {maker} | failed: {row['error'][-120:]!r} |")
            continue
        figures = [f"{row[p]:.3f}" for p in ("quality", "without words", *PARTS)]
        figures += [f"{row['dangling']:.0f}", f"{row['fit']:.1f}", f"{row['sample']:.1f}"]
        lines.append(f"| {name} | {maker} | " + " | ".join(figures) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
