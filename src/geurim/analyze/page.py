"""A profile as one HTML page that opens offline: plots first, plain words beside each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from geurim import html
from geurim.analyze.store import write_text
from geurim.contract import Json, Profile

PLOTTED = 300  # columns with a plot of their own; beyond, a page would be too heavy to open
MAPPED = 60  # columns in the heat map
BINS = 40
BARS = 8
PAIRS = 15
RULES = 100

_DRAWN = ("number", "datetime", "category", "constant", "empty")


def profile_page(profile: Profile) -> str:
    """The whole page. Everything that comes from the data is escaped."""
    names = profile.schema.names
    plain = [n for n in names if profile.columns[n]["role"] in _DRAWN]
    parts = [_head(profile)]
    if plain:
        parts += ["<h2>The columns</h2>", _cards(profile, plain[:PLOTTED])]
    if len(plain) > PLOTTED:
        parts.append(f"<p>The first {PLOTTED} of {len(plain):,} columns are drawn.</p>")
    parts.append(_dependence(profile))
    anew = [n for n in names if profile.columns[n]["role"] not in _DRAWN]
    if anew:
        parts += [
            "<h2>What is never learned</h2>"
            "<p>Keys, personal data and free text: generators make these values anew.</p>",
            _cards(profile, anew[:PLOTTED]),
        ]
    parts += [_rules(profile), _roles(profile)]
    return html.page(f"Profile of {profile.lineage.maker}", "".join(parts))


def save_page(profile: Profile, path: str | Path) -> Path:
    """Write the profile's page to `path`, whole or not at all."""
    return write_text(profile_page(profile), path)


def _head(profile: Profile) -> str:
    roles = [str(found["role"]) for found in profile.columns.values()]
    anew = sum(role in ("key", "personal", "text") for role in roles)
    holes = sum(found["missing"] > 0 for found in profile.columns.values())
    return (
        f"<h1>Profile of {html.esc(profile.lineage.maker)}</h1>"
        f"<p><b>{profile.rows:,}</b> rows, <b>{len(roles):,}</b> columns; "
        f"{holes:,} of them with missing values, {anew:,} with keys, personal data or free text. "
        "</p>"
        '<p class="dim">No row of the table is in this page. Categories seen in too few rows are '
        "pooled, and the smallest and largest numbers are rounded outwards.</p>"
    )


def _cards(profile: Profile, names: list[str]) -> str:
    cards = "".join(_column(name, profile.columns[name]) for name in names)
    return f'<div class="grid">{cards}</div>'


def _column(name: str, found: Mapping[str, Json]) -> str:
    role = str(found["role"])
    draw: dict[str, Callable[[Mapping[str, Json]], str]] = {
        "number": _numbers,
        "datetime": _numbers,
        "category": _categories,
        "constant": _categories,
        "text": _text,
    }
    missing = f", {html.percent(found['missing'])} missing" if found["missing"] else ""
    distinct = f"{found.get('distinct', 0):,} distinct" if role != "empty" else "no values"
    about = f"{html.esc(role)}, {distinct}{missing}"
    body = draw.get(role, _hidden)(found)
    return html.card(name, f'<p class="small dim">{about}</p>', body)


