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

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from geurim.contract import Fitted
from geurim.generators._any_order import AnyOrder, FittedAnyOrder
from geurim.generators._training import Training

_GROUPS = (16, 64)  # of a column, at most: in a small table, in a large one
_PIECES = 16  # batches in a small table, at least
_FEWEST = 32  # rows of a batch, at least


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedAutoregressive(FittedAnyOrder):
    """The chain of columns that was learned."""

    name: ClassVar[str] = "autoregressive"


@dataclass(frozen=True, kw_only=True)
class Autoregressive(AnyOrder):
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

    given: float = 0.9
    training: Training = field(
        default_factory=lambda: Training(epochs=10, batch=512, rate=5e-3, patience=6)
    )
    name: ClassVar[str] = "autoregressive"
    fitted: ClassVar[type[Fitted]] = FittedAutoregressive
    shares: ClassVar[tuple[str, ...]] = ("given", "dropout", "decay")

    def groups(self, rows: int) -> int:
        return int(np.clip(rows**0.5 / 2, *_GROUPS))

    def batch(self, rows: int) -> int:
        return max(rows // _PIECES, _FEWEST)

    def task(self, fitted: FittedAnyOrder, rows: Any, device: Any, steps: int) -> Any:
        from geurim.generators import _autoregressive_net as net

        model = fitted.chain.model
        seen = list(model.before), list(model.after)
        network = net.Network(*seen, self.width, self.hidden, self.dropout).to(device)
        return net.Task(
            rows,
            network,
            rate=self.training.rate,
            decay=self.decay,
            steps=steps,
            given=self.given,
        )


FittedAutoregressive.made_by = Autoregressive
