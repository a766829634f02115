"""The arithmetic, against closed forms and scikit-learn's values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import r2_score, roc_auc_score

from geurim.verify import stats
from geurim.verify.private import share_nearer

RNG = np.random.default_rng(0)
scores = arrays(float, st.integers(2, 30), elements=st.floats(-3, 3).map(lambda v: round(v, 1)))


def test_wilson_is_the_published_interval():
    # Newcombe 1998, table I: 81 of 263 gives .2553 to .3662; 0 of 20 gives 0 to .1611.
    assert stats.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert stats.wilson(0, 20) == pytest.approx((0, 0.1611), abs=5e-5)


def test_wilson_covers_the_truth_as_often_as_it_says():
    hits = RNG.binomial(200, 0.07, 4000)
    covered = np.mean([low <= 0.07 <= high for low, high in (stats.wilson(h, 200) for h in hits)])
    assert abs(covered - 0.95) < 0.02


def test_difference_is_the_published_interval():
    # Newcombe 1998, method 10, example (a): 56/70 - 48/80 gives .0524 to .3339.
    assert stats.difference(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)


@given(scores, scores)
def test_auc_is_that_of_scikit_learn(positive, negative):
    label = np.repeat([1, 0], [len(positive), len(negative)])
    both = np.concatenate([positive, negative])
    value, error = stats.auc(positive, negative)
    assert value == pytest.approx(roc_auc_score(label, both))
    assert error > 0
    many = stats.auc_many(both, label == 1, np.ones((1, len(both))))
    assert many[0] == pytest.approx(value)


def test_auc_of_two_normals_is_its_closed_form():
    a, b = RNG.normal(1, 1, 20000), RNG.normal(0, 1, 20000)
    value, error = stats.auc(a, b)
    truth = 0.5 * (1 + math.erf(1 / 2))  # Phi(1 / sqrt 2)
    assert abs(value - truth) < 4 * error


def test_auc_error_is_the_spread_of_repeated_samples():
    drawn = [stats.auc(RNG.normal(0.5, 1, 150), RNG.normal(0, 1, 100)) for _ in range(600)]
    values, errors = np.array(drawn).T
    assert errors.mean() == pytest.approx(values.std(), rel=0.1)


def test_weighted_auc_is_that_of_repeated_rows():
    label, score = RNG.integers(0, 2, 40), RNG.normal(size=40).round(1)
    weights = RNG.integers(0, 3, (1, 40)).astype(float)
    again = np.repeat(np.arange(40), weights[0].astype(int))
    found = stats.auc_many(score, label == 1, weights)[0]
    assert found == pytest.approx(roc_auc_score(label[again], score[again]))


def test_r_squared_is_that_of_scikit_learn():
    truth, guess = RNG.normal(size=50), RNG.normal(size=50)
    weights = RNG.integers(0, 3, (1, 50)).astype(float)
    found = stats.r_squared(truth, guess, weights)[0]
    assert found == pytest.approx(r2_score(truth, guess, sample_weight=weights[0]))


def test_ks_of_two_uniforms_is_its_closed_form():
    a, b = (np.arange(10000) + 0.5) / 10000, 0.3 + (np.arange(10000) + 0.5) / 10000
    assert stats.ks(a, b)[0] == pytest.approx(0.3, abs=1e-3)


@given(scores, scores)
def test_ks_is_the_largest_gap_by_brute_force(a, b):
    gaps = [abs((a <= v).mean() - (b <= v).mean()) for v in np.concatenate([a, b])]
    assert stats.ks(a, b)[0] == pytest.approx(max(gaps))


def test_ks_sees_missing_values_alone():
    a = RNG.normal(size=2000)
    b = np.where(np.arange(2000) < 600, np.nan, RNG.permutation(a))
    assert stats.ks(a, b)[0] == pytest.approx(0.3, abs=0.001)


def test_ks_by_chance_is_the_mean_over_honest_samples():
    drawn = [stats.ks(RNG.random(400), RNG.random(300))[0] for _ in range(500)]
    assert stats.ks_by_chance(400, 300) == pytest.approx(np.mean(drawn), rel=0.07)


def test_total_variation_is_its_closed_form():
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5])
    assert stats.total_variation(p, q) == pytest.approx(0.3)
    assert stats.total_variation(p, p) == 0


@pytest.mark.parametrize("categories", [3, 30, 3000])
def test_variation_by_chance_is_the_mean_over_honest_samples(categories):
    shares = RNG.dirichlet(np.ones(categories))

    def drawn():
        p, q = RNG.multinomial(800, shares) / 800, RNG.multinomial(500, shares) / 500
        return stats.total_variation(p, q), stats.variation_by_chance(p, q, 800, 500).sum()

    found, expected = np.mean([drawn() for _ in range(200)], axis=0)
    assert expected == pytest.approx(found, rel=0.15)


def test_variation_error_is_the_spread_of_repeated_samples():
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5])
    drawn = [
        stats.total_variation(RNG.multinomial(500, p) / 500, RNG.multinomial(400, q) / 400)
        for _ in range(2000)
    ]
    assert stats.variation_error(p, q, 500, 400) == pytest.approx(np.std(drawn), rel=0.1)


def test_jackknife_error_of_a_mean_is_its_closed_form():
    values = RNG.normal(size=20)
    left = (values.sum() - values) / 19
    assert stats.jackknife_error(left) == pytest.approx(values.std(ddof=1) / math.sqrt(20))


def test_chance_of_seeing_is_its_closed_form():
    found = stats.chance_of_seeing(np.array([0.0, 0.01, 1.0]), 100)
    assert found == pytest.approx([0, 1 - 0.99**100, 1])


def test_error_of_the_share_nearer_knows_that_rows_share_a_neighbour():
    """Coin tosses that turn 50 rows each at once: the error is that of 40 tosses, not of 2,000."""
    owner = np.repeat(np.arange(40), 50)
    drawn = []
    for _ in range(400):
        won = RNG.random(40) < 0.5
        drawn.append(share_nearer(won[owner].astype(float), owner, owner))
    values, errors = np.array(drawn).T
    assert errors.mean() == pytest.approx(values.std(), rel=0.1)
    assert abs(values.mean() - 0.5) < 4 * values.std() / 20
