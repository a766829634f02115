"""SQLite in memory for queries that a model wrote: read-only, without files, with a time limit."""

from __future__ import annotations

import sqlite3
import time
from types import TracebackType
from typing import Any

_SQL_LIMITS = (
    (sqlite3.SQLITE_LIMIT_LENGTH, 1_000_000),  # bytes of one value: "replace" cannot blow up
    (sqlite3.SQLITE_LIMIT_SQL_LENGTH, 1_000_000),
    (sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 200),
    (sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 100),
    (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
    (sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 200),
    (sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 10),
    (sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0),
)
_READS = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_RECURSIVE,
    sqlite3.SQLITE_FUNCTION,
}
_NEVER = {
    sqlite3.SQLITE_ATTACH,
    sqlite3.SQLITE_DETACH,
    sqlite3.SQLITE_PRAGMA,
    sqlite3.SQLITE_CREATE_VTABLE,
    sqlite3.SQLITE_DROP_VTABLE,
}
_FUNCTIONS_DENIED = {"load_extension", "writefile", "readfile", "edit", "fts3_tokenizer"}
_UNREAD = (
    *("syntax error", "incomplete input", "unrecognized token", "one statement", "null char"),
    *("too large", "overflow"),
)
_PAGES = 16_384  # of 4 kB: the tables of one set-up
_MOST_ROWS = 10_000


class Refused(Exception):
    """SQLite did not take it, or it took too long: the reason."""


class Database:
    """One database in memory. `set_up` writes, once; then only queries are allowed."""

    def __init__(self, *, seconds: float) -> None:
        self._seconds, self._end, self._writing = seconds, 0.0, False
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.execute(f"PRAGMA max_page_count = {_PAGES}")
        self._connection.execute("PRAGMA temp_store = MEMORY")
        self._connection.execute("PRAGMA trusted_schema = OFF")
        for kind, most in _SQL_LIMITS:
            self._connection.setlimit(kind, most)
        self._connection.set_authorizer(self._allowed)
        self._connection.set_progress_handler(self._late, 5_000)

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def set_up(self, script: str) -> None:
        """Make tables and rows. Raises Refused."""
        self._end, self._writing = time.monotonic() + self._seconds, True
        try:
            self._connection.executescript(script)
        except (sqlite3.Error, sqlite3.Warning, ValueError, UnicodeError) as error:
            raise Refused(self._why(error)) from None
        finally:
            self._writing = False

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """All rows of one query. Raises Refused, also where it gives more than 10,000."""
        self._end = time.monotonic() + self._seconds
        try:
            cursor = self._connection.execute(query)
            if cursor.description is None:
                raise Refused("it is not a query: it gives no rows")
            found = cursor.fetchmany(_MOST_ROWS + 1)
            cursor.close()
        except (sqlite3.Error, sqlite3.Warning, ValueError, UnicodeError) as error:
            raise Refused(self._why(error)) from None
        if len(found) > _MOST_ROWS:
            raise Refused(f"it gives more than {_MOST_ROWS:,} rows")
        return found

    def syntax_error(self, script: str) -> str | None:
        """None if every statement can be read, whatever tables it needs; nothing is run."""
        self._end, self._writing = time.monotonic() + self._seconds, True
        statements = _statements(script)
        if not statements:
            return "there is no statement"
        for statement in statements:
            try:
                self._connection.execute(f"EXPLAIN {statement}").close()
            except (sqlite3.Error, sqlite3.Warning, ValueError, UnicodeError) as error:
                reason = str(error)
                if isinstance(error, ValueError) or any(word in reason for word in _UNREAD):
                    return reason
        return None

    def _why(self, error: Exception) -> str:
        if "interrupted" in str(error):
            return f"it takes more than {self._seconds:g} s"
        if any(word in str(error) for word in ("not authorized", "prohibited", "denied")):
            return f"{error}: a query may only read"
        return " ".join(str(error).split())[:200]

    def _late(self) -> int:
        return int(time.monotonic() > self._end)

    def _allowed(self, action: int, one: str | None, two: str | None, *_: Any) -> int:
        if action == sqlite3.SQLITE_FUNCTION and (two or "").lower() in _FUNCTIONS_DENIED:
            return sqlite3.SQLITE_DENY
        if action in _READS or (self._writing and action not in _NEVER):
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY


def _statements(script: str) -> list[str]:
    """The statements of a script; what stands after the last semicolon is one too."""
    found, start = [], 0
    for place, mark in enumerate(script):
        if mark == ";" and sqlite3.complete_statement(script[start : place + 1]):
            found.append(script[start : place + 1].strip())
            start = place + 1
    rest = script[start:].strip()
    return [s for s in [*found, rest] if s.strip("; \n\t")]
