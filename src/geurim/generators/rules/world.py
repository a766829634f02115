"""A world: a YAML file (or the same mapping in Python) that says how rows come about.

    world = World.read("shop.yaml", fraud_share=0.01)
    database = world.sample(10_000, seed=7)      # all tables, with their keys
    fitted = geurim.fit(None, world)             # of one table: a model like any other

`docs/rules.md` is the language.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from geurim.contract import Fitted, Generator, Json, Lineage, Profile, Progress, Source, quiet
from geurim.errors import NotFound, SettingError
from geurim.generators.rules import worlds
from geurim.generators.rules.engine import BLOCK, Engine, tables_of, written, written_schema
from geurim.generators.rules.formulas import Formula, column
from geurim.generators.rules.plan import Plan, Table
from geurim.generators.rules.rare import Boosts, edged, raised
from geurim.generators.rules.reader import read_plan
from geurim.generators.rules.rows import Rows
from geurim.nodes import Node, Place, parse_yaml, read_yaml

if TYPE_CHECKING:
    from geurim.relations import Database


@dataclass(frozen=True, kw_only=True)
class World(Generator):
    """A world's settings. Make one with `World.load`, or `World.of` a mapping."""

    whole: ClassVar[bool] = True

    spec: Mapping[str, Json]
    parameters: Mapping[str, Json] = field(default_factory=dict)
    file: str = field(default="", compare=False)
    folder: Path | None = field(default=None, compare=False, repr=False)
    places: Mapping[str, Place] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        _ = self.plan  # read once here, so that what is wrong is told now

    def __repr__(self) -> str:
        said = "".join(f", {k}={v!r}" for k, v in self.parameters.items())
        return f"World({self.plan.name}, {self.digest[:12]}{said})"

    def __hash__(self) -> int:
        return hash(self.digest)

    @classmethod
    def load(cls, world: str | Path, **parameters: Json) -> World:
        """A world by the name of one that ships, or from a YAML file, with other parameters.

        Raises NotFound, or SettingError with everything that is wrong, each with line and column.
        """
        text = str(world)
        if text in worlds():
            node, folder = parse_yaml(shipped(text), f"{text}.yaml"), None
        elif text.endswith((".yaml", ".yml")) or Path(text).exists():
            node, folder = read_yaml(text), Path(text).resolve().parent
        else:
            near = difflib.get_close_matches(text, worlds(), 2) or worlds()
            raise NotFound(
                f"There is no world {text!r}. Did you mean {', '.join(near)}? A file of your own "
                "ends in .yaml."
            )
        node.mapping()
        return cls(
            spec=node.value,
            parameters=parameters,
            file=node.file,
            folder=folder,
            places=node.places,
        )

    @classmethod
    def of(cls, spec: Mapping[str, Json], **parameters: Json) -> World:
        """A world from the same mapping that a YAML file holds."""
        return cls(spec=spec, parameters=parameters)

    @cached_property
    def plan(self) -> Plan:
        """The world as it was read."""
        return read_plan(self._node, self.parameters, self.folder)

    @property
    def _node(self) -> Node:
        return Node(self.spec, "", self.file, self.places)

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def text(self) -> str:
        """The world as YAML, its parameters put in."""
        import yaml

        spec = {**self.spec, "parameters": _with(self.spec.get("parameters"), self.parameters)}
        if not spec["parameters"]:
            del spec["parameters"]
        return str(yaml.safe_dump(spec, allow_unicode=True, sort_keys=False))

    def counts(self, rows: int | None) -> dict[str, int]:
        """How many rows each root has, where the first that is not written down has `rows`."""
        plan, found = self.plan, dict[str, int]()
        for root in plan.roots:
            table = plan.tables[root]
            if table.fixed is not None:
                found[root] = table.fixed.num_rows
            elif root == plan.first and rows is not None:
                found[root] = rows
            elif table.rows is None:
                raise self._unsaid(root)
        ahead = [r for r in plan.roots if r not in found]
        while ahead:
            ready = [r for r in ahead if _needed(plan.tables[r]) <= set(found)]
            if not ready:
                raise SettingError(
                    f"The numbers of rows of {', '.join(ahead)} are computed from each other. "
                    "Give one of them a number."
                )
            for root in ready:
                found[root] = _count(plan.tables[root], found)
            ahead = [r for r in ahead if r not in found]
        return {r: found[r] for r in plan.roots}

    def _unsaid(self, root: str) -> SettingError:
        first = self.plan.first
        if root == first:
            return SettingError(
                f"How many rows of {root!r} are to be made is not said. Give the number of rows."
            )
        return SettingError(
            f"The table {root!r} belongs to no other, and has no 'rows'. Add them: a number, or a "
            f"formula such as 'rows: {first} / 10'."
        )

    def fit(
        self,
        source: Source | None,
        profile: Profile,
        rng: np.random.Generator,
        progress: Progress = quiet,
    ) -> FittedWorld:
        """The world's one table as a model; nothing is learned from `source`."""
        plan, shown = self.plan, self.plan.put_out
        if len(shown) != 1 or plan.tables[shown[0]].parent or plan.tables[shown[0]].parts:
            raise SettingError(
                f"The world {plan.name!r} has the tables {', '.join(shown)}, and a model of rows "
                "has one. Make its tables by World.sample (geurim generate)."
            )
        entropy = int(rng.integers(2**63))
        rows = self.counts(0)
        engine = Engine.prepare(plan, entropy, rows)
        schema = written_schema(plan, shown[0])
        lineage = Lineage.made(repr(self), seed=entropy, request=self.digest)
        blank = Profile(schema=schema, lineage=lineage, rows=0, columns={})
        fitted = FittedWorld(world=self, entropy=entropy, whole=engine.whole, profile=blank)
        return fitted.looked_at(rng)

    def sample(
        self,
        rows: int | None = None,
        *,
        seed: int | None = None,
        boost: Boosts | None = None,
        edge_cases: float = 0.0,
        workers: int = 1,
        progress: Progress = quiet,
    ) -> Database:
        """All tables: `rows` rows of the first one and what goes with them, keys and all.

        `rows` defaults to what the world says. `boost`: values to be more frequent than the world
        says, such as {"patients.fabry": {True: 0.5}}; `edge_cases`: the share of rows that are as
        the world's edge cases say, in tables that have some. With either comes a column `weight`,
        with which means are those of the world as it is written. The rows are the same whatever
        the `workers` (processes). Raises SettingError, and SamplingError where constraints are met
        too seldom.
        """
        from geurim.generators.rules.database import sample_world

        plan = self.changed(rows, boost or {}, edge_cases)
        asked = [boost, edge_cases]
        return sample_world(self, plan, asked, rows, seed, workers, progress)

    def changed(self, rows: int | None, boost: Boosts, edge_cases: float) -> Plan:
        """The plan with values raised and edge cases put in."""
        if not boost and not edge_cases:
            return self.plan

        def change(tables: Mapping[str, Table]) -> Mapping[str, Table]:
            if boost:
                tables = raised(self.plan, tables, boost, self.counts(rows))
            return edged(self.plan, tables, edge_cases) if edge_cases else tables

        return read_plan(self._node, self.parameters, self.folder, change)


