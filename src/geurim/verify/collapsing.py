"""Collapsing? What is left of the real rows' variety when models learn from rows of models?

Each measure gives one generation's value beside the real rows; `change` compares the last
generation with the first, so that a generator's own error is not taken for fading. Shumailov et al.
2024 ("AI models collapse when trained on recursively generated data") name the signs: variance and
tails go first, then rare categories, then everything differs from the real rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from geurim.contract import Finding, Json
from geurim.html import number, percent
from geurim.verify import stats
from geurim.verify.classifier import FOLDS, separate
from geurim.verify.compare import Comparison, Rows
from geurim.verify.joint import pairs
from geurim.verify.private import row_keys
from geurim.verify.rare import categories as rare_categories
from geurim.verify.verdict import TOLERANCES, judge, not_judged

GROUPS = 10  # of rows, left out in turn
C2ST_ROWS = 10_000
_FLOOR = 1e-9  # of a ratio of variances, so that its logarithm is finite

Change = tuple[float, float]  # how far it went the wrong way, and half of its interval


@dataclass(frozen=True)
class Value:
    """One measure of one generation: value, its 95% interval, rows behind it."""

    value: float
    low: float
    high: float
    count: int
    details: Mapping[str, Json]


def variance(c: Comparison) -> Value | None:
    """The geometric mean, over the columns of numbers, of variance against the real variance."""
    names = _numbers(c)
    if not names:
        return None
    own, made = (_moments(r, names, c.training) for r in (c.training, c.synthetic))

    def log(parts: np.ndarray) -> np.ndarray:
        count, total, squares = parts  # (C,) each
        mean = total / np.maximum(count, 1)
        logs: np.ndarray = np.log(np.maximum(squares / np.maximum(count, 1) - mean**2, _FLOOR))
        return logs

    ratio = log(made.sum(axis=1)) - log(own.sum(axis=1))
    half = _jackknife(lambda a, b: float((log(b) - log(a)).mean()), own, made)
    value = float(ratio.mean())
    columns = {n: float(f"{math.exp(v):.6g}") for n, v in zip(names, ratio, strict=True)}
    low, high = math.exp(value - half), math.exp(value + half)
    return Value(math.exp(value), low, high, c.synthetic.count, {"columns": columns})


def _numbers(c: Comparison) -> list[str]:
    """Columns of numbers that vary among the real rows."""
    found = []
    for column in c.of("axis"):
        values = c.training.axis[column.name]
        values = values[np.isfinite(values)]
        if len(values) > 1 and values.min() < values.max():
            found.append(column.name)
    return found


def _moments(rows: Rows, names: Sequence[str], training: Rows) -> np.ndarray:
    """Count, sum and sum of squares by group of rows, on the real rows' scale: (3, G, C)."""
    out = np.zeros((3, GROUPS, len(names)))
    for j, name in enumerate(names):
        known = training.axis[name][np.isfinite(training.axis[name])]
        values = (rows.axis[name] - known.mean()) / known.std()
        for g, part in enumerate(np.array_split(values, GROUPS)):
            part = part[np.isfinite(part)]
            out[:, g, j] = len(part), part.sum(), (part**2).sum()
    return out


def _jackknife(
    statistic: Callable[[np.ndarray, np.ndarray], float], own: np.ndarray, made: np.ndarray
) -> float:
    """Half of the 95% interval of a statistic of two tables' sums (K, G, C), groups left out."""
    a, b = own.sum(axis=1), made.sum(axis=1)
    left = [np.array([statistic(a - own[:, g], b) for g in range(GROUPS)])]
    left.append(np.array([statistic(a, b - made[:, g]) for g in range(GROUPS)]))
    return stats.Z * float(np.hypot(*(stats.jackknife_error(v) for v in left)))


def tails(c: Comparison) -> Value | None:
    """The mass beyond the real 1st and 99th percentiles, against the real rows' own."""
    names = _numbers(c)
    if not names:
        return None
    own, made = (_beyond(r, names, c.training) for r in (c.training, c.synthetic))

    def share(parts: np.ndarray) -> float:
        return float((parts[1] / np.maximum(parts[0], 1)).mean())

    real = share(own.sum(axis=1))
    if real == 0:
        return None
    value = share(made.sum(axis=1)) / real
    half = _jackknife(lambda a, b: share(b) / max(share(a), 1e-12), own, made)
    half = max(half, 1 / (real * max(len(names) * c.synthetic.count, 1)))
    return Value(value, max(0.0, value - half), value + half, c.synthetic.count, {"real": real})


