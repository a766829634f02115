"""STEP 4: do the synthetic rows hold? `verify` is the driver; one module a question measures.

A measure is a function of a frozen Comparison that returns Findings. It draws no plot, reads no
file and knows nothing of the others; the driver samples and encodes the tables once, gives each
measure its own random stream, reports progress, and turns a measure that breaks into a failure.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from geurim.contract import Event, Finding, Progress, Source, quiet
from geurim.errors import DataError, MissingExtra, SettingError
from geurim.verify.compare import Comparison, check_sensitive, compare
from geurim.verify.report import Report

__all__ = ["MEASURES", "Comparison", "Measure", "Report", "verify"]


@dataclass(frozen=True)
class Measure:
    """One check: its name, the question it answers, and "module:function" that answers it."""

    name: str
    question: str
    home: str

    def __call__(self, comparison: Any) -> list[Finding]:
        module, _, function = self.home.partition(":")
        run: Callable[[Any], list[Finding]] = getattr(importlib.import_module(module), function)
        return run(comparison)


MEASURES: tuple[Measure, ...] = (
    Measure("missing", "faithful", "geurim.verify.faithful:missing"),
    Measure("columns", "faithful", "geurim.verify.faithful:columns"),
    Measure("pairs", "faithful", "geurim.verify.joint:pairs"),
    Measure("c2st", "faithful", "geurim.verify.c2st:c2st"),
    Measure("tstr", "useful", "geurim.verify.useful:tstr"),
    Measure("dcr", "private", "geurim.verify.private:dcr"),
    Measure("copies", "private", "geurim.verify.private:copies"),
    Measure("survivors", "private", "geurim.verify.private:survivors"),
    Measure("personal", "private", "geurim.verify.private:personal"),
    Measure("rare_categories", "rare", "geurim.verify.rare:categories"),
    Measure("tails", "rare", "geurim.verify.rare:tails"),
    Measure("invented", "rare", "geurim.verify.rare:invented"),
    Measure("range", "rare", "geurim.verify.rare:out_of_range"),
    Measure("groups", "fair", "geurim.verify.fair:group_shares"),
    Measure("outcomes", "fair", "geurim.verify.fair:outcome_gap"),
    Measure("odds", "fair", "geurim.verify.odds:odds_gap"),
    Measure("near", "private", "geurim.verify.near:near"),
    Measure("singling_out", "private", "geurim.verify.singling:singling_out"),
    Measure("linkability", "private", "geurim.verify.attacks:linkability"),
    Measure("inference", "private", "geurim.verify.attacks:inference"),
    Measure("membership", "private", "geurim.verify.membership:membership"),
    Measure("unusual", "private", "geurim.verify.unusual:unusual"),
    Measure("budget", "private", "geurim.verify.private:budget"),
    Measure("triples", "faithful", "geurim.verify.triples:triples"),
    Measure("missing_patterns", "faithful", "geurim.verify.patterns:patterns"),
    Measure("missing_dependence", "faithful", "geurim.verify.patterns:dependence"),
    Measure("dates", "faithful", "geurim.verify.dates:dates"),
    Measure("rules", "faithful", "geurim.verify.rules:broken_rules"),
    Measure("duplicates", "faithful", "geurim.verify.rules:duplicates"),
    Measure("digits", "faithful", "geurim.verify.rules:digits"),
    Measure("lengths", "faithful", "geurim.verify.rules:lengths"),
    Measure("lost", "rare", "geurim.verify.rare:lost"),
    Measure("minority", "rare", "geurim.verify.rare:minority"),
    Measure("combinations", "rare", "geurim.verify.combinations:combinations"),
    Measure("extremes", "rare", "geurim.verify.extremes:extremes"),
    Measure("regions", "rare", "geurim.verify.manifold:regions"),
    Measure("models", "useful", "geurim.verify.models:models"),
    Measure("queries", "useful", "geurim.verify.queries:queries"),
)
"""The public list. A measure's random stream depends on its place, so new ones go to the end."""


