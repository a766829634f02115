"""Croissant metadata of files of rows: what machines that look for data sets read.

Croissant 1.0 (Akhtar et al. 2024, "Croissant: A Metadata Format for ML-Ready Datasets";
docs.mlcommons.org/croissant) is JSON-LD on schema.org's Dataset: each file with its checksum, each
column with its type, and who made the rows.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from geurim.contract import Json, Lineage
from geurim.errors import SettingError
from geurim.scrub import scrub

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"

_TERMS = (
    "citeAs column equivalentProperty extract field fileObject fileProperty fileSet format "
    "includes isLiveDataset jsonPath key md5 parentField path recordSet references regex repeated "
    "replace samplingRate separator source subField transform"
).split()
CONTEXT: Mapping[str, Json] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    **{term: f"cr:{term}" for term in _TERMS},
    "examples": {"@id": "cr:examples", "@type": "@json"},
}
ENCODINGS: Mapping[str, str] = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".jsonl": "application/jsonlines",
    ".parquet": "application/x-parquet",
}


def croissant(
    files: Sequence[str | Path],
    *,
    name: str,
    description: str,
    license: str | None = None,
    url: str | None = None,
    version: str = "1.0.0",
) -> dict[str, Json]:
    """The metadata of data files that will stand beside it, as JSON-LD.

    `license`: a URL or an SPDX name; `url`: where the data set can be had. Files are named by their
    own names, as if they lay in the same folder. Raises SettingError for a kind of file that
    Croissant has no name for, NotFound for one that is not there.
    """
    from geurim.read import read

    distribution, records = [], []
    lineages: list[Lineage] = []
    taken: set[str] = set()
    for path in map(Path, files):
        source = read(str(path))
        lineages.append(source.lineage)
        distribution.append(_file(path))
        stem = path.stem if path.stem not in taken else path.name
        taken.add(stem)
        records.append(_record(re.sub(r"\W+", "_", stem), path, source.schema))
    made: dict[str, Json] = {
        "@context": dict(CONTEXT),
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": scrub(name),
        "description": scrub(description),
        "version": version,
        "distribution": distribution,
        "recordSet": records,
        "creator": {"@type": "sc:Organization", "name": _makers(lineages)},
    }
    if license:
        made["license"] = license
    if url:
        made["url"] = url
    return made


def save_croissant(metadata: Mapping[str, Json], path: str | Path) -> None:
    """Write the metadata as a JSON file."""
    text = json.dumps(metadata, ensure_ascii=False, indent=1, allow_nan=False)
    Path(path).write_text(text + "\n", "utf-8", newline="\n")


def _makers(lineages: Sequence[Lineage]) -> str:
    """Who made the rows: the generators' names without their settings."""
    makers = dict.fromkeys(re.split(r"[({ ]", one.maker)[0] for one in lineages if not one.real)
    return f"Geurim ({', '.join(map(scrub, makers))})" if makers else "Geurim"


def encoding(path: str | Path) -> str:
    """The file's kind as Croissant names it. Raises SettingError where it has no name for it."""
    kind = ENCODINGS.get(Path(path).suffix.lower())
    if kind is None:
        raise SettingError(
            f"Croissant has no name for files such as {Path(path).name!r}. "
            f"Give one of: {', '.join(ENCODINGS)}."
        )
    return kind


def _file(path: Path) -> dict[str, Json]:
    kind = encoding(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "contentUrl": path.name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": kind,
        "sha256": digest,
    }


def _record(name: str, path: Path, schema: pa.Schema) -> dict[str, Json]:
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "field": [_field(name, path, field) for field in schema],
    }


def _field(record: str, path: Path, field: pa.Field) -> dict[str, Json]:
    return {
        "@type": "cr:Field",
        "@id": f"{record}/{field.name}",
        "name": field.name,
        "dataType": _type(field.type),
        "source": {"fileObject": {"@id": path.name}, "extract": {"column": field.name}},
    }


def _type(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        return _type(kind.value_type)
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "sc:Float"
    if pa.types.is_date(kind):
        return "sc:Date"
    if pa.types.is_timestamp(kind):
        return "sc:DateTime"
    if pa.types.is_time(kind):
        return "sc:Time"
    return "sc:Text"
