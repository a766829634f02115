"""Series in time: many by entity (visits, purchases, readings) or a single long one.

    fitted = geurim.fit("purchases.csv", Sequences(entity="customer", time="date"), seed=7)
    rows = flatten(geurim.sample(fitted, 10_000, seed=7))    # the purchases of 10,000 new customers

One row of `geurim.sample` is one unit, with its events in a list; `flatten` writes the rows in the
real table's own columns.
"""

from __future__ import annotations

from geurim.sequences.fitted import FittedSequences, Sequences
from geurim.sequences.layout import Layout, Series, flatten, nest, read_series, split_units
from geurim.sequences.recurrent import Recurrent

__all__ = [
    "FittedSequences",
    "Layout",
    "Recurrent",
    "Sequences",
    "Series",
    "flatten",
    "nest",
    "read_series",
    "split_units",
]
