"""The kinds of column a recipe can have, but for those that ask a model (`asked.py`).

A column says which names it `refers` to, of which Arrow `type` it is, and `begin`s its value for a
row: what it returns is called when the value is needed, so that columns which wait for a model
wait at the same time. A row that is not to be kept raises `Dropped`.
"""

from __future__ import annotations

import abc
import threading
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from geurim.errors import SettingError
from geurim.generators.text.templates import Expression, Template
from geurim.nodes import Node, shown

if TYPE_CHECKING:
    from geurim.generators.text.live import Live

Finish = Callable[[], Any]


class Dropped(Exception):
    """This row is not kept: the stage that says so, why, and `values` for the reject to show."""

    def __init__(self, stage: str, reason: str, values: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{stage}: {reason}")
        self.stage, self.reason, self.values = stage, reason, dict(values or {})


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What a column may see of its row: the values so far, its random stream, the teachers."""

    row: dict[str, Any]
    seed: int  # of this row: 63 bits
    live: Live | None = None
    path: str = ""  # within loops: "drafts/0/"
    place: int = 0  # of the row among those under way: the first begun is finished first

    def number(self, name: str, again: int = 0) -> int:
        """A number of this row, this column and this repetition alone; it tells requests apart."""
        return self.seed ^ zlib.crc32(f"{self.path}{name}/{again}".encode())

    def rng(self, name: str) -> np.random.Generator:
        """The random stream of one column: a new column beside it changes nothing here."""
        return np.random.default_rng(np.random.SeedSequence(self.number(name)))


@dataclass(frozen=True, kw_only=True)
class Column(abc.ABC):
    """One column of a recipe."""

    kind: ClassVar[str]
    keys: ClassVar[tuple[str, ...]] = ()  # what may stand beside the kind's own key
    costs: ClassVar[bool] = False  # asks a model: what is free is worked out before it

    when: Expression | None = None  # where it is false, the value is missing

    @property
    @abc.abstractmethod
    def type(self) -> pa.DataType:
        """The Arrow type of the values."""

    @property
    def asks(self) -> bool:
        """Whether a teacher is needed for it."""
        return self.costs

    @property
    def silent(self) -> bool:
        """Whether it says nothing of a kept row, and is left out of it."""
        return False

    @property
    def needs(self) -> frozenset[str]:
        """The names that the value itself needs."""
        return frozenset()

    @property
    def refers(self) -> frozenset[str]:
        """Every name that has to be known before this column."""
        return self.needs | (self.when.refers if self.when else frozenset())

    @abc.abstractmethod
    def begin(self, name: str, scope: Scope) -> Finish:
        """Start the value of one row."""

    @classmethod
    @abc.abstractmethod
    def parse(cls, node: Node) -> Column:
        """The column from the node of its whole entry."""


@dataclass(frozen=True, kw_only=True)
class Choose(Column):
    """One of some values, by weight; or by the value of another column."""

    kind: ClassVar[str] = "choose"
    keys: ClassVar[tuple[str, ...]] = ("count",)

    options: Mapping[Any, tuple[tuple[Any, ...], tuple[float, ...]]]  # by value of `by`, or None
    by: str | None = None
    count: int | None = None  # None: one value; else a list of different ones

    @property
    def type(self) -> pa.DataType:
        values = [v for found, _ in self.options.values() for v in found]
        kind = pa.array(values).type
        return kind if self.count is None else pa.list_(kind)

    @property
    def needs(self) -> frozenset[str]:
        return frozenset([self.by] if self.by else [])

    def begin(self, name: str, scope: Scope) -> Finish:
        value = self._draw(name, scope)
        return lambda: value

    def _draw(self, name: str, scope: Scope) -> Any:
        key = scope.row[self.by] if self.by else None
        if key not in self.options:
            raise SettingError(
                f"columns.{name}: there is no list for {self.by} = {key!r}. Add one; there are: "
                f"{', '.join(map(repr, self.options))}."
            )
        values, weights = self.options[key]
        rng = scope.rng(name)
        if self.count is None:
            return values[_pick(weights, rng)]
        share = np.array(weights) / sum(weights)
        most = min(self.count, int(np.count_nonzero(share)))
        return [values[i] for i in rng.choice(len(values), most, replace=False, p=share)]

    @classmethod
    def parse(cls, node: Node) -> Choose:
        inner = node.need("choose")
        count = node.get("count")
        by = None
        if isinstance(inner.value, Mapping) and set(inner.value) == {"by", "of"}:
            by = inner.need("by").text()
            options: dict[Any, Any] = {k: _weighted(n) for k, n in inner.need("of").items()}
        else:
            options = {None: _weighted(inner)}
        return cls(options=options, by=by, count=count.count() if count else None)


def _weighted(node: Node) -> tuple[tuple[Any, ...], tuple[float, ...]]:
    """Values and weights from a list, or from a mapping value -> weight."""
    if isinstance(node.value, Mapping) and node.value:
        weights = tuple(node.at(str(k), w).number(0) for k, w in node.value.items())
        if not sum(weights) > 0:
            raise node.error(f"the weights {weights} add up to 0. Give one above 0.")
        return tuple(node.value), weights
    values = tuple(n.value for n in node.list())
    if any(isinstance(v, Mapping | list) for v in values):
        raise node.error("values are texts, numbers, true or false. Give such a list.")
    try:
        pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        raise node.error(f"{shown(values)} mixes texts and numbers. Quote the numbers.") from None
    return values, (1.0,) * len(values)


def _pick(weights: tuple[float, ...], rng: np.random.Generator) -> int:
    ends = np.cumsum(weights)
    return int(min(np.searchsorted(ends, rng.random() * ends[-1], "right"), len(weights) - 1))


@dataclass(frozen=True, kw_only=True)
class Number(Column):
    """A number: uniform between two ends, or normal with a mean and a standard deviation."""

    kind: ClassVar[str] = "number"

    low: float | None
    high: float | None
    mean: float | None = None
    deviation: float = 1.0
    decimals: int | None = None  # 0 where both ends are whole numbers

    @property
    def type(self) -> pa.DataType:
        return pa.int64() if self.decimals == 0 else pa.float64()

    def begin(self, name: str, scope: Scope) -> Finish:
        value = self._draw(scope.rng(name))
        return lambda: value

    def _draw(self, rng: np.random.Generator) -> float:
        if self.mean is not None:
            low = -np.inf if self.low is None else self.low
            high = np.inf if self.high is None else self.high
            value = float(np.clip(rng.normal(self.mean, self.deviation), low, high))
        elif self.decimals == 0:
            assert self.low is not None and self.high is not None
            return int(rng.integers(int(self.low), int(self.high) + 1))
        else:
            assert self.low is not None and self.high is not None
            value = float(rng.uniform(self.low, self.high))
        if self.decimals is None:
            return value
        return round(value) if self.decimals == 0 else round(value, self.decimals)

    @classmethod
    def parse(cls, node: Node) -> Number:
        inner = node.need("number")
        if isinstance(inner.value, list):
            ends = [n.number() for n in inner.list()]
            if len(ends) != 2 or ends[0] > ends[1]:
                raise inner.error(f"{ends} was given. Give the two ends, as in [1, 10].")
            whole = all(isinstance(e, int) for e in ends)
            return cls(low=ends[0], high=ends[1], decimals=0 if whole else None)
        inner.mapping(("from", "to", "normal", "decimals"))
        low, high = (n.number() if (n := inner.get(k)) else None for k in ("from", "to"))
        decimals = n.count(0) if (n := inner.get("decimals")) else None
        if (normal := inner.get("normal")) is None:
            if low is None or high is None or low > high:
                raise inner.error("give both `from` and `to`, the smaller first, or `normal`.")
            return cls(low=low, high=high, decimals=decimals)
        shape = [n.number() for n in normal.list()]
        if len(shape) != 2 or shape[1] <= 0:
            raise normal.error(f"{shape} was given. Give mean and standard deviation: [50, 10].")
        return cls(low=low, high=high, mean=shape[0], deviation=shape[1], decimals=decimals)


@dataclass(frozen=True, kw_only=True)
class Persona(Column):
    """A made-up person of a locale: name, sex, age, occupation, city. Nobody real."""

    kind: ClassVar[str] = "persona"

    locale: str

    @property
    def type(self) -> pa.DataType:
        text = [(n, pa.string()) for n in ("name", "sex", "occupation", "city")]
        return pa.struct([*text, ("age", pa.int64())])

    def begin(self, name: str, scope: Scope) -> Finish:
        value = _person(self.locale, scope.number(name))
        return lambda: value

    @classmethod
    def parse(cls, node: Node) -> Persona:
        inner = node.need("persona")
        locale = inner.text().replace("-", "_")
        try:
            _faker(locale)
        except AttributeError:
            raise inner.error(f"there is no locale {locale!r}. Give one such as ko_KR.") from None
        return cls(locale=locale)


_LOCK = threading.Lock()


@lru_cache(maxsize=32)
def _faker(locale: str) -> Any:
    from faker import Faker

    return Faker(locale)


def _person(locale: str, seed: int) -> dict[str, Any]:
    words = ("남성", "여성") if locale == "ko_KR" else ("male", "female")
    with _LOCK:  # one Faker for all threads; it is seeded for every person
        faker = _faker(locale)
        faker.seed_instance(seed)
        male = faker.pybool()
        return {
            "name": faker.name_male() if male else faker.name_female(),
            "sex": words[0 if male else 1],
            "occupation": faker.job(),
            "city": faker.city(),
            "age": faker.random_int(18, 85),
        }


@dataclass(frozen=True, kw_only=True)
class Rows(Column):
    """Rows of another source by lot: one as a struct, or `count` different ones as a list.

    The recipe's `each` source is walked through in order instead of by lot.
    """

    kind: ClassVar[str] = "row"
    keys: ClassVar[tuple[str, ...]] = ("count",)

    source: str
    count: int | None = None
    table: pa.Table | None = field(default=None, compare=False, repr=False)  # bound by `fit`

    @property
    def type(self) -> pa.DataType:
        if self.table is None:
            raise SettingError(f"The source {self.source!r} has no rows yet. Fit the recipe first.")
        kind = pa.struct(list(self.table.schema))
        return kind if self.count is None else pa.list_(kind)

    def begin(self, name: str, scope: Scope) -> Finish:
        value = self._draw(scope.rng(name))
        return lambda: value

    def _draw(self, rng: np.random.Generator) -> Any:
        assert self.table is not None
        rows = self.table.num_rows
        if self.count is None:
            return self.row(int(rng.integers(rows)))
        chosen = rng.choice(rows, min(self.count, rows), replace=False)
        return [self.row(int(i)) for i in chosen]

    def row(self, at: int) -> dict[str, Any]:
        """One row of the source as a mapping."""
        assert self.table is not None
        found: dict[str, Any] = self.table.slice(at, 1).to_pylist()[0]
        return found

    @classmethod
    def parse(cls, node: Node) -> Rows:
        count = node.get("count")
        return cls(source=node.need("row").text(), count=count.count() if count else None)


TYPES: Mapping[str, pa.DataType] = {
    "text": pa.string(),
    "number": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "texts": pa.list_(pa.string()),
    "numbers": pa.list_(pa.float64()),
    "messages": pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())])),
    "integers": pa.list_(pa.int64()),
}
"""The types that a computed column can declare."""


def as_type(value: Any, kind: pa.DataType) -> Any:
    """A computed value in the type it was declared with; ValueError where it does not fit."""
    if value is None:
        return None
    if pa.types.is_list(kind):
        if isinstance(value, str) or not hasattr(value, "__iter__"):
            raise ValueError(f"{shown(value)} is no list")
        return [as_type(v, kind.value_type) for v in value]
    if pa.types.is_struct(kind):
        names = {f.name for f in kind}
        if not isinstance(value, Mapping) or set(value) != names:
            raise ValueError(f"{shown(value)} does not have just {', '.join(sorted(names))}")
        return {f.name: as_type(value[f.name], f.type) for f in kind}
    if pa.types.is_string(kind):
        return value if isinstance(value, str) else str(value)
    if pa.types.is_boolean(kind):
        return bool(value)
    if pa.types.is_integer(kind):
        if float(value) != int(value):
            raise ValueError(f"{value!r} is no whole number")
        return int(value)
    return float(value)


@dataclass(frozen=True, kw_only=True)
class Compute(Column):
    """An expression over the row, of a `type`, or of the shape of a JSON schema (`structured`)."""

    kind: ClassVar[str] = "compute"
    keys: ClassVar[tuple[str, ...]] = ("type", "structured")

    expression: Expression
    declared: str = "text"
    shape: pa.DataType | None = None  # instead of `declared`

    @property
    def type(self) -> pa.DataType:
        return self.shape or TYPES[self.declared]

    @property
    def needs(self) -> frozenset[str]:
        return self.expression.refers

    def begin(self, name: str, scope: Scope) -> Finish:
        worked_out = self.expression.value(scope.row)
        try:
            value = as_type(worked_out, self.type)
        except (ValueError, TypeError) as error:
            declared = "structured" if self.shape else self.declared
            raise SettingError(
                f"columns.{name}: the value is not of type {declared!r}: {error}. Declare "
                f"another `type`: {', '.join(TYPES)}."
            ) from error
        return lambda: value

    @classmethod
    def parse(cls, node: Node) -> Compute:
        kind, shape = node.get("type"), node.get("structured")
        declared = kind.text() if kind else "text"
        if kind and shape:
            raise node.error("`type` and `structured` exclude each other. Leave one out.")
        if kind and declared not in TYPES:
            raise kind.error(f"{declared!r} is no type. Choose one of: {', '.join(TYPES)}.")
        from geurim.generators.text.asked import schema_type

        return cls(
            expression=Expression.of(node.need("compute")),
            declared=declared,
            shape=schema_type(dict(shape.mapping())) if shape else None,
        )


@dataclass(frozen=True, kw_only=True)
class Require(Column):
    """A condition that every kept row meets; rows that do not go to the rejects."""

    kind: ClassVar[str] = "require"
    keys: ClassVar[tuple[str, ...]] = ("reason",)

    expression: Expression
    reason: str | None = None

    @property
    def silent(self) -> bool:
        return True

    @property
    def type(self) -> pa.DataType:
        return pa.bool_()

    @property
    def needs(self) -> frozenset[str]:
        return self.expression.refers

    def begin(self, name: str, scope: Scope) -> Finish:
        if not self.expression.value(scope.row):
            named = ", ".join(
                f"{n} = {shown(scope.row[n])}"
                for n in sorted(self.expression.refers)
                if n in scope.row
            )
            raise Dropped(name, self.reason or f"{self.expression.text} does not hold: {named}")
        return lambda: True

    @classmethod
    def parse(cls, node: Node) -> Require:
        reason = node.get("reason")
        return cls(
            expression=Expression.of(node.need("require")), reason=reason.text() if reason else None
        )


@dataclass(frozen=True, kw_only=True)
class Fixed(Column):
    """A value that is the same in every row; `--set` puts it in another column's place."""

    kind: ClassVar[str] = "fixed"

    value: Any

    @property
    def type(self) -> pa.DataType:
        return pa.array([self.value]).type

    def begin(self, name: str, scope: Scope) -> Finish:
        return lambda: self.value

    @classmethod
    def parse(cls, node: Node) -> Fixed:
        value = node.need("fixed").value
        try:
            pa.array([value])
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            raise node.error(f"{shown(value)} has no type. Give a text, number or list.") from None
        return cls(value=value)


@dataclass(frozen=True, kw_only=True)
class Items(Column):
    """Makes one row of each entry of a list: what refers to it is worked out for each entry."""

    kind: ClassVar[str] = "items"

    of: str

    @property
    def type(self) -> pa.DataType:  # settled by the recipe, which knows the list's type
        return pa.string()

    @property
    def needs(self) -> frozenset[str]:
        return frozenset([self.of])

    def begin(self, name: str, scope: Scope) -> Finish:
        raise NotImplementedError("the recipe splits rows, not the column")

    @classmethod
    def parse(cls, node: Node) -> Items:
        return cls(of=node.need("items").text())


@dataclass(frozen=True, kw_only=True)
class Checked(Column):
    """A value that really is valid: JSON of a schema, code that runs, SQL that runs, a pattern."""

    kind: ClassVar[str] = "check"
    keys: ClassVar[tuple[str, ...]] = ("of", "drop", "with")

    of: str
    check: str
    settings: Mapping[str, Any]
    drop: bool = True  # False: the column says whether it is valid, and the row stays
    others: frozenset[str] = frozenset()  # columns that settings name, by name or in templates

    @property
    def silent(self) -> bool:
        return self.drop

    @property
    def type(self) -> pa.DataType:
        return pa.bool_()

    @property
    def needs(self) -> frozenset[str]:
        return frozenset([self.of]) | self.others

    def begin(self, name: str, scope: Scope) -> Finish:
        assert scope.live is not None
        found = scope.live.check(self.check, self.settings)
        value = scope.row[self.of]

        def finish() -> bool:
            why = "it is missing" if value is None else found.check(str(value), scope.row)
            if why is not None and self.drop:
                raise Dropped(name, f"{self.of}: {why}")
            return why is None

        return finish

    def among(self, columns: Iterable[str]) -> Checked:
        """The same check, knowing which of its settings name columns."""
        texts = [v for v in self.settings.values() if isinstance(v, str)]
        named = {t for t in texts if t in set(columns)}
        filled = [Template(t).refers for t in texts if "{{" in t or "{%" in t]
        return replace(self, others=frozenset(named).union(*filled))

    @classmethod
    def parse(cls, node: Node) -> Checked:
        inner, settings = node.need("check"), node.get("with")
        check, drop = inner.text(), node.get("drop")
        given = dict(settings.mapping()) if settings else {}
        from geurim.generators.text import checks

        try:
            checks.check(check, **given)
        except SettingError as error:
            raise inner.error(str(error)) from error
        return cls(
            of=node.need("of").text(),
            check=check,
            settings=given,
            drop=drop.flag() if drop else True,
        )
