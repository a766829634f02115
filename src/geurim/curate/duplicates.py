"""Exact and near duplicates: the first of a group is kept, whatever follows it is dropped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from geurim.curate.characters import folded
from geurim.curate.contract import Filter, Step, reasons_at
from geurim.curate.hashes import span_hashes
from geurim.curate.minhash import Index, Signer, Sketches, bands_for, unpacked
from geurim.curate.shingles import Sets, Unit, shingle_sets
from geurim.errors import SettingError

_TOGETHER = 1_024  # rows compared with each other at once: bounds the pairs of one pass


def fingerprints(texts: pa.StringArray) -> np.ndarray:
    """(N,) a 64-bit hash of each folded text; a missing one has that of the empty one."""
    chars = folded(texts)
    return span_hashes(chars.points, chars.offsets[:-1], chars.offsets[1:])


@dataclass(frozen=True, kw_only=True)
class ExactDuplicates(Step):
    """Drops a text that equals an earlier one after NFC, case folding and collapsing white space.

    Keeps a 64-bit hash a row (about 70 bytes in a Python set): with ten million rows the chance
    that any two different texts share one is 3 in a million. A missing text is no duplicate.
    """

    name: ClassVar[str] = "exact duplicates"

    def start(self) -> Filter:
        return _Exact()


class _Exact(Filter):
    def __init__(self) -> None:
        self.seen: set[int] = set()

    def judge(self, texts: pa.StringArray, rows: pa.RecordBatch) -> pa.StringArray:
        hashes = fingerprints(texts)
        present = texts.is_valid().to_numpy(zero_copy_only=False)
        at: list[int] = []
        seen = self.seen
        for place, value, valid in zip(
            range(len(texts)), hashes.tolist(), present.tolist(), strict=True
        ):
            if value not in seen:
                if valid:
                    seen.add(value)
            elif valid:
                at.append(place)
        reason = "The same text as an earlier row (apart from case and white space)."
        return reasons_at(len(texts), np.array(at, np.int64), [reason] * len(at))


@dataclass(frozen=True, kw_only=True)
class NearDuplicates(Step):
    """Drops a text whose shingles are much the same as those of an earlier kept text.

    MinHash proposes, a bottom-k sketch decides: the Jaccard similarity is exact for texts of up
    to `sketch` distinct shingles, above that unbiased with a standard error of at most
    sqrt(J (1 - J) / sketch), 0.025 at the defaults. A pair exactly at the threshold is proposed
    with a probability of 99.5%, more similar ones almost surely.

    `threshold`: Jaccard similarity from which on a text is dropped. `unit`: "characters", "words",
    or "auto" (characters where 30% of the letters are Hangul, ideographs or the like).
    `characters`, `words`: units a shingle. Memory a kept row at the defaults: 170 to 230 bytes of
    band keys, and 12 + 4 for each distinct shingle, at most `sketch` of them; nothing else grows.

    Sources: Broder 1997; Cohen & Kaplan 2007; see minhash.py. Not meant for paraphrases: see
    `SemanticDuplicates`. Single words that differ: see `Novelty`.
    """

    name: ClassVar[str] = "near duplicates"
    threshold: float = 0.8
    unit: Unit = "auto"
    characters: int = 3
    words: int = 3
    sketch: int = 256

    def __post_init__(self) -> None:
        if not 0.1 <= self.threshold <= 1:
            raise SettingError(
                f"The threshold {self.threshold!r} is not a similarity. Give 0.1 to 1, such as 0.8."
            )
        if self.unit not in ("auto", "characters", "words"):
            raise SettingError(f"There is no unit {self.unit!r}. Use auto, characters or words.")
        for name, least in (("characters", 1), ("words", 1), ("sketch", 16)):
            if getattr(self, name) < least:
                raise SettingError(
                    f"{name} is {getattr(self, name)!r}. Give a whole number of at least {least}."
                )

    def start(self) -> Filter:
        return NearFilter(self)


@dataclass(frozen=True, kw_only=True)
class Near:
    """For each text the number of the kept one that it is like, or -1, and how like, both (N,).

    Kept texts are counted from 0, in order.
    """

    like: np.ndarray
    similarity: np.ndarray


class NearFilter(Filter):
    """The kept rows' band keys and sketches."""

    def __init__(self, step: NearDuplicates) -> None:
        self.step = step
        bands, minima = bands_for(step.threshold)
        self.signer, self.index = Signer(bands, minima), Index(bands)
        self.sketches = Sketches(step.sketch)

    @property
    def nbytes(self) -> int:
        """Memory of the state, in bytes."""
        return self.index.nbytes + self.sketches.nbytes

    def judge(self, texts: pa.StringArray, rows: pa.RecordBatch) -> pa.StringArray:
        near = self.meet(texts)
        at = np.flatnonzero(near.like >= 0)
        limit = f"(limit {self.step.threshold:g})"
        said = [f"Similarity {b:.2f} to an earlier row {limit}." for b in near.similarity[at]]
        return reasons_at(len(texts), at, said)

    def meet(self, texts: pa.StringArray) -> Near:
        """Which kept text each is like; those that are like none are kept in their turn."""
        return self._each(texts, self._meet)

    def find(self, texts: pa.StringArray) -> Near:
        """Which kept text each is like; none of them is kept."""
        return self._each(texts, lambda part: self._against_kept(*self._signed(part)))

    def keep(self, texts: pa.StringArray) -> None:
        """Keep all of these, those that are like each other too; a missing one has a number too."""
        for start in range(0, len(texts), _TOGETHER):
            sets, keys = self._signed(texts[start : start + _TOGETHER])
            self._add(sets, keys, np.arange(len(keys)))

    def _each(self, texts: pa.StringArray, work: Callable[[pa.StringArray], Near]) -> Near:
        starts = range(0, max(len(texts), 1), _TOGETHER)
        parts = [work(texts[start : start + _TOGETHER]) for start in starts]
        return Near(
            like=np.concatenate([p.like for p in parts]),
            similarity=np.concatenate([p.similarity for p in parts]),
        )

    def _signed(self, texts: pa.StringArray) -> tuple[Sets, np.ndarray]:
        step = self.step
        sets = shingle_sets(texts, step.unit, step.characters, step.words)
        return sets, self.signer.keys(sets)

    def _meet(self, texts: pa.StringArray) -> Near:
        sets, keys = self._signed(texts)
        near = self._against_kept(sets, keys)
        twins = self._against_each_other(sets, keys, near)
        kept = np.flatnonzero((near.similarity == 0) & (sets.sizes > 0))
        numbers = np.full(len(keys), -1)
        numbers[kept] = self.index.count + np.arange(len(kept))
        near.like[twins >= 0] = numbers[twins[twins >= 0]]
        self._add(sets, keys, kept)
        return near

    def _add(self, sets: Sets, keys: np.ndarray, rows: np.ndarray) -> None:
        if len(rows):
            self.index.add(keys[rows])
            self.sketches.add(sets, rows)

    def _against_kept(self, sets: Sets, keys: np.ndarray) -> Near:
        """The first kept row that each row is near enough to."""
        near = Near(like=np.full(len(keys), -1), similarity=np.zeros(len(keys)))
        query, kept = self.index.find(keys)
        if len(query):
            allowed = self._sizes_allow(sets.sizes[query], self.sketches.sizes[kept])
            query, kept = query[allowed], kept[allowed]
            similarity = self.sketches.similarities(sets, query, kept)
            close = np.flatnonzero(similarity >= self.step.threshold)[::-1]
            near.similarity[query[close]] = similarity[close]  # pairs are in order:
            near.like[query[close]] = kept[close]  # the first is written last
        return near

    def _against_each_other(self, sets: Sets, keys: np.ndarray, near: Near) -> np.ndarray:
        """(N,) an earlier row of the batch that each is like and that is itself kept, or -1.

        Their similarities go into `near`.
        """
        twins, found = np.full(len(keys), -1), near.similarity
        alive = np.flatnonzero((found == 0) & (sets.sizes > 0))
        if len(alive) < 2:
            return twins
        later, earlier = _pairs(keys[alive])
        later, earlier = alive[later], alive[earlier]
        allowed = self._sizes_allow(sets.sizes[later], sets.sizes[earlier])
        later, earlier = later[allowed], earlier[allowed]
        if not len(later):
            return twins
        similarity = self.sketches.similarities_within(sets, later, earlier)
        close = similarity >= self.step.threshold
        order = np.lexsort((earlier[close], later[close]))
        for row, other, value in zip(
            later[close][order].tolist(),
            earlier[close][order].tolist(),
            similarity[close][order].tolist(),
            strict=True,
        ):
            if not found[other] and not found[row]:
                found[row], twins[row] = value, other
        return twins

    def _sizes_allow(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """The Jaccard similarity of two sets is at most the smaller size over the greater."""
        allowed: np.ndarray = np.minimum(left, right) >= self.step.threshold * np.maximum(
            left, right
        )
        return allowed


def _pairs(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All (later, earlier) pairs of rows that share a band key, each once. `keys`: (N, bands)."""
    found: list[np.ndarray] = []
    for column in keys.T:
        order = np.argsort(column, kind="stable")
        ordered = column[order]
        step = 1
        same = np.flatnonzero(ordered[step:] == ordered[:-step])
        while len(same):
            found.append((order[same + step] << 32) | order[same])
            step += 1
            same = same[same + step < len(ordered)]
            same = same[ordered[same + step] == ordered[same]]
    return unpacked(found)
