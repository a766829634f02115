"""A private release: rows that hide every single plane, with a budget that cannot be overdrawn."""

import pandas

import geurim
from geurim.errors import BudgetExceeded
from geurim.generators.private import Budget, Private

# What everybody knows of planes. Nothing here was read off the table.
domain = {"year": (1950, 2020), "engines": (1, 4), "seats": (1, 800), "tailnum": "key"}
budget = Budget(file="planes.budget.json", epsilon=3.0, delta=1e-5)
settings = Private(epsilon=2.0, domain=domain, budget=budget)

fitted = geurim.fit("planes.csv", settings)
geurim.save(fitted, "private.geurim")

rows = geurim.sample(fitted, 2_000, seed=7)
geurim.write(rows, "private_planes.csv", overwrite=True)
print(rows.to_pandas().head())
print("spent:", rows.lineage.privacy[0])

# As many single-engined planes as others: from the model, so at no further cost.
given = pandas.DataFrame({"engines": [1, 2]})
balanced = geurim.sample(fitted, 1_000, seed=7, given=given)
print(balanced.to_pandas()["engines"].value_counts())

try:
    geurim.fit("planes.csv", settings)
except BudgetExceeded as refused:
    print(refused)
