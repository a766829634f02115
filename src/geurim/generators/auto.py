"""Which generator to take: by size, time allowed and need, with the reason in words.

A pure function of a profile and what is needed, so that a choice can be read, tested and repeated.
It is no benchmark of the table at hand: where minutes matter less than the last hundredth, fit two
and let `verify` decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from geurim.contract import Json, Profile
from geurim.errors import SettingError

TREES_S = 1e-5  # CPU seconds of `trees` for a row and column; measured on Adult and flights
TREES_ROWS = 400_000  # of more, `trees` learns from so many
DIFFUSION_S = 2e-4  # CPU seconds of `diffusion` for a row and column, on the same tables
DIFFUSION_ROWS = 200_000  # of more, it learns from so many
MANY = 5_000  # categories of a column from which trees, which hash them, lose what they tell
PATIENT_S = 300.0  # with less time than this no network is trained to its end


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What the rows are for.

    privacy: a proof (differential privacy) must go with them. conditions: rows are to be completed
    from given values, balanced or imputed. seconds: the time allowed for the fit; None: any.
    rows: whether real rows may be read, or a profile alone. torch: whether it is installed; None
    to look.
    """

    privacy: bool = False
    conditions: bool = False
    seconds: float | None = None
    rows: bool = True
    torch: bool | None = None

    def __post_init__(self) -> None:
        if self.seconds is not None and not self.seconds > 0:
            raise SettingError(f"The time allowed is {self.seconds!r} s. Give a number above 0.")

    @property
    def has_torch(self) -> bool:
        return find_spec("torch") is not None if self.torch is None else self.torch


def choose(
    profile: Profile, needs: Needs | None = None, known: frozenset[str] | None = None
) -> tuple[str, str]:
    """The name of the generator that suits a table and needs, and why, in one sentence.

    `known`: the generators there are; None for those installed. Raises SettingError where a need
    cannot be met.
    """
    from geurim.generators import generators

    needs = needs or Needs()
    known = frozenset(generators()) if known is None else known
    if needs.privacy:
        return _private(needs, known)
    if not needs.rows:
        return "copula", "it learns from a profile alone, without any row"
    rows, columns = min(profile.rows, TREES_ROWS), len(profile.schema)
    guess = TREES_S * rows * columns
    if needs.seconds is not None and guess > needs.seconds and not needs.conditions:
        return "copula", (
            f"trees would take about {guess:.0f} s on {profile.rows:,} rows of {columns} columns, "
            f"and {needs.seconds:g} s are allowed"
        )
    wide = [n for n, c in profile.columns.items() if _many(c)]
    patient = needs.seconds is None or needs.seconds >= PATIENT_S
    if wide and "autoregressive" in known and needs.has_torch and patient:
        return "autoregressive", (
            f"the column {wide[0]!r} has {int(profile.columns[wide[0]]['distinct']):,} categories, "
            "which it embeds one by one"
        )
    long = max(DIFFUSION_S * min(profile.rows, DIFFUSION_ROWS) * columns, 10.0)
    able = "diffusion" in known and needs.has_torch
    if able and needs.seconds is not None and needs.seconds >= long:
        return "diffusion", (
            f"its rows come closest to real ones, and the time allowed, {needs.seconds:g} s, "
            f"suffices: it takes about {long:.0f} s on {profile.rows:,} rows of {columns} columns"
        )
    why = f"it takes about {max(guess, 1):.0f} s on {profile.rows:,} rows of {columns} columns"
    if needs.conditions:
        why += ", and completes rows from any columns"
    if wide and not needs.has_torch:
        why += "; for columns of thousands of categories, pip install 'geurim[torch]'"
    return "trees", why


def _private(needs: Needs, known: frozenset[str]) -> tuple[str, str]:
    if not needs.rows:
        raise SettingError(
            "A private generator adds noise to counts of rows, and a profile has none. Give the "
            "data."
        )
    if "private" not in known:
        raise SettingError(
            f"No generator here proves privacy; there are {', '.join(sorted(known))}. Install one "
            "that does: pip install 'geurim[dp]'"
        )
    return "private", "it is the one whose rows come with a proof of differential privacy"


def _many(found: Mapping[str, Json]) -> bool:
    return bool(found["role"] == "category" and found["distinct"] >= MANY)
