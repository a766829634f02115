"""A whole database read: SQLite, DuckDB, PostgreSQL, a folder of files, or tables in memory."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from geurim.contract import Event, Lineage, Progress, Source, quiet
from geurim.convert import Raw, finish, plain
from geurim.databases import is_url, parse, read_tables, table_names
from geurim.errors import DataError, NotFound, SchemaError, SettingError
from geurim.read import as_source, read
from geurim.relations import declare
from geurim.relations.declare import Declaration
from geurim.relations.discover import discover as look
from geurim.relations.keys import Database, Keys
from geurim.relations.rows import settle
from geurim.schema import Declared, Schema

SUFFIXES = (".parquet", ".pq", ".csv", ".tsv", ".jsonl", ".ndjson", ".arrow", ".feather")


def read_database(
    place: str | Path | Mapping[str, Any],
    *,
    schema: str | Path | Mapping[str, Any] | None = None,
    discover: bool | None = None,
    progress: Progress = quiet,
) -> Database:
    """Every table of a database, and the keys that join them.

    `place`: a database URL, the path of a SQLite or DuckDB file, a folder with a file for each
    table, or a mapping of names to whatever `geurim.read` takes. `schema`: a file or a mapping
    that says keys and columns ([tables.NAME], docs/databases.md); it overrides all else.
    `discover`: look for keys in the rows; None: where no foreign key is declared at all. A
    server is read in one snapshot. Views are not read.

    Raises NotFound, SettingError, DataError (and SchemaError), ConnectionFailed, MissingExtra.
    """
    said = declare.load(schema)
    if isinstance(place, Mapping):
        tables = {str(n): as_source(d) for n, d in place.items()}
        keys: dict[str, Keys] = {n: Keys() for n in tables}
        blank: dict[str, tuple[pa.Field, ...]] = {}
        maker = "tables in memory"
    elif is_url(place) or Path(place).expanduser().is_file():
        url = str(place) if is_url(place) else _url(Path(place).expanduser())
        tables, keys, blank = _from_engine(url, said, progress)
        maker = parse(url).shown
    else:
        folder = _folder(Path(place).expanduser())
        if not said and (folder / declare.FILE).is_file():
            said = declare.load(folder / declare.FILE)
        tables, blank = _from_folder(folder, said, progress)
        keys = {n: Keys() for n in tables}
        maker = folder.name
    if not tables:
        raise DataError(f"There are no tables in {maker}. Give a database with at least one.")
    declare.check(said, {n: s.schema.names for n, s in tables.items()})
    spelled = {n: declare.overridden(k, said[n]) if n in said else k for n, k in keys.items()}
    if discover or (discover is None and not any(k.foreign for k in spelled.values())):
        spelled = _discovered(tables, spelled, said)
    digest = hashlib.sha256("".join(s.lineage.digest for s in tables.values()).encode())
    real = all(s.lineage.real for s in tables.values())
    return Database(
        tables=tables,
        keys={n: _without(k, tables, n) for n, k in spelled.items()},
        lineage=Lineage(
            maker=maker,
            digest=digest.hexdigest(),
            real=real,
            parents=() if real else tuple(s.lineage for s in tables.values()),
        ),
        notes=tuple(
            f"{table}: the column {f.name!r} holds {f.type}; it is not learned and stays empty."
            for table, fields in blank.items()
            for f in fields
        ),
        blank=blank,
    )


def is_database(place: str) -> bool:
    """Whether `place` is a folder of tables, or names a whole database: a URL or its file."""
    path = Path(place).expanduser()
    return is_url(place) or path.is_dir() or (path.is_file() and bool(_engine(path)))


def tables_of(place: str) -> list[str]:
    """The names of the tables of what `is_database`; nothing of them is read."""
    path = Path(place).expanduser()
    if path.is_dir():
        return list(table_files(path))
    return table_names(parse(place if is_url(place) else _url(path)))


def _without(keys: Keys, tables: Mapping[str, Source], name: str) -> Keys:
    """The keys whose columns are still there: one of bytes, or one left out, joins nothing."""
    here = set(tables[name].schema.names)
    return Keys(
        primary=keys.primary if set(keys.primary) <= here else (),
        unique=tuple(u for u in keys.unique if set(u) <= here),
        foreign=tuple(
            f
            for f in keys.foreign
            if f.table in tables
            and set(f.columns) <= here
            and set(f.references) <= set(tables[f.table].schema.names)
        ),
        required=tuple(c for c in keys.required if c in here),
        why=keys.why,
    )


def _discovered(
    tables: Mapping[str, Source], keys: Mapping[str, Keys], said: Mapping[str, Declaration]
) -> dict[str, Keys]:
    """Keys found in the rows, but for the tables whose foreign keys the schema gives."""
    found = look({n: settle(s) for n, s in tables.items()}, keys)
    for name, one in said.items():
        if one.foreign is not None:
            found[name] = replace(found[name], foreign=one.foreign)
        if one.primary is not None:
            found[name] = replace(found[name], primary=one.primary)
    return found


def _engine(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(16)
    if head.startswith(b"SQLite format 3\0"):
        return "sqlite"
    return "duckdb" if head[8:12] == b"DUCK" else ""


def _url(path: Path) -> str:
    if engine := _engine(path):
        return f"{engine}:///{quote(str(path))}"
    raise SettingError(
        f"{str(path)!r} is one file, not a database. Give a database URL, a SQLite or DuckDB file, "
        f"or a folder with a file for each table."
    )


def _from_engine(
    url: str, said: Mapping[str, Declaration], progress: Progress
) -> tuple[dict[str, Source], dict[str, Keys], dict[str, tuple[pa.Field, ...]]]:
    def declared(table: str) -> Schema:
        return said[table].columns if table in said else Schema()

    def report(done: int, total: int) -> None:
        progress(Event(step="read", done=done, total=total, unit="tables"))

    raws, keys = read_tables(parse(url), declared=declared, report=report)
    tables, blank = {}, {}
    for name, raw in raws.items():
        tables[name], empty = _source(raw, declared(name))
        if empty:
            blank[name] = empty
    return tables, keys, blank


def _source(raw: Raw, declared: Schema) -> tuple[Source, tuple[pa.Field, ...]]:
    """The source of a table, and the columns that cannot be learned."""
    opaque = []
    for found in raw.schema:
        try:
            plain(found, raw.what)
        except SchemaError:
            if not declared.of(found.name).drop:
                kind = pa.binary() if "binary" in str(found.type) else pa.string()
                opaque.append(pa.field(found.name, kind))
    dropped = {f.name: Declared(drop=True) for f in opaque}
    declared = replace(declared, columns={**declared.columns, **dropped})
    if raw.rows:
        return finish(raw, declared), tuple(opaque)
    fields = []
    for found in raw.schema:
        if not declared.of(found.name).drop:
            fields.append(pa.field(found.name, plain(found, raw.what)[1]))
    schema = pa.schema(fields)
    return _empty(schema, raw.lineage), tuple(opaque)


def _empty(schema: pa.Schema, lineage: Lineage) -> Source:
    return Source(schema=schema, lineage=lineage, read=lambda: iter(()), rows=0)


def _folder(path: Path) -> Path:
    if not path.is_dir():
        near = []
        if path.parent.is_dir():
            near = difflib.get_close_matches(path.name, [p.name for p in path.parent.iterdir()])
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise NotFound(f"There is no folder {str(path)!r}.{hint} Check the path.")
    return path


def table_files(folder: Path) -> dict[str, Path]:
    """The tables of a folder: each file of rows by its name without the ending."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        plain_name = path.name.removesuffix(".gz")
        if path.name.startswith(".") or not path.is_file():
            continue
        if Path(plain_name).suffix.lower() in SUFFIXES:
            name = Path(plain_name).stem
            if name in found:
                raise DataError(
                    f"Two files of {str(folder)!r} are the table {name!r}: {found[name].name!r} "
                    f"and {path.name!r}. Take one of them out."
                )
            found[name] = path
    return found


