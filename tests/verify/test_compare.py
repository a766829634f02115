"""Rows are sampled, aligned and encoded alike, whatever the tables look like."""

import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from people import people

from geurim.contract import Lineage, Source
from geurim.errors import DataError, SchemaError, SettingError
from geurim.verify import verify
from geurim.verify.compare import reservoir

RNG = np.random.default_rng(0)
SMALL = [people(60, np.random.default_rng(s)) for s in (1, 2, 3)]
QUICK = ["missing", "columns", "pairs", "dcr", "copies", "survivors", "personal", "rare"]


def source(table: pa.Table, size: int = 100, maker: str = "a table") -> Source:
    return Source(
        schema=table.schema,
        lineage=Lineage(maker=maker, digest="0", real=True),
        read=lambda: iter(table.to_batches(max_chunksize=size)),
        rows=len(table),
    )


def broken(report) -> list[str]:
    return [f.text for f in report.findings if "broke down" in f.text]


def test_sample_does_not_depend_on_how_rows_are_cut_into_batches():
    table = pa.table({"x": np.arange(5000)})
    drawn = [
        reservoir(source(table, size), 300, np.random.default_rng(7), "real")[0]["x"].to_pylist()
        for size in (17, 450, 5000)
    ]
    assert drawn[0] == drawn[1] == drawn[2] and len(set(drawn[0])) == 300


def test_sample_is_uniform_and_in_random_order():
    """Each of 1,000 rows is drawn 100 times in 1,000 on average; four deviations, 1e-4 a row."""
    table = pa.table({"x": np.arange(1000)})
    rng = np.random.default_rng(8)
    drawn = np.array(
        [reservoir(source(table), 100, rng, "real")[0]["x"].to_numpy() for _ in range(1000)]
    )
    counts = np.bincount(drawn.ravel(), minlength=1000)
    assert abs(counts - 100).max() < 4.9 * np.sqrt(100 * 0.9)  # 1e-6 a row, 1e-3 together: 4.9
    firsts = drawn[:, 0]
    assert abs(firsts.mean() - 499.5) < 4 * 288.7 / np.sqrt(1000)


def test_row_count_beyond_the_cap_is_told(monkeypatch):
    compare = sys.modules["geurim.verify.compare"]  # geurim.verify itself is the function
    monkeypatch.setattr(compare, "ROWS", 2000)
    monkeypatch.setattr(compare, "CELLS", 4000)
    tables = [pa.table({"a": RNG.normal(size=5000), "b": RNG.normal(size=5000)}) for _ in range(3)]
    report = verify(tables[0], tables[1], holdout=tables[2], checks=["columns"])
    assert report.find("column_ks", "a").count == 2000
    assert "Of 5,000 synthetic rows, 2,000 were drawn by lot." in report.notes


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop_columns(["age"]), "lacks \\['age'\\]"),
        (lambda t: t.append_column("more", t["age"]), "also has \\['more'\\]"),
        (lambda t: t.slice(0, 0), "has no rows"),
        (lambda t: t.set_column(0, "age", pa.array(["old"] * len(t))), "'age'.*int64.*string"),
    ],
)
def test_tables_that_cannot_be_compared_are_refused_by_name(change, words):
    with pytest.raises(DataError, match=words):
        verify(change(SMALL[0]), SMALL[1], holdout=SMALL[2])
    with pytest.raises(DataError, match=words):
        verify(SMALL[0], SMALL[1], holdout=change(SMALL[2]))


def test_unknown_targets_and_checks_name_the_near_ones():
    with pytest.raises(SettingError, match="'member'"):
        verify(SMALL[0], SMALL[1], target="membr")
    with pytest.raises(SettingError, match="made anew"):
        verify(SMALL[0], SMALL[1], target="email")
    with pytest.raises(SettingError, match="columns"):
        verify(SMALL[0], SMALL[1], checks=["colums"])


def test_columns_in_another_order_and_of_like_types_are_the_same():
    other = SMALL[0].select(SMALL[0].column_names[::-1])
    fields = {"age": pa.float64(), "class": pa.dictionary(pa.int32(), pa.string())}
    fields |= {"score": pa.float32(), "day": pa.timestamp("us"), "place": pa.large_string()}
    other = other.cast(
        pa.schema([pa.field(f.name, fields.get(f.name, f.type)) for f in other.schema])
    )
    a, b = (verify(t, SMALL[1], holdout=SMALL[2], checks=["columns"]) for t in (SMALL[0], other))
    assert [f.value for f in a.findings] == pytest.approx([f.value for f in b.findings], abs=1e-6)


def test_text_that_reads_as_the_real_type_is_read_as_it():
    other = SMALL[0].set_column(0, "age", SMALL[0]["age"].cast(pa.string()))
    report = verify(other, SMALL[0], holdout=SMALL[2], checks=["columns"])
    assert report.find("column_ks", "age").value == 0


NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20
) | st.sampled_from(["row", "weight", "", "edge_case", "f0", "label", '"', "'", "a b", "<b>"])


@settings(max_examples=8, deadline=None)
@given(st.lists(NAMES, min_size=2, max_size=4, unique=True))
def test_any_column_names_work(names):
    rng = np.random.default_rng(1)
    tables = [
        pa.table(
            [
                rng.choice(["x", "y", "<script>"], 60) if i % 2 else rng.normal(size=60)
                for i in range(len(names))
            ],
            names=names,
        )
        for _ in range(3)
    ]
    made, real, held = (source(t) for t in tables)
    report = verify(made, real, holdout=held, target=names[0])
    assert not broken(report)
    assert "<script>" not in report.to_html()


