"""Generation after generation: what fades by theory fades here, and what must hold holds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from scipy import special

import geurim
from geurim.cli import main
from geurim.collapse import Generation, collapse_texts, generation_of, smallest_share
from geurim.contract import Fitted, Generator, Lineage, Profile, Progress, Source, quiet
from geurim.errors import DataError, SettingError, TargetExists
from geurim.verify.collapsing import MEASURES, TEXT_WAYS, WAYS, faded, measured
from geurim.verify.compare import compare
from geurim.verify.verdict import TOLERANCES

ROWS, COLUMNS = 10, 60


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedGauss(Fitted):
    """Independent normal columns."""

    schema: pa.Schema
    lineage: Lineage
    profile: Profile
    mean: np.ndarray
    deviation: np.ndarray
    name: ClassVar[str] = "gauss"

    def draw(
        self, rows: int, rng: np.random.Generator, given: pa.Table | None = None
    ) -> pa.RecordBatch:
        values = self.mean + self.deviation * rng.standard_normal((rows, len(self.mean)))
        return pa.RecordBatch.from_arrays([pa.array(v) for v in values.T], schema=self.schema)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {}, {}

    @classmethod
    def from_state(cls, *_: Any) -> FittedGauss:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Gauss(Generator):
    """The maximum-likelihood fit of independent normal columns."""

    fitted: ClassVar[type[Fitted]] = FittedGauss

    def fit(
        self,
        source: Source | None,
        profile: Profile,
        rng: np.random.Generator,
        progress: Progress = quiet,
    ) -> FittedGauss:
        assert source is not None
        table = source.to_arrow()
        values = np.stack([c.to_numpy() for c in table.columns])
        return FittedGauss(
            schema=source.schema,
            lineage=Lineage.made(repr(self), parents=(source.lineage,)),
            profile=profile,
            mean=values.mean(axis=1),
            deviation=values.std(axis=1),
        )


def normal(rows: int, columns: int, seed: int = 0) -> pa.Table:
    values = np.random.default_rng(seed).normal(3, 2, (columns, rows))
    return pa.table({f"x{i}": v for i, v in enumerate(values)})


def ratios(found: geurim.Collapse) -> np.ndarray:
    """Each column's variance against the real one, by generation from 1 on: (G, C)."""
    points = found.curve("collapse_variance")[1:]
    return np.array([list(f.details["columns"].values()) for _, f in points])


@cache
def gaussian(mode: str, generations: int, share: float | None = None) -> geurim.Collapse:
    return geurim.collapse(
        normal(ROWS, COLUMNS),
        generations=generations,
        mode=mode,  # type: ignore[arg-type]
        generator=Gauss(),
        measures=["collapse_variance"],
        holdout=0,
        seed=1,
        real_share=share,
    )


