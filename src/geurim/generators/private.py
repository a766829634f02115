"""Differentially private tables: noisy marginals, chosen within a budget, and their model.

    rows --scales, under noise--> bins --AIM, under noise--> marginals --> graphical model --> rows

What may be known of the real rows before anything is asked of them is their columns' names and
types, and what `domain` says. All else that the fitted object holds, its profile and lineage with
it, was made from noisy answers. Noise and accounting are OpenDP's (`_noise.py`), the choice of
marginals AIM's (`_select.py`; McKenna et al. 2022), the scales found as `_domain.py` says.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.analyze import analyze
from geurim.analyze.names import hinted_entities, names_key, words
from geurim.codec import part
from geurim.columns import is_ordered
from geurim.contract import (
    Event,
    Fitted,
    Generator,
    Json,
    Lineage,
    Privacy,
    Profile,
    Progress,
    Source,
    quiet,
)
from geurim.errors import DataError, SettingError
from geurim.generators import _domain
from geurim.generators._domain import Column, Held, Plan
from geurim.generators._graph import Graph, Marginal
from geurim.generators._ledger import Budget
from geurim.generators._noise import Spender, rho_of
from geurim.generators._scales import Scale, settle
from geurim.generators._select import select
from geurim.generators.anew import Anew

_COUNT, _FIND, _ONE_WAY = 0.01, 0.2, 0.1  # shares of the budget; the rest goes into pairs
_ROUNDS = 4  # of AIM for each column, if none is taken for several
_LENGTHS = [20, 60, 120]  # characters of a text made anew: those of no real one
_DESCRIBED = 20_000  # rows drawn for the fitted object's profile
_ANEW: tuple[str, ...] = (
    *("key", "text", "name", "first_name", "last_name", "email", "user_name", "phone"),
    *("address", "city", "postcode", "company", "card_number", "iban", "ip", "url"),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedPrivate(Fitted):
    """A graphical model of bins, a scale for each of its columns, and the columns made anew."""

    schema: pa.Schema
    lineage: Lineage
    profile: Profile
    graph: Graph
    scales: Mapping[str, Scale]
    anew: Anew
    name: ClassVar[str] = "private"
    completes: ClassVar[bool] = True

    def draw(
        self, rows: int, rng: np.random.Generator, given: pa.Table | None = None
    ) -> pa.RecordBatch:
        held = {} if given is None else {n: given[n].combine_chunks() for n in given.column_names}
        known = {i: s.encode(held[n]) for i, (n, s) in enumerate(self.scales.items()) if n in held}
        bins = self.graph.complete(known, rng) if known else self.graph.draw(rows, rng)
        columns = {
            n: held[n] if n in held else s.decode(bins[:, i], rng)
            for i, (n, s) in enumerate(self.scales.items())
        }
        learned = pa.table(columns) if columns else None
        columns |= self.anew.make(rows, rng, 0, learned)
        columns |= held
        return pa.RecordBatch.from_arrays(
            [columns[f.name].cast(f.type) for f in self.schema], schema=self.schema
        )

    def number(self, batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        """Keys go on from `first_row`."""
        for name, keys in self.anew.keys(batch.num_rows, first_row).items():
            place = batch.schema.get_field_index(name)
            field = batch.schema.field(place)
            batch = batch.set_column(place, field, keys.cast(field.type))
        return batch

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        anew, anew_arrays = self.anew.to_state()
        arrays = {f"anew/{k}": v for k, v in anew_arrays.items()}
        columns: list[Json] = []
        for i, (name, scale) in enumerate(self.scales.items()):
            entry, parts = scale.state()
            columns.append({"name": name, **entry})
            arrays |= {f"{i}/{k}": v for k, v in parts.items()}
        arrays |= {f"table/{i}": t for i, t in enumerate(self.graph.tables)}
        graph = {k: getattr(self.graph, k) for k in ("sizes", "cliques", "parents")}
        return {"graph": graph, "columns": columns, "anew": anew}, arrays

    @classmethod
    def from_state(
        cls,
        profile: Profile,
        schema: pa.Schema,
        lineage: Lineage,
        state: dict[str, Json],
        arrays: dict[str, np.ndarray],
    ) -> FittedPrivate:
        graph = state["graph"]
        return cls(
            schema=schema,
            lineage=lineage,
            profile=profile,
            graph=Graph(
                sizes=tuple(graph["sizes"]),
                cliques=tuple(tuple(c) for c in graph["cliques"]),
                parents=tuple(graph["parents"]),
                tables=tuple(arrays[f"table/{i}"] for i in range(len(graph["cliques"]))),
            ),
            scales={
                entry["name"]: Scale.from_state(
                    schema.field(entry["name"]).type, entry, part(arrays, f"{i}/")
                )
                for i, entry in enumerate(state["columns"])
            },
            anew=Anew.from_state(state["anew"], part(arrays, "anew/")),
        )


@dataclass(frozen=True, kw_only=True)
class Private(Generator):
    """A table whose rows hide what any one unit adds: (epsilon, delta)-differential privacy.

    epsilon, delta: the cost of a fit. Less is more private and less like the real rows.
    unit: what is hidden: "row", or the name of a column that says whose a row is.
    contributions: the most rows of one unit. Where `unit` names a column, further rows of the same
        unit are left out; where it is "row", you vouch for it.
    domain: what everybody may know of columns: {"age": (0, 120), "sex": ["F", "M"], "id": "key"}.
        Bounds of a number or time, the values of a category, or what is made anew without
        looking: "key", "text" or a kind of personal data such as "email". What it leaves
        open is found at the cost of a share of the budget. Take none of it from these data.
    budget: an account that the cost is entered in; a fit that would exceed it is refused.
    bins: the most bins of a column in the model; fewer where the noise asks for it.
    cells: the most numbers that the model holds.
    """

    epsilon: float = 1.0
    delta: float = 1e-6
    unit: str = "row"
    contributions: int = 1
    domain: Mapping[str, Any] = field(default_factory=dict, hash=False)
    budget: Budget | None = field(default=None, repr=False)
    bins: int = 40
    cells: int = 1_000_000
    name: ClassVar[str] = "private"
    fitted: ClassVar[type[Fitted]] = FittedPrivate
    whole: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 < self.epsilon < math.inf:
            raise SettingError(f"Private: epsilon is {self.epsilon!r}. Give a number above 0.")
        if not 0 < self.delta <= 0.01:
            raise SettingError(
                f"Private: delta is {self.delta!r}. Give a number above 0, at most 0.01, and far "
                "below one over the number of units: it is the chance that the promise fails."
            )
        for setting, least in (("contributions", 1), ("bins", 2), ("cells", 1_000)):
            found = getattr(self, setting)
            if isinstance(found, bool) or not isinstance(found, int) or found < least:
                raise SettingError(
                    f"Private: {setting} is {found!r}. Give a whole number from {least:,}."
                )
        for column, known in self.domain.items():
            _check_domain(column, known)

    def fit(
        self,
        source: Source | None,
        profile: Profile,
        rng: np.random.Generator,
        progress: Progress = quiet,
    ) -> FittedPrivate:
        """Ask the rows, within the budget. `profile` is not looked at: it was made without noise.

        Two fits with the same `rng` differ: a noise that could be repeated could be taken off.
        Raises BudgetExceeded, SettingError (a domain that fits no column), DataError (a type that
        cannot be learned): never for what a row holds.
        """
        if source is None:
            raise DataError(
                "A private fit asks rows and was given a profile alone. Give the data, or choose "
                "generator='copula' for a profile that may be known to all."
            )
        schema = _bare(source.schema)
        fields = self._learned(schema)
        cost = Privacy(
            unit=self.unit,
            contributions=self.contributions,
            epsilon=self.epsilon,
            delta=self.delta,
        )
        asked = [f.name for f in fields if self._discovered(f)]
        spare = self.delta / 2 if asked else 0.0
        rho = rho_of(self.epsilon, self.delta - spare)
        if self.budget is not None:
            self.budget.spend(cost)
        held = self._held(source, [f.name for f in fields])
        spender = Spender(held, contributions=self.contributions, rho=rho, delta=spare)
        each = spare / max(len(asked), 1) * (1 - 1e-6)
        total, plans, gone = _plans(self, fields, spender, each, progress)
        graph, scales, total = _model(self, plans, spender, total, rng, progress)
        public = _public(self, schema, scales, gone)
        fitted = FittedPrivate(
            schema=schema,
            lineage=Lineage.made(repr(self), parents=(_withheld(source.lineage),), privacy=(cost,)),
            profile=public,
            graph=graph,
            scales=scales,
            anew=Anew.plan(public, None, rng),
        )
        return replace(fitted, profile=_described(fitted, round(total), rng))

    def _learned(self, schema: pa.Schema) -> list[pa.Field]:
        """The columns that are asked about. Raises SettingError, DataError."""
        unknown = [n for n in self.domain if n not in schema.names]
        if unknown or (self.unit != "row" and self.unit not in schema.names):
            wrong = unknown[0] if unknown else self.unit
            raise SettingError(
                f"Private: {wrong!r} is no column. Choose one of: "
                f"{', '.join(map(repr, schema.names))}."
            )
        fields = [f for f in schema if f.name != self.unit or self.unit == "row"]
        fields = [f for f in fields if not isinstance(self.domain.get(f.name), str)]
        for item in fields:
            _domain.check_type(item.name, item.type)
            known = self.domain.get(item.name)
            if known is not None:
                _check_values(item, known)
        return fields

    def _discovered(self, item: pa.Field) -> bool:
        """Whether the values themselves have to be found, which costs delta."""
        kind = item.type.value_type if pa.types.is_dictionary(item.type) else item.type
        closed = is_ordered(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)
        return not closed and item.name not in self.domain

    def _held(self, source: Source, names: list[str]) -> Held:
        """The columns asked about, with at most `contributions` rows of each unit."""
        wanted = names if self.unit == "row" else [*names, self.unit]
        table = pa.Table.from_batches(
            (b.select(wanted) for b in source.read()),
            pa.schema([source.schema.field(n) for n in wanted]),
        )
        if self.unit != "row":
            table = table.filter(pa.array(_first_of_each(table[self.unit], self.contributions)))
        columns = {n: Column.of(table[n]) for n in names}
        return Held(columns=columns, rows=table.num_rows)


def _plans(
    settings: Private,
    fields: Sequence[pa.Field],
    spender: Spender,
    delta: float,
    progress: Progress,
) -> tuple[float, dict[str, Plan], dict[str, float]]:
    """Rows, about; what was found of each column; and of those without, the share that misses."""
    total = spender.counts(lambda held: np.array([held.rows]), _COUNT * spender.rho)
    rows = max(float(total[0]), 1.0)
    rho = _FIND * spender.rho / max(len(fields), 1)
    plans: dict[str, Plan] = {}
    gone: dict[str, float] = {}
    for i, item in enumerate(fields):
        progress(Event(step="fit", done=i, total=len(fields), unit="columns", note=item.name))
        known = settings.domain.get(item.name)
        if is_ordered(item.type):
            plans[item.name] = _domain.ordered_plan(item.name, item, known, spender, rho, rows)
            continue
        found = _domain.category_plan(item.name, item, known, spender, rho, delta, rows)
        if isinstance(found, Plan):
            plans[item.name] = found
        else:
            gone[item.name] = found
    return rows, plans, gone


def _model(
    settings: Private,
    plans: Mapping[str, Plan],
    spender: Spender,
    total: float,
    rng: np.random.Generator,
    progress: Progress,
) -> tuple[Graph, dict[str, Scale], float]:
    """The model of the columns' bins, their scales, and the rows as all counts together say."""
    if not plans:
        return Graph.uniform([], []), {}, total
    rho = _ONE_WAY * spender.rho / len(plans)
    noise = spender.scale(rho)
    most = _bins(settings, total, spender.scale((spender.left - len(plans) * rho) / len(plans)))
    scales: dict[str, Scale] = {}
    places: dict[str, np.ndarray] = {}
    marginals: list[Marginal] = []
    for i, (name, plan) in enumerate(plans.items()):
        counts = _counted(spender, name, plan, rho)
        scales[name], place = settle(plan, counts, noise, most)
        places[name] = place
        size = scales[name].size
        members = np.maximum(np.bincount(place, minlength=size), 1)
        in_bins = np.bincount(place, counts, minlength=size)
        marginals.append(Marginal(clique=(i,), counts=in_bins, variance=members * noise**2))
    spread = np.array([float(np.sum(m.variance)) for m in marginals])
    sums = np.array([m.counts.sum() for m in marginals])
    total = max(float((sums / spread).sum() / (1 / spread).sum()), 1.0)
    spender.rows.settle(plans, places)
    sizes = [s.size for s in scales.values()]
    rounds = _ROUNDS * len(plans)
    graph = select(spender, marginals, sizes, total, settings.cells, rounds, rng, progress)
    return graph, scales, total