def _beyond(rows: Rows, names: Sequence[str], training: Rows) -> np.ndarray:
    """Values, and values in the tails, by group of rows: (2, G, C)."""
    out = np.zeros((2, GROUPS, len(names)))
    for j, name in enumerate(names):
        known = training.axis[name][np.isfinite(training.axis[name])]
        low, high = np.quantile(known, [0.01, 0.99])
        for g, part in enumerate(np.array_split(rows.axis[name], GROUPS)):
            with np.errstate(invalid="ignore"):
                out[:, g, j] = np.isfinite(part).sum(), ((part < low) | (part > high)).sum()
    return out


def rare(c: Comparison) -> Value | None:
    """The share of rare categories that come back, as `rare_categories` of verify has it."""
    (found,) = rare_categories(c)
    if not found.count:
        return None
    return Value(found.value, found.low, found.high, found.count, {})


def categories(c: Comparison) -> Value | None:
    """Different categories in as many rows as the holdout has, against the real rows' number."""
    columns = c.of("codes")
    rows = min(c.training.count, c.holdout.count, c.synthetic.count)
    if not columns or not rows:
        return None
    counts = [
        [np.bincount(r.first(rows).codes[x.name] + 1)[1:] for x in columns]
        for r in (c.training, c.synthetic)
    ]
    known, met = (sum(int((n > 0).sum()) for n in table) for table in counts)
    if not known:
        return None
    # What is met once may as well have been missed: the error of a number of kinds (Good 1953).
    once = sum(int((n == 1).sum()) for table in counts for n in table)
    value, half = met / known, stats.Z * math.sqrt(max(once, 0.25)) / known
    details = {"met": met, "real": known, "rows": rows}
    return Value(value, max(0.0, value - half), value + half, known, details)


def distinct(c: Comparison) -> Value | None:
    """The share of rows that differ from all earlier ones, in as many rows as the holdout has."""
    columns = c.of("axis", "codes")
    rows = min(c.holdout.count, c.synthetic.count)
    if not columns or not rows:
        return None
    found = len(np.unique(row_keys(c.synthetic.first(rows), columns)))
    return Value(found / rows, *stats.wilson(found, rows), rows, {"rows": rows})


def pair_distance(c: Comparison) -> Value | None:
    """How much farther two-way tables lie from the real ones than chance alone would have them."""
    found = [f for f in pairs(c) if f.name == "pair_distance"]
    if not found:
        return None
    chance = float(found[0].details["chance"])
    value, half = found[0].value - chance, found[0].high - found[0].value
    return Value(value, value - half, value + half, c.synthetic.count, {"chance": chance})


def c2st(c: Comparison) -> Value | None:
    """How surely trees tell the generation's rows from real ones: the AUC, 0.5 is guessing."""
    used = c.of("axis", "codes")
    rows = min(c.training.count, c.synthetic.count, C2ST_ROWS)
    if not used or rows < 4 * FOLDS:
        return None
    found = separate(used, c.training, c.training.first(rows), c.synthetic.first(rows), c.rng)
    half = stats.Z * found.error
    telltales = {"importance": {k: round(v, 4) for k, v in list(found.importance.items())[:5]}}
    return Value(found.auc, found.auc - half, found.auc + half, 2 * rows, telltales)


@dataclass(frozen=True)
class Measure:
    """A measure, how it is written, what it says, and which way it fades."""

    run: Callable[[Comparison], Value | None]
    title: str
    says: str  # with {} for the value
    write: Callable[[float], str]
    way: str  # a key of WAYS


MEASURES: Mapping[str, Measure] = {
    "collapse_variance": Measure(
        variance,
        "Variance",
        "the variance of the numbers is {} of the real rows'",
        percent,
        "ratio",
    ),
    "collapse_tails": Measure(
        tails, "Tails", "the mass of extreme values is {} of the real rows'", percent, "ratio"
    ),
    "collapse_rare": Measure(
        rare, "Rare categories", "{} of the rare categories come back", percent, "loss"
    ),
    "collapse_categories": Measure(
        categories,
        "Different categories",
        "there are {} as many different categories as among real rows",
        percent,
        "ratio loss",
    ),
    "collapse_distinct": Measure(
        distinct, "Different rows", "{} of the rows differ from all others", percent, "loss"
    ),
    "collapse_pairs": Measure(
        pair_distance,
        "Pairs",
        "the two-way tables lie {} farther from the real ones than by chance",
        percent,
        "gain",
    ),
    "collapse_c2st": Measure(
        c2st,
        "Told apart",
        "a classifier tells them from real rows with an AUC of {}",
        number,
        "gain",
    ),
}
"""Name -> the measure, in the order in which signs of collapse are told."""