def off(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """By how many standard errors, over the columns, each generation's mean is off: (G,)."""
    error = found.std(axis=1, ddof=1) / np.sqrt(found.shape[1])
    return np.abs(found.mean(axis=1) - expected) / error


def test_variance_shrinks_by_one_less_one_nth_when_rows_are_replaced() -> None:
    """E[v_g] = v_0 (1 - 1/n)^g under the maximum-likelihood fit; 4 standard errors is 1e-4."""
    found = ratios(gaussian("replace", 6))
    g = np.arange(1, 7)
    assert off(found, (1 - 1 / ROWS) ** g).max() < 4.5
    assert off(np.log(found), np.zeros(6))[-1] > 6  # a chain that kept its variance would fail
    # The logarithm falls by a known step each generation: log of chi²(n - 1) / n.
    step = special.digamma((ROWS - 1) / 2) + np.log(2 / ROWS)
    assert off(np.log(found), g * step).max() < 4.5


def test_variance_stays_bounded_when_rows_accumulate() -> None:
    """The pooled fit gives E[v_t] = v_1 prod(1 - 1/(n s²), s = 2..t): above 0.93 for ever."""
    found = ratios(gaussian("accumulate", 8))
    t = np.arange(1, 9)
    kept = np.cumprod(np.where(t > 1, 1 - 1 / (ROWS * t**2), 1.0)) * (1 - 1 / ROWS)
    assert off(found, kept).max() < 4.5
    assert off(found, (1 - 1 / ROWS) ** t)[-1] > 5


def test_real_rows_in_every_training_set_hold_the_variance() -> None:
    found = ratios(gaussian("replace", 6, 0.5))
    assert found[-1].mean() > 0.75
    assert ratios(gaussian("replace", 6))[-1].mean() < 0.65


# -- measures: each fails on rows that have faded by a stated amount, and passes on honest ones ----


def people(seed: int, rows: int = 3_000) -> pa.Table:
    rng = np.random.default_rng([3, seed])
    age = rng.normal(45, 12, rows).round(1)
    place = rng.choice([*"ABC", *(f"r{i}" for i in range(20))], rows, p=[0.3] * 3 + [0.005] * 20)
    income = rng.lognormal(8 + age / 20, 0.3).round(1)
    kind = np.where(age + rng.normal(0, 6, rows) > 45, "x", "y")
    return pa.table({"age": age, "place": place, "income": income, "kind": kind})


def shrunk(rows: pa.Table) -> pa.Table:
    for place, name in ((0, "age"), (2, "income")):
        values = rows[name].to_numpy()
        rows = rows.set_column(
            place, name, pa.array(values.mean() + 0.6 * (values - values.mean()))
        )
    return rows


def clipped(rows: pa.Table) -> pa.Table:
    values = rows["income"].to_numpy()
    low, high = np.quantile(values, [0.02, 0.98])
    age = rows["age"].to_numpy()
    kept = np.clip(age, *np.quantile(age, [0.02, 0.98]))
    rows = rows.set_column(0, "age", pa.array(kept))
    return rows.set_column(2, "income", pa.array(np.clip(values, low, high)))


def commoner(rows: pa.Table) -> pa.Table:
    place = np.array(rows["place"].to_pylist())
    lost = np.isin(place, [f"r{i}" for i in range(12)])
    return rows.set_column(1, "place", pa.array(np.where(lost, "A", place)))


def repeated(rows: pa.Table) -> pa.Table:
    return pa.concat_tables([rows.slice(0, len(rows) // 2)] * 2)


def shuffled(rows: pa.Table) -> pa.Table:
    order = np.random.default_rng(0).permutation(len(rows))
    rows = rows.set_column(3, "kind", rows["kind"].take(pa.array(order[::-1])))
    return rows.set_column(2, "income", rows["income"].take(pa.array(order)))


MUTANTS = {
    "collapse_variance": shrunk,
    "collapse_tails": clipped,
    "collapse_rare": commoner,
    "collapse_categories": commoner,
    "collapse_distinct": repeated,
    "collapse_pairs": shuffled,
    "collapse_c2st": shuffled,
}


def compared(first: pa.Table, last: pa.Table, names: list[str]) -> list[geurim.Finding]:
    """The judged findings of a chain whose first and last generation are these."""
    real, held = people(1), people(2)
    profile = geurim.analyze(real)
    out = []
    for rows in (first, last, held):
        sources = [geurim.read(t) for t in (rows, real, held)]
        rng = np.random.default_rng(0)
        c, _ = compare(sources[0], sources[1], sources[2], profile, None, rng)
        out.append(measured(c, names, 1))
    return [faded(a, b, z, 9) for a, b, z in zip(*out, strict=True)]


def test_every_measure_has_a_mutant_and_a_tolerance() -> None:
    assert set(MUTANTS) == set(MEASURES) == {n for n in TOLERANCES if n.startswith("collapse_")}
    assert {way for _, way in TEXT_WAYS.values()} | {m.way for m in MEASURES.values()} == set(WAYS)
    assert set(TEXT_WAYS) <= set(TOLERANCES)


@pytest.mark.parametrize("name", MUTANTS)
def test_every_measure_fails_on_rows_that_faded(name: str) -> None:
    (finding,) = compared(people(3), MUTANTS[name](people(4)), [name])
    assert finding.verdict == "fail" or (finding.verdict == "warn" and name == "collapse_tails")
    assert "generation 9" in finding.text and "generation 1" in finding.text


@pytest.mark.parametrize("seed", [5, 7, 9])
def test_no_measure_blames_rows_that_did_not_fade(seed: int) -> None:
    found = compared(people(seed), people(seed + 1), list(MEASURES))
    assert [(f.name, f.text) for f in found if f.verdict in ("warn", "fail")] == []
    assert sum(f.verdict == "pass" for f in found) >= 5
    assert all(f.low <= f.value <= f.high and f.reference is not None for f in found)


# -- the driver --------------------------------------------------------------------------------


def study(**more: Any) -> geurim.Collapse:
    settings: dict[str, Any] = {"generations": 3, "generator": "independent", "seed": 5}
    settings |= {"measures": ["collapse_variance"], **more}
    return geurim.collapse(people(1, 600), **settings)


def test_resampling_loses_rows_and_accumulating_loses_fewer() -> None:
    name = "collapse_distinct"
    lost = study(generator="resample", generations=6, measures=[name])
    kept = study(generator="resample", generations=6, measures=[name], mode="accumulate")
    fall = [c.curve(name)[1][1].value - c.curve(name)[-1][1].value for c in (lost, kept)]
    assert fall[0] > fall[1] > 0
    assert lost.verdict in ("warn", "fail")
    assert lost.curve(name)[-1][1].value < 0.6


def test_a_study_says_what_each_generation_learned_from() -> None:
    counts = [(g.training, g.real) for g in study(real_share=0.25, rows=400).generations]
    assert counts == [(0, 0), (480, 480), (400, 100), (400, 100)]
    counts = [(g.training, g.real) for g in study(mode="accumulate").generations]
    assert counts == [(0, 0), (480, 480), (960, 480), (1440, 480)]
    mixed = study(mode="accumulate", real_share=0.5).generations
    assert [(g.training, g.real) for g in mixed[2:]] == [(480, 240)] * 2


def test_the_same_seed_gives_the_same_figures_with_and_without_a_folder(tmp_path: Path) -> None:
    kept = study(to=tmp_path / "run", measures=["collapse_variance", "collapse_pairs"])
    free = study(measures=["collapse_variance", "collapse_pairs"])
    assert kept.to_json() == free.to_json()
    again = study(to=tmp_path / "run", measures=["collapse_variance", "collapse_pairs"])
    assert again.to_json() == kept.to_json()
    for generation in kept.generations:
        state = json.loads(
            (tmp_path / "run" / f"generation-{generation.number:03d}.json").read_text()
        )
        assert isinstance(generation_of(state), Generation)
    longer = study(
        to=tmp_path / "run", measures=["collapse_variance", "collapse_pairs"], generations=4
    )
    assert longer.generations[:4] == kept.generations


def test_columns_that_are_made_anew_are_left_out_and_named() -> None:
    rows = people(1, 600)
    rows = rows.append_column("id", pa.array(np.arange(1, 601)))
    rows = rows.append_column("email", pa.array([f"user{i}@mail.example" for i in range(600)]))
    found = geurim.collapse(
        rows, generations=1, generator="independent", measures=["collapse_distinct"], seed=1
    )
    assert any("'id', 'email'" in n for n in found.notes)


@pytest.mark.parametrize(
    ("more", "error", "says"),
    [
        ({"mode": "append"}, SettingError, "append"),
        ({"real_share": 1.5}, SettingError, r"1\.5"),
        ({"real_share": 0.9, "rows": 600}, DataError, "540 real rows"),
        ({"generations": 0}, SettingError, "generations is 0"),
        ({"measures": ["variance"]}, SettingError, "collapse_variance"),
    ],
    ids=["mode", "share", "too few", "generations", "measure"],
)
def test_what_cannot_be_is_refused(more: Mapping[str, Any], error: Any, says: str) -> None:
    with pytest.raises(error, match=says):
        study(**more)


def test_a_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    study(to=tmp_path / "run", generations=1, measures=["collapse_variance"])
    with pytest.raises(TargetExists, match="another seed"):
        study(to=tmp_path / "run", generations=1, measures=["collapse_variance"], seed=6)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("x")
    with pytest.raises(TargetExists, match=r"mine\.txt"):
        study(to=tmp_path / "other")
    assert sorted(p.name for p in (tmp_path / "other").iterdir()) == ["mine.txt"]


def test_the_smallest_share_that_holds_is_found(tmp_path: Path) -> None:
    found = smallest_share(
        people(1, 900),
        grid=[0.0, 0.3, 0.9],
        generations=5,
        generator="resample",
        measures=["collapse_distinct", "collapse_variance"],
        seed=3,
        to=tmp_path,
    )
    assert found.smallest["collapse_distinct"] in (0.9, None)
    assert found.smallest["collapse_variance"] is not None
    assert [g.number for g in found.runs[0][1].generations] == [0, 1, 5]
    found.save(tmp_path)
    assert json.loads((tmp_path / "collapse.json").read_text())["share"] == found.share
    page = (tmp_path / "collapse.html").read_text()
    assert "smallest share" in page and "<script" not in page
    assert any("Different rows" in line for line in found.summary())


def test_the_page_shows_every_measure_and_escapes(tmp_path: Path) -> None:
    found = study(measures=None)
    page = found.to_html()
    for measure in MEASURES.values():
        assert measure.title in page
    assert page.count("<svg") == sum(f.count > 0 for f in found.findings)
    assert found.summary()[0].startswith("Fading over 3 generations")
    with pytest.raises(KeyError, match="collapse_variance"):
        found.curve("variance")


def test_texts_that_become_alike_are_found(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(600)])

    def texts(kinds: int) -> list[str]:
        return [" ".join(rng.choice(words[:kinds], 25)) for _ in range(300)]

    sets = [pa.table({"text": texts(k)}) for k in (600, 600, 200, 40)]
    found = collapse_texts(sets, seed=1)
    assert found.verdict == "fail"
    values = [f.value for _, f in found.curve("text_distinct_1")]
    assert values[0] == pytest.approx(values[1], abs=0.05) and values[1] > values[2] > values[3]
    honest = collapse_texts([sets[0], sets[1], pa.table({"text": texts(600)})], seed=1)
    assert honest.verdict in ("pass", "info")
    with pytest.raises(SettingError, match="2 sets"):
        collapse_texts(sets[:2])
    for i, rows in enumerate(sets):
        geurim.write(rows, tmp_path / f"g{i}.jsonl")
    files = [str(tmp_path / f"g{i}.jsonl") for i in range(4)]
    done = CliRunner().invoke(
        main, ["collapse", *files, "--text", "--seed", "1", "-o", str(tmp_path / "o")]
    )
    assert done.exit_code == 1, done.output
    assert "Different words" in (tmp_path / "o" / "collapse.html").read_text()


STUDY = ["--generator", "resample", "--generations", "4", "--rows", "600", "--seed", "5", "-o"]


def test_a_killed_run_goes_on_and_ends_with_the_same_figures(tmp_path: Path) -> None:
    geurim.write(people(1, 900), tmp_path / "real.parquet")
    words = [sys.executable, "-c", "from geurim.cli import main; main()", "collapse"]
    words += [str(tmp_path / "real.parquet"), *STUDY]
    folder = tmp_path / "killed"
    with subprocess.Popen(
        [*words, str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        for _ in range(1200):
            if (folder / "generation-002.json").exists():
                break
            time.sleep(0.05)
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait(timeout=60) == -signal.SIGKILL
    assert not (folder / "collapse.json").exists()
    before = (folder / "generation-002.json").stat().st_mtime_ns
    again = CliRunner().invoke(main, [*words[3:], str(folder)])
    assert again.exit_code in (0, 1), again.output
    assert (folder / "generation-002.json").stat().st_mtime_ns == before
    whole = CliRunner().invoke(main, [*words[3:], str(tmp_path / "whole")])
    assert whole.exit_code == again.exit_code
    assert (folder / "collapse.json").read_bytes() == (
        tmp_path / "whole" / "collapse.json"
    ).read_bytes()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["a.csv", "b.csv"], "--text"),
        (["a.csv", "--share", "0.5"], "--share"),
        (["a.csv", "--find-share", "--real-share", "0.5"], "--real-share"),
        (["a.csv", "b.csv", "c.csv", "--text", "--mode", "accumulate"], "--mode"),
        (["nofile.csv"], "nofile"),
    ],
    ids=["several", "share", "both", "text", "no file"],
)
def test_wrong_use_is_told(words: list[str], says: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["collapse", *words, "-o", str(tmp_path / "o")])
    assert done.exit_code == 2 and says in done.stderr
    assert not (tmp_path / "o").exists()
