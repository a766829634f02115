import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import HOSTILE, dropped, kept, reasons

from geurim.curate import ExactDuplicates, NearDuplicates
from geurim.curate.characters import folded
from geurim.curate.minhash import Signer, Sketches, bands_for
from geurim.curate.shingles import shingle_sets
from geurim.errors import SettingError

KOREAN = [
    "배송이 생각보다 빨라서 정말 놀랐고 포장 상태도 아주 깔끔해서 만족스러웠습니다",
    "주문한 물건이 일주일이 지나도록 도착하지 않아서 고객센터에 세 번이나 전화했어요",
    "이 영화는 초반은 지루하지만 마지막 삼십 분의 반전 때문에 끝까지 볼 가치가 있다",
    "환불 규정을 읽어 봤는데 개봉한 상품은 교환만 되고 환불은 안 된다고 적혀 있네요",
]


def shingles(text: str, width: int = 3) -> set[str]:
    """The truth: shingles of characters by plain Python."""
    chars = folded(pa.array([text], pa.string())).points.tobytes().decode("utf-32-le")
    return {chars[i : i + width] for i in range(max(len(chars) - width + 1, 1))}


def similarity(left: str, right: str) -> float:
    a, b = shingles(left), shingles(right)
    return len(a & b) / len(a | b)


def edited(rng: np.random.Generator, text: str, edits: int) -> str:
    letters = list(text)
    for at in rng.integers(0, len(letters), edits):
        letters[at] = chr(0xAC00 + int(rng.integers(0, 11_000)))
    return "".join(letters)


def words(rng: np.random.Generator, count: int) -> str:
    return " ".join(
        "".join(chr(0xAC00 + int(c)) for c in rng.integers(0, 900, rng.integers(1, 5)))
        for _ in range(count)
    )


def test_exact_duplicates_ignore_case_white_space_and_composition() -> None:
    texts = ["한글 Text", "한글  tEXT\n", "\u1112\u1161\u11ab글 text", "한글 texts", None, None]
    assert dropped(ExactDuplicates(), texts) == [1, 2]


def test_a_copied_row_and_a_changed_ending_are_caught_and_others_are_not() -> None:
    copy, ending = KOREAN[0], KOREAN[1].replace("전화했어요", "전화했습니다")
    assert similarity(ending, KOREAN[1]) > 0.8
    assert dropped(NearDuplicates(), [*KOREAN, copy, ending]) == [4, 5]
    assert dropped(NearDuplicates(threshold=1.0), [*KOREAN, copy, ending]) == [4]


def test_english_is_cut_into_words() -> None:
    text = "the quick brown fox jumps over the lazy dog and runs far away into the dark wood"
    near, far = text.replace("dark wood", "dark forest"), " ".join(text.split()[::-1])
    assert dropped(NearDuplicates(), [text, near, far]) == [1]
    assert dropped(NearDuplicates(unit="characters"), [text, near, far]) == [1]


def test_the_reason_tells_the_similarity() -> None:
    left, right = KOREAN[1], KOREAN[1].replace("전화했어요", "전화했습니다")
    reason = reasons(NearDuplicates(), [left, right])[1]
    assert reason is not None and f"{similarity(left, right):.2f}" in reason


def test_similarity_is_exact_for_short_texts_and_unbiased_for_long_ones() -> None:
    rng = np.random.default_rng(1)
    short = [words(rng, 20) for _ in range(30)]
    pairs = [(t, edited(rng, t, int(rng.integers(1, 20)))) for t in short]
    truth = np.array([similarity(a, b) for a, b in pairs])
    np.testing.assert_allclose(estimates(pairs, 256), truth)
    long = [words(rng, 400) for _ in range(60)]
    pairs = [(t, edited(rng, t, int(rng.integers(20, 150)))) for t in long]
    truth = np.array([similarity(a, b) for a, b in pairs])
    z = (estimates(pairs, 256) - truth) / np.sqrt(truth * (1 - truth) / 256)
    assert abs(z.mean()) * np.sqrt(len(z)) < 3.9  # level 1e-4, two-sided
    assert z.std() < 1.3, "no wider than stated"


def estimates(pairs: list[tuple[str, str]], k: int) -> np.ndarray:
    texts = pa.array([t for pair in pairs for t in pair], pa.string())
    sets = shingle_sets(texts, "characters", 3, 3)
    left = np.arange(0, len(texts), 2)
    sketches = Sketches(k)
    within = sketches.similarities_within(sets, left, left + 1)
    sketches.add(sets, left)
    kept_side = sketches.similarities(sets, left + 1, np.arange(len(pairs)))
    np.testing.assert_array_equal(within, kept_side)
    return within


