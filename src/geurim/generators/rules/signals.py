"""The kind of column that is a waveform: a short window of a signal in every row.

    vibration:
      signal:
        - {harmonics: [0.6, 0.2, 0.1], hz: shaft_hz}
        - {impulses: 2 * severity, hz: defect_hz, resonance_hz: 3000, decay_s: 0.002, slip: 0.01,
           modulation: {hz: shaft_hz, depth: 0.8}}
        - {noise: 0.3}
      rate_hz: 10000
      seconds: 0.5

The parts add up. What lies above half the sampling rate is left out, as by the filter before a
sampler. The model of rolling element bearings, impulses that excite a resonance at a defect's rate,
slip at random and are modulated by what passes the load, is that of Randall & Antoni (2011),
"Rolling element bearing diagnostics - a tutorial", MSSP 25, sections 2 and 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pyarrow as pa

from geurim.generators.rules.formulas import Names, Value, column
from geurim.generators.rules.kinds import Kind
from geurim.generators.rules.options import Option, Options
from geurim.generators.rules.rows import Rows
from geurim.generators.rules.streams import Streams
from geurim.nodes import Node, shown

if TYPE_CHECKING:
    from geurim.generators.rules.scope import Scope

_AT_ONCE = 500_000  # samples: a matter of memory
_LONGEST = 10_000_000
_FADED = 7.0  # decay times after which an impulse is over: it is down to 1/1000


@dataclass(frozen=True)
class Modulation:
    """A factor 1 + depth cos(2 pi hz t) with a phase at random, never below 0."""

    hz: Value
    depth: Value

    @classmethod
    def read(cls, node: Node, names: Names) -> Modulation:
        node.mapping(["hz", "depth"])
        return cls(names.number(node.need("hz"), 0), names.number(node.need("depth"), 0))

    def at(self, time_s: np.ndarray, rows: Rows, rng: np.random.Generator) -> np.ndarray:
        """The factor (B, T) at the times (B, T) or (1, T)."""
        turns = _known(self.hz, rows)[:, None] * time_s + rng.random((rows.count, 1))
        return np.asarray(_known(self.depth, rows)[:, None] * np.cos(2 * np.pi * turns) + 1.0)


@dataclass(frozen=True)
class Harmonics:
    """Sines at 1, 2, 3, … times a frequency, each with its amplitude, at random phases."""

    amplitudes: tuple[Value, ...]
    hz: Value

    @classmethod
    def read(cls, node: Node, names: Names) -> Harmonics:
        about = node.need("harmonics")
        listed = about.list() if isinstance(about.value, list) else [about]
        return cls(
            tuple(names.number(n) for n in listed),
            names.number(node.need("hz"), 0),
        )

    def wave(
        self, time_s: np.ndarray, rate_hz: float, rows: Rows, rng: np.random.Generator
    ) -> np.ndarray:
        found = np.zeros((rows.count, len(time_s)))
        hz = _known(self.hz, rows)
        for order, amplitude in enumerate(self.amplitudes, 1):
            heard = np.where(order * hz < rate_hz / 2, _known(amplitude, rows), 0.0)
            turns = order * hz[:, None] * time_s + rng.random((rows.count, 1))
            mine = np.flatnonzero(heard)
            found[mine] += heard[mine, None] * np.sin(2 * np.pi * turns[mine])
        return found


@dataclass(frozen=True)
class Impulses:
    """Blows that come at a rate, each of which lets a resonance ring and fade.

    `slip` is the deviation of the gap between two, as a share of it: it adds up, as rolling
    elements slip, so that high multiples of the rate smear.
    """

    amplitude: Value
    hz: Value
    resonance_hz: Value
    decay_s: Value
    slip: Value

    @classmethod
    def read(cls, node: Node, names: Names) -> Impulses:
        slip = node.get("slip")
        return cls(
            names.number(node.need("impulses")),
            names.number(node.need("hz"), 0),
            names.number(node.need("resonance_hz"), 0),
            names.number(node.need("decay_s"), 1e-9),
            0.0 if slip is None else names.number(slip, 0, 0.2),
        )

    def wave(
        self, time_s: np.ndarray, rate_hz: float, rows: Rows, rng: np.random.Generator
    ) -> np.ndarray:
        amplitude, hz = _known(self.amplitude, rows), _known(self.hz, rows)
        resonance, decay = _known(self.resonance_hz, rows), _known(self.decay_s, rows)
        sounds = (amplitude != 0) & (hz > 0) & (resonance < rate_hz / 2)
        samples = len(time_s)
        row, blow_s = self._blows(np.where(sounds, hz, 0.0), samples / rate_hz, rows, rng)
        first = np.ceil(blow_s * rate_hz).astype(np.int64)
        length = int(np.ceil(_FADED * rate_hz * decay[row].max(initial=0.0)))
        place = first[:, None] + np.arange(min(length, samples))
        since = place / rate_hz - blow_s[:, None]
        ring = np.sin(2 * np.pi * resonance[row, None] * since)
        ring *= amplitude[row, None] * np.exp(-since / decay[row, None])
        inside = (place >= 0) & (place < samples)
        flat = (row[:, None] * samples + place)[inside]
        found = np.bincount(flat, ring[inside], rows.count * samples)
        return np.asarray(found.reshape(rows.count, samples), float)  # of no blow: whole numbers

    def _blows(
        self, hz: np.ndarray, seconds: float, rows: Rows, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """The row and the time of each blow (E,), from a little before the window on."""
        most = int(np.ceil(1.2 * seconds * hz.max(initial=0.0))) + 3
        slip = _known(self.slip, rows)[:, None]
        gap = np.maximum(1 + slip * rng.standard_normal((rows.count, most)), 0.1)
        turns = np.cumsum(gap, axis=1) - 2 + rng.random((rows.count, 1))
        row, nth = np.nonzero((hz[:, None] > 0) & (turns < seconds * hz[:, None]))
        return row, turns[row, nth] / hz[row]


@dataclass(frozen=True)
class Noise:
    """White noise of a deviation."""

    deviation: Value

    @classmethod
    def read(cls, node: Node, names: Names) -> Noise:
        return cls(names.number(node.need("noise"), 0))

    def wave(
        self, time_s: np.ndarray, rate_hz: float, rows: Rows, rng: np.random.Generator
    ) -> np.ndarray:
        noise = rng.standard_normal((rows.count, len(time_s)), np.float32)
        return np.asarray(noise * _known(self.deviation, rows)[:, None])


_PARTS: dict[str, tuple[type[Harmonics | Impulses | Noise], tuple[str, ...]]] = {
    "harmonics": (Harmonics, ("hz",)),
    "impulses": (Impulses, ("hz", "resonance_hz", "decay_s", "slip")),
    "noise": (Noise, ()),
}
"""What a signal is made of -> the class, and what may stand beside it."""


@dataclass(frozen=True)
class Part:
    """A part of a signal, and what it is modulated by."""

    made: Harmonics | Impulses | Noise
    modulation: Modulation | None

    @classmethod
    def read(cls, node: Node, names: Names) -> Part:
        found = [k for k in node.mapping() if k in _PARTS]
        if len(found) != 1:
            raise node.error(
                f"{shown(node.value)} was given. Give exactly one of: {', '.join(_PARTS)}."
            )
        made, options = _PARTS[found[0]]
        node.mapping([found[0], *options, "modulation"])
        about = node.get("modulation")
        return cls(made.read(node, names), None if about is None else Modulation.read(about, names))

    def wave(
        self, time_s: np.ndarray, rate_hz: float, rows: Rows, rng: np.random.Generator
    ) -> np.ndarray:
        """The part (B, T) of each row."""
        found = self.made.wave(time_s, rate_hz, rows, rng)
        if self.modulation is not None:
            found *= np.maximum(self.modulation.at(time_s[None, :], rows, rng), 0.0)
        return found


@dataclass(frozen=True)
class Signal(Kind):
    """A window of a sampled signal in every row: `seconds` at `rate_hz`, the sum of its parts."""

    parts: tuple[Part, ...]
    rate_hz: float
    seconds: float
    kind = "signal"
    shape = "signal"
    options: ClassVar[Options] = {
        "rate_hz": Option("number", "Samples a second."),
        "seconds": Option("number", "The length of the window."),
    }

    @property
    def type(self) -> pa.DataType:
        return pa.list_(pa.float32())

    @property
    def samples(self) -> int:
        """How many values a window has."""
        return round(self.rate_hz * self.seconds)

    @classmethod
    def read(cls, node: Node, names: Scope) -> Signal:
        parts = tuple(Part.read(n, names) for n in node.need("signal").list())
        rate, seconds = (_fixed(node.need(k), names) for k in ("rate_hz", "seconds"))
        found = cls(parts, rate, seconds)
        if not 2 <= found.samples <= _LONGEST:
            raise node.need("seconds").error(
                f"{seconds:g} s at {rate:g} Hz are {found.samples:,} values a row. Give 2 to "
                f"{_LONGEST:,}."
            )
        return found

    def make(self, rows: Rows, streams: Streams) -> pa.Array:
        samples = self.samples
        found = np.empty((rows.count, samples), np.float32)
        size = max(_AT_ONCE // samples, 1)
        for start in range(0, rows.count, size):
            index = np.arange(start, min(start + size, rows.count))
            self._fill(found[index[0] : index[-1] + 1], rows.part(index), streams.at(start))
        ends = pa.array(np.arange(rows.count + 1, dtype=np.int32) * np.int32(samples))
        return pa.ListArray.from_arrays(ends, pa.array(found.ravel()))

    def _fill(self, found: np.ndarray, rows: Rows, streams: Streams) -> None:
        time_s = np.arange(self.samples) / self.rate_hz
        found[:] = 0.0
        for i, part in enumerate(self.parts):
            found += part.wave(time_s, self.rate_hz, rows, streams(i))


def _fixed(node: Node, names: Names) -> float:
    found = names.number(node, 1e-9)
    if not isinstance(found, float | int):
        raise node.error("this is a formula of the row. Give one number for all rows.")
    return float(found)


def _known(value: Value, rows: Rows) -> np.ndarray:
    """The values (B,) of a number or a formula; 0 where it is missing."""
    return np.asarray(np.nan_to_num(column(value, rows)))


def envelope_spectrum(
    wave: np.ndarray, rate_hz: float, band_hz: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies (F,) and amplitudes (F,) of the squared envelope of a waveform (T,) in a band.

    The usual look at a bearing: demodulate where it rings, and its defect's rate stands out. By
    the analytic signal, cut out of the spectrum (Randall & Antoni 2011, section 4.5).
    """
    spectrum = np.fft.fft(wave - np.mean(wave))
    hz = np.fft.fftfreq(len(wave), 1 / rate_hz)
    spectrum[(hz < band_hz[0]) | (hz > band_hz[1])] = 0.0
    squared = np.abs(2 * np.fft.ifft(spectrum)) ** 2
    found = np.abs(np.fft.rfft(squared - squared.mean())) / len(wave)
    return np.fft.rfftfreq(len(wave), 1 / rate_hz), found
