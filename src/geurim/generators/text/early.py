"""Steps that look at each text by itself, taken as soon as the text is there.

A recipe names its steps over the set in one list. One that needs no other row (length, leaks,
refusals, …) is a column here: a row that it drops costs none of the requests, judges most of all,
that would come after it. What stands after the last request stays with the set, where a step sees
many rows at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from geurim.curate import Filter, step, step_class
from geurim.curate.contract import RowStep, judged
from geurim.errors import SettingError
from geurim.generators.text.columns import Column, Dropped, Finish, Scope
from geurim.nodes import Node
from geurim.texts import joined

if TYPE_CHECKING:
    from geurim.generators.text.recipe import Recipe

Entry = tuple[str, Mapping[str, Any]]
"""A step's name and settings, without `of`."""


@dataclass(frozen=True, kw_only=True)
class Stepped(Column):
    """A step over the set that judges the texts of one row."""

    of: tuple[str, ...]
    name: str
    filter: Filter

    @property
    def type(self) -> pa.DataType:
        return pa.null()

    @property
    def needs(self) -> frozenset[str]:
        return frozenset(self.of)

    def begin(self, name: str, scope: Scope) -> Finish:
        row = pa.RecordBatch.from_pylist([{n: scope.row[n] for n in self.of}])
        reason = judged(self.filter, joined(row, self.of), row, self.of)[0].as_py()
        if reason is not None:
            raise Dropped(self.name, reason)
        return lambda: None

    @classmethod
    def parse(cls, node: Node) -> Column:
        raise node.error("a step is named under `steps`.")


def with_early(
    recipe: Recipe, columns: Mapping[str, Column]
) -> tuple[dict[str, Column], list[tuple[tuple[str, ...], Entry]]]:
    """The columns with the steps that can come early, and the rest: columns looked at, and step."""
    found, late = dict(columns), list[tuple[tuple[str, ...], Entry]]()
    depths = depths_of(columns)
    last = max((depths[n] for n, c in columns.items() if c.costs), default=-1)
    for number, (name, given) in enumerate(recipe.steps):
        settings = dict(given)
        of = settings.pop("of", None)
        texts = (of,) if isinstance(of, str) else tuple(of or recipe.text)
        for text in texts:
            if text not in columns:
                raise SettingError(f"steps.{name}: there is no column {text!r} to look at.")
        if issubclass(step_class(name), RowStep) and max(depths[t] for t in texts) < last:
            filter_ = step(name, **settings).start()
            found[f"step {number}"] = Stepped(of=texts, name=name, filter=filter_)
        else:
            late.append((texts, (name, settings)))
    return found, late


def depths_of(columns: Mapping[str, Column]) -> dict[str, int]:
    """How many columns, one needing the other, have to be known before each; they are in order."""
    depths: dict[str, int] = {}
    for name, column in columns.items():
        depths[name] = max((depths[r] for r in column.refers if r in depths), default=-1) + 1
    return depths
