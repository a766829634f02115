"""The readers of documents: a file becomes a title and blocks, each of which knows its place."""

from __future__ import annotations

import io
import re
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from geurim.errors import DataError, MissingExtra
from geurim.generators.text._passages import Block

LARGEST = 256 << 20
"""Bytes of a file, and of what is packed in it, beyond which it is refused."""

_SUFFIXES = {
    ".pdf": "pdf",
    ".docx": "docx",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "text",
    ".text": "text",
    ".rst": "text",
}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\ufffe\uffff]")
_HIDDEN = re.compile(r"[\u00ad\u200b\u2060\ufeff]")  # soft hyphens and marks that nobody sees
_Found = tuple[str, list[Block]]


def readable(path: Path) -> bool:
    """Whether a file of a folder is of a kind that is read; without a suffix it may be text."""
    return path.suffix.lower() in _SUFFIXES or not path.suffix


def read_document(path: Path, name: str) -> _Found:
    """Title and blocks of a file. DataError, naming it: not to be read, or without any text."""
    size = path.stat().st_size
    if size == 0:
        raise DataError(f"{name!r} is empty. Leave it out, or give the right file.")
    if size > LARGEST:
        raise DataError(
            f"{name!r} is too large: {size:,} bytes, and {LARGEST:,} are the most. Split it."
        )
    title, blocks = _READERS[_kind(path, name)](path, name)
    blocks = [b for b in map(_clean, blocks) if b.text]
    if not any(c.isalnum() for b in blocks for c in b.text):
        raise DataError(f"{name!r} holds no text. Leave it out.")
    return _line(title) or path.stem, blocks


def _kind(path: Path, name: str) -> str:
    with path.open("rb") as file:
        head = file.read(1024)
    if b"%PDF-" in head:
        return "pdf"
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise DataError(
            f"{name!r} is an old Word file or one with a password. Save it as DOCX without one."
        )
    kind = _SUFFIXES.get(path.suffix.lower(), "text")
    if kind == "pdf":
        raise DataError(f"{name!r} is no PDF, though its name says so. Give the right file.")
    if head.startswith(b"PK\x03\x04") and kind != "docx":
        raise DataError(f"{name!r} is an archive, not a document of text. Unpack it.")
    return kind


def _clean(block: Block) -> Block:
    """Composed letters (Hangul of a Mac comes as single jamo), without what nobody sees."""
    text = unicodedata.normalize("NFC", _HIDDEN.sub("", _CONTROL.sub("", block.text)))
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    text = re.sub(r"[ \t]+\n", "\n", text).strip("\n").rstrip()
    place = block.place if isinstance(block.place, int) else _line(block.place)
    return Block(text, place, block.whole, block.heading)


def _line(text: str) -> str:
    return " ".join(_CONTROL.sub("", unicodedata.normalize("NFC", text)).split())[:300]


class _Headings:
    """The headings on the way to where we are."""

    def __init__(self) -> None:
        self._levels: dict[int, str] = {}

    def enter(self, level: int, text: str) -> None:
        self._levels = {k: v for k, v in self._levels.items() if k < level} | {level: _line(text)}

    @property
    def place(self) -> str:
        return " > ".join(self._levels[k] for k in sorted(self._levels))


# Plain text and Markdown


