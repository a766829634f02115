"""The model of a database as JSON and plain arrays, and back: what a model file holds of it.

Arrow columns, and the rows of kept tables, are Arrow IPC streams in arrays of bytes. What belongs
to a foreign key is named by the key's place among those of its table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TypeVar

import numpy as np
import pyarrow as pa

from geurim.analyze.store import profile_from_json, profile_to_json
from geurim.codec import part
from geurim.contract import Json, Lineage, Profile
from geurim.generators.anew import Anew
from geurim.generators.resample import table_of, to_bytes
from geurim.generators.trees import FittedTrees
from geurim.levels import Levels
from geurim.model import schema_from_json, schema_to_json
from geurim.relations.context import Coarse
from geurim.relations.keys import ForeignKey, Keys
from geurim.relations.model import FittedDatabase, Kind, Series, TableModel
from geurim.relations.plan import Link, Plan
from geurim.relations.rows import whole

Arrays = dict[str, np.ndarray]
V = TypeVar("V")

_PLAIN = ("name", "rows", "most", "orphans", "lost")


def state(fitted: FittedDatabase) -> tuple[dict[str, Json], Arrays]:
    """JSON and arrays of a whole model. The inverse of `from_state`."""
    tables: list[Json] = []
    arrays: Arrays = {}
    for place, (name, model) in enumerate(fitted.models.items()):
        entry, parts = _table(model)
        tables.append(entry | {"links": [asdict(link) for link in fitted.plan.links[name]]})
        arrays |= _below(str(place), parts)
    return {
        "tables": tables,
        "order": list(fitted.plan.order),
        "notes": list(fitted.notes),
        "blank": {t: schema_to_json(pa.schema(fields)) for t, fields in fitted.blank.items()},
        "suggested": list(fitted.suggested),
    }, arrays


def from_state(
    lineage: Lineage, state: Mapping[str, Json], arrays: Mapping[str, np.ndarray]
) -> FittedDatabase:
    """The model that `state` described."""
    models = [_model(e, part(arrays, f"{i}/")) for i, e in enumerate(state["tables"])]
    links = {e["name"]: tuple(_link(found) for found in e["links"]) for e in state["tables"]}
    return FittedDatabase(
        models={m.name: m for m in models},
        plan=Plan(order=tuple(state["order"]), links=links),
        lineage=lineage,
        notes=tuple(state["notes"]),
        blank={t: tuple(schema_from_json(text)) for t, text in state["blank"].items()},
        suggested=tuple(state["suggested"]),
    )


# ---- one table


def _table(model: TableModel) -> tuple[dict[str, Json], Arrays]:
    place = {key: str(i) for i, key in enumerate(model.keys.foreign)}
    kinds = {place[k]: _coarse(kind.cuts) for k, kind in model.kinds.items()}
    series = [_series(one) for one in model.series]
    coarse, codes = _coarse(model.coarse)
    entry: dict[str, Json] = {name: getattr(model, name) for name in _PLAIN}
    entry |= {
        "schema": schema_to_json(model.schema),
        "keys": asdict(model.keys),
        "profile": None if model.profile is None else profile_to_json(model.profile),
        "copied": dict(model.copied),
        "kinds": {k: names for k, (names, _) in kinds.items()},
        "series": [found for found, _ in series],
        "cyclic": {place[k]: v for k, v in model.cyclic.items()},
        "same_owner": {place[k]: v for k, v in model.same_owner.items()},
        "coarse": coarse,
        "worth": dict(model.worth),
        "prototypes": list(model.prototypes),
    }
    arrays = _below("up", {place[k]: rows for k, rows in model.up.items()})
    arrays |= _below("nowhere", {place[k]: rows for k, rows in model.nowhere.items()})
    arrays |= _below("coarse", codes)
    arrays |= _below("prototypes", _numbered(model.prototypes))
    for k, (_, parts) in kinds.items():
        arrays |= _below(f"kinds/{k}", parts)
    for i, (_, parts) in enumerate(series):
        arrays |= _below(f"series/{i}", parts)
    entry["learned"], parts = _learned(model.learned)
    arrays |= _below("learned", parts)
    entry["anew"], parts = (None, {}) if model.anew is None else model.anew.to_state()
    arrays |= _below("anew", parts)
    if model.kept is not None:
        arrays |= {"kept": to_bytes(model.kept), "frame": to_bytes(pa.table(dict(model.frame)))}
    return entry, arrays


def _model(entry: Mapping[str, Json], arrays: Mapping[str, np.ndarray]) -> TableModel:
    keys = _keys(entry["keys"])
    profile = None if entry["profile"] is None else profile_from_json(entry["profile"])
    schema = schema_from_json(entry["schema"])
    anew = entry["anew"]
    return TableModel(
        **{name: entry[name] for name in _PLAIN},
        schema=schema,
        keys=keys,
        kept=table_of(arrays["kept"]) if "kept" in arrays else None,
        up=_of_keys(keys, part(arrays, "up/")),
        frame=_columns(arrays["frame"]) if "frame" in arrays else {},
        profile=profile,
        learned=_trees(entry["learned"], profile, part(arrays, "learned/")),
        anew=None if anew is None else Anew.from_state(anew, part(arrays, "anew/")),
        copied=entry["copied"],
        kinds={
            keys.foreign[int(k)]: Kind(cuts=_cuts(names, part(arrays, f"kinds/{k}/")))
            for k, names in entry["kinds"].items()
        },
        series=tuple(
            _series_of(found, schema, part(arrays, f"series/{i}/"))
            for i, found in enumerate(entry["series"])
        ),
        nowhere=_of_keys(keys, part(arrays, "nowhere/")),
        cyclic=_of_keys(keys, entry["cyclic"]),
        same_owner=_of_keys(keys, entry["same_owner"]),
        prototypes={n: arrays[f"prototypes/{i}"] for i, n in enumerate(entry["prototypes"])},
        coarse=_cuts(entry["coarse"], part(arrays, "coarse/")),
        worth=entry["worth"],
    )


def _of_keys(keys: Keys, found: Mapping[str, V]) -> dict[ForeignKey, V]:
    return {keys.foreign[int(place)]: value for place, value in found.items()}


def _learned(learned: FittedTrees | None) -> tuple[Json, Arrays]:
    if learned is None:
        return None, {}
    inner, arrays = learned.state()
    return {
        "schema": schema_to_json(learned.schema),
        "lineage": learned.lineage.to_json(),
        "state": inner,
    }, arrays


def _trees(entry: Json, profile: Profile | None, arrays: Arrays) -> FittedTrees | None:
    if entry is None or profile is None:
        return None
    schema, lineage = schema_from_json(entry["schema"]), Lineage.from_json(entry["lineage"])
    return FittedTrees.from_state(profile, schema, lineage, entry["state"], arrays)


# ---- its parts


def _keys(entry: Mapping[str, Json]) -> Keys:
    return Keys(
        primary=tuple(entry["primary"]),
        unique=tuple(tuple(columns) for columns in entry["unique"]),
        foreign=tuple(_key(found) for found in entry["foreign"]),
        required=tuple(entry["required"]),
        why=entry["why"],
    )


def _key(entry: Mapping[str, Json]) -> ForeignKey:
    own, there = tuple(entry["columns"]), tuple(entry["references"])
    return ForeignKey(**{**entry, "columns": own, "references": there})


def _link(entry: Mapping[str, Json]) -> Link:
    via = None if entry["via"] is None else _key(entry["via"])
    return Link(**{**entry, "key": _key(entry["key"]), "via": via})


def _coarse(cuts: Mapping[str, Coarse]) -> tuple[Json, Arrays]:
    """Names, each with whether it has cuts or values; the arrays by the same places."""
    found = [(n, c.cuts is not None) for n, c in cuts.items()]
    return found, _numbered({n: _codes(c) for n, c in cuts.items()})


def _codes(coarse: Coarse) -> np.ndarray:
    return coarse.cuts if coarse.cuts is not None else to_bytes(pa.table({"": coarse.values}))


def _cuts(entry: Json, arrays: Mapping[str, np.ndarray]) -> dict[str, Coarse]:
    return {
        name: Coarse(cuts=arrays[str(i)])
        if has_cuts
        else Coarse(values=_columns(arrays[str(i)])[""])
        for i, (name, has_cuts) in enumerate(entry)
    }


def _series(series: Series) -> tuple[Json, Arrays]:
    first, parts = series.first.state()
    arrays = {"steps": series.steps, "shares": series.shares, "often": series.often}
    entry = {"column": series.column, "key": series.key, "grid": series.grid, "first": first}
    return entry, arrays | _below("first", parts)


def _series_of(
    entry: Mapping[str, Json], schema: pa.Schema, arrays: Mapping[str, np.ndarray]
) -> Series:
    kind = schema.field(entry["column"]).type
    return Series(
        column=entry["column"],
        key=tuple(entry["key"]),
        steps=arrays["steps"],
        shares=arrays["shares"],
        first=Levels.from_state(kind, entry["first"], part(arrays, "first/")),
        often=arrays["often"],
        grid=entry["grid"],
    )


def _columns(data: np.ndarray) -> dict[str, pa.Array]:
    table = table_of(data)
    return {n: whole(c) for n, c in zip(table.column_names, table.columns, strict=True)}


def _numbered(arrays: Mapping[str, np.ndarray]) -> Arrays:
    """Arrays by their places, because names may hold anything."""
    return {str(i): array for i, array in enumerate(arrays.values())}


def _below(prefix: str, arrays: Mapping[str, np.ndarray]) -> Arrays:
    return {f"{prefix}/{name}": array for name, array in arrays.items()}
