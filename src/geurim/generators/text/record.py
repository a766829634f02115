"""What teachers answered, on disk: a run that was killed and started again asks nothing twice.

One SQLite file, one row a request, found by the request's key. It holds requests and answers, and
no key of an account and no header. An answer is committed before anybody is given it.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from geurim.errors import DataError, NotFound, TargetExists
from geurim.generators.text.teacher import Answer, Request

FORMAT = 1
_APPLICATION = 0x67726D72  # "grmr" in the file's header
_TABLE = """
CREATE TABLE answers (
    key BLOB PRIMARY KEY,        -- SHA-256 of the request
    teacher TEXT NOT NULL,       -- the name it has in the run
    model TEXT NOT NULL,         -- what the server says it is
    time REAL NOT NULL,          -- s since 1970, UTC
    prompt_tokens INTEGER,       -- NULL: the server did not say
    completion_tokens INTEGER,
    request TEXT NOT NULL,       -- canonical JSON
    answer TEXT NOT NULL         -- JSON: text, finish, logprobs
)
"""
_PUT = "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_GET = "SELECT prompt_tokens, completion_tokens, answer FROM answers WHERE key = ?"

Row = tuple[bytes, str, str, float, int | None, int | None, str, str]


class Record:
    """An open record: one process at a time, any of its threads."""

    def __init__(self, path: Path) -> None:
        """Open or begin the record. DataError where the file is none, TargetExists where another
        run has it open."""
        if not path.parent.is_dir():
            raise NotFound(f"There is no folder {str(path.parent)!r} for the record. Make it.")
        self.path = path
        self._lock = threading.Lock()
        with _explained(path):
            self._db = sqlite3.connect(
                path, timeout=0, isolation_level=None, check_same_thread=False
            )
            try:
                _begin(self._db, path)
            except BaseException:
                self._db.close()
                raise

    def get(self, key: str) -> Answer | None:
        """The answer to the request of this key, or None. By the primary key: O(log n)."""
        with self._lock:
            row = self._db.execute(_GET, (bytes.fromhex(key),)).fetchone()
        return None if row is None else _answer(*row)

    def put(self, rows: Iterable[Row]) -> None:
        """Add rows, all or none; on return they are committed. A key that is there stays as is."""
        with self._lock:
            self._db.execute("BEGIN")
            try:
                self._db.executemany(_PUT, rows)
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def __len__(self) -> int:
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM answers").fetchone()[0])

    def __iter__(self) -> Iterator[tuple[str, Answer]]:
        """Key and answer of each row, in the order they were recorded."""
        last = 0
        while True:
            with self._lock:
                rows = self._db.execute(
                    "SELECT rowid, key, prompt_tokens, completion_tokens, answer FROM answers "
                    "WHERE rowid > ? ORDER BY rowid LIMIT 1000",
                    (last,),
                ).fetchall()
            for number, key, prompt, completion, answer in rows:
                last = number
                yield key.hex(), _answer(prompt, completion, answer)
            if not rows:
                return

    def close(self) -> None:
        with self._lock:
            self._db.close()


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """What SQLite says on opening, as the errors of this library."""
    try:
        yield
        return
    except sqlite3.DatabaseError as error:
        said = str(error)
    if "locked" in said:
        raise TargetExists(
            f"The record {str(path)!r} is in use by another run. Wait until it ends, or give this "
            f"run another folder."
        )
    raise DataError(
        f"{str(path)!r} is no record of answers ({said}). Give the record of an earlier run, or a "
        f"path where there is nothing yet."
    )


def _begin(db: sqlite3.Connection, path: Path) -> None:
    """Take the record for this process alone; make it where there is none."""
    db.execute("PRAGMA locking_mode = EXCLUSIVE")  # the lock ends with the process
    db.execute("BEGIN EXCLUSIVE")
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables == 0 and application == 0:
        db.execute(_TABLE)
        db.execute(f"PRAGMA application_id = {_APPLICATION}")
        db.execute(f"PRAGMA user_version = {FORMAT}")
    elif application != _APPLICATION:
        raise DataError(
            f"{str(path)!r} is a database, but no record of answers. Give the record of an earlier "
            f"run, or a path where there is nothing yet."
        )
    elif version > FORMAT:
        raise DataError(
            f"The record {str(path)!r} has format {version}; this Geurim reads up to {FORMAT}. "
            f"Install a newer Geurim."
        )
    db.execute("COMMIT")
    db.execute("PRAGMA journal_mode = WAL")
    # FULL would survive a power cut too; NORMAL survives every end of the process.
    db.execute("PRAGMA synchronous = NORMAL")


def row(request: Request, answer: Answer, teacher: str, model: str) -> Row:
    """The row of one answered request."""
    content: dict[str, object] = {"text": answer.text, "finish": answer.finish}
    if answer.logprobs is not None:
        content["logprobs"] = answer.logprobs
    return (
        bytes.fromhex(request.key),
        teacher,
        model,
        time.time(),
        answer.prompt_tokens,
        answer.completion_tokens,
        _sound(request.text),
        json.dumps(content),  # ASCII: a lone surrogate survives
    )


def _sound(text: str) -> str:
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text


def _answer(prompt: int | None, completion: int | None, answer: str) -> Answer:
    content = json.loads(answer)
    logprobs = content.get("logprobs")
    return Answer(
        text=content["text"],
        finish=content["finish"],
        prompt_tokens=prompt,
        completion_tokens=completion,
        logprobs=None if logprobs is None else tuple(logprobs),
        replayed=True,
    )
