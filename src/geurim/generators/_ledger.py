"""The privacy budget of some people's data, kept in a file: what every release of it has cost."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geurim.contract import Privacy
from geurim.errors import BudgetExceeded, ModelFileError, NotFound, SettingError

FORMAT = "geurim.budget"


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What all private releases from one group of people's data may cost together.

    `file`: where the account is kept; made by the first release. It belongs beside the real data,
    not beside what is released. Epsilons and deltas add up (basic composition; Dwork & Roth 2014,
    theorem 3.16), whatever was asked and of whichever table. Use one file for all tables
    that hold the same people, and the same unit in all of them.
    """

    file: str | os.PathLike[str]
    epsilon: float
    delta: float

    def __post_init__(self) -> None:
        if not (0 < self.epsilon < math.inf and 0 <= self.delta < 1):
            raise SettingError(
                f"Budget: epsilon is {self.epsilon!r} and delta {self.delta!r}. Give an epsilon "
                "above 0 and a delta from 0 up to below 1."
            )

    @property
    def spent(self) -> tuple[Privacy, ...]:
        """Every release so far."""
        return tuple(Privacy(**entry) for entry in self._read()["spent"])

    def spend(self, cost: Privacy) -> None:
        """Enter a release before it is made, or refuse it.

        What was entered stays, though the release fail later: its noise may have been seen.
        Raises BudgetExceeded with the figures, SettingError where the file has other totals.
        """
        with _Lock(Path(self.file)):
            found = self._read()
            spent = [Privacy(**entry) for entry in found["spent"]]
            units = {p.unit for p in spent} - {cost.unit}
            if units:
                raise SettingError(
                    f"The budget {str(self.file)!r} counts by {units.pop()!r}, and this fit by "
                    f"{cost.unit!r}. What one costs says nothing of the other: use one unit."
                )
            self._check(cost, spent)
            found["spent"].append(vars(cost))
            temporary = Path(f"{os.fspath(self.file)}.part")
            temporary.write_text(json.dumps(found, indent=1), encoding="utf-8")
            temporary.replace(self.file)

    def _check(self, cost: Privacy, spent: list[Privacy]) -> None:
        for what, total in (("epsilon", self.epsilon), ("delta", self.delta)):
            before = math.fsum(getattr(p, what) for p in spent)
            after = math.fsum([before, getattr(cost, what)])
            if after > total * (1 + 1e-9):
                raise BudgetExceeded(
                    f"This fit costs {what} {getattr(cost, what):g}; of the {total:g} in "
                    f"{str(self.file)!r}, {before:g} is spent by {len(spent)} fits. Ask for less, "
                    "or use a model that was fitted already: sampling it costs nothing."
                )

    def _read(self) -> dict[str, Any]:
        path = Path(self.file)
        fresh = {"format": FORMAT, "epsilon": self.epsilon, "delta": self.delta, "spent": []}
        if not path.exists():
            if not path.parent.is_dir():
                raise NotFound(f"There is no folder {str(path.parent)!r}. Make it first.")
            return fresh
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            [Privacy(**entry) for entry in found["spent"]]
            totals = found["format"], found["epsilon"], found["delta"]
        except (ValueError, TypeError, KeyError) as error:
            raise ModelFileError(
                f"{str(path)!r} is not a budget, or was cut ({error!r}). Restore it from a copy: "
                "without it nobody knows what was spent."
            ) from error
        if totals != (FORMAT, self.epsilon, self.delta):
            raise SettingError(
                f"The budget {str(path)!r} was made with epsilon {totals[1]!r} and delta "
                f"{totals[2]!r}; epsilon {self.epsilon!r} and delta {self.delta!r} were given. A "
                "budget is set once: give the same, or answer for a new one in another file."
            )
        return found


class _Lock:
    """One writer at a time, by a file that only one can make."""

    def __init__(self, file: Path) -> None:
        self.path = Path(f"{file}.lock")

    def __enter__(self) -> None:
        if not self.path.parent.is_dir():
            raise NotFound(f"There is no folder {str(self.path.parent)!r}. Make it first.")
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError as error:
            raise BudgetExceeded(
                f"Another fit is being entered in this budget, or one was killed while it was: "
                f"{str(self.path)!r} is there. Try again; delete that file if no fit is running."
            ) from error

    def __exit__(self, *_: object) -> None:
        self.path.unlink(missing_ok=True)
