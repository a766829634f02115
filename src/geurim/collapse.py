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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa

from geurim.contract import (
    Event,
    Finding,
    Generator,
    Json,
    Lineage,
    Profile,
    Progress,
    Source,
    Verdict,
    quiet,
)
from geurim.errors import DataError, SettingError, TargetExists
from geurim.verify.report import WORDS, strict, write_text
from geurim.verify.verdict import ORDER, worst

Mode = Literal["replace", "accumulate"]
GRID = (0.0, 0.01, 0.05, 0.1, 0.2, 0.5)
"""The shares of real rows that `smallest_share` tries unless told."""

_COLLAPSE = 0x636F6C6C  # the spawn key of its random streams
_SETTINGS = "settings.json"
FILES = {"json": "collapse.json", "page": "collapse.html"}


@dataclass(frozen=True, kw_only=True)
class Generation:
    """One generation: what it learned from, and its rows measured beside the real ones."""

    number: int  # 0: real rows never seen, which show what honest rows get
    rows: int
    training: int  # rows it learned from
    real: int  # of these, real ones
    findings: tuple[Finding, ...]


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

    def to_html(self) -> str:
        """One page that opens offline: a plot a measure."""
        from geurim.collapse_page import collapse_page

        return collapse_page(self)

    def save(self, folder: str | Path) -> None:
        """Write collapse.json and collapse.html into a folder."""
        _save(self, Path(folder))


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
        whole = "none of those tried" if self.share is None else percent(self.share)
        return [*lines, f"  All of them: {whole}"]

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

    def to_html(self) -> str:
        """One page that opens offline: a plot a measure, over the shares."""
        from geurim.collapse_page import shares_page

        return shares_page(self)

    def save(self, folder: str | Path) -> None:
        """Write collapse.json and collapse.html into a folder."""
        _save(self, Path(folder))


def _save(found: Collapse | ShareSearch, folder: Path) -> None:
    text = json.dumps(found.to_json(), ensure_ascii=False, allow_nan=False, indent=1)
    write_text(folder / FILES["json"], text)
    write_text(folder / FILES["page"], found.to_html())


@dataclass(frozen=True, kw_only=True, eq=False)
class _Chain:
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
        stream = np.random.SeedSequence(self.seed, spawn_key=(_COLLAPSE, generation))
        return int(stream.generate_state(1, np.uint64)[0] >> np.uint64(1))


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
    chain = _chain(data, mode, real_share, generator, rows, measures, holdout, seed, to, progress)
    if isinstance(generations, bool) or generations < 1:
        raise SettingError(f"generations is {generations!r}. Give a whole number from 1.")
    if chain.folder is not None:
        _claim(chain)
    done: list[Generation] = []
    made: list[Source] = []
    for number in range(generations + 1):
        found = _kept(chain, number)
        wanted = not only_ends or number in (0, 1, generations)
        if number:
            made.append(_rows_of(chain, number, made, progress))
        if wanted and found is None:
            found = _measure(chain, number, made, progress)
            _keep(chain, found)
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


def _notes(names: Sequence[str], learned: Sequence[str]) -> tuple[str, ...]:
    left = [n for n in names if n not in learned]
    notes = ["One run is one path: another seed gives another one."]
    if left:
        notes.append(
            f"Left out, since they are made anew and not learned: {', '.join(map(repr, left[:8]))}"
            f"{' …' if len(left) > 8 else ''}."
        )
    return tuple(notes)


def _chain(
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
) -> _Chain:
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
    return _Chain(
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


def _rows_of(chain: _Chain, number: int, made: list[Source], progress: Progress) -> Source:
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


def _training(chain: _Chain, number: int, made: list[Source]) -> Source:
    """What a generation learns from."""
    from geurim.mix import mix

    if number == 1:
        return chain.real
    earlier = made if chain.mode == "accumulate" else made[-1:]
    if chain.share is None:
        return _stacked([chain.real, *earlier], chain.real.schema)
    if chain.share == 0 and len(earlier) == 1:
        return _recast(earlier[0], chain.real.schema)
    return mix(
        chain.real,
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


def _measure(chain: _Chain, number: int, made: list[Source], progress: Progress) -> Generation:
    from geurim.verify.collapsing import measured
    from geurim.verify.compare import compare

    rows = chain.holdout if number == 0 else made[number - 1]
    rng = np.random.default_rng(np.random.SeedSequence(chain.seed, spawn_key=(_COLLAPSE, 0, 0)))
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


def _size(chain: _Chain, number: int) -> int:
    real = chain.real.rows or 0
    if number == 1:
        return real
    return chain.rows if chain.share is not None else real + (number - 1) * chain.rows


def _real(chain: _Chain, number: int) -> int:
    real = chain.real.rows or 0
    if number == 1 or chain.share is None:
        return real
    return int(np.floor(chain.share * chain.rows + 0.5))


def _settings(chain: _Chain) -> dict[str, Json]:
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


def _claim(chain: _Chain) -> None:
    """Make the folder, or see that it holds the same run. Raises TargetExists where it does not."""
    assert chain.folder is not None
    chain.folder.mkdir(parents=True, exist_ok=True)
    path, wanted = chain.folder / _SETTINGS, _settings(chain)
    if not path.exists():
        others = sorted(p.name for p in chain.folder.iterdir() if not p.name.startswith("."))
        if others:
            raise TargetExists(
                f"The folder {str(chain.folder)!r} holds other files ({', '.join(others[:3])}). "
                "Choose another folder."
            )
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


def seed_in(folder: Path) -> int | None:
    """The seed of the run that a folder holds, so that it can be gone on with; None without one."""
    for path in sorted([folder / _SETTINGS, *folder.glob(f"share-*/{_SETTINGS}")]):
        if path.exists():
            return int(json.loads(path.read_text("utf-8"))["seed"])
    return None


def _keep(chain: _Chain, found: Generation) -> None:
    """Save a generation's figures; its rows are there already."""
    if chain.folder is None:
        return
    state = strict(asdict(found))
    write_text(chain.folder / f"generation-{found.number:03d}.json", json.dumps(state, indent=1))


def _kept(chain: _Chain, number: int) -> Generation | None:
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
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_COLLAPSE,)))
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
