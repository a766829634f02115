"""The report as a data card in Markdown: for the README beside the rows, in plain words."""

from __future__ import annotations

from collections.abc import Iterator

from geurim.contract import Finding, Lineage
from geurim.html import number
from geurim.verify.report import WORDS, Report, clean, sentence, tally
from geurim.verify.verdict import ORDER

SHOWN = 10  # findings of a question that are not a pass, at most
LIMIT = (
    "What was measured says how these rows differ from the real ones, and what the attacks that "
    "were tried could learn from them. No test shows that nobody can learn more, or that the rows "
    "are anonymous in law."
)


def to_markdown(report: Report, title: str = "Synthetic data") -> str:
    """A data card: verdicts, what is behind them, how it was measured, where the rows come from."""
    parts = [f"# {_plain(title)}", f"Verdict: **{WORDS[report.verdict]}**. {_counts(report)}"]
    parts += ["| question | verdict | checks |\n| --- | --- | --- |\n" + "\n".join(_table(report))]
    for question in report.verdicts:
        own = [f for f in report.findings if f.question == question]
        parts += [f"## {question.capitalize()}", *_told(own)]
    parts += ["## How it was measured"]
    parts += ["\n".join(f"- {_plain(n)}" for n in _notes(report))]
    parts += ["## Where the rows come from", "\n".join(_origins(report))]
    return "\n\n".join(parts) + "\n"


def _counts(report: Report) -> str:
    rows = report.rows
    held = "real rows never seen" if report.lineage.get("holdout") else "others of the same table"
    return (
        f"{rows['synthetic']:,} synthetic rows were compared with {rows['training']:,} real rows "
        f"and with {rows['holdout']:,} {held}."
    )


def _table(report: Report) -> Iterator[str]:
    for question, verdict in report.verdicts.items():
        own = [f for f in report.findings if f.question == question]
        yield f"| {question} | {WORDS[verdict]} | {tally(own)} |"


def _told(findings: list[Finding]) -> Iterator[str]:
    """What is not a pass, the worst first; where all pass, so."""
    told = sorted(
        (f for f in findings if f.verdict in ("fail", "warn")),
        key=lambda f: -ORDER.index(f.verdict),
    )
    if not told:
        judged = any(f.verdict == "pass" for f in findings)
        if judged:
            yield "Nothing that deserves a closer look was found."
        else:
            yield "\n".join(f"- {_plain(sentence(f))}" for f in findings[:SHOWN])
        return
    lines = [
        f"- **{WORDS[f.verdict]}** (`{f.name}` {number(f.value)}, "
        f"[{number(f.low)}, {number(f.high)}]): {_plain(sentence(f))}"
        for f in told[:SHOWN]
    ]
    if len(told) > SHOWN:
        lines.append(f"- … and {len(told) - SHOWN:,} more")
    yield "\n".join(lines)


def _notes(report: Report) -> Iterator[str]:
    yield from report.notes
    yield f"Verified with seed {report.seed}" + (
        f", target {report.target}." if report.target is not None else "."
    )
    yield LIMIT


def _origins(report: Report) -> Iterator[str]:
    for which, lineage in report.lineage.items():
        if lineage is not None:
            yield from _line(which, lineage, 0)


def _line(which: str, lineage: Lineage, level: int) -> Iterator[str]:
    seed = "" if lineage.seed is None else f", seed {lineage.seed}"
    spent = "".join(
        f"; differentially private: epsilon {p.epsilon:g}, delta {p.delta:g} for each {p.unit}"
        for p in lineage.privacy
    )
    kind = "real" if lineage.real else f"depth {lineage.depth}"
    yield (
        f"{'  ' * level}- {which}: {_plain(clean(lineage.maker))} ({kind}{seed}, digest "
        f"`{lineage.digest[:16]}`{spent})"
    )
    for parent in lineage.parents:
        yield from _line("from", parent, level + 1)


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    flat = " ".join(text.split())
    return "".join("\\" + c if c in "\\`*_<>[]|#" else c for c in flat)
