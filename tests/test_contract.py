"""Every generator passes every check of geurim.testing, and every check fails on a broken one."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import geurim
from geurim import testing
from geurim.columns import to_axis
from geurim.contract import Fitted, Generator, Lineage, Profile, Progress, Source, quiet
from geurim.generators import GENERATORS, generator_class
from geurim.generators.independent import FittedIndependent, Independent
from geurim.generators.resample import FittedResample, Resample
from geurim.testing import CHECKS, Subject, check_generator

SOURCE = testing.example()


# A private generator adds noise on purpose: tests/generators/test_private.py checks it at a budget
# at which the noise is too small to tell.
@pytest.fixture(scope="module", params=[name for name in GENERATORS if name != "private"])
def subject(request: pytest.FixtureRequest) -> Subject:
    return Subject(make=generator_class(request.param), source=SOURCE)


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_generator_passes(check: Callable[[Subject], None], subject: Subject) -> None:
    check(subject)


def test_model_of_a_whole_table_names_its_seed_and_what_it_learned_from() -> None:
    one, again, other = (geurim.fit(SOURCE, "resample", seed=seed) for seed in (1, 1, 2))
    assert one.lineage == again.lineage
    assert (one.lineage.seed, other.lineage.seed) == (1, 2)
    assert one.lineage.digest != other.lineage.digest
    assert one.lineage.depth == 1 and SOURCE.lineage in one.lineage.parents
    rows = geurim.sample(one, 10, seed=3)
    assert geurim.fit(rows, "resample", seed=1).lineage.depth == 1 + rows.lineage.depth


Batch = pa.RecordBatch
Break = Callable[[Any, Batch, np.random.Generator, pa.Table | None], Batch]


def broken(
    after: Break | None = None, base: type[Any] = Resample, **attributes: object
) -> type[Generator]:
    """A generator like `base` whose draws go through `after`; `attributes` change its fitted class.

    It is a right one without arguments: see the first test below.
    """
    right: type[Any] = base.fitted

    def draw(
        self: Any, rows: int, rng: np.random.Generator, given: pa.Table | None = None
    ) -> Batch:
        batch = right.draw(self, rows, rng, given)
        return batch if after is None else after(self, batch, rng, given)

    members = {"draw": draw, "name": "broken", **attributes}
    broken_fitted: type[Any] = type("BrokenFitted", (right,), members)

    @dataclass(frozen=True, kw_only=True)
    class Broken(base):  # type: ignore[misc]
        fitted: ClassVar[type[Fitted]] = broken_fitted

        def fit(
            self,
            source: Source | None,
            profile: Profile,
            rng: np.random.Generator,
            progress: Progress = quiet,
        ) -> Fitted:
            made = super().fit(source, profile, rng, progress)
            return broken_fitted(**{f.name: getattr(made, f.name) for f in fields(made)})

    return Broken


def column(name: str, change: Callable[[np.ndarray, np.random.Generator], np.ndarray]) -> Break:
    """A break of one number column: its values (N,), NaN where missing, are changed."""

    def after(self: Any, batch: Batch, rng: np.random.Generator, given: pa.Table | None) -> Batch:
        if name not in batch.schema.names:
            return batch
        values = change(to_axis(batch.column(name)), rng)
        place, kind = batch.schema.get_field_index(name), batch.schema.field(name).type
        found = pa.array(values, from_pandas=True).cast(kind, safe=False)
        return batch.set_column(place, batch.schema.field(place), found)

    return after


def words(name: str, change: Callable[[pa.Array, np.random.Generator], pa.Array]) -> Break:
    """A break of one column of categories."""

    def after(self: Any, batch: Batch, rng: np.random.Generator, given: pa.Table | None) -> Batch:
        if name not in batch.schema.names:
            return batch
        place = batch.schema.get_field_index(name)
        return batch.set_column(place, batch.schema.field(place), change(batch.column(name), rng))

    return after


def drop_a_column(self: Any, batch: Batch, rng: Any, given: Any) -> Batch:
    return batch.select(batch.schema.names[:-1])


def narrow_the_types(self: Any, batch: Batch, rng: Any, given: Any) -> Batch:
    if "age" not in batch.schema.names:
        return batch
    field = batch.schema.field("age").with_type(pa.int32())
    return batch.set_column(0, field, batch.column("age").cast(pa.int32()))


def one_row_short(self: Any, batch: Batch, rng: Any, given: Any) -> Batch:
    return batch.slice(1) if batch.num_rows > 1000 else batch


def shuffle_each_column(self: Any, batch: Batch, rng: Any, given: Any) -> Batch:
    shuffled = [c.take(pa.array(rng.permutation(batch.num_rows))) for c in batch.columns]
    return Batch.from_arrays(shuffled, schema=batch.schema)


def weaken_dependence(self: Any, batch: Batch, rng: Any, given: Any) -> Batch:
    """A third of the ages are anyone's: correlations with age fall by a third."""
    if "age" not in batch.schema.names or given is not None:
        return batch
    ages = np.array(batch.column("age").to_numpy())
    some = rng.permutation(len(ages))[: len(ages) // 3]
    ages[some] = ages[rng.permutation(some)]
    return batch.set_column(0, batch.schema.field(0), pa.array(ages))


def use_the_global_state(self: Any, batch: Batch, rng: Any, given: Any) -> Batch:
    return batch.take(pa.array(np.random.randint(batch.num_rows, size=batch.num_rows)))


def use_python_random(self: Any, batch: Batch, rng: Any, given: Any) -> Batch:
    order = list(range(batch.num_rows))
    random.shuffle(order)
    return batch.take(pa.array(order))


def seed_the_global_state(self: Any, batch: Batch, rng: Any, given: Any) -> Batch:
    np.random.seed(0)
    return batch


def use_the_clock(self: Any, batch: Batch, rng: Any, given: Any) -> Batch:
    fresh = np.random.default_rng()
    return batch.take(pa.array(fresh.integers(batch.num_rows, size=batch.num_rows)))


def ignore_the_stream(self: Any, batch: Batch, rng: Any, given: Any) -> Batch:
    fixed = np.random.default_rng(0)
    chosen = fixed.integers(self.rows.num_rows, size=batch.num_rows)
    return self.rows.take(pa.array(chosen))


def remember_the_last_block(self: Any, batch: Batch, rng: Any, given: Any) -> Batch:
    before = getattr(self, "last", None)
    object.__setattr__(self, "last", batch)
    return batch if before is None or before.num_rows != batch.num_rows else before


def use_up_the_rows(self: Any, batch: Batch, rng: Any, given: Any) -> Batch:
    object.__setattr__(self, "rows", self.rows.slice(0, max(1, self.rows.num_rows - 1)))
    return batch


def ignore_what_is_given(self: Any, batch: Batch, rng: Any, given: Any) -> Batch:
    """Rows drawn as if nothing was given, with the given values pasted over."""
    if given is None:
        return batch
    anew = FittedResample.draw(self, batch.num_rows, rng)
    for name in given.column_names:
        place = anew.schema.get_field_index(name)
        anew = anew.set_column(place, anew.schema.field(place), given[name].combine_chunks())
    return anew


def forget_what_is_given(self: Any, batch: Batch, rng: Any, given: Any) -> Batch:
    return batch if given is None else FittedResample.draw(self, batch.num_rows, rng)


def reorder_what_is_given(self: Any, batch: Batch, rng: Any, given: Any) -> Batch:
    return batch if given is None else batch.take(pa.array(range(batch.num_rows - 1, -1, -1)))


def fill_what_is_given_and_missing(self: Any, batch: Batch, rng: Any, given: Any) -> Batch:
    if given is None or "price" not in given.column_names:
        return batch
    place = batch.schema.get_field_index("price")
    filled = pc.fill_null(batch.column("price"), 1.0)
    return batch.set_column(place, batch.schema.field(place), filled)


def lose_empty_names(self: Any, batch: Batch, rng: Any, given: Any) -> Batch:
    return batch.rename_columns([n.strip() or "unnamed" for n in batch.schema.names])


def lose_a_column_called_weight(self: Any, batch: Batch, rng: Any, given: Any) -> Batch:
    return batch.select([n for n in batch.schema.names if n != "weight"])


def fill_empty_columns(self: Any, batch: Batch, rng: Any, given: Any) -> Batch:
    columns = [
        pa.array([0] * len(c)).cast(c.type) if c.null_count == len(c) else c for c in batch.columns
    ]
    return Batch.from_arrays(columns, schema=batch.schema)


def jitter_constants(self: Any, batch: Batch, rng: Any, given: Any) -> Batch:
    columns = [
        pa.array(rng.integers(0, 9, len(c)), c.type) if pc.all(pc.equal(c, 7)).as_py() else c
        for c in (
            c if pa.types.is_integer(c.type) else pa.array([0] * batch.num_rows)
            for c in batch.columns
        )
    ]
    kept = [
        new if pa.types.is_integer(old.type) else old
        for new, old in zip(columns, batch.columns, strict=True)
    ]
    return Batch.from_arrays(kept, schema=batch.schema)


def missing(share: float) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    return lambda v, rng: np.where(rng.random(len(v)) < share, np.nan, v)


def bump_prices(self: Any, batch: Batch, rng: Any, given: Any) -> Batch:
    if "price" not in batch.schema.names:
        return batch
    place = batch.schema.get_field_index("price")
    return batch.set_column(place, batch.schema.field(place), pc.add(batch.column("price"), 0.001))


def nan_for_missing(self: Any, batch: Batch, rng: Any, given: Any) -> Batch:
    columns = [
        pc.fill_null(c, float("nan")) if pa.types.is_floating(c.type) else c for c in batch.columns
    ]
    return Batch.from_arrays(columns, schema=batch.schema)


def swap_some(name: str, share: float, to: str) -> Break:
    return words(
        name, lambda c, rng: pc.if_else(pa.array(rng.random(len(c)) < share), pa.scalar(to), c)
    )


@dataclass(kw_only=True, unsafe_hash=True)
class Melting(Generator):
    """Settings that can be set later."""

    size: int = 3
    fitted: ClassVar[type[Fitted]] = FittedResample

    def fit(
        self,
        source: Source | None,
        profile: Profile,
        rng: np.random.Generator,
        progress: Progress = quiet,
    ) -> FittedResample:
        return Resample().fit(source, profile, rng, progress)


@dataclass(frozen=True, kw_only=True, eq=False)
class Incomparable(Resample):
    """Equal to nothing but itself."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__


@dataclass(frozen=True, kw_only=True, repr=False)
class Nameless(Resample):
    def __repr__(self) -> str:
        return "generator"


class Foreign(Resample):
    """Returns another class than it names."""

    fitted: ClassVar[type[Fitted]] = FittedIndependent


class Meddling(Resample):
    """Rounds the profile that it is given."""

    def fit(
        self,
        source: Source | None,
        profile: Profile,
        rng: np.random.Generator,
        progress: Progress = quiet,
    ) -> FittedResample:
        for facts in profile.columns.values():
            if "mean" in facts:
                facts["mean"] = round(facts["mean"])  # type: ignore[index]
        return super().fit(source, profile, rng, progress)


class FromTheClock(Resample):
    """Fits a different model each time."""

    def fit(
        self,
        source: Source | None,
        profile: Profile,
        rng: np.random.Generator,
        progress: Progress = quiet,
    ) -> FittedResample:
        made = super().fit(source, profile, rng, progress)
        order = np.random.default_rng().permutation(made.rows.num_rows)
        return replace(made, rows=made.rows.take(pa.array(order)))


def with_lineage(change: Callable[[Lineage], Lineage]) -> type[Generator]:
    class Renamed(Resample):
        def fit(
            self,
            source: Source | None,
            profile: Profile,
            rng: np.random.Generator,
            progress: Progress = quiet,
        ) -> FittedResample:
            made = super().fit(source, profile, rng, progress)
            return replace(made, lineage=change(made.lineage))

    return Renamed


def half_the_state(self: Any) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    rows = self.rows.slice(0, (self.rows.num_rows + 1) // 2)
    return FittedResample.state(replace(self, rows=rows))


MUTANTS: dict[str, tuple[type[Generator], str]] = {
    "settings that can be set": (Melting, "settings_are_frozen_and_compare"),
    "settings that never compare equal": (Incomparable, "settings_are_frozen_and_compare"),
    "settings that do not print": (Nameless, "settings_are_frozen_and_compare"),
    "another class than named": (Foreign, "fit_returns_the_class_it_names"),
    "no name": (broken(name=""), "fit_returns_the_class_it_names"),
    "changes the profile": (Meddling, "fit_leaves_its_inputs_alone"),
    "drops a column": (broken(drop_a_column), "schema_is_kept"),
    "narrows a type": (broken(narrow_the_types), "schema_is_kept"),
    "one row short": (broken(one_row_short), "rows_are_exactly_as_asked"),
    "fits by the clock": (FromTheClock, "same_seed_gives_the_same_rows"),
    "draws by the clock": (broken(use_the_clock), "same_seed_gives_the_same_rows"),
    "a fixed stream": (broken(ignore_the_stream), "different_seeds_give_different_rows"),
    "NumPy's global state": (broken(use_the_global_state), "rng_is_the_only_randomness"),
    "Python's global state": (broken(use_python_random), "rng_is_the_only_randomness"),
    "seeds the global state": (broken(seed_the_global_state), "rng_is_the_only_randomness"),
    "a block late": (broken(remember_the_last_block), "blocks_do_not_depend_on_order"),
    "uses up its rows": (broken(use_up_the_rows), "blocks_do_not_depend_on_order"),
    "saves half": (broken(state=half_the_state), "model_file_draws_the_same"),
    "no missing prices": (
        broken(column("price", lambda v, rng: np.where(np.isnan(v), 20.0, v))),
        "missing_values_have_their_share",
    ),
    "7% more missing": (
        broken(column("price", missing(0.07))),
        "missing_values_have_their_share",
    ),
    "missing where none was": (
        broken(column("gain", missing(0.004))),
        "missing_values_have_their_share",
    ),
    "mean shifted by 3 years": (
        broken(column("age", lambda v, rng: np.minimum(v + 3, 90))),
        "numbers_are_distributed_as_real",
    ),
    "spread 30% wider": (
        broken(column("age", lambda v, rng: np.rint(45 + 1.3 * (v - 45)))),
        "numbers_are_distributed_as_real",
    ),
    "constant output": (
        broken(column("age", lambda v, rng: np.full(len(v), 45))),
        "numbers_are_distributed_as_real",
    ),
    "mass point smeared": (
        broken(column("gain", lambda v, rng: np.where(v == 0, rng.random(len(v)) * 9, v))),
        "numbers_are_distributed_as_real",
    ),
    "finer decimals": (broken(bump_prices), "numbers_keep_their_form"),
    "one value out of bounds": (
        broken(column("age", lambda v, rng: np.where(np.arange(len(v)) == 0, 400, v))),
        "numbers_keep_their_form",
    ),
    "an infinity": (
        broken(column("price", lambda v, rng: np.where(np.arange(len(v)) == 0, np.inf, v))),
        "numbers_keep_their_form",
    ),
    "NaN for missing": (broken(nan_for_missing), "missing_is_null_never_nan"),
    "an invented category": (
        broken(swap_some("city", 0.001, "Nowhere")),
        "categories_have_their_shares",
    ),
    "7% more of a category": (
        broken(swap_some("grade", 0.15, "low")),
        "categories_have_their_shares",
    ),
    "no dependence": (broken(shuffle_each_column), "dependence_is_kept"),
    "a third less dependence": (broken(weaken_dependence), "dependence_is_kept"),
    "independent, unsaid": (broken(base=Independent, joint=True), "dependence_is_kept"),
    "forgets what is given": (broken(forget_what_is_given), "given_values_come_back"),
    "reorders what is given": (broken(reorder_what_is_given), "given_values_come_back"),
    "fills given missing values": (
        broken(fill_what_is_given_and_missing),
        "given_values_come_back",
    ),
    "ignores what is given": (broken(ignore_what_is_given), "given_values_are_heeded"),
    "calls a model real": (
        with_lineage(lambda x: replace(x, real=True)),
        "lineage_names_its_parents",
    ),
    "names no parents": (
        with_lineage(lambda x: replace(x, parents=())),
        "lineage_names_its_parents",
    ),
    "names another parent": (
        with_lineage(lambda x: replace(x, parents=(replace(x.parents[0], digest="other"),))),
        "lineage_names_its_parents",
    ),
    "a parent too many": (
        with_lineage(lambda x: Lineage.made(x.maker, parents=(x,))),
        "lineage_names_its_parents",
    ),
    "names no settings": (
        with_lineage(lambda x: replace(x, maker="model")),
        "lineage_names_its_parents",
    ),
    "renames empty names": (broken(lose_empty_names), "hostile_names_are_kept"),
    "keeps `weight` for itself": (broken(lose_a_column_called_weight), "hostile_names_are_kept"),
    "fills all-missing columns": (broken(fill_empty_columns), "odd_tables_work"),
    "varies constants": (broken(jitter_constants), "odd_tables_work"),
}
"""What is broken on purpose, and the check that must find it."""


def test_unbroken_mutant_passes_every_check() -> None:
    check_generator(broken(), SOURCE)


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_found(name: str) -> None:
    make, check = MUTANTS[name]
    with pytest.raises(AssertionError):
        getattr(testing, f"check_{check}")(Subject(make=make, source=SOURCE))


def test_every_check_finds_a_mutant() -> None:
    assert {c.__name__ for c in CHECKS} == {f"check_{check}" for _, check in MUTANTS.values()}


def test_every_check_is_on_the_list() -> None:
    written = {n for n in vars(testing) if n.startswith("check_")} - {"check_generator"}
    assert [c.__name__ for c in CHECKS] == [n for n in vars(testing) if n in written]
