import numpy as np
import pytest

from geurim.errors import DataError, SettingError
from geurim.noise import Noise
from geurim.noise.fit import fit

WORDS = """
영화가 배우가 스토리가 음악이 배송이 서비스가 음식이 가격이 화면이 결말이
정말 아주 생각보다 그래서 오늘도 너무 조금 어떻게 제일 다시
좋았어요 별로예요 괜찮습니다 재미있어요 최고예요 느렸어요 예뻤습니다 아쉬워요 몰라요 됐어요
"""
SUBJECTS, ADVERBS, ENDS = (line.split() for line in WORDS.strip().split("\n"))
RATES = {
    "laughter": 0.1,
    "tears": 0.05,
    "dots": 0.2,
    "coda": 0.15,
    "vowel": 0.1,
    "space_missing": 0.2,
    "to_hae": 0.4,
    "punctuation_missing": 0.5,
    # In the proportions that a fit takes for granted.
    "key": 0.02,
    "drop": 0.008,
    "swap": 0.006,
    "double": 0.006,
}


def sentences(count: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    columns = [rng.choice(words, count) for words in (SUBJECTS, ADVERBS, ADVERBS, ENDS)]
    return [f"{s} {a} {b} {e}." for s, a, b, e in zip(*columns, strict=True)]


@pytest.fixture(scope="module")
def real() -> list[str]:
    noise = Noise(rates=RATES, language="ko")
    return noise.apply(sentences(3_000, 1), np.random.default_rng(2)).to_pylist()


@pytest.fixture(scope="module")
def fitted(real: list[str]):
    return fit(real, sentences(3_000, 3), rng=np.random.default_rng(4), rounds=4)


@pytest.mark.parametrize("kind", RATES)
def test_fit_finds_the_rates_that_made_the_noise(fitted, kind: str) -> None:
    assert fitted.noise.rates[kind] == pytest.approx(RATES[kind], rel=0.3)
    assert fitted.noise.rates[kind] != pytest.approx(2 * RATES[kind], rel=0.3)  # twice is caught


def test_kinds_that_are_not_there_get_no_rate(fitted) -> None:
    for kind in ("emoticon", "bangs", "tildes", "loan", "to_plain", "space_doubled"):
        assert fitted.noise.rates.get(kind, 0.0) < 0.005


def test_noised_text_is_counted_like_the_real_one(fitted) -> None:
    for row in fitted.rows:
        if row.rates and row.clean < row.low:
            assert abs(row.noised - row.real) < 2 * (row.high - row.low), row


def test_fit_is_repeatable_and_noise_fit_gives_the_same(real: list[str]) -> None:
    some, clean = real[:500], sentences(500, 3)
    one = fit(some, clean, rng=np.random.default_rng(4), rounds=2).noise
    assert Noise.fit(some, clean, rng=np.random.default_rng(4), rounds=2) == one


def test_without_clean_texts_rates_are_what_is_counted(real: list[str]) -> None:
    rows = fit(real, rng=np.random.default_rng(4))
    assert rows.noise.rates["laughter"] == pytest.approx(0.1, rel=0.3)
    assert "space_missing" not in rows.noise.rates and "to_hae" not in rows.noise.rates


def test_english_rates_are_found() -> None:
    rng = np.random.default_rng(0)
    words = ["people", "would", "really", "always", "something", "about", "order", "product"]
    clean = ["I don't know " + " ".join(rng.choice(words, 6)) + "." for _ in range(3_000)]
    rates = {"apostrophe": 0.4, "lower": 0.3, "key": 0.01, "drop": 0.02, "bangs": 0.2}
    noisy = Noise(rates=rates, language="en").apply(clean[:1_500], rng)
    found = fit(noisy, clean[1_500:], rng=rng, rounds=4).noise
    assert found.language == "en"
    for kind, rate in rates.items():
        assert found.rates[kind] == pytest.approx(rate, rel=0.35), kind


def test_wrong_requests_are_refused() -> None:
    with pytest.raises(DataError):
        fit(["", None], rng=np.random.default_rng(0))
    with pytest.raises(SettingError):
        fit(["가"], ["나"], rng=np.random.default_rng(0), rounds=0)
