"""What a kind of noise is: where it may happen, and what happens there."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from geurim.noise.sheet import Sheet

T = TypeVar("T")
Places = Callable[[Sheet], np.ndarray]
"""From a sheet to the spans (N, 2) where the kind may happen, in order and apart."""
Rewrite = Callable[[Sheet, np.ndarray, np.ndarray], Sheet]
"""Sheet, chosen spans (K, 2) and a uniform number for each (K,), to the new sheet."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of noise in one language. Its rate is the share of places that change.

    Places are chosen independently, and every chosen one changes: the number of edits is binomial.
    """

    name: str
    unit: str  # what one place is: "syllable", "space", "sentence", "text" ...
    what: str
    places: Places
    rewrite: Rewrite

    def run(self, sheet: Sheet, rate: float, rng: np.random.Generator) -> tuple[Sheet, int, int]:
        """The noised sheet, the number of edits and of places."""
        spans = self.places(sheet)
        chosen = spans[rng.random(len(spans)) < rate]
        if not len(chosen):
            return sheet, 0, len(spans)
        return self.rewrite(sheet, chosen, rng.random(len(chosen))), len(chosen), len(spans)


def pick(options: Sequence[T], u: float) -> tuple[T, float]:
    """An option by a uniform number in [0, 1), and a fresh uniform number."""
    at = u * len(options)
    return options[int(at)], at % 1


def matches(pattern: str, flags: int = 0) -> Places:
    """Places: wherever a regular expression matches."""
    compiled = re.compile(pattern, flags)

    def places(sheet: Sheet) -> np.ndarray:
        found = [m.span() for m in compiled.finditer(sheet.text)]
        return np.array(found, np.int64).reshape(-1, 2)

    return places


def characters(mask: Callable[[Sheet], np.ndarray]) -> Places:
    """Places: single characters, by a mask (characters,) bool."""

    def places(sheet: Sheet) -> np.ndarray:
        at = np.flatnonzero(mask(sheet))
        return np.stack([at, at + 1], axis=1)

    return places


def gaps(mask: Callable[[Sheet], np.ndarray]) -> Places:
    """Places between a character and the next, empty spans; the mask is (characters - 1,) bool."""

    def places(sheet: Sheet) -> np.ndarray:
        at = np.flatnonzero(mask(sheet)) + 1
        return np.stack([at, at], axis=1)

    return places


def each(edit: Callable[[str, float], str]) -> Rewrite:
    """Rewrite each chosen piece by itself: `edit(piece, uniform)` gives what stands there."""

    def rewrite(sheet: Sheet, spans: np.ndarray, uniform: np.ndarray) -> Sheet:
        text = sheet.text
        pieces = [
            edit(text[s:e], u) for (s, e), u in zip(spans.tolist(), uniform.tolist(), strict=True)
        ]
        return sheet.replace(spans, pieces)

    return rewrite


def table(pairs: str) -> dict[str, tuple[str, ...]]:
    """A table written "right=wrong|wrong" with spaces (or lines) between; "_" is a space."""
    rows = (pair.split("=") for pair in pairs.split())
    return {r.replace("_", " "): tuple(w.replace("_", " ").split("|")) for r, w in rows}


def listed(text: str) -> tuple[str, ...]:
    """The words of a text."""
    return tuple(text.split())


def alternatives(words: Sequence[str]) -> str:
    """A regular expression for any of the words, the longest that fits first.

    Common beginnings are shared, as in a trie: a thousand words then cost about what ten do.
    """
    by_first: dict[str, set[str]] = {}
    for word in words:
        by_first.setdefault(word[:1], set()).add(word[1:])
    ends = "" in by_first
    branches = [
        re.escape(first) + (alternatives(sorted(rests)) if rests != {""} else "")
        for first, rests in sorted(by_first.items())
        if first
    ]
    if not branches:
        return ""
    whole = branches[0] if len(branches) == 1 and not ends else f"(?:{'|'.join(branches)})"
    return whole + "?" if ends else whole


def swapped(pairs: dict[str, tuple[str, ...]]) -> Rewrite:
    """Rewrite by a table: each piece becomes one of its entries."""
    return each(lambda piece, u: pick(pairs[piece], u)[0])
