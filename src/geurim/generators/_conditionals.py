"""Drawing from the autoregressive generator's network with NumPy: any column given any others.

`Seen` is a column as the network sees it, both while it learns and here. `Conditionals` holds the
weights by the names that the network gives them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import legendre

from geurim.generators._parts import Parts

CURVES = 5  # polynomials along an axis
_CHUNK = 2_048  # rows at once, whose sums then stay in the processor's cache


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """A column as the network sees it: the group of each code, and what its place in it says.

    `axis` (G,): whether a group is a stretch of the column's one axis; not where it is a category
    or missing. `sloped`: how far along its group a value lies means something; `leafy`: which
    category of its group it is does.
    """

    parts: Parts
    ordered: bool
    axis: np.ndarray

    @property
    def sloped(self) -> bool:
        return self.ordered and self.parts.most_within > 1

    @property
    def leafy(self) -> bool:
        return not self.ordered and self.parts.most_within > 1

    @property
    def middle(self) -> np.ndarray:
        """Where in its group each code lies by its mass (size,) float32, from -1/2 to 1/2."""
        p = self.parts
        group = np.repeat(np.arange(p.groups), np.diff(p.first))
        start, end = p.mass[p.first[group]], p.mass[p.first[group + 1]]
        found = np.empty(len(p.order), np.float32)
        found[p.order] = ((p.mass[:-1] + p.mass[1:]) / 2 - start) / (end - start) - 0.5
        return found

    @property
    def curves(self) -> tuple[np.ndarray, np.ndarray]:
        """Legendre polynomials along the axis, (G, CURVES) each: in the middle of each group by
        mass, and their rise within it. All 0 off the axis."""
        share = self.parts.shares() * self.axis
        share = share / max(share.sum(), 1e-12)
        end = np.cumsum(share)
        low, high = (
            np.stack(
                [
                    legendre.Legendre.basis(k)(np.clip(2 * x - 1, -1, 1)) / k
                    for k in range(1, CURVES + 1)
                ],
                1,
            )
            for x in (end - share, end)
        )
        here = self.axis[:, None].astype(float)
        return (low + high) / 2 * here, (high - low) * here

    @property
    def places(self) -> int:
        """How many places are scored: as many as the groups of all but 0.1% of the rows have.

        A place in a larger group is drawn by its mass alone.
        """
        count = np.diff(self.parts.first)
        order = np.argsort(count, kind="stable")
        share = np.cumsum(self.parts.shares()[order])
        return int(count[order][min(int(np.searchsorted(share, 0.999)), len(order) - 1)])


@dataclass(frozen=True, kw_only=True, eq=False)
class Conditionals:
    """The network's weights, and drawing with them. `total` (N, D) is the sum of what is known."""

    before: tuple[Seen, ...]
    after: tuple[Seen, ...]
    weights: Mapping[str, np.ndarray]

    @property
    def width(self) -> int:
        return int(self.weights["gain"].shape[-1])

    def know(self, total: np.ndarray, column: int, codes: np.ndarray) -> None:
        """Add what the columns after this one learn from its codes (N,)."""
        self._add(total, self.before[column], f"before.{column}.", codes, 1.0)

    def give(self, total: np.ndarray, column: int, own: np.ndarray, sign: float = 1.0) -> None:
        """Add what the columns before this one learn from its value, by its own scale's code.

        A code of -1 adds nothing. `sign` -1 takes it away again.
        """
        linked = f"after.{column}.table" in self.weights
        seen = self.after[column] if linked else self.before[column]
        self._add(total, seen, f"{'after' if linked else 'before'}.{column}.", own, sign)

    def draw(
        self,
        total: np.ndarray,
        column: int,
        rng: np.random.Generator,
        allowed: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> np.ndarray:
        """Codes (N,). `allowed`: a kind of each row (N,), and for each kind which groups it may
        have (kinds, G)."""
        codes = np.empty(len(total), np.int64)
        u = rng.random((2, len(total)), np.float32)
        for start in range(0, len(total), _CHUNK):
            at = slice(start, start + _CHUNK)
            some = None if allowed is None else allowed[1][allowed[0][at]]
            codes[at] = self._draw(total[at], column, u[:, at], some)
        return codes

    def _draw(
        self, total: np.ndarray, column: int, u: np.ndarray, allowed: np.ndarray | None
    ) -> np.ndarray:
        w, head = self.weights, f"heads.{column}."
        parts = self.before[column].parts
        first = np.maximum(total * w["gain"][column] + w["shift"][column], 0)
        hidden = np.maximum(first @ w["weight"][column] + w["bias"][column], 0)
        logits = hidden @ w[head + "weight"] + w[head + "bias"]
        if allowed is not None:
            logits[~allowed] = -np.inf
        group = _pick(logits, u[0])
        codes = parts.from_position(group, u[1].astype(np.float64))
        if head + "key" not in w or not w[head + "trust"]:
            return codes
        count = np.diff(parts.first)[group]
        places = self.before[column].places
        some = np.flatnonzero((count > 1) & (count <= places))
        at, count = np.arange(places), count[some, None]
        rank = parts.first[group[some], None] + np.minimum(at, count - 1)
        query = (hidden[some] @ w[head + "query"]) * w[head + "trust"]
        scores = (w[head + "key"][rank] @ query[:, :, None])[:, :, 0]
        scores += np.log(np.diff(parts.mass)).astype(np.float32)[rank]
        scores[at >= count] = -np.inf
        codes[some] = parts.join(group[some], _pick(scores, u[1, some]))
        return codes

    def _add(
        self, total: np.ndarray, seen: Seen, name: str, codes: np.ndarray, sign: float
    ) -> None:
        w = self.weights
        table = w[name + "table"] * np.float32(sign)
        group = seen.parts.split(codes)[0]
        middle = seen.middle[codes] * np.float32(sign) if seen.sloped else None
        fan = w[name + "fan"] * np.float32(sign) if seen.leafy else None
        for start in range(0, len(total), _CHUNK):
            at = slice(start, start + _CHUNK)
            found = table[group[at]]
            if middle is not None:
                found += w[name + "slope"][group[at]] * middle[at, None]
            if fan is not None:
                found += w[name + "leaf"][codes[at]] @ fan
            absent = codes[at] < 0
            if absent.any():
                found[absent] = 0
            total[at] += found


def _pick(logits: np.ndarray, u: np.ndarray) -> np.ndarray:
    """A class (N,) drawn from the logits (N, G) of each row by a uniform number of its own."""
    logits -= logits.max(1, keepdims=True)
    np.exp(logits, out=logits)
    np.cumsum(logits, axis=1, out=logits)
    # A little below the top, where rounding would choose a class that cannot be.
    point = u * (logits[:, -1] * np.float32(1 - 2**-22))
    return np.asarray((logits <= point[:, None]).sum(1))
