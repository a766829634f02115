"""The kinds of column that a row makes by itself: chosen, drawn, computed, written.

Each is a class with the key that names it in a world (`kind`), what stands under it (`shape`) and
beside it (`options`), how it is read and how it is made. Kinds that look at other rows are in
`linked.py`, those that make names and addresses in `providers.py`; `KINDS` in `columns.py` lists
all.
"""

from __future__ import annotations

import abc
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.generators.rules.distributions import DISTRIBUTIONS, chosen
from geurim.generators.rules.draws import OPTIONS, Draw, read_draw
from geurim.generators.rules.formulas import LINK, Formula, Names, Value, needs, numbers
from geurim.generators.rules.options import Option, Options
from geurim.generators.rules.rows import Rows
from geurim.generators.rules.streams import Streams
from geurim.nodes import Node, shown

if TYPE_CHECKING:
    from geurim.generators.rules.scope import Scope


class Kind(abc.ABC):
    """How the values of a column come about: an immutable value, read from a world."""

    kind: ClassVar[str]
    shape: ClassVar[str | tuple[str, ...]]
    options: ClassVar[Options] = {}
    type: pa.DataType

    @classmethod
    @abc.abstractmethod
    def read(cls, node: Node, names: Scope) -> Kind:
        """The kind at a node, a mapping that has the key `kind`. Raises SettingError."""

    @abc.abstractmethod
    def make(self, rows: Rows, streams: Streams) -> pa.Array:
        """The values of all rows (N,)."""

    @property
    def needs(self) -> frozenset[str]:
        """The dotted names that must be there before."""
        return needs(self)

    @property
    def wants(self) -> frozenset[tuple[str, str]]:
        """Columns of tables in the same block that must be there; "" for the rows themselves."""
        return frozenset()

    @property
    def whole(self) -> frozenset[tuple[str, str]]:
        """Columns of other tables that must be there, of all their rows."""
        return frozenset()

    @property
    def link(self) -> str | None:
        """The table whose rows the values are, as row numbers."""
        return None

    @property
    def everywhere(self) -> bool:
        """Of a link: whether the numbers are those of the whole table, not of the same block."""
        return False


@dataclass(frozen=True)
class Constant(Kind):
    """The same value in every row."""

    value: Any
    type: pa.DataType
    kind = "constant"
    shape = "scalar"

    @classmethod
    def read(cls, node: Node, names: Scope) -> Constant:
        return cls.of(node.need("constant"))

    @classmethod
    def of(cls, node: Node) -> Constant:
        return cls(node.value, plain_array([node]).type)

    def make(self, rows: Rows, streams: Streams) -> pa.Array:
        return pa.repeat(pa.scalar(self.value, self.type), rows.count)


@dataclass(frozen=True)
class Computed(Kind):
    """The value of a formula."""

    formula: Formula
    kind = "formula"
    shape = "formula"

    @property
    def type(self) -> pa.DataType:
        return self.formula.type

    @classmethod
    def read(cls, node: Node, names: Scope) -> Computed:
        return cls(names.value(node.need("formula")))

    def make(self, rows: Rows, streams: Streams) -> pa.Array:
        return self.formula.values(rows)


@dataclass(frozen=True)
class Drawn(Kind):
    """Numbers from a distribution."""

    draw: Draw
    kind = "draw"
    shape = tuple(DISTRIBUTIONS)
    options = OPTIONS  # and the parameters, which `read_draw` checks

    @property
    def type(self) -> pa.DataType:
        return pa.int64() if self.draw.whole else pa.float64()

    @classmethod
    def read(cls, node: Node, names: Scope) -> Drawn:
        return cls(read_draw(node, names))

    def make(self, rows: Rows, streams: Streams) -> pa.Array:
        return pa.array(self.draw.values(rows, streams))


