"""Score a synthetic table against the real one, with the peers' own metrics: JSON on the screen.

    python score.py --train train.csv --holdout holdout.csv --synth synthetic.csv --target COLUMN

A yardstick from outside, independent of Geurim's own `verify`. Give as many synthetic as training
rows. Its environment is sdmetrics 0.32.0, lightgbm 4.7.0, scikit-learn and pandas;
tables.py makes it.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import NearestNeighbors

warnings.filterwarnings("ignore")
LGB = {
    "n_estimators": 200,
    "learning_rate": 0.05,
    "num_leaves": 31,
    "verbose": -1,
    "n_jobs": 1,
    "random_state": 0,
}
MISSING = "\0NA"
C2ST_ROWS = 40_000  # at most so many real and so many synthetic rows
DCR_ROWS = 10_000

Kinds = dict[str, str]  # column -> num, time or cat


def load(paths: list[str]) -> tuple[list[pd.DataFrame], Kinds]:
    """Read the CSVs alike; the first, the training table, decides each column's kind."""
    frames = [pd.read_csv(p, low_memory=False) for p in paths]
    train = frames[0]
    frames = [train, *(d.reindex(columns=train.columns) for d in frames[1:])]
    kinds = {c: kind(train[c]) for c in train}
    for d in frames:
        for c, k in kinds.items():
            if k == "num":
                d[c] = pd.to_numeric(d[c], errors="coerce").astype(float)
            elif k == "time":
                d[c] = pd.to_datetime(d[c], errors="coerce", format="mixed")
            else:
                d[c] = d[c].astype(object).where(d[c].isna(), d[c].astype(str))
    return frames, kinds


def kind(column: pd.Series) -> str:
    if pd.api.types.is_numeric_dtype(column) and column.dtype != bool:
        return "num"
    text = column.dropna().astype(str)
    return "time" if text.str.match(r"\d{4}-\d\d-\d\d").mean() > 0.95 else "cat"


def numeric(column: pd.Series) -> pd.Series:
    """Numbers as they are, times as seconds since 1970."""
    if column.dtype.kind != "M":
        return column.astype(float)
    return (column - pd.Timestamp(0)).dt.total_seconds()


def matrices(frames: list[pd.DataFrame], kinds: Kinds, drop: str = "") -> list[pd.DataFrame]:
    """What LightGBM reads: times as seconds, categories as codes shared by all frames."""
    out = [pd.DataFrame(index=range(len(f))) for f in frames]
    for c, k in kinds.items():
        if c == drop:
            continue
        if k != "cat":
            for o, f in zip(out, frames, strict=True):
                o[c] = numeric(f[c]).values
            continue
        values = pd.Index(pd.concat([f[c] for f in frames]).dropna().unique())
        codes = [pd.Categorical(f[c].values, categories=values).codes for f in frames]
        shared = sorted(set().union(*(set(x) for x in codes)))
        for o, x in zip(out, codes, strict=True):
            o[c] = pd.Categorical(x, categories=shared)
    return out


def fit_predict(
    train: pd.DataFrame, test: pd.DataFrame, kinds: Kinds, target: str
) -> tuple[float, str]:
    """Score on `test` of a model of `target` learned on `train`: R² or (macro) AUC, and which."""
    train, test = (d[d[target].notna()].reset_index(drop=True) for d in (train, test))
    x, xt = matrices([train, test], kinds, drop=target)
    if kinds[target] == "num" and test[target].nunique() > 20:
        model = lgb.LGBMRegressor(**LGB).fit(x, train[target])
        return r2_score(test[target], model.predict(xt)), "R2"
    if train[target].nunique() < 2:
        return 0.5, "AUC"
    labels = sorted(test[target].unique())
    model = lgb.LGBMClassifier(**LGB).fit(x, train[target])
    raw = pd.DataFrame(model.predict_proba(xt), columns=model.classes_)
    raw = raw.reindex(columns=labels).fillna(0)
    if len(labels) == 2:
        return roc_auc_score(test[target] == labels[1], raw[labels[1]]), "AUC"
    aucs = [roc_auc_score(test[target] == label, raw[label]) for label in labels]
    return float(np.mean(aucs)), "macro AUC"