def _numbers(found: Mapping[str, Json]) -> str:
    """A histogram read off the quantiles; long tails are cut at the 1% and 99% quantiles."""
    quantiles = np.asarray(found["quantiles"], float)
    low, high = quantiles[0], quantiles[-1]
    inner = quantiles[99] - quantiles[1]
    cut = inner > 0 and high - low > 2 * inner
    if cut:
        low, high = quantiles[1], quantiles[99]
    axis = _when if found["role"] == "datetime" else html.number
    words = [f"Half of the values lie between {axis(quantiles[25])} and {axis(quantiles[75])}."]
    repeated = sorted(found.get("repeated") or (), key=lambda pair: -pair[1])[:3]
    if repeated:
        held = ", ".join(f"{axis(v)} ({html.percent(s)})" for v, s in repeated)
        words.append(f"Held by many rows: {held}.")
    if cut:
        words.append("The lowest and highest 1% lie outside the plot.")
    plot = ""
    if _few_numbers(found):
        plot, words = _each_number(found), words[:-1] if cut else words
    elif high > low:
        edges = np.linspace(low, high, BINS + 1)
        below = _share_below(quantiles, edges)
        heights = np.diff(below)
        heights[0] += below[0] - _share_below(quantiles, np.array([np.nextafter(low, -np.inf)]))[0]
        plot = html.histogram(
            edges.tolist(),
            {"share of the values": heights.tolist()},
            missing=[float(found["missing"])] if found["missing"] else None,
            axis=axis,
        )
    return plot + f'<p class="small">{" ".join(html.esc(w) for w in words)}</p>'


def _few_numbers(found: Mapping[str, Json]) -> bool:
    """Whether all values are whole numbers near each other that many rows hold."""
    held = sum(share for _, share in found.get("repeated") or ())
    near = found["max"] - found["min"] <= 2 * BINS
    return bool(found["role"] == "number" and found["integer"] and held > 0.95 and near)


def _each_number(found: Mapping[str, Json]) -> str:
    """One bin a whole number, instead of lines between quantiles where no values are."""
    low, high = int(found["min"]), int(found["max"])
    heights = [0.0] * (high - low + 1)
    for value, share in found["repeated"]:
        heights[int(value) - low] = float(share)
    edges = [low - 0.5 + i for i in range(len(heights) + 1)]
    missing = [float(found["missing"])] if found["missing"] else None
    return html.histogram(edges, {"share of the values": heights}, missing=missing)


