"""All steps for series in one call: analyze, fit, sample and verify, into a folder."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import numpy as np

from geurim.contract import Generator, Progress, Source, quiet
from geurim.errors import SettingError
from geurim.pipeline import FILES, Result, _Clock, _folder
from geurim.sequences.fitted import Sequences
from geurim.sequences.layout import Series, flatten, read_series, split_units

_SPLIT = 0x73657100


def run_sequences(
    data: Any,
    units: int,
    to: str | Path,
    *,
    entity: str | None = None,
    time: str | None = None,
    generator: Generator | None = None,
    seed: int | None = None,
    holdout: float = 0.2,
    workers: int = 1,
    lang: str = "en",
    overwrite: bool = False,
    progress: Progress = quiet,
) -> Result:
    """The events of `units` new entities and their proof, in the folder `to`.

    `data`: a Source, a path or URL, or a frame, of flat rows. `entity` and `time` as of
    `Sequences`; `generator`: other settings than the default ones, which then say both. A share
    `holdout` of the entities is set aside by lot and used only to verify. In a Result, `training`
    and `holdout` count entities. `lang`: the language of the page, "en" or "ko". Raises
    TargetExists, DataError, SettingError.
    """
    from geurim.analyze import save_profile
    from geurim.generators import fit
    from geurim.language import check_language
    from geurim.model import save
    from geurim.read import as_source
    from geurim.sample import sample
    from geurim.verify.sequences import verify_sequences
    from geurim.write import write

    if not 0.0 <= holdout < 1.0:
        raise SettingError(f"The share held out must be from 0 to below 1: {holdout!r} was given.")
    check_language(lang)
    seed = secrets.randbits(32) if seed is None else seed
    settings = generator or Sequences(entity=entity, time=time)
    source, clock = as_source(data), _Clock()
    with _folder(Path(to), overwrite) as folder:
        with clock.step("read"):
            series = read_series(source, entity, time, getattr(settings, "static", None))
            rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_SPLIT,)))
            training, held = split_units(series, holdout, rng)
        with clock.step("fit"):
            fitted = fit(as_units(training, source), settings, seed=seed, progress=progress)
            save(fitted, folder / FILES["model"])
            save_profile(fitted.profile, folder / FILES["profile"])
        with clock.step("sample"):
            drawn = sample(fitted, units, seed=seed, workers=workers, progress=progress)
            write(flatten(drawn), folder / FILES["data"], progress=progress)
        with clock.step("verify"):
            report = verify_sequences(
                as_source(folder / FILES["data"]),
                as_units(training, source),
                holdout=held and as_units(held, source),
                progress=progress,
            )
            report.save_html(folder / FILES["page"], lang)
            report.save_json(folder / FILES["report"])
    folder = Path(to)
    return Result(
        folder=folder,
        data=folder / FILES["data"],
        page=folder / FILES["page"],
        model=folder / FILES["model"],
        profile=folder / FILES["profile"],
        report=report,
        seed=seed,
        training=len(training.lengths),
        holdout=len(held.lengths) if held else 0,
        seconds=clock.seconds,
    )


def as_units(series: Series, source: Source) -> Source:
    """Series in memory as a Source of units, with the lineage of where they come from."""
    table = series.nested()
    return Source(
        schema=table.schema, lineage=source.lineage, rows=table.num_rows, read=table.to_batches
    )
