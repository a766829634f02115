"""Private? Do synthetic texts repeat real ones, or the texts of a benchmark?"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from geurim.contract import Finding, Json, Verdict
from geurim.curate.contamination import Contamination
from geurim.html import percent
from geurim.read import as_source
from geurim.verify import stats
from geurim.verify.prose.compare import Prose
from geurim.verify.prose.faithful import NO_REAL
from geurim.verify.prose.near import equal_any, like_any
from geurim.verify.prose.texts import Texts
from geurim.verify.verdict import judge, not_judged

SPAN = 50  # characters of a copied span
SHOWN = 6
_BLOCK = 2_000
_MASK = np.uint64((1 << 26) - 1)


def copies(p: Prose) -> list[Finding]:
    """The shares of synthetic texts that equal a real one, and that are nearly the same as one."""
    if p.training is None or p.holdout is None or p.seeds is None:
        return [
            not_judged("private", name, NO_REAL)
            for name in ("text_exact_copies", "text_near_copies")
        ]
    made, real, held = p.synthetic.texts, p.seeds.texts, p.holdout.texts
    sides = ((made, real), (held, p.training.texts))
    exact = [equal_any(texts, others) for texts, others in sides]
    near = [like_any(texts, others) for texts, others in sides]
    near = [np.where(e >= 0, e, n) for e, n in zip(exact, near, strict=True)]
    return [
        _copied(p, "text_exact_copies", exact, "equal a real one"),
        _copied(p, "text_near_copies", near, "are nearly the same as a real one"),
    ]


def _copied(p: Prose, name: str, found: list[np.ndarray], what: str) -> Finding:
    assert p.seeds is not None
    made, real = p.synthetic.texts, p.seeds.texts
    rows = np.flatnonzero(found[0] >= 0)
    rows = rows[np.argsort([-made.lengths[i] for i in rows.tolist()], kind="stable")][:SHOWN]
    examples = [
        {"synthetic": made.raw[i][:300], "real": real.raw[int(found[0][i])][:300]}
        for i in rows.tolist()
    ]
    return _share(p, name, [int((f >= 0).sum()) for f in found], [len(f) for f in found], what, {
        "examples": examples
    })  # fmt: skip


def _share(
    p: Prose, name: str, hits: list[int], counts: list[int], what: str, details: dict[str, Json]
) -> Finding:
    """A share of synthetic texts against that of real texts never shown."""
    share, reference = hits[0] / max(counts[0], 1), hits[1] / max(counts[1], 1)
    # Synthetic texts were looked up in both halves of the real ones, the other half in one only.
    twice = p.seeds is not p.training
    ideal = 1 - (1 - reference) ** 2 if twice else reference
    low, high = stats.wilson(hits[0], counts[0])
    under, over = stats.difference(hits[0], counts[0], ideal * counts[1], counts[1])
    return Finding(
        question="private",
        name=name,
        value=share,
        low=low,
        high=high,
        reference=reference,
        count=counts[0],
        verdict=judge(name, share - ideal, under, over),
        text=f"{percent(share)} of {counts[0]:,} synthetic texts {what}; {percent(ideal)} "
        "would by chance, as real texts do so with each other.",
        columns=(p.column,),
        details=details,
    )


def spans(p: Prose) -> list[Finding]:
    """The share of texts with 50 characters in a row that stand in a real text."""
    if p.training is None or p.holdout is None or p.seeds is None:
        return [not_judged("private", "text_copied_spans", NO_REAL)]
    longest = [
        longest_shared(t, o)
        for t, o in (
            (p.synthetic.texts, p.seeds.texts),
            (p.holdout.texts, p.training.texts),
        )
    ]
    long_enough = [c.texts.lengths >= SPAN for c in (p.synthetic, p.holdout)]
    counts = [int(b.sum()) for b in long_enough]
    if counts[0] == 0:
        text = f"Not judged: no synthetic text has {SPAN} characters."
        return [not_judged("private", "text_copied_spans", text)]
    sizes, places = longest[0]
    order = np.argsort(-sizes, kind="stable")[:SHOWN]
    made = p.synthetic.texts
    examples = [
        {
            "span": made.excerpt(int(places[i]), min(int(sizes[i]), 300)),
            "characters": int(sizes[i]),
            "share": round(float(sizes[i] / made.lengths[i]), 3),
        }
        for i in order.tolist()
        if sizes[i]
    ]
    parts = sizes[long_enough[0]] / made.lengths[long_enough[0]]
    details = {"examples": examples, "mean_share": float(parts.mean())}
    hits = [int((s > 0).sum()) for s, _ in longest]
    return [
        _share(p, "text_copied_spans", hits, counts, f"of {SPAN} characters or more hold "
               f"{SPAN} in a row from a real one", details)
    ]  # fmt: skip


def longest_shared(texts: Texts, others: Texts) -> tuple[np.ndarray, np.ndarray]:
    """The longest run of characters, SPAN or more, that each text shares with `others`.

    Returns its length (N,), 0 where there is none, and its place. Neighbouring windows that both
    occur are taken for one run.
    """
    windows = texts.runs(SPAN)
    sizes, places = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.int64)
    known = _met(windows.hashes, others)
    hit = np.flatnonzero(np.isin(windows.hashes, known)) if len(known) else known[:0]
    if not len(hit):
        return sizes, places
    at, rows = windows.places[hit.astype(np.int64)], windows.rows[hit.astype(np.int64)]
    new = np.append(True, (at[1:] != at[:-1] + 1) | (rows[1:] != rows[:-1]))
    starts = np.flatnonzero(new)
    runs = np.diff(np.append(starts, len(at))) + SPAN - 1
    order = np.argsort(runs, kind="stable")  # the longest is written last
    sizes[rows[starts][order]] = runs[order]
    places[rows[starts][order]] = at[starts][order]
    return sizes, places


def _met(hashes: np.ndarray, others: Texts) -> np.ndarray:
    """The windows of `others` that may be among `hashes`: read in blocks, sieved by 26 bits."""
    sieve = np.zeros(int(_MASK) + 1, bool)
    sieve[hashes & _MASK] = True
    kept = [np.zeros(0, np.uint64)]
    for first in range(0, len(others), _BLOCK):
        part = others.between(first, first + _BLOCK).runs(SPAN).hashes
        kept.append(part[sieve[part & _MASK]])
    return np.unique(np.concatenate(kept))


def contamination(p: Prose) -> list[Finding]:
    """Texts that hold a run of words, or of Korean characters, of a benchmark text."""
    if p.contamination is None:
        text = "Not judged: no benchmark texts were given to compare with."
        return [not_judged("private", "text_contamination", text)]
    found = shared_runs(p.synthetic.texts, p.contamination.texts)
    hits, count = int((found >= 0).sum()), len(found)
    low, high = stats.wilson(hits, count)
    sure = judge("text_contamination", hits / count, low, high)
    verdict: Verdict = sure if not hits or sure == "fail" else "warn"  # one is a warning
    reference = None
    if p.holdout is not None:
        reference = float((shared_runs(p.holdout.texts, p.contamination.texts) >= 0).mean())
    made, known = p.synthetic.texts, p.contamination.texts
    rows = np.flatnonzero(found >= 0)
    examples = [
        {"synthetic": made.raw[i][:300], "benchmark": known.raw[int(found[i])][:300]}
        for i in rows[:SHOWN].tolist()
    ]
    return [
        Finding(
            question="private",
            name="text_contamination",
            value=hits / count,
            low=low,
            high=high,
            reference=reference,
            count=count,
            verdict=verdict if hits else "pass",
            text=f"{hits:,} of {count:,} synthetic texts hold a run of {Contamination.words} "
            f"words (or {Contamination.characters} Korean characters) of one of {len(known):,} "
            "benchmark texts.",
            columns=(p.column,),
            details={"examples": examples, "benchmarks": p.contamination.total},
        )
    ]


def shared_runs(texts: Texts, known: Texts) -> np.ndarray:
    """For each text the number of a text of `known` that shares a run with it, or -1. (N,).

    The step of curation decides: a set that it has cleaned is clean here.
    """
    found = np.full(len(texts), -1)
    if len(known):
        benchmark = as_source(pa.table({"text": known.values}))
        judge = Contamination(against=benchmark).start()
        for place, (item, _) in judge.met(texts.values).items():
            found[place] = item
    return found
