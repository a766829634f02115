"""The data card: what a data set is, how it was made and what is known to be wrong with it.

Markdown with YAML front matter, as the Hugging Face hub reads it (README.md beside the data).
Nothing in it names a key, a password or a place on the machine where it was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from geurim.contract import Json, Lineage
from geurim.errors import DataError, MissingExtra, NotFound, SettingError
from geurim.scrub import scrub

__all__ = ["card", "load_card", "with_front_matter"]

_SIZES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*|code|multilingual")
_FRONT = re.compile(r"\A---\r?\n(.*?)^---\s*?$\n?", re.S | re.M)
_OURS = "geurim"  # the key of the front matter that holds the facts as data


def card(
    lineage: Lineage,
    *,
    title: str,
    recipe: str = "",
    teachers: Sequence[str] = (),
    prompts: Mapping[str, str] | None = None,
    usage: Mapping[str, Json] | None = None,
    filters: Sequence[Mapping[str, Json]] = (),
    counts: Mapping[str, Json] | None = None,
    languages: Sequence[str] = (),
    license: str | None = None,
    synthetic_share: float | None = None,
    notes: Sequence[str] | str = (),
) -> str:
    """A data card as Markdown.

    `recipe`: its text, as YAML. `teachers`: names of models, with their URL where there is one.
    `prompts`: templates by the column they write. `usage`: requests, prompt_tokens,
    completion_tokens, replayed, cost (US dollars); None or absent means unknown, and says so.
    `filters`: each with name, settings, kept and dropped, in the order they ran. `counts`: rows,
    and rejects (rows dropped by stage). `languages`: ISO 639 codes ("ko"). `license`: as the hub
    names it ("apache-2.0"). `synthetic_share`: of the text, from 0 to 1. `notes`: sentences on
    limits. Keys, passwords and paths in any of them are taken out (`geurim.scrub.scrub`).

    Raises SettingError for a language or a share that cannot be.
    """
    _check(title, languages, synthetic_share)
    notes = [notes] if isinstance(notes, str) else list(notes)
    facts: dict[str, Any] = _clean(
        {
            "lineage": lineage.to_json(),
            "teachers": list(teachers),
            "usage": dict(usage or {}),
            "filters": [dict(f) for f in filters],
            "counts": dict(counts or {}),
            "synthetic_share": synthetic_share,
        }
    )
    title, license = " ".join(scrub(title).split()), scrub(license or "") or None
    head = _head(title, languages, license, facts)
    body = [
        f"# {title}",
        *_what(facts, languages, license),
        *_how(facts, lineage, scrub(recipe)),
        *_models(facts, {k: scrub(v) for k, v in (prompts or {}).items()}),
        *_costs(facts["usage"]),
        *_filters(facts),
        *_limits(facts, lineage, [scrub(n) for n in notes]),
        *_LOADING,
    ]
    return with_front_matter("\n\n".join(body) + "\n", head)


def _check(title: str, languages: Sequence[str], share: float | None) -> None:
    if not title.strip():
        raise SettingError("The title of the card is empty. Say what the data set is.")
    if isinstance(languages, str) or not all(_LANGUAGE.fullmatch(x) for x in languages):
        raise SettingError(f"Not a list of language codes: {languages!r}. Write ['ko', 'en'].")
    if share is not None and not 0 <= share <= 1:
        raise SettingError(f"The synthetic share must be from 0 to 1: {share!r} was given.")


def _clean(value: Json) -> Json:
    """The same structure, every text in it fit to be published."""
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return {scrub(str(k)): _hidden(str(k), v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(v) for v in value]
    return value if value is None or isinstance(value, bool | int | float) else scrub(str(value))


def _hidden(key: str, value: Json) -> Json:
    """A value under a key such as api_key is a secret, whatever it looks like."""
    shown = f"{key}: {value}"
    return "***" if isinstance(value, str) and scrub(shown) == f"{key}: ***" else _clean(value)


def _head(
    title: str, languages: Sequence[str], license: str | None, facts: Mapping[str, Any]
) -> dict[str, Any]:
    rows = facts["counts"].get("rows")
    head: dict[str, Any] = {"pretty_name": title}
    if languages:
        head["language"] = list(languages)
    head["license"] = license or "unknown"
    if isinstance(rows, int):
        head["size_categories"] = [_size(rows)]
    real = facts["synthetic_share"] == 0 or (facts["lineage"]["real"] and not facts["teachers"])
    head["tags"] = ["geurim"] if real else ["synthetic", "geurim"]
    head[_OURS] = dict(facts)
    return head


def _size(rows: int) -> str:
    """The hub's name for so many rows: "1K<n<10K"."""
    place = max(0, len(str(max(rows, 0))) - 3)
    if place >= len(_SIZES):
        return "n>1T"
    return f"n<{_SIZES[0]}" if place == 0 else f"{_SIZES[place - 1]}<n<{_SIZES[place]}"


