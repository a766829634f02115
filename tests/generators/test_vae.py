"""The variational autoencoder against distributions in closed form, killed, resumed and misused."""

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
from geurim.generators.vae import FittedVae, Vae
from geurim.testing import source_of

torch = pytest.importorskip("torch")

MIDDLES = np.array([[0.0, 4.0], [4.0, -2.0], [-4.0, -2.0]])
ROWS = 20_000


def fit(table: pa.Table, seed: int = 1, **settings: object) -> FittedVae:
    training = settings.pop("training", {})
    assert isinstance(training, dict)
    vae = Vae(**settings)  # type: ignore[arg-type]
    vae = replace(vae, training=replace(vae.training, **training))
    source: Source = source_of(table)
    return vae.fit(source, analyze(source), np.random.default_rng(seed))


def drawn(fitted: FittedVae, rows: int, seed: int = 5) -> pa.Table:
    return pa.Table.from_batches([fitted.draw(rows, np.random.default_rng(seed))])


def pair(rows: int = 4_000) -> pa.Table:
    """Two normals of correlation 0.8 and a word that goes with neither."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal(rows)
    y = 0.8 * x + 0.6 * rng.standard_normal(rows)
    return pa.table({"x": x, "y": y, "word": rng.choice(["a", "b", "c"], rows)})


def away_from(correlation: float, x: np.ndarray, y: np.ndarray, real: int) -> float:
    """How far the correlation is from the true one, in errors of `real` and the drawn rows."""
    found = np.arctanh(np.corrcoef(x, y)[0, 1]) - np.arctanh(correlation)
    return float(abs(found) / np.sqrt(1 / (real - 3) + 1 / (len(x) - 3)))


@pytest.fixture(scope="module")
def normal() -> FittedVae:
    return fit(pair())


def test_correlation_of_a_gaussian_pair_is_recovered(normal: FittedVae) -> None:
    rows = drawn(normal, ROWS)
    x, y = rows["x"].to_numpy(), rows["y"].to_numpy()
    bound = 3.9  # normal errors: less than once in 10,000 runs
    assert away_from(0.8, x, y, 4_000) < bound
    # Wrong by a tenth of the spread: the same measure sees it.
    noisy = y + 0.3 * np.random.default_rng(2).standard_normal(ROWS)
    assert away_from(0.8, x, noisy, 4_000) > bound
    assert abs(x.mean()) < 0.08 and abs(x.std() - 1) < 0.06
    word = np.array(rows["word"].to_pylist())
    assert all(abs(x[word == w].mean()) < 0.15 for w in "abc")


def test_clusters_are_apart_and_keep_their_shares_and_words() -> None:
    rng = np.random.default_rng(6)
    which = rng.choice(3, 3_000, p=[0.5, 0.3, 0.2])
    x, y = (MIDDLES[which] + 0.5 * rng.standard_normal((3_000, 2))).T
    words = np.array(["top", "right", "left"])
    rows = drawn(fit(pa.table({"x": x, "y": y, "word": words[which]})), ROWS)
    points = np.column_stack([rows["x"].to_numpy(), rows["y"].to_numpy()])
    apart = np.linalg.norm(points[:, None] - MIDDLES, axis=2)
    nearest = apart.argmin(1)
    # The truth is 0.9997 of the rows; a Gaussian latent leaves some between the clusters, and
    # independent columns, which have the shares as well, would have most of them there.
    assert (apart.min(1) < 2.0).mean() > 0.9
    alone = np.column_stack([rng.permutation(x), rng.permutation(y)])
    assert (np.linalg.norm(alone[:, None] - MIDDLES, axis=2).min(1) < 2.0).mean() < 0.6
    shares = np.bincount(nearest, minlength=3) / ROWS
    np.testing.assert_allclose(shares, [0.5, 0.3, 0.2], atol=0.05)
    assert (words[nearest] == np.array(rows["word"].to_pylist())).mean() > 0.9


def test_fitted_objects_pickle_and_leave_torch_as_it_was(normal: FittedVae) -> None:
    before = torch.get_rng_state()
    again = pickle.loads(pickle.dumps(normal))
    assert drawn(again, 100).equals(drawn(normal, 100))
    assert torch.equal(before, torch.get_rng_state())


CHILD = """
import sys
sys.path.insert(0, {folder!r})
from geurim.generators import _training
from test_vae import fit, pair
_training._SAVE_S = 0.0
fit(pair(400), width=16, training=dict(epochs=30, patience=30, checkpoint={path!r}))
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
    assert 0 < len(state["scores"]) < 30
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        settings = {"epochs": 30, "patience": 30}
        resumed = fit(pair(400), width=16, training={**settings, "checkpoint": str(path)})
        whole = fit(pair(400), width=16, training=settings)
        assert drawn(resumed, 500).equals(drawn(whole, 500))
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("wrong", [{"groups": 0}, {"tries": 1.5}, {"beta": 0}, {"max_rows": True}])
def test_wrong_settings_are_named(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingError, match=next(iter(wrong))):
        Vae(**wrong)  # type: ignore[arg-type]


def test_a_profile_alone_and_no_rows_are_refused() -> None:
    source = source_of(pair(50))
    with pytest.raises(DataError, match="copula"):
        Vae().fit(None, analyze(source), np.random.default_rng(0))
    with pytest.raises(DataError, match="no rows"):
        fit(pair(50).slice(0, 0))


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"vae.*geurim\[torch\]"):
        fit(pair(100))


def test_many_categories_do_not_make_it_large() -> None:
    words = [f"word {i % 4_000}" for i in range(8_000)]
    table = pa.table({"word": words, "x": np.arange(8_000.0) % 4_000})
    model = fit(table, training={"epochs": 1})
    assert sum(p.numel() for p in model.network.parameters()) < 250_000
    assert drawn(model, 100).num_rows == 100


def test_settings_come_back_from_a_model_file() -> None:
    fitted = fit(pair(100), width=16, training={"epochs": 1})
    state, arrays = fitted.state()
    again = FittedVae.from_state(fitted.profile, fitted.schema, fitted.lineage, state, arrays)
    assert again.settings == fitted.settings
    assert again.settings == Vae(width=16, training=replace(Vae().training, epochs=1))
    assert isinstance(again.settings.training, Training)
    assert drawn(again, 50).equals(drawn(fitted, 50))
