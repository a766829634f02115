"""The networks of the generator `vae`: an encoder of rows, and a decoder that makes them.

A row is one class of each of C columns: see geurim.generators._classes_net. Needs torch; imported
by geurim.generators.vae alone.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from geurim.generators import _mixture
from geurim.generators._classes_net import Block, Classes, Vectors
from geurim.generators._training import Training
from geurim.generators.copula import nearest_correlation

_CAP = 12.0  # of a logit: no class becomes impossible
_MEAN = 0.99  # how slowly the mean of the weights, by which rows are made, follows them
_FREE = 0.02  # nats that each direction of the latent may tell without a charge
_DECAY = 0.02  # of weights
_ROWS = 30_000  # to fit the density of latents to
_STEERED = 10_000  # rows by which correlations are steered
_ROUNDS = 8

Sizes = tuple[int, int, int]  # numbers of the latent, width and depth of each network


class Encoder(nn.Module):
    """q(z | row): a Gaussian with its own spread in each direction."""

    def __init__(self, classes: Classes, latent: int, width: int, depth: int) -> None:
        super().__init__()
        self.start = Vectors(classes, width, max(classes.columns, 1) ** -0.5)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(depth)), nn.LayerNorm(width))
        self.end = nn.Linear(width, 2 * latent)

    def forward(self, rows: Tensor, random: Any = None) -> tuple[Tensor, Tensor]:
        """A draw of z (B, L) for each row (B, C), and the nats each direction tells (B, L)."""
        h = self.blocks(F.embedding_bag(rows, self.start(), mode="sum"))
        middle, spread = self.end(h).chunk(2, dim=1)
        spread = spread.clamp(-10, 4)
        noise = torch.randn(middle.shape, generator=random, device=middle.device)
        told = 0.5 * (middle.square() + spread.exp() - 1 - spread)
        return middle + noise * (0.5 * spread).exp(), told


class Decoder(nn.Module):
    """Rows from latents: the density of these, logits of each class, and how classes go together.

    Given z the classes of a row are drawn through correlated normals, one for each column and one
    for whether it misses its value: what z leaves open between columns is in `root`.
    """

    classes: Classes
    holes: Tensor
    root: Tensor  # (N, N) of N normals
    weight: Tensor  # (K,) of the components of the density of z, and theirs:
    mean: Tensor  # (K, L)
    spread: Tensor  # (K, L, L)

    def __init__(
        self, classes: Classes, latent: int, width: int, depth: int, components: int
    ) -> None:
        super().__init__()
        self.classes = classes
        self.start = nn.Linear(latent, width)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(depth)), nn.LayerNorm(width))
        self.end = Vectors(classes, width, width**-0.5)
        self.bias = nn.Parameter(torch.log(classes.share + 1e-4))
        normals = classes.latents()
        self.register_buffer("holes", torch.as_tensor(normals.holes), persistent=False)
        self.register_buffer("root", torch.eye(normals.count))
        self.register_buffer("weight", torch.full((components,), 1 / components))
        self.register_buffer("mean", torch.zeros(components, latent))
        self.register_buffer("spread", torch.eye(latent).repeat(components, 1, 1))

    def forward(self, z: Tensor) -> Tensor:
        """Probabilities (B, G) from latents (B, L)."""
        h = self.blocks(self.start(z)) @ self.end().t() + self.bias
        return self.classes.softmax(_CAP * torch.tanh(h / _CAP))

    def latents(self, count: int, random: Any = None) -> Tensor:
        """Latents (B, L) by their density."""
        which = torch.multinomial(self.weight, count, replacement=True, generator=random)
        noise = torch.randn(count, self.mean.shape[1], generator=random, device=self.mean.device)
        found: Tensor = self.mean[which] + torch.einsum("bij,bj->bi", self.spread[which], noise)
        return found

    def density(self, z: np.ndarray, used: np.ndarray, rng: np.random.Generator) -> None:
        """Learn the density of latents (N, L); of those not `used` (L,) only their own spread."""
        of = np.flatnonzero(used) if used.any() else np.arange(1)
        # A component should rest on more rows than it has parameters to learn.
        most = max(1, len(z) // (10 * len(of)))
        found = _mixture.learn(z[:, of], min(len(self.weight), most), rng)
        self.weight.zero_()[: len(found.weight)] = torch.as_tensor(found.weight)
        self.mean.copy_(torch.as_tensor(z.mean(0)))
        self.spread.copy_(torch.diag(torch.as_tensor(z.std(0))))
        for k, (mean, root) in enumerate(zip(found.mean, found.root, strict=True)):
            self.mean[k, of] = torch.as_tensor(mean).float()
            self.spread[k][np.ix_(of, of)] = torch.as_tensor(root).float()

    def make(self, count: int, random: Any = None, each: int = 1) -> Tensor:
        """Rows (B * each, C), `each` in turn from the chances that one latent gives."""
        probability = self(self.latents(count, random))
        made = []
        for _ in range(each):
            noise = torch.randn(count, len(self.root), generator=random, device=self.root.device)
            made.append(self.through(probability, noise, self.root))
        return torch.stack(made, 1).flatten(0, 1)

    def through(self, probability: Tensor, noise: Tensor, root: Tensor) -> Tensor:
        """Rows (B, C) of probabilities (B, G), drawn through noise (B, N) correlated by a root."""
        return self.classes.place(probability, noise @ root.t(), self.holes)


class Coder(nn.Module):
    def __init__(self, classes: Classes, sizes: Sizes, components: int) -> None:
        super().__init__()
        self.encoder = Encoder(classes, *sizes)
        self.decoder = Decoder(classes, *sizes, components)


class Pair(nn.Module):
    """The networks that learn, and the mean of their weights over the last steps."""

    steps: Tensor

    def __init__(self, classes: Classes, sizes: Sizes, components: int) -> None:
        super().__init__()
        self.now = Coder(classes, sizes, components)
        self.mean = copy.deepcopy(self.now).requires_grad_(False)
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))


class Bound:
    """The task of training on rows of groups (N, C): the evidence lower bound."""

    def __init__(
        self,
        groups: np.ndarray,
        classes: Classes,
        sizes: Sizes,
        components: int,
        beta: float,
        training: Training,
        device: Any,
    ) -> None:
        self.classes, self.beta = classes.to(device), beta
        self.rows = torch.from_numpy(groups).to(device) + self.classes.first[:-1]
        self.network = Pair(classes, sizes, components).to(device)
        self.rate, self.steps = training.rate, training.epochs * -(-len(groups) // training.batch)
        self.optimizers = [
            torch.optim.AdamW(
                self.network.now.parameters(), training.rate, (0.9, 0.99), weight_decay=_DECAY,
                fused=True,
            )
        ]  # fmt: skip

    def step(self, rows: Tensor) -> Tensor:
        loss = self.loss(self.network.now, rows)
        self.optimizers[0].zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        step = int(self.network.steps)
        self.network.steps.add_(1)
        for group in self.optimizers[0].param_groups:
            group["lr"] = self.rate * (1 + math.cos(math.pi * min(step / self.steps, 1.0))) / 2
        self.optimizers[0].step()
        keep = min(_MEAN, (1 + step) / (10 + step))
        with torch.no_grad():
            mean, now = self.network.mean.parameters(), self.network.now.parameters()
            torch._foreach_lerp_(list(mean), list(now), 1 - keep)
        return loss.detach()

    def score(self, rows: Tensor) -> float:
        """The bound on rows held out, with the same noise each epoch."""
        random = torch.Generator(self.rows.device).manual_seed(0)
        losses = [
            self.loss(self.network.mean, part, random) * len(part)
            for part in torch.split(rows, 2_048)
        ]
        return float(torch.stack(losses).sum() / len(rows))

    def loss(self, coder: Coder, rows: Tensor, random: Any = None) -> Tensor:
        real = self.rows[rows]
        z, told = coder.encoder(real, random)
        likelihood = torch.log(coder.decoder(z).gather(1, real) + 1e-12).sum(1).mean()
        charge = told.mean(0).clamp_min(_FREE).sum()
        bound: Tensor = self.beta * charge - likelihood
        return bound


@torch.no_grad()
def finish(coder: Coder, groups: np.ndarray, rng: np.random.Generator) -> Decoder:
    """The decoder, with the density of the latents of rows of groups (N, C), and their root."""
    decoder, classes = coder.decoder, coder.decoder.classes
    chosen = groups[rng.permutation(len(groups))[:_ROWS]]
    z, told = coder.encoder(torch.from_numpy(chosen) + classes.first[:-1])
    decoder.density(z.numpy(), told.mean(0).numpy() > 2 * _FREE, rng)
    _steer(decoder, groups)
    return decoder


def _steer(decoder: Decoder, groups: np.ndarray) -> None:
    """Correlate the normals that classes are drawn through, until columns go together as real ones.

    The same latents and the same noise serve all rounds, so that these close in.
    """
    latents = decoder.classes.latents()
    wanted = latents.observed(groups)
    noise = torch.randn(_STEERED, latents.count)
    probability = decoder(decoder.latents(_STEERED))
    correlation, root = np.eye(latents.count), decoder.root
    best = math.inf
    for _ in range(_ROUNDS):
        now = torch.as_tensor(np.linalg.cholesky(correlation)).float()
        made = decoder.through(probability, noise, now) - decoder.classes.first[:-1]
        off = wanted - latents.observed(made.numpy())
        if (off**2).sum() < best:
            best, root = float((off**2).sum()), now
        correlation = nearest_correlation(np.clip(correlation + off, -1, 1), 1e-3)
    decoder.root.copy_(root)
