"""Fair? Are groups of people treated in the synthetic rows as in the real ones, or worse?

Groups are the values of sensitive columns, and of two of them together. Synthetic rows can be
unfairer than real ones in three ways: they drop people (`group_share`), they widen the gap between
groups in an outcome (`outcome_gap`: bias amplification, Zhao et al. 2017), or a model that learns
from them errs on one group more than a model that learned from real rows (`odds_gap`: equalized
odds, Hardt, Price & Srebro 2016). Whether the real rows are
fair is another question: these compare with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from statistics import NormalDist
from typing import Any

import numpy as np

from geurim.contract import Finding, Json, Profile
from geurim.html import percent
from geurim.verify import stats
from geurim.verify.classifier import Design, probabilities, train
from geurim.verify.compare import Column, Comparison, Rows
from geurim.verify.verdict import LEVEL, judge, not_judged
from geurim.verify.words import axis_text

LEAST = 30  # rows of a group that is compared
PARTS = 5  # ranges of a column of numbers
MOST = 40  # groups of a column, the largest
PAIRS = 10  # pairs of sensitive columns
MODELS = 8  # trained on each side, on disjoint rows: their spread is the error of training
LEARNED = 24_000  # rows that the models of a side learn from, together
TESTED = 20_000
FEWEST = 100  # rows that one model learns from

WORDS = frozenset(
    "sex gender race ethnicity ethnic religion nationality disability disabled age marital "
    "citizenship 성별 인종 종교 국적 장애 나이 연령 연령대".split()
)
VALUES = (
    frozenset(("m", "f")),
    frozenset(("male", "female")),
    frozenset(("man", "woman")),
    frozenset(("남", "여")),
    frozenset(("남성", "여성")),
    frozenset(("남자", "여자")),
)


@dataclass(frozen=True, kw_only=True)
class Groups:
    """Groups of rows by one sensitive column, or by several together."""

    columns: tuple[str, ...]
    names: tuple[str, ...]  # (G,)
    place: Callable[[Rows], np.ndarray]  # rows -> the group of each, (N,) int64; -1: none

    def counts(self, rows: Rows, mark: np.ndarray | None = None) -> np.ndarray:
        """Rows of each group (G,), or only those that `mark` (N,) bool names."""
        at = self.place(rows)
        known = at >= 0 if mark is None else (at >= 0) & mark
        return np.bincount(at[known], minlength=len(self.names))

    def called(self, group: int) -> str:
        """One group in words."""
        return f"{' and '.join(map(repr, self.columns))} = {self.names[group]}"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What is done to people: yes or no for each row, as 1, 0 or NaN (N,)."""

    name: str
    of: Callable[[Rows], np.ndarray]


def groups_of(column: Column, training: Rows) -> Groups:
    """The groups of one column: its categories, or five ranges of equal mass; missing is one."""
    if column.kind == "codes":
        assert column.categories is not None
        names = [str(v) for v in column.categories.slice(0, column.known).to_pylist()]

        def coded(rows: Rows) -> np.ndarray:
            codes: np.ndarray = rows.codes[column.name].astype(np.int64)
            return np.where(codes < 0, len(names), np.where(codes < len(names), codes, -1))

        return Groups(columns=(column.name,), names=(*names, "missing"), place=coded)
    values = training.axis[column.name]
    edges = range_edges(values[np.isfinite(values)])
    write = axis_text(column.type)
    names = [f"from {write(a)} to below {write(b)}" for a, b in pairwise(edges)]
    if len(edges):
        names = [f"below {write(edges[0])}", *names, f"from {write(edges[-1])}"]

    def placed(rows: Rows) -> np.ndarray:
        axis = rows.axis[column.name]
        at = np.searchsorted(edges, axis, side="right").astype(np.int64)
        return np.where(np.isnan(axis), len(edges) + 1, at)

    return Groups(columns=(column.name,), names=(*(names or ["all"]), "missing"), place=placed)


def range_edges(values: np.ndarray) -> np.ndarray:
    """The inner edges of PARTS ranges of equal mass; each belongs to the range above it."""
    if not len(values):
        return np.empty(0)
    edges = np.unique(np.quantile(values, np.arange(1, PARTS) / PARTS, method="higher"))
    inner: np.ndarray = edges[edges > values.min()]
    return inner


