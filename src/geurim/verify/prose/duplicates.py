"""Collapsing? How many texts occur more than once, word for word or nearly so?"""

from __future__ import annotations

from collections import Counter

import numpy as np

from geurim.contract import Finding, Json, Verdict
from geurim.html import percent
from geurim.verify import stats
from geurim.verify.prose.compare import Corpus, Prose
from geurim.verify.prose.near import equal_earlier, like_earlier
from geurim.verify.prose.texts import Texts
from geurim.verify.verdict import judge

FEW = 1_000  # real texts below this do not limit how many synthetic ones are looked at
SHOWN = 5


def duplicates(p: Prose) -> list[Finding]:
    """The shares of texts that equal an earlier one, and that are nearly the same as one."""
    fewest = min(len(c) for c in p.sets)
    most = len(p.synthetic) if fewest < FEW else fewest
    sets = [_in_order(c, most) for c in p.sets]
    exact = [equal_earlier(t) for t in sets]
    near = [like_earlier(t) for t in sets]
    words = (
        ("text_exact_duplicates", exact, "equal an earlier one"),
        ("text_near_duplicates", near, "are nearly the same as an earlier one"),
    )
    return [_finding(p, name, found, sets[0], what) for name, found, what in words]


def _in_order(corpus: Corpus, most: int) -> Texts:
    """A sample of the texts as they come in the file: which one of a group is first matters."""
    return corpus.texts.take(np.argsort(corpus.places[:most]))


def _finding(p: Prose, name: str, found: list[np.ndarray], made: Texts, what: str) -> Finding:
    hits, counts = [int((f >= 0).sum()) for f in found], [len(f) for f in found]
    low, high = stats.wilson(hits[0], counts[0])
    share = hits[0] / counts[0]
    real, others = sum(hits[1:]), sum(counts[1:])
    verdict: Verdict = "info"
    text = f"{percent(share)} of {counts[0]:,} synthetic texts {what}"
    if others:
        under, over = stats.difference(hits[0], counts[0], real, others)
        verdict = judge(name, share - real / others, under, over)
        text += (
            f"; {percent(real / others)} of as many real ones do"
            if (counts[0] <= counts[1])
            else f"; {percent(real / others)} of {counts[1]:,} real ones do"
        )
    return Finding(
        question="collapsing",
        name=name,
        value=share,
        low=low,
        high=high,
        reference=hits[2] / counts[2] if others else None,
        count=counts[0],
        verdict=verdict,
        text=f"{text}.",
        columns=(p.column,),
        details={"examples": _examples(found[0], made)},
    )


def _examples(found: np.ndarray, made: Texts) -> list[dict[str, Json]]:
    """The texts that come again most often, with how often, and one that is like it."""
    often = Counter(found[found >= 0].tolist())
    out = []
    for first, count in often.most_common(SHOWN):
        again = int(np.flatnonzero(found == first)[0])
        out.append(
            {"count": count + 1, "text": made.raw[first][:300], "like": made.raw[again][:300]}
        )
    return out
