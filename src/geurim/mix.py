"""Real and synthetic rows mixed in exact shares: the training set that keeps models from fading.

A model that learns from rows of a model loses the tails first (Shumailov et al. 2024); some real
rows in every training set hold it (Gerstgrasser et al. 2024; docs/collapse.md shows how many).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.contract import Event, Lineage, Progress, Source, quiet
from geurim.errors import DataError, SchemaError, SettingError

_MIX = 0x6D6978  # the spawn key of its lots
_BLOCK_BYTES = 128 << 20  # rows that are put in order at a time
_BATCH = 65_536


@dataclass(frozen=True, kw_only=True, eq=False)
class _Part:
    """The rows of one source that are taken, and the place of each in the mixture."""

    source: Source
    taken: np.ndarray  # (N,) bool: which rows of the source
    places: np.ndarray  # (K,) int64: where each taken row goes
    schema: pa.Schema

    def between(self, first: int, last: int) -> Iterator[tuple[np.ndarray, pa.Table]]:
        """The rows whose places are from `first` to below `last`, batch by batch."""
        row = at = 0
        for batch in self.source.read():
            taken = np.flatnonzero(self.taken[row : row + batch.num_rows])
            places = self.places[at : at + len(taken)]
            inside = (places >= first) & (places < last)
            if inside.any():
                found = pa.Table.from_batches([batch]).take(pa.array(taken[inside]))
                yield places[inside], cast_to(found, self.schema)
            row += batch.num_rows
            at += len(taken)


def mix(
    real: Any,
    synthetic: Any,
    *,
    real_share: float,
    rows: int | None = None,
    seed: int | None = None,
    progress: Progress = quiet,
) -> Source:
    """A training set of which `real_share` (0 to 1) is real, in random order.

    `real`, `synthetic`: a Source, a path or URL, or a frame each, of the same columns in any order;
    the result has the types and the order of the real table. `rows`: how many; None takes as many
    as both can give. Which rows are taken is drawn by lot, none twice, and the real ones number
    `real_share` times `rows` to the nearest row. Rows are streamed: 17 bytes a row are kept, and
    larger tables are read once for every 128 MB. The lineage tells the shares.

    Raises SettingError (shares, rows), DataError (too few rows, with the counts; rows given as real
    that were made by a generator), SchemaError (columns or types that differ).
    """
    from geurim.read import as_source

    if isinstance(real_share, bool) or not 0 <= real_share <= 1:
        raise SettingError(f"real_share is {real_share!r}. Give a share from 0 to 1, such as 0.3.")
    seed = secrets.randbits(63) if seed is None else seed
    sources = as_source(real), as_source(synthetic)
    schema = _checked(*sources)
    counts, row_bytes = zip(*(_counted(s, progress) for s in sources), strict=True)
    wanted = _wanted(real_share, rows, (counts[0], counts[1]))
    total = sum(wanted)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_MIX,)))
    order = rng.permutation(total)
    parts = [
        _Part(source=s, taken=_lot(n, k, rng), places=places, schema=schema)
        for s, n, k, places in zip(
            sources, counts, wanted, np.split(order, [wanted[0]]), strict=True
        )
    ]
    block = max(_BATCH, int(_BLOCK_BYTES / max(*row_bytes, 1.0)))

    def read() -> Iterator[pa.RecordBatch]:
        for first in range(0, total, block):
            yield from _block(parts, first, min(first + block, total))

    share = wanted[0] / total
    return Source(
        schema=schema,
        lineage=mixed_lineage(sources[0].lineage, sources[1].lineage, share, total, seed),
        read=read,
        rows=total,
    )


def mixed_lineage(real: Lineage, synthetic: Lineage, share: float, rows: int, seed: int) -> Lineage:
    """The lineage of a mixture; rows given as synthetic count as made, whatever their file says."""
    return Lineage.made(
        f"mix(real_share={share:.6g}, rows={rows})",
        seed=seed,
        request=[share, rows],
        parents=(real, replace(synthetic, real=False)),
        shares=(share, 1 - share),
    )


def _checked(real: Source, synthetic: Source) -> pa.Schema:
    """The schema of the mixture. Raises SchemaError, or DataError where real rows are not."""
    from geurim.verify.compare import check_columns

    if real.lineage.real_share == 0:
        raise DataError(
            f"The rows given as real were made, by their lineage ({real.lineage.maker[:80]}, depth "
            f"{real.lineage.depth}). Give the real rows first, then the synthetic ones."
        )
    check_columns("synthetic", list(synthetic.schema.names), list(real.schema.names))
    return real.schema


def _counted(source: Source, progress: Progress) -> tuple[int, float]:
    """Rows of a source, and bytes a row."""
    rows = size = 0
    for batch in source.read():
        rows += batch.num_rows
        size += batch.nbytes
        progress(Event(step="read", done=rows, total=source.rows))
    return rows, size / max(rows, 1)


def _wanted(share: float, rows: int | None, counts: tuple[int, int]) -> tuple[int, int]:
    """How many real and synthetic rows are taken. Raises DataError with the counts."""
    if rows is None:
        ends = [n / part for n, part in zip(counts, (share, 1 - share), strict=True) if part > 0]
        rows = int(min(ends) + 1e-9)
        while rows and not _fits(share, rows, counts):
            rows -= 1
    if isinstance(rows, bool) or rows < 0:
        raise SettingError(f"rows is {rows!r}. Give a whole number from 1.")
    need = _split(share, rows)
    if rows == 0 or not _fits(share, rows, counts):
        most = _wanted(share, None, counts) if rows and min(counts) else (0, 0)
        raise DataError(
            f"{rows:,} rows with a real share of {share:g} need {need[0]:,} real and {need[1]:,} "
            f"synthetic rows; there are {counts[0]:,} real and {counts[1]:,} synthetic ones. "
            f"Ask for {sum(most):,} rows at most, or another share, or sample more synthetic rows."
        )
    return need


def _split(share: float, rows: int) -> tuple[int, int]:
    real = int(np.floor(share * rows + 0.5))
    return real, rows - real


def _fits(share: float, rows: int, counts: tuple[int, int]) -> bool:
    return all(k <= n for k, n in zip(_split(share, rows), counts, strict=True))


def _lot(count: int, wanted: int, rng: np.random.Generator) -> np.ndarray:
    """Which `wanted` of `count` rows are taken, (count,) bool."""
    taken = np.zeros(count, bool)
    taken[rng.choice(count, wanted, replace=False)] = True
    return taken


def _block(parts: list[_Part], first: int, last: int) -> Iterator[pa.RecordBatch]:
    """The rows at the places from `first` to below `last`, in order."""
    found = [pair for part in parts for pair in part.between(first, last)]
    places = np.concatenate([p for p, _ in found])
    if len(places) != last - first:
        raise DataError("A table to mix gave fewer rows than when it was counted. Read it again.")
    table = pa.concat_tables([t for _, t in found]).take(pa.array(np.argsort(places)))
    yield from table.combine_chunks().to_batches(max_chunksize=_BATCH)


def cast_to(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The same rows with the columns, order and types of `schema`. Raises SchemaError."""
    columns = []
    for field in schema:
        column = table.column(field.name)
        if pa.types.is_dictionary(column.type) and column.type != field.type:
            column = column.cast(column.type.value_type)
        try:
            columns.append(pc.cast(column, field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            raise SchemaError(
                f"Column {field.name!r} is {field.type} in the real table and {column.type} in the "
                f"synthetic one, with values that cannot be read as that ({str(error)[:120]}). "
                "Give it the same type."
            ) from error
    return pa.Table.from_arrays(columns, schema=schema)
