"""Does raising a rare class to one half with synthetic rows help a learner? Writes RARE.md.

    pip install lightgbm==4.7.0 imbalanced-learn==0.14.2 pandas .
    python benchmarks/rare.py --data DATA [--cases mammography,fraud] [--repeats 2] \\
        [--sdv PYTHON] [--mostlyai PYTHON]

DATA is a folder of real tables. Each case is cross-validated in five folds, `--repeats` times;
whatever adds rows sees the training folds only, and the rows that are judged are real. A case with
a share is thinned to it: rare rows are taken away from the training folds, and those that are
judged are weighted down to it, so that few rare rows do not make the measure noisy as well. The
measure is average precision; each method is compared with no change on the same folds. The peers
(SDV's copula, TVAE and CTGAN; MOSTLY AI; each in an environment of its own, whose Python is given)
learn the rare rows alone, at their default settings, and give as many as are missing: a class of
one in a thousand need not be found then, and a fit takes seconds.
"""

import argparse
import json
import os
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from lightgbm import LGBMClassifier
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import geurim
from geurim.augment import augment

HERE = Path(__file__).resolve().parent
LABEL = "rare"


@dataclass(frozen=True)
class Case:
    """A table, its target and rare value; `share` where it is thinned."""

    file: str
    target: str
    value: str
    share: float | None = None


CASES = {
    "mammography": Case("imbalanced/mammography", "class", "1"),
    "mammography 0.5%": Case("imbalanced/mammography", "class", "1", 0.005),
    "fraud (ULB)": Case("imbalanced/ulb_creditcard_subsample", "Class", "1"),
    "fraud (ULB) 0.17%": Case("imbalanced/ulb_creditcard_subsample", "Class", "1", 0.0017),
    "page blocks": Case("imbalanced/keel_page_blocks0", "Class", "positive"),
    "page blocks 1%": Case("imbalanced/keel_page_blocks0", "Class", "positive", 0.01),
    "yeast6": Case("imbalanced/keel_yeast6", "Class", "positive"),
    "phoneme 1%": Case("imbalanced/phoneme", "class", "1", 0.01),
    "bank 1%": Case("tabular/bank_marketing", "y", "yes", 0.01),
    "bank 0.1%": Case("tabular/bank_marketing", "y", "yes", 0.001),
    "adult 1%": Case("tabular/adult", "income", ">50K", 0.01),
    "adult 0.1%": Case("tabular/adult", "income", ">50K", 0.001),
    "credit default 1%": Case("tabular/creditcard_default_taiwan", "default", "1", 0.01),
}
Rows = tuple[pd.DataFrame, np.ndarray | None]  # rows and their weights


def load(case: Case, data: Path) -> pd.DataFrame:
    rows = pq.read_table(data / f"{case.file}.parquet").to_pandas()
    names = [n for n in rows.columns if case.target.lower() in n.lower()]
    target = names[-1] if names else rows.columns[-1]
    label = rows[target].astype(str).str.strip() == case.value
    rows = rows.drop(columns=[target])
    for name in rows.select_dtypes(exclude="number").columns:
        rows[name] = rows[name].astype(str)
    rows[LABEL] = np.where(label, "yes", "no")
    return rows


def is_rare(rows: pd.DataFrame) -> np.ndarray:
    return (rows[LABEL] == "yes").to_numpy()


def folds(
    rows: pd.DataFrame, share: float | None, seed: int
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame, np.ndarray]]:
    """Training rows, judged rows and the weights of those."""
    label, rng = is_rare(rows), np.random.default_rng(seed)
    for train, test in StratifiedKFold(5, shuffle=True, random_state=seed).split(rows, label):
        weight = np.ones(len(test))
        if share:
            others, rare = train[~label[train]], train[label[train]]
            kept = rng.choice(rare, max(8, round(share / (1 - share) * len(others))), replace=False)
            train = np.sort(np.append(others, kept))
            odds = share / (1 - share) * (~label[test]).sum() / label[test].sum()
            weight[label[test]] = odds
        yield rows.iloc[train].reset_index(drop=True), rows.iloc[test], weight


# Methods: training rows -> training rows


def unchanged(rows: pd.DataFrame, seed: int) -> Rows:
    return rows, None


def weights(rows: pd.DataFrame, seed: int) -> Rows:
    label = is_rare(rows)
    return rows, np.where(label, (~label).sum() / label.sum(), 1.0)


def copies(rows: pd.DataFrame, seed: int) -> Rows:
    label = is_rare(rows)
    more = rows[label].sample((~label).sum() - label.sum(), replace=True, random_state=seed)
    return pd.concat([rows, more], ignore_index=True), None


