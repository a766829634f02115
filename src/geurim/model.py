"""Model files: a fitted generator saved and loaded, without ever executing what a file holds.

A `.geurim` file is a zip that any tool opens:

    manifest.json     format and version, generator, schema, lineage, profile, state, list of arrays
    arrays/0000.npy   one file for each array of `Fitted.state()`, as `numpy.load` reads it

The model of a whole database has the schema and profile of each table in its state.

The manifest carries the SHA-256 of each array; the zip comment carries that of the manifest. So a
file that was cut or changed by accident is refused. A digest is no signature: whoever changes a
file on purpose can write it anew, and then gets numbers read and checked, but no code run.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import os
import secrets
import zipfile
import zlib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from geurim.contract import Fitted, Json, Lineage
from geurim.errors import ModelFileError, NotFound, SettingError, TargetExists

if TYPE_CHECKING:
    from geurim.relations import FittedDatabase

FORMAT = "geurim model"
VERSION = 1
"""Of the format. A file of a newer version is refused; older ones are read for ever."""

_MANIFEST = "manifest.json"
_RATIO = 100  # what packs tighter is stored unpacked, so a small file never unfolds to a huge one
_KINDS = "biufSU"  # booleans, integers, floats, fixed text: no objects
_EPOCH = (1980, 1, 1, 0, 0, 0)  # no clock in a file: the same model gives the same bytes


def save(
    fitted: Fitted | FittedDatabase, path: str | os.PathLike[str], *, overwrite: bool = True
) -> str:
    """Write a fitted generator, or the model of a whole database, to one file; return its path.

    The file appears under its name when it is whole, or not at all. `overwrite=False` raises
    TargetExists where the name is taken; NotFound: the folder is not there.
    """
    target = Path(path)
    if target.exists() and (target.is_dir() or not overwrite):
        raise TargetExists(
            f"There is already something at {str(target)!r}. Choose another name"
            + (", or pass overwrite=True." if target.is_file() else ".")
        )
    if not target.parent.is_dir():
        raise NotFound(f"There is no folder {str(target.parent)!r}. Make it first.")
    content = _pack(fitted)
    temporary = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        temporary.write_bytes(content)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return str(target)


def load(path: str | os.PathLike[str]) -> Any:
    """Read what `save` wrote: a Fitted, or the FittedDatabase of a whole database.

    Raises NotFound, or ModelFileError where the file is cut, changed, of a newer format or of a
    generator that is not installed here.
    """
    target = Path(path)
    if not target.exists():
        raise NotFound(f"There is no model file {str(target)!r}. Check the path.")
    if target.is_dir():
        raise ModelFileError(f"{str(target)!r} is a folder, not a model file. Check the path.")
    content = target.read_bytes()
    try:
        return _unpack(content)
    except ModelFileError as error:
        raise ModelFileError(f"The model file {str(target)!r} cannot be used: {error}") from error
    except ImportError:  # a generator's own library is not installed: its message says which
        raise
    except Exception as error:  # whatever foreign bytes make a parser raise
        raise _broken(target, error) from error


def _broken(target: Path, error: Exception) -> ModelFileError:
    return ModelFileError(
        f"The model file {str(target)!r} is not a whole Geurim model "
        f"({type(error).__name__}: {error}). Save it again, or copy it again from its origin."
    )


def _pack(fitted: Fitted | FittedDatabase) -> bytes:
    from geurim.analyze.store import profile_to_json

    state, arrays = fitted.state()
    members: list[tuple[str, bytes]] = []
    listed: list[dict[str, Json]] = []
    for name, array in arrays.items():
        if array.dtype.kind not in _KINDS:
            raise SettingError(
                f"A model holds plain arrays; {name!r} of {type(fitted).__name__} is of type "
                f"{array.dtype}. Return numbers, booleans or fixed text from state()."
            )
        data = _npy(array)
        file = f"arrays/{len(members):04d}.npy"
        members.append((file, data))
        listed.append(
            {
                "name": name,
                "file": file,
                "dtype": array.dtype.str,
                "shape": list(array.shape),
                "sha256": hashlib.sha256(data).hexdigest(),
            }
        )
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "geurim": _own_version(),
        "generator": fitted.name,
        "lineage": fitted.lineage.to_json(),
        "state": state,
        "arrays": listed,
    }
    if isinstance(fitted, Fitted):
        manifest["schema"] = schema_to_json(fitted.schema)
        manifest["profile"] = profile_to_json(fitted.profile)
    head = json.dumps(manifest, ensure_ascii=False, indent=1, default=_plain).encode()
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.comment = hashlib.sha256(head).hexdigest().encode()
        for file, data in [(_MANIFEST, head), *members]:
            _add(archive, file, data)
    return sink.getvalue()


def _plain(value: object) -> Json:
    """NumPy's own numbers, which `json` does not know, as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not JSON: a state is made of JSON and arrays.")


