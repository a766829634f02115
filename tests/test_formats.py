"""Training forms: what goes in comes out, what cannot is refused by row, folders are whole."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from geurim.contract import Lineage, Source
from geurim.errors import DataError, NotFound, SettingError, TargetExists
from geurim.formats import (
    FORMS,
    convert,
    form_of,
    read_form,
    read_rows,
    save,
    text_columns,
    texts_of,
)
from geurim.write import write

LINEAGE = Lineage.made("alpaca", seed=7)
TURNS = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


def source_of(table: pa.Table | list[dict[str, Any]], size: int = 2) -> Source:
    """Rows in batches of two, so that row numbers go on from batch to batch."""
    table = pa.Table.from_pylist(table) if isinstance(table, list) else table
    return Source(
        schema=table.schema,
        lineage=LINEAGE,
        read=lambda: iter(table.to_batches(size)),
        rows=len(table),
    )


def converted(rows: Any, form: str, **mapping: str) -> list[dict[str, Any]]:
    made = convert(source_of(rows), form, mapping=mapping or None)
    assert made.lineage == LINEAGE
    for batch in made.read():
        assert batch.schema.equals(made.schema)
    return list(made.to_arrow().to_pylist())


def said(*turns: str, system: str | None = None) -> list[dict[str, str]]:
    """A dialogue that user and assistant take turns in."""
    names = ("user", "assistant")
    made = [{"role": names[i % 2], "content": t} for i, t in enumerate(turns)]
    return [{"role": "system", "content": system}, *made] if system else made


PAIRS = [
    {"id": 1, "question": "하나?", "answer": "둘."},
    {"id": 2, "question": "one?", "answer": "two."},
    {"id": 3, "question": "x\ny", "answer": " z "},
]
DIALOGUES = [
    {"messages": said("a", "b"), "score": 1.0},
    {"messages": said("a", "b", "c", "d", system="친절하게"), "score": None},
    {"messages": said("a", "b", "c", "d"), "score": 2.0},
]
CHOICES = [
    {"prompt": "p1", "chosen": "좋아", "rejected": "싫어"},
    {"prompt": "p2", "chosen": "b", "rejected": "c"},
    {"prompt": "p3", "chosen": "d", "rejected": "e"},
]


# Conversion


def test_pairs_become_every_form_that_holds_them() -> None:
    assert converted(PAIRS, "alpaca")[0] == {
        "instruction": "하나?", "input": "", "output": "둘.", "id": 1,
    }  # fmt: skip
    assert converted(PAIRS, "messages")[2] == {"messages": said("x\ny", " z "), "id": 3}
    assert converted(PAIRS, "sharegpt")[1]["conversations"] == [
        {"from": "human", "value": "one?"},
        {"from": "gpt", "value": "two."},
    ]
    assert converted(PAIRS, "text")[0] == {"text": "하나?\n\n둘.", "id": 1}


def test_input_and_system_go_where_they_belong() -> None:
    rows = [
        {"q": "Add.", "more": "1 2", "a": "3", "sys": "Be brief."},
        {"q": "Hello", "more": None, "a": "Hi", "sys": ""},
        {"q": "Hello", "more": " ", "a": "Hi", "sys": None},
    ]
    mapping = {"instruction": "q", "input": "more", "output": "a", "system": "sys"}
    assert converted(rows, "messages", **mapping) == [
        {"messages": said("Add.\n\n1 2", "3", system="Be brief.")},
        {"messages": said("Hello", "Hi")},
        {"messages": said("Hello", "Hi")},
    ]
    assert converted(rows, "alpaca", **mapping)[:2] == [
        {"instruction": "Add.", "input": "1 2", "output": "3", "system": "Be brief."},
        {"instruction": "Hello", "input": "", "output": "Hi", "system": ""},
    ]


def test_dialogues_go_from_form_to_form_and_back() -> None:
    shared = convert(source_of(DIALOGUES), "sharegpt")
    assert shared.to_arrow()["conversations"].to_pylist()[1][:2] == [
        {"from": "system", "value": "친절하게"},
        {"from": "human", "value": "a"},
    ]
    assert convert(shared, "messages").to_arrow().to_pylist() == DIALOGUES
    single = [{"messages": said("a", "b")}, {"messages": said("c", "d")}]
    assert converted(single, "alpaca") == [
        {"instruction": "a", "input": "", "output": "b"},
        {"instruction": "c", "input": "", "output": "d"},
    ]
    assert converted(DIALOGUES, "text")[2]["text"] == "a\n\nb\n\nc\n\nd"


def test_a_tool_may_answer_the_assistant() -> None:
    turns = [
        *said("a", "call"), {"role": "tool", "content": "{}"},
        {"role": "assistant", "content": "done"},
    ]  # fmt: skip
    assert converted([{"messages": turns}], "messages") == [{"messages": turns}]


def test_choices_as_text_and_as_messages() -> None:
    assert converted(CHOICES, "preference") == CHOICES
    lists = converted(CHOICES, "preference-messages")
    assert lists[0] == {
        "prompt": said("p1"),
        "chosen": [{"role": "assistant", "content": "좋아"}],
        "rejected": [{"role": "assistant", "content": "싫어"}],
    }
    assert converted(pa.Table.from_pylist(lists), "preference") == CHOICES


def test_the_prompt_of_whole_dialogues_is_what_both_begin_with() -> None:
    rows = [
        {"chosen": said("a", "b", "c", "yes"), "rejected": said("a", "b", "c", "no")},
        {"chosen": said("a", "b"), "rejected": said("a", "x")},
        {"chosen": said("a", "b", "c", "d"), "rejected": said("a", "b", "c", "e", "f", "g")},
    ]
    got = converted(rows, "preference-messages")
    assert [len(r["prompt"]) for r in got] == [3, 1, 3]
    assert [r["prompt"] + r["chosen"] for r in got] == [r["chosen"] for r in rows]
    assert [r["prompt"] + r["rejected"] for r in got] == [r["rejected"] for r in rows]
    repeated = [{"prompt": "a", **rows[1]}, {"prompt": "a", **rows[1]}]  # as UltraFeedback
    assert converted(repeated, "preference-messages") == [got[1], got[1]]


def test_transcripts_are_read_as_dialogues_and_as_choices() -> None:
    """HH-RLHF: two whole transcripts, and nothing that says where the prompt ends."""
    start = "\n\nHuman: Hi\nthere\n\nAssistant: Yes?\n\nHuman: Where is it?"
    rows = [
        {"chosen": start + "\n\nAssistant: Here: left.", "rejected": start + "\n\nAssistant: No."},
        {"chosen": "\n\nHuman: a\n\nHuman: b\n\nAssistant: c",
         "rejected": "\n\nHuman: a\n\nHuman: b\n\nAssistant: d"},
    ]  # fmt: skip
    got = converted(rows, "preference-messages")
    assert got[0] == {
        "prompt": said("Hi\nthere", "Yes?", "Where is it?"),
        "chosen": [{"role": "assistant", "content": "Here: left."}],
        "rejected": [{"role": "assistant", "content": "No."}],
    }
    assert got[1]["prompt"] == said("a\n\nb")  # said in two messages running
    one = [{"chosen": r["chosen"]} for r in rows]
    talks = converted(one, "messages", messages="chosen")
    assert talks[0]["messages"] == got[0]["prompt"] + got[0]["chosen"]


def test_questions_and_answers_in_lists_are_dialogues() -> None:
    """MT-bench: `turns` are the user's questions; the answers come beside them."""
    rows = [
        {"turns": ["a", "c"], "answers": ["b", "d"], "category": "writing"},
        {"turns": ["e"], "answers": ["f"], "category": "math"},
    ]
    got = converted(rows, "messages")
    assert [r["messages"] for r in got] == [said("a", "b", "c", "d"), said("e", "f")]
    assert [r["category"] for r in got] == ["writing", "math"]


