"""Rare cases? Are all kinds of real text there, and the shares that were asked for?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from geurim.contract import Finding, Json
from geurim.html import percent
from geurim.verify import stats
from geurim.verify.prose.compare import Prose
from geurim.verify.prose.faithful import NO_REAL
from geurim.verify.prose.texts import Texts, distinct
from geurim.verify.verdict import judge, not_judged

CLUSTERS = 50
PER_CLUSTER = 20  # real texts to a cluster, at least, on the mean
ROUNDS = 25
WORDS = 4


@dataclass(frozen=True)
class Centres:
    """k-means on unit vectors: `points` (K, D), and how far the texts of each reach (K,)."""

    points: np.ndarray
    reach: np.ndarray

    def place(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The nearest centre of each of (N, D), and the squared distance to it."""
        apart = (self.points**2).sum(axis=1) - 2 * vectors @ self.points.T
        nearest = apart.argmin(axis=1)
        own = apart[np.arange(len(vectors)), nearest] + (vectors**2).sum(axis=1)
        return nearest, own


def kmeans(vectors: np.ndarray, count: int, rng: np.random.Generator) -> Centres:
    """Centres by Lloyd's rounds from k-means++ seeds (Arthur & Vassilvitskii 2007).

    A cluster reaches as far as 95 of 100 of its own texts.
    """
    chosen = [int(rng.integers(len(vectors)))]
    apart = np.full(len(vectors), np.inf)
    for _ in range(count - 1):
        apart = np.minimum(apart, ((vectors - vectors[chosen[-1]]) ** 2).sum(axis=1))
        total = apart.sum()
        if total <= 1e-12:
            break
        chosen.append(int(rng.choice(len(vectors), p=apart / total)))
    centres = Centres(vectors[chosen], np.zeros(len(chosen)))
    for _ in range(ROUNDS):
        nearest, _ = centres.place(vectors)
        sums = np.zeros_like(centres.points)
        np.add.at(sums, nearest, vectors)
        sizes = np.bincount(nearest, minlength=len(sums))[:, None]
        moved = np.where(sizes > 0, sums / np.maximum(sizes, 1), centres.points)
        if np.allclose(moved, centres.points, atol=1e-5):
            break
        centres = Centres(moved, centres.reach)
    nearest, own = centres.place(vectors)
    reach = [
        float(np.quantile(own[nearest == k], 0.95)) if (nearest == k).any() else 0.0
        for k in range(len(centres.points))
    ]
    return Centres(centres.points, np.array(reach) + 1e-9)


def clusters(p: Prose) -> list[Finding]:
    """The share of clusters of real texts that synthetic ones reach, in as many draws."""
    if p.training is None:
        return [not_judged("rare", "text_clusters", NO_REAL)]
    made, real, held = p.embeddings()
    count = min(CLUSTERS, len(real) // PER_CLUSTER)
    if count < 2 or not len(held) or not len(made):
        text = f"Not judged: fewer than {2 * PER_CLUSTER} real texts to make clusters of."
        return [not_judged("rare", "text_clusters", text)]
    centres = kmeans(real, count, p.rng)
    count = len(centres.points)
    draws = min(len(made), len(held))
    own, others = (_hits(centres, v[:draws]) for v in (made, held))
    got, ideal = int((own > 0).sum()), int((others > 0).sum())
    value, reference = got / count, ideal / count
    low, high = stats.wilson(got, count)
    under, over = stats.difference(ideal, count, got, count)
    sizes = [np.bincount(centres.place(v)[0], minlength=count) / len(v) for v in (made, real)]
    lost = [k for k in np.argsort(-sizes[1]).tolist() if own[k] == 0]
    return [
        Finding(
            question="rare",
            name="text_clusters",
            value=value,
            low=low,
            high=high,
            reference=reference,
            count=count,
            verdict=judge("text_clusters", reference - value, under, over),
            text=f"{draws:,} synthetic texts reach {got} of {count} groups of alike real texts; "
            f"{draws:,} real texts reach {ideal}.",
            columns=(p.column,),
            details={
                "clusters": _described(p.training.texts, centres.place(real)[0], sizes),
                "lost": lost,
            },
        )
    ]


def _hits(centres: Centres, vectors: np.ndarray) -> np.ndarray:
    """How many vectors lie within the reach of each centre, (K,)."""
    nearest, apart = centres.place(vectors)
    return np.bincount(nearest[apart <= centres.reach[nearest]], minlength=len(centres.points))


def _described(real: Texts, nearest: np.ndarray, sizes: list[np.ndarray]) -> list[dict[str, Json]]:
    """Each cluster, the largest first: the words that set it apart, and its two shares."""
    texts = real.between(0, len(nearest))
    words = distinct(texts.words)
    _, first, kind = np.unique(words.hashes, return_index=True, return_inverse=True)
    total = np.bincount(kind)
    ends = dict(zip(texts.words.places.tolist(), texts.word_ends().tolist(), strict=True))
    out = []
    for k in np.argsort(-sizes[1], kind="stable").tolist():
        inside = np.bincount(kind[nearest[words.rows] == k], minlength=len(total))
        # Lift, held back where few texts have the word.
        strength = inside * np.log((inside + 0.5) / (total * max(sizes[1][k], 1e-9) + 0.5))
        best = np.argsort(-strength, kind="stable")[:WORDS]
        places = [int(words.places[first[b]]) for b in best if inside[b] > 1]
        named = ", ".join(texts.excerpt(a, min(ends[a] - a, 30)) for a in places)
        out.append(
            {
                "cluster": k,
                "words": named,
                "synthetic": round(float(sizes[0][k]), 5),
                "training": round(float(sizes[1][k]), 5),
            }
        )
    return out


def quotas(p: Prose) -> list[Finding]:
    """What was asked of each category column, and what came: total variation of the shares."""
    return [_quota(p, column, asked, len(p.quotas)) for column, asked in p.quotas.items()]


def _quota(p: Prose, column: str, asked: Mapping[str, float], tests: int) -> Finding:
    values = ["missing" if v is None else str(v) for v in p.synthetic.table[column].to_pylist()]
    got, count = Counter(values), len(values)
    labels = [*asked, *(v for v in got if v not in asked)]
    want = np.array([asked.get(v, 0.0) for v in labels])
    have = np.array([got[v] / count for v in labels])
    value = stats.total_variation(have, want)
    # The shares asked for are exact: as if counted in endlessly many rows.
    error = stats.variation_error(have, want, count, 10**12)
    chance = float(stats.variation_by_chance(want, want, count, 1e12).sum())
    half, excess = stats.Z * error, value - chance
    worst = int(np.argmax(np.abs(have - want)))
    return Finding(
        question="rare",
        name="text_quota",
        value=value,
        low=max(0.0, value - half),
        high=min(1.0, value + half),
        reference=0.0,
        count=count,
        verdict=judge("text_quota", excess, excess - half, excess + half, tests=tests),
        text=f"{percent(value)} of the rows would have to change their {column!r} to meet the "
        f"quota; furthest off is {labels[worst][:40]!r} with {percent(float(have[worst]))} "
        f"instead of {percent(float(want[worst]))}.",
        columns=(column,),
        details={
            "labels": labels[:60],
            "asked": [round(float(v), 5) for v in want[:60]],
            "got": [round(float(v), 5) for v in have[:60]],
        },
    )
