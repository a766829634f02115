"""Writing files: whole or not at all, and what was written is what is read."""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import gzip
import json
import math
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from geurim import infer
from geurim.contract import Event, Lineage, Source
from geurim.errors import DataError, NotFound, SettingError, TargetExists
from geurim.read import read
from geurim.write import write

FORMS = ["parquet", "csv", "csv.gz", "tsv", "jsonl", "jsonl.gz", "arrow"]


def source_of(table: pa.Table, lineage: Lineage | None = None) -> Source:
    made = lineage or Lineage.made("test", seed=7)
    return Source(
        schema=table.schema, lineage=made, read=lambda: iter(table.to_batches()), rows=len(table)
    )


def files(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def as_parquet(kind: pa.DataType) -> pa.DataType:
    """Parquet has no seconds: the next finer unit takes their place."""
    if pa.types.is_timestamp(kind) and kind.unit == "s":
        return pa.timestamp("ms", kind.tz)
    return pa.time32("ms") if pa.types.is_time32(kind) else kind


def failing(error: BaseException, rows: int = 200_000) -> Source:
    """A source that breaks after some batches."""
    schema = pa.schema([("a", pa.int64())])

    def batches() -> Iterator[pa.RecordBatch]:
        for _ in range(3):
            yield pa.record_batch([np.arange(rows)], schema=schema)
        raise error

    return Source(schema=schema, lineage=Lineage.made("test"), read=batches)


TABLE = pa.table(
    {
        "n": [1, None, -3],
        "x": [1.5, float("inf"), None],
        "text": ['say "hi", you', "line\nend", None],
        "day": [dt.date(2024, 1, 31), None, dt.date(1, 1, 1)],
        "time": pa.array([dt.time(9, 30, 1), None, dt.time(0)], pa.time32("s")),
        "when": pa.array([0, 1_700_000_000, None], pa.timestamp("s")),
        "zoned": pa.array([0, 1_700_000_000, None], pa.timestamp("s", "UTC")),
        "flag": [True, None, False],
        "exact": [Decimal("1234567890123456789.25"), None, Decimal("0.10")],
    }
)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_is_what_is_read(tmp_path: Path, form: str) -> None:
    table = TABLE.drop_columns(["x", "exact"]) if "json" in form else TABLE
    where = write(source_of(table), tmp_path / f"out.{form}")
    got = read(where).to_arrow()
    assert got.to_pylist() == table.to_pylist()
    want = [as_parquet(f.type) if form == "parquet" else f.type for f in table.schema]
    assert [f.type for f in got.schema] == want
    assert files(tmp_path) == [f"out.{form}"]


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_the_lineage_and_the_notes_of_the_fields_go_along(tmp_path: Path, form: str) -> None:
    real = Lineage(maker="users.csv", digest="d", real=True)
    made = Lineage.made("trees", seed=7, parents=(real,))
    field = pa.field("a", pa.float64(), metadata={b"geurim.decimals": b"2"})
    table = pa.table([[1.5]], schema=pa.schema([field]))
    again = read(write(source_of(table, made), tmp_path / f"x.{form}"))
    assert again.lineage == made and again.lineage.depth == 1
    assert again.schema.field("a").metadata[b"geurim.decimals"] == b"2"


def test_decimals_and_formats_show_in_csv_as_they_were_read(tmp_path: Path) -> None:
    text = (
        "price,half,day,when,time,stamp\n"
        "12.50,1.5,31/01/2024,2024-01-31T09:30:00Z,09:30,2024-01-31 09:30:00.250\n"
        "-0.25,3,01/12/2023,2023-12-01T23:59:59Z,23:59,2023-12-01 00:00:00.000\n"
        ",,,,,\n"
    )
    (tmp_path / "in.csv").write_text(text)
    where = write(read(tmp_path / "in.csv"), tmp_path / "out.csv")
    assert Path(where).read_text() == text


def test_small_decimals_are_written_without_exponent(tmp_path: Path) -> None:
    field = pa.field("a", pa.float64(), metadata={b"geurim.decimals": b"8"})
    exact = pa.array([Decimal("0"), Decimal("1E-19"), None], pa.decimal128(21, 19))
    table = pa.table([[0.0, 1.2e-7, 3.0], exact], schema=pa.schema([field, ("b", exact.type)]))
    assert Path(write(source_of(table), tmp_path / "x.csv")).read_text().splitlines()[1:] == [
        "0.00000000,0.0000000000000000000", "0.00000012,0.0000000000000000001", "3.00000000,"
    ]  # fmt: skip


def test_fixed_decimals_survive_what_no_decimal_holds(tmp_path: Path) -> None:
    field = pa.field("a", pa.float64(), metadata={b"geurim.decimals": b"2"})
    values = [1.005, 1e300, math.inf, math.nan, None, -0.001, 2.999]
    table = pa.table([pa.array(values), pa.array(range(7))], schema=pa.schema([field, ("b", "i8")]))
    lines = Path(write(source_of(table), tmp_path / "x.csv")).read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == [
        "1.00", "1e+300", "inf", "", "", "0.00", "3.00"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int32(), pa.large_string()),
    ],
    ids=str,
)
def test_text_of_any_type_is_quoted_where_csv_needs_it(tmp_path: Path, kind: pa.DataType) -> None:
    texts = ["plain", 'a, "b"', "two\nlines", "", None, " x"]
    table = pa.table({"n": range(6), "t": pa.array(texts, pa.string()).cast(kind)})
    where = Path(write(source_of(table), tmp_path / "x.csv"))
    with where.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [["n", "t"], *([str(i), t or ""] for i, t in enumerate(texts))]


