"""More of a rare class: the share is exact, real rows stay, and the new ones are of the class."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from geurim.augment import augment
from geurim.errors import DataError, SettingError


def rare_table(rows: int = 2_000, rare: int = 60, seed: int = 0) -> pa.Table:
    """Two clouds: the rare one lies at (3, 3) and mostly in channel `web`; a key; some missing."""
    rng = np.random.default_rng(seed)
    is_rare = np.zeros(rows, bool)
    is_rare[rng.choice(rows, rare, replace=False)] = True
    x = rng.normal(0, 1, rows) + 3 * is_rare
    y = rng.normal(0, 1, rows) + 3 * is_rare
    web = rng.random(rows) < np.where(is_rare, 0.9, 0.2)
    return pa.table(
        {
            "id": np.arange(1, rows + 1),
            "x": pa.array(x.round(2), mask=rng.random(rows) < 0.05),
            "y": y.round(2),
            "channel": np.where(web, "web", "shop"),
            "fraud": np.where(is_rare, "yes", "no"),
        }
    )


TABLE = rare_table()


def test_real_rows_come_first_and_the_share_is_met() -> None:
    made = augment(TABLE, "fraud", share=0.5, seed=1)
    rows = made.to_arrow()
    assert rows.schema == TABLE.schema and rows.num_rows == made.rows
    assert rows.slice(0, TABLE.num_rows).equals(TABLE)
    share = rows["fraud"].to_pylist().count("yes") / rows.num_rows
    assert share == pytest.approx(0.5, abs=1e-3)
    assert made.lineage.depth == 1 and made.lineage.seed == 1
    again = augment(TABLE, "fraud", share=0.5, seed=1).to_arrow()
    assert again.equals(rows) and not augment(TABLE, "fraud", seed=2).to_arrow().equals(rows)


def test_new_rows_are_of_the_class_and_are_not_copies() -> None:
    made = augment(TABLE, "fraud", share=0.3, others=0, real=False, seed=3).to_pandas()
    assert set(made["fraud"]) == {"yes"}
    # The rare cloud's middle is at (3, 3): 60 rows tell it to 0.13, the sharpened ones drift a bit.
    assert made["x"].mean() == pytest.approx(3, abs=0.7)
    assert made["y"].mean() == pytest.approx(3, abs=0.7)
    assert (made["channel"] == "web").mean() > 0.75
    real = {(r["x"], r["y"]) for r in TABLE.to_pylist()}
    assert np.mean([(x, y) in real for x, y in zip(made["x"], made["y"], strict=True)]) < 0.1
    assert made["id"].is_unique and not set(made["id"]) & set(TABLE["id"].to_pylist())


def test_sharpness_keeps_rows_that_are_surely_rare() -> None:
    """A pair: without it more of the new rows lie where the common class does."""

    def astray(sharpness: float) -> float:
        settings: dict[str, Any] = {"others": 0, "real": False, "seed": 4}
        made = augment(TABLE, "fraud", sharpness=sharpness, **settings).to_pandas()
        return float(((made["x"] + made["y"]) < 2).mean())

    assert astray(3.0) < 0.5 * astray(0.0)


def test_nothing_is_added_where_the_share_is_already_there() -> None:
    assert augment(TABLE, "fraud", share=0.01, seed=1).to_arrow().equals(TABLE)


def test_the_value_may_be_named_and_numbers_may_be_classes() -> None:
    numbers = TABLE.set_column(
        4, "fraud", pa.array([int(v == "yes") for v in TABLE["fraud"].to_pylist()])
    )
    made = augment(numbers, "fraud", value="1", share=0.4, seed=1).to_arrow()
    assert made.schema == numbers.schema
    assert np.mean(made["fraud"].to_pylist()) == pytest.approx(0.4, abs=1e-3)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"target": "nothing"}, "no column"),
        ({"target": "id"}, "different values"),
        ({"value": "maybe"}, "does not occur"),
        ({"share": 1.0}, "between 0 and 1"),
        ({"others": 1.5}, "never be reached"),
        ({"sharpness": -1}, "sharpness is -1"),
    ],
)
def test_what_cannot_be_had_is_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        augment(TABLE, **{"target": "fraud", **wrong})


def test_too_few_rare_rows_are_refused() -> None:
    with pytest.raises(DataError, match=r"has 5 rows, and at least 8"):
        augment(rare_table(rare=5), "fraud")
