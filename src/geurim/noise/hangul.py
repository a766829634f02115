"""Hangul by arithmetic on code points, and the 2-beolsik keyboard it is typed on.

A syllable is U+AC00 + (initial * 21 + medial) * 28 + final (Unicode 16, section 3.12). Jamo are
written as compatibility jamo (U+3131 on), the ones a lone key gives.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
MEDIALS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
FINALS = ("", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")
FIRST, LAST = 0xAC00, 0xD7A3

INITIAL_AT = {jamo: at for at, jamo in enumerate(INITIALS)}
MEDIAL_AT = {jamo: at for at, jamo in enumerate(MEDIALS)}
FINAL_AT = {jamo: at for at, jamo in enumerate(FINALS)}

# Two keys that make one medial or one final, and what they make.
_JOINED = "ㅗㅏㅘ ㅗㅐㅙ ㅗㅣㅚ ㅜㅓㅝ ㅜㅔㅞ ㅜㅣㅟ ㅡㅣㅢ "
_JOINED += "ㄱㅅㄳ ㄴㅈㄵ ㄴㅎㄶ ㄹㄱㄺ ㄹㅁㄻ ㄹㅂㄼ ㄹㅅㄽ ㄹㅌㄾ ㄹㅍㄿ ㄹㅎㅀ ㅂㅅㅄ"
PAIRS = {three[:2]: three[2] for three in _JOINED.split()}
SPLIT = {joined: keys for keys, joined in PAIRS.items()}

# The keyboard: rows from the top, each shifted right by about half a key.
KOREAN_ROWS = ("ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔ", "ㅁㄴㅇㄹㅎㅗㅓㅏㅣ", "ㅋㅌㅊㅍㅠㅜㅡ")
LATIN_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
SHIFTED = dict(zip("ㄱㄷㅂㅅㅈㅐㅔ", "ㄲㄸㅃㅆㅉㅒㅖ", strict=True))
UNSHIFTED = {shifted: plain for plain, shifted in SHIFTED.items()}


def neighbours(rows: tuple[str, ...]) -> dict[str, str]:
    """For each key the keys that touch it: left, right, and two in the row above and below."""
    touching: dict[str, str] = {}
    for y, row in enumerate(rows):
        for x, key in enumerate(row):
            places = [
                (y, x - 1),
                (y, x + 1),
                (y - 1, x),
                (y - 1, x + 1),
                (y + 1, x - 1),
                (y + 1, x),
            ]
            touching[key] = "".join(
                rows[r][c] for r, c in places if 0 <= r < len(rows) and 0 <= c < len(rows[r])
            )
    return touching


KOREAN_NEIGHBOURS = neighbours(KOREAN_ROWS)
KOREAN_NEIGHBOURS |= {s: KOREAN_NEIGHBOURS[k] for k, s in SHIFTED.items()}
LATIN_NEIGHBOURS = neighbours(LATIN_ROWS)
LATIN_KEYS = dict(zip("".join(KOREAN_ROWS), "".join(LATIN_ROWS), strict=True))
LATIN_KEYS |= {s: LATIN_KEYS[k].upper() for k, s in SHIFTED.items()}


def is_syllable(character: str) -> bool:
    """Whether it is one of the 11,172 precomposed syllables."""
    return "가" <= character <= "힣"


def join(initial: str, medial: str, final: str = "") -> str:
    """One syllable of its jamo: `join("ㄱ", "ㅏ", "ㅇ")` is "강"."""
    code = (INITIAL_AT[initial] * 21 + MEDIAL_AT[medial]) * 28 + FINAL_AT[final]
    return chr(FIRST + code)


def split(syllable: str) -> tuple[str, str, str]:
    """The initial, medial and final (or "") of one syllable; the inverse of `join`."""
    code = ord(syllable) - FIRST
    return INITIALS[code // 588], MEDIALS[code // 28 % 21], FINALS[code % 28]


def decompose(text: str) -> tuple[str | tuple[str, str, str], ...]:
    """Each syllable as its three jamo, every other character as it is."""
    return tuple(split(c) if is_syllable(c) else c for c in text)


def compose(parts: Iterable[str | tuple[str, str, str]]) -> str:
    """The inverse of `decompose`, for any text."""
    return "".join(part if isinstance(part, str) else join(*part) for part in parts)


def final_of(character: str) -> str:
    """The final consonant of a syllable, or "" where there is none (or no syllable)."""
    return FINALS[(ord(character) - FIRST) % 28] if is_syllable(character) else ""


def with_final(syllable: str, final: str) -> str:
    """The same syllable with another final: `with_final("가", "ㅂ")` is "갑"."""
    code = ord(syllable) - FIRST
    return chr(FIRST + code - code % 28 + FINAL_AT[final])


def parts(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places of initial, medial and final of syllables given as code points (N,)."""
    code = codes.astype(np.int64) - FIRST
    return code // 588, code // 28 % 21, code % 28


def keystrokes(syllable: str) -> list[str]:
    """The keys that type a syllable on 2-beolsik; shifted keys count as one."""
    initial, medial, final = split(syllable)
    return [initial, *SPLIT.get(medial, medial), *SPLIT.get(final, final)]


def typed(keys: Iterable[str]) -> str:
    """What an input method shows for these keys, syllables formed as they come.

    A consonant is a final until a vowel follows and takes it over, which is why one slipped key
    changes the neighbouring syllable too. `typed` undoes `keystrokes` on any run of syllables.
    """
    shown: list[str] = []
    initial = medial = final = ""
    for key in keys:
        if key in MEDIAL_AT:
            if final:
                stays = SPLIT[final][0] if final in SPLIT else ""
                moves = SPLIT[final][1] if final in SPLIT else final
                shown.append(join(initial, medial, stays))
                initial, medial, final = moves, key, ""
            elif medial + key in PAIRS:
                medial = PAIRS[medial + key]
            elif medial:
                shown.append(_shown(initial, medial, final))
                initial, medial = "", key
            else:
                medial = key
        elif initial and medial and not final and key in FINAL_AT:
            final = key
        elif final and final + key in PAIRS:
            final = PAIRS[final + key]
        else:
            shown.append(_shown(initial, medial, final))
            initial, medial, final = key, "", ""
    shown.append(_shown(initial, medial, final))
    return "".join(shown)


def _shown(initial: str, medial: str, final: str) -> str:
    return join(initial, medial, final) if initial and medial else initial or medial
