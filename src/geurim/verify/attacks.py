"""What could an attacker do with the synthetic rows? Linkability and inference; and singling out,
which stands in `singling`.

The three attacks of Anonymeter: Giomi, Boenisch, Wehmeyer & Tasnádi, "A Unified Framework for
Quantifying Privacy Risk in Synthetic Data", PoPETs 2023; the three risks are those of the Article
29 Working Party (Opinion 05/2014). Each is tried on training rows and, as a control, on rows held
out: what succeeds on both was learned of people in general, not of single ones. The risk is what
the control leaves: (attack - control) / (1 - control). A figure for guessing stands beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from geurim.contract import Finding, Json
from geurim.html import percent
from geurim.verify import stats
from geurim.verify.compare import Column, Comparison, Rows
from geurim.verify.neighbours import SCALED, Points, affordable, distances, gap, learned, points
from geurim.verify.verdict import judge, not_judged

GUESSES = 2_000  # guesses of one attack, at most
SYNTHETIC = 50_000  # synthetic rows that secrets are looked up among
WORK = 4_000_000_000  # values compared in one search
LEAST = 20
WITHIN = 0.05  # a guessed number counts if no more than this share of values lies between


@dataclass(frozen=True, kw_only=True)
class Tries:
    """How often an attack succeeded on training rows, and on rows held out."""

    hits: float
    count: int
    control_hits: float
    control_count: int
    guessing: float  # the rate of success without the synthetic rows

    @classmethod
    def of(cls, attack: np.ndarray, control: np.ndarray, guess: np.ndarray) -> Tries:
        """From which tries (N,) succeeded, each 0 to 1."""
        return cls(
            hits=float(attack.sum()),
            count=len(attack),
            control_hits=float(control.sum()),
            control_count=len(control),
            guessing=float(guess.mean()),
        )

    @property
    def rates(self) -> tuple[float, float]:
        return self.hits / max(self.count, 1), self.control_hits / max(self.control_count, 1)

    def risk(self) -> tuple[float, float, float]:
        """The risk and its interval, from the middles and halves of Wilson's intervals."""
        (attack, a), (control, b) = (
            ((low + high) / 2, (high - low) / 2)
            for low, high in (
                stats.wilson(self.hits, self.count),
                stats.wilson(self.control_hits, self.control_count),
            )
        )
        left = 1 - control
        value = (attack - control) / left
        half = math.hypot(a / left, b * (1 - attack) / left**2)
        return value, max(-1.0, value - half), min(1.0, value + half)


def values_of(rows: Rows, column: Column) -> np.ndarray:
    """The column's values on its axis, or its codes; (N,)."""
    return rows.axis[column.name] if column.kind == "axis" else rows.codes[column.name]


def linkability(c: Comparison) -> list[Finding]:
    """Do the synthetic rows tell which two halves of a row, known apart, belong together?

    A row is linked if a synthetic row is nearest to it in both halves of its columns. All rows at
    the same least distance are nearest, where the paper takes the first k. The halves hold columns
    that tell as much: they are dealt out by turns, those of most values first.
    """
    rows = min(c.training.count, c.holdout.count)
    why = lacking(c, rows, 2)
    if why:
        return [refused("linkability", why)]
    training, holdout, synthetic = points(c)
    halves = _halves(training)
    rows = min(GUESSES, rows, affordable(training, synthetic, WORK))
    linked, chance = _linked(training.first(rows), synthetic, halves)
    control, _ = _linked(holdout.first(rows), synthetic, halves)
    tries = Tries.of(linked, control, chance)
    names = [x.name for x in learned(c)]
    details = {"halves": [[names[i] for i in half] for half in halves]}
    return [
        finding_of(
            "linkability",
            tries,
            "If half of someone's columns are known from one place and half from another, the "
            "synthetic rows link the two for {} of the training rows, {} of real rows never seen, "
            "{} by guessing.",
            details=details,
        )
    ]


def _halves(training: Points) -> tuple[list[int], list[int]]:
    values = training.first(20_000).values
    order = np.argsort([-len(np.unique(v)) for v in values], kind="stable").tolist()
    return order[::2], order[1::2]


def _linked(
    rows: Points, synthetic: Points, halves: tuple[list[int], list[int]]
) -> tuple[np.ndarray, np.ndarray]:
    """Which rows are linked (N,), and the chances that sets as large by lot share a row (N,)."""
    linked, chance = np.zeros(rows.count, bool), np.zeros(rows.count)
    first, second = (distances(rows.of(h), synthetic.of(h)) for h in halves)
    for (part, one), (_, other) in zip(first, second, strict=True):
        a, b = one == one.min(axis=1)[:, None], other == other.min(axis=1)[:, None]
        chance[part] = -np.expm1(-a.sum(axis=1) * (b.sum(axis=1) / synthetic.count))
        linked[part] = np.logical_and(a, b, out=a).any(axis=1)
    return linked, chance


