"""What the real rows say about constraints, and which rows there are to learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from geurim.columns import to_axis
from geurim.constraints.kinds import Constraint, Determines, Rising, Rule, Seen, Unique, combined
from geurim.constraints.lookup import Lookup
from geurim.constraints.plan import COVERED, Derived, Gap, Sum, gap_type, ordered
from geurim.contract import Fitted, Profile, Progress, Source
from geurim.errors import DataError, SettingError

_PILOT = 4_096  # rows drawn to see how well a generator keeps an order by itself
_OFTEN = 0.05  # from this share of broken rows on the gap is learned
_SPARED = 0.2  # of all rows: what may be drawn again for orders that nobody asked for
_ROWS = 400_000  # rows that lookups are learned from


@dataclass(frozen=True, kw_only=True)
class Kept:
    """How a constraint is kept. `real`: the real rows that broke it, and were not learned from."""

    text: str
    how: str  # "by construction", "by drawing again", or "by the generator alone"
    real: int = 0
    found: bool = False  # in the profile, not asked for by name


@dataclass(frozen=True, kw_only=True, eq=False)
class Learned:
    """What the real rows say about constraints, and the rows to learn from."""

    asked: tuple[Constraint, ...]
    soft: frozenset[str]
    source: Source | None
    derived: tuple[Derived, ...]
    lookups: Mapping[str, Lookup]
    pairs: Mapping[str, np.ndarray]
    stairs: Mapping[str, np.ndarray]
    broken: Mapping[str, int]

    @classmethod
    def of(
        cls,
        asked: tuple[Constraint, ...],
        soft: frozenset[str],
        source: Source | None,
        rng: np.random.Generator,
    ) -> Learned:
        need = [c for c in asked if not isinstance(c, Rule | Unique)]
        if source is None:
            need = [c for c in need if str(c) not in soft]
        if need and source is None:
            raise SettingError(
                f"The constraint {str(need[0])!r} is learned from rows, and there is a profile "
                "alone. Give the data, or leave it out."
            )
        source, broken = _keeping(asked, soft, source)
        lookups, pairs, stairs = {}, {}, {}
        if need and source is not None:
            table = _thinned(source, rng)
            for c in need:
                if isinstance(c, Determines):
                    lookups[str(c)] = Lookup.learn(c, table)
                    broken[str(c)] = lookups[str(c)].broken
                elif isinstance(c, Seen):
                    pairs[str(c)] = np.unique(combined(table, c.columns))
                elif isinstance(c, Rising):
                    stairs[str(c)], broken[str(c)] = _stairs(c, table)
        # Found ones: what has many values is derived from what has few, as a date from its parts.
        wanted = sorted(asked, key=lambda c: _finest(c, lookups) if str(c) in soft else (0, 0))
        steps = [step_of(c, lookups) for c in wanted if _derivable(c, lookups, soft)]
        derived, _ = ordered(steps)
        return cls(
            asked=asked,
            soft=soft,
            source=source,
            derived=tuple(derived),
            lookups=lookups,
            pairs=pairs,
            stairs=stairs,
            broken=broken,
        )

    def kept(self, gaps: tuple[Gap, ...], too_often: frozenset[str]) -> tuple[Kept, ...]:
        built = {str(d.rule) for d in self.derived}
        found = []
        for c in self.asked:
            text = str(c)
            how = "by drawing again"
            order = c.order if isinstance(c, Rule) else None
            as_gap = order and any(g.high == order[1] and order[0] in g.lows for g in gaps)
            if text in built or as_gap or isinstance(c, Rising):
                how = "by construction"
            elif text in too_often or (text in self.soft and not order):
                how = "by the generator alone"
            found.append(
                Kept(text=text, how=how, real=self.broken.get(text, 0), found=text in self.soft)
            )
        return tuple(found)


def _finest(c: Constraint, lookups: Mapping[str, Lookup]) -> tuple[int, int]:
    return 1, -len(lookups[str(c)].values) if str(c) in lookups else 0


def _derivable(c: Constraint, lookups: Mapping[str, Lookup], soft: frozenset[str]) -> bool:
    if isinstance(c, Rule):
        return c.sum is not None
    if str(c) not in lookups:
        return False
    return str(c) not in soft or lookups[str(c)].covered >= COVERED


def step_of(c: Constraint, lookups: Mapping[str, Lookup]) -> Derived:
    return Sum(rule=c) if isinstance(c, Rule) else lookups[str(c)]


def _keeping(
    asked: tuple[Constraint, ...], soft: frozenset[str], source: Source | None
) -> tuple[Source | None, dict[str, int]]:
    """The rows that keep every rule asked for by name, and how many broke each."""
    rules = [c for c in asked if isinstance(c, Rule) and str(c) not in soft]
    broken = {str(c): 0 for c in rules}
    if source is None or not rules:
        return source, broken
    rows = kept = 0
    for batch in source.read():
        whole = np.ones(batch.num_rows, bool)
        for rule in rules:
            mask = rule.mask(batch)
            broken[str(rule)] += int((~mask).sum())
            whole &= mask
        rows, kept = rows + batch.num_rows, kept + int(whole.sum())
    if kept == rows:
        return source, broken
    if not kept:
        raise DataError(
            f"None of the {rows:,} real rows keeps the constraints {', '.join(map(repr, broken))}: "
            "there is nothing to learn from. Correct the constraints or the data."
        )

    def read() -> Any:
        for batch in source.read():
            whole = np.logical_and.reduce([r.mask(batch) for r in rules])
            yield batch.filter(pa.array(whole))

    return replace(source, read=read, rows=kept), broken


def _thinned(source: Source, rng: np.random.Generator) -> pa.Table:
    from geurim.generators.trees import thin

    table = thin(source, _ROWS, rng)
    if not table.num_rows:
        raise DataError(f"There are no rows in {source.lineage.maker}. Give at least one.")
    return table


def find_gaps(
    asked: tuple[Constraint, ...],
    soft: frozenset[str],
    inner: Fitted,
    profile: Profile,
    rng: np.random.Generator,
) -> tuple[tuple[Gap, ...], frozenset[str]]:
    """The orders that the generator breaks too often: those asked for as gaps, lows before highs;
    found ones, which are then left to the generator, by their text.
    """
    orders = [c for c in asked if isinstance(c, Rule) and c.order]
    if not orders:
        return (), frozenset()
    pilot = inner.draw(_PILOT, rng)
    broken = {str(c): ~c.mask(pilot) for c in orders}
    spared = np.zeros(pilot.num_rows, bool)
    too_often = []
    for text in sorted(soft & set(broken), key=lambda t: broken[t].mean()):
        if (spared | broken[text]).mean() > _SPARED:
            too_often.append(text)
        else:
            spared |= broken[text]
    often = [c.order for c in orders if str(c) not in soft and broken[str(c)].mean() > _OFTEN]
    lows: dict[str, list[str]] = {}
    strict: dict[str, bool] = {}
    for low, high, is_strict in (o for o in often if o):
        lows.setdefault(high, []).append(low)
        strict[high] = strict.get(high, False) or is_strict
    found: dict[str, Gap] = {}

    def settle(high: str) -> None:
        for low in lows[high]:
            if low in lows:
                settle(low)
        facts = profile.columns[high]
        least = [profile.columns[n]["min"] for n in lows[high]]
        found.setdefault(
            high,
            Gap(
                high=high,
                lows=tuple(lows[high]),
                fill=float(min(least)),
                top=float(facts["max"]),
                decimals=facts.get("decimals"),
                strict=strict[high],
            ),
        )

    for high in lows:
        settle(high)
    return tuple(found.values()), frozenset(too_often)


def with_gaps(
    source: Source, gaps: tuple[Gap, ...], profile: Profile, progress: Progress
) -> tuple[Source, Profile]:
    """The rows with gaps in the place of what they lead to, and their profile."""
    from geurim.analyze import analyze

    outer = source.schema
    schema = inner_schema(outer, gaps)

    def read() -> Any:
        for batch in source.read():
            columns = dict(zip(batch.schema.names, batch.columns, strict=True))
            for gap in gaps:
                columns[gap.high] = gap.away(batch, outer.field(gap.high).type)
            yield pa.RecordBatch.from_arrays([columns[n] for n in schema.names], schema=schema)

    changed = replace(source, schema=schema, read=read)
    # The whole, since what hangs together with a gap is not what hangs together with its end.
    fresh = analyze(changed, progress=progress)
    known = {n: fresh.columns[n] for n in schema.names if n in {g.high for g in gaps}}
    facts = replace(
        profile,
        schema=schema,
        columns={**profile.columns, **known},
        dependence=fresh.dependence,
    )
    return changed, facts


def inner_schema(schema: pa.Schema, gaps: tuple[Gap, ...]) -> pa.Schema:
    for gap in gaps:
        place = schema.get_field_index(gap.high)
        schema = schema.set(place, pa.field(gap.high, gap_type(schema.field(place).type)))
    return schema


def _stairs(rising: Rising, table: pa.Table) -> tuple[np.ndarray, int]:
    """101 quantiles of the values, the mean number of real rows to one, and how often they fall."""
    values = to_axis(table[rising.column])
    values = values[~np.isnan(values)]
    steps = np.diff(values)
    broken = int((steps > 0).sum() if rising.falling else (steps < 0).sum())
    if not len(values):
        return np.zeros(0), 0
    return np.append(np.quantile(values, np.linspace(0, 1, 1001)), table.num_rows), broken
