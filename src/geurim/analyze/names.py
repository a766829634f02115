"""What a column's name hints at. Values decide; a hint only tips the balance."""

from __future__ import annotations

import re

_KEY_LAST = {"id", "ids", "uuid", "guid", "key", "pk", "no", "nr", "num", "number", "code", "idx"}
_KEY_LAST |= {"index", "serial", "seq", "sequence", "rowid", "identifier", "ref", "reference"}
_OWNERS = """
user customer client cust account acct order item product patient member person employee staff row
record transaction trans session event device visit case subject student encounter invoice booking
passenger driver vehicle movie track album artist store team player game match household policy
claim loan applicant
"""
_KEY_ENDS = tuple(f"{owner}id" for owner in _OWNERS.split())
_KEY_KOREAN = ("번호", "코드", "아이디", "식별자", "일련", "순번", "연번", "키")
_AXES = {"year", "yr", "years", "age", "연도", "년도", "년", "나이", "연령", "month", "day", "hour"}
_AXES |= {"time", "date", "timestamp", "week", "minute", "rank", "period"}


def words(name: str) -> list[str]:
    """The lower-case words of a name: "customerFirst_Name 2" gives customer, first, name, 2."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return [w.lower() for w in re.split(r"[\W_]+", split) if w]


def names_key(name: str) -> bool:
    """Whether the name is that of an identifier."""
    parts = words(name)
    if not parts:
        return True  # nameless first columns are row numbers
    last = parts[-1]
    return (
        last in _KEY_LAST
        or parts[0] in {"unnamed", "id", "rowid", "index"}
        or last.endswith(_KEY_ENDS)
        or last.endswith(_KEY_KOREAN)
    )


def names_axis(name: str) -> bool:
    """Whether the name is that of a year, an age or another axis, though its values be unique."""
    parts = words(name)
    return bool(parts) and (parts[-1] in _AXES or parts[-1].endswith(("연도", "년도", "나이")))


_HINTS: dict[str, tuple[str, ...]] = {
    "first_name": ("first name", "firstname", "given name", "forename", "fname", "first"),
    "last_name": (
        "last name",
        "lastname",
        "surname",
        "family name",
        "familyname",
        "lname",
        "last",
        "maiden",
        "성씨",
        "성",
    ),
    "user_name": (
        "user name",
        "username",
        "login",
        "nickname",
        "nick",
        "handle",
        "닉네임",
        "아이디",
    ),
    "company": (
        "company",
        "employer",
        "organisation",
        "organization",
        "company name",
        "회사",
        "회사명",
        "직장",
        "직장명",
        "기업명",
        "업체명",
    ),
    "name": (
        "name",
        "full name",
        "fullname",
        "customer name",
        "patient name",
        "contact name",
        "holder",
        "성명",
        "성함",
        "고객명",
        "환자명",
        "회원명",
        "직원명",
        "이름",
    ),
    "email": ("email", "e mail", "mail", "email address", "이메일", "메일", "전자우편"),
    "phone": (
        "phone",
        "tel",
        "telephone",
        "mobile",
        "cell",
        "fax",
        "phone number",
        "전화",
        "전화번호",
        "연락처",
        "휴대폰",
        "휴대전화",
        "핸드폰",
        "팩스",
    ),
    "address": ("address", "street", "addr", "street address", "주소", "자택주소", "도로명주소"),
    "city": ("city", "town", "municipality", "도시", "시군구", "거주지"),
    "postcode": ("postcode", "zip", "zipcode", "zip code", "postal code", "우편번호", "plz"),
    "card_number": ("card number", "card no", "credit card", "cc number", "pan", "카드번호"),
    "iban": ("iban",),
    "national_id": (
        "ssn",
        "social security number",
        "national id",
        "rrn",
        "주민번호",
        "주민등록번호",
        "외국인등록번호",
    ),
    "ip": ("ip", "ip address", "client ip", "remote addr"),
    "url": ("url", "website", "homepage", "홈페이지"),
}


def hinted_entities(name: str) -> tuple[str, ...]:
    """The personal entities that a name hints at, most specific first."""
    parts = words(name)
    found = []
    for size in (3, 2, 1):
        tail = " ".join(parts[-size:]) if len(parts) >= size else None
        if tail:
            found += [e for e, hints in _HINTS.items() if tail in hints and e not in found]
    if parts:
        endings = [
            e
            for e, hints in _HINTS.items()
            if e not in found
            and any(len(h) > 1 and h > "가" and parts[-1].endswith(h) for h in hints)
        ]
        found += endings
    return tuple(found)
