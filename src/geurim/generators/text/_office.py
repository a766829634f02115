"""PDF and DOCX files as titles and blocks."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from geurim.errors import DataError, MissingExtra
from geurim.generators.text._passages import LARGEST, Block, Headings


def read_pdf(path: Path, name: str) -> tuple[str, list[Block]]:
    """Title and blocks of a PDF, the page as the place. DataError: broken, locked or scanned."""
    try:
        import pypdf
    except ModuleNotFoundError as error:
        raise MissingExtra("reading PDF", "text") from error
    try:
        reader = pypdf.PdfReader(path, strict=False)
        locked = reader.is_encrypted and not reader.decrypt("")
        about = None if locked else reader.metadata
        title = (about.title or "") if about else ""
        pages = [] if locked else [page.extract_text() or "" for page in reader.pages]
    # A broken file makes pypdf fail in many ways: a missing key, a recursion, a wrong type.
    except Exception as error:
        raise DataError(
            f"{name!r} is a PDF that cannot be read: {type(error).__name__}: {str(error)[:120]}. "
            f"Save it anew, or leave it out."
        ) from error
    if locked:
        raise DataError(f"{name!r} has a password. Save it without one, or leave it out.")
    if not any(p.strip() for p in pages):
        raise DataError(
            f"{name!r} holds no text on its {len(pages):,} pages: it may be scanned. Run character "
            f"recognition (OCR) over it first, or leave it out."
        )
    lines = _without_running([[x.strip() for x in p.split("\n")] for p in pages])
    return title, [Block(t, i) for i, p in enumerate(lines, 1) for t in _paragraphs(p)]


def _without_running(pages: list[list[str]]) -> list[list[str]]:
    """The pages without page numbers and without the line that stands atop or below of most."""
    pages = [[x for x in p if x] for p in pages]
    if len(pages) < 3:
        return pages
    ends = [{_numberless(x) for x in (p[:1] + p[-1:])} for p in pages]
    often = {x for x, n in Counter(x for e in ends for x in e).items() if n * 2 > len(pages)}
    made = []
    for page in pages:
        start = 1 if page and _numberless(page[0]) in often else 0
        end = len(page) - (1 if len(page) > start and _numberless(page[-1]) in often else 0)
        made.append(page[start:end])
    return made


def _numberless(line: str) -> str:
    return re.sub(r"\d+", "0", line)


def _paragraphs(lines: Sequence[str]) -> Iterator[str]:
    """Lines of a page joined; a short line that ends a sentence ends a paragraph.

    A line that is much shorter than the others was ended on purpose: its end is kept.
    """
    wide = sorted(map(len, lines))[int(len(lines) * 0.9)] if lines else 0
    held, last = "", wide
    for line in lines:
        broken = re.search(r"[a-z]-$", held) and line[:1].islower()
        between = "\n" if last < 0.6 * wide else " "
        held = held[:-1] + line if broken else f"{held}{between}{line}".lstrip()
        last = len(line)
        if last < 0.8 * wide and re.search(r"[.!?。:][\"'”’)]*$", line):
            yield held
            held = ""
    if held:
        yield held


def read_docx(path: Path, name: str) -> tuple[str, list[Block]]:
    """Title and blocks of a DOCX, headings as the place. DataError: broken or too large."""
    try:
        import docx
    except ModuleNotFoundError as error:
        raise MissingExtra("reading DOCX", "text") from error
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(i.file_size for i in archive.infolist())
        if unpacked > LARGEST:
            raise DataError(
                f"{name!r} unpacks to {unpacked:,} bytes, and {LARGEST:,} are the most. Split it."
            )
        document = docx.Document(str(path))
        return str(document.core_properties.title or ""), list(_docx_blocks(document))
    except DataError:
        raise
    # What is wrong with an archive or its XML shows in errors of several libraries.
    except Exception as error:
        raise DataError(
            f"{name!r} is no DOCX that can be read: {type(error).__name__}: {str(error)[:120]}. "
            f"Save it anew, or leave it out."
        ) from error


def _docx_blocks(document: Any) -> Iterator[Block]:
    headings = Headings()
    for item in document.iter_inner_content():
        if hasattr(item, "rows"):
            yield Block(_docx_table(item), headings.place, head=1)
            continue
        level = _docx_level(item)
        if level is not None and item.text.strip():
            headings.enter(level, item.text)
        yield Block(item.text, headings.place, heading=level is not None)


def _docx_level(paragraph: Any) -> int | None:
    style = (paragraph.style.name or "").lower() if paragraph.style is not None else ""
    if style in ("title", "제목"):
        return 0
    found = re.fullmatch(r"(?:heading|제목)\s*(\d)", style)
    return int(found[1]) if found else None


def _docx_table(table: Any) -> str:
    """A line a row; a merged cell is told once."""
    lines = []
    for row in table.rows:
        cells: list[str] = []
        seen: set[int] = set()
        for cell in row.cells:
            if id(cell._tc) not in seen:
                seen.add(id(cell._tc))
                cells.append(" ".join(cell.text.split()))
        lines.append(" | ".join(cells))
    return "\n".join(x for x in lines if x.strip(" |"))
