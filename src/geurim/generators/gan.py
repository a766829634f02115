"""A generative adversarial network for tables: CTGAN, with what has been learned since.

After Xu et al. 2019 (CTGAN): each column is a class, numbers by mode-specific normalization, whose
modes here are quantiles and repeated values. What is different, and why:

- the maker starts as a Gaussian copula of the classes, in closed form, and learns what a copula
  cannot say: so few rows are enough for what goes together by rank.
- the critic compares each real row with one made, with zero-centred penalties on both sides
  (Huang et al. 2024, R3GAN), which does not drop modes; CTGAN packs ten rows for that (PacGAN).
- classes are drawn, and gradients go straight through (Bengio et al. 2013): the critic never sees
  the soft rows of a Gumbel softmax, which give themselves away.
- the maker is also taught the moments of all pairs of columns (CTAB-GAN+, Zhao et al. 2022, teaches
  moments of a hidden layer), and rows are made by the mean of its weights.
- a fresh judge, trained at the end of each epoch on rows learned and made, tells rows held out from
  made ones; the best epoch is the one in which it fails most.
- no column is given to the networks: rows are completed by trying until one fits.
- of `tries` rows made, one is kept, in proportion to how much likelier a judge finds it among real
  rows (Azadi et al. 2019, discriminator rejection sampling), as far as rows held out show that it
  can be trusted, and raked to the real shares of classes.

Not where time counts: `trees` are faster and closer. No privacy proof goes with it.
Needs the extra `torch`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from geurim.contract import Fitted, Progress
from geurim.errors import SettingError
from geurim.generators._judged import FittedJudged, Judged
from geurim.generators._training import Training, train

# All epochs are made of a table between these numbers of rows. Of fewer the critic would soon know
# them by heart; of more, each pass teaches more.
_FEW, _MANY = 10_000, 40_000


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedGan(FittedJudged):
    """What a GAN learned."""

    name: ClassVar[str] = "gan"


@dataclass(frozen=True, kw_only=True)
class Gan(Judged):
    """A tabular GAN.

    groups: classes of a column, about; what is finer is drawn from the rows of the class.
    noise, width, depth: the numbers a row is made from, and the size of each network.
    penalty: how smooth the critic must be. moments: the weight of the moments of pairs.
    tries: rows made for each that is kept; more are truer and slower.
    cell_rows: the fewest rows of a cell of a continuous column.
    max_rows: rows learned from; a larger table is thinned at random.
    """

    noise: int = 64
    penalty: float = 0.1
    moments: float = 10.0
    training: Training = field(default=Training(epochs=60, batch=256, patience=40, rate=2e-3))
    name: ClassVar[str] = "gan"
    fitted: ClassVar[type[Fitted]] = FittedGan
    whole_numbers: ClassVar[tuple[str, ...]] = (*Judged.whole_numbers, "noise")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("penalty", "moments"):
            if not getattr(self, name) >= 0:
                raise SettingError(f"Gan: {name} is {getattr(self, name)!r}. Give a number from 0.")

    def most(self, rows: int) -> int:
        return max(8, int(rows**0.5 / 2))

    def sizes(self) -> tuple[int, int, int]:
        """What the networks are made by."""
        return self.noise, self.width, self.depth

    def maker(self, classes: Any) -> Any:
        from geurim.generators import _gan_net

        return _gan_net.Maker(classes, *self.sizes())

    def taught(
        self,
        classes: Any,
        groups: np.ndarray,
        training: Training,
        rng: np.random.Generator,
        progress: Progress,
        key: str,
    ) -> Any:
        from geurim.generators import _gan_net

        rows = len(groups)
        epochs = math.ceil(training.epochs * min(1.0, rows / _FEW, _MANY / rows))
        training = replace(training, epochs=epochs)

        def duel(device: Any) -> Any:
            weights = self.penalty, self.moments
            return _gan_net.Duel(groups, classes, self.sizes(), weights, training, device)

        pair, _ = train(duel, rows, training, rng, progress, key=key)
        return pair.mean


FittedGan.made_by = Gan
