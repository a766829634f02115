"""Rare cases? Do rare categories and the tails come back, and is anything made up?"""

from __future__ import annotations

import math

import numpy as np

from geurim.contract import Finding, Json
from geurim.html import percent
from geurim.verify import stats
from geurim.verify.compare import Column, Comparison
from geurim.verify.verdict import LEVEL, judge, not_judged
from geurim.verify.words import axis_text

RARE = 0.01  # a category of less than this share is rare
CLASSES = 20  # classes of the target that are looked at
LEAST = 10  # rows of a category; rarer ones are pooled by every profile, rightly


def categories(c: Comparison) -> list[Finding]:
    """How many rare categories come back among as many rows as the holdout has."""
    rows = min(c.synthetic.count, c.holdout.count)
    expected, met, listed = [], [], []
    found = 0
    for column in c.of("codes"):
        counts = np.bincount(
            c.training.codes[column.name][c.training.codes[column.name] >= 0],
            minlength=column.known,
        )[: column.known]
        rare = np.flatnonzero((counts >= LEAST) & (counts < RARE * c.training.count))
        if not len(rare):
            continue
        shares, held = (
            np.bincount(r.codes[column.name] + 1, minlength=column.known + 1)[1 + rare] / r.count
            for r in (c.synthetic, c.holdout)
        )
        expected.append(stats.chance_of_seeing(shares, rows))
        met.append(stats.chance_of_seeing(held, rows))
        found += int((shares > 0).sum())
        assert column.categories is not None
        lost = rare[shares == 0]
        listed += [[column.name, str(column.categories[int(i)].as_py())] for i in lost[:20]]
    if not expected:
        return [
            not_judged(
                "rare", "rare_categories", "No category is rare (below 1%, in 10 rows or more)."
            )
        ]
    ours, theirs = np.concatenate(expected), np.concatenate(met)
    gap = theirs - ours
    # A category met with chance p is met or not by luck; half a category is the least error.
    luck = float((ours * (1 - ours) + theirs * (1 - theirs)).sum()) ** 0.5
    half = stats.Z * max(luck, 0.5) / len(gap)
    value, reference = float(ours.mean()), float(theirs.mean())
    return [
        Finding(
            question="rare",
            name="rare_categories",
            value=value,
            low=max(0.0, value - half),
            high=min(1.0, value + half),
            reference=reference,
            count=len(ours),
            verdict=judge(
                "rare_categories", float(gap.mean()), gap.mean() - half, gap.mean() + half
            ),
            text=f"{found} of {len(ours)} rare categories (below 1%) occur in the synthetic rows. "
            f"In any {rows:,} of them {percent(value)} would; in as many real rows never seen, "
            f"{percent(reference)}.",
            details={"found": found, "lost": listed[:50]},
        )
    ]


def lost(c: Comparison) -> list[Finding]:
    """The share of the real rows whose category never comes, though by chance it would have."""
    columns = c.of("codes")
    return [_lost(c, column, len(columns)) for column in columns]


def _lost(c: Comparison, column: Column, tests: int) -> Finding:
    made, real, held = (
        np.bincount(r.codes[column.name] + 1, minlength=column.known + 1)[1 : column.known + 1]
        for r in (c.synthetic, c.training, c.holdout)
    )
    gone = [
        (r == 0)
        & (real >= LEAST)
        & (
            stats.log_chance(r, n, real, c.training.count)
            < math.log(LEVEL / (tests * max(column.known, 1)))
        )
        for r, n in ((made, c.synthetic.count), (held, c.holdout.count))
    ]
    value, reference = (float(real[g].sum()) / c.training.count for g in gone)
    low, high = stats.wilson(float(real[gone[0]].sum()), c.training.count)
    assert column.categories is not None
    names = [str(column.categories[int(i)].as_py()) for i in np.flatnonzero(gone[0])[:20]]
    return Finding(
        question="rare",
        name="lost_categories",
        value=value,
        low=low,
        high=high,
        reference=reference,
        count=c.synthetic.count,
        # That none came by luck is ruled out already, so the value itself is judged.
        verdict=judge("lost_categories", value - reference, value - reference, value - reference),
        text=f"{percent(value)} of the real rows have a category that no synthetic row has"
        + (f" ({', '.join(map(repr, names[:5]))})" if names else "")
        + ", where luck would not leave it out.",
        columns=(column.name,),
        details={"lost": names},
    )


def minority(c: Comparison) -> list[Finding]:
    """The share of each class of the target but the commonest, against its real share."""
    column = next((x for x in c.of("codes") if x.name == c.target), None)
    if column is None:
        why = "Not judged: name a target of categories, the column that someone would predict."
        return [not_judged("rare", "minority_share", why)]
    tables = (c.training, c.holdout, c.synthetic)
    counts = [np.bincount(r.codes[column.name] + 1, minlength=column.known + 1)[1:] for r in tables]
    kinds = [i for i in range(1, min(column.known, CLASSES)) if counts[0][i] >= LEAST]
    if not kinds:
        return [not_judged("rare", "minority_share", f"{c.target!r} has no second class.")]
    assert column.categories is not None
    return [
        _relative(
            c,
            "minority_share",
            column,
            [int(v[i]) for v in counts],
            len(kinds),
            f"are {str(column.categories[i].as_py())!r}",
            {"class": str(column.categories[i].as_py())},
        )
        for i in kinds
    ]