def _counted(spender: Spender, name: str, plan: Plan, rho: float) -> np.ndarray:
    return spender.counts(lambda held: plan.counts(held.columns[name]), rho)


def _bins(settings: Private, total: float, noise: float) -> int:
    """Bins of a column of which a pair's table is not drowned in noise, of its own or of chance."""
    drowned = math.sqrt(0.2 * total / (math.sqrt(2 / math.pi) * noise))
    return int(np.clip(min(drowned, math.sqrt(total / 5)), 4, settings.bins))


def _public(
    settings: Private, schema: pa.Schema, scales: Mapping[str, Scale], gone: Mapping[str, float]
) -> Profile:
    """What the makers of keys, personal data and texts are told: names, types, missing shares."""
    columns: dict[str, dict[str, Json]] = {}
    for item in schema:
        if item.name in scales:
            columns[item.name] = {"role": "empty", "missing": 0.0}
        else:
            known = settings.domain.get(item.name)
            if item.name == settings.unit:
                known = known or "key"
            facts = _made(item, known or _guess(item.name))
            columns[item.name] = facts | {"missing": gone.get(item.name, 0.0)}
    return Profile(schema=schema, lineage=Lineage.made("public"), rows=0, columns=columns)


def _guess(name: str) -> str:
    """What a column of text whose values are its rows' own is likely to be, by its name."""
    hints = [e for e in hinted_entities(name) if e in _ANEW]
    return hints[0] if hints else "key" if names_key(name) else "text"


