"""Unusual people: do combinations of values that one training row alone has come out again?

A row that is unique on a few quasi-identifiers has no crowd to hide in (k-anonymity with k = 1,
Sweeney 2002). Rows unique among all real rows, training and held out together, are training rows
or not by the toss of a coin, so the share of them that comes back should be the same on both sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from geurim.contract import Finding
from geurim.errors import SettingError
from geurim.html import percent
from geurim.verify import stats
from geurim.verify.compare import Column, Comparison, Rows
from geurim.verify.neighbours import learned
from geurim.verify.verdict import judge, not_judged

NAME = "unique_combinations"
WAYS = 3  # columns in a combination, at most
COLUMNS = 8  # quasi-identifiers by themselves: 92 combinations
LEVELS = 100  # values of a column that may be one
MOST_CELLS = 2_000_000  # combinations that are counted in a table of all of them
LEAST = 20  # unique rows on each side


@dataclass(frozen=True, kw_only=True)
class Levels:
    """A quasi-identifier: each row's level by table, (N,) int64 from 0 to `count` - 1."""

    name: str
    count: int
    training: np.ndarray
    holdout: np.ndarray
    synthetic: np.ndarray


def unusual(c: Comparison, quasi_identifiers: Sequence[str] = ()) -> list[Finding]:
    """Of rows unique on up to 3 columns, how many come back, beside the holdout's own share.

    `quasi_identifiers`: columns that an outsider may know; by default the (at most 8) columns of
    most values among those of at most 100 values, without the target. Raises SettingError where one
    is not a learned column.
    """
    columns = _columns(c, quasi_identifiers)
    why = "" if c.held_out else "rows that the generator never saw are needed: give a holdout"
    if not columns:
        why = why or f"no column has 2 to {LEVELS} values"
    if why:
        return [not_judged("private", NAME, f"Unusual rows cannot be looked for: {why}.")]
    back = {t: np.zeros(r.count) for t, r in (("training", c.training), ("holdout", c.holdout))}
    unique = {t: np.zeros(len(b)) for t, b in back.items()}
    worst: list[tuple[int, list[str]]] = []
    for chosen in _chosen(columns):
        alone, returned = _unique(chosen)
        for table in back:
            unique[table] += alone[table]
            back[table] += returned[table]
        worst.append((int(returned["training"].sum()), [x.name for x in chosen]))
    worst.sort(key=lambda w: -w[0])
    return [_finding(columns, back, unique, worst)]


def _columns(c: Comparison, told: Sequence[str]) -> list[Levels]:
    candidates = {x.name: x for x in learned(c)}
    for name in told:
        if name not in candidates:
            raise SettingError(
                f"The quasi-identifier {name!r} is not a learned column. "
                f"Choose among: {', '.join(map(repr, candidates))}."
            )
    if told:
        return [_levels(c, candidates[n]) for n in told]
    few = [_levels(c, x) for x in candidates.values() if x.name != c.target and _is_few(c, x)]
    most = sorted(few, key=lambda x: -x.count)[:COLUMNS]
    return [x for x in few if x in most]


def _is_few(c: Comparison, column: Column) -> bool:
    if column.kind == "codes":
        return 2 <= column.known <= LEVELS
    values = c.training.axis[column.name]
    return 2 <= len(np.unique(values[~np.isnan(values)])) <= LEVELS


def _levels(c: Comparison, column: Column) -> Levels:
    tables = (c.training, c.holdout, c.released)

    def values(rows: Rows) -> np.ndarray:
        return rows.axis[column.name] if column.kind == "axis" else rows.codes[column.name]

    known, place = np.unique(np.concatenate([values(t) for t in tables]), return_inverse=True)
    training, holdout, synthetic = np.split(
        place, np.cumsum([t.count for t in tables])[:-1].tolist()
    )
    return Levels(
        name=column.name,
        count=len(known),
        training=training,
        holdout=holdout,
        synthetic=synthetic,
    )


def _chosen(columns: list[Levels]) -> Iterator[tuple[Levels, ...]]:
    for ways in range(1, min(WAYS, len(columns)) + 1):
        yield from combinations(columns, ways)


def _unique(
    chosen: tuple[Levels, ...],
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """By table: which rows are unique among the real ones, and which of them come back; (N,)."""
    shape = tuple(x.count for x in chosen)
    training, holdout, synthetic = (
        np.ravel_multi_index(tuple(getattr(x, t) for x in chosen), shape)
        for t in ("training", "holdout", "synthetic")
    )
    cells = int(np.prod(shape, dtype=float))
    if cells > MOST_CELLS:  # too many to count one by one: number those that occur
        _, place = np.unique(np.concatenate([training, holdout, synthetic]), return_inverse=True)
        cuts = np.cumsum([len(training), len(holdout)]).tolist()
        training, holdout, synthetic = np.split(place, cuts)
        cells = int(place.max()) + 1
    counts = np.bincount(training, minlength=cells) + np.bincount(holdout, minlength=cells)
    made = np.zeros(cells, bool)
    made[synthetic] = True
    alone = {"training": counts[training] == 1, "holdout": counts[holdout] == 1}
    returned = {
        "training": alone["training"] & made[training],
        "holdout": alone["holdout"] & made[holdout],
    }
    return alone, returned


def _finding(
    columns: list[Levels],
    back: dict[str, np.ndarray],
    unique: dict[str, np.ndarray],
    worst: list[tuple[int, list[str]]],
) -> Finding:
    rows = {t: int((u > 0).sum()) for t, u in unique.items()}
    if min(rows.values()) < LEAST:
        return not_judged(
            "private",
            NAME,
            f"Only {rows['training']:,} training rows and {rows['holdout']:,} rows never seen are "
            f"unique on up to {WAYS} columns: too few to tell whether unusual rows come back.",
        )
    (value, error), (reference, other) = (
        _ratio(back[t], unique[t]) for t in ("training", "holdout")
    )
    half, gap = stats.Z * error, stats.Z * float(np.hypot(error, other))
    excess = value - reference
    return Finding(
        question="private",
        name=NAME,
        value=value,
        low=max(0.0, value - half),
        high=min(1.0, value + half),
        reference=reference,
        count=rows["training"],
        verdict=judge(NAME, excess, excess - gap, excess + gap),
        text=f"{rows['training']:,} training rows are the only ones with some combination of up to "
        f"{WAYS} of {len(columns)} columns. {percent(value)} of these combinations come back in "
        f"the synthetic rows, {percent(reference)} of those of real rows never seen.",
        columns=tuple(x.name for x in columns),
        details={"most_returned": [[n, names] for n, names in worst[:10] if n]},
    )


def _ratio(back: np.ndarray, unique: np.ndarray) -> tuple[float, float]:
    """Combinations that come back by unique ones, and its standard error; a row is one unit."""
    total = unique.sum()
    value = float(back.sum() / total)
    error = float(np.sqrt(((back - value * unique) ** 2).sum()) / total)
    return value, max(error, 0.5 / len(np.flatnonzero(unique)))
