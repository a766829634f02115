"""The checks that every generator must pass; packages with generators of their own run the same.

    from geurim.testing import check_generator

    def test_mine() -> None:
        check_generator(Mine)

or, one test a check: `@pytest.mark.parametrize("check", CHECKS)` and `check(Subject(Mine))`.
A check raises AssertionError with what is wrong. Those about distributions compare draws with the
real rows: they fail a right generator less than once in 10,000 runs, and pass whatever differs from
the real rows no more than another sample of the same size would.
"""

from __future__ import annotations

import dataclasses
import random
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.analyze import analyze
from geurim.columns import from_axis, is_ordered, to_axis, to_codes
from geurim.contract import Fitted, Generator, Lineage, Profile, Source

LEVEL = 1e-4
"""How often, at most, a statistical check fails a generator that is right."""

Make = Callable[[], Generator]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A generator under test, its source and what it draws: fitted once for all checks."""

    make: Make
    source: Source = field(default_factory=lambda: example())
    rows: int = 20_000

    @cached_property
    def profile(self) -> Profile:
        return analyze(self.source)

    @cached_property
    def learned(self) -> Source:
        """The columns of the source that a generator gets to see."""
        from geurim.generators import LEARNED, select

        roles = {n: self.profile.columns[n]["role"] for n in self.source.schema.names}
        return select(self.source, [n for n, role in roles.items() if role in LEARNED])

    @cached_property
    def real(self) -> pa.Table:
        return self.learned.to_arrow()

    @cached_property
    def fitted(self) -> Fitted:
        return self.fit()

    @cached_property
    def drawn(self) -> pa.Table:
        """`rows` rows in four blocks."""
        size = self.rows // 4
        return pa.Table.from_batches([self.fitted.draw(size, stream(7, i)) for i in range(4)])

    @property
    def private(self) -> bool:
        """Whether the fit is differentially private: its noise comes from no seed."""
        return bool(self.fitted.lineage.privacy)

    def fit(self, seed: int = 1) -> Fitted:
        return self.make().fit(self.learned, self.profile, stream(seed))

    def again(self, seed: int = 1) -> Fitted:
        """Fitted once more; a private fit, which no seed repeats, as it is."""
        return self.fitted if self.private else self.fit(seed)


def stream(seed: int, block: int = 0) -> np.random.Generator:
    """The random stream of a block, made as the driver makes it."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(block,)))


def example(rows: int = 2_000, seed: int = 5) -> Source:
    """A made table: integers, decimals, mass points, dates, booleans, categories, missing values.

    Its columns rise and fall together as correlated normals, so that every generator that learns
    dependence at all can learn this one.
    """
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal(rows)
    a, b, c, d, e = (0.8 * shared + 0.6 * rng.standard_normal(rows) for _ in range(5))
    price = np.round(np.exp(3 + 0.8 * b), 2)
    grades = pa.array(["low", "middle", "high"])
    cities = pa.array(["서울", "Bern", "O'Hara", "", "Λ", "seldom"])
    table = pa.table(
        {
            "age": pa.array(np.clip(np.rint(45 + 14 * a), 18, 90).astype(np.int64)),
            "price": pa.array(price, mask=a + rng.standard_normal(rows) > 1.6),
            "gain": pa.array(np.where(c < 0.5, 0.0, np.rint(1000 * (c - 0.4)))),
            "since": from_axis((18_000 + np.rint(900 * d)) * 86_400e6, pa.date32()),
            "member": pa.array(e > 0.3, mask=rng.random(rows) < 0.05),
            "grade": grades.take(pa.array(np.digitize(0.8 * e + 0.6 * a, [0.3, 1.4]))),
            "city": cities.take(pa.array(rng.choice(6, rows, p=[0.4, 0.3, 0.2, 0.07, 0.02, 0.01]))),
        }
    )
    return source_of(table, "example")


def source_of(table: pa.Table, name: str = "table") -> Source:
    """An Arrow table as a source of real rows."""
    return Source(
        schema=table.schema,
        lineage=Lineage(maker=name, digest=f"test of {name}", real=True),
        read=lambda: iter(table.to_batches()),
        rows=table.num_rows,
    )


def check_generator(make: Make, source: Source | None = None) -> None:
    """Run every check on the generator that `make` builds. Raises AssertionError at the first.

    `make` is called without arguments: a class, or `lambda: Mine(depth=3)`. `source`: real rows
    of your own in place of the example's; columns in it should depend on each other monotonely.
    """
    subject = Subject(make=make) if source is None else Subject(make=make, source=source)
    for check in CHECKS:
        check(subject)


