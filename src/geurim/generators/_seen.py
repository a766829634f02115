"""A coarse memory of real values, so that none comes out again, without keeping any of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

BITS = 8  # bits a value: every eighth new value is refused by chance, and redrawn
LONGEST = 64  # bytes of a value that are looked at


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """A Bloom filter with one hash (Bloom 1970), too coarse on purpose to tell who was in the data.

    `holds` is true for every value put in, and for one in eight others. So no value that was put
    in can come out, while a guess that it confirms was more likely than not never there: among the
    100 million phone numbers of a country it confirms 12 million. It is no differential privacy.
    """

    bits: np.ndarray  # uint8 (size / 8,); size is a power of two; of length 0: nothing was put in
    salt: int

    @classmethod
    def of(cls, batches: list[np.ndarray], salt: int) -> Seen:
        """The memory of values whose `hashes` are given."""
        total = sum(len(b) for b in batches)
        if not total:
            return cls(bits=np.zeros(0, np.uint8), salt=salt)
        size = 1 << max(6, int(np.ceil(np.log2(total * BITS))))
        marks = np.zeros(size, bool)
        for batch in batches:
            marks[batch & np.uint64(size - 1)] = True
        return cls(bits=np.packbits(marks), salt=salt)

    def holds(self, strings: pa.Array) -> np.ndarray:
        """Whether each string may have been put in, bool (N,); missing ones never."""
        if not len(self.bits):
            return np.zeros(len(strings), bool)
        places = hashes(strings, self.salt) & np.uint64(8 * len(self.bits) - 1)
        hit = (self.bits[places >> np.uint64(3)] << (places & np.uint64(7)).astype(np.uint8)) & 128
        return np.asarray((hit > 0) & strings.is_valid().to_numpy(zero_copy_only=False))


def mix(values: np.ndarray) -> np.ndarray:
    """Every bit of each uint64 spread over all of them (splitmix64; Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        found: np.ndarray = values ^ (values >> np.uint64(31))
    return found


def hashes(strings: pa.Array, salt: int) -> np.ndarray:
    """A 64-bit hash of each string (N,), the same on every machine."""
    strings = pa.concat_arrays([strings.cast(pa.large_string())])
    _, ends, data = strings.buffers()
    count = len(strings)
    places = np.frombuffer(ends, np.int64)[strings.offset : strings.offset + count + 1]
    text = (
        np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(1, np.uint8)
    )
    starts, lengths = places[:-1], np.diff(places)
    found = np.full(count, salt, np.uint64) ^ lengths.astype(np.uint64)
    with np.errstate(over="ignore"):
        for i in range(int(min(lengths.max(initial=0), LONGEST))):
            letters = text[np.minimum(starts + i, len(text) - 1)].astype(np.uint64)
            stirred = (found ^ letters) * np.uint64(0x100000001B3)
            found = np.where(lengths > i, stirred ^ (stirred >> np.uint64(29)), found)
    return mix(found)
