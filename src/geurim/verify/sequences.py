"""Are series faithful in time? Lengths, gaps, autocorrelation, transitions, crossings, seasons.

Each measure is one number or distribution of a unit or of an event; training, holdout and
synthetic series are measured alike, by whole units, and the interval comes from drawing units
again (Efron 1979). A single long series is cut into stretches that stand for units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from geurim.columns import is_number, is_ordered, to_axis, to_codes
from geurim.contract import Event, Finding, Progress, Source, quiet
from geurim.errors import DataError
from geurim.sequences.layout import Layout, Series, read_series
from geurim.verify import series as of
from geurim.verify.memory import memory
from geurim.verify.report import Report
from geurim.verify.series import CATEGORIES, Compared, Observed
from geurim.verify.spacing import gaps, lengths

MEASURES: dict[str, Callable[[Compared], list[Finding]]] = {
    "lengths": lengths,
    "gaps": gaps,
    "autocorrelation": of.autocorrelation,
    "transitions": of.transitions,
    "cross": of.cross,
    "trend": of.trend,
    "seasons": of.seasons,
    "season_of_values": of.season_of_values,
    "memory": memory,
}
"""The public list of measures of series; they share a random stream: new ones go to the end."""

_EVENTS = 200_000  # events compared of each, whole units by lot
_STRETCHES = 40  # that a single long series is cut into
_COLUMNS = 12


def verify_sequences(
    synthetic: Any,
    real: Any,
    *,
    holdout: Any = None,
    entity: str | None = None,
    time: str | None = None,
    seed: int = 0,
    progress: Progress = quiet,
) -> Report:
    """Compare synthetic series with the real ones they were learned from, and those held out.

    Each is a Source, a path or URL, or a frame of flat rows, whose `entity` and `time` are named;
    or units (`nest`), which know them. Raises DataError, SettingError.
    """
    from geurim.read import as_source

    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2,)))
    made, known = as_source(synthetic), as_source(real)
    held = None if holdout is None else as_source(holdout)
    sources = [known, made] if held is None else [known, made, held]
    training, drawn, *others = _alike(sources, entity, time)
    compared = _compare(training, others[0] if others else None, drawn, rng)
    findings: list[Finding] = []
    for done, (name, measure) in enumerate(MEASURES.items()):
        progress(Event(step="verify", done=done, total=len(MEASURES), unit="checks", note=name))
        findings += measure(compared)
    progress(Event(step="verify", done=len(MEASURES), total=len(MEASURES), unit="checks"))
    notes = [
        "One row compared is one unit: a series with all its events."
        if not compared.single
        else f"There is one long series: it was cut into {_STRETCHES} stretches that stand for "
        "units. Stretches are not independent, so intervals are rough."
    ]
    return Report(
        findings=tuple(findings),
        notes=tuple(notes),
        rows={
            "training": compared.training.units,
            "holdout": compared.holdout.units if compared.holdout else 0,
            "synthetic": compared.synthetic.units,
        },
        lineage={
            "synthetic": made.lineage,
            "real": known.lineage,
            "holdout": held.lineage if held else None,
        },
        target=None,
        seed=seed,
    )


def _alike(sources: Sequence[Source], entity: str | None, time: str | None) -> list[Series]:
    """Each read by the layout of the first; a column is the entity's where none lets it change.

    What never changed within a real entity may change within a synthetic one: that is compared,
    and no error.
    """
    first = read_series(sources[0], entity, time)
    entity, time, static = first.layout.entity, first.layout.time, first.layout.static
    if any(Layout.of(s.schema) for s in sources):
        return [first, *(read_series(s, entity, time, static) for s in sources[1:])]
    read = [first, *(read_series(s, entity, time) for s in sources[1:])]
    common = tuple(n for n in static if all(n in r.layout.static for r in read))
    return [
        r if r.layout.static == common else read_series(s, entity, time, common)
        for s, r in zip(sources, read, strict=True)
    ]


def _compare(
    training: Series, holdout: Series | None, synthetic: Series, rng: np.random.Generator
) -> Compared:
    for other in (holdout, synthetic):
        if other is not None and set(other.flat.names) != set(training.flat.names):
            raise DataError(
                f"The series have other columns: {sorted(other.flat.names)}, and the real ones "
                f"{sorted(training.flat.names)}. Give tables of the same columns."
            )
    single = len(training.lengths) == 1
    kinds = _categories(training)

    def seen(series: Series) -> Observed:
        found = _observe(_some(series, rng), kinds, training.flat)
        return found.stretches(_STRETCHES) if single else found

    time = training.layout.time
    return Compared(
        training=seen(training),
        holdout=None if holdout is None else seen(holdout),
        synthetic=seen(synthetic),
        dated=time is not None and not is_number(training.flat.field(time).type),
        single=single,
        rng=rng,
    )


def _some(series: Series, rng: np.random.Generator) -> Series:
    if series.starts[-1] <= _EVENTS or len(series.lengths) == 1:
        return series
    order = rng.permutation(len(series.lengths))
    count = int(np.searchsorted(np.cumsum(series.lengths[order]), _EVENTS)) or 1
    return series.of_units(np.sort(order[:count]))


def _categories(series: Series) -> dict[str, pa.Array]:
    """The most frequent values of each column that is a category."""
    found = {}
    for name in series.events.column_names:
        column = series.events[name]
        if name == series.layout.time or is_ordered(column.type):
            continue
        counted = column.drop_null().value_counts()
        if not len(counted) or len(counted) > 0.5 * len(column) > 50:
            continue  # keys and free text
        top = counted.take(pa.array(np.argsort(-counted.field("counts").to_numpy(), kind="stable")))
        found[name] = top.field("values").slice(0, CATEGORIES)
    return found


def _observe(series: Series, kinds: dict[str, pa.Array], flat: pa.Schema) -> Observed:
    numbers = {
        n: to_axis(series.events[n])
        for n in series.events.column_names
        if n != series.layout.time and is_ordered(flat.field(n).type)
    }
    classes = {}
    for name, values in kinds.items():
        codes = to_codes(series.events[name].cast(flat.field(name).type), values)
        missing = np.asarray(series.events[name].is_null())
        classes[name] = np.where(missing, len(values) + 1, np.where(codes < 0, len(values), codes))
    return Observed(
        starts=series.starts,
        time=series.time,
        numbers=dict(list(numbers.items())[:_COLUMNS]),
        classes=dict(list(classes.items())[:_COLUMNS]),
    )
