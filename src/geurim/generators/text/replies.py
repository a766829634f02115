"""What a model answers in words, read as values: code, JSON, lists, scores. Nothing is guessed.

Each function takes the whole answer and raises, or gives None, where its sense is not certain. An
answer that was cut short (finish reason "length") never becomes a whole value without a word.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from geurim.contract import Json
from geurim.errors import DataError

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*([\w+#.-]*)[^\n]*$", re.M)
_ALIASES = {"python": {"python", "py", "python3"}, "sql": {"sql", "sqlite", "sqlite3"}}
_MOST_CHARACTERS = 2_000_000
_MOST_DEPTH = 200
_MOST_STARTS = 50


def extract_code(text: str, language: str = "python") -> str:
    """The first fenced block of `language` (or without a label), or all of an unfenced text.

    DataError where a block is not closed: the answer was cut, or its rest is lost.
    """
    wanted = _ALIASES.get(language, {language})
    blocks = _blocks(text)
    if not blocks:
        return text.strip()
    for accepted in (wanted, {""}):
        for label, code in blocks:
            if label.lower() in accepted:
                return code
    labels = ", ".join(sorted({label for label, _ in blocks}))
    raise DataError(f"The answer has no block of {language}, only of: {labels}.")


def _blocks(text: str) -> list[tuple[str, str]]:
    """The fenced blocks of a text: label and content."""
    blocks: list[tuple[str, str]] = []
    opened: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        if opened is None:
            opened = fence
        elif fence[1][0] == opened[1][0] and len(fence[1]) >= len(opened[1]) and not fence[2]:
            blocks.append((opened[2], text[opened.end() + 1 : fence.start()].rstrip("\n")))
            opened = None
    if opened is not None:
        raise DataError("The answer's last code block is not closed: it may have been cut short.")
    return blocks


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
        fenced = [code for label, code in _blocks(text) if label.lower() in ("json", "", "json5")]
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
                f"The answer holds {len(values)} different JSON values. Ask for one: {_shown(text)}"
            )
    cut = " The answer was cut short by its token limit." if truncated else ""
    reason = errors[0] if errors else "it has no object and no array"
    raise DataError(f"The answer is not JSON: {reason}.{cut} It reads: {_shown(text)}")


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


_ITEM = re.compile(
    r"^([ \t]*)(?:\*\*)?(?:\(?(\d{1,4})[.):](?!\d)|[-*•‣◦–]|[①-⑳])(?:\*\*)?[ \t]+(.*)$"
)


def parse_list(text: str, *, truncated: bool = False) -> list[str]:
    """The items of a numbered or bulleted list, in order; no items where nothing is marked as one.

    Lines below an item belong to it, deeper marks too; words before the first item, and a paragraph
    after the last, do not. With `truncated` the last item is dropped: nobody knows how it ended.
    """
    items: list[list[str]] = []
    outer, after_gap, tail = 0, False, 0
    for line in text.splitlines():
        mark = _ITEM.match(line)
        indent = len(line) - len(line.lstrip())
        if mark and (not items or indent <= outer + 1):
            outer = min(outer, indent) if items else indent
            items.append([mark[3].strip()])
            after_gap, tail = False, 0
        elif items and line.strip():
            if tail or (after_gap and indent <= outer):
                tail += 1  # it may be a closing remark: no item follows it
            items[-1].append(line.strip())
        elif items:
            after_gap = True
    if items and tail:
        del items[-1][-tail:]
    if truncated and items:
        items.pop()
    joined = ("\n".join(lines).strip() for lines in items)
    return [_unbold(item) for item in joined if item]


def _unbold(item: str) -> str:
    return item[2:-2] if re.fullmatch(r"\*\*[^*]+\*\*", item) else item


_NUMERAL = (
    r"(?<![\d.,/~-])(-?\d{1,4}(?:\.\d{1,4})?)"
    r"(?![\d%]|[.,]\d|\s*(?:[-–~%]|to\b|or\b|and\b|에서|또는)\s*\d)"
)
_SCORES = (
    re.compile(rf"\[\[\s*{_NUMERAL}\s*\]\]"),
    re.compile(
        r"(?:\b(?:score|rating|grade)\b|점수|평점|총점|평가)[\"'*_`]*(?:\s*\([^()\n]{1,30}\))?"
        rf"[\"'*_`]*\s*(?:is|of|=|:|：|은|는|->)?[\"'*_`\s]*{_NUMERAL}",
        re.I,
    ),
    re.compile(rf"{_NUMERAL}\s*점(?!\s*(?:만점|척도|기준|중|에서))"),
    re.compile(rf"{_NUMERAL}\s*(?:/|out of)\s*\d+(?:\.\d+)?", re.I),
)
_TOPS = (
    re.compile(r"(?:\d\s*점?\s*/|\bout of\b)\s*(\d+(?:\.\d+)?)", re.I),
    re.compile(r"\(\s*-?\d+(?:\.\d+)?\s*(?:[-–~]|to)\s*(\d+(?:\.\d+)?)\s*점?\s*\)"),
)
_OF_KOREAN = re.compile(
    r"(\d+(?:\.\d+)?)\s*점\s*(?:만점에서|만점에|만점\s*중|만점|척도에서|중|에서)\s*"
    r"(\d+(?:\.\d+)?)\s*점"
)


def parse_score(text: str, low: float, high: float) -> float | None:
    """The score a judge gave between `low` and `high`, or None where that is not certain.

    Read: a bare number, `{"score": 4}`, `[[7]]`, "Score: 4/5", "Rating: **3**", "4점", "10점 만점에
    8점". None where no score is marked as one, where several differ, where it lies outside, or
    where its scale has another top than `high`.
    """
    clean = text.strip().strip("*_`\"' ")
    bare = re.fullmatch(r"-?\d+(?:\.\d+)?", clean)
    if bare:
        return _within(float(bare[0]), low, high)
    found = _from_json(text)
    if found is not None:
        return _within(found, low, high)
    tops = {float(m[1]) for pattern in _TOPS for m in pattern.finditer(text)}
    scores: set[float] = set()
    for m in _OF_KOREAN.finditer(text):
        tops.add(float(m[1]))
        scores.add(float(m[2]))
    if any(top != high for top in tops):
        return None
    rest = _OF_KOREAN.sub(" ", text)
    for pattern in _SCORES:
        scores |= {float(m[1]) for m in pattern.finditer(rest)}
        if scores:
            break
    return _within(scores.pop(), low, high) if len(scores) == 1 else None


def _from_json(text: str) -> float | None:
    given = _named(text, ("score", "rating", "점수", "평점"))
    if given is None or isinstance(given, bool):
        return None
    try:
        return float(given)
    except (TypeError, ValueError):
        return None


def _named(text: str, names: tuple[str, ...]) -> Json:
    """The one field of a JSON object in a text that has one of `names`, or None."""
    try:
        value = repair_json(text)
    except DataError:
        return None
    if not isinstance(value, dict):
        return None
    given = [v for k, v in value.items() if str(k).lower() in names]
    return given[0] if len(given) == 1 else None


def parse_choice(text: str, options: Sequence[str] = ("A", "B")) -> str | None:
    """Which of `options` a judge chose, or None where that is not certain, as in a tie.

    Read: the bare option, `[[A]]`, `{"winner": "A"}`, "Winner: A", "Better answer: B", "승자: A".
    """
    named = _named(text, ("winner", "choice", "better", "verdict", "preference", "승자", "선택"))
    if named is not None:
        return named if named in options else None
    one = "|".join(re.escape(option) for option in options)
    bare = re.fullmatch(rf"[\s\W]*({one})[\s\W]*", text)
    if bare:
        return bare[1]
    marked = {m[1] for m in re.finditer(rf"\[\[\s*({one})\s*\]\]", text)}
    if not marked:
        words = r"(?:winner|verdict|choice|better(?: answer| response)?|승자|선택|더 나은 답변)"
        told = re.compile(
            rf"{words}[*_`\"']*\s*(?:is|:|：|=|은|는)\s*[*_`\"']*\s*"
            rf"(?:(?:answer|response|assistant|답변)\s*)?({one})(?![\w+/&]|\s*(?:and|or|와|과|/|&)\s)",
            re.I,
        )
        marked = {m[1].upper() if m[1].upper() in options else m[1] for m in told.finditer(text)}
    chosen = marked & set(options)
    return chosen.pop() if len(marked) == len(chosen) == 1 else None


def _within(score: float, low: float, high: float) -> float | None:
    return score if low <= score <= high else None


def _shown(value: Any, most: int = 80) -> str:
    """A value as it stands in a message: one line, not longer than `most`."""
    text = " ".join(str(value)[: 10 * most].split())
    return repr(text if len(text) <= most else f"{text[: most - 1]}…")
