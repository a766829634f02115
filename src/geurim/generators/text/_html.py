"""Web pages as blocks: headings, paragraphs, lists, tables and code, without what is around."""

from __future__ import annotations

import re
from typing import Any

from geurim.errors import DataError, MissingExtra
from geurim.generators.text._passages import Block, Headings

_NOISE = (
    "//script|//style|//noscript|//template|//nav|//aside|//form|//iframe|//svg|//canvas|//button"
    "|//object|//head/*[not(self::title)]"
    "|//header[not(ancestor::main or ancestor::article)]"
    "|//footer[not(ancestor::main or ancestor::article)]"
    "|//*[@hidden or @aria-hidden='true']"
    "|//*[@role='navigation' or @role='banner' or @role='contentinfo' or @role='search']"
    "|//a[contains('#¶§', normalize-space()) and normalize-space()]"
    "|//*[contains(translate(@style, 'N ', 'n'), 'display:none')]"
)
_BLOCK = re.compile(
    "address|article|blockquote|body|caption|center|dd|details|div|dl|dt|fieldset|figcaption"
    "|figure|footer|h[1-6r]|header|html|li|main|ol|p|pre|section|summary|table|tbody|td|tfoot|th"
    "|thead|tr|ul"
)
_HEADINGS = {f"h{i}": i for i in range(1, 7)}
_XML = re.compile(r"\A\s*<\?xml[^>]*\?>")


def html_blocks(text: str, name: str) -> tuple[str, list[Block]]:
    """Title and blocks of a page. DataError, naming the file, where it is no page."""
    try:
        from lxml import etree, html
    except ModuleNotFoundError as error:
        raise MissingExtra("reading HTML", "text") from error
    parser = html.HTMLParser(remove_comments=True, remove_pis=True, huge_tree=True)
    try:
        root = html.document_fromstring(_XML.sub("", text).replace("\0", ""), parser=parser)
    except (etree.LxmlError, ValueError) as error:
        raise DataError(f"{name!r} is no HTML that can be read: {error}. Leave it out.") from error
    if any("depth" in e.message for e in parser.error_log):
        raise DataError(f"{name!r} nests its elements too deep to be read whole. Leave it out.")
    title = " ".join((root.findtext(".//title") or "").split())
    for noise in root.xpath(_NOISE):
        if noise.getparent() is not None:
            noise.drop_tree()
    mains = root.xpath("//main|//article[not(ancestor::article)]")
    walker = _Walker()
    body = mains[0] if len(mains) == 1 else root.find("body")
    walk = etree.iterwalk(root if body is None else body, events=("start", "end"))
    for event, element in walk:
        if not isinstance(element.tag, str):
            continue
        if event == "start" and walker.start(element):
            walk.skip_subtree()
        elif event == "end":
            walker.end(element)
    walker.flush()
    return title, walker.blocks


class _Walker:
    """Collects text until a block begins or ends; no recursion, so that no page is too deep."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._text: list[str] = []
        self._headings = Headings()
        self._skipped: Any = None

    def start(self, element: Any) -> bool:
        """Take in an element; True where its inside has been taken in as well."""
        tag = element.tag
        if _BLOCK.fullmatch(tag):
            self.flush()
        if tag == "pre":
            text = "".join(element.itertext())
            self.blocks.append(Block(text, self._headings.place, whole=True))
            self._skipped = element
            return True
        if tag == "table" and not element.xpath(".//table|.//p|.//div|.//ul|.//h1|.//h2|.//h3"):
            head = 2 if element.findtext("caption") else 1
            self.blocks.append(Block(_table(element), self._headings.place, head=head))
            self._skipped = element
            return True
        if tag == "title":
            self._skipped = element
            return True
        if tag == "br":
            self._text.append("\n")
        if tag == "li":
            self._text.append("- ")
        self._add(element.text)
        return False

    def end(self, element: Any) -> None:
        if element is self._skipped:
            self._skipped = None
        elif element.tag in _HEADINGS:
            self._heading(_HEADINGS[element.tag])
        elif _BLOCK.fullmatch(element.tag):
            self.flush()
        self._add(element.tail)

    def _add(self, text: str | None) -> None:
        if text:
            self._text.append(re.sub(r"\s+", " ", text))

    def _taken(self) -> str:
        if not self._text:
            return ""
        text = re.sub(r" *\n *", "\n", "".join(self._text))
        self._text = []
        return re.sub(r" {2,}", " ", text).strip()

    def flush(self) -> None:
        text = self._taken()
        if text and text != "-":
            self.blocks.append(Block(text, self._headings.place))

    def _heading(self, level: int) -> None:
        text = self._taken()
        if text:
            self._headings.enter(level, text)
            self.blocks.append(Block(text, self._headings.place, heading=True))


def _table(element: Any) -> str:
    """A line a row."""
    lines = []
    for row in element.iter("tr"):
        cells = [" ".join("".join(c.itertext()).split()) for c in row if c.tag in ("td", "th")]
        lines.append(" | ".join(cells))
    caption = element.findtext("caption")
    head = [" ".join(caption.split())] if caption else []
    return "\n".join([*head, *(x for x in lines if x.strip(" |"))])
