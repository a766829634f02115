"""A generative adversarial network for tables: CTGAN, with what has been learned since.

After Xu et al. 2019 (CTGAN): each column is a class, numbers by mode-specific normalization, whose
modes here are quantiles and repeated values. What is different, and why:

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
  rows (Azadi et al. 2019, discriminator rejection sampling), raked to the real shares of classes.

Not for tables of a few hundred rows, nor where time counts: `trees` are better there. No privacy
proof goes with it. Needs the extra `torch`.
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

_CHUNK = 4_096  # rows made at once


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
        torch = import_torch("The gan generator")
        random = torch.Generator().manual_seed(int(rng.integers(2**62)))
        groups = np.empty((rows, len(self.parts)), np.int64)
        for start in range(0, rows if self.parts else 0, _CHUNK):
            end = min(start + _CHUNK, rows)
            made = self.network.choose(end - start, self.settings.tries, random)
            groups[start:end] = made.numpy()
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
        from geurim.generators import _gan_net

        training = Training(**state["settings"].pop("training"))
        settings = Gan(**state["settings"], training=training)
        codec = Codec.from_state(schema, state["codec"], part(arrays, "codec/"))
        parts = _parts.from_state(len(codec.names), part(arrays, "parts/"))
        with seeded(np.random.default_rng(0)):
            network = _gan_net.Made(classes_of(codec, parts), settings.sizes())
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
    tries: int = 8
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
        return FittedGan(
            schema=source.schema,
            lineage=lineage,
            profile=profile,
            settings=self,
            codec=codec,
            parts=parts,
            network=self._learn(
                classes_of(codec, parts), split(parts, codes), rng, progress, lineage.digest
            ),
        )

    def _learn(
        self,
        classes: Any,
        groups: np.ndarray,
        rng: np.random.Generator,
        progress: Progress,
        key: str,
    ) -> Any:
        """The networks, from the groups (N, C) of the rows."""
        from geurim.generators import _gan_net

        torch = import_torch("The gan generator")
        rows = len(groups)
        training = replace(self.training, batch=min(self.training.batch, max(32, rows // 16)))
        with seeded(rng):
            made = _gan_net.Made(classes, self.sizes())
        if not classes.count > classes.columns:  # every column is constant
            return made.eval()

        def duel(device: Any) -> Any:
            sizes, weights = self.sizes(), (self.penalty, self.moments)
            return _gan_net.Duel(groups, classes, sizes, weights, training, device)

        pair, _ = train(duel, rows, training, rng, progress, key=key)
        judged = replace(training, epochs=10, patience=3, rate=1e-3, checkpoint=None)

        def trial(device: Any) -> Any:
            numbers = torch.from_numpy(groups) + classes.first[:-1]
            maker = pair.mean.to(device)
            return _gan_net.Trial(numbers.to(device), classes.to(device), maker, self.sizes())

        made.judge, _ = train(trial, rows, judged, rng, key=key)
        made.maker = pair.mean.cpu()
        with seeded(rng):
            made.eval().rake(self.tries, min(max(2 * rows, 1_000), 20_000))
        return made


def split(parts: tuple[Parts, ...], codes: np.ndarray) -> np.ndarray:
    """Groups (N, C) int64 of codes (N, C); -1 where the code is."""
    groups = np.empty(codes.shape, np.int64)
    for i, one in enumerate(parts):
        groups[:, i] = one.split(codes[:, i])[0]
    return groups


def classes_of(codec: Codec, parts: tuple[Parts, ...]) -> Any:
    """The groups of all columns as the classes that networks see."""
    from geurim.generators import _gan_net

    ranks = [_ranks(s, p) for s, p in zip(codec.scales.values(), parts, strict=True)]
    return _gan_net.Classes.of(
        [p.groups for p in parts],
        np.concatenate([np.empty(0), *ranks]),
        np.concatenate([np.empty(0), *(p.shares() for p in parts)]),
    )


def _ranks(scale: codecs.Scale, one: Parts) -> np.ndarray:
    """Where each group lies by its rows (groups,), in (0, 1); NaN where there is no such order."""
    if not scale.own.ordered:
        return np.full(one.groups, np.nan)
    share = one.shares()
    ranks = np.cumsum(share) - share / 2
    ends = [(scale.own, scale.size - 1), (scale.residual, scale.size - scale.own.size - 1)]
    missing = [code for levels, code in ends if levels is not None and levels.missing]
    ranks[one.split(np.array(missing, np.int64))[0]] = np.nan
    return np.asarray(ranks)
