"""From the blocks of a document to passages: whole paragraphs, whole sentences, whole words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

# A full stop, a question or exclamation mark and what closes after it, then white space; the full
# stops of Chinese and Japanese need none. A line end is an end too: Korean notes and lists go
# without marks.
_END = re.compile(r"""[.!?…]+["'”’»)\]]*\s+|[。！？｡]+[」』”’）)]*\s*|\n+""")
_ABBREVIATIONS = re.compile(
    r"mrs?|ms|drs?|prof|st|vs|figs?|nos?|vol|pp|cf|al|inc|ltd|co|jr|sr|dept|approx|ca|eq|sec|ch|art"
    r"|e\.g|i\.e|u\.s|u\.k|a\.m|p\.m"
)
_LAST_WORD = re.compile(r"[(\[\"'“]*([^\s(\[\"'“]*)$")


LARGEST = 256 << 20
"""Bytes of a file, and of what is packed in it, beyond which it is refused."""
CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\ufffe\uffff]")


@dataclass(frozen=True)
class Block:
    """A paragraph, a heading, a table or a block of code, and where it stands."""

    text: str
    place: str | int  # headings on the way there, or the page
    whole: bool = False  # code: never split
    heading: bool = False
    head: int = 0  # of a table: lines that say what the columns are; 0 for what is no table


class Headings:
    """The headings on the way to where we are."""

    def __init__(self) -> None:
        self._levels: dict[int, str] = {}

    def enter(self, level: int, text: str) -> None:
        self._levels = {k: v for k, v in self._levels.items() if k < level} | {
            level: one_line(text)
        }

    @property
    def place(self) -> str:
        return " > ".join(self._levels[k] for k in sorted(self._levels))


def one_line(text: str) -> str:
    """A heading or a title as one line, without what nobody can see."""
    return " ".join(CONTROL.sub("", unicodedata.normalize("NFC", text)).split())[:300]


@dataclass(frozen=True)
class _Piece:
    text: str
    before: str  # what stands between it and the piece before
    place: str | int
    heading: bool = False
    whole: bool = False
    carried: bool = False  # stands in the passage before, too


def sentences(text: str) -> list[str]:
    """The text cut after each sentence of Korean, English, Chinese or Japanese.

    White space stays at the end of each, so that all joined is the text again. A full stop after
    an abbreviation, an initial or the number of an item ends nothing.
    """
    found, start = [], 0
    for end in _END.finditer(text):
        if _inside(text, end):
            continue
        found.append(text[start : end.end()])
        start = end.end()
    return [*found, text[start:]] if start < len(text) else found


def _inside(text: str, end: re.Match[str]) -> bool:
    if not end[0].startswith(".") or "\n" in end[0] or end[0].startswith(".."):
        return False
    following = text[end.end() : end.end() + 1]
    if following.isascii() and following.islower():
        return True
    last = _LAST_WORD.search(text[max(0, end.start() - 16) : end.start()])
    word = last[1].lower() if last else ""
    ahead = text[: end.start() - len(word)].rstrip(" \t")[-1:] if word.isdigit() else "x"
    item = ahead in ("", "\n", ".", "!", "?")
    return item or bool(_ABBREVIATIONS.fullmatch(word)) or bool(re.fullmatch("[a-z]", word))


def pack(blocks: Iterable[Block], size: int, overlap: float) -> Iterator[tuple[str, str]]:
    """(place, passage) of at most `size` characters each; code alone may be longer.

    A passage begins with the last sentences of the one before, up to `overlap` of its size, unless
    a heading stands between them. A heading goes with what follows it.
    """
    packer = _Packer(size, int(size * overlap))
    for block in blocks:
        yield from packer.add(block)
    yield from packer.flush(end=True)


