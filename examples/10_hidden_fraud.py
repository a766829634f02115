"""Fraud that hides: the same bank with fraud that stands out, and with fraud that does not.

A rule that looks at the largest amounts finds some of it only where it is clumsy.
"""

import numpy as np

import geurim

for subtlety in (0.0, 1.0):
    world = geurim.World.load("finance", fraud=0.01, subtlety=subtlety)
    made = world.sample(300, seed=7)
    rows = made.tables["transactions"].to_arrow()
    fraud = rows["is_fraud"].to_numpy(zero_copy_only=False)
    amount = rows["amount"].to_numpy()
    largest = np.argsort(-amount)[: fraud.sum()]
    print(f"subtlety {subtlety:.0f}: {rows.num_rows:,} transactions, {fraud.sum()} of them fraud")
    print(f"  of as many largest amounts, fraud are {fraud[largest].mean():.0%}")

episode = made.tables["episodes"].to_arrow().to_pylist()[0]
print(f"{episode['id']}: {episode['typology']}, from {episode['start']}")
for member in made.tables["members"].to_arrow().to_pylist():
    if member["episode"] == episode["id"]:
        print(f"  {member['role']} {member['account']}")