def _made(item: pa.Field, kind: str) -> dict[str, Json]:
    """The facts of a column made anew, in the form of a profile's."""
    if kind == "text":
        return {"role": "text", "length_quantiles": _LENGTHS}
    if kind != "key":
        return {"role": "personal", "entity": kind, "locale": "en_US"}
    if is_ordered(item.type):
        return {"role": "key", "form": "integer", "start": 1, "step": 1}
    if {"uuid", "guid"} & set(words(item.name)):
        return {"role": "key", "form": "uuid"}
    return {"role": "key", "form": "pattern", "patterns": [["A9999999", 1.0]]}


def _described(fitted: FittedPrivate, rows: int, rng: np.random.Generator) -> Profile:
    """The profile of what the model draws: that is as private as the model is."""
    drawn = fitted.draw(_DESCRIBED, rng)
    seen = Source(
        schema=fitted.schema, lineage=fitted.lineage, read=lambda: iter([drawn]), rows=_DESCRIBED
    )
    return replace(analyze(seen), rows=rows)


def _bare(schema: pa.Schema) -> pa.Schema:
    """Names and types alone: metadata of a file may hold anything, such as the number of rows."""
    return pa.schema([pa.field(f.name, f.type, f.nullable) for f in schema])


def _withheld(lineage: Lineage) -> Lineage:
    """A lineage without the digest of the rows, by which anyone could tell whether a guess at them
    is right."""
    return replace(
        lineage,
        digest=hashlib.sha256(f"withheld: {lineage.maker}".encode()).hexdigest(),
        parents=tuple(_withheld(p) for p in lineage.parents),
    )


