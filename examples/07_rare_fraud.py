"""A rare class: fraud is one payment in two hundred. Does raising it to one half help a learner?

The payments are made here, by rules, so that nobody's are needed: frauds are larger, at night, far
from home and on new cards, but none of that alone gives one away. The learner is judged on payments
that neither it nor the generator has seen. Writes fraud.html, a report on the synthetic frauds:
what is made of sixty rows helps to learn, and says too much of the sixty to be given away.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import ydf

import geurim


def payments(rows: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    fraud = rng.random(rows) < 0.005
    hour = np.where(fraud, rng.normal(2, 4, rows) % 24, rng.normal(14, 5, rows) % 24)
    return pa.table(
        {
            "amount": np.exp(rng.normal(3.2 + 0.9 * fraud, 1.0, rows)).round(2),
            "hour": hour.astype(int),
            "distance_km": np.exp(rng.normal(1.5 + 1.5 * fraud, 1.2, rows)).round(1),
            "card_days": np.exp(rng.normal(6.0 - 1.5 * fraud, 1.0, rows)).astype(int),
            "channel": np.where(rng.random(rows) < 0.3 + 0.4 * fraud, "web", "shop"),
            "fraud": np.where(fraud, "yes", "no"),
        }
    )


def judged(training: pa.Table, test: pa.Table) -> float:
    """Average precision of boosted trees learned from `training`."""

    def columns(table: pa.Table) -> dict[str, np.ndarray]:
        return {n: table[n].to_numpy(zero_copy_only=False) for n in table.column_names}

    learner = ydf.GradientBoostedTreesLearner(label="fraud", num_trees=60, num_threads=1)
    model = learner.train(columns(training), verbose=0)
    score = model.predict(columns(test))
    score = score if model.label_classes()[1] == "yes" else 1 - score
    hits = (columns(test)["fraud"] == "yes")[np.argsort(-score, kind="stable")]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())


def frauds(table: pa.Table) -> pa.Table:
    return table.filter(pc.equal(table["fraud"], "yes")).drop_columns(["fraud"])


training, test = payments(12_000, seed=1), payments(40_000, seed=2)
more = geurim.augment(training, "fraud", share=0.5, seed=7)
print("frauds to learn from:", training["fraud"].to_pylist().count("yes"))
rows = more.to_arrow()
print(f"with synthetic ones: {rows['fraud'].to_pylist().count('yes'):,} of {rows.num_rows:,} rows")
print(f"average precision, real rows alone: {judged(training, test):.2f}")
print(f"average precision, with synthetic rows: {judged(rows, test):.2f}")

made = frauds(rows.slice(training.num_rows))  # the real rows come first
report = geurim.verify(made.slice(0, 5_000), frauds(training), holdout=frauds(test))
print("private:", report.verdicts["private"])
report.save_html("fraud.html")
