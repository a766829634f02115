"""All steps in one call: `generate` gives rows, `run` gives a folder with rows and their proof."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.contract import Event, Generator, Profile, Progress, Source, quiet
from geurim.errors import DataError, SettingError, TargetExists
from geurim.folders import whole_folder

if TYPE_CHECKING:
    from geurim.generators import Policy
    from geurim.generators.auto import Needs
    from geurim.verify import Report

EDGE_SHARE = 0.05
"""The share of edge cases that `include_edge_cases=True` asks for."""

FILES = {
    "data": "synthetic.parquet",
    "page": "report.html",
    "report": "report.json",
    "model": "model.geurim",
    "profile": "profile.json",
}
"""What a run leaves in its folder."""

_SPLIT = 0x73706C69
"""The spawn key of the split: far above any block number, so no block shares its stream."""

_PLAIN = 100_000
"""Rows drawn without a rebalancing, to compare with."""

_KEEP_BYTES = 256 << 20
"""Real rows up to this size are read once and kept; more of them are read again by each step."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What `run` made: where the files are, the verdict, and how long each step took."""

    folder: Path
    data: Path
    page: Path  # the report to open in a browser
    model: Path
    profile: Path
    report: Report
    seed: int
    training: int  # rows the generator learned from
    holdout: int  # rows it never saw
    seconds: Mapping[str, float]  # by step
    kept: tuple[Any, ...] = ()  # the constraints, and how each is kept (geurim.constraints)
    redrawn: str = ""  # what was drawn again, in words; "" where nothing was


def generate(
    data: Any = None,
    count: int | None = None,
    *,
    distribution: Profile | str | Path | None = None,
    generator: str | Generator | None = None,
    include_edge_cases: bool = False,
    edge_cases: float | None = None,
    seed: int | None = None,
    constraints: Sequence[str] | str = (),
    needs: Needs | None = None,
    given: Any = None,
    where: str | None = None,
    balance: Any = None,
    workers: int = 1,
    synthetic_training: Policy = "warn",
    progress: Progress = quiet,
) -> Source:
    """Synthetic rows in one call: from real rows, or from their statistics alone.

    Give `data` (a Source, a path or URL, a frame), or `distribution` (a Profile, or the path of
    one saved as JSON): then no real row is read. `count`: rows; None for as many as the real
    table had. `generator`: None is "trees" for data and "copula" for a distribution.
    `include_edge_cases` asks for a share of 5%, `edge_cases` for another. `constraints`: what rows
    must keep, "found" for the rules found in the profile. The other arguments are
    those of `geurim.fit` and `geurim.sample`. Nothing is verified here; `run` does that as well.
    Raises SettingError when both or neither of `data` and `distribution` are given.
    """
    from geurim.generators import fit
    from geurim.sample import sample

    if (data is None) == (distribution is None):
        given_text = "neither was given" if data is None else "both were given"
        raise SettingError(
            f"Rows are generated either from data or from a distribution: {given_text}. "
            "Give a table as `data`, or a profile as `distribution`."
        )
    profile = _as_profile(distribution) if distribution is not None else None
    seed = secrets.randbits(32) if seed is None else seed
    fitted = fit(
        data,
        generator or ("trees" if profile is None else "copula"),
        profile=profile,
        seed=seed,
        constraints=constraints,
        needs=needs,
        synthetic_training=synthetic_training,
        progress=progress,
    )
    share = edge_cases if edge_cases is not None else EDGE_SHARE * include_edge_cases
    return sample(
        fitted,
        fitted.profile.rows if count is None else count,
        seed=seed,
        given=given,
        where=where,
        balance=balance,
        edge_cases=share,
        workers=workers,
        progress=progress,
    )


