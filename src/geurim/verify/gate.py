"""A gate file: which findings must hold for an exit code of 0.

    [[require]]
    finding = "c2st_auc"      # a pattern on the names of findings: "column_*"
    max = 0.6                 # on the value; max_high and min_low are on the interval's ends

    [[require]]
    finding = "tail_*"
    columns = "age"           # a pattern on the columns' names
    verdict = "pass"          # this verdict or a better one

    [[require]]
    question = "private"      # every finding of a question
    verdict = "info"
    optional = true           # the report may have none

Three gates come with Geurim: "release", "internal" and "development". Without one the gate is: no
finding's verdict is "fail".
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path

from geurim.contract import Finding, Json
from geurim.errors import NotFound, SettingError
from geurim.verify.report import Report, sentence
from geurim.verify.verdict import TOLERANCES

LIMITS: Mapping[str, tuple[str, Callable[[Finding], float], int]] = {
    "max": ("value", lambda f: f.value, 1),
    "min": ("value", lambda f: f.value, -1),
    "max_high": ("upper end", lambda f: f.high, 1),
    "min_low": ("lower end", lambda f: f.low, -1),
}
"""Key of a condition -> what it limits, in words and as a number, and 1 for an upper limit."""

RANKS = {"pass": 0, "info": 1, "warn": 2, "fail": 3}
PATTERNS = ("finding", "question", "columns")
KEYS = (*PATTERNS, "verdict", "optional", *LIMITS)
PRESETS = ("release", "internal", "development")


@dataclass(frozen=True, kw_only=True)
class Require:
    """One condition: findings that match all three patterns keep all its limits."""

    finding: str = "*"
    question: str = "*"
    columns: str = "*"
    verdict: str | None = None
    optional: bool = False  # whether a report without such a finding gets through
    limits: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.verdict is not None and self.verdict not in RANKS:
            raise SettingError(
                f"A gate's verdict is {self.verdict!r}. Use one of: {', '.join(RANKS)}."
            )
        if self.verdict is None and not self.limits:
            raise SettingError(
                f"The condition on {self.named!r} limits nothing. "
                f"Give one of: verdict, {', '.join(LIMITS)}."
            )

    @property
    def named(self) -> str:
        """The findings it is on, for messages."""
        return self.finding if self.question == "*" else f"{self.question}: {self.finding}"

    def applies(self, finding: Finding) -> bool:
        columns = finding.columns or ("",)
        return self._names(finding) and any(fnmatchcase(c, self.columns) for c in columns)

    def _names(self, finding: Finding) -> bool:
        return fnmatchcase(finding.name, self.finding) and fnmatchcase(
            finding.question, self.question
        )

    def failures(self, finding: Finding) -> list[str]:
        """What is wrong with a finding that this applies to; empty if nothing is."""
        out = []
        if self.verdict is not None and RANKS[finding.verdict] > RANKS[self.verdict]:
            out.append(f"its verdict is {finding.verdict!r}, not {self.verdict!r}")
        for key, limit in self.limits.items():
            what, value_of, sign = LIMITS[key]
            value = value_of(finding)
            if math.isnan(value):
                out.append(f"it was not judged, so its {what} is not known to keep {key} = {limit}")
            elif sign * value > sign * limit:
                out.append(f"its {what} is {value:.4g}, and {key} = {limit}")
        return [f"{finding.name}: {reason} ({sentence(finding)})" for reason in out]


Gate = tuple[Require, ...]

DEFAULT: Gate = (Require(finding="*", verdict="warn"),)


def load_gate(path: str | Path | None) -> Gate:
    """The conditions of a gate that comes with Geurim, by name, or of a TOML file; None: default.

    Raises NotFound, or SettingError on a file that is not TOML or has unknown keys.
    """
    if path is None:
        return DEFAULT
    try:
        if path in PRESETS:
            text = (resources.files("geurim") / "gates" / f"{path}.toml").read_text("utf-8")
        else:
            text = Path(path).read_text("utf-8")
        state = tomllib.loads(text)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NotFound(
            f"There is no gate file {str(path)!r}. Give another path, or one of: "
            f"{', '.join(PRESETS)}."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"The gate file {str(path)!r} is not TOML: {error}. Mend it.") from error
    _known(state, ("require",), "table")
    required = state.get("require", [])
    if not isinstance(required, list) or not required:
        raise SettingError(
            f"The gate file {str(path)!r} requires nothing. Write a [[require]] table."
        )
    return tuple(_require(r) for r in required)


def _require(state: Mapping[str, Json]) -> Require:
    _known(state, KEYS, "key")
    if "finding" not in state and "question" not in state:
        raise SettingError(
            f"A condition names no finding: {dict(state)!r}. "
            f'Write question = "…", or finding = "…", such as: {", ".join(TOLERANCES)}.'
        )
    limits = {k: state[k] for k in LIMITS if k in state}
    for key, value in limits.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
            raise SettingError(f"A gate's {key} must be a number: {value!r} was given.")
    for key in (*PATTERNS, "verdict"):
        if not isinstance(state.get(key, ""), str):
            raise SettingError(f"A gate's {key} must be a text: {state[key]!r} was given.")
    if not isinstance(state.get("optional", False), bool):
        raise SettingError(f"A gate's optional must be true or false: {state['optional']!r}.")
    return Require(
        **{key: state.get(key, "*") for key in PATTERNS},
        verdict=state.get("verdict"),
        optional=state.get("optional", False),
        limits=limits,
    )


def _known(state: Mapping[str, Json], keys: tuple[str, ...], what: str) -> None:
    for key in state:
        if key not in keys:
            near = difflib.get_close_matches(key, keys, 2) or keys
            raise SettingError(
                f"The gate file has an unknown {what} {key!r}. Did you mean: {', '.join(near)}?"
            )


def gate(report: Report, path: str | Path | Gate | None = None) -> list[str]:
    """Why the report does not get through; empty if it does.

    `path`: a gate by name, its file, its conditions (`load_gate`), or None for the default. Raises
    SettingError when a condition matches no finding, so that a misspelt one cannot let everything
    through.
    """
    conditions = path if isinstance(path, tuple) else load_gate(path)
    out: list[str] = []
    for condition in conditions:
        found = [f for f in report.findings if condition.applies(f)]
        if not found and not condition.optional and condition not in DEFAULT:
            raise SettingError(_nothing(report, condition))
        for finding in found:
            out += condition.failures(finding)
    return out


def _nothing(report: Report, condition: Require) -> str:
    own = [f for f in report.findings if condition._names(f)]
    if own:
        columns = sorted({c for f in own for c in f.columns})
        near = difflib.get_close_matches(condition.columns, columns, 3) or columns[:8]
        return (
            f"The gate names columns {condition.columns!r} that no finding {condition.named!r} "
            f"is on. Did you mean: {', '.join(near) or 'no columns at all'}?"
        )
    names = sorted({f.name for f in report.findings} | set(report.verdicts))
    asked = condition.finding if condition.finding != "*" else condition.question
    near = difflib.get_close_matches(asked, names, 3) or names
    return (
        f"The gate names a finding {condition.named!r} that the report does not have. "
        f"Did you mean: {', '.join(near)}?"
    )


def github(report: Report, failures: Sequence[str]) -> list[str]:
    """The lines by which GitHub marks a run: an error for each failure of the gate, a warning for
    each finding that deserves a closer look.

    Workflow commands (docs.github.com, "Workflow commands for GitHub Actions"): what is said must
    have its percent signs and line ends escaped.
    """
    lines = [_command("error", "Geurim gate", failure) for failure in failures]
    for finding in report.findings:
        if finding.verdict == "warn":
            lines.append(_command("warning", f"Geurim {finding.name}", sentence(finding)))
    return lines


def _command(kind: str, title: str, text: str) -> str:
    for sign, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        title, text = title.replace(sign, code), text.replace(sign, code)
    return f"::{kind} title={title.replace(':', '%3A').replace(',', '%2C')}::{text}"
