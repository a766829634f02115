"""How people write Korean when nobody corrects it: 초성체, slang, drawn words, asides."""

from __future__ import annotations

import re

from geurim.noise import korean_words as words
from geurim.noise.hangul import final_of, is_syllable, split
from geurim.noise.kinds import Kind, each, matches, pick
from geurim.noise.kinds import alternatives as any_of
from geurim.noise.sheet import END, KEPT, SEP
from geurim.noise.tails import (
    BANGS,
    DOTS,
    PUNCTUATION_MISSING,
    TILDES,
    asides,
    one_of,
    run_length,
    run_on,
    tail,
)

_NO_HANGUL_BEFORE = rf"(?<![가-힣{KEPT}])"
_NO_HANGUL_AFTER = r"(?![가-힣])"
# Particles that depend on a final before them: after one, after none.
_CLOSED = dict(zip(("는", "가", "를", "와", "로"), ("은", "이", "을", "과", "으로"), strict=True))
_OPEN = {closed: opened for opened, closed in _CLOSED.items()}


def agree(word: str, particle: str) -> str:
    """The particle's form behind `word`: `agree("남친", "가")` is "이"."""
    if not is_syllable(word[-1]):
        return particle
    final = final_of(word[-1])
    if particle in ("로", "으로"):
        return "로" if final in ("", "ㄹ") else "으로"
    return (_CLOSED if final else _OPEN).get(particle, particle)


def _worded(
    name: str,
    what: str,
    whole: dict[str, tuple[str, ...]],
    stems: dict[str, tuple[str, ...]] | None = None,
) -> Kind:
    """A kind that replaces words: whole ones, and beginnings of words with their particle."""
    stems = stems or {}
    particle = r"(?:(?:은|는|이|가|을|를|과|와|으로|로)(?=[\s" + END + SEP + "]))?"
    choices = [rf"(?:{any_of(tuple(whole))}){_NO_HANGUL_AFTER}"] if whole else []
    choices += [rf"(?:{any_of(tuple(stems))}){particle}"] if stems else []
    stem = re.compile(any_of(tuple(stems))) if stems else None

    def edit(piece: str, u: float) -> str:
        if piece in whole:
            return pick(whole[piece], u)[0]
        found = stem.match(piece) if stem else None
        assert found is not None
        written = pick(stems[found[0]], u)[0]
        return written + agree(written, piece[found.end() :])

    return Kind(
        name=name,
        unit="word that has such a form",
        what=what,
        places=matches(_NO_HANGUL_BEFORE + "(?:" + "|".join(choices) + ")"),
        rewrite=each(edit),
    )


_GLIDES = {
    vowel: drawn
    for drawn, vowels in zip(
        "아어오우으이에",
        ("ㅏㅑㅘ", "ㅓㅕㅝ", "ㅗㅛ", "ㅜㅠ", "ㅡ", "ㅣㅟㅢ", "ㅐㅔㅒㅖㅙㅚㅞ"),
        strict=True,
    )
    for vowel in vowels
}
_OPEN_SYLLABLE = "[" + "".join(chr(c) for c in range(0xAC00, 0xD7A4, 28)) + "]"


def _draw(piece: str, u: float) -> str:
    if piece in words.DRAWN:
        return pick(words.DRAWN[piece], u)[0]
    return piece + _GLIDES[split(piece)[1]] * run_length(u, 2, 6)


def _bend(piece: str, u: float) -> str:
    return {"요": pick(("여", "용", "염", "욤", "여"), u)[0], "다": "당"}[piece]


def _laugh(u: float) -> str:
    letter, u = pick("ㅋㅋㅋㅎ", u)
    return letter * run_length(u, 1 if letter == "ㅎ" else 2, 12, 0.45)


def _cry(u: float) -> str:
    letter, u = pick("ㅠㅠㅜ", u)
    return letter * run_length(u, 1, 8, 0.6)


def _repeat(piece: str, u: float) -> str:
    between, u = pick(("", " ", " "), u)
    return between.join([piece] * run_length(u, 2, 4, 0.2))


def _again(piece: str, u: float) -> str:
    return piece + pick((" ", ", ", " 진짜 ", " 아니 "), u)[0] + piece


_POLITE = re.compile(rf"(?:[요죠용여염]|니다|니까|시오){END}")

