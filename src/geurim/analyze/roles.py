"""Which part a column plays: `decide` gives its role and the sentence why."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.analyze.collect import Column
from geurim.analyze.names import names_axis, names_key
from geurim.columns import is_number, is_time
from geurim.contract import Json
from geurim.errors import SchemaError

ROLES = ("number", "datetime", "category", "constant", "empty", "key", "personal", "text")
LOOKED_AT = 2_000  # distinct values looked at for a pattern
FEW = 5  # with fewer rows nothing tells a code from a category
HANDFUL = 50  # so few UUIDs, each for many rows, are a category
TIME = r"^\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ].*)?$|^\d{1,2}[-/.]\d{1,2}[-/.]\d{4}( .*)?$"
DECIMAL = r"^[-+]?\d*[.,]\d+([eE][-+]?\d+)?$"
UUID = r"^\{?[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}\}?$"

Decision = tuple[str, str, dict[str, Json]]  # role, why, further keys of the profile


def decide(column: Column, k: int) -> Decision:
    """The role of a column that is not personal (see `personal`), obeying the schema's own."""
    declared = column.metadata.get(b"geurim.role", b"").decode()
    if declared:
        return _declared(column, declared, k)
    if not column.present:
        return "empty", "No row has a value.", {}
    if column.distinct == 1 and not column.missing_rows:
        return "constant", "Every row has the same value.", {}
    if column.ordered:
        return _ordered(column)
    if pa.types.is_boolean(column.sample.type):
        return "category", "True or false.", {}
    return _strings(column, k)


def _declared(column: Column, role: str, k: int) -> Decision:
    """The role that the schema says, if the values can bear it."""
    kind, why = column.sample.type, "The schema says so."
    if role not in ROLES:
        raise SchemaError(
            f"Column {column.name!r} has the role {role!r}. Use one of: {', '.join(ROLES)}."
        )
    fits = {
        "number": is_number(kind),
        "datetime": is_time(kind),
        "constant": column.distinct == 1 and not column.missing_rows,
        "empty": not column.present,
    }.get(role, True)
    if not fits and column.present:
        raise SchemaError(
            f"Column {column.name!r} is declared {role!r}, but holds {column.distinct} distinct "
            f"values of type {kind}. Declare another role, or leave it out of the schema."
        )
    if not column.present:
        return "empty", "No row has a value.", {}
    if role == "key":
        if column.ordered:
            return "key", why, _integer_key(column, k)
        texts = column.counts[0]
        uuid = _share(texts.slice(0, LOOKED_AT), UUID) > 0.99
        return "key", why, {"form": "uuid"} if uuid else pattern_key(column, k)
    return role, why, {}


def _ordered(column: Column) -> Decision:
    if is_time(column.sample.type):
        return "datetime", "Dates or times.", {}
    if pa.types.is_integer(column.sample.type) and not column.missing_rows:
        step = _sequence_step(column)
        hinted = names_key(column.name) and not names_axis(column.name)
        if step and not names_axis(column.name) and column.rows >= 10:
            return "key", f"Whole numbers in steps of {step}, each once.", _integer_key(column)
        if hinted and column.rows >= FEW and _unique(column):
            return "key", "Whole numbers, each once, and named like a key.", _integer_key(column)
    return "number", "Numbers.", {}


def _unique(column: Column) -> bool:
    return len(column.points[0]) == len(column.sorted)


