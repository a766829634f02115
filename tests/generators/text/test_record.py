"""The record on disk."""

import sqlite3
import subprocess
import sys
import textwrap
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geurim.errors import DataError, NotFound, TargetExists
from geurim.generators.text.record import Record, row
from geurim.generators.text.teacher import Answer, Request


def ask(text: str) -> Request:
    return Request(messages=({"role": "user", "content": text},), model="m")


def put(record: Record, text: str, answer: Answer) -> Request:
    request = ask(text)
    record.put([row(request, answer, "default", "model-1")])
    return request


def test_answers_come_back_as_they_were(tmp_path: Path) -> None:
    answer = Answer(
        text="안녕", finish="length", prompt_tokens=3, completion_tokens=None, logprobs=(-0.5, -1)
    )
    record = Record(tmp_path / "r.sqlite")
    request = put(record, "hello", answer)
    record.close()
    again = Record(tmp_path / "r.sqlite")
    found = again.get(request.key)
    assert found == Answer(**{**vars(answer), "replayed": True})
    assert again.get(ask("other").key) is None
    assert (len(again), list(again)) == (1, [(request.key, found)])
    again.close()


@pytest.fixture(scope="module")
def open_record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    return Record(tmp_path_factory.mktemp("record") / "r.sqlite")


@given(text=st.text(), said=st.text())
def test_any_text_survives(open_record: Record, text: str, said: str) -> None:
    request = put(open_record, text, Answer(text=said, finish="stop"))
    found = open_record.get(request.key)
    assert found is not None
    put(open_record, text, Answer(text=said + "!", finish="stop"))  # the first answer stays
    assert open_record.get(request.key) == found


def test_half_a_character_survives(tmp_path: Path) -> None:
    record = Record(tmp_path / "r.sqlite")
    request = put(record, "cut \ud83d", Answer(text="\ud83d", finish="length"))
    found = record.get(request.key)
    assert found is not None
    assert found.text == "\ud83d"
    record.close()


def test_a_file_that_is_no_record_is_refused_and_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("a,b\n" * 1000)
    with pytest.raises(DataError, match="no record"):
        Record(other)
    assert other.read_text() == "a,b\n" * 1000
    database = tmp_path / "shop.sqlite"
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("CREATE TABLE customers (name)")
    before = database.read_bytes()
    with pytest.raises(DataError, match="no record"):
        Record(database)
    assert database.read_bytes() == before
    with pytest.raises(DataError):
        Record(tmp_path)
    with pytest.raises(NotFound):
        Record(tmp_path / "no" / "r.sqlite")


def test_a_record_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    Record(tmp_path / "r.sqlite").close()
    with closing(sqlite3.connect(tmp_path / "r.sqlite")) as db, db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(DataError, match="99"):
        Record(tmp_path / "r.sqlite")


def test_a_second_run_is_refused_in_this_process_and_in_another(tmp_path: Path) -> None:
    record = Record(tmp_path / "r.sqlite")
    with pytest.raises(TargetExists, match="in use"):
        Record(tmp_path / "r.sqlite")
    code = "import sys; from pathlib import Path; from geurim.generators.text.record import Record"
    code += "; Record(Path(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(tmp_path / "r.sqlite")]
    other = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "in use by another run" in other.stderr
    put(record, "a", Answer(text="b", finish="stop"))  # the first goes on
    record.close()
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_what_was_put_survives_a_killed_process(tmp_path: Path) -> None:
    code = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from geurim.generators.text.record import Record, row
        from geurim.generators.text.teacher import Answer, Request
        record = Record(Path(sys.argv[1]))
        for i in range(10_000_000):
            request = Request(messages=({"role": "user", "content": str(i)},), model="m")
            record.put([row(request, Answer(text=str(i), finish="stop"), "default", "m")])
            print(i, flush=True)
    """)
    command = [sys.executable, "-c", code, str(tmp_path / "r.sqlite")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        last = -1
        while last < 200:
            last = int(process.stdout.readline())
        process.kill()
        last = max([last, *(int(line) for line in process.stdout if line.endswith("\n"))])
    record = Record(tmp_path / "r.sqlite")
    assert all(record.get(ask(str(i)).key) is not None for i in range(last + 1))
    record.close()


def test_recording_costs_little(tmp_path: Path) -> None:
    record = Record(tmp_path / "r.sqlite")
    answer = Answer(text="word " * 200, finish="stop", prompt_tokens=1, completion_tokens=2)
    requests = [ask(f"{i} " + "x" * 500) for i in range(2000)]
    start = time.process_time()
    for i in range(0, 2000, 4):
        record.put([row(r, answer, "default", "m") for r in requests[i : i + 4]])
        record.get(requests[i].key)
    per_request_ms = (time.process_time() - start) / 2000 * 1000
    record.close()
    assert per_request_ms < 0.5  # 0.05 on an idle core
