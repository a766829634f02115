"""One HTML page that opens offline: its shell, and charts drawn as inline SVG.

No script, no font, no picture from elsewhere: the page's own policy forbids them. Everything that
comes from data goes through `esc`. Charts take plain sequences and return an SVG string; their
colours are CSS variables, so that one page serves light and dark screens.
"""

from __future__ import annotations

import html
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence

from geurim.language import say

_UNSAFE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)

STYLE = """
:root{--ink:#1d2330;--dim:#5d6675;--paper:#fff;--panel:#f5f6f8;--line:#d6dae1;--s0:#2f6db3;
--s1:#e07b17;--s2:#7a7f88;--pass:#1d7f46;--warn:#9a5d00;--fail:#b8272c;--info:#5d6675}
@media (prefers-color-scheme:dark){:root{--ink:#e6e8ec;--dim:#a0a7b4;--paper:#14171c;
--panel:#1e232b;--line:#39404c;--s0:#6ba6e8;--s1:#f2a04d;--s2:#9aa0aa;--pass:#5cc88a;
--warn:#e6ac4a;--fail:#f2797d;--info:#a0a7b4}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1120px;padding:24px;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI","Noto Sans","Noto Sans KR","Malgun Gothic",
sans-serif;overflow-wrap:anywhere}
h1{font-size:28px;line-height:1.2;margin:0 0 8px}h2{font-size:22px;margin:40px 0 8px}
h3{font-size:16px;margin:0 0 4px}p{margin:6px 0}.dim{color:var(--dim)}.small{font-size:13px}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(330px,1fr));gap:14px;margin:12px 0}
.four{grid-template-columns:repeat(auto-fill,minmax(230px,1fr))}
.card{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:12px}
.wide{grid-column:1/-1}
.tag{font-weight:600;white-space:nowrap}.tag.pass{color:var(--pass)}.tag.warn{color:var(--warn)}
.tag.fail{color:var(--fail)}.tag.info{color:var(--info)}
.key{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin:0 4px 0 12px}
.key.s0{background:var(--s0)}.key.s1{background:var(--s1)}.key.s2{background:var(--s2)}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;padding:5px 8px;border-bottom:1px solid var(--line);vertical-align:top}
th{white-space:nowrap}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
code{font-size:13px}td code{white-space:nowrap}svg{display:block;width:100%;height:auto}
svg text{fill:var(--ink);font:11px system-ui,"Noto Sans","Noto Sans KR",sans-serif}
svg text.d{fill:var(--dim)}.ax{stroke:var(--line);stroke-width:1;fill:none}
.f0{fill:var(--s0)}.f1{fill:var(--s1)}.f2{fill:var(--s2)}.o{fill-opacity:.35}
.l0{stroke:var(--s0)}.l1{stroke:var(--s1)}.l2{stroke:var(--s2)}.l0,.l1,.l2{fill:none;stroke-width:2}
.v-pass{fill:var(--pass);stroke:var(--pass)}.v-warn{fill:var(--warn);stroke:var(--warn)}
.v-fail{fill:var(--fail);stroke:var(--fail)}.v-info{fill:var(--info);stroke:var(--info)}
summary{cursor:pointer;font-weight:600;font-size:14px;margin:8px 0}
summary:focus-visible{outline:3px solid var(--s0);outline-offset:2px}
:lang(ko){word-break:keep-all}
.text{margin:8px 0;padding-left:10px;border-left:3px solid var(--line)}
.quote{white-space:pre-wrap;font-size:14px}
.dots{stroke:var(--s1);stroke-width:3;stroke-linecap:round;stroke-opacity:.75;fill:none}
.dash{stroke-dasharray:4 3;stroke:var(--dim)}.band{fill-opacity:.18}
@media print{body{max-width:none;padding:0}.card{break-inside:avoid}.key{print-color-adjust:exact}
h2,h3,.grid>.wide:not(.card){break-after:avoid}.card.wide{break-inside:auto}.scroll{overflow:visible}
details::details-content{content-visibility:visible;block-size:auto}
table{font-size:9px}code{font-size:8px}th,td{padding:2px 4px}}
"""


def esc(text: object) -> str:
    """Text made safe for HTML, in a tag's content or in a quoted attribute.

    Control characters, lone surrogates and marks that turn the reading direction become U+FFFD.
    """
    return html.escape(_UNSAFE.sub("\ufffd", str(text)), quote=True)


def short(text: object, length: int = 28) -> str:
    """At most `length` characters, escaped; a cut is shown as an ellipsis."""
    plain = str(text)
    return esc(plain if len(plain) <= length else plain[: length - 1] + "…")


def fitted(text: object, width: float) -> str:
    """As much of the text as fits into `width` units of a chart, escaped, cut with an ellipsis."""
    plain = str(text)
    if _width(plain) <= width:
        return esc(plain)
    while plain and _width(f"{plain}…") > width:
        plain = plain[:-1]
    return esc(f"{plain}…")


