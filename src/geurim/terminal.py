"""What the command line draws: progress bars from events, tables, paragraphs."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geurim.contract import Event, Progress

_PATIENCE_S = 1.0  # what takes less time is not drawn
_EVERY_S = 60.0  # between two lines of a log

_DOING = {
    "read": "Reading",
    "analyze": "Analyzing",
    "fit": "Fitting",
    "sample": "Sampling",
    "write": "Writing",
    "verify": "Verifying",
    "ask": "Asking",
    "curate": "Curating",
    "collapse": "Following",
}


@contextmanager
def bars(silent: bool = False) -> Iterator[Progress]:
    """A progress listener that draws on standard error; a line a minute where it is no terminal."""
    if silent:
        yield lambda event: None
        return
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich import progress as rich_progress
    from rich.console import Console

    class Patient(rich_progress.Progress):
        def get_renderables(self) -> Iterator[Any]:
            slow = [t for t in self.tasks if (t.elapsed or 0) > _PATIENCE_S and not t.finished]
            if slow:
                yield self.make_tasks_table(slow)

    drawn = Patient(
        rich_progress.TextColumn("{task.description:<9}"),
        rich_progress.BarColumn(),
        rich_progress.TextColumn("{task.fields[counted]}"),
        rich_progress.TimeElapsedColumn(),
        rich_progress.TextColumn("left:"),
        rich_progress.TimeRemainingColumn(compact=True),
        rich_progress.TextColumn("{task.fields[note]}", markup=False),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    tasks: dict[tuple[str, str], Any] = {}

    def listen(event: Event) -> None:
        key = event.step, event.unit
        of = "" if event.total is None else f" of {event.total:,}"
        shown: dict[str, Any] = {
            "counted": f"{event.done:,}{of} {event.unit}",
            "note": printable(event.note),
        }
        if key not in tasks or drawn.tasks[tasks[key]].finished:
            name = _DOING.get(event.step, event.step)
            tasks[key] = drawn.add_task(name, total=event.total, **shown)
        drawn.update(tasks[key], completed=event.done, total=event.total, **shown)

    with drawn:
        yield listen


def _lines() -> Progress:
    """For a log file: how far a long run has come, in a line now and then."""
    latest: dict[tuple[str, str], str] = {}
    told = [time.monotonic()]

    def listen(event: Event) -> None:
        of = "" if event.total is None else f" of {event.total:,}"
        note = f" ({printable(event.note)})" if event.note else ""
        name = _DOING.get(event.step, event.step)
        latest[event.step, event.unit] = f"{name} {event.done:,}{of} {event.unit}{note}"
        if time.monotonic() - told[0] >= _EVERY_S:
            told[0] = time.monotonic()
            sys.stderr.write("; ".join(latest.values()) + "\n")
            sys.stderr.flush()
            latest.clear()

    return listen


def printable(text: object) -> str:
    """Text from the data, safe on a terminal: control characters are shown, not obeyed."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda m: repr(m[0])[1:-1], str(text))


def width_of(text: str) -> int:
    """Columns that a text takes on a terminal: Korean letters take two."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def table(heads: Sequence[str], rows: Sequence[Sequence[object]], right: str = "") -> str:
    """Aligned text. The last column is wrapped on a terminal, and whole where output is a file.

    `right`: one character a column, "r" where the column is set to the right.
    """
    cells = [[printable(c) for c in row] for row in [heads, *rows]]
    widths = [max(width_of(row[i]) for row in cells) for i in range(len(heads) - 1)]
    used = sum(widths) + 2 * len(widths)
    screen = shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else 10**6
    lines = []
    for row in cells:
        parts = []
        for i, (cell, width) in enumerate(zip(row[:-1], widths, strict=True)):
            space = " " * (width - width_of(cell))
            parts.append(space + cell if right[i : i + 1] == "r" else cell + space)
        last = textwrap.wrap(row[-1], max(screen - used, 30)) or [""]
        lines.append("  ".join([*parts, last[0]]).rstrip())
        lines += [" " * used + more for more in last[1:]]
    return "\n".join(lines)


def paragraph(text: str) -> str:
    """A message as wide as the terminal, where there is one; its own lines stay lines.

    A line that begins with spaces, such as one that points into a formula, stays as it is.
    """
    return "\n".join(map(_line, text.rstrip().split("\n")))


def _line(text: str) -> str:
    text = printable(text)
    if text.startswith("  ") or not sys.stderr.isatty():
        return text
    return textwrap.fill(text, shutil.get_terminal_size((100, 24)).columns)