WORDS = (
    _worded("slang", "노잼, 꿀잼, 명작 as 띵작", words.SLANG, words.SLANG_STEMS),
    _worded(
        "abbreviation",
        "넘 for 너무, 남친 for 남자친구",
        words.ABBREVIATIONS,
        words.ABBREVIATED_STEMS,
    ),
    _worded("initials", "초성: ㄱㅅ for 감사, ㅇㅋ for 알겠어", words.INITIAL_WORDS),
    _worded("loan", "loan words in Latin letters: event 정말 좋네요", {}, words.LOANS),
)
KINDS: tuple[Kind, ...] = (
    Kind(
        name="prefix",
        unit="word that describes",
        what="an intensifier before it: 개웃기다, 핵노잼",
        places=matches(
            rf"{_NO_HANGUL_BEFORE}(?<!너무 )(?<!정말 )(?<!진짜 )(?<!아주 )"
            rf"(?={any_of(words.DESCRIBING)})"
        ),
        rewrite=each(lambda piece, u: pick(words.PREFIXES, u)[0]),
    ),
    Kind(
        name="intensifier",
        unit="sentence that begins with Hangul",
        what="진짜, 아니, 솔직히 before it",
        places=matches(
            rf"(?:(?<={SEP})|(?<=[.!?…~\n] )|(?<=\n))(?=[가-힣])"
            r"(?!진짜|정말|아니|솔직히|그|하지만|아 )"
        ),
        rewrite=each(lambda piece, u: pick(words.INTENSIFIERS, u)[0]),
    ),
    Kind(
        name="repeat",
        unit="adverb that is often repeated",
        what="너무 너무, 빨리빨리",
        places=matches(
            rf"{_NO_HANGUL_BEFORE}(?:{any_of(words.REPEATED)})(?=\s(?!{any_of(words.REPEATED)}))"
        ),
        rewrite=each(_repeat),
    ),
    Kind(
        name="rant",
        unit="sentence of two words or more",
        what="its last words said again: 환불해 주세요 진짜 환불해 주세요",
        places=matches(
            rf"(?:(?<=\s)|(?<={SEP}))[가-힣]{{1,8}} (?:(?:것|거|수|줄) )?[가-힣]{{2,8}}(?={END})"
        ),
        rewrite=each(_again),
    ),
    run_on((" ", " ", " 근데 ", " 그리고 ", ", ", " 아 "), r"[가-힣](?<!그)(?!런데|리고)"),
    asides(
        "digression",
        "a sentence that has nothing to do with it",
        words.ASIDES_POLITE,
        words.ASIDES_PLAIN,
        _POLITE,
    ),
    asides(
        "anger",
        "an angry sentence; only where the label is negative",
        words.ANGER_POLITE,
        words.ANGER_PLAIN,
        _POLITE,
    ),
)
ENDINGS: tuple[Kind, ...] = (
    PUNCTUATION_MISSING,
    Kind(
        name="cute",
        unit="sentence that ends in 요 or 니다",
        what="좋아여, 좋아용, 합니당",
        places=matches(rf"요(?={END})|(?<=니)다(?={END})"),
        rewrite=each(_bend),
    ),
    Kind(
        name="drawn",
        unit="open syllable before a sentence's end (not 니다, 니까), or adverb often drawn",
        what="drawn out: 너무우우, 좋아요오",
        places=matches(
            rf"{any_of(tuple(words.DRAWN))}|{_OPEN_SYLLABLE}(?<!니다)(?<!니까)(?={END})"
        ),
        rewrite=each(_draw),
    ),
    DOTS,
    BANGS,
    TILDES,
    tail("laughter", "ㅋㅋㅋ or ㅎㅎ behind a sentence", _laugh, glued=0.6),
    tail("tears", "ㅠㅠ or ㅜㅜ behind a sentence", _cry, glued=0.6),
    tail(
        "interjection", "ㄹㅇ, ㅇㅈ, ㄷㄷ behind a sentence", one_of(words.INTERJECTIONS), glued=0.1
    ),
    tail("emoticon", "^^, ;; or ♥ behind a sentence", one_of(words.EMOTICONS), glued=0.7),
    tail(
        "frown", "ㅡㅡ, ㅉㅉ behind a sentence; for negative texts", one_of(words.FROWNS), glued=0.4
    ),
    tail("emoji", "an emoji behind a sentence", one_of(words.EMOJI), glued=0.5),
)
