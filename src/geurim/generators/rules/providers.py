"""Names, addresses and the like, in the world's language; and whatever Faker and mimesis make.

`person` columns of one table belong together: a row's e-mail is made of its name. Values that
could reach someone come from ranges that are given to nobody (see `generators/_people.py`). Faker
and mimesis are slow, so each column draws a pool of values once and rows take from it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
import pyarrow as pa

from geurim.errors import MissingExtra
from geurim.generators import _people
from geurim.generators.rules.kinds import Kind, coded, decoded
from geurim.generators.rules.options import LOCALE, Option, Options
from geurim.generators.rules.rows import Rows
from geurim.generators.rules.streams import Streams
from geurim.nodes import Node

if TYPE_CHECKING:
    from geurim.generators.rules.scope import Scope


_POOL = 5_000
_SEED = 0x706F6F6C


@dataclass(frozen=True)
class Person(Kind):
    """Something of a person or a place: name, email, phone, address, city, company, …

    `sex`: a column that says who is a man. `who`: several people in one row have names apart.
    """

    what: str
    locale: str
    sex: str | None
    who: str
    kind = "person"
    shape = tuple(m for m in _people.MAKERS if m != "text")
    options: ClassVar[Options] = {
        "locale": LOCALE,
        "sex": Option("text", "The column that says who is a man."),
        "who": Option("text", "Whose: people of one row with other words here have names apart."),
    }
    type: pa.DataType = pa.string()

    @classmethod
    def read(cls, node: Node, names: Scope) -> Person:
        about = node.need("person")
        what = about.text()
        if what not in cls.shape:
            near = difflib.get_close_matches(what, cls.shape, 2) or cls.shape
            raise about.error(f"there is no {what!r}. Did you mean {' or '.join(map(repr, near))}?")
        sex, who = node.get("sex"), node.get("who")
        if sex is not None:
            names.value(sex)
        locale = names.locale_of(node)
        _check_locale(node, locale)
        return cls(
            what,
            locale,
            None if sex is None else sex.text(),
            "" if who is None else who.text(),
        )

    @property
    def needs(self) -> frozenset[str]:
        return frozenset() if self.sex is None else frozenset([self.sex])

    def make(self, rows: Rows, streams: Streams) -> pa.Array:
        people = Streams(streams.entropy, streams.key[:-1]).at("person", self.who)()
        learned = None if self.sex is None else pa.table({"sex": decoded(rows.get(self.sex))})
        drawn = _people.People.draw(rows.count, people, learned)
        pools = _pools(self.locale, self.what)
        made = _people.MAKERS[self.what](
            drawn, pools, rng=streams(), locale=self.locale, whole=True
        )
        return made.combine_chunks() if isinstance(made, pa.ChunkedArray) else made


@lru_cache(maxsize=64)
def _pools(locale: str, what: str) -> _people.Pools:
    """The parts of one thing, the same for all that are made of them."""
    groups = (_people.NAMES, _people.PLACES)
    kinds = next((set(g) for g in groups if what in g), {what})
    return _people.draw_pools(locale, kinds, np.random.default_rng(_SEED))


@lru_cache(maxsize=16)
def _faker(locale: str) -> Any:
    return _people._faker(locale, np.random.default_rng(_SEED))


def _check_locale(node: Node, locale: str) -> None:
    from geurim.errors import SettingError

    try:
        _faker(locale)
    except SettingError as error:
        raise node.error(str(error)) from error


@dataclass(frozen=True)
class Provided(Kind):
    """Values of a Faker or mimesis provider: `{faker: job}`, `{mimesis: food.fruit}`.

    A pool of `pool` values is drawn once, and rows take one of it.
    """

    library: str
    what: str
    locale: str
    pool: int
    kind = "faker"
    shape = "text"
    options: ClassVar[Options] = {
        "locale": LOCALE,
        "pool": Option("count", "How many values are drawn from."),
    }
    type: pa.DataType = pa.string()

    @classmethod
    def read(cls, node: Node, names: Scope) -> Provided:
        library = "faker" if "faker" in node.mapping() else "mimesis"
        about, pool = node.need(library), node.get("pool")
        locale = names.locale_of(node)
        found = cls(library, about.text(), locale, _POOL if pool is None else pool.count(1))
        try:
            _provider(library, found.what, locale)()
        except MissingExtra:
            raise
        except Exception as error:
            raise about.error(
                f"{library} makes no {found.what!r} ({error}). See its list of providers."
            ) from error
        return found

    def make(self, rows: Rows, streams: Streams) -> pa.Array:
        values = _drawn(self.library, self.what, self.locale, self.pool)
        return coded(streams().integers(0, len(values), rows.count), values)


@lru_cache(maxsize=256)
def _drawn(library: str, what: str, locale: str, pool: int) -> pa.Array:
    make = _provider(library, what, locale)
    return pa.array([str(make()) for _ in range(pool)], pa.string())


def _provider(library: str, what: str, locale: str) -> Callable[[], Any]:
    """The function of a library that makes one value."""
    if library == "faker":
        faker = _people._faker(locale, np.random.default_rng(_SEED))
        found = getattr(faker, what)
    else:
        try:
            from mimesis import Generic
            from mimesis.locales import Locale
        except ModuleNotFoundError as error:
            raise MissingExtra("mimesis", "rules") from error
        found = Generic(Locale(_mimesis_locale(locale)), seed=_SEED)
        for part in what.split("."):
            found = getattr(found, part)
    if not callable(found):
        raise AttributeError("it is no function")
    return cast(Callable[[], Any], found)


def _mimesis_locale(locale: str) -> str:
    from mimesis.locales import Locale

    known = {x.value for x in Locale}
    whole, short = locale.lower().replace("_", "-"), locale.lower()[:2]
    return whole if whole in known else short if short in known else "en"
