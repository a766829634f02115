"""Cards of the report's page: the checks that need no picture of their own, by theme."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from geurim import html
from geurim.contract import Finding, Json, Verdict
from geurim.html import bars, card, esc, intervals, lines, number, overlay, percent
from geurim.language import current, said, say
from geurim.verify.report import WORDS, tally
from geurim.verify.verdict import ORDER

GROUPS = 12  # of a column, or of several together, that are drawn

Themes = tuple[tuple[str, tuple[str, ...]], ...]

THEMES: Mapping[str, Themes] = {
    "faithful": (
        ("Three columns at once", ("triple_dependence",)),
        ("What is missing together", ("missing_pattern", "missing_dependence")),
        ("Dates and times", ("date_hour", "date_weekday", "date_month", "date_gap")),
        ("Rules that hold in every real row", ("broken_rules",)),
        ("Rows that repeat", ("duplicate_rows",)),
        ("How numbers end", ("number_digits",)),
        ("How long strings are", ("string_length",)),
        ("How long series are", ("sequence_length",)),
        ("Time between events", ("sequence_gap",)),
        ("What depends on the event before", ("sequence_autocorrelation", "sequence_memory")),
        ("Which category follows which", ("sequence_transitions",)),
        ("Numbers that change together", ("sequence_cross",)),
        ("Trends", ("sequence_trend",)),
        ("When events happen", ("sequence_hour", "sequence_weekday", "sequence_month")),
        ("The course of a day", ("sequence_season_hour",)),
        ("The course of a week", ("sequence_season_weekday",)),
        ("The course of a year", ("sequence_season_month",)),
    ),
    "useful": (
        ("Other models", ("tstr_linear", "tstr_neighbours")),
        ("Choosing a model, and what matters to it", ("model_choice", "importance_gap")),
        ("Real and synthetic rows together", ("augmented_gap",)),
        ("Answers to queries", ("query_error",)),
    ),
    "private": (
        ("Near copies", ("nndr", "near_copies")),
        (
            "Attacks: what someone who sees the rows can find out",
            ("singling_out_one", "singling_out_several", "linkability", "inference"),
        ),
        (
            "Who was among the real rows?",
            (
                "membership_distance",
                "membership_density",
                "membership_distance_tpr",
                "membership_density_tpr",
            ),
        ),
        ("Rare combinations that come back", ("unique_combinations",)),
        ("Planted canaries", ("canaries", "canary_marks")),
        ("Privacy budget", ("privacy_budget",)),
    ),
    "fair": (
        ("How large the groups are", ("group_share",)),
        ("How the outcome differs", ("outcome_gap",)),
        ("Errors of a model by group", ("odds_gap",)),
    ),
    "rare": (
        ("The rarer classes of the target", ("minority_share",)),
        ("Categories that are lost", ("lost_categories",)),
        ("Combinations that are lost, or new", ("lost_combinations", "new_combinations")),
        ("The shape of the tails", ("tail_shape",)),
        (
            "Regions: what is reached, and what is made up",
            (
                "precision",
                "recall",
                "alpha_precision",
                "beta_recall",
                "authenticity",
                "small_clusters",
            ),
        ),
    ),
}
"""Question -> the cards it has beside its plots, each with its findings."""


def themed(question: str, findings: Sequence[Finding]) -> list[str]:
    """A card a theme, of those that the report has findings on."""
    out = []
    for title, names in THEMES.get(question, ()):
        found = ranked(named(findings, *names))
        if found:
            out.append(_themed(say(title), found))
    return out


def _themed(title: str, found: list[Finding]) -> str:
    if len(found) > 1 and len({f.name for f in found}) == 1:
        return columns_card(title, found) + "".join(_by_group(title, f) for f in found)
    plot = "".join(_roc(found)) or (dots(found) if len(found) > 1 else _groups(found[0]))
    return "".join(_map(f) for f in found) + card(title, plot, *(words(f) for f in found))


def _map(finding: Finding) -> str:
    """A card of its own for where both tables' rows lie, where the finding tells it."""
    d = finding.details
    if "dots" not in d:
        return ""
    axis = say("direction {number} ({share} of the variance)")
    across, up = (axis.format(number=i, share=percent(s)) for i, s in enumerate(d["shares"], 1))
    title = say("Where the rows lie")
    told = say(
        "The two directions in which real rows differ most (principal components). Shades: how "
        "many of {rows} real rows; dots: {dots} synthetic rows. Both were drawn by lot, and should "
        "fill the same places alike."
    ).format(rows=f"{d['rows']:,}", dots=f"{len(d['dots']):,}")
    plot = overlay(d["cells"], d["dots"], side=d["side"], across=across, up=up, label=title)
    key = html.legend(say("real"), say("synthetic"))
    return card(title, plot, key, f"<p class='small dim'>{told}</p>")


