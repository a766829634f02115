"""Masked discrete diffusion for mixed tables: a row is revealed from nothing, a few columns a step.

Numbers and dates become groups of quantiles and repeated values, and a value is drawn within its
group; categories are classes as they are. Noise hides columns until none is left (the absorbing
process of D3PM, Austin et al. 2021); the network learns to tell what is hidden from what is seen,
by the bound of masked diffusion (Sahoo et al. 2024; Shi et al. 2024), which TabDiff (Shi et al.
2025) uses for categories. What is different, and why:

- numbers are masked, too, instead of a Gaussian flow beside: one process, exact for repeated
  values and missing ones, and no more steps than columns.
- some training masks are those that a draw meets, the others any: rows are truer, and what
  is told from any few columns helps the rest.
- values learned as what others leave open (geurim.links) are known on their own scale where given
  without those.

Not to be confused with TabDDPM, which adds Gaussian noise to numbers. Not for tables of a few
hundred rows, nor where time counts: `trees` are better there. No privacy proof goes with it.
Needs the extra `torch`.
"""

from __future__ import annotations

from collections.abc import Mapping
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

_WHAT = "The diffusion generator"


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedDiffusion(Fitted):
    """The network, and how columns are written as classes."""

    schema: pa.Schema
    lineage: Lineage
    profile: Profile
    settings: Diffusion
    grid: Grid
    network: Any  # _reveal_net.Revealer
    name: ClassVar[str] = "diffusion"
    # Not yet: given one column, the rest depends on it less than in the real rows.
    completes: ClassVar[bool] = False

    def draw(
        self, rows: int, rng: np.random.Generator, given: pa.Table | None = None
    ) -> pa.RecordBatch:
        names = () if given is None else given.column_names
        hidden = [i for i, n in enumerate(self.grid.codec.names) if n not in names]
        known = np.full((rows, self.grid.columns), -1, np.int64)
        if given is not None:
            known = self.grid.split(self.grid.codec.encode(given))
        groups = reveal(self.network, _steps(hidden, self.settings.steps), rows, rng, known)
        # What was given comes back by itself; a value never seen has no class to write.
        return self.grid.write(np.maximum(groups, 0), self.schema, rng, given)

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        state, arrays = self.grid.state()
        return {"settings": to_json(self.settings), "codec": state}, (
            arrays | to_arrays(self.network)
        )

    @classmethod
    def from_state(
        cls,
        profile: Profile,
        schema: pa.Schema,
        lineage: Lineage,
        state: dict[str, Json],
        arrays: dict[str, np.ndarray],
    ) -> FittedDiffusion:
        settings = _settings(state["settings"])
        grid = Grid.from_state(schema, state["codec"], arrays)
        return cls(
            schema=schema,
            lineage=lineage,
            profile=profile,
            settings=settings,
            grid=grid,
            network=from_arrays(settings.network(grid), arrays),
        )


@dataclass(frozen=True, kw_only=True)
class Diffusion(Generator):
    """Masked diffusion; it draws whole rows and does not complete given ones.

    groups: classes of a column, about; what is finer is drawn from the rows of the class.
    width, depth: the size of the network.
    steps: of a draw, at most; with more columns, several are revealed in one step, independently.
    any_order: the share of training masks of any columns; the others are those of a draw.
    cell_rows: the fewest rows of a cell of a continuous column.
    max_rows: rows learned from; a larger table is thinned at random.
    """

    groups: int = 64
    width: int = 192
    depth: int = 2
    steps: int = 24
    any_order: float = 0.4
    cell_rows: int = 10
    max_rows: int = 200_000
    training: Training = field(default=Training(epochs=60, batch=256, rate=2e-3, patience=6))
    name: ClassVar[str] = "diffusion"
    fitted: ClassVar[type[Fitted]] = FittedDiffusion

    def __post_init__(self) -> None:
        for name in ("groups", "width", "depth", "steps", "cell_rows", "max_rows"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise SettingError(f"Diffusion: {name} is {value!r}. Give a whole number from 1.")
        if not 0 <= self.any_order <= 1:
            raise SettingError(
                f"Diffusion: any_order is {self.any_order!r}. Give a share from 0 to 1."
            )

    def network(self, grid: Grid) -> Any:
        """An untrained network for a table. Raises MissingExtra without torch."""
        import_torch(_WHAT)
        from geurim.generators._reveal_net import Revealer

        with seeded(np.random.default_rng(0)):
            return Revealer(grid, self.width, self.depth).eval()

    def fit(
        self,
        source: Source | None,
        profile: Profile,
        rng: np.random.Generator,
        progress: Progress = quiet,
    ) -> FittedDiffusion:
        import_torch(_WHAT)
        if source is None:
            raise DataError(
                "Diffusion learns from rows and was given a profile alone. "
                "Give the data, or choose generator='copula'."
            )
        table = thin(source, self.max_rows, rng)
        if not table.num_rows:
            raise DataError(f"There are no rows in {source.lineage.maker}. Give at least one.")
        grid, groups, alone = read(table, self.cell_rows, self.groups)
        lineage = Lineage.made(repr(self), parents=(source.lineage,))
        network = self.network(grid)
        if sum(grid.sizes) > grid.columns:  # else every column is constant
            network = self._learn(grid, (groups, alone), rng, progress, lineage.digest)
        return FittedDiffusion(
            schema=source.schema,
            lineage=lineage,
            profile=profile,
            settings=self,
            grid=grid,
            network=network,
        )

    def _learn(
        self,
        grid: Grid,
        rows: tuple[np.ndarray, np.ndarray],
        rng: np.random.Generator,
        progress: Progress,
        key: str,
    ) -> Any:
        from geurim.generators._diffusion_net import Masked

        def task(device: Any) -> Any:
            size = self.width, self.depth
            return Masked(grid, rows, size, self.any_order, self.training, device)

        training = for_rows(self.training, len(rows[0]))
        pair, _ = train(task, len(rows[0]), training, rng, progress, key=key)
        return pair.mean


def _steps(columns: list[int], most: int) -> list[list[int]]:
    """The columns in the codec's order, at most `most` steps of them, those with most classes
    alone."""
    several = max(len(columns) - most, 0) * 2
    pairs = [columns[i : i + 2] for i in range(0, min(several, len(columns)), 2)]
    left = [[c] for c in columns[min(several, len(columns)) :]]
    if len(pairs) + len(left) <= most:
        return pairs + left
    return [list(map(int, part)) for part in np.array_split(columns, most)]


def _settings(state: Mapping[str, Json]) -> Diffusion:
    return Diffusion(**{**state, "training": Training(**state["training"])})
