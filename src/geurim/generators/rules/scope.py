"""What a column of a world may name, and look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from geurim.generators.rules.formulas import Names
from geurim.generators.rules.ways import Setting
from geurim.nodes import Node

if TYPE_CHECKING:
    from geurim.generators.rules.sheet import Sheet


@dataclass(frozen=True)
class Scope(Names):
    """What a column of one table may name, and look at."""

    sheet: Sheet
    name: str

    @property
    def setting(self) -> Setting:
        """The clock and the schedules of the world."""
        return self.sheet.head.setting

    def table(self, node: Node) -> str:
        """The name of any table, at a node."""
        return self.sheet.table(node)

    def of(self, table: str, node: Node) -> pa.DataType:
        """The type of a column of another table, at a node that names it."""
        found = self.sheet.find(table, node.text())
        if found is None or "." in node.text():
            known = ", ".join(self.sheet.columns_of(table))
            raise node.error(f"{table!r} has no column {node.text()!r}. It has: {known}.")
        return found

    def linked(self, name: str) -> tuple[str, bool]:
        """The table whose rows a name means, and whether by their numbers in all of it."""
        found = self.sheet.resolved(self.name, name)
        assert found is not None and found.link is not None
        return found.link, found.everywhere

    def has(self, table: str, column: str) -> bool:
        return column in self.sheet.columns_of(table)

    def inside(self, table: str) -> Scope:
        """The names as that table sees them."""
        return self.sheet.scope(table)

    def within(self, node: Node) -> str:
        """The name of a table that belongs to this one, at a node."""
        table = self.sheet.table(node)
        if self.sheet.parent(table) != self.name:
            raise node.error(
                f"the rows of {table!r} do not belong to {self.name!r}. Name a table that says "
                f"'of: {self.name}'."
            )
        return table

    def beside(self, node: Node) -> str:
        """A table at a node that is within this table's owner, however deep."""
        table, owner = self.sheet.table(node), self.sheet.parent(self.name)
        if table == self.name or owner not in self.sheet.above(table):
            raise node.error(f"{table!r} does not belong to {owner!r}. Name a table that does.")
        return table

    def sibling(self, node: Node) -> tuple[str, str]:
        """A table at a node, and the table that both it and this one are within."""
        table = self.sheet.table(node)
        owner = self.sheet.parent(table)
        if owner is None or owner not in self.sheet.above(self.name):
            raise node.error(
                f"{table!r} belongs to {owner or 'no table'!r}, and a row of {self.name!r} to "
                f"{' and '.join(map(repr, self.sheet.above(self.name))) or 'none'}. Both must "
                "belong to the same table."
            )
        return table, owner

    def shared(self, node: Node) -> tuple[str, str]:
        """A table at a node, and the nearest table that both it and this one are within."""
        table = self.sheet.table(node)
        mine = self.sheet.above(self.name)
        for owner in self.sheet.above(table):
            if owner in mine:
                return table, owner
        return self.sibling(node)  # raises, with what each belongs to

    def locale_of(self, node: Node) -> str:
        said = node.get("locale")
        return self.sheet.head.locale if said is None else said.text()
