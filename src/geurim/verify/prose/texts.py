"""Texts as arrays: code points, words, and 64-bit hashes of their n-grams, all in numpy.

Texts are compared in NFC, lower case and with white space collapsed; what a reader is shown stays
as it is. A word is a run of letters, digits, marks and apostrophes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from geurim.errors import DataError, SchemaError

LONG = 8_000  # characters of a text that are looked at
_BASE = np.uint64(0x9E3779B97F4A7C15)
_SPOKEN = ("content", "value", "text")


@dataclass(frozen=True)
class Grams:
    """Occurrences of n-grams: a hash, the text and the place of each, in the order of the texts."""

    hashes: np.ndarray  # (G,) uint64
    rows: np.ndarray  # (G,) int32: the number of the text
    places: np.ndarray  # (G,) int64: the first character, counted over all texts


@dataclass(frozen=True)
class Texts:
    """Some texts. `raw` as they are, `plain` as they are compared."""

    raw: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.raw)

    @cached_property
    def plain(self) -> tuple[str, ...]:
        return tuple(plain(t) for t in self.raw)

    @cached_property
    def codes(self) -> np.ndarray:
        """The code points of all plain texts, one after another, (C,) uint32."""
        joined = "".join(self.plain).encode("utf-32-le", "surrogatepass")
        return np.frombuffer(joined, np.uint32)

    @cached_property
    def lengths(self) -> np.ndarray:
        """Characters of each plain text, (N,)."""
        return np.fromiter(map(len, self.plain), np.int64, len(self))

    @cached_property
    def ends(self) -> np.ndarray:
        return np.cumsum(self.lengths)

    def take(self, places: Sequence[int] | np.ndarray) -> Texts:
        return Texts(tuple(self.raw[int(i)] for i in places))

    def rows(self) -> np.ndarray:
        """The number of each character's text, (C,) int32."""
        return np.repeat(np.arange(len(self), dtype=np.int32), self.lengths)

    @cached_property
    def words(self) -> Grams:
        """The words, each with its hash."""
        inside = _is_word(self.codes)
        row = self.rows()
        same = np.zeros(len(row), bool)
        same[1:] = row[1:] == row[:-1]
        before = np.zeros(len(row), bool)
        before[1:] = inside[:-1]
        starts = np.flatnonzero(inside & ~(before & same))
        after = np.ones(len(row), bool)
        after[:-1] = ~inside[1:] | ~same[1:]
        ends = np.flatnonzero(inside & after) + 1
        if not len(starts):
            return Grams(np.zeros(0, np.uint64), np.zeros(0, np.int32), np.zeros(0, np.int64))
        first = np.concatenate([[0], starts])
        within = np.arange(len(row)) - np.repeat(first, np.diff(np.append(first, len(row))))
        power = np.multiply.accumulate(np.full(int(within.max()) + 2, _BASE, np.uint64))
        values = np.where(inside, mix(self.codes) * power[within], np.uint64(0))
        hashes = mix(np.add.reduceat(values, starts) + (ends - starts).astype(np.uint64))
        return Grams(hashes, row[starts], starts)

    def word_ends(self) -> np.ndarray:
        """One past the last character of each word, (W,)."""
        starts = self.words.places
        outside = np.flatnonzero(~_is_word(self.codes))
        stops = np.append(outside, len(self.codes))
        ends = stops[np.searchsorted(stops, starts)]
        found: np.ndarray = np.minimum(ends, self.ends[self.words.rows])
        return found

    def characters(self, n: int) -> Grams:
        """Every run of `n` characters, blanks among them, that lies in one text."""
        return _runs(mix(self.codes), self.rows(), np.arange(len(self.codes)), n)

    def word_runs(self, n: int) -> Grams:
        """Every run of `n` words that lies in one text."""
        return runs(self.words, n)

    def excerpt(self, place: int, length: int) -> str:
        """What stands at a place of the plain texts."""
        return self.codes[place : place + length].tobytes().decode("utf-32-le", "replace")


def plain(text: str) -> str:
    """The text as it is compared."""
    return " ".join(unicodedata.normalize("NFC", text[:LONG]).lower().split())


