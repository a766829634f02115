"""STEP 2: generators, one file each. `fit` is the driver; the table below is the public list."""

from __future__ import annotations

import importlib
import secrets
import warnings
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import numpy as np
import pyarrow as pa

from geurim.contract import Event, Fitted, Generator, Lineage, Profile, Progress, Source, quiet
from geurim.errors import DataError, SettingError

if TYPE_CHECKING:
    from geurim.generators.auto import Needs

GENERATORS: dict[str, str] = {
    "trees": "geurim.generators.trees:Trees",
    "autoregressive": "geurim.generators.autoregressive:Autoregressive",
    "copula": "geurim.generators.copula:Copula",
    "diffusion": "geurim.generators.diffusion:Diffusion",
    "gan": "geurim.generators.gan:Gan",
    "independent": "geurim.generators.independent:Independent",
    "private": "geurim.generators.private:Private",
    "resample": "geurim.generators.resample:Resample",
    "vae": "geurim.generators.vae:Vae",
}
"""Name -> "module:class". Other packages add theirs by an entry point "geurim.generators"."""

Policy = Literal["warn", "refuse", "allow"]
"""What is done about a fit on synthetic rows alone."""

_FIT = 0x66697400

LEARNED = frozenset({"number", "datetime", "category", "constant", "empty"})
"""Roles that a generator learns. Keys, personal data and free text are made anew."""


def generators() -> dict[str, str]:
    """Every generator that can be named: the built-in ones and those of installed packages."""
    return GENERATORS | {p.name: p.value for p in entry_points(group="geurim.generators")}


def generator_class(name: str) -> type[Any]:
    """The class of a generator's settings. Raises SettingError, naming the ones there are."""
    known = generators()
    if name not in known:
        raise SettingError(
            f"There is no generator called {name!r}. Choose one of: {', '.join(sorted(known))}."
        )
    module, _, attribute = known[name].partition(":")
    found: type[Any] = getattr(importlib.import_module(module), attribute)
    return found


def fitted_class(name: str) -> type[Fitted]:
    """The class of a fitted generator by the name that stands in its model file."""
    from geurim.generators.table import Table

    if name == Table.name:
        return Table
    if name == "constrained":
        from geurim.constraints.constrained import FittedConstrained

        return FittedConstrained
    if name == "text":
        from geurim.generators.text.fitted import FittedText

        return FittedText
    if name == "rules":
        from geurim.generators.rules.world import FittedWorld

        return FittedWorld
    if name == "sequences":
        from geurim.sequences import FittedSequences

        return FittedSequences
    found: type[Fitted] = generator_class(name).fitted
    return found


def fit(
    data: Any,
    generator: str | Generator = "trees",
    *,
    profile: Profile | None = None,
    seed: int | None = None,
    constraints: Sequence[str] | str = (),
    needs: Needs | None = None,
    checkpoint: str | Path | None = None,
    synthetic_training: Policy = "warn",
    progress: Progress = quiet,
) -> Fitted:
    """Learn a distribution over the rows of `data`.

    `data`: a Source, a path or URL, or a frame; None to learn from `profile` alone. `generator`: a
    name or settings, such as `Trees(leaf=50)`, or "auto": `geurim.generators.auto` then chooses by
    the table and `needs`, and says why in its progress. `seed`: None draws one and records it in
    the lineage. Columns with a key, personal data or free text are not learned but made anew.
    `constraints`: what every row must meet (geurim.constraints), "found" among them for the rules
    of the profile. `checkpoint`: a file from which a fit that was killed goes on, for generators
    that are trained. `synthetic_training`: what is done where no row is real by its lineage, for
    models that learn from models fade (docs/collapse.md): a Python warning, "refuse" (DataError),
    or "allow". Raises SettingError, DataError.
    """
    from geurim.constraints import constrain
    from geurim.generators.anew import Anew
    from geurim.generators.table import Table

    seed = secrets.randbits(63) if seed is None else seed
    if data is None and profile is None and generator == "auto":
        raise SettingError("Nothing to fit: data and profile are both None. Give one of them.")
    source = None
    if generator == "auto":
        profile, source, generator = _chosen(data, profile, needs, progress)
    settings: Generator = generator_class(generator)() if isinstance(generator, str) else generator
    settings = trained(settings, checkpoint, needs.seconds if needs else None)
    check_policy(synthetic_training)
    if settings.whole:
        if constraints:
            raise SettingError(
                f"Constraints are for tables, and {settings!r} takes a source as it is. "
                "Leave them out."
            )
        return _fit_whole(settings, data, profile, seed, synthetic_training, progress)
    if data is None and profile is None:
        raise SettingError("Nothing to fit: data and profile are both None. Give one of them.")
    if data is not None:
        from geurim.analyze import analyze
        from geurim.read import as_source

        source = source or as_source(data)
        check_training(source.lineage, synthetic_training)
        profile = analyze(source, progress=progress) if profile is None else profile
    assert profile is not None
    learned = [n for n in profile.schema.names if profile.columns[n]["role"] in LEARNED]
    # A key of its own: sampling may well be given the same seed, and its blocks have keys 0, 1, …
    streams = np.random.SeedSequence(seed, spawn_key=(_FIT,)).spawn(2)
    rng_learn, rng_anew = (np.random.default_rng(s) for s in streams)
    settings = constrain(settings, constraints, profile, learned)
    inner = settings.fit(source and select(source, learned), profile, rng_learn, progress)
    return Table(
        schema=source.schema if source else profile.schema,
        profile=profile,
        learned=inner,
        anew=Anew.plan(profile, source, rng_anew),
        lineage=Lineage.made(repr(settings), seed=seed, parents=((source or profile).lineage,)),
    )


