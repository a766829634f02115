"""Faithful to rules: what holds in every real row, whole rows that repeat, how values are written.

The rules are those that analysis found in the training rows (geurim.analyze.determined): columns
that give others, orders, sums. A rule that real rows never seen break as well is none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow.compute as pc

from geurim.columns import is_number
from geurim.constraints import rule_text
from geurim.contract import Finding
from geurim.html import percent
from geurim.verify import stats
from geurim.verify.compare import Column, Comparison, Rows
from geurim.verify.private import row_keys
from geurim.verify.verdict import LEVEL, judge, not_judged

TOLD = 10
PLACES = 7  # digits after the point that are told apart


def broken_rules(c: Comparison) -> list[Finding]:
    """The share of rows that break each rule of the profile, those broken most."""
    columns = {x.name: x for x in c.of("axis", "codes")}
    rules = [r for r in c.profile.rules if _named(r) and set(_named(r)) <= set(columns)]
    if not rules:
        return [
            not_judged(
                "faithful", "broken_rules", "The real rows have no rule that holds in each of them."
            )
        ]
    findings = [_broken(c, r, columns, len(rules)) for r in rules]
    return sorted(findings, key=lambda f: -f.value)[:TOLD]


def _named(rule: Mapping[str, Any]) -> list[str]:
    """The columns of a rule on rows by themselves; of no others."""
    if rule["kind"] == "determines":
        return [*rule["by"], rule["column"]]
    if rule["kind"] == "order":
        return [rule["low"], rule["high"]]
    return [*rule["parts"], rule["column"]] if rule["kind"] == "sum" else []


def _broken(
    c: Comparison, rule: Mapping[str, Any], columns: Mapping[str, Column], tests: int
) -> Finding:
    hits = [int(_breaks(c, rule, columns, r).sum()) for r in (c.synthetic, c.holdout)]
    n, m = c.synthetic.count, c.holdout.count
    share, held = hits[0] / n, hits[1] / m
    low, high = stats.difference(hits[0], n, hits[1], m)
    bound = stats.log_chance(np.array(hits[0]), n, np.array(hits[1]), m)
    surely = share > held and float(bound) < math.log(LEVEL / (2 * tests))
    # Honest rows do break a rule now and then, but the shares that are told apart are tiny: the
    # bound says whether it is luck, and the interval, whether it is many.
    strict = "broken_lookups" if rule["kind"] == "determines" else "broken_rules"
    much = judge(strict, share - held, low, high, tests=tests)
    verdict = much if not surely else ("fail" if much == "fail" else "warn")
    return Finding(
        question="faithful",
        name="broken_rules",
        value=share,
        low=max(0.0, stats.wilson(hits[0], n)[0]),
        high=stats.wilson(hits[0], n)[1],
        reference=held,
        count=n,
        verdict="pass" if not hits[0] else verdict,
        text=f"{hits[0]:,} of {n:,} synthetic rows ({percent(share)}) break {rule_text(rule)!r}, "
        f"which no training row does; {percent(held)} of the holdout's do.",
        columns=tuple(_named(rule)),
        details={"rule": rule_text(rule)},
    )


def _breaks(
    c: Comparison, rule: Mapping[str, Any], columns: Mapping[str, Column], rows: Rows
) -> np.ndarray:
    """Which rows break the rule, (N,) bool. What is missing, or was never seen, breaks nothing."""
    if rule["kind"] == "order":
        return np.asarray(rows.axis[rule["low"]] > rows.axis[rule["high"]])
    if rule["kind"] == "sum":
        parts = np.stack([rows.axis[n] for n in rule["parts"]])
        result = parts.sum(axis=0) if rule["sign"] == "+" else parts.prod(axis=0)
        value = rows.axis[rule["column"]]
        decimals = c.profile.columns[rule["column"]].get("decimals")
        slack = 0.0 if decimals is None else 0.51 * 10.0 ** -int(str(decimals))
        return np.asarray(np.abs(result - value) > slack + 1e-9 * np.abs(result))
    by = [columns[n] for n in rule["by"]]
    known, first = np.unique(row_keys(c.training, by), return_index=True)
    answers = row_keys(c.training, [columns[rule["column"]]])[first]
    keys = row_keys(rows, by)
    place = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    wrong = row_keys(rows, [columns[rule["column"]]]) != answers[place]
    return np.asarray((known[place] == keys) & wrong)


def duplicates(c: Comparison) -> list[Finding]:
    """The share of synthetic rows that equal another of them, beside the holdout's own."""
    columns = c.of("axis", "codes")
    rows = min(c.synthetic.count, c.holdout.count)
    if not columns or rows < 2:
        return [not_judged("faithful", "duplicate_rows", "There are too few rows or columns.")]
    made, held = (_repeats(row_keys(r.first(rows), columns)) for r in (c.synthetic, c.holdout))
    value, reference = made[0], held[0]
    half, over = stats.Z * made[1], value - reference
    both = stats.Z * float(np.hypot(made[1], held[1]))
    return [
        Finding(
            question="faithful",
            name="duplicate_rows",
            value=value,
            low=max(0.0, value - half),
            high=min(1.0, value + half),
            reference=reference,
            count=rows,
            verdict=judge("duplicate_rows", over, over - both, over + both),
            text=f"{percent(value)} of {rows:,} synthetic rows equal another of them in every "
            f"column that is learned; {percent(reference)} of as many real rows do.",
        )
    ]


