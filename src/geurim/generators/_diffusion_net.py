"""The network of the diffusion generator: each column from those of a row that are revealed.

Only this file needs torch; a fitted model draws with NumPy (geurim.generators._chain). The layers
are those of the autoregressive generator's network; what a column sees is different. The first
layer is a sum over what is seen, so that all steps by which a row is revealed are learned at once:
every column's own sum, from those that were revealed before it.

Letters: B rows, C columns, L linked columns, D `width`, H `hidden`.
"""

from __future__ import annotations

from typing import Any

from geurim.generators._autoregressive_net import Network, Row, Task, rows_of, torch
from geurim.generators._conditionals import Seen

_PAIRS = 2**24  # pairs of columns at once, over all rows

__all__ = ["Masked", "Reveal", "rows_of"]


class Masked(Network):
    """A network whose columns see those that were revealed before them, other ones in each row.

    `bases`: of each column, the columns that it is a residual of (geurim.links), if any.
    """

    def __init__(
        self,
        before: list[Seen],
        after: list[Seen],
        bases: list[list[int]],
        width: int,
        hidden: int,
        dropout: float,
    ) -> None:
        super().__init__(before, after, width, hidden, dropout)
        self.bases = bases

    def hidden(self, rows: list[Row], given: Any) -> Any:
        """(C, B, H). `given` (N, C): the places of the columns in the orders in which the first N
        rows are revealed; the others are in the columns' own order, which is that of draws."""
        seen = torch.stack(
            [s(r["group"], r["code"], r["middle"]) for s, r in zip(self.before, rows, strict=True)]
        )
        some = len(given)
        rest = seen[:, some:]
        known = (self.earlier @ rest.flatten(1)).view(rest.shape)
        if some:
            known = torch.cat([self._revealed(seen[:, :some], rows, given), known], 1)
        first = self._dropped(torch.relu(torch.addcmul(self.shift, known, self.gain)))
        return self._dropped(torch.relu(torch.baddbmm(self.bias, first, self.weight)))

    def _revealed(self, seen: Any, rows: list[Row], place: Any) -> Any:
        """What each column knows (C, N, D) of those whose place is before its own."""
        values = [seen]
        for name, sight in self.after.items():
            r = rows[int(name)]
            own = sight(*(r[k][: len(place)] for k in ("own_group", "own_code", "own_middle")))
            values.append((own - seen[int(name)])[None])
        size = max(_PAIRS // place.shape[1] ** 2, 1)
        parts = zip(place.split(size), torch.cat(values).transpose(0, 1).split(size), strict=True)
        return torch.cat([torch.bmm(self._shown(p), v) for p, v in parts]).transpose(0, 1)

    def _shown(self, place: Any) -> Any:
        """Which columns each column sees (N, C, C + L), and which linked ones on their own scale.

        These are those whose base is hidden, and those after it in the columns' own order.
        """
        visible = place[:, None, :] < place[:, :, None]
        alone = []
        for i in map(int, self.after):
            found = visible[:, :, i] & ~visible[:, :, self.bases[i]].all(2)
            found[:, :i] = visible[:, :i, i]
            alone.append(found[:, :, None])
        return torch.cat([visible, *alone], 2).float()


class Reveal(Task):
    """The task of training: `given` is the share of rows revealed from a random mask on."""

    def _given(self, rows: Any, random: Any) -> Any:
        """The places of the columns (N, C) in the orders in which the first rows are revealed.

        How much a mask leaves is uniform, the linear schedule of masked diffusion. What it leaves
        comes first, in any order; what it hides follows in the order of draws.
        """
        count, columns = int(len(rows) * self.given), len(self.rows["group"])
        share = torch.rand(count, 1, generator=random)
        left = torch.rand(count, columns, generator=random) < share
        place = torch.rand(count, columns, generator=random)
        return torch.where(left, place, 1.0 + torch.arange(columns)).to(rows.device)
