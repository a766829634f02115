"""Drawing from the autoregressive generator's network with NumPy: any column given any others.

`Seen` is a column as the network sees it, both while it learns and here. `Conditionals` holds the
weights by the names that the network gives them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

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

    @cached_property
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
        chance: np.ndarray | None = None,
    ) -> np.ndarray:
        """Codes (N,). `allowed`: a kind of each row (N,), and for each kind which groups it may
        have (kinds, G). `chance` (N,): where the log of their chances is written, if given."""
        codes = np.empty(len(total), np.int64)
        u = rng.random((2, len(total)), np.float32)
        for at, hidden, logits in self._contexts(total, column, allowed):
            group = _pick(logits if chance is None else logits.copy(), u[0, at])
            codes[at] = self._placed(hidden, column, group, u[1, at])
            if chance is not None:
                chance[at] = self._chance(hidden, logits, column, codes[at])
        return codes

    def chance(
        self,
        total: np.ndarray,
        column: int,
        codes: np.ndarray,
        allowed: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> np.ndarray:
        """The log of the chance (N,) that `draw` gives these codes (N,), none of them -1."""
        found = np.empty(len(total))
        for at, hidden, logits in self._contexts(total, column, allowed):
            found[at] = self._chance(hidden, logits, column, codes[at])
        return found

    def _contexts(
        self, total: np.ndarray, column: int, allowed: tuple[np.ndarray, np.ndarray] | None
    ) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Of some rows at a time: which, the column's own layer (n, H), its groups' logits (n, G).

        All in one pass over what is known of these rows.
        """
        w, head = self.weights, f"heads.{column}."
        for start in range(0, len(total), _CHUNK):
            at = slice(start, start + _CHUNK)
            first = np.maximum(total[at] * w["gain"][column] + w["shift"][column], 0)
            hidden = np.maximum(first @ w["weight"][column] + w["bias"][column], 0)
            logits = hidden @ w[head + "weight"] + w[head + "bias"]
            if allowed is not None:
                logits[~allowed[1][allowed[0][at]]] = -np.inf
            yield at, hidden, logits

    def _placed(
        self, hidden: np.ndarray, column: int, group: np.ndarray, u: np.ndarray
    ) -> np.ndarray:
        """Codes (N,) in the groups (N,)."""
        parts = self.before[column].parts
        codes = parts.from_position(group, u.astype(np.float64))
        some, scores = self._scores(hidden, column, group)
        if len(some):
            codes[some] = parts.join(group[some], _pick(scores, u[some]))
        return codes

    def _scores(
        self, hidden: np.ndarray, column: int, group: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The rows (n,) whose places in their groups are scored, and these scores (n, W)."""
        w, head = self.weights, f"heads.{column}."
        if head + "key" not in w or not w[head + "trust"]:
            return np.empty(0, np.int64), np.empty((0, 1), np.float32)
        parts, places = self.before[column].parts, self.before[column].places
        count = np.diff(parts.first)[group]
        some = np.flatnonzero((count > 1) & (count <= places))
        at, count = np.arange(places), count[some, None]
        rank = parts.first[group[some], None] + np.minimum(at, count - 1)
        query = (hidden[some] @ w[head + "query"]) * w[head + "trust"]
        scores = (w[head + "key"][rank] @ query[:, :, None])[:, :, 0]
        scores += np.log(np.diff(parts.mass)).astype(np.float32)[rank]
        scores[at >= count] = -np.inf
        return some, scores

    def _chance(
        self, hidden: np.ndarray, logits: np.ndarray, column: int, codes: np.ndarray
    ) -> np.ndarray:
        """The log of the codes' chances (N,): of their groups, and of their places in these."""
        parts = self.before[column].parts
        group, place = parts.split(codes)
        mass, start, end = parts.mass, parts.first[group], parts.first[group + 1]
        within = np.log((mass[start + place + 1] - mass[start + place]) / (mass[end] - mass[start]))
        some, scores = self._scores(hidden, column, group)
        if len(some):
            within[some] = _log_share(scores, place[some])
        return np.asarray(_log_share(logits, group) + within)

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


def _log_share(logits: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The log of the chance (N,) of the classes `chosen` (N,), from the logits (N, G)."""
    top = logits.max(1)
    total = np.exp(logits - top[:, None]).sum(1)
    found = logits[np.arange(len(logits)), chosen] - top - np.log(total)
    return np.asarray(found.astype(np.float64))
