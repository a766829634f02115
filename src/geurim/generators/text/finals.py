"""The final answer that stands in a text, and when two of them are the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from geurim.generators.text.numerals import number_of, numbers

_MARKED = re.compile(
    r"(?:^|\n)[\s>#*_]*(?:the\s+)?(?:final\s+)?(?:answer|정답|최종 답|답)[*_ ]*[:：][*_ ]*([^\n]+)",
    re.I,
)
_LATEX_TEXT = re.compile(r"\\(?:text|mathrm|mathbf)\{([^{}]*)\}")
_LATEX_SPACE = re.compile(r"\\(?:left|right|,|;|!|\(|\)|\[|\]|\s)")
# "The shirt costs 30 dollars." is 30; "3 pm" and "3 am" are not the same.
_LEADS = re.compile(
    r"(?:.*(?:\b(?:is|are|was|were|be|equals|costs?)|[=:≈]|[은는])\s*)?[$₩€£¥]?", re.S
)
_UNIT = re.compile(r"(?!\s?[ap]\.?m\b)\s?[^\W\d_]*(?:[ /·][^\W\d_]+){0,2}[²³]?", re.I)


def final_answer(text: str) -> str:
    """What follows the last "Answer:" on its line, or the last \\boxed{…}; nothing without one."""
    marked = _MARKED.findall(str(text))
    answer = marked[-1].strip().rstrip("*_ ") if marked else ""
    return boxed(answer or str(text)) or answer


def boxed(text: str) -> str | None:
    """What the last \\boxed{…} of a text holds; None without a whole one."""
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth = 0
    for place in range(start + 6, len(text)):
        depth += (text[place] == "{") - (text[place] == "}")
        if depth == 0:
            return text[start + 7 : place].strip()
    return None


def plain_answer(text: str) -> str:
    """An answer in words as it is compared: without LaTeX, spaces, dollar signs, case and marks."""
    text = _LATEX_SPACE.sub("", _LATEX_TEXT.sub(r"\1", text))
    return re.sub(r"[\s$*`]", "", text).rstrip(".。").casefold()


def key(answer: str) -> str | Fraction:
    """What two answers that are the same share: the value of a number, else the plain text.

    A number may have a unit behind it, or a sentence before it that says what it is.
    """
    text = str(answer).rpartition("####")[2].strip()  # GSM8K marks the final answer so
    number = number_of(text)
    if number is not None:
        return number
    clean = " ".join(_LATEX_SPACE.sub(" ", _LATEX_TEXT.sub(r" \1", text)).split()).strip("*`$ .。")
    found = numbers(clean)
    if len(found) == 1:
        written, number = found[0]
        before, _, behind = clean.partition(written)
        if _LEADS.fullmatch(before) and _UNIT.fullmatch(behind):
            return number
    return plain_answer(text)


def same_as(answers: Sequence[str], right: str) -> list[int]:
    """The places of the answers that equal `right`."""
    return [i for i, answer in enumerate(answers) if key(answer) == key(right)]


def vote(answers: Sequence[str]) -> dict[str, Any]:
    """The answer that most of `answers` agree on, by number or text, and how many do.

    Empty answers have no vote. `answer` is the first of those that agree, and "" where two
    different answers have as many votes, or nobody has one (self-consistency, Wang et al. 2022).
    """
    groups: dict[str | Fraction, list[str]] = {}
    for answer in answers:
        if (plain := key(answer)) != "":
            groups.setdefault(plain, []).append(str(answer))
    ranked = sorted(groups.values(), key=len, reverse=True)
    if not ranked or (len(ranked) > 1 and len(ranked[1]) == len(ranked[0])):
        return {"answer": "", "votes": len(ranked[0]) if ranked else 0, "of": len(answers)}
    return {"answer": ranked[0][0], "votes": len(ranked[0]), "of": len(answers)}
