"""A network that knows every column given any others: autoregressive, in any order of the given.

Columns are cut into levels (geurim.levels) and drawn one after the other, those with few levels
first: p(x1) p(x2 | x1) …, as in NADE (Larochelle & Murray 2011) and TabularARGN (Tiwald et al.
2025). Columns that are given are known from the start: the network also learned each column given
all before it and any of those after it, for subsets drawn at random (any-order models: Uria et al.
2014, Hoogeboom et al. 2022). As columns that are not given keep their order, these are all the
conditionals that can be asked for, and no more. Of several rows drawn with them one is kept, in
proportion to what the chain itself says (geurim.generators._chain). So nothing is learned again
for a condition.

Not to be confused with `trees`, the same chain with trees: faster, without torch, but it learns a
chain anew for each set of given columns. No privacy proof goes with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from geurim import codec
from geurim.codec import Codec, Scale, part
from geurim.contract import Fitted, Generator, Json, Lineage, Profile, Progress, Source, quiet
from geurim.errors import DataError, SettingError
from geurim.generators import _parts
from geurim.generators._chain import Chain
from geurim.generators._conditionals import Conditionals, learn_own, see
from geurim.generators._parts import Parts
from geurim.generators._training import Training, import_torch, to_arrays, train
from geurim.generators.trees import thin

_GROUPS = (16, 64)  # of a column, at most: in a small table, in a large one
_PIECES = 16  # batches in a small table, at least
_FEWEST = 32  # rows of a batch, at least


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedAutoregressive(Fitted):
    """The chain of columns. `parts`: of each column's codes; `own`: of its own scale's codes."""

    schema: pa.Schema
    lineage: Lineage
    profile: Profile
    settings: Autoregressive
    codec: Codec
    parts: tuple[Parts, ...]
    own: tuple[Parts, ...]
    weights: Mapping[str, np.ndarray]
    name: ClassVar[str] = "autoregressive"
    completes: ClassVar[bool] = True

    @cached_property
    def _chain(self) -> Chain:
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
        codes, axes = self._chain.draw(rows, rng, known, self.settings.tries)
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
        return {"settings": asdict(self.settings), "codec": coded}, arrays

    @classmethod
    def from_state(
        cls,
        profile: Profile,
        schema: pa.Schema,
        lineage: Lineage,
        state: dict[str, Json],
        arrays: dict[str, np.ndarray],
    ) -> FittedAutoregressive:
        settings = {**state["settings"], "training": Training(**state["settings"]["training"])}
        coded = Codec.from_state(schema, state["codec"], part(arrays, "codec/"))
        columns = len(coded.scales)
        return cls(
            schema=schema,
            lineage=lineage,
            profile=profile,
            settings=Autoregressive(**settings),
            codec=coded,
            parts=_parts.from_state(columns, part(arrays, "parts/")),
            own=_parts.from_state(columns, part(arrays, "own/")),
            weights=part(arrays, "network/"),
        )


@dataclass(frozen=True, kw_only=True)
class Autoregressive(Generator):
    """An any-order neural chain, with settings meant for every table.

    width, hidden: units of the layer that all columns share, and of each column's own.
    given: the share of the rows that learn with some of their values given; 0 learns the chain
    alone, and conditions on columns late in it are then not heeded.
    tries: rows drawn to keep one, where columns late in the chain are given; drawing takes as many
    times longer, and follows the condition the better. 1 trusts what the network says of it.
    dropout: the share of units left out at each step. decay: of the weights.
    cell_rows: the fewest rows of a cell of a continuous column.
    max_rows: rows learned from; a larger table is thinned at random.
    training: the loop's; the rate falls to 0 within its epochs, and batches are smaller than told
    in tables so small that an epoch would have fewer than 16 of them.
    """

    width: int = 192
    hidden: int = 96
    given: float = 0.9
    tries: int = 8
    dropout: float = 0.1
    decay: float = 0.01
    cell_rows: int = 10
    max_rows: int = 200_000
    training: Training = field(
        default_factory=lambda: Training(epochs=10, batch=512, rate=5e-3, patience=6)
    )
    name: ClassVar[str] = "autoregressive"
    fitted: ClassVar[type[Fitted]] = FittedAutoregressive

    def __post_init__(self) -> None:
        for setting in ("width", "hidden", "tries", "cell_rows", "max_rows"):
            value = getattr(self, setting)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise SettingError(
                    f"Autoregressive: {setting} is {value!r}. Give a whole number from 1."
                )
        for setting in ("given", "dropout", "decay"):
            if not 0 <= getattr(self, setting) < 1:
                raise SettingError(
                    f"Autoregressive: {setting} is {getattr(self, setting)!r}. "
                    "Give a share from 0 up to below 1."
                )

    def fit(
        self,
        source: Source | None,
        profile: Profile,
        rng: np.random.Generator,
        progress: Progress = quiet,
    ) -> FittedAutoregressive:
        import_torch("The autoregressive generator")
        if source is None:
            raise DataError(
                "The autoregressive generator learns from rows and was given a profile alone. "
                "Give the data, or choose generator='copula'."
            )
        table = thin(source, self.max_rows, rng)
        if not table.num_rows:
            raise DataError(f"There are no rows in {source.lineage.maker}. Give at least one.")
        coded, codes = codec.learn(table, self.cell_rows)
        most = int(np.clip(table.num_rows**0.5 / 2, *_GROUPS))
        parts = _parts.learn(coded, codes, most)
        own, own_codes = learn_own(coded, codes, parts, table, most)
        fitted = FittedAutoregressive(
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
        fitted: FittedAutoregressive,
        codes: np.ndarray,
        own_codes: np.ndarray,
        rng: np.random.Generator,
        progress: Progress,
        key: str,
    ) -> dict[str, np.ndarray]:
        from geurim.generators import _autoregressive_net as net

        count = len(codes)
        model = fitted._chain.model
        batch = int(np.clip(count // _PIECES, _FEWEST, self.training.batch))
        training = replace(self.training, batch=min(batch, self.training.batch))

        def build(device: Any) -> net.Task:
            seen = list(model.before), list(model.after)
            network = net.Network(*seen, self.width, self.hidden, self.dropout).to(device)
            return net.Task(
                net.rows_of(model, codes, own_codes, device),
                network,
                rate=training.rate,
                decay=self.decay,
                steps=training.epochs * -(-count // training.batch),
                given=self.given,
            )

        pair, _ = train(build, count, training, rng, progress, key=key)
        return to_arrays(pair.mean.folded(), "")
