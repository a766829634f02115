"""How much of a model server's capacity the engine uses, and what it costs, beside a bare loop.

    python benchmarks/text_engine.py tests/misbehaving_server.py --requests 10000

starts the server script (it takes --port, --latency, --slots, --burst429 and answers GET /stats)
and asks it the same number of requests in some ways, each in a process of its own:

- `bare`: an aiohttp and uvloop loop that keeps `--at-once` requests under way and keeps nothing;
- `session`: geurim's session with a budget and a record on disk, a future waited for by each row;
- `recipe`: a recipe of two sampled columns and a prompt, exact duplicates dropped, rows written to
  Parquet, with record and budget: from the start of the teachers to the last row on disk;
- `client`: the official client as its documentation shows it, with as many at once.

Prints one JSON line a way: answers/s from the first request to the last answer, client CPU ms a
request, and with --burst also what a burst of refusals wasted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def prompt(i: int) -> str:
    return f"question {i}: " + "words of a prompt of usual length " * 8


@contextmanager
def serving(script: str, *options: str) -> Iterator[str]:
    """The server script as a process of its own; its URL."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    process = subprocess.Popen([sys.executable, script, "--port", str(port), *options])
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(url + "/stats").close()
                break
            except OSError:
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait()


def measured(ask_all: Callable[[], None], count: int) -> dict[str, float]:
    cpu, start = time.process_time(), time.perf_counter()
    ask_all()
    wall = time.perf_counter() - start
    cpu_ms = (time.process_time() - cpu) / count * 1000
    return {"answers_per_s": round(count / wall, 1), "cpu_ms": round(cpu_ms, 2)}


def ask_session(url: str, count: int, at_once: int) -> dict[str, float]:
    from geurim.generators.text.budget import Budget
    from geurim.generators.text.session import Session
    from geurim.generators.text.teacher import Request, Teacher

    teacher = Teacher.of(url, "m", input_usd=1.0, output_usd=1.0)
    budget = Budget(usd=1e6, requests=10 * count)

    def ask_all() -> None:
        futures = [
            session.ask(Request(messages=({"role": "user", "content": prompt(i)},), model="m"))
            for i in range(count)
        ]
        assert all(future.result().text for future in futures)

    with (
        tempfile.TemporaryDirectory() as folder,
        Session(teacher, Path(folder) / "record.sqlite", budget) as session,
    ):
        return measured(ask_all, count)


def ask_recipe(url: str, count: int, at_once: int) -> dict[str, float]:
    import geurim
    from geurim.generators.text.budget import Budget
    from geurim.generators.text.recipe import Recipe
    from geurim.generators.text.run import Fold
    from geurim.generators.text.teacher import Teacher

    columns = {
        "topic": {"choose": ["cats", "dogs", "birds"]},
        "number": {"number": [1, 10**9]},
        "question": {"prompt": "Ask about {{ topic }} {{ number }}."},
    }
    recipe = Recipe.of({"name": "rate", "columns": columns, "steps": ["exact"]})
    teacher = Teacher.of(url, "m", input_usd=1.0, output_usd=1.0)
    fitted: Any = geurim.fit(None, recipe.with_teachers(default=teacher), seed=1)
    budget = Budget(usd=1e6, requests=10 * count)

    with tempfile.TemporaryDirectory() as folder:

        def ask_all() -> None:
            to = Path(folder)
            with fitted.opened(rows=count, record=to / "record.sqlite", budget=budget) as live:
                fold = Fold(live, to / "rejects.jsonl")
                drawn = geurim.sample(live, count, seed=1, keep=fold)
                geurim.write(drawn, to / "rows.parquet")
                fold.close()
            assert geurim.read(to / "rows.parquet").rows == count

        return measured(ask_all, count)


def ask_bare(url: str, count: int, at_once: int) -> dict[str, float]:
    async def begin() -> Callable[[int], Awaitable[Any]]:
        import aiohttp

        http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

        async def one(i: int) -> Any:
            body = {"model": "m", "messages": [{"role": "user", "content": prompt(i)}]}
            while True:
                async with http.post(url + "/v1/chat/completions", json=body) as response:
                    said = await response.json()
                if response.status == 200:
                    return said["choices"][0]["message"]["content"]
                await asyncio.sleep(1)

        return one

    return _loop(begin, count, at_once)


def ask_client(url: str, count: int, at_once: int) -> dict[str, float]:
    async def begin() -> Callable[[int], Awaitable[Any]]:
        import openai

        client = openai.AsyncOpenAI(base_url=url + "/v1", api_key="none", max_retries=20)

        async def one(i: int) -> Any:
            return await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": prompt(i)}]
            )

        return one

    return _loop(begin, count, at_once)


def _loop(
    begin: Callable[[], Awaitable[Callable[[int], Awaitable[Any]]]], count: int, at_once: int
) -> dict[str, float]:
    import uvloop

    async def run() -> None:
        one = await begin()
        numbers = iter(range(count))

        async def work() -> None:
            for i in numbers:
                await one(i)

        await asyncio.gather(*(work() for _ in range(at_once)))

    return measured(lambda: uvloop.run(run()), count)


WAYS = {"bare": ask_bare, "session": ask_session, "recipe": ask_recipe, "client": ask_client}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("server")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--latency", default="0.2")
    parser.add_argument("--slots", default="64")
    parser.add_argument("--at-once", type=int, default=128)
    parser.add_argument("--ways", default="bare,session,recipe")
    parser.add_argument("--burst", help="AFTER:SECONDS of refusals")
    parser.add_argument("--url", help=argparse.SUPPRESS)  # one way, in a process of its own
    a = parser.parse_args()
    if a.url:
        print(json.dumps(WAYS[a.ways](a.url, a.requests, a.at_once)))
        return
    options = ["--latency", a.latency, "--slots", a.slots]
    options += ["--burst429", a.burst] if a.burst else []
    for way in a.ways.split(","):
        with serving(a.server, *options) as url:
            command = [sys.executable, __file__, a.server, "--url", url, "--ways", way]
            command += ["--requests", str(a.requests), "--at-once", str(a.at_once)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            with urllib.request.urlopen(url + "/stats") as response:
                stats = json.load(response)
        refused = stats.get("rejected", stats.get("refused"))
        print(json.dumps({"way": way, **json.loads(done.stdout), "refused": refused}), flush=True)


if __name__ == "__main__":
    main()
