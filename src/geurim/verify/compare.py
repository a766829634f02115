"""What every measure looks at: three tables of the same columns, sampled and encoded once.

`compare` reads each source once, in bounded memory: a uniform sample of its rows is kept, in random
order, so that any first n of them are again a uniform sample.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.columns import is_number, is_ordered, is_time, to_axis, to_codes
from geurim.contract import Event, Lineage, Profile, Progress, Source, quiet
from geurim.errors import DataError, SchemaError, SettingError

ROWS = 100_000  # rows kept of each table, at most
CELLS = 8_000_000  # values kept of each table, at most
LEARNED = frozenset({"number", "datetime", "category", "constant", "empty"})


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column as the measures see it."""

    name: str
    kind: str  # "axis" (numbers, times), "codes" (categories) or "strings" (made anew)
    role: str
    type: pa.DataType
    categories: pa.Array | None = None  # of "codes": the training rows' own, frequent first, …
    known: int = 0  # … which are the first `known`; the rest occur elsewhere only


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A uniform sample of a table's rows, in random order."""

    count: int
    total: int  # rows of the whole table
    axis: Mapping[str, np.ndarray]  # (N,) float64; NaN: missing
    codes: Mapping[str, np.ndarray]  # (N,) int64 places in the column's categories; -1: missing
    strings: Mapping[str, pa.Array]  # (N,) of columns that are made anew

    def missing(self, name: str) -> np.ndarray:
        """Which rows have no value in the column, (N,) bool."""
        lost: np.ndarray
        if name in self.axis:
            lost = np.isnan(self.axis[name])
            return lost
        if name in self.codes:
            lost = self.codes[name] < 0
            return lost
        lost = pc.is_null(self.strings[name]).to_numpy(zero_copy_only=False)
        return lost

    def take(self, places: np.ndarray | slice) -> Rows:
        """Some of the rows, by place or by mask."""
        axis = {n: v[places] for n, v in self.axis.items()}
        codes = {n: v[places] for n, v in self.codes.items()}
        index = np.arange(self.count)[places]
        strings = {n: v.take(pa.array(index)) for n, v in self.strings.items()}
        return Rows(count=len(index), total=self.total, axis=axis, codes=codes, strings=strings)

    def first(self, rows: int) -> Rows:
        return self if rows >= self.count else self.take(slice(0, rows))


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What a measure is a function of."""

    columns: tuple[Column, ...]
    training: Rows
    holdout: Rows
    synthetic: Rows  # rows that stand for the population: edge cases count by their weight
    released: Rows  # the rows as they are: what an attacker sees
    profile: Profile
    target: str | None
    held_out: bool  # False: the holdout is a half of the real rows, the training rows the other
    rng: np.random.Generator
    sensitive: tuple[str, ...] = ()  # columns whose groups are to be treated alike
    lineage: Lineage | None = None  # of the synthetic rows

    def of(self, *kinds: str) -> list[Column]:
        """The columns of these kinds, in the table's order."""
        return [c for c in self.columns if c.kind in kinds]


