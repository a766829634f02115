"""The report as one HTML page: the verdict on top, a section a question, plots first.

Every plot is drawn from a finding's details, so the page shows nothing that the findings do not
hold. Sizes are bounded: the worst 40 columns are plotted, the worst 400 findings listed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from geurim import html
from geurim.contract import Finding, Json, Lineage, Verdict
from geurim.html import bars, card, esc, heatmap, histogram, intervals, lines, number
from geurim.language import language, say
from geurim.verify.cards import columns_card, dots, named, ranked, tag, themed, told, words
from geurim.verify.markdown import LIMIT
from geurim.verify.prose import page as prose
from geurim.verify.report import Report, clean, tally
from geurim.verify.words import AXES

PLOTS = 40
LISTED = 400
MAPPED = 30  # columns of the heat maps

HEADINGS = {
    "faithful": ("Faithful?", "Do the synthetic rows look like the real ones?"),
    "useful": ("Useful?", "Does a model trained on them predict real rows as well?"),
    "private": ("Private?", "Do they give away the rows that were learned from?"),
    "fair": ("Fair?", "Are groups treated as in the real rows, or better?"),
    "rare": ("Rare cases?", "Do rare categories and extreme values come back?"),
    "collapsing": ("Collapsing?", "Does quality fade from generation to generation?"),
}

HOW_TO_READ = (
    "How to read this page: every check is made on the synthetic rows and also on real rows held "
    "out. The second figure shows how far apart honest rows are by luck alone; synthetic rows "
    "cannot be expected to do better. The range in brackets is where the figure would probably lie "
    "if other rows had been drawn (95 of 100 times)."
)

MEANING: dict[Verdict, str] = {
    "pass": "No check found a difference that matters.",
    "warn": "No check failed, but some differences deserve a look.",
    "fail": "At least one check failed: read below which, and why.",
    "info": "There were too few rows to judge.",
}


def to_html(report: Report, lang: str = "en") -> str:
    """The whole page, as text, in a language of `geurim.language`.

    Raises SettingError for a language there is not.
    """
    with language(lang):
        sections = [_section(report, q) for q in report.verdicts]
        body = [_top(report), *sections, _all_findings(report), _lineage(report)]
        what = "texts" if report.kind == "text" else "rows"
        return html.page(say(f"Geurim: synthetic {what} verified"), "".join(body), lang)


def _headings(report: Report) -> Mapping[str, tuple[str, str]]:
    return prose.HEADINGS if report.kind == "text" else HEADINGS


def _top(report: Report) -> str:
    rows, headings = report.rows, _headings(report)
    counts = (
        prose.top(rows)
        if report.kind == "text"
        else say(
            "{synthetic} synthetic rows were compared with {training} real rows they were learned "
            "from and {holdout} real rows "
            + ("never seen." if report.lineage["holdout"] else "of the same table.")
        ).format(**{k: f"{v:,}" for k, v in rows.items()})
    )
    boxes = "".join(
        f'<div class="card"><h3>{say(headings[q][0])} {tag(v)}</h3><p>{say(headings[q][1])}</p>'
        f'<p class="small dim">{say("Checks")}: '
        f"{esc(tally([f for f in report.findings if f.question == q]))}</p></div>"
        for q, v in report.verdicts.items()
    )
    notes = "".join(f"<p class='small dim'>{esc(say(n))}</p>" for n in report.notes)
    alone = not rows["training"]  # nothing real beside it: no verdict, and no luck to tell apart
    meaning = "" if alone and report.verdict == "info" else say(MEANING[report.verdict])
    explained = [LIMIT] if alone else [HOW_TO_READ, LIMIT]
    return (
        f"<h1>{say('Verdict')}: {tag(report.verdict)}</h1>"
        f"<p>{meaning} {counts}</p>"
        f'<div class="grid four">{boxes}</div>{notes}'
        + "".join(f'<p class="small dim">{say(part)}</p>' for part in explained)
    )


def _section(report: Report, question: str) -> str:
    own = [f for f in report.findings if f.question == question]
    title, meaning = _headings(report)[question]
    if report.kind == "text":
        parts = prose.section(question, own, words)
    else:
        parts = SECTIONS[question](own) if question in SECTIONS else []
        parts += themed(question, own)
    return (
        f"<h2>{say(title)} {tag(report.verdicts[question])}</h2><p>{say(meaning)}</p>"
        f'<div class="grid">{"".join(parts)}</div>'
    )


def _faithful(findings: list[Finding]) -> list[str]:
    out = [_c2st(f) for f in named(findings, "c2st_auc")]
    out += _pairs(findings)
    lost = ranked(named(findings, "missing_gap"))
    some = [f for f in lost if f.value > 0 or f.details.get("training")][:20]
    if lost:
        told = (
            f"<p class='small'>{say('Gap of the share of missing values')}: {esc(tally(lost))}.</p>"
        )
        if not some:
            none = say("No column misses a value, real or synthetic.")
            told += f"<p class='small dim'>{none}</p>"
        out.append(card(say("Missing values"), dots(some) if some else "", told))
    columns = ranked(named(findings, "column_ks", "column_tv"))
    head = html.legend(say("real"), say("synthetic"))
    if len(columns) > PLOTS:
        some_drawn = say(
            "The {shown} of {count} columns that differ most are drawn; all are in the table below."
        ).format(shown=PLOTS, count=f"{len(columns):,}")
        head += f"<p class='small dim'>{some_drawn}</p>"
    if columns:
        title = say("Each column, the most different first")
        out.append(f'<div class="wide"><h3>{title}</h3>{head}</div>')
    out += [_column(f) for f in columns[:PLOTS]]
    return out


def _column(finding: Finding) -> str:
    details = finding.details
    series = {say("real"): details["training"], say("synthetic"): details["synthetic"]}
    if finding.name == "column_ks":
        missing = details["missing"][:2]
        plot = histogram(
            details["edges"],
            series,
            missing=missing if any(missing) else None,
            axis=_axis(details),
        )
    else:
        labels = [*details["labels"], say("{count} others").format(count=f"{details['pooled']:,}")]
        labels += [say("not in real"), say("missing")]
        kept = [i for i in range(len(labels)) if any(s[i] for s in series.values())]
        plot = bars([labels[i] for i in kept], {k: [s[i] for i in kept] for k, s in series.items()})
    return card(finding.columns[0], plot, words(finding))


def _axis(details: Json) -> Callable[[float], str]:
    """How a column's places are written; whole numbers stand in the middle of their bins."""
    edges = details["edges"]
    write = AXES[details["axis"]]
    if not details["whole"]:
        return write
    return lambda v: write(math.ceil(v) if v == edges[0] else math.floor(v))


