"""Measures of text against closed forms and examples counted by hand; the page; what is refused."""

import random

import numpy as np
import pyarrow as pa
import pytest

from geurim.curate import curate, step
from geurim.errors import DataError, SchemaError, SettingError
from geurim.read import as_source
from geurim.texts import joined
from geurim.verify.prose import verify_text
from geurim.verify.prose.faithful import jensen_shannon
from geurim.verify.prose.near import like_any, like_earlier
from geurim.verify.prose.private import longest_shared
from geurim.verify.prose.texts import Texts, distinct
from geurim.verify.prose.varied import distinct_share, self_bleu, vendi


def test_distinct_n_counted_by_hand():
    words = Texts(("a b a b", "a b")).words
    assert distinct_share(words, 1) == pytest.approx(2 / 6)
    assert distinct_share(words, 2) == pytest.approx(2 / 4)  # ab ba ab, ab
    assert distinct_share(words, 3) == pytest.approx(2 / 2)


def test_self_bleu_of_equal_texts_is_one_and_of_strangers_near_zero():
    assert self_bleu(Texts(("a b c d e",) * 3)) == pytest.approx(1)
    strangers = self_bleu(Texts(("a b c d e", "f g h i j")))
    assert strangers == pytest.approx((0.1**4 / (5 * 4 * 3 * 2)) ** 0.25)


def test_self_bleu_counted_by_hand():
    # "the the cat" against "the cat sat": words 2 of 3 (one "the" clipped), pairs 1 of 2, threes
    # 0.1 of 1; and the other way 2 of 3, 1 of 2, 0.1 of 1. Equal lengths: no brevity penalty.
    expected = (2 / 3 * 1 / 2 * 0.1) ** (1 / 3)
    assert self_bleu(Texts(("the the cat", "the cat sat"))) == pytest.approx(expected)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_vendi_is_n_for_orthogonal_items_and_1_for_equal_ones(count):
    assert vendi(np.eye(count, 9)) == pytest.approx(count)
    assert vendi(np.ones((count, 9)) / 3) == pytest.approx(1)


def test_jensen_shannon_is_0_for_equal_and_1_for_apart():
    assert jensen_shannon(np.array([1.0, 3]), np.array([2.0, 6])) == pytest.approx(0)
    assert jensen_shannon(np.array([1.0, 0]), np.array([0.0, 5])) == pytest.approx(1)


def test_words_and_runs_stay_within_their_text():
    texts = Texts(("It's  one", "", "둘이다! 셋"))
    starts, ends = texts.words.places, texts.word_ends()
    found = [texts.excerpt(a, b - a) for a, b in zip(starts, ends, strict=True)]
    assert found == ["it's", "one", "둘이다", "셋"]
    assert texts.words.rows.tolist() == [0, 0, 2, 2]
    assert texts.word_runs(2).rows.tolist() == [0, 2] and len(texts.runs(9).rows) == 0
    assert len(distinct(Texts(("x x x y",)).words).hashes) == 2


def test_equal_runs_have_equal_hashes_wherever_they_stand():
    one, other = (Texts((t,)).runs(5).hashes for t in ("abcdefg", "zzcdefgq"))
    assert set(one.tolist()) & set(other.tolist()) == {one[2]}


def test_near_copies_and_their_partners_are_found():
    long = "The quick brown fox jumps over the lazy dog while the band plays on and on until dawn."
    texts = Texts((long, "Something else entirely, of no concern at all to us.", long[:-1] + "!"))
    assert like_earlier(texts).tolist() == [-1, -1, 0]
    assert like_any(texts, Texts((long,))).tolist() == [0, -1, 0]


def repeating(count: int) -> list[str | None]:
    """Texts of which some come again, word for word, or with one or several words changed."""
    rng = random.Random(7)
    korean = [
        f"{w}{e}" for w in "영화 배우 음악 장면 감독 화면 대사 결말".split() for e in "은는이가"
    ]
    english = "film actor music scene director screen line ending was good bad long short".split()
    texts: list[str | None] = [None, "", "", None, "!!", "!!"]
    while len(texts) < count:
        own = rng.choice((korean, english))
        if len(texts) > 10 and rng.random() < 0.4 and texts[-5]:
            words = texts[-5].split()
            for _ in range(rng.randrange(3)):
                words[rng.randrange(len(words))] = rng.choice(own)
        else:
            words = rng.choices(own, k=rng.randrange(1, 25))
        texts.append(rng.choice((str.upper, str.lower))(" ".join(words)))
    return texts


