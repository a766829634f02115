"""The copula against closed forms of the normal distribution, from profiles written by hand."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from geurim.analyze import analyze
from geurim.contract import Lineage, Profile
from geurim.errors import DataError, SettingError
from geurim.generators import copula
from geurim.generators.copula import Copula, FittedCopula, latent_correlation, nearest_correlation
from geurim.generators.normal import ppf
from geurim.testing import source_of

LEVEL = 1e-4
Z = NormalDist().inv_cdf(1 - LEVEL / 2)  # 3.89
UNIFORM: dict[str, Any] = {
    "role": "number",
    "missing": 0.0,
    "quantiles": np.linspace(0, 1, 101).tolist(),
    "min": 0.0,
    "max": 1.0,
    "integer": False,
    "decimals": None,
    "repeated": [],
}
COIN: dict[str, Any] = {
    "role": "category",
    "missing": 0.0,
    "categories": [[False, 0.5], [True, 0.5]],
    "pooled": {"count": 0, "share": 0.0},
}


def profile_of(facts: dict[str, dict[str, Any]], normal: Any, **dependence: Any) -> Profile:
    kinds = {n: pa.bool_() if f is COIN else pa.float64() for n, f in facts.items()}
    return Profile(
        schema=pa.schema(list(kinds.items())),
        lineage=Lineage(maker="written by hand", digest="x", real=True),
        rows=1000,
        columns=facts,
        dependence={
            "columns": list(facts),
            "normal": np.asarray(normal, float).tolist(),
            **dependence,
        },
    )


def fit(profile: Profile, **settings: Any) -> FittedCopula:
    return Copula(**settings).fit(None, profile, np.random.default_rng(0))


def uniforms(rho: float, **settings: Any) -> FittedCopula:
    return fit(profile_of({"x": UNIFORM, "y": UNIFORM}, [[1, rho], [rho, 1]]), **settings)


def arrays(fitted: FittedCopula, rows: int, seed: int = 1, **given: Any) -> list[np.ndarray]:
    table = pa.table(given) if given else None
    batch = fitted.draw(rows, np.random.default_rng(seed), table)
    return [c.to_numpy(zero_copy_only=False) for c in batch.columns]


def is_spearman_of(rho: float, x: np.ndarray, y: np.ndarray) -> bool:
    """Whether the rank correlation is that of normals with correlation `rho`: 6/pi asin(rho/2)."""
    ranks = [np.argsort(np.argsort(v)) for v in (x, y)]
    found, expected = np.corrcoef(*ranks)[0, 1], 6 / math.pi * math.asin(rho / 2)
    return bool(abs(math.atanh(found) - math.atanh(expected)) < Z * math.sqrt(1.06 / (len(x) - 3)))


@pytest.mark.parametrize("rho", [-0.9, -0.3, 0.0, 0.5, 0.95])
def test_correlation_of_the_profile_is_recovered(rho: float) -> None:
    x, y = arrays(uniforms(rho), 50_000)
    assert is_spearman_of(rho, x, y)
    wrong = arrays(uniforms(rho - math.copysign(0.05, rho)), 50_000)
    assert not is_spearman_of(rho, *wrong), "a correlation wrong by 0.05 must be seen"


def test_strength_scales_the_correlation() -> None:
    assert is_spearman_of(0.3, *arrays(uniforms(0.6, strength=0.5), 50_000))
    assert is_spearman_of(0.0, *arrays(uniforms(0.6, strength=0.0), 50_000))
    with pytest.raises(SettingError, match="strength"):
        Copula(strength=1.5)


@pytest.mark.parametrize("rho", [-0.8, 0.4])
@pytest.mark.parametrize("score", [-2.0, 0.3, 1.5])
def test_completion_has_the_conditional_mean_and_variance(rho: float, score: float) -> None:
    n, given = 40_000, NormalDist().cdf(score)

    def looks_right(fitted: FittedCopula) -> bool:
        x, y = arrays(fitted, n, x=np.full(n, given))
        assert np.all(x == given)
        z, variance = ppf(y), 1 - rho**2
        mean_fits = abs(z.mean() - rho * score) < Z * math.sqrt(variance / n)
        return mean_fits and abs(z.var() / variance - 1) < Z * math.sqrt(2 / n)

    assert looks_right(uniforms(rho))
    assert not looks_right(uniforms(rho + 0.05)), "a correlation wrong by 0.05 must be seen"


@pytest.mark.parametrize("rho", [-0.9, -0.5, 0.2, 0.7, 0.95])
def test_latent_correlation_of_coins_is_the_tetrachoric_one(rho: float) -> None:
    phi = 2 / math.pi * math.asin(rho)  # Sheppard 1899
    halves = np.array([[0, 0.5], [0.5, 1]])
    found = latent_correlation(np.array([[1, phi], [phi, 1]]), [halves, halves])
    assert found[0, 1] == pytest.approx(rho, abs=0.004)
    one, other = arrays(fit(profile_of({"a": COIN, "b": COIN}, [[1, phi], [phi, 1]])), 50_000)
    both, share = 0.25 + math.asin(rho) / (2 * math.pi), np.mean(one & other)
    assert abs(share - both) < Z * math.sqrt(both * (1 - both) / 50_000) + 0.001


def test_completion_from_several_columns_is_the_joint_distribution(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Given columns that were drawn together, what completes them makes the same table again.

    Coins hide where in their interval the latent was: it must be drawn given the other columns.
    """
    normal = np.full((3, 3), 0.6) + 0.4 * np.eye(3)
    fitted = fit(profile_of({"a": COIN, "b": COIN, "u": UNIFORM}, normal))
    n = 100_000
    a, b, u = arrays(fitted, n)

    def fits() -> bool:
        *_, again = arrays(fitted, n, seed=2, a=a, b=b)
        looks = [(x, y) for x in (False, True) for y in (False, True)]
        return all(
            abs(ppf(again[cell]).mean() - ppf(u[cell]).mean())
            < Z * math.sqrt(2 * ppf(u[cell]).var() / cell.sum())
            for cell in ((a == x) & (b == y) for x, y in looks)
        )

    assert fits()
    monkeypatch.setattr(copula, "_SWEEPS", 0)
    assert not fits(), "latents drawn one by one must be seen"


