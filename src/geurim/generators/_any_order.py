"""What `autoregressive` and `diffusion` share: one network that tells any column from any others.

Columns are cut into levels (geurim.levels) and drawn one after the other, those with few levels
first. Columns that are given are known from the start. How the network learns what it is asked is
what the two differ in: each gives a task.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Self, cast

import numpy as np
import pyarrow as pa

from geurim import codec
from geurim.codec import Codec, Scale, part
from geurim.contract import Fitted, Generator, Json, Lineage, Profile, Progress, Source, quiet
from geurim.errors import DataError
from geurim.generators import _parts
from geurim.generators._chain import Chain
from geurim.generators._conditionals import Conditionals, learn_own, see
from geurim.generators._parts import Parts
from geurim.generators._settings import check_shares, check_whole, saved
from geurim.generators._training import Training, import_torch, to_arrays, train
from geurim.generators.trees import thin


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedAnyOrder(Fitted):
    """The network's weights. `parts`: of each column's codes; `own`: of its own scale's codes."""

    schema: pa.Schema
    lineage: Lineage
    profile: Profile
    settings: AnyOrder
    codec: Codec
    parts: tuple[Parts, ...]
    own: tuple[Parts, ...]
    weights: Mapping[str, np.ndarray]
    completes: ClassVar[bool] = True
    made_by: ClassVar[type[AnyOrder]]

    @cached_property
    def chain(self) -> Chain:
        """The columns in the order in which they are drawn."""
        scales = list(self.codec.scales.values())
        own = [Scale(own=s.own) for s in scales]
        before, after = see(scales, self.parts), see(own, self.own)
        model = Conditionals(before=before, after=after, weights=self.weights)
        return Chain(codec=self.codec, parts=self.parts, model=model)

    def draw(
        self, rows: int, rng: np.random.Generator, given: pa.Table | None = None
    ) -> pa.RecordBatch:
        known = {} if given is None else {n: given[n].combine_chunks() for n in given.column_names}
        if not self.codec.scales:
            return pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([])))
        codes, axes = self.chain.draw(rows, rng, known, self.settings.tries)
        columns = []
        for kind in self.schema:
            own = self.codec.scales[kind.name].own
            if kind.name in known:
                columns.append(known[kind.name])
            elif own.ordered:
                columns.append(own.written(axes[kind.name]))
            else:
                columns.append(own.category(codes[kind.name]))
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        coded, arrays = self.codec.state()
        arrays = {f"codec/{k}": v for k, v in arrays.items()}
        arrays |= {f"parts/{k}": v for k, v in _parts.state(self.parts).items()}
        arrays |= {f"own/{k}": v for k, v in _parts.state(self.own).items()}
        arrays |= {f"network/{k}": v for k, v in self.weights.items()}
        return {"settings": saved(self.settings), "codec": coded}, arrays

    @classmethod
    def from_state(
        cls,
        profile: Profile,
        schema: pa.Schema,
        lineage: Lineage,
        state: dict[str, Json],
        arrays: dict[str, np.ndarray],
    ) -> Self:
        settings = {**state["settings"], "training": Training(**state["settings"]["training"])}
        coded = Codec.from_state(schema, state["codec"], part(arrays, "codec/"))
        columns = len(coded.scales)
        return cls(
            schema=schema,
            lineage=lineage,
            profile=profile,
            settings=cls.made_by(**settings),
            codec=coded,
            parts=_parts.from_state(columns, part(arrays, "parts/")),
            own=_parts.from_state(columns, part(arrays, "own/")),
            weights=part(arrays, "network/"),
        )


@dataclass(frozen=True, kw_only=True)
class AnyOrder(Generator):
    """The settings that both have.

    width, hidden: units of the layer that all columns share, and of each column's own.
    tries: rows drawn to keep one, where columns late in the order of draws are given; drawing takes
    as many times longer, and follows the condition the better. 1 trusts the network alone.
    dropout: the share of units left out at each step. decay: of the weights.
    cell_rows: the fewest rows of a cell of a continuous column.
    max_rows: rows learned from; a larger table is thinned at random.
    """

    width: int = 192
    hidden: int = 96
    tries: int = 8
    dropout: float = 0.1
    decay: float = 0.01
    cell_rows: int = 10
    max_rows: int = 200_000
    training: Training = field(default_factory=Training)
    name: ClassVar[str]
    shares: ClassVar[tuple[str, ...]] = ("dropout", "decay")

    def __post_init__(self) -> None:
        check_whole(self, ("width", "hidden", "tries", "cell_rows", "max_rows"))
        check_shares(self, self.shares)

    def groups(self, rows: int) -> int:
        """The groups of a column, at most, in a table of so many rows."""
        raise NotImplementedError

    def batch(self, rows: int) -> int:
        """The rows of a batch."""
        raise NotImplementedError

    def task(self, fitted: FittedAnyOrder, rows: Any, device: Any, steps: int) -> Any:
        """What is trained for `steps` steps on rows of codes (geurim.generators._training.Task)."""
        raise NotImplementedError

    def fit(
        self,
        source: Source | None,
        profile: Profile,
        rng: np.random.Generator,
        progress: Progress = quiet,
    ) -> FittedAnyOrder:
        import_torch(f"The {self.name} generator")
        if source is None:
            raise DataError(
                f"The {self.name} generator learns from rows and was given a profile alone. "
                "Give the data, or choose generator='copula'."
            )
        table = thin(source, self.max_rows, rng)
        if not table.num_rows:
            raise DataError(f"There are no rows in {source.lineage.maker}. Give at least one.")
        coded, codes = codec.learn(table, self.cell_rows)
        most = self.groups(table.num_rows)
        parts = _parts.learn(coded, codes, most)
        own, own_codes = learn_own(coded, codes, parts, table, most)
        fitted = cast(type[FittedAnyOrder], self.fitted)(
            schema=source.schema,
            lineage=Lineage.made(repr(self), parents=(source.lineage,)),
            profile=profile,
            settings=self,
            codec=coded,
            parts=parts,
            own=own,
            weights={"gain": np.ones((0, 1, self.width), np.float32)},
        )
        if not coded.scales:
            return fitted
        key = f"{fitted.lineage.digest} {int(rng.integers(2**62))}"
        return replace(fitted, weights=self._learn(fitted, codes, own_codes, rng, progress, key))

    def _learn(
        self,
        fitted: FittedAnyOrder,
        codes: np.ndarray,
        own_codes: np.ndarray,
        rng: np.random.Generator,
        progress: Progress,
        key: str,
    ) -> dict[str, np.ndarray]:
        from geurim.generators._autoregressive_net import rows_of

        count = len(codes)
        training = replace(self.training, batch=min(self.batch(count), self.training.batch))
        steps = training.epochs * -(-count // training.batch)

        def build(device: Any) -> Any:
            rows = rows_of(fitted.chain.model, codes, own_codes, device)
            return self.task(fitted, rows, device, steps)

        pair, _ = train(build, count, training, rng, progress, key=key)
        return to_arrays(pair.mean.folded(), "")
