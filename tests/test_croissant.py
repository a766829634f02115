"""Croissant metadata: every file with its checksum, every column with its type."""

import hashlib
import json

import pyarrow as pa
import pytest

import geurim
from geurim.croissant import CONFORMS_TO, croissant, save_croissant
from geurim.errors import NotFound, SettingError

ROWS = pa.table(
    {
        "age": [1, 2],
        "pay": [0.5, None],
        "ok": [True, False],
        "name, first": ["a", "b"],
        "day": pa.array([0, 1], pa.date32()),
        "when": pa.array([0, 1], pa.timestamp("us")),
    }
)


def test_columns_files_and_checksums_are_told(tmp_path) -> None:
    geurim.write(ROWS, tmp_path / "rows.parquet")
    geurim.write(ROWS, tmp_path / "rows.csv")
    files = [tmp_path / "rows.parquet", tmp_path / "rows.csv"]
    made = croissant(files, name="n", description="d", license="apache-2.0")
    assert made["conformsTo"] == CONFORMS_TO and made["license"] == "apache-2.0"
    for path, told in zip(files, made["distribution"], strict=True):
        assert told["contentUrl"] == path.name
        assert told["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    fields = {f["name"]: f for f in made["recordSet"][0]["field"]}
    kinds = ["Integer", "Float", "Boolean", "Text", "Date", "DateTime"]
    assert [f["dataType"] for f in fields.values()] == [f"sc:{kind}" for kind in kinds]
    assert fields["age"]["source"] == {
        "fileObject": {"@id": "rows.parquet"},
        "extract": {"column": "age"},
    }


def test_ids_are_unique_and_no_place_of_this_machine_is_told(tmp_path) -> None:
    geurim.write(ROWS, tmp_path / "rows.parquet")
    geurim.write(ROWS.select(["age"]), tmp_path / "rows.csv")
    made = croissant([tmp_path / "rows.parquet", tmp_path / "rows.csv"], name="n", description="d")
    save_croissant(made, tmp_path / "c.json")
    text = (tmp_path / "c.json").read_text("utf-8")
    assert str(tmp_path) not in text and json.loads(text) == made
    ids = [r["@id"] for r in made["recordSet"]] + [d["@id"] for d in made["distribution"]]
    ids += [f["@id"] for r in made["recordSet"] for f in r["field"]]
    assert len(ids) == len(set(ids))


def test_files_that_cannot_be_told_are_refused(tmp_path) -> None:
    geurim.write(ROWS, tmp_path / "rows.arrow")
    with pytest.raises(SettingError, match=r"rows\.arrow"):
        croissant([tmp_path / "rows.arrow"], name="n", description="d")
    with pytest.raises(NotFound):
        croissant([tmp_path / "none.csv"], name="n", description="d")
