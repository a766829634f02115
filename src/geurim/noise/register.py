"""Registers of Korean: one sentence ending turned into another.

합쇼체 (-습니다), 해요체 (-어요), 해체 (-어), plain 해라체 (-다) and 음슴체 (-음). An ending is read
into a stem and what follows it, and written again; only endings that can be read without doubt are
shifted. Past, 겠, 있다, 하다 and 이다 go by rule for every word, other present forms by the lexicon
of stems below.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

import numpy as np

from geurim.noise.hangul import final_of, join, split, with_final
from geurim.noise.kinds import Kind, listed
from geurim.noise.sheet import END, Sheet

LONGEST = 12  # syllables of an ending with its stem; no more of a word is looked at
REGISTERS = ("hapsyo", "haeyo", "hae", "plain", "noun")
Forms = dict[str, str]  # register (or "asked", 합쇼체 of a question) to the ending's surface

# Stems of the present tense. A colon gives an infinitive that no rule gives.
ADJECTIVES = listed(
    "좋 싫 많 적 크 작 높 낮 짧 같 괜찮 예쁘 나쁘 바쁘 아프 슬프 기쁘 고프 느리 비싸 싸 늦 싶 "
    "길 멀 힘들 빠르:빨라 다르:달라 그렇:그래 이렇:이래 어떻:어때 귀엽:귀여워 춥:추워 덥:더워 "
    "어렵:어려워 쉽:쉬워 무섭:무서워 고맙:고마워 반갑:반가워 아름답:아름다워 즐겁:즐거워 "
    "무겁:무거워 가볍:가벼워 가깝:가까워 아쉽:아쉬워 그립:그리워 지겹:지겨워 새롭:새로워 "
    "외롭:외로워 안타깝:안타까워 낫:나아 없 않 이쁘"
)
VERBS = listed(
    "가 오 보 주 되 자 타 마시 먹 읽 받 찾 믿 웃 알 만들 놀 열 모르:몰라 부르:불러 고르:골라 "
    "듣:들어 걷:걸어 쓰 끝나 나오 나가 들어가 들어오 돌아가 돌아오 기다리 걸리 바라:바라 보내 "
    "지내 배우 나누 바꾸 고치 느끼 생기 즐기 남기 드리 잊 앉 씻 벗 입 넣 놓 울리 떨어지 좋아지 "
    "빠지 사라지 어울리 그만두 버리 다니 지키 마치 만나 일어나 나타나 살 울 팔 궁금해하 다녀오 "
    "알아보 해보 써보 가져오 가져가 떠나 남 죽 뛰 쉬 맞 모자라 지나가 달라지 망가지 터지 멈추 "
    "맞추 늘"
)
# Nouns that form an adjective with 하다, and a verb: their plain endings differ (하다, 한다).
HADA_ADJECTIVES = set(
    listed(
        "행복 훌륭 완벽 필요 가능 불가능 중요 편안 친절 불친절 유명 지루 답답 신선 유치 진부 "
        "따뜻 편 착 건강 간단 복잡 심각 충분 부족 비슷 특별 다양 확실 정확 위험 안전 조용 깨끗 "
        "시원 궁금 우울 피곤 심심 이상 잔인 허술 뻔 황당 대단 굉장 솔직 순수 미안 죄송 똑똑 "
        "날씬 튼튼 편리 불편 강력 화려 식상 산만 흔 약 강 급 심 진 연 순"
    )
)
HADA_VERBS = set(
    listed(
        "추천 생각 기대 사랑 공부 운동 시작 주문 취소 환불 요청 문의 확인 신청 결제 배송 사용 "
        "이용 구매 예약 연락 전화 원 말 일 노력 부탁 감사 축하 응원 약속 준비 설명 이해 기억 "
        "후회 실망 감동 포기 반대 찬성 동의 인정 존경 좋아 싫어 잘 못 안 계속 도착 출발 참여 "
        "참석 발표 등록 설치 삭제 수정 변경 교환 반품 선택 비교 평가 걱정 고민 결정 성공 실패"
    )
)
# Short stems take only these before them; any other syllable would make another word.
_BEFORE = listed(
    "안 못 잘 더 다 꼭 또 들어 나 올라 내려 돌아 따라 해 먹어 사 써 찾아 가져 데려 받아 걸어"
)
# 듣다 or 들다, 걷다 or 걸다: not to be told from the surface.
_TWO_STEMS = ("들어요", "걸어요", "물어요", "걸어")
# Nouns that look like endings.
_NOT_ENDINGS = set(
    listed("이해 올해 피해 방해 오해 새해 동해 서해 남해 손해 공해 화해 견해 폭해 지해")
)
_IMPERATIVES = dict(
    zip(
        listed("하 보 가 오 주 마 드 앉으 받으"),
        listed("해 봐 가 와 줘 마 들어 앉아 받아"),
        strict=True,
    )
)
# Endings that only gain or lose 요 between 해요체 and 해체.
_PARTICLE_ENDINGS = listed(
    "네 지 는데 은데 인데 한데 거든 잖아 더라고 고 을까 군 나 을게 할게 할까 될까 갈게 줄게 볼게"
)
_LONE = set(listed("네 지 고 군 나"))  # too short to be read without a stem that is sure


def infinitive(stem: str) -> str:
    """The -아/어 form of a regular stem: 가 to 가, 먹 to 먹어, 마시 to 마셔, 예쁘 to 예뻐."""
    head, (initial, medial, final) = stem[:-1], split(stem[-1])
    if final:
        return stem + ("아" if medial in "ㅏㅗ" else "어")
    if medial in "ㅏㅓㅐㅔㅕ":
        return stem
    if medial == "ㅡ":
        bright = bool(head) and split(head[-1])[1] in "ㅏㅗ"
        return head + join(initial, "ㅏ" if bright else "ㅓ")
    if medial in "ㅟㅢ":
        return stem + "어"
    ends = {"ㅗ": "ㅘ", "ㅜ": "ㅝ", "ㅣ": "ㅕ", "ㅚ": "ㅙ"}
    return head + join(initial, ends[medial])


def _present(stem: str, verb: bool, inf: str) -> Forms:
    final = final_of(stem[-1])
    bare = final in ("", "ㄹ")  # takes the bare consonant: 갑니다, 만듭니다
    polite = stem[:-1] + with_final(stem[-1], "ㅂ") + "니" if bare else stem + "습니"
    if verb:
        plain = stem[:-1] + with_final(stem[-1], "ㄴ") + "다" if bare else stem + "는다"
    else:
        plain = stem + "다"
    return {
        "hapsyo": polite + "다",
        "asked": polite + "까",
        "haeyo": inf + "요",
        "hae": inf,
        "plain": plain,
        "noun": _nominal(stem, inf),
    }


def _nominal(stem: str, inf: str) -> str:
    final = final_of(stem[-1])
    if not final:
        return stem[:-1] + with_final(stem[-1], "ㅁ")
    if final == "ㄹ":
        return stem[:-1] + with_final(stem[-1], "ㄻ")
    if inf.endswith("워"):  # 춥, 추워: 추움
        return inf[:-1] + "움"
    if inf != infinitive(stem):  # 듣, 들어: 들음; 그렇, 그래: 그럼
        return stem[:-1] + with_final(stem[-1], "ㅁ") if final == "ㅎ" else inf[:-1] + "음"
    return stem + "음"


@cache
def _lexicon() -> dict[str, tuple[str, str, Forms]]:
    """From a surface to its register, its stem and all forms."""
    surfaces: dict[str, tuple[str, str, Forms]] = {}
    for verb, entries in ((False, ADJECTIVES), (True, VERBS)):
        for entry in entries:
            stem, _, inf = entry.partition(":")
            forms = _present(stem, verb, inf or infinitive(stem))
            if stem == "않":  # 않다 after an adjective, 않는다 after a verb
                del forms["plain"]
            for register, surface in forms.items():
                sure = register != "hae" or (not verb and len(surface) > 1)
                if sure and register != "noun" and surface not in _TWO_STEMS:
                    surfaces.setdefault(surface, (register, stem, forms))
    return surfaces


def _tensed(base: str) -> Forms:
    """Forms after a final ㅆ (먹었, 하겠, 있): no stem changes."""
    ends = {"hapsyo": "습니다", "asked": "습니까", "haeyo": "어요", "hae": "어", "plain": "다"}
    return {**{r: base + e for r, e in ends.items()}, "noun": base + "음"}


def _hada(noun: str) -> Forms:
    forms = {
        "hapsyo": "합니다",
        "asked": "합니까",
        "haeyo": "해요",
        "hae": "해",
        "noun": "함",
    }
    if noun in HADA_ADJECTIVES or noun in HADA_VERBS:
        forms["plain"] = "하다" if noun in HADA_ADJECTIVES else "한다"
    return {r: noun + e for r, e in forms.items()}


def _copula(noun: str) -> Forms:
    if noun == "아니":
        before, ends = "", "아닙니다 아닙니까 아니에요 아니야 아니다 아님"
    elif noun.endswith("거"):
        before, ends = noun[:-1], "겁니다 겁니까 거예요 거야 거다 거임"
    elif final_of(noun[-1]):
        before, ends = noun, "입니다 입니까 이에요 이야 이다 임"
    else:
        before, ends = noun, "입니다 입니까 예요 야 다 임"
    names = ("hapsyo", "asked", "haeyo", "hae", "plain", "noun")
    return {name: before + end for name, end in zip(names, ends.split(), strict=True)}


_TENSED = re.compile(r"(.+?)(습니다|습니까|어요|어|다|음)")
_TENSED_REGISTERS = {
    "습니다": "hapsyo",
    "습니까": "asked",
    "어요": "haeyo",
    "어": "hae",
    "다": "plain",
    "음": "noun",
}
_HADA = re.compile(r"(.*?)(합니다|합니까|해요|해|한다|하다)")
_HADA_REGISTERS = {"합니다": "hapsyo", "합니까": "asked", "해요": "haeyo", "해": "hae"}
_COPULA_REGISTERS = {"입니다": "hapsyo", "입니까": "asked", "이다": "plain"}
_THINGS = {
    "것입니다": "hapsyo",
    "겁니다": "hapsyo",
    "것이다": "plain",
    "거예요": "haeyo",
    "거에요": "haeyo",
}
_THING = re.compile("(.*?)(" + "|".join(_THINGS) + ")")
_COPULA = re.compile(r"(.+?)(입니다|입니까|이에요|예요|이다)")


def read_ending(word: str) -> tuple[str, Forms] | None:
    """The register of a sentence's last word and its forms in every register it has, or None."""
    if special := _SPECIAL.get(word):
        return special
    for reader in (_read_tensed, _read_copula, _read_lexicon, _read_hada, _read_particle):
        if found := reader(word):
            return found
    return None


