"""Texts as verification looks at them: folded characters, words, and hashes of their n-grams.

Texts are compared as curation folds them (NFC, case folded, white space collapsed); what a reader
is shown stays as it is. A word is a run of letters, digits and apostrophes.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.curate.characters import DIGIT, LETTER, Characters, classes, folded
from geurim.curate.hashes import mixed, span_hashes, window_hashes
from geurim.curate.shingles import spans

LONG = 8_000  # characters of a text that are looked at
_BLOCK = 2_000  # texts folded at once, which bounds the memory of it
_JOINED = np.array([ord(c) for c in "'’_"], np.uint32)  # within words


@dataclass(frozen=True)
class Grams:
    """Occurrences of n-grams: a hash, the text and the place of each, in the order of the texts."""

    hashes: np.ndarray  # (G,) uint64
    rows: np.ndarray  # (G,) the number of the text
    places: np.ndarray  # (G,) int64: the first character, counted over all texts


class Texts:
    """Some texts, null where one is missing; `raw` as strings. All else looks at their heads."""

    def __init__(self, values: pa.StringArray | Sequence[str | None]) -> None:
        given = isinstance(values, pa.Array)
        self.values: pa.StringArray = values if given else pa.array(values, pa.string())

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def heads(self) -> pa.StringArray:
        """The first LONG characters of each."""
        return pc.utf8_slice_codeunits(self.values, 0, LONG)

    @cached_property
    def raw(self) -> tuple[str, ...]:
        """The texts as they are; a missing one is empty."""
        return tuple(t or "" for t in self.values.to_pylist())

    @cached_property
    def sizes(self) -> np.ndarray:
        """Characters of each text as it is, (N,)."""
        lengths = pc.fill_null(pc.utf8_length(self.values), 0)
        return np.asarray(lengths.to_numpy(zero_copy_only=False), np.int64)

    @cached_property
    def present(self) -> np.ndarray:
        """Which texts are not missing, (N,) bool."""
        return np.asarray(self.values.is_valid().to_numpy(zero_copy_only=False))

    @cached_property
    def characters(self) -> Characters:
        """The folded characters of all texts, one text after another."""
        starts = range(0, max(len(self), 1), _BLOCK)
        parts = [folded(self.heads[start : start + _BLOCK]) for start in starts]
        lengths = np.concatenate([p.lengths for p in parts])
        return Characters(
            points=np.concatenate([p.points for p in parts]),
            offsets=np.concatenate([[0], np.cumsum(lengths)]),
        )

    @property
    def codes(self) -> np.ndarray:
        """The code points of all texts, folded, (C,) uint32."""
        return self.characters.points

    @property
    def lengths(self) -> np.ndarray:
        """Characters of each folded text, (N,)."""
        return self.characters.lengths

    @cached_property
    def plain(self) -> tuple[str, ...]:
        """The folded texts."""
        whole = self.codes.tobytes().decode("utf-32-le")
        ends = self.characters.offsets.tolist()
        return tuple(whole[a:b] for a, b in itertools.pairwise(ends))

    def take(self, places: np.ndarray) -> Texts:
        return Texts(self.values.take(pa.array(places, pa.int64())))

    def between(self, first: int, last: int) -> Texts:
        return Texts(self.values[first:last])

    @cached_property
    def _words(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        inside = (classes(self.codes) & (LETTER | DIGIT) != 0) | np.isin(self.codes, _JOINED)
        return spans(self.characters, inside)

    @cached_property
    def words(self) -> Grams:
        """The words, each with its hash."""
        rows, begin, end = self._words
        return Grams(span_hashes(self.codes, begin, end), rows, begin)

    def word_ends(self) -> np.ndarray:
        """One past the last character of each word, (W,)."""
        return self._words[2]

    def runs(self, n: int) -> Grams:
        """Every run of `n` characters, blanks among them, that lies in one text."""
        rows = self.characters.rows()
        return _inside(window_hashes(self.codes, n), rows, np.arange(len(rows)), n)

    def word_runs(self, n: int) -> Grams:
        """Every run of `n` words that lies in one text."""
        return runs(self.words, n)

    def excerpt(self, place: int, length: int) -> str:
        """What stands at a place of the folded texts."""
        return self.codes[place : place + length].tobytes().decode("utf-32-le", "replace")


def runs(single: Grams, n: int) -> Grams:
    """Every run of `n` neighbouring pieces of one text."""
    return _inside(window_hashes(single.hashes, n), single.rows, single.places, n)


def _inside(hashes: np.ndarray, rows: np.ndarray, places: np.ndarray, n: int) -> Grams:
    """The windows of `n` pieces that begin and end in the same text."""
    count = len(hashes)
    inside = rows[len(rows) - count :] == rows[:count]
    return Grams(hashes[inside], rows[:count][inside], places[:count][inside])


def distinct(grams: Grams) -> Grams:
    """Each n-gram of a text once."""
    keys = mixed(grams.hashes + mixed(grams.rows + 1))
    first = np.sort(np.unique(keys, return_index=True)[1])
    return Grams(grams.hashes[first], grams.rows[first], grams.places[first])
