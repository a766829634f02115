"""Texts as sets of hashed shingles: characters where a script writes syllables, words elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow as pa

from geurim.curate.characters import (
    DIGIT,
    LETTER,
    SYLLABIC,
    Characters,
    classes,
    folded,
)
from geurim.curate.hashes import mixed, span_hashes, window_hashes

Unit = Literal["auto", "characters", "words"]
_SYLLABIC_SHARE = 0.3  # of the letters, from which on a text is cut into characters
_EMPTY, _WORDS = np.uint64(0x5EED), np.uint64(0x3A8F05C5)
_32 = np.uint64(32)


@dataclass(frozen=True, kw_only=True)
class Sets:
    """Sets of 32-bit hashes, each sorted: set i is values[offsets[i]:offsets[i + 1]]."""

    values: np.ndarray  # (S,) uint32
    offsets: np.ndarray  # (N + 1,) int64

    @cached_property
    def sizes(self) -> np.ndarray:
        return np.diff(self.offsets)


def shingle_sets(texts: pa.StringArray, unit: Unit, characters: int, words: int) -> Sets:
    """The set of hashed shingles of each text, after folding (see `folded`).

    A text shorter than a shingle is one shingle; an empty one has the shingle of nothing, a missing
    one (null) none at all. With "auto", texts of which 30% of the letters or more are Hangul,
    ideographs, kana or another script without blanks, and texts without letters, are cut into
    characters, others into words (runs of letters and digits).
    """
    chars = folded(texts)
    kinds = classes(chars.points)
    worded = by_word(chars, kinds, unit)
    parts = [_empty(chars, texts)]
    if not worded.all():
        parts.append(_character_shingles(chars, ~worded, characters))
    if worded.any():
        parts.append(_word_shingles(chars, kinds, worded, words))
    rows = np.concatenate([p[0] for p in parts]).astype(np.uint64)
    hashes = np.concatenate([p[1] for p in parts])
    return _sets(rows, hashes, len(texts))


def _sets(rows: np.ndarray, hashes: np.ndarray, count: int) -> Sets:
    keys = (rows << _32) | (hashes >> _32)
    keys.sort()
    new = np.ones(len(keys), bool)
    np.not_equal(keys[1:], keys[:-1], out=new[1:])
    keys = keys[new]
    sizes = np.bincount((keys >> _32).astype(np.int64), minlength=count)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return Sets(values=keys.astype(np.uint32), offsets=offsets)


def by_word(chars: Characters, kinds: np.ndarray, unit: Unit) -> np.ndarray:
    """(N,) whether a text is cut into words."""
    if unit == "characters":
        return np.zeros(len(chars.lengths), bool)
    units = chars.count((kinds & (LETTER | DIGIT)) != 0)
    if unit == "words":
        return units > 0  # without a word in it, characters are all there is
    letters, syllabic = chars.count((kinds & LETTER) != 0), chars.count((kinds & SYLLABIC) != 0)
    words: np.ndarray = (letters > 0) & (syllabic < _SYLLABIC_SHARE * letters)
    return words


def _empty(chars: Characters, texts: pa.StringArray) -> tuple[np.ndarray, np.ndarray]:
    bare = chars.lengths == 0
    if texts.null_count:
        bare &= texts.is_valid().to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(bare)
    return rows, mixed(np.full(len(rows), _EMPTY))


def _character_shingles(
    chars: Characters, chosen: np.ndarray, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and hashes of all windows of `width` characters in the chosen texts."""
    hashes = window_hashes(chars.points, width)
    rows = np.repeat(np.arange(len(chosen)), np.where(chosen, chars.lengths, 0))
    places = _places(chars, chosen)
    inside = places <= chars.offsets[1:][rows] - width
    short = np.flatnonzero(chosen & (chars.lengths < width) & (chars.lengths > 0))
    whole = span_hashes(chars.points, chars.offsets[short], chars.offsets[short + 1])
    return (
        np.concatenate([rows[inside], short]),
        np.concatenate([hashes[places[inside]], whole]),
    )


def _places(chars: Characters, chosen: np.ndarray) -> np.ndarray:
    if chosen.all():
        return np.arange(len(chars.points))
    return np.flatnonzero(np.repeat(chosen, chars.lengths))


def word_spans(chars: Characters, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, start and end of each run of letters and digits within a text, in order, each (W,)."""
    return spans(chars, (kinds & (LETTER | DIGIT)) != 0)


def spans(chars: Characters, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, start and end of each run of marked characters (C,) within a text, in order."""
    if not len(inside):
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, nothing
    starts = inside.copy()
    starts[1:] &= ~inside[:-1]
    filled = chars.offsets[:-1][chars.lengths > 0]
    starts[filled] = inside[filled]
    stops = ~inside
    stops[filled] = True
    begin = np.flatnonzero(starts)
    ends = np.append(np.flatnonzero(stops), len(inside))
    end = ends[np.searchsorted(ends, begin, side="right")]
    rows = np.searchsorted(chars.offsets, begin, side="right") - 1
    return rows, begin, end


def _word_shingles(
    chars: Characters, kinds: np.ndarray, chosen: np.ndarray, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and hashes of all windows of `width` words in the chosen texts."""
    rows, begin, end = word_spans(chars, kinds)
    mine = chosen[rows]
    rows, hashes = rows[mine], span_hashes(chars.points, begin[mine], end[mine])
    offsets = np.searchsorted(rows, np.arange(len(chosen) + 1))
    counts = np.diff(offsets)
    windows = window_hashes(hashes, width) ^ _WORDS
    inside = np.arange(len(windows)) <= offsets[1:][rows[: len(windows)]] - width
    few = np.flatnonzero((counts > 0) & (counts < width))
    whole = [windows[inside]]
    for size in range(1, width):
        these = few[counts[few] == size]
        whole.append(
            window_hashes(hashes, size)[offsets[these]] ^ _WORDS if len(these) else whole[0][:0]
        )
    order = [few[counts[few] == size] for size in range(1, width)]
    return np.concatenate([rows[: len(windows)][inside], *order]), np.concatenate(whole)
