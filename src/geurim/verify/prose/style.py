"""Faithful? Register and noise: the shares of texts with certain marks of how people write."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from geurim.contract import Finding
from geurim.html import percent
from geurim.verify import stats
from geurim.verify.prose.compare import Corpus, Prose
from geurim.verify.prose.texts import Texts
from geurim.verify.verdict import judge

TRAITS: dict[str, str] = {
    "Hangul": r"[가-힣]",
    "Latin letters": r"[A-Za-z]",
    "digits": r"[0-9]",
    "question marks": r"[?？]",
    "exclamation marks": r"[!！]",
    "marks repeated (!!, ??, ~~)": r"[!?~^]{2,}",
    "dots in a row": r"\.{2,}|…",
    "emoji": r"[\x{1F300}-\x{1FAFF}\x{2600}-\x{27BF}]",
    "laughing or crying (ㅋㅋ, ㅠㅠ)": r"[ㅋㅎ]{2,}|[ㅠㅜ]+",
    "other loose jamo (ㄱㅅ)": r"[ㄱ-ㅊㅌㅍ]{2,}|[ㅏ-ㅛㅡㅣ]{2,}",
    "polite ending (요)": r"[요욧][\s.!?~^…]*$",
    "formal ending (니다)": r"니다[\s.!?~^…]*$",
    "plain ending (다)": r"(?:^|[^니])다[\s.!?~^…]*$",
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


def style(p: Prose) -> list[Finding]:
    """The share of texts with each trait, beside that of the real texts."""
    shares = [traits(c.texts) for c in p.sets]
    met = [t for t in shares[0] if any(s[t] > 0.002 for s in shares)]
    if len(shares) == 1:
        return [_alone(p.synthetic, t, shares[0][t]) for t in met]
    sizes = [len(c) for c in p.sets]
    return [_style(t, [s[t] for s in shares], sizes, len(met)) for t in met]


def traits(texts: Texts) -> dict[str, float]:
    """The share of texts with each trait."""
    values = pc.utf8_slice_codeunits(texts.values, 0, 4_000)
    count = max(len(texts), 1)
    out = {
        name: (pc.sum(pc.match_substring_regex(values, pattern)).as_py() or 0) / count
        for name, pattern in TRAITS.items()
    }
    out[REPEATED] = float(_repeated(texts).mean()) if len(texts) else 0.0
    return out


def _repeated(texts: Texts) -> np.ndarray:
    """Which texts have a letter or jamo three times in a row, (N,) bool."""
    codes, rows = texts.codes, texts.characters.rows()
    found = np.zeros(len(texts), bool)
    if len(codes) > 2:
        same = (codes[2:] == codes[1:-1]) & (codes[1:-1] == codes[:-2]) & (rows[2:] == rows[:-2])
        same &= codes[2:] > ord("@")
        found[rows[2:][same]] = True
    return found


def _style(trait: str, shares: list[float], sizes: list[int], tests: int) -> Finding:
    low, high = _gap(shares[0], sizes[0], shares[1], sizes[1])
    drift = max(0.0, _gap(shares[2], sizes[2], shares[1], sizes[1])[0])
    value = abs(shares[0] - shares[1])
    verdict = judge("text_style", value - drift, low - drift, high - drift, tests=tests)
    return Finding(
        question="faithful",
        name="text_style",
        value=value,
        low=max(0.0, low),
        high=high,
        reference=abs(shares[2] - shares[1]),
        count=sizes[0],
        verdict=verdict,
        text=f"{percent(shares[0])} of the synthetic texts have this, and {percent(shares[1])} of "
        f"the real ones ({percent(shares[2])} of the other half).",
        columns=(trait,),
        details=dict(zip(("synthetic", "training", "holdout"), shares, strict=True)),
    )


def _gap(share: float, count: int, other: float, others: int) -> tuple[float, float]:
    """The interval of |a - b|: that of the difference, turned so that the difference is up."""
    low, high = stats.difference(share * count, count, other * others, others)
    return (low, high) if share >= other else (-high, -low)


def _alone(corpus: Corpus, trait: str, share: float) -> Finding:
    low, high = stats.wilson(share * len(corpus), len(corpus))
    return Finding(
        question="faithful",
        name="text_style",
        value=share,
        low=low,
        high=high,
        reference=None,
        count=len(corpus),
        verdict="info",
        text=f"{percent(share)} of the texts have this.",
        columns=(trait,),
        details={"synthetic": share},
    )