def test_verify_calls_a_duplicate_what_curation_drops():
    source = as_source(pa.table({"text": pa.array(repeating(600), pa.string())}))
    report = verify_text(source, column="text", checks=["text_duplicates"])
    dropped = {}
    for name in ("exact", "near"):
        dropped[name] = curate(source, [step(name)], column="text").counts
    both = curate(source, [step("exact"), step("near")], column="text").counts
    shares = {n: 1 - c["kept"] / c["rows"] for n, c in dropped.items()}
    assert shares["near"] > shares["exact"] + 0.05 > 0.1, "both kinds are there"
    assert report.find("text_exact_duplicates").value == pytest.approx(shares["exact"])
    assert report.find("text_near_duplicates").value == pytest.approx(shares["near"])
    assert both["kept"] == dropped["near"]["kept"]


def test_the_text_named_is_earlier_like_it_and_kept_or_equal():
    texts = repeating(2_500)  # more than are compared at once
    like = like_earlier(Texts(texts))
    judge = step("near").start()
    reasons = judge.judge(pa.array(texts, pa.string()), None).to_pylist()
    for row, other in enumerate(like.tolist()):
        assert (other >= 0) == (reasons[row] is not None)
        if other >= 0:
            equal = texts[other].lower() == texts[row].lower()
            assert other < row and (equal or like[other] < 0)
            pair = step("near").start().judge(pa.array([texts[other], texts[row]]), None)
            assert pair[1].is_valid, (texts[other], texts[row])


def test_the_longest_shared_span_is_measured_to_the_character():
    shared = "".join(chr(97 + i % 26) for i in range(37)) + "0123456789" * 3
    sizes, _ = longest_shared(Texts((f"XX{shared}YY", "no")), Texts((f"qq {shared} qq",)))
    assert sizes.tolist() == [len(shared), 0]


def test_turns_are_joined_and_roles_left_out():
    turns = pa.array([[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]])
    assert joined(pa.record_batch({"talk": turns}), ["talk"]).to_pylist() == ["Hi\nYo"]


EVIL = "<script>alert(1)</script> 영화가 좋았습니다"


def scored(count=60):
    texts = [f"{EVIL} {i} 그리고 {'아주 ' * (i % 5)}좋다" for i in range(count)]
    return pa.table({"text": texts, "reward": np.arange(count) / 10})


def test_page_holds_examples_to_read_escaped_and_says_what_is_not_judged():
    rejects = pa.table({"text": [EVIL], "stage": ["<b>"], "reason": ["too <i>short</i>"]})
    report = verify_text(scored(), before=scored(90), rejects=rejects)
    page = report.to_html()
    assert "<script>alert" not in page and "<i>short" not in page and "too &lt;i&gt;" in page
    for heading in ("the best by score", "the worst that were kept", "rejected", "Varied?"):
        assert heading in page
    groups = report.find("text_examples").details["groups"]
    assert [r["reward"] for r in groups["best"]] == [5.9, 5.8, 5.7, 5.6, 5.5]
    assert [r["reward"] for r in groups["worst"]] == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert report.find("text_rewards").reference == pytest.approx(4.45)
    assert {f.verdict for f in report.findings if f.question == "faithful"} == {"info"}
    assert report.to_json()["kind"] == "text"


def test_the_same_seed_gives_the_same_report():
    one, other = (verify_text(scored(), scored(), seed=3).to_json() for _ in range(2))
    assert one == other


def test_an_embedder_of_the_users_own_is_used():
    def lengths(texts):
        return np.array([[len(t), 100.0] for t in texts])

    made = pa.table({"text": ["short one"] * 100})
    report = verify_text(made, scored(200), embedder=lengths, checks=["text_c2st", "text_vendi"])
    assert report.find("text_c2st_auc").value > 0.9
    with pytest.raises(SettingError, match="embedder gave"):
        verify_text(made, scored(), embedder=lambda t: np.ones(3), checks=["text_c2st"])


def test_what_cannot_be_verified_is_refused():
    with pytest.raises(DataError, match="No column holds text"):
        verify_text(pa.table({"a": [1]}))
    with pytest.raises(SchemaError, match="no text column 'b'"):
        verify_text(pa.table({"a": ["x"]}), column="b")
    with pytest.raises(DataError, match="no rows"):
        verify_text(pa.table({"a": pa.array([], pa.string())}), column="a")
    with pytest.raises(SettingError, match="quotas"):
        verify_text(scored(), quotas={"reward": {}})
    with pytest.raises(SettingError, match="no check"):
        verify_text(scored(), checks=["text_c3st"])


@pytest.mark.parametrize("texts", [["a"], ["", None], ["😀" * 9, "\x00"], [" "] * 50])
def test_odd_texts_break_no_check(texts):
    report = verify_text(pa.table({"text": pa.array(texts, pa.string())}), scored(), column="text")
    assert [f.text for f in report.findings if "broke down" in f.text] == []
    assert "</html>" in report.to_html()
