"""The ways in which rows come about, by the key that names them in a world."""

from __future__ import annotations

from typing import Any

from geurim.generators.rules.gathering import Gathered
from geurim.generators.rules.states import States
from geurim.generators.rules.ways import Each, Events, Recurring, Regular

WAYS: dict[str, Any] = {w.key: w for w in (Each, Events, Regular, Recurring, States, Gathered)}
"""Key in a world -> how rows come about."""
