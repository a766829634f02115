"""Rules that hold without exception: columns that determine others, and columns in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, islice

import numpy as np

from geurim.analyze.collect import Column
from geurim.columns import is_time
from geurim.contract import Json

PER_GROUP = 5  # rows for each combination of the determining columns, on average
EXPECTED = 25  # contradictions that chance alone would have made; e^-25 is the chance of none
GLANCE = 30  # pairs of like rows looked at first
FIRST = 3_000  # rows that a candidate must get past before all rows are looked at
SINGLES = 300  # the most columns of which all are tried alone
PAIRED = 60  # ... two at a time
SETS = 2_000  # the most sets of three or four
LOOKED = 20_000  # ... of which so many are considered
FEW = 64  # values of a column in a set of three or four
ORDERED = 40  # the most columns compared for order
ORDER_ROWS = 100
ORDER_VALUES = 10  # fewer distinct numbers are codes, whose order is an accident
BREAKS = 0.05  # share of shuffled rows that must break an order for it to say something


@dataclass(frozen=True, kw_only=True, eq=False)
class _Data:
    """Columns as codes (D, N), missing a code of its own; sizes (D,) is the number of codes."""

    names: list[str]
    codes: np.ndarray
    sizes: np.ndarray
    rows: int
    first: np.ndarray  # some rows, spread over the table, to try first


def rules(
    columns: dict[str, Column], roles: dict[str, str], rng: np.random.Generator
) -> tuple[dict[str, Json], ...]:
    """All rules of a profile: what holds in every row, and would not by chance.

    Each has `breaks`: about how many rows (pairs of rows, for `unique`) would have broken it had
    one of its columns been shuffled. At least 25, so a column that had nothing to do with the
    others would have kept it whole with a chance of at most e^-25 = 1.4e-11 (Poisson).
    """
    from geurim.analyze.sums import sums
    from geurim.analyze.unique import rising, unique

    learned = [n for n, role in roles.items() if role in ("number", "datetime", "category")]
    return (
        *determines(columns, learned, rng),
        *orders(columns, roles, rng),
        *sums(columns, roles, rng),
        *unique(columns, learned),
        *rising(columns, roles),
    )


def determines(
    columns: dict[str, Column], names: list[str], rng: np.random.Generator
) -> list[dict[str, Json]]:
    """Functional dependences: `by` gives `column`, no smaller set does, and not by chance.

    A set counts only if its combinations repeat (5 rows each on average), and if each of its
    columns matters: shuffling that column among the rows that agree on the others must break the
    rule in many rows. Up to 4 columns determine; sets of three or four are of columns with few
    values. Checked on the rows analysis kept: all, up to 400,000.
    """
    names = names[:SINGLES]
    if not names:
        return []
    data = _data(columns, names, rng)
    if data.rows < 2 * PER_GROUP:
        return []
    known: dict[int, list[tuple[int, ...]]] = {i: [] for i in range(len(names))}
    evidence: dict[tuple[tuple[int, ...], int], int] = {}
    for by in _candidates(data):
        if any(_follows(known[i], by, i) for i in by):
            continue  # one of them says nothing that the others do not
        targets = [t for t in known if t not in by and not _follows(known[t], by, t)]
        for target in _determined(data, by, targets):
            breaks = _breaks(data, by, target, rng)
            if breaks >= EXPECTED:
                known[target].append(by)
                evidence[by, target] = breaks
    return [
        {
            "kind": "determines",
            "by": [names[i] for i in by],
            "column": names[target],
            "rows": data.rows,
            "breaks": evidence[by, target],
        }
        for target, found in known.items()
        for by in found
    ]


def _data(columns: dict[str, Column], names: list[str], rng: np.random.Generator) -> _Data:
    rows = len(columns[names[0]].sample)
    codes = np.empty((len(names), rows), np.int32)
    sizes = np.empty(len(names), np.int64)
    for place, name in enumerate(names):
        found, values = columns[name].encoded
        sizes[place] = len(values) + 1
        codes[place] = np.where(found < 0, len(values), found)
    first = np.arange(rows) if rows <= FIRST else np.sort(rng.choice(rows, FIRST, replace=False))
    return _Data(names=names, codes=codes, sizes=sizes, rows=rows, first=first)


def _candidates(data: _Data) -> Iterator[tuple[int, ...]]:
    """Sets of columns that may determine another, the small ones first."""
    most = data.rows // PER_GROUP
    able = [int(i) for i in np.flatnonzero((data.sizes <= most + 1) & (data.sizes > 2))]
    yield from ((i,) for i in np.flatnonzero(data.sizes <= most + 1).tolist())
    if len(able) <= PAIRED:
        yield from combinations(able, 2)
    few = [i for i in able if data.sizes[i] <= FEW]
    tried = 0
    for size in (3, 4):
        for by in islice(combinations(few, size), LOOKED):
            if np.prod(data.sizes[list(by)] - 1.0) <= most:
                tried += 1
                if tried > SETS:
                    return
                yield by


def _follows(found: list[tuple[int, ...]], by: tuple[int, ...], column: int) -> bool:
    """Whether a set already found to determine `column` lies within `by`, without itself."""
    return any(column not in f and set(f) <= set(by) for f in found)


def _determined(data: _Data, by: tuple[int, ...], targets: list[int]) -> list[int]:
    """Those of `targets` that `by` determines in every row, if its combinations repeat enough."""
    if not targets:
        return []
    groups = _groups(data, by, data.first)
    order = np.argsort(groups, kind="stable")
    again = groups[order[1:]] == groups[order[:-1]]
    left, right = data.first[order[:-1][again]], data.first[order[1:][again]]
    for looked in (slice(0, GLANCE), slice(GLANCE, None)):  # most sets fail at a glance
        a, b = left[looked], right[looked]
        targets = [t for t in targets if (data.codes[t][a] == data.codes[t][b]).all()]
        if not targets:
            return []
    someone, count = _representatives(_groups(data, by))
    if count * PER_GROUP > data.rows:
        return []
    return [t for t in targets if (data.codes[t] == data.codes[t][someone]).all()]


def _representatives(groups: np.ndarray) -> tuple[np.ndarray, int]:
    """For each row (N,) one row of its group, the same for the whole group; how many groups."""
    space = int(groups.max()) + 1
    if space > 4 * len(groups) + 1_000_000:
        _, groups = np.unique(groups, return_inverse=True)
        space = int(groups.max()) + 1
    someone = np.full(space, -1, np.int64)
    someone[groups] = np.arange(len(groups))
    return someone[groups], int((someone >= 0).sum())


def _breaks(data: _Data, by: tuple[int, ...], target: int, rng: np.random.Generator) -> int:
    """In how many rows a column of `by`, shuffled among like rows, breaks the rule; of the least.

    Where a shuffled column would break it in E rows, a column that had nothing to do with the
    target would leave the rule whole with a chance of about exp(-E).
    """
    values = data.codes[target]
    least = data.rows
    for column in by:
        others = tuple(i for i in by if i != column)
        like = _groups(data, others)
        shuffled = data.codes[column].copy()
        draws = rng.permutation(data.rows)
        if others:
            mixed = draws[np.argsort(like[draws], kind="stable")]
            shuffled[np.argsort(like, kind="stable")] = data.codes[column][mixed]
        else:
            shuffled = shuffled[draws]
        groups = like * data.sizes[column] + shuffled
        someone, _ = _representatives(groups)
        least = min(least, int((values != values[someone]).sum()))
        if least < EXPECTED:
            break
    return least


def _groups(data: _Data, by: tuple[int, ...], rows: np.ndarray | None = None) -> np.ndarray:
    """One number for each combination of the columns' codes, for all rows or some."""
    found = np.zeros(data.rows if rows is None else len(rows), np.int64)
    for i in by:  # four columns of fewer than 2**15 values, or two of 2**31: no overflow
        found = found * data.sizes[i] + (data.codes[i] if rows is None else data.codes[i, rows])
    return found