def check_settings_are_frozen_and_compare(subject: Subject) -> None:
    """Two objects with the same settings are equal and print alike; nothing can be set later."""
    one, other = subject.make(), subject.make()
    kind = type(one).__name__
    _require(dataclasses.is_dataclass(one), f"{kind} is not a dataclass: make it a frozen one.")
    _require(
        one == other and hash(one) == hash(other), f"Two {kind}() with the same settings differ."
    )
    _require(repr(one) == repr(other), f"Two {kind}() print differently: {one!r} and {other!r}.")
    _require(kind in repr(one), f"{one!r} does not name {kind}: the lineage could not tell it.")
    for setting in [*(f.name for f in dataclasses.fields(one)), "anything"]:  # type: ignore[arg-type]
        try:
            setattr(one, setting, None)
        except AttributeError:
            continue
        raise AssertionError(f"{kind}.{setting} can be set: use @dataclass(frozen=True).")


def check_fit_returns_the_class_it_names(subject: Subject) -> None:
    """`fit` returns an object of `Generator.fitted`, which has a name: model files need both."""
    generator, fitted = subject.make(), subject.fitted
    _require(
        type(fitted) is type(generator).fitted,
        f"fit returned {type(fitted).__name__}, but {type(generator).__name__}.fitted is "
        f"{type(generator).fitted.__name__}.",
    )
    _require(bool(fitted.name), f"{type(fitted).__name__}.name is {fitted.name!r}: give it a name.")


def check_fit_leaves_its_inputs_alone(subject: Subject) -> None:
    """Fitting changes neither the profile nor the rows."""
    import copy

    profile = dataclasses.replace(
        subject.profile,
        columns=copy.deepcopy(dict(subject.profile.columns)),
        dependence=copy.deepcopy(dict(subject.profile.dependence)),
    )
    subject.make().fit(subject.learned, profile, stream(1))
    _require(profile == subject.profile, "fit changed the profile that it was given.")
    _require(subject.learned.to_arrow().equals(subject.real), "fit changed the real rows.")


def check_schema_is_kept(subject: Subject) -> None:
    """What is drawn has the names and types of what was learned, in order, and is valid."""
    wanted = subject.learned.schema
    _same_schema(subject.fitted.schema, wanted, "fitted.schema")
    batch = subject.fitted.draw(100, stream(2))
    _same_schema(batch.schema, wanted, "the schema of a draw")
    batch.validate(full=True)


def check_rows_are_exactly_as_asked(subject: Subject) -> None:
    """`draw(n)` has n rows, for one row and for many."""
    for rows in (1, 2, 7, 1000, 1001):
        found = subject.fitted.draw(rows, stream(3)).num_rows
        _require(found == rows, f"draw({rows}) returned {found} rows.")


def check_same_seed_gives_the_same_rows(subject: Subject) -> None:
    """The same source, profile and generator state give the same model and the same rows."""
    one, two, other = (subject.again(seed).draw(200, stream(4)) for seed in (1, 1, 2))
    _require(one.equals(two), "The same seeds gave different rows: randomness is not from `rng`.")
    _same_schema(other.schema, one.schema, "the schema of a draw after another seed")


def check_different_seeds_give_different_rows(subject: Subject) -> None:
    """Another random stream draws other rows."""
    one, two = (subject.fitted.draw(500, stream(seed)) for seed in (5, 6))
    _require(not one.equals(two), "Two random streams drew the same 500 rows.")


def check_rng_is_the_only_randomness(subject: Subject) -> None:
    """The global random states of Python and NumPy are neither read nor changed."""
    python, numpy = random.getstate(), np.random.get_state(legacy=False)
    try:
        drawn = []
        for seed in (1, 2):
            random.seed(seed)
            np.random.seed(seed)
            before = (random.getstate(), repr(np.random.get_state(legacy=False)))
            drawn.append(subject.again().draw(300, stream(8)))
            after = (random.getstate(), repr(np.random.get_state(legacy=False)))
            _require(before == after, "Fitting or drawing changed a global random state.")
        _require(drawn[0].equals(drawn[1]), "Rows depend on a global random state: use `rng`.")
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def check_blocks_do_not_depend_on_order(subject: Subject) -> None:
    """A block is the same whether drawn first, last or twice: a fitted object is immutable."""
    fitted = subject.again()
    before = _frozen(fitted)
    last_first = [fitted.draw(300, stream(9, i)) for i in (3, 0, 1, 2, 3)]
    in_order = [subject.fitted.draw(300, stream(9, i)) for i in (0, 1, 2, 3)]
    _require(last_first[0].equals(last_first[-1]), "Drawing the same block again gave other rows.")
    _require(last_first[1:] == in_order, "Blocks depend on which ones were drawn before.")
    _require(_frozen(fitted) == before, "Drawing changed the state of the fitted object.")


