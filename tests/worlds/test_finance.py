"""The world of finance: what it promises about people, money, fraud and honest oddities."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from geurim.generators.rules.world import World

TYPOLOGIES = (
    "card_testing takeover mule_chain structuring cycle fan_in fan_out collusion synthetic".split()
)
ODDITIES = {
    *("holiday", "house", "bonus", "charity", "shared_account", "new_phone"),
    *("collection", "payroll", "cash_business", "large_deposit"),
}


def made(rows: int, seed: int = 1, **parameters: float | str) -> dict[str, pd.DataFrame]:
    database = World.load("finance", **parameters).sample(rows, seed=seed)
    return {n: s.to_arrow().to_pandas() for n, s in database.tables.items()}


@pytest.fixture(scope="module")
def world() -> dict[str, pd.DataFrame]:
    return made(600, fraud=0.02)


def test_every_typology_and_oddity_is_there_and_labelled(world: dict[str, pd.DataFrame]) -> None:
    rows = world["transactions"]
    fraud = rows[rows.is_fraud]
    assert set(fraud.typology) == set(TYPOLOGIES) and set(rows.oddity.dropna()) == ODDITIES
    assert fraud.episode.notna().all() and rows[~rows.is_fraud].episode.isna().all()
    assert set(fraud.episode) <= set(world["episodes"].id)
    assert world["episodes"].id.is_unique


def test_fraud_has_the_share_that_is_asked_for() -> None:
    for share, subtlety in ((0.005, 0.0), (0.02, 1.0)):
        rows = made(800, fraud=share, subtlety=subtlety)["transactions"]
        assert 0.7 * share < rows.is_fraud.mean() < 1.4 * share
    assert not made(200, fraud=0)["transactions"].is_fraud.any()


def test_one_typology_can_be_asked_for_alone() -> None:
    others = dict.fromkeys(TYPOLOGIES, 0.0) | {"cycle": 1.0}
    rows = made(300, fraud=0.02, **others)["transactions"]
    assert set(rows[rows.is_fraud].typology) == {"cycle"}


def test_nothing_happens_that_cannot(world: dict[str, pd.DataFrame]) -> None:
    rows, accounts = world["transactions"], world["accounts"].set_index("id")
    assert rows.time.is_monotonic_increasing and (rows.amount > 0).all()
    assert (rows.time >= "2025-01-01").all() and (rows.time < "2025-07-01").all()
    assert (rows.time.dt.microsecond == 0).all()
    assert (rows.payer.notna() | rows.payee.notna()).all() and not (rows.payer == rows.payee).any()
    for side in ("payer", "payee"):
        known = rows[rows[side].notna()]
        assert (known.time >= pd.to_datetime(known[side].map(accounts.opened)).values).all()
    assert rows[rows.type == "salary"].amount.min() > 1000
    assert rows[rows.type == "card"].merchant.notna().all()


def test_those_who_take_part_are_the_members(world: dict[str, pd.DataFrame]) -> None:
    rows, members = world["transactions"], world["members"].groupby("episode").account.apply(set)
    fraud = rows[rows.is_fraud]
    for episode, mine in fraud.groupby("episode"):
        part = set(mine.payer.dropna()) | set(mine.payee.dropna())
        assert part <= members[episode]


def test_money_in_a_chain_hops_on_less_a_fee_and_a_cycle_closes(
    world: dict[str, pd.DataFrame],
) -> None:
    rows = world["transactions"]
    for _, hops in rows[rows.typology == "mule_chain"].groupby("episode"):
        assert hops.payer.tolist()[1:] == hops.payee.tolist()[:-1]
        assert (np.diff(hops.amount) < 0).all()
    for _, hops in rows[rows.typology == "cycle"].groupby("episode"):
        assert hops.payer.tolist() == [hops.payee.iloc[-1], *hops.payee[:-1]]


def test_deposits_of_structuring_stay_below_the_threshold(world: dict[str, pd.DataFrame]) -> None:
    rows = world["transactions"]
    for threshold, found in (
        (10_000, rows),
        (10_000_000, made(300, fraud=0.02, locale="ko_KR")["transactions"]),
    ):
        cash = found[found.typology == "structuring"]
        assert len(cash) > 5 and (cash.amount < threshold).all()
        assert (cash.amount > 0.05 * threshold).all()


def test_most_accounts_stay_above_zero(world: dict[str, pd.DataFrame]) -> None:
    """Current accounts may be overdrawn; few are, and for few days."""
    rows, accounts = world["transactions"], world["accounts"].set_index("id")
    flows = pd.concat(
        [
            rows.assign(account=rows.payee, flow=rows.amount),
            rows.assign(account=rows.payer, flow=-rows.amount),
        ]
    )
    flows = flows[flows.account.notna()].sort_values("time", kind="stable")
    balance = flows.account.map(accounts.opening) + flows.groupby("account").flow.cumsum()
    assert (balance < 0).mean() < 0.06


def test_korean_customers_pay_in_won_and_live_in_korea() -> None:
    found = made(200, locale="ko_KR")
    assert found["customers"].city.isin(["서울", "부산", "인천", "대구", "대전"]).mean() > 0.6
    assert found["customers"].name.str.match("[가-힣]+$").all()
    salary = found["transactions"].query("type == 'salary'").amount
    assert 3_000_000 < salary.median() < 9_000_000 and (salary % 10 == 0).all()


def test_subtle_fraud_is_harder_to_find_and_no_simple_rule_finds_it() -> None:
    """Bounds wider than the spread over seeds; `benchmarks/finance.py` measures more."""
    path = Path(__file__).parents[2] / "benchmarks" / "finance.py"
    spec = importlib.util.spec_from_file_location("finance_benchmark", path)
    assert spec is not None and spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    found = {}
    for subtlety, low, high in ((0.0, 0.9, 1.0), (0.5, 0.75, 0.96), (1.0, 0.4, 0.85)):
        both = [benchmark.transactions(250, s, subtlety=subtlety, fraud=0.02) for s in (1, 2)]
        scores = benchmark.detected(*both)
        found[subtlety] = scores["boosted trees"]
        assert low < found[subtlety] < high
        for rule in ("amount", "new merchant", "hour of night"):
            assert scores[rule] < 0.6 * found[subtlety]
    assert found[0.0] > found[0.5] > found[1.0]
