"""Collapsing? Do the texts differ from each other as much as real ones do?

Every measure of variety depends on how much text it is given. So each is made on groups of texts,
as many and as long in the synthetic as in the real texts, and the groups also give the interval.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from geurim.contract import Finding, Json
from geurim.html import number, percent
from geurim.verify import stats
from geurim.verify.prose.compare import VECTORS, Prose
from geurim.verify.prose.features import SKETCH, unit
from geurim.verify.prose.texts import Grams, Texts, runs
from geurim.verify.verdict import judge, not_judged

GROUPS = 16
GROUP = VECTORS // GROUPS  # texts of a group, at most
LEAST_GROUP = 10
ORDERS = 4  # of BLEU
OPENING = 3  # words

Loss = Callable[[float, float], float]


@dataclass(frozen=True)
class Groups:
    """Texts of each set in groups: `texts[s][g]` are group g of set s, rows places[s][g]."""

    texts: list[list[Texts]]
    size: int

    @property
    def count(self) -> int:
        return len(self.texts[0])


def groups(p: Prose) -> Groups | None:
    """As many groups of as many texts of each set; None where there are too few texts."""
    if "groups" not in p.cache:
        fewest = min(len(c) for c in p.sets)
        size = min(GROUP, max(LEAST_GROUP, fewest // GROUPS))
        count = min(GROUPS, fewest // size)
        cut = [[c.texts.between(g * size, (g + 1) * size) for g in range(count)] for c in p.sets]
        p.cache["groups"] = Groups(cut, size) if count >= 2 else None
    found: Groups | None = p.cache["groups"]
    return found


def distinct_words(p: Prose) -> list[Finding]:
    """distinct-1, -2 and -3: the share of n-grams of words that differ. Li et al. 2016."""
    parts = groups(p)
    names = [f"text_distinct_{n}" for n in (1, 2, 3)]
    if parts is None:
        return [_too_few(name) for name in names]
    fewest = min(len(t.words.hashes) for own in parts.texts for t in own)
    if fewest < 4 * LEAST_GROUP:
        return [
            not_judged("collapsing", n, "Not judged: the texts have hardly any words.")
            for n in names
        ]
    out = []
    for n, name in enumerate(names, 1):
        values = [
            np.array([distinct_share(_first(t.words, fewest), n) for t in own])
            for own in parts.texts
        ]
        what = {1: "words", 2: "pairs of words", 3: "runs of three words"}[n]
        text = f"Of the {what} in groups of {fewest:,} words, {{}} are different"
        out.append(_finding(p, name, values, _relative, percent, text))
    return out


def _first(words: Grams, count: int) -> Grams:
    return Grams(words.hashes[:count], words.rows[:count], words.places[:count])


def distinct_share(words: Grams, n: int) -> float:
    """The share of the n-grams that are different; 1 where there are none."""
    grams = runs(words, n).hashes
    return len(np.unique(grams)) / len(grams) if len(grams) else 1.0


def bleu(p: Prose) -> list[Finding]:
    """Self-BLEU: how well each text is made up of pieces of the others. Zhu et al. 2018."""
    parts = groups(p)
    if parts is None:
        return [_too_few("text_self_bleu")]
    values = [np.array([self_bleu(t) for t in own]) for own in parts.texts]
    text = (
        f"The BLEU of a text against the {parts.size - 1:,} others of its group "
        f"(0 nothing shared, 1 all of it) is {{}}"
    )
    return [_finding(p, "text_self_bleu", values, _more, number, text)]


def self_bleu(texts: Texts) -> float:
    """The mean BLEU of each text against all the others; every text counts, in linear time.

    Up to four words in a row, shorter texts by what they have; an order without a match counts 0.1
    matches (Chen & Cherry 2014, method 1); brevity against the other text of the closest length.
    """
    sizes = np.bincount(texts.words.rows, minlength=len(texts))
    logs, orders = np.zeros(len(texts)), np.zeros(len(texts))
    for n in range(1, ORDERS + 1):
        hits, total = _matches(texts.word_runs(n), len(texts))
        some = total > 0
        logs[some] += np.log(np.maximum(hits[some], 0.1) / total[some])
        orders += some
    met = orders > 0
    if not met.any() or len(texts) < 2:
        return 0.0
    brevity = np.minimum(0.0, 1 - _closest(sizes)[met] / sizes[met])
    return float(np.exp(logs[met] / orders[met] + brevity).mean())


def _matches(grams: Grams, count: int) -> tuple[np.ndarray, np.ndarray]:
    """For each text its n-grams that another text has, clipped, and all of them. (N,) each."""
    total = np.bincount(grams.rows, minlength=count)
    if not len(grams.hashes):
        return np.zeros(count), total
    _, kind = np.unique(grams.hashes, return_inverse=True)
    keys, own = np.unique(kind * count + grams.rows, return_counts=True)
    kinds, rows = keys // count, keys % count
    starts = np.flatnonzero(np.append(True, kinds[1:] != kinds[:-1]))
    most = np.maximum.reduceat(own, starts)[kinds]
    at_most = own == most
    leaders = np.add.reduceat(at_most.astype(int), starts)[kinds]
    second = np.maximum.reduceat(np.where(at_most, 0, own), starts)[kinds]
    others = np.where(at_most & (leaders == 1), second, most)
    return np.bincount(rows, np.minimum(own, others), count), total


def _closest(sizes: np.ndarray) -> np.ndarray:
    """The size nearest to each among the others (the smaller of two as near), (N,)."""
    order = np.argsort(sizes, kind="stable")
    ranked = sizes[order].astype(float)
    below, above = np.append(-np.inf, ranked[:-1]), np.append(ranked[1:], np.inf)
    out = np.empty(len(sizes))
    out[order] = np.where(ranked - below <= above - ranked, below, above)
    return out


def vendi_score(p: Prose) -> list[Finding]:
    """The Vendi score: how many different texts a group amounts to. Friedman & Dieng 2023."""
    parts = groups(p)
    if parts is None:
        return [_too_few("text_vendi")]
    dense: list[Callable[[int, int], np.ndarray]] = (
        [lambda a, b, s=s: s.dense(a, b, SKETCH) for s in p.vectors()]  # type: ignore[misc]
        if p.embedder is None
        else [lambda a, b, e=e: e[a:b] for e in p.embeddings()]  # type: ignore[misc]
    )
    size = parts.size
    values = [
        np.array([vendi(unit(d(g * size, (g + 1) * size))) for g in range(parts.count)])
        for d in dense
    ]
    text = f"{size:,} synthetic texts amount to {{}} wholly different ones"
    return [_finding(p, "text_vendi", values, _relative, number, text, "{} for real ones")]


def vendi(vectors: np.ndarray) -> float:
    """The exponential of the entropy of the eigenvalues of the cosine kernel of (N, D) rows.

    N for N orthogonal rows, 1 for equal ones. Rows are at length 1.
    """
    count = len(vectors)
    small = vectors @ vectors.T if count <= vectors.shape[1] else vectors.T @ vectors
    values = np.linalg.eigvalsh(small / count)
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


def compression(p: Prose) -> list[Finding]:
    """How much smaller zlib makes a group of texts: repetition of any kind. Shaib et al. 2024."""
    parts = groups(p)
    if parts is None:
        return [_too_few("text_compression")]
    fewest = min(int(t.lengths.sum()) for own in parts.texts for t in own)
    if fewest < 200:
        return [not_judged("collapsing", "text_compression", "Not judged: hardly any text.")]
    values = [np.array([compressed(t, fewest) for t in own]) for own in parts.texts]
    text = f"{fewest:,} characters of synthetic text are packed to 1/{{}} of their size"
    return [_finding(p, "text_compression", values, _grown, number, text, "1/{} for real text")]


def compressed(texts: Texts, characters: int) -> float:
    """Bytes of the first characters of the texts, one below the other, per byte of zlib's."""
    whole = "\n".join(texts.plain)[:characters].encode("utf-8", "replace")
    return len(whole) / len(zlib.compress(whole, 9))


