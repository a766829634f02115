"""The engine against a real server that misbehaves on purpose."""

import itertools
import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from geurim.contract import Event
from geurim.errors import BudgetExceeded, SettingError, TeacherFailed
from geurim.generators.text.budget import Budget
from geurim.generators.text.session import Session
from geurim.generators.text.teacher import Request, Teacher
from misbehaving_server import Misbehaving, answer_to


@pytest.fixture
def server() -> Iterator[Misbehaving]:
    with Misbehaving() as running:
        yield running


def teacher(server: Misbehaving, **settings: Any) -> Teacher:
    return Teacher.of(server.url, "m", **settings)


def ask(text: object, **more: Any) -> Request:
    return Request(messages=({"role": "user", "content": f"question {text}"},), model="m", **more)


def expected(text: object, words: int = 20) -> str:
    return answer_to(f"question {text}", words)


def test_every_request_gets_its_own_answer(server: Misbehaving) -> None:
    with Session(teacher(server)) as session:
        futures = [session.ask(ask(i)) for i in range(500)]
        assert [f.result(20).text for f in futures] == [expected(i) for i in range(500)]
        usage = session.usage
    assert (usage.requests, usage.completion_tokens, usage.cost) == (500, 500 * 20, None)
    assert server.stats.answered == 500


