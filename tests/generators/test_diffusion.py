"""The diffusion generator recovers known joint distributions, from nothing and from any columns."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("torch")

import geurim
from geurim import testing
from geurim.analyze import analyze
from geurim.errors import DataError, FitError, MissingExtra, SettingError
from geurim.generators import select
from geurim.generators._training import Training, seeded
from geurim.generators.diffusion import Diffusion, FittedDiffusion

ROWS = 20_000
QUICK = Training(epochs=2)
MIDDLES = np.array([[0.0, 4.0], [4.0, -2.0], [-4.0, -2.0]])
WORDS = np.array(["top", "right", "left"])


def fit(table: pa.Table, settings: Diffusion | None = None, seed: int = 1) -> FittedDiffusion:
    source = testing.source_of(table)
    return (settings or Diffusion()).fit(source, analyze(source), testing.stream(seed))


def drawn(
    model: FittedDiffusion, given: pa.Table | None = None, rows: int = ROWS
) -> dict[str, np.ndarray]:
    batch = model.draw(rows, testing.stream(4), given)
    return {n: batch[n].to_numpy(zero_copy_only=False) for n in batch.schema.names}


def pair(rows: int = 4_000) -> pa.Table:
    """Two normals of correlation 0.8 and a word that goes with neither."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal(rows)
    y = 0.8 * x + 0.6 * rng.standard_normal(rows)
    return pa.table({"x": x, "y": y, "word": rng.choice(["a", "b", "c"], rows)})


def clusters(rows: int = 3_000) -> pa.Table:
    """Three clusters of a plane, of shares .5, .3, .2, each with its own word."""
    rng = np.random.default_rng(6)
    which = rng.choice(3, rows, p=[0.5, 0.3, 0.2])
    x, y = (MIDDLES[which] + 0.5 * rng.standard_normal((rows, 2))).T
    return pa.table({"x": x, "y": y, "word": WORDS[which]})


def parity(rows: int = 3_000) -> pa.Table:
    """Three fair coins of which any two tell nothing of each other, and all three everything."""
    a, b = np.random.default_rng(5).integers(0, 2, (2, rows)).astype(bool)
    return pa.table({"a": a, "b": b, "odd": a ^ b})


@pytest.fixture(scope="module")
def clustered() -> FittedDiffusion:
    return fit(clusters())


def away_from(correlation: float, x: np.ndarray, y: np.ndarray, real: int) -> float:
    """How far the correlation is from the true one, in errors of `real` and the drawn rows."""
    found = np.arctanh(np.corrcoef(x, y)[0, 1]) - np.arctanh(correlation)
    return float(abs(found) / np.sqrt(1 / (real - 3) + 1 / (len(x) - 3)))


def test_correlation_of_a_gaussian_pair_is_recovered_and_a_blurred_one_found() -> None:
    rows = drawn(fit(pair()))
    bound = 3.9  # normal errors: less than once in 10,000 runs
    assert away_from(0.8, rows["x"], rows["y"], 4_000) < bound
    noisy = rows["y"] + 0.3 * np.random.default_rng(2).standard_normal(ROWS)
    assert away_from(0.8, rows["x"], noisy, 4_000) > bound
    # 3.9 standard errors of a mean among 4,000 rows, and of the spread.
    assert abs(rows["x"].mean()) < 0.062 and abs(rows["x"].std() - 1) < 0.044


def test_parity_that_no_pair_tells_is_recovered_from_nothing_and_from_any_two() -> None:
    table = parity()
    model = fit(table)
    rows = drawn(model)
    right = (rows["a"] ^ rows["b"]) == rows["odd"]
    assert right.mean() > 0.99  # columns apart, or in pairs, give 0.5
    for one, other in (("a", "b"), ("a", "odd"), ("b", "odd")):
        assert abs((rows[one] == rows[other]).mean() - 0.5) < 0.037  # 4 errors among 3,000 rows
        given = table.select([one, other]).slice(0, 1_000)
        told = drawn(model, given, 1_000)
        assert ((told["a"] ^ told["b"]) == told["odd"]).mean() > 0.99


