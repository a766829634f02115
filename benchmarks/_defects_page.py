"""DEFECTS.md from the figures that defects.py keeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from _even import LEAST
from _joined import LINK_SETS, SERIES_SETS
from breaking import DEFECTS, STRENGTHS
from breaking_joined import LINKS, SERIES

TOOLS = {
    "geurim": "Geurim",
    "sdmetrics": "SDMetrics",
    "mostlyai": "mostlyai-qa",
    "anonymeter": "Anonymeter",
}


Kept = Mapping[str, Mapping[str, Any]]
PEERS = """Adult at the strong level, {rows:,} rows each of training, holdout and synthetic
rows, all tools alike. Peers give scores and no verdict. The rule for all, Geurim as well: **a
defect is caught if any figure of a tool's lies outside the range that it has over {honest}
honest sets of rows, widened on both sides by so many of its lengths (the margin, one half at
least) that none of the honest sets is outside the ranges of the others.** Geurim's own verdict
needs no honest sets, and blames an honest figure once in 10,000 times at most; by the rule any
tool may be wrong about once in {honest} times, as an honest set is the furthest of them as
often as any other. To each length the median of the tool's lengths is added, for five sets may
agree by luck.

Peers' time grows with the columns, so they get nine of Adult's; what a defect needs is planted
beside three, half of all that is planted in one table, the rest in another, so that three ranges
serve for all. Named is the figure that is furthest outside; **?** is outside by half a length, as
honest sets are too.

- SDMetrics 0.32.0: both reports down to columns and pairs, NewRowSynthesis (500 rows) and
  DCROverfittingProtection (1,000 rows). All text is given as categories, which helps it.
- mostlyai-qa 1.10.11: the report's metrics, and the accuracies of columns and pairs.
- Anonymeter 1.1.0 measures privacy alone, so it looks for few of these defects: its three attacks,
  500 times each, every column in its turn the secret.
