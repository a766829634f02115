"""A population of known shape, and ways to break rows drawn from it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

RARE = [f"place {i}" for i in range(10)]


def people(rows: int, rng: np.random.Generator) -> pa.Table:
    """Mixed types: dependence, missing values, a repeated value, rare categories, e-mails."""
    age = np.clip(rng.normal(45, 12, rows), 18, 90).round()
    income = np.where(rng.random(rows) < 0.2, 0.0, rng.lognormal(8 + age / 45, 0.5))
    class_ = np.array(["low", "middle", "high"])[
        np.digitize(income + rng.normal(0, 2000, rows), [5000, 12000])
    ]
    place = rng.choice([*"ABCDE", *RARE], rows, p=[0.192] * 5 + [0.004] * 10)
    score = age / 10 + rng.normal(0, 1, rows)
    member = rng.random(rows) < 1 / (1 + np.exp(-(age - 45) / 5))
    day = np.datetime64("2020-01-01") + (rng.beta(2, 5, rows) * 1500).astype(int)
    numbers = rng.integers(0, 10**12, rows)
    return pa.table(
        {
            "age": pa.array(age.astype(int)),
            "income": pa.array(income.round(2)),
            "class": pa.array(class_),
            "place": pa.array(place),
            "score": pa.array(score, mask=rng.random(rows) < 0.1),
            "member": pa.array(member),
            "day": pa.array(day),
            "email": pa.array([f"user{n}@mail.example" for n in numbers]),
        }
    )


def put(table: pa.Table, name: str, values: object) -> pa.Table:
    """The table with one column replaced, of its own type where it can be."""
    kind = table.schema.field(name).type
    column = values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values, kind)
    return table.set_column(table.column_names.index(name), name, column)


def shuffled(table: pa.Table, rng: np.random.Generator) -> pa.Table:
    """Each column by itself: all dependence is lost."""
    order = {n: pa.array(rng.permutation(len(table))) for n in table.column_names}
    return pa.table({n: table.column(n).take(order[n]) for n in table.column_names})


def mixed(table: pa.Table, other: pa.Table, share: float) -> pa.Table:
    """The first rows replaced by those of another table."""
    count = int(share * len(table))
    return pa.concat_tables([other.slice(0, count), table.slice(count)])


def noisy(
    table: pa.Table,
    other: pa.Table,
    share: float,
    rng: np.random.Generator,
    spreads: float = 0.01,
) -> pa.Table:
    """The first rows replaced by another table's, with noise on their fractions."""
    rows = other.slice(0, int(share * len(table)))
    for field in other.schema:
        if pa.types.is_floating(field.type):
            values = numbers(rows, field.name)
            noise = spreads * np.nanstd(numbers(other, field.name))
            moved = pa.array(values + rng.normal(0, noise, len(values)), mask=np.isnan(values))
            rows = put(rows, field.name, moved)
    return mixed(table, rows, share)


def numbers(table: pa.Table, name: str) -> np.ndarray:
    return pc.cast(table.column(name), pa.float64()).to_numpy().copy()


def drop_rare(table: pa.Table) -> pa.Table:
    values = np.array(table.column("place").to_pylist())
    return put(table, "place", np.where(np.isin(values, RARE[:8]), "A", values))


def clip_tails(table: pa.Table) -> pa.Table:
    values = numbers(table, "income")
    return put(table, "income", np.minimum(values, np.quantile(values, 0.97)))


def lift_low(table: pa.Table) -> pa.Table:
    values = numbers(table, "score")
    return put(
        table,
        "score",
        pa.array(np.maximum(values, np.nanquantile(values, 0.03)), mask=np.isnan(values)),
    )


def some(table: pa.Table, name: str, share: float, value: object) -> pa.Table:
    """A share of a column's values replaced."""
    values = table.column(name).to_pylist()
    count = int(share * len(values))
    return put(table, name, [value] * count + values[count:])
