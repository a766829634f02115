"""Toxicity by word lists. A word list: it knows no context, irony, quotation or new coinage."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.curate.contract import RowStep
from geurim.curate.patterns import matching, named_reasons
from geurim.errors import SettingError

_START = r"(?:^|[^가-힣ㄱ-ㅎ])"  # RE2 cannot look behind
_END = r"(?:\z|[^가-힣])"
_NOISE = r"[^가-힣ㄱ-ㅎa-zA-Z\s]{0,4}"  # what is put between syllables: 시1발, 병~신

_NOT_YEAR = r"(?:[^가-힣]|\z|[같이들은을인짓아놈새])"  # 병신년 is also the year 2016


def _stem(first: str, *rest: str) -> str:
    """A stem at the start of a word, also with signs between its syllables or spaced out."""
    spaced = rf"{_START}{first}\s+" + r"\s+".join(rest) + _END
    return rf"{_START}{_NOISE.join((first, *rest))}|{spaced}"


_KOREAN = {
    "swearing": "|".join(
        [
            _stem("[씨씹쒸쓰]", "[발빨팔벌뻘]"),
            rf"{_START}[시쉬]{_NOISE}[발빨팔벌](?:[^가-힣점]|\z|놈|년|새|것|롬|같|라|아|이|ㄹ|진|넘|끼)",
            "씨[발빨]|씹[새할창]|[좆좃졷]|존나(?:게)?|졸라[^가-힣]|ㅈㄴ|개같|개지랄|지랄|엿\\s?먹|"
            "[ㅅㅆ]ㅂ(?:[^ㄱ-ㅎ]|\\z)|[ㅅㅆ]ㅣㅂㅏㄹ|ㅈ같|ㅈㄹ(?:[^ㄱ-ㅎ]|\\z)|ㅗㅗ",
        ]
    ),
    "insult": "|".join(
        [
            _stem("[병븅뵹]", "[신싄]" + _NOT_YEAR),
            _stem("개", "[새세쉐]", "[끼키]"),
            "(?:(?:^|[^가-힣])[이저그요별]|[썅쌍잡놈]|미친|놈의|어린|한남)\\s?(?:새끼|색끼|쉐끼|섹히|새기|ㅅㄲ)|[개쌍잡미친썅][년놈]|썅|"
            "미친\\s?(?:놈|년|새|것)|또라이|호로\\s?(?:새|자)|[가-힣]{0,2}충들|애미\\s?(?:없|뒤|디)|"
            "느금마|ㄴㄱㅁ|니\\s?(?:애미|에미|어미)|(?:[^ㄱ-ㅎ]|^)(?:ㅂㅅ|ㅄ)(?:[^ㄱ-ㅎ]|\\z)|ㄱㅅㄲ|ㅁㅊㄴ|"
            "걸레\\s?(?:년|같)|창녀|창년|기레기|쓰레기\\s?(?:같은\\s)?(?:놈|년|새)|등신|찐따|머저리",
        ]
    ),
    "slur against a group": (
        "김치녀|된장녀|한남(?:충|새|유)|한녀|메갈|맘충|틀딱|급식충|전라디언|개쌍도|짱[깨꺠개]|쪽[발빠]리|"
        "깜둥이|똥남아|게이새|호모새|병신같은\\s장애|장애[인]?새|조선족\\s?(?:새|놈)|보슬아치|꼴페미|일베충"
    ),
    "rude": (
        "닥[쳐치]|꺼[져지]라?(?:[^가-힣]|\\z)|[처쳐]먹|극혐|역겨|역겹|개돼지|노친네|관종|꼴값|빨갱이|좌좀|수꼴|개독|"
        "찌질이|재수\\s?없|쓰레기|ㅆㄹㄱ|미친(?:[^가-힣]|\\z)|[이저그]\\s?새기|ㅅㄲ|[가-힣]련들|[이그저]년들"
    ),
    "threat": (
        "(?:죽여|패|쳐\\s?죽여|찢어|때려\\s?죽여)\\s?버[릴린려리]|뒤[져지진]\\s?(?:라|버|버려)|뒈[져지진]|"
        "나가\\s?(?:죽|뒤)|자살\\s?(?:해라|하세요|이나)|칼\\s?빵|죽어\\s?버려|목을?\\s?(?:따|매달)"
    ),
}
_ENGLISH = {
    "swearing": (
        r"\b(?:f+[u*@v]+[c*k]+k+(?:e[dr]|ing|er|s|wit)?|mother\s?fuck\w*|sh[i1!*]+t(?:ty|s|head)?|"
        r"b[u]llsh[i1!*]t|cocksuck\w*|goddamn|wtf|stfu|dick\s?head|ass\s?hole\w*|a\x24\x24hole)\b"
    ),
    "insult": (
        r"\b(?:b[i1!*]tch(?:es|y)?|bastards?|c[u*]nts?|whores?|sluts?|retards?|retarded|moron\w?|"
        r"dumb\s?ass|jack\s?ass|douche\w*|twat|wank\w*|scumbag|"
        r"(?:piece|pieces) of shit|(?:you|a|little) prick)\b"
    ),
    "slur against a group": (
        r"\b(?:n[i1!*]gg(?:er|a)s?|f[a@*]gg?ots?|fags?|dykes?|tranny|trannies|chinks?|gooks?|kikes?|"
        r"spics?|wetbacks?|ragheads?|towelheads?|paki)\b|"
        r"(?:^|[^n]e\s+|[^e\s]\s+|[^\w\s])coons?\b"  # but the cat is a Maine Coon
    ),
    "rude": (
        r"\b(?:shut up|idiots?|stupid|losers?|crap(?:py)?|damn|screw you|pathetic|disgusting)\b"
    ),
    "threat": (
        r"\b(?:kill yourself|kys|(?:i(?:['’]ll| will| am going to|['’]m going to|['’]m gonna)) "
        r"(?:kill|rape|murder|stab|shoot) (?:you|him|her|them|u)|go (?:and )?die|hope you die|"
        r"(?:should|deserves? to) (?:be killed|be shot|die))\b"
    ),
}
_LISTS = {"ko": _KOREAN, "en": _ENGLISH}
KINDS = tuple(_KOREAN)


@dataclass(frozen=True, kw_only=True)
class Toxic(RowStep):
    """Drops texts with swearing, insults, slurs or threats from a word list, English and Korean.

    The lists are short and our own. They see through signs and blanks put between syllables,
    through jamo (ㅅㅂ, ㅅㅣㅂㅏㄹ) and common respellings, and leave alone words that only contain
    such syllables (시발점, 다시 발표). They do not see hate that is said in plain words:
    `docs/curate.md` has the recall and precision on comments labelled by people.

    `languages`: "ko", "en". `kinds`: any of KINDS; "rude" (닥쳐, stupid) is not among the default
    ones, since it hits many a harsh but fair review. `more`: further words, found as they stand,
    without regard to case.
    """

    name: ClassVar[str] = "toxicity"
    languages: tuple[str, ...] = ("ko", "en")
    kinds: tuple[str, ...] = ("swearing", "insult", "slur against a group", "threat")
    more: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for language in self.languages:
            if language not in _LISTS:
                raise SettingError(
                    f"There is no word list for {language!r}. Choose from: {', '.join(_LISTS)}."
                )
        for kind in self.kinds:
            if kind not in KINDS:
                raise SettingError(f"There is no kind {kind!r}. Choose from: {', '.join(KINDS)}.")

    def reasons(self, texts: pa.StringArray) -> pa.StringArray:
        patterns: dict[str, str] = {}
        for language in self.languages:
            for kind, pattern in _LISTS[language].items():
                if kind in self.kinds:
                    known = f"{patterns[kind]}|" if kind in patterns else ""
                    patterns[kind] = known + (f"(?i:{pattern})" if language == "en" else pattern)
        if self.more:
            patterns["a word you named"] = f"(?i:{'|'.join(map(re.escape, self.more))})"
        return named_reasons(_composed(texts), patterns, "Toxic by word list: {name}.")


def _composed(texts: pa.StringArray) -> pa.StringArray:
    """Texts in NFC, without invisible characters, jamo that spell syllables put together."""
    at = np.flatnonzero(matching(texts, _ODD))
    if not len(at):
        return texts
    mask = np.zeros(len(texts), bool)
    mask[at] = True
    mended = [_compose(t) for t in texts.take(pa.array(at)).to_pylist()]
    return pc.replace_with_mask(texts, pa.array(mask), pa.array(mended, pa.string()))


_ODD = "[\u1100-\u11ff\u200b-\u200d\ufeff\uff01-\uff5e]|[ㄱ-ㅎ][ㅏ-ㅣ]"
_FULL_WIDTH = {0xFF01 + i: 0x21 + i for i in range(94)}
_LEADS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_TAILS = " ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
_SPELT = re.compile(rf"([{_LEADS}])([{_VOWELS}])(?:([{_TAILS[1:]}])(?![{_VOWELS}]))?")


def _compose(text: str) -> str:
    """ㅅㅣㅂㅏㄹ -> 시발; a final consonant before a vowel starts the next syllable."""
    text = unicodedata.normalize("NFC", re.sub("[\u200b-\u200d\ufeff]", "", text))
    text = text.translate(_FULL_WIDTH)

    def syllable(found: re.Match[str]) -> str:
        lead, vowel, tail = found.groups()
        at = (_LEADS.index(lead) * 21 + _VOWELS.index(vowel)) * 28
        return chr(0xAC00 + at + (_TAILS.index(tail) if tail else 0))

    return _SPELT.sub(syllable, text)
