"""Checks that run code, or parse it: Python in the sandbox, SQL in SQLite."""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from geurim.errors import DataError, SettingError
from geurim.generators.text.blocks import one_line, shown
from geurim.generators.text.checking import Check, no_constant, text_of
from geurim.generators.text.replies import extract_code
from geurim.generators.text.sandbox import Ran, Sandbox
from geurim.generators.text.sqlite import Database, Refused

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
            return f"the code is not Python ({reason}): {shown(code)}"
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
            return f"the tests are not Python ({reason}): {shown(tests)}"
        if not _asserts(tests):
            return f"the tests assert nothing: {shown(tests)}"
        reason = self._fails(code, tests)
        if reason is not None:
            return f"the code fails its tests: {reason}"
        if not self.vacuous and self._fails("", tests) is None:
            return f"the tests pass without the code: {shown(tests)}"
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
        return f"line {error.lineno}: {error.msg}" if error.lineno else error.msg
    except (ValueError, RecursionError, MemoryError) as error:
        return one_line(error) or "nested too deep"
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
                return f"the tables cannot be made ({error}): {shown(setup)}"
            try:
                found = database.rows(query)
            except Refused as error:
                return f"the query fails ({error}): {shown(query)}"
            if len(found) < self.least_rows:
                return f"the query gives {len(found)} rows, fewer than {self.least_rows}"
            return None if wanted is None else _differs(database, found, wanted)


def _differs(database: Database, found: list[tuple[Any, ...]], wanted: str) -> str | None:
    try:
        right = database.rows(extract_code(wanted, "sql"))
    except (Refused, DataError) as error:
        return f"the expected query fails ({error}): {shown(wanted)}"
    one, other = _comparable(found), _comparable(right)
    if not re.search(r"\border\s+by\b", re.sub(r"\([^()]*\)", "", wanted), re.I):
        one, other = sorted(one), sorted(other)
    if one == other:
        return None
    return f"the query gives {shown(found)} where {shown(right)} is right"


def _comparable(rows: list[tuple[Any, ...]]) -> list[tuple[str, ...]]:
    def plain(value: Any) -> str:
        return f"{value:.9g}" if isinstance(value, int | float) else repr(value)

    return [tuple(plain(value) for value in row) for row in rows]


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
        return None if reason is None else f"it is not {self.language} ({reason}): {shown(code)}"

    def _error(self, code: str) -> str | None:
        if self.language == "python":
            return _python_error(code)
        if self.language == "json":
            try:
                json.loads(code, parse_constant=no_constant)
            except (ValueError, RecursionError) as error:
                return one_line(error)
            return None
        with Database(seconds=2.0) as database:
            return database.syntax_error(code)
