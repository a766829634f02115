"""The networks of the generator `gan`: one that makes rows, and one that opposes it.

A row is one class of each of C columns: see geurim.generators._classes_net. Needs torch; imported
by geurim.generators.gan alone.
"""

from __future__ import annotations

import copy
import itertools
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from geurim.generators._classes_net import Block, Classes, Vectors
from geurim.generators._judge_net import Critic, Trial, auc
from geurim.generators._latents import SPREAD
from geurim.generators._training import Training

_JUDGE = (64, 2)  # its width and depth, when it is to be quick
_CAP = 12.0  # of what a logit is changed by: no class becomes impossible
_LEAST = 1e-6  # of a probability
_SCALE = SPREAD * 3**0.5 / math.pi  # of the logistic distribution of what a latent leaves open

Sizes = tuple[int, int, int]  # numbers of noise, width and depth of the networks


class Maker(nn.Module):
    """Noise to logits of every class: those of a copula, and what a network adds to them."""

    classes: Classes
    axis: Tensor
    hole: Tensor
    low: Tensor
    high: Tensor
    edge: Tensor
    root: Tensor

    def __init__(self, classes: Classes, noise: int, width: int, depth: int) -> None:
        super().__init__()
        self.classes = classes
        latents = classes.latents()
        for name in ("axis", "hole", "low", "high", "edge"):
            found = torch.as_tensor(getattr(latents, name))
            found = found.float() / _SCALE if found.is_floating_point() else found
            self.register_buffer(name, found, persistent=False)
        self.register_buffer("root", torch.eye(latents.count))
        self.missing = bool(classes.missing.any())
        self.noise = latents.count + noise
        self.start = nn.Linear(self.noise, width)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(depth)), nn.LayerNorm(width))
        self.end = Vectors(classes, width, 0.1 * width**-0.5)
        self.bias = nn.Parameter(torch.zeros(classes.count))
        # How far each column's copula is believed: of some, as of categories without order, less.
        self.belief = nn.Parameter(torch.ones(classes.columns))

    def forward(self, z: Tensor) -> Tensor:
        """Logits (B, G) from noise (B, noise)."""
        latents = z[:, : len(self.root)] @ self.root.t()
        h = self.blocks(self.start(torch.cat([latents, z[:, len(self.root) :]], 1)))
        h = h @ self.end().t() + self.bias
        belief = self.belief[self.classes.column]
        logits: Tensor = belief * self.copula(latents) + _CAP * torch.tanh(h / _CAP)
        return logits

    def make(self, count: int, random: torch.Generator | None = None, each: int = 1) -> Tensor:
        """Rows (B * each, C), `each` in turn from the chances that one noise gives."""
        first, probability = self.made(count, random)
        more = [self.classes.draw(probability, random) for _ in range(each - 1)]
        return torch.stack([first, *more], 1).flatten(0, 1)

    def made(self, count: int, random: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """`count` rows (B, C) and the probabilities (B, G) of their classes."""
        z = torch.randn(count, self.noise, generator=random, device=self.bias.device)
        probability = self.classes.softmax(self(z))
        return self.classes.draw(probability.detach(), random), probability

    def copula(self, latents: Tensor) -> Tensor:
        """The logarithm of each class's probability (B, G) by the latents (B, L)."""
        x = latents / _SCALE
        place = x[:, self.axis]
        share = torch.sigmoid(self.high - place) - torch.sigmoid(self.low - place)
        if self.missing:
            share = share * torch.sigmoid(self.edge - x[:, self.hole])
        return torch.log(share + _LEAST)


class Pair(nn.Module):
    """The maker, its mean over the last steps, and the critic it learns against."""

    steps: Tensor

    def __init__(self, classes: Classes, sizes: Sizes) -> None:
        super().__init__()
        self.maker = Maker(classes, *sizes)
        self.mean = copy.deepcopy(self.maker).requires_grad_(False)
        self.critic = Critic(classes, *sizes[1:])
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))


