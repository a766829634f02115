"""Text made fit to be published: without keys, passwords and places on this machine."""

from __future__ import annotations

import os
import re
from pathlib import Path

HIDDEN = "***"

_PEM = re.compile(r"-----BEGIN [A-Z ]*KEY-----.*?(?:-----END [A-Z ]*KEY-----|\Z)", re.S)
_USER = re.compile(r"(\b[a-z][a-z0-9+.-]*://)(?:[^\s/@]*:[^\s@]*|[^\s/@]+)@", re.I)
_SECRET_NAME = r"(?:api[_-]?key|access[_-]?key|secret(?:[_-]?key)?|password|passwd|pwd|token|auth)"
_QUERY = re.compile(rf"([?&][\w.-]*(?:key|{_SECRET_NAME}|sig(?:nature)?)=)[^&\s#\"'<>)]+", re.I)
_SET = re.compile(
    rf"((?:\b|_)[\"']?{_SECRET_NAME}[\"']?\s*[:=]\s*[\"']?)(?![{{$<\[*]|null\b|None\b)[^\s\"',;]{{4,}}",
    re.I,
)
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{8,}", re.I)
_KEYS = re.compile(
    r"\b(?:sk|pk|rk|nvapi|glpat|xox[abprs])-[\w-]{10,}"
    r"|\b(?:hf|gsk|r8|gh[pousr]|github_pat)_\w{16,}"
    r"|\bAKIA[A-Z0-9]{12,}|\bAIza[\w-]{20,}"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"
)
_NAMED = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$", re.I)

_QUOTED = re.compile(
    r"([\"'`])(?:file://)?(?:/|~/|[A-Za-z]:[\\/]|\\\\)[^\"'`\n]*?([^\"'`\n/\\]*)\1"
)
_POSIX = re.compile(
    r"(?<![\w:/.<~})\]])~?(?:/[^\s/\"'`<>|:;,()\[\]{}]+)+/([^\s/\"'`<>|:;,()\[\]{}]*)"
)
_WINDOWS = re.compile(r"(?<!\w)(?:[A-Za-z]:|\\)\\(?:[^\s\\/\"'`<>|]+\\)*([^\s\\/\"'`<>|]*)")
_FILE_URL = re.compile(r"\b(?:file|sqlite|duckdb):/{2,}(?:[^\s/\"'`<>]*/)*([^\s/\"'`<>]*)", re.I)


def scrub(text: str) -> str:
    """The text with every key, password and absolute path of a file taken out.

    Values of environment variables named …KEY, …TOKEN, …SECRET or …PASSWORD are taken out wherever
    they stand; besides, what looks like a key, a password in a URL, or `api_key: …`. Of a path the
    last part stays ("…/seeds.jsonl"). It errs on the side of hiding; a secret that looks like
    plain prose and is in no such variable cannot be known.
    """
    for value in _secrets():
        text = text.replace(value, HIDDEN)
    text = _PEM.sub(HIDDEN, text)
    text = _FILE_URL.sub(r"…/\1", text)
    text = _USER.sub(rf"\1{HIDDEN}@", text)
    text = _QUERY.sub(rf"\1{HIDDEN}", text)
    text = _BEARER.sub(rf"\1 {HIDDEN}", text)
    text = _KEYS.sub(HIDDEN, text)
    text = _SET.sub(rf"\1{HIDDEN}", text)
    return _without_paths(text)


def _secrets() -> list[str]:
    """Values of secret variables of the environment, the longest first."""
    found = {v for k, v in os.environ.items() if _NAMED.search(k) and len(v) >= 8}
    return sorted(found, key=len, reverse=True)


def _without_paths(text: str) -> str:
    for folder in {str(Path.home()), str(Path.cwd())} - {"/"}:
        text = re.sub(rf"{re.escape(folder)}(?=[/\\\s\"'`,;:)]|$)", "/…/…", text)
    text = _QUOTED.sub(_quoted, text)
    text = _WINDOWS.sub(r"…/\1", text)
    return _POSIX.sub(r"…/\1", text)


def _quoted(found: re.Match[str]) -> str:
    """A path in quotation marks may hold spaces; a lone "/route" is no path of a file."""
    quote, last = found[1], found[2]
    inner = found[0].strip(quote)
    if not re.search(r"[\\/].*[\\/]", inner):
        return found[0]
    return f"{quote}…/{last}{quote}"