def test_many_threads_may_ask(server: Misbehaving) -> None:
    got: dict[int, str] = {}
    with Session(teacher(server)) as session:

        def work(start: int) -> None:
            for i in range(start, start + 25):
                got[i] = session.ask(ask(i)).result(20).text

        threads = [threading.Thread(target=work, args=(n,)) for n in range(0, 200, 25)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert got == {i: expected(i) for i in range(200)}


def test_a_request_under_way_is_not_sent_twice(server: Misbehaving) -> None:
    with Session(teacher(server)) as session:
        futures = [session.ask(ask("same")) for _ in range(10)]
        other = session.ask(ask("same", sample=1))
        assert {f.result(20).text for f in [*futures, other]} == {expected("same")}
        assert session.usage.replayed == 9
    assert server.stats.requests == 2


def test_a_second_run_replays_and_pays_nothing(server: Misbehaving, tmp_path: Path) -> None:
    priced = teacher(server, input_usd=1.0, output_usd=2.0)
    with Session(priced, tmp_path / "r.sqlite") as session:
        first = [session.ask(ask(i)).result(20) for i in range(20)]
        assert session.usage.cost == pytest.approx((20 * (len("question 1") // 4) + 800) / 1e6)
    with Session(priced, tmp_path / "r.sqlite", Budget(requests=0)) as session:
        again = [session.ask(ask(i)).result(20) for i in range(20)]
        assert all(answer.replayed for answer in again)
        assert [a.text for a in again] == [a.text for a in first]
        assert (session.usage.replayed, session.usage.requests, session.usage.cost) == (20, 0, 0.0)
    assert server.stats.requests == 20


def test_a_burst_of_refusals_wastes_few_and_loses_nothing() -> None:
    with Misbehaving(latency=0.1, burst=(500, 1.0), retry_after=0.3) as server:
        with Session(teacher(server)) as session:
            futures = [session.ask(ask(i)) for i in range(2000)]
            assert [f.result(60).text for f in futures] == [expected(i) for i in range(2000)]
            usage = session.usage
        assert 0 < server.stats.refused < 64
        assert usage.refused == server.stats.refused
        assert server.stats.repeated == 0
        assert usage.retried == 0


@pytest.mark.parametrize("status", [429, 503, 529])
def test_refusals_burn_no_retry(status: int) -> None:
    with (
        Misbehaving(burst=(0, 1.2), retry_after=0.05, refusal=status) as server,
        Session(teacher(server, tries=1)) as session,
    ):
        assert session.ask(ask(1)).result(20).text == expected(1)
        assert session.usage.refused >= 3
        gaps = [b - a for a, b in itertools.pairwise(server.stats.refused_at)]
        assert min(gaps) >= 0.05


def test_endless_refusals_end_in_an_error() -> None:
    with (
        Misbehaving(burst=(0, 60.0), retry_after=0.05) as server,
        Session(teacher(server, patience_s=0.5)) as session,
    ):
        futures = [session.ask(ask(i)) for i in range(50)]
        for future in futures:
            with pytest.raises(TeacherFailed, match=r"refused everything.*Rate limit reached"):
                future.result(20)


def test_errors_drops_and_broken_json_are_tried_again() -> None:
    with (
        Misbehaving(error_every=9, drop_every=16, garble_every=25, refuse_every=30) as server,
        Session(teacher(server, tries=8)) as session,
    ):
        futures = [session.ask(ask(i)) for i in range(100)]
        assert [f.result(60).text for f in futures] == [expected(i) for i in range(100)]
        assert session.usage.retried > 15
        assert session.usage.failed == 0


def test_an_error_that_stays_is_that_requests_failure() -> None:
    with Misbehaving(errors=2) as server, Session(teacher(server, tries=2)) as session:
        with pytest.raises(TeacherFailed, match=r"no answer in 2 tries.*500: internal error"):
            session.ask(ask(1)).result(20)
        assert session.ask(ask(2)).result(20).text == expected(2)
        assert session.usage.failed == 1


def test_many_lost_in_a_row_end_the_run() -> None:
    with Misbehaving(errors=10**9) as server, Session(teacher(server, tries=1)) as session:
        futures = [session.ask(ask(i)) for i in range(500)]
        said = []
        for future in futures:
            with pytest.raises(TeacherFailed) as error:
                future.result(20)
            said.append(str(error.value))
        assert "20 requests in a row were lost" in said[-1]
        with pytest.raises(TeacherFailed, match="in a row"):
            session.ask(ask("later")).result(20)
    assert server.stats.requests < 100


def test_a_hanging_server_is_given_up_and_asked_again() -> None:
    with (
        Misbehaving(hang_every=10) as server,
        Session(teacher(server, timeout_s=0.3)) as session,
    ):
        futures = [session.ask(ask(i)) for i in range(50)]
        assert [f.result(30).text for f in futures] == [expected(i) for i in range(50)]
        assert session.usage.retried >= 5
    with (
        Misbehaving(hang_every=1) as server,
        Session(teacher(server, timeout_s=0.1, tries=1)) as session,
        pytest.raises(TeacherFailed, match=r"no answer within 0\.1 s"),
    ):
        session.ask(ask(1)).result(20)


def test_a_truncated_answer_says_so(server: Misbehaving, tmp_path: Path) -> None:
    server.manners.truncate_every = 4
    for replayed in (False, True):
        with Session(teacher(server), tmp_path / "r.sqlite") as session:
            answers = [session.ask(ask(i)).result(20) for i in range(20)]
        assert sum(a.truncated for a in answers) == 5
        assert {a.finish for a in answers} == {"stop", "length"}
        assert all(a.replayed == replayed for a in answers)


def test_a_bad_request_fails_alone_with_what_the_server_said(server: Misbehaving) -> None:
    with Session(teacher(server)) as session:
        server.manners.status = 400
        server.manners.message = "temperature must be at most 2"
        with pytest.raises(TeacherFailed, match="400: temperature must be at most 2"):
            session.ask(ask(1)).result(20)
        server.manners.status = 0
        assert session.ask(ask(1)).result(20).text == expected(1)
    assert server.stats.requests == 2


def test_nobody_there_ends_the_run_at_once() -> None:
    start = time.monotonic()
    with Session(Teacher.of("http://127.0.0.1:9", "m")) as session:
        futures = [session.ask(ask(i)) for i in range(100)]
        for future in futures:
            with pytest.raises(TeacherFailed, match=r"127\.0\.0\.1:9.*cannot be reached"):
                future.result(20)
    assert time.monotonic() - start < 5


def test_a_wrong_key_is_not_repeated_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "sk-verysecret-1234567"
    monkeypatch.setenv("GEURIM_TEST_KEY", secret)
    with Misbehaving(key="sk-other") as server:
        settings = {"key_env": "GEURIM_TEST_KEY"}
        for kind in ("openai", "anthropic"):
            url = server.url if kind == "anthropic" else server.url + "/v1"
            wrong = Teacher(url=url, model="m", kind=kind, **settings)  # type: ignore[arg-type]
            with Session(wrong, tmp_path / "r.sqlite") as session:
                with pytest.raises(TeacherFailed, match="GEURIM_TEST_KEY") as error:
                    session.ask(ask(1)).result(20)
                assert secret not in str(error.value)
                assert "401: Incorrect key provided" in str(error.value)
        server.manners.key = secret
        for kind in ("openai", "anthropic"):
            url = server.url if kind == "anthropic" else server.url + "/v1"
            right = Teacher(url=url, model="m", kind=kind, **settings)  # type: ignore[arg-type]
            with Session({kind: right}, tmp_path / "r.sqlite") as session:
                answer = session.ask(ask(kind), kind).result(20)
                assert answer.text == expected(kind)
                assert secret not in repr(vars(session)) + repr(session._sender.lanes[kind])
    assert secret in str(server.stats.headers)
    for path in tmp_path.iterdir():
        assert secret.encode() not in path.read_bytes()
    assert secret not in caplog.text


def test_a_key_that_is_not_set_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GEURIM_TEST_KEY", raising=False)
    nobody = Teacher(url="http://h/v1", model="m", key_env="GEURIM_TEST_KEY")
    with pytest.raises(SettingError, match="GEURIM_TEST_KEY is not set"), Session(nobody):
        pass


def test_no_key_is_sent_where_none_was_asked_for(
    server: Misbehaving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-place")
    with Session(teacher(server)) as session:
        session.ask(ask(1)).result(20)
    assert "Authorization" not in server.stats.headers[0]
    assert "sk-of-another-place" not in str(server.stats.headers)


def test_requests_go_out_with_the_official_clients_headers(server: Misbehaving) -> None:
    with Session(teacher(server)) as session:
        session.ask(ask(1)).result(20)
    sent = server.stats.headers[0]
    assert "AsyncOpenAI" in sent["User-Agent"]
    assert sent["Content-Type"] == "application/json"
    claude = Teacher(url=server.url, model="m", kind="anthropic")
    with Session(claude) as session:
        session.ask(ask(1)).result(20)
    assert server.stats.headers[1]["anthropic-version"]


@pytest.mark.parametrize("usage", [True, False])
def test_a_budget_in_tokens_is_never_passed(usage: bool) -> None:
    with Misbehaving(usage=usage, words=30) as server:
        with Session(teacher(server), budget=Budget(tokens=3000)) as session:
            futures = [session.ask(ask(i, parameters={"max_tokens": 40})) for i in range(400)]
            done = [f for f in futures if not f.exception(20)]
            for future in futures:
                if future not in done:
                    with pytest.raises(BudgetExceeded, match=r"budget of 3,000 tokens.*larger"):
                        future.result()
        assert 0 < server.stats.tokens <= 3000
        assert len(done) == server.stats.answered
        if usage:  # what was reserved and not used was given back
            assert server.stats.tokens > 2500


def test_a_budget_in_requests_counts_tries_too() -> None:
    with Misbehaving(error_every=5, refuse_every=10, retry_after=0.05) as server:
        with Session(teacher(server), budget=Budget(requests=100)) as session:
            futures = [session.ask(ask(i)) for i in range(200)]
            failed = [f.exception(60) for f in futures]
        assert server.stats.requests - server.stats.refused == 100
        assert {type(e) for e in failed if e} == {BudgetExceeded}


def test_a_budget_in_money_is_never_passed(tmp_path: Path) -> None:
    with Misbehaving(words=30) as server:
        priced = teacher(server, input_usd=100.0, output_usd=1000.0)
        settings = (priced, tmp_path / "r.sqlite", Budget.parse("1usd"))
        questions = [ask(i, parameters={"max_tokens": 60}) for i in range(100)]
        with Session(*settings) as session:
            errors = [f.exception(20) for f in [session.ask(q) for q in questions]]
            spent = session.usage.cost
            assert spent is not None
            assert 0.9 < spent <= 1.0
        first = server.stats.answered
        assert first == errors.count(None)
        with Session(*settings) as session:  # the next run goes on from the record
            errors = [f.exception(20) for f in [session.ask(q) for q in questions]]
        assert errors.count(None) == server.stats.answered > first
        assert server.stats.repeated == 0


def test_money_cannot_bound_what_has_no_price(server: Misbehaving) -> None:
    with pytest.raises(SettingError, match=r"price.*unknown.*input_usd"):
        Session(teacher(server), budget=Budget(usd=1.0))


def test_what_the_server_does_not_report_stays_unknown(server: Misbehaving) -> None:
    server.manners.usage = False
    with Session(teacher(server, input_usd=1.0, output_usd=1.0)) as session:
        answer = session.ask(ask(1)).result(20)
        assert (answer.prompt_tokens, answer.completion_tokens) == (None, None)
        assert (session.usage.cost, session.usage.unreported) == (None, 1)


def test_a_schema_goes_to_the_provider_and_into_the_prompt_where_it_refuses(
    server: Misbehaving,
) -> None:
    schema = {"type": "object", "title": "Person"}
    with Session(teacher(server)) as session:
        session.ask(ask(0, schema=schema)).result(20)
        assert server.stats.bodies[0]["response_format"]["json_schema"]["schema"] == schema
        server.manners.no_schema = True
        futures = [session.ask(ask(i, schema=schema)) for i in range(1, 40)]
        assert all("Person" not in f.result(20).text for f in futures)
        sent = server.stats.requests
        session.ask(ask("last", schema=schema)).result(20)
        assert server.stats.requests == sent + 1  # it is remembered
        assert "Person" in server.stats.bodies[-1]["messages"][0]["content"]


def test_the_newer_name_of_max_tokens_is_found(server: Misbehaving) -> None:
    server.manners.new_names = True
    with Session(teacher(server)) as session:
        session.ask(ask(1, parameters={"max_tokens": 9})).result(20)
        assert server.stats.bodies[1]["max_completion_tokens"] == 9


def test_bare_prompts_and_logprobs(server: Misbehaving, tmp_path: Path) -> None:
    for _ in range(2):
        with Session(teacher(server), tmp_path / "r.sqlite") as session:
            answer = session.ask(ask(1, raw=True, parameters={"logprobs": True})).result(20)
            assert answer.text == expected(1)
            assert answer.logprobs == (-0.5,) * 20
    assert server.stats.bodies[0]["prompt"] == "question 1"


def test_two_teachers_are_limited_apart() -> None:
    with Misbehaving(burst=(0, 30.0), retry_after=30) as bad, Misbehaving() as good:
        with Session({"bad": teacher(bad), "good": teacher(good)}) as session:
            waiting = session.ask(ask(1), "bad")
            futures = [session.ask(ask(i), "good") for i in range(2, 100)]
            assert [f.result(20).text for f in futures] == [expected(i) for i in range(2, 100)]
            assert not waiting.done()
            assert session.usage_of("good").requests == 98
        with pytest.raises(TeacherFailed, match="closed"):
            waiting.result(1)


def test_closing_leaves_nobody_waiting(tmp_path: Path) -> None:
    with Misbehaving(hang_every=2, error_every=3, latency=0.01) as server:
        with Session(teacher(server), tmp_path / "r.sqlite") as session:
            futures = [session.ask(ask(i)) for i in range(60)]
            time.sleep(0.3)
        assert all(future.done() for future in futures)
        errors = [future.exception() for future in futures]
        assert errors.count(None) > 5
        assert any(e is not None and "closed" in str(e) for e in errors)


def test_an_unknown_teacher_is_named(server: Misbehaving) -> None:
    with Session(teacher(server)) as session, pytest.raises(SettingError, match="'judge'"):
        session.ask(ask(1), "judge")


def test_progress_is_told_a_few_times_a_second(server: Misbehaving) -> None:
    server.manners.latency = 0.1
    events: list[Event] = []
    with Session(teacher(server, max_concurrency=10), progress=events.append) as session:
        for future in [session.ask(ask(i)) for i in range(100)]:
            future.result(20)
    assert 4 <= len(events) <= 15
    assert [e.done for e in events] == sorted(e.done for e in events)
    assert events[-1].done == 100
    assert (events[-1].step, events[-1].unit) == ("ask", "answers")
    assert "/s, cost unknown, " in events[-1].note
    assert any("10 at once" in e.note for e in events)


def test_an_error_in_the_listener_ends_the_run_and_not_in_silence(server: Misbehaving) -> None:
    def listener(event: Event) -> None:
        raise RuntimeError("the screen is gone")

    with Session(teacher(server), progress=listener) as session:
        futures = [session.ask(ask(i)) for i in range(300)]
        failed = [f.exception(20) for f in futures]
    assert any(e is not None and "the screen is gone" in str(e) for e in failed)


RUN = """
    import sys
    from geurim.generators.text.session import Session
    from geurim.generators.text.teacher import Request, Teacher
    url, record, count = sys.argv[1:]
    with Session(Teacher.of(url, "m", max_concurrency=48), record) as session:
        def ask(i):
            message = {"role": "user", "content": f"question {i}"}
            return session.ask(Request(messages=(message,), model="m"))
        for i, future in enumerate([ask(i) for i in range(int(count))]):
            print(i, future.result().text, flush=True)
"""


@pytest.mark.parametrize("moment", [120, 700])
def test_killed_and_started_again_repeats_only_what_was_in_flight(
    tmp_path: Path, moment: int
) -> None:
    with Misbehaving(latency=0.05, slots=32) as server:
        code, record = textwrap.dedent(RUN), str(tmp_path / "r.sqlite")
        command = [sys.executable, "-c", code, server.url, record, "1200"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            while server.stats.answered < moment:
                time.sleep(0.002)
            os.kill(process.pid, signal.SIGKILL)
            assert process.stdout is not None
            seen = [line for line in process.stdout.read().splitlines(True) if line[-1] == "\n"]
        time.sleep(0.2)
        in_flight = 48  # the teacher's max_concurrency: what may be under way at any moment
        answered = server.stats.answered
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        lines = done.stdout.splitlines(True)
        assert lines[: len(seen)] == seen
        assert lines == [f"{i} {expected(i)}\n" for i in range(1200)]
        assert answered >= moment
        assert server.stats.repeated <= in_flight
        assert server.stats.answered <= 1200 + in_flight


def test_the_record_holds_the_request_and_the_servers_model(
    server: Misbehaving, tmp_path: Path
) -> None:
    import sqlite3
    from contextlib import closing

    with Session({"writer": teacher(server)}, tmp_path / "r.sqlite") as session:
        session.ask(ask(1, parameters={"temperature": 0.5}), "writer").result(20)
    with closing(sqlite3.connect(tmp_path / "r.sqlite")) as db:
        ((name, model, request),) = db.execute("SELECT teacher, model, request FROM answers")
    assert (name, model) == ("writer", "m")
    assert json.loads(request)["parameters"] == {"temperature": 0.5}
