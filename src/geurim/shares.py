"""Shares that are asked for: of a column's values, of ranges of it, of combinations of columns.

    {"income": "uniform"}                   every value as often
    {"income": {">50K": 0.5}}               half of the rows; the others keep their proportions
    {"status": {"unemployed": "+10%"}}      a tenth more of them than there are
    {"age": {"18..30": 0.5, "65..": 0.1}}   ranges of numbers or times, both ends included
    {"sex,income": {"F,>50K": 0.25}}        combinations; "uniform" for all that occur

What comes of it is a table of values to be given, with a weight for each of its rows; nothing is
rejected. The values of a range, and of combinations, are those of rows drawn for the purpose.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.columns import is_ordered, to_axis
from geurim.contract import Fitted
from geurim.errors import SettingError

Share = float | str
Balance = Mapping[str, str | Mapping[Any, Share]]
"""Columns, and "uniform" or the shares of some of their values; the others keep proportions."""

_PILOT = 65_536  # rows drawn to learn natural shares
_LEAST = 100  # rows of each range or combination, before no more are drawn
_MOST = 1_000_000
_BINS = 20  # of "uniform" over numbers
_RELATIVE = re.compile(r"\s*([+-]\s*\d+(?:\.\d+)?)\s*%\s*")
_RANGE = re.compile(r"\s*(.*?)\s*\.\.\s*(.*?)\s*", re.S)


@dataclass(frozen=True, kw_only=True, eq=False)
class Shares:
    """Values to be given (V rows), and how often each row is taken: `weights` (V,), sum 1."""

    values: pa.Table
    weights: np.ndarray

    def take(self, place: np.ndarray) -> pa.Table:
        """A row for each place (N,) in [0, 1)."""
        chosen = np.searchsorted(np.cumsum(self.weights), place * self.weights.sum(), side="right")
        return self.values.take(pa.array(np.minimum(chosen, len(self.weights) - 1)))


@dataclass(frozen=True)
class Cell:
    """One value, range or combination that is named, as a test for each column."""

    text: str
    tests: tuple[Any, ...]  # (low, high) on the axis, or a value

    def mask(self, table: pa.Table) -> np.ndarray:
        """Which rows (N,) of the columns in question lie in it."""
        found = np.ones(table.num_rows, bool)
        for column, test in zip(table.columns, self.tests, strict=True):
            if isinstance(test, tuple):
                axis = to_axis(column)
                found &= (axis >= test[0]) & (axis <= test[1])
            elif test is None:
                found &= np.asarray(column.is_null())
            else:
                same = pc.equal(column, pa.scalar(test, _plain(column.type)))
                found &= np.asarray(pc.fill_null(same, False))
        return found


def shares(fitted: Fitted, balance: Balance, seed: int) -> list[Shares]:
    """What is asked for, ready to be drawn. Raises SettingError, naming what cannot be."""
    found: list[Shares] = []
    named: set[str] = set()
    for key, wish in balance.items():
        columns = columns_of(key, fitted.schema.names)
        twice = named & set(columns)
        if twice:
            raise SettingError(
                f"balance names {sorted(twice)[0]!r} twice. Ask for its shares once, or for the "
                "combination."
            )
        named |= set(columns)
        if not (wish == "uniform" or isinstance(wish, Mapping)):
            raise SettingError(
                f"balance of {key!r} is {wish!r}. Give 'uniform', or shares by value such as "
                "{'yes': 0.5}."
            )
        natural = _natural(fitted, columns[0]) if len(columns) == 1 else None
        if natural is not None and not (isinstance(wish, Mapping) and _has_range(wish, natural)):
            found.append(_by_value(fitted, columns[0], natural, wish))
        else:
            found.append(_by_cell(fitted, columns, wish, seed))
    return found


def columns_of(key: str, names: list[str]) -> tuple[str, ...]:
    """The columns that a key of a balance names: one, or several between commas."""
    if key in names:
        return (key,)
    columns = tuple(part.strip() for part in key.split(","))
    for name in columns:
        if name not in names:
            raise SettingError(
                f"balance names {name!r}, which is no column. "
                f"Choose one of: {', '.join(map(repr, names))}."
            )
    return tuple(dict.fromkeys(columns))


def plain(balance: Balance | None) -> Any:
    """As JSON, for the record of a request."""
    if balance is None:
        return None
    return {
        n: w if isinstance(w, str) else {str(v): s for v, s in w.items()}
        for n, w in balance.items()
    }


def _natural(fitted: Fitted, name: str) -> dict[Any, float] | None:
    """The shares of a column's values as they are; None for columns that have many."""
    known = fitted.profile.columns[name]
    if known["role"] in ("category", "constant"):
        return dict(known["categories"])
    repeated = known.get("repeated") or []
    if known["role"] == "number" and sum(share for _, share in repeated) > 0.99:
        return {int(v) if known["integer"] else v: share for v, share in repeated}
    if known["role"] in ("number", "datetime"):
        return None
    raise SettingError(
        f"balance needs a column that is learned, and {name!r} is of role {known['role']!r}, which "
        "is made anew. Balance another."
    )