def inference(c: Comparison) -> list[Finding]:
    """Does the synthetic row nearest to someone in all other columns have the same secret?

    Each column is the secret once; the first finding is the mean of all, and columns that are
    surely at risk follow. A number counts as guessed if no more than 5% of the real values lie
    between guess and truth, where the paper takes 5% of the value. Guessing takes the secret of
    any synthetic row.
    """
    rows = min(c.training.count, c.holdout.count)
    why = lacking(c, rows, 2)
    if why:
        return [refused("inference", why)]
    columns = learned(c)
    training, holdout, synthetic = points(c)
    synthetic = synthetic.first(SYNTHETIC)
    rows = min(GUESSES, rows, affordable(training, synthetic, WORK / 2))
    places = [_nearest_without(p.first(rows), synthetic) for p in (training, holdout)]
    lot = c.rng.integers(synthetic.count, size=(len(columns), rows))
    tables = (c.training.first(rows), c.holdout.first(rows), c.training.first(rows))
    right = [
        np.stack([_right(c, x, t, at) for x, at in zip(columns, places, strict=True)])
        for t, places in zip(tables, (*places, lot), strict=True)
    ]
    each = [Tries.of(*(side[i] for side in right)) for i in range(len(columns))]
    # A row's guesses are one try, of which so many are right: that errs on the side of caution.
    pooled = Tries.of(*(side.mean(axis=0) for side in right))
    risks = {x.name: [round(v, 5) for v in t.risk()] for x, t in zip(columns, each, strict=True)}
    what = (
        "Someone's value in {} is guessed from all their others by the nearest synthetic row: "
        "right for {{}} of the training rows, {{}} of real rows never seen, {{}} by guessing."
    )
    out = [finding_of("inference", pooled, what.format("a column"), details={"risks": risks})]
    for column, tries in zip(columns, each, strict=True):
        names, tests = (column.name,), len(columns)
        own = finding_of("inference", tries, what.format("this column"), names, tests=tests)
        out += [own] if own.verdict in ("warn", "fail") else []
    return out


def _nearest_without(rows: Points, synthetic: Points) -> np.ndarray:
    """Places (C, N) of the synthetic row nearest in all columns but one, for each column."""
    place = np.zeros((len(rows.same), rows.count), np.int64)
    for part, total in distances(rows, synthetic):
        one, equal = np.empty_like(total), np.empty(total.shape, bool)
        for column in range(len(rows.same)):
            gap(rows, synthetic, column, part, one, equal)
            place[column, part] = np.subtract(total, one, out=one).argmin(axis=1)
    return place


def _right(c: Comparison, column: Column, rows: Rows, place: np.ndarray) -> np.ndarray:
    """Whether the values of these synthetic rows are those of `rows`, (N,) bool."""
    truth, guess = values_of(rows, column), values_of(c.released, column)[place]
    right: np.ndarray
    if column.kind == "codes":
        right = truth == guess
        return right
    known = np.concatenate([values_of(r, column)[:SCALED] for r in (c.training, c.holdout)])
    known = np.sort(known[~np.isnan(known)])
    ranks = [
        np.searchsorted(known, v, side="left") + np.searchsorted(known, v, side="right")
        for v in (truth, guess)
    ]
    near = np.abs(ranks[0] - ranks[1]) <= 2 * WITHIN * len(known)
    lost = np.isnan(truth), np.isnan(guess)
    right = np.where(lost[0] | lost[1], lost[0] & lost[1], near)
    return right


def lacking(c: Comparison, rows: int, columns: int) -> str:
    """Why an attack cannot be tried; "" where it can."""
    if not c.held_out:
        return "its control needs rows that the generator never saw: give a holdout"
    if len(learned(c)) < columns:
        return f"it needs {columns} columns that are learned"
    if min(rows, c.released.count) < LEAST:
        return f"it needs {LEAST} rows of each table"
    return ""


def refused(name: str, why: str) -> Finding:
    return not_judged("private", name, f"This attack cannot be tried: {why}.")


def finding_of(
    name: str,
    tries: Tries,
    what: str,
    columns: tuple[str, ...] = (),
    *,
    tests: int = 1,
    details: dict[str, Json] | None = None,
) -> Finding:
    value, low, high = tries.risk()
    attack, control = tries.rates
    weak = " The attack does no better than guessing." if attack <= tries.guessing else ""
    return Finding(
        question="private",
        name=name,
        value=value,
        low=low,
        high=high,
        reference=0.0,
        count=tries.count,
        verdict=judge(name, value, low, high, tests=tests),
        text=what.format(*(percent(x) for x in (attack, control, tries.guessing)))
        + f" Risk {percent(max(value, 0.0))}.{weak}",
        columns=columns,
        details={
            "attack": attack,
            "control": control,
            "guessing": tries.guessing,
            **(details or {}),
        },
    )
