"""Columns that a model writes or judges, and loops over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import pyarrow as pa

from geurim.contract import Json
from geurim.errors import SettingError, TeacherFailed
from geurim.generators.text.columns import Column, Dropped, Finish, Scope
from geurim.generators.text.replies import alone, parse_list, parse_score, repair_json
from geurim.generators.text.teacher import Answer, Request
from geurim.generators.text.templates import Expression, Template
from geurim.nodes import Node, shown

ASKING = ("system", "teacher", "parameters", "truncated", "repairs")
"""Keys of every column that asks a model."""

Message = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Asking(Column):
    """What columns that ask have in common: messages, teacher, parameters, what to do if cut."""

    costs: ClassVar[bool] = True

    turns: tuple[tuple[str, Template], ...]  # role and template, in order
    teacher: str = "default"  # a name; "any": one of all by lot
    parameters: Mapping[str, Json] = field(default_factory=dict)
    truncated: str = "drop"  # or "keep"
    repairs: int = 1  # how often a structured answer that does not fit is asked for again

    @property
    def needs(self) -> frozenset[str]:
        return frozenset().union(*(t.refers for _, t in self.turns))

    def messages(self, row: dict[str, Any]) -> tuple[Message, ...]:
        return tuple({"role": role, "content": t.render(row)} for role, t in self.turns)

    def ask(
        self,
        name: str,
        scope: Scope,
        messages: tuple[Message, ...],
        *,
        schema: Mapping[str, Json] | None = None,
        raw: bool = False,
        again: int = 0,
        lot: int | None = None,
    ) -> Callable[[], Answer]:
        """Send a request; the answer is waited for when it is called for.

        `lot`: the repetition whose teacher is asked, where one is taken by lot; else its own.
        """
        assert scope.live is not None
        live, number = scope.live, scope.number(name, again)
        chosen = number if lot is None else scope.number(name, lot)
        teacher = live.teacher_name(self.teacher, chosen)
        request = Request(
            messages=messages,
            model=live.session.teachers[teacher].model,
            parameters={**live.parameters, **self.parameters},
            schema=schema,
            sample=number,
            raw=raw,
        )
        future = live.session.ask(request, teacher, place=scope.place)

        def wait() -> Answer:
            try:
                return future.result()
            except TeacherFailed as error:
                if (why := live.session.stopped) is not None:
                    raise why from error  # no other row would be answered either
                raise Dropped(name, f"the teacher gave no answer: {error}") from error

        return wait

    def whole(self, name: str, answer: Answer) -> str:
        """The answer's text, unless it was cut short or refused by a filter."""
        if answer.truncated and self.truncated == "drop":
            raise Dropped(
                name,
                f"truncated after {answer.completion_tokens} tokens (finish reason "
                f"'{answer.finish}'): raise max_tokens, or shorten what is asked for",
            )
        if answer.finish == "content_filter":
            raise Dropped(name, "withheld by the provider's filter (finish reason content_filter)")
        return answer.text

    def structured(
        self,
        name: str,
        scope: Scope,
        messages: tuple[Message, ...],
        schema: Mapping[str, Json],
        again: int = 0,
    ) -> Finish:
        """An answer of a JSON schema; one that does not fit is asked for again, `repairs` times."""
        first = self.ask(name, scope, messages, schema=schema, again=again)

        def finish() -> Any:
            wait, talk = first, messages
            for attempt in range(self.repairs + 1):
                answer = wait()
                text = self.whole(name, answer)
                if answer.truncated:  # never a parse error; "keep" has nothing to keep here
                    raise Dropped(name, "truncated before its JSON was whole")
                value, fault = json_of(text, schema)
                if fault is None:
                    return value
                if attempt < self.repairs:
                    wish = f"{fault}. Answer again, with JSON of the schema and nothing else."
                    talk = (
                        *talk,
                        {"role": "assistant", "content": text},
                        {"role": "user", "content": wish},
                    )
                    nth = again * 100 + attempt + 1
                    wait = self.ask(name, scope, talk, schema=schema, again=nth, lot=again)
            raise Dropped(name, f"not of the schema after {self.repairs} repairs: {fault}")

        return finish

    @staticmethod
    def common(node: Node, own: str) -> dict[str, Any]:
        """The settings that all asking columns read from their entry."""
        turns: list[tuple[str, Template]] = []
        if (system := node.get("system")) is not None:
            turns.append(("system", Template.of(system)))
        inner = node.need(own)
        if isinstance(inner.value, list):
            for turn in inner.list():
                turn.mapping(("system", "user", "assistant"))
                turns += [(role, Template.of(text)) for role, text in turn.items()]
        else:
            turns.append(("user", Template.of(inner)))
        cut = node.get("truncated")
        if cut and cut.text() not in ("drop", "keep"):
            raise cut.error(f"{cut.value!r} was given. Give drop or keep.")
        teacher, repairs = node.get("teacher"), node.get("repairs")
        parameters = node.get("parameters")
        return {
            "turns": tuple(turns),
            "teacher": teacher.text() if teacher else "default",
            "parameters": dict(parameters.mapping()) if parameters else {},
            "truncated": cut.text() if cut else "drop",
            "repairs": repairs.count(0) if repairs else 1,
        }


