"""Keys, personal data and text are made anew: unique, consistent, never a real value."""

from __future__ import annotations

import ipaddress
import json
import uuid
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from faker import Faker
from hypothesis import given, settings
from hypothesis import strategies as st

from geurim.analyze import analyze
from geurim.analyze.personal import luhn, mod97, resident_digit
from geurim.contract import Lineage, Source
from geurim.errors import SamplingError
from geurim.generators._keys import codes
from geurim.generators._korea import PLACES, romanize
from geurim.generators._seen import Seen, hashes
from geurim.generators.anew import Anew

PINNED = [
    1098524945307339571,
    4327270855021336794,
    1346066267577507604,
    15164117260055693279,
]
NOTHING = Seen(bits=np.zeros(0, np.uint8), salt=0)


def source_of(table: pa.Table) -> Source:
    return Source(
        schema=table.schema,
        lineage=Lineage(maker="a test", digest="7" * 64, real=True),
        rows=table.num_rows,
        read=lambda: iter(table.to_batches(max_chunksize=100)),
    )


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def plan(table: pa.Table, with_data: bool = True) -> Anew:
    source = source_of(table)
    return Anew.plan(analyze(source), source if with_data else None, rng())


def people(locale: str, rows: int = 200) -> pa.Table:
    faker = Faker(locale)
    faker.seed_instance(3)
    methods = {
        "name": "name",
        "first_name": "first_name",
        "last_name": "last_name",
        "email": "email",
        "phone": "phone_number",
        "address": "address",
        "postcode": "postcode",
        "company": "company",
        "card": "credit_card_number",
        "iban": "iban",
        "ip": "ipv4",
        "url": "url",
        "user_name": "user_name",
        "national_id": "ssn",
    }
    return pa.table(
        {k: [str(getattr(faker, m)()) for _ in range(rows)] for k, m in methods.items()}
    )


@pytest.fixture(scope="module", params=["ko_KR", "en_US", "de_DE"])
def made(request: pytest.FixtureRequest) -> tuple[str, pa.Table, Anew, dict[str, list[str]]]:
    table = people(request.param)
    anew = plan(table)
    columns = anew.make(4_000, rng(5), 0, None)
    return request.param, table, anew, {n: c.to_pylist() for n, c in columns.items()}


def test_every_personal_column_is_made_whole(made: Any) -> None:
    _, table, anew, columns = made
    assert set(anew.columns) == set(table.column_names) == set(columns)
    for values in columns.values():
        assert len(values) == 4_000 and all(values)


def test_no_real_value_comes_out_of_columns_that_tell_people_apart(made: Any) -> None:
    _, table, _, columns = made
    for name in ("email", "phone", "card", "iban", "ip", "url", "user_name", "national_id"):
        assert not set(columns[name]) & set(table[name].to_pylist())
        assert len(set(columns[name])) > 0.97 * 4_000


def test_names_belong_together_within_a_row(made: Any) -> None:
    locale, _, _, columns = made
    for i in range(200):
        first, last = columns["first_name"][i], columns["last_name"][i]
        assert columns["name"][i] == (last + first if locale == "ko_KR" else f"{first} {last}")
        if locale == "ko_KR":
            assert columns["email"][i].startswith(f"{romanize(first)}.{romanize(last)}")
        elif first.isascii() and first.isalpha():
            assert columns["email"][i].startswith(first.lower())
            assert columns["user_name"][i].startswith(first.lower())


def test_numbers_pass_their_check_digits_and_were_never_given_out(made: Any) -> None:
    locale, _, _, columns = made
    assert all(luhn(v) or len(v) == 12 for v in columns["card"])
    assert all(v.startswith(("400000", "300000", "370000")) for v in columns["card"])
    assert all(mod97(v) for v in columns["iban"])
    assert all(ipaddress.ip_address(v).is_private for v in columns["ip"])
    assert all("@example." in v for v in columns["email"])
    if locale == "ko_KR":
        for v in columns["national_id"]:
            digits = v.replace("-", "")
            assert int(digits[12]) == resident_digit(digits[:12])
            assert digits[7:9] in ("97", "98", "99")
            assert 1 <= int(digits[2:4]) <= 12 and 1 <= int(digits[4:6]) <= 31
        assert all(v.split("-")[1][0] in "01" for v in columns["phone"])
    if locale == "en_US":
        assert all(v.startswith("9") and v[4] in "01234" for v in columns["national_id"])
        assert all("555" in v for v in columns["phone"])


def test_a_korean_address_and_its_postcode_are_of_the_same_region() -> None:
    table = people("ko_KR").select(["address", "name"])
    columns = plan(table).make(300, rng(2), 0, None)
    for address in columns["address"].to_pylist():
        region, city, *_ = address.split()
        assert city in PLACES[region][1]
    table = people("ko_KR").select(["postcode", "name"])
    table = table.append_column("city", pa.array([f"{c}시" for c in table["name"].to_pylist()]))
    columns = plan(table).make(300, rng(2), 0, None)
    for code, city in zip(
        columns["postcode"].to_pylist(), columns["city"].to_pylist(), strict=True
    ):
        spans = [span for span, cities in PLACES.values() if city in cities]
        assert any(a <= int(code[:2]) <= b for a, b in spans)


