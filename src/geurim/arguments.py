"""What every command of the command line shares: its options, its errors, its exit codes."""

from __future__ import annotations

import os
import re
import secrets
import signal
import sys
import time
import warnings
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import click

from geurim.errors import GeurimError, NotFound, SettingError, TargetExists
from geurim.language import LANGUAGES

F = TypeVar("F", bound=Callable[..., Any])

_SUFFIXES = {"k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9}


def parse_rows(text: str | int) -> int:
    """A number of rows, as people write it: 1000000, 1_000_000, 1,000,000, 1e6, 1m."""
    digits = str(text).strip().lower().replace("_", "").replace(",", "")
    factor = _SUFFIXES.get(digits[-1:], 1)
    try:
        count = Decimal(digits if factor == 1 else digits[:-1]) * factor
        if 1 <= count < 2**63 and count == int(count):
            return int(count)
    except ArithmeticError:  # not a number at all
        pass
    raise click.BadParameter(f"{text!r} is not a whole number of rows, such as 1000000, 1e6 or 1m.")


_SHARE = re.compile(r"(.+?):\s*(\d*\.?\d+(?:e-?\d+)?|[+-]\s*\d+(?:\.\d+)?%)\s*(?:,|\Z)", re.S)
"""The shortest value followed by a colon, a share or a change, and a comma or the end."""


def parse_balance(text: str, columns: list[str]) -> tuple[str, Any]:
    """`column=uniform` or `column=value:share,value:share` -> the column and what is asked of it.

    A value may hold colons, equals signs and commas: the last colon before a number ends it. The
    longest of `columns` that fits is meant, because names may hold an equals sign too; else the
    columns between commas, whose combinations are meant.
    """
    fitting = [c for c in columns if text.startswith(f"{c}=")]
    column = max(fitting, key=len, default=text.partition("=")[0])
    if column not in columns and not {c.strip() for c in column.split(",")} <= set(columns):
        raise SettingError(
            f"--balance {text!r} names no column of the model. Choose one of: {', '.join(columns)}."
        )
    asked = text[len(column) + 1 :]
    if asked == "uniform":
        return column, "uniform"
    shares: dict[str, float | str] = {}
    place = 0
    while place < len(asked) or not shares:
        found = _SHARE.match(asked, place)
        if not found:
            raise SettingError(
                f"--balance {text!r}: {asked[place:]!r} is not value:share. "
                "Write column=uniform, or column=value:share,…, such as 'income=>50K:0.5'."
            )
        shares[found[1]] = found[2] if found[2].endswith("%") else float(found[2])
        place = found.end()
    return column, shares


_TWICE_S = 1.0  # signals that come within it are one


class Main(click.Group):
    """Turns every error into one paragraph on standard error and an exit code."""

    def main(self, *args: Any, **extra: Any) -> Any:
        extra["standalone_mode"] = False
        given = extra.get("args") or (args[0] if args else None) or sys.argv[1:]
        debug = "--debug" in given or bool(os.environ.get("GEURIM_DEBUG"))
        try:
            _end_as_interrupt(signal.SIGINT, signal.SIGTERM)
            with warnings.catch_warnings():
                warnings.showwarning = _tell
                sys.exit(super().main(*args, **extra) or 0)
        except click.exceptions.Abort:
            click.echo("Interrupted: nothing was written.", err=True)
            sys.exit(130)
        except click.ClickException as error:
            error.show()
            sys.exit(2)
        except GeurimError as error:
            _explain(str(error), debug)
            sys.exit(2)
        except OSError as error:  # a full disk, a folder that cannot be written to
            where = f" ({error.filename})" if error.filename else ""
            _explain(f"{error.strerror or error}{where}. Free or choose another place.", debug)
            sys.exit(2)
        except Exception as error:
            _explain(
                f"An error that Geurim does not expect: {type(error).__name__}: {error} "
                "Run again with --debug to see where, and please report it.",
                debug,
            )
            sys.exit(3)


def _tell(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Geurim's own warnings as a paragraph; those of libraries are for programmers."""
    ctx = click.get_current_context(silent=True)
    silent = ctx is not None and isinstance(ctx.obj, Run) and ctx.obj.silent
    if category is UserWarning and not silent:
        from geurim.terminal import paragraph

        click.echo(paragraph(f"Warning: {message}"), err=True)


def _explain(message: str, debug: bool) -> None:
    """Say what went wrong; called while the error is handled, so that its traceback is at hand."""
    if debug:
        import traceback

        traceback.print_exc()
    from geurim.terminal import paragraph

    click.echo(paragraph(f"Error: {message}"), err=True)


def _end_as_interrupt(*numbers: int) -> None:
    """Let signals to end pass through `finally` clauses, so that nothing half-written stays.

    They often come twice at once (`timeout` sends its to the process and to its group), and the
    second must not break the tidying up. One that comes later ends the process where it is.
    """
    first: list[float] = []

    def interrupt(*_: object) -> None:
        if not first:
            first.append(time.monotonic())
            raise KeyboardInterrupt
        if time.monotonic() - first[0] > _TWICE_S:
            os._exit(130)

    for number in numbers:
        try:
            signal.signal(number, interrupt)
        except ValueError:  # not the main thread: leave signals alone
            return


class Run:
    """What a command shares: progress, words on the screen, the clock."""

    def __init__(self, silent: bool) -> None:
        self.silent = silent
        self.start = time.perf_counter()

    def say(self, text: str = "") -> None:
        if not self.silent:
            click.echo(text)

    def bars(self) -> Any:
        from geurim.terminal import bars

        return bars(self.silent)

    def took(self) -> str:
        return f"{time.perf_counter() - self.start:.1f} s"

    def seed(self, seed: int | None) -> int:
        """The seed given; else one is drawn and shown, so that the run can be repeated."""
        if seed is None:
            seed = secrets.randbits(32)
            self.say(f"Seed {seed} was drawn: add --seed {seed} to repeat this run.")
        return seed


def common(command: F) -> F:
    """Options that every command has."""

    def quiet(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        ctx.obj = Run(value)

    command = click.option("--debug", is_flag=True, expose_value=False, help="Show tracebacks.")(
        command
    )
    return click.option(
        "-q",
        "--quiet",
        is_flag=True,
        expose_value=False,
        callback=quiet,
        help="Say nothing but errors.",
    )(command)


def input_options(command: F) -> F:
    """Options that say what to read, besides the argument DATA."""
    for option in reversed(
        [
            click.option("--table", help="The table to read, where DATA is a database URL."),
            click.option("--query", help="A SELECT to read, where DATA is a database URL."),
            click.option("--schema", metavar="FILE", help="A schema file that overrides guesses."),
        ]
    ):
        command = option(command)
    return command


overwrite_option = click.option("--overwrite", is_flag=True, help="Replace what is there.")
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), help="Repeat a run exactly.  [default: drawn]"
)
rows_option = click.option(
    "--rows", type=parse_rows, metavar="N", required=True, help="How many: 1000000, 1e6, 1m."
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes that sample.",
)
edge_option = click.option(
    "--edge-cases",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="The share of edge cases, such as 0.05.",
)
where_option = click.option(
    "--where", metavar="RULE", help='A rule that every row meets, such as "age >= 18".'
)
balance_option = click.option(
    "--balance",
    multiple=True,
    help="Shares for the values of a column: income=uniform, 'income=>50K:0.5', age=18..30:0.5, "
    "'sex,income=F,>50K:0.25', status=unemployed:+10%.",
)
constraint_option = click.option(
    "--constraint",
    "constraints",
    multiple=True,
    metavar="RULE",
    help="What every row must keep: 'end >= start', 'total = a + b', 'zip -> city', "
    "'unique(a, b)', 'seen(a, b)', 'rising(t)'; found: the rules that hold in every real row.",
)
fair_option = click.option(
    "--fair",
    metavar="SENSITIVE:OUTCOME[=AMOUNT]",
    help="Break the link between two columns, wholly or by an amount such as 0.5.",
)
need_option = click.option(
    "--need",
    "needed",
    multiple=True,
    type=click.Choice(["conditions", "privacy"]),
    help="With --generator auto: what the rows are for.",
)
synthetic_option = click.option(
    "--synthetic-training",
    type=click.Choice(["warn", "refuse", "allow"]),
    default="warn",
    show_default=True,
    help="What is done where no row to learn from is real.",
)
limit_option = click.option(
    "--time-limit",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="The time allowed for the fit: networks stop then, and auto chooses by it.",
)
generator_option = click.option(
    "--generator", default="trees", show_default=True, help="One of `geurim generators`, or auto."
)
lang_option = click.option(
    "--lang",
    type=click.Choice(LANGUAGES),
    default="en",
    show_default=True,
    help="The language of the page.",
)
target_option = click.option(
    "--target", metavar="COLUMN", help="The column that someone would predict."
)


def parse_fair(text: str, columns: list[str]) -> tuple[str, str, float]:
    """`sex:income=0.5` -> the two columns and the amount; 1 where none is given.

    Names may hold colons and equals signs: the reading that names two columns is meant.
    """
    ends = [(text, "1")]
    if "=" in text:
        head, _, tail = text.rpartition("=")
        ends.insert(0, (head, tail))
    for head, tail in ends:
        for place in (i for i, letter in enumerate(head) if letter == ":"):
            one, other = head[:place], head[place + 1 :]
            if one in columns and other in columns and re.fullmatch(r"\d*\.?\d+", tail.strip()):
                return one, other, float(tail)
    raise SettingError(
        f"--fair {text!r} does not name two columns. Write sensitive:outcome, or "
        f"sensitive:outcome=0.5, with columns among: {', '.join(columns)}."
    )


def check_free(outputs: list[str | None], overwrite: bool) -> None:
    """Refuse before any long work what could not be written in the end."""
    for output in filter(None, outputs):
        if "://" in output:
            continue
        path = Path(output)
        if path.exists() and not overwrite:
            raise TargetExists(f"{output} exists. Choose another name, or add --overwrite.")
        folder = path.absolute().parent
        if not folder.is_dir():
            raise NotFound(f"There is no folder {path.parent} for {path.name}. Make it first.")
        if not os.access(folder, os.W_OK):
            raise NotFound(f"The folder {path.parent} cannot be written to. Choose another one.")


def refuse(ctx: click.Context, names: list[str], why: str) -> None:
    """Refuse options that would be ignored here."""
    for name in names:
        if ctx.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE:
            option = next(p.opts[0] for p in ctx.command.params if p.name == name)
            raise click.UsageError(f"{option} cannot be used {why}.")