def _chosen(
    data: Any, profile: Profile | None, needs: Needs | None, progress: Progress
) -> tuple[Profile, Source | None, str]:
    """What `generator="auto"` comes to: the profile, the source, the name."""
    from geurim.analyze import analyze
    from geurim.generators.auto import Needs, choose
    from geurim.read import as_source

    source = None if data is None else as_source(data)
    if profile is None:
        profile = analyze(source, progress=progress)
    asked = replace(needs or Needs(), rows=source is not None)
    name, why = choose(profile, asked)
    progress(Event(step="fit", done=0, unit="columns", note=f"{name}, because {why}"))
    return profile, source, name


def keeps_checkpoints(generator: str | Generator) -> bool:
    """Whether a fit of this generator, by name or settings, can go on from a checkpoint."""
    settings = generator_class(generator)() if isinstance(generator, str) else generator
    return hasattr(getattr(settings, "training", None), "checkpoint")


def trained(
    settings: Generator, checkpoint: str | Path | None = None, seconds: float | None = None
) -> Generator:
    """The settings with a checkpoint, and a time allowed, where they are of training.

    Raises SettingError where a checkpoint is asked of a generator that has none.
    """
    training = getattr(settings, "training", None)
    if checkpoint is None and (seconds is None or training is None):
        return settings
    if training is None or not hasattr(training, "checkpoint"):
        raise SettingError(
            f"{settings!r} is not trained step by step and keeps no checkpoint, and one was asked "
            f"for at {str(checkpoint)!r}. Leave it out: this fit starts again in no time."
        )
    if checkpoint is not None:
        training = replace(training, checkpoint=str(checkpoint))
    if seconds is not None:
        training = replace(training, seconds=seconds)
    changed: Generator = replace(cast(Any, settings), training=training)
    return changed


def check_policy(policy: str) -> None:
    """Raise SettingError unless the policy is one of those there are."""
    if policy not in get_args(Policy):
        raise SettingError(
            f"synthetic_training is {policy!r}. Use one of: {', '.join(get_args(Policy))}."
        )


def check_training(lineage: Lineage, policy: Policy) -> None:
    """Warn of rows to learn from of which none is real, or refuse them with DataError."""
    if policy == "allow" or lineage.depth == 0 or lineage.real_share > 0:
        return
    told = (
        f"No row to learn from is real: by their lineage all were made, at depth {lineage.depth} "
        f"(by {lineage.maker[:80]}). What is rare fades from generation to generation. Mix real "
        'rows in (geurim mix), or say synthetic_training="allow" (--synthetic-training allow).'
    )
    if policy == "refuse":
        raise DataError(told)
    warnings.warn(told, stacklevel=3)


def _fit_whole(
    settings: Generator,
    data: Any,
    profile: Profile | None,
    seed: int,
    policy: Policy,
    progress: Progress,
) -> Fitted:
    """Fit a generator that takes the source as it is, or needs none."""
    from geurim.read import as_source

    source = None if data is None else as_source(data)
    if source is not None and hasattr(settings, "fitted"):  # a recipe asks a model, learns nothing
        check_training(source.lineage, policy)
    if profile is None:
        schema, lineage = (
            (source.schema, source.lineage)
            if source
            else (
                pa.schema([]),
                Lineage.made(repr(settings)),
            )
        )
        profile = Profile(schema=schema, lineage=lineage, rows=0, columns={})
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_FIT,)))
    return settings.fit(source, profile, rng, progress)


def select(source: Source, names: list[str]) -> Source:
    """The same rows with only these columns."""
    missing = set(names) - set(source.schema.names)
    if missing:
        raise DataError(
            f"The data lack columns that the profile names: {sorted(missing)}. "
            "Analyze these data, or give the data that the profile was made from."
        )
    if names == source.schema.names:
        return source
    schema = pa.schema([source.schema.field(n) for n in names], source.schema.metadata)
    return Source(
        schema=schema,
        lineage=source.lineage,
        rows=source.rows,
        read=lambda: (batch.select(names) for batch in source.read()),
    )
