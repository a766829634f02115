"""Length and repetition."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np
import pyarrow as pa

from geurim.curate.characters import Characters, characters, classes, folded, segment_counts
from geurim.curate.contract import RowStep, reasons_at
from geurim.curate.hashes import mixed, span_hashes, window_hashes
from geurim.curate.shingles import word_spans
from geurim.errors import SettingError

_NEWLINE = 10
_RUN = 12  # characters of a window by which loops are found


@dataclass(frozen=True, kw_only=True)
class Length(RowStep):
    """Drops texts that are missing, too short or too long.

    Characters are counted after white space is collapsed and trimmed; words are what white space
    separates (in Korean an eojeol). None: no limit.
    """

    name: ClassVar[str] = "length"
    least_characters: int = 1
    most_characters: int | None = None
    least_words: int = 0
    most_words: int | None = None

    def __post_init__(self) -> None:
        for unit in ("characters", "words"):
            least, most = getattr(self, f"least_{unit}"), getattr(self, f"most_{unit}")
            if least < 0 or (most is not None and most < max(least, 1)):
                raise SettingError(
                    f"No text has at least {least} and at most {most} {unit}. Widen the limits."
                )

    def reasons(self, texts: pa.StringArray) -> pa.StringArray:
        chars = folded(texts)
        length = chars.lengths
        words = np.where(length > 0, chars.count(chars.points == ord(" ")) + 1, 0)
        why: dict[int, str] = {}
        for unit, counts in (("words", words), ("characters", length)):
            least, most = getattr(self, f"least_{unit}"), getattr(self, f"most_{unit}")
            for i in np.flatnonzero(counts < least).tolist():
                why[i] = f"{counts[i]} {unit} (at least {least})."
            for i in np.flatnonzero(counts > most).tolist() if most is not None else ():
                why[i] = f"{counts[i]} {unit} (at most {most})."
        if texts.null_count:
            missing = np.flatnonzero(texts.is_null().to_numpy(zero_copy_only=False))
            why |= dict.fromkeys(missing.tolist(), "The text is missing.")
        at = np.array(sorted(why), np.int64)
        return reasons_at(len(texts), at, [why[i] for i in at.tolist()])


@dataclass(frozen=True, kw_only=True)
class Repetition(RowStep):
    """Drops texts that repeat themselves, by the rules of Gopher and one for short texts.

    Gopher (Rae et al. 2021, "Scaling Language Models", table A1): the share of lines that came
    before (`lines`) and of characters in them (`line_characters`); the share of characters in the
    most frequent 2-, 3- and 4-gram of words, if it occurs twice (`top`); the share of characters in
    5- to 10-grams that came before in the text (`again`). The n-gram rules look at texts of at
    least `words` words, since in a short text one repeated phrase is a large share. Gopher itself
    takes 50; at that, 3% of the dialogues of HH-RLHF are dropped for asking twice in like words,
    and at 100 as many of the answers of GSM8K, which name a unit in each line.

    `loops` is ours, for texts of any length and language: the share of characters in runs that
    come three times or more without a break ("ㅋㅋㅋㅋ…", the same sentence over and over), in
    texts of at least 24 characters. A phrase that comes back later is no loop. None switches a
    rule off.
    """

    name: ClassVar[str] = "repetition"
    apart: ClassVar[bool] = True
    lines: float | None = 0.3
    line_characters: float | None = 0.2
    top: tuple[float, float, float] | None = (0.20, 0.18, 0.16)
    again: tuple[float, ...] | None = (0.15, 0.14, 0.13, 0.12, 0.11, 0.10)
    loops: float | None = 0.5
    words: int = 200

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            limits = value if isinstance(value, tuple) else (value,)
            shares = field.name != "words" and value is not None
            if shares and not all(0 < limit <= 1 for limit in limits):
                raise SettingError(f"{field.name} is {value!r}. Give shares above 0, up to 1.")

    def reasons(self, texts: pa.StringArray) -> pa.StringArray:
        why: dict[int, str] = {}
        chars = folded(texts)
        if self.loops is not None:
            self._loops(chars, self.loops, why)
        if self.top is not None or self.again is not None:
            self._phrases(chars, why)
        if self.lines is not None or self.line_characters is not None:
            self._lines(characters(texts), why)
        at = np.array(sorted(why), np.int64)
        return reasons_at(len(texts), at, [why[i] for i in at.tolist()])

    def _loops(self, chars: Characters, limit: float, why: dict[int, str]) -> None:
        long = chars.lengths >= 2 * _RUN
        if not long.any():
            return
        hashes = window_hashes(chars.points, _RUN)
        rows = chars.rows()
        inside = np.arange(len(hashes)) <= chars.offsets[1:][rows[: len(hashes)]] - _RUN
        places = np.flatnonzero(inside & long[rows[: len(hashes)]])
        looped = _looped(rows[places], hashes[places], places, len(rows))
        share = chars.count(looped) / np.maximum(chars.lengths, 1)
        for i in np.flatnonzero(share > limit).tolist():
            why[i] = f"{share[i]:.0%} of the characters go round in loops (limit {limit:.0%})."

    def _phrases(self, chars: Characters, why: dict[int, str]) -> None:
        rows, begin, end = word_spans(chars, classes(chars.points))
        counts = np.bincount(rows, minlength=len(chars.lengths))
        long = counts[rows] >= self.words
        if not long.any():
            return
        rows, begin, end = rows[long], begin[long], end[long]
        offsets = np.searchsorted(rows, np.arange(len(counts) + 1))
        lengths = end - begin
        total = np.maximum(np.bincount(rows, lengths, minlength=len(counts)), 1)
        hashes = span_hashes(chars.points, begin, end)
        for size, limit in enumerate(self.again or (), start=5):
            windows, places = _windows(hashes, rows, offsets, size)
            covered = _covered(rows[places], windows, places, size, len(rows))
            share = segment_counts(covered * lengths, offsets) / total
            _note(why, share, limit, f"of the characters are {size}-grams that came before")
        for size, limit in enumerate(self.top or (), start=2):
            windows, places = _windows(hashes, rows, offsets, size)
            width = segment_counts(lengths, np.arange(len(lengths) + 1))
            width = np.concatenate([[0], np.cumsum(width)])
            span = width[places + size] - width[places]
            share = _top(rows[places], windows, span, len(counts)) / total
            _note(why, share, limit, f"of the characters are one {size}-gram")

    def _lines(self, chars: Characters, why: dict[int, str]) -> None:
        rows, begin, end = _line_spans(chars)
        if len(rows) == np.count_nonzero(chars.lengths):
            return  # no text has two lines
        counts = np.bincount(rows, minlength=len(chars.lengths))
        before = _came_before(rows, span_hashes(chars.points, begin, end))
        repeated = np.bincount(rows[before], minlength=len(counts))
        lengths = end - begin
        shares = {
            "lines": repeated / np.maximum(counts, 1),
            "line_characters": np.bincount(
                rows[before], lengths[before], minlength=len(counts)
            ) / np.maximum(np.bincount(rows, lengths, minlength=len(counts)), 1),
        }  # fmt: skip
        if self.line_characters is not None:
            _note(
                why,
                shares["line_characters"],
                self.line_characters,
                "of the characters are in lines that came before",
            )
        if self.lines is not None:
            _note(why, shares["lines"], self.lines, "of the lines came before")


def _note(why: dict[int, str], share: np.ndarray, limit: float, what: str) -> None:
    for i in np.flatnonzero(share > limit).tolist():
        why[i] = f"{share[i]:.0%} {what} (limit {limit:.0%})."


def _windows(
    hashes: np.ndarray, rows: np.ndarray, offsets: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of windows of `size` words within one text, and their first words' places."""
    windows = window_hashes(hashes, size)
    places = np.flatnonzero(np.arange(len(windows)) <= offsets[1:][rows[: len(windows)]] - size)
    return windows[places], places