def verify(
    synthetic: Any,
    real: Any,
    *,
    holdout: Any = None,
    target: str | None = None,
    sensitive: Sequence[str] | str = (),
    checks: Sequence[str] | None = None,
    seed: int = 0,
    progress: Progress = quiet,
) -> Report:
    """Compare synthetic rows with the real rows they were learned from and with rows held out.

    `synthetic`, `real` (the training rows) and `holdout` (rows never seen by the generator): a
    Source, a path or URL, or a frame each, of the same columns in any order. Without a holdout the
    real rows are cut in two, and what needs unseen rows is not judged. `target`: the column that
    someone would predict. `sensitive`: columns such as sex or age, whose groups must not be treated
    worse than in the real rows; without them the question "fair" is not asked. `checks`: names of
    measures or questions; None for all. The columns that edge-case sampling adds are taken for what
    they are. At most 100,000 rows of each table are compared, drawn by lot with `seed`.
    Raises SchemaError (columns or types differ), DataError (no rows), SettingError.
    """
    from geurim.analyze import analyze
    from geurim.read import as_source
    from geurim.verify.groups import suggestion

    chosen = choose(checks)
    sensitive = (sensitive,) if isinstance(sensitive, str) else tuple(sensitive)
    made: Source = as_source(synthetic)
    training: Source = as_source(real)
    held: Source | None = None if holdout is None else as_source(holdout)
    if not training.schema.names:
        raise DataError("The real table has no columns. Give a table with at least one.")
    streams = np.random.SeedSequence(seed)
    profile = analyze(training, progress=progress)
    rng = np.random.default_rng(streams.spawn(1)[0])
    for name in sensitive:
        check_sensitive(name, target, training.schema.names, profile)
    comparison, notes = compare(made, training, held, profile, target, rng, progress)
    comparison = replace(comparison, sensitive=sensitive)
    if not sensitive and any(m.question == "fair" for m in chosen):
        notes += suggestion(profile)
    findings: list[Finding] = []
    for done, measure in enumerate(chosen):
        _tell(progress, done, len(chosen), measure.name)
        place = MEASURES.index(measure)
        stream = np.random.SeedSequence(seed, spawn_key=(1, place))
        findings += measured(measure, replace(comparison, rng=np.random.default_rng(stream)))
    _tell(progress, len(chosen), len(chosen), "")
    return Report(
        findings=tuple(findings),
        notes=tuple(notes),
        rows={
            "training": comparison.training.count,
            "holdout": comparison.holdout.count,
            "synthetic": comparison.released.count,
        },
        lineage={
            "synthetic": made.lineage,
            "real": training.lineage,
            "holdout": held.lineage if held else None,
        },
        target=target,
        seed=seed,
    )


def _tell(progress: Progress, done: int, total: int, note: str) -> None:
    progress(Event(step="verify", done=done, total=total, unit="checks", note=note))


def choose(checks: Sequence[str] | None) -> list[Measure]:
    """The measures of these names or questions. Raises SettingError, naming the ones there are."""
    return pick(MEASURES, checks)


def pick(measures: Sequence[Measure], checks: Sequence[str] | None) -> list[Measure]:
    """Those of `measures` that are named, or answer a question named; all for None."""
    if checks is None:
        return list(measures)
    if isinstance(checks, str):
        checks = [checks]
    known = {m.name for m in measures} | {m.question for m in measures}
    for name in checks:
        if name not in known:
            near = difflib.get_close_matches(name, known, 3) or sorted(known)
            raise SettingError(
                f"There is no check or question {name!r}. Did you mean: {', '.join(near)}?"
            )
    return [m for m in measures if m.name in checks or m.question in checks]


def measured(measure: Measure, comparison: Any) -> list[Finding]:
    """The measure's findings; one that breaks is a failure, and does not lose the others."""
    try:
        return measure(comparison)
    except (MissingExtra, MemoryError):
        raise
    except Exception as error:
        nan = float("nan")
        return [
            Finding(
                question=measure.question,
                name=measure.name,
                value=nan,
                low=nan,
                high=nan,
                reference=None,
                count=0,
                verdict="fail",
                text=f"This check broke down, so nothing is known: {type(error).__name__}: "
                f"{str(error)[:200]}. Please report it.",
            )
        ]
