"""Rows from a profile, where the data themselves may not leave: the profile holds no row."""

import geurim
from geurim.analyze import load_profile, save_profile

# Where the data are:
save_profile(geurim.analyze("planes.csv"), "profile.json")

# Elsewhere, without them:
profile = load_profile("profile.json")
rows = geurim.generate(distribution=profile, count=5_000, include_edge_cases=True, seed=7)
geurim.write(rows, "from_profile.csv", overwrite=True)
print(rows.to_pandas().head())
