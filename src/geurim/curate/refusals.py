"""Answers that refuse, prompts that leak, and the published filters of Alpaca."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.curate.characters import SIGN, Characters, classes, folded
from geurim.curate.contract import RowStep, reasons_at
from geurim.curate.language import hangul_shares
from geurim.curate.patterns import matching, named_reasons
from geurim.errors import SettingError

_SORRY = (
    r"(?:i(?:['’]m| am) (?:very |really |so )?(?:sorry|afraid)|sorry|i apologi[sz]e|unfortunately)"
)
_CANNOT = (
    r"i(?:['’]m| am) (?:not able|unable) to|i (?:can(?:['’]t|not| not)|won['’]t|will not|"
    r"don['’]t think i can|must decline)"
)
_DO = (
    r"(?: (?:directly|really|actually|in good conscience|ethically|be able to))* "
    r"(?:help|assist|provide|fulfill|comply|answer|generate|create|complete|do that|discuss|"
    r"engage|support|share|offer|continue|browse|access|process)\b"
)
_ABLE = r"\s?(?:수(?:는|가)?\s?없|(?:기(?:는|가)?\s?)?(?:어렵|힘들|곤란)|못\s?(?:합|해|하|드))"
_KOREAN_DO = (
    r"(?:도와|도움(?:을|이)?|답변(?:을|해|드)?|대답(?:을|해)?|제공(?:을|해)?|알려|말씀(?:을)?|설명(?:을|해)?|"
    r"작성(?:을|해)?|수행|처리|생성|지원|요청(?:을|에)?|응답(?:을|해)?|안내(?:를|해)?|공유)"
)
REFUSALS = {
    "speaks of itself as a model": (
        r"(?i:\bas an? (?:ai|artificial intelligence|large language|language|machine learning)"
        r"(?: language)?(?: model| assistant)?\b|\bi(?:['’]m| am) (?:just |only )?an? (?:ai|large "
        r"language|language)(?: language)? (?:model|assistant)\b)|"
        r"(?:저는|나는|전|제가)\s?(?:인공지능|AI|에이아이|대규모 언어|언어)\s?(?:언어\s?)?"
        r"(?:모델|비서|어시스턴트|챗봇)|"
        r"(?:인공지능|AI|언어)\s?(?:언어\s?)?모델(?:로서|로써|이기 때문|이라서|이므로)"
    ),
    "apologises and declines": (
        rf"(?i:\b{_SORRY}[^.!?\n]{{0,60}}\b(?:{_CANNOT})\b|\b(?:{_CANNOT}){_DO})|"
        rf"(?:죄송|미안|유감)[^.!?\n]{{0,60}}{_KOREAN_DO}[^.!?\n]{{0,12}}{_ABLE}|"
        rf"{_KOREAN_DO}[^.!?\n]{{0,6}}(?:드릴|드리기|줄|응할|따를|들어드릴){_ABLE}|"
        rf"{_KOREAN_DO}(?:하기|할|해\s?드릴|드리기)?\s?"
        r"(?:수 없습니다|어렵습니다|어려운 (?:내용|질문|요청)|힘듭니다)"
    ),
}
"""Name -> pattern (RE2). Looked for at the start of a text, where a refusal stands."""

LEAKS = {
    "a token of a chat template": (
        r"<\|(?:im_start|im_end|endoftext|eot_id|start_header_id|end_header_id|begin_of_text|"
        r"end_of_text|user|assistant|system|pad|eom_id)\|>|\[/?INST\]|<</?SYS>>|"
        r"</?(?:start|end)_of_turn>|<｜[^｜]{1,40}｜>|\[\|(?:endofturn|user|assistant|system)\|\]"
    ),
    "a heading of a prompt": (
        r"(?im:^\s{0,3}#{1,4}\s?(?:instruction|response|input|output|human|assistant|system|user|"
        r"명령어|질문|응답|답변|지시)\s?:)|"
        r"(?im:^\s*#+\s?(?:given|rewritten|created|new) prompt\s?#*\s?:?)|"
        r"(?i:below is an instruction that describes a task)"
    ),
    "words of the evolving prompt": (
        r"(?i:\b(?:given|rewritten|created|evolved|original) prompt\b)|"
        r"(?:주어진|재작성된|재작성한|다시\s?쓴|다시\s?작성된|다시\s?작성한|새로\s?쓴|원래)\s?"
        r"(?:프롬프트|지시문|명령문)"
    ),
    "a blank that was never filled in": (
        r"\{\{\s?[A-Za-z_][\w. |]*\}\}|\{%-?\s?(?:if|for|endif|endfor|set)\b|"
        r"\[(?i:insert|your|placeholder|fill in)[^\]\n]{0,40}\]|"
        r"\{(?i:instruction|prompt|input|question|topic)\}"
    ),
}
"""Name -> pattern (RE2). Looked for anywhere."""


@dataclass(frozen=True, kw_only=True)
class Refusals(RowStep):
    """Drops answers that decline, in English and Korean: "As an AI language model", "죄송하지만".

    Patterns, not understanding: only the first `within` characters are looked at, and a story in
    which somebody refuses at the start is dropped too. `more`: further patterns (RE2).
    """

    name: ClassVar[str] = "refusals"
    within: int = 250
    more: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.within < 1:
            raise SettingError(f"within is {self.within!r}. Give a number of characters above 0.")
        _check_patterns(self.more)

    def reasons(self, texts: pa.StringArray) -> pa.StringArray:
        starts = pc.utf8_slice_codeunits(texts, 0, self.within)
        named = REFUSALS | {f"matches {p!r}": p for p in self.more}
        return named_reasons(starts, named, "A refusal: it {name}.")


@dataclass(frozen=True, kw_only=True)
class Leaks(RowStep):
    """Drops texts in which the prompt shows: template tokens, headings, blanks, "given prompt".

    "given prompt" and "rewritten prompt" are an elimination rule of Evol-Instruct (Xu et al. 2023).
    `more`: further patterns (RE2).
    """

    name: ClassVar[str] = "leaked prompts"
    more: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_patterns(self.more)

    def reasons(self, texts: pa.StringArray) -> pa.StringArray:
        named = LEAKS | {f"what matches {p!r}": p for p in self.more}
        return named_reasons(texts, named, "The prompt leaks: {name}.")


STOP_WORDS = (
    "a about after again all also am an and any are as at be because been before being both but by "
    "can could did do does doing done each else even few for from further had has have having he "
    "her here hers him his how however i if in into is it its itself just let may me might more "
    "most must my no nor not now of off ok okay on once only or other our ours out over own please "
    "same shall she should so some such sure than thank thanks that the their theirs them then "
    "there these they this those though to too under until up us very was we well were what when "
    "where whether which while who whom whose why will with would yes yet you your yours "
    "그 그것 그건 그게 그냥 그래 그래서 그러나 그런 그럼 그리고 네 넵 또 또는 및 아 아니 아니요 아뇨 예 음 이 "
    "이건 이것 이게 이런 저 저것 저는 저런 제 좀 즉 혹은 하지만"
).split()
"""Words that say nothing by themselves, English and Korean."""


@dataclass(frozen=True, kw_only=True)
class Hollow(RowStep):
    """Drops texts of nothing but punctuation and stop words (a rule of Evol-Instruct, Xu 2023).

    An emoji is punctuation here; a number is not. `more`: further words that say nothing.
    """

    name: ClassVar[str] = "hollow"
    more: tuple[str, ...] = ()

    def reasons(self, texts: pa.StringArray) -> pa.StringArray:
        known, at = {*STOP_WORDS, *(w.lower() for w in self.more)}, []
        for i, text in enumerate(texts.to_pylist()):
            words = re.split(r"[\W_]+", (text or "").lower())
            if not any(w and w not in known and w not in _ENDINGS for w in words):
                at.append(i)
        why = [f"Nothing but punctuation and stop words: {texts[i].as_py()!r:.80}." for i in at]
        return reasons_at(len(texts), np.array(at, np.int64), why)


# Of I'm, it's, don't.
_ENDINGS = (
    "s",
    "t",
    "re",
    "ve",
    "ll",
    "d",
    "m",
    "don",
    "isn",
    "aren",
    "won",
)  # of I'm, it's, don't


MODALITIES = (
    r"(?i:\b(?:images?|graphs?|pictures?|files?|maps?|draw|plots?|go to|videos?|audio|music|"
    r"flowcharts?|diagrams?)\b)"
)
KOREAN_MODALITIES = (
    r"(?:^|[\s\"'(])(?:이미지|사진|그래프|그림|파일|지도|동영상|비디오|영상|오디오|음악|음성|순서도|"
    r"도표|다이어그램)(?:을|를|에|의|은|는|로|으로|과|와|도|만)?(?:[\s.,!?)\"']|\z)|"
    r"그려\s?(?:줘|주|보|봐)"
)


@dataclass(frozen=True, kw_only=True)
class AlpacaRules(RowStep):
    """Drops instructions by the published filters of Alpaca (Taori et al. 2023, after Wang 2023).

    `least_words` or more words and at most `most_words` (Alpaca drops three or fewer, or more than
    150), none that asks for another modality ("draw", "image"), none that starts with "Write a
    program", with punctuation, or with a character that is not ASCII.

    Departures, for instructions in Korean (30% Hangul among the letters): a Korean word says what
    two English ones do, so at least `least_korean_words`; the words for other modalities are Korean
    ones; and the first character may be any letter or digit, since Alpaca's rule would drop them
    all. For other languages that are not written in ASCII set `ascii=False`.
    """

    name: ClassVar[str] = "alpaca rules"
    least_words: int = 4
    most_words: int = 150
    least_korean_words: int = 2
    modalities: bool = True
    programs: bool = True
    ascii: bool = True

    def reasons(self, texts: pa.StringArray) -> pa.StringArray:
        chars = folded(texts)
        share, lettered = hangul_shares(texts)
        korean = lettered & (share >= 0.3)
        words = np.where(chars.lengths > 0, chars.count(chars.points == ord(" ")) + 1, 0)
        why: dict[int, str] = {}
        for what, mask in self._marks(texts, chars, korean):
            why |= dict.fromkeys(np.flatnonzero(mask).tolist(), what)
        least = np.where(korean, self.least_korean_words, self.least_words)
        for i in np.flatnonzero((words < least) | (words > self.most_words)).tolist():
            why[i] = f"{words[i]} words (limits {least[i]} and {self.most_words})."
        at = np.array(sorted(why), np.int64)
        return reasons_at(len(texts), at, [why[i] for i in at.tolist()])

    def _marks(
        self, texts: pa.StringArray, chars: Characters, korean: np.ndarray
    ) -> list[tuple[str, np.ndarray]]:
        filled = chars.lengths > 0
        first = np.full(len(texts), ord("a"), np.uint32)
        first[filled] = chars.points[chars.offsets[:-1][filled]]
        marks = []
        if self.ascii:
            strange = (first > 0x7F) & ~korean
            marks.append(("Starts with a character that is not ASCII.", strange))
        marks.append(("Starts with punctuation.", (classes(first) & SIGN) != 0))
        if self.programs:
            starts = matching(texts, r"^\s*(?i:write a program)")
            marks.append(("Starts with 'Write a program'.", starts))
        if self.modalities:
            asks = np.where(korean, matching(texts, KOREAN_MODALITIES), matching(texts, MODALITIES))
            marks.append(("Asks for another modality than text.", asks))
        return marks


def _check_patterns(patterns: tuple[str, ...]) -> None:
    for pattern in patterns:
        try:
            pc.match_substring_regex(pa.array([""]), pattern)
        except pa.ArrowInvalid as error:
            raise SettingError(
                f"{pattern!r} is not a pattern of RE2: {error}. Look-around is not supported."
            ) from None