def _repeats(keys: np.ndarray) -> tuple[float, float]:
    """The share of rows with an equal, and its standard error; equal rows come and go together."""
    _, counts = np.unique(keys, return_counts=True)
    alike = counts[counts > 1].astype(float)
    error = max(math.sqrt(float((alike**2).sum())), 1.0) / len(keys)
    return float(alike.sum()) / len(keys), error


def digits(c: Comparison) -> list[Finding]:
    """How numbers are written: round numbers, places after the point, prices that end in 99."""
    columns = [x for x in c.of("axis") if is_number(x.type)]
    asked = [x for x in columns if np.isfinite(c.training.axis[x.name]).sum() >= 50]
    found = [_digits(c, x, len(asked)) for x in asked]
    return [f for f in found if f]


def endings(values: np.ndarray) -> np.ndarray:
    """The ending of each number, a whole number (N,): 0 for zero, 1 to 9 the last digit of others,
    10 to 12 those that end in one to three zeros or more, 100 and more the two places after the
    point, 1,000 and more the number of places where there are more."""
    size = np.abs(values[np.isfinite(values)])
    out = np.full(len(size), 1_000 + PLACES, np.int64)
    with np.errstate(over="ignore"):
        for places in range(PLACES - 1, 2, -1):
            out[_whole(size * 10.0**places)] = 1_000 + places
        cents = np.rint(size * 100)
        hundredths = _whole(size * 100)
        out[hundredths] = 100 + (cents[hundredths] % 100).astype(np.int64)
        whole = _whole(size)
        last = np.rint(size)
        out[whole] = (last[whole] % 10).astype(np.int64)
        for zeros in (1, 2, 3):
            out[whole & (last % 10**zeros == 0)] = 9 + zeros
    out[size == 0] = 0
    return out


def _whole(size: np.ndarray) -> np.ndarray:
    near: np.ndarray = np.abs(size - np.rint(size)) <= 1e-6 + 1e-12 * size
    return near & (size < 2.0**53)


def _digits(c: Comparison, column: Column, tests: int) -> Finding | None:
    ends = [endings(r.axis[column.name]) for r in (c.synthetic, c.training, c.holdout)]
    n, m, h = (len(e) for e in ends)
    if min(n, m, h) < 50:
        return None
    kinds, place = np.unique(np.concatenate(ends), return_inverse=True)
    parts = np.split(place, np.cumsum([n, m]))
    made, real, held = (np.bincount(p, minlength=len(kinds)) / len(p) for p in parts)
    value, reference = stats.total_variation(made, real), stats.total_variation(held, real)
    half = stats.Z * stats.variation_error(made, real, n, m)
    chance = float(stats.variation_by_chance(made, real, n, m).sum())
    own = float(stats.variation_by_chance(held, real, h, m).sum())
    drift = max(0.0, reference - own - stats.Z * stats.variation_error(held, real, h, m))
    over = value - chance - drift
    low, high = stats.luck_aside(value, chance, half)
    at = int(np.argmax(np.abs(made - real)))
    kind = int(kinds[at])
    return Finding(
        question="faithful",
        name="number_digits",
        value=value,
        low=low,
        high=high,
        reference=reference,
        count=n,
        verdict=judge("number_digits", over, over - half, over + half, tests=tests),
        text=f"{percent(value)} of the synthetic numbers would have to end otherwise "
        f"({percent(reference)} of real ones never seen); most so those {_ending(kind)}: "
        f"{percent(made[at])}, and {percent(real[at])} of the real ones.",
        columns=(column.name,),
        details={"ending": kind, "synthetic": float(made[at]), "training": float(real[at])},
    )


def _ending(kind: int) -> str:
    if kind >= 1_000:
        return f"with {kind - 1_000} places or more after the point"
    if kind >= 100:
        return f"that end in .{kind - 100:02d}"
    if kind >= 10:
        return f"that end in {kind - 9} zero{'s' * (kind > 10)}"
    return "that are 0" if kind == 0 else f"that end in {kind}"


def lengths(c: Comparison) -> list[Finding]:
    """Strings that are made anew (keys, personal data, texts) shorter or longer than any real."""
    columns = c.of("strings")
    return [f for f in (_lengths(c, x, len(columns)) for x in columns) if f]


def _lengths(c: Comparison, column: Column, tests: int) -> Finding | None:
    made, real, held = (
        pc.utf8_length(pc.drop_null(r.strings[column.name])).to_numpy(zero_copy_only=False)
        for r in (c.synthetic, c.training, c.holdout)
    )
    if not min(len(made), len(real), len(held)):
        return None
    low, high = int(real.min()), int(real.max())
    if column.role == "key" and c.released.total > c.training.total:
        high = max(high, int(made.max()))  # more keys than there were need more signs
    hits = [int(((v < low) | (v > high)).sum()) for v in (made, held)]
    share, reference = hits[0] / len(made), hits[1] / len(held)
    under, over = stats.difference(hits[0], len(made), hits[1], len(held))
    ends = stats.wilson(hits[0], len(made))
    return Finding(
        question="faithful",
        name="string_length",
        value=share,
        low=ends[0],
        high=ends[1],
        reference=reference,
        count=len(made),
        verdict=judge("string_length", share - reference, under, over, tests=tests),
        text=f"{percent(share)} of the synthetic strings are shorter than {low} or longer than "
        f"{high} characters, as no real one is ({percent(reference)} of the holdout's).",
        columns=(column.name,),
        details={"shortest": low, "longest": high},
    )
