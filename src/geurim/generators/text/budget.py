"""A hard budget: what may be sent is reserved before it is sent, at its worst case."""

from __future__ import annotations

import re
from dataclasses import dataclass

from geurim.errors import BudgetExceeded, SettingError

_UNITS = {
    "usd": "usd",
    "$": "usd",
    "request": "requests",
    "requests": "requests",
    "token": "tokens",
    "tokens": "tokens",
}


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The most that one run may use; None is no bound. What the record answers costs nothing."""

    requests: int | None = None
    tokens: int | None = None  # of prompts and answers together
    usd: float | None = None

    def __post_init__(self) -> None:
        for name in ("requests", "tokens", "usd"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < float("inf"):
                raise SettingError(f"A budget of {value!r} {name}. Give 0 or more.")

    @classmethod
    def parse(cls, text: str) -> Budget:
        """A budget as people write it: "5usd", "1000requests", "2e6tokens", "5usd,1000requests"."""
        found: dict[str, float] = {}
        for part in text.split(","):
            match = re.fullmatch(r"\s*(\$?)\s*([\d._]+(?:e\+?\d+)?)\s*([A-Za-z]*)\s*", part, re.I)
            name = _UNITS.get((match[1] or match[3]).lower()) if match else None
            try:
                value = float(match[2]) if match else 0.0
            except ValueError:
                name = None
            if name is None or name in found:
                raise SettingError(
                    f"Cannot read the budget {text!r}. Write it as 5usd, 1000requests or "
                    f"2e6tokens, or several with a comma between them."
                )
            found[name] = value
        requests, tokens = found.get("requests"), found.get("tokens")
        return cls(
            requests=None if requests is None else int(requests),
            tokens=None if tokens is None else int(tokens),
            usd=found.get("usd"),
        )

    def __str__(self) -> str:
        parts = [f"{self.requests:,} requests"] if self.requests is not None else []
        parts += [f"{self.tokens:,} tokens"] if self.tokens is not None else []
        parts += [f"{self.usd:g} USD"] if self.usd is not None else []
        return ", ".join(parts) or "no bound"


@dataclass(frozen=True, kw_only=True)
class Worst:
    """What one try can use at most."""

    tokens: int
    usd: float | None  # None: the price is unknown


class Ledger:
    """What was used and what is reserved, of one budget. Used by one thread."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.requests = 0  # tries that a server took up: answered, failed or lost
        self.tokens = 0
        self.usd = 0.0
        self.open = 0  # tries under way
        self._tokens = 0  # reserved
        self._usd = 0.0

    def fits(self, worst: Worst) -> bool:
        """Whether one more try fits, whatever becomes of those under way."""
        b = self.budget
        if b.requests is not None and self.requests + self.open + 1 > b.requests:
            return False
        if b.tokens is not None and self.tokens + self._tokens + worst.tokens > b.tokens:
            return False
        usd = worst.usd or 0.0
        return b.usd is None or self.usd + self._usd + usd <= b.usd

    def reserve(self, worst: Worst) -> None:
        self.open += 1
        self._tokens += worst.tokens
        self._usd += worst.usd or 0.0

    def release(self, worst: Worst) -> None:
        """The try used nothing: it was refused, or never left."""
        self.open -= 1
        self._tokens -= worst.tokens
        self._usd = self._usd - (worst.usd or 0.0) if self.open else 0.0

    def settle(self, worst: Worst, tokens: int | None, usd: float | None) -> None:
        """The try is over. None for what nobody reported: then the worst case was used."""
        self.release(worst)
        self.requests += 1
        self.tokens += worst.tokens if tokens is None else tokens
        self.usd += (worst.usd or 0.0) if usd is None else usd

    def exceeded(self, worst: Worst) -> BudgetExceeded:
        used = f"{self.requests:,} requests, {self.tokens:,} tokens"
        used += f", {self.usd:.6g} USD" if self.budget.usd is not None else ""
        need = f"1 request, up to {worst.tokens:,} tokens"
        need += f", up to {worst.usd:.6g} USD" if self.budget.usd is not None else ""
        return BudgetExceeded(
            f"The budget of {self.budget} is used up: {used} were used and the next request needs "
            f"{need}. Start again with a larger budget: what was answered is in the record, and "
            f"is not paid for again."
        )