def together(one: Groups, other: Groups) -> Groups:
    """The groups of two columns together."""
    names = tuple(f"{a}, {b}" for a in one.names for b in other.names)

    def place(rows: Rows) -> np.ndarray:
        a, b = one.place(rows), other.place(rows)
        return np.where((a >= 0) & (b >= 0), a * len(other.names) + b, -1)

    return Groups(columns=one.columns + other.columns, names=names, place=place)


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


def suggestion(profile: Profile) -> list[str]:
    """A note that names columns which look sensitive; empty where none does."""
    from geurim.analyze.names import words

    found = []
    for name, facts in profile.columns.items():
        known = {str(v).strip().lower() for v, _ in facts.get("categories", ())}
        if facts["role"] in ("category", "number") and (
            WORDS & set(words(name)) or any(known and known <= v for v in VALUES)
        ):
            found.append(name)
    if not found:
        return []
    return [
        "Fairness was not looked at: no sensitive column was named (--sensitive). These look like "
        f"some: {', '.join(map(repr, found[:6]))}."
    ]


def _all_groups(c: Comparison) -> list[Groups]:
    by_name = {x.name: x for x in c.columns}
    single = [groups_of(by_name[name], c.training) for name in c.sensitive]
    return single + [together(a, b) for a, b in list(combinations(single, 2))[:PAIRS]]


def _kept(groups: Groups, *tables: Rows) -> np.ndarray:
    """The groups with enough rows in every table, the largest of the first, at most MOST."""
    counts = [groups.counts(t) for t in tables]
    enough = np.flatnonzero(np.min(counts, axis=0) >= LEAST)
    return np.sort(enough[np.argsort(-counts[0][enough], kind="stable")[:MOST]])


def group_shares(c: Comparison) -> list[Finding]:
    """The group that shrank most: its share of the synthetic rows against the real ones."""
    return [_group_share(c, groups) for groups in _all_groups(c)]


def _group_share(c: Comparison, groups: Groups) -> Finding:
    kept = _kept(groups, c.training)
    if len(kept) < 2:
        return _few("group_share", groups)
    tables = (c.training, c.holdout, c.synthetic)
    hits = [groups.counts(t)[kept] for t in tables]
    shares = [h / t.count for h, t in zip(hits, tables, strict=True)]
    loss, error = _losses(hits[0], c.training.count, hits[2], c.synthetic.count)
    reference, other = _losses(hits[0], c.training.count, hits[1], c.holdout.count)
    drift = np.maximum(0.0, reference - other)
    at = int(np.argmax(loss - drift - 2 * error))
    value = float(loss[at])
    over = value - float(drift[at])
    low = over - float(error[at])
    return Finding(
        question="fair",
        name="group_share",
        value=value,
        low=value - float(error[at]),
        high=value + float(error[at]),
        reference=float(reference[at]),
        count=int(hits[0][at] + hits[2][at]),
        verdict=judge("group_share", over, low, over + float(error[at]), tests=len(kept)),
        text=f"{groups.called(int(kept[at]))} makes up {percent(shares[2][at])} of the synthetic "
        f"rows and {percent(shares[0][at])} of the real ones ({percent(shares[1][at])} in the "
        f"holdout); of {len(kept)} groups this one shrank most.",
        columns=groups.columns,
        details={"groups": _listed(groups, kept, shares, hits)},
    )


def _losses(
    own: np.ndarray, own_rows: int, made: np.ndarray, made_rows: int
) -> tuple[np.ndarray, np.ndarray]:
    """What each group lost of its share (G,), and half of its interval: from the shares' own."""
    loss, half = np.empty(len(own)), np.empty(len(own))
    for i, (a, b) in enumerate(zip(own, made, strict=True)):
        p, q = a / own_rows, b / made_rows
        floor, high = stats.wilson(a, own_rows)[0], stats.wilson(b, made_rows)[1]
        loss[i] = 1 - q / p
        half[i] = math.hypot((high - q) / p, q / p * (p - floor) / max(floor, 1e-12))
    return loss, half


