"""The adversarial generator against distributions in closed form, killed, resumed and misused."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from geurim.analyze import analyze
from geurim.contract import Source
from geurim.errors import DataError, MissingExtra, SettingError
from geurim.generators._training import Training
from geurim.generators.gan import FittedGan, Gan
from geurim.testing import source_of

torch = pytest.importorskip("torch")

SHARES = np.array([0.3, 0.25, 0.15, 0.1, 0.08, 0.06, 0.04, 0.02])


def fit(source: Source, seed: int = 1, **settings: object) -> FittedGan:
    training = settings.pop("training", {})
    assert isinstance(training, dict)
    gan = Gan(**settings)  # type: ignore[arg-type]
    gan = replace(gan, training=replace(gan.training, **training))
    return gan.fit(source, analyze(source), np.random.default_rng(seed))


def ring(rows: int = 2_000, seed: int = 3) -> pa.Table:
    """Eight normals on a circle, from common to rare: the classic test of dropped modes."""
    rng = np.random.default_rng(seed)
    mode = rng.choice(8, rows, p=SHARES)
    angle = mode * np.pi / 4
    noise = rng.normal(scale=0.05, size=(2, rows))
    return pa.table({"x": np.cos(angle) + noise[0], "y": np.sin(angle) + noise[1]})


def modes(table: pa.Table) -> tuple[np.ndarray, float]:
    """The share of rows nearest to each mode (8,), and the share within 5 deviations of one."""
    x, y = table["x"].to_numpy(), table["y"].to_numpy()
    turn = np.arange(8) * np.pi / 4
    far = np.hypot(x[:, None] - np.cos(turn), y[:, None] - np.sin(turn))
    near = far.min(1) < 0.25
    return np.bincount(far.argmin(1)[near], minlength=8) / len(x), float(near.mean())


def right_modes(table: pa.Table) -> bool:
    shares, near = modes(table)
    held = (shares > SHARES / 4).all() and (np.abs(shares - SHARES) < 0.03 + SHARES / 4).all()
    return bool(near > 0.7 and held)


def drawn(fitted: FittedGan, rows: int, seed: int = 5) -> pa.Table:
    return pa.Table.from_batches([fitted.draw(rows, np.random.default_rng(seed))])


@pytest.fixture(scope="module")
def round_gan() -> FittedGan:
    return fit(source_of(ring()))


def test_no_mode_of_a_ring_is_dropped(round_gan: FittedGan) -> None:
    assert right_modes(drawn(round_gan, 4_000))


def test_a_generator_that_drops_a_mode_is_seen() -> None:
    assert right_modes(ring(seed=4))
    whole = ring(seed=4)
    shares = modes(whole)[0]
    assert shares[6] > 0
    angle = np.arctan2(whole["y"].to_numpy(), whole["x"].to_numpy())
    assert not right_modes(whole.filter(pa.array(np.abs(angle + np.pi / 2) > 0.4)))


def test_fitted_objects_pickle_and_leave_torch_as_it_was(round_gan: FittedGan) -> None:
    before = torch.get_rng_state()
    again = pickle.loads(pickle.dumps(round_gan))
    assert drawn(again, 100).equals(drawn(round_gan, 100))
    assert torch.equal(before, torch.get_rng_state())


CHILD = """
import sys
sys.path.insert(0, {folder!r})
from geurim.generators import _training
from test_gan import fit, ring, source_of
_training._SAVE_S = 0.0
settings = dict(epochs=8, patience=8, checkpoint={path!r})
fit(source_of(ring(200)), width=16, groups=8, training=settings)
"""


def test_a_killed_fit_goes_on_to_the_same_rows(tmp_path: Path) -> None:
    path = tmp_path / "fit.checkpoint"
    code = CHILD.format(folder=str(Path(__file__).parent), path=str(path))
    child = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    deadline = time.monotonic() + 120
    while not path.exists() and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL, "the child ended before it was killed"
    state = torch.load(path, weights_only=True)
    assert 0 < len(state["scores"]) < 8
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        source, settings = source_of(ring(200)), {"epochs": 8, "patience": 8}
        going_on = {**settings, "checkpoint": str(path)}
        resumed = fit(source, width=16, groups=8, training=going_on)
        whole = fit(source, width=16, groups=8, training=settings)
        assert drawn(resumed, 500).equals(drawn(whole, 500))
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("wrong", [{"groups": 0}, {"tries": 1.5}, {"penalty": -1}, {"moments": -1}])
def test_wrong_settings_are_named(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingError, match=next(iter(wrong))):
        Gan(**wrong)  # type: ignore[arg-type]


def test_a_profile_alone_and_no_rows_are_refused() -> None:
    source = source_of(ring(50))
    with pytest.raises(DataError, match="copula"):
        Gan().fit(None, analyze(source), np.random.default_rng(0))
    empty = source_of(ring(50).slice(0, 0))
    with pytest.raises(DataError, match="no rows"):
        Gan().fit(empty, analyze(source), np.random.default_rng(0))


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"gan.*geurim\[torch\]"):
        fit(source_of(ring(100)))


def test_settings_come_back_from_a_model_file() -> None:
    source = source_of(ring(100))
    fitted = fit(source, width=16, training={"epochs": 1})
    state, arrays = fitted.state()
    again = FittedGan.from_state(fitted.profile, fitted.schema, fitted.lineage, state, arrays)
    assert (
        again.settings
        == fitted.settings
        == Gan(width=16, training=replace(Gan().training, epochs=1))
    )
    assert isinstance(again.settings.training, Training)
    assert drawn(again, 50).equals(drawn(fitted, 50))
