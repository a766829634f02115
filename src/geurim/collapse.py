"""Do rows fade when models learn from rows of models? Generation after generation, measured.

    found = geurim.collapse("people.csv", generations=10, mode="replace", real_share=0.1, seed=7)
    print("\\n".join(found.summary()))

Generation 1 learns from real rows. In mode "replace" each later one learns from the rows of the one
before (Shumailov et al. 2024); in mode "accumulate" from the real rows and those of all generations
so far (Gerstgrasser et al. 2024). With a real share a training set has a fixed size, of which so
much is real, drawn by lot anew each time. Columns that are made anew (keys, personal data, free
text) are left out; the roles of the others stay what they are in the real rows.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from geurim.contract import Event, Finding, Generator, Json, Progress, Source, Verdict, quiet
from geurim.errors import SettingError
from geurim.generations import (
    COLLAPSE,
    Generation,
    Mode,
    check_folder,
    claim,
    keep,
    kept,
    measure,
    rows_of,
    start,
)
from geurim.verify.report import WORDS, strict, write_text
from geurim.verify.verdict import ORDER, worst

GRID = (0.0, 0.01, 0.05, 0.1, 0.2, 0.5)
"""The shares of real rows that `smallest_share` tries unless told."""

FILES = {"json": "collapse.json", "page": "collapse.html"}


@dataclass(frozen=True, kw_only=True)
class Collapse:
    """What became of the rows: figures of each generation, and what has faded since the first."""

    mode: str  # "replace", "accumulate" or "texts"
    real_share: float | None
    generator: str
    seed: int
    generations: tuple[Generation, ...]
    findings: tuple[Finding, ...]  # the last generation against the first, judged
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all measures."""
        return worst(self.findings)

    def curve(self, name: str) -> list[tuple[int, Finding]]:
        """A measure by generation, where it was measured. KeyError names those there are."""
        found = [
            (g.number, f)
            for g in self.generations
            for f in g.findings
            if f.name == name and f.count
        ]
        if not found:
            names = ", ".join(f.name for f in self.findings)
            raise KeyError(f"No measure {name!r}; there are: {names}.")
        return found

    def summary(self) -> list[str]:
        """The lines for a screen."""
        lines = [f"Fading over {len(self.generations) - 1} generations: {WORDS[self.verdict]}"]
        ranked = sorted(self.findings, key=lambda f: -ORDER.index(f.verdict))
        return lines + [f"  {WORDS[f.verdict]}: {f.text}" for f in ranked]

    def to_json(self) -> dict[str, Json]:
        """Everything, as strict JSON values."""
        state = {"format": "geurim-collapse", "version": 1, "verdict": self.verdict, **asdict(self)}
        return dict(strict(state))

    def to_html(self, lang: str = "en") -> str:
        """One page that opens offline: a plot a measure; in Korean for "ko"."""
        from geurim.collapse_page import collapse_page

        return collapse_page(self, lang)

    def save(self, folder: str | Path, lang: str = "en") -> None:
        """Write collapse.json and collapse.html into a folder."""
        _save(self, Path(folder), lang)


@dataclass(frozen=True, kw_only=True)
class ShareSearch:
    """How few real rows hold each measure: one Collapse a share, and the answers."""

    runs: tuple[tuple[float, Collapse], ...]  # ascending shares
    smallest: Mapping[str, float | None]  # measure -> share; None: none of those tried
    share: float | None  # that keeps all measures

    @property
    def verdict(self) -> Verdict:
        """The verdict at the smallest share that holds; that of the largest one tried, if none."""
        return next((r.verdict for s, r in self.runs if s == self.share), self.runs[-1][1].verdict)

    def summary(self) -> list[str]:
        """The lines for a screen."""
        from geurim.html import percent
        from geurim.verify.collapsing import title_of
        from geurim.verify.verdict import TOLERANCES

        tried = ", ".join(percent(s) for s, _ in self.runs)
        lines = [
            f"Smallest share of real rows that keeps a measure within tolerance ({tried} tried)"
        ]
        for name, share in self.smallest.items():
            told = "none of those tried" if share is None else percent(share)
            lines.append(f"  {title_of(name)} (tolerance {TOLERANCES[name][0]:g}): {told}")
        return [*lines, f"  All of them: {self.needed}"]

    @property
    def needed(self) -> str:
        """The share that keeps all measures, in words."""
        from geurim.html import percent

        if self.share is not None:
            return percent(self.share)
        return f"more than {percent(self.runs[-1][0])}, if any share is enough"

    def to_json(self) -> dict[str, Json]:
        """Everything, as strict JSON values."""
        state = {
            "format": "geurim-collapse-shares",
            "version": 1,
            "smallest": dict(self.smallest),
            "share": self.share,
            "runs": [{"share": s, **r.to_json()} for s, r in self.runs],
        }
        return dict(strict(state))

    def to_html(self, lang: str = "en") -> str:
        """One page that opens offline: a plot a measure, over the shares."""
        from geurim.collapse_page import shares_page

        return shares_page(self, lang)

    def save(self, folder: str | Path, lang: str = "en") -> None:
        """Write collapse.json and collapse.html into a folder."""
        _save(self, Path(folder), lang)


