"""What a column's values look like, with no one's own value in it.

Nothing that fewer than `k` rows hold is shown: rare categories are pooled, bounds are rounded
outwards, and each inner quantile is the mean of k neighbouring values.
"""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.analyze.collect import Column, to_strings
from geurim.columns import is_time
from geurim.contract import Json

STEPS_US = (86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000, 1_000, 1)
_TIME_UNITS = (
    *(1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6, 10e6, 60e6, 600e6, 3600e6),
    *(86_400e6 * 10**i for i in range(12)),
)
DISCRETE = 32  # with so few distinct numbers, each one is a mass point
LISTED = 200  # the most mass points named
SHARE = 0.0005  # the least share of a mass point


def rounded_count(count: int) -> int:
    """A count to two digits above 1,000: 28,523 becomes 29,000."""
    if count <= 1000:
        return count
    unit = 10 ** (len(str(count)) - 2)
    return int(round(count / unit) * unit)


def bounds(column: Column, k: int, unit: float = 0.0) -> tuple[float, float]:
    """The least and greatest value, rounded outwards to two digits of the range.

    A bound held by at least k rows is nobody's own and stays as it is. Rounding stops at 0 on the
    way down from positive numbers (and up from negative ones), so that amounts stay amounts.
    """
    values, counts = column.points
    low, high = column.low, column.high
    top = float(np.finfo(np.float64).max)
    size = min(high - low, top) or abs(high) or 1.0
    grid = max(10.0 ** (math.floor(math.log10(size)) - 1), unit)
    if is_time(column.sample.type):
        grid = next(u for u in _TIME_UNITS if u >= grid / 2 and u >= unit)
    held = {} if not len(values) else {float(values[0]): counts[0], float(values[-1]): counts[-1]}
    with np.errstate(over="ignore"):
        below, above = low, high
        if held.get(low, 0) < k:
            below = _outwards(low, grid, -1)
            below = 0.0 if low >= 0 > below else below
        if held.get(high, 0) < k:
            above = _outwards(high, grid, 1)
            above = 0.0 if high <= 0 < above else above
    return float(max(below, -top)), float(min(above, top))


def _outwards(value: float, grid: float, sign: int) -> float:
    """The next multiple of `grid` strictly beyond `value`."""
    place = math.floor(value / grid) if sign < 0 else math.ceil(value / grid)
    edge = _clean(place * grid, grid)
    while edge * sign <= value * sign:
        place += sign * max(1, abs(place) // 2**52)
        edge = _clean(place * grid, grid)
    return edge


def _clean(value: float, grid: float) -> float:
    """The value to the grid's own decimals: 0.30000000000000004 becomes 0.3."""
    return round(value, max(0, -math.floor(math.log10(grid)) + 1)) if grid < 1e15 else value


def decimals(values: np.ndarray, kind: pa.DataType) -> int | None:
    """The most decimal places that any of `values` shows; None above 8."""
    if pa.types.is_float32(kind) or pa.types.is_float16(kind):
        values = values.astype(np.float32)
    first = values[:: max(1, len(values) // 2000)]
    for places in range(9):
        if (np.round(first, places) == first).all() and (np.round(values, places) == values).all():
            return places
    return None


def step_us(values: np.ndarray) -> int:
    """The largest of day, hour, minute, second… that divides every time."""
    first = values[:: max(1, len(values) // 2000)]
    for step in STEPS_US:
        if not (first % step).any() and not (values % step).any():
            return step
    return 1


def quantiles(values: np.ndarray, low: float, high: float, k: int) -> np.ndarray:
    """101 quantiles (101,) of the ascending `values`; each inner one the mean of k neighbours."""
    n = len(values)
    if n < k:
        place = np.arange(101) / 100
        return np.asarray(low * (1 - place) + high * place)
    middle = np.linspace(0, n - 1, 101)[1:-1]
    starts = np.clip(np.rint(middle - (k - 1) / 2), 0, n - k).astype(np.int64)
    window = values[starts[:, None] + np.arange(k)[None, :]]
    # Means of equal values must not drift off them in the last bit: measure from the first one.
    inner = window[:, 0] + (window - window[:, :1]).mean(axis=1)
    return np.concatenate(([low], np.clip(inner, low, high), [high]))


def mass_points(column: Column, k: int) -> list[list[float]]:
    """Values that hold at least k rows and five times the median of their neighbours."""
    values, counts = column.points
    total = counts.sum()
    if not len(values):
        return []
    enough = counts >= k
    if len(values) > DISCRETE:
        near = np.stack([np.roll(counts, s) for s in (-3, -2, -1, 1, 2, 3)])
        enough &= (counts >= 5 * np.median(near, axis=0)) & (counts >= SHARE * total)
    places = np.flatnonzero(enough)
    places = np.sort(places[np.argsort(-counts[places], kind="stable")[:LISTED]])
    return [[float(values[i]), float(counts[i] / total)] for i in places]


def describe_numbers(column: Column, k: int) -> dict[str, Json]:
    """The keys of `number` and `datetime` in docs/profile.md."""
    time = is_time(column.sample.type)
    values = column.sorted
    unit = 1.0 if column.whole else 0.0
    places: int | None = 0
    if time:
        unit = float(step_us(values))
    elif not column.whole:
        places = decimals(values, column.sample.type)
        unit = 0.0 if places is None else 10.0**-places
    low, high = bounds(column, k, unit)
    shown = quantiles(values, low, high, k)
    few = len(values) < k
    mean, std = column.mean, column.std
    if few or not math.isfinite(std):  # squares beyond float64 are scaled first
        of, scale = shown if few else values, max(abs(low), abs(high)) or 1.0
        mean, std = float((of / scale).mean() * scale), float((of / scale).std() * scale)
    found: dict[str, Json] = {
        "min": low,
        "max": high,
        "quantiles": [float(v) for v in shown],
        "mean": mean,
        "std": std,
        "integer": bool(column.whole),
        "decimals": places,
        "repeated": mass_points(column, k),
    }
    return found | ({"step": int(unit)} if time else {})


def describe_categories(column: Column, k: int) -> dict[str, Json]:
    """The keys of `category` and `constant` in docs/profile.md."""
    values, counts = column.counts
    total = max(int(counts.sum()), 1)
    if column.ordered:  # a constant number or time: as a string that casts back
        values = to_strings(column.sample.drop_null().slice(0, 1))
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] >= k]
    names = values.take(pa.array(order)).to_pylist()
    pooled = int(counts[counts < k].sum())
    return {
        "categories": [
            [name, float(counts[i] / total)] for name, i in zip(names, order, strict=True)
        ],
        "pooled": {"count": pooled, "share": pooled / total},
    }


def describe_text(column: Column) -> dict[str, Json]:
    """Lengths in characters and words: quantiles rounded to two digits, since text is personal."""
    texts = column.sample.drop_null()
    lengths = pc.utf8_length(texts).to_numpy(zero_copy_only=False)
    spaces = pc.count_substring_regex(texts, r"\s+").to_numpy(zero_copy_only=False)
    return {
        "length_quantiles": _rounded_quantiles(lengths),
        "words_quantiles": _rounded_quantiles(spaces + 1),
    }


def _rounded_quantiles(values: np.ndarray) -> list[int]:
    shown = np.quantile(values, np.linspace(0, 1, 11))
    shown[-1] = max(shown[-2], np.quantile(values, 0.99))  # the longest text is someone's own
    return [int(float(f"{v:.2g}")) for v in shown]
