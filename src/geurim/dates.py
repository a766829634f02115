"""Dates and times written as text: which format, and the exact way there and back.

A format is written as in `strptime`, with `%Y %y %m %d %b %H %M %S %z`; `%S` takes decimals
too, and `%y` means 1969 to 2068.
Text is rearranged to ISO 8601 and then cast, because Arrow's own `strptime` turns 31 February
into 2 March.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import product

import pyarrow as pa
import pyarrow.compute as pc

from geurim.errors import SchemaError

_DATES = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%m.%d.%Y"),
    *("%d-%m-%Y", "%m-%d-%Y", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%Y년 %m월 %d일", "%Y. %m. %d."),
    *("%d/%m/%y", "%m/%d/%y", "%y/%m/%d", "%d-%b-%y"),
)
_TIMES = ("%H:%M:%S", "%H:%M")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

FORMATS = (
    *_DATES,
    *_TIMES,
    *(f"{d}{s}{t}{z}" for d, s, t, z in product(_DATES[:9], " T", _TIMES, ("", "Z", "%z"))),
    *(f"{d} {t}" for d, t in product(_DATES[-4:-1], _TIMES)),
)
"""Every format that is tried, the common ones first."""

_GROUPS = {
    "Y": r"(?P<Y>\d{4})",
    "y": r"(?P<y>\d{2})",
    "m": r"(?P<m>\d{1,2})",
    "d": r"(?P<d>\d{1,2})",
    "b": r"(?P<b>[A-Za-z]{3})",
    "H": r"(?P<H>\d{1,2})",
    "M": r"(?P<M>\d{2})",
    "S": r"(?P<S>\d{2}(?:\.\d{1,9})?)",
    "z": r"(?P<z>Z|[+-]\d{2}(?::?\d{2})?)",
}


@lru_cache(maxsize=512)
def pattern(form: str) -> str:
    """The regular expression of a format; SchemaError where it has an unknown directive."""
    parts = re.split(r"%(.)", form)
    made = [re.escape(parts[0])]
    for directive, literal in zip(parts[1::2], parts[2::2], strict=True):
        if directive not in _GROUPS:
            raise SchemaError(
                f"Unknown directive in a date format: '%{directive}' in {form!r}. "
                f"Use {', '.join('%' + d for d in _GROUPS)}; %S takes decimals too."
            )
        made += [_GROUPS[directive], re.escape(literal)]
    # RE2 and `re` agree on all of this, but RE2 does not know an escaped letter beyond ASCII.
    return "^" + "".join(made).replace("\\ ", " ") + "$"


def kind(form: str) -> str:
    """What a format describes: "date", "datetime" or "time"."""
    found = set(re.findall(r"%(.)", form))
    clock = {"H", "M"} <= found
    day = "d" in found and bool({"Y", "y"} & found) and bool({"m", "b"} & found)
    if not (clock or day) or (found & set("Yymbd") and not day) or ("S" in found and not clock):
        raise SchemaError(
            f"Not the format of a date or a time: {form!r}. Give year, month and day, or hour and "
            f"minute, or all."
        )
    return "datetime" if day and clock else "date" if day else "time"


def candidates(value: str, kinds: frozenset[str]) -> list[str]:
    """The formats that one value fits."""
    return [f for f in FORMATS if kind(f) in kinds and re.match(pattern(f), value)]


def zoned(form: str) -> bool:
    """Whether values in this format carry a zone."""
    return "%z" in form or form.endswith("Z")


def iso(values: pa.Array, form: str) -> pa.Array:
    """Text in `form` rearranged to ISO 8601, without the zone where it is a literal Z."""
    groups: list[str] = re.findall(r"%(.)", form)
    place = {g: f"\\{i}" for i, g in enumerate(groups, 1)}
    month = f"0{place['m']}" if "m" in place else f"<{place['b']}>" if "b" in place else "01"
    # 1 January 2000 stands in for the date of a time of day.
    year = place["Y"] if "Y" in place else f"y{place['y']}" if "y" in place else ""
    date = f"{year}-{month}-0{place['d']}" if year else "2000-01-01"
    clock = ""
    if "H" in place:
        clock = f" 0{place['H']}:{place['M']}:" + place.get("S", "00") + place.get("z", "")
        clock += "Z" if form.endswith("Z") else ""
    plain = pattern(form)
    for group in groups:
        plain = plain.replace(f"?P<{group}>", "")
    text = pc.replace_substring_regex(values, plain, date + clock)
    if "y" in place:
        text = pc.replace_substring_regex(text, r"^y([0-6]\d)", r"20\1")
        text = pc.replace_substring_regex(text, "^y", "19")
    if "b" in place:
        text = pc.utf8_lower(text)
        for number, name in enumerate(_MONTHS, 1):
            text = pc.replace_substring(text, f"<{name}>", f"{number:02d}")
        text = pc.ascii_upper(text)
    return pc.replace_substring_regex(text, r"([- ])0(\d\d)", r"\1\2")


def parse(values: pa.Array, form: str, kind_: pa.DataType) -> pa.Array:
    """Text to dates, timestamps or times of day; ArrowInvalid where a value is none.

    `kind_` is date32, timestamp or time of the unit that the decimals need.
    """
    through = pa.timestamp(kind_.unit) if pa.types.is_time(kind_) else kind_
    if form.startswith("%Y-%m-%d") and not pa.types.is_time(kind_):
        try:
            return values.cast(through)  # ISO 8601 in full: nothing to rearrange
        except pa.ArrowInvalid:
            pass  # such as an hour of one digit
    return iso(values, form).cast(through).cast(kind_)


def fits(values: pa.Array, form: str) -> bool:
    """Whether every value is a real date or time in this format."""
    if not pc.all(pc.match_substring_regex(values, pattern(form))).as_py():
        return False
    zone = "UTC" if zoned(form) else None
    try:
        # Microseconds reach from the year 1 to 9999; nanoseconds do not.
        text = pc.replace_substring_regex(iso(values, form), r"(\.\d{6})\d+", r"\1")
        text.cast(pa.date32() if kind(form) == "date" else pa.timestamp("us", zone))
    except pa.ArrowInvalid:
        return False
    return True


def decimals(values: pa.Array) -> int:
    """The most digits behind the point of the seconds, 0 to 9."""
    found = pc.extract_regex(values, r"\d\.(?P<f>\d+)(?:Z|[+-][\d:]+)?$")
    most = pc.max(pc.binary_length(found.field("f"))).as_py() if len(found) else None
    return int(most or 0)


def zones(values: pa.Array) -> set[str]:
    """The distinct offsets in values of a format with %z."""
    found = pc.unique(pc.extract_regex(values, r"(?P<z>Z|[+-]\d{2}(?::?\d{2})?)$").field("z"))
    return {str(z) for z in found.to_pylist() if z is not None}


def offset(zone: str) -> str:
    """An offset as Arrow names it: "UTC" or "+09:00"."""
    digits = zone.replace(":", "").ljust(5, "0")
    if zone == "Z" or digits[1:] == "0000":
        return "UTC"
    return f"{digits[:3]}:{digits[3:5]}"


def render(values: pa.Array, form: str) -> pa.Array:
    """Dates or times back to text in `form`."""
    return pc.strftime(values, format=form)
