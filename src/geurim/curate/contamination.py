"""Decontamination: texts that hold a piece of a named benchmark."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from geurim.contract import Lineage, Source
from geurim.curate.characters import (
    DIGIT,
    LETTER,
    Characters,
    classes,
    folded,
    segment_counts,
)
from geurim.curate.contract import Filter, Step, reasons_at
from geurim.curate.hashes import span_hashes, window_hashes
from geurim.curate.semantic import Embedder, unit_vectors
from geurim.curate.shingles import by_word, word_spans
from geurim.errors import DataError, NotFound, SettingError
from geurim.read import as_source
from geurim.texts import joined, leaves

_BATCH = 2_048
_LINES = {".jsonl", ".ndjson"}


@dataclass(frozen=True, kw_only=True)
class Contamination(Step):
    """Drops a text that shares a run of words or characters with a benchmark.

    Benchmark texts with words between blanks: any `words` words in a row (13: Brown et al. 2020,
    "Language Models are Few-Shot Learners", appendix C), or the whole of a shorter text of at least
    `least_words`. Korean, Chinese and Japanese ones (30% such letters): any `characters` letters
    and digits in a row, signs and blanks left out, since an ending or a blank changes a Korean
    word; or the whole of a shorter text of at least `least_characters`. A run that more than
    `common` of the benchmark's texts share ("Write a function to …") proves nothing and is left
    out.

    `against`: a Source, a path, or a sequence of them, such as the test files of a benchmark.
    `columns`: which columns of them; by default all that hold text. `embedder`, `cosine`: drop
    paraphrases too, by the cosine of embeddings. Settings hold no rows: the files are read at the
    start of each run. Memory: 12 bytes for each run of the benchmark.
    """

    name: ClassVar[str] = "contamination"
    against: Any
    columns: tuple[str, ...] | None = None
    words: int = 13
    characters: int = 20
    least_words: int = 5
    least_characters: int = 10
    common: int = 10
    embedder: Embedder | None = None
    cosine: float = 0.97

    def __post_init__(self) -> None:
        for unit in ("words", "characters"):
            most, least = getattr(self, unit), getattr(self, f"least_{unit}")
            if not 1 <= least <= most:
                raise SettingError(
                    f"least_{unit} is {least!r} and {unit} {most!r}. "
                    "Give whole numbers above 0, the first not above the second."
                )
        if not 0 < self.cosine <= 1:
            raise SettingError(f"cosine is {self.cosine!r}. Give a number above 0, up to 1.")
        if not self.sources():
            raise SettingError("There is nothing to compare with. Name a benchmark's files.")

    def sources(self) -> list[Any]:
        one = isinstance(self.against, str | Path | Source)
        return [self.against] if one else list(self.against)

    def start(self) -> ContaminationFilter:
        return ContaminationFilter(self)


@dataclass(frozen=True, kw_only=True)
class _Runs:
    """Hashes of runs of one size, sorted, and the benchmark text each stands in, both (R,)."""

    hashes: np.ndarray
    items: np.ndarray

    def find(self, hashes: np.ndarray) -> np.ndarray:
        """(H,) the benchmark text that holds each run, or -1."""
        at = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        found: np.ndarray = np.where(self.hashes[at] == hashes, self.items[at], -1)
        return found


class ContaminationFilter(Filter):
    """The runs of a benchmark; `met` also tells which of its texts was met."""

    def __init__(self, step: Contamination) -> None:
        self.step = step
        self.where: list[tuple[str, int]] = []  # file and first number of its texts
        self.count = 0
        self.vectors: list[np.ndarray] = []
        pieces: dict[tuple[str, int], list[tuple[np.ndarray, np.ndarray]]] = {}
        for texts in self._benchmark_texts():
            self._take(texts, pieces)
            self.count += len(texts)
        self.runs = {
            key: runs
            for key, parts in sorted(pieces.items())
            if (runs := _unshared(parts, step.common)) is not None
        }

    def _benchmark_texts(self) -> Iterator[pa.StringArray]:
        for given in self.step.sources():
            if isinstance(given, str | Path) and _LINES & set(Path(given).suffixes):
                source = _read_lines(Path(given))
            else:
                source = as_source(given)
            name = Path(given).name if isinstance(given, str | Path) else source.lineage.maker
            for column in self._columns(source, name):
                self.where.append((f"{name}, {column}", self.count))
                for batch in source.read():
                    for start in range(0, batch.num_rows, _BATCH):
                        yield joined(batch.slice(start, _BATCH), (column,))

    def _columns(self, source: Source, name: str) -> list[str]:
        names = source.schema.names
        missing = set(self.step.columns or ()) - set(names)
        if missing:
            raise SettingError(
                f"{name} has no column {sorted(missing)[0]!r}. Choose from: {', '.join(names)}."
            )
        if self.step.columns:
            return list(self.step.columns)
        columns = [f.name for f in source.schema if _holds_text(f.type)]
        if not columns:
            raise DataError(f"No column of {name} holds text. Give a file with the questions.")
        return columns

    def _take(
        self,
        texts: pa.StringArray,
        pieces: dict[tuple[str, int], list[tuple[np.ndarray, np.ndarray]]],
    ) -> None:
        step, chars = self.step, folded(texts)
        kinds = classes(chars.points)
        worded = by_word(chars, kinds, "auto")
        for unit, mine in (("words", worded), ("characters", ~worded)):
            hashes, offsets = _units(chars, kinds, unit)
            sizes = np.where(mine, np.diff(offsets), 0)
            most, least = getattr(step, unit), getattr(step, f"least_{unit}")
            for size in np.unique(np.minimum(sizes[sizes >= least], most)).tolist():
                chosen = sizes >= most if size == most else sizes == size
                rows, runs = _runs(hashes, offsets, size)
                inside = chosen[rows]
                pieces.setdefault((unit, size), []).append(
                    (runs[inside], (rows[inside] + self.count).astype(np.int32))
                )
        if step.embedder is not None:
            self.vectors.append(unit_vectors(step.embedder, texts.fill_null("").to_pylist()))

    def judge(self, texts: pa.StringArray, rows: pa.RecordBatch) -> pa.StringArray:
        met = self.met(texts)
        at = np.array(sorted(met), np.int64)
        return reasons_at(len(texts), at, [met[i][1] for i in at.tolist()])

    def met(self, texts: pa.StringArray) -> dict[int, tuple[int, str]]:
        """The number of the benchmark's text that each text shares something with, and what."""
        chars = folded(texts)
        kinds = classes(chars.points)
        met: dict[int, tuple[int, str]] = {}
        units = {u: _units(chars, kinds, u) for u in {unit for unit, _ in self.runs}}
        for (unit, size), known in reversed(self.runs.items()):
            hashes, offsets = units[unit]
            row, runs = _runs(hashes, offsets, size)
            items = known.find(runs)
            hit = np.flatnonzero(items >= 0)
            for i, item in zip(row[hit].tolist(), items[hit].tolist(), strict=True):
                said = f"Shares {size} {unit} in a row with {self._place(item)}."
                met.setdefault(i, (item, said))
        if self.step.embedder is not None:
            self._paraphrases(texts, self.step.embedder, met)
        return met

    def _paraphrases(
        self, texts: pa.StringArray, embedder: Embedder, met: dict[int, tuple[int, str]]
    ) -> None:
        if len(self.vectors) > 1:
            self.vectors = [np.concatenate(self.vectors)]
        left = np.array([i for i in range(len(texts)) if i not in met and texts[i].is_valid])
        if not len(left) or not self.vectors:
            return
        cosines = unit_vectors(embedder, texts.take(pa.array(left)).to_pylist()) @ self.vectors[0].T
        item = cosines.argmax(axis=1)
        best = cosines[np.arange(len(left)), item]
        for place in np.flatnonzero(best >= self.step.cosine - 1e-6).tolist():
            said = f"Cosine {best[place]:.3f} to {self._place(int(item[place]))}"
            met[int(left[place])] = (int(item[place]), f"{said} (limit {self.step.cosine:g}).")

    def _place(self, item: int) -> str:
        name, first = next((n, f) for n, f in reversed(self.where) if f <= item)
        return f"{name}, row {item - first + 1}"