def test_first_names_follow_a_learned_column_of_sexes() -> None:
    anew = plan(people("en_US").select(["first_name", "name"]))
    learned = pa.table({"Gender": ["Male", "Female"] * 500})
    names = anew.make(1_000, rng(), 0, learned)["first_name"].to_pylist()
    men, women = set(anew.pools["en_US"]["first_male"]), set(anew.pools["en_US"]["first_female"])
    assert set(names[::2]) <= men and set(names[1::2]) <= women
    assert not set(anew.make(1_000, rng(), 0, None)["first_name"].to_pylist()) <= men


def test_missing_shares_are_kept() -> None:
    table = people("en_US", 2_000).select(["email", "name"])
    gone = pa.array(np.arange(2_000) % 10 < 3)
    table = table.set_column(0, "email", pc.if_else(gone, None, table["email"]))
    share = plan(table).make(20_000, rng(), 0, None)["email"].null_count / 20_000
    assert abs(share - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 20_000)


def keys_table(rows: int = 500) -> pa.Table:
    draws = rng(0)
    return pa.table(
        {
            "id": pa.array(np.arange(1, rows + 1), pa.int32()),
            "code": [f"AB-{i:04d}" for i in draws.choice(10_000, rows, replace=False)],
            "uid": [str(uuid.UUID(int=int(i), version=4)) for i in draws.integers(0, 2**62, rows)],
            "value": draws.normal(size=rows),
        }
    )


def test_keys_are_unique_across_blocks_and_never_real() -> None:
    table = keys_table()
    anew = plan(table)
    blocks = [anew.make(3_000, rng(i), i * 3_000, None) for i in range(4)]
    for name in ("id", "code", "uid"):
        values = [v for block in blocks for v in block[name].to_pylist()]
        assert len(set(values)) == 12_000
        assert not set(values) & set(table[name].to_pylist())
    assert blocks[0]["id"].type == pa.int32()
    assert all(str(uuid.UUID(v)) == v for v in blocks[0]["uid"].to_pylist())


def test_keys_depend_on_the_row_number_alone() -> None:
    anew = plan(keys_table())
    whole = anew.keys(1_000, 0)
    parts = [anew.keys(250, start) for start in range(0, 1_000, 250)]
    assert set(whole) == {"id", "code"}
    for name, column in whole.items():
        assert column.to_pylist() == [v for part in parts for v in part[name].to_pylist()]
        assert anew.make(250, rng(9), 500, None)[name].to_pylist() == parts[2][name].to_pylist()


def test_codes_keep_the_pattern_while_it_has_room() -> None:
    made = plan(keys_table()).keys(1_000, 0)["code"]
    plain = pc.match_substring_regex(made, r"^AB-\d{4}$")
    assert pc.mean(plain.cast(pa.int8())).as_py() > 0.95
    assert pc.all(pc.match_substring_regex(made, r"^AB-\d{4}([-.]\d+)*$")).as_py()


@settings(max_examples=40, deadline=None)
@given(
    st.text("A9a가-_ .", min_size=1, max_size=12),
    st.integers(0, 2**62),
    st.integers(0, 5_000),
    st.sets(st.integers(0, 999), max_size=300),
)
def test_any_pattern_gives_unique_codes_that_avoid_the_real_ones(
    pattern: str, salt: int, start: int, real: set[int]
) -> None:
    taken = pa.array([f"{i:03d}" for i in real], pa.string())
    seen = Seen.of([hashes(taken, salt)], salt)
    for shape in (pattern, "999"):
        facts = {"pattern": shape, "prefix": ""}
        made = codes(facts, np.arange(start, start + 1_500), salt, seen).to_pylist()
        assert len(set(made)) == 1_500
        assert not set(made) & set(taken.to_pylist())


def test_the_filter_holds_all_it_was_given_and_one_in_eight_others() -> None:
    real = pa.array([f"user{i}@site.com" for i in range(20_000)])
    seen = Seen.of([hashes(real.slice(0, 7_000), 5), hashes(real.slice(7_000), 5)], 5)
    assert seen.holds(real).all()
    others = seen.holds(pa.array([f"other{i}@site.com" for i in range(20_000)])).mean()
    assert 0.03 < others < 0.13
    assert not NOTHING.holds(real).any()
    assert not seen.holds(pa.nulls(3, pa.string())).any()


