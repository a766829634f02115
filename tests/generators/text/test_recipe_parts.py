"""Small parts of the recipe language: sources that begin alike, keys, who wrote what, lines."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import geurim
from geurim.errors import DataError, SettingError
from geurim.generators.text.recipe import Recipe
from geurim.generators.text.run import run_text
from geurim.generators.text.seeds import as_wanted
from geurim.generators.text.teacher import Teacher
from geurim.generators.text.templates import Expression
from scripted_server import Asked, Scripted

NOBODY = Teacher.of("http://127.0.0.1:9/v1", "nobody")  # never asked


def rows_of(recipe: Recipe, rows: int | None, to: Path, seed: int = 3) -> list[dict[str, Any]]:
    result = run_text(recipe, rows, to, seed=seed)
    return pq.read_table(result.data).to_pylist()  # type: ignore[no-any-return]


def of(spec: dict[str, Any]) -> Recipe:
    return Recipe.of({"name": "test", "text": "t", **spec}).with_teachers(default=NOBODY)


# sources


def test_a_source_that_is_the_same_begins_with_the_rows_of_the_other_and_grows(
    tmp_path: Path,
) -> None:
    recipe = of(
        {
            "sources": {"seeds": ["a", "b"], "pool": {"same": "seeds"}},
            "grow": {"source": "pool", "columns": {"text": "t"}, "round": 10},
            "columns": {
                "seed": {"row": "seeds"},
                "grown": {"row": "pool"},
                "n": {"number": [1, 10**9]},
                "t": {"compute": "seed.text ~ n"},
                "from": {"compute": "grown.text"},
            },
        }
    )
    rows = rows_of(recipe, 40, tmp_path / "own")
    assert {r["from"] for r in rows[:10]} == {"a", "b"}
    assert any(r["from"] in {o["t"] for o in rows} for r in rows[10:])  # it has grown
    assert {r["t"][0] for r in rows} == {"a", "b"}  # the other one has not
    given = recipe.with_sources(seeds=pa.table({"text": ["x", "y"]}))
    assert {r["from"] for r in rows_of(given, 10, tmp_path / "given")} == {"x", "y"}


@pytest.mark.parametrize("value", [{"same": "nobody"}, {"same": "seeds", "more": 1}, {"like": "a"}])
def test_a_source_that_is_the_same_as_none_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=r"\{same: NAME\}.*seeds"):
        of({"sources": {"seeds": ["a"], "pool": value}, "columns": {"t": {"row": "pool"}}})


@pytest.mark.parametrize(
    ("against", "says"),
    [
        ({"source": "seeds", "column": "nothing"}, "no column 'nothing' in a source 'seeds'"),
        ({"source": "nobody", "column": "text"}, "in a source 'nobody'.*the sources: seeds"),
    ],
)
def test_texts_of_a_source_that_are_not_there_are_named(
    tmp_path: Path, against: dict[str, str], says: str
) -> None:
    recipe = of(
        {
            "sources": {"seeds": ["a b c"]},
            "columns": {"seed": {"row": "seeds"}, "t": {"compute": "seed.text"}},
            "steps": [{"novelty": {"against": against}}],
        }
    )
    with pytest.raises((SettingError, DataError), match=says):
        run_text(recipe, 1, tmp_path / "o", seed=1)


# keys


def test_keys_differ_and_are_those_of_a_run_again(tmp_path: Path) -> None:
    recipe = of(
        {"columns": {"id": {"key": "R-"}, "other": {"key": "R-"}, "t": {"fixed": "same text"}}}
    )
    one, two = (rows_of(recipe, 50, tmp_path / name) for name in ("a", "b"))
    assert one == two
    keys = [r["id"] for r in one] + [r["other"] for r in one]
    assert len(set(keys)) == 100
    assert all(re.fullmatch("R-[0-9A-HJKMNP-TV-Z]{10}", k) for k in keys)
    assert not {r["id"] for r in one} & {r["id"] for r in rows_of(recipe, 50, tmp_path / "c", 4)}


def test_parts_have_keys_of_their_own_and_that_of_their_row(tmp_path: Path) -> None:
    shape = {
        "type": "array",
        "items": {"type": "object", "properties": {"what": {"type": "string"}},
                  "required": ["what"]},
    }  # fmt: skip
    recipe = of(
        {
            "columns": {
                "id": {"key": "C"},
                "parts": {"compute": "[{'what': 'x'}, {'what': 'y'}]", "structured": shape},
                "keyed": {"keyed": "parts", "parent": "id", "as": "part_id"},
                "t": {"compute": "id"},
            }
        }
    )
    for row in rows_of(recipe, 3, tmp_path / "o"):
        assert row["keyed"] == [
            {"part_id": f"{row['id']}-{i}", "id": row["id"], "what": what}
            for i, what in ((1, "x"), (2, "y"))
        ]
    bad = of(
        {
            "columns": {
                "t": {"key": "C"},
                "keyed": {"keyed": "t", "parent": "t", "as": "part_id"},
            }
        }
    )
    with pytest.raises(SettingError, match="'t' is no list of records"):
        run_text(bad, 1, tmp_path / "bad", seed=1)


# who wrote it


def test_the_model_of_a_column_is_the_one_that_was_asked(tmp_path: Path) -> None:
    recipe = of(
        {
            "columns": {
                "n": {"number": [1, 10**6]},
                "t": {"prompt": "One {{ n }}", "teacher": "any"},
                "two": {"prompt": "Two {{ n }}", "teacher": "any", "samples": 2},
                "wrote": {"model": "t"},
                "wrote_two": {"model": "two"},
            }
        }
    )

    def script(asked: Asked) -> str:
        return f"by {asked.model} {asked.text}"

    with Scripted(script) as server:
        teachers = {"default": Teacher.of(server.url, "A"), "other": Teacher.of(server.url, "B")}
        rows = rows_of(recipe.with_teachers(**teachers), 20, tmp_path / "o")
    assert {r["wrote"] for r in rows} == {"A", "B"}
    for row in rows:
        assert row["t"].startswith(f"by {row['wrote']} ")
        for text, model in zip(row["two"], row["wrote_two"], strict=True):
            assert text.startswith(f"by {model} ")


def test_what_no_model_writes_has_no_model() -> None:
    with pytest.raises(SettingError, match=r"no model writes 'n'.*: t"):
        of({"columns": {"n": {"fixed": 1}, "t": {"prompt": "x"}, "m": {"model": "n"}}})


# lines


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("def a(x):\n    return x\n  class B:\n", "def a(x):\n  class B:"),
        ("x = 'def '\nundefined\n", ""),
        ("", ""),
    ],
)
def test_lines_that_begin_with_a_mark(text: str, wanted: str) -> None:
    rule = Expression("text | lines_with(['def ', 'class '])")
    assert rule.value({"text": text}) == wanted


@pytest.mark.parametrize(
    ("rows", "name", "found"),
    [
        ([{"turns": ["First?", "Second?"]}, {"turns": []}], "text", ["First?", None]),
        ([{"id": "q1", "prompt": "A?"}], "instruction", ["A?"]),
        ([{"id": "q1", "text": "A?"}], "question", ["A?"]),
        ([{"words": "A?", "number": 3}], "text", ["A?"]),
        (
            [{"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "A?"}]}],
            "text",
            ["A?"],
        ),
        (
            [{"conversations": [{"from": "human", "value": "A?"}, {"from": "gpt", "value": "B."}]}],
            "output",
            ["B."],
        ),
        ([{"instruction": "A?", "instances": [{"input": "x", "output": "B."}]}], "output", ["B."]),
        ([{"instruction": "A?", "instances": [{"input": "x", "output": "B."}]}], "input", ["x"]),
    ],
)
def test_rows_of_other_files_are_read_by_the_names_they_have(
    rows: list[dict[str, Any]], name: str, found: list[str | None]
) -> None:
    table = as_wanted(pa.Table.from_pylist(rows), [name], "queries")
    assert table[name].to_pylist() == found
    assert table.drop_columns([name]).to_pylist() == rows  # nothing else changes


def test_a_file_without_a_question_is_refused_before_anything_is_asked() -> None:
    rows = pa.table({"title": ["a"], "body": ["b"]})
    recipe = Recipe.load("orca").with_sources(queries=rows)
    with pytest.raises(DataError, match=r"'queries' needs a column 'text'.*title, body"):
        geurim.fit(None, recipe)
    assert as_wanted(rows, ["customer_id"], "customers") is rows  # not a question: its own affair


def test_dialogues_are_seeds_of_a_recipe(tmp_path: Path) -> None:
    (tmp_path / "mt.jsonl").write_text('{"question_id": 81, "turns": ["Why?", "How?"]}\n')
    fitted = geurim.fit(None, Recipe.load("orca").with_sources(queries=tmp_path / "mt.jsonl"))
    assert fitted.tables["queries"]["text"].to_pylist() == ["Why?"]  # type: ignore[attr-defined]
