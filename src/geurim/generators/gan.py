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

# All epochs are made of a table between these numbers of rows. Of fewer the critic would soon know
# them by heart; of more, each pass teaches more.
_FEW, _MANY = 10_000, 40_000


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedGan(Fitted):
    """The maker, the judge of what it makes, and how columns are written as classes."""

    schema: pa.Schema
    lineage: Lineage
    profile: Profile
    settings: Gan
    codec: Codec
    parts: tuple[Parts, ...]
    network: Any  # _gan_net.Made
    name: ClassVar[str] = "gan"
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
    ) -> FittedGan:
        import_torch("The gan generator")
        settings = Gan(
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
class Gan(Generator):
    """A tabular GAN.

    groups: classes of a column, about; what is finer is drawn from the rows of the class.
    noise, width, depth: the numbers a row is made from, and the size of each network.
    penalty: how smooth the critic must be. moments: the weight of the moments of pairs.
    tries: rows made for each that is kept; more are truer and slower.
    cell_rows: the fewest rows of a cell of a continuous column.
    max_rows: rows learned from; a larger table is thinned at random.
    """

    groups: int = 64
    noise: int = 64
    width: int = 128
    depth: int = 2
    penalty: float = 0.1
    moments: float = 10.0
    tries: int = 4
    cell_rows: int = 10
    max_rows: int = 200_000
    training: Training = field(default=Training(epochs=60, batch=256, patience=40, rate=2e-3))
    name: ClassVar[str] = "gan"
    fitted: ClassVar[type[Fitted]] = FittedGan

    def __post_init__(self) -> None:
        for name in ("groups", "noise", "width", "depth", "tries", "cell_rows", "max_rows"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise SettingError(f"Gan: {name} is {value!r}. Give a whole number from 1.")
        for name in ("penalty", "moments"):
            if not getattr(self, name) >= 0:
                raise SettingError(f"Gan: {name} is {getattr(self, name)!r}. Give a number from 0.")

    def sizes(self) -> tuple[int, int, int]:
        """What the networks are made by."""
        return self.noise, self.width, self.depth

    def fit(
        self,
        source: Source | None,
        profile: Profile,
        rng: np.random.Generator,
        progress: Progress = quiet,
    ) -> FittedGan:
        import_torch("The gan generator")
        if source is None:
            raise DataError(
                "A gan learns from rows and was given a profile alone. "
                "Give the data, or choose generator='copula'."
            )
        table = thin(source, self.max_rows, rng)
        if not table.num_rows:
            raise DataError(f"There are no rows in {source.lineage.maker}. Give at least one.")
        codec, codes = codecs.learn(table, self.cell_rows)
        # Few rows: fewer classes, so that each has rows enough to learn from.
        most = min(self.groups, max(8, int(len(codes) ** 0.5 / 2)))
        parts = _parts.learn(codec, codes, most)
        lineage = Lineage.made(repr(self), parents=(source.lineage,))
        with seeded(rng):
            network = self.untrained(codec, parts)
        if network.classes.count > network.classes.columns:  # else every column is constant
            network = self._learn(network, parts, codes, rng, progress, lineage.digest)
        return FittedGan(
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
        from geurim.generators import _classes_net, _gan_net, _judge_net

        classes = _classes_net.classes_of(codec, parts)
        return _judge_net.Judged(classes, _gan_net.Maker(classes, *self.sizes()), *self.sizes()[1:])

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
        from geurim.generators import _classes_net, _gan_net, _judge_net

        groups, rows = _classes_net.split(parts, codes), len(codes)
        training = replace(
            self.training,
            batch=min(self.training.batch, max(32, rows // 8)),
            epochs=math.ceil(self.training.epochs * min(1.0, rows / _FEW, _MANY / rows)),
        )

        def duel(device: Any) -> Any:
            sizes, weights = self.sizes(), (self.penalty, self.moments)
            return _gan_net.Duel(groups, network.classes, sizes, weights, training, device)

        pair, _ = train(duel, rows, training, rng, progress, key=key)
        sizes = self.sizes()[1:]
        return _judge_net.judged(
            network.classes, pair.mean, groups, sizes, self.tries, training, rng, key
        )
