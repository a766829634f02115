"""A table is coded without loss, linked columns and hostile tables among them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from geurim import codec, testing
from geurim.codec import Codec


def linked(rows: int = 4_000, seed: int = 1) -> pa.Table:
    """An end that is a start and a duration, which at times miss; a category; a total."""
    rng = np.random.default_rng(seed)
    start, lasts = rng.normal(1_000, 300, rows).round(), rng.exponential(5, rows).round(1)
    return pa.table(
        {
            "start": pa.array(start, mask=rng.random(rows) < 0.1),
            "end": start + lasts,
            "kind": rng.choice(["a", "b", "나"], rows),
            "double": 2 * start,
        }
    )


def test_decoding_gives_rows_that_have_the_same_codes() -> None:
    table = linked()
    made, codes = codec.learn(table)
    assert sum(s.base is not None for s in made.scales.values()) == 2
    again = made.decode(codes, table.schema, np.random.default_rng(0))
    assert again.schema == table.schema
    np.testing.assert_array_equal(made.encode(table), codes)
    recoded = made.encode(pa.Table.from_batches([again]))
    assert (recoded == codes).mean() > 0.99


def test_codes_lie_on_their_scales_and_exact_links_stay_exact() -> None:
    table = linked()
    made, codes = codec.learn(table)
    assert (codes >= 0).all() and (codes.max(0) < made.sizes).all()
    again = made.decode(codes, table.schema, np.random.default_rng(0)).to_pydict()
    both = [(s, d) for s, d in zip(again["start"], again["double"], strict=True) if s is not None]
    assert all(d == pytest.approx(2 * s) for s, d in both)


def test_what_a_table_lacks_has_no_code_and_a_link_without_its_base_has_its_own() -> None:
    table = linked()
    made, _ = codec.learn(table)
    name = next(n for n, s in made.scales.items() if s.base)
    scale = made.scales[name]
    assert scale.residual is not None
    place = made.names.index(name)
    part = made.encode(table.select([name]))
    assert (np.delete(part, place, axis=1) == -1).all()
    assert (part[:, place] >= scale.residual.size).all()


def test_given_values_come_back_and_their_links_follow_them() -> None:
    table = linked()
    made, codes = codec.learn(table)
    base = next(s.base for s in made.scales.values() if s.base)
    given = table.select(list(base.columns))
    again = made.decode(codes, table.schema, np.random.default_rng(0), given)
    assert again.select(given.column_names).to_pydict() == given.to_pydict()


def test_state_keeps_all() -> None:
    table = linked()
    made, codes = codec.learn(table)
    loaded = Codec.from_state(table.schema, *made.state())
    one, other = (m.decode(codes, table.schema, np.random.default_rng(3)) for m in (made, loaded))
    assert one.equals(other)


@pytest.mark.parametrize(
    "name, table", testing.odd_tables(), ids=lambda v: v if isinstance(v, str) else ""
)
def test_odd_tables_are_coded(name: str, table: pa.Table) -> None:
    if not table.num_rows:
        return
    made, codes = codec.learn(table)
    again = made.decode(codes, table.schema, np.random.default_rng(0))
    assert again.num_rows == table.num_rows
