"""A recipe: the columns of a text data set, how each is made, and what of the rows is kept.

It is a short YAML file, or the same mapping in Python. What a column refers to is worked out before
it; nobody wires a graph by hand. docs/text.md explains every key.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from geurim.contract import Fitted, Generator, Json, Lineage, Profile, Progress, Source, quiet
from geurim.errors import DataError, SettingError
from geurim.generators.text.asked import Judge, Loop, Prompt
from geurim.generators.text.columns import (
    Checked,
    Choose,
    Column,
    Compute,
    Fixed,
    Items,
    Number,
    Persona,
    Require,
    Rows,
)
from geurim.generators.text.keys import Key, Keyed, Wrote
from geurim.generators.text.reworked import Noisy, Program, Scored
from geurim.generators.text.seeds import as_wanted
from geurim.generators.text.teacher import Teacher
from geurim.generators.text.templates import Expression, Template
from geurim.nodes import Node, Place, parse_yaml, read_yaml

KINDS: tuple[type[Column], ...] = (
    Choose,
    Number,
    Persona,
    Fixed,
    Rows,
    Prompt,
    Judge,
    Program,
    Scored,
    Compute,
    Checked,
    Require,
    Items,
    Loop,
    Noisy,
    Key,
    Keyed,
    Wrote,
)
"""The kinds of column; a column's entry has exactly one of these keys."""

KEYS = (
    "name",
    "about",
    "source",
    "language",
    "sources",
    "each",
    "grow",
    "quota",
    "mix",
    "note",
    "parameters",
    "columns",
    "text",
    "steps",
    "select",
    "output",
)


_TAKEN = ("run", "previous", "round", "first", "second")


@dataclass(frozen=True, kw_only=True)
class Grow:
    """Kept rows become rows of a source for the rounds after (Self-Instruct, Evol-Instruct)."""

    source: str
    columns: Mapping[str, str]  # the source's column -> the recipe's
    round: int = 100  # rows of a round


@dataclass(frozen=True, kw_only=True)
class Select:
    """Of the rows, the best by a score: a share of them, or those that reach a threshold."""

    by: Expression
    share: float | None = None
    least: float | None = None


@dataclass(frozen=True, kw_only=True)
class Mix:
    """Real rows that are added to the training form, so that the synthetic share is as wanted."""

    source: str
    synthetic: float
    columns: Mapping[str, str]  # the recipe's column -> the source's


