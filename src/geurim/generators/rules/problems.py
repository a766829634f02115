"""What is wrong with a world, collected: a mistake in one place does not hide those in others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from geurim.errors import GeurimError, MissingExtra, SettingError

_PLACE = re.compile(r"line (\d+), column (\d+)")


class Follows(SettingError):
    """Wrong only because something else is; that is told, this is not."""


@dataclass
class Problems:
    """The mistakes found so far."""

    found: list[str] = field(default_factory=list)

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Keep what is wrong for later, and go on."""
        try:
            yield
        except Follows:
            pass
        except MissingExtra:
            raise
        except GeurimError as error:
            self.found.append(str(error))

    def tell(self) -> None:
        """Raise SettingError with all that was found, in the order of the file."""
        distinct = list(dict.fromkeys(self.found))
        if len(distinct) == 1:
            raise SettingError(distinct[0])
        if distinct:
            listed = "\n".join(f"- {p}" for p in sorted(distinct, key=_place))
            raise SettingError(f"{len(distinct)} things are wrong:\n{listed}")


def _place(problem: str) -> tuple[int, ...]:
    match = _PLACE.search(problem)
    return tuple(map(int, match.groups())) if match else (0, 0)