def _listed(
    groups: Groups, kept: np.ndarray, values: Sequence[np.ndarray], rows: Sequence[np.ndarray]
) -> list[Json]:
    """What a plot shows: a row a group, with the values of the three tables."""
    names = ("training", "holdout", "synthetic")
    return [
        {
            "group": groups.names[g],
            **{n: _number(v[i]) for n, v in zip(names, values, strict=True)},
            "rows": {n: int(r[i]) for n, r in zip(names, rows, strict=True)},
        }
        for i, g in enumerate(kept)
    ]


def _number(value: float) -> float | None:
    return None if not np.isfinite(value) else round(float(value), 5)


def outcome_gap(c: Comparison) -> list[Finding]:
    """How much wider the gap between a group and all others is than among the real rows."""
    if not c.sensitive:
        return []
    if c.target is None:
        return [not_judged("fair", "outcome_gap", "Not judged: name a target, the outcome.")]
    wanted = outcomes(next(x for x in c.columns if x.name == c.target), c.training)
    return [_outcome_gap(c, groups, wanted) for groups in _all_groups(c)]


def outcomes(column: Column, training: Rows) -> list[Outcome]:
    """The rarer of two classes; each of more; a number above the real rows' median."""
    from geurim.verify.useful import CLASSES, _task

    task = _task(column, training)
    label = task.label(training)
    known = label[~np.isnan(label)]
    if not len(known):
        return []
    write = axis_text(column.type) if column.kind == "axis" else str
    if not task.classes:
        middle = float(np.median(known))
        values = training.axis[column.name]
        where = float(np.median(values[np.isfinite(values)]))
        return [Outcome(name=f"above {write(where)}", of=_indicator(task.label, above=middle))]
    if column.kind == "codes":
        assert column.categories is not None
        names = [str(v) for v in column.categories.slice(0, column.known).to_pylist()]
        names = [*names[:CLASSES], "any other"] if column.known > CLASSES else names
    else:
        names = [write(v) for v in np.unique(values_of(column, training))]
    counts = np.bincount(known.astype(int), minlength=task.classes)
    chosen = [int(np.argmin(counts))] if task.classes == 2 else range(task.classes)
    return [Outcome(name=names[k], of=_indicator(task.label, equal=k)) for k in chosen]


def values_of(column: Column, rows: Rows) -> np.ndarray:
    """The values of a column on an axis that are there."""
    values = rows.axis[column.name]
    present: np.ndarray = values[np.isfinite(values)]
    return present


def _indicator(
    label: Callable[[Rows], np.ndarray], *, above: float | None = None, equal: int | None = None
) -> Callable[[Rows], np.ndarray]:
    def of(rows: Rows) -> np.ndarray:
        value = label(rows)
        with np.errstate(invalid="ignore"):
            yes = value > above if above is not None else value == equal
        return np.where(np.isnan(value), np.nan, yes.astype(float))

    return of


def _outcome_gap(c: Comparison, groups: Groups, wanted: list[Outcome]) -> Finding:
    tables = (c.training, c.holdout, c.synthetic)
    kept = _kept(groups, c.training, c.holdout, c.synthetic)
    if len(kept) < 2 or not wanted:
        return _few("outcome_gap", groups)
    best: tuple[float, Finding] | None = None
    tests = 2 * len(kept) * len(wanted)
    for outcome in wanted:
        marks = [outcome.of(t) for t in tables]
        rows = [groups.counts(t, ~np.isnan(m))[kept] for t, m in zip(tables, marks, strict=True)]
        hits = [groups.counts(t, m == 1)[kept] for t, m in zip(tables, marks, strict=True)]
        gaps = [_gaps(h, n) for h, n in zip(hits, rows, strict=True)]
        value, error = _beyond(gaps[0], gaps[2])
        reference, other = _beyond(gaps[0], gaps[1])
        drift = np.maximum(0.0, reference - stats.Z * other)
        surely = value - drift - 4 * error
        at = int(np.argmax(surely))
        if best is None or surely[at] > best[0]:
            v, half, less = float(value[at]), float(stats.Z * error[at]), float(drift[at])
            rates = [h / np.maximum(n, 1) for h, n in zip(hits, rows, strict=True)]
            found = Finding(
                question="fair",
                name="outcome_gap",
                value=v,
                low=v - half,
                high=v + half,
                reference=float(reference[at]),
                count=int(rows[0][at] + rows[2][at]),
                verdict=judge(
                    "outcome_gap", v - less, v - less - half, v - less + half, tests=tests
                ),
                text=_gap_text(c, groups.called(int(kept[at])), outcome.name, hits, rows, at, gaps),
                columns=groups.columns,
                details={
                    "outcome": outcome.name,
                    "groups": _listed(groups, kept, rates, rows),
                },
            )
            best = float(surely[at]), found
    assert best is not None
    return best[1]


