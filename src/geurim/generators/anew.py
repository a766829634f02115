"""Columns that are never learned but made anew: keys, personal data, free text.

No real value is kept. Where a made value might be a real one (codes, e-mails, phone numbers, ids),
fitting leaves a coarse filter behind, and what it may hold is made again. Names, cities and
companies are public words, and the same one may come out by chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.contract import Json, Profile, Source
from geurim.errors import SamplingError
from geurim.generators import _keys, _people
from geurim.generators._people import People
from geurim.generators._seen import Seen, hashes, mix

ROLES = ("key", "personal", "text")
_REDRAWS = 64
_KEPT = (
    *("role", "missing", "entity", "locale", "patterns", "pattern", "prefix", "country"),
    *("form", "start", "step", "repeats", "hyphens", "upper"),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Anew:
    """What is needed to make the columns of a table that were not learned. Immutable, saveable."""

    columns: tuple[str, ...]
    facts: Mapping[str, Mapping[str, Json]]  # a column's part of the profile, its type, its salt
    pools: Mapping[str, Mapping[str, list[Json]]] = field(repr=False)  # locale -> parts
    seen: Mapping[str, Seen] = field(repr=False)

    @classmethod
    def plan(cls, profile: Profile, source: Source | None, rng: np.random.Generator) -> Anew:
        """Prepare all columns of role key, personal or text.

        `source` is read once, to fill the filters; without it (a profile alone) there are none.
        """
        facts: dict[str, dict[str, Json]] = {}
        for item in profile.schema:
            found = profile.columns[item.name]
            if found["role"] in ROLES:
                facts[item.name] = _facts(found, item.type, int(rng.integers(2**62)))
        _settle(facts, profile)
        wanted: dict[str, set[str]] = {}
        for found in facts.values():
            if found["role"] != "key":
                wanted.setdefault(found["locale"], set()).add(found["entity"])
        pools = {loc: _people.draw_pools(loc, kinds, rng) for loc, kinds in wanted.items()}
        seen = {} if source is None else _remember(facts, source)
        return cls(columns=tuple(facts), facts=facts, pools=pools, seen=seen)

    def make(
        self,
        rows: int,
        rng: np.random.Generator,
        start_row: int = 0,
        learned: pa.Table | None = None,
    ) -> dict[str, pa.Array]:
        """All columns for `rows` rows from absolute row `start_row` on.

        `learned`: the rows' learned columns; a column of sexes among them decides first names.
        """
        if not self.columns:
            return {}
        made = self.keys(rows, start_row)
        people = People.draw(rows, rng, learned)
        met: set[str] = set()
        for name in self.columns:
            facts = self.facts[name]
            if name in made:
                continue
            if facts["role"] == "key":
                numbers = np.arange(start_row, start_row + rows)
                column = _keys.uuids(facts, numbers, rng)
            else:
                # A second column of names, e-mails… is of other people than the first.
                entity = f"{facts['entity']} {facts['locale']}"
                whom = People.draw(rows, rng, learned) if entity in met else people
                met.add(entity)
                column = self._personal(name, whom, rng, learned)
            gone = rng.random(rows) < facts["missing"] if facts["missing"] else None
            made[name] = _typed(column, facts, gone)
        return made

    def keys(self, rows: int, start_row: int) -> dict[str, pa.Array]:
        """Only the integer and pattern keys, which follow from the row number alone."""
        return self.numbered(np.arange(start_row, start_row + rows))

    def numbered(self, numbers: np.ndarray) -> dict[str, pa.Array]:
        """The integer and pattern keys of the rows of these numbers (N,), ascending."""
        made = {}
        for name in self.columns:
            facts = self.facts[name]
            if facts["role"] != "key" or facts["form"] == "uuid":
                continue
            salt = int(facts["salt"])
            if facts["form"] == "integer":
                column = _keys.integers(facts, _type_of(facts), numbers)
            else:
                column = _keys.codes(facts, numbers, salt, self._seen(name))
            gone = None
            if facts["missing"]:
                gone = mix(numbers.astype(np.uint64) ^ np.uint64(salt + 1)) / 2.0**64
                gone = gone < facts["missing"]
            made[name] = _typed(column, facts, gone)
        return made

    def _seen(self, name: str) -> Seen:
        return self.seen.get(name) or Seen(bits=np.zeros(0, np.uint8), salt=0)

    def _personal(
        self, name: str, people: People, rng: np.random.Generator, learned: pa.Table | None
    ) -> pa.Array:
        facts = self.facts[name]
        maker, pools = _people.MAKERS[facts["entity"]], self.pools[facts["locale"]]
        made = maker(people, pools, rng=rng, **facts)
        seen = self._seen(name)
        for _ in range(_REDRAWS):
            met = seen.holds(made)
            if not met.any():
                return made
            again = maker(_some(people, met), pools, rng=rng, **facts)
            made = pc.replace_with_mask(made, pa.array(met), again)
        raise SamplingError(
            f"Column {name!r}: {int(met.sum()):,} of {people.rows:,} values made anew were real "
            f"ones {_REDRAWS} times over. Declare it a key or a category, or leave it out."
        )

    def to_state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        """JSON and arrays for a model file. The inverse of `from_state`."""
        state = {
            "facts": {n: dict(f) for n, f in self.facts.items()},
            "pools": {loc: dict(p) for loc, p in self.pools.items()},
            "seen": {n: [str(i), s.salt] for i, (n, s) in enumerate(self.seen.items())},
        }
        return state, {str(i): s.bits for i, s in enumerate(self.seen.values())}

    @classmethod
    def from_state(cls, state: dict[str, Json], arrays: dict[str, np.ndarray]) -> Anew:
        seen = {n: Seen(bits=arrays[i], salt=int(salt)) for n, (i, salt) in state["seen"].items()}
        facts = state["facts"]
        return cls(columns=tuple(facts), facts=facts, pools=state["pools"], seen=seen)


def _facts(found: Mapping[str, Json], kind: pa.DataType, salt: int) -> dict[str, Json]:
    """What the makers need of a column's profile, and no more."""
    facts = {key: found[key] for key in _KEPT if key in found}
    if found["role"] == "text":
        facts |= {"entity": "text", "lengths": found["length_quantiles"]}
    if found["role"] != "key":
        facts["locale"] = facts.get("locale") or "en_US"
    while pa.types.is_dictionary(kind):
        kind = kind.value_type
    return facts | {"type": str(kind), "salt": salt}


