"""Keys made anew: integers go on, codes follow the real ones' pattern, UUIDs are random."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.contract import Json
from geurim.errors import SamplingError
from geurim.generators._seen import Seen, mix

_ALPHABETS = {
    "9": "0123456789",
    "A": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "a": "abcdefghijklmnopqrstuvwxyz",
    "가": "가나다라마바사아자차카타파하거너더러머버서어저처고노도로모보소오조초구누두루무부수우주",
}
_CODES = {k: np.array([ord(c) for c in v], np.uint32) for k, v in _ALPHABETS.items()}
_SPACE = 2**31  # places whose product is beyond this are filled at random: the rest is unique
_TRIES = 4  # each in a part of the space of its own, so that a second try meets no first one
_HEX = np.array([f"{i:02x}" for i in range(256)]).astype("U2")


def integers(facts: Mapping[str, Json], kind: pa.DataType, rows: np.ndarray) -> pa.Array:
    """Keys of the absolute row numbers `rows`. Raises SamplingError where the type ends."""
    start, step = int(facts["start"]), int(facts.get("step") or 1)
    last = start + step * (int(rows[-1]) if len(rows) else 0)
    if not pa.types.is_integer(kind):
        return pa.array((start + step * rows).astype(np.int64)).cast(kind)
    most = int(np.iinfo(kind.to_pandas_dtype()).max)
    if last > most:
        raise SamplingError(
            f"Integer keys run out: row {int(rows[-1]):,} would be {last:,}, beyond what {kind} "
            f"holds ({most:,}). Ask for fewer rows, or widen the column's type before fitting."
        )
    return pa.array(start + step * rows.astype(np.int64)).cast(kind)


def uuids(facts: Mapping[str, Json], rows: np.ndarray, rng: np.random.Generator) -> pa.Array:
    """Random UUIDs (RFC 9562, version 4); where real ones repeat, runs of rows share one."""
    repeats = int(facts.get("repeats") or 1)
    owners = rows // repeats
    if not len(rows):
        return pa.array([], pa.string())
    owners = owners - owners[0]
    raw = rng.integers(0, 256, (int(owners[-1]) + 1, 16), np.uint8)
    raw[:, 6] = (raw[:, 6] & 0x0F) | 0x40
    raw[:, 8] = (raw[:, 8] & 0x3F) | 0x80
    digits = _HEX[raw].view("U32").ravel()  # two characters a byte lie side by side
    plain = pa.array(digits)
    if facts.get("hyphens", True):
        ends = (0, 8, 12, 16, 20, 32)
        parts = [pc.utf8_slice_codeunits(plain, a, b) for a, b in pairwise(ends)]
        plain = pc.binary_join_element_wise(*parts, "-")
    if facts.get("upper"):
        plain = pc.utf8_upper(plain)
    return plain.take(pa.array(owners))


def codes(facts: Mapping[str, Json], rows: np.ndarray, salt: int, seen: Seen) -> pa.Array:
    """A code for each absolute row number: all different, none of the real ones.

    Within each pattern a row's number is turned into another number of the pattern's space,
    one to one, whose digits are the code. Where the space ends or only real ones are left, the
    code grows: "A12" becomes "A12-1" or "A12.1".
    """
    repeats = int(facts.get("repeats") or 1)
    rows = (rows // repeats).astype(np.int64)
    patterns = facts.get("patterns") or [[facts["pattern"], 1.0]]
    prefix = str(facts.get("prefix") or "")
    ends = np.cumsum([float(share) for _, share in patterns])
    draws = mix(rows.astype(np.uint64) ^ np.uint64(salt)) / 2.0**64 * ends[-1]
    chosen = np.minimum(np.searchsorted(ends, draws, "right"), len(patterns) - 1)
    found = np.empty(len(rows), object)
    for place, (pattern, _) in enumerate(patterns):
        mine = np.flatnonzero(chosen == place)
        if len(mine):
            made = _of_pattern(str(pattern), prefix, rows[mine], salt, seen)
            found[mine] = made.to_numpy(zero_copy_only=False)
    return pa.array(found, pa.string())


def _of_pattern(pattern: str, prefix: str, rows: np.ndarray, salt: int, seen: Seen) -> pa.Array:
    free, space = _unique_places(pattern, len(prefix))
    part = max(space // _TRIES, 1)
    over = rows // part  # beyond the space, codes grow by this number
    made = None
    left = np.arange(len(rows))
    for attempt in range(_TRIES if space >= _TRIES else 1):
        place = attempt * part + _turned(rows[left] % part, part, salt)
        fresh = _spelled(pattern, prefix, free, place, rows[left], salt)
        fresh = _grown(fresh, over[left])
        made = (
            fresh
            if made is None
            else pc.replace_with_mask(made, pa.array(np.isin(np.arange(len(rows)), left)), fresh)
        )
        left = left[seen.holds(fresh)]
        if not len(left):
            return made
    mask = np.zeros(len(rows), bool)
    mask[left] = True
    place = _turned(rows[left] % part, part, salt)
    base = _spelled(pattern, prefix, free, place, rows[left], salt)
    for extra in range(1, 1000):
        longer = pc.binary_join_element_wise(_grown(base, over[left]), str(extra), ".")
        if not seen.holds(longer).any():
            break
    return pc.replace_with_mask(made, pa.array(mask), longer)


def _unique_places(pattern: str, fixed: int) -> tuple[list[int], int]:
    """The last places of a pattern that tell codes apart, and how many codes they make."""
    free: list[int] = []
    space = 1
    for place in range(len(pattern) - 1, fixed - 1, -1):
        size = len(_ALPHABETS.get(pattern[place], "."))
        if size > 1 and space * size <= _SPACE:
            free.append(place)
            space *= size
    return free, space


def _turned(rows: np.ndarray, size: int, salt: int) -> np.ndarray:
    """A one-to-one map of 0 … size - 1 onto itself (a linear congruence)."""
    factor = max(int(size * 0.618) | 1, 1)
    while math.gcd(factor, size) != 1:
        factor += 2
    return (rows * np.int64(factor) + np.int64(salt % size)) % np.int64(size)


def _spelled(
    pattern: str, prefix: str, free: list[int], place: np.ndarray, rows: np.ndarray, salt: int
) -> pa.Array:
    """The codes whose free places spell the numbers `place`, and whose others follow the row."""
    letters = np.empty((len(rows), max(len(pattern), 1)), np.uint32)
    for i, kind in enumerate(pattern):
        alphabet = _CODES.get(kind)
        if i < len(prefix):
            letters[:, i] = ord(prefix[i])
        elif alphabet is None:
            letters[:, i] = ord(kind)
        elif i not in free:
            noise = mix(rows.astype(np.uint64) * np.uint64(31) + np.uint64((salt + i) % 2**63))
            letters[:, i] = alphabet[(noise % np.uint64(len(alphabet))).astype(np.int64)]
    for i in free:
        alphabet = _CODES[pattern[i]]
        letters[:, i] = alphabet[place % len(alphabet)]
        place = place // len(alphabet)
    return pa.array(letters.view(f"U{letters.shape[1]}").ravel())


def _grown(made: pa.Array, over: np.ndarray) -> pa.Array:
    if not over.any():
        return made
    longer = pc.binary_join_element_wise(made, pa.array(over).cast(pa.string()), "-")
    return pc.if_else(pa.array(over > 0), longer, made)


def filled(patterns: list[list[Json]], rows: int, rng: np.random.Generator) -> pa.Array:
    """Strings of random characters by pattern: for phones, postcodes and the like."""
    shares = np.array([float(s) for _, s in patterns])
    chosen = rng.choice(len(patterns), rows, p=shares / shares.sum())
    found = np.empty(rows, object)
    for place, (pattern, _) in enumerate(patterns):
        mine = np.flatnonzero(chosen == place)
        letters = np.empty((len(mine), max(len(pattern), 1)), np.uint32)
        for i, kind in enumerate(pattern):
            alphabet = _CODES.get(kind, np.array([ord(kind)], np.uint32))
            letters[:, i] = alphabet[rng.integers(0, len(alphabet), len(mine))]
        if len(mine):
            found[mine] = letters.view(f"U{letters.shape[1]}").ravel()
    return pa.array(found, pa.string())