def _pairs(findings: list[Finding]) -> list[str]:
    whole = named(findings, "pair_distance")
    worst = named(findings, "pair_association")
    out = []
    drawn = [f for f in worst if "training" in f.details]
    if drawn:
        out += _maps(drawn[0].details)
    if whole:
        told = "".join(words(f) for f in whole)
        plot = dots(worst, number) if worst else ""
        out.append(card(say("Pairs whose dependence differs most"), plot, told))
    return out


def _maps(details: Json) -> list[str]:
    names = list(details["columns"])
    grids = [
        np.array([[np.nan if v is None else v for v in row] for row in details[k]], float)
        for k in ("training", "synthetic")
    ]
    gap = np.nan_to_num(np.abs(grids[0] - grids[1])).sum(axis=1)
    kept = np.sort(np.argsort(-gap, kind="stable")[:MAPPED])
    chosen = [names[i] for i in kept]
    real, made = (g[np.ix_(kept, kept)] for g in grids)
    some = ""
    if len(names) > MAPPED:
        some = " " + say("The {shown} of {count} columns that differ most are drawn.").format(
            shown=MAPPED, count=len(names)
        )
    told = "<p class='small'>{} " + say("Dark: one column tells much of the other.") + "{}</p>"
    return [
        card(
            say("Dependence of pairs: real"),
            heatmap(chosen, real.tolist()),
            told.format(say("Among the real rows."), some),
        ),
        card(
            say("Dependence of pairs: synthetic"),
            heatmap(chosen, made.tolist()),
            told.format(say("Among the synthetic rows; it should look the same."), some),
        ),
        card(
            say("Difference"),
            heatmap(chosen, (made - real).tolist(), high=0.3),
            "<p class='small'>"
            + say(
                "Blue: too strong in the synthetic rows; orange: too weak. Empty is best; the "
                "strongest colour is a difference of 0.3 or more."
            )
            + "</p>",
        ),
    ]


