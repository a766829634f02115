"""Texts that are nearly the same: MinHash finds candidates, then their shingles are compared.

One permutation with densification (Li, Owen & Zhang 2012; Shrivastava & Li 2014), in bands (Broder
1997; Leskovec, Rajaraman & Ullman, chapter 3). Shingles are runs of 5 characters, of 3 where the
text is Korean: a changed ending touches fewer of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from geurim.verify.prose.texts import Texts, mix

LIKE = 0.8  # Jaccard similarity from which two texts are nearly the same
BINS, BANDS = 128, 21
WIDTH = BINS // BANDS
_BLOCK = 1_000
_EMPTY = np.uint64(2**64 - 1)


@dataclass(frozen=True)
class Shingled:
    """Some texts with the width of their shingles."""

    texts: Texts
    width: int

    @cached_property
    def signatures(self) -> np.ndarray:
        """(N, BINS) uint64: the least hash of each bin; of an empty bin that of the next one."""
        parts = [
            _signed(Texts(self.texts.raw[first : first + _BLOCK]), self.width)
            for first in range(0, len(self.texts), _BLOCK)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, BINS), np.uint64)

    def bands(self) -> Iterator[np.ndarray]:
        """A key (N,) for each band; texts without a shingle have keys of their own."""
        bare = self.signatures[:, 0] == _EMPTY
        own = mix(np.arange(len(self.texts), dtype=np.uint64) + np.uint64(1 << 40))
        for band in range(BANDS):
            key = np.zeros(len(self.texts), np.uint64)
            for place in range(band * WIDTH, (band + 1) * WIDTH):
                key = mix(key ^ self.signatures[:, place])
            yield np.where(bare, own, key)

    def shingles(self, row: int) -> frozenset[str]:
        text = self.texts.plain[row]
        return frozenset(text[i : i + self.width] for i in range(len(text) - self.width + 1))


def shingle_width(texts: Texts) -> int:
    """3 where a third of the characters are Hangul, else 5."""
    codes = texts.codes
    hangul = (codes >= 0xAC00) & (codes <= 0xD7A3)
    return 3 if len(codes) and hangul.mean() > 1 / 3 else 5


def _signed(texts: Texts, width: int) -> np.ndarray:
    grams = texts.characters(width)
    lowest = np.full(len(texts) * BINS, _EMPTY, np.uint64)
    at = grams.rows.astype(np.int64) * BINS + (grams.hashes & np.uint64(BINS - 1)).astype(np.int64)
    np.minimum.at(lowest, at, grams.hashes)
    table = lowest.reshape(-1, BINS)
    twice = np.tile(table != _EMPTY, 2)
    later = np.where(twice, np.arange(2 * BINS), 2 * BINS)
    later = np.minimum.accumulate(later[:, ::-1], axis=1)[:, ::-1][:, :BINS]
    moved = np.take_along_axis(table, later % BINS, axis=1)
    steps = (later - np.arange(BINS)).astype(np.uint64)
    filled: np.ndarray = np.where(later < 2 * BINS, moved + steps, _EMPTY)
    return filled


def like_earlier(s: Shingled) -> np.ndarray:
    """For each text the number of an earlier one that it is nearly the same as, or -1. (N,)."""
    pairs = []
    for keys in s.bands():
        order = np.argsort(keys, kind="stable")
        same = np.zeros(len(order), bool)
        same[1:] = keys[order][1:] == keys[order][:-1]
        starts = np.maximum.accumulate(np.where(same, 0, np.arange(len(order))))
        pairs.append(np.stack([order[same], order[starts[same]]], axis=1))
        pairs.append(np.stack([order[same], order[np.flatnonzero(same) - 1]], axis=1))
    return _settled(s, s, np.concatenate(pairs))


def like_any(s: Shingled, others: Shingled) -> np.ndarray:
    """For each text the number of one of `others` that it is nearly the same as, or -1. (N,)."""
    pairs = []
    for keys, known in zip(s.bands(), others.bands(), strict=True):
        if not len(known):
            break
        order = np.argsort(known, kind="stable")
        ranked = known[order]
        for side, step in (("left", 0), ("right", -1)):
            at = np.searchsorted(ranked, keys, side=side) + step  # type: ignore[call-overload]
            at = np.clip(at, 0, len(order) - 1)
            met = np.flatnonzero(ranked[at] == keys)
            pairs.append(np.stack([met, order[at[met]]], axis=1))
    empty = np.zeros((0, 2), np.int64)
    return _settled(s, others, np.concatenate(pairs) if pairs else empty)


def _settled(s: Shingled, others: Shingled, pairs: np.ndarray) -> np.ndarray:
    """Of candidate pairs (P, 2) those that are surely alike: the first one of each text."""
    found = np.full(len(s.texts), -1)
    pairs = np.unique(pairs, axis=0)
    if not len(pairs):
        return found
    agree = np.zeros(len(pairs))
    for first in range(0, len(pairs), 50_000):
        part = pairs[first : first + 50_000]
        both = s.signatures[part[:, 0]] == others.signatures[part[:, 1]]
        agree[first : first + 50_000] = both.mean(axis=1)
    order = np.argsort(-agree, kind="stable")
    for i in order[agree[order] > LIKE - 0.2].tolist():
        row, other = int(pairs[i, 0]), int(pairs[i, 1])
        if found[row] < 0 and jaccard(s.shingles(row), others.shingles(other)) >= LIKE:
            found[row] = other
    return found


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """The share of all their pieces that two sets have in common; 0 where both are empty."""
    together = len(a | b)
    return len(a & b) / together if together else 0.0
