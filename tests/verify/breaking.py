"""Thirty ways in which synthetic rows go wrong, each in three strengths.

A defect takes honest rows (real rows that nobody trained on, standing for a perfect generator's)
and spoils them. What a table lacks for a defect, such as an e-mail or an end after a start, is
planted first, in the training rows, the holdout and the honest rows alike. The tests and
`benchmarks/defects.py` use the same list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.columns import from_axis, is_number, to_axis
from geurim.verify.related import cramer

WEAK, MEDIUM, STRONG = 0, 1, 2
STRENGTHS = ("weak", "medium", "strong")
HOUR, DAY = 3_600_000_000, 86_400_000_000


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a defect may look at: the honest rows that it spoils, and the training rows."""

    honest: pa.Table
    training: pa.Table
    target: str
    amount: float
    rng: np.random.Generator

    def chosen(self) -> np.ndarray:
        """A share `amount` of the rows, by lot, (N,) bool."""
        return self.rng.random(len(self.honest)) < self.amount

    def put(self, name: str, values: object) -> pa.Table:
        return put(self.honest, name, values)

    def number(self) -> str:
        return numbers(self.training, self.target)[0]

    def word(self) -> str:
        return words(self.training, self.target)[0]


@dataclass(frozen=True, kw_only=True)
class Defect:
    """`amounts` are the strengths, weak to strong, in the unit that `what` tells."""

    name: str
    what: str
    amounts: tuple[float, float, float]
    spoil: Callable[[Given], pa.Table]
    plant: Callable[[pa.Table, np.random.Generator], pa.Table] | None = None


Planted = Mapping[str, pa.Table]


def spoiled(
    defect: Defect, strength: int, tables: Planted, target: str, rng: np.random.Generator
) -> dict[str, pa.Table]:
    """The `tables` training, holdout and honest, as planted, and "synthetic": honest, spoiled."""
    plant = defect.plant
    given = {k: t if plant is None else plant(t, rng) for k, t in tables.items()}
    told = Given(
        honest=given["honest"],
        training=given["training"],
        target=target,
        amount=defect.amounts[strength],
        rng=rng,
    )
    return {**given, "synthetic": defect.spoil(told)}


# What a table offers


def put(table: pa.Table, name: str, values: object) -> pa.Table:
    """The table with one column replaced, of its own type where it can be; or added."""
    if name not in table.column_names:
        return table.append_column(name, values if isinstance(values, pa.Array) else [values])
    kind = table.schema.field(name).type
    column = values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values, kind)
    return table.set_column(table.column_names.index(name), name, column)


def numbers(table: pa.Table, target: str = "") -> list[str]:
    """Columns of numbers without heavy repetition, the most varied first."""
    found = {}
    for field in table.schema:
        if is_number(field.type) and field.name != target:
            values = to_axis(table[field.name])
            values = values[np.isfinite(values)]
            _, counts = np.unique(values, return_counts=True)
            if len(counts) >= 15 and counts.max() < 0.5 * len(values):
                found[field.name] = len(counts)
    return sorted(found, key=lambda n: -found[n])


def words(table: pa.Table, target: str = "") -> list[str]:
    """Columns of categories, the most varied first (but no keys)."""
    found = {}
    for field in table.schema:
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            count = pc.count_distinct(table[field.name]).as_py()
            if 2 <= count <= 150 and field.name != target:
                found[field.name] = count
    return sorted(found, key=lambda n: -found[n])


def coarse(column: pa.ChunkedArray, levels: int = 8) -> np.ndarray:
    """Codes (N,) of a column, 0 … levels: the commonest values, or ranges of equal mass."""
    if is_number(column.type) or pa.types.is_temporal(column.type):
        values = to_axis(column)
        edges = np.nanquantile(values, np.linspace(0, 1, levels + 1)[1:-1])
        return np.where(np.isnan(values), levels, np.searchsorted(edges, values))
    coded = column.combine_chunks().dictionary_encode()
    codes = pc.fill_null(coded.indices, len(coded.dictionary)).to_numpy(zero_copy_only=False)
    order = np.argsort(-np.bincount(codes))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return np.minimum(rank[codes], levels)


