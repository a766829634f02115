"""The loop: it stops, names what diverges, and a killed fit goes on to the very same end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geurim.contract import Event
from geurim.errors import FitError, SettingError
from geurim.generators import _training
from geurim.generators._training import Training, train

torch = pytest.importorskip("torch")

SLOPE = np.array([2.0, -1.0, 0.5])


class Line:
    """Least squares by gradient: a task whose best weights are known."""

    def __init__(self, rate: float, rows: int = 600, pause_s: float = 0.0) -> None:
        rng = np.random.default_rng(7)
        self.x = torch.as_tensor(rng.normal(size=(rows, 3)), dtype=torch.float32)
        noise = torch.as_tensor(rng.normal(size=rows) * 0.1, dtype=torch.float32)
        self.y = self.x @ torch.as_tensor(SLOPE, dtype=torch.float32) + noise
        self.network = torch.nn.Linear(3, 1)
        self.optimizers = [torch.optim.Adam(self.network.parameters(), lr=rate)]
        self.pause_s = pause_s

    def loss(self, rows: Any) -> Any:
        return ((self.network(self.x[rows])[:, 0] - self.y[rows]) ** 2).mean()

    def step(self, rows: Any) -> Any:
        time.sleep(self.pause_s)
        self.optimizers[0].zero_grad()
        loss = self.loss(rows)
        loss.backward()
        self.optimizers[0].step()
        return loss.detach()

    def score(self, rows: Any) -> float:
        return float(self.loss(rows))


def fitted(
    seed: int = 1, rate: float = 0.05, pause_s: float = 0.0, progress: Any = None, **settings: Any
) -> tuple[np.ndarray, _training.History]:
    training = Training(batch=100, rate=min(rate, 0.9), **settings)
    events = progress if progress is not None else (lambda event: None)
    network, history = train(
        lambda device: Line(rate, pause_s=pause_s),
        600,
        training,
        np.random.default_rng(seed),
        events,
        key="line",
    )
    return network.weight.detach().numpy()[0], history


def test_the_truth_is_recovered_and_the_loop_stops_by_itself() -> None:
    weights, history = fitted(epochs=500)
    np.testing.assert_allclose(weights, SLOPE, atol=0.03)
    assert history.stopped == "patience" and len(history.scores) < 500
    assert history.scores[history.best] == min(history.scores)


def test_the_same_generator_gives_the_same_weights_and_leaves_torch_as_it_was() -> None:
    before = torch.get_rng_state()
    one, other = fitted(seed=3, epochs=5)[0], fitted(seed=3, epochs=5)[0]
    np.testing.assert_array_equal(one, other)
    assert torch.equal(before, torch.get_rng_state())
    assert not np.array_equal(one, fitted(seed=4, epochs=5)[0])


def test_progress_tells_loss_and_time_left() -> None:
    events: list[Event] = []
    fitted(epochs=3, patience=3, progress=events.append)
    assert [e.done for e in events] == [1, 2, 3, 3]
    assert all("loss" in e.note and "s left" in e.note for e in events[:-1])


def test_what_diverges_is_named_with_what_to_do() -> None:
    with pytest.raises(FitError, match=r"diverged in epoch \d+.*smaller rate"):
        fitted(rate=1e30, epochs=50)


def test_the_time_allowed_ends_it() -> None:
    began = time.monotonic()
    history = fitted(epochs=10_000, patience=10_000, seconds=0.3, pause_s=0.01)[1]
    assert history.stopped == "seconds" and time.monotonic() - began < 20


def test_a_checkpoint_of_another_fit_or_a_broken_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fit.checkpoint"
    fitted(epochs=2, checkpoint=str(path))
    with pytest.raises(FitError, match="other data"):
        train(
            lambda device: Line(0.05),
            600,
            Training(epochs=2, batch=100, checkpoint=str(path)),
            np.random.default_rng(1),
            key="other",
        )
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FitError, match="cannot be gone on from"):
        fitted(epochs=2, checkpoint=str(path))
    assert list(tmp_path.iterdir()) == [path]


CHILD = """
import sys
sys.path.insert(0, {folder!r})
from test_training import fitted, _training
_training._SAVE_S = 0.0
fitted(seed=9, epochs=40, patience=40, pause_s=0.02, checkpoint={path!r})
"""


def test_a_killed_fit_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    path = tmp_path / "fit.checkpoint"
    code = CHILD.format(folder=str(Path(__file__).parent), path=str(path))
    child = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 120
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL, "the child ended before it was killed"
    state = torch.load(path, weights_only=True)
    assert 0 < len(state["scores"]) < 40
    events: list[Event] = []
    again, history = fitted(
        seed=9, epochs=40, patience=40, checkpoint=str(path), progress=events.append
    )
    assert len(events) == 40 - len(state["scores"]) + 1  # what was done is not done again
    whole, same = fitted(seed=9, epochs=40, patience=40)
    np.testing.assert_array_equal(again, whole)
    assert history == same


def test_a_fit_beyond_memory_is_refused_before_it_begins() -> None:
    network = torch.nn.Linear(2, 2, device="meta")
    with pytest.raises(FitError, match=r"GB of memory.*generator='trees'"):
        _training.foresee(network, extra=int(_training.free_memory()) + 10**9)
    assert 0 < _training.free_memory() <= 10**15 or os.name != "posix"


@pytest.mark.parametrize(
    "wrong", [{"epochs": 0}, {"batch": 1.5}, {"rate": 2}, {"holdout": 0.9}, {"seconds": 0}]
)
def test_wrong_settings_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=next(iter(wrong))):
        Training(**wrong)


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(SettingError, match="nonsense"):
        _training.device_of(Training(device="nonsense"))


def test_weights_survive_a_model_file() -> None:
    one, other = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    arrays = _training.to_arrays(one)
    assert all(isinstance(a, np.ndarray) for a in arrays.values())
    _training.from_arrays(other, arrays)
    assert torch.equal(one.weight, other.weight)
