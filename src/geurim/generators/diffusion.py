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

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from geurim.codec import Codec
from geurim.contract import Fitted
from geurim.generators._any_order import AnyOrder, FittedAnyOrder
from geurim.generators._training import Training

_GROUPS = (16, 64)  # of a column, at most: in a small table, in a large one
_FEWEST = 32  # rows of a batch, at least
_BATCH = 2.5  # rows of a batch in a small table, times the root of the table's rows


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedDiffusion(FittedAnyOrder):
    """What a diffusion learned."""

    name: ClassVar[str] = "diffusion"


@dataclass(frozen=True, kw_only=True)
class Diffusion(AnyOrder):
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

    masked: float = 0.6
    training: Training = field(
        default_factory=lambda: Training(epochs=12, batch=512, rate=8e-3, patience=6)
    )
    name: ClassVar[str] = "diffusion"
    fitted: ClassVar[type[Fitted]] = FittedDiffusion
    shares: ClassVar[tuple[str, ...]] = ("masked", "dropout", "decay")

    def groups(self, rows: int) -> int:
        return int(np.clip(rows**0.5, *_GROUPS))

    def batch(self, rows: int) -> int:
        return max(_FEWEST, int(_BATCH * rows**0.5))

    def task(self, fitted: FittedAnyOrder, rows: Any, device: Any, steps: int) -> Any:
        from geurim.generators import _diffusion_net as net

        model = fitted.chain.model
        seen = list(model.before), list(model.after), _bases(fitted.codec)
        network = net.Masked(*seen, self.width, self.hidden, self.dropout).to(device)
        return net.Reveal(
            rows,
            network,
            rate=self.training.rate,
            decay=self.decay,
            steps=steps,
            given=self.masked,
        )


FittedDiffusion.made_by = Diffusion


def _bases(coded: Codec) -> list[list[int]]:
    """The places of each column's bases."""
    names = coded.names
    bases = [s.base.columns if s.base else () for s in coded.scales.values()]
    return [[names.index(n) for n in one] for one in bases]
