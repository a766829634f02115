"""The statistics of a blind review: accuracy, agreement, and which columns gave rows away."""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from geurim.contract import Finding, Json
from geurim.errors import DataError, NotFound, SettingError
from geurim.verify import stats
from geurim.verify.report import strict, write_text

ID, ANSWER, GIVEAWAYS, NOTE = "review_id", "review_answer", "review_giveaways", "review_note"
WORDS: Mapping[str, bool] = {
    **dict.fromkeys(("synthetic", "s", "fake", "합성", "가짜"), True),
    **dict.fromkeys(("real", "r", "실제", "진짜"), False),
}
"""What an answer may be -> whether it says synthetic."""

LEAST = 5  # rows that agreement rests on


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share of answers with its 95% interval."""

    value: float
    low: float
    high: float
    count: int


@dataclass(frozen=True, kw_only=True)
class Reviewer:
    """How one reviewer did."""

    name: str
    accuracy: Share
    found: Share  # of the synthetic rows, called synthetic
    wronged: Share  # of the real rows, called synthetic
    unanswered: int


@dataclass(frozen=True, kw_only=True)
class Giveaway:
    """A column that reviewers named: how often, and how often on a synthetic row rightly called."""

    column: str
    named: int
    right: int


@dataclass(frozen=True, kw_only=True)
class Review:
    """What came back from a blind review."""

    reviewers: tuple[Reviewer, ...]
    accuracy: Share  # of all answers; the interval counts rows, which all reviewers saw
    agreement: (
        Share | None
    )  # Cohen's kappa of two reviewers, Fleiss' of more; None: nothing to tell
    giveaways: tuple[Giveaway, ...]  # most often named first
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> str:
        """The verdict on the accuracy of all answers."""
        return self.findings[0].verdict

    def summary(self) -> list[str]:
        """The lines for a screen."""
        from geurim.html import percent
        from geurim.verify.report import WORDS as SAID

        lines = [f"Verdict: {SAID[self.findings[0].verdict]}", f"  {self.findings[0].text}"]
        for r in self.reviewers:
            a = r.accuracy
            lines.append(
                f"  {r.name}: {percent(a.value)} right of {a.count} "
                f"({percent(a.low)} to {percent(a.high)}); called synthetic: "
                f"{percent(r.found.value)} of the synthetic, {percent(r.wronged.value)} of the real"
                f" rows" + (f"; {r.unanswered} unanswered" if r.unanswered else "")
            )
        if self.agreement is not None:
            k = self.agreement
            lines.append(
                f"  Agreement (kappa; 1 full, 0 as by chance): {k.value:.2f} "
                f"({k.low:.2f} to {k.high:.2f}) on {k.count} rows"
            )
        for g in self.giveaways[:8]:
            lines.append(
                f"  Gave rows away: {g.column!r}, named {g.named} times, {g.right} rightly"
            )
        return lines

    def to_json(self) -> dict[str, Json]:
        """Everything, as strict JSON values."""
        return dict(strict({"format": "geurim-review", "version": 1, **asdict(self)}))

    def save_json(self, path: str | Path) -> None:
        """Write it as JSON; the file appears complete or not at all."""
        write_text(Path(path), json.dumps(self.to_json(), ensure_ascii=False, indent=1))


@dataclass(frozen=True)
class _Answer:
    synthetic: bool
    giveaways: tuple[str, ...]


def score(answers: Sequence[str | Path] | str | Path, key: str | Path) -> Review:
    """The statistics of the answers in CSV files, one a reviewer, by the key of `prepare`.

    Columns `review_id` and `review_answer` ("real" or "synthetic"; what is empty is unanswered),
    and perhaps `review_giveaways`, names of columns with semicolons between. Intervals are 95%
    (Wilson's); that of all answers together counts the rows, for reviewers who see the same row err
    together. Kappa's is the jackknife's over rows. Raises NotFound, DataError (an unknown row or
    answer, a row answered twice, no answer at all).
    """
    truth, columns = _read_key(Path(key))
    paths = [Path(p) for p in ([answers] if isinstance(answers, (str, Path)) else answers)]
    if not paths:
        raise SettingError("No file of answers was given. Give one a reviewer.")
    sheets = [_read_answers(p, truth, columns) for p in paths]
    names = _names(paths)
    found = tuple(_reviewer(name, sheet, truth) for name, sheet in zip(names, sheets, strict=True))
    accuracy = _pooled(sheets, truth)
    return Review(
        reviewers=found,
        accuracy=accuracy,
        agreement=_agreement(sheets),
        giveaways=_giveaways(sheets, truth),
        findings=(_finding(accuracy, len(found)),),
    )


def _read_key(path: Path) -> tuple[dict[str, bool], list[str]]:
    try:
        state = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise NotFound(f"There is no key {str(path)!r}. Give the one that was kept.") from error
    except ValueError as error:
        raise DataError(f"{str(path)!r} is not JSON: {error}. Give the key of a review.") from error
    if not isinstance(state, dict) or state.get("format") != "geurim-review-key":
        raise DataError(f"{str(path)!r} is not the key of a review. Give the one that was kept.")
    return {i: kind == "synthetic" for i, kind in state["rows"].items()}, list(state["columns"])


def _read_answers(path: Path, truth: Mapping[str, bool], columns: list[str]) -> dict[str, _Answer]:
    """The answers of a file by row."""
    found: dict[str, _Answer] = {}
    for number, row in enumerate(_lines(path), 2):
        name = (row.get(ID) or "").strip()
        word = (row.get(ANSWER) or "").strip().lower()
        if not name and not word:
            continue
        where = f"{path.name}, line {number}"
        if name not in truth:
            raise DataError(
                f"{where}: the row {name!r} is not in the key. Give the key of this review."
            )
        if word and word not in WORDS:
            raise DataError(
                f"{where}: the answer is {word!r}. Write real or synthetic, or nothing."
            )
        if name in found:
            raise DataError(
                f"{where}: the row {name!r} was answered before. Keep one of the answers."
            )
        named = [c.strip() for c in (row.get(GIVEAWAYS) or "").split(";") if c.strip()]
        known = {c.strip().lower(): c for c in columns}
        if word:
            told = tuple(dict.fromkeys(known.get(c.lower(), c) for c in named))
            found[name] = _Answer(WORDS[word], told)
    if not found:
        raise DataError(f"{path.name} holds no answer. Fill in its column {ANSWER}.")
    return found


def _lines(path: Path) -> Iterator[Mapping[str, str | None]]:
    """The lines of a CSV file as spreadsheets write it: comma, semicolon, tab; UTF-8, CP949."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"There is no file of answers {str(path)!r}. Check the path.") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp949", "replace")
    head = text.partition("\n")[0]
    separator = max(",;\t", key=head.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    missing = [c for c in (ID, ANSWER) if c not in (reader.fieldnames or ())]
    if missing:
        raise DataError(
            f"{path.name} has no column {' and '.join(missing)}. Give a file of answers: the CSV "
            "file that was handed out, filled in, or the one that the form saved."
        )
    yield from reader


def _names(paths: Sequence[Path]) -> list[str]:
    stems = Counter(p.stem for p in paths)
    return [p.stem if stems[p.stem] == 1 else str(p) for p in paths]


def _share(hits: float, count: float) -> Share:
    low, high = stats.wilson(hits, count)
    return Share(value=hits / count if count else math.nan, low=low, high=high, count=int(count))


def _reviewer(name: str, sheet: Mapping[str, _Answer], truth: Mapping[str, bool]) -> Reviewer:
    made = [a.synthetic for i, a in sheet.items() if truth[i]]
    real = [a.synthetic for i, a in sheet.items() if not truth[i]]
    right = sum(made) + len(real) - sum(real)
    return Reviewer(
        name=name,
        accuracy=_share(right, len(sheet)),
        found=_share(sum(made), len(made)),
        wronged=_share(sum(real), len(real)),
        unanswered=len(truth) - len(sheet),
    )


def _pooled(sheets: Sequence[Mapping[str, _Answer]], truth: Mapping[str, bool]) -> Share:
    """The share of right answers, with the interval of rows that are seen several times."""
    counts = np.array([sum(i in s for s in sheets) for i in truth])
    right = np.array(
        [sum(i in s and s[i].synthetic == made for s in sheets) for i, made in truth.items()]
    )
    return pooled(right[counts > 0], counts[counts > 0])


def pooled(right: np.ndarray, counts: np.ndarray) -> Share:
    """Right answers (N,) of so many (N,) by row. Wilson's interval at the effective number.

    The effective number of answers is that whose binomial variance is the one between rows
    (Kish 1965): from the number of rows to the number of answers.
    """
    rows, total = len(counts), int(counts.sum())
    value = float(right.sum() / total)
    spread = float(((right - value * counts) ** 2).sum()) / total**2 * rows / max(rows - 1, 1)
    effective = value * (1 - value) / spread if spread > 0 else float(rows)
    effective = min(max(effective, min(rows, total) / counts.max()), total)
    low, high = stats.wilson(value * effective, effective)
    return Share(value=value, low=low, high=high, count=total)


def _agreement(sheets: Sequence[Mapping[str, _Answer]]) -> Share | None:
    """Kappa over the rows that all reviewers answered; None where there is nothing to tell."""
    if len(sheets) < 2:
        return None
    common = [i for i in sheets[0] if all(i in s for s in sheets)]
    said = np.array([[s[i].synthetic for s in sheets] for i in common], int).reshape(
        -1, len(sheets)
    )
    kappa = cohen if len(sheets) == 2 else fleiss
    if len(said) < LEAST or math.isnan(value := kappa(said)):
        return None
    left = np.array([kappa(np.delete(said, i, axis=0)) for i in range(len(said))])
    half = stats.Z * float(stats.jackknife_error(np.nan_to_num(left, nan=value)))
    return Share(
        value=value, low=max(-1.0, value - half), high=min(1.0, value + half), count=len(said)
    )


def cohen(said: np.ndarray) -> float:
    """Kappa of two reviewers: categories (N, 2). Cohen 1960; NaN where only one was said."""
    kinds = np.unique(said)
    agreed = float((said[:, 0] == said[:, 1]).mean())
    chance = sum(float((said[:, 0] == k).mean() * (said[:, 1] == k).mean()) for k in kinds)
    return math.nan if chance >= 1 else (agreed - chance) / (1 - chance)


def fleiss(said: np.ndarray) -> float:
    """Kappa of several reviewers: categories (N, R). Fleiss 1971; NaN where only one was said."""
    counts = np.stack([(said == k).sum(axis=1) for k in np.unique(said)], axis=1)
    reviewers = said.shape[1]
    agreed = float(((counts**2).sum(axis=1) - reviewers).mean() / (reviewers * (reviewers - 1)))
    chance = float(((counts.sum(axis=0) / said.size) ** 2).sum())
    return math.nan if chance >= 1 else (agreed - chance) / (1 - chance)


def _giveaways(
    sheets: Sequence[Mapping[str, _Answer]], truth: Mapping[str, bool]
) -> tuple[Giveaway, ...]:
    named: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for sheet in sheets:
        for i, answer in sheet.items():
            named.update(answer.giveaways)
            if truth[i] and answer.synthetic:
                right.update(answer.giveaways)
    ranked = sorted(named, key=lambda c: (-right[c], -named[c], c))
    return tuple(Giveaway(column=c, named=named[c], right=right[c]) for c in ranked)


def _finding(accuracy: Share, reviewers: int) -> Finding:
    from geurim.html import percent
    from geurim.verify.verdict import judge

    away = abs(accuracy.value - 0.5)
    low = away - (
        accuracy.value - accuracy.low if accuracy.value >= 0.5 else accuracy.high - accuracy.value
    )
    high = away + (
        accuracy.high - accuracy.value if accuracy.value >= 0.5 else accuracy.value - accuracy.low
    )
    below = " They tell them apart, but take one for the other." if accuracy.high < 0.5 else ""
    who = "1 reviewer" if reviewers == 1 else f"{reviewers} reviewers"
    return Finding(
        question="faithful",
        name="review_accuracy",
        value=accuracy.value,
        low=accuracy.low,
        high=accuracy.high,
        reference=0.5,
        count=accuracy.count,
        verdict=judge("review_accuracy", away, low, high),
        text=f"{who} told real from synthetic rightly in {percent(accuracy.value)} of "
        f"{accuracy.count:,} answers ({percent(accuracy.low)} to {percent(accuracy.high)}); 50% is "
        f"guessing.{below}",
    )
