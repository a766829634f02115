"""Noise and its accounting, all of it OpenDP's: questions asked of rows, answered within a budget.

Loss is counted in zero-concentrated differential privacy (rho; Bun & Steinke 2016) by OpenDP's
privacy filter, which refuses the question that would exceed the budget, and is turned into
(epsilon, delta) at the end. Two tables are neighbours where one has up to `contributions` rows more
than the other: those of one unit. A question never sees rows but those that the filter hands it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from geurim.errors import BudgetExceeded, MissingExtra

Rows = Any
"""What a question is asked of: the real rows, in whatever form the questions expect."""

_LARGEST = 300.0  # of rho: OpenDP's conversion overflows above, and nothing is gained


def opendp() -> Any:
    """The library, with the parts that it holds back until asked for."""
    try:
        import opendp.prelude as dp
    except ModuleNotFoundError as error:
        raise MissingExtra("a private fit", "dp") from error
    # OpenDP marks what is not proven line by line as "contrib", and functions of ours, whose
    # sensitivity we state and it cannot check, as "honest-but-curious".
    dp.enable_features("contrib", "honest-but-curious")
    return dp


def epsilon_of(rho: float, delta: float) -> float:
    """The epsilon that rho amounts to at this delta: OpenDP's conversion."""
    dp = opendp()
    space = dp.atom_domain(T="i64"), dp.absolute_distance(T="i64")
    noise = dp.m.make_gaussian(*space, scale=math.sqrt(0.5 / rho))
    return float(dp.c.make_fix_delta(dp.c.make_zCDP_to_approxDP(noise), delta).map(1)[0])


@lru_cache(maxsize=64)
def rho_of(epsilon: float, delta: float) -> float:
    """The largest rho (to six digits) that amounts to at most this epsilon at this delta."""
    low, high = 0.0, min(epsilon, _LARGEST)  # epsilon is never less than rho
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        if epsilon_of(middle, delta) <= epsilon:
            low = middle
        else:
            high = middle
    return low


class Spender:
    """Rows, and what may still be asked of them. It is used by one fit and then forgotten."""

    def __init__(self, rows: Rows, *, contributions: int, rho: float, delta: float) -> None:
        """`delta`: what the releases of names may cost, beside that of the conversion."""
        dp = self._dp = opendp()
        self.contributions, self.rho, self.delta = contributions, rho, delta
        self._space = dp.user_domain("rows", lambda _: True), dp.symmetric_distance()
        measure = dp.approximate(dp.zero_concentrated_divergence())
        odometer = dp.c.make_fully_adaptive_composition(*self._space, measure)
        bound = dp.c.make_privacy_filter(odometer, d_in=contributions, d_out=(rho, delta))
        self.rows = rows
        self._ask = bound(_Held(rows))
        self.spent = (0.0, 0.0)  # rho and delta, as OpenDP's maps say; its filter adds them up too

    @property
    def left(self) -> float:
        """Of rho, less what rounding may take."""
        return max((self.rho - self.spent[0]) * (1 - 1e-9), 0.0)

    def scale(self, rho: float) -> float:
        """The standard deviation of the noise of counts that cost `rho`."""
        return self.contributions / math.sqrt(2 * rho) * (1 + 1e-9)

    def counts(self, question: Callable[[Rows], np.ndarray], rho: float) -> np.ndarray:
        """Counts of disjoint kinds of rows (any shape) and noise. One row adds 1 to one count."""
        dp = self._dp
        shape: list[tuple[int, ...]] = []

        def counted(held: _Held) -> list[int]:
            found = question(held.rows)
            shape.append(found.shape)
            return [int(v) for v in found.ravel()]

        counts = dp.t.make_user_transformation(
            *self._space,
            dp.vector_domain(dp.atom_domain(T="i64")),
            dp.l2_distance(T="i64"),
            counted,
            lambda distance: distance,
        )
        noisy = self._asked(counts >> dp.m.then_gaussian(self.scale(rho)))
        return np.array(noisy, np.float64).reshape(shape[0])

    def best(self, question: Callable[[Rows], np.ndarray], rho: float) -> int:
        """The place of about the largest of whole scores (N,), each changed by 1 at most a row."""
        dp = self._dp
        scores = dp.t.make_user_transformation(
            *self._space,
            dp.vector_domain(dp.atom_domain(T="i64")),
            dp.linf_distance(T="i64"),
            lambda held: [int(v) for v in question(held.rows)],
            lambda distance: distance,
        )
        # Permute-and-flip with exponential noise: its zCDP loss is that of OpenDP's own map.
        scale = self.contributions / math.sqrt(2 * rho) * (1 + 1e-9)
        chosen = scores >> dp.m.then_noisy_max(dp.zero_concentrated_divergence(), scale)
        return int(self._asked(chosen))

    def frequent(
        self, question: Callable[[Rows], Mapping[str, int]], rho: float, delta: float
    ) -> dict[str, int]:
        """Noisy counts of values nobody knows beforehand, of those that many rows hold.

        What a single unit holds is released with a chance of at most `delta` (Rogers 2023).
        """
        dp = self._dp
        counts = dp.t.make_user_transformation(
            *self._space,
            dp.map_domain(dp.atom_domain(T="String"), dp.atom_domain(T="i64")),
            dp.l02inf_distance(dp.absolute_distance(T="i64")),
            lambda held: {k: int(v) for k, v in question(held.rows).items()},
            lambda distance: (distance, distance, distance),
        )
        scale = self.scale(rho)

        def released(threshold: int) -> Any:
            return counts >> dp.m.then_gaussian_threshold(scale, threshold=threshold)

        low = self.contributions + 1
        high = low + math.ceil(scale * 40)
        while low < high:  # the smallest threshold that costs no more than delta
            middle = (low + high) // 2
            if released(middle).map(self.contributions)[1] <= delta:
                high = middle
            else:
                low = middle + 1
        found: dict[str, int] = self._asked(released(low))
        return found

    def _asked(self, measurement: Any) -> Any:
        dp = self._dp
        if not isinstance(measurement.map(self.contributions), tuple):
            measurement = dp.c.make_approximate(measurement)
        cost = measurement.map(self.contributions)
        spent = self.spent
        if spent[0] + cost[0] > self.rho or spent[1] + cost[1] > self.delta:
            raise BudgetExceeded(
                f"The next question costs rho {cost[0]:.3g} and delta {cost[1]:.3g}; of rho "
                f"{self.rho:.3g} and delta {self.delta:.3g}, {spent[0]:.3g} and {spent[1]:.3g} are "
                "spent. Ask less, or fit with a larger epsilon."
            )
        self.spent = (spent[0] + cost[0], spent[1] + cost[1])
        return self._ask(measurement)


class _Held:
    """Rows on their way through OpenDP, which would turn tables and arrays into its own types."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
