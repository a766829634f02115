import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geurim.noise.hangul import (
    FINALS,
    INITIALS,
    KOREAN_NEIGHBOURS,
    LATIN_NEIGHBOURS,
    MEDIALS,
    compose,
    decompose,
    join,
    keystrokes,
    parts,
    split,
    typed,
    with_final,
)

SYLLABLES = st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3))


@given(st.text())
def test_compose_undoes_decompose(text: str) -> None:
    assert compose(decompose(text)) == text


@given(SYLLABLES)
def test_typing_the_keys_of_a_word_gives_the_word(word: str) -> None:
    assert typed(key for syllable in word for key in keystrokes(syllable)) == word


@given(
    st.lists(st.sampled_from("ㅂㅈㄷㄱㅅㅃㅉㄸㄲㅆㅁㄴㅇㄹㅎㅋㅌㅊㅍㅛㅕㅑㅐㅔㅒㅖㅗㅓㅏㅣㅠㅜㅡ"))
)
def test_keys_can_be_read_off_what_they_typed(keys: list[str]) -> None:
    # Undoes `typed` for lone jamo too, so that two different slips never show the same text.
    medials = dict(
        zip("ㅘㅙㅚㅝㅞㅟㅢ", ("ㅗㅏ", "ㅗㅐ", "ㅗㅣ", "ㅜㅓ", "ㅜㅔ", "ㅜㅣ", "ㅡㅣ"), strict=True)
    )
    read: list[str] = []
    for character in typed(keys):
        whole = "가" <= character <= "힣"
        read += keystrokes(character) if whole else list(medials.get(character, character))
    assert read == keys


def test_arithmetic_agrees_with_unicode_composition() -> None:
    for i, initial in enumerate(INITIALS):
        for m, medial in enumerate(MEDIALS):
            for f, final in enumerate(FINALS):
                conjoining = chr(0x1100 + i) + chr(0x1161 + m) + (chr(0x11A7 + f) if f else "")
                syllable = unicodedata.normalize("NFC", conjoining)
                assert join(initial, medial, final) == syllable
                assert split(syllable) == (initial, medial, final)


def test_parts_of_arrays_are_the_parts_of_syllables() -> None:
    codes = np.array([ord(c) for c in "값힣가"], np.uint32)
    initial, medial, final = parts(codes)
    shown = [
        join(INITIALS[i], MEDIALS[m], FINALS[f])
        for i, m, f in zip(initial, medial, final, strict=True)
    ]
    assert "".join(shown) == "값힣가"
    assert with_final("값", "ㅁ") == "감"


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        ("ㅇㅕㅇㅗㅏ", "여와"),  # 영화 without ㅎ
        ("ㅇㅣㄹㄱㅇㅓ", "읽어"),
        ("ㅇㅣㄹㄱㅓ", "일거"),  # the second half of a final moves on
        ("ㅎㅐㅆㅏ", "해싸"),
        ("ㅏㄱㅏ", "ㅏ가"),
        ("ㄱㄱㅏ", "ㄱ가"),
    ],
)
def test_syllables_form_as_an_input_method_forms_them(keys: str, shown: str) -> None:
    assert typed(keys) == shown


def test_neighbours_are_mutual_and_touch() -> None:
    for near in (KOREAN_NEIGHBOURS, LATIN_NEIGHBOURS):
        plain = {key for key in near if key not in "ㄲㄸㅃㅆㅉㅒㅖ"}
        for key in plain:
            assert all(key in near[other] for other in near[key])
    assert set(LATIN_NEIGHBOURS["g"]) == set("fhtyvb")
    assert set(KOREAN_NEIGHBOURS["ㅎ"]) == set("ㄹㅗㅅㅛㅍㅠ")
