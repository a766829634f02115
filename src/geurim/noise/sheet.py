"""Many texts as one string, so that a kind of noise reads them all in one pass.

Three lone surrogates mark places; no valid text holds one, so they cannot be confused with it:
SEP stands before each text and after the last, END behind the last word of each sentence, KEPT for
a span that must not change (put back at the end, in order).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

SEP, END, KEPT = "\ud800", "\ud801", "\udfff"
MARKS = SEP + END + KEPT

# What no noise may touch: placeholders, code, addresses, numbers. Repeats are bounded, so that
# hostile text cannot make the search quadratic.
PROTECTED = re.compile(
    r"```.{0,2000}?```|`[^`\n]{1,500}`"
    r"|\{\{.{0,500}?\}\}|\{%.{0,500}?%\}|\$?\{[^{}\n]{0,200}\}"
    r"|\[[A-Z][A-Z0-9_ ]{0,100}\]|<[^<>\s][^<>\n]{0,200}>|%\(\w+\)[sd]|%[sd]"
    r"|https?://[!-~]*[\w/=&]|www\.[!-~]*[\w/=&]"
    r"|[\w.+-]{1,64}@[\w-]{1,63}(?:\.[A-Za-z]{2,63}){1,4}"
    r"|[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,4}\.(?:com|net|org|kr|io|co)\b(?:/[!-~]*[\w/])?"
    r"|[@#][A-Za-z_]\w*"
    r"|[A-Za-z_-]{0,20}\d(?:[\w.,:/%-]*[0-9A-Za-z%])?",
    re.DOTALL | re.ASCII,
)
_MAY_HOLD = re.compile(r"[0-9`{\[<%@#]|www|://|\.[a-z]{2}")

# Behind the last word of a sentence: marks that end it, or the end of the line or of the text.
_SENTENCE = re.compile(
    rf"(?<=[^\s.!?…~,{SEP}])(?=[.!?…~]+(?:[\s\"'”’)\]]|{SEP})|[.!?…]+[가-힣]|[ \t]*(?:\n|{SEP}))"
)


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """The texts, marked up, as one string."""

    text: str

    @cached_property
    def codes(self) -> np.ndarray:
        """The code points, (characters,) uint32."""
        return np.frombuffer(self.text.encode("utf-32-le", "surrogatepass"), np.uint32)

    @cached_property
    def syllables(self) -> np.ndarray:
        """Which characters are Hangul syllables, (characters,) bool."""
        return (self.codes >= 0xAC00) & (self.codes <= 0xD7A3)

    def replace(self, spans: np.ndarray, pieces: Sequence[str]) -> Sheet:
        """The sheet with spans (K, 2), in order and apart, replaced by `pieces`."""
        out, at = [], 0
        for (start, end), piece in zip(spans.tolist(), pieces, strict=True):
            out += [self.text[at:start], piece]
            at = end
        out.append(self.text[at:])
        return Sheet(text="".join(out))


def from_codes(codes: np.ndarray) -> Sheet:
    """A sheet of code points (characters,)."""
    data = codes.astype("<u4").tobytes()
    return Sheet(text=data.decode("utf-32-le", "surrogatepass"))


def protected_spans(text: str, patterns: Sequence[re.Pattern[str]]) -> list[tuple[int, int]]:
    """Spans that any of `patterns` matches, in order; those that touch are merged."""
    found = [m.span() for p in patterns for m in p.finditer(text) if m.end() > m.start()]
    merged: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def lay_out(
    texts: Sequence[str],
    keep: Sequence[re.Pattern[str]] = (),
    spans: Sequence[Sequence[str]] | None = None,
) -> tuple[Sheet, list[str]]:
    """The sheet of `texts` (made NFC), and what its KEPT marks stand for, in order.

    `keep` are patterns to protect besides `PROTECTED`; `spans` gives each text strings of its own.
    """
    kept: list[str] = []
    laid = [""]
    for at, text in enumerate(texts):
        text = unicodedata.normalize("NFC", text)
        patterns = [PROTECTED, *keep] if _MAY_HOLD.search(text) else [*keep]
        if spans is not None:
            patterns += [re.compile(re.escape(span)) for span in spans[at] if span]
        last, pieces = 0, []
        for start, end in protected_spans(text, patterns) if patterns else ():
            pieces += [text[last:start], KEPT]
            kept.append(text[start:end])
            last = end
        pieces.append(text[last:])
        laid.append("".join(pieces))
    joined = SEP.join([*laid, ""])
    return Sheet(text=_SENTENCE.sub(END, joined)), kept


def take_up(sheet: Sheet, kept: Sequence[str]) -> list[str]:
    """The texts of a sheet, the kept spans put back, in NFC."""
    between = sheet.text.replace(END, "").split(KEPT)
    whole = [between[0]]
    for span, rest in zip(kept, between[1:], strict=True):
        whole += [span, rest]
    texts = "".join(whole).split(SEP)[1:-1]
    return [
        t if unicodedata.is_normalized("NFC", t) else unicodedata.normalize("NFC", t) for t in texts
    ]