def smote_kin(kind: str) -> Callable[[pd.DataFrame, int], Rows]:
    def method(rows: pd.DataFrame, seed: int) -> Rows:
        from imblearn import over_sampling

        features = rows.drop(columns=LABEL)
        words = list(features.select_dtypes(exclude="number").columns)
        features = features.fillna(features.median(numeric_only=True))
        near = int(min(5, is_rare(rows).sum() - 1))
        if words:  # of the kin only SMOTE has a form for mixed columns
            sampler = over_sampling.SMOTENC(words, random_state=seed, k_neighbors=near)
        elif kind == "ADASYN":
            sampler = over_sampling.ADASYN(random_state=seed, n_neighbors=near)
        else:
            sampler = getattr(over_sampling, kind)(random_state=seed, k_neighbors=near)
        made, label = sampler.fit_resample(features, rows[LABEL])
        return made.assign(**{LABEL: np.asarray(label)}), None

    return method


def balance(rows: pd.DataFrame, seed: int) -> Rows:
    """`sample(balance=…)`: the class as the default generator knows it."""
    label = is_rare(rows)
    need = int((~label).sum() - label.sum())
    fitted = geurim.fit(pa.Table.from_pandas(rows, preserve_index=False), seed=seed)
    drawn = geurim.sample(fitted, need, seed=seed, given=pa.table({LABEL: ["yes"] * need}))
    return pd.concat([rows, drawn.to_pandas()[rows.columns]], ignore_index=True), None


def augmented(**settings: Any) -> Callable[[pd.DataFrame, int], Rows]:
    def method(rows: pd.DataFrame, seed: int) -> Rows:
        table = pa.Table.from_pandas(rows, preserve_index=False)
        made = augment(table, LABEL, value="yes", seed=seed, **settings).to_pandas()
        return made[rows.columns], None

    return method


METHODS: dict[str, Callable[[pd.DataFrame, int], Rows]] = {
    "no change": unchanged,
    "class weights": weights,
    "copies": copies,
    "SMOTE": smote_kin("SMOTE"),
    "Borderline-SMOTE": smote_kin("BorderlineSMOTE"),
    "ADASYN": smote_kin("ADASYN"),
    "Geurim balance": balance,
    "Geurim augment": augmented(),
}


PEERS = {"sdv-copula": "sdv", "sdv-tvae": "sdv", "sdv-ctgan": "sdv", "mostlyai": "mostlyai"}
LONGEST = 900  # wall seconds of one process of a peer


def peer(name: str, python: str) -> Callable[[pd.DataFrame, int], Rows]:
    """Rows of the rare class by another system, learned from the rare rows alone."""

    def method(rows: pd.DataFrame, seed: int) -> Rows:
        label = is_rare(rows)
        rare = rows[label].drop(columns=LABEL)
        words = dict.fromkeys(rare.select_dtypes(exclude="number").columns, str)
        with tempfile.TemporaryDirectory() as folder:
            train, model, out = (str(Path(folder) / n) for n in ("train.csv", "model", "out.csv"))
            rare.to_csv(train, index=False)
            need = str((~label).sum() - label.sum())
            argv = [python, str(HERE / "peers.py"), name, "both", train, model, need, out]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=LONGEST)
            if done.returncode:
                raise RuntimeError(f"{name}: {done.stderr[-300:]}")
            made = pd.read_csv(out, dtype=words, keep_default_na=True)
        made = made[rare.columns].assign(**{LABEL: "yes"})
        for column in words:
            made[column] = made[column].fillna("nan")
        return pd.concat([rows, made], ignore_index=True), None

    return method


# Learners


def boosted(rows: pd.DataFrame, weight: np.ndarray | None, asked: pd.DataFrame) -> np.ndarray:
    def prepared(frame: pd.DataFrame) -> pd.DataFrame:
        out = frame.drop(columns=LABEL)
        for name in out.select_dtypes(exclude="number").columns:
            out[name] = pd.Categorical(out[name], categories=sorted(set(rows[name])))
        return out

    learner = LGBMClassifier(verbose=-1, n_jobs=1, random_state=0)
    learner.fit(prepared(rows), is_rare(rows), sample_weight=weight)
    return np.asarray(learner.predict_proba(prepared(asked)))[:, 1]


def linear(rows: pd.DataFrame, weight: np.ndarray | None, asked: pd.DataFrame) -> np.ndarray:
    features = rows.drop(columns=LABEL)
    numbers = list(features.select_dtypes("number").columns)
    words = [n for n in features.columns if n not in numbers]
    learner = make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
            (OneHotEncoder(handle_unknown="ignore", min_frequency=10), words),
        ),
        LogisticRegression(max_iter=300),
    )
    step = {} if weight is None else {"logisticregression__sample_weight": weight}
    learner.fit(features, is_rare(rows), **step)
    return np.asarray(learner.predict_proba(asked.drop(columns=LABEL)))[:, 1]


LEARNERS = {"LightGBM": boosted, "logistic regression": linear}