def _read_lines(path: Path) -> Source:
    """JSON Lines with lists and objects in them (turns, choices), which `read` refuses.

    Each key is a column of text: all strings in its value, joined by line breaks.
    """
    if not path.is_file():
        raise NotFound(f"There is no file {path}. Check its name.")
    opened = gzip.open if path.suffix == ".gz" else open
    columns: dict[str, list[str | None]] = {}
    with opened(path, "rt", encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                row = json.loads(line) if line.strip() else {}
            except ValueError as error:
                raise DataError(
                    f"Line {number} of {path.name!r} is not JSON: {error}. Mend or remove it."
                ) from None
            for key, value in (row if isinstance(row, dict) else {"text": row}).items():
                text = "\n".join(leaves(value))
                if text:
                    known = columns.setdefault(key, [])
                    known += [None] * (number - 1 - len(known))
                    known.append(text)
    longest = max(map(len, columns.values()), default=0)
    table = pa.table(
        {k: pa.array(v + [None] * (longest - len(v)), pa.string()) for k, v in columns.items()}
    )
    return Source(
        schema=table.schema,
        lineage=Lineage(maker=path.name, digest="", real=True),
        read=lambda: iter(table.to_batches()),
    )


def _holds_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _holds_text(kind.value_type)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _holds_text(kind.value_type)
    if pa.types.is_struct(kind):
        return any(_holds_text(f.type) for f in kind)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _units(chars: Characters, kinds: np.ndarray, unit: str) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of the words, or the letters and digits, of all texts, and where each text starts."""
    count = len(chars.lengths)
    if unit == "words":
        rows, begin, end = word_spans(chars, kinds)
        hashes = span_hashes(chars.points, begin, end)
        return hashes, np.searchsorted(rows, np.arange(count + 1))
    said = (kinds & (LETTER | DIGIT)) != 0
    offsets = np.concatenate([[0], np.cumsum(segment_counts(said, chars.offsets))])
    return chars.points[said].astype(np.uint64), offsets


def _runs(hashes: np.ndarray, offsets: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Text and hash of each run of `size` units within one text."""
    windows = window_hashes(hashes, size)
    rows = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))[: len(windows)]
    inside = np.arange(len(windows)) <= offsets[1:][rows] - size
    return rows[inside], windows[inside]


def _unshared(parts: list[tuple[np.ndarray, np.ndarray]], common: int) -> _Runs | None:
    """The runs of at most `common` texts, each with the first text that holds it."""
    hashes = np.concatenate([p[0] for p in parts])
    items = np.concatenate([p[1] for p in parts])
    order = np.lexsort((items, hashes))
    hashes, items = hashes[order], items[order]
    new = np.ones(len(hashes), bool)
    new[1:] = hashes[1:] != hashes[:-1]
    other = np.ones(len(hashes), bool)
    other[1:] = new[1:] | (items[1:] != items[:-1])
    starts = np.flatnonzero(new)
    holders = np.add.reduceat(other.astype(np.int64), starts) if len(starts) else starts
    starts = starts[holders <= common]
    return _Runs(hashes=hashes[starts], items=items[starts]) if len(starts) else None
