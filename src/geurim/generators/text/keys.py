"""Columns that say where a row comes from: its key, keys of its parts, the model that wrote it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa

from geurim.errors import SettingError
from geurim.generators.text.columns import Column, Finish, Scope
from geurim.nodes import Node

if TYPE_CHECKING:
    from geurim.generators.text.asked import Asking

_SIGNS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
_LENGTH = 10  # 50 bits: two of a million rows are alike with a probability of 0.0005


@dataclass(frozen=True, kw_only=True)
class Key(Column):
    """A key of the row: a prefix and ten signs, the same whenever the row is drawn again.

    Keys of two rows differ but for chance; the step `exact` over the key makes sure. Where the
    recipe splits rows, `when` naming the part gives each part a key of its own.
    """

    kind: ClassVar[str] = "key"

    prefix: str

    @property
    def type(self) -> pa.DataType:
        return pa.string()

    def begin(self, name: str, scope: Scope) -> Finish:
        # The row's 63 bits and the column's 32 in one number, of which the middle is taken.
        mixed = (scope.seed * 0x9E3779B97F4A7C15 + zlib.crc32(name.encode())) % 2**64 >> 14
        signs = "".join(_SIGNS[mixed >> 5 * i & 31] for i in range(_LENGTH))
        return lambda: self.prefix + signs

    @classmethod
    def parse(cls, node: Node) -> Key:
        return cls(prefix=node.need("key").text())


@dataclass(frozen=True, kw_only=True)
class Keyed(Column):
    """A list of records with keys: the parent's, and one of their own that is numbered from it.

    `parent` is a column of the row, whose value every record gets under that name; `as` names the
    record's own, "C17-1", "C17-2" … In a table of the records both keys hold by construction.
    """

    kind: ClassVar[str] = "keyed"
    keys: ClassVar[tuple[str, ...]] = ("parent", "as")

    of: str
    parent: str
    key: str
    inner: pa.DataType | None = field(default=None, compare=False)  # of the list, bound by `fit`

    @property
    def type(self) -> pa.DataType:
        if self.inner is None:
            raise SettingError(f"The type of {self.of!r} is not known yet. Fit the recipe first.")
        own = [pa.field(n, pa.string()) for n in (self.key, self.parent)]
        rest = [f for f in self.inner.value_type if f.name not in (self.key, self.parent)]
        return pa.list_(pa.struct([*own, *rest]))

    @property
    def needs(self) -> frozenset[str]:
        return frozenset([self.of, self.parent])

    def begin(self, name: str, scope: Scope) -> Finish:
        parent = str(scope.row[self.parent])
        entries = enumerate(scope.row[self.of] or (), 1)
        made = [{**e, self.key: f"{parent}-{i}", self.parent: parent} for i, e in entries]
        return lambda: made

    def bound(self, name: str, kinds: Mapping[str, pa.DataType]) -> Keyed:
        """The same column, knowing of which type its records are."""
        inner = kinds[self.of]
        if not pa.types.is_list(inner) or not pa.types.is_struct(inner.value_type):
            raise SettingError(
                f"columns.{name}: {self.of!r} is no list of records, but {inner}. Name one."
            )
        return replace(self, inner=inner)

    @classmethod
    def parse(cls, node: Node) -> Keyed:
        return cls(
            of=node.need("keyed").text(),
            parent=node.need("parent").text(),
            key=node.need("as").text(),
        )


@dataclass(frozen=True, kw_only=True)
class Wrote(Column):
    """The name of the model that wrote another column; where that has `samples`, one for each."""

    kind: ClassVar[str] = "model"

    of: str
    asked: Asking | None = None  # bound when the recipe is read

    @property
    def type(self) -> pa.DataType:
        return pa.string() if self._samples is None else pa.list_(pa.string())

    @property
    def _samples(self) -> int | None:
        found: int | None = getattr(self.asked, "samples", None)
        return found

    @property
    def needs(self) -> frozenset[str]:
        # What the other column needs, not that column: the lot that chose the teacher is of the
        # row as it was then, before a later split.
        return self.asked.refers if self.asked else frozenset([self.of])

    def begin(self, name: str, scope: Scope) -> Finish:
        assert scope.live is not None and self.asked is not None
        if self.asked.when is not None and not self.asked.when.value(scope.row):
            return lambda: None
        names = []
        for again in range(self._samples or 1):
            teacher = scope.live.teacher_name(self.asked.teacher, scope.number(self.of, again))
            names.append(scope.live.session.teachers[teacher].model)
        return lambda: names[0] if self._samples is None else names

    @classmethod
    def parse(cls, node: Node) -> Wrote:
        return cls(of=node.need("model").text())

    def among(self, columns: Mapping[str, Column], node: Node) -> Wrote:
        """The same column, knowing the one that it tells of."""
        from geurim.generators.text.asked import Asking

        found = columns.get(self.of)
        if not isinstance(found, Asking):
            asked = ", ".join(n for n, c in columns.items() if isinstance(c, Asking))
            raise node.error(
                f"no model writes {self.of!r}. Name one of: {asked or 'there is none'}."
            )
        return replace(self, asked=found)