def tails(c: Comparison) -> list[Finding]:
    """The mass below the 1st and above the 99th percentile of the training rows."""
    columns = c.of("axis")
    out = []
    for column in columns:
        values = c.training.axis[column.name]
        values = values[np.isfinite(values)]
        if not len(values):
            continue
        for name, quantile, sign in (("tail_low", 0.01, -1), ("tail_high", 0.99, 1)):
            end = float(np.quantile(values, quantile))
            finding = _tail(c, column, name, end, sign, 2 * len(columns))
            out += [finding] if finding else []
    return out


def _tail(
    c: Comparison, column: Column, name: str, end: float, sign: int, tests: int
) -> Finding | None:
    tables = (c.training, c.holdout, c.synthetic)
    with np.errstate(invalid="ignore"):
        hits = [int((sign * r.axis[column.name] > sign * end).sum()) for r in tables]
    if not hits[0]:
        return None  # a value repeated so often that nothing lies beyond it
    side = "below" if sign < 0 else "above"
    where = f"lie {side} {axis_text(column.type)(end)}"
    return _relative(c, name, column, hits, tests, where, {"end": end})


def _relative(
    c: Comparison,
    name: str,
    column: Column,
    hits: list[int],
    tests: int,
    where: str,
    details: dict[str, Json],
) -> Finding:
    """A share against the training's, as a ratio. `hits`: rows of training, holdout, synthetic."""
    tables = (c.training, c.holdout, c.synthetic)
    own, held, made = (h / r.count for h, r in zip(hits, tables, strict=True))
    low, high = stats.wilson(hits[2], c.synthetic.count)
    floor, roof = stats.wilson(hits[0], c.training.count)
    # Both shares are uncertain: the interval of their ratio, from the two intervals of the logs.
    ratio = made / own
    below = np.hypot(ratio - low / own, ratio * (roof - own) / roof)
    above = np.hypot(high / own - ratio, ratio * (own - floor) / max(floor, 1e-12))
    away, under = (1 - ratio, above) if ratio < 1 else (ratio - 1, below)
    over = below if ratio < 1 else above
    return Finding(
        question="rare",
        name=name,
        value=made,
        low=low,
        high=high,
        reference=held,
        count=c.synthetic.count,
        verdict=judge(name, away, away - under, away + over, tests=tests),
        text=f"{percent(made)} of the synthetic rows {where}, {percent(own)} of the real ones "
        f"({percent(held)} in the holdout).",
        columns=(column.name,),
        details={**details, "training": own},
    )


def invented(c: Comparison) -> list[Finding]:
    """The share of values in categories that the training rows do not have."""
    columns = c.of("codes")
    out = []
    for column in columns:
        hits = [int((r.codes[column.name] >= column.known).sum()) for r in (c.synthetic, c.holdout)]
        text = (
            "{} of the synthetic values are categories that the real rows do not have; {} of the "
            "holdout's."
        )
        out.append(_outside(c, "invented_categories", column, hits, len(columns), text))
    return out


def out_of_range(c: Comparison) -> list[Finding]:
    """The share of values outside the training rows' smallest and largest."""
    columns = [x for x in c.of("axis") if np.isfinite(c.training.axis[x.name]).any()]
    out = []
    for column in columns:
        values = c.training.axis[column.name]
        values = values[np.isfinite(values)]
        low, high = values.min(), values.max()
        with np.errstate(invalid="ignore"):
            hits = [
                int(((r.axis[column.name] < low) | (r.axis[column.name] > high)).sum())
                for r in (c.synthetic, c.holdout)
            ]
        text = "{} of the synthetic values lie outside the real rows' range; {} of the holdout's."
        out.append(_outside(c, "out_of_range", column, hits, len(columns), text))
    return out


def _outside(
    c: Comparison, name: str, column: Column, hits: list[int], tests: int, text: str
) -> Finding:
    made, held = hits[0] / c.synthetic.count, hits[1] / c.holdout.count
    low, high = stats.wilson(hits[0], c.synthetic.count)
    under, over = stats.difference(hits[0], c.synthetic.count, hits[1], c.holdout.count)
    return Finding(
        question="rare",
        name=name,
        value=made,
        low=low,
        high=high,
        reference=held,
        count=c.synthetic.count,
        verdict=judge(name, made - held, under, over, tests=tests),
        text=text.format(percent(made), percent(held)),
        columns=(column.name,),
    )
