"""Conditions of a world that nothing within its bounds can meet, found before generation.

The reasoning is that of constraints: `geurim.expressions.ranges` says what a formula can be,
`geurim.constraints.contradictions` why conditions cannot hold.
"""

from __future__ import annotations

from geurim.constraints.contradictions import impossible as why_impossible
from geurim.expressions import Expression
from geurim.expressions.interval import Interval, Intervals
from geurim.expressions.ranges import range_of

__all__ = ["Interval", "Intervals", "impossible", "range_of", "why_impossible"]


def impossible(condition: Expression, ranges: Intervals) -> bool:
    """Whether no value within the ranges can meet the condition; never a false alarm.

    Not for a formula's value: what it can be is `range_of`. The reason is `why_impossible`.
    """
    return why_impossible([condition], ranges) is not None
