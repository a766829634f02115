"""The steps of a collapse study: what a generation learns from, its rows, figures and files."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa

from geurim.contract import Finding, Generator, Json, Lineage, Profile, Progress, Source
from geurim.errors import DataError, SettingError, TargetExists
from geurim.verify.report import strict, write_text

Mode = Literal["replace", "accumulate"]

COLLAPSE = 0x636F6C6C
"""The spawn key of a study's random streams."""

_SETTINGS = "settings.json"


@dataclass(frozen=True, kw_only=True)
class Generation:
    """One generation: what it learned from, and its rows measured beside the real ones."""

    number: int  # 0: real rows never seen, which show what honest rows get
    rows: int
    training: int  # rows it learned from
    real: int  # of these, real ones
    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Chain:
    """What stays the same over the generations."""

    real: Source
    holdout: Source
    profile: Profile
    mode: str
    share: float | None
    generator: str | Generator
    rows: int
    measures: tuple[str, ...]
    seed: int
    folder: Path | None
    notes: tuple[str, ...]

    def seed_of(self, generation: int) -> int:
        stream = np.random.SeedSequence(self.seed, spawn_key=(COLLAPSE, generation))
        return int(stream.generate_state(1, np.uint64)[0] >> np.uint64(1))


def _notes(names: Sequence[str], learned: Sequence[str]) -> tuple[str, ...]:
    left = [n for n in names if n not in learned]
    notes = ["One run is one path: another seed gives another one."]
    if left:
        notes.append(
            f"Left out, since they are made anew and not learned: {', '.join(map(repr, left[:8]))}"
            f"{' …' if len(left) > 8 else ''}."
        )
    return tuple(notes)


def start(
    data: Any,
    mode: str,
    share: float | None,
    generator: str | Generator,
    rows: int | None,
    measures: Sequence[str] | None,
    holdout: float,
    seed: int | None,
    to: str | Path | None,
    progress: Progress,
) -> Chain:
    from geurim.analyze import analyze
    from geurim.generators import LEARNED
    from geurim.pipeline import split
    from geurim.read import as_source
    from geurim.verify.collapsing import MEASURES

    if mode not in get_args(Mode):
        raise SettingError(f"mode is {mode!r}. Use one of: {', '.join(get_args(Mode))}.")
    if share is not None and not 0 <= share <= 1:
        raise SettingError(f"real_share is {share!r}. Give a share from 0 to 1, such as 0.1.")
    chosen = tuple(MEASURES) if measures is None else tuple(measures)
    unknown = [n for n in chosen if n not in MEASURES]
    if unknown or not chosen:
        raise SettingError(f"There is no measure {unknown!r}. Choose among: {', '.join(MEASURES)}.")
    seed = secrets.randbits(32) if seed is None else seed
    source = as_source(data)
    training, held = split(source, holdout, seed)
    profile = analyze(training, progress=progress)
    learned = [n for n in source.schema.names if profile.columns[n]["role"] in LEARNED]
    if not learned:
        raise DataError("No column is learned: all are keys, personal data or text. Give others.")
    schema = _declared(source.schema, learned, profile)
    real = _recast(training, schema)
    count = real.rows or 0
    rows = count if rows is None else rows
    if isinstance(rows, bool) or rows < 1:
        raise SettingError(f"rows is {rows!r}. Give a whole number from 1.")
    if share is not None and round(share * rows) > count:
        raise DataError(
            f"A real share of {share:g} of {rows:,} rows needs {round(share * rows):,} real rows; "
            f"there are {count:,} to learn from. Ask for fewer rows, or a smaller share."
        )
    return Chain(
        real=real,
        holdout=_recast(held, schema) if held is not None else real,
        profile=replace(profile, schema=schema, columns={n: profile.columns[n] for n in learned}),
        mode=mode,
        share=0.0 if share is None and mode == "replace" else share,
        generator=generator,
        rows=rows,
        measures=chosen,
        seed=seed,
        folder=None if to is None else Path(to),
        notes=_notes(source.schema.names, learned),
    )


def _declared(schema: pa.Schema, names: list[str], profile: Profile) -> pa.Schema:
    """The schema of the learned columns, whose roles no later generation may change."""
    fields = []
    for name in names:
        field = schema.field(name)
        role = str(profile.columns[name]["role"])
        notes = dict(field.metadata or {})
        if role in ("number", "datetime", "category"):
            notes[b"geurim.role"] = role.encode()
        fields.append(field.with_metadata(notes) if notes else field)
    return pa.schema(fields)


def _recast(source: Source, schema: pa.Schema) -> Source:
    """The source's columns of `schema`, with its notes."""

    def read() -> Iterator[pa.RecordBatch]:
        for batch in source.read():
            columns = [batch.column(n) for n in schema.names]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    return Source(schema=schema, lineage=source.lineage, read=read, rows=source.rows)


def rows_of(chain: Chain, number: int, made: list[Source], progress: Progress) -> Source:
    """The rows of a generation: those that are kept, or drawn from a model fitted now."""
    from geurim.generators import fit
    from geurim.read import as_source
    from geurim.sample import sample
    from geurim.write import write

    path = None if chain.folder is None else chain.folder / f"rows-{number:03d}.parquet"
    if path is not None and path.exists():
        return as_source(path)
    training = _training(chain, number, made)
    seed = chain.seed_of(number)
    fitted = fit(
        training, chain.generator, seed=seed, synthetic_training="allow", progress=progress
    )
    drawn = sample(fitted, chain.rows, seed=seed, progress=progress)
    if path is None:
        table = drawn.to_arrow()
        return replace(drawn, read=lambda: iter(table.to_batches()))
    write(drawn, path, progress=progress)
    return as_source(path)


