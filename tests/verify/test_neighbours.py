"""Rows as points: what is near, what is far, and that the search finds the nearest."""

import numpy as np
import pyarrow as pa
import pytest
from people import people
from sklearn.neighbors import NearestNeighbors

from geurim.contract import Lineage, Source
from geurim.verify.compare import compare
from geurim.verify.neighbours import Points, Scale, affordable, nearest, points

RNG = np.random.default_rng(0)


def compared(*tables: pa.Table):
    from geurim.analyze import analyze

    sources = [
        Source(
            schema=t.schema,
            lineage=Lineage(maker="a table", digest="0", real=True),
            read=lambda t=t: iter(t.to_batches()),
            rows=len(t),
        )
        for t in tables
    ]
    training, holdout, made = sources
    return compare(made, training, holdout, analyze(training), None, np.random.default_rng(1))[0]


def test_nearest_is_that_of_scikit_learn():
    values, among = RNG.integers(0, 999, (7, 300)), RNG.integers(0, 999, (7, 1500))
    among[:, 17] = values[:, 3]
    a, b = (Points(values=v.astype("i2"), unit=1000, same=(False,) * 7) for v in (values, among))
    apart, place = nearest(a, b, 3)
    search = NearestNeighbors(n_neighbors=3, algorithm="brute", metric="manhattan").fit(among.T)
    wanted, _ = search.kneighbors(values.T)
    assert apart == pytest.approx(wanted / 1000)
    assert apart[3, 0] == 0 and place[3, 0] == 17
    again = np.abs(values[:, :, None] - among[:, place]).sum(axis=0) / 1000
    assert apart == pytest.approx(again)


def test_categories_are_apart_by_one_however_many_there_are():
    codes = np.arange(3)[None].astype("i2")
    row = Points(values=codes, unit=500, same=(True,))
    apart, _ = nearest(row, row.take(np.array([1])))
    assert apart[:, 0].tolist() == [1, 0, 1]


def test_missing_values_outliers_and_crowds_are_kept_apart():
    """All but a few values are 0: ranks alone would put 100, 1e6 and 1e9 next to each other."""
    values = [0.0] * 97 + [100.0, 1e6, 1e9]
    table = pa.table({"x": pa.array(values), "y": pa.array([1.0, None] * 50)})
    c = compared(table, table, table)
    rows = points(c)[0]
    x, y = (rows.values[i] / rows.unit for i in (0, 1))
    known = c.training.axis["x"]
    at = [x[known == v][0] for v in (0.0, 100.0, 1e6, 1e9)]
    assert np.diff(at).min() > 0.02
    assert set(np.round(y[np.isnan(c.training.axis["y"])], 3)) == {-1.0}
    assert y[~np.isnan(c.training.axis["y"])].min() > -0.6


def test_equal_rows_are_at_no_distance_and_others_are():
    tables = [people(200, np.random.default_rng(s)) for s in (1, 2)]
    training, holdout, made = points(compared(tables[0], tables[1], tables[0]))
    assert nearest(made, training)[0].max() == 0
    assert nearest(holdout, training)[0].min() > 0


@pytest.mark.parametrize("columns", [1, 90])
def test_sums_of_many_columns_do_not_overflow(columns):
    numbers = [RNG.normal(size=(60, columns)) * 10.0**s for s in (0, 5, 9)]
    tables = [pa.table({f"x{i}": v[:, i] for i in range(columns)}) for v in numbers]
    training, _, made = points(compared(*tables))
    apart, _ = nearest(made, training)
    assert (apart > 0.01 * columns).mean() > 0.9
    assert apart.max() <= 2 * columns


def test_a_scale_knows_no_training_rows_from_others():
    """On a scale of the training rows alone, they would fall on its marks and others between."""
    tables = [pa.table({"x": RNG.normal(size=400)}) for _ in range(3)]
    c = compared(*tables)
    one, other = (Scale(c.columns, *t) for t in ((c.training, c.holdout), (c.holdout, c.training)))
    assert (one(c.training).values == other(c.training).values).all()


def test_work_is_bounded_by_the_rows_looked_up():
    few = Points(values=np.zeros((5, 1000), "i2"), unit=100, same=(True,) * 5)
    assert affordable(few, few, 1e5) == 20
    assert affordable(few, few, 1e12) == 1000