def _width(text: str) -> float:
    """How wide a text of a chart is, at most, in its units."""
    return sum(_advance(c) for c in text[:200])


def _advance(char: str) -> float:
    """How far a sign moves the pen: full-width signs most, then capitals, in wide fonts."""
    if unicodedata.east_asian_width(char) in "WF":
        return 11.0
    if char in "mwMW@%…":
        return 10.8
    return 8.6 if char.isupper() else 6.8


def number(value: float | None, digits: int = 3) -> str:
    """A number for reading: 3 significant digits, thousands apart, a dash where there is none."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 10**digits:
        return f"{value:,.0f}" if abs(value) < 1e9 else f"{value:.{digits - 1}e}"
    if abs(value) < 1e-4:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{digits}g}"


def percent(share: float | None) -> str:
    """A share from 0 to 1 as a percentage, with as many places as it needs."""
    if share is None or math.isnan(share):
        return "–"
    part = abs(share) * 100
    places = 0 if part == 0 or part >= 10 else 1 if part >= 1 else 2
    return "<0.01%" if 0 < part < 0.005 else f"{share * 100:.{places}f}%"


def page(title: str, body: str, lang: str = "en") -> str:
    """The whole page. `title` is escaped here; `body` is HTML whose data are already escaped."""
    return (
        f'<!doctype html>\n<html lang="{esc(lang)}"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{esc(title)}</title><style>{STYLE}</style></head>\n<body>{body}</body></html>\n"
    )


def legend(*names: str) -> str:
    """The colours of a page's charts, in the order of their series."""
    keys = (f'<span class="key s{i}"></span>{esc(name)}' for i, name in enumerate(names))
    return f'<p class="small dim">{"".join(keys)}</p>'


def card(title: str, *parts: str, wide: bool = False) -> str:
    """A titled box of HTML parts. `title` is escaped and cut at 60 characters."""
    kind = "card wide" if wide else "card"
    return f'<div class="{kind}"><h3>{short(title, 60)}</h3>{"".join(parts)}</div>'


