"""Several synthetic sets, or several generators, side by side on the same real rows.

Every set is verified against the same training rows and holdout, with the same seed. Nothing is
summed up into a rank: a line of the page is one finding, and who is best at what can be seen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from geurim import html
from geurim.contract import Event, Finding, Generator, Json, Progress, Source, Verdict, quiet
from geurim.errors import SettingError
from geurim.html import esc, intervals, number
from geurim.language import language, say
from geurim.verify.report import QUESTIONS, WORDS, Report, strict, tally, write_text
from geurim.verify.verdict import worst

MOST = 12  # sets on a page


@dataclass(frozen=True, kw_only=True)
class SideBySide:
    """The report of each set, by its name; all on the same real rows."""

    reports: Mapping[str, Report]

    @property
    def lines(self) -> list[tuple[str, str]]:
        """The question and the name of each finding that any report has, in the reports' order."""
        found = {(f.question, f.name) for r in self.reports.values() for f in r.findings}
        order = [f.name for r in self.reports.values() for f in r.findings]
        place = {name: i for i, name in enumerate(dict.fromkeys(order))}
        return sorted(found, key=lambda line: (QUESTIONS.index(line[0]), place[line[1]]))

    def cell(self, name: str, finding: str) -> tuple[Verdict, Finding | None, list[Finding]]:
        """Of one set and one finding: the worst verdict, the one furthest off, and all of them."""
        own = [f for f in self.reports[name].findings if f.name == finding]
        known = [f for f in own if f.value == f.value]
        return worst(own), max(known, key=_far, default=None), own

    def summary(self) -> list[tuple[str, ...]]:
        """Rows for a screen: a head, then the verdict of each question for each set."""
        rows = [("question", *self.reports)]
        asked = [q for q in QUESTIONS if any(q in r.verdicts for r in self.reports.values())]
        for question in asked:
            own = (r.verdicts.get(question) for r in self.reports.values())
            rows.append((question, *("–" if v is None else WORDS[v] for v in own)))
        return rows

    def to_json(self) -> dict[str, Json]:
        """Each set's whole report."""
        reports = {name: report.to_json() for name, report in self.reports.items()}
        return dict(strict({"format": "geurim-comparison", "version": 1, "reports": reports}))

    def to_html(self, lang: str = "en") -> str:
        """One page that opens offline, in a language of `geurim.language`."""
        with language(lang):
            return self._page(lang)

    def _page(self, lang: str) -> str:
        body = [self._top()]
        for question in QUESTIONS:
            names = [name for q, name in self.lines if q == question]
            if names:
                body.append(f"<h2>{say(question).capitalize()}</h2>{self._table(names)}")
                body.append(f'<div class="grid">{"".join(map(self._plot, names))}</div>')
        return html.page(say("Geurim: synthetic sets side by side"), "".join(body), lang)

    def save_html(self, path: str | Path, lang: str = "en") -> None:
        """Write the page; the file appears complete or not at all."""
        write_text(Path(path), self.to_html(lang))

    def save_json(self, path: str | Path) -> None:
        """Write the reports; the file appears complete or not at all."""
        write_text(Path(path), json.dumps(self.to_json(), ensure_ascii=False, indent=1))

    def _top(self) -> str:
        from geurim.verify.cards import tag

        rows = next(iter(self.reports.values())).rows
        head, *lines = self.summary()
        verdicts = [(q, [r.verdicts.get(q) for r in self.reports.values()]) for q, *_ in lines]
        cells = [[esc(say(q)), *("–" if v is None else tag(v) for v in own)] for q, own in verdicts]
        title = say("{count} synthetic sets side by side").format(count=len(self.reports))
        how = say(
            "Each was compared with the same {training} real rows and the same {holdout} rows held "
            "out. A question shows the worst of its checks."
        ).format(training=f"{rows['training']:,}", holdout=f"{rows['holdout']:,}")
        table = html.table([say(head[0]), *head[1:]], cells)
        return f'<h1>{title}</h1><p>{how}</p><div class="card">{table}</div>'

    def _table(self, names: Sequence[str]) -> str:
        rows = [
            [f"<code>{esc(n)}</code>", *(self._cell(s, n) for s in self.reports)] for n in names
        ]
        return f'<div class="card">{html.table([say("check"), *self.reports], rows)}</div>'

    def _cell(self, name: str, finding: str) -> str:
        from geurim.verify.cards import tag

        verdict, furthest, own = self.cell(name, finding)
        if not own:
            return "–"
        if furthest is None:
            return tag(verdict)
        value = f"{number(furthest.value)} [{number(furthest.low)}, {number(furthest.high)}]"
        where = ", ".join(html.short(c, 20) for c in furthest.columns)
        most = say("the furthest off")
        of = f"<br><span class='small dim'>{esc(tally(own))}; {most}: {where}</span>"
        return f"{tag(verdict)} {value}" + (of if len(own) > 1 else "")

    def _plot(self, finding: str) -> str:
        """A finding that each set has once, drawn; the diamond is the holdout's own value."""
        from geurim.verify.cards import called

        rows = []
        for name in self.reports:
            verdict, one, own = self.cell(name, finding)
            if len(own) == 1 and one is not None:
                rows.append((name, one.low, one.value, one.high, one.reference, verdict))
        if len(rows) < 2:
            return ""
        return html.card(called(finding), intervals(rows, axis=number))


def _far(finding: Finding) -> float:
    return abs(finding.value - (finding.reference or 0.0))


def side_by_side(
    sets: Mapping[str, Any],
    real: Any,
    *,
    holdout: Any = None,
    target: str | None = None,
    seed: int = 0,
    progress: Progress = quiet,
    **more: Any,
) -> SideBySide:
    """Verify each of `sets` (name -> rows, as `verify` takes them) on the same real rows.

    The other arguments are those of `verify`. Raises SettingError for no set or too many.
    """
    from geurim.read import as_source
    from geurim.verify import verify

    if not 1 <= len(sets) <= MOST:
        raise SettingError(f"{len(sets)} sets were given to compare. Give 1 to {MOST}.")
    training = as_source(real)
    held = None if holdout is None else as_source(holdout)
    reports = {
        name: verify(
            rows,
            training,
            holdout=held,
            target=target,
            seed=seed,
            progress=_named(progress, name),
            **more,
        )
        for name, rows in sets.items()
    }
    return SideBySide(reports=reports)


def made_by(
    generators: Sequence[str | Generator],
    training: Source,
    *,
    rows: int | None = None,
    seed: int = 0,
    progress: Progress = quiet,
) -> dict[str, Source]:
    """Rows of each generator, learned from `training`: as many as there, unless told otherwise."""
    from geurim.analyze import analyze
    from geurim.generators import fit
    from geurim.sample import sample

    profile = analyze(training, progress=progress)
    count = rows or training.rows or training.to_arrow().num_rows
    made = {}
    for generator in generators:
        name = generator if isinstance(generator, str) else type(generator).__name__.lower()
        said = _named(progress, name)
        fitted = fit(training, generator, profile=profile, seed=seed, progress=said)
        made[name] = sample(fitted, count, seed=seed, progress=said)
    return made


def _named(progress: Progress, name: str) -> Progress:
    """The listener, told of which set each event is."""

    def tell(event: Event) -> None:
        progress(replace(event, note=f"{name}: {event.note}" if event.note else name))

    return tell
