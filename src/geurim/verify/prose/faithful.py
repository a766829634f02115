"""Faithful? Do the synthetic texts read like the real ones, as far as counting can tell?

A classifier that tries to tell them apart, the lengths, and the words and characters themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geurim.contract import Finding, Json
from geurim.html import number, percent
from geurim.verify import stats
from geurim.verify.prose.classify import FOLDS, cross_scores
from geurim.verify.prose.compare import Corpus, Prose
from geurim.verify.prose.features import Sparse, from_dense, stack
from geurim.verify.prose.texts import Grams, Texts, distinct
from geurim.verify.verdict import TOLERANCES, judge, not_judged

LEAST = 10 * FOLDS  # texts of each set that a classifier needs
NO_REAL = "Not judged: there is no real text to compare with."
BUCKETS = 1 << 16
GROUPS = 10
OCCURRENCES = 1_000_000  # n-grams of each set that are compared
SHOWN = 8
TOLD_TEXTS = 5_000


@dataclass(frozen=True)
class Told:
    """Scores of the two sets by a classifier that did not see them, and the AUC they give."""

    real: np.ndarray
    made: np.ndarray
    auc: float
    error: float

    @property
    def interval(self) -> tuple[float, float]:
        half = stats.Z * self.error
        return max(0.0, self.auc - half), min(1.0, self.auc + half)


def c2st(p: Prose) -> list[Finding]:
    """A classifier two-sample test (Lopez-Paz & Oquab 2017) on n-grams, or on embeddings."""
    if p.training is None or p.holdout is None:
        return [not_judged("faithful", "text_c2st_auc", NO_REAL)]
    sets = p.vectors() if p.embedder is None else [from_dense(e) for e in p.embeddings()]
    if min(len(s) for s in sets) < LEAST:
        text = f"Not judged: fewer than {LEAST} texts of each kind to train a classifier with."
        return [not_judged("faithful", "text_c2st_auc", text)]
    seed = int(p.rng.integers(2**31))
    found = _told(sets[0], sets[1], seed)
    other = _told(sets[2], sets[1], seed)
    low, high = found.interval
    ideal = 0.5 + max(0.0, other.interval[0] - 0.5)
    excess = found.auc - ideal
    verdict = judge("text_c2st_auc", excess, low - ideal, high - ideal)
    told = low - ideal > TOLERANCES["text_c2st_auc"][0] / 2
    telltales = betrayed(p.synthetic.texts, p.training.texts) if told else []
    named = ", ".join(f"‘{t['text']}’" for t in telltales[:3])
    return [
        Finding(
            question="faithful",
            name="text_c2st_auc",
            value=found.auc,
            low=low,
            high=high,
            reference=other.auc,
            count=len(found.real) + len(found.made),
            verdict=verdict,
            text=f"Shown one real and one synthetic text, a classifier picks the right one "
            f"{found.auc:.0%} of the time; 50% is guessing."
            + (f" What gives them away most: {named}." if named else ""),
            columns=(p.column,),
            details={"telltales": telltales, **_curves(found)},
        )
    ]


def _told(made: Sparse, real: Sparse, seed: int) -> Told:
    count = min(len(made), len(real))
    first = np.arange(count)
    rows = stack(made.take(first), real.take(first))
    positive = np.arange(2 * count) < count
    folds = np.random.default_rng(seed).permutation(2 * count) % FOLDS
    scores = cross_scores(rows, positive, folds)
    value, error = stats.auc(scores[:count], scores[count:])
    return Told(real=scores[count:], made=scores[:count], auc=value, error=error)


def _curves(found: Told) -> dict[str, Json]:
    """Histograms of the classifier's scores, and its ROC curve at 41 places."""
    edges = np.linspace(0, 1, 21)
    scores = {
        name: _rounded(np.histogram(values, edges)[0] / len(values))
        for name, values in (("training", found.real), ("synthetic", found.made))
    }
    cuts = np.quantile(found.real, 1 - np.linspace(0, 1, 41))
    ordered = np.sort(found.made)
    caught = 1 - np.searchsorted(ordered, cuts, side="left") / len(ordered)
    caught[0] = 1 - np.searchsorted(ordered, cuts[0], side="right") / len(ordered)
    return {"scores": {"edges": edges.tolist(), **scores}, "roc": _rounded(caught)}


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(v), 5) for v in values]


