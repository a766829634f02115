"""Copula: a Gaussian copula from a profile alone, without a look at the data.

Each column has the distribution that the profile tells (`marginal.py`); how the columns depend on
each other is one matrix, the correlations of normal scores. Use it where the data cannot be had. It
keeps what rises or falls together, and no other dependence: a U shape, a column that two others
determine, or categories without an order of their own are left to `trees`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pyarrow as pa

from geurim.contract import Fitted, Generator, Json, Lineage, Profile, Progress, Source, quiet
from geurim.errors import DataError, SettingError
from geurim.generators.marginal import (
    Marginal,
    learned_schema,
    marginal,
    missing_share,
    with_missing,
)
from geurim.generators.normal import cdf, hermite_moments, ppf

_ORDERS = 48  # Hermite orders; what is left out at a correlation of 0.95 is below 1e-4
_STRONGEST = 0.9999  # no latent correlation beyond it: the matrix must stay invertible
_SWEEPS = 10  # of Gibbs sampling over given columns; tests/test_copula.py compares with the truth


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedCopula(Fitted):
    """Correlated normal scores, each turned into its column's values, or into whether it misses."""

    schema: pa.Schema
    lineage: Lineage
    profile: Profile
    correlation: np.ndarray = field(repr=False)  # latent: D values, then M missing, (D + M, D + M)
    marginals: tuple[Marginal, ...] = field(repr=False)  # (D,)
    holes: tuple[tuple[int, float], ...] = field(
        repr=False
    )  # columns that miss values: share, (M,)
    name: ClassVar[str] = "copula"
    completes: ClassVar[bool] = True

    def draw(
        self, rows: int, rng: np.random.Generator, given: pa.Table | None = None
    ) -> pa.RecordBatch:
        values: dict[int, pa.Array] = {}
        if given is not None:
            for name, column in zip(given.column_names, given.columns, strict=True):
                place = self.schema.get_field_index(name)
                values[place] = column.combine_chunks().cast(self.schema.field(place).type)
        ends = self._intervals(values)
        known = sorted(ends)
        free = [i for i in range(len(self.correlation)) if i not in ends]
        scores = _between(self.correlation, known, [ends[i] for i in known], rows, rng)
        slopes, spread = _conditional(self.correlation, known, free)
        latent = spread @ rng.standard_normal((len(free), rows)) + slopes @ scores  # (F, N)
        places = {i: cdf(z) for i, z in zip(free, latent, strict=True)}
        for i in places:
            if i < len(self.marginals):
                values[i] = self.marginals[i].draw(places[i])
        for i, (hole, share) in enumerate(self.holes, len(self.marginals)):
            if i in places:
                values[hole] = with_missing(values[hole], places[i] > 1.0 - share)
        return pa.RecordBatch.from_arrays(
            [values[i] for i in range(len(self.schema))], schema=self.schema
        )

    def _intervals(self, given: dict[int, pa.Array]) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """Where on (0, 1) the latents of given columns lie: their values, and whether they miss."""
        found = {i: self.marginals[i].interval(column) for i, column in given.items()}
        for i, (column, share) in enumerate(self.holes, len(self.marginals)):
            if column in given:
                missing = given[column].is_null().to_numpy(zero_copy_only=False)
                edge = 1.0 - share
                found[i] = np.where(missing, edge, 0.0), np.where(missing, 1.0, edge)
        return found

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        return {}, {"correlation": self.correlation}

    @classmethod
    def from_state(
        cls,
        profile: Profile,
        schema: pa.Schema,
        lineage: Lineage,
        state: dict[str, Json],
        arrays: dict[str, np.ndarray],
    ) -> FittedCopula:
        return cls(
            schema=schema,
            lineage=lineage,
            profile=profile,
            correlation=arrays["correlation"],
            marginals=tuple(marginal(f, profile) for f in schema),
            holes=_holes(schema, profile),
        )


