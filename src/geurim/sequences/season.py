"""The season of series at even steps: the period after which they are most like before."""

from __future__ import annotations

import numpy as np

from geurim.sequences.clock import Clock
from geurim.sequences.layout import Series

_LEAST = 0.3  # autocorrelation at the period
_ROUNDS = 3  # a series must hold so many periods


def find_period(series: Series, axes: dict[str, np.ndarray], clock: Clock) -> int:
    """The period in events that most columns share; 0 where there is none.

    Judged on the longest unit: the autocorrelation of each number, its trend taken out, must have
    a peak above what is between.
    """
    unit = int(np.argmax(series.lengths))
    place = slice(series.starts[unit], series.starts[unit + 1])
    count = int(series.lengths[unit])
    if count < 24:
        return 0
    if series.time is not None:
        gaps = np.diff(series.time[place])
        if np.mean(gaps == np.median(gaps)) < 0.9 and clock.mode != "months":
            return 0
    found: list[tuple[float, int]] = []
    for name in axes:
        if name in clock.columns:
            continue
        values = axes[name][place]
        if np.isfinite(values).mean() > 0.7:
            found += _peak(values)
    return max(found)[1] if found else 0


def _peak(values: np.ndarray) -> list[tuple[float, int]]:
    """The first high peak of the autocorrelation: (height, lag), or nothing."""
    count = len(values)
    kept = np.isfinite(values)
    x = np.where(kept, values, np.nanmean(values))
    at = np.linspace(-1, 1, count)
    x = x - np.polyval(np.polyfit(at, x, 1), at)
    if x.std() == 0:
        return []
    size = 1 << (2 * count - 1).bit_length()
    power = np.abs(np.fft.rfft(x, size)) ** 2
    most = count // _ROUNDS
    r = np.fft.irfft(power, size)[: most + 1]
    r = r / r[0]
    below = np.flatnonzero(r < 0.5 * _LEAST)
    if not len(below):
        return []
    middle = np.arange(1, most)
    peaks = middle[(r[1:-1] >= r[:-2]) & (r[1:-1] > r[2:]) & (middle > below[0])]
    peaks = peaks[r[peaks] > _LEAST]
    if not len(peaks):
        return []
    best = peaks[np.flatnonzero(r[peaks] > 0.9 * r[peaks].max())[0]]
    return [(float(r[best]), int(best))]
