"""Scores: one small contract for verifiers, reward models, judges and rules.

A scorer looks at a batch of rows and gives one number a row, NaN where it cannot judge. Some are
trusted more than others: what was verified counts before what a reward model thinks, and that
before a judge's opinion (`TRUST`, `prefer`). Numbers of different scorers are never blended.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa

from geurim.errors import DataError, SettingError
from geurim.generators.text.agreement import Agreement, Swapped, agreement, swapped
from geurim.generators.text.checks import Check, Unjudged, text_of
from geurim.generators.text.replies import parse_choice, parse_score
from geurim.generators.text.reward import rewards

__all__ = [
    "HELPSTEER_WEIGHTS",
    "TRUST",
    "Agreement",
    "InstructionFollowingDifficulty",
    "LogProb",
    "Preferred",
    "RewardModel",
    "Scorer",
    "Swapped",
    "Verified",
    "Weighted",
    "agreement",
    "parse_choice",
    "parse_score",
    "prefer",
    "swapped",
    "texts_of",
]

Trust = Literal["verifier", "reward model", "judge", "model itself", "rules"]
TRUST: tuple[Trust, ...] = ("verifier", "reward model", "judge", "model itself", "rules")
"""Whose word counts first, where several scorers judge the same pair."""

HELPSTEER_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "helpfulness": 0.3,
        "correctness": 0.74,
        "coherence": 0.46,
        "complexity": 0.47,
        "verbosity": -0.33,
    }
)
"""The weights of the five HelpSteer attributes (0 to 4) in Nemotron-4 340B's reward."""

LogProbability = Callable[[str, str], float | None]
"""(text, given) -> the mean natural log-probability of a token of `text` after `given`."""


class Scorer(abc.ABC):
    """Settings of one score; subclasses are frozen keyword-only dataclasses."""

    name: ClassVar[str]
    trust: Trust
    higher_is_better: ClassVar[bool] = True

    @abc.abstractmethod
    def score(self, rows: pa.RecordBatch) -> np.ndarray:
        """(N,) float64, one number a row; NaN where the row cannot be judged."""


def texts_of(setting: str, rows: pa.RecordBatch) -> list[str | None]:
    """(N,) the text a setting names in each row, by column, template or itself; None: not there."""
    if setting in rows.schema.names and pa.types.is_string(rows.schema.field(setting).type):
        found: list[str | None] = rows.column(setting).to_pylist()
        return found
    return [_text_or_none(setting, row) for row in rows.to_pylist()]


def _text_or_none(setting: str, row: Mapping[str, Any]) -> str | None:
    try:
        return text_of(setting, row)
    except Unjudged:
        return None


@dataclass(frozen=True, kw_only=True)
class Verified(Scorer):
    """1 where a check passes, 0 where it does not, NaN where the row lacks what it needs."""

    name: ClassVar[str] = "verified"
    trust: Trust = field(default="verifier", init=False)
    check: Check
    column: str

    def score(self, rows: pa.RecordBatch) -> np.ndarray:
        _known(rows, self.column)
        return np.array([self._one(row) for row in rows.to_pylist()], dtype=float)

    def _one(self, row: Mapping[str, Any]) -> float:
        value = row[self.column]
        if value is None:
            return math.nan
        try:
            return float(self.check.problem(value, row) is None)
        except Unjudged:
            return math.nan
        except DataError:  # the value itself is at fault
            return 0.0


@dataclass(frozen=True, kw_only=True)
class RewardModel(Scorer):
    """The score a sequence-classification model gives to a text, or to an answer to a prompt.

    `source`: a folder (or name) that `transformers` loads, or an HTTP address. What is asked there
    follows from the end of the address: /predict (Text Embeddings Inference), /classify, /score or
    /pooling (vLLM, SGLang), and for any other `{"texts": […]}`, answered by `{"scores": […]}`.
    `text` and `prompt` are columns or templates. `label` is needed where the model has several
    classes. `key` names the environment variable that holds the server's key.
    """

    name: ClassVar[str] = "reward_model"
    trust: Trust = field(default="reward model", init=False)
    source: str
    text: str
    prompt: str | None = None
    model: str | None = None  # the name a server knows it by
    label: int | None = None  # index of the class whose score counts
    key: str | None = None
    batch: int = 16
    timeout_s: float = 60.0

    def __post_init__(self) -> None:
        if not 1 <= self.batch <= 1024:
            raise SettingError(f"batch out of range: {self.batch}. Give 1 to 1024.")
        if not 0 < self.timeout_s <= 3600:
            raise SettingError(f"timeout_s out of range: {self.timeout_s}. Give up to 3600.")

    def score(self, rows: pa.RecordBatch) -> np.ndarray:
        texts = texts_of(self.text, rows)
        prompts = texts_of(self.prompt, rows) if self.prompt else [""] * len(texts)
        scores = np.full(len(texts), np.nan)
        pairs = [(p, t) for p, t in zip(prompts, texts, strict=True)]
        asked = [i for i, (p, t) in enumerate(pairs) if p is not None and t]
        for start in range(0, len(asked), self.batch):
            places = asked[start : start + self.batch]
            given = [(pairs[i][0] or None, pairs[i][1] or "") for i in places]
            scores[places] = rewards(
                self.source,
                given,
                model=self.model,
                label=self.label,
                key=self.key,
                timeout_s=self.timeout_s,
            )
        return scores


