"""Distributions against their closed forms: the right one passes, one wrong by a little fails."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from geurim.errors import SamplingError, SettingError
from geurim.generators.rules.categories import codes
from geurim.generators.rules.distributions import (
    DISTRIBUTIONS,
    Streams,
    check,
    chosen,
    drawn,
    mixed,
    problems,
)

LEVEL = 1e-4
ROWS = 20_000


def streams(seed: int) -> Streams:
    return lambda round: np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(round,)))


TRUTH = {
    "uniform": ({"low": -1, "high": 3}, stats.uniform(-1, 4)),
    "normal": ({"mean": 5, "deviation": 2}, stats.norm(5, 2)),
    "lognormal": ({"median": 3, "sigma": 0.5}, stats.lognorm(0.5, scale=3)),
    "exponential": ({"mean": 7}, stats.expon(scale=7)),
    "gamma": ({"mean": 6, "shape": 2.5}, stats.gamma(2.5, scale=6 / 2.5)),
    "beta": ({"mean": 0.3, "size": 5}, stats.beta(1.5, 3.5)),
    "weibull": ({"scale": 4, "shape": 1.7}, stats.weibull_min(1.7, scale=4)),
    "pareto": ({"low": 2, "alpha": 1.5}, stats.pareto(1.5, scale=2)),
    "triangular": ({"low": 1, "mode": 2, "high": 6}, stats.triang(0.2, 1, 5)),
    "student": ({"center": 1, "scale": 2, "df": 4}, stats.t(4, 1, 2)),
    "quantiles": ({"values": (0, 2, 4, 6)}, stats.uniform(0, 6)),
    "poisson": ({"mean": 3.5}, stats.poisson(3.5)),
    "binomial": ({"n": 12, "p": 0.3}, stats.binom(12, 0.3)),
    "geometric": ({"mean": 4}, stats.geom(0.2, loc=-1)),
    "negative_binomial": ({"mean": 4, "shape": 1.5}, stats.nbinom(1.5, 1.5 / 5.5)),
    "zipf": ({"n": 30, "exponent": 1.2}, stats.zipfian(1.2, 30)),
}


def p_value(values: np.ndarray, truth: Any, whole: bool) -> float:
    """Kolmogorov-Smirnov, or chi-square over the values where they are whole numbers."""
    if not whole:
        return float(stats.kstest(values, truth.cdf).pvalue)
    ends = np.unique(truth.ppf(np.linspace(0.0, 1.0, 25)[:-1])[1:])
    shares = np.diff(np.concatenate([[0.0], truth.cdf(ends), [1.0]]))
    counts = np.bincount(np.searchsorted(ends, values), minlength=len(shares))
    return float(stats.chisquare(counts, shares * len(values)).pvalue)


@pytest.mark.parametrize("name", TRUTH)
def test_values_follow_the_closed_form_and_not_one_wrong_by_a_little(name: str) -> None:
    params, truth = TRUTH[name]
    distribution = DISTRIBUTIONS[name]
    values = drawn(name, streams(1), ROWS, params)
    assert p_value(values, truth, distribution.whole) > LEVEL
    low, high = distribution.support(**params)
    assert (low <= values).all() and (values <= high).all()
    if distribution.whole:
        rng = np.random.default_rng(2)
        wrong = values + (rng.random(ROWS) < 0.2)  # one more in a fifth of the rows
    else:
        wrong = values + 0.05 * float(np.subtract(*np.quantile(values, [0.75, 0.25])))
    assert p_value(wrong, truth, distribution.whole) < LEVEL


@pytest.mark.parametrize("name", TRUTH)
def test_parameters_may_differ_by_row_and_first_rows_do_not_know_how_many_follow(name: str) -> None:
    given, truth = TRUTH[name]
    params = {k: v if isinstance(v, tuple) else np.full(ROWS, float(v)) for k, v in given.items()}
    low, high = (float(truth.ppf(q)) for q in (0.3, 0.8))
    values = drawn(name, streams(3), ROWS, params, low, high)
    share = truth.cdf(high) - (truth.cdf(low - 1) if DISTRIBUTIONS[name].whole else truth.cdf(low))
    assert (values >= low).all() and (values <= high).all()
    middle = float(truth.ppf(0.55))
    expected = 1.0 - (truth.cdf(high) - truth.cdf(middle)) / share
    assert abs((values <= middle).mean() - expected) < 4 * np.sqrt(0.25 / ROWS)
    short = {k: v[:77] if isinstance(v, np.ndarray) else v for k, v in params.items()}
    assert (drawn(name, streams(3), 77, short, low, high) == values[:77]).all()
    assert (drawn(name, streams(3), 77, short) == drawn(name, streams(3), ROWS, params)[:77]).all()


def test_a_cut_distribution_is_the_conditional_one_and_not_one_pushed_to_its_ends() -> None:
    values = drawn("normal", streams(4), ROWS, {"mean": 0.0, "deviation": 1.0}, -0.5, 2.0)
    assert stats.kstest(values, stats.truncnorm(-0.5, 2.0).cdf).pvalue > LEVEL
    pushed = np.clip(np.random.default_rng(4).normal(size=ROWS), -0.5, 2.0)
    assert stats.kstest(pushed, stats.truncnorm(-0.5, 2.0).cdf).pvalue < LEVEL


@pytest.mark.parametrize("name", ["exponential", "weibull", "pareto", "uniform"])
def test_closed_forms_reach_bounds_that_hardly_any_draw_would_reach(name: str) -> None:
    params, truth = TRUTH[name]
    low = float(truth.isf(1e-9))
    values = drawn(name, streams(5), ROWS, params, low)
    assert values.min() >= low
    assert stats.kstest(truth.sf(values) / truth.sf(low), "uniform").pvalue > LEVEL


def test_rows_whose_bounds_hold_no_value_are_an_error_with_counts() -> None:
    low = np.zeros(100)
    low[17] = 40.0
    with pytest.raises(SamplingError, match=r"1 of 100 rows .* row 17: 40 to inf"):
        drawn("normal", streams(6), 100, {"mean": 0.0, "deviation": 1.0}, low)
    with pytest.raises(SamplingError, match="100 of 100"):
        drawn("exponential", streams(6), 100, {"mean": 1.0}, 2.0, 1.0)


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("gausian", {}, "no distribution 'gausian'"),
        ("normal", {"mean": 1}, "lacks 'deviation'"),
        ("normal", {"mean": 1, "deviaton": 2, "deviation": 1}, "no parameter 'deviaton'"),
        ("normal", {"mean": 1, "deviation": -2}, "deviation is -2"),
        ("normal", {"mean": float("nan"), "deviation": 2}, "mean is nan"),
        ("normal", {"mean": "much", "deviation": 2}, "mean is 'much'"),
        ("binomial", {"n": 2.5, "p": 0.5}, "n is 2.5. Give a whole number from 0"),
        ("beta", {"mean": 1.0, "size": 3}, "mean is 1.0. Give a number above 0 below 1"),
        ("triangular", {"low": 0, "mode": 3, "high": 2}, "mode 3 is above high 2"),
        ("quantiles", {"values": [1, 3, 2]}, "none below the one before"),
        ("quantiles", {"values": [1, 2, 3], "levels": [0, 1]}, "2 levels from 0 to 1"),
    ],
)
def test_what_is_wrong_with_parameters_is_said(name: str, params: dict, words: str) -> None:
    with pytest.raises(SettingError) as caught:
        check(name, params)
    assert words in str(caught.value)


def test_all_problems_are_found_at_once_and_unknown_values_are_left_for_later() -> None:
    assert [p for p, _ in problems("gamma", {"mean": -1, "shape": 0, "x": 1})] == [
        "x",
        "mean",
        "shape",
    ]
    assert problems("uniform", {"low": None, "high": 3}) == []
    assert problems("quantiles", {"values": None}) == []


def test_a_wrong_value_in_an_array_is_an_error_that_says_which() -> None:
    deviation = np.ones(50)
    deviation[31] = -0.5
    with pytest.raises(SettingError, match=r"deviation is -0\.5 in row 31 \(1 of 50"):
        drawn("normal", streams(7), 50, {"mean": 0.0, "deviation": deviation})
    with pytest.raises(SettingError, match="low 2 is above high 1 in row 3"):
        high = np.full(5, 3.0)
        high[3] = 1.0
        drawn("uniform", streams(7), 5, {"low": 2.0, "high": high})


@pytest.mark.parametrize("categories", [2, 5, 16, 17, 300])
def test_codes_are_those_of_the_definition_however_they_are_found(categories: int) -> None:
    rng = np.random.default_rng(categories)
    shares = rng.dirichlet(np.full(categories, 0.5), 4)
    shares[:, [0, -1]] = 0.0
    shares[:, 1] += 1.0 - shares.sum(axis=1)
    table = np.cumsum(shares, axis=1)
    table /= table[:, -1:]
    u, group = rng.random(60_000), rng.integers(0, 4, 60_000)
    u[:4] = 0.0
    truth = np.array(
        [np.searchsorted(table[g, :-1], x, "right") for x, g in zip(u, group, strict=True)]
    )
    assert (codes(u, table, group) == truth).all()
    assert (codes(u[:50], table, group[:50]) == truth[:50]).all()
    alone = np.searchsorted(table[2, :-1], u, "right")
    assert (codes(u, table[2:3], None) == alone).all()
    assert truth.min() > 0 and (truth.max() < categories - 1 or categories == 2)


def test_chosen_codes_have_their_shares_by_group() -> None:
    shares = np.array([[0.1, 0.2, 0.7], [0.5, 0.0, 0.5]])
    group = np.repeat([0, 1], ROWS)
    found = chosen(np.random.default_rng(8), np.cumsum(shares, axis=1), group)
    counts = np.bincount(found[:ROWS], minlength=3)
    assert stats.chisquare(counts, shares[0] * ROWS).pvalue > LEVEL
    assert stats.chisquare(counts, np.array([0.12, 0.2, 0.68]) * ROWS).pvalue < LEVEL
    assert not (found[ROWS:] == 1).any()
    with pytest.raises(SettingError, match="rise to 1"):
        chosen(np.random.default_rng(8), np.array([0.2, 0.9]), size=3)
    with pytest.raises(SettingError, match="from -1 to 1"):
        chosen(np.random.default_rng(8), np.cumsum(shares, axis=1), np.array([-1, 1]))


def test_a_mixture_draws_each_component_for_the_rows_that_chose_it() -> None:
    def component(k: int, mean: float) -> Callable[[np.ndarray], np.ndarray]:
        params = {"mean": mean, "deviation": 1.0}
        return lambda rows: drawn("normal", streams(90 + k), len(rows), params)

    def made(rows: int) -> tuple[np.ndarray, np.ndarray]:
        weights = np.array([0.8, 1.0])
        return mixed(streams(9)(0), weights, [component(0, 0.0), component(1, 3.0)], size=rows)

    values, which = made(ROWS)

    def truth(other: float) -> Callable[[np.ndarray], np.ndarray]:
        return lambda x: 0.8 * stats.norm.cdf(x) + 0.2 * stats.norm.cdf(x, other)

    assert stats.kstest(values, truth(3.0)).pvalue > LEVEL
    assert stats.kstest(values, truth(2.7)).pvalue < LEVEL
    assert abs(values[which == 1].mean() - 3.0) < 0.1
    assert (made(100)[0] == values[:100]).all()


def test_directions_go_around_and_ranks_may_have_their_own_number() -> None:
    hours = drawn("von_mises", streams(10), ROWS, {"center": 23, "kappa": 2, "period": 24})
    angle = (hours - 23.0) / 24.0 * 2.0 * np.pi
    assert hours.min() >= 0.0 and hours.max() < 24.0
    assert stats.kstest((angle + np.pi) % (2 * np.pi) - np.pi, stats.vonmises(2).cdf).pvalue > LEVEL
    n = np.where(np.arange(ROWS) % 2, 3.0, 50.0)
    ranks = drawn("zipf", streams(11), ROWS, {"n": n, "exponent": 0.0})
    assert ranks[1::2].max() == 3 and ranks[::2].max() == 50