def _save(found: Collapse | ShareSearch, folder: Path, lang: str) -> None:
    text = json.dumps(found.to_json(), ensure_ascii=False, allow_nan=False, indent=1)
    write_text(folder / FILES["json"], text)
    write_text(folder / FILES["page"], found.to_html(lang))


def collapse(
    data: Any,
    *,
    generations: int = 10,
    mode: Mode = "replace",
    real_share: float | None = None,
    generator: str | Generator = "trees",
    rows: int | None = None,
    measures: Sequence[str] | None = None,
    holdout: float = 0.2,
    seed: int | None = None,
    to: str | Path | None = None,
    only_ends: bool = False,
    progress: Progress = quiet,
) -> Collapse:
    """Refit generation after generation, and measure what fades.

    `data`: a Source, a path or URL, or a frame. `real_share`: how much of each later training set
    is real (0 to 1); None is 0 for "replace", and for "accumulate" all rows there are, without a
    fixed size. `rows`: rows a generation; as many as real ones unless told. `measures`: names in
    `geurim.verify.collapsing.MEASURES`; all for None. `holdout`: the share of real rows that no
    generation learns from; they show what honest rows get (with 0 the real rows stand there).
    `to`: a folder in which every generation is kept, so that the same call goes on after it was
    killed and ends with the same figures. `only_ends`: measure the first and the last alone.

    A verdict is on what changed since generation 1, by `TOLERANCES`: the generator's own error is
    not fading. Raises SettingError, DataError (too few real rows for the share), TargetExists.
    """
    chain = start(data, mode, real_share, generator, rows, measures, holdout, seed, to, progress)
    if isinstance(generations, bool) or generations < 1:
        raise SettingError(f"generations is {generations!r}. Give a whole number from 1.")
    if chain.folder is not None:
        claim(chain)
    done: list[Generation] = []
    made: list[Source] = []
    for number in range(generations + 1):
        found = kept(chain, number)
        wanted = not only_ends or number in (0, 1, generations)
        if number:
            made.append(rows_of(chain, number, made, progress))
        if wanted and found is None:
            found = measure(chain, number, made, progress)
            keep(chain, found)
        if found is not None and wanted:
            done.append(found)
        progress(Event(step="collapse", done=number, total=generations, unit="generations"))
    name = generator if isinstance(generator, str) else repr(generator)
    return _ended(
        mode=chain.mode,
        real_share=chain.share,
        generator=name,
        seed=chain.seed,
        generations=tuple(done),
        notes=chain.notes,
    )


def _ended(*, generations: tuple[Generation, ...], **facts: Any) -> Collapse:
    """The generations with what faded between the first and the last."""
    from geurim.verify.collapsing import faded

    zero, first, last = generations[0], generations[1], generations[-1]
    known = {f.name: f for f in zero.findings}
    findings = [
        faded(a, b, known.get(b.name), last.number)
        for a, b in zip(first.findings, last.findings, strict=True)
    ]
    return Collapse(generations=generations, findings=tuple(findings), **facts)


