"""Rows from rules: Geurim's engine, Faker's rows and dbldatagen on the same work in the same run.

    python benchmarks/rules.py --rows 10000000
    python benchmarks/rules.py --rows 10000000 --dbldatagen PY     a Python with pyspark, dbldatagen

Ten columns: a key, a choice, a whole number cut off, a date, three columns that depend on others by
tables, a chance, a lognormal number and a formula. Each way runs in a process of its own, and makes
its rows without keeping them; CPU seconds are those of the process and its children, start-up of
Python (and of Java) included. Faker makes a hundredth of the rows, and its time is taken times a
hundred. Prints a table for RULES.md.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

WORLD = """
world: people
tables:
  people:
    columns:
      id: {key: 1}
      sex: {choose: {F: 0.51, M: 0.49}}
      age: {draw: normal, mean: 45, deviation: 18, low: 18, high: 95, round: 0}
      joined: {between: [2015-01-01, 2025-01-01]}
      region: {given: sex, choose: {F: {north: 0.4, south: 0.6}, M: {north: 0.6, south: 0.4}}}
      plan:
        given: [sex, region]
        choose:
          F, north: {basic: 0.3, plus: 0.7}
          M, south: {basic: 0.2, plus: 0.8}
          else: {basic: 0.6, plus: 0.4}
      channel:
        given: plan
        choose: {basic: {web: 0.7, shop: 0.3}, plus: {web: 0.2, shop: 0.8}}
      income: {draw: lognormal, median: 30000, sigma: 0.5, round: 2}
      member: {chance: 0.2}
      score: round(0.3 * age + log(income) - if(member, 5, 0), 2)
"""

GEURIM = """
import sys, geurim
from geurim.generators.rules.world import World
rows, path = int(sys.argv[1]), sys.argv[2]
fitted = geurim.fit(None, World.load(path), seed=1)
assert sum(b.num_rows for b in geurim.sample(fitted, rows, seed=2).read()) == rows
"""

WRITTEN = """
import sys, geurim
from geurim.generators.rules.world import World
rows, path = int(sys.argv[1]), sys.argv[2]
fitted = geurim.fit(None, World.load(path), seed=1)
geurim.write(geurim.sample(fitted, rows, seed=2), path + ".parquet")
"""

FAKER = """
import datetime, math, sys
from collections import OrderedDict
from faker import Faker
fake = Faker()
Faker.seed(1)
pick = lambda **shares: fake.random_element(OrderedDict(shares))
start, end = datetime.date(2015, 1, 1), datetime.date(2025, 1, 1)
for i in range(int(sys.argv[1])):
    sex = pick(F=0.51, M=0.49)
    age = 0
    while not 18 <= age <= 95:
        age = round(fake.random.gauss(45, 18))
    joined = fake.date_between(start, end)
    region = pick(north=0.4, south=0.6) if sex == "F" else pick(north=0.6, south=0.4)
    case = {("F", "north"): 0.3, ("M", "south"): 0.2}.get((sex, region), 0.6)
    plan = pick(basic=case, plus=1 - case)
    channel = pick(web=0.7, shop=0.3) if plan == "basic" else pick(web=0.2, shop=0.8)
    income = round(fake.random.lognormvariate(math.log(30000), 0.5), 2)
    member = fake.boolean(20)
    score = round(0.3 * age + math.log(income) - (5 if member else 0), 2)
    row = (i, sex, age, joined, region, plan, channel, income, member, score)
"""

DBLDATAGEN = """
import sys
import dbldatagen as dg
from pyspark.sql import SparkSession
spark = (SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
         .config("spark.driver.memory", "4g").getOrCreate())
spark.sparkContext.setLogLevel("ERROR")
rows = int(sys.argv[1])
u = lambda name: dict(expr="rand()", omit=True)
spec = (dg.DataGenerator(spark, name="people", rows=rows, partitions=8,
                         randomSeedMethod="hash_fieldname")
    .withColumn("sex", "string", values=["F", "M"], weights=[51, 49], random=True)
    .withColumn("age", "int", minValue=18, maxValue=95, random=True,
                distribution=dg.distributions.Normal(45, 18))
    .withColumn("joined", "date", expr="date_add(date'2015-01-01', cast(rand() * 3653 as int))")
    .withColumn("u1", "double", **u("u1")).withColumn("u2", "double", **u("u2"))
    .withColumn("u3", "double", **u("u3")).withColumn("z", "double", expr="randn()", omit=True)
    .withColumn("region", "string", baseColumn=["sex", "u1"],
                expr="case when u1 < if(sex = 'F', 0.4, 0.6) then 'north' else 'south' end")
    .withColumn("plan", "string", baseColumn=["sex", "region", "u2"],
                expr="case when u2 < (case when sex = 'F' and region = 'north' then 0.3 "
                     "when sex = 'M' and region = 'south' then 0.2 else 0.6 end) "
                     "then 'basic' else 'plus' end")
    .withColumn("channel", "string", baseColumn=["plan", "u3"],
                expr="case when u3 < if(plan = 'basic', 0.7, 0.2) then 'web' else 'shop' end")
    .withColumn("income", "double", baseColumn="z", expr="round(30000 * exp(0.5 * z), 2)")
    .withColumn("member", "boolean", expr="rand() < 0.2")
    .withColumn("score", "double", baseColumn=["age", "income", "member"],
                expr="round(0.3 * age + ln(income) - if(member, 5, 0), 2)"))
spec.build().write.format("noop").mode("overwrite").save()
java = spark.sparkContext._gateway.proc
spark.stop()
java.stdin.close()  # Java ends by that, and is waited for, so that its CPU seconds count
java.wait()
"""


def run(python: str, code: str, rows: int, path: Path) -> tuple[float, float]:
    """CPU seconds of a process and its children, and its most memory in MB."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYSPARK_PYTHON": python}
    process = subprocess.Popen([python, "-c", code, str(rows), str(path)], env=env)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"It ended with {os.waitstatus_to_exitcode(status)}.")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--rows", type=int, default=10_000_000)
    p.add_argument("--dbldatagen", default="", help="a Python that has pyspark and dbldatagen")
    asked = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "people.yaml"
        path.write_text(WORLD)
        ways = [
            ("geurim", sys.executable, GEURIM, 1),
            ("geurim, written to Parquet", sys.executable, WRITTEN, 1),
            ("Faker, row by row", sys.executable, FAKER, 100),
        ]
        if asked.dbldatagen:
            ways.append(("dbldatagen (Spark, local)", asked.dbldatagen, DBLDATAGEN, 1))
        print("| way | rows made | CPU s | for all rows | most memory MB |")
        print("| --- | ---: | ---: | ---: | ---: |")
        for name, python, code, part in ways:
            rows = asked.rows // part
            cpu, memory = run(python, code, rows, path)
            print(f"| {name} | {rows:,} | {cpu:.1f} | {cpu * part:,.1f} | {memory:,.0f} |")


if __name__ == "__main__":
    main()
