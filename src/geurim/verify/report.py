"""What verification found: the findings, their verdicts in words, and how to save them."""

from __future__ import annotations

import json
import math
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from geurim.contract import Finding, Json, Lineage, Verdict
from geurim.errors import DataError, NotFound
from geurim.language import say
from geurim.verify.verdict import worst

FORMAT = 1
"""Version of the JSON report. Readers refuse a newer one."""

_SECRETS = re.compile(r"(://[^/\s:@]*:)[^\s]*@|((?:password|passwd|pwd|token)=)[^&\s;]+", re.I)

QUESTIONS = ("faithful", "useful", "private", "fair", "rare", "collapsing")

WORDS: Mapping[Verdict, str] = {
    "pass": "pass",
    "warn": "look closer",
    "fail": "fail",
    "info": "not judged",
}


@dataclass(frozen=True, kw_only=True)
class Report:
    """Findings by question. No score blends them: each question has the worst of its verdicts."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...]  # plain sentences on how it was done
    rows: Mapping[str, int]  # "training", "holdout", "synthetic": rows compared
    lineage: Mapping[str, Lineage | None]  # "real", "holdout", "synthetic"
    target: str | None
    seed: int
    kind: str = "table"  # "table" or "text": what the rows are, which the page's words depend on

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all."""
        return worst(self.findings)

    @property
    def passed(self) -> bool:
        """Whether no finding failed."""
        return self.verdict != "fail"

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """The verdict of each question that was asked."""
        asked = [q for q in QUESTIONS if any(f.question == q for f in self.findings)]
        return {q: worst(f for f in self.findings if f.question == q) for q in asked}

    def find(self, name: str, *columns: str) -> Finding:
        """The finding of this name (and columns). Raises KeyError where there is none."""
        for finding in self.findings:
            if finding.name == name and (not columns or finding.columns == columns):
                return finding
        raise KeyError(f"No finding {name!r} on {columns}; there are: {self._names()}.")

    def _names(self) -> str:
        return ", ".join(sorted({f.name for f in self.findings}))

    def summary(self) -> list[str]:
        """The lines for a screen: the verdict, each question's, and what is behind it."""
        lines = [f"Verdict: {WORDS[self.verdict]}"]
        for question, verdict in self.verdicts.items():
            own = [f for f in self.findings if f.question == question]
            lines.append(f"  {question.capitalize()}: {WORDS[verdict]} ({tally(own)})")
            for finding in [f for v in ("fail", "warn") for f in own if f.verdict == v][:3]:
                lines.append(f"    {WORDS[finding.verdict]}: {sentence(finding)}")
        return lines

    def to_json(self) -> dict[str, Json]:
        """Everything, as strict JSON values: what is not a number is null."""
        state = {
            "format": "geurim-report",
            "version": FORMAT,
            "kind": self.kind,
            "verdict": self.verdict,
            "verdicts": self.verdicts,
            "target": self.target,
            "seed": self.seed,
            "rows": dict(self.rows),
            "notes": list(self.notes),
            "lineage": {k: v and _clean_lineage(v.to_json()) for k, v in self.lineage.items()},
            "findings": [asdict(f) for f in self.findings],
        }
        return dict(strict(state))

    def to_html(self, lang: str = "en") -> str:
        """One page that opens offline, plots first; in Korean for "ko"."""
        from geurim.verify.page import to_html

        return to_html(self, lang)

    def to_markdown(self, title: str = "Synthetic data") -> str:
        """A data card: verdicts, what is behind them, and where the rows come from."""
        from geurim.verify.markdown import to_markdown

        return to_markdown(self, title)

    def save_json(self, path: str | Path) -> None:
        """Write the JSON report; the file appears complete or not at all."""
        text = json.dumps(self.to_json(), ensure_ascii=False, allow_nan=False, indent=1)
        write_text(Path(path), text)

    def save_html(self, path: str | Path, lang: str = "en") -> None:
        """Write the page; the file appears complete or not at all."""
        write_text(Path(path), self.to_html(lang))

    def save_markdown(self, path: str | Path, title: str = "Synthetic data") -> None:
        """Write the data card; the file appears complete or not at all."""
        write_text(Path(path), self.to_markdown(title))


def sentence(finding: Finding) -> str:
    """A finding in one line, its columns first."""
    columns = ", ".join(repr(c) for c in finding.columns)
    return f"{columns}: {finding.text}" if columns else finding.text


def tally(findings: list[Finding]) -> str:
    """How many of the findings have which verdict: "12 pass, 1 fail"."""
    counts = [
        (say(WORDS[v]), sum(f.verdict == v for f in findings))
        for v in ("fail", "warn", "pass", "info")
    ]
    return ", ".join(f"{n} {word}" for word, n in counts if n)


def clean(maker: str) -> str:
    """A maker's name without passwords, should a URL have been used as one."""
    return _SECRETS.sub(lambda m: f"{m[1] or m[2]}***" + "@" * bool(m[1]), maker)


def _clean_lineage(state: Json) -> Json:
    parents = [_clean_lineage(p) for p in state["parents"]]
    return {**state, "maker": clean(state["maker"]), "parents": parents}


def load_report(path: str | Path) -> dict[str, Json]:
    """A saved JSON report, as JSON values. Raises NotFound, or DataError on what is no report."""
    try:
        state = json.loads(Path(path).read_text("utf-8"))
    except FileNotFoundError as error:
        raise NotFound(f"There is no report at {str(path)!r}. Give another path.") from error
    except ValueError as error:
        raise DataError(f"{str(path)!r} is not JSON: {error}. Give a saved report.") from error
    if not isinstance(state, dict) or state.get("format") != "geurim-report":
        raise DataError(f"{str(path)!r} is JSON, but not a report. Give a saved report.")
    if state.get("version") != FORMAT:
        raise DataError(
            f"{str(path)!r} has report version {state.get('version')!r}; this Geurim reads "
            f"{FORMAT}. Use the Geurim that wrote it."
        )
    return state


def strict(value: Json) -> Json:
    """JSON that every reader takes: no NaN or infinity, text without lone surrogates."""
    if isinstance(value, Mapping):
        return {strict(str(k)): strict(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict(v) for v in value]
    if isinstance(value, bool) or value is None or isinstance(value, int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return str(value).encode("utf-8", "replace").decode()


def write_text(path: Path, text: str) -> None:
    """Through a file beside it that then takes the name, so that no half file stays behind."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".geurim-")
    except FileNotFoundError as error:
        raise NotFound(
            f"There is no folder {str(path.parent)!r} to write {path.name!r} into. Make it first."
        ) from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
