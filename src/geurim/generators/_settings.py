"""What the settings of trained generators have in common: their checks, and how they are saved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from geurim.contract import Json
from geurim.errors import SettingError


def check_whole(settings: Any, names: Iterable[str]) -> None:
    """Raise SettingError where one of these is no whole number from 1."""
    for name in names:
        value = getattr(settings, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise SettingError(
                f"{type(settings).__name__}: {name} is {value!r}. Give a whole number from 1."
            )


def check_shares(settings: Any, names: Iterable[str]) -> None:
    """Raise SettingError where one of these is no share from 0 up to below 1."""
    for name in names:
        if not 0 <= getattr(settings, name) < 1:
            raise SettingError(
                f"{type(settings).__name__}: {name} is {getattr(settings, name)!r}. "
                "Give a share from 0 up to below 1."
            )


def saved(settings: Any) -> dict[str, Json]:
    """Settings as a model file holds them: without the checkpoint, a place on this machine."""
    found = asdict(settings)
    if "training" in found:
        found["training"]["checkpoint"] = None
    return found
