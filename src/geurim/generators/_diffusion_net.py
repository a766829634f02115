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
        """(C, B, H). `given` (N, C, C): which columns each one sees in the first N rows; the other
        rows are revealed from nothing in the columns' order, which is that of draws."""
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

    def _revealed(self, seen: Any, rows: list[Row], visible: Any) -> Any:
        """What each column knows (C, N, D).

        A linked column is seen on its own scale where its base is hidden, and by those before it.
        """
        shown, values = [visible.float()], [seen]
        for name, sight in self.after.items():
            i = int(name)
            alone = visible[:, :, i] & ~visible[:, :, self.bases[i]].all(2)
            alone[:, :i] = visible[:, :i, i]
            keys = ("own_group", "own_code", "own_middle")
            own = sight(*(rows[i][k][: len(visible)] for k in keys))
            shown.append(alone.float()[:, :, None])
            values.append((own - seen[i])[None])
        known = torch.bmm(torch.cat(shown, 2), torch.cat(values).transpose(0, 1))
        return known.transpose(0, 1)


class Reveal(Task):
    """The task of training: `given` is the share of rows revealed from a random mask on."""

    def _given(self, rows: Any, random: Any) -> Any:
        """What each column sees (N, C, C) in the first rows.

        How much a mask leaves is uniform, the linear schedule of masked diffusion. What it leaves
        was revealed in any order; what it hides is revealed in that of draws.
        """
        count, columns = int(len(rows) * self.given), len(self.rows["group"])
        share = torch.rand(count, 1, generator=random)
        left = torch.rand(count, columns, generator=random) < share
        place = torch.rand(count, columns, generator=random)
        place = torch.where(left, place, 1.0 + torch.arange(columns))
        return (place[:, None, :] < place[:, :, None]).to(rows.device)
