"""Fair rebalancing: the gap shrinks by the amount asked for, and the rest follows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import geurim
from geurim.errors import SettingError
from geurim.fairness import independent
from geurim.generators.auto import Needs, choose


@pytest.fixture(scope="module")
def table() -> pa.Table:
    rng = np.random.default_rng(0)
    sex = rng.choice(["f", "m"], 3_000)
    rich = rng.random(3_000) < np.where(sex == "m", 0.6, 0.2)
    hours = rng.normal(np.where(rich, 45, 35), 5)
    return pa.table({"sex": sex, "rich": np.where(rich, "yes", "no"), "hours": hours})


@pytest.mark.parametrize("amount", [0.0, 0.5, 1.0])
def test_the_gap_shrinks_by_the_amount(table: pa.Table, amount: float) -> None:
    fitted = geurim.fit(table, seed=1)
    balance = independent(fitted, "sex", "rich", amount)
    rows = geurim.sample(fitted, 20_000, seed=2, balance=balance).to_pandas()
    share = (rows.rich == "yes").groupby(rows.sex).mean()
    assert abs(share["m"] - share["f"] - 0.4 * (1 - amount)) < 0.04
    assert abs((rows.sex == "m").mean() - 0.5) < 0.03


@pytest.mark.parametrize(("whom", "amount"), [("nose", 1.0), ("rich", 1.0), ("sex", 1.5)])
def test_what_cannot_be_rebalanced_is_refused(table: pa.Table, whom: str, amount: float) -> None:
    with pytest.raises(SettingError):
        independent(geurim.fit(table, seed=1), whom, "rich", amount)


def test_auto_chooses_by_need_and_says_why(table: pa.Table) -> None:
    profile = geurim.analyze(table)
    known = frozenset({"trees", "copula", "private"})
    assert choose(profile, Needs(), known)[0] == "trees"
    assert choose(profile, Needs(privacy=True), known)[0] == "private"
    assert choose(profile, Needs(rows=False), known)[0] == "copula"
    name, why = choose(profile, Needs(seconds=1e-4), known)
    assert name == "copula"
    assert "allowed" in why
    known |= {"diffusion"}
    name, why = choose(profile, Needs(seconds=600, torch=True), known)
    assert name == "diffusion"
    assert "600 s" in why
    assert choose(profile, Needs(seconds=600, torch=False), known)[0] == "trees"
    assert choose(profile, Needs(torch=True), known)[0] == "trees"  # no hint of patience
    with pytest.raises(SettingError, match="proves privacy"):
        choose(profile, Needs(privacy=True), frozenset({"trees"}))
    assert geurim.fit(table, "auto", seed=1).lineage.maker.startswith("Trees")
