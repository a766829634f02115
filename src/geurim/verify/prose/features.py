"""Texts as vectors: hashed n-grams with weights, and dense embeddings made of them.

Feature hashing (Weinberger et al. 2009) of character 3- and 4-grams, words and pairs of words, with
sublinear counts and inverse document frequencies, each text of length 1; a truncated singular value
decomposition (Deerwester et al. 1990; randomized, Halko, Martinsson & Tropp 2011) makes them dense.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from geurim.curate.hashes import mixed
from geurim.errors import SettingError
from geurim.verify.prose.texts import Texts

BUCKETS = 1 << 15
DIMENSIONS = 64
SKETCH = 1 << 12  # buckets that the decomposition works on
CUT = 500  # characters of a text that make its vector
_BLOCK = 500

Embedder = Callable[[Sequence[str]], np.ndarray]
"""Texts -> (N, D) vectors, one a text."""


@dataclass(frozen=True)
class Sparse:
    """A matrix by rows: row i holds `values` in columns `places`, bounds[i] to bounds[i + 1]."""

    bounds: np.ndarray  # (N + 1,) int64
    places: np.ndarray  # (E,) int64, which is what NumPy counts with fastest
    values: np.ndarray  # (E,) float32
    width: int

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @property
    def owners(self) -> np.ndarray:
        return np.repeat(np.arange(len(self), dtype=np.int64), np.diff(self.bounds))

    def times(self, weights: np.ndarray) -> np.ndarray:
        """The product with a vector (width,), (N,)."""
        if not len(self.places):
            return np.zeros(len(self))
        each = np.append(self.values * weights.astype(np.float32)[self.places], np.float32(0))
        out: np.ndarray = np.add.reduceat(each, self.bounds[:-1], dtype=float)
        return np.where(self.bounds[1:] > self.bounds[:-1], out, 0.0)

    def transposed_times(self, weights: np.ndarray) -> np.ndarray:
        """The transpose's product with a vector (N,), (width,)."""
        each = np.repeat(weights.astype(np.float32), np.diff(self.bounds))
        return np.bincount(self.places, self.values * each, self.width)

    def take(self, rows: np.ndarray) -> Sparse:
        """Some rows, in the order given."""
        sizes = np.diff(self.bounds)[rows]
        bounds = np.concatenate([[0], np.cumsum(sizes)])
        at = np.arange(bounds[-1]) + np.repeat(self.bounds[:-1][rows] - bounds[:-1], sizes)
        return Sparse(bounds, self.places[at], self.values[at], self.width)

    def dense(self, first: int, last: int, width: int) -> np.ndarray:
        """Rows first to last, (last - first, width) float32; columns are folded into `width`."""
        low, high = self.bounds[first], self.bounds[last]
        owners = np.repeat(np.arange(last - first), np.diff(self.bounds[first : last + 1]))
        at = owners * width + (self.places[low:high] & (width - 1))
        flat = np.bincount(at, self.values[low:high], (last - first) * width)
        return flat.reshape(-1, width).astype(np.float32)


def stack(*parts: Sparse) -> Sparse:
    """The rows of all parts, one below the other."""
    sizes = np.concatenate([np.diff(p.bounds) for p in parts])
    return Sparse(
        np.concatenate([[0], np.cumsum(sizes)]),
        np.concatenate([p.places for p in parts]),
        np.concatenate([p.values for p in parts]),
        parts[0].width,
    )


def from_dense(matrix: np.ndarray) -> Sparse:
    """A dense matrix in the same form."""
    rows, width = matrix.shape
    places = np.tile(np.arange(width, dtype=np.int64), rows)
    values = matrix.astype(np.float32).ravel()
    return Sparse(np.arange(rows + 1) * width, places, values, width)


def counts(texts: Texts) -> Sparse:
    """How often each hashed n-gram occurs in each text, (N, BUCKETS)."""
    parts = [
        _counted(Texts(pc.utf8_slice_codeunits(texts.values[first : first + _BLOCK], 0, CUT)))
        for first in range(0, len(texts), _BLOCK)
    ]
    return stack(*parts) if parts else Sparse(np.zeros(1, int), *_NOTHING, BUCKETS)