TEXT_WAYS: Mapping[str, tuple[str, str]] = {
    "text_distinct_1": ("Different words", "ratio loss"),
    "text_distinct_2": ("Different pairs of words", "ratio loss"),
    "text_distinct_3": ("Different runs of three words", "ratio loss"),
    "text_self_bleu": ("Likeness of the texts (self-BLEU)", "gain"),
    "text_vendi": ("Wholly different texts (Vendi score)", "ratio loss"),
    "text_compression": ("How much they can be compressed", "ratio gain"),
    "text_openings": ("Texts that begin alike", "gain"),
    "text_exact_duplicates": ("Equal texts", "gain"),
    "text_near_duplicates": ("Nearly equal texts", "gain"),
}
"""The measures of verify/prose on variety -> a title, and which way they fade."""

WAYS: Mapping[str, Callable[[float, float], float]] = {
    "loss": lambda first, last: first - last,
    "gain": lambda first, last: last - first,
    "ratio": lambda first, last: abs(last / first - 1),
    "ratio loss": lambda first, last: 1 - last / first,
    "ratio gain": lambda first, last: last / first - 1,
}
"""Way -> how far the last value went the wrong way from the first one."""


def measured(c: Comparison, names: Sequence[str], seed: int) -> list[Finding]:
    """The chosen measures of a generation, not judged yet; each has a random stream of its own."""
    out = []
    for name in names:
        place = list(MEASURES).index(name)
        stream = np.random.SeedSequence(seed, spawn_key=(1, place))
        value = MEASURES[name].run(replace(c, rng=np.random.default_rng(stream)))
        if value is None:
            out.append(not_judged("collapsing", name, "Not judged: no such columns, or few rows."))
            continue
        measure = MEASURES[name]
        text = measure.says.format(measure.write(value.value))
        out.append(
            Finding(
                question="collapsing",
                name=name,
                value=value.value,
                low=value.low,
                high=value.high,
                reference=None,
                count=value.count,
                verdict="info",
                text=f"{text[:1].upper()}{text[1:]}.",
                details=value.details,
            )
        )
    return out


def way_of(name: str) -> str:
    """Which way a measure fades, a key of WAYS."""
    return MEASURES[name].way if name in MEASURES else TEXT_WAYS[name][1]


def title_of(name: str) -> str:
    """What a measure is called on a page."""
    return MEASURES[name].title if name in MEASURES else TEXT_WAYS[name][0]


def change(name: str, first: Finding, last: Finding) -> Change:
    """How far a measure went the wrong way, and half of its interval (delta method)."""
    way = WAYS[way_of(name)]
    if first.value == 0 and "ratio" in way_of(name):
        return (0.0, 0.0) if last.value == 0 else (math.inf, 0.0)
    value = way(first.value, last.value)
    halves = [(f.high - f.low) / 2 for f in (first, last)]
    steps = (
        way(first.value + halves[0], last.value) - value if halves[0] else 0.0,
        way(first.value, last.value + halves[1]) - value if halves[1] else 0.0,
    )
    return value, math.hypot(*steps)


def faded(first: Finding, last: Finding, zero: Finding | None, generation: int) -> Finding:
    """The judged finding: a measure at the last generation against the first one."""
    name = last.name
    reference = None if zero is None or not zero.count else zero.value
    if not first.count or not last.count:
        return replace(last, reference=reference)
    value, half = change(name, first, last)
    write = MEASURES[name].write if name in MEASURES else number
    real = "" if reference is None else f", and {write(reference)} for real rows never seen"
    said = last.text.rstrip(".") if name in MEASURES else f"{title_of(name)}: {write(last.value)}"
    return replace(
        last,
        reference=reference,
        verdict=judge(name, value, value - half, value + half, tests=len(MEASURES)),
        text=f"{said} at generation {generation}; {write(first.value)} at generation 1{real}.",
        details={
            "first": first.value,
            "change": value if math.isfinite(value) else None,
            "half": half,
            "tolerance": TOLERANCES[name][0],
        },
    )