@dataclass(frozen=True, kw_only=True)
class Copula(Generator):
    """A Gaussian copula from a profile alone; `source` is not read.

    `strength` scales every correlation: 1 as in the data, 0 for independent columns.

    Source: Cario & Nelson (1997), "Modeling and generating random vectors with arbitrary marginal
    distributions and correlation matrix" (NORTA). A column with mass points shows a weaker
    correlation of scores than the latent one; each pair's latent correlation is solved from the
    Hermite expansion, and the matrix brought to the nearest one that is a correlation (Higham
    2002, "Computing the nearest correlation matrix", IMA J. Numer. Anal. 22:329-343).
    """

    strength: float = 1.0
    fitted: ClassVar[type[Fitted]] = FittedCopula

    def __post_init__(self) -> None:
        if not 0.0 <= self.strength <= 1.0:
            raise SettingError(f"strength must lie from 0 to 1, not {self.strength!r}.")

    def fit(
        self,
        source: Source | None,
        profile: Profile,
        rng: np.random.Generator,
        progress: Progress = quiet,
    ) -> FittedCopula:
        schema = learned_schema(source, profile)
        marginals = tuple(marginal(f, profile) for f in schema)
        holes = _holes(schema, profile)
        atoms = [m.atoms() for m in marginals]
        atoms += [np.array([[0.0, 1.0 - share], [1.0 - share, 1.0]]) for _, share in holes]
        observed = _observed(profile, schema.names, [schema.names[i] for i, _ in holes])
        parent = profile.lineage if source is None else source.lineage
        return FittedCopula(
            schema=schema,
            lineage=Lineage.made(repr(self), parents=(parent,)),
            profile=profile,
            correlation=nearest_correlation(latent_correlation(observed * self.strength, atoms)),
            marginals=marginals,
            holes=holes,
        )


def latent_correlation(observed: np.ndarray, atoms: list[np.ndarray]) -> np.ndarray:
    """The correlations (D, D) of latent normals whose scores show the `observed` ones.

    A score is the normal itself where a column is continuous, and its mean over each of its atoms,
    the stretches of (0, 1) that hold one value each, (K, 2). With a_k the score's Hermite
    coefficients, scores correlate as the sum over k of a_k b_k rho^k / sqrt(a_1 b_1), which rises
    with rho: solved by halving.
    """
    coefficients = np.array([_hermite(a) for a in atoms]).reshape(len(atoms), _ORDERS)
    i, j = np.triu_indices(len(atoms), 1)
    scale = np.sqrt(coefficients[i, 1] * coefficients[j, 1])
    terms = coefficients[i] * coefficients[j] / np.where(scale > 1e-12, scale, np.inf)[:, None]
    low, high = np.full(len(i), -_STRONGEST), np.full(len(i), _STRONGEST)
    for _ in range(40):
        middle = (low + high) / 2
        reached = np.zeros(len(i))
        for k in range(_ORDERS - 1, -1, -1):
            reached = reached * middle + terms[:, k]
        under = reached < observed[i, j]
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    rho = np.where((scale > 1e-12) & (observed[i, j] != 0.0), (low + high) / 2, 0.0)
    latent = np.eye(len(atoms))
    latent[i, j] = latent[j, i] = rho
    return latent


def nearest_correlation(matrix: np.ndarray, floor: float = 1e-6) -> np.ndarray:
    """The nearest matrix with a unit diagonal and no eigenvalue below `floor` (Higham 2002)."""
    if not len(matrix) or np.linalg.eigvalsh(matrix)[0] >= floor:
        return matrix
    found, correction = matrix, np.zeros_like(matrix)
    for _ in range(200):
        shifted = found - correction
        values, vectors = np.linalg.eigh(shifted)
        positive = (vectors * np.maximum(values, 2 * floor)) @ vectors.T
        correction = positive - shifted
        step = positive.copy()
        np.fill_diagonal(step, 1.0)
        done = np.max(np.abs(step - found)) < 1e-9
        found = step
        if done:
            break
    values, vectors = np.linalg.eigh(found)
    found = (vectors * np.maximum(values, floor)) @ vectors.T
    scale = 1.0 / np.sqrt(np.diag(found))
    result: np.ndarray = found * scale[:, None] * scale
    return result


def _holes(schema: pa.Schema, profile: Profile) -> tuple[tuple[int, float], ...]:
    """The columns that miss some values, not all: their places, and the shares they miss."""
    shares = [missing_share(f, profile) for f in schema]
    return tuple((i, share) for i, share in enumerate(shares) if share > 0.0)


