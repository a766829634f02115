"""A variational autoencoder for tables: TVAE, with what has been learned since.

After Xu et al. 2019 (TVAE): numbers by mode-specific normalization, whose modes here are quantiles
and repeated values; a Gaussian latent; the evidence lower bound. What is different, and why:

- each column's classes have a likelihood and are drawn from it; TVAE takes the likeliest.
- the latents of the real rows are not spread as the prior says, and rows from between them give
  TVAE away (the hole of the prior: Tomczak & Welling 2018). After training a mixture of Gaussians
  is fitted to the latents themselves (ex-post density estimation, Ghosh et al. 2020), and drawn
  from.
- the decoder reveals the columns in a few stages, each given the latent and the stages before: what
  the latent leaves out is not lost between columns.
- a little of what each direction of the latent tells is free, so that it is used at all (Kingma et
  al. 2016), and training ends when the bound on rows held out is best.

It does not condition: rows are rejected where a condition is asked for; `diffusion` completes any
columns. Not for tables of a few hundred rows: `trees` are better there. No privacy proof goes with
it. Needs the extra `torch`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from geurim.contract import (
    Fitted,
    Generator,
    Json,
    Lineage,
    Profile,
    Progress,
    Source,
    quiet,
)
from geurim.errors import DataError, SettingError
from geurim.generators import _mixture
from geurim.generators._mixture import Mixture
from geurim.generators._reveal import Grid, for_rows, read, reveal, to_json
from geurim.generators._training import (
    Training,
    from_arrays,
    import_torch,
    seeded,
    to_arrays,
    train,
)
from geurim.generators.trees import thin

_WHAT = "The vae generator"
_ROWS = 30_000  # latents to fit the mixture to


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedVae(Fitted):
    """The decoder, the density of latents, and how columns are written as classes."""

    schema: pa.Schema
    lineage: Lineage
    profile: Profile
    settings: Vae
    grid: Grid
    prior: Mixture
    network: Any  # _reveal_net.Revealer
    name: ClassVar[str] = "vae"

    def draw(
        self, rows: int, rng: np.random.Generator, given: pa.Table | None = None
    ) -> pa.RecordBatch:
        stage = self.settings.stage(self.grid.columns)
        steps = [np.flatnonzero(stage == s).tolist() for s in range(stage.max(initial=-1) + 1)]
        latent = self.prior.draw(rows, rng)
        groups = reveal(self.network, steps, rows, rng, latent=latent)
        return self.grid.write(groups, self.schema, rng)

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        state, arrays = self.grid.state()
        arrays |= self.prior.arrays() | to_arrays(self.network)
        return {"settings": to_json(self.settings), "codec": state}, arrays

    @classmethod
    def from_state(
        cls,
        profile: Profile,
        schema: pa.Schema,
        lineage: Lineage,
        state: dict[str, Json],
        arrays: dict[str, np.ndarray],
    ) -> FittedVae:
        training = Training(**state["settings"]["training"])
        settings = Vae(**{**state["settings"], "training": training})
        grid = Grid.from_state(schema, state["codec"], arrays)
        return cls(
            schema=schema,
            lineage=lineage,
            profile=profile,
            settings=settings,
            grid=grid,
            prior=Mixture.from_arrays(arrays),
            network=from_arrays(settings.coder(grid).decoder, arrays),
        )


@dataclass(frozen=True, kw_only=True)
class Vae(Generator):
    """A tabular VAE whose prior is fitted to its latents.

    groups: classes of a column, about; what is finer is drawn from the rows of the class.
    latent: numbers a row is made from. width, depth: the size of each network.
    stages: in which the decoder reveals the columns; more are truer and slower.
    beta: the charge for what the latent tells; 1 is the evidence lower bound.
    components: of the mixture fitted to the latents.
    cell_rows: the fewest rows of a cell of a continuous column.
    max_rows: rows learned from; a larger table is thinned at random.
    """

    groups: int = 64
    latent: int = 16
    width: int = 160
    depth: int = 2
    stages: int = 5
    beta: float = 1.0
    components: int = 32
    cell_rows: int = 10
    max_rows: int = 200_000
    training: Training = field(default=Training(epochs=30, batch=256, rate=2e-3, patience=6))
    name: ClassVar[str] = "vae"
    fitted: ClassVar[type[Fitted]] = FittedVae

    def __post_init__(self) -> None:
        whole = ("groups", "latent", "width", "depth", "stages", "components", "cell_rows")
        for name in (*whole, "max_rows"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise SettingError(f"Vae: {name} is {value!r}. Give a whole number from 1.")
        if not self.beta > 0:
            raise SettingError(f"Vae: beta is {self.beta!r}. Give a number above 0.")

    def stage(self, columns: int) -> np.ndarray:
        """The stage (C,) in which each column is revealed, those of few levels first."""
        stages = min(self.stages, columns)
        return np.arange(columns) * stages // max(columns, 1)

    def coder(self, grid: Grid) -> Any:
        """An untrained encoder and decoder for a table. Raises MissingExtra without torch."""
        import_torch(_WHAT)
        from geurim.generators._vae_net import Coder

        with seeded(np.random.default_rng(0)):
            return Coder(grid, self.width, self.depth, self.latent).eval()

    def fit(
        self,
        source: Source | None,
        profile: Profile,
        rng: np.random.Generator,
        progress: Progress = quiet,
    ) -> FittedVae:
        import_torch(_WHAT)
        if source is None:
            raise DataError(
                "A vae learns from rows and was given a profile alone. "
                "Give the data, or choose generator='copula'."
            )
        table = thin(source, self.max_rows, rng)
        if not table.num_rows:
            raise DataError(f"There are no rows in {source.lineage.maker}. Give at least one.")
        grid, groups, _ = read(table, self.cell_rows, self.groups)
        lineage = Lineage.made(repr(self), parents=(source.lineage,))
        coder = self.coder(grid)
        if sum(grid.sizes) > grid.columns:  # else every column is constant
            coder = self._learn(grid, groups, rng, progress, lineage.digest)
        return FittedVae(
            schema=source.schema,
            lineage=lineage,
            profile=profile,
            settings=self,
            grid=grid,
            prior=self._prior(coder, groups, rng),
            network=coder.decoder,
        )

    def _learn(
        self,
        grid: Grid,
        groups: np.ndarray,
        rng: np.random.Generator,
        progress: Progress,
        key: str,
    ) -> Any:
        from geurim.generators._vae_net import Elbo

        def task(device: Any) -> Any:
            stage, size = self.stage(grid.columns), (self.width, self.depth, self.latent)
            return Elbo(grid, groups, stage, size, self.beta, self.training, device)

        training = for_rows(self.training, len(groups))
        pair, _ = train(task, len(groups), training, rng, progress, key=key)
        return pair.mean

    def _prior(self, coder: Any, groups: np.ndarray, rng: np.random.Generator) -> Mixture:
        """The density of the latents of the rows, each drawn from its own posterior."""
        if not groups.shape[1]:
            return _mixture.learn(np.zeros((1, self.latent)), 1, rng)
        chosen = rng.permutation(len(groups))[:_ROWS]
        with seeded(rng) as torch, torch.no_grad():
            latents = coder.latents(torch.from_numpy(groups[chosen]))[0].numpy()
        # A component should rest on more rows than it has parameters to learn.
        components = min(self.components, max(1, len(chosen) // (5 * self.latent)))
        return _mixture.learn(latents, components, rng)
