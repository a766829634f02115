"""The docs are tests: their examples run, and they name every command and every public name.

A `python` block is executed; blocks of one page share their names; a `text` block right after it is
what it prints. A `console` block holds lines that start with "$ " and the output of each. Output is
compared line by line, after replacing what differs from run to run (times). A line "…" stands for
any number of lines. Every page runs in a fresh folder with planes.csv, from examples/tables.py.

Reports that pages and examples write under the name of one in docs/reports have to say the same:
the same checks on the same columns, and the same verdict on each question.
"""

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

import geurim
import test_browser
from geurim.cli import main

ROOT = Path(__file__).parent.parent
REPORTS = ROOT / "docs" / "reports"
EXAMPLES = sorted(ROOT.glob("examples/[0-9]*.py"))
PAGES = sorted(
    p
    for p in [ROOT / "README.md", ROOT / "README.ko.md", *ROOT.glob("docs/*.md")]
    if p.name != "extending.md"  # has a test of its own
)
BLOCK = re.compile(r"^```(python|console|text)\n(.*?)^```$", re.M | re.S)
VARIES = re.compile(
    r"\d+\.\d+|\d+%"
)  # seconds, and figures that another processor rounds otherwise


def blocks(page: Path) -> list[tuple[str, str]]:
    return [(m[1], m[2]) for m in BLOCK.finditer(page.read_text(encoding="utf-8"))]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run in, with the table that the docs use."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    subprocess.run([sys.executable, ROOT / "examples" / "tables.py"], check=True)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_example_of_a_page_runs_and_prints_what_the_page_says(
    page: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for expected, printed in outputs(page, lambda: capsys.readouterr().out):
        assert_matches(printed, expected)
    assert_reports_say_what_is_kept(folder)


def outputs(page: Path, printed: Callable[[], str]) -> Iterator[tuple[str, str]]:
    """Run a page: what it says it prints, and what it does. `printed`: all since the last call."""
    names: dict[str, object] = {"__name__": "docs"}
    for kind, text in blocks(page):
        if kind == "python":
            exec(compile(text, str(page), "exec"), names)
        elif kind == "text":
            yield text, printed()
        else:
            for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
                yield _shell(part)


def _shell(part: str) -> tuple[str, str]:
    """The output that follows a command, and the output that it has."""
    command, _, expected = part.partition("\n")
    while command.endswith("\\"):
        more, _, expected = expected.partition("\n")
        command = command[:-1] + more.strip()
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.returncode in (0, 1), f"$ {command}\n{done.stderr}"
    return expected, done.stdout + done.stderr


def assert_matches(printed: str, expected: str) -> None:
    """Every expected line is there in its place; a line "…" stands for any lines."""
    got, want = [
        [_steady(line) for line in text.splitlines() if line.strip()]
        for text in (printed, expected)
    ]
    pattern = "\n".join(".*" if line == "…" else re.escape(line) for line in want)
    pattern = pattern.replace("\n.*", "(?:\n.*)?").replace(".*\n", "(?:.*\n)?")
    assert re.fullmatch(pattern, "\n".join(got), re.S), "\n".join(["printed:", *got])