def betrayed(made: Texts, real: Texts) -> list[dict[str, Json]]:
    """The words and characters whose share of texts differs most surely, the surest first.

    Each with the share of synthetic and of real texts that hold it. Of pieces that say the same
    (one within the other, the same direction) the surest stays.
    """
    made, real = (t.between(0, TOLD_TEXTS) for t in (made, real))
    found: list[tuple[float, str, float, float]] = []
    for kind, n in (("words", 1), ("words", 2), ("characters", 3)):
        found += _differing(made, real, kind, n)
    found.sort(key=lambda f: (-abs(f[0]), f[1]))
    out: list[tuple[float, str, float, float]] = []
    for each in found:
        core = each[1].strip(" ")
        same = (o for o in out if (o[0] > 0) == (each[0] > 0))
        if core and not any(core in o[1] or o[1].strip(" ") in core for o in same):
            out.append(each)
        if len(out) == 2 * SHOWN:
            break
    return [
        {"text": t.replace(" ", "␣") if t != t.strip() else t, "synthetic": a, "training": b}
        for _, t, a, b in out
    ]


def _differing(
    made: Texts, real: Texts, kind: str, n: int
) -> list[tuple[float, str, float, float]]:
    """The n-grams that differ most surely in the share of texts that hold them."""
    grams = [distinct(_grams(t, kind, n)) for t in (made, real)]
    hashes, first, place = np.unique(
        np.concatenate([g.hashes for g in grams]), return_index=True, return_inverse=True
    )
    split = len(grams[0].hashes)
    a = np.bincount(place[:split], minlength=len(hashes)) / len(made)
    b = np.bincount(place[split:], minlength=len(hashes)) / len(real)
    pooled = (a * len(made) + b * len(real)) / (len(made) + len(real))
    spread = np.sqrt(pooled * (1 - pooled) * (1 / len(made) + 1 / len(real)))
    sure = (a - b) / np.maximum(spread, 1e-9)
    out = []
    for i in np.argsort(-np.abs(sure), kind="stable")[: 6 * SHOWN].tolist():
        if abs(sure[i]) < 5:
            break
        at = int(first[i])
        side, gram = (made, grams[0]) if at < split else (real, grams[1])
        text = _written(side, int(gram.places[at if at < split else at - split]), kind, n)
        out.append((float(sure[i]), text, round(float(a[i]), 4), round(float(b[i]), 4)))
    return out


def _grams(texts: Texts, kind: str, n: int) -> Grams:
    return texts.word_runs(n) if kind == "words" else texts.runs(n)


def _written(texts: Texts, place: int, kind: str, n: int) -> str:
    if kind == "characters":
        return texts.excerpt(place, n)
    word = int(np.searchsorted(texts.words.places, place))
    return texts.excerpt(place, int(texts.word_ends()[word + n - 1]) - place)


def lengths(p: Prose) -> list[Finding]:
    """How long the texts are: the largest gap between the two distributions of lengths."""
    if p.training is None or p.holdout is None:
        return [_lengths_alone(p)]
    made, real, held = (_sizes(c) for c in p.sets)
    value, error = stats.ks(made, real)
    reference, other = stats.ks(held, real)
    chance = stats.ks_by_chance(len(made), len(real))
    own = stats.ks_by_chance(len(held), len(real))
    excess = value - chance - max(0.0, reference - own - stats.Z * other)
    half = stats.Z * error
    return [
        Finding(
            question="faithful",
            name="text_length",
            value=value,
            low=max(0.0, value - half),
            high=min(1.0, value + half),
            reference=reference,
            count=len(made),
            verdict=judge("text_length", excess, excess - half, excess + half),
            text=f"Half of the synthetic texts have up to {number(float(np.median(made)))} "
            f"characters, half of the real ones up to {number(float(np.median(real)))}; the "
            f"largest gap between the two distributions is {percent(value)} of the texts.",
            columns=(p.column,),
            details=_length_plot(made, real),
        )
    ]


def _sizes(corpus: Corpus) -> np.ndarray:
    return corpus.texts.sizes.astype(float)


