"""A blind review: can people who know the field tell synthetic rows from real ones?

    made = geurim.review.prepare("people.csv", "synthetic.parquet", "review", rows=50, seed=7)
    # hand out the folder `review`, keep `review.key.json`; later:
    print("\\n".join(geurim.review.score(["kim.csv", "lee.csv"], "review.key.json").summary()))

Half of the rows are real, half synthetic, in an order of its own for each reviewer, and nothing in
the files tells which is which. What comes back is the share of right answers (one half is
guessing), how far reviewers agree, and which columns gave rows away.
"""

from __future__ import annotations

import csv
import io
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa

from geurim.contract import Profile, Progress, Source, quiet
from geurim.errors import DataError, NotFound, SettingError, TargetExists
from geurim.language import check_language
from geurim.review_scores import ANSWER, GIVEAWAYS, ID, NOTE, Review, score
from geurim.verify.report import write_text

__all__ = ["ANSWER", "GIVEAWAYS", "ID", "NOTE", "Prepared", "Review", "prepare", "score"]

Personal = Literal["drop", "anew", "keep"]
_REVIEW = 0x72657669  # the spawn key of its lots


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What was written for the reviewers, and what must be kept from them."""

    folder: Path
    files: tuple[str, ...]  # names in the folder
    key: Path
    columns: tuple[str, ...]  # shown
    left_out: tuple[str, ...]
    anew: tuple[str, ...]  # shown with made-up values
    rows: int


def prepare(
    real: Any,
    synthetic: Any,
    to: str | Path,
    *,
    rows: int = 50,
    reviewers: int = 1,
    personal: Personal = "drop",
    key: str | Path | None = None,
    seed: int | None = None,
    lang: str = "en",
    overwrite: bool = False,
    progress: Progress = quiet,
) -> Prepared:
    """Write a CSV file and an HTML form for each reviewer into the folder `to`; a key beside it.

    `real`, `synthetic`: a Source, a path or URL, or a frame each, of the same columns. `rows`: half
    of them real, drawn by lot, the same for all reviewers. `personal`: columns with keys, personal
    data and free text are left out ("drop"), made anew in all rows alike ("anew"), or shown as they
    are ("keep"). `key`: where the answers are kept; `to` with ".key.json" unless told. `lang`: the
    form's language, "en" or "ko"; answers may be in either.
    Raises SettingError, DataError (too few rows), SchemaError (columns differ), TargetExists.
    """
    from geurim.folders import whole_folder
    from geurim.review_form import form

    folder = Path(to)
    place = Path(key) if key is not None else folder.with_name(f"{folder.name}.key.json")
    check_language(lang)
    _check(rows, reviewers, personal, place, folder, overwrite)
    seed = secrets.randbits(63) if seed is None else seed
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_REVIEW,)))
    table, made, left, anew = _drawn(real, synthetic, rows, personal, rng, progress)
    ids = _ids(rows, rng)
    cells = [[_cell(v) for v in column.to_pylist()] for column in table.columns]
    names = tuple(table.column_names)
    files = []
    with whole_folder(folder, lambda path: _free(path, overwrite)) as new:
        for reviewer in range(1, reviewers + 1):
            order = rng.permutation(rows)
            shown = [(ids[i], [column[i] for column in cells]) for i in order]
            for suffix, text in (
                ("csv", _sheet(names, shown)),
                ("html", form(names, shown, reviewer, lang)),
            ):
                write_text(new / f"reviewer-{reviewer}.{suffix}", text)
                files.append(f"reviewer-{reviewer}.{suffix}")
        kinds = {i: "synthetic" if m else "real" for i, m in zip(ids, made, strict=True)}
        state = {"format": "geurim-review-key", "version": 1, "columns": list(names), "rows": kinds}
        write_text(place, json.dumps(state, ensure_ascii=False, indent=1))
    return Prepared(
        folder=folder,
        files=tuple(files),
        key=place,
        columns=names,
        left_out=left,
        anew=anew,
        rows=rows,
    )


def _check(
    rows: int, reviewers: int, personal: str, key: Path, folder: Path, overwrite: bool
) -> None:
    for name, value, least in (("rows", rows, 2), ("reviewers", reviewers, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise SettingError(f"{name} is {value!r}. Give a whole number from {least}.")
    if personal not in get_args(Personal):
        raise SettingError(
            f"personal is {personal!r}. Use one of: {', '.join(get_args(Personal))}."
        )
    if key.absolute().parent == folder.absolute():
        raise SettingError(
            f"The key {str(key)!r} would lie among the files to hand out. Keep it elsewhere."
        )
    if not key.absolute().parent.is_dir():
        raise NotFound(f"There is no folder {str(key.parent)!r} for the key. Make it first.")
    if key.exists() and not overwrite:
        raise TargetExists(
            f"{str(key)!r} exists: the key of another review, whose answers would be lost. Choose "
            "another name, or ask to overwrite."
        )


def _free(folder: Path, overwrite: bool) -> None:
    """Raise TargetExists unless the folder is free, or an earlier review that may be replaced."""
    if not folder.exists():
        return
    names = [p.name for p in folder.iterdir()] if folder.is_dir() else ["a file"]
    others = [n for n in names if not n.startswith("reviewer-")]
    if others or (names and not overwrite):
        raise TargetExists(
            f"{str(folder)!r} exists and holds {', '.join((others or names)[:3])}. Choose another "
            "folder" + ("." if others else ", or ask to overwrite.")
        )


def _drawn(
    real: Any,
    synthetic: Any,
    rows: int,
    personal: str,
    rng: np.random.Generator,
    progress: Progress,
) -> tuple[pa.Table, np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """The rows to show, which of them were made (N,), columns left out and columns made anew."""
    from geurim.analyze import analyze
    from geurim.generators import LEARNED
    from geurim.mix import cast_to
    from geurim.read import as_source
    from geurim.verify.compare import check_columns, reservoir

    sources = as_source(real), as_source(synthetic)
    check_columns("synthetic", list(sources[1].schema.names), list(sources[0].schema.names))
    extra = int(rng.integers(2)) * (rows % 2)
    wanted = rows // 2 + extra, rows - rows // 2 - extra
    drawn = []
    for source, count, which in zip(sources, wanted, ("real", "synthetic"), strict=True):
        table, there = reservoir(source, count, rng, which, progress)
        if there < count:
            raise DataError(
                f"A review of {rows:,} rows needs {count:,} {which} rows; there are {there:,}. "
                f"Ask for {2 * there:,} rows at most."
            )
        drawn.append(cast_to(table, sources[0].schema))
    profile = analyze(sources[0], progress=progress)
    order = rng.permutation(rows)
    table = pa.concat_tables(drawn).take(pa.array(order)).combine_chunks()
    made = np.repeat([False, True], wanted)[order]
    named = tuple(n for n in table.column_names if profile.columns[n]["role"] not in LEARNED)
    if personal == "keep" or not named:
        return table, made, (), ()
    if personal == "anew":
        return _anew(table, profile, sources[0], named, rng), made, (), named
    kept = [n for n in table.column_names if n not in named]
    if not kept:
        raise DataError(
            "Every column holds keys, personal data or free text, so nothing is left to show. Ask "
            'for personal="anew" or "keep".'
        )
    return table.select(kept), made, named, ()


def _anew(
    table: pa.Table,
    profile: Profile,
    source: Source,
    names: Sequence[str],
    rng: np.random.Generator,
) -> pa.Table:
    """The same rows with made-up values in some columns, real and synthetic rows alike."""
    from geurim.generators.anew import Anew

    made = Anew.plan(profile, source, rng).make(table.num_rows, rng, 0, table)
    for name in names:
        at = table.schema.get_field_index(name)
        table = table.set_column(
            at, table.schema.field(at), made[name].cast(table.schema.types[at])
        )
    return table


def _ids(rows: int, rng: np.random.Generator) -> list[str]:
    """Names of rows that tell nothing, all different."""
    found: dict[str, None] = {}
    while len(found) < rows:
        found[rng.bytes(4).hex()] = None
    return [f"R{i}" for i in found]


def _cell(value: Any) -> str:
    """A value as it is shown; the same text for the same value, real or synthetic."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.15g}"
    return str(value)


def _sheet(names: Sequence[str], shown: Sequence[tuple[str, list[str]]]) -> str:
    """The CSV file; what a spreadsheet would take for a formula gets an apostrophe in front."""
    out = io.StringIO()
    out.write("\ufeff")  # or a spreadsheet takes UTF-8 for something else
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([ID, ANSWER, GIVEAWAYS, NOTE, *names])
    for name, values in shown:
        writer.writerow([name, "", "", "", *map(_plain, values)])
    return out.getvalue()


def _plain(text: str) -> str:
    risky = text[:1] in ("=", "+", "-", "@", "\t", "\r")
    if not risky:
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text
