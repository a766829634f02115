"""A graphical model of whole-number columns: a junction tree, fitted to marginals.

Of all distributions with the given marginals it is the one of largest entropy: a product of tables
over the cliques of a junction tree (Koller & Friedman 2009, chapter 10). It is fitted by mirror
descent on the marginals that noise was added to (McKenna, Sheldon & Miklau 2019, algorithm 1).
Whatever is done here is done to noisy counts, so it costs no privacy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

import numpy as np

Clique = tuple[int, ...]
_CHUNK = 4_000_000  # cells of a table that rows with values of their own are spread over at once


@dataclass(frozen=True, kw_only=True, eq=False)
class Marginal:
    """A noisy table of counts over some columns; `variance` is that of each cell."""

    clique: Clique  # ascending
    counts: np.ndarray
    variance: np.ndarray | float


def triangulate(
    cliques: Iterable[Clique], sizes: Sequence[int], last: Iterable[int] = ()
) -> list[Clique]:
    """The largest cliques of a junction tree in which each of `cliques` lies within one.

    Columns are taken out one by one, those that join the fewest cells first, `last` at the end.
    """
    near: list[set[int]] = [set() for _ in sizes]
    for clique in cliques:
        for column in clique:
            near[column] |= set(clique)
    left, held = set(range(len(sizes))), set(last)
    found: list[Clique] = []
    while left:
        open_ = left - held or left
        taken = min(open_, key=lambda c: (prod(sizes[n] for n in near[c] | {c}), c))
        around = near[taken] | {taken}
        if not any(around <= set(f) for f in found):
            found.append(tuple(sorted(around)))
        for column in around - {taken}:
            near[column] |= around
            near[column].discard(taken)
        left.discard(taken)
    return found


def cells(cliques: Iterable[Clique], sizes: Sequence[int]) -> int:
    """How many numbers the tables of `cliques` hold."""
    return sum(prod(sizes[c] for c in clique) for clique in cliques)


def _tree(cliques: Sequence[Clique]) -> list[tuple[int, int]]:
    """(clique, parent) in order from the root, whose parent is -1: the largest shared columns."""
    order = [(0, -1)][: len(cliques)]
    best = {i: (len(set(cliques[i]) & set(cliques[0])), 0) for i in range(1, len(cliques))}
    while best:
        taken = max(best, key=lambda i: (best[i][0], -i))
        order.append((taken, best.pop(taken)[1]))
        for i, (most, _) in best.items():
            shared = len(set(cliques[i]) & set(cliques[taken]))
            if shared > most:
                best[i] = (shared, taken)
    return order


@dataclass(frozen=True, kw_only=True, eq=False)
class Graph:
    """A distribution over codes (N, C), column c in [0, sizes[c]).

    `cliques` come in order from the root; `parents` are places in that order, -1 for the root;
    `tables` are each clique's probabilities, which agree where cliques share columns.
    """

    sizes: tuple[int, ...]
    cliques: tuple[Clique, ...]
    parents: tuple[int, ...]
    tables: tuple[np.ndarray, ...]

    @classmethod
    def uniform(cls, cliques: Iterable[Clique], sizes: Sequence[int]) -> Graph:
        """The distribution in which all codes are equally likely, on a junction tree."""
        found = triangulate(cliques, sizes)
        order = _tree(found)
        place = {clique: i for i, (clique, _) in enumerate(order)}
        ordered = tuple(found[i] for i, _ in order)
        return cls(
            sizes=tuple(sizes),
            cliques=ordered,
            parents=tuple(-1 if p < 0 else place[p] for _, p in order),
            tables=tuple(_even([sizes[c] for c in clique]) for clique in ordered),
        )

    @cached_property
    def separators(self) -> list[Clique]:
        """The columns that each clique shares with its parent."""
        return [
            tuple(sorted(set(c) & set(self.cliques[p]))) if p >= 0 else ()
            for c, p in zip(self.cliques, self.parents, strict=True)
        ]

    def holder(self, clique: Clique) -> int | None:
        """The smallest clique's place that holds all of `clique`; None where none does."""
        held = [i for i, c in enumerate(self.cliques) if set(clique) <= set(c)]
        return min(held, key=lambda i: self.tables[i].size) if held else None

    def marginal(self, clique: Clique) -> np.ndarray | None:
        """The probabilities of `clique`, ascending columns; None where no table holds them."""
        place = self.holder(clique)
        return None if place is None else _sum(self.tables[place], self.cliques[place], clique)

    def grown(self, clique: Clique) -> Graph:
        """The same distribution on a tree in which `clique` lies within one table."""
        if self.holder(clique) is not None:
            return self
        new = Graph.uniform([*self.cliques, clique], self.sizes)
        factors = [np.ones_like(t) for t in new.tables]
        for i, table in enumerate(self.tables):
            held = new.holder(self.cliques[i])
            assert held is not None
            over = _sum(table, self.cliques[i], self.separators[i])
            share = _divide(table, _spread(over, self.separators[i], self.cliques[i]))
            factors[held] *= _spread(share, self.cliques[i], new.cliques[held])
        return new.calibrated(factors)

    def calibrated(self, factors: Sequence[np.ndarray]) -> Graph:
        """The distribution proportional to the product of a factor for each clique."""
        tables = [f / f.sum() for f in factors]
        for i in range(len(tables) - 1, 0, -1):
            p, shared = self.parents[i], self.separators[i]
            up = _sum(tables[i], self.cliques[i], shared)
            tables[p] = tables[p] * _spread(up, shared, self.cliques[p])
            tables[p] /= tables[p].sum()
        for i in range(1, len(tables)):
            p, shared = self.parents[i], self.separators[i]
            have = _sum(tables[i], self.cliques[i], shared)
            want = _sum(tables[p], self.cliques[p], shared)
            tables[i] = tables[i] * _spread(_divide(want, have), shared, self.cliques[i])
        return replace(self, tables=tuple(tables))

    def moved(self, steps: Sequence[Mapping[Clique, np.ndarray]], pace: float) -> Graph:
        """The distribution times exp(-pace step), for steps over some columns of each clique."""
        tables, olds = list(self.tables), self.overlaps
        up: list[np.ndarray] = [np.ones(())] * len(tables)
        for i in range(len(tables) - 1, -1, -1):
            for columns, step in _gathered(steps[i], self.cliques[i]).items():
                factor = _spread(np.exp(np.clip(-pace * step, -30, 30)), columns, self.cliques[i])
                self._multiply(tables, i, factor)
            p, shared = self.parents[i], self.separators[i]
            if p >= 0:
                up[i] = _sum(tables[i], self.cliques[i], shared)
                ratio = _divide(up[i], olds[i])
                self._multiply(tables, p, _spread(ratio, shared, self.cliques[p]))
        tables[0] = tables[0] / tables[0].sum()
        news = [np.ones(())] * len(tables)
        for i in range(1, len(tables)):
            p, shared = self.parents[i], self.separators[i]
            news[i] = _sum(tables[p], self.cliques[p], shared)
            self._multiply(tables, i, _spread(_divide(news[i], up[i]), shared, self.cliques[i]))
        moved = replace(self, tables=tuple(tables))
        moved.__dict__["overlaps"] = news  # known already: it need not be summed again
        return moved

    def _multiply(self, tables: list[np.ndarray], i: int, factor: np.ndarray) -> None:
        """Multiply a table in its place, unless it is still this object's own."""
        if tables[i] is self.tables[i]:
            tables[i] = tables[i] * factor
        else:
            tables[i] *= factor

    @cached_property
    def overlaps(self) -> list[np.ndarray]:
        """The probabilities of the columns that each clique shares with its parent."""
        both = zip(self.tables, self.cliques, self.separators, strict=True)
        return [_sum(table, clique, shared) for table, clique, shared in both]

    # ---- drawing

    @cached_property
    def _chain(self) -> list[tuple[Clique, Clique, np.ndarray]]:
        """For each clique: shared columns, new columns, and for each value of the shared ones
        the cumulative probabilities of the new ones (shared values, new values)."""
        chain = []
        for clique, shared, table in zip(self.cliques, self.separators, self.tables, strict=True):
            new = tuple(c for c in clique if c not in shared)
            axes = [clique.index(c) for c in (*shared, *new)]
            flat = table.transpose(axes).reshape(prod(self.sizes[c] for c in shared), -1)
            chain.append((shared, new, _cumulative(flat)))
        return chain

    def draw(self, rows: int, rng: np.random.Generator) -> np.ndarray:
        """Codes (rows, C) int32."""
        codes = np.zeros((len(self.sizes), rows), np.int32)
        for shared, new, cumulative in self._chain:
            if not new:
                continue
            at = _flat([codes[c] for c in shared], [self.sizes[c] for c in shared], rows)
            chosen = _choose(cumulative, at, rng)
            self._write(codes, new, chosen)
        return codes.T

    def complete(self, known: Mapping[int, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Codes (N, C) of which `known` gives the columns (N,): exact draws of the others.

        Rows that know the same are taken together, in each clique by what lies below it.
        """
        rows = len(next(iter(known.values())))
        codes = np.zeros((len(self.sizes), rows), np.int32)
        for column, values in known.items():
            codes[column] = values
        upward = self._upward(known, rows)
        for i, (clique, shared) in enumerate(zip(self.cliques, self.separators, strict=True)):
            new = tuple(c for c in clique if c not in shared and c not in known)
            if not new:
                continue
            fixed = tuple(c for c in clique if c not in new)
            at = _flat([codes[c] for c in fixed], [self.sizes[c] for c in fixed], rows)
            self._complete_clique(i, codes, fixed, new, at, upward, rng)
        return codes.T

    def _complete_clique(
        self,
        i: int,
        codes: np.ndarray,
        fixed: Clique,
        new: Clique,
        at: np.ndarray,
        upward: _Upward,
        rng: np.random.Generator,
    ) -> None:
        """Draw the columns `new` of a clique for all rows, given `fixed` and what lies below."""
        clique = self.cliques[i]
        axes = [clique.index(c) for c in (*fixed, *new)]
        flat = self.tables[i].transpose(axes).reshape(prod(self.sizes[c] for c in fixed), -1)
        below = upward.below(i)
        groups = _groups([at, *(upward.group[b] for b in below)])
        first, inverse = groups
        step = max(1, _CHUNK // flat.shape[1])
        for start in range(0, len(first), step):
            some = first[start : start + step]
            share = flat[at[some]]
            for b in below:
                share = share * self._message(b, some, codes, new, upward)
            mine = np.flatnonzero((inverse >= start) & (inverse < start + step))
            chosen = _choose(_cumulative(share), inverse[mine] - start, rng)
            self._write(codes, new, chosen, mine)

    def _message(
        self,
        b: int,
        rows: np.ndarray,
        codes: np.ndarray | Mapping[int, np.ndarray],
        new: Clique,
        upward: _Upward,
    ) -> np.ndarray:
        """What the clique b below says of `new` (rows, cells of new), by the rows' own values."""
        shared = self.separators[b]
        message = upward.message[b][upward.group[b][rows]]
        message = message.reshape(len(rows), *(self.sizes[c] for c in shared))
        index: list[np.ndarray] = [_axis(np.arange(len(rows)), 0, len(new) + 1)]
        for c in shared:
            if c in new:
                index.append(_axis(np.arange(self.sizes[c]), 1 + new.index(c), len(new) + 1))
            else:
                index.append(_axis(codes[c][rows], 0, len(new) + 1))
        found = message[tuple(index)]
        shape = (len(rows), *(self.sizes[c] for c in new))
        return np.broadcast_to(found, shape).reshape(len(rows), -1)

    def _upward(self, known: Mapping[int, np.ndarray], rows: int) -> _Upward:
        """Each clique's likelihood of what is known below it, by the values it shares above."""
        found = _Upward(self.parents, {}, {})
        for i in range(len(self.cliques) - 1, 0, -1):
            clique, shared = self.cliques[i], self.separators[i]
            below = found.below(i)
            seen = [c for c in clique if c in known and c not in shared]
            if not below and not seen:
                continue
            first, inverse = _groups([*(known[c] for c in seen), *(found.group[b] for b in below)])
            found.group[i] = inverse
            found.message[i] = self._summed(i, first, seen, known, below, found)
        return found

    def _summed(
        self,
        i: int,
        first: np.ndarray,
        seen: list[int],
        known: Mapping[int, np.ndarray],
        below: list[int],
        found: _Upward,
    ) -> np.ndarray:
        """P(known below | shared) (groups, cells of shared), one row a group of equal rows."""
        clique, shared = self.cliques[i], self.separators[i]
        free = tuple(c for c in clique if c not in shared and c not in seen)
        axes = [clique.index(c) for c in (*seen, *shared, *free)]
        inner = (*shared, *free)
        flat = self.tables[i].transpose(axes).reshape(prod(self.sizes[c] for c in seen), -1)
        over = _sum(self.tables[i], clique, shared).reshape(-1)
        out = np.empty((len(first), len(over)))
        step = max(1, _CHUNK // flat.shape[1])
        for start in range(0, len(first), step):
            some = first[start : start + step]
            at = _flat([known[c][some] for c in seen], [self.sizes[c] for c in seen], len(some))
            share = flat[at]
            for b in below:
                share = share * self._message(b, some, known, inner, found)
            sums = share.reshape(len(some), len(over), -1).sum(2)
            out[start : start + step] = _divide(sums, over)
        return out

    def _write(
        self, codes: np.ndarray, new: Clique, chosen: np.ndarray, rows: np.ndarray | None = None
    ) -> None:
        for c in reversed(new):
            chosen, code = np.divmod(chosen, self.sizes[c]) if c != new[0] else (chosen, chosen)
            if rows is None:
                codes[c] = code
            else:
                codes[c, rows] = code


@dataclass
class _Upward:
    """Messages by clique: `message` (groups, cells of the separator), `group` (N,) of each row."""

    parents: Sequence[int]
    message: dict[int, np.ndarray]
    group: dict[int, np.ndarray]

    def below(self, i: int) -> list[int]:
        """The children of a clique that have something to say."""
        return [b for b in self.message if self.parents[b] == i]


def fit(
    graph: Graph, marginals: Sequence[Marginal], total: float, steps: int, gain: float = 1e-6
) -> Graph:
    """Mirror descent on the squared error of all marginals, by their variance. Its steps adapt.

    `total`: the number of rows that the counts add up to. Each marginal must lie within a clique.
    `steps`: the most of them; it ends sooner where one gains less than the share `gain`.
    """
    held: list[list[Marginal]] = [[] for _ in graph.cliques]
    for m in marginals:
        place = graph.holder(m.clique)
        assert place is not None
        held[place].append(m)
    pace = 1.0 / max(float(np.max(total / np.asarray(m.variance))) for m in marginals)
    loss, slope = _slope(graph, held, total)
    small = 0
    for _ in range(steps):
        new = graph.moved(slope, pace)
        found, turned = _slope(new, held, total)
        if not found <= loss:
            pace *= 0.5
            continue
        small = small + 1 if loss - found < gain * loss else 0
        graph, loss, slope = new, found, turned
        pace *= 1.3
        if small == 5:
            break
    return graph


def _slope(
    graph: Graph, held: Sequence[Sequence[Marginal]], total: float
) -> tuple[float, list[dict[Clique, np.ndarray]]]:
    """The loss, and by clique the slopes of it in the tables of some of its columns."""
    loss = 0.0
    slope: list[dict[Clique, np.ndarray]] = []
    for table, clique, mine in zip(graph.tables, graph.cliques, held, strict=True):
        have = _marginals(table, clique, {m.clique for m in mine})
        steps: dict[Clique, np.ndarray] = {}
        for m in mine:
            off = total * have[m.clique] - m.counts
            weighed = off / m.variance
            loss += 0.5 * float((off * weighed).sum())
            steps[m.clique] = steps[m.clique] + weighed if m.clique in steps else weighed
        slope.append(steps)
    return loss, slope


def _rare(cliques: Iterable[Clique], over: Clique) -> int:
    """The column of `over` that the fewest of `cliques` have."""
    count = dict.fromkeys(over, 0)
    for clique in cliques:
        for column in clique:
            count[column] += 1
    return min(over, key=lambda c: (count[c], c))


def _marginals(table: np.ndarray, over: Clique, wanted: set[Clique]) -> dict[Clique, np.ndarray]:
    """Sums of a table over its columns. What several need is summed once."""
    found: dict[Clique, np.ndarray] = {}
    left = set(wanted)
    if over in left:
        found[over] = table
        left.discard(over)
    while left:
        gone = _rare(left, over)
        group = {w for w in left if gone not in w}
        if not group:
            break
        less = tuple(c for c in over if c != gone)
        found |= _marginals(table.sum(axis=over.index(gone)), less, group)
        left -= group
    return found


def _gathered(steps: Mapping[Clique, np.ndarray], over: Clique) -> dict[Clique, np.ndarray]:
    """A few tables that add up to all steps, each lacking a column of `over` where it can."""
    found: dict[Clique, np.ndarray] = {}
    left = dict(steps)
    if over in left:
        found[over] = left.pop(over)
    while left:
        gone = _rare(left, over)
        less = tuple(c for c in over if c != gone)
        parts = _gathered({c: left.pop(c) for c in list(left) if gone not in c}, less)
        added: np.ndarray | float = 0.0
        for columns, part in parts.items():
            added = added + _spread(part, columns, less)
        # A sum of parts that lack the same columns has an axis of length 1 for them: that spreads.
        found[less] = np.asarray(added)
    return found


# ---- tables


def _even(shape: Sequence[int]) -> np.ndarray:
    return np.full(tuple(shape), 1.0 / prod(shape))


def _sum(table: np.ndarray, clique: Clique, kept: Clique) -> np.ndarray:
    """The table of `kept` columns, ascending."""
    gone = tuple(i for i, c in enumerate(clique) if c not in kept)
    return np.asarray(table.sum(axis=gone)) if gone else table


def _spread(table: np.ndarray, of: Clique, over: Clique) -> np.ndarray:
    """The table shaped so that it multiplies one over more columns."""
    shape = [1] * len(over)
    for size, column in zip(table.shape, of, strict=True):
        shape[over.index(column)] = size
    return table.reshape(shape)


def _divide(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    out = np.zeros(np.broadcast_shapes(one.shape, other.shape))
    np.divide(one, other, out=out, where=other > 0)
    return out


def _flat(codes: Sequence[np.ndarray], sizes: Sequence[int], rows: int) -> np.ndarray:
    at = np.zeros(rows, np.int64)
    for values, size in zip(codes, sizes, strict=True):
        at = at * size + values
    return at


def _cumulative(table: np.ndarray) -> np.ndarray:
    """Cumulative shares (rows, cells), row i raised by i: one search finds row and cell."""
    total = table.sum(1, keepdims=True)
    table = np.where(total > 0, table, 1.0)
    grown: np.ndarray = np.cumsum(table, axis=1)
    grown /= grown[:, -1:]
    grown += np.arange(len(table))[:, None]
    return grown


def _choose(cumulative: np.ndarray, at: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A cell (N,) of the rows `at`, by their shares."""
    width = cumulative.shape[1]
    place = np.searchsorted(cumulative.ravel(), at + rng.random(len(at)), side="right")
    return np.asarray(np.clip(place - at * width, 0, width - 1))


def _groups(keys: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The first row of each group of rows equal in all keys (N,), and each row's group."""
    at = np.zeros(len(keys[0]), np.int64)
    for key in keys:
        low = int(key.min(initial=0))
        at = at * (int(key.max(initial=0)) - low + 1) + (key - low)
        at = np.unique(at, return_inverse=True)[1]
    _, first, inverse = np.unique(at, return_index=True, return_inverse=True)
    return first, inverse


def _axis(values: np.ndarray, axis: int, dims: int) -> np.ndarray:
    shape = [1] * dims
    shape[axis] = len(values)
    return values.reshape(shape)
