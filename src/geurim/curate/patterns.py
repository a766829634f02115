"""Named patterns looked for in texts: one fast pass for all, a second look only at what it hit.

Patterns are in RE2's syntax, in which `\\b`, `\\w` and `\\s` are ASCII and `\\z` is the end. RE2
takes time linear in the text, but Arrow compiles a pattern at each call, which takes a millisecond.
So a few texts are matched by Python's compiled pattern instead, where it means the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.curate.contract import reasons_at

_FEW = 64
# Two letters that are S and K without regard to case, and a blank that RE2 takes for none.
_FOLDED = {"\u017f": "s", "\u212a": "k"}
_AS_RE2 = str.maketrans(_FOLDED | {"\x0b": "\x01"})
_NOT_PYTHON = re.compile(r"\\[pPQEC]|\\x\{|\$|\(\?[^:i]|\[\[:")


def matching(texts: pa.StringArray, pattern: str) -> np.ndarray:
    """(N,) whether each text holds a match of `pattern`; a missing text holds none."""
    if len(texts) <= _FEW and (compiled := _compiled(pattern)) is not None:
        return np.array(
            [
                t is not None and bool(compiled.search(t.translate(_AS_RE2)))
                for t in texts.to_pylist()
            ],
            dtype=bool,
        )
    for letter, plain in _FOLDED.items():
        if pc.any(pc.match_substring(texts, letter)).as_py():
            texts = pc.replace_substring(texts, letter, plain)
    found = pc.match_substring_regex(texts, pattern)
    hits: np.ndarray = pc.fill_null(found, False).to_numpy(zero_copy_only=False)
    return hits


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """The same pattern for Python, or None where it could mean something else there."""
    cased = any(not c.isascii() and c.lower() != c.upper() for c in pattern)
    if cased or _NOT_PYTHON.search(pattern.replace("(?im:", "(?i:")):
        return None
    try:
        return re.compile(pattern.replace(r"\z", r"\Z"), re.ASCII)
    except re.error:
        return None


def named_reasons(
    texts: pa.StringArray, patterns: Mapping[str, str], saying: str
) -> pa.StringArray:
    """Null, or `saying` with {name} replaced by the name of the first pattern that matches."""
    if not patterns:
        return pa.nulls(len(texts), pa.string())
    at = np.flatnonzero(matching(texts, "|".join(patterns.values())))
    if not len(at):
        return pa.nulls(len(texts), pa.string())
    suspects = texts.take(pa.array(at))
    why = [""] * len(at)
    for name, pattern in reversed(list(patterns.items())):
        for place in np.flatnonzero(matching(suspects, pattern)).tolist():
            why[place] = saying.replace("{name}", name)
    return reasons_at(len(texts), at, why)
