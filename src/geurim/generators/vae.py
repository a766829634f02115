"""A variational autoencoder for tables: TVAE, with what has been learned since.

After Xu et al. 2019 (TVAE): numbers by mode-specific normalization, whose modes here are quantiles
and repeated values; a Gaussian latent; the evidence lower bound. What is different, and why:

- each column's classes have a likelihood and are drawn from it; TVAE takes the likeliest.
- the latents of the real rows are not spread as the prior says, and rows from between them give
  TVAE away (the hole of the prior: Tomczak & Welling 2018). After training a mixture of Gaussians
  is fitted to the latents themselves (ex-post density estimation, Ghosh et al. 2020), and drawn
  from.
- given the latent, the columns of a row are not drawn one by one but through correlated normals, a
  Gaussian copula of what the latent leaves open, steered until pairs of columns go together as in
  the real rows.
- a little of what each direction of the latent tells is free, so that it is used at all (Kingma et
  al. 2016), and training ends when the bound on rows held out is best.
- of `tries` rows made, one is kept, in proportion to how much likelier a judge finds it among real
  rows (Azadi et al. 2019, discriminator rejection sampling), as far as rows held out show that it
  can be trusted, and raked to the real shares of classes.

It does not condition: rows are completed by trying until one fits. No privacy proof goes with it.
Needs the extra `torch`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from geurim.contract import Fitted, Progress
from geurim.errors import SettingError
from geurim.generators._judged import FittedJudged, Judged
from geurim.generators._training import Training, seeded, train


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedVae(FittedJudged):
    """What a VAE learned: of its networks, the decoder."""

    name: ClassVar[str] = "vae"


@dataclass(frozen=True, kw_only=True)
class Vae(Judged):
    """A tabular VAE whose prior is fitted to its latents.

    groups: classes of a column, about; what is finer is drawn from the rows of the class.
    latent: numbers a row is made from. width, depth: the size of each network.
    beta: the charge for what the latent tells; 1 is the evidence lower bound.
    components: of the mixture fitted to the latents.
    tries: rows made for each that is kept; more are truer and slower.
    cell_rows: the fewest rows of a cell of a continuous column.
    max_rows: rows learned from; a larger table is thinned at random.
    """

    latent: int = 16
    beta: float = 1.0
    components: int = 32
    training: Training = field(default=Training(epochs=20, batch=256, patience=6, rate=4e-3))
    name: ClassVar[str] = "vae"
    fitted: ClassVar[type[Fitted]] = FittedVae
    whole_numbers: ClassVar[tuple[str, ...]] = (*Judged.whole_numbers, "latent", "components")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.beta > 0:
            raise SettingError(f"Vae: beta is {self.beta!r}. Give a number above 0.")

    def most(self, rows: int) -> int:
        return max(8, int(rows**0.5))

    def sizes(self) -> tuple[int, int, int]:
        """What the networks are made by."""
        return self.latent, self.width, self.depth

    def maker(self, classes: Any) -> Any:
        from geurim.generators import _vae_net

        return _vae_net.Decoder(classes, *self.sizes(), self.components)

    def taught(
        self,
        classes: Any,
        groups: np.ndarray,
        training: Training,
        rng: np.random.Generator,
        progress: Progress,
        key: str,
    ) -> Any:
        from geurim.generators import _vae_net

        def bound(device: Any) -> Any:
            return _vae_net.Bound(
                groups, classes, self.sizes(), self.components, self.beta, training, device
            )

        pair, _ = train(bound, len(groups), training, rng, progress, key=key)
        with seeded(rng):
            return _vae_net.finish(pair.mean, groups, rng)


FittedVae.made_by = Vae
