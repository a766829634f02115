"""Epsilon audited from outside: two neighbouring tables, many releases, and how well they are told
apart (Jagielski, Ullman & Oprea 2020). A bound above the claim would disprove it.

For any set S of outputs, (epsilon, delta)-privacy means P(S | one) <= exp(epsilon) P(S | other) +
delta. From counts of S in many releases, Clopper-Pearson limits bound epsilon from below.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from geurim.contract import Fitted, Lineage, Profile, Source
from geurim.generators._noise import Spender, rho_of
from geurim.generators.private import Private
from geurim.testing import source_of, stream

EPSILON, DELTA = 1.0, 1e-6
LEVEL = 1e-4  # how often the bound may lie above the truth

Release = Callable[[list[str], int], float]


def limits(hits: int, tries: int, level: float) -> tuple[float, float]:
    """Clopper & Pearson (1934): the lower and upper limit of a share, each wrong at `level`."""
    from scipy.stats import beta

    low = beta.ppf(level, hits, tries - hits + 1) if hits else 0.0
    high = beta.ppf(1 - level, hits + 1, tries - hits) if hits < tries else 1.0
    return float(low), float(high)


def epsilon_at_least(one: np.ndarray, other: np.ndarray, delta: float) -> float:
    """A lower bound of epsilon from releases of two neighbouring tables (T,), (T,).

    The first half of them chooses the threshold that tells them apart best, the second half
    tests it: so the bound holds with confidence 1 - LEVEL.
    """
    half = len(one) // 2
    best, chosen = -np.inf, (0.0, 1)
    for cut in np.unique(np.concatenate([one[:half], other[:half]])):
        for sign in (1, -1):
            p, q = ((sign * v[:half] >= sign * cut).mean() for v in (one, other))
            # Small shares are uncertain: a correction of a few tries keeps the choice honest.
            gain = np.log((p + 4 / half) / (q + 4 / half))
            if gain > best:
                best, chosen = gain, (cut, sign)
    cut, sign = chosen
    p, q = (int((sign * v[half:] >= sign * cut).sum()) for v in (one, other))
    tries = len(one) - half
    low, high = limits(p, tries, LEVEL / 2)[0], limits(q, tries, LEVEL / 2)[1]
    return float(np.log(max(low - delta, 1e-12) / high))


def audited(release: Release, tries: int) -> float:
    """The larger bound of the two directions: one person more, and one less."""
    without = ["common"] * 30
    one = np.array([release([*without, "hers"], i) for i in range(tries)])
    other = np.array([release(without, i) for i in range(tries)])
    return max(epsilon_at_least(one, other, DELTA), epsilon_at_least(other, one, DELTA))


def counted(values: list[str]) -> np.ndarray:
    return np.array([values.count("hers")])


def asked(spender: type[Spender] = Spender) -> Release:
    """One count, on which the whole budget is spent."""

    def release(values: list[str], _: int) -> float:
        rho = rho_of(EPSILON, DELTA)
        answer = spender(values, contributions=1, rho=rho, delta=0.0)
        return float(answer.counts(counted, answer.left)[0])

    return release


class Forgetful(Spender):
    """A mutant: it books the cost of noise twenty times as large as the noise that it adds."""

    def counts(self, question: Any, rho: float) -> np.ndarray:
        loud = Spender(self.rows, contributions=1, rho=400 * rho, delta=0.0)
        return loud.counts(question, loud.left)


def test_the_bound_finds_what_randomized_response_spends() -> None:
    """Truth with probability e / (1 + e): epsilon is 1 in closed form (Warner 1965)."""
    rng = np.random.default_rng(0)
    truth = np.exp(1.0) / (1 + np.exp(1.0))
    one, other = (rng.random(40_000) < p for p in (truth, 1 - truth))
    bound = epsilon_at_least(one.astype(float), other.astype(float), 0.0)
    assert 0.85 < bound <= 1.0


def test_what_a_count_spends_is_no_more_than_claimed_and_forgotten_noise_is_found() -> None:
    assert audited(asked(), 500) <= EPSILON
    assert audited(asked(Forgetful), 300) > EPSILON


def test_a_choice_spends_no_more_than_claimed_and_one_without_noise_is_found() -> None:
    def chosen(times: float) -> Release:
        def release(values: list[str], _: int) -> float:
            rho = rho_of(EPSILON, DELTA) * times
            spender = Spender(values, contributions=1, rho=rho, delta=0.0)
            return float(
                spender.best(lambda v: np.array([v.count("hers"), 1 - v.count("hers")]), rho)
            )

        return release

    assert audited(chosen(1.0), 400) <= EPSILON
    assert audited(chosen(1_000.0), 300) > EPSILON


# ---- the whole fit


class CountsExactly(Private):
    """A mutant: the number of rows stands in the model as it is."""

    def fit(self, source: Source | None, profile: Profile, *rest: Any) -> Fitted:
        fitted: Any = super().fit(source, profile, *rest)
        assert source is not None
        object.__setattr__(fitted, "weight", {"v": np.array([0.0, source.rows or 0])})
        return fitted  # type: ignore[no-any-return]


def whole(kind: type[Private]) -> Release:
    """All that a model says of her value, as one number: its weight, or the exact count."""
    settings = kind(epsilon=EPSILON, delta=DELTA, domain={"v": ["common", "hers"]})

    def release(values: list[str], i: int) -> float:
        table = pa.table({"v": values})
        nothing = Profile(schema=table.schema, lineage=Lineage.made("none"), rows=0, columns={})
        fitted: Any = settings.fit(source_of(table), nothing, stream(i))
        if hasattr(fitted, "weight"):
            return float(fitted.weight["v"][1])
        scale = fitted.scales["v"]
        hers = scale.encode(pa.array(["hers"]))[0]
        return float(fitted.graph.marginal((0,))[hers] * fitted.profile.rows)

    return release


@pytest.mark.slow
def test_a_whole_fit_spends_no_more_than_claimed_and_an_exact_count_is_found() -> None:
    assert audited(whole(Private), 600) <= EPSILON
    assert audited(whole(CountsExactly), 100) > EPSILON