@dataclass(frozen=True)
class Mixed(Kind):
    """Numbers from one of several distributions, by their weights."""

    weights: tuple[Value, ...]
    draws: tuple[Draw, ...]
    kind = "mixture"
    shape = "mixture"

    @property
    def type(self) -> pa.DataType:
        return pa.int64() if all(d.whole for d in self.draws) else pa.float64()

    @classmethod
    def read(cls, node: Node, names: Scope) -> Mixed:
        parts = node.need("mixture").list()
        weights = [(n.need("weight"), names.number(n.need("weight"), 0)) for n in parts]
        check_sum(node.need("mixture"), [w for _, w in weights])
        draws = [read_draw(n, names, ["weight"]) for n in parts]
        return cls(tuple(w for _, w in weights), tuple(draws))

    def make(self, rows: Rows, streams: Streams) -> pa.Array:
        codes = pick(self.weights, rows, streams)
        found = np.empty(rows.count, self.type.to_pandas_dtype())
        for i, draw in enumerate(self.draws):
            mine = np.flatnonzero(codes == i)
            found[mine] = draw.values(rows.part(mine), streams.at(i))
        return pa.array(found)


@dataclass(frozen=True)
class Choice:
    """Values with their weights: numbers, or formulas of the row."""

    values: pa.Array
    weights: tuple[Value, ...]

    def __hash__(self) -> int:
        return hash((str(self.values), self.weights))


@dataclass(frozen=True)
class Chosen(Kind):
    """One of a list of values; by the case of other columns where `given` names some.

    `choose: [a, b]` is even; `choose: {a: 0.2, b: 0.8}` by probabilities, which sum to 1;
    `choose: {a: 1, b: 4}` by weights, which are whole numbers. Case keys join several values by
    commas: `"F, Seoul": …`; `else` is every other case.
    """

    cases: tuple[Choice, ...]
    given: tuple[str, ...] = ()
    keys: tuple[tuple[str, ...], ...] = ()  # of the cases; () is `else`
    kind = "choose"
    shape = "choices"
    options: ClassVar[Options] = {
        "given": Option("names", "The columns by whose values the cases go.")
    }

    @property
    def type(self) -> pa.DataType:
        return self.cases[0].values.type

    @property
    def needs(self) -> frozenset[str]:
        weights = tuple(c.weights for c in self.cases)
        return needs(weights) | frozenset(self.given)

    @classmethod
    def read(cls, node: Node, names: Scope) -> Chosen:
        about = node.need("choose")
        given = node.get("given")
        if given is None:
            return cls((read_choice(about, names),))
        columns = given.texts()
        places = [given] if isinstance(given.value, str) else given.list()
        for name, at in zip(columns, places, strict=True):
            if names.find(name) is None:
                names.value(at)  # raises, with what is known
        keys = [case_key(n, key, len(columns)) for key, n in pairs(about)]
        choices = [read_choice(n, names) for _, n in pairs(about)]
        return cls(tuple(_one_type(about, choices)), columns, tuple(keys))

    def make(self, rows: Rows, streams: Streams) -> pa.Array:
        if not self.given:
            return _picked(self.cases[0], rows, streams)
        group = grouped(self.given, self.keys, rows)
        if not any(isinstance(w, Formula) for c in self.cases for w in c.weights):
            return self._at_once(group, streams)
        return by_case(
            group,
            [lambda r, s, c=c: _picked(c, r, s) for c in self.cases],
            rows,
            streams,
            self.type,
        )

    def _at_once(self, group: np.ndarray, streams: Streams) -> pa.Array:
        """All cases by one table of cumulative chances, over the values of all cases."""
        values = pa.concat_arrays([c.values for c in self.cases])
        table = np.zeros((len(self.cases), len(values)))
        start = 0
        for i, case in enumerate(self.cases):
            end = start + len(case.values)
            table[i, start:end] = chances(case.weights)
            start = end
        distinct = values.dictionary_encode()
        small = np.zeros((len(self.cases), len(distinct.dictionary)))
        np.add.at(small.T, distinct.indices.to_numpy(), table.T)
        codes = chosen(streams(), np.cumsum(small, axis=1), group, len(group))
        return coded(codes, distinct.dictionary)


def _picked(choice: Choice, rows: Rows, streams: Streams) -> pa.Array:
    return coded(pick(choice.weights, rows, streams), choice.values)


def coded(codes: np.ndarray, values: pa.Array) -> pa.Array:
    """Values by their codes: texts as a dictionary, which costs no copies."""
    if pa.types.is_string(values.type):
        return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), values)
    return values.take(pa.array(codes))


