"""Rates of noise from real text: chosen so that noised clean text is counted like the real one.

A rate is tied to a measure that it moves. Where kinds do not touch each other the first guess is
the answer: hits that are there stay, and the rest of the places is hit with the rate, so real =
clean + (1 - clean) * rate. Where they do (a register moved into another, a sentence end without
its mark), a few rounds follow: noise with the rates so far, count, and move each rate by what is
missing over what a unit of rate has brought (a secant through rate 0).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from geurim.analyze.prose import describe
from geurim.contract import Json
from geurim.errors import DataError, SettingError
from geurim.noise.kinds import listed
from geurim.noise.noise import Language, Noise

TEXTS = 5_000  # clean texts noised in a round
FEWEST = 30  # units a measure must rest on, in the real texts and in the clean ones
SEEN = 5  # hits that a real rate must rest on

# Which kinds a measure sets, and in what proportion. Slips of the keys share one measure; their
# proportions are an assumption, as no reference tells them apart: half are neighbours of the key.
KEYS = {"key": 0.5, "drop": 0.2, "swap": 0.15, "double": 0.15}
TIES: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    "ko": {
        **{f"register_{r}": {f"to_{r}": 1.0} for r in ("hapsyo", "haeyo", "hae", "plain", "noun")},
        **{
            name: {name: 1.0}
            for name in listed(
                "slang abbreviation loan prefix intensifier repeat misspelling coda vowel "
                "phonetic shift particle_split spaceless cute drawn dots bangs tildes laughter "
                "tears emoticon frown emoji"
            )
        },
        "initials": {"interjection": 1.0},
        "broken": KEYS,
        "split_endings": {"space_extra": 1.0},
        "double_spaces": {"space_doubled": 1.0},
        "spaces": {"space_missing": 1.0},
        "final_marks": {"punctuation_missing": 1.0},
    },
    "en": {
        **{
            name: {name: 1.0}
            for name in listed(
                "abbreviation intensifier repeat misspelling apostrophe lower caps drawn dots "
                "bangs interjection emoticon frown emoji"
            )
        },
        **{f"{kind}_slips": {kind: 1.0} for kind in ("key", "drop", "swap", "double")},
        "double_spaces": {"space_doubled": 1.0},
        "spaces": {"space_missing": 1.0},
        "final_marks": {"punctuation_missing": 1.0},
    },
}
_LOWERS = {"spaces", "final_marks"}  # measures that their kinds make smaller


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measure: real, clean and noised values, the real 95% interval, and the rates it set."""

    measure: str
    unit: str
    real: float
    low: float
    high: float
    clean: float
    noised: float
    rates: Mapping[str, float]
    why_not: str = ""  # why the rate is 0 though the texts differ


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """The noise, and how near it comes, measure by measure."""

    noise: Noise
    rows: tuple[Row, ...]


def fit(
    real: Sequence[str] | pa.StringArray,
    clean: Sequence[str] | pa.StringArray | None = None,
    *,
    rng: np.random.Generator,
    rounds: int = 6,
) -> Fitted:
    """Noise whose measures on `clean` texts are those of `real` ones.

    clean: texts as the noise will get them, a few thousand in the registers they have. None: texts
        without any noise are assumed, the rates are the real measures themselves, and what needs a
        clean side (registers, spacing, missing marks) stays 0.
    rounds: of noising and counting; 1 keeps the closed form.
    A clean text that is noisier than the real ones stays so: noise only adds. Rows say where.
    """
    if rounds < 1:
        raise SettingError(f"rounds={rounds}: give 1 or more.")
    target = describe(real)
    language: Language = target["language"]
    ties = TIES[language]
    if clean is None:
        return _without_clean(target, ties, language)
    texts = list(pa.array(clean, pa.string()).drop_null().to_pylist())
    base = describe(texts, language=language)
    if not base["texts"]:
        raise DataError("No clean texts were given: give a few thousand, or None.")
    if len(texts) > TEXTS:
        texts = [texts[i] for i in np.sort(rng.choice(len(texts), TEXTS, replace=False))]
        base = describe(texts, language=language)
    seed = int(rng.integers(2**63))
    scales, reasons = _first(target, base, ties)
    noised = base
    best, smallest = dict(scales), np.inf
    for i in range(rounds):
        noise = Noise(rates=_rates(scales, ties), language=language)
        noised = describe(noise.apply(texts, np.random.default_rng(seed)), language=language)
        miss = _miss(target, noised, scales)
        if miss < smallest:
            best, smallest = dict(scales), miss
        if i + 1 < rounds:
            scales = _closer(scales, target, base, noised)
    noise = Noise(rates=_rates(best, ties), language=language)
    noised = describe(noise.apply(texts, np.random.default_rng(seed)), language=language)
    return Fitted(noise=noise, rows=_rows(target, base, noised, noise, ties, reasons))