def strongest(given: Given, names: list[str]) -> tuple[str, str]:
    """The two columns that depend most on each other without one giving the other."""
    codes = {n: coarse(given.training[n]) for n in names}
    best, pair = -1.0, (names[0], names[-1])
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            v = cramer(codes[a], codes[b])
            if best < v < 0.9:
                best, pair = v, (a, b)
    return pair


def text(values: object) -> pa.Array:
    return pa.array(list(values), pa.string())  # type: ignore[call-overload]


def swapped(given: Given, name: str, where: np.ndarray) -> pa.Table:
    """The column's values shuffled among the rows `where`."""
    order = np.arange(len(given.honest))
    at = np.flatnonzero(where)
    order[at] = given.rng.permutation(at)
    return given.put(name, given.honest[name].take(pa.array(order)))


def replaced(table: pa.Table, where: np.ndarray, other: pa.Table, at: np.ndarray) -> pa.Table:
    """Rows `where` give way to rows `at` of another table."""
    both = pa.concat_tables([table, other])
    order = np.arange(len(table))
    order[where] = len(table) + at
    return both.take(pa.array(order))


def redrawn(given: Given, where: np.ndarray) -> pa.Table:
    """Rows `where` give way to others of the honest rows, by lot."""
    others = np.flatnonzero(~where)
    at = given.rng.choice(others, int(where.sum()))
    return replaced(given.honest, where, given.honest, at)


# Copies


def copied(given: Given) -> pa.Table:
    where = given.chosen()
    at = given.rng.integers(0, len(given.training), int(where.sum()))
    return replaced(given.honest, where, given.training, at)