@dataclass(frozen=True, kw_only=True)
class Output:
    """The training form that is written beside the data, and which columns fill it."""

    form: str
    columns: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Recipe(Generator):
    """A text generator's settings. Make one with `Recipe.load`, or `Recipe.of` a mapping."""

    whole: ClassVar[bool] = True

    spec: Mapping[str, Json]
    file: str = field(default="", compare=False)
    places: Mapping[str, Place] = field(default_factory=dict, compare=False, repr=False)
    teachers: Mapping[str, Teacher] = field(default_factory=dict)
    given: Mapping[str, Source] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        self._node.mapping(KEYS)
        # Worked out once here, so that what is wrong is told now.
        _ = self.columns, self.sources, self.grow, self.quota, self.select, self.steps
        _ = self.output, self.mix, self.note, self.parameters
        self._check_names()

    def __repr__(self) -> str:
        models = ", ".join(f"{n}={t.model}" for n, t in self.teachers.items())
        return f"Recipe({self.name}, {self.digest[:12]}{', ' + models if models else ''})"

    @classmethod
    def load(cls, recipe: str | Path) -> Recipe:
        """A recipe by the name of one that ships, or from a YAML file.

        Raises NotFound, or SettingError with the file's line.
        """
        text = str(recipe)
        if text in names():
            node = parse_yaml(shipped(text), f"{text}.yaml")
        elif text.endswith((".yaml", ".yml")) or Path(text).exists():
            node = read_yaml(text)
        else:
            near = difflib.get_close_matches(text, names(), 2) or names()
            raise SettingError(
                f"There is no recipe {text!r}. Did you mean {', '.join(near)}? A file of your own "
                "ends in .yaml."
            )
        return cls(spec=node.mapping(), file=node.file, places=node.places)

    @classmethod
    def of(cls, spec: Mapping[str, Json]) -> Recipe:
        """A recipe from the same mapping that a YAML file holds."""
        return cls(spec=spec)

    def with_teachers(self, **teachers: Teacher) -> Recipe:
        """The same recipe with these teachers; "default" is asked where no other is named."""
        return replace(self, teachers={**self.teachers, **teachers})

    def with_sources(self, **sources: Any) -> Recipe:
        """The same recipe reading these sources: a Source, a frame or a path, also of documents."""
        from geurim.generators.text.finish import open_source
        from geurim.read import as_source

        for name in sources:
            if name not in self.sources:
                raise SettingError(
                    f"The recipe {self.name!r} has no source {name!r}. It has: "
                    f"{', '.join(self.sources) or 'none'}."
                )
        opened = {
            n: open_source(s) if isinstance(s, str | Path) else as_source(s)
            for n, s in sources.items()
        }
        return replace(self, given={**self.given, **opened})

    def with_values(self, **values: Any) -> Recipe:
        """The same recipe with columns fixed to a value each, whatever made them before."""
        columns = dict(self._node.need("columns").mapping())
        for name, value in values.items():
            if name not in columns:
                raise SettingError(
                    f"The recipe {self.name!r} has no column {name!r}. {_near(name, columns)}"
                )
            columns[name] = {"fixed": value}
        return replace(self, spec={**self.spec, "columns": columns})

    # What the mapping says

    @property
    def _node(self) -> Node:
        return Node(self.spec, "", self.file, self.places)

    def _text(self, key: str, default: str = "") -> str:
        node = self._node.get(key)
        return node.text().strip() if node else default

    @property
    def name(self) -> str:
        return self._text("name", "recipe")

    @property
    def about(self) -> str:
        return self._text("about")

    @property
    def languages(self) -> tuple[str, ...]:
        """ISO 639 codes of the languages that it writes."""
        node = self._node.get("language")
        return node.texts() if node else ("en",)

    @cached_property
    def digest(self) -> str:
        text = json.dumps(self.spec, sort_keys=True, ensure_ascii=False, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def sources(self) -> dict[str, Json]:
        """Source name -> rows that stand in the recipe, a file name, None, or {same: source}.

        A source that is the `same` as another begins with its rows, and may grow by itself.
        """
        node = self._node.get("sources")
        found = dict(node.mapping()) if node else {}
        for name, value in found.items():
            if isinstance(value, Mapping) and (
                set(value) != {"same"} or value["same"] not in found
            ):
                assert node is not None
                raise node.need(name).error(
                    f"{value!r} was given. Give rows, a file, or {{same: NAME}} with another "
                    f"source: {', '.join(n for n in found if n != name) or 'there is none'}."
                )
        return found

    @cached_property
    def columns(self) -> dict[str, Column]:
        """The columns in the order in which they are worked out."""
        return parse_columns(self._node.need("columns"))

    @property
    def asks(self) -> bool:
        """Whether a column needs a teacher; else rows are drawn, computed and run alone."""
        return any(column.asks for column in self.columns.values())

    @property
    def parameters(self) -> dict[str, Json]:
        node = self._node.get("parameters")
        return dict(node.mapping()) if node else {}

    @property
    def each(self) -> str | None:
        """The source that is walked through row by row."""
        return self._text("each") or None

    @cached_property
    def grow(self) -> Grow | None:
        node = self._node.get("grow")
        if node is None:
            return None
        node.mapping(("source", "columns", "round"))
        size = node.get("round")
        columns = {k: n.text() for k, n in node.need("columns").items()}
        rows = size.count() if size else 100
        return Grow(source=node.need("source").text(), columns=columns, round=rows)

    @cached_property
    def quota(self) -> dict[str, dict[Any, float] | None]:
        """Column -> the shares of its values; None for equal ones."""
        node = self._node.get("quota")
        if node is None:
            return {}
        fixed = {n: c.value for n, c in self.columns.items() if isinstance(c, Fixed)}
        return {
            name: {fixed[name]: 1.0}
            if name in fixed
            else None
            if inner.value == "uniform"
            else {k: inner.at(str(k), s).number(0) for k, s in inner.mapping().items()}
            for name, inner in node.items()
        }

    @property
    def text(self) -> tuple[str, ...]:
        """The columns that are the text: steps and verification look at them."""
        node = self._node.get("text")
        if node is not None:
            return node.texts()
        asked = [n for n, c in self.columns.items() if isinstance(c, Prompt) and n[0] != "_"]
        return tuple(asked[-1:])

    @cached_property
    def steps(self) -> tuple[tuple[str, dict[str, Json]], ...]:
        """Name and settings of each step over the set."""
        node = self._node.get("steps")
        found: list[tuple[str, dict[str, Json]]] = []
        for entry in node.list() if node else []:
            if isinstance(entry.value, str):
                found.append((entry.value, {}))
                continue
            if len(entry.mapping()) != 1:
                raise entry.error("give one step an entry, such as `- novelty: {least: 0.7}`.")
            (name, inner) = next(iter(entry.items()))
            found.append((name, dict(inner.mapping()) if inner.value else {}))
        return tuple(found)

    @cached_property
    def select(self) -> Select | None:
        node = self._node.get("select")
        if node is None:
            return None
        node.mapping(("by", "share", "least"))
        share, least = node.get("share"), node.get("least")
        if (share is None) == (least is None):
            raise node.error("give either `share`, such as 0.5, or `least`, a threshold.")
        if share and not 0 < share.number() <= 1:
            raise share.error(f"{share.value!r} was given. Give a share above 0, up to 1.")
        return Select(
            by=Expression.of(node.need("by")),
            share=share.number() if share else None,
            least=least.number() if least else None,
        )

    @cached_property
    def mix(self) -> Mix | None:
        node = self._node.get("mix")
        if node is None:
            return None
        node.mapping(("source", "synthetic", "columns"))
        share, inner = node.need("synthetic"), node.get("columns")
        if not 0 < share.number() <= 1:
            raise share.error(f"{share.value!r} was given. Give a share above 0, up to 1.")
        columns = {k: n.text() for k, n in inner.items()} if inner else {}
        return Mix(source=node.need("source").text(), synthetic=share.number(), columns=columns)

    @cached_property
    def note(self) -> Template | None:
        """Words on what this run does and why, filled from `run`."""
        node = self._node.get("note")
        return Template.of(node) if node else None

    @cached_property
    def output(self) -> Output | None:
        node = self._node.get("output")
        if node is None:
            return None
        node.mapping(("form", "columns"))
        inner = node.get("columns")
        columns = {k: n.text() for k, n in inner.items()} if inner else {}
        return Output(form=node.need("form").text(), columns=columns)

    def _check_names(self) -> None:
        known, node = set(self.columns), self._node
        for key, named in (("text", self.text), ("quota", tuple(self.quota))):
            for name in named:
                if name not in known:
                    raise node.need(key).error(f"there is no column {name!r}. {_near(name, known)}")
        rows = {n: c for n, c in self.columns.items() if isinstance(c, Rows)}
        for name, column in rows.items():
            if column.source not in self.sources:
                place = node.need("columns").need(name)
                raise place.error(
                    f"there is no source {column.source!r}. {_near(column.source, self.sources)} "
                    "Name it under `sources`."
                )
        for key, source in (("each", self.each), ("grow", self.grow and self.grow.source)):
            if source and source not in {c.source for c in rows.values()}:
                raise node.need(key).error(f"no column has `row: {source}`. Add one.")

    # Step 2

    def fit(
        self,
        source: Source | None,
        profile: Profile,
        rng: np.random.Generator,
        progress: Progress = quiet,
    ) -> Fitted:
        """Bind prompts, sources and teachers. `source` is the first of the recipe's sources."""
        from geurim.generators.text.fitted import FittedText

        given = dict(self.given)
        if source is not None:
            if not self.sources:
                raise DataError(f"The recipe {self.name!r} reads no rows, and some were given.")
            given.setdefault(next(iter(self.sources)), source)
        tables, parents = {}, []
        for name, own in self.sources.items():
            if self.mix and name == self.mix.source and not (given.get(name) or own):
                continue  # real rows to mix in may be left out
            same = own.get("same") if isinstance(own, Mapping) else None
            found = given.get(name) or given.get(str(same)) or self._own_source(str(same or name))
            tables[name] = as_wanted(found.to_arrow(), self._own_columns(name), name)
            parents.append(found.lineage)
            if not tables[name].num_rows:
                raise DataError(f"The source {name!r} has no rows. Give at least one.")
        return FittedText.bind(self, tables, tuple(parents))

    def _own_columns(self, name: str) -> list[str]:
        """The columns of the rows that stand in the recipe: those that it reads of other rows."""
        own = self.sources[name]
        own = self.sources[own["same"]] if isinstance(own, Mapping) else own
        rows = own if isinstance(own, list) else []
        return list(
            dict.fromkeys(k for r in rows for k in (r if isinstance(r, dict) else ["text"]))
        )

    def _own_source(self, name: str) -> Source:
        """A source that the recipe brings itself: rows in the file, or a file beside it."""
        from geurim.read import as_source

        value = self.sources[name]
        if isinstance(value, list):
            table = pa.Table.from_pylist([v if isinstance(v, dict) else {"text": v} for v in value])
            lineage = Lineage.made(f"{self.name}.yaml: {name}", request=self.digest)
            return Source(
                schema=table.schema,
                lineage=lineage,
                rows=table.num_rows,
                read=lambda: iter(table.to_batches()),
            )
        if isinstance(value, str):
            return as_source(Path(self.file).parent / value)
        raise DataError(
            f"The recipe {self.name!r} needs rows for its source {name!r}. Give them: "
            f"--source {name}=FILE, or with_sources({name}=…)."
        )


def names() -> list[str]:
    """The recipes that ship."""
    folder = resources.files("geurim") / "recipes"
    return sorted(p.name[:-5] for p in folder.iterdir() if p.name.endswith(".yaml"))


def shipped(name: str) -> str:
    """The YAML text of a recipe that ships."""
    return (resources.files("geurim") / "recipes" / f"{name}.yaml").read_text("utf-8")


def parse_columns(node: Node, outer: Sequence[str] = ()) -> dict[str, Column]:
    """The columns of a mapping, in the order in which they can be worked out.

    `outer`: names that are known beforehand. Raises SettingError for an unknown kind, key or name,
    and for columns that need each other.
    """
    columns = {}
    for name, entry in node.items():
        if not name.isidentifier():
            raise entry.error(f"{name!r} cannot stand in a template. Use letters, digits and _.")
        if name in _TAKEN:
            raise entry.error(f"{name!r} has a meaning of its own. Choose another name.")
        columns[name] = _parse_column(entry)
    columns = {n: c.among(columns) if isinstance(c, Checked) else c for n, c in columns.items()}
    if not columns:
        raise node.error("there is no column. Give at least one.")
    for name, column in columns.items():
        if isinstance(column, Wrote):
            columns[name] = column.among(columns, node.need(name))
    if not outer:  # columns of a loop may also name those outside, which are checked there
        for name, column in columns.items():
            for other in column.refers - set(columns) - {"run"}:
                raise node.need(name).error(
                    f"it refers to {other!r}, which is no column. {_near(other, columns)}"
                )
    return _ordered(node, columns)


def _parse_column(node: Node) -> Column:
    given = set(node.mapping())
    kinds = [k for k in KINDS if k.kind in given]
    if len(kinds) != 1:
        known = ", ".join(k.kind for k in KINDS)
        what = "no kind" if not kinds else f"the kinds {', '.join(k.kind for k in kinds)}"
        raise node.error(f"this column has {what}. Give exactly one of: {known}.")
    kind = kinds[0]
    node.mapping((kind.kind, "when", *kind.keys))
    column = kind.parse(node)
    when = node.get("when")
    return replace(column, when=Expression.of(when)) if when else column


def _ordered(node: Node, columns: Mapping[str, Column]) -> dict[str, Column]:
    """Columns after those they refer to; otherwise as written, and splitting as late as can be."""
    ordered: dict[str, Column] = {}
    left = dict(columns)
    while left:
        ready = [n for n, c in left.items() if not (c.refers & set(left)) - {n}]
        ready = [n for n in ready if n not in left[n].refers]
        if not ready:
            raise node.error(f"these columns need each other: {', '.join(left)}. Break the circle.")
        calm = [n for n in ready if not isinstance(left[n], Items)]
        for name in calm or ready[:1]:
            ordered[name] = left.pop(name)
    return ordered


def _near(name: str, known: Any) -> str:
    near = difflib.get_close_matches(name, list(known), 2)
    there = near or list(known)
    ask = "Did you mean" if near else "There are"
    return f"{ask} {', '.join(map(repr, there)) or 'none'}{'?' if near else '.'}"