def check_model_file_draws_the_same(subject: Subject) -> None:
    """A model saved and loaded has the same schema and lineage and draws the same rows."""
    from geurim.model import load, save

    fitted = subject.fitted
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = load(save(fitted, Path(folder) / "model.geurim"))
        except ValueError as error:
            if "There is no generator called" not in str(error):
                raise AssertionError(f"The model file could not be read back: {error}") from error
            # A class that no entry point names yet: its state goes through the file all the same.
            found = _reloaded(fitted)
    _same_schema(found.schema, fitted.schema, "the schema after loading")
    _require(found.lineage == fitted.lineage, "The lineage changed in the model file.")
    same = found.draw(500, stream(10)).equals(fitted.draw(500, stream(10)))
    _require(same, "A loaded model draws other rows: state() or from_state() loses something.")


def check_missing_values_have_their_share(subject: Subject) -> None:
    """Each column misses values as often as the real one, up to chance."""
    n, m = subject.real.num_rows, subject.drawn.num_rows
    for name in subject.real.column_names:
        real, drawn = (t[name].null_count / t.num_rows for t in (subject.real, subject.drawn))
        slack = _share_slack(np.array([real]), n, m, subject.real.num_columns)[0]
        _require(
            abs(real - drawn) <= slack and (real > 0 or drawn == 0),
            f"Column {name!r} misses {drawn:.2%} of its values; the real one {real:.2%} "
            f"(chance allows {slack:.2%}).",
        )


def check_numbers_are_distributed_as_real(subject: Subject) -> None:
    """Each number's and time's distribution is the real one, up to chance (Kolmogorov-Smirnov).

    The slack is that of two samples of these sizes: Massart (1990), Ann. Probab. 18:1269-1283.
    """
    names = _ordered(subject)
    for name in names:
        real, drawn = (_present(t[name]) for t in (subject.real, subject.drawn))
        if not len(real):
            continue
        _require(len(drawn) > 0, f"Column {name!r} has no values at all.")
        points = np.union1d(real, drawn)
        gap = np.abs(
            np.searchsorted(real, points, "right") / len(real)
            - np.searchsorted(drawn, points, "right") / len(drawn)
        ).max()
        chance = np.log(2 * len(names) / LEVEL) / 2
        slack = np.sqrt(chance * (1 / len(real) + 1 / len(drawn)))
        _require(
            gap <= slack,
            f"Column {name!r} is not distributed as the real one: Kolmogorov-Smirnov distance "
            f"{gap:.4f}, chance allows {slack:.4f} (means {drawn.mean():.6g}, {real.mean():.6g}).",
        )


def check_numbers_keep_their_form(subject: Subject) -> None:
    """Whole numbers stay whole, decimals keep their places, and values stay within the bounds."""
    for name in _ordered(subject):
        facts = subject.profile.columns[name]
        values = _present(subject.drawn[name])
        _require(bool(np.isfinite(values).all()), f"Column {name!r} has infinite values.")
        if facts["role"] not in ("number", "datetime") or not len(values):
            continue
        low, high = facts["min"], facts["max"]
        _require(
            low <= values.min() and values.max() <= high,
            f"Column {name!r} goes from {values.min():.8g} to {values.max():.8g}; the profile's "
            f"bounds are {low:.8g} and {high:.8g}.",
        )
        places = facts.get("decimals")
        rough = np.zeros(0) if places is None else values[np.round(values, places) != values]
        if facts.get("step"):
            rough = values[values % facts["step"] != 0]
        _require(
            not len(rough),
            f"Column {name!r} has finer values than the real one, such as {rough[:1]}.",
        )


def check_missing_is_null_never_nan(subject: Subject) -> None:
    """A missing number is an Arrow null; NaN would slip through every count of missing values."""
    for name, column in zip(subject.drawn.column_names, subject.drawn.columns, strict=True):
        if pa.types.is_floating(column.type):
            found = pc.sum(pc.is_nan(column)).as_py() or 0
            _require(not found, f"Column {name!r} holds {found} NaN: draw nulls instead.")


