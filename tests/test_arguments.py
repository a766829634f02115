"""What every command shares: numbers, shares, refusals, exit codes."""

import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from geurim.arguments import Main, check_free, parse_balance, parse_rows
from geurim.errors import DataError, NotFound, SettingError, TargetExists


@pytest.mark.parametrize(
    "text,count",
    [
        ("1000000", 10**6),
        ("1_000_000", 10**6),
        ("1,000,000", 10**6),
        ("1e6", 10**6),
        ("1E6", 10**6),
        ("1m", 10**6),
        ("1.5M", 1_500_000),
        ("10k", 10_000),
        ("2b", 2 * 10**9),
        (" 7 ", 7),
    ],
)
def test_rows_are_read_as_people_write_them(text: str, count: int) -> None:
    assert parse_rows(text) == count


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "1.2345k", "many", "", "nan", "inf", "1e400"])
def test_what_is_no_whole_number_of_rows_is_refused_with_the_value(text: str) -> None:
    with pytest.raises(click.BadParameter) as caught:
        parse_rows(text)
    assert repr(text) in str(caught.value)


@given(st.integers(1, 2**62))
def test_any_count_is_read_back(count: int) -> None:
    assert parse_rows(str(count)) == parse_rows(f"{count:,}") == parse_rows(f"{count:_}") == count


@pytest.mark.parametrize(
    "text,meant",
    [
        ("income=uniform", ("income", "uniform")),
        ("income=>50K:0.5", ("income", {">50K": 0.5})),
        ("income=>50K:.5,<=50K:0.5", ("income", {">50K": 0.5, "<=50K": 0.5})),
        ("a=b=x:1", ("a=b", {"x": 1.0})),
        ("income=a:b:0.25", ("income", {"a:b": 0.25})),
        ("income=10:30:0.5,uniform:0.5", ("income", {"10:30": 0.5, "uniform": 0.5})),
        ("income=Kim, Lee:0.1", ("income", {"Kim, Lee": 0.1})),
        ("income==:1e-3", ("income", {"=": 0.001})),
    ],
)
def test_balance_is_read(text: str, meant: tuple[str, object]) -> None:
    assert parse_balance(text, ["income", "a", "a=b"]) == meant


@given(
    st.text(min_size=1),
    st.text(min_size=1).filter(lambda value: "," not in value),
    st.floats(0, 1),
)
def test_any_value_of_any_column_can_be_balanced(column: str, value: str, share: float) -> None:
    text = f"{column}={value}:{share:.6f}"
    assert parse_balance(text, [column]) == (column, {value: pytest.approx(share, abs=1e-6)})


@pytest.mark.parametrize("text", ["income", "income=", "age=uniform", "income=x", "income=x:y"])
def test_a_balance_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match="--balance"):
        parse_balance(text, ["income"])


def test_outputs_are_refused_before_any_work(tmp_path: Path) -> None:
    there = tmp_path / "there.csv"
    there.touch()
    check_free([None, str(tmp_path / "new.csv"), "postgresql://host/base"], False)
    check_free([str(there)], True)
    with pytest.raises(TargetExists, match="--overwrite"):
        check_free([str(there)], False)
    with pytest.raises(NotFound, match="no folder"):
        check_free([str(tmp_path / "nowhere" / "new.csv")], False)


def ending(error: BaseException | int, *arguments: str) -> Result:
    """How a command ends that raises `error` (or exits with it)."""

    @click.group(cls=Main)
    def group() -> None:
        pass

    @group.command()
    @click.option("--debug", is_flag=True, expose_value=False)
    @click.pass_context
    def work(ctx: click.Context) -> None:
        if isinstance(error, int):
            ctx.exit(error)
        raise error

    return CliRunner().invoke(group, ["work", *arguments])


@pytest.mark.parametrize(
    "error,code",
    [
        (0, 0),
        (1, 1),
        (DataError("The table has no rows."), 2),
        (click.UsageError("Give DATA."), 2),
        (OSError(28, os.strerror(28), "out.csv"), 2),
        (ZeroDivisionError("division by zero"), 3),
        (KeyboardInterrupt(), 130),
    ],
)
def test_every_way_to_end_has_its_exit_code_and_no_traceback(
    error: BaseException | int, code: int
) -> None:
    done = ending(error)
    assert done.exit_code == code
    assert "Traceback" not in done.output
    assert done.stdout == ""
    if isinstance(error, Exception):
        assert (error.strerror if isinstance(error, OSError) else str(error)) in done.stderr


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Traceback" in ending(DataError("x"), "--debug").stderr
    monkeypatch.setenv("GEURIM_DEBUG", "1")
    assert "Traceback" in ending(ZeroDivisionError("x")).stderr
