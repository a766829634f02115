"""Equalized odds: does a model that learned synthetic rows err on some groups more than on others?

True and false positive rates by group (Hardt, Price & Srebro 2016) of models trained on synthetic
rows, against those of models trained on real rows, all tested on the same real rows held out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from geurim.contract import Finding, Json
from geurim.html import percent
from geurim.verify import stats
from geurim.verify.classifier import Design, probabilities, train
from geurim.verify.compare import Column, Comparison, Rows
from geurim.verify.groups import (
    LEAST,
    Groups,
    Outcome,
    all_groups,
    kept_groups,
    outcomes,
    too_few,
)
from geurim.verify.verdict import LEVEL, judge, not_judged

MODELS = 8  # trained on each side, on disjoint rows: their spread is the error of training
LEARNED = 24_000  # rows that the models of a side learn from, together
TESTED = 20_000
FEWEST = 100  # rows that one model learns from


def chances(design: Design, rows: Rows, label: np.ndarray, test: Rows, seed: int) -> np.ndarray:
    """How likely a model of `label` (N,) 0 or 1 holds a yes for each test row, (T,)."""
    if len(np.unique(label)) < 2:
        return np.full(test.count, float(label[0]))
    model = train(design, design(rows), label, seed)
    return probabilities(model, design(test), 2)[:, 1]


def most_likely(chance: np.ndarray, share: float) -> np.ndarray:
    """The `share` of the rows (T,) bool that is likeliest, ties by lot.

    As many as that, so that groups are compared at one rate and not at whatever threshold.
    """
    lot = np.random.default_rng(len(chance)).random(len(chance))
    said = np.zeros(len(chance), bool)
    said[np.lexsort((lot, -chance))[: round(share * len(chance))]] = True
    return said


def odds_gap(c: Comparison) -> list[Finding]:
    """How much wider a model's errors differ between groups when it learned synthetic rows."""
    if not c.sensitive:
        return []
    if c.target is None:
        return [not_judged("fair", "odds_gap", "Not judged: name a target, the outcome.")]
    column = next(x for x in c.columns if x.name == c.target)
    inputs = [x for x in c.of("axis", "codes") if x.name != c.target]
    by_column = all_groups(c)
    wanted = outcomes(column, c.training)
    outcome = _widest(by_column[0], wanted, c.training) if wanted else None
    guesses = None if outcome is None else _guesses(c, inputs, outcome)
    if outcome is None or guesses is None:
        return [
            not_judged(
                "fair",
                "odds_gap",
                f"Not judged: too few rows to train {MODELS // 2} models on each side.",
            )
        ]
    return [_odds_gap(c, groups, outcome, *guesses) for groups in by_column]


