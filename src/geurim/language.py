"""The language that a page is written in: English, or Korean by a catalog of its sentences.

`say` gives a sentence of a page in the language of the moment. English sentences are the catalog's
keys, so that a page reads in the code as it does on the screen; what has no entry stays English,
and tests see to it that nothing on the pages does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from geurim.errors import SettingError

LANGUAGES = ("en", "ko")

_current: ContextVar[str] = ContextVar("language", default="en")


def check_language(name: str) -> None:
    """Raise SettingError unless there are pages in this language."""
    if name not in LANGUAGES:
        raise SettingError(f"There are no pages in {name!r}. Use one of: {', '.join(LANGUAGES)}.")


@contextmanager
def language(name: str) -> Iterator[None]:
    """Pages made within are in this language. Raises SettingError for one there is not."""
    check_language(name)
    token = _current.set(name)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> str:
    """The language of the moment."""
    return _current.get()


def say(text: str) -> str:
    """The sentence in the language of the moment; its figures stay as they are."""
    if _current.get() == "en":
        return text
    return said(text) or text


def said(text: str) -> str | None:
    """The Korean of a sentence, or None where the catalog has none."""
    from geurim.korean import TEXTS
    from geurim.korean_sentences import sentence

    return TEXTS.get(text) or sentence(text)
