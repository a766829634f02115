"""How the tests of analysis make a Source."""

from __future__ import annotations

import hashlib

import pyarrow as pa

from geurim.contract import Lineage, Source


def source_of(table: pa.Table, batch: int = 65_536) -> Source:
    """A Source of a table in memory."""
    digest = hashlib.sha256(str(table.schema).encode()).hexdigest()
    return Source(
        schema=table.schema,
        lineage=Lineage(maker="a test", digest=digest, real=True),
        rows=table.num_rows,
        read=lambda: iter(table.to_batches(max_chunksize=batch)),
    )
