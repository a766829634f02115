"""Drawing from the network of `recurrent` with NumPy: a memory of the past, and what it tells.

    features known before the event -> gated recurrent unit (Cho et al. 2014) -> memory (n, D)
    memory + what each feature adds (n, D) -> a column's own layer -> its codes, as `autoregressive`

Every feature is a table of rows, one for each of its bins; what is known is their sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from geurim.codec import part
from geurim.contract import Json
from geurim.generators import _parts
from geurim.generators._conditionals import Conditionals, Seen
from geurim.sequences.features import Feature
from geurim.sequences.views import Running


@dataclass(frozen=True, kw_only=True, eq=False)
class Memory:
    """The network of all lessons.

    `seen`: each lesson's codes as heads see them. `sees`: the numbers of the features each looks
    at. `opening`: lessons of what has no past, which look at no memory. `starts` (F + 1,): where
    each feature's rows start in the tables. `early`: features known before the event is begun.
    """

    seen: tuple[Seen, ...]
    sees: tuple[tuple[int, ...], ...]
    opening: tuple[bool, ...]
    starts: np.ndarray
    early: tuple[int, ...]
    weights: Mapping[str, np.ndarray]
    kind: ClassVar[str] = "recurrent"

    def over(self, features: Sequence[Feature], view: Running, rng: np.random.Generator) -> _Draws:
        return _Draws(self, features, view, rng)

    @cached_property
    def added(self) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
        """Of each lesson the features that it and all later ones look at, of which no earlier one
        said so, and those that it looks at besides. Lessons without a past share nothing."""
        found, shared = [], set[int]()
        past = [not o for o in self.opening]
        for i, sees in enumerate(self.sees):
            later = [set(s) for s, p in zip(self.sees[i:], past[i:], strict=True) if p]
            common = set.intersection(*later) if past[i] else set()
            rest = set(sees) - shared - common if past[i] else set(sees)
            found.append((tuple(sorted(common - shared)), tuple(sorted(rest))))
            shared |= common
        return tuple(found)

    @cached_property
    def heads(self) -> Conditionals:
        return Conditionals(before=self.seen, after=(), weights=self.weights)

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        arrays = {
            f"parts/{k}": v for k, v in _parts.state(tuple(s.parts for s in self.seen)).items()
        }
        arrays |= {f"axis/{i}": s.axis for i, s in enumerate(self.seen)}
        arrays |= {f"network/{k}": v for k, v in self.weights.items()} | {"starts": self.starts}
        return {
            "sees": [list(s) for s in self.sees],
            "ordered": [s.ordered for s in self.seen],
            "opening": list(self.opening),
            "early": list(self.early),
        }, arrays

    @classmethod
    def from_state(cls, state: dict[str, Json], arrays: dict[str, np.ndarray]) -> Memory:
        parts = _parts.from_state(len(state["sees"]), part(arrays, "parts/"))
        return cls(
            seen=tuple(
                Seen(parts=p, ordered=o, axis=arrays[f"axis/{i}"])
                for i, (p, o) in enumerate(zip(parts, state["ordered"], strict=True))
            ),
            sees=tuple(tuple(s) for s in state["sees"]),
            opening=tuple(state["opening"]),
            starts=arrays["starts"],
            early=tuple(state["early"]),
            weights=part(arrays, "network/"),
        )


class _Draws:
    """Draws at the event where `view` stands, with a memory (N, D) of each unit."""

    def __init__(
        self,
        model: Memory,
        features: Sequence[Feature],
        view: Running,
        rng: np.random.Generator,
    ) -> None:
        self.model, self.features, self.view, self.rng = model, features, view, rng
        self.memory = np.zeros((len(view.lengths), model.heads.width), np.float32)
        self.rows: dict[int, np.ndarray] = {}

    def event(self) -> None:
        w, n = self.model.weights, self.view.n
        self.rows = {}
        self.memory = self.memory[:n]  # the longest come first
        seen = self._sum("inward", self.model.early)
        self.memory = _gated(seen, self.memory, w)
        self.known, self.next = self.memory @ w["recall"], 0

    def codes(self, lesson: int) -> np.ndarray:
        added, heads = self.model.added, self.model.heads
        own = self._sum("table", added[lesson][1])
        if self.model.opening[lesson]:
            return heads.draw(own, lesson, self.rng)
        for shared, _ in added[self.next : lesson + 1]:
            self.known += self._sum("table", shared)
        self.next = lesson + 1
        return heads.draw(self.known + own, lesson, self.rng)

    def _sum(self, table: str, features: Sequence[int]) -> np.ndarray:
        """What features add up to (n, D)."""
        w = self.model.weights[table]
        total = np.zeros((self.view.n, w.shape[1]), np.float32)
        for f in features:
            total += w[self._row(f)]
        return total

    def _row(self, f: int) -> np.ndarray:
        if f not in self.rows:
            self.rows[f] = self.model.starts[f] + self.features[f].bins(self.view)
        return self.rows[f]


def _gated(x: np.ndarray, h: np.ndarray, w: Mapping[str, np.ndarray]) -> np.ndarray:
    """The next memory (n, D) of a gated recurrent unit, in PyTorch's order of gates."""
    size = h.shape[1]
    new = x @ w["memory.weight_ih_l0"].T + w["memory.bias_ih_l0"]
    old = h @ w["memory.weight_hh_l0"].T + w["memory.bias_hh_l0"]
    reset = _sigmoid(new[:, :size] + old[:, :size])
    keep = _sigmoid(new[:, size : 2 * size] + old[:, size : 2 * size])
    proposed = np.tanh(new[:, 2 * size :] + reset * old[:, 2 * size :])
    return np.asarray(proposed + keep * (h - proposed))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * x))
