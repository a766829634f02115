"""Validated columns: what a value must stand up to before its row is kept.

A check holds settings only. `check(value, row)` gives None, or one plain sentence with the value
that says why not; the row then goes to the rejects. Recipes name checks as `CHECKS` does. Settings
that name a text (`tests`, `expect`, `passage` …) take a column's name, or a Jinja template over the
row, or the text itself.
"""

from __future__ import annotations

import abc
import ast
import dataclasses
import difflib
import functools
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from geurim.contract import Json
from geurim.errors import DataError, MissingExtra, SettingError
from geurim.generators.text.grounding import grounding
from geurim.generators.text.numerals import last_number, number_of
from geurim.generators.text.replies import (
    _shown,
    extract_code,
    parse_list,
    repair_json,
)
from geurim.generators.text.sandbox import Ran, Sandbox
from geurim.generators.text.sqlite import Database, Refused

__all__ = [
    "CHECKS",
    "Check",
    "Contains",
    "ExactAnswer",
    "Grounded",
    "JsonSchema",
    "Parses",
    "PythonRuns",
    "Regex",
    "Register",
    "SqlRuns",
    "Unjudged",
    "check",
    "extract_code",
    "parse_list",
    "repair_json",
]


class Check(abc.ABC):
    """Settings of one validation; subclasses are frozen keyword-only dataclasses."""

    name: ClassVar[str]

    def check(self, value: str | None, row: Mapping[str, Any]) -> str | None:
        """None if `value`, in this row, is fine; else the reason it is not, in one sentence."""
        if value is None:
            return "it is empty"
        try:
            return self.problem(value, row)
        except DataError as error:
            return str(error)

    @abc.abstractmethod
    def problem(self, value: str, row: Mapping[str, Any]) -> str | None:
        """The same; Unjudged where the row lacks what `value` should be held against."""


class Unjudged(DataError):
    """The row lacks what a value should be held against: it is neither right nor wrong."""


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
                value = json.loads(value, parse_constant=_no_constant)
            except (ValueError, RecursionError) as broken:
                return f"it is not JSON ({_one_line(broken)}): {_shown(value)}"
        from jsonschema.exceptions import best_match

        try:
            error = best_match(_validator(json.dumps(self.schema)).iter_errors(value))
        except RecursionError:
            return "it is nested too deep for its JSON schema"
        if error is None:
            return None
        return f"{error.json_path} does not fit the JSON schema: {_one_line(error.message)}"


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


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
            f"Not a JSON schema (Draft 2020-12): {error.json_path}: {_one_line(error.message)}"
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
        return f"it {what} {self.pattern!r}: {_shown(value)}"


def _matches(value: str, pattern: str) -> bool:
    try:
        return bool(pc.match_substring_regex(pa.array([value]), pattern)[0].as_py())
    except pa.ArrowInvalid as error:
        raise SettingError(
            f"Not a regular expression that RE2 takes: {pattern!r} ({_one_line(error)}). "
            "Lookahead and back references are not supported."
        ) from None


_HARNESS = """\
import sys, types
solution = types.ModuleType("solution")
sys.modules["solution"] = solution
with open("solution.py", encoding="utf-8") as file:
    code = compile(file.read(), "solution.py", "exec")
with open("tests.py", encoding="utf-8") as file:
    tests = compile(file.read(), "tests.py", "exec")
exec(code, solution.__dict__)
names = solution.__dict__
before = {k: v for k, v in names.items()}
exec(tests, names)
for name, test in list(names.items()):
    if before.get(name) is test:
        continue
    if name.startswith("test") and isinstance(test, types.FunctionType):
        test()
    elif isinstance(test, type) and "unittest" in sys.modules:
        import unittest
        if not issubclass(test, unittest.TestCase):
            continue
        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromTestCase(test).run(result)
        for _, text in result.failures + result.errors:
            raise AssertionError(text.strip().splitlines()[-1])
sys.stdout.flush()
sys.stderr.write("\\n" + MARK)
"""


