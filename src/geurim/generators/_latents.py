"""Latent normals under the classes of each column, as a Gaussian copula has them.

One for each column says which of its classes a row has, and another, where a column misses values,
whether it does. How they go together is known in closed form, of a table of any size: `gan` starts
from there and learns what a copula cannot say; `vae` adds what its own latents leave open.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geurim.generators.copula import latent_correlation, nearest_correlation
from geurim.generators.normal import cdf, density, ppf

SPREAD = 0.1
"""The deviation of what each latent leaves to chance, so that no class is sure or impossible."""

_FAR = 10.0  # a normal score beyond all


@dataclass(frozen=True, kw_only=True, eq=False)
class Latents:
    """The stretch of a latent normal that each of G classes takes, of L latents.

    A class has latent `axis` (G,) between `low` and `high`, and latent `hole` below `edge`: of a
    column that misses values the present ones ask that, and for others the edge lies beyond all.
    """

    axis: np.ndarray
    low: np.ndarray
    high: np.ndarray
    hole: np.ndarray
    edge: np.ndarray
    holes: np.ndarray  # (C,) the latent of each column's missing values, -1 where it has none
    first: np.ndarray  # (C + 1,)
    atoms: list[np.ndarray]  # the stretches (K, 2) of (0, 1) of each latent

    @classmethod
    def of(cls, first: np.ndarray, share: np.ndarray, missing: np.ndarray) -> Latents:
        """From where columns start (C + 1,), shares and which classes are missing (G,) each."""
        columns, count = len(first) - 1, len(share)
        axis = np.repeat(np.arange(columns), np.diff(first))
        low, high, edge = np.zeros(count), np.zeros(count), np.full(count, _FAR)
        hole = axis.copy()
        atoms: list[np.ndarray] = []
        gaps: list[np.ndarray] = []
        holes = np.full(columns, -1)
        for i in range(columns):
            ours = np.arange(first[i], first[i + 1])
            gone, here = ours[missing[ours]], ours[~missing[ours]]
            ends = np.concatenate([[0.0], np.cumsum(share[here])])
            ends = ends / max(ends[-1], 1e-12)
            atoms.append(np.column_stack([ends[:-1], ends[1:]]))
            scores = np.clip(ppf(np.clip(ends, 0.0, 1.0)), -_FAR, _FAR)
            low[here], high[here] = scores[:-1], scores[1:]
            if len(gone) and len(here):
                start = 1.0 - min(share[gone].sum(), 1.0)
                holes[i] = latent = columns + len(gaps)
                gaps.append(np.array([[0.0, start], [start, 1.0]]))
                axis[gone] = latent
                low[gone], high[gone] = np.clip(ppf(np.array([start])), -_FAR, _FAR), _FAR
                hole[here], edge[here] = latent, low[gone[0]]
        return cls(
            axis=axis,
            low=low,
            high=high,
            hole=hole,
            edge=edge,
            holes=holes,
            first=first,
            atoms=atoms + gaps,
        )

    @property
    def count(self) -> int:
        return len(self.atoms)

    def root(self, groups: np.ndarray) -> np.ndarray:
        """The factor (L, L) by which white noise becomes the latents of rows of groups (N, C)."""
        latent = latent_correlation(self.observed(groups), self.atoms)
        found = nearest_correlation(latent, SPREAD**2 + 1e-6)
        return np.linalg.cholesky(found - SPREAD**2 * np.eye(len(found)))

    def observed(self, groups: np.ndarray) -> np.ndarray:
        """How the mean latents of rows of groups (N, C) correlate (L, L)."""
        return _correlation(*self._scores(groups))

    def _scores(self, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The mean of the latents of each row (N, L), and where they are known."""
        columns = groups.shape[1]
        scores, known = np.zeros((2, len(groups), self.count))
        for i in range(columns):
            numbers = self.first[i] + groups[:, i]
            here = self.axis[numbers] == i
            middle = _middle(self.low, self.high)[numbers]
            scores[here, i], known[:, i] = middle[here], here
            if self.holes[i] >= 0:
                scores[:, self.holes[i]], known[:, self.holes[i]] = ~here, 1.0
        return scores, known


def _middle(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """A normal's mean between two scores: each (G,)."""
    mass = np.maximum(cdf(high) - cdf(low), 1e-12)
    return np.asarray((density(low) - density(high)) / mass)


def _correlation(scores: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Correlations (L, L) over the rows where both are known; 0 where one does not vary."""
    rows = np.maximum(known.T @ known, 1.0)
    mean = (scores.T @ known) / rows
    spread = np.sqrt(np.maximum((scores**2).T @ known / rows - mean**2, 0.0))
    cross = scores.T @ scores / rows - mean * mean.T
    scale = spread * spread.T
    found = np.where(scale > 1e-9, cross / np.maximum(scale, 1e-9), 0.0)
    np.fill_diagonal(found, 1.0)
    return np.asarray(found)
