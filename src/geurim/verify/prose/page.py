"""The text part of the report's page: plots first, then rows to read, all from findings."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from geurim import html
from geurim.contract import Finding, Json
from geurim.html import bars, card, esc, histogram, intervals, lines, number, percent, short
from geurim.language import say
from geurim.verify.verdict import ORDER

HEADINGS: Mapping[str, tuple[str, str]] = {
    "faithful": ("Faithful?", "Do the synthetic texts read like the real ones?"),
    "useful": ("Useful?", "Are the labels right, what did the rewards do, how do the rows read?"),
    "private": ("Private?", "Do they repeat real texts, personal data or benchmark questions?"),
    "fair": ("Fair?", "Are groups treated as in the real texts, or better?"),
    "rare": ("Covered?", "Are all kinds of real text there, in the shares asked for?"),
    "collapsing": ("Varied?", "Do the texts differ from each other as real ones do?"),
}

SIDES = (("real", "training"), ("synthetic", "synthetic"))

Tag = Callable[[Finding], str]
"""A finding's verdict and sentence as HTML."""


def section(question: str, findings: list[Finding], words: Tag) -> list[str]:
    """The cards of one question; `words` writes a finding's verdict and sentence."""
    own = {
        "faithful": _faithful,
        "useful": _useful,
        "private": _private,
        "rare": _covered,
        "collapsing": _varied,
    }
    return own[question](findings, words) if question in own else []


def top(rows: Mapping[str, int]) -> str:
    """What was compared, in a sentence."""
    if not rows["training"]:
        told = say(
            "{synthetic} synthetic texts were looked at. There was no real text to compare them "
            "with, so most of what is measured has no verdict."
        )
    else:
        told = say(
            "{synthetic} synthetic texts were compared with {training} real ones, and {holdout} "
            "other real ones show what real text gets."
        )
    return told.format(**{k: f"{v:,}" for k, v in rows.items()})


def _named(findings: list[Finding], *names: str) -> list[Finding]:
    return [f for f in findings if f.name in names]


def _faithful(findings: list[Finding], words: Tag) -> list[str]:
    out = [_c2st(f, words) for f in _named(findings, "text_c2st_auc")]
    for finding in _named(findings, "text_length"):
        d = finding.details
        series = {say(k): d[n] for k, n in SIDES if n in d}
        key = html.legend(*series) if len(series) > 1 else ""
        plot = histogram(d["edges"], series, axis=lambda v: number(round(10**v - 1)))
        note = _dim(say("Characters; each step to the right is a factor."))
        out.append(card(say("Length"), plot, key, note, words(finding)))
    spread = _named(findings, "text_word_divergence", "text_character_divergence")
    if spread:
        names = {"text_word_divergence": "words", "text_character_divergence": "characters"}
        plot = _dots([(say(names[f.name]), f) for f in spread])
        out.append(card(say("Words and characters used"), plot, *(words(f) for f in spread)))
    out += _style(_named(findings, "text_style"), words)
    return out


def _dots(rows: list[tuple[str, Finding]], axis: Callable[[float], str] = number) -> str:
    drawn = [(n, f.low, f.value, f.high, f.reference, f.verdict) for n, f in rows if f.count]
    if not drawn:
        return ""
    key = say("Dot: synthetic text, with its range. Grey diamond: real text.")
    return intervals(drawn, axis=axis) + _dim(key)


def _dim(text: str) -> str:
    return f"<p class='small dim'>{text}</p>"


def _c2st(finding: Finding, words: Tag) -> str:
    title = say("Can a machine tell them apart?")
    d = finding.details
    if "scores" not in d:
        return card(title, words(finding))
    scores = d["scores"]
    shares = {say(k): scores[n] for k, n in SIDES}
    how = say(
        "How synthetic each text looks to the classifier, 0 to 1. The two shapes should lie on "
        "each other."
    )
    plots = (
        f'<div class="grid"><div>{histogram(scores["edges"], shares)}'
        f"{html.legend(*shares)}{_dim(how)}</div><div>"
    )
    steps = len(d["roc"]) - 1
    plots += lines(
        [i / steps for i in range(steps + 1)],
        {say("classifier"): d["roc"]},
        across=say("real texts wrongly called synthetic"),
        up=say("synthetic texts found out"),
        diagonal=True,
    )
    plots += _dim(say("The curve should lie on the dashed line: guessing.")) + "</div></div>"
    return card(title, plots, words(finding), _telltales(d["telltales"]), wide=True)


