"""Processes in time, for all owners at once: arrivals, echoes of arrivals, lives in states.

Owners are the rows of a parent, each with a window from `start_s` to `end_s`. Events come sorted by
owner and then by time, and every random number is taken in the order of owners, so that an owner's
events do not depend on how many owners follow.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from geurim.errors import SamplingError, SettingError
from geurim.generators.rules.calendars import Intensity
from geurim.generators.rules.distributions import Streams

Events = tuple[np.ndarray, np.ndarray]
"""Owners (M,) and times in seconds (M,), sorted by owner and then by time."""

Gaps = Callable[[np.ndarray, int], np.ndarray]
"""`gaps(rows (K,), round)`: seconds (K,) until the next event of each of these owners."""

Dwell = Callable[[int, np.ndarray, np.ndarray, int], np.ndarray]
"""`dwell(state, rows (K,), time_s (K,), step)`: seconds (K,) that these owners stay."""

Move = Callable[[int, np.ndarray, np.ndarray, int], np.ndarray]
"""`move(state, rows (K,), time_s (K,), step)`: the state (K,) that these owners go to."""

_MOST = 1_000_000_000  # events of one call
_BITS = 52  # of a time within its window: as many as a float has
_OWNERS = 1 << (64 - _BITS)


def poisson(
    streams: Streams,
    rate_per_s: Any,
    start_s: Any,
    end_s: Any,
    intensity: Intensity | None = None,
) -> Events:
    """Independent arrivals at `rate_per_s` (N,) between `start_s` and `end_s` (N,).

    With an `intensity` the rate is the mean over the whole period, and rises and falls with it:
    the numbers come from the rate summed over each window, the times from its inverse.
    """
    rate, start, end = windows(rate_per_s=rate_per_s, start_s=start_s, end_s=end_s)
    in_range("rate_per_s", rate, 0.0)
    low, high = (
        (start, end) if intensity is None else (intensity.until(start), intensity.until(end))
    )
    expected = rate * np.maximum(high - low, 0.0)
    _affordable(expected.sum())
    counts = streams(0).poisson(expected)
    owners = np.repeat(np.arange(len(counts)), counts)
    mass = low[owners] + _fractions(streams(1), counts) * (high - low)[owners]
    return owners, mass if intensity is None else intensity.when(mass)


def hawkes(
    streams: Streams,
    rate_per_s: Any,
    branching: Any,
    decay_s: Any,
    start_s: Any,
    end_s: Any,
    intensity: Intensity | None = None,
) -> Events:
    """Arrivals that excite more: each has `branching` (N,) followers on average, soon after it.

    Followers come after exponential delays with mean `decay_s` (N,), and have followers themselves,
    generation by generation, until the window ends. `rate_per_s` is of those that come by
    themselves: over a long window there are 1 / (1 - branching) times as many events.

    Source: A. G. Hawkes and D. Oakes (1974), "A cluster process representation of a self-exciting
    process", J. Appl. Prob. 11.
    """
    rate, followers, decay, start, end = windows(
        rate_per_s=rate_per_s, branching=branching, decay_s=decay_s, start_s=start_s, end_s=end_s
    )
    in_range("branching", followers, 0.0, 1.0)
    in_range("decay_s", decay, 0.0)
    _affordable((rate * np.maximum(end - start, 0.0) / (1.0 - followers)).sum())
    generations = [poisson(streams, rate, start, end, intensity)]
    while len(generations[-1][0]):
        owners, times = generations[-1]
        round = 2 * len(generations)
        children = streams(round).poisson(followers[owners])
        owners, times = owners.repeat(children), times.repeat(children)
        times = times + decay[owners] * streams(round + 1).standard_exponential(len(owners))
        inside = times < end[owners]
        generations.append((owners[inside], times[inside]))
    owners, times = (np.concatenate(part) for part in zip(*generations, strict=True))
    order = np.sort(owners + 1j * times)  # by owner and then by time, in one sort
    return order.real.astype(np.int64), order.imag


def renewal(gaps: Gaps, start_s: Any, end_s: Any, max_events: int = 100_000) -> Events:
    """Events one after the other, each a fresh gap after the one before; the first after a gap too.

    Unlike `poisson`, gaps may be of any distribution, such as the nearly regular ones of visits.
    SamplingError where an owner has more than `max_events`.
    """
    start, end = windows(start_s=start_s, end_s=end_s)
    rows = np.flatnonzero(start < end)
    time = start[rows]
    rounds: list[tuple[np.ndarray, ...]] = []
    while len(rows):
        if len(rounds) > max_events:
            raise _endless("events", max_events, len(rows), len(start))
        time = time + _seconds("A gap", gaps(rows, len(rounds)), rows)
        inside = time < end[rows]
        rows, time = rows[inside], time[inside]
        rounds.append((rows, time))
    owners, times = _placed(rounds, (np.int64, np.float64), len(start))
    return owners, times


class Stays(NamedTuple):
    """Stays in states, (M,) each, sorted by owner and then by time; the next begins as one ends."""

    owner: np.ndarray
    state: np.ndarray
    entered_s: np.ndarray
    left_s: np.ndarray
    cut: np.ndarray  # the window ended before the stay did: `left_s` is the end of the window


def walk(
    state: np.ndarray,
    start_s: Any,
    end_s: Any,
    dwell: Dwell,
    move: Move,
    ends: Collection[int] = (),
    max_steps: int = 10_000,
) -> Stays:
    """Lives in states: each owner begins in `state` (N,), stays for `dwell`, and goes by `move`.

    All owners step together, in groups of those in the same state. Who comes to one of the states
    `ends` stays to the end of the window. SamplingError where an owner takes more than `max_steps`.
    """
    start, end = windows(start_s=start_s, end_s=end_s, count=len(state))
    rows = np.flatnonzero(start < end)
    now, time = np.asarray(state, np.int64)[rows], start[rows]
    rounds: list[tuple[np.ndarray, ...]] = []
    while len(rows):
        if len(rounds) >= max_steps:
            raise _endless("steps", max_steps, len(rows), len(start))
        left = np.full(len(rows), np.inf)
        for code, among in groups(now):
            if code not in ends:
                stay = dwell(code, rows[among], time[among], len(rounds))
                left[among] = time[among] + _seconds("A stay", stay, rows[among])
        cut = left >= end[rows]
        rounds.append((rows, now, time, np.minimum(left, end[rows]), cut))
        rows, now, time = rows[~cut], now[~cut], left[~cut]
        after = now.copy()
        for code, among in groups(now):
            after[among] = move(code, rows[among], time[among], len(rounds) - 1)
        now = after
    kinds = (np.int64, np.int64, np.float64, np.float64, np.bool_)
    return Stays(*_placed(rounds, kinds, len(start)))


# The parts


def windows(count: int | None = None, **values: Any) -> list[np.ndarray]:
    """Each value as an array (N,) of finite numbers; SettingError where their lengths differ."""
    arrays = {name: np.asarray(value, float) for name, value in values.items()}
    lengths = {a.size for a in arrays.values() if a.ndim} | (
        {count} if count is not None else set()
    )
    if len(lengths) > 1 or any(a.ndim > 1 for a in arrays.values()):
        sizes = ", ".join(f"{name} {a.shape}" for name, a in arrays.items())
        raise SettingError(f"Lengths differ: {sizes}. Give one number, or one for each owner.")
    for name, array in arrays.items():
        in_range(name, array, -np.inf)
    return [np.broadcast_to(a, (max(lengths, default=1),)) for a in arrays.values()]


def in_range(name: str, values: np.ndarray, low: float, below: float = np.inf) -> None:
    wrong = np.atleast_1d(~((values >= low) & (values < below) & np.isfinite(values)))
    if wrong.any():
        row = int(wrong.argmax())
        limits = (f" from {low:g}" if low > -np.inf else "") + (
            f" below {below:g}" if below < np.inf else ""
        )
        raise SettingError(
            f"{name} is {np.atleast_1d(values)[row]:g} in row {row} ({int(wrong.sum())} rows are "
            f"wrong). Give finite numbers{limits}."
        )


def _seconds(what: str, seconds: np.ndarray, rows: np.ndarray) -> np.ndarray:
    wrong = ~(np.asarray(seconds) >= 0.0)
    if wrong.any():
        first = int(wrong.argmax())
        raise SettingError(
            f"{what} of row {rows[first]} is {np.broadcast_to(seconds, wrong.shape)[first]:g} "
            "seconds. Draw durations from 0."
        )
    return np.asarray(seconds, float)


def _affordable(events: float) -> None:
    if events > _MOST:
        raise SamplingError(
            f"About {events:.3g} events are expected, and {_MOST} are the most of one call. Lower "
            "the rate, shorten the windows, or take fewer owners at a time."
        )


def _endless(what: str, most: int, running: int, owners: int) -> SamplingError:
    return SamplingError(
        f"{running} of {owners} owners have more than {most} {what} before their windows end. "
        f"Make durations longer, or permit more {what}."
    )


def _fractions(rng: np.random.Generator, counts: np.ndarray) -> np.ndarray:
    """Uniform in (0, 1), as many an owner as `counts` (N,), and ascending within each owner.

    Fractions are whole numbers of 52 bits below an owner's number of 12, so that sorting whole
    numbers, the fastest sort there is, sorts 4,096 owners at once, in the processor's cache.
    """
    owners = np.arange(len(counts), dtype=np.uint64) % np.uint64(_OWNERS)
    total = int(counts.sum())
    keys = rng.integers(0, 1 << _BITS, total, np.uint64)
    keys |= np.repeat(owners << np.uint64(_BITS), counts)
    for begin, finish in pairwise([0, *np.cumsum(counts)[_OWNERS - 1 :: _OWNERS], total]):
        keys[begin:finish].sort()
    return ((keys & np.uint64((1 << _BITS) - 1)).astype(float) + 0.5) * 2.0**-_BITS


def groups(codes: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Each code there is, with the places that have it, in their order."""
    order = np.argsort(codes, kind="stable")
    for among in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1) if len(codes) else ():
        yield int(codes[among[0]]), among


def _placed(
    rounds: list[tuple[np.ndarray, ...]], kinds: tuple[type, ...], owners: int
) -> list[np.ndarray]:
    """The columns of all rounds, the first of them owners, by owner and then by round.

    An owner who is in a round was in all before: the round is its event's place among its own.
    """
    counts = np.zeros(owners, np.int64)
    for rows, *_ in rounds:
        counts[rows] += 1
    first = np.cumsum(counts) - counts
    columns: list[np.ndarray] = [np.empty(int(counts.sum()), kind) for kind in kinds]
    for round, parts in enumerate(rounds):
        for column, values in zip(columns, parts, strict=True):
            column[first[parts[0]] + round] = values
    return columns
