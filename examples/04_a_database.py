"""From a database table to a database table; the rows there are never lost."""

import geurim
from geurim.errors import TargetExists

geurim.write("planes.csv", "sqlite:///planes.db", table="planes")
planes = geurim.read("sqlite:///planes.db", query="select * from planes where seats > 50")
fitted = geurim.fit(planes, seed=7)
geurim.write(geurim.sample(fitted, 2_000, seed=7), "sqlite:///planes.db", table="synthetic_planes")
print(geurim.read("sqlite:///planes.db", table="synthetic_planes").to_arrow().num_rows, "rows")

try:
    geurim.write(planes, "sqlite:///planes.db", table="planes")
except TargetExists as error:
    print("refused:", error)
