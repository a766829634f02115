"""Checks: the right value passes, each wrong one is refused with a reason that names it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geurim.errors import DataError, GeurimError, SettingError
from geurim.generators.text.checks import (
    CHECKS,
    Check,
    Contains,
    ExactAnswer,
    Grounded,
    JsonSchema,
    Parses,
    Passes,
    PythonRuns,
    Regex,
    Register,
    SqlRuns,
    check,
    text_of,
)
from geurim.generators.text.grounding import grounding
from geurim.generators.text.numerals import last_number, number_of, numbers
from geurim.generators.text.sandbox import Sandbox

try:
    SANDBOX: Sandbox | None = Sandbox.find()
except SettingError:
    SANDBOX = None
needs_sandbox = pytest.mark.skipif(SANDBOX is None, reason="no sandbox: see test_sandbox.py")

TABLES = (
    "create table planes (maker text, seats int); "
    "insert into planes values ('Airbus', 180), ('Boeing', 200), ('Airbus', 320)"
)
SQL = SqlRuns(schema=TABLES, expect="select maker, sum(seats) from planes group by 1")
PERSON = JsonSchema(
    schema={
        "type": "object",
        "required": ["age"],
        "properties": {
            "age": {"type": "integer", "minimum": 0},
            "born": {"type": "string", "format": "date"},
            "next": {"$ref": "#"},
        },
        "additionalProperties": False,
    }
)
PASSAGE = (
    "The Gaon Library in Busan opened on 12 May 1987 with 45,000 books. Its architect, Kim Sora, "
    "placed the reading hall under a glass roof, which was replaced in 2004 after a storm."
)
KOREAN = (
    "가온도서관은 1987년 5월 12일 부산에서 문을 열었으며 장서는 4만 5천 권이었다. "
    "건축가 김소라는 열람실을 유리 지붕 아래에 두었고, "
    "그 지붕은 태풍이 지나간 뒤 2004년에 교체되었다."
)


# (check, row, values that pass, values that are refused with a word of the reason)
CASES: list[tuple[Check, dict[str, Any], list[Any], list[tuple[Any, str]]]] = [
    (
        PERSON,
        {},
        ['{"age": 3}', '{"age": 3, "next": {"age": 4}}', '{"age": 1, "born": "2001-02-28"}'],
        [
            ('{"age": -1}', "minimum"),
            ('{"age": 3, "next": {}}', "$.next"),
            ('{"age": 3', "not JSON"),
            ('{"age": NaN}', "NaN"),
            ("{}", "required"),
            ('{"age": 1, "born": "2001-02-30"}', "2001-02-30"),
            ('{"age": 1, "x": 2}', "'x'"),
            ("[" * 100_000, "not JSON"),
            ("", "not JSON"),
        ],
    ),
    (
        Regex(pattern="[A-Z]{2}-[0-9]+"),
        {},
        ["AB-1", "ZZ-007"],
        [("AB-1 ", "AB-1"), ("xAB-1", "match"), ("AB-1\n", "match"), ("", "match")],
    ),
    (
        Passes(step="leaks"),
        {},
        ["Explain why the sky is blue.", "하늘이 왜 파란지 설명해 주세요."],
        [("#Rewritten Prompt#: explain", "prompt leaks"), ("<|im_start|>user", "prompt leaks")],
    ),
    (
        Register(wanted="register"),
        {"register": "합쇼체"},
        ["안녕하세요. 오늘은 날씨가 맑습니다. 우산은 필요하지 않습니다. 물이 100도에서 끓습니다."],
        [
            ("오늘은 날씨가 맑아요. 우산은 없어도 돼요. 산책하기 좋습니다.", "33%"),
            ("오늘은 맑다. 우산은 필요하지 않다.", "0%"),
            ("사과, 배, 수박", "no sentence end"),
        ],
    ),
    (
        Register(wanted="해요체"),
        {},
        ["먼저 물을 끓여요.\n2. 면을 넣고 3분 기다려요.\n\n## 준비물\n- 물 500ml\n- 면\n맛있겠죠?"],
        [("먼저 물을 끓입니다. 면을 넣습니다.", "0%"), ("물을 끓여. 면을 넣어.", "0%")],
    ),
    (
        Register(wanted="해체"),
        {},
        ["오늘 날씨 진짜 좋다. 우산 없어도 돼. 나중에 비 오면 내가 데리러 갈게. 걱정하지 마."],
        [("오늘은 맑다. 우산은 필요하지 않다.", "nothing else"), ("우산은 없어도 돼요.", "0%")],
    ),
    (
        Register(wanted="문어체"),
        {},
        ["기후는 오랜 기간의 평균적인 날씨를 뜻한다. 둘의 차이를 아는 것이 중요하다."],
        [("기후는 평균 날씨입니다. 날씨는 매일 달라집니다.", "0%"), ("날씨는 매일 달라져.", "0%")],
    ),
    (
        Regex(pattern="[가-힣]+", full=False),
        {},
        ["ok 좋아요"],
        [("fine", "nothing"), ("ㅋㅋ", "ㅋㅋ")],
    ),
    (
        SQL,
        {},
        [
            "select maker, sum(seats) from planes group by maker order by 2",
            "```sql\nselect maker, total(seats) from planes group by maker\n```",
            "with t as (select * from planes) select maker, sum(seats) from t group by maker",
        ],
        [
            ("select maker, count(*) from planes group by 1", "is right"),
            ("selec maker", "syntax error"),
            ("select wings from planes", "no such column"),
            ("drop table planes", "may only read"),
            ("insert into planes values ('x', 1)", "may only read"),
            ("update planes set seats = 0", "may only read"),
            ("attach '/etc/passwd' as p", "may only read"),
            ("pragma table_info(planes)", "may only read"),
            ("select * from pragma_database_list", "may only read"),
            ("vacuum into '/tmp/geurim-out.db'", "may only read"),
            ("select load_extension('libx')", "may only read"),
            ("select readfile('/etc/passwd')", "no such function"),
            ("create virtual table v using fts5(x)", "may only read"),
            ("select 1; drop table planes", "one statement"),
            ("select zeroblob(900000000)", "too big"),
            ("select replace(hex(zeroblob(400000)), '0', hex(zeroblob(1000)))", "too big"),
            ("-- nothing", "no rows"),
            ("", "no rows"),
            ("select 1\0", "null character"),
        ],
    ),
    (
        ExactAnswer(expected="answer"),
        {"answer": "1200"},
        [
            "So it is 1,200.",
            "#### 1200",
            "12 boxes of 100: 1200.0",
            "답은 1,200원입니다",
            "1천2백 명",
        ],
        [("1200 or 1201", "1201"), ("about twelve hundred", "no answer"), ("-1200", "-1200")],
    ),
    (
        ExactAnswer(expected="answer", extract="boxed"),
        {"answer": "\\frac{3}{4}"},
        ["so \\boxed{0.75}", "\\boxed{1} no, \\boxed{\\dfrac{3}{4}}", "$\\boxed{ 3/4 }$"],
        [("\\boxed{3}", "'3'"), ("\\boxed{3/4", "no answer"), ("3/4", "no answer")],
    ),
    (
        ExactAnswer(expected="B", extract="[Aa]nswer: (?P<answer>[A-D])"),
        {},
        ["Answer: B", "Answer: A. Wait. Answer: B"],
        [("Answer: A", "'A'"), ("B", "no answer")],
    ),
    (ExactAnswer(expected="3.1416", tolerance=1e-4), {}, ["3.14159"], [("3.15", "3.15")]),
    (Contains(text="word"), {"word": "Gaon"}, ["the  GAON  hall"], [("the hall", "Gaon")]),
    (
        Contains(text="passage", inside=True),
        {"passage": PASSAGE},
        ["opened on 12 May\n1987", "ＫＩＭ sora"],
        [("opened in 1987", "opened"), ("  ", "empty")],
    ),
    (
        Grounded(passage="passage"),
        {"passage": PASSAGE},
        [
            "It opened in Busan on 12 May 1987.",
            "Kim Sora designed the reading hall with a glass roof.",
            "45000 books",
            "The glass roof was replaced after a storm in 2004.",
        ],
        [
            ("It opened in 1988.", "1988"),
            ("It holds 46,000 books.", "46,000"),
            ("The library is famous for manuscripts from medieval monasteries.", "words"),
            ("Penguins breed in colonies on Antarctic shores.", "penguins"),
            ("", "nothing"),
        ],
    ),
    (
        Grounded(passage="passage"),
        {"passage": KOREAN},
        [
            "부산에서 1987년에 열었습니다.",
            "지붕은 태풍 때문에 2004년에 교체되었습니다.",
            "장서 45,000권",
        ],
        [
            ("1998년에 열었습니다.", "1998"),
            ("펭귄은 남극 해안에서 무리를 지어 번식합니다.", "펭귄"),
            ("장서는 5만 권이었습니다.", "5만"),
        ],
    ),
    (Parses(language="python"), {}, ["x = 1", "```py\nx\n```"], [("x =", "line 1"), ("", "empty")]),
    (Parses(language="json"), {}, ["[1]", "```json\n{}\n```"], [("[1,]", "json"), ("{", "json")]),
    (
        Parses(language="sql"),
        {},
        ["select a from anywhere where b = 'x;y'", "delete from t; drop table u;"],
        [
            ("select from where", "syntax"),
            ("select (1", "incomplete"),
            (";", "no statement"),
            ("\0", "null"),
        ],
    ),
]


@pytest.mark.parametrize(
    ("made", "row", "good", "bad"), CASES, ids=lambda c: getattr(c, "name", "")
)
def test_right_values_pass_and_wrong_ones_are_refused_with_a_reason(
    made: Check, row: dict[str, Any], good: list[Any], bad: list[tuple[Any, str]]
) -> None:
    for value in good:
        assert made.check(value, row) is None, value
    for value, word in bad:
        reason = made.check(value, row)
        assert reason is not None and word in reason, (value[:80], reason)
        assert "\n" not in reason and len(reason) < 600


CODE = "Here it is:\n```python\ndef double(x):\n    return 2 * x\n```\nEnjoy."
PLAIN = "assert double(2) == 4\nassert double(-1) == -2"
FUNCTIONS = (
    "def test_two():\n    assert double(2) == 4\n\ndef test_none():\n    assert double(0) == 0"
)
CLASSES = (
    "import unittest\nfrom solution import double\n"
    "class Tests(unittest.TestCase):\n"
    "    def test_two(self): self.assertEqual(double(2), 4)\n"
    "if __name__ == '__main__': unittest.main()"
)


@needs_sandbox
@pytest.mark.parametrize("tests", [PLAIN, FUNCTIONS, CLASSES, f"```python\n{PLAIN}\n```"])
def test_right_code_passes_its_tests_and_wrong_code_does_not(tests: str) -> None:
    made = PythonRuns(tests="tests", sandbox=SANDBOX)
    assert made.check(CODE, {"tests": tests}) is None
    reason = made.check(CODE.replace("2 * x", "x * x"), {"tests": tests})
    # x * x agrees on 2 and on 0: only the first tests see it
    assert (reason is None) == ("-1" not in tests)
    reason = made.check(CODE.replace("2 * x", "3 * x"), {"tests": tests})
    assert reason is not None and "AssertionError" in reason


@needs_sandbox
@pytest.mark.parametrize(
    ("code", "tests", "word"),
    [
        ("import os\nos._exit(0)", PLAIN, "before its tests"),
        ("import sys\nsys.exit(0)", PLAIN, "before its tests"),
        ("def double(x): return 2 * x\nprint('passed')\nexit()", PLAIN, "NameError"),
        ("while True: pass", PLAIN, "limit on time"),
        ("def double(x): raise ValueError('no')", PLAIN, "ValueError: no"),
        ("def double(x) return x", PLAIN, "not Python"),
        ("import numpy", PLAIN, "numpy"),
        ("```python\ndef double(x): return 2 * x", PLAIN, "not closed"),
        ("", PLAIN, "no code"),
        ("def double(x): return 2 * x", "print(double(2))", "assert nothing"),
        ("def double(x): return 2 * x", "assert True\nassert 1, 'x'", "assert nothing"),
        ("def double(x): return 2 * x", "", "assert nothing"),
        ("def double(x): return 2 * x", "assert double(", "tests are not Python"),
        ("def double(x): return 5", "def double(x): return 2 * x\n" + PLAIN, "without the code"),
        ("def double(x): return 2 * x", "assert double(2)", None),
    ],
)
def test_code_and_tests_that_cannot_be_trusted_are_refused(
    code: str, tests: str, word: str | None
) -> None:
    reason = PythonRuns(tests="t", seconds=1, sandbox=SANDBOX).check(code, {"t": tests})
    assert (reason is None) if word is None else (reason is not None and word in reason), reason


@needs_sandbox
def test_code_without_tests_only_has_to_run() -> None:
    made = PythonRuns(sandbox=SANDBOX)
    assert made.check("if __name__ == '__main__': print(1)", {}) is None
    assert "ZeroDivisionError" in str(made.check("1/0", {}))
    assert "exit code 4" in str(made.check("import sys; sys.exit(4)", {}))
    reading = PythonRuns(stdin="given", sandbox=SANDBOX)
    assert reading.check("assert input() == 'a'", {"given": "a"}) is None
    assert reading.check("assert input() == 'a'", {"given": "b"}) is not None


@needs_sandbox
def test_tests_may_be_a_template_over_the_row() -> None:
    made = PythonRuns(tests="assert {{ name }}(3) == {{ want }}", sandbox=SANDBOX)
    assert made.check(CODE, {"name": "double", "want": 6}) is None
    assert made.check(CODE, {"name": "double", "want": 7}) is not None


# Hostile values take no time


def test_a_pattern_cannot_backtrack_for_ever() -> None:
    start = time.perf_counter()
    assert Regex(pattern="(a+)+b").check("a" * 200_000, {}) is not None
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize(
    "code",
    ["-" * 10**5 + "1", "1+" * 10**5 + "1", "a" + ".b" * 10**5, "(" * 10**5, "not " * 10**5,
     "lambda:" * 10**5, "x if y else " * 10**5 + "1", "\0", "\ud800", "f'{" * 1000],
    ids=lambda code: ascii(code[:8]),
)  # fmt: skip
def test_code_that_is_made_to_break_the_parser_is_refused(code: str) -> None:
    for language in ("python", "sql", "json"):
        assert Parses(language=language).check(code, {}) is not None


def test_a_query_cannot_run_for_ever() -> None:
    endless = "with recursive r(n) as (select 1 union all select n + 1 from r) select {} from r"
    made = SqlRuns(schema=TABLES, seconds=0.2)
    start = time.perf_counter()
    assert "more than 0.2 s" in str(made.check(endless.format("count(*)"), {}))
    patient = SqlRuns(schema=TABLES, seconds=60)  # here the rows are the limit, not the time
    assert "more than 10,000 rows" in str(patient.check(endless.format("n"), {}))
    grow = f"create table t(x); insert into t {endless.format('n')}"
    assert SqlRuns(schema=grow, seconds=0.2).check("select 1", {}) is not None
    assert time.perf_counter() - start < 30


def test_set_up_that_would_reach_files_is_refused(tmp_path: Any) -> None:
    for script in (f"attach '{tmp_path}/x.db' as x", f"vacuum into '{tmp_path}/x.db'"):
        assert "cannot be made" in str(SqlRuns(schema=script).check("select 1", {}))
    assert list(tmp_path.iterdir()) == []


def test_a_schema_is_never_fetched() -> None:
    with pytest.raises(SettingError, match="itself"):
        JsonSchema(schema={"items": {"$ref": "http://127.0.0.1:9/schema"}})


def test_order_counts_where_the_expected_query_has_one() -> None:
    made = SqlRuns(schema=TABLES, expect="select seats from planes order by seats")
    assert made.check("select seats from planes order by 1", {}) is None
    assert made.check("select seats from planes order by 1 desc", {}) is not None
    inner = "select seats from planes where seats in (select seats from planes order by 1)"
    assert (
        SqlRuns(schema=TABLES, expect=inner).check("select seats from planes order by 1 desc", {})
        is None
    )


def test_rows_that_are_asked_for_have_to_come() -> None:
    empty = "select * from planes where seats < 0"
    assert SqlRuns(schema=TABLES).check(empty, {}) is None
    assert "0 rows" in str(SqlRuns(schema=TABLES, least_rows=1).check(empty, {}))


@pytest.mark.parametrize("name", [n for n in CHECKS if n != "python_runs"])
@given(value=st.text(max_size=60))
def test_no_value_makes_a_check_crash(name: str, value: str) -> None:
    settings: dict[str, dict[str, Any]] = {
        "json_schema": {"schema": {"type": "object"}},
        "regex": {"pattern": "a+"},
        "sql_runs": {"schema": TABLES, "seconds": 0.1},
        "exact_answer": {"expected": "7"},
        "contains": {"text": "x"},
        "grounded": {"passage": PASSAGE},
        "parses": {"language": "sql"},
        "register": {"wanted": "해요체"},
        "passes": {"step": "alpaca"},
    }
    reason = check(name, **settings[name]).check(value, {})
    assert reason is None or reason.strip()


# The recipe language


def test_checks_are_built_by_name() -> None:
    assert check("regex", pattern="a+") == Regex(pattern="a+")
    assert set(CHECKS) == {made.name for made, *_ in CASES} | {"python_runs"}


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("regx", {}, "Did you mean 'regex'"),
        ("zzz", {}, "Choose one of: json_schema"),
        ("regex", {"patern": "a"}, "Did you mean 'pattern'"),
        ("regex", {}, "needs the setting 'pattern'"),
        ("regex", {"pattern": "(?=a)b"}, "Lookahead"),
        ("regex", {"pattern": "a)(b"}, "regular expression"),
        ("json_schema", {"schema": {"type": "strin"}}, r"\$.type"),
        ("exact_answer", {"expected": "x", "extract": "boxd"}, "boxed"),
        ("exact_answer", {"expected": "x", "extract": "(?P<answer>"}, "regular expression"),
        ("exact_answer", {"expected": "x", "tolerance": 2}, "tolerance"),
        ("grounded", {"passage": "p", "least": 2}, "least"),
        ("parses", {"language": "cobol"}, "python, json, sql"),
    ],
)
def test_a_wrong_setting_is_refused_when_the_check_is_built(
    name: str, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(SettingError, match=words):
        check(name, **settings)


def test_a_text_is_a_column_a_template_or_itself() -> None:
    row = {"tests": "x", "list": ["가"], "none": None}
    assert text_of("tests", row) == "x"
    assert text_of("list", row) == '["가"]'
    assert text_of("a {{ tests }} {{ list[0] }}", row) == "a x 가"
    assert text_of("plain text", row) == "plain text"
    with pytest.raises(SettingError, match="Did you mean 'tests'"):
        text_of("test", row)
    with pytest.raises(SettingError, match="missing"):
        text_of("{{ missing }}", row)
    with pytest.raises(SettingError, match="template"):
        text_of("{{ tests", row)
    with pytest.raises(DataError, match="empty"):
        text_of("none", row)
    with pytest.raises(GeurimError):
        text_of("{{ tests.__class__.__mro__[1].__subclasses__() }}", row)


# Numbers


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234.50", 1234.5),
        ("-3/4", -0.75),
        ("\\frac{1}{8}", 0.125),
        ("$1,200", 1200),
        ("35%", 35),
        ("3만 5,000원", 35_000),
        ("2천5백만", 25_000_000),
        ("1.5억", 150_000_000),
        ("1조 2,000억", 1_200_000_000_000),
        ("1e3", 1000),
        ("１２", 12),
        (".5", 0.5),
        ("1/0", None),
        ("3-5", None),
        ("five", None),
        ("12 apples", None),
        ("1" * 10_000, None),
    ],
)
def test_numbers_are_read_exactly(text: str, value: float | None) -> None:
    assert (None if value is None else pytest.approx(value)) == number_of(text)


def test_the_last_number_is_the_one_that_is_written_last() -> None:
    assert last_number("3-5") == "5"  # a range, not minus five
    assert last_number("it is -5.") == "-5"
    assert last_number("10²") == "10"
    assert last_number("none") is None
    assert [str(v) for _, v in numbers("2024-01-02, 1,000 and 1,00")] == [
        *("2024", "1", "2", "1000", "1", "0")
    ]


@given(st.integers(-(10**12), 10**12))
def test_any_integer_is_read_back(number: int) -> None:
    for text in (f"{number}", f"{number:,}", f"x {number:,}."):
        assert number_of(last_number(text) or "") == number


# Grounding


def test_grounding_tells_a_passages_own_sentences_from_anothers() -> None:
    other = (
        "Volcanoes erupt when molten rock rises through cracks; ash can close airports for days."
    )
    assert grounding(PASSAGE, PASSAGE).share == 1.0
    assert grounding(other, PASSAGE).share < 0.3
    assert grounding("", PASSAGE).words == 0
    inflected = grounding("The architect's halls were roofed; storms replaced books.", PASSAGE)
    assert inflected.share > 0.7


def test_korean_endings_do_not_count_as_other_words() -> None:
    assert grounding("건축가는 김소라이며 열람실이 유리지붕 아래였다", KOREAN).share > 0.5
    assert grounding("화산은 마그마가 솟아오를 때 분출한다", KOREAN).share < 0.3


def test_json_of_a_column_keeps_its_letters() -> None:
    assert json.loads(text_of("x", {"x": {"가": 1}})) == {"가": 1}
