import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geurim.analyze.prose import describe, ratio
from geurim.errors import DataError, SettingError

TEXTS = [
    "영화가 정말 좋았습니다. 추천합니다!",
    "재밌어요ㅋㅋㅋ 또 볼게요 ㅎㅎ",
    "슬펐다ㅠㅠ 그래도 좋았다...",
    "너무 재미있음 ^^",
    "ㄹㅇ 최고야",
    "이걸 왜봄? 노잼이네~~",
    "넘조아요정말최고네요",
    None,
    "  ",
]


def test_counts_of_a_few_texts_by_hand() -> None:
    found = describe(TEXTS)
    rates = found["rates"]
    assert found["language"] == "ko" and found["texts"] == 7 and found["missing"] == 2
    hits = {name: rates[name]["hits"] for name in rates}
    assert rates["laughter"]["count"] == 11  # sentences
    assert hits["laughter"] == 2 and hits["tears"] == 1 and hits["initials"] == 1
    assert hits["dots"] == 1 and hits["bangs"] == 1 and hits["tildes"] == 1
    assert hits["emoticon"] == 1 and hits["questions"] == 1
    assert hits["register_hapsyo"] == 2 and hits["register_haeyo"] == 3
    assert hits["register_plain"] == 2 and hits["register_noun"] == 2 and hits["register_hae"] == 2
    assert hits["phonetic"] == 0  # 조아 stands inside a word here: not counted
    assert found["shares"]["jamo"] == pytest.approx(
        9 / sum(len("".join(t.split())) for t in TEXTS if t)
    )


@pytest.mark.parametrize(
    ("measure", "with_it", "without"),
    [
        ("coda", "영화 잘 봣다", "영화 잘 봤다"),
        ("misspelling", "안되요 됬다", "안 돼요 됐다"),
        ("vowel", "어재 쓰래기", "어제 쓰레기"),
        ("phonetic", "조아요", "좋아요"),
        ("shift", "떄문에", "때문에"),
        ("broken", "영호ㅏ 햘갟", "영화 할까"),
        ("key_slips", "주인겅", "주인공"),
        ("drop_slips", "마지ㅏㄱ 스토ㅣ", "마지막 스토리"),
        ("cute", "좋아용", "좋아요"),
        ("prefix", "개웃겨", "웃겨"),
        ("repeat", "너무너무 좋다", "너무 좋다"),
        ("double_spaces", "정말  좋다", "정말 좋다"),
        ("drawn", "너무우우 좋다", "너무 좋다"),
        ("abbreviation", "남친이 왔다", "남자친구가 왔다"),
    ],
)
def test_each_measure_sees_its_noise_and_nothing_in_clean_text(
    measure: str, with_it: str, without: str
) -> None:
    assert describe([with_it])["rates"][measure]["hits"] >= 1
    assert describe([without])["rates"][measure]["hits"] == 0


@pytest.mark.parametrize(
    ("measure", "with_it", "without"),
    [
        ("apostrophe", "I dont know", "I don't know"),
        ("lower", "i know", "I know"),
        ("caps", "this is NOT ok", "this is not ok"),
        ("misspelling", "definately", "definitely"),
        ("abbreviation", "thx a ton", "thanks a ton"),
        ("drawn", "sooo good", "so good"),
        ("swap_slips", "poeple", "people"),
        ("drop_slips", "peple", "people"),
    ],
)
def test_english_measures(measure: str, with_it: str, without: str) -> None:
    assert describe([with_it], language="en")["rates"][measure]["hits"] >= 1
    assert describe([without], language="en")["rates"][measure]["hits"] == 0


def test_intervals_cover_at_their_level_and_a_narrower_one_does_not() -> None:
    rng = np.random.default_rng(3)
    covered = narrow = 0
    for _ in range(400):
        units = rng.integers(1, 8, 300)
        value, low, high = ratio(rng.binomial(units, 0.2), units)
        covered += low <= 0.2 <= high
        narrow += abs(value - 0.2) <= (high - low) / 4
    assert 400 * 0.95 - 18 < covered <= 400  # 3.9 standard errors of the count
    assert narrow < 400 * 0.95 - 18


def test_ratio_at_its_ends() -> None:
    zero = np.zeros(10, np.int64)
    assert ratio(zero, zero) == (0.0, 0.0, 1.0)
    assert ratio(zero, zero + 3) == (0.0, 0.0, 0.1)


def test_no_text_is_kept_and_the_result_is_json() -> None:
    secret = "비밀번호는 고양이수염"
    found = json.dumps(describe([secret, *["좋아요."] * 50]), ensure_ascii=False)
    assert "수염" not in found and "어요" not in found and "아요" in found


def test_arrow_and_lists_agree() -> None:
    assert describe(pa.array(TEXTS)) == describe(TEXTS)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(min_size=1), min_size=1))
def test_any_text_can_be_described(texts: list[str]) -> None:
    if any(not t.isspace() for t in texts):
        for rate in describe(texts)["rates"].values():
            assert rate["hits"] >= 0 and rate["low"] <= rate["value"] <= rate["high"]


def test_wrong_requests_are_refused() -> None:
    with pytest.raises(DataError):
        describe([])
    with pytest.raises(DataError):
        describe("one string")
    with pytest.raises(SettingError):
        describe(["a"], language="fr")
