"""Random streams by name: every column of every block has its own, whoever draws it and when.

So a column can be drawn again alone (for a table that others refer to), and what is drawn does not
depend on the number of workers, nor on columns that were added elsewhere in the world.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

_RULES = 0x72756C65  # apart from the driver's blocks, which have keys of one small number


@dataclass(frozen=True)
class Streams:
    """A place in the tree of streams; calling it gives the generator of a round of draws."""

    entropy: int
    key: tuple[int, ...] = (_RULES,)

    def at(self, *parts: str | int) -> Streams:
        """The streams of a part: a table, a block, a column, a case of it."""
        return Streams(self.entropy, (*self.key, *map(_number, parts)))

    def __call__(self, round: int = 0) -> np.random.Generator:
        """The generator of one round: what is drawn again comes from a later round's."""
        key = (*self.key, round)
        return np.random.default_rng(np.random.SeedSequence(self.entropy, spawn_key=key))


def _number(part: str | int) -> int:
    return part if isinstance(part, int) else zlib.crc32(part.encode())