def json_of(text: str, schema: Mapping[str, Json]) -> tuple[Any, str | None]:
    """The value of a structured answer, and what is wrong with it (None: nothing)."""
    import jsonschema

    try:
        value = repair_json(text)
    except ValueError as error:
        return None, f"This is not JSON: {error}"
    fault = jsonschema.exceptions.best_match(
        jsonschema.Draft202012Validator(schema).iter_errors(value)
    )
    if fault is None:
        return value, None
    place = ".".join(map(str, fault.absolute_path)) or "the answer"
    return value, f"{place}: {fault.message[:200]}"


def schema_of(node: Node | None) -> Mapping[str, Json] | None:
    """A JSON schema of a recipe, checked to be one."""
    if node is None:
        return None
    import jsonschema

    schema = dict(node.mapping())
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise node.error(f"this is no JSON schema: {error.message[:200]}.") from error
    return schema


def schema_type(schema: Mapping[str, Json]) -> pa.DataType:
    """The Arrow type of values of a JSON schema; what has no fixed shape is kept as JSON text."""
    kind = schema.get("type")
    if kind == "object" and schema.get("properties"):
        return pa.struct([(n, schema_type(s)) for n, s in schema["properties"].items()])
    if kind == "array" and isinstance(schema.get("items"), Mapping):
        return pa.list_(schema_type(schema["items"]))
    simple = {"integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_()}
    return simple.get(kind, pa.string()) if isinstance(kind, str) else pa.string()


def of_type(value: Any, kind: pa.DataType) -> Any:
    """A JSON value in the shape of `schema_type`."""
    if value is None:
        return None
    if pa.types.is_struct(kind):
        return {f.name: of_type(value.get(f.name), f.type) for f in kind}
    if pa.types.is_list(kind):
        return [of_type(v, kind.value_type) for v in value]
    if pa.types.is_string(kind) and not isinstance(value, str):
        import json

        return json.dumps(value, ensure_ascii=False)
    return float(value) if pa.types.is_floating(kind) else value


@dataclass(frozen=True, kw_only=True)
class Prompt(Asking):
    """What a model writes: a text, a list of texts, or a value of a JSON schema."""

    kind: ClassVar[str] = "prompt"
    keys: ClassVar[tuple[str, ...]] = (
        *ASKING,
        "structured",
        "list",
        "samples",
        "raw",
        "after",
        "alone",
    )

    schema: Mapping[str, Json] | None = None
    list: bool = False  # numbered or bulleted lines, as a list
    samples: int | None = None  # a list of so many answers
    raw: bool = False  # the text goes to the model as it is, without its chat template
    after: str | None = None  # keep only what follows the last of these words
    alone: bool = False  # without the label or the quotes that a model puts around it

    @property
    def type(self) -> pa.DataType:
        kind = pa.list_(pa.string()) if self.list else pa.string()
        if self.schema is not None:
            kind = schema_type(self.schema)
        return kind if self.samples is None else pa.list_(kind)

    def messages(self, row: dict[str, Any]) -> tuple[Message, ...]:
        if not self.raw:
            return super().messages(row)
        # A bare prompt ends as it is written: the line break after the user's mark counts.
        return tuple({"role": r, "content": t.render(row, strip=False)} for r, t in self.turns)

    def begin(self, name: str, scope: Scope) -> Finish:
        messages = self.messages(scope.row)
        if self.samples is None:
            return self._once(name, scope, messages, 0)
        waits = [self._once(name, scope, messages, i) for i in range(self.samples)]
        return lambda: [wait() for wait in waits]

    def _once(self, name: str, scope: Scope, messages: tuple[Message, ...], again: int) -> Finish:
        if self.schema is not None:
            schema, kind = self.schema, schema_type(self.schema)
            wait = self.structured(name, scope, messages, schema, again)
            return lambda: of_type(wait(), kind)
        ask = self.ask(name, scope, messages, raw=self.raw, again=again)

        def finish() -> Any:
            answer = ask()
            text = self._after(self.whole(name, answer)).strip()
            text = alone(text) if self.alone else text
            if self.list:
                found = parse_list(text, truncated=answer.truncated)
                if not found:
                    raise Dropped(name, f"no list in the answer: {shown(text)}")
                return found
            if not text:
                raise Dropped(name, f"the answer is empty (finish reason '{answer.finish}')")
            return text

        return finish

    def _after(self, text: str) -> str:
        return text.rpartition(self.after)[2] if self.after else text

    @classmethod
    def parse(cls, node: Node) -> Prompt:
        shape, listed, samples = node.get("structured"), node.get("list"), node.get("samples")
        raw, after, bare = node.get("raw"), node.get("after"), node.get("alone")
        schema = schema_of(shape)
        if shape and listed:
            raise node.error("`structured` and `list` exclude each other. Leave one out.")
        return cls(
            **Asking.common(node, "prompt"),
            schema=schema,
            list=listed.flag() if listed else False,
            samples=samples.count() if samples else None,
            raw=raw.flag() if raw else False,
            after=after.text() if after else None,
            alone=bare.flag() if bare else False,
        )


@dataclass(frozen=True, kw_only=True)
class Judge(Asking):
    """A model's verdict: a score on a scale, a score for each attribute, or the better of two.

    A reply without a clear score drops the row; with `unsure: keep` the value is missing. `compare`
    names two columns; the judge sees them as `first` and `second`, is asked twice with the order
    swapped, and a winner counts only where both agree (Nemotron-4 340B, section 3). `reason`: the
    JSON of attributes or of a comparison begins with a field `reason`, so that the judge looks
    before it scores; what stands there is in the record and not among the values.
    """

    kind: ClassVar[str] = "judge"
    keys: ClassVar[tuple[str, ...]] = (
        *ASKING, "scale", "attributes", "compare", "unsure", "reason",
    )  # fmt: skip

    low: float = 1.0
    high: float = 5.0
    attributes: tuple[str, ...] = ()
    compare: tuple[str, ...] = ()  # two columns
    unsure: str = "drop"
    reason: bool = False

    @property
    def type(self) -> pa.DataType:
        if self.compare:
            return pa.struct([("winner", pa.string()), ("agreed", pa.bool_())])
        if self.attributes:
            return pa.struct([(a, pa.float64()) for a in self.attributes])
        return pa.float64()

    @property
    def needs(self) -> frozenset[str]:
        return (super().needs - {"first", "second"} if self.compare else super().needs) | frozenset(
            self.compare
        )

    def begin(self, name: str, scope: Scope) -> Finish:
        if self.compare:
            return self._compared(name, scope)
        messages = self.messages(scope.row)
        if self.attributes:
            wait = self.structured(name, scope, messages, self._schema)
            return lambda: {a: float(v) for a, v in wait().items() if a in self.attributes}
        ask = self.ask(name, scope, messages)
        return lambda: self._score(name, self.whole(name, ask()))

    @property
    def _schema(self) -> dict[str, Json]:
        score = {"type": "integer", "minimum": int(self.low), "maximum": int(self.high)}
        return self._object(dict.fromkeys(self.attributes, score))

    def _object(self, values: Mapping[str, Json]) -> dict[str, Json]:
        first: dict[str, Json] = {"reason": {"type": "string"}} if self.reason else {}
        return {
            "type": "object",
            "properties": {**first, **values},
            "required": [*first, *values],
            "additionalProperties": False,
        }

    def _score(self, name: str, text: str) -> float | None:
        score = parse_score(text, self.low, self.high)
        if score is None and self.unsure == "drop":
            raise Dropped(name, f"no score from {self.low:g} to {self.high:g} in {shown(text)}")
        return score

    def _compared(self, name: str, scope: Scope) -> Finish:
        schema = self._object({"better": {"type": "string", "enum": ["first", "second", "tie"]}})
        waits = []
        for turn, (one, two) in enumerate((self.compare, self.compare[::-1])):
            row = {**scope.row, "first": scope.row[one], "second": scope.row[two]}
            waits.append(self.structured(name, scope, self.messages(row), schema, turn + 1))

        def finish() -> dict[str, Any]:
            first, second = (wait()["better"] for wait in waits)
            swapped = {"first": "second", "second": "first", "tie": "tie"}[second]
            agreed = first == swapped
            names = {"first": self.compare[0], "second": self.compare[1]}
            return {"winner": names.get(first) if agreed else None, "agreed": agreed}

        return finish

    @classmethod
    def parse(cls, node: Node) -> Judge:
        scale, attributes = node.get("scale"), node.get("attributes")
        compare, unsure, reason = node.get("compare"), node.get("unsure"), node.get("reason")
        ends = [n.number() for n in scale.list()] if scale else [1.0, 5.0]
        if len(ends) != 2 or ends[0] >= ends[1]:
            raise (scale or node).error(f"{ends} was given. Give the two ends: [1, 5].")
        two = compare.texts() if compare else ()
        if compare and len(two) != 2:
            raise compare.error(f"{list(two)} was given. Name two columns.")
        if reason and not (attributes or compare):
            raise reason.error("a score is read from words: let the prompt ask for the reason.")
        if unsure and unsure.text() not in ("drop", "keep"):
            raise unsure.error(f"{unsure.value!r} was given. Give drop or keep.")
        return cls(
            **Asking.common(node, "judge"),
            low=float(ends[0]),
            high=float(ends[1]),
            attributes=attributes.texts() if attributes else (),
            compare=two,
            unsure=unsure.text() if unsure else "drop",
            reason=reason.flag() if reason else False,
        )


@dataclass(frozen=True, kw_only=True)
class Loop(Column):
    """Columns worked out again and again until a condition holds; every round is kept.

    Within a round `previous` is the round before it (None in the first one), `round` its number
    from 1. The value is the list of all rounds. A round after the first that comes to nothing (cut
    short, without a score, …) ends the loop: what was made before it stands.
    """

    kind: ClassVar[str] = "loop"
    costs: ClassVar[bool] = True

    columns: Mapping[str, Column]  # in the order they are worked out
    until: Expression
    most: int

    @property
    def type(self) -> pa.DataType:
        return pa.list_(pa.struct([(n, c.type) for n, c in self.columns.items()]))

    @property
    def asks(self) -> bool:
        return any(c.asks for c in self.columns.values())

    @property
    def needs(self) -> frozenset[str]:
        inner = frozenset().union(*(c.refers for c in self.columns.values()))
        return (inner | self.until.refers) - set(self.columns) - {"previous", "round"}

    def begin(self, name: str, scope: Scope) -> Finish:
        return lambda: self._rounds(name, scope)

    def _rounds(self, name: str, scope: Scope) -> list[dict[str, Any]]:
        rounds: list[dict[str, Any]] = []
        for number in range(1, self.most + 1):
            row = {**scope.row, "previous": rounds[-1] if rounds else None, "round": number}
            for inner, column in self.columns.items():
                here = replace(scope, row=row, path=f"{scope.path}{name}/{number}/")
                try:
                    row[inner] = value(inner, column, here)()
                except Dropped as error:
                    if rounds:
                        return rounds
                    begun = {n: row[n] for n in self.columns if n in row}
                    stage = f"{name}.{error.stage}"
                    raise Dropped(stage, error.reason, {name: [begun]}) from error
            rounds.append({n: row[n] for n in self.columns})
            if self.until.value(row):
                break
        return rounds

    @classmethod
    def parse(cls, node: Node) -> Loop:
        from geurim.generators.text.recipe import parse_columns

        inner = node.need("loop")
        inner.mapping(("columns", "until", "most"))
        most = inner.get("most")
        until = inner.get("until")
        return cls(
            columns=parse_columns(inner.need("columns"), outer=("previous", "round")),
            until=Expression.of(until) if until else Expression("false"),
            most=most.count() if most else 3,
        )


def value(name: str, column: Column, scope: Scope) -> Finish:
    """Start a column for a row, unless its `when` says that the value is missing."""
    if column.when is not None and not column.when.value(scope.row):
        return lambda: None
    try:
        return column.begin(name, scope)
    except KeyError as error:
        raise SettingError(f"columns.{name}: the row has no {error}.") from error
