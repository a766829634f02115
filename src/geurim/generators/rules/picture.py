"""A world as a picture: an SVG of its tables with their columns, and of its states below.

It stands alone: no script, no font, no address; light or dark as the reader's screen is.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from geurim.generators.rules.diagram import Line, Link, lines, links_of, machines, moves, stay
from geurim.generators.rules.layers import Layout, Point, layered
from geurim.generators.rules.plan import Plan
from geurim.generators.rules.states import States
from geurim.html import esc

_ROW, _HEAD, _EDGE, _LETTER, _BOW = 20.0, 28.0, 24.0, 7.0, 20.0
_LONGEST = 34  # signs of a text that is drawn

_STYLE = """
svg{--ink:#1d2330;--dim:#5d6675;--paper:#fff;--panel:#f5f6f8;--line:#c3c9d2;--own:#2f6db3;
--refer:#b4590a;background:var(--paper);font:12px system-ui,"Noto Sans","Noto Sans KR",sans-serif}
@media (prefers-color-scheme:dark){svg{--ink:#e6e8ec;--dim:#a0a7b4;--paper:#14171c;--panel:#1e232b;
--line:#39404c;--own:#6ba6e8;--refer:#f2a04d}}
text{fill:var(--ink)}.d{fill:var(--dim)}.b{font-weight:600}.t{font-size:18px;font-weight:600}
.box{fill:var(--panel);stroke:var(--line)}.hide{stroke-dasharray:4 3}.i{font-style:italic}
.on{paint-order:stroke;stroke:var(--paper);stroke-width:4px}
path{fill:none;stroke-width:1.5}.of{stroke:var(--own)}.refer{stroke:var(--refer);
stroke-dasharray:5 3}.part{stroke:var(--dim);stroke-dasharray:1 3}
.m-of{fill:var(--own)}.m-refer{fill:var(--refer)}.m-part{fill:var(--dim)}
"""


@dataclass(frozen=True)
class Block:
    """A part of the picture: its size, and what is drawn at (0, 0)."""

    size: Point
    parts: Sequence[str]


def svg(plan: Plan) -> str:
    """The picture of a world."""
    blocks = [_title(plan), _tables(plan), _legend()]
    for name, machine in machines(plan).items():
        blocks += [_heading(f"The states of {name}"), _states(machine)]
    body, y = [], _EDGE
    for block in blocks:
        body += [f'<g transform="translate({_EDGE:g} {y:g})">', *block.parts, "</g>"]
        y += block.size[1] + _EDGE
    width = max(b.size[0] for b in blocks) + 2 * _EDGE
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {y:g}" '
        f'width="{width:g}" height="{y:g}" role="img" aria-label="{esc(plan.name)}">\n'
        f"<style>{_STYLE}</style>\n<defs>{''.join(map(_head, ('of', 'refer', 'part')))}</defs>\n"
        + "\n".join(body)
        + "\n</svg>\n"
    )


def _head(kind: str) -> str:
    return (
        f'<marker id="a-{kind}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path class="m-{kind}" d="M0 0L8 4L0 8z"/></marker>'
    )


def _title(plan: Plan) -> Block:
    about = " ".join(plan.about.split())
    parts = [_text(0, 18, plan.name, "t"), _text(0, 40, about, "d", longest=110)]
    return Block((max(_width(about), _width(plan.name) * 1.5), 44), parts)


def _heading(text: str) -> Block:
    return Block((_width(text) * 1.5, 20), [_text(0, 16, text, "t")])


def _legend() -> Block:
    parts, x = [], 0.0
    for kind, said in (("of", "belongs to"), ("refer", "refers to"), ("part", "is a part of")):
        parts += [_arrow([(x, 6), (x + 34, 6)], kind), _text(x + 42, 10, said, "d")]
        x += 60 + _width(said)
    return Block((x, 12), [*parts, _text(x, 10, "italic, dashed: hidden", "d i")])


# Tables


def _tables(plan: Plan) -> Block:
    """All tables, owners to the left of what belongs to them."""
    columns = {name: lines(plan, name) for name in plan.tables}
    links = [link for name in plan.tables for link in links_of(plan, name)]
    sizes = {n: _size(n, found) for n, found in columns.items()}
    layout = layered(sizes, [_ends(link) for link in links])
    parts = [_join(link, columns, sizes, layout) for link in links]
    for name, found in columns.items():
        hidden = plan.tables[name].hidden
        parts += _box(name, found, layout.places[name], sizes[name], hidden)
    return Block(layout.size, parts)


def _ends(link: Link) -> tuple[str, str]:
    """From what is there first, to what follows from it."""
    return link.other, link.table


def _size(name: str, found: Sequence[Line]) -> Point:
    widest = max((_width(c.name) + _width(c.type) + 46 for c in found), default=0.0)
    return max(widest, _width(name) * 1.15 + 24, 120), _HEAD + _ROW * len(found) + 6


def _box(name: str, found: Sequence[Line], at: Point, size: Point, hidden: bool) -> Iterator[str]:
    x, y = at
    yield _rect(at, size, "box hide" if hidden else "box")
    yield _text(x + 10, y + 19, name, "b i" if hidden else "b")
    yield f'<line x1="{x:g}" x2="{x + size[0]:g}" y1="{y + _HEAD:g}" y2="{y + _HEAD:g}" '
    yield 'stroke="var(--line)"/>'
    for i, line in enumerate(found):
        low = y + _HEAD + _ROW * i + 16
        sign = {"key": "◆", "link": "→"}.get(line.mark, "")
        yield _text(x + 8, low, sign, "d")
        yield _text(x + 24, low, line.name, "d i" if line.hidden else "")
        yield _text(x + size[0] - 10, low, line.type, "d", "end")


def _join(
    link: Link, columns: dict[str, list[Line]], sizes: dict[str, Point], layout: Layout
) -> str:
    """An arrow from a table's column to the table that it names; to its left where it can be."""
    kind = {"reference": "refer"}.get(link.way, link.way)
    names = [c.name for c in columns[link.table]]
    row = names.index(link.name) + 1 if link.name in names else 0
    x, y = layout.places[link.table]
    start = (x, y + (_HEAD + _ROW * (row - 0.5) if row else _HEAD / 2))
    x, y = layout.places[link.other]
    right, middle = x + sizes[link.other][0], y + _HEAD / 2
    edge = _ends(link)
    if edge in layout.back:
        end = (x, middle)
        return _arrow([start, (min(start[0], x) - 40, (start[1] + middle) / 2), end], kind)
    return _arrow([start, *reversed(layout.routes[edge]), (right, middle)], kind)


# States


def _states(machine: States) -> Block:
    """A state machine, its first states to the left."""
    found = list(moves(machine))
    said = {
        n: stay(s) if s.next else "" for n, s in zip(machine.names, machine.states, strict=True)
    }
    sizes = {n: (max(_width(n), _width(s)) + 24, 46.0) for n, s in said.items()}
    sizes |= {"": (14.0, 14.0)}
    links = [(m.start, m.end) for m in found if m.end]
    layout = layered({n: sizes[n] for n in ["", *said]}, links, gap=(120, 34))
    parts: list[str] = []
    low = layout.size[1]
    for move in (m for m in found if m.end):
        edge = (move.start, move.end)
        if edge in layout.back:
            low += _BOW
            parts += _bow(edge, sizes, layout, low, move.chance)
        else:
            points = _way(edge, sizes, layout)
            parts += [_arrow(points, "of"), _label(points, move.chance)]
    for name, dwell in said.items():
        (x, y), size = layout.places[name], sizes[name]
        parts += [_rect((x, y), size, "box", 12), _text(x + 12, y + 19, name, "b")]
        parts.append(_text(x + 12, y + 36, dwell or "stays", "d"))
    x, y = layout.places[""]
    parts.append(f'<circle class="m-of" cx="{x + 7:g}" cy="{y + 7:g}" r="6"/>')
    return Block((layout.size[0], low + 8), parts)


def _way(edge: tuple[str, str], sizes: dict[str, Point], layout: Layout) -> list[Point]:
    (x, y), (width, height) = layout.places[edge[0]], sizes[edge[0]]
    (end, top), tall = layout.places[edge[1]], sizes[edge[1]][1]
    return [(x + width, y + height / 2), *layout.routes[edge], (end, top + tall / 2)]


def _bow(
    edge: tuple[str, str], sizes: dict[str, Point], layout: Layout, low: float, chance: str
) -> Iterator[str]:
    """A way back: under all boxes, as deep as `low`."""
    (x, y), (width, height) = layout.places[edge[0]], sizes[edge[0]]
    (end, top), (wide, tall) = layout.places[edge[1]], sizes[edge[1]]
    start, goal, y, top = x + width / 2 + 8, end + wide / 2 - 8, y + height, top + tall
    pull = (8 * low - y - top) / 6  # so that the middle of the curve is at `low`
    path = f"M{start:g} {y:g}C{start:g} {pull:g} {goal:g} {pull:g} {goal:g} {top:g}"
    yield f'<path class="of" d="{path}" marker-end="url(#a-of)"/>'
    yield _text((start + goal) / 2, low + 4, chance, "d on", "middle")


def _label(points: Sequence[Point], text: str) -> str:
    """A text in the middle of a way."""
    if len(points) % 2:
        x, y = points[len(points) // 2]
    else:
        (x, y), (a, b) = points[len(points) // 2 - 1 : len(points) // 2 + 1]
        x, y = (x + a) / 2, (y + b) / 2
    return _text(x, y + 4, text, "d on", "middle")


# Signs on paper


def _arrow(points: Sequence[Point], kind: str) -> str:
    """A smooth way through points, level at each."""
    x, y = points[0]
    path = [f"M{x:g} {y:g}"]
    for a, b in points[1:]:
        half = (a - x) / 2
        path.append(f"C{x + half:g} {y:g} {a - half:g} {b:g} {a:g} {b:g}")
        x, y = a, b
    return f'<path class="{kind}" d="{"".join(path)}" marker-end="url(#a-{kind})"/>'


def _rect(at: Point, size: Point, kind: str, round: float = 5) -> str:
    x, y = at
    return (
        f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{size[0]:g}" height="{size[1]:g}" '
        f'rx="{round:g}"/>'
    )


def _text(
    x: float, y: float, text: str, kind: str = "", anchor: str = "start", longest: int = _LONGEST
) -> str:
    if not text:
        return ""
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    tip = f"<title>{esc(text)}</title>" if cut != text else ""
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{esc(cut)}{tip}</text>'


def _width(text: str) -> float:
    """About how wide a text is; signs of East Asian scripts are square."""
    shown = text[:_LONGEST]
    return sum(12.0 if unicodedata.east_asian_width(c) in "WF" else _LETTER for c in shown)
