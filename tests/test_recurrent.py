"""The recurrent generator of series: what only a memory can tell, killed fits, no torch to draw."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("torch")

import geurim
from geurim.errors import SettingError
from geurim.generators._training import Training
from geurim.read import as_source
from geurim.sequences import Recurrent, Sequences, flatten, read_series
from geurim.sequences.recurrent import pieces_of

WAIT = 6


def echoes(units: int = 300, length: int = 24) -> pa.Table:
    """Each event repeats the one of six events before, nine times in ten: no lag of 1 to 3 tells.

    The first six, and one in ten after, are drawn from two letters.
    """
    rng = np.random.default_rng(1)
    letters = rng.integers(0, 2, (units, length))
    for t in range(WAIT, length):
        repeats = rng.random(units) < 0.9
        letters[:, t] = np.where(repeats, letters[:, t - WAIT], letters[:, t])
    who = np.repeat(np.arange(units), length)
    return pa.table({"who": who, "letter": np.array(["a", "b"])[letters.ravel()]})


def repeated(table: pa.Table) -> float:
    """The share of events that are as the one six before. Right is .95, by chance .5."""
    found = read_series(as_source(table), "who", None)
    letters = found.events["letter"].to_numpy(zero_copy_only=False)
    place = np.arange(len(letters)) - np.repeat(found.starts[:-1], found.lengths)
    late = np.flatnonzero(place >= WAIT)
    return float((letters[late] == letters[late - WAIT]).mean())


def test_memory_reaches_further_than_lags() -> None:
    real = echoes()
    shares = []
    for settings in (Recurrent(entity="who"), Sequences(entity="who")):
        fitted = geurim.fit(as_source(real), settings, seed=1)
        shares.append(repeated(flatten(geurim.sample(fitted, 300, seed=2)).to_arrow()))
    assert abs(shares[0] - 0.95) < 0.08
    assert shares[1] < 0.8  # the fast generator looks three events back


def test_pieces_cover_every_event_once() -> None:
    starts = np.array([0, 1, 64, 64 + 65, 400])
    seen = np.concatenate([np.arange(s + b, s + n) for s, n, b in pieces_of(starts)])
    assert np.array_equal(np.sort(seen), np.arange(400))
    for start, _, _ in pieces_of(starts):
        unit = np.searchsorted(starts, start, side="right")
        assert start >= starts[unit - 1]


@pytest.mark.parametrize("wrong", [{"width": 0}, {"hidden": 1.5}, {"dropout": 1}, {"trees": 0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingError, match=next(iter(wrong))):
        Recurrent(**wrong)  # type: ignore[arg-type]


DRAWN = """
import sys
sys.modules["torch"] = None
import geurim
from geurim.sequences import flatten
print(flatten(geurim.sample(geurim.load(sys.argv[1]), 3, seed=1)).to_arrow().num_rows)
"""


def test_torch_is_not_needed_to_draw(tmp_path: Path) -> None:
    fitted = geurim.fit(as_source(echoes(60, 8)), Recurrent(entity="who"), seed=1)
    geurim.save(fitted, tmp_path / "series.geurim")
    command = [sys.executable, "-c", DRAWN, str(tmp_path / "series.geurim")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "24\n"


KILLED = """
import sys
sys.path.insert(0, sys.argv[1])
from geurim.generators import _training
from test_recurrent import checkpointed
_training._SAVE_S = 0.0
checkpointed(sys.argv[2])
"""


def checkpointed(path: str | None) -> pa.Table:
    training = Training(epochs=12, checkpoint=path)
    settings = Recurrent(entity="who", width=16, hidden=16, training=training)
    fitted = geurim.fit(as_source(echoes(100, 12)), settings, seed=1)
    return geurim.sample(fitted, 50, seed=2).to_arrow()


def test_killed_fit_goes_on_to_the_same_rows(tmp_path: Path) -> None:
    path = tmp_path / "fit.checkpoint"
    folder = str(Path(__file__).parent)
    process = subprocess.Popen([sys.executable, "-c", KILLED, folder, str(path)])
    end = time.monotonic() + 120
    while not path.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert checkpointed(str(path)).equals(checkpointed(None))


def test_a_model_file_names_no_place_of_this_machine(tmp_path: Path) -> None:
    training = Training(epochs=1, checkpoint=str(tmp_path / "secret.checkpoint"))
    settings = Recurrent(entity="who", width=8, hidden=8, training=training)
    fitted = geurim.fit(as_source(echoes(60, 8)), settings, seed=1)
    assert "secret" not in repr(fitted.state()[0]) + repr(fitted.lineage)
