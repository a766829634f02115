"""The private generator: the contract, truth, conditions, the budget, and nothing that leaks."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import geurim
from geurim.analyze import analyze
from geurim.contract import Privacy
from geurim.errors import BudgetExceeded, DataError, ModelFileError, NotFound, SettingError
from geurim.generators._ledger import Budget
from geurim.generators._noise import Spender, epsilon_of, rho_of
from geurim.generators.private import FittedPrivate, Private
from geurim.model import load, save
from geurim.testing import CHECKS, Subject, source_of, stream

HUGE = 1000.0  # an epsilon beside which the noise is nothing
CANARY = "Qanary Zweiundvierzig"


@pytest.fixture(scope="module")
def subject() -> Subject:
    # A small model: what it cannot hold it loses, and the checks would say so.
    return Subject(make=lambda: Private(epsilon=HUGE, bins=8, cells=250_000))


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_contract(check: Any, subject: Subject) -> None:
    check(subject)


def table(rows: int = 8_000, seed: int = 0) -> pa.Table:
    """a decides b and shifts x; y misses where a is "p", half of the time."""
    rng = np.random.default_rng(seed)
    a = rng.choice(3, rows, p=[0.6, 0.3, 0.1])
    b = rng.random(rows) < np.array([0.9, 0.4, 0.1])[a]
    x = np.rint(rng.normal(50 + 20 * a, 6)).astype(np.int64)
    return pa.table(
        {
            "a": pa.array(["p", "q", "r"]).take(pa.array(a)),
            "b": pa.array(b),
            "x": pa.array(x),
            "y": pa.array(np.round(rng.gamma(2.0, 3.0, rows), 1), mask=(a == 0) & (x % 2 == 0)),
        }
    )


@pytest.fixture(scope="module")
def real() -> pa.Table:
    return table()


@pytest.fixture(scope="module")
def exact(real: pa.Table) -> FittedPrivate:
    return fit(real, epsilon=HUGE)


@pytest.fixture(scope="module")
def noisy(real: pa.Table) -> FittedPrivate:
    return fit(real, epsilon=1.0)


def fit(data: pa.Table, **settings: Any) -> FittedPrivate:
    fitted = geurim.fit(data, Private(**settings), seed=1)
    assert isinstance(fitted, FittedPrivate)
    return fitted


def shares(data: pa.Table, names: list[str]) -> dict[Any, float]:
    counted = data.group_by(names).aggregate([([], "count_all")]).to_pylist()
    return {tuple(r[n] for n in names): r["count_all"] / data.num_rows for r in counted}


def distance(one: Mapping[Any, float], other: Mapping[Any, float]) -> float:
    """Total variation."""
    return sum(abs(one.get(k, 0.0) - other.get(k, 0.0)) for k in {*one, *other}) / 2


def drawn(fitted: FittedPrivate, rows: int, **request: Any) -> pa.Table:
    return geurim.sample(fitted, rows, seed=3, **request).to_arrow()


# ---- truth


def test_without_noise_to_speak_of_marginals_and_pairs_are_the_real_ones(
    real: pa.Table, exact: FittedPrivate
) -> None:
    made = drawn(exact, 100_000)
    for names in (["a"], ["b"], ["x"], ["a", "b"]):
        assert distance(shares(real, names), shares(made, names)) < 0.012, names
    for group, value in (("p", 50), ("q", 70), ("r", 90)):
        some = made.filter(pc.field("a") == group)
        assert abs(pc.mean(some["x"]).as_py() - value) < 1.5, group
    # A pair that the columns' own shares do not give away is far from independent.
    free = {
        (a, b): p * q
        for (a,), p in shares(real, ["a"]).items()
        for (b,), q in shares(real, ["b"]).items()
    }
    assert distance(free, shares(real, ["a", "b"])) > 0.1


def test_at_epsilon_one_a_small_table_still_keeps_its_pairs(
    real: pa.Table, noisy: FittedPrivate
) -> None:
    made = drawn(noisy, 100_000)
    assert distance(shares(real, ["a", "b"]), shares(made, ["a", "b"])) < 0.05
    assert abs(noisy.profile.rows - real.num_rows) < 200


def test_draws_given_columns_are_those_of_the_joint_distribution(exact: FittedPrivate) -> None:
    joint = drawn(exact, 200_000)
    for group in ("p", "r"):
        given = pa.table({"a": [group] * 50_000})
        some = drawn(exact, 50_000, given=given).drop_columns(["a"])
        wanted = joint.filter(pc.field("a") == group)
        assert distance(shares(some, ["b", "x"]), shares(wanted, ["b", "x"])) < 0.03
        other = joint.filter(pc.field("a") != group)
        assert distance(shares(some, ["b", "x"]), shares(other, ["b", "x"])) > 0.3


def test_balance_raises_a_rare_value_and_keeps_what_goes_with_it(exact: FittedPrivate) -> None:
    made = drawn(exact, 20_000, balance={"a": {"r": 0.5}})
    assert abs(shares(made, ["a"])[("r",)] - 0.5) < 0.01
    assert abs(pc.mean(made.filter(pc.field("a") == "r")["x"]).as_py() - 90) < 1.5


def test_a_value_never_seen_can_be_given(exact: FittedPrivate) -> None:
    given = pa.table({"a": ["nobody has this"] * 50, "x": [10_000] * 50})
    assert drawn(exact, 50, given=given)["x"].to_pylist() == [10_000] * 50


# ---- the noise


def test_two_fits_with_one_seed_differ_and_draws_from_one_of_them_do_not(real: pa.Table) -> None:
    one, other = fit(real.slice(0, 500)), fit(real.slice(0, 500))
    assert any(
        a.shape != b.shape or not np.array_equal(a, b)
        for a, b in zip(one.graph.tables, other.graph.tables, strict=False)
    )
    assert drawn(one, 300).equals(drawn(one, 300))


def test_opendp_turns_rho_into_epsilon_and_back() -> None:
    for epsilon in (0.1, 1.0, 10.0):
        rho = rho_of(epsilon, 1e-6)
        assert epsilon * (1 - 1e-4) < epsilon_of(rho, 1e-6) <= epsilon
    # Bun & Steinke 2016, proposition 1.3, a looser bound in closed form.
    assert epsilon_of(0.02, 1e-6) < 0.02 + 2 * np.sqrt(0.02 * np.log(1e6))


def test_a_fit_spends_its_budget_and_never_more(real: pa.Table) -> None:
    spender = Spender(real, contributions=3, rho=0.1, delta=1e-7)
    spender.counts(lambda rows: np.array([rows.num_rows]), 0.04)
    spender.best(lambda rows: np.array([1, 2, rows.num_rows]), 0.04)
    assert spender.left == pytest.approx(0.02, rel=1e-6)
    with pytest.raises(BudgetExceeded, match=r"rho 0\.03"):
        spender.counts(lambda rows: np.array([1]), 0.03)
    with pytest.raises(BudgetExceeded, match="delta"):
        spender.frequent(lambda rows: {"a": 9_000}, 0.01, 1e-6)
    assert spender.counts(lambda rows: np.array([5]), spender.left).shape == (1,)


def test_the_noise_is_as_large_as_the_contributions_ask() -> None:
    for contributions in (1, 5):
        spender = Spender(None, contributions=contributions, rho=1.0, delta=0.0)
        found = spender.counts(lambda rows: np.zeros(4_000, np.int64), 0.02)
        wanted = contributions * 5.0
        assert wanted * 0.93 < found.std() < wanted * 1.07


# ---- the lineage and the budget


def test_what_was_spent_stands_in_the_lineage_of_the_rows(noisy: FittedPrivate) -> None:
    cost = Privacy(unit="row", contributions=1, epsilon=1.0, delta=1e-6)
    assert noisy.lineage.privacy == (cost,)
    assert geurim.sample(noisy, 10, seed=1).lineage.privacy == (cost,)


def test_a_fit_beyond_the_budget_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    budget = Budget(file=tmp_path / "budget.json", epsilon=1.5, delta=1e-5)
    small = table(300)
    fit(small, epsilon=1.0, budget=budget)
    before = (tmp_path / "budget.json").read_text()
    with pytest.raises(BudgetExceeded, match=r"costs epsilon 1; of the 1.5 .* 1 is spent by 1"):
        fit(small, epsilon=1.0, budget=budget)
    assert (tmp_path / "budget.json").read_text() == before
    fit(small, epsilon=0.5, budget=budget)
    assert [p.epsilon for p in budget.spent] == [1.0, 0.5]
    assert not list(tmp_path.glob("*.lock"))


def test_a_budget_is_set_once_and_counts_one_unit(tmp_path: Path) -> None:
    file = tmp_path / "budget.json"
    cost = Privacy(unit="row", contributions=1, epsilon=0.1, delta=1e-7)
    Budget(file=file, epsilon=1.0, delta=1e-5).spend(cost)
    with pytest.raises(SettingError, match="set once"):
        Budget(file=file, epsilon=9.0, delta=1e-5).spend(cost)
    with pytest.raises(SettingError, match="use one unit"):
        Budget(file=file, epsilon=1.0, delta=1e-5).spend(dataclasses.replace(cost, unit="id"))
    with pytest.raises(BudgetExceeded, match="delta"):
        big = dataclasses.replace(cost, delta=1e-5)
        Budget(file=file, epsilon=1.0, delta=1e-5).spend(big)
    file.write_text(file.read_text()[:40])
    with pytest.raises(ModelFileError, match="Restore it"):
        Budget(file=file, epsilon=1.0, delta=1e-5).spend(cost)
    with pytest.raises(NotFound, match="no folder"):
        Budget(file=tmp_path / "no" / "b.json", epsilon=1.0, delta=1e-5).spend(cost)


def test_a_killed_entry_leaves_a_lock_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "b.json.lock").touch()
    budget = Budget(file=tmp_path / "b.json", epsilon=1.0, delta=1e-5)
    with pytest.raises(BudgetExceeded, match=r"b\.json\.lock"):
        budget.spend(Privacy(unit="row", contributions=1, epsilon=0.1, delta=0.0))


# ---- what must not leak


def planted(rows: int = 4_000) -> pa.Table:
    """A row that stands out in every column, among ordinary ones."""
    rng = np.random.default_rng(1)
    kinds = [*rng.choice(["red", "green", "blue"], rows - 1), CANARY]
    mails = [*(f"user{i}@mail.example" for i in range(rows - 1)), f"{CANARY}@mail.example"]
    notes = [*(f"zqnote {i} of zqperson" for i in range(rows - 1)), f"{CANARY} was here"]
    found = pa.table(
        {
            "kind": kinds,
            "email": mails,
            "note": notes,
            "amount": pa.array([*rng.integers(0, 500, rows - 1), 987_654_321], pa.int64()),
            "rate": pa.array([*np.round(rng.random(rows - 1), 2), 31_415.92654]),
            "when": pa.array([*rng.integers(18_000, 18_900, rows - 1), 7])
            .cast(pa.int32())
            .cast(pa.date32()),
        }
    )
    return found.replace_schema_metadata({"secret": CANARY, "rows": str(rows)})


def leaks(path: Path, digest: str) -> list[str]:
    """What of the planted row, or of the rows as a whole, stands in a model file."""
    with zipfile.ZipFile(path) as archive:
        whole = b"\n".join(archive.read(n) for n in archive.namelist())
        arrays = [np.load(archive.open(n)) for n in archive.namelist() if n.endswith(".npy")]
    numbers = json.dumps(json.loads(whole[: whole.index(b"\n\x93NUMPY")]))
    found = [t for t in (CANARY, "Qanary", "zqperson", "user17", digest) if t.encode() in whole]
    found += [t for t in ("987654321", "31415.9", "secret") if t in numbers]
    seen = np.concatenate([a.ravel().astype(np.float64) for a in arrays if a.dtype.kind in "iuf"])
    return found + [str(v) for v in (987_654_321, 31_415.92654) if np.isclose(seen, v).any()]


def test_a_planted_row_appears_nowhere_in_the_model_file_or_the_rows(tmp_path: Path) -> None:
    source = source_of(planted(), "planted")
    source = dataclasses.replace(
        source, lineage=dataclasses.replace(source.lineage, digest="digest-of-rows")
    )
    fitted = geurim.fit(source, Private(epsilon=3.0), seed=1)
    save(fitted, tmp_path / "private.geurim")
    assert leaks(tmp_path / "private.geurim", "digest-of-rows") == []
    made = drawn(fitted, 20_000)  # type: ignore[arg-type]
    text = made.drop_columns(["email", "note"]).to_pylist()
    assert CANARY not in str(text) and "Qanary" not in str(made["note"].to_pylist())
    assert pc.max(made["amount"]).as_py() < 5_000 and pc.max(made["rate"]).as_py() < 50
    assert pc.min(made["when"]).cast(pa.int32()).as_py() > 10_000
    real_mails = set(planted()["email"].to_pylist())
    assert not real_mails & set(made["email"].to_pylist())
    assert geurim.sample(fitted, 5, seed=1).schema.metadata is None

    # The same search finds a model that took its profile from the rows themselves,
    leaky: Any = dataclasses.replace(fitted, profile=analyze(source, k=1))  # type: ignore[type-var]
    save(leaky, tmp_path / "leaky.geurim")
    assert {CANARY, "digest-of-rows"} <= set(leaks(tmp_path / "leaky.geurim", "digest-of-rows"))
    # and one that named the digest of the rows.
    named: Any = dataclasses.replace(  # type: ignore[type-var]
        fitted, lineage=dataclasses.replace(fitted.lineage, parents=(source.lineage,))
    )
    save(named, tmp_path / "named.geurim")
    assert leaks(tmp_path / "named.geurim", "digest-of-rows") == ["digest-of-rows"]


def test_a_profile_made_without_noise_is_not_looked_at() -> None:
    small = table(400)
    source = source_of(small)
    told = dataclasses.replace(analyze(source), columns={}, rows=10**9)
    fitted = Private(epsilon=1.0).fit(source, told, stream(1))
    assert abs(fitted.profile.rows - 400) < 300 and set(fitted.profile.columns) == set("abxy")


def test_the_profile_tells_the_noisy_rows_and_holds_what_sampling_needs(
    noisy: FittedPrivate, tmp_path: Path
) -> None:
    again = load(save(noisy, tmp_path / "m.geurim"))
    assert again.profile == noisy.profile
    assert geurim.sample(again, 50, seed=1, edge_cases=0.2).to_arrow().num_rows == 50
    assert again.profile.columns["x"]["min"] >= 10


# ---- units


def test_a_unit_adds_no_more_rows_than_its_contributions() -> None:
    """One person with 5,000 rows of a value counts for 10 rows of it."""
    people = [f"p{i % 300}" for i in range(3_000)] + ["p7"] * 5_000
    values = ["common"] * 3_000 + ["hers"] * 5_000
    data = pa.table({"person": people, "value": values})
    fitted = fit(data, epsilon=HUGE, unit="person", contributions=10)
    made = drawn(fitted, 2_000)
    assert set(made["value"].to_pylist()) == {"common"}
    assert fitted.lineage.privacy[0].unit == "person"
    assert not set(made["person"].to_pylist()) & set(people)
    # By rows, her 5,000 are other people's.
    assert "hers" in set(drawn(fit(data, epsilon=HUGE), 2_000)["value"].to_pylist())


def test_what_only_one_unit_holds_does_not_come_out_however_large_epsilon() -> None:
    data = pa.table({"v": ["often"] * 500 + ["once"]})
    for _ in range(5):
        assert set(drawn(fit(data, epsilon=HUGE), 3_000)["v"].to_pylist()) == {"often"}


# ---- what may be known


def test_a_domain_is_kept_to() -> None:
    data = pa.table({"age": [*range(20, 60)] * 20, "code": list("abcd") * 200, "id": range(800)})
    domain = {"age": (18, 99), "code": ["a", "b", "c", "d", "e"], "id": "key"}
    made = drawn(fit(data, epsilon=5.0, domain=domain), 800)
    assert set(made["code"].to_pylist()) <= set("abcde")
    assert pc.min(made["age"]).as_py() >= 18 and pc.max(made["age"]).as_py() <= 99
    assert made["id"].to_pylist() == list(range(1, 801))


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        ({"nobody": ["a"]}, "is no column"),
        ({"x": ["a", "b"]}, "the domain of 'x'"),
        ({"x": (5, 1)}, "low <= high"),
        ({"x": (0, float("inf"))}, "low <= high"),
        ({"x": (0, 1, 2)}, "the domain of 'x'"),
        ({"a": ["p", "p"]}, "different values"),
        ({"a": "shoe size"}, "Give .low, high., the values, or"),
        ({"a": []}, "the domain of 'a'"),
        ({"a": 3}, "the domain of 'a'"),
    ],
)
def test_a_domain_that_fits_no_column_is_refused(
    real: pa.Table, domain: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        fit(real, domain=domain)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epsilon": 0.0},
        {"epsilon": float("nan")},
        {"epsilon": float("inf")},
        {"delta": 0.0},
        {"delta": 0.5},
        {"contributions": 0},
        {"contributions": 1.5},
        {"bins": 1},
        {"cells": 10},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=f"Private: {next(iter(wrong))} is"):
        Private(**wrong)
    with pytest.raises(SettingError, match="Budget"):
        Budget(file="x", epsilon=-1.0, delta=0.0)


def test_what_cannot_be_learned_is_refused(real: pa.Table) -> None:
    with pytest.raises(DataError, match="of type list"):
        lists = source_of(pa.table({"v": [[1], [2]]}))
        Private().fit(lists, analyze(source_of(real)), stream(1))
    with pytest.raises(DataError, match="a profile alone"):
        Private().fit(None, analyze(source_of(real)), stream(1))
    with pytest.raises(SettingError, match="'who' is no column"):
        fit(real, unit="who")


@pytest.mark.parametrize(
    "data",
    [
        pa.table({"x": pa.array([], pa.int64()), "s": pa.array([], pa.string())}),
        pa.table({"x": pa.array([float("inf"), float("nan"), -1e300, 1e-300] * 20)}),
        pa.table({"x": pa.array([2**63 - 1, -(2**63)] * 50)}),
        pa.table({"s": pa.array(["a", "b"] * 60).dictionary_encode(), "n": pa.nulls(120)}),
        pa.table({"t": pa.array([0, 10**15] * 60, pa.timestamp("us", "Asia/Seoul"))}),
        pa.table({"id": [f"u-{i}" for i in range(200)]}),
    ],
    ids=["no rows", "hostile floats", "widest integers", "dictionary, null", "zone", "only keys"],
)
def test_no_value_makes_a_fit_fail(data: pa.Table) -> None:
    # Not through `read`, which refuses some of them before a fit sees them.
    fitted = Private(epsilon=2.0).fit(source_of(data), analyze(source_of(table(50))), stream(1))
    made = drawn(fitted, 40)
    assert made.num_rows == 40
    assert made.schema.types == data.schema.types
