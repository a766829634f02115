"""The words, names, numbers, texts and signs that an expression is written in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from geurim.errors import ExpressionError

WORDS = frozenset(["and", "or", "not", "in", "is", "null", "between", "true", "false"])
_NAME = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_TOKEN = re.compile(
    rf"""(?P<space>\s+)
      | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
      | (?P<quoted>`(?:[^`]|``)*`)
      | (?P<name>{_NAME})
      | (?P<sign><>|!=|<=|>=|==|[-+*/=<>(),])""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Token:
    """One of them, and where in the text it begins."""

    kind: str  # a group of _TOKEN, "word" for the language's own, or "end"
    text: str
    place: int


def tokens(text: str) -> list[Token]:
    """The tokens of a text and an "end"; ExpressionError where a character fits none."""
    found: list[Token] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            quotes = text[place] in "'\"`"
            advice = "Close the quotes." if quotes else "Names like this stand in backticks."
            raise ExpressionError(f"{text[place]!r} cannot be read", advice, place, text)
        kind = str(match.lastgroup)
        if kind == "name" and match.group().lower() in WORDS:
            kind = "word"
        if kind == "name" and found and found[-1].kind == "number":
            begin = found[-1].place
            if begin + len(found[-1].text) == place:
                what = "A name cannot begin with a digit"
                raise ExpressionError(what, "Use backticks.", begin, text)
        if kind != "space":
            found.append(Token(kind, match.group(), place))
        place = match.end()
    return [*found, Token("end", "", len(text))]


def written(name: str) -> str:
    """A name as an expression writes it: in backticks where it could be read as something else."""
    if re.fullmatch(_NAME, name) and name.lower() not in WORDS:
        return name
    return "`" + name.replace("`", "``") + "`"


def names(text: str) -> dict[str, int]:
    """The columns that a text names, and where it first names each; not the functions."""
    found = tokens(text)
    written = [
        (t.text[1:-1].replace("``", "`") if t.kind == "quoted" else t.text, t)
        for t, after in pairwise(found)
        if t.kind == "quoted" or (t.kind == "name" and after.text != "(")
    ]
    return {name: token.place for name, token in reversed(written)}