def check_categories_have_their_shares(subject: Subject) -> None:
    """Each category is as frequent as in the real rows, up to chance, and none is invented."""
    n, m = subject.real.num_rows, subject.drawn.num_rows
    names = [n for n in subject.real.column_names if not is_ordered(subject.real[n].type)]
    for name in names:
        values = pc.unique(subject.real[name].drop_null())
        codes = to_codes(subject.drawn[name], values)
        invented = (
            subject.drawn[name]
            .drop_null()
            .filter(pa.array(codes[~_nulls(subject.drawn[name])] < 0))
        )
        _require(
            not len(invented),
            f"Column {name!r} has categories that the real one never has, such as "
            f"{invented[:1].to_pylist()}.",
        )
        real = np.bincount(to_codes(subject.real[name], values) + 1, minlength=1 + len(values)) / n
        drawn = np.bincount(codes + 1, minlength=1 + len(values)) / m
        slack = _share_slack(real, n, m, len(real) * len(names))
        off = int(np.argmax(np.abs(real - drawn) - slack))
        _require(
            abs(real[off] - drawn[off]) <= slack[off],
            f"Column {name!r}: {values[off - 1] if off else None} has the share {drawn[off]:.2%}; "
            f"the real one {real[off]:.2%} (chance allows {slack[off]:.2%} either way).",
        )


def check_dependence_is_kept(subject: Subject) -> None:
    """Each pair of columns correlates as in the real rows (Spearman), and so does what is missing.

    Over the rows where both have values; categories ranked by frequency. Only where `Fitted.joint`:
    baselines of single columns have none to keep. Slack: Fisher's transform, with the 1.06 of
    Fieller, Hartley & Pearson (1957), Biometrika 44:470-481.
    """
    if not subject.fitted.joint:
        return
    real, drawn = (_ordinals(t, subject.real) for t in (subject.real, subject.drawn))
    pairs = list(combinations(real, 2))
    for one, other in pairs:
        _same_correlation(real, drawn, one, other, len(pairs))


def check_given_values_come_back(subject: Subject) -> None:
    """Row i of a completion holds row i's given values, missing ones too. Where `completes`."""
    if not subject.fitted.completes:
        return
    names = subject.real.column_names
    order = stream(11).permutation(subject.real.num_rows)[:300]
    for columns in (names[:1], names[-1:], names[1:3][::-1], names[:-1], names):
        given = subject.real.select(columns).take(pa.array(order))
        for fitted in (subject.fitted, subject.fitted.condition(tuple(columns))):
            batch = fitted.draw(given.num_rows, stream(12), given)
            _same_schema(batch.schema, subject.learned.schema, "the schema of a completion")
            _require(
                pa.Table.from_batches([batch]).select(columns).equals(given),
                f"Given values of {columns} did not come back unchanged, row by row.",
            )