def test_json_refuses_infinity_rather_than_invent_a_value(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="infinite"):
        write(pa.table({"a": [math.inf]}), tmp_path / "x.jsonl")
    assert files(tmp_path) == []


def test_json_lines_are_json(tmp_path: Path) -> None:
    table = pa.table({'k"\n': ['"\\\x01가', None], "n": [math.nan, 1.5], "d": [None, dt.date.max]})
    lines = Path(write(source_of(table), tmp_path / "x.jsonl")).read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {'k"\n': '"\\\x01가', "n": None, "d": None},
        {'k"\n': None, "n": 1.5, "d": "9999-12-31"},
    ]


def test_nested_columns_are_refused_in_csv_and_leave_nothing(tmp_path: Path) -> None:
    table = source_of(pa.table({"a": [[1]]}))
    for form in ("csv", "tsv"):
        with pytest.raises(DataError, match="'a' cannot be written as text"):
            write(table, tmp_path / f"x.{form}")
    assert files(tmp_path) == []


# Names


@pytest.mark.parametrize("form", FORMS)
def test_an_existing_file_is_replaced_only_when_asked(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"x.{form}"
    path.write_text("mine")
    with pytest.raises(TargetExists, match="overwrite=True"):
        write(pa.table({"a": [1]}), path)
    assert path.read_text() == "mine"
    write(pa.table({"a": [1]}), path, overwrite=True)
    assert read(path).to_arrow().to_pylist() == [{"a": 1}]


def test_a_file_may_be_rewritten_from_itself(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a\n1\n2\n")
    write(path, path, overwrite=True)
    assert path.read_text() == "a\n1\n2\n"


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("", SettingError, "Unknown kind of file"),
        ("x.xlsx", SettingError, "'x.xlsx'"),
        ("x.parquet.gz", SettingError, "'x.parquet.gz'"),
        ("no/x.csv", NotFound, "no folder"),
        ("folder.csv", SettingError, "is a folder"),
        ("mysql://u:secret@h/d", SettingError, r"Unknown kind of database: 'mysql'"),
    ],
)
def test_targets_that_cannot_be_are_refused(
    tmp_path: Path, name: str, error: type[Exception], text: str
) -> None:
    (tmp_path / "folder.csv").mkdir()
    to = name if "://" in name else tmp_path / name
    with pytest.raises(error, match=text) as caught:
        write(pa.table({"a": [1]}), to)
    assert "secret" not in str(caught.value)
    with pytest.raises(SettingError, match="databases only"):
        write(pa.table({"a": [1]}), tmp_path / "x.csv", table="t")


def test_duplicate_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="duplicate"):
        write(source_of(pa.table([[1], [2]], names=["a", "a"])), tmp_path / "x.csv")


# Whole or not at all


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt(), GeneratorExit()])
def test_a_failure_halfway_leaves_what_stood_there(
    tmp_path: Path, form: str, error: BaseException
) -> None:
    path = tmp_path / f"x.{form}"
    path.write_text("mine")
    with pytest.raises(type(error)):
        write(failing(error), path, overwrite=True)
    assert path.read_text() == "mine" and files(tmp_path) == [path.name]
    with contextlib.suppress(type(error)):
        write(failing(error), tmp_path / f"new.{form}")
    assert files(tmp_path) == [path.name]


