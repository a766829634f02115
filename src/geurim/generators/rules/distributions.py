"""What rules ask of distributions: whether parameters are right, and values within bounds."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from geurim.errors import SamplingError, SettingError
from geurim.generators.rules.categories import chosen, mixed
from geurim.generators.rules.families import DISTRIBUTIONS, Distribution, Parameter

__all__ = ["DISTRIBUTIONS", "Streams", "check", "chosen", "drawn", "mixed", "problems"]

Streams = Callable[[int], np.random.Generator]
"""The random stream of each round: `streams(0)`, `streams(1)`, … each time from its beginning."""

_ROUNDS = 1000
_TRIES = 256  # candidates a row in one round, at most
_HOPELESS = 1_000_000  # candidates of one round without a single one inside
_CELLS = 1 << 20


def problems(name: str, params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """All that is wrong with parameters, each with the one it is about ("" for the name itself).

    A value of None, or an array, is not known yet: it is checked when it is drawn.
    """
    if name not in DISTRIBUTIONS:
        return [("", f"There is no distribution {name!r}. {_near(name, DISTRIBUTIONS)}")]
    distribution = DISTRIBUTIONS[name]
    known = distribution.parameters
    found = [
        (p, f"The distribution {name} has no parameter {p!r}. {_near(p, known)}")
        for p in params
        if p not in known
    ]
    for key, parameter in known.items():
        value = params.get(key, parameter.default)
        if key not in params and parameter.required:
            message = f"The distribution {name} lacks {key!r}: {parameter.about}. Give {key}."
            found.append((key, message))
        elif value is not None and (parameter.many or not isinstance(value, np.ndarray)):
            found += [(key, text) for text in _faults(name, key, parameter, value)]
    return found or [("", text) for text in _disorder(distribution, params)]


def check(name: str, params: Mapping[str, Any]) -> None:
    """SettingError with all that is wrong about a distribution's name and parameters."""
    found = problems(name, params)
    if found:
        raise SettingError("\n".join(text for _, text in found))


def drawn(
    name: str,
    streams: Streams,
    size: int,
    params: Mapping[str, Any],
    low: float | np.ndarray | None = None,
    high: float | np.ndarray | None = None,
) -> np.ndarray:
    """Values (size,) of a distribution, given that they lie from `low` to `high`.

    What falls outside is drawn again, or the closed form is used where there is one: both are the
    distribution cut off, not values pushed to its ends. Bounds may differ by row.
    SettingError for a parameter that is not permitted, with its row; SamplingError where rows
    find no value within their bounds.
    """
    check(name, params)
    distribution = DISTRIBUTIONS[name]
    full = _full(distribution, params)
    for key, parameter in distribution.parameters.items():
        if parameter.many:
            full[key] = np.asarray(full[key], float)
        elif _by_row(distribution, key, full[key]):
            _check_rows(name, key, parameter, full[key], size)
    for text in _disorder(distribution, full):
        raise SettingError(text)
    if low is None and high is None:
        return distribution.draw(streams(0), size, **full)
    bottom = np.broadcast_to(np.asarray(-np.inf if low is None else low, float), (size,))
    top = np.broadcast_to(np.asarray(np.inf if high is None else high, float), (size,))
    if distribution.above:
        return _between(distribution, streams(0), size, full, bottom, top)
    return _redrawn(distribution, streams, size, full, bottom, top)


# How parameters are checked


def _near(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, list(known), 2) or list(known)
    return f"Use {' or '.join(near) if len(near) < 3 else 'one of: ' + ', '.join(near)}."


def _faults(name: str, key: str, parameter: Parameter, value: Any) -> list[str]:
    """What is wrong with one parameter by itself."""
    shape = "an increasing list of numbers" if parameter.many else parameter.range()
    try:
        numbers = np.asarray(value, float)
    except (TypeError, ValueError):
        numbers = np.full(1, np.nan)
    if numbers.ndim != parameter.many or parameter.wrong(numbers).any():
        return [f"{name}: {key} is {value!r}. Give {shape}: {parameter.about}."]
    if parameter.many and len(numbers) and (len(numbers) < 2 or (np.diff(numbers) < 0).any()):
        return [
            f"{name}: {key} is {value!r}. Give at least two numbers, none below the one before."
        ]
    return []


