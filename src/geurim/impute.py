"""Missing values filled in: each drawn given what its own row has, once or several times.

    whole = impute("survey.csv", seed=7)            # a Source: the same rows, in order
    five = impute("survey.csv", times=5, seed=7)    # stacked, with a column `imputation`
    pool(estimates, variances)                      # one answer from several (Rubin's rules)

Frequent patterns of missingness are drawn at once, given all that is present; rows of rare ones are
filled column by column given all others, in several passes (chained equations; van Buuren 2018,
section 4.5). Right where values are missing at random: what is missing may depend on what is
present, not on the missing value itself. Several imputations are each learned from a resample of
the rows, so that they differ by what is not known of the distribution too (Rubin 1987).
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow as pa

from geurim.contract import Event, Fitted, Generator, Lineage, Progress, Source, quiet
from geurim.errors import DataError, SettingError
from geurim.frames import regrouped

_CHUNK = 16_384  # rows filled in at once
_EXACT = 24  # patterns drawn at once; rows of others are filled column by column
_LEAST = 50  # rows of such a pattern
_PASSES = 8  # over the columns of rows of rare patterns
_TRIES = 40  # draws of a cell that come out missing, before it is drawn without its row
_FILL = 0x696D70

Pattern = tuple[str, ...]  # the columns that miss a value


def impute(
    data: Any,
    generator: str | Generator | Fitted = "trees",
    *,
    times: int = 1,
    seed: int | None = None,
    progress: Progress = quiet,
) -> Source:
    """The rows of `data`, in order, with every missing value drawn given its row.

    `generator`: a name or settings, fitted here to `data` itself, or a fitted generator that
    completes rows. `times`: imputations; of two or more the Source holds the table as often, one
    after the other, with a column `imputation` in front that counts from 1. Values that are present
    come back unchanged. Keys, personal data and texts are not learned and stay as they are. Rows
    are filled while they are read, in bounded memory.
    Raises SettingError (a generator that cannot complete), DataError (a column without any value).
    """
    from geurim.read import as_source

    if not isinstance(generator, str | Generator | Fitted):
        raise SettingError(
            f"Missing values are drawn from a model of rows, and a {type(generator).__name__} was "
            "given. Give the name of a generator, its settings, or what `geurim.fit` returned."
        )
    if isinstance(times, bool) or not isinstance(times, int) or times < 1:
        raise SettingError(f"times is {times!r}. Give a whole number from 1.")
    seed = secrets.randbits(32) if seed is None else seed
    source = as_source(data)
    if times > 1 and "imputation" in source.schema.names:
        raise SettingError(
            "The data have a column 'imputation' already, which numbers the imputations. Rename it."
        )
    fills = [
        _Filler.of(source, _fitted(source, generator, times, seed, k, progress))
        for k in range(times)
    ]
    if times > 1 and isinstance(generator, Fitted):
        fills = [fills[0]] * times
    made = fills[0].fitted.lineage
    schema = source.schema
    if times > 1:
        schema = pa.schema([pa.field("imputation", pa.int32()), *schema])
    total = None if source.rows is None else source.rows * times

    def read() -> Iterator[pa.RecordBatch]:
        done = 0
        for k, fill in enumerate(fills):
            for place, table in enumerate(regrouped(source, _CHUNK)):
                key = (_FILL, k, place)
                rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
                batch = fill(table, rng)
                if times > 1:
                    number = pa.array(np.full(batch.num_rows, k + 1, np.int32))
                    batch = pa.RecordBatch.from_arrays([number, *batch.columns], schema=schema)
                done += batch.num_rows
                progress(Event(step="sample", done=done, total=total, note=fill.note))
                yield batch

    lineage = Lineage.made(
        f"impute({made.maker})",
        seed=seed,
        request=[times],
        parents=(source.lineage, *((made,) if not made.real else ())),
        privacy=made.privacy,
        shares=(1.0,),
    )
    return Source(schema=schema, lineage=lineage, rows=total, read=read)


def pool(
    estimates: Any, variances: Any, level: float = 0.95
) -> tuple[float, float, tuple[float, float]]:
    """One answer from several imputations: estimate, standard error, interval. Rubin 1987, ch. 3.

    `estimates` and `variances` (squared standard errors): one of each imputation, two or more.
    """
    q, u = np.asarray(estimates, float), np.asarray(variances, float)
    if q.shape != u.shape or q.ndim != 1 or len(q) < 2 or not (u >= 0).all():
        raise SettingError(
            f"pool needs two or more estimates and as many variances, and was given {q.shape} and "
            f"{u.shape}. Give one of each imputation."
        )
    between, within = float(q.var(ddof=1)), float(u.mean())
    extra = (1 + 1 / len(q)) * between
    error = float(np.sqrt(within + extra))
    free = np.inf if extra == 0 else (len(q) - 1) * (1 + within / extra) ** 2
    half = _student(0.5 + level / 2, float(free)) * error
    middle = float(q.mean())
    return middle, error, (middle - half, middle + half)


def _student(p: float, free: float) -> float:
    """Student's quantile in powers of 1 / freedom (Abramowitz & Stegun 26.7.5)."""
    z = NormalDist().inv_cdf(p)
    terms = [
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    ]
    return float(z + sum(term / free ** (i + 1) for i, term in enumerate(terms)))