def _npy(array: np.ndarray) -> bytes:
    sink = io.BytesIO()
    np.lib.format.write_array(sink, np.ascontiguousarray(array).reshape(array.shape), (1, 0), False)
    return sink.getvalue()


def _add(archive: zipfile.ZipFile, file: str, data: bytes) -> None:
    packed = len(zlib.compress(data, 1))
    info = zipfile.ZipInfo(file, _EPOCH)
    worth = packed < 0.9 * len(data) and packed * _RATIO > len(data)
    info.compress_type = zipfile.ZIP_DEFLATED if worth else zipfile.ZIP_STORED
    archive.writestr(info, data, compresslevel=1)


def _unpack(content: bytes) -> Fitted | FittedDatabase:
    from geurim.analyze.store import profile_from_json
    from geurim.generators import fitted_class

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        head = _member(archive, _MANIFEST)
        manifest = json.loads(head)
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise ModelFileError("its manifest does not say that it is a Geurim model.")
        _check_version(manifest)
        if archive.comment != hashlib.sha256(head).hexdigest().encode():
            raise ModelFileError("its digest does not fit: it was changed after saving.")
        expected = {_MANIFEST, *(entry["file"] for entry in manifest["arrays"])}
        if sorted(archive.namelist()) != sorted(expected):
            raise ModelFileError("it holds other files than its manifest lists.")
        arrays = {entry["name"]: _array(archive, entry) for entry in manifest["arrays"]}
    lineage = Lineage.from_json(manifest["lineage"])
    if manifest["generator"] == "database":
        from geurim.relations import FittedDatabase

        return FittedDatabase.from_state(lineage, manifest["state"], arrays)
    try:
        found = fitted_class(manifest["generator"])
    except SettingError as error:
        raise ModelFileError(f"{error} Or install the package that adds it.") from error
    return found.from_state(
        profile_from_json(manifest["profile"]),
        schema_from_json(manifest["schema"]),
        lineage,
        manifest["state"],
        arrays,
    )


def _check_version(manifest: Mapping[str, Json]) -> None:
    found = manifest.get("version")
    if not isinstance(found, int) or found < 1:
        raise ModelFileError(f"its format version is {found!r}, which never was one.")
    if found > VERSION:
        raise ModelFileError(
            f"it has format version {found}, written by Geurim {manifest.get('geurim')!r}; this "
            f"Geurim {_own_version()} reads up to version {VERSION}. Update: pip install -U geurim"
        )


def _member(archive: zipfile.ZipFile, file: str) -> bytes:
    """One file of the zip, whole. What claims to unfold beyond reason is refused, not unfolded."""
    info = archive.getinfo(file)
    if info.file_size > _RATIO * info.compress_size:
        raise ModelFileError(
            f"{file} claims to unfold from {info.compress_size:,} to {info.file_size:,} bytes."
        )
    with archive.open(info) as stream:
        data = stream.read(info.file_size + 1)
    if len(data) != info.file_size:
        raise ModelFileError(f"{file} holds {len(data):,} bytes, not {info.file_size:,}.")
    return data


def _array(archive: zipfile.ZipFile, entry: Mapping[str, Json]) -> np.ndarray:
    data = _member(archive, entry["file"])
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise ModelFileError(f"the digest of array {entry['name']!r} does not fit.")
    stream = io.BytesIO(data)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ModelFileError(f"array {entry['name']!r} is of another NumPy format than 1.0.")
    shape, by_column, dtype = np.lib.format.read_array_header_1_0(stream)
    size = math.prod(shape) * dtype.itemsize
    # Compared before anything of that size is made: a header may claim any shape.
    if (
        dtype.kind not in _KINDS
        or dtype.str != entry["dtype"]
        or list(shape) != entry["shape"]
        or min(shape, default=0) < 0
        or size != len(data) - stream.tell()
    ):
        raise ModelFileError(f"array {entry['name']!r} does not have the shape that it claims.")
    if not size:
        return np.zeros(shape, dtype)
    flat = np.frombuffer(data, dtype, offset=stream.tell())
    return flat.reshape(shape, order="F" if by_column else "C")


def schema_to_json(schema: pa.Schema) -> str:
    """An Arrow schema as text: its IPC form in base64, metadata and all."""
    return base64.b64encode(schema.serialize().to_pybytes()).decode()


def schema_from_json(state: str) -> pa.Schema:
    """The inverse of `schema_to_json`."""
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(state, validate=True)))


def _own_version() -> str:
    try:
        return version("geurim")
    except PackageNotFoundError:  # run from a checkout that was not installed
        return "unknown"
