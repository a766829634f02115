"""What a model answers in words, read as values: code, JSON, lists, scores. Nothing is guessed.

Each function takes the whole answer and raises, or gives None, where its sense is not certain. An
answer that was cut short (finish reason "length") never becomes a whole value without a word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from geurim.contract import Json
from geurim.errors import DataError
from geurim.generators.text.blocks import blocks
from geurim.generators.text.repair import repair_json

__all__ = ["alone", "extract_code", "parse_choice", "parse_list", "parse_score", "repair_json"]

_ALIASES = {"python": {"python", "py", "python3"}, "sql": {"sql", "sqlite", "sqlite3"}}


def extract_code(text: str, language: str = "python") -> str:
    """The first fenced block of `language` (or without a label), or all of an unfenced text.

    DataError where a block is not closed: the answer was cut, or its rest is lost.
    """
    wanted = _ALIASES.get(language, {language})
    found = blocks(text)
    if not found:
        return text.strip()
    for accepted in (wanted, {""}):
        for label, code in found:
            if label.lower() in accepted:
                return code
    labels = ", ".join(sorted({label for label, _ in found}))
    raise DataError(f"The answer has no block of {language}, only of: {labels}.")


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


_QUOTES = ('""', "''", "“”", "‘’", "「」", "『』", "``")
_ANNOUNCED = re.compile(
    r"(?:sure|certainly|of course|here(?:'s| is| are)|다음은|아래는)\b[^\n]{0,80}[:：]\s*\n\s*",
    re.I,
)
_LABEL = re.compile(
    r"\**(?:(?:the|a|my|your)? ?(?:new|edited|revised|rewritten|reworked|rephrased)? ?"
    r"(?:request|question|message|problem|description)|(?:새로운 |고친 )?(?:요청|질문|문의))"
    r"\**\s*[:：]\**\s*(?=\S)",
    re.I,
)


def alone(text: str) -> str:
    """The text that was asked for by itself, where a model has dressed it up.

    Taken off are a line that announces it ("Here is the question:"), a label before it ("Question:
    …") and one pair of quotes or bold marks around all of it.
    """
    text = text.strip()
    for mark in (_ANNOUNCED, _LABEL):
        found = mark.match(text)
        if found:
            text = text[found.end() :].strip()
    text = _unbold(text)
    for quotes in _QUOTES:
        first, last = quotes[0], quotes[1]
        within = text[1:-1]
        if len(text) > 2 and text[0] == first and text[-1] == last:
            if first not in within and last not in within:
                text = within.strip()
            break
    return text


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
