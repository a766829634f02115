"""docs/extending.md is a test: its generator is under 40 lines, passes every check, and works."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import geurim
from geurim.testing import CHECKS, example

PAGE = Path(__file__).parent.parent / "docs" / "extending.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """What the page's Python blocks define, run in order; every check runs inside the second."""
    found: dict[str, Any] = {"__name__": "rankswap", "data": example()}
    for block in BLOCKS:
        exec(compile(block, str(PAGE), "exec", dont_inherit=True), found)
    return found


def test_generator_of_the_page_has_fewer_than_40_lines_of_code() -> None:
    lines = [line for line in BLOCKS[0].splitlines() if line.strip()]
    assert len(lines) < 40
    assert max(map(len, BLOCKS[0].splitlines())) <= 100


def test_page_runs_and_draws_the_rows_asked_for(names: dict[str, Any]) -> None:
    assert isinstance(names["rows"], pa.Table)
    assert names["rows"].num_rows == 1_000
    assert names["rows"].schema.names == example().schema.names


def test_page_shows_how_to_run_each_check(names: dict[str, Any]) -> None:
    assert names["CHECKS"] is CHECKS
    for check in CHECKS[:3]:
        names["test_rankswap"](check, geurim.testing.Subject(make=names["RankSwap"]))


def test_installed_package_is_found_by_name_and_its_model_files_open(tmp_path: Path) -> None:
    """The entry point as pip writes it: a module and its `.dist-info` on the path."""
    (tmp_path / "rankswap.py").write_text(BLOCKS[0], encoding="utf-8")
    toml = re.findall(r"^```toml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)[0]
    line = toml.splitlines()[1].replace('"', "")
    info = tmp_path / "rankswap-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: rankswap\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[geurim.generators]\n{line}\n")
    program = (
        "import geurim, geurim.testing as t\n"
        "fitted = geurim.fit(t.example(), 'rankswap', seed=1)\n"
        "found = geurim.load(geurim.save(fitted, 'm.geurim'))\n"
        "one, two = (geurim.sample(f, 50, seed=2).to_arrow() for f in (fitted, found))\n"
        "assert one.equals(two) and one.num_rows == 50\n"
    )
    environment = {"PYTHONPATH": str(tmp_path), "PATH": ""}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True)
    refused = subprocess.run(
        [sys.executable, "-I", "-c", "import geurim; geurim.load('m.geurim')"],
        cwd=tmp_path,
        env={"PATH": ""},
        capture_output=True,
        text=True,
    )
    assert "ModelFileError" in refused.stderr and "rankswap" in refused.stderr
