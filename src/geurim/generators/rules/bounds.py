"""What the values of a column can be, as far as its kind says: for conditions that never hold."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import or_

import pyarrow as pa

from geurim.expressions.ranges import on_axis
from geurim.generators.rules.distributions import DISTRIBUTIONS
from geurim.generators.rules.draws import Draw
from geurim.generators.rules.formulas import Formula, Value
from geurim.generators.rules.kinds import (
    Between,
    Cases,
    Chance,
    Chosen,
    Computed,
    Constant,
    Drawn,
    Kind,
    Mixed,
)
from geurim.generators.rules.ranges import Interval

Of = Callable[[Formula], Interval]


def bounds(kind: Kind, of: Of) -> Interval:
    """What values of this kind can be, where `of` says what a formula can; anything, if unknown."""
    if isinstance(kind, Constant):
        return _values(pa.array([kind.value], kind.type))
    if isinstance(kind, Computed):
        return of(kind.formula)
    if isinstance(kind, Drawn):
        return _drawn(kind.draw, of)
    if isinstance(kind, Mixed):
        return reduce(or_, (_drawn(d, of) for d in kind.draws))
    if isinstance(kind, Chosen):
        # A case that is not listed leaves the value missing.
        listed = reduce(or_, (_values(c.values) for c in kind.cases))
        return Interval(listed.low, listed.high, listed.values, bool(kind.given))
    if isinstance(kind, Chance):
        return Interval(values=frozenset([True, False]), missing=False)
    if isinstance(kind, Between):
        low, high = of(kind.low), of(kind.high)
        return Interval(low.low, max(low.high, high.high))
    if isinstance(kind, Cases):
        found = reduce(or_, (bounds(k, of) for k in kind.kinds))
        return Interval(found.low, found.high, found.values)
    return Interval()


def _values(values: pa.Array) -> Interval:
    listed = values.to_pylist()
    axis = [on_axis(v, values.type) for v in listed]
    if all(a is not None for a in axis):
        known = [a for a in axis if a is not None]
        return Interval(min(known), max(known), missing=False)
    return Interval(values=frozenset(listed), missing=False)


def _drawn(draw: Draw, of: Of) -> Interval:
    """The support of a distribution within its bounds; rounding may pass them by half a step."""
    if draw.seconds is not None:
        return Interval()
    low, high = -float("inf"), float("inf")
    given = dict(draw.parameters)
    if not any(isinstance(v, Formula) for v in given.values()):
        family = DISTRIBUTIONS[draw.name]
        usual = {k: p.default for k, p in family.parameters.items()}
        low, high = family.support(**{**usual, **given})
    ends = [_end(draw.low, of), _end(draw.high, of)]
    step = 0.0 if draw.digits is None else 0.5 * 10.0**-draw.digits
    return Interval(max(low, ends[0].low) - step, min(high, ends[1].high) + step, missing=False)


def _end(value: Value | None, of: Of) -> Interval:
    if value is None:
        return Interval()
    return of(value) if isinstance(value, Formula) else Interval(value, value)