def _widest(groups: Groups, wanted: list[Outcome], training: Rows) -> Outcome:
    """The outcome in which the groups differ most among the real rows."""

    def spread(outcome: Outcome) -> float:
        mark = outcome.of(training)
        rows = groups.counts(training, ~np.isnan(mark))
        rate = groups.counts(training, mark == 1)[rows >= LEAST] / rows[rows >= LEAST]
        return float(np.ptp(rate)) if len(rate) else 0.0

    return max(wanted, key=spread)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Said:
    """What models of one side say of the test rows, together and without each in turn."""

    whole: np.ndarray  # (T,) bool, by the mean of all models' chances
    without: np.ndarray  # (M, T) bool: the jackknife's

    @classmethod
    def of(cls, chance: np.ndarray, share: float) -> _Said:
        total, models = chance.sum(axis=0), len(chance)
        left = [most_likely((total - one) / (models - 1), share) for one in chance]
        return cls(whole=most_likely(total / models, share), without=np.stack(left))

    def gap(self, own: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """The share of a yes among `own` less that among `rest`: whole, then without, (1 + M,)."""
        all_said = np.concatenate([self.whole[None], self.without])
        gap: np.ndarray = all_said[:, own].mean(axis=1) - all_said[:, rest].mean(axis=1)
        return gap


def _guesses(
    c: Comparison, inputs: list[Column], outcome: Outcome
) -> tuple[Rows, np.ndarray, _Said, _Said] | None:
    """Test rows, their truth (T,), and what models of real and of synthetic rows say."""
    sets = []
    for table in (c.training, c.synthetic, c.holdout):
        mark = outcome.of(table)
        known = np.flatnonzero(~np.isnan(mark))
        sets.append((table.take(known), mark[known].astype(np.int64)))
    count = min(LEARNED, sets[0][0].count, sets[1][0].count)
    models = min(MODELS, count // FEWEST)
    test, truth = sets[2][0].first(TESTED), sets[2][1][:TESTED]
    if not inputs or models < MODELS // 2 or len(np.unique(truth)) < 2:
        return None
    design = Design(inputs, c.training)
    share = float(sets[0][1].mean())
    said = []
    for rows, label in sets[:2]:
        parts = np.array_split(np.arange(count), models)
        seeds = c.rng.integers(2**31, size=models)
        chance = [
            chances(design, rows.take(p), label[p], test, int(s))
            for p, s in zip(parts, seeds, strict=True)
        ]
        said.append(_Said.of(np.stack(chance), share))
    return test, truth, said[0], said[1]


def _odds_gap(
    c: Comparison,
    groups: Groups,
    outcome: Outcome,
    test: Rows,
    truth: np.ndarray,
    real: _Said,
    made: _Said,
) -> Finding:
    at = groups.place(test)
    cells = [
        (kind, int(g))
        for kind in (1, 0)
        for g in kept_groups(groups, c.training)
        if min(((at == g) & (truth == kind)).sum(), ((at != g) & (truth == kind)).sum()) >= LEAST
    ]
    if not cells:
        return too_few("odds_gap", groups)
    tests = 2 * len(cells)
    found = [
        _odds_cell((at == g) & (truth == kind), (at != g) & (truth == kind), real, made, tests)
        for kind, g in cells
    ]
    worst = int(np.argmax([v - 4 * e for v, e in found]))
    value, half = found[worst][0], stats.Z * found[worst][1]
    verdict = judge("odds_gap", value, value - half, value + half, tests=tests)
    listed = [_cell(groups, kind, g, at, truth, real.whole, made.whole) for kind, g in cells]
    note = ""
    if not c.held_out and verdict == "pass":
        verdict = "info"
        note = " The generator may have seen the rows tested on, so this cannot be a pass."
    return Finding(
        question="fair",
        name="odds_gap",
        value=value,
        low=value - half,
        high=value + half,
        reference=0.0,
        count=int((at >= 0).sum()),
        verdict=verdict,
        text=_odds_text(c, groups.called(cells[worst][1]), outcome.name, listed[worst]) + note,
        columns=groups.columns,
        details={"outcome": outcome.name, "models": len(real.without), "groups": listed},
    )


def _odds_cell(
    own: np.ndarray, rest: np.ndarray, real: _Said, made: _Said, tests: int
) -> tuple[float, float]:
    """How much wider a gap of rates is than with real rows, and its standard error.

    Test rows are the same on both sides, so their error is that of the difference; the error of
    training is the jackknife's over the models, widened since they are few.
    """
    pair = real.gap(own, rest), made.gap(own, rest)
    sign = -1.0 if pair[0][0] < 0 else 1.0
    grown, turned = sign * (pair[1] - pair[0]), -sign * pair[1]
    wider = grown[0] >= turned[0]
    value = grown if wider else turned
    told = made.whole.astype(float) - (real.whole if wider else 0.0)
    by_test = told[own].var() / own.sum() + told[rest].var() / rest.sum()
    by_training = _student(len(value) - 1, tests) * float(stats.jackknife_error(value[1:])) ** 2
    return float(value[0]), max(math.sqrt(by_test + by_training), 0.5 / int(own.sum()))


def _student(models: int, tests: int) -> float:
    """What makes up, squared, for an error that few models tell: Student's t at the far level."""
    z = NormalDist().inv_cdf(1 - LEVEL / tests)
    return float((1 + (z**2 + 1) / (4 * (models - 1))) ** 2)


def _cell(
    groups: Groups,
    kind: int,
    group: int,
    at: np.ndarray,
    truth: np.ndarray,
    real: np.ndarray,
    made: np.ndarray,
) -> dict[str, Json]:
    own, rest = (at == group) & (truth == kind), (at != group) & (truth == kind)
    return {
        "group": groups.names[group],
        "rate": "true positive" if kind else "false positive",
        "rows": int(own.sum()),
        "real": round(float(real[own].mean()), 5),
        "real_others": round(float(real[rest].mean()), 5),
        "synthetic": round(float(made[own].mean()), 5),
        "synthetic_others": round(float(made[rest].mean()), 5),
    }


def _odds_text(c: Comparison, group: str, outcome: str, cell: dict[str, Any]) -> str:
    whom = "for whom it is true" if cell["rate"] == "true positive" else "for whom it is false"
    return (
        f"Models trained on synthetic rows say {c.target!r} = {outcome} of "
        f"{percent(cell['synthetic'])} of the real rows of {group} {whom}, and of "
        f"{percent(cell['synthetic_others'])} of all others; trained on real rows, of "
        f"{percent(cell['real'])} and {percent(cell['real_others'])}."
    )