def _what(facts: Mapping[str, Any], languages: Sequence[str], license: str | None) -> list[str]:
    rows, share = facts["counts"].get("rows"), facts["synthetic_share"]
    lines = [f"- Rows: {_number(rows)}"]
    lines += [f"- Languages: {', '.join(languages)}"] if languages else []
    if share is not None:
        lines.append(f"- Synthetic text: {share:.2%}; written by people: {1 - share:.2%}")
    lines.append(f"- License: {license or 'unknown; ask before you pass the data on'}")
    return ["## What it is", "\n".join(lines)]


def _how(facts: Mapping[str, Any], lineage: Lineage, recipe: str) -> list[str]:
    made = [f"{'  ' * depth}- {_line(one)}" for depth, one in _family(facts["lineage"])]
    parts = ["## How it was made", "From what, by what (the digest names the content):"]
    parts.append("\n".join(made))
    return [*parts, "The recipe:", _fenced(recipe, "yaml")] if recipe.strip() else parts


def _family(lineage: Mapping[str, Any], depth: int = 0) -> Iterable[tuple[int, Mapping[str, Any]]]:
    yield depth, lineage
    for parent in lineage["parents"]:
        yield from _family(parent, depth + 1)


def _line(lineage: Mapping[str, Any]) -> str:
    seed = "" if lineage["seed"] is None else f", seed {lineage['seed']}"
    kind = "real" if lineage["real"] else "made"
    return f"{_cell(lineage['maker'])} ({kind}{seed}, digest `{lineage['digest'][:16]}`)"


def _models(facts: Mapping[str, Any], prompts: Mapping[str, str]) -> list[str]:
    parts = ["## Models and prompts"]
    names = [f"- {_cell(t)}" for t in facts["teachers"]]
    parts.append("\n".join(names) if names else "No model wrote any of these rows.")
    for name, template in prompts.items():
        parts += [f"### Prompt of {_cell(scrub(name))}", _fenced(template, "jinja")]
    return parts


_USAGE = {
    "requests": "Requests",
    "replayed": "Answers taken from the record",
    "prompt_tokens": "Tokens read",
    "completion_tokens": "Tokens written",
    "cost": "Cost in US dollars",
}


def _costs(usage: Mapping[str, Any]) -> list[str]:
    if not usage:
        return ["## Costs", "Unknown: nothing was recorded."]
    names = [*_USAGE, *(k for k in usage if k not in _USAGE)]
    rows = [(_USAGE.get(k, k), _number(usage.get(k))) for k in names]
    return ["## Costs", _table(("what", "how much"), rows)]


def _filters(facts: Mapping[str, Any]) -> list[str]:
    parts = ["## Filters and counts"]
    rows = [
        (f.get("name", "?"), _settings(f.get("settings")), *map(_number, _kept(f)))
        for f in facts["filters"]
    ]
    parts.append(
        _table(("filter", "settings", "kept", "dropped"), rows) if rows else "No filter ran."
    )
    rejects = facts["counts"].get("rejects") or {}
    if rejects:
        parts.append("Rows dropped, by stage:")
        parts.append(_table(("stage", "rows"), [(k, _number(v)) for k, v in rejects.items()]))
    others = {k: v for k, v in facts["counts"].items() if k not in ("rejects", "rows")}
    if others:
        parts.append(_table(("count", "rows"), [(k, _number(v)) for k, v in others.items()]))
    return parts