def openings(p: Prose) -> list[Finding]:
    """How often a text begins with the same three words as another of its group."""
    parts = groups(p)
    if parts is None:
        return [_too_few("text_openings")]
    values = [np.array([_repeated(t) for t in own]) for own in parts.texts]
    text = f"{{}} of the synthetic texts begin like another of {parts.size:,}"
    details = {"openings": _commonest(p)}
    return [_finding(p, "text_openings", values, _more, percent, text, "{} of real texts", details)]


def _repeated(texts: Texts) -> float:
    counts = Counter(_openings(texts))
    total = sum(counts.values())
    return sum(n for n in counts.values() if n > 1) / total if total else 0.0


def _openings(texts: Texts) -> list[str]:
    """The first words of each text that has more than those."""
    heads = (t.split(" ", OPENING) for t in texts.plain)
    return [" ".join(h[:OPENING]) for h in heads if len(h) > OPENING]


def _commonest(p: Prose) -> list[dict[str, Json]]:
    """The commonest openings of synthetic texts, with the share among synthetic and real ones."""
    sets = [Counter(_openings(c.texts)) for c in p.sets[:2]]
    totals = [max(sum(s.values()), 1) for s in sets]
    return [
        {
            "text": head[:80],
            "synthetic": count / totals[0],
            "training": sets[1][head] / totals[1] if len(sets) > 1 else None,
        }
        for head, count in sets[0].most_common(8)
        if count > 1
    ]


