import importlib
from typing import Any

import numpy as np
import pytest
from judging import dropped, reasons

from geurim.curate import SemanticDuplicates
from geurim.curate.semantic import THRESHOLDS
from geurim.errors import DataError, MissingExtra, SettingError


def embedder(texts: list[str]) -> np.ndarray:
    """Two numbers in the text itself: the direction of its vector, in degrees."""
    degrees = np.radians([float(t.split()[-1]) for t in texts])
    return np.stack([np.cos(degrees), np.sin(degrees)], axis=1) * 7


def test_the_closest_kept_text_decides() -> None:
    step = SemanticDuplicates(thresholds={"ko": 0.99, "other": 0.9}, embedder=embedder)
    texts = ["a 0", "b 30", "c 20", "d 55", "e 41", None]
    truth, kept = [], []
    for i, text in enumerate(texts[:-1]):
        degree = float(str(text).split()[-1])
        if any(np.cos(np.radians(degree - k)) >= 0.9 for k in kept):
            truth.append(i)
        else:
            kept.append(degree)
    assert truth == [2, 3, 4]
    assert dropped(step, texts) == dropped(step, texts, batch=1) == truth
    assert reasons(step, texts)[2] == "Cosine 0.985 to an earlier row (limit 0.9)."


def test_languages_have_thresholds_of_their_own_and_are_not_compared() -> None:
    step = SemanticDuplicates(thresholds={"ko": 0.99, "other": 0.9}, embedder=embedder)
    assert dropped(step, ["가나다 0", "라마바 20", "abc 0", "def 20"]) == [3]


def test_the_embedded_model_tells_a_paraphrase_from_another_sentence() -> None:
    texts = [
        "무엇보다도 호스트분들이 너무 친절하셨습니다.",
        "무엇보다도, 호스트들은 매우 친절했습니다.",
        "내일 오전에 비가 올 예정이니 우산을 챙기세요.",
        "How do I reset my password?",
        "How can I reset my password?",
        "The weather in Seoul is cold in winter.",
    ]
    assert dropped(SemanticDuplicates(), texts) == [1, 4]
    assert set(THRESHOLDS) == {"ko", "other"}


def test_many_batches_are_as_one() -> None:
    rng = np.random.default_rng(0)
    texts = [f"t {d:.3f}" for d in rng.uniform(0, 360, 700)]
    step = SemanticDuplicates(thresholds={"ko": 0.9999, "other": 0.9999}, embedder=embedder)
    assert 100 < len(dropped(step, texts)) < 650
    assert dropped(step, texts, batch=33) == dropped(step, texts)


def test_a_broken_embedder_is_refused() -> None:
    for broken in (lambda t: np.zeros(len(t)), lambda t: np.full((len(t), 3), np.nan)):
        with pytest.raises(DataError, match="one row of numbers"):
            dropped(SemanticDuplicates(embedder=broken), ["a"])
    width = iter([2, 3])
    with pytest.raises(DataError, match="after 2"):
        dropped(
            SemanticDuplicates(embedder=lambda t: np.ones((len(t), next(width)))),
            ["a", "b"],
            batch=1,
        )
    with pytest.raises(SettingError):
        SemanticDuplicates(thresholds={"ko": 0.9})
    with pytest.raises(SettingError):
        SemanticDuplicates(thresholds={"ko": 0.9, "other": 95.0})


def test_a_missing_model_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from geurim.curate import semantic

    def without(name: str, *rest: Any) -> Any:
        raise ModuleNotFoundError(name)

    semantic._e5.cache_clear()
    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(MissingExtra, match=r"geurim\[text\]"):
        dropped(SemanticDuplicates(), ["a"])