def _steady(line: str) -> str:
    return " ".join(VARIES.sub("#", line).split())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_every_example_file_runs(example: Path, folder: Path) -> None:
    done = subprocess.run([sys.executable, example], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert_reports_say_what_is_kept(folder)


def written(folder: Path) -> Iterator[tuple[Path, Path]]:
    """The reports in a folder that docs/reports keeps, and the kept ones."""
    for kept in sorted(REPORTS.glob("*.html")):
        if (folder / kept.name).exists():
            yield folder / kept.name, kept


def assert_reports_say_what_is_kept(folder: Path) -> None:
    for new, kept in written(folder):
        assert told(new) == told(kept), f"{kept.name} is out of date: run make docs"


def told(report: Path) -> tuple[list[str], list[tuple[str, ...]]]:
    """The verdicts of a report's page, and the check and columns of each of its findings."""
    text = report.read_text(encoding="utf-8")
    verdicts = re.findall(r'<h[12]>([^<]+)<span class="tag (\w+)">', text)
    findings = re.findall(r"<code>(\w+)</code></td><td>(.*?)</td>", text)
    assert len(verdicts) > 2 and len(findings) > 10, f"{report} is no report"
    return sorted(verdicts), sorted(findings)


def test_every_kept_report_is_linked_and_is_written_by_a_page_or_an_example() -> None:
    page = (ROOT / "docs" / "reports.md").read_text(encoding="utf-8")
    sources = "".join([page, *(e.read_text(encoding="utf-8") for e in EXAMPLES)])
    kept = [p.name for p in REPORTS.glob("*.html")]
    assert len(kept) > 2
    for name in kept:
        assert f"(reports/{name})" in page and f'save_html("{name}"' in sources, name
        assert (REPORTS / name).stat().st_size < 1_000_000


def test_a_report_that_says_something_else_is_noticed(tmp_path: Path) -> None:
    kept = REPORTS / "fraud.html"
    new = tmp_path / kept.name
    text = kept.read_text(encoding="utf-8")
    new.write_text(text.replace("<code>column_ks</code>", "<code>column_tv</code>", 1))
    with pytest.raises(AssertionError, match="make docs"):
        assert_reports_say_what_is_kept(tmp_path)
    new.write_text(re.sub(r"\d\.\d+%", "0.1%", text), encoding="utf-8")  # figures may differ
    assert_reports_say_what_is_kept(tmp_path)


def test_the_docs_name_every_command_and_every_option() -> None:
    text = (ROOT / "docs" / "cli.md").read_text()
    for name, command in main.commands.items():
        assert f"geurim {name}" in text
        for option in command.params:
            if isinstance(option, click.Option):
                assert any(o in text for o in option.opts), f"{name} {option.opts}"


def test_the_docs_name_every_public_name() -> None:
    text = "\n".join(p.read_text() for p in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
    assert [n for n in geurim.__all__ if not re.search(rf"\b{n}\b", text)] == []


def test_the_two_readmes_say_the_same() -> None:
    english, korean = (ROOT / "README.md", ROOT / "README.ko.md")
    for one, other in zip(blocks(english), blocks(korean), strict=True):
        assert one[0] == other[0]
        assert _steady(one[1]) == _steady(other[1])
    heads = [re.findall(r"^#+ ", p.read_text(), re.M) for p in (english, korean)]
    assert heads[0] == heads[1]


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")], ids=str)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        assert "://" in link or (page.parent / link).exists(), link


def test_a_wrong_output_in_a_page_is_noticed() -> None:
    assert_matches("a\nb 1.5 s\nc\n", "a\nb 9.0 s\nc\n")
    assert_matches("a\nb\nc\n", "a\n…\nc\n")
    assert_matches("a\nb\nc\n", "…\n")
    for wrong in ("a\nb\n", "a\nc\n", "a\n…\nd\n", ""):
        with pytest.raises(AssertionError):
            assert_matches("a\nb\nc\n", wrong)


def refresh(page: Path) -> None:
    """Write into a page what its examples print now, but where it says "…"."""
    text = page.read_text(encoding="utf-8")
    caught = io.StringIO()

    def printed() -> str:
        said = caught.getvalue()
        caught.seek(0)
        caught.truncate()
        return said

    with contextlib.redirect_stdout(caught):
        for expected, now in outputs(page, printed):
            if expected.strip() and "…" not in expected.splitlines():
                text = text.replace(expected, now if now.endswith("\n") else f"{now}\n", 1)
    page.write_text(text, encoding="utf-8")


def keep_reports(folder: Path) -> None:
    for new, kept in written(folder):
        shutil.copyfile(new, kept)


if __name__ == "__main__":  # make docs
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for a_page in PAGES:
        with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch):
            subprocess.run([sys.executable, ROOT / "examples" / "tables.py"], check=True)
            refresh(a_page)
            keep_reports(Path(scratch))
    for an_example in EXAMPLES:
        if "save_html" in an_example.read_text(encoding="utf-8"):
            with tempfile.TemporaryDirectory() as scratch:
                subprocess.run([sys.executable, an_example], check=True, cwd=scratch)
                keep_reports(Path(scratch))
    if test_browser.CHROMIUM:
        with tempfile.TemporaryDirectory() as scratch:
            picture = f"--screenshot={REPORTS / 'flights.png'}"
            test_browser.browse(REPORTS / "flights.html", Path(scratch), "light", picture)