def utility(
    train: pd.DataFrame, holdout: pd.DataFrame, synth: pd.DataFrame, kinds: Kinds, target: str
) -> dict[str, Any]:
    """Train on synthetic (TSTR) and on real (TRTR), test on the holdout; the gap is best at 0."""
    tstr, metric = fit_predict(synth, holdout, kinds, target)
    trtr, _ = fit_predict(train, holdout, kinds, target)
    return {
        "metric": metric,
        "tstr": round(tstr, 4),
        "trtr": round(trtr, 4),
        "gap": round(trtr - tstr, 4),
    }


def c2st(train: pd.DataFrame, synth: pd.DataFrame, kinds: Kinds) -> dict[str, Any]:
    """AUC (5-fold) of telling training from synthetic rows, best at 0.5, and what betrays them."""
    n = min(len(train), len(synth), C2ST_ROWS)
    a, b = train.sample(n, random_state=0), synth.sample(n, random_state=0)
    x = pd.concat(matrices([a, b], kinds), ignore_index=True)
    y = np.r_[np.zeros(n), np.ones(n)]
    aucs, gain = [], np.zeros(x.shape[1])
    for fit, test in StratifiedKFold(5, shuffle=True, random_state=0).split(x, y):
        model = lgb.LGBMClassifier(**LGB).fit(x.iloc[fit], y[fit])
        aucs.append(roc_auc_score(y[test], model.predict_proba(x.iloc[test])[:, 1]))
        gain += model.booster_.feature_importance("gain")
    top = sorted(zip(gain / gain.sum(), x.columns, strict=True), reverse=True)[:3]
    return {
        "auc": round(float(np.mean(aucs)), 4),
        "telltale_columns": {c: round(float(g), 3) for g, c in top},
    }


def embed(frames: list[pd.DataFrame], kinds: Kinds, most: int = 100) -> list[np.ndarray]:
    """Points: numbers scaled by the first frame's range, the `most` first categories one-hot."""
    parts: list[list[np.ndarray]] = [[] for _ in frames]
    for c, k in kinds.items():
        if k == "cat":
            top = np.array(frames[0][c].fillna(MISSING).value_counts().index[:most], object)
            for o, f in zip(parts, frames, strict=True):
                same = f[c].fillna(MISSING).values[:, None] == top[None]
                o.append(same * np.float32(0.5**0.5))  # two different values lie 1 apart
            continue
        base = numeric(frames[0][c])
        low, span = base.min(), (base.max() - base.min()) or 1
        for o, f in zip(parts, frames, strict=True):
            v = numeric(f[c])
            o.append(((v - low) / span).fillna(0).clip(-1, 2).values[:, None].astype("float32"))
            o.append(v.isna().values[:, None].astype("float32"))
    return [np.hstack(o) for o in parts]


def dcr_share(
    train: pd.DataFrame, holdout: pd.DataFrame, synth: pd.DataFrame, kinds: Kinds
) -> float:
    """Share of synthetic rows nearer to training rows than to as many holdout rows; best at 0.5.

    Ties count half. The standard error is about .005 at 10,000 rows.
    """
    n = min(len(train), len(holdout), DCR_ROWS)
    frames = [f.sample(min(n, len(f)), random_state=1) for f in (train, holdout, synth)]
    t, h, s = embed(frames, kinds)
    near = [NearestNeighbors(n_neighbors=1, algorithm="brute").fit(r) for r in (t, h)]
    to_train, to_holdout = (m.kneighbors(s)[0][:, 0] for m in near)
    gap = to_train - to_holdout
    return round(float(np.mean(gap < -1e-5) + 0.5 * np.mean(np.abs(gap) <= 1e-5)), 4)


def copies(
    train: pd.DataFrame, holdout: pd.DataFrame, synth: pd.DataFrame, kinds: Kinds
) -> dict[str, float]:
    """Share of rows that equal a training row, in every column, and the holdout's own share."""
    t, h, s = (hashes(f, kinds) for f in (train, holdout, synth))
    seen = set(t)
    return {
        "synth": round(float(s.isin(seen).mean()), 6),
        "holdout": round(float(h.isin(seen).mean()), 6),
    }


