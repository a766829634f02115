"""Marks of how people write that a text has or has not: what `describe` counts, verify compares.

They see the register and noise of a text at a glance, in any language, and of a model's text the
habits. The rates of `geurim.noise.measures`, which noise is fitted to, count every occurrence.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.curate.characters import Characters
from geurim.noise.measures import DOTS, EMOJI, FORMAL, LAUGHTER, POLITE, TEARS

LONG = 4_000  # characters of a text that are looked at
_LAST = r"[\s.!?~^…]*$"
TRAITS: dict[str, str] = {
    "Hangul": r"[가-힣]",
    "Latin letters": r"[A-Za-z]",
    "digits": r"[0-9]",
    "question marks": r"[?？]",
    "exclamation marks": r"[!！]",
    "marks repeated (!!, ??, ~~)": r"[!?~^]{2,}",
    "dots in a row": DOTS,
    "emoji": f"[{EMOJI}]",
    "laughing or crying (ㅋㅋ, ㅠㅠ)": f"{LAUGHTER}|{TEARS}",
    "other loose jamo (ㄱㅅ)": r"[ㄱ-ㅊㅌㅍ]{2,}|[ㅏ-ㅛㅡㅣ]{2,}",
    "polite ending (요)": POLITE + _LAST,
    "formal ending (니다)": FORMAL + _LAST,
    "plain ending (다)": r"(?:^|[^니시])다" + _LAST,
    "12 Hangul without a blank": r"[가-힣]{12}",
    "starts with a capital": r"^\s*\p{Lu}",
    "ends with a full stop": r"[.。][\"'”’)\]]*\s*$",
    "no mark at the end": r"[\p{L}\p{N}]\s*$",
    "line breaks": r"\S\s*\n\s*\S",
    "lists or headings": r"(?m)^\s*(?:[-*•]|\d{1,2}[.)]|#{1,4})\s",
    "bold marks (**)": r"\*\*[^*\n]+\*\*",
    "quotation marks": r"[\"“”「」]",
    "web addresses": r"https?://|www\.",
    "speaks as a model": r"(?i)\bas an ai\b|language model|\bi(?:'m| am) (?:sorry|unable)|"
    r"i can(?:not|'t) (?:assist|help|provide)|언어 ?모델|인공지능(?:으로서| 모델)|AI로서",
}
"""Trait -> pattern (RE2) of the texts that have it."""

REPEATED = "a letter three times in a row"


def traits(texts: pa.StringArray, folded: Characters) -> dict[str, float]:
    """The share of texts with each trait; `folded` are the same texts' characters."""
    values = pc.utf8_slice_codeunits(texts, 0, LONG)
    count = max(len(texts), 1)
    out = {
        name: (pc.sum(pc.match_substring_regex(values, pattern)).as_py() or 0) / count
        for name, pattern in TRAITS.items()
    }
    out[REPEATED] = int((folded.count(_repeated(folded)) > 0).sum()) / count
    return out


def _repeated(chars: Characters) -> np.ndarray:
    """Which letters or jamo are the third in a row within a text, (C,) bool."""
    codes, rows = chars.points, chars.rows()
    found = np.zeros(len(codes), bool)
    same = (codes[2:] == codes[1:-1]) & (codes[1:-1] == codes[:-2]) & (rows[2:] == rows[:-2])
    found[2:] = same & (codes[2:] > ord("@"))
    return found
