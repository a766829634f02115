"""What `vae` trains: an encoder of whole rows, and a network that reveals them from a latent."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from geurim.generators._reveal import Grid
from geurim.generators._reveal_net import Pair, Revealer, optimizer, own_vectors
from geurim.generators._training import Training

_FREE = 0.03  # nats that each direction of the latent may tell without a charge


class Coder(nn.Module):
    """q(z | row), a Gaussian with its own spread in each direction, and p(row | z)."""

    def __init__(self, grid: Grid, width: int, depth: int, latent: int) -> None:
        super().__init__()
        self.decoder = Revealer(grid, width, depth, latent)
        self.seen = nn.Parameter(own_vectors(self.decoder.features, width))
        self.near = nn.Linear(self.decoder.features.shape[1], width, bias=False)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.out = nn.Linear(width, 2 * latent)

    def encode(self, groups: Any) -> tuple[Any, Any]:
        """Means and logarithms of variances (B, L) each."""
        table = self.seen + self.near(self.decoder.features)
        x = F.silu(F.embedding_bag(self.decoder.numbers(groups), table, mode="sum"))
        for layer in self.layers:
            x = x + F.relu(layer(x))
        middle, spread = self.out(x).chunk(2, dim=1)
        return middle, spread.clamp(-10, 4)

    def latents(self, groups: Any, random: Any = None) -> tuple[Any, Any]:
        """A draw of z (B, L) for each row, and the nats each direction tells (B, L)."""
        middle, spread = self.encode(groups)
        noise = torch.randn(middle.shape, generator=random).to(middle.device)
        told = 0.5 * (middle.square() + spread.exp() - 1 - spread)
        return middle + noise * (0.5 * spread).exp(), told


class Elbo:
    """The task of training: the evidence lower bound, one stage of the decoder a row."""

    def __init__(
        self,
        grid: Grid,
        groups: np.ndarray,
        stage: np.ndarray,
        size: tuple[int, int, int],
        beta: float,
        training: Training,
        device: Any,
    ) -> None:
        self.groups = torch.from_numpy(groups).to(device)
        self.stage = torch.from_numpy(stage).to(device)  # (C,)
        self.beta = beta
        self.network = Pair(lambda: Coder(grid, *size)).to(device)
        self.optimizers = [optimizer(self.network.now, training.rate)]

    def step(self, rows: Any) -> Any:
        loss = self.loss(self.network.now, rows, None)
        self.optimizers[0].zero_grad(set_to_none=True)
        loss.backward()
        self.optimizers[0].step()
        self.network.follow()
        return loss.detach()

    def score(self, rows: Any) -> float:
        """The bound on rows held out, with the same noise each epoch."""
        random = torch.Generator().manual_seed(0)
        losses = [
            self.loss(self.network.mean, part, random) * len(part) for part in rows.split(2048)
        ]
        return float(torch.stack(losses).sum() / len(rows))

    def loss(self, coder: Coder, rows: Any, random: Any) -> Any:
        groups = self.groups[rows]
        z, told = coder.latents(groups, random)
        stages = int(self.stage.max()) + 1
        # One stage of each row, as likely as any other, stands for all of them.
        now = torch.randint(stages, (len(rows), 1), generator=random).to(groups.device)
        losses = coder.decoder.losses(groups, groups, self.stage < now, z)
        charge = told.mean(0).clamp_min(_FREE).sum()
        return stages * (losses * (self.stage == now)).sum(1).mean() + self.beta * charge
