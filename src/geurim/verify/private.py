"""Private? Do the synthetic rows tell about the training rows what they do not tell about others?

The first looks: the distance to the nearest training row against that to the nearest row held out,
exact copies, and real names, addresses or numbers that come out again; and what a private fit
promises. The attacks stand in `near`, `attacks`, `membership`, `unusual` and `canaries`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.contract import Finding, Lineage, Privacy
from geurim.html import percent
from geurim.verify import stats
from geurim.verify.compare import Column, Comparison, Rows
from geurim.verify.neighbours import learned, nearest, points
from geurim.verify.verdict import judge, not_judged

DCR_ROWS = 10_000
REASONABLE = 10.0  # epsilon; Ponomareva et al. 2023, "How to DP-fy ML", tier 2
MOST_UNSEEN = 5.0  # times that the excess counts, at most, where few training rows were drawn
SCANNED = 20_000  # strings looked through for personal data, a column
RESEMBLING = frozenset({"name", "first_name", "last_name", "city", "company", "postcode", "url"})
"""Entities of which two strangers may have the same: judged against the holdout's own share."""


def dcr(c: Comparison) -> list[Finding]:
    """The share of synthetic rows nearer to a training row than to one of as many held out."""
    rows = min(c.training.count, c.holdout.count, DCR_ROWS)
    if not c.held_out or not learned(c) or rows < 20:
        why = (
            "rows that the generator never saw are needed: give a holdout"
            if not c.held_out
            else "there are too few rows or columns"
        )
        return [not_judged("private", "dcr_share", f"The distance check cannot be made: {why}.")]
    training, holdout, synthetic = (
        p.first(n) for p, n in zip(points(c), (rows, rows, DCR_ROWS), strict=True)
    )
    near = [tuple(x[:, 0] for x in nearest(synthetic, real)) for real in (training, holdout)]
    baseline = nearest(holdout, training)[0][:, 0]
    nearer = np.where(near[0][0] == near[1][0], 0.5, np.where(near[0][0] < near[1][0], 1.0, 0.0))
    value, error = share_nearer(nearer, near[0][1], near[1][1])
    half = stats.Z * error
    excess = abs(value - 0.5)
    # Copies of training rows that were not drawn do not show: what shows stands for more.
    more = min(c.training.total / rows, MOST_UNSEEN)
    verdict = judge("dcr_share", excess * more, (excess - half) * more, (excess + half) * more)
    if verdict not in ("warn", "fail"):
        verdict = judge("dcr_share", excess, excess - half, excess + half)
    top = float(np.quantile(np.concatenate([near[0][0], baseline]), 0.99)) or 1.0
    edges = np.linspace(0, top, 25)
    bins = {
        name: (np.histogram(np.clip(d, 0, top), edges)[0] / len(d)).round(5).tolist()
        for name, d in (("holdout", baseline), ("synthetic", near[0][0]))
    }
    side = (
        "above it, rows lie nearer to the training rows than chance puts them"
        if value >= 0.5
        else "below it, rows keep away from the training rows"
    )
    return [
        Finding(
            question="private",
            name="dcr_share",
            value=value,
            low=max(0.0, value - half),
            high=min(1.0, value + half),
            reference=0.5,
            count=synthetic.count,
            verdict=verdict,
            text=f"{value:.1%} of the synthetic rows lie nearer to a training row than to any of "
            f"{rows:,} real rows never seen (50% is ideal; {side}).",
            details={"edges": edges.tolist(), **bins},
        )
    ]


def share_nearer(
    nearer: np.ndarray, in_training: np.ndarray, in_holdout: np.ndarray
) -> tuple[float, float]:
    """The mean of `nearer` (1, ½ or 0 a row) and its standard error.

    Rows that share a nearest real row are not independent: under the ideal each real row is a
    training row or not by the toss of a coin, and all synthetic rows nearest to it turn with it.
    """
    won = np.where(nearer == 1.0, in_training, -1 - in_holdout)[nearer != 0.5]
    _, sizes = np.unique(won, return_counts=True)
    error = float(np.sqrt((sizes.astype(float) ** 2).sum())) / 2 / len(nearer)
    return float(nearer.mean()), max(error, 0.5 / len(nearer))


def copies(c: Comparison) -> list[Finding]:
    """The share of synthetic rows that equal a training row in every column that is learned."""
    columns = c.of("axis", "codes")
    if not columns:
        return [
            not_judged("private", "exact_copies", "No column is learned, so no row can be a copy.")
        ]
    keys = [row_keys(r, columns) for r in (c.released, c.training, c.holdout)]
    hits = [int(np.isin(k, keys[1]).sum()) for k in (keys[0], keys[2])]
    made, held = hits[0] / c.released.count, hits[1] / c.holdout.count
    low, high = stats.wilson(hits[0], c.released.count)
    under, over = stats.difference(hits[0], c.released.count, hits[1], c.holdout.count)
    return [
        Finding(
            question="private",
            name="exact_copies",
            value=made,
            low=low,
            high=high,
            reference=held,
            count=c.released.count,
            verdict=judge("exact_copies", made - held, under, over),
            text=f"{percent(made)} of the synthetic rows equal a training row in all "
            f"{len(columns)} columns; {percent(held)} of real rows never seen do so too.",
        )
    ]


def row_keys(rows: Rows, columns: list[Column]) -> np.ndarray:
    """A 64-bit hash of each row over `columns`, (N,) uint64; equal rows have equal keys."""
    key = np.full(rows.count, 0x9E3779B97F4A7C15, np.uint64)
    for column in columns:
        if column.kind == "axis":
            values = rows.axis[column.name] + 0.0  # -0.0 becomes 0.0
            bits = np.where(np.isnan(values), np.nan, values).view(np.uint64)
        else:
            bits = rows.codes[column.name].astype(np.uint64)
        key = _mix(key ^ _mix(bits))
    return key