def test_a_minimum_agrees_as_often_as_sets_overlap() -> None:
    rng = np.random.default_rng(2)
    texts = [t for _ in range(40) for t in [words(rng, 15)] for t in (t, edited(rng, t, 6))]
    sets = shingle_sets(pa.array(texts), "characters", 3, 3)
    keys = Signer(400, 1).keys(sets)
    agree = (keys[::2] == keys[1::2]).mean(axis=1)
    truth = np.array([similarity(a, b) for a, b in zip(texts[::2], texts[1::2], strict=True)])
    z = (agree - truth) / np.sqrt(truth * (1 - truth) / 400)
    assert abs(z.mean()) * np.sqrt(len(z)) < 3.9 and 0.6 < z.std() < 1.5


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9, 1.0])
def test_bands_propose_a_pair_at_the_threshold_almost_surely(threshold: float) -> None:
    bands, minima = bands_for(threshold)
    assert 1 - (1 - min(threshold, 1 - 1e-6) ** minima) ** bands >= 0.9949
    assert 1 - (1 - (threshold / 3) ** minima) ** bands < 0.5


def test_recall_and_precision_against_the_true_similarity() -> None:
    rng = np.random.default_rng(3)
    texts = []
    for _ in range(400):
        text = words(rng, int(rng.integers(4, 25)))
        texts += [text, edited(rng, text, int(rng.integers(1, 4)))]
    found = set(dropped(NearDuplicates(), texts, batch=97))
    truth = {i for i in range(1, len(texts), 2) if similarity(texts[i], texts[i - 1]) >= 0.8}
    assert 100 < len(truth) < 350
    assert found <= truth, "what is dropped was verified"
    assert len(found & truth) >= 0.99 * len(truth)


@pytest.mark.parametrize("batch", [1, 7, 5_000])
def test_batches_do_not_change_what_is_found(batch: int) -> None:
    rng = np.random.default_rng(4)
    base = [words(rng, 12) for _ in range(150)]
    texts = [edited(rng, base[int(i)], int(e)) for i, e in rng.integers(0, 4, (900, 2))]
    texts += [edited(rng, base[i % 150], i % 3) for i in range(900)]
    assert reasons(NearDuplicates(), texts, batch) == reasons(NearDuplicates(), texts, 100)


def test_what_was_dropped_drops_nothing() -> None:
    rng = np.random.default_rng(5)
    first = words(rng, 30)
    chain = [first]
    while len(chain) < 12:
        chain.append(edited(rng, chain[-1], 2))
    expected: list[str] = []
    for text in chain:
        if all(similarity(text, other) < 0.8 for other in expected):
            expected.append(text)
    assert 1 < len(expected) < 12
    assert kept(NearDuplicates(), chain) == expected


def test_memory_grows_by_signatures_only() -> None:
    rng = np.random.default_rng(6)
    judge = NearDuplicates().start()
    texts = pa.array([words(rng, 10) for _ in range(4_000)])
    judge.judge(texts, None)  # type: ignore[arg-type]
    size = judge.nbytes  # type: ignore[attr-defined]
    assert size / 4_000 < 450
    judge.judge(texts, None)  # type: ignore[arg-type]
    assert judge.nbytes == size, "dropped rows take nothing"  # type: ignore[attr-defined]


def test_hostile_texts_are_judged_and_their_copies_dropped() -> None:
    for step in (ExactDuplicates(), NearDuplicates()):
        first = set(dropped(step, HOSTILE))
        again = dropped(step, HOSTILE + HOSTILE)
        present = [i + len(HOSTILE) for i, t in enumerate(HOSTILE) if t is not None]
        assert set(again) == first | set(present)


@settings(deadline=None)  # other processes share the cores
@given(st.lists(st.text(max_size=30), max_size=20), st.integers(1, 20))
def test_any_text_is_judged_alike_in_any_batches(texts: list[str], batch: int) -> None:
    for step in (ExactDuplicates(), NearDuplicates()):
        assert reasons(step, texts, batch) == reasons(step, texts, 1_000)
    assert len(set(kept(ExactDuplicates(), texts))) == len(kept(ExactDuplicates(), texts))


@settings(deadline=None)  # other processes share the cores
@given(st.text(max_size=40))
def test_folding_is_that_of_plain_python(text: str) -> None:
    import unicodedata

    points = folded(pa.array([text], pa.string())).points
    ours = points.tobytes().decode("utf-32-le")
    plain = unicodedata.normalize("NFC", text)
    single = [c.casefold() if len(c.casefold()) == 1 else c.lower() for c in plain]
    folded_plain = "".join(
        s if len(s) == 1 and ord(c) < 0x10000 else c for s, c in zip(single, plain, strict=True)
    )
    assert ours == " ".join(folded_plain.split())


def test_settings_are_checked() -> None:
    for wrong in ({"threshold": 0}, {"threshold": 2}, {"unit": "bytes"}, {"characters": 0}):
        with pytest.raises(SettingError):
            NearDuplicates(**wrong)  # type: ignore[arg-type]
