"""Fenced blocks of an answer, and values as they stand in messages."""

from __future__ import annotations

import re
from typing import Any

from geurim.errors import DataError

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*([\w+#.-]*)[^\n]*$", re.M)


def blocks(text: str) -> list[tuple[str, str]]:
    """The fenced blocks of a text: label and content."""
    blocks: list[tuple[str, str]] = []
    opened: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        if opened is None:
            opened = fence
        elif fence[1][0] == opened[1][0] and len(fence[1]) >= len(opened[1]) and not fence[2]:
            blocks.append((opened[2], text[opened.end() + 1 : fence.start()].rstrip("\n")))
            opened = None
    if opened is not None:
        raise DataError("The answer's last code block is not closed: it may have been cut short.")
    return blocks


def shown(value: Any, most: int = 80) -> str:
    """A value as it stands in a message: one line, not longer than `most`."""
    text = " ".join(str(value)[: 10 * most].split())
    return repr(text if len(text) <= most else f"{text[: most - 1]}…")


def one_line(error: object) -> str:
    """What an error says, in one line of at most 200 characters."""
    return " ".join(str(error).split())[:200]
