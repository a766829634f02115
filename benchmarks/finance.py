"""The world of finance, measured: how hard its fraud is to find, its tails, its speed.

    python benchmarks/finance.py [--customers 1000] [--seeds 3]

Writes Markdown. A detector learns from one world and is judged on another of its own seed. It sees
a transaction and what came before it on the two accounts, and no label, episode or oddity.
"""

import argparse
import time

import numpy as np
import pandas as pd

from geurim.generators.rules.world import World

DAY_S = 86_400


def transactions(customers: int, seed: int, **parameters: float) -> pd.DataFrame:
    tables = World.load("finance", **parameters).sample(customers, seed=seed).tables
    rows = tables["transactions"].to_arrow().to_pandas()
    shops = tables["merchants"].to_arrow().to_pandas().set_index("id")
    return rows.assign(category=rows.merchant.map(shops.category))


def within(account: np.ndarray, at_s: np.ndarray, window_s: float) -> np.ndarray:
    """How many earlier rows (N,) of the same account lie in the window; rows are in order."""
    size = float(at_s.max() + 10 * DAY_S)
    keys = account * size + at_s + 9 * DAY_S
    order = np.argsort(keys, kind="stable")
    first = np.searchsorted(keys[order], keys[order] - window_s)
    found = np.empty(len(keys))
    found[order] = np.arange(len(keys)) - first
    return np.where(account < 0, 0, found)


def features(rows: pd.DataFrame) -> pd.DataFrame:
    """What a bank knows when a transaction comes in: itself, and the past of its accounts."""
    at_s = (rows.time - rows.time.iloc[0]).dt.total_seconds().to_numpy()
    size = np.log(rows.amount)
    found = {"size": size, "hour": rows.time.dt.hour, "weekday": rows.time.dt.weekday}
    found |= {c: pd.factorize(rows[c], sort=True)[0] for c in ("type", "channel", "category")}
    for side, other in (("payer", "payee"), ("payee", "payer")):
        account = pd.factorize(rows[side], sort=True)[0]
        past = size.groupby(account)
        count = past.cumcount().to_numpy()
        mean = (past.cumsum() - size) / np.maximum(count, 1)
        square = ((size**2).groupby(account).cumsum() - size**2) / np.maximum(count, 1)
        deviation = np.sqrt(np.maximum(square - mean**2, 0.01))
        found |= {f"{side} rows": count, f"{side} size": (size - mean) / deviation}
        found[f"{side} pause"] = pd.Series(at_s).groupby(account).diff().to_numpy()
        for hours in (1, 24, 168):
            found[f"{side} in {hours} h"] = within(account, at_s, 3600.0 * hours)
        for column in ("merchant", "device", "city", other):
            pair = rows[column].astype("string").fillna("")
            seen = rows.groupby([pd.Series(account, rows.index), pair]).cumcount()
            found[f"{side} {column} seen"] = seen.where(rows[column].notna(), -1).to_numpy()
    money_in = rows.assign(account=rows.payee)[["time", "account", "amount"]].dropna()
    last = pd.merge_asof(
        rows[["time", "payer"]],
        money_in.rename(columns={"account": "payer", "amount": "last_in", "time": "came"}),
        left_on="time",
        right_on="came",
        by="payer",
        allow_exact_matches=False,
    )
    found["since money in"] = (last.time - last.came).dt.total_seconds().to_numpy()
    found["of money in"] = (rows.amount / last.last_in.to_numpy()).to_numpy()
    return pd.DataFrame(found, index=rows.index).astype(float)


def precision(fraud: np.ndarray, score: np.ndarray) -> float:
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(fraud, score))


def detected(training: pd.DataFrame, test: pd.DataFrame) -> dict[str, float]:
    """Average precision of boosted trees, and of three rules of one line."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    known, asked = features(training), features(test)
    learner = HistGradientBoostingClassifier(
        max_iter=150, learning_rate=0.08, min_samples_leaf=40, l2_regularization=1.0, random_state=0
    ).fit(known, training.is_fraud)
    fraud = test.is_fraud.to_numpy()
    return {
        "boosted trees": precision(fraud, learner.predict_proba(asked)[:, 1]),
        "amount": precision(fraud, asked["size"].to_numpy()),
        "new merchant": precision(fraud, (asked["payer merchant seen"] == 0).to_numpy()),
        "hour of night": precision(fraud, (asked["hour"] < 6).to_numpy()),
        "share": float(fraud.mean()),
    }


def tail(values: np.ndarray, share: float = 0.05) -> float:
    """Hill's estimate of the exponent of the tail: P(X > x) ~ x**-alpha."""
    top = np.sort(values)[-max(int(share * len(values)), 10) :]
    return float(1 / np.log(top / top[0])[1:].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=3)
    said = parser.parse_args()
    names = ["boosted trees", "amount", "new merchant", "hour of night", "share"]
    print(f"| subtlety | {' | '.join(names)} |\n|{' --- |' * (len(names) + 1)}", flush=True)
    for subtlety in (0.0, 0.25, 0.5, 0.75, 1.0):
        found = []
        for seed in range(said.seeds):
            both = [
                transactions(said.customers, 10 * seed + k, subtlety=subtlety, fraud=0.01)
                for k in (1, 2)
            ]
            found.append(detected(*both))
        cells = []
        for name in names:
            values = [f[name] for f in found]
            spread = f" ({min(values):.3f} to {max(values):.3f})"
            cells.append(f"{np.mean(values):.3f}{spread if name == 'boosted trees' else ''}")
        print(f"| {subtlety} | {' | '.join(cells)} |", flush=True)
    start = time.process_time()
    rows = transactions(said.customers, 1)
    print(f"\n{len(rows):,} transactions, {time.process_time() - start:.1f} CPU s")
    transfers = rows[(rows.type == "transfer") & rows.payer.notna() & rows.payee.notna()]
    honest = transfers[~transfers.is_fraud & transfers.oddity.isna()]
    partners = honest.drop_duplicates(["payer", "payee"])
    print(f"tail of in-degree: {tail(partners.payee.value_counts().to_numpy()):.2f}")
    print(f"tail of out-degree: {tail(partners.payer.value_counts().to_numpy()):.2f}")
    cards = rows[rows.type == "card"]
    print(f"tail of payments a merchant: {tail(cards.merchant.value_counts().to_numpy()):.2f}")
    for kind, mine in rows[~rows.is_fraud].groupby("type"):
        print(f"tail of amounts, {kind}: {tail(mine.amount.to_numpy(), 0.02):.2f}")


if __name__ == "__main__":
    main()