def _value(described: Mapping[str, Any], measure: str) -> float:
    return float(described["rates"][measure]["value"])


def _first(
    target: Mapping[str, Json], base: Mapping[str, Json], ties: Mapping[str, Mapping[str, float]]
) -> tuple[dict[str, float], dict[str, str]]:
    """The closed form, for each measure that noise can bring nearer; and why not for the others."""
    scales: dict[str, float] = {}
    reasons: dict[str, str] = {}
    for measure in ties:
        few = min(target["rates"][measure]["count"], base["rates"][measure]["count"])
        wanted, there = _value(target, measure), _value(base, measure)
        seen = target["rates"][measure]["hits"]
        if few < FEWEST:
            reasons[measure] = f"only {few} places to count"
        elif seen < SEEN:
            reasons[measure] = f"seen {seen} times in the real texts"
        elif measure in _LOWERS:
            if wanted < there:
                scales[measure] = 1 - wanted / there
        elif wanted > there and there < 1:
            scales[measure] = min(1.0, (wanted - there) / (1 - there))
        if measure not in scales and measure not in reasons and wanted != there:
            reasons[measure] = "the clean texts have more of it"
    return scales, reasons


def _rates(
    scales: Mapping[str, float], ties: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    return {
        kind: min(1.0, scale * part)
        for measure, scale in scales.items()
        for kind, part in ties[measure].items()
        if scale > 0
    }


def _closer(
    scales: Mapping[str, float],
    target: Mapping[str, Json],
    base: Mapping[str, Json],
    noised: Mapping[str, Json],
) -> dict[str, float]:
    moved = {}
    for measure, scale in scales.items():
        brought = _value(noised, measure) - _value(base, measure)
        missing = _value(target, measure) - _value(noised, measure)
        sign = -1.0 if measure in _LOWERS else 1.0
        # A kind that brought nothing, or whose gain others ate up, may still move by as much again.
        slope = sign * max(sign * brought / scale, 0.002) if scale > 0 else sign
        moved[measure] = float(np.clip(scale + missing / slope, scale / 4, 4 * scale + 1e-4))
        moved[measure] = min(moved[measure], 1.0)
    return moved


def _miss(
    target: Mapping[str, Json], noised: Mapping[str, Json], scales: Mapping[str, float]
) -> float:
    """The sum of squared misses, in half-widths of the real intervals."""
    total = 0.0
    for measure in scales:
        t = target["rates"][measure]
        half = max((t["high"] - t["low"]) / 2, 1e-6)
        total += min(((_value(noised, measure) - t["value"]) / half) ** 2, 100.0)
    return total


def _rows(
    target: Mapping[str, Json],
    base: Mapping[str, Json],
    noised: Mapping[str, Json],
    noise: Noise,
    ties: Mapping[str, Mapping[str, float]],
    reasons: Mapping[str, str],
) -> tuple[Row, ...]:
    return tuple(
        Row(
            measure=measure,
            unit=target["rates"][measure]["unit"],
            real=_value(target, measure),
            low=target["rates"][measure]["low"],
            high=target["rates"][measure]["high"],
            clean=_value(base, measure),
            noised=_value(noised, measure),
            rates={kind: noise.rates[kind] for kind in kinds if kind in noise.rates},
            why_not=reasons.get(measure, ""),
        )
        for measure, kinds in ties.items()
    )


def _without_clean(
    target: Mapping[str, Json], ties: Mapping[str, Mapping[str, float]], language: Language
) -> Fitted:
    scales = {
        measure: min(1.0, _value(target, measure))
        for measure in ties
        if measure not in _LOWERS
        and not measure.startswith("register_")
        and target["rates"][measure]["count"] >= FEWEST
        and target["rates"][measure]["hits"] >= SEEN
    }
    noise = Noise(rates=_rates(scales, ties), language=language)
    nothing = {"rates": {measure: {"value": float("nan")} for measure in ties}}
    rows = _rows(target, nothing, nothing, noise, ties, {})
    return Fitted(noise=noise, rows=rows)