def run(
    data: Any,
    rows: int,
    to: str | Path,
    *,
    target: str | None = None,
    generator: str | Generator = "trees",
    constraints: Sequence[str] | str = (),
    needs: Needs | None = None,
    fair: tuple[str, str, float] | None = None,
    seed: int | None = None,
    holdout: float = 0.2,
    workers: int = 1,
    synthetic_training: Policy = "warn",
    lang: str = "en",
    overwrite: bool = False,
    progress: Progress = quiet,
) -> Result:
    """Analyze, fit, sample and verify, into the folder `to`.

    `data`: a Source, a path or URL, or a frame. A share `holdout` of its rows is set aside by
    lot before anything is learned, and used only to verify. `target`: the column that someone
    would predict. `constraints`: what rows must keep, as in `geurim.fit`; the report says how many
    rows break each. `fair`: a sensitive column, an outcome, and by how much to break their link
    (geurim.fairness); what that came to and cost is in the report. `synthetic_training`: as in
    `geurim.fit`. `lang`: the language of the page, "en" or "ko". The folder appears complete or not
    at all; one that exists is refused, unless `overwrite` and it holds nothing but an earlier run.
    Raises TargetExists, DataError, SettingError.
    """
    from geurim.analyze import analyze, save_profile
    from geurim.constraints import findings, how_kept
    from geurim.fairness import as_asked, independent
    from geurim.fairness import findings as fair_findings
    from geurim.generators import fit
    from geurim.language import check_language
    from geurim.model import save
    from geurim.read import as_source
    from geurim.sample import sample
    from geurim.verify import verify
    from geurim.write import write

    check_language(lang)
    if not 0.0 <= holdout < 1.0:
        raise SettingError(f"The share held out must be from 0 to below 1: {holdout!r} was given.")
    seed = secrets.randbits(32) if seed is None else seed
    source = as_source(data)
    if target is not None and target not in source.schema.names:
        raise SettingError(
            f"There is no column {target!r} to predict. Choose one of: "
            f"{', '.join(source.schema.names)}."
        )
    clock = _Clock()
    with _folder(Path(to), overwrite) as folder:
        with clock.step("read"):
            training, held_out = split(source, holdout, seed)
            if held_out is None and (training.rows or 0) < 2:
                raise DataError(
                    "There is 1 real row, and nothing to compare with it. Give at least 2 rows; "
                    "or fit and sample, which do not verify."
                )
        with clock.step("analyze"):
            profile = analyze(training, progress=progress)
            _check_target(target, profile)
            save_profile(profile, folder / FILES["profile"])
        with clock.step("fit"):
            fitted = fit(
                training,
                generator,
                profile=profile,
                seed=seed,
                constraints=constraints,
                needs=needs,
                synthetic_training=synthetic_training,
                progress=progress,
            )
            save(fitted, folder / FILES["model"])
        with clock.step("sample"):
            listen = Redrawn(progress)
            balance = None if fair is None else independent(fitted, *fair, seed=seed)
            drawn = sample(
                fitted, rows, seed=seed, balance=balance, workers=workers, progress=listen
            )
            write(drawn, folder / FILES["data"], progress=listen)
        with clock.step("verify"):
            synthetic = as_source(folder / FILES["data"])
            report = verify(synthetic, training, holdout=held_out, target=target, progress=progress)
            kept = how_kept(fitted)
            told = findings(synthetic, [k.text for k in kept], real=training)
            if fair is not None:
                plain = sample(fitted, min(rows, _PLAIN), seed=seed, workers=workers)
                told += fair_findings(
                    plain, synthetic, training, *fair[:2], holdout=held_out, progress=progress
                )
                report = replace(report, findings=as_asked(report.findings, *fair[:2]))
            report = replace(report, findings=(*report.findings, *told))
            report.save_html(folder / FILES["page"], lang)
            report.save_json(folder / FILES["report"])
        counts = training.rows or 0, (held_out.rows or 0) if held_out else 0
    paths = {k: Path(to) / v for k, v in FILES.items() if k != "report"}
    return Result(
        folder=Path(to),
        **paths,
        report=report,
        seed=seed,
        kept=kept,
        redrawn=listen.note,
        training=counts[0],
        holdout=counts[1],
        seconds=clock.seconds,
    )


