"""The readers of documents: a file becomes a title and blocks, each of which knows its place."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

from geurim.errors import DataError
from geurim.generators.text._office import read_docx, read_pdf
from geurim.generators.text._passages import CONTROL, LARGEST, Block, Headings, one_line

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
    return one_line(title) or path.stem, blocks


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
    text = unicodedata.normalize("NFC", _HIDDEN.sub("", CONTROL.sub("", block.text)))
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    text = re.sub(r"[ \t]+\n", "\n", text).strip("\n").rstrip()
    place = block.place if isinstance(block.place, int) else one_line(block.place)
    return Block(text, place, block.whole, block.heading, block.head)


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
    odd = len(CONTROL.findall(text[:65536]))
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
    headings, blocks = Headings(), []
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
_RULED = re.compile(r"\A[^\n]*\|[^\n]*\n[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t:-]*)+(?:\n|\Z)")
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
        self._headings = Headings()
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
            head = 2 if not whole and _RULED.match(text) else 0
            self.blocks.append(Block(text, self._headings.place, whole=whole, head=head))
        self._lines, self._fence = [], ""

    def _heading(self, level: int, text: str) -> None:
        if text.strip():
            self._headings.enter(level, text)
            self.blocks.append(Block(text.strip(), self._headings.place, heading=True))


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
    "pdf": read_pdf,
    "docx": read_docx,
    "html": _html,
    "markdown": _markdown,
    "text": _text,
}
