"""Codes split into group and place come back, groups mean something, nothing grows with size."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geurim import codec, testing
from geurim.generators import _parts


def parts_of(
    table: pa.Table, most: int = 64
) -> tuple[codec.Codec, np.ndarray, tuple[_parts.Parts, ...]]:
    made, codes = codec.learn(table)
    return made, codes, _parts.learn(made, codes, most)


def many(categories: int, rows: int = 60_000, seed: int = 0) -> pa.Table:
    """A category of many values, each of which goes with one of 8 regions."""
    rng = np.random.default_rng(seed)
    number = rng.integers(0, categories, rows)
    value = rng.permutation(categories)[number]
    return pa.table(
        {"region": (number % 8).astype(str), "value": np.char.add("v", value.astype(str))}
    )


@pytest.mark.parametrize("most", [4, 64])
def test_codes_split_and_positioned_come_back(most: int) -> None:
    _, codes, parts = parts_of(testing.example().to_arrow(), most)
    for i, part in enumerate(parts):
        group, within = part.split(codes[:, i])
        np.testing.assert_array_equal(part.join(group, within), codes[:, i])
        position = part.position(codes[:, i], np.random.default_rng(1))
        np.testing.assert_array_equal(part.from_position(group, position), codes[:, i])
        assert group.max() < part.groups and within.max() < part.most_within


def test_positions_are_uniform_within_their_groups() -> None:
    table = pa.table({"x": np.random.default_rng(2).normal(size=20_000)})
    _, codes, (part,) = parts_of(table)
    position = part.position(codes[:, 0], np.random.default_rng(3))
    counts = np.histogram(position, bins=20, range=(0, 1))[0]
    # 20 cells of 1,000 rows: five standard errors.
    assert np.abs(counts - 1_000).max() < 5 * 1_000**0.5


def test_few_values_are_groups_of_their_own_and_so_are_heavy_ones_and_missing() -> None:
    rng = np.random.default_rng(4)
    x = np.where(rng.random(9_000) < 0.6, 0.0, rng.normal(50, 10, 9_000))
    table = pa.table(
        {"few": rng.choice(["a", "b", "c"], 9_000), "x": pa.array(x, mask=rng.random(9_000) < 0.1)}
    )
    made, codes, parts = parts_of(table, most=16)
    by_name = dict(zip(made.names, parts, strict=True))
    assert by_name["few"].groups == 3 and by_name["few"].most_within == 1
    x_codes = codes[:, made.names.index("x")]
    group, _ = by_name["x"].split(x_codes)
    missing = np.asarray(table["x"].is_null())
    for same in ((x == 0) & ~missing, missing):
        assert len(np.unique(group[same])) == 1
        assert np.isin(group, group[same]).sum() == same.sum()


def test_fifty_thousand_categories_are_two_small_codes() -> None:
    made, _, parts = parts_of(many(50_000, rows=300_000))
    part = parts[made.names.index("value")]
    assert part.groups <= 300 and part.most_within <= 1_000


def test_categories_that_go_together_stand_together() -> None:
    made, codes, parts = parts_of(many(800))
    part, region = parts[made.names.index("value")], codes[:, made.names.index("region")]
    group, _ = part.split(codes[:, made.names.index("value")])
    table = np.zeros((part.groups, 8))
    np.add.at(table, (group, region), 1)
    # Nearly every group lies in one region; by number of rows alone it would be an eighth.
    assert table.max(1).sum() / table.sum() > 0.8


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(st.none(), st.integers(-3, 3), st.floats(allow_nan=False, width=32)),
        min_size=1,
        max_size=200,
    ),
    st.integers(1, 40),
)
def test_any_column_splits_and_comes_back(values: list[float | None], most: int) -> None:
    table = pa.table(
        {"x": pa.array([None if v is None else float(v) for v in values], pa.float64())}
    )
    _, codes, (part,) = parts_of(table, most)
    group, within = part.split(codes[:, 0])
    np.testing.assert_array_equal(part.join(group, within), codes[:, 0])
    position = part.position(codes[:, 0], np.random.default_rng(0))
    np.testing.assert_array_equal(part.from_position(group, position), codes[:, 0])


def test_what_has_no_code_has_no_parts() -> None:
    _, _, parts = parts_of(testing.example().to_arrow())
    group, within = parts[0].split(np.array([-1, 0]))
    assert group[0] == within[0] == -1 and group[1] >= 0
