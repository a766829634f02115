"""Scorers give what theory gives, NaN where they cannot judge, and see a broken answer."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from geurim.errors import ConnectionFailed, DataError, GeurimError, SettingError
from geurim.generators.text.agreement import agreement, swapped
from geurim.generators.text.checks import ExactAnswer, Regex
from geurim.generators.text.rules import Rules
from geurim.generators.text.scorers import (
    HELPSTEER_WEIGHTS,
    InstructionFollowingDifficulty,
    LogProb,
    RewardModel,
    Scorer,
    Verified,
    Weighted,
    prefer,
)


def batch(**columns: list[Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(columns)


def same(found: np.ndarray, wanted: list[float | None]) -> bool:
    return np.allclose(found, [np.nan if w is None else w for w in wanted], equal_nan=True)


def test_verified_is_one_zero_or_unknown() -> None:
    rows = batch(answer=["it is 4", "it is 5", "none", None, "4"], right=["4", "4", "4", "4", None])
    scorer = Verified(check=ExactAnswer(expected="right"), column="answer")
    assert same(scorer.score(rows), [1, 0, 0, None, None])
    with pytest.raises(SettingError, match="Choose one of: answer, right"):
        Verified(check=Regex(pattern="a"), column="anwser").score(rows)


def test_the_nemotron_reward_is_the_weighted_sum_of_five_attributes() -> None:
    rows = batch(
        helpfulness=[4, 0, 4],
        correctness=[4, 0, None],
        coherence=[4, 0, 4],
        complexity=[2, 0, 4],
        verbosity=[2, 4, 4],
    )
    wanted = 4 * (0.3 + 0.74 + 0.46) + 2 * (0.47 - 0.33)
    assert same(Weighted().score(rows), [wanted, -4 * 0.33, None])
    assert sum(HELPSTEER_WEIGHTS.values()) == pytest.approx(1.64)
    with pytest.raises(SettingError, match="No column 'helpfulness'"):
        Weighted().score(batch(x=[1]))
    with pytest.raises(SettingError, match="weights"):
        Weighted(weights={"x": math.nan})
    with pytest.raises(SettingError, match="trust"):
        Weighted(trust="boss")  # type: ignore[arg-type]


def bigram(text: str, given: str) -> float | None:
    """A little language model: a letter that stands in `given` has probability 1/2, else 1/8."""
    if text == "refuse":
        return None
    return float(np.mean([math.log(0.5 if letter in given else 0.125) for letter in text]))


def test_log_probability_is_the_models_mean() -> None:
    rows = batch(text=["ab", "xy", None, "", "refuse"], given=["ab", "ab", "ab", "ab", "ab"])
    found = LogProb(logprob=bigram, text="text", given="given").score(rows)
    assert same(found, [math.log(0.5), math.log(0.125), None, None, None])
    assert same(LogProb(logprob=bigram, text="text").score(rows)[:1], [math.log(0.125)])


def test_instruction_following_difficulty_is_a_ratio_of_perplexities() -> None:
    rows = batch(q=["ab", "z", "ab", None, "ab"], a=["ab", "ab", "ax", "ab", None])
    ifd = InstructionFollowingDifficulty(logprob=bigram, instruction="q", answer="a")
    # perplexity 2 with the instruction against 8 without; no help; half of the letters
    assert same(ifd.score(rows), [2 / 8, 1, 4 / 8, None, None])
    loss = InstructionFollowingDifficulty(
        logprob=bigram, instruction="q", answer="a", ratio="loss"
    ).score(rows)
    assert same(loss, [1 / 3, 1, 2 / 3, None, None])


def test_an_instruction_that_hinders_is_not_judged_unless_asked() -> None:
    def hindered(text: str, given: str) -> float:
        return -2.0 if given else -1.0

    rows = batch(q=["x"], a=["y"])
    settings: dict[str, Any] = {"logprob": hindered, "instruction": "q", "answer": "a"}
    assert same(InstructionFollowingDifficulty(**settings).score(rows), [None])
    kept = InstructionFollowingDifficulty(**settings, misaligned=True).score(rows)
    assert same(kept, [math.e])
    with pytest.raises(SettingError):
        InstructionFollowingDifficulty(**settings, ratio="x")


GOOD = (
    "A bicycle stays upright because the rider steers into each small fall. The front wheel turns "
    "toward the lean, which moves the tyres back under the centre of mass."
)
KOREAN = (
    "자전거는 기울어지는 쪽으로 앞바퀴가 돌아가면서 무게 중심 아래로 다시 들어가기 때문에 "
    "넘어지지 않습니다. 속도가 빠를수록 이 효과가 커집니다."
)


@pytest.mark.parametrize(
    "good", [GOOD, KOREAN, f"{GOOD}\n```python\nx = 1\n```", "답: 42", "- eggs\n- flour"]
)
def test_rules_find_nothing_wrong_with_a_plain_answer(good: str) -> None:
    parts = Rules(text="t").parts(batch(t=[good]))
    for name in ("repetition", "refusal", "leftovers", "unfinished"):
        assert parts[name][0] < 0.15, (name, parts[name])


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("The cat sat on the mat. " * 10, "repetition"),
        ("ㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋ", "repetition"),
        ("I'm sorry, but I can't help with that request about bicycles.", "refusal"),
        ("As an AI language model, I do not have personal opinions on bicycles.", "refusal"),
        ("죄송하지만 그 질문에는 답변을 드릴 수 없습니다. 다른 질문을 해 주세요.", "refusal"),
        ("저는 인공지능 언어 모델로서 의견이 없습니다. 다른 것을 물어봐 주세요.", "refusal"),
        (f"{GOOD}<|im_end|>", "leftovers"),
        (f"### Response: {GOOD}", "leftovers"),
        ("Dear [Your Name], thank you for the bicycle that you sent us last week.", "leftovers"),
        ("Here is the rewritten prompt: explain how a bicycle stays upright, please.", "leftovers"),
        (GOOD[:-9], "unfinished"),
        (f"{GOOD}\n```python\nx = 1", "unfinished"),
    ],
)
def test_each_rule_sees_the_fault_it_is_for(text: str, part: str) -> None:
    rules = Rules(text="t")
    rows = batch(t=[text, GOOD])
    broken, good = rules.parts(rows)[part]
    assert broken > 0.5 > good
    scores = rules.score(rows)
    assert scores[0] < scores[1]


def test_rules_score_length_and_say_unknown_where_there_is_no_text() -> None:
    rules = Rules(text="t", low=10, high=100)
    lengths = rules.parts(batch(t=["", "abcde", "a" * 50, "a" * 250, "a" * 900, None]))["length"]
    assert same(lengths, [0, 0.5, 1, 0.5, 0, None])
    assert np.isnan(rules.score(batch(t=pa.array([None], pa.string()))))[0]
    only = Rules(text="t", weights={"length": 2.0}).score(batch(t=["a" * 50]))
    assert same(only, [2])
    for wrong in ({"low": 0}, {"low": 9, "high": 3}, {"weights": {"lenght": 1}}):
        with pytest.raises(SettingError):
            Rules(text="t", **wrong)  # type: ignore[arg-type]


# Trust


def test_the_most_trusted_scorer_that_sees_a_difference_decides() -> None:
    check = Verified(check=ExactAnswer(expected="right"), column="a")
    judge = Weighted(weights={"judge": 1.0})
    model = Weighted(weights={"model": 1.0}, trust="reward model")
    first = batch(a=["4", "4", "5", "4"], right=["4", "4", "4", None], judge=[0, 1, 1, 1],
                  model=[0, 0, 2, None])  # fmt: skip
    second = batch(a=["5", "4", "5", "4"], right=["4", "4", "4", None], judge=[9, 0, 2, 1],
                   model=[9, 1, 2, 3])  # fmt: skip
    found = prefer(first, second, [judge, check, model])
    assert found.choice.tolist() == [1, -1, -1, 0]
    assert found.by == ("verified", "weighted", "weighted", None)
    assert prefer(second, first, [judge, check, model]).choice.tolist() == [-1, 1, 1, 0]
    assert prefer(first, second, [judge], margin=1).choice.tolist() == [-1, 0, 0, 0]
    with pytest.raises(DataError, match="paired"):
        prefer(first, second.slice(1), [judge])


def test_where_lower_is_better_the_lower_wins() -> None:
    class Perplexity(Scorer):
        name = "perplexity"
        trust = "model itself"
        higher_is_better = False

        def score(self, rows: pa.RecordBatch) -> np.ndarray:
            return np.array(rows.column("p").to_pylist(), dtype=float)

    assert prefer(batch(p=[1.0]), batch(p=[2.0]), [Perplexity()]).choice.tolist() == [1]


# Agreement


def test_kappa_is_that_of_the_textbook() -> None:
    """Two readers of 50 grant applications, 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: 0.4."""
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    found = agreement(first, second)
    assert found.share == pytest.approx(0.7) and found.kappa == pytest.approx(0.4)
    assert found.count == 50 and found.share_low < 0.7 < found.share_high


def test_kappa_agrees_with_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(5)
    for classes in (2, 3, 5):
        a = rng.integers(0, classes, 300)
        b = np.where(rng.random(300) < 0.6, a, rng.integers(0, classes, 300))
        wanted = metrics.cohen_kappa_score(a, b)
        assert agreement(a.tolist(), b.tolist()).kappa == pytest.approx(wanted)


def test_the_interval_of_kappa_holds_as_often_as_it_says() -> None:
    """95% of 1,500 samples, within 4 standard errors; an interval half as wide would fail."""
    rng = np.random.default_rng(11)
    true = 0.6  # a copies b with this chance, else draws from the same marginals
    hits = narrow = 0
    for _ in range(1500):
        a = rng.random(150) < 0.3
        b = np.where(rng.random(150) < true, a, rng.random(150) < 0.3)
        found = agreement(a.tolist(), b.tolist())
        hits += found.kappa_low <= true <= found.kappa_high
        half = (found.kappa_high - found.kappa_low) / 4
        narrow += abs(found.kappa - true) <= half
    error = 4 * math.sqrt(0.95 * 0.05 / 1500)
    assert abs(hits / 1500 - 0.95) < error + 0.005
    assert narrow / 1500 < 0.95 - error


def test_agreement_leaves_out_what_was_not_judged_and_says_when_nothing_is_left() -> None:
    assert agreement([1, None, 2, math.nan], [1, 1, 2, 3]).count == 2
    nothing = agreement([None], [1])
    assert nothing.count == 0 and math.isnan(nothing.share) and math.isnan(nothing.kappa)
    assert math.isnan(agreement([1, 1], [1, 1]).kappa)  # one verdict only: chance explains all
    assert agreement([1, 2], [1, 2]).kappa == 1.0 and agreement([1, 2], [2, 1]).kappa == -1.0
    with pytest.raises(DataError):
        agreement([1], [1, 2])


def test_only_pairs_with_one_winner_in_both_orders_are_kept() -> None:
    found = swapped([1, 1, 0, 0, 0.5, None, True], [1, 0, 0, 1, 1, 1, True])
    assert found.kept.tolist() == [True, False, True, False, False, False, True]
    assert found.a_wins[found.kept].tolist() == [True, False, True]
    assert found.share == pytest.approx(3 / 7) and found.turned == 2
    assert found.first_place == 0.5
    always_first = swapped([1] * 9, [0] * 9)  # a judge who only sees the place
    assert not always_first.kept.any() and always_first.first_place == 1.0
    assert math.isnan(swapped([], []).share)
    with pytest.raises(DataError):
        swapped([1], [])


# Reward models behind an address, and in a folder


def length(text: str) -> float:
    """What the server below thinks of a text."""
    return len(text) / 10


def answer(path: str, body: dict[str, Any]) -> Any:
    """Text Embeddings Inference, vLLM and the plain form, as their documentation has them."""
    if path == "/predict":
        return [
            [{"score": length(parts[-1]), "label": "LABEL_1"}, {"score": -1.0, "label": "LABEL_0"}]
            for parts in body["inputs"]
        ]
    if path == "/v1/classify":
        data = [
            {"index": i, "label": "x", "probs": [length(t)], "num_classes": 1}
            for i, t in enumerate(body["input"])
        ]
        return {"object": "list", "data": data[::-1]}
    if path == "/pooling":
        return {"data": [{"index": i, "data": [length(t)]} for i, t in enumerate(body["input"])]}
    if path == "/score":
        return {"data": [{"index": i, "score": length(t)} for i, t in enumerate(body["text_2"])]}
    return {"scores": [None if t == "?" else length(t) for t in body["texts"]]}


@pytest.fixture
def server() -> Iterator[tuple[str, list[dict[str, Any]], list[Callable[[], tuple[int, bytes]]]]]:
    """(address, what was asked, answers to give first instead of the right one)."""
    asked: list[dict[str, Any]] = []
    first: list[Callable[[], tuple[int, bytes]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append({"path": self.path, "key": self.headers["Authorization"], **body})
            if first:
                status, content = first.pop(0)()
            else:
                status, content = 200, json.dumps(answer(self.path, body)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}", asked, first
    running.shutdown()
    running.server_close()


@pytest.mark.parametrize(
    ("path", "settings"),
    [
        ("/predict", {"label": 1}),
        ("/v1/classify", {"model": "m"}),
        ("/pooling", {"model": "m"}),
        ("/mine", {}),
    ],
)
def test_a_server_is_asked_in_its_own_form(server: Any, path: str, settings: Any) -> None:
    address, asked, _ = server
    rows = batch(t=["a" * 10, "", None, "b" * 30, "c" * 20])
    scorer = RewardModel(source=address + path, text="t", batch=2, **settings)
    assert same(scorer.score(rows), [1, None, None, 3, 2])
    assert len(asked) == 2 and asked[0].get("model") == settings.get("model")


def test_a_prompt_goes_along_as_the_server_wants_it(server: Any) -> None:
    address, asked, _ = server
    rows = batch(q=["why", None], t=["b" * 10, "x"])
    settings: dict[str, Any] = {"text": "t", "prompt": "q"}
    assert same(RewardModel(source=f"{address}/score", **settings).score(rows), [1, None])
    RewardModel(source=f"{address}/predict", label=1, **settings).score(rows)
    RewardModel(source=address, **settings).score(rows)
    assert asked[0]["text_1"] == ["why"]
    assert asked[1]["inputs"] == [["why", "b" * 10]]
    assert asked[2]["texts"] == ["why\n\n" + "b" * 10]
    with pytest.raises(SettingError, match="pairs"):
        RewardModel(source=f"{address}/score", text="t").score(rows)


def test_a_busy_server_is_asked_again_and_a_score_it_withholds_is_unknown(server: Any) -> None:
    address, asked, first = server
    first += [lambda: (429, b"slow down"), lambda: (503, b"starting")]
    found = RewardModel(source=address, text="t").score(batch(t=["a" * 10, "?"]))
    assert same(found, [1, None]) and len(asked) == 3


def test_the_key_comes_from_the_environment(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    address, asked, _ = server
    monkeypatch.setenv("REWARD_KEY", "sesame")
    scorer = RewardModel(source=address, text="t", key="REWARD_KEY")
    scorer.score(batch(t=["a"]))
    assert asked[0]["key"] == "Bearer sesame" and "sesame" not in repr(scorer)
    with pytest.raises(SettingError, match="no variable"):
        RewardModel(source=address, text="t", key="NO_SUCH_KEY").score(batch(t=["a"]))


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ((401, b"who are you"), ConnectionFailed, "401"),
        ((200, b"<html>"), DataError, "JSON"),
        ((200, b'{"scores": [1, 2]}'), DataError, "for 1 texts"),
        ((200, b'{"other": 1}'), DataError, "not known"),
        ((200, b"[]"), DataError, "not known"),
        ((200, b'"x"'), DataError, "not known"),
        ((200, b'{"scores": [[0.1, 0.9]]}'), SettingError, "2 classes"),
    ],
)
def test_an_answer_that_makes_no_sense_is_an_error(
    server: Any, given: tuple[int, bytes], error: type[GeurimError], words: str
) -> None:
    address, _, first = server
    first.append(lambda: given)
    with pytest.raises(error, match=words):
        RewardModel(source=address, text="t").score(batch(t=["a"]))


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    with pytest.raises(ConnectionFailed, match=r"127\.0\.0\.1") as error:
        RewardModel(source="http://me:hunter2@127.0.0.1:9/x", text="t", timeout_s=1).score(
            batch(t=["a"])
        )
    assert "hunter2" not in str(error.value)


def test_settings_out_of_range_are_refused() -> None:
    for wrong in ({"batch": 0}, {"timeout_s": 0}):
        with pytest.raises(SettingError, match="out of range"):
            RewardModel(source="x", text="t", **wrong)  # type: ignore[arg-type]


def test_a_folder_of_transformers_gives_its_logit(tmp_path: Path) -> None:
    """A model with random weights: its scores are those that transformers computes by itself."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "answer", "why"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    tokenizer = transformers.BertTokenizerFast(str(tmp_path / "vocab.txt"))
    torch.manual_seed(0)
    model = transformers.BertForSequenceClassification(
        transformers.BertConfig(
            vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=16, max_position_embeddings=64, num_labels=1,
        )
    ).eval()  # fmt: skip
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    rows = batch(q=["why", "why"], t=["good answer", "bad"])
    found = RewardModel(source=str(tmp_path / "model"), text="t", prompt="q").score(rows)
    for place, text in enumerate(("good answer", "bad")):
        with torch.inference_mode():
            wanted = model(**tokenizer("why", text, return_tensors="pt")).logits.item()
        assert found[place] == pytest.approx(wanted, abs=1e-5)
    assert found[0] != found[1]


def test_a_folder_needs_an_extra_that_the_error_names(tmp_path: Path) -> None:
    scorer = RewardModel(source=str(tmp_path / "none"), text="t")
    with pytest.raises(GeurimError, match=r"geurim\[reward\]|No reward model"):
        scorer.score(batch(t=["a"]))
