"""A judge that tells real rows from made ones, and by whom the better of the made are kept.

After Azadi et al. 2019 (discriminator rejection sampling). For makers of any kind: what is asked of
one is `make(count, random, each)`, rows (count * each, C) of classes. Needs torch; imported only
where it is there.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from geurim.generators._classes_net import Classes, Vectors
from geurim.generators._training import Training, seeded, train

_TRUST = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_MADE = 4_000  # rows made to learn how far a judge can be trusted, at least
_CHUNK = 512  # rows made at once: what is computed of them stays in the processor's cache
_RAKED = (1_000, 20_000)  # rows by which shares are raked: at least, at most


class Critic(nn.Module):
    """One number for a row; without norms, as penalties need."""

    trust: Tensor  # what its number is multiplied by where rows are kept by it

    def __init__(self, classes: Classes, width: int, depth: int) -> None:
        super().__init__()
        self.start = Vectors(classes, width, max(classes.columns, 1) ** -0.5)
        self.bias = nn.Parameter(torch.zeros(width))
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.end = nn.Linear(width, 1)
        self.register_buffer("trust", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        """(B,) from ones of classes (B, G)."""
        return self._after(x @ self.start())

    def weigh(self, rows: Tensor) -> Tensor:
        """The same (B,) of rows (B, C) of classes, without ones and zeros."""
        return self._after(F.embedding_bag(rows, self.start(), mode="sum"))

    def odds(self, rows: Tensor) -> Tensor:
        """The logarithm of how much likelier rows (B, C) are real than made (B,)."""
        return self.trust * self.weigh(rows)

    def _after(self, h: Tensor) -> Tensor:
        h = F.silu(h + self.bias)
        for layer in self.layers:
            h = h + F.silu(layer(h))
        found: Tensor = self.end(h)
        return found[:, 0]


class Judged(nn.Module):
    """A maker of rows, and the judge by whom the better of its rows are kept."""

    classes: Classes
    raked: Tensor

    def __init__(self, classes: Classes, maker: Any, width: int, depth: int) -> None:
        super().__init__()
        self.classes = classes
        self.maker = maker
        self.judge = Critic(classes, width, depth)
        self.register_buffer("raked", torch.zeros(classes.count))

    def draw(self, rows: int, tries: int, rng: np.random.Generator) -> np.ndarray:
        """Groups (N, C) of `rows` rows."""
        random = torch.Generator().manual_seed(int(rng.integers(2**62)))
        groups = np.empty((rows, self.classes.columns), np.int64)
        step = max(_CHUNK // tries, 1)
        for start in range(0, rows if self.classes.columns else 0, step):
            end = min(start + step, rows)
            groups[start:end] = self.choose(end - start, tries, random).numpy()
        return groups

    @torch.inference_mode()
    def choose(self, rows: int, tries: int, random: torch.Generator) -> Tensor:
        """Classes within their columns (B, C), drawn.

        Of `tries` rows made one is taken, in proportion to its odds of being real.
        """
        made = self.tried(rows, tries, random)
        weight = self.judge.odds(made) + self.raked[made].sum(1)
        u = torch.rand(weight.shape, generator=random)
        best = (weight - torch.log(-torch.log(u))).reshape(rows, tries).argmax(1)
        chosen: Tensor = made[torch.arange(rows) * tries + best] - self.classes.first[:-1]
        return chosen

    def tried(self, rows: int, tries: int, random: torch.Generator | None = None) -> Tensor:
        """Rows to choose from (rows * tries, C), `tries` of them for each.

        Two are drawn from the same chances, which cost more than drawing from them.
        """
        each = 2 if tries % 2 == 0 else 1
        found: Tensor = self.maker.make(rows * tries // each, random, each)
        return found

    @torch.no_grad()
    def rake(self, tries: int, rows: int, rounds: int = 8) -> None:
        """Weights of classes by which what is kept has the real shares, column after column.

        (Deming & Stephan 1940, iterative proportional fitting.)
        """
        made = self.tried(rows, tries)
        weight = self.judge.odds(made)
        first = self.classes.first.tolist()
        for _, i in itertools.product(range(rounds), range(self.classes.columns)):
            ours = slice(first[i], first[i + 1])
            kept = weight.reshape(rows, tries).softmax(1).flatten() / rows
            share = torch.bincount(made[:, i] - first[i], kept, first[i + 1] - first[i])
            change = torch.log((self.classes.share[ours] + 1e-5) / (share + 1e-5))
            self.raked[ours] += change
            weight += change[made[:, i] - first[i]]


class Trial:
    """The task of a judge: to tell real rows (N, C) of classes from made ones."""

    def __init__(self, rows: Tensor, classes: Classes, maker: Any, width: int, depth: int):
        self.rows, self.classes, self.maker = rows, classes, maker
        self.network = Critic(classes, width, depth).to(rows.device)
        self.optimizers = [
            torch.optim.AdamW(self.network.parameters(), 1e-3, weight_decay=1e-2, fused=True)
        ]

    def step(self, rows: Tensor) -> Tensor:
        real = self.rows[rows]
        with torch.no_grad():
            made = self.maker.make(len(real))
        one, other = (self.network.weigh(x) for x in (real, made))
        loss = F.softplus(-one).mean() + F.softplus(other).mean()
        self.optimizers[0].zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizers[0].step()
        return loss.detach()

    def score(self, rows: Tensor) -> float:
        """How badly it tells these rows from made ones, at the trust that serves it best."""
        made = self.maker.make(max(len(rows), _MADE))
        one, other = (self.network.weigh(x) for x in (self.rows[rows], made))
        losses = [float(F.softplus(-t * one).mean() + F.softplus(t * other).mean()) for t in _TRUST]
        best = int(np.argmin(losses))
        self.network.trust.fill_(_TRUST[best])
        return losses[best]


def auc(one: Tensor, other: Tensor) -> float:
    """How often a number of `one` (N,) is above one of `other` (M,); ties count half."""
    ordered = torch.sort(other).values
    below = torch.searchsorted(ordered, one) + torch.searchsorted(ordered, one, right=True)
    return float(below.double().mean() / (2 * len(other)))


def judged(
    classes: Classes,
    maker: Any,
    groups: np.ndarray,
    size: tuple[int, int],
    tries: int,
    training: Training,
    rng: np.random.Generator,
    key: str,
) -> Judged:
    """A maker with a judge, of width and depth `size`, learned on groups (N, C)."""
    count = len(groups)
    how = replace(training, epochs=10, patience=3, rate=1e-3, checkpoint=None)

    def trial(device: Any) -> Trial:
        ours, rows = classes.to(device), torch.from_numpy(groups).to(device)
        return Trial(rows + ours.first[:-1], ours, maker.to(device), *size)

    with seeded(rng):
        found = Judged(classes, maker, *size)
    found.judge, _ = train(trial, count, how, rng, key=key)
    found.maker = maker.cpu()
    with seeded(rng):
        found.eval().rake(tries, int(np.clip(2 * count, *_RAKED)))
    return found
