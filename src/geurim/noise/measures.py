"""What is counted in text to tell how noisy it is: for each rate its hits and what they are out of.

A measure counts the same thing in real, clean and noised text. It need not be the kind's own rate
(a typo is only seen where the right form is known), but moves with it: that is what a fit needs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from geurim.noise import english, korean_words
from geurim.noise.hangul import (
    FINALS,
    FIRST,
    KOREAN_NEIGHBOURS,
    LAST,
    LATIN_NEIGHBOURS,
    UNSHIFTED,
    keystrokes,
    split,
    typed,
)
from geurim.noise.kinds import alternatives, listed
from geurim.noise.sheet import END, SEP, Sheet

Hits = Callable[[Sheet], np.ndarray]
"""From a sheet to the places (characters) of what is counted."""

EMOJI = "\u2600-\u27bf\U0001f300-\U0001faff"
EMOTICON = r"\^[-_.oㅇ]?\^;*\*?|;+|[Tㅜㅠ][_.][Tㅜㅠ]|[:=;]-?[)DP]|\bxD\b|[♥♡★☆]+|ㅇㅅㅇ"
FROWN = r"ㅡ[_.]?ㅡ;*|-[_.]-;*|ㅉ+|[:=]-?[(/](?!/)"
DOTS = r"\.{2,}|…|,{2,}"
LAUGHTER, TEARS = "[ㅋㅎ]+", "[ㅠㅜ]+"
FORMAL, POLITE = "(?:니다|니까|시오|시다)", "[요죠여용염욤]"  # ends of sentences
_TAIL = rf"(?:[.!?…~ㅋㅎㅠㅜㄷㅉ{EMOJI}]|{EMOTICON}|{FROWN})"
_NO_TAIL = rf"[^\s.!?…~,;^*ㅋㅎㅠㅜㄷㅉㅡ♥♡★☆:)({SEP}{EMOJI}-]"
_SENTENCE = re.compile(
    rf"(?<={_NO_TAIL})(?= ?{_TAIL}+(?:[\s\"'”’)\]]|{SEP})|[.!?…]+[가-힣]|[ \t]*(?:\n|{SEP}))"
)


def lay_out(texts: Sequence[str]) -> Sheet:
    """The texts as one sheet, END behind a sentence's last word (before ㅋㅋ, ^^, marks)."""
    return Sheet(text=_SENTENCE.sub(END, SEP.join(["", *texts, ""])))


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A rate: `hits` for each of `out_of`, in words `unit`."""

    unit: str
    hits: Hits
    out_of: Hits | None = None  # None: texts
    at_least_one: bool = False  # a text with none of `out_of` counts as one (sentences)


def found(pattern: str, flags: int = 0) -> Hits:
    """Places where a regular expression matches."""
    compiled = re.compile(pattern, flags)
    return lambda sheet: np.array([m.start() for m in compiled.finditer(sheet.text)], np.int64)


def _syllables(sheet: Sheet) -> np.ndarray:
    return np.flatnonzero(sheet.syllables)


_sentences = found(END)
_word = r"(?<![가-힣])"


def _each_sentence(pattern: str, flags: int = 0) -> Measure:
    return Measure(
        unit="sentence", hits=found(pattern, flags), out_of=_sentences, at_least_one=True
    )


def _share(hits: str, others: str, unit: str, flags: int = 0) -> Measure:
    """Hits out of hits and others."""
    return Measure(unit=unit, hits=found(hits, flags), out_of=found(f"{hits}|{others}", flags))


def _pairs(
    *tables: Mapping[str, Sequence[str]], unit: str, edge: str = "", end: str = ""
) -> Measure:
    """The second forms of a table out of both."""
    wrong = {w for t in tables for forms in t.values() for w in forms if len(w) > 1}
    right = {r for t in tables for r in t}
    flags = re.IGNORECASE if edge == r"\b" else 0
    first = f"{edge}(?:{alternatives(tuple(wrong - right))}){end}"
    return _share(first, f"{edge}(?:{alternatives(tuple(right - wrong))}){end}", unit, flags)


# Words so common that a slip in them is seen without a dictionary.
COMMON: Mapping[str, Sequence[str]] = {
    "ko": listed(
        "그래서 하지만 사람들 마지막 처음부터 생각하 생각이 재미있 재밌게 이야기 스토리 드라마 "
        "주인공 느낌이 아름다 어떻게 이렇게 괜찮은 훌륭한 오랜만 대단하 사랑하 고객님 서비스 "
        "감사합 안녕하 배송이 주문한 정말로 완벽한 지루하 필요한 중요한 그대로 오늘도 새로운 "
        "연기력 시나리오 여러분 진짜루 대한민국 우리나라"
    ),
    "en": listed(
        "because really would people about which there good great never always after before "
        "should could something please thank service another between order product money "
        "through problem"
    ),
}


@cache
def slips(language: str) -> Mapping[str, tuple[str, ...]]:
    """For each kind of key slip all forms that one slip gives of the common words."""
    slipped: dict[str, set[str]] = {"key": set(), "drop": set(), "swap": set(), "double": set()}
    for word in COMMON[language]:
        for kind, forms in _one_slip(word, language == "ko"):
            slipped[kind].update(forms)
    # A form that two kinds give, or a right word, says nothing about either.
    out: dict[str, tuple[str, ...]] = {}
    for kind, some in slipped.items():
        others = set[str]().union(*(s for k, s in slipped.items() if k != kind))
        out[kind] = tuple(sorted(f for f in some - others - _VALID if len(f) > 2))
    return out


def _one_slip(word: str, korean: bool) -> Iterator[tuple[str, list[str]]]:
    keys = [k for c in word for k in keystrokes(c)] if korean else list(word)
    near = KOREAN_NEIGHBOURS if korean else LATIN_NEIGHBOURS
    shown = typed if korean else "".join
    # The last key is left out: whether a final belongs to the word or to what follows is open.
    for i in range(len(keys) - 1):
        before, key, after = keys[:i], keys[i], keys[i + 1 :]
        yield "drop", [shown(before + after)]
        yield "double", [shown([*before, key, key, *after])]
        yield "key", [shown([*before, other, *after]) for other in near[key]]
        if after[1:] and after[0] != key:
            yield "swap", [shown([*before, after[0], key, *after[1:]])]


# Right words, and slips that are words themselves.
_VALID = set(
    listed("god food goof bout though thorough grate moneys ordered abut who gold hood great")
)
_VALID |= set(
    listed(
        "사랑들 사람은 사람을 시간아 드리고 그러데 오늘은 감사압 가리고 구리고 기간이 대담하 자루하"
    )
)
_VALID |= {word for words in COMMON.values() for word in words}


def _typos(language: str) -> dict[str, Measure]:
    """How many of the common words are written with one slip, by kind of slip."""
    edge, flags = (_word, 0) if language == "ko" else (r"\b", re.IGNORECASE)
    end = "" if language == "ko" else r"\b"
    words = COMMON[language]
    every = [*words, *(form for forms in slips(language).values() for form in forms)]
    total = found(f"{edge}(?:{alternatives(every)}){end}", flags)
    return {
        f"{kind}_slips": Measure(
            unit=f"word of {len(words)} common ones",
            hits=found(f"{edge}(?:{alternatives(forms)}){end}", flags),
            out_of=total,
        )
        for kind, forms in slips(language).items()
    }


# Outside the standard, but meant: slang, known misspellings, missed shifts (measured apart).
_MEANT = "쵝왤됬봣웟졋줫됏엿렷켯됌좜펐쫒욥쩜뭥앜얔엌"


def _broken(sheet: Sheet) -> np.ndarray:
    """Syllables that a slip makes and a writer hardly means, and jamo caught inside words.

    That is, syllables outside the 2,350 of KS X 1001 but for slang, a final ㅋ or ㅎ (laughter),
    and ㅒ after a doubled consonant (a held shift key). Vowel jamo count but for ㅠ, ㅜ and ㅡ.
    """
    at = _syllables(sheet)
    rare = at[_unusual()[sheet.codes[at] - 0xAC00]]
    stray = _STRAY(sheet)
    return np.sort(np.concatenate([rare, stray]))


_STRAY = found(r"[ㅏ-ㅖㅘ-ㅛㅝ-ㅟㅢㅣ]|(?<=[가-힣])[ㄱ-ㅊㅌㅍ](?=[가-힣])")


@cache
def _unusual() -> np.ndarray:
    """For each syllable whether `_broken` counts it, (11172,)."""
    # CPython's codec writes syllables outside the standard as 8 bytes of jamo.
    return np.array(
        [
            len(c.encode("euc_kr")) != 2 and not _is_meant(c)
            for c in map(chr, range(FIRST, LAST + 1))
        ]
    )


def _is_meant(syllable: str) -> bool:
    initial, medial, final = split(syllable)
    held = medial in "ㅒㅖ" and initial in UNSHIFTED
    return syllable in _MEANT or final in ("ㅋ", "ㅎ") or held


def _spaceless(sheet: Sheet) -> np.ndarray:
    return found(rf"(?<={SEP})[^\s{SEP}]{{12,}}(?={SEP})")(sheet)


REGISTER_ENDS = {
    "hapsyo": f"{FORMAL}{END}",
    "haeyo": f"{POLITE}{END}",
    "plain": rf"(?<![니시])다{END}",
    "noun": rf"(?:[음슴임함됨짐봄감옴줌옴큼듦움림름룸]|재밌슴|했슴){END}",
    "hae": rf"[어아해야지네데래게걸까봐줘와워라냐군나자니]{END}",
}
_PAST = "".join(chr(c) for c in range(FIRST, LAST + 1) if (c - FIRST) % 28 == FINALS.index("ㅆ"))
_WORDS_THEMSELVES = set(listed("안고 안아 안았 던지 머지 로써 구지 낳을 연애인 결재 어의없"))
_ADVERBS = alternatives(korean_words.REPEATED)
_DESCRIBING = alternatives(korean_words.DESCRIBING)
_DRAWN_KOREAN = alternatives([d for forms in korean_words.DRAWN.values() for d in forms])
_MARKS: dict[str, Measure] = {
    "dots": _each_sentence(DOTS),
    "bangs": _each_sentence(r"!+"),
    "questions": _each_sentence(r"\?+"),
    "final_marks": _each_sentence(rf"{END}(?=[.!?…~])"),
    "commas": _each_sentence(r",(?=\s)"),
    "emoticon": _each_sentence(EMOTICON),
    "frown": _each_sentence(FROWN),
    "emoji": _each_sentence(f"[{EMOJI}](?<![★☆♥♡])[\u200d\ufe0f{EMOJI}]*"),
}
_SLANG = listed(
    "노잼 핵노잼 개노잼 꿀잼 존잼 핵잼 띵작 갓작 망작 개쩔 쩐다 레알 찐으 짱이 빡치 빡친 존맛 "
    "노맛 깜놀 멘붕 존예 존잘"
)
KOREAN: Mapping[str, Measure] = {
    **{f"register_{name}": _each_sentence(p) for name, p in REGISTER_ENDS.items()},
    **_MARKS,
    "tildes": _each_sentence("~+"),
    "laughter": _each_sentence(LAUGHTER),
    "tears": _each_sentence(f"{TEARS}(?![_.])"),
    "initials": _each_sentence(r"(?<![ㄱ-ㅎㅏ-ㅣ])(?![ㅋㅎㅉ]+(?![ㄱ-ㅎ]))[ㄱ-ㅎ]{2,}(?!ㅅㅇ)"),
    "drawn": _each_sentence(
        f"아{{2,}}|어{{2,}}|오{{2,}}|우{{2,}}|으{{2,}}|이{{3,}}|에{{2,}}|{_DRAWN_KOREAN}"
    ),
    "cute": _each_sentence(rf"(?:[어아해돼네세예에죠거][여용염욤]|[니한인는있었했좋이]당){END}"),
    "intensifier": _each_sentence(
        rf"(?:(?<={SEP})|(?<=[.!?…~\n] )|(?<=\n))(?:{alternatives(korean_words.INTENSIFIERS)})"
    ),
    "particle_split": _each_sentence(
        r"(?<=[가-힣]) (?:을|를|은|는|에서|에게|까지|부터|으로|의)(?=\s)"
    ),
    "split_endings": _each_sentence(rf"(?<=[가-힣]) (?:다|요|니다|습니다|네요){END}"),
    "spaces": Measure(unit="syllable", hits=found(r"[ \t]+"), out_of=_syllables),
    "double_spaces": Measure(unit="space", hits=found("  +"), out_of=found(" +")),
    "spaceless": Measure(unit="text", hits=_spaceless),
    "abbreviation": _pairs(
        korean_words.ABBREVIATIONS,
        korean_words.ABBREVIATED_STEMS,
        {"너무": ("넘 ",), "그냥": ("걍 ",), "조금": ("좀 ",)},
        unit="word that can be shortened",
        edge=_word,
    ),
    "slang": Measure(
        unit="word",
        hits=found(_word + f"(?:{alternatives(_SLANG)}|쩔[어었지])"),
        out_of=found(r"\S+"),
    ),
    "prefix": Measure(
        unit="word that describes",
        hits=found(rf"{_word}(?:개|핵|겁나 ?|완전 ?|넘나 ?|존나 ?|졸라 ?)(?={_DESCRIBING})"),
        out_of=found(rf"(?:{_word}|(?<=[개핵나]))(?:{_DESCRIBING})"),
    ),
    "loan": _pairs(korean_words.LOANS, unit="loan word"),
    "repeat": Measure(
        unit="adverb",
        hits=found(rf"{_word}({_ADVERBS})[ ,]*\1"),
        out_of=found(rf"{_word}(?:{_ADVERBS})"),
    ),
    "misspelling": _pairs(
        {
            right: w
            for right, w in korean_words.MISSPELLINGS.items()
            if w[0] not in _WORDS_THEMSELVES
        },
        unit="word that is often misspelt",
    ),
    "vowel": _pairs(korean_words.VOWEL_PAIRS, unit="word with ㅐ, ㅔ or the like"),
    "phonetic": _pairs(korean_words.SOUND_PAIRS, unit="word that sounds otherwise", edge=_word),
    "coda": Measure(
        unit="ending with ㅆ",
        hits=found(
            f"[{''.join(w[0] for w in korean_words.SHIFT_PAIRS.values())}](?=[다어습는네지던고음])"
        ),
        out_of=found(
            "["
            + "".join(r + w[0] for r, w in korean_words.SHIFT_PAIRS.items())
            + "](?=[다어습는네지던고음])"
        ),
    ),
    "shift": _share(
        f"[떄뺴쨰꺠썌]|(?<=[{_PAST}])[따떤찌꼬]",
        f"[때빼째깨쌔]|(?<=[{_PAST}])[다던지고]",
        "ㅐ after a doubled consonant, or ㄷ, ㅈ, ㄱ after ㅆ",
    ),
    "broken": Measure(unit="syllable", hits=_broken, out_of=_syllables),
    **_typos("ko"),
}

_CONTRACTED = listed("do does did is are was were have has had ca wo could should would")
_JOINED = "|".join(
    [f"{c}nt" for c in _CONTRACTED if c != "wo"] + ["wont", "im", "ive", "thats", "youre"]
)
_APART = r"\w+n['’]t|i['’]m|i['’]ve|that['’]s|you['’]re"
_en_letters = found("[A-Za-z]")
_EN_WORD = r"\b[A-Za-z]{2,}\b"
ENGLISH: Mapping[str, Measure] = {
    **_MARKS,
    "interjection": _each_sentence(
        rf"\b(?:{alternatives(english.INTERJECTIONS)})\b", re.IGNORECASE
    ),
    "drawn": _each_sentence(r"\b\w*?([a-z])\1{2,}\w*", re.IGNORECASE),
    "intensifier": _each_sentence(
        rf"(?:(?<={SEP})|(?<=[.!?…~\n] )|(?<=\n))(?:{alternatives(english.INTENSIFIERS)})",
        re.IGNORECASE,
    ),
    "apostrophe": _share(rf"\b(?:{_JOINED})\b", rf"\b(?:{_APART})\b", "contraction", re.IGNORECASE),
    "lower": Measure(
        unit="text", hits=found(rf"(?<={SEP})(?=[^{SEP}]*[a-z])[^A-Z{SEP}]+(?={SEP})")
    ),
    "caps": Measure(unit="word", hits=found(r"\b[A-Z]{2,}\b"), out_of=found(_EN_WORD)),
    "spaces": Measure(unit="letter", hits=found(r"[ \t]+"), out_of=_en_letters),
    "double_spaces": Measure(unit="space", hits=found("  +"), out_of=found(" +")),
    "abbreviation": _pairs(
        english.ABBREVIATIONS,
        {"you": ("u ",)},
        unit="word that can be shortened",
        edge=r"\b",
        end=r"(?!\w)",
    ),
    "repeat": Measure(
        unit="adverb",
        hits=found(rf"\b({alternatives(english.REPEATED)}) \1\b"),
        out_of=found(rf"\b(?:{alternatives(english.REPEATED)})\b"),
    ),
    "misspelling": _pairs(
        {
            r: w
            for r, w in english.MISSPELLINGS.items()
            if w[0] not in ("your", "its", "then", "their", "loose", "loosing")
        },
        unit="word that is often misspelt",
        edge=r"\b",
        end=r"\b",
    ),
    **_typos("en"),
}
MEASURES: Mapping[str, Mapping[str, Measure]] = {"ko": KOREAN, "en": ENGLISH}
