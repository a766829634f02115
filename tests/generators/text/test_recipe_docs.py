"""The commands that docs/recipes.md shows: each is run, up to the first request to its teacher."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from geurim.cli import main
from geurim.generators.text.recipe import names
from scripted_server import Scripted

PAGE = Path(__file__).parents[3] / "docs" / "recipes.md"
COMMANDS = re.findall(r"^ *(geurim text run .*)$", PAGE.read_text("utf-8"), re.MULTILINE)
ROW = {
    "instruction": "Say why ice is slippery.", "input": "", "output": "A film of water.",
    "question": "What is 2 + 2?", "answer": "4", "text": "Why is ice slippery?",
    "customer_id": "C-1",
}  # fmt: skip


def test_the_page_shows_a_command_for_every_recipe() -> None:
    assert {shlex.split(c)[3] for c in COMMANDS} == set(names())


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_gets_as_far_as_its_teacher(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its budget ends there: the recipe, its sources and its settings were understood."""
    monkeypatch.chdir(tmp_path)
    for name in re.findall(r"--source \w+=(\S+)", command):
        if name == "FOLDER":
            Path(name).mkdir()
            (Path(name) / "a.md").write_text("# Ice\n\nIce is slippery. It has a film of water.")
            continue
        lines = "".join(json.dumps({**ROW, "n": i}) + "\n" for i in range(900))
        if name.endswith(".parquet"):
            name, command = "real.jsonl", command.replace(name, "real.jsonl")
        Path(name).write_text(lines, "utf-8")
    with Scripted(lambda asked: f"Answer {asked.number}.") as server:
        words = shlex.split(re.sub(r"\bURL2?\b|http://localhost:8000/v1", server.url, command))
        done = CliRunner().invoke(main, [*words[1:], "--budget", "3requests"])
        assert server.asked, done.output + repr(done.exception)
    assert "budget" in done.output.lower(), done.output