def _gaps(hits: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each group: its rate less that of all others, and the variance (Agresti & Caffo 2000)."""
    rest_hits, rest = hits.sum() - hits, rows.sum() - rows
    gap = hits / np.maximum(rows, 1) - rest_hits / np.maximum(rest, 1)
    p, q = (hits + 1) / (rows + 2), (rest_hits + 1) / (rest + 2)
    return gap, p * (1 - p) / (rows + 2) + q * (1 - q) / (rest + 2)


def _beyond(
    real: tuple[np.ndarray, np.ndarray], made: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """How far a gap lies beyond all from none to the real one, and the standard error.

    A gap that shrinks is not unfair: its value is negative. One that turns round is counted from
    none: the group that was behind is then ahead.
    """
    sign = np.where(real[0] < 0, -1.0, 1.0)
    grown, turned = sign * (made[0] - real[0]), -sign * made[0]
    wider = grown >= turned
    error = np.sqrt(np.where(wider, real[1], 0.0) + made[1])
    return np.where(wider, grown, turned), error


def _gap_text(
    c: Comparison,
    group: str,
    outcome: str,
    hits: Sequence[np.ndarray],
    rows: Sequence[np.ndarray],
    at: int,
    gaps: Sequence[tuple[np.ndarray, np.ndarray]],
) -> str:
    def rates(k: int) -> str:
        rest = (hits[k].sum() - hits[k][at]) / max(rows[k].sum() - rows[k][at], 1)
        return f"{percent(hits[k][at] / max(rows[k][at], 1))} and {percent(rest)}"

    return (
        f"{c.target!r} = {outcome} holds for {rates(2)} of the synthetic rows of {group} and of "
        f"all others; for {rates(0)} of the real ones. The gap is {_points(gaps[2][0][at])}, and "
        f"{_points(gaps[0][0][at])} among real rows ({_points(gaps[1][0][at])} in the holdout)."
    )


def _points(gap: float) -> str:
    return f"{100 * gap:+.1f} points"


def odds_gap(c: Comparison) -> list[Finding]:
    """How much wider a model's errors differ between groups when it learned synthetic rows."""
    if not c.sensitive:
        return []
    if c.target is None:
        return [not_judged("fair", "odds_gap", "Not judged: name a target, the outcome.")]
    column = next(x for x in c.columns if x.name == c.target)
    inputs = [x for x in c.of("axis", "codes") if x.name != c.target]
    all_groups = _all_groups(c)
    wanted = outcomes(column, c.training)
    outcome = _widest(all_groups[0], wanted, c.training) if wanted else None
    guesses = None if outcome is None else _guesses(c, inputs, outcome)
    if outcome is None or guesses is None:
        return [
            not_judged(
                "fair",
                "odds_gap",
                f"Not judged: too few rows to train {MODELS // 2} models on each side.",
            )
        ]
    return [_odds_gap(c, groups, outcome, *guesses) for groups in all_groups]


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
        for g in _kept(groups, c.training)
        if min(((at == g) & (truth == kind)).sum(), ((at != g) & (truth == kind)).sum()) >= LEAST
    ]
    if not cells:
        return _few("odds_gap", groups)
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


def _few(name: str, groups: Groups) -> Finding:
    found = not_judged(
        "fair", name, f"Not judged: fewer than two groups have {LEAST} rows in each table."
    )
    return Finding(**{**found.__dict__, "columns": groups.columns})
