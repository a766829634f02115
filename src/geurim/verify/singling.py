"""Singling out: do the synthetic rows say what one real person alone has?

The attack of Anonymeter (Giomi et al., PoPETs 2023); `attacks` says how it is judged.
"""

from __future__ import annotations

import numpy as np

from geurim.contract import Finding
from geurim.verify.attacks import GUESSES, LEAST, Tries, finding_of, lacking, refused, values_of
from geurim.verify.compare import Column, Comparison, Rows
from geurim.verify.neighbours import learned

ATTEMPTS = 8  # combinations tried for each guess that is wanted
KNOWN = 4  # columns that a guess by several columns names
FEW = 5_000  # rows that a guess by several columns is tried on first


def singling_out(c: Comparison) -> list[Finding]:
    """Guesses "exactly one person has …", made from the synthetic rows: of one and of 4 columns.

    As published, with one difference: as many training rows as rows held out are searched, where
    the paper corrects for unequal numbers.
    """
    columns = learned(c)
    rows = min(c.training.count, c.holdout.count)
    why = lacking(c, rows, 1)
    if why:
        return [refused(name, why) for name in ("singling_out_one", "singling_out_several")]
    tables = c.training.first(rows), c.holdout.first(rows)
    return [
        _singled(c, name, make(c.released, columns, min(GUESSES, rows), c.rng), known, tables)
        for name, make, known in (
            ("singling_out_one", _by_one, 1),
            ("singling_out_several", _by_several, KNOWN),
        )
    ]


Guess = tuple[tuple[Column, str, float], ...]
"""All of these hold: the column's value is ("equal", "least", "most") this one, or "missing"."""


def _singled(
    c: Comparison, name: str, guesses: list[Guess], known: int, tables: tuple[Rows, Rows]
) -> Finding:
    if len(guesses) < LEAST:
        return refused(name, f"the synthetic rows give only {len(guesses)} guesses to try")
    blind = _blind(c.released, learned(c), known, len(guesses), c.rng)
    tried = ((tables[0], guesses), (tables[1], guesses), (tables[0], blind))
    tries = Tries.of(*(np.array([_matches(t, g) == 1 for g in made]) for t, made in tried))
    by = "one column" if known == 1 else f"{min(known, len(learned(c)))} columns"
    return finding_of(
        name,
        tries,
        f"Of guesses by {by} that one row alone fits, so many were right: "
        "{} in the training rows, {} in real rows never seen, {} by guessing blindly.",
    )


def _matches(rows: Rows, guess: Guess) -> int:
    """How many rows the guess fits."""
    places: np.ndarray | None = None
    for column, how, value in guess:
        values = values_of(rows, column)
        if places is not None:
            values = values[places]
        if how == "equal":
            fits = values == value
        elif how == "missing":
            fits = np.isnan(values)
        else:
            fits = values >= value if how == "least" else values <= value
        places = np.flatnonzero(fits) if places is None else places[fits]
        if not len(places):
            return 0
    assert places is not None
    return len(places)


def _by_one(rows: Rows, columns: list[Column], count: int, rng: np.random.Generator) -> list[Guess]:
    """Values that one synthetic row has, and the ends of each column."""
    single: list[tuple[Column, np.ndarray]] = []
    guesses: list[Guess] = []
    for column in columns:
        values = values_of(rows, column)
        kept, counts = np.unique(values, return_counts=True)  # all NaNs are one value
        kept = kept[counts == 1]
        if column.kind == "axis":
            if np.isnan(kept).any():
                guesses.append(((column, "missing", 0.0),))
            kept = kept[~np.isnan(kept)]
            if not np.isnan(values).all():
                guesses.append(((column, "most", float(np.nanmin(values))),))
                guesses.append(((column, "least", float(np.nanmax(values))),))
        single.append((column, kept))
    ends = np.cumsum([len(v) for _, v in single])
    for at in rng.permutation(int(ends[-1]))[: max(0, count - len(guesses))]:
        which = int(np.searchsorted(ends, at, side="right"))
        column, kept = single[which]
        guesses.append(((column, "equal", float(kept[at - ends[which]])),))
    return guesses


def _by_several(
    rows: Rows, columns: list[Column], count: int, rng: np.random.Generator
) -> list[Guess]:
    """A synthetic row's values in a few columns by lot, where no other synthetic row fits them.

    A number is "at least" or "at most" the row's own, away from the median.
    """
    known = min(KNOWN, len(columns))
    if known < 2:
        return []
    middle = {x.name: _median(rows.axis[x.name]) for x in columns if x.kind == "axis"}
    guesses: dict[tuple[tuple[str, str, float], ...], Guess] = {}
    few = rows.first(FEW)
    places = rng.integers(rows.count, size=ATTEMPTS * count)
    order = rng.random((len(places), len(columns))).argsort(axis=1)
    for at, chosen in zip(places, np.sort(order[:, :known], axis=1), strict=True):
        guess = tuple(_part(columns[i], values_of(rows, columns[i])[at], middle) for i in chosen)
        key = tuple((x.name, how, value) for x, how, value in guess)
        if key in guesses or _matches(few, guess) > 1:  # most guesses fail on few rows already
            continue
        if _matches(rows, guess) == 1:
            guesses[key] = guess
        if len(guesses) == count:
            break
    return list(guesses.values())


def _part(column: Column, value: float, middle: dict[str, float]) -> tuple[Column, str, float]:
    if column.kind == "codes":
        return column, "equal", float(value)
    if np.isnan(value):
        return column, "missing", 0.0
    return column, "least" if value > middle[column.name] else "most", float(value)


def _median(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else 0.0


def _blind(
    rows: Rows, columns: list[Column], known: int, count: int, rng: np.random.Generator
) -> list[Guess]:
    """Guesses by lot that know only each column's range or categories."""
    ends: list[tuple[float, float]] = []
    for column in columns:
        values = values_of(rows, column)
        values = values[np.isfinite(values)]
        ends.append((float(values.min()), float(values.max())) if len(values) else (0.0, 0.0))
    out: list[Guess] = []
    for _ in range(count):
        guess = []
        for i in rng.choice(len(columns), min(known, len(columns)), replace=False):
            low, high = ends[i]
            if columns[i].kind == "codes":
                guess.append((columns[i], "equal", float(rng.integers(int(low), int(high) + 1))))
            else:
                how = ("equal", "least", "most")[rng.integers(3)]
                guess.append((columns[i], how, low + float(rng.random()) * (high - low)))
        out.append(tuple(guess))
    return out