def _roc(found: list[Finding]) -> list[str]:
    """The curve of each attack that has one: training rows found, by false alarms."""
    curves = {called(f.name): f.details for f in found if "roc" in f.details}
    if not curves:
        return []
    across = next(iter(curves.values()))["false_alarms"]
    series = {n: d["roc"] for n, d in curves.items() if len(d["roc"]) == len(across)}
    return [
        lines(
            list(across),
            series,
            across=say("rows never seen, wrongly suspected"),
            up=say("training rows found"),
            diagonal=True,
        ),
        html.legend(*series),
    ]


def _by_group(title: str, finding: Finding) -> str:
    """A card with the rates of each group of one column, or of several together."""
    plot = _groups(finding)
    return card(f"{title}: {', '.join(finding.columns)}", plot) if plot else ""


def _groups(finding: Finding) -> str:
    """The rates of the groups that differ most, real and synthetic, where they are told."""
    rates = [_rates(g) for g in finding.details.get("groups") or ()]
    kept = [(name, real, made) for name, real, made in rates if None not in (real, made)]
    if not kept:
        return ""
    kept = sorted(kept, key=lambda g: -abs(g[1] - g[2]))[:GROUPS]
    sides = {say("real"): [g[1] for g in kept], say("synthetic"): [g[2] for g in kept]}
    plot = bars([g[0] for g in kept], sides) + html.legend(*sides)
    if len(rates) > len(kept):
        some = say("The {shown} of {count} groups that differ most are drawn.")
        some = some.format(shown=len(kept), count=f"{len(rates):,}")
        plot += f"<p class='small dim'>{some}</p>"
    return plot


def _rates(group: Mapping[str, Json]) -> tuple[str, Json, Json]:
    """A group's name, and its real and synthetic rate; of a model also which rate it is."""
    name = str(group["group"])
    if "rate" in group:
        name += f", {say(group['rate'])}"
    return name, group.get("training", group.get("real")), group.get("synthetic")


def tag(verdict: Verdict) -> str:
    """A verdict in words and colour; the words alone tell it too."""
    sign = {"pass": "✓", "warn": "!", "fail": "✗", "info": "–"}[verdict]
    return f'<span class="tag {verdict}">{sign} {say(WORDS[verdict])}</span>'


def named(findings: Sequence[Finding], *names: str) -> list[Finding]:
    return [f for f in findings if f.name in names]


def ranked(findings: Sequence[Finding]) -> list[Finding]:
    """The worst first: by verdict, then by how far the value is beyond its reference."""

    def key(f: Finding) -> tuple[int, float]:
        far = f.value - (f.reference or 0.0)
        far = abs(far) if f.name.startswith("tail") else far
        return -ORDER.index(f.verdict), -(far if np.isfinite(far) else 0.0)

    return sorted(findings, key=key)


def called(name: str) -> str:
    """A finding's name for reading, in the language of the moment."""
    if current() == "en":
        return name.replace("_", " ")
    from geurim.korean import FINDINGS

    return FINDINGS.get(name, name)


def told(finding: Finding) -> str:
    """What a finding says, in the language of the moment; by name and figures where it must."""
    text = finding.text.removeprefix("Not judged: ")  # the verdict beside it says so
    if current() == "en":
        return text[:1].upper() + text[1:]
    sentence = said(finding.text)
    if sentence is not None:
        return sentence.removeprefix(f"{say('not judged')}: ")
    what = called(finding.name)
    if finding.value != finding.value:
        return f"{what}: {say('not judged')}."
    held = "" if finding.reference is None else f", {say('held out')} {number(finding.reference)}"
    ends = f"{number(finding.low)}–{number(finding.high)}"
    return f"{what}: {number(finding.value)} ({ends}){held}."


def words(finding: Finding) -> str:
    return f"<p class='small'>{tag(finding.verdict)} {esc(told(finding))}</p>"


def dots(findings: Sequence[Finding], axis: Callable[[float], str] = percent) -> str:
    if not any(abs(f.value) > 0 or f.reference for f in findings):
        return ""
    several = len({f.name for f in findings}) > 1

    def label(f: Finding) -> str:
        return called(f.name) if several or not f.columns else ", ".join(f.columns)

    rows = [
        (label(f), f.low, f.value, f.high, f.reference, f.verdict)
        for f in findings
        if f.value == f.value
    ]
    meaning = say("Dot: synthetic, with its range. Grey diamond: real rows held out.")
    key = f'<p class="small dim">{meaning}'
    return intervals(rows, axis=axis) + key + "</p>"


def columns_card(title: str, found: list[Finding]) -> str:
    """Columns of one check, the worst first, and the worst in words; one line if all are at 0."""
    counted = f"<p class='small dim'>{say('Columns')}: {esc(tally(found))}.</p>"
    if not any(f.value or f.reference for f in found):
        none = f"<p class='small'>{tag(found[0].verdict)} {say('None was found.')}</p>"
        return card(title, none, counted)
    worst = f"<b>{html.short(found[0].columns[0], 60)}</b>"
    column = f"<p class='small'>{say('The most different')}: {worst}</p>"
    return card(title, dots(found[:20]), counted, column, words(found[0]))
