"""Waveforms: a defect's rate stands out of the envelope, power adds up, limits hold."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from geurim.errors import DataError, SettingError
from geurim.generators.rules.signals import envelope_spectrum
from geurim.generators.rules.world import World
from geurim.nodes import parse_yaml
from geurim.relations import write_database

RATE_HZ, SECONDS = 10_000, 0.5


def world(parts: str, seconds: float = SECONDS, more: str = "") -> World:
    return World.of(
        parse_yaml(f"""
tables:
  waves:
    columns:
      id: {{key: 1}}
      level: {{formula: "if(mod(id_of, 2) = 0, 1, 0)"}}
      id_of: {{formula: nth}}
{more}
      wave: {{signal: [{parts}], rate_hz: {RATE_HZ}, seconds: {seconds}}}
""").value
    )


def waves(parts: str, rows: int = 40, seconds: float = SECONDS) -> np.ndarray:
    """The waveforms (N, T) of a world of one signal."""
    table = world(parts, seconds).sample(rows, seed=1).tables["waves"].to_arrow()
    assert table["wave"].type == pa.list_(pa.float32())
    return np.array(table["wave"].to_pylist())


def peak_hz(wave: np.ndarray) -> float:
    """The strongest line from 20 to 160 Hz: below twice the rate of the blows, which also shows."""
    hz, found = envelope_spectrum(wave, RATE_HZ, (2000, 4900))
    inside = (hz >= 20) & (hz <= 160)
    return float(hz[inside][np.argmax(found[inside])])


BLOWS = (
    "{{impulses: {}, hz: 107.3, resonance_hz: 3100, decay_s: 0.001, slip: 0.01}}, {{noise: 0.5}}"
)


def test_envelope_peaks_at_the_rate_of_the_blows_and_not_without_them() -> None:
    sick = [peak_hz(w) for w in waves(BLOWS.format(8))]
    near = np.abs(np.array(sick) - 107.3) <= 2 / SECONDS
    assert near.all()
    sound = np.array([peak_hz(w) for w in waves(BLOWS.format(0))])
    assert (np.abs(sound - 107.3) <= 2 / SECONDS).mean() < 0.2


def test_harmonics_have_their_amplitudes_and_frequencies() -> None:
    found = waves("{harmonics: [2, 0, 0.5], hz: 100}")
    spectrum = 2 * np.abs(np.fft.rfft(found)) / found.shape[1]
    lines = {round(h * SECONDS): a for h, a in ((100, 2.0), (200, 0.0), (300, 0.5))}
    for line, amplitude in lines.items():
        assert np.allclose(spectrum[:, line], amplitude, atol=1e-3)
    assert np.allclose((found**2).mean(axis=1), (2**2 + 0.5**2) / 2, atol=1e-3)


def test_phases_differ_between_rows() -> None:
    assert len({round(float(w[0]), 4) for w in waves("{harmonics: [1], hz: 50}")}) > 30


def test_noise_has_its_deviation() -> None:
    found = waves("{noise: 0.7}")
    error = 0.7 / np.sqrt(2 * found.size)
    assert abs(found.std() - 0.7) < 4 * error
    assert abs(found.std() - 0.7 * 1.02) > 4 * error  # the test would see a fiftieth


def test_modulation_makes_sidebands_of_half_its_depth() -> None:
    found = waves("{harmonics: [1], hz: 1000, modulation: {hz: 40, depth: 0.6}}")
    spectrum = 2 * np.abs(np.fft.rfft(found)) / found.shape[1]
    assert np.allclose(spectrum[:, round(1000 * SECONDS)], 1, atol=1e-3)
    assert np.allclose(spectrum[:, round(1040 * SECONDS)], 0.3, atol=1e-3)


def test_blows_come_as_often_as_they_should() -> None:
    """Energy of a ring: A^2 decay / 4 (1 - 1 / (1 + (2 pi f decay)^2)), for each blow."""
    quiet = "{impulses: 5, hz: 40, resonance_hz: 3000, decay_s: 0.001, slip: 0}"
    power = (waves(quiet, rows=400) ** 2).mean()
    angle = 2 * np.pi * 3000 * 0.001
    energy = 25 * 0.001 / 4 * (1 - 1 / (1 + angle**2))
    assert power == pytest.approx(40 * energy, rel=0.02)


def test_what_the_sampler_cannot_hear_is_left_out() -> None:
    assert not waves("{harmonics: [1], hz: 6000}").any()
    assert not waves("{impulses: 9, hz: 50, resonance_hz: 5200, decay_s: 0.01}").any()


def test_formulas_of_the_row_set_the_amplitude() -> None:
    found = waves("{harmonics: [level], hz: 100}")
    assert not found[0].any() and found[1].std() > 0.5


def test_blocks_of_rows_do_not_show() -> None:
    long = waves("{noise: 1}", rows=6, seconds=30)  # several times what is made at once
    assert np.abs(np.corrcoef(long) - np.eye(6)).max() < 0.02


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ("{noise: 1, hz: 3}", "not known here"),
        ("{harmonics: [1], noise: 1, hz: 3}", "exactly one of"),
        ("{impulses: 1, hz: 3, resonance_hz: 9}", "decay_s"),
        ("{noise: -1}", "-1"),
    ],
)
def test_what_is_wrong_is_told(parts: str, says: str) -> None:
    with pytest.raises(SettingError, match=says):
        world(parts)


def test_windows_without_values_are_refused() -> None:
    with pytest.raises(SettingError, match="0 values a row"):
        world("{noise: 1}", seconds=0.00001)


def test_lists_go_to_parquet_and_not_to_databases(tmp_path) -> None:  # type: ignore[no-untyped-def]
    made = world("{noise: 1}").sample(3, seed=1)
    write_database(made, tmp_path / "folder")
    assert (tmp_path / "folder" / "waves.parquet").exists()
    for to, files in ((f"sqlite:///{tmp_path}/x.db", ".parquet"), (tmp_path / "csv", ".csv")):
        with pytest.raises(DataError, match=r"wave.*Parquet"):
            write_database(made, to, files=files)
