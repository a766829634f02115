"""Which part a column plays."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from analyze_tables import source_of

from geurim.analyze import analyze
from geurim.contract import Json
from geurim.errors import DataError, SchemaError, SettingError

RNG = np.random.default_rng(3)


def column(name: str, values: pa.Array | list, **metadata: str) -> Json:
    array = values if isinstance(values, pa.Array) else pa.array(values)
    marks = {f"geurim.{k}".encode(): v.encode() for k, v in metadata.items()}
    schema = pa.schema([pa.field(name, array.type, metadata=marks or None)])
    return analyze(source_of(pa.table([array], schema=schema))).columns[name]


def role(name: str, values: pa.Array | list) -> str:
    return str(column(name, values)["role"])


def test_numbers_times_booleans_and_strings_have_the_role_of_their_type() -> None:
    many = RNG.normal(size=300)
    assert role("a", many) == "number"
    assert role("a", (many * 10).astype(int)) == "number"
    assert role("a", pa.array([1, 2, 3] * 30)) == "number"
    assert role("a", [datetime(2024, 1, 1) + timedelta(hours=i) for i in range(99)]) == "datetime"
    assert role("a", [True, False, None] * 9) == "category"
    assert role("a", ["red", "blue", None] * 9) == "category"
    assert role("a", pa.array(["red", "blue"] * 9).dictionary_encode()) == "category"


def test_one_value_is_constant_unless_some_rows_lack_it() -> None:
    assert column("a", [7] * 20)["categories"] == [["7", 1.0]]
    assert role("a", [7] * 20) == role("a", ["x"] * 20) == "constant"
    assert role("a", [7, None] * 20) == "number"
    assert role("a", ["x", None] * 20) == "category"
    assert role("a", pa.nulls(20)) == role("a", pa.nulls(20, pa.string())) == "empty"
    assert column("a", [True] * 20)["categories"] == [[True, 1.0]]


def test_row_numbers_and_named_unique_integers_are_keys() -> None:
    assert role("anything", list(range(100, 200))) == "key"
    assert role("anything", RNG.permutation(np.arange(0, 700, 7))) == "key"
    assert role("customer_id", RNG.choice(10_000, 300, replace=False)) == "key"
    assert role("고객번호", RNG.choice(10_000, 300, replace=False)) == "key"


def test_unique_measurements_are_not_keys() -> None:
    assert role("salary", RNG.choice(100_000, 60, replace=False)) == "number"
    assert role("weight", RNG.normal(size=300)) == "number"
    assert role("customer_id", RNG.normal(size=300)) == "number"
    assert role("year", list(range(1950, 2020))) == "number"
    assert role("paid", RNG.choice(100_000, 60, replace=False)) == "number"
    assert role("customer_id", [1, 2, 3, 4, 5] * 20) == "number"


def test_integer_keys_start_beyond_the_last_real_one() -> None:
    found = column("id", list(range(1, 238)))
    assert found["form"] == "integer" and found["step"] == 1
    assert found["start"] > 237 and found["start"] % 100 == 0


def test_uuids_are_keys_even_where_they_repeat() -> None:
    ids = [str(uuid.UUID(int=int(i))) for i in RNG.integers(0, 2**60, 60)]
    assert column("who", ids)["form"] == "uuid"
    assert column("patient", ids * 5)["repeats"] == 5
    assert role("payer", ids[:4] * 40) == "category"


def test_dates_as_strings_are_no_codes() -> None:
    days = [f"20{i % 30:02d}-{i % 12 + 1:02d}-{i % 28 + 1:02d}" for i in range(99)]
    assert role("birthdate", days) == "category"


def test_codes_are_keys_by_their_pattern() -> None:
    codes = [f"ORD-{i:05d}" for i in RNG.choice(100_000, 400, replace=False)]
    found = column("order", codes)
    assert (found["role"], found["form"]) == ("key", "pattern")
    assert (found["pattern"], found["prefix"]) == ("AAA-99999", "ORD-")


def test_codes_without_a_common_shape_get_the_usual_class_at_each_place() -> None:
    names = ["".join(RNG.choice(list("abcdefgh"), RNG.integers(5, 40))) for _ in range(60)]
    assert column("handle_code", names)["pattern"].strip("a") == ""


def test_thousands_of_repeating_codes_are_a_category() -> None:
    planes = [f"N{i}" for i in range(4_000)]
    assert role("tailnum", [planes[i] for i in RNG.integers(0, 4_000, 40_000)]) == "category"
    many = pa.array(np.repeat(np.arange(100_000), 2)).cast(pa.string())
    assert role("code", many) == "category"


def test_long_strings_that_differ_are_text() -> None:
    words = ["the", "order", "came", "late", "and", "broken", "but", "liked", "its", "colour"]
    texts = [" ".join(RNG.choice(words, 9)) for _ in range(200)]
    found = column("comment", texts)
    assert found["role"] == "text"
    assert len(found["length_quantiles"]) == len(found["words_quantiles"]) == 11
    assert role("리뷰", [f"정말 재미있게 본 영화 {i} 번째 추천" for i in range(80)]) == "text"


def test_the_schema_decides_where_it_says_a_role() -> None:
    found = column("grade", [1, 2, 3] * 20, role="category")
    assert found["role"] == "category"
    assert sorted(found["categories"]) == [["1", 1 / 3], ["2", 1 / 3], ["3", 1 / 3]]
    assert column("n", list(range(100)), role="number")["role"] == "number"
    assert column("n", RNG.integers(0, 50, 99), role="key")["form"] == "integer"
    with pytest.raises(SchemaError, match="number"):
        column("n", ["a", "b"], role="number")
    with pytest.raises(SchemaError, match="spy"):
        column("n", [1, 2], role="spy")


def test_tables_that_cannot_be_analyzed_are_refused_with_the_reason() -> None:
    with pytest.raises(DataError, match="no rows"):
        column("a", pa.array([], pa.int64()))
    with pytest.raises(DataError, match="infinite"):
        column("a", [1.0, float("inf"), 2.0])
    with pytest.raises(SchemaError, match="list"):
        column("a", [[1], [2]])
    with pytest.raises(DataError, match="twice"):
        analyze(source_of(pa.table([[1], [2]], names=["a", "a"])))
    with pytest.raises(DataError, match="no columns"):
        analyze(source_of(pa.table({})))
    with pytest.raises(SettingError, match="k"):
        analyze(source_of(pa.table({"a": [1]})), k=0)


def test_tiny_and_extreme_tables_simply_work() -> None:
    for values in (
        [1],
        [1.5],
        ["x"],
        [None, 1],
        ["a", "b"],
        [1e308, -1e308, 3.0],
        [float("nan"), 1.0, 2.0],
        [2**62, 2**62 + 1, 5],
        [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)],
        [timedelta(days=1), timedelta(seconds=3)],
        pa.array(["1.10", "2.25"]).cast(pa.decimal128(9, 2)),
        pa.array([1, 200], pa.uint8()),
        pa.array([0.1, 0.25, 1e-30], pa.float32()),
    ):
        found = column("row", values)
        json.dumps(found, allow_nan=False)
        assert found["role"] in ("constant", "number", "datetime", "category")
