"""A YAML file as nodes that know where they stand, so that every error names a line and a column.

A `Node` is a value of the file (or of the same mapping given in Python) with its path. Reading a
recipe or a world asks nodes for what it expects; what is not there, unknown or of another kind is
a SettingError with file, line, column, path, the value and what to do.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from geurim.contract import Json
from geurim.errors import NotFound, SettingError

Place = tuple[int, int]
"""A line and a column of a file, both from 1."""


@dataclass(frozen=True)
class Node:
    """A value and its place: `path` such as "columns.topic.choose", `places` by path."""

    value: Json
    path: str = ""
    file: str = ""
    places: Mapping[str, Place] = field(default_factory=dict, repr=False)

    def error(self, what: str) -> SettingError:
        """An error about this node; `what` says what is wrong and what to do."""
        file = self.file + ", " if self.file else ""
        place = f"{self.file}: " if self.file else ""
        if self.path in self.places:
            line, column = self.places[self.path]
            place = f"{file}line {line}, column {column}: "
        return SettingError(f"{place}{self.path + ': ' if self.path else ''}{what}")

    def at(self, key: str | int, value: Json) -> Node:
        """The node of one of this node's values."""
        path = f"{self.path}.{key}" if self.path else str(key)
        return Node(value, path, self.file, self.places)

    def get(self, key: str) -> Node | None:
        """The node under `key` of a mapping; None where it is not there or empty."""
        value = self.mapping().get(key)
        return None if value is None else self.at(key, value)

    def need(self, key: str) -> Node:
        """The node under `key`; an error where it is missing."""
        found = self.get(key)
        if found is None:
            raise self.error(f"{key!r} is missing. Add it.")
        return found

    def mapping(self, known: Collection[str] | None = None) -> Mapping[str, Json]:
        """The value as a mapping; with `known`, other keys are an error that names near ones."""
        if not isinstance(self.value, Mapping):
            raise self.error(f"{shown(self.value)} was given. Give keys with values.")
        for key in self.value:
            if not isinstance(key, str):
                raise self.error(f"the key {key!r} is no text. Put it in quotes.")
            if known is not None and key not in known:
                near = difflib.get_close_matches(key, known, 2) or list(known)
                raise self.at(key, None).error(
                    f"{key!r} is not known here. Did you mean {' or '.join(map(repr, near))}?"
                )
        return self.value

    def items(self) -> Iterator[tuple[str, Node]]:
        for key, value in self.mapping().items():
            yield key, self.at(key, value)

    def entries(self, key: str) -> list[tuple[str, Node]]:
        """The entries of the mapping under `key`; none where it is not there."""
        found = self.get(key)
        return [] if found is None else list(found.items())

    def listed(self, key: str) -> list[Node]:
        """The entries of the list under `key`; none where it is not there."""
        found = self.get(key)
        return [] if found is None else found.list()

    def text(self) -> str:
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.error(f"{shown(self.value)} was given. Give a text.")
        return self.value

    def number(self, least: float | None = None, most: float | None = None) -> float:
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(f"{shown(value)} was given. Give a number.")
        if (least is not None and value < least) or (most is not None and value > most):
            ends = f"from {least:g}" if most is None else f"{least:g} to {most:g}"
            raise self.error(f"{value!r} was given. Give a number {ends}.")
        return value

    def count(self, least: int = 1) -> int:
        value = self.number(least)
        if value != int(value):
            raise self.error(f"{value!r} was given. Give a whole number from {least}.")
        return int(value)

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            raise self.error(f"{shown(self.value)} was given. Give true or false.")
        return self.value

    def list(self) -> list[Node]:
        if not isinstance(self.value, list | tuple) or not self.value:
            raise self.error(f"{shown(self.value)} was given. Give a list with at least one entry.")
        return [self.at(i, v) for i, v in enumerate(self.value)]

    def texts(self) -> tuple[str, ...]:
        """One text or a list of them."""
        if isinstance(self.value, str):
            return (self.text(),)
        return tuple(n.text() for n in self.list())


def shown(value: Json) -> str:
    """A value for an error message, at most 60 characters of it."""
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def read_yaml(path: str | Path) -> Node:
    """The YAML file at `path` as a node. Raises NotFound, or SettingError with the line."""
    file = Path(path)
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {str(file)!r}. Check the path.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{str(file)!r} cannot be read as UTF-8 text: {error}.") from error
    return parse_yaml(text, file.name)


class _Loader(yaml.SafeLoader):
    """Plain values only, and of words only true and false are truth values, as in YAML 1.2.

    In YAML 1.1 so are `no` and `on`: a column of that name, or the answer "no", would be lost.
    """


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, form) for tag, form in found if tag != "tag:yaml.org,2002:bool"]
    for letter, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def parse_yaml(text: str, name: str = "") -> Node:
    """YAML text as a node: safe types only, and a key given twice is an error."""
    try:
        root = yaml.compose(text, Loader=_Loader)
        places: dict[str, Place] = {}
        if root is not None:
            _mark(root, "", places, name)
        value = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SettingError(
            f"{name}{place}: this is not YAML: {error.problem}. Mend the line; texts with ': ' or "
            "'{' need quotes or a block after '|'."
        ) from error
    except yaml.YAMLError as error:
        raise SettingError(f"{name}: this is not YAML: {error}.") from error
    return Node(value, "", name, places)


def _mark(node: Any, path: str, places: dict[str, Place], name: str) -> None:
    """Record the place of every path, keys at their own."""
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            below = f"{path}.{key.value}" if path else str(key.value)
            line, column = _place(key)
            if key.value in seen:
                raise SettingError(
                    f"{name}, line {line}, column {column}: {below} is given twice. Remove one."
                )
            seen.add(key.value)
            places[below] = (line, column)
            _mark(value, below, places, name)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            below = f"{path}.{i}" if path else str(i)
            places[below] = _place(value)
            _mark(value, below, places, name)


def _place(node: Any) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1
