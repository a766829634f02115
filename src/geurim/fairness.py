"""Fair rebalancing: break the link between a sensitive column and an outcome, and say the cost.

    balance = independent(fitted, "sex", "income", 1.0)
    rows = geurim.sample(fitted, 100_000, balance=balance)

With s the sensitive column and y the outcome, rows are drawn with
p'(s, y) = p(s) [(1 - amount) p(y | s) + amount p(y)]: at 1 they are independent, at 0 nothing has
changed, and between the gap shrinks by just that amount. All other columns follow given s and y, as
they do in the data. So columns that tell s (proxies) go on telling it: `findings` shows how far a
model trained on the rows still treats the groups apart. Reweighing of Kamiran & Calders 2012, with
new rows instead of weights. It makes no decision fair by itself, and is not for describing the
population.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.columns import is_ordered, to_axis
from geurim.contract import Finding, Fitted, Progress, Source, quiet
from geurim.errors import SettingError
from geurim.shares import Balance
from geurim.verify import stats
from geurim.verify.fair import LEAST, chances, groups_of, most_likely, range_edges

_PILOT = 131_072  # rows drawn to learn the shares
_FEW = 12  # values of a column; numbers of more are cut at their quintiles


def independent(
    fitted: Fitted, sensitive: str, outcome: str, amount: float = 1.0, *, seed: int = 0
) -> Balance:
    """The balance that breaks the link of two columns by `amount`, 0 to 1.

    Numbers and times of many values stand in five ranges of equal mass. Raises SettingError: no
    such column, an amount out of range, a generator that cannot complete rows.
    """
    if not 0 <= amount <= 1:
        raise SettingError(f"The amount of rebalancing is {amount!r}. Give 0 to 1.")
    for name in (sensitive, outcome):
        _check(fitted, name)
    if sensitive == outcome:
        raise SettingError(f"{sensitive!r} is both sensitive and the outcome. Name two columns.")
    if not fitted.completes:
        raise SettingError(
            f"This generator ({fitted.lineage.maker}) cannot complete given values, which "
            "rebalancing needs. Use one that does, such as trees."
        )
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(4, 0)))
    count = -(-_PILOT // fitted.block)
    names = [sensitive, outcome]
    pilot = pa.Table.from_batches(
        [fitted.draw(fitted.block, rng).select(names) for _ in range(count)]
    )
    (s_labels, s), (y_labels, y) = (_labels(pilot[n]) for n in names)
    known = (s >= 0) & (y >= 0)
    size = len(s_labels), len(y_labels)
    counts = np.bincount(s[known] * size[1] + y[known], minlength=size[0] * size[1])
    joint = counts.reshape(size) / max(len(s), 1)
    own = joint.sum(axis=1, keepdims=True)
    fair = own * joint.sum(axis=0, keepdims=True) / joint.sum()
    wanted = (1 - amount) * joint + amount * fair
    cells = [(i, j) for i, j in np.ndindex(*size) if joint[i, j] > 0]
    lost = wanted.sum() - sum(wanted[c] for c in cells)
    if lost > 0.001:
        raise SettingError(
            f"Some values of {sensitive!r} and {outcome!r} never come together, and {lost:.1%} of "
            "the rows would have to have them. Give a smaller amount, or other columns."
        )
    scale = joint.sum() / sum(wanted[c] for c in cells)
    shares = {(s_labels[i], y_labels[j]): float(wanted[i, j] * scale) for i, j in cells}
    return {f"{sensitive},{outcome}": shares}


def findings(
    before: Any,
    after: Any,
    real: Any,
    sensitive: str,
    outcome: str,
    *,
    holdout: Any = None,
    seed: int = 0,
    progress: Progress = quiet,
) -> list[Finding]:
    """What a rebalancing came to, and what it cost.

    `before`, `after`: rows of one generator without and with it; `real`: the rows learned from.
    parity_gap: the largest difference between groups in the share of an outcome, in the rows;
    predicted_gap: the same in what a model trained on the rows, without the sensitive column, says
    of real rows (its reference is that of `before`): what proxies leave; fair_cost: what the model
    loses in predicting real outcomes; pair_cost: how much farther the other pairs of columns lie
    from the real ones.
    """
    from geurim.read import as_source
    from geurim.verify import verify

    made = [as_source(x) for x in (before, after)]
    training = as_source(real)
    gaps = [_gap(*_pair(x.to_arrow(), sensitive, outcome)) for x in made]
    told = [_parity(gaps[0], gaps[1], sensitive, outcome)]
    predicted = [_predicted(x, training, holdout, sensitive, outcome, seed) for x in made]
    if predicted[0] is not None and predicted[1] is not None:
        told.append(_left(predicted[0], predicted[1], sensitive, outcome))
    reports = [
        verify(
            x,
            training,
            holdout=holdout,
            target=outcome,
            checks=["tstr", "pairs"],
            seed=seed,
            progress=progress,
        )
        for x in made
    ]
    scores = [r.find("tstr_gap").value for r in reports]
    tstr = reports[1].find("tstr_gap")
    told.append(
        replace(
            tstr,
            question="fair",
            name="fair_cost",
            value=scores[1] - scores[0],
            low=tstr.low - scores[0],
            high=tstr.high - scores[0],
            reference=0.0,
            verdict="info",
            text=f"Rebalancing {_costs(scores[1] - scores[0])} of the "
            f"{tstr.details.get('metric', 'score')} with which a model trained on the rows "
            f"predicts {outcome!r} of real rows. {tstr.text}",
        )
    )
    pairs = [r.find("pair_distance") for r in reports]
    told.append(
        replace(
            pairs[1],
            question="fair",
            name="pair_cost",
            value=pairs[1].value - pairs[0].value,
            low=pairs[1].low - pairs[0].value,
            high=pairs[1].high - pairs[0].value,
            reference=0.0,
            verdict="info",
            text="The two-way tables of all columns lie "
            f"{pairs[1].value:.1%} from the real ones with rebalancing, {pairs[0].value:.1%} "
            "without.",
            details={},
        )
    )
    return told


def as_asked(found: Iterable[Finding], sensitive: str, outcome: str) -> tuple[Finding, ...]:
    """Findings in which the broken link of the two columns is no fault: it was asked for."""
    return tuple(
        replace(f, verdict="info", text=f"{f.text} That was asked for.")
        if set(f.columns) == {sensitive, outcome} and f.verdict != "pass"
        else f
        for f in found
    )


Gap = tuple[float, float, float, int, str]  # value, interval, rows, between whom


def _pair(table: pa.Table, sensitive: str, outcome: str) -> tuple[Any, Any, Any, Any]:
    (s_labels, s), (y_labels, y) = (_labels(table[n]) for n in (sensitive, outcome))
    return s_labels, s, y_labels, y


def _gap(s_labels: list[Any], s: np.ndarray, y_labels: list[Any], y: np.ndarray) -> Gap:
    """The largest difference of two groups in the share of one outcome (demographic parity)."""
    known = (s >= 0) & (y >= 0)
    size = len(s_labels), len(y_labels)
    counts = np.bincount(s[known] * size[1] + y[known], minlength=size[0] * size[1]).reshape(size)
    rows = counts.sum(axis=1)
    groups = np.flatnonzero(rows >= LEAST)
    if len(groups) < 2 or size[1] < 2:
        return math.nan, math.nan, math.nan, int(known.sum()), "too few rows of a second group"
    share = counts[groups] / rows[groups, None]
    j = int(np.argmax(np.ptp(share, axis=0)))
    if size[1] == 2:
        j = int(np.argmin(counts.sum(axis=0)))  # the rarer of two, which is mostly what is wanted
    high, low = (int(groups[f(share[:, j])]) for f in (np.argmax, np.argmin))
    ends = stats.difference(counts[high, j], rows[high], counts[low, j], rows[low])
    value = counts[high, j] / rows[high] - counts[low, j] / rows[low]
    said = (
        f"{y_labels[j]!r}: {counts[high, j] / rows[high]:.1%} of {s_labels[high]!r}, "
        f"{counts[low, j] / rows[low]:.1%} of {s_labels[low]!r}"
    )
    return float(value), ends[0], ends[1], int(known.sum()), said


def _compared(name: str, before: Gap, after: Gap, columns: tuple[str, str], text: str) -> Finding:
    return Finding(
        question="fair",
        name=name,
        value=after[0],
        low=after[1],
        high=after[2],
        reference=before[0],
        count=after[3],
        verdict="info",
        text=text,
        columns=columns,
        details={"before": list(before[:3]), "after": list(after[:3])},
    )


def _said(gap: Gap) -> str:
    return "not judged" if math.isnan(gap[0]) else f"{gap[0]:.3f}"


def _costs(loss: float) -> str:
    return f"costs {loss:.3f}" if loss >= 0 else f"gains {-loss:.3f}"


def _parity(before: Gap, after: Gap, sensitive: str, outcome: str) -> Finding:
    text = (
        f"The groups of {sensitive!r} differ in {outcome!r} by {_said(after)} ({after[4]}); "
        f"without rebalancing by {_said(before)} ({before[4]})."
    )
    return _compared("parity_gap", before, after, (sensitive, outcome), text)


def _left(before: Gap, after: Gap, sensitive: str, outcome: str) -> Finding:
    text = (
        f"A model trained on the rows without {sensitive!r} predicts {outcome!r} of real rows "
        f"apart by {_said(after)} ({after[4]}); without rebalancing by {_said(before)}. What is "
        "left comes through other columns that tell the groups apart."
    )
    if math.isnan(after[0]):
        text = (
            f"How far a model trained on the rows treats the groups of {sensitive!r} apart in "
            f"{outcome!r} is not judged: {after[4]}, of {LEAST} at least."
        )
    return _compared("predicted_gap", before, after, (sensitive, outcome), text)


def _predicted(
    made: Source, training: Source, holdout: Any, sensitive: str, outcome: str, seed: int
) -> Gap | None:
    """The gap in what a model trained on `made` predicts; None where it cannot be trained.

    Outcomes are predicted as often as the model's own rows have them, so that groups are compared
    at one rate and not at whatever threshold.
    """
    from geurim.analyze import analyze
    from geurim.read import as_source
    from geurim.verify.classifier import Design
    from geurim.verify.compare import compare
    from geurim.verify.useful import ROWS, _labelled, _task

    held = None if holdout is None else as_source(holdout)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(5, 0)))
    c, _ = compare(made, training, held, analyze(training), outcome, rng)
    column = next(x for x in c.columns if x.name == outcome)
    task = _task(column, c.training)
    inputs = [x for x in c.of("axis", "codes") if x.name not in (sensitive, outcome)]
    rows, label = _labelled(c.synthetic, task)
    if task.classes != 2 or not inputs or len(np.unique(label)) < 2:
        return None
    rows, label = rows.first(ROWS), label[:ROWS]
    design = Design(inputs, c.training)
    chance = chances(design, rows, label, c.holdout, seed)
    said = most_likely(chance, float(label.mean())).astype(np.int64)
    if said.mean() > 0.5:
        said = 1 - said
    whom = groups_of(next(x for x in c.columns if x.name == sensitive), c.training)
    return _gap(list(whom.names), whom.place(c.holdout), ["others", "the rarer outcome"], said)


def _labels(column: pa.ChunkedArray) -> tuple[list[Any], np.ndarray]:
    """What a column's values are called, ranges where they are many; each row's (N,), or -1."""
    column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if is_ordered(column.type) and pc.count_distinct(column).as_py() > _FEW:
        axis = to_axis(column)
        edges, labels = _edges(axis[~np.isnan(axis)])
        if not pa.types.is_temporal(column.type):
            place = np.searchsorted(edges, axis, side="right")
            return labels, np.where(np.isnan(axis), -1, place)
    coded = column.dictionary_encode()
    codes = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
    return coded.dictionary.to_pylist(), codes.astype(np.int64)


def _edges(values: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """The inner edges of ranges of equal mass, and the ranges as a balance writes them."""
    edges = range_edges(values)
    below = [float(np.nextafter(e, -np.inf)) for e in edges]
    lows = ["", *(repr(float(e)) for e in edges)]
    highs = [*(repr(b) for b in below), ""]
    return edges, [f"{low}..{high}" for low, high in zip(lows, highs, strict=True)]


def _check(fitted: Fitted, name: str) -> None:
    if name not in fitted.schema.names:
        raise SettingError(
            f"There is no column {name!r} to rebalance. Choose one of: "
            f"{', '.join(map(repr, fitted.schema.names))}."
        )
    role = fitted.profile.columns[name]["role"]
    if role not in ("category", "number"):
        raise SettingError(
            f"Column {name!r} is of role {role!r}; rebalancing needs categories or numbers. "
            "Choose another column."
        )