def _first_of_each(units: pa.ChunkedArray, most: int) -> np.ndarray:
    """Which rows (N,) are among the first `most` of their unit; those without one are of one."""
    codes = units.combine_chunks().dictionary_encode("encode").indices.to_numpy(False)
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    start = np.flatnonzero(np.diff(ordered, prepend=-1))
    nth = np.arange(len(ordered)) - np.repeat(start, np.diff(np.append(start, len(ordered))))
    kept = np.zeros(len(codes), bool)
    kept[order] = nth < most
    return kept


def _check_domain(column: str, known: object) -> None:
    """Raise SettingError where what is said of a column is no domain."""
    if isinstance(known, str):
        if known not in _ANEW:
            raise SettingError(
                f"Private: the domain of {column!r} is {known!r}. Give (low, high), the values, or "
                f"one of: {', '.join(_ANEW)}."
            )
    elif not isinstance(known, Sequence) or not known:
        raise SettingError(
            f"Private: the domain of {column!r} is {known!r}. Give (low, high) of a number or a "
            "time, or the values of a category."
        )


def _check_values(item: pa.Field, known: Sequence[object]) -> None:
    """Raise SettingError where a domain does not fit its column's type."""
    try:
        if not is_ordered(item.type):
            kind = item.type.value_type if pa.types.is_dictionary(item.type) else item.type
            wrong = pc.count_distinct(pa.array(list(known), kind), mode="all").as_py() != len(known)
        else:
            low, high = (_domain.axis_of(v, item.type) for v in known)
            wrong = not -math.inf < low <= high < math.inf
    except (pa.ArrowException, TypeError, ValueError):
        wrong = True
    if wrong:
        raise SettingError(
            f"Private: the domain of {item.name!r} is {known!r}, and the column is of type "
            f"{item.type}. Give (low, high) with low <= high for a number or a time, and different "
            "values for a category."
        )