def test_no_column_sees_itself_or_what_is_revealed_after_it() -> None:
    import torch

    from geurim import codec
    from geurim.generators import _diffusion_net as net

    table = clusters(100)
    coded, codes = codec.learn(table)
    model = fit(table, Diffusion(training=QUICK))._chain.model
    with seeded(testing.stream(1)):
        network = net.Masked(list(model.before), list(model.after), [[], [], []], 64, 32, 0.0)
    codes = np.concatenate([codes[:1]] * 2)
    place = torch.tensor([[0.5, 0.1, 0.9]] * 2)  # of the first two rows
    for changed in range(3):
        codes[1] = codes[0]
        codes[1, changed] = (codes[0, changed] + 1) % coded.sizes[changed]
        rows = net.rows_of(model, codes, codes, torch.device("cpu"))
        batch = [{k: v[i] for k, v in rows.items()} for i in range(3)]
        for given, order in ((place, [1, 0, 2]), (place[:0], [0, 1, 2])):
            one, other = network.hidden(batch, given).transpose(0, 1)
            differs = (one != other).any(1).tolist()
            later = order[order.index(changed) + 1 :]
            assert differs == [i in later for i in range(3)]


def near(rows: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """How far each row is from the nearest middle, and which one it is."""
    apart = np.linalg.norm(np.stack([rows["x"], rows["y"]], 1)[:, None] - MIDDLES, axis=2)
    return apart.min(1), apart.argmin(1)


def test_clusters_are_apart_and_keep_their_shares_and_words(clustered: FittedDiffusion) -> None:
    rows = drawn(clustered)
    far, which = near(rows)
    assert (far < 2.0).mean() > 0.97  # the truth is 0.9997; columns apart give 0.4
    # 4 standard errors of the share 1/2 among the rows learned from: 0.037.
    np.testing.assert_allclose(np.bincount(which, minlength=3) / ROWS, [0.5, 0.3, 0.2], atol=0.04)
    assert (WORDS[which] == rows["word"]).mean() > 0.97
    shuffled = rows | {"y": testing.stream(1).permutation(rows["y"])}
    assert (near(shuffled)[0] < 2.0).mean() < 0.7


def test_given_columns_are_heeded_whichever_they_are(clustered: FittedDiffusion) -> None:
    for word, (x, y) in zip(WORDS, MIDDLES, strict=True):
        rows = drawn(clustered, pa.table({"word": [word] * 2_000}), 2_000)
        assert set(rows["word"]) == {word}
        assert abs(rows["x"].mean() - x) < 0.3 and abs(rows["y"].mean() - y) < 0.3
    rows = drawn(clustered, pa.table({"y": np.full(2_000, 4.0)}), 2_000)
    assert (rows["word"] == "top").mean() > 0.97
    unheeded = drawn(clustered, None, 2_000)
    assert (unheeded["word"] == "top").mean() < 0.6


def test_value_never_seen_comes_back_and_tells_nothing(clustered: FittedDiffusion) -> None:
    rows = drawn(clustered, pa.table({"word": ["below"] * 5_000}), 5_000)
    assert set(rows["word"]) == {"below"}
    # 4 standard errors among the rows learned from, and among those drawn.
    assert abs((near(rows)[1] == 0).mean() - 0.5) < 0.065


def test_total_given_without_its_part_is_heeded_and_kept() -> None:
    rng = np.random.default_rng(2)
    first = rng.integers(0, 200, 3_000).astype(float)
    last = first + rng.integers(0, 30, 3_000)
    model = fit(pa.table({"first": first, "last": last}))
    assert any(s.base for s in model.codec.scales.values())
    for value in (40.0, 160.0):
        rows = drawn(model, pa.table({"last": [value] * 2_000}), 2_000)
        assert set(rows["last"]) == {value}
        assert abs(np.median(rows["first"]) - (value - 14.5)) < 15


def test_rows_do_not_lie_nearer_to_training_rows_than_to_others() -> None:
    rng = np.random.default_rng(3)
    values = rng.standard_normal((4_000, 3)) @ np.array([[1, 0.6, 0], [0, 1, 0.5], [0, 0, 1]])
    rows = drawn(fit(pa.table({f"x{i}": values[:2_000, i] for i in range(3)})), None, 1_000)
    found = np.stack(list(rows.values()), 1)
    apart = [
        np.sqrt(((found[:, None] - part[None]) ** 2).sum(2)).min(1)
        for part in (values[:2_000], values[2_000:])
    ]
    # 4 standard errors of a share of 1/2 among 1,000 rows.
    assert abs((apart[0] < apart[1]).mean() - 0.5) < 0.064


def test_rows_do_not_depend_on_workers() -> None:
    model = geurim.fit(pair(500), Diffusion(training=QUICK), seed=1)
    one, two = (geurim.sample(model, 70_000, seed=2, workers=w).to_arrow() for w in (1, 2))
    assert one.equals(two)


def test_many_categories_do_not_make_it_large() -> None:
    words = [f"word {i % 20_000}" for i in range(40_000)]
    table = pa.table({"word": words, "x": np.arange(40_000.0) % 20_000})
    model = fit(table, Diffusion(training=Training(epochs=1)))
    assert sum(w.size for w in model.weights.values()) < 1_000_000
    assert model.draw(100, testing.stream(1)).num_rows == 100


def test_table_without_columns_has_rows_and_nothing_else() -> None:
    source = testing.source_of(pair(100))
    model = Diffusion().fit(select(source, []), analyze(source), testing.stream(1))
    batch = model.draw(7, testing.stream(2))
    assert (batch.num_rows, batch.num_columns) == (7, 0)


def test_no_rows_and_a_profile_alone_are_refused() -> None:
    with pytest.raises(DataError, match="no rows"):
        fit(pair().slice(0, 0))
    with pytest.raises(DataError, match="copula"):
        Diffusion().fit(None, analyze(testing.source_of(pair(100))), testing.stream(1))


@pytest.mark.parametrize(
    "wrong",
    [{"width": 0}, {"tries": 0}, {"hidden": 2.5}, {"max_rows": True}, {"masked": 1.0}],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=next(iter(wrong))):
        Diffusion(**wrong)


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"diffusion.*geurim\[torch\]"):
        fit(pair(100))


