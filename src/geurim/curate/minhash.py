"""MinHash with locality-sensitive hashing, and a bottom-k sketch that verifies what it finds.

Band keys are made of minima under random hash functions (Broder 1997, "On the resemblance and
containment of documents"; Leskovec, Rajaraman & Ullman, Mining of Massive Datasets, section 3.4).
They only propose pairs. What decides is the bottom-k sketch (Cohen & Kaplan 2007, "Summarizing data
using bottom-k sketches"): the k smallest hashes of each set. It holds short sets whole, so their
Jaccard similarity is exact; for longer ones the estimate is unbiased with a standard error of at
most sqrt(J (1 - J) / k).
"""

from __future__ import annotations

import math

import numpy as np

from geurim.curate.hashes import mixed
from geurim.curate.shingles import Sets

_BLOCK = 1 << 15  # hashes a pass, so that a pass stays in the processor's cache
_NONE = np.int32(-1)


def bands_for(threshold: float, recall: float = 0.995) -> tuple[int, int]:
    """Bands, and minima a band, so that a pair at `threshold` is proposed with this probability.

    A pair of similarity J is proposed with probability 1 - (1 - J**minima)**bands.
    """
    minima = 16 if threshold > 0.93 else max(1, round(math.log(1 / 3) / math.log(threshold)))
    bands = math.ceil(math.log(1 - recall) / math.log1p(-min(threshold**minima, 1 - 1e-6)))
    return bands, minima


