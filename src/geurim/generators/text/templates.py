"""Jinja templates and expressions of recipes, sandboxed: data cannot reach Python.

`{{ name }}` and `{% … %}` as in Jinja; an undefined name is an error, never an empty text. JSON
braces in a prompt are plain text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import jinja2
from jinja2 import meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from geurim.errors import SettingError
from geurim.generators.text.finals import final_answer, same_as, vote
from geurim.nodes import Node


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    env = ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        autoescape=False,
    )
    env.filters["json"] = lambda v: json.dumps(v, ensure_ascii=False)
    env.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
    env.filters["final_answer"] = final_answer
    env.filters["vote"] = vote
    env.filters["same_as"] = same_as
    env.filters["lines_with"] = _lines_with
    env.filters["rouge_l"] = _rouge_l
    env.filters["hangul"] = _hangul
    env.globals.pop("lipsum", None)
    env.filters["turns"] = turns
    return env


def _lines_with(text: str, marks: Sequence[str]) -> str:
    """The lines that begin, after spaces, with one of the marks."""
    return "\n".join(x for x in str(text).splitlines() if x.lstrip().startswith(tuple(marks)))


def _rouge_l(text: str, other: str) -> float:
    """How much of two texts is the same in the same order, 0 to 1: see `curate.novelty`."""
    from geurim.curate.novelty import rouge_l

    return rouge_l(str(text), str(other))


def _hangul(text: str) -> float:
    """The share of Hangul among the letters of a text; 0 where it has none."""
    import pyarrow as pa

    from geurim.curate.language import hangul_shares

    return float(hangul_shares(pa.array([str(text)], pa.string()))[0][0])


def turns(exchanges: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Exchanges, each with `user` and `assistant`, as messages of role and content."""
    roles = ("user", "assistant")
    return [{"role": r, "content": e[r]} for e in exchanges for r in roles]


@dataclass(frozen=True)
class Template:
    """A text with placeholders; `refers` are the names it needs."""

    text: str
    place: str = ""

    @classmethod
    def of(cls, node: Node) -> Template:
        template = cls(node.text(), node.path)
        try:
            template.refers  # noqa: B018 - parses it, so that a fault is told now
            template._compiled  # noqa: B018
        except jinja2.TemplateSyntaxError as error:
            raise node.error(
                f"line {error.lineno} of this template: {error.message}. Braces that are meant as "
                "text go between {% raw %} and {% endraw %}."
            ) from error
        return template

    @cached_property
    def refers(self) -> frozenset[str]:
        env = _environment()
        return frozenset(meta.find_undeclared_variables(env.parse(self.text))) - set(env.globals)

    @cached_property
    def _compiled(self) -> jinja2.Template:
        return _environment().from_string(self.text)

    def render(self, row: dict[str, Any], *, strip: bool = True) -> str:
        """The text for one row. Raises SettingError where the row does not have what it needs."""
        try:
            text = self._compiled.render(row)
            return text.strip() if strip else text
        except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError) as error:
            raise SettingError(f"{self.place}: the template cannot be filled: {error}.") from error


@dataclass(frozen=True)
class Expression:
    """A Jinja expression, such as `0.3 * judged.helpful + 2`."""

    text: str
    place: str = ""

    @classmethod
    def of(cls, node: Node) -> Expression:
        value = node.value
        text = str(value) if isinstance(value, bool | int | float) else node.text()
        expression = cls(text, node.path)
        try:
            expression.refers  # noqa: B018
            expression._compiled  # noqa: B018
        except jinja2.TemplateSyntaxError as error:
            raise node.error(f"{text!r} is no expression: {error.message}.") from error
        return expression

    @cached_property
    def refers(self) -> frozenset[str]:
        env = _environment()
        tree = env.parse("{{ (" + self.text + ") }}")
        return frozenset(meta.find_undeclared_variables(tree)) - set(env.globals)

    @cached_property
    def _compiled(self) -> Any:
        return _environment().compile_expression(self.text, undefined_to_none=False)

    def value(self, row: dict[str, Any]) -> Any:
        """The value for one row. Raises SettingError where it cannot be had."""
        try:
            found = self._compiled(**row)
        except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError) as error:
            raise SettingError(f"{self.place}: {self.text!r} fails: {error}.") from error
        if isinstance(found, jinja2.Undefined):
            raise SettingError(
                f"{self.place}: {self.text!r} names something that is not there. Look at the "
                "names, or give rows that have it."
            )
        return found