def _disorder(distribution: Distribution, params: Mapping[str, Any]) -> list[str]:
    """What is wrong with parameters beside each other: the ends of a range the wrong way round."""
    full = _full(distribution, params)
    keys = distribution.ascending
    for one, other in pairwise(keys):
        if full[one] is None or full[other] is None:
            continue
        wrong = np.atleast_1d(np.asarray(full[one]) > np.asarray(full[other]))
        if wrong.any():
            row = int(wrong.argmax())
            low, high = (float(np.broadcast_to(full[k], wrong.shape)[row]) for k in (one, other))
            where = f" in row {row}" if len(wrong) > 1 else ""
            return [
                f"{distribution.name}: {one} {low:g} is above {other} {high:g}{where}. "
                f"Give {', '.join(keys)} in ascending order."
            ]
    known = all(value is not None for value in full.values())
    text = distribution.fault(**full) if distribution.fault and known else None
    return [text] if text else []


def _full(distribution: Distribution, params: Mapping[str, Any]) -> dict[str, Any]:
    return {key: params.get(key, p.default) for key, p in distribution.parameters.items()}


def _check_rows(name: str, key: str, parameter: Parameter, value: np.ndarray, size: int) -> None:
    if value.shape != (size,):
        raise SettingError(
            f"{name}: {key} has the shape {value.shape} for {size} rows. Give one number a row."
        )
    wrong = parameter.wrong(value)
    if wrong.any():
        row = int(wrong.argmax())
        raise SettingError(
            f"{name}: {key} is {value[row]:g} in row {row} ({int(wrong.sum())} of {size} rows are "
            f"wrong). Make it {parameter.range()} in every row: {parameter.about}."
        )


# Draws between bounds


def _between(
    distribution: Distribution,
    rng: np.random.Generator,
    size: int,
    params: Mapping[str, Any],
    low: np.ndarray,
    high: np.ndarray,
) -> np.ndarray:
    """By the closed form of the share above a value: exact however far out the bounds are."""
    above, reach = distribution.above, distribution.reach
    assert above is not None and reach is not None
    bottom, top = above(high, **params), above(low, **params)
    _none_left(distribution, ~(top > bottom), low, high)
    share = top - (top - bottom) * rng.random(size)
    return np.asarray(np.clip(reach(share, **params), low, high))


def _redrawn(
    distribution: Distribution,
    streams: Streams,
    size: int,
    params: Mapping[str, Any],
    low: np.ndarray,
    high: np.ndarray,
) -> np.ndarray:
    """By drawing again what falls outside, with ever more candidates a row and round."""
    values = distribution.draw(streams(0), size, **params)
    rows = np.flatnonzero(~((values >= low) & (values <= high)))
    for round in range(1, _ROUNDS + 1):
        if not len(rows):
            break
        rng, tries = streams(round), min(1 << (round - 1), _TRIES)
        pieces = np.split(rows, range(_CELLS // tries, len(rows), _CELLS // tries))
        left = np.concatenate(
            [_tried(distribution, rng, values, r, tries, params, low, high) for r in pieces]
        )
        hopeless = len(left) == len(rows) and len(rows) * tries >= _HOPELESS
        rows = left
        if hopeless:
            break
    lost = np.zeros(size, bool)
    lost[rows] = True
    _none_left(distribution, lost, low, high)
    return values


def _tried(
    distribution: Distribution,
    rng: np.random.Generator,
    values: np.ndarray,
    rows: np.ndarray,
    tries: int,
    params: Mapping[str, Any],
    low: np.ndarray,
    high: np.ndarray,
) -> np.ndarray:
    """Set `values` of some rows to the first candidate inside; which rows had none is returned."""
    varying = {
        k: p[rows].repeat(tries) if _by_row(distribution, k, p) else p for k, p in params.items()
    }
    found = distribution.draw(rng, len(rows) * tries, **varying).reshape(-1, tries)
    inside = (found >= low[rows, None]) & (found <= high[rows, None])
    hit = inside.any(axis=1)
    values[rows[hit]] = found[hit, inside[hit].argmax(axis=1)]
    return rows[~hit]


def _by_row(distribution: Distribution, key: str, value: Any) -> bool:
    return isinstance(value, np.ndarray) and not distribution.parameters[key].many


def _none_left(
    distribution: Distribution, lost: np.ndarray, low: np.ndarray, high: np.ndarray
) -> None:
    if lost.any():
        row = int(lost.argmax())
        raise SamplingError(
            f"{int(lost.sum())} of {len(lost)} rows find no value of the distribution "
            f"{distribution.name} between their bounds, such as row {row}: {low[row]:g} to "
            f"{high[row]:g}. Widen the bounds, or choose parameters that reach them."
        )