def _read_tensed(word: str) -> tuple[str, Forms] | None:
    m = _TENSED.fullmatch(word)
    if not m or not m[1] or (final_of(m[1][-1]) != "ㅆ"):
        return None
    return _TENSED_REGISTERS[m[2]], _tensed(m[1])


def _read_hada(word: str) -> tuple[str, Forms] | None:
    m = _HADA.fullmatch(word)
    if not m or word in _NOT_ENDINGS or word == "해":
        return None
    if m[2] in ("한다", "하다") and m[1] not in HADA_ADJECTIVES | HADA_VERBS:
        return None
    forms = _hada(m[1])
    if m[2] == "해":  # a statement or a command: 검색해 is no 검색합니다
        forms = {r: forms[r] for r in ("haeyo", "hae")}
    return _HADA_REGISTERS.get(m[2], "plain"), forms


def _read_copula(word: str) -> tuple[str, Forms] | None:
    if thing := _THING.fullmatch(word):
        return _THINGS[thing[2]], _copula(thing[1] + "거")
    m = _COPULA.fullmatch(word)
    if not m or not ("가" <= m[1][-1] <= "힣"):
        return None
    closed = bool(final_of(m[1][-1]))
    ending = m[2]
    if closed == (ending == "예요") and ending in ("예요", "이에요", "이다"):
        return None
    if ending == "이다" and m[1][-1] in "높먹쌓붙끓속죽녹줄낮덮섞":  # verbs in -이다
        return None
    return _COPULA_REGISTERS.get(ending, "haeyo"), _copula(m[1])


