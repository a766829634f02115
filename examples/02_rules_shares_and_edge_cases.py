"""Ask for more than more rows: rules, shares, given values, edge cases."""

import pyarrow as pa

import geurim

fitted = geurim.fit("planes.csv", seed=7)

# A rule that every row meets.
large = geurim.sample(fitted, 1_000, seed=7, where="seats >= 300 and engines == 2").to_arrow()
print("fewest seats under the rule:", min(large["seats"].to_pylist()))

# Shares: piston engines are 1 row of 100 in the real table; here they are half.
even = geurim.sample(fitted, 1_000, seed=7, balance={"engine": {"Reciprocating": 0.5}}).to_arrow()
print("piston engines:", even["engine"].to_pylist().count("Reciprocating"))

# Some columns given, the rest drawn to go with them.
given = pa.table({"manufacturer": ["BOEING", "EMBRAER"] * 500})
completed = geurim.sample(fitted, 1_000, seed=7, given=given).to_pandas()
print(completed.groupby("manufacturer")["seats"].median().to_dict())

# Rare values on purpose, marked and weighted so that weighted means stay those of the table.
rare = geurim.sample(fitted, 1_000, seed=7, edge_cases=0.05)
print("columns added:", rare.schema.names[len(fitted.schema) :])