def pick(weights: Sequence[Value], rows: Rows, streams: Streams) -> np.ndarray:
    """A code for each row (N,), by weights that may be formulas of the row."""
    if not any(isinstance(w, Formula) for w in weights):
        return chosen(streams(), np.cumsum(chances(weights)), None, rows.count)
    table = np.empty((len(weights), rows.count))
    for i, weight in enumerate(weights):
        table[i] = np.maximum(np.nan_to_num(numbers(weight, rows)), 0.0)
    ends = np.cumsum(table, axis=0)
    ends /= np.where(ends[-1] > 0, ends[-1], 1.0)
    passed = (streams().random(rows.count) >= ends).sum(axis=0)
    return np.asarray(np.minimum(passed, len(weights) - 1))


def chances(weights: Sequence[Any]) -> np.ndarray:
    found = np.asarray(weights, float)
    return np.asarray(found / found.sum())


@dataclass(frozen=True)
class Chance(Kind):
    """True with a probability, which may be a formula of the row."""

    chance: Value
    kind = "chance"
    shape = "number"
    type: pa.DataType = pa.bool_()

    @classmethod
    def read(cls, node: Node, names: Scope) -> Chance:
        return cls(names.number(node.need("chance"), 0, 1))

    def make(self, rows: Rows, streams: Streams) -> pa.Array:
        return pa.array(streams().random(rows.count) < numbers(self.chance, rows))


@dataclass(frozen=True)
class Between(Kind):
    """A value somewhere between two others, evenly: dates, times or numbers."""

    low: Formula
    high: Formula
    kind = "between"
    shape = "ends"

    @property
    def type(self) -> pa.DataType:
        return self.low.type

    @classmethod
    def read(cls, node: Node, names: Scope) -> Between:
        ends = node.need("between").list()
        if len(ends) != 2:
            raise node.need("between").error(f"{len(ends)} ends were given. Give two: [low, high].")
        low, high = (end(n, names) for n in ends)
        if low.type != high.type:
            raise node.need("between").error(f"one end is {low.type}, the other {high.type}.")
        return cls(low, high)

    def make(self, rows: Rows, streams: Streams) -> pa.Array:
        unit = pa.int32() if pa.types.is_date(self.type) else pa.int64()
        whole = not pa.types.is_floating(self.type)
        low, high = (
            (f.values(rows).cast(unit) if whole else f.values(rows)) for f in (self.low, self.high)
        )
        lost = pc.or_(low.is_null(), high.is_null())
        a, b = (x.fill_null(0).to_numpy(zero_copy_only=False) for x in (low, high))
        u = streams().random(rows.count)
        found = a + (np.floor(u * np.maximum(b - a + 1, 1)) if whole else u * np.maximum(b - a, 0))
        mask = lost.to_numpy(zero_copy_only=False)
        if whole:
            return pa.array(found.astype(a.dtype), unit, mask=mask).cast(self.type)
        return pa.array(found, self.type, mask=mask)


def end(node: Node, names: Names) -> Formula:
    """A bound: a number, a date or time, or the formula of one."""
    if isinstance(node.value, dt.date):
        constant = Names(names.find, {"value": node.value}, names.known, names.unit)
        return constant.value(Node("value", node.path, node.file, node.places))
    return names.value(node)


@dataclass(frozen=True)
class Cases(Kind):
    """The first case whose condition holds says how the value comes about."""

    conditions: tuple[Formula, ...]
    kinds: tuple[Kind, ...]
    type: pa.DataType
    kind = "cases"
    shape = "cases"

    @property
    def needs(self) -> frozenset[str]:
        return needs(self.conditions).union(*(k.needs for k in self.kinds))

    @property
    def wants(self) -> frozenset[tuple[str, str]]:
        return frozenset().union(*(k.wants for k in self.kinds))

    @property
    def whole(self) -> frozenset[tuple[str, str]]:
        return frozenset().union(*(k.whole for k in self.kinds))

    @classmethod
    def read(cls, node: Node, names: Scope) -> Cases:
        from geurim.generators.rules.columns import read_kind

        conditions, kinds = [], []
        parts = node.need("cases").list()
        for i, part in enumerate(parts):
            last = "else" in part.mapping(["if", "then", "else"])
            if last and (i < len(parts) - 1 or len(part.mapping()) > 1):
                raise part.error("'else' stands alone, as the last case. Put it there.")
            if not last:
                conditions.append(names.condition(part.need("if")))
            kinds.append(read_kind(part.need("else" if last else "then"), names))
        return cls(tuple(conditions), tuple(kinds), common(node, [k.type for k in kinds]))

    def make(self, rows: Rows, streams: Streams) -> pa.Array:
        group = np.full(rows.count, len(self.conditions))
        for i in range(len(self.conditions) - 1, -1, -1):
            group[self.conditions[i].mask(rows)] = i
        makers = [k.make for k in self.kinds]
        return by_case(group, makers, rows, streams, self.type)


