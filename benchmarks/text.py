"""Curating real text: what each step costs, and near duplicates against peers in the same run.

    python benchmarks/text.py --data DATA [--rows 100000] [--peers datasketch rensa]

DATA is a folder with korean/naver_movie_reviews.parquet, or a file with a column of text. Peers are
Python packages of the environment that runs this (pip install datasketch rensa). One thread; CPU
seconds (user + system) of this process. Writes TEXT.md beside this file.
"""

import argparse
import importlib.metadata
import itertools
import os
import platform
import random
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
import pyarrow as pa
import pyarrow.parquet as pq

from geurim.contract import Lineage, Source
from geurim.curate import (
    ExactDuplicates,
    Language,
    Length,
    NearDuplicates,
    Novelty,
    Personal,
    Step,
    curate,
    default_steps,
)
from geurim.curate.characters import folded

HERE = Path(__file__).resolve().parent
REVIEWS = "korean/naver_movie_reviews.parquet"
THRESHOLD, WIDTH, PERMUTATIONS = 0.8, 3, 128
BATCH = 10_000
Pairs = set[tuple[int, int]]


def cpu() -> float:
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = cpu()
    result = work()
    return result, cpu() - start


def batches(texts: pa.StringArray) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(texts), BATCH):
        yield pa.RecordBatch.from_arrays([texts[start : start + BATCH]], names=["text"])


def source_of(texts: pa.StringArray) -> Source:
    return Source(
        schema=pa.schema([("text", pa.string())]),
        lineage=Lineage(maker="benchmark", digest="", real=True),
        read=lambda: batches(texts),
        rows=len(texts),
    )


def drops(step: Step, texts: pa.StringArray) -> list[int]:
    judge, out, start = step.start(), [], 0
    for batch in batches(texts):
        reasons = judge.judge(batch.column(0), batch)
        if reasons.null_count < len(reasons):
            out += [start + i for i, r in enumerate(reasons.to_pylist()) if r is not None]
        start += batch.num_rows
    return out


# Peers: the first of a group stays, as with us; the same shingles of the same folded texts.


def shingles(texts: pa.StringArray) -> list[list[str]]:
    """The set of character shingles of each text, in plain Python, as users of the peers write."""
    chars = folded(texts)
    whole = chars.points.tobytes().decode("utf-32-le")
    ends = chars.offsets.tolist()
    rows = (whole[a:b] for a, b in itertools.pairwise(ends))
    return [list({t[i : i + WIDTH] for i in range(max(len(t) - WIDTH + 1, 1))}) for t in rows]


def drop_datasketch(texts: pa.StringArray) -> list[int]:
    """MinHash and MinHashLSH with their defaults; what shares a band is dropped unverified."""
    from datasketch import MinHash, MinHashLSH

    index, out = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS), []
    for row, own in enumerate(shingles(texts)):
        signature = MinHash(num_perm=PERMUTATIONS)
        signature.update_batch([s.encode() for s in own])
        if index.query(signature):
            out.append(row)
        else:
            index.insert(row, signature)
    return out


def drop_rensa(texts: pa.StringArray) -> list[int]:
    """RMinHash and RMinHashLSH, 16 bands, candidates verified by their signatures."""
    from rensa import RMinHash, RMinHashLSH

    index, out = RMinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS, num_bands=16), []
    kept: dict[int, Any] = {}
    for row, own in enumerate(shingles(texts)):
        signature = RMinHash(num_perm=PERMUTATIONS, seed=1)
        signature.update(own)
        found = index.query(signature)
        if any(signature.jaccard(kept[i]) >= THRESHOLD for i in found):
            out.append(row)
        else:
            index.insert(row, signature)
            kept[row] = signature
    return out


PEERS: dict[str, Callable[[pa.StringArray], list[int]]] = {
    "datasketch": drop_datasketch,
    "rensa": drop_rensa,
}


