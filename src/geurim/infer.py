"""From text to types: look at every value of a column once, then decide.

A guess only ever says what all values allow: one value that is no number makes the column text.
Nothing is turned into a missing value but the tokens that the guess names.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from geurim import dates
from geurim.errors import SchemaError
from geurim.schema import Declared

ALL = frozenset({"boolean", "number", "date", "datetime", "time"})
TIMES = frozenset({"date", "datetime", "time"})

STRONG = (
    *("", "?", "NaN", "nan", "NAN", "-nan", "null", "NULL", "Null", "N/A", "n/a", "#N/A", "#NA"),
    *("#N/A N/A", "<NA>", "<na>", "\\N", "NaT", "#NULL!", "#VALUE!", "#DIV/0!"),
)
"""Missing in every column."""
WEAK = ("NA", "na", "-", "--", "---", ".", "..", "N.A.", "n.a.", "*", "None", "none", "NONE")
"""Missing beside numbers, dates and booleans; beside words it depends."""
WORDS = ("None", "none", "NONE", "*", ".", "..")
"""Beside words, these are words."""
ZERO_DATES = ("0000-00-00", "0000-00-00 00:00:00")

_CLEAN = r"^(?:0|-?[1-9]\d{0,17})$"
_NUMBER = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$|^[+-]?(?i:inf|infinity)$"
_WATCHED = 1000  # distinct values of a text column that are kept to judge "NA" and "-" by


@dataclass(frozen=True, kw_only=True)
class Guess:
    """What a column of text is, and how to turn it into that."""

    type: pa.DataType
    why: str
    missing: tuple[str, ...] = ()  # the tokens seen that mean missing, the empty one excluded
    format: str | None = None
    decimals: int | None = None
    trim: bool = True  # spaces around values
    strip: bool = False  # text whose every value begins with a space
    blank: bool = True  # an empty value is missing

    def notes(self) -> dict[bytes, bytes]:
        """The guess as field metadata."""
        made = {b"geurim.why": self.why.encode()}
        if self.missing:
            made[b"geurim.missing"] = json.dumps(self.missing, ensure_ascii=False).encode()
        if self.format is not None:
            made[b"geurim.format"] = self.format.encode()
        if self.decimals is not None:
            made[b"geurim.decimals"] = str(self.decimals).encode()
        return made

    def convert(self, values: pa.Array) -> pa.Array:
        """A chunk of text as what the column is."""
        trimmed = pc.utf8_trim_whitespace(values) if self.trim else values
        tokens = pa.array([*self.missing, *([""] if self.blank else [])], pa.string())
        text = values if pa.types.is_string(self.type) else trimmed
        if self.strip:
            text = pc.utf8_ltrim_whitespace(text)
        if len(tokens):
            absent = pc.is_in(trimmed, value_set=tokens)
            if absent.true_count:
                text = pc.if_else(absent, pa.scalar(None, pa.string()), text)
        return _cast(text, self.type, self.format)


def _cast(text: pa.Array, kind: pa.DataType, form: str | None) -> pa.Array:
    if pa.types.is_string(kind):
        return text
    if pa.types.is_boolean(kind):
        lower = pc.utf8_lower(text)
        return pc.if_else(pc.is_valid(lower), pc.is_in(lower, value_set=_TRUE), None)
    if form is not None:
        return dates.parse(text, form, kind)
    if pa.types.is_integer(kind):
        try:
            return text.cast(kind)  # the common form, ten times as quick
        except pa.ArrowInvalid:
            text = pc.replace_substring_regex(text, r"^\+|\.0*$", "")
    return text.cast(kind)


_TRUE = pa.array(["true", "yes", "y", "t", "1"])
_BOOLEAN = pa.array(["true", "false"])
_BOOLEAN_DECLARED = pa.array(["true", "false", "yes", "no", "y", "n", "t", "f", "1", "0"])


@dataclass
class _Numbers:
    """What the numbers of a column look like."""

    count: int = 0
    padded: bool = False
    plus: bool = False
    minus: bool = False
    exponent: bool = False
    infinite: bool = False
    overflow: bool = False
    rounding: bool = False  # more digits than a float64 can hold
    least: int = 99  # decimals
    most: int = 0
    whole: int = 0  # digits before the point, at most

    def add(self, clean: pa.Array, others: pa.Array) -> None:
        """Take in whole numbers in plain form, and numbers in any other."""
        if len(clean):
            self.least = 0
            longest = pc.max(pc.binary_length(clean)).as_py()
            self.whole = max(self.whole, longest)
            self.minus |= bool(pc.any(pc.starts_with(clean, "-")).as_py())
        if len(others):
            self._odd(others)

    def _odd(self, values: pa.Array) -> None:
        self.padded |= _any(values, r"^[+-]?0\d")
        self.plus |= _any(values, r"^\+")
        self.minus |= _any(values, "^-")
        words = pc.match_substring_regex(values, "[nN]")
        self.infinite |= bool(pc.any(words).as_py())
        values = values.filter(pc.invert(words))
        powers = pc.match_substring_regex(values, "[eE]")
        self.exponent |= bool(pc.any(powers).as_py())
        values = values.filter(pc.invert(powers))
        if not len(values):
            return
        length = pc.binary_length(values)
        point = pc.find_substring(values, ".")
        behind = pc.if_else(pc.less(point, 0), 0, pc.subtract(pc.subtract(length, point), 1))
        bounds = pc.min_max(behind).as_py()
        self.least = min(self.least, bounds["min"])
        self.most = max(self.most, bounds["max"])
        before = pc.if_else(pc.less(point, 0), length, point)
        self.whole = max(self.whole, pc.max(before).as_py())
        if pc.max(length).as_py() >= 18:
            self._long(values)

    def _long(self, values: pa.Array) -> None:
        digits = pc.replace_substring_regex(values, r"^[+-]?0*\.?0*|\.", "")
        self.rounding |= pc.max(pc.binary_length(digits)).as_py() > 17
        whole = values.filter(pc.match_substring_regex(values, r"^[+-]?\d+$"))
        try:
            pc.replace_substring_regex(whole, r"^\+", "").cast(pa.int64())
        except pa.ArrowInvalid:
            self.overflow = True


@dataclass
class Column:
    """One column of text while it is being read; `guess` decides.

    `kinds` are the types that may be guessed at; `typed` says that the values come from where
    types exist, so that words such as "?" stay what they are.
    """

    name: str
    declared: Declared = field(default_factory=Declared)
    kinds: frozenset[str] = ALL
    typed: bool = False
    hint: str = ""  # why these kinds
    seen: dict[str, int] = field(default_factory=dict)
    values: int = 0  # that are no token
    numbers: _Numbers | None = field(default_factory=_Numbers)
    boolean: bool = True
    formats: list[str] | None = None
    dated: bool = False  # the first value had the form of a date or a time
    fraction: int = 0
    zones: set[str] = field(default_factory=set)
    spaces: bool = False
    indented: bool = True
    watched: set[str] = field(default_factory=set)
    numeric: int = 0  # numbers seen before one value was none

    def add(self, chunk: pa.Array) -> None:
        """Look at a chunk of the column."""
        counts = pc.value_counts(chunk.drop_null())
        raw, count = counts.field(0), counts.field(1)
        text = pc.utf8_trim_whitespace(raw)
        self.spaces |= not text.equals(raw)
        absent = pc.is_in(text, value_set=self._tokens())
        for token, n in zip(
            text.filter(absent).to_pylist(), count.filter(absent).to_pylist(), strict=True
        ):
            self.seen[token] = self.seen.get(token, 0) + n
        present = pc.invert(absent)
        if absent.true_count:
            raw, text, count = raw.filter(present), text.filter(present), count.filter(present)
        if len(text):
            self.values += _total(count)
            self.indented &= bool(pc.all(pc.starts_with(raw, " ")).as_py())
            self._look(text, count)

    def _tokens(self) -> pa.Array:
        if self.declared.missing is not None:
            return pa.array([*self.declared.missing, ""], pa.string())
        if self.declared.type == "string":
            return pa.array(STRONG if not self.typed else [], pa.string())
        return pa.array([*STRONG, *WEAK, *ZERO_DATES], pa.string())

    def _look(self, text: pa.Array, count: pa.Array) -> None:
        forced = self.declared.type
        if self.declared.format is not None:
            forced = dates.kind(self.declared.format)
        if forced == "string":
            return
        if forced in ("integer", "number", "decimal") or (not forced and "number" in self.kinds):
            self._look_numbers(text, count, forced)
        if forced == "boolean" or (not forced and self.boolean):
            self._look_booleans(text, forced)
        if forced in TIMES or (not forced and self.formats != []):
            self._look_times(text, forced)
        if len(self.watched) < _WATCHED:
            self.watched.update(text.slice(0, _WATCHED).to_pylist())

    def _look_numbers(self, text: pa.Array, count: pa.Array, forced: str | None) -> None:
        if self.numbers is None:
            return
        clean = pc.match_substring_regex(text, _CLEAN)
        others = text.filter(pc.invert(clean))
        if len(others):
            right = pc.match_substring_regex(others, _NUMBER)
            if right.true_count < len(others):
                if forced:
                    raise self._wrong(others.filter(pc.invert(right))[0], forced)
                wrong = pc.invert(pc.match_substring_regex(text, f"{_CLEAN}|{_NUMBER}"))
                self.numeric = self.numbers.count + _total(count) - _total(count.filter(wrong))
                self.numbers = None
                return
            if forced == "integer" and (bad := others.filter(_not_whole(others))):
                raise self._wrong(bad[0], forced)
        self.numbers.add(text.filter(clean) if len(others) else text, others)
        self.numbers.count += _total(count)
        if forced == "integer" and self.numbers.overflow:
            raise self._wrong(pa.scalar("a number beyond 64 bits"), forced)

    def _look_booleans(self, text: pa.Array, forced: str | None) -> None:
        known = _BOOLEAN_DECLARED if forced else _BOOLEAN
        right = pc.is_in(pc.utf8_lower(text), value_set=known)
        if right.true_count < len(text):
            if forced:
                raise self._wrong(text.filter(pc.invert(right))[0], forced)
            self.boolean = False

    def _look_times(self, text: pa.Array, forced: str | None) -> None:
        if self.formats is None:
            kinds = frozenset({forced}) if forced else self.kinds & TIMES
            given = self.declared.format
            self.formats = [given] if given else dates.candidates(text[0].as_py(), kinds)
            self.dated = bool(self.formats)
        alive = [f for f in self.formats if dates.fits(text, f)]
        if forced and not alive:
            raise self._wrong(_first_unfit(text, self.formats), forced)
        self.formats = alive
        if alive and "%S" in alive[0]:
            self.fraction = max(self.fraction, dates.decimals(text))
        if alive and any("%z" in f for f in alive):
            self.zones |= dates.zones(text)

    def _wrong(self, value: pa.Scalar, kind: str) -> SchemaError:
        shown = value.as_py()
        form = f" in the format {self.declared.format!r}" if self.declared.format else ""
        return SchemaError(
            f"Column {self.name!r} is declared {kind}{form}, but holds {shown[:60]!r}. Declare "
            f"type = 'string', or add the value to its missing = […], or correct the data."
        )

    def guess(self) -> Guess:
        """What the column is."""
        forced = self.declared.type or (
            dates.kind(self.declared.format) if self.declared.format else None
        )
        if forced == "string" or not self.values:
            return self._text("declared" if forced else "no values: nothing to guess from")
        if forced == "boolean" or (not forced and self.boolean and "boolean" in self.kinds):
            return self._plain(pa.bool_(), "true and false")
        if forced in ("integer", "number", "decimal") or (
            not forced and self.numbers is not None and "number" in self.kinds
        ):
            return self._number(forced)
        if self.formats and (forced in TIMES or not forced):
            return self._time()
        if self.numeric and self.numeric * 2 > self.values:
            return self._text(f"text: at least {self.numeric:,} are numbers, but not all")
        if self.dated:
            return self._text("text: not all are dates or times that exist")
        return self._text(self.hint or "text")

    def _plain(self, kind: pa.DataType, why: str, **more: object) -> Guess:
        if self.declared.type or self.declared.format:
            why = "declared"
        tokens = tuple(t for t in self.seen if t)
        if tokens:
            why += f"; missing: {', '.join(tokens)}"
        blank = "" in self.seen
        return Guess(type=kind, why=why, missing=tokens, trim=self.spaces, blank=blank, **more)  # type: ignore[arg-type]

    def _number(self, forced: str | None) -> Guess:
        seen = self.numbers
        assert seen is not None
        fixed = seen.most if seen.least == seen.most > 0 and not seen.exponent else None
        if forced == "integer":
            return self._plain(pa.int64(), "declared")
        if forced is None:
            if seen.padded:
                return self._text("digits with leading zeros: a code, not a number")
            if not (seen.most or seen.exponent or seen.infinite):
                if seen.overflow:
                    return self._text("whole numbers beyond 64 bits: kept as text")
                if seen.plus and not seen.minus:
                    return self._text("digits with a plus sign: a code, not a number")
                return self._plain(pa.int64(), "whole numbers")
        precise = seen.rounding and not (seen.exponent or seen.infinite)
        if forced == "decimal" or (forced is None and precise):
            if seen.exponent or seen.infinite or seen.whole + seen.most > 38:
                return self._plain(pa.float64(), "numbers, too long for a decimal")
            kind = pa.decimal128(max(seen.whole + seen.most, 1), seen.most)
            return self._plain(kind, "more digits than a float holds")
        if fixed is not None and fixed <= 15:
            return self._plain(
                pa.float64(), f"numbers with {fixed} decimal{'s' * (fixed > 1)}", decimals=fixed
            )
        odd = ", some infinite" if seen.infinite else ""
        return self._plain(pa.float64(), f"numbers{odd}")

    def _time(self) -> Guess:
        assert self.formats
        # Where the format was not given, day and month must be told apart by the values.
        if len({f.replace("T", " ").replace("%z", "Z") for f in self.formats}) > 1:
            both = " or ".join(self.formats)
            if self.declared.type:
                raise SchemaError(
                    f"Column {self.name!r} can be read as {both}. Give its format = '…'."
                )
            return self._text(f"dates that can be read as {both}: give the format")
        form = self.formats[0]
        unit = "s" if not self.fraction else "ms" if self.fraction <= 3 else "us"
        unit = "ns" if self.fraction > 6 else unit
        what = dates.kind(form)
        if what == "date":
            return self._plain(pa.date32(), f"dates {form}", format=form)
        if what == "time":
            kind = pa.time32(unit) if unit in ("s", "ms") else pa.time64(unit)
            return self._plain(kind, f"times of day {form}", format=form)
        zone = None
        if dates.zoned(form):
            offsets = {dates.offset(z) for z in self.zones} if "%z" in form else {"UTC"}
            zone = offsets.pop() if len(offsets) == 1 else "UTC"
        note = f" in {zone}" if zone else ""
        return self._plain(pa.timestamp(unit, zone), f"times {form}{note}", format=form)

    def _text(self, why: str) -> Guess:
        tokens = tuple(t for t in self.seen if t and self._absent(t))
        kept = [t for t in self.seen if t and t not in tokens]
        if tokens:
            why += f"; missing: {', '.join(tokens)}"
        if kept and not self.typed:
            why += f"; kept as values: {', '.join(kept)}"
        return Guess(
            type=pa.string(),
            why=why,
            missing=tokens,
            trim=self.spaces,
            strip=self.indented and self.spaces and self.values > 0 and not self.typed,
            blank="" in self.seen and (not self.typed or self.declared.missing is not None),
        )

    def _absent(self, token: str) -> bool:
        """Whether a token means missing in a column of words."""
        if self.declared.missing is not None:
            return True
        if self.typed or token in WORDS or token in ZERO_DATES:
            return False
        if token in STRONG or not self.watched:
            return True
        others = self.watched
        if token in ("NA", "na"):  # Namibia, North America
            codes = sum(
                len(v) == 2 and v.isalpha() and v.isupper() == token.isupper() for v in others
            )
            return codes * 2 < len(others)
        return not (token == "-" and "+" in others)


def _total(count: pa.Array) -> int:
    return int(pc.sum(count).as_py() or 0)


def _any(values: pa.Array, regex: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(values, regex)).as_py())


def _not_whole(values: pa.Array) -> pa.Array:
    return pc.invert(pc.match_substring_regex(values, r"^[+-]?\d+(?:\.0*)?$"))


def _first_unfit(text: pa.Array, forms: list[str]) -> pa.Scalar:
    values = text.slice(0, 100_000).to_pylist()
    unfit = (v for v in values if not any(dates.fits(pa.array([v]), f) for f in forms))
    return pa.scalar(next(unfit, values[0]), pa.string())
