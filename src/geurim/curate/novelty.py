"""Novelty against everything kept so far: ROUGE-L, as in Self-Instruct, but right for Korean."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from geurim.curate.characters import SYLLABIC, Characters, classes, folded
from geurim.curate.contract import Filter, Step, reasons_at
from geurim.curate.minhash import _room
from geurim.curate.shingles import word_spans
from geurim.errors import SettingError


@dataclass(frozen=True, kw_only=True)
class Novelty(Step):
    """Drops a text whose ROUGE-L with an earlier kept text is above `threshold`.

    ROUGE-L is 2 L / (m + n), with L the longest common subsequence of the two texts' m and n tokens
    (Lin 2004, the F measure with equal weights); Self-Instruct (Wang et al. 2023) and Alpaca keep
    instructions up to 0.7. Tokens: each Hangul syllable, jamo, ideograph or kana by itself; runs of
    letters and digits of other scripts as words; where a text has none (only emoji or signs), each
    character. The `rouge-score` package strips Hangul, so two equal Korean texts score 0 there.

    The answer is exact: texts are left out only where a bound proves that they lie below the
    threshold. Memory a kept row: 8 bytes a token and about 100 a row, and 150 for each new token.
    Compares rows one by one with all kept ones: for millions of rows use `NearDuplicates`.
    """

    name: ClassVar[str] = "novelty"
    threshold: float = 0.7
    against: tuple[str, ...] = ()  # texts that count as kept before the first row, such as seeds

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise SettingError(
                f"The threshold {self.threshold!r} is not a ROUGE-L. "
                "Give a number between 0 and 1, such as 0.7."
            )

    def start(self) -> Filter:
        return NoveltyFilter(self.threshold, self.against)


def tokens_of(texts: pa.StringArray) -> list[list[str]]:
    """The tokens of each text that ROUGE-L is computed on."""
    chars = folded(texts)
    kinds = classes(chars.points)
    rows, begin, end = _token_spans(chars, kinds)
    text = chars.points.tobytes().decode("utf-32-le")
    tokens: list[list[str]] = [[] for _ in range(len(texts))]
    for row, start, stop in zip(rows.tolist(), begin.tolist(), end.tolist(), strict=True):
        tokens[row].append(text[start:stop])
    for row, own in enumerate(tokens):
        if not own:
            start, stop = chars.offsets[row : row + 2].tolist()
            own.extend(text[start:stop].replace(" ", ""))
    return tokens


def _token_spans(chars: Characters, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Words, with each syllabic character cut out as a token of its own."""
    alone = (kinds & SYLLABIC) != 0
    rows, begin, end = word_spans(chars, kinds)
    if not alone.any():
        return rows, begin, end
    single = np.flatnonzero(alone)
    edges = np.unique(np.concatenate([begin, end, single, single + 1]))
    starts, stops = edges[:-1], edges[1:]
    word = np.searchsorted(begin, starts, side="right") - 1
    inside = (word >= 0) & (stops <= end[np.maximum(word, 0)])
    return rows[word[inside]], starts[inside], stops[inside]


def longest_common(query: dict[int, int], length: int, other: list[int]) -> int:
    """The length of the longest common subsequence, by bits of one long integer.

    `query`: for each token the places where it stands, as bits; `length`: of the query. Hyyro 2004,
    "Bit-parallel LCS-length computation revisited".
    """
    full = (1 << length) - 1
    row = full
    for token in other:
        matches = query.get(token, 0) & row
        row = ((row + matches) | (row - matches)) & full
    return length - row.bit_count()


def rouge_l(left: str, right: str) -> float:
    """The ROUGE-L (F measure) of two texts by the tokens of `Novelty`; 1 for two without tokens."""
    a, b = tokens_of(pa.array([left, right], pa.string()))
    if not a or not b:
        return float(a == b)
    numbers: dict[str, int] = {}
    first, second = ([numbers.setdefault(t, len(numbers)) for t in own] for own in (a, b))
    return 2 * longest_common(_places(first), len(a), second) / (len(a) + len(b))


def _places(tokens: list[int]) -> dict[int, int]:
    places: dict[int, int] = {}
    for i, token in enumerate(tokens):
        places[token] = places.get(token, 0) | 1 << i
    return places


