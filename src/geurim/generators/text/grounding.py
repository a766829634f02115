"""How much of an answer stands in the passage it should rest on: words, names and numbers.

Words are compared so that endings matter little: a Latin word by its beginning, a word with Hangul
by its character pairs, since particles and endings hang on to it (서울에서, 서울은).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from geurim.generators.text.numerals import numbers

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_HANGUL = re.compile(r"[가-힣]")
_IDEOGRAPHS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_ENGLISH = """
a about above after again all also am an and any are as at be because been before being below
between both but by can could did do does doing down during each few for from further had has
have having he her here hers him his how i if in into is it its itself just may me might more
most must my no nor not now of off on once one only or other our out over own same she should so
some such than that the their them then there these they this those through to too under until
up very was we were what when where which while who whom why will with would yes you your
according passage text answer question says states mentioned stated
"""
_KOREAN = """
그 이 저 것 수 등 및 또는 그리고 그러나 하지만 따라서 때문에 있다 있습니다 없다
없습니다 한다 합니다 했다 했습니다 이다 입니다 되었다 되었습니다 된다 됩니다 위해
통해 대해 대한 관한 의해 있는 하는 있으며 있고 하여 또한 즉 네 아니요 예 본문
지문 질문 답변 따르면 의하면
"""
_COMMON = frozenset(_ENGLISH.split() + _KOREAN.split())


@dataclass(frozen=True, kw_only=True)
class Grounding:
    """What was found of an answer in a passage."""

    share: float  # of the content words, each counted once; 1.0 where there are none
    words: int
    words_missing: tuple[str, ...]
    numbers: int
    numbers_missing: tuple[str, ...]


def grounding(answer: str, passage: str) -> Grounding:
    """The share of an answer's content words, and its numbers, that stand in a passage.

    A word with Hangul counts by the share of its character pairs that the passage has inside its
    words; one of a single syllable is left out. A Latin word counts if a word of the passage begins
    alike. Numbers are compared by value. It measures words, not sense: on KLUE-NLI, hypotheses that
    contradict their premise score like those that follow from it (AUC against other premises 0.997
    for both); 99% of hypotheses lie below 0.25 on another premise, 88% above 0.4 on their own.
    """
    known = _Passage(passage)
    words = _content(answer)
    found = {word: known.share(word) for word in words}
    here = {value for _, value in numbers(passage)}
    said = list(dict.fromkeys(numbers(_without_marks(answer))))
    return Grounding(
        share=sum(found.values()) / len(found) if found else 1.0,
        words=len(found),
        words_missing=tuple(word for word, share in found.items() if share < 0.5),
        numbers=len(said),
        numbers_missing=tuple(text for text, value in said if value not in here),
    )


def _without_marks(answer: str) -> str:
    """An answer without the numbers of its list items, which count and do not say anything."""
    return re.sub(r"^\s*\(?\d{1,2}[.)]\s", "", answer, flags=re.M)


def _folded(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def _content(text: str) -> list[str]:
    """The words that say something, each once, in order."""
    kept: dict[str, None] = {}
    for word in _folded(text):
        short = len(word) < 2 if _HANGUL.search(word) else len(word) < 3
        if not short and word not in _COMMON:
            kept[word] = None
    return list(kept)


class _Passage:
    def __init__(self, text: str) -> None:
        words = set(_folded(text))
        self._starts = {_start(word) for word in words}
        self._pairs = {pair for word in words for pair in _pairs(word)}

    def share(self, word: str) -> float:
        if _HANGUL.search(word) or _IDEOGRAPHS.search(word):
            pairs = _pairs(word)
            return sum(pair in self._pairs for pair in pairs) / len(pairs) if pairs else 1.0
        return float(_start(word) in self._starts)


def _start(word: str) -> str:
    """A word without its ending: connects, connected and connection begin alike."""
    word = re.sub(r"['’]s$", "", word)
    return word[: max(4, len(word) - 3)] if len(word) > 4 else word


def _pairs(word: str) -> list[str]:
    return [word[i : i + 2] for i in range(len(word) - 1)]
