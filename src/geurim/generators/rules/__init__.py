"""Rules: worlds written by domain experts, and the engine that makes their rows."""

from __future__ import annotations

from importlib import resources


def worlds() -> list[str]:
    """The names of the worlds that ship."""
    folder = resources.files("geurim") / "worlds"
    if not folder.is_dir():
        return []
    return sorted(p.name[:-5] for p in folder.iterdir() if p.name.endswith(".yaml"))
