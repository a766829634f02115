"""The user's own files as passages: what questions, summaries and dialogues are grounded in."""

from __future__ import annotations

import hashlib
import json
import os
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from geurim.contract import Event, Lineage, Progress, Source, quiet
from geurim.errors import DataError, NotFound, SettingError
from geurim.frames import file_digest, spooled
from geurim.generators.text._passages import pack
from geurim.generators.text._readers import read_document, readable

__all__ = ["SKIPPED", "passages"]

SCHEMA = pa.schema(
    [(n, pa.string()) for n in ("document", "title", "place", "passage", "passage_id")]
)
SKIPPED = b"geurim.skipped"
"""Key of the schema's metadata: JSON, the files that were left out and why."""

_BATCH = 4096  # passages
_SMALLEST = 100  # characters of a passage: no word is longer

_File = tuple[str, Path]  # its name in the column `document`, and where it is


def passages(
    paths: str | Path | Iterable[str | Path],
    *,
    size: int = 1200,
    overlap: float = 0.1,
    pattern: str = "**/*",
    strict: bool = True,
    progress: Progress = quiet,
) -> Source:
    """Files (PDF, DOCX, HTML, Markdown, plain text) cut into passages, one a row.

    `paths`: files and folders; of a folder, the files that match `pattern` (hidden ones and
    symbolic links are left out). `size`: characters of a passage at most, 100 or more; a block of
    code is never cut and may be longer. `overlap`: the share of a passage, from 0 to below 0.5,
    that repeats the last sentences of the one before. Passages end where a paragraph or a sentence
    does (Korean and English), at least where a word does.

    Columns, all text: document (the path below the folder), title, place (pages, or the headings on
    the way: "Setup > Network"), passage, passage_id (the same as long as document and passage are).
    Text boxes, footnotes and pictures of DOCX and PDF are not read.

    A file that cannot be read (a password, no text in it, binary, above 256 MB) raises DataError,
    naming it; with strict=False it is left out. Left-out files stand in the schema's metadata, see
    SKIPPED. Other errors: NotFound, SettingError, MissingExtra.
    """
    if size < _SMALLEST:
        raise SettingError(
            f"A passage of {size} characters is too short. Give {_SMALLEST} or more."
        )
    if not 0 <= overlap < 0.5:
        raise SettingError(f"The overlap must be from 0 to below 0.5: {overlap!r} was given.")
    files, skipped = _files(paths, pattern)
    digests: list[tuple[str, str]] = []

    def batches() -> Iterator[pa.RecordBatch]:
        rows: list[tuple[str, ...]] = []
        for done, (name, path) in enumerate(files, 1):
            try:
                rows += _passages_of(name, path, size, overlap)
                digests.append((name, file_digest(path)))
            except (DataError, OSError) as error:
                _skip(name, error, strict, skipped)
            progress(Event(step="read", done=done, total=len(files), unit="files", note=name))
            while len(rows) >= _BATCH:
                yield _batch(rows[:_BATCH])
                del rows[:_BATCH]
        if rows:
            yield _batch(rows)

    raw = spooled("documents", SCHEMA, batches(), lambda _: _lineage(digests))
    if not raw.rows:
        raise DataError(f"There is no passage to be had: {_why(skipped)}. Give other files.")
    notes = {SKIPPED: json.dumps(skipped, ensure_ascii=False).encode()} if skipped else None
    schema = SCHEMA.with_metadata(notes)

    def read() -> Iterator[pa.RecordBatch]:
        return (b.replace_schema_metadata(notes) for b in raw.read())

    return Source(schema=schema, lineage=raw.lineage, read=read, rows=raw.rows)


def _skip(name: str, error: Exception, strict: bool, skipped: dict[str, str]) -> None:
    if not isinstance(error, DataError):
        error = DataError(f"{name!r} cannot be opened: {error}. Check its rights.")
    if strict:
        raise DataError(f"{error} (strict=False leaves such files out.)") from error
    skipped[name] = str(error)


def _why(skipped: dict[str, str]) -> str:
    if not skipped:
        return "no file was found"
    name, reason = next(iter(skipped.items()))
    return f"{len(skipped):,} files were left out, the first of them {name!r}: {reason}"


def _passages_of(name: str, path: Path, size: int, overlap: float) -> list[tuple[str, ...]]:
    title, blocks = read_document(path, name)
    seen: dict[str, int] = {}
    rows: list[tuple[str, ...]] = []
    for place, passage in pack(blocks, size, overlap):
        # The same words twice in a document are two passages.
        nth = seen[passage] = seen.get(passage, 0) + 1
        named = hashlib.sha256(f"{name}\0{nth}\0{passage}".encode()).hexdigest()[:16]
        rows.append((name, title, place, passage, named))
    return rows


def _batch(rows: list[tuple[str, ...]]) -> pa.RecordBatch:
    columns = [pa.array(values, pa.string()) for values in zip(*rows, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _lineage(digests: list[tuple[str, str]]) -> Lineage:
    """Real rows: the digest is that of the names and contents of all files that were read."""
    text = json.dumps(digests, ensure_ascii=False)
    names = [Path(name).name for name, _ in digests]
    maker = names[0] if len(names) == 1 else f"{len(names):,} documents"
    return Lineage(maker=maker, digest=hashlib.sha256(text.encode()).hexdigest(), real=True)


def _files(
    paths: str | Path | Iterable[str | Path], pattern: str
) -> tuple[list[_File], dict[str, str]]:
    """The files to read, in the order of their names, and those left out with the reason."""
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    if not given:
        raise SettingError("No path was given. Give files or folders.")
    files: list[_File] = []
    skipped: dict[str, str] = {}
    taken: set[Path] = set()
    for one in given:
        path = Path(one).expanduser()
        if not path.exists():
            raise NotFound(f"There is no file or folder {str(path)!r}. Check the path.")
        found = _inside(path, pattern, skipped) if path.is_dir() else [(path.name, path)]
        for name, file in found:
            if file.resolve() not in taken:
                taken.add(file.resolve())
                files.append((_unique(name, file, files), file))
    return files, skipped


def _inside(folder: Path, pattern: str, skipped: dict[str, str]) -> list[_File]:
    """The files of a folder; nothing that lies outside of it, whatever pattern or links say."""
    root = folder.resolve()
    try:
        matches = sorted(folder.glob(pattern), key=lambda p: p.as_posix())
    except (ValueError, NotImplementedError) as error:
        raise SettingError(f"Not a pattern below a folder: {pattern!r} ({error}).") from error
    found: list[_File] = []
    for path in matches:
        below = os.path.relpath(path, folder)
        name = unicodedata.normalize("NFC", Path(below).as_posix())
        if not path.is_file() or any(part.startswith(".") for part in Path(below).parts):
            continue
        if path.resolve() != root / below:
            skipped[name] = "a symbolic link; give the file it leads to, if it is to be read"
        elif not readable(path):
            skipped[name] = f"no reader for {path.suffix!r} files"
        else:
            found.append((name, path))
    return found


def _unique(name: str, path: Path, files: list[_File]) -> str:
    """The name, with the names of folders before it where another file has it already."""
    taken = {n for n, _ in files}
    parents = list(path.resolve().parents)
    depth = len(Path(name).parts)
    while name in taken and depth <= len(parents) and parents[depth - 1].name:
        name = f"{parents[depth - 1].name}/{name}"
        depth += 1
    return name