def hashes(f: pd.DataFrame, kinds: Kinds) -> pd.Series:
    parts = [
        f[c].fillna(MISSING) if k == "cat" else numeric(f[c]).round(6).astype(str)
        for c, k in kinds.items()
    ]
    parts = [p.rename(i) for i, p in enumerate(parts)]
    return pd.util.hash_pandas_object(pd.concat(parts, axis=1), index=False)


def tails(train: pd.DataFrame, synth: pd.DataFrame, kinds: Kinds) -> dict[str, Any]:
    """How much real mass beyond the 1% and 99% quantiles, and rare (<1%) categories, come back."""
    mass, shares, found, rare_count = [], [], 0, 0
    for c, k in kinds.items():
        if k == "cat":
            share = train[c].dropna().value_counts(normalize=True)
            rare = set(share[share < 0.01].index)
            if rare:
                hit = len(rare & set(synth[c].dropna().unique()))
                shares.append(hit / len(rare))
                found, rare_count = found + hit, rare_count + len(rare)
            continue
        r, s = numeric(train[c]).dropna(), numeric(synth[c]).dropna()
        low, high = r.quantile([0.01, 0.99])
        pairs = [((s < low).mean(), (r < low).mean()), ((s > high).mean(), (r > high).mean())]
        got = [min(1.0, float(a / b)) for a, b in pairs if b > 0]
        if got and len(s):
            mass.append(float(np.mean(got)))
    return {
        "numeric_tail_mass": round(float(np.mean(mass)), 4) if mass else None,
        "rare_categories": round(float(np.mean(shares)), 4) if shares else None,
        "rare_categories_pooled": round(found / rare_count, 4) if rare_count else None,
    }


def quality_report(train: pd.DataFrame, synth: pd.DataFrame, kinds: Kinds) -> dict[str, float]:
    """SDMetrics' quality report, best at 1; independent columns get .88 on Adult."""
    from sdmetrics.reports.single_table import QualityReport

    names = {"num": "numerical", "cat": "categorical", "time": "datetime"}
    metadata = {"columns": {c: {"sdtype": names[k]} for c, k in kinds.items()}}
    report = QualityReport()
    report.generate(train, synth, metadata, verbose=False)
    parts = report.get_properties().set_index("Property")["Score"]
    return {
        "score": round(report.get_score(), 4),
        "column_shapes": round(parts["Column Shapes"], 4),
        "column_pair_trends": round(parts["Column Pair Trends"], 4),
    }


def score(paths: list[str], target: str, figures: list[str]) -> dict[str, Any]:
    """The figures asked for (all where none is named), each with the seconds it took."""
    (train, holdout, synth), kinds = load(paths)
    steps: dict[str, Callable[[], Any]] = {
        "sdmetrics": lambda: quality_report(train, synth, kinds),
        "utility": lambda: utility(train, holdout, synth, kinds, target),
        "c2st": lambda: c2st(train, synth, kinds),
        "dcr_share": lambda: dcr_share(train, holdout, synth, kinds),
        "exact_train_copies": lambda: copies(train, holdout, synth, kinds),
        "tails": lambda: tails(train, synth, kinds),
        "max_missing_rate_gap": lambda: round(
            float((train.isna().mean() - synth.isna().mean()).abs().max()), 4
        ),
    }
    rows = {"train": len(train), "holdout": len(holdout), "synth": len(synth)}
    out: dict[str, Any] = {"rows": rows, "seconds": {}}
    for name in figures or list(steps):
        start = time.time()
        try:
            out[name] = steps[name]()
        except Exception as error:  # one figure that fails must not lose the others
            out[name] = {"error": f"{type(error).__name__}: {error}"[:300]}
        out["seconds"][name] = round(time.time() - start, 1)
    return out


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("train", "holdout", "synth", "target"):
        p.add_argument("--" + name, required=True)
    p.add_argument("--figures", default="", help="only these, such as c2st,dcr_share")
    a = p.parse_args()
    figures = [f for f in a.figures.split(",") if f]
    print(json.dumps(score([a.train, a.holdout, a.synth], a.target, figures), indent=1))


if __name__ == "__main__":
    main()