def mix(values: np.ndarray) -> np.ndarray:
    """The finisher of SplitMix64 (Steele, Lea & Flood 2014): every bit depends on every bit."""
    bits = values.astype(np.uint64) + _BASE
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = bits ^ (bits >> np.uint64(31))
    return mixed


def runs(single: Grams, n: int) -> Grams:
    """Every run of `n` neighbouring pieces of one text."""
    return _runs(single.hashes, single.rows, single.places, n)


def _runs(values: np.ndarray, rows: np.ndarray, places: np.ndarray, n: int) -> Grams:
    """Hashes of `n` neighbouring values of one text, made by doubling: log2(n) passes."""
    count = len(values) - n + 1
    if count <= 0:
        return Grams(values[:0], rows[:0], places[:0])
    inside = rows[n - 1 :] == rows[:count]
    done, total = 0, np.zeros(count, np.uint64)
    power, width, base = values, 1, _BASE
    while True:
        if n & width:
            total = total * base + power[done : done + count]
            done += width
        if done == n:
            break
        power = power[: len(power) - width] * base + power[width:]
        base = np.uint64(int(base) ** 2 % 2**64)  # a scalar would warn of its overflow
        width *= 2
    return Grams(mix(total[inside]), rows[:count][inside], places[:count][inside])


def _is_word(codes: np.ndarray) -> np.ndarray:
    """Which code points are part of a word, (C,) bool."""
    if not len(codes):
        return np.zeros(0, bool)
    present = np.flatnonzero(np.bincount(codes))
    table = np.zeros(int(present[-1]) + 1, bool)
    table[present] = [_word(chr(c)) for c in present.tolist()]
    found: np.ndarray = table[codes]
    return found


def _word(char: str) -> bool:
    return char.isalnum() or char in "'’_" or unicodedata.category(char)[0] == "M"


def distinct(grams: Grams) -> Grams:
    """Each n-gram of a text once."""
    keys = mix(grams.hashes + mix(grams.rows))
    first = np.sort(np.unique(keys, return_index=True)[1])
    return Grams(grams.hashes[first], grams.rows[first], grams.places[first])


def text_columns(schema: pa.Schema, table: pa.Table) -> list[str]:
    """The text column of a table, guessed: the one with the longest texts, lists of turns too.

    Raises SchemaError where there is none.
    """
    best, found = 0.0, ""
    for field in schema:
        if not (_is_text(field.type) or pa.types.is_nested(field.type)):
            continue
        texts = strings(table.column(field.name).slice(0, 500))
        mean = sum(map(len, texts)) / max(len(texts), 1)
        if mean > best:
            best, found = mean, field.name
    if not found:
        raise SchemaError(
            f"No column holds text: {', '.join(map(repr, schema.names)) or 'there are none'}. "
            "Name one with `column`."
        )
    return [found]


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def joined(table: pa.Table, columns: Sequence[str]) -> list[str]:
    """Each row's text, the columns one below the other; a missing text is empty.

    Raises SchemaError where a column is not there.
    """
    for name in columns:
        if name not in table.column_names:
            raise SchemaError(
                f"There is no text column {name!r}; there are: "
                f"{', '.join(map(repr, table.column_names))}. Name another."
            )
    parts = [strings(table.column(name)) for name in columns]
    if not parts:
        raise DataError("No text column was named. Give at least one.")
    if len(parts) == 1:
        return parts[0]
    return ["\n".join(p for p in row if p) for row in zip(*parts, strict=True)]


def strings(values: pa.ChunkedArray | pa.Array) -> list[str]:
    """Every value as text: lists of turns joined by line breaks, roles left out."""
    if _is_text(values.type) or not pa.types.is_nested(values.type):
        return ["" if v is None else str(v) for v in values.to_pylist()]
    return ["\n".join(_spoken(v)) for v in values.to_pylist()]


def _spoken(value: Any) -> Iterator[str]:
    """What is said in a nested value, in order; of a turn only its content."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        own = [k for k in _SPOKEN if k in value]
        for key in own or value:
            yield from _spoken(value[key])
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _spoken(part)
