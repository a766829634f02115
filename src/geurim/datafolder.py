"""A folder that `datasets.load_dataset` opens: README.md and data/, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from geurim.card import card as make_card
from geurim.card import with_front_matter
from geurim.contract import Progress, Source
from geurim.errors import DataError, SettingError, TargetExists
from geurim.folders import whole_folder

KINDS = {"parquet": "{split}-00000-of-00001.parquet", "jsonl": "{split}.jsonl"}
"""Kinds of files, and what the file of a split is called."""

_DTYPES = {"double": "float64", "float": "float32", "halffloat": "float16", "date32[day]": "date32"}
_UNKNOWN = (pa.types.is_union, pa.types.is_map, pa.types.is_interval, pa.types.is_run_end_encoded)


def save_folder(
    splits: Mapping[str, Source],
    to: Path,
    *,
    files: str,
    card: str | None,
    overwrite: bool,
    progress: Progress,
) -> Path:
    """Write each split to a file of its own and describe all in README.md.

    Raises TargetExists where the folder holds anything else, DataError for no rows or a type that
    the library `datasets` does not know, SettingError for an unknown kind of files.
    """
    from geurim.write import write

    if files not in KINDS:
        raise SettingError(f"Unknown kind of files: {files!r}. Choose parquet or jsonl.")
    splits = {name: _flat(source) for name, source in splits.items()}
    schema = next(iter(splits.values())).schema
    features = [feature(f) for f in schema]
    infos: list[dict[str, Any]] = []
    paths: list[dict[str, str]] = []
    with whole_folder(to, lambda place: _refuse(place, overwrite)) as folder:
        (folder / "data").mkdir()
        for name, source in splits.items():
            tally = _Tally(source)
            path = folder / "data" / KINDS[files].format(split=name)
            write(tally.source, path, progress=progress)
            if not tally.rows:
                raise DataError(f"There is no row for the split {name!r}. Give more rows.")
            infos.append({"name": name, "num_bytes": tally.size, "num_examples": tally.rows})
            paths.append({"split": name, "path": f"data/{path.name}"})
        sizes = [p.stat().st_size for p in sorted((folder / "data").iterdir())]
        head = {
            "configs": [{"config_name": "default", "data_files": paths}],
            "dataset_info": {
                "features": features,
                "splits": infos,
                "download_size": sum(sizes),
                "dataset_size": sum(i["num_bytes"] for i in infos),
            },
        }
        text = card or _plain_card(to, splits, sum(i["num_examples"] for i in infos))
        (folder / "README.md").write_text(with_front_matter(text, head), encoding="utf-8")
    return to


def _plain_card(to: Path, splits: Mapping[str, Source], rows: int) -> str:
    lineage = next(iter(splits.values())).lineage
    return make_card(lineage, title=to.name or "data", counts={"rows": rows})


def _flat(source: Source) -> Source:
    """Codes of repeated text written out: the library `datasets` reads them as plain text."""
    fields = [f.with_type(_decoded(f.type)) for f in source.schema]
    schema = pa.schema(fields, metadata=source.schema.metadata)
    if schema.equals(source.schema):
        return source
    return replace(source, schema=schema, read=lambda: (b.cast(schema) for b in source.read()))


def _decoded(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _decoded(kind.value_type)
    if pa.types.is_string_view(kind) or pa.types.is_null(kind):
        return pa.string()
    return kind


class _Tally:
    """A source whose rows and bytes are counted while they are read."""

    def __init__(self, source: Source) -> None:
        self.rows = self.size = 0
        self._source = source
        self.source = replace(source, read=self._read)

    def _read(self) -> Iterator[pa.RecordBatch]:
        self.rows = self.size = 0
        for batch in self._source.read():
            self.rows += batch.num_rows
            self.size += batch.nbytes
            yield batch


def feature(found: pa.Field) -> dict[str, Any]:
    """A field as `dataset_info` in the front matter writes it. DataError: a type it has not."""
    return {"name": found.name, **_feature(found.type, found.name)}


def _feature(kind: pa.DataType, name: str) -> dict[str, Any]:
    if pa.types.is_struct(kind):
        return {"struct": [feature(f) for f in kind]}
    if isinstance(kind, pa.ListType | pa.LargeListType | pa.FixedSizeListType):
        word = "large_list" if isinstance(kind, pa.LargeListType) else "list"
        inner = _feature(kind.value_type, name)
        if list(inner) in (["struct"], ["dtype"]):
            return {word: next(iter(inner.values()))}
        return {word: inner}
    if isinstance(kind, pa.BaseExtensionType) or any(unknown(kind) for unknown in _UNKNOWN):
        raise DataError(
            f"Column {name!r} is of a type that the library datasets does not read: "
            f"{str(kind)[:60]}. Convert or drop it."
        )
    return {"dtype": _DTYPES.get(str(kind), str(kind))}


def _refuse(to: Path, overwrite: bool) -> None:
    """TargetExists unless the folder is free, empty, or one of ours that may be replaced."""
    if not to.exists():
        return
    if not to.is_dir():
        raise TargetExists(f"{str(to)!r} is a file. Choose the name of a folder.")
    held = {p.name for p in to.iterdir()}
    inside = {p.name for p in (to / "data").iterdir()} if (to / "data").is_dir() else set()
    ours = {k.format(split=s) for k in KINDS.values() for s in ("train", "test")}
    others = sorted(held - {"README.md", "data"}) + sorted(inside - ours)
    if others:
        raise TargetExists(
            f"The folder {str(to)!r} holds files that are no data set of Geurim: "
            f"{', '.join(others[:3])}{' …' if len(others) > 3 else ''}. Choose another folder."
        )
    if held and not overwrite:
        raise TargetExists(
            f"The folder {str(to)!r} holds a data set already. Choose another folder, or ask to "
            f"overwrite."
        )