def _length_plot(made: np.ndarray, real: np.ndarray | None) -> dict[str, Json]:
    """Shares of texts by length, in steps that are even on a logarithmic axis."""
    logs = {"synthetic": np.log10(made + 1)}
    if real is not None:
        logs = {"training": np.log10(real + 1), **logs}
    both = np.concatenate(list(logs.values()))
    low, high = (float(v) for v in np.quantile(both, [0.002, 0.998]))
    edges = np.linspace(low, max(high, low + 0.1), 31)
    shares = {
        k: _rounded(np.histogram(np.clip(v, edges[0], edges[-1]), edges)[0] / len(v))
        for k, v in logs.items()
    }
    return {"edges": edges.tolist(), **shares}


def _lengths_alone(p: Prose) -> Finding:
    made = _sizes(p.synthetic)
    low, middle, high = (float(v) for v in np.quantile(made, [0.025, 0.5, 0.975]))
    return Finding(
        question="faithful",
        name="text_length",
        value=middle,
        low=low,
        high=high,
        reference=None,
        count=len(made),
        verdict="info",
        text=f"Half of the texts have up to {number(middle)} characters; 95 of 100 have "
        f"{number(low)} to {number(high)}. There is no real text to compare with.",
        columns=(p.column,),
        details=_length_plot(made, None),
    )


def divergence(p: Prose) -> list[Finding]:
    """How far the words, pairs of words and characters used are from those of real text."""
    if p.training is None or p.holdout is None:
        return [
            not_judged("faithful", name, NO_REAL)
            for name in ("text_word_divergence", "text_character_divergence")
        ]
    return [
        _divergence(p, "text_word_divergence", "words", 2, "words and pairs of words"),
        _divergence(p, "text_character_divergence", "characters", 3, "runs of three characters"),
    ]


def _divergence(p: Prose, name: str, kind: str, n: int, what: str) -> Finding:
    sets = [_bucketed(c.texts, kind, n) for c in p.sets]
    count = min(OCCURRENCES, *(len(buckets) for buckets, _ in sets))
    if count < 1_000:
        return not_judged("faithful", name, f"Not judged: fewer than 1,000 {what} in a set.")
    tables = [_table(buckets, groups, count, p.rng) for buckets, groups in sets]
    whole = [t.sum(axis=0) for t in tables]
    value, reference = jensen_shannon(whole[0], whole[1]), jensen_shannon(whole[2], whole[1])
    without = [[w - t[g] for w, t in zip(whole, tables, strict=True)] for g in range(GROUPS)]
    values = np.array([jensen_shannon(w[0], w[1]) for w in without])
    others = np.array([jensen_shannon(w[2], w[1]) for w in without])
    half, own = (stats.Z * float(stats.jackknife_error(v)) for v in (values - others, values))
    excess = value - reference
    return Finding(
        question="faithful",
        name=name,
        value=value,
        low=max(0.0, value - own),
        high=min(1.0, value + own),
        reference=reference,
        count=count,
        verdict=judge(name, excess, excess - half, excess + half),
        text=f"The {what} of synthetic texts differ from those of real ones by {value:.3f} bits "
        f"(0 the same, 1 nothing in common); among real texts it is {reference:.3f}, with as many "
        "of them.",
        columns=(p.column,),
    )


def _bucketed(texts: Texts, kind: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The hashed bucket of each occurrence, and the group of its text."""
    grams = [_grams(texts, kind, k) for k in ({1, n} if kind == "words" else {n})]
    buckets = np.concatenate([(g.hashes >> np.uint64(48)).astype(np.int64) for g in grams])
    return buckets, np.concatenate([g.rows for g in grams]) % GROUPS


def _table(
    buckets: np.ndarray, groups: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Counts (GROUPS, BUCKETS) of `count` occurrences drawn by lot."""
    kept = rng.choice(len(buckets), count, replace=False)
    at = groups[kept].astype(np.int64) * BUCKETS + buckets[kept]
    return np.bincount(at, minlength=GROUPS * BUCKETS).reshape(GROUPS, BUCKETS).astype(float)


def jensen_shannon(a: np.ndarray, b: np.ndarray) -> float:
    """The divergence of two rows of counts in bits: 0 the same, 1 nothing shared. Lin 1991."""
    p, q = a / max(a.sum(), 1), b / max(b.sum(), 1)
    middle = (p + q) / 2
    return float(_bits(p, middle) / 2 + _bits(q, middle) / 2)


def _bits(p: np.ndarray, q: np.ndarray) -> float:
    some = p > 0
    return float((p[some] * np.log2(p[some] / q[some])).sum())
