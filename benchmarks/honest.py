"""Do the intervals of verify hold the truth? 200 repeated draws from two known populations.

    python benchmarks/honest.py [--draws 200] [--rows 2000] [--checks columns,pairs,...]

Training rows and the holdout are drawn from one population, the synthetic rows from the same
("honest") or from another ("changed", independent rows each spoiled by chance). The truth is what
the same measure says of 100,000 rows of each. An interval of 95% should hold it in 93 to 97 of 100
draws; at a boundary (a distance of 0 cannot be missed from above) more is no fault. A share of
rows outside of the training rows' range, or equal to one of them, depends on how many these are:
there is no truth to hold. Printed is, for each finding: the truth, the mean value, and how often it
was held. Selected findings, such as the worst of several pairs, are left out where a draw does not
tell them. Also the false alarms: honest draws in which anything warns or fails.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "verify"))

from breaking import plant_stay, put  # noqa: E402
from people import people  # noqa: E402

from geurim.verify import verify  # noqa: E402

CHECKS = (
    "missing,columns,pairs,tails,triples,missing_patterns,missing_dependence,dates,"
    "digits,minority,extremes"
)
LARGE = 100_000
HEAD = "| finding | population | truth | mean value | held |\n| --- | --- | ---: | ---: | ---: |"
Key = tuple[str, tuple[str, ...]]
Held = dict[Key, list[bool]]


def honest(rows: int, rng: np.random.Generator) -> pa.Table:
    table = people(rows, rng).drop_columns(["email", "class", "day"])
    return plant_stay(table, rng).drop_columns(["end"])


def changed(rows: int, rng: np.random.Generator) -> pa.Table:
    """Every row is spoiled by itself, so that the rows stay independent."""
    table = honest(rows, rng)
    age = pc.cast(table["age"], pa.float64()).to_numpy() + np.where(rng.random(rows) < 0.4, 8, 0)
    table = put(table, "age", age.astype(int))
    place = np.array(table["place"].to_pylist())
    table = put(table, "place", np.where(rng.random(rows) < 0.2, "A", place).tolist())
    score = table["score"].to_numpy(zero_copy_only=False)
    table = put(table, "score", pa.array(score, mask=np.isnan(score) | (rng.random(rows) < 0.15)))
    income = table["income"].to_numpy() * np.where(rng.random(rows) < 0.3, 1.5, 1.0)
    table = put(table, "income", income)
    member = np.array(table["member"].to_pylist())
    table = put(table, "member", np.where(rng.random(rows) < 0.4, rng.random(rows) < 0.3, member))
    day = rng.integers(-2, 3, rows) * (rng.random(rows) < 0.4) * 86_400_000_000
    start = pc.cast(table["start"], pa.int64()).to_numpy() + day
    return put(table, "start", pa.array(start).cast(pa.timestamp("us")))


def told(population: object, rows: int, seed: int, checks: list[str]) -> dict[Key, object]:
    """The findings of one draw, by name and columns."""
    rng = np.random.default_rng([31, seed])
    training, holdout = honest(rows, rng), honest(rows, rng)
    made = population(rows, rng)  # type: ignore[operator]
    report = verify(made, training, holdout=holdout, target="member", checks=checks, seed=seed)
    return {(f.name, f.columns + _side(f)): f for f in report.findings if f.count}


def _side(finding: object) -> tuple[str, ...]:
    details = finding.details  # type: ignore[attr-defined]
    side = details.get("side") or details.get("class")
    return (str(side),) if side else ()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--checks", default=CHECKS)
    asked = parser.parse_args()
    checks = asked.checks.split(",")
    for population in (honest, changed):
        truth = told(population, LARGE, 0, checks)
        held: Held = defaultdict(list)
        values: dict[Key, list[float]] = defaultdict(list)
        alarms = 0
        for seed in range(1, asked.draws + 1):
            found = told(population, asked.rows, seed, checks)
            alarms += any(f.verdict in ("warn", "fail") for f in found.values())  # type: ignore[attr-defined]
            for key, f in found.items():
                if key in truth:
                    held[key].append(f.low <= truth[key].value <= f.high)  # type: ignore[attr-defined]
                    values[key].append(f.value)  # type: ignore[attr-defined]
        print(HEAD)
        for key in sorted(held):
            if len(held[key]) < asked.draws:
                continue
            name = f"`{key[0]}` {', '.join(key[1])}"
            mean, share = np.mean(values[key]), np.mean(held[key])
            value = truth[key].value  # type: ignore[attr-defined]
            print(f"| {name} | {population.__name__} | {value:.4f} | {mean:.4f} | {share:.1%} |")
        if population is honest:
            print(f"\n{alarms} of {asked.draws} honest draws were blamed.\n", flush=True)


if __name__ == "__main__":
    main()