def table(head: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[int] = ()) -> str:
    """A table whose cells are HTML already escaped; columns in `numeric` are aligned right."""
    kinds = [' class="n"' if i in numeric else "" for i in range(len(head))]
    top = "".join(f"<th{k}>{esc(h)}</th>" for h, k in zip(head, kinds, strict=True))
    lines = (
        "<tr>" + "".join(f"<td{k}>{c}</td>" for c, k in zip(row, kinds, strict=True)) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr>{top}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def bars(labels: Sequence[str], series: Mapping[str, Sequence[float]]) -> str:
    """Horizontal bars of shares (0 to 1), one group a label, one bar a series."""
    values = [[_finite(v) for v in column] for column in series.values()]
    top = max((v for column in values for v in column), default=0.0) or 1.0
    gap, thick = 6, 9 if len(values) > 1 else 13
    step = gap + thick * len(values)
    left = min(max([60.0, *(_width(label) for label in labels)]), 176.0) + 6
    longest = 302 - left
    out = []
    for i, label in enumerate(labels):
        y = 4 + i * step
        middle = y + thick * len(values) / 2 + 4
        out.append(_text(left - 6, middle, fitted(label, left - 6), "end", tip=label))
        for s, column in enumerate(values):
            width = longest * column[i] / top
            out.append(
                f'<rect class="f{s % 3}" x="{left:.1f}" y="{y + s * thick}" width="{width:.1f}" '
                f'height="{thick - 1}"/>'
            )
        widest = left + longest * max(column[i] for column in values) / top
        shown = " / ".join(percent(column[i]) for column in values)
        out.append(_text(widest + 4, middle, shown, kind="d"))
    return _svg(400, 8 + len(labels) * step, out, _named(series))


def histogram(
    edges: Sequence[float],
    series: Mapping[str, Sequence[float]],
    *,
    missing: Sequence[float] | None = None,
    axis: Callable[[float], str] = number,
) -> str:
    """Overlaid histograms. `edges` (B + 1,), each series (B,) shares; `missing` a share a series.

    Bins are drawn by their width on the axis and shares as height, so give bins of equal width.
    The first series is an area, the others are lines. `axis` writes a value of the axis.
    """
    left, right, base, height = 8.0, 392.0 if missing is None else 336.0, 130.0, 112.0
    values = [[_finite(v) for v in column] for column in series.values()]
    lost = [] if missing is None else [_finite(v) for v in missing]
    top = max([v for column in values for v in column] + lost, default=0.0) or 1.0
    low, span = edges[0], (edges[-1] - edges[0]) or 1.0
    out = [f'<line class="ax" x1="{left}" x2="{right}" y1="{base}" y2="{base}"/>']
    for s, column in enumerate(values):
        points = [(left, base)]
        for a, b, v in zip(edges[:-1], edges[1:], column, strict=True):
            y = base - height * v / top
            points += [(left + (right - left) * (e - low) / span, y) for e in (a, b)]
        points.append((right, base))
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        kind = "f0 o" if s == 0 else f"l{s % 3}"
        out.append(f'<polyline class="{kind}" points="{path}"/>')
    middle = low + span / 2
    for x, value, anchor in ((left, low, "start"), (right, edges[-1], "end")):
        out.append(_text(x, base + 15, esc(axis(value)), anchor, "d"))
    out.append(_text((left + right) / 2, base + 15, esc(axis(middle)), "middle", "d"))
    for s, share in enumerate(lost):
        rise = height * share / top
        out.append(
            f'<rect class="f{s % 3}" x="{352 + s * 14}" y="{base - rise:.1f}" width="12" '
            f'height="{rise:.1f}"/>'
        )
    if lost:
        out.append(_text(398, base + 15, esc(say("missing")), "end", "d"))
        out.append(_text(398, base + 28, " / ".join(map(percent, lost)), "end", "d"))
    return _svg(400, 164, out, _named(series))


def heatmap(labels: Sequence[str], matrix: Sequence[Sequence[float]], *, high: float = 1.0) -> str:
    """A square table of colours: strength as opacity, blue above zero and orange below it.

    Values are cut at `high` either way; NaN is left empty. Every cell shows its value on hover.
    """
    count = max(len(labels), 1)
    cell = min(30.0, 250.0 / count)
    left, top = 104.0, 8.0
    out = []
    for i, label in enumerate(labels):
        if cell >= 7:
            y = top + (i + 0.5) * cell
            out.append(_text(left - 4, y + 3, fitted(label, 98), "end", tip=label))
            x = left + (i + 0.5) * cell
            turn = f' transform="rotate(-60 {x + 3:.1f} {top + count * cell + 8:.1f})"'
            out.append(_text(x + 3, top + count * cell + 8, fitted(label, 84), "end", more=turn))
        for j, other in enumerate(labels):
            value = float(matrix[i][j])
            if math.isnan(value):
                continue
            strength = min(abs(value) / (high or 1.0), 1.0)
            out.append(
                f'<rect class="f{0 if value >= 0 else 1}" x="{left + j * cell:.1f}" '
                f'y="{top + i * cell:.1f}" width="{cell * 0.94:.1f}" height="{cell * 0.94:.1f}" '
                f'fill-opacity="{strength:.2f}"><title>{short(label)}, {short(other)}: '
                f"{value:.2f}</title></rect>"
            )
    size = count * cell
    out.append(f'<rect class="ax" x="{left}" y="{top}" width="{size:.1f}" height="{size:.1f}"/>')
    return _svg(360, top + size + (84 if cell >= 7 else 8), out, say("heat map"))


def lines(
    x: Sequence[float],
    series: Mapping[str, Sequence[float]],
    *,
    across: str,
    up: str,
    diagonal: bool = False,
    band: tuple[Sequence[float], Sequence[float]] | None = None,
) -> str:
    """Curves over one axis. `across` and `up` name the axes; `diagonal` adds a dashed y = x.

    `band`: the lower and the upper ends of a range round the first series.
    """
    values = [[_finite(v) for v in column] for column in series.values()]
    ends = [[max(_finite(v), 0.0) for v in column] for column in band or ()]
    high = 1.0 if diagonal else max((v for c in values + ends for v in c), default=0.0) or 1.0
    low_x, span = (x[0], (x[-1] - x[0]) or 1.0) if len(x) else (0.0, 1.0)
    left, right, base, height = 46.0, 390.0, 190.0, 176.0
    out = [f'<polyline class="ax" points="{left},14 {left},{base} {right},{base}"/>']
    if diagonal:
        out.append(f'<line class="ax dash" x1="{left}" y1="{base}" x2="{right}" y2="14"/>')

    def path(points: Iterable[tuple[float, float]]) -> str:
        return " ".join(
            f"{left + (right - left) * (a - low_x) / span:.1f},{base - height * b / high:.1f}"
            for a, b in points
        )

    if ends:
        there = zip(x, ends[0], strict=True)
        back = zip(reversed(x), reversed(ends[1]), strict=True)
        out.append(f'<polygon class="f0 band" points="{path([*there, *back])}"/>')
    for s, column in enumerate(values):
        out.append(f'<polyline class="l{s % 3}" points="{path(zip(x, column, strict=True))}"/>')
    for place, value in ((left, low_x), (right, low_x + span)):
        anchor = "start" if place == left else "end"
        out.append(_text(place, base + 14, number(value), anchor, "d"))
    out.append(_text(left - 4, 20, number(high), "end", "d"))
    out.append(_text(left - 4, base, "0", "end", "d"))
    out.append(_text((left + right) / 2, base + 28, esc(across), "middle", "d"))
    out.append(_text(left + 4, 12, esc(up), "start", "d"))
    return _svg(400, 224, out, _named(series))


def overlay(
    cells: Sequence[tuple[int, int, float]],
    dots: Sequence[tuple[float, float]],
    *,
    side: int,
    across: str,
    up: str,
    label: str,
) -> str:
    """Dots over shaded cells: one set of points as counts, the other one by one.

    `cells`: (column, row, share) of a grid of `side` by `side`, shaded by the root of their share,
    so that thin cells show; `dots`: (x, y), each from 0 to 1. `label`: what it shows, in words.
    """
    left, base, wide, high = 26.0, 256.0, 364.0, 240.0
    top = max((share for *_, share in cells), default=0.0) or 1.0
    levels: dict[int, list[str]] = {}
    for i, j, share in cells:
        x, y = left + wide * i / side, base - high * (j + 1) / side
        path = f"M{x:.1f},{y:.1f}h{wide / side:.1f}v{high / side:.1f}h-{wide / side:.1f}z"
        levels.setdefault(max(1, math.ceil(8 * math.sqrt(share / top))), []).append(path)
    out = [
        f'<path class="f0" fill-opacity="{0.075 * level:.2f}" d="{"".join(paths)}"/>'
        for level, paths in sorted(levels.items())
    ]
    places = "".join(f"M{left + wide * x:.1f},{base - high * y:.1f}h0" for x, y in dots)
    out.append(f'<path class="dots" d="{places}"/>')
    out.append(f'<path class="ax" d="M{left},{base - high}V{base}H{left + wide}"/>')
    out.append(_text(left + wide / 2, base + 16, esc(across), "middle", "d"))
    turn = f' transform="rotate(-90 14 {base - high / 2:.0f})"'
    out.append(_text(14, base - high / 2, esc(up), "middle", "d", more=turn))
    return _svg(400, base + 24, out, label)


def intervals(
    rows: Sequence[tuple[str, float, float, float, float | None, str]],
    *,
    axis: Callable[[float], str] = number,
) -> str:
    """Dots with whiskers: (label, low, value, high, reference or None, verdict), one a line.

    The reference is a grey diamond. All rows share one axis, from 0 where that is not far.
    """
    ends = [v for r in rows for v in (*r[1:4], r[4]) if v is not None and math.isfinite(v)]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    low = 0.0 if 0 < low < 0.3 * high else low
    span = (high - low) or 1.0

    def place(v: float) -> float:
        return 190 + 200 * (min(max(v, low), high) - low) / span

    out = []
    for i, (label, start, value, end, reference, verdict) in enumerate(rows):
        y = 12 + i * 18
        out.append(_text(180, y + 4, fitted(label, 178), "end", tip=label))
        if reference is not None and math.isfinite(reference):
            r = place(reference)
            out.append(f'<path class="f2" d="M{r:.1f},{y - 6}l5,6l-5,6l-5,-6z"/>')
        if not math.isfinite(value):
            continue
        a, b = (place(v) if math.isfinite(v) else place(value) for v in (start, end))
        kind = verdict if verdict in {"pass", "warn", "fail"} else "info"
        out.append(f'<line class="v-{kind}" x1="{a:.1f}" x2="{b:.1f}" y1="{y}" y2="{y}"/>')
        out.append(f'<circle class="v-{kind}" cx="{place(value):.1f}" cy="{y}" r="3.5"/>')
    base = 12 + len(rows) * 18
    out.append(f'<line class="ax" x1="190" x2="390" y1="{base}" y2="{base}"/>')
    out.append(_text(190, base + 14, esc(axis(low)), "start", "d"))
    out.append(_text(390, base + 14, esc(axis(high)), "end", "d"))
    return _svg(400, base + 22, out, say("values with their intervals"))


def _named(series: Mapping[str, object]) -> str:
    """What a chart shows, for those who do not see it."""
    return ", ".join(series)


def _finite(value: float) -> float:
    return float(value) if math.isfinite(value) else 0.0


def _text(
    x: float,
    y: float,
    safe: str,
    anchor: str = "start",
    kind: str = "",
    *,
    tip: str | None = None,
    more: str = "",
) -> str:
    """An SVG text of already escaped `safe`; `tip` (raw) shows on hover where it was cut."""
    style = f' class="{kind}"' if kind else ""
    title = f"<title>{short(tip, 200)}</title>" if tip is not None and esc(tip) != safe else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{style}{more}>{safe}{title}</text>'


def _svg(width: float, height: float, parts: Sequence[str], label: str) -> str:
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{esc(label)}">'
        f"{''.join(parts)}</svg>"
    )