def orders(
    columns: dict[str, Column], roles: dict[str, str], rng: np.random.Generator
) -> list[dict[str, Json]]:
    """Pairs of which one is never greater than the other, though their ranges overlap.

    Both are numbers or both are times, and if one were shuffled, at least 5% of the rows would
    break the order: that an age lies below an income in dollars says nothing.
    """
    varied = [n for n in columns if columns[n].ordered and columns[n].distinct > ORDER_VALUES]
    numbers = [n for n in varied if roles[n] == "number"][:ORDERED]
    times = [n for n in varied if roles[n] == "datetime"][:ORDERED]
    found = []
    for names in (numbers, times):
        for one, other in combinations(names, 2):
            if columns[one].sample.type != columns[other].sample.type and is_time(
                columns[one].sample.type
            ):
                continue
            for low, high in ((one, other), (other, one)):
                breaks = _in_order(columns[low].axis, columns[high].axis, rng)
                if breaks:
                    found.append({"kind": "order", "low": low, "high": high, "breaks": breaks})
    return found


def _in_order(low: np.ndarray, high: np.ndarray, rng: np.random.Generator) -> int:
    """How many shuffled rows would break the order; 0 where it does not hold, or says nothing."""
    if (low[:FIRST] > high[:FIRST]).any():  # false where one is missing
        return 0
    if (low > high).any():
        return 0
    both = ~(np.isnan(low) | np.isnan(high))
    count = int(both.sum())
    if count < ORDER_ROWS or (low[both] == high[both]).all():
        return 0
    shuffled = rng.permutation(high[both])
    breaks = int((low[both] > shuffled).sum())
    return breaks if breaks >= max(BREAKS * count, EXPECTED) else 0
