"""Rows drawn along the chain of `autoregressive` or `diffusion`, with any columns given.

Given columns that stand after ones to be drawn are evidence on these. The network learned what
columns are given some of those after them; but it learned the chain itself better. So several
rows are drawn with the former, and one of them is taken with a chance in proportion to

    product of p(column | all before it), drawn or given  /  product of q(drawn | before, given)

which is sampling-importance-resampling (Rubin 1987): the more tries, the nearer to what the chain
itself says. Columns after the last given one are drawn along the chain anyhow, and cancel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from geurim.codec import Codec, Scale
from geurim.generators._conditionals import Conditionals
from geurim.generators._parts import Parts
from geurim.levels import Levels

_MOST = 65_536  # tries at once
_CANNOT = 30.0  # off the log of what the model gives no chance

Allowed = tuple[np.ndarray, np.ndarray] | None


@dataclass(kw_only=True, eq=False)
class _Rows:
    """Rows on their way along the chain, `tries` for each row that is asked for.

    `total` (N * tries, D): the sum of what is known of the columns so far. `ahead` (N, D): of the
    given columns to come. `chance` (N * tries,): the log of each try's weight.
    """

    tries: int
    total: np.ndarray
    ahead: np.ndarray
    chance: np.ndarray
    own: Mapping[str, np.ndarray]  # codes (N,) on the own scale of given columns
    axis: Mapping[str, np.ndarray]  # axis values (N,) of given columns
    drawn: bool = False  # whether the tries differ yet
    codes: dict[str, np.ndarray] = field(default_factory=dict)
    axes: dict[str, np.ndarray] = field(default_factory=dict)

    def choose(self, rng: np.random.Generator) -> None:
        """One try of each row, by its weight: the largest of log weight and Gumbel noise."""
        chance = self.chance.reshape(-1, self.tries)
        best = np.argmax(chance + rng.gumbel(size=chance.shape), 1)
        kept = np.arange(len(best)) * self.tries + best
        self.total, self.tries = self.total[kept], 1
        self.codes = {n: c[kept] for n, c in self.codes.items()}
        self.axes = {n: a[kept] for n, a in self.axes.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class Chain:
    """The columns in the order in which they are drawn, each with its conditional."""

    codec: Codec
    parts: tuple[Parts, ...]
    model: Conditionals

    def draw(
        self, rows: int, rng: np.random.Generator, known: Mapping[str, pa.Array], tries: int
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Each column's codes (rows,), and the axis values of ordered ones."""
        scales = self.codec.scales
        own = {n: scales[n].own.encode(v) for n, v in known.items()}
        axis = {n: scales[n].own.axis_of(v) for n, v in known.items() if scales[n].own.ordered}
        until = self._until(known)
        tries = tries if until else 1
        size = _MOST // tries if until else max(rows, 1)
        done = [
            self._draw(
                min(size, rows - start),
                rng,
                {n: v[start : start + size] for n, v in own.items()},
                {n: v[start : start + size] for n, v in axis.items()},
                tries,
                until,
            )
            for start in range(0, max(rows, 1), max(size, 1))
        ]
        joined = [
            {n: np.concatenate([part[n] for part in parts]) for n in parts[0]}
            for parts in zip(*((d.codes, d.axes) for d in done), strict=True)
        ]
        return joined[0], joined[1]

    def _until(self, known: Mapping[str, pa.Array]) -> int:
        """Where the last given column ends that stands after one to be drawn; 0 for none."""
        names = self.codec.names
        given = [i for i, n in enumerate(names) if n in known]
        late = [i for i in given if any(n not in known for n in names[:i])]
        return late[-1] + 1 if late else 0

    def _draw(
        self,
        count: int,
        rng: np.random.Generator,
        own: Mapping[str, np.ndarray],
        axis: Mapping[str, np.ndarray],
        tries: int,
        until: int,
    ) -> _Rows:
        rows = _Rows(
            tries=tries,
            total=np.zeros((count * tries, self.model.width), np.float32),
            ahead=np.zeros((count if own else 0, self.model.width), np.float32),
            chance=np.zeros(count * tries),
            own=own,
            axis=axis,
        )
        names = self.codec.names
        for i, name in enumerate(names):
            if name in own:
                self.model.give(rows.ahead, i, own[name])
        for i, name in enumerate(names):
            if i == until and until:
                rows.choose(rng)
            self._step(rows, i, name, rng, weigh=i < until)
        if until and until == len(names):
            rows.choose(rng)
        return rows

    def _step(
        self, rows: _Rows, i: int, name: str, rng: np.random.Generator, *, weigh: bool
    ) -> None:
        """Go on by one column, given or drawn. `weigh`: keep account of the chances."""
        scale = self.codec.scales[name]
        allowed = self._allowed(i, scale, rows.axes)
        if name in rows.own:
            codes, new = self._given(rows, i, name, scale), None
            if weigh and rows.drawn:
                rows.chance += self._weight(rows, i, name, codes, allowed)
            # A value never seen says nothing: what others see in its place is drawn.
            if (codes < 0).any():
                new = np.flatnonzero(codes < 0)
        else:
            codes, new = np.empty(len(rows.total), np.int64), np.arange(len(rows.total))
        if new is not None:
            self._fill(rows, i, name, codes, new, allowed, rng, weigh)
        rows.codes[name] = codes
        self.model.know(rows.total, i, codes)

    def _given(self, rows: _Rows, i: int, name: str, scale: Scale) -> np.ndarray:
        own = rows.own[name]
        self.model.give(rows.ahead, i, own, -1.0)
        if scale.own.ordered:
            rows.axes[name] = np.repeat(rows.axis[name], rows.tries)
        return np.array(
            scale.encode(np.repeat(own, rows.tries), rows.axes, name, self.codec.clocks)
        )

    def _fill(
        self,
        rows: _Rows,
        i: int,
        name: str,
        codes: np.ndarray,
        new: np.ndarray,
        allowed: Allowed,
        rng: np.random.Generator,
        weigh: bool,
    ) -> None:
        """Draw the codes of the rows `new`, from the columns so far and the given ones to come."""
        scale, rows.drawn = self.codec.scales[name], True
        whole = len(new) == len(codes)
        before = rows.total if whole else rows.total[new]
        known = before + rows.ahead[new // rows.tries] if len(rows.ahead) else before
        some = allowed and (allowed[0][new], allowed[1])
        chance = np.zeros(len(new)) if weigh else None
        codes[new] = self.model.draw(known, i, rng, some, chance)
        if chance is not None:
            rows.chance[new] += self.model.chance(before, i, codes[new], some) - chance
        if scale.own.ordered:
            values = scale.values(codes, rows.axes, self.codec.clocks, rng)
            if not whole:
                found = rows.axes[name].copy()
                found[new] = values[new]
                values = found
            rows.axes[name] = values

    def _weight(
        self, rows: _Rows, i: int, name: str, codes: np.ndarray, allowed: Allowed
    ) -> np.ndarray:
        """The log of the given values' chance (N * tries,) in each try; 0 for one never seen."""
        scale = self.codec.scales[name]
        found = np.zeros(len(codes))
        known = np.flatnonzero(codes >= 0)
        some = allowed and (allowed[0][known], allowed[1])
        found[known] = self.model.chance(rows.total[known], i, codes[known], some)
        if scale.base is not None and scale.residual is not None:
            found[known] += self._density(rows, name, scale, scale.residual, codes)[known]
            # Such as missing, where the rows with this base never are.
            found[(codes < 0) & (np.repeat(rows.own[name], rows.tries) >= 0)] = -_CANNOT
        return found

    def _density(
        self, rows: _Rows, name: str, scale: Scale, residual: Levels, codes: np.ndarray
    ) -> np.ndarray:
        """What turns the chance of a linked column's cell into one of its value (N * tries,).

        The tries differ in what they leave of it, so cells of unlike width are compared. What lies
        out of all cells is the less likely the farther out it lies.
        """
        assert scale.base is not None and residual.low is not None and residual.high is not None
        widths = np.concatenate([_widths(residual), _widths(scale.own)])
        found = -np.log(widths[np.maximum(codes, 0)])
        if len(residual.low):
            offset = scale.base.residual(rows.axes[name], rows.axes, self.codec.clocks)
            out = np.maximum(residual.low[0] - offset, offset - residual.high[-1])
            far = np.nan_to_num(np.maximum(out, 0.0) / np.median(widths[: residual.size]))
            found -= np.minimum(far, _CANNOT) * (codes < residual.size)
        return np.asarray(found)

    def _allowed(self, column: int, scale: Scale, axes: Mapping[str, np.ndarray]) -> Allowed:
        """A linked column's groups: of its residual where the base is known, else of its own."""
        if scale.base is None or scale.residual is None:
            return None
        parts = self.parts[column]
        linked = parts.order[parts.first[:-1]] < scale.residual.size
        known = ~np.isnan(scale.base.of(axes, self.codec.clocks))
        return known.astype(np.int64), np.stack([~linked, linked])


def _widths(levels: Levels) -> np.ndarray:
    """How far it is (size,) from each cell to the next; 1 for missing."""
    low, high = levels.low, levels.high
    if low is None or high is None or not len(low):
        return np.ones(levels.size)
    with np.errstate(invalid="ignore"):
        unit = levels.step or (high[-1] - low[0]) / len(low)
        found = np.diff(low, append=high[-1] + unit)
    found[~(np.isfinite(found) & (found > 0))] = 1.0
    return np.asarray(np.append(found, np.ones(levels.size - len(low))))
