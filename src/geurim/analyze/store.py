"""Profiles as JSON files: strict JSON, a format version, written whole or not at all."""

from __future__ import annotations

import base64
import json
import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from geurim.analyze.roles import ROLES
from geurim.contract import Json, Lineage, Profile
from geurim.errors import ModelFileError, NotFound

FORMAT = "geurim.profile"
VERSION = 1
_NEEDED = {
    "number": ("min", "max", "quantiles", "mean", "std", "integer", "decimals", "repeated"),
    "datetime": ("min", "max", "quantiles", "mean", "std"),
    "category": ("categories", "pooled"),
    "constant": ("categories", "pooled"),
    "key": ("form",),
    "personal": ("entity", "locale"),
    "text": ("length_quantiles", "words_quantiles"),
}


def profile_to_json(profile: Profile) -> dict[str, Json]:
    """The profile as plain JSON values. The inverse of `profile_from_json`."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "rows": profile.rows,
        "lineage": profile.lineage.to_json(),
        "schema": {
            "columns": [
                {"name": f.name, "type": str(f.type), "nullable": f.nullable}
                for f in profile.schema
            ],
            # Type names alone do not say everything (zones, scales): Arrow's own form beside them.
            "arrow": base64.b64encode(profile.schema.serialize().to_pybytes()).decode(),
        },
        "columns": {name: dict(found) for name, found in profile.columns.items()},
        "dependence": dict(profile.dependence),
        "rules": [dict(rule) for rule in profile.rules],
    }


def profile_from_json(state: Mapping[str, Json], where: str = "the profile") -> Profile:
    """The profile in `state`. Raises ModelFileError where something lacks or is too new."""
    if not isinstance(state, Mapping) or state.get("format") != FORMAT:
        raise ModelFileError(
            f"{where} is not a profile: its 'format' is not {FORMAT!r}. Make one by analyze."
        )
    version = state.get("version")
    if not isinstance(version, int) or not 1 <= version <= VERSION:
        raise ModelFileError(
            f"{where} has the format version {version!r}; this Geurim reads 1 to {VERSION}. "
            "Update Geurim, or analyze the data again."
        )
    try:
        schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(state["schema"]["arrow"])))
        profile = Profile(
            schema=schema,
            lineage=Lineage.from_json(state["lineage"]),
            rows=int(state["rows"]),
            columns={str(n): dict(c) for n, c in state["columns"].items()},
            dependence=dict(state["dependence"]),
            rules=tuple(dict(r) for r in state["rules"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OSError, pa.ArrowException) as error:
        raise ModelFileError(
            f"{where} lacks a part, or holds one that cannot be read: {error!r}. "
            "Analyze the data again."
        ) from error
    _check(profile, where)
    return profile


def _check(profile: Profile, where: str) -> None:
    """Every column is described, and each description has what its role needs."""
    names, described = set(profile.schema.names), set(profile.columns)
    if names != described:
        raise ModelFileError(
            f"{where} describes other columns than its schema names: {sorted(names ^ described)}. "
            "Analyze the data again."
        )
    for name, found in profile.columns.items():
        role = found.get("role")
        if role not in ROLES:
            raise ModelFileError(
                f"{where}: column {name!r} has the role {role!r}. Use one of: {', '.join(ROLES)}."
            )
        lacking = [key for key in (*_NEEDED.get(role, ()), "missing") if key not in found]
        if lacking:
            raise ModelFileError(
                f"{where}: column {name!r} of role {role!r} lacks {', '.join(lacking)}. "
                "Add them (docs/profile.md says what they are), or analyze again."
            )


def save_profile(profile: Profile, path: str | Path) -> Path:
    """Write the profile to `path`, whole or not at all; an older file there is replaced."""
    text = json.dumps(profile_to_json(profile), ensure_ascii=False, allow_nan=False, default=_plain)
    return write_text(text, path)


def write_text(text: str, path: str | Path) -> Path:
    """Write a file whole or not at all; an older one of that name is replaced."""
    path = Path(path)
    if not path.parent.is_dir():
        raise NotFound(f"There is no folder {str(path.parent)!r} to write to. Make it first.")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:50]}.", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path


def _plain(value: object) -> Json:
    """NumPy scalars as Python numbers."""
    item = getattr(value, "item", None)
    if item is None:
        raise TypeError(f"{type(value)} is not JSON")
    return item()


def load_profile(path: str | Path) -> Profile:
    """The profile in a file. Raises NotFound, or ModelFileError where it cannot be read."""
    path = Path(path)
    if not path.is_file():
        raise NotFound(f"There is no profile at {str(path)!r}. Make one by analyze.")
    try:
        state = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except (ValueError, UnicodeDecodeError) as error:
        raise ModelFileError(
            f"{str(path)!r} is not whole JSON ({error}). It may be truncated: analyze again."
        ) from error
    return profile_from_json(state, where=str(path))


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON: {math.nan}")
