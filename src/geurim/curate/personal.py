"""Personal data in running text, row by row, Korean kinds among them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import pyarrow as pa

from geurim.analyze.personal import luhn, mod97
from geurim.curate.characters import DIGIT, characters, classes
from geurim.curate.contract import RowStep, reasons_at
from geurim.curate.patterns import matching
from geurim.errors import SettingError

KINDS = (
    "email",
    "national_id",
    "card_number",
    "iban",
    "licence",
    "passport",
    "account",
    "phone",
    "address",
    "ip",
    "url",
)
_FEWEST_DIGITS = 6
_DASH = r"[-\u2010-\u2015\u2212.]"
_GAP = rf"\s?{_DASH}?\s?"
_DATE = r"\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_REGIONS = (
    "서울|부산|대구|인천|광주|대전|울산|세종|경기|강원|"
    "충북|충남|충청|전북|전남|전라|경북|경남|경상|제주"
)
_BANKS = (
    "계좌|입금|송금|국민은행|신한|우리은행|하나은행|농협|기업은행|카카오뱅크|토스|새마을|우체국|"
    "수협|신협|케이뱅크|account"
)
_SPOKEN = "공영일이삼사오육륙칠팔구"


@dataclass(frozen=True, kw_only=True)
class Personal(RowStep):
    """Drops texts in which a value that reaches, pays or numbers a person stands.

    `kinds`: any of KINDS. By default all but web addresses. Korean kinds: mobile and land-line
    numbers (also spelt out, 공일공…), resident and foreigner numbers, passports, driving licences,
    bank accounts beside a word for one, road and lot addresses. Cards and IBANs must have the right
    check digits. Resident numbers are told by the birth date and the digit of the century, never by
    the check digit, which numbers given out since October 2020 do not have.

    Names are not looked for: without a list of who is meant, every name in a story would count. The
    reason tells the kind, not the value. Full-width digits are read as digits.
    """

    name: ClassVar[str] = "personal data"
    kinds: tuple[str, ...] = KINDS[:-1]

    def __post_init__(self) -> None:
        unknown = [k for k in self.kinds if k not in KINDS]
        if unknown or not self.kinds:
            raise SettingError(
                f"There is no kind {unknown[0] if unknown else self.kinds!r} of personal data. "
                f"Choose from: {', '.join(KINDS)}."
            )

    def reasons(self, texts: pa.StringArray) -> pa.StringArray:
        found = {
            place: wanted
            for place, kinds in personal_data(texts).items()
            if (wanted := [k.replace("_", " ") for k in kinds if k in self.kinds])
        }
        why = [f"Personal data: {', '.join(kinds)}." for kinds in found.values()]
        return reasons_at(len(texts), np.array(list(found), np.int64), why)


def personal_data(texts: pa.StringArray) -> dict[int, list[str]]:
    """The kinds of personal data of each text that holds some, by its place."""
    suspects = np.flatnonzero(_suspicious(texts))
    if not len(suspects):
        return {}
    looked = zip(suspects.tolist(), texts.take(pa.array(suspects)).to_pylist(), strict=True)
    return {place: kinds for place, text in looked if (kinds := personal_kinds(text))}


def personal_kinds(text: str) -> list[str]:
    """The kinds of personal data in a text, in the order of KINDS."""
    text = unicodedata.normalize("NFKC", text)
    found = []
    for kind, (pattern, check) in _finders().items():
        for hit in reversed(list(pattern.finditer(text))):
            if check is None or check(hit.group()):
                found.append(kind)
                # The digits of one kind are not looked at again as another.
                text = f"{text[: hit.start()]} ; {text[hit.end() :]}"
    return sorted(set(found), key=KINDS.index)


def _suspicious(texts: pa.StringArray) -> np.ndarray:
    """(N,) texts that may hold something: six digits, an address of e-mail or the web, "공일공"."""
    chars = characters(texts)
    digits = (classes(chars.points) & DIGIT) != 0
    marked = chars.count(digits) >= _FEWEST_DIGITS
    numbered = chars.count(digits) > 0
    at = chars.count(chars.points == ord("@")) > 0
    other = matching(texts, r"[공영]일[공일육칠팔구]|https?://|www\.|::")
    lived = matching(texts, rf"[동리로길가읍면]\s?\d|{_STREET}")
    suspects: np.ndarray = marked | at | other | (numbered & lived)
    return suspects


_STREET = (
    r"\d (?:[A-Z][A-Za-z.'-]+ ){1,3}"
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Drive|Court)\b"
)
_KOREAN_ADDRESS = (
    rf"(?:(?:{_REGIONS})[가-힣]{{0,6}}\s+(?:[가-힣]{{1,5}}[시군구]\s+){{0,2}}|"
    r"[가-힣]{1,5}[시도]\s+[가-힣]{1,5}[시군구]\s+)"
    r"(?:[가-힣]{1,5}[읍면]\s+)?[가-힣0-9·]{1,12}(?:로|길|동|읍|면|리|가)\s?(?:지하)?\d+"
)


@lru_cache(maxsize=1)
def _finders() -> dict[str, tuple[re.Pattern[str], Callable[[str], bool] | None]]:
    """Kind -> pattern and check, in the order in which they take digits from each other."""
    patterns: dict[str, tuple[str, Callable[[str], bool] | None]] = {
        "email": (r"(?<![\w@.-])[A-Za-z0-9._%+'-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}", None),
        "url": (r"(?:https?://|www\.)[^\s<>\"']+", None),
        "ip": (
            r"(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d.]\d)|"
            r"(?<![\w:])(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}(?![\w:])|"
            r"(?<![\w:])(?:[0-9A-Fa-f]{1,4}:){2,6}(?::[0-9A-Fa-f]{1,4}){1,5}(?![\w:])",
            _address_of_a_machine,
        ),
        "iban": (r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?!\w)", mod97),
        "card_number": (
            r"(?<![\d-])(?:[2-6]\d{3}[- ]?\d{4}[- ]?\d{4}[- ]?\d{1,7}|"
            r"3[47]\d{2}[- ]?\d{6}[- ]?\d{5})(?![\d-])",
            lambda t: luhn(t) and not _is_resident(t),
        ),
        "national_id": (
            rf"(?<![\d-]){_DATE}{_GAP}[0-9]\d{{6}}(?![\d-])|(?<![\w-])\d{{3}}-\d{{2}}-\d{{4}}(?![\w-])",
            _is_national,
        ),
        "licence": (r"(?<![\d-])(?:1[1-9]|2[0-8])-\d{2}-\d{6}-\d{2}(?![\d-])", None),
        "passport": (
            r"(?<!\w)[MSRODG](?:\d{8}|\d{3}[A-Z]\d{4})(?![0-9A-Za-z])|"
            r"(?i:passport(?: (?:no|number))?|여권\s?번호)\W{0,4}[A-Z]{1,2}\d{6,8}(?!\d)",
            None,
        ),
        "account": (
            rf"(?i:{_BANKS})[^\d\n]{{0,20}}\d{{2,6}}(?:-\d{{2,7}}){{2,3}}(?![\d-])|"
            rf"(?i:{_BANKS})[^\d\n]{{0,12}}(?<!\d)\d{{11,14}}(?!\d)|"
            rf"(?<![\d-])\d{{2,6}}(?:-\d{{2,7}}){{2,3}}\s?(?:{_BANKS})",
            lambda t: not re.search(r"(?<!\d)01[016-9]-?\d{3,4}-?\d{4}(?!\d)", t),
        ),
        "phone": (
            rf"(?<![\w.-])(?:\+?82{_GAP}\(?0?\)?|\(?0)(?:1[016789]|2|[3-6][1-5]|70|50\d)\)?{_GAP}"
            rf"\d{{3,4}}{_GAP}\d{{4}}(?!\d|-\d)|"
            r"(?<![\w.-])(?<!\d[ -])(?:\+\d{1,3}[-. ]?|\d{1,3}[-. ]|1(?=[2-9]))?"
            r"(?:\(\d{2,4}\) ?|\d{3}[-. ])\d{3,4}[-. ]\d{4}(?![- ]?\d)|"
            r"(?<![\w.-])\+\d{1,3}(?:[-. ]?\d){7,12}(?![\w-])|"
            rf"[공영]\s?일\s?[공영일육륙칠팔구](?:[\s-]?[{_SPOKEN}]){{7,8}}",
            None,
        ),
        "address": (rf"\d{_STREET[2:]}|{_KOREAN_ADDRESS}", None),
    }
    return {k: (re.compile(p), check) for k, (p, check) in patterns.items()}


def _is_resident(text: str) -> bool:
    """A Korean resident number: a date that there is, and a digit that fits a century."""
    digits = re.sub(r"\D", "", text)
    if not re.fullmatch(rf"{_DATE}\d{{7}}", digits):
        return False
    month, day = int(digits[2:4]), int(digits[4:6])
    return day <= (29 if month == 2 else 30 if month in (4, 6, 9, 11) else 31)


def _is_national(text: str) -> bool:
    if re.fullmatch(r"\d{3}-\d{2}-\d{4}", text):  # a social security number
        return text[:3] not in ("000", "666") and text[4:6] != "00" and text[7:] != "0000"
    bare = text.isdigit()  # without a hyphen it may be any number of 13 digits: 1 to 4 are sure
    return _is_resident(text) and (not bare or text[6] in "1234")


def _address_of_a_machine(text: str) -> bool:
    """Not a version ("1.2.3.4"), nor a time; an address that is nobody's own does not count."""
    if ":" in text:
        return bool(re.search(r"[0-9A-Fa-f]{3}", text))
    parts = [int(p) for p in text.split(".")]
    return parts[0] > 9 or len(text) > 9


__all__ = ["KINDS", "Personal", "personal_kinds"]