def _c2st(finding: Finding) -> str:
    if "scores" not in finding.details:
        return card(say("Can a machine tell them apart?"), words(finding))
    scores, roc = finding.details["scores"], finding.details["roc"]
    plots = (
        '<div class="grid"><div>'
        + histogram(
            scores["edges"],
            {say("real"): scores["training"], say("synthetic"): scores["synthetic"]},
        )
        + html.legend(say("real"), say("synthetic"))
        + "<p class='small dim'>"
        + say(
            "How synthetic each row looks to the classifier, 0 to 1. The two shapes should lie on "
            "each other."
        )
        + "</p></div><div>"
        + lines(
            np.linspace(0, 1, len(roc)).tolist(),
            {say("classifier"): roc},
            across=say("real rows wrongly called synthetic"),
            up=say("synthetic rows found out"),
            diagonal=True,
        )
        + "<p class='small dim'>"
        + say("The curve should lie on the dashed line: guessing.")
        + "</p></div></div>"
    )
    told = "".join(
        f"<li><b>{html.short(t['column'], 60)}</b>: {esc(say(t['text']))}</li>"
        for t in finding.details["telltales"]
    )
    return card(
        say("Can a machine tell them apart?"),
        plots,
        words(finding),
        f"<p class='small'>{say('What gives them away')}:</p><ul class='small'>{told}</ul>"
        if told
        else "",
        _betrayed(finding.details["rows"]),
        wide=True,
    )


def _betrayed(rows: Json) -> str:
    """The synthetic rows that the classifier is surest of, behind a line that opens them."""
    if not rows:
        return ""
    title = say("The {count} synthetic rows that it is surest of").format(count=len(rows))
    note = say(
        "What gives each row away, the most telling value first. They are synthetic: rows that "
        "equal a real one are left out, and so are categories that few real rows have."
    )
    cells = [
        [
            number(row["score"]),
            "; ".join(
                f"<b>{html.short(v['column'], 40)}</b> = {html.short(_value(v['value']), 60)}"
                for v in row["values"]
            ),
        ]
        for row in rows
    ]
    head = [say("score (1: surely synthetic)"), say("what gives it away")]
    return (
        f"<details><summary>{title}</summary><p class='small dim'>{note}</p>"
        f"{html.table(head, cells, numeric=(0,))}</details>"
    )


def _value(text: str) -> str:
    """A value as it is; what stands in the place of one in the language of the moment."""
    return say(text) if text in ("missing", "a rare value") else text


def _useful(findings: list[Finding]) -> list[str]:
    out = []
    for finding in named(findings, "tstr_gap"):
        d = finding.details
        if not d:
            out.append(card(say("Training on synthetic rows"), words(finding)))
            continue
        low, high = d["interval"]
        plot = intervals(
            [
                (say("trained on real"), d["real"], d["real"], d["real"], None, "info"),
                (say("trained on synthetic"), low, d["synthetic"], high, None, finding.verdict),
            ]
        )
        scale = f"<p class='small dim'>{esc(d['metric'])}; "
        scale += say("higher is better, 1 is perfect.") + "</p>"
        out.append(
            card(
                say("Predicting {column} of real rows").replace("{column}", finding.columns[0]),
                plot,
                scale,
                words(finding),
            )
        )
    return out


def _private(findings: list[Finding]) -> list[str]:
    out = []
    for finding in named(findings, "dcr_share"):
        plot = ""
        if "edges" in finding.details:
            d = finding.details
            plot = (
                histogram(d["edges"], {say("real"): d["holdout"], say("synthetic"): d["synthetic"]})
                + html.legend(say("real rows held out"), say("synthetic rows"))
                + "<p class='small dim'>"
                + say(
                    "Distance of each row to the nearest training row. Synthetic rows that pile up "
                    "at 0 are near-copies."
                )
                + "</p>"
            )
        out.append(card(say("Distance to the nearest training row"), plot, words(finding)))
    for finding in named(findings, "exact_copies"):
        shares = [finding.reference or 0.0, finding.value]
        plot = bars([say("real rows held out"), say("synthetic rows")], {say("copies"): shares})
        out.append(card(say("Exact copies of training rows"), plot, words(finding)))
    for name, title in (
        ("personal_survives", "Real values that come out again"),
        ("personal_found", "Personal data where there was none"),
    ):
        found = ranked(named(findings, name))
        if found:
            out.append(columns_card(say(title), found))
    return out