def _training(chain: Chain, number: int, made: list[Source]) -> Source:
    """What a generation learns from."""
    from geurim.mix import mix

    if number == 1:
        return chain.real
    earlier = made if chain.mode == "accumulate" else made[-1:]
    if chain.share is None:
        return _stacked([chain.real, *earlier], chain.real.schema)
    if chain.share == 0 and len(earlier) == 1:
        return _recast(earlier[0], chain.real.schema)
    # Generation 0 stands for the real rows here, whatever it was made from.
    lineage = Lineage(maker=chain.real.lineage.maker, digest=chain.real.lineage.digest, real=True)
    return mix(
        replace(chain.real, lineage=lineage),
        _stacked(earlier, chain.real.schema),
        real_share=chain.share,
        rows=chain.rows,
        seed=chain.seed_of(number),
    )


def _stacked(sources: Sequence[Source], schema: pa.Schema) -> Source:
    """The rows of several sources, one after another."""
    parts = [_recast(s, schema) for s in sources]
    total = sum(s.rows or 0 for s in parts)

    def read() -> Iterator[pa.RecordBatch]:
        for part in parts:
            yield from part.read()

    lineage = Lineage.made(
        f"{len(parts)} sets of rows",
        parents=tuple(s.lineage for s in parts),
        shares=tuple((s.rows or 0) / max(total, 1) for s in parts),
    )
    return Source(schema=schema, lineage=lineage, read=read, rows=total)


def measure(chain: Chain, number: int, made: list[Source], progress: Progress) -> Generation:
    from geurim.verify.collapsing import measured
    from geurim.verify.compare import compare

    rows = chain.holdout if number == 0 else made[number - 1]
    rng = np.random.default_rng(np.random.SeedSequence(chain.seed, spawn_key=(COLLAPSE, 0, 0)))
    c, _ = compare(rows, chain.real, chain.holdout, chain.profile, None, rng, progress)
    findings = measured(c, chain.measures, chain.seed)
    training = 0 if number == 0 else _size(chain, number)
    real = 0 if number == 0 else _real(chain, number)
    return Generation(
        number=number,
        rows=rows.rows or 0,
        training=training,
        real=real,
        findings=tuple(replace(f, details=dict(f.details)) for f in findings),
    )


def _size(chain: Chain, number: int) -> int:
    real = chain.real.rows or 0
    if number == 1:
        return real
    return chain.rows if chain.share is not None else real + (number - 1) * chain.rows


def _real(chain: Chain, number: int) -> int:
    real = chain.real.rows or 0
    if number == 1 or chain.share is None:
        return real
    return int(np.floor(chain.share * chain.rows + 0.5))


def _settings(chain: Chain) -> dict[str, Json]:
    return {
        "real": chain.real.lineage.digest,
        "columns": list(chain.real.schema.names),
        "real_rows": chain.real.rows,
        "mode": chain.mode,
        "real_share": chain.share,
        "generator": str(chain.generator),
        "rows": chain.rows,
        "measures": list(chain.measures),
        "seed": chain.seed,
    }


def claim(chain: Chain) -> None:
    """Make the folder, or see that it holds the same run. Raises TargetExists where it does not."""
    assert chain.folder is not None
    chain.folder.mkdir(parents=True, exist_ok=True)
    path, wanted = chain.folder / _SETTINGS, _settings(chain)
    if not path.exists():
        check_folder(chain.folder)
        write_text(path, json.dumps(wanted, indent=1))
        return
    kept = json.loads(path.read_text("utf-8"))
    differ = [k for k in wanted if kept.get(k) != wanted[k]]
    if differ:
        raise TargetExists(
            f"The folder {str(chain.folder)!r} holds a run with another {', '.join(differ)} "
            f"({', '.join(repr(kept.get(k)) for k in differ)[:120]}). Repeat that to go on with "
            "it, or choose another folder."
        )


def check_folder(folder: Path, *own: str) -> None:
    """Raise TargetExists where a folder holds other files than a study's pages and those named."""
    if not folder.exists():
        return
    names = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else ["which is a file"]
    known = ("collapse.json", "collapse.html", ".*", *own)
    others = [n for n in names if not any(fnmatchcase(n, pattern) for pattern in known)]
    if others:
        raise TargetExists(
            f"The folder {str(folder)!r} holds other files ({', '.join(others[:3])}). Choose "
            "another folder."
        )


def seed_in(folder: Path) -> int | None:
    """The seed of the run that a folder holds, so that it can be gone on with; None without one."""
    for path in sorted([folder / _SETTINGS, *folder.glob(f"share-*/{_SETTINGS}")]):
        if path.exists():
            return int(json.loads(path.read_text("utf-8"))["seed"])
    return None


def keep(chain: Chain, found: Generation) -> None:
    """Save a generation's figures; its rows are there already."""
    if chain.folder is None:
        return
    state = strict(asdict(found))
    write_text(chain.folder / f"generation-{found.number:03d}.json", json.dumps(state, indent=1))


def kept(chain: Chain, number: int) -> Generation | None:
    """The figures of a generation that was measured before, or None."""
    if chain.folder is None:
        return None
    path = chain.folder / f"generation-{number:03d}.json"
    if not path.exists():
        return None
    state = json.loads(path.read_text("utf-8"))
    return generation_of(state)


def generation_of(state: Mapping[str, Json]) -> Generation:
    """The inverse of `asdict`, from strict JSON."""

    def finding(f: Mapping[str, Json]) -> Finding:
        numbers = {k: float("nan") if f[k] is None else f[k] for k in ("value", "low", "high")}
        return Finding(**{**f, **numbers, "columns": tuple(f["columns"])})

    return Generation(**{**state, "findings": tuple(finding(f) for f in state["findings"])})
