"""The normal distribution against Python's own and against numerical integration."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from geurim.generators.normal import cdf, density, hermite_moments, ppf

NORMAL = NormalDist()


def test_ppf_is_the_inverse_to_the_last_digits() -> None:
    shares = np.concatenate([np.logspace(-300, -1, 300), np.linspace(0.01, 0.99, 99)])
    expected = np.array([NORMAL.inv_cdf(p) for p in shares])
    assert np.allclose(ppf(shares), expected, rtol=1e-13, atol=1e-13)
    assert np.allclose(ppf(1 - shares[shares > 1e-3]), -expected[shares > 1e-3], rtol=1e-9)


def test_ppf_at_and_beyond_the_ends() -> None:
    assert ppf(np.array([0.0, 1.0, -1e-17, 1 + 1e-12])).tolist() == [
        -math.inf,
        math.inf,
        -math.inf,
        math.inf,
    ]
    assert ppf(np.array([])).shape == (0,)


def test_cdf_is_right_to_seven_digits() -> None:
    scores = np.random.default_rng(0).normal(size=5_000) * 3
    assert np.max(np.abs(cdf(scores) - [NORMAL.cdf(z) for z in scores])) < 3e-8
    assert cdf(np.array([-np.inf, np.inf, 0.0])) == pytest.approx([0, 1, 0.5], abs=1e-15)


def test_cdf_never_falls() -> None:
    assert np.all(np.diff(cdf(np.linspace(-9.5, 9.5, 200_001))) >= 0)


def test_hermite_moments_are_the_integrals() -> None:
    low, high = np.array([-np.inf, -1.3, 0.4]), np.array([-1.3, 0.4, np.inf])
    moments = hermite_moments(low, high, 9)
    z = np.linspace(-12, 12, 240_001)
    polynomials = [np.ones_like(z), z]
    for k in range(2, 9):
        polynomials.append(
            (z * polynomials[-1] - math.sqrt(k - 1) * polynomials[-2]) / math.sqrt(k)
        )
    for row, (a, b) in enumerate(zip(low, high, strict=True)):
        inside = (z >= a) & (z < b)
        expected = [np.sum((p * density(z))[inside]) * 1e-4 for p in polynomials]
        assert moments[row] == pytest.approx(expected, abs=1e-4)


def test_hermite_moments_of_the_whole_line_are_those_of_the_normal() -> None:
    whole = hermite_moments(np.array([-np.inf, -0.7]), np.array([-0.7, np.inf]), 20).sum(axis=0)
    assert whole == pytest.approx([1.0] + [0.0] * 19, abs=1e-12)