- synthcity 0.2.12 is left out: it asks for torch below 2.3, which was not to be had without CUDA;
  beside torch 2.13.0 it stops at its import of torchvision, whose CPU build was not to be had."""


def write(kept: Mapping[str, Any]) -> str:
    """The page."""
    parts = [_tables(kept["tables"]), _joined(kept["joined"]), _peers(kept["peers"])]
    return "\n".join(["# What verify catches", "", *(line for part in parts for line in part)])


def _tables(kept: Kept) -> list[str]:
    """Single tables, by strength and defect."""
    names = [n for n in ("adult", "flights", "bank") if any(k.startswith(f"{n}/") for k in kept)]
    lines = ["## Tables", "", _head(kept, names), "", *_totals(kept, names), ""]
    lines += [
        "### By defect",
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
            by.update(sorted({f[1] for f in found}))
        told = ", ".join(f"`{name}`" for name, _ in by.most_common(4)) or "nothing"
        amounts = " / ".join(f"{a:g}" for a in d.amounts)
        lines.append(f"| {d.name} | {d.what} | {amounts} | {' | '.join(cells)} | {told} |")
    return [*lines, "", *_alarms(kept), ""]


def _head(kept: Kept, names: list[str]) -> str:
    rows = {v["rows"] for v in kept.values()}
    seconds = float(np.mean([v["seconds"] for v in kept.values()]))
    left = sorted({n for v in kept.values() for n in v["without"]})
    told = f" To save time, left out were {', '.join(left)}." if left else ""
    return (
        f"Made by `python benchmarks/defects.py --data PATH` on {', '.join(names)}: "
        f"{' or '.join(f'{r:,}' for r in sorted(rows))} rows each of training, holdout and "
        f"synthetic rows; a report took {seconds:.1f} CPU s on average. Caught: the default report "
        "warns or fails; the group that tells most about the target is named as sensitive. "
        "Honest rows are real rows that stand for a perfect generator's." + told
    )


def _mark(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return " "
    if entry["found"] is None:
        return "·"
    verdicts = [f[0] for f in entry["found"]]
    return "f" if "fail" in verdicts else "w" if verdicts else "–"


def _totals(kept: Kept, names: list[str]) -> list[str]:
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


def _alarms(kept: Kept) -> list[str]:
    told = [
        f"- {k}: " + "; ".join(f"{f[0]} `{f[1]}` {f[2]}" for f in v["found"])
        for k, v in kept.items()
        if "/honest/" in k and v["found"]
    ]
    return ["### False alarms", "", *(told or ["None."])]


def _joined(kept: Kept) -> list[str]:
    """Series and databases."""
    out: list[str] = []
    for title, sets, defects, how in (
        ("Series", SERIES_SETS, SERIES, "`verify_sequences`, with a holdout"),
        ("Databases", LINK_SETS, LINKS, "`verify_database`, half of the parents against the other"),
    ):
        alarms = {n: [v for k, v in kept.items() if k.startswith(f"{n}/honest/")] for n in sets}
        counts = [f"{sum(bool(e['found']) for e in own)} of {len(own)}" for own in alarms.values()]
        out += [
            f"## {title}",
            "",
            f"By {how}. Marks as above; · nothing to spoil.",
        ]
        out += ["", f"| defect | unit | amounts | {' | '.join(sets)} | found by |"]
        out.append("| --- | --- | --- |" + " --- |" * (len(sets) + 1))
        for d in defects:
            entries = {n: [kept.get(f"{n}/{d.name}/{s}") for s in range(3)] for n in sets}
            cells = [" ".join(map(_mark, own)) for own in entries.values()]
            strong = [e["found"] for own in entries.values() if (e := own[2]) and e["found"]]
            by = Counter(name for found in strong for name in sorted({f[1] for f in found}))
            told = ", ".join(f"`{name}`" for name, _ in by.most_common(3)) or "nothing"
            amounts = " / ".join(f"{a:g}" for a in d.amounts)
            out.append(f"| {d.name} | {d.what} | {amounts} | {' | '.join(cells)} | {told} |")
        out += [f"| honest draws blamed | | | {' | '.join(counts)} | |", ""]
    return out


def _peers(kept: Mapping[str, Any]) -> list[str]:
    """Geurim beside its peers."""
    if not kept:
        return []
    tools = kept["tools"]
    out = ["## Peers on the same rows", "", PEERS.format(**kept), ""]
    out += ["| | Geurim's verdict | " + " | ".join(f"{TOOLS[t]} by the rule" for t in tools) + " |"]
    out.append("| --- |" + " --- |" * (len(tools) + 1))
    for d in DEFECTS:
        own = tools["geurim"]["defects"][d.name]["blamed"]
        cells = [f"yes: `{own[0]}`" if own else "–"]
        cells += [_caught(v["defects"].get(d.name)) for v in tools.values()]
        out.append(f"| {d.name} | " + " | ".join(cells) + " |")
    out.append(f"| **caught of {len(DEFECTS)}** | " + " | ".join(totals(kept)) + " |")
    for title, value in (
        (
            "margin, by table",
            lambda v: " / ".join(f"{m:g}" for m in v["margin"].values()),
        ),
        ("honest sets that would be ?", _doubted),
        ("figures", lambda v: " / ".join(str(m) for m in v["figures"].values())),
        ("CPU s a set", lambda v: f"{v['seconds']:g}"),
    ):
        out.append(f"| {title} | | " + " | ".join(value(v) for v in tools.values()) + " |")
    return [*out, "", *_only(tools), ""]


def totals(kept: Mapping[str, Any]) -> list[str]:
    """How many defects: Geurim's own verdict, then each tool by the rule."""
    tools = kept["tools"]
    own = sum(bool(e.get("blamed")) for e in tools["geurim"]["defects"].values())
    return [str(own), *(str(_hits(v)) for v in tools.values())]


def _hits(tool: Mapping[str, Any]) -> int:
    return sum(bool(e and e.get("caught")) for e in tool["defects"].values())


def _doubted(tool: Mapping[str, Any]) -> str:
    return f"{sum(f > LEAST for f in tool['calm'])} of {len(tool['calm'])}"


def _caught(entry: Mapping[str, Any] | None) -> str:
    if not entry:
        return " "
    if "error" in entry:
        return "broke down"
    if entry["caught"]:
        return f"yes: {entry['figure']}"
    return "?" if entry["beyond"] > LEAST else "–"


def _only(tools: Mapping[str, Any]) -> list[str]:
    """What a peer catches and Geurim's verdict does not, and what no peer catches."""
    own = tools["geurim"]["defects"]
    peers = {t: v["defects"] for t, v in tools.items() if t != "geurim"}
    hit = {
        d.name: [TOOLS[t] for t, v in peers.items() if v.get(d.name, {}).get("caught")]
        for d in DEFECTS
    }
    ours = [n for n, by in hit.items() if own[n]["blamed"] and not by]
    theirs = [f"{n} ({', '.join(by)})" for n, by in hit.items() if by and not own[n]["blamed"]]
    neither = [n for n, by in hit.items() if not by and not own[n]["blamed"]]
    return [
        f"- Caught by Geurim's verdict and by no peer: {', '.join(ours) or 'none'}.",
        f"- Caught by a peer and not by Geurim's verdict: {', '.join(theirs) or 'none'}.",
        f"- Caught by neither: {', '.join(neither) or 'none'}.",
    ]