def repeated(given: Given) -> pa.Table:
    """A share of the rows are drawn from a few of the others."""
    where = given.chosen()
    few = given.rng.choice(len(given.honest), max(5, len(given.honest) // 50), replace=False)
    at = given.rng.choice(few, int(where.sum()))
    return replaced(given.honest, where, given.honest, at)


def outliers_kept(given: Given) -> pa.Table:
    """Training rows with the most extreme numbers, in the place of as many rows."""
    names = numbers(given.training, given.target)[:6]
    values = np.stack([to_axis(given.training[n]) for n in names])
    middle = np.nanmedian(values, axis=1, keepdims=True)
    spread = np.nanquantile(np.abs(values - middle), 0.9, axis=1, keepdims=True)
    far = np.nanmax(np.abs(values - middle) / np.maximum(spread, 1e-9), axis=0)
    count = int(0.01 * given.amount * len(given.training))
    at = np.argsort(-far)[: max(1, count)]
    where = np.zeros(len(given.honest), bool)
    where[given.rng.choice(len(where), len(at), replace=False)] = True
    return replaced(given.honest, where, given.training, at)


# One column


def moved(given: Given) -> pa.Table:
    return _on_axis(given, lambda v: v + given.amount * np.nanstd(v))


def widened(given: Given) -> pa.Table:
    return _on_axis(given, lambda v: np.nanmean(v) + given.amount * (v - np.nanmean(v)))


def _on_axis(given: Given, change: Callable[[np.ndarray], np.ndarray]) -> pa.Table:
    """The most varied column of numbers, changed; of its own type and within its own range."""
    name = given.number()
    values = to_axis(given.honest[name])
    seen = to_axis(given.training[name])
    new = np.clip(change(values), np.nanmin(seen), np.nanmax(seen))
    return given.put(name, from_axis(new, given.honest.schema.field(name).type))


def tail_lost(given: Given) -> pa.Table:
    """A share of the values above the 99th percentile are drawn again from below it."""
    name = given.number()
    values = to_axis(given.honest[name])
    end = np.nanquantile(to_axis(given.training[name]), 0.99)
    out = (values > end) & given.chosen()
    body = values[values <= end]
    values = np.where(out, given.rng.choice(body, len(values)), values)
    return given.put(name, from_axis(values, given.honest.schema.field(name).type))


def plant_heavy(table: pa.Table, rng: np.random.Generator) -> pa.Table:
    """Claims: a heavy tail of index 2."""
    return put(table, "claim", pa.array((1_000 * (rng.pareto(2.0, len(table)) + 1)).round(2)))


def tail_shrunk(given: Given) -> pa.Table:
    """As many values beyond the 98th percentile, but `amount` of their excess over it is gone."""
    values = to_axis(given.honest["claim"])
    end = np.quantile(to_axis(given.training["claim"]), 0.98)
    new = np.where(values > end, end + (1 - given.amount) * (values - end), values)
    return given.put("claim", pa.array(new.round(2)))


def category_lost(given: Given) -> pa.Table:
    """All rows of a category of about this share get another one."""
    best: tuple[float, str, str] | None = None
    for name in words(given.training, given.target):
        for item in given.training[name].drop_null().value_counts().to_pylist():
            off = abs(np.log(item["counts"] / len(given.training) / given.amount))
            if best is None or off < best[0]:
                best = (off, name, item["values"])
    assert best is not None
    values = np.array(given.honest[best[1]].to_pylist(), object)
    out = values == best[2]
    values[out] = given.rng.choice(values[~out], int(out.sum()))
    return given.put(best[1], values.tolist())


def category_made_up(given: Given) -> pa.Table:
    values = np.array(given.honest[given.word()].to_pylist(), object)
    values[given.chosen()] = "something else"
    return given.put(given.word(), values.tolist())


def written_otherwise(given: Given) -> pa.Table:
    """Capital letters and a space behind, as another writer would leave them."""
    values = given.honest[given.word()].to_pylist()
    chosen = given.chosen()
    new = [v.upper() + " " if c and v else v for v, c in zip(values, chosen, strict=True)]
    return given.put(given.word(), new)


def more_missing(given: Given) -> pa.Table:
    name = given.number()
    values = to_axis(given.honest[name]).copy()
    values[given.chosen()] = np.nan
    return given.put(name, from_axis(values, given.honest.schema.field(name).type))


def placeholder(given: Given) -> pa.Table:
    """-999 where a value was."""
    name = given.number()
    values = np.where(given.chosen(), -999, to_axis(given.honest[name]))
    return given.put(name, from_axis(values, given.honest.schema.field(name).type))


def plant_price(table: pa.Table, rng: np.random.Generator) -> pa.Table:
    """Prices that end in .99 or .50, as shops write them."""
    whole = np.floor(rng.lognormal(3, 1, len(table)))
    end = rng.choice([0.99, 0.95, 0.50, 0.0], len(table), p=[0.6, 0.2, 0.1, 0.1])
    return put(table, "price", pa.array((whole + end).round(2)))


def unrounded(given: Given) -> pa.Table:
    values = to_axis(given.honest["price"])
    near = values + given.rng.uniform(-0.5, 0.5, len(values)).round(2)
    return given.put("price", pa.array(np.where(given.chosen(), np.abs(near), values).round(2)))


def plant_whole(table: pa.Table, rng: np.random.Generator) -> pa.Table:
    """A count that is kept as a float."""
    return put(table, "visits", pa.array(rng.negative_binomial(4, 0.1, len(table)).astype(float)))


def fractions(given: Given) -> pa.Table:
    values = to_axis(given.honest["visits"])
    broken = np.abs(values + given.rng.normal(0, 0.3, len(values)))
    return given.put("visits", pa.array(np.where(given.chosen(), broken, values)))


# Strings that are made anew


def plant_people(table: pa.Table, rng: np.random.Generator) -> pa.Table:
    """An e-mail of one person each, and a note in free text."""
    number = rng.integers(0, 10**12, len(table))
    say = ["called", "wrote", "came by", "asked", "was told", "paid", "left", "waited"]
    what = ["about the bill", "for the manager", "twice", "in the morning", "with a friend"]
    notes = [f"{rng.choice(say)} {rng.choice(what)}, case {n % 9973}" for n in number]
    table = put(table, "email", text(f"user{n}@mail.example" for n in number))
    return put(table, "note", text(notes))


def leaked(given: Given) -> pa.Table:
    at = given.rng.integers(0, len(given.training), len(given.honest))
    real = given.training["email"].take(pa.array(at))
    return given.put("email", pc.if_else(pa.array(given.chosen()), real, given.honest["email"]))


def misplaced(given: Given) -> pa.Table:
    """E-mails in a column of categories."""
    values = np.array(given.honest[given.word()].to_pylist(), object)
    out = given.chosen()
    values[out] = [f"kim{i}@mail.example" for i in range(int(out.sum()))]
    return given.put(given.word(), values.tolist())


def truncated(given: Given) -> pa.Table:
    short = pc.utf8_slice_codeunits(given.honest["note"], 0, 8)
    return given.put("note", pc.if_else(pa.array(given.chosen()), short, given.honest["note"]))


# Several columns


def pair_lost(given: Given) -> pa.Table:
    names = [*numbers(given.training), *words(given.training)][:14]
    return swapped(given, strongest(given, names)[1], given.chosen())


def independent(given: Given) -> pa.Table:
    """Every column shuffled among the chosen rows."""
    where, table = given.chosen(), given.honest
    for name in table.column_names:
        order = np.arange(len(table))
        order[where] = given.rng.permutation(np.flatnonzero(where))
        table = put(table, name, table[name].take(pa.array(order)))
    return table


def plant_three(table: pa.Table, rng: np.random.Generator) -> pa.Table:
    """Three coins; the third says whether the others agree, nine times in ten."""
    one, two = (rng.random(len(table)) < 0.5 for _ in range(2))
    three = np.where(rng.random(len(table)) < 0.9, one == two, one != two)
    for name, coin in (("lamp", one), ("switch", two), ("light", three)):
        table = put(table, name, text(np.where(coin, "on", "off")))
    return table


def three_lost(given: Given) -> pa.Table:
    return swapped(given, "light", given.chosen())


def plant_missing(table: pa.Table, rng: np.random.Generator) -> pa.Table:
    """An income that those who are older tell less often, and a spouse's, missing with it."""
    age = rng.normal(0, 1, len(table))
    lost = rng.random(len(table)) < 1 / (1 + np.exp(-(age * 1.5 - 1.5)))
    also = np.where(rng.random(len(table)) < 0.9, lost, rng.random(len(table)) < 0.3)
    table = put(table, "years", pa.array((45 + 12 * age).round(1)))
    table = put(table, "pay", pa.array(rng.lognormal(8, 0.5, len(table)).round(), mask=lost))
    return put(table, "spouse_pay", pa.array(rng.lognormal(8, 0.5, len(table)).round(), mask=also))


def missing_at_random(given: Given) -> pa.Table:
    """As many missing, but no longer where they were."""
    table, where = given.honest, given.chosen()
    for name in ("pay", "spouse_pay"):
        order = np.arange(len(table))
        order[where] = given.rng.permutation(np.flatnonzero(where))
        table = put(table, name, table[name].take(pa.array(order)))
    return table


def amplified(given: Given) -> pa.Table:
    """The commoner outcome of each group becomes commoner: a part of the others change over."""
    target = given.training[given.target].to_pylist()
    group = _group(given)
    truth = np.array(target, object)
    names = np.array(given.training[group].to_pylist(), object)
    values, counts = np.unique(truth[truth != None], return_counts=True)  # noqa: E711
    first, second = values[np.argsort(-counts)[:2]]
    rate = np.mean(truth == first)
    above = {g for g in set(names) if np.mean(truth[names == g] == first) > rate}
    own = np.array(given.honest[given.target].to_pylist(), object)
    high = np.isin(np.array(given.honest[group].to_pylist(), object), list(above))
    turn = given.chosen()
    new = own.copy()
    new[turn & high & (own == second)] = first
    freed = int((turn & high & (own == second)).sum())
    others = np.flatnonzero(~high & (own == first))
    new[given.rng.choice(others, min(freed, len(others)), replace=False)] = second
    return given.put(given.target, new.tolist())


def _group(given: Given) -> str:
    """The column of a few groups that tells most about the target."""
    outcome = coarse(given.training[given.target])
    few = [
        n
        for n in words(given.training, given.target)
        if pc.count_distinct(given.training[n]).as_py() <= 8
    ]
    return max(few, key=lambda n: cramer(coarse(given.training[n]), outcome))


def labels_swapped(given: Given) -> pa.Table:
    return swapped(given, given.target, given.chosen())


def minority_lost(given: Given) -> pa.Table:
    """Rows of the rarer outcomes give way to others."""
    values = np.array(given.honest[given.target].to_pylist(), object)
    kinds, counts = np.unique(values[values != None], return_counts=True)  # noqa: E711
    return redrawn(given, given.chosen() & (values != kinds[np.argmax(counts)]))


def cluster_lost(given: Given) -> pa.Table:
    """The rows of one combination of two common values, about 1% of all, give way to others."""
    names = [*words(given.training, given.target), *numbers(given.training, given.target)]
    codes = {n: coarse(given.training[n], 6) for n in names[:12]}
    best: tuple[float, str, str, int, int] | None = None
    for a in codes:
        for b in codes:
            if a >= b:
                continue
            table = np.histogram2d(codes[a], codes[b], [np.arange(-0.5, 8)] * 2)[0]
            share = table / len(given.training)
            common = np.minimum.outer(share.sum(1), share.sum(0)) > 0.04
            off = np.where(common & (share > 0), np.abs(np.log(share / 0.01 + 1e-9)), np.inf)
            i, j = np.unravel_index(int(np.argmin(off)), off.shape)
            if best is None or off[i, j] < best[0]:
                best = (float(off[i, j]), a, b, int(i), int(j))
    assert best is not None
    _, a, b, i, j = best
    both = pa.concat_tables([given.training, given.honest])
    inside = ((coarse(both[a], 6) == i) & (coarse(both[b], 6) == j))[len(given.training) :]
    return redrawn(given, inside & given.chosen())


def plant_impossible(table: pa.Table, rng: np.random.Generator) -> pa.Table:
    """A ward that half of the patients cannot lie in."""
    woman = rng.random(len(table)) < 0.5
    ward = rng.choice(["surgery", "eye", "skin", "heart", "birth"], len(table))
    ward[~woman & (ward == "birth")] = "heart"
    table = put(table, "patient", text(np.where(woman, "woman", "man")))
    return put(table, "ward", text(ward))


def impossible(given: Given) -> pa.Table:
    where = given.chosen() & np.asarray(pc.equal(given.honest["patient"], "man"))
    ward = np.array(given.honest["ward"].to_pylist(), object)
    ward[where] = "birth"
    return given.put("ward", ward.tolist())


def plant_stay(table: pa.Table, rng: np.random.Generator) -> pa.Table:
    """A start by day and season, an end after it, and a bill with its parts."""
    day = rng.choice(730, len(table), p=_season(730))
    hour = np.clip(rng.normal(13, 3, len(table)), 0, 23.9)
    start = 1_577_836_800_000_000 + day * DAY + (hour * 60).astype(np.int64) * 60_000_000
    end = start + (rng.exponential(2, len(table)) * 1440).astype(np.int64) * 60_000_000 + HOUR
    table = put(table, "start", pa.array(start.astype(np.int64)).cast(pa.timestamp("us")))
    return put(table, "end", pa.array(end.astype(np.int64)).cast(pa.timestamp("us")))


def _season(days: int) -> np.ndarray:
    """Fewer on weekends, more in summer; day 0 is a Wednesday."""
    day = np.arange(days)
    share = np.where((day + 2) % 7 >= 5, 0.4, 1.0) * (1 + 0.5 * np.sin(day * 2 * np.pi / 365.25))
    return share / share.sum()


def order_broken(given: Given) -> pa.Table:
    where = pa.array(given.chosen())
    start, end = given.honest["start"], given.honest["end"]
    table = given.put("start", pc.if_else(where, end, start))
    return put(table, "end", pc.if_else(where, start, end))


def season_lost(given: Given) -> pa.Table:
    """Starts and ends of a share of the rows moved by up to a week: no weekday is left."""
    move = np.where(given.chosen(), given.rng.integers(-3, 4, len(given.honest)), 0) * DAY
    table = given.honest
    for name in ("start", "end"):
        moved = from_axis(to_axis(table[name]) + move, table.schema.field(name).type)
        table = put(table, name, moved)
    return table


def hours_lost(given: Given) -> pa.Table:
    """The time of day of a share of the rows is any."""
    chosen = given.chosen()
    shift = given.rng.integers(0, 1440, len(chosen)) * 60_000_000
    table = given.honest
    start, end = (to_axis(table[n]) for n in ("start", "end"))
    new = np.where(chosen, start - start % DAY + shift, start)
    kind = table.schema.field("start").type
    return put(put(table, "start", from_axis(new, kind)), "end", from_axis(end - start + new, kind))


def plant_bill(table: pa.Table, rng: np.random.Generator) -> pa.Table:
    net = rng.lognormal(4, 0.8, len(table)).round(2)
    tax = (net * rng.choice([0.1, 0.05], len(table))).round(2)
    table = put(put(table, "net", pa.array(net)), "tax", pa.array(tax))
    return put(table, "total", pa.array((net + tax).round(2)))


def formula_broken(given: Given) -> pa.Table:
    total = to_axis(given.honest["total"])
    near = (total * given.rng.uniform(0.97, 1.03, len(total))).round(2)
    return given.put("total", pa.array(np.where(given.chosen(), near, total)))


def plant_city(table: pa.Table, rng: np.random.Generator) -> pa.Table:
    city = rng.integers(0, 40, len(table))
    table = put(table, "city_code", text(f"c{v:02d}" for v in city))
    return put(table, "region", text(f"region {v % 7}" for v in city))


def relation_broken(given: Given) -> pa.Table:
    return swapped(given, "region", given.chosen())


DEFECTS = (
    Defect(name="copied rows", what="share of rows", amounts=(0.05, 0.25, 1.0), spoil=copied),
    Defect(
        name="a few copied rows", what="share of rows", amounts=(0.002, 0.005, 0.01), spoil=copied
    ),
    Defect(
        name="memorised outliers",
        what="share of the training's 1% most extreme rows",
        amounts=(0.1, 0.5, 1.0),
        spoil=outliers_kept,
    ),
    Defect(
        name="duplicated rows",
        what="share of rows drawn from a fiftieth of them",
        amounts=(0.05, 0.25, 0.9),
        spoil=repeated,
    ),
    Defect(name="shifted mean", what="deviations", amounts=(0.1, 0.25, 0.5), spoil=moved),
    Defect(name="changed variance", what="factor", amounts=(1.15, 1.5, 2.5), spoil=widened),
    Defect(
        name="missing tail",
        what="share of the values beyond 99%",
        amounts=(0.25, 0.6, 1.0),
        spoil=tail_lost,
    ),
    Defect(
        name="tail too short",
        what="share of the excess over 98% gone",
        amounts=(0.3, 0.6, 0.9),
        spoil=tail_shrunk,
        plant=plant_heavy,
    ),
    Defect(
        name="dropped category",
        what="its share",
        amounts=(0.003, 0.01, 0.05),
        spoil=category_lost,
    ),
    Defect(
        name="invented category",
        what="share of values",
        amounts=(0.002, 0.01, 0.05),
        spoil=category_made_up,
    ),
    Defect(
        name="category written otherwise",
        what="share of values",
        amounts=(0.01, 0.1, 0.5),
        spoil=written_otherwise,
    ),
    Defect(
        name="wrong null rate", what="share more", amounts=(0.01, 0.05, 0.2), spoil=more_missing
    ),
    Defect(
        name="wrong null pattern",
        what="share of rows",
        amounts=(0.1, 0.4, 1.0),
        spoil=missing_at_random,
        plant=plant_missing,
    ),
    Defect(name="placeholder values", what="share", amounts=(0.002, 0.01, 0.05), spoil=placeholder),
    Defect(
        name="rounding lost",
        what="share of values",
        amounts=(0.05, 0.2, 1.0),
        spoil=unrounded,
        plant=plant_price,
    ),
    Defect(
        name="fractions in whole numbers",
        what="share of values",
        amounts=(0.02, 0.2, 1.0),
        spoil=fractions,
        plant=plant_whole,
    ),
    Defect(
        name="leaked e-mails",
        what="share of values",
        amounts=(0.0005, 0.002, 0.01),
        spoil=leaked,
        plant=plant_people,
    ),
    Defect(
        name="e-mails among categories",
        what="share of values",
        amounts=(0.0005, 0.002, 0.01),
        spoil=misplaced,
    ),
    Defect(
        name="truncated strings",
        what="share of values",
        amounts=(0.01, 0.1, 1.0),
        spoil=truncated,
        plant=plant_people,
    ),
    Defect(name="lost correlation", what="share of rows", amounts=(0.1, 0.3, 1.0), spoil=pair_lost),
    Defect(
        name="independent columns", what="share of rows", amounts=(0.1, 0.3, 1.0), spoil=independent
    ),
    Defect(
        name="third order lost",
        what="share of rows",
        amounts=(0.1, 0.3, 1.0),
        spoil=three_lost,
        plant=plant_three,
    ),
    Defect(
        name="amplified bias",
        what="share of the rarer outcome turned",
        amounts=(0.1, 0.3, 0.6),
        spoil=amplified,
    ),
    Defect(
        name="swapped labels", what="share of rows", amounts=(0.05, 0.2, 0.5), spoil=labels_swapped
    ),
    Defect(
        name="minority class lost",
        what="share of its rows",
        amounts=(0.2, 0.5, 1.0),
        spoil=minority_lost,
    ),
    Defect(
        name="minority cluster lost",
        what="share of its rows",
        amounts=(0.3, 0.6, 1.0),
        spoil=cluster_lost,
    ),
    Defect(
        name="impossible combination",
        what="share of rows",
        amounts=(0.004, 0.02, 0.1),
        spoil=impossible,
        plant=plant_impossible,
    ),
    Defect(
        name="end before start",
        what="share of rows",
        amounts=(0.001, 0.01, 0.1),
        spoil=order_broken,
        plant=plant_stay,
    ),
    Defect(
        name="weekdays lost",
        what="share of rows",
        amounts=(0.1, 0.4, 1.0),
        spoil=season_lost,
        plant=plant_stay,
    ),
    Defect(
        name="hours lost",
        what="share of rows",
        amounts=(0.1, 0.4, 1.0),
        spoil=hours_lost,
        plant=plant_stay,
    ),
    Defect(
        name="broken formula",
        what="share of rows",
        amounts=(0.001, 0.01, 0.1),
        spoil=formula_broken,
        plant=plant_bill,
    ),
    Defect(
        name="broken relation",
        what="share of rows",
        amounts=(0.002, 0.02, 0.2),
        spoil=relation_broken,
        plant=plant_city,
    ),
)