def _observed(profile: Profile, names: list[str], holes: list[str]) -> np.ndarray:
    """The profile's correlations: of values, then of missingness; 0 where it has none."""
    found = np.eye(len(names) + len(holes))
    listed = [(n, "value") for n in profile.dependence.get("columns") or ()]
    if not listed:
        return found
    matrix = profile.dependence["normal"]
    if profile.dependence.get("missing"):
        listed += [(n, "missing") for n in profile.dependence["missing"]]
        matrix = profile.dependence["present"]
    shown = np.asarray(matrix, np.float64)
    if shown.shape != (len(listed), len(listed)):
        raise DataError(
            f"The profile's correlations are {shown.shape} for {len(listed)} columns. "
            "Analyze the data again."
        )
    wanted = [(n, "value") for n in names] + [(n, "missing") for n in holes]
    rows = [i for i, what in enumerate(wanted) if what in listed]
    places = [listed.index(wanted[i]) for i in rows]
    found[np.ix_(rows, rows)] = np.nan_to_num(shown[np.ix_(places, places)])
    np.fill_diagonal(found, 1.0)
    return found


def _hermite(atoms: np.ndarray) -> np.ndarray:
    """Hermite coefficients (K,) of a column's score as a function of its latent normal."""
    moments = hermite_moments(ppf(atoms[:, 0]), ppf(atoms[:, 1]), _ORDERS + 1)
    order = np.sqrt(np.arange(_ORDERS + 1))
    # z h_k = sqrt(k + 1) h_{k+1} + sqrt(k) h_{k-1}: the integral of z times h_k over each atom.
    first = moments[:, 1:] * order[1:]
    first[:, 1:] += moments[:, : _ORDERS - 1] * order[1:_ORDERS]
    means = moments[:, 1] / np.maximum(moments[:, 0], 1e-300)
    coefficients: np.ndarray = (means[:, None] * moments[:, :_ORDERS] - first).sum(axis=0)
    coefficients[1] += 1.0
    return coefficients


def _conditional(
    correlation: np.ndarray, known: list[int], free: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Slopes (F, G) of the free scores on the known ones, and the factor (F, F) of their spread."""
    across = correlation[np.ix_(free, known)]
    slopes = np.linalg.solve(correlation[np.ix_(known, known)], across.T).T
    rest = correlation[np.ix_(free, free)] - slopes @ across.T
    return slopes, np.linalg.cholesky(rest + 1e-12 * np.eye(len(free)))


def _between(
    correlation: np.ndarray,
    known: list[int],
    ends: list[tuple[np.ndarray, np.ndarray]],
    rows: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Scores (G, N) of the known latents, from their joint distribution between `ends` of (0, 1).

    Gibbs sampling: each score in turn, given the others. Where a score is a point, or stands alone,
    there is nothing to repeat.
    """
    if not known:
        return np.zeros((0, rows))
    low, high = (ppf(np.array([e[side] for e in ends])) for side in (0, 1))
    scores = np.zeros_like(low)
    inverse = np.linalg.inv(correlation[np.ix_(known, known)])
    loose = [i for i in range(len(known)) if np.any(low[i] < high[i])]
    for sweep in range(1 + _SWEEPS * (len(known) > 1 and len(loose) > 0)):
        for i in range(len(known)) if sweep == 0 else loose:
            mean, scale = np.zeros(rows), 1.0
            if sweep:
                weights = inverse[i]
                mean = scores[i] - (weights @ scores) / weights[i]
                scale = math.sqrt(1.0 / weights[i])
            scores[i] = _truncated(mean, scale, low[i], high[i], rng)
    return scores


def _truncated(
    mean: np.ndarray, scale: float, low: np.ndarray, high: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Normals with `mean` and `scale` between `low` and `high`, each (N,)."""
    a, b = (low - mean) / scale, (high - mean) / scale
    upper = a > 0.0  # mirrored, so that the tail is near 0, where a share keeps its digits
    a, b = np.where(upper, -b, a), np.where(upper, -a, b)
    under, over = cdf(a), cdf(b)
    drawn = ppf(under + rng.random(len(mean)) * (over - under))
    drawn = mean + scale * np.where(upper, -drawn, drawn)
    result: np.ndarray = np.clip(np.clip(drawn, low, high), -8.0, 8.0)
    return result
