"""Values like a person's, made of parts that Faker drew once, and combined for whole columns.

One draw of people, places and sexes serves all columns of a block, so that a row's name, e-mail,
city and postcode belong together. Wherever a range exists that is never given to anyone, numbers
come from there: example.com (RFC 2606), 10.0.0.0/8 and 2001:db8::/32, +1 … 555, 010-0 and 010-1,
social security numbers from 900 on, resident numbers of regions 97 to 99, cards of a test range.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geurim.contract import Json
from geurim.errors import SettingError
from geurim.generators import _korea
from geurim.generators._keys import filled

PARTS = 1_500  # drawn of each part; combined, they make millions
NAMES = ("name", "first_name", "last_name", "email", "user_name")
PLACES = ("address", "city", "postcode")
_TOGETHER = {"ko_KR": "", "zh_CN": "", "ja_JP": " "}  # locales whose family name comes first
_SEX = re.compile(r"(?:^|[^a-z])(?:sex|gender)(?:$|[^a-z])|성별", re.IGNORECASE)
_MEN = {"m", "male", "man", "men", "boy", "남", "남자", "남성", "남아", "男", "mr"}
_WOMEN = {"f", "female", "woman", "women", "girl", "여", "여자", "여성", "여아", "女", "ms", "mrs"}

Pools = Mapping[str, list[Json]]


def draw_pools(locale: str, entities: set[str], rng: np.random.Generator) -> dict[str, list[Json]]:
    """The parts that `entities` of one locale are made of, drawn from Faker."""
    faker = _faker(locale, rng)
    pools: dict[str, list[Json]] = {}

    def drawn(method: str, count: int = PARTS) -> list[str]:
        return [str(getattr(faker, method)()) for _ in range(count)]

    if entities & set(NAMES):
        for sex in ("male", "female"):
            named = f"first_name_{sex}"
            pools[f"first_{sex}"] = drawn(named if hasattr(faker, named) else "first_name")
        pools["last"] = drawn("last_name")
    if entities & set(PLACES):
        pools["places"] = _places(locale, faker, rng)
        pools["street"] = _streets(locale, faker, rng)
    if "company" in entities:
        pools["company"] = drawn("company")
    if "phone" in entities and locale not in ("ko_KR", "en_US"):
        pools["phone"] = drawn("phone_number", 300)
    if "text" in entities:
        pools["words"] = _words(locale, faker)
    return pools


def _faker(locale: str, rng: np.random.Generator) -> Json:
    from faker import Faker

    try:
        faker = Faker(locale or "en_US")
    except AttributeError as error:
        raise SettingError(
            f"Faker has no locale {locale!r}. Declare one it has, such as 'ko_KR' or 'en_US'."
        ) from error
    faker.seed_instance(int(rng.integers(2**32)))
    return faker


def _places(locale: str, faker: Json, rng: np.random.Generator) -> list[Json]:
    """Places as [city, region, first digits of the postcode]."""
    if locale == "ko_KR":
        return [
            [city, region, f"{code:02d}"]
            for region, (codes, cities) in _korea.PLACES.items()
            for city in cities
            for code in rng.integers(codes[0], codes[1] + 1, 3)
        ]
    found = []
    for _ in range(500):
        if locale == "en_US":
            state = str(faker.state_abbr(include_territories=False))
            found.append([str(faker.city()), state, str(faker.zipcode_in_state(state))[:3]])
        else:
            found.append([str(faker.city()), "", str(faker.postcode())])
    return found


def _streets(locale: str, faker: Json, rng: np.random.Generator) -> list[Json]:
    if locale == "ko_KR":
        return [road + end for road in _korea.ROADS for end in _korea.ROAD_ENDS]
    if locale == "ja_JP":
        return [f"{faker.town()}{faker.chome()}" for _ in range(PARTS)]
    return [str(faker.street_name()) for _ in range(PARTS)]


def _words(locale: str, faker: Json) -> list[Json]:
    if locale == "ko_KR":
        return list(_korea.WORDS)
    return [str(w) for w in dict.fromkeys(faker.words(3000))]


@dataclass(frozen=True, kw_only=True, eq=False)
class People:
    """Who the rows of a block are about: drawn once, the same for all columns of a locale."""

    rows: int
    male: np.ndarray  # bool (N,)
    first: np.ndarray  # whole numbers (N,), taken modulo the length of a pool
    last: np.ndarray
    place: np.ndarray
    number: np.ndarray = field(repr=False)

    @classmethod
    def draw(cls, rows: int, rng: np.random.Generator, learned: pa.Table | None) -> People:
        draws = rng.integers(0, 2**31, (4, rows))
        return cls(
            rows=rows,
            male=_sexes(rows, rng, learned),
            first=draws[0],
            last=draws[1],
            place=draws[2],
            number=draws[3],
        )


def _sexes(rows: int, rng: np.random.Generator, learned: pa.Table | None) -> np.ndarray:
    """Who is a man: as a learned column of sexes says, else by chance."""
    male = rng.random(rows) < 0.5
    if learned is None:
        return male
    for name in learned.column_names:
        column = learned[name]
        if not _SEX.search(name) or pa.types.is_floating(column.type):
            continue
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        try:
            texts = pc.utf8_lower(pc.utf8_trim_whitespace(column.cast(pa.string())))
        except pa.ArrowException:
            continue
        man, woman = (
            pc.fill_null(pc.is_in(texts, pa.array(sorted(words))), False).to_numpy()
            for words in (_MEN, _WOMEN)
        )
        if man.any() or woman.any():
            return np.where(man, True, np.where(woman, False, male))
    return male


def _pick(pool: list[Json], places: np.ndarray) -> pa.Array:
    return pa.array(pool, pa.string()).take(pa.array(places % len(pool)))


def _by_sex(people: People, pools: Pools, turn: Callable[[str], str] = str) -> pa.Array:
    men, women = ([turn(n) for n in pools[f"first_{s}"]] for s in ("male", "female"))
    return pc.if_else(
        pa.array(people.male), _pick(list(men), people.first), _pick(list(women), people.first)
    )


def first_name(people: People, pools: Pools, **_: Json) -> pa.Array:
    return _by_sex(people, pools)


def last_name(people: People, pools: Pools, **_: Json) -> pa.Array:
    return _pick(pools["last"], people.last)


def name(people: People, pools: Pools, *, locale: str, **_: Json) -> pa.Array:
    first, last = _by_sex(people, pools), _pick(pools["last"], people.last)
    if locale in _TOGETHER:
        return pc.binary_join_element_wise(last, first, _TOGETHER[locale])
    return pc.binary_join_element_wise(first, last, " ")


def latin(text: str) -> str:
    """A name in lower-case ASCII letters, for addresses on the net; "" where there are none."""
    plain = unicodedata.normalize("NFKD", _korea.romanize(unicodedata.normalize("NFC", text)))
    return "".join(c for c in plain.lower() if "a" <= c <= "z")


@lru_cache(maxsize=50_000)
def _latin_or_user(text: str) -> str:
    return latin(text) or f"user{sum(map(ord, text)) % 997}"


def _digits(numbers: np.ndarray, width: int = 0) -> pa.Array:
    texts = pa.array(numbers).cast(pa.string())
    return pc.utf8_lpad(texts, width, "0") if width else texts


def user_name(people: People, pools: Pools, *, rng: np.random.Generator, **_: Json) -> pa.Array:
    first = _by_sex(people, pools, _latin_or_user)
    last = _pick([_latin_or_user(n) for n in pools["last"]], people.last)
    number = _digits(rng.integers(0, 10_000, people.rows))
    return pc.binary_join_element_wise(first, pc.utf8_slice_codeunits(last, 0, 6), number, "")


@lru_cache(maxsize=1)
def _tails() -> pa.Array:
    ends = ("com", "org", "net")
    return pa.array([f"{n}@example.{end}" for n in range(10_000) for end in ends])


def email(people: People, pools: Pools, *, rng: np.random.Generator, **_: Json) -> pa.Array:
    first = _by_sex(people, pools, _latin_or_user)
    last = _pick([_latin_or_user(n) for n in pools["last"]], people.last)
    tail = _tails().take(pa.array(rng.integers(0, len(_tails()), people.rows)))
    return pc.binary_join_element_wise(pc.binary_join_element_wise(first, last, "."), tail, "")


def company(people: People, pools: Pools, **_: Json) -> pa.Array:
    return _pick(pools["company"], people.number)


def url(people: People, pools: Pools, *, rng: np.random.Generator, **_: Json) -> pa.Array:
    parts = [_digits(rng.integers(0, n, people.rows)) for n in (100_000, 100_000)]
    return pc.binary_join_element_wise("https://www", parts[0], ".example.com/p", parts[1], "")


def _place(people: People, pools: Pools, part: int) -> pa.Array:
    return _pick([p[part] for p in pools["places"]], people.place)


def city(people: People, pools: Pools, **_: Json) -> pa.Array:
    return _place(people, pools, 0)


def postcode(
    people: People,
    pools: Pools,
    *,
    rng: np.random.Generator,
    locale: str,
    patterns: Json = None,
    **_: Json,
) -> pa.Array:
    start = _place(people, pools, 2)
    if locale not in ("ko_KR", "en_US"):
        return filled(patterns, people.rows, rng) if patterns else start
    known = 2 if locale == "ko_KR" else 3
    head = np.array([[int(c) for c in p[2]] for p in pools["places"]], np.uint8)
    shapes = patterns or [["9" * 5, 1.0]]
    tail = rng.integers(0, 10, (people.rows, max(_width(shapes) - known, 0)), np.uint8)
    digits = np.concatenate([head[people.place % len(head)], tail], axis=1)
    return spelled(shapes, digits, rng)


def address(
    people: People, pools: Pools, *, rng: np.random.Generator, locale: str, whole: bool, **_: Json
) -> pa.Array:
    """Street and number; with city and region where no other column of the table has them."""
    street = _pick(pools["street"], people.number)
    number = _digits(rng.integers(1, 1000 if locale == "ko_KR" else 10_000, people.rows))
    region, town = _place(people, pools, 1), _place(people, pools, 0)
    if locale == "ko_KR":
        line = pc.binary_join_element_wise(street, number, " ")
        return pc.binary_join_element_wise(region, town, line, " ") if whole else line
    if locale == "ja_JP":
        line = pc.binary_join_element_wise(street, number, "番", "")
        return pc.binary_join_element_wise(town, line, "") if whole else line
    line = pc.binary_join_element_wise(number, street, " ")
    if not whole:
        return line
    code = postcode(people, pools, rng=rng, locale=locale)
    end = pc.utf8_trim_whitespace(pc.binary_join_element_wise(region, code, " "))
    return pc.binary_join_element_wise(line, town, end, ", ")


def phone(
    people: People,
    pools: Pools,
    *,
    rng: np.random.Generator,
    locale: str,
    patterns: Json = None,
    **_: Json,
) -> pa.Array:
    """Numbers that ring nobody's telephone in Korea and the US; elsewhere Faker's, ends changed."""
    if locale not in ("ko_KR", "en_US"):
        templates = [re.sub(r"\d", "9", str(p)[-4:]) for p in pools["phone"]]
        heads = _pick([str(p)[:-4] for p in pools["phone"]], people.number)
        ends = [f"{n:04d}" for n in range(10_000)]
        tail = _pick(list(ends), rng.integers(0, 10_000, people.rows))
        same = pa.array([t == "9999" for t in templates]).take(
            pa.array(people.number % len(templates))
        )
        whole = _pick(list(pools["phone"]), people.number)
        return pc.if_else(same, pc.binary_join_element_wise(heads, tail, ""), whole)
    korean = locale == "ko_KR"
    shapes = patterns or [["999-9999-9999" if korean else "999-999-9999", 1.0]]
    made = np.zeros((people.rows, max(_width(shapes), 13)), np.uint8)
    made[:] = rng.integers(0, 10, made.shape)
    if korean:
        made[:, 3] = rng.integers(0, 2, people.rows)
        made[:, :3] = (0, 1, 0)
    else:
        made[:, 0] = rng.integers(2, 10, people.rows)
        made[:, 3:6] = 5
    return spelled(shapes, made, rng, _korean_phone if korean else _us_phone)


def _korean_phone(shape: str, digits: np.ndarray) -> np.ndarray:
    """The digits as the shape wants them: +82 10 0123 4567 lacks the 0 of 010."""
    if shape.startswith("+"):
        code = np.tile(np.array([8, 2], np.uint8), (len(digits), 1))
        return np.concatenate([code, digits[:, 1:]], axis=1)
    if re.match(r"\D?99\D", shape):  # 02, Seoul
        seoul = np.tile(np.array([0, 2], np.uint8), (len(digits), 1))
        return np.concatenate([seoul, digits[:, 3:]], axis=1)
    return digits


def _us_phone(shape: str, digits: np.ndarray) -> np.ndarray:
    count = shape.count("9")
    if count == 7:
        return digits[:, 3:]
    if shape.startswith("+") or re.match(r"9\D", shape) or count == 11:
        return np.concatenate([np.ones((len(digits), 1), np.uint8), digits], axis=1)
    if re.match(r"999\D999\D", shape) and count == 13:  # 001-234-…
        code = np.tile(np.array([0, 0, 1], np.uint8), (len(digits), 1))
        return np.concatenate([code, digits], axis=1)
    return digits


def card_number(
    people: People, pools: Pools, *, rng: np.random.Generator, patterns: Json = None, **_: Json
) -> pa.Array:
    """Card numbers of test ranges, with the right check digit (Luhn)."""

    def whole(shape: str, digits: np.ndarray) -> np.ndarray:
        count = max(shape.count("9"), 2)
        heads = {14: (3, 0, 0, 0, 0, 0), 15: (3, 7, 0, 0, 0, 0)}
        made = digits[:, :count].copy()
        made[:, :6] = heads.get(count, (4, 0, 0, 0, 0, 0))[:count]
        doubled = made[:, -2::-2].astype(np.int64) * 2
        total = (doubled - 9 * (doubled > 9)).sum(axis=1) + made[:, -3::-2].sum(axis=1)
        made[:, -1] = -total % 10
        return made

    digits = rng.integers(0, 10, (people.rows, 19), np.uint8)
    return spelled(patterns or [["9" * 16, 1.0]], digits, rng, whole)


def national_id(
    people: People,
    pools: Pools,
    *,
    rng: np.random.Generator,
    locale: str,
    patterns: Json = None,
    **_: Json,
) -> pa.Array:
    """Korean resident numbers and US social security numbers that were never given out."""
    n = people.rows
    if locale == "ko_KR":
        shapes = [p for p in patterns or () if p[0].count("9") == 13]
        return spelled(shapes or [["999999-9999999", 1.0]], _resident_digits(people, rng), rng)
    if locale == "en_US":
        digits = rng.integers(0, 10, (n, 9), np.uint8)
        group = rng.integers(1, 50, n)  # 900-999 with a group from 50 on are taxpayer numbers
        digits[:, 0], digits[:, 3], digits[:, 4] = 9, group // 10, group % 10
        digits[:, 8] = rng.integers(1, 10, n)
        shapes = [p for p in patterns or () if p[0].count("9") == 9]
        return spelled(shapes or [["999-99-9999", 1.0]], digits, rng)
    return filled(patterns or [["9" * 10, 1.0]], n, rng)


def _resident_digits(people: People, rng: np.random.Generator) -> np.ndarray:
    """Birth date, century and sex, region 97 to 99 (never given out), serial, check digit."""
    n = people.rows
    days = np.datetime64("1940-01-01") + rng.integers(0, 27_000, n)
    text = days.astype("U10").view(np.uint32).reshape(n, 10).astype(np.int64) - ord("0")
    digits = np.zeros((n, 13), np.int64)
    digits[:, :6] = text[:, [2, 3, 5, 6, 8, 9]]
    digits[:, 6] = np.where(people.male, 1, 2) + 2 * (text[:, 0] == 2)
    digits[:, 7] = 9
    digits[:, 8] = rng.integers(7, 10, n)
    digits[:, 9:12] = rng.integers(0, 10, (n, 3))
    weights = np.array([2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5])
    digits[:, 12] = (11 - (digits[:, :12] * weights).sum(axis=1) % 11) % 10
    return digits.astype(np.uint8)


def ip(
    people: People, pools: Pools, *, rng: np.random.Generator, patterns: Json = None, **_: Json
) -> pa.Array:
    if patterns and ":" in patterns[0][0]:
        parts = [_hex(rng.integers(0, 65_536, people.rows)) for _ in range(6)]
        return pc.binary_join_element_wise("2001:db8", *parts, ":")
    parts = [_digits(rng.integers(0, 256, people.rows)) for _ in range(3)]
    return pc.binary_join_element_wise("10", *parts, ".")


def _hex(numbers: np.ndarray) -> pa.Array:
    return _pick([f"{i:x}" for i in range(65_536)], numbers)


def iban(
    people: People, pools: Pools, *, rng: np.random.Generator, patterns: Json = None, **facts: Json
) -> pa.Array:
    """IBANs with right check digits, of the country all real ones shared, or of none (XX)."""
    country = str(facts.get("country") or "XX")
    shapes = patterns or [["AA99" + "9" * 16, 1.0]]
    raw = filled([[p.replace(" ", ""), s] for p, s in shapes], people.rows, rng)
    rest = pc.utf8_slice_codeunits(raw, 4)
    left = np.zeros(people.rows, np.int64)
    tail = pc.binary_join_element_wise(rest, f"{country}00", "")
    letters = tail.to_numpy(zero_copy_only=False).astype("U")
    width = letters.dtype.itemsize // 4
    for code in letters.view(np.uint32).reshape(people.rows, width).T.astype(np.int64):
        digit = np.where(code >= 65, code - 55, code - 48)
        left = np.where(code == 0, left, (left * np.where(code >= 65, 100, 10) + digit) % 97)
    return pc.binary_join_element_wise(country, _digits(98 - left, 2), rest, "")


def _width(shapes: list[Json]) -> int:
    return max(str(p).count("9") for p, _ in shapes)


def spelled(
    shapes: list[Json],
    digits: np.ndarray,
    rng: np.random.Generator,
    fit: Callable[[str, np.ndarray], np.ndarray] = lambda shape, digits: digits,
) -> pa.Array:
    """Digits (N, D) written in the places "9" of shapes such as 999-9999; what lacks is random."""
    shares = np.array([float(s) for _, s in shapes])
    chosen = rng.choice(len(shapes), len(digits), p=shares / shares.sum())
    found = np.empty(len(digits), object)
    for place, (shape, _) in enumerate(shapes):
        mine = np.flatnonzero(chosen == place)
        if not len(mine):
            continue
        used = fit(str(shape), digits[mine])
        letters = np.empty((len(mine), len(shape)), np.uint32)
        at = 0
        for i, kind in enumerate(shape):
            if kind != "9":
                letters[:, i] = ord(kind)
            elif at < used.shape[1]:
                letters[:, i] = used[:, at] + ord("0")
                at += 1
            else:
                letters[:, i] = rng.integers(ord("0"), ord("9") + 1, len(mine))
        found[mine] = letters.view(f"U{len(shape)}").ravel()
    return pa.array(found, pa.string())


@lru_cache(maxsize=4)
def _running_text(words: tuple[str, ...]) -> tuple[str, np.ndarray, np.ndarray]:
    """One long text of the words in a fixed disorder, and where each word begins and ends in it."""
    order = np.random.default_rng(len(words)).integers(0, len(words), 40_000)
    drawn = [str(words[i]) for i in order]
    starts = np.cumsum([0] + [len(w) + 1 for w in drawn[:-1]])
    whole = " ".join(drawn)
    return whole, starts, np.append(starts[1:] - 1, len(whole))


def text(
    people: People, pools: Pools, *, rng: np.random.Generator, lengths: Json, **_: Json
) -> pa.Array:
    """Placeholder text with lengths like the real ones': words that say nothing."""
    whole, starts, ends = _running_text(tuple(pools["words"]))
    wanted = np.interp(rng.random(people.rows), np.linspace(0, 1, len(lengths)), lengths)
    wanted = np.clip(np.rint(wanted).astype(np.int64), 1, len(whole) // 2)
    first = starts[rng.integers(0, len(starts) // 2, people.rows)]
    after = np.searchsorted(ends, first + wanted * 0.999, "left")
    last = ends[np.minimum(after, len(ends) - 1)]
    return pa.array([whole[a:b] for a, b in zip(first.tolist(), last.tolist(), strict=True)])


MAKERS: dict[str, Callable[..., pa.Array]] = {
    "name": name,
    "first_name": first_name,
    "last_name": last_name,
    "email": email,
    "user_name": user_name,
    "phone": phone,
    "address": address,
    "city": city,
    "postcode": postcode,
    "company": company,
    "card_number": card_number,
    "iban": iban,
    "ip": ip,
    "url": url,
    "national_id": national_id,
    "text": text,
}
"""Entity -> how a column of it is made."""

_MADE_UP = {
    "email": r"@example\.(?:com|org|net)$",
    "url": r"^https://www\d+\.example\.com/p\d+$",
    "ip": r"^10\.|^2001:db8:",
    "user_name": r"\d$",
    "iban": "",
    "card_number": r"^(?:400000|300000|370000|4000[- ]00|3000[- ]00|3700[- ]00)",
    "national_id": r"^\d{6}-?\d9[789]|^9\d\d-?[0-4]",
    "phone": r"555\D?\d{4}|^\D?(?:\+82\D?|0)(?:10|2)\D*[01]",
}


def could_be_made(entity: str, locale: str) -> str | None:
    """A pattern of the real values that a maker might make, "" for any, None where all may be.

    Of names, places and companies the same may come out by chance: they are nobody's alone. Of
    all others no real value may; those that match must be remembered (`Seen`), most often none.
    """
    if entity in ("phone", "national_id") and locale not in ("ko_KR", "en_US"):
        return ""
    return _MADE_UP.get(entity)
