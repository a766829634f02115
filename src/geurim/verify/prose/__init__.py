"""STEP 4 for text: are the texts faithful, varied, balanced, private, and are their labels right?

The same Report, page, JSON and gate as for tables. A measure is a function of a frozen Prose that
returns Findings; `verify_text` is the driver. Real text, where there is some, is cut in two by lot:
synthetic texts are compared with one half, and the other half shows what honest text gets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from geurim.contract import Event, Json, Progress, Source, quiet
from geurim.verify import Measure, measured, pick
from geurim.verify.prose.compare import (
    TEXTS,
    Corpus,
    Prose,
    checked_quotas,
    columns_of,
    sampled,
    score_column,
)
from geurim.verify.prose.features import Embedder
from geurim.verify.prose.texts import LONG
from geurim.verify.report import Report

__all__ = ["TEXT_MEASURES", "Embedder", "verify_text"]

_HOME = "geurim.verify.prose"

TEXT_MEASURES: tuple[Measure, ...] = (
    Measure("text_c2st", "faithful", f"{_HOME}.faithful:c2st"),
    Measure("text_lengths", "faithful", f"{_HOME}.faithful:lengths"),
    Measure("text_divergence", "faithful", f"{_HOME}.faithful:divergence"),
    Measure("text_style", "faithful", f"{_HOME}.style:style"),
    Measure("text_labels", "useful", f"{_HOME}.useful:labels"),
    Measure("text_rewards", "useful", f"{_HOME}.useful:rewards"),
    Measure("text_examples", "useful", f"{_HOME}.useful:examples"),
    Measure("text_copies", "private", f"{_HOME}.private:copies"),
    Measure("text_spans", "private", f"{_HOME}.private:spans"),
    Measure("text_personal", "private", f"{_HOME}.personal:personal"),
    Measure("text_contamination", "private", f"{_HOME}.private:contamination"),
    Measure("text_clusters", "rare", f"{_HOME}.covered:clusters"),
    Measure("text_quotas", "rare", f"{_HOME}.covered:quotas"),
    Measure("text_distinct", "collapsing", f"{_HOME}.varied:distinct_words"),
    Measure("text_bleu", "collapsing", f"{_HOME}.varied:bleu"),
    Measure("text_vendi", "collapsing", f"{_HOME}.varied:vendi_score"),
    Measure("text_compression", "collapsing", f"{_HOME}.varied:compression"),
    Measure("text_openings", "collapsing", f"{_HOME}.varied:openings"),
    Measure("text_duplicates", "collapsing", f"{_HOME}.duplicates:duplicates"),
)
"""The public list. A measure's random stream depends on its place, so new ones go to the end."""


def verify_text(
    synthetic: Any,
    real: Any = None,
    *,
    holdout: Any = None,
    column: str | Sequence[str] | None = None,
    label: str | None = None,
    quotas: Mapping[str, Mapping[Json, float]] | None = None,
    before: Any = None,
    rejects: Any = None,
    contamination: Any = None,
    score: str | None = None,
    embedder: Embedder | None = None,
    checks: Sequence[str] | None = None,
    seed: int = 0,
    progress: Progress = quiet,
) -> Report:
    """Check synthetic texts, beside real ones where there are some.

    `synthetic`, `real`, `before` (the rows before curation), `rejects` (what curation dropped,
    with `reason`) and `contamination` (texts of benchmarks): a Source, a path or a frame each.
    `holdout`: real texts that no prompt showed; without it `real` is cut in two. `column`: the text
    column, or several that are joined; None takes what a person
    would read (`geurim.formats.text_columns`), lists of turns joined.
    `label`: the column that a classifier would predict. `quotas`: column -> value -> share (or
    count) asked for. `score`: the column of rewards, guessed by its name if None. `embedder`: texts
    -> (N, D) vectors for the classifier, the Vendi score and the clusters, not hashed n-grams.
    `checks`: names of measures or questions. At most 10,000 texts of each set (20,000 real ones)
    are compared, drawn by lot with `seed`, and 8,000 characters of each.
    Raises SchemaError (no such column), DataError (no rows), SettingError.
    """
    chosen = pick(TEXT_MEASURES, checks)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
    prose, lineage, notes = _gathered(
        dict(zip(_GIVEN, (synthetic, real, holdout, before, rejects, contamination), strict=True)),
        column,
        label,
        quotas,
        score,
        embedder,
        rng,
        progress,
    )
    if embedder is not None:
        prose.embeddings()  # a wrong one is refused before anything is measured
    findings = []
    for done, measure in enumerate(chosen):
        _tell(progress, done, len(chosen), measure.name)
        stream = np.random.SeedSequence(seed, spawn_key=(1, TEXT_MEASURES.index(measure)))
        findings += measured(measure, replace(prose, rng=np.random.default_rng(stream)))
    _tell(progress, len(chosen), len(chosen), "")
    return Report(
        kind="text",
        findings=tuple(findings),
        notes=tuple(notes),
        rows={
            "training": len(prose.training or ()),
            "holdout": len(prose.holdout or ()),
            "synthetic": len(prose.synthetic),
        },
        lineage=lineage,
        target=label,
        seed=seed,
    )