def _relative(made: float, real: float) -> float:
    return 1 - made / real if real else 0.0


def _grown(made: float, real: float) -> float:
    return made / real - 1 if real else 0.0


def _more(made: float, real: float) -> float:
    return made - real


def _too_few(name: str) -> Finding:
    return not_judged("collapsing", name, f"Not judged: fewer than {2 * LEAST_GROUP} texts.")


def _finding(
    p: Prose,
    name: str,
    values: list[np.ndarray],
    loss: Loss,
    write: Callable[[float], str],
    text: str,
    other: str = "{} in real text",
    details: dict[str, Json] | None = None,
) -> Finding:
    """The mean over groups, judged by how much variety is lost against the real groups."""
    made = float(values[0].mean())
    half = _half(values[0])
    own: dict[str, Json] = {"synthetic": [round(float(v), 5) for v in values[0]], **(details or {})}
    if len(values) == 1:
        return Finding(
            question="collapsing", name=name, value=made, low=made - half, high=made + half,
            reference=None, count=len(values[0]), verdict="info",
            text=text.format(write(made)) + ". There is no real text to compare with.",
            columns=(p.column,), details=own,
        )  # fmt: skip
    real = float(np.concatenate(values[1:]).mean())
    excess = loss(made, real)
    error = _error(values[0], np.concatenate(values[1:]), loss)
    own["training"] = [round(float(v), 5) for v in np.concatenate(values[1:])]
    own["loss"] = excess
    return Finding(
        question="collapsing",
        name=name,
        value=made,
        low=made - half,
        high=made + half,
        reference=float(values[2].mean()),
        count=len(values[0]),
        verdict=judge(name, excess, excess - error, excess + error),
        text=f"{text.format(write(made))}; {other.format(write(real))}.",
        columns=(p.column,),
        details=own,
    )


def _half(values: np.ndarray) -> float:
    """Half of the 95% interval of a mean over few groups: Student's t, near enough."""
    free = len(values) - 1
    wide = stats.Z + (stats.Z**3 + stats.Z) / (4 * free)
    return wide * float(values.std(ddof=1)) / math.sqrt(len(values))


def _error(made: np.ndarray, real: np.ndarray, loss: Loss) -> float:
    """Half of the interval of a loss, from those of the two means (delta method)."""
    a, b = float(made.mean()), float(real.mean())
    by_made = loss(a + _half(made), b) - loss(a, b)
    by_real = loss(a, b + _half(real)) - loss(a, b)
    return max(math.hypot(by_made, by_real), 1e-4)
