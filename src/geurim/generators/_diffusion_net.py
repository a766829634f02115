"""What `diffusion` trains: columns hidden at random, each told from those that are seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from geurim.generators._reveal import Grid
from geurim.generators._reveal_net import Pair, Revealer, optimizer
from geurim.generators._training import Training

_OWN = 0.25  # how often a column is shown on its own scale though its base is seen, too


class Masked:
    """The task of training: masked discrete diffusion."""

    def __init__(
        self,
        grid: Grid,
        rows: tuple[np.ndarray, np.ndarray],
        size: tuple[int, int],
        any_order: float,
        training: Training,
        device: Any,
    ) -> None:
        self.groups, self.alone = (torch.from_numpy(r).to(device) for r in rows)
        self.bases = [(i, base) for i, base in enumerate(grid.bases()) if base]
        self.any_order = any_order
        self.network = Pair(lambda: Revealer(grid, *size)).to(device)
        self.optimizers = [optimizer(self.network.now, training.rate)]

    def step(self, rows: Any) -> Any:
        loss = self.loss(self.network.now, rows, None)
        self.optimizers[0].zero_grad(set_to_none=True)
        loss.backward()
        self.optimizers[0].step()
        self.network.follow()
        return loss.detach()

    def score(self, rows: Any) -> float:
        """The same loss with the same masks each epoch: a bound of -log p a column."""
        random = torch.Generator().manual_seed(0)
        losses = [
            self.loss(self.network.mean, part, random) * len(part) for part in rows.split(2048)
        ]
        return float(torch.stack(losses).sum() / len(rows))

    def loss(self, network: Revealer, rows: Any, random: Any) -> Any:
        groups = self.groups[rows]
        visible = self.hide(groups.shape, random).to(groups.device)
        shown = self.show(groups, self.alone[rows], visible, random)
        hidden = (~visible).float()
        losses = network.losses(groups, shown, visible)
        return ((losses * hidden).sum(1) / hidden.sum(1).clamp_min(1)).mean()

    def hide(self, shape: Any, random: Any) -> Any:
        """Which columns are seen (B, C): 0 to C - 1 of them, in random orders or in that of draws.

        The number seen is uniform, which is the linear schedule of masked diffusion.
        """
        rows, columns = shape
        count = (torch.rand(rows, 1, generator=random) * columns).long()
        place = torch.rand(rows, columns, generator=random).argsort(1).argsort(1)
        drawn = torch.rand(rows, 1, generator=random) >= self.any_order
        return torch.where(drawn, torch.arange(columns), place) < count

    def show(self, groups: Any, alone: Any, visible: Any, random: Any) -> Any:
        """The classes as they are seen (B, C): without its base a column is on its own scale."""
        if not self.bases:
            return groups
        shown = groups.clone()
        for i, base in self.bases:
            own = ~visible[:, base].all(1)
            own |= (torch.rand(len(groups), generator=random) < _OWN).to(own.device)
            shown[:, i] = torch.where(own, alone[:, i], groups[:, i])
        return shown
