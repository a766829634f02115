"""Geurim and its peers on the same spoiled rows, by one rule for all.

Peers give scores and no verdict. So a tool's figures of a few honest sets of rows make a range for
each figure, and a defect is caught where a figure leaves its range by more than it ever did among
the honest sets. Geurim is counted by this rule as well, beside its own verdict.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from breaking import DEFECTS, STRONG, Defect, telling_group

from geurim.verify import MEASURES, verify

HERE = Path(__file__).resolve().parent
Figures = Mapping[str, float]
Parts = dict[str, pa.Table]

LEAST = 0.5  # of its length is any range widened on both sides
FLOOR = 1e-3  # the least length, where most figures of honest rows never change


def furthest(figures: Figures, honest: Sequence[Figures]) -> tuple[float, str]:
    """How far the figure that is furthest outside of its range over honest sets is, and its name.

    In lengths of the range, to each of which the tool's median length is added: five sets may agree
    by luck, or at an end such as a risk of 0 (so Tusher et al. 2001 with standard deviations).
    """
    names = sorted(set(figures).intersection(*honest))
    seen = np.array([[h[n] for n in names] for h in honest])
    low, high = seen.min(0), seen.max(0)
    length = high - low + max(float(np.median(high - low)), FLOOR)
    value = np.array([figures[n] for n in names])
    far = np.maximum(np.maximum(low - value, value - high), 0.0) / length
    return float(far.max()), names[int(far.argmax())]


def apart(honest: Sequence[Figures]) -> list[float]:
    """How far each honest set is outside of the ranges of the others."""
    others = [[o for o in honest if o is not h] for h in honest]
    return [furthest(h, o)[0] for h, o in zip(honest, others, strict=True)]


PLANTS = list(dict.fromkeys(d.plant for d in DEFECTS if d.plant))
SIDES = (0, 1, 2)
"""Plain rows; rows with every second of what defects need planted; rows with the others."""

PLAIN = ("age", "workclass", "fnlwgt", "education", "sex", "capital_gain", "hours_per_week")
PLAIN += ("native_country", "income")
BESIDE = ("age", "sex", "income")  # what is planted


def side_of(defect: Defect) -> int:
    return 1 + PLANTS.index(defect.plant) % 2 if defect.plant else 0


def narrowed(parts: Parts, side: int, rng: np.random.Generator) -> Parts:
    """Few of Adult's columns, and what is planted on that side: peers' time grows with columns."""
    parts = {k: t.select(list(BESIDE if side else PLAIN)) for k, t in parts.items()}
    for plant in PLANTS[side - 1 :: 2] if side else ():
        parts = {k: plant(t, rng) for k, t in parts.items()}
    return parts


def bare(defect: Defect) -> Defect:
    """The defect without its planting, which `narrowed` has done."""
    return Defect(name=defect.name, what=defect.what, amounts=defect.amounts, spoil=defect.spoil)


@dataclass(frozen=True, kw_only=True)
class Tools:
    """Where the files are kept, and the Python of each peer."""

    work: Path
    pythons: Mapping[str, str]
    target: str
    without: Sequence[str]

    def store(self, name: str, parts: Parts) -> Path:
        folder = self.work / name
        folder.mkdir(parents=True, exist_ok=True)
        for part in ("training", "holdout", "synthetic"):
            if not (folder / f"{part}.parquet").exists():
                pq.write_table(parts[part], folder / f"{part}.parquet")
        return folder

    def figures(self, tool: str, folders: Sequence[Path]) -> list[dict[str, object]]:
        """{"figures", "seconds"} of a tool for each folder, or {"error"}; kept there."""
        missing = [f for f in folders if not (f / f"{tool}.json").exists()]
        if tool == "geurim":
            for folder in missing:
                (folder / "geurim.json").write_text(json.dumps(self._ours(folder)))
        elif missing:
            argv = [self.pythons[tool], HERE / "_figures.py", tool, *missing]
            subprocess.run([str(a) for a in argv], check=True)
        return [json.loads((f / f"{tool}.json").read_text()) for f in folders]

    def _ours(self, folder: Path) -> dict[str, object]:
        parts = {n: pq.read_table(folder / f"{n}.parquet") for n in ("training", "holdout")}
        started = time.process_time()
        report = verify(
            pq.read_table(folder / "synthetic.parquet"),
            parts["training"],
            holdout=parts["holdout"],
            target=self.target,
            sensitive=[telling_group(parts["training"], self.target)],
            checks=[m.name for m in MEASURES if m.name not in self.without],
        )
        seconds = round(time.process_time() - started, 1)
        figures: dict[str, float] = {}
        for f in report.findings:
            if np.isfinite(f.value):
                figures[f"{f.name} {', '.join(f.columns)}".strip()] = f.value
        blamed = sorted({f.name for f in report.findings if f.verdict in ("warn", "fail")})
        return {"figures": figures, "seconds": seconds, "blamed": blamed}


Make = Callable[[str, int, int], Parts]
"""(defect or "honest", strength or number, side) -> its parts."""


def compare(make: Make, honest: int, tools: Tools) -> dict[str, dict[str, object]]:
    """All tools on honest rows of each side, and on every strong defect."""
    calm = {
        side: [tools.store(f"honest {i} {side}", make("honest", i, side)) for i in range(honest)]
        for side in SIDES
    }
    spoiled = [tools.store(d.name, make(d.name, STRONG, side_of(d))) for d in DEFECTS]
    out = {}
    for tool in ("geurim", *tools.pythons):
        ranges = {side: tools.figures(tool, folders) for side, folders in calm.items()}
        out[tool] = judged(ranges, tools.figures(tool, spoiled))
    return out


def judged(
    honest: Mapping[int, Sequence[dict[str, Any]]], spoiled: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """One tool: its margins, its seconds, and of each defect whether it is caught and by what."""
    ranges = {side: [h["figures"] for h in found] for side, found in honest.items()}
    calm = {side: apart(r) for side, r in ranges.items()}
    room = {side: max(LEAST, *far) for side, far in calm.items()}
    every = [*spoiled, *(e for found in honest.values() for e in found)]
    spent = [e["seconds"] for e in every if "seconds" in e]
    defects = {}
    for defect, found in zip(DEFECTS, spoiled, strict=True):
        side = side_of(defect)
        if "error" in found:
            defects[defect.name] = found
            continue
        far, name = furthest(found["figures"], ranges[side])
        caught = {"caught": far > room[side], "figure": name, "beyond": round(far, 2)}
        defects[defect.name] = caught | {"blamed": found.get("blamed")}
    return {
        "margin": {side: round(m, 2) for side, m in room.items()},
        "figures": {side: len(set(r[0]).intersection(*r)) for side, r in ranges.items()},
        "calm": [round(f, 2) for far in calm.values() for f in far],
        "seconds": round(float(np.mean(spent)), 1),
        "defects": defects,
    }
