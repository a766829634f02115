"""Useful? Are the labels right, what did the rewards do, and what do the rows look like?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from geurim.contract import Finding, Json
from geurim.html import number, percent
from geurim.verify import stats
from geurim.verify.prose.classify import cross_scores, fit, folds_of, score
from geurim.verify.prose.compare import Corpus, Prose
from geurim.verify.prose.features import Sparse, counts, weighted
from geurim.verify.prose.texts import Texts
from geurim.verify.verdict import judge, not_judged

TRAINED = 2_000  # texts that a classifier of labels learns from
CLASSES = 10  # commonest labels; the others are left out
LEAST = 40  # texts with a label
TIMES = 200  # bootstrap resamples of the tested texts
SHOWN = 5
CUT = 600  # characters of a text that is shown


@dataclass(frozen=True)
class Labelled:
    """Texts with one of the `classes`, and which one each has, (N,)."""

    texts: Texts
    classes: tuple[str, ...]
    truth: np.ndarray


def labels(p: Prose) -> list[Finding]:
    """Train on synthetic labels, test on real ones; and the labels that disagree with the text."""
    if p.label is None:
        text = "Not judged: name the column of labels that someone would predict."
        return [not_judged("useful", "text_label_gap", text)]
    if not p.synthetic.has(p.label):
        text = f"Not judged: the synthetic rows have no column {p.label!r}."
        return [not_judged("useful", "text_label_gap", text)]
    classes = _classes(p)
    out = [_consistent(p, _labelled(p.synthetic, p.label, classes))]
    if len(p.sets) == 3 and all(c.has(p.label) for c in p.sets):
        out.insert(0, _gap(p, classes))
    return out


def _classes(p: Prose) -> tuple[str, ...]:
    assert p.label is not None
    own = p.training if p.training is not None and p.training.has(p.label) else p.synthetic
    values = (str(v) for v in own.table[p.label].to_pylist() if v is not None)
    return tuple(v for v, _ in Counter(values).most_common(CLASSES))


def _labelled(corpus: Corpus, label: str, classes: tuple[str, ...]) -> Labelled:
    place = {c: i for i, c in enumerate(classes)}
    truth = np.array([place.get(str(v), -1) for v in corpus.table[label].to_pylist()], np.int64)
    kept = np.flatnonzero(truth >= 0)[:TRAINED]
    return Labelled(corpus.texts.take(kept), classes, truth[kept])


def _gap(p: Prose, classes: tuple[str, ...]) -> Finding:
    assert p.training is not None and p.holdout is not None and p.label is not None
    sets = [_labelled(c, p.label, classes) for c in (p.synthetic, p.training, p.holdout)]
    count = min(len(s.truth) for s in sets[:2])
    tested = sets[2].truth
    met = [k for k in range(len(classes)) if (tested == k).sum() >= 5 and (tested != k).sum() >= 5]
    if count < LEAST or not met:
        text = f"Not judged: fewer than {LEAST} texts with a label, or one label only."
        return not_judged("useful", "text_label_gap", text)
    rows = weighted(*(counts(s.texts) for s in sets))
    weights = np.concatenate(
        [np.ones((1, len(tested))), stats.bootstrap_weights(len(tested), TIMES, p.rng)]
    )
    met = met[:1] if len(classes) == 2 else met
    made, real = (
        _score(rows[i].take(np.arange(count)), sets[i].truth[:count], rows[2], tested, met, weights)
        for i in (0, 1)
    )
    gap = real - made
    low, high = stats.spread_interval(float(gap[0]), gap[1:])
    own = stats.spread_interval(float(made[0]), made[1:])
    return Finding(
        question="useful",
        name="text_label_gap",
        value=float(gap[0]),
        low=low,
        high=high,
        reference=0.0,
        count=len(tested),
        verdict=judge("text_label_gap", float(gap[0]), low, high),
        text=f"Predicting {p.label!r} of real texts held out: AUC {made[0]:.3f} when trained on "
        f"{count:,} synthetic texts and their labels, {real[0]:.3f} when trained on as many real "
        "ones.",
        columns=(p.label,),
        details={"real": float(real[0]), "synthetic": float(made[0]), "interval": list(own)},
    )


def _score(
    rows: Sparse,
    truth: np.ndarray,
    test: Sparse,
    tested: np.ndarray,
    met: list[int],
    weights: np.ndarray,
) -> np.ndarray:
    """The mean AUC of each class against the rest under each weighting (B,); first unweighted."""
    aucs = []
    for k in met:
        positive = truth == k
        some = 0 < positive.sum() < len(positive)
        guess = score(test, fit(rows, positive)) if some else np.zeros(len(tested))
        aucs.append(stats.auc_many(guess, tested == k, weights))
    mean: np.ndarray = np.mean(aucs, axis=0)
    return mean


def _consistent(p: Prose, own: Labelled) -> Finding:
    """How far a classifier that did not see a text agrees with its label: AUC of its own label."""
    sizes = np.bincount(own.truth, minlength=len(own.classes))
    met = [k for k in range(len(own.classes)) if sizes[k] >= 10]
    if len(own.truth) < LEAST or len(met) < 2:
        text = f"Not judged: fewer than {LEAST} synthetic texts with a label, or one label only."
        return not_judged("useful", "text_label_consistency", text)
    rows = weighted(counts(own.texts))[0]
    folds = folds_of(own.texts, int(p.rng.integers(2**31)))
    chance = np.zeros((len(own.truth), len(own.classes)))
    for k in met:
        chance[:, k] = cross_scores(rows, own.truth == k, folds)
    guess = chance.argmax(axis=1)
    hits, count = int((guess == own.truth).sum()), len(own.truth)
    low, high = stats.wilson(hits, count)
    most = float(sizes.max() / count)
    return Finding(
        question="useful",
        name="text_label_consistency",
        value=hits / count,
        low=low,
        high=high,
        reference=None,
        count=count,
        verdict="info",
        text=f"A classifier that did not see a text finds its label {percent(hits / count)} of "
        f"the time; always saying the commonest label would be right {percent(most)} of the "
        "time.",
        columns=(p.label or "",),
        details={"at_odds": _at_odds(own, chance, guess)},
    )


def _at_odds(own: Labelled, chance: np.ndarray, guess: np.ndarray) -> list[dict[str, Json]]:
    """The texts whose label the classifier believes least."""
    at = np.arange(len(guess))
    doubt = chance[at, guess] - chance[at, own.truth]
    return [
        {
            "text": own.texts.raw[i][:CUT],
            "label": own.classes[own.truth[i]],
            "guess": own.classes[guess[i]],
        }
        for i in np.argsort(-doubt, kind="stable")[:SHOWN].tolist()
        if doubt[i] > 0
    ]


def rewards(p: Prose) -> list[Finding]:
    """The distribution of rewards before and after curation."""
    if p.score is None:
        text = "Not judged: no column of scores was found; name one with `score`."
        return [not_judged("useful", "text_rewards", text)]
    sets = {
        "before": p.before if p.before is not None and p.before.has(p.score) else None,
        "after": p.synthetic if p.synthetic.has(p.score) else None,
    }
    values = {k: _finite(c.numbers(p.score)) for k, c in sets.items() if c is not None}
    values = {k: v for k, v in values.items() if len(v)}
    if "after" not in values:
        text = f"Not judged: the column {p.score!r} of the kept rows holds no number."
        return [not_judged("useful", "text_rewards", text)]
    after = values["after"]
    half = stats.Z * float(after.std()) / np.sqrt(len(after))
    mean = float(after.mean())
    before = float(values["before"].mean()) if "before" in values else None
    text = f"The mean {p.score!r} of the kept rows is {number(mean)}"
    text += f"; before curation it was {number(before)}." if before is not None else "."
    return [
        Finding(
            question="useful",
            name="text_rewards",
            value=mean,
            low=mean - half,
            high=mean + half,
            reference=before,
            count=len(after),
            verdict="info",
            text=text,
            columns=(p.score,),
            details=_reward_plot(values),
        )
    ]


def _finite(values: np.ndarray) -> np.ndarray:
    finite: np.ndarray = values[np.isfinite(values)]
    return finite


def _reward_plot(values: dict[str, np.ndarray]) -> dict[str, Json]:
    both = np.concatenate(list(values.values()))
    distinct = np.unique(both)
    if len(distinct) <= 12 and (distinct == np.round(distinct)).all():
        edges = np.arange(distinct[0] - 0.5, distinct[-1] + 1)
        edges = edges if len(edges) <= 40 else np.linspace(distinct[0], distinct[-1], 25)
    else:
        low, high = (float(v) for v in np.quantile(both, [0.005, 0.995]))
        edges = np.linspace(low, high if high > low else low + 1, 25)
    shares = {
        k: [round(float(n), 5) for n in np.histogram(np.clip(v, edges[0], edges[-1]), edges)[0]
            / len(v)]
        for k, v in values.items()
    }  # fmt: skip
    return {"edges": edges.tolist(), **shares}


def examples(p: Prose) -> list[Finding]:
    """Rows to read: the best and the worst kept ones by score, and rejected ones."""
    made = p.synthetic
    groups: dict[str, list[dict[str, Json]]] = {}
    scores = made.numbers(p.score) if p.score and made.has(p.score) else None
    if scores is not None and np.isfinite(scores).any():
        order = np.argsort(-np.where(np.isfinite(scores), scores, -np.inf), kind="stable")
        known = order[np.isfinite(scores[order])]
        groups["best"] = _shown(p, made, known[:SHOWN])
        groups["worst"] = _shown(p, made, known[::-1][: min(SHOWN, max(len(known) - SHOWN, 0))])
    else:
        groups["drawn by lot"] = _shown(p, made, np.arange(min(SHOWN, len(made))))
    if p.rejects is not None:
        groups["rejected"] = _shown(p, p.rejects, _spread(p.rejects))
    if p.seeds is not None:
        groups["real"] = _shown(p, p.seeds, np.arange(min(SHOWN, len(p.seeds))))
    count = sum(map(len, groups.values()))
    reasons = _reasons(p.rejects)
    return [
        Finding(
            question="useful",
            name="text_examples",
            value=float(count),
            low=float(count),
            high=float(count),
            reference=None,
            count=count,
            verdict="info",
            text=f"{count} rows to read: {', '.join(f'{len(v)} {k}' for k, v in groups.items())}.",
            columns=(p.column,),
            details={"groups": groups, "stages": reasons},
        )
    ]


def _shown(p: Prose, corpus: Corpus, rows: np.ndarray) -> list[dict[str, Json]]:
    out = []
    for row in rows.tolist():
        one: dict[str, Json] = {
            "text": corpus.texts.raw[row][:CUT],
            "cut": len(corpus.texts.raw[row]) > CUT,
        }
        for name in (p.label, p.score, "stage", "reason"):
            if name is not None and corpus.has(name):
                value = corpus.table[name][row].as_py()
                if value is not None:
                    one[name] = value if isinstance(value, (int, float)) else str(value)[:200]
        out.append(one)
    return out


def _spread(rejects: Corpus) -> np.ndarray:
    """Rejected rows of as many different stages as there are."""
    stages = rejects.table["stage"].to_pylist() if rejects.has("stage") else [""] * len(rejects)
    seen: Counter[str] = Counter()
    ranks = []
    for i, stage in enumerate(stages):
        ranks.append((seen[str(stage)], i))
        seen[str(stage)] += 1
    return np.array([i for _, i in sorted(ranks)[:SHOWN]], np.int64)


def _reasons(rejects: Corpus | None) -> list[dict[str, Json]]:
    """How many rows each stage dropped, the most first."""
    if rejects is None or not rejects.has("stage"):
        return []
    counted = Counter(str(s) for s in rejects.table["stage"].to_pylist())
    scale = rejects.total / max(len(rejects), 1)
    return [{"stage": s[:60], "rows": round(n * scale)} for s, n in counted.most_common(20)]
