"""The recipe language: order, errors with lines, templates, every recipe that ships."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from geurim.errors import GeurimError, NotFound, SettingError
from geurim.generators.text.columns import Scope
from geurim.generators.text.recipe import Recipe, names, shipped
from geurim.generators.text.templates import Expression, Template
from geurim.nodes import parse_yaml


def recipe(**columns: object) -> Recipe:
    return Recipe.of({"name": "test", "columns": columns})


def test_columns_come_after_what_they_refer_to() -> None:
    made = recipe(c={"compute": "a ~ b"}, b={"compute": "a ~ 'x'"}, a={"choose": ["one", "two"]})
    assert list(made.columns) == ["a", "b", "c"]


def test_circle_is_told_with_the_names() -> None:
    with pytest.raises(SettingError, match=r"need each other: a, b"):
        recipe(a={"compute": "b"}, b={"compute": "a"})


def test_unknown_name_in_a_prompt_names_the_near_one() -> None:
    with pytest.raises(SettingError, match=r"refers to 'topik'.*'topic'"):
        recipe(topic={"choose": ["x"]}, q={"prompt": "Ask about {{ topik }}"})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("columns:\n  a: {chose: [x]}\n", r"r.yaml, line 2, column 3: columns.a: this column"),
        ("columns:\n  a:\n    choose: []\n", r"line 3, column 5: columns.a.choose: \[\] was given"),
        ("columns:\n  a:\n    prompt: x\n    sytem: y\n", r"line 4, column 5: .*mean 'system'"),
        ("columns:\n  a: {number: [5, 1]}\n", r"line 2, column 7: .*Give the two ends"),
        ("columns:\n  a: {prompt: '{{ x'}\n", r"line 2, column 7: .*template"),
        ("colums:\n  a: {choose: [x]}\n", r"line 1, column 1: colums: .*'columns'"),
        ("columns:\n  a: {choose: [x]}\n  a: {choose: [y]}\n", r"line 3, column 3: columns.a is"),
        ("columns: {a: [\n", r"r.yaml, line 2, column 1: this is not YAML"),
        ("columns:\n  run: {choose: [x]}\n", r"'run' has a meaning of its own"),
        ("columns:\n  a b: {choose: [x]}\n", r"cannot stand in a template"),
        ("columns:\n  a: {choose: [x], prompt: y}\n", r"the kinds choose, prompt"),
        ("columns:\n  a: {row: seeds}\n", r"there is no source 'seeds'"),
        ("columns:\n  a: {choose: [x]}\neach: a\n", r"no column has `row: a`"),
        ("columns:\n  a: {choose: [x]}\ntext: b\n", r"there is no column 'b'"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(text)
    with pytest.raises(SettingError, match=says):
        Recipe.load(file)


def test_file_that_is_not_there_and_unknown_name() -> None:
    with pytest.raises(NotFound, match=r"nothing\.yaml"):
        Recipe.load("nothing.yaml")
    with pytest.raises(SettingError, match="alpaca"):
        Recipe.load("alpacca")


def test_every_shipped_recipe_reads_and_says_what_it_makes() -> None:
    assert names()
    for name in names():
        made = Recipe.load(name)
        assert made.name == name
        assert made.about and made.text
        assert shipped(name).startswith(f"name: {name}\n")


def test_json_braces_in_a_prompt_are_text() -> None:
    node = parse_yaml('a: \'Answer with {"x": [1, {"y": 2}]} for {{ who }}\'')
    template = Template.of(node.need("a"))
    assert template.refers == {"who"}
    assert template.render({"who": "me"}) == 'Answer with {"x": [1, {"y": 2}]} for me'


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ who.__class__ }}",
        "{% for i in range(10**9) %}x{% endfor %}",
        "{{ missing }}",
    ],
)
def test_templates_cannot_leave_their_sandbox(text: str) -> None:
    with pytest.raises((SettingError, OverflowError)):
        Template(text).render({"who": "x"})


def test_expressions_change_no_data() -> None:
    row = {"items": [1, 2]}
    with pytest.raises(SettingError):
        Expression("items.append(3)").value(row)
    assert row == {"items": [1, 2]}
    assert Expression("items | sum + 1").value(row) == 4


def draw(made: Recipe, name: str, count: int) -> list[object]:
    column = made.columns[name]
    rng = np.random.default_rng(3)
    seeds = rng.integers(2**63, size=count).tolist()
    return [column.begin(name, Scope(row={}, seed=s))() for s in seeds]


def test_weights_are_kept_and_other_weights_are_told_apart() -> None:
    """Level 1e-4, two-sided, of a binomial share: 3.9 standard errors."""
    drawn = draw(recipe(a={"choose": {"x": 3, "y": 1}}), "a", 4000)
    share = drawn.count("x") / 4000
    error = 3.9 * (0.75 * 0.25 / 4000) ** 0.5
    assert abs(share - 0.75) < error
    assert abs(share - 0.70) > error


def test_numbers_stay_within_their_ends_and_reach_them() -> None:
    drawn = draw(recipe(a={"number": [1, 3]}), "a", 200)
    assert set(drawn) == {1, 2, 3}
    real = draw(recipe(a={"number": {"normal": [50, 10], "from": 40, "decimals": 1}}), "a", 500)
    assert min(real) == 40 and all(round(v, 1) == v for v in real)  # type: ignore[type-var,call-overload]


def test_persona_is_of_its_locale_and_repeatable() -> None:
    made = recipe(a={"persona": "ko-KR"})
    one, two = draw(made, "a", 2), draw(made, "a", 2)
    assert one == two and one[0] != one[1]
    assert {p["sex"] for p in draw(made, "a", 50)} == {"남성", "여성"}  # type: ignore[index]
    with pytest.raises(SettingError, match="locale"):
        recipe(a={"persona": "xx_YY"})


def test_a_new_column_does_not_change_what_others_draw() -> None:
    one = recipe(a={"choose": list("abcdefgh")})
    two = recipe(z={"number": [1, 9]}, a={"choose": list("abcdefgh")})
    assert draw(one, "a", 50) == draw(two, "a", 50)


def test_a_column_can_be_fixed() -> None:
    made = recipe(a={"choose": ["x", "y"]}).with_values(a="z")
    assert draw(made, "a", 3) == ["z"] * 3
    with pytest.raises(SettingError, match="no column 'b'"):
        made.with_values(b=1)


def test_same_mapping_is_the_same_recipe() -> None:
    one, two = recipe(a={"choose": ["x"]}), recipe(a={"choose": ["x"]})
    assert one == two and one.digest == two.digest
    assert one.digest != recipe(a={"choose": ["y"]}).digest


def test_source_that_a_recipe_does_not_read_is_refused() -> None:
    with pytest.raises(GeurimError, match="no source 'rows'"):
        recipe(a={"choose": ["x"]}).with_sources(rows=pa.table({"x": [1]}))