_LOOK = 5_000  # rows of a world that its profile is of


class FittedWorld(Fitted):
    """The one table of a world."""

    name = "rules"
    block = BLOCK

    def __init__(
        self, *, world: World, entropy: int, whole: Mapping[str, Rows], profile: Profile
    ) -> None:
        self.world, self.entropy, self.whole = world, entropy, whole
        self.profile, self.schema, self.lineage = profile, profile.schema, profile.lineage
        self.table = world.plan.put_out[0]

    def looked_at(self, rng: np.random.Generator) -> FittedWorld:
        """The same, with the profile of some rows: what edge cases and conditions are found by."""
        from geurim.analyze import analyze

        batch = self.draw(_LOOK, rng)
        rows = Source(schema=self.schema, lineage=self.lineage, read=lambda: iter([batch]))
        return FittedWorld(
            world=self.world, entropy=self.entropy, whole=self.whole, profile=analyze(rows)
        )

    def draw(
        self, rows: int, rng: np.random.Generator, given: pa.Table | None = None
    ) -> pa.RecordBatch:
        plan, entropy = self.world.plan, int(rng.integers(2**63))
        counts = dict.fromkeys(plan.roots, 0) | {self.table: rows}
        size = max(rows, 1)
        engine = Engine(plan=plan, entropy=entropy, counts=counts, whole=self.whole, size=size)
        made = next(iter(tables_of(engine, self.table, 0)))
        return written(plan, made, {self.table: 0}, engine.streams(self.table, 0))

    def number(self, batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        key = self.world.plan.tables[self.table].key
        if key is None or key[0] not in batch.schema.names:
            return batch
        place = batch.schema.get_field_index(key[0])
        numbers = pa.array(np.arange(first_row, first_row + batch.num_rows))
        return batch.set_column(place, batch.schema.field(place), key[1].written(numbers))

    def state(self) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
        return {"world": self.world.text, "entropy": str(self.entropy)}, {}

    @classmethod
    def from_state(
        cls,
        profile: Profile,
        schema: pa.Schema,
        lineage: Lineage,
        state: dict[str, Json],
        arrays: dict[str, np.ndarray],
    ) -> FittedWorld:
        world = World.of(parse_yaml(state["world"]).value)
        entropy = int(state["entropy"])
        whole = Engine.prepare(world.plan, entropy, world.counts(0)).whole
        return cls(world=world, entropy=entropy, whole=whole, profile=profile)


World.fitted = FittedWorld


def _with(parameters: Any, given: Mapping[str, Json]) -> dict[str, Json]:
    """The parameters as they stand in a file, with other values."""
    found = dict(parameters or {})
    for name, value in given.items():
        usual = found[name]
        found[name] = {**usual, "value": value} if isinstance(usual, Mapping) else value
    return found


def _needed(table: Table) -> frozenset[str]:
    return table.rows.needs if isinstance(table.rows, Formula) else frozenset()


def _count(table: Table, known: Mapping[str, int]) -> int:
    if not isinstance(table.rows, Formula):
        return int(table.rows or 0)
    one = Rows("", 1, columns={n: pa.array([c]) for n, c in known.items()})
    return max(round(float(column(table.rows, one)[0])), 0)


def shipped(name: str) -> str:
    """The YAML text of a world that ships."""
    return (resources.files("geurim") / "worlds" / f"{name}.yaml").read_text("utf-8")