def check_given_values_are_heeded(subject: Subject) -> None:
    """The rest of a completed row depends on what was given, as in the real rows."""
    if not (subject.fitted.completes and subject.fitted.joint):
        return
    real = _ordinals(subject.real, subject.real)
    chosen = stream(13).integers(subject.real.num_rows, size=subject.rows // 4)
    for column in subject.real.column_names:
        given = subject.real.select([column]).take(pa.array(chosen))
        batch = subject.fitted.condition((column,)).draw(given.num_rows, stream(14), given)
        drawn = _ordinals(pa.Table.from_batches([batch]), subject.real)
        for other in real:
            if other[0] != column and (column, "values") in real:
                one = (column, "values")
                _same_correlation(real, drawn, one, other, len(real) ** 2, f"given {column!r}: ")


def check_lineage_names_its_parents(subject: Subject) -> None:
    """A model is made, not measured: one step deeper than what it was fitted on, which it names."""
    lineage, parent = subject.fitted.lineage, subject.source.lineage
    _require(not lineage.real, "The lineage calls a model real: use Lineage.made(...).")
    _require(
        lineage.depth == 1 + parent.depth,
        f"The lineage has depth {lineage.depth}; one more than its parent's is {1 + parent.depth}.",
    )
    known = {parent.digest, subject.profile.lineage.digest}
    if subject.private:
        # A digest of the rows tells whoever guesses them that the guess is right.
        told = known & {p.digest for p in lineage.parents}
        _require(not told, f"The lineage of a private model holds the digest of the rows: {told}.")
        known = {p.digest for p in lineage.parents if p.maker == parent.maker}
    _require(
        any(p.digest in known for p in lineage.parents),
        "The lineage does not name what the model was fitted on: pass parents=(source.lineage,).",
    )
    _require(
        repr(subject.make()) in lineage.maker,
        f"The lineage's maker {lineage.maker!r} lacks the settings {subject.make()!r}.",
    )


def check_hostile_names_are_kept(subject: Subject) -> None:
    """Columns may be called anything."""
    names = ["row", "", '"', "weight", "이름", "a b", "given", "select", "x/0", "'; --", "\n"]
    rng = np.random.default_rng(3)
    columns = [
        pa.array(rng.integers(0, 50, 200)) if i % 2 else pa.array(rng.choice(["a", "b"], 200))
        for i in range(len(names))
    ]
    source = source_of(pa.table(dict(zip(names, columns, strict=True))), "hostile names")
    hostile = Subject(make=subject.make, source=source)
    batch = hostile.fitted.draw(50, stream(15))
    _same_schema(batch.schema, hostile.learned.schema, "the schema of a draw")
    if hostile.fitted.completes:
        given = hostile.real.select(["", "row"]).slice(0, 20)
        found = pa.Table.from_batches([hostile.fitted.draw(20, stream(16), given)])
        _require(found.select(["", "row"]).equals(given), "Given columns '' and 'row' were lost.")


def check_odd_tables_work(subject: Subject) -> None:
    """One row, one column, constant and all-missing columns are learned like any other."""
    for title, table in odd_tables():
        source = source_of(table, title)
        # k = 1: with so few rows a profile would otherwise show no category at all.
        fitted = subject.make().fit(source, analyze(source, k=1), stream(17))
        drawn = pa.Table.from_batches([fitted.draw(60, stream(18))])
        _same_schema(drawn.schema, table.schema, f"the schema ({title})")
        _require(drawn.num_rows == 60, f"{title}: draw(60) returned {drawn.num_rows} rows.")
        if fitted.lineage.privacy and table.num_rows < 3:
            continue  # what a single row holds must not come out
        for name in table.column_names:
            values = pc.unique(table[name])
            if len(values) == 1:
                found = pc.unique(drawn[name])
                _require(
                    found.equals(values.combine_chunks() if hasattr(values, "chunks") else values),
                    f"{title}: column {name!r} only holds {values.to_pylist()}, and was drawn as "
                    f"{found[:3].to_pylist()}.",
                )


def odd_tables() -> Iterator[tuple[str, pa.Table]]:
    """Small tables at the edges of what a table is."""
    rng = np.random.default_rng(4)
    numbers, words = pa.array(rng.normal(size=40)), pa.array(rng.choice(["x", "y"], 40))
    yield "one row", pa.table({"n": [3], "x": [2.5], "s": ["a"], "b": [True]})
    yield "one column of numbers", pa.table({"n": numbers})
    yield "one column of words", pa.table({"s": words})
    yield "two rows", pa.table({"n": [1, 2], "s": ["a", "b"]})
    yield (
        "constant columns",
        pa.table({"n": numbers, "k": [7] * 40, "s": ["only"] * 40, "f": [0.1] * 40}),
    )
    yield (
        "all-missing columns",
        pa.table({"n": numbers, "e": pa.nulls(40, pa.float64()), "t": pa.nulls(40, pa.string())}),
    )
    yield "nothing but missing", pa.table({"e": pa.nulls(40, pa.int64())})
    yield "half missing", pa.table({"n": pa.array([None, 1, None, 2] * 10), "s": words})


CHECKS: tuple[Callable[[Subject], None], ...] = (
    check_settings_are_frozen_and_compare,
    check_fit_returns_the_class_it_names,
    check_fit_leaves_its_inputs_alone,
    check_schema_is_kept,
    check_rows_are_exactly_as_asked,
    check_same_seed_gives_the_same_rows,
    check_different_seeds_give_different_rows,
    check_rng_is_the_only_randomness,
    check_blocks_do_not_depend_on_order,
    check_model_file_draws_the_same,
    check_missing_values_have_their_share,
    check_numbers_are_distributed_as_real,
    check_numbers_keep_their_form,
    check_missing_is_null_never_nan,
    check_categories_have_their_shares,
    check_dependence_is_kept,
    check_given_values_come_back,
    check_given_values_are_heeded,
    check_lineage_names_its_parents,
    check_hostile_names_are_kept,
    check_odd_tables_work,
)
"""Every check, in the order in which `check_generator` runs them."""


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise AssertionError(message)


def _same_schema(found: pa.Schema, wanted: pa.Schema, what: str) -> None:
    one, other = ([(f.name, str(f.type)) for f in schema] for schema in (found, wanted))
    _require(one == other, f"{what} is {one}; what was learned is {other}.")


def _frozen(fitted: Fitted) -> tuple[str, list[tuple[str, str, bytes]]]:
    state, arrays = fitted.state()
    return repr(state), [(name, a.dtype.str, a.tobytes()) for name, a in arrays.items()]


def _reloaded(fitted: Fitted) -> Fitted:
    """What a model file would give back: JSON and arrays, each through its own text or bytes."""
    import json

    state, arrays = fitted.state()
    return type(fitted).from_state(
        fitted.profile,
        fitted.schema,
        fitted.lineage,
        json.loads(json.dumps(state)),
        {name: np.array(a) for name, a in arrays.items()},
    )


def _ordered(subject: Subject) -> list[str]:
    return [n for n in subject.real.column_names if is_ordered(subject.real[n].type)]


def _present(column: pa.ChunkedArray) -> np.ndarray:
    """The values present, ascending."""
    return np.sort(to_axis(column.drop_null()))


def _nulls(column: pa.ChunkedArray) -> np.ndarray:
    found: np.ndarray = column.is_null().to_numpy()
    return found


def _share_slack(shares: np.ndarray, n: int, m: int, looks: int) -> np.ndarray:
    """How far apart chance puts two samples' shares, in one of `looks` looks in 10,000."""
    score = NormalDist().inv_cdf(1 - LEVEL / (2 * max(looks, 1)))
    slack: np.ndarray = score * np.sqrt(shares * (1 - shares) * (1 / n + 1 / m)) + 1 / n + 1 / m
    return slack


Trait = tuple[str, str]  # a column, and what of it: its "values", or which are "missing"


def _ordinals(table: pa.Table, real: pa.Table) -> dict[Trait, np.ndarray]:
    """What of each column varies in the real rows, as numbers whose order counts; NaN is missing.

    Numbers as they are, categories by their place in the real order of frequency.
    """
    found: dict[Trait, np.ndarray] = {}
    for name in real.column_names:
        if is_ordered(real[name].type):
            values = to_axis(table[name])
        else:
            counts = pc.value_counts(real[name].drop_null()).sort(order="descending", by="counts")
            codes = to_codes(table[name], counts.field("values"))
            values = np.where(codes < 0, np.nan, codes)
        if pc.count_distinct(real[name]).as_py() > 1:
            found[name, "values"] = values
        if 0 < real[name].null_count < real.num_rows:
            found[name, "missing"] = _nulls(table[name]).astype(np.float64)
    return found


def _spearman(one: np.ndarray, other: np.ndarray) -> tuple[float, int]:
    """The rank correlation over the rows where both have values, and how many these are."""
    both = ~(np.isnan(one) | np.isnan(other))
    ranks = []
    for values in (one[both], other[both]):
        _, places, sizes = np.unique(values, return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(sizes) - (sizes - 1) / 2)[places])
    if both.sum() < 4 or any(np.ptp(r) == 0 for r in ranks):
        return 0.0, int(both.sum())
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1]), int(both.sum())


def _same_correlation(
    real: dict[Trait, np.ndarray],
    drawn: dict[Trait, np.ndarray],
    one: Trait,
    other: Trait,
    looks: int,
    when: str = "",
) -> None:
    (wanted, n), (found, m) = (_spearman(r[one], r[other]) for r in (real, drawn))
    score = NormalDist().inv_cdf(1 - LEVEL / (2 * looks))
    slack = score * np.sqrt(1.06 / max(n - 3, 1) + 1.06 / max(m - 3, 1))
    gap = abs(
        np.arctanh(np.clip(wanted, -0.9999, 0.9999)) - np.arctanh(np.clip(found, -0.9999, 0.9999))
    )
    _require(
        bool(gap <= slack),
        f"{when}{one[1]} of {one[0]!r} and {other[1]} of {other[0]!r} correlate {found:.3f}; the "
        f"real ones {wanted:.3f} (chance allows {np.tanh(slack):.3f} near 0).",
    )
