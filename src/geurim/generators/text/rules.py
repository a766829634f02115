"""A score by rules alone: what it is made of is named and can be looked at, part by part.

It needs no model and no network, and it knows little: it finds what is empty, repeated, refused,
cut off or full of leftovers. It does not know whether an answer is right.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import pyarrow as pa

from geurim.errors import SettingError
from geurim.generators.text.scorers import Scorer, Trust, texts_of

RULE_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {"length": 1.0, "repetition": -2.0, "refusal": -2.0, "leftovers": -2.0, "unfinished": -0.5}
)
_REFUSALS = re.compile(
    r"\bi(?:'|’)?m sorry,? but|\bi apologi[sz]e,? but"
    r"|\bi (?:can(?:no|'|’)t|am (?:not able|unable) to) "
    r"(?:help\b(?! but)|assist|provide|answer|fulfill|comply|do that)"
    r"|\bas an? (?:ai|artificial intelligence)(?: language)?(?: model| assistant)?\b"
    r"|\bi (?:do not|don(?:'|’)t) have (?:personal|access to)"
    r"|against my (?:guidelines|programming)"
    r"|죄송(?:합니다|하지만|스럽지만|해요)[^.\n]{0,40}(?:없|어렵|못|않)"
    r"|(?:도와|답변(?:을|해)?)\s?드릴 수 (?:가 )?없"
    r"|(?:AI|인공지능)(?: 언어)?(?: 모델| 모형)(?:로서|이라|이기|입니다)",
    re.I,
)
_LEFTOVERS = re.compile(
    r"<\|[\w ]{1,30}\|>|\[/?INST\]|<</?SYS>>|</?s>|^#{2,3} ?(?:Instruction|Response|Input|Output):"
    r"|\{\{[^{}\n]{1,60}\}\}|\[(?:your|insert|name|이름|여기에)[^\]\n]{0,40}\]"
    r"|\b(?:Human|Assistant|User):\s|\b(?:given|rewritten) prompt\b",
    re.I | re.M,
)
_FINISHED = re.compile(
    r"(?:[.!?。…~:;\"”’')\]}>|`*_ㅋㅎㅠ]|[다요죠까네음함임됨]|\d|\w+ ?= ?\S+)\s*$"
)
_LISTED = re.compile(r"\s*(?:[-*•‣|>#]|\(?\w{1,3}[.):]\s)")
_SENTENCE = re.compile(r"[.!?。]\s|[다요죠]\.?\s")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, kw_only=True)
class Rules(Scorer):
    """The weighted sum of named parts, each from 0 to 1. See `parts`.

    length: 1 from `low` to `high` characters, falling to 0 at nothing and at four times `high`.
    repetition: the share of four-word (in short texts, four-letter) pieces seen before.
    refusal: 1 where the text refuses, in English or Korean. leftovers: 1 where marks of a prompt or
    a chat template are in it. unfinished: 1 where it stops in the middle, or in an open code block.
    """

    name: ClassVar[str] = "rules"
    trust: Trust = field(default="rules", init=False)
    text: str
    low: int = 40
    high: int = 4000
    weights: Mapping[str, float] = field(default_factory=lambda: RULE_WEIGHTS)

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high:
            raise SettingError(f"low and high out of order: {self.low}, {self.high}.")
        unknown = set(self.weights) - set(RULE_WEIGHTS)
        if unknown:
            raise SettingError(
                f"Unknown parts: {', '.join(sorted(unknown))}. "
                f"Choose from: {', '.join(RULE_WEIGHTS)}."
            )

    def score(self, rows: pa.RecordBatch) -> np.ndarray:
        parts = self.parts(rows)
        total = np.zeros(rows.num_rows)
        for name, weight in self.weights.items():
            total = total + weight * parts[name]
        return total

    def parts(self, rows: pa.RecordBatch) -> dict[str, np.ndarray]:
        """Each part by name, (N,) from 0 to 1; NaN where there is no text."""
        texts = texts_of(self.text, rows)
        measures = {
            "length": self._length,
            "repetition": _repetition,
            "refusal": lambda text: float(bool(_REFUSALS.search(text[:400]))),
            "leftovers": lambda text: float(bool(_LEFTOVERS.search(text))),
            "unfinished": _unfinished,
        }
        return {
            name: np.array([np.nan if t is None else measure(t) for t in texts], dtype=float)
            for name, measure in measures.items()
        }

    def _length(self, text: str) -> float:
        count = len(text.strip())
        if count <= self.high:
            return min(1.0, count / self.low)
        return max(0.0, 1.0 - (count - self.high) / (3 * self.high))


def _repetition(text: str) -> float:
    words = _WORD.findall(text.casefold())
    pieces = words if len(words) >= 24 else list("".join(words))
    grams = [tuple(pieces[i : i + 4]) for i in range(len(pieces) - 3)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def _unfinished(text: str) -> float:
    if text.count("```") % 2:
        return 1.0
    last = (text.rstrip().splitlines() or [""])[-1]
    # Titles, names and items of a list stop without a mark; prose that uses them does not.
    prose = len(last) >= 40 and not _LISTED.match(last) and _SENTENCE.search(text)
    return float(bool(prose) and not _FINISHED.search(last[-80:]))