def truly_near(texts: pa.StringArray) -> list[int]:
    """The truth by a prefix filter and exact Jaccard: slow, complete (Bayardo et al. 2007)."""
    sets = [set(own) for own in shingles(texts)]
    counts: dict[str, int] = {}
    for own in sets:
        for shingle in own:
            counts[shingle] = counts.get(shingle, 0) + 1
    holders: dict[str, list[int]] = {}
    out = []
    for row, own in enumerate(sets):
        rare = sorted(own, key=lambda s: (counts[s], s))
        rare = rare[: len(own) - -(-len(own) * 8 // 10) + 1]
        near = {other for s in rare for other in holders.get(s, ())}
        if any(len(own & sets[i]) >= THRESHOLD * len(own | sets[i]) - 1e-12 for i in near):
            out.append(row)
            continue
        for s in rare:
            holders.setdefault(s, []).append(row)
    return out


def scores(found: list[int], truth: list[int]) -> tuple[float, float]:
    """Recall and precision of the dropped rows."""
    both = len(set(found) & set(truth))
    return both / max(len(truth), 1), both / max(len(found), 1)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--column", default="review")
    options.add_argument("--peers", nargs="*", default=list(PEERS))
    given = options.parse_args()
    path = given.data / REVIEWS if given.data.is_dir() else given.data
    texts = pq.read_table(path, columns=[given.column])[given.column].cast(pa.string())
    texts = texts.combine_chunks()[: given.rows]
    drops(Length(), texts[:10])  # tables of characters are made once a process
    lines = [*whole_job(texts), *each_step(texts), *near(texts, given.peers), *memory(texts)]
    page = "\n".join([*heading(path, texts), *lines]) + "\n"
    print(page)
    (HERE / "TEXT.md").write_text(page, encoding="utf-8")


def heading(path: Path, texts: pa.StringArray) -> list[str]:
    names = ("numpy", "pyarrow", *PEERS)
    versions = ", ".join(f"{n} {importlib.metadata.version(n)}" for n in names if installed(n))
    return [
        "# Curation of text, measured",
        "",
        f"{len(texts):,} texts of `{path.name}`, {date.today()}, Python "
        f"{platform.python_version()}, {versions}, {os.cpu_count()} shared cores. "
        "CPU seconds of one process. Made by `python benchmarks/text.py --data DATA`.",
        "",
    ]


def installed(name: str) -> bool:
    try:
        return bool(importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return False


def whole_job(texts: pa.StringArray) -> list[str]:
    jobs = {
        "exact and near duplicates, language, length, personal data": [
            Length(),
            Language(),
            Personal(),
            ExactDuplicates(),
            NearDuplicates(),
        ],
        "all default steps": default_steps("ko"),
    }
    lines = [
        "## The whole job",
        "",
        "| steps | CPU s | rows/s | kept |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, steps in jobs.items():

        def run(steps: list[Step] = steps) -> int:
            curated = curate(source_of(texts), steps, column="text")
            return sum(batch.num_rows for batch in curated.kept.read())

        kept, took = timed(run)
        lines.append(f"| {name} | {took:.1f} | {len(texts) / took:,.0f} | {kept:,} |")
    return [*lines, ""]


def each_step(texts: pa.StringArray) -> list[str]:
    lines = ["## Each step by itself", "", "| step | CPU s | rows/s | dropped |"]
    lines.append("| --- | ---: | ---: | ---: |")
    for step in default_steps("ko"):
        found, took = timed(lambda step=step: drops(step, texts))
        lines.append(f"| {step.name} | {took:.2f} | {len(texts) / took:,.0f} | {len(found):,} |")
    part = texts[:20_000]
    found, took = timed(lambda: drops(Novelty(), part))
    lines.append(
        f"| {Novelty.name} (the first {len(part):,}) | {took:.2f} | {len(part) / took:,.0f} | "
        f"{len(found):,} |"
    )
    return [*lines, ""]


def near(texts: pa.StringArray, peers: list[str]) -> list[str]:
    """Against peers, all with character shingles of 3 and threshold 0.8."""
    truth, took = timed(lambda: truly_near(texts))
    step = NearDuplicates(threshold=THRESHOLD, unit="characters", characters=WIDTH)
    ways: dict[str, Callable[[], list[int]]] = {"Geurim": lambda: drops(step, texts)}
    ways |= {p: lambda p=p: PEERS[p](texts) for p in peers if installed(p)}
    lines = [
        "## Near duplicates",
        "",
        f"Character shingles of {WIDTH}, Jaccard {THRESHOLD}, first of a group kept, shingling "
        f"included. The truth is an exact search ({took:.0f} CPU s): {len(truth):,} rows.",
        "",
        "| | CPU s | times Geurim's | dropped | recall | precision |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    own = 0.0
    for name, way in ways.items():
        found, took = timed(way)
        own = own or took
        recall, precision = scores(found, truth)
        lines.append(
            f"| {name} | {took:.2f} | {took / own:.1f} | {len(found):,} | {recall:.3f} | "
            f"{precision:.3f} |"
        )
    missing = [p for p in peers if not installed(p)]
    return [*lines, "", *([f"Not installed: {', '.join(missing)}.", ""] if missing else [])]


MEASURE = """
import random, re, sys
from pathlib import Path
import pyarrow as pa
from geurim.contract import Lineage, Source
from geurim.curate import default_steps, curate
times, duplicates = int(sys.argv[1]), sys.argv[2] == "same"
rng = random.Random(0)
letters = [chr(c) for c in range(0xAC00, 0xAC00 + 900)]
def read():
    for part in range(times):
        own = random.Random(0 if duplicates else part)
        word = lambda: "".join(own.choices(letters, k=3))
        rows = [" ".join(word() for _ in range(9)) for _ in range(10_000)]
        yield pa.RecordBatch.from_arrays([pa.array(rows)], names=["text"])
source = Source(schema=pa.schema([("text", pa.string())]), lineage=Lineage(maker="", digest=""),
                read=read)
curated = curate(source, default_steps(), column="text")
kept = sum(b.num_rows for b in curated.kept.read())
# ru_maxrss would count the memory of the process that started this one.
print(kept, re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def memory(texts: pa.StringArray) -> list[str]:
    """Peak memory of all default steps in a process of its own, on made texts of 35 characters."""
    lines = ["## Memory", "", "Peak of a process that runs all default steps on made texts of 35 "]
    lines[-1] += (
        "characters. Every row kept: signatures grow. Every row after 10,000 a copy: nothing does."
    )
    lines += ["", "| rows read | rows kept | peak MB |", "| ---: | ---: | ---: |"]
    peaks: dict[tuple[int, str], tuple[int, int]] = {}
    for times, kind in ((1, "new"), (10, "new"), (30, "new"), (30, "same")):
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(times), kind], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        kept, peak = map(int, done.stdout.split())
        peaks[times, kind] = kept, peak
        lines.append(f"| {times * BATCH:,} | {kept:,} | {peak / 1024:.0f} |")
    grown = (peaks[30, "new"][1] - peaks[10, "new"][1]) * 1024
    each = grown / (peaks[30, "new"][0] - peaks[10, "new"][0])
    return [*lines, "", f"That is {each:.0f} bytes for each further row kept.", ""]


if __name__ == "__main__":
    random.seed(0)
    main()
