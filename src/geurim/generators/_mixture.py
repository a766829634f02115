"""A mixture of Gaussians, each with its own covariance, learned by expectation-maximization."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_ROUNDS = 50
_ENOUGH = 1e-3  # nats a row, by which a round must do better to be followed by another


@dataclass(frozen=True, kw_only=True, eq=False)
class Mixture:
    """`weight` (K,), `mean` (K, D), `root` (K, D, D): Cholesky factors of the covariances."""

    weight: np.ndarray
    mean: np.ndarray
    root: np.ndarray

    def log_parts(self, points: np.ndarray) -> np.ndarray:
        """log of weight times density (N, K) of points (N, D)."""
        found = np.empty((len(points), len(self.weight)))
        for k, (weight, mean, root) in enumerate(
            zip(self.weight, self.mean, self.root, strict=True)
        ):
            apart = (points - mean) @ np.linalg.inv(root).T
            size = np.log(np.diag(root)).sum() + 0.5 * len(mean) * np.log(2 * np.pi)
            found[:, k] = np.log(weight) - 0.5 * (apart**2).sum(1) - size
        return found


def learn(points: np.ndarray, components: int, rng: np.random.Generator) -> Mixture:
    """The mixture of `components` that points (N, D) come from; N is at least `components`."""
    points = points.astype(np.float64)
    n, d = points.shape
    # A little of the whole spread keeps a component of few rows from closing on them.
    ridge = 1e-4 * max(float(points.var(axis=0).mean()), 1e-6) * np.eye(d)
    whole = np.cov(points, rowvar=False).reshape(d, d) if n > 1 else np.zeros((d, d))
    mixture = Mixture(
        weight=np.full(components, 1 / components),
        mean=points[rng.choice(n, components, replace=False)],
        root=np.repeat(np.linalg.cholesky(whole + ridge)[None], components, axis=0),
    )
    before = -np.inf
    for _ in range(_ROUNDS):
        parts = mixture.log_parts(points)
        top = parts.max(axis=1, keepdims=True)
        share = np.exp(parts - top)
        total = share.sum(axis=1, keepdims=True)
        now = float((np.log(total) + top).mean())
        mixture = _maximize(points, share / total, ridge)
        if now - before < _ENOUGH:
            break
        before = now
    return mixture


def _maximize(points: np.ndarray, share: np.ndarray, ridge: np.ndarray) -> Mixture:
    """The mixture in which each point (N, D) belongs to the components by `share` (N, K)."""
    mass = share.sum(axis=0) + 1e-9
    mean = (share.T @ points) / mass[:, None]
    root = np.empty((len(mass), *ridge.shape))
    for k in range(len(mass)):
        apart = points - mean[k]
        root[k] = np.linalg.cholesky((share[:, k, None] * apart).T @ apart / mass[k] + ridge)
    return Mixture(weight=mass / mass.sum(), mean=mean, root=root)
