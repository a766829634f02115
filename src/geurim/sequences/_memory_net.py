"""The network of `recurrent` while it learns; a fitted one draws with NumPy (_memory.py).

Letters: N events, F features, S bins of all features, D width, H units of a column's own layer,
B pieces of series at once, T events of the longest piece.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.polynomial import legendre

from geurim.generators._autoregressive_net import Averaged, Head
from geurim.generators._conditionals import CURVES
from geurim.generators._training import import_torch
from geurim.sequences._memory import Memory
from geurim.sequences.lessons import Lessons

torch = import_torch("The recurrent generator of series")
nn: Any = torch.nn
Module: Any = nn.Module
relu, embedding_bag = nn.functional.relu, nn.functional.embedding_bag

_AXIS, _OFF = 1000.0, 50.0  # events at which a bin of a number, or another, learns half as fast
_SCORED = 64  # pieces at once


class Rows(Module):  # type: ignore[misc]
    """What each bin of each feature adds (S, D): curves along numbers, and something of its own."""

    def __init__(self, known: Lessons, width: int) -> None:
        super().__init__()
        sizes = [f.size for f in known.features]
        spread = 1 / max(len(sizes), 1) ** 0.5
        self.own = nn.Parameter(spread * torch.randn(sum(sizes), width))
        self.curve = nn.Parameter(spread * torch.randn(len(sizes), CURVES, width))
        found = [_curves(f.size, f.ordered) for f in known.features]
        count = [
            np.bincount(bins, minlength=f.size)
            for f, bins in zip(known.features, known.coded, strict=True)
        ]
        half = [np.where(np.abs(c).sum(1) > 0, _AXIS, _OFF) for c in found]
        pace = [n / (n + h) for n, h in zip(count, half, strict=True)]
        self.register_buffer("curves", _tensor(np.concatenate(found)), persistent=False)
        self.register_buffer("pace", _tensor(np.concatenate(pace))[:, None], persistent=False)
        of = np.repeat(np.arange(len(sizes)), sizes)
        self.register_buffer("of", torch.as_tensor(of), persistent=False)

    def forward(self) -> Any:
        bent = (self.curves[:, :, None] * self.curve[self.of]).sum(1)
        return bent + self.own * self.pace


class Network(Module):  # type: ignore[misc]
    """The memory and the heads of all lessons; `model` says what they look at."""

    def __init__(
        self, model: Memory, known: Lessons, width: int, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        self.model, self.dropout = model, dropout
        lessons = len(model.seen)
        self.inward, self.table = Rows(known, width), Rows(known, width)
        self.memory = nn.GRU(width, width, batch_first=True)
        self.recall = nn.Parameter(torch.randn(width, width) / width**0.5)
        self.heads = nn.ModuleList(Head(s, hidden) for s in model.seen)
        self.gain = nn.Parameter(torch.ones(lessons, 1, width))
        self.shift = nn.Parameter(0.1 * torch.randn(lessons, 1, width))
        self.weight = nn.Parameter(torch.randn(lessons, width, hidden) * (2 / width) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(lessons, 1, hidden))

    def hidden(self, rows: Any, shape: Any, asked: list[Any]) -> list[Any]:
        """Of each lesson (n, H), at the events `asked` (n,).

        `rows` (N, F): the table's row of each feature. `shape`: (B, T) places in N, -1 for none.
        """
        table = self.table()
        known = self._remembered(rows, shape) @ self.recall
        found = []
        for i, ((shared, own), at) in enumerate(zip(self.model.added, asked, strict=True)):
            known = known + _sum(table, rows, shared) if shared else known
            total = _sum(table, rows[at], own)
            total = total if self.model.opening[i] else total + known[at]
            first = self._dropped(relu(total * self.gain[i] + self.shift[i]))
            found.append(self._dropped(relu(first @ self.weight[i] + self.bias[i])))
        return found

    def _remembered(self, rows: Any, shape: Any) -> Any:
        """The memory (N, D) at each event, of the events before and what is known as it begins."""
        seen = _sum(self.inward(), rows, self.model.early)
        there = shape >= 0
        padded = seen[shape.clamp(min=0)] * there[:, :, None]
        remembered, _ = self.memory(padded)  # a piece's end is never followed by its events
        found = torch.zeros_like(seen)
        found[shape[there]] = remembered[there]
        return found

    def _dropped(self, x: Any) -> Any:
        return nn.functional.dropout(x, self.dropout, self.training)

    def arrays(self) -> dict[str, np.ndarray]:
        """The weights as a Memory takes them, curves written into the tables."""
        network = copy.deepcopy(self).cpu().eval()
        with torch.no_grad():
            found = {"inward": network.inward().numpy(), "table": network.table().numpy()}
            for head in network.heads:
                head.weight.copy_(head.matrix())
        kept = {
            k: v.numpy()
            for k, v in network.state_dict().items()
            if not k.startswith(("inward.", "table.")) and not k.endswith(".curve")
        }
        return found | kept


class Task(Averaged):
    """What the training loop calls; its rows are pieces of series.

    `pieces` (P, 3): where each starts, how many events it has, and how many of them only fill the
    memory.
    """

    def __init__(
        self,
        network: Network,
        known: Lessons,
        pieces: np.ndarray,
        device: Any,
        *,
        rate: float,
        decay: float,
        steps: int,
    ) -> None:
        super().__init__(network, rate=rate, decay=decay, steps=steps)
        model = network.model
        starts = model.starts[:-1]
        rows = np.stack([s + c for s, c in zip(starts, known.coded, strict=True)], 1)
        self.rows = torch.as_tensor(rows.astype(np.int32), device=device)
        self.pieces = torch.as_tensor(pieces, device=device)
        self.place = []  # of each lesson (N, 2): group and place, -1 where there is none
        for lesson, seen in zip(known.lessons, model.seen, strict=True):
            found = np.full((len(rows), 2), -1)
            found[lesson.rows] = np.stack(seen.parts.split(lesson.codes), 1)
            self.place.append(torch.as_tensor(found, device=device))

    def loss(self, rows: Any) -> Any:
        return self._loss(self.network.live, rows)[0]

    def score(self, rows: Any) -> float:
        """-log p an event, of pieces not learned from."""
        network = self.network.mean
        at, asked, hidden = self._hidden(network, rows[:_SCORED])
        for head, h, place, some in zip(network.heads, hidden, self.place, asked, strict=True):
            if len(some):
                head.judge(h, *place[at[some]].unbind(1))
        found = [self._loss(network, some) for some in rows.split(_SCORED)]
        events = sum(n for _, n in found)
        return sum(float(loss) * n for loss, n in found) / max(events, 1)

    def _hidden(self, network: Network, pieces: Any) -> tuple[Any, list[Any], list[Any]]:
        """The events of some pieces (n,), which of them each lesson is about, and its layer."""
        start, length, skipped = self.pieces[pieces].unbind(1)
        step = torch.arange(int(length.max()), device=start.device)
        there = step < length[:, None]
        at = (start[:, None] + step)[there]
        shape = torch.full(there.shape, -1, device=start.device)
        shape[there] = torch.arange(len(at), device=start.device)
        counted = (step >= skipped[:, None])[there]
        asked = [torch.nonzero((p[at, 0] >= 0) & counted)[:, 0] for p in self.place]
        return at, asked, network.hidden(self.rows[at], shape, asked)

    def _loss(self, network: Network, pieces: Any) -> tuple[Any, int]:
        """-log p by the mean over events, and how many there are."""
        at, asked, hidden = self._hidden(network, pieces)
        events = max(int((self.pieces[pieces, 1] - self.pieces[pieces, 2]).sum()), 1)
        total = torch.zeros((), device=at.device)
        for head, h, place, some in zip(network.heads, hidden, self.place, asked, strict=True):
            if len(some):
                total = total + head.loss(h, *place[at[some]].unbind(1)) * (len(some) / events)
        return total, events


def _sum(table: Any, rows: Any, features: Any) -> Any:
    """What features add up to (N, D)."""
    if not len(features) or not len(rows):
        return table.new_zeros(len(rows), table.shape[1])
    return embedding_bag(rows[:, list(features)], table, mode="sum")


def _curves(size: int, ordered: bool) -> np.ndarray:
    """Legendre polynomials (size, CURVES) along a feature's bins; its last one is off the axis."""
    found = np.zeros((size, CURVES))
    if ordered and size > 2:
        x = np.linspace(-1, 1, size - 1)
        for k in range(1, CURVES + 1):
            found[:-1, k - 1] = legendre.Legendre.basis(k)(x) / k
    return found


def _tensor(values: np.ndarray) -> Any:
    return torch.as_tensor(values).float()