def spent() -> float:
    """CPU seconds of this process and of those that it waited for."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def measure(case: Case, data: Path, methods: list[str], repeats: int) -> dict[str, Any]:
    """Average precision by learner and method, of each fold; CPU seconds of each method."""
    rows = load(case, data)
    found: dict[str, Any] = {name: {m: [] for m in methods} for name in LEARNERS}
    cost, count = dict.fromkeys(methods, 0.0), []
    for repeat in range(repeats):
        for i, (training, judged, weight) in enumerate(folds(rows, case.share, repeat)):
            count.append(int(is_rare(training).sum()))
            for method in methods:
                began = spent()
                try:
                    made, made_weight = METHODS[method](training, 10 * repeat + i)
                except (RuntimeError, subprocess.TimeoutExpired) as error:
                    print(f"  {method}, fold {i}: {error}", flush=True)
                    for name in LEARNERS:
                        found[name][method].append(float("nan"))
                    continue
                cost[method] += spent() - began
                for name, learner in LEARNERS.items():
                    score = learner(made, made_weight, judged)
                    precision = average_precision_score(
                        is_rare(judged), score, sample_weight=weight
                    )
                    found[name][method].append(float(precision))
    cost = {m: round(c / len(count), 2) for m, c in cost.items()}
    return {"scores": found, "cpu": cost, "rows": len(rows), "rare": float(np.mean(count))}


def joined(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """What was measured before, on the same folds, with the methods measured now."""
    scores = {name: before["scores"][name] | now["scores"][name] for name in LEARNERS}
    if len({len(s) for own in scores.values() for s in own.values()}) > 1:
        raise SystemExit(
            "Other folds were measured before: run all methods, or the same --repeats."
        )
    return now | {"scores": scores, "cpu": before["cpu"] | now["cpu"]}


# The page


def change(scores: dict[str, list[float]], method: str) -> tuple[float, float]:
    """The mean change against no change, and its standard error, over the folds that ended."""
    gap = np.array(scores[method]) - np.array(scores["no change"])
    gap = gap[np.isfinite(gap)]
    if len(gap) < 2:
        return float("nan"), float("nan")
    return float(gap.mean()), float(gap.std(ddof=1) / len(gap) ** 0.5)


def verdicts(results: dict[str, Any], learner: str, method: str) -> str:
    """On how many cases `method` wins, ties or loses against all others and against no change."""
    best, better, worse, cases = 0, 0, 0, 0
    for row in results.values():
        scores = row["scores"][learner]
        gain, error = change(scores, method) if method in scores else (np.nan, np.nan)
        if np.isnan(gain):
            continue
        others = [change(scores, m)[0] for m in scores if m != method]
        cases += 1
        best += gain >= np.nanmax(others)
        better += gain > 0
        worse += gain < -2 * error
    return (
        f"{method}: best of all methods in {best} of {cases} cases, better than no change "
        f"in {better}, worse by more than two standard errors in {worse}."
    )


def page(results: dict[str, Any]) -> str:
    out = ["# Rare classes: does raising them to one half help?", "", "Written by `rare.py`."]
    out += ["", *(__doc__ or "").strip().splitlines()[5:], ""]
    for learner in LEARNERS:
        seen = [list(row["scores"][learner]) for row in results.values()]
        methods = max(seen, key=len)
        out += [
            f"## {learner}",
            "",
            "Average precision; in brackets the change and its standard error.",
        ]
        out += ["", "| case | rare rows | " + " | ".join(methods) + " |"]
        out.append("| --- " * (len(methods) + 2) + "|")
        for case, row in results.items():
            scores, cells = row["scores"][learner], []
            for method in methods:
                gain, error = change(scores, method) if method in scores else (np.nan, np.nan)
                if np.isnan(gain):
                    cells.append("did not end" if method in scores else "not run")
                    continue
                text = f"{np.nanmean(scores[method]):.3f}"
                cells.append(
                    text if method == "no change" else f"{text} ({gain:+.3f} ± {error:.3f})"
                )
            out.append(f"| {case} | {row['rare']:.0f} | " + " | ".join(cells) + " |")
        out += [
            "",
            *(f"- {verdicts(results, learner, m)}" for m in methods if m != "no change"),
            "",
        ]
    costs = [f"{case}: {row['cpu'].get('Geurim augment', 0):.1f}" for case, row in results.items()]
    out += ["CPU seconds of one `augment`: " + "; ".join(costs) + ".", ""]
    return "\n".join(out)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--data", type=Path, required=True)
    p.add_argument("--cases", default=",".join(CASES))
    p.add_argument("--methods", help="which methods; the others keep what was measured before")
    p.add_argument("--sdv", help="a Python that has sdv")
    p.add_argument("--mostlyai", help="a Python that has mostlyai")
    p.add_argument("--repeats", type=int, default=1)
    p.add_argument("--out", type=Path, default=HERE / "RARE.md")
    a = p.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name, home in PEERS.items():
        if python := getattr(a, home):
            METHODS[name] = peer(name, python)
    methods = a.methods.split(",") if a.methods else list(METHODS)
    warnings.filterwarnings("ignore")
    kept = a.out.with_suffix(".json")
    results = json.loads(kept.read_text()) if kept.exists() else {}
    for case in a.cases.split(","):
        print(case, flush=True)
        before = results.get(case)
        results[case] = measure(CASES[case], a.data, methods, a.repeats)
        if before and a.methods:
            results[case] = joined(before, results[case])
        ordered = {c: results[c] for c in CASES if c in results}
        kept.write_text(json.dumps(ordered, indent=1) + "\n")
        a.out.write_text(page(ordered))


if __name__ == "__main__":
    main()