def _telltales(told: Json) -> str:
    if not told:
        return ""
    head = say("What gives them away, the surest first: share of texts that hold it.")
    sides = []
    for title, more in (("Too often in synthetic text", True), ("Too seldom", False)):
        own = [t for t in told if (t["synthetic"] > t["training"]) == more][:10]
        if own:
            shares = {say(k): [t[n] for t in own] for k, n in SIDES}
            plot = bars([t["text"] for t in own], shares)
            sides.append(f"<div><h3>{say(title)}</h3>{plot}</div>")
    key = html.legend(*(say(k) for k, _ in SIDES))
    return f'<p class="small">{head}</p><div class="grid">{"".join(sides)}</div>{key}'


def _style(findings: list[Finding], words: Tag) -> list[str]:
    if not findings:
        return []
    ranked = sorted(findings, key=lambda f: (-ORDER.index(f.verdict), -f.value))[:14]
    labels = [say(f.columns[0]) for f in ranked]
    series = {say(k): [f.details[n] for f in ranked] for k, n in SIDES if n in ranked[0].details}
    key = html.legend(*series) if len(series) > 1 else ""
    note = say("Share of texts, the most different first.")
    if len(findings) > 14:
        note += " " + say("{count} more are in the table below.").format(count=len(findings) - 14)
    worst = [
        f"<p class='small'><b>{short(say(f.columns[0]), 60)}</b></p>{words(f)}" for f in ranked[:2]
    ]
    title = say("How people write: register and noise")
    return [card(title, bars(labels, series), key, _dim(note), *worst)]


def _useful(findings: list[Finding], words: Tag) -> list[str]:
    out = []
    for f in _named(findings, "text_label_gap"):
        plot = ""
        if f.details:
            low, high = f.details["interval"]
            real = f.details["real"]
            rows = [
                (say("trained on real"), real, real, real, None, "info"),
                (say("trained on synthetic"), low, f.details["synthetic"], high, None, f.verdict),
            ]
            plot = intervals(rows) + _dim(say("AUC; 1 is perfect, 0.5 guessing."))
        out.append(card(say("Labels: trained on synthetic, tested on real"), plot, words(f)))
    for f in _named(findings, "text_label_consistency"):
        out.append(card(say("Labels most at odds with their text"), words(f), _odds(f.details)))
    for f in _named(findings, "text_rewards"):
        d, plot = f.details, ""
        if d:
            times = {"before": "before curation", "after": "after curation"}
            series = {say(name): d[k] for k, name in times.items() if k in d}
            key = html.legend(*series)
            plot = histogram(d["edges"], series) + key
        out.append(card(say("Rewards before and after curation"), plot, words(f)))
    for f in _named(findings, "text_examples"):
        out += _reading(f)
    return out


def _odds(details: Mapping[str, Json]) -> str:
    rows = [
        "<p class='small'>"
        + say("{label}, or rather {guess}?").format(
            label=f"<b>{short(r['label'], 40)}</b>", guess=f"<b>{short(r['guess'], 40)}</b>"
        )
        + f" {short(r['text'], 220)}</p>"
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
        plot = bars(
            [s["stage"] for s in stages], {say("rejects"): [s["rows"] / total for s in stages]}
        )
        note = say("Share of {total} rejected rows, by the stage.").format(total=f"{total:,}")
        out.append(card(say("Why rows were rejected"), plot, _dim(note)))
    for group, rows in finding.details["groups"].items():
        if rows:
            out.append(card(say(titles.get(group, group)), *(_row(r) for r in rows), wide=True))
    return out


def _row(row: Mapping[str, Json]) -> str:
    """One text, its line breaks kept, and what is known of it."""
    facts = " · ".join(
        f"{esc(k)}: <b>{number(v) if isinstance(v, float) else esc(v)}</b>"
        for k, v in row.items()
        if k not in ("text", "cut")
    )
    text = esc(row["text"]) + (" […]" if row.get("cut") else "")
    text = text or f"<i>({say('empty')})</i>"
    above = f"<div class='small dim'>{facts}</div>" if facts else ""
    return f'<div class="text">{above}<div class="quote">{text}</div></div>'


def _private(findings: list[Finding], words: Tag) -> list[str]:
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
                    f"<div class='small dim'>{say(other)}: {short(e[other], 200)}</div>"
                    if e[other] != e["synthetic"]
                    else ""
                )
                + "</div>"
                for e in f.details.get("examples", [])[:3]
            ]
            out.append(card(say(title), _against(f), words(f), *pairs))
    for f in _named(findings, "text_copied_spans"):
        spans = [
            f"<div class='text'><div class='quote'>{short(e['span'], 200)}</div>"
            + _dim(
                say("{characters} characters, {share} of the text").format(
                    characters=f"{e['characters']:,}", share=percent(e["share"])
                )
            )
            + "</div>"
            for e in f.details.get("examples", [])[:3]
        ]
        out.append(card(say("Passages copied from real text"), _against(f), words(f), *spans))
    return out + _personal(findings, words)


