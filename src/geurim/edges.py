"""Edge cases: rows that are rare on purpose, with the weights that take it back.

A condition E_j is a tail of a column (beyond its 1st or 99th percentile), a rare category, or a
rare pair of common categories. Edge rows follow e(x) = sum_j pi_j p(x | E_j): they are ordinary
draws, thinned by s(x) = sum_j (pi_j / P(E_j)) 1[x in E_j]. With a share f of edge rows, the whole
is q = (1 - f) p + f e, and w(x) = p / q = 1 / (1 - f + f s(x)) makes weighted estimates those of
p (the balance heuristic; Veach & Guibas 1995, section 3). pi_j is proportional to the square root
of P(E_j), a compromise between evenness and the number of draws. s(x) is cut at a bound, and all
masses are those of a pilot run.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.columns import is_ordered, to_axis
from geurim.contract import Fitted
from geurim.errors import SettingError

RARE = 0.01  # a category, or each tail, of at most so much of the rows
_PILOT = 65_536  # rows
_RAREST = 1e-3  # what is rarer is raised as if it were this frequent
_PAIRS = 20


@dataclass(frozen=True)
class Condition:
    """One way to be rare. `low`, `high`: open ends on the axis, or `values` by column."""

    text: str
    columns: tuple[str, ...]
    values: tuple[object, ...] = ()
    above: float | None = None
    below: float | None = None

    def mask(self, batch: pa.RecordBatch) -> np.ndarray:
        """Which rows (N,) meet it."""
        if self.values:
            masks = [
                np.asarray(pc.fill_null(pc.equal(batch[c], pa.scalar(v, batch[c].type)), False))
                for c, v in zip(self.columns, self.values, strict=True)
            ]
            return np.asarray(np.logical_and.reduce(masks))
        axis = to_axis(batch[self.columns[0]])
        beyond = axis > self.above if self.above is not None else axis < self.below
        return np.asarray(beyond)


@dataclass(frozen=True, kw_only=True, eq=False)
class Edges:
    """The conditions, how much each row that meets one is favoured, and the share asked for."""

    conditions: tuple[Condition, ...]
    favour: np.ndarray  # (conditions,) pi_j / P(E_j)
    share: float
    names: tuple[str, str]  # of the two added columns

    @classmethod
    def find(cls, fitted: Fitted, share: float, seed: int) -> Edges:
        """The conditions that a fitted distribution has. Raises SettingError when it has none."""
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, 0)))
        count = -(-_PILOT // fitted.block)
        batches = [fitted.draw(fitted.block, rng) for _ in range(count)]
        pilot = pa.Table.from_batches(batches).combine_chunks().to_batches()[0]
        found = [*_tails(fitted, pilot), *_categories(fitted, pilot), *_pairs(fitted, pilot)]
        if not found:
            raise SettingError(
                "There are no edge cases: no column has a tail, a rare category or a rare pair. "
                "Leave edge_cases out."
            )
        mass = np.array([m for _, m in found])
        root = np.sqrt(np.maximum(mass, _RAREST))
        favour = root / root.sum() / np.maximum(mass, _RAREST)
        taken = set(fitted.schema.names)
        names = (_free("edge_case", taken), _free("weight", taken))
        edges = cls(conditions=tuple(c for c, _ in found), favour=favour, share=share, names=names)
        return replace(edges, favour=favour / edges.score(pilot).mean())

    def score(self, batch: pa.RecordBatch) -> np.ndarray:
        """s(x) of each row (N,): how much more often it is drawn as an edge case."""
        score = np.zeros(batch.num_rows)
        for condition, favour in zip(self.conditions, self.favour, strict=True):
            score += favour * condition.mask(batch)
        return np.minimum(score, self.bound)

    def thin(self, batch: pa.RecordBatch, rng: np.random.Generator) -> pa.RecordBatch:
        """Of ordinary draws, those that stay as edge cases."""
        return batch.filter(pa.array(rng.random(batch.num_rows) < self.score(batch) / self.bound))

    @property
    def bound(self) -> float:
        """The most that s(x) may be: rows that meet many conditions at once are cut at it."""
        return float(np.sort(self.favour)[-4:].sum())

    def schema(self, schema: pa.Schema) -> pa.Schema:
        return schema.append(pa.field(self.names[0], pa.string())).append(
            pa.field(self.names[1], pa.float64())
        )

    def mark(self, batch: pa.RecordBatch, is_edge: np.ndarray) -> pa.RecordBatch:
        """Add what makes each edge row rare (missing for ordinary rows), and every row's weight."""
        texts = np.array([c.text for c in self.conditions], object)
        met = np.stack([c.mask(batch) for c in self.conditions], 1)
        reasons = [
            "; ".join(texts[row]) if edge else None
            for row, edge in zip(met, is_edge.tolist(), strict=True)
        ]
        weight = 1.0 / (1.0 - self.share + self.share * self.score(batch))
        columns = [*batch.columns, pa.array(reasons, pa.string()), pa.array(weight)]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema(batch.schema))


Found = list[tuple[Condition, float]]


def _tails(fitted: Fitted, pilot: pa.RecordBatch) -> Found:
    found: Found = []
    for field in fitted.schema:
        known = fitted.profile.columns[field.name]
        if known["role"] not in ("number", "datetime") or not is_ordered(field.type):
            continue
        low, high = known["quantiles"][1], known["quantiles"][99]
        for condition in (
            Condition(f"{field.name} < 1%", (field.name,), below=low),
            Condition(f"{field.name} > 99%", (field.name,), above=high),
        ):
            mass = float(condition.mask(pilot).mean())
            if 0 < mass <= 3 * RARE:
                found.append((condition, mass))
    return found


def _categories(fitted: Fitted, pilot: pa.RecordBatch) -> Found:
    found: Found = []
    for name in fitted.schema.names:
        known = fitted.profile.columns[name]
        if known["role"] != "category":
            continue
        for value, share in known["categories"]:
            if share < RARE:
                condition = Condition(f"{name} = {value}", (name,), (value,))
                mass = float(condition.mask(pilot).mean())
                if mass > 0:
                    found.append((condition, mass))
    # The rarest of a column with thousands of values would drown the rest.
    by_column: dict[str, Found] = {}
    for item in sorted(found, key=lambda f: f[1]):
        by_column.setdefault(item[0].columns[0], []).append(item)
    return [item for items in by_column.values() for item in items[:_PAIRS]]


def _pairs(fitted: Fitted, pilot: pa.RecordBatch) -> Found:
    """Pairs of categories, each common, that seldom come together, the rarest against chance."""
    columns = {
        n: [v for v, share in fitted.profile.columns[n]["categories"][:20] if share >= 2 * RARE]
        for n in fitted.schema.names
        if fitted.profile.columns[n]["role"] == "category"
    }
    masks = {
        (n, v): Condition("", (n,), (v,)).mask(pilot)
        for n, values in columns.items()
        for v in values
    }
    found: list[tuple[float, Condition, float]] = []
    for (a, x), (b, y) in itertools.combinations(masks, 2):
        if a == b:
            continue
        mass = float((masks[a, x] & masks[b, y]).mean())
        chance = float(masks[a, x].mean() * masks[b, y].mean())
        if 2e-4 <= mass < RARE / 2 and mass < chance / 2:
            condition = Condition(f"{a} = {x} and {b} = {y}", (a, b), (x, y))
            found.append((mass / chance, condition, mass))
    found.sort(key=lambda f: f[0])
    return [(condition, mass) for _, condition, mass in found[:_PAIRS]]


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name
