import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import source_of

from geurim.curate import Balance, ExactDuplicates, MixRatio, Select, coverage, curate, quotas
from geurim.errors import DataError, SettingError

TONES = ["calm", "angry", "calm", "calm", "angry", "sad", "calm", "odd"]


def kept(step: object, batch: int = 1_000, **columns: list[object]) -> list[object]:
    rows = source_of(batch, **columns, number=list(range(len(next(iter(columns.values()))))))
    curated = curate(rows, [step], column="text")  # type: ignore[list-item]
    return list(curated.kept.to_arrow()["number"].to_pylist())


def test_quotas_add_up_by_largest_remainder() -> None:
    assert quotas("uniform", ["a", "b", "c"], 10) == {"a": 4, "b": 3, "c": 3}
    assert quotas({"a": 0.5, "b": 0.3, "c": 0.2}, (), 7) == {"a": 4, "b": 2, "c": 1}
    assert quotas({"a": 1, "b": 1}, (), 10, tolerance=0.1) == {"a": 6, "b": 6}


@settings(deadline=None)
@given(st.dictionaries(st.text(), st.floats(0.01, 100), min_size=1), st.integers(1, 10_000))
def test_quotas_are_within_one_row_of_the_shares(shares: dict[str, float], rows: int) -> None:
    counts = quotas(shares, (), rows)
    assert sum(counts.values()) == rows
    total = sum(shares.values())
    assert all(abs(n - rows * shares[v] / total) < 1 + 1e-6 for v, n in counts.items())


@pytest.mark.parametrize("batch", [1, 100])
def test_balance_keeps_the_first_rows_of_each_quota(batch: int) -> None:
    step = Balance(column="tone", shares={"calm": 0.5, "angry": 0.25, "sad": 0.25}, rows=4)
    assert kept(step, batch, text=TONES, tone=TONES) == [0, 1, 2, 5]


def test_balance_says_why() -> None:
    step = Balance(column="tone", shares="uniform", values=("calm", "angry"), rows=2)
    curated = curate(source_of(text=TONES, tone=TONES), [step], column="text")
    reasons = set(curated.rejects.to_arrow()["reason"].to_pylist())
    assert reasons == {
        "The quota of 'calm' is full: 1 rows.",
        "The quota of 'angry' is full: 1 rows.",
        "'sad' has no quota.",
        "'odd' has no quota.",
    }


def test_balance_crosses_columns() -> None:
    values = tuple((d, s) for d in ("law", "art") for s in ("formal", "casual"))
    domains, styles = ["law", "law", "law", "art"], ["formal", "formal", "casual", "formal"]
    step = Balance(column=("domain", "style"), shares="uniform", values=values, rows=4)
    assert kept(step, text=domains, domain=domains, style=styles) == [0, 2, 3]


def test_coverage_counts_what_lacks() -> None:
    counted = coverage(
        source_of(3, tone=TONES),
        column="tone",
        shares="uniform",
        values=("calm", "angry", "sad"),
        rows=9,
    )
    assert counted.missing == {"angry": 1, "sad": 2}
    assert counted.outside == {"odd": 1}
    assert counted.covered == (3 + 2 + 1) / 9
    assert counted.table().to_pylist() == [
        {"value": "calm", "wanted": 3, "have": 4, "missing": 0},
        {"value": "angry", "wanted": 3, "have": 2, "missing": 1},
        {"value": "sad", "wanted": 3, "have": 1, "missing": 2},
        {"value": "odd", "wanted": 0, "have": 1, "missing": 0},
    ]


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_a_share_is_kept_exactly_ties_by_order(batch: int) -> None:
    scores = [3.0, 1.0, 2.0, 2.0, 2.0, math.nan, None, 5.0]
    texts = [str(i) for i in range(8)]
    for share, expected in (
        (0.5, [0, 2, 3, 7]),
        (0.25, [0, 7]),
        (1.0, [0, 1, 2, 3, 4, 7]),
        (0.01, []),
    ):
        assert kept(Select(score="s", keep=share), batch, text=texts, s=scores) == expected


def test_a_threshold_is_kept_in_one_pass() -> None:
    scores, texts = [3, 1, 2, None], list("abcd")
    assert kept(Select(score="s", threshold=2), text=texts, s=scores) == [0, 2]
    rows = source_of(text=texts, s=scores)
    curated = curate(rows, [Select(score="s", threshold=2)], column="text")
    assert curated.rejects.to_arrow()["reason"].to_pylist() == ["s 1 (at least 2).", "No s."]


def test_a_share_is_of_what_earlier_steps_keep() -> None:
    texts, scores = ["a", "a", "a", "b", "c", "d"], [9, 9, 9, 1, 2, 3]
    rows = source_of(text=texts, s=scores)
    curated = curate(rows, [ExactDuplicates(), Select(score="s", keep=0.5)], column="text")
    assert curated.kept.to_arrow()["text"].to_pylist() == ["a", "d"]
    assert curated.counts == {"rows": 6, "kept": 2, "exact duplicates": 2, "select": 2}


def test_a_share_cannot_be_kept_row_by_row() -> None:
    with pytest.raises(SettingError, match="needs all scores first"):
        Select(score="s", keep=0.5).start()


def test_the_synthetic_share_of_kormo_comes_out() -> None:
    mix = MixRatio(synthetic=0.6874)
    for synthetic in (1_000, 68_740, 1_234_567):
        real = mix.real_for(synthetic)
        share = mix.share(synthetic, real)
        assert round(100 * share, 2 if synthetic > 10_000 else 0) == (
            68.74 if synthetic > 10_000 else 69
        )
        for other in (real - 1, real + 1):
            assert abs(mix.share(synthetic, other) - 0.6874) > abs(share - 0.6874)
    assert mix.real_for(68_740) == 31_260 and mix.synthetic_for(31_260) == 68_740


def test_counts_follow_the_rows() -> None:
    step = Balance(column="t", shares={"a": 3, "b": 1}, rows=8, tolerance=0.5)
    letters = list("abababababababababab")
    found = Counter(letters[int(str(i))] for i in kept(step, text=letters, t=letters))
    assert found == {"a": 9, "b": 3}


def test_settings_and_columns_are_checked() -> None:
    for wrong in (
        {"shares": "equal"}, {"shares": "uniform"}, {"shares": {}}, {"shares": {"a": -1}},
        {"shares": {"a": 0}}, {"rows": 0}, {"tolerance": -1},
    ):  # fmt: skip
        with pytest.raises(SettingError):
            Balance(**({"column": "c", "shares": {"a": 1}, "rows": 5} | wrong))  # type: ignore[arg-type]
    for select in ({}, {"keep": 1, "threshold": 1}, {"keep": 0}, {"threshold": math.nan}):
        with pytest.raises(SettingError):
            Select(score="s", **select)
    with pytest.raises(SettingError, match="no column 's'"):
        kept(Select(score="s", threshold=1), text=["a"])
    with pytest.raises(DataError, match="not numbers"):
        kept(Select(score="s", threshold=1), text=["a"], s=["high"])
    with pytest.raises(SettingError):
        MixRatio(synthetic=1.0)
    with pytest.raises(SettingError):
        MixRatio.share(0, 0)
