"""Every figure that one peer gives of synthetic rows; run inside its own environment.

    python _figures.py sdmetrics FOLDER ...

A folder holds training.parquet, holdout.parquet and synthetic.parquet; figures.json of the peer is
written beside them. Peers keep their defaults but for what is said here, to save time: SDMetrics'
two metrics of privacy look at 500 and 1,000 rows, and all use one thread.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
Figures = dict[str, float]
Frames = dict[str, pd.DataFrame]  # training, holdout, synthetic


def is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column)


def sdmetrics(t: Frames) -> Figures:
    """Both reports down to each column and pair; new rows; nearness to the training rows."""
    from sdmetrics.reports.single_table import DiagnosticReport, QualityReport
    from sdmetrics.single_table import DCROverfittingProtection, NewRowSynthesis

    real, made = t["training"], t["synthetic"]

    def kind(column: pd.Series) -> str:
        if pd.api.types.is_datetime64_any_dtype(column):
            return "datetime"
        return "numerical" if is_number(column) else "categorical"

    columns = {"columns": {n: {"sdtype": kind(real[n])} for n in real}}
    found: Figures = {}
    for report in (QualityReport(), DiagnosticReport()):
        report.generate(real, made, columns, verbose=False)
        found[type(report).__name__] = report.get_score()
        for part, score in report.get_properties().itertuples(index=False):
            found[part] = score
            rows = report.get_details(part)
            names = [n for n in ("Metric", "Column", "Column 1", "Column 2") if n in rows]
            for *name, value in rows[[*names, "Score"]].itertuples(index=False):
                found[" ".join(name)] = value
    found["NewRowSynthesis"] = NewRowSynthesis.compute(
        real, made, columns, synthetic_sample_size=500
    )
    near = DCROverfittingProtection.compute_breakdown(
        {"t": real}, {"t": made}, t["holdout"], {"tables": {"t": columns}}, "t", 1_000
    )
    found["DCR, closer to training"] = near["synthetic_data_percentages"]["closer_to_training"]
    return found


def mostlyai(t: Frames) -> Figures:
    """The report's metrics, and the accuracy of each column and pair of columns."""
    from mostlyai import qa

    with tempfile.TemporaryDirectory() as folder:
        _, metrics = qa.report(
            syn_tgt_data=t["synthetic"],
            trn_tgt_data=t["training"],
            hol_tgt_data=t["holdout"],
            report_path=Path(folder) / "report.html",
            statistics_path=Path(folder) / "kept",
        )
        each = [
            pd.read_parquet(Path(folder) / "kept" / f"{n}_accuracies.parquet")
            for n in ("univariate", "bivariate")
        ]
    parts = metrics.model_dump()
    found = {f"{p} {n}": v for p, own in parts.items() if own for n, v in own.items()}
    for rows in each:
        names = [n for n in ("type", "column", "col1", "col2") if n in rows]
        for *name, value in rows[[*names, "accuracy"]].itertuples(index=False):
            found["accuracy " + " ".join(map(str, name))] = value
    return found


def anonymeter(t: Frames) -> Figures:
    """Its three attacks; each column in its turn is the secret to be inferred."""
    from anonymeter.evaluators import (
        InferenceEvaluator,
        LinkabilityEvaluator,
        SinglingOutEvaluator,
    )

    t = {k: _without_times(v) for k, v in t.items()}
    three = {"ori": t["training"], "syn": t["synthetic"], "control": t["holdout"]}
    names = list(t["training"])
    found: Figures = {}

    def attacked(name: str, evaluator: object, **how: object) -> None:
        evaluator.evaluate(**how)  # type: ignore[attr-defined]
        found[f"{name} risk"] = evaluator.risk().value  # type: ignore[attr-defined]
        found[f"{name} success"] = evaluator.results().attack_rate.value  # type: ignore[attr-defined]

    alone = SinglingOutEvaluator(**three, seed=0)
    attacked("singling out, one column", alone, mode="univariate")
    several = SinglingOutEvaluator(**three, n_cols=4, seed=0, max_attempts=20_000)
    attacked("singling out, four columns", several, mode="multivariate")
    halves = (names[::2], names[1::2])
    linked = LinkabilityEvaluator(**three, aux_cols=halves, n_neighbors=10)
    attacked("linkability", linked, n_jobs=1)
    for secret in names:
        others = [n for n in names if n != secret]
        column = t["training"][secret]
        guess = InferenceEvaluator(
            **three,
            aux_cols=others,
            secret=secret,
            regression=is_number(column) and column.nunique() > 20,
            n_attacks=500,
        )
        attacked(f"inference of {secret}", guess, n_jobs=1)
    return found


def _without_times(rows: pd.DataFrame) -> pd.DataFrame:
    """Times as seconds, for a tool that knows numbers and categories."""
    times = rows.select_dtypes("datetime").columns
    return rows.assign(**{n: rows[n].astype("int64") / 1e6 for n in times})


PEERS: dict[str, Callable[[Frames], Figures]] = {
    "sdmetrics": sdmetrics,
    "mostlyai": mostlyai,
    "anonymeter": anonymeter,
}


def measured(peer: str, folder: Path) -> dict[str, object]:
    parts = ("training", "holdout", "synthetic")
    frames = {n: pd.read_parquet(folder / f"{n}.parquet") for n in parts}
    np.random.seed(0)
    started = time.process_time()
    try:
        figures = PEERS[peer](frames)
    except Exception as error:  # a tool that breaks on spoiled rows is a result too
        return {"error": f"{type(error).__name__}: {error}"[:200]}
    known = {k: float(v) for k, v in figures.items() if v is not None and np.isfinite(v)}
    return {"figures": known, "seconds": round(time.process_time() - started, 1)}


def main() -> None:
    peer, *folders = sys.argv[1:]
    for folder in map(Path, folders):
        found = measured(peer, folder)
        (folder / f"{peer}.json").write_text(json.dumps(found))
        print(folder.name, peer, found.get("seconds", found.get("error")), flush=True)


if __name__ == "__main__":
    main()
