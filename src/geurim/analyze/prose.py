"""What real text is like: lengths, scripts, registers, endings and the rates of its noise.

Only aggregates are kept, never a text. Each rate has its count and a 95% interval, which takes the
texts (not the words) as independent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from geurim.analyze.traits import traits
from geurim.contract import Json
from geurim.curate.characters import folded
from geurim.errors import DataError, SettingError
from geurim.noise.measures import MEASURES, Measure, lay_out
from geurim.noise.noise import language_of
from geurim.noise.sheet import END, SEP, Sheet

Z = 1.959964
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
ENDINGS = 20  # the most frequent endings kept
SEEN = 10  # in at least so many texts, so that no ending tells of one text


def describe(
    texts: Sequence[str | None] | pa.StringArray | pa.ChunkedArray,
    *,
    language: str | None = None,
) -> dict[str, Json]:
    """Aggregates of a set of texts, for JSON.

    language: "ko" or "en", which decides what is counted; None: that of most texts.
    Returned: "language", "texts" (missing and blank ones left out) and "missing"; "lengths" in
    characters, words and sentences (mean and quantiles); "shares" of Hangul, Latin, digits and
    marks among characters that are no spaces; "rates" (value, low, high, hits, count, unit), see
    `geurim.noise.measures`; "endings", the last two syllables of sentences with their shares;
    "traits", the shares of texts with each of `geurim.analyze.traits`.

    Typo rates rest on proxies, for want of a dictionary: slips of one key in a few dozen very
    common words ("key_slips" and so on), lists of known misspellings ("misspelling", "vowel",
    "phonetic", "coda", "shift"), and syllables that are in no standard list or jamo inside words
    ("broken"). They compare texts with each other; they are no error rate of all words.
    """
    rows = _strings(texts)
    some = [t for t in rows if t and not t.isspace()]
    if not some:
        raise DataError(
            f"None of the {len(rows)} texts holds any character: give texts to describe."
        )
    if language is None:
        korean = sum(language_of(t) == "ko" for t in some)
        language = "ko" if 2 * korean >= len(some) else "en"
    if language not in MEASURES:
        raise SettingError(f"Unknown language {language!r}: give 'ko', 'en' or None.")
    sheet = lay_out(some)
    counter = _Counter(sheet)
    return {
        "language": language,
        "texts": len(some),
        "missing": len(rows) - len(some),
        "lengths": _lengths(some, counter),
        "shares": _shares(sheet),
        "rates": {name: counter.rate(m) for name, m in MEASURES[language].items()},
        "endings": _endings(sheet) if language == "ko" else [],
        "traits": _traits(some),
    }


def _strings(texts: Sequence[str | None] | pa.StringArray | pa.ChunkedArray) -> list[str | None]:
    if isinstance(texts, str):
        raise DataError(f"The texts are one string, {texts[:40]!r}: give a list of strings.")
    if isinstance(texts, pa.Array | pa.ChunkedArray):
        return list(texts.cast(pa.string()).to_pylist())
    return list(texts)


class _Counter:
    """Counts by text."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self.edges = np.flatnonzero(sheet.codes == ord(SEP))
        self.texts = len(self.edges) - 1

    def by_text(self, places: np.ndarray) -> np.ndarray:
        """How many of `places` (K,) each text holds, (texts,)."""
        at = np.searchsorted(self.edges, places, side="right") - 1
        return np.bincount(at, minlength=self.texts)[: self.texts]

    def rate(self, measure: Measure) -> dict[str, Json]:
        hits = self.by_text(measure.hits(self.sheet))
        if measure.out_of is None:
            units = np.ones(self.texts, np.int64)
        else:
            units = self.by_text(measure.out_of(self.sheet))
        if measure.at_least_one:
            units = np.maximum(units, 1)
        value, low, high = ratio(hits, units)
        return {
            "value": value,
            "low": low,
            "high": high,
            "hits": int(hits.sum()),
            "count": int(units.sum()),
            "unit": measure.unit,
        }


def ratio(hits: np.ndarray, units: np.ndarray) -> tuple[float, float, float]:
    """Hits per unit over texts, (texts,) each, with a 95% interval.

    The interval is that of a ratio estimator (Cochran 1977, section 6.3): texts are the sample.
    With no hits it ends at 3 / units (the rule of three); with no units it is all of 0 to 1.
    """
    total, count = float(hits.sum()), float(units.sum())
    if not count:
        return 0.0, 0.0, 1.0
    value = total / count
    if not total:
        return 0.0, 0.0, min(1.0, 3 / count)
    n = len(hits)
    residual = hits - value * units
    error = math.sqrt(float(residual @ residual) * n / max(n - 1, 1)) / count
    return value, max(0.0, value - Z * error), value + Z * error


def _lengths(texts: Sequence[str], counter: _Counter) -> dict[str, Json]:
    sentences = np.maximum(counter.by_text(np.flatnonzero(counter.sheet.codes == ord(END))), 1)
    return {
        "characters": _spread(np.array([len(t) for t in texts])),
        "words": _spread(np.array([len(t.split()) for t in texts])),
        "sentences": _spread(sentences),
    }


def _spread(values: np.ndarray) -> dict[str, Json]:
    error = float(values.std()) / math.sqrt(len(values))
    mean = float(values.mean())
    return {
        "mean": mean,
        "low": mean - Z * error,
        "high": mean + Z * error,
        "quantiles": {
            str(q): float(v) for q, v in zip(QUANTILES, np.quantile(values, QUANTILES), strict=True)
        },
    }


def _shares(sheet: Sheet) -> dict[str, float]:
    codes = sheet.codes[(sheet.codes < 0xD800) | (sheet.codes > 0xDFFF)]
    space = np.isin(codes, [ord(c) for c in " \t\n\r"])
    jamo = (codes >= 0x3131) & (codes <= 0x3163)
    latin = ((codes | 0x20) >= ord("a")) & ((codes | 0x20) <= ord("z"))
    digit = (codes >= ord("0")) & (codes <= ord("9"))
    syllable = (codes >= 0xAC00) & (codes <= 0xD7A3)
    count = max(int((~space).sum()), 1)
    named: Mapping[str, np.ndarray] = {
        "hangul": syllable | jamo,
        "jamo": jamo,
        "latin": latin,
        "digits": digit,
        "other": ~(space | jamo | latin | digit | syllable),
    }
    return {name: float(mask.sum()) / count for name, mask in named.items()}


def _traits(some: Sequence[str]) -> dict[str, float]:
    texts = pa.array(some, pa.string())
    return traits(texts, folded(texts))


_LAST_TWO = re.compile(rf"([가-힣]{{2}}){END}")


def _endings(sheet: Sheet) -> list[dict[str, Json]]:
    counts: dict[str, int] = {}
    texts: dict[str, int] = {}
    total = 0
    for text in sheet.text.split(SEP):
        ends = _LAST_TWO.findall(text)
        total += len(ends)
        for end in ends:
            counts[end] = counts.get(end, 0) + 1
        for end in set(ends):
            texts[end] = texts.get(end, 0) + 1
    top = sorted((e for e in counts if texts[e] >= SEEN), key=lambda e: (-counts[e], e))
    return [{"ending": e, "share": counts[e] / total, "count": counts[e]} for e in top[:ENDINGS]]
