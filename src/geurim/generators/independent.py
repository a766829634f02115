"""Independent: each column from its own distribution, as if no column told of another.

A baseline: what verifies no better than this has learned no dependence. Not for use as data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pyarrow as pa

from geurim.contract import Fitted, Generator, Json, Lineage, Profile, Progress, Source, quiet
from geurim.errors import DataError
from geurim.generators.marginal import (
    Marginal,
    learned_schema,
    marginal,
    missing_share,
    with_missing,
)
from geurim.generators.resample import from_bytes, one_batch, to_bytes


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedIndependent(Fitted):
    """Columns drawn one by one: from the real values, or from the profile's distributions."""

    schema: pa.Schema
    lineage: Lineage
    profile: Profile
    values: pa.RecordBatch | None = field(repr=False)  # columns out of step
    marginals: tuple[Marginal, ...] = field(repr=False)  # where there are no values
    name: ClassVar[str] = "independent"
    completes: ClassVar[bool] = True
    joint: ClassVar[bool] = False

    def draw(
        self, rows: int, rng: np.random.Generator, given: pa.Table | None = None
    ) -> pa.RecordBatch:
        known = () if given is None else given.column_names
        drawn = []
        for place, wanted in enumerate(self.schema):
            if given is not None and wanted.name in known:
                drawn.append(given.column(wanted.name).combine_chunks().cast(wanted.type))
            elif self.values is None:
                values = self.marginals[place].draw(rng.random(rows))
                missing = rng.random(rows) < missing_share(wanted, self.profile)
                drawn.append(with_missing(values, missing))
            else:
                drawn.append(
                    self.values.column(place).take(
                        pa.array(rng.integers(self.values.num_rows, size=rows))
                    )
                )
        return pa.RecordBatch.from_arrays(drawn, schema=self.schema)

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        return {}, {} if self.values is None else {"values": to_bytes(self.values)}

    @classmethod
    def from_state(
        cls,
        profile: Profile,
        schema: pa.Schema,
        lineage: Lineage,
        state: dict[str, Json],
        arrays: dict[str, np.ndarray],
    ) -> FittedIndependent:
        values = from_bytes(arrays["values"], schema) if "values" in arrays else None
        return cls(
            schema=schema,
            lineage=lineage,
            profile=profile,
            values=values,
            marginals=_marginals(schema, profile) if values is None else (),
        )


def _marginals(schema: pa.Schema, profile: Profile) -> tuple[Marginal, ...]:
    return tuple(marginal(f, profile) for f in schema)


@dataclass(frozen=True, kw_only=True)
class Independent(Generator):
    """Each column drawn again from its real values, or from the profile where there are no data.

    The model file holds the real values of each column, shuffled so that no row stays together:
    a rare value in it is still a real one.
    """

    fitted: ClassVar[type[Fitted]] = FittedIndependent

    def fit(
        self,
        source: Source | None,
        profile: Profile,
        rng: np.random.Generator,
        progress: Progress = quiet,
    ) -> FittedIndependent:
        schema = learned_schema(source, profile)
        values = None
        if source is not None:
            rows = one_batch(source)
            if not rows.num_rows:
                raise DataError("The data have no rows, so there is nothing to learn. Give rows.")
            shuffled = [c.take(pa.array(rng.permutation(rows.num_rows))) for c in rows.columns]
            values = pa.RecordBatch.from_arrays(shuffled, schema=rows.schema)
        parent = profile.lineage if source is None else source.lineage
        return FittedIndependent(
            schema=schema,
            lineage=Lineage.made(repr(self), parents=(parent,)),
            profile=profile,
            values=values,
            marginals=_marginals(schema, profile) if values is None else (),
        )
