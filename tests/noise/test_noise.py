import time
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geurim.contract import Lineage, Source
from geurim.errors import DataError, SettingError
from geurim.noise import KINDS, PRESETS, Noise
from geurim.noise.sheet import PROTECTED, lay_out, take_up

EVERYTHING = {name: 0.4 for kinds in KINDS.values() for name in kinds}
SENTENCES = (
    "정말 좋아요. 영화를 봤습니다! 너무 재미있다 왜 그래요? 감사합니다. 배송이 안 왔어요~ "
    "don't You really great service. why? 않았다, 떄 ㅋㅋ ^^ ... 값이 닭"
)
WORDS = st.sampled_from(SENTENCES.split())
SPANS = st.sampled_from(
    [
        "{name}",
        "{{ order.id }}",
        "{% if x %}",
        "`코드 좋아요. x = 1`",
        "https://example.com/가나?a=1",
        "www.geurim.kr/a",
        "kim.su@example.co.kr",
        "010-1234-5678",
        "3,500",
        "99.5%",
        "ORD-2024-77",
        "[NAME]",
        "<b>",
        "%(n)s",
        "$5",
    ]
)
TEXTS = st.lists(st.one_of(WORDS, SPANS, st.text(max_size=5)), max_size=12).map(" ".join)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(st.lists(st.text()))
def test_rates_of_zero_change_nothing(texts: list[str]) -> None:
    for noise in (Noise(), Noise(rates=dict.fromkeys(EVERYTHING, 0.0))):
        assert noise.apply(texts, rng()).to_pylist() == texts


@given(st.lists(TEXTS))
def test_laying_out_and_taking_up_changes_nothing(texts: list[str]) -> None:
    composed = [unicodedata.normalize("NFC", t) for t in texts]
    assert take_up(*lay_out(texts)) == composed


@settings(deadline=None, max_examples=150)
@given(st.lists(TEXTS, max_size=6), st.integers(0, 99))
def test_protected_spans_survive_and_output_is_nfc(texts: list[str], seed: int) -> None:
    texts = [unicodedata.normalize("NFC", t) for t in texts]
    for language in ("ko", "en"):
        rates = dict.fromkeys(KINDS[language], 0.4)
        out = Noise(rates=rates, language=language).apply(texts, rng(seed)).to_pylist()
        assert len(out) == len(texts)
        for before, after in zip(texts, out, strict=True):
            assert unicodedata.is_normalized("NFC", after)
            at = 0
            for span in PROTECTED.findall(before):
                found = after.find(span, at)
                assert found >= 0, (before, after, span)
                at = found + len(span)


@settings(deadline=None, max_examples=50)
@given(st.lists(TEXTS, max_size=6), st.integers(0, 99))
def test_same_texts_and_seed_give_the_same_noise(texts: list[str], seed: int) -> None:
    noise = Noise(rates=EVERYTHING)
    first, second = noise.apply(texts, rng(seed)), noise.apply(texts, rng(seed))
    assert first.equals(second)


def test_another_seed_gives_other_noise() -> None:
    noise = Noise(rates={"key": 0.2})
    texts = ["오늘은 날씨가 참 좋습니다"] * 20
    assert noise.apply(texts, rng(1)) != noise.apply(texts, rng(2))


def test_a_mutant_that_ignores_protection_would_be_caught() -> None:
    # The same kinds do change these letters where nothing protects them.
    noise = Noise(rates={"key": 1.0}, language="en")
    assert noise.apply(["{name}"], rng()).to_pylist() == ["{name}"]
    assert "name" not in noise.apply(["name"], rng())[0].as_py()


def test_keep_protected_and_spans_hold() -> None:
    texts = ["김민수 고객님의 주문은 취소되었습니다", "정답은 대한민국 입니다"]
    rates = {"key": 1.0, "space_missing": 1.0}
    noise = Noise(rates=rates, keep=("취소[가-힣]*",), protected=("김민수",))
    out = noise.apply(texts, rng(), spans=[[], ["대한민국"]]).to_pylist()
    assert "김민수" in out[0] and "취소되었습니다" in out[0] and "대한민국" in out[1]
    assert "고객님의" not in out[0] and "정답은" not in out[1]


