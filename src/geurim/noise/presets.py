"""Rates to start from, where there is no real text to fit to."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Fitted to 5,000 Korean film reviews (NSMC, CC0) with everyday answers as the clean side; the
# registers are left out, as their rates hang on those of the clean texts.
REVIEWS: Mapping[str, float] = MappingProxyType(
    {
        "abbreviation": 0.42,
        "bangs": 0.056,
        "coda": 0.036,
        "cute": 0.009,
        "dots": 0.27,
        "double": 0.0002,
        "drop": 0.0003,
        "emoticon": 0.032,
        "frown": 0.008,
        "intensifier": 0.021,
        "interjection": 0.002,
        "key": 0.0006,
        "laughter": 0.053,
        "misspelling": 0.075,
        "particle_split": 0.003,
        "phonetic": 0.018,
        "prefix": 0.015,
        "punctuation_missing": 0.5,
        "repeat": 0.019,
        "shift": 0.015,
        "slang": 0.63,
        "space_doubled": 0.013,
        "spaceless": 0.044,
        "swap": 0.0002,
        "tears": 0.024,
        "tildes": 0.042,
    }
)
# An angry customer who types fast. Chosen by hand, not measured; labels must be negative.
ANGRY: Mapping[str, float] = MappingProxyType(
    {
        "anger": 0.5,
        "bangs": 0.3,
        "coda": 0.05,
        "digression": 0.1,
        "dots": 0.1,
        "double": 0.001,
        "drop": 0.003,
        "frown": 0.1,
        "intensifier": 0.3,
        "key": 0.004,
        "misspelling": 0.2,
        "punctuation_missing": 0.3,
        "repeat": 0.4,
        "run_on": 0.4,
        "space_missing": 0.1,
        "swap": 0.002,
    }
)
PRESETS: Mapping[str, Mapping[str, float]] = MappingProxyType({"reviews": REVIEWS, "angry": ANGRY})
