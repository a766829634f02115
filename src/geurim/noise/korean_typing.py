"""Slips of the hand and of spelling in Korean: keys, jamo, finals, vowels, spaces.

A slip on the keyboard edits the keys of a word and types them again, so what follows moves as an
input method moves it: 영화 without its ㅎ is 여와.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from geurim.noise.hangul import (
    FINAL_AT,
    FINALS,
    INITIAL_AT,
    KOREAN_NEIGHBOURS,
    LATIN_KEYS,
    MEDIAL_AT,
    SHIFTED,
    SPLIT,
    UNSHIFTED,
    keystrokes,
    parts,
    typed,
)
from geurim.noise.kinds import Kind, Places, characters, each, gaps, listed, matches, pick, swapped
from geurim.noise.kinds import alternatives as any_of
from geurim.noise.korean_words import MISSPELLINGS
from geurim.noise.sheet import END, KEPT, SEP, Sheet, from_codes

EditKeys = Callable[[list[str], list[str], float], list[str]]
"""Keys of a syllable, keys of the next one in the word ([] at its end), uniform: the new keys."""


def retyped(edit: EditKeys) -> Callable[[Sheet, np.ndarray, np.ndarray], Sheet]:
    """Rewrite by keys: words with chosen syllables are typed again, all their slips at once."""

    def rewrite(sheet: Sheet, spans: np.ndarray, uniform: np.ndarray) -> Sheet:
        edges = np.flatnonzero(np.diff(sheet.syllables.astype(np.int8))) + 1
        starts, ends = edges[::2], edges[1::2]  # a sheet begins and ends with a mark
        word = np.searchsorted(starts, spans[:, 0], side="right") - 1
        slips: dict[int, list[tuple[int, float]]] = {}
        for w, at, u in zip(word.tolist(), spans[:, 0].tolist(), uniform.tolist(), strict=True):
            slips.setdefault(w, []).append((at - int(starts[w]), u))
        pieces = [_retype(sheet.text[starts[w] : ends[w]], edit, at) for w, at in slips.items()]
        chosen = np.array(list(slips), np.int64)
        return sheet.replace(np.stack([starts[chosen], ends[chosen]], axis=1), pieces)

    return rewrite


def _retype(word: str, edit: EditKeys, slips: list[tuple[int, float]]) -> str:
    keys = [keystrokes(c) for c in word]
    edited = list(keys)
    for at, u in slips:
        edited[at] = edit(keys[at], keys[at + 1] if at + 1 < len(keys) else [], u)
    return typed(key for syllable in edited for key in syllable)


def _neighbour(keys: list[str], after: list[str], u: float) -> list[str]:
    at, u = pick(range(len(keys)), u)
    return [*keys[:at], pick(KOREAN_NEIGHBOURS[keys[at]], u)[0], *keys[at + 1 :]]


def _drop(keys: list[str], after: list[str], u: float) -> list[str]:
    at, _ = pick(range(len(keys)), u)
    return keys[:at] + keys[at + 1 :]


def _swap(keys: list[str], after: list[str], u: float) -> list[str]:
    at, _ = pick(range(len(keys) - 1), u)
    return [*keys[:at], keys[at + 1], keys[at], *keys[at + 2 :]]


def _double(keys: list[str], after: list[str], u: float) -> list[str]:
    at, _ = pick(range(len(keys)), u)
    return [*keys[: at + 1], keys[at], *keys[at + 1 :]]


def _jamo_mask(which: int, able: np.ndarray) -> Callable[[Sheet], np.ndarray]:
    """Syllables whose initial (0), medial (1) or final (2) is in a table of places."""

    def mask(sheet: Sheet) -> np.ndarray:
        found = np.zeros(len(sheet.codes), bool)
        at = np.flatnonzero(sheet.syllables)
        found[at] = able[parts(sheet.codes[at])[which]]
        return found

    return mask


_DOUBLED = np.array([jamo in UNSHIFTED for jamo in INITIAL_AT])
_CAN_DOUBLE = np.array([jamo in SHIFTED for jamo in INITIAL_AT])
_WIDE = np.array([jamo in "ㅐㅔ" for jamo in MEDIAL_AT])
_WIDER = np.array([jamo in "ㅒㅖ" for jamo in MEDIAL_AT])
_SHIFTED_FINAL = np.array([jamo in ("ㅆ", "ㄲ") for jamo in FINALS])
# One step from a plain initial to its doubled one, two from ㅐ to ㅒ and from ㅔ to ㅖ.
_DOUBLE, _WIDEN = 588, 2 * 28


def _held(sheet: Sheet) -> np.ndarray:
    """Syllables of which one key comes right after a shifted one and has a shifted form too."""
    before = np.roll(_jamo_mask(2, _SHIFTED_FINAL)(sheet), 1)  # the mark at the end has none
    inside = _jamo_mask(0, _DOUBLED)(sheet) & _jamo_mask(1, _WIDE)(sheet)
    found: np.ndarray = inside | (before & _jamo_mask(0, _CAN_DOUBLE)(sheet))
    return found


def _hold(sheet: Sheet, spans: np.ndarray, uniform: np.ndarray) -> Sheet:
    codes, at = sheet.codes.astype(np.int64), spans[:, 0]
    codes[at] += np.where(_DOUBLED[parts(codes[at])[0]], _WIDEN, _DOUBLE)
    return from_codes(codes)


def _unshiftable(sheet: Sheet) -> np.ndarray:
    found: np.ndarray = _jamo_mask(0, _DOUBLED)(sheet) | _jamo_mask(1, _WIDER)(sheet)
    return found


def _miss_shift(sheet: Sheet, spans: np.ndarray, uniform: np.ndarray) -> Sheet:
    codes, at = sheet.codes.astype(np.int64), spans[:, 0]
    codes[at] -= np.where(_DOUBLED[parts(codes[at])[0]], _DOUBLE, _WIDEN)
    return from_codes(codes)


# Finals that sound alike at the end of a syllable (neutralisation), as people confuse them.
CODA = dict(
    pair.split("=")
    for pair in listed(
        "ㅆ=ㅅ ㄶ=ㄴ ㅀ=ㄹ ㅄ=ㅂ ㄺ=ㄱ ㄵ=ㄴ ㅌ=ㅅ ㅊ=ㅈ ㅍ=ㅂ ㅈ=ㅅ ㄲ=ㄱ ㅋ=ㄱ ㄻ=ㅁ ㄼ=ㄹ "
        "ㄾ=ㄹ ㄳ=ㄱ ㄽ=ㄹ ㄿ=ㅂ"
    )
)
VOWELS = dict(pair.split("=") for pair in listed("ㅐ=ㅔ ㅔ=ㅐ ㅙ=ㅚ ㅚ=ㅙ ㅞ=ㅙ ㅢ=ㅣ ㅖ=ㅔ ㅒ=ㅖ"))


def _substituted(which: int, changes: dict[str, str]) -> Kind:
    names = MEDIAL_AT if which == 1 else FINAL_AT
    step = 28 if which == 1 else 1
    able = np.array([jamo in changes for jamo in names])
    shift = np.array([(names[changes.get(j, j)] - names[j]) * step for j in names])

    def rewrite(sheet: Sheet, spans: np.ndarray, uniform: np.ndarray) -> Sheet:
        codes, at = sheet.codes.copy(), spans[:, 0]
        moved = codes[at].astype(np.int64) + shift[parts(codes[at])[which]]
        codes[at] = moved
        return from_codes(codes)

    name = "vowel" if which == 1 else "coda"
    what = "a vowel that sounds alike: 내 for 네, 되 for 돼"
    if which == 2:
        what = "a final that sounds alike: 햇다 for 했다, 업다 for 없다"
    listed = " ".join(changes)
    return Kind(
        name=name,
        unit=f"syllable with {listed}",
        what=what,
        places=characters(_jamo_mask(which, able)),
        rewrite=rewrite,
    )


def _links(sheet: Sheet) -> np.ndarray:
    """Between two syllables, where a final is spoken as the next initial (연음).

    Only before 아, 어, 았, 었, and after ㅎ, ㄶ, ㅀ, ㅄ: people write 조아 and 시러, hardly 사라믈.
    """
    codes = sheet.codes
    found = np.zeros(len(codes) - 1, bool)
    at = np.flatnonzero(sheet.syllables[:-1] & sheet.syllables[1:])
    final = parts(codes[at])[2]
    spoken = np.isin(codes[at + 1], [ord(c) for c in "아어았었"]) & (final != FINAL_AT["ㅇ"])
    silent = parts(codes[at + 1])[0] == INITIAL_AT["ㅇ"]
    weak = np.isin(final, [FINAL_AT[f] for f in "ㅎㄶㅀㅄ"])
    found[at] = (final > 0) & (spoken | (silent & weak))
    return found


def _linked(final: str, medial: str) -> tuple[str, str]:
    """What stays as the final and what becomes the next initial: (ㄴ, ㅈ) for 앉아."""
    if medial == "ㅣ" and final in "ㄷㅌ":
        return "", "ㅈ" if final == "ㄷ" else "ㅊ"
    if final == "ㅎ":
        return "", "ㅇ"
    if final in "ㄶㅀ":
        return "", SPLIT[final][0]
    if final in SPLIT:
        stays, moves = SPLIT[final][0], SPLIT[final][1]
        return stays, "ㅆ" if moves == "ㅅ" else moves
    return "", final


_LINKED = np.array(
    [
        [
            (FINAL_AT[s] - FINAL_AT[f], INITIAL_AT[m] - INITIAL_AT["ㅇ"])
            for medial in MEDIAL_AT
            for s, m in [_linked(f, medial) if f and f != "ㅇ" else (f, "ㅇ")]
        ]
        for f in FINALS
    ]
)  # (finals, medials, 2): how far the final and the next initial move


def _link(sheet: Sheet, spans: np.ndarray, uniform: np.ndarray) -> Sheet:
    codes = sheet.codes.astype(np.int64)
    left, right = spans[:, 0] - 1, spans[:, 0]
    moves = _LINKED[parts(codes[left])[2], parts(codes[right])[1]]
    np.add.at(codes, left, moves[:, 0])
    np.add.at(codes, right, moves[:, 1] * 588)
    return from_codes(codes)


def _latin(piece: str, u: float) -> str:
    return "".join(LATIN_KEYS[key] for c in piece for key in keystrokes(c))


def _inner_gap(sheet: Sheet) -> np.ndarray:
    inner: np.ndarray = sheet.syllables[:-1] & sheet.syllables[1:]
    return inner


_FREE_SPACE = rf"(?<=[^\s{KEPT}{SEP}]) (?=[^\s{KEPT}{SEP}])"


def _spaced_texts(sheet: Sheet) -> np.ndarray:
    """Texts with at least one space that may go."""
    spaces = matches(_FREE_SPACE)(sheet)[:, 0]
    edges = np.flatnonzero(sheet.codes == ord(SEP))
    at = np.unique(np.searchsorted(edges, spaces) - 1)
    return np.stack([edges[at] + 1, edges[at + 1]], axis=1)


def _close_up(piece: str, u: float) -> str:
    # The neighbours of a space at an edge of the piece are the marks, which are not free.
    text = Sheet(text=SEP + piece + SEP)
    spans = matches(_FREE_SPACE)(text)
    return text.replace(spans, [""] * len(spans)).text[1:-1]


_PARTICLES = listed("에서 으로 까지 부터 에게 한테 처럼 보다 이랑 이 가 을 를 도 만 에 의")
_syllables: Places = characters(lambda sheet: sheet.syllables)

SPACES = (
    Kind(
        name="space_missing",
        unit="space between words",
        what="a space left out: 정말좋다",
        places=matches(_FREE_SPACE),
        rewrite=each(lambda piece, u: ""),
    ),
    Kind(
        name="space_doubled",
        unit="space between words",
        what="two spaces for one",
        places=matches(_FREE_SPACE),
        rewrite=each(lambda piece, u: "  "),
    ),
    Kind(
        name="spaceless",
        unit="text with a space",
        what="a text without any spaces",
        places=_spaced_texts,
        rewrite=each(_close_up),
    ),
)
KINDS = (
    Kind(
        name="misspelling",
        unit="word that is often misspelt",
        what="a known misspelling: 됬다 for 됐다, 몇일 for 며칠",
        places=matches(any_of(tuple(MISSPELLINGS))),
        rewrite=swapped(MISSPELLINGS),
    ),
    _substituted(2, CODA),
    _substituted(1, VOWELS),
    Kind(
        name="phonetic",
        unit="final that is spoken with the next syllable",
        what="spelled as it sounds: 조아 for 좋아, 마니 for 많이",
        places=gaps(_links),
        rewrite=_link,
    ),
    Kind(
        name="shift",
        unit="key that follows a shifted one and has a shifted form",
        what="shift held a key too long: 떄문 for 때문, 했따 for 했다",
        places=characters(_held),
        rewrite=_hold,
    ),
    Kind(
        name="shift_missed",
        unit="syllable that begins with a shifted key, or has ㅖ or ㅒ",
        what="shift not held: 바른 for 빠른, 게속 for 계속; a missed final ㅆ is `coda`",
        places=characters(_unshiftable),
        rewrite=_miss_shift,
    ),
    Kind(
        name="key",
        unit="syllable",
        what="a neighbouring key: 영하 becomes 영와",
        places=_syllables,
        rewrite=retyped(_neighbour),
    ),
    Kind(
        name="drop",
        unit="syllable",
        what="a key missed: 영화 becomes 여와",
        places=_syllables,
        rewrite=retyped(_drop),
    ),
    Kind(
        name="swap",
        unit="syllable",
        what="two keys in the wrong order: 강 becomes 가ㅇ or ㅏㄱㅇ",
        places=_syllables,
        rewrite=retyped(_swap),
    ),
    Kind(
        name="double",
        unit="syllable",
        what="a key struck twice: 다 becomes ㄷ다",
        places=_syllables,
        rewrite=retyped(_double),
    ),
    Kind(
        name="latin_keys",
        unit="word of two or more syllables",
        what="typed with the Latin keyboard on: dkssud for 안녕",
        places=matches(rf"(?<![가-힣{KEPT}])[가-힣]{{2,}}(?!{KEPT})"),
        rewrite=each(_latin),
    ),
    Kind(
        name="particle_split",
        unit="word with a particle",
        what="a space before a particle: 영화 를",
        places=matches(rf"(?<=[가-힣]{{2}})(?=(?:{any_of(_PARTICLES)})(?:\s|{END}|{SEP}))"),
        rewrite=each(lambda piece, u: " "),
    ),
    Kind(
        name="space_extra",
        unit="gap between two syllables of a word",
        what="a space inside a word: 재미 있다, 영 화",
        places=gaps(_inner_gap),
        rewrite=each(lambda piece, u: " "),
    ),
    *SPACES,
)
