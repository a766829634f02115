"""What `gan` and `vae` share: rows of classes from a network, of which a judge keeps the likelier.

Each column is a class, numbers by mode-specific normalization (Xu et al. 2019) whose modes are
quantiles and repeated values. How rows are made is what the two differ in: each gives a maker.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self, cast

import numpy as np
import pyarrow as pa

from geurim import codec as codecs
from geurim.codec import Codec, part
from geurim.contract import Fitted, Generator, Json, Lineage, Profile, Progress, Source, quiet
from geurim.errors import DataError
from geurim.generators import _parts
from geurim.generators._parts import Parts
from geurim.generators._settings import check_whole, saved
from geurim.generators._training import Training, from_arrays, import_torch, seeded, to_arrays
from geurim.generators.trees import thin


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedJudged(Fitted):
    """The maker, the judge of what it makes, and how columns are written as classes."""

    schema: pa.Schema
    lineage: Lineage
    profile: Profile
    settings: Judged
    codec: Codec
    parts: tuple[Parts, ...]
    network: Any  # geurim.generators._judge_net.Judged
    completes: ClassVar[bool] = False
    made_by: ClassVar[type[Judged]]

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
        return {"settings": saved(self.settings), "codec": state}, arrays

    @classmethod
    def from_state(
        cls,
        profile: Profile,
        schema: pa.Schema,
        lineage: Lineage,
        state: dict[str, Json],
        arrays: dict[str, np.ndarray],
    ) -> Self:
        import_torch(f"The {cls.made_by.name} generator")
        training = Training(**state["settings"]["training"])
        settings = cls.made_by(**{**state["settings"], "training": training})
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
class Judged(Generator):
    """The settings that both have.

    groups: classes of a column, about; what is finer is drawn from the rows of the class.
    width, depth: the size of each network.
    tries: rows made for each that is kept; more are truer and slower.
    cell_rows: the fewest rows of a cell of a continuous column.
    max_rows: rows learned from; a larger table is thinned at random.
    """

    groups: int = 64
    width: int = 128
    depth: int = 2
    tries: int = 4
    cell_rows: int = 10
    max_rows: int = 200_000
    training: Training = field(default_factory=Training)
    name: ClassVar[str]
    whole_numbers: ClassVar[tuple[str, ...]] = (
        *("groups", "width", "depth"),
        *("tries", "cell_rows", "max_rows"),
    )

    def __post_init__(self) -> None:
        check_whole(self, self.whole_numbers)

    def most(self, rows: int) -> int:
        """The classes of a column, at most, in a table of so many rows."""
        raise NotImplementedError

    def maker(self, classes: Any) -> Any:
        """The network that makes rows, before it learned."""
        raise NotImplementedError

    def taught(
        self,
        classes: Any,
        groups: np.ndarray,
        training: Training,
        rng: np.random.Generator,
        progress: Progress,
        key: str,
    ) -> Any:
        """The maker as groups (N, C) of the rows teach it."""
        raise NotImplementedError

    def untrained(self, codec: Codec, parts: tuple[Parts, ...]) -> Any:
        """The networks for a table, before they learned."""
        from geurim.generators import _classes_net, _judge_net

        classes = _classes_net.classes_of(codec, parts)
        return _judge_net.Judged(classes, self.maker(classes), self.width, self.depth)

    def fit(
        self,
        source: Source | None,
        profile: Profile,
        rng: np.random.Generator,
        progress: Progress = quiet,
    ) -> FittedJudged:
        import_torch(f"The {self.name} generator")
        if source is None:
            raise DataError(
                f"A {self.name} learns from rows and was given a profile alone. "
                "Give the data, or choose generator='copula'."
            )
        table = thin(source, self.max_rows, rng)
        if not table.num_rows:
            raise DataError(f"There are no rows in {source.lineage.maker}. Give at least one.")
        codec, codes = codecs.learn(table, self.cell_rows)
        # Few rows: fewer classes, so that each has rows enough to learn from.
        parts = _parts.learn(codec, codes, min(self.groups, self.most(len(codes))))
        lineage = Lineage.made(repr(self), parents=(source.lineage,))
        with seeded(rng):
            network = self.untrained(codec, parts)
        if network.classes.count > network.classes.columns:  # else every column is constant
            network = self._learned(network.classes, parts, codes, rng, progress, lineage.digest)
        return cast(type[FittedJudged], self.fitted)(
            schema=source.schema,
            lineage=lineage,
            profile=profile,
            settings=self,
            codec=codec,
            parts=parts,
            network=network.eval(),
        )

    def _learned(
        self,
        classes: Any,
        parts: tuple[Parts, ...],
        codes: np.ndarray,
        rng: np.random.Generator,
        progress: Progress,
        key: str,
    ) -> Any:
        """The maker and its judge, taught by codes (N, C)."""
        from geurim.generators import _classes_net, _judge_net

        groups = _classes_net.split(parts, codes)
        batch = min(self.training.batch, max(32, len(codes) // 8))
        training = replace(self.training, batch=batch)
        maker = self.taught(classes, groups, training, rng, progress, key)
        sizes = self.width, self.depth
        return _judge_net.judged(classes, maker, groups, sizes, self.tries, training, rng, key)
