"""More of a rare class for training: real rows and, after them, synthetic ones that are sharpened.

Synthetic rows of a class with thirty examples are only as good as what thirty rows tell of it. So:

1. the generator learns from all rare rows and a few of the others for each, where the class is
   common enough to matter to it;
2. candidates are drawn, more than are needed;
3. a forest learned from the real rows says of each how surely it is rare; rows are taken in
   proportion to that, to the power `sharpness`. This is importance resampling (Rubin 1987): what a
   generator blurs, a classifier on the same rows knows better;
4. for every rare row, a share `others` of other rows near the border is added, so that a learner
   sees where the class ends.

Not to be confused with `balance` in `sample`, which draws a class as the generator knows it and is
meant for looking and testing. Whether it helps a learner is measured in benchmarks/RARE.md: trees
that are boosted often need no help at all.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.contract import Event, Generator, Lineage, Profile, Progress, Source, quiet
from geurim.errors import DataError, SettingError

FEWEST = 8
"""Rare rows below which nothing can be learned of a class."""

_AUGMENT = 0x61756772  # the spawn key of its random streams
_BESIDE = 3  # other rows that are learned from, for each rare one
_LOOKED_AT = 20_000  # other rows that the forest learns from, at most
_TREES = 150


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """How many synthetic rows of each kind bring the class to its share."""

    rare: int
    other: int

    @classmethod
    def of(cls, rows: int, rare: int, share: float, others: float) -> _Plan:
        left = 1.0 - share * (1.0 + others)
        if left <= 0:
            raise SettingError(
                f"share {share:g} with others {others:g} can never be reached. "
                f"Give others below {(1 - share) / share:.2f}."
            )
        need = max(round((share * rows - rare) / left), 0)
        return cls(rare=need, other=round(others * need))


def augment(
    data: Any,
    target: str,
    *,
    value: Any = None,
    share: float = 0.5,
    others: float = 0.5,
    sharpness: float = 3.0,
    generator: str | Generator = "trees",
    real: bool = True,
    seed: int | None = None,
    progress: Progress = quiet,
) -> Source:
    """The rows of `data` and synthetic ones, so that `value` makes up `share` of column `target`.

    `value`: None takes the rarest. `others`: synthetic rows of the other classes for each of the
    rare. `sharpness`: 0 takes candidates as they are drawn; more keeps those that a classifier is
    surest of. `real=False` gives the synthetic rows alone. Rows that miss the target are kept and
    not learned from. Use it on training rows only: rows that a model is tested on must stay real.

    Raises SettingError for a target, value or share that cannot be had, DataError for fewer than
    `FEWEST` rare rows.
    """
    from geurim.analyze import analyze
    from geurim.read import as_source

    _check(share, others, sharpness)
    source = as_source(data)
    table = source.to_arrow()
    profile = analyze(source, progress=progress)
    is_rare, value = _rare(table, target, value, profile)
    plan = _Plan.of(table.num_rows, int(is_rare.sum()), share, others)
    seed = secrets.randbits(63) if seed is None else seed
    made = table.slice(0, 0)
    if plan.rare:
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_AUGMENT,)))
        made = _make(table, is_rare, target, profile, plan, generator, sharpness, rng, progress)
    lineage = Lineage.made(
        f"augment({target!r}, {generator!r})",
        seed=seed,
        request=[str(value), share, others, sharpness, real],
        parents=(source.lineage,),
        shares=(table.num_rows / max(table.num_rows + made.num_rows, 1),) if real else (),
    )
    parts = [table, made] if real else [made]

    def read() -> Iterator[pa.RecordBatch]:
        for part in parts:
            yield from part.to_batches(max_chunksize=65_536)

    rows = sum(p.num_rows for p in parts)
    return Source(schema=table.schema, lineage=lineage, read=read, rows=rows)


def _check(share: float, others: float, sharpness: float) -> None:
    if not 0 < share < 1:
        raise SettingError(f"share is {share!r}. Give a number between 0 and 1, such as 0.5.")
    for name, given in (("others", others), ("sharpness", sharpness)):
        if not given >= 0:
            raise SettingError(f"{name} is {given!r}. Give a number from 0.")


def _rare(table: pa.Table, target: str, value: Any, profile: Profile) -> tuple[np.ndarray, Any]:
    """Which rows (N,) are of the class, and its value."""
    if target not in table.column_names:
        raise SettingError(
            f"target is {target!r}, which is no column. "
            f"Choose one of: {', '.join(map(repr, table.column_names))}."
        )
    counted = table[target].combine_chunks().drop_null().value_counts()
    counts = {v.as_py(): n.as_py() for v, n in zip(*counted.flatten(), strict=True)}
    if not 2 <= len(counts) <= 50:
        raise SettingError(
            f"target {target!r} has {len(counts):,} different values. "
            "Give a column of 2 to 50 values, such as a class."
        )
    by_text = {str(v): v for v in counts}
    if value is None:
        value = min(counts, key=lambda v: counts[v])
    elif value not in counts and str(value) not in by_text:
        raise SettingError(
            f"value {value!r} does not occur in {target!r}. "
            f"Choose one of: {', '.join(map(repr, counts))}."
        )
    value = value if value in counts else by_text[str(value)]
    if counts[value] < FEWEST:
        raise DataError(
            f"{target} = {value!r} has {counts[value]} rows, and at least {FEWEST} are needed to "
            "learn what it looks like. Collect more, or describe the class by rules."
        )
    same = pc.equal(table[target], pa.scalar(value, table.schema.field(target).type))
    return np.asarray(pc.fill_null(same, False)), value


def _make(
    table: pa.Table,
    is_rare: np.ndarray,
    target: str,
    profile: Profile,
    plan: _Plan,
    generator: str | Generator,
    sharpness: float,
    rng: np.random.Generator,
    progress: Progress,
) -> pa.Table:
    """The synthetic rows, in random order."""
    from geurim.generators import fit
    from geurim.sample import sample

    known = np.asarray(table[target].is_valid())
    rare, other = np.flatnonzero(is_rare), np.flatnonzero(~is_rare & known)
    beside = rng.choice(other, min(_BESIDE * len(rare), len(other)), replace=False)
    chosen = np.sort(np.concatenate([rare, beside]))
    fitted = fit(
        table.take(pa.array(chosen)),
        generator,
        profile=profile,
        seed=int(rng.integers(2**62)),
        progress=progress,
    )
    count = max(4 * plan.rare, 8_000)
    drawn = sample(fitted, count, seed=int(rng.integers(2**62)), progress=progress)
    candidates = drawn.to_arrow()
    progress(Event(step="sample", done=0, total=1, unit="forests", note="sharpening"))
    sure = _sureness(table, is_rare, rare, other, candidates, target, profile, rng)
    value = table[target].take(pa.array([rare[0]]))
    first = _pick(candidates, sure**sharpness, plan.rare, rng)
    place = first.schema.get_field_index(target)
    same = pa.chunked_array([value.combine_chunks().take(pa.array(np.zeros(plan.rare, np.int64)))])
    first = first.set_column(place, first.schema.field(target), same)
    label = candidates[target].combine_chunks()
    apart = np.asarray(pc.fill_null(pc.not_equal(label, value[0]), False))
    second = _pick(
        candidates.filter(pa.array(apart)), (1 - sure[apart]) ** sharpness, plan.other, rng
    )
    both = pa.concat_tables([first, second])
    mixed = both.take(pa.array(rng.permutation(both.num_rows))).combine_chunks()
    # A candidate that was taken twice must not bring its key along twice.
    batches = mixed.to_batches()
    return pa.Table.from_batches([fitted.number(b, 0) for b in batches], mixed.schema)


def _pick(rows: pa.Table, weight: np.ndarray, count: int, rng: np.random.Generator) -> pa.Table:
    """`count` rows in proportion to their weight, none taken more often than it must be."""
    if not rows.num_rows:
        return rows
    edges = np.cumsum(np.maximum(weight, 1e-12))
    wanted = (np.arange(count) + rng.random()) / max(count, 1) * edges[-1]
    place = np.minimum(np.searchsorted(edges, wanted, side="right"), rows.num_rows - 1)
    return rows.take(pa.array(place))


def _sureness(
    table: pa.Table,
    is_rare: np.ndarray,
    rare: np.ndarray,
    other: np.ndarray,
    candidates: pa.Table,
    target: str,
    profile: Profile,
    rng: np.random.Generator,
) -> np.ndarray:
    """How surely each candidate is rare (M,), by a forest in which both classes weigh alike."""
    import ydf

    from geurim.verify.classifier import Design
    from geurim.verify.compare import encode

    looked = np.sort(
        np.concatenate([rare, rng.choice(other, min(len(other), _LOOKED_AT), replace=False)])
    )
    training = table.take(pa.array(looked)).drop_columns([target])
    tables = [training, candidates.drop_columns([target])]
    columns, (known, asked) = encode([(t, t.num_rows) for t in tables], profile)
    design = Design([c for c in columns if c.kind != "strings"], known)
    label = is_rare[looked]
    weights = np.where(label, (~label).sum() / label.sum(), 1.0).astype(np.float32)
    inputs = {**design(known), "label": label.astype(np.int64), "weight": weights}
    learner = ydf.RandomForestLearner(
        label="label",
        weights="weight",
        features=design.features(),
        num_trees=_TREES,
        min_examples=3,
        compute_oob_performances=False,
        num_threads=1,
        random_seed=int(rng.integers(2**31)),
    )
    return np.asarray(learner.train(inputs, verbose=0).predict(design(asked)))