def _rare(findings: list[Finding]) -> list[str]:
    out = []
    for finding in named(findings, "rare_categories"):
        plot, lost = "", ""
        if finding.count:
            shares = [finding.reference or 0.0, finding.value]
            plot = bars(
                [say("real rows held out"), say("synthetic rows")], {say("come back"): shares}
            )
            names = finding.details["lost"]
            listed = ", ".join(f"{html.short(c)} = {html.short(v)}" for c, v in names[:12])
            lost = f"<p class='small'>{say('Lost')}: {listed}</p>" if listed else ""
        out.append(card(say("Rare categories that come back"), plot, words(finding), lost))
    for name, title in (
        ("tail_low", "Low extremes: below the 1st percentile"),
        ("tail_high", "High extremes: above the 99th percentile"),
        ("invented_categories", "Categories that the real rows do not have"),
        ("out_of_range", "Values outside the real range"),
    ):
        found = ranked(named(findings, name))
        if found:
            out.append(columns_card(say(title), found))
    return out


SECTIONS: dict[str, Callable[[list[Finding]], list[str]]] = {
    "faithful": _faithful,
    "useful": _useful,
    "private": _private,
    "rare": _rare,
}


def _all_findings(report: Report) -> str:
    listed = ranked(report.findings)
    rows = [
        [
            tag(f.verdict),
            f"{esc(say(f.question))}<br><code>{esc(f.name)}</code>",
            _columns(f),
            number(f.value),
            f"[{number(f.low)}, {number(f.high)}]" if f.count else "–",
            number(f.reference),
            number(float(f.count)),
            esc(told(f)[:300]),
        ]
        for f in listed[:LISTED]
    ]
    head = ["verdict", "check", "column", "value", "range (95%)", "held out", "count", "in words"]
    rest = (
        "<p>"
        + say("The worst {shown} of {count} findings; the JSON report has all.").format(
            shown=LISTED, count=f"{len(listed):,}"
        )
        + "</p>"
        if len(listed) > LISTED
        else ""
    )
    return (
        f"<h2>{say('All findings')}</h2>{rest}"
        f'<div class="card">{html.table([say(h) for h in head], rows, numeric=(3, 4, 5, 6))}</div>'
    )


def _columns(finding: Finding) -> str:
    """The columns of a finding; a trait or kind that stands for one has its Korean."""
    trait = finding.name in ("text_style", "text_personal")
    return ", ".join(html.short(say(c.replace("_", " ")) if trait else c) for c in finding.columns)


def _lineage(report: Report) -> str:
    rows: list[list[str]] = []
    for which, lineage in report.lineage.items():
        if lineage is not None:
            _generations(rows, which, lineage, 0)
    head = ["rows", "made by", "seed", "depth", "digest"]
    target = "" if report.target is None else f", {say('target')} {html.short(report.target, 60)}"
    return (
        f"<h2>{say('Where the rows come from')}</h2>"
        f"<p class='small dim'>{say('Depth 0 is real data; each generator adds one.')}</p>"
        f'<div class="card">{html.table([say(h) for h in head], rows[:40], numeric=(2, 3))}</div>'
        f"<p class='small dim'>{say('Verified with seed {seed}').format(seed=report.seed)}"
        f"{target}.</p>"
    )


def _generations(rows: list[list[str]], which: str, lineage: Lineage, level: int) -> None:
    seed = "–" if lineage.seed is None else str(lineage.seed)
    label = (
        "&nbsp;" * 4 * level
        + (f"{say('from')} " if level else "")
        + esc(say(which) if not level else "")
    )
    rows.append(
        [
            label,
            esc(clean(lineage.maker)[:300]),
            seed,
            str(lineage.depth),
            f"<code>{esc(lineage.digest[:16])}</code>",
        ]
    )
    for parent in lineage.parents if len(rows) < 40 else ():
        _generations(rows, which, parent, level + 1)
