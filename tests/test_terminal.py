"""What the command line draws, on a real (pseudo) terminal and off one."""

import os
import pty
import re
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from geurim.terminal import printable, table, width_of


@given(st.text())
def test_text_from_the_data_cannot_steer_the_terminal(text: str) -> None:
    shown = printable(text)
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in shown)
    assert "\x1b" in text or shown == text or len(shown) > len(text)


def test_korean_letters_take_two_columns_and_the_table_stays_aligned() -> None:
    assert width_of("나이") == 4 and width_of("age") == 3
    lines = table(["a", "b"], [("나이", "x"), ("age", "y")]).splitlines()
    assert {width_of(line[: line.index(end)]) for line, end in zip(lines, "bxy", strict=True)} == {
        6
    }


def test_numbers_stand_to_the_right() -> None:
    lines = table(["n", "x"], [("1", "a"), ("100", "b")], right="r").splitlines()
    assert lines == ["  n  x", "  1  a", "100  b"]


DRAW = """
import sys, time
from geurim.contract import Event
from geurim.terminal import bars
with bars() as progress:
    for i in range(int(sys.argv[1])):
        progress(Event(step="fit", done=i, total=100, unit="columns", note="[red]a[/red]\\x1b"))
        time.sleep(0.1)
print("done")
"""


def on_a_terminal(steps: int) -> str:
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", DRAW, str(steps)], stdout=follower, stderr=follower
    ) as child:
        os.close(follower)
        seen = b""
        while True:
            try:
                part = os.read(leader, 4096)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            seen += part
        assert child.wait() == 0
    os.close(leader)
    return seen.decode()


def test_a_bar_is_drawn_for_what_takes_longer_than_a_second() -> None:
    seen = on_a_terminal(15)
    assert "Fitting" in seen and "of 100 columns" in seen and "[red]a[/red]\\x1b" in seen


def test_no_bar_is_drawn_for_what_takes_less() -> None:
    assert "Fitting" not in on_a_terminal(3)


def test_nothing_is_drawn_where_there_is_no_terminal() -> None:
    done = subprocess.run([sys.executable, "-c", DRAW, "12"], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_a_long_run_tells_a_log_file_how_far_it_is() -> None:
    often = DRAW.replace("with bars", "import geurim.terminal as t\nt._EVERY_S = 0.35\nwith bars")
    ran = subprocess.run(
        [sys.executable, "-c", often, "10"], capture_output=True, text=True, check=True
    )
    told = ran.stderr.splitlines()
    assert 1 <= len(told) <= 3  # of ten events
    assert all(
        re.fullmatch(r"Fitting \d of 100 columns \(\[red\]a\[/red\]\\x1b\)", x) for x in told
    )
    assert ran.stdout == "done\n"
