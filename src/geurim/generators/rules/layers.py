"""A layered drawing of a graph: boxes in columns, so that arrows go to the right where they can.

The classic way in four steps (Sugiyama, Tagawa, Toda 1981): arrows that close a circle are set
aside, each box stands one column after the last that leads to it, boxes of a column are ordered by
the middle of their neighbours, and an arrow that passes a column gets a place of its own there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

Point = tuple[float, float]
Edge = tuple[str, str]
_Node = str | tuple[Edge, int]  # a box, or the place where an edge passes a column

_SWEEPS = 6


@dataclass(frozen=True)
class Layout:
    """Where each box has its upper left corner, and what points edges pass on their way."""

    places: Mapping[str, Point]
    routes: Mapping[Edge, Sequence[Point]]
    back: frozenset[Edge]  # edges that close a circle: they lead to the left, or to themselves
    size: Point


def layered(
    sizes: Mapping[str, Point], edges: Sequence[Edge], gap: Point = (90, 28), lane: float = 10
) -> Layout:
    """Places for boxes of these sizes (width, height); `lane` is the height of a passing edge."""
    back = _closing(list(sizes), edges)
    forward = [e for e in dict.fromkeys(edges) if e not in back]
    ranks = _ranks(list(sizes), forward)
    chains = {e: _chain(e, ranks) for e in forward}
    columns = _columns(ranks, chains)
    links = [pair for chain in chains.values() for pair in pairwise(chain)]
    _untangle(columns, links)
    return _placed(columns, chains, back, sizes, gap, lane)


def _closing(nodes: Sequence[str], edges: Sequence[Edge]) -> frozenset[Edge]:
    """The edges that lead back to where a walk from the first boxes came from."""
    after: dict[str, list[str]] = {n: [] for n in nodes}
    for start, end in edges:
        after[start].append(end)
    found, done = set(), set[str]()
    for root in nodes:
        walk = [(root, iter(after[root]))] if root not in done else []
        while walk:
            node, rest = walk[-1]
            ahead = next(rest, None)
            if ahead is None:
                done.add(node)
                walk.pop()
            elif any(ahead == n for n, _ in walk):
                found.add((node, ahead))
            elif ahead not in done:
                walk.append((ahead, iter(after[ahead])))
    return frozenset(found)


def _ranks(nodes: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """The column of each box: one after the last that leads to it."""
    ranks = dict.fromkeys(nodes, 0)
    for _ in nodes:
        for start, end in edges:
            ranks[end] = max(ranks[end], ranks[start] + 1)
    return ranks


def _chain(edge: Edge, ranks: Mapping[str, int]) -> list[_Node]:
    """An edge's way, column by column."""
    start, end = edge
    return [start, *((edge, r) for r in range(ranks[start] + 1, ranks[end])), end]


def _columns(ranks: Mapping[str, int], chains: Mapping[Edge, Sequence[_Node]]) -> list[list[_Node]]:
    columns: list[list[_Node]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    for box, rank in ranks.items():
        columns[rank].append(box)
    for chain in chains.values():
        for node in chain:
            if not isinstance(node, str):
                columns[node[1]].append(node)
    return columns


def _untangle(columns: list[list[_Node]], links: Sequence[tuple[_Node, _Node]]) -> None:
    """Order every column by the mean place of the neighbours, forth and back."""
    before: dict[_Node, list[_Node]] = {}
    after: dict[_Node, list[_Node]] = {}
    for start, end in links:
        before.setdefault(end, []).append(start)
        after.setdefault(start, []).append(end)
    for sweep in range(_SWEEPS):
        near = before if sweep % 2 == 0 else after
        place = {n: i / len(c) for c in columns for i, n in enumerate(c)}
        for column in columns if sweep % 2 == 0 else reversed(columns):
            column.sort(key=lambda n: _mean([place[o] for o in near.get(n, [n])]))
            place |= {n: i / len(column) for i, n in enumerate(column)}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _placed(
    columns: Sequence[Sequence[_Node]],
    chains: Mapping[Edge, Sequence[_Node]],
    back: frozenset[Edge],
    sizes: Mapping[str, Point],
    gap: Point,
    lane: float,
) -> Layout:
    def size(node: _Node) -> Point:
        return sizes[node] if isinstance(node, str) else (0, lane)

    heights = [sum(size(n)[1] for n in c) + gap[1] * (len(c) - 1) for c in columns]
    tallest, x = max(heights, default=0), 0.0
    at: dict[_Node, Point] = {}
    for column, height in zip(columns, heights, strict=True):
        width, y = max(size(n)[0] for n in column), (tallest - height) / 2
        for node in column:
            at[node] = (x, y) if isinstance(node, str) else (x + width / 2, y + lane / 2)
            y += size(node)[1] + gap[1]
        x += width + gap[0]
    return Layout(
        {n: at[n] for n in sizes},
        {e: [at[n] for n in chain if not isinstance(n, str)] for e, chain in chains.items()},
        back,
        (max(x - gap[0], 0.0), tallest),
    )