def _has_range(wish: Mapping[Any, Share], natural: Mapping[Any, float]) -> bool:
    texts = {str(v) for v in natural}
    return any(_RANGE.fullmatch(str(v)) and str(v) not in texts for v in wish)


def _by_value(
    fitted: Fitted, name: str, natural: dict[Any, float], wish: str | Mapping[Any, Share]
) -> Shares:
    if isinstance(wish, str):
        wanted = dict.fromkeys(natural, 1.0)
    else:
        by_text = {str(v): v for v in natural}
        named: dict[Any, float] = {}
        for value, share in wish.items():
            found = value if value in natural else by_text.get(str(value))
            if found is None:
                raise SettingError(
                    f"balance asks for {name} = {value!r}, which is not among its values: "
                    f"{', '.join(repr(v) for v in list(natural)[:20])}. Name one of them."
                )
            named[found] = _amount(name, value, share, natural[found])
        wanted = _fill_up(name, natural, named)
    values = pa.table({name: pa.array(list(wanted), fitted.schema.field(name).type)})
    return Shares(values=values, weights=np.array(list(wanted.values())))


def _by_cell(
    fitted: Fitted, columns: tuple[str, ...], wish: str | Mapping[Any, Share], seed: int
) -> Shares:
    rows = _rows(fitted, columns, seed)
    pilot = next(rows)
    if isinstance(wish, str):
        cells = _all_cells(pilot)
    else:
        cells = [_cell(columns, value, fitted) for value in wish]
    while True:
        place = _places(cells, pilot, columns)
        count = np.bincount(place + 1, minlength=len(cells) + 1)[1:]
        if count.min(initial=_LEAST) >= _LEAST or pilot.num_rows >= _MOST:
            break
        pilot = pa.concat_tables([pilot, next(rows)])
    natural = {c: float(n / pilot.num_rows) for c, n in zip(cells, count, strict=True)}
    for cell, n in zip(cells, count, strict=True):
        if not n:
            raise SettingError(
                f"balance asks for {', '.join(columns)} = {cell.text!r}, and none of "
                f"{pilot.num_rows:,} rows drawn is so. Ask for what occurs, or give such rows with "
                "`given`."
            )
    wanted: dict[Any, float] = dict.fromkeys(cells, 1.0 / max(len(cells), 1))
    if not isinstance(wish, str):
        others: dict[Any, float] = {None: 1.0 - sum(natural.values())}
        named = {
            c: _amount(", ".join(columns), c.text, s, natural[c])
            for c, s in zip(cells, wish.values(), strict=True)
        }
        everything = natural | (others if (place < 0).any() else {})
        wanted = _fill_up(", ".join(columns), everything, named)
    order = np.argsort(place, kind="stable")
    order = order if None in wanted else order[place[order] >= 0]
    share = np.array([wanted.get(None, 0.0), *(wanted[c] for c in cells)])
    size = np.maximum(np.bincount(place + 1, minlength=len(cells) + 1), 1)
    return Shares(values=pilot.take(pa.array(order)), weights=(share / size)[place[order] + 1])


