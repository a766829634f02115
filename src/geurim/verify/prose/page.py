"""The text part of the report's page: plots first, then rows to read, all from findings."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from geurim import html
from geurim.contract import Finding, Json
from geurim.html import bars, card, esc, histogram, intervals, lines, number, percent, short
from geurim.verify.verdict import ORDER

HEADINGS: Mapping[str, tuple[str, str]] = {
    "faithful": ("Faithful?", "Do the synthetic texts read like the real ones?"),
    "useful": ("Useful?", "Are the labels right, what did the rewards do, how do the rows read?"),
    "private": ("Private?", "Do they repeat real texts, personal data or benchmark questions?"),
    "fair": ("Fair?", "Are groups treated as in the real texts, or better?"),
    "rare": ("Covered?", "Are all kinds of real text there, in the shares asked for?"),
    "collapsing": ("Varied?", "Do the texts differ from each other as real ones do?"),
}

Tag = Callable[[Finding], str]
"""A finding's verdict and sentence as HTML."""


def section(question: str, findings: list[Finding], say: Tag) -> list[str]:
    """The cards of one question; `say` writes a finding's verdict and sentence."""
    own = {
        "faithful": _faithful,
        "useful": _useful,
        "private": _private,
        "rare": _covered,
        "collapsing": _varied,
    }
    return own[question](findings, say) if question in own else []


def top(rows: Mapping[str, int]) -> str:
    """What was compared, in a sentence."""
    if not rows["training"]:
        return (
            f"{rows['synthetic']:,} synthetic texts were looked at. There was no real text to "
            "compare them with, so most of what is measured has no verdict."
        )
    return (
        f"{rows['synthetic']:,} synthetic texts were compared with {rows['training']:,} real ones, "
        f"and {rows['holdout']:,} other real ones show what real text gets."
    )


def _named(findings: list[Finding], *names: str) -> list[Finding]:
    return [f for f in findings if f.name in names]


def _faithful(findings: list[Finding], say: Tag) -> list[str]:
    out = [_c2st(f, say) for f in _named(findings, "text_c2st_auc")]
    for finding in _named(findings, "text_length"):
        d = finding.details
        series = {k: d[n] for k, n in (("real", "training"), ("synthetic", "synthetic")) if n in d}
        key = html.legend(*series) if len(series) > 1 else ""
        plot = histogram(d["edges"], series, axis=lambda v: number(round(10**v - 1)))
        note = "<p class='small dim'>Characters; each step to the right is a factor.</p>"
        out.append(card("Length", plot, key, note, say(finding)))
    spread = _named(findings, "text_word_divergence", "text_character_divergence")
    if spread:
        names = {"text_word_divergence": "words", "text_character_divergence": "characters"}
        plot = _dots([(names[f.name], f) for f in spread])
        out.append(card("Words and characters used", plot, *(say(f) for f in spread)))
    out += _style(_named(findings, "text_style"), say)
    return out


def _dots(rows: list[tuple[str, Finding]], axis: Callable[[float], str] = number) -> str:
    drawn = [(n, f.low, f.value, f.high, f.reference, f.verdict) for n, f in rows if f.count]
    if not drawn:
        return ""
    key = "Dot: synthetic text, with its range. Grey diamond: real text."
    return intervals(drawn, axis=axis) + f"<p class='small dim'>{key}</p>"


def _c2st(finding: Finding, say: Tag) -> str:
    title = "Can a machine tell them apart?"
    d = finding.details
    if "scores" not in d:
        return card(title, say(finding))
    scores = d["scores"]
    shares = {"real": scores["training"], "synthetic": scores["synthetic"]}
    plots = (
        f'<div class="grid"><div>{histogram(scores["edges"], shares)}'
        f"{html.legend('real', 'synthetic')}<p class='small dim'>How synthetic each text looks to "
        "the classifier, 0 to 1. The two shapes should lie on each other.</p></div><div>"
    )
    steps = len(d["roc"]) - 1
    plots += lines(
        [i / steps for i in range(steps + 1)],
        {"classifier": d["roc"]},
        across="real texts wrongly called synthetic",
        up="synthetic texts found out",
        diagonal=True,
    )
    plots += (
        "<p class='small dim'>The curve should lie on the dashed line: guessing.</p></div></div>"
    )
    return card(title, plots, say(finding), _telltales(d["telltales"]), wide=True)


def _telltales(told: Json) -> str:
    if not told:
        return ""
    head = (
        "<p class='small'>What gives them away, the surest first: share of texts that hold it.</p>"
    )
    sides = []
    for title, more in (("Too often in synthetic text", True), ("Too seldom", False)):
        own = [t for t in told if (t["synthetic"] > t["training"]) == more][:10]
        if own:
            shares = {
                "real": [t["training"] for t in own],
                "synthetic": [t["synthetic"] for t in own],
            }
            plot = bars([t["text"] for t in own], shares)
            sides.append(f"<div><h3>{title}</h3>{plot}</div>")
    return f'{head}<div class="grid">{"".join(sides)}</div>{html.legend("real", "synthetic")}'


def _style(findings: list[Finding], say: Tag) -> list[str]:
    if not findings:
        return []
    ranked = sorted(findings, key=lambda f: (-ORDER.index(f.verdict), -f.value))[:14]
    labels = [f.columns[0] for f in ranked]
    series = {"synthetic": [f.details["synthetic"] for f in ranked]}
    if "training" in ranked[0].details:
        series = {"real": [f.details["training"] for f in ranked], **series}
    key = html.legend(*series) if len(series) > 1 else ""
    rest = f" {len(findings) - 14} more are in the table below." if len(findings) > 14 else ""
    note = f"<p class='small dim'>Share of texts, the most different first.{rest}</p>"
    worst = [f"<p class='small'><b>{short(f.columns[0], 60)}</b></p>{say(f)}" for f in ranked[:2]]
    return [card("How people write: register and noise", bars(labels, series), key, note, *worst)]


def _useful(findings: list[Finding], say: Tag) -> list[str]:
    out = []
    for f in _named(findings, "text_label_gap"):
        plot = ""
        if f.details:
            low, high = f.details["interval"]
            real = f.details["real"]
            rows = [
                ("trained on real", real, real, real, None, "info"),
                ("trained on synthetic", low, f.details["synthetic"], high, None, f.verdict),
            ]
            plot = intervals(rows) + "<p class='small dim'>AUC; 1 is perfect, 0.5 guessing.</p>"
        out.append(card("Labels: trained on synthetic, tested on real", plot, say(f)))
    for f in _named(findings, "text_label_consistency"):
        out.append(card("Labels most at odds with their text", say(f), _odds(f.details)))
    for f in _named(findings, "text_rewards"):
        d, plot = f.details, ""
        if d:
            series = {k: d[k] for k in ("before", "after") if k in d}
            key = html.legend(*(f"{k} curation" for k in series))
            plot = histogram(d["edges"], series) + key
        out.append(card("Rewards before and after curation", plot, say(f)))
    for f in _named(findings, "text_examples"):
        out += _reading(f)
    return out


def _odds(details: Mapping[str, Json]) -> str:
    rows = [
        f"<p class='small'><b>{short(r['label'], 40)}</b>, or rather "
        f"<b>{short(r['guess'], 40)}</b>? {short(r['text'], 220)}</p>"
        for r in details.get("at_odds", [])
    ]
    return "".join(rows)


def _reading(finding: Finding) -> list[str]:
    """Rows to read: a wide card each for the best, the worst, the rejected and real ones."""
    titles = {
        "best": "Examples to read: the best by score",
        "worst": "Examples to read: the worst that were kept",
        "rejected": "Examples to read: rejected",
        "real": "Examples to read: real text, for comparison",
        "drawn by lot": "Examples to read: drawn by lot",
    }
    out = []
    stages = finding.details.get("stages") or []
    if stages:
        total = max(sum(s["rows"] for s in stages), 1)
        plot = bars([s["stage"] for s in stages], {"rejects": [s["rows"] / total for s in stages]})
        note = f"<p class='small dim'>Share of {total:,} rejected rows, by the stage.</p>"
        out.append(card("Why rows were rejected", plot, note))
    for group, rows in finding.details["groups"].items():
        if rows:
            out.append(card(titles.get(group, group), *(_row(r) for r in rows), wide=True))
    return out


def _row(row: Mapping[str, Json]) -> str:
    """One text, its line breaks kept, and what is known of it."""
    facts = " · ".join(
        f"{esc(k)}: <b>{number(v) if isinstance(v, float) else esc(v)}</b>"
        for k, v in row.items()
        if k not in ("text", "cut")
    )
    text = esc(row["text"]) + (" […]" if row.get("cut") else "")
    text = text or "<i>(empty)</i>"
    above = f"<div class='small dim'>{facts}</div>" if facts else ""
    return f'<div class="text">{above}<div class="quote">{text}</div></div>'


def _private(findings: list[Finding], say: Tag) -> list[str]:
    out = []
    for name, title, other in (
        ("text_exact_copies", "Copies of real texts", "real"),
        ("text_near_copies", "Near copies of real texts", "real"),
        ("text_contamination", "Benchmark texts", "benchmark"),
    ):
        for f in _named(findings, name):
            pairs = [
                f"<div class='text'><div class='quote'>{short(e['synthetic'], 200)}</div>"
                + (
                    f"<div class='small dim'>{other}: {short(e[other], 200)}</div>"
                    if e[other] != e["synthetic"]
                    else ""
                )
                + "</div>"
                for e in f.details.get("examples", [])[:3]
            ]
            out.append(card(title, _against(f), say(f), *pairs))
    for f in _named(findings, "text_copied_spans"):
        spans = [
            f"<div class='text'><div class='quote'>{short(e['span'], 200)}</div>"
            f"<div class='small dim'>{e['characters']:,} characters, {percent(e['share'])} of the "
            "text</div></div>"
            for e in f.details.get("examples", [])[:3]
        ]
        out.append(card("Passages copied from real text", _against(f), say(f), *spans))
    return out + _personal(findings, say)


