"""What every text measure looks at: synthetic and real texts, sampled once, in random order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from geurim.contract import Event, Json, Progress, Source
from geurim.errors import DataError, SchemaError, SettingError
from geurim.texts import joined, text_columns
from geurim.verify.prose.features import Embedder, Sparse, counts, embed, embedded_by, weighted
from geurim.verify.prose.texts import Texts

TEXTS = 10_000  # texts kept of each set, at most
VECTORS = 4_000  # of each set, that are made vectors
_PLACE = "\x00place"  # no file has such a column
SCORES = ("score", "reward", "quality", "rating")


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A uniform sample of some rows, in random order: the first n are again a uniform sample."""

    texts: Texts
    table: pa.Table  # the other columns that are needed, the same rows
    places: np.ndarray  # (N,) the number of each row in its source
    total: int  # rows before sampling

    def __len__(self) -> int:
        return len(self.texts)

    def slice(self, first: int, last: int) -> Corpus:
        return Corpus(
            texts=self.texts.between(first, last),
            table=self.table.slice(first, last - first),
            places=self.places[first:last],
            total=self.total,
        )

    def has(self, column: str | None) -> bool:
        return column is not None and column in self.table.column_names

    def numbers(self, column: str) -> np.ndarray:
        """A column as numbers (N,) float64; NaN where it is not one."""
        return numbers(self.table.column(column))


@dataclass(frozen=True, kw_only=True)
class Prose:
    """The texts to be compared; `training` and `holdout` are two halves of the real ones."""

    synthetic: Corpus
    training: Corpus | None
    holdout: Corpus | None
    seeds: Corpus | None = None  # all real texts that the generator may have seen
    column: str  # how the text column is called in findings
    label: str | None = None
    quotas: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    before: Corpus | None = None
    rejects: Corpus | None = None
    contamination: Corpus | None = None
    score: str | None = None
    embedder: Embedder | None = None
    rng: np.random.Generator
    cache: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def sets(self) -> list[Corpus]:
        """Synthetic, training, holdout; only the first where there is no real text."""
        real = [c for c in (self.training, self.holdout) if c is not None]
        return [self.synthetic, *real]

    @property
    def names(self) -> list[str]:
        return ["synthetic", "training", "holdout"][: len(self.sets)]

    def vectors(self) -> list[Sparse]:
        """Weighted n-grams of the first VECTORS texts of each of `sets`."""
        if "vectors" not in self.cache:
            firsts = [c.texts.between(0, VECTORS) for c in self.sets]
            self.cache["vectors"] = weighted(*(counts(t) for t in firsts))
        found: list[Sparse] = self.cache["vectors"]
        return found

    def embeddings(self) -> list[np.ndarray]:
        """Unit vectors (N, D) of the same texts: the user's embedder's, or decomposed n-grams."""
        if "embeddings" not in self.cache:
            if self.embedder is not None:
                firsts = [c.texts.between(0, VECTORS) for c in self.sets]
                made = [embedded_by(self.embedder, t) for t in firsts]
            else:
                made = embed(self.vectors(), np.random.default_rng(len(self.synthetic)))
            self.cache["embeddings"] = made
        found: list[np.ndarray] = self.cache["embeddings"]
        return found


def numbers(values: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Arrow values as float64 (N,); NaN where one is missing or no number."""
    out = np.full(len(values), np.nan)
    for i, value in enumerate(values.to_pylist()):
        if isinstance(value, (int, float)):
            out[i] = float(value)
    return out


def sampled(
    source: Source,
    columns: Sequence[str],
    also: Sequence[str],
    rng: np.random.Generator,
    progress: Progress,
    most: int = TEXTS,
) -> Corpus:
    """Up to `most` rows of a source, drawn by lot while it is read once.

    Raises DataError where there are no rows.
    """
    wanted = [n for n in dict.fromkeys([*columns, *also]) if n in source.schema.names]
    kept: list[pa.Table] = []
    keys: list[np.ndarray] = []
    total = 0
    for batch in source.read():
        place = pa.array(np.arange(total, total + batch.num_rows))
        total += batch.num_rows
        part = pa.Table.from_batches([batch]).select(wanted)
        kept.append(part.append_column(_PLACE, place))
        keys.append(rng.random(batch.num_rows))
        if sum(map(len, keys)) > 3 * most:
            kept, keys = _fewest(kept, keys, most)
        progress(Event(step="verify", done=total, total=source.rows))
    if not total:
        raise DataError("There are no rows to verify. Give a source with at least one text.")
    kept, keys = _fewest(kept, keys, most)
    table = kept[0].combine_chunks()
    texts = Texts(joined(table.to_batches()[0], columns))
    places = table.column(_PLACE).to_numpy()
    return Corpus(texts=texts, table=table.drop_columns(_PLACE), places=places, total=total)


def _fewest(
    kept: list[pa.Table], keys: list[np.ndarray], most: int
) -> tuple[list[pa.Table], list[np.ndarray]]:
    """The rows with the lowest keys, in their order."""
    whole, drawn = pa.concat_tables(kept), np.concatenate(keys)
    order = np.argsort(drawn, kind="stable")[:most]
    return [whole.take(pa.array(order))], [drawn[order]]


def columns_of(source: Source, column: str | Sequence[str] | None) -> list[str]:
    """The text columns asked for, or the guessed one. Raises SchemaError for one not there."""
    if column is not None:
        asked = [column] if isinstance(column, str) else list(column)
        for name in asked:
            if name not in source.schema.names:
                raise SchemaError(
                    f"There is no text column {name!r}; there are: "
                    f"{', '.join(map(repr, source.schema.names))}. Name another."
                )
        return asked
    # A rejected answer may be as poor as it likes: it is there to be told from the chosen one.
    return [name for name in text_columns(source.schema) if name != "rejected"]


def score_column(source: Source | None, score: str | None) -> str | None:
    """The column of scores: the one named, else the first number that is called like one."""
    if source is None or score is not None:
        return score
    for field_ in source.schema:
        number = pa.types.is_integer(field_.type) or pa.types.is_floating(field_.type)
        if number and any(word in field_.name.lower() for word in SCORES):
            return str(field_.name)
    return None


def checked_quotas(quotas: Mapping[str, Mapping[Json, float]] | None, source: Source) -> Any:
    """The quotas as shares that sum to 1, by column and value as text. Raises SettingError."""
    out: dict[str, dict[str, float]] = {}
    for column, asked in (quotas or {}).items():
        if column not in source.schema.names:
            raise SettingError(
                f"A quota is on {column!r}, which the synthetic rows do not have; there are: "
                f"{', '.join(map(repr, source.schema.names))}. Name one of them."
            )
        shares = {str(k): float(v) for k, v in asked.items()}
        total = sum(shares.values())
        if not shares or not np.isfinite(total) or total <= 0 or min(shares.values()) < 0:
            raise SettingError(
                f"The quotas of {column!r} are {dict(asked)!r}. Give shares or counts above 0."
            )
        out[column] = {k: v / total for k, v in shares.items()}
    return out