@dataclass(frozen=True, kw_only=True)
class PythonRuns(Check):
    """The value's Python code runs in the sandbox, and passes `tests` where there are some.

    The code is the first fenced block, or the whole value. Tests are Python: plain asserts,
    functions called test…, or unittest classes, in the code's own module. Tests that assert
    nothing, and tests that pass without the code (unless `vacuous`), are a reason to drop the row
    as well.
    """

    name: ClassVar[str] = "python_runs"
    tests: str | None = None
    vacuous: bool = False  # True: do not ask whether the tests pass without the code
    stdin: str | None = None
    seconds: float = 5.0
    memory_mb: int = 512
    sandbox: Sandbox | None = None  # None: the best this machine has

    def problem(self, value: str, row: Mapping[str, Any]) -> str | None:
        code = extract_code(value)
        tests = None if self.tests is None else extract_code(text_of(self.tests, row))
        reason = _python_error(code)
        if reason is not None:
            return f"the code is not Python ({reason}): {_shown(code)}"
        if not code.strip():
            return "there is no code"
        if tests is None:
            given = "" if self.stdin is None else text_of(self.stdin, row)
            ran = self._run(code, stdin=given)
            return None if ran.ok else f"the code fails: {ran.why()}"
        return self._tested(code, tests)

    def _tested(self, code: str, tests: str) -> str | None:
        reason = _python_error(tests)
        if reason is not None:
            return f"the tests are not Python ({reason}): {_shown(tests)}"
        if not _asserts(tests):
            return f"the tests assert nothing: {_shown(tests)}"
        reason = self._fails(code, tests)
        if reason is not None:
            return f"the code fails its tests: {reason}"
        if not self.vacuous and self._fails("", tests) is None:
            return f"the tests pass without the code: {_shown(tests)}"
        return None

    def _fails(self, code: str, tests: str) -> str | None:
        # A program that leaves early, by sys.exit(0) say, never writes the mark. It is made of the
        # code's own digest, so the code cannot hold it.
        digest = hashlib.sha256(f"{code}\0{tests}".encode()).hexdigest()
        mark = f"passed {digest}"
        ran = self._run(
            f"MARK = {mark!r}\n{_HARNESS}", files={"solution.py": code, "tests.py": tests}
        )
        if ran.ok and ran.stderr.endswith(mark):
            return None
        return "it ends before its tests do" if ran.ok else ran.why()

    def _run(self, code: str, **given: Any) -> Ran:
        sandbox = self.sandbox or _found()
        return sandbox.run_python(code, seconds=self.seconds, memory_mb=self.memory_mb, **given)


@functools.cache
def _found() -> Sandbox:
    return Sandbox.find()


def _python_error(code: str) -> str | None:
    try:
        ast.parse(code)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:
        return _one_line(error) or "nested too deep"
    return None


def _asserts(tests: str) -> bool:
    """Whether tests can fail: an assert, a raise, or a method of unittest called assert…."""
    for node in ast.walk(ast.parse(tests)):
        if isinstance(node, ast.Raise):
            return True
        if isinstance(node, ast.Assert) and not isinstance(node.test, ast.Constant):
            return True
        if isinstance(node, ast.Attribute) and node.attr.startswith(("assert", "fail")):
            return True
    return False


@dataclass(frozen=True, kw_only=True)
class SqlRuns(Check):
    """The value is one query that really runs in SQLite, on the tables of `schema`.

    The database is in memory; after set-up it is read-only, has no files, no PRAGMA and no ATTACH,
    and may work for `seconds`. `expect`: a query with the same result (in order where it has ORDER
    BY), as a column, a template or the text itself.
    """

    name: ClassVar[str] = "sql_runs"
    schema: str
    expect: str | None = None
    least_rows: int = 0
    seconds: float = 2.0

    def problem(self, value: str, row: Mapping[str, Any]) -> str | None:
        query = extract_code(value, "sql")
        setup = extract_code(text_of(self.schema, row), "sql")
        wanted = None if self.expect is None else text_of(self.expect, row)
        with Database(seconds=self.seconds) as database:
            try:
                database.set_up(setup)
            except Refused as error:
                return f"the tables cannot be made ({error}): {_shown(setup)}"
            try:
                found = database.rows(query)
            except Refused as error:
                return f"the query fails ({error}): {_shown(query)}"
            if len(found) < self.least_rows:
                return f"the query gives {len(found)} rows, fewer than {self.least_rows}"
            return None if wanted is None else _differs(database, found, wanted)


def _differs(database: Database, found: list[tuple[Any, ...]], wanted: str) -> str | None:
    try:
        right = database.rows(extract_code(wanted, "sql"))
    except (Refused, DataError) as error:
        return f"the expected query fails ({error}): {_shown(wanted)}"
    one, other = _comparable(found), _comparable(right)
    if not re.search(r"\border\s+by\b", re.sub(r"\([^()]*\)", "", wanted), re.I):
        one, other = sorted(one), sorted(other)
    if one == other:
        return None
    return f"the query gives {_shown(found)} where {_shown(right)} is right"


def _comparable(rows: list[tuple[Any, ...]]) -> list[tuple[str, ...]]:
    def plain(value: Any) -> str:
        return f"{value:.9g}" if isinstance(value, int | float) else repr(value)

    return [tuple(plain(value) for value in row) for row in rows]


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
            return f"it has no answer ({self.extract}): {_shown(value[-80:])}"
        if self._equal(found, wanted):
            return None
        return f"the answer is {_shown(found)}, where {_shown(wanted)} is right"

    def answer(self, value: str) -> str | None:
        """The final answer that stands in a value, or None."""
        if self.extract == "last_number":
            return last_number(value)
        if self.extract == "boxed":
            return _boxed(value)
        return _extracted(value, self.extract)

    def _equal(self, found: str, wanted: str) -> bool:
        if self.extract == "last_number" and number_of(wanted) is None:
            wanted = last_number(wanted) or wanted  # "#### 42", as GSM8K writes it
        one, other = number_of(found), number_of(wanted)
        if one is None or other is None:
            return _plain_answer(found) == _plain_answer(wanted)
        return abs(one - other) <= Fraction(self.tolerance) * abs(other)


