"""Every error Geurim raises, in one tree; each one is also a builtin, so old `except` clauses work.

    GeurimError
    ├── DataError(ValueError)            the rows cannot be used: empty, unreadable, contradictory
    │   └── SchemaError                  a schema file or a column does not fit the data
    ├── SettingError(ValueError)         an argument or a setting is out of range or unknown
    │   └── ExpressionError              a condition or a formula cannot be read, and where
    ├── NotFound(FileNotFoundError)      a file, a table or a column's source is not there
    ├── TargetExists(FileExistsError)    writing would overwrite what is there
    ├── ConnectionFailed(ConnectionError)  a database refused or could not be reached
    ├── ModelFileError(ValueError)       a model file is truncated, tampered with or too new
    ├── FitError(RuntimeError)           a fit cannot go on: it diverged, or lacks memory
    ├── SamplingError(RuntimeError)      the rows asked for cannot be had: counts are in the message
    ├── TeacherFailed(RuntimeError)      a model server gives no answer, and what it said
    ├── BudgetExceeded(RuntimeError)     the next request could cost more than is left
    └── MissingExtra(ImportError)        an optional library is needed: the install command is given

A message has three parts: what is wrong, the value given, what to do.
"""

from __future__ import annotations


class GeurimError(Exception):
    """The root: `except GeurimError` catches everything the library raises on purpose."""


class DataError(GeurimError, ValueError):
    """The rows cannot be used as they are."""


class SchemaError(DataError):
    """A schema file or a column's declared type does not fit the data."""


class SettingError(GeurimError, ValueError):
    """An argument or a setting is out of range or unknown."""


class ExpressionError(SettingError):
    """A condition or a formula is wrong: `what`, the `advice`, and the `place` in its text.

    `place` counts characters from 0, so that a reader of files can give the line and the column;
    `text` is the whole condition, None where only a part of it is known.
    """

    def __init__(self, what: str, advice: str, place: int = 0, text: str | None = None) -> None:
        super().__init__(what, advice, place, text)
        self.what, self.advice, self.place, self.text = what, advice, place, text

    def __str__(self) -> str:
        if self.text is None:
            return f"{self.what}. {self.advice}"
        shown = self.text.replace("\n", " ").replace("\t", " ")
        return (
            f"{self.what}, at character {self.place + 1}. {self.advice}\n"
            f"  {shown}\n  {' ' * self.place}^"
        )


class NotFound(GeurimError, FileNotFoundError):
    """A file or a table is not there."""


class TargetExists(GeurimError, FileExistsError):
    """Writing would overwrite what is there, and nobody asked for that."""


class ConnectionFailed(GeurimError, ConnectionError):
    """A database refused the connection or could not be reached."""


class ModelFileError(GeurimError, ValueError):
    """A model file is truncated, tampered with, or written by a newer version."""


class FitError(GeurimError, RuntimeError):
    """A fit cannot go on: it diverged, or it would need more memory than there is."""


class SamplingError(GeurimError, RuntimeError):
    """The rows that were asked for cannot be had; the message carries the counts."""


class TeacherFailed(GeurimError, RuntimeError):
    """A teacher model gives no answer, or refuses the request; what it said is in the message."""


class BudgetExceeded(GeurimError, RuntimeError):
    """The next request could use more than the budget has left; the message carries the counts."""


class MissingExtra(GeurimError, ImportError):
    """An optional library is needed; the message carries the install command."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an extra: pip install 'geurim[{extra}]'")
