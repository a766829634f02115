"""Any generator under constraints: it learns as ever, and what it draws is brought to keep them.

    equations, dependences    derived: the column is computed, or looked up, from the others
    end >= start              left to the generator where it keeps it in nearly all rows, the driver
                              draws the rest again; else the gap is learned instead of the end
    other conditions, seen    the driver draws again the rows that break them
    unique                    the driver draws again the rows whose combination came before
    rising                    values are handed out in order as rows are numbered

What real rows break is not learned from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from geurim.columns import from_axis, to_axis
from geurim.constraints.kinds import Constraint, Determines, Rising, Rule, Seen, Unique, combined
from geurim.constraints.kinds import parse as parse_one
from geurim.constraints.learned import Kept, Learned, find_gaps, inner_schema, step_of, with_gaps
from geurim.constraints.lookup import Lookup
from geurim.constraints.plan import Derived, Gap, Sum, gap_type
from geurim.contract import Fitted, Generator, Json, Lineage, Profile, Progress, Source, quiet
from geurim.errors import SettingError


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedConstrained(Fitted):
    """A fitted generator, and what is done to its draws."""

    schema: pa.Schema
    lineage: Lineage
    profile: Profile
    inner: Fitted
    asked: tuple[Constraint, ...]
    kept: tuple[Kept, ...]
    gaps: tuple[Gap, ...] = ()
    derived: tuple[Derived, ...] = ()
    lookups: Mapping[str, Lookup]  # by the text of its rule
    pairs: Mapping[str, np.ndarray]  # of each Seen, by its text: the combinations met, as hashes
    stairs: Mapping[str, np.ndarray]  # of each Rising, by its text: the real values in order
    name: ClassVar[str] = "constrained"

    @property
    def completes(self) -> bool:  # type: ignore[override]
        return self.inner.completes

    @property
    def block(self) -> int:  # type: ignore[override]
        return self.inner.block

    @property
    def joint(self) -> bool:  # type: ignore[override]
        return self.inner.joint

    @property
    def repeatable(self) -> bool:  # type: ignore[override]
        return self.inner.repeatable

    @property
    def unique(self) -> tuple[tuple[str, ...], ...]:
        """Columns whose combinations must not come twice: the driver sees to it."""
        return tuple(c.columns for c in self.asked if isinstance(c, Unique))

    def draw(
        self, rows: int, rng: np.random.Generator, given: pa.Table | None = None
    ) -> pa.RecordBatch:
        known = frozenset(given.column_names) if given is not None else frozenset()
        drawn = self.inner.draw(rows, rng, None if given is None else self._inward(given))
        columns = dict(zip(drawn.schema.names, drawn.columns, strict=True))
        if given is not None:
            columns |= {n: given[n].combine_chunks() for n in given.column_names}
        self._outward(columns, known)
        batch = pa.RecordBatch.from_arrays(
            [columns[n] for n in self.schema.names], schema=self.schema
        )
        soft = {k.text for k in self.kept if k.found}
        for step in self.derived:
            found = _derive(step, batch, known, str(step.rule) in soft)
            if found is not None:
                place = batch.schema.get_field_index(found[0])
                batch = batch.set_column(place, self.schema.field(place), found[1])
        return batch

    def condition(self, columns: tuple[str, ...]) -> FittedConstrained:
        self._check_known(columns)
        return replace(self, inner=self.inner.condition(columns))

    def breaks(
        self, batch: pa.RecordBatch, given: frozenset[str] = frozenset()
    ) -> dict[str, np.ndarray]:
        """Which rows (N,) break what, by the text of each constraint that is kept by rejection."""
        found: dict[str, np.ndarray] = {}
        for constraint, kept in zip(self.asked, self.kept, strict=True):
            text = str(constraint)
            if isinstance(constraint, Rule) and kept.how != "by the generator alone":
                found[text] = ~constraint.mask(batch)
            elif isinstance(constraint, Determines) and text in self.lookups:
                again = kept.how == "by drawing again"
                if again or (constraint.column in given and not kept.found):
                    found[text] = ~self.lookups[text].mask(batch)
            elif isinstance(constraint, Seen):
                keys = combined(batch, constraint.columns)
                found[text] = ~np.isin(keys, self.pairs[text])
        return found

    def number(self, batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        """Hand out the values of columns that rise, in order, from the first row on."""
        batch = self.inner.number(batch, first_row)
        for constraint in self.asked:
            if isinstance(constraint, Rising):
                column = _climb(constraint, self.stairs[str(constraint)], batch, first_row)
                place = batch.schema.get_field_index(constraint.column)
                batch = batch.set_column(place, batch.schema.field(place), column)
        return batch

    def _inward(self, given: pa.Table) -> pa.Table:
        """Given values as the inner generator knows them: gaps instead of what they lead to."""
        self._check_known(tuple(given.column_names))
        for gap in self.gaps:
            if gap.high in given.column_names:
                place = given.column_names.index(gap.high)
                kind = self.schema.field(gap.high).type
                away = gap.away(given, kind)
                given = given.set_column(place, pa.field(gap.high, gap_type(kind)), away)
        return given

    def _check_known(self, columns: tuple[str, ...]) -> None:
        for gap in self.gaps:
            lacking = [n for n in gap.lows if n not in columns]
            if gap.high in columns and lacking:
                raise SettingError(
                    f"{gap.high!r} is learned as what it lies above "
                    f"{', '.join(map(repr, gap.lows))}, so it cannot be given without "
                    f"{', '.join(map(repr, lacking))}. Give these too, or fit without that "
                    "constraint and use where."
                )

    def _outward(self, columns: dict[str, Any], given: frozenset[str]) -> None:
        axes: dict[str, np.ndarray] = {}
        for gap in self.gaps:
            for name in gap.lows:
                if name not in axes:
                    axes[name] = to_axis(columns[name])
            if gap.high not in given:
                kind = self.schema.field(gap.high).type
                columns[gap.high], axes[gap.high] = gap.back(columns[gap.high], axes, kind)

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        inner, inner_arrays = self.inner.state()
        arrays = {f"inner/{k}": v for k, v in inner_arrays.items()}
        lookups: dict[str, Json] = {}
        for i, (text, lookup) in enumerate(self.lookups.items()):
            entry, parts = lookup.state()
            lookups[text] = entry | {"place": i}
            arrays |= {f"lookup/{i}/{k}": v for k, v in parts.items()}
        for kind, held in (("pairs", self.pairs), ("stairs", self.stairs)):
            arrays |= {f"{kind}/{i}": v for i, v in enumerate(held.values())}
        facts = {g.high: dict(self.inner.profile.columns[g.high]) for g in self.gaps}
        return {
            "inner": {"name": self.inner.name, "lineage": self.inner.lineage.to_json()}
            | {"state": inner, "facts": facts},
            "asked": [[str(c), getattr(c, "decimals", None)] for c in self.asked],
            "kept": [[k.text, k.how, k.real, k.found] for k in self.kept],
            "gaps": [g.to_json() for g in self.gaps],
            "derived": [str(d.rule) for d in self.derived],
            "lookups": lookups,
            "pairs": list(self.pairs),
            "stairs": list(self.stairs),
        }, arrays

    @classmethod
    def from_state(
        cls,
        profile: Profile,
        schema: pa.Schema,
        lineage: Lineage,
        state: dict[str, Json],
        arrays: dict[str, np.ndarray],
    ) -> FittedConstrained:
        from geurim.codec import part
        from geurim.generators import fitted_class

        asked = tuple(_reread(text, decimals, schema) for text, decimals in state["asked"])
        rules = {str(c): c for c in asked}
        lookups = {}
        for text, entry in state["lookups"].items():
            rule = rules[text]
            assert isinstance(rule, Determines)
            kind = schema.field(rule.column).type
            parts = part(arrays, f"lookup/{entry['place']}/")
            lookups[text] = Lookup.from_state(rule, kind, entry, parts)
        gaps = tuple(Gap.from_json(g) for g in state["gaps"])
        inner = state["inner"]
        facts = {**profile.columns, **inner["facts"]}
        return cls(
            schema=schema,
            lineage=lineage,
            profile=profile,
            inner=fitted_class(inner["name"]).from_state(
                replace(profile, columns=facts),
                inner_schema(schema, gaps),
                Lineage.from_json(inner["lineage"]),
                inner["state"],
                part(arrays, "inner/"),
            ),
            asked=asked,
            kept=tuple(Kept(text=t, how=h, real=r, found=f) for t, h, r, f in state["kept"]),
            gaps=gaps,
            derived=tuple(step_of(rules[t], lookups) for t in state["derived"]),
            lookups=lookups,
            pairs={t: arrays[f"pairs/{i}"] for i, t in enumerate(state["pairs"])},
            stairs={t: arrays[f"stairs/{i}"] for i, t in enumerate(state["stairs"])},
        )


@dataclass(frozen=True, kw_only=True)
class Constrained(Generator):
    """The settings of a generator, and what its rows must keep.

    constraints: what was asked for, as text. found: rules of the profile, kept where that costs
    little: combinations that few real rows have, and orders that would be drawn again too often,
    are left to the generator.
    """

    inner: Generator
    constraints: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    name: ClassVar[str] = "constrained"
    fitted: ClassVar[type[Fitted]] = FittedConstrained

    def fit(
        self,
        source: Source | None,
        profile: Profile,
        rng: np.random.Generator,
        progress: Progress = quiet,
    ) -> FittedConstrained:
        from geurim.constraints.contradictions import check

        schema = source.schema if source else profile.schema
        decimals = {n: c.get("decimals") for n, c in profile.columns.items()}
        texts = tuple(dict.fromkeys((*self.constraints, *self.found)))
        asked = tuple(dict.fromkeys(parse_one(t, schema, decimals) for t in texts))
        check(asked, profile)
        soft = frozenset(str(parse_one(t, schema, decimals)) for t in self.found)
        soft -= frozenset(str(parse_one(t, schema, decimals)) for t in self.constraints)
        learned = Learned.of(asked, soft, source, rng)
        inner = self.inner.fit(learned.source, profile, rng, progress)
        gaps, too_often = find_gaps(asked, soft, inner, profile, rng)
        if learned.source is None:
            gaps = ()  # there are no rows to measure gaps in
        if gaps and learned.source is not None:
            source, facts = with_gaps(learned.source, gaps, profile, progress)
            inner = self.inner.fit(source, facts, rng, progress)
        parents = (source.lineage,) if source else (profile.lineage,)
        return FittedConstrained(
            schema=schema if source else inner.schema,
            lineage=Lineage.made(repr(self), parents=parents, privacy=inner.lineage.privacy),
            profile=profile,
            inner=inner,
            asked=asked,
            kept=learned.kept(gaps, too_often),
            gaps=gaps,
            derived=learned.derived,
            lookups=learned.lookups,
            pairs=learned.pairs,
            stairs=learned.stairs,
        )


def _derive(
    step: Derived, batch: pa.RecordBatch, given: frozenset[str], soft: bool
) -> tuple[str, pa.Array] | None:
    if isinstance(step, Sum):
        return step.derive(batch, given)
    name = step.rule.column
    if name in given:
        return None
    return name, step.answers(batch, batch.schema.field(name).type, only_seen=soft)


def _reread(text: str, decimals: int | None, schema: pa.Schema) -> Constraint:
    found = parse_one(text, schema)
    return replace(found, decimals=decimals) if isinstance(found, Rule) else found


def _climb(rising: Rising, stairs: np.ndarray, batch: pa.RecordBatch, first_row: int) -> pa.Array:
    """The values of rows from `first_row` on: as in the real table, and on beyond its end."""
    place = batch.schema.get_field_index(rising.column)
    column = batch.column(place)
    if not len(stairs):
        return column
    quantiles, rows = stairs[:-1], float(stairs[-1])
    span = (quantiles[-1] - quantiles[0]) * (1 + 1 / max(rows - 1, 1))
    at = (np.arange(first_row, first_row + batch.num_rows) + 0.5) / rows
    turns = np.floor(at)
    value = np.interp(at - turns, np.linspace(0, 1, len(quantiles)), quantiles)
    if rising.falling:
        value = quantiles[-1] + quantiles[0] - value
        span = -span
    value = np.where(np.isnan(to_axis(column)), np.nan, value + turns * span)
    return from_axis(value, batch.schema.field(place).type)