def _boxed(text: str) -> str | None:
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth = 0
    for place in range(start + 6, len(text)):
        depth += (text[place] == "{") - (text[place] == "}")
        if depth == 0:
            return text[start + 7 : place].strip()
    return None


def _extracted(text: str, pattern: str) -> str | None:
    try:
        found = pc.extract_regex(pa.array([text]), f"(?s:.*){pattern}")[0].as_py()
    except pa.ArrowInvalid as error:
        raise SettingError(
            f"Not a regular expression that RE2 takes: {pattern!r} ({_one_line(error)})."
        ) from None
    return None if found is None else found["answer"].strip()


def _plain_answer(text: str) -> str:
    text = re.sub(r"\\(?:text|mathrm|mathbf)\{([^{}]*)\}", r"\1", text)
    text = re.sub(r"\\(?:left|right|,|;|!|\s)", "", text)
    return re.sub(r"[\s$]", "", text).rstrip(".。").casefold()


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
        return f"{_shown(part)} does not stand in {_shown(whole)}"


def _flat(text: str) -> str:
    import unicodedata

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
                None if found.numbers else f"it says nothing that can be looked up: {_shown(value)}"
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
            raise SettingError(f"Unknown register: {wanted!r}.{_near(wanted, REGISTERS)}")
        counts, endings = register_counts(value), REGISTERS[wanted]
        total = sum(counts.values())
        if not total:
            return f"no sentence end tells a register: {_shown(value)}"
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
class Parses(Check):
    """The value can be read as Python, JSON or SQL (SQLite's); nothing is run."""

    name: ClassVar[str] = "parses"
    language: str

    def __post_init__(self) -> None:
        if self.language not in ("python", "json", "sql"):
            raise SettingError(
                f"Not a language that can be parsed: {self.language!r}. "
                "Choose one of: python, json, sql."
            )

    def problem(self, value: str, row: Mapping[str, Any]) -> str | None:
        code = extract_code(value, self.language)
        reason = self._error(code) if code.strip() else "it is empty"
        return None if reason is None else f"it is not {self.language} ({reason}): {_shown(code)}"

    def _error(self, code: str) -> str | None:
        if self.language == "python":
            return _python_error(code)
        if self.language == "json":
            try:
                json.loads(code, parse_constant=_no_constant)
            except (ValueError, RecursionError) as error:
                return _one_line(error)
            return None
        with Database(seconds=2.0) as database:
            return database.syntax_error(code)


CHECKS: Mapping[str, type[Check]] = {
    kind.name: kind
    for kind in (
        *(JsonSchema, Regex, PythonRuns, SqlRuns, ExactAnswer, Contains, Grounded, Parses),
        Register,
    )
}


def check(name: str, **settings: Any) -> Check:
    """The check of a recipe: `check("regex", pattern="[A-Z]+")`. SettingError for unknown names."""
    if name not in CHECKS:
        raise SettingError(f"Unknown check: {name!r}.{_near(name, CHECKS)}")
    kind = CHECKS[name]
    known = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for setting in settings:
        if setting not in known:
            raise SettingError(
                f"The check {name!r} has no setting {setting!r}.{_near(setting, known)}"
            )
    for setting, f in known.items():
        if setting not in settings and f.default is dataclasses.MISSING:
            raise SettingError(f"The check {name!r} needs the setting {setting!r}.")
    return kind(**settings)


def _near(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    choose = f" Choose one of: {', '.join(known)}."
    return f" Did you mean {near[0]!r}?" if near else choose


def text_of(setting: str, row: Mapping[str, Any]) -> str:
    """The text a setting names: a column of the row, a template over it, or the setting itself."""
    if setting in row:
        value = row[setting]
        if value is None:
            raise Unjudged(f"the column {setting!r} is empty in this row")
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if "{{" in setting or "{%" in setting:
        return _render(setting, row)
    near = difflib.get_close_matches(setting, row, n=1, cutoff=0.8)
    if near and setting.isidentifier():
        raise SettingError(f"No column {setting!r} in the row. Did you mean {near[0]!r}?")
    return setting


@functools.lru_cache(maxsize=256)
def _template(text: str) -> Any:
    try:
        import jinja2
        import jinja2.sandbox
    except ModuleNotFoundError as error:
        raise MissingExtra("A template", "text") from error
    around = jinja2.sandbox.ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined)
    try:
        return around.from_string(text)
    except jinja2.TemplateSyntaxError as error:
        raise SettingError(f"Not a template: {_shown(text)} ({error.message}).") from None


def _render(text: str, row: Mapping[str, Any]) -> str:
    import jinja2

    try:
        return str(_template(text).render(row))
    except jinja2.UndefinedError as error:
        raise SettingError(
            f"The template {_shown(text)} uses what the row does not have: {error.message}."
        ) from None
    except Exception as error:  # a template may divide by zero, or reach for what is fenced off
        raise SettingError(f"The template {_shown(text)} fails: {_one_line(error)}.") from None


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:200]
