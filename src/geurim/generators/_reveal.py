"""A table as classes that a network reveals step by step: what `vae` and `diffusion` share.

    table --codec--> codes --parts--> classes (N, C) --a network--> classes --> codes --> table

A column is its groups (geurim.generators._parts); within a group a value is drawn by its mass. A
column that owes itself to others (geurim.links) is read in two ways: by its residual, which is what
is drawn, and on its own scale, which is how it is known where its base is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow as pa

from geurim import codec as codecs
from geurim.codec import Codec, Scale, part
from geurim.contract import Json
from geurim.generators import _parts
from geurim.generators._parts import Parts
from geurim.generators._training import Training

CHUNK = 4_096  # rows made at once
_WAVES = 8  # cosines by which neighbouring groups of an ordered column are alike


@dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """How rows are written as classes, and classes as rows."""

    codec: Codec
    parts: tuple[Parts, ...]

    @property
    def columns(self) -> int:
        return len(self.parts)

    @property
    def sizes(self) -> list[int]:
        """The classes of each column."""
        return [p.groups for p in self.parts]

    @property
    def first(self) -> np.ndarray:
        """Where each column's classes start among those of all (C + 1,)."""
        return np.concatenate([[0], np.cumsum(self.sizes, dtype=np.int64)]).astype(np.int64)

    def split(self, codes: np.ndarray) -> np.ndarray:
        """Classes (N, C) int64 of codes (N, C); -1 where the code is."""
        groups = [p.split(codes[:, i])[0] for i, p in enumerate(self.parts)]
        return np.stack(groups, axis=1) if groups else np.zeros((len(codes), 0), np.int64)

    def write(
        self,
        groups: np.ndarray,
        schema: pa.Schema,
        rng: np.random.Generator,
        given: pa.Table | None = None,
    ) -> pa.RecordBatch:
        """A batch of `schema` from classes (N, C), each value drawn within its group."""
        codes = np.empty(groups.shape, np.int32)
        for i, one in enumerate(self.parts):
            codes[:, i] = one.from_position(groups[:, i], rng.random(len(groups)))
        if not self.columns:
            rows = pa.table({"row": pa.nulls(len(groups))}).select([])
            return rows.to_batches()[0] if rows.num_rows else pa.RecordBatch.from_pylist([], schema)
        return self.codec.decode(codes, schema, rng, given)

    def features(self) -> np.ndarray:
        """Each class (T, F) by where it lies in its column; zero where there is no order.

        Cosines of its rank, its normal score and the square of it: by the last two the logits of a
        Gaussian dependence are linear in what the network sees.
        """
        found = [_ranks(s, p) for s, p in zip(self.codec.scales.values(), self.parts, strict=True)]
        rank = np.concatenate([np.zeros(0), *found])
        waves = np.cos(np.pi * rank[:, None] * np.arange(_WAVES))
        normal = NormalDist().inv_cdf
        score = np.array([normal(r) if 0 < r < 1 else np.nan for r in rank.tolist()])
        features = np.column_stack([waves, score, score**2 - 1])
        return np.where(np.isnan(rank)[:, None], 0.0, np.nan_to_num(features)).astype(np.float32)

    def log_shares(self) -> np.ndarray:
        """The logarithm of each class's share of the rows (T,)."""
        shares = [np.log(np.maximum(p.shares(), 1e-6)) for p in self.parts]
        return np.concatenate([np.zeros(0), *shares]).astype(np.float32)

    def bases(self) -> list[list[int]]:
        """For each column the places of the columns that it rests on."""
        names = self.codec.names
        bases = [s.base.columns if s.base else () for s in self.codec.scales.values()]
        return [[names.index(n) for n in one] for one in bases]

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        state, arrays = self.codec.state()
        arrays = {f"codec/{k}": v for k, v in arrays.items()}
        return state, arrays | {f"parts/{k}": v for k, v in _parts.state(self.parts).items()}

    @classmethod
    def from_state(
        cls, schema: pa.Schema, state: dict[str, Json], arrays: Mapping[str, np.ndarray]
    ) -> Grid:
        codec = Codec.from_state(schema, state, part(arrays, "codec/"))
        parts = _parts.from_state(len(codec.names), part(arrays, "parts/"))
        return cls(codec=codec, parts=parts)


def read(table: pa.Table, cell_rows: int, most: int) -> tuple[Grid, np.ndarray, np.ndarray]:
    """A table's grid, its classes (N, C), and the classes of columns known without their base."""
    codec, codes = codecs.learn(table, cell_rows)
    alone = codes.copy()
    for i, (name, scale) in enumerate(codec.scales.items()):
        if scale.base is not None:
            alone[:, i] = codec.encode(table.select([name]))[:, i]
    # A table of few rows is cut into fewer groups, which then have enough rows to learn from.
    most = min(most, max(8, int(table.num_rows**0.5 / 2)))
    # Both ways of knowing a column get groups, by as many rows.
    grid = Grid(codec=codec, parts=_parts.learn(codec, np.concatenate([codes, alone]), most))
    return grid, grid.split(codes), grid.split(alone)


def for_rows(training: Training, rows: int) -> Training:
    """The training of a table of so many rows: one of few has smaller batches, for more steps."""
    return replace(training, batch=min(training.batch, max(64, rows // 32)))


def to_json(settings: Any) -> dict[str, Json]:
    """Settings as a model file holds them, without the place of a checkpoint on this machine."""
    found = asdict(settings)
    found["training"]["checkpoint"] = None
    return found


def _ranks(scale: Scale, one: Parts) -> np.ndarray:
    """Where each group lies by its rows (groups,), in (0, 1); NaN where there is no such order."""
    if not scale.own.ordered:
        return np.full(one.groups, np.nan)
    share = one.shares()
    ranks = np.cumsum(share) - share / 2
    ends = [(scale.own, scale.size - 1)]
    if scale.residual is not None:
        ends.append((scale.residual, scale.residual.size - 1))
    missing = [code for levels, code in ends if levels.missing]
    ranks[one.split(np.array(missing, np.int64))[0]] = np.nan
    return np.asarray(ranks)


def reveal(
    network: Any,
    steps: list[list[int]],
    rows: int,
    rng: np.random.Generator,
    known: np.ndarray | None = None,
    latent: np.ndarray | None = None,
) -> np.ndarray:
    """Classes (rows, C) that `network` draws: the columns of one step, then those of the next.

    `known` (rows, C): classes given, -1 where there is none. `latent` (rows, L), where the network
    starts from one. Columns of one step are drawn independently given all before.
    """
    import torch

    random = torch.Generator().manual_seed(int(rng.integers(2**62)))
    made = np.empty((rows, sum(map(len, steps)) if known is None else known.shape[1]), np.int64)
    with torch.inference_mode():
        tables = network.tables()
        for start in range(0, rows, CHUNK):
            end = min(start + CHUNK, rows)
            some = None if known is None else torch.from_numpy(known[start:end])
            z = None if latent is None else torch.from_numpy(latent[start:end])
            made[start:end] = network.draw(tables, steps, end - start, random, some, z).numpy()
    return made