class Redrawn:
    """A progress listener that passes events on, and keeps what was said of rows drawn again."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.note = ""

    def __call__(self, event: Event) -> None:
        if event.step == "sample":
            self.note = event.note
        self.progress(event)


def _check_target(target: str | None, profile: Profile) -> None:
    """Refuse now what `verify` would refuse after the long work."""
    role = None if target is None else profile.columns[target]["role"]
    if role in ("key", "personal", "text"):
        raise SettingError(
            f"The target {target!r} is of role {role!r}, which is made anew and cannot be "
            "predicted. Name a column of numbers, times or categories."
        )


def _as_profile(distribution: Profile | str | Path) -> Profile:
    from geurim.analyze import load_profile

    return distribution if isinstance(distribution, Profile) else load_profile(distribution)


def split(source: Source, holdout: float, seed: int) -> tuple[Source, Source | None]:
    """The rows to learn from, and those held out: a lot drawn row by row, exact in number.

    At least one row is held out where there are two or more; None where nothing can be. The rows
    are told apart by their place, so a source must give them in the same order each time, as
    everything that `geurim.read` returns does.
    """
    source = _settle(source)
    count = source.rows or 0
    if count == 0:
        raise DataError(
            f"There is no row to learn from in {source.lineage.maker!r}: 0 rows were read. "
            "Give a table with at least one row."
        )
    wanted = min(max(round(holdout * count), 1), count - 1) if holdout else 0
    if wanted == 0:
        return source, None
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_SPLIT,)))
    kept = np.ones(count, dtype=bool)
    kept[rng.choice(count, wanted, replace=False)] = False
    return rows_where(source, kept), rows_where(source, ~kept)


def rows_where(source: Source, mask: np.ndarray) -> Source:
    """The rows that `mask` (N,) marks, by their place."""

    def read() -> Iterator[pa.RecordBatch]:
        first = 0
        for batch in source.read():
            yield batch.filter(pa.array(mask[first : first + batch.num_rows]))
            first += batch.num_rows

    return Source(
        schema=source.schema, lineage=source.lineage, read=read, rows=int(np.count_nonzero(mask))
    )


def _settle(source: Source) -> Source:
    """The same rows, counted; kept in memory where they are few enough."""
    batches: list[pa.RecordBatch] = []
    size = rows = 0
    for batch in source.read():
        _refuse_infinite(batch)  # also in rows held out, which analysis does not see
        rows += batch.num_rows
        size += batch.nbytes
        if size <= _KEEP_BYTES:
            batches.append(batch)
    if size > _KEEP_BYTES:
        return replace(source, rows=rows)
    return replace(source, rows=rows, read=lambda: iter(batches))


def _refuse_infinite(batch: pa.RecordBatch) -> None:
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if pa.types.is_floating(column.type) and pc.any(pc.is_inf(column)).as_py():
            raise DataError(
                f"Column {name!r} holds infinite numbers. "
                "Replace them with missing values, or with a finite bound."
            )


@contextmanager
def _folder(to: Path, overwrite: bool) -> Iterator[Path]:
    """A new folder that takes the name `to` when all went well, and is gone when not."""
    with whole_folder(to, lambda place: check_folder(place, overwrite)) as new:
        yield new


def check_folder(to: Path, overwrite: bool) -> None:
    """Raise TargetExists unless `to` is free, empty, or an earlier run that may be replaced."""
    if not to.exists():
        return
    if not to.is_dir():
        raise TargetExists(f"{to} is a file, not a folder. Choose the name of a folder.")
    held = {p.name for p in to.iterdir()}
    others = sorted(held - set(FILES.values()))
    if others:
        raise TargetExists(
            f"The folder {to} holds files that Geurim did not make: {', '.join(others[:3])}"
            f"{' …' if len(others) > 3 else ''}. Choose another folder."
        )
    if held and not overwrite:
        raise TargetExists(
            f"The folder {to} holds an earlier run. Choose another folder, or ask to overwrite."
        )


class _Clock:
    """Wall seconds by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start