def _read_lexicon(word: str) -> tuple[str, Forms] | None:
    for cut in range(max(0, len(word) - LONGEST), len(word)):
        found = _lexicon().get(word[cut:])
        if not found:
            continue
        register, stem, forms = found
        before = word[:cut]
        if before and (len(stem) < 2 or register == "hae") and before not in _BEFORE:
            continue
        return register, {r: before + form for r, form in forms.items()}
    return None


def _read_particle(word: str) -> tuple[str, Forms] | None:
    polite = word.endswith(("요", "죠"))
    bare = word[:-1] + "지" if word.endswith("죠") else word[:-1] if polite else word
    for ending in _PARTICLE_ENDINGS:
        stem = bare.removesuffix(ending)
        if stem == bare or (ending in _LONE and not polite and not _sure(stem)):
            continue
        if stem or len(ending) > 1:
            spoken = bare[:-1] + "죠" if ending == "지" else bare + "요"
            return "haeyo" if polite else "hae", {"haeyo": spoken, "hae": bare}
    return None


def _sure(stem: str) -> bool:
    return bool(stem) and (final_of(stem[-1]) == "ㅆ" or stem[-1] in "좋없많같싫하")


def _command(stem: str, bare: str) -> tuple[str, Forms]:
    polite = stem + "십시오"
    return "haeyo", {
        "hapsyo": polite,
        "asked": stem + "십니까",
        "haeyo": stem + "세요",
        "hae": bare,
    }


