"""What is put at the end of a sentence, in any language: marks, emoticons, emoji, asides."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from geurim.noise.kinds import Kind, each, matches, pick
from geurim.noise.sheet import END, KEPT, SEP, Sheet

TAIL = rf"{END}[.!?…~]*"


def run_length(u: float, shortest: int, longest: int, more: float = 0.5) -> int:
    """A length that is geometric: each further one with probability `more`, up to `longest`."""
    length, stays = shortest, 1.0 - more
    while length < longest and u >= stays:
        length, stays = length + 1, stays + (1 - stays) * (1 - more)
    return length


def appended(make: Callable[[float], str], *, glued: float) -> Callable[..., Sheet]:
    """Rewrite that puts something behind a sentence; `glued` is the share without a space before.

    A single full stop goes in two cases of three, as people who write ㅋㅋ leave it out. A span
    that is kept, and a letter that follows, stay apart from what is put there.
    """

    def rewrite(sheet: Sheet, spans: np.ndarray, uniform: np.ndarray) -> Sheet:
        pieces = []
        for (start, end), u in zip(spans.tolist(), uniform.tolist(), strict=True):
            marks = sheet.text[start:end]
            if marks == END + "." and u % 0.01 < 0.0067:
                marks = END
            after_kept = sheet.text[start - 1] == KEPT and marks == END
            u = u * 100 % 1
            space = " " if after_kept or u >= glued else ""
            tail = make(u / glued if u < glued else (u - glued) / (1 - glued))
            apart = "" if sheet.text[end].isspace() or sheet.text[end] == SEP else " "
            pieces.append(marks + space + tail + apart)
        return sheet.replace(spans, pieces)

    return rewrite


def tail(name: str, what: str, make: Callable[[float], str], *, glued: float = 0.5) -> Kind:
    """A kind that appends to sentences."""
    return Kind(
        name=name,
        unit="sentence",
        what=what,
        places=matches(TAIL),
        rewrite=appended(make, glued=glued),
    )


def one_of(options: Sequence[str]) -> Callable[[float], str]:
    return lambda u: pick(options, u)[0]


def marks(name: str, what: str, before: str, make: Sequence[str]) -> Kind:
    """A kind that sets the final marks of sentences that now end in `before` (a regex) or none."""

    def edit(piece: str, u: float) -> str:
        return END + pick([m for m in make if m != piece[1:]], u)[0]

    return Kind(
        name=name,
        unit="sentence that ends in another mark or none",
        what=what,
        places=matches(rf"{END}{before}(?![.!?…~])"),
        rewrite=each(edit),
    )


DOTS = marks(
    "dots", "two dots or more: 글쎄...", "[.…]*", ("..", "..", "...", "...", "....", ".....")
)
BANGS = marks("bangs", "exclamation marks: 최고!!", "[.!]*", ("!", "!", "!!", "!!!", "!!!!"))
TILDES = marks("tildes", "a drawn tone: 좋아요~", "[.~]*", ("~", "~", "~~", "~!", "~~~"))
PUNCTUATION_MISSING = Kind(
    name="punctuation_missing",
    unit="mark at the end of a sentence, or comma",
    what="no mark where one belongs",
    places=matches(rf"(?<={END})[.!?…~]+|,(?=\s)"),
    rewrite=lambda sheet, spans, uniform: sheet.replace(
        spans, ["" if sheet.text[e].isspace() or sheet.text[e] == SEP else " " for _, e in spans]
    ),
)


def run_on(links: Sequence[str], letter: str) -> Kind:
    """A kind that joins a sentence to the next one, with one of `links` between."""

    def edit(piece: str, u: float) -> str:
        return pick(links, u)[0]

    return Kind(
        name="run_on",
        unit="full stop between sentences",
        what="sentences run together",
        places=matches(rf"{END}\.[ \t]+(?={letter})"),
        rewrite=each(edit),
    )


def asides(
    name: str, what: str, polite: Sequence[str], plain: Sequence[str], is_polite: re.Pattern[str]
) -> Kind:
    """A kind that adds a sentence of its own to a text, in the text's register."""

    def rewrite(sheet: Sheet, spans: np.ndarray, uniform: np.ndarray) -> Sheet:
        pieces = []
        for (_, end), u in zip(spans.tolist(), uniform.tolist(), strict=True):
            # The last word tells the register.
            last = sheet.text[max(0, end - 14) : end].rpartition(SEP)[2]
            options = polite if is_polite.search(last) else plain
            pieces.append(f" {pick(options, u)[0]}")
        return sheet.replace(spans, pieces)

    return Kind(
        name=name,
        unit="text",
        what=what,
        places=matches(rf"(?<=[^\s{SEP}])(?=\s*{SEP})"),
        rewrite=rewrite,
    )