def _mix(bits: np.ndarray) -> np.ndarray:
    """The finisher of SplitMix64 (Steele, Lea & Flood 2014): every bit depends on every bit."""
    bits = bits + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = bits ^ (bits >> np.uint64(31))
    return mixed


def survivors(c: Comparison) -> list[Finding]:
    """Real values of columns that are made anew (personal data, keys, text) that come out again."""
    out = []
    for column in c.of("strings"):
        if c.profile.columns[column.name].get("form") == "integer":
            continue  # counting numbers name nobody
        out.append(_survivors(c, column))
    return out


def _survivors(c: Comparison, column: Column) -> Finding:
    made, real, held = (
        pc.drop_null(r.strings[column.name]) for r in (c.released, c.training, c.holdout)
    )
    hits = [pc.sum(pc.is_in(v, value_set=real)).as_py() or 0 for v in (made, held)]
    count, others = len(made), len(held)
    share, reference = hits[0] / max(count, 1), hits[1] / max(others, 1)
    low, high = stats.wilson(hits[0], count)
    entity = str(c.profile.columns[column.name].get("entity", column.role))
    own = column.role != "text" and entity not in RESEMBLING
    if hits[0] == 0:
        verdict = judge("names_survive", 0.0, 0.0, 0.0)
    elif own:  # no chance makes a stranger's e-mail: one is a warning, a share is a failure
        sure = judge("personal_survives", share, low, high)
        verdict = "fail" if sure == "fail" else "warn"
    else:
        under, over = stats.difference(hits[0], count, hits[1], others)
        verdict = judge("names_survive", share - reference, under, over)
    what = f"{entity.replace('_', ' ')} values"
    return Finding(
        question="private",
        name="personal_survives",
        value=share,
        low=low,
        high=high,
        reference=reference,
        count=count,
        verdict=verdict,
        text=f"{hits[0]:,} of {count:,} synthetic {what} occur among the real ones; "
        f"{percent(reference)} of the holdout's do.",
        columns=(column.name,),
    )


def personal(c: Comparison) -> list[Finding]:
    """Strings that look personal in columns whose real values do not."""
    out = []
    for column in c.of("codes", "strings"):
        if column.role in ("personal", "key") or pa.types.is_boolean(column.type):
            continue
        out.append(_personal(c, column))
    return out


def _personal(c: Comparison, column: Column) -> Finding:
    from geurim.analyze.personal import find_personal

    made, real = (_news(r, column, find_personal) for r in (c.released, c.training))
    gaps = {e: made[e] - real.get(e, 0.0) for e in made}
    entity = max(gaps, key=lambda e: gaps[e], default="")
    share, reference = made.get(entity, 0.0), real.get(entity, 0.0)
    count = min(c.released.count, SCANNED)
    low, high = stats.wilson(share * count, count)
    verdict = (
        "pass"
        if share <= reference
        else judge("personal_found", share - reference, low - reference, high - reference)
    )
    what = entity.replace("_", " ") or "personal"
    return Finding(
        question="private",
        name="personal_found",
        value=share,
        low=low,
        high=high,
        reference=reference,
        count=count,
        verdict=verdict,
        text=f"{percent(share)} of the synthetic values hold what looks like {what} data; "
        f"{percent(reference)} of the real ones do.",
        columns=(column.name,),
    )


def _news(
    rows: Rows, column: Column, find: Callable[[pa.Array], dict[str, float]]
) -> dict[str, float]:
    """Shares by entity among the values; of categories only those the training rows lack."""
    few = rows.first(SCANNED)
    if column.kind == "strings":
        return find(few.strings[column.name])
    codes = few.codes[column.name]
    news = codes[codes >= column.known]
    if not len(news):
        return {}
    assert column.categories is not None
    found = find(column.categories.take(pa.array(news)))
    return {entity: share * len(news) / few.count for entity, share in found.items()}


def budget(c: Comparison) -> list[Finding]:
    """What differential privacy promises, by the lineage of the synthetic rows. It is no test."""
    spent = bounded(c.lineage) if c.lineage else None
    if not spent:
        return [
            not_judged(
                "private",
                "privacy_budget",
                "No differential privacy is known of these rows, so no proof bounds what they tell "
                "of any one person: the tests above are all there is.",
            )
        ]
    epsilon, delta = sum(p.epsilon for p in spent), sum(p.delta for p in spent)
    units = {
        f"{p.unit} of up to {p.contributions:,} rows" if p.contributions > 1 else p.unit
        for p in spent
    }
    whom = " or ".join(sorted(units))
    return [
        Finding(
            question="private",
            name="privacy_budget",
            value=epsilon,
            low=epsilon,
            high=epsilon,
            reference=None,
            count=len(spent),
            verdict="pass" if epsilon <= REASONABLE else "info",
            text=f"Differential privacy bounds what these rows tell of any one {whom}: "
            f"epsilon {epsilon:.4g}, delta {delta:.2g} (up to 1 is strong, up to "
            f"{REASONABLE:g} reasonable, more is weak).",
            details={"delta": delta, "epsilon": [p.epsilon for p in spent]},
        )
    ]


def bounded(lineage: Lineage) -> tuple[Privacy, ...]:
    """The private releases that all that is known passed through; () where real rows did not.

    Their epsilons and deltas add up (Dwork & Roth 2014, theorem 3.16).
    """
    if lineage.privacy:
        return lineage.privacy
    if lineage.real or not lineage.parents:
        return ()
    parents = {p.digest: bounded(p) for p in lineage.parents}
    return sum(parents.values(), ()) if all(parents.values()) else ()