def by_case(
    group: np.ndarray, makers: Sequence[Any], rows: Rows, streams: Streams, kind: pa.DataType
) -> pa.Array:
    """Values made case by case, each over its own rows; missing where there is no case."""
    parts, places = [], []
    for i, make in enumerate(makers):
        mine = np.flatnonzero(group == i)
        if len(mine):
            parts.append(decoded(make(rows.part(mine), streams.at(i))).cast(kind))
            places.append(mine)
    rest = np.flatnonzero((group < 0) | (group >= len(makers)))
    parts.append(pa.nulls(len(rest), kind))
    places.append(rest)
    return pa.concat_arrays(parts).take(pa.array(np.argsort(np.concatenate(places))))


def decoded(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


@dataclass(frozen=True)
class Written(Kind):
    """A sentence with formulas in braces; one of several where a list is given.

    `text: ["{size} mm in the {site}.", "A mass of {size} mm, {site}."]`; `{{` is a brace.
    """

    variants: tuple[tuple[str | Formula, ...], ...]
    kind = "text"
    shape = "names"
    type: pa.DataType = pa.string()

    @classmethod
    def read(cls, node: Node, names: Scope) -> Written:
        about = node.need("text")
        variants = [about] if isinstance(about.value, str) else about.list()
        return cls(tuple(pieces(n, names) for n in variants))

    def make(self, rows: Rows, streams: Streams) -> pa.Array:
        if len(self.variants) == 1:
            return joined(self.variants[0], rows)
        group = streams().integers(0, len(self.variants), rows.count)
        makers = [lambda r, s, v=v: joined(v, r) for v in self.variants]
        return by_case(group, makers, rows, streams, self.type)


def pieces(node: Node, names: Names) -> tuple[str | Formula, ...]:
    """A text cut at its braces."""
    text = node.text().replace("{{", "\0").replace("}}", "\1")
    found: list[str | Formula] = []
    while text:
        plain, brace, rest = text.partition("{")
        found.append(plain.replace("\0", "{").replace("\1", "}"))
        inside, closing, text = rest.partition("}")
        if brace and not closing:
            raise node.error("a brace '{' is not closed. Close it, or write '{{' for the sign.")
        if brace:
            formula = names.value(Node(inside, node.path, node.file, node.places))
            if formula.type == LINK:
                raise node.error(f"{inside!r} names a row. Write a column of it: {inside}.COLUMN.")
            found.append(formula)
    return tuple(f for f in found if f != "")


def joined(variant: Sequence[str | Formula], rows: Rows) -> pa.Array:
    if not variant:
        return pa.repeat(pa.scalar("", pa.string()), rows.count)
    parts = [
        pa.repeat(p, rows.count) if isinstance(p, str) else as_text(p.values(rows)) for p in variant
    ]
    return pc.binary_join_element_wise(*parts, "", null_handling="replace", null_replacement="")


def as_text(column: pa.Array) -> pa.Array:
    """Values as people write them: 3 rather than 3.0, True rather than 1."""
    column = decoded(column)
    if pa.types.is_floating(column.type):
        whole = pc.equal(pc.round(column), column)
        if pc.all(whole).as_py() is not False:
            return column.cast(pa.int64(), safe=False).cast(pa.string())
    if pa.types.is_timestamp(column.type):
        return pc.strftime(column, "%Y-%m-%d %H:%M")
    return column.cast(pa.string())


# What kinds share


def read_choice(node: Node, names: Names) -> Choice:
    """Values and weights at a node."""
    if isinstance(node.value, list):
        return Choice(plain_array(node.list()), (1,) * len(node.value))
    found = pairs(node)
    if not found:
        raise node.error("no value was given. Give values with their probabilities.")
    weights = tuple(names.number(n, 0) for _, n in found)
    check_sum(node, weights)
    return Choice(plain_array([Node(k, n.path, n.file, n.places) for k, n in found]), weights)


def pairs(node: Node) -> list[tuple[Any, Node]]:
    """The entries of a mapping whose keys may be numbers, truth values or dates too."""
    if not isinstance(node.value, dict):
        raise node.error(f"{shown(node.value)} was given. Give values with their probabilities.")
    return [(k, node.at(str(k), v)) for k, v in node.value.items()]


def check_sum(node: Node, weights: Sequence[Value]) -> None:
    """Refuse probabilities that do not sum to 1; whole numbers are weights, formulas any."""
    plain = [w for w in weights if not isinstance(w, Formula)]
    if len(plain) < len(weights):
        return
    total = float(sum(plain))
    if total <= 0:
        raise node.error("the weights sum to 0. Give at least one above 0.")
    if abs(total - 1) > 1e-6 and any(w != int(w) for w in plain):
        raise node.error(
            f"the probabilities sum to {total:g}. Make them sum to 1; weights are whole numbers."
        )


def plain_array(nodes: Sequence[Node]) -> pa.Array:
    """Plain values of one type as an array."""
    try:
        return pa.array([n.value for n in nodes])
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        kinds = ", ".join(dict.fromkeys(type(n.value).__name__ for n in nodes))
        raise nodes[0].error(
            f"the values are of several types ({kinds}). Give one type."
        ) from error


def case_key(node: Node, key: Any, count: int) -> tuple[str, ...]:
    """The values of a case, as texts; () for `else`."""
    if key == "else":
        return ()
    found = tuple(p.strip() for p in str(key).split(",")) if count > 1 else (_said(key),)
    if len(found) != count:
        raise node.error(f"{key!r} names {len(found)} values, and `given` {count} columns.")
    return found


def _said(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def grouped(given: Sequence[str], keys: Sequence[tuple[str, ...]], rows: Rows) -> np.ndarray:
    """The case (N,) of each row by the values of `given`; -1 where there is none."""
    found = np.zeros(rows.count, np.int64)
    sizes = []
    for i, name in enumerate(given):
        values = list(dict.fromkeys(k[i] for k in keys if k))
        found = found * (len(values) + 1) + _codes(rows.get(name), values) + 1
        sizes.append(values)
    table = np.full(int(np.prod([len(v) + 1 for v in sizes])), -1)
    for case, key in enumerate(keys):
        if not key:
            table[table < 0] = case
    for case, key in enumerate(keys):
        if key:
            place = 0
            for values, part in zip(sizes, key, strict=True):
                place = place * (len(values) + 1) + values.index(part) + 1
            table[place] = case
    return np.asarray(table[found])


def _codes(column: pa.Array, values: list[str]) -> np.ndarray:
    """Which of `values` each value is; -1 for none."""
    if pa.types.is_dictionary(column.type):
        inner = _codes(column.dictionary, values)
        codes = column.indices.fill_null(len(inner)).to_numpy(zero_copy_only=False)
        return np.asarray(np.append(inner, -1)[codes])
    text = column if pa.types.is_string(column.type) else column.cast(pa.string())
    found = pc.index_in(text, value_set=pa.array(values, pa.string())).fill_null(-1)
    return np.asarray(found.to_numpy(zero_copy_only=False))


def common(node: Node, types: Sequence[pa.DataType]) -> pa.DataType:
    """The type that holds the values of all cases."""
    distinct = list(dict.fromkeys(t for t in types if not pa.types.is_null(t)))
    if len(distinct) <= 1:
        return distinct[0] if distinct else pa.string()
    if all(pa.types.is_integer(t) or pa.types.is_floating(t) for t in distinct):
        return pa.float64()
    raise node.error(f"the cases are of several types: {', '.join(map(str, distinct))}.")


def _one_type(node: Node, choices: Sequence[Choice]) -> list[Choice]:
    kind = common(node, [c.values.type for c in choices])
    return [Choice(c.values.cast(kind), c.weights) for c in choices]
