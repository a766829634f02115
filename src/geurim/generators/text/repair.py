"""The JSON of a model's answer, with a bounded list of slips mended and none guessed."""

from __future__ import annotations

import json
import math
import re
from typing import NoReturn

from geurim.contract import Json
from geurim.errors import DataError
from geurim.generators.text.blocks import blocks, shown

_MOST_CHARACTERS = 2_000_000
_MOST_DEPTH = 200
_MOST_STARTS = 50


def repair_json(text: str, *, truncated: bool = False) -> Json:
    """The one JSON value of an answer, after mending what models commonly break.

    Mended: a fence or words around it, a comma before a closing bracket, single or curly quotes,
    Python's True, False and None, names without quotes, comments, line breaks inside strings, and
    closing brackets missing at the very end. With `truncated` (finish reason "length") nothing is
    closed: only a whole object or array that came before the cut is taken.
    DataError where there is no value, where there are several different ones, or where it ends in
    the middle of something.
    """
    if len(text) > _MOST_CHARACTERS:
        raise DataError(f"An answer of {len(text):,} characters is too long to be read as JSON.")
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError):
        pass
    else:
        if not truncated or isinstance(value, dict | list):
            return _writable(value)
    pieces = [text]
    try:
        fenced = [code for label, code in blocks(text) if label.lower() in ("json", "", "json5")]
        pieces = [*fenced, text] if len(fenced) == 1 else [text]
    except DataError:  # a fence that is never closed: read what stands behind it
        pass
    errors: list[str] = []
    for piece in pieces:
        values = _values(piece, truncated, errors)
        objects = [v for v in values if isinstance(v, dict)]
        if len(objects) == 1 or len(values) == 1:
            return _writable((objects or values)[0])
        if values:
            raise DataError(
                f"The answer holds {len(values)} different JSON values. Ask for one: {shown(text)}"
            )
    cut = " The answer was cut short by its token limit." if truncated else ""
    reason = errors[0] if errors else "it has no object and no array"
    raise DataError(f"The answer is not JSON: {reason}.{cut} It reads: {shown(text)}")


def _values(text: str, truncated: bool, errors: list[str]) -> list[Json]:
    """The different objects and arrays of a text, outermost only."""
    found: list[Json] = []
    place = 0
    for _ in range(_MOST_STARTS):
        start = re.compile(r"[{\[]").search(text, place)
        if start is None:
            break
        reader = _Reader(text, start.start(), close=not truncated)
        try:
            value = reader.value(0)
        except _Unreadable as error:
            errors.append(str(error))
            if error.ended or reader.begun:  # what follows lies inside it: a part, not the whole
                return []
            place = start.end()  # words in brackets, as in "[Note]"
            continue
        place = reader.place
        if not any(_same(value, known) for known in found):
            found.append(value)
    return found


def _same(one: Json, other: Json) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits} is too large")
    return number


def _writable(value: Json) -> Json:
    """The value, if it can be written: half a surrogate pair cannot."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise DataError("The answer holds half of a character (a lone surrogate).") from None
    return value


class _Unreadable(Exception):
    def __init__(self, message: str, ended: bool = False) -> None:
        super().__init__(message)
        self.ended = ended


_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’"}
_SKIP = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/|#[^\n]*)*", re.S)
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])")
_WORD = re.compile(r"(?:\$|[^\W\d])[\w$-]*")
_WORDS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


class _Reader:
    """A reader of JSON that forgives a stated list of slips, in one pass."""

    def __init__(self, text: str, place: int, close: bool) -> None:
        self.text, self.place, self.close = text, place, close
        self.begun = False  # more was read than an opening bracket

    def value(self, depth: int) -> Json:
        if depth > _MOST_DEPTH:
            raise _Unreadable(f"it is nested more than {_MOST_DEPTH} deep", ended=True)
        mark = self.next()
        if mark == "{":
            return self.object(depth)
        if mark == "[":
            return self.array(depth)
        if mark in _QUOTES:
            return self.string()
        number = _NUMBER.match(self.text, self.place)
        if number:
            try:
                value = json.loads(number[0], parse_float=_finite)
            except ValueError:
                self.fail("a number that fits")
            self.place = number.end()
            return value
        word = _WORD.match(self.text, self.place)
        if word and word[0] in _WORDS:
            self.place = word.end()
            return _WORDS[word[0]]
        self.fail("a value")

    def object(self, depth: int) -> dict[str, Json]:
        found: dict[str, Json] = {}
        self.place += 1
        while not self.ends("}"):
            key = self.string() if self.next() in _QUOTES else self.word()
            if self.next() != ":":
                self.fail("a colon")
            self.place += 1
            self.begun = True
            found[key] = self.value(depth + 1)
            self.separate("}")
        return found

    def array(self, depth: int) -> list[Json]:
        found: list[Json] = []
        self.place += 1
        while not self.ends("]"):
            found.append(self.value(depth + 1))
            self.begun = True
            self.separate("]")
        return found

    def ends(self, bracket: str) -> bool:
        mark = self.next()
        if mark == bracket:
            self.place += 1
        elif mark == "" and not (self.close and self.begun):
            self.fail(bracket)
        return mark in (bracket, "")

    def separate(self, bracket: str) -> None:
        mark = self.next()
        if mark == ",":
            self.place += 1
            if self.next() == "":  # a comma promises one more: something is lost
                self.fail("one more value")
        elif mark not in (bracket, ""):
            self.fail(f"a comma or {bracket}")

    def word(self) -> str:
        word = _WORD.match(self.text, self.place)
        if not word:
            self.fail("a name")
        self.place = word.end()
        return word[0]

    def string(self) -> str:
        closing = _QUOTES[self.text[self.place]]
        parts: list[str] = []
        self.place += 1
        plain = re.compile(rf"[^\\{closing}]+")
        while True:
            run = plain.match(self.text, self.place)
            if run:
                parts.append(run[0])
                self.place = run.end()
            mark = self.text[self.place : self.place + 1]
            if mark == "":
                self.fail("the end of a string")
            self.place += 1
            if mark == closing:
                return "".join(parts)
            parts.append(self.escape())

    def escape(self) -> str:
        mark = self.text[self.place : self.place + 1]
        if mark == "u":
            pair = re.compile(r"u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
            code = pair.match(self.text, self.place) or re.compile(r"u[0-9a-fA-F]{4}").match(
                self.text, self.place
            )
            if not code:
                self.fail("four hexadecimal digits")
            self.place = code.end()
            return str(json.loads(f'"\\{code[0]}"'))
        if mark not in ('"', "'", "\\", "/", *_ESCAPES):
            self.fail("an escape that JSON knows")
        self.place += 1
        return _ESCAPES.get(mark, mark)

    def next(self) -> str:
        skipped = _SKIP.match(self.text, self.place)
        assert skipped is not None
        self.place = skipped.end()
        return self.text[self.place : self.place + 1]

    def fail(self, wanted: str) -> NoReturn:
        ended = self.place >= len(self.text)
        what = "it ends" if ended else repr(self.text[self.place : self.place + 20]) + " stands"
        raise _Unreadable(f"{what} at character {self.place} where {wanted} should be", ended)