_NOTHING = (np.zeros(0, np.int64), np.zeros(0, np.float32))


def _counted(texts: Texts) -> Sparse:
    grams = [texts.runs(n) for n in (3, 4)] + [texts.word_runs(n) for n in (1, 2)]
    keys = [g.rows.astype(np.int64) * BUCKETS + _bucket(g.hashes, i) for i, g in enumerate(grams)]
    unique, often = np.unique(np.concatenate(keys), return_counts=True)
    sizes = np.bincount(unique // BUCKETS, minlength=len(texts))
    return Sparse(
        np.concatenate([[0], np.cumsum(sizes)]),
        unique % BUCKETS,
        often.astype(np.float32),
        BUCKETS,
    )


def _bucket(hashes: np.ndarray, kind: int) -> np.ndarray:
    return (mixed(hashes + np.uint64(kind)) >> np.uint64(49)).astype(np.int64)


def weighted(*parts: Sparse) -> list[Sparse]:
    """The counts of several sets of texts as weights, each text of length 1; one idf for all."""
    rows = sum(map(len, parts))
    seen = sum((np.bincount(p.places, minlength=p.width) for p in parts), np.zeros(parts[0].width))
    idf = (np.log((1 + rows) / (1 + seen)) + 1).astype(np.float32)
    return [_unit(Sparse(p.bounds, p.places, _logged(p, idf), p.width)) for p in parts]


def _logged(part: Sparse, idf: np.ndarray) -> np.ndarray:
    weights: np.ndarray = (1 + np.log(part.values)) * idf[part.places]
    return weights


def _unit(part: Sparse) -> Sparse:
    squares = Sparse(part.bounds, np.zeros_like(part.places), part.values**2, 1)
    norms = np.sqrt(np.maximum(squares.times(np.ones(1)), 1e-12))
    each = np.repeat(norms.astype(np.float32), np.diff(part.bounds))
    return Sparse(part.bounds, part.places, part.values / each, part.width)


def embed(parts: Sequence[Sparse], rng: np.random.Generator) -> list[np.ndarray]:
    """Dense unit vectors (N, DIMENSIONS) of several sets: one decomposition for all."""
    basis = _basis(stack(*parts), rng)
    out = []
    for part in parts:
        blocks = [
            part.dense(first, min(first + _BLOCK, len(part)), SKETCH) @ basis
            for first in range(0, len(part), _BLOCK)
        ]
        out.append(unit(np.concatenate(blocks) if blocks else np.zeros((0, basis.shape[1]))))
    return out


def _basis(rows: Sparse, rng: np.random.Generator, most: int = 3_000) -> np.ndarray:
    """The first right singular vectors of a sample of the rows, (SKETCH, DIMENSIONS)."""
    kept = np.sort(rng.permutation(len(rows))[:most])
    matrix = rows.take(kept).dense(0, len(kept), SKETCH)
    size = min(DIMENSIONS, *matrix.shape)
    probe = matrix.T @ (matrix @ rng.normal(size=(SKETCH, min(size + 16, SKETCH))).astype("f4"))
    for _ in range(2):
        probe = matrix.T @ (matrix @ np.linalg.qr(probe)[0])
    directions = np.linalg.qr(probe)[0]
    turned = np.linalg.svd(matrix @ directions, full_matrices=False)[2]
    basis: np.ndarray = (directions @ turned.T)[:, :size]
    return basis


def unit(vectors: np.ndarray) -> np.ndarray:
    """Each vector (N, D) at length 1; a zero stays zero."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: np.ndarray = vectors / np.where(norms > 0, norms, 1).astype(vectors.dtype)
    return scaled


def embedded_by(embedder: Embedder, texts: Texts) -> np.ndarray:
    """The user's own vectors at length 1. Raises SettingError where they are not (N, D) numbers."""
    vectors = np.asarray(embedder(list(texts.raw)), float)
    if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
        raise SettingError(
            f"The embedder gave an array of shape {vectors.shape} for {len(texts)} texts. "
            "Give a function that returns one row of finite numbers a text."
        )
    return unit(vectors)