def smallest_share(
    data: Any,
    *,
    grid: Sequence[float] = GRID,
    to: str | Path | None = None,
    seed: int | None = None,
    progress: Progress = quiet,
    **settings: Any,
) -> ShareSearch:
    """The smallest share of real rows, among `grid`, that keeps each measure within its tolerance.

    `settings`: those of `collapse`. A measure is kept where its change from the first generation to
    the last is at most the first number of its row in `TOLERANCES`, at this share and at all larger
    ones. Each share is a run of its own in a folder of `to`, and goes on after a kill.
    """
    shares = sorted({float(s) for s in grid})
    if not shares or not all(0 <= s <= 1 for s in shares):
        raise SettingError(f"The shares to try are {list(grid)!r}. Give shares from 0 to 1.")
    seed = secrets.randbits(32) if seed is None else seed
    folder = None if to is None else Path(to)
    if folder is not None:
        check_folder(folder, "share-*")
    runs = []
    for place, share in enumerate(shares):
        own = None if folder is None else folder / f"share-{share:g}"
        progress(Event(step="collapse", done=place, total=len(shares), unit="shares"))
        found = collapse(
            data, real_share=share, seed=seed, to=own, only_ends=True, progress=progress, **settings
        )
        runs.append((share, found))
    names = [f.name for f in runs[0][1].findings if f.count]
    smallest = {name: _smallest([(s, holds(r, name)) for s, r in runs]) for name in names}
    known = [s for s in smallest.values() if s is not None]
    whole = max(known) if known and len(known) == len(names) else None
    return ShareSearch(runs=tuple(runs), smallest=smallest, share=whole)


def holds(found: Collapse, name: str) -> bool:
    """Whether a measure stayed within its tolerance."""
    (finding,) = [f for f in found.findings if f.name == name]
    change = finding.details.get("change")
    return change is not None and change <= finding.details["tolerance"]


def _smallest(kept: Sequence[tuple[float, bool]]) -> float | None:
    """The smallest share from which on all are kept."""
    answer = None
    for share, good in sorted(kept, reverse=True):
        if not good:
            break
        answer = share
    return answer


def collapse_texts(
    sets: Sequence[Any],
    *,
    column: str | Sequence[str] | None = None,
    seed: int = 0,
    progress: Progress = quiet,
) -> Collapse:
    """The same for texts of which each generation is given: `sets[0]` are the real ones.

    As many texts of each set are looked at, drawn by lot: variety depends on how much there is.
    `column`: as in `verify_text`, which measures. Raises SettingError for fewer than three sets.
    """
    from geurim.verify.collapsing import TEXT_WAYS
    from geurim.verify.prose import verify_text

    if len(sets) < 3:
        raise SettingError(
            f"{len(sets)} sets of texts were given. Give three or more: the real texts, then those "
            "of generation 1, 2, …"
        )
    tables = [_texts(s) for s in sets]
    fewest = min(t.num_rows for t in tables)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(COLLAPSE,)))
    drawn = [t.take(pa.array(rng.permutation(t.num_rows)[:fewest])) for t in tables]
    done: list[Generation] = []
    for number in range(1, len(sets)):
        report = verify_text(
            drawn[number],
            drawn[0],
            column=column,
            checks=["collapsing"],
            seed=seed,
            progress=progress,
        )
        found = tuple(
            replace(f, verdict="info", details={}) for f in report.findings if f.name in TEXT_WAYS
        )
        if number == 1:
            done.append(
                Generation(number=0, rows=fewest, training=0, real=0, findings=_zero(found))
            )
        done.append(Generation(number=number, rows=fewest, training=0, real=0, findings=found))
        progress(Event(step="collapse", done=number, total=len(sets) - 1, unit="generations"))
    return _ended(
        mode="texts",
        real_share=None,
        generator="given",
        seed=seed,
        generations=tuple(done),
        notes=(f"{fewest:,} texts of each generation were looked at, drawn by lot.",),
    )


def _texts(data: Any) -> pa.Table:
    from geurim.read import as_source
    from geurim.rows import read_rows

    path = isinstance(data, (str, Path))
    return (read_rows(data) if path else as_source(data)).to_arrow()


def _zero(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """What real texts get, from the references of generation 1."""
    return tuple(
        f
        if f.reference is None or not f.count
        else replace(f, value=f.reference, low=f.reference, high=f.reference)
        for f in findings
    )