def _share_below(quantiles: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The share of values at or below each point; equal quantiles count with the last of them."""
    values, first = np.unique(quantiles, return_index=True)
    last = np.append(first[1:], len(quantiles)) - 1
    shares = np.interp(points, values, last / 100.0)
    return np.asarray(np.where(points < values[0], 0.0, shares))


def _when(value: float) -> str:
    """A time in microseconds since 1970, as a date or as a date with its time."""
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value)
    except (OverflowError, ValueError):
        return html.number(value)
    plain = moment.strftime("%H:%M") if moment.hour or moment.minute else ""
    return f"{moment.date().isoformat()} {plain}".strip()


def _categories(found: Mapping[str, Json]) -> str:
    shown = [(str(v), float(s)) for v, s in found["categories"]]
    pooled = found["pooled"]
    bars = shown[:BARS]
    rest = sum(s for _, s in shown[BARS:])
    if rest:
        bars.append((f"{len(shown) - BARS:,} others", rest))
    if pooled["count"]:
        bars.append(("rare, pooled", float(pooled["share"])))
    plot = html.bars([b[0] for b in bars], {"share of the values": [b[1] for b in bars]})
    words = ""
    if pooled["count"]:
        words = f"{pooled['count']:,} rows hold categories too rare to be shown."
    return plot + (f'<p class="small">{words}</p>' if words else "")


def _text(found: Mapping[str, Json]) -> str:
    lengths = found["length_quantiles"]
    words = (
        f"Free text: half of it has {lengths[5]:,} characters or fewer, one in ten more than "
        f"{lengths[9]:,}."
    )
    held = [f"{e.replace('_', ' ')} ({html.percent(s)})" for e, s in found["personal"].items()]
    if held:
        words += f" Some of it holds personal data: {', '.join(held)}."
    plot = html.lines(
        [float(v) for v in lengths],
        {"texts": [i / 10 for i in range(len(lengths))]},
        across="characters",
        up="share of texts up to this length",
    )
    return f'{plot}<p class="small">{html.esc(words)}</p>'


def _hidden(found: Mapping[str, Json]) -> str:
    if found["role"] == "personal":
        place = f", locale {found['locale']}" if found.get("locale") else ""
        words = f"Personal data: {str(found['entity']).replace('_', ' ')}{place}."
    elif found["role"] == "key":
        form = found.get("pattern") or found["form"]
        words = f"An identifier of the form {form}."
    else:
        words = "No row has a value."
    return f'<p class="small">{html.esc(words)}</p>'


def _dependence(profile: Profile) -> str:
    names = list(profile.dependence.get("columns") or ())
    if len(names) < 2:
        return ""
    matrix = np.asarray(profile.dependence["association"], float)
    pairs = np.argwhere(np.tril(np.ones_like(matrix), -1) > 0)
    pairs = pairs[np.argsort(-matrix[pairs[:, 0], pairs[:, 1]], kind="stable")[:PAIRS]]
    shown = [(names[j], names[i], matrix[i, j]) for i, j in pairs if matrix[i, j] > 0]
    rows = [[html.short(a), html.short(b), f"{v:.2f}"] for a, b, v in shown]
    body = (
        "<h2>What hangs together</h2>"
        "<p>From 0, nothing to do with each other, to 1, one column gives the other. Between two "
        "numbers in a straight relation it is about the size of their correlation; it sees curves "
        "and categories as well.</p>"
        '<div class="grid">'
    )
    few = min(len(names), MAPPED)
    drawn = matrix[:few, :few].copy()
    np.fill_diagonal(drawn, np.nan)
    title = "All pairs" if few == len(names) else f"Pairs of the first {few} columns"
    body += html.card(title, html.heatmap(names[:few], drawn.tolist()))
    if rows:
        body += html.card("The strongest pairs", html.table(["", "", "strength"], rows, (2,)))
    return body + "</div>"


def _rules(profile: Profile) -> str:
    if not profile.rules:
        return ""
    lines = [_rule(rule) for rule in profile.rules[:RULES]]
    more = len(profile.rules) - RULES
    if more > 0:
        lines.append(f"and {more:,} more")
    items = "".join(f"<li>{line}</li>" for line in lines)
    return (
        "<h2>What always holds</h2>"
        "<p>Without one exception in the data, and not by chance: shuffled rows would have broken "
        "each of these in at least 25 places. Generate with <code>--constraint found</code> to "
        f"keep them, or name those you want.</p><ul>{items}</ul>"
    )


def _rule(rule: Mapping[str, Json]) -> str:
    """A rule in words, and as a constraint is written."""
    from geurim.constraints import rule_text

    def code(name: str) -> str:
        return f"<code>{html.short(name, 60)}</code>"

    kind = rule["kind"]
    if kind == "determines":
        words = f"{' and '.join(map(code, rule['by']))} give {code(rule['column'])}"
    elif kind == "order":
        words = f"{code(rule['low'])} is never greater than {code(rule['high'])}"
    elif kind == "sum":
        sign = " + " if rule["sign"] == "+" else " × "
        words = f"{code(rule['column'])} is {sign.join(map(code, rule['parts']))}"
    elif kind == "unique":
        words = f"{' and '.join(map(code, rule['columns']))} come together once only"
    else:
        words = f"{code(rule['column'])} never {'rises' if kind == 'falling' else 'falls'}"
        words += " from one row to the next"
    return f'{words} <span class="dim">{html.esc(rule_text(rule))}</span>'


def _roles(profile: Profile) -> str:
    rows = []
    for item in profile.schema:
        found = profile.columns[item.name]
        rows.append(
            [
                html.short(item.name, 60),
                html.esc(item.type),
                html.esc(found["role"]),
                html.percent(found["missing"]),
                html.esc(found.get("why", "")),
            ]
        )
    return (
        "<h2>What each column was taken for</h2>"
        "<p>Where this is wrong, say so in a schema file and analyze again.</p>"
        + html.table(["column", "type", "role", "missing", "why"], rows, (3,))
    )