def _from_folder(
    folder: Path, said: Mapping[str, Declaration], progress: Progress
) -> tuple[dict[str, Source], dict[str, tuple[pa.Field, ...]]]:
    files = table_files(folder)
    if not files:
        raise DataError(
            f"There is no table in the folder {str(folder)!r}. Put a file for each table in it: "
            f"{', '.join(SUFFIXES)}."
        )
    tables, blank = {}, {}
    for place, (name, path) in enumerate(files.items()):
        progress(Event(step="read", done=place, total=len(files), unit="tables", note=name))
        declared = said[name].columns if name in said else Schema()
        tables[name], empty = _from_file(path, declared)
        if empty:
            blank[name] = empty
    return tables, blank


def _from_file(path: Path, declared: Schema) -> tuple[Source, tuple[pa.Field, ...]]:
    if path.suffix.lower() in (".parquet", ".pq"):
        from geurim.frames import read_parquet

        return _source(read_parquet(path, path.name, lambda: None), declared)
    if ".csv" in path.suffixes and (names := _header_alone(path)):
        schema = pa.schema([(n, pa.string()) for n in names])
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return _empty(schema, Lineage(maker=path.name, digest=digest, real=True)), ()
    return read(path, schema=declared), ()


def _header_alone(path: Path) -> list[str]:
    """The names in a small CSV file that has a header and no rows; else nothing."""
    if path.suffix == ".gz" or path.stat().st_size > 65_536:
        return []
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    return lines[0].split(",") if len(lines) == 1 else []
