"""Personal data: what can name, reach or number a person, found by its values.

Patterns with a check digit are checked (Luhn for cards, modulus 97 for IBANs). A Korean resident
number is told by the birth date in it: those issued since October 2020 have no check digit. Names
and addresses have no such proof: word lists and a column's name decide together.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from geurim.analyze.collect import Column, to_strings
from geurim.analyze.names import hinted_entities, words
from geurim.analyze.roles import Decision, common_shapes, shapes, spread
from geurim.contract import Json
from geurim.errors import SchemaError

ENTITIES = (
    "name",
    "first_name",
    "last_name",
    "email",
    "phone",
    "address",
    "city",
    "postcode",
    "company",
    "card_number",
    "iban",
    "ip",
    "url",
    "user_name",
    "national_id",
)
LOOKED_AT = 1_000  # distinct values of a column
SCANNED = 50_000  # texts looked through one by one, where a quick look raised a suspicion
_BARE = (["name"], ["first"], ["last"])  # names of columns that may hold any thing's name
_BY_VALUE = ("email", "url", "ip", "national_id", "card_number", "iban", "phone", "address")
_SHAPED = ("phone", "postcode", "card_number", "national_id", "iban", "ip")
_BY_VALUE_SHARE, _HINTED_SHARE = 0.8, 0.5

_KOREAN_PHONE = (
    r"(?:\+82[-. ]?\(?0?\)?|\(?0)(?:1[016789]|2|[3-6][1-5]|70|50\d)\)?"
    r"[-. ]?\d{3,4}[-. ]?\d{4}"
)
_PHONE = (
    rf"{_KOREAN_PHONE}|"
    r"(?:\+?\d{1,3}[-. ]?)?(?:\(\d{2,4}\) ?|\d{2,4}[-. ])\d{3,4}[-. ]\d{4}"
    r"(?: ?(?:x|ext\.?) ?\d{1,5})?|"
    r"\+\d{1,3}(?:[-. ]?\d){7,12}"
)
_RESIDENT = r"\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])-[0-9]\d{6}"
_RESIDENT_BARE = r"\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[0-9]\d{6}"
_SSN = r"[0-9]\d{2}-\d{2}-\d{4}"
_CARD = (
    r"[2-6]\d{3}[- ]?\d{4}[- ]?\d{4}[- ]?\d{1,7}|3[47]\d{2}[- ]?\d{6}[- ]?\d{5}|"
    r"3\d{3}[- ]?\d{6}[- ]?\d{4}"
)
_EMAIL = r"[A-Za-z0-9._%+'-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}"
_URL = r"(?:https?://|www\.)[^\s<>\"']+"
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_IP = (
    rf"(?:{_OCTET}\.){{3}}{_OCTET}|(?:[0-9A-Fa-f]{{1,4}}:){{7}}[0-9A-Fa-f]{{1,4}}|"
    r"(?:[0-9A-Fa-f]{1,4}:){1,6}(?::[0-9A-Fa-f]{1,4}){1,6}"
)
_IBAN = r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?"
_STREETS = (
    "street|st|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive|dr|court|ct|way|place|pl|square|sq|"
    "terrace|trail|parkway|pkwy|highway|hwy|circle|cir|crescent|close|row|alley|apt|suite|ste|unit"
)
_REGION = (
    "서울|부산|대구|인천|광주|대전|울산|세종|경기|강원|"
    "충북|충남|충청|전북|전남|전라|경북|경남|경상|제주"
)
_KOREAN_ADDRESS = (
    rf"(?:(?:{_REGION})[가-힣]{{0,6}}\s+(?:[가-힣]{{1,5}}[시군구]\s+){{0,2}}|"
    r"[가-힣]{1,5}[시도]\s+[가-힣]{1,5}[시군구]\s+)"
    r"(?:[가-힣]{1,5}[읍면]\s+)?[가-힣0-9·]{1,12}(?:로|길|거리|동|읍|면|리|가)\s?(?:지하)?\d+"
)
_ADDRESS = (
    rf"\d+[A-Za-z]?[, ]+(?:[\p{{L}}.'-]+ ){{1,4}}(?i:{_STREETS})\b.*|{_KOREAN_ADDRESS}.*|"
    r"(?:\d+|PSC|Unit|USNV|USCGC|USS) .*[A-Z]{2} \d{5}(?:-\d{4})?"
)
_ADDRESS_INSIDE = (
    r"\b\d{1,5} (?:[A-Z][A-Za-z.'-]+ ){1,3}(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|"
    rf"Drive|Court|Parkway|Highway)\b|{_KOREAN_ADDRESS}"
)
_LETTERS = r"^\p{L}[\p{L}0-9 .,'’-]*$"


def find_personal(strings: pa.Array | pa.ChunkedArray) -> dict[str, float]:
    """The share of `strings` that hold personal data somewhere in them, by entity.

    E-mails, web and IP addresses, phones, card numbers, IBANs, national ids and postal addresses;
    names are not looked for, since without a column of names every capital word may be one. Only
    entities that occur are in the answer. Shares are of all strings, missing ones among them.
    """
    if isinstance(strings, pa.ChunkedArray):
        strings = strings.combine_chunks()
    if pa.types.is_dictionary(strings.type):
        strings = strings.dictionary_decode()
    found = {}
    if not len(strings):
        return {}
    digits = _holding(strings, r"\d(?:[-. ()]{0,2}\d){7}")
    sources = {
        "email": _holding(strings, r"@[A-Za-z0-9-]+\."),
        "url": _holding(strings, r"https?://|www\."),
        "ip": _holding(
            strings, rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}|[0-9A-Fa-f]:(?::|[0-9A-Fa-f])"
        ),
        "iban": _holding(strings, r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2}"),
        "address": _holding(strings, _ADDRESS_INSIDE),
    } | dict.fromkeys(("national_id", "card_number", "phone"), digits)
    for entity, suspects in sources.items():
        if len(suspects):
            looked = suspects.take(pa.array(spread(len(suspects), SCANNED)))
            hits = sum(_within(entity, text) for text in looked.to_pylist())
            if hits:
                found[entity] = hits / len(looked) * len(suspects) / len(strings)
    return found


def _holding(strings: pa.Array, pattern: str) -> pa.Array:
    return strings.filter(pc.match_substring_regex(strings, pattern))


@lru_cache(maxsize=1)
def _finders() -> dict[str, re.Pattern[str]]:
    """Patterns that find an entity within a text, not within a longer number or word."""
    inside = {
        "email": _EMAIL, "url": _URL, "ip": _IP, "iban": _IBAN, "card_number": _CARD,
        "phone": _PHONE, "national_id": f"{_RESIDENT}|{_SSN}|{_RESIDENT_BARE}",
    }  # fmt: skip
    return {e: re.compile(rf"(?<![\w@.-])(?:{p})(?![\w-])") for e, p in inside.items()}


def _within(entity: str, text: str) -> bool:
    if entity == "address":
        return True
    checks: dict[str, Callable[[str], bool]] = {
        "card_number": luhn,
        "iban": mod97,
        "national_id": _is_national_id,
        "phone": lambda t: not _is_national_id(t),
    }
    check = checks.get(entity)
    if entity == "phone":  # the groups of an account or card number look like one
        for other in ("iban", "card_number"):
            text = _finders()[other].sub(" ", text)
    return any(check is None or check(m.group()) for m in _finders()[entity].finditer(text))


def luhn(text: str) -> bool:
    """Whether a card number's check digit is right (ISO/IEC 7812-1)."""
    digits = [int(c) for c in text if c.isdigit()][::-1]
    if not 13 <= len(digits) <= 19 or not any(digits):
        return False
    doubled = [2 * d - 9 * (d > 4) for d in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def mod97(text: str) -> bool:
    """Whether an IBAN's check digits are right (ISO 13616)."""
    plain = text.replace(" ", "")
    if not 15 <= len(plain) <= 34:
        return False
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


def resident_digit(digits: str) -> int:
    """The check digit of the first 12 digits of a Korean resident number (before October 2020)."""
    weights = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
    total = sum(int(d) * w for d, w in zip(digits, weights, strict=False))
    return (11 - total % 11) % 10


def _is_national_id(text: str) -> bool:
    """A Korean resident number with a date, or with a check digit where no hyphen marks it; SSN."""
    if re.fullmatch(_RESIDENT, text):
        return True
    if re.fullmatch(_RESIDENT_BARE, text):
        return resident_digit(text[:12]) == int(text[12])
    return bool(re.fullmatch(_SSN, text)) and text[:3] not in ("000", "666")


def matching(texts: pa.Array) -> dict[str, float]:
    """The share of `texts` that are, as a whole, one entity told by its values alone."""
    texts = pc.replace_substring_regex(pc.utf8_trim_whitespace(texts), r"\s+", " ")

    def share(pattern: str, check: Callable[[str], bool] | None = None) -> float:
        hits = _holding(texts, rf"^(?:{pattern})$")
        count = len(hits) if check is None else sum(check(t) for t in hits.to_pylist())
        return count / len(texts)

    found = {
        "email": share(_EMAIL),
        "url": share(_URL),
        "ip": share(_IP),
        "national_id": share(f"{_RESIDENT}|{_SSN}|{_RESIDENT_BARE}"),
        "card_number": share(_CARD, luhn),
        "iban": share(_IBAN, mod97),
        "phone": share(_PHONE),
        "address": share(_ADDRESS),
    }
    # 13 bare digits with a date in them are also many other things; the first digit group decides.
    bare = share(_RESIDENT_BARE)
    if bare > 0.5 and bare > found["card_number"]:
        right = share(_RESIDENT_BARE, lambda t: resident_digit(t[:12]) == int(t[12]))
        found["national_id"] = bare if right > 0.3 else 0.0
    return found


def decide_personal(column: Column, k: int) -> Decision | None:
    """The role `personal` with its entity, or None where the values are nobody's own."""
    declared = column.metadata.get(b"geurim.role", b"").decode()
    entity = column.metadata.get(b"geurim.entity", b"").decode()
    if entity and entity not in ENTITIES:
        raise SchemaError(
            f"Column {column.name!r} has the entity {entity!r}. Use one of: {', '.join(ENTITIES)}."
        )
    if (declared and declared != "personal") or not column.present:
        return None
    if entity:
        return _personal(column, entity, "The schema says so.", k)
    found, why = (None, "")
    if not pa.types.is_boolean(column.sample.type):
        found, why = _numbers(column) if column.ordered else _strings(column)
    if declared and not found:
        hinted = hinted_entities(column.name)
        if not hinted:
            raise SchemaError(
                f"Column {column.name!r} is declared personal, but not as what. "
                f"Add its entity, one of: {', '.join(ENTITIES)}."
            )
        found, why = hinted[0], "The schema says it is personal; its name says what."
    return _personal(column, found, why, k) if found else None


def _personal(column: Column, entity: str, why: str, k: int) -> Decision:
    locale = column.metadata.get(b"geurim.locale", b"").decode()
    more: dict[str, Json] = {"entity": entity, "locale": locale}
    if not locale and not column.ordered:
        more["locale"] = locale_of(_looked(column), entity)
    if entity in _SHAPED:
        looked = _looked(column)
        formed = pc.replace_substring_regex(looked, r"[0-9]", "9")
        more["patterns"] = common_shapes(formed if entity == "phone" else shapes(looked), k)
    if entity == "ip":
        more["patterns"] = [["::" if _share_of(looked, ":") > 0.5 else "9.9.9.9", 1.0]]
    if entity == "iban" and len(looked) >= k:
        countries = pc.unique(pc.utf8_slice_codeunits(looked, 0, 2))
        more |= {"country": countries[0].as_py()} if len(countries) == 1 else {}
    return "personal", why, more


def _looked(column: Column) -> pa.Array:
    """Distinct values, up to LOOKED_AT of them, as strings."""
    if column.ordered:
        values = column.sample.drop_null()
        values = values.take(pa.array(spread(len(values), LOOKED_AT))).unique()
        return to_strings(values)
    values = column.counts[0]
    return values.take(pa.array(spread(len(values), LOOKED_AT)))


def _numbers(column: Column) -> tuple[str | None, str]:
    """Whole numbers that are phones, cards or national ids, told by name and digits together."""
    if not pa.types.is_integer(column.sample.type) or column.low < 10**8:
        return None, ""
    hinted = hinted_entities(column.name)
    shares = matching(_looked(column))
    for entity in ("card_number", "national_id", "phone"):
        strong = entity == "card_number" and shares[entity] > 0.95 and column.distinct > 20
        if strong or (entity in hinted and (entity == "phone" or shares[entity] > _HINTED_SHARE)):
            return entity, f"Whole numbers that are each a {entity.replace('_', ' ')}."
    return None, ""


def _strings(column: Column) -> tuple[str | None, str]:
    counts = column.counts[1]
    looked, hinted = _looked(column), hinted_entities(column.name)
    distinct, unlike = len(counts), len(counts) / max(int(counts.sum()), 1)
    shares = matching(looked)
    for entity in _BY_VALUE:
        least = _HINTED_SHARE if entity in hinted else _BY_VALUE_SHARE
        few = distinct < 3 and entity not in hinted
        if shares[entity] < least or (few and entity in ("url", "ip", "address", "national_id")):
            continue
        if entity in ("url", "address") and unlike < 0.05 and distinct < 100:
            continue  # a handful of sites or branches is a category
        return entity, f"{shares[entity]:.0%} of the values have the form of a {_plain(entity)}."
    found = _names(column.name, looked, distinct, unlike, hinted)
    if found:
        return found, f"The values read like a {_plain(found)}."
    bare = words(column.name) in _BARE
    for entity in hinted:
        if unlike > 0.2 and _plausible(entity, looked, unlike, bare):
            return entity, f"It is named {_plain(entity)}, and its values may be that."
    return None, ""


def _plain(entity: str) -> str:
    return entity.replace("_", " ")


def _share_of(texts: pa.Array, pattern: str) -> float:
    return len(_holding(texts, pattern)) / max(len(texts), 1)


def _plausible(entity: str, looked: pa.Array, unlike: float, bare: bool) -> bool:
    """Whether values may be the entity that the column's name hints at."""
    letters = _share_of(looked, _LETTERS)
    if entity == "address":
        return _share_of(looked, r"\d") > 0.5 and _share_of(looked, r"\S\s+\S") > 0.8
    if entity == "city":
        return letters > 0.8
    if entity in ("name", "first_name", "last_name"):
        many = unlike > 0.5 and not bare and _share_of(looked, r"(?:\S+\s+){4}\S") < 0.1
        return letters > 0.8 and many
    if entity == "company":
        return _share_of(looked, r"\p{L}{2}") > 0.9
    if entity == "postcode":
        return _share_of(looked, r"^[A-Z0-9][A-Za-z0-9 -]{2,9}$") > 0.8
    if entity == "user_name":
        return _share_of(looked, r"^\S{2,30}$") > 0.9 and unlike > 0.5
    if entity == "phone":
        return (
            _share_of(looked, r"^[+(]?\d[\d ()./-]{6,18}(?: ?(?:x|ext\.?) ?\d+)?$") > _HINTED_SHARE
        )
    return False


def _names(
    name: str, looked: pa.Array, distinct: int, unlike: float, hinted: tuple[str, ...]
) -> str | None:
    """Which kind of person's name the values are, by lists of names and the column's name."""
    kinds = [e for e in hinted if e in ("name", "first_name", "last_name")]
    if not kinds and (distinct < 10 or (distinct < 100 and unlike < 0.05)):
        return None
    if _share_of(looked, _LETTERS) < 0.8:
        return None
    shares = _name_shares(looked)
    least = 0.3 if kinds else 0.7
    if (shares["korean"] > 0.5 and kinds) or (shares["korean"] > 0.9 and distinct >= 10):
        return kinds[0] if kinds else "name"
    if shares["both"] > least and (not kinds or "name" in kinds):
        return "name"
    told = words(name) not in _BARE and distinct >= 10
    for kind in kinds:
        if kind != "name" and (shares[kind] > least or told):
            return kind
        if kind == "name" and max(shares["first_name"], shares["last_name"], shares["one"]) > 0.5:
            return "name"
    best = max(("first_name", "last_name"), key=lambda k: shares[k])
    return best if not kinds and shares[best] > 0.8 and distinct >= 20 else None


@lru_cache(maxsize=1)
def _lists() -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """First and last names by locale, as Faker knows them."""
    found = {}
    for locale in ("en_US", "de_DE", "fr_FR", "es_ES", "ja_JP", "ko_KR"):
        provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        first, last = (
            frozenset(n.lower() for n in getattr(provider, f"{part}_names"))
            for part in ("first", "last")
        )
        found[locale] = (first, last)
    return found


_FAMILIES = frozenset(
    "김이박정최조강윤장임한오서신권황안송류전홍고문양손배백허유남심노하곽성차주우구나민진지엄"
    "방변원천공현함염추도소석선설마길연위표명기반"
)


def _parts(text: str) -> list[str]:
    """The words of a name in lower case, without digits: "Miller7, Ann" gives miller, ann."""
    parts = (re.sub(r"[^\w'-]|\d", "", p).lower() for p in text.replace(",", " ").split())
    return [p for p in parts if p]


def _name_shares(looked: pa.Array) -> dict[str, float]:
    """Shares of values that are one first or last name, both, one of both, a Korean full name."""
    first = frozenset[str]().union(*(f for f, _ in _lists().values()))
    last = frozenset[str]().union(*(f for _, f in _lists().values()))
    found = dict.fromkeys(("first_name", "last_name", "both", "one", "korean"), 0)
    for text in looked.to_pylist():
        parts = _parts(text)
        if len(parts) == 1:
            found["first_name"] += parts[0] in first
            found["last_name"] += parts[0] in last
            found["korean"] += bool(re.fullmatch(r"[가-힣]{3}", text)) and text[0] in _FAMILIES
        elif 2 <= len(parts) <= 4:
            known = any(p in first for p in parts), any(p in last for p in parts[-2:])
            found["both"] += all(known)
            found["one"] += any(known)
    return {kind: count / max(len(looked), 1) for kind, count in found.items()}


def _name_locale(texts: pa.Array) -> str:
    """The locale in whose lists of names the most words of `texts` are; English if none leads."""
    parts = [p for text in texts.to_pylist() for p in _parts(text)]
    hits = {
        locale: sum(p in first or p in last for p in parts)
        for locale, (first, last) in _lists().items()
    }
    best = max(hits, key=lambda locale: hits[locale])
    return best if hits[best] > 1.5 * hits["en_US"] else "en_US"


def locale_of(texts: pa.Array, entity: str) -> str:
    """The locale that the values speak of, or "" where they do not say."""
    if entity == "phone" and _share_of(texts, rf"^(?:{_KOREAN_PHONE})$") > 0.5:
        return "ko_KR"
    if entity == "national_id":
        return "en_US" if _share_of(texts, rf"^(?:{_SSN})$") > 0.5 else "ko_KR"
    scripts = {
        "ko_KR": r"\p{Hangul}",
        "ja_JP": r"[\p{Hiragana}\p{Katakana}]",
        "zh_CN": r"\p{Han}",
        "ru_RU": r"\p{Cyrillic}",
    }
    for locale, script in scripts.items():
        if _share_of(texts, script) > 0.3:
            return locale
    if entity in ("name", "first_name", "last_name"):
        return _name_locale(texts)
    return "en_US" if entity == "text" else ""
    return ""


def describe_personal(column: Column) -> dict[str, Json]:
    """What free text holds besides: its locale, and the share with personal data, by entity."""
    texts = column.sample.drop_null()
    texts = texts.take(pa.array(spread(len(texts), SCANNED)))
    declared = column.metadata.get(b"geurim.locale", b"").decode()
    found = {e: float(f"{share:.2g}") for e, share in find_personal(texts).items()}
    looked = texts.slice(0, LOOKED_AT)
    return {"locale": declared or locale_of(looked, "text"), "personal": found}


def settle_locales(columns: dict[str, dict[str, Json]]) -> None:
    """Columns that do not say their locale take that of the others, or of the column names."""
    said = [c["locale"] for c in columns.values() if c.get("locale")]
    korean = any(re.search("[가-힣]", n) for n in columns)
    common = max(set(said), key=said.count) if said else ("ko_KR" if korean else "en_US")
    common = next((locale for locale in ("ko_KR", "ja_JP") if locale in said), common)
    for found in columns.values():
        # Japanese names may be in Chinese characters alone: other columns tell.
        if found.get("locale") == "" or (found.get("locale") == "zh_CN" and common == "ja_JP"):
            found["locale"] = common
