"""Related tables: a whole database in, a whole database out, every key holding.

read_database --> Database --fit_database--> FittedDatabase --sample--> Database --> write_database
"""

from __future__ import annotations

from geurim.relations.fit import fit_database, references
from geurim.relations.keys import Database, ForeignKey, Keys
from geurim.relations.model import FittedDatabase
from geurim.relations.reading import is_database, read_database, tables_of
from geurim.relations.writing import check_target, write_database

__all__ = [
    "Database",
    "FittedDatabase",
    "ForeignKey",
    "Keys",
    "check_target",
    "fit_database",
    "is_database",
    "read_database",
    "references",
    "tables_of",
    "write_database",
]
