"""A first table: look at it, learn it, draw rows, compare. Run examples/tables.py first."""

import geurim

planes = geurim.read("planes.csv")
profile = geurim.analyze(planes)
for name, column in profile.columns.items():
    print(f"{name:<13} {column['role']:<9} {column['missing']:>4.0%} missing  {column['why']}")

fitted = geurim.fit(planes, profile=profile, seed=7)
rows = geurim.sample(fitted, 10_000, seed=7)
geurim.write(rows, "synthetic.parquet", overwrite=True)

report = geurim.verify(rows, planes, target="seats")
print("\n".join(report.summary()))