KILLED = """
import sys
sys.path.insert(0, sys.argv[1])
from geurim.generators import _training
from test_diffusion import checkpointed
_training._SAVE_S = 0.0
checkpointed(sys.argv[2])
"""


def checkpointed(path: str | None, seed: int = 1) -> FittedDiffusion:
    training = Training(epochs=40, checkpoint=path)
    return fit(pair(600), Diffusion(training=training), seed)


def test_killed_fit_goes_on_to_the_same_rows(tmp_path: Path) -> None:
    path = tmp_path / "fit.checkpoint"
    folder = str(Path(__file__).parent)
    process = subprocess.Popen([sys.executable, "-c", KILLED, folder, str(path)])
    end = time.monotonic() + 120
    while not path.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the fit ended before it was killed"
    resumed, whole = checkpointed(str(path)), checkpointed(None)
    rows = [m.draw(500, testing.stream(6)) for m in (resumed, whole)]
    assert rows[0].equals(rows[1])
    assert resumed.state()[0]["settings"]["training"]["checkpoint"] is None  # no path in a model
    with pytest.raises(FitError, match="other data"):
        checkpointed(str(path), seed=8)


def test_tries_make_given_columns_heeded_where_one_try_does_not() -> None:
    rng = np.random.default_rng(7)
    first = rng.integers(0, 12, 3_000)
    last = np.round(first / 4 + rng.standard_normal(3_000), 3)
    model = fit(pa.table({"first": first, "last": last}), Diffusion(masked=0.0, tries=32))
    once = replace(model, settings=replace(model.settings, tries=1))
    given = pa.table({"last": last})
    real = np.corrcoef(first, last)[0, 1]
    found = [np.corrcoef(drawn(m, given, 3_000)["first"], last)[0, 1] for m in (model, once)]
    # 4 standard errors of each of two correlations near 0.65 among 3,000 rows: 0.06.
    assert abs(found[0] - real) < 0.06 < abs(found[1] - real)