@pytest.mark.parametrize("form", FORMS)
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, form: str) -> None:
    noise = pa.table({"a": np.random.default_rng(1).random(200_000)})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        with pytest.raises(DataError, match="the disk is full"):
            write(noise, tmp_path / f"x.{form}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert files(tmp_path) == []


def test_an_interrupt_from_outside_leaves_nothing(tmp_path: Path) -> None:
    script = f"""
import itertools, numpy as np, pyarrow as pa
from geurim.contract import Lineage, Source
from geurim.write import write
batch = pa.record_batch({{"a": np.random.default_rng(1).random(100_000)}})
source = Source(schema=batch.schema, lineage=Lineage.made("x"),
                read=lambda: itertools.repeat(batch))
write(source, {str(tmp_path / "x.csv")!r}, progress=lambda e: print(e.done, flush=True))
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert any(name.endswith(".part") for name in files(tmp_path))
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait() != 0
    assert files(tmp_path) == []


def test_progress_counts_the_rows(tmp_path: Path) -> None:
    seen: list[Event] = []
    table = pa.table({"a": np.arange(200_000)})
    write(table, tmp_path / "x.parquet", progress=seen.append)
    assert [e.step for e in seen] == ["write"] * len(seen)
    assert seen[-1].done == seen[-1].total == 200_000
    assert sorted(e.done for e in seen) == [e.done for e in seen] and len(seen) > 2


def test_parquet_has_large_groups_whatever_the_batches(tmp_path: Path) -> None:
    table = pa.table({"a": np.arange(300_000), "x": np.random.default_rng(1).random(300_000)})
    small = Source(
        schema=table.schema,
        lineage=Lineage.made("x"),
        read=lambda: iter(table.to_batches(max_chunksize=1000)),
    )
    path = write(small, tmp_path / "x.parquet")
    info = pq.ParquetFile(path).metadata
    assert [info.row_group(i).num_rows for i in range(info.num_row_groups)] == [
        131_072, 131_072, 37_856
    ]  # fmt: skip
    assert pq.read_table(path).to_pydict() == table.to_pydict()
    assert info.row_group(0).column(1).encodings == ("RLE", "BYTE_STREAM_SPLIT")


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for form in FORMS:
        table = TABLE.drop_columns(["x"]) if "json" in form else TABLE
        one = Path(write(source_of(table), tmp_path / f"1.{form}")).read_bytes()
        two = Path(write(source_of(table), tmp_path / f"2.{form}")).read_bytes()
        assert one == two


# Round trips

_TOKENS = {*infer.STRONG, *infer.WEAK}
_text = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=12
).filter(lambda s: s.strip() not in _TOKENS)  # fmt: skip
_words = _text.map(lambda s: f"w{s}x")  # never a number, a date or a boolean


def _columns(rows: int) -> st.SearchStrategy[pa.Array]:
    def of(values: st.SearchStrategy[Any], kind: pa.DataType) -> st.SearchStrategy[pa.Array]:
        some = st.lists(st.none() | values, min_size=rows, max_size=rows)
        return some.filter(lambda v: any(x is not None for x in v)).map(lambda v: pa.array(v, kind))

    dates = st.dates(dt.date(1000, 1, 1))
    whole = st.datetimes(dt.datetime(1000, 1, 1)).map(lambda d: d.replace(microsecond=0))
    floats = st.floats(allow_nan=False).map(lambda x: x + 0.5 if x == int_like(x) else x)
    return st.one_of(
        of(st.integers(-(2**63), 2**63 - 1), pa.int64()),
        of(floats.filter(lambda x: x != int_like(x)), pa.float64()),
        of(_words, pa.string()),
        of(st.booleans(), pa.bool_()),
        of(dates, pa.date32()),
        of(whole, pa.timestamp("s")),
        of(whole.map(lambda d: d.replace(tzinfo=dt.UTC)), pa.timestamp("s", "UTC")),
        of(st.times().map(lambda t: t.replace(microsecond=0)), pa.time32("s")),
    )


def int_like(x: float) -> float:
    return float(int(x)) if math.isfinite(x) and abs(x) < 1e15 else math.nan


_names = st.one_of(
    st.sampled_from(["row", "weight", "select", 'a"b', "a,b", "이름", "'; drop table x", " a"]),
    _text.filter(lambda s: s.strip() == s != "" and not any(c.isdigit() for c in s)),
)


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    names = draw(st.lists(_names, min_size=1, max_size=5, unique=True))
    rows = draw(st.integers(1, 6))
    return pa.table([draw(_columns(rows)) for _ in names], names=names)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
@given(table=tables())
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_table_comes_back_from_a_file(
    tmp_path_factory: pytest.TempPathFactory, form: str, table: pa.Table
) -> None:
    names = [n.strip() for n in table.column_names] if form == "csv" else table.column_names
    assume(len(set(names)) == len(names))
    infinite = any(pa.types.is_floating(c.type) and np.isinf(c).any() for c in table.columns)
    assume(not (form == "jsonl" and infinite))
    path = tmp_path_factory.mktemp("round") / f"x.{form}"
    got = read(write(source_of(table), path)).to_arrow()
    assert got.column_names == names
    assert [c.to_pylist() for c in got.columns] == [c.to_pylist() for c in table.columns]
    want = [as_parquet(c.type) if form == "parquet" else c.type for c in table.columns]
    assert [c.type for c in got.columns] == want


def test_gzipped_text_carries_no_time(tmp_path: Path) -> None:
    path = Path(write(pa.table({"a": [1]}), tmp_path / "x.csv.gz"))
    assert path.read_bytes()[4:8] == b"\0\0\0\0" and gzip.decompress(path.read_bytes()) == b"a\n1\n"


def test_missing_values_are_written_with_the_token_that_the_real_file_has(tmp_path: Path) -> None:
    real = tmp_path / "real.csv"
    real.write_text("job,age\nclerk,30\n?,41\nsmith,NA\nclerk,52\n?,NA\nsmith,33\n" * 20)
    made = tmp_path / "made.csv"
    write(read(real), made)
    assert made.read_text() == real.read_text()
    again = read(made).to_arrow()
    assert (again["job"].null_count, again["age"].null_count) == (40, 40)
