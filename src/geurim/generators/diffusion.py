"""Masked diffusion for mixed tables: a row is revealed from nothing, or from any columns given.

Noise hides columns until none is left (the absorbing process of D3PM, Austin et al. 2021). A
network learns to tell what is hidden from what a random mask leaves, with the linear schedule and
by the bound of masked diffusion (Sahoo et al. 2024; Shi et al. 2024), which TabDiff (Shi et al.
2025) uses for categories. Where one column is revealed at a time, that bound is the mean of -log p
over the orders in which a row is revealed (Ou et al. 2025). What is different, and why:

- numbers are masked, too, instead of a Gaussian flow beside: one process, exact for repeated
  values and missing ones, and no more steps than columns.
- what a mask hides is revealed in one order, few levels first, and so it is learned; drawn in
  orders of any kind, rows were less true (C2ST on Adult .56, not .52).
- given columns late in that order are followed by drawing several rows and keeping one
  (geurim.generators._chain), which is surer than what the network says at once.

Not to be confused with TabDDPM, which adds Gaussian noise to numbers. `autoregressive` is near of
kin: its network is the same, and learns of given columns mostly one at a time. No privacy proof
goes with it. Needs the extra `torch`.
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
_FEWEST = 32  # rows of a batch, at least
_BATCH = 2.5  # rows of a batch in a small table, times the root of the table's rows


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedDiffusion(Fitted):
    """The network's weights. `parts`: of each column's codes; `own`: of its own scale's codes."""

    schema: pa.Schema
    lineage: Lineage
    profile: Profile
    settings: Diffusion
    codec: Codec
    parts: tuple[Parts, ...]
    own: tuple[Parts, ...]
    weights: Mapping[str, np.ndarray]
    name: ClassVar[str] = "diffusion"
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
        settings = asdict(self.settings)
        settings["training"]["checkpoint"] = None  # a place on this machine
        return {"settings": settings, "codec": coded}, arrays

    @classmethod
    def from_state(
        cls,
        profile: Profile,
        schema: pa.Schema,
        lineage: Lineage,
        state: dict[str, Json],
        arrays: dict[str, np.ndarray],
    ) -> FittedDiffusion:
        settings = {**state["settings"], "training": Training(**state["settings"]["training"])}
        coded = Codec.from_state(schema, state["codec"], part(arrays, "codec/"))
        columns = len(coded.scales)
        return cls(
            schema=schema,
            lineage=lineage,
            profile=profile,
            settings=Diffusion(**settings),
            codec=coded,
            parts=_parts.from_state(columns, part(arrays, "parts/")),
            own=_parts.from_state(columns, part(arrays, "own/")),
            weights=part(arrays, "network/"),
        )


@dataclass(frozen=True, kw_only=True)
class Diffusion(Generator):
    """Masked diffusion, with settings meant for every table.

    width, hidden: units of the layer that all columns share, and of each column's own.
    tries: rows drawn to keep one, where columns late in the order of draws are given; drawing takes
    as many times longer, and follows the condition the better. 1 trusts the network alone.
    masked: the share of the rows that are learned from a random mask on; the others are learned
    from nothing. With 0, conditions on columns late in the order of draws rest on `tries` alone.
    dropout: the share of units left out at each step. decay: of the weights.
    cell_rows: the fewest rows of a cell of a continuous column.
    max_rows: rows learned from; a larger table is thinned at random.
    training: the loop's; the rate falls to 0 within its epochs, and tables of less than 40,000 rows
    have smaller batches than told, for more steps.
    """

    width: int = 192
    hidden: int = 96
    tries: int = 8
    masked: float = 0.6
    dropout: float = 0.1
    decay: float = 0.01
    cell_rows: int = 10
    max_rows: int = 200_000
    training: Training = field(
        default_factory=lambda: Training(epochs=12, batch=512, rate=8e-3, patience=6)
    )
    name: ClassVar[str] = "diffusion"
    fitted: ClassVar[type[Fitted]] = FittedDiffusion

    def __post_init__(self) -> None:
        for setting in ("width", "hidden", "cell_rows", "max_rows", "tries"):
            value = getattr(self, setting)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise SettingError(
                    f"Diffusion: {setting} is {value!r}. Give a whole number from 1."
                )
        for setting in ("masked", "dropout", "decay"):
            if not 0 <= getattr(self, setting) < 1:
                raise SettingError(
                    f"Diffusion: {setting} is {getattr(self, setting)!r}. "
                    "Give a share from 0 up to below 1."
                )

    def fit(
        self,
        source: Source | None,
        profile: Profile,
        rng: np.random.Generator,
        progress: Progress = quiet,
    ) -> FittedDiffusion:
        import_torch("The diffusion generator")
        if source is None:
            raise DataError(
                "The diffusion generator learns from rows and was given a profile alone. "
                "Give the data, or choose generator='copula'."
            )
        table = thin(source, self.max_rows, rng)
        if not table.num_rows:
            raise DataError(f"There are no rows in {source.lineage.maker}. Give at least one.")
        coded, codes = codec.learn(table, self.cell_rows)
        most = int(np.clip(table.num_rows**0.5, *_GROUPS))
        parts = _parts.learn(coded, codes, most)
        own, own_codes = learn_own(coded, codes, parts, table, most)
        fitted = FittedDiffusion(
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
        fitted: FittedDiffusion,
        codes: np.ndarray,
        own_codes: np.ndarray,
        rng: np.random.Generator,
        progress: Progress,
        key: str,
    ) -> dict[str, np.ndarray]:
        from geurim.generators import _diffusion_net as net

        count = len(codes)
        model = fitted._chain.model
        batch = max(_FEWEST, int(_BATCH * count**0.5))
        training = replace(self.training, batch=min(batch, self.training.batch))

        def build(device: Any) -> net.Reveal:
            seen = list(model.before), list(model.after), _bases(fitted.codec)
            network = net.Masked(*seen, self.width, self.hidden, self.dropout).to(device)
            return net.Reveal(
                net.rows_of(model, codes, own_codes, device),
                network,
                rate=training.rate,
                decay=self.decay,
                steps=training.epochs * -(-count // training.batch),
                given=self.masked,
            )

        pair, _ = train(build, count, training, rng, progress, key=key)
        return to_arrays(pair.mean.folded(), "")


def _bases(coded: Codec) -> list[list[int]]:
    """The places of each column's bases."""
    names = coded.names
    bases = [s.base.columns if s.base else () for s in coded.scales.values()]
    return [[names.index(n) for n in one] for one in bases]