def test_hashes_are_spread_evenly_and_the_same_on_every_machine() -> None:
    values = hashes(pa.array([f"010-{i:04d}-{i % 97:04d}" for i in range(100_000)]), 3)
    assert len(np.unique(values)) == 100_000
    cells = np.bincount((values & np.uint64(63)).astype(int), minlength=64)
    expected = 100_000 / 64
    # chi-squared with 63 degrees of freedom: beyond 117 with probability 4e-5
    assert ((cells - expected) ** 2 / expected).sum() < 117
    assert hashes(pa.array(["x", "ab", "", "가"]), 7).tolist() == PINNED


def test_uuids_of_an_owner_repeat_as_often_as_real_ones() -> None:
    ids = [str(uuid.UUID(int=int(i), version=4)) for i in rng(0).integers(0, 2**62, 80)]
    made = plan(pa.table({"patient": ids * 4})).make(4_000, rng(), 0, None)["patient"]
    assert pc.count_distinct(made).as_py() == 1_000


def test_integer_keys_that_outgrow_their_type_are_refused() -> None:
    table = pa.table({"id": pa.array(np.arange(1, 100), pa.int8()), "v": np.zeros(99)})
    anew = plan(table)
    with pytest.raises(SamplingError, match="int8"):
        anew.make(1_000, rng(), 0, None)


def test_the_same_stream_gives_the_same_rows_and_another_other_ones() -> None:
    anew = plan(people("ko_KR"))
    first, again, other = (anew.make(50, rng(s), 0, None) for s in (1, 1, 2))
    assert all(first[n].equals(again[n]) for n in anew.columns)
    assert not any(first[n].equals(other[n]) for n in anew.columns)


def test_state_survives_json_and_makes_the_same_rows() -> None:
    table = people("ko_KR").append_column("code", keys_table(200)["code"])
    anew = plan(table)
    state, arrays = anew.to_state()
    loaded = Anew.from_state(json.loads(json.dumps(state, allow_nan=False)), arrays)
    assert loaded.columns == anew.columns
    first, again = (a.make(500, rng(4), 0, None) for a in (anew, loaded))
    assert all(first[n].equals(again[n]) for n in anew.columns)


def test_the_plan_keeps_no_real_value() -> None:
    table = people("en_US", 300).select(["email", "phone", "national_id", "user_name", "card"])
    state, _ = plan(table).to_state()
    text = json.dumps(state)
    assert not [v for c in table.columns for v in c.to_pylist() if json.dumps(v) in text]


def test_values_met_again_are_made_again_and_where_none_is_left_it_says_so() -> None:
    mark = {b"geurim.entity": b"national_id", b"geurim.locale": b"de_DE"}
    schema = pa.schema([pa.field("id no", pa.string(), metadata=mark)])
    real = [f"{i:02d}" for i in range(0, 100, 5)]
    anew = plan(pa.table([pa.array(real * 3)], schema=schema))
    made = set(anew.make(2_000, rng(), 0, None)["id no"].to_pylist())
    assert len(made) > 20 and not made & set(real)
    every = [f"{i:02d}" for i in range(100)]
    with pytest.raises(SamplingError, match="id no"):
        plan(pa.table([pa.array(every)], schema=schema)).make(10, rng(), 0, None)


def test_a_profile_alone_is_enough() -> None:
    columns = plan(people("en_US"), with_data=False).make(10, rng(), 0, None)
    assert all(len(c) == 10 for c in columns.values())


def test_text_has_lengths_like_the_real_one_and_none_of_its_words() -> None:
    draws = rng(0)
    texts = ["zzyzx " * int(n) for n in draws.integers(3, 30, 400)]
    texts = [f"{t}{i}" for i, t in enumerate(texts)]
    anew = plan(pa.table({"comment": texts}))
    made = anew.make(2_000, rng(), 0, None)["comment"].to_pylist()
    assert not any("zzyzx" in t for t in made)
    real, ours = (np.quantile([len(t) for t in v], [0.1, 0.5, 0.9]) for v in (texts, made))
    np.testing.assert_allclose(ours, real, rtol=0.15)
    korean = [f"정말 재미있게 본 영화 {i} 번째 추천합니다" for i in range(200)]
    made = plan(pa.table({"리뷰": korean})).make(50, rng(), 0, None)["리뷰"].to_pylist()
    assert all(any("가" <= c <= "힣" for c in t) for t in made)


def test_numbers_stay_numbers_and_small_blocks_work() -> None:
    cards = [v for v in people("en_US", 300)["card"].to_pylist() if len(v) == 16]
    table = pa.table({"card": pa.array([int(v) for v in cards])})
    anew = plan(table)
    made = anew.make(100, rng(), 0, None)["card"]
    assert made.type == pa.int64() and all(luhn(str(v)) for v in made.to_pylist())
    everything = plan(people("en_US"))
    for rows in (0, 1):
        assert all(len(c) == rows for c in everything.make(rows, rng(), 0, None).values())
        assert all(len(c) == rows for c in plan(keys_table()).make(rows, rng(), 0, None).values())
    assert plan(pa.table({"a": rng().normal(size=50)})).make(5, rng(), 0, None) == {}