class Signer:
    """Band keys of sets: `bands` keys, each of `minima` minima."""

    def __init__(self, bands: int, minima: int) -> None:
        rng = np.random.default_rng(0x6D696E)  # fixed: signatures are compared across runs
        count = bands * minima
        self.bands, self.minima = bands, minima
        self.flips = rng.integers(0, 2**32, count, dtype=np.uint32)
        self.factors = rng.integers(0, 2**32, count, dtype=np.uint32) | np.uint32(1)

    def keys(self, sets: Sets) -> np.ndarray:
        """(N, bands) uint32 band keys. Callers leave out empty sets, which all get the same."""
        filled = np.flatnonzero(sets.sizes > 0)
        minima = np.zeros((len(self.flips), len(sets.sizes)), np.uint32)
        if len(filled):
            minima[:, filled] = self._minima(sets.values, sets.offsets[filled])
        grouped = minima.reshape(self.bands, self.minima, -1)
        keys = np.zeros((self.bands, grouped.shape[2]), np.uint64)
        for i in range(self.minima):
            keys = mixed(keys ^ grouped[:, i])
        return np.ascontiguousarray(keys.T.astype(np.uint32))

    def _minima(self, values: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """(bands * minima, N) the smallest hash of each set under each hash function.

        (x ^ flip) * factor modulo 2**32 is a random bijection of already mixed hashes.
        """
        count = len(self.flips)
        if len(values) * count <= _BLOCK:
            table = (values ^ self.flips[:, None]) * self.factors[:, None]
            small: np.ndarray = np.minimum.reduceat(table, starts, axis=1)
            return small
        out = np.empty((count, len(starts)), np.uint32)
        work = np.empty_like(values)
        for i in range(count):
            np.bitwise_xor(values, self.flips[i], out=work)
            np.multiply(work, self.factors[i], out=work)
            np.minimum.reduceat(work, starts, out=out[i])
        return out


class Index:
    """Band keys of kept rows: rows that share a band key are found by chains in arrays.

    A row takes bands * (4 key + 4 link + 4 to 8 head) bytes.
    """

    def __init__(self, bands: int) -> None:
        self.bands, self.count = bands, 0
        self.capacity = 1 << 10
        self.keys = np.empty((self.capacity, bands), np.uint32)
        self.links = np.empty((self.capacity, bands), np.int32)
        self.heads = np.full((bands, self.capacity), _NONE)

    @property
    def nbytes(self) -> int:
        return self.keys.nbytes + self.links.nbytes + self.heads.nbytes

    def find(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All (query, kept row) pairs that share a band key, each once. `keys`: (Q, bands)."""
        place = (keys & np.uint32(self.capacity - 1)) + self._offsets()
        kept = self.heads.ravel()[place.ravel()]
        place = np.flatnonzero(kept >= 0)
        kept = kept[place]
        found: list[np.ndarray] = []
        flat = keys.ravel()
        while len(place):
            column = place % self.bands
            same = self.keys[kept, column] == flat[place]
            if same.any():
                found.append(((place[same] // self.bands) << 32) | kept[same])
            kept = self.links[kept, column]
            on = kept >= 0
            place, kept = place[on], kept[on]
        return unpacked(found)

    def add(self, keys: np.ndarray) -> None:
        """Keep rows with these band keys, (R, bands); they get the next numbers."""
        first, self.count = self.count, self.count + len(keys)
        if self.count > self.capacity:
            self._grow()
            self.keys[first : self.count] = keys
            self.heads = np.full((self.bands, self.capacity), _NONE)
            self._link(0)
            return
        self.keys[first : self.count] = keys
        self._link(first)

    def _grow(self) -> None:
        while self.capacity < self.count:
            self.capacity *= 2
        rows = len(self.keys)
        keys = np.empty((self.capacity, self.bands), np.uint32)
        keys[:rows] = self.keys
        self.keys, self.links = keys, np.empty((self.capacity, self.bands), np.int32)

    def _link(self, first: int) -> None:
        """Hang rows from `first` on into the chains; their order within a chain does not matter."""
        slots = self.keys[first : self.count] & np.uint32(self.capacity - 1)
        place = (slots + self._offsets()).ravel()
        heads, links = self.heads.ravel(), self.links.ravel()  # views
        cell = np.arange(first * self.bands, self.count * self.bands)
        while len(cell):
            before = heads[place]
            heads[place] = cell // self.bands  # where rows meet in a slot, one of them wins
            won = heads[place] == cell // self.bands
            links[cell[won]] = before[won]
            cell, place = cell[~won], place[~won]

    def _offsets(self) -> np.ndarray:
        return np.arange(self.bands, dtype=np.int64) * self.capacity


class Sketches:
    """Bottom-k sketches of kept sets: 4 bytes for each of the k smallest hashes, and 8 a set."""

    def __init__(self, k: int) -> None:
        self.k, self.count = k, 0
        self.values = np.empty(1 << 12, np.uint32)
        self.ends = np.zeros(1 << 10, np.int64)  # ends[i + 1] ends set i
        self.sizes = np.zeros(1 << 10, np.int32)  # of the whole set

    @property
    def nbytes(self) -> int:
        return self.values.nbytes + self.ends.nbytes + self.sizes.nbytes

    def add(self, sets: Sets, rows: np.ndarray) -> None:
        """Keep the sketches of these rows of `sets`."""
        sizes = sets.sizes[rows]
        cut = np.minimum(sizes, self.k)
        values = sets.values[ragged(sets.offsets[rows], cut)]
        used, new = int(self.ends[self.count]), self.count + len(rows)
        self.values = _room(self.values, used + len(values))
        self.values[used : used + len(values)] = values
        self.ends, self.sizes = _room(self.ends, new + 1), _room(self.sizes, new)
        self.ends[self.count + 1 : new + 1] = used + np.cumsum(cut)
        self.sizes[self.count : new] = sizes
        self.count = new

    def similarities(self, sets: Sets, queries: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """(P,) the Jaccard similarity of each pair: row queries[p] of `sets`, kept row kept[p]."""
        starts = self.ends[kept]
        return self._jaccard(
            (sets.values, sets.offsets[queries], sets.sizes[queries]),
            (self.values, starts, self.sizes[kept].astype(np.int64)),
        )

    def similarities_within(self, sets: Sets, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(P,) the same for pairs of rows of one batch."""
        return self._jaccard(
            (sets.values, sets.offsets[left], sets.sizes[left]),
            (sets.values, sets.offsets[right], sets.sizes[right]),
        )

    def _jaccard(
        self,
        left: tuple[np.ndarray, np.ndarray, np.ndarray],
        right: tuple[np.ndarray, np.ndarray, np.ndarray],
    ) -> np.ndarray:
        """Of the k smallest hashes of the union (all of them for short sets), the share in both."""
        count = len(left[1])
        keys = []
        for values, starts, sizes in (left, right):
            cut = np.minimum(sizes, self.k)
            pair = np.repeat(np.arange(count, dtype=np.uint64), cut) << np.uint64(32)
            keys.append(pair | values[ragged(starts, cut)])
        both = np.concatenate(keys)
        both.sort()
        again = np.zeros(len(both), bool)
        np.equal(both[1:], both[:-1], out=again[1:])
        pair = (both >> np.uint64(32)).astype(np.int64)
        union = np.bincount(pair[~again], minlength=count)
        truncated = (left[2] > self.k) | (right[2] > self.k)
        if truncated.any():
            firsts = np.concatenate([[0], np.cumsum(union)])[:-1]
            rank = np.cumsum(~again) - 1 - firsts[pair]
            again &= ~truncated[pair] | (rank < self.k)
            union = np.where(truncated, np.minimum(union, self.k), union)
        shared = np.bincount(pair[again], minlength=count)
        similarity: np.ndarray = shared / np.maximum(union, 1)
        return similarity


def unpacked(pairs: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The two halves of pairs packed into 64 bits, each pair once, in order."""
    if not pairs:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    each = np.unique(np.concatenate(pairs))
    return each >> 32, each & 0xFFFFFFFF


def ragged(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Places starts[i], starts[i] + 1, … (lengths[i] of them) for each i, end to end."""
    total = int(lengths.sum())
    before = np.cumsum(lengths) - lengths
    places: np.ndarray = np.arange(total) + np.repeat(starts - before, lengths)
    return places


def _room(values: np.ndarray, least: int) -> np.ndarray:
    if least <= len(values):
        return values
    wider = np.zeros(max(least, 2 * len(values)), values.dtype)
    wider[: len(values)] = values
    return wider
