"""Where a reward model's scores come from: a folder of `transformers`, or a server."""

from __future__ import annotations

import functools
import http.client
import importlib
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

import numpy as np

from geurim.contract import Json
from geurim.databases import redact
from geurim.errors import ConnectionFailed, DataError, MissingExtra, NotFound, SettingError

Pair = tuple[str | None, str]  # prompt (or none) and answer
_TRIES = 4
_AGAIN = {408, 425, 429, 500, 502, 503, 504}


def rewards(
    source: str,
    pairs: Sequence[Pair],
    *,
    model: str | None = None,
    label: int | None = None,
    key: str | None = None,
    timeout_s: float = 60.0,
) -> np.ndarray:
    """(N,) one score for each pair; NaN where a server gives none. See `RewardModel`."""
    if source.startswith(("http://", "https://")):
        body = _question(source, pairs, model)
        return _scores(_post(source, body, key, timeout_s), len(pairs), label, source)
    return _from_folder(source, pairs, label)


def _kind(address: str) -> str:
    path = address.split("?", 1)[0].rstrip("/").rsplit("/", 1)[-1]
    return path if path in ("predict", "classify", "score", "pooling") else "texts"


def _question(address: str, pairs: Sequence[Pair], model: str | None) -> dict[str, Json]:
    named = {"model": model} if model else {}
    joined = [text if prompt is None else f"{prompt}\n\n{text}" for prompt, text in pairs]
    kind = _kind(address)
    if kind == "predict":
        inputs = [[text] if prompt is None else [prompt, text] for prompt, text in pairs]
        return {"inputs": inputs, "raw_scores": True, "truncate": True}
    if kind in ("classify", "pooling"):
        return {**named, "input": joined}
    if kind == "score":
        if any(prompt is None for prompt, _ in pairs):
            raise SettingError(f"{redact(address)} scores pairs: name the prompt's column as well.")
        return {**named, "text_1": [p for p, _ in pairs], "text_2": [t for _, t in pairs]}
    return {**named, "texts": joined}


def _post(address: str, body: dict[str, Json], key: str | None, timeout_s: float) -> Json:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if key is not None:
        if key not in os.environ:
            raise SettingError(f"The environment has no variable {key!r} with the server's key.")
        headers["Authorization"] = f"Bearer {os.environ[key]}"
    request = urllib.request.Request(address, json.dumps(body).encode(), headers)
    reason = ""
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(0.25 * 4 ** (attempt - 1))
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            reason = f"{error.code} {error.reason}: {error.read(300).decode('utf-8', 'replace')}"
            if error.code not in _AGAIN:
                break
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
        except ValueError as error:
            raise DataError(f"{redact(address)} did not answer with JSON: {error}.") from None
    raise ConnectionFailed(
        f"The reward model at {redact(address)} gave no scores ({reason.strip()}). "
        "Check the address, and that the server is up."
    )


def _scores(answer: Json, count: int, label: int | None, address: str) -> np.ndarray:
    """(N,) from any of the known forms of answer."""
    try:
        items = _items(answer)
    except (KeyError, TypeError, AttributeError):
        items = None
    if items is None or len(items) != count:
        raise DataError(
            f"{redact(address)} answered in a form that is not known, for {count} texts: "
            f"{json.dumps(answer)[:200]}"
        )
    return np.array([_one(item, label, address) for item in items], dtype=float)


def _items(answer: Json) -> list[Json]:
    """One item a text: a number, or the numbers of its classes."""
    if isinstance(answer, list):  # /predict: a list of {score, label} for each text
        return [_by_label(classes) for classes in answer]
    if "scores" in answer:
        return list(answer["scores"])
    data = answer["data"]
    if all("index" in item for item in data):
        data = sorted(data, key=lambda item: item["index"])
    return [next(item[k] for k in ("score", "probs", "data") if k in item) for item in data]


def _by_label(classes: list[dict[str, Json]]) -> list[Json]:
    """Scores in the order of the labels: servers give them with the best first."""

    def place(item: dict[str, Json]) -> tuple[int, str]:
        digits = str(item["label"]).rsplit("_", 1)[-1]
        return (int(digits), "") if digits.isdigit() else (1 << 30, str(item["label"]))

    return [item["score"] for item in sorted(classes, key=place)]


def _one(item: Json, label: int | None, address: str) -> float:
    if item is None:
        return float("nan")
    values = np.ravel(np.array(item, dtype=float))
    if label is None and len(values) != 1:
        raise SettingError(
            f"The model at {redact(address)} has {len(values)} classes. Give `label`, the index of "
            "the one whose score counts."
        )
    if label is not None and not 0 <= label < len(values):
        raise SettingError(f"label out of range: {label}. The model has {len(values)} classes.")
    return float(values[label or 0])


def _from_folder(source: str, pairs: Sequence[Pair], label: int | None) -> np.ndarray:
    torch, model, tokenizer = _loaded(source)
    tokens = _tokens(tokenizer, pairs, model.config)
    with torch.inference_mode():
        logits = model(**tokens.to(model.device)).logits.float().cpu().numpy()  # (N, classes)
    return np.array([_one(row, label, source) for row in logits], dtype=float)


def _tokens(tokenizer: Any, pairs: Sequence[Pair], config: Any) -> Any:
    """As the model was trained: by its chat template where it has one, else as a pair of texts."""
    most = min(tokenizer.model_max_length, getattr(config, "max_position_embeddings", 1 << 20))
    settings = {"return_tensors": "pt", "padding": True, "truncation": True, "max_length": most}
    if all(prompt is None for prompt, _ in pairs):
        return tokenizer([text for _, text in pairs], **settings)
    if getattr(tokenizer, "chat_template", None):
        talks = [
            tokenizer.apply_chat_template(
                [{"role": "user", "content": p or ""}, {"role": "assistant", "content": t}],
                tokenize=False,
            )
            for p, t in pairs
        ]
        return tokenizer(talks, add_special_tokens=False, **settings)
    return tokenizer([p or "" for p, _ in pairs], [t for _, t in pairs], **settings)


@functools.lru_cache(maxsize=2)
def _loaded(source: str) -> tuple[Any, Any, Any]:
    try:
        torch = importlib.import_module("torch")
        transformers = importlib.import_module("transformers")
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "A reward model from a folder (torch, transformers)", "reward"
        ) from error
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(source)
        model = transformers.AutoModelForSequenceClassification.from_pretrained(source)
    except OSError as error:
        reason = " ".join(str(error).split())[:200]
        raise NotFound(f"No reward model can be loaded from {source!r}: {reason}") from None
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id or tokenizer.eos_token_id
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch, model.to(device).eval(), tokenizer
