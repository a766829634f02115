"""Personal data are found by their values, and nobody's data are taken for someone's."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from analyze_tables import source_of
from faker import Faker

from geurim.analyze import analyze, find_personal, profile_to_json
from geurim.analyze.personal import luhn, mod97, resident_digit
from geurim.errors import SchemaError


def fakes(locale: str, method: str, count: int = 120) -> list[str]:
    faker = Faker(locale)
    faker.seed_instance(11)
    return [str(getattr(faker, method)()) for _ in range(count)]


def found(name: str, values: Any, **metadata: str) -> dict[str, Any]:
    array = values if isinstance(values, pa.Array) else pa.array(values)
    marks = {f"geurim.{k}".encode(): v.encode() for k, v in metadata.items()}
    schema = pa.schema([pa.field(name, array.type, metadata=marks or None)])
    return dict(analyze(source_of(pa.table([array], schema=schema))).columns[name])


@pytest.mark.parametrize(
    ("method", "entity"),
    [
        ("email", "email"),
        ("phone_number", "phone"),
        ("credit_card_number", "card_number"),
        ("iban", "iban"),
        ("ipv4", "ip"),
        ("ipv6", "ip"),
        ("url", "url"),
        ("ssn", "national_id"),
        ("name", "name"),
        ("address", "address"),
    ],
)
@pytest.mark.parametrize("locale", ["en_US", "ko_KR"])
def test_values_tell_their_kind_under_a_name_that_says_nothing(
    method: str, entity: str, locale: str
) -> None:
    if method == "credit_card_number":  # 12 digits of some cards are below the norm's 13
        values = [v for v in fakes(locale, method) if len(v) >= 13]
    else:
        values = fakes(locale, method)
    assert found("c7", values).get("entity") == entity


@pytest.mark.parametrize(
    ("name", "method", "locale", "entity"),
    [
        ("First Name", "first_name", "en_US", "first_name"),
        ("lastName", "last_name", "en_US", "last_name"),
        ("customer_city", "city", "en_US", "city"),
        ("ZIP", "postcode", "en_US", "postcode"),
        ("employer", "company", "en_US", "company"),
        ("username", "user_name", "en_US", "user_name"),
        ("고객명", "name", "ko_KR", "name"),
        ("전화번호", "phone_number", "ko_KR", "phone"),
        ("주소", "address", "ko_KR", "address"),
        ("우편번호", "postcode", "ko_KR", "postcode"),
        ("Nachname", "last_name", "de_DE", "last_name"),
    ],
)
def test_a_columns_name_helps_where_values_prove_nothing(
    name: str, method: str, locale: str, entity: str
) -> None:
    seen = found(name, fakes(locale, method, 300))
    assert seen["role"] == "personal" and seen["entity"] == entity
    if locale == "ko_KR":
        assert seen["locale"] == "ko_KR"


def test_names_of_things_and_repeating_places_are_nobodys() -> None:
    airlines = [f"{a} {b}" for a in ("Delta", "United", "Polar") for b in ("Air", "Lines", "Inc.")]
    assert found("name", airlines * 40)["role"] == "category"
    assert (
        found("name", [f"{w} Regional Airport" for w in fakes("en_US", "word")])["role"] == "text"
    )
    assert found("city", ["Seoul", "Busan", "Daegu", "Incheon"] * 50)["role"] == "category"
    assert found("url", ["https://a.com/x", "https://b.com/y"] * 90)["role"] == "category"
    countries = fakes("en_US", "country", 3_000)
    assert found("native_country", countries)["role"] == "category"


def test_numbers_with_a_wrong_check_digit_are_no_cards() -> None:
    cards = [v for v in fakes("en_US", "credit_card_number", 200) if len(v) == 16]
    wrong = [v[:-1] + str((int(v[-1]) + 1) % 10) for v in cards]
    assert found("c", cards)["entity"] == "card_number"
    assert found("c", wrong)["role"] == "key"
    assert found("c", pa.array([int(v) for v in cards]))["entity"] == "card_number"
    assert found("c", pa.array([int(v) for v in wrong]))["role"] == "number"


def test_check_digits_agree_with_known_numbers() -> None:
    assert luhn("4111 1111 1111 1111") and not luhn("4111 1111 1111 1112")
    assert mod97("GB82 WEST 1234 5698 7654 32") and not mod97("GB83 WEST 1234 5698 7654 32")
    # 11 - (8*2+2*3+0*4+7*5+0*6+1*7+1*8+2*9+3*2+4*3+5*4+6*5) mod 11, modulo 10
    assert resident_digit("820701123456") == (11 - 158 % 11) % 10


def test_resident_numbers_without_check_digits_are_found_and_other_numbers_are_not() -> None:
    rng = np.random.default_rng(0)
    since = [
        f"{y:02d}{m:02d}15-{3 + i % 2}{rng.integers(10**6):06d}"
        for i, (y, m) in enumerate((y, m) for y in (21, 22, 23) for m in range(1, 13))
    ]
    assert found("c", since)["entity"] == "national_id"
    assert found("c", [v.replace("-", "") for v in since])["role"] == "key"  # could be anything
    other = [f"{rng.integers(10**6):06d}-{rng.integers(10**7):07d}" for _ in range(100)]
    assert found("c", other)["role"] == "key"


def test_the_schema_decides_what_is_personal() -> None:
    values = ["x1", "x2", "x3"] * 20
    assert found("c", values, role="personal", entity="user_name")["role"] == "personal"
    assert found("c", values, entity="company", locale="de_DE")["locale"] == "de_DE"
    assert found("e", fakes("en_US", "email"), role="category")["role"] == "category"
    assert found("e", fakes("en_US", "email"), role="personal")["entity"] == "email"
    with pytest.raises(SchemaError, match="entity"):
        found("c", values, role="personal")
    with pytest.raises(SchemaError, match="spy"):
        found("c", values, entity="spy")


def test_locale_is_the_tables_where_a_column_does_not_say() -> None:
    table = pa.table({"이름": fakes("ko_KR", "name"), "mail": fakes("ko_KR", "email")})
    columns = analyze(source_of(table)).columns
    assert columns["이름"]["locale"] == columns["mail"]["locale"] == "ko_KR"
    columns = analyze(source_of(pa.table({"mail": fakes("en_US", "email")}))).columns
    assert columns["mail"]["locale"] == "en_US"


def test_no_personal_value_is_in_the_profile() -> None:
    methods = ("name", "email", "phone_number", "address", "credit_card_number", "ssn", "user_name")
    for locale in ("en_US", "ko_KR"):
        columns = {m: fakes(locale, m) for m in methods}
        profile = analyze(source_of(pa.table(columns)))
        text = json.dumps(profile_to_json(profile), ensure_ascii=False)
        assert not [v for values in columns.values() for v in values if json.dumps(v) in text]


TEXTS = {
    "email": "write to kim.min-su@example.co.kr please",
    "url": "더 보기: https://example.com/reviews?id=3",
    "ip": "from 192.168.10.24 at night",
    "phone": "연락처는 010-1234-5678 입니다",
    "card_number": "paid with 4111-1111-1111-1111 yesterday",
    "iban": "to GB82 WEST 1234 5698 7654 32 by Friday",
    "national_id": "주민번호 820701-1234567 확인",
    "address": "서울특별시 강남구 테헤란로 152 로 보내 주세요",
}


@pytest.mark.parametrize("entity", TEXTS)
def test_personal_data_within_free_text_are_found(entity: str) -> None:
    texts = ["nothing to see here 12345", TEXTS[entity], None, "평범한 문장입니다 2024년 3월"]
    assert find_personal(pa.array(texts)) == {entity: 0.25}


def test_ordinary_text_numbers_and_dates_hold_none() -> None:
    texts = [
        "On 2024-03-01 we sold 1,234,567 units at 12.50 each",
        "order 1234567890123456 and 4111111111111112 shipped",
        "the 2 people in the same place, version 1.2.3, ratio 10:20:30",
        "다시 영화로 1 편 더 보고 싶다. 별점 10점, 12시 30분",
        "2013-01-01T10:00:00Z",
        "",
    ]
    assert find_personal(pa.array(texts)) == {}
    assert find_personal(pa.array([], pa.string())) == {}
    assert find_personal(pa.chunked_array([["a@b.com"], ["c"]])) == {"email": 0.5}


def test_free_text_tells_the_share_with_personal_data() -> None:
    texts = [f"customer {i} said the delivery was late again today" for i in range(95)]
    texts += [f"please call 010-1234-56{i:02d} about the late delivery" for i in range(5)]
    seen = found("comment", texts)
    assert seen["role"] == "text" and seen["personal"] == {"phone": 0.05}