class NoveltyFilter(Filter):
    """Kept texts as numbers of "the k-th occurrence of this token", with an inverted index.

    Two bags of such numbers share as many members as two texts can have in common at most, in any
    order: a bound on the longest common subsequence.
    """

    def __init__(self, threshold: float, against: Sequence[str] = ()) -> None:
        self.threshold = threshold
        self.numbers: dict[tuple[str, int], int] = {}
        self.base: list[int] = []  # number of the first occurrence of the same token
        self.postings: list[array[int]] = []  # rows that hold the member, in order
        self.count = 0
        self.flat = np.empty(1 << 12, np.int32)
        self.ends = np.zeros(1 << 10, np.int64)  # ends[i + 1] ends row i in flat
        self.known = "an earlier row or a text it is held against" if against else "an earlier row"
        for tokens in tokens_of(pa.array(against, pa.string())) if against else ():
            if tokens:
                self._keep(self._members(tokens))

    @property
    def nbytes(self) -> int:
        """Memory of the arrays, in bytes (the dictionary of tokens is not counted)."""
        return self.flat.nbytes + self.ends.nbytes + sum(4 * len(p) for p in self.postings)

    def judge(self, texts: pa.StringArray, rows: pa.RecordBatch) -> pa.StringArray:
        at, why = [], []
        valid = texts.is_valid().to_pylist()
        for place, tokens in enumerate(tokens_of(texts)):
            if not valid[place] or not tokens:
                continue
            members = self._members(tokens)
            best = self._greatest(members)
            if best > self.threshold:
                at.append(place)
                why.append(f"ROUGE-L {best:.2f} with {self.known} (limit {self.threshold:g}).")
            else:
                self._keep(members)
        return reasons_at(len(texts), np.array(at, np.int64), why)

    def _members(self, tokens: list[str]) -> list[int]:
        seen: dict[str, int] = {}
        numbers, members = self.numbers, []
        for token in tokens:
            times = seen.get(token, 0)
            seen[token] = times + 1
            number = numbers.setdefault((token, times), len(numbers))
            if number == len(self.base):
                self.base.append(numbers[token, 0])
                self.postings.append(array("i"))
            members.append(number)
        return members

    def _keep(self, members: list[int]) -> None:
        for member in members:
            self.postings[member].append(self.count)
        used = int(self.ends[self.count])
        self.flat = _room(self.flat, used + len(members))
        self.flat[used : used + len(members)] = members
        self.count += 1
        self.ends = _room(self.ends, self.count + 1)
        self.ends[self.count] = used + len(members)

    def _greatest(self, members: list[int]) -> float:
        """The greatest ROUGE-L with a kept row, or the first found above the threshold."""
        kept, bound = self._candidates(members)
        if not len(kept):
            return 0.0
        base = self.base
        query = [base[m] for m in members]
        places = _places(query)
        best = 0.0
        for row in kept[np.argsort(-bound, kind="stable")].tolist():
            other = [base[m] for m in self.flat[self.ends[row] : self.ends[row + 1]].tolist()]
            score = 2 * longest_common(places, len(query), other) / (len(query) + len(other))
            best = max(best, score)
            if best > self.threshold:
                break
        return best

    def _candidates(self, members: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """Kept rows that may lie above the threshold, and their bound on ROUGE-L.

        The common subsequence is at most as long as the bags have members in common, which the
        inverted index counts for all kept rows at once.
        """
        m, t = len(members), self.threshold
        lists = [np.frombuffer(self.postings[x], np.int32) for x in members if self.postings[x]]
        if not lists:
            return np.zeros(0, np.int64), np.zeros(0)
        overlap = np.bincount(np.concatenate(lists), minlength=self.count)
        lists.clear()  # an array cannot grow while it is looked at
        # Above t the overlap is above t (m + n) / 2, and n is at least the overlap.
        kept = np.flatnonzero(overlap > t * m / (2 - t) - 1e-9)
        bound = 2 * overlap[kept] / ((self.ends[kept + 1] - self.ends[kept]) + m)
        above = bound > t
        return kept[above], bound[above]
