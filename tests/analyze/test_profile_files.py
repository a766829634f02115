"""Profiles as files: what goes in comes out, and what cannot be read is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from analyze_tables import source_of
from hypothesis import given, settings
from hypothesis import strategies as st

from geurim.analyze import analyze, load_profile, profile_from_json, profile_to_json, save_profile
from geurim.errors import ModelFileError, NotFound

HOSTILE = ["row", "weight", "", '"', "'; DROP TABLE x", "<b>", "이름", "a\nb", "\u202e", "😀"]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.text(max_size=8) | st.sampled_from(HOSTILE), min_size=1, unique=True, max_size=6)
)
def test_a_profile_survives_the_round_trip_whatever_the_names(names: list[str]) -> None:
    table = pa.table([pa.array([1.5, 2.5, None, 4.0] * 8)] * len(names), names=names)
    profile = analyze(source_of(table))
    text = json.dumps(profile_to_json(profile), allow_nan=False)
    assert profile_from_json(json.loads(text)) == profile


def test_a_saved_profile_loads_as_it_was(tmp_path: Path) -> None:
    table = pa.table(
        {
            "when": pa.array([0, 60_000_000] * 20, pa.timestamp("us", "Asia/Seoul")),
            "amount": pa.array([1, 2] * 20, pa.int16()),
            "kind": pa.array(["a", None] * 20).dictionary_encode(),
        }
    )
    profile = analyze(source_of(table))
    path = save_profile(profile, tmp_path / "profile.json")
    assert load_profile(path) == profile
    assert load_profile(path).schema == table.schema
    assert [p.name for p in tmp_path.iterdir()] == ["profile.json"]


def test_truncated_newer_and_foreign_files_are_refused(tmp_path: Path) -> None:
    profile = analyze(source_of(pa.table({"a": [1.0, 2.0, 3.0]})))
    path = save_profile(profile, tmp_path / "profile.json")
    text = path.read_text()
    state = json.loads(text)
    wrong = {
        "cut": text[: len(text) // 2],
        "newer": json.dumps(state | {"version": 99}),
        "foreign": json.dumps({"a": 1}),
        "nan": text.replace('"rows": 3', '"rows": NaN'),
        "role": json.dumps(state | {"columns": {"a": {"role": "spy"}}}),
        "lacking": json.dumps(state | {"columns": {"a": {"role": "number", "missing": 0}}}),
        "other columns": json.dumps(state | {"columns": {}}),
        "no schema": json.dumps({k: v for k, v in state.items() if k != "schema"}),
    }
    for name, content in wrong.items():
        bad = tmp_path / f"{name}.json"
        bad.write_text(content)
        with pytest.raises(ModelFileError):
            load_profile(bad)
    with pytest.raises(ModelFileError, match="99"):
        load_profile(tmp_path / "newer.json")
    with pytest.raises(NotFound):
        load_profile(tmp_path / "nowhere.json")
    with pytest.raises(NotFound):
        save_profile(profile, tmp_path / "no" / "folder.json")


def test_a_failed_write_leaves_the_old_profile(tmp_path: Path) -> None:
    profile = analyze(source_of(pa.table({"a": [1.0, 2.0, 3.0]})))
    path = save_profile(profile, tmp_path / "profile.json")
    before = path.read_text()
    broken = type(profile)(
        schema=profile.schema,
        lineage=profile.lineage,
        rows=3,
        columns={"a": {"min": float("nan")}},
    )
    with pytest.raises(ValueError):
        save_profile(broken, path)
    assert path.read_text() == before
    assert [p.name for p in tmp_path.iterdir()] == ["profile.json"]