def _personal(findings: list[Finding], say: Tag) -> list[str]:
    found = sorted(_named(findings, "text_personal"), key=lambda f: -ORDER.index(f.verdict))
    if not found:
        return []
    plot = _dots([(f.columns[0], f) for f in found if f.value or f.reference], percent)
    seen = [
        f"<div class='text'><div class='small dim'>{esc(f.columns[0])}</div>"
        f"<div class='quote'>{short(t, 160)}</div></div>"
        for f in found
        for t in f.details.get("texts", [])[:1]
    ]
    note = "<p class='small dim'>Digits and mailboxes are blotted out.</p>" if seen else ""
    again = [say(f) for f in _named(findings, "text_personal_survives")]
    return [card("Personal data", plot, say(found[0]), *again, *seen[:3], note)]


def _against(finding: Finding) -> str:
    """The share among synthetic and among real texts, as bars; nothing where both are 0."""
    if not finding.count or not (finding.value or finding.reference):
        return ""
    if finding.reference is None:
        return bars(["synthetic texts"], {"share": [finding.value]})
    shares = [finding.reference, finding.value]
    return bars(["real texts", "synthetic texts"], {"share": shares})


def _covered(findings: list[Finding], say: Tag) -> list[str]:
    out = []
    for f in _named(findings, "text_clusters"):
        plot, key = "", ""
        rows = f.details.get("clusters", [])[:24]
        if rows:
            labels = [r["words"] or f"group {r['cluster']}" for r in rows]
            series = {
                "real": [r["training"] for r in rows],
                "synthetic": [r["synthetic"] for r in rows],
            }
            plot, key = bars(labels, series), html.legend("real", "synthetic")
            key += (
                "<p class='small dim'>Groups of alike real texts, the largest first, by the words "
                "that set them apart: the share of texts nearest to each.</p>"
            )
        out.append(card("Kinds of real text that are reached", plot, key, say(f)))
    for f in _named(findings, "text_quota"):
        d = f.details
        plot = bars(d["labels"][:20], {"asked": d["asked"][:20], "got": d["got"][:20]})
        out.append(card(f"Quota of {f.columns[0]}", plot, html.legend("asked", "got"), say(f)))
    return out


MEASURED = {
    "text_distinct_1": "distinct words",
    "text_distinct_2": "distinct pairs of words",
    "text_distinct_3": "distinct runs of three words",
    "text_vendi": "Vendi score",
    "text_self_bleu": "self-BLEU",
    "text_compression": "compression",
}


def _varied(findings: list[Finding], say: Tag) -> list[str]:
    rows = [f for f in findings if f.name in MEASURED]
    judged = [f for f in rows if f.count]
    out = []
    if judged:
        head = ["", "synthetic", "real", ""]
        cells = [
            [esc(MEASURED[f.name]), number(f.value), number(f.reference), say(f)] for f in rows
        ]
        note = (
            "<p class='small dim'>Each is made on groups of as many texts of both kinds. A high "
            "self-BLEU or compression means that texts repeat each other.</p>"
        )
        table = html.table(head, cells, numeric=(1, 2))
        out.append(card("Variety", table, note, wide=True))
    elif rows:
        out.append(card("Variety", say(rows[0])))
    doubled = _named(findings, "text_exact_duplicates", "text_near_duplicates")
    if doubled:
        names = {"text_exact_duplicates": "word for word", "text_near_duplicates": "nearly"}
        again = [
            f"<div class='text'><div class='small dim'>{e['count']:,} times, with variants</div>"
            f"<div class='quote'>{short(e['text'], 160)}</div></div>"
            for e in doubled[-1].details["examples"][:3]
        ]
        plot = _dots([(names[f.name], f) for f in doubled if f.value or f.reference], percent)
        out.append(card("Texts that come again", plot, *(say(f) for f in doubled), *again))
    for f in _named(findings, "text_openings"):
        rows_ = f.details.get("openings", [])
        plot = ""
        if rows_:
            series = {"synthetic": [r["synthetic"] for r in rows_]}
            if rows_[0]["training"] is not None:
                series = {"real": [r["training"] for r in rows_], **series}
            plot = bars([r["text"] for r in rows_], series) + html.legend(*series)
        out.append(card("The commonest openings", plot, say(f)))
    return out