def _sequence_step(column: Column) -> int:
    """The step of an arithmetic sequence that the values are, in any order; 0 if they are none."""
    span = column.high - column.low
    if column.rows < 2 or span <= 0 or span % (column.rows - 1) or not _unique(column):
        return 0
    step = int(span // (column.rows - 1))
    return 0 if ((column.sorted - column.low) % step).any() else step


def _integer_key(column: Column, k: int = 10) -> dict[str, Json]:
    """Synthetic keys start at a round number beyond the last real one, so none is met again."""
    high = int(column.high)
    unit = 10 ** max(1, len(str(abs(high) + k)) - 1)
    start = (high // unit + 1) * unit
    kind = column.kind
    if pa.types.is_integer(kind) and start > np.iinfo(kind.to_pandas_dtype()).max // 2:
        unit = 10 ** max(1, len(str(column.rows)) - 1)
        start = (high // unit + 1) * unit
    return {"form": "integer", "start": start, "step": _sequence_step(column) or 1}


def _strings(column: Column, k: int) -> Decision:
    values, counts = column.counts
    total, distinct = int(counts.sum()), len(values)
    looked = values.take(pa.array(spread(distinct)))
    if distinct >= 3 and (distinct > HANDFUL or distinct == total) and _share(looked, UUID) > 0.99:
        more = {"form": "uuid", "repeats": max(1, round(total / distinct))}
        more["hyphens"] = _share(looked, "-") > 0.5
        return "key", "UUIDs.", more | {"upper": _share(looked, "[A-F]") > 0.5}
    if _share(looked, TIME) > 0.95:
        return (
            "category",
            "Dates as strings: declare a date type to have them learned as times.",
            {},
        )
    unlike = distinct / total
    blank = _share(looked, r"\s")
    length = float(pc.mean(pc.utf8_length(looked)).as_py())
    gaps = float(pc.mean(pc.count_substring_regex(looked, r"\S\s+\S")).as_py())
    code = blank < 0.05 and length <= 100
    if unlike > 0.2 and total >= FEW and (gaps >= 3 or (length > 60 and not code)):
        return "text", f"Long strings, {unlike:.0%} of them different.", {}
    if total >= FEW and unlike > 0.95 and distinct > FEW:
        if code:
            return "key", f"Short codes, {unlike:.0%} of them different.", pattern_key(column, k)
        return "text", f"Strings, {unlike:.0%} of them different.", {}
    if unlike > 0.5 and distinct >= 20 and blank < 0.05 and names_key(column.name):
        found = pattern_key(column, k) | {"repeats": max(1, round(total / distinct))}
        return "key", f"Codes named like a key, {unlike:.0%} of them different.", found
    if unlike > 0.5 and distinct >= 20 and blank > 0.5:
        return "text", f"Strings of several words, {unlike:.0%} of them different.", {}
    return "category", "Strings that repeat.", {}


def spread(count: int, most: int = LOOKED_AT) -> np.ndarray:
    """Up to `most` places among `count`, evenly spread."""
    return np.unique(np.linspace(0, max(count - 1, 0), min(count, most)).astype(np.int64))


def _share(texts: pa.Array, pattern: str) -> float:
    found = pc.mean(pc.match_substring_regex(texts, pattern).cast(pa.int8())).as_py()
    return float(found or 0.0)


def shapes(texts: pa.Array) -> pa.Array:
    """Each string with its letters and digits replaced by class: "AB-12 김" becomes "AA-99 가"."""
    texts = pc.replace_substring_regex(texts, r"[0-9]", "9")
    texts = pc.replace_substring_regex(texts, r"[A-Z]", "A")
    texts = pc.replace_substring_regex(texts, r"[\x{AC00}-\x{D7A3}]", "가")
    return pc.replace_substring_regex(texts, r"[^\P{L}A가]", "a")


def pattern_key(column: Column, k: int) -> dict[str, Json]:
    """The codes' commonest shapes, those of at least k rows, and the prefix that all share."""
    values, _ = column.counts
    looked = values.take(pa.array(spread(len(values))))
    found = common_shapes(shapes(looked), k) or [[_usual_shape(looked), 1.0]]
    prefix = _prefix(values) if len(values) >= k else ""
    return {
        "form": "pattern",
        "pattern": found[0][0],
        "patterns": found,
        "prefix": prefix if all(p.startswith(shape_of(prefix)) for p, _ in found) else "",
    }


def common_shapes(formed: pa.Array, k: int) -> list[list[Json]]:
    """The commonest of some shapes, each of at least k values, with their shares among these."""
    counted = formed.value_counts()
    tallies = counted.field("counts").to_numpy(zero_copy_only=False)
    order = np.argsort(-tallies, kind="stable")
    order = order[tallies[order] >= k][:20]
    found = counted.field("values").take(pa.array(order)).to_pylist()
    share = tallies[order] / max(tallies[order].sum(), 1)
    return [[p, float(s)] for p, s in zip(found, share, strict=True)]


def _usual_shape(texts: pa.Array) -> str:
    """The commonest class of character at each place, as long as the median code."""
    length = max(int(pc.approximate_median(pc.utf8_length(texts)).as_py()), 4)
    formed = shapes(texts)
    shape = ""
    for place in range(length):
        at = pc.utf8_slice_codeunits(formed, place, place + 1)
        usual = pc.mode(pc.index_in(at, pa.array(list("Aa9가"))).drop_null())
        shape += "Aa9가"[usual[0]["mode"].as_py()] if len(usual) else "9"
    return shape


def shape_of(text: str) -> str:
    return str(shapes(pa.array([text], pa.string()))[0].as_py())


def _prefix(values: pa.Array) -> str:
    """What every code begins with, without digits at its end: "ORD-" of ORD-21 and ORD-22."""
    extremes = pc.min_max(values).as_py()
    first, last = extremes["min"], extremes["max"]
    size = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), 0)
    return re.sub(r"[0-9]+$", "", first[:size])
