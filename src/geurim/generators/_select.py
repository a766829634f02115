"""Which marginals to measure: AIM, the adaptive and iterative mechanism (McKenna et al. 2022).

Each round chooses, privately, a pair of columns on which the model is far from the real rows,
measures it with noise, and fits the model anew. A round that hardly changed the model is followed
by rounds of four times its cost. What no table of the model holds is estimated from the model's own
draws, which is cheaper than exact inference and, made of noisy numbers alone, as private.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import pi, prod, sqrt

import numpy as np

from geurim.contract import Event, Progress
from geurim.generators._domain import Held
from geurim.generators._graph import Clique, Graph, Marginal, cells, fit, triangulate
from geurim.generators._noise import Spender

_CHOICE = 0.1  # the share of a round's budget that goes into choosing
_DRAWS = 100_000  # rows that stand for the model
_STEPS = 60  # of descent after each round
_CANDIDATES = 300  # pairs looked at in a round


def select(
    spender: Spender,
    marginals: list[Marginal],
    sizes: Sequence[int],
    total: float,
    most_cells: int,
    rounds: int,
    rng: np.random.Generator,
    progress: Progress,
) -> Graph:
    """The model of what is left of the budget, from one-way `marginals` on.

    `total`: rows, noisy. `most_cells`: numbers that the model may hold. `rounds`: of the first
    kind, if no later one cost more. `rng` never touches the noise.
    """
    graph = fit(Graph.uniform([m.clique for m in marginals], sizes), marginals, total, 2 * _STEPS)
    budget = spender.left
    each = budget / rounds
    marginals = list(marginals)
    while spender.left > 1e-6 * budget and len(sizes) > 1:
        # What would be left for one more round and a bit goes into the last one.
        each = spender.left if spender.left < 2 * each else each
        noise = spender.scale(each * (1 - _CHOICE))
        share = 1 - (spender.left - each) / budget
        pairs = _candidates(graph, max(share, 0.1) * most_cells, rng)
        before = _tables(graph, pairs, rng)
        chosen = pairs[_choose(spender, pairs, before, sizes, total, noise, each * _CHOICE)]
        counts = _measured(spender, chosen, sizes, each * (1 - _CHOICE))
        marginals = _with(marginals, Marginal(clique=chosen, counts=counts, variance=noise**2))
        old = before[pairs.index(chosen)] * total
        graph = fit(graph.grown(chosen), marginals, total, _STEPS, gain=1e-3)
        new = graph.marginal(chosen)
        assert new is not None
        if np.abs(new * total - old).sum() <= sqrt(2 / pi) * noise * new.size:
            each *= 4
        progress(
            Event(step="fit", done=int(100 * (1 - spender.left / budget)), total=100, unit="%")
        )
    return fit(graph, marginals, total, 10 * _STEPS)


def _measured(spender: Spender, clique: Clique, sizes: Sequence[int], rho: float) -> np.ndarray:
    """Noisy counts of the real rows."""
    return spender.counts(lambda held: _count(held.codes, clique, sizes), rho)


def _with(marginals: Sequence[Marginal], new: Marginal) -> list[Marginal]:
    """All marginals with one more: two of the same columns become their weighted mean."""
    rest = [m for m in marginals if m.clique != new.clique]
    for old in marginals:
        if old.clique == new.clique:
            share = new.variance / (old.variance + new.variance)
            counts = share * old.counts + (1 - share) * new.counts
            new = Marginal(clique=new.clique, counts=counts, variance=share * old.variance)
    return [*rest, new]


def _choose(
    spender: Spender,
    pairs: Sequence[Clique],
    model: Sequence[np.ndarray],
    sizes: Sequence[int],
    total: float,
    noise: float,
    rho: float,
) -> int:
    """A pair on which the model errs by more than measuring would. One row changes a score by 1."""
    expected = [np.rint(t * total).astype(np.int64) for t in model]
    allowed = [int(sqrt(2 / pi) * noise * e.size) for e in expected]

    def scores(held: Held) -> np.ndarray:
        return np.array(
            [
                np.abs(_count(held.codes, pair, sizes) - e).sum() - a
                for pair, e, a in zip(pairs, expected, allowed, strict=True)
            ]
        )

    return spender.best(scores, rho)


def _count(codes: np.ndarray, clique: Clique, sizes: Sequence[int]) -> np.ndarray:
    """The table of a clique, from codes (C, N)."""
    at = np.zeros(codes.shape[1], np.int64)
    for column in clique:
        at = at * sizes[column] + codes[column]
    shape = [sizes[c] for c in clique]
    return np.bincount(at, minlength=prod(shape)).reshape(shape)


def _candidates(graph: Graph, most: float, rng: np.random.Generator) -> list[Clique]:
    """Pairs of columns whose joint table leaves the model small enough."""
    count = len(graph.sizes)
    pairs: list[Clique] = [(i, j) for i in range(count) for j in range(i + 1, count)]
    if len(pairs) > _CANDIDATES:
        pairs = [pairs[i] for i in np.sort(rng.choice(len(pairs), _CANDIDATES, replace=False))]
    fits = [
        p
        for p in pairs
        if graph.holder(p) is not None or _grown_to(graph.cliques, p, graph.sizes) <= most
    ]
    return fits or [min(pairs, key=lambda p: graph.sizes[p[0]] * graph.sizes[p[1]])]


@lru_cache(maxsize=10_000)
def _grown_to(cliques: tuple[Clique, ...], pair: Clique, sizes: tuple[int, ...]) -> int:
    """How many numbers the model holds when `pair` lies within a table of it."""
    return cells(triangulate([*cliques, pair], sizes), sizes)


def _tables(graph: Graph, pairs: Sequence[Clique], rng: np.random.Generator) -> list[np.ndarray]:
    """The model's probabilities of each pair."""
    drawn = graph.draw(_DRAWS, rng).T
    found = []
    for pair in pairs:
        exact = graph.marginal(pair)
        found.append(_count(drawn, pair, graph.sizes) / _DRAWS if exact is None else exact)
    return found