_SPECIAL: dict[str, tuple[str, Forms]] = {}
for _stem, _bare in _IMPERATIVES.items():
    _, _forms = _command(_stem, _bare)
    _SPECIAL[_forms["haeyo"]] = ("haeyo", _forms)
    _SPECIAL[_forms["hapsyo"]] = ("hapsyo", _forms)
_HELLO = {"hapsyo": "안녕하십니까", "asked": "안녕하십니까", "haeyo": "안녕하세요", "hae": "안녕"}
_THANKS = {"hapsyo": "감사합니다", "haeyo": "감사해요", "hae": "고마워", "noun": "감사"}
_SORRY = {"hapsyo": "죄송합니다", "haeyo": "죄송해요", "hae": "미안해", "noun": "죄송"}
for _forms in (_HELLO, _THANKS, _SORRY):
    for _register in ("hapsyo", "haeyo"):
        _SPECIAL[_forms[_register]] = (_register, _forms)


for _register, _surface in (_NOT := _copula("아니")).items():
    if _register != "noun":
        _SPECIAL.setdefault(_surface, (_register, _NOT))


@lru_cache(maxsize=65_536)
def shift(word: str, register: str, *, asked: bool = False) -> str | None:
    """A sentence's last word in another register; None where it cannot be told, or needs no change.

    `asked`: the sentence is a question. "춥습니다" to "haeyo" is "추워요".
    """
    found = read_ending(word)
    if found is None:
        return None
    current, forms = found
    asked = asked or current == "asked"
    if asked and register in ("plain", "noun"):
        return None
    wanted = "asked" if asked and register == "hapsyo" else register
    written = forms.get(wanted)
    if current == register or (current == "asked" and register == "hapsyo"):
        return None
    return written if written != word else None


_LAST_WORD = re.compile(rf"(?<![가-힣\udfff])([가-힣]+){END}[.!…~]*(\??)")


def _towards(register: str) -> Kind:
    def places(sheet: Sheet) -> np.ndarray:
        spans = [
            m.span(1)
            for m in _LAST_WORD.finditer(sheet.text)
            if shift(m[1], register, asked=bool(m[2])) is not None
        ]
        return np.array(spans, np.int64).reshape(-1, 2)

    def rewrite(sheet: Sheet, spans: np.ndarray, uniform: np.ndarray) -> Sheet:
        pieces = []
        for start, _ in spans.tolist():
            m = _LAST_WORD.match(sheet.text, start)
            assert m is not None
            pieces.append(shift(m[1], register, asked=bool(m[2])) or m[1])
        return sheet.replace(spans, pieces)

    return Kind(
        name=f"to_{register}",
        unit="sentence whose ending can be shifted there",
        what=_WHAT[register],
        places=places,
        rewrite=rewrite,
    )


_WHAT = {
    "hapsyo": "합쇼체: 좋아요 becomes 좋습니다",
    "haeyo": "해요체: 좋습니다 becomes 좋아요",
    "hae": "해체: 좋아요 becomes 좋아",
    "plain": "해라체: 좋아요 becomes 좋다",
    "noun": "음슴체: 좋아요 becomes 좋음",
}
KINDS: tuple[Kind, ...] = tuple(_towards(register) for register in REGISTERS)
