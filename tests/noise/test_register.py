import numpy as np
import pytest

from geurim.noise import Noise, shift

# 합쇼체, 해요체, 해체, 해라체, 음슴체; "-" where the register is not tried.
ENDINGS = """
좋습니다 좋아요 좋아 좋다 좋음
싫습니다 싫어요 싫어 싫다 싫음
많습니다 많아요 많아 많다 많음
괜찮습니다 괜찮아요 괜찮아 괜찮다 괜찮음
예쁩니다 예뻐요 예뻐 예쁘다 예쁨
나쁩니다 나빠요 나빠 나쁘다 나쁨
슬픕니다 슬퍼요 슬퍼 슬프다 슬픔
춥습니다 추워요 추워 춥다 추움
어렵습니다 어려워요 어려워 어렵다 어려움
귀엽습니다 귀여워요 귀여워 귀엽다 귀여움
힘듭니다 힘들어요 힘들어 힘들다 힘듦
다릅니다 달라요 달라 다르다 다름
빠릅니다 빨라요 빨라 빠르다 빠름
그렇습니다 그래요 그래 그렇다 그럼
큽니다 커요 커 크다 큼
없습니다 없어요 없어 없다 없음
있습니다 있어요 있어 있다 있음
재미있습니다 재미있어요 재미있어 재미있다 재미있음
먹습니다 먹어요 먹어 먹는다 먹음
갑니다 가요 가 간다 감
옵니다 와요 와 온다 옴
봅니다 봐요 봐 본다 봄
줍니다 줘요 줘 준다 줌
됩니다 돼요 돼 된다 됨
마십니다 마셔요 마셔 마신다 마심
보냅니다 보내요 보내 보낸다 보냄
씁니다 써요 써 쓴다 씀
모릅니다 몰라요 몰라 모른다 모름
만듭니다 만들어요 만들어 만든다 만듦
기다립니다 기다려요 기다려 기다린다 기다림
바꿉니다 바꿔요 바꿔 바꾼다 바꿈
추천합니다 추천해요 추천해 추천한다 추천함
행복합니다 행복해요 행복해 행복하다 행복함
했습니다 했어요 했어 했다 했음
먹었습니다 먹었어요 먹었어 먹었다 먹었음
하겠습니다 하겠어요 하겠어 하겠다 하겠음
학생입니다 학생이에요 학생이야 학생이다 학생임
영화입니다 영화예요 영화야 영화다 영화임
아닙니다 아니에요 아니야 아니다 아님
겁니다 거예요 거야 거다 거임
하십시오 하세요 해 - -
주십시오 주세요 줘 - -
안녕하십니까 안녕하세요 안녕 - -
감사합니다 감사해요 고마워 - 감사
"""
ROWS = [line.split() for line in ENDINGS.split("\n") if line]
REGISTERS = ("hapsyo", "haeyo", "hae", "plain", "noun")


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_polite_endings_shift_to_every_register(row: list[str]) -> None:
    for current, word in zip(REGISTERS[:2], row, strict=False):
        for register, wanted in zip(REGISTERS, row, strict=True):
            if register == current:
                assert shift(word, register) is None
            elif wanted != "-":
                assert shift(word, register) == wanted, (word, register)


@pytest.mark.parametrize("row", ROWS[:40], ids=[row[0] for row in ROWS[:40]])
def test_plain_endings_shift_to_polite_ones_or_not_at_all(row: list[str]) -> None:
    for register, wanted in zip(REGISTERS[:3], row, strict=False):
        assert shift(row[3], register) in (wanted, None)
    assert len(ROWS) >= 40


def test_most_plain_endings_do_shift() -> None:
    shifted = sum(shift(row[3], "haeyo") == row[1] for row in ROWS[:40])
    assert shifted >= 37  # 영화다 and 거다 look like other words


@pytest.mark.parametrize(
    ("word", "register", "wanted"),
    [
        ("좋네요", "hae", "좋네"),
        ("그렇죠", "hae", "그렇지"),
        ("할게요", "hae", "할게"),
        ("없네", "haeyo", "없네요"),
        ("갈거예요", "hapsyo", "갈겁니다"),
        ("안가요", "hapsyo", "안갑니다"),
    ],
)
def test_other_endings(word: str, register: str, wanted: str) -> None:
    assert shift(word, register) == wanted


@pytest.mark.parametrize(
    "word", ["이해", "올해", "동네", "회사요", "들어요", "사람", "영화", "ㅋㅋ", ""]
)
def test_what_only_looks_like_an_ending_is_left(word: str) -> None:
    assert [shift(word, register) for register in REGISTERS] == [None] * 5


def test_a_command_does_not_become_a_statement() -> None:
    assert shift("검색해", "haeyo") == "검색해요"
    assert shift("검색해", "hapsyo") is None


def test_a_very_long_word_takes_no_time() -> None:
    assert shift("가" * 200_000 + "괜찮아요", "hapsyo") == "가" * 200_000 + "괜찮습니다"


def test_questions_ask_in_the_new_register() -> None:
    assert shift("먹었어요", "hapsyo", asked=True) == "먹었습니까"
    assert shift("먹었습니까", "haeyo") == "먹었어요"
    assert shift("먹었어요", "noun", asked=True) is None


def test_a_text_is_shifted_sentence_by_sentence() -> None:
    noise = Noise(rates={"to_hapsyo": 1.0}, language="ko")
    out = noise.apply(["배가 고파요. 밥은 먹었어요? 저는 좋아요!"], np.random.default_rng(0))
    assert out.to_pylist() == ["배가 고픕니다. 밥은 먹었습니까? 저는 좋습니다!"]
