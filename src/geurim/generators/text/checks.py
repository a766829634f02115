"""Validated columns: what a value must stand up to before its row is kept.

A check holds settings only. `check(value, row)` gives None, or one plain sentence with the value
that says why not; the row then goes to the rejects. Recipes name checks as `CHECKS` does. Settings
that name a text (`tests`, `expect`, `passage` …) take a column's name, or a Jinja template over the
row, or the text itself.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from geurim import curate
from geurim.contract import Json
from geurim.curate import RowStep
from geurim.errors import MissingExtra, SettingError
from geurim.generators.text.blocks import one_line, shown
from geurim.generators.text.checking import Check, Unjudged, near_to, no_constant, text_of
from geurim.generators.text.execution import Parses, PythonRuns, SqlRuns
from geurim.generators.text.finals import boxed, plain_answer
from geurim.generators.text.grounding import grounding
from geurim.generators.text.numerals import last_number, number_of
from geurim.generators.text.replies import extract_code, parse_list, repair_json

__all__ = [
    "CHECKS",
    "Check",
    "Contains",
    "ExactAnswer",
    "Grounded",
    "JsonSchema",
    "Parses",
    "Passes",
    "PythonRuns",
    "Regex",
    "Register",
    "SqlRuns",
    "Unjudged",
    "check",
    "extract_code",
    "parse_list",
    "repair_json",
    "text_of",
]


@dataclass(frozen=True, kw_only=True)
class JsonSchema(Check):
    """The value is JSON that fits a schema (Draft 2020-12, formats included)."""

    name: ClassVar[str] = "json_schema"
    schema: Mapping[str, Json]

    def __post_init__(self) -> None:
        _validator(json.dumps(self.schema))

    def problem(self, value: Any, row: Mapping[str, Any]) -> str | None:
        if isinstance(value, str):
            try:
                value = json.loads(value, parse_constant=no_constant)
            except (ValueError, RecursionError) as broken:
                return f"it is not JSON ({one_line(broken)}): {shown(value)}"
        from jsonschema.exceptions import best_match

        try:
            error = best_match(_validator(json.dumps(self.schema)).iter_errors(value))
        except RecursionError:
            return "it is nested too deep for its JSON schema"
        if error is None:
            return None
        return f"{error.json_path} does not fit the JSON schema: {one_line(error.message)}"


@functools.lru_cache(maxsize=256)
def _validator(schema: str) -> Any:
    try:
        import jsonschema
        import referencing
    except ModuleNotFoundError as error:
        raise MissingExtra("A JSON schema", "text") from error
    kind = jsonschema.Draft202012Validator
    content = json.loads(schema)
    try:
        kind.check_schema(content)
    except jsonschema.SchemaError as error:
        raise SettingError(
            f"Not a JSON schema (Draft 2020-12): {error.json_path}: {one_line(error.message)}"
        ) from None
    _no_far_references(content)
    # An empty registry: a reference is never fetched from the network.
    validator = kind(content, registry=referencing.Registry(), format_checker=kind.FORMAT_CHECKER)
    return validator


def _no_far_references(part: Json) -> None:
    if isinstance(part, Mapping):
        target = part.get("$ref", part.get("$dynamicRef", "#"))
        if isinstance(target, str) and not target.startswith("#"):
            raise SettingError(
                f"A JSON schema may only refer to itself, not to {target!r}. Put it under $defs."
            )
        for inner in part.values():
            _no_far_references(inner)
    elif isinstance(part, list):
        for inner in part:
            _no_far_references(inner)


@dataclass(frozen=True, kw_only=True)
class Regex(Check):
    """The value matches a regular expression (RE2: its time is linear in the value, always).

    RE2 knows no lookahead and no back references. `full`: all of the value, else some part of it.
    """

    name: ClassVar[str] = "regex"
    pattern: str
    full: bool = True

    def __post_init__(self) -> None:
        _matches("", self.pattern)

    def problem(self, value: str, row: Mapping[str, Any]) -> str | None:
        pattern = rf"\A(?:{self.pattern})\z" if self.full else self.pattern
        if _matches(value, pattern):
            return None
        what = "does not match" if self.full else "holds nothing that matches"
        return f"it {what} {self.pattern!r}: {shown(value)}"


def _matches(value: str, pattern: str) -> bool:
    try:
        return bool(pc.match_substring_regex(pa.array([value]), pattern)[0].as_py())
    except pa.ArrowInvalid as error:
        raise SettingError(
            f"Not a regular expression that RE2 takes: {pattern!r} ({one_line(error)}). "
            "Lookahead and back references are not supported."
        ) from None


@dataclass(frozen=True, kw_only=True)
class ExactAnswer(Check):
    """The value's final answer equals `expected` (a column, a template or the answer itself).

    `extract`: "last_number", "boxed" (LaTeX, the last one), or a regular expression of RE2 with a
    group named answer, whose last match is taken. Numbers are compared as numbers (1,200 = 1200.0,
    3/4 = 0.75, 3만 5천 = 35000), other answers as text without spaces and dollar signs.
    """

    name: ClassVar[str] = "exact_answer"
    expected: str
    extract: str = "last_number"
    tolerance: float = 0.0  # relative

    def __post_init__(self) -> None:
        if not 0 <= self.tolerance < 1:
            raise SettingError(f"tolerance out of range: {self.tolerance}. Give 0 to below 1.")
        if self.extract not in ("last_number", "boxed"):
            if "(?P<answer>" not in self.extract:
                raise SettingError(
                    f"Not a way to find the answer: {self.extract!r}. Give last_number, boxed, or "
                    "a regular expression with a group (?P<answer>…)."
                )
            _extracted("", self.extract)

    def problem(self, value: str, row: Mapping[str, Any]) -> str | None:
        wanted = text_of(self.expected, row)
        found = self.answer(value)
        if found is None:
            return f"it has no answer ({self.extract}): {shown(value[-80:])}"
        if self._equal(found, wanted):
            return None
        return f"the answer is {shown(found)}, where {shown(wanted)} is right"

    def answer(self, value: str) -> str | None:
        """The final answer that stands in a value, or None."""
        if self.extract == "last_number":
            return last_number(value)
        if self.extract == "boxed":
            return boxed(value)
        return _extracted(value, self.extract)

    def _equal(self, found: str, wanted: str) -> bool:
        if self.extract == "last_number" and number_of(wanted) is None:
            wanted = last_number(wanted) or wanted  # "#### 42", as GSM8K writes it
        one, other = number_of(found), number_of(wanted)
        if one is None or other is None:
            return plain_answer(found) == plain_answer(wanted)
        return abs(one - other) <= Fraction(self.tolerance) * abs(other)


def _extracted(text: str, pattern: str) -> str | None:
    try:
        found = pc.extract_regex(pa.array([text]), f"(?s:.*){pattern}")[0].as_py()
    except pa.ArrowInvalid as error:
        raise SettingError(
            f"Not a regular expression that RE2 takes: {pattern!r} ({one_line(error)})."
        ) from None
    return None if found is None else found["answer"].strip()


@dataclass(frozen=True, kw_only=True)
class Contains(Check):
    """The value holds a text (`inside=False`), or lies in it word for word (`inside=True`).

    Case, width of letters and runs of spaces make no difference.
    """

    name: ClassVar[str] = "contains"
    text: str
    inside: bool = False

    def problem(self, value: str, row: Mapping[str, Any]) -> str | None:
        text = text_of(self.text, row)
        part, whole = (value, text) if self.inside else (text, value)
        if not _flat(part):
            return "there is nothing to look for: the text is empty"
        if _flat(part) in _flat(whole):
            return None
        return f"{shown(part)} does not stand in {shown(whole)}"


def _flat(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


@dataclass(frozen=True, kw_only=True)
class Grounded(Check):
    """Most of what the value says stands in a passage: its numbers, names and content words.

    A heuristic on words, not on sense: it finds answers from elsewhere and invented figures, not a
    "not" that was left out. See `grounding` for the measure.
    """

    name: ClassVar[str] = "grounded"
    passage: str
    least: float = 0.4  # share of the content words
    numbers: bool = True  # every number has to stand in the passage

    def __post_init__(self) -> None:
        if not 0 < self.least <= 1:
            raise SettingError(f"least out of range: {self.least}. Give more than 0, at most 1.")

    def problem(self, value: str, row: Mapping[str, Any]) -> str | None:
        found = grounding(value, text_of(self.passage, row))
        if self.numbers and found.numbers_missing:
            return f"numbers that are not in the passage: {', '.join(found.numbers_missing[:5])}"
        if found.words == 0:
            return (
                None if found.numbers else f"it says nothing that can be looked up: {shown(value)}"
            )
        if found.share < self.least:
            missing = ", ".join(found.words_missing[:5])
            return f"only {found.share:.0%} of its words stand in the passage; not: {missing}"
        return None


REGISTERS: Mapping[str, tuple[str, ...]] = {
    "합쇼체": ("hapsyo",),
    "해요체": ("haeyo",),
    "해체": ("hae", "plain"),  # among friends both are heard: 맛있다. 또 가자.
    "반말": ("hae", "plain"),
    "해라체": ("plain",),
    "문어체": ("plain", "noun"),
    "음슴체": ("noun",),
}
"""Registers of Korean, and the endings that they take; the first has to be there."""

_MORE_HAE = "[돼마려여켜져쳐셔겨혀춰꿔내개]"  # at the end of a sentence that has its mark


@dataclass(frozen=True, kw_only=True)
class Register(Check):
    """The sentences of a Korean text end in the register wanted: 합쇼체, 해요체, 해체, 문어체 …

    Of the sentences whose end tells a register, at least a share `least` has the one wanted.
    Headings, list items without a verb and quotations that end otherwise weigh little that way.
    """

    name: ClassVar[str] = "register"
    wanted: str  # one of REGISTERS: a column, a template or the name itself
    least: float = 0.6

    def __post_init__(self) -> None:
        if not 0 < self.least <= 1:
            raise SettingError(f"least out of range: {self.least}. Give more than 0, at most 1.")

    def problem(self, value: str, row: Mapping[str, Any]) -> str | None:
        wanted = text_of(self.wanted, row)
        if wanted not in REGISTERS:
            raise SettingError(f"Unknown register: {wanted!r}.{near_to(wanted, REGISTERS)}")
        counts, endings = register_counts(value), REGISTERS[wanted]
        total = sum(counts.values())
        if not total:
            return f"no sentence end tells a register: {shown(value)}"
        share = sum(counts[e] for e in endings) / total
        if share >= self.least and counts[endings[0]]:
            return None
        if share >= self.least:
            return f"none of its {total} sentence ends is {wanted} and nothing else"
        return f"{share:.0%} of its {total} sentence ends are {wanted} (at least {self.least:.0%})"


def register_counts(text: str) -> dict[str, int]:
    """How many sentences of a Korean text end in each register, of those that tell one."""
    from geurim.noise.measures import REGISTER_ENDS
    from geurim.noise.sheet import END, lay_out

    sheet, _ = lay_out([text])
    counts = {n: len(re.findall(pattern, sheet.text)) for n, pattern in REGISTER_ENDS.items()}
    counts["hae"] += len(re.findall(rf"{_MORE_HAE}{END}(?=[.!?~])", sheet.text))
    return counts


@dataclass(frozen=True, kw_only=True)
class Passes(Check):
    """The value passes a step of curation that judges each text by itself (alpaca, leaks, …).

    As a check a row is dropped before more is asked about it; as a step, after it is whole. `with`
    names the step and its settings: {step: alpaca, settings: {least_words: 3}}.
    """

    name: ClassVar[str] = "passes"
    step: str
    settings: Mapping[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self._step, RowStep):
            raise SettingError(
                f"The step {self.step!r} looks at the whole set. Name it under `steps`."
            )

    @functools.cached_property
    def _step(self) -> Any:
        return curate.step(self.step, **self.settings)

    def problem(self, value: str, row: Mapping[str, Any]) -> str | None:
        reason = self._step.reasons(pa.array([value], pa.string()))[0].as_py()
        return None if reason is None else reason.rstrip(".")


CHECKS: Mapping[str, type[Check]] = {
    kind.name: kind
    for kind in (
        *(JsonSchema, Regex, PythonRuns, SqlRuns, ExactAnswer, Contains, Grounded, Parses),
        Passes,
        Register,
    )
}


def check(name: str, **settings: Any) -> Check:
    """The check of a recipe: `check("regex", pattern="[A-Z]+")`. SettingError for unknown names."""
    if name not in CHECKS:
        raise SettingError(f"Unknown check: {name!r}.{near_to(name, CHECKS)}")
    kind = CHECKS[name]
    known = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for setting in settings:
        if setting not in known:
            raise SettingError(
                f"The check {name!r} has no setting {setting!r}.{near_to(setting, known)}"
            )
    for setting, f in known.items():
        missing = f.default is f.default_factory is dataclasses.MISSING
        if setting not in settings and missing:
            raise SettingError(f"The check {name!r} needs the setting {setting!r}.")
    return kind(**settings)