def _rows(fitted: Fitted, columns: tuple[str, ...], seed: int) -> Iterator[pa.Table]:
    """Rows drawn for their values, on a stream away from every block's."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2, 0)))
    while True:
        count = -(-_PILOT // fitted.block)
        batches = [fitted.draw(fitted.block, rng).select(columns) for _ in range(count)]
        table = pa.Table.from_batches(batches)
        for i, field in enumerate(table.schema):
            if pa.types.is_dictionary(field.type):
                table = table.set_column(i, field.name, table[i].cast(_plain(field.type)))
        yield table


def _places(cells: list[Cell], pilot: pa.Table, columns: tuple[str, ...]) -> np.ndarray:
    """The cell (N,) that each row lies in, -1 where in none. Raises where two cells overlap."""
    place = np.full(pilot.num_rows, -1, np.int64)
    for i, cell in enumerate(cells):
        inside = cell.mask(pilot)
        taken = inside & (place >= 0)
        if taken.any():
            other = cells[int(place[np.argmax(taken)])].text
            raise SettingError(
                f"balance of {', '.join(columns)}: {other!r} and {cell.text!r} overlap. Give "
                "ranges that do not, such as '18..29' and '30..64'."
            )
        place[inside] = i
    return place


def _all_cells(pilot: pa.Table) -> list[Cell]:
    """All that occurs, for "uniform": combinations of values, of numbers in ranges."""
    parts: list[list[Any]] = []
    for column in pilot.columns:
        if is_ordered(column.type) and pc.count_distinct(column).as_py() > _BINS:
            values = to_axis(column.drop_null())
            low, high = np.quantile(values, [0.01, 0.99])
            edges = np.linspace(low, high, _BINS + 1)
            edges[0], edges[-1] = values.min(), values.max()
            ends = [*np.nextafter(edges[1:-1], -np.inf), edges[-1]]
            parts.append(list(zip(edges[:-1].tolist(), map(float, ends), strict=True)))
        else:
            parts.append(pc.unique(column).to_pylist())
    keys = np.zeros(pilot.num_rows, np.int64)
    for column, part in zip(pilot.columns, parts, strict=True):
        own = [Cell("", (test,)).mask(pa.table([column], ["x"])) for test in part]
        keys = keys * (len(part) + 1) + np.argmax([*own, np.ones(pilot.num_rows, bool)], axis=0)
    cells = []
    for key in np.unique(keys).tolist():
        tests: list[Any] = []
        for part in reversed(parts):
            key, i = divmod(key, len(part) + 1)
            tests.append(part[i] if i < len(part) else None)
        cells.append(Cell(", ".join(map(str, tests[::-1])), tuple(tests[::-1])))
    return cells


def _cell(columns: tuple[str, ...], value: Any, fitted: Fitted) -> Cell:
    """A value as it is written: "F,>50K", ("F", ">50K"), "18..30"."""
    for parts in _readings(value, len(columns)):
        tests = [_test(n, p, fitted) for n, p in zip(columns, parts, strict=True)]
        if _NONE not in tests:
            return Cell(str(value), tuple(tests))
    raise SettingError(
        f"balance asks for {', '.join(columns)} = {value!r}. Give "
        + ("a value of each, such as 'F,>50K'" if len(columns) > 1 else "a value")
        + ", or a range of numbers or times, such as '18..30'."
    )


_NONE = object()


def _readings(value: Any, count: int) -> Iterator[list[Any]]:
    """The ways to read a text as `count` values; values may hold commas themselves."""
    if isinstance(value, tuple | list):
        if len(value) == count:
            yield list(value)
        return
    if count == 1:
        yield [value]
        return
    parts = str(value).split(",")
    for first in range(1, len(parts) - count + 2):
        for rest in _readings(",".join(parts[first:]), count - 1):
            yield [",".join(parts[:first]).strip(), *(str(r).strip() for r in rest)]


def _test(name: str, value: Any, fitted: Fitted) -> Any:
    """A range on the axis, or a value of the column; `_NONE` where it is neither."""
    kind = _plain(fitted.schema.field(name).type)
    known = fitted.profile.columns[name]
    if known["role"] in ("category", "constant"):
        by_text = {str(v): v for v, _ in known["categories"]}
        # Rare ones are not in the profile; whether they occur, the rows drawn will tell.
        pooled = known.get("pooled", {}).get("count") and pa.types.is_string(kind)
        return by_text.get(str(value), str(value) if pooled else _NONE)
    found = _RANGE.fullmatch(str(value))
    ends = (found[1], found[2]) if found else (str(value), str(value))
    low, high = (_end(text, kind) for text in ends)
    if low is None or high is None:
        return _NONE
    low = -math.inf if not ends[0] else low
    high = math.inf if not ends[1] else high
    if low > high:
        raise SettingError(f"balance of {name}: the range {value!r} ends before it begins.")
    return low, high


def _end(text: str, kind: pa.DataType) -> float | None:
    """An end of a range on the axis; 0 where it is left open, None where it cannot be read."""
    if not text:
        return 0.0
    try:
        if pa.types.is_temporal(kind):
            return float(to_axis(pa.array([text]).cast(kind))[0])
        return float(text)
    except (ValueError, pa.ArrowException):
        return None


def _amount(name: str, value: Any, share: Share, natural: float) -> float:
    """A share as a number from 0 to 1; "+10%" is a tenth more than its natural share."""
    change = _RELATIVE.fullmatch(share) if isinstance(share, str) else None
    if change:
        return natural * (1 + float(change[1].replace(" ", "")) / 100)
    if isinstance(share, str | bool) or not 0 <= share <= 1:
        raise SettingError(
            f"balance of {name} = {value!r} is {share!r}. Give 0 to 1, or a change such as '+10%'."
        )
    return float(share)


def _fill_up(name: str, natural: dict[Any, float], named: Mapping[Any, float]) -> dict[Any, float]:
    """The shares asked for, the rest in their natural proportions."""
    left = 1.0 - sum(named.values())
    rest = {v: s for v, s in natural.items() if v not in named}
    if left < -1e-9 or (not rest and abs(left) > 1e-9):
        raise SettingError(
            f"The shares asked for in {name} add up to {1 - left:g}. They must add up to 1"
            + (" or less." if rest else ", for they name every value.")
        )
    total = sum(rest.values())
    return dict(named) | {v: max(left, 0.0) * s / total for v, s in rest.items()}


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind
