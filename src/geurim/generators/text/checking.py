"""What every check shares: the contract, and the texts that its settings name."""

from __future__ import annotations

import abc
import difflib
import functools
import json
from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn

from geurim.errors import DataError, MissingExtra, SettingError
from geurim.generators.text.blocks import one_line, shown


class Check(abc.ABC):
    """Settings of one validation; subclasses are frozen keyword-only dataclasses."""

    name: ClassVar[str]

    def check(self, value: str | None, row: Mapping[str, Any]) -> str | None:
        """None if `value`, in this row, is fine; else the reason it is not, in one sentence."""
        if value is None:
            return "it is empty"
        try:
            return self.problem(value, row)
        except DataError as error:
            return str(error)

    @abc.abstractmethod
    def problem(self, value: str, row: Mapping[str, Any]) -> str | None:
        """The same; Unjudged where the row lacks what `value` should be held against."""


class Unjudged(DataError):
    """The row lacks what a value should be held against: it is neither right nor wrong."""


def text_of(setting: str, row: Mapping[str, Any]) -> str:
    """The text a setting names: a column of the row, a template over it, or the setting itself."""
    if setting in row:
        value = row[setting]
        if value is None:
            raise Unjudged(f"the column {setting!r} is empty in this row")
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if "{{" in setting or "{%" in setting:
        return _render(setting, row)
    near = difflib.get_close_matches(setting, row, n=1, cutoff=0.8)
    if near and setting.isidentifier():
        raise SettingError(f"No column {setting!r} in the row. Did you mean {near[0]!r}?")
    return setting


@functools.lru_cache(maxsize=256)
def _template(text: str) -> Any:
    try:
        import jinja2
        import jinja2.sandbox
    except ModuleNotFoundError as error:
        raise MissingExtra("A template", "text") from error
    around = jinja2.sandbox.ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined)
    try:
        return around.from_string(text)
    except jinja2.TemplateSyntaxError as error:
        raise SettingError(f"Not a template: {shown(text)} ({error.message}).") from None


def _render(text: str, row: Mapping[str, Any]) -> str:
    import jinja2

    try:
        return str(_template(text).render(row))
    except jinja2.UndefinedError as error:
        raise SettingError(
            f"The template {shown(text)} uses what the row does not have: {error.message}."
        ) from None
    except Exception as error:  # a template may divide by zero, or reach for what is fenced off
        raise SettingError(f"The template {shown(text)} fails: {one_line(error)}.") from None


def no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def near_to(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    choose = f" Choose one of: {', '.join(known)}."
    return f" Did you mean {near[0]!r}?" if near else choose