def _decoded(path: Path, name: str) -> str:
    from geurim.delimited import opened, scan

    with opened(path) as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise DataError(f"{name!r} unpacks to more than {LARGEST:,} bytes. Split it.")
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    if not wide and b"\0" in data[:65536]:
        raise DataError(f"{name!r} is not text: it holds NUL bytes. Leave it out.")
    encoding = scan(path, None).encoding
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
    except UnicodeError as error:
        raise DataError(f"{name!r} is not text in {encoding}: {error}. Leave it out.") from error
    odd = len(_CONTROL.findall(text[:65536]))
    if odd * 50 > min(len(text), 65536):
        raise DataError(f"{name!r} is not text: {odd:,} control characters. Leave it out.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


_UNDERLINE = re.compile(r"^\s{0,3}(=+|-+|~{3,}|\^{3,})\s*$")
_CHAPTER = re.compile(
    r"^(?:제\s*\d+\s*[장절편부관]|chapter\s+\w+|part\s+\w+|appendix\s+\w+|부록\s*\w*)\b.{0,70}$",
    re.I,
)
_NUMBERED = re.compile(r"^(\d+(?:\.\d+)*)\.?\s+\S.{0,70}$")


def _text(path: Path, name: str) -> _Found:
    headings, blocks = _Headings(), []
    for paragraph in re.split(r"\n[ \t\f]*(?:\n[ \t\f]*)+", _decoded(path, name)):
        lines = paragraph.strip("\n").split("\n")
        level = _level(lines)
        if level:
            headings.enter(level, lines[0])
        text = lines[0] if level else "\n".join(lines)
        blocks.append(Block(text, headings.place, heading=bool(level)))
        if level and len(lines) > 1 and (rest := _after_underline(lines)):
            blocks.append(Block(rest, headings.place))
    return path.stem, blocks


def _after_underline(lines: Sequence[str]) -> str:
    return "\n".join(lines[2:]) if _UNDERLINE.match(lines[1]) else ""


def _level(lines: Sequence[str]) -> int:
    """How deep a heading is: underlined, a chapter, or a number and a few words on their own."""
    first = lines[0].strip()
    if len(lines) > 1 and first and len(first) <= 80 and (under := _UNDERLINE.match(lines[1])):
        return 1 if under[1][0] == "=" else 2
    if len(lines) != 1 or first.endswith((".", "!", "?", ",", ";", ":")):
        return 0
    if _CHAPTER.match(first):
        return 1
    numbered = _NUMBERED.match(first)
    return 1 + numbered[1].count(".") + 1 if numbered else 0


_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_ATX = re.compile(r"^ {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S)
_COMMENT = re.compile(r"<!--.*?-->", re.S)


def _markdown(path: Path, name: str) -> _Found:
    text = _decoded(path, name)
    matter = _MATTER.match(text)
    named = re.search(r"^title:[ \t]*[\"']?(.*?)[\"']?[ \t]*$", matter[1], re.M) if matter else None
    reader = _Markdown()
    for line in text[matter.end() if matter else 0 :].split("\n"):
        reader.line(line)
    reader.end()
    first = next((b.text for b in reader.blocks if b.heading), path.stem)
    return (named[1] if named else first), reader.blocks


class _Markdown:
    """Line by line: fences are kept whole, headings give the place."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._headings = _Headings()
        self._lines: list[str] = []
        self._fence = ""

    def line(self, line: str) -> None:
        fence = _FENCE.match(line)
        if self._fence:
            self._lines.append(line)
            if fence and fence[1].startswith(self._fence) and not line.strip().strip(fence[1][0]):
                self.end()
        elif fence:
            self.end()
            self._fence, self._lines = fence[1], [line]
        elif heading := _ATX.match(line):
            self.end()
            self._heading(len(heading[1]), heading[2] or "")
        elif self._lines and (under := _UNDERLINE.match(line)) and under[1][0] in "=-":
            text = " ".join(self._lines)
            self._lines = []
            self._heading(1 if under[1][0] == "=" else 2, text)
        elif line.strip() and not _UNDERLINE.match(line):
            self._lines.append(line)
        else:  # a blank line, or a rule across the page
            self.end()

    def end(self) -> None:
        text = "\n".join(self._lines)
        whole = bool(self._fence)
        if not whole:
            text = _COMMENT.sub("", text)
        if text.strip():
            self.blocks.append(Block(text, self._headings.place, whole=whole))
        self._lines, self._fence = [], ""

    def _heading(self, level: int, text: str) -> None:
        if text.strip():
            self._headings.enter(level, text)
            self.blocks.append(Block(text.strip(), self._headings.place, heading=True))


# PDF


def _pdf(path: Path, name: str) -> _Found:
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


# DOCX


def _docx(path: Path, name: str) -> _Found:
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
    headings = _Headings()
    for item in document.iter_inner_content():
        if hasattr(item, "rows"):
            yield Block(_docx_table(item), headings.place)
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


def _html(path: Path, name: str) -> _Found:
    from geurim.generators.text._html import html_blocks

    data = path.read_bytes()
    # What the page says of itself, else what its bytes look like.
    found = re.search(rb"<meta[^>]{0,200}?charset=[\"']?([\w-]+)", data[:4096], re.I)
    encoding = found[1].decode().lower() if found else ""
    if encoding in ("euc-kr", "ks_c_5601-1987", "ksc5601", "windows-949"):
        encoding = "cp949"
    try:
        text = io.TextIOWrapper(io.BytesIO(data), encoding).read() if encoding else None
    except (LookupError, UnicodeError):
        text = None
    title, blocks = html_blocks(_decoded(path, name) if text is None else text, name)
    return title, blocks


_READERS: dict[str, Callable[[Path, str], _Found]] = {
    "pdf": _pdf,
    "docx": _docx,
    "html": _html,
    "markdown": _markdown,
    "text": _text,
}
