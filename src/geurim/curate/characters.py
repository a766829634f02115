"""Texts as arrays of code points: what the steps compare, a batch at once in numpy.

Texts are folded for comparison only: NFC, case folded, white space collapsed. The text itself never
changes.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_BMP = 0x10000
_SPACE = 32
SPACE, LETTER, DIGIT, SYLLABIC, HANGUL, SIGN = 1, 2, 4, 8, 16, 32
"""Bits of `classes`. SYLLABIC: scripts in which one character is about one syllable or word; SIGN:
punctuation and symbols."""


@dataclass(frozen=True, kw_only=True)
class Characters:
    """The code points of some texts, end to end: text i is points[offsets[i]:offsets[i + 1]]."""

    points: np.ndarray  # (C,) uint32
    offsets: np.ndarray  # (N + 1,) int64

    @cached_property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)

    def rows(self) -> np.ndarray:
        """(C,) the number of the text that each character belongs to."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    def count(self, mask: np.ndarray) -> np.ndarray:
        """(N,) how many characters of each text are marked in `mask` (C,)."""
        return segment_counts(mask, self.offsets)


def segment_counts(mask: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """(N,) how many are marked between each two offsets (N + 1,)."""
    total = np.concatenate([[0], np.cumsum(mask, dtype=np.int64)])
    counts: np.ndarray = total[offsets[1:]] - total[offsets[:-1]]
    return counts


class _Last:
    """What was computed of the last batch: steps look at the same one after each other."""

    def __init__(self) -> None:
        self.known: tuple[pa.StringArray, Characters] | None = None

    def __call__(self, texts: pa.StringArray) -> Characters | None:
        known = self.known  # one read, so that threads do not mix
        return known[1] if known is not None and known[0] is texts else None


_plain, _folded = _Last(), _Last()


def characters(texts: pa.StringArray) -> Characters:
    """The code points of `texts` as they are; a null is an empty text."""
    chars = _plain(texts)
    if chars is None:
        chars = _decoded(texts)
        _plain.known = texts, chars
    return chars


def folded(texts: pa.StringArray) -> Characters:
    """The code points of `texts` in NFC, case folded, with white space collapsed and trimmed."""
    chars = _folded(texts)
    if chars is None:
        chars = _fold(texts)
        _folded.known = texts, chars
    return chars


def _decoded(texts: pa.StringArray) -> Characters:
    if texts.null_count:
        texts = pc.fill_null(texts, "")
    _, offsets, data = texts.buffers()
    first = texts.offset * 4
    ends = np.frombuffer(offsets, np.int32, len(texts) + 1, first) if len(texts) else np.zeros(1)
    raw = data[int(ends[0]) : int(ends[-1])].to_pybytes() if data is not None else b""
    points = np.frombuffer(raw.decode("utf-8").encode("utf-32-le"), np.uint32)
    lengths = pc.utf8_length(texts).to_numpy(zero_copy_only=False)
    return Characters(points=points, offsets=np.concatenate([[0], np.cumsum(lengths, dtype="i8")]))


def _fold(texts: pa.StringArray) -> Characters:
    chars = characters(texts)
    if not unicodedata.is_normalized("NFC", chars.points.tobytes().decode("utf-32-le")):
        chars = characters(pc.utf8_normalize(texts, form="NFC"))
    points, low = chars.points.copy(), chars.points < _BMP
    points = _cases()[points] if low.all() else np.where(low, _cases()[points * low], points)
    return _collapsed(Characters(points=points, offsets=chars.offsets))


def _collapsed(chars: Characters) -> Characters:
    """One blank for each run of white space, none at either end of a text."""
    points, offsets = chars.points, chars.offsets
    blank = classes(points) & SPACE != 0
    if not blank.any():
        return chars
    points = np.where(blank, np.uint32(_SPACE), points)
    filled = offsets[:-1][chars.lengths > 0]
    before = np.concatenate([[True], blank[:-1]])
    before[filled] = True  # a text starts as if after a blank
    chars = _select(Characters(points=points, offsets=offsets), ~(blank & before))
    last = chars.offsets[1:][chars.lengths > 0] - 1
    ends = np.zeros(len(chars.points), bool)
    ends[last] = chars.points[last] == _SPACE
    return _select(chars, ~ends)


def _select(chars: Characters, keep: np.ndarray) -> Characters:
    if keep.all():
        return chars
    offsets = np.concatenate([[0], np.cumsum(chars.count(keep))])
    return Characters(points=chars.points[keep], offsets=offsets)


def classes(points: np.ndarray) -> np.ndarray:
    """(C,) what each code point is: the bits SPACE, LETTER, DIGIT, SYLLABIC, HANGUL, SIGN."""
    table = _classes()
    found: np.ndarray
    if len(points) and points.max() >= _BMP:
        # Beyond the BMP only ideographs matter: planes 2 and 3. The rest is taken for emoji.
        ideograph = (points >= 0x20000) & (points < 0x40000)
        found = np.where(points < _BMP, table[points * (points < _BMP)], SIGN)
        found[ideograph] = LETTER | SYLLABIC
        return found.astype(np.uint8)
    found = table[points]
    return found


def is_hangul(point: int) -> bool:
    """Syllables and jamo, compatibility and half-width forms among them."""
    return (
        0xAC00 <= point <= 0xD7A3
        or 0x1100 <= point <= 0x11FF
        or 0x3131 <= point <= 0x318E
        or 0xA960 <= point <= 0xA97C
        or 0xD7B0 <= point <= 0xD7FB
        or 0xFFA0 <= point <= 0xFFDC
    )


def _is_syllabic(point: int) -> bool:
    return (
        is_hangul(point)
        or 0x3040 <= point <= 0x30FF  # kana
        or 0x3400 <= point <= 0x4DBF
        or 0x4E00 <= point <= 0x9FFF
        or 0xF900 <= point <= 0xFAFF
        or 0x0E00 <= point <= 0x0EFF  # Thai and Lao, written without blanks
        or 0x1000 <= point <= 0x109F  # Burmese
        or 0x1780 <= point <= 0x17FF  # Khmer
    )


@lru_cache(maxsize=1)
def _classes() -> np.ndarray:
    table = np.zeros(_BMP, np.uint8)
    for point in range(_BMP):
        char = chr(point)
        bits = SPACE if char.isspace() else 0
        if char.isalpha() or unicodedata.category(char)[0] == "M":
            bits |= LETTER | (SYLLABIC if _is_syllabic(point) else 0)
            bits |= HANGUL if is_hangul(point) else 0
        elif char.isnumeric():
            bits |= DIGIT
        elif unicodedata.category(char)[0] in "PS":
            bits |= SIGN
        table[point] = bits
    return table


@lru_cache(maxsize=1)
def _cases() -> np.ndarray:
    """Case folding where it gives one character; elsewhere lower case, or the character."""
    table = np.arange(_BMP, dtype=np.uint32)
    for point in range(_BMP):
        if 0xD800 <= point < 0xE000:
            continue
        char = chr(point)
        for other in (char.casefold(), char.lower()):
            if len(other) == 1:
                table[point] = ord(other)
                break
    return table
