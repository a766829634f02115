"""Hashes of pieces of text, computed for a whole batch in numpy.

All are polynomials over mixed code points modulo 2**64, finished by the mixer of MurmurHash3. They
are fixed (no seed of the process), so a result does not depend on who computed it.
"""

from __future__ import annotations

import numpy as np

_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that its powers have inverses modulo 2**64
_INVERSE = np.uint64(pow(0x9E3779B97F4A7C15, -1, 2**64))
_M1, _M2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_33 = np.uint64(33)


def mixed(values: np.ndarray) -> np.ndarray:
    """The 64-bit finalizer of MurmurHash3 (Appleby), an invertible mix of all bits."""
    out = values.astype(np.uint64)
    out ^= out >> _33
    out *= _M1
    out ^= out >> _33
    out *= _M2
    out ^= out >> _33
    return out


def _powers(base: np.uint64, count: int) -> np.ndarray:
    powers = np.full(count, base, np.uint64)
    if count:
        powers[0] = 1
    return np.multiply.accumulate(powers)


def span_hashes(points: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """(S,) a 64-bit hash of each span points[starts:ends], equal for equal content."""
    sums = np.zeros(len(points) + 1, np.uint64)
    np.cumsum(mixed(points + 1) * _powers(_BASE, len(points)), out=sums[1:])
    back = _powers(_INVERSE, len(points) + 1)
    return mixed((sums[ends] - sums[starts]) * back[starts] + (ends - starts).astype(np.uint64))


def window_hashes(values: np.ndarray, width: int) -> np.ndarray:
    """(C - width + 1,) a 64-bit hash of each window of `width` consecutive values.

    Windows of 1, 2, 4, … values are made of two halves each, and put together to `width`.
    """
    count = len(values) - width + 1
    if count <= 0:
        return np.zeros(0, np.uint64)
    part = mixed(values + values.dtype.type(1))
    base, size, done = int(_BASE), 1, 0
    out = np.zeros(count, np.uint64)
    while True:
        if width & size:
            if done:
                out *= np.uint64(base)
            out += part[done : done + count]
            done += size
        if done == width:
            return mixed(out)
        part = part[:-size] * np.uint64(base) + part[size:]
        base, size = base**2 % 2**64, 2 * size
