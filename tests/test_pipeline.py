"""`generate` and `run`: rows in one call, and a folder that appears whole or not at all."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

import geurim
from geurim import pipeline
from geurim.contract import Lineage, Source
from geurim.errors import DataError, SettingError, TargetExists
from geurim.pipeline import FILES, check_folder, split


def numbered(rows: int, batch: int = 100) -> Source:
    """A source whose only column counts its rows."""
    schema = pa.schema([("n", pa.int64())])

    def read() -> Iterator[pa.RecordBatch]:
        for first in range(0, rows, batch):
            values = pa.array(range(first, min(first + batch, rows)), pa.int64())
            yield pa.RecordBatch.from_arrays([values], schema=schema)

    return Source(schema=schema, lineage=Lineage.made("numbers"), read=read)


def members(source: Source | None) -> list[int]:
    return [] if source is None else source.to_arrow()["n"].to_pylist()


@pytest.mark.parametrize(
    "rows,held_out", [(1, 0), (2, 1), (3, 1), (4, 1), (19, 4), (100, 20), (1234, 247)]
)
def test_split_holds_out_a_fifth_and_at_least_one_row(rows: int, held_out: int) -> None:
    training, holdout = split(numbered(rows), 0.2, 7)
    assert sorted(members(training) + members(holdout)) == list(range(rows))
    assert len(members(holdout)) == held_out == (holdout.rows if holdout else 0)
    assert training.rows == rows - held_out


def test_split_is_the_same_for_the_same_seed_and_however_rows_are_batched() -> None:
    once = members(split(numbered(500, 100), 0.2, 7)[1])
    assert members(split(numbered(500, 33), 0.2, 7)[1]) == once
    assert members(split(numbered(500, 100), 0.2, 8)[1]) != once


def test_a_table_too_large_for_memory_is_split_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    small = split(numbered(1000), 0.2, 7)
    monkeypatch.setattr(pipeline, "_KEEP_BYTES", 1000)
    large = split(numbered(1000), 0.2, 7)
    for one, other in zip(small, large, strict=True):
        assert members(one) == members(other)


def test_no_row_at_all_is_an_error() -> None:
    with pytest.raises(DataError, match="0 rows"):
        split(numbered(0), 0.2, 7)


def test_infinite_numbers_are_refused_also_where_they_would_be_held_out() -> None:
    frame = pa.table({"a": [1.0] * 99 + [float("inf")]})
    for seed in range(5):
        with pytest.raises(DataError, match="'a' holds infinite"):
            split(geurim.read(frame), 0.2, seed)


def test_a_folder_of_someone_elses_files_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    (tmp_path / FILES["data"]).touch()
    for overwrite in (False, True):
        with pytest.raises(TargetExists, match=r"thesis\.txt"):
            check_folder(tmp_path, overwrite)


def test_an_earlier_run_is_replaced_only_when_asked(tmp_path: Path) -> None:
    check_folder(tmp_path / "new", False)
    check_folder(tmp_path, False)  # empty
    for name in FILES.values():
        (tmp_path / name).touch()
    with pytest.raises(TargetExists, match="overwrite"):
        check_folder(tmp_path, False)
    check_folder(tmp_path, True)


def test_a_folder_appears_only_when_all_went_well(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), pipeline._folder(tmp_path / "out", False) as folder:
        (folder / FILES["data"]).write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    with pipeline._folder(tmp_path / "out", False) as folder:
        (folder / FILES["data"]).write_text("whole")
        assert not (tmp_path / "out").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    with pipeline._folder(tmp_path / "out", True) as folder:
        (folder / FILES["data"]).write_text("again")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / FILES["data"]).read_text() == "again"


def test_generate_wants_data_or_a_distribution_and_not_both() -> None:
    with pytest.raises(SettingError, match="neither"):
        geurim.generate(count=10)
    with pytest.raises(SettingError, match="both"):
        geurim.generate("a.csv", 10, distribution="p.json")