def test_a_pattern_cannot_reach_over_into_the_next_text() -> None:
    noise = Noise(rates={"key": 1.0}, keep=(r"(?s)^보호.*$",))
    out = noise.apply(["보호 한다", "아니다"], rng()).to_pylist()
    assert out[0] == "보호 한다" and out[1] != "아니다"


def test_missing_and_empty_texts_stay() -> None:
    noise = Noise(rates=EVERYTHING)
    array = pa.array([None, "", "  "], pa.string())
    assert noise.apply(array, rng()).to_pylist() == [None, "", "  "]
    chunked = pa.chunked_array([pa.array(["좋다"]), pa.array(["싫다"])])
    assert len(noise.apply(chunked, rng())) == 2
    assert noise.apply([], rng()).to_pylist() == []


def test_language_is_told_text_by_text() -> None:
    noise = Noise(rates={"initials": 1.0, "abbreviation": 1.0, "apostrophe": 1.0})
    out = noise.apply(["감사합니다", "I don't know you"], rng()).to_pylist()
    assert out[0].startswith("ㄱㅅ")
    assert out[1] in ("Idk u", "I dunno u")


def test_particles_agree_with_what_replaced_the_word() -> None:
    noise = Noise(rates={"abbreviation": 1.0, "slang": 1.0})
    out = noise.apply(["남자친구가 왔다", "여자 주인공이 좋다"], rng()).to_pylist()
    assert out[0].startswith("남친이 ") and out[1].startswith("여주가 ")


def test_asides_take_the_register_of_the_text() -> None:
    noise = Noise(rates={"anger": 1.0})
    polite, plain = noise.apply(["안 왔어요."] * 200, rng()), noise.apply(["안 왔다."] * 200, rng())
    assert all(t.endswith(("요.", "죠.", "니다.", "요?")) for t in polite.to_pylist())
    assert not any(t.endswith(("요.", "니다.", "요?")) for t in plain.to_pylist())


@pytest.mark.parametrize(
    "settings",
    [
        {"rates": {"typos": 0.1}},
        {"rates": {"key": 1.5}},
        {"rates": {"key": float("nan")}},
        {"rates": {"laughter": 0.1}, "language": "en"},
        {"language": "fr"},
        {"keep": ("(",)},
    ],
)
def test_wrong_settings_are_refused(settings: dict) -> None:
    with pytest.raises(SettingError):
        Noise(**settings)


def test_wrong_texts_are_refused() -> None:
    noise = Noise(rates={"key": 0.1})
    for texts in ("one string", [1], ["\ud800"]):
        with pytest.raises(DataError):
            noise.apply(texts, rng())
    with pytest.raises(DataError):
        noise.apply(["a"], rng(), spans=[])


def _source(batches: list[pa.RecordBatch]) -> Source:
    lineage = Lineage.made("test")
    return Source(schema=batches[0].schema, lineage=lineage, read=lambda: iter(batches))


def test_noise_over_a_source_does_not_depend_on_its_batches() -> None:
    table = pa.table({"n": range(20_000), "text": ["정말 좋은 영화예요"] * 20_000})
    noise = Noise(rates={"key": 0.1})
    whole = noise.over(_source(table.to_batches()), "text", seed=5).to_arrow()
    split = noise.over(_source(table.to_batches(max_chunksize=777)), "text", seed=5).to_arrow()
    assert whole.equals(split) and whole["n"].equals(table["n"])
    assert not whole["text"].equals(table["text"])
    with pytest.raises(SettingError):
        noise.over(_source(table.to_batches()), "texts", seed=5)


def test_ten_thousand_short_texts_take_a_few_seconds_at_most() -> None:
    texts = ["배송이 너무 늦어서 정말 답답했습니다. 빨리 보내 주세요."] * 10_000
    noise = Noise(rates=dict.fromkeys(KINDS["ko"], 0.02))
    start = time.process_time()
    noise.apply(texts, rng())
    assert time.process_time() - start < 8  # about 1.5 s on a quiet core, with all kinds on


def test_presets_are_settings_and_make_noise() -> None:
    texts = ["배송이 너무 늦어서 정말 답답했습니다. 빨리 보내 주세요."] * 50
    for rates in PRESETS.values():
        assert len(set(Noise(rates=rates, language="ko").apply(texts, rng()).to_pylist())) > 10
