"""A collapse study as one HTML page: what faded, a plot a measure, every figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from geurim import html
from geurim.collapse import Collapse, ShareSearch, holds
from geurim.contract import Finding
from geurim.generations import Generation
from geurim.html import card, esc, legend, lines, number, percent
from geurim.language import language, say
from geurim.verify.cards import tag, words
from geurim.verify.collapsing import MEASURES, title_of
from geurim.verify.report import clean

_MEANING = {
    "pass": "No measure changed by more than its tolerance since generation 1.",
    "warn": "Something faded: look at the measures marked below.",
    "fail": "The rows collapse: at least one measure has changed far beyond its tolerance.",
    "info": "There are too few rows to tell.",
}
_WORDS = {
    "replace": "Each generation learned from the rows of the one before.",
    "accumulate": "Each generation learned from the real rows and those of all before.",
    "texts": "The texts of each generation were given.",
}
_SHARES = (
    "It went on for {count} generations, once for each share of real rows. A measure is kept where "
    "it changed from generation 1 to the last by no more than its tolerance, at this share and at "
    "all larger ones."
)
_HOW = (
    "A verdict compares the last generation with the first: what the generator gets wrong from the "
    "start is not fading. The band is where a figure would probably lie if other rows had been "
    "drawn (95 of 100 times)."
)


def collapse_page(found: Collapse, lang: str = "en") -> str:
    """The page of one run, in a language of `geurim.language`."""
    with language(lang):
        title = say("Fading over {count} generations").format(count=found.generations[-1].number)
        body = (
            f"<h1>{title}: {tag(found.verdict)}</h1>"
            f"<p>{say(_MEANING[found.verdict])} {say(_WORDS[found.mode])} {_share(found)}"
            f"{_maker(found)}</p>{_notes(found.notes)}"
            f'<p class="small dim">{say(_HOW)}</p>'
            f"{legend(say('the generations'), say('real rows never seen'))}"
            f'<div class="grid">{"".join(_curve(found, f) for f in found.findings if f.count)}'
            f"</div><h2>{say('What changed')}</h2>{_changes(found)}"
            f"<h2>{say('Every figure')}</h2>{_figures(found.generations)}"
        )
        return html.page(say("Geurim: do the rows fade?"), body, lang)


def _share(found: Collapse) -> str:
    if found.real_share is None:
        return ""
    if not found.real_share:
        return say("There were no real rows among them.") + " "
    share = say("Each time {share} of the rows were real.")
    return share.format(share=percent(found.real_share)) + " "


def _maker(found: Collapse) -> str:
    seed = f"{say('seed')} {found.seed}."
    if found.mode == "texts":
        return seed
    return f"{say('Generator')}: {esc(clean(found.generator)[:120])}, {seed}"


def _notes(notes: Sequence[str]) -> str:
    return "".join(f"<p class='small dim'>{esc(say(n))}</p>" for n in notes)


def _write(name: str) -> Callable[[float], str]:
    return MEASURES[name].write if name in MEASURES else number


def _curve(found: Collapse, finding: Finding) -> str:
    points = found.curve(finding.name)
    x = [float(n) for n, _ in points]
    values = {say("the generations"): [f.value for _, f in points]}
    if points[0][0] == 0:
        values[say("real rows never seen")] = [points[0][1].value] * len(points)
    band = [f.low for _, f in points], [f.high for _, f in points]
    plot = lines(x, values, across=say("generation (0: real rows never seen)"), up="", band=band)
    return card(say(title_of(finding.name)), plot, words(finding))


def _changes(found: Collapse) -> str:
    rows = [
        [
            tag(f.verdict),
            esc(say(title_of(f.name))),
            _cell(f, f.details.get("first")),
            _cell(f, f.value if f.count else None),
            _cell(f, f.reference),
            number(f.details.get("change")),
            number(f.details.get("tolerance")),
        ]
        for f in found.findings
    ]
    last = found.generations[-1].number
    head = [say("verdict"), say("measure"), _nth(1), _nth(last), say("real rows never seen")]
    head += [say("change for the worse"), say("tolerance")]
    return f'<div class="card">{html.table(head, rows, numeric=(2, 3, 4, 5, 6))}</div>'


def _nth(number: int) -> str:
    return say("generation {number}").format(number=number)


def _cell(finding: Finding, value: float | None) -> str:
    return "–" if value is None else _write(finding.name)(value)


def _figures(generations: Sequence[Generation]) -> str:
    rows = [
        [
            str(g.number),
            f"{g.training:,}" if g.training else "–",
            f"{g.real:,}" if g.training else "–",
            esc(say(title_of(f.name))),
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
    named = [say(h) for h in head]
    return f'<div class="card">{html.table(named, rows, numeric=(0, 1, 2, 4, 5, 6))}</div>'


def shares_page(found: ShareSearch, lang: str = "en") -> str:
    """The page of a search for the smallest share of real rows."""
    with language(lang):
        run = found.runs[0][1]
        last = run.generations[-1].number
        body = (
            f"<h1>{say('Real rows needed')}: {esc(say(found.needed))}</h1>"
            f"<p>{say(_WORDS[run.mode])} {say(_SHARES).format(count=last)} {_maker(run)}</p>"
            f"{_notes(run.notes)}"
            f'<div class="card">{_kept(found)}</div>{legend(_nth(last), _nth(1))}'
            f'<div class="grid">{"".join(_by_share(found, name) for name in found.smallest)}</div>'
        )
        return html.page(say("Geurim: how many real rows are needed?"), body, lang)


def _kept(found: ShareSearch) -> str:
    shares = [percent(s) for s, _ in found.runs]
    head = [say("measure"), say("tolerance"), *shares, say("smallest share")]
    rows = []
    for name, share in found.smallest.items():
        own = [next(f for f in r.findings if f.name == name) for _, r in found.runs]
        marks = [say("✓ kept" if holds(r, name) else "✗ faded") for _, r in found.runs]
        least = say("none of those tried") if share is None else percent(share)
        tolerance = number(own[0].details["tolerance"])
        rows.append([esc(say(title_of(name))), tolerance, *marks, f"<b>{least}</b>"])
    return html.table(head, rows, numeric=(1,))


def _by_share(found: ShareSearch, name: str) -> str:
    own = [(s, next(f for f in r.findings if f.name == name)) for s, r in found.runs]
    own = [(s, f) for s, f in own if f.count]
    values = {
        say("the last generation"): [f.value for _, f in own],
        _nth(1): [f.details["first"] for _, f in own],
    }
    band = [f.low for _, f in own], [f.high for _, f in own]
    plot = lines([s for s, _ in own], values, across=say("share of real rows"), up="", band=band)
    return card(say(title_of(name)), plot)