class Duel:
    """The task of the maker and its critic, on rows of groups (N, C)."""

    def __init__(
        self,
        groups: np.ndarray,
        classes: Classes,
        sizes: Sizes,
        weights: tuple[float, float],
        training: Training,
        device: Any,
    ) -> None:
        self.classes = classes.to(device)
        self.rows = torch.from_numpy(groups).to(device) + self.classes.first[:-1]
        # The fewer rows there are, the smoother the critic: else it knows them by heart.
        self.penalty = weights[0] * max(1.0, 10_000 / len(groups))
        self.weight = weights[1]
        self.network = Pair(classes, sizes)
        root = torch.as_tensor(classes.latents().root(groups)).float()
        for maker in (self.network.maker, self.network.mean):
            maker.root.copy_(root)
        self.network.to(device)
        self.optimizers = [
            torch.optim.AdamW(
                n.parameters(), training.rate, (0.5, 0.99), weight_decay=1e-4, fused=True
            )
            for n in (self.network.maker, self.network.critic)
        ]
        self.rate, self.steps = training.rate, training.epochs * -(-len(groups) // training.batch)
        self.view, column = self.classes.views()
        self.expected = self.classes.share @ self.view
        self.apart = column[:, None] != column
        self.pairs = self._moments(self.view[self.rows[:100_000]].sum(1))

    def _moments(self, seen: Tensor) -> Tensor:
        """How the views (B, V) of two columns go together (V, V)."""
        seen = seen - self.expected
        return seen.t() @ seen / len(seen) * self.apart

    def step(self, rows: Tensor) -> Tensor:
        network, real = self.network, self.rows[rows]
        made, probability = network.maker.made(len(real))
        # Straight through: the row as it is drawn, with the gradient of its probabilities.
        made_x = self.classes.ones(made) + probability - probability.detach()
        self._oppose(self.classes.ones(real), made_x.detach())
        network.critic.requires_grad_(False)
        gap = network.critic.weigh(real) - network.critic(made_x)
        loss = F.softplus(gap).mean() + self.weight * self._distance(probability)
        self._descend(0, loss)
        network.critic.requires_grad_(True)
        self._follow()
        return loss.detach()

    def _oppose(self, real: Tensor, made: Tensor) -> None:
        """One step of the critic: each real row against one made (R3GAN: Huang et al. 2024)."""
        lazy = 4
        penalized = int(self.network.steps) % lazy == 0
        if penalized:
            real, made = real.requires_grad_(), made.requires_grad_()
        good, bad = (self.network.critic(x) for x in (real, made))
        loss = F.softplus(bad - good).mean()
        if penalized:
            slopes = torch.autograd.grad((good.sum(), bad.sum()), (real, made), create_graph=True)
            # By share, as a column drawn anew would meet them; else many classes count more.
            steep = sum((s.square() @ self.classes.share).mean() for s in slopes)
            loss = loss + lazy * self.penalty / 2 * steep
        self._descend(1, loss)

    def _distance(self, probability: Tensor) -> Tensor:
        """How far pairs of columns are from the real ones; by two halves, so without bias."""
        one, other = ((probability[i::2] @ self.view) for i in range(2))
        pairs = (self._moments(one) - self.pairs) * (self._moments(other) - self.pairs)
        shares = (one.mean(0) - self.expected) * (other.mean(0) - self.expected)
        return pairs.sum() / self.classes.columns + shares.sum()

    def _descend(self, which: int, loss: Tensor) -> None:
        self.optimizers[which].zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizers[which].step()

    def _follow(self) -> None:
        """The mean of the maker's weights goes on by one step, and the rate falls as a cosine."""
        step = int(self.network.steps)
        self.network.steps.add_(1)
        rate = self.rate * (1 + math.cos(math.pi * min(step / self.steps, 1.0))) / 2
        for group in itertools.chain(*(o.param_groups for o in self.optimizers)):
            group["lr"] = rate
        keep = min(0.998, (1 + step) / (10 + step))
        with torch.no_grad():
            mean, maker = self.network.mean.parameters(), self.network.maker.parameters()
            torch._foreach_lerp_(list(mean), list(maker), 1 - keep)

    def score(self, rows: Tensor) -> float:
        """How well a fresh judge tells these rows from made ones (AUC), and how moments differ."""
        learned = torch.ones(len(self.rows), dtype=torch.bool, device=self.rows.device)
        learned[rows] = False
        real = self.rows[learned] if bool(learned.any()) else self.rows
        mean = self.network.mean
        with torch.enable_grad():
            trial = Trial(real, self.classes, mean, *_JUDGE)
            for _ in range(min(len(real) // 400, 100)):
                trial.step(torch.randint(len(real), (min(256, len(real)),), device=real.device))
        held = self.rows[rows[:5000]]
        made, probability = mean.made(max(len(held), 2000))
        found = auc(trial.network.weigh(held), trial.network.weigh(made))
        # What chance gives is no better than one half.
        chance = 0.5 + math.sqrt(1 / len(held) / 12)
        return max(found, chance) + float(self._distance(probability))
