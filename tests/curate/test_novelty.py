import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import HOSTILE, dropped, reasons

from geurim.curate import Novelty
from geurim.curate.novelty import longest_common, rouge_l, tokens_of
from geurim.errors import SettingError

ALPHABET = st.text(alphabet="가나다라 ab1 .ㅋ", max_size=24)


def plain_length(left: list[str], right: list[str]) -> int:
    """The truth: the longest common subsequence by dynamic programming."""
    table = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            table[i + 1][j + 1] = (
                table[i][j] + 1 if a == b else max(table[i][j + 1], table[i + 1][j])
            )
    return table[-1][-1]


def plain_rouge(left: list[str], right: list[str]) -> float:
    return 2 * plain_length(left, right) / (len(left) + len(right)) if left and right else 0.0


def plain_novelty(texts: list[str], threshold: float) -> list[int]:
    kept: list[list[str]] = []
    out = []
    for i, tokens in enumerate(tokens_of(pa.array(texts, pa.string()))):
        if tokens and max((plain_rouge(tokens, k) for k in kept), default=0) > threshold:
            out.append(i)
        elif tokens:
            kept.append(tokens)
    return out


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Hello, World 42!", ["hello", "world", "42"]),
        ("안녕하세요 GPT-4", ["안", "녕", "하", "세", "요", "gpt", "4"]),
        ("iPhone을 샀다", ["iphone", "을", "샀", "다"]),
        ("ㅋㅋ ㅇㅈ", ["ㅋ", "ㅋ", "ㅇ", "ㅈ"]),
        ("日本語 text", ["日", "本", "語", "text"]),
        ("😀 😀!", ["😀", "😀", "!"]),
        ("  ", []),
        ("\u1112\u1161\u11ab", ["한"]),
    ],
)
def test_tokens_are_words_and_syllables(text: str, tokens: list[str]) -> None:
    assert tokens_of(pa.array([text], pa.string())) == [tokens]


def test_equal_korean_texts_are_caught_and_an_unrelated_one_is_not() -> None:
    texts = [
        "봄에 어울리는 시를 한 편 써 줘",
        "봄에 어울리는 시를 한 편 써 줘",
        "세금 신고 방법을 설명해 줘",
    ]
    assert dropped(Novelty(), texts) == [1]
    assert rouge_l(texts[0], texts[1]) == 1.0


def test_a_changed_ending_is_not_new() -> None:
    texts = [
        "주어진 문장을 영어로 번역하세요.",
        "주어진 문장을 영어로 번역해 주세요!",
        "주어진 표를 요약하세요.",
    ]
    assert dropped(Novelty(), texts) == [1]


def test_reasons_tell_the_value() -> None:
    reason = reasons(Novelty(), ["write a poem about the sea", "write a poem about the sky"])[1]
    assert reason == "ROUGE-L 0.83 with an earlier row (limit 0.7)."


def test_the_threshold_itself_is_still_new() -> None:
    ten, other = "a b c d e f g h i j", "a b c d e f g x y z"
    assert rouge_l(ten, other) == 0.7
    assert dropped(Novelty(), [ten, other]) == []
    assert dropped(Novelty(threshold=0.69), [ten, other]) == [1]


@settings(deadline=None)  # other processes share the cores
@given(ALPHABET, ALPHABET)
def test_rouge_is_that_of_dynamic_programming(left: str, right: str) -> None:
    a, b = tokens_of(pa.array([left, right], pa.string()))
    places: dict[int, int] = {}
    numbers = {t: i for i, t in enumerate(dict.fromkeys(a + b))}
    for i, token in enumerate(a):
        places[numbers[token]] = places.get(numbers[token], 0) | 1 << i
    assert longest_common(places, len(a), [numbers[t] for t in b]) == plain_length(a, b)
    if a and b:
        assert rouge_l(left, right) == pytest.approx(plain_rouge(a, b))


@settings(deadline=None)  # other processes share the cores
@given(st.lists(ALPHABET, max_size=25), st.sampled_from([0.3, 0.5, 0.7, 0.9]))
def test_bounds_lose_nothing(texts: list[str], threshold: float) -> None:
    assert dropped(Novelty(threshold=threshold), texts) == plain_novelty(texts, threshold)


@pytest.mark.parametrize("batch", [1, 50])
def test_batches_do_not_matter(batch: int) -> None:
    rng = np.random.default_rng(0)
    words = [
        "글을",
        "써",
        "줘",
        "요약해",
        "표를",
        "영어로",
        "번역",
        "설명",
        "해",
        "주세요",
        "poem",
        "write",
    ]
    texts = [" ".join(rng.choice(words, 7)) for _ in range(200)] + [None, *HOSTILE]
    expected = reasons(Novelty(), texts, 1_000)
    assert sum(r is not None for r in expected) > 20
    assert reasons(Novelty(), texts, batch) == expected


def test_long_texts_are_compared_in_full() -> None:
    rng = np.random.default_rng(1)
    long = "".join(chr(0xAC00 + int(c)) for c in rng.integers(0, 500, 700))
    assert dropped(Novelty(), [long, long[:600] + "끝" * 100, long[::-1]]) == [1]


def test_settings_are_checked() -> None:
    with pytest.raises(SettingError, match="ROUGE-L"):
        Novelty(threshold=1.5)
