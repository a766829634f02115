"""Numbers as they stand in English and Korean texts, read exactly."""

from __future__ import annotations

import re
from fractions import Fraction

_UNITS = {"조": 10**12, "억": 10**8, "만": 10**4}
_SMALL = {"천": 1000, "백": 100}
_DIGITS = r"\d{1,3}(?:,\d{3})+(?:\.\d{1,30})?|\d{1,30}(?:\.\d{1,30})?|\.\d{1,30}"
_MORE = r"(?:\s?/\s?\d{1,30}|[eE][+-]?\d{1,3}(?![\w.]))?"
_KOREAN = rf"(?:{_DIGITS})\s?[조억만천백](?:\s?(?:(?:{_DIGITS})\s?[조억만천백]?|[조억만천백]))*"
# A minus belongs to the number where nothing stands before it that it could subtract from.
_NUMBER = re.compile(
    rf"(?<![\w.,])(?P<minus>[-−](?=[\d.]))?(?P<korean>{_KOREAN})(?![a-zA-Z])"
    rf"|(?<![\w.,)\]])(?P<sign>[-−])(?:\$\s?)?(?P<negative>(?:{_DIGITS}){_MORE})"
    rf"|(?P<plain>(?:{_DIGITS}){_MORE})"
)
_FRACTION = re.compile(r"\\[dt]?frac\{(-?\d{1,30})\}\{(-?\d{1,30})\}")
_WIDE = {0xFEE0 + code: code for code in range(0x21, 0x7F)}
_PIECE = re.compile(rf"({_DIGITS})?\s?([조억만천백])?")


def numbers(text: str) -> list[tuple[str, Fraction]]:
    """Every number of a text as it is written, with its value: 1,200 and 1200.0 are equal."""
    found = []
    for match in _NUMBER.finditer(_narrow(text)):
        value = _value(match)
        if value is not None:
            found.append((match[0].strip(), value))
    return found


def _narrow(text: str) -> str:
    """Full-width digits and signs as plain ones. NFKC would make 102 of 10²."""
    return text.translate(_WIDE)


def last_number(text: str) -> str | None:
    """The last number of a text, as it is written."""
    matches = list(_NUMBER.finditer(_narrow(_plain_fractions(text))))
    return next((m[0].strip() for m in reversed(matches) if _value(m) is not None), None)


def number_of(text: str) -> Fraction | None:
    """The value of a text that is one number, perhaps with a currency, a percent sign or a unit."""
    clean = _plain_fractions(_narrow(text)).strip().lstrip("$₩€£¥ ").rstrip("$ .。")
    found = _NUMBER.match(clean)
    if not found or not re.fullmatch(r"\s?(?:%|원|개|명|\\%|\$)?", clean[found.end() :]):
        return None
    return _value(found)


def _plain_fractions(text: str) -> str:
    return _FRACTION.sub(lambda m: f"{m[1]}/{m[2]}", text)


def _value(match: re.Match[str]) -> Fraction | None:
    if match["korean"]:
        value = _korean(match["korean"])
        return -value if match["minus"] else value
    digits = match["negative"] or match["plain"]
    top, _, bottom = digits.replace(",", "").replace(" ", "").partition("/")
    if bottom and int(bottom) == 0:
        return None
    value = Fraction(top) / int(bottom or 1)
    return -value if match["sign"] else value


def _korean(text: str) -> Fraction:
    """3만 5,000 = 35000; 2천5백만 = 25000000."""
    total, group = Fraction(0), Fraction(0)
    for digits, unit in _PIECE.findall(text):
        number = Fraction(digits.replace(",", "")) if digits else None
        if unit in _UNITS:
            total += (group + (number or 0) or 1) * _UNITS[unit]
            group = Fraction(0)
        elif unit in _SMALL:
            group += (1 if number is None else number) * _SMALL[unit]
        else:
            group += number or 0
    return total + group
