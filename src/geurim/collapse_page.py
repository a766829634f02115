"""A collapse study as one HTML page: what faded, a plot a measure, every figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from geurim import html
from geurim.collapse import Collapse, ShareSearch, holds
from geurim.contract import Finding
from geurim.generations import Generation
from geurim.html import card, esc, legend, lines, number, percent
from geurim.verify.cards import tag
from geurim.verify.collapsing import MEASURES, title_of
from geurim.verify.report import clean

_MEANING = {
    "pass": "No measure changed by more than its tolerance since generation 1.",
    "warn": "Something faded: look at the measures marked below.",
    "fail": "The rows collapse: at least one measure has changed far beyond its tolerance.",
    "info": "There are too few rows to tell.",
}
_WORDS = {
    "replace": "Each generation learned from the rows of the one before",
    "accumulate": "Each generation learned from the real rows and those of all before",
    "texts": "The texts of each generation were given",
}


def collapse_page(found: Collapse) -> str:
    """The page of one run."""
    last = found.generations[-1].number
    made = "" if found.mode == "texts" else f" Generator: {esc(clean(found.generator)[:120])}."
    body = (
        f"<h1>Fading over {last} generations: {tag(found.verdict)}</h1>"
        f"<p>{_MEANING[found.verdict]} {_WORDS[found.mode]}{_share(found)}.{made} "
        f"Seed {found.seed}.</p>{_notes(found.notes)}"
        '<p class="small dim">A verdict compares the last generation with the first: what the '
        "generator gets wrong from the start is not fading. The band is where a figure would "
        "probably lie if other rows had been drawn (95 of 100 times).</p>"
        f"{legend('the generations', 'real rows never seen')}"
        f'<div class="grid">{"".join(_curve(found, f) for f in found.findings if f.count)}</div>'
        f"<h2>What changed</h2>{_changes(found)}<h2>Every figure</h2>{_figures(found.generations)}"
    )
    return html.page("Geurim: do the rows fade?", body)


def _share(found: Collapse) -> str:
    if found.real_share is None:
        return ""
    share = found.real_share
    return f", with {percent(share)} real rows each time" if share else ", without real rows"


def _notes(notes: Sequence[str]) -> str:
    return "".join(f"<p class='small dim'>{esc(n)}</p>" for n in notes)


def _write(name: str) -> Callable[[float], str]:
    return MEASURES[name].write if name in MEASURES else number


def _curve(found: Collapse, finding: Finding) -> str:
    words = f"<p class='small'>{tag(finding.verdict)} {esc(finding.text)}</p>"
    points = found.curve(finding.name)
    x = [float(n) for n, _ in points]
    values = {"the generations": [f.value for _, f in points]}
    if points[0][0] == 0:
        values["real rows never seen"] = [points[0][1].value] * len(points)
    band = [f.low for _, f in points], [f.high for _, f in points]
    plot = lines(x, values, across="generation (0: real rows never seen)", up="", band=band)
    return card(title_of(finding.name), plot, words)


def _changes(found: Collapse) -> str:
    rows = [
        [
            tag(f.verdict),
            esc(title_of(f.name)),
            _cell(f, f.details.get("first")),
            _cell(f, f.value if f.count else None),
            _cell(f, f.reference),
            number(f.details.get("change")),
            number(f.details.get("tolerance")),
        ]
        for f in found.findings
    ]
    last = found.generations[-1].number
    head = ["verdict", "measure", "generation 1", f"generation {last}", "real rows never seen"]
    head += ["change for the worse", "tolerance"]
    return f'<div class="card">{html.table(head, rows, numeric=(2, 3, 4, 5, 6))}</div>'


def _cell(finding: Finding, value: float | None) -> str:
    return "–" if value is None else _write(finding.name)(value)


def _figures(generations: Sequence[Generation]) -> str:
    rows = [
        [
            str(g.number),
            f"{g.training:,}" if g.training else "–",
            f"{g.real:,}" if g.training else "–",
            esc(title_of(f.name)),
            _write(f.name)(f.value),
            f"[{_write(f.name)(f.low)}, {_write(f.name)(f.high)}]",
            f"{f.count:,}",
        ]
        for g in generations
        for f in g.findings
        if f.count
    ]
    head = [
        "generation",
        "learned from",
        "of them real",
        "measure",
        "value",
        "range (95%)",
        "count",
    ]
    return f'<div class="card">{html.table(head, rows, numeric=(0, 1, 2, 4, 5, 6))}</div>'


def shares_page(found: ShareSearch) -> str:
    """The page of a search for the smallest share of real rows."""
    run = found.runs[0][1]
    last = run.generations[-1].number
    body = (
        f"<h1>Real rows needed: {esc(found.needed)}</h1>"
        f"<p>{_WORDS[run.mode]}, {last} generations long, once for each share of real rows. A "
        "measure is kept where it changed from generation 1 to the last by no more than its "
        f"tolerance, at this share and at all larger ones. Generator: "
        f"{esc(clean(run.generator)[:120])}. Seed {run.seed}.</p>{_notes(run.notes)}"
        f'<div class="card">{_kept(found)}</div>{legend(f"generation {last}", "generation 1")}'
        f'<div class="grid">{"".join(_by_share(found, name) for name in found.smallest)}</div>'
    )
    return html.page("Geurim: how many real rows are needed?", body)


def _kept(found: ShareSearch) -> str:
    head = ["measure", "tolerance", *(percent(s) for s, _ in found.runs), "smallest share"]
    rows = []
    for name, share in found.smallest.items():
        own = [next(f for f in r.findings if f.name == name) for _, r in found.runs]
        marks = ["✓ kept" if holds(r, name) else "✗ faded" for _, r in found.runs]
        least = "none of those tried" if share is None else percent(share)
        tolerance = number(own[0].details["tolerance"])
        rows.append([esc(title_of(name)), tolerance, *marks, f"<b>{least}</b>"])
    return html.table(head, rows, numeric=(1,))


def _by_share(found: ShareSearch, name: str) -> str:
    own = [(s, next(f for f in r.findings if f.name == name)) for s, r in found.runs]
    own = [(s, f) for s, f in own if f.count]
    values = {
        "the last generation": [f.value for _, f in own],
        "generation 1": [f.details["first"] for _, f in own],
    }
    band = [f.low for _, f in own], [f.high for _, f in own]
    plot = lines([s for s, _ in own], values, across="share of real rows", up="", band=band)
    return card(title_of(name), plot)
