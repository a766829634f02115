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

from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from geurim import codec as codecs
from geurim.codec import Codec, part
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
from geurim.generators import _parts
from geurim.generators._parts import Parts
from geurim.generators._training import (
    Training,
    from_arrays,
    import_torch,
    seeded,
    to_arrays,
    train,
)
from geurim.generators.trees import thin


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedVae(Fitted):
    """The decoder, the judge of what it makes, and how columns are written as classes."""

    schema: pa.Schema
    lineage: Lineage
    profile: Profile
    settings: Vae
    codec: Codec
    parts: tuple[Parts, ...]
    network: Any  # _vae_net.Made
    name: ClassVar[str] = "vae"
    completes: ClassVar[bool] = False

    def draw(
        self, rows: int, rng: np.random.Generator, given: pa.Table | None = None
    ) -> pa.RecordBatch:
        groups = self.network.draw(rows, self.settings.tries, rng)
        codes = np.empty(groups.shape, np.int32)
        for i, one in enumerate(self.parts):
            codes[:, i] = one.from_position(groups[:, i], rng.random(rows))
        return self.codec.decode(codes, self.schema, rng)

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        state, arrays = self.codec.state()
        arrays = {f"codec/{k}": v for k, v in arrays.items()}
        arrays |= {f"parts/{k}": v for k, v in _parts.state(self.parts).items()}
        arrays |= to_arrays(self.network)
        return {"settings": asdict(self.settings), "codec": state}, arrays

    @classmethod
    def from_state(
        cls,
        profile: Profile,
        schema: pa.Schema,
        lineage: Lineage,
        state: dict[str, Json],
        arrays: dict[str, np.ndarray],
    ) -> FittedVae:
        import_torch("The vae generator")
        settings = Vae(
            **{**state["settings"], "training": Training(**state["settings"]["training"])}
        )
        codec = Codec.from_state(schema, state["codec"], part(arrays, "codec/"))
        parts = _parts.from_state(len(codec.names), part(arrays, "parts/"))
        with seeded(np.random.default_rng(0)):
            network = settings.untrained(codec, parts)
        return cls(
            schema=schema,
            lineage=lineage,
            profile=profile,
            settings=settings,
            codec=codec,
            parts=parts,
            network=from_arrays(network, arrays),
        )


@dataclass(frozen=True, kw_only=True)
class Vae(Generator):
    """A tabular VAE whose prior is fitted to its latents.

    groups: classes of a column, about; what is finer is drawn from the rows of the class.
    latent: numbers a row is made from. width, depth: the size of each network.
    beta: the charge for what the latent tells; 1 is the evidence lower bound.
    components: of the mixture fitted to the latents.
    tries: rows made for each that is kept; more are truer and slower.
    cell_rows: the fewest rows of a cell of a continuous column.
    max_rows: rows learned from; a larger table is thinned at random.
    """

    groups: int = 64
    latent: int = 16
    width: int = 128
    depth: int = 2
    beta: float = 1.0
    components: int = 32
    tries: int = 4
    cell_rows: int = 10
    max_rows: int = 200_000
    training: Training = field(default=Training(epochs=20, batch=256, patience=6, rate=4e-3))
    name: ClassVar[str] = "vae"
    fitted: ClassVar[type[Fitted]] = FittedVae

    def __post_init__(self) -> None:
        whole = ("groups", "latent", "width", "depth", "components", "tries", "cell_rows")
        for name in (*whole, "max_rows"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise SettingError(f"Vae: {name} is {value!r}. Give a whole number from 1.")
        if not self.beta > 0:
            raise SettingError(f"Vae: beta is {self.beta!r}. Give a number above 0.")

    def sizes(self) -> tuple[int, int, int]:
        """What the networks are made by."""
        return self.latent, self.width, self.depth

    def fit(
        self,
        source: Source | None,
        profile: Profile,
        rng: np.random.Generator,
        progress: Progress = quiet,
    ) -> FittedVae:
        import_torch("The vae generator")
        if source is None:
            raise DataError(
                "A vae learns from rows and was given a profile alone. "
                "Give the data, or choose generator='copula'."
            )
        table = thin(source, self.max_rows, rng)
        if not table.num_rows:
            raise DataError(f"There are no rows in {source.lineage.maker}. Give at least one.")
        codec, codes = codecs.learn(table, self.cell_rows)
        # Few rows: fewer classes, so that each has rows enough to learn from.
        most = min(self.groups, max(8, int(len(codes) ** 0.5)))
        parts = _parts.learn(codec, codes, most)
        lineage = Lineage.made(repr(self), parents=(source.lineage,))
        with seeded(rng):
            network = self.untrained(codec, parts)
        if network.classes.count > network.classes.columns:  # else every column is constant
            network = self._learn(network, parts, codes, rng, progress, lineage.digest)
        return FittedVae(
            schema=source.schema,
            lineage=lineage,
            profile=profile,
            settings=self,
            codec=codec,
            parts=parts,
            network=network.eval(),
        )

    def untrained(self, codec: Codec, parts: tuple[Parts, ...]) -> Any:
        """The networks for a table, before they learned."""
        from geurim.generators import _classes_net, _judge_net, _vae_net

        classes = _classes_net.classes_of(codec, parts)
        return _judge_net.Judged(
            classes, _vae_net.Decoder(classes, *self.sizes(), self.components), *self.sizes()[1:]
        )

    def _learn(
        self,
        network: Any,
        parts: tuple[Parts, ...],
        codes: np.ndarray,
        rng: np.random.Generator,
        progress: Progress,
        key: str,
    ) -> Any:
        """The networks as codes (N, C) of the rows teach them."""
        from geurim.generators import _classes_net, _judge_net, _vae_net

        groups, rows = _classes_net.split(parts, codes), len(codes)
        batch = min(self.training.batch, max(32, rows // 8))
        training = replace(self.training, batch=batch)

        def bound(device: Any) -> Any:
            return _vae_net.Bound(
                groups,
                network.classes,
                self.sizes(),
                self.components,
                self.beta,
                training,
                device,
            )

        pair, _ = train(bound, rows, training, rng, progress, key=key)
        with seeded(rng):
            decoder = _vae_net.finish(pair.mean, groups, rng)
        sizes = self.sizes()[1:]
        return _judge_net.judged(
            network.classes, decoder, groups, sizes, self.tries, training, rng, key
        )