PAIR = {"question": "q", "answer": "a"}
TALK = {"messages": said("a", "b")}
BAD = {
    "an empty answer": ([PAIR, PAIR, {**PAIR, "answer": "\n "}], "messages", "Row 3.*'answer'"),
    "a missing question": ([PAIR, {**PAIR, "question": None}], "alpaca", "Row 2.*'question'"),
    "assistant first": (
        [TALK, TALK, {"messages": said("a", "b")[1:]}], "sharegpt", "Row 3.*starts with the assis",
    ),
    "user last": ([TALK, {"messages": said("a", "b", "c")}], "messages", "Row 2.*ends with the u"),
    "user twice": (
        [TALK, {"messages": said("a")[:1] * 2 + said("a", "b")}], "messages", "Row 2.*user after",
    ),
    "late system": (
        [TALK, {"messages": said("a", "b") + said("c", "d", system="s")}], "text", "Row 2.*system",
    ),
    "no turns": ([TALK, {"messages": []}], "messages", "Row 2.*no turns"),
    "no dialogue": ([TALK, {"messages": None}], "messages", "Row 2.*no turns"),
    "an empty turn": ([TALK, TALK, {"messages": said("a", " ")}], "messages", "Row 3.*empty"),
    "a stranger": (
        [TALK, {"messages": [{"role": "judge", "content": "x"}]}], "messages", "Row 2.*'judge'",
    ),
    "turns for alpaca": (
        [TALK, TALK, {"messages": said("a", "b", "c", "d")}], "alpaca", "Row 3.*4 turns.*messages",
    ),
    "a lost field": (
        [{"messages": [{**t, "weight": None} for t in said("a", "b")]},
         {"messages": [{**t, "weight": 1} for t in said("a", "b")]}],
        "messages", "Row 2.*'weight'",
    ),
    "no choice": (
        [*CHOICES, {"prompt": "p", "chosen": "x", "rejected": "x"}], "preference", "Row 4.*equals",
    ),
    "no prompt": ([{"chosen": "a", "rejected": "b"}], "preference", "Row 1.*no transcript"),
    "a transcript without an answer": (
        [{"chosen": "\n\nHuman: a\n\nAssistant:", "rejected": "\n\nHuman: a\n\nAssistant: b"}],
        "preference", "Row 1: a turn of 'chosen' is empty",
    ),
    "an answer too few": (
        [{"turns": ["a", "b"], "answers": ["c", "d"]}, {"turns": ["a", "b"], "answers": ["c"]}],
        "messages", "Row 2 has 2 texts in 'turns' and 1 in 'answers'",
    ),
    "lists for alpaca": ([{"turns": ["a"], "answers": ["b"]}], "alpaca", "'turns' holds no text"),
    "a choice of the user": (
        [{"chosen": said("a", "b", "c", "d"), "rejected": said("a", "b", "x", "y")}],
        "preference-messages", "Row 1.*goes on with the user",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_row_that_cannot_be_converted_is_named(case: str) -> None:
    rows, form, message = BAD[case]
    with pytest.raises(DataError, match=message):
        converted(rows, form)


def test_what_a_form_cannot_hold_is_refused() -> None:
    with pytest.raises(SettingError, match="no form 'csv'"):
        converted(PAIRS, "csv")
    with pytest.raises(SettingError, match="without losing"):
        converted(CHOICES, "messages")
    with pytest.raises(SettingError, match="without losing"):
        converted(PAIRS, "preference")
    with pytest.raises(SettingError, match="cannot be made a training form"):
        converted([{"x": "a", "y": "b"}], "alpaca")
    with pytest.raises(SettingError, match="no column 'nowhere'"):
        converted(PAIRS, "alpaca", instruction="nowhere", output="answer")
    with pytest.raises(SettingError, match="no part 'wrong'"):
        converted(PAIRS, "alpaca", wrong="answer")
    with pytest.raises(SettingError, match=r"'input'.*would be lost"):
        mapping = {"instruction": "question", "output": "answer"}
        converted([{**PAIR, "input": "mine"}], "alpaca", **mapping)
    with pytest.raises(DataError, match="holds no text"):
        converted([{"question": 1, "answer": "x"}], "alpaca", instruction="question",
                  output="answer")  # fmt: skip


def test_notes_of_other_libraries_do_not_go_along() -> None:
    table = pa.Table.from_pylist(PAIRS).replace_schema_metadata({"huggingface": "{}", "own": "1"})
    assert convert(source_of(table), "alpaca").schema.metadata == {b"own": b"1"}


TEXT = st.text(min_size=1, max_size=20).filter(lambda t: t.strip() and "\0" not in t)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(TEXT, min_size=2, max_size=6), min_size=1, max_size=6), st.booleans())
def test_any_dialogue_survives_every_form_and_file(
    tmp_path_factory: pytest.TempPathFactory, talks: list[list[str]], system: bool
) -> None:
    rows = [
        {"messages": said(*(t[: len(t) // 2 * 2]), system="규칙" if system else None)}
        for t in talks
    ]
    folder = tmp_path_factory.mktemp("any")
    source = source_of(pa.Table.from_pylist(rows, pa.schema([("messages", TURNS)])))
    for name in ("a.jsonl", "a.parquet"):
        write(convert(source, "sharegpt"), folder / name)
        again = convert(read_rows(folder / name), "messages")
        assert again.to_arrow().to_pylist() == rows
    write(source, folder / "b.jsonl")
    lines = (folder / "b.jsonl").read_text(encoding="utf-8").split("\n")
    assert [json.loads(x) for x in lines if x] == rows


# JSON Lines with lists inside

NESTED = pa.table(
    {
        "turns": pa.array([said("안녕 \"x\"\n", "\\"), [], None, [None]], TURNS),
        "numbers": pa.array([[1, None], None, [], [3]], pa.list_(pa.int64())),
        "pair": pa.array([[1.5, 2.0], [3.0, None], None, [5.0, 6.0]], pa.list_(pa.float64(), 2)),
        "struct": pa.array([{"a b": 1}, None, {"a b": None}, {"a b": 2}]),
        "empty": pa.array([{}, None, {}, {}], pa.struct([])),
        "deep": pa.array([[[True], []], [None], None, []], pa.list_(pa.list_(pa.bool_()))),
        "large": pa.array(["한", "글", None, "é"], pa.large_string()),
        "code": pa.array(["한", "글", None, "한"]).dictionary_encode(),
    }
)  # fmt: skip


@pytest.mark.parametrize("start", [0, 1, 3])
def test_nested_columns_are_written_as_json_knows_them(tmp_path: Path, start: int) -> None:
    table = NESTED.slice(start)
    where = write(source_of(table, 3), tmp_path / "x.jsonl")
    text = Path(where).read_text(encoding="utf-8")
    assert [json.loads(line) for line in text.splitlines()] == table.to_pylist()
    assert "\\u" not in text and ("안녕" in text or start)


def test_a_map_with_keys_of_text_is_an_object(tmp_path: Path) -> None:
    column = pa.array([[("a", 1), ("나", None)], [], None], pa.map_(pa.string(), pa.int8()))
    where = write(source_of(pa.table({"m": column})), tmp_path / "x.jsonl")
    assert Path(where).read_text().splitlines() == [
        '{"m":{"a":1,"나":null}}', '{"m":{}}', '{"m":null}',
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "kind", "said"),
    [
        ([[b"x"]], pa.list_(pa.binary()), r"'m\[\]' cannot be written as text"),
        ([{"b": b"x"}], pa.struct([("b", pa.binary())]), r"'m\.b' cannot be written as text"),
        ([[float("inf")]], pa.list_(pa.float64()), r"'m\[\]' holds infinite"),
        ([[(1, 2)]], pa.map_(pa.int8(), pa.int8()), "'m' cannot be written as text"),
    ],
)
def test_what_json_cannot_hold_is_named_by_the_way_to_it(
    tmp_path: Path, values: Any, kind: pa.DataType, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        write(source_of(pa.table({"m": pa.array(values, kind)})), tmp_path / "x.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_csv_still_refuses_lists(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'turns' cannot be written as text"):
        write(source_of(NESTED), tmp_path / "x.csv")


# Reading


def lines(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))
    return path


def test_rows_are_read_as_they_stand(tmp_path: Path) -> None:
    rows = [
        {"day": "2024-01-31", "code": "007", "turns": [{"when": "2024-01-01"}], "none": None},
        {"day": "2024-02-01", "code": "008", "turns": [], "list": []},
    ]
    got = read_rows(lines(tmp_path / "a.jsonl", *rows))
    assert got.rows == 2 and got.lineage.real
    assert got.to_arrow().to_pylist() == [
        {"day": "2024-01-31", "code": "007", "turns": [{"when": "2024-01-01"}], "none": None,
         "list": None},
        {"day": "2024-02-01", "code": "008", "turns": [], "none": None, "list": []},
    ]  # fmt: skip
    assert got.schema.field("list").type == pa.list_(pa.string())


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.json", "a.parquet", "a.arrow"])
def test_every_kind_of_file_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.json":
        path.write_text(json.dumps(DIALOGUES))
    else:
        write(source_of(DIALOGUES), path)
    got = read_rows(path)
    assert got.to_arrow().to_pylist() == DIALOGUES == got.to_arrow().to_pylist()
    assert read_form(path) == "messages"
    if name in ("a.parquet", "a.arrow"):
        assert got.lineage == LINEAGE


def test_types_are_widened_over_the_whole_file(tmp_path: Path) -> None:
    many = [{"x": 1, "t": [{"a": "k" * 1000}]} for _ in range(5000)]
    path = lines(tmp_path / "a.jsonl", *many, {"x": 1.5, "t": [{"a": "z", "b": 1}]})
    got = read_rows(path).to_arrow()
    assert len(got) == 5001 and got.schema.field("x").type == pa.float64()
    assert got["t"][5000].as_py() == [{"a": "z", "b": 1}]
    assert got["t"][0].as_py() == [{"a": "k" * 1000, "b": None}]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.jsonl", '{"x": 1}\n{"x": "a"}\n', "one type"),
        ("a.jsonl", '{"x": 1}\nhello\n', "one object a line"),
        ("a.json", '{"x": 1}', "no array"),
        ("a.json", "[]", "no array"),
        ("a.json", '[{"x": 1}, {"x": "a"}]', "cannot be read"),
        ("a.json", "[" * 100_000, "cannot be read"),
        ("a.parquet", "PAR1", "cannot be read"),
    ],
)
def test_files_that_cannot_be_read_are_named(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=said) as caught:
        read_rows(tmp_path / name)
    assert name in str(caught.value)
    with pytest.raises(NotFound):
        read_rows(tmp_path / "nowhere.jsonl")


def test_a_file_that_changed_is_noticed(tmp_path: Path) -> None:
    source = read_rows(lines(tmp_path / "a.jsonl", PAIR))
    lines(tmp_path / "a.jsonl", PAIR, PAIR)
    with pytest.raises(DataError, match="has changed"):
        source.to_arrow()


def test_forms_are_told_by_names_and_types() -> None:
    for form, schema in FORMS.items():
        assert form_of(schema) == form
        assert text_columns(schema) == schema.names
    for rows in (PAIRS, [{"messages": "text"}], [{"instruction": 1, "output": 2}]):
        assert form_of(pa.Table.from_pylist(rows).schema) is None


def test_the_columns_of_text_are_found() -> None:
    def found(**columns: Any) -> list[str]:
        return text_columns(pa.table({n: [v] for n, v in columns.items()}).schema)

    assert found(id="a", question="q", answer="b", score=1) == ["question", "answer"]
    assert found(id="a", review="good", rating=9) == ["review"]
    assert found(doc_id="a", label="x", 본문="글") == ["본문"]
    assert found(category="a", turns=["q", "r"]) == ["turns"]
    assert found(talk=said("a", "b"), text_id="x") == ["talk"]
    assert found(label="only") == ["label"]
    with pytest.raises(DataError, match="x, y"):
        found(x=1, y=[2])


def test_texts_join_what_is_said() -> None:
    def texts(rows: Any, column: Any = None) -> list[str]:
        batch = source_of(rows, 99).to_arrow().combine_chunks().to_batches()[0]
        made = texts_of(batch, column)
        assert made.type == pa.string() and made.null_count == 0
        return list(made.to_pylist())

    assert texts(DIALOGUES) == ["a\nb", "친절하게\na\nb\nc\nd", "a\nb\nc\nd"]
    assert texts([{"instruction": "a", "input": "", "output": "b"}]) == ["a\nb"]
    assert texts(CHOICES)[0] == "p1\n좋아\n싫어"
    assert texts(PAIRS, "answer") == ["둘.", "two.", " z "]
    assert texts(PAIRS, ["answer", "question"])[1] == "two.\none?"
    assert texts([{"turns": ["a", None, "b"]}, {"turns": None}]) == ["a\n\nb", ""]
    assert texts([{"text": None}, {"text": "x"}]) == ["", "x"]
    none = [{"question": None, "answer": None}, PAIR]
    assert texts(none) == ["", "q\na"]
    with pytest.raises(DataError, match="no column 'b'"):
        texts(PAIRS, "b")
    with pytest.raises(DataError, match="'id' holds no text"):
        texts(PAIRS, "id")


# Folders


def front(folder: Path) -> dict[str, Any]:
    text = (folder / "README.md").read_text(encoding="utf-8")
    head = text.removeprefix("---\n").split("\n---\n")[0]
    return dict(yaml.safe_load(head))


@pytest.mark.parametrize("files", ["parquet", "jsonl"])
def test_a_folder_tells_what_is_in_it(tmp_path: Path, files: str) -> None:
    rows = [{"question": f"질문 {i}", "answer": f"답 {i}", "n": i} for i in range(50)]
    folder = save(source_of(rows), tmp_path / "data", "messages", holdout=0.2, seed=1, files=files)
    names = {"parquet": "{}-00000-of-00001.parquet", "jsonl": "{}.jsonl"}[files]
    held = sorted(p.name for p in (folder / "data").iterdir())
    assert held == sorted(names.format(s) for s in ("train", "test"))
    head = front(folder)
    (config,) = head["configs"]
    paths = {d["split"]: d["path"] for d in config["data_files"]}
    counts = {s["name"]: s["num_examples"] for s in head["dataset_info"]["splits"]}
    assert counts == {"train": 40, "test": 10} and config["config_name"] == "default"
    assert head["dataset_info"]["features"] == [
        {"name": "messages", "list": [{"name": "role", "dtype": "string"},
                                      {"name": "content", "dtype": "string"}]},
        {"name": "n", "dtype": "int64"},
    ]  # fmt: skip
    parts = {s: read_rows(folder / p).to_arrow().to_pylist() for s, p in paths.items()}
    assert {s: len(p) for s, p in parts.items()} == counts
    whole = sorted((r for p in parts.values() for r in p), key=lambda r: r["n"])
    assert whole == converted(rows, "messages")
    assert read_rows(folder).rows == 40
    assert str(tmp_path) not in (folder / "README.md").read_text()
    if files == "parquet":
        assert read_rows(folder).lineage == LINEAGE


def test_the_lot_is_drawn_with_the_seed(tmp_path: Path) -> None:
    rows = [{"text": f"{i}"} for i in range(40)]

    def test_rows(name: str, seed: int) -> set[str]:
        folder = save(source_of(rows), tmp_path / name, "text", holdout=0.25, seed=seed)
        table = pq.read_table(folder / "data" / "test-00000-of-00001.parquet")
        return set(table["text"].to_pylist())

    assert test_rows("a", 1) == test_rows("b", 1) != test_rows("c", 2)
    with pytest.raises(SettingError, match="Give a seed"):
        save(source_of(rows), tmp_path / "d", "text", holdout=0.2)
    with pytest.raises(SettingError, match="held out"):
        save(source_of(rows), tmp_path / "d", "text", holdout=1.0, seed=1)
    with pytest.raises(SettingError, match="'csv'"):
        save(source_of(rows), tmp_path / "d", "text", files="csv")


def test_a_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    bad = [*PAIRS, {"id": 4, "question": "q", "answer": ""}]
    with pytest.raises(DataError, match="Row 4"):
        save(source_of(bad), tmp_path / "data", "alpaca")
    assert list(tmp_path.iterdir()) == []
    folder = save(source_of(PAIRS), tmp_path / "data", "alpaca")
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    with pytest.raises(DataError, match="Row 4"):
        save(source_of(bad), folder, "alpaca", overwrite=True)
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
    with pytest.raises(TargetExists, match="holds a data set already"):
        save(source_of(PAIRS), folder, "alpaca")
    save(source_of(PAIRS), folder, "messages", overwrite=True)
    assert read_form(folder) == "messages" and list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("name", ["mine.txt", "data/mine.parquet"])
def test_a_folder_with_files_of_others_is_never_replaced(tmp_path: Path, name: str) -> None:
    folder = save(source_of(PAIRS), tmp_path / "data", "alpaca")
    (folder / name).write_text("precious")
    with pytest.raises(TargetExists, match=r"mine"):
        save(source_of(PAIRS), folder, "alpaca", overwrite=True)
    assert (folder / name).read_text() == "precious"
    (tmp_path / "file").write_text("x")
    with pytest.raises(TargetExists, match="is a file"):
        save(source_of(PAIRS), tmp_path / "file", "alpaca", overwrite=True)


def test_no_rows_make_no_folder(tmp_path: Path) -> None:
    def nothing() -> Iterator[pa.RecordBatch]:
        return iter(())

    schema = pa.schema([("text", pa.string())])
    source = Source(schema=schema, lineage=LINEAGE, read=nothing)
    with pytest.raises(DataError, match="no row"):
        save(source, tmp_path / "data", "text")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("files", ["parquet", "jsonl"])
@pytest.mark.parametrize("form", FORMS)
def test_the_library_datasets_opens_the_folder(
    tmp_path: Path, form: str, files: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    rows = CHOICES if "preference" in form else [{**r, "tags": ["가", "b"]} for r in PAIRS]
    folder = save(source_of(rows), tmp_path / "d", form, holdout=0.3, seed=1, files=files)
    got = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert {k: len(v) for k, v in got.items()} == {"train": 2, "test": 1}
    assert got["train"].to_list() == read_rows(folder).to_arrow().to_pylist()


def test_packed_lines_are_the_same_lines(tmp_path: Path) -> None:
    source = convert(source_of(DIALOGUES), "messages")
    write(source, tmp_path / "a.jsonl")
    write(source, tmp_path / "b.jsonl.gz")
    assert (
        gzip.decompress((tmp_path / "b.jsonl.gz").read_bytes())
        == (tmp_path / "a.jsonl").read_bytes()
    )
