"""The two baselines: `resample` repeats rows and nothing else, `independent` forgets rows."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pyarrow as pa
import pytest

from geurim.analyze import analyze
from geurim.errors import DataError, SamplingError
from geurim.generators.independent import FittedIndependent, Independent
from geurim.generators.resample import FittedResample, Resample, from_bytes, to_bytes
from geurim.testing import example, source_of

Z = NormalDist().inv_cdf(1 - 1e-4 / 2)
ROWS = pa.table(
    {
        "n": [1, 1, 2, None, 2],
        "s": ["a", "b", None, "a", "b"],
        "x": [0.5, 1.5, 2.5, 3.5, float("nan")],
    }
)


def resample(table: pa.Table = ROWS) -> FittedResample:
    source = source_of(table)
    return Resample().fit(source, analyze(example()), np.random.default_rng(0))


def independent(table: pa.Table, alone: bool = False) -> FittedIndependent:
    source = source_of(table)
    profile = analyze(source)
    return Independent().fit(None if alone else source, profile, np.random.default_rng(0))


def test_resample_draws_real_rows_each_as_often_as_any() -> None:
    table = pa.table({"n": range(50), "s": [str(i) for i in range(50)]})
    drawn = resample(table).draw(100_000, np.random.default_rng(1))
    assert [str(n) for n in drawn.column("n").to_pylist()] == drawn.column("s").to_pylist()
    counts = np.bincount(drawn.column("n").to_numpy(), minlength=50)
    slack = NormalDist().inv_cdf(1 - 1e-4 / 100) * math.sqrt(100_000 * 0.02 * 0.98)
    assert np.all(np.abs(counts - 2000) < slack)


@pytest.mark.parametrize("conditioned", [False, True])
def test_resample_completes_with_rows_that_hold_all_given_values(conditioned: bool) -> None:
    fitted = resample()
    if conditioned:
        fitted = fitted.condition(("s", "n"))
    given = pa.table({"s": ["b", None, "a"] * 400, "n": [2, 2, None] * 400})
    drawn = fitted.draw(1200, np.random.default_rng(2), given)
    assert drawn.column("n").to_pylist() == given["n"].to_pylist()
    assert drawn.column("s").to_pylist() == given["s"].to_pylist()
    assert drawn.column("x").to_pylist()[1:3] == [2.5, 3.5]
    assert math.isnan(drawn.column("x")[0].as_py())


def test_resample_chooses_among_matching_rows_evenly() -> None:
    given = pa.table({"n": [1] * 10_000})
    drawn = resample().draw(10_000, np.random.default_rng(3), given)
    share = np.mean(np.array(drawn.column("s").to_pylist()) == "a")
    assert abs(share - 0.5) < Z * math.sqrt(0.25 / 10_000)


def test_resample_refuses_what_no_row_has_and_names_it() -> None:
    with pytest.raises(SamplingError) as caught:
        resample().draw(2, np.random.default_rng(0), pa.table({"n": [1, 2], "s": ["a", "a"]}))
    assert "given row 1" in str(caught.value) and "{'n': 2, 's': 'a'}" in str(caught.value)
    with pytest.raises(SamplingError, match="1 of 1"):
        resample().draw(1, np.random.default_rng(0), pa.table({"n": [77]}))


def test_resample_needs_rows() -> None:
    profile = analyze(example())
    with pytest.raises(DataError, match="only a profile"):
        Resample().fit(None, profile, np.random.default_rng(0))
    with pytest.raises(DataError, match="no rows"):
        Resample().fit(source_of(ROWS.slice(0, 0)), profile, np.random.default_rng(0))
    with pytest.raises(DataError, match="no rows"):
        Independent().fit(source_of(ROWS.slice(0, 0)), profile, np.random.default_rng(0))


def correlation(fitted: FittedIndependent | FittedResample, n: int = 50_000) -> float:
    drawn = fitted.draw(n, np.random.default_rng(4))
    return float(np.corrcoef(*(c.to_numpy(zero_copy_only=False) for c in drawn.columns))[0, 1])


def test_independent_has_no_dependence_and_resample_all_of_it() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.multivariate_normal([0, 0], [[1, 0.05], [0.05, 1]], 50_000).T
    table = pa.table({"x": x, "y": y})
    slack = Z / math.sqrt(50_000)
    assert abs(correlation(independent(table))) < slack
    assert abs(correlation(independent(table, alone=True))) < slack
    assert abs(correlation(resample(table))) > slack, "a correlation of 0.05 must be seen"


def test_independent_model_holds_no_row_together() -> None:
    table = pa.table({"a": range(1000), "b": range(1000)})
    values = independent(table).values
    assert values is not None
    together = np.mean(values.column("a").to_numpy() == values.column("b").to_numpy())
    assert together < 0.02


def test_independent_from_a_profile_misses_values_as_the_column_does() -> None:
    table = pa.table({"x": pa.array(np.arange(4000.0), mask=np.arange(4000) % 4 == 0)})
    drawn = independent(table, alone=True).draw(40_000, np.random.default_rng(6))
    assert abs(drawn.column("x").null_count / 40_000 - 0.25) < Z * math.sqrt(0.1875 / 40_000)


def test_rows_survive_as_bytes() -> None:
    batch = ROWS.to_batches()[0]
    assert from_bytes(to_bytes(batch), ROWS.schema).to_pydict()["s"] == ROWS["s"].to_pylist()


def test_bytes_that_are_no_rows_are_refused() -> None:
    data = to_bytes(ROWS.to_batches()[0])
    with pytest.raises((ValueError, OSError)):
        from_bytes(data[:100], ROWS.schema)