def _settle(facts: dict[str, dict[str, Json]], profile: Profile) -> None:
    """Whole addresses only where no column of the table names the city."""
    from geurim.analyze.names import hinted_entities

    whole = not any({"city", "postcode"} & set(hinted_entities(n)) for n in profile.schema.names)
    for found in facts.values():
        if found.get("entity") == "address":
            found["whole"] = whole


def _remember(facts: Mapping[str, Mapping[str, Json]], source: Source) -> dict[str, Seen]:
    """Filters of the real values that could be made again, by column."""
    wanted: dict[str, str] = {}
    for name, found in facts.items():
        if found["role"] == "key" and found["form"] == "pattern":
            wanted[name] = ""
        elif found["role"] == "personal":
            pattern = _people.could_be_made(str(found["entity"]), str(found["locale"]))
            wanted |= {} if pattern is None else {name: pattern}
    if not wanted:
        return {}
    met: dict[str, list[np.ndarray]] = {name: [] for name in wanted}
    for batch in source.read():
        for name, pattern in wanted.items():
            values = batch.column(name)
            if pa.types.is_dictionary(values.type):
                values = values.dictionary_decode()
            values = values.drop_null().cast(pa.large_string())
            if pattern:
                values = values.filter(pc.match_substring_regex(values, pattern))
            if len(values):
                met[name].append(hashes(values, int(facts[name]["salt"])))
    return {n: Seen.of(b, int(facts[n]["salt"])) for n, b in met.items() if b}


def _some(people: People, chosen: np.ndarray) -> People:
    """The people of some rows, so that a value made again is still theirs."""
    return People(
        rows=int(chosen.sum()),
        **{f: getattr(people, f)[chosen] for f in ("male", "first", "last", "place", "number")},
    )


def _type_of(facts: Mapping[str, Json]) -> pa.DataType:
    name = str(facts["type"])
    return pa.type_for_alias(name) if name in _ALIASES else pa.string()


_ALIASES = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
_ALIASES |= {"large_string", "string", "float", "double"}


def _typed(column: pa.Array, facts: Mapping[str, Json], gone: Any) -> pa.Array:
    """The column in the table's type, with `gone` rows missing."""
    if gone is not None and gone.any():
        column = pc.if_else(pa.array(gone), pa.scalar(None, column.type), column)
    kind = _type_of(facts)
    if pa.types.is_integer(kind) and not pa.types.is_integer(column.type):
        column = pc.replace_substring_regex(column, r"\D", "")
    return column if column.type == kind else column.cast(kind)