def compare(
    synthetic: Source,
    real: Source,
    holdout: Source | None,
    profile: Profile,
    target: str | None,
    rng: np.random.Generator,
    progress: Progress = quiet,
) -> tuple[Comparison, list[str]]:
    """Align and encode the three tables; also plain notes on how it was done.

    Raises SchemaError where columns differ or a type cannot be read as the real one's,
    DataError where a table has no rows, SettingError where the target is not there.
    """
    names = real.schema.names
    check_target(target, names, profile)
    extra = edge_case_columns(synthetic.schema, real.schema)
    check_columns("synthetic", [n for n in synthetic.schema.names if n not in (extra or ())], names)
    cap = min(ROWS, max(2_000, CELLS // max(len(names), 1)))
    drawn, total = reservoir(real, cap if holdout else 2 * cap, rng, "real", progress)
    if holdout is not None:
        check_columns("holdout", holdout.schema.names, names)
        other, other_total = reservoir(holdout, cap, rng, "holdout", progress)
        tables = [(drawn, total), (other, other_total)]
    else:
        if len(drawn) < 2:
            raise DataError(
                f"The real table has {len(drawn)} row, and no holdout is given. Give a holdout, "
                "or at least 2 real rows, to have something to compare with."
            )
        half = (len(drawn) + 1) // 2
        tables = [(drawn.slice(0, half), (total + 1) // 2), (drawn.slice(half), total // 2)]
    made, made_total = reservoir(synthetic, cap, rng, "synthetic", progress)
    weight = made.column(extra[1]) if extra else None
    tables.append((made.select(names), made_total))
    columns, (training, held, released) = encode(tables, profile)
    weighted = released if weight is None else thin(released, weight, rng)
    comparison = Comparison(
        columns=tuple(columns),
        training=training,
        holdout=held,
        synthetic=weighted,
        released=released,
        profile=profile,
        target=target,
        held_out=holdout is not None,
        rng=rng,
        lineage=synthetic.lineage,
    )
    return comparison, _notes(comparison, weight is not None)


def _notes(comparison: Comparison, weighted: bool) -> list[str]:
    c, notes = comparison, []
    if not c.held_out:
        notes.append(
            "No holdout was given, so the real rows were cut in two by lot: one half stands for "
            "the training rows, the other for rows never seen. The generator may have seen both: "
            "what needs rows that it never saw is not judged. Give a holdout to have it judged."
        )
    for name, rows in (("real", c.training), ("holdout", c.holdout), ("synthetic", c.released)):
        if rows.count < rows.total:
            notes.append(f"Of {rows.total:,} {name} rows, {rows.count:,} were drawn by lot.")
    if weighted:
        notes.append(
            f"The synthetic rows carry edge cases: {c.synthetic.count:,} of {c.released.count:,} "
            "were kept in proportion to their weight, so that they stand for the population. "
            "Privacy is judged on all of them."
        )
    anew = [x.name for x in c.of("strings")]
    if anew:
        shown = ", ".join(anew[:8]) + (" …" if len(anew) > 8 else "")
        notes.append(
            "Keys, personal data and free text are made anew, not learned: only their missing "
            f"values and what survives of the real ones are looked at ({shown})."
        )
    return notes


def check_target(target: str | None, names: list[str], profile: Profile) -> None:
    """Refuse a target that is not a column, or whose values are not learned."""
    if target is None:
        return
    if target not in names:
        near = difflib.get_close_matches(target, names, 3) or names[:8]
        raise SettingError(
            f"There is no column {target!r} to predict. Did you mean: {', '.join(map(repr, near))}?"
        )
    role = profile.columns[target]["role"]
    if role not in LEARNED:
        raise SettingError(
            f"The target {target!r} is of role {role!r}, which is made anew and cannot be "
            "predicted. Name a column of numbers, times or categories."
        )


def check_sensitive(name: str, target: str | None, names: list[str], profile: Profile) -> None:
    """Refuse a sensitive column that is not there, is made anew, or is the outcome itself."""
    if name not in names or profile.columns[name]["role"] not in LEARNED:
        others = [n for n in names if profile.columns[n]["role"] in LEARNED]
        near = difflib.get_close_matches(name, others, 3) or others[:8]
        why = "is made anew, so it tells no group" if name in names else "is not there"
        raise SettingError(
            f"The sensitive column {name!r} {why}. Did you mean: {', '.join(map(repr, near))}?"
        )
    if name == target:
        raise SettingError(f"{name!r} is both sensitive and the target. Name two columns.")


def edge_case_columns(synthetic: pa.Schema, real: pa.Schema) -> tuple[str, str] | None:
    """The names of the mark and the weight that edge-case sampling added, if it did."""
    found = []
    for name in ("edge_case", "weight"):
        while name in real.names:
            name += "_"
        found.append(name)
    if not all(n in synthetic.names for n in found):
        return None
    return (found[0], found[1]) if is_number(synthetic.field(found[1]).type) else None


def check_columns(which: str, given: list[str], wanted: list[str]) -> None:
    """The same columns, in any order, else an error that names those that differ."""
    twice = sorted({n for n in given if given.count(n) > 1}) if len(set(given)) < len(given) else []
    if twice:
        raise SchemaError(
            f"The {which} table has columns of the same name: {twice[:8]}. Rename them."
        )
    missing = [n for n in wanted if n not in set(given)]
    extra = [n for n in given if n not in set(wanted)]
    if missing or extra:
        parts = [f"lacks {missing[:8]}"] * bool(missing) + [f"also has {extra[:8]}"] * bool(extra)
        raise SchemaError(
            f"The {which} table's columns differ from the real table's: it {' and '.join(parts)}. "
            "Give tables with the same columns."
        )


def reservoir(
    source: Source, rows: int, rng: np.random.Generator, which: str, progress: Progress = quiet
) -> tuple[pa.Table, int]:
    """A uniform sample of `rows` rows in random order, and the number of rows read.

    Each row gets a random key and the smallest keys stay, so that the sample does not depend on
    how the rows are cut into batches. Raises DataError where there is no row.
    """
    parts: list[pa.RecordBatch] = []
    keys: list[np.ndarray] = []
    kept, total, limit = 0, 0, 1.0
    for batch in source.read():
        key = rng.random(batch.num_rows)
        total += batch.num_rows
        places = np.flatnonzero(key < limit)
        if len(places) < batch.num_rows:
            batch = batch.take(pa.array(places))
        parts.append(batch)
        keys.append(key[places])
        kept += len(places)
        if kept > 2 * rows:
            table, key = _smallest(parts, keys, source.schema, rows)
            parts, keys, kept, limit = table.to_batches(), [key], rows, float(key[-1])
        progress(Event(step="verify", done=total, total=source.rows, note=f"reading {which}"))
    if total == 0:
        raise DataError(
            f"The {which} table {source.lineage.maker!r} has no rows. Give at least one row."
        )
    return _smallest(parts, keys, source.schema, rows)[0], total


def _smallest(
    parts: list[pa.RecordBatch], keys: list[np.ndarray], schema: pa.Schema, rows: int
) -> tuple[pa.Table, np.ndarray]:
    key = np.concatenate(keys)
    order = np.argsort(key, kind="stable")[:rows]
    return pa.Table.from_batches(parts, schema).take(pa.array(order)).combine_chunks(), key[order]


def thin(rows: Rows, weight: pa.ChunkedArray, rng: np.random.Generator) -> Rows:
    """Keep each row with a chance in proportion to its weight: what stays is the population.

    No row is doubled (doubled rows would give a classifier away). Raises DataError on weights
    that are missing, negative or all zero.
    """
    w = to_axis(weight)
    if not np.isfinite(w).all() or (w < 0).any() or not w.any():
        raise DataError(
            f"The weights of the edge cases must be finite, 0 or more, and not all 0: from "
            f"{np.nanmin(w):g} to {np.nanmax(w):g} were given. Sample the rows again."
        )
    return rows.take(np.flatnonzero(rng.random(rows.count) * w.max() < w))


def encode(tables: list[tuple[pa.Table, int]], profile: Profile) -> tuple[list[Column], list[Rows]]:
    """Each column on an axis or as codes that all tables share; the first table is the training."""
    training = tables[0][0]
    columns: list[Column] = []
    axis: list[dict[str, np.ndarray]] = [{} for _ in tables]
    codes: list[dict[str, np.ndarray]] = [{} for _ in tables]
    strings: list[dict[str, pa.Array]] = [{} for _ in tables]
    for field in training.schema:
        role = str(profile.columns[field.name]["role"])
        kind = _kind(field.type, role)
        values = [convert(t.column(field.name), field, kind) for t, _ in tables]
        categories, known = None, 0
        if kind == "axis":
            for store, column in zip(axis, values, strict=True):
                store[field.name] = to_axis(column)
        elif kind == "codes":
            categories, known = shared_categories(values)
            for place, column in enumerate(values):
                codes[place][field.name] = to_codes(column, categories)
        else:
            for place, column in enumerate(values):
                strings[place][field.name] = column
        columns.append(
            Column(
                name=field.name,
                kind=kind,
                role=role,
                type=field.type,
                categories=categories,
                known=known,
            )
        )
    made = zip(tables, axis, codes, strings, strict=True)
    return columns, [
        Rows(count=len(t), total=n, axis=a, codes=c, strings=s) for (t, n), a, c, s in made
    ]


def _kind(kind: pa.DataType, role: str) -> str:
    if role not in LEARNED:
        return "strings"
    return "axis" if is_ordered(kind) and role != "category" else "codes"


def convert(column: pa.ChunkedArray, field: pa.Field, kind: str) -> pa.Array:
    """The column in the form of `kind`, read as the real column's type where its own differs."""
    values = column.combine_chunks()
    if isinstance(values, pa.ChunkedArray):  # older pyarrow gives a chunked array back
        values = pa.concat_arrays(values.chunks)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    own, wanted = values.type, field.type
    if pa.types.is_dictionary(wanted):
        wanted = wanted.value_type
    try:
        if kind == "axis":
            same = (is_number(own) and is_number(wanted)) or (is_time(own) and is_time(wanted))
            return values if same else pc.cast(values, wanted)
        if own != wanted and not _is_text(own):
            values = pc.cast(values, wanted, safe=False)
        return pc.cast(values, pa.large_string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise SchemaError(
            f"Column {field.name!r} is {wanted} in the real table, but {own} elsewhere, with "
            f"values that cannot be read as that ({str(error)[:120]}). Give it the same type."
        ) from error


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def shared_categories(values: list[pa.Array]) -> tuple[pa.Array, int]:
    """The first array's categories, most frequent first, then those of the others only."""
    counted = pc.drop_null(values[0]).value_counts()
    names = counted.field("values")
    counts = counted.field("counts").to_numpy(zero_copy_only=False)
    alphabetic = pc.rank(names).to_numpy(zero_copy_only=False) if len(names) else counts
    first = names.take(pa.array(np.lexsort((alphabetic, -counts)))) if len(names) else names
    others = pc.unique(pc.drop_null(pa.chunked_array(values[1:], values[0].type)))
    news = others.filter(pc.invert(pc.is_in(others, value_set=first)))
    return pa.concat_arrays([first, news]), len(first)
