"""Columns made of what a model wrote: what its program prints, a score of it, its noisy form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import pyarrow as pa

from geurim.contract import Json
from geurim.generators.text.asked import json_of, of_type, schema_of, schema_type
from geurim.generators.text.columns import Column, Dropped, Finish, Scope
from geurim.generators.text.replies import extract_code
from geurim.generators.text.templates import Template
from geurim.nodes import Node, shown


@dataclass(frozen=True, kw_only=True)
class Program(Column):
    """What a program prints that a model wrote: it runs in the sandbox. Text, or JSON of a schema.

    A program that fails, or whose output is not of the schema, drops the row.
    """

    kind: ClassVar[str] = "run"
    keys: ClassVar[tuple[str, ...]] = ("structured", "stdin", "seconds")

    of: str
    schema: Mapping[str, Json] | None = None
    stdin: Template | None = None
    seconds: float = 5.0

    @property
    def type(self) -> pa.DataType:
        return pa.string() if self.schema is None else schema_type(self.schema)

    @property
    def needs(self) -> frozenset[str]:
        return frozenset([self.of]) | (self.stdin.refers if self.stdin else frozenset())

    def begin(self, name: str, scope: Scope) -> Finish:
        assert scope.live is not None
        sandbox = scope.live.sandbox
        try:
            code = extract_code(str(scope.row[self.of]))
        except ValueError as error:
            raise Dropped(name, str(error)) from error
        stdin = self.stdin.render(scope.row) if self.stdin else ""

        def finish() -> Any:
            ran = sandbox.run_python(code, stdin=stdin, seconds=self.seconds)
            if not ran.ok:
                raise Dropped(name, f"the program in {self.of} failed: {ran.why()}")
            if self.schema is None:
                return ran.stdout.strip()
            value, fault = json_of(ran.stdout, self.schema)
            if fault is not None:
                raise Dropped(name, f"what the program in {self.of} printed does not fit: {fault}")
            return of_type(value, self.type)

        return finish

    @classmethod
    def parse(cls, node: Node) -> Program:
        shape, stdin, seconds = (node.get(k) for k in ("structured", "stdin", "seconds"))
        return cls(
            of=node.need("run").text(),
            schema=schema_of(shape),
            stdin=Template.of(stdin) if stdin else None,
            seconds=seconds.number(0.1, 600) if seconds else 5.0,
        )


@dataclass(frozen=True, kw_only=True)
class Scored(Column):
    """A score without a judge's words: rules, log-probability, difficulty, a reward model."""

    kind: ClassVar[str] = "score"
    keys: ClassVar[tuple[str, ...]] = ("of", "given", "with", "teacher")

    score: str
    of: str
    given: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)  # a Template is filled for each row
    teacher: str = "default"

    @property
    def asks(self) -> bool:
        return self.score in ("logprob", "difficulty")

    @property
    def type(self) -> pa.DataType:
        return pa.float64()

    @property
    def needs(self) -> frozenset[str]:
        names = frozenset([self.of] + ([self.given] if self.given else []))
        return names.union(*(v.refers for v in self.settings.values() if isinstance(v, Template)))

    def begin(self, name: str, scope: Scope) -> Finish:
        assert scope.live is not None
        filled = {
            k: v.render(scope.row) if isinstance(v, Template) else v
            for k, v in self.settings.items()
        }
        scorer = scope.live.scorer(self, filled)
        given = scope.row[self.given] if self.given else ""
        batch = pa.RecordBatch.from_pydict(
            {"text": [str(scope.row[self.of])], "given": [str(given)]}
        )

        def finish() -> float:
            value = float(scorer.score(batch)[0])
            if value != value:
                raise Dropped(name, f"{self.score} cannot score {shown(scope.row[self.of])}")
            return value

        return finish

    @classmethod
    def parse(cls, node: Node) -> Scored:
        given, settings, teacher = node.get("given"), node.get("with"), node.get("teacher")
        inner = node.need("score")
        from geurim.generators.text import live

        if inner.text() not in live.SCORERS:
            raise inner.error(f"{inner.value!r} is no score. Choose: {', '.join(live.SCORERS)}.")
        return cls(
            score=inner.text(),
            of=node.need("of").text(),
            given=given.text() if given else None,
            settings=_settings(settings) if settings else {},
            teacher=teacher.text() if teacher else "default",
        )


def _settings(node: Node) -> dict[str, Any]:
    return {
        key: Template.of(node.need(key)) if isinstance(value, str) and "{{" in value else value
        for key, value in node.mapping().items()
    }


@dataclass(frozen=True, kw_only=True)
class Noisy(Column):
    """Another column made real: typos, spacing, slang, at rates given or learned."""

    kind: ClassVar[str] = "noise"
    keys: ClassVar[tuple[str, ...]] = ("rates", "language", "like", "keep")

    of: str
    rates: Mapping[str, float] | None
    language: Literal["ko", "en"] | None = None
    like: str | None = None  # a source of real texts, whose rates are reproduced
    keep: tuple[str, ...] = ()  # patterns that stay as they are

    @property
    def type(self) -> pa.DataType:
        return pa.string()

    @property
    def needs(self) -> frozenset[str]:
        return frozenset([self.of])

    def begin(self, name: str, scope: Scope) -> Finish:
        assert scope.live is not None
        noise = scope.live.noise(self)
        value = scope.row[self.of]
        made = None if value is None else noise.apply([value], scope.rng(name))[0].as_py()
        return lambda: made

    @classmethod
    def parse(cls, node: Node) -> Noisy:
        rates, language, like = node.get("rates"), node.get("language"), node.get("like")
        if language and language.text() not in ("ko", "en"):
            raise language.error(f"{language.value!r} was given. Give ko or en.")
        if (rates is None) == (like is None):
            raise node.error("give either `rates`, or `like` with a source of real texts.")
        keep = node.get("keep")
        return cls(
            of=node.need("noise").text(),
            rates={k: n.number(0) for k, n in rates.items()} if rates else None,
            language=language.value if language else None,
            like=like.text() if like else None,
            keep=keep.texts() if keep else (),
        )
