"""Constraints: what every row must keep, given as text or found in the profile.

    fitted = geurim.fit(data, constraints=["end >= start", "zip -> city"])
    fitted = geurim.fit(data, constraints="found")       # the rules of the profile
    for kept in check(rows, ["end >= start"]): ...       # how many rows break what

How they are kept is written in `geurim.constraints.constrained`; the kinds in `…kinds`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from geurim.columns import to_axis
from geurim.constraints.kinds import (
    Constraint,
    Determines,
    Rising,
    Rule,
    Seen,
    Unique,
    combined,
    parse,
    quoted,
)
from geurim.contract import Event, Finding, Fitted, Generator, Profile, Progress, Source, quiet
from geurim.errors import SettingError

__all__ = ["Broken", "check", "constrain", "found", "how_kept", "parse"]

FOUND = "found"
"""Among constraints: the rules of the profile."""


def found(profile: Profile, columns: Sequence[str] | None = None) -> list[str]:
    """The rules of a profile as constraints, of those over `columns`; None for all."""
    known = set(profile.schema.names if columns is None else columns)
    texts: dict[str, None] = {}
    for rule in profile.rules:
        text = rule_text(rule)
        if set(parse(text, profile.schema).columns) <= known:
            texts[text] = None
    return list(texts)


def rule_text(rule: Mapping[str, Any]) -> str:
    """A rule of a profile, written as a constraint."""
    if rule["kind"] == "determines":
        return str(Determines(tuple(rule["by"]), rule["column"]))
    if rule["kind"] == "order":
        return f"{quoted(rule['low'])} <= {quoted(rule['high'])}"
    if rule["kind"] == "sum":
        sign = f" {rule['sign']} "
        return f"{quoted(rule['column'])} = {sign.join(quoted(n) for n in rule['parts'])}"
    if rule["kind"] == "unique":
        return str(Unique(tuple(rule["columns"])))
    return str(Rising(rule["column"], rule["kind"] == "falling"))


def constrain(
    settings: Generator, asked: Sequence[str] | str, profile: Profile, columns: Sequence[str]
) -> Generator:
    """The settings under constraints; as they are where there are none.

    `asked`: texts, or "found" among them; `columns`: those that are learned. Raises SettingError.
    """
    texts = [asked] if isinstance(asked, str) else list(asked)
    wanted = [t for t in texts if t != FOUND]
    for text in wanted:
        if not isinstance(text, str):
            raise SettingError(f"A constraint is {text!r}. Write it as text: 'end >= start'.")
    rules = found(_by_rows(profile), columns) if FOUND in texts else []
    if not wanted and not rules:
        return settings
    from geurim.constraints.constrained import Constrained
    from geurim.constraints.contradictions import check as refuse

    # Refused before long work: what cannot be read, or cannot hold.
    refuse([parse(t, profile.schema) for t in wanted], profile)
    mine = [t for t in wanted if set(parse(t, profile.schema).columns) <= set(columns)]
    return Constrained(inner=settings, constraints=tuple(mine), found=tuple(rules))


def _by_rows(profile: Profile) -> Profile:
    """The profile with the rules on rows by themselves.

    That no combination comes twice bounds how many rows there can be, and that a column rises says
    where each row stands: they are kept where they are asked for by name.
    """
    rules = tuple(r for r in profile.rules if r["kind"] in ("determines", "order", "sum"))
    return replace(profile, rules=rules)


def how_kept(fitted: Fitted) -> tuple[Any, ...]:
    """How a fitted generator keeps each of its constraints: `Kept` values; none without any."""
    inner = getattr(fitted, "learned", fitted)
    kept: tuple[Any, ...] = getattr(inner, "kept", ())
    return kept


@dataclass(frozen=True, kw_only=True)
class Broken:
    """How many of `rows` rows break a constraint."""

    text: str
    rows: int
    broken: int


def check(
    data: Any,
    constraints: Sequence[str],
    *,
    real: Any = None,
    progress: Progress = quiet,
) -> list[Broken]:
    """Count the rows that break each constraint, in one pass and bounded memory.

    Of `Determines`, a row breaks it that disagrees with the first row of its combination; of
    `Unique`, one whose combination came before; of `Rising`, one below the row before. `real`: the
    real rows, which `seen(…)` is judged by. Memory grows with the combinations met, 8 to 16 bytes
    each. Raises SettingError.
    """
    from geurim.read import as_source

    source = as_source(data)
    decimals = _decimals(source)
    asked = [parse(t, source.schema, decimals) for t in constraints]
    known = None if real is None else as_source(real)
    counters = [_counter(c, known) for c in asked]
    rows, broken = 0, [0] * len(asked)
    for batch in source.read():
        rows += batch.num_rows
        for i, counter in enumerate(counters):
            broken[i] += int((~counter.mask(batch)).sum())
        progress(Event(step="verify", done=rows, total=source.rows, note="constraints"))
    return [Broken(text=str(c), rows=rows, broken=b) for c, b in zip(asked, broken, strict=True)]


def findings(data: Any, constraints: Sequence[str], *, real: Any = None) -> list[Finding]:
    """`check` as findings for a report: pass where no row breaks a constraint."""
    from geurim.verify.stats import wilson

    told = []
    for b in check(data, constraints, real=real):
        low, high = wilson(b.broken, b.rows)
        told.append(
            Finding(
                question="faithful",
                name="constraint",
                value=b.broken / max(b.rows, 1),
                low=low,
                high=high,
                reference=0.0,
                count=b.rows,
                verdict="warn" if b.broken else "pass",
                text=f"{b.broken:,} of {b.rows:,} rows break {b.text!r}"
                + (", which no real row does." if b.broken else "."),
                details={"constraint": b.text},
            )
        )
    return told


def _decimals(source: Source) -> dict[str, int | None]:
    """Places of decimal columns, so that sums hold up to rounding; from the first rows."""
    first = next(iter(source.read()), None)
    if first is None:
        return {}
    found: dict[str, int | None] = {}
    for item in source.schema:
        if pa.types.is_floating(item.type):
            values = to_axis(first.column(item.name))
            values = values[np.isfinite(values)]
            places = (d for d in range(9) if np.array_equal(np.round(values, d), values))
            found[item.name] = next(places, None)
    return found


class _Counter:
    """Which rows keep a constraint, batch after batch."""

    def mask(self, batch: pa.RecordBatch) -> np.ndarray:
        raise NotImplementedError


@dataclass
class _Rows(_Counter):
    rule: Rule

    def mask(self, batch: pa.RecordBatch) -> np.ndarray:
        return self.rule.mask(batch)


@dataclass
class _Agreeing(_Counter):
    rule: Determines
    first: dict[int, int] = field(default_factory=dict)

    def mask(self, batch: pa.RecordBatch) -> np.ndarray:
        keys = combined(batch, self.rule.by)
        answers = combined(batch, (self.rule.column,))
        pairs, place = np.unique(np.stack([keys, answers]), axis=1, return_inverse=True)
        _, row = np.unique(place.ravel(), return_index=True)
        for i in np.argsort(row):
            self.first.setdefault(int(pairs[0, i]), int(pairs[1, i]))
        agree = np.array([self.first[int(k)] == int(a) for k, a in pairs.T], bool)
        return agree[place.ravel()]


@dataclass
class Once(_Counter):
    """The first row of each combination; rows that miss one of the columns are left alone."""

    columns: tuple[str, ...]
    met: set[int] = field(default_factory=set)

    def mask(self, batch: pa.RecordBatch) -> np.ndarray:
        keys = combined(batch, self.columns)
        whole = np.ones(batch.num_rows, bool)
        for name in self.columns:
            whole &= np.asarray(batch.column(name).is_valid())
        found = np.ones(batch.num_rows, bool)
        for i, key in zip(np.flatnonzero(whole).tolist(), keys[whole].tolist(), strict=True):
            found[i] = key not in self.met
            self.met.add(key)
        return found


@dataclass
class _Known(_Counter):
    columns: tuple[str, ...]
    keys: np.ndarray

    def mask(self, batch: pa.RecordBatch) -> np.ndarray:
        return np.isin(combined(batch, self.columns), self.keys)


@dataclass
class _Climbing(_Counter):
    rule: Rising
    last: float = np.nan

    def mask(self, batch: pa.RecordBatch) -> np.ndarray:
        values = to_axis(batch.column(self.rule.column))
        present = np.flatnonzero(~np.isnan(values))
        found = np.ones(batch.num_rows, bool)
        if len(present):
            before = np.append(self.last, values[present[:-1]])
            steps = values[present] - before
            found[present] = ~(steps > 0 if self.rule.falling else steps < 0)
            self.last = float(values[present[-1]])
        return found


def _counter(c: Constraint, real: Source | None) -> _Counter:
    if isinstance(c, Rule):
        return _Rows(c)
    if isinstance(c, Determines):
        return _Agreeing(c)
    if isinstance(c, Unique):
        return Once(c.columns)
    if isinstance(c, Rising):
        return _Climbing(c)
    if real is None:
        raise SettingError(
            f"The constraint {str(c)!r} is judged by the real rows, and there are none. Give them."
        )
    keys = [combined(b, Seen(c.columns).columns) for b in real.read()]
    return _Known(c.columns, np.unique(np.concatenate(keys)) if keys else np.zeros(0, np.uint64))