def _personal(findings: list[Finding], words: Tag) -> list[str]:
    found = sorted(_named(findings, "text_personal"), key=lambda f: -ORDER.index(f.verdict))
    if not found:
        return []
    kinds = {f.columns[0]: say(f.columns[0].replace("_", " ")) for f in found}
    plot = _dots([(kinds[f.columns[0]], f) for f in found if f.value or f.reference], percent)
    seen = [
        f"<div class='text'><div class='small dim'>{esc(kinds[f.columns[0]])}</div>"
        f"<div class='quote'>{short(t, 160)}</div></div>"
        for f in found
        for t in f.details.get("texts", [])[:1]
    ]
    note = _dim(say("Digits and mailboxes are blotted out.")) if seen else ""
    again = [words(f) for f in _named(findings, "text_personal_survives")]
    return [card(say("Personal data"), plot, words(found[0]), *again, *seen[:3], note)]


def _against(finding: Finding) -> str:
    """The share among synthetic and among real texts, as bars; nothing where both are 0."""
    if not finding.count or not (finding.value or finding.reference):
        return ""
    if finding.reference is None:
        return bars([say("synthetic texts")], {say("share"): [finding.value]})
    shares = [finding.reference, finding.value]
    return bars([say("real texts"), say("synthetic texts")], {say("share"): shares})


def _covered(findings: list[Finding], words: Tag) -> list[str]:
    out = []
    for f in _named(findings, "text_clusters"):
        plot, key = "", ""
        rows = f.details.get("clusters", [])[:24]
        if rows:
            labels = [r["words"] or say("group {number}").format(number=r["cluster"]) for r in rows]
            series = {say(k): [r[n] for r in rows] for k, n in SIDES}
            plot, key = bars(labels, series), html.legend(*series)
            key += _dim(
                say(
                    "Groups of alike real texts, the largest first, by the words that set them "
                    "apart: the share of texts nearest to each."
                )
            )
        out.append(card(say("Kinds of real text that are reached"), plot, key, words(f)))
    for f in _named(findings, "text_quota"):
        d = f.details
        series = {say(k): d[k][:20] for k in ("asked", "got")}
        title = say("Quota of {column}").replace("{column}", f.columns[0])
        out.append(card(title, bars(d["labels"][:20], series), html.legend(*series), words(f)))
    return out


MEASURED = {
    "text_distinct_1": "distinct words",
    "text_distinct_2": "distinct pairs of words",
    "text_distinct_3": "distinct runs of three words",
    "text_vendi": "Vendi score",
    "text_self_bleu": "self-BLEU",
    "text_compression": "compression",
}


def _varied(findings: list[Finding], words: Tag) -> list[str]:
    rows = [f for f in findings if f.name in MEASURED]
    judged = [f for f in rows if f.count]
    out = []
    if judged:
        head = ["", say("synthetic"), say("real"), ""]
        cells = [
            [esc(say(MEASURED[f.name])), number(f.value), number(f.reference), words(f)]
            for f in rows
        ]
        note = _dim(
            say(
                "Each is made on groups of as many texts of both kinds. A high self-BLEU or "
                "compression means that texts repeat each other."
            )
        )
        table = html.table(head, cells, numeric=(1, 2))
        out.append(card(say("Variety"), table, note, wide=True))
    elif rows:
        out.append(card(say("Variety"), words(rows[0])))
    doubled = _named(findings, "text_exact_duplicates", "text_near_duplicates")
    if doubled:
        names = {"text_exact_duplicates": "word for word", "text_near_duplicates": "nearly"}
        variants = say("{count} times, with variants")
        again = [
            f"<div class='text'><div class='small dim'>{variants.format(count=e['count'])}</div>"
            f"<div class='quote'>{short(e['text'], 160)}</div></div>"
            for e in doubled[-1].details["examples"][:3]
        ]
        plot = _dots([(say(names[f.name]), f) for f in doubled if f.value or f.reference], percent)
        out.append(card(say("Texts that come again"), plot, *(words(f) for f in doubled), *again))
    for f in _named(findings, "text_openings"):
        rows_ = f.details.get("openings", [])
        plot = ""
        if rows_:
            series = {say(k): [r[n] for r in rows_] for k, n in SIDES if rows_[0][n] is not None}
            plot = bars([r["text"] for r in rows_], series) + html.legend(*series)
        out.append(card(say("The commonest openings"), plot, words(f)))
    return out