def test_missing_values_go_with_what_the_profile_says() -> None:
    holed = {**UNIFORM, "missing": 0.3}
    facts = {"x": holed, "y": UNIFORM, "z": holed}
    present = np.eye(5)
    present[0, 1] = present[1, 0] = 0.8  # x with y, where x is there
    present[3, 4] = present[4, 3] = 0.7  # x and z are missing together
    profile = profile_of(facts, np.eye(3), missing=["x", "z"], present=present.tolist())
    x, y, z = arrays(fit(profile), 60_000)
    holes = np.isnan(x), np.isnan(z)
    assert abs(holes[0].mean() - 0.3) < Z * math.sqrt(0.21 / 60_000)
    there = ~holes[0]
    assert is_spearman_of(0.8, x[there], y[there])
    phi = np.corrcoef(*holes)[0, 1]
    assert phi == pytest.approx(0.7, abs=0.02)
    given = pa.table({"x": pa.array([None] * 20_000, pa.float64())})
    rest = fit(profile).draw(20_000, np.random.default_rng(3), given)
    assert rest.column("x").null_count == 20_000
    expected = 0.3 + 0.7 * 0.7  # of a column missing in 30%: phi lifts it by phi * (1 - 0.3)
    assert rest.column("z").null_count / 20_000 == pytest.approx(expected, abs=0.02)


def test_missing_at_random_does_not_weaken_the_correlation_of_what_is_there() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], 20_000).T
    table = pa.table({"x": pa.array(x, mask=rng.random(20_000) < 0.4), "y": y})
    drawn = fit(analyze(source_of(table))).draw(50_000, rng)
    there = drawn.filter(pc.is_valid(drawn.column("x")))
    ranks = [np.argsort(np.argsort(c.to_numpy())) for c in there.columns]
    assert np.corrcoef(*ranks)[0, 1] == pytest.approx(6 / math.pi * math.asin(0.4), abs=0.02)


def test_nearest_correlation_is_highams() -> None:
    # The example of Higham (2002), section 4.
    found = nearest_correlation(np.array([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]]))
    assert found[0] == pytest.approx([1, 0.7607, 0.1573], abs=1e-4)
    assert np.linalg.eigvalsh(found)[0] > 0


def test_contradictory_correlations_still_give_a_model() -> None:
    normal = np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]])
    fitted = fit(profile_of({"a": UNIFORM, "b": UNIFORM, "c": UNIFORM}, normal))
    assert np.allclose(np.diag(fitted.correlation), 1)
    assert fitted.draw(10, np.random.default_rng(0)).num_rows == 10


def test_completion_of_values_beyond_the_profile_keeps_them() -> None:
    given = [-5.0, 7.0, 0.5]
    x, y = arrays(uniforms(0.9), 3, x=given)
    assert x.tolist() == given and np.all(np.isfinite(y))
    coins = fit(profile_of({"a": COIN, "u": UNIFORM}, np.eye(2)))
    assert arrays(coins, 2, a=[True, False])[0].tolist() == [True, False]


def test_one_alone_and_all_given_work() -> None:
    x, y = arrays(uniforms(0.5), 1)
    assert len(x) == len(y) == 1
    assert arrays(uniforms(0.5), 2, x=[0.1, 0.2], y=[0.3, 0.4])[1].tolist() == [0.3, 0.4]


def test_only_what_can_be_learned_is() -> None:
    facts = {"id": {"role": "key", "form": "integer"}, "u": UNIFORM, "note": {"role": "text"}}
    profile = profile_of(facts, [[1.0]], columns=["u"])
    assert fit(profile).schema.names == ["u"]


def test_profile_without_dependence_gives_independent_columns() -> None:
    facts = {"x": UNIFORM, "y": UNIFORM}
    assert is_spearman_of(0.0, *arrays(fit(profile_of(facts, [], columns=[])), 50_000))


def test_matrix_that_does_not_fit_is_refused() -> None:
    with pytest.raises(DataError, match="2 columns"):
        fit(profile_of({"x": UNIFORM, "y": UNIFORM}, [[1.0]]))
