"""The noise step: settings, and clean texts in, real-looking ones out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np
import pyarrow as pa

from geurim.contract import Lineage, Source
from geurim.errors import DataError, SettingError
from geurim.frames import regrouped
from geurim.noise import english, korean_style, korean_typing, register
from geurim.noise.kinds import Kind
from geurim.noise.sheet import Sheet, lay_out, take_up

Language = Literal["ko", "en"]

# In the order they act: registers and words need clean text, slips come next, then the endings.
KINDS: Mapping[Language, Mapping[str, Kind]] = MappingProxyType(
    {
        "ko": {
            k.name: k
            for k in (
                *register.KINDS,
                *korean_style.WORDS,
                *korean_style.KINDS,
                *korean_typing.KINDS,
                *korean_style.ENDINGS,
            )
        },
        "en": {k.name: k for k in english.KINDS},
    }
)
"""Every kind of noise by language and name; a kind's `unit` says what its rate counts."""

_HANGUL = re.compile("[가-힣ㄱ-ㅎㅏ-ㅣ]")
_LATIN = re.compile("[A-Za-z]")
BATCH = 8_192  # texts a sheet; also the rows of a random stream in `over`


@dataclass(frozen=True, kw_only=True)
class Count:
    """How often a kind acted: `edits` of `places`."""

    edits: int
    places: int


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Rates of noise, by kind.

    rates: for each kind (a name in `KINDS["ko"]` or `KINDS["en"]`) the share of its places that
        change, 0 to 1; the kind's `unit` says what a place is. Kinds left out do not act.
    language: "ko", "en", or None: each text by its letters (Hangul at all: Korean).
    keep: regular expressions; what they match never changes. Placeholders, numbers, addresses,
        URLs and code in backticks are always kept.
    protected: strings that never change, wherever they stand: names, answers, labels.

    Labels stay true under every kind but "anger" and "frown", which are for negative texts.
    """

    rates: Mapping[str, float] = field(default_factory=dict)
    language: Language | None = None
    keep: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.language not in (None, "ko", "en"):
            raise SettingError(f"Unknown language {self.language!r}: give 'ko', 'en' or None.")
        known = _kinds_of(self.language)
        for name, rate in self.rates.items():
            if name not in known:
                listed = ", ".join(sorted(known))
                raise SettingError(f"Unknown kind of noise {name!r}: choose from {listed}.")
            if not 0 <= rate <= 1:
                raise SettingError(f"The rate of {name!r} is {rate}: give a share from 0 to 1.")
        for pattern in self.keep:
            try:
                re.compile(pattern)
            except re.error as error:
                raise SettingError(
                    f"keep={pattern!r} is not a regular expression ({error}): correct it."
                ) from error
        object.__setattr__(self, "rates", MappingProxyType(dict(self.rates)))

    def apply(
        self,
        texts: Sequence[str | None] | pa.StringArray | pa.ChunkedArray,
        rng: np.random.Generator,
        *,
        spans: Sequence[Sequence[str]] | None = None,
    ) -> pa.StringArray:
        """The texts with noise, in order; nulls stay null.

        spans: for each text strings to protect in it alone. The same texts and generator state give
        the same result. Output is NFC; with all rates 0 the texts come back as they are.
        """
        return self.apply_counted(texts, rng, spans=spans)[0]

    def apply_counted(
        self,
        texts: Sequence[str | None] | pa.StringArray | pa.ChunkedArray,
        rng: np.random.Generator,
        *,
        spans: Sequence[Sequence[str]] | None = None,
    ) -> tuple[pa.StringArray, Mapping[str, Count]]:
        """As `apply`, and for each kind with a rate how often it acted."""
        rows = _as_list(texts)
        if spans is not None and len(spans) != len(rows):
            raise DataError(f"{len(spans)} lists of spans for {len(rows)} texts: give one each.")
        out = list(rows)
        counts: dict[str, Count] = {}
        if any(self.rates.values()):
            for start in range(0, len(rows), BATCH):
                self._noise(out, range(start, min(start + BATCH, len(rows))), rng, spans, counts)
        return pa.array(out, pa.string()), counts

    def _noise(
        self,
        rows: list[str | None],
        batch: range,
        rng: np.random.Generator,
        spans: Sequence[Sequence[str]] | None,
        counts: dict[str, Count],
    ) -> None:
        keep = [re.compile(p) for p in self.keep] + [
            re.compile(re.escape(s)) for s in self.protected
        ]
        languages = {at: self.language or language_of(t) for at in batch if (t := rows[at])}
        for language in ("ko", "en"):
            places = [at for at, found in languages.items() if found == language]
            if not places:
                continue
            texts = [rows[at] or "" for at in places]
            own = [spans[at] for at in places] if spans is not None else None
            sheet, kept = lay_out(texts, keep, own)
            sheet = self._act(sheet, KINDS[language], rng, counts)
            for at, text in zip(places, take_up(sheet, kept), strict=True):
                rows[at] = text

    def _act(
        self,
        sheet: Sheet,
        kinds: Mapping[str, Kind],
        rng: np.random.Generator,
        counts: dict[str, Count],
    ) -> Sheet:
        for name, kind in kinds.items():
            if rate := self.rates.get(name, 0.0):
                sheet, edits, places = kind.run(sheet, rate, rng)
                before = counts.get(name, Count(edits=0, places=0))
                counts[name] = Count(edits=before.edits + edits, places=before.places + places)
        return sheet

    def over(self, source: Source, column: str, *, seed: int) -> Source:
        """The source with noise in one column of strings, streamed; other columns as they are.

        Rows are taken 8,192 at a time and block i draws from `SeedSequence(seed, spawn_key=(i,))`:
        the result does not depend on the source's own batches.
        """
        if column not in source.schema.names:
            raise SettingError(
                f"No column {column!r}: the source has {', '.join(source.schema.names)}."
            )
        maker = f"noise({dict(sorted(self.rates.items()))})"
        lineage = Lineage.made(
            maker, seed=seed, request=column, parents=(source.lineage,), shares=(1.0,)
        )
        at = source.schema.get_field_index(column)
        schema = source.schema.set(at, pa.field(column, pa.string()))

        def read() -> Iterator[pa.RecordBatch]:
            for i, block in enumerate(regrouped(source, BATCH)):
                rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(i,)))
                noised = self.apply(block.column(column), rng)
                yield from block.set_column(at, schema.field(at), noised).to_batches()

        return Source(schema=schema, lineage=lineage, read=read, rows=source.rows)

    @classmethod
    def fit(
        cls,
        real: Sequence[str] | pa.StringArray,
        clean: Sequence[str] | pa.StringArray | None = None,
        *,
        rng: np.random.Generator,
        rounds: int = 6,
    ) -> Noise:
        """The noise that makes `clean` texts as noisy as `real` ones; see `geurim.noise.fit`."""
        from geurim.noise.fit import fit

        return fit(real, clean, rng=rng, rounds=rounds).noise


def language_of(text: str) -> Language:
    """ "ko" for a text with any Hangul or without letters at all, else "en"."""
    return "ko" if _HANGUL.search(text) or not _LATIN.search(text) else "en"


def _kinds_of(language: Language | None) -> set[str]:
    if language is None:
        return {*KINDS["ko"], *KINDS["en"]}
    return set(KINDS[language])


def _as_list(texts: Sequence[str | None] | pa.StringArray | pa.ChunkedArray) -> list[str | None]:
    if isinstance(texts, str):
        raise DataError(f"The texts are one string, {texts[:40]!r}: give a list of strings.")
    if isinstance(texts, pa.Array | pa.ChunkedArray):
        return list(texts.cast(pa.string()).to_pylist())
    for text in texts:
        if text is not None and not isinstance(text, str):
            raise DataError(f"A text is {text!r}, no string: give strings, or None for missing.")
    try:
        return list(pa.array(texts, pa.string()).to_pylist())
    except UnicodeEncodeError as error:
        raise DataError(f"A text is not valid Unicode ({error}): mend or drop it.") from error