def _kept(one: Mapping[str, Any]) -> tuple[Any, Any]:
    return one.get("kept"), one.get("dropped")


def _settings(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {v}" for k, v in value.items())
    return "" if value is None else str(value)


def _limits(facts: Mapping[str, Any], lineage: Lineage, notes: Sequence[str]) -> list[str]:
    known = []
    if facts["teachers"]:
        known.append(
            "The text repeats what its models believe: facts in it are unchecked unless a filter "
            "above checks them, and the terms of each model's provider apply to its output."
        )
    if lineage.depth > 1:
        known.append(
            f"The rows were made from rows that were made (depth {lineage.depth}): training on "
            f"such data again and again loses what is rare."
        )
    if not facts["filters"]:
        known.append("No filter ran: duplicates and personal data may be in it.")
    if facts["usage"] and facts["usage"].get("cost") is None:
        known.append("The cost is unknown, as no price of a model was given.")
    lines = [f"- {_cell(n)}" for n in [*notes, *known]]
    return ["## Known limits", "\n".join(lines) if lines else "None was written down."]


_LOADING = (
    "## How to load",
    'From the folder of this file (or with the name of the data set on a hub in place of "."):',
    "```python\nfrom datasets import load_dataset\n\n"
    'rows = load_dataset(".", split="train")\nprint(rows[0])\n```',
)


def _number(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4f}".rstrip("0").rstrip(".")


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(str(v)) for v in line)} |" for line in lines)


def _cell(text: str) -> str:
    """One line, in which no character is markup of a table or of HTML."""
    line = " ".join(text.split())
    return line.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _fenced(text: str, language: str) -> str:
    """A code block whose fence is longer than any inside."""
    longest = max((len(m) for m in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text.strip()}\n{fence}"


def with_front_matter(text: str, more: Mapping[str, Any]) -> str:
    """The card with `more` in its front matter; keys that are there already are replaced."""
    yaml = _yaml()
    head, body = _split(text)
    head = {**head, **more}
    shown = yaml.safe_dump(head, allow_unicode=True, sort_keys=False, width=1000)
    return f"---\n{shown}---\n\n{body.lstrip()}"


def _split(text: str) -> tuple[dict[str, Any], str]:
    yaml = _yaml()
    found = _FRONT.match(text)
    if not found:
        return {}, text
    try:
        head = yaml.safe_load(found[1])
    except yaml.YAMLError as error:
        raise DataError(f"The front matter of the card is not YAML: {error}. Mend it.") from error
    if not isinstance(head, dict):
        raise DataError(f"The front matter of the card is no mapping: {str(head)[:60]!r}. Mend it.")
    return head, text[found.end() :].lstrip("\n")


def _yaml() -> Any:
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise MissingExtra("a data card", "text") from error
    return yaml


def load_card(path: str | Path) -> dict[str, Any]:
    """What a card says as data: the front matter, with Geurim's own facts beside it.

    `path`: the card, or the folder with its README.md. Keys: those of the hub (pretty_name,
    language, license, size_categories, tags, configs) and lineage (a Lineage), teachers, usage,
    filters, counts, synthetic_share; and `text`, the Markdown. Raises NotFound, and DataError
    where the file is no card written by Geurim.
    """
    file = Path(path).expanduser()
    file = file / "README.md" if file.is_dir() else file
    if not file.is_file():
        raise NotFound(f"There is no data card {file.name!r} there. Check the path.")
    try:
        head, body = _split(file.read_text(encoding="utf-8"))
        facts = head.pop(_OURS)
        facts["lineage"] = Lineage.from_json(facts["lineage"])
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise DataError(
            f"{file.name!r} is no data card written by Geurim: {error!r}. Give another file."
        ) from error
    return {**head, **facts, "text": body}
