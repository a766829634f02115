"""Texts that are equal or nearly the same, as the steps of curation decide it.

What `exact` and `near` of curation would drop is what is found here, and nothing else.
"""

from __future__ import annotations

import numpy as np

from geurim.curate.duplicates import NearDuplicates, NearFilter, fingerprints
from geurim.verify.prose.texts import Texts


def equal_earlier(texts: Texts) -> np.ndarray:
    """For each text the number of the first one that it equals, or -1. (N,)."""
    found = np.full(len(texts), -1)
    there = np.flatnonzero(texts.present)
    prints = fingerprints(texts.heads)[there]
    _, first, kind = np.unique(prints, return_index=True, return_inverse=True)
    earlier = there[first[kind]]
    found[there] = np.where(earlier < there, earlier, -1)
    return found


def equal_any(texts: Texts, others: Texts) -> np.ndarray:
    """For each text the number of one of `others` that it equals, or -1; empty ones do not."""
    prints = fingerprints(others.heads).tolist()
    known = {prints[i]: i for i in np.flatnonzero(others.lengths).tolist()}
    own = fingerprints(texts.heads).tolist()
    return np.array([known.get(each, -1) for each in own], np.int64)


def like_earlier(texts: Texts) -> np.ndarray:
    """For each text the number of an earlier one that it equals or is nearly the same as, or -1."""
    found = equal_earlier(texts)
    rest = np.flatnonzero((found < 0) & texts.present)
    like = NearFilter(NearDuplicates()).meet(texts.take(rest).heads).like
    kept = rest[like < 0]
    found[rest[like >= 0]] = kept[like[like >= 0]]
    return found


def like_any(texts: Texts, others: Texts) -> np.ndarray:
    """For each text the number of one of `others` that it is nearly the same as, or -1. (N,)."""
    rows = np.flatnonzero(others.lengths)
    known = NearFilter(NearDuplicates())
    known.keep(others.take(rows).heads)
    like = known.find(texts.heads).like
    found = np.full(len(texts), -1)
    found[like >= 0] = rows[like[like >= 0]]
    return found