def _fitted(
    source: Source,
    generator: str | Generator | Fitted,
    times: int,
    seed: int,
    k: int,
    progress: Progress,
) -> Fitted:
    from geurim.generators import fit

    if isinstance(generator, Fitted):
        found = generator
    else:
        rows = source if times == 1 else _resampled(source, seed, k)
        found = fit(rows, generator, seed=seed + k, progress=progress)
    if not found.completes:
        raise SettingError(
            f"This generator ({found.lineage.maker}) cannot complete rows, so it cannot fill in "
            "what is missing. Use one that does, such as trees."
        )
    return found


def _resampled(source: Source, seed: int, k: int) -> Source:
    """The rows as a bootstrap has them: each as often as a Poisson number of mean 1 says."""

    def read() -> Iterator[pa.RecordBatch]:
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_FILL, k)))
        for batch in source.read():
            often = rng.poisson(1.0, batch.num_rows)
            yield batch.take(pa.array(np.repeat(np.arange(batch.num_rows), often)))

    return replace(source, read=read, rows=None)


@dataclass(kw_only=True, eq=False)
class _Filler:
    """Fills in tables from one fitted generator, whose conditions it keeps ready."""

    fitted: Fitted
    columns: tuple[str, ...]  # that are learned: the others neither help nor are filled
    exact: frozenset[Pattern]
    alone: Counter[str] = field(default_factory=Counter)  # cells drawn without their row
    ready: dict[tuple[str, ...], Fitted] = field(default_factory=dict)

    @classmethod
    def of(cls, source: Source, fitted: Fitted) -> _Filler:
        learned = getattr(fitted, "learned", fitted).schema.names
        columns = tuple(n for n in source.schema.names if n in learned)
        unknown = [n for n in source.schema.names if n not in fitted.schema.names]
        if unknown:
            raise SettingError(
                f"The data have columns that the model does not know: {', '.join(unknown)}. "
                "Fit a model to these data, or leave the columns out."
            )
        counts: Counter[Pattern] = Counter()
        for batch in source.read():
            patterns, place = _patterns(batch, columns)
            counts.update(dict(zip(patterns, np.bincount(place).tolist(), strict=True)))
        counts.pop((), None)
        for name in columns:
            if all(name in p for p in counts) and fitted.profile.columns[name]["role"] == "empty":
                raise DataError(
                    f"Column {name!r} has no value in any row, so nothing says what is missing. "
                    "Leave the column out."
                )
        often = [p for p, n in counts.most_common(_EXACT) if n >= _LEAST or len(counts) <= 4]
        return cls(fitted=fitted, columns=columns, exact=frozenset(often))

    @property
    def note(self) -> str:
        """What could not be drawn given its row, in words."""
        said = [f"{n:,} of {name}" for name, n in self.alone.items()]
        return f"no row like theirs has a value: {', '.join(said)}" if said else ""

    def __call__(self, table: pa.Table, rng: np.random.Generator) -> pa.RecordBatch:
        state = {n: _decoded(table[n]) for n in self.columns}
        patterns, place = _patterns(table, self.columns)
        rare: list[np.ndarray] = []
        for i, pattern in enumerate(patterns):
            rows = np.flatnonzero(place == i)
            if pattern in self.exact:
                rows = self._at_once(state, rows, pattern, rng)
            if pattern:
                rare.append(rows)
        left = np.sort(np.concatenate(rare)) if rare else np.empty(0, np.int64)
        if len(left):
            self._by_column(state, left, table, rng)
        filled = [
            _encoded(state[f.name], f.type) if f.name in state else table[f.name].combine_chunks()
            for f in table.schema
        ]
        return pa.RecordBatch.from_arrays(filled, schema=table.schema)

    def _at_once(
        self,
        state: dict[str, pa.Array],
        rows: np.ndarray,
        pattern: Pattern,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Fill rows of one pattern given all they have; gives those that draw after draw miss one.

        A row is taken whole, so what is filled in goes together.
        """
        present = tuple(n for n in self.columns if n not in pattern)
        for _ in range(_TRIES):
            if not len(rows):
                break
            drawn = self._draw(state, rows, present, rng)
            whole = np.logical_and.reduce([_valid(drawn[n]) for n in pattern])
            for name in pattern:
                state[name] = _put(state[name], rows[whole], drawn[name].filter(pa.array(whole)))
            rows = rows[~whole]
        return rows

    def _by_column(
        self,
        state: dict[str, pa.Array],
        rows: np.ndarray,
        table: pa.Table,
        rng: np.random.Generator,
    ) -> None:
        """Chained equations: start anywhere, then each missing cell again given all others."""
        gaps = {n: rows[~_valid(table[n])[rows]] for n in self.columns}
        gaps = {n: r for n, r in gaps.items() if len(r)}
        for name, where in gaps.items():
            state[name] = _put(state[name], where, self._anyhow(name, len(where), rng))
        single = all(len(p) == 1 for p in self._patterns_of(table, rows))
        for turn in range(1 if single else _PASSES):
            for name, where in gaps.items():
                others = tuple(n for n in self.columns if n != name)
                pending = where
                for _ in range(_TRIES):
                    if not len(pending) or not others:
                        break
                    drawn = self._draw(state, pending, others, rng)[name]
                    known = _valid(drawn)
                    state[name] = _put(state[name], pending[known], drawn.filter(pa.array(known)))
                    pending = pending[~known]
                if turn == 0 and len(pending):
                    self.alone[name] += len(pending)

    def _patterns_of(self, table: pa.Table, rows: np.ndarray) -> list[Pattern]:
        patterns, place = _patterns(table, self.columns)
        return [patterns[i] for i in np.unique(place[rows]).tolist()]

    def _draw(
        self,
        state: dict[str, pa.Array],
        rows: np.ndarray,
        given: tuple[str, ...],
        rng: np.random.Generator,
    ) -> pa.RecordBatch:
        if not given:
            return self.fitted.draw(len(rows), rng)
        if given not in self.ready:
            self.ready[given] = self.fitted.condition(given)
        kinds = {n: self.fitted.schema.field(n).type for n in given}
        values = [_encoded(state[n].take(pa.array(rows)), kinds[n]) for n in given]
        return self.ready[given].draw(len(rows), rng, pa.table(values, list(given)))

    def _anyhow(self, name: str, count: int, rng: np.random.Generator) -> pa.Array:
        """Values of a column as it is, given nothing."""
        found: list[pa.Array] = []
        for _ in range(_TRIES):
            drawn = _decoded(self.fitted.draw(max(1_024, count), rng)[name]).drop_null()
            found.append(drawn)
            if sum(map(len, found)) >= count:
                return pa.concat_arrays(found).slice(0, count)
        few = pa.concat_arrays(found)
        if len(few):
            return few.take(pa.array(rng.integers(0, len(few), count)))
        raise DataError(
            f"Column {name!r} has too few values to fill in {count:,} that are missing: the model "
            "all but never draws one. Leave the column out."
        )


def _patterns(
    table: pa.RecordBatch | pa.Table, columns: tuple[str, ...]
) -> tuple[list[Pattern], np.ndarray]:
    """The patterns there are, and which of them each row (N,) has."""
    if not columns or not table.num_rows:
        return [()], np.zeros(table.num_rows, np.int64)
    gone = np.stack([~_valid(table.column(n)) for n in columns], axis=1)
    rows, place = np.unique(np.packbits(gone, axis=1), axis=0, return_inverse=True)
    flags = np.unpackbits(rows, axis=1, count=len(columns)).astype(bool)
    found = [tuple(n for n, f in zip(columns, row, strict=True) if f) for row in flags]
    return found, place.ravel()


def _valid(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    return np.asarray(column.is_valid())


def _decoded(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _encoded(column: pa.Array, kind: pa.DataType) -> pa.Array:
    return column if column.type == kind else column.cast(kind)


def _put(column: pa.Array, rows: np.ndarray, values: pa.Array) -> pa.Array:
    """The column with other values in some rows."""
    if not len(rows):
        return column
    values = _encoded(_decoded(values), column.type)
    order = np.arange(len(column))
    order[rows] = len(column) + np.arange(len(rows))
    return pa.concat_arrays([column, values]).take(pa.array(order))