class _Packer:
    def __init__(self, size: int, shared: int) -> None:
        self.size, self.shared = size, shared
        self.held: list[_Piece] = []

    def add(self, block: Block) -> Iterator[tuple[str, str]]:
        if block.heading and self._fresh() >= self.size // 4 and not self.held[-1].heading:
            yield from self.flush()
        if block.whole or len(block.text) <= self.size:
            piece = _Piece(block.text, "\n\n", block.place, block.heading, block.whole)
            if self._fits(piece) or block.whole or self._fresh() >= self.size // 2:
                yield from self._put(piece)
                return
        yield from self._table(block) if block.head else self._sentences(block)

    def _table(self, block: Block) -> Iterator[tuple[str, str]]:
        """A long table, row by row; each passage begins with what the columns are."""
        lines = block.text.split("\n")
        head = _Piece("\n".join(lines[: block.head]), "\n\n", block.place, carried=True)
        for number, line in enumerate(lines):
            for part in _parts(line, self.size):
                before = "\n\n" if number == 0 else "\n"
                piece = _Piece(part.rstrip(), before, block.place, whole=True)
                if not self._fits(piece):
                    yield from self.flush()
                    if number >= block.head and len(head.text) + len(part) < self.size:
                        self.held.append(head)
                if piece.text:
                    self.held.append(piece)

    def _sentences(self, block: Block) -> Iterator[tuple[str, str]]:
        before = "\n\n"
        for sentence in sentences(block.text):
            for part in _parts(sentence, self.size):
                text = part.rstrip()
                if text:
                    yield from self._put(_Piece(text, before, block.place))
                    before = ""
                before += part[len(text) :]

    def _put(self, piece: _Piece) -> Iterator[tuple[str, str]]:
        if not self._fits(piece):
            yield from self.flush(carry=not piece.whole)
            while self.held and self.held[0].carried and not self._fits(piece):
                del self.held[0]
        self.held.append(piece)

    def _fits(self, piece: _Piece) -> bool:
        return not self.held or self._length() + len(piece.before) + len(piece.text) <= self.size

    def _length(self) -> int:
        return sum(len(p.before) + len(p.text) for p in self.held) - len(self.held[0].before)

    def _fresh(self) -> int:
        """Characters that stand in no passage yet."""
        return sum(len(p.text) for p in self.held if not p.carried)

    def flush(self, *, carry: bool = False, end: bool = False) -> Iterator[tuple[str, str]]:
        """Give what is held; headings at its end stay for the next, and with `carry` sentences."""
        kept = len(self.held)
        while kept and self.held[kept - 1].heading and not end:
            kept -= 1
        done, headings = self.held[:kept], self.held[kept:]
        if any(not p.carried for p in done):
            yield _place([p for p in done if not p.carried]), _joined(done)
        self.held = headings or (self._tail(done) if carry else [])

    def _tail(self, done: Sequence[_Piece]) -> list[_Piece]:
        """The last sentences, as far as they are few enough characters."""
        tail: list[_Piece] = []
        room = self.shared
        for piece in reversed(done):
            if piece.whole or piece.heading:
                return tail
            for sentence in reversed(_carried(piece)):
                room -= len(sentence.before) + len(sentence.text)
                if room < 0:
                    return tail
                tail.insert(0, sentence)
        return tail


def _carried(piece: _Piece) -> list[_Piece]:
    """A paragraph's sentences, for the next passage."""
    made, before = [], piece.before
    for sentence in sentences(piece.text):
        text = sentence.rstrip()
        made.append(_Piece(text, before, piece.place, carried=True))
        before = sentence[len(text) :]
    return made


def _joined(pieces: Sequence[_Piece]) -> str:
    return "".join(p.before + p.text for p in pieces)[len(pieces[0].before) :].strip("\n")


def _place(pieces: Sequence[_Piece]) -> str:
    """The pages, or the heading under which most of it stands."""
    pages = [p.place for p in pieces if isinstance(p.place, int)]
    if pages:
        first, last = min(pages), max(pages)
        return f"page {first}" if first == last else f"pages {first}-{last}"
    sizes: dict[str, int] = {}
    for piece in pieces:
        sizes[str(piece.place)] = sizes.get(str(piece.place), 0) + len(piece.text)
    return max(sizes, key=lambda k: sizes[k])


def _parts(text: str, size: int) -> Iterator[str]:
    """Parts of at most `size` characters, cut between words.

    What is longer without any white space is no word of any language, but data or a script
    without spaces, and is cut where it must be.
    """
    while len(text.rstrip()) > size:
        cut = max(text.rfind(c, 0, size + 1) for c in " \n\t\u3000\u00a0") + 1
        if not text[:cut].strip():
            cut = size
            while cut > 1 and unicodedata.combining(text[cut]):
                cut -= 1
        yield text[:cut]
        text = text[cut:]
    if text:
        yield text
