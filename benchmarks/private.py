"""Private tables against dpmm on the same budget: writes PRIVATE.md beside this file.

    python benchmarks/private.py --data DATA --dpmm PYTHON --score PYTHON [--tables adult bank]

DATA is a folder with tabular/adult.parquet and tabular/bank_marketing.parquet. PYTHON: that of an
environment with dpmm 0.1.9, and of one with what score.py needs. All are told the same bounds and
categories, those of the real rows, as if they were public; `geurim, told nothing` finds them within
its budget. delta is 1e-6; of dpmm's epsilon a tenth is for its bins, as its default has it. One
thread, CPU seconds of fitting and drawing as many rows as were learned from.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

import geurim
from geurim.columns import is_number
from geurim.generators.private import Private

HERE = Path(__file__).resolve().parent
TABLES = {
    "adult": ("tabular/adult.parquet", "income"),
    "bank": ("tabular/bank_marketing.parquet", "y"),
}
EPSILONS = (1.0, 3.0)
PEER = """
import json, sys, time
import pandas as pd
from dpmm.pipelines import AIMPipeline, MSTPipeline
kind, epsilon, train, domain, out = sys.argv[1:]
frame = pd.read_csv(train, keep_default_na=False, na_values=[""])
told = json.load(open(domain))
for name, known in told.items():
    if "categories" in known:
        frame[name] = frame[name].astype(str).astype("category")
        known["categories"] = sorted(frame[name].cat.categories)
start, epsilon = time.process_time(), float(epsilon)
pipeline = {"aim": AIMPipeline, "mst": MSTPipeline}[kind]
model = pipeline(epsilon=0.9 * epsilon, proc_epsilon=0.1 * epsilon, delta=1e-6, n_jobs=1)
model.fit(frame, told, random_state=0)
made = model.generate(n_records=len(frame), random_state=0)
print(json.dumps(time.process_time() - start))
made.to_csv(out, index=False)
"""


def split(path: Path, folder: Path) -> pa.Table:
    """train.csv and holdout.csv (a fifth), by a fixed lot."""
    table = pq.read_table(path)
    order = np.random.default_rng(0).permutation(table.num_rows)
    cut = int(0.8 * len(order))
    csv.write_csv(table.take(np.sort(order[:cut])), folder / "train.csv")
    csv.write_csv(table.take(np.sort(order[cut:])), folder / "holdout.csv")
    return geurim.read(folder / "train.csv").to_arrow()


def domain_of(train: pa.Table) -> dict[str, Any]:
    """Bounds and values of the real rows: what all are told."""
    known: dict[str, Any] = {}
    for item in train.schema:
        if is_number(item.type):
            ends = pc.min_max(train[item.name]).as_py()
            known[item.name] = (ends["min"], ends["max"])
        elif not pa.types.is_boolean(item.type):
            known[item.name] = sorted(pc.unique(train[item.name].drop_null()).to_pylist())
    return known


def ours(folder: Path, train: pa.Table, epsilon: float, domain: dict[str, Any], seed: int) -> float:
    start = time.process_time()
    settings = Private(epsilon=epsilon, domain=domain)
    fitted = geurim.fit(folder / "train.csv", settings, seed=seed)
    made = geurim.sample(fitted, train.num_rows, seed=seed).to_arrow()
    spent = time.process_time() - start
    csv.write_csv(made, folder / "made.csv")
    return spent


def peer(python: str, kind: str, folder: Path, epsilon: float, domain: dict[str, Any]) -> float:
    told = {
        n: {"lower": k[0], "upper": k[1]} if isinstance(k, tuple) else {"categories": k}
        for n, k in domain.items()
    }
    (folder / "domain.json").write_text(json.dumps(told))
    files = [str(folder / f) for f in ("train.csv", "domain.json", "made.csv")]
    command = [python, "-W", "ignore", "-c", PEER, kind, str(epsilon), *files]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def scored(python: str, folder: Path, target: str) -> dict[str, Any]:
    files = [
        f"--{what}={folder / file}.csv"
        for what, file in (("train", "train"), ("holdout", "holdout"), ("synth", "made"))
    ]
    command = [python, str(HERE / "score.py"), *files, f"--target={target}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def line(name: str, found: dict[str, Any], seconds: float) -> str:
    quality, use = found["sdmetrics"], found["utility"]
    return (
        f"| {name} | {quality['column_shapes']:.3f} | {quality['column_pair_trends']:.3f} | "
        f"{use['tstr']:.3f} | {found['c2st']['auc']:.3f} | {seconds:.0f} |"
    )


def main() -> None:
    ask = argparse.ArgumentParser()
    ask.add_argument("--data", required=True, type=Path)
    ask.add_argument("--dpmm", help="python with dpmm; left out: no peer")
    ask.add_argument("--score", required=True)
    ask.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES))
    ask.add_argument("--peers", nargs="*", default=["mst", "aim"])
    ask.add_argument("--seeds", type=int, default=1)
    chosen = ask.parse_args()
    text = [f"# Private tables\n\n{(__doc__ or '').split('[--tables adult bank]')[1].strip()}\n"]
    for name in chosen.tables:
        file, target = TABLES[name]
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            train = split(chosen.data / file, folder)
            domain = domain_of(train)
            for epsilon in EPSILONS:
                text += [f"## {name}, epsilon {epsilon:g}\n"]
                text += ["| | shapes | pairs | TSTR | C2ST | CPU s |", "| --- |" + " --- |" * 5]
                for title, known in (("geurim", domain), ("geurim, told nothing", {})):
                    for seed in range(chosen.seeds):
                        spent = ours(folder, train, epsilon, known, seed)
                        text += [line(title, scored(chosen.score, folder, target), spent)]
                for kind in chosen.peers if chosen.dpmm else []:
                    spent = peer(chosen.dpmm, kind, folder, epsilon, domain)
                    text += [line(f"dpmm {kind}", scored(chosen.score, folder, target), spent)]
                text += [""]
                (HERE / "PRIVATE.md").write_text("\n".join(text))
                print("\n".join(text[-8:]), file=sys.stderr)


if __name__ == "__main__":
    main()
