"""Each kind alone, on many copies of a text with one place for it: as many change as were asked."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from geurim.noise import KINDS, Noise

LEVEL = 1e-4
COPIES = 3_000
RATE = 0.1
ONE_PLACE = {
    "ko": {
        "to_hapsyo": "좋아요.",
        "to_haeyo": "좋다.",
        "to_hae": "좋아요.",
        "to_plain": "좋아요.",
        "to_noun": "좋아요.",
        "slang": "명작",
        "abbreviation": "너무",
        "initials": "인정",
        "loan": "이벤트",
        "prefix": "슬프다",
        "intensifier": "바다로",
        "repeat": "너무 춥다",
        "rant": "바다로 간다",
        "run_on": "간다. 온다.",
        "digression": "간다",
        "anger": "간다",
        "misspelling": "며칠",
        "coda": "밖",
        "vowel": "네",
        "phonetic": "좋아",
        "shift": "때",
        "shift_missed": "빵",
        "key": "가",
        "drop": "가",
        "swap": "가",
        "double": "가",
        "latin_keys": "안녕",
        "particle_split": "바다를",
        "space_extra": "바다",
        "space_missing": "바다 가",
        "space_doubled": "바다 가",
        "spaceless": "바다 가 나",
        "punctuation_missing": "간다.",
        "cute": "가요",
        "drawn": "가요",
        "dots": "간다.",
        "bangs": "간다.",
        "tildes": "간다.",
        "laughter": "간다.",
        "tears": "간다.",
        "interjection": "간다.",
        "emoticon": "간다.",
        "frown": "간다.",
        "emoji": "간다.",
    },
    "en": {
        "abbreviation": "you",
        "slang": "great",
        "misspelling": "separate",
        "intensifier": "Go on.",
        "repeat": "very cold",
        "run_on": "Go. Run.",
        "digression": "Go",
        "anger": "Go",
        "key": "a",
        "swap": "abc",
        "drop": "ab",
        "double": "a",
        "space_extra": "ab",
        "space_missing": "a b",
        "space_doubled": "a b",
        "apostrophe": "don't",
        "lower": "Hi",
        "caps": "late",
        "punctuation_missing": "Go.",
        "drawn": "so",
        "dots": "Go.",
        "bangs": "Go.",
        "interjection": "Go.",
        "emoticon": "Go.",
        "frown": "Go.",
        "emoji": "Go.",
    },
}
CASES = [(language, kind) for language, texts in ONE_PLACE.items() for kind in texts]


def changed(language: str, kind: str, rate: float, seed: int = 11) -> int:
    text = ONE_PLACE[language][kind]
    noise = Noise(rates={kind: rate}, language=language)
    out = noise.apply([text] * COPIES, np.random.default_rng(seed)).to_pylist()
    return sum(t != text for t in out)


def agrees(count: int, rate: float) -> bool:
    """Two-sided test of a binomial count at LEVEL, normal approximation."""
    z = NormalDist().inv_cdf(1 - LEVEL / 2)
    return abs(count - COPIES * rate) <= z * math.sqrt(COPIES * rate * (1 - rate))


def test_every_kind_has_an_example() -> None:
    assert {lang: set(kinds) for lang, kinds in KINDS.items()} == {
        lang: set(texts) for lang, texts in ONE_PLACE.items()
    }


@pytest.mark.parametrize(("language", "kind"), CASES)
def test_kind_changes_the_share_asked_for_and_twice_as_many_is_caught(
    language: str, kind: str
) -> None:
    assert agrees(changed(language, kind, RATE), RATE)
    assert not agrees(changed(language, kind, 2 * RATE), RATE)


@pytest.mark.parametrize(("language", "kind"), CASES)
def test_rate_one_changes_every_place(language: str, kind: str) -> None:
    assert changed(language, kind, 1.0) == COPIES


def test_places_are_chosen_independently() -> None:
    # Hits in texts of 8 places are binomial: a choice by text would show in their variance.
    noise = Noise(rates={"space_missing": 0.5}, language="ko")
    out = noise.apply(["가 나 다 라 마 바 사 아 자"] * COPIES, np.random.default_rng(4)).to_pylist()
    hits = np.array([8 - t.count(" ") for t in out])
    assert abs(hits.mean() - 4) < 3.9 * math.sqrt(2 / COPIES)
    assert 1.7 < hits.var() < 2.3  # 8 * 0.25; all or nothing would give 16


def test_counts_name_edits_and_places() -> None:
    noise = Noise(rates={"space_missing": 0.5, "laughter": 1.0}, language="ko")
    out, counts = noise.apply_counted(["가 나 다."] * 100, np.random.default_rng(4))
    assert counts["space_missing"].places == 200 and counts["laughter"].edits == 100
    assert (
        sum(2 - t.rsplit("다", 1)[0].count(" ") for t in out.to_pylist())
        == counts["space_missing"].edits
    )
