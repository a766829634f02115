"""What has a closed form, or an implementation elsewhere, agrees with it."""

import numpy as np
import pytest
from scipy.stats import binom, genpareto
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from geurim.verify.extremes import pareto_shape
from geurim.verify.models import logistic
from geurim.verify.picture import components, picture
from geurim.verify.rules import endings
from geurim.verify.stats import log_chance, luck_aside
from geurim.verify.triples import cumulants, strength


def test_cumulants_of_three_coins_that_agree_are_an_eighth_and_of_free_ones_none():
    agree = np.array([[[0.0, 0.25], [0.25, 0.0]], [[0.25, 0.0], [0.0, 0.25]]])
    assert np.allclose(np.abs(cumulants(agree)), 1 / 8)
    value, error = strength(agree, np.sign(cumulants(agree)), 400)
    assert value == pytest.approx(0.5) and 0 < error < 0.5 / 20
    assert np.allclose(cumulants(np.full((2, 2, 2), 1 / 8)), 0)


def test_strength_of_a_triple_has_the_error_that_repeated_draws_show():
    rng = np.random.default_rng(1)
    p = rng.dirichlet(np.ones(27)).reshape(3, 3, 3)
    sign = np.sign(cumulants(p))
    shares = rng.multinomial(500, p.ravel(), 400).reshape(400, 3, 3, 3) / 500
    values, errors = np.array([strength(q, sign, 500) for q in shares]).T
    assert values.std() == pytest.approx(errors.mean(), rel=0.15)


@pytest.mark.parametrize(("hits", "other"), [(0, 9), (3, 30), (12, 12), (40, 5)])
def test_bound_of_a_chance_is_never_below_the_chance(hits, other):
    p, total = 1_000 / 3_000, hits + other
    exact = binom.cdf(hits, total, p) if hits < total * p else binom.sf(hits - 1, total, p)
    bound = log_chance(np.array(hits), 1_000, np.array(other), 2_000)
    assert np.exp(bound) >= exact * (1 - 1e-9)


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.3])
def test_shape_of_a_pareto_tail_comes_back(shape):
    excess = genpareto.rvs(shape, size=20_000, random_state=np.random.default_rng(2))
    assert pareto_shape(excess) == pytest.approx(shape, abs=0.06)


def test_logistic_regression_is_that_of_scikit_learn():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(2_000, 4))
    y = rng.random(2_000) < 1 / (1 + np.exp(-(x @ [1.0, -0.5, 0.0, 2.0] + 0.3)))
    theirs = LogisticRegression(C=1.0).fit(x, y)
    ours = logistic(np.column_stack([np.ones(2_000), x]), y)
    assert np.allclose(ours[1:], theirs.coef_[0], atol=0.01)


def test_endings_tell_how_a_number_is_written():
    values = np.array([0, 7, 20, 500, 4_000, 19.99, 0.5, 1.234, 2 / 3, np.nan])
    assert endings(values).tolist() == [0, 7, 10, 11, 12, 199, 150, 1_003, 1_007]


def test_luck_is_taken_out_of_an_interval_but_never_the_value():
    low, high = luck_aside(0.03, 0.03, 0.02)
    assert low == 0.0 and high >= 0.03
    low, high = luck_aside(0.4, 0.03, 0.02)
    assert low == pytest.approx(0.38, abs=0.002) and high == pytest.approx(0.42, abs=0.002)


def test_directions_of_the_picture_are_the_principal_components():
    rng = np.random.default_rng(5)
    points = rng.normal(size=(300, 6)) @ np.diag([5.0, 3.0, 1.0, 1.0, 0.5, 0.1])
    points -= points.mean(axis=0)
    axes, shares = components(points)
    theirs = PCA(2).fit(points)
    assert np.allclose(np.abs((axes * theirs.components_).sum(axis=1)), 1)
    assert np.allclose(shares, theirs.explained_variance_ratio_)
    assert not len(components(np.zeros((9, 3)))[0])


def test_picture_shows_where_synthetic_rows_leave_the_real_ones_and_no_real_row():
    rng = np.random.default_rng(6)
    real = rng.normal(size=(2_000, 3)).astype(np.float32)
    shown = picture(real, real[:300] + np.float32([9, 0, 0]))
    same = picture(real, rng.normal(size=(300, 3)).astype(np.float32))
    assert within(shown) < 0.05 < 0.7 < within(same)
    assert sum(share for *_, share in shown["cells"]) == pytest.approx(1, abs=0.01)
    assert all(isinstance(place, int) for cell in shown["cells"] for place in cell[:2])


def within(shown):
    """The share of dots that lie in a cell with real rows."""
    cells, side = {(i, j) for i, j, _ in shown["cells"]}, shown["side"]
    places = [
        (min(int(x * side), side - 1), min(int(y * side), side - 1)) for x, y in shown["dots"]
    ]
    return np.mean([place in cells for place in places])
