"""Named patterns looked for in texts: one fast pass for all, a second look only at what it hit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.curate.contract import reasons_at


def named_reasons(
    texts: pa.StringArray, patterns: Mapping[str, str], saying: str
) -> pa.StringArray:
    """Null, or `saying` with {name} replaced by the name of the first pattern that matches.

    `patterns`: name -> regular expression in RE2's syntax, which takes time linear in the text.
    """
    if not patterns:
        return pa.nulls(len(texts), pa.string())
    hit = pc.fill_null(pc.match_substring_regex(texts, "|".join(patterns.values())), False)
    at = np.flatnonzero(hit.to_numpy(zero_copy_only=False))
    if not len(at):
        return pa.nulls(len(texts), pa.string())
    suspects = texts.take(pa.array(at))
    why: list[str] = [""] * len(at)
    for name, pattern in reversed(list(patterns.items())):
        found = pc.match_substring_regex(suspects, pattern).to_numpy(zero_copy_only=False)
        for place in np.flatnonzero(found).tolist():
            why[place] = saying.replace("{name}", name)
    return reasons_at(len(texts), at, why)