@dataclass(frozen=True, kw_only=True)
class Weighted(Scorer):
    """A weighted sum of columns that hold attributes; NaN where one of them is missing."""

    name: ClassVar[str] = "weighted"
    trust: Trust = "judge"  # "reward model" where a model gave the attributes
    weights: Mapping[str, float] = field(default_factory=lambda: HELPSTEER_WEIGHTS)

    def __post_init__(self) -> None:
        if not self.weights or not all(math.isfinite(w) for w in self.weights.values()):
            raise SettingError(f"Not weights of columns: {dict(self.weights)}. Give finite ones.")
        if self.trust not in TRUST:
            raise SettingError(f"Unknown trust: {self.trust!r}. Choose one of: {', '.join(TRUST)}.")

    def score(self, rows: pa.RecordBatch) -> np.ndarray:
        total = np.zeros(rows.num_rows)
        for column, weight in self.weights.items():
            _known(rows, column)
            values = rows.column(column).cast(pa.float64()).to_numpy(zero_copy_only=False)
            total = total + weight * values
        return total


@dataclass(frozen=True, kw_only=True)
class LogProb(Scorer):
    """How likely a model finds a text: the mean log-probability of its tokens, at most 0.

    High for the fluent, and for the dull and repeated as well: use it to drop the lowest, not to
    keep the highest.
    """

    name: ClassVar[str] = "log_prob"
    trust: Trust = field(default="model itself", init=False)
    logprob: LogProbability
    text: str
    given: str | None = None

    def score(self, rows: pa.RecordBatch) -> np.ndarray:
        texts = texts_of(self.text, rows)
        given = texts_of(self.given, rows) if self.given else [""] * len(texts)
        return np.array(
            [_mean_log(self.logprob, t, g) for t, g in zip(texts, given, strict=True)], dtype=float
        )


def _mean_log(logprob: LogProbability, text: str | None, given: str | None) -> float:
    if not text or given is None:
        return math.nan
    value = logprob(text, given)
    return math.nan if value is None else float(value)


@dataclass(frozen=True, kw_only=True)
class InstructionFollowingDifficulty(Scorer):
    """How little the instruction helps a model to the answer: IFD.

    ratio="perplexity": perplexity of the answer with the instruction, over that without (Li et al.
    2024, Superfiltering). ratio="loss": the same of mean losses (Li et al. 2023, From Quantity to
    Quality, section 2). Near 1: hard, and worth training on; small: easy. Above 1 the instruction
    makes the answer less likely, so they do not belong together: NaN, unless `misaligned`.
    """

    name: ClassVar[str] = "ifd"
    trust: Trust = field(default="model itself", init=False)
    logprob: LogProbability
    instruction: str
    answer: str
    ratio: Literal["perplexity", "loss"] = "perplexity"
    misaligned: bool = False

    def __post_init__(self) -> None:
        if self.ratio not in ("perplexity", "loss"):
            raise SettingError(f"Unknown ratio: {self.ratio!r}. Give perplexity or loss.")

    def score(self, rows: pa.RecordBatch) -> np.ndarray:
        answers = texts_of(self.answer, rows)
        told = texts_of(self.instruction, rows)
        with_it = [_mean_log(self.logprob, a, q) for a, q in zip(answers, told, strict=True)]
        without = [_mean_log(self.logprob, a, "") for a in answers]
        conditioned, direct = np.array(with_it, dtype=float), np.array(without, dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.ratio == "loss":
                scores = np.where(direct < 0, conditioned / direct, np.nan)
            else:
                scores = np.exp(direct - conditioned)
        return scores if self.misaligned else np.where(scores > 1, np.nan, scores)


@dataclass(frozen=True, kw_only=True)
class Preferred:
    """Which of two answers is better, row by row."""

    choice: np.ndarray  # (N,) 1: the first, -1: the second, 0: nobody could tell
    by: tuple[str | None, ...]  # (N,) name of the scorer that decided


def prefer(
    first: pa.RecordBatch, second: pa.RecordBatch, scorers: Sequence[Scorer], *, margin: float = 0.0
) -> Preferred:
    """Compare two batches row by row: the most trusted scorer that sees a difference decides.

    A scorer sees none where it cannot judge one of the two, or where they differ by `margin` or
    less. Scorers of equal trust are asked in the order given. Each is only asked about the pairs
    that are still open.
    """
    if first.num_rows != second.num_rows:
        raise DataError(f"{first.num_rows} rows cannot be paired with {second.num_rows}.")
    choice = np.zeros(first.num_rows, dtype=np.int8)
    by: list[str | None] = [None] * first.num_rows
    for scorer in sorted(scorers, key=lambda s: TRUST.index(s.trust)):
        left = np.flatnonzero(choice == 0)
        if not len(left):
            break
        gap = scorer.score(first.take(pa.array(left))) - scorer.score(second.take(pa.array(left)))
        sign = np.where(np.abs(gap) > margin, np.sign(gap), 0)  # NaN is not greater
        decided = np.where(np.isnan(gap), 0, sign) * (1 if scorer.higher_is_better else -1)
        choice[left] = decided.astype(np.int8)
        for place in left[decided != 0]:
            by[place] = scorer.name
    return Preferred(choice=choice, by=tuple(by))


def _known(rows: pa.RecordBatch, column: str) -> None:
    if column not in rows.schema.names:
        raise SettingError(
            f"No column {column!r} to score. Choose one of: {', '.join(rows.schema.names)}."
        )