TINY = {
    "one column": pa.table({"a": RNG.normal(size=50)}),
    "constant": pa.table({"a": [1.0] * 50, "b": ["x"] * 50}),
    "all missing": pa.table({"a": pa.nulls(50, pa.float64()), "b": pa.nulls(50, pa.string())}),
    "null type": pa.table({"a": pa.nulls(50), "b": np.arange(50.0)}),
    "two rows": pa.table({"a": [1.0, 2.0], "b": ["x", "y"]}),
    "twenty rows": pa.table({"a": RNG.normal(size=20), "b": RNG.choice(["x", "y"], 20)}),
    "booleans": pa.table({"a": RNG.random(40) < 0.5, "b": RNG.random(40) < 0.1}),
    "decimals": pa.table({"a": pa.array(RNG.integers(0, 99, 40)).cast(pa.decimal128(22, 2))}),
    "times": pa.table(
        {
            "a": pa.array(RNG.integers(0, 86399, 40).astype("i4"), pa.time32("s")),
            "b": pa.array(RNG.integers(0, 10**15, 40), pa.timestamp("us", "Asia/Seoul")),
            "c": pa.array(RNG.integers(0, 10**6, 40), pa.duration("ms")),
        }
    ),
}


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("held", [True, False])
def test_odd_tables_are_compared_without_a_check_breaking(name, held):
    table = TINY[name]
    report = verify(table, table, holdout=table if held else None, target=table.column_names[-1])
    assert not broken(report)
    assert "<svg" in report.to_html() or report.findings


def test_one_real_row_without_a_holdout_is_refused():
    with pytest.raises(DataError, match="1 row"):
        verify(SMALL[0], SMALL[1].slice(0, 1))


def test_infinities_in_synthetic_rows_are_outside_the_range_not_a_crash():
    real = [pa.table({"a": RNG.normal(size=600)}) for _ in range(2)]
    values = RNG.normal(size=600)
    values[:200], values[200] = np.inf, -np.inf
    report = verify(pa.table({"a": values}), real[0], holdout=real[1])
    assert not broken(report)
    assert report.find("out_of_range").verdict == "fail"
    assert report.find("out_of_range").value > 0.33


def test_a_hundred_thousand_categories_are_compared():
    rows = 100_000
    real = [
        pa.table({"a": [f"c{i}" for i in RNG.integers(0, 10**9, rows)], "b": RNG.normal(size=rows)})
        for _ in range(3)
    ]
    from geurim.contract import Profile  # declared a category: nothing is made anew
    from geurim.verify.compare import encode

    columns = {"a": {"role": "category"}, "b": {"role": "number"}}
    profile = Profile(
        schema=real[0].schema, lineage=source(real[0]).lineage, rows=rows, columns=columns
    )
    found, (training, _, _) = encode([(t, rows) for t in real], profile)
    assert found[0].known > 99_000 and training.codes["a"].max() == found[0].known - 1


def weighted(rows: int, rng: np.random.Generator, mark: str, weight: str) -> pa.Table:
    """People of whom 30% are edge cases (age 80), each standing for a hundredth of a row."""
    table = people(rows, rng)
    edge = rng.random(rows) < 0.3
    age = np.where(edge, 80, table["age"].to_numpy())
    table = table.set_column(0, "age", pa.array(age))
    table = table.append_column(mark, pa.array(np.where(edge, "tail", None), pa.string()))
    return table.append_column(weight, pa.array(np.where(edge, 0.01, 1.0)))


def test_edge_cases_count_by_their_weight():
    real = [people(3000, np.random.default_rng(s)) for s in (1, 2)]
    made = weighted(4000, np.random.default_rng(3), "edge_case", "weight")
    checks = ["columns", "c2st"]
    report = verify(made, real[0], holdout=real[1], checks=checks)
    assert report.find("column_ks", "age").verdict == "pass"
    assert report.find("c2st_auc").verdict == "pass"
    unweighted = made.drop_columns(["edge_case", "weight"])
    report = verify(unweighted, real[0], holdout=real[1], checks=checks)
    assert report.find("column_ks", "age").verdict == "fail"
    assert report.find("c2st_auc").value > 0.6


def test_edge_case_columns_are_told_from_the_datas_own_weight():
    real = people(300, np.random.default_rng(1)).append_column(
        "weight", pa.array(RNG.normal(70, 9, 300))
    )
    made = weighted(300, np.random.default_rng(2), "edge_case", "weight_")
    made = made.append_column("weight", pa.array(RNG.normal(70, 9, 300)))
    report = verify(made, real, checks=["columns"])
    assert report.find("column_ks", "weight").count < 300  # thinned by weight_
    with pytest.raises(SchemaError, match="weight_"):
        verify(made.drop_columns(["edge_case"]), real)


def test_weights_that_cannot_be_are_refused():
    real = people(100, np.random.default_rng(1))
    made = weighted(100, np.random.default_rng(2), "edge_case", "weight")
    bad = made.set_column(made.num_columns - 1, "weight", pa.array([-1.0] * 100))
    with pytest.raises(DataError, match="weights"):
        verify(bad, real)
