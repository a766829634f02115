"""Model files: what is saved comes back, and nothing else is ever believed or executed."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geurim import model
from geurim.analyze import analyze
from geurim.contract import Fitted, Generator, Lineage, Privacy, Source
from geurim.errors import ModelFileError, NotFound, SettingError, TargetExists
from geurim.generators.copula import Copula
from geurim.generators.independent import Independent
from geurim.generators.resample import FittedResample, Resample

BUILT_IN: list[Generator] = [Resample(), Independent(), Copula()]


def people(rows: int = 60) -> Source:
    rng = np.random.default_rng(1)
    age = rng.integers(18, 90, rows)
    table = pa.table(
        {
            "age": pa.array(age, mask=age > 80),
            "sex": pa.array(rng.choice(["여", "남"], rows)),
            "": pa.array(rng.normal(size=rows)),
            'a "b"': pa.array(rng.integers(0, 9, rows).astype("datetime64[D]")),
        }
    )
    parent = Lineage(maker="people.csv", digest="d", real=True)
    return Source(schema=table.schema, lineage=parent, rows=rows, read=lambda: table.to_batches())


def fitted_on(source: Source, generator: Generator = BUILT_IN[0]) -> Fitted:
    return generator.fit(source, analyze(source), np.random.default_rng(2))


def draws(fitted: Fitted) -> pa.RecordBatch:
    return fitted.draw(40, np.random.default_rng(3))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Fitted, bytes]:
    path = tmp_path_factory.mktemp("model") / "people.geurim"
    fitted = fitted_on(people())
    model.save(fitted, path)
    return fitted, path.read_bytes()


@pytest.mark.parametrize("generator", BUILT_IN, ids=lambda g: type(g).__name__)
def test_loaded_model_is_the_saved_one(generator: Generator, tmp_path: Path) -> None:
    fitted = fitted_on(people(), generator)
    path = model.save(fitted, tmp_path / "m.geurim")
    found = model.load(path)
    assert type(found) is type(fitted)
    assert draws(found).equals(draws(fitted))
    assert found.schema.equals(fitted.schema, check_metadata=True)
    assert (found.lineage, found.profile) == (fitted.lineage, fitted.profile)


def test_lineage_comes_back_whole(tmp_path: Path) -> None:
    privacy = Privacy(unit="person", contributions=1, epsilon=1.0, delta=1e-6)
    parent = Lineage(maker="real.csv", digest="a", real=True)
    lineage = Lineage.made("Maker(x=1)", seed=2**62, parents=(parent,), privacy=(privacy,))
    fitted = fitted_on(people())
    assert isinstance(fitted, FittedResample)
    path = model.save(replace(fitted, lineage=lineage), tmp_path / "m.geurim")
    assert model.load(path).lineage == lineage


def test_same_model_gives_the_same_bytes(saved: tuple[Fitted, bytes], tmp_path: Path) -> None:
    again = Path(model.save(fitted_on(people()), tmp_path / "again.geurim"))
    assert again.read_bytes() == saved[1]


def test_any_zip_tool_and_numpy_read_the_file(saved: tuple[Fitted, bytes]) -> None:
    with zipfile.ZipFile(io.BytesIO(saved[1])) as archive:
        assert archive.testzip() is None
        manifest = json.loads(archive.read("manifest.json"))
        array = np.load(io.BytesIO(archive.read("arrays/0000.npy")), allow_pickle=False)
    assert (manifest["format"], manifest["version"]) == ("geurim model", 1)
    assert array.dtype == np.uint8


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_flipped_bytes_are_refused_or_change_nothing(
    saved: tuple[Fitted, bytes], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    fitted, content = saved
    changed = bytearray(content)
    # The zip's own structure stands at the end: half of the flips go there.
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.sampled_from([0, len(content) - 400]))
        changed[data.draw(st.integers(start, len(content) - 1))] = data.draw(st.integers(0, 255))
    expect_refusal_or_the_same(bytes(changed), fitted, tmp_path_factory)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_cut_or_lengthened_files_are_refused_or_change_nothing(
    saved: tuple[Fitted, bytes], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    fitted, content = saved
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, len(content)))
    filling = data.draw(st.binary(max_size=30))
    expect_refusal_or_the_same(content[:start] + filling + content[end:], fitted, tmp_path_factory)


def expect_refusal_or_the_same(
    content: bytes, fitted: Fitted, folder: pytest.TempPathFactory
) -> None:
    path = folder.getbasetemp() / "changed.geurim"
    path.write_bytes(content)
    try:
        found = model.load(path)
    except ModelFileError:
        return
    assert draws(found).equals(draws(fitted))
    assert (found.lineage, found.profile) == (fitted.lineage, fitted.profile)


@pytest.mark.parametrize("length", [0, 1, 100])
def test_truncated_file_is_refused(
    length: int, saved: tuple[Fitted, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "cut.geurim"
    path.write_bytes(saved[1][:length])
    with pytest.raises(ModelFileError, match=r"cut\.geurim"):
        model.load(path)


def rewritten(
    content: bytes, change: Callable[[dict], None], extra: dict[str, bytes] | None = None
) -> bytes:
    """A model file whose manifest was changed on purpose, with a digest that fits."""
    sink = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        manifest = json.loads(old.read("manifest.json"))
        change(manifest)
        head = json.dumps(manifest).encode()
        new.writestr("manifest.json", head)
        files = {n: old.read(n) for n in old.namelist() if n != "manifest.json"} | (extra or {})
        for name, data in files.items():
            new.writestr(name, data)
        new.comment = hashlib.sha256(head).hexdigest().encode()
    return sink.getvalue()


def refusal(content: bytes, tmp_path: Path) -> str:
    path = tmp_path / "foreign.geurim"
    path.write_bytes(content)
    with pytest.raises(ModelFileError) as caught:
        model.load(path)
    return str(caught.value)


def test_newer_format_is_refused_with_what_to_do(
    saved: tuple[Fitted, bytes], tmp_path: Path
) -> None:
    message = refusal(rewritten(saved[1], lambda m: m.update(version=2)), tmp_path)
    assert "version 2" in message and "pip install -U geurim" in message


def test_unknown_generator_names_those_known(saved: tuple[Fitted, bytes], tmp_path: Path) -> None:
    message = refusal(rewritten(saved[1], lambda m: m.update(generator="magic")), tmp_path)
    assert "'magic'" in message and "resample" in message and "copula" in message


def test_pickle_in_an_array_is_never_opened(saved: tuple[Fitted, bytes], tmp_path: Path) -> None:
    witness = tmp_path / "executed"

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str, str]]:
            return (open, (str(witness), "w"))

    sink = io.BytesIO()
    np.save(sink, np.array([Bomb()], dtype=object), allow_pickle=True)

    def lie(manifest: dict) -> None:
        manifest["arrays"][0] |= {
            "sha256": hashlib.sha256(sink.getvalue()).hexdigest(),
            "dtype": "|O",
            "shape": [1],
        }

    content = rewritten(saved[1], lie, {"arrays/0000.npy": sink.getvalue()})
    refusal(content, tmp_path)
    assert not witness.exists()
    pickle.loads(pickle.dumps(Bomb())).close()
    assert witness.exists(), "the bomb of this test must be a live one"


def test_header_that_claims_a_huge_array_is_refused_before_it_is_made(
    saved: tuple[Fitted, bytes], tmp_path: Path
) -> None:
    sink = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (10**13,)}
    np.lib.format.write_array_header_1_0(sink, header)
    data = sink.getvalue() + b"\0" * 64

    def lie(manifest: dict) -> None:
        manifest["arrays"][0] |= {
            "sha256": hashlib.sha256(data).hexdigest(),
            "dtype": "<f8",
            "shape": [10**13],
        }

    message = refusal(rewritten(saved[1], lie, {"arrays/0000.npy": data}), tmp_path)
    assert "shape that it claims" in message


def test_zip_bomb_is_refused(saved: tuple[Fitted, bytes], tmp_path: Path) -> None:
    bomb = {"arrays/0000.npy": b"\0" * 20_000_000}
    assert "claims to unfold" in refusal(rewritten(saved[1], lambda m: None, bomb), tmp_path)


def test_file_not_in_the_manifest_is_refused(saved: tuple[Fitted, bytes], tmp_path: Path) -> None:
    content = rewritten(saved[1], lambda m: None, {"../evil.py": b"print()"})
    assert "other files" in refusal(content, tmp_path)


@pytest.mark.parametrize("part", ["schema", "lineage", "profile", "arrays", "generator"])
@pytest.mark.parametrize("value", [None, 7, "x", [], {}, "AAAA"])
def test_manifest_with_a_foreign_part_is_refused(
    part: str, value: object, saved: tuple[Fitted, bytes], tmp_path: Path
) -> None:
    refusal(rewritten(saved[1], lambda m: m.update({part: value})), tmp_path)


def test_constant_arrays_pass_the_bomb_check(tmp_path: Path) -> None:
    table = pa.table({"x": pa.array(np.zeros(2_000_000))})
    lineage = Lineage(maker="x", digest="x", real=True)
    source = Source(schema=table.schema, lineage=lineage, read=lambda: table.to_batches())
    path = model.save(fitted_on(source), tmp_path / "zeros.geurim")
    assert model.load(path).draw(3, np.random.default_rng(0)).num_rows == 3


def test_state_with_objects_is_refused_at_saving(tmp_path: Path) -> None:
    class Odd(FittedResample):
        def state(self) -> tuple[dict[str, object], dict[str, np.ndarray]]:
            return {}, {"x": np.array([object()])}

    fitted = fitted_on(people())
    assert isinstance(fitted, FittedResample)
    odd = Odd(
        schema=fitted.schema, lineage=fitted.lineage, profile=fitted.profile, rows=fitted.rows
    )
    with pytest.raises(SettingError, match="plain arrays"):
        model.save(odd, tmp_path / "odd.geurim")
    assert not list(tmp_path.iterdir())


def test_interrupted_saving_leaves_the_old_file_and_nothing_else(
    saved: tuple[Fitted, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.geurim"
    path.write_bytes(b"old")

    def interrupted(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:10])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.save(saved[0], path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_taken_names_and_missing_places_are_told(
    saved: tuple[Fitted, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "m.geurim"
    model.save(saved[0], path)
    model.save(saved[0], path)
    with pytest.raises(TargetExists, match="overwrite=True"):
        model.save(saved[0], path, overwrite=False)
    with pytest.raises(TargetExists):
        model.save(saved[0], tmp_path)
    with pytest.raises(NotFound, match="no folder"):
        model.save(saved[0], tmp_path / "none" / "m.geurim")
    with pytest.raises(NotFound, match="Check the path"):
        model.load(tmp_path / "none.geurim")
    with pytest.raises(ModelFileError, match="a folder"):
        model.load(tmp_path)