def _came_before(rows: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Whether the same hash stood earlier in the same row."""
    return _since(rows, hashes, np.arange(len(rows))) > 0


def _since(rows: np.ndarray, hashes: np.ndarray, places: np.ndarray) -> np.ndarray:
    """How many places ago the same hash stood last in the same row; 0 where it did not."""
    keys = mixed(rows.astype(np.uint64) + np.uint64(1)) ^ hashes
    order = np.argsort(keys, kind="stable")
    since = np.zeros(len(keys), np.int64)
    same = keys[order[1:]] == keys[order[:-1]]
    since[order[1:][same]] = (places[order[1:]] - places[order[:-1]])[same]
    return since


def _looped(rows: np.ndarray, hashes: np.ndarray, places: np.ndarray, count: int) -> np.ndarray:
    """(count,) which characters lie in a loop: a run that comes three times without a break.

    There, neighbouring windows all stood as many characters ago, twice as many of them or more.
    """
    since = _since(rows, hashes, places)
    new = np.ones(len(since), bool)
    new[1:] = (since[1:] != since[:-1]) | (places[1:] != places[:-1] + 1)
    starts = np.flatnonzero(new)
    length = np.diff(np.append(starts, len(since))) + _RUN - 1
    period = since[starts]
    loop = (period > 0) & (length + 2 >= 2 * period)  # the last may lack its full stop
    begin = places[starts[loop]]
    return _between(begin - period[loop], begin + length[loop], count)


def _between(begin: np.ndarray, end: np.ndarray, count: int) -> np.ndarray:
    """(count,) which units lie in one of the spans."""
    edges = np.zeros(count + 1, np.int32)
    np.add.at(edges, begin, 1)
    np.add.at(edges, end, -1)
    covered: np.ndarray = np.cumsum(edges)[:count] > 0
    return covered


def _covered(
    rows: np.ndarray, hashes: np.ndarray, places: np.ndarray, size: int, count: int
) -> np.ndarray:
    """(count,) which units lie in a window that came before; each unit counts once."""
    again = places[_came_before(rows, hashes)]
    return _between(again, again + size, count)


def _top(rows: np.ndarray, hashes: np.ndarray, span: np.ndarray, count: int) -> np.ndarray:
    """(count,) characters in the most frequent window of each row, if it occurs twice or more."""
    best = np.zeros(count)
    if not len(rows):
        return best
    keys = mixed(rows.astype(np.uint64) + np.uint64(1)) ^ hashes
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    times = np.diff(np.append(starts, len(keys)))
    often = times >= 2
    first = order[starts[often]]
    np.maximum.at(best, rows[first], times[often] * span[first])
    return best


def _line_spans(chars: Characters) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, start and end of each line that is not empty."""
    breaks = np.flatnonzero(chars.points == _NEWLINE)
    edges = np.unique(np.concatenate([chars.offsets, breaks, breaks + 1]))
    begin, end = edges[:-1], edges[1:]
    filled = chars.points[begin] != _NEWLINE if len(begin) else np.zeros(0, bool)
    begin, end = begin[filled], end[filled]
    rows = np.searchsorted(chars.offsets, begin, side="right") - 1
    return rows, begin, end