_GIVEN = ("synthetic", "real", "holdout", "before", "rejects", "contamination")


def _tell(progress: Progress, done: int, total: int, note: str) -> None:
    progress(Event(step="verify", done=done, total=total, unit="checks", note=note))


def _gathered(
    given: Mapping[str, Any],
    column: str | Sequence[str] | None,
    label: str | None,
    quotas: Mapping[str, Mapping[Json, float]] | None,
    score: str | None,
    embedder: Embedder | None,
    rng: np.random.Generator,
    progress: Progress,
) -> tuple[Prose, dict[str, Any], list[str]]:
    """The texts of all sources, sampled; their lineage; and what a reader should know."""
    from geurim.read import as_source

    sources: dict[str, Source] = {k: as_source(v) for k, v in given.items() if v is not None}
    made = sources["synthetic"]
    columns = columns_of(made, column)
    asked = checked_quotas(quotas, made)
    score = score_column(sources.get("before") or made, score)
    also = [c for c in (label, score, "stage", "reason", *asked) if c is not None]
    notes = [f"The text looked at is {' and '.join(map(repr, columns))}."]
    corpora: dict[str, Corpus] = {}
    for name, source in sources.items():
        own = [c for c in columns if c in source.schema.names]
        own = columns if name == "synthetic" else own or columns_of(source, None)
        most = 2 * TEXTS if name == "real" and "holdout" not in sources else TEXTS
        corpora[name] = sampled(source, own, also, rng, progress, most)
        notes += _said(name, corpora[name], own, columns)
    training, holdout = seeds, _ = corpora.get("real"), corpora.get("holdout")
    if training is not None and holdout is None:
        half = (len(training) + 1) // 2
        training, holdout = training.slice(0, half), training.slice(half, len(training))
        notes.append("The real texts were cut in two by lot: one half shows what real text gets.")
    prose = Prose(
        synthetic=corpora["synthetic"],
        training=training,
        holdout=holdout,
        seeds=seeds,
        column=", ".join(columns),
        label=label,
        quotas=asked,
        before=corpora.get("before"),
        rejects=corpora.get("rejects"),
        contamination=corpora.get("contamination"),
        score=score,
        embedder=embedder,
        rng=rng,
    )
    known = ("synthetic", "real", "holdout", "contamination")
    lineage = {k: sources[k].lineage if k in sources else None for k in known}
    return prose, lineage, notes


def _said(name: str, corpus: Corpus, own: list[str], columns: list[str]) -> list[str]:
    """What a reader should know of how a set was read."""
    out = []
    if own != columns:
        out.append(f"The text of the {name} rows is {' and '.join(map(repr, own))}.")
    if corpus.total > len(corpus):
        out.append(f"{len(corpus):,} of {corpus.total:,} {name} rows were drawn by lot.")
    cut = int((corpus.texts.sizes > LONG).sum())
    if cut:
        out.append(
            f"{cut:,} {name} texts are longer than {LONG:,} characters; the rest was not read."
        )
    return out
